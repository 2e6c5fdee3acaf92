/* What a handler sees of the registers and what it may change; FP and AVX state over a handler. */
#include "guest.h"
#include <cpuid.h>
#include <sys/ucontext.h>

static void
bump(int sig, siginfo_t *si, void *ucv)
{
	ucontext_t *uc = ucv;
	greg_t *g = uc->uc_mcontext.gregs;

	(void)sig;
	(void)si;
	P("rbx %#llx r12 %#llx r15 %#llx", g[REG_RBX], g[REG_R12], g[REG_R15]);
	P("cs %#llx carry %lld", g[REG_CSGSFS] & 0xffff, g[REG_EFL] & 1);
	g[REG_RBX] = 0x1111;
	g[REG_R12] = 0x2222;
	g[REG_R15]++;
	g[REG_EFL] ^= 1;
	g[REG_RIP] += 2;	/* over ud2 */
}

/* Overwrites everything that must come back. */
static void
clobber(int sig)
{
	(void)sig;
	__asm__ volatile("pxor %%xmm0, %%xmm0\n pcmpeqd %%xmm7, %%xmm7\n pxor %%xmm15, %%xmm15\n fninit\n fldz"
			 ::: "xmm0", "xmm7", "xmm15");
	if (__builtin_cpu_supports("avx"))
		__asm__ volatile("vzeroall" ::: "memory");
}

static void
set_fp(int sig, siginfo_t *si, void *ucv)
{
	ucontext_t *uc = ucv;

	(void)sig;
	(void)si;
	P("fpstate %s, mxcsr %#x, xmm3 %#x", uc->uc_mcontext.fpregs ? "given" : "none", uc->uc_mcontext.fpregs->mxcsr,
	    uc->uc_mcontext.fpregs->_xmm[3].element[0]);
	uc->uc_mcontext.fpregs->_xmm[3].element[0] = 0xabcd;
	uc->uc_mcontext.fpregs->cwd = 0x027f;
}

static void
block_more(int sig, siginfo_t *si, void *ucv)
{
	ucontext_t *uc = ucv;

	(void)sig;
	(void)si;
	sigaddset(&uc->uc_sigmask, SIGUSR2);
	sigdelset(&uc->uc_sigmask, SIGHUP);
}

int
main(void)
{
	struct sigaction sa = { .sa_sigaction = bump, .sa_flags = SA_SIGINFO };
	uint64_t rbx, r12, r15, carry;
	uint32_t x0[4] = { 1, 2, 3, 4 }, x7[4] = { 5, 6, 7, 8 }, y[8] = { 1, 2, 3, 4, 5, 6, 7, 8 };
	sigset_t m;

	sigaction(SIGILL, &sa, NULL);
	__asm__ volatile("mov $0xb0b, %%rbx\n mov $0xc0c, %%r12\n mov $0xf0f, %%r15\n clc\n ud2\n"
			 "mov %%rbx, %0\n mov %%r12, %1\n mov %%r15, %2\n setc %b3"
			 : "=&r"(rbx), "=&r"(r12), "=&r"(r15), "=&r"(carry) :: "rbx", "r12", "r15", "cc", "memory");
	P("rbx %#lx r12 %#lx r15 %#lx carry %lu", rbx, r12, r15, carry & 1);
	/* a signal from a call, in the middle of live SSE registers */
	set_sig(SIGUSR1, clobber);
	pid_t me = getpid();
	double top;
	__asm__ volatile("movdqu %1, %%xmm0\n movdqu %2, %%xmm7\n fninit\n fldpi\n"
			 "mov %3, %%edi\n mov $10, %%esi\n mov $62, %%eax\n syscall\n"
			 "movdqu %%xmm0, %1\n movdqu %%xmm7, %2\n fstpl %0"
			 : "=m"(top), "+m"(x0), "+m"(x7) : "r"(me)
			 : "rax", "rdi", "rsi", "rcx", "r11", "xmm0", "xmm7", "memory");
	P("xmm0 %u %u xmm7 %u %u st0 %.4f", x0[0], x0[3], x7[0], x7[3], top);
	if (__builtin_cpu_supports("avx")) {
		__asm__ volatile("vmovdqu %0, %%ymm5\n mov %1, %%edi\n mov $10, %%esi\n mov $62, %%eax\n syscall\n vmovdqu %%ymm5, %0"
				 : "+m"(y) : "r"(me) : "rax", "rdi", "rsi", "rcx", "r11", "memory");
	}
	P("upper half %u %u", y[4], y[7]);
	/* general registers over a plain call */
	uint64_t in[6] = { 11, 12, 13, 14, 15, 16 }, out[8];
	__asm__ volatile("mov 0(%1), %%rdi\n mov 8(%1), %%rsi\n mov 16(%1), %%rdx\n mov 24(%1), %%r10\n mov 32(%1), %%r8\n"
			 "mov 40(%1), %%r9\n mov $39, %%eax\n syscall\n"
			 "mov %%rdi, 0(%0)\n mov %%rsi, 8(%0)\n mov %%rdx, 16(%0)\n mov %%r10, 24(%0)\n mov %%r8, 32(%0)\n"
			 "mov %%r9, 40(%0)\n mov %%rcx, 48(%0)\n mov %%r11, 56(%0)"
			 :: "r"(out), "r"(in) : "rax", "rdi", "rsi", "rdx", "r10", "r8", "r9", "rcx", "r11", "memory", "cc");
	P("over a call: %lu %lu %lu %lu %lu %lu", out[0], out[1], out[2], out[3], out[4], out[5]);
	P("rcx points into the text: %s, r11 has flags: %s", out[6] > 0x400000 ? "yes" : "no", out[7] & 0x200 ? "yes" : "no");
	/* FP state changed by the handler */
	sa.sa_sigaction = set_fp;
	sigaction(SIGUSR1, &sa, NULL);
	uint32_t x3 = 0x55;
	unsigned short cw = 0;
	__asm__ volatile("movd %0, %%xmm3\n mov %2, %%edi\n mov $10, %%esi\n mov $62, %%eax\n syscall\n movd %%xmm3, %0\n fnstcw %1"
			 : "+r"(x3), "=m"(cw) : "r"(me) : "rax", "rdi", "rsi", "rcx", "r11", "xmm3", "memory");
	P("xmm3 %#x cw %#x", x3, cw);
	/* the mask a handler leaves behind */
	sigemptyset(&m);
	sigaddset(&m, SIGHUP);
	sigprocmask(SIG_SETMASK, &m, NULL);
	sa.sa_sigaction = block_more;
	sigaction(SIGUSR1, &sa, NULL);
	raise(SIGUSR1);
	sigprocmask(SIG_SETMASK, NULL, &m);
	P("mask: USR2 %d HUP %d USR1 %d", sigismember(&m, SIGUSR2), sigismember(&m, SIGHUP), sigismember(&m, SIGUSR1));
	/* new processes start with a clean unit, children inherit it */
	__asm__ volatile("fninit\n fldcw %0" :: "m"(cw));
	P("child: %s", wst(CHILD(unsigned short c2; __asm__ volatile("fnstcw %0" : "=m"(c2)); P("cw %#x", c2))));
	/* a made-up frame that lies: the process dies, nothing else */
	P("bare sigreturn: %s", wst(CHILD(raw6(SYS_rt_sigreturn, 0, 0, 0, 0, 0, 0))));
	P("sigreturn on a bad stack: %s", wst(CHILD(
		__asm__ volatile("mov $16, %%rsp\n mov $15, %%eax\n syscall" ::: "memory"))));
	return 0;
}
