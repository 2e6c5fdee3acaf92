/* O_PATH descriptors, O_TMPFILE, and opening through /proc/self/fd. */
#include "guest.h"

int
main(void)
{
	struct stat st;
	char buf[64], name[64];
	int fd, p, d;

	scratch();
	put("f", "data");
	chmod("f", 0600);
	mkdir("d", 0755);
	symlink("f", "link");
	p = open("f", O_PATH);
	S(read, p, buf, 1);
	S(lseek, p, 0, SEEK_SET);
	S(ftruncate, p, 0);
	S(fchmod, p, 0644);
	S(fchown, p, 0, 0);
	S(fsync, p);
	S(ioctl, p, FIONREAD, buf);
	S(mmap, NULL, 4096, PROT_READ, MAP_PRIVATE, p, 0);
	S(fgetxattr, p, "user.x", buf, 1);
	S(getdents64, p, buf, 64);
	S(fcntl, p, F_GETLK, buf);
	S(fcntl, p, F_SETFL, 0);
	OK(fcntl, p, F_DUPFD, 3);
	OK(dup, p);
	OK(fstat, p, &st);
	P("is %s size %ld", type_of(st.st_mode), (long)st.st_size);
	p = open("link", O_PATH | O_NOFOLLOW);
	fstat(p, &st);
	P("is %s", type_of(st.st_mode));
	S(readlinkat, p, "", buf, sizeof buf);
	p = open("d", O_PATH);
	S(fchdir, p);
	S(chdir, "..");
	OK(openat, p, "x", O_CREAT | O_WRONLY, 0644);
	P("d/x: %s", look("d/x"));
	S(getdents64, p, buf, 64);
	struct pollfd pfd = { p, POLLIN, 0 };
	S(poll, &pfd, 1, 0);
	P("%s", poll_bits(pfd.revents));
	S(flock, p, LOCK_EX);
	/* a name for it again by way of /proc */
	p = open("f", O_PATH);
	snprintf(name, sizeof name, "/proc/self/fd/%d", p);
	fd = open(name, O_RDWR);
	P("reopened: %s", fd >= 0 ? "ok" : err_name(errno));
	S(read, fd, buf, 4);
	unlink("f");
	fd = open(name, O_RDONLY);
	P("reopened when unlinked: %s", fd >= 0 ? "ok" : err_name(errno));
	ssize_t n = readlink(name, buf, sizeof buf - 1);
	buf[n < 0 ? 0 : n] = 0;
	P("link ends with: %s", n > 10 ? buf + n - 10 : "?");

	S(open, ".", O_TMPFILE | O_RDONLY, 0600);
	S(open, "none", O_TMPFILE | O_RDWR, 0600);
	put("g", "");
	S(open, "g", O_TMPFILE | O_RDWR, 0600);
	d = open(".", O_TMPFILE | O_RDWR, 0640);
	if (d < 0)
		skip("no O_TMPFILE here");
	fstat(d, &st);
	P("tmpfile: %s %04o nlink %d", type_of(st.st_mode), st.st_mode & 07777, (int)st.st_nlink);
	S(write, d, "tmp", 3);
	snprintf(name, sizeof name, "/proc/self/fd/%d", d);
	T(linkat(AT_FDCWD, name, AT_FDCWD, "named", AT_SYMLINK_FOLLOW));
	P("named: %s %s", look("named"), cat("named"));
	d = open(".", O_TMPFILE | O_RDWR | O_EXCL, 0640);
	snprintf(name, sizeof name, "/proc/self/fd/%d", d);
	T(linkat(AT_FDCWD, name, AT_FDCWD, "named2", AT_SYMLINK_FOLLOW));
	return 0;
}
