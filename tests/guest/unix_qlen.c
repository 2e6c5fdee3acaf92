/* How many datagrams may wait in a queue, whoever sent them, and who learns that there is room again. */
#include "guest.h"
#include <sys/epoll.h>
#include <sys/un.h>

static struct sockaddr_un addr = { .sun_family = AF_UNIX, .sun_path = "server" };
static int limit;

static int
client(bool connected)
{
	int c = socket(AF_UNIX, SOCK_DGRAM, 0);

	if (c < 0 || (connected && connect(c, (void *)&addr, sizeof addr) != 0))
		die("client");
	return c;
}

static long
send_to(int c)
{
	return Q(sendto, c, "x", 1, MSG_DONTWAIT, &addr, sizeof addr);
}

/* One more than the limit, from sockets that are gone afterwards. */
static int
fill(void)
{
	int n = 0;
	long r;

	do {
		int c = client(false);

		r = send_to(c);
		n += r == 1;
		close(c);
	} while (r == 1 && n < limit + 5);
	P("%s: %s", n == limit + 1 ? "as many as the limit and one" : "another number", res(r));
	return n;
}

static void
drain(int s)
{
	char c;
	long n = 0, r;

	while ((r = Q(recvfrom, s, &c, 1, MSG_DONTWAIT, NULL, NULL)) == 1)
		n++;
	P("%s waited, then %s", n > limit ? "more than the limit" : "no more than the limit", res(r));
}

static const char *
ready(int fd)
{
	struct pollfd p = { fd, POLLOUT, 0 };

	poll(&p, 1, 0);
	return poll_bits(p.revents);
}

int
main(void)
{
	struct epoll_event ev = { .events = EPOLLOUT | EPOLLET }, got;
	int s, c, d, ep, n;
	pid_t pid;
	char b;

	limit = atoi(cat("/proc/sys/net/unix/max_dgram_qlen"));
	scratch();
	s = socket(AF_UNIX, SOCK_DGRAM, 0);
	if (bind(s, (void *)&addr, sizeof addr) != 0)
		die("bind");
	fill();
	c = client(true);
	d = client(false);
	P("connected %s, other %s", ready(c), ready(d));
	S(read, s, &b, 1);
	P("connected %s", ready(c));
	P("%s", res(Q(sendto, c, "x", 1, MSG_DONTWAIT, NULL, 0)));
	P("connected %s", ready(c));
	P("%s %s", res(Q(sendto, c, "x", 1, MSG_DONTWAIT, NULL, 0)), res(send_to(d)));
	/* the queue's edge */
	ep = epoll_create1(0);
	epoll_ctl(ep, EPOLL_CTL_ADD, c, &ev);
	S(epoll_wait, ep, &got, 1, 0);
	S(read, s, &b, 1);
	S(epoll_wait, ep, &got, 1, 1000);
	S(epoll_wait, ep, &got, 1, 0);
	drain(s);
	/* a write that waits goes on when one is read, not before */
	n = fill();
	pid = START(
		P("child wrote %s", res(Q(write, c, "w", 1)));
		P("child sent %s", res(Q(sendto, d, "w", 1, 0, &addr, sizeof addr)));
	);
	await_sleep(pid);
	Q(read, s, &b, 1);
	nap(30);
	Q(read, s, &b, 1);
	P("%s", reap(pid));
	drain(s);
	/* or when the receiver is gone */
	fill();
	pid = START(
		close(s);
		P("child wrote %s", res(Q(write, c, "w", 1)));
	);
	await_sleep(pid);
	close(s);
	P("%s", reap(pid));
	/* one that talks back has no limit but its buffer */
	unlink("server");
	s = socket(AF_UNIX, SOCK_DGRAM, 0);
	bind(s, (void *)&addr, sizeof addr);
	c = client(true);
	struct sockaddr_un self = { .sun_family = AF_UNIX, .sun_path = "client" };
	bind(c, (void *)&self, sizeof self);
	S(connect, s, &self, sizeof self);
	for (n = 0; n < limit + 5; n++)
		if (Q(sendto, c, "x", 1, MSG_DONTWAIT, NULL, 0) != 1)
			break;
	P("%s", n == limit + 5 ? "all" : "not all");
	drain(s);
	return 0;
}
