/* regs: a guest thread's general registers, laid out as struct user_regs_struct of <sys/user.h>. */
#ifndef ABI_REGS_H
#define ABI_REGS_H

#include <stdint.h>

struct abi_regs {
	uint64_t r15, r14, r13, r12, rbp, rbx, r11, r10, r9, r8;
	uint64_t rax, rcx, rdx, rsi, rdi;
	uint64_t orig_rax;		/* system call number at a call stop, else -1 */
	uint64_t rip, cs, eflags, rsp, ss;
	uint64_t fs_base, gs_base;
	uint64_t ds, es, fs, gs;
};

_Static_assert(sizeof(struct abi_regs) == 27 * 8, "user_regs_struct");

#endif
