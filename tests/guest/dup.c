/* dup, dup2, dup3 and what the copies share. */
#include "guest.h"

int
main(void)
{
	struct rlimit rl = { 64, 64 };
	int fd, d;
	char buf[8];

	scratch();
	put("f", "0123456789");
	fd = open("f", O_RDWR | O_CLOEXEC);
	P("first fd %d", fd);
	d = S(dup, fd);
	S(fcntl, fd, F_GETFD);
	S(fcntl, d, F_GETFD);
	S(read, fd, buf, 3);
	S(lseek, d, 0, SEEK_CUR);
	S(fcntl, fd, F_SETFL, O_APPEND | O_NONBLOCK);
	P("flags shared: %s", fcntl(d, F_GETFL) == fcntl(fd, F_GETFL) ? "yes" : "no");
	S(dup, -1);
	S(dup, 40);
	S(dup2, fd, 10);
	S(dup2, fd, fd);
	S(dup2, 40, 40);
	S(dup2, 40, 10);
	S(fcntl, 10, F_GETFD);
	S(dup2, fd, -1);
	setrlimit(RLIMIT_NOFILE, &rl);
	S(dup2, fd, 64);
	S(dup2, fd, 63);
	S(dup2, 40, 64);
	S(dup3, fd, fd, 0);
	S(dup3, 40, 40, 0);
	S(dup3, fd, 11, O_CLOEXEC);
	S(fcntl, 11, F_GETFD);
	S(dup3, fd, 11, O_NONBLOCK);
	S(dup3, fd, 64, 0);
	S(dup3, fd, 64, 7);
	S(fcntl, fd, F_DUPFD, 20);
	S(fcntl, fd, F_DUPFD, 20);
	S(fcntl, fd, F_DUPFD_CLOEXEC, 30);
	S(fcntl, 30, F_GETFD);
	S(fcntl, fd, F_DUPFD, 64);
	S(fcntl, fd, F_DUPFD, -1);
	S(fcntl, 62, F_DUPFD, -1);
	for (int i = 0; i < 64; i++)
		dup(fd);
	S(dup, fd);
	S(fcntl, fd, F_DUPFD, 0);
	S(open, "f", O_RDONLY);
	S(open, "none", O_RDONLY);
	int p[2];
	S(pipe, p);
	return 0;
}
