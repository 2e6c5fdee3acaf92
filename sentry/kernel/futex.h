/* futex: waiting on words of guest memory.  futex(2). */
#ifndef SENTRY_KERNEL_FUTEX_H
#define SENTRY_KERNEL_FUTEX_H

#include "abi/gaddr.h"
#include "base/base.h"

struct task;

/* Wakes up to n waiters of the word at `at`, shared or private: their number, or -errno. No lock held. */
int futex_wake(struct task *t, gaddr_t at, int n);
#define futex_wake_at(t, at, n)	futex_wake((t), (at), (n))

/* The bodies of the operations; deadline_ns is CLOCK_MONOTONIC, NO_DEADLINE for none. */
int64_t futex_wait(struct task *t, gaddr_t at, bool private, uint32_t val, uint32_t bitset,
    uint64_t deadline_ns) MUST_CHECK;
int64_t futex_wake_bits(struct task *t, gaddr_t at, bool private, int n, uint32_t bitset) MUST_CHECK;
/* cmp: only when the word holds *cmp (NULL: always). Counts the woken and the moved. */
int64_t futex_requeue(struct task *t, gaddr_t at, gaddr_t to, bool private, int wake, int move,
    const uint32_t *cmp) MUST_CHECK;
int64_t futex_wake_op(struct task *t, gaddr_t at, gaddr_t at2, bool private, int n, int n2,
    uint32_t op) MUST_CHECK;
int64_t futex_lock_pi(struct task *t, gaddr_t at, bool private, bool try, uint64_t deadline_ns) MUST_CHECK;
int64_t futex_unlock_pi(struct task *t, gaddr_t at, bool private) MUST_CHECK;

#define FUTEX_WAITV_LIMIT	128
struct futex_waitv_item { gaddr_t at; uint32_t val; bool private; };
/* The index of the one that was woken. */
int64_t futex_waitv(struct task *t, const struct futex_waitv_item *items, unsigned n,
    uint64_t deadline_ns) MUST_CHECK;

/* futex_exit, futex_exec: robust list and PI locks of a thread that dies or executes; declared in task.h. */

#endif
