/* inotify. */
#include "guest.h"
#include <sys/inotify.h>

static const struct g_bit tab[] = {
	BIT(IN_ACCESS), BIT(IN_MODIFY), BIT(IN_ATTRIB), BIT(IN_CLOSE_WRITE), BIT(IN_CLOSE_NOWRITE), BIT(IN_OPEN),
	BIT(IN_MOVED_FROM), BIT(IN_MOVED_TO), BIT(IN_CREATE), BIT(IN_DELETE), BIT(IN_DELETE_SELF), BIT(IN_MOVE_SELF),
	BIT(IN_UNMOUNT), BIT(IN_Q_OVERFLOW), BIT(IN_IGNORED), { IN_ISDIR, "IN_ISDIR" },
};

static int in;
static uint32_t last_cookie;

static void
drain(const char *what)
{
	char buf[4096] __attribute__((aligned(8)));
	long n;

	P("%s:", what);
	while ((n = read(in, buf, sizeof buf)) > 0) {
		for (char *p = buf; p < buf + n; ) {
			struct inotify_event *e = (void *)p;

			P("  wd %d %s name %s%s%s", e->wd, BITS(e->mask, tab), e->len ? e->name : "-", e->cookie ?
			    e->cookie == last_cookie ? " same cookie" : " cookie" : "", e->len % 16 ? " bad length" : "");
			if (e->cookie)
				last_cookie = e->cookie;
			p += sizeof *e + e->len;
		}
	}
}

int
main(void)
{
	char small[8], buf[64];
	int fd, wd, p[2];

	scratch();
	mkdir("d", 0755);
	mkdir("e", 0755);
	put("d/old", "x");
	pipe(p);
	S(inotify_init1, 1);
	in = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	S(fcntl, in, F_GETFD);
	S(read, in, buf, 64);
	S(write, in, buf, 1);
	S(inotify_add_watch, in, "none", IN_ALL_EVENTS);
	S(inotify_add_watch, in, "d", 0);
	S(inotify_add_watch, in, BAD, IN_ALL_EVENTS);
	S(inotify_add_watch, p[0], "d", IN_ALL_EVENTS);
	S(inotify_add_watch, -1, "d", IN_ALL_EVENTS);
	S(inotify_add_watch, in, "d/old", IN_ALL_EVENTS | IN_ONLYDIR);
	S(inotify_rm_watch, in, 5);
	S(inotify_rm_watch, p[0], 1);
	wd = S(inotify_add_watch, in, "d", IN_ALL_EVENTS);
	P("again the same: %s", Q(inotify_add_watch, in, "d/.", IN_ALL_EVENTS) == wd ? "yes" : "no");
	S(inotify_add_watch, in, "d", IN_ALL_EVENTS | IN_MASK_CREATE);
	fd = open("d/new", O_CREAT | O_WRONLY, 0644);
	drain("create");
	write(fd, "abc", 3);
	write(fd, "def", 3);
	drain("write twice");
	close(fd);
	drain("close");
	S(read, open("d/new", O_RDONLY), buf, 4);
	drain("open and read");
	chmod("d/new", 0600);
	truncate("d/new", 1);
	drain("chmod, truncate");
	mkdir("d/sub", 0755);
	rmdir("d/sub");
	symlink("x", "d/sym");
	link("d/new", "d/hard");
	drain("mkdir, rmdir, symlink, link");
	rename("d/new", "d/newer");
	drain("rename");
	rename("d/newer", "e/away");
	rename("e/away", "d/back");
	drain("away and back");
	unlink("d/back");
	unlink("d/hard");
	drain("unlink");
	int one = inotify_add_watch(in, "d/old", IN_MODIFY | IN_DELETE_SELF | IN_ONESHOT);
	P("second watch %d", one);
	S(inotify_add_watch, in, "d", IN_DELETE);
	put("d/old", "yy");
	drain("one shot");
	one = inotify_add_watch(in, "d/old", IN_ATTRIB | IN_DELETE_SELF);
	unlink("d/old");
	drain("the watched file goes");
	put("d/a", "");
	unlink("d/a");
	S(ioctl, in, FIONREAD, small);
	P("%d bytes", *(int *)small);
	struct pollfd pf = { in, POLLIN, 0 };
	S(poll, &pf, 1, 0);
	S(read, in, small, 8);
	drain("short buffer first");
	inotify_add_watch(in, "e", IN_ALL_EVENTS);
	rename("e", "f");
	drain("directory moved");
	rmdir("f");
	drain("directory removed");
	S(inotify_rm_watch, in, wd);
	drain("watch removed");
	inotify_add_watch(in, ".", IN_CREATE);
	/* the parent hears of a change first; of a file without a name only without IN_EXCL_UNLINK */
	mkdir("g", 0700);
	mkdir("h", 0700);
	put("g/a", "");
	put("h/a", "");
	wd = inotify_add_watch(in, "g/a", IN_ATTRIB);
	inotify_add_watch(in, "g", IN_ATTRIB | IN_MODIFY);
	inotify_add_watch(in, "h", IN_MODIFY | IN_EXCL_UNLINK);
	drain("made");
	chmod("g/a", 0600);
	drain("changed");
	inotify_rm_watch(in, wd);
	fd = open("g/a", O_RDWR);
	unlink("g/a");
	drain("unlinked");
	write(fd, "x", 1);
	drain("written without a name");
	fd = open("h/a", O_RDWR);
	unlink("h/a");
	write(fd, "x", 1);
	drain("the same, not wanted");
	pid_t pid = START(nap(20); put("from-child", ""));
	S(poll, &pf, 1, 5000);
	drain("from another process");
	P("%s", reap(pid));
	return 0;
}
