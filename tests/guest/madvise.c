/* madvise, msync, mincore, mlock. */
#include "guest.h"

#define ANON	(MAP_PRIVATE | MAP_ANONYMOUS)

int
main(void)
{
	unsigned char vec[16];
	char *a, *hole, *s, *f;
	int fd;

	scratch();
	a = mmap(NULL, 8 * 4096, PROT_READ | PROT_WRITE, ANON, -1, 0);
	hole = a + 6 * 4096;
	munmap(hole, 4096);
	memset(a, 'x', 6 * 4096);
	S(madvise, a + 1, 4096, MADV_NORMAL);
	S(madvise, a, 4096, 9999);
	S(madvise, a, 0, MADV_DONTNEED);
	S(madvise, a + 1, 0, 9999);
	S(madvise, a, -1L, MADV_DONTNEED);
	S(madvise, hole, 4096, MADV_DONTNEED);
	S(madvise, a + 5 * 4096, 3 * 4096, MADV_NORMAL);
	S(madvise, a + 4096, 4096, MADV_DONTNEED);
	P("before %c, dropped %d, after %c", a[0], a[4096], a[8192]);
	S(madvise, a + 2 * 4096, 1, MADV_DONTNEED);
	P("rounded up: %d %c", a[3 * 4096 - 1], a[3 * 4096]);
	S(madvise, a, 4096, MADV_WILLNEED);
	S(madvise, a, 4096, MADV_SEQUENTIAL);
	S(madvise, a, 4096, MADV_RANDOM);
	S(madvise, a, 4096, MADV_DONTFORK);
	P("not in the child: %s", wst(CHILD(a[0] = 1)));
	S(madvise, a, 4096, MADV_DOFORK);
	P("in the child: %s", wst(CHILD(a[0] = 1)));
	S(madvise, a + 3 * 4096, 4096, MADV_WIPEONFORK);
	P("wiped: %s", wst(CHILD(P("%d", a[3 * 4096]))));
	P("parent keeps %c", a[3 * 4096]);
	S(madvise, a + 3 * 4096, 4096, MADV_KEEPONFORK);
	P("kept: %s", wst(CHILD(P("%c", a[3 * 4096]))));
	S(madvise, a, 4096, MADV_DONTDUMP);
	S(madvise, a, 4096, MADV_DODUMP);
	S(madvise, a, 4096, MADV_REMOVE);
	s = mmap(NULL, 4 * 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	memset(s, 's', 4 * 4096);
	S(madvise, s, 4096, MADV_DONTNEED);
	P("shared keeps %c", s[0]);
	S(madvise, s, 4096, MADV_REMOVE);
	P("removed %d %c", s[0], s[4096]);
	S(madvise, s, 4096, MADV_WIPEONFORK);
	/* MADV_FREE leaves either the old content or zero until it is written */
	S(madvise, a + 4 * 4096, 4096, MADV_FREE);
	P("free: %s", a[4 * 4096] == 'x' || a[4 * 4096] == 0 ? "as allowed" : "?");
	a[4 * 4096] = 'n';
	P("written after: %c", a[4 * 4096]);
	S(madvise, s, 4096, MADV_FREE);
	/* files */
	fd = open("f", O_RDWR | O_CREAT, 0644);
	write(fd, "filedata", 8);
	f = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
	f[0] = 'F';
	S(madvise, f, 4096, MADV_DONTNEED);
	P("private copy dropped: %s", txt(f, 4));
	f = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	f[0] = 'S';
	S(msync, f, 4096, MS_SYNC);
	S(msync, f, 4096, MS_ASYNC);
	S(msync, f, 4096, MS_INVALIDATE);
	S(msync, f, 4096, MS_SYNC | MS_ASYNC);
	S(msync, f, 4096, 8);
	S(msync, f + 1, 4096, MS_SYNC);
	S(msync, f, 0, MS_SYNC);
	S(msync, f, -1L, MS_SYNC);
	hole = (char *)mmap(NULL, 3 * 4096, PROT_READ, ANON, -1, 0) + 4096;
	munmap(hole, 4096);
	S(msync, hole, 4096, MS_SYNC);
	S(msync, hole - 4096, 8192, MS_SYNC);
	S(madvise, f, 4096, MADV_DONTNEED);
	P("%s", cat("f"));
	/* residency */
	char *m = mmap(NULL, 4 * 4096, PROT_READ | PROT_WRITE, ANON, -1, 0);
	m[4096] = 1;
	S(mincore, m, 4 * 4096, vec);
	P("touched: %d", vec[1] & 1);
	S(mincore, m + 1, 4096, vec);
	S(mincore, m, 0, vec);
	S(mincore, m, -1L, vec);
	S(mincore, hole, 4096, vec);
	S(mincore, m, 4096, BAD);
	S(mlock, m, 4096);
	S(mlock, hole, 4096);
	S(munlock, m, 4096);
	S(munlock, hole, 4096);
	S(mlock2, m, 4096, 2);
	S(mlockall, 0);
	S(mlockall, 8);
	S(munlockall);
	return 0;
}
