/*
 * hostcall: wrappers over the host's system calls; see hostcall.h.
 *
 * Each makes its call directly and gives back what the host's kernel gave: errno is
 * never involved.  Which process may make which call with which arguments is
 * hostcalls.def alone (filter.c).
 */
#include "base/hostcall.h"

#include <errno.h>
#include <linux/futex.h>
#include <poll.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>

#include "base/fault.h"
#include "base/sanitize.h"

static inline int64_t
call(long nr, uint64_t a, uint64_t b, uint64_t c, uint64_t d, uint64_t e, uint64_t f)
{
	register uint64_t r10 __asm__("r10") = d;
	register uint64_t r8 __asm__("r8") = e;
	register uint64_t r9 __asm__("r9") = f;
	int64_t ret;

	__asm__ volatile("syscall" : "=a"(ret)
	    : "0"(nr), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
	    : "rcx", "r11", "memory");
	return ret;
}

#define P(p)	((uint64_t)(uintptr_t)(p))

int64_t
host_preadv(int fd, const struct iovec *iov, int n, int64_t off, int flags)
{
	if (fault_here(FAULT_HOST))
		return -EIO;
	return call(SYS_preadv2, (uint64_t)fd, P(iov), (uint64_t)n, (uint64_t)off, 0, (uint64_t)flags);
}

int64_t
host_pwritev(int fd, const struct iovec *iov, int n, int64_t off, int flags)
{
	if (fault_here(FAULT_HOST))
		return -EIO;
	return call(SYS_pwritev2, (uint64_t)fd, P(iov), (uint64_t)n, (uint64_t)off, 0, (uint64_t)flags);
}

int64_t
host_pread(int fd, void *buf, size_t len, int64_t off)
{
	struct iovec iov = { .iov_base = buf, .iov_len = len };

	return host_preadv(fd, &iov, 1, off, 0);
}

int64_t
host_pwrite(int fd, const void *buf, size_t len, int64_t off)
{
	struct iovec iov = { .iov_base = (void *)(uintptr_t)buf, .iov_len = len };

	return host_pwritev(fd, &iov, 1, off, 0);
}

int64_t
host_sendmsg(int fd, const struct msghdr *m, int flags)
{
	if (fault_here(FAULT_HOST))
		return -ENOBUFS;
	return call(SYS_sendmsg, (uint64_t)fd, P(m), (uint64_t)flags, 0, 0, 0);
}

int64_t
host_recvmsg(int fd, struct msghdr *m, int flags)
{
	if (fault_here(FAULT_HOST))
		return -ENOMEM;
	return call(SYS_recvmsg, (uint64_t)fd, P(m), (uint64_t)flags, 0, 0, 0);
}

int
host_mmap(void *want, size_t len, int prot, int flags, int fd, int64_t off, void **out)
{
	int64_t ret;

	if (fault_here(FAULT_HOST))
		return -ENOMEM;
#if SANITIZE
	/* Through libc, so that the run time forgets what it knew about these addresses. */
	ret = (int64_t)(intptr_t)mmap(want, len, prot, flags, fd, off);
	if (ret == -1)
		ret = -errno;
#else
	ret = call(SYS_mmap, P(want), len, (uint64_t)prot, (uint64_t)flags, (uint64_t)fd, (uint64_t)off);
#endif
	if (ret < 0 && ret > -4096)
		return (int)ret;
	*out = (void *)(uintptr_t)ret;
	return 0;
}

int
host_munmap(void *p, size_t len)
{
#if SANITIZE
	return munmap(p, len) != 0 ? -errno : 0;
#endif
	return (int)call(SYS_munmap, P(p), len, 0, 0, 0, 0);
}

int
host_madvise(void *p, size_t len, int advice)
{
	return (int)call(SYS_madvise, P(p), len, (uint64_t)advice, 0, 0, 0);
}

int
host_close(int fd)
{
	return (int)call(SYS_close, (uint64_t)fd, 0, 0, 0, 0, 0);
}

int
host_ppoll(struct pollfd *fds, unsigned n, const struct timespec *timeout)
{
	struct timespec ts = timeout != NULL ? *timeout : (struct timespec){ 0, 0 };	/* the call writes it */

	return (int)call(SYS_ppoll, P(fds), n, timeout != NULL ? P(&ts) : 0, 0, 8, 0);
}

int
host_ioctl(int fd, unsigned long cmd, void *arg)
{
	if (fault_here(FAULT_HOST))
		return -EIO;
	return (int)call(SYS_ioctl, (uint64_t)fd, cmd, P(arg), 0, 0, 0);
}

int
host_tgkill(int pid, int tid, int sig)
{
	return (int)call(SYS_tgkill, (uint64_t)pid, (uint64_t)tid, (uint64_t)sig, 0, 0, 0);
}

int
host_setaffinity(const void *mask, size_t size)
{
	return (int)call(SYS_sched_setaffinity, 0, size, (uint64_t)(uintptr_t)mask, 0, 0, 0);
}

int
host_futex_wait(_Atomic uint32_t *word, uint32_t val, uint64_t deadline_ns, bool shared)
{
	struct timespec ts;
	bool forever = deadline_ns == UINT64_MAX;

	ts.tv_sec = (time_t)(deadline_ns / NSEC_PER_SEC);
	ts.tv_nsec = (long)(deadline_ns % NSEC_PER_SEC);
	return (int)call(SYS_futex, P(word), FUTEX_WAIT_BITSET | (shared ? 0 : FUTEX_PRIVATE_FLAG), val,
	    forever ? 0 : P(&ts), 0, FUTEX_BITSET_MATCH_ANY);
}

int
host_futex_wake(_Atomic uint32_t *word, int n, bool shared)
{
	return (int)call(SYS_futex, P(word), FUTEX_WAKE | (shared ? 0 : FUTEX_PRIVATE_FLAG), (uint64_t)n, 0, 0, 0);
}

void
host_exit(int status)
{
	status = sanitize_status(status);
	for (;;)
		(void)call(SYS_exit_group, (uint64_t)status, 0, 0, 0, 0, 0);
}

int
host_ptrace(int request, int tid, uint64_t addr, uint64_t data)
{
	return (int)call(SYS_ptrace, (uint64_t)request, (uint64_t)tid, addr, data, 0, 0);
}

int
host_wait(int tid, int *status, int options)
{
	return (int)call(SYS_wait4, (uint64_t)tid, P(status), (uint64_t)options, 0, 0, 0);
}

/* libc's clock and CPU number read the host's vDSO. */
uint64_t
host_clock_ns(int clock)
{
	struct timespec ts = { 0, 0 };

	(void)clock_gettime(clock, &ts);
	return (uint64_t)ts.tv_sec * NSEC_PER_SEC + (uint64_t)ts.tv_nsec;
}

uint64_t
host_clock_res_ns(int clock)
{
	struct timespec ts = { 0, 1 };

	(void)clock_getres(clock, &ts);
	return (uint64_t)ts.tv_sec * NSEC_PER_SEC + (uint64_t)ts.tv_nsec;
}

unsigned
host_cpu(void)
{
	int cpu = sched_getcpu();

	return cpu < 0 ? 0 : (unsigned)cpu;
}
