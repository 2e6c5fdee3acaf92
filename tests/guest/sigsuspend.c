/* sigsuspend, pause, and which calls restart. */
#include "guest.h"

static void
later(int us)
{
	struct itimerval it = { { 0, 0 }, { 0, us } };

	setitimer(ITIMER_REAL, &it, NULL);
}

/* Interrupts the call in the parent's place after a while; a byte comes even later. */
static void
restart(const char *name, int flags)
{
	int p[2];
	char c = '-';
	pid_t pid;

	pipe(p);
	got[SIGALRM] = 0;
	catch_sig(SIGALRM, flags);
	pid = START(nap(120); write(p[1], "x", 1));
	later(30000);
	long r = Q(read, p[0], &c, 1);
	P("read with %s: %s %c, handled %d", name, res(r), c, got[SIGALRM]);
	kill(pid, SIGKILL);
	reap(pid);
	close(p[0]);
	close(p[1]);
}

int
main(void)
{
	sigset_t set, none, old;
	uint64_t m = 0;
	struct timespec ts = { 0, 100000000 }, left = { 9, 9 };
	struct pollfd pf = { -1, 0, 0 };
	int st, p[2];
	pid_t pid;

	sigemptyset(&none);
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigaddset(&set, SIGALRM);
	catch_sig(SIGUSR1, 0);
	catch_sig(SIGALRM, 0);
	sigprocmask(SIG_BLOCK, &set, NULL);
	raise(SIGUSR1);
	S(rt_sigsuspend, &m, 8);
	P("handled %d", got[SIGUSR1]);
	sigprocmask(SIG_BLOCK, NULL, &old);
	P("mask is back: %d", sigismember(&old, SIGUSR1));
	S(rt_sigsuspend, &m, 4);
	S(rt_sigsuspend, BAD, 8);
	later(20000);
	S(rt_sigsuspend, &m, 8);
	/* an ignored or default-ignored signal does not end it */
	set_sig(SIGUSR2, SIG_IGN);
	pid = START(nap(20); kill(getppid(), SIGUSR2); nap(20); kill(getppid(), SIGWINCH); nap(20); kill(getppid(), SIGUSR1));
	got[SIGUSR1] = 0;
	S(rt_sigsuspend, &m, 8);
	P("by SIGUSR1: %d", got[SIGUSR1]);
	reap(pid);
	sigprocmask(SIG_SETMASK, &none, NULL);
	later(20000);
	S(pause);
	restart("no flags", 0);
	restart("SA_RESTART", SA_RESTART);
	/* calls that never restart */
	catch_sig(SIGALRM, SA_RESTART);
	later(20000);
	S(poll, &pf, 1, 2000);
	later(20000);
	S(nanosleep, &ts, &left);
	P("left %s", left.tv_sec == 0 && left.tv_nsec > 0 && left.tv_nsec < 100000000 ? "some" : "?");
	later(20000);
	S(pause);
	later(20000);
	S(select, 0, NULL, NULL, NULL, NULL);
	pipe(p);
	struct timeval tv = { 2, 0 };
	int sv[2];
	socketpair(AF_UNIX, SOCK_STREAM, 0, sv);
	setsockopt(sv[0], SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof tv);
	later(20000);
	char c;
	P("recv with a timeout: %s", res(Q(recvfrom, sv[0], &c, 1, 0, NULL, NULL)));
	/* wait restarts */
	pid = START(nap(80); _exit(3));
	got[SIGALRM] = 0;
	later(20000);
	P("wait4: %s", res(Q(wait4, pid, &st, 0, NULL) == pid));
	P("%s handled %d", wst(st), got[SIGALRM]);
	catch_sig(SIGALRM, 0);
	pid = START(nap(80); _exit(3));
	later(20000);
	P("wait4 without: %s", res(Q(wait4, pid, &st, 0, NULL)));
	P("%s", reap(pid));
	/* stop and continue: sleeping calls go on by themselves */
	pid = START(
		struct timespec t2 = { 0, 150000000 };
		int64_t t = now_ns();
		P("sleep over a stop: %s", res(Q(nanosleep, &t2, NULL)));
		P("%s", took(t, 150));
	);
	nap(30);
	kill(pid, SIGSTOP);
	waitpid(pid, &st, WUNTRACED);
	nap(30);
	kill(pid, SIGCONT);
	P("%s", reap(pid));
	pid = START(
		char b;
		P("read over a stop: %s", res(Q(read, p[0], &b, 1)));
	);
	await_sleep(pid);
	kill(pid, SIGSTOP);
	waitpid(pid, &st, WUNTRACED);
	kill(pid, SIGCONT);
	write(p[1], "x", 1);
	P("%s", reap(pid));
	pid = START(
		struct pollfd q = { p[0], POLLIN, 0 };
		P("poll over a stop: %s", res(Q(poll, &q, 1, 5000)));
	);
	await_sleep(pid);
	kill(pid, SIGSTOP);
	waitpid(pid, &st, WUNTRACED);
	kill(pid, SIGCONT);
	nap(20);
	write(p[1], "x", 1);
	P("%s", reap(pid));
	return 0;
}
