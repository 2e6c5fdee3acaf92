/*
 * guest: the code that guest threads run above their memory: the handler of every signal.
 *
 * A guest thread is either in guest code or in here, on its context set, waiting for the
 * sentry.  The few calls that its filter allows are made from this page alone.  It may
 * jump anywhere in here with any registers: whatever happens then happens to this guest.
 */
#include "platform/stub/stub.h"

#define NR_rt_sigreturn	15
#define NR_getpid	39
#define NR_exit		60
#define NR_arch_prctl	158
#define NR_futex	202
#define ARCH_SET_GS	0x1001
#define ARCH_SET_FS	0x1002
#define UC_RIP		168

	.section .text.guest, "ax"
	.globl	guest_first, guest_handler, guest_restorer, guest_cas, guest_cas_done
	.globl	guest_leave

/* The first act of a thread: a call that is not allowed, so that a frame exists. */
guest_first:
	mov	$NR_getpid, %eax
	syscall
	ud2

	.align	64
/* rsi siginfo, rdx ucontext, both on the context set, as is the stack. */
guest_handler:
	mov	UC_RIP(%rdx), %rax
	lea	cas_begin(%rip), %rcx
	sub	%rcx, %rax
	cmp	$(cas_end - cas_begin), %rax
	jb	cas_faulted
	mov	%rsp, %rbx
	or	$(STUB_CTX_SIZE - 1), %rbx
	sub	$(CTX_HDR - 1), %rbx
	mov	%rdx, CTX_UC(%rbx)
	testl	$BASES_INSN, CTX_BASES(%rbx)
	jz	stop
	rdfsbase %rax
	mov	%rax, CTX_FSBASE(%rbx)
	rdgsbase %rax
	mov	%rax, CTX_GSBASE(%rbx)
stop:
	mov	$ST_STOP, %eax
	xchg	%eax, CTX_STATE(%rbx)
	cmp	$ST_RUN_SLEEP, %eax
	jne	1f
	lea	CTX_STATE(%rbx), %rdi
	mov	$1, %esi			/* FUTEX_WAKE */
	mov	$1, %edx
	mov	$NR_futex, %eax
	syscall
1:	mov	CTX_SPIN(%rbx), %r12d
2:	mov	CTX_STATE(%rbx), %eax
	cmp	$ST_STOP, %eax
	jne	go
	dec	%r12d
	js	3f
	pause
	jmp	2b
3:	mov	$ST_STOP, %eax
	mov	$ST_STOP_SLEEP, %ecx
	lock cmpxchg %ecx, CTX_STATE(%rbx)
	jne	go
4:	lea	CTX_STATE(%rbx), %rdi
	xor	%esi, %esi			/* FUTEX_WAIT */
	mov	$ST_STOP_SLEEP, %edx
	xor	%r10d, %r10d
	mov	$NR_futex, %eax
	syscall
	cmpl	$ST_STOP_SLEEP, CTX_STATE(%rbx)
	je	4b
go:
	mov	CTX_OP(%rbx), %eax
	cmp	$COP_CAS, %eax
	je	cas
	cmp	$COP_EXIT, %eax
	je	guest_leave
	mov	CTX_BASES(%rbx), %r12d
	test	$BASES_INSN, %r12d
	jz	1f
	mov	CTX_FSBASE(%rbx), %rax
	wrfsbase %rax
	mov	CTX_GSBASE(%rbx), %rax
	wrgsbase %rax
1:	test	$BASES_FS, %r12d
	jz	1f
	mov	$ARCH_SET_FS, %edi
	mov	CTX_FSBASE(%rbx), %rsi
	mov	$NR_arch_prctl, %eax
	syscall
1:	test	$BASES_GS, %r12d
	jz	1f
	mov	$ARCH_SET_GS, %edi
	mov	CTX_GSBASE(%rbx), %rsi
	mov	$NR_arch_prctl, %eax
	syscall
1:	add	$8, %rsp
guest_restorer:
	mov	$NR_rt_sigreturn, %eax
	syscall
	ud2

guest_leave:
	xor	%edi, %edi
	mov	$NR_exit, %eax
	syscall
	ud2

cas:
	mov	CTX_CASVA(%rbx), %rdi
	mov	CTX_CASOLD(%rbx), %eax
	mov	CTX_CASNEW(%rbx), %ecx
	xor	%edx, %edx
	call	cas_begin
	mov	%eax, CTX_SEEN(%rbx)
	mov	%edx, CTX_RC(%rbx)
	jmp	stop

/* Under ptrace the sentry starts this with the arguments in place, and takes the trap. */
guest_cas:
	xor	%edx, %edx
	lock cmpxchg %ecx, (%rdi)
	int3
guest_cas_done:
	ud2

cas_begin:
	lock cmpxchg %ecx, (%rdi)
cas_end:
	ret

/* The word could not be reached: go on after the instruction with the error in edx. */
cas_faulted:
	lea	cas_end(%rip), %rcx
	mov	%rcx, UC_RIP(%rdx)
	movl	$-14, 136(%rdx)			/* rdx of the frame */
	movl	$-1, 140(%rdx)
	add	$8, %rsp
	jmp	guest_restorer
