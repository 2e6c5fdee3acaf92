/*
 * wait: wait queues and the only way to sleep.
 *
 * Operations never sleep: they return -EAGAIN, and one loop turns that into waiting:
 *
 *	waiter_arm(&w, t, q, POLLIN | POLLERR | POLLHUP);
 *	while ((n = op()) == -EAGAIN) {
 *		err = task_sleep(t, deadline_ns);
 *		if (err) { n = err; break; }
 *	}
 *	waiter_disarm(&w);
 *
 * Arm, try again, then sleep: a wake-up between the first try and the sleep is kept.
 * Over-waking is harmless, a missed wake is a bug.  No lock may be held in task_sleep.
 */
#ifndef SENTRY_KERNEL_WAIT_H
#define SENTRY_KERNEL_WAIT_H

#include "base/list.h"
#include "base/lock.h"

struct task;
struct waiter;

struct waitq {
	struct mutex	mu;		/* rank waitq */
	struct list	waiters;	/* [m] */
	_Atomic uint32_t armed;		/* waiters in the list, to make an idle wake free */
};

/* Called with q->mu held; may only set flags, take leaf state, or wake other queues' tasks via task_wake. */
typedef void waiter_fn(struct waiter *w, uint32_t events);

struct waiter {
	struct list	link;
	struct waitq	*q;		/* NULL when not armed */
	struct task	*task;		/* borrowed: the sleeper */
	uint32_t	events;		/* EPOLL/POLL bits it wants; 0: all */
	waiter_fn	*fn;		/* NULL: task_wake(task) */
	bool		exclusive;	/* stop waking after this one */
};

void waitq_init(struct waitq *q);
void waiter_init(struct waiter *w, struct task *t);		/* not armed */
void waiter_init_fn(struct waiter *w, waiter_fn *fn);
void waiter_queue(struct waiter *w, struct waitq *q, uint32_t events);	/* arm an initialised waiter */
/* waiter_init + waiter_queue. */
void waiter_arm(struct waiter *w, struct task *t, struct waitq *q, uint32_t events);
void waiter_disarm(struct waiter *w);		/* idempotent */
/* Wakes all who want any of events (0: everyone); an exclusive one ends the walk. Call after unlocking the object. */
void waitq_wake(struct waitq *q, uint32_t events);
void waitq_wake_n(struct waitq *q, uint32_t events, unsigned n);

#define NO_DEADLINE	UINT64_MAX
/* Until task_wake, a signal, or the CLOCK_MONOTONIC deadline: 0, -ERESTARTSYS, -ETIMEDOUT. May return 0 spuriously. */
int task_sleep(struct task *t, uint64_t deadline_ns) MUST_CHECK;
/* The same, but only a fatal signal interrupts it (-EINTR). */
int task_sleep_killable(struct task *t, uint64_t deadline_ns) MUST_CHECK;
/* Sets the wake flag of t and wakes it if it sleeps. Any thread, any lock. */
void task_wake(struct task *t);

/* Only task_wake or the deadline ends it: 0 or -ETIMEDOUT. The caller looks at signals itself. */
int task_block(struct task *t, uint64_t deadline_ns);

/*
 * Kernel threads: no guest behind them (timers, host descriptors, control). They may block in host calls.
 */
int kthread_start(const char *name, void (*fn)(void *), void *arg) MUST_CHECK;
/* The two halves: what can fail first, then what cannot. Threads are pooled. */
struct kthread;
int kthread_get(struct kthread **out) MUST_CHECK;		/* -EAGAIN, -ENOMEM */
void kthread_go(struct kthread *k, void (*fn)(void *), void *arg);
void kthread_put(struct kthread *k);				/* unused after all */
/* For kernel threads: a plain sleep/wake pair. */
struct kevent { _Atomic uint32_t word; };
void kevent_wait(struct kevent *e, uint64_t deadline_ns);	/* until set (then cleared) or deadline */
void kevent_set(struct kevent *e);

/*
 * Host descriptors that guests wait for (stdin, tty, sockets): hostfd.c polls them in one thread and wakes a queue.
 */
/* One-shot: wakes q with events once fd is ready for any of events (POLL bits). */
void hostfd_watch(int fd, uint32_t events, struct waitq *q);
void hostfd_forget(int fd);		/* before closing it; no wake-up by this fd follows */
int hostfd_boot(void) MUST_CHECK;	/* before the filter: it needs a pipe */
/* Ready bits right now, without waiting. */
uint32_t hostfd_ready(int fd, uint32_t events);

#endif
