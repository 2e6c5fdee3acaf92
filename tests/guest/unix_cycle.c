/* Sockets that are on their way in each other's queues: those that nobody can reach go, the others stay. */
#include "guest.h"

static void
pair(int type, int s[2])
{
	if (socketpair(AF_UNIX, type, 0, s) != 0)
		die("socketpair");
}

static void
send_fds(int to, char c, int n, const int *fds)
{
	union { struct cmsghdr h; char buf[CMSG_SPACE(8 * sizeof(int))]; } ctl;
	struct iovec iov = { &c, 1 };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = ctl.buf,
	    .msg_controllen = CMSG_SPACE((size_t)n * sizeof(int)) };

	memset(&ctl, 0, sizeof ctl);
	ctl.h.cmsg_level = SOL_SOCKET;
	ctl.h.cmsg_type = SCM_RIGHTS;
	ctl.h.cmsg_len = CMSG_LEN((size_t)n * sizeof(int));
	memcpy(CMSG_DATA(&ctl.h), fds, (size_t)n * sizeof(int));
	if (sendmsg(to, &m, 0) != 1)
		die("sendmsg");
}

/* The number of descriptors, and the byte. */
static int
recv_fds(int from, char *c, int *fds, int flags)
{
	union { struct cmsghdr h; char buf[CMSG_SPACE(8 * sizeof(int))]; } ctl;
	struct iovec iov = { c, 1 };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = ctl.buf, .msg_controllen = sizeof ctl.buf };
	int n = 0;

	if (recvmsg(from, &m, flags) != 1)
		return -1;
	if (CMSG_FIRSTHDR(&m) != NULL && ctl.h.cmsg_type == SCM_RIGHTS) {
		n = (int)((ctl.h.cmsg_len - CMSG_LEN(0)) / sizeof(int));
		memcpy(fds, CMSG_DATA(&ctl.h), (size_t)n * sizeof(int));
	}
	return n;
}

/* Whoever cleans up does so when some socket is closed. */
static void
nudge(void)
{
	int s[2];

	pair(SOCK_STREAM, s);
	close(s[0]);
	close(s[1]);
}

/* A pipe's writing end went into the cycle: the reading end tells whether it is still there. */
static void
verdict(const char *what, int rd, int wait_ms)
{
	struct pollfd p = { .fd = rd, .events = POLLIN };
	int n = 0;

	for (int i = 0; i < wait_ms / 10 && n == 0; i++) {
		nudge();
		n = poll(&p, 1, 10);
	}
	P("%s: %s", what, n == 0 ? "alive" : p.revents & POLLHUP ? "gone" : "?");
}

static void
cycle_of_pairs(const char *what, int type)
{
	int s[2], p[2];

	if (pipe(p) != 0)
		die("pipe");
	pair(type, s);
	send_fds(s[0], 'a', 2, (int[]){ s[0], p[1] });
	send_fds(s[1], 'b', 1, (int[]){ s[1] });
	close(s[0]);
	close(p[1]);
	verdict(what, p[0], 30);
	close(s[1]);
	verdict(what, p[0], 5000);
	close(p[0]);
}

/* A chain that ends in a ring, hung from a socket that is kept. */
static void
ring_below(void)
{
	int top[2], a[2], b[2], p[2], fds[8], n;
	char c;

	if (pipe(p) != 0)
		die("pipe");
	pair(SOCK_STREAM, top);
	pair(SOCK_DGRAM, a);
	pair(SOCK_SEQPACKET, b);
	send_fds(a[0], '1', 2, (int[]){ b[1], p[1] });		/* in a[1]: b[1] */
	send_fds(b[0], '2', 1, (int[]){ a[1] });		/* in b[1]: a[1] */
	send_fds(top[0], '3', 1, (int[]){ a[1] });		/* in top[1]: a[1] */
	for (int i = 0; i < 2; i++) {
		close(a[i]);
		close(b[i]);
	}
	close(p[1]);
	verdict("a ring below a socket that is kept", p[0], 30);
	n = recv_fds(top[1], &c, fds, MSG_PEEK);
	P("peeked: %d %c", n, n < 0 ? '-' : c);
	if (n == 1) {
		int in[8], k = recv_fds(fds[0], &c, in, 0);

		P("by way of it: %d %c", k, k < 0 ? '-' : c);
		for (int i = 0; i < k; i++)
			close(in[i]);
		close(fds[0]);
	}
	verdict("the pipe was received and closed", p[0], 5000);
	close(top[0]);
	close(top[1]);
	close(p[0]);
}

/* The listener lies in the queue of a connection that it has not accepted. */
static void
embryo(void)
{
	struct sockaddr_un { sa_family_t family; char path[108]; } a = { AF_UNIX, "l" };
	int l = socket(AF_UNIX, SOCK_STREAM, 0), c = socket(AF_UNIX, SOCK_STREAM, 0), p[2];

	if (pipe(p) != 0 || bind(l, (void *)&a, sizeof a) != 0 || listen(l, 5) != 0 || connect(c, (void *)&a, sizeof a) != 0)
		die("listener");
	send_fds(c, 'e', 2, (int[]){ l, p[1] });
	close(p[1]);
	close(l);
	verdict("a listener in its own backlog, the client is there", p[0], 30);
	close(c);
	verdict("a listener in its own backlog", p[0], 5000);
	close(p[0]);
}

/* Many rings, and as many chains that are kept: these stay whole. */
static void
many(void)
{
	int keep[2], at, depth = 0, fds[8], n;
	char c;

	pair(SOCK_STREAM, keep);
	at = keep[0];
	for (int i = 0; i < 60; i++) {
		int s[2], ring[2];

		pair(SOCK_STREAM, s);
		send_fds(at, (char)('A' + i % 26), 1, (int[]){ s[1] });
		if (at != keep[0])
			close(at);
		at = s[0];
		close(s[1]);
		for (int k = 0; k < 5; k++) {
			pair(SOCK_SEQPACKET, ring);
			send_fds(ring[0], 'r', 1, (int[]){ ring[0] });
			send_fds(ring[1], 'r', 1, (int[]){ ring[1] });
			close(ring[0]);
			close(ring[1]);
		}
	}
	close(at);
	nudge();
	at = keep[1];
	while ((n = recv_fds(at, &c, fds, 0)) == 1 && c == 'A' + depth % 26) {
		if (at != keep[1])
			close(at);
		at = fds[0];
		depth++;
	}
	P("a chain of %d, then %d", depth, n);
}

int
main(void)
{
	scratch();
	cycle_of_pairs("stream", SOCK_STREAM);
	cycle_of_pairs("datagram", SOCK_DGRAM);
	cycle_of_pairs("seqpacket", SOCK_SEQPACKET);
	ring_below();
	embryo();
	many();
	return 0;
}
