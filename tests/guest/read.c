/* read(2) and pread(2): errors, ends, partial reads. */
#include "guest.h"

int
main(void)
{
	char buf[32];
	int fd, wo, p[2];

	scratch();
	put("f", "0123456789");
	fd = open("f", O_RDONLY);
	wo = open("f", O_WRONLY);
	S(read, -1, buf, 1);
	S(read, wo, buf, 1);
	S(read, wo, BAD, 1);
	S(read, fd, BAD, 1);
	S(read, fd, BAD, 0);
	S(read, fd, buf, -1L);
	S(lseek, fd, 0, SEEK_CUR);
	S(read, fd, buf, 4);
	P("got %s", txt(buf, 4));
	S(read, fd, buf, 32);
	P("got %s", txt(buf, 6));
	S(read, fd, buf, 32);
	S(read, fd, BAD, 32);
	S(lseek, fd, 100, SEEK_SET);
	S(read, fd, buf, 32);
	S(pread64, fd, buf, 3, 2);
	P("got %s", txt(buf, 3));
	S(pread64, fd, buf, 3, 9);
	S(pread64, fd, buf, 3, 10);
	S(pread64, fd, buf, 3, 1L << 62);
	S(pread64, fd, buf, 3, -1L);
	S(pread64, -1, buf, 3, -1L);
	S(pread64, fd, buf, 3, LONG_MIN);
	S(pread64, fd, BAD, 3, 0);
	S(lseek, fd, 0, SEEK_CUR);
	S(pwrite64, wo, "AB", 2, 8);
	S(pwrite64, wo, "CD", 2, -1L);
	S(pwrite64, wo, "", 0, 1000);
	S(pwrite64, fd, "CD", 2, 0);
	S(pwrite64, wo, BAD, 2, 0);
	P("f: %s, %s", cat("f"), look("f"));
	S(pwrite64, wo, "Z", 1, 12);
	S(pread64, fd, buf, 32, 0);
	P("got %s", txt(buf, 13));
	pipe(p);
	S(pread64, p[0], buf, 1, 0);
	S(pwrite64, p[1], buf, 1, 0);
	S(pread64, p[0], buf, 0, 0);
	/* a read whose end is not mapped: the part before counts for files */
	char *m = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	munmap(m + 4096, 4096);
	S(pread64, fd, m + 4092, 4, 0);
	P("got %s", txt(m + 4092, 4));
	S(read, p[1], buf, 1);
	S(write, p[0], buf, 1);
	int op = open("f", O_PATH);
	S(pread64, op, buf, 1, 0);
	return 0;
}
