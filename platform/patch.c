/*
 * patch: sites and slots; see patch.h.
 *
 * The neighbour before the call is preferred: replaced as a whole by the jump, it leaves the call
 * itself where it was, so that nothing but the site's start needs care.  Reading backwards is
 * guesswork, however: an instruction counts only where its bytes leave no doubt (sure_before).  What
 * follows the call is certain, as it is an instruction that was just executed.
 */
#include "platform/patch.h"

#include <errno.h>
#include <string.h>
#include <sys/syscall.h>

#include "platform/insn.h"

#define LEA_LEN		7
#define CALL_LEN	(LEA_LEN + 6 + 8)	/* lea, jmp, the address after the call */
#define LAST_LEN	5			/* the jump at the slot's end */
#define SYSCALL_LEN	2

_Static_assert(PATCH_JUMP - 1 + INSN_MAX <= PATCH_SITE, "the last instruction begins inside the jump");
_Static_assert(PATCH_BEFORE > INSN_MAX, "sure_before looks for longer ones");

/* ---- bytes and addresses ------------------------------------------------- */

static void
put32(uint8_t *at, int32_t v)
{
	memcpy(at, &v, sizeof v);
}

static bool
is_syscall(const uint8_t *at)
{
	return at[0] == 0x0f && at[1] == 0x05;
}

/* Does every processor refuse user code that begins with this byte in 64-bit mode? */
static bool
byte_traps(uint8_t b)
{
	switch (b) {
	case 0x06: case 0x07: case 0x0e: case 0x16: case 0x17: case 0x1e: case 0x1f:	/* no such opcode */
	case 0x27: case 0x2f: case 0x37: case 0x3f: case 0x60: case 0x61: case 0x82:
	case 0x9a: case 0xce: case 0xd4: case 0xd6: case 0xea:
	case 0x6c: case 0x6d: case 0x6e: case 0x6f:					/* ins, outs */
	case 0xe4: case 0xe5: case 0xe6: case 0xe7:					/* in, out */
	case 0xec: case 0xed: case 0xee: case 0xef:
	case 0xcc:									/* int3 */
	case 0xf4: case 0xfa: case 0xfb:						/* hlt, cli, sti */
		return true;
	default:
		return false;
	}
}

/* The number that leads from the address from to the address to; false: out of its reach. */
static bool
rel_between(uint64_t from, uint64_t to, int32_t *rel)
{
	return !ckd_sub(rel, to, from);
}

/* What the instruction i, whose bytes are at code, refers to when it is at va; false: nowhere. */
static bool
rel_target(const struct insn *i, const uint8_t *code, uint64_t va, uint64_t *target)
{
	uint64_t next;
	int32_t rel;

	if (i->rel_len == 1)
		rel = (int8_t)code[i->rel_at];
	else
		memcpy(&rel, code + i->rel_at, sizeof rel);
	return !ckd_add(&next, va, i->len) && !ckd_add(target, next, rel);
}

/* ---- planning ------------------------------------------------------------ */

/*
 * The length, at least a jump's, of the likely instruction before the call: mov $nr,%eax with the
 * number that the call had, or a move between a register and a word near the stack pointer; 0: neither.
 */
static size_t
likely_before(const uint8_t *call, uint32_t nr)
{
	if (memcmp(call - 4, &nr, sizeof nr) == 0) {
		if (call[-5] == 0xb8)
			return 5;			/* mov $nr,%eax */
		if (memcmp(call - 7, "\x48\xc7\xc0", 3) == 0)
			return 7;			/* mov $nr,%rax */
	}
	if ((call[-5] & 0xf8) == 0x48 && (call[-4] & 0xfd) == 0x89 && (call[-3] & 0xc7) == 0x44 &&
	    call[-2] == 0x24)
		return 5;				/* mov disp8(%rsp),%reg or its opposite */
	return 0;
}

/*
 * The instruction i at code ends with what reads as mov $nr,%eax.  Is it one that nobody runs before
 * the call?  With b8, the opcode of the mov, as its ModRM byte it accesses memory at %rax + nr.  As
 * %rax is nr at the call and it does not change %rax, that were memory at 2 * nr, where there is none.
 */
static bool
is_idle(const struct insn *i, const uint8_t *code)
{
	size_t rex = (code[0] & 0xf1) == 0x40;		/* and not another base register */
	size_t ops = i->modrm_at - rex;

	if (i->modrm_at != i->len - 5 || code[i->modrm_at] != 0xb8)
		return false;
	/* One opcode and no other prefix, such as that for %fs. */
	if (ops != 1 && (ops != 2 || code[rex] != 0x0f))
		return false;
	/* lea; prefetches and wide nops, which take any address */
	if (ops == 1 ? i->op == 0x8d : i->op == 0x0d || (i->op >= 0x18 && i->op <= 0x1f))
		return false;
	/* idiv, cmpxchg */
	return i->op != 0xf6 && i->op != 0xf7 && i->op != 0xb0 && i->op != 0xb1;
}

/* The same among instructions that insn_decode refuses: an operand with SIB, or a vector move with the stack pointer. */
static bool
may_be_tail(const uint8_t *call, size_t len)
{
	const uint8_t *at = call - len;

	if (at[0] == 0xb8)
		return (at[-1] & 0xc7) == 0x84;
	return at[-3] == 0x62 && (at[0] & 0xf8) == 0x48;
}

/* The same when there can be no doubt: it is not the tail of a longer instruction. */
static size_t
sure_before(const uint8_t *call, size_t before, uint32_t nr)
{
	size_t len = before < PATCH_BEFORE ? 0 : likely_before(call, nr);
	struct insn i;

	/* With this prefix a move has fewer bytes than it seems. */
	if (len != 0 && (call[-(ptrdiff_t)len - 1] == 0x66 || may_be_tail(call, len)))
		return 0;
	for (size_t n = len + 1; len != 0 && n <= INSN_MAX; n++) {
		if (insn_decode(&i, call - n, n) == 0 && i.len == n && !is_idle(&i, call - n))
			return 0;
	}
	return len;
}

/* Adds the instruction at old[len], of which n bytes are known. */
static int
insn_add(struct patch *p, size_t n)
{
	struct insn i;

	if (p->ninsns == PATCH_INSNS || insn_decode(&i, p->old + p->len, n) != 0)
		return -EOPNOTSUPP;
	p->at[p->ninsns++] = p->len;
	p->len += i.len;
	return 0;
}

static void
call_add(struct patch *p)
{
	p->call = p->at[p->ninsns++] = p->len;
	p->len += SYSCALL_LEN;
}

/* The site that starts before the call. */
static int
plan_before(struct patch *p, const uint8_t *call, size_t len)
{
	int err;

	memcpy(p->old, call - len, len + SYSCALL_LEN);
	err = insn_add(p, len);
	if (err)
		return err;
	call_add(p);
	return 0;
}

/* The site that starts with the call. */
static int
plan_after(struct patch *p, const uint8_t *call, size_t after)
{
	size_t n = min(after, sizeof p->old);
	int err = 0;

	memcpy(p->old, call, n);
	call_add(p);
	while (!err && p->len < PATCH_JUMP)
		err = insn_add(p, n - p->len);
	memset(p->old + p->len, 0, sizeof p->old - p->len);
	return err;
}

/* The displaced instruction k, as decoded when the site was planned. */
static void
insn_get(const struct patch *p, unsigned k, struct insn *i)
{
	BUG_ON(insn_decode(i, p->old + p->at[k], (size_t)(p->len - p->at[k])) != 0);
}

static bool
is_call(const struct patch *p, unsigned k)
{
	return p->at[k] == p->call;
}

/* Bytes of an instruction in the slot, where branches have four bytes to reach their target. */
static uint8_t
slot_insn_len(const struct insn *i)
{
	switch (i->kind) {
	case INSN_JCC:
		return 6;
	case INSN_JMP:
		return 5;
	default:
		return i->len;
	}
}

/* A branch to where no instruction of the site begins would read this code in another way than we do. */
static bool
target_ok(const struct patch *p, uint64_t target)
{
	if (target < p->start || target - p->start >= p->len)
		return true;
	for (unsigned k = 0; k < p->ninsns; k++) {
		if (target - p->start == p->at[k])
			return true;
	}
	return false;
}

static int
slot_lay_out(struct patch *p)
{
	struct insn i;
	uint64_t target;
	uint8_t pos = 0;

	for (unsigned k = 0; k < p->ninsns; k++) {
		p->slot_at[k] = pos;
		if (p->at[k] > 0 && p->at[k] < PATCH_JUMP)
			p->traps |= (uint8_t)(1u << p->at[k]);
		if (is_call(p, k)) {
			pos += CALL_LEN;
			p->back = pos;
			continue;
		}
		insn_get(p, k, &i);
		if (i.rel_at != 0 && (!rel_target(&i, p->old + p->at[k], p->start + p->at[k], &target) ||
		    (i.kind != INSN_PLAIN && !target_ok(p, target))))
			return -EOPNOTSUPP;
		pos += slot_insn_len(&i);
	}
	p->slot_len = pos + LAST_LEN;
	return 0;
}

int
patch_plan(struct patch *p, const uint8_t *code, size_t before, size_t after, uint64_t call, uint32_t nr)
{
	uint64_t end;
	size_t len;
	int err;

	memset(p, 0, sizeof *p);
	if (after < SYSCALL_LEN || !is_syscall(code + before))
		return -EINVAL;
	/* Unwinders recognize the return from a signal by its bytes. */
	if (nr == SYS_rt_sigreturn)
		return -EOPNOTSUPP;
	len = sure_before(code + before, before, nr);
	err = len ? plan_before(p, code + before, len) : plan_after(p, code + before, after);
	if (err)
		return err;
	if (ckd_sub(&p->start, call, p->call) || ckd_add(&end, p->start, p->len))
		return -EOPNOTSUPP;
	if (p->start == 0)		/* patch_leave could not say it */
		return -EOPNOTSUPP;
	return slot_lay_out(p);
}

/* ---- emitting ------------------------------------------------------------ */

/* Writes displaced instruction k, which will be at address va; false: it cannot reach its target. */
static bool
insn_emit(const struct patch *p, unsigned k, uint64_t va, uint8_t *out)
{
	const uint8_t *code = p->old + p->at[k];
	uint64_t target = 0;
	struct insn i;
	uint8_t len;
	int32_t rel;

	insn_get(p, k, &i);
	len = slot_insn_len(&i);
	if (i.kind == INSN_JCC) {
		out[0] = 0x0f;
		out[1] = 0x80 | (i.op & 0xf);
	} else if (i.kind == INSN_JMP) {
		out[0] = 0xe9;
	} else {
		memcpy(out, code, len);
	}
	if (i.rel_at == 0)
		return true;
	if (!rel_target(&i, code, p->start + p->at[k], &target) || !rel_between(va + len, target, &rel))
		return false;
	put32(out + (i.kind == INSN_PLAIN ? i.rel_at : len - 4), rel);
	return true;
}

/* The way to the stub and back.  The address of its entry is in reach, the caller says. */
static void
call_emit(const struct patch *p, uint64_t va, uint64_t entry, uint8_t *out)
{
	uint64_t after = p->start + p->call + SYSCALL_LEN;
	int32_t rel;

	BUG_ON(!rel_between(va + LEA_LEN + 6, entry, &rel));
	memcpy(out, "\x4c\x8d\x1d", 3);			/* lea back(%rip),%r11 */
	put32(out + 3, CALL_LEN - LEA_LEN);
	memcpy(out + LEA_LEN, "\xff\x25", 2);		/* jmp *entry(%rip) */
	put32(out + LEA_LEN + 2, rel);
	memcpy(out + CALL_LEN - sizeof after, &after, sizeof after);
}

static void
jump_emit(uint8_t *out, int32_t rel)
{
	out[0] = 0xe9;
	put32(out + 1, rel);
}

/* The highest byte of a jump by rel where an instruction began and that does not trap; 0: none, all is well. */
static unsigned
byte_amiss(const struct patch *p, uint32_t rel)
{
	for (unsigned k = PATCH_JUMP - 1; k > 0; k--) {
		if ((p->traps >> k & 1) && !byte_traps((uint8_t)(rel >> 8 * (k - 1))))
			return k;
	}
	return 0;
}

uint64_t
patch_place(const struct patch *p, uint64_t low, uint64_t high)
{
	for (;;) {
		uint64_t slot = high & ~(uint64_t)(PATCH_ALIGN - 1);
		uint32_t rel = (uint32_t)(slot - (p->start + PATCH_JUMP)), over;
		unsigned k = byte_amiss(p, rel);

		if (slot < low || k == 0)
			return slot < low ? 0 : slot;
		/* No place with this byte is any good: the last one before them. */
		over = rel & ((1u << 8 * (k - 1)) - 1);
		if (ckd_sub(&high, slot, (uint64_t)over + 1))
			return 0;
	}
}

bool
patch_fits(const struct patch *p, uint64_t slot)
{
	uint64_t slot_end, end = p->start + p->len;
	uint8_t scratch[PATCH_SLOT];
	int32_t rel;

	if (ckd_add(&slot_end, slot, p->slot_len) || (slot < end && p->start < slot_end))
		return false;
	if (!rel_between(p->start + PATCH_JUMP, slot, &rel) || byte_amiss(p, (uint32_t)rel) != 0 ||
	    !rel_between(slot_end, end, &rel))
		return false;
	for (unsigned k = 0; k < p->ninsns; k++) {
		if (!is_call(p, k) && !insn_emit(p, k, slot + p->slot_at[k], scratch))
			return false;
	}
	return true;
}

void
patch_emit(const struct patch *p, uint64_t slot, uint64_t entry, uint8_t out[PATCH_SLOT],
    uint8_t jump[PATCH_JUMP])
{
	int32_t rel;

	for (unsigned k = 0; k < p->ninsns; k++) {
		if (is_call(p, k))
			call_emit(p, slot + p->slot_at[k], entry, out + p->slot_at[k]);
		else
			BUG_ON(!insn_emit(p, k, slot + p->slot_at[k], out + p->slot_at[k]));
	}
	BUG_ON(!rel_between(slot + p->slot_len, p->start + p->len, &rel));
	jump_emit(out + p->slot_len - LAST_LEN, rel);
	BUG_ON(!rel_between(p->start + PATCH_JUMP, slot, &rel));
	jump_emit(jump, rel);
}

/* ---- threads inside ------------------------------------------------------ */

uint64_t
patch_enter(const struct patch *p, uint64_t slot, uint64_t rip)
{
	for (unsigned k = 1; k < p->ninsns; k++) {
		if (rip - p->start == p->at[k])
			return slot + p->slot_at[k];
	}
	return 0;
}

uint64_t
patch_leave(const struct patch *p, uint64_t slot, uint64_t rip)
{
	uint64_t off = rip - slot;

	for (unsigned k = 0; k < p->ninsns; k++) {
		if (off == p->slot_at[k] || (is_call(p, k) && off == (uint64_t)p->slot_at[k] + LEA_LEN))
			return p->start + p->at[k];
	}
	return off == (uint64_t)(p->slot_len - LAST_LEN) ? p->start + p->len : 0;
}

enum patch_step
patch_step(const struct patch *p, uint64_t slot, uint64_t rip)
{
	uint64_t off = rip - slot, call = 0;

	for (unsigned k = 0; k < p->ninsns; k++) {
		if (is_call(p, k))
			call = p->slot_at[k];
	}
	/* The jump has led to the slot's start, or the lea to the way to the stub. */
	if (off == call + LEA_LEN || (off == 0 && call == 0))
		return STEP_CALL;
	return off == 0 ? STEP_ON : STEP_SHOW;
}
