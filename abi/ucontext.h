/* ucontext: the frame of a signal handler on x86-64 (arch/x86/include/uapi/asm/sigcontext.h, ucontext.h). */
#ifndef ABI_UCONTEXT_H
#define ABI_UCONTEXT_H

#include "abi/signal.h"

#define ABI_UC_FP_XSTATE		1
#define ABI_UC_SIGCONTEXT_SS		2
#define ABI_UC_STRICT_RESTORE_SS	4

#define ABI_FP_XSTATE_MAGIC1	0x46505853U
#define ABI_FP_XSTATE_MAGIC2	0x46505845U
#define ABI_FXSAVE_SIZE		512
#define ABI_FXSAVE_SW_OFF	464	/* struct abi_fpx_sw in the FXSAVE image */

struct abi_fpx_sw {
	uint32_t magic1, extended_size;
	uint64_t xfeatures;
	uint32_t xstate_size, padding[7];
};
_Static_assert(sizeof(struct abi_fpx_sw) == 48, "struct _fpx_sw_bytes");

struct abi_sigcontext {
	uint64_t r8, r9, r10, r11, r12, r13, r14, r15;
	uint64_t rdi, rsi, rbp, rbx, rdx, rax, rcx, rsp, rip;
	uint64_t eflags;
	uint16_t cs, gs, fs, ss;
	uint64_t err, trapno, oldmask, cr2;
	uint64_t fpstate;		/* address of the FP image, 64-byte aligned, or 0 */
	uint64_t reserved[8];
};
_Static_assert(sizeof(struct abi_sigcontext) == 256, "struct sigcontext_64");

struct abi_ucontext {
	uint64_t uc_flags, uc_link;
	struct abi_stack uc_stack;
	struct abi_sigcontext uc_mcontext;
	uint64_t uc_sigmask;
};
_Static_assert(sizeof(struct abi_ucontext) == 304, "struct ucontext");

/* What the stack pointer points at when a handler starts. */
struct abi_rt_sigframe {
	uint64_t pretcode;
	struct abi_ucontext uc;
	struct abi_siginfo info;
};
_Static_assert(sizeof(struct abi_rt_sigframe) == 440, "struct rt_sigframe");

#endif
