/* sys_sig: the signal calls: actions, masks, waiting.  signal(7). Sending is in sys_kill.c. */
#include <string.h>

#include "abi/errno.h"
#include "abi/signal.h"
#include "abi/time.h"
#include "sentry/kernel/clock.h"
#include "sentry/kernel/signal.h"
#include "sentry/kernel/task.h"
#include "sentry/kernel/timer.h"
#include "sentry/mm/usercopy.h"
#include "sentry/syscall/syscall.h"

#define UNBLOCKABLE	(sigbit(SIGKILL) | sigbit(SIGSTOP))
#define KNOWN_FLAGS	((uint64_t)(SA_NOCLDSTOP | SA_NOCLDWAIT | SA_SIGINFO | SA_ONSTACK | SA_RESTART | \
			    SA_NODEFER | SA_RESTORER | SA_EXPOSE_TAGBITS) | 0x80000000ULL /* SA_RESETHAND */)

static void
set_action(struct task *t, int signo, const struct abi_sigaction *new, struct abi_sigaction *old)
{
	struct process *p = t->process;
	struct sighand *sh = process_lock(p);
	struct abi_sigaction *a = &sh->action[signo - 1];
	bool queued = false;

	*old = *a;
	if (new) {
		*a = *new;
		/* POSIX: what is pending and would now be ignored is gone, blocked or not. */
		if (a->handler == ABI_SIG_IGN ||
		    (a->handler == ABI_SIG_DFL && signal_is_default_ignored(signo)))
			signal_forget_locked(p, sigbit(signo));
		else
			queued = ptimers_heard_locked(p, signo);
	}
	process_unlock(sh);
	if (queued)
		waitq_wake(&signalfd_wq, 0);
}

int64_t
sys_rt_sigaction(struct task *t, int32_t signo, gaddr_t act, gaddr_t oldact, uint64_t size)
{
	struct abi_sigaction new, old;
	bool given = !gaddr_is_null(act);
	int err;

	if (size != ABI_SIGSET_SIZE)
		return -EINVAL;
	if (given) {
		err = copy_in(t, &new, act, sizeof new);
		if (err)
			return err;
		new.flags &= KNOWN_FLAGS;
		new.mask &= ~UNBLOCKABLE;
	}
	if (signo < 1 || signo > ABI_NSIG || (given && (sigbit(signo) & UNBLOCKABLE)))
		return -EINVAL;
	set_action(t, signo, given ? &new : NULL, &old);
	return gaddr_is_null(oldact) ? 0 : copy_out(t, oldact, &old, sizeof old);
}

int64_t
sys_rt_sigprocmask(struct task *t, int32_t how, gaddr_t set, gaddr_t oldset, uint64_t size)
{
	sigset64 old = signal_mask(t), new;
	int err;

	if (size != ABI_SIGSET_SIZE)
		return -EINVAL;
	if (!gaddr_is_null(set)) {
		err = copy_in(t, &new, set, sizeof new);
		if (err)
			return err;
		new &= ~UNBLOCKABLE;
		switch (how) {
		case SIG_BLOCK:
			new |= old;
			break;
		case SIG_UNBLOCK:
			new = old & ~new;
			break;
		case SIG_SETMASK:
			break;
		default:
			return -EINVAL;
		}
		signal_set_mask(t, new);
	}
	return gaddr_is_null(oldset) ? 0 : put_u64(t, oldset, old);
}

int64_t
sys_rt_sigreturn(struct task *t)
{
	return sigframe_return(t);
}

int64_t
sys_rt_sigpending(struct task *t, gaddr_t set, uint64_t size)
{
	struct sighand *sh;
	sigset64 pending;

	if (size > ABI_SIGSET_SIZE)
		return -EINVAL;
	sh = process_lock(t->process);
	pending = (t->pending.set | t->process->pending.set) & signal_mask(t);
	process_unlock(sh);
	return copy_out(t, set, &pending, size);
}

static int64_t
wait_for_signal(struct task *t, const char *why)
{
	int err;

	t->wait_reason = why;
	do {
		err = task_sleep(t, NO_DEADLINE);
	} while (err == 0);
	t->wait_reason = NULL;
	return -ERESTARTNOHAND;
}

int64_t
sys_rt_sigsuspend(struct task *t, gaddr_t mask, uint64_t size)
{
	sigset64 new;
	int err;

	if (size != ABI_SIGSET_SIZE)
		return -EINVAL;
	err = copy_in(t, &new, mask, sizeof new);
	if (err)
		return err;
	t->saved_mask = signal_mask(t);
	signal_set_mask(t, new);
	t->restore_mask = true;
	return wait_for_signal(t, "sigsuspend");
}

int64_t
sys_pause(struct task *t)
{
	return wait_for_signal(t, "pause");
}

/* Takes one of set, or makes the thread one that waits for them. last: it no longer does. */
static int
sigwait_look(struct task *t, sigset64 set, bool last, struct abi_siginfo *info)
{
	struct sighand *sh = process_lock(t->process);
	int signo = signal_dequeue_locked(t, set, info);

	t->sigwait = signo || last ? 0 : set;
	signal_recalc_locked(t);
	process_unlock(sh);
	return signo;
}

int64_t
sys_rt_sigtimedwait(struct task *t, gaddr_t set, gaddr_t uinfo, gaddr_t timeout, uint64_t size)
{
	uint64_t deadline = NO_DEADLINE;
	struct abi_siginfo info;
	struct abi_timespec ts;
	sigset64 these;
	int signo, err;

	if (size != ABI_SIGSET_SIZE)
		return -EINVAL;
	err = copy_in(t, &these, set, sizeof these);
	if (err)
		return err;
	these &= ~UNBLOCKABLE;
	if (!gaddr_is_null(timeout)) {
		err = copy_in(t, &ts, timeout, sizeof ts);
		if (err)
			return err;
		if (!abi_timespec_valid(&ts))
			return -EINVAL;
		deadline = abi_deadline(clock_mono_ns(), abi_timespec_ns(&ts));
	}
	t->wait_reason = "sigtimedwait";
	while ((signo = sigwait_look(t, these, false, &info)) == 0) {
		err = task_sleep(t, deadline);
		if (err == 0)
			continue;
		/* What came together with the deadline, or another signal, still counts. */
		signo = sigwait_look(t, these, true, &info);
		break;
	}
	t->wait_reason = NULL;
	if (signo == 0)
		return err == -ETIMEDOUT ? -EAGAIN : -EINTR;
	if (!gaddr_is_null(uinfo)) {
		err = copy_out(t, uinfo, &info, sizeof info);
		if (err)
			return err;
	}
	return signo;
}

int64_t
sys_sigaltstack(struct task *t, gaddr_t ss, gaddr_t old_ss)
{
	struct abi_stack new, old = { .sp = t->altstack_sp, .size = t->altstack_size };
	uint32_t flags = t->altstack_flags & SS_AUTODISARM;
	int err;

	if (t->altstack_size == 0)
		flags |= SS_DISABLE;
	else if (signal_on_altstack(t, task_regs(t)->rsp))
		flags |= SS_ONSTACK;
	old.flags = (int32_t)flags;
	if (!gaddr_is_null(ss)) {
		err = copy_in(t, &new, ss, sizeof new);
		if (!err)
			err = signal_set_altstack(t, &new, task_regs(t)->rsp);
		if (err)
			return err;
	}
	return gaddr_is_null(old_ss) ? 0 : copy_out(t, old_ss, &old, sizeof old);
}

int64_t
sys_restart_syscall(struct task *t)
{
	int64_t (*fn)(struct task *) = t->restart.fn;

	t->restart.fn = NULL;
	return fn ? fn(t) : -EINTR;
}
