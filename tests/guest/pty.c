/* Pseudo-terminals: opening, canonical and raw input, echo, erase, output processing, window size, hang-up. */
#include "guest.h"
#include <termios.h>

static int m, s;

/* What the master can read now. */
static const char *
out(void)
{
	char b[512];
	struct pollfd pf = { m, POLLIN, 0 };
	int at = 0;

	while (poll(&pf, 1, 20) > 0 && pf.revents & POLLIN && at < 400) {
		int n = read(m, b + at, sizeof b - at);

		if (n <= 0)
			break;
		at += n;
	}
	return txt(b, at);
}

/* What the slave reads in one call, if there is anything. */
static const char *
in(void)
{
	char b[512];
	struct pollfd pf = { s, POLLIN, 0 };
	long n;

	if (poll(&pf, 1, 20) <= 0)
		return "nothing";
	n = Q(read, s, b, sizeof b);
	return n < 0 ? res(n) : txt(b, n);
}

static void
type(const char *text)
{
	write(m, text, strlen(text));
}

static void
flags(const char *what, struct termios *t)
{
	P("%s: i %o o %o c %o l %o", what, t->c_iflag, t->c_oflag, t->c_cflag & ~CBAUD, t->c_lflag);
}

int
main(void)
{
	struct termios t, raw;
	struct winsize ws = { 24, 80, 0, 0 };
	struct stat st;
	char name[64];
	const char *got_in;
	int n, lock = 1;

	m = open("/dev/ptmx", O_RDWR | O_NOCTTY);
	if (m < 0)
		die("ptmx");
	T(ioctl(m, TIOCGPTN, &n));
	snprintf(name, sizeof name, "/dev/pts/%d", n);
	P("locked: %s", ok(Q(open, name, O_RDWR | O_NOCTTY)));
	T(ioctl(m, TIOCGPTLCK, &lock));
	P("lock %d", lock);
	lock = 0;
	T(ioctl(m, TIOCSPTLCK, &lock));
	s = open(name, O_RDWR | O_NOCTTY);
	P("open: %s", s >= 0 ? "ok" : err_name(errno));
	fstat(s, &st);
	P("%s major %d minor %s owner may %04o", type_of(st.st_mode), (int)(st.st_rdev >> 8 & 0xfff), (int)(st.st_rdev & 0xff) == n ? "same" : "?",
	    st.st_mode & 0700);
	P("peer: %s", ok(Q(ioctl, m, TIOCGPTPEER, O_RDWR | O_NOCTTY)));
	P("tty %d %d %s", isatty(m), isatty(s), strcmp(ttyname(s), name) == 0 ? "named" : "?");
	T(tcgetattr(s, &t));
	flags("default", &t);
	P("intr %d quit %d erase %d kill %d eof %d time %d min %d start %d stop %d susp %d", t.c_cc[VINTR], t.c_cc[VQUIT], t.c_cc[VERASE],
	    t.c_cc[VKILL], t.c_cc[VEOF], t.c_cc[VTIME], t.c_cc[VMIN], t.c_cc[VSTART], t.c_cc[VSTOP], t.c_cc[VSUSP]);
	P("speed %s", cfgetospeed(&t) == B38400 ? "38400" : "?");
	tcgetattr(m, &raw);
	P("the master's are the same: %s", memcmp(&raw.c_lflag, &t.c_lflag, sizeof t.c_lflag) == 0 ? "yes" : "no");
	/* window size */
	T(ioctl(s, TIOCGWINSZ, &ws));
	P("%d %d", ws.ws_row, ws.ws_col);
	ws = (struct winsize){ 30, 100, 1, 2 };
	T(ioctl(m, TIOCSWINSZ, &ws));
	memset(&ws, 0, sizeof ws);
	T(ioctl(s, TIOCGWINSZ, &ws));
	P("%d %d %d %d", ws.ws_row, ws.ws_col, ws.ws_xpixel, ws.ws_ypixel);
	/* canonical input */
	type("hel");
	got_in = in();
	P("half a line: %s, echo %s", got_in, out());
	type("lo\n");
	got_in = in();
	P("line: %s, echo %s", got_in, out());
	type("abc\177\177d\n");
	got_in = in();
	P("erase: %s, echo %s", got_in, out());
	type("abc def\027x\n");
	got_in = in();
	P("word erase: %s, echo %s", got_in, out());
	type("gone\025kept\n");
	got_in = in();
	P("kill: %s, echo %s", got_in, out());
	type("one\ntwo\n");
	P("two lines: %s", in());
	got_in = in();
	P("second: %s, echo %s", got_in, out());
	type("no newline\004");
	got_in = in();
	P("eof after text: %s, echo %s", got_in, out());
	type("\004");
	got_in = in();
	P("eof alone: [%s], echo [%s]", got_in, out());
	type("a\026\003b\n");
	got_in = in();
	P("literal next: %s, echo %s", got_in, out());
	type("cr\r");
	got_in = in();
	P("return: %s, echo %s", got_in, out());
	type("\001\002\n");
	got_in = in();
	P("control: %s, echo %s", got_in, out());
	write(m, "long line", 9);
	nap(20);
	T(ioctl(s, FIONREAD, &n));
	P("%d", n);
	type("\n");
	nap(20);
	T(ioctl(s, FIONREAD, &n));
	P("%d", n);
	char b[4];
	S(read, s, b, 4);
	P("rest: %s", in());
	out();
	/* output */
	write(s, "line\nnext\ttab\n", 14);
	P("output: %s", out());
	/* echo off, no output processing */
	t.c_lflag &= ~ECHO;
	t.c_oflag &= ~OPOST;
	T(tcsetattr(s, TCSANOW, &t));
	type("secret\n");
	got_in = in();
	P("no echo: %s, echo [%s]", got_in, out());
	write(s, "raw\n", 4);
	P("output: %s", out());
	/* ECHONL */
	t.c_lflag |= ECHONL;
	tcsetattr(s, TCSANOW, &t);
	type("pw\n");
	got_in = in();
	P("newline only: %s, echo %s", got_in, out());
	/* raw */
	raw = t;
	cfmakeraw(&raw);
	T(tcsetattr(s, TCSAFLUSH, &raw));
	tcgetattr(s, &raw);
	flags("raw", &raw);
	type("a");
	P("one: %s", in());
	type("\003\004\r\n");
	got_in = in();
	P("controls: %s, echo [%s]", got_in, out());
	raw.c_cc[VMIN] = 3;
	tcsetattr(s, TCSANOW, &raw);
	pid_t pid = START(P("min 3: %s", res(read(s, b, 4))));
	await_sleep(pid);
	type("x");
	nap(10);
	type("yz");
	P("%s", reap(pid));
	raw.c_cc[VMIN] = 0;
	tcsetattr(s, TCSANOW, &raw);
	S(read, s, b, 4);
	raw.c_cc[VTIME] = 1;
	tcsetattr(s, TCSANOW, &raw);
	int64_t start = now_ns();
	S(read, s, b, 4);
	P("%s", took(start, 90));
	raw.c_cc[VMIN] = 1;
	raw.c_cc[VTIME] = 0;
	tcsetattr(s, TCSANOW, &raw);
	/* flushing */
	type("dropped");
	nap(10);
	T(tcflush(s, TCIFLUSH));
	P("after flush: %s", in());
	T(tcflush(s, 9));
	/* unknown requests, other ioctls */
	T(ioctl(s, 0x1234, 0));
	T(ioctl(s, TCSBRK, 1));
	T(ioctl(s, TCXONC, TCOON));
	T(ioctl(s, TIOCEXCL));
	P("exclusive, root: %s", ok(Q(open, name, O_RDWR | O_NOCTTY)));
	T(ioctl(s, TIOCNXCL));
	T(ioctl(s, TIOCGETD, &n));
	P("discipline %d", n);
	T(ioctl(s, TIOCOUTQ, &n));
	T(ioctl(s, TIOCGPTN, &n));
	T(ioctl(s, TIOCGSID, &n));
	T(ioctl(s, TIOCGPGRP, &n));
	/* packet mode */
	n = 1;
	T(ioctl(m, TIOCPKT, &n));
	write(s, "pk", 2);
	P("packet: %s", out());
	tcflush(s, TCIOFLUSH);
	P("packet: %s", out());
	n = 0;
	ioctl(m, TIOCPKT, &n);
	/* hang-up, both ways */
	struct pollfd pf = { 0, POLLIN, 0 };
	for (int i = 3; i < 30; i++) {
		if (i != m && i != s)
			close(i);
	}
	write(s, "last words", 10);
	close(s);
	P("after the slave: %s", out());
	char big[64];
	S(read, m, big, 64);
	s = open(name, O_RDWR | O_NOCTTY);
	P("reopened: %s", s >= 0 ? "ok" : err_name(errno));
	close(m);
	pf.fd = s;
	S(poll, &pf, 1, 0);
	P("%s", poll_bits(pf.revents));
	S(read, s, b, 4);
	S(write, s, b, 4);
	T(tcgetattr(s, &t));
	P("gone: %s", ok(Q(open, name, O_RDWR | O_NOCTTY)));
	return 0;
}
