/*
 * async: O_ASYNC: a signal to the owner of a file when something happens to it.  fcntl(2), F_SETOWN.
 *
 * A wake-up comes with the file's queue locked, where no signal can be sent.  So it puts the file on a
 * stack, and whoever comes first sends: the writer that caused it, on its way out, or a kernel thread.
 */
#include <fcntl.h>
#include <signal.h>

#include "base/kmem.h"
#include "sentry/kernel/task.h"
#include "sentry/vfs/file.h"

/* Owned by its file; not on the stack once async_mu has been held after waiter_disarm. */
struct async {
	struct waiter	w;
	struct file	*f;		/* [I] borrowed */
	_Atomic bool	queued;
	struct async	*next;
};

KMEM_CACHE(async);

static struct mutex async_mu = MUTEX_INIT(RANK_pos);	/* outermost: signals are sent with it held */
static _Atomic(struct async *) fired;
static struct kevent wanted;
static _Atomic bool running;		/* the kernel thread exists */

static void
async_wake(struct waiter *w, uint32_t events)
{
	struct async *a = container_of(w, struct async, w);

	(void)events;
	if (atomic_exchange(&a->queued, true))
		return;
	a->next = atomic_load_explicit(&fired, memory_order_relaxed);
	while (!atomic_compare_exchange_weak(&fired, &a->next, a))
		;
	kevent_set(&wanted);
}

/* kill(2)'s rule, by who called F_SETOWN. */
static bool
may_signal(const struct fowner *o, struct task *t)
{
	struct cred *c = task_cred_get(t);
	bool may = o->euid == 0 || o->euid == c->suid || o->euid == c->uid || o->uid == c->suid || o->uid == c->uid;

	cred_put(c);
	return may;
}

static void
send_to_process(const struct fowner *o, struct process *p, const struct abi_siginfo *info)
{
	struct task *t = p ? process_leader_get(p) : NULL;

	if (t && may_signal(o, t))
		signal_send_process(p, info);
	task_put(t);
}

static void
send(struct file *f)
{
	struct abi_siginfo info;
	struct fowner o;

	mutex_lock(&f->owner.mu);
	o = (struct fowner){ .type = f->owner.type, .id = f->owner.id, .signo = f->owner.signo,
	    .uid = f->owner.uid, .euid = f->owner.euid };
	mutex_unlock(&f->owner.mu);
	if (o.id == 0)
		return;
	siginfo_kernel(&info, o.signo ? o.signo : SIGIO);
	if (o.type == 0) {			/* F_OWNER_TID */
		struct task *t = task_find_get(o.id);

		if (t && may_signal(&o, t))
			signal_send_task(t, &info);
		task_put(t);
	} else if (o.type == 1) {		/* F_OWNER_PID */
		struct process *p = process_find_get(o.id);

		send_to_process(&o, p, &info);
		process_put(p);
	} else if (o.euid == 0) {		/* F_OWNER_PGRP: everyone in it, so only for root */
		struct pidgroup *g = pidgroup_find_get(o.id);

		if (g && signal_send_pgrp(g, &info) != 0)
			WARN_ONCE(true);
		pidgroup_put(g);
	}
}

static void
drain_locked(void)
{
	struct async *a = atomic_exchange(&fired, NULL), *next;

	for (; a; a = next) {
		next = a->next;
		atomic_store(&a->queued, false);
		send(a->f);
	}
}

void
file_async_run(void)
{
	if (likely(!atomic_load_explicit(&running, memory_order_relaxed)))
		return;
	mutex_lock(&async_mu);
	drain_locked();
	mutex_unlock(&async_mu);
}

static void
async_thread(void *arg)
{
	(void)arg;
	for (;;) {
		kevent_wait(&wanted, NO_DEADLINE);
		mutex_lock(&async_mu);
		drain_locked();
		mutex_unlock(&async_mu);
	}
}

int
file_async_set(struct file *f, bool on)
{
	struct async *a, *old = NULL;
	int err = 0;

	a = on ? obj_new(async) : NULL;
	if (on && a == NULL)
		return -ENOMEM;
	mutex_lock(&async_mu);
	if (on && !running) {
		err = kthread_start("sigio", async_thread, NULL);
		running = err == 0;
	}
	if (!err && on && f->async == NULL) {
		a->f = f;
		waiter_init_fn(&a->w, async_wake);
		waiter_queue(&a->w, f->wq, 0);
		f->async = steal(&a);
	} else if (!on && f->async) {
		old = f->async;
		f->async = NULL;
		waiter_disarm(&old->w);
		drain_locked();
	}
	mutex_unlock(&async_mu);
	obj_free(async, a);
	obj_free(async, old);
	return err;
}
