/*
 * frame: the signal frame in which the host leaves a stopped guest thread's registers, on its context set.
 *
 * The guest can write there at any moment: what is read once and checked holds, nothing else.
 */
#ifndef PLATFORM_FRAME_H
#define PLATFORM_FRAME_H

#include "platform/space.h"

#define EFLAGS_USER	0x250dd5ULL	/* what a program may choose, ID and AC included */
#define EFLAGS_ON	0x202ULL
#define EFLAGS_TF	0x100ULL
#define USER_CS		0x33ULL
#define USER_SS		0x2bULL

/* struct ucontext as the host lays it out; libc's has a larger mask. */
struct frame_uc {
	uint64_t	uc_flags, link, ss_sp, ss_flags, ss_size;
	uint64_t	r8, r9, r10, r11, r12, r13, r14, r15, rdi, rsi, rbp, rbx, rdx, rax, rcx, rsp, rip, eflags;
	uint16_t	cs, gs, fs, ss;
	uint64_t	err, trapno, oldmask, cr2, fpstate, reserved[8];
	uint64_t	sigmask;
};

struct frame_info {
	int32_t		signo, error, code, pad;
	union {
		uint64_t	addr;
		struct {
			uint64_t call_addr;
			int32_t	 nr;
			uint32_t arch;
		} sys;
	};
	char		rest[128 - 32];
};

struct frame {
	struct frame_uc	uc;
	struct frame_info info;
};
_Static_assert(offsetof(struct frame, info) == 304 && sizeof(struct frame_info) == 128, "rt_sigframe");

/* Are the registers of a thread that has stopped this way in a frame? */
static inline bool
is_framed(uint32_t way)
{
	return way == WAY_FRAME || way == WAY_TRAP;
}

/* Of a thread whose frame frame_find has found. */
static inline struct frame *
frame_of(struct ctx *c)
{
	return (struct frame *)(void *)(c->base + c->uc);
}

/* The FP image that goes with it, or NULL when the frame names no place in the set. */
void *frame_fp(struct ctx *c);
/* All registers but the segment bases, which are no frame's; orig_rax is none. set: what a program may not choose is left out. */
void frame_regs_get(struct abi_regs *r, const struct frame_uc *u);
void frame_regs_set(struct frame_uc *u, const struct abi_regs *r);

#endif
