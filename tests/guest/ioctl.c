/* Generic ioctls and which files know them. */
#include "guest.h"
#include <termios.h>
#include <linux/fs.h>

int
main(void)
{
	int fd, d, p[2], sv[2], v = 0;
	struct winsize ws;
	struct termios t;

	scratch();
	put("f", "0123456789");
	fd = open("f", O_RDWR);
	d = open(".", O_RDONLY);
	pipe(p);
	socketpair(AF_UNIX, SOCK_STREAM, 0, sv);
	S(ioctl, -1, FIONREAD, &v);
	S(ioctl, -1, 0x1234, &v);
	S(ioctl, fd, 0x1234, &v);
	S(ioctl, p[0], 0x1234, &v);
	S(ioctl, sv[0], 0x1234, &v);
	S(ioctl, d, 0x1234, &v);
	lseek(fd, 4, SEEK_SET);
	S(ioctl, fd, FIONREAD, &v);
	P("%d", v);
	S(ioctl, fd, FIONREAD, BAD);
	v = 1;
	S(ioctl, fd, FIONBIO, &v);
	P("%s", fcntl(fd, F_GETFL) & O_NONBLOCK ? "non-blocking" : "blocking");
	S(ioctl, p[0], FIONBIO, &v);
	P("%s", fcntl(p[0], F_GETFL) & O_NONBLOCK ? "non-blocking" : "blocking");
	v = 0;
	S(ioctl, p[0], FIONBIO, &v);
	P("%s", fcntl(p[0], F_GETFL) & O_NONBLOCK ? "non-blocking" : "blocking");
	S(ioctl, p[0], FIONBIO, BAD);
	S(ioctl, fd, FIOCLEX);
	S(fcntl, fd, F_GETFD);
	S(ioctl, fd, FIONCLEX);
	S(fcntl, fd, F_GETFD);
	v = 1;
	S(ioctl, fd, FIOASYNC, &v);
	S(ioctl, fd, TIOCGWINSZ, &ws);
	S(ioctl, fd, TCGETS, &t);
	S(ioctl, p[0], TCGETS, &t);
	S(ioctl, sv[0], TCGETS, &t);
	S(ioctl, d, TCGETS, &t);
	S(ioctl, p[0], TIOCGPGRP, &v);
	S(ioctl, p[0], TIOCSTI, "x");
	int op = open("f", O_PATH);
	S(ioctl, op, FIOCLEX);
	S(ioctl, op, FIONREAD, &v);
	return 0;
}
