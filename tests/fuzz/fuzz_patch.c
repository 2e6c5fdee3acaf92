/*
 * patch under arbitrary bytes: the input is the number and the place of a call, where a slot might be, and the
 * code around.  Whatever is planned and fits must be a slot that does what the site did.
 */
#include <stdlib.h>
#include <string.h>

#include "platform/insn.h"
#include "platform/patch.h"

struct head {
	uint64_t	call, slot;
	uint32_t	nr;
	uint8_t		before, near;	/* near: slot is as far from the site as its low 32 bits say */
} __attribute__((packed));

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const uint8_t trapping[] = { 0x06, 0x07, 0x0e, 0x16, 0x17, 0x1e, 0x1f, 0x27, 0x2f, 0x37, 0x3f, 0x60, 0x61, 0x6c,
	0x6d, 0x6e, 0x6f, 0x82, 0x9a, 0xcc, 0xce, 0xd4, 0xd6, 0xe4, 0xe5, 0xe6, 0xe7, 0xea, 0xec, 0xed, 0xee, 0xef,
	0xf4, 0xfa, 0xfb };

static void
check(int cond)
{
	if (!cond)
		abort();
}

static void
check_plan(const struct patch *p, const uint8_t *call, size_t before, size_t after)
{
	unsigned traps = 0;

	check(p->len >= PATCH_JUMP && p->len <= PATCH_SITE && p->slot_len <= PATCH_SLOT);
	check(p->ninsns >= 2 && p->ninsns <= PATCH_INSNS && p->at[0] == 0);
	check(p->call <= before && (size_t)(p->len - p->call) <= after);
	check(memcmp(p->old, call - p->call, p->len) == 0);
	check(p->old[p->call] == 0x0f && p->old[p->call + 1] == 0x05);
	for (unsigned k = 0; k < p->ninsns; k++) {
		unsigned end = k + 1 < p->ninsns ? p->at[k + 1] : p->len;
		struct insn i;

		check(p->at[k] < end);
		if (p->at[k] > 0 && p->at[k] < PATCH_JUMP)
			traps |= 1u << p->at[k];
		if (p->at[k] == p->call)
			check(end == p->call + 2u);
		else
			check(insn_decode(&i, p->old + p->at[k], end - p->at[k]) == 0 && i.len == end - p->at[k]);
	}
	check(p->traps == traps);
}

/* A slot that its distance makes likely to fit. */
static uint64_t
near_slot(const struct patch *p, uint32_t rel)
{
	for (unsigned k = 1; k < PATCH_JUMP; k++) {
		unsigned shift = 8 * (k - 1);

		if (p->traps >> k & 1) {
			uint32_t b = trapping[(rel >> shift & 0xff) % sizeof trapping];

			rel = (rel & ~((uint32_t)0xff << shift)) | b << shift;
		}
	}
	return p->start + PATCH_JUMP + (uint64_t)(int64_t)(int32_t)rel;
}

static uint64_t
target(const struct insn *i, const uint8_t *code, uint64_t va)
{
	int32_t rel;

	if (i->rel_at == 0)
		return 0;
	memcpy(&rel, code + i->rel_at, sizeof rel);
	return va + i->len + (uint64_t)(int64_t)(i->rel_len == 1 ? (int8_t)code[i->rel_at] : rel);
}

/* The n bytes at now do what those at old did. */
static void
check_moved(const uint8_t *old, uint64_t old_va, const uint8_t *now, size_t n, uint64_t va)
{
	struct insn a, b;

	check(insn_decode(&a, old, INSN_MAX) == 0 && insn_decode(&b, now, n) == 0);
	check(b.len == n && a.kind == b.kind);
	check(target(&a, old, old_va) == target(&b, now, va));
	if (a.kind == INSN_JCC)
		check((a.op & 0xf) == (b.op & 0xf));
	if (a.kind == INSN_PLAIN) {
		size_t at = a.rel_at ? a.rel_at : n;

		check(a.len == n && memcmp(old, now, at) == 0);
		check(at == n || memcmp(old + at + 4, now + at + 4, n - at - 4) == 0);
	}
}

static void
check_call(const uint8_t *now, uint64_t va, uint64_t entry, uint64_t after)
{
	struct insn i;

	check(memcmp(now, "\x4c\x8d\x1d", 3) == 0 && insn_decode(&i, now, 7) == 0 && i.len == 7);
	check(target(&i, now, va) == va + 7 + 6 + 8);
	check(memcmp(now + 7, "\xff\x25", 2) == 0 && insn_decode(&i, now + 7, 6) == 0 && i.len == 6);
	check(target(&i, now + 7, va + 7) == entry);
	check(memcmp(now + 13, &after, sizeof after) == 0);
}

static void
check_slot(const struct patch *p, uint64_t slot)
{
	uint8_t out[PATCH_SLOT], jump[PATCH_JUMP], old[PATCH_SITE + INSN_MAX] = { 0 };
	uint64_t entry = slot - 64;
	struct insn i;

	memset(out, 0xa5, sizeof out);
	patch_emit(p, slot, entry, out, jump);
	for (unsigned n = p->slot_len; n < sizeof out; n++)
		check(out[n] == 0xa5);
	memcpy(old, p->old, p->len);
	for (unsigned k = 0; k < p->ninsns; k++) {
		unsigned at = p->slot_at[k], end = k + 1 < p->ninsns ? p->slot_at[k + 1] : p->slot_len - 5u;

		if (p->at[k] == p->call) {
			check(end == at + 21 && end == p->back);
			check_call(out + at, slot + at, entry, p->start + p->call + 2);
		} else {
			check_moved(old + p->at[k], p->start + p->at[k], out + at, end - at, slot + at);
		}
	}
	check(insn_decode(&i, out + p->slot_len - 5, 5) == 0 && i.kind == INSN_JMP && i.len == 5);
	check(target(&i, out + p->slot_len - 5, slot + p->slot_len - 5) == p->start + p->len);
	check(insn_decode(&i, jump, 5) == 0 && i.kind == INSN_JMP && i.len == 5);
	check(target(&i, jump, p->start) == slot);
	for (unsigned k = 1; k < PATCH_JUMP; k++)
		check(!(p->traps >> k & 1) || memchr(trapping, jump[k], sizeof trapping) != NULL);
}

static void
check_threads(const struct patch *p, uint64_t slot)
{
	unsigned leaves = 0;

	for (unsigned off = 0; off < p->slot_len + 16u; off++) {
		uint64_t old = patch_leave(p, slot, slot + off);

		leaves += old != 0;
		check(old == 0 || (off < p->slot_len && old - p->start <= p->len));
	}
	/* Each instruction, the jump to the stub, the last jump. */
	check(leaves == p->ninsns + 2u);
	for (unsigned off = 0; off < p->len; off++) {
		uint64_t in = patch_enter(p, slot, p->start + off);

		check(in == 0 || patch_leave(p, slot, in) == p->start + off);
	}
	for (unsigned k = 1; k < p->ninsns; k++)
		check(patch_enter(p, slot, p->start + p->at[k]) == slot + p->slot_at[k]);
	check(patch_enter(p, slot, p->start) == 0 && patch_enter(p, slot, p->start + p->len) == 0);
}

/* Of the 4 MiB up to slot, the highest place. */
static void
check_place(const struct patch *p, uint64_t slot)
{
	uint64_t low = slot > 0x400000 ? slot - 0x400000 : 0, place = patch_place(p, low, slot);
	uint32_t rel = (uint32_t)(place - (p->start + PATCH_JUMP));

	check(place <= slot && place % PATCH_ALIGN == 0 && (place == 0 || place >= low));
	for (unsigned k = 1; k < PATCH_JUMP && place != 0; k++)
		check(!(p->traps >> k & 1) || memchr(trapping, (uint8_t)(rel >> 8 * (k - 1)), sizeof trapping) != NULL);
	/* What fits is no higher. */
	for (unsigned i = 0; i < 64; i++) {
		uint64_t other = (slot & ~(PATCH_ALIGN - 1ULL)) - i * (uint64_t)PATCH_ALIGN;

		check(other <= place || other > slot || other < low || !patch_fits(p, other));
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct head h;
	struct patch p;
	uint8_t *code;
	size_t before;

	if (size < sizeof h)
		return 0;
	memcpy(&h, data, sizeof h);
	size -= sizeof h;
	before = min((size_t)h.before, size);
	/* Of its own, so that a sanitizer sees a step over either edge. */
	code = malloc(size ? size : 1);
	check(code != NULL);
	memcpy(code, data + sizeof h, size);
	if (patch_plan(&p, code, before, size - before, h.call, h.nr) == 0) {
		uint64_t slot = h.near ? near_slot(&p, (uint32_t)h.slot) : h.slot;

		check(p.start + p.call == h.call && p.start + p.len > p.start);
		check_plan(&p, code + before, before, size - before);
		check_place(&p, slot);
		if (patch_fits(&p, slot)) {
			check(slot + p.slot_len > slot);
			check(slot + p.slot_len <= p.start || slot >= p.start + p.len);
			if (slot >= 64)
				check_slot(&p, slot);
			check_threads(&p, slot);
		}
	}
	free(code);
	return 0;
}
