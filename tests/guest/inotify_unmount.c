/*
 * Watches on a filesystem that is unmounted: they do not keep it, and hear of it once the last mount is gone.  And a queue
 * that is full.
 */
#include "guest.h"
#include <sys/inotify.h>
#include <sys/mount.h>

static char dir[] = "/tmp/unmountXXXXXX", at[64];
static int in;

static const char *
in_dir(const char *name)
{
	snprintf(at, sizeof at, "%s/%s", dir, name);
	return at;
}

static void
drain(const char *what)
{
	char buf[4096] __attribute__((aligned(8)));
	long n;

	P("%s:", what);
	while ((n = Q(read, in, buf, sizeof buf)) > 0) {
		for (long o = 0; o < n; ) {
			const struct inotify_event *e = (void *)(buf + o);

			P("  wd %d, mask %#x, cookie %u, name %s", e->wd, e->mask, e->cookie, e->len ? e->name : "none");
			o += (long)sizeof *e + e->len;
		}
	}
}

static void
mount_here(void)
{
	if (mount("none", dir, "tmpfs", 0, "size=64k") != 0)
		die("mount");
}

static void
one_each(void)
{
	static const struct { const char *name; uint32_t mask; } watched[] = { { "file", IN_OPEN }, { "sub", IN_DELETE }, { "", IN_ALL_EVENTS } };

	for (unsigned i = 0; i < N_OF(watched); i++) {
		mount_here();
		close(open(in_dir("file"), O_CREAT | O_RDWR, 0600));
		mkdir(in_dir("sub"), 0700);
		T(inotify_add_watch(in, in_dir(watched[i].name), watched[i].mask));
		T(umount(dir));
		drain(watched[i].name);
	}
	T(inotify_rm_watch(in, 1));
}

static void
two_mounts(void)
{
	char other[64];

	snprintf(other, sizeof other, "%s.other", dir);
	mkdir(other, 0700);
	mount_here();
	close(open(in_dir("file"), O_CREAT | O_RDWR, 0600));
	T(mount(dir, other, NULL, MS_BIND, NULL));
	T(inotify_add_watch(in, in_dir("file"), IN_OPEN));
	T(umount(dir));
	drain("one of two mounts");
	snprintf(at, sizeof at, "%s/file", other);
	close(open(at, O_RDONLY));
	drain("opened by the other");
	T(umount(other));
	drain("the other");
	rmdir(other);
}

static void
lazily(void)
{
	int fd;

	mount_here();
	fd = open(in_dir("file"), O_CREAT | O_RDWR, 0600);
	T(inotify_add_watch(in, in_dir("file"), IN_MODIFY));
	T(umount(dir));
	T(umount2(dir, MNT_DETACH));
	drain("a file is open");
	write(fd, "x", 1);
	drain("written");
	close(fd);
	drain("closed");
}

/* Instances that go before the filesystem does. */
static void
closed_first(void)
{
	int other = inotify_init1(IN_NONBLOCK);

	mount_here();
	T(inotify_add_watch(other, dir, IN_ALL_EVENTS));
	close(other);
	T(umount(dir));
}

static void
full(void)
{
	char buf[65536] __attribute__((aligned(8)));
	int n = 0, lost = 0, where = 0;
	long got;

	mount_here();
	T(inotify_add_watch(in, dir, IN_CREATE | IN_DELETE));
	in_dir("d");
	for (int i = 0; i < 8200; i++) {
		mkdir(at, 0700);
		rmdir(at);
	}
	while ((got = Q(read, in, buf, sizeof buf)) > 0) {
		for (long o = 0; o < got; n++) {
			const struct inotify_event *e = (void *)(buf + o);

			if (e->mask == IN_Q_OVERFLOW) {
				where = n;
				lost++;
			}
			o += (long)sizeof *e + e->len;
		}
	}
	P("%d events, %d overflow, the %dth", n, lost, where);
	T(umount(dir));
	drain("unmounted");
}

int
main(void)
{
	in = inotify_init1(IN_NONBLOCK);
	if (in < 0 || mkdtemp(dir) == NULL)
		die("scenery");
	/* Where there are others on the machine who copy all mounts for themselves, these would last until they end. */
	if (Q(unshare, CLONE_NEWNS) == 0)
		mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL);
	one_each();
	two_mounts();
	lazily();
	closed_first();
	full();
	rmdir(dir);
	return 0;
}
