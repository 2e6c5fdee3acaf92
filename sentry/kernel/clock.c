/*
 * clock: clock_gettime(2) on every clock.
 *
 * Wall, monotonic and boot time are the host's, each clock by itself: programs read some of them by
 * the host's vDSO (vdso.c), and what a call answers must not run before or behind that.  CPU time is
 * the sum that the tasks keep.
 */
#include "sentry/kernel/clock.h"

#include <time.h>

#include "abi/errno.h"
#include "base/hostcall.h"
#include "sentry/kernel/task.h"

/* Clocks of other tasks: negative numbers with a pid in them. */
#define CPUCLOCK_TYPE(c)	((c) & 3)
#define CPUCLOCK_FD		3	/* a clock device's descriptor: there are none */
#define CPUCLOCK_THREAD		4
#define CPUCLOCK_PID(c)		(~((c) >> 3))
enum { CPUCLOCK_PROF, CPUCLOCK_VIRT, CPUCLOCK_SCHED };

uint64_t
clock_mono_ns(void)
{
	return host_clock_ns(CLOCK_MONOTONIC);
}

uint64_t
clock_real_ns(void)
{
	return host_clock_ns(CLOCK_REALTIME);
}

uint64_t
clock_stamp_ns(void)
{
	return host_clock_ns(CLOCK_REALTIME_COARSE);
}

int32_t
clock_tai_offset(void)
{
	uint64_t real = clock_real_ns(), tai = host_clock_ns(CLOCK_TAI);

	/* Whole seconds; what passed between the two is little. */
	return (int32_t)(((int64_t)(tai - real) + (int64_t)(NSEC_PER_SEC / 2)) / (int64_t)NSEC_PER_SEC);
}

bool
clock_is_cpu(int32_t clock)
{
	return clock < 0 || clock == CLOCK_PROCESS_CPUTIME_ID || clock == CLOCK_THREAD_CPUTIME_ID;
}

static uint64_t
cpu_part(int type, uint64_t user, uint64_t sys)
{
	return type == CPUCLOCK_VIRT ? user : user + sys;
}

static int
thread_clock(struct task *t, int32_t tid, int type, uint64_t *ns)
{
	AUTO_PUT(task) o = tid == 0 ? task_get(t) : task_find_get(tid);
	uint64_t user, sys;

	/* Another process's threads are nobody's business. */
	if (o == NULL || o->process != t->process)
		return -EINVAL;
	task_times(o, &user, &sys);
	*ns = cpu_part(type, user, sys);
	return 0;
}

static int
process_clock(struct task *t, int32_t pid, int type, uint64_t *ns)
{
	AUTO_PUT(process) p = pid == 0 ? process_get(t->process) : process_find_get(pid);
	uint64_t user, sys;

	if (p == NULL)
		return -EINVAL;
	process_times(p, &user, &sys);
	*ns = cpu_part(type, user, sys);
	return 0;
}

static int
cpu_clock(struct task *t, int32_t clock, uint64_t *ns)
{
	int type = CPUCLOCK_TYPE(clock);

	if (type == CPUCLOCK_FD)
		return -EINVAL;
	return clock & CPUCLOCK_THREAD ? thread_clock(t, CPUCLOCK_PID(clock), type, ns) :
	    process_clock(t, CPUCLOCK_PID(clock), type, ns);
}

int
clock_read(struct task *t, int32_t clock, uint64_t *ns)
{
	switch (clock) {
	case CLOCK_REALTIME:
	case CLOCK_REALTIME_COARSE:
	case CLOCK_MONOTONIC:
	case CLOCK_MONOTONIC_RAW:
	case CLOCK_MONOTONIC_COARSE:
	case CLOCK_BOOTTIME:
	case CLOCK_TAI:
		*ns = host_clock_ns(clock);
		return 0;
	case CLOCK_REALTIME_ALARM:
		*ns = clock_real_ns();
		return 0;
	case CLOCK_BOOTTIME_ALARM:
		*ns = host_clock_ns(CLOCK_BOOTTIME);
		return 0;
	case CLOCK_PROCESS_CPUTIME_ID:
		return process_clock(t, 0, CPUCLOCK_SCHED, ns);
	case CLOCK_THREAD_CPUTIME_ID:
		return thread_clock(t, 0, CPUCLOCK_SCHED, ns);
	}
	return clock < 0 ? cpu_clock(t, clock, ns) : -EINVAL;
}

int
clock_resolution(struct task *t, int32_t clock, uint64_t *ns)
{
	uint64_t now;
	int err = clock_read(t, clock, &now);

	if (err)
		return err;
	if (clock_is_cpu(clock))
		*ns = 1;
	else if (clock == CLOCK_REALTIME_ALARM || clock == CLOCK_BOOTTIME_ALARM)
		*ns = host_clock_res_ns(CLOCK_MONOTONIC);
	else
		*ns = host_clock_res_ns(clock);
	return 0;
}

int
clock_deadline(int32_t clock, uint64_t abs_ns, uint64_t *deadline_ns)
{
	uint64_t now, mono = clock_mono_ns();

	switch (clock) {
	case CLOCK_MONOTONIC:
		*deadline_ns = abs_ns;
		return 0;
	case CLOCK_REALTIME:
	case CLOCK_REALTIME_ALARM:
		now = clock_real_ns();
		break;
	case CLOCK_TAI:
		now = host_clock_ns(CLOCK_TAI);
		break;
	case CLOCK_BOOTTIME:
	case CLOCK_BOOTTIME_ALARM:
		now = host_clock_ns(CLOCK_BOOTTIME);
		break;
	default:
		return -EINVAL;
	}
	/* Times long past become 1, so that "at once" is never mistaken for anything else. */
	if (abs_ns <= now)
		*deadline_ns = now - abs_ns < mono ? mono - (now - abs_ns) : 1;
	else if (ckd_add(deadline_ns, mono, abs_ns - now))
		*deadline_ns = NO_DEADLINE;
	return 0;
}
