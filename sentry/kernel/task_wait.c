/*
 * task_wait: waiting for children.  wait(2), waitid(2).
 *
 * One scan under the tasks lock finds a child that has something to tell, or that could have later;
 * the caller's loop sleeps on its process's queue, which every change of a child wakes.
 */
#include "sentry/kernel/tasktree.h"

#include <linux/wait.h>

#include "abi/errno.h"

/* Does r ask for child c at all? tasks held. */
static bool
is_eligible(struct task *t, const struct wait_request *r, struct process *c)
{
	bool clone_child = c->exit_signal != SIGCHLD;

	if (r->which == WAIT_PID && c->pid != r->id)
		return false;
	if (r->which == WAIT_PGRP && (c->pgrp == NULL || c->pgrp->id != r->id))
		return false;
	if ((r->options & __WNOTHREAD) && c->forker_tid != t->tid)
		return false;
	if (r->options & __WALL)
		return true;
	return clone_child == ((r->options & __WCLONE) != 0);
}

static void
fill(struct process *c, struct wait_result *out)
{
	struct task *leader = c->leader;

	out->pid = c->pid;
	mutex_lock(&leader->alloc_mu);
	out->uid = leader->cred ? leader->cred->uid : 0;
	mutex_unlock(&leader->alloc_mu);
	mutex_lock(&c->mu);
	out->acct = c->acct;
	acct_add(&out->acct, &c->children_acct);
	mutex_unlock(&c->mu);
}

/* A zombie: taken away unless WNOWAIT. */
static void
take_zombie(struct task *t, const struct wait_request *r, struct process *c,
    struct wait_result *out, struct reaped *reaped)
{
	int low = c->wstatus & 0x7f;

	fill(c, out);
	out->wstatus = c->wstatus;
	out->code = low == 0 ? CLD_EXITED : c->wstatus & 0x80 ? CLD_DUMPED : CLD_KILLED;
	out->status = low == 0 ? (c->wstatus >> 8) & 0xff : low;
	if (r->options & WNOWAIT)
		return;
	mutex_lock(&t->process->mu);
	acct_add(&t->process->children_acct, &out->acct);
	mutex_unlock(&t->process->mu);
	process_reap_locked(c, reaped);
}

/* A stop or a continuation nobody has been told of. */
static bool
take_change(const struct wait_request *r, struct process *c, struct wait_result *out)
{
	struct sighand *sh = process_lock(c);
	bool found = false;

	if ((r->options & WUNTRACED) && c->stop_complete && !c->stop_reported) {
		out->code = CLD_STOPPED;
		out->status = (int32_t)c->stop_signo;
		out->wstatus = (int32_t)(c->stop_signo << 8 | 0x7f);
		if (!(r->options & WNOWAIT))
			c->stop_reported = true;
		found = true;
	} else if ((r->options & WCONTINUED) && c->cont_pending) {
		out->code = CLD_CONTINUED;
		out->status = SIGCONT;
		out->wstatus = 0xffff;
		if (!(r->options & WNOWAIT))
			c->cont_pending = false;
		found = true;
	}
	process_unlock(sh);
	if (found)
		fill(c, out);
	return found;
}

/* 1 with *out, 0 when a child may yet have something, -ECHILD. */
static int
scan(struct task *t, const struct wait_request *r, struct wait_result *out, struct reaped *reaped)
{
	struct process *c;
	int result = -ECHILD;

	list_for_each(c, &t->process->children, sibling) {
		if (!is_eligible(t, r, c))
			continue;
		if (c->zombie) {
			/* Its only event left is its end: who does not ask for that has nothing to wait for. */
			if (!(r->options & WEXITED))
				continue;
			take_zombie(t, r, c, out, reaped);
			return 1;
		}
		result = 0;
		if (take_change(r, c, out))
			return 1;
	}
	return result;
}

int
process_wait(struct task *t, const struct wait_request *r, struct wait_result *out)
{
	struct reaped reaped = { 0 };
	struct waiter w;
	int n, err = 0;

	*out = (struct wait_result){ 0 };
	waiter_arm(&w, t, &t->process->wait_children, 0);
	t->wait_reason = "wait";
	for (;;) {
		mutex_lock(&kernel.tasks_mu);
		n = scan(t, r, out, &reaped);
		mutex_unlock(&kernel.tasks_mu);
		if (n != 0 || (r->options & WNOHANG))
			break;
		err = task_sleep(t, NO_DEADLINE);
		if (err)
			break;
	}
	t->wait_reason = NULL;
	waiter_disarm(&w);
	reaped_put(&reaped);
	if (err)
		return err;
	return n < 0 ? n : 0;
}
