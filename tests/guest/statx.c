/* statx(2) and statfs(2). */
#include "guest.h"
#include <sys/statfs.h>

int
main(void)
{
	struct statx x;
	struct statfs fs;
	int fd;

	scratch();
	put("f", "12345");
	symlink("f", "l");
	fd = open("f", O_RDONLY);
	S(statx, AT_FDCWD, "f", 0, STATX_BASIC_STATS, &x);
	P("basic given %s type %s mode %04o size %ld nlink %d", (x.stx_mask & STATX_BASIC_STATS) == STATX_BASIC_STATS ?
	    "yes" : "no", type_of(x.stx_mode), x.stx_mode & 07777, (long)x.stx_size, x.stx_nlink);
	S(statx, AT_FDCWD, "l", AT_SYMLINK_NOFOLLOW, STATX_TYPE, &x);
	P("type %s", type_of(x.stx_mode));
	S(statx, AT_FDCWD, "f", 0, 0, &x);
	S(statx, fd, "", AT_EMPTY_PATH, STATX_SIZE, &x);
	P("size %ld", (long)x.stx_size);
	S(statx, AT_FDCWD, "f", 0, 0x80000000U, &x);
	S(statx, AT_FDCWD, "f", 0x10, 0, &x);
	S(statx, AT_FDCWD, "f", AT_STATX_FORCE_SYNC | AT_STATX_DONT_SYNC, 0, &x);
	S(statx, AT_FDCWD, "f", AT_STATX_DONT_SYNC, STATX_ALL, &x);
	S(statx, AT_FDCWD, "none", 0, 0, &x);
	S(statx, AT_FDCWD, "f", 0, 0, BAD);
	S(statx, AT_FDCWD, BAD, 0, 0, &x);
	S(statx, -1, "f", 0, 0, &x);
	S(statx, fd, "f", 0, 0, &x);
	S(statx, AT_FDCWD, "", 0, 0, &x);
	S(statx, AT_FDCWD, "/dev/null", 0, STATX_BASIC_STATS, &x);
	P("rdev %d:%d", x.stx_rdev_major, x.stx_rdev_minor);
	S(statfs, ".", &fs);
	P("bsize %s namelen %ld", fs.f_bsize > 0 ? "some" : "none", (long)fs.f_namelen);
	S(statfs, "none", &fs);
	S(statfs, ".", BAD);
	S(statfs, BAD, &fs);
	S(fstatfs, fd, &fs);
	S(fstatfs, -1, &fs);
	S(statfs, "/proc", &fs);
	P("proc type %#lx", (long)fs.f_type);
	return 0;
}
