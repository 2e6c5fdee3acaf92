/* What a user may have of things that descriptors do not bound: inotify instances, room in pipes, files in messages. */
#include "guest.h"
#include <sys/inotify.h>

#define NOBODY	54321	/* who has nothing of all that on any host */

static void
pair(int s[2])
{
	if (socketpair(AF_UNIX, SOCK_STREAM, 0, s) != 0)
		die("socketpair");
}

static long
send_fds(int to, int fd, int n)
{
	union { struct cmsghdr h; char buf[CMSG_SPACE(200 * sizeof(int))]; } ctl;
	struct iovec iov = { "x", 1 };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = ctl.buf,
	    .msg_controllen = CMSG_SPACE((size_t)n * sizeof(int)) };

	memset(&ctl, 0, sizeof ctl);
	ctl.h.cmsg_level = SOL_SOCKET;
	ctl.h.cmsg_type = SCM_RIGHTS;
	ctl.h.cmsg_len = CMSG_LEN((size_t)n * sizeof(int));
	for (int i = 0; i < n; i++)
		((int *)CMSG_DATA(&ctl.h))[i] = fd;
	return Q(sendmsg, to, &m, MSG_DONTWAIT);
}

static void
instances(void)
{
	int limit = atoi(cat("/proc/sys/fs/inotify/max_user_instances")), n = 0, copy;
	struct rlimit rl = { (rlim_t)limit + 350, (rlim_t)limit + 350 };
	int *fds = calloc((size_t)limit + 1, sizeof *fds);

	if (setrlimit(RLIMIT_NOFILE, &rl) != 0)
		skip("too many instances for the descriptors there are");
	while (n <= limit && (fds[n] = inotify_init()) >= 0)
		n++;
	P("as many as /proc says: %d, then %s", n == limit, n <= limit ? err_name(errno) : "no end");
	close(fds[--n]);
	P("one closed: %s", ok(fds[n++] = inotify_init()));
	P("and %s", ok(Q(inotify_init1, 0)));
	/* a copy is no instance, and keeps the one it is of */
	copy = dup(fds[0]);
	close(fds[0]);
	P("%s", ok(Q(inotify_init1, 0)));
	close(copy);
	P("%s", ok(fds[0] = (int)Q(inotify_init1, 0)));
	/* a child's are its user's */
	P("child: %s", wst(CHILD(
		P("%s", ok(Q(inotify_init1, 0)));
		close(fds[1]);
		P("%s", ok(Q(inotify_init1, 0)));
	)));
	while (n > 0)
		close(fds[--n]);
	free(fds);
}

static void
flights(void)
{
	struct rlimit rl = { 300, 300 };
	int a[2], b[2], p[2], got;
	char c;

	setrlimit(RLIMIT_NOFILE, &rl);
	pair(a);
	pair(b);
	pipe(p);
	P("%ld", send_fds(a[0], p[0], 200));
	P("%ld", send_fds(a[0], p[0], 100));
	P("%ld", send_fds(a[0], p[0], 1));
	P("%s", res(send_fds(a[0], p[0], 1)));
	P("%s", res(send_fds(b[0], b[1], 1)));
	P("without files %s", res(Q(write, b[0], "x", 1)));
	P("child: %s", wst(CHILD(P("%s", res(send_fds(b[0], b[1], 1))))));
	/* received, or lost with its queue */
	P("%s", res(Q(read, a[1], &c, 1)));
	P("%s", res(send_fds(a[0], p[0], 100)));
	P("%s", res(send_fds(a[0], p[0], 150)));
	P("%s", res(send_fds(a[0], p[0], 1)));
	close(a[1]);
	P("%s", res(send_fds(b[0], p[0], 1)));
	/* a peek leaves what it looks at */
	P("%s", res(send_fds(b[0], p[0], 200)));
	P("%s", res(send_fds(b[0], p[0], 100)));
	got = (int)Q(recvfrom, b[1], &c, 1, MSG_PEEK, NULL, NULL);
	P("%d, %s", got, res(send_fds(b[0], p[0], 1)));
}

static void
pipes(void)
{
	int most = atoi(cat("/proc/sys/fs/pipe-user-pages-soft")), size = 1 << 20, p[200][2], n = 0;
	long r = 0;

	if (most != 16384 || atoi(cat("/proc/sys/fs/pipe-user-pages-hard")) != 0) {
		P("skip: other limits of pipes here");
		return;
	}
	while (n < 100 && pipe(p[n]) == 0 && (r = Q(fcntl, p[n][1], F_SETPIPE_SZ, size)) == size)
		n++;
	P("%d large, then %s", n, res(r));
	P("%s", res(Q(fcntl, p[n][1], F_GETPIPE_SZ)));
	while (r < 0 && size > 4096)
		r = Q(fcntl, p[n][1], F_SETPIPE_SZ, size /= 2);
	P("%s of %d", res(r), size);
	/* what is left is small, and stays so */
	n++;
	for (int i = 0; i < 20; i++) {
		if (pipe(p[n + i]) != 0)
			die("pipe");
		P("%ld", Q(fcntl, p[n + i][1], F_GETPIPE_SZ));
	}
	P("%s", res(Q(fcntl, p[n][1], F_SETPIPE_SZ, 8192)));
	P("%s", res(Q(fcntl, p[n][1], F_SETPIPE_SZ, 4096)));
	P("%s", res(Q(fcntl, p[n][1], F_SETPIPE_SZ, 1 << 20)));
	/* room that is given back, and a pipe that goes */
	P("%s", res(Q(fcntl, p[0][1], F_SETPIPE_SZ, 4096)));
	P("%s", res(Q(fcntl, p[n][1], F_SETPIPE_SZ, 1 << 19)));
	close(p[1][0]);
	close(p[1][1]);
	P("%s", res(Q(fcntl, p[n + 1][1], F_SETPIPE_SZ, 1 << 20)));
	for (int i = 2; i < n + 20; i++) {
		close(p[i][0]);
		close(p[i][1]);
	}
}

int
main(void)
{
	if (geteuid() != 0)
		skip("needs to become somebody else");
	if (setgroups(0, NULL) != 0 || setresgid(NOBODY, NOBODY, NOBODY) != 0 || setresuid(NOBODY, NOBODY, NOBODY) != 0)
		skip("cannot become somebody else");
	instances();
	pipes();
	flights();
	return 0;
}
