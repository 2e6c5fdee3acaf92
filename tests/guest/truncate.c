/* truncate, ftruncate, fallocate. */
#include "guest.h"

int
main(void)
{
	char buf[16];
	int fd, ro, p[2];

	scratch();
	fd = open("f", O_RDWR | O_CREAT, 0644);
	write(fd, "0123456789", 10);
	ro = open("f", O_RDONLY);
	mkdir("d", 0755);
	symlink("f", "l");
	S(truncate, "none", 0);
	S(truncate, "d", 0);
	S(truncate, "f", -1L);
	S(truncate, "none", -1L);
	S(truncate, "", 0);
	S(truncate, BAD, 0);
	S(truncate, "f/x", 0);
	S(truncate, "l", 5);
	P("%s %s", look("f"), cat("f"));
	S(truncate, "f", 8);
	S(pread64, fd, buf, 16, 0);
	P("%s", txt(buf, 8));
	S(ftruncate, -1, 0);
	S(ftruncate, -1, -1L);
	S(ftruncate, ro, 0);
	S(ftruncate, ro, -1L);
	S(ftruncate, fd, -1L);
	S(ftruncate, fd, 3);
	S(lseek, fd, 0, SEEK_CUR);
	S(write, fd, "Z", 1);
	P("%s", look("f"));
	pipe(p);
	S(ftruncate, p[1], 0);
	int d = open("d", O_RDONLY);
	S(ftruncate, d, 0);
	mkfifo("fifo", 0644);
	S(truncate, "fifo", 0);
	/* set-user-id is lost on truncation by another than root: here root keeps it */
	S(fallocate, fd, 0, 0, 20);
	P("%s", look("f"));
	S(fallocate, fd, FALLOC_FL_KEEP_SIZE, 0, 8192);
	P("%s", look("f"));
	S(fallocate, fd, 0, 0, 0);
	S(fallocate, fd, 0, -1L, 5);
	S(fallocate, fd, 0, 0, -1L);
	S(fallocate, ro, 0, 0, 5);
	S(fallocate, -1, 0, 0, 5);
	S(fallocate, fd, 0x1000, 0, 5);
	S(fallocate, fd, FALLOC_FL_PUNCH_HOLE, 0, 5);
	S(fallocate, p[1], 0, 0, 5);
	S(fallocate, d, 0, 0, 5);
	S(fallocate, fd, 0, LONG_MAX, 5);
	S(ftruncate, fd, 0);
	pwrite(fd, "abcdefgh", 8, 0);
	long r = Q(fallocate, fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 2, 3);
	if (r == 0) {
		pread(fd, buf, 8, 0);
		P("punched %s", txt(buf, 8));
	}
	int path = open("f", O_PATH);
	S(ftruncate, path, 0);
	S(fallocate, path, 0, 0, 1);
	return 0;
}
