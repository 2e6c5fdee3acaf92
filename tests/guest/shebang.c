/* #! lines: arguments, nesting, odd forms. */
#include "guest.h"

static char *none[] = { NULL };
static char self[256];

static void
script(const char *name, const char *fmt, ...)
{
	char text[8192];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	put(name, text);
	chmod(name, 0755);
}

static void
run(const char *what, const char *path)
{
	char *arg[] = { "argzero", "one", "two", NULL };

	P("%s: %s", what, wst(CHILD(P("%s", res(Q(execve, path, arg, none))); _exit(1))));
}

int
main(int argc, char **argv)
{
	char name[32], pad[300];

	const char *base = strrchr(argv[0], '/');

	if (strcmp(base ? base + 1 : argv[0], "i") == 0) {
		/* called as an interpreter */
		for (int i = 1; i < argc; i++)
			P("  [%s]", strncmp(argv[i], "/tmp/", 5) == 0 ? strrchr(argv[i], '/') : argv[i]);
		return argc;
	}
	ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
	self[n < 0 ? 0 : n] = 0;
	scratch();
	symlink(self, "i");
	char *dir = strdup(g_dir);
	script("plain", "#!%s/i\n", dir);
	run("plain", "./plain");
	script("arg", "#!%s/i -x\n", dir);
	run("one argument", "./arg");
	script("args", "#!%s/i -x -y  z \n", dir);
	run("arguments stay one", "./args");
	script("space", "#! \t%s/i \t -x\t \n", dir);
	run("blanks", "./space");
	script("noeol", "#!%s/i -x", dir);
	run("no newline", "./noeol");
	script("nothing", "#!\n");
	run("nothing", "./nothing");
	script("blank", "#!   \n");
	run("only blanks", "./blank");
	script("missing", "#!/none/interp\n");
	run("missing interpreter", "./missing");
	script("notexec", "#!%s/data\n", dir);
	put("data", "x");
	run("interpreter not executable", "./notexec");
	script("relative", "#!i -r\n");
	run("relative interpreter", "./relative");
	script("itself", "#!%s/itself\n", dir);
	run("itself", "./itself");
	script("n0", "#!%s/i\n", dir);
	for (int i = 1; i < 8; i++) {
		snprintf(name, sizeof name, "n%d", i);
		script(name, "#!%s/n%d\n", dir, i - 1);
	}
	run("nested 4", "n3");
	run("nested 5", "n4");
	run("nested 6", "n5");
	memset(pad, 'p', sizeof pad);
	pad[255 - strlen(dir) - 2 - 3 - 1] = 0;
	script("long", "#!%s/i %s\n", dir, pad);
	P("255 bytes: %s", wst(CHILD(dup2(open("/dev/null", O_WRONLY), 1); execl("./long", "long", NULL))));
	pad[240] = 'p';
	pad[290] = 0;
	script("longer", "#!%s/i %s\n", dir, pad);
	P("over 255 bytes: %s", wst(CHILD(dup2(open("/dev/null", O_WRONLY), 1); execl("./longer", "longer", NULL))));
	script("longest", "#!/%s\n", pad);
	run("an interpreter cut off", "./longest");
	script("env", "#!/usr/bin/env -S sh -c 'echo $0'\n");
	run("env", "./env");
	script("sh", "#!/bin/sh\necho \"$0 $# $1\"\nexit 9\n");
	run("sh", "./sh");
	return 0;
}
