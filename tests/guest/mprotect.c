/* mprotect and munmap: splitting, merging, errors, what calls see of protections. */
#include "guest.h"

#define ANON	(MAP_PRIVATE | MAP_ANONYMOUS)

/* What the pages allow, as system calls see it: '-', 'r' or 'w' for each. */
static void
rights(const char *what, char *a, int pages)
{
	char line[32] = "";
	int p[2];
	char c;

	pipe(p);
	for (int i = 0; i < pages; i++) {
		bool r = write(p[1], a + i * 4096, 1) == 1;
		bool w;

		if (!r)
			write(p[1], "x", 1);
		w = read(p[0], a + i * 4096, 1) == 1;
		if (!w)
			read(p[0], &c, 1);
		line[i] = w ? 'w' : r ? 'r' : '-';
	}
	close(p[0]);
	close(p[1]);
	P("%s: %s", what, line);
}

/* The number of lines in /proc/self/maps that touch the range. */
static int
lines(char *a, size_t len)
{
	FILE *f = fopen("/proc/self/maps", "r");
	unsigned long lo, hi;
	char line[512];
	int n = 0;

	while (f && fgets(line, sizeof line, f)) {
		if (sscanf(line, "%lx-%lx", &lo, &hi) == 2 && lo < (uintptr_t)a + len && hi > (uintptr_t)a)
			n++;
	}
	if (f)
		fclose(f);
	return n;
}

int
main(void)
{
	char *area = mmap(NULL, 12 * 4096, PROT_NONE, ANON, -1, 0);
	char *a = area + 2 * 4096;
	int fd;

	scratch();
	mprotect(a, 8 * 4096, PROT_READ | PROT_WRITE);
	for (int i = 0; i < 8; i++)
		a[i * 4096] = '0' + i;
	rights("fresh", a, 8);
	S(mprotect, a, 4096, 0x100);
	S(mprotect, a + 1, 4096, PROT_READ);
	S(mprotect, a, 0, PROT_READ);
	S(mprotect, 1, 0, PROT_READ);
	S(mprotect, a, -1L, PROT_READ);
	S(mprotect, BAD, 0, PROT_READ);
	S(mprotect, 0x10000, 4096, PROT_READ);
	S(mprotect, a + 4096, 1, PROT_READ);
	S(mprotect, a + 3 * 4096, 2 * 4096, PROT_NONE);
	rights("cut up", a, 8);
	P("regions %d", lines(a, 8 * 4096));
	S(munmap, a + 6 * 4096, 4096);
	S(munmap, a + 6 * 4096, 4096);
	rights("holed", a, 8);
	S(mprotect, a + 5 * 4096, 2 * 4096, PROT_READ);
	rights("up to the hole", a, 8);
	S(munmap, a + 1, 4096);
	S(munmap, a, 0);
	S(munmap, a, -1L);
	S(munmap, 1L << 47, 4096);
	mmap(a + 6 * 4096, 4096, PROT_READ | PROT_WRITE, ANON | MAP_FIXED, -1, 0);
	S(mprotect, a, 8 * 4096, PROT_READ | PROT_WRITE);
	P("regions %d", lines(a, 8 * 4096));
	for (int i = 0; i < 8; i++)
		a[i * 4096] += 1;
	P("kept %c%c%c%c%c%c, new %d, %c", a[0], a[4096], a[8192], a[3 * 4096], a[4 * 4096], a[5 * 4096], a[6 * 4096],
	    a[7 * 4096]);
	S(mprotect, a, 4096, PROT_WRITE);
	rights("write only is read as well", a, 1);
	/* a shared mapping of a file opened for reading can't become writable */
	put("f", "data");
	fd = open("f", O_RDONLY);
	char *m = mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0);
	S(mprotect, m, 4096, PROT_READ | PROT_WRITE);
	S(mprotect, m, 4096, PROT_NONE);
	m = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, fd, 0);
	S(mprotect, m, 4096, PROT_READ | PROT_WRITE);
	m[0] = 'X';
	P("private copy %s, file %s", txt(m, 4), cat("f"));
	/* running from memory made executable; and not from other */
	static const unsigned char code[] = { 0xb8, 42, 0, 0, 0, 0xc3 };
	memcpy(a, code, sizeof code);
	S(mprotect, a, 4096, PROT_READ | PROT_EXEC);
	P("ran: %d", ((int (*)(void))a)());
	S(mprotect, a, 4096, PROT_READ);
	P("not executable: %s", wst(CHILD(((int (*)(void))a)())));
	S(munmap, area, 12 * 4096);
	P("gone: %d", lines(area, 12 * 4096));
	/* a stack-like region below which nothing may grow */
	S(mprotect, area, 4096, PROT_READ | PROT_GROWSDOWN);
	return 0;
}
