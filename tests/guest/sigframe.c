/*
 * The frame of a signal handler as bytes: how the FP image lies in it, with what state a handler begins, what comes
 * back, and what rt_sigreturn makes of images that the handler has changed.  Every case is done many times from one
 * call instruction, as calls that are made often take another way in the sandbox.
 */
#include "guest.h"
#include <setjmp.h>
#include <sys/ucontext.h>

#define ROUNDS	12
#define SW_OFF	464
#define BV_OFF	512
#define MAGIC1	0x46505853u
#define MAGIC2	0x46505845u

struct fp {
	uint32_t	ymm[8];		/* of register 9 */
	uint32_t	mxcsr;
	uint16_t	cw, pad;
};

static const struct fp ours = { { 1, 2, 3, 4, 5, 6, 7, 8 }, 0x7f80, 0x27f, 0 };
static struct fp clean, after, inner, begun, begun2;
static int avx;
static char *altstack;
static volatile int what;
static sigjmp_buf env;

/* rdi what to load, rsi what to store afterwards, rdx and rcx the arguments of call r8, r9 whether there is AVX. */
void fire(const struct fp *in, struct fp *out, long a, long b, long nr, long has_avx);
__asm__(
	".text\n"
	".globl fire\n"
"fire:\n"
	"push %rbx\n push %rbp\n push %r12\n"
	"mov %rsi, %rbx\n mov %r9, %rbp\n"
	"ldmxcsr 32(%rdi)\n fldcw 36(%rdi)\n movdqu (%rdi), %xmm9\n"
	"test %rbp, %rbp\n jz 1f\n vmovdqu (%rdi), %ymm9\n"
"1:	mov %rdx, %rdi\n mov %rcx, %rsi\n xor %edx, %edx\n mov $8, %r10d\n mov %r8, %rax\n"
	"syscall\n"
	"mov %rax, %r12\n"
	"stmxcsr 32(%rbx)\n fnstcw 36(%rbx)\n movdqu %xmm9, (%rbx)\n"
	"test %rbp, %rbp\n jz 2f\n vmovdqu %ymm9, (%rbx)\n vzeroupper\n"
"2:	mov %r12, %rax\n pop %r12\n pop %rbp\n pop %rbx\n"
	"ret\n"
);

static inline __attribute__((always_inline)) void
fp_now(struct fp *f)
{
	__asm__ volatile("stmxcsr 32(%0)\n fnstcw 36(%0)\n movdqu %%xmm9, (%0)" :: "r"(f) : "memory");
	if (avx)
		__asm__ volatile("vmovdqu %%ymm9, (%0)" :: "r"(f) : "memory");
}

static uint32_t
word(const void *p, size_t off)
{
	uint32_t v;

	memcpy(&v, (const char *)p + off, 4);
	return v;
}

static void
word_set(void *p, size_t off, uint32_t v)
{
	memcpy((char *)p + off, &v, 4);
}

static const char *
text(const struct fp *f)
{
	static char buf[4][128];
	static int at;
	char *s = buf[at++ % 4];

	snprintf(s, sizeof buf[0], "mxcsr %#x cw %#x ymm %u %u %u %u", f->mxcsr, f->cw, f->ymm[0], f->ymm[3], f->ymm[4], f->ymm[7]);
	return s;
}

static void
fire_ours(long nr, long a, long b)
{
	memset(&after, 0, sizeof after);
	fire(&ours, &after, a, b, nr, avx);
	__asm__ volatile("ldmxcsr %0\n fldcw %1" :: "m"(clean.mxcsr), "m"(clean.cw));
}

/* ---- the layout ---------------------------------------------------------------------- */

static volatile int odd;

static void
layout(int sig, siginfo_t *si, void *ucv)
{
	ucontext_t *uc = ucv;
	char *fp = (char *)uc->uc_mcontext.fpregs;
	uint32_t size = word(fp, SW_OFF + 16);

	fp_now(&begun);
	(void)sig;
	odd |= fp - (char *)uc != 448;
	odd |= ((uintptr_t)fp & 63) != 0 ? 2 : 0;
	odd |= (char *)si - (char *)uc != 304 ? 4 : 0;
	odd |= word(fp, SW_OFF) != MAGIC1 || word(fp, SW_OFF + 4) != size + 4 || word(fp, size) != MAGIC2 ? 8 : 0;
	for (int i = SW_OFF + 20; i < 512; i++)
		odd |= fp[i] != 0 ? 16 : 0;
	for (int i = BV_OFF + 8; i < BV_OFF + 64; i++)
		odd |= fp[i] != 0 ? 32 : 0;
	odd |= word(fp, BV_OFF) & ~word(fp, SW_OFF + 8) ? 64 : 0;
	odd |= (uc->uc_flags & 7) != 7 ? 128 : 0;
	odd |= word(fp, 24) != ours.mxcsr || word(fp, 160 + 9 * 16) != ours.ymm[0] ? 256 : 0;
	odd |= avx && word(fp, 576 + 9 * 16) != ours.ymm[4] ? 512 : 0;
}

static void
layouts(bool on_alt)
{
	struct sigaction sa = { .sa_sigaction = layout, .sa_flags = SA_SIGINFO | (on_alt ? SA_ONSTACK : 0) };

	sigaction(SIGUSR1, &sa, NULL);
	for (int i = 0; i < ROUNDS; i++) {
		memset(altstack, 0xff, 65536);
		fire_ours(SYS_kill, getpid(), SIGUSR1);
	}
	P("layout: %d; begins with %s; goes on with %s", odd, text(&begun), text(&after));
}

/* ---- two at once, one in another ------------------------------------------------------- */

static char order[64];

static void
first(int sig, siginfo_t *si, void *ucv)
{
	ucontext_t *uc = ucv;
	char *fp = (char *)uc->uc_mcontext.fpregs;

	fp_now(sig == SIGUSR1 ? &begun : &begun2);
	(void)si;
	snprintf(order + strlen(order), sizeof order - strlen(order), " %d:%u,%#x", sig == SIGUSR1, word(fp, 160 + 9 * 16), word(fp, 24));
}

static void
again(int sig, siginfo_t *si, void *ucv)
{
	static const struct fp its = { { 11, 12, 13, 14, 15, 16, 17, 18 }, 0x3f80, 0x37f, 0 };

	(void)si, (void)ucv;
	fp_now(what == 2 ? &begun : &begun2);
	if (what-- > 0)
		fire(&its, &inner, getpid(), sig, SYS_kill, avx);
}

static void
several(void)
{
	struct sigaction sa = { .sa_sigaction = first, .sa_flags = SA_SIGINFO };
	sigset_t both;

	sigaction(SIGUSR1, &sa, NULL);
	sigaction(SIGUSR2, &sa, NULL);
	sigemptyset(&both);
	sigaddset(&both, SIGUSR1);
	sigaddset(&both, SIGUSR2);
	for (int i = 0; i < ROUNDS; i++) {
		order[0] = 0;
		sigprocmask(SIG_SETMASK, &both, NULL);
		raise(SIGUSR1);
		raise(SIGUSR2);
		fire_ours(SYS_rt_sigprocmask, SIG_UNBLOCK, (long)&both);
	}
	P("two at once:%s; %s; %s; then %s", order, text(&begun), text(&begun2), text(&after));
	sa.sa_sigaction = again;
	sa.sa_flags |= SA_NODEFER;
	sigaction(SIGUSR1, &sa, NULL);
	for (int i = 0; i < ROUNDS; i++) {
		what = 2;
		fire_ours(SYS_kill, getpid(), SIGUSR1);
	}
	P("nested: %s; %s; inner %s; then %s", text(&begun), text(&begun2), text(&inner), text(&after));
}

/* ---- images that a handler has changed --------------------------------------------------- */

static char elsewhere[16384] __attribute__((aligned(64)));

static const char *const change_names[] = {
	"nothing", "register", "mxcsr reserved", "compaction", "reserved header", "bit 62", "feature not there", "magic1", "magic2",
	"features: SSE", "state: x87", "no image", "image elsewhere", "image 16 off", "image at a bad place",
	"shorter", "much shorter", "longer", "extended too short", "rip not canonical", "rip of the kernel",
	"image at the end of a page", "plain image at the end of a page",
};

static void
image_move(ucontext_t *uc, char *to, size_t n)
{
	memcpy(to, uc->uc_mcontext.fpregs, n);
	word_set(to, 160 + 9 * 16, 78);
	uc->uc_mcontext.fpregs = (void *)to;
}

static void
change(int sig, siginfo_t *si, void *ucv)
{
	ucontext_t *uc = ucv;
	char *fp = (char *)uc->uc_mcontext.fpregs, *end = altstack + 131072;
	uint32_t size = word(fp, SW_OFF + 16);

	(void)sig, (void)si;
	word_set(fp, 160 + 9 * 16, 77);
	switch (what) {
	case 1: if (avx) word_set(fp, 576 + 9 * 16, 79); break;
	case 2: word_set(fp, 24, 0xffff0000); break;
	case 3: word_set(fp, BV_OFF + 12, 0x80000000); break;
	case 4: word_set(fp, BV_OFF + 24, 1); break;
	case 5: word_set(fp, BV_OFF + 4, 0x40000000); break;
	case 6: word_set(fp, BV_OFF, word(fp, BV_OFF) | 1u << 30); break;
	case 7: word_set(fp, SW_OFF, 0); break;
	case 8: word_set(fp, size, 0); break;
	case 9: word_set(fp, SW_OFF + 8, 3); break;
	case 10: word_set(fp, BV_OFF, 1); break;
	case 11: uc->uc_mcontext.fpregs = NULL; break;
	case 12: image_move(uc, elsewhere, size + 4); break;
	case 13: image_move(uc, elsewhere + 16, size + 4); break;
	case 14: uc->uc_mcontext.fpregs = BAD; break;
	case 15: word_set(fp, SW_OFF + 16, 832); word_set(fp, 832, MAGIC2); word_set(fp, SW_OFF + 8, 7); break;
	case 16: word_set(fp, SW_OFF + 16, 512); word_set(fp, 512, MAGIC2); break;
	case 17: word_set(fp, SW_OFF + 16, size + 64); break;
	case 18: word_set(fp, SW_OFF + 4, size - 64); break;
	case 19: uc->uc_mcontext.gregs[REG_RIP] = (greg_t)0x8000000000001000; break;
	case 20: uc->uc_mcontext.gregs[REG_RIP] = (greg_t)0xffffffff80000000; break;
	case 21: image_move(uc, end - ((size + 4 + 63) & ~63u), size + 4); break;
	case 22: image_move(uc, end - 512, 512); word_set(end - 512, SW_OFF, 0); break;
	}
}

static void
on_segv(int sig, siginfo_t *si, void *ucv)
{
	ucontext_t *uc = ucv;
	char *fp = (char *)uc->uc_mcontext.fpregs;

	(void)sig;
	snprintf(order, sizeof order, "code %d, mxcsr %#x xmm %u", si->si_code, word(fp, 24), word(fp, 160 + 9 * 16));
	siglongjmp(env, 1);
}

static void
changes(void)
{
	struct sigaction sa = { .sa_sigaction = change, .sa_flags = SA_SIGINFO };

	sigaction(SIGUSR1, &sa, NULL);
	sa.sa_sigaction = on_segv;
	sa.sa_flags |= SA_ONSTACK;
	sigaction(SIGSEGV, &sa, NULL);
	for (int k = 0; k < (int)N_OF(change_names); k++) {
		volatile bool bad = false;

		for (volatile int i = 0; i < ROUNDS; i++) {
			if (sigsetjmp(env, 1)) {
				__asm__ volatile("ldmxcsr %0\n fldcw %1" :: "m"(clean.mxcsr), "m"(clean.cw));
				bad = true;
				continue;
			}
			what = k;
			fire_ours(SYS_kill, getpid(), SIGUSR1);
		}
		P("%s: %s", change_names[k], bad ? order : text(&after));
	}
}

/* ---- where the frame lies ------------------------------------------------------------------ */

static void
stacks(void)
{
	struct sigaction sa = { .sa_sigaction = layout, .sa_flags = SA_SIGINFO | SA_ONSTACK };
	stack_t ss = { .ss_size = 16384 };

	odd = 0;
	sigaction(SIGUSR1, &sa, NULL);
	for (int i = 0; i < ROUNDS; i++) {
		/* nobody has touched it yet */
		ss.ss_sp = mmap(NULL, 16384 + 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		mprotect((char *)ss.ss_sp + 16384, 4096, PROT_NONE);
		sigaltstack(&ss, NULL);
		fire_ours(SYS_kill, getpid(), SIGUSR1);
	}
	P("fresh stack: %d; %s", odd, text(&after));
	P("read-only stack: %s", wst(CHILD(
		for (int i = 0; i < ROUNDS; i++) {
			if (i == ROUNDS - 1)
				mprotect(ss.ss_sp, 16384, PROT_READ);
			fire_ours(SYS_kill, getpid(), SIGUSR1);
		})));
	P("image over two pages, the lower one read-only: %s", wst(CHILD(
		ss.ss_sp = (char *)ss.ss_sp + 12288 - 8192 + 1024;
		ss.ss_size = 8192;
		sigaltstack(&ss, NULL);
		for (int i = 0; i < ROUNDS; i++) {
			if (i == ROUNDS - 1)
				mprotect((char *)ss.ss_sp - 1024, 8192, PROT_READ);
			fire_ours(SYS_kill, getpid(), SIGUSR1);
		})));
	ss.ss_flags = SS_DISABLE;
	sigaltstack(&ss, NULL);
}

/* The stack grows, and what nobody has touched is touched, between two uses of a register. */
static void
faults(void)
{
	char *fresh = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char *stack = __builtin_frame_address(0);
	uint32_t x[4];
	int lost = 0;

	for (int i = 1; i < 200; i++) {
		char *p = i % 2 ? fresh + i * 4096 : stack - i * 4096;

		__asm__ volatile("pcmpeqd %%xmm9, %%xmm9\n orb $0, (%1)\n movdqu %%xmm9, %0" : "=m"(x) : "r"(p) : "xmm9", "memory", "cc");
		lost += x[0] != ~0u;
	}
	P("lost over faults: %d", lost);
}

int
main(void)
{
	stack_t ss = { .ss_size = 65536 };

	avx = __builtin_cpu_supports("avx") != 0;
	fp_now(&clean);
	altstack = mmap(NULL, 131072 + 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	mprotect(altstack + 131072, 4096, PROT_NONE);
	ss.ss_sp = altstack;
	layouts(false);
	sigaltstack(&ss, NULL);
	layouts(true);
	several();
	changes();
	stacks();
	faults();
	return 0;
}
