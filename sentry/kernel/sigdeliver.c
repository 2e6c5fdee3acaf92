/*
 * sigdeliver: what happens on the way back to the guest: stops, default actions, handlers, and the
 * restart of interrupted calls.  signal(7).
 *
 * The result of a call that returned a restart code is settled exactly once, either with the first
 * handler that runs or at the end; from then on the registers are those of plain user code.
 */
#include <string.h>

#include "abi/errno.h"
#include "base/log.h"
#include "sentry/kernel/signal.h"
#include "sentry/kernel/task.h"
#include "sentry/syscall/syscall.h"

#define RLIM_CORE	4
#define NR_RESTART	219	/* restart_syscall */
#define CALL_LEN	2	/* of the instruction `syscall` */

#define CORE_SET	(sigbit(SIGQUIT) | sigbit(SIGILL) | sigbit(SIGTRAP) | sigbit(SIGABRT) | \
			    sigbit(SIGBUS) | sigbit(SIGFPE) | sigbit(SIGSEGV) | sigbit(SIGXCPU) | \
			    sigbit(SIGXFSZ) | sigbit(SIGSYS))
#define STOP_SET	(sigbit(SIGSTOP) | sigbit(SIGTSTP) | sigbit(SIGTTIN) | sigbit(SIGTTOU))

static void
call_again(struct task *t, uint64_t nr)
{
	t->regs.rax = nr;
	t->regs.rip -= CALL_LEN;
}

/* A handler is about to run over a call that returned a restart code. */
static void
restart_with_handler(struct task *t, uint64_t sa_flags)
{
	switch ((int64_t)t->regs.rax) {
	case -ERESTART_RESTARTBLOCK:
	case -ERESTARTNOHAND:
		t->regs.rax = (uint64_t)-EINTR;
		break;
	case -ERESTARTSYS:
		if (!(sa_flags & SA_RESTART)) {
			t->regs.rax = (uint64_t)-EINTR;
			break;
		}
		call_again(t, t->regs.orig_rax);
		break;
	case -ERESTARTNOINTR:
		call_again(t, t->regs.orig_rax);
		break;
	}
}

static void
restart_without_handler(struct task *t)
{
	switch ((int64_t)t->regs.rax) {
	case -ERESTARTNOHAND:
	case -ERESTARTSYS:
	case -ERESTARTNOINTR:
		call_again(t, t->regs.orig_rax);
		break;
	case -ERESTART_RESTARTBLOCK:
		call_again(t, NR_RESTART);
		break;
	}
}

static bool
in_orphaned_pgrp(struct task *t)
{
	bool orphaned;

	mutex_lock(&kernel.tasks_mu);
	orphaned = process_orphaned_pgrp(t->process->pgrp);
	mutex_unlock(&kernel.tasks_mu);
	return orphaned;
}

/* The default action is to stop.  No lock held. */
static void
stop_for(struct task *t, int signo)
{
	struct process *p = t->process;
	struct sighand *sh;

	/* Nobody could continue it: the terminal's stops do nothing there. */
	if (signo != SIGSTOP && in_orphaned_pgrp(t))
		return;
	sh = process_lock(p);
	/* A SIGCONT or SIGKILL that came meanwhile wins. */
	if (((t->pending.set | p->pending.set) & (sigbit(SIGCONT) | sigbit(SIGKILL))) == 0)
		process_stop(p, signo);
	process_unlock(sh);
}

/* No core file is written; the wait status says what Linux's would where the limit allows one. */
static int32_t
fatal_status(struct process *p, int signo)
{
	uint64_t limit = __atomic_load_n(&p->rlim[RLIM_CORE].cur, __ATOMIC_RELAXED);

	return (sigbit(signo) & CORE_SET) && limit >= PAGE_SIZE ? signo | 0x80 : signo;
}

enum next { NOTHING, AGAIN, HANDLER, DYING };

/* Takes one step under sighand. HANDLER fills sa and info. */
static enum next
next_step(struct task *t, struct abi_sigaction *sa, struct abi_siginfo *info)
{
	struct process *p = t->process;
	struct sighand *sh = process_lock(p);
	struct abi_sigaction *a;
	int signo;

	if (p->group_exit || t->exit_now || (p->exec_task && p->exec_task != t)) {
		process_unlock(sh);
		return DYING;
	}
	if (p->stop_signo != 0 || t->stopped || p->cont_notify) {
		process_unlock(sh);
		/* A frame of just now is to be seen meanwhile. */
		ctx_flush(t->ctx);
		task_stop_wait(t);
		return AGAIN;
	}
	signo = signal_dequeue_locked(t, ~signal_mask(t), info);
	if (signo == 0) {
		signal_recalc_locked(t);
		process_unlock(sh);
		return NOTHING;
	}
	a = &sh->action[signo - 1];
	*sa = *a;
	if (a->handler != ABI_SIG_DFL && a->handler != ABI_SIG_IGN && signo != SIGKILL) {
		if (a->flags & SA_RESETHAND)
			a->handler = ABI_SIG_DFL;
		process_unlock(sh);
		return HANDLER;
	}
	if (signo != SIGKILL && (a->handler == ABI_SIG_IGN || signal_is_default_ignored(signo) ||
	    (p == kernel.init && info->si_code <= 0 && !kernel.init_mortal))) {
		process_unlock(sh);
		return AGAIN;
	}
	if (sigbit(signo) & STOP_SET) {
		process_unlock(sh);
		stop_for(t, signo);
		return AGAIN;
	}
	process_exit_locked(p, fatal_status(p, signo));
	process_unlock(sh);
	return DYING;
}

/* The frame could not be written: SIGSEGV, and no second try where that was the signal. */
static void
frame_failed(struct task *t, int signo)
{
	struct abi_siginfo info;

	if (signo == SIGSEGV) {
		struct sighand *sh = process_lock(t->process);

		sh->action[SIGSEGV - 1].handler = ABI_SIG_DFL;
		process_unlock(sh);
	}
	siginfo_kernel(&info, SIGSEGV);
	signal_force(t, &info);
}

static void
run_handler(struct task *t, const struct abi_sigaction *sa, const struct abi_siginfo *info)
{
	sigset64 mask = signal_mask(t), back = t->restore_mask ? t->saved_mask : mask;

	if (sigframe_setup(t, sa, info, back) != 0) {
		frame_failed(t, info->si_signo);
		return;
	}
	t->restore_mask = false;
	mask |= sa->mask;
	if (!(sa->flags & SA_NODEFER))
		mask |= sigbit(info->si_signo);
	signal_set_mask(t, mask);
}

void
signal_deliver(struct task *t, bool in_syscall)
{
	struct abi_sigaction sa;
	struct abi_siginfo info;
	enum next next;

	for (;;) {
		next = next_step(t, &sa, &info);
		if (next == DYING)
			return;
		if (next == HANDLER || next == AGAIN) {
			if (kernel.strace && next == HANDLER)
				strace_signal(t, info.si_signo, info.si_code);
			if (next == AGAIN)
				continue;
			if (in_syscall)
				restart_with_handler(t, sa.flags);
			in_syscall = false;
			run_handler(t, &sa, &info);
			continue;
		}
		if (in_syscall)
			restart_without_handler(t);
		in_syscall = false;
		if (!t->restore_mask)
			return;
		t->restore_mask = false;
		signal_set_mask(t, t->saved_mask);
		if (!signal_pending(t))
			return;
	}
}
