/* futexq: what futex.c and futex_pi.c share; others use futex.h. */
#ifndef SENTRY_KERNEL_FUTEXQ_H
#define SENTRY_KERNEL_FUTEXQ_H

#include "sentry/kernel/task.h"
#include "sentry/mm/usercopy.h"

struct futex_bucket {
	struct mutex	 mu;		/* rank futex */
	struct list	 waiters;	/* [m] struct futex_waiter, oldest first; zero before the first lock */
};

struct futex_waiter {
	struct list	 link;		/* [bucket]; linked to itself once taken */
	_Atomic(struct futex_bucket *) bucket;	/* where it is or last was; written under both locks */
	struct task	*task;		/* [I] */
	struct futex_key key;		/* [bucket]; counts its mm when that is not the task's */
	uint32_t	 bitset;	/* [I] */
	bool		 is_pi;		/* [I] */
	/* PI only */
	struct task	*owner;		/* [bucket] whom it waits for; borrowed: its end finds all who do; NULL after that */
	uint32_t	 owner_tid;	/* [bucket] what the word calls that one */
	struct futex_hand *hand;	/* [bucket] the unlock that has chosen it and is about to say so in the word */
	_Atomic bool	 look;		/* the owner or the word has changed: it is to look again */
	_Atomic uint32_t handed;	/* HAND_*, once chosen; the last that the unlock touches */
};

/* Tasks to wake once no bucket is locked. */
#define FUTEX_BATCH	16
struct futex_batch {
	unsigned	 n;
	struct task	*tasks[FUTEX_BATCH];	/* counted */
};

void futex_bucket_lock(struct futex_bucket *b);
struct futex_bucket *futex_bucket_of(const struct futex_key *k);
void futex_each_bucket(void (*fn)(struct futex_bucket *b, void *arg), void *arg);
int futex_key_of(struct task *t, gaddr_t at, bool private, struct futex_key *k) MUST_CHECK;
void futex_waiter_init(struct futex_waiter *w, struct task *t, const struct futex_key *k, uint32_t bitset);
void futex_enqueue(struct futex_bucket *b, struct futex_waiter *w);	/* b locked */
bool futex_is_queued(struct futex_waiter *w);
bool futex_dequeue(struct futex_waiter *w);	/* once, by its own task; false: a waker had taken it */
void futex_batch_add(struct futex_batch *wb, struct futex_waiter *w);	/* its bucket locked; takes it out */
void futex_batch_wake(struct futex_batch *wb);

#endif
