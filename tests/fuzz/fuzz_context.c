/*
 * fuzz_context: a guest thread's context set with arbitrary bytes in it: the sentry's half of the switch.
 *
 * The input is the header that the stub writes, then bytes that begin where the header says the frame is
 * (or at the start, when that is no place).  Whatever is accepted must lie inside the set, and what goes back must be
 * something the host takes.  A header that says that the thread stopped at a patched call is used as one (patched.h).
 */
#include <stdlib.h>

/* Its functions are what is tested; the archive's own copy is not linked then. */
#include "platform/systrap.c"
#include "tests/fuzz/patched.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct ctx c;
static struct space space;

static void
boot(void)
{
	if (fp_probe() != 0)
		abort();
	plat.ops = &systrap_ops;
	plat.ncpu = 1;
	plat.marshal = patched_words;
	plat.nmarshal = WORDS;
	atomic_store(&space.dead, true);
	c.s = &space;
	c.va = STUB_CTX + 3 * STUB_CTX_SIZE;
}

static void
check(int cond)
{
	if (!cond)
		abort();
}

static void
fill(const uint8_t *data, size_t size)
{
	size_t n = min(size, sizeof *c.sh);
	uint64_t at = 0;

	memset(c.base, 0, STUB_CTX_SIZE);
	memcpy(c.sh, data, n);
	data += n;
	size -= n;
	/* Most ways are none, and most numbers are no calls. */
	c.sh->way %= WAY_TRAP + 1;
	c.live = c.sh->state == ST_CALL;
	c.sh->call %= 2 * WORDS;
	plat.fsgsbase = c.sh->bases & BASES_INSN;
	/* Small numbers are offsets: an input should not have to guess an address. */
	if (c.sh->uc < STUB_CTX_SIZE)
		c.sh->uc += c.va;
	if (frame_find(&c) == 0)
		at = c.uc;
	memcpy(c.base + at, data, min(size, (size_t)(STUB_CTX_SIZE - CTX_HDR - at)));
	if (at != 0 && frame_of(&c)->uc.fpstate < STUB_CTX_SIZE)
		frame_of(&c)->uc.fpstate += c.va;
}

static void
check_stop(const struct abi_regs *regs, const struct stop *stop)
{
	struct frame_uc back;

	check(stop->kind == STOP_SYSCALL || stop->kind == STOP_FAULT || stop->kind == STOP_KICK);
	check(stop->kind != STOP_FAULT || (stop->signo > 0 && stop->signo < 32));
	check(stop->kind != STOP_SYSCALL || regs->rax == (uint64_t)-ENOSYS);
	check(regs->cs == USER_CS && regs->ss == USER_SS);
	frame_regs_set(&back, regs);
	check(back.cs == USER_CS && back.ss == USER_SS);
	/* Interrupts on, no I/O privilege, no nested task, no virtual 8086 mode. */
	check((back.eflags & 0x200) && !(back.eflags & 0x1a7000));
	check(base_ok(regs->fs_base) < 1ULL << 47 && base_ok(regs->gs_base) < 1ULL << 47);
}

static void
check_fp(void)
{
	static char image[FP_MAX];

	if (ctx_get_fp(&c, image) != 0)
		return;
	/* What passes the check can be put back and read again. */
	if (ctx_set_fp(&c, image) == 0)
		check(ctx_get_fp(&c, image) == 0 && fp_check(image) == 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct abi_regs regs;
	struct stop stop;

	if (platform_fp_size == 0)
		boot();
	/* Of its own each time, so that the sanitizer sees a step over its edge. */
	c.base = aligned_alloc(PAGE_SIZE, STUB_CTX_SIZE);
	check(c.base != NULL);
	c.sh = (struct stub_ctx *)(void *)(c.base + STUB_CTX_SIZE - CTX_HDR);
	fill(data, size);
	memset(&regs, 0, sizeof regs);
	/* A kick on the way out leaves them as they are. */
	regs.cs = USER_CS;
	regs.ss = USER_SS;
	c.partial = false;
	if (stop_read(&c, &regs, &stop)) {
		check_stop(&regs, &stop);
		if (c.patched)
			patched_use(&c, &regs);
		else if (c.partial)
			trapped_use(&c, &regs);
		check_fp();
		memset(&stop, 0, sizeof stop);
		frame_fault(&c, &stop);
	}
	free(c.base);
	return 0;
}
