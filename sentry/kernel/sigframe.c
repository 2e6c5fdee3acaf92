/*
 * sigframe: the frame of a signal handler in guest memory, and the way back.  sigreturn(2).
 *
 * From the handler's stack pointer upwards: return address, ucontext, siginfo, then the XSAVE image at
 * a 64-byte boundary.  The guest can write all of it before it returns, so sigframe_return takes
 * nothing from it but general registers, user flag bits, a checked FP image, mask and altstack.
 */
#include <string.h>

#include "abi/errno.h"
#include "abi/ucontext.h"
#include "base/kmem.h"
#include "sentry/kernel/signal.h"
#include "sentry/kernel/task.h"
#include "sentry/mm/usercopy.h"

#define RED_ZONE	128
#define USER_CS		0x33
#define USER_SS		0x2b
#define USER_EFLAGS	0x50dd5ULL	/* AC RF OF DF TF SF ZF AF PF CF */
#define FIXED_EFLAGS	0x202ULL	/* IF and the bit that is always one */
#define HANDLER_CLEARS	0x10500ULL	/* DF TF RF are clear in a handler */
#define MXCSR_OFF	24
#define MXCSR_VALID	0xffffU
#define XSTATE_BV_OFF	512
#define XSTATE_IGNORED_OFF 536	/* from here on XRSTOR does not care */
#define XSAVE_ALIGN	64
#define FXSAVE_ALIGN	16
#define XSAVE_HEADER	64
#define MAGIC2_SIZE	4
#define LEGACY_FEATURES	3ULL		/* x87 and SSE */

/* ---- altstack -------------------------------------------------------------------- */

bool
signal_on_altstack(const struct task *t, uint64_t sp)
{
	/* One that disarms itself was left the moment its handler began. */
	if (t->altstack_flags & SS_AUTODISARM)
		return false;
	return sp > t->altstack_sp && sp - t->altstack_sp <= t->altstack_size;
}

int
signal_set_altstack(struct task *t, const struct abi_stack *ss, uint64_t sp)
{
	uint32_t flags = (uint32_t)ss->flags, mode = flags & ~SS_AUTODISARM;
	struct abi_stack new = *ss;

	if (signal_on_altstack(t, sp))
		return -EPERM;
	if (mode != SS_DISABLE && mode != SS_ONSTACK && mode != 0)
		return -EINVAL;
	/* What is there already is not judged: none at all, without the flag for it, is what programs begin with. */
	if (ss->sp == t->altstack_sp && ss->size == t->altstack_size && flags == t->altstack_flags)
		return 0;
	if (mode == SS_DISABLE)
		new.sp = new.size = 0;
	else if (ss->size < ABI_MINSIGSTKSZ)
		return -ENOMEM;
	t->altstack_sp = new.sp;
	t->altstack_size = new.size;
	t->altstack_flags = flags;
	return 0;
}

static uint64_t
frame_top(const struct task *t, const struct abi_sigaction *sa)
{
	uint64_t sp = t->regs.rsp - RED_ZONE;

	if ((sa->flags & SA_ONSTACK) && t->altstack_size != 0 && !signal_on_altstack(t, t->regs.rsp))
		return t->altstack_sp + t->altstack_size;
	return sp;
}

/* ---- the FP image ------------------------------------------------------------------ */

static struct abi_fpx_sw *
fp_sw(void *image)
{
	return (struct abi_fpx_sw *)((char *)image + ABI_FXSAVE_SW_OFF);
}

static uint64_t
xcr0(void)
{
	uint32_t lo, hi;

	__asm__ volatile("xgetbv" : "=a"(lo), "=d"(hi) : "c"(0));
	return (uint64_t)hi << 32 | lo;
}

/* Bytes of the XSAVE area alone, without the closing magic word. */
static uint32_t
fp_area(const struct abi_fpx_sw *sw)
{
	if (sw->magic1 == ABI_FP_XSTATE_MAGIC1 && sw->xstate_size > ABI_FXSAVE_SIZE &&
	    sw->xstate_size <= platform_fp_size)
		return sw->xstate_size;
	return platform_fp_size;
}

/* Completes an image for the guest; returns the size to copy, magic word included. image has room for it. */
static uint32_t
fp_finish(void *image)
{
	struct abi_fpx_sw *sw = fp_sw(image);
	uint32_t size = fp_area(sw), magic2 = ABI_FP_XSTATE_MAGIC2;
	uint64_t features = sw->magic1 == ABI_FP_XSTATE_MAGIC1 ? sw->xfeatures : xcr0();

	*sw = (struct abi_fpx_sw){
		.magic1 = ABI_FP_XSTATE_MAGIC1,
		.extended_size = size + (uint32_t)sizeof magic2,
		.xfeatures = features,
		.xstate_size = size,
	};
	memcpy((char *)image + size, &magic2, sizeof magic2);
	return size + (uint32_t)sizeof magic2;
}

/*
 * Makes of the guest's XSAVE header, in an image or its head, what XRSTOR of no more than `features` takes it for;
 * false where the instruction faults.
 */
static bool
header_settle(char *image, uint64_t features)
{
	uint64_t bv;

	memcpy(&bv, image + XSTATE_BV_OFF, sizeof bv);
	if (bv & ~xcr0())
		return false;
	bv &= features;
	memcpy(image + XSTATE_BV_OFF, &bv, sizeof bv);
	memset(image + XSTATE_IGNORED_OFF, 0, ABI_FXSAVE_SIZE + XSAVE_HEADER - XSTATE_IGNORED_OFF);
	return true;
}

/* Loads the image at va as the stub has seen it. -ENOENT: it has not, or it is none of a frame as we make them. */
static int
fp_restore_seen(struct task *t, uint64_t va)
{
	struct abi_fpx_sw *sw;
	char head[FP_HEAD];

	if (!ctx_frame_head(t->ctx, va, head))
		return -ENOENT;
	sw = fp_sw(head);
	if (sw->magic1 != ABI_FP_XSTATE_MAGIC1 || sw->xstate_size != platform_fp_size - MAGIC2_SIZE ||
	    sw->extended_size < sw->xstate_size)
		return -ENOENT;
	return header_settle(head, sw->xfeatures) ? ctx_frame_set(t->ctx, va, head) : -EINVAL;
}

/* Reads the guest's image at va over ours and loads it. -EFAULT, -EINVAL. */
static int
fp_restore_copy(struct task *t, uint64_t va)
{
	AUTO_FREE char *image = mem_alloc(platform_fp_size + 8);
	struct abi_fpx_sw ours, theirs;
	uint32_t mxcsr, magic2 = 0, size;
	int err;

	if (image == NULL)
		return -ENOMEM;
	err = ctx_get_fp(t->ctx, image);
	if (err)
		return err;
	ours = *fp_sw(image);
	size = fp_area(&ours);
	err = copy_in(t, image, gaddr_from(va), ABI_FXSAVE_SIZE);
	if (err)
		return err;
	theirs = *fp_sw(image);
	memcpy(&mxcsr, image + MXCSR_OFF, sizeof mxcsr);
	if (mxcsr & ~MXCSR_VALID)
		return -EINVAL;
	if (theirs.magic1 == ABI_FP_XSTATE_MAGIC1 && theirs.xstate_size >= ABI_FXSAVE_SIZE + XSAVE_HEADER &&
	    theirs.xstate_size <= size && theirs.extended_size >= theirs.xstate_size &&
	    copy_in(t, &magic2, gaddr_from(va + theirs.xstate_size), sizeof magic2) == 0 &&
	    magic2 == ABI_FP_XSTATE_MAGIC2) {
		err = copy_in(t, image + ABI_FXSAVE_SIZE, gaddr_from(va + ABI_FXSAVE_SIZE),
		    theirs.xstate_size - ABI_FXSAVE_SIZE);
		if (err)
			return err;
		if (va % XSAVE_ALIGN != 0 || !header_settle(image, theirs.xfeatures))
			return -EINVAL;
		/* A shorter area holds nothing beyond its end. */
		if (theirs.xstate_size < size)
			memset(image + theirs.xstate_size, 0, size - theirs.xstate_size);
	} else {
		/* A plain FXSAVE image, as old programs make: the rest starts afresh. */
		if (va % FXSAVE_ALIGN != 0)
			return -EINVAL;
		memset(image + ABI_FXSAVE_SIZE, 0, size - ABI_FXSAVE_SIZE);
		memcpy(image + XSTATE_BV_OFF, &(uint64_t){ LEGACY_FEATURES }, sizeof(uint64_t));
	}
	*fp_sw(image) = ours;
	return ctx_set_fp(t->ctx, image);
}

/* A bad image leaves clean state behind, as on Linux. */
static int
fp_restore(struct task *t, uint64_t va)
{
	int err = fp_restore_seen(t, va);

	if (err == -ENOENT)
		err = fp_restore_copy(t, va);
	if (err)
		ctx_reset_fp(t->ctx);
	return err;
}

/* ---- setup --------------------------------------------------------------------------- */

static void
fill_context(struct task *t, struct abi_sigcontext *sc, sigset64 oldmask, uint64_t fp)
{
	const struct abi_regs *r = &t->regs;

	*sc = (struct abi_sigcontext){
		.r8 = r->r8, .r9 = r->r9, .r10 = r->r10, .r11 = r->r11,
		.r12 = r->r12, .r13 = r->r13, .r14 = r->r14, .r15 = r->r15,
		.rdi = r->rdi, .rsi = r->rsi, .rbp = r->rbp, .rbx = r->rbx,
		.rdx = r->rdx, .rax = r->rax, .rcx = r->rcx, .rsp = r->rsp, .rip = r->rip,
		.eflags = (r->eflags & USER_EFLAGS) | FIXED_EFLAGS,
		.cs = USER_CS, .ss = USER_SS,
		.err = t->fault_error, .trapno = t->fault_trapno, .cr2 = t->fault_cr2,
		.oldmask = oldmask, .fpstate = fp,
	};
}

/* By the sentry itself: the frame at sp, the FP image at fp. */
static int
frame_write(struct task *t, uint64_t sp, const struct abi_rt_sigframe *frame, uint64_t fp)
{
	AUTO_FREE char *buf = mem_alloc(fp - sp + platform_fp_size + 8);
	char *image;
	uint32_t size;
	int err;

	if (buf == NULL)
		return -EFAULT;
	image = buf + (fp - sp);
	err = ctx_get_fp(t->ctx, image);
	if (err)
		return err;
	size = fp_finish(image);
	memset(buf, 0, fp - sp);
	memcpy(buf, frame, sizeof *frame);
	if (copy_out(t, gaddr_from(sp), buf, fp - sp + size) != 0)
		return -EFAULT;
	ctx_reset_fp(t->ctx);
	return 0;
}

/* The handler starts with clean FP state, as on Linux. */
int
sigframe_setup(struct task *t, const struct abi_sigaction *sa, const struct abi_siginfo *info, sigset64 oldmask)
{
	struct abi_rt_sigframe frame;
	uint64_t top = frame_top(t, sa), fp, sp;

	fp = (top - platform_fp_size) & ~63ULL;
	/* As at a call: the stack is 16-byte aligned before the return address is pushed. */
	sp = ((fp - sizeof frame) & ~15ULL) - 8;
	/* A nested handler must not run off the alternate stack into what lies below. */
	if (signal_on_altstack(t, t->regs.rsp) && !signal_on_altstack(t, sp))
		return -EFAULT;

	memset(&frame, 0, sizeof frame);
	if (!(sa->flags & SA_RESTORER))
		return -EFAULT;
	frame.pretcode = sa->restorer;
	frame.uc.uc_flags = ABI_UC_FP_XSTATE | ABI_UC_SIGCONTEXT_SS | ABI_UC_STRICT_RESTORE_SS;
	frame.uc.uc_stack = (struct abi_stack){ t->altstack_sp, (int32_t)t->altstack_flags, 0, t->altstack_size };
	fill_context(t, &frame.uc.uc_mcontext, oldmask, fp);
	frame.uc.uc_sigmask = oldmask;
	frame.info = *info;
	if (!copy_out_frame(t, gaddr_from(sp), &frame, sizeof frame, fp) && frame_write(t, sp, &frame, fp) != 0)
		return -EFAULT;

	if (t->altstack_flags & SS_AUTODISARM) {
		t->altstack_sp = t->altstack_size = 0;
		t->altstack_flags = SS_DISABLE;
	}
	t->regs.rdi = (uint64_t)info->si_signo;
	t->regs.rsi = sp + offsetof(struct abi_rt_sigframe, info);
	t->regs.rdx = sp + offsetof(struct abi_rt_sigframe, uc);
	t->regs.rax = 0;
	t->regs.rsp = sp;
	t->regs.rip = sa->handler;
	t->regs.cs = USER_CS;
	t->regs.ss = USER_SS;
	t->regs.eflags &= ~HANDLER_CLEARS;
	t->regs.orig_rax = (uint64_t)-1;
	return 0;
}

/* ---- return -------------------------------------------------------------------------- */

static int64_t
bad_frame(struct task *t)
{
	struct abi_siginfo info;

	siginfo_kernel(&info, SIGSEGV);
	signal_force(t, &info);
	t->regs.orig_rax = (uint64_t)-1;
	return 0;
}

int64_t
sigframe_return(struct task *t)
{
	struct abi_regs *r = task_regs(t);
	uint64_t at = r->rsp - 8;
	struct abi_ucontext uc;
	const struct abi_sigcontext *sc = &uc.uc_mcontext;
	int err;

	t->restart.fn = NULL;
	if (copy_in(t, &uc, gaddr_from(at + offsetof(struct abi_rt_sigframe, uc)), sizeof uc) != 0)
		return bad_frame(t);
	signal_set_mask(t, uc.uc_sigmask);
	if (sc->fpstate) {
		err = fp_restore(t, sc->fpstate);
		if (err)
			return bad_frame(t);
	} else {
		ctx_reset_fp(t->ctx);
	}
	r->r8 = sc->r8;
	r->r9 = sc->r9;
	r->r10 = sc->r10;
	r->r11 = sc->r11;
	r->r12 = sc->r12;
	r->r13 = sc->r13;
	r->r14 = sc->r14;
	r->r15 = sc->r15;
	r->rdi = sc->rdi;
	r->rsi = sc->rsi;
	r->rbp = sc->rbp;
	r->rbx = sc->rbx;
	r->rdx = sc->rdx;
	r->rax = sc->rax;
	r->rcx = sc->rcx;
	r->rsp = sc->rsp;
	r->rip = sc->rip;
	r->eflags = (sc->eflags & USER_EFLAGS) | FIXED_EFLAGS;
	r->cs = USER_CS;
	r->ss = USER_SS;
	r->orig_rax = (uint64_t)-1;
	/* One that cannot be put back counts for nothing, as on Linux. */
	(void)!signal_set_altstack(t, &uc.uc_stack, r->rsp);
	return (int64_t)r->rax;
}
