/*
 * fuzz_race: a thread's context set is scribbled upon by another thread while the sentry reads it.  Each word
 * must be read once, never outside the set, and nothing be handed on that has not been checked.
 *
 * The input: where the frame is said to be (8), where its FP image is said to be (8), both as offsets or
 * (flag) as they are; flags (1), segment bases (16), then the frame and then the bytes of the image.  With the
 * last flag the thread says that it stopped at a patched call, whose registers are what would be the frame.
 */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

/* Its functions are what is tested; the archive's own copy is not linked then. */
#include "platform/systrap.c"
#include "tests/fuzz/patched.h"

#define RAW_UC		1
#define RAW_FP		2
#define QUIET		4	/* nobody scribbles */
#define PATCHED		8
#define FRAME_SIZE	432
#define FPSTATE_OFF	224	/* of the pointer in the frame */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct space space;
static struct ctx ctx;
static char *set;
static atomic_bool scribbling;
static _Atomic uint64_t scribble_seed;

static void
check(bool cond)
{
	if (!cond)
		abort();
}

/* The set lies between pages that nobody may touch. */
static void
make_set(void)
{
	char *p = mmap(NULL, STUB_CTX_SIZE + 2 * PAGE_SIZE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	check(p != MAP_FAILED && mprotect(p + PAGE_SIZE, STUB_CTX_SIZE, PROT_READ | PROT_WRITE) == 0);
	set = p + PAGE_SIZE;
	check(fp_probe() == 0);
	plat.ops = &systrap_ops;
	plat.ncpu = 1;
	plat.fsgsbase = true;
	plat.marshal = patched_words;
	plat.nmarshal = WORDS;
	atomic_store(&space.dead, true);
	ctx.s = &space;
	ctx.va = STUB_CTX;
	ctx.base = set;
	ctx.sh = (struct stub_ctx *)(void *)(set + STUB_CTX_SIZE - CTX_HDR);
}

/* Into the header, so that it is a patched call's as often as not. */
static void
scribble_header(uint64_t x)
{
	unsigned at = (unsigned)(x >> 20) % (CTX_HDR / 8) * 8;
	uint64_t v = x;

	if (at == CTX_WAY || at == CTX_CALL)
		v = x >> 40 & (at == CTX_CALL ? 2 * WORDS - 1 : 7);
	*(volatile uint64_t *)(void *)(set + STUB_CTX_SIZE - CTX_HDR + at) = v;
}

static void *
scribble(void *arg)
{
	uint64_t x = atomic_load(&scribble_seed) | 1;

	(void)arg;
	while (atomic_load_explicit(&scribbling, memory_order_relaxed)) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		if (x >> 60 < 4)
			scribble_header(x);
		else
			*(volatile uint64_t *)(void *)(set + (x >> 20) % (STUB_CTX_SIZE / 8) * 8) = x;
	}
	return NULL;
}

static void
use(bool live)
{
	char image[FP_MAX];
	struct abi_regs regs;
	struct stop stop, fault = { 0 };

	memset(&regs, 0xa5, sizeof regs);
	/* A kick on the way out leaves them as they are. */
	regs.cs = USER_CS;
	regs.ss = USER_SS;
	regs.ds = 0;
	ctx.live = live;
	if (!stop_read(&ctx, &regs, &stop))
		return;
	check(stop.kind == STOP_SYSCALL || stop.kind == STOP_FAULT || stop.kind == STOP_KICK);
	check(stop.kind != STOP_FAULT || (stop.signo > 0 && stop.signo < 32));
	check(stop.kind != STOP_SYSCALL || regs.rax == (uint64_t)-ENOSYS);
	check(regs.cs == 0x33 && regs.ss == 0x2b && regs.ds == 0);
	check(base_ok(regs.fs_base) < 1ULL << 47);
	if (ctx.patched)
		patched_use(&ctx, &regs);
	else if (ctx.partial)
		trapped_use(&ctx, &regs);
	frame_fault(&ctx, &fault);
	if (ctx_get_fp(&ctx, image) == 0) {
		/* Sealed: what only the host may choose is the host's again.  The rest may still be refused. */
		if (fp_check(image) == 0)
			(void)!ctx_set_fp(&ctx, image);
	}
	ctx_reset_fp(&ctx);
	frame_regs_set(&frame_of(&ctx)->uc, &regs);
}

static uint64_t
word(const uint8_t *p)
{
	uint64_t v;

	memcpy(&v, p, sizeof v);
	return v;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint64_t uc, fp;
	pthread_t other;
	uint8_t flags;
	size_t at, n;

	if (set == NULL)
		make_set();
	if (size < 33)
		return 0;
	uc = word(data);
	fp = word(data + 8);
	flags = data[16];
	memset(set, 0, STUB_CTX_SIZE);
	at = uc % (STUB_CTX_SIZE - CTX_HDR) & ~15ULL;
	atomic_store(&ctx.sh->uc, flags & RAW_UC ? uc : STUB_CTX + at);
	atomic_store(&ctx.sh->fs_base, word(data + 17));
	atomic_store(&ctx.sh->gs_base, word(data + 25));
	data += 33;
	size -= 33;
	if (flags & PATCHED) {
		n = min(size, sizeof ctx.sh->regs);
		memcpy((void *)ctx.sh->regs, data, n);
		memcpy((void *)&ctx.sh->call, data, min(n, sizeof ctx.sh->call + sizeof ctx.sh->args));
		ctx.sh->call %= 2 * WORDS;
		atomic_store(&ctx.sh->way, 1 + (flags >> 4) % 3);
		atomic_store(&ctx.sh->in_len[0], (uint32_t)uc);
		atomic_store(&ctx.sh->call_in, ((uint32_t)uc & ((1u << IN_LEN_SECOND) - 1)) | (uint32_t)fp << IN_LEN_SECOND);
	}
	n = min(size, (size_t)FRAME_SIZE);
	n = min(n, (size_t)(STUB_CTX_SIZE - CTX_HDR - at));
	memcpy(set + at, data, n);
	if (!(flags & RAW_FP) && at + FPSTATE_OFF + 8 <= STUB_CTX_SIZE - CTX_HDR) {
		fp = fp % (STUB_CTX_SIZE - CTX_HDR) & ~63ULL;
		memcpy(set + at + FPSTATE_OFF, &(uint64_t){ STUB_CTX + fp }, 8);
		data += n;
		size -= n;
		memcpy(set + fp, data, min(size, STUB_CTX_SIZE - CTX_HDR - fp));
	}
	if (!(flags & QUIET)) {
		atomic_store(&scribble_seed, uc ^ fp << 1);
		atomic_store(&scribbling, true);
		check(pthread_create(&other, NULL, scribble, NULL) == 0);
	}
	for (int i = 0; i < (flags & QUIET ? 1 : 20); i++)
		use((i + flags) % 4 == 0);
	if (!(flags & QUIET)) {
		atomic_store(&scribbling, false);
		check(pthread_join(other, NULL) == 0);
	}
	return 0;
}
