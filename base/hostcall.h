/*
 * hostcall: the host's system calls, each declared once in hostcalls.def.
 *
 * host_*() return a value or -errno; errno is not read anywhere else.  A test
 * build may make the n-th call fail (fault.h).
 */
#ifndef BASE_HOSTCALL_H
#define BASE_HOSTCALL_H

#include <sys/types.h>
#include <sys/uio.h>

#include "base/base.h"

struct msghdr;
struct pollfd;
struct timespec;

/* The sentry's own calls (architecture 7). Offsets of -1 mean the descriptor's own position. */
int64_t host_preadv(int fd, const struct iovec *iov, int n, int64_t off, int flags) MUST_CHECK;
int64_t host_pwritev(int fd, const struct iovec *iov, int n, int64_t off, int flags) MUST_CHECK;
int64_t host_pread(int fd, void *buf, size_t len, int64_t off) MUST_CHECK;
int64_t host_pwrite(int fd, const void *buf, size_t len, int64_t off) MUST_CHECK;
int64_t host_sendmsg(int fd, const struct msghdr *m, int flags) MUST_CHECK;
int64_t host_recvmsg(int fd, struct msghdr *m, int flags) MUST_CHECK;
int host_mmap(void *want, size_t len, int prot, int flags, int fd, int64_t off, void **out) MUST_CHECK;
int host_munmap(void *p, size_t len);
int host_madvise(void *p, size_t len, int advice);
int host_close(int fd);
int host_ppoll(struct pollfd *fds, unsigned n, const struct timespec *timeout) MUST_CHECK;
int host_ioctl(int fd, unsigned long cmd, void *arg) MUST_CHECK;
int host_tgkill(int pid, int tid, int sig);
int host_setaffinity(const void *mask, size_t size) MUST_CHECK;	/* of the calling thread */
/* FUTEX_WAIT_BITSET with an absolute CLOCK_MONOTONIC deadline (UINT64_MAX: none); 0, -EAGAIN, -ETIMEDOUT, -EINTR. */
int host_futex_wait(_Atomic uint32_t *word, uint32_t val, uint64_t deadline_ns, bool shared);
int host_futex_wake(_Atomic uint32_t *word, int n, bool shared);
void host_exit(int status) NORETURN;		/* exit_group */
/* The ptrace platform's two more. */
int host_ptrace(int request, int tid, uint64_t addr, uint64_t data) MUST_CHECK;
int host_wait(int tid, int *status, int options) MUST_CHECK;	/* wait4 without rusage */

/* By the vDSO: not system calls. */
uint64_t host_clock_ns(int clock);		/* any but clocks of CPU time and alarms, for which there is no way */
uint64_t host_clock_res_ns(int clock);
unsigned host_cpu(void);

/* Which process may make a call. */
enum role {
	ROLE_SENTRY, ROLE_GOFER, ROLE_MAPPER, ROLE_GUEST, ROLE_SENTRY_PTRACE,
	ROLE_BASES,		/* what stubs need besides on a processor without FSGSBASE */
};

/* Installs the program of a role's rows in hostcalls.def (filter.c); everything else kills the process. */
int filter_install(enum role role) MUST_CHECK;
/* The program itself, and its length: a stub installs its own, with the rows of ROLE_BASES if asked. */
struct sock_filter;
const struct sock_filter *filter_program(enum role role, bool bases, unsigned *len);
/* One line per call, role and reason: `village debug host-syscalls`. */
void filter_print(int fd);

#endif
