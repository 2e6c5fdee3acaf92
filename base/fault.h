/*
 * fault: debug builds make the n-th allocation or host call fail, so that every error
 * path is walked by counting and not by imagination.
 *
 * VILLAGE_FAULT in the environment of the sandbox's start (dev and sanitizer builds only):
 *	alloc:N, host:N		fails the N-th one after boot; alloc:N/P each P-th one after it as well
 *	bug:N, segv:N		the N-th system call of the guest hits a bug in the sentry
 * VILLAGE_FORBIDDEN=NAME makes the sentry try a host call that its filter must not let through.
 */
#ifndef BASE_FAULT_H
#define BASE_FAULT_H

#include "base/base.h"

enum fault_site { FAULT_ALLOC, FAULT_HOST, FAULT_BUG, FAULT_SEGV, FAULT_SITES };

#ifndef NDEBUG
/* Arms from text such as "alloc:12"; -EINVAL. NULL disarms. */
int fault_arm(const char *text) MUST_CHECK;
/* True at the armed counts. */
bool fault_here(enum fault_site site);
/* Dies of the bug that was asked for, or returns. */
void fault_crash(void);
/* Makes the call. NULL: nothing to do. -EINVAL: an unknown name; -EPERM: the call was let through. */
int fault_forbidden(const char *name) MUST_CHECK;
#else
static inline bool fault_here(enum fault_site site) { (void)site; return false; }
static inline void fault_crash(void) { }
#endif

#endif
