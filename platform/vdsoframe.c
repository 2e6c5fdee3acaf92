/*
 * vdsoframe: where a function of the host's vDSO will return to, from its unwind tables (DWARF's
 * call frame information, .eh_frame and .eh_frame_hdr).
 *
 * Only the forms that compilers make for it are known: tables of 4-byte relative addresses, and a
 * frame address that is a register plus a number.  Whatever else is met means "not known".
 */
#include <elf.h>
#include <string.h>

#include "platform/hostvdso.h"

#define HDR_FORM	0x3b031b01	/* of eh_frame_hdr: version 1, then encodings; the table: datarel sdata4 */
#define POINTER_ENC	0x1b		/* pcrel sdata4 */
#define DEPTH		4		/* of remember_state */

struct rule {
	uint64_t	reg;
	int64_t		off;
};

struct reader {
	const uint8_t	*at, *end;
	bool		bad;
};

struct cie {
	struct reader	insns;
	uint64_t	code_align;
	int64_t		data_align;
};

static uint64_t
take(struct reader *r, unsigned n)
{
	uint64_t v = 0;

	if ((size_t)(r->end - r->at) < n) {
		r->bad = true;
		return 0;
	}
	memcpy(&v, r->at, n);
	r->at += n;
	return v;
}

static uint64_t
uleb(struct reader *r)
{
	uint64_t v = 0, byte;
	unsigned shift = 0;

	do {
		byte = take(r, 1);
		v |= (byte & 0x7f) << shift;
		shift += 7;
	} while ((byte & 0x80) && shift < 63);
	return v;
}

static int64_t
sleb(struct reader *r)
{
	const uint8_t *from = r->at;
	uint64_t v = uleb(r);
	unsigned bits = (unsigned)(r->at - from) * 7;

	if (bits > 0 && bits < 64 && (v >> (bits - 1) & 1))
		v |= ~0ULL << bits;
	return (int64_t)v;
}

/* The record at p, after its length. */
static struct reader
record(const uint8_t *p)
{
	uint32_t len;

	memcpy(&len, p, sizeof len);
	return (struct reader){ p + 4, p + 4 + len, len >= 0xfffffff0 };
}

static bool
cie_read(const uint8_t *p, struct cie *c)
{
	struct reader r = record(p);

	(void)take(&r, 4);
	/* Version 1 with "zR": a length, and how addresses are written. */
	if (take(&r, 1) != 1 || take(&r, 3) != ('z' | 'R' << 8))
		return false;
	c->code_align = uleb(&r);
	c->data_align = sleb(&r);
	if (uleb(&r) != 16 || uleb(&r) != 1 || take(&r, 1) != POINTER_ENC)
		return false;
	c->insns = r;
	return !r.bad;
}

/* The frame's record for pc, opened at its instructions; *start is where they begin to count. */
static bool
fde_find(const uint8_t *hdr, const uint8_t *pc, const uint8_t **start, struct reader *insns, struct cie *c)
{
	struct { int32_t pc, fde; } e;
	const uint8_t *p = NULL;
	uint32_t n, form, back;
	struct reader r;
	int32_t rel;

	memcpy(&form, hdr, sizeof form);
	memcpy(&n, hdr + 8, sizeof n);
	if (form != HDR_FORM)
		return false;
	for (uint32_t i = 0; i < n; i++) {
		memcpy(&e, hdr + 12 + i * sizeof e, sizeof e);
		if (hdr + e.pc > pc)
			break;
		p = hdr + e.fde;
	}
	if (p == NULL)
		return false;
	r = record(p);
	back = (uint32_t)take(&r, 4);
	if (!cie_read(p + 4 - back, c))
		return false;
	*start = r.at;
	rel = (int32_t)take(&r, 4);
	*start += rel;
	if (pc < *start || pc >= *start + take(&r, 4))
		return false;
	r.at += uleb(&r);
	*insns = r;
	return !r.bad;
}

/* One instruction about something else than the frame address: its operands are read over. */
static bool
skip(struct reader *r, uint8_t op)
{
	switch (op & 0xc0 ? op & 0xc0 : op) {
	case 0x05:				/* offset_extended */
		(void)uleb(r);
		(void)uleb(r);
		return true;
	case 0x80:				/* offset */
	case 0x06:				/* restore_extended, undefined, same_value, GNU_args_size */
	case 0x07:
	case 0x08:
	case 0x2e:
		(void)uleb(r);
		return true;
	case 0x00:				/* nop */
	case 0xc0:				/* restore */
		return true;
	}
	return false;
}

/* Carries out instructions as long as they are about places up to pc; false: one is not known. */
static bool
run(struct reader *r, const struct cie *c, const uint8_t *loc, const uint8_t *pc, struct rule *cfa)
{
	struct rule kept[DEPTH];
	unsigned nkept = 0;

	while (r->at < r->end && !r->bad && loc <= pc) {
		uint8_t op = (uint8_t)take(r, 1);

		switch ((op & 0xc0) == 0x40 ? 0x40 : op) {
		case 0x40:			/* advance_loc and its longer forms */
			loc += (op & 0x3f) * c->code_align;
			break;
		case 0x02:
		case 0x03:
		case 0x04:
			loc += take(r, 1U << (op - 2)) * c->code_align;
			break;
		case 0x0a:			/* remember_state */
			if (nkept == DEPTH)
				return false;
			kept[nkept++] = *cfa;
			break;
		case 0x0b:			/* restore_state */
			if (nkept == 0)
				return false;
			*cfa = kept[--nkept];
			break;
		case 0x0c:			/* def_cfa */
			cfa->reg = uleb(r);
			cfa->off = (int64_t)uleb(r);
			break;
		case 0x0d:			/* def_cfa_register */
			cfa->reg = uleb(r);
			break;
		case 0x0e:			/* def_cfa_offset */
			cfa->off = (int64_t)uleb(r);
			break;
		default:
			if (!skip(r, op))
				return false;
		}
	}
	return !r->bad;
}

bool
hostvdso_return(const char *ehdr, uint64_t at, const struct abi_regs *regs, uint64_t *slot)
{
	const Elf64_Ehdr *eh = (const void *)ehdr;
	const Elf64_Phdr *ph = (const void *)(ehdr + eh->e_phoff);
	const uint8_t *pc = (const uint8_t *)ehdr + at, *hdr = NULL, *start;
	struct rule cfa = { 0, 0 };
	struct reader insns;
	struct cie c;
	uint64_t base;

	for (unsigned i = 0; i < eh->e_phnum; i++) {
		if (ph[i].p_type == PT_GNU_EH_FRAME)
			hdr = (const uint8_t *)ehdr + ph[i].p_offset;
	}
	if (hdr == NULL || !fde_find(hdr, pc, &start, &insns, &c) || !run(&c.insns, &c, start, pc, &cfa) ||
	    !run(&insns, &c, start, pc, &cfa))
		return false;
	switch (cfa.reg) {
	case 6:
		base = regs->rbp;
		break;
	case 7:
		base = regs->rsp;
		break;
	case 10:
		base = regs->r10;
		break;
	default:
		return false;
	}
	*slot = base + (uint64_t)cfa.off - 8;
	return true;
}
