/* Mappings that nobody has touched yet: what the other calls make of them. */
#include "guest.h"

#include <linux/futex.h>
#include <setjmp.h>

#define PAGE	4096UL
#define ANON	(MAP_PRIVATE | MAP_ANONYMOUS)
#define RW	(PROT_READ | PROT_WRITE)

static sigjmp_buf out;
static volatile int seen, code;

static void
on_fault(int s, siginfo_t *i, void *uc)
{
	(void)uc;
	seen = s;
	code = i->si_code;
	siglongjmp(out, 1);
}

/* Anonymous memory as it is reserved and then made accessible, files as ld.so maps them. */
static char *
map(size_t pages, int prot, int flags, int fd, long off)
{
	bool reserve = fd < 0 && (flags & MAP_PRIVATE);
	long r = Q(mmap, NULL, pages * PAGE, reserve ? PROT_NONE : prot, fd < 0 ? flags : flags | MAP_DENYWRITE, fd, off);

	if (r < 0 && r > -4096)
		die("mmap: %s", res(r));
	if (reserve && Q(mprotect, r, pages * PAGE, prot) != 0)
		die("mprotect");
	return (char *)r;
}

/* What reading or writing a byte there does: its value, or the signal. */
static void
touch(const char *what, char *at, int write)
{
	char c = 0;

	if (sigsetjmp(out, 1) != 0) {
		P("%s: signal %d code %d", what, seen, code);
		return;
	}
	if (write)
		*(volatile char *)at = 'w';
	else
		c = *(volatile char *)at;
	P("%s: %d", what, c);
}

static void
forked(const char *what, char *at)
{
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		touch(what, at, 0);
		fflush(stdout);
		_exit(0);
	}
	waitpid(pid, &status, 0);
}

static void
around_fork(void)
{
	char *a = map(4, RW, ANON, -1, 0);
	int fd;

	S(madvise, a, PAGE, MADV_DONTFORK);
	S(madvise, a + PAGE, PAGE, MADV_WIPEONFORK);
	forked("dontfork, untouched", a);
	memset(a, 'x', 4 * PAGE);
	forked("dontfork, touched since", a);
	forked("wipeonfork, touched since", a + PAGE);
	forked("neither", a + 2 * PAGE);
	a = map(2, RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	S(madvise, a, PAGE, MADV_DONTFORK);
	forked("shared, dontfork", a);
	a[PAGE] = 's';
	forked("shared", a + PAGE);
	/* More than the sandbox fills in at once, and what a file gets later. */
	a = map(20000, RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	S(madvise, a, 20000 * PAGE, MADV_DONTFORK);
	touch("large, its end", a + 19999 * PAGE, 1);
	forked("large, dontfork", a + 19999 * PAGE);
	fd = open("h", O_RDWR | O_CREAT, 0644);
	a = map(2, RW, MAP_SHARED, fd, 0);
	S(madvise, a, 2 * PAGE, MADV_DONTFORK);
	ftruncate(fd, PAGE);
	touch("file, grown", a, 1);
	forked("file, dontfork", a);
	close(fd);
	a = map(2, RW, ANON, -1, 0);
	forked("untouched in both", a);
	a[0] = 'p';
	forked("touched in the parent", a);
}

static void
around_remap(void)
{
	char *a = map(4, RW, ANON, -1, 0), *b;

	b = (char *)Q(mremap, a, 4 * PAGE, 8 * PAGE, MREMAP_MAYMOVE);
	touch("grown", b + 7 * PAGE, 1);
	a = map(8, RW, ANON, -1, 0);
	touch("one page", a + 3 * PAGE, 1);
	S(munmap, a + 5 * PAGE, PAGE);
	b = map(8, PROT_NONE, ANON, -1, 0);
	OK(mremap, a, 5 * PAGE, 5 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, b);
	touch("moved, untouched", b, 0);
	touch("moved, touched", b + 3 * PAGE, 0);
	touch("behind", b + 5 * PAGE, 0);
	touch("where it was", a, 0);
	a = map(3, RW, ANON, -1, 0);
	b = (char *)Q(mremap, a, 3 * PAGE, PAGE, 0);
	touch("shrunk", b, 1);
	touch("cut off", b + 2 * PAGE, 0);
}

static void
around_protect(void)
{
	char *a = map(4, PROT_NONE, ANON | MAP_NORESERVE, -1, 0);

	touch("none", a, 0);
	S(mprotect, a + PAGE, 2 * PAGE, RW);
	touch("made writable", a + PAGE, 1);
	touch("none still", a, 0);
	a = map(4, RW, ANON, -1, 0);
	S(mprotect, a + PAGE, PAGE, PROT_READ);
	touch("made read-only, read", a + PAGE, 0);
	touch("made read-only, write", a + PAGE, 1);
	touch("beside", a, 1);
	S(munmap, a, 4 * PAGE);
	touch("unmapped", a, 0);
	a = map(4, RW, ANON, -1, 0);
	S(munmap, a, 4 * PAGE);
	touch("unmapped untouched", a, 0);
}

static void
files(void)
{
	int fd = open("f", O_RDWR | O_CREAT, 0644);
	char buf[16] = "", *a, *b;

	for (int i = 0; i < 3; i++) {
		memset(buf, 'a' + i, sizeof buf);
		pwrite(fd, buf, sizeof buf, i * (long)PAGE);
	}
	ftruncate(fd, 3 * PAGE - 1000);
	a = map(6, PROT_READ, MAP_PRIVATE, fd, 0);
	b = map(1, RW, ANON, -1, 0);
	Q(mmap, a + PAGE, PAGE, RW, MAP_PRIVATE | MAP_FIXED | MAP_DENYWRITE, fd, 2 * PAGE);
	Q(mmap, a + 3 * PAGE, PAGE, RW, ANON | MAP_FIXED, -1, 0);
	close(fd);
	touch("file, first", a, 0);
	touch("file, fixed over it", a + PAGE, 0);
	touch("file, third", a + 2 * PAGE, 0);
	touch("file, its last page's end", a + 3 * PAGE - 1, 0);
	touch("anonymous over it", a + 3 * PAGE, 1);
	touch("past its end", a + 4 * PAGE, 0);
	touch("the neighbour", b, 1);
	fd = open("f", O_RDWR);
	a = map(3, RW, MAP_PRIVATE, fd, 0);
	ftruncate(fd, PAGE);
	touch("cut before the first touch", a + PAGE, 0);
	ftruncate(fd, 2 * PAGE);
	touch("there again", a + PAGE, 0);
}

static void
through_calls(void)
{
	char *a = map(3, RW, ANON, -1, 0), buf[8];
	int p[2], fd = open("g", O_RDWR | O_CREAT, 0644);

	pipe(p);
	S(write, p[1], a, 5);
	S(read, p[0], a + PAGE, 5);
	a = map(3, RW, ANON, -1, 0);
	S(pwrite64, fd, "hello", 5, 0);
	S(pread64, fd, a + PAGE - 2, 5, 0);
	P("%.3s", a + PAGE);
	a = map(2, RW, ANON, -1, 0);
	S(mprotect, a, PAGE, PROT_READ);
	S(pread64, fd, a, 5, 0);
	S(pread64, fd, a + PAGE, 5, 0);
	a = map(2, RW, ANON, -1, 0);
	S(munmap, a + PAGE, PAGE);
	S(pread64, fd, a + PAGE - 2, 5, 0);
	S(pwrite64, fd, a + PAGE - 2, 5, 0);
	a = map(1, RW, ANON, -1, 0);
	S(futex, a, FUTEX_WAIT, 1, NULL, NULL, 0);
	a = map(1, RW, ANON, -1, 0);
	S(madvise, a, PAGE, MADV_DONTNEED);
	S(madvise, a, PAGE, MADV_POPULATE_WRITE);
	touch("populated", a, 0);
	a = map(1, RW, ANON, -1, 0);
	pread(fd, buf, 5, 0);
	S(rt_sigaction, SIGUSR1, NULL, a, 8);
	touch("filled by a call", a, 0);
}

int
main(void)
{
	struct sigaction sa = { .sa_sigaction = on_fault, .sa_flags = SA_SIGINFO };

	scratch();
	sigaction(SIGSEGV, &sa, NULL);
	sigaction(SIGBUS, &sa, NULL);
	setvbuf(stdout, NULL, _IOLBF, 0);
	around_fork();
	around_remap();
	around_protect();
	files();
	through_calls();
	return 0;
}
