/*
 * guest: the code that guest threads run above their memory: the handler of every signal, and the
 * way in for patched calls.
 *
 * A guest thread is either in guest code or in here, waiting for the sentry.  It comes by a signal
 * (its registers are in the frame then, on the context set) or from a patched call (they are in the
 * header of the set then, which %gs points at).  The few calls that its filter allows are made from
 * this page alone.  It may jump anywhere in here with any registers: whatever happens then happens
 * to this guest.
 *
 * A kick may come while a thread is in here.  Before it has announced its stop that means nothing: the
 * sentry is about to have the thread anyway.  After that it matters only if the sentry has already
 * let the thread go, which must not reach the guest then; see `kicked`.
 */
#include "platform/stub/stub.h"

#define SIGSYS		31
#define SI_ARCH		28
#define ARCH_X86_64	0xc000003e
#define NO_LINK		9		/* ANSWER_NO_LINK */
#define SIGMASK		10		/* ANSWER_SIGMASK */
#define YIELD		11		/* ANSWER_YIELD */
#define SIGKILL_BIT	8
#define SIGSTOP_BIT	18
#define NR_rt_sigreturn	15
#define NR_getpid	39
#define NR_exit		60
#define NR_arch_prctl	158
#define NR_futex	202
#define ARCH_SET_GS	0x1001
#define ARCH_SET_FS	0x1002
#define CPU_SEGMENT	0x7b
#define UC_R8		40
#define UC_R9		48
#define UC_R10		56
#define UC_R11		64
#define UC_RDI		104
#define UC_RSI		112
#define UC_RDX		136
#define UC_RAX		144
#define UC_RCX		152
#define UC_RSP		160
#define UC_RIP		168
#define UC_EFLAGS	176
#define UC_FPSTATE	224

	.section .text.guest, "ax"
	.globl	guest_first, guest_handler, guest_restorer, guest_cas, guest_cas_done
	.globl	guest_leave, guest_entry, guest_alien

/* The first act of a thread: a call that is not allowed, so that a frame exists. */
guest_first:
	mov	$NR_getpid, %eax
	syscall
	ud2

/* ---- patched calls ---- */

/*
 * From a slot (platform/patch.h): r11 where it goes on, what follows the call in front of that.
 * rcx and r11 are the call's to spoil; everything else, the flags too, is the guest's.
 */
	.align	64
guest_entry:
	mov	%gs:CTX_MAGIC, %rcx
	lea	-CTX_MAGIC_VALUE(%rcx), %rcx
	jrcxz	1f
guest_alien:
	ud2
1:	mov	%rsp, %gs:CTX_RSP
	mov	%gs:CTX_SELF, %rsp
	lea	CTX_FLAGS+8(%rsp), %rsp
	pushf
	lea	-CTX_FLAGS(%rsp), %rsp
	mov	%r11, CTX_GOTO(%rsp)
	mov	%rax, CTX_RAX(%rsp)
	cmpl	$0, CTX_KICKED(%rsp)
	jne	call
/* A kick from here on goes to `again`: the answer may not reach the guest. */
answer:
	mov	%eax, %r11d
	cmp	$ANSWER_CALLS, %r11d
	jae	call
	lea	answer_calls(%rip), %rcx
	movzbl	(%rcx,%r11), %r11d
	bt	%r11d, CTX_KNOWN(%rsp)
	jnc	call
	cmp	$NO_LINK, %r11d
	jae	worked_out
	mov	CTX_ANSWERS(%rsp,%r11,4), %eax
answered:
	incq	CTX_ANSWERED(%rsp)
	.macro	to_guest			/* rax the result */
	mov	CTX_GOTO(%rsp), %rcx
	mov	-8(%rcx), %rcx
	mov	CTX_FLAGS(%rsp), %r11
	lea	CTX_FLAGS(%rsp), %rsp
	popf
	mov	%gs:CTX_RSP, %rsp
	jmp	*%gs:CTX_GOTO
	.endm
	to_guest
worked_out:
	je	no_link
	cmp	$SIGMASK, %r11d
	je	sigmask
/* sched_yield: nothing to do while all guests that are awake have a processor for themselves and one for their owners. */
	movabs	$STUB_WORLD, %rcx
	mov	WORLD_AWAKE(%rcx), %eax
	add	%eax, %eax
	cmp	WORLD_CPUS(%rcx), %eax
	jg	call
	xor	%eax, %eax
	jmp	answered
/* rt_sigprocmask: from mask_begin on there is something to take back. */
sigmask:
	cmp	$8, %r10
	jne	call
	mov	CTX_SIGMASK(%rsp), %r11
	mov	%r11, CTX_SIGMASK_OLD(%rsp)
	jmp	mask_begin
/* readlink: of a buffer with room, and a name that is known to be no link? */
no_link:
	test	%edx, %edx
	jle	call
	mov	%rdx, CTX_RDX(%rsp)
	mov	%rsi, CTX_RSI(%rsp)
	mov	%rdi, CTX_RDI(%rsp)
	mov	%r8, CTX_R8(%rsp)
	mov	%r9, CTX_R9(%rsp)
	jmp	name
again:
	mov	%gs:CTX_SELF, %rsp
call:
	mov	CTX_GOTO(%rsp), %r11
	mov	-8(%r11), %rcx
	mov	CTX_FLAGS(%rsp), %r11
	mov	%rcx, CTX_RCX(%rsp)
	mov	%r11, CTX_R11(%rsp)
	mov	%rbx, CTX_RBX(%rsp)
	mov	%rdx, CTX_RDX(%rsp)
	mov	%rsi, CTX_RSI(%rsp)
	mov	%rdi, CTX_RDI(%rsp)
	mov	%rbp, CTX_RBP(%rsp)
	mov	%r8, CTX_R8(%rsp)
	mov	%r9, CTX_R9(%rsp)
	mov	%r10, CTX_R10(%rsp)
	mov	%r12, CTX_R12(%rsp)
	mov	%r13, CTX_R13(%rsp)
	mov	%r14, CTX_R14(%rsp)
	mov	%r15, CTX_R15(%rsp)
	mov	%rsp, %rbx
	movl	$0, CTX_KICKED(%rbx)
	movl	$WAY_PATCH, CTX_WAY(%rbx)
	testl	$BASES_INSN, CTX_BASES(%rbx)
	jz	in
	rdfsbase %rcx
	mov	%rcx, CTX_FSBASE(%rbx)

/*
 * Arguments on their way in: r12 what is left of the call's word (platform.h), r13 where the next
 * small one goes, r14 where its length.  What faults is left to the sentry, see `in_faulted`.
 */
in:
	mov	CTX_RAX(%rbx), %eax
	cmp	$STUB_MARSHAL_CALLS, %eax
	jae	call_out
	movabs	$STUB_MARSHAL, %rcx
	mov	(%rcx,%rax,4), %ecx
	and	$0x3fffffff, %ecx
	jz	call_out
	mov	%ecx, %r12d
	movq	$0, CTX_IN_LEN(%rbx)
	cld
	lea	STUB_CTX_DATA+CTX_HDR-STUB_CTX_SIZE(%rbx), %r13
	lea	CTX_IN_LEN(%rbx), %r14
in_next:
	mov	%r12d, %eax
	shr	$2, %eax
	and	$7, %eax
	bt	$14, %r12d			/* MARSHAL_LOCK */
	jnc	1f
	mov	CTX_ARGS-8(%rbx,%rax,8), %ecx
	cmp	$64, %ecx
	jae	in_done
	movabs	$LOCK_COMMANDS, %rdx
	bt	%rcx, %rdx
	jnc	in_done
1:	mov	CTX_ARGS(%rbx,%rax,8), %rsi
	mov	%r12d, %edx
	shr	$5, %edx
	and	$0x1ff, %edx
	mov	%r12d, %eax
	and	$3, %eax
	jz	in_done
	test	%rsi, %rsi
	jz	in_done
	cmp	$2, %eax
	jb	in_string
	je	in_fixed
	mov	CTX_ARGS(%rbx,%rdx,8), %rcx
	lea	DATA_BIG+CTX_HDR-STUB_CTX_SIZE(%rbx), %rdi
	cmp	$DATA_BIG_SIZE, %rcx
	ja	in_done
	jmp	1f
in_fixed:
	mov	%edx, %ecx
	mov	%r13, %rdi
1:	mov	%ecx, %edx
in_begin:
	rep movsb
	jmp	in_copied
in_string:
	xor	%edx, %edx
1:	mov	(%rsi,%rdx), %al
	mov	%al, (%r13,%rdx)
	inc	%edx
	test	%al, %al
	jz	in_copied
	cmp	$DATA_SMALL, %edx
	jb	1b
	jmp	in_done
in_copied:
	mov	%edx, (%r14)
in_done:
	add	$4, %r14
	add	$DATA_SMALL, %r13
	shr	$15, %r12d
	jnz	in_next
	mov	CTX_RDX(%rbx), %rdx
	mov	CTX_RSI(%rbx), %rsi
	mov	CTX_RDI(%rbx), %rdi
	mov	CTX_R12(%rbx), %r12
	mov	CTX_R13(%rbx), %r13
	mov	CTX_R14(%rbx), %r14
	mov	CTX_IN_LEN+4(%rbx), %eax
	shl	$IN_LEN_SECOND, %eax
	or	CTX_IN_LEN(%rbx), %eax
/*
 * All at once: the sentry, which looks at this line, would take it away in between.  eax: for CTX_CALL_IN, which is not
 * read for a call without arguments to copy.
 */
call_out:
	mov	CTX_SPIN(%rbx), %ecx
	mov	%eax, CTX_CALL_IN(%rbx)
	mov	CTX_RAX(%rbx), %rax
	mov	$ST_CALL, %r11d
/* ecx how long to wait awake, r11d the state to announce; the others as at the call. */
call_line:
	mov	%rax, CTX_CALL(%rbx)
	mov	%rdi, CTX_CALL_ARGS(%rbx)
	mov	%rsi, CTX_CALL_ARGS+8(%rbx)
	mov	%rdx, CTX_CALL_ARGS+16(%rbx)
	mov	%r10, CTX_CALL_ARGS+24(%rbx)
	mov	%r8, CTX_CALL_ARGS+32(%rbx)
	mov	%r9, CTX_CALL_ARGS+40(%rbx)
	jmp	stop_as

/*
 * ---- stopped: rbx the header, r11d the state to announce ----
 *
 * While a call is waited for awake, all registers but rax, rbx, rcx, r11 and rsp are the guest's, so
 * that it can go back with no more than these.
 */
stop:
	mov	$ST_STOP, %r11d
	mov	CTX_SPIN(%rbx), %ecx
stop_as:
	mov	%r11d, %eax
	xchg	%eax, CTX_STATE(%rbx)
stopped:
	cmp	$ST_RUN_SLEEP, %eax
	je	wake
1:	mov	CTX_STATE(%rbx), %eax
	cmp	%r11d, %eax
	jne	2f
	dec	%ecx
	js	sleep
	pause
	jmp	1b
2:	cmp	$ST_BACK, %eax
	jne	turned
	mov	CTX_CALL(%rbx), %rax
	mov	CTX_RCX(%rbx), %rcx
	mov	CTX_R11(%rbx), %r11
	lea	CTX_FLAGS(%rbx), %rsp
	mov	CTX_RBX(%rbx), %rbx
	popf
	mov	%gs:CTX_RSP, %rsp
	jmp	*%gs:CTX_GOTO

	/* Those of an image. The processor may have some that the host allows nobody, and XSAVE would write them too. */
	.macro	fp_features
	mov	CTX_FP_MASK(%rbx), %eax
	mov	CTX_FP_MASK+4(%rbx), %edx
	.endm

	.macro	where_am_i
	mov	$CPU_SEGMENT, %eax		/* its limit is the number of the processor */
	lsl	%eax, %eax
	mov	%eax, CTX_CPU(%rbx)
	.endm

wake:
	mov	%r11d, %r13d
	mov	%ecx, %r12d
	where_am_i
	lea	CTX_STATE(%rbx), %rdi
	mov	$1, %esi			/* FUTEX_WAKE */
	mov	$1, %edx
	mov	$NR_futex, %eax
	syscall
2:	mov	CTX_STATE(%rbx), %eax
	cmp	%r13d, %eax
	jne	turned
	dec	%r12d
	js	3f
	pause
	jmp	2b
sleep:
	mov	%r11d, %r13d
3:	where_am_i
	mov	%r13d, %eax
	mov	$ST_STOP_SLEEP, %ecx
	lock cmpxchg %ecx, CTX_STATE(%rbx)
	je	4f
turned:
	cmp	$ST_STOP_SLEEP, %eax		/* the sentry sleeps itself, and has said it for us */
	jne	go
	where_am_i
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
	test	%eax, %eax
	jnz	work
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
1:	mov	CTX_WAY(%rbx), %eax
	cmp	$WAY_FRAME, %eax
	je	2f
	cmp	$WAY_TRAP, %eax
	jne	resume
	mov	CTX_CALL(%rbx), %rax
	mov	%rax, 8+UC_RAX(%rsp)
2:	add	$8, %rsp
guest_restorer:
	mov	$NR_rt_sigreturn, %eax
	syscall
	ud2

/* Back from a patched call, with whatever registers the sentry has put into the header. */
resume:
	cmpl	$0, CTX_OUT_N(%rbx)
	jne	out
resume_regs:
	lea	CTX_FLAGS(%rbx), %rsp
	popf
	mov	CTX_CALL(%rbx), %rax
	mov	CTX_RCX(%rbx), %rcx
	mov	CTX_RDX(%rbx), %rdx
	mov	CTX_RSI(%rbx), %rsi
	mov	CTX_RDI(%rbx), %rdi
	mov	CTX_RBP(%rbx), %rbp
	mov	CTX_R8(%rbx), %r8
	mov	CTX_R9(%rbx), %r9
	mov	CTX_R10(%rbx), %r10
	mov	CTX_R11(%rbx), %r11
	mov	CTX_R12(%rbx), %r12
	mov	CTX_R13(%rbx), %r13
	mov	CTX_R14(%rbx), %r14
	mov	CTX_R15(%rbx), %r15
	mov	CTX_RSP(%rbx), %rsp
	mov	CTX_RBX(%rbx), %rbx
	jmp	*%gs:CTX_GOTO

/*
 * The name at rdi in the table (names.c): edx its length, esi its hash.  What faults here, or is kicked, goes on at
 * name_again: the sentry's, then.
 */
	.macro	name_done
	mov	CTX_RDX(%rsp), %rdx
	mov	CTX_RSI(%rsp), %rsi
	mov	CTX_RDI(%rsp), %rdi
	mov	CTX_R8(%rsp), %r8
	mov	CTX_R9(%rsp), %r9
	.endm
name:
	xor	%edx, %edx
	xor	%esi, %esi
1:	movzbl	(%rdi,%rdx), %ecx
	inc	%edx
	add	%ecx, %esi
	imul	$NAME_FACTOR, %esi, %esi
	test	%ecx, %ecx
	jz	2f
	cmp	$NAME_MAX_LEN, %edx
	jb	1b
	jmp	name_unknown
2:	shr	$(32 - NAME_SLOTS_LOG), %esi
	shl	$NAME_SIZE_LOG, %esi
	lea	STUB_CTX_NAMES+CTX_HDR-STUB_CTX_SIZE(%rsp,%rsi), %r9
	movabs	$STUB_WORLD, %rcx
	mov	WORLD_NAMES(%rcx), %r8
	cmp	%r8, NAME_STATE(%r9)
	jne	name_unknown
	cmp	%edx, NAME_LEN(%r9)
	jne	name_unknown
	lea	NAME_TEXT(%r9), %rsi
	mov	%edx, %ecx
	cld
	repe cmpsb
	jne	name_unknown
	name_done
	mov	$-22, %rax			/* EINVAL */
	jmp	answered
name_again:
	mov	%gs:CTX_SELF, %rsp
name_unknown:
	name_done
	jmp	call
name_end:

/*
 * rt_sigprocmask(rdi how, rsi set, rdx oldset), r11 the mask.  The sentry, who makes a signal pending, tells us first to
 * ask (ctx_ask), and then looks at the mask: if it has seen an old one, we see that, undo what we did and ask.  So what we
 * do alone is done while no signal at all is pending.  What faults here, or is kicked, goes on at mask_again.
 */
	.macro	guest_memory reg		/* what is in the stub's region is no guest's to give */
	mov	\reg, %rcx
	shr	$31, %rcx
	cmp	$0xffff, %rcx			/* GUEST_TOP >> 31 */
	jae	mask_again
	.endm
mask_begin:
	test	%rsi, %rsi
	jz	3f
	guest_memory %rsi
	/* The sentry may have to read the set again: the old one may not lie over it. */
	lea	7(%rsi), %rcx
	sub	%rdx, %rcx
	cmp	$15, %rcx
	jb	mask_again
	mov	(%rsi), %rax
	cmp	$1, %edi			/* SIG_UNBLOCK */
	jb	1f
	je	2f
	cmp	$2, %edi			/* SIG_SETMASK */
	je	4f
	jmp	mask_again
1:	or	%r11, %rax
	jmp	4f
2:	not	%rax
	and	%r11, %rax
	jmp	4f
3:	mov	%r11, %rax
4:	btr	$SIGKILL_BIT, %rax
	btr	$SIGSTOP_BIT, %rax
	test	%rdx, %rdx
	jz	5f
	guest_memory %rdx
	mov	%r11, (%rdx)
5:	xchg	%rax, CTX_SIGMASK(%rsp)
	btl	$SIGMASK, CTX_KNOWN(%rsp)
	jc	mask_done
mask_again:
	mov	%gs:CTX_SELF, %rsp
	mov	CTX_SIGMASK_OLD(%rsp), %rcx
	mov	%rcx, CTX_SIGMASK(%rsp)
	jmp	call
/* A kick from here on finds the call complete: mask_finish. */
mask_done:
	incq	CTX_ANSWERED(%rsp)
	xor	%eax, %eax
	to_guest
mask_end:

/* ---- signals: rsi siginfo, rdx ucontext, both on the context set, as is the stack ---- */

	.align	64
guest_handler:
	mov	%rsp, %rbx
	or	$(STUB_CTX_SIZE - 1), %rbx
	sub	$(CTX_HDR - 1), %rbx
	mov	UC_RIP(%rdx), %rax
	lea	name(%rip), %rcx
	sub	%rcx, %rax
	lea	name_again(%rip), %rcx
	cmp	$(name_end - name), %rax
	jb	elsewhere
	mov	UC_RIP(%rdx), %rax
	lea	mask_begin(%rip), %rcx
	sub	%rcx, %rax
	lea	mask_again(%rip), %rcx
	cmp	$(mask_done - mask_begin), %rax
	jb	elsewhere
	cmpl	$STUB_SIGKICK, (%rsi)
	je	kick
	mov	UC_RIP(%rdx), %rax
	lea	in_begin(%rip), %rcx
	sub	%rcx, %rax
	lea	in_done(%rip), %rcx
	cmp	$(in_copied - in_begin), %rax
	jb	elsewhere
	mov	UC_RIP(%rdx), %rax
	lea	out_begin(%rip), %rcx
	sub	%rcx, %rax
	lea	out_faulted(%rip), %rcx
	cmp	$(out_end - out_begin), %rax
	jb	elsewhere
	mov	UC_RIP(%rdx), %rax
	lea	frame_begin(%rip), %rcx
	sub	%rcx, %rax
	lea	stop(%rip), %rcx
	cmp	$(frame_end - frame_begin), %rax
	jb	elsewhere
	mov	UC_RIP(%rdx), %rax
	lea	cas_begin(%rip), %rcx
	sub	%rcx, %rax
	cmp	$(cas_end - cas_begin), %rax
	jb	cas_faulted
	jmp	in_frame
kick:
	mov	UC_RIP(%rdx), %rax
	lea	guest_entry(%rip), %rcx
	sub	%rcx, %rax
	cmp	$(work_end - guest_entry), %rax
	jb	kicked
in_frame:
	mov	%rdx, CTX_UC(%rbx)
	movl	$WAY_FRAME, CTX_WAY(%rbx)
	testl	$BASES_INSN, CTX_BASES(%rbx)
	jz	1f
	rdfsbase %rax
	mov	%rax, CTX_FSBASE(%rbx)
	rdgsbase %rax
	mov	%rax, CTX_GSBASE(%rbx)
1:	cmpl	$SIGSYS, (%rsi)
	jne	stop
	cmpl	$NR_rt_sigreturn, UC_RAX(%rdx)
	je	1f
/* A call: most need no more of the frame than this, and it is many lines. */
	mov	$ARCH_X86_64, %eax
	cmp	%eax, SI_ARCH(%rsi)
	jne	stop
	movl	$WAY_TRAP, CTX_WAY(%rbx)
	mov	UC_RIP(%rdx), %rax
	mov	%rax, CTX_GOTO(%rbx)
	mov	UC_RAX(%rdx), %rax
	mov	UC_RDI(%rdx), %rdi
	mov	UC_RSI(%rdx), %rsi
	mov	UC_R10(%rdx), %r10
	mov	UC_R8(%rdx), %r8
	mov	UC_R9(%rdx), %r9
	mov	UC_RDX(%rdx), %rdx
	mov	CTX_SPIN(%rbx), %ecx
	mov	$ST_STOP, %r11d
	jmp	call_line
1:
/*
 * The guest's rt_sigreturn: its frame on the way in.  What needs no check goes where the host will load
 * it from; a frame that is none of the sentry's making, or faults, is the sentry's to read.
 */
	movl	$0, CTX_IN_LEN(%rbx)
	cld
	mov	UC_RSP(%rdx), %rsi
	lea	DATA_BIG+CTX_HDR-STUB_CTX_SIZE(%rbx), %rdi
	mov	$SIGFRAME_HEAD, %ecx
frame_begin:
	rep movsb
	mov	UC_FPSTATE(%rdx), %rdi
	add	$SIGFRAME_FP_HEAD, %rdi
	mov	CTX_FP_REST(%rbx), %ecx
	rep movsb
frame_end:
	movl	$SIGFRAME_HEAD, CTX_IN_LEN(%rbx)
	jmp	stop

/* A kick in our own code, rax where. */
kicked:
	lea	-(mask_done - guest_entry)(%rax), %rcx
	cmp	$(mask_end - mask_done), %rcx
	jb	mask_finish
	cmp	$(call - guest_entry), %rax
	jae	1f
	lea	again(%rip), %rcx
	cmp	$(answer - guest_entry), %rax
	jae	2f
	/* Not yet decided who answers: the sentry, then. */
	movl	$1, CTX_KICKED(%rbx)
	jmp	3f
1:	cmp	$(stopped - guest_entry), %rax
	jb	3f
	/* Stopped, and let go again?  Unless it is work for the sentry that will stop once more. */
	mov	CTX_STATE(%rbx), %eax
	cmp	$ST_BACK, %eax
	je	4f
	sub	$ST_RUN, %eax
	cmp	$(ST_RUN_SLEEP - ST_RUN), %eax
	ja	3f
4:
	cmpl	$COP_RESUME, CTX_OP(%rbx)
	jne	3f
	lea	stop_again(%rip), %rcx
2:
elsewhere:
	mov	%rcx, UC_RIP(%rdx)
3:	add	$8, %rsp
	jmp	guest_restorer

/* The guest is stopped behind the call. */
mask_finish:
	mov	CTX_GOTO(%rbx), %rcx
	mov	%rcx, UC_RIP(%rdx)
	mov	-8(%rcx), %rcx
	mov	%rcx, UC_RCX(%rdx)
	mov	CTX_FLAGS(%rbx), %rcx
	mov	%rcx, UC_EFLAGS(%rdx)
	mov	%rcx, UC_R11(%rdx)
	mov	CTX_RSP(%rbx), %rcx
	mov	%rcx, UC_RSP(%rdx)
	movq	$0, UC_RAX(%rdx)
	jmp	in_frame

stop_again:
	mov	%gs:CTX_SELF, %rbx
	mov	%rbx, %rsp
	movl	$WAY_KICK, CTX_WAY(%rbx)
	jmp	stop

/* Results on their way out: rbx the header, as the sentry left them there. */
out:
	cld
	mov	CTX_OUT_N(%rbx), %r12d
	lea	CTX_OUT(%rbx), %r13
	lea	CTX_OUT_MORE(%rbx), %r15
	lea	CTX_HDR-STUB_CTX_SIZE(%rbx), %r14
1:	mov	OUT_VA(%r13), %rdi
	mov	OUT_OFF(%r13), %esi
	add	%r14, %rsi
	mov	OUT_LEN(%r13), %ecx
out_begin:
	rep movsb
	mov	%r15, %r13
	add	$OUT_SIZE, %r15
	dec	%r12d
	jnz	1b
	mov	CTX_FP_TO(%rbx), %rcx
	test	%rcx, %rcx
	jz	resume_regs
	fp_features
	xsave64	(%rcx)
out_end:
	movq	$0, CTX_FP_TO(%rbx)
	xrstor64 CTX_HDR-STUB_CTX_SIZE(%rbx)
	jmp	resume_regs
out_faulted:
	movl	$WAY_OUT, CTX_WAY(%rbx)
	jmp	stop

/* ---- work for the sentry: eax what ---- */

work:
	cmp	$COP_MAP, %eax
	je	map
	cmp	$COP_CAS, %eax
	je	cas
	cmp	$COP_FP_GET, %eax
	je	fp_get
	cmp	$COP_FP_SET, %eax
	je	fp_set
	cmp	$COP_EXIT, %eax
	je	guest_leave
	/* COP_FRAME: a trap makes one. */
	mov	$NR_getpid, %eax
	syscall
	ud2

guest_leave:
	xor	%edi, %edi
	mov	$NR_exit, %eax
	syscall
	ud2

/* What guest code could ask of the host as well, from here; r12 the command, r13d how many are left. */
map:
	lea	STUB_CTX_WORK+CTX_HDR-STUB_CTX_SIZE(%rbx), %r12
	mov	CTX_WORK_N(%rbx), %r13d
1:	mov	ENT_ARGS(%r12), %rdi
	mov	ENT_ARGS+8(%r12), %rsi
	mov	ENT_ARGS+16(%r12), %rdx
	mov	ENT_ARGS+24(%r12), %r10
	mov	ENT_ARGS+32(%r12), %r8
	mov	ENT_ARGS+40(%r12), %r9
	mov	ENT_NR(%r12), %eax
	syscall
	cmp	$-4095, %rax
	jae	2f
	xor	%eax, %eax
	add	$ENT_SIZE, %r12
	dec	%r13d
	jnz	1b
2:	neg	%eax
	mov	%r13d, CTX_LEFT(%rbx)
	mov	%eax, CTX_RC(%rbx)
	jmp	stop

cas:
	mov	CTX_CASVA(%rbx), %rdi
	mov	CTX_CASOLD(%rbx), %eax
	mov	CTX_CASNEW(%rbx), %ecx
	xor	%edx, %edx
cas_begin:
	lock cmpxchg %ecx, (%rdi)
cas_end:
	mov	%eax, CTX_SEEN(%rbx)
	mov	%edx, CTX_RC(%rbx)
	jmp	stop

/* The word could not be reached: go on after the instruction with the error in edx. */
cas_faulted:
	lea	cas_end(%rip), %rcx
	mov	%rcx, UC_RIP(%rdx)
	movl	$-14, 136(%rdx)			/* rdx of the frame */
	movl	$-1, 140(%rdx)
	add	$8, %rsp
	jmp	guest_restorer

fp_get:
	fp_features
	xsave64	CTX_HDR-STUB_CTX_SIZE(%rbx)
	jmp	stop
fp_set:
	fp_features
	xrstor64 CTX_HDR-STUB_CTX_SIZE(%rbx)
	jmp	stop
work_end:

/* Under ptrace the sentry starts this with the arguments in place, and takes the trap. */
guest_cas:
	xor	%edx, %edx
	lock cmpxchg %ecx, (%rdi)
	int3
guest_cas_done:
	ud2

/* Which answer a call takes: enum ctx_answer; 0, which is never known, for all others. */
	.macro	answers nr, which
	.org	answer_calls + \nr
	.byte	\which
	.endm
answer_calls:
	answers	14, SIGMASK		/* rt_sigprocmask */
	answers	24, YIELD		/* sched_yield */
	answers	39, 1			/* getpid */
	answers	89, NO_LINK		/* readlink */
	answers	102, 2			/* getuid */
	answers	104, 3			/* getgid */
	answers	107, 4			/* geteuid */
	answers	108, 5			/* getegid */
	answers	110, 6			/* getppid */
	answers	111, 7			/* getpgrp */
	answers	186, 8			/* gettid */
	.set	ANSWER_CALLS, . - answer_calls
