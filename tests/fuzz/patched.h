/*
 * patched: what a target does with a thread that says it has stopped at a patched call: everything that the sentry
 * would, however wild the header is.  Included after systrap.c; the space must count as dead, so that nothing is
 * written and nobody is waited for.
 */
#ifndef TESTS_FUZZ_PATCHED_H
#define TESTS_FUZZ_PATCHED_H

#include <stdlib.h>

#define WORD(a, b, results)	((a) | (b) << MARSHAL_SECOND | ((results) ? MARSHAL_RESULTS : 0))
#define WORDS			16

/* By call number: everything that a word can say. */
static const uint32_t patched_words[WORDS] = {
	WORD(0u, 0u, false),
	WORD(0u, 0u, true),
	WORD(MARSHAL_IN(MARSHAL_STRING, 0, 0), 0u, true),
	WORD(MARSHAL_IN(MARSHAL_STRING, 0, 0), MARSHAL_IN(MARSHAL_STRING, 1, 0), false),
	WORD(MARSHAL_IN(MARSHAL_BYTES, 1, 2), 0u, false),
	WORD(MARSHAL_IN(MARSHAL_BYTES, 1, 2), 0u, true),
	WORD(MARSHAL_IN(MARSHAL_FIXED, 1, 64), MARSHAL_IN(MARSHAL_BYTES, 2, 3), true),
	WORD(MARSHAL_IN(MARSHAL_BYTES, 2, 3), MARSHAL_IN(MARSHAL_BYTES, 0, 1), true),
	WORD(MARSHAL_IN(MARSHAL_FIXED, 5, 0x1ff), MARSHAL_IN(MARSHAL_FIXED, 0, 1), true),
	WORD(MARSHAL_IN(MARSHAL_STRING, 7, 0x1ff), MARSHAL_IN(MARSHAL_BYTES, 7, 7), true),
	0x3fffffff, 0xffffffff, 0x40000000, 0x80000001, 0x55555555, 0xaaaaaaaa,
};

/* The bytes that the stub has copied, or claims to have. */
static void
patched_in(struct ctx *c, uint64_t va)
{
	const char *lo = c->base + STUB_CTX_DATA, *hi = c->base + STUB_CTX_DATA_END;
	size_t len = 0;
	const char *p = ctx_in(c, va, &len);

	if (p == NULL)
		return;
	if (p < lo || p >= hi || len == 0 || len > (size_t)(hi - p))
		abort();
	for (size_t i = 0; i < len; i++)
		(void)*(const volatile char *)(p + i);
}

static void
patched_out(struct ctx *c, uint64_t va)
{
	static const char results[DATA_BIG_SIZE + 1];
	static const size_t sizes[] = { 1, 4096, 1, DATA_BIG_SIZE / 2, DATA_BIG_SIZE, DATA_BIG_SIZE + 1, 100 };

	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		/* Some follow each other, some do not. */
		if (ctx_out(c, va, results, sizes[i]))
			va += i % 2 ? sizes[i] : 0x10001;
		(void)ctx_owes(c, va - 1, sizes[i]);
		(void)ctx_owes(c, c->sh->regs[2], c->sh->regs[3]);
	}
	if (c->nout > CTX_NOUT || c->out_at > STUB_CTX_DATA_END)
		abort();
	for (unsigned i = 0; i < c->nout; i++) {
		if (c->out[i].off < DATA_BIG || c->out[i].len > DATA_BIG_SIZE ||
		    c->out[i].off + c->out[i].len > STUB_CTX_DATA_END)
			abort();
	}
}

/* After stop_read. */
static void
patched_use(struct ctx *c, const struct abi_regs *regs)
{
	struct abi_regs r = *regs;
	bool back;

	for (unsigned i = 0; i < ARRAY_LEN(c->in); i++) {
		if (c->in[i].len != 0 && (c->in[i].off < STUB_CTX_DATA || c->in[i].len > DATA_BIG_SIZE ||
		    c->in[i].off + c->in[i].len > STUB_CTX_DATA_END))
			abort();
		patched_in(c, c->in[i].va);
		patched_in(c, c->in[i].va + c->in[i].len - 1);
		patched_in(c, c->in[i].va + c->in[i].len);
	}
	patched_in(c, 0);
	patched_in(c, UINT64_MAX);
	patched_out(c, regs->rsi);
	ctx_answer(c, ANSWER_TID, 1);
	/* And back, by the header, or not at all: the dead make no frame. */
	ctx_settle(c);
	if (c->nout != 0 || c->out_at > c->out_end)
		abort();
	patched_out(c, regs->rdi);
	(void)!regs_load(c, &r, &back);
	if (back && c->nout != 0)
		abort();
	ctx_regs(c, &r);
	(void)!regs_load(c, &r, &back);
	ctx_flush(c);
	atomic_store(&c->sh->known, 0);
	if (c->nout != 0 || ctx_out(c, regs->rsi, "x", 1))
		abort();
}

/* After stop_read of a call that trapped: back as it is, then with all its registers, by the frame. */
static void
trapped_use(struct ctx *c, const struct abi_regs *regs)
{
	struct abi_regs r = *regs;
	bool back;

	if (!regs_load(c, &r, &back) || back)
		abort();
	ctx_regs(c, &r);
	if (c->partial || r.rax != regs->rax || r.orig_rax != regs->orig_rax || r.cs != USER_CS || r.ss != USER_SS ||
	    base_ok(r.fs_base) >= 1ULL << 47)
		abort();
	if (!regs_load(c, &r, &back) || back)
		abort();
}

#endif
