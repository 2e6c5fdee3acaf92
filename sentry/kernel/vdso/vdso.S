/*
 * The guest's vDSO.  What the host's own vDSO answers it is asked to answer: it is mapped above guest
 * memory in every address space, and the sentry writes its addresses into the table below
 * (vdso.c).  For the rest, or where the host has none, a function makes the system call.
 *
 * Clocks that the host's would make a call for are never passed on to it: a call made there would
 * show signal handlers an address that is none of the guest's.
 */
	.section .host, "a", @progbits
	.balign	64
	.ascii	"village's table\0"		/* vdso.c looks for it */
clocks:
	.quad	0				/* a bit for each clock that may be passed on */
	.irp	fn, clock_gettime, clock_getres, gettimeofday, time, getcpu
host_\fn:
	.quad	0
	.endr

	.text

	.macro	begin name
	.globl	__vdso_\name
	.type	__vdso_\name, @function
	.balign	32
__vdso_\name:
	.cfi_startproc
	.endm

	.macro	end name, nr
1:	movl	$\nr, %eax
	syscall
	ret
	.cfi_endproc
	.size	__vdso_\name, . - __vdso_\name
	.weak	\name
	.set	\name, __vdso_\name
	.type	\name, @function
	.endm

	.macro	by_clock name, nr
	begin	\name
	cmpl	$63, %edi
	ja	1f
	movq	clocks(%rip), %rax
	btq	%rdi, %rax
	jnc	1f
	jmp	*host_\name(%rip)
	end	\name, \nr
	.endm

	.macro	by_table name
	movq	host_\name(%rip), %rax
	testq	%rax, %rax
	jz	1f
	jmp	*%rax
	.endm

	by_clock clock_gettime, 228
	by_clock clock_getres, 229

	/* The time zone is the sentry's. */
	begin	gettimeofday
	testq	%rsi, %rsi
	jnz	1f
	by_table gettimeofday
	end	gettimeofday, 96

	begin	time
	by_table time
	end	time, 201

	/* There is one node, whatever the host has. */
	begin	getcpu
	movq	host_getcpu(%rip), %rax
	testq	%rax, %rax
	jz	1f
	testq	%rsi, %rsi
	jz	2f
	movl	$0, (%rsi)
	xorl	%esi, %esi
2:	jmp	*%rax
	end	getcpu, 309

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
