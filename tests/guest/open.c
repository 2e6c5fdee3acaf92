/* open(2) and openat(2): every flag and the order of the checks. */
#include "guest.h"

static const struct g_bit flags_tab[] = {
	BIT(O_WRONLY), BIT(O_RDWR), BIT(O_APPEND), BIT(O_NONBLOCK), BIT(O_SYNC), BIT(O_DSYNC), BIT(O_PATH),
	BIT(O_NOATIME), BIT(O_DIRECTORY), BIT(O_NOFOLLOW), BIT(O_ASYNC), { 0100000, "O_LARGEFILE" },
};

static void
flags_of(const char *path, int flags)
{
	int fd = Q(openat, AT_FDCWD, path, flags, 0644);

	P("open(%s, %#o): fl %s fd %s", path, flags, fd < 0 ? ok(fd) : BITS(Q(fcntl, fd, F_GETFL), flags_tab),
	    fd < 0 ? "-" : res(Q(fcntl, fd, F_GETFD)));
	close(fd);
}

int
main(void)
{
	char long_name[NAME_MAX + 2], buf[8];
	int fd, d;

	scratch();
	put("f", "data");
	mkdir("d", 0755);
	symlink("f", "link");
	symlink("nowhere", "dangling");
	symlink("d", "dlink");
	mkfifo("fifo", 0644);
	S(open, "none", O_RDONLY);
	S(open, "none/x", O_RDONLY);
	S(open, "f/x", O_RDONLY);
	S(open, "f/", O_RDONLY);
	S(open, "f/.", O_RDONLY);
	S(open, "", O_RDONLY);
	S(open, NULL, O_RDONLY);
	S(open, BAD, O_RDONLY);
	S(open, BAD, O_CREAT | O_EXCL, 0644);
	S(open, "f", O_CREAT | O_EXCL, 0644);
	S(open, "link", O_CREAT | O_EXCL, 0644);
	S(open, "dangling", O_CREAT | O_EXCL, 0644);
	S(open, "dangling", O_RDONLY);
	S(open, "d", O_CREAT, 0644);
	S(open, "d", O_RDWR);
	S(open, "d/", O_CREAT | O_WRONLY, 0644);
	S(open, "newdir/", O_CREAT | O_WRONLY, 0644);
	S(open, "f", O_DIRECTORY);
	S(open, "dlink", O_DIRECTORY | O_NOFOLLOW);
	S(open, "link", O_NOFOLLOW);
	S(open, "link/", O_NOFOLLOW);
	OK(open, "dlink/", O_NOFOLLOW);
	OK(open, "dangling", O_CREAT | O_WRONLY, 0600);
	P("nowhere: %s", look("nowhere"));
	OK(open, "link", O_PATH | O_NOFOLLOW);
	OK(open, "fifo", O_RDONLY | O_NONBLOCK);
	OK(open, "fifo", O_RDWR);
	put("t", "text");
	OK(open, "t", O_RDONLY | O_TRUNC);
	P("t: %s", look("t"));
	umask(027);
	OK(open, "m1", O_CREAT | O_WRONLY, 0666);
	OK(open, "m2", O_CREAT | O_RDWR, 0);
	OK(open, "m3", O_CREAT | O_RDWR, 07777);
	OK(creat, "m4", 0622);
	umask(022);
	P("m1 %s; m2 %s; m3 %s; m4 %s", look("m1"), look("m2"), look("m3"), look("m4"));
	S(openat, 99, "f", O_RDONLY);
	S(openat, -1, "f", O_RDONLY);
	d = open("d", O_RDONLY | O_DIRECTORY);
	fd = open("f", O_RDONLY);
	S(openat, fd, "x", O_RDONLY);
	S(openat, d, "x", O_RDONLY);
	S(openat, fd, "", O_RDONLY);
	OK(openat, fd, "/", O_RDONLY);
	OK(openat, d, "../f", O_RDONLY);
	OK(openat, d, "x", O_CREAT | O_WRONLY, 0644);
	P("d/x: %s", look("d/x"));
	memset(long_name, 'n', sizeof long_name - 1);
	long_name[NAME_MAX + 1] = 0;
	S(open, long_name, O_RDONLY);
	long_name[NAME_MAX] = 0;
	S(open, long_name, O_RDONLY);
	flags_of("f", O_RDONLY);
	flags_of("f", O_WRONLY | O_APPEND | O_CLOEXEC);
	flags_of("f", O_RDWR | O_NONBLOCK | O_SYNC);
	flags_of("f", O_RDWR | O_DSYNC | O_CREAT | O_TRUNC | O_NOCTTY);
	flags_of("f", O_PATH | O_RDWR | O_CLOEXEC);
	flags_of("d", O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
	flags_of("f", 3);
	flags_of("f", 0x40000000);
	fd = open("f", O_WRONLY);
	S(read, fd, buf, 1);
	/* the lowest free number */
	int low = open("f", O_RDONLY);
	close(fd);
	int again = open("f", O_RDONLY);
	P("reuses the lowest: %s", again == fd && low > fd ? "yes" : "no");
	return 0;
}
