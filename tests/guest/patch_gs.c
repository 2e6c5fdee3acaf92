/*
 * What lies beside the general registers over many calls at the same places: %gs and %fs, x87, vector
 * registers and their control words, with signal handlers, forks and new threads in between.
 */
#include "guest.h"
#include <asm/prctl.h>

struct fp {
	uint8_t		xmm[16][16];
	double		st[3];
	uint32_t	mxcsr;
	uint16_t	cw;
};

/* Loads all of *f, makes the call nr n times, stores into *f. */
static void __attribute__((noinline))
calls_with_fp(struct fp *f, long nr, long a, int n)
{
	struct fp out;
	uint32_t mxcsr_was;
	uint16_t cw_was;

	__asm__ volatile(
		"stmxcsr %[mw]\n fnstcw %[cww]\n"
		"ldmxcsr %[mx]\n fninit\n fldcw %[cw]\n"
		"fldl %[st0]\n fldl %[st1]\n fldl %[st2]\n"
		"movups 0(%[x]), %%xmm0\n movups 16(%[x]), %%xmm1\n movups 32(%[x]), %%xmm2\n movups 48(%[x]), %%xmm3\n"
		"movups 64(%[x]), %%xmm4\n movups 80(%[x]), %%xmm5\n movups 96(%[x]), %%xmm6\n movups 112(%[x]), %%xmm7\n"
		"movups 128(%[x]), %%xmm8\n movups 144(%[x]), %%xmm9\n movups 160(%[x]), %%xmm10\n movups 176(%[x]), %%xmm11\n"
		"movups 192(%[x]), %%xmm12\n movups 208(%[x]), %%xmm13\n movups 224(%[x]), %%xmm14\n movups 240(%[x]), %%xmm15\n"
		"1: mov %[nr], %%rax\n mov %[a], %%rdi\n"
		"syscall\n"
		"cmp $-4096, %%rax\n"
		"dec %[n]\n jnz 1b\n"
		"movups %%xmm0, 0(%[y])\n movups %%xmm1, 16(%[y])\n movups %%xmm2, 32(%[y])\n movups %%xmm3, 48(%[y])\n"
		"movups %%xmm4, 64(%[y])\n movups %%xmm5, 80(%[y])\n movups %%xmm6, 96(%[y])\n movups %%xmm7, 112(%[y])\n"
		"movups %%xmm8, 128(%[y])\n movups %%xmm9, 144(%[y])\n movups %%xmm10, 160(%[y])\n movups %%xmm11, 176(%[y])\n"
		"movups %%xmm12, 192(%[y])\n movups %%xmm13, 208(%[y])\n movups %%xmm14, 224(%[y])\n movups %%xmm15, 240(%[y])\n"
		"fstpl %[o2]\n fstpl %[o1]\n fstpl %[o0]\n"
		"stmxcsr %[omx]\n fnstcw %[ocw]\n"
		"fninit\n fldcw %[cww]\n ldmxcsr %[mw]\n"
		: [n] "+r"(n), [o0] "=m"(out.st[0]), [o1] "=m"(out.st[1]), [o2] "=m"(out.st[2]), [omx] "=m"(out.mxcsr),
		  [ocw] "=m"(out.cw), [mw] "=m"(mxcsr_was), [cww] "=m"(cw_was)
		: [x] "r"(f->xmm), [y] "r"(out.xmm), [nr] "r"(nr), [a] "r"(a), [mx] "m"(f->mxcsr), [cw] "m"(f->cw),
		  [st0] "m"(f->st[0]), [st1] "m"(f->st[1]), [st2] "m"(f->st[2])
		: "rax", "rdi", "rcx", "r11", "memory", "cc", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7",
		  "xmm8", "xmm9", "xmm10", "xmm11", "xmm12", "xmm13", "xmm14", "xmm15");
	*f = out;
}

static void
fp_fill(struct fp *f, int seed)
{
	memset(f, 0, sizeof *f);
	for (int i = 0; i < 16; i++) {
		for (int k = 0; k < 16; k++)
			f->xmm[i][k] = (uint8_t)(seed * 31 + i * 17 + k);
	}
	for (int i = 0; i < 3; i++)
		f->st[i] = seed + i * 1.25;
	f->mxcsr = seed & 1 ? 0x1f80 : 0x5f80;		/* rounding */
	f->cw = seed & 1 ? 0x37f : 0xf7f;
}

static int
fp_try(int seed, long nr, long a, int n)
{
	struct fp want, f;

	memset(&f, 0, sizeof f);
	fp_fill(&want, seed);
	fp_fill(&f, seed);
	calls_with_fp(&f, nr, a, n);
	return memcmp(f.xmm, want.xmm, sizeof f.xmm) != 0 || memcmp(f.st, want.st, sizeof f.st) != 0 ||
	    f.mxcsr != want.mxcsr || f.cw != want.cw;
}

static volatile int spoiled, handled;

/* Uses all of them for its own. */
static void
spoil(int sig)
{
	(void)sig;
	handled++;
	spoiled += fp_try(handled % 50, SYS_getppid, 0, 3);
	__asm__ volatile("pcmpeqd %%xmm0, %%xmm0\n movaps %%xmm0, %%xmm7\n movaps %%xmm0, %%xmm15\n fninit\n" ::: "xmm0", "xmm7", "xmm15");
}

/* Adds to the lanes of an xmm register in the frame: what a handler changes there holds. */
static void
poke_fp(int sig, siginfo_t *si, void *uc_)
{
	ucontext_t *uc = uc_;

	(void)sig, (void)si;
	uc->uc_mcontext.fpregs->_xmm[3].element[0] = 0x12345678;
}

static void
fp_alone(void)
{
	struct itimerval on = { { 0, 300 }, { 0, 300 } }, off = { 0 };
	int wrong = 0;

	for (int i = 0; i < 50; i++)
		wrong += fp_try(i, i % 2 ? SYS_getpid : SYS_close, -1, 20);
	P("calls: %d wrong", wrong);
	signal(SIGALRM, spoil);
	setitimer(ITIMER_REAL, &on, NULL);
	for (int i = 0; i < 200; i++)
		wrong += fp_try(i, i % 3 == 0 ? SYS_getpid : i % 3 == 1 ? SYS_close : SYS_sched_yield, -1, 50);
	setitimer(ITIMER_REAL, &off, NULL);
	P("under a timer: %d wrong, %d in the handler", wrong, spoiled);
	signal(SIGUSR1, spoil);
	for (int i = 0; i < 100; i++) {
		Q(kill, getpid(), SIGUSR1);
		wrong += fp_try(i, SYS_getuid, 0, 5);
	}
	P("with kill: %d wrong, %d in the handler", wrong, spoiled);
	struct sigaction sa = { .sa_sigaction = poke_fp, .sa_flags = SA_SIGINFO };
	sigaction(SIGUSR2, &sa, NULL);
	for (int i = 0; i < 5; i++) {
		struct fp g;
		uint32_t lane;
		sigset_t set;

		/* made pending first, then let in by a call at the site */
		sigemptyset(&set);
		sigaddset(&set, SIGUSR2);
		sigprocmask(SIG_BLOCK, &set, NULL);
		Q(kill, getpid(), SIGUSR2);
		fp_fill(&g, 7);
		sigemptyset(&set);
		__asm__ volatile("movups %1, %%xmm3\n mov $14, %%eax\n mov $2, %%edi\n mov %2, %%rsi\n xor %%edx, %%edx\n mov $8, %%r10d\n"
				 "syscall\n movd %%xmm3, %0\n"
				 : "=r"(lane) : "m"(g.xmm), "r"(&set) : "rax", "rdi", "rsi", "rdx", "r10", "rcx", "r11", "memory", "xmm3");
		P("changed by a handler: %#x", lane);
	}
}

/* A child and a new thread begin with what their maker has. */
static void
fp_inherited(void)
{
	struct { uint8_t b[16]; } v;
	int wrong = 0, st;

	for (int i = 0; i < 20; i++) {
		long r;

		memset(&v, 0x30 + i, sizeof v);
		__asm__ volatile("movups %[v], %%xmm9\n"
				 "mov $57, %%eax\n syscall\n"
				 "test %%rax, %%rax\n"
				 "movups %%xmm9, %[v]\n"
				 : "=&a"(r), [v] "+m"(v) :: "rcx", "r11", "memory", "xmm9");
		for (int k = 0; k < 16; k++)
			wrong += v.b[k] != 0x30 + i;
		if (r == 0)
			_exit(wrong != 0);
		waitpid((pid_t)r, &st, 0);
		wrong += st != 0;
	}
	P("fork: %d wrong", wrong);
	for (int i = 0; i < 20; i++) {
		static char stack[16384] __attribute__((aligned(16)));
		static volatile int done, seen;
		long r, flags = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM;

		done = 0;
		memset(&v, 0x50 + i, sizeof v);
		__asm__ volatile("movups %[v], %%xmm9\n"
				 "xor %%edx, %%edx\n xor %%r10d, %%r10d\n xor %%r8d, %%r8d\n"
				 "mov $56, %%eax\n syscall\n"
				 "test %%rax, %%rax\n jnz 1f\n"
				 "movd %%xmm9, %%ecx\n mov %%ecx, %[seen]\n movl $1, %[done]\n"
				 "mov $60, %%eax\n xor %%edi, %%edi\n syscall\n"
				 "1:\n"
				 : "=&a"(r), [seen] "=m"(seen), [done] "+m"(done) : [v] "m"(v), "D"(flags), "S"(stack + sizeof stack)
				 : "rcx", "r11", "rdx", "r10", "r8", "memory", "xmm9");
		if (r < 0)
			die("clone");
		UNTIL(done);
		wrong += seen != (int)(0x01010101u * (unsigned)(0x50 + i));
		nap(1);
	}
	P("clone: %d wrong", wrong);
}

/* ---- %gs -------------------------------------------------------------------------------- */

static uint64_t blocks[8][4];
static volatile int bad;

static uint64_t
gs_word(int n)
{
	uint64_t v;

	if (n == 0)
		__asm__ volatile("mov %%gs:0, %0" : "=r"(v));
	else
		__asm__ volatile("mov %%gs:8, %0" : "=r"(v));
	return v;
}

static void *
gs_main(void *arg)
{
	int i = (int)(intptr_t)arg;
	uint64_t gs = 1, fs = 0, fs2 = 0;
	struct stat st;

	Q(arch_prctl, ARCH_GET_FS, &fs);
	for (int n = 0; n < 300; n++) {
		if (i % 2) {
			/* changed now and then, to zero and back too */
			if (n % 50 == 0) {
				blocks[i][0] = (uint64_t)(i * 1000 + n);
				blocks[i][1] = ~blocks[i][0];
				bad += Q(arch_prctl, ARCH_SET_GS, blocks[i]) != 0;
			}
			bad += gs_word(0) != blocks[i][0];
		}
		bad += Q(getpid) != getpid();
		bad += Q(stat, "/", &st) != 0 || !S_ISDIR(st.st_mode);
		bad += Q(close, -1) != -EBADF;
		Q(sched_yield);
		if (i % 2)
			bad += gs_word(1) != ~blocks[i][0];
		bad += Q(arch_prctl, ARCH_GET_GS, &gs) != 0 || gs != (i % 2 ? (uintptr_t)blocks[i] : 0);
	}
	Q(arch_prctl, ARCH_GET_FS, &fs2);
	bad += fs != fs2;
	return NULL;
}

static void
in_handler(int sig)
{
	uint64_t gs = 1;

	(void)sig;
	handled++;
	Q(arch_prctl, ARCH_GET_GS, &gs);
	bad += gs != 0 && gs_word(1) != ~gs_word(0);
}

static void
gs(void)
{
	struct itimerval on = { { 0, 500 }, { 0, 500 } }, off = { 0 };
	pthread_t t[8];
	uint64_t v = 1;
	int st;

	signal(SIGALRM, in_handler);
	setitimer(ITIMER_REAL, &on, NULL);
	for (int i = 0; i < 8; i++)
		pthread_create(&t[i], NULL, gs_main, (void *)(intptr_t)i);
	for (int i = 0; i < 8; i++)
		pthread_join(t[i], NULL);
	setitimer(ITIMER_REAL, &off, NULL);
	P("threads with and without: %d wrong", bad);
	S(arch_prctl, ARCH_GET_GS, &v);
	P("here %lu", (unsigned long)v);
	blocks[0][0] = 77;
	blocks[0][1] = ~77UL;
	S(arch_prctl, ARCH_SET_GS, blocks[0]);
	for (int i = 0; i < 10; i++) {
		st = CHILD(_exit(gs_word(0) != 77 || getpid() == getppid() || gs_word(1) != ~77UL));
		bad += st != 0;
	}
	P("children: %d wrong", bad);
	S(arch_prctl, ARCH_SET_GS, 0);
	for (int i = 0; i < 10; i++)
		bad += Q(close, -1) != -EBADF || Q(getpid) != getpid();
	S(arch_prctl, ARCH_GET_GS, &v);
	P("zero again: %lu, %d wrong", (unsigned long)v, bad);
	P("of a child without: %s", wst(CHILD(Q(arch_prctl, ARCH_SET_GS, blocks[0]); gs_word(0); Q(arch_prctl, ARCH_SET_GS, 0); gs_word(1))));
}

int
main(void)
{
	fp_alone();
	fp_inherited();
	gs();
	return 0;
}
