/* time: structs of time calls as the guest sees them, and checked conversions to nanoseconds. */
#ifndef ABI_TIME_H
#define ABI_TIME_H

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#include "abi/gaddr.h"

#define ABI_NSEC	1000000000LL
#define ABI_KTIME_MAX	INT64_MAX	/* nanoseconds; longer times count as this */

struct abi_timespec { int64_t tv_sec, tv_nsec; };
struct abi_timeval { int64_t tv_sec, tv_usec; };
struct abi_itimerspec { struct abi_timespec it_interval, it_value; };
struct abi_itimerval { struct abi_timeval it_interval, it_value; };
struct abi_timezone { int32_t tz_minuteswest, tz_dsttime; };

GPTR(timespec);
GPTR(timeval);
GPTR(itimerspec);
GPTR(itimerval);

static inline bool
abi_timespec_valid(const struct abi_timespec *ts)
{
	return ts->tv_sec >= 0 && ts->tv_nsec >= 0 && ts->tv_nsec < ABI_NSEC;
}
static inline bool
abi_timeval_valid(const struct abi_timeval *tv)
{
	return tv->tv_sec >= 0 && tv->tv_usec >= 0 && tv->tv_usec < 1000000;
}
/* Of a valid one; saturates at ABI_KTIME_MAX. */
static inline uint64_t
abi_timespec_ns(const struct abi_timespec *ts)
{
	if (ts->tv_sec >= ABI_KTIME_MAX / ABI_NSEC)
		return ABI_KTIME_MAX;
	return (uint64_t)ts->tv_sec * ABI_NSEC + (uint64_t)ts->tv_nsec;
}
static inline uint64_t
abi_timeval_ns(const struct abi_timeval *tv)
{
	if (tv->tv_sec >= ABI_KTIME_MAX / ABI_NSEC)
		return ABI_KTIME_MAX;
	return (uint64_t)tv->tv_sec * ABI_NSEC + (uint64_t)tv->tv_usec * 1000;
}
static inline struct abi_timespec
abi_ns_timespec(uint64_t ns)
{
	return (struct abi_timespec){ (int64_t)(ns / ABI_NSEC), (int64_t)(ns % ABI_NSEC) };
}
static inline struct abi_timeval
abi_ns_timeval(uint64_t ns)
{
	return (struct abi_timeval){ (int64_t)(ns / ABI_NSEC), (int64_t)(ns % ABI_NSEC / 1000) };
}
/* A relative time from now as an absolute one; saturates, and UINT64_MAX stays "never". */
static inline uint64_t
abi_deadline(uint64_t now, uint64_t ns)
{
	return ns >= ABI_KTIME_MAX || now + ns < now ? UINT64_MAX : now + ns;
}

#endif
