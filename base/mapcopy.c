/*
 * mapcopy: see mapcopy.h.
 *
 * The copy is one piece of code that calls nothing and keeps nothing on the stack, so a fault anywhere in it
 * is left by going to one place.  In assembly, since only then it is known where it begins and ends; and the
 * sanitizers, which would look at the bytes by calls of their own, leave it alone.
 */
#include "base/mapcopy.h"

#include <ucontext.h>

extern const char mapcopy_end[] __attribute__((visibility("hidden")));
extern const char mapcopy_failed[] __attribute__((visibility("hidden")));

/*
 * rdi: to, rsi: from, rdx: how much.  Short copies by halves that overlap, middling ones by 32 bytes and such
 * a tail, long ones by the processor's own loop.
 */
__asm__(
"	.pushsection .text.mapcopy, \"ax\", @progbits\n"
"	.p2align 4\n"
"	.globl	mapcopy\n"
"	.type	mapcopy, @function\n"
"mapcopy:\n"
"	movl	$1, %eax\n"
"	cmpq	$32, %rdx\n"
"	jb	2f\n"
"	cmpq	$768, %rdx\n"
"	ja	6f\n"
"	movups	-32(%rsi,%rdx), %xmm2\n"
"	movups	-16(%rsi,%rdx), %xmm3\n"
"	leaq	-32(%rdi,%rdx), %r8\n"
"1:	movups	(%rsi), %xmm0\n"
"	movups	16(%rsi), %xmm1\n"
"	movups	%xmm0, (%rdi)\n"
"	movups	%xmm1, 16(%rdi)\n"
"	addq	$32, %rsi\n"
"	addq	$32, %rdi\n"
"	cmpq	%r8, %rdi\n"
"	jb	1b\n"
"	movups	%xmm2, (%r8)\n"
"	movups	%xmm3, 16(%r8)\n"
"	ret\n"
"2:	cmpl	$16, %edx\n"
"	jb	3f\n"
"	movups	(%rsi), %xmm0\n"
"	movups	-16(%rsi,%rdx), %xmm1\n"
"	movups	%xmm0, (%rdi)\n"
"	movups	%xmm1, -16(%rdi,%rdx)\n"
"	ret\n"
"3:	cmpl	$8, %edx\n"
"	jb	4f\n"
"	movq	(%rsi), %rcx\n"
"	movq	-8(%rsi,%rdx), %r8\n"
"	movq	%rcx, (%rdi)\n"
"	movq	%r8, -8(%rdi,%rdx)\n"
"	ret\n"
"4:	testl	%edx, %edx\n"
"	je	5f\n"
"	movb	-1(%rsi,%rdx), %cl\n"
"	movb	%cl, -1(%rdi,%rdx)\n"
"	decl	%edx\n"
"	jmp	4b\n"
"5:	ret\n"
"6:	movq	%rdx, %rcx\n"
"	rep movsb\n"
"	ret\n"
"	.globl	mapcopy_end\n"
"	.hidden	mapcopy_end\n"
"mapcopy_end:\n"
"	.size	mapcopy, . - mapcopy\n"
"	.globl	mapcopy_failed\n"
"	.hidden	mapcopy_failed\n"
"mapcopy_failed:\n"
"	xorl	%eax, %eax\n"
"	ret\n"
"	.popsection\n"
);

bool
mapcopy_ends(void *ucontext)
{
	ucontext_t *uc = ucontext;
	uintptr_t ip = (uintptr_t)uc->uc_mcontext.gregs[REG_RIP];

	if (ip < (uintptr_t)mapcopy || ip >= (uintptr_t)mapcopy_end)
		return false;
	uc->uc_mcontext.gregs[REG_RIP] = (greg_t)(uintptr_t)mapcopy_failed;
	return true;
}
