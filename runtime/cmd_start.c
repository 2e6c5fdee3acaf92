/* cmd_start: runs the program of a created container. */
#include <string.h>

#include "runtime/container.h"

int
cmd_start(int argc, char **argv)
{
	const struct opt opts[] = { OPT_END };
	struct state s = STATE_INIT;
	struct err err = { 0 };
	int first = opt_parse(opts, argc, argv, false), e;

	if (first < 0)
		return 1;
	if (argc - first != 1)
		return fail("start: needs one container id");
	e = state_open(argv[first], true, &s, &err);
	if (!e) {
		const char *status = state_status(&s);

		if (strcmp(status, "created") == 0)
			e = container_start(&s, &err);
		else if (strcmp(status, "stopped") == 0)
			e = err_set(&err, 0, "cannot start a container that has stopped");
		else
			e = err_set(&err, 0, "cannot start an already %s container", status);
	}
	state_close(&s);
	return e ? err_report(&err) : 0;
}
