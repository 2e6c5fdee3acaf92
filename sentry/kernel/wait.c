/*
 * wait: wait queues, sleeping, and the sentry's threads.
 *
 * A task's wake_word is 0 (nothing happened), WOKEN (a wake-up is kept for the next sleep) or
 * ASLEEP (its thread is in, or on its way into, futex wait).  Only the task itself leaves WOKEN and
 * enters ASLEEP; anyone may set WOKEN, and the one who replaces ASLEEP owes the futex wake.
 *
 * A sender of a signal sets `attention` before it wakes; the sleeper enters ASLEEP before it reads
 * `attention`.  Both are sequentially consistent, so one of them sees the other.
 */
#include "sentry/kernel/wait.h"

#include <pthread.h>

#include "abi/errno.h"
#include "base/hostcall.h"
#include "base/kmem.h"
#include "base/log.h"
#include "sentry/kernel/task.h"
#include "sentry/mm/usercopy.h"

enum { WAKE_NONE, WAKE_WOKEN, WAKE_ASLEEP };

/* ---- queues ---------------------------------------------------------------- */

void
waitq_init(struct waitq *q)
{
	mutex_init(&q->mu, RANK_waitq);
	list_init(&q->waiters);
	atomic_init(&q->armed, 0);
}

void
waiter_init(struct waiter *w, struct task *t)
{
	*w = (struct waiter){ .task = t };
	list_init(&w->link);
}

void
waiter_init_fn(struct waiter *w, waiter_fn *fn)
{
	*w = (struct waiter){ .fn = fn };
	list_init(&w->link);
}

void
waiter_queue(struct waiter *w, struct waitq *q, uint32_t events)
{
	BUG_ON(w->q != NULL);
	w->events = events;
	w->q = q;
	mutex_lock(&q->mu);
	/* Exclusive waiters stand behind the others, so that a wake-up reaches every ordinary one. */
	if (w->exclusive)
		list_push_back(&q->waiters, &w->link);
	else
		list_push_front(&q->waiters, &w->link);
	atomic_fetch_add(&q->armed, 1);
	mutex_unlock(&q->mu);
}

void
waiter_arm(struct waiter *w, struct task *t, struct waitq *q, uint32_t events)
{
	waiter_init(w, t);
	waiter_queue(w, q, events);
}

void
waiter_disarm(struct waiter *w)
{
	struct waitq *q = w->q;

	if (q == NULL)
		return;
	mutex_lock(&q->mu);
	list_remove(&w->link);
	atomic_fetch_sub(&q->armed, 1);
	mutex_unlock(&q->mu);
	w->q = NULL;
}

void
waitq_wake_n(struct waitq *q, uint32_t events, unsigned n)
{
	struct waiter *w, *next;

	/* A locked operation: orders the waker's condition before this look, even without a common lock. */
	if (atomic_fetch_add(&q->armed, 0) == 0)
		return;
	mutex_lock(&q->mu);
	list_for_each_safe(w, next, &q->waiters, link) {
		bool exclusive = w->exclusive;

		if (events != 0 && w->events != 0 && (w->events & events) == 0)
			continue;
		if (exclusive) {
			if (n == 0)
				break;
			n--;
			/* The next wake-up is for the next one: this one has its own already. */
			list_remove(&w->link);
			list_push_back(&q->waiters, &w->link);
		}
		if (w->fn)
			w->fn(w, events);
		else
			task_wake(w->task);
		if (exclusive && n == 0)
			break;
	}
	mutex_unlock(&q->mu);
}

void
waitq_wake(struct waitq *q, uint32_t events)
{
	waitq_wake_n(q, events, 1);
}

/* ---- sleeping -------------------------------------------------------------- */

void
task_wake(struct task *t)
{
	if (atomic_exchange(&t->wake_word, WAKE_WOKEN) == WAKE_ASLEEP)
		host_futex_wake(&t->wake_word, 1, false);
}

static bool
look_none(struct task *t)
{
	(void)t;
	return false;
}

static bool
look_signal(struct task *t)
{
	return atomic_load(&t->attention) != 0 && signal_pending(t);
}

static bool
look_fatal(struct task *t)
{
	return atomic_load(&t->attention) != 0 && task_must_exit(t);
}

/*
 * One sleep: 0 when woken, -ETIMEDOUT, or `broken` when look() found a reason not to sleep.
 * look runs in state ASLEEP, so whatever it misses comes with a wake-up.
 */
static int
sleep_once(struct task *t, uint64_t deadline_ns, bool (*look)(struct task *), int broken)
{
	uint32_t none = WAKE_NONE;
	uint64_t since;
	int err = 0;

	lock_assert_none();
	if (!atomic_compare_exchange_strong(&t->wake_word, &none, WAKE_ASLEEP)) {
		atomic_store(&t->wake_word, WAKE_NONE);
		return 0;
	}
	if (look(t)) {
		atomic_store(&t->wake_word, WAKE_NONE);
		return broken;
	}
	usercopy_settle();
	since = cpu_ticks();
	if (t->ctx != NULL)
		ctx_asleep(t->ctx, true);
	atomic_store_explicit(&t->state, TASK_SLEEPING, memory_order_relaxed);
	while (atomic_load(&t->wake_word) == WAKE_ASLEEP) {
		err = host_futex_wait(&t->wake_word, WAKE_ASLEEP, deadline_ns, false);
		if (err == -ETIMEDOUT)
			break;
	}
	/* A wake-up that raced with the deadline wins: its sender counts on it. */
	if (atomic_exchange(&t->wake_word, WAKE_NONE) == WAKE_WOKEN || err != -ETIMEDOUT)
		err = 0;
	atomic_store_explicit(&t->state, TASK_RUNNING, memory_order_relaxed);
	if (t->ctx != NULL)
		ctx_asleep(t->ctx, false);
	atomic_fetch_add_explicit(&t->nvcsw, 1, memory_order_relaxed);
	t->slept_tsc += cpu_ticks() - since;
	return err;
}

int
task_sleep(struct task *t, uint64_t deadline_ns)
{
	return sleep_once(t, deadline_ns, look_signal, -ERESTARTSYS);
}

int
task_sleep_killable(struct task *t, uint64_t deadline_ns)
{
	return sleep_once(t, deadline_ns, look_fatal, -EINTR);
}

int
task_block(struct task *t, uint64_t deadline_ns)
{
	return sleep_once(t, deadline_ns, look_none, 0);
}

/* ---- threads --------------------------------------------------------------- */

/*
 * Small stacks: nothing in the sentry keeps large objects there.  Sanitizers need room for
 * their red zones and shadow calls.
 */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define STACK_SIZE	(1024 * 1024)
#else
#define STACK_SIZE	(128 * 1024)
#endif
#define POOL_MAX	16	/* idle threads kept; each costs a few touched stack pages */

struct kthread {
	struct kevent	go;
	void		(*fn)(void *);	/* set before go */
	void		*arg;
	struct list	link;		/* in the pool */
};
KMEM_CACHE(kthread);

static struct {
	struct mutex	mu;
	struct list	idle;		/* [m] */
	unsigned	count;		/* [m] */
} pool = { .mu = MUTEX_INIT(RANK_waitq), .idle = LIST_INIT(pool.idle) };

/* True when the pool took k, and its thread should wait for another job. */
static bool
pool_keep(struct kthread *k)
{
	bool kept;

	mutex_lock(&pool.mu);
	kept = pool.count < POOL_MAX;
	if (kept) {
		list_push_front(&pool.idle, &k->link);
		pool.count++;
	}
	mutex_unlock(&pool.mu);
	return kept;
}

static void *
kthread_main(void *arg)
{
	struct kthread *k = arg;

	do {
		kevent_wait(&k->go, NO_DEADLINE);
		if (k->fn == NULL)
			break;
		k->fn(k->arg);
		k->fn = NULL;
	} while (pool_keep(k));
	obj_free(kthread, k);
	return NULL;
}

int
kthread_get(struct kthread **out)
{
	struct kthread *k;
	pthread_attr_t attr;
	pthread_t thread;
	int err;

	mutex_lock(&pool.mu);
	k = list_first(&pool.idle, struct kthread, link);
	if (k) {
		list_remove(&k->link);
		pool.count--;
	}
	mutex_unlock(&pool.mu);
	if (k) {
		*out = k;
		return 0;
	}
	k = obj_new(kthread);
	if (k == NULL)
		return -ENOMEM;
	list_init(&k->link);
	err = pthread_attr_init(&attr);
	if (err == 0) {
		(void)pthread_attr_setstacksize(&attr, STACK_SIZE);
		(void)pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
		err = pthread_create(&thread, &attr, kthread_main, k);
		(void)pthread_attr_destroy(&attr);
	}
	if (err) {
		log_warn("wait", "cannot make a thread: error %d", err);
		obj_free(kthread, k);
		return -EAGAIN;
	}
	*out = k;
	return 0;
}

void
kthread_go(struct kthread *k, void (*fn)(void *), void *arg)
{
	k->fn = fn;
	k->arg = arg;
	kevent_set(&k->go);
}

void
kthread_put(struct kthread *k)
{
	if (!pool_keep(k))
		kthread_go(k, NULL, NULL);
}

int
kthread_start(const char *name, void (*fn)(void *), void *arg)
{
	struct kthread *k;
	int err = kthread_get(&k);

	if (err)
		return err;
	log_debug("wait", "thread %s", name);
	kthread_go(k, fn, arg);
	return 0;
}

void
kevent_wait(struct kevent *e, uint64_t deadline_ns)
{
	while (atomic_exchange(&e->word, 0) == 0) {
		if (host_futex_wait(&e->word, 0, deadline_ns, false) == -ETIMEDOUT)
			return;
	}
}

void
kevent_set(struct kevent *e)
{
	if (atomic_exchange(&e->word, 1) == 0)
		host_futex_wake(&e->word, 1, false);
}
