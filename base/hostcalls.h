/*
 * hostcalls: hostcalls.def as data: for the programs that are made from it when Village is built (tools/mkfilters.c),
 * and for people (filter.c).
 */
#ifndef BASE_HOSTCALLS_H
#define BASE_HOSTCALLS_H

#include <asm/prctl.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/futex.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <termios.h>

#include "base/hostcall.h"
#include "base/stublayout.h"

#ifndef PR_SYS_DISPATCH_ON
#define PR_SET_SYSCALL_USER_DISPATCH	59
#define PR_SYS_DISPATCH_ON		1
#endif
#ifndef SYS_rseq
#define SYS_rseq	334
#endif

/* What starts a thread of libc: VM FS FILES SIGHAND THREAD SYSVSEM SETTLS PARENT_SETTID CHILD_CLEARTID. */
#define CLONE_PTHREAD	0x3d0f00
/* All of a futex operation but the two options. */
#define FUTEX_OPTS	(0xffffffffUL & ~(FUTEX_PRIVATE_FLAG | FUTEX_CLOCK_REALTIME))

enum { S = 1 << ROLE_SENTRY, G = 1 << ROLE_GOFER, M = 1 << ROLE_MAPPER, U = 1 << ROLE_GUEST, T = 1 << ROLE_SENTRY_PTRACE,
	B = 1 << ROLE_BASES };

enum check_op { CHECK_NONE, CHECK_EQ, CHECK_LT, CHECK_MASKED_EQ };

struct hostcall_check {
	enum check_op	op;
	unsigned	arg;
	uint64_t	a, b;
};

struct hostcall_row {
	unsigned	roles;
	int		nr;
	uint32_t	action;		/* SECCOMP_RET_* */
	const char	*name, *checks, *reason;
	struct hostcall_check args[6];
};

#define ANY		{ CHECK_NONE, 0, 0, 0 }
#define EQ(n, v)	{ CHECK_EQ, n, (uint64_t)(v), 0 }
#define LT(n, v)	{ CHECK_LT, n, (uint64_t)(v), 0 }
#define MASK(n, m, v)	{ CHECK_MASKED_EQ, n, (uint64_t)(m), (uint64_t)(v) }
#define HOSTCALL(who, call, why, ...)					\
	{ .roles = (who), .nr = SYS_##call, .action = SECCOMP_RET_ALLOW, .name = #call, .reason = (why), \
	  .checks = #__VA_ARGS__, .args = { __VA_ARGS__ } },
#define HOSTANSWER(who, call, error, why)				\
	{ .roles = (who), .nr = SYS_##call, .action = SECCOMP_RET_ERRNO | (error), .name = #call, .reason = (why), \
	  .checks = "answered " #error },

static const struct hostcall_row hostcalls[] = {
#include "base/hostcalls.def"
};

#endif
