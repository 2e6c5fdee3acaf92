/* Job control: a controlling terminal, foreground groups, signals from the keyboard, hang-up. */
#include "guest.h"
#include <termios.h>

static int m, s;
static volatile int *sh;
static char name[64];

static void
type(const char *text)
{
	write(m, text, strlen(text));
}

/* What the session leader does. */
static void
session(void)
{
	pid_t pid, g;
	int st, n;
	char b[64];
	struct termios t;

	P("setsid %s", Q(setsid) == getpid() ? "ok" : "?");
	P("no terminal yet: %s", ok(Q(open, "/dev/tty", O_RDWR)));
	P("TIOCSCTTY %s", res(lib(ioctl(s, TIOCSCTTY, 0))));
	P("/dev/tty %s", ok(Q(open, "/dev/tty", O_RDWR)));
	P("foreground is self %d session is self %d", tcgetpgrp(s) == getpid(), tcgetsid(s) == getpid());
	/* from the keyboard */
	catch_sig(SIGINT, 0);
	catch_sig(SIGQUIT, 0);
	catch_sig(SIGWINCH, 0);
	type("typed\003");
	UNTIL(got[SIGINT]);
	P("SIGINT code %s", si_code_name(SIGINT, got_info.si_code));
	struct pollfd pf = { s, POLLIN, 0 };
	P("input is flushed: %d", poll(&pf, 1, 10));
	type("\034");
	UNTIL(got[SIGQUIT]);
	P("SIGQUIT");
	struct winsize ws = { 11, 22, 0, 0 };
	ioctl(m, TIOCSWINSZ, &ws);
	UNTIL(got[SIGWINCH]);
	P("SIGWINCH");
	ioctl(m, TIOCSWINSZ, &ws);
	nap(10);
	P("the same size again: %d", got[SIGWINCH]);
	/* a read that the keyboard interrupts */
	pid = START(nap(30); type("\003"));
	P("interrupted read: %s", res(Q(read, s, b, 64)));
	reap(pid);
	/* a background group */
	pid = START(
		setpgid(0, 0);
		sh[0] = 1;
		P("background read: %s", res(Q(read, s, b, 64)));
		_exit(0);
	);
	waitpid(pid, &st, WUNTRACED);
	P("reader: %s", wst(st));
	/* stop is over; bring it to the foreground */
	type("for the child\n");
	P("tcsetpgrp %s", res(lib(tcsetpgrp(s, pid))));
	kill(pid, SIGCONT);
	P("%s", reap(pid));
	/* now the leader is in the background itself */
	set_sig(SIGTTOU, SIG_IGN);
	P("take it back, SIGTTOU ignored: %s", res(lib(tcsetpgrp(s, getpid()))));
	set_sig(SIGTTOU, SIG_DFL);
	pid = START(
		setpgid(0, 0);
		set_sig(SIGTTIN, SIG_IGN);
		P("background read, SIGTTIN ignored: %s", res(Q(read, s, b, 64)));
		P("background write without TOSTOP: %s", res(Q(write, s, "w", 1)));
		P("background tcsetpgrp: %s", res(lib(tcsetpgrp(s, getpid()))));
		_exit(0);
	);
	waitpid(pid, &st, WUNTRACED);
	P("%s", wst(st));
	kill(pid, SIGKILL);
	reap(pid);
	tcgetattr(s, &t);
	t.c_lflag |= TOSTOP;
	tcsetattr(s, TCSANOW, &t);
	pid = START(
		setpgid(0, 0);
		P("background write with TOSTOP: %s", res(Q(write, s, "w", 1)));
		_exit(0);
	);
	waitpid(pid, &st, WUNTRACED);
	P("%s", wst(st));
	kill(pid, SIGKILL);
	reap(pid);
	t.c_lflag &= ~TOSTOP;
	tcsetattr(s, TCSANOW, &t);
	/* keyboard signals reach the whole foreground group and only it */
	pid = START(set_sig(SIGINT, SIG_DFL); setpgid(0, 0); sh[1] = 1; pause());
	UNTIL(sh[1]);
	g = START(set_sig(SIGINT, SIG_DFL); setpgid(0, pid); sh[2] = 1; pause());
	UNTIL(sh[2]);
	set_sig(SIGTTOU, SIG_IGN);
	tcsetpgrp(s, pid);
	got[SIGINT] = 0;
	type("\003");
	P("both: %s %s, leader %d", reap(pid), reap(g), got[SIGINT]);
	tcsetpgrp(s, getpid());
	pid = START(setpgid(0, 0); sh[3] = 1; for (;;) pause());
	UNTIL(sh[3]);
	tcsetpgrp(s, pid);
	type("\032");
	waitpid(pid, &st, WUNTRACED);
	P("^Z: %s", wst(st));
	tcsetpgrp(s, getpid());
	kill(pid, SIGKILL);
	reap(pid);
	/* errors */
	P("tcsetpgrp to a group that is not: %s", res(lib(tcsetpgrp(s, 0x7ffffff))));
	P("to a negative one: %s", res(lib(tcsetpgrp(s, -5))));
	P("group of another session: %s", res(lib(tcsetpgrp(s, getppid()))));
	P("not a terminal: %s", res(lib(tcsetpgrp(1, getpid()))));
	t.c_lflag &= ~ISIG;
	tcsetattr(s, TCSANOW, &t);
	got[SIGINT] = 0;
	type("\003\n");
	n = read(s, b, 64);
	P("without ISIG: %s, %d signals", txt(b, n), got[SIGINT]);
	t.c_lflag |= ISIG;
	tcsetattr(s, TCSANOW, &t);
	/* a child that leaves the session has no terminal */
	P("child: %s", wst(CHILD(setsid(); P("tty %s", ok(Q(open, "/dev/tty", O_RDWR))); P("steal %s", res(lib(ioctl(s, TIOCSCTTY, 0)))))));
	P("TIOCNOTTY in a child: %s", wst(CHILD(P("%s", res(lib(ioctl(s, TIOCNOTTY)))); P("tty %s", ok(Q(open, "/dev/tty", O_RDWR))))));
	/* the master goes: hang-up */
	catch_sig(SIGHUP, 0);
	catch_sig(SIGCONT, 0);
	pid = START(
		setpgid(0, 0);
		catch_sig(SIGHUP, 0);
		close(m);
		sh[4] = 1;
		UNTIL(tcgetpgrp(s) == getpid());
		P("foreground child reads: %s", res(Q(read, s, b, 64)));
		/* SIGHUP goes to the leader alone; the group would get it from the leader's end */
		P("foreground child: hup %d", got[SIGHUP]);
		_exit(0);
	);
	UNTIL(sh[4]);
	tcsetpgrp(s, pid);
	nap(20);
	close(m);
	sh[5] = 1;
	UNTIL(got[SIGHUP]);
	P("%s", reap(pid));
	P("leader: hup %d cont %d", got[SIGHUP], got[SIGCONT]);
	P("read %s", res(Q(read, s, b, 64)));
	P("write %s", res(Q(write, s, b, 1)));
	P("/dev/tty %s", ok(Q(open, "/dev/tty", O_RDWR)));
}

int
main(void)
{
	int n, lock = 0;
	pid_t pid;

	sh = shared_ints();
	m = open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (m < 0 || ioctl(m, TIOCGPTN, &n) < 0 || ioctl(m, TIOCSPTLCK, &lock) < 0)
		die("ptmx");
	snprintf(name, sizeof name, "/dev/pts/%d", n);
	s = open(name, O_RDWR | O_NOCTTY);
	pid = START(session());
	/* the last descriptor of the master: the terminal hangs up */
	UNTIL(sh[5]);
	close(m);
	P("%s", reap(pid));
	return 0;
}
