/* Descriptors and credentials over sockets; options. */
#include "guest.h"
#include <sys/un.h>

struct ucred_ { pid_t pid; uid_t uid; gid_t gid; };

static char data[64];

static long
send_fds(int s, int *fds, int n, int flags)
{
	char c[CMSG_SPACE(260 * sizeof(int))];
	struct iovec iov = { "d", 1 };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = c, .msg_controllen = CMSG_SPACE(n * sizeof(int)) };
	struct cmsghdr *h = (void *)c;

	memset(c, 0, sizeof c);
	*h = (struct cmsghdr){ CMSG_LEN(n * sizeof(int)), SOL_SOCKET, SCM_RIGHTS };
	memcpy(CMSG_DATA(h), fds, n * sizeof(int));
	return Q(sendmsg, s, &m, flags);
}

/* Receives and tells what came with it; the descriptors are put into fds. */
static int
receive(int s, size_t room, int flags, int *fds)
{
	char c[1200];
	struct iovec iov = { data, sizeof data };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = c, .msg_controllen = room };
	long r = Q(recvmsg, s, &m, flags);
	int n = 0;

	P("received %s flags %#x control %zu", res(r), m.msg_flags, r < 0 ? 0 : m.msg_controllen);
	if (r < 0)
		return 0;
	for (struct cmsghdr *h = CMSG_FIRSTHDR(&m); h; h = CMSG_NXTHDR(&m, h)) {
		if (h->cmsg_type == SCM_RIGHTS) {
			n = (h->cmsg_len - CMSG_LEN(0)) / sizeof(int);
			memcpy(fds, CMSG_DATA(h), n * sizeof(int));
			P("  %d descriptors", n);
		} else if (h->cmsg_type == SCM_CREDENTIALS) {
			struct ucred_ u;

			memcpy(&u, CMSG_DATA(h), sizeof u);
			P("  pid %s uid %d gid %d", u.pid == getpid() ? "self" : u.pid == 0 ? "0" : "other", u.uid, u.gid);
		} else {
			P("  type %d", h->cmsg_type);
		}
	}
	return n;
}

static long
send_cred(int s, pid_t pid, uid_t uid, gid_t gid)
{
	char c[CMSG_SPACE(sizeof(struct ucred_))] = { 0 };
	struct iovec iov = { "c", 1 };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = c, .msg_controllen = sizeof c };
	struct cmsghdr *h = (void *)c;
	struct ucred_ u = { pid, uid, gid };

	*h = (struct cmsghdr){ CMSG_LEN(sizeof u), SOL_SOCKET, SCM_CREDENTIALS };
	memcpy(CMSG_DATA(h), &u, sizeof u);
	return Q(sendmsg, s, &m, 0);
}

int
main(void)
{
	int sv[2], fds[260], p[2], n, v, many[260];
	struct ucred_ u;
	struct timeval tv;
	socklen_t len;
	char buf[16];

	scratch();
	socketpair(AF_UNIX, SOCK_STREAM, 0, sv);
	pipe(p);
	P("send %s", res(send_fds(sv[0], p, 2, 0)));
	n = receive(sv[1], 1000, 0, fds);
	P("same pipe: %s", n == 2 && write(fds[1], "through", 7) == 7 && read(p[0], buf, 16) == 7 ? "yes" : "no");
	P("cloexec %s", res(Q(fcntl, fds[0], F_GETFD)));
	close(fds[0]);
	close(fds[1]);
	send_fds(sv[0], p, 1, 0);
	n = receive(sv[1], 1000, MSG_CMSG_CLOEXEC, fds);
	P("cloexec %s", res(Q(fcntl, fds[0], F_GETFD)));
	close(fds[0]);
	send_fds(sv[0], p, 2, 0);
	P("no room");
	receive(sv[1], 0, 0, fds);
	send_fds(sv[0], p, 2, 0);
	P("room for one");
	n = receive(sv[1], CMSG_LEN(sizeof(int)), 0, fds);
	if (n > 0)
		close(fds[0]);
	send_fds(sv[0], p, 1, 0);
	P("lost by a plain read: %s", res(read(sv[1], buf, 16)));
	P("bad descriptor %s", res(send_fds(sv[0], (int[]){ 200 }, 1, 0)));
	for (int i = 0; i < 260; i++)
		many[i] = p[0];
	P("253 %s", res(send_fds(sv[0], many, 253, 0)));
	n = receive(sv[1], 1200, 0, fds);
	for (int i = 0; i < n; i++)
		close(fds[i]);
	P("254 %s", res(send_fds(sv[0], many, 254, 0)));
	/* descriptors separate what a read takes; peeking copies them */
	write(sv[0], "ab", 2);
	send_fds(sv[0], p, 1, 0);
	write(sv[0], "cd", 2);
	n = receive(sv[1], 1000, 0, fds);
	close(fds[0]);
	n = receive(sv[1], 1000, 0, fds);
	send_fds(sv[0], p, 1, 0);
	n = receive(sv[1], 1000, MSG_PEEK, fds);
	P("peeked %d", n);
	close(fds[0]);
	n = receive(sv[1], 1000, 0, fds);
	P("then %d", n);
	close(fds[0]);
	/* a file described only by a message in flight stays alive */
	put("f", "content");
	int f = open("f", O_RDONLY);
	send_fds(sv[0], &f, 1, 0);
	close(f);
	unlink("f");
	n = receive(sv[1], 1000, 0, fds);
	P("%s", n == 1 && read(fds[0], buf, 16) == 7 ? txt(buf, 7) : "lost");
	/* a socket sent over itself */
	P("itself %s", res(send_fds(sv[0], sv, 2, 0)));
	P("other process: %s", wst(CHILD(
		n = receive(sv[1], 1000, 0, fds);
		write(fds[0], "from child", 10);
	)));
	S(read, sv[1], buf, 10);
	P("%s", txt(buf, 10));
	/* credentials */
	len = sizeof u;
	S(getsockopt, sv[0], SOL_SOCKET, SO_PEERCRED, &u, &len);
	P("peer pid %s uid %d gid %d len %d", u.pid == getpid() ? "self" : "?", u.uid, u.gid, len);
	v = 1;
	S(setsockopt, sv[1], SOL_SOCKET, SO_PASSCRED, &v, sizeof v);
	write(sv[0], "x", 1);
	receive(sv[1], 1000, 0, fds);
	P("own %s", res(send_cred(sv[0], getpid(), 0, 0)));
	receive(sv[1], 1000, 0, fds);
	P("root may forge the uid %s", res(send_cred(sv[0], getpid(), 77, 78)));
	receive(sv[1], 1000, 0, fds);
	P("no such pid %s", res(send_cred(sv[0], 0x7fffffff, 0, 0)));
	P("unprivileged: %s", wst(CHILD(
		setgid(600);
		setuid(600);
		P("own %s", res(send_cred(sv[0], getpid(), 600, 600)));
		P("forged uid %s", res(send_cred(sv[0], getpid(), 0, 600)));
		P("forged pid %s", res(send_cred(sv[0], getppid(), 600, 600)));
	)));
	receive(sv[1], 1000, 0, fds);
	/* options */
	struct { int o; const char *n; } opt[] = { { SO_TYPE, "TYPE" }, { SO_DOMAIN, "DOMAIN" }, { SO_PROTOCOL, "PROTOCOL" }, { SO_ERROR, "ERROR" },
		{ SO_ACCEPTCONN, "ACCEPTCONN" }, { SO_PASSCRED, "PASSCRED" }, { SO_REUSEADDR, "REUSEADDR" }, { SO_KEEPALIVE, "KEEPALIVE" } };
	for (size_t i = 0; i < N_OF(opt); i++) {
		len = sizeof v;
		v = -1;
		long r = Q(getsockopt, sv[1], SOL_SOCKET, opt[i].o, &v, &len);
		P("%s: %s %d len %d", opt[i].n, res(r), v, len);
	}
	len = sizeof v;
	S(getsockopt, sv[0], SOL_SOCKET, 9999, &v, &len);
	S(getsockopt, sv[0], 6, 1, &v, &len);
	S(setsockopt, sv[0], SOL_SOCKET, 9999, &v, 4);
	S(setsockopt, sv[0], SOL_SOCKET, SO_PASSCRED, &v, 1);
	S(setsockopt, sv[0], SOL_SOCKET, SO_TYPE, &v, 4);
	S(getsockopt, p[0], SOL_SOCKET, SO_TYPE, &v, &len);
	len = 1;
	S(getsockopt, sv[0], SOL_SOCKET, SO_TYPE, &v, &len);
	P("len %d", len);
	len = -1;
	S(getsockopt, sv[0], SOL_SOCKET, SO_TYPE, &v, &len);
	v = 10000;
	S(setsockopt, sv[0], SOL_SOCKET, SO_SNDBUF, &v, 4);
	len = sizeof v;
	getsockopt(sv[0], SOL_SOCKET, SO_SNDBUF, &v, &len);
	P("sndbuf %d", v);
	/* timeouts */
	tv = (struct timeval){ 0, 40000 };	/* a whole number of ticks everywhere */
	S(setsockopt, sv[1], SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof tv);
	int64_t t = now_ns();
	S(read, sv[1], buf, 1);
	P("%s", took(t, 40));
	len = sizeof tv;
	S(getsockopt, sv[1], SOL_SOCKET, SO_RCVTIMEO, &tv, &len);
	P("%ld.%06ld", (long)tv.tv_sec, (long)tv.tv_usec);
	tv.tv_usec = 1000000;
	S(setsockopt, sv[1], SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof tv);
	S(ioctl, sv[0], TIOCOUTQ, &v);
	return 0;
}
