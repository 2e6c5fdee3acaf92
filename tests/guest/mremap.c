/* mremap(2). */
#include "guest.h"

#define ANON	(MAP_PRIVATE | MAP_ANONYMOUS)

int
main(void)
{
	char *area = mmap(NULL, 32 * 4096, PROT_READ | PROT_WRITE, ANON, -1, 0), *a, *b;
	int fd;

	scratch();
	munmap(area, 32 * 4096);
	a = mmap(area, 4 * 4096, PROT_READ | PROT_WRITE, ANON | MAP_FIXED, -1, 0);
	for (int i = 0; i < 4; i++)
		a[i * 4096] = '0' + i;
	S(mremap, a + 1, 4096, 8192, 0);
	S(mremap, a, 4096, 0, 0);
	S(mremap, a, 4096, 4096, 8);
	S(mremap, a, 4096, 8192, MREMAP_FIXED, area + 16 * 4096);
	S(mremap, a, 4096, 8192, MREMAP_MAYMOVE | MREMAP_FIXED, area + 1);
	S(mremap, a, 8192, 8192, MREMAP_MAYMOVE | MREMAP_FIXED, a + 4096);
	S(mremap, 0x10000, 4096, 8192, MREMAP_MAYMOVE);
	S(mremap, a, -1L, 8192, MREMAP_MAYMOVE);
	b = mremap(a, 4 * 4096, 4 * 4096, 0);
	P("same size: %s", b == a ? "same place" : "?");
	b = mremap(a, 4 * 4096, 2 * 4096, 0);
	P("shrink: %s, the rest is gone: %s", b == a ? "same place" : "?", res(Q(mincore, a + 2 * 4096, 4096, area)));
	b = mremap(a, 2 * 4096, 6 * 4096, 0);
	P("grow in place: %s %c%c%d", b == a ? "same place" : err_name(errno), a[0], a[4096], a[2 * 4096]);
	mmap(area + 6 * 4096, 4096, PROT_READ, ANON | MAP_FIXED, -1, 0);
	S(mremap, a, 6 * 4096, 7 * 4096, 0);
	b = mremap(a, 6 * 4096, 8 * 4096, MREMAP_MAYMOVE);
	P("grow and move: %s %c%c%d", b != a && b != MAP_FAILED ? "elsewhere" : "?", b[0], b[4096], b[7 * 4096]);
	P("old place: %s", res(Q(mincore, a, 4096, area + 20 * 4096)));
	a = mremap(b, 8 * 4096, 8 * 4096, MREMAP_MAYMOVE | MREMAP_FIXED, area + 16 * 4096);
	P("fixed: %s %c%c", a == area + 16 * 4096 ? "there" : err_name(errno), a[0], a[4096]);
	/* a piece of the middle moves away */
	b = mremap(a + 4096, 4096, 4096, MREMAP_MAYMOVE | MREMAP_FIXED, area);
	P("middle: %c, hole: %s", b[0], res(Q(msync, a + 4096, 4096, MS_ASYNC)));
	/* growing a private piece that is not the end */
	P("child: %s", wst(CHILD(P("%c%c", a[0], b[0]); b[0] = 'c')));
	P("parent: %c", b[0]);
	/* shared: moving keeps the sharing; length zero duplicates */
	a = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	strcpy(a, "shared");
	b = mremap(a, 0, 4096, MREMAP_MAYMOVE);
	P("second view: %s", b == MAP_FAILED ? err_name(errno) : b);
	strcpy(b, "changed");
	P("first view: %s", a);
	P("child: %s", wst(CHILD(b = mremap(b, 4096, 4096, MREMAP_MAYMOVE | MREMAP_FIXED, area); strcpy(b, "child"))));
	P("first view: %s", a);
	b = mmap(NULL, 4096, PROT_READ | PROT_WRITE, ANON, -1, 0);
	S(mremap, b, 0, 4096, MREMAP_MAYMOVE);
	/* a file mapping that grows sees more of the file */
	fd = open("f", O_RDWR | O_CREAT, 0644);
	for (int i = 0; i < 3; i++)
		pwrite(fd, &"xyz"[i], 1, i * 4096);
	a = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, fd, 4096);
	b = mremap(a, 4096, 8192, MREMAP_MAYMOVE);
	P("file: %c%c", b[0], b[4096]);
	/* the last page grows to right below the rest of the mapping */
	munmap(area, 32 * 4096);
	ftruncate(fd, 5 * 4096);
	pwrite(fd, "3", 1, 3 * 4096);
	pwrite(fd, "4", 1, 4 * 4096);
	a = mmap(area + 8 * 4096, 4 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_FIXED, fd, 0);
	b = mremap(a + 3 * 4096, 4096, 8192, MREMAP_MAYMOVE | MREMAP_FIXED, area + 6 * 4096);
	P("file, below itself: %c%c%c", b[0], b[4096], a[2 * 4096]);
	/* MREMAP_DONTUNMAP leaves an empty mapping behind */
	a = mmap(NULL, 4096, PROT_READ | PROT_WRITE, ANON, -1, 0);
	strcpy(a, "moved");
	b = mremap(a, 4096, 4096, MREMAP_MAYMOVE | MREMAP_DONTUNMAP, NULL);
	P("dontunmap: %s, left %d", b == MAP_FAILED ? err_name(errno) : b, a[0]);
	return 0;
}
