/* The stack grows by itself, down to its limit and no further. */
#include "guest.h"

static int __attribute__((noinline))
deep(int n)
{
	volatile char frame[8192];

	frame[0] = n;
	return n == 0 ? frame[0] : deep(n - 1) + (frame[0] & 0);
}

/* It is meant to. */
#pragma GCC diagnostic ignored "-Winfinite-recursion"
static int __attribute__((noinline))
endless(int n)
{
	volatile char frame[4096];

	frame[0] = n;
	return endless(n + 1) + frame[0];
}

static void
on_segv(int sig, siginfo_t *si, void *uc)
{
	(void)uc;
	P("handler on the other stack: %s, near %s", sig_name(sig), si->si_addr ? "somewhere" : "null");
	_exit(5);
}

int
main(void)
{
	struct rlimit rl;

	getrlimit(RLIMIT_STACK, &rl);
	P("4 MiB deep: %d", deep(512));
	P("child: %s", wst(CHILD(P("%d", deep(600)))));
	P("overflow: %s", wst(CHILD(
		struct rlimit small = { 1 << 20, rl.rlim_max };
		setrlimit(RLIMIT_STACK, &small);
		endless(0);
	)));
	P("overflow with a handler: %s", wst(CHILD(
		stack_t ss = { .ss_sp = malloc(65536), .ss_size = 65536 };
		struct sigaction sa = { .sa_sigaction = on_segv, .sa_flags = SA_SIGINFO | SA_ONSTACK };
		struct rlimit small = { 1 << 20, rl.rlim_max };
		setrlimit(RLIMIT_STACK, &small);
		sigaltstack(&ss, NULL);
		sigaction(SIGSEGV, &sa, NULL);
		endless(0);
	)));
	P("overflow with a handler but no stack: %s", wst(CHILD(
		struct sigaction sa = { .sa_sigaction = on_segv, .sa_flags = SA_SIGINFO };
		struct rlimit small = { 1 << 20, rl.rlim_max };
		setrlimit(RLIMIT_STACK, &small);
		sigaction(SIGSEGV, &sa, NULL);
		endless(0);
	)));
	/* a call may write below the pointer as well: the kernel grows the stack for its own copy */
	P("copy far below: %s", wst(CHILD(
		char here;
		char *far = (char *)(((uintptr_t)&here - 300000) & ~4095UL);
		int p[2];
		pipe(p);
		write(p[1], "abc", 3);
		S(read, p[0], far, 3);
		P("%s", txt(far, 3));
	)));
	/* a region of its own that grows down */
	char *g = mmap(NULL, 1024 * 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	munmap(g, 1024 * 4096);
	g = mmap(g + 1000 * 4096, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_GROWSDOWN | MAP_FIXED, -1, 0);
	P("grows down: %s", g == MAP_FAILED ? err_name(errno) : wst(CHILD(
		g[-1] = 1;
		g[-4097] = 1;
		P("%d%d", g[-1], g[-4097]);
	)));
	return 0;
}
