/*
 * lock: mutexes and reader-writer locks that know their rank (lockrank.def).
 *
 * Debug builds (everything but MODE=release) keep the ranks each thread holds
 * and BUG_ON one taken out of order.  Two locks of one rank go through
 * mutex_lock_pair, which orders them by address.  Built on pthread mutexes so
 * that ThreadSanitizer sees them; nothing else may use pthread directly.
 */
#ifndef BASE_LOCK_H
#define BASE_LOCK_H

#include <pthread.h>

#include "base/base.h"

enum lockrank {
#define LOCKRANK(name, what)	RANK_##name,
#include "base/lockrank.def"
#undef LOCKRANK
	RANK_COUNT
};

struct CAPABILITY mutex {
	pthread_mutex_t	m;
	_Atomic uint64_t owner;		/* debug: thread that holds it, else 0 */
	uint32_t	rank;		/* [I] */
};

struct CAPABILITY rwlock {
	pthread_rwlock_t l;
	_Atomic uint64_t owner;		/* debug: the writer */
	uint32_t	rank;		/* [I] */
};

#define MUTEX_INIT(r)	{ .m = PTHREAD_MUTEX_INITIALIZER, .rank = (r) }

#define RWLOCK_INIT(r)	{ .l = PTHREAD_RWLOCK_INITIALIZER, .rank = (r) }

void mutex_init(struct mutex *m, enum lockrank rank);
void mutex_fini(struct mutex *m);
void mutex_lock(struct mutex *m) ACQUIRE(*m);
bool mutex_trylock(struct mutex *m);		/* true when taken */
void mutex_unlock(struct mutex *m) RELEASE(*m);
void mutex_assert_held(struct mutex *m);
/* Two of one rank, in address order; a and b may be the same. */
void mutex_lock_pair(struct mutex *a, struct mutex *b);
/* A second one of a rank already held, when something else (a graph without cycles) gives the order. */
void mutex_lock_nested(struct mutex *m);
void mutex_unlock_pair(struct mutex *a, struct mutex *b);

void rwlock_init(struct rwlock *l, enum lockrank rank);
void rwlock_fini(struct rwlock *l);
void rwlock_rdlock(struct rwlock *l);
void rwlock_rdunlock(struct rwlock *l);
void rwlock_wrlock(struct rwlock *l);
void rwlock_wrunlock(struct rwlock *l);

/* BUG_ON when this thread holds any rank: leaving a call, or about to sleep. */
void lock_assert_none(void);
/* A copy of the ranks this thread holds, as text for reports ("mm, object"). */
void lock_held_names(char *buf, size_t size);

#endif
