/*
 * fault: debug builds make the n-th allocation or host call fail, so that every error
 * path is walked by counting and not by imagination.
 *
 * VILLAGE_FAULT=alloc:N or host:N in the environment of the sandbox's start (dev and
 * sanitizer builds only) fails the N-th one after boot.
 */
#ifndef BASE_FAULT_H
#define BASE_FAULT_H

#include "base/base.h"

enum fault_site { FAULT_ALLOC, FAULT_HOST, FAULT_SITES };

#ifndef NDEBUG
/* Arms from text such as "alloc:12"; -EINVAL. NULL disarms. */
int fault_arm(const char *text) MUST_CHECK;
/* True once, at the armed count. */
bool fault_here(enum fault_site site);
uint64_t fault_count(enum fault_site site);	/* how many were passed since arming */
#else
static inline bool fault_here(enum fault_site site) { (void)site; return false; }
#endif

#endif
