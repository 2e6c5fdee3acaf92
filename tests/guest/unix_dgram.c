/* AF_UNIX datagram and seqpacket sockets. */
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
	struct sockaddr_un a, b, from;
	socklen_t len;
	char buf[64];
	int s, c, d, sv[2], v;

	scratch();
	a = at("server");
	b = at("client");
	s = socket(AF_UNIX, SOCK_DGRAM, 0);
	c = socket(AF_UNIX, SOCK_DGRAM, 0);
	bind(s, (void *)&a, sizeof a);
	S(listen, s, 1);
	S(accept, s, NULL, NULL);
	S(sendto, c, "x", 1, 0, NULL, 0);
	S(write, c, "x", 1);
	S(sendto, c, "one", 3, 0, &a, sizeof a);
	len = sizeof from;
	S(recvfrom, s, buf, 64, 0, &from, &len);
	P("from length %d", len);
	bind(c, (void *)&b, sizeof b);
	S(sendto, c, "three", 5, 0, &a, sizeof a);
	S(sendto, c, "", 0, 0, &a, sizeof a);
	S(sendto, c, "four", 4, 0, &a, sizeof a);
	S(ioctl, s, FIONREAD, &v);
	P("%d", v);
	len = sizeof from;
	S(recvfrom, s, buf, 2, 0, &from, &len);
	P("from %s length %d: %s", from.sun_path, len, txt(buf, 2));
	S(recvfrom, s, buf, 64, 0, NULL, NULL);
	S(recvfrom, s, buf, 2, MSG_PEEK | MSG_TRUNC, NULL, NULL);
	S(recvfrom, s, buf, 2, MSG_TRUNC, NULL, NULL);
	S(recvfrom, s, buf, 2, MSG_DONTWAIT, NULL, NULL);
	struct iovec iov = { buf, 2 };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1 };
	sendto(c, "12345", 5, 0, (void *)&a, sizeof a);
	S(recvmsg, s, &m, 0);
	P("flags %#x", m.msg_flags);
	/* connected */
	S(connect, c, &a, sizeof a);
	S(write, c, "conn", 4);
	S(read, s, buf, 64);
	d = socket(AF_UNIX, SOCK_DGRAM, 0);
	S(connect, s, &b, sizeof b);
	S(sendto, d, "x", 1, 0, &a, sizeof a);
	close(c);
	S(write, s, "x", 1);
	unlink("client");
	S(connect, s, &b, sizeof b);
	struct sockaddr unspec = { .sa_family = AF_UNSPEC };
	S(connect, s, &unspec, sizeof unspec);
	S(sendto, d, "x", 1, 0, &a, sizeof a);
	S(sendto, d, "x", 1, 0, &b, sizeof b);
	c = socket(AF_UNIX, SOCK_STREAM, 0);
	S(connect, c, &a, sizeof a);
	close(s);
	S(sendto, d, "x", 1, 0, &a, sizeof a);
	/* full queue and too large */
	socketpair(AF_UNIX, SOCK_DGRAM, 0, sv);
	static char big[1 << 20];
	fcntl(sv[0], F_SETFL, O_NONBLOCK);
	S(write, sv[0], big, sizeof big);
	long r;
	int n = 0;
	while ((r = write(sv[0], big, 100)) == 100)
		n++;
	P("queue filled after %s: %s", n > 5 && n < 10000 ? "some" : "?", err_name(errno));
	S(read, sv[1], big, 1000);
	struct pollfd pf = { sv[1], POLLIN, 0 };
	S(poll, &pf, 1, 0);
	close(sv[0]);
	while (recv(sv[1], big, 100, MSG_DONTWAIT) == 100)
		;
	S(recvfrom, sv[1], big, 1, MSG_DONTWAIT, NULL, NULL);
	S(write, sv[1], "x", 1);
	/* sequenced packets */
	socketpair(AF_UNIX, SOCK_SEQPACKET, 0, sv);
	S(write, sv[0], "first", 5);
	S(write, sv[0], "second", 6);
	S(write, sv[0], "", 0);
	S(read, sv[1], buf, 3);
	S(read, sv[1], buf, 64);
	S(read, sv[1], buf, 64);
	S(sendto, sv[0], "x", 1, MSG_EOR, NULL, 0);
	m.msg_flags = 0;
	S(recvmsg, sv[1], &m, 0);
	P("flags %#x", m.msg_flags);
	close(sv[0]);
	S(read, sv[1], buf, 64);
	S(sendto, sv[1], "x", 1, MSG_NOSIGNAL, NULL, 0);
	s = socket(AF_UNIX, SOCK_SEQPACKET, 0);
	a = at("seq");
	S(bind, s, &a, sizeof a);
	S(listen, s, 5);
	c = socket(AF_UNIX, SOCK_SEQPACKET, 0);
	S(connect, c, &a, sizeof a);
	d = accept(s, NULL, NULL);
	S(write, c, "packet", 6);
	S(read, d, buf, 64);
	c = socket(AF_UNIX, SOCK_STREAM, 0);
	S(connect, c, &a, sizeof a);
	/* several at once */
	socketpair(AF_UNIX, SOCK_DGRAM, 0, sv);
	struct iovec iv[2] = { { "aa", 2 }, { "bbb", 3 } }, ov[2] = { { buf, 8 }, { buf + 8, 8 } };
	struct mmsghdr out[2] = { { .msg_hdr = { .msg_iov = &iv[0], .msg_iovlen = 1 } }, { .msg_hdr = { .msg_iov = &iv[1], .msg_iovlen = 1 } } };
	struct mmsghdr in[2] = { { .msg_hdr = { .msg_iov = &ov[0], .msg_iovlen = 1 } }, { .msg_hdr = { .msg_iov = &ov[1], .msg_iovlen = 1 } } };
	S(sendmmsg, sv[0], out, 2, 0);
	P("%d %d", out[0].msg_len, out[1].msg_len);
	S(recvmmsg, sv[1], in, 2, 0, NULL);
	P("%d %d %s", in[0].msg_len, in[1].msg_len, txt(buf + 8, 3));
	S(recvmmsg, sv[1], in, 2, MSG_DONTWAIT, NULL);
	return 0;
}
