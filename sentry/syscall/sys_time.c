/* sys_time: clocks, sleeping, interval and POSIX timers.  The clock is the host's: nobody sets it. */
#include <string.h>
#include <sys/time.h>

#include "abi/errno.h"
#include "abi/signal.h"
#include "abi/time.h"
#include "sentry/kernel/clock.h"
#include "sentry/kernel/task.h"
#include "sentry/kernel/timer.h"
#include "sentry/mm/usercopy.h"
#include "sentry/syscall/syscall.h"

#define CAP_SYS_TIME_NR	25

/* ---- reading -------------------------------------------------------------------- */

static int
put_ns(struct task *t, gaddr_t at, uint64_t ns)
{
	struct abi_timespec ts = abi_ns_timespec(ns);

	return copy_out(t, at, &ts, sizeof ts);
}

int64_t
sys_clock_gettime(struct task *t, int32_t clock, gaddr_t tp)
{
	uint64_t ns;
	int err = clock_read(t, clock, &ns);

	return err ? err : put_ns(t, tp, ns);
}

int64_t
sys_clock_getres(struct task *t, int32_t clock, gaddr_t res)
{
	uint64_t ns;
	int err = clock_resolution(t, clock, &ns);

	if (err || gaddr_is_null(res))
		return err;
	return put_ns(t, res, ns);
}

int64_t
sys_gettimeofday(struct task *t, gaddr_t tv, gaddr_t tz)
{
	struct abi_timeval now = abi_ns_timeval(clock_real_ns());
	struct abi_timezone zone = { 0, 0 };
	int err = 0;

	if (!gaddr_is_null(tv))
		err = copy_out(t, tv, &now, sizeof now);
	if (!err && !gaddr_is_null(tz))
		err = copy_out(t, tz, &zone, sizeof zone);
	return err;
}

int64_t
sys_time(struct task *t, gaddr_t tloc)
{
	uint64_t now = clock_stamp_ns() / NSEC_PER_SEC;
	int err = gaddr_is_null(tloc) ? 0 : put_u64(t, tloc, now);

	return err ? err : (int64_t)now;
}

/* ---- setting ---------------------------------------------------------------------- */

int64_t
sys_clock_settime(struct task *t, int32_t clock, gaddr_t tp)
{
	struct abi_timespec ts;
	int err;

	if (clock != CLOCK_REALTIME)
		return -EINVAL;
	err = copy_in(t, &ts, tp, sizeof ts);
	if (err)
		return err;
	if (!abi_timespec_valid(&ts))
		return -EINVAL;
	if (task_capable(t, CAP_SYS_TIME_NR))
		report_missing(t, "setting the clock");
	return -EPERM;
}

int64_t
sys_settimeofday(struct task *t, gaddr_t tv, gaddr_t tz)
{
	struct abi_timeval val;
	struct abi_timezone zone;
	int err = 0;

	if (!gaddr_is_null(tv)) {
		err = copy_in(t, &val, tv, sizeof val);
		if (!err && (val.tv_usec < 0 || val.tv_usec >= 1000000))
			err = -EINVAL;
	}
	if (!err && !gaddr_is_null(tz))
		err = copy_in(t, &zone, tz, sizeof zone);
	if (err)
		return err;
	if (task_capable(t, CAP_SYS_TIME_NR))
		report_missing(t, "setting the clock");
	return -EPERM;
}

struct abi_timex {
	uint32_t modes, pad0;
	int64_t	 offset, freq, maxerror, esterror;
	int32_t	 status, pad1;
	int64_t	 constant, precision, tolerance;
	struct abi_timeval time;
	int64_t	 tick, ppsfreq, jitter;
	int32_t	 shift, pad2;
	int64_t	 stabil, jitcnt, calcnt, errcnt, stbcnt;
	int32_t	 tai, pad3[11];
};
_Static_assert(sizeof(struct abi_timex) == 208, "struct timex");

#define STA_UNSYNC_BIT	0x40
#define TIME_ERROR_STATE 5

/* An unsynchronised clock at its nominal rate: what there is to know without the host's adjtimex. */
static int64_t
read_timex(struct task *t, gaddr_t buf)
{
	struct abi_timex tx;
	int err = copy_in(t, &tx, buf, sizeof tx);

	if (err)
		return err;
	/* ADJ_OFFSET_SS_READ alone is a read. */
	if (tx.modes != 0 && tx.modes != 0xa001) {
		if (task_capable(t, CAP_SYS_TIME_NR))
			report_missing(t, "adjtimex modes %#x", tx.modes);
		return -EPERM;
	}
	memset(&tx, 0, sizeof tx);
	tx.maxerror = tx.esterror = 16000000;
	tx.status = STA_UNSYNC_BIT;
	tx.constant = 2;
	tx.precision = 1;
	tx.tolerance = 32768000;
	tx.time = abi_ns_timeval(clock_real_ns());
	tx.tick = 10000;
	tx.tai = clock_tai_offset();
	err = copy_out(t, buf, &tx, sizeof tx);
	return err ? err : TIME_ERROR_STATE;
}

int64_t
sys_adjtimex(struct task *t, gaddr_t buf)
{
	return read_timex(t, buf);
}

int64_t
sys_clock_adjtime(struct task *t, int32_t clock, gaddr_t buf)
{
	if (clock == CLOCK_REALTIME)
		return read_timex(t, buf);
	return clock >= 0 && clock <= CLOCK_TAI ? -EOPNOTSUPP : -EINVAL;
}

/* ---- sleeping ----------------------------------------------------------------------- */

static int64_t sleep_again(struct task *t);

/* Until a CLOCK_MONOTONIC deadline; a relative sleep tells what is left, and can be taken up again. */
static int64_t
sleep_until(struct task *t, uint64_t deadline, bool relative, gaddr_t rem)
{
	uint64_t now;
	int err;

	t->wait_reason = "nanosleep";
	do {
		/* Slept for no time at all, it still gives others a chance to interrupt. */
		err = task_sleep(t, deadline);
	} while (err == 0 && clock_mono_ns() < deadline);
	t->wait_reason = NULL;
	if (err == 0 || err == -ETIMEDOUT)
		return 0;
	if (!relative)
		return -ERESTARTNOHAND;
	now = clock_mono_ns();
	if (now >= deadline)
		return 0;
	if (!gaddr_is_null(rem)) {
		err = put_ns(t, rem, deadline == NO_DEADLINE ? ABI_KTIME_MAX : deadline - now);
		if (err)
			return err;
	}
	t->restart.fn = sleep_again;
	t->restart.deadline_ns = deadline;
	t->restart.p1 = rem;
	return -ERESTART_RESTARTBLOCK;
}

static int64_t
sleep_again(struct task *t)
{
	return sleep_until(t, t->restart.deadline_ns, true, t->restart.p1);
}

int64_t
sys_nanosleep(struct task *t, gaddr_t req, gaddr_t rem)
{
	struct abi_timespec ts;
	int err = copy_in(t, &ts, req, sizeof ts);

	if (err)
		return err;
	if (!abi_timespec_valid(&ts))
		return -EINVAL;
	return sleep_until(t, abi_deadline(clock_mono_ns(), abi_timespec_ns(&ts)), true, rem);
}

/* CPU-time clocks: looked at whenever the rest could have passed at the earliest. */
static int64_t
sleep_cpu(struct task *t, int32_t clock, uint64_t ns, bool absolute)
{
	uint64_t now, until;
	int err = clock_read(t, clock, &now);

	if (err)
		return err;
	until = absolute ? ns : abi_deadline(now, ns);
	while (now < until) {
		err = task_sleep(t, clock_mono_ns() + max(until - now, 1000000ULL));
		if (err && err != -ETIMEDOUT)
			return absolute ? -ERESTARTNOHAND : -EINTR;
		err = clock_read(t, clock, &now);
		if (err)
			return err;
	}
	return 0;
}

int64_t
sys_clock_nanosleep(struct task *t, int32_t clock, uint32_t flags, gaddr_t req, gaddr_t rem)
{
	bool absolute = flags & TIMER_ABSTIME;
	struct abi_timespec ts;
	uint64_t deadline, ns;
	int err;

	switch (clock) {
	case CLOCK_REALTIME:
	case CLOCK_MONOTONIC:
	case CLOCK_BOOTTIME:
	case CLOCK_TAI:
	case CLOCK_PROCESS_CPUTIME_ID:
		break;
	case CLOCK_THREAD_CPUTIME_ID:
	case CLOCK_MONOTONIC_RAW:
	case CLOCK_REALTIME_COARSE:
	case CLOCK_MONOTONIC_COARSE:
	case CLOCK_REALTIME_ALARM:
	case CLOCK_BOOTTIME_ALARM:
		return -EOPNOTSUPP;
	default:
		if (clock >= 0 || clock_read(t, clock, &ns) != 0)
			return -EINVAL;
	}
	err = copy_in(t, &ts, req, sizeof ts);
	if (err)
		return err;
	if (!abi_timespec_valid(&ts))
		return -EINVAL;
	ns = abi_timespec_ns(&ts);
	if (clock_is_cpu(clock))
		return sleep_cpu(t, clock, ns, absolute);
	if (!absolute)
		return sleep_until(t, abi_deadline(clock_mono_ns(), ns), true, rem);
	err = clock_deadline(clock, ns, &deadline);
	return err ? err : sleep_until(t, deadline, false, GADDR_NULL);
}

/* ---- interval timers -------------------------------------------------------------------- */

static int
put_itimer(struct task *t, gaddr_t at, uint64_t value_ns, uint64_t interval_ns)
{
	struct abi_itimerval it = { abi_ns_timeval(interval_ns), abi_ns_timeval(value_ns) };

	/* A timer that runs never shows as one that does not. */
	if (value_ns && it.it_value.tv_sec == 0 && it.it_value.tv_usec == 0)
		it.it_value.tv_usec = 1;
	return copy_out(t, at, &it, sizeof it);
}

int64_t
sys_getitimer(struct task *t, int32_t which, gaddr_t value)
{
	uint64_t value_ns, interval_ns;

	if (which < 0 || which >= ITIMERS_COUNT)
		return -EINVAL;
	itimer_get(t, which, &value_ns, &interval_ns);
	return put_itimer(t, value, value_ns, interval_ns);
}

int64_t
sys_setitimer(struct task *t, int32_t which, gaddr_t value, gaddr_t old)
{
	struct abi_itimerval new;
	uint64_t value_ns, interval_ns;
	int err;

	memset(&new, 0, sizeof new);
	/* Linux takes a missing new value for zero. */
	if (!gaddr_is_null(value)) {
		err = copy_in(t, &new, value, sizeof new);
		if (err)
			return err;
	}
	if (!abi_timeval_valid(&new.it_value) || !abi_timeval_valid(&new.it_interval))
		return -EINVAL;
	if (which < 0 || which >= ITIMERS_COUNT)
		return -EINVAL;
	err = itimer_set(t, which, abi_timeval_ns(&new.it_value), abi_timeval_ns(&new.it_interval),
	    &value_ns, &interval_ns);
	if (err || gaddr_is_null(old))
		return err;
	return put_itimer(t, old, value_ns, interval_ns);
}

int64_t
sys_alarm(struct task *t, uint32_t seconds)
{
	uint64_t old, interval, secs;
	int err = itimer_set(t, ITIMERS_REAL, seconds * NSEC_PER_SEC, 0, &old, &interval);

	if (err)
		return err;
	/* Rounded to the next second as Linux does, and never to none. */
	secs = old / NSEC_PER_SEC;
	if ((secs == 0 && old != 0) || old % NSEC_PER_SEC >= NSEC_PER_SEC / 2)
		secs++;
	return (int64_t)secs;
}

/* ---- POSIX timers -------------------------------------------------------------------------- */

int64_t
sys_timer_create(struct task *t, int32_t clock, gaddr_t sigevent, gaddr_t timerid)
{
	struct abi_sigevent ev;
	int32_t id;
	int err;

	if (!gaddr_is_null(sigevent)) {
		err = copy_in(t, &ev, sigevent, sizeof ev);
		if (err)
			return err;
	}
	err = ptimer_create(t, clock, gaddr_is_null(sigevent) ? NULL : &ev, &id);
	if (err)
		return err;
	err = put_u32(t, timerid, (uint32_t)id);
	if (err && ptimer_delete(t, id) != 0)
		return -EINVAL;
	return err;
}

static int
put_itimerspec(struct task *t, gaddr_t at, uint64_t value_ns, uint64_t interval_ns)
{
	struct abi_itimerspec it = { abi_ns_timespec(interval_ns), abi_ns_timespec(value_ns) };

	return copy_out(t, at, &it, sizeof it);
}

int64_t
sys_timer_settime(struct task *t, int32_t timerid, uint32_t flags, gaddr_t value, gaddr_t old)
{
	struct abi_itimerspec new;
	uint64_t old_value, old_interval;
	int err;

	if (gaddr_is_null(value))
		return -EINVAL;
	err = copy_in(t, &new, value, sizeof new);
	if (err)
		return err;
	if (!abi_timespec_valid(&new.it_value) || !abi_timespec_valid(&new.it_interval))
		return -EINVAL;
	err = ptimer_set(t, timerid, flags & TIMER_ABSTIME, abi_timespec_ns(&new.it_value),
	    abi_timespec_ns(&new.it_interval), &old_value, &old_interval);
	if (err || gaddr_is_null(old))
		return err;
	return put_itimerspec(t, old, old_value, old_interval);
}

int64_t
sys_timer_gettime(struct task *t, int32_t timerid, gaddr_t value)
{
	uint64_t value_ns = 0, interval_ns = 0;
	int err = ptimer_get(t, timerid, &value_ns, &interval_ns);

	return err ? err : put_itimerspec(t, value, value_ns, interval_ns);
}

int64_t
sys_timer_getoverrun(struct task *t, int32_t timerid)
{
	return ptimer_overrun(t, timerid);
}

int64_t
sys_timer_delete(struct task *t, int32_t timerid)
{
	return ptimer_delete(t, timerid);
}
