/*
 * Who am I, asked at the same few places again and again: the answers are fresh after whatever changes them, by
 * the process itself, by another of its threads, by its parent, by the parent's end.
 */
#include "guest.h"

#define ASK(name) \
	static long __attribute__((noinline)) ask_##name(void) { return Q(name); }
ASK(getpid) ASK(gettid) ASK(getppid) ASK(getuid) ASK(geteuid) ASK(getgid) ASK(getegid) ASK(getpgrp)

struct who {
	long pid, tid, ppid, uid, euid, gid, egid, pgrp;
};

static struct who
ask(void)
{
	return (struct who){ ask_getpid(), ask_gettid(), ask_getppid(), ask_getuid(), ask_geteuid(), ask_getgid(),
	    ask_getegid(), ask_getpgrp() };
}

static void
use(void)
{
	for (int i = 0; i < 20; i++)
		ask();
}

static pid_t
stat_field(pid_t pid, int n)
{
	char name[64], line[512];
	FILE *f;
	char *at;

	snprintf(name, sizeof name, "/proc/%d/stat", pid);
	f = fopen(name, "r");
	if (!f || !fgets(line, sizeof line, f))
		die("%s", name);
	fclose(f);
	at = strrchr(line, ')') + 1;
	for (int i = 3; i <= n; i++)
		at = strchr(at, ' ') + 1;
	return atoi(at);
}

/* The answers against what /proc and other calls say. */
static void
check(const char *when)
{
	struct who w = ask();
	uid_t r, e, s;
	gid_t gr, ge, gs;

	getresuid(&r, &e, &s);
	getresgid(&gr, &ge, &gs);
	P("%s: pid %d tid %d parent %d group %d ids %d %d %d %d", when, w.pid == getpid(),
	    w.tid == gettid(), w.ppid == stat_field((pid_t)w.pid, 4), w.pgrp == stat_field((pid_t)w.pid, 5) && w.pgrp == getpgid(0),
	    w.uid == r, w.euid == e, w.gid == gr, w.egid == ge);
}

static void
families(void)
{
	long me = ask_getpid(), c;
	int p[2], q[2];
	char b;

	P("fork: %s", wst(CHILD(use(); check("child"); _exit(ask_getppid() != me || ask_getpid() == me || ask_gettid() != ask_getpid()))));
	for (int i = 0; i < 20; i++) {
		/* the very first question in the child */
		int st = CHILD(_exit(ask_getpid() == me || ask_getppid() != me));

		if (st)
			P("fork %d: %s", i, wst(st));
	}
	/* a vfork child, then its parent again */
	for (int i = 0; i < 20; i++) {
		static volatile long pid, ppid;
		int st;

		c = vfork();
		if (c == 0) {
			pid = ask_getpid();
			ppid = ask_getppid();
			_exit(0);
		}
		waitpid((pid_t)c, &st, 0);
		if (pid != c || ppid != me || ask_getpid() != me)
			P("vfork %d: wrong", i);
	}
	/* orphans: the pipe's end says that the parent ends */
	for (int i = 0; i < 10; i++) {
		if (pipe(p) < 0 || pipe(q) < 0)
			die("pipe");
		c = fork();
		if (c == 0) {
			long mid = ask_getpid();

			if (fork() == 0) {
				close(p[1]);
				use();
				b = ask_getppid() == mid ? 'm' : '?';
				write(q[1], &b, 1);
				read(p[0], &b, 1);
				/* files go first, so the parent may still be there for a moment */
				UNTIL(ask_getppid() != mid);
				b = ask_getppid() == stat_field((pid_t)ask_getpid(), 4) ? 'r' : '?';
				write(q[1], &b, 1);
				_exit(0);
			}
			read(q[0], &b, 1);
			_exit(b);
		}
		close(p[1]);
		int st;
		waitpid((pid_t)c, &st, 0);
		b = 0;
		read(q[0], &b, 1);
		if (i == 0)
			P("orphan: before %c, after %c", WEXITSTATUS(st), b);
		else if (WEXITSTATUS(st) != 'm' || b != 'r')
			P("orphan %d: before %c, after %c", i, WEXITSTATUS(st), b);
		close(p[0]);
		close(q[0]);
		close(q[1]);
	}
}

/* After the waiter has seen the end of the one in the middle. */
static void
waits(void)
{
	int p[2], q[2];
	char b = 0;

	if (pipe(p) < 0 || pipe(q) < 0)
		die("pipe");
	P("after wait: %s", wst(CHILD(
		long sub = ask_getpid();
		pid_t mid;
		int st;

		Q(prctl, 36 /* PR_SET_CHILD_SUBREAPER */, 1, 0, 0, 0);
		mid = fork();
		if (mid == 0) {
			if (fork() == 0) {
				use();
				write(q[1], "x", 1);
				read(p[0], &b, 1);
				_exit(ask_getppid() == sub ? 5 : 6);
			}
			read(q[0], &b, 1);
			_exit(0);
		}
		waitpid(mid, &st, 0);
		write(p[1], "y", 1);
		wait(&st);
		_exit(WEXITSTATUS(st));
	)));
}

/* ---- threads ------------------------------------------------------------------------------ */

static volatile int step, wrong;
static volatile long euid_seen[2], egid_seen[2];

static void *
other(void *arg)
{
	long me = ask_getpid(), tid = ask_gettid();

	(void)arg;
	use();
	wrong += tid == me || ask_getpid() != getpid() || tid != gettid();
	step = 1;
	UNTIL(step == 2);
	euid_seen[0] = ask_geteuid();
	egid_seen[0] = ask_getegid();
	step = 3;
	UNTIL(step == 4);
	euid_seen[1] = ask_geteuid();
	egid_seen[1] = ask_getegid();
	return NULL;
}

static void
threads(void)
{
	pthread_t t;

	use();
	pthread_create(&t, NULL, other, NULL);
	UNTIL(step == 1);
	/* the raw call is this thread's alone */
	P("setresgid %s", res(Q(setresgid, -1, 2002, -1)));
	P("setresuid %s", res(Q(setresuid, -1, 1001, -1)));
	P("mine: %ld %ld", ask_geteuid(), ask_getegid());
	step = 2;
	UNTIL(step == 3);
	P("the other's: %ld %ld", euid_seen[0], egid_seen[0]);
	P("back %s", res(Q(setresuid, -1, 0, -1)));
	/* libc's is everybody's */
	P("setresgid %d, setresuid %d", setresgid(-1, 3003, -1), setresuid(-1, 1002, -1));
	P("mine: %ld %ld", ask_geteuid(), ask_getegid());
	step = 4;
	pthread_join(t, NULL);
	P("the other's: %ld %ld; %d wrong", euid_seen[1], egid_seen[1], wrong);
	P("back %s %s", res(Q(setresuid, -1, 0, -1)), res(Q(setresgid, -1, 0, -1)));
	check("main");
}

static void
ids(void)
{
	static const struct { long nr, a, b, c; const char *name; } calls[] = {
		{ SYS_setreuid, 1, 2, 0, "setreuid" }, { SYS_setreuid, 2, 1, 0, "setreuid" }, { SYS_setresuid, 2, 2, 0, "setresuid" },
		{ SYS_setreuid, -1, 0, 0, "setreuid" }, { SYS_setregid, 5, 6, 0, "setregid" }, { SYS_setfsuid, 9, 0, 0, "setfsuid" },
		{ SYS_setgid, 7, 0, 0, "setgid" }, { SYS_setresgid, 8, 9, 10, "setresgid" }, { SYS_setuid, 11, 0, 0, "setuid" },
		{ SYS_setuid, 0, 0, 0, "setuid" }, { SYS_setgid, 9, 0, 0, "setgid" }, { SYS_setgid, 99, 0, 0, "setgid" },
	};

	use();
	for (unsigned i = 0; i < N_OF(calls); i++) {
		const char *r = res(raw6(calls[i].nr, calls[i].a, calls[i].b, calls[i].c, 0, 0, 0));

		P("%s %ld %ld %ld: %s; %ld %ld %ld %ld", calls[i].name, calls[i].a, calls[i].b, calls[i].c, r, ask_getuid(),
		    ask_geteuid(), ask_getgid(), ask_getegid());
	}
	P("child: %s", wst(CHILD(P("%ld %ld %ld %ld", ask_getuid(), ask_geteuid(), ask_getgid(), ask_getegid()))));
}

/* ---- groups and sessions -------------------------------------------------------------------- */

static void
groups(void)
{
	int p[2], q[2];
	char b;
	pid_t c;

	if (pipe(p) < 0 || pipe(q) < 0)
		die("pipe");
	use();
	P("own group: %s", res(Q(setpgid, 0, 0)));
	P("leads it: %d", ask_getpgrp() == ask_getpid());
	c = START(
		long parent = ask_getppid();

		use();
		P("child's group: %s", ask_getpgrp() == parent ? "its parent's" : "?");
		write(q[1], "x", 1);
		read(p[0], &b, 1);
		/* the parent has moved it */
		P("then: %s", ask_getpgrp() == ask_getpid() ? "its own" : "?");
		P("back: %s", res(Q(setpgid, 0, parent)));
		P("again: %s", ask_getpgrp() == parent ? "its parent's" : "?");
		P("setsid: %s", Q(setsid) == ask_getpid() ? "pid" : "?");
		P("and group: %s", ask_getpgrp() == ask_getpid() ? "its own" : "?");
	);
	read(q[0], &b, 1);
	P("setpgid of the child: %s", res(Q(setpgid, c, c)));
	write(p[1], "y", 1);
	P("child: %s", reap(c));
}

/* A thread that executes becomes the leader: with its number. */
static void *
exec_main(void *arg)
{
	char pid[16];

	(void)arg;
	use();
	snprintf(pid, sizeof pid, "%ld", ask_getpid());
	execl("/proc/self/exe", "patch_answers", pid, NULL);
	die("exec");
}

int
main(int argc, char **argv)
{
	pthread_t t;

	if (argc > 1) {
		use();
		P("executed: pid %d tid %d", ask_getpid() == atoi(argv[1]), ask_gettid() == ask_getpid());
		return 0;
	}
	use();
	check("start");
	families();
	waits();
	P("ids: %s", wst(CHILD(ids())));
	P("threads: %s", wst(CHILD(threads())));
	P("groups: %s", wst(CHILD(groups())));
	P("exec: %s", wst(CHILD(use(); pthread_create(&t, NULL, exec_main, NULL); pause())));
	check("end");
	return 0;
}
