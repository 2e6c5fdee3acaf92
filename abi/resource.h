/* resource: limits and usage, getrlimit(2), getrusage(2). <linux/resource.h> clashes with the C library. */
#ifndef ABI_RESOURCE_H
#define ABI_RESOURCE_H

#include <stdint.h>

enum {
	ABI_RLIMIT_CPU, ABI_RLIMIT_FSIZE, ABI_RLIMIT_DATA, ABI_RLIMIT_STACK, ABI_RLIMIT_CORE,
	ABI_RLIMIT_RSS, ABI_RLIMIT_NPROC, ABI_RLIMIT_NOFILE, ABI_RLIMIT_MEMLOCK, ABI_RLIMIT_AS,
	ABI_RLIMIT_LOCKS, ABI_RLIMIT_SIGPENDING, ABI_RLIMIT_MSGQUEUE, ABI_RLIMIT_NICE,
	ABI_RLIMIT_RTPRIO, ABI_RLIMIT_RTTIME,
};

struct abi_rlimit {
	uint64_t	cur, max;	/* UINT64_MAX: none */
};

#define ABI_RUSAGE_SELF		0
#define ABI_RUSAGE_CHILDREN	(-1)
#define ABI_RUSAGE_THREAD	1

struct abi_rusage {
	int64_t		utime_sec, utime_usec, stime_sec, stime_usec;
	int64_t		maxrss;		/* KiB */
	int64_t		ixrss, idrss, isrss;
	int64_t		minflt, majflt, nswap, inblock, oublock, msgsnd, msgrcv, nsignals;
	int64_t		nvcsw, nivcsw;
};

_Static_assert(sizeof(struct abi_rusage) == 144, "struct rusage");

#endif
