/* lseek(2) with all five origins. */
#include "guest.h"

int
main(void)
{
	int fd, d, p[2];

	scratch();
	fd = open("f", O_RDWR | O_CREAT, 0644);
	write(fd, "0123456789", 10);
	S(lseek, -1, 0, SEEK_SET);
	S(lseek, fd, 5, SEEK_SET);
	S(lseek, fd, -6, SEEK_CUR);
	S(lseek, fd, -5, SEEK_CUR);
	S(lseek, fd, 3, SEEK_END);
	S(lseek, fd, -11, SEEK_END);
	S(lseek, fd, 0, SEEK_CUR);
	S(lseek, fd, -1L, SEEK_SET);
	S(lseek, fd, LONG_MAX, SEEK_CUR);
	S(lseek, fd, 0, 5);
	S(lseek, fd, 0, -1);
	S(lseek, 99, 0, 5);
	S(lseek, fd, LONG_MIN, SEEK_SET);
	S(lseek, fd, 0, SEEK_CUR);
	pipe(p);
	S(lseek, p[0], 0, SEEK_CUR);
	S(lseek, p[0], 0, 9);
	d = open(".", O_RDONLY);
	S(lseek, d, 0, SEEK_SET);
	S(lseek, d, -1L, SEEK_SET);
	/* data and holes: a file with one megabyte of nothing in the middle */
	S(lseek, fd, 0, SEEK_DATA);
	S(lseek, fd, 0, SEEK_HOLE);
	S(lseek, fd, 4, SEEK_DATA);
	S(lseek, fd, 10, SEEK_DATA);
	S(lseek, fd, 10, SEEK_HOLE);
	S(lseek, fd, 11, SEEK_HOLE);
	S(lseek, fd, -1L, SEEK_DATA);
	ftruncate(fd, 2 << 20);
	pwrite(fd, "x", 1, 1 << 20);
	S(lseek, fd, 1 << 20, SEEK_DATA);
	S(lseek, fd, 3 << 20, SEEK_HOLE);
	long h = Q(lseek, fd, 1 << 20, SEEK_HOLE);
	P("hole after data %s", h > 1 << 20 && h <= 2 << 20 ? "yes" : res(h));
	char buf[4];
	S(lseek, fd, 1000000, SEEK_SET);
	S(read, fd, buf, 4);
	P("zeros %s", txt(buf, 4));
	return 0;
}
