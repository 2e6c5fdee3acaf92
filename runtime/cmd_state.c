/* cmd_state: the OCI state of one container. */
#include <stdlib.h>

#include "runtime/state.h"

int
cmd_state(int argc, char **argv)
{
	const struct opt opts[] = { OPT_END };
	struct state s = STATE_INIT;
	struct err err = { 0 };
	int first = opt_parse(opts, argc, argv, false);
	json_t *j;

	if (first < 0)
		return 1;
	if (argc - first != 1)
		return fail("state: needs one container id");
	if (state_open(argv[first], false, &s, &err) != 0)
		return err_report(&err);
	j = state_oci(&s);
	(void)json_dumpf(j, stdout, JSON_INDENT(2));
	putchar('\n');
	json_decref(j);
	state_close(&s);
	return 0;
}
