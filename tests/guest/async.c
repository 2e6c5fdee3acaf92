/* O_ASYNC: which end of what hears of which event, and what the signal says. */
#include "guest.h"

#define SIG	(SIGRTMIN + 3)

static sigset_t set;

static const char *
code_name(int code)
{
	static const char *const names[] = { "?", "POLL_IN", "POLL_OUT", "POLL_MSG", "POLL_ERR", "POLL_PRI", "POLL_HUP" };

	if (code == SI_KERNEL)
		return "SI_KERNEL";
	if (code == SI_SIGIO)
		return "SI_SIGIO";
	return code > 0 && code < (int)N_OF(names) ? names[code] : "other";
}

/* What has come: each signal, but the same one after the other once, as several events may or may not be one. */
static void
came(const char *what)
{
	struct timespec wait = { 0, 30000000 };
	char *b = g_buf();
	siginfo_t si, last = { 0 };
	int at = 0;

	b[0] = 0;
	while (sigtimedwait(&set, &si, &wait) > 0) {
		if (si.si_signo == last.si_signo && si.si_code == last.si_code && si.si_fd == last.si_fd)
			continue;
		last = si;
		at += snprintf(b + at, 200, " %s:%s", si.si_signo == SIG ? "own" : sig_name(si.si_signo), code_name(si.si_code));
		if (si.si_signo == SIG || si.si_code == SI_SIGIO)
			at += snprintf(b + at, 100, " band %#lx fd %d", si.si_band, si.si_fd);
	}
	P("%s:%s", what, at ? b : " nothing");
}

static void
listen_to(int fd, int sig)
{
	fcntl(fd, F_SETOWN, getpid());
	if (sig)
		fcntl(fd, F_SETSIG, sig);
	fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_ASYNC | O_NONBLOCK);
}

static void
pipes(int sig)
{
	static char buf[65536];
	int p[2];

	if (pipe(p) < 0)
		die("pipe");
	listen_to(p[0], sig);
	came("nothing yet");
	write(p[1], "abc", 3);
	came("reader: written");
	write(p[1], "d", 1);
	came("reader: more");
	read(p[0], buf, 2);
	came("reader: it has read");
	read(p[0], buf, 2);
	came("reader: to the end");
	close(p[1]);
	came("reader: the writer has gone");
	close(p[0]);

	if (pipe(p) < 0)
		die("pipe");
	listen_to(p[1], sig);
	write(p[1], "abc", 3);
	came("writer: it has written");
	read(p[0], buf, 3);
	came("writer: read");
	while (write(p[1], buf, sizeof buf) > 0)
		;
	came("writer: full");
	read(p[0], buf, sizeof buf);
	came("writer: room");
	close(p[0]);
	came("writer: the reader has gone");
	fcntl(p[1], F_SETFL, O_NONBLOCK);
	close(p[1]);
}

static void
off_and_on(void)
{
	int p[2], q;

	if (pipe(p) < 0)
		die("pipe");
	listen_to(p[0], SIG);
	write(p[1], "a", 1);
	came("on");
	fcntl(p[0], F_SETFL, 0);
	write(p[1], "a", 1);
	came("off");
	q = dup(p[0]);
	fcntl(q, F_SETFL, O_ASYNC);
	write(p[1], "a", 1);
	came("on again, by another number");
	fcntl(q, F_SETSIG, 0);
	write(p[1], "a", 1);
	came("by the usual signal");
	fcntl(q, F_SETOWN, 0);
	write(p[1], "a", 1);
	came("to nobody");
	close(q);
	close(p[0]);
	close(p[1]);
}

int
main(void)
{
	sigemptyset(&set);
	sigaddset(&set, SIG);
	sigaddset(&set, SIGIO);
	sigaddset(&set, SIGUSR1);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
	pipes(0);
	pipes(SIG);
	pipes(SIGIO);
	pipes(SIGUSR1);
	off_and_on();
	return 0;
}
