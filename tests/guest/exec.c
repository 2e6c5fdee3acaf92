/* execve(2): errors, arguments, environment, what survives. */
#include "guest.h"
#include <sys/auxv.h>

static char *none[] = { NULL };

/* What the new program sees of its surroundings. */
static int
after(int argc, char **argv, char **envp)
{
	struct sigaction sa;
	sigset_t mask, pend;
	stack_t ss;
	int n = 0;

	P("argc %d last %s", argc, argv[argc - 1]);
	while (envp[n])
		n++;
	P("env %d first %s", n, n ? envp[0] : "-");
	sigaction(SIGUSR1, NULL, &sa);
	P("caught is %s", sa.sa_handler == SIG_DFL ? "default" : "kept");
	sigaction(SIGUSR2, NULL, &sa);
	P("ignored is %s", sa.sa_handler == SIG_IGN ? "ignored" : "?");
	sigprocmask(SIG_BLOCK, NULL, &mask);
	sigpending(&pend);
	P("mask %d pending %d", sigismember(&mask, SIGHUP), sigismember(&pend, SIGHUP));
	sigaltstack(NULL, &ss);
	P("altstack %s", ss.ss_flags == SS_DISABLE ? "disabled" : "kept");
	P("fd 10 %s fd 11 %s", ok(Q(fcntl, 10, F_GETFD)), ok(Q(fcntl, 11, F_GETFD)));
	P("umask %03o", umask(0));
	P("alarm %s", alarm(0) > 50 ? "runs" : "gone");
	P("pid %s", atoi(argv[2]) == getpid() ? "same" : "?");
	P("name %s", cat("/proc/self/comm"));
	return 33;
}

static void
try(const char *what, const char *path, char **argv)
{
	P("%s: %s", what, wst(CHILD(
		long r = Q(execve, path, argv, none);
		P("%s", res(r));
		_exit(1);
	)));
}

int
main(int argc, char **argv, char **envp)
{
	char self[256], pid[16], *arg[] = { "prog", "arg", NULL };
	ssize_t n;

	if (argc > 1 && strcmp(argv[1], "after") == 0)
		return after(argc, argv, envp);
	n = readlink("/proc/self/exe", self, sizeof self - 1);
	self[n < 0 ? 0 : n] = 0;
	scratch();
	put("text", "just text\n");
	chmod("text", 0755);
	put("plain", "#!/bin/sh\nexit 1\n");
	mkdir("dir", 0755);
	put("empty", "");
	chmod("empty", 0755);
	put("elf", "\177ELF");
	chmod("elf", 0755);
	symlink("loop", "loop");
	try("missing", "none", arg);
	try("not executable", "plain", arg);
	try("a directory", "dir", arg);
	try("no program", "text", arg);
	try("empty", "empty", arg);
	try("four bytes of ELF", "elf", arg);
	try("through a file", "text/x", arg);
	try("loop", "loop", arg);
	try("empty name", "", arg);
	try("bad name", BAD, arg);
	try("bad arguments", self, BAD);
	P("open for writing: %s", wst(CHILD(
		int fd = open("copy", O_CREAT | O_WRONLY, 0755), in = open(self, O_RDONLY);
		char b[65536];
		ssize_t k;
		while ((k = read(in, b, sizeof b)) > 0)
			write(fd, b, k);
		P("busy: %s", res(Q(execve, "copy", arg, none)));
		close(fd);
		char *a2[] = { "copy", "after", "0", NULL };
		P("now: %s", wst(CHILD(dup2(open("/dev/null", O_WRONLY), 1); Q(execve, "copy", a2, none))));
		pid_t k2 = START(char *a3[] = { "copy", NULL }; (void)a3; execle("copy", "copy", "after", "0", NULL, none));
		waitpid(k2, NULL, 0);
	)));
	/* everything at once */
	P("survivors: %s", wst(CHILD(
		sigset_t set;
		stack_t ss = { .ss_sp = malloc(65536), .ss_size = 65536 };
		catch_sig(SIGUSR1, 0);
		set_sig(SIGUSR2, SIG_IGN);
		sigemptyset(&set);
		sigaddset(&set, SIGHUP);
		sigprocmask(SIG_BLOCK, &set, NULL);
		raise(SIGHUP);
		sigaltstack(&ss, NULL);
		dup2(1, 10);
		dup3(1, 11, O_CLOEXEC);
		umask(0123);
		alarm(100);
		snprintf(pid, sizeof pid, "%d", getpid());
		char *a[] = { "zero", "after", pid, "last", NULL };
		char *e[] = { "FIRST=1", "SECOND=2", NULL };
		execve(self, a, e);
	)));
	/* no arguments: Linux gives an empty one */
	try("null argv", "/bin/true", NULL);
	try("empty argv", "/bin/true", none);
	/* too long: one string above 128 KiB, or all above a quarter of the stack */
	char *big = malloc(140000);
	memset(big, 'a', 140000);
	big[131072] = 0;
	char *a1[] = { "prog", big, NULL };
	try("a string of 128 KiB", "/bin/true", a1);
	big[131071] = 0;
	try("one byte less", "/bin/true", a1);
	char **many = malloc(200 * sizeof *many);
	for (int i = 0; i < 199; i++)
		many[i] = big;
	many[199] = NULL;
	P("25 MiB: %s", wst(CHILD(
		struct rlimit rl = { 8 << 20, 8 << 20 };
		setrlimit(RLIMIT_STACK, &rl);
		P("%s", res(Q(execve, "/bin/true", many, none)));
	)));
	many[10] = NULL;
	try("1.3 MiB", "/bin/true", many);
	/* execveat */
	int fd = open("/bin/true", O_PATH), d = open("/bin", O_RDONLY);
	P("execveat fd: %s", wst(CHILD(P("%s", res(Q(execveat, fd, "", arg, none, AT_EMPTY_PATH))))));
	P("execveat no flag: %s", wst(CHILD(P("%s", res(Q(execveat, fd, "", arg, none, 0))))));
	P("execveat dir: %s", wst(CHILD(P("%s", res(Q(execveat, d, "true", arg, none, 0))))));
	P("execveat bad flag: %s", wst(CHILD(P("%s", res(Q(execveat, d, "true", arg, none, 0x8000))))));
	symlink("/bin/true", "tolink");
	P("execveat nofollow: %s", wst(CHILD(P("%s", res(Q(execveat, AT_FDCWD, "tolink", arg, none, AT_SYMLINK_NOFOLLOW))))));
	P("as another: %s", wst(CHILD(
		put("private", "#!/bin/sh\n");
		chmod("private", 0700);
		chmod(".", 0755);
		setgid(600);
		setuid(600);
		P("%s", res(Q(execve, "private", arg, none)));
	)));
	return 0;
}
