/*
 * ptrace: guest threads run under PTRACE_SYSEMU by the sentry thread that owns them.
 *
 * The portable fallback, and the reference that systrap is compared with.  The stub, its
 * mapper and the filters are the same; a thread is taken over from the place where it
 * waits for the first time.  A fault's trap number and error code are not among what
 * ptrace shows, so the signal is let into the stub's handler, whose frame has them, and
 * the registers from before are put back.
 */
#include <elf.h>
#include <linux/audit.h>
#include <linux/ptrace.h>
#include <signal.h>
#include <string.h>
#include <sys/uio.h>
#include <sys/wait.h>

#include "base/hostcall.h"
#include "platform/space.h"

#define P(p)		((uint64_t)(uintptr_t)(p))
#define SYSCALL_STOP	(SIGTRAP | 0x80)
#define SETUP		(PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL)

/* Waits for the thread's next stop: the stopping signal, or -ESRCH when it is gone. */
static int
next_stop(struct ctx *c, int *event)
{
	int status = 0, ret;

	do {
		ret = host_wait(c->tid, &status, __WALL | __WNOTHREAD);
	} while (ret == -EINTR);
	if (ret != c->tid || !WIFSTOPPED(status)) {
		c->attached = false;
		return -ESRCH;
	}
	if (event != NULL)
		*event = status >> 16;
	return WSTOPSIG(status);
}

static int
resume(struct ctx *c, int sig)
{
	return host_ptrace(PTRACE_SYSEMU, c->tid, 0, (uint64_t)sig);
}

static int
unblock(struct ctx *c)
{
	uint64_t none = 0;

	return host_ptrace(PTRACE_SETSIGMASK, c->tid, sizeof none, P(&none));
}

static int
regs_get(struct ctx *c, struct abi_regs *r)
{
	return host_ptrace(PTRACE_GETREGS, c->tid, 0, P(r));
}

static int
regs_set(struct ctx *c, const struct abi_regs *regs)
{
	struct abi_regs r = *regs;

	/* No call is in progress, as far as the host may know: it would restart one. */
	r.orig_rax = ~0ULL;
	r.cs = 0x33;
	r.ss = 0x2b;
	r.ds = r.es = r.fs = r.gs = 0;
	r.fs_base = base_ok(r.fs_base);
	r.gs_base = base_ok(r.gs_base);
	return host_ptrace(PTRACE_SETREGS, c->tid, 0, P(&r));
}

static int
pt_attach(struct ctx *c)
{
	int sig, err;

	err = host_ptrace(PTRACE_SEIZE, c->tid, 0, SETUP);
	if (err)
		return err;
	c->attached = true;
	err = host_ptrace(PTRACE_INTERRUPT, c->tid, 0, 0);
	if (err)
		return err;
	sig = next_stop(c, NULL);
	if (sig < 0)
		return sig;
	return unblock(c);
}

static void
pt_leave(struct ctx *c)
{
	struct abi_regs r;

	if (!c->attached)
		return;
	if (atomic_load(&c->s->dead)) {
		/* Killed, maybe not gone yet: its end has to be taken in by its tracer. */
		while (c->attached && next_stop(c, NULL) >= 0)
			(void)!resume(c, 0);
		return;
	}
	memset(&r, 0, sizeof r);
	r.rip = stub_text_word(STUB_T_LEAVE);
	r.rsp = c->va + STUB_CTX_SIZE - CTX_HDR;
	r.eflags = 0x202;
	atomic_store(&c->sh->state, ST_RUN);
	(void)!regs_set(c, &r);
	if (host_ptrace(PTRACE_DETACH, c->tid, 0, 0) == 0)
		c->attached = false;
}

static int
stop_syscall(struct ctx *c, struct abi_regs *regs, struct stop *stop)
{
	struct ptrace_syscall_info info;

	memset(&info, 0, sizeof info);
	stop->kind = STOP_SYSCALL;
	if (host_ptrace(PTRACE_GET_SYSCALL_INFO, c->tid, sizeof info, P(&info)) < 0)
		return -ESRCH;
	stop->foreign = info.arch != AUDIT_ARCH_X86_64;
	regs->rax = (uint64_t)-ENOSYS;
	return 0;
}

/* The host's own image of the thread; its length differs from a signal frame's by what the frame adds. */
static int
xstate_get(struct ctx *c, char *image, size_t *len)
{
	struct iovec iov = { image, FP_MAX };
	int err;

	if (!c->attached)
		return -ESRCH;
	err = host_ptrace(PTRACE_GETREGSET, c->tid, NT_X86_XSTATE, P(&iov));
	*len = iov.iov_len;
	return err != 0 || *len < 576 ? -ESRCH : 0;
}

static int
xstate_set(struct ctx *c, char *image, size_t len)
{
	struct iovec iov = { image, len };

	return host_ptrace(PTRACE_SETREGSET, c->tid, NT_X86_XSTATE, P(&iov));
}

/* Lets the signal into the stub's handler, which stops in its first call; reads the frame. */
static int
stop_fault(struct ctx *c, int sig, struct stop *stop)
{
	char image[FP_MAX];
	siginfo_t info;
	size_t len;

	/* The handler begins with clean floating point. */
	if (xstate_get(c, image, &len) != 0)
		return -ESRCH;
	memset(&info, 0, sizeof info);
	if (host_ptrace(PTRACE_GETSIGINFO, c->tid, 0, P(&info)) != 0)
		return -ESRCH;
	stop->kind = STOP_FAULT;
	stop->signo = sig;
	stop->code = info.si_code;
	stop->addr = (uint64_t)(uintptr_t)info.si_addr;
	atomic_store(&c->sh->state, ST_RUN);
	atomic_store(&c->sh->spin, 0);
	if (resume(c, sig) != 0 || next_stop(c, NULL) < 0)
		return -ESRCH;
	frame_fault(c, stop);
	if (xstate_set(c, image, len) != 0)
		return -ESRCH;
	return unblock(c);
}

/* Takes one stop in; 0, 1 for one that means nothing, or -ESRCH. */
static int
stop_read(struct ctx *c, struct abi_regs *regs, struct stop *stop)
{
	int event = 0, sig = next_stop(c, &event), err;

	if (sig < 0)
		return sig;
	if (event != 0)
		return 1;
	if (sig == STUB_SIGKICK && !kick_take(c))
		return 1;
	if (regs_get(c, regs) != 0)
		return -ESRCH;
	memset(stop, 0, sizeof *stop);
	switch (sig) {
	case SYSCALL_STOP:
		err = stop_syscall(c, regs, stop);
		break;
	case SIGSYS:
		/* Only the host's vsyscall page gets as far as the filter. */
		stop->kind = STOP_SYSCALL;
		regs->orig_rax = regs->rax;
		regs->rax = (uint64_t)-ENOSYS;
		err = 0;
		break;
	case STUB_SIGKICK:
		stop->kind = STOP_KICK;
		regs->orig_rax = ~0ULL;
		return 0;
	case SIGSEGV:
	case SIGBUS:
	case SIGFPE:
	case SIGILL:
	case SIGTRAP:
		err = stop_fault(c, sig, stop);
		regs->orig_rax = ~0ULL;
		break;
	default:
		return 1;		/* somebody outside; not for guests */
	}
	regs->ds = regs->es = regs->fs = regs->gs = 0;
	return err;
}

static void
pt_run(struct ctx *c, struct abi_regs *regs, struct stop *stop)
{
	int err;

	if (atomic_load(&c->s->dead) || !c->attached) {
		ctx_give_up(c, stop);
		return;
	}
	atomic_store(&c->running, true);
	if (kick_take(c)) {
		atomic_store(&c->running, false);
		memset(stop, 0, sizeof *stop);
		stop->kind = STOP_KICK;
		return;
	}
	err = regs_set(c, regs);
	while (err == 0) {
		err = resume(c, 0);
		if (err)
			break;
		err = stop_read(c, regs, stop);
		if (err <= 0)
			break;
		err = 0;
	}
	atomic_store(&c->running, false);
	if (err)
		ctx_give_up(c, stop);
}

/* ---- floating point ------------------------------------------------------ */

static int
pt_get_fp(struct ctx *c, void *buf)
{
	char image[FP_MAX];
	size_t len;
	int err = xstate_get(c, image, &len);

	if (err)
		return err;
	memset(buf, 0, platform_fp_size);
	memcpy(buf, image, min(len, (size_t)platform_fp_size - 4));
	return 0;
}

static int
pt_set_fp(struct ctx *c, const void *buf)
{
	char image[FP_MAX];
	size_t len;
	int err = xstate_get(c, image, &len);

	if (err)
		return err;
	memset(image, 0, len);
	memcpy(image, buf, min(len, (size_t)platform_fp_size - 4));
	fp_keep_mxcsr(image);
	return xstate_set(c, image, len) == 0 ? 0 : -EINVAL;
}

/* ---- compare and swap ---------------------------------------------------- */

/* Runs the stub's instruction in the guest thread, whose registers ctx_run sets anew anyway. */
static int
pt_cas32(struct ctx *c, uint64_t va, uint32_t old, uint32_t new, uint32_t *seen)
{
	struct abi_regs r;
	int sig, event;

	memset(&r, 0, sizeof r);
	r.rip = stub_text_word(STUB_T_CAS);
	r.rsp = c->va + STUB_CTX_SIZE - CTX_HDR;
	r.eflags = 0x202;
	r.rdi = va;
	r.rax = old;
	r.rcx = new;
	if (!c->attached || regs_set(c, &r) != 0)
		return -EFAULT;
	do {
		event = 0;
		if (resume(c, 0) != 0)
			return -EFAULT;
		sig = next_stop(c, &event);
	} while (sig == STUB_SIGKICK || event != 0);	/* a kick's flag is still up for the next run */
	if (sig != SIGTRAP || regs_get(c, &r) != 0 || r.rip != stub_text_word(STUB_T_CAS_DONE))
		return -EFAULT;
	*seen = (uint32_t)r.rax;
	return 0;
}

const struct ctx_ops ptrace_ops = {
	.attach = pt_attach,
	.run = pt_run,
	.leave = pt_leave,
	.get_fp = pt_get_fp,
	.set_fp = pt_set_fp,
	.cas32 = pt_cas32,
	.may_park = false,
};
