/* user: what each user has of things that have no other bound. */
#ifndef SENTRY_KERNEL_USER_H
#define SENTRY_KERNEL_USER_H

#include "base/ref.h"
#include "base/tree.h"

struct user {
	struct ref	 ref;
	struct tree_node node;
	uint32_t	 uid;		/* [I] */
	bool		 removed;	/* from the tree, by who came for the next; see user.c */
	_Atomic uint32_t inotifies, watches;	/* [a] inotify instances, and watches in all of them */
	_Atomic uint32_t pipe_pages;	/* [a] room in pipes that were made by it */
	_Atomic uint32_t in_flight;	/* [a] files in messages that nobody has received */
};

/* The record of a user, counted; it lives as long as somebody holds it. NULL: out of memory. */
struct user *user_get_uid(uint32_t uid);

/* Takes one of at most limit; false when there is none left. */
static inline bool
user_charge(_Atomic uint32_t *count, uint32_t limit)
{
	uint32_t n = atomic_load_explicit(count, memory_order_relaxed);

	do {
		if (n >= limit)
			return false;
	} while (!atomic_compare_exchange_weak(count, &n, n + 1));
	return true;
}

static inline void
user_uncharge(_Atomic uint32_t *count)
{
	atomic_fetch_sub(count, 1);
}

#endif
