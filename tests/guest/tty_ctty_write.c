/* TIOCSCTTY by who may only write to a terminal: /dev/tty would let it read. */
#include "guest.h"
#include <termios.h>

int
main(void)
{
	char name[32];
	int m, s;

	if (geteuid() != 0)
		skip("needs to become somebody else");
	m = posix_openpt(O_RDWR | O_NOCTTY);
	if (m < 0 || unlockpt(m) != 0 || ptsname_r(m, name, sizeof name) != 0)
		skip("no terminals");
	chmod(name, 0622);
	P("%s", wst(CHILD(
		if (setgroups(0, NULL) != 0 || setresgid(54321, 54321, 54321) != 0 || setresuid(54321, 54321, 54321) != 0)
			skip("cannot become somebody else");
		S(ioctl, 0, TIOCSCTTY, 0);
		setsid();
		P("read %s", res(Q(open, name, O_RDONLY | O_NOCTTY)));
		s = open(name, O_WRONLY);
		P("write %s", ok(s));
		P("tty %s", ok(Q(open, "/dev/tty", O_RDWR)));
		S(ioctl, s, TIOCSCTTY, 0);
		S(ioctl, s, TIOCSCTTY, 1);
		P("tty %s", ok(Q(open, "/dev/tty", O_RDWR)));
	)));
	chmod(name, 0666);
	P("%s", wst(CHILD(
		setresuid(54321, 54321, 54321);
		setsid();
		s = open(name, O_RDONLY | O_NOCTTY);
		S(ioctl, s, TIOCSCTTY, 0);
		P("tty %s", ok(Q(open, "/dev/tty", O_RDWR)));
		close(s);
		s = open(name, O_WRONLY);
		S(ioctl, s, TIOCSCTTY, 0);
	)));
	/* root may */
	P("%s", wst(CHILD(
		setsid();
		s = open(name, O_WRONLY);
		S(ioctl, s, TIOCSCTTY, 0);
	)));
	return 0;
}
