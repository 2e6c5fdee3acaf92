/* utimensat and its older brothers. */
#include "guest.h"
#include <utime.h>

static void
when(const char *path)
{
	struct stat st;
	long now = time(NULL);

	lstat(path, &st);
	P("%s: %s.%ld %s.%ld", path, labs(st.st_atime - now) < 60 ? "now" : res(st.st_atime),
	    labs(st.st_atime - now) < 60 ? 0 : st.st_atim.tv_nsec, labs(st.st_mtime - now) < 60 ? "now" : res(st.st_mtime),
	    labs(st.st_mtime - now) < 60 ? 0 : st.st_mtim.tv_nsec);
}

int
main(void)
{
	struct timespec t[2] = { { 100, 5 }, { 200, 999999999 } };
	struct timespec bad[2] = { { 100, 0 }, { 200, 1000000000 } };
	struct timespec omit[2] = { { 0, UTIME_OMIT }, { 0, UTIME_OMIT } };
	struct timespec one[2] = { { 0, UTIME_OMIT }, { 300, 0 } };
	struct timespec both[2] = { { 0, UTIME_NOW }, { 0, UTIME_NOW } };
	struct timespec half[2] = { { 0, UTIME_NOW }, { 0, UTIME_OMIT } };
	struct timeval tv[2] = { { 10, 20 }, { 30, 40 } }, tvbad[2] = { { 10, 2000000 }, { 30, 40 } };
	struct utimbuf ub = { 50, 60 };
	int fd;

	scratch();
	put("f", "");
	symlink("f", "l");
	fd = open("f", O_RDONLY);
	S(utimensat, AT_FDCWD, "f", t, 0);
	when("f");
	S(utimensat, AT_FDCWD, "f", one, 0);
	when("f");
	S(utimensat, AT_FDCWD, "f", omit, 0);
	when("f");
	S(utimensat, AT_FDCWD, "none", omit, 0);
	S(utimensat, AT_FDCWD, "f", bad, 0);
	S(utimensat, AT_FDCWD, "none", bad, 0);
	S(utimensat, AT_FDCWD, "none", t, 0);
	S(utimensat, AT_FDCWD, "f", BAD, 0);
	S(utimensat, AT_FDCWD, BAD, t, 0);
	S(utimensat, AT_FDCWD, "f", t, 0x8000);
	S(utimensat, fd, NULL, t, 0);
	S(utimensat, AT_FDCWD, NULL, t, 0);
	S(utimensat, fd, NULL, t, AT_SYMLINK_NOFOLLOW);
	S(utimensat, -1, "f", t, 0);
	when("f");
	S(utimensat, AT_FDCWD, "f", both, 0);
	when("f");
	S(utimensat, AT_FDCWD, "f", half, 0);
	S(utimensat, AT_FDCWD, "f", NULL, 0);
	S(utimensat, AT_FDCWD, "l", t, AT_SYMLINK_NOFOLLOW);
	when("f");
	S(utimes, "f", tv);
	when("f");
	S(utimes, "f", tvbad);
	S(utime, "f", &ub);
	when("f");
	S(futimesat, AT_FDCWD, "f", tv);
	when("f");
	chmod("f", 0666);
	P("who may: %s", wst(CHILD(
		setgid(600);
		setuid(600);
		S(utimensat, AT_FDCWD, "f", NULL, 0);
		S(utimensat, AT_FDCWD, "f", both, 0);
		S(utimensat, AT_FDCWD, "f", half, 0);
		S(utimensat, AT_FDCWD, "f", t, 0);
		S(utimensat, AT_FDCWD, "f", omit, 0);
	)));
	chmod("f", 0644);
	P("who may not: %s", wst(CHILD(
		setgid(600);
		setuid(600);
		S(utimensat, AT_FDCWD, "f", NULL, 0);
		S(utimensat, AT_FDCWD, "f", t, 0);
	)));
	return 0;
}
