/* What a user may have of things that descriptors do not bound: inotify instances, files in messages. */
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
	struct rlimit rl = { (rlim_t)limit + 50, (rlim_t)limit + 350 };
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

int
main(void)
{
	if (geteuid() != 0)
		skip("needs to become somebody else");
	if (setgroups(0, NULL) != 0 || setresgid(NOBODY, NOBODY, NOBODY) != 0 || setresuid(NOBODY, NOBODY, NOBODY) != 0)
		skip("cannot become somebody else");
	instances();
	flights();
	return 0;
}
