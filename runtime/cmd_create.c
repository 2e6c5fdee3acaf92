/* cmd_create: a container from a bundle, ready to start. */
#include "runtime/container.h"

int
cmd_create(int argc, char **argv)
{
	struct container c = CONTAINER_INIT;
	const struct opt opts[] = { CONTAINER_OPTS(&c.opts), OPT_END };
	struct err err = { 0 };
	int first = opt_parse(opts, argc, argv, false), e;

	if (first < 0)
		return 1;
	if (argc - first != 1)
		return fail("create: needs one container id");
	e = container_prepare(&c, argv[first], &err);
	if (!e)
		e = container_launch(&c, &err);
	if (e)
		container_abort(&c);
	container_fini(&c);
	return e ? err_report(&err) : 0;
}
