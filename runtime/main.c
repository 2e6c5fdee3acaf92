/*
 * main: one program under several names: the command line, the sentry, the gofer.
 */
#include <string.h>
#include <sys/prctl.h>

#include "gofer/main.h"
#include "runtime/runtime.h"
#include "sentry/main.h"

static bool
called_as(const char *argv0, const char *name)
{
	const char *slash = strrchr(argv0, '/');

	return strcmp(slash ? slash + 1 : argv0, name) == 0;
}

int
main(int argc, char **argv)
{
	if (argc > 0 && called_as(argv[0], "village-sentry"))
		return sentry_main(argc, argv);
	if (argc > 0 && called_as(argv[0], "village-gofer")) {
		(void)prctl(PR_SET_NAME, "village-gofer", 0, 0, 0);
		return gofer_main(argc, argv);
	}
	return cli_main(argc, argv);
}
