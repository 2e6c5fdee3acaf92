/*
 * lock: ranked mutexes; see lock.h.
 *
 * Debug builds keep, per thread, how many locks of each rank are held; taking one
 * whose rank is not below all of them is a BUG.  Release builds keep nothing.
 */
#include "base/lock.h"

#include "base/strbuf.h"

static const char *const rank_names[RANK_COUNT] = {
#define LOCKRANK(name, what)	[RANK_##name] = #name,
#include "base/lockrank.def"
#undef LOCKRANK
};

#ifndef NDEBUG
#define LOCK_CHECK 1
static _Thread_local uint8_t held[RANK_COUNT];
static _Thread_local uint32_t held_total;
static _Atomic uint64_t next_thread = 1;
static _Thread_local uint64_t self_id;

static uint64_t
self(void)
{
	if (self_id == 0)
		self_id = atomic_fetch_add_explicit(&next_thread, 1, memory_order_relaxed);
	return self_id;
}

static void NORETURN
rank_violation(uint32_t taking, uint32_t holding)
{
	char what[96];
	struct strbuf sb = STRBUF(what, sizeof what);

	sb_printf(&sb, "lock rank %s taken while holding %s", rank_names[taking], rank_names[holding]);
	bug(__FILE__, __LINE__, what);
}

static void
note_taken(uint32_t rank, bool pair)
{
	uint32_t r;

	if (held_total != 0) {
		for (r = rank + (pair ? 1 : 0); r < RANK_COUNT; r++) {
			if (held[r] != 0)
				rank_violation(rank, r);
		}
	}
	held[rank]++;
	held_total++;
}

static void
note_dropped(uint32_t rank)
{
	BUG_ON(held[rank] == 0);
	held[rank]--;
	held_total--;
}
#else
#define LOCK_CHECK 0
#endif

void
mutex_init(struct mutex *m, enum lockrank rank)
{
	pthread_mutex_init(&m->m, NULL);
	atomic_init(&m->owner, 0);
	m->rank = rank;
}

void
mutex_fini(struct mutex *m)
{
	pthread_mutex_destroy(&m->m);
}

static void
lock_one(struct mutex *m, bool pair)
{
#if LOCK_CHECK
	BUG_ON(atomic_load_explicit(&m->owner, memory_order_relaxed) == self());
	note_taken(m->rank, pair);
#else
	(void)pair;
#endif
	pthread_mutex_lock(&m->m);
#if LOCK_CHECK
	atomic_store_explicit(&m->owner, self(), memory_order_relaxed);
#endif
}

void NO_LOCK_CHECK
mutex_lock(struct mutex *m)
{
	lock_one(m, false);
}

void NO_LOCK_CHECK
mutex_lock_nested(struct mutex *m)
{
	lock_one(m, true);
}

bool
mutex_trylock(struct mutex *m)
{
	if (pthread_mutex_trylock(&m->m) != 0)
		return false;
#if LOCK_CHECK
	/* A try cannot deadlock, so any order is fine. */
	held[m->rank]++;
	held_total++;
	atomic_store_explicit(&m->owner, self(), memory_order_relaxed);
#endif
	return true;
}

void NO_LOCK_CHECK
mutex_unlock(struct mutex *m)
{
#if LOCK_CHECK
	BUG_ON(atomic_load_explicit(&m->owner, memory_order_relaxed) != self());
	atomic_store_explicit(&m->owner, 0, memory_order_relaxed);
	note_dropped(m->rank);
#endif
	pthread_mutex_unlock(&m->m);
}

void
mutex_assert_held(struct mutex *m)
{
#if LOCK_CHECK
	BUG_ON(atomic_load_explicit(&m->owner, memory_order_relaxed) != self());
#else
	(void)m;
#endif
}

void
mutex_lock_pair(struct mutex *a, struct mutex *b)
{
	if (a == b) {
		lock_one(a, false);
		return;
	}
	if ((uintptr_t)a > (uintptr_t)b) {
		struct mutex *swap = a;

		a = b;
		b = swap;
	}
	lock_one(a, false);
	lock_one(b, true);
}

void
mutex_unlock_pair(struct mutex *a, struct mutex *b)
{
	mutex_unlock(a);
	if (a != b)
		mutex_unlock(b);
}

void
rwlock_init(struct rwlock *l, enum lockrank rank)
{
	pthread_rwlock_init(&l->l, NULL);
	atomic_init(&l->owner, 0);
	l->rank = rank;
}

void
rwlock_fini(struct rwlock *l)
{
	pthread_rwlock_destroy(&l->l);
}

void
rwlock_rdlock(struct rwlock *l)
{
#if LOCK_CHECK
	note_taken(l->rank, false);
#endif
	pthread_rwlock_rdlock(&l->l);
}

static void
rwlock_drop(struct rwlock *l)
{
#if LOCK_CHECK
	note_dropped(l->rank);
#endif
	pthread_rwlock_unlock(&l->l);
}

void
rwlock_rdunlock(struct rwlock *l)
{
	rwlock_drop(l);
}

void
rwlock_wrlock(struct rwlock *l)
{
#if LOCK_CHECK
	note_taken(l->rank, false);
#endif
	pthread_rwlock_wrlock(&l->l);
#if LOCK_CHECK
	atomic_store_explicit(&l->owner, self(), memory_order_relaxed);
#endif
}

void
rwlock_wrunlock(struct rwlock *l)
{
#if LOCK_CHECK
	BUG_ON(atomic_load_explicit(&l->owner, memory_order_relaxed) != self());
	atomic_store_explicit(&l->owner, 0, memory_order_relaxed);
#endif
	rwlock_drop(l);
}

void
lock_assert_none(void)
{
#if LOCK_CHECK
	BUG_ON(held_total != 0);
#endif
}

void
lock_held_names(char *buf, size_t size)
{
	struct strbuf sb = STRBUF(buf, size);

	sb_puts(&sb, "");
#if LOCK_CHECK
	for (uint32_t r = 0; r < RANK_COUNT; r++) {
		if (held[r] != 0)
			sb_printf(&sb, "%s%s", sb.len ? ", " : "", rank_names[r]);
	}
#else
	(void)rank_names;
#endif
}
