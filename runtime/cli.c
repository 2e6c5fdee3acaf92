/* cli: global options, help, and the way to a command. */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/json.h"
#include "runtime/runtime.h"

struct globals rt = { .log_format = (char *)(uintptr_t)"text", .platform = (char *)(uintptr_t)"systrap",
	.patch = (char *)(uintptr_t)"auto" };

const struct command commands[] = {
#define COMMAND(name, fn, args, help) { name, fn, args, help },
#include "runtime/commands.def"
#undef COMMAND
};
const unsigned ncommands = ARRAY_LEN(commands);

static bool want_version;

static const struct opt global_opts[] = {
	{ 0, "root", "DIR", "where containers are recorded (default /run/village)", OPT_STR, &rt.root },
	{ 0, "log", "FILE", "append errors to FILE", OPT_STR, &rt.log },
	{ 0, "log-format", "FORMAT", "of that file: text or json", OPT_STR, &rt.log_format },
	{ 0, "platform", "NAME", "how guest code runs: systrap or ptrace", OPT_STR, &rt.platform },
	{ 0, "patch", "WHEN", "patch calls that trap often: auto, always (at once) or off", OPT_STR, &rt.patch },
	{ 0, "strace", NULL, "print every system call of the guest", OPT_FLAG, &rt.strace },
	{ 0, "debug-log", "FILE", "messages of the sentry and the gofer", OPT_STR, &rt.debug_log },
	{ 0, "debug", NULL, "more messages, here and in the debug log", OPT_FLAG, &rt.debug },
	{ 0, "systemd-cgroup", NULL, "accepted; cgroups are not used", OPT_FLAG, &rt.systemd_cgroup },
	{ 0, "cgroup-manager", "NAME", "accepted; cgroups are not used", OPT_STR, &rt.cgroup_manager },
	{ 0, "rootless", "MODE", "accepted; who calls is looked up", OPT_STR, &rt.rootless_opt },
	{ 'v', "version", NULL, "print the version", OPT_FLAG, &want_version },
	OPT_END
};

void
help_print(FILE *f)
{
	fputs("Usage: village [GLOBAL OPTION...] COMMAND [OPTION...] [ARGUMENT...]\n\n"
	    "Runs unmodified Linux programs on a kernel of its own, in an unprivileged process.\n\n"
	    "Commands:\n", f);
	for (unsigned i = 0; i < ncommands; i++)
		fprintf(f, "  %-10s  %s\n", commands[i].name, commands[i].help);
	fprintf(f, "  %-10s  %s\n\nGlobal options:\n", "help", "show this, or the help of a command");
	opt_print(f, global_opts);
	fputs("\nvillage COMMAND --help tells more about a command. For a first try:\n"
	    "  village do -- uname -a\n", f);
}

static const struct command *
find_command(const char *name)
{
	for (unsigned i = 0; i < ncommands; i++) {
		if (strcmp(commands[i].name, name) == 0)
			return &commands[i];
	}
	return NULL;
}

static int
cmd_help(int argc, char **argv)
{
	const struct command *c;
	char *args[3];
	char option[] = "--help";

	if (argc < 2) {
		help_print(stdout);
		return 0;
	}
	c = find_command(argv[1]);
	if (c == NULL)
		return fail("help: there is no command %s", argv[1]);
	args[0] = argv[1];
	args[1] = option;
	args[2] = NULL;
	return c->run(2, args);
}

static void
choose_root(void)
{
	const char *run = getenv("XDG_RUNTIME_DIR");

	if (rt.root != NULL)
		return;
	if (geteuid() == 0 || run == NULL || *run == '\0')
		rt.root = xstrdup("/run/village");
	else
		rt.root = xasprintf("%s/village", run);
}

/* A closed standard stream would become the first file we open. */
static void
fill_streams(void)
{
	int fd;

	do {
		fd = open("/dev/null", O_RDWR);
	} while (fd >= 0 && fd < 3);
	if (fd >= 3)
		close(fd);
}

int
cli_main(int argc, char **argv)
{
	const struct command *c;
	int first;

	fill_streams();
	json_boot();
	if (argc == 0)
		return 1;
	argv[0] = xstrdup("village");
	first = opt_parse(global_opts, argc, argv, true);
	if (first < 0)
		return 1;
	if (want_version) {
		printf("village version %s\nspec: %s\n", VILLAGE_VERSION, OCI_VERSION);
		return 0;
	}
	if (strcmp(rt.log_format, "json") != 0 && strcmp(rt.log_format, "text") != 0)
		return fail("--log-format %s: must be text or json", rt.log_format);
	if (first == argc) {
		help_print(stderr);
		return 1;
	}
	choose_root();
	argc -= first;
	argv += first;
	if (strcmp(argv[0], "help") == 0)
		return cmd_help(argc, argv);
	c = find_command(argv[0]);
	if (c == NULL)
		return fail("there is no command %s; village help lists them", argv[0]);
	return c->run(argc, argv);
}
