/* fsync and friends, fadvise, readahead, sync_file_range. */
#include "guest.h"

int
main(void)
{
	int fd, ro, p[2], d;

	scratch();
	put("f", "data");
	fd = open("f", O_RDWR);
	ro = open("f", O_RDONLY);
	d = open(".", O_RDONLY);
	pipe(p);
	S(fsync, fd);
	S(fdatasync, fd);
	S(fsync, ro);
	S(fsync, d);
	S(fsync, -1);
	S(fdatasync, -1);
	S(fsync, p[0]);
	S(fdatasync, p[1]);
	S(syncfs, fd);
	S(syncfs, -1);
	S(fadvise64, fd, 0, 0, POSIX_FADV_WILLNEED);
	S(fadvise64, fd, 0, 0, POSIX_FADV_DONTNEED);
	S(fadvise64, fd, 0, 0, 99);
	S(fadvise64, fd, 0, -1L, POSIX_FADV_NORMAL);
	S(fadvise64, p[0], 0, 0, POSIX_FADV_NORMAL);
	S(fadvise64, -1, 0, 0, POSIX_FADV_NORMAL);
	S(readahead, fd, 0, 4096);
	S(readahead, -1, 0, 4096);
	S(readahead, p[0], 0, 4096);
	S(sync_file_range, fd, 0, 0, 7);
	S(sync_file_range, fd, 0, 0, 8);
	S(sync_file_range, fd, -1L, 0, 0);
	S(sync_file_range, p[0], 0, 0, 0);
	S(sync_file_range, -1, 0, 0, 0);
	return 0;
}
