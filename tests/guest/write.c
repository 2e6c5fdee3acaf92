/* write(2): what is checked, and in which order. */
#include "guest.h"

int
main(void)
{
	int ro, wo, ap, p[2];
	char buf[16];

	scratch();
	put("f", "0123456789");
	ro = open("f", O_RDONLY);
	wo = open("f", O_WRONLY);
	S(write, -1, "x", 1);
	S(write, 99, "x", 1);
	S(write, ro, "x", 1);
	S(write, ro, BAD, 1);
	S(write, ro, "x", 0);
	S(write, wo, BAD, 1);
	S(write, wo, BAD, 0);
	S(write, wo, NULL, 0);
	S(write, wo, "x", -1L);
	S(write, wo, (char *)-1L, 2);
	P("f: %s", cat("f"));
	S(write, wo, "abc", 3);
	S(lseek, wo, 0, SEEK_CUR);
	S(lseek, wo, 20, SEEK_SET);
	S(write, wo, "end", 3);
	P("f: %s", txt(cat("f"), 10));
	P("f: %s", look("f"));
	ap = open("f", O_WRONLY | O_APPEND);
	S(write, ap, "+", 1);
	S(lseek, ap, 0, SEEK_SET);
	S(write, ap, "+", 1);
	S(lseek, ap, 0, SEEK_CUR);
	S(pwrite64, ap, "P", 1, 0);
	P("f: %s", look("f"));
	S(lseek, ap, 0, SEEK_CUR);
	/* a directory cannot be opened for writing, nor read */
	S(open, ".", O_WRONLY);
	OK(open, ".", O_RDONLY);
	int d = open(".", O_RDONLY);
	S(write, d, "x", 1);
	S(read, d, buf, 1);
	S(read, d, BAD, 1);
	/* a write that ends in unmapped memory is cut short at the page */
	char *m = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	munmap(m + 4096, 4096);
	memset(m, 'm', 4096);
	pipe(p);
	S(write, p[1], m + 4090, 6);
	S(write, p[1], m + 4096, 6);
	S(read, p[0], buf, 16);
	/* a path descriptor is no descriptor for this */
	int op = open("f", O_PATH);
	S(write, op, "x", 1);
	S(read, op, buf, 1);
	return 0;
}
