/* poll(2) and epoll(7) on /proc/self/mounts and mountinfo: a change of mounts is told once to each open file. */
#include "guest.h"
#include <sys/epoll.h>
#include <sys/mount.h>

static char dir[] = "/tmp/mountsXXXXXX";

static const char *
asked(int fd, short events)
{
	struct pollfd p = { .fd = fd, .events = events };
	int n = poll(&p, 1, 0);

	return n < 0 ? "error" : n == 0 ? "nothing" : poll_bits((unsigned short)p.revents);
}

static void *
changes(void *arg)
{
	nap(50);
	if (mount("none", arg, "tmpfs", 0, NULL) != 0)
		die("mount");
	return NULL;
}

static void
look_at(const char *name)
{
	int fd = open(name, O_RDONLY), other = open(name, O_RDONLY), ep = epoll_create1(0);
	struct epoll_event ev = { .events = EPOLLPRI, .data.u32 = 7 }, got = { 0 };
	struct pollfd p = { .fd = fd, .events = POLLPRI };
	char buf[16384];
	pthread_t t;

	if (fd < 0 || other < 0 || ep < 0)
		die("%s", name);
	P("%s: at first %s", name, asked(fd, POLLIN | POLLPRI));
	T(mount("none", dir, "tmpfs", 0, NULL));
	P("mounted: %s", asked(fd, POLLPRI));
	P("asked again: %s", asked(fd, POLLPRI));
	P("the other: %s", asked(other, POLLIN | POLLPRI));
	P("asked again: %s", asked(other, POLLIN | POLLPRI));
	T(mount("none", dir, NULL, MS_REMOUNT | MS_BIND | MS_RDONLY, NULL));
	while (read(other, buf, sizeof buf) > 0)
		;
	P("remounted: %s", asked(fd, POLLPRI));
	P("read before: %s", asked(other, POLLPRI));
	T(umount(dir));
	close(open(name, O_RDONLY));
	P("unmounted: %s", asked(fd, 0));
	P("and the other: %s", asked(other, POLLPRI));

	T(epoll_ctl(ep, EPOLL_CTL_ADD, fd, &ev));
	T(epoll_wait(ep, &got, 1, 0));
	pthread_create(&t, NULL, changes, dir);
	T(epoll_wait(ep, &got, 1, 5000));
	pthread_join(t, NULL);
	P("events %#x of %u", got.events, got.data.u32);
	T(epoll_wait(ep, &got, 1, 0));
	umount(dir);
	asked(fd, POLLPRI);
	pthread_create(&t, NULL, changes, dir);
	T(poll(&p, 1, 5000));
	P("%s", poll_bits((unsigned short)p.revents));
	pthread_join(t, NULL);
	umount(dir);
	close(fd);
	close(other);
	close(ep);
}

int
main(void)
{
	struct epoll_event ev = { .events = EPOLLIN };
	int fd = open("/proc/self/status", O_RDONLY);

	/* Nobody else's mounts; a sandbox is one's own. */
	if (unshare(CLONE_NEWNS) == 0)
		mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL);
	if (!mkdtemp(dir))
		die("mkdtemp");
	look_at("/proc/self/mounts");
	look_at("/proc/self/mountinfo");
	look_at("/proc/thread-self/mounts");
	T(epoll_ctl(epoll_create1(0), EPOLL_CTL_ADD, fd, &ev));
	rmdir(dir);
	return 0;
}
