/* cmd_delete: forgets a stopped container; with --force any, whatever is left of it. */
#include <errno.h>
#include <string.h>

#include "runtime/container.h"

static int
delete_one(const char *id, bool force, struct err *err)
{
	struct state s = STATE_INIT;
	const char *status;
	int e = state_open(id, true, &s, err);

	if (e)
		return e == -ENOENT && force ? 0 : e;
	status = state_status(&s);
	/* One that was made and never started has nothing to lose. */
	if (strcmp(status, "stopped") != 0 && strcmp(status, "created") != 0 && !force)
		e = err_set(err, 0, "cannot delete container %s that is not stopped: %s", id, status);
	if (!e)
		e = state_kill(&s, err);
	if (!e)
		e = container_delete(&s, err);
	state_close(&s);
	return e;
}

int
cmd_delete(int argc, char **argv)
{
	bool force = false;
	const struct opt opts[] = {
		{ 'f', "force", NULL, "kill it first if it runs; no error if there is none", OPT_FLAG, &force },
		OPT_END
	};
	int first = opt_parse(opts, argc, argv, false), status = 0;

	if (first < 0)
		return 1;
	if (first == argc)
		return fail("delete: needs a container id");
	for (; first < argc; first++) {
		struct err err = { 0 };

		if (delete_one(argv[first], force, &err) != 0)
			status = err_report(&err);
	}
	return status;
}
