/* Erasing a tab, with and without output processing, and with nobody taking the output. */
#include "guest.h"
#include <termios.h>

static int m, s;

static void
set(tcflag_t off, tcflag_t on)
{
	struct termios tio;

	tcgetattr(s, &tio);
	tio.c_oflag = (tio.c_oflag & ~off) | on;
	tcsetattr(s, TCSANOW, &tio);
}

static void
show_output(const char *what)
{
	struct pollfd p = { m, POLLIN, 0 };
	char buf[256];
	long n;

	/* The host's terminal works in the background. */
	poll(&p, 1, 500);
	nap(60);
	n = read(m, buf, sizeof buf);
	P("%s: %s", what, n < 0 ? err_name(errno) : txt(buf, n));
}

static void
start(void)
{
	char name[32];

	m = posix_openpt(O_RDWR | O_NOCTTY | O_NONBLOCK);
	if (m < 0 || unlockpt(m) != 0 || ptsname_r(m, name, sizeof name) != 0)
		skip("no terminals");
	s = open(name, O_RDWR | O_NOCTTY | O_NONBLOCK);
}

int
main(void)
{
	static char big[4096];

	alarm(30);
	start();
	write(m, "ab\t", 3);
	show_output("typed");
	write(m, "\177", 1);
	show_output("erased");
	write(m, "\t", 1);
	show_output("typed");
	set(OPOST, 0);
	write(m, "\177", 1);
	show_output("erased without OPOST");
	write(m, "c\t\t", 3);
	show_output("typed");
	write(m, "\177", 1);
	show_output("erased");
	write(m, "\177", 1);
	show_output("erased");
	set(0, OPOST);
	write(m, "\t", 1);
	show_output("typed");
	write(m, "\177", 1);
	show_output("erased with OPOST");
	write(m, "\n", 1);
	show_output("line");
	P("%s", txt(big, read(s, big, sizeof big)));
	/* from a column of its own */
	write(s, "prompt: ", 8);
	show_output("program");
	write(m, "\t", 1);
	show_output("typed");
	write(m, "\177", 1);
	show_output("erased");
	write(m, "\t\025", 2);
	show_output("killed");
	/* nobody reads: what fits is shown, and the terminal goes on */
	write(m, "\t", 1);
	memset(big, 'x', sizeof big);
	while (write(s, big, sizeof big) > 0)
		;
	write(m, "\177", 1);
	write(m, "\t\t\025", 3);
	write(m, "alive\n", 6);
	nap(50);
	P("%s", txt(big, read(s, big, sizeof big)));
	return 0;
}
