/* main: the gofer takes its descriptors, locks down, serves; see base/boot.h. */
#include "gofer/main.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>

#include "base/boot.h"
#include "base/log.h"
#include "gofer/hostfs.h"
#include "gofer/lockdown.h"
#include "gofer/serve.h"

static struct server server;

/* "--mounts N ro rw ...", anywhere among the arguments. */
static int
parse_args(int argc, char **argv, struct server *s)
{
	for (int i = 1; i < argc; i++) {
		unsigned long n;
		char *end;

		if (strcmp(argv[i], "--debug") == 0)
			log_level = LOG_DEBUG;
		if (strcmp(argv[i], "--mounts") != 0 || i + 1 >= argc)
			continue;
		n = strtoul(argv[++i], &end, 10);
		if (*end != '\0' || n == 0 || n > GOFER_MOUNT_MAX || n > (unsigned long)(argc - i - 1))
			return -EINVAL;
		for (unsigned long m = 0; m < n; m++) {
			const char *flag = argv[++i];

			if (strcmp(flag, "ro") != 0 && strcmp(flag, "rw") != 0)
				return -EINVAL;
			s->mounts[m].fd = GOFER_FD_ROOT0 + (int)m;
			s->mounts[m].writable = flag[1] == 'w';
		}
		s->nmounts = (unsigned)n;
	}
	return s->nmounts ? 0 : -EINVAL;
}

int
gofer_main(int argc, char **argv)
{
	int err;

	log_init("gofer", GOFER_FD_LOG, LOG_INFO);
	crash_init();
	signal(SIGPIPE, SIG_IGN);
	err = parse_args(argc, argv, &server);
	if (err) {
		log_error("gofer", "bad arguments");
		return 1;
	}
	server.sock = GOFER_FD_SOCK;
	err = hostfs_init();
	if (err) {
		log_error("gofer", "cannot reach /proc/self/fd: error %d", -err);
		return 1;
	}
	err = server_init(&server);
	if (!err)
		err = gofer_lockdown();
	if (err) {
		log_error("gofer", "cannot lock down: error %d", -err);
		return 1;
	}
	err = server_run(&server);
	if (err) {
		log_error("gofer", "the sentry's socket failed: error %d", -err);
		return 1;
	}
	return 0;
}
