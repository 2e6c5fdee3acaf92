/*
 * A file mapped over itself, as a dynamic linker does with the segments of a library: what is there afterwards is the
 * file's, whatever had become of the pages before.
 */
#include "guest.h"

#define PAGE	4096UL
#define PAGES	4UL
#define R	PROT_READ
#define RW	(PROT_READ | PROT_WRITE)
#define RX	(PROT_READ | PROT_EXEC)

/* A page of this program's own file that begins with a function. */
__asm__(".pushsection .text\n.balign 4096\nthe_page: mov $42, %eax\nret\n.rept 510\n.quad 0x56696c6c616765\n.endr\n"
    ".balign 4096\n.skip 4096 * 3, 0x5a\n.popsection");
extern const char the_page[];

static int fd;
static long off;		/* of that page in the file */

static void
find_page(void)
{
	char buf[PAGE];

	fd = (int)Q(open, "/proc/self/exe", O_RDONLY);
	if (fd < 0)
		die("own file: %s", res(fd));
	for (off = 0; Q(pread64, fd, buf, PAGE, off) == (long)PAGE; off += (long)PAGE) {
		if (memcmp(buf, the_page, PAGE) == 0)
			return;
	}
	die("own page not found");
}

/* [at, at + n pages) becomes pages `first` and on of the four, private. */
static void
over(char *at, size_t n, int prot, size_t first)
{
	long r = Q(mmap, at, n * PAGE, prot, MAP_PRIVATE | MAP_FIXED, fd, off + (long)(first * PAGE));

	if (r < 0 && r > -4096)
		die("mmap: %s", res(r));
}

/* The first byte of each page, and whether it runs. */
static void
pages(const char *what, const char *at, bool run)
{
	P("%s: %02x %02x %02x %02x%s", what, (unsigned char)at[0], (unsigned char)at[PAGE], (unsigned char)at[2 * PAGE],
	    (unsigned char)at[3 * PAGE], run ? "" : " (not run)");
	if (run)
		P("%s: returns %d", what, ((int (*)(void))(uintptr_t)at)());
}

static void
rights(const char *what, char *at)
{
	char line[512];
	FILE *f = fopen("/proc/self/maps", "r");
	unsigned long lo, hi;
	char prot[8];

	while (f != NULL && fgets(line, sizeof line, f)) {
		if (sscanf(line, "%lx-%lx %7s", &lo, &hi, prot) == 3 && hi > (unsigned long)at &&
		    lo < (unsigned long)at + PAGES * PAGE)
			P("%s: pages %ld to %ld %s", what, ((long)lo - (long)at) / (long)PAGE,
			    ((long)hi - (long)at) / (long)PAGE, prot);
	}
	if (f != NULL)
		fclose(f);
}

/* A load or a store there: the signal it raises, in a child. */
static void
touch(const char *what, char *at, bool write)
{
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		char c = *(volatile char *)at;

		if (write)
			*(volatile char *)at = c;
		_exit(0);
	}
	waitpid(pid, &status, 0);
	P("%s: %s %s", what, write ? "store" : "load", WIFSIGNALED(status) ? sig_name(WTERMSIG(status)) : "done");
}

/* Writes past its rights, as a debugger does. */
static void
poke(char *at)
{
	int mem = open("/proc/self/mem", O_RDWR);

	P("poke: %s", res(pwrite(mem, "P", 1, (off_t)(uintptr_t)at)));
	close(mem);
}

int
main(void)
{
	char *m;

	find_page();
	m = (char *)Q(mmap, NULL, 2 * PAGES * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	over(m, PAGES, R, 0);
	pages("whole", m, false);
	touch("whole", m, true);
	over(m, 2, RX, 0);
	over(m + 2 * PAGE, 1, R, 2);
	over(m + 3 * PAGE, 1, RW, 3);
	rights("linked", m);
	pages("linked", m, true);
	touch("linked, text", m, true);
	touch("linked, read-only", m + 2 * PAGE, true);
	touch("linked, data", m + 3 * PAGE, true);

	m[3 * PAGE] = 'd';
	pages("data written", m, true);
	over(m + 3 * PAGE, 1, R, 3);
	pages("data anew", m, true);
	touch("data anew", m + 3 * PAGE, true);

	S(mprotect, m, PAGES * PAGE, RW);
	m[0] = m[PAGE] = m[2 * PAGE] = m[3 * PAGE] = 'x';
	S(mprotect, m, PAGES * PAGE, R);
	over(m, 2, RX, 0);
	pages("half anew", m, true);
	over(m, PAGES, R, 0);
	pages("all anew", m, false);
	rights("all anew", m);

	poke(m + PAGE);
	pages("poked", m, false);
	over(m, PAGES, RX, 0);
	pages("after the poke", m, true);

	S(mprotect, m + PAGE, PAGE, PROT_NONE);
	over(m, PAGES, R, 0);
	pages("after none", m, false);
	S(madvise, m, PAGES * PAGE, MADV_DONTFORK);
	touch("dontfork", m, false);
	over(m, PAGES, RX, 0);
	touch("after dontfork", m, false);
	pages("after dontfork", m, true);

	/* Another place of the file. */
	over(m, PAGES - 1, R, 1);
	pages("moved on", m, false);
	over(m, PAGES, R, 0);
	pages("moved back", m, false);
	S(mprotect, m, PAGES * PAGE, RX);
	pages("runs", m, true);
	Q(mremap, m, PAGES * PAGE, PAGES * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, m + PAGES * PAGE);
	over(m + PAGES * PAGE, PAGES, R, 0);
	pages("elsewhere", m + PAGES * PAGE, false);
	rights("elsewhere", m + PAGES * PAGE);
	return 0;
}
