/* splice and tee of pipes in packet mode: a part of a packet, what is left of it, and what follows. */
#include "guest.h"

static void
rest(int fd)
{
	char buf[8192];
	long n;

	while ((n = Q(read, fd, buf, sizeof buf)) > 0)
		P("packet of %ld: %c..%c", n, buf[0], buf[n - 1]);
	P("then %s", res(n));
}

static void
fill(int fd)
{
	char big[6000];

	S(write, fd, "abcdefghij", 10);
	S(write, fd, "klmno", 5);
	memset(big, 'x', sizeof big);
	big[4095] = 'y';
	big[sizeof big - 1] = 'z';
	S(write, fd, big, sizeof big);
}

int
main(void)
{
	int p[2], q[2], file, n;
	char buf[16];

	scratch();
	pipe2(p, O_DIRECT | O_NONBLOCK);
	pipe2(q, O_NONBLOCK);
	file = open("file", O_CREAT | O_RDWR, 0600);
	fill(p[1]);
	S(splice, p[0], NULL, file, NULL, 4, 0);
	rest(p[0]);
	fill(p[1]);
	S(splice, p[0], NULL, file, NULL, 12, 0);
	rest(p[0]);
	fill(p[1]);
	S(splice, p[0], NULL, file, NULL, 10, 0);
	rest(p[0]);
	P("file %s", cat("file"));
	/* what the first read of the rest leaves is gone */
	fill(p[1]);
	S(splice, p[0], NULL, file, NULL, 3, 0);
	S(read, p[0], buf, 2);
	P("%s", txt(buf, 2));
	rest(p[0]);
	/* a larger and a smaller ring, with a packet begun */
	fill(p[1]);
	S(splice, p[0], NULL, file, NULL, 3, 0);
	S(fcntl, p[1], F_SETPIPE_SZ, 1 << 18);
	S(splice, p[0], NULL, file, NULL, 3, 0);
	S(fcntl, p[1], F_SETPIPE_SZ, 1 << 14);
	S(ioctl, p[0], FIONREAD, &n);
	P("%d", n);
	rest(p[0]);
	/* into a pipe, and a look without taking */
	fill(p[1]);
	S(splice, p[0], NULL, q[1], NULL, 4, 0);
	S(tee, p[0], q[1], 3, 0);
	S(read, q[0], buf, 4);
	P("%s", txt(buf, 4));
	rest(p[0]);
	return 0;
}
