/*
 * futex_pi: locks whose word names the owner: FUTEX_LOCK_PI and kin, and robust lists.  futex(2),
 * get_robust_list(2).
 *
 * Priorities are the host's business, so nothing is inherited; what counts is the protocol of the word:
 * the owner's tid, FUTEX_WAITERS while somebody sleeps, FUTEX_OWNER_DIED.  A waiter queues first and
 * then makes sure that WAITERS is set for the owner it waits for; an unlock takes the oldest waiter out of the queue,
 * writes that thread's tid into the word and tells it (`handed`).  The word is changed by
 * compare-and-swap only, and never with a bucket locked.
 *
 * Guests may change the word all the time, and what a stub says of it may be a lie: whoever tries gives up after
 * CAS_TRIES, and starts over where it may be killed.  A waiter and the unlock that has chosen it lie on two stacks: the
 * first to be through takes itself out of the other's sight, under the bucket's lock.
 */
#include "abi/errno.h"
#include "sentry/kernel/clock.h"
#include "sentry/kernel/futex.h"
#include "sentry/kernel/futexq.h"
#include "sentry/kernel/task.h"
#include "sentry/mm/usercopy.h"

#define TID_MASK	0x3fffffffU
#define OWNER_DIED	0x40000000U
#define WAITERS		0x80000000U
#define ROBUST_LIMIT	2048
#define ROBUST_NS	(5 * NSEC_PER_SEC)	/* for all of a list: a stub may take its time for each */
#define CAS_TRIES	16

enum { HAND_NONE, HAND_DONE, HAND_AGAIN };

struct futex_hand {
	struct futex_waiter *w;		/* [bucket] the chosen one, unless it was killed */
};

/* PI waiters anywhere: an exiting thread has nothing to look for while there are none. */
static _Atomic uint32_t pi_waiters;

/* ---- the word ------------------------------------------------------------------------ */

/*
 * The word at `at`, which has to name from (0: nobody), becomes val and those of its own bits that are in keep.
 * *was: what it held, when that went well.  -EPERM: it names another; -EAGAIN: it has changed too often.
 */
static int
word_set(struct task *t, gaddr_t at, uint32_t from, uint32_t val, uint32_t keep, uint32_t *was)
{
	uint32_t seen;
	int err = copy_in(t, was, at, sizeof *was);

	for (unsigned i = 0; !err && i < CAS_TRIES; i++) {
		if ((*was & TID_MASK) != from)
			return -EPERM;
		err = user_cas32(t, at, *was, val | (*was & keep), &seen);
		if (!err && seen == *was)
			return 0;
		*was = seen;
	}
	return err ? err : -EAGAIN;
}

/* -EAGAIN when it holds another value. */
static int
word_check(struct task *t, gaddr_t at, uint32_t val)
{
	uint32_t seen;
	int err = copy_in(t, &seen, at, sizeof seen);

	return err ? err : seen == val ? 0 : -EAGAIN;
}

/* Takes the lock if it is free: 0, -EBUSY with *seen the word that names its owner, or another error. */
static int
try_take(struct task *t, gaddr_t at, uint32_t *seen)
{
	uint32_t tid = (uint32_t)t->tid;
	int err = copy_in(t, seen, at, sizeof *seen);

	if (err)
		return err;
	if (*seen & TID_MASK)
		return (*seen & TID_MASK) == tid ? -EDEADLK : -EBUSY;
	/* The mark of a dead owner stays, for the new one to see. */
	err = word_set(t, at, 0, tid, OWNER_DIED | WAITERS, seen);
	return err == -EPERM ? -EAGAIN : err;
}

/* Marks that somebody sleeps: 0 when the word names the same owner with WAITERS set; -EAGAIN when it changed. */
static int
mark_waiters(struct task *t, gaddr_t at, uint32_t val)
{
	uint32_t seen;
	int err;

	if (val & WAITERS)
		return word_check(t, at, val);
	err = user_cas32(t, at, val, val | WAITERS, &seen);
	return err ? err : seen == val ? 0 : -EAGAIN;
}

/* ---- lock ---------------------------------------------------------------------------- */

/* An unlock has chosen us and is about to write our tid: no signal may come between but one that kills. */
static int64_t
await_hand(struct futex_waiter *w)
{
	struct futex_bucket *b = atomic_load(&w->bucket);
	uint32_t handed;

	while ((handed = atomic_load(&w->handed)) == HAND_NONE) {
		if (task_sleep_killable(w->task, NO_DEADLINE) == 0)
			continue;
		futex_bucket_lock(b);
		if (w->hand != NULL) {
			w->hand->w = NULL;
			w->hand = NULL;
			mutex_unlock(&b->mu);
			return -EINTR;
		}
		mutex_unlock(&b->mu);
	}
	return handed == HAND_DONE ? 0 : -EAGAIN;
}

/*
 * The owner we slept for has died, or executed another program, without a word: the lock is ours, marked.  -EAGAIN when
 * another waiter was first, or a robust list has had its say.
 */
static int
inherit(struct task *t, gaddr_t at, uint32_t dead)
{
	uint32_t was;
	/* Others may sleep too; WAITERS without any is harmless. */
	int err = word_set(t, at, dead, (uint32_t)t->tid | OWNER_DIED | WAITERS, 0, &was);

	return err == -EPERM ? -EAGAIN : err;
}

/* One round of queueing and sleeping for owner val: 0 owned, -EAGAIN try afresh, or an error. */
static int64_t
wait_for_owner(struct task *t, gaddr_t at, const struct futex_key *k, uint32_t val, uint64_t deadline_ns)
{
	AUTO_PUT(task) owner = task_find_get((int32_t)(val & TID_MASK));
	struct futex_bucket *b = futex_bucket_of(k);
	struct futex_waiter w;
	bool chosen;
	int err;

	futex_waiter_init(&w, t, k, ~0U);
	w.is_pi = true;
	w.owner = owner;
	w.owner_tid = val & TID_MASK;
	atomic_fetch_add(&pi_waiters, 1);
	futex_bucket_lock(b);
	futex_enqueue(b, &w);
	mutex_unlock(&b->mu);
	err = mark_waiters(t, at, val);
	/* Its end comes after this look and finds us, or has come before. */
	if (!err && (owner == NULL || atomic_load(&owner->futex_gone))) {
		err = word_check(t, at, val | WAITERS);
		err = err ? err : -ESRCH;
	}
	t->wait_reason = "futex";
	while (!err && futex_is_queued(&w) && !atomic_load(&w.look))
		err = task_sleep(t, deadline_ns);
	t->wait_reason = NULL;
	chosen = !futex_dequeue(&w);
	atomic_fetch_sub(&pi_waiters, 1);
	if (chosen)
		return await_hand(&w);
	/* From here on nobody can choose us. */
	if (!err)
		err = w.owner == NULL ? inherit(t, at, w.owner_tid) : -EAGAIN;
	return err;
}

/* No signal but one that kills is looked at between two tries, as on Linux. */
static bool
must_stop(struct task *t)
{
	return atomic_load(&t->attention) != 0 && task_must_exit(t);
}

int64_t
futex_lock_pi(struct task *t, gaddr_t at, bool private, bool try, uint64_t deadline_ns)
{
	struct futex_key k;
	uint32_t val;
	int64_t err = futex_key_of(t, at, private, &k);

	if (err)
		return err;
	do {
		err = try_take(t, at, &val);
		if (err == -EBUSY && try)
			return -EAGAIN;
		if (err == -EBUSY)
			err = wait_for_owner(t, at, &k, val, deadline_ns);
		if (err == -ERESTARTSYS)
			return -ERESTARTNOINTR;
		if (err != -EAGAIN)
			return err;
	} while (!must_stop(t));
	return -EINTR;
}

/* ---- unlock -------------------------------------------------------------------------- */

/* The PI waiters of k have another look at the word. b locked. */
static void
look_all(struct futex_bucket *b, const struct futex_key *k)
{
	struct futex_waiter *w;

	list_for_each(w, &b->waiters, link) {
		if (!w->is_pi || !futex_key_equal(&w->key, k))
			continue;
		atomic_store(&w->look, true);
		task_wake(w->task);
	}
}

/* Takes the oldest PI waiter of k out, for h: its task, counted, or NULL. */
static struct task *
choose(struct futex_bucket *b, const struct futex_key *k, struct futex_hand *h)
{
	struct task *to = NULL;
	struct futex_waiter *w;

	futex_bucket_lock(b);
	list_for_each(w, &b->waiters, link) {
		if (!w->is_pi || !futex_key_equal(&w->key, k))
			continue;
		list_remove(&w->link);
		w->hand = h;
		h->w = w;
		to = task_get(w->task);
		break;
	}
	mutex_unlock(&b->mu);
	return to;
}

/* The word names `to` now, as tid: so it does for those who wait behind it. b locked. */
static void
new_owner(struct futex_bucket *b, const struct futex_key *k, struct task *to, uint32_t tid)
{
	struct futex_waiter *w;

	list_for_each(w, &b->waiters, link) {
		if (w->is_pi && futex_key_equal(&w->key, k)) {
			w->owner = to;
			w->owner_tid = tid;
		}
	}
}

/* Tells the chosen one what became of the word; false when it was killed meanwhile, and its tid may stand there. */
static bool
hand_over(struct futex_bucket *b, const struct futex_key *k, struct futex_hand *h, uint32_t tid, int err)
{
	struct futex_waiter *w;

	futex_bucket_lock(b);
	w = h->w;
	if (w != NULL) {
		if (!err)
			new_owner(b, k, w->task, tid);
		w->hand = NULL;
		atomic_store(&w->handed, err ? HAND_AGAIN : HAND_DONE);
	}
	mutex_unlock(&b->mu);
	return w != NULL;
}

static int
unlock_key(struct task *t, gaddr_t at, const struct futex_key *k)
{
	struct futex_bucket *b = futex_bucket_of(k);
	struct futex_hand h = { NULL };
	struct task *to = choose(b, k, &h);
	uint32_t tid = to ? (uint32_t)to->tid : 0, was;
	/* WAITERS even for the last of them: another may be about to queue. */
	int err = word_set(t, at, (uint32_t)t->tid, to ? tid | WAITERS : 0, 0, &was);
	bool lost = err == 0;

	if (to != NULL) {
		lost = !hand_over(b, k, &h, tid, err) && !err;
		task_wake(to);
		task_put(to);
	}
	/* Nobody has it: those who queued meanwhile are not to wait for us, or for the one that was killed. */
	if (lost && tid)
		(void)word_set(t, at, tid, OWNER_DIED | WAITERS, 0, &was);
	if (lost) {
		futex_bucket_lock(b);
		look_all(b, k);
		mutex_unlock(&b->mu);
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
	do {
		err = unlock_key(t, at, &k);
		if (err != -EAGAIN)
			return err;
	} while (!must_stop(t));
	return -EINTR;
}

/* ---- exit and exec ---------------------------------------------------------------------- */

/*
 * The owner of the lock at `at` dies: marks the word, and lets one waiter in.  Those of a PI lock are woken by orphan_bucket.
 */
static int
owner_died(struct task *t, gaddr_t at, bool is_pi, bool pending)
{
	uint32_t val;
	int err;

	if (gaddr_raw(at) & 3)
		return -EINVAL;
	err = copy_in(t, &val, at, sizeof val);
	if (err)
		return err;
	/* It died between unlocking the word and waking: the wake-up is ours to do. */
	if (pending && !is_pi && val == 0) {
		(void)futex_wake(t, at, 1);
		return 0;
	}
	err = word_set(t, at, (uint32_t)t->tid, OWNER_DIED, WAITERS, &val);
	if (err == -EPERM)
		return 0;
	if (!err && !is_pi && (val & WAITERS))
		(void)futex_wake(t, at, 1);
	return err;
}

/* The guest's list may lie about everything: it is bounded, and each word is checked to be ours. */
static void
walk_robust(struct task *t)
{
	struct { uint64_t next; int64_t offset; uint64_t pending; } head;
	uint64_t at = gaddr_raw(t->robust_list), entry, next, pending, end = clock_mono_ns() + ROBUST_NS;

	if (copy_in(t, &head, t->robust_list, sizeof head) != 0)
		return;
	pending = head.pending & ~1ULL;
	entry = head.next;
	for (unsigned i = 0; i < ROBUST_LIMIT && (entry & ~1ULL) != at && clock_mono_ns() < end; i++) {
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

/* Those who wait for `arg` and are still queued are its heirs: the first to be there gets the lock. */
static void
orphan_bucket(struct futex_bucket *b, void *arg)
{
	struct task *owner = arg;
	struct futex_waiter *w;

	futex_bucket_lock(b);
	list_for_each(w, &b->waiters, link) {
		if (!w->is_pi || w->owner != owner)
			continue;
		w->owner = NULL;
		atomic_store(&w->look, true);
		task_wake(w->task);
	}
	mutex_unlock(&b->mu);
}

static void
leave_robust(struct task *t)
{
	if (t->ctx != NULL && !gaddr_is_null(t->robust_list) && t->robust_len == 24)
		walk_robust(t);
	t->robust_list = GADDR_NULL;
}

static void
leave_waiters(struct task *t)
{
	if (atomic_load(&pi_waiters) != 0)
		futex_each_bucket(orphan_bucket, t);
}

void
futex_exec(struct task *t)
{
	leave_robust(t);
	leave_waiters(t);
}

void
futex_exit(struct task *t)
{
	leave_robust(t);
	/* Whoever queues for it after this sees that; whoever has queued before is found. */
	atomic_store(&t->futex_gone, true);
	leave_waiters(t);
}
