/*
 * answers: what a task's stub may say on its behalf, without a call: who it is (ctx_answer), and of names that it has asked
 * about that they are no symbolic links (ctx_no_link); what signals it blocks, which the stub changes by itself while none is
 * pending (signal.c).
 *
 * Whoever changes one of these tells the stubs before anybody can know of the change: a parent's
 * death and a group's new member under the tasks lock, credentials in the call of the task itself.
 * With strace every call has to be seen, so nothing is told.
 */
#include "sentry/kernel/tasktree.h"

#include <string.h>

static void
tell_family(struct task *t)
{
	struct process *p = t->process;

	ctx_answer(t->ctx, ANSWER_PPID, p->parent ? (uint32_t)p->parent->pid : 0);
	if (p->pgrp)
		ctx_answer(t->ctx, ANSWER_PGRP, (uint32_t)p->pgrp->id);
}

void
answers_family_locked(struct process *p)
{
	struct sighand *sh;
	struct task *t;

	mutex_assert_held(&kernel.tasks_mu);
	if (kernel.strace)
		return;
	sh = process_lock(p);
	list_for_each(t, &p->threads, thread_link) {
		if (t->ctx)
			tell_family(t);
	}
	process_unlock(sh);
}

void
answers_cred(struct task *t)
{
	const struct cred *c = t->cred;

	if (kernel.strace || !t->ctx)
		return;
	ctx_answer(t->ctx, ANSWER_UID, c->uid);
	ctx_answer(t->ctx, ANSWER_GID, c->gid);
	ctx_answer(t->ctx, ANSWER_EUID, c->euid);
	ctx_answer(t->ctx, ANSWER_EGID, c->egid);
	/* Who may look where is another matter now. */
	ctx_forget_links(t->ctx);
}

void
answers_signals_locked(struct task *t)
{
	if (!kernel.strace)
		ctx_answer(t->ctx, ANSWER_SIGMASK, 0);
}

void
answers_begin(struct task *t)
{
	if (kernel.strace)
		return;
	answers_cred(t);
	ctx_answer(t->ctx, ANSWER_YIELD, 0);
	mutex_lock(&kernel.tasks_mu);
	ctx_answer(t->ctx, ANSWER_PID, (uint32_t)t->process->pid);
	ctx_answer(t->ctx, ANSWER_TID, (uint32_t)t->tid);
	tell_family(t);
	mutex_unlock(&kernel.tasks_mu);
}

void
answers_no_link(struct task *t, uint64_t names, const char *path)
{
	if (!kernel.strace && t->ctx)
		ctx_no_link(t->ctx, names, path, strlen(path) + 1);
}
