/*
 * futex: waiting on words of guest memory.  futex(2).
 *
 * A bucket's lock orders waiters against wakers: a waiter reads the word and queues itself under
 * it, so a waker that changed the word before it took the lock finds the waiter.  A waiter lies on
 * the stack of its sleeping task; it leaves its queue under the lock of the bucket it is in (a
 * requeue moves it), so whoever holds that lock may look at it.  Tasks are woken after unlocking.
 */
#include "sentry/kernel/futex.h"

#include "abi/errno.h"
#include "base/kmem.h"
#include "sentry/kernel/futexq.h"
#include "sentry/mm/usercopy.h"

#define BUCKETS		256
#define READ_TRIES	16

static struct futex_bucket buckets[BUCKETS] = {
	[0 ... BUCKETS - 1] = { .mu = MUTEX_INIT(RANK_futex) },
};

/* A list head points at itself, which no initialiser of 256 can say: made at first use, under the lock. */
static struct list *
waiters_of(struct futex_bucket *b)
{
	if (b->waiters.next == NULL)
		list_init(&b->waiters);
	return &b->waiters;
}

void
futex_bucket_lock(struct futex_bucket *b)
{
	mutex_lock(&b->mu);
	(void)waiters_of(b);
}

struct futex_bucket *
futex_bucket_of(const struct futex_key *k)
{
	uint64_t h = ((uint64_t)(uintptr_t)k->mm >> 4) + k->obj + (k->off >> 2) * 0x9e3779b97f4a7c15ULL;

	return &buckets[(h ^ h >> 29) * 0xbf58476d1ce4e5b9ULL >> 56];
}

void
futex_each_bucket(void (*fn)(struct futex_bucket *b, void *arg), void *arg)
{
	for (unsigned i = 0; i < BUCKETS; i++)
		fn(&buckets[i], arg);
}

/* ---- waiters ------------------------------------------------------------------- */

void
futex_waiter_init(struct futex_waiter *w, struct task *t, const struct futex_key *k, uint32_t bitset)
{
	*w = (struct futex_waiter){ .task = t, .key = *k, .bitset = bitset };
	list_init(&w->link);
}

void
futex_enqueue(struct futex_bucket *b, struct futex_waiter *w)
{
	atomic_store(&w->bucket, b);
	list_push_back(&b->waiters, &w->link);
}

/* The address space of the word that w was moved to, where it is not its own: counted then. */
static struct mm *
foreign_mm(const struct futex_waiter *w)
{
	return w->key.mm != w->task->mm ? w->key.mm : NULL;
}

/* Moves w to another word; its bucket is locked. */
static void
set_key(struct futex_waiter *w, const struct futex_key *k)
{
	struct mm *old = foreign_mm(w);

	w->key = *k;
	(void)mm_get(foreign_mm(w));
	mm_put(old);		/* never the last: who moves a waiter from a private word runs there */
}

/* Locks the bucket that w is, or last was, in. */
static struct futex_bucket *
lock_bucket_of(struct futex_waiter *w)
{
	for (;;) {
		struct futex_bucket *b = atomic_load(&w->bucket);

		mutex_lock(&b->mu);
		if (b == atomic_load(&w->bucket))
			return b;
		mutex_unlock(&b->mu);
	}
}

bool
futex_is_queued(struct futex_waiter *w)
{
	struct futex_bucket *b = lock_bucket_of(w);
	bool queued = !list_empty(&w->link);

	mutex_unlock(&b->mu);
	return queued;
}

bool
futex_dequeue(struct futex_waiter *w)
{
	struct futex_bucket *b;
	bool queued;

	if (atomic_load(&w->bucket) == NULL)
		return false;
	b = lock_bucket_of(w);
	queued = !list_empty(&w->link);
	list_remove(&w->link);
	mutex_unlock(&b->mu);
	mm_put(foreign_mm(w));
	return queued;
}

void
futex_batch_add(struct futex_batch *wb, struct futex_waiter *w)
{
	list_remove(&w->link);
	if (wb->n < FUTEX_BATCH)
		wb->tasks[wb->n++] = task_get(w->task);
	else
		task_wake(w->task);
}

void
futex_batch_wake(struct futex_batch *wb)
{
	for (unsigned i = 0; i < wb->n; i++) {
		task_wake(wb->tasks[i]);
		task_put(wb->tasks[i]);
	}
	wb->n = 0;
}

/* Takes up to n waiters of k out of b; PI waiters are none of this: -EINVAL. */
static int64_t
take(struct futex_bucket *b, const struct futex_key *k, int n, uint32_t bitset, struct futex_batch *wb)
{
	struct futex_waiter *w, *next;
	int64_t woken = 0;

	list_for_each_safe(w, next, &b->waiters, link) {
		if (!futex_key_equal(&w->key, k))
			continue;
		if (w->is_pi)
			return -EINVAL;
		if (!(w->bitset & bitset))
			continue;
		futex_batch_add(wb, w);
		if (++woken >= n)
			break;
	}
	return woken;
}

/* ---- the word ------------------------------------------------------------------- */

int
futex_key_of(struct task *t, gaddr_t at, bool private, struct futex_key *k)
{
	if (gaddr_raw(at) & 3)
		return -EINVAL;
	return futex_key_get(t, at, private, k);
}

static void
pair_lock(struct futex_bucket *b, struct futex_bucket *b2)
{
	mutex_lock_pair(&b->mu, &b2->mu);
	(void)waiters_of(b);
	(void)waiters_of(b2);
}

/*
 * Locks b (and b2, when given and another), and reads the word at `at` under the lock.
 */
static int
lock_and_read(struct task *t, struct futex_bucket *b, struct futex_bucket *b2, gaddr_t at, uint32_t *val)
{
	bool mm_first = false;

	for (int i = 0; i < READ_TRIES; i++) {
		int err;

		/* Others may map and unmap all the time: then the mm's lock is waited for, and comes first. */
		if (mm_first)
			mutex_lock(&t->mm->mu);
		pair_lock(b, b2);
		err = user_read32(t, at, val, mm_first);
		if (mm_first)
			mutex_unlock(&t->mm->mu);
		if (err == 0)
			return 0;
		mutex_unlock_pair(&b->mu, &b2->mu);
		mm_first = err == -EBUSY;
		if (mm_first)
			continue;
		if (err != -EAGAIN)
			return err;
		/* Not resident: brought in without the lock, then tried again. */
		err = copy_in(t, val, at, sizeof *val);
		if (err)
			return err;
	}
	return -EFAULT;
}

/* ---- wait and wake --------------------------------------------------------------- */

int64_t
futex_wait(struct task *t, gaddr_t at, bool private, uint32_t val, uint32_t bitset, uint64_t deadline_ns)
{
	struct futex_waiter w;
	struct futex_bucket *b;
	struct futex_key k;
	uint32_t seen;
	int err;

	if (bitset == 0)
		return -EINVAL;
	err = futex_key_of(t, at, private, &k);
	if (err)
		return err;
	b = futex_bucket_of(&k);
	futex_waiter_init(&w, t, &k, bitset);
	err = lock_and_read(t, b, b, at, &seen);
	if (err)
		return err;
	if (seen != val) {
		mutex_unlock(&b->mu);
		return -EAGAIN;
	}
	futex_enqueue(b, &w);
	mutex_unlock(&b->mu);
	t->wait_reason = "futex";
	do {
		err = task_sleep(t, deadline_ns);
	} while (err == 0 && futex_is_queued(&w));
	t->wait_reason = NULL;
	/* A wake-up that was given to us counts, whatever else happened. */
	if (!futex_dequeue(&w))
		return 0;
	return err;
}

int64_t
futex_wake_bits(struct task *t, gaddr_t at, bool private, int n, uint32_t bitset)
{
	struct futex_batch wb = { .n = 0 };
	struct futex_bucket *b;
	struct futex_key k;
	int64_t woken;
	int err;

	if (bitset == 0)
		return -EINVAL;
	err = futex_key_of(t, at, private, &k);
	if (err)
		return err;
	b = futex_bucket_of(&k);
	futex_bucket_lock(b);
	woken = take(b, &k, n, bitset, &wb);
	mutex_unlock(&b->mu);
	futex_batch_wake(&wb);
	return woken;
}

int
futex_wake(struct task *t, gaddr_t at, int n)
{
	int64_t woken = futex_wake_bits(t, at, false, n, ~0U), more;
	struct futex_key a, b;

	/* The word may be waited for as private memory, under another key. */
	if (woken < 0 || woken >= n || futex_key_of(t, at, false, &a) != 0 ||
	    futex_key_of(t, at, true, &b) != 0 || futex_key_equal(&a, &b))
		return (int)woken;
	more = futex_wake_bits(t, at, true, n - (int)woken, ~0U);
	return (int)(woken + (more > 0 ? more : 0));
}

int64_t
futex_requeue(struct task *t, gaddr_t at, gaddr_t to, bool private, int wake, int move,
    const uint32_t *cmp)
{
	struct futex_batch wb = { .n = 0 };
	struct futex_waiter *w, *next;
	struct futex_bucket *b1, *b2;
	struct futex_key k1, k2;
	int64_t woken = 0, moved = 0;
	uint32_t seen;
	int err;

	if (wake < 0 || move < 0)
		return -EINVAL;
	err = futex_key_of(t, at, private, &k1);
	if (!err)
		err = futex_key_of(t, to, private, &k2);
	if (err)
		return err;
	b1 = futex_bucket_of(&k1);
	b2 = futex_bucket_of(&k2);
	if (cmp) {
		err = lock_and_read(t, b1, b2, at, &seen);
		if (err)
			return err;
		if (seen != *cmp) {
			mutex_unlock_pair(&b1->mu, &b2->mu);
			return -EAGAIN;
		}
	} else {
		pair_lock(b1, b2);
	}
	list_for_each_safe(w, next, &b1->waiters, link) {
		if (woken >= wake && moved >= move)
			break;
		/* Those moved within one bucket are met again under their new key. */
		if (!futex_key_equal(&w->key, &k1) || w->is_pi)
			continue;
		if (woken < wake) {
			futex_batch_add(&wb, w);
			woken++;
			continue;
		}
		moved++;
		set_key(w, &k2);
		if (b1 != b2) {
			list_remove(&w->link);
			futex_enqueue(b2, w);
		}
	}
	mutex_unlock_pair(&b1->mu, &b2->mu);
	futex_batch_wake(&wb);
	return woken + moved;
}

/* ---- WAKE_OP ---------------------------------------------------------------------- */

static int
op_apply(uint32_t op, uint32_t old, uint32_t *new)
{
	uint32_t code = op >> 28 & 7;
	uint32_t arg = (uint32_t)((int32_t)(op << 8) >> 20);	/* 12 bits, signed */

	if (op & 0x80000000U)
		arg = 1U << (arg & 31);
	switch (code) {
	case 0: *new = arg; return 0;
	case 1: *new = old + arg; return 0;
	case 2: *new = old | arg; return 0;
	case 3: *new = old & ~arg; return 0;
	case 4: *new = old ^ arg; return 0;
	}
	return -ENOSYS;
}

static int
op_compare(uint32_t op, uint32_t old, bool *yes)
{
	int32_t arg = (int32_t)(op << 20) >> 20, val = (int32_t)old;

	switch (op >> 24 & 15) {
	case 0: *yes = val == arg; return 0;
	case 1: *yes = val != arg; return 0;
	case 2: *yes = val < arg; return 0;
	case 3: *yes = val <= arg; return 0;
	case 4: *yes = val > arg; return 0;
	case 5: *yes = val >= arg; return 0;
	}
	return -ENOSYS;
}

/* Changes the word at `at` by op; *old is what it was. */
static int
op_word(struct task *t, gaddr_t at, uint32_t op, uint32_t *old)
{
	uint32_t val, new, seen;
	int err = copy_in(t, &val, at, sizeof val);

	while (!err) {
		err = op_apply(op, val, &new);
		if (!err)
			err = user_cas32(t, at, val, new, &seen);
		if (!err && seen == val)
			break;
		val = seen;
		/* The word may change for ever. */
		if (!err && atomic_load(&t->attention) != 0 && task_must_exit(t))
			return -EINTR;
	}
	*old = val;
	return err;
}

int64_t
futex_wake_op(struct task *t, gaddr_t at, gaddr_t at2, bool private, int n, int n2, uint32_t op)
{
	struct futex_key k1, k2;
	int64_t woken, more;
	uint32_t old;
	bool yes = false;
	int err = futex_key_of(t, at, private, &k1);

	if (!err)
		err = futex_key_of(t, at2, private, &k2);
	if (!err)
		err = op_compare(op, 0, &yes);
	if (!err)
		err = op_word(t, at2, op, &old);
	if (!err)
		err = op_compare(op, old, &yes);
	if (err)
		return err;
	woken = futex_wake_bits(t, at, private, n, ~0U);
	if (woken < 0 || !yes)
		return woken;
	more = futex_wake_bits(t, at2, private, n2, ~0U);
	return more < 0 ? more : woken + more;
}

/* ---- futex_waitv -------------------------------------------------------------------- */

/* Queues the i-th; 0, -EAGAIN when the word differs already. */
static int
waitv_queue(struct task *t, const struct futex_waitv_item *it, struct futex_waiter *w)
{
	struct futex_bucket *b;
	struct futex_key k;
	uint32_t seen;
	int err = futex_key_of(t, it->at, it->private, &k);

	if (err)
		return err;
	b = futex_bucket_of(&k);
	futex_waiter_init(w, t, &k, ~0U);
	err = lock_and_read(t, b, b, it->at, &seen);
	if (err)
		return err;
	if (seen == it->val)
		futex_enqueue(b, w);
	else
		err = -EAGAIN;
	mutex_unlock(&b->mu);
	return err;
}

/* The highest index that was woken, or -1. */
static int64_t
waitv_woken(struct futex_waiter *w, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		if (!futex_is_queued(&w[i]))
			return (int64_t)i;
	}
	return -1;
}

int64_t
futex_waitv(struct task *t, const struct futex_waitv_item *items, unsigned n, uint64_t deadline_ns)
{
	AUTO_FREE struct futex_waiter *w = mem_alloc(n * sizeof *w);
	int64_t woken = -1;
	unsigned queued;
	int err = 0;

	if (w == NULL)
		return -ENOMEM;
	for (queued = 0; queued < n; queued++) {
		err = waitv_queue(t, &items[queued], &w[queued]);
		if (err)
			break;
	}
	while (!err) {
		woken = waitv_woken(w, n);
		if (woken >= 0)
			break;
		t->wait_reason = "futex";
		err = task_sleep(t, deadline_ns);
	}
	t->wait_reason = NULL;
	for (unsigned i = 0; i < queued; i++) {
		if (!futex_dequeue(&w[i]))
			woken = (int64_t)i;
	}
	return woken >= 0 ? woken : err;
}
