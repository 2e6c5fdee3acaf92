/* fcntl(2): descriptor and status flags, owner, pipe size, leases refused, unknown commands. */
#include "guest.h"

static const struct g_bit tab[] = {
	BIT(O_WRONLY), BIT(O_RDWR), BIT(O_APPEND), BIT(O_NONBLOCK), BIT(O_ASYNC), BIT(O_DIRECT),
	BIT(O_NOATIME), { 0100000, "O_LARGEFILE" },
};

int
main(void)
{
	struct f_owner_ex ox;
	int fd, p[2];

	scratch();
	put("f", "data");
	fd = open("f", O_RDWR);
	pipe(p);
	S(fcntl, -1, F_GETFD);
	S(fcntl, 40, F_GETFL);
	S(fcntl, fd, 9999);
	S(fcntl, 40, 9999);
	S(fcntl, fd, F_GETFD);
	S(fcntl, fd, F_SETFD, FD_CLOEXEC);
	S(fcntl, fd, F_GETFD);
	S(fcntl, fd, F_SETFD, 0xfe);
	S(fcntl, fd, F_GETFD);
	S(fcntl, fd, F_SETFL, O_APPEND | O_WRONLY | O_CREAT | O_TRUNC | O_NONBLOCK);
	P("%s", BITS(fcntl(fd, F_GETFL), tab));
	P("%s", look("f"));
	S(fcntl, fd, F_SETFL, 0);
	P("%s", BITS(fcntl(fd, F_GETFL), tab));
	S(fcntl, fd, F_SETFL, O_SYNC);
	P("%s", BITS(fcntl(fd, F_GETFL), tab));
	P("pipe %s %s", BITS(fcntl(p[0], F_GETFL), tab), BITS(fcntl(p[1], F_GETFL), tab));
	S(fcntl, p[0], F_GETPIPE_SZ);
	S(fcntl, p[0], F_SETPIPE_SZ, 100);
	S(fcntl, p[0], F_SETPIPE_SZ, 5000);
	S(fcntl, p[1], F_GETPIPE_SZ);
	S(fcntl, p[0], F_SETPIPE_SZ, 0);
	S(fcntl, p[0], F_SETPIPE_SZ, 1 << 20);
	S(fcntl, fd, F_GETPIPE_SZ);
	S(fcntl, fd, F_SETPIPE_SZ, 4096);
	S(fcntl, p[0], F_GETOWN);
	P("setown self %s", ok(fcntl(p[0], F_SETOWN, getpid())));
	P("getown self %s", fcntl(p[0], F_GETOWN) == getpid() ? "yes" : "no");
	S(fcntl, p[0], F_GETOWN_EX, &ox);
	P("type %d pid %s", ox.type, ox.pid == getpid() ? "self" : "?");
	S(fcntl, p[0], F_GETOWN_EX, BAD);
	S(fcntl, p[0], F_SETOWN, 0x7fffffff);
	S(fcntl, p[0], F_GETSIG);
	S(fcntl, p[0], F_SETSIG, 65);
	S(fcntl, p[0], F_SETSIG, SIGUSR1);
	S(fcntl, p[0], F_GETSIG);
	S(fcntl, p[0], F_GETLEASE);
	S(fcntl, fd, F_GETLK, BAD);
	S(fcntl, fd, F_SETLK, BAD);
	S(fcntl, fd, F_GET_SEALS);
	/* a signal when the pipe becomes readable */
	pipe(p);
	catch_sig(SIGIO, 0);
	fcntl(p[0], F_SETOWN, getpid());
	S(fcntl, p[0], F_SETFL, O_ASYNC | O_NONBLOCK);
	write(p[1], "x", 1);
	P("SIGIO %d", got[SIGIO]);
	return 0;
}
