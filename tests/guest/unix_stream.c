/* AF_UNIX stream sockets: bind, listen, connect, accept, errors, ends. */
#include "guest.h"
#include <sys/un.h>

static struct sockaddr_un
at(const char *path)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };

	strcpy(a.sun_path, path);
	return a;
}

int
main(void)
{
	struct sockaddr_un a, b;
	socklen_t len;
	int l, c, s, sv[2], v;
	char buf[64];
	pid_t pid;

	scratch();
	S(socket, AF_UNIX, 99, 0);
	S(socket, AF_UNIX, SOCK_STREAM, 5);
	S(socket, 99, SOCK_STREAM, 0);
	S(socket, AF_UNIX, SOCK_STREAM | 0x100, 0);
	OK(socket, AF_UNIX, SOCK_STREAM, 1);
	l = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	S(fcntl, l, F_GETFD);
	S(listen, l, 1);
	S(accept, l, NULL, NULL);
	a = at("sock");
	S(connect, l, &a, sizeof a);
	S(bind, l, &a, 1);
	S(bind, l, &a, sizeof a + 1);
	S(bind, l, BAD, sizeof a);
	a.sun_family = AF_INET;
	S(bind, l, &a, sizeof a);
	a = at("none/sock");
	S(bind, l, &a, sizeof a);
	a = at("sock");
	S(bind, l, &a, sizeof a);
	P("%s", look("sock"));
	S(bind, l, &a, sizeof a);
	s = socket(AF_UNIX, SOCK_STREAM, 0);
	S(bind, s, &a, sizeof a);
	c = socket(AF_UNIX, SOCK_STREAM, 0);
	S(connect, c, &a, sizeof a);
	S(listen, l, 1);
	put("file", "");
	b = at("file");
	S(connect, c, &b, sizeof b);
	b = at("missing");
	S(connect, c, &b, sizeof b);
	S(open, "sock", O_RDWR);
	S(connect, c, &a, sizeof a);
	S(connect, c, &a, sizeof a);
	len = sizeof b;
	s = OK(accept4, l, &b, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
	P("peer of the server: family %d length %d", b.sun_family, len);
	S(fcntl, s, F_GETFD);
	P("non-blocking %s", fcntl(s, F_GETFL) & O_NONBLOCK ? "yes" : "no");
	len = sizeof b;
	S(getpeername, c, &b, &len);
	P("peer of the client: %s length %d", b.sun_path, len);
	len = sizeof b;
	S(getsockname, c, &b, &len);
	P("length %d", len);
	len = 4;
	S(getsockname, s, &b, &len);
	P("length %d", len);
	len = -1;
	S(getsockname, s, &b, &len);
	S(getpeername, l, &b, &len);
	S(accept4, l, NULL, NULL, 0x100);
	fcntl(l, F_SETFL, O_NONBLOCK);
	S(accept, l, NULL, NULL);
	S(accept, c, NULL, NULL);
	/* the stream */
	S(write, c, "hello world", 11);
	S(recvfrom, s, buf, 5, MSG_PEEK, NULL, NULL);
	S(read, s, buf, 6);
	P("%s", txt(buf, 6));
	S(ioctl, s, FIONREAD, &v);
	P("%d", v);
	S(recvfrom, s, buf, 64, MSG_DONTWAIT, NULL, NULL);
	S(recvfrom, s, buf, 64, MSG_DONTWAIT, NULL, NULL);
	S(sendto, c, "x", 1, 0, &a, sizeof a);
	S(sendto, c, "oob", 3, 0x40000000, NULL, 0);
	S(shutdown, c, 9);
	S(shutdown, l, SHUT_RD);
	S(shutdown, c, SHUT_WR);
	S(sendto, c, "x", 1, MSG_NOSIGNAL, NULL, 0);
	P("SIGPIPE: %s", wst(CHILD(write(c, "x", 1))));
	read(s, buf, 64);
	S(read, s, buf, 64);
	S(write, s, "back", 4);
	S(read, c, buf, 64);
	close(s);
	S(read, c, buf, 64);
	S(getpeername, c, &b, &len);
	close(c);
	close(l);
	c = socket(AF_UNIX, SOCK_STREAM, 0);
	S(connect, c, &a, sizeof a);
	/* unread data at close: the peer sees a reset */
	socketpair(AF_UNIX, SOCK_STREAM, 0, sv);
	write(sv[0], "unread", 6);
	write(sv[1], "kept", 4);
	close(sv[1]);
	S(read, sv[0], buf, 2);
	S(read, sv[0], buf, 64);
	S(read, sv[0], buf, 64);
	signal(SIGPIPE, SIG_IGN);
	S(write, sv[0], "x", 1);
	/* the abstract namespace */
	l = socket(AF_UNIX, SOCK_STREAM, 0);
	memset(&a, 0, sizeof a);
	a.sun_family = AF_UNIX;
	snprintf(a.sun_path + 1, 64, "guest-test-%d", getpid());
	len = offsetof(struct sockaddr_un, sun_path) + 1 + strlen(a.sun_path + 1);
	S(bind, l, &a, len);
	S(listen, l, 0);
	c = socket(AF_UNIX, SOCK_STREAM, 0);
	S(connect, c, &a, len - 1);
	S(connect, c, &a, len + 1);
	S(connect, c, &a, len);
	/* autobind */
	s = socket(AF_UNIX, SOCK_STREAM, 0);
	S(bind, s, &a, 2);
	len = sizeof b;
	getsockname(s, (struct sockaddr *)&b, &len);
	P("autobound: length %d first %d", len, b.sun_path[0]);
	/* a full backlog: waits, or says so */
	fcntl(c, F_SETFL, O_NONBLOCK);
	int n = 0, k;
	long r;
	for (;;) {
		k = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
		len = offsetof(struct sockaddr_un, sun_path) + 1 + strlen(a.sun_path + 1);
		r = Q(connect, k, &a, len);
		if (r < 0 || n++ > 10)
			break;
	}
	P("backlog of 0: %d more, then %s", n, res(r));
	k = socket(AF_UNIX, SOCK_STREAM, 0);
	pid = START(P("waiting connect: %s", res(Q(connect, k, &a, len))));
	await_sleep(pid);
	P("accept");
	accept(l, NULL, NULL);
	P("%s", reap(pid));
	pid = START(close(l); k = socket(AF_UNIX, SOCK_STREAM, 0); P("waiting connect: %s", res(Q(connect, k, &a, len))));
	await_sleep(pid);
	P("close the listener");
	close(l);
	P("%s", reap(pid));
	return 0;
}
