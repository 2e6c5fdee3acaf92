/* arch_prctl, set_tid_address, rseq, membarrier, %fs and %gs over switches. */
#include "guest.h"
#include <asm/prctl.h>
#include <linux/membarrier.h>

static volatile int clear_me = 99;

int
main(void)
{
	unsigned long fs = 0, gs = 1;
	static unsigned long block[8] = { 0x1234, 0x5678 };
	unsigned long v = 0;

	S(arch_prctl, 0x9999, 0);
	S(arch_prctl, ARCH_GET_FS, &fs);
	P("fs %s", fs ? "set" : "zero");
	S(arch_prctl, ARCH_GET_GS, &gs);
	P("gs %lu", gs);
	S(arch_prctl, ARCH_GET_FS, BAD);
	S(arch_prctl, ARCH_SET_FS, -1L);
	S(arch_prctl, ARCH_SET_GS, 1UL << 47);
	S(arch_prctl, ARCH_SET_GS, block);
	__asm__ volatile("mov %%gs:0, %0" : "=r"(v));
	P("through gs %#lx", v);
	S(arch_prctl, ARCH_GET_GS, &gs);
	P("gs %s", gs == (uintptr_t)block ? "same" : "?");
	sched_yield();
	nap(2);
	__asm__ volatile("mov %%gs:8, %0" : "=r"(v));
	P("after sleeping %#lx", v);
	P("child: %s", wst(CHILD(__asm__ volatile("mov %%gs:8, %0" : "=r"(v)); P("%#lx", v))));
	P("gs at work: %s", wst(CHILD(
		Q(arch_prctl, ARCH_SET_GS, 0);
		__asm__ volatile("mov %%gs:0, %0" : "=r"(v));
	)));
	S(arch_prctl, ARCH_SET_GS, 0);
	/* the word that is cleared at the end of a thread, and woken */
	P("set_tid_address %s", Q(set_tid_address, &clear_me) == syscall(SYS_gettid) ? "tid" : "?");
	volatile int *w = shared_ints();
	w[0] = 7;
	P("child: %s", wst(CHILD(Q(set_tid_address, &w[0]); Q(exit, 0))));
	P("word of a process that ends alone: %d", w[0]);
	/* rseq: libc has it registered where it is known; both answers are fine, but not a crash */
	static struct { uint32_t a, b; uint64_t c; uint32_t d[4]; } __attribute__((aligned(32))) rs;
	long r = Q(rseq, &rs, 31, 0, 0);
	P("rseq of a wrong size: %s", r == -EINVAL || r == -ENOSYS || r == -EBUSY || r == -EPERM ? "refused" : res(r));
	r = Q(membarrier, MEMBARRIER_CMD_QUERY, 0, 0);
	P("membarrier: %s", r >= 0 || r == -ENOSYS ? "answered" : res(r));
	/* segment registers and the direction flag as the ABI has them */
	unsigned short cs, ss, ds, es;
	__asm__ volatile("mov %%cs, %0\n mov %%ss, %1\n mov %%ds, %2\n mov %%es, %3" : "=r"(cs), "=r"(ss), "=r"(ds), "=r"(es));
	P("cs %#x ss %#x ds %#x es %#x", cs, ss, ds, es);
	return 0;
}
