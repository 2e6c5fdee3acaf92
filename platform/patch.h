/*
 * patch: how a system call instruction is replaced by a jump.  Bytes in, bytes out: nothing here
 * reaches a guest, and every byte it reads may be hostile.
 *
 * A *site* is a `syscall` instruction and the neighbours that a five-byte jump displaces.  The
 * displaced instructions run in a *slot* within reach of the jump instead:
 *
 *	slot:	instructions from before the call
 *		lea	back(%rip), %r11
 *		jmp	*entry(%rip)		to the stub, which does the call
 *		.quad	address after the call	at back - 8
 *	back:	instructions from after the call
 *		jmp	end of the site
 *
 * %rcx and %r11 are the call's to spoil, so nothing else of the guest is touched: neither flags
 * nor stack.  A jump into the middle of a site must trap: where an old instruction began inside
 * the new jump, the jump's byte there is one that no processor executes as the start of an
 * instruction.  Slots are chosen so that this is so (patch_fits).
 */
#ifndef PLATFORM_PATCH_H
#define PLATFORM_PATCH_H

#include "base/base.h"

#define PATCH_JUMP	5	/* bytes of the jump */
#define PATCH_BEFORE	16	/* bytes worth having before the call */
#define PATCH_AFTER	48	/* and from its start on */
#define PATCH_SITE	24	/* bytes of a site at most */
#define PATCH_INSNS	5	/* its instructions at most, the call included */
#define PATCH_SLOT	96	/* bytes of a slot at most */
#define PATCH_ALIGN	32	/* slots lie at multiples of this */

struct patch {
	uint64_t	start;			/* address of the first displaced byte */
	uint8_t		len;			/* displaced bytes, 5 to PATCH_SITE */
	uint8_t		call;			/* offset of the call instruction in the site */
	uint8_t		traps;			/* bit k (1 to 4): an instruction began at start + k */
	uint8_t		ninsns;
	uint8_t		old[PATCH_SITE];	/* the bytes as they were */
	uint8_t		at[PATCH_INSNS];	/* offset of each instruction in the site */
	uint8_t		slot_at[PATCH_INSNS];	/* and in the slot; the call's: the lea */
	uint8_t		slot_len;		/* bytes of the slot */
	uint8_t		back;			/* offset of `back` in the slot */
};

/*
 * Plans a site: code[0, before + after) are the guest's bytes around the call, code[before] its
 * first, call its address; nr the number the call was just made with.  Fills *p, slot offsets
 * included.  -EOPNOTSUPP when the neighbours cannot be displaced, -EINVAL when there is no `syscall`.
 */
int patch_plan(struct patch *p, const uint8_t *code, size_t before, size_t after, uint64_t call,
    uint32_t nr) MUST_CHECK;

/* May p's slot lie at slot: is it within reach of the jump and of what it refers to, and does each interior boundary trap? */
bool patch_fits(const struct patch *p, uint64_t slot) MUST_CHECK;
/*
 * The highest place for p's slot from low to high where each interior boundary traps; 0: none.  To find a place for a
 * new area: what else patch_fits asks is left to it.
 */
uint64_t patch_place(const struct patch *p, uint64_t low, uint64_t high) MUST_CHECK;

/*
 * Writes the slot's p->slot_len bytes for address slot, and the jump that replaces p->old[0, 5).
 * entry: address of the 8 bytes that hold the stub's entry; within reach of the slot.  Only after patch_fits.
 */
void patch_emit(const struct patch *p, uint64_t slot, uint64_t entry, uint8_t out[PATCH_SLOT],
    uint8_t jump[PATCH_JUMP]);

/* Where a thread at rip, an instruction inside the site but not its first, goes on in the slot; 0: rip is none. */
uint64_t patch_enter(const struct patch *p, uint64_t slot, uint64_t rip);
/*
 * What the guest is to see of a thread stopped at rip in the slot: the address of the displaced
 * instruction that it was about to execute (the call itself, from the lea to the jump; the end of
 * the site for the last jump). 0: no place in the slot where a thread can be.
 */
uint64_t patch_leave(const struct patch *p, uint64_t slot, uint64_t rip);

/*
 * A thread that single-steps has come to rip, a place in the slot.  SHOW: an instruction of the guest's is done, and it
 * is to see a step; ON: only one of ours is, it steps on; CALL: it is about to make the call, which shows no step.
 */
enum patch_step { STEP_SHOW, STEP_ON, STEP_CALL };
enum patch_step patch_step(const struct patch *p, uint64_t slot, uint64_t rip);

#endif
