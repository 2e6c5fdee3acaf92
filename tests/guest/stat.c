/* stat and its kin: what the fields say and which errors come first. */
#include "guest.h"

static void
all(const char *path)
{
	struct stat st;
	long r = Q(newfstatat, AT_FDCWD, path, &st, AT_SYMLINK_NOFOLLOW);

	if (r < 0) {
		P("%s: %s", path, res(r));
		return;
	}
	P("%s: %s %04o %d:%d size %ld nlink %ld rdev %ld blocks %s blksize %s", path, type_of(st.st_mode),
	    st.st_mode & 07777, st.st_uid, st.st_gid, S_ISDIR(st.st_mode) ? -1 : (long)st.st_size,
	    S_ISDIR(st.st_mode) ? -1 : (long)st.st_nlink, (long)st.st_rdev, S_ISDIR(st.st_mode) ? "-" : st.st_blocks ? "some" : "none",
	    st.st_blksize > 0 ? "some" : "none");
}

int
main(void)
{
	struct stat a, b;
	int fd, p[2];

	scratch();
	put("f", "12345");
	mkdir("d", 01777);
	symlink("f", "l");
	symlink("none", "dangling");
	mkfifo("p", 0640);
	link("f", "hard");
	put("empty", "");
	all("f");
	all("hard");
	all("d");
	all("l");
	all("dangling");
	all("p");
	all("empty");
	all("none");
	S(stat, "none", &a);
	S(stat, "dangling", &a);
	S(lstat, "dangling", &a);
	S(stat, "f/x", &a);
	S(stat, "f/", &a);
	S(stat, "l/", &a);
	S(lstat, "l/", &a);
	S(stat, "", &a);
	S(stat, BAD, &a);
	S(stat, "none", BAD);
	S(stat, "f", BAD);
	S(stat, "f", NULL);
	S(fstat, -1, &a);
	S(fstat, -1, BAD);
	fd = open("f", O_RDONLY);
	S(fstat, fd, &a);
	stat("hard", &b);
	P("same inode %s", a.st_ino == b.st_ino && a.st_dev == b.st_dev ? "yes" : "no");
	stat("empty", &b);
	P("other inode %s", a.st_ino != b.st_ino ? "yes" : "no");
	S(newfstatat, fd, "", &a, 0);
	S(newfstatat, fd, "", &a, AT_EMPTY_PATH);
	S(newfstatat, AT_FDCWD, "", &a, AT_EMPTY_PATH);
	P("cwd is a %s", type_of(a.st_mode));
	S(newfstatat, fd, "x", &a, 0);
	S(newfstatat, -1, "x", &a, 0);
	S(newfstatat, -1, "/", &a, 0);
	S(newfstatat, AT_FDCWD, "f", &a, 0x8000);
	S(newfstatat, AT_FDCWD, "f", &a, AT_NO_AUTOMOUNT);
	pipe(p);
	fstat(p[0], &a);
	P("pipe: %s %04o size %ld", type_of(a.st_mode), a.st_mode & 07777, (long)a.st_size);
	all("/dev/null");
	all("/dev/zero");
	all("/dev/full");
	all("/dev/urandom");
	all("/dev/tty");
	/* times: writing moves mtime, chmod only ctime, reading neither */
	struct timespec old[2] = { { 1000, 1 }, { 2000, 2 } };
	utimensat(AT_FDCWD, "f", old, 0);
	stat("f", &a);
	P("times %ld.%ld %ld.%ld", (long)a.st_atim.tv_sec, a.st_atim.tv_nsec, (long)a.st_mtim.tv_sec, a.st_mtim.tv_nsec);
	chmod("f", 0600);
	stat("f", &b);
	P("chmod keeps mtime %s, ctime not back %s", b.st_mtime == 2000 ? "yes" : "no",
	    b.st_ctime >= a.st_ctime && b.st_ctime > 2000 ? "yes" : "no");
	fd = open("f", O_WRONLY);
	write(fd, "x", 1);
	stat("f", &b);
	P("write moves mtime %s", b.st_mtime > 2000 ? "yes" : "no");
	utimensat(AT_FDCWD, "d", old, 0);
	put("d/new", "");
	stat("d", &b);
	P("a new entry moves the directory's mtime %s", b.st_mtime > 2000 ? "yes" : "no");
	stat("d", &a);
	mkdir("d/sub", 0755);
	return 0;
}
