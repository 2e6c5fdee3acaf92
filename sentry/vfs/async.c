/*
 * async: O_ASYNC: a signal to the owner of a file when something happens to it.  fcntl(2), F_SETOWN.
 *
 * A wake-up comes with the file's queue locked, where no signal can be sent.  So it puts the file on a
 * stack, and whoever comes first sends: the writer that caused it, on its way out, or a kernel thread.
 */
#include <fcntl.h>
#include <poll.h>
#include <signal.h>

#include "base/kmem.h"
#include "sentry/kernel/task.h"
#include "sentry/vfs/file.h"

#define IN_EVENTS	(POLLIN | POLLRDNORM | POLLPRI | POLLRDBAND)
#define OUT_EVENTS	(POLLOUT | POLLWRNORM | POLLWRBAND)
/* Signals whose si_code has meanings of its own. */
#define OWN_CODES	(sigbit(SIGILL) | sigbit(SIGFPE) | sigbit(SIGSEGV) | sigbit(SIGBUS) | sigbit(SIGTRAP) | sigbit(SIGCHLD) | sigbit(SIGSYS))

/* Owned by its file; not on the stack once async_mu has been held after waiter_disarm. */
struct async {
	struct waiter	w;
	struct file	*f;		/* [I] borrowed */
	int32_t		fd;		/* [I] by which it was asked for */
	_Atomic uint32_t events;	/* the last ones; 0: any that f is open for */
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

	atomic_store(&a->events, events);
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

static bool
is_writer(const struct file *f)
{
	return (f->mode & (FMODE_READ | FMODE_WRITE)) == FMODE_WRITE;
}

/* With a signal of its owner's choice come the event, and the descriptor. */
static void
fill(struct abi_siginfo *info, const struct async *a, int signo)
{
	uint32_t events = atomic_load(&a->events);
	bool out = events != 0 ? (events & IN_EVENTS) == 0 : is_writer(a->f);

	siginfo_kernel(info, signo ? signo : SIGIO);
	if (signo == 0)
		return;
	info->si_code = out ? POLL_OUT : POLL_IN;
	info->si_band = out ? OUT_EVENTS : POLLIN | POLLRDNORM;
	info->si_fd = a->fd;
	/* There POLL_IN would be something else. */
	if (signo != SIGIO && (sigbit(signo) & OWN_CODES))
		info->si_code = SI_SIGIO;
}

static void
send(const struct async *a)
{
	struct file *f = a->f;
	struct abi_siginfo info;
	struct fowner o;

	mutex_lock(&f->owner.mu);
	o = (struct fowner){ .type = f->owner.type, .id = f->owner.id, .signo = f->owner.signo,
	    .uid = f->owner.uid, .euid = f->owner.euid };
	mutex_unlock(&f->owner.mu);
	if (o.id == 0)
		return;
	fill(&info, a, o.signo);
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
		send(a);
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
file_async_set(struct file *f, int32_t fd, bool on)
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
		a->fd = fd;
		waiter_init_fn(&a->w, async_wake);
		/* Both ends of a pipe have one queue. */
		waiter_queue(&a->w, f->wq, (f->mode & FMODE_WRITE) == 0 ? IN_EVENTS : is_writer(f) ? OUT_EVENTS : 0);
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
