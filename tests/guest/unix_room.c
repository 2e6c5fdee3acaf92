/* AF_UNIX: how much may be on its way, and when the sender may go on. Exact counts are the host's own, their order is not. */
#include "guest.h"
#include <sys/un.h>

static char buf[1 << 20];

static int
outq(int fd)
{
	int v = -1;

	ioctl(fd, TIOCOUTQ, &v);
	return v;
}

static bool
is_writable(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLOUT };

	return poll(&p, 1, 0) == 1 && (p.revents & POLLOUT);
}

/* Fills the way from sv[0] to sv[1] by pieces of n; bytes. */
static long
fill(const int sv[2], size_t n)
{
	long total = 0;
	ssize_t put;

	while ((put = write(sv[0], buf, n)) > 0)
		total += put;
	P("full: %s", strerror(errno));
	return total;
}

static void
room(int type, size_t n)
{
	int sv[2], sndbuf = 0;
	socklen_t len = sizeof sndbuf;
	long total, taken = 0;

	socketpair(AF_UNIX, type | SOCK_NONBLOCK, 0, sv);
	getsockopt(sv[0], SOL_SOCKET, SO_SNDBUF, &sndbuf, &len);
	P("type %d by %zu: writable %d, out %d", type, n, is_writable(sv[0]), outq(sv[0]));
	total = fill(sv, n);
	P("more than the bytes is counted: %d", outq(sv[0]) > total);
	P("no more than one piece above the limit: %d %d", outq(sv[0]) >= sndbuf, outq(sv[0]) < sndbuf + 2 * 65536);
	P("the bytes of tiny ones are the least of it: %d", total < sndbuf / 100);
	P("writable %d", is_writable(sv[0]));
	/* One read makes room, but not enough for poll(2) to say so. */
	taken += read(sv[1], buf, n);
	P("after one read: writable %d", is_writable(sv[0]));
	while (!is_writable(sv[0]) && taken < total)
		taken += read(sv[1], buf, n);
	P("writable when most has been read: %d, a quarter at most is left: %d", taken > total / 2,
	    outq(sv[0]) * 4 <= sndbuf);
	while (read(sv[1], buf, n) > 0)
		;
	P("all read: out %d", outq(sv[0]));
	/* A larger limit makes room at once. */
	sndbuf = 8192;
	setsockopt(sv[0], SOL_SOCKET, SO_SNDBUF, &sndbuf, sizeof sndbuf);
	total = fill(sv, n < 1000 ? n : 1000);
	sndbuf = 100000;
	setsockopt(sv[0], SOL_SOCKET, SO_SNDBUF, &sndbuf, sizeof sndbuf);
	P("writable %d", is_writable(sv[0]));
	/* What is thrown away is no longer on its way. */
	close(sv[1]);
	P("peer gone: out %d", outq(sv[0]));
	close(sv[0]);
}

/* A sender that waits is woken by a reader, whoever the reader's own peer is. */
static void
wakes(int type)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int from = socket(AF_UNIX, type, 0), to = from, sv[2] = { -1, -1 }, status;
	long total = 0, want;
	pid_t pid;

	if (type == SOCK_DGRAM) {
		to = socket(AF_UNIX, type, 0);
		strcpy(a.sun_path, "reader");
		S(bind, to, &a, sizeof a);
		S(connect, from, &a, sizeof a);
	} else {
		close(from);
		socketpair(AF_UNIX, type, 0, sv);
		from = sv[0];
		to = sv[1];
	}
	want = 100 * 16384;
	pid = fork();
	if (pid == 0) {
		for (int i = 0; i < 100; i++) {
			if (write(from, buf, 16384) != 16384)
				_exit(1);
		}
		_exit(0);
	}
	usleep(20000);
	while (total < want) {
		ssize_t n = read(to, buf, type == SOCK_STREAM ? 5000 : sizeof buf);

		if (n <= 0)
			break;
		total += n;
	}
	waitpid(pid, &status, 0);
	P("type %d: all came %d, sender %s", type, total == want, wst(status));
	close(from);
	close(to);
}

int
main(void)
{
	static const int types[] = { SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET };

	scratch();
	alarm(15);
	for (int i = 0; i < 3; i++) {
		room(types[i], 1);
		room(types[i], 4096);
		room(types[i], 16384);
		wakes(types[i]);
	}
	return 0;
}
