/*
 * sanitize: what MODE=asan and MODE=tsan need of us; nothing in other modes.
 *
 * The sanitizers' runtimes expect a process that may open files and whose end they see.  Ours is
 * locked into an empty root and ends by exit_group, so reports go to a descriptor that is opened
 * first thing (the file named by VILLAGE_SANITIZER_LOG, else a copy of stderr), symbols are read before the
 * root is emptied, and host_exit() turns an end with reports into status SANITIZE_STATUS.
 */
#ifndef BASE_SANITIZE_H
#define BASE_SANITIZE_H

#include "base/base.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZE	1
#define NO_SANITIZE	__attribute__((no_sanitize("address", "thread", "undefined"), noinline))
#else
#define SANITIZE	0
#define NO_SANITIZE
#endif

#define SANITIZE_STATUS	99
#define SANITIZE_FD	1000	/* for reports, and the next one; both stay open in the sentry and the gofer */

#if SANITIZE
/* Before the root is emptied: reads what later reports need. */
void sanitize_before_lockdown(void);
/* In a process made without exec by a raw system call; fork() does it by itself. */
void sanitize_new_process(void);
/* The status to end with: SANITIZE_STATUS once something was reported. */
int sanitize_status(int status);
#else
static inline void
sanitize_before_lockdown(void)
{
}

static inline void
sanitize_new_process(void)
{
}

static inline int
sanitize_status(int status)
{
	return status;
}
#endif

#endif
