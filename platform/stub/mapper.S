/*
 * mapper: the first thread of every stub; carries out the sentry's commands.
 *
 * No stack and no writable memory: guest threads share this address space, so all state
 * is in registers, which they cannot reach.
 *
 *	rbx	the command pages (read-only here)
 *	ebp	number of the last batch carried out
 *	r12	where this stub's result page lies in the control file
 *	r14	the entry at work, r15 entries left
 *
 * Results leave through pwrite64 on the control file, from constants and from the command
 * pages, which guest threads cannot write either.
 */
#include "platform/stub/stub.h"

#define NR_mmap			9
#define NR_munmap		11
#define NR_close		3
#define NR_rt_sigprocmask	14
#define NR_pwrite64		18
#define NR_mremap		25
#define NR_getpid		39
#define NR_sendmsg		46
#define NR_clone		56
#define NR_exit			60
#define NR_sigaltstack		131
#define NR_prctl		157
#define NR_futex		202
#define NR_exit_group		231
#define NR_openat		257
#define NR_seccomp		317
#define NR_pidfd_open		434

	.section .text.head, "ax"
	.globl	_start
_start:
	.quad	STUB_T_MAGIC
	.quad	boot - STUB_TEXT
	.quad	guest_handler
	.quad	guest_restorer
	.quad	guest_cas
	.quad	guest_cas_done
	.quad	guest_leave
	.quad	guest_entry
	.quad	guest_alien

	.org	STUB_C_SELFMEM - STUB_TEXT
	.asciz	"self/mem"
	.org	STUB_C_SIGSET - STUB_TEXT
	.quad	0
	.org	STUB_C_SENDMSG - STUB_TEXT
	.quad	0, 0, send_iov, 1, send_ctl, 24, 0
	.org	STUB_C_RECVMSG - STUB_TEXT
	/* The host cannot write its answers into this header, hence -EFAULT after the descriptor has arrived. */
	.quad	0, 0, recv_iov, 1, STUB_SCRATCH + 64, 24, 0
send_iov:
	.quad	STUB_CMD + CMD_ID, 8
recv_iov:
	.quad	STUB_SCRATCH, 8
	.align	8
send_ctl:
	.quad	16 + 8
	.long	1, 1				/* SOL_SOCKET, SCM_RIGHTS */
	.long	STUB_FD_NEW, STUB_FD_NEW2

/* The 256 values of a byte: whatever is to be reported lies here already. */
	.align	64
bytes:
	.set	n, 0
	.rept	256
	.byte	n
	.set	n, n + 1
	.endr

	.text
/*
 * The zygote's start, in a copy of the text at a low address: r12 the offset of the first
 * slot, r13 that copy's address, descriptor 4 the text.  The host's vDSO follows the copy, in up
 * to three mappings of r14, r15 and rbx bytes.
 */
boot:
	xor	%edi, %edi
	mov	%r13, %rsi
	mov	$NR_munmap, %eax
	syscall
	test	%rax, %rax
	jnz	fail
	lea	STUB_TEXT_SIZE(%r13,%r14), %rdi
	add	%r15, %rdi
	add	%rbx, %rdi
	movabs	$STUB_TOP, %rsi
	sub	%rdi, %rsi
	mov	$NR_munmap, %eax
	syscall
	test	%rax, %rax
	jnz	fail
	lea	STUB_TEXT_SIZE(%r13), %rdi
	movabs	$STUB_VDSO, %r8
	mov	$3, %r10d			/* MREMAP_MAYMOVE | MREMAP_FIXED */
	.irp	len, r14, r15, rbx
	test	%\len, %\len
	jz	1f
	mov	%\len, %rsi
	mov	%\len, %rdx
	mov	$NR_mremap, %eax
	syscall
	cmp	%r8, %rax
	jne	fail
	add	%\len, %rdi
	add	%\len, %r8
	.endr
1:	movabs	$STUB_TEXT, %rdi
	mov	$STUB_TEXT_SIZE, %esi
	mov	$5, %edx			/* PROT_READ | PROT_EXEC */
	mov	$0x12, %r10d			/* MAP_PRIVATE | MAP_FIXED */
	mov	$STUB_FD_NEW, %r8d
	xor	%r9d, %r9d
	mov	$NR_mmap, %eax
	syscall
	cmp	%rdi, %rax
	jne	fail
	movabs	$STUB_PROGS, %rdi
	mov	$STUB_PROGS_SIZE, %esi
	mov	$1, %edx			/* PROT_READ */
	mov	$STUB_TEXT_SIZE, %r9d
	mov	$NR_mmap, %eax
	syscall
	cmp	%rdi, %rax
	jne	fail
	movabs	$STUB_SCRATCH, %rdi
	mov	$0x1000, %esi
	mov	$3, %edx			/* PROT_READ | PROT_WRITE */
	mov	$0x32, %r10d			/* MAP_PRIVATE | MAP_FIXED | MAP_ANONYMOUS */
	mov	$-1, %r8
	xor	%r9d, %r9d
	mov	$NR_mmap, %eax
	syscall
	cmp	%rdi, %rax
	jne	fail
	movabs	$STUB_WORLD, %rdi
	mov	$1, %edx			/* PROT_READ */
	mov	$0x11, %r10d			/* MAP_SHARED | MAP_FIXED */
	mov	$STUB_FD_CTL, %r8d
	movabs	$STUB_WORLD_OFF, %r9
	mov	$NR_mmap, %eax
	syscall
	cmp	%rdi, %rax
	jne	fail
	mov	$STUB_FD_NEW, %edi
	mov	$NR_close, %eax
	syscall
	movabs	$boot_home, %rax
	jmp	*%rax
fail:
	mov	$1, %edi
	mov	$NR_exit_group, %eax
	syscall
	hlt

/* Now at the text's own address: nothing else of the zygote's old life is left. */
boot_home:
	mov	%r13, %rdi
	mov	$STUB_TEXT_SIZE, %esi
	mov	$NR_munmap, %eax
	syscall
	test	%rax, %rax
	jnz	fail
	mov	$1, %edi			/* SECCOMP_SET_MODE_FILTER */
	xor	%esi, %esi
	movabs	$STUB_FPROG_MAPPER, %rdx
	mov	$NR_seccomp, %eax
	syscall
	test	%rax, %rax
	jnz	fail
	movabs	$STUB_CMD, %rbx
	mov	%r12, %r13

/* A new stub, r13 its slot: take the command pages, then hand the memory descriptor and pidfd over. */
born:
	lea	STUB_CMD_SIZE(%r13), %r12
	mov	%rbx, %rdi
	mov	$STUB_SLOT_SIZE, %esi
	mov	$1, %edx			/* PROT_READ */
	mov	$0x11, %r10d			/* MAP_SHARED | MAP_FIXED */
	mov	$STUB_FD_CTL, %r8d
	mov	%r13, %r9
	mov	$NR_mmap, %eax
	syscall
	cmp	%rbx, %rax
	jne	fail
	mov	$1, %edi			/* PR_SET_PDEATHSIG */
	mov	$9, %esi
	xor	%edx, %edx
	xor	%r10d, %r10d
	xor	%r8d, %r8d
	mov	$NR_prctl, %eax
	syscall
	test	%rax, %rax
	jnz	fail
	mov	$STUB_FD_PROC, %edi
	movabs	$STUB_C_SELFMEM, %rsi
	mov	$0x80002, %edx			/* O_RDWR | O_CLOEXEC */
	xor	%r10d, %r10d
	mov	$NR_openat, %eax
	syscall
	cmp	$STUB_FD_NEW, %rax
	jne	fail
	mov	$NR_getpid, %eax
	syscall
	mov	%eax, %edi
	xor	%esi, %esi
	mov	$NR_pidfd_open, %eax
	syscall
	cmp	$STUB_FD_NEW2, %rax
	jne	fail
	mov	$STUB_FD_SOCK, %edi
	movabs	$STUB_C_SENDMSG, %rsi
	mov	$0x4000, %edx			/* MSG_NOSIGNAL */
	mov	$NR_sendmsg, %eax
	syscall
	cmp	$8, %rax
	jne	fail
	mov	$STUB_FD_NEW, %edi
	mov	$NR_close, %eax
	syscall
	mov	$STUB_FD_NEW2, %edi
	mov	$NR_close, %eax
	syscall
	/* Its first batch lies ready: a guest thread to make, or nothing. */
	mov	CMD_SEQ(%rbx), %eax
	jmp	batch

	.align	64
mapper:
	mov	CMD_SPIN(%rbx), %r13d
1:	mov	CMD_SEQ(%rbx), %eax
	cmp	%ebp, %eax
	jne	batch
	dec	%r13d
	js	2f
	pause
	jmp	1b
2:	mov	%rbx, %rdi
	xor	%esi, %esi			/* FUTEX_WAIT while nothing new was asked */
	mov	%ebp, %edx
	xor	%r10d, %r10d
	mov	$NR_futex, %eax
	syscall
	jmp	1b

batch:
	mov	%eax, %ebp
	mov	CMD_COUNT(%rbx), %r15d
	lea	CMD_ENT(%rbx), %r14
next:
	test	%r15d, %r15d
	jz	report
	mov	ENT_OP(%r14), %eax
	cmp	$MOP_THREAD, %eax
	je	thread
	cmp	$MOP_FORK, %eax
	je	fork
	mov	ENT_NR(%r14), %eax
	mov	ENT_ARGS(%r14), %rdi
	mov	ENT_ARGS+8(%r14), %rsi
	mov	ENT_ARGS+16(%r14), %rdx
	mov	ENT_ARGS+24(%r14), %r10
	mov	ENT_ARGS+32(%r14), %r8
	mov	ENT_ARGS+40(%r14), %r9
	syscall
	cmp	$-4095, %rax
	jae	error
done:
	add	$ENT_SIZE, %r14
	dec	%r15d
	jmp	next

error:
	neg	%eax
	cmp	ENT_IGNORE(%r14), %eax
	je	done
	movzbl	%al, %eax
	mov	$STUB_FD_CTL, %edi
	lea	bytes(%rip), %rsi
	add	%rax, %rsi
	mov	$1, %edx
	lea	RES_ERR(%r12), %r10
	mov	$NR_pwrite64, %eax
	syscall
	mov	$STUB_FD_CTL, %edi
	lea	ENT_IDX(%r14), %rsi
	mov	$4, %edx
	lea	RES_IDX(%r12), %r10
	mov	$NR_pwrite64, %eax
	syscall

report:
	mov	$STUB_FD_CTL, %edi
	lea	CMD_SEQ(%rbx), %rsi
	mov	$4, %edx
	lea	RES_SEQ(%r12), %r10
	mov	$NR_pwrite64, %eax
	syscall
	mfence
	cmpl	$0, CMD_WAITING(%rbx)
	je	mapper
	movabs	$(STUB_RES + RES_SEQ), %rdi
	mov	$1, %esi			/* FUTEX_WAKE */
	mov	$0x7fffffff, %edx
	mov	$NR_futex, %eax
	syscall
	jmp	mapper

fork:
	mov	ENT_ARGS(%r14), %r13
	mov	$STUB_CLONE_FORK, %edi
	xor	%esi, %esi
	xor	%edx, %edx
	xor	%r10d, %r10d
	xor	%r8d, %r8d
	mov	$NR_clone, %eax
	syscall
	test	%rax, %rax
	jz	born
	jmp	value

thread:
	mov	$STUB_CLONE_THREAD, %edi
	mov	ENT_ARGS(%r14), %rsi
	xor	%edx, %edx
	mov	ENT_ARGS+8(%r14), %r10
	xor	%r8d, %r8d
	mov	$NR_clone, %eax
	syscall
	test	%rax, %rax
	jz	thread_born
value:
	js	error
	mov	%eax, %r13d
	/* A byte at a time, lowest first, to where the sentry has put zeroes; r8 and r13 survive calls. */
	xor	%r8d, %r8d
3:	mov	$STUB_FD_CTL, %edi
	movzbl	%r13b, %eax
	lea	bytes(%rip), %rsi
	add	%rax, %rsi
	mov	$1, %edx
	lea	RES_VAL(%r12,%r8), %r10
	mov	$NR_pwrite64, %eax
	syscall
	shr	$8, %r13d
	inc	%r8d
	test	%r13d, %r13d
	jnz	3b
	jmp	done

/* A guest thread, all signals blocked.  The entry it was made from stays until it has stopped once. */
thread_born:
	mov	$2, %edi			/* SIG_SETMASK */
	movabs	$STUB_C_SIGSET, %rsi
	xor	%edx, %edx
	mov	$8, %r10d
	mov	$NR_rt_sigprocmask, %eax
	syscall
	test	%rax, %rax
	jnz	thread_fail
	lea	ENT_ARGS+16(%r14), %rdi
	xor	%esi, %esi
	mov	$NR_sigaltstack, %eax
	syscall
	test	%rax, %rax
	jnz	thread_fail
	cmpq	$0, ENT_ARGS+40(%r14)
	je	1f
	/* From now on only calls in the guest threads' page reach the filter, which knows their few. */
	mov	$59, %edi			/* PR_SET_SYSCALL_USER_DISPATCH */
	mov	$1, %esi			/* PR_SYS_DISPATCH_ON */
	movabs	$STUB_GUEST_TEXT, %rdx
	mov	$STUB_GUEST_SIZE, %r10d
	xor	%r8d, %r8d			/* no switch: always */
	mov	$NR_prctl, %eax
	syscall
	test	%rax, %rax
	jz	guest_first
	jmp	thread_fail
1:	mov	$1, %edi			/* SECCOMP_SET_MODE_FILTER */
	xor	%esi, %esi
	movabs	$STUB_FPROG_GUEST, %rdx
	mov	$NR_seccomp, %eax
	syscall
	test	%rax, %rax
	jz	guest_first
thread_fail:
	xor	%edi, %edi
	mov	$NR_exit, %eax
	syscall
	hlt
