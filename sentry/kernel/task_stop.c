/*
 * task_stop: job control: the whole group stops and continues.  signal(7), wait(2).
 *
 * A stop begins when a thread takes a stop signal (process_stop); every thread then comes to
 * task_stop_wait, and the last to arrive completes it and tells the parent.  All state is the
 * process's, under sighand; the parent is told with no lock held, since its lock is the same rank.
 */
#include "sentry/kernel/tasktree.h"

#include <string.h>

#include "base/log.h"

static void
kick_all(struct process *p)
{
	struct task *t;

	list_for_each(t, &p->threads, thread_link) {
		atomic_store(&t->attention, 1);
		task_kick(t);
	}
}

void
process_stop(struct process *p, int signo)
{
	if (p->stop_signo != 0 || p->group_exit)
		return;
	p->stop_signo = (uint32_t)signo;
	p->stop_complete = p->stop_reported = false;
	p->cont_pending = p->cont_notify = false;
	kick_all(p);
}

void
process_continue(struct process *p)
{
	if (p->stop_signo == 0)
		return;
	p->stop_signo = 0;
	if (p->stop_complete) {
		p->stop_complete = false;
		p->cont_pending = p->cont_notify = true;
	}
	kick_all(p);
}

bool
stop_is_complete_locked(struct process *p)
{
	struct task *t;

	if (p->stop_signo == 0 || p->stop_complete)
		return false;
	list_for_each(t, &p->threads, thread_link) {
		if (!t->exiting && !t->stopped)
			return false;
	}
	p->stop_complete = true;
	return true;
}

/* One look at the stop: true while t has to stay. *why is the CLD_ code the parent must be told, or 0. */
static bool
stop_look(struct task *t, int *why, int *status)
{
	struct process *p = t->process;
	struct sighand *sh = process_lock(p);
	bool stay = p->stop_signo != 0 && !p->group_exit && !(p->exec_task && p->exec_task != t);

	*why = 0;
	if (stay && !t->stopped) {
		t->stopped = true;
		p->nstopped++;
		if (stop_is_complete_locked(p)) {
			*why = CLD_STOPPED;
			*status = (int)p->stop_signo;
		}
	} else if (!stay) {
		if (t->stopped) {
			t->stopped = false;
			p->nstopped--;
		}
		if (p->cont_notify) {
			p->cont_notify = false;
			*why = CLD_CONTINUED;
			*status = SIGCONT;
		}
		signal_recalc_locked(t);
	}
	process_unlock(sh);
	return stay;
}

void
task_stop_wait(struct task *t)
{
	int why, status = 0;

	t->wait_reason = "stopped";
	for (;;) {
		bool stay = stop_look(t, &why, &status);

		if (why)
			process_notify_parent(t->process, why, status);
		if (!stay)
			break;
		atomic_store_explicit(&t->state, TASK_STOPPED, memory_order_relaxed);
		if (task_block(t, NO_DEADLINE) != 0)
			continue;
	}
	atomic_store_explicit(&t->state, TASK_RUNNING, memory_order_relaxed);
	t->wait_reason = NULL;
}

void
process_notify_parent(struct process *p, int why, int status)
{
	struct abi_siginfo info;
	struct process *parent;
	struct sighand *sh;
	bool quiet;

	mutex_lock(&kernel.tasks_mu);
	parent = p->parent;
	if (parent) {
		sh = process_lock(parent);
		quiet = sh->action[SIGCHLD - 1].handler == ABI_SIG_IGN ||
		    (sh->action[SIGCHLD - 1].flags & SA_NOCLDSTOP);
		process_unlock(sh);
		if (!quiet) {
			sigchld_info(p, why, status, &info);
			signal_send_process(parent, &info);
		}
		waitq_wake(&parent->wait_children, 0);
	}
	mutex_unlock(&kernel.tasks_mu);
}
