/*
 * futex_pi: locks whose word names the owner: FUTEX_LOCK_PI and kin, and robust lists.  futex(2),
 * get_robust_list(2).
 *
 * Priorities are the host's business, so nothing is inherited; what counts is the protocol of the word:
 * the owner's tid, FUTEX_WAITERS while somebody sleeps, FUTEX_OWNER_DIED.  A waiter queues first and
 * then makes sure that WAITERS is set for the owner it waits for; an unlock takes the oldest waiter out of the queue,
 * writes that thread's tid into the word and tells it (`handed`).  The word is changed by
 * compare-and-swap only, and never with a bucket locked.
 */
#include "abi/errno.h"
#include "sentry/kernel/futex.h"
#include "sentry/kernel/futexq.h"
#include "sentry/kernel/task.h"
#include "sentry/mm/usercopy.h"

#define TID_MASK	0x3fffffffU
#define OWNER_DIED	0x40000000U
#define WAITERS		0x80000000U
#define ROBUST_LIMIT	2048

enum { HAND_NONE, HAND_DONE, HAND_FAILED };

/* PI waiters anywhere: an exiting thread has nothing to look for while there are none. */
static _Atomic uint32_t pi_waiters;

static bool
owner_lives(uint32_t tid)
{
	struct task *o = task_find_get((int32_t)tid);
	bool lives = o != NULL && !o->exit_now;

	task_put(o);
	return lives;
}

/* Takes the lock if it is free: 0, -EAGAIN with *seen the word as it is, or another error. */
static int
try_take(struct task *t, gaddr_t at, uint32_t *seen)
{
	uint32_t val, tid = (uint32_t)t->tid;
	int err = copy_in(t, &val, at, sizeof val);

	while (!err) {
		if ((val & TID_MASK) == tid)
			return -EDEADLK;
		if (val & TID_MASK) {
			*seen = val;
			return -EAGAIN;
		}
		/* The mark of a dead owner stays, for the new one to see. */
		err = user_cas32(t, at, val, tid | (val & (OWNER_DIED | WAITERS)), seen);
		if (!err && *seen == val)
			return 0;
		val = *seen;
	}
	return err;
}

/* Marks that somebody sleeps: 0 when the word names the same owner with WAITERS set; -EAGAIN when it changed. */
static int
mark_waiters(struct task *t, gaddr_t at, uint32_t val)
{
	uint32_t seen;
	int err;

	if (val & WAITERS) {
		err = copy_in(t, &seen, at, sizeof seen);
		return err ? err : seen == val ? 0 : -EAGAIN;
	}
	err = user_cas32(t, at, val, val | WAITERS, &seen);
	return err ? err : seen == val ? 0 : -EAGAIN;
}

/* An unlocker has chosen us and is about to write our tid: no signal may come between. */
static int64_t
await_hand(struct futex_waiter *w)
{
	while (atomic_load(&w->handed) == HAND_NONE) {
		if (task_block(w->task, NO_DEADLINE) != 0)
			continue;
	}
	return atomic_load(&w->handed) == HAND_DONE ? 0 : -EFAULT;
}

/*
 * The owner we slept for has died without a word: the lock is ours, marked.  -EAGAIN when another waiter was
 * first, or a robust list has had its say.
 */
static int
inherit(struct task *t, gaddr_t at, uint32_t dead)
{
	uint32_t val, seen;
	int err = copy_in(t, &val, at, sizeof val);

	while (!err) {
		if ((val & TID_MASK) != dead)
			return -EAGAIN;
		/* Others may sleep too; WAITERS without any is harmless. */
		err = user_cas32(t, at, val, (uint32_t)t->tid | OWNER_DIED | WAITERS, &seen);
		if (!err && seen == val)
			return 0;
		val = seen;
	}
	return err;
}

/* One round of queueing and sleeping for owner val: 0 owned, -EAGAIN try afresh, or an error. */
static int64_t
wait_for_owner(struct task *t, gaddr_t at, const struct futex_key *k, uint32_t val, uint64_t deadline_ns)
{
	struct futex_bucket *b = futex_bucket_of(k);
	struct futex_waiter w;
	int err;

	futex_waiter_init(&w, t, k, ~0U);
	w.is_pi = true;
	w.owner = (int32_t)(val & TID_MASK);
	futex_bucket_lock(b);
	futex_enqueue(b, &w);
	mutex_unlock(&b->mu);
	atomic_fetch_add(&pi_waiters, 1);
	err = mark_waiters(t, at, val);
	if (!err && !owner_lives(val & TID_MASK))
		err = -ESRCH;
	t->wait_reason = "futex";
	while (!err && futex_is_queued(&w)) {
		err = task_sleep(t, deadline_ns);
		if (!err && futex_is_queued(&w) && !owner_lives(val & TID_MASK)) {
			err = inherit(t, at, val & TID_MASK);
			if (!err) {
				/* An unlocker cannot have chosen us: there was none. */
				(void)futex_dequeue(&w);
				atomic_fetch_sub(&pi_waiters, 1);
				t->wait_reason = NULL;
				return 0;
			}
		}
	}
	t->wait_reason = NULL;
	atomic_fetch_sub(&pi_waiters, 1);
	if (!futex_dequeue(&w))
		return await_hand(&w);
	return err;
}

int64_t
futex_lock_pi(struct task *t, gaddr_t at, bool private, bool try, uint64_t deadline_ns)
{
	struct futex_key k;
	uint32_t val;
	int64_t err = futex_key_of(t, at, private, &k);

	if (err)
		return err;
	for (;;) {
		err = try_take(t, at, &val);
		if (err != -EAGAIN || try)
			return err;
		err = wait_for_owner(t, at, &k, val, deadline_ns);
		if (err == -ERESTARTSYS)
			return -ERESTARTNOINTR;
		if (err != -EAGAIN)
			return err;
		if (signal_fatal_pending(t))
			return -EINTR;
	}
}

/* Takes the oldest PI waiter of k out; *more says that others remain. The task is counted. */
static struct futex_waiter *
take_pi(struct futex_bucket *b, const struct futex_key *k, int32_t *tid, bool *more)
{
	struct futex_waiter *w, *next, *first = NULL;

	*more = false;
	list_for_each_safe(w, next, &b->waiters, link) {
		if (!w->is_pi || !futex_key_equal(&w->key, k))
			continue;
		if (first) {
			*more = true;
			break;
		}
		first = w;
	}
	if (first) {
		list_remove(&first->link);
		*tid = first->task->tid;
		task_get(first->task);
	}
	return first;
}

/* Gives the word (owned by t) to w, or frees it when there is none. */
static int
hand_over(struct task *t, gaddr_t at, int32_t tid, bool more, bool died)
{
	uint32_t val, new = (uint32_t)tid, seen;
	int err = copy_in(t, &val, at, sizeof val);

	if (tid && more)
		new |= WAITERS;
	while (!err) {
		if ((val & TID_MASK) != (uint32_t)t->tid)
			return -EPERM;
		err = user_cas32(t, at, val, new | (died ? OWNER_DIED : 0), &seen);
		if (!err && seen == val)
			return 0;
		val = seen;
	}
	return err;
}

static int64_t
unlock_key(struct task *t, gaddr_t at, const struct futex_key *k, bool died)
{
	struct futex_bucket *b = futex_bucket_of(k);
	struct futex_waiter *w;
	struct task *to;
	int32_t tid = 0;
	bool more;
	int err;

	futex_bucket_lock(b);
	w = take_pi(b, k, &tid, &more);
	to = w ? w->task : NULL;
	mutex_unlock(&b->mu);
	err = hand_over(t, at, tid, more, died);
	if (w) {
		/* w is gone as soon as this is seen. */
		atomic_store(&w->handed, err ? HAND_FAILED : HAND_DONE);
		task_wake(to);
		task_put(to);
	}
	return err;
}

int64_t
futex_unlock_pi(struct task *t, gaddr_t at, bool private)
{
	struct futex_key k;
	uint32_t val;
	int err = futex_key_of(t, at, private, &k);

	if (!err)
		err = copy_in(t, &val, at, sizeof val);
	if (err)
		return err;
	if ((val & TID_MASK) != (uint32_t)t->tid)
		return -EPERM;
	return unlock_key(t, at, &k, false);
}

/* ---- exit -------------------------------------------------------------------------- */

/* The owner of the lock at `at` dies: marks the word, and lets one waiter in. */
static int
owner_died(struct task *t, gaddr_t at, bool is_pi, bool pending)
{
	uint32_t val, seen;
	struct futex_key k;
	int err;

	if (gaddr_raw(at) & 3)
		return -EINVAL;
	err = copy_in(t, &val, at, sizeof val);
	while (!err) {
		/* It died between unlocking the word and waking: the wake-up is ours to do. */
		if (pending && !is_pi && val == 0) {
			(void)futex_wake(t, at, 1);
			return 0;
		}
		if ((val & TID_MASK) != (uint32_t)t->tid)
			return 0;
		if (is_pi && (val & WAITERS)) {
			err = futex_key_of(t, at, false, &k);
			return err ? err : (int)unlock_key(t, at, &k, true);
		}
		err = user_cas32(t, at, val, (val & WAITERS) | OWNER_DIED, &seen);
		if (!err && seen == val)
			break;
		val = seen;
	}
	if (!err && !is_pi && (val & WAITERS))
		(void)futex_wake(t, at, 1);
	return err;
}

/* The guest's list may lie about everything: it is bounded, and each word is checked to be ours. */
static void
walk_robust(struct task *t)
{
	struct { uint64_t next; int64_t offset; uint64_t pending; } head;
	uint64_t at = gaddr_raw(t->robust_list), entry, next, pending;

	if (copy_in(t, &head, t->robust_list, sizeof head) != 0)
		return;
	pending = head.pending & ~1ULL;
	entry = head.next;
	for (unsigned i = 0; i < ROBUST_LIMIT && (entry & ~1ULL) != at; i++) {
		bool is_pi = entry & 1;
		uint64_t node = entry & ~1ULL;

		/* The next one first: waking the word's waiter may free the node. */
		if (copy_in(t, &next, gaddr_from(node), sizeof next) != 0)
			next = at;
		if (node != pending &&
		    owner_died(t, gaddr_from(node + (uint64_t)head.offset), is_pi, false) != 0)
			break;
		entry = next;
	}
	if (pending)
		(void)owner_died(t, gaddr_from(pending + (uint64_t)head.offset), head.pending & 1, true);
}

struct orphan { struct task *owner; };

static void
orphan_bucket(struct futex_bucket *b, void *arg)
{
	struct orphan *o = arg;
	struct futex_waiter *w, *next;

	futex_bucket_lock(b);
	list_for_each_safe(w, next, &b->waiters, link) {
		if (!w->is_pi || w->owner != o->owner->tid)
			continue;
		/* Still queued, it looks at the word again and finds its owner gone. */
		task_wake(w->task);
	}
	mutex_unlock(&b->mu);
}

void
futex_exit(struct task *t)
{
	struct orphan o = { .owner = t };

	if (!gaddr_is_null(t->robust_list) && t->robust_len == 24)
		walk_robust(t);
	t->robust_list = GADDR_NULL;
	if (atomic_load(&pi_waiters) != 0)
		futex_each_bucket(orphan_bucket, &o);
}
