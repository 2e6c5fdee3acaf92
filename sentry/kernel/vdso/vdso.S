/*
 * The guest's vDSO.  Each function makes the system call: the platform catches a trapped call as
 * cheaply here as anywhere.  The time page that answers without a call comes with the platform's own pages.
 */
	.text

	.macro vcall name, nr
	.globl	__vdso_\name
	.type	__vdso_\name, @function
	.balign	16
__vdso_\name:
	.cfi_startproc
	movl	$\nr, %eax
	syscall
	ret
	.cfi_endproc
	.size	__vdso_\name, . - __vdso_\name
	.weak	\name
	.set	\name, __vdso_\name
	.type	\name, @function
	.endm

	vcall	clock_gettime, 228
	vcall	clock_getres, 229
	vcall	gettimeofday, 96
	vcall	time, 201
	vcall	getcpu, 309

/*
 * A signal frame's return address: at entry %rsp points at struct ucontext, whose mcontext holds the
 * interrupted registers.  The CFI tells unwinders where; the nop lets a search for address minus one hit it.
 */
	.set	UC_MCONTEXT, 40
	.macro	saved reg, index
	.cfi_escape 0x10, \reg, 3, 0x77, (UC_MCONTEXT + 8 * \index) & 0x7f | 0x80, (UC_MCONTEXT + 8 * \index) >> 7
	.endm

	.cfi_startproc simple
	.cfi_signal_frame
	/* CFA: the interrupted %rsp, mcontext slot 15: DW_CFA_def_cfa_expression, breg7 off, deref. */
	.cfi_escape 0x0f, 4, 0x77, (UC_MCONTEXT + 8 * 15) & 0x7f | 0x80, (UC_MCONTEXT + 8 * 15) >> 7, 0x06
	saved	8, 0
	saved	9, 1
	saved	10, 2
	saved	11, 3
	saved	12, 4
	saved	13, 5
	saved	14, 6
	saved	15, 7
	saved	5, 8
	saved	4, 9
	saved	6, 10
	saved	3, 11
	saved	1, 12
	saved	0, 13
	saved	2, 14
	saved	16, 16
	nop
	.balign	16
	.globl	__kernel_rt_sigreturn
	.type	__kernel_rt_sigreturn, @function
__kernel_rt_sigreturn:
	movl	$15, %eax
	syscall
	ud2
	.size	__kernel_rt_sigreturn, . - __kernel_rt_sigreturn
	.cfi_endproc

	.section .note.Linux, "a", @note
	.balign	4
	.long	6, 4, 0
	.asciz	"Linux"
	.balign	4
	.long	0x060100	/* the release uname(2) shows: 6.1 */

	.section .note.GNU-stack, "", @progbits
