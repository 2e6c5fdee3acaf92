/* mmap(2): errors in order, anonymous, private and shared files, fork, sharing. */
#include "guest.h"

static char *
map(size_t len, int prot, int flags, int fd, long off)
{
	long r = Q(mmap, NULL, len, prot, flags, fd, off);

	if (r < 0 && r > -4096)
		die("mmap: %s", res(r));
	return (char *)r;
}

int
main(void)
{
	char buf[16];
	int fd, ro, wo, d, p[2];
	char *a, *b;

	scratch();
	fd = open("f", O_RDWR | O_CREAT, 0644);
	for (int i = 0; i < 3 * 4096; i++)
		write(fd, &"abc"[i / 4096], 1);
	ro = open("f", O_RDONLY);
	wo = open("f", O_WRONLY);
	d = open(".", O_RDONLY);
	pipe(p);
	S(mmap, NULL, 0, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	S(mmap, NULL, 4096, PROT_READ, MAP_ANONYMOUS, -1, 0);
	S(mmap, NULL, 4096, PROT_READ, 0, fd, 0);
	S(mmap, NULL, 4096, PROT_READ, MAP_PRIVATE, -1, 0);
	S(mmap, NULL, 4096, PROT_READ, MAP_PRIVATE, fd, 100);
	S(mmap, NULL, 4096, PROT_READ, MAP_PRIVATE, -1, 100);
	S(mmap, NULL, 0, PROT_READ, MAP_PRIVATE, -1, 0);
	S(mmap, 100, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	S(mmap, NULL, -1L, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	S(mmap, NULL, 1L << 48, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	S(mmap, NULL, -4096L, PROT_READ, MAP_PRIVATE, fd, 4096);
	S(mmap, NULL, 4096, PROT_READ, MAP_PRIVATE, wo, 0);
	S(mmap, NULL, 4096, PROT_WRITE, MAP_SHARED, wo, 0);
	S(mmap, NULL, 4096, PROT_WRITE, MAP_SHARED, ro, 0);
	OK(mmap, NULL, 4096, PROT_WRITE, MAP_PRIVATE, ro, 0);
	OK(mmap, NULL, 4096, PROT_READ, MAP_SHARED, ro, 0);
	S(mmap, NULL, 4096, PROT_READ, MAP_PRIVATE, d, 0);
	S(mmap, NULL, 4096, PROT_READ, MAP_PRIVATE, p[0], 0);
	OK(mmap, NULL, 4096, PROT_READ, MAP_SHARED | MAP_ANONYMOUS, 99, 0);
	S(mmap, NULL, 4096, PROT_READ, MAP_SHARED_VALIDATE | 0x200000, fd, 0);
	OK(mmap, NULL, 4096, PROT_READ, MAP_SHARED_VALIDATE, fd, 0);
	S(mmap, (void *)(1L << 47), 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	S(mmap, (void *)-4096L, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);

	/* private: changes stay here; shared: they reach the file, and the other mapping */
	a = map(8192, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 4096);
	P("%c%c", a[0], a[4096]);
	a[0] = 'X';
	pread(fd, buf, 1, 4096);
	P("file %c mapping %c", buf[0], a[0]);
	b = map(4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 4096);
	b[0] = 'S';
	b[1] = 'T';
	pread(fd, buf, 2, 4096);
	P("file %c private %c%c", buf[0], a[0], a[1]);
	pwrite(fd, "W", 1, 4097);
	P("shared sees a write: %c", b[1]);
	P("child writes: %s", wst(CHILD(a[0] = 'C'; b[0] = 'D')));
	P("private %c shared %c", a[0], b[0]);
	char *c = map(4096, PROT_READ | PROT_WRITE, MAP_SHARED, open("f", O_RDWR), 4096);
	c[2] = 'E';
	P("two mappings: %c", b[2]);
	munmap(b, 4096);
	close(fd);
	c[3] = 'F';
	P("after close: %c", c[3]);
	unlink("f");
	c[3] = 'G';
	P("after unlink: %c", c[3]);
	/* anonymous */
	a = map(8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	b = map(8192, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	P("zero %d %d", a[8191], b[0]);
	strcpy(a, "parent");
	strcpy(b, "parent");
	P("child: %s", wst(CHILD(P("sees %s %s", a, b); strcpy(a, "child"); strcpy(b, "child"))));
	P("parent sees %s %s", a, b);
	P("grandchild: %s", wst(CHILD(CHILD(strcpy(b, "grand"), strcpy(a, "grand")))));
	P("parent sees %s %s", a, b);
	/* the rest of the last page of a file reads as zero */
	put("short", "12345");
	fd = open("short", O_RDWR);
	a = map(4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	P("%s then %d", txt(a, 5), a[5]);
	a[5] = 'x';
	P("%s", look("short"));
	write(fd, "abc", 3);
	P("%s", txt(a, 6));
	/* calls that read and write through mappings of the same file */
	S(pwrite64, fd, a, 5, 5);
	P("%s", txt(a, 10));
	/* what may only be written can be locked */
	OK(mlock, map(4096, PROT_WRITE, MAP_SHARED, fd, 0), 4096);
	return 0;
}
