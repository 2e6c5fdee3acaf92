/*
 * insn: how long an x86-64 instruction is, and what in it depends on its place.  Bytes may be hostile.
 *
 * It knows the instructions that do the same at another address once a number relative to %rip is
 * corrected, and refuses all others: what it does not know (VEX, EVEX, XOP, REX2), calls, loops, traps
 * other than int3, far transfers, what makers of processors read differently, x87 (which remembers the
 * address of its last instruction), and the lock prefix, as code may jump over it.
 */
#ifndef PLATFORM_INSN_H
#define PLATFORM_INSN_H

#include "base/base.h"

#define INSN_MAX	15	/* bytes of an instruction at most */

enum insn_kind {
	INSN_PLAIN,
	INSN_JCC,		/* relative branches */
	INSN_JMP,
};

struct insn {
	uint8_t	len;
	uint8_t	kind;
	uint8_t	op;		/* last byte of the opcode */
	uint8_t	modrm_at;	/* offset of ModRM, or 0 */
	uint8_t	rel_at;		/* offset of the number relative to the next instruction, or 0 */
	uint8_t	rel_len;	/* 1 or 4; 4 for an operand in memory */
};

/* The instruction that code[0, n) begins with; -ENOTSUP when it is refused or cut off. */
int insn_decode(struct insn *i, const uint8_t *code, size_t n) MUST_CHECK;

#endif
