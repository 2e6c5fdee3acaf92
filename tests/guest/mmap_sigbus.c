/* Faults on mappings: past the end of a file, after truncation, calls that meet them. */
#include "guest.h"
#include <setjmp.h>

static sigjmp_buf back;
static char *fault_base;

static void
on_fault(int sig, siginfo_t *si, void *uc)
{
	(void)uc;
	P("%s %s at page %ld", sig_name(sig), si_code_name(sig, si->si_code),
	    (long)((char *)si->si_addr - fault_base) / 4096);
	siglongjmp(back, 1);
}

#define TRY(what, ...) do { \
	if (sigsetjmp(back, 1) == 0) { \
		__VA_ARGS__; \
		P("%s: fine", what); \
	} else { \
		P("%s: faulted", what); \
	} \
} while (0)

int
main(void)
{
	struct sigaction sa = { .sa_sigaction = on_fault, .sa_flags = SA_SIGINFO };
	volatile char *a;
	char buf[16];
	int fd;

	scratch();
	sigaction(SIGBUS, &sa, NULL);
	sigaction(SIGSEGV, &sa, NULL);
	fd = open("f", O_RDWR | O_CREAT, 0644);
	ftruncate(fd, 5000);
	a = mmap(NULL, 4 * 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	fault_base = (char *)a;
	TRY("read page 0", (void)a[0]);
	TRY("write in the last page", a[8191] = 1);
	TRY("read page 2", (void)a[2 * 4096]);
	TRY("write page 3", a[3 * 4096 + 5] = 1);
	S(read, 0, (char *)a + 8192, 0);
	S(pwrite64, fd, (char *)a + 8192, 4, 0);
	S(stat, (char *)a + 8192, buf);
	P("extend: %s", ok(ftruncate(fd, 4 * 4096)));
	TRY("write page 3", a[3 * 4096 + 5] = 1);
	P("cut: %s", ok(ftruncate(fd, 4096)));
	TRY("read page 1", (void)a[4096]);
	TRY("read page 0", (void)a[0]);
	ftruncate(fd, 3 * 4096);
	TRY("page 1 is zero again", P("%d", a[4096]));
	/* the same with a private mapping, and a page of one's own that a cut takes away */
	a = mmap(NULL, 2 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 4096);
	fault_base = (char *)a;
	a[0] = 'p';
	a[4096] = 'q';
	ftruncate(fd, 4096);
	TRY("private page after the cut", (void)a[0]);
	munmap((char *)a, 8192);
	TRY("unmapped", (void)a[0]);
	a = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	fault_base = (char *)a;
	TRY("no access", (void)a[0]);
	mprotect((char *)a, 4096, PROT_READ);
	TRY("read only", a[0] = 1);
	TRY("read only, read", (void)a[0]);
	P("unhandled: %s", wst(CHILD(
		set_sig(SIGBUS, SIG_DFL);
		int f2 = open("g", O_RDWR | O_CREAT, 0644);
		volatile char *m = mmap(NULL, 4096, PROT_READ, MAP_SHARED, f2, 0);
		(void)m[0];
	)));
	return 0;
}
