/* clock: what time it is, on every clock of clock_gettime(2). */
#ifndef SENTRY_KERNEL_CLOCK_H
#define SENTRY_KERNEL_CLOCK_H

#include "base/base.h"

struct task;

uint64_t clock_mono_ns(void);
uint64_t clock_real_ns(void);
/* What IPC objects and time(2) get, and files by inode_now: wall time as of the last tick, so that none is ahead of another. */
uint64_t clock_stamp_ns(void);
int32_t clock_tai_offset(void);			/* seconds that CLOCK_TAI is ahead of CLOCK_REALTIME */
/* -EINVAL for a clock there is not (or a process that is not). */
int clock_read(struct task *t, int32_t clock, uint64_t *ns) MUST_CHECK;
int clock_resolution(struct task *t, int32_t clock, uint64_t *ns) MUST_CHECK;
bool clock_is_cpu(int32_t clock);
/*
 * An absolute time on a wall or monotonic clock as a CLOCK_MONOTONIC deadline.  -EINVAL for other clocks.
 * The host's own steps of the wall clock in between are not followed.
 */
int clock_deadline(int32_t clock, uint64_t abs_ns, uint64_t *deadline_ns) MUST_CHECK;

#endif
