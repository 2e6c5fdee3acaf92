/* Hardware faults as signals: codes, addresses, trap numbers, the saved instruction pointer. */
#include "guest.h"
#include <setjmp.h>
#include <sys/ucontext.h>

static sigjmp_buf back;
static char *page;
static bool advance;

static void
on_fault(int sig, siginfo_t *si, void *ucv)
{
	ucontext_t *uc = ucv;
	greg_t *g = uc->uc_mcontext.gregs;
	const char *where;

	where = si->si_addr == page ? "page" : si->si_addr == NULL ? "null" :
	    (greg_t)si->si_addr == g[REG_RIP] ? "rip" : (char *)si->si_addr == page + 123 ? "page+123" : "elsewhere";

	/* the alignment check would still be on, and printing is not careful about alignment */
	__asm__ volatile("pushfq\n andl $~0x40000, (%%rsp)\n popfq" ::: "memory", "cc");
	P("%s %s addr %s trapno %lld err %#llx cr2 %s", sig_name(sig), si_code_name(sig, si->si_code), where, g[REG_TRAPNO],
	    g[REG_TRAPNO] == 14 ? g[REG_ERR] : 0, g[REG_TRAPNO] != 14 ? "-" : g[REG_CR2] == (greg_t)si->si_addr ? "same" : "?");
	if (advance)
		return;
	siglongjmp(back, 1);
}

#define TRY(what, ...) do { \
	P("%s:", what); \
	if (sigsetjmp(back, 1) == 0) { \
		__VA_ARGS__; \
		P("went on"); \
	} \
} while (0)

int
main(void)
{
	struct sigaction sa = { .sa_sigaction = on_fault, .sa_flags = SA_SIGINFO };
	int sigs[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP };
	volatile int zero = 0, one = 1;

	for (size_t i = 0; i < N_OF(sigs); i++)
		sigaction(sigs[i], &sa, NULL);
	page = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	TRY("read of null", (void)*(volatile char *)NULL);
	TRY("write to null", *(volatile char *)NULL = 1);
	TRY("read of no access", (void)*(volatile char *)page);
	TRY("write inside no access", *(volatile char *)(page + 123) = 1);
	TRY("execute no access", ((void (*)(void))page)());
	TRY("non-canonical", (void)*(volatile char *)0x8000000000000000UL);
	TRY("kernel address", (void)*(volatile char *)0xffffffff80000000UL);
	TRY("division", zero = one / zero);
	TRY("smallest by minus one", __asm__ volatile("mov $0x80000000, %%eax\n cltd\n mov $-1, %%ecx\n idivl %%ecx" ::: "eax", "ecx", "edx"));
	TRY("undefined", __asm__ volatile("ud2"));
	TRY("breakpoint", advance = true; __asm__ volatile("int3"));
	TRY("single step", __asm__ volatile("pushfq\n orl $0x100, (%%rsp)\n popfq\n nop\n pushfq\n andl $~0x100, (%%rsp)\n popfq\n" ::: "memory", "cc"));
	advance = false;
	TRY("privileged", __asm__ volatile("hlt"));
	TRY("int 0x33", __asm__ volatile("int $0x33"));
	TRY("misaligned sse", char b[64] __attribute__((aligned(16))); __asm__ volatile("movaps 1(%0), %%xmm0" :: "r"(b) : "xmm0"));
	TRY("alignment check",
		uint64_t v[2] = { 0, 0 };
		__asm__ volatile("pushfq\n orl $0x40000, (%%rsp)\n popfq\n mov 1(%0), %%eax\n pushfq\n andl $~0x40000, (%%rsp)\n popfq"
				 :: "r"(v) : "eax", "memory", "cc"));
	__asm__ volatile("pushfq\n andl $~0x40000, (%%rsp)\n popfq" ::: "memory", "cc");
	TRY("sse division", unsigned mxcsr = 0x1d80; __asm__ volatile("ldmxcsr %0\n divss %1, %2" :: "m"(mxcsr), "x"(0.0f), "x"(1.0f)));
	unsigned def = 0x1f80;
	__asm__ volatile("ldmxcsr %0" :: "m"(def));
	TRY("x87 division", short cw = 0x037b; __asm__ volatile("fldcw %0\n fld1\n fldz\n fdivrp\n fwait\n" :: "m"(cw)));
	__asm__ volatile("fninit");
	/* unhandled, ignored and blocked ones kill */
	P("default: %s", wst(CHILD(set_sig(SIGSEGV, SIG_DFL); *(volatile char *)NULL = 1)));
	P("ignored: %s", wst(CHILD(set_sig(SIGSEGV, SIG_IGN); *(volatile char *)NULL = 1)));
	P("blocked: %s", wst(CHILD(
		sigset_t s;
		sigfillset(&s);
		sigprocmask(SIG_BLOCK, &s, NULL);
		*(volatile char *)NULL = 1;
	)));
	P("ignored ud2: %s", wst(CHILD(set_sig(SIGILL, SIG_IGN); __asm__ volatile("ud2"))));
	P("ignored division: %s", wst(CHILD(set_sig(SIGFPE, SIG_IGN); zero = one / zero)));
	P("default trap: %s", wst(CHILD(set_sig(SIGTRAP, SIG_DFL); __asm__ volatile("int3"))));
	P("sent by kill while ignored: %s", wst(CHILD(set_sig(SIGSEGV, SIG_IGN); kill(getpid(), SIGSEGV))));
	/* nowhere to put the frame */
	P("bad stack pointer: %s", wst(CHILD(__asm__ volatile("mov $16, %%rsp\n ud2" ::: "memory"))));
	return 0;
}
