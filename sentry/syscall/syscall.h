/*
 * syscall: the table, its dispatcher, and how handlers are declared.
 *
 * syscalls.def declares each call once: SYSCALL(nr, name, nargs, support, note, kind, name, ...).
 * From it come the prototypes below, the thunks and the table (syscall.c), strace, `village
 * syscalls` and docs/syscalls.md.  A handler is
 *
 *	int64_t sys_name(struct task *t, <type of each kind> ...);
 *
 * and returns a value or -errno.
 */
#ifndef SENTRY_SYSCALL_SYSCALL_H
#define SENTRY_SYSCALL_SYSCALL_H

#include "abi/errno.h"
#include "abi/gaddr.h"
#include "base/base.h"

struct strbuf;
struct task;

/* A raw register as the type of a kind: gaddr_t, or an integer cut to its width. */
static inline gaddr_t
syscall_arg_gaddr(uint64_t raw)
{
	return gaddr_from(raw);
}
static inline uint64_t
syscall_arg_int(uint64_t raw)
{
	return raw;
}
#define syscall_arg(type, raw) _Generic((type *)0,			\
	gaddr_t *: syscall_arg_gaddr, default: syscall_arg_int)(raw)

/* Types by kind. */
#define ARGKIND(kind, type, when, fmt, travel)	typedef type argtype_##kind;
#include "sentry/syscall/argkinds.def"
#undef ARGKIND

enum support { FULL, PARTIAL, STUB, NOSYS_OBSOLETE, NOSYS_PRIVILEGED, NOSYS_UNSAFE, NOSYS_LATER };

/* Walks kind,name pairs; the only clever preprocessor code there is. */
#define ARGS0(...)
#define ARGS1(k, n)		, argtype_##k n
#define ARGS2(k, n, ...)	, argtype_##k n ARGS1(__VA_ARGS__)
#define ARGS3(k, n, ...)	, argtype_##k n ARGS2(__VA_ARGS__)
#define ARGS4(k, n, ...)	, argtype_##k n ARGS3(__VA_ARGS__)
#define ARGS5(k, n, ...)	, argtype_##k n ARGS4(__VA_ARGS__)
#define ARGS6(k, n, ...)	, argtype_##k n ARGS5(__VA_ARGS__)

#define SYSCALL(nr, name, n, support, note, ...)			\
	int64_t sys_##name(struct task *t ARGS##n(__VA_ARGS__));
#define NOSYS(nr, name, reason, note)
#include "sentry/syscall/syscalls.def"
#undef SYSCALL
#undef NOSYS

/* Performs the call in t->regs and leaves the result in regs.rax (restart codes included). */
void syscall_dispatch(struct task *t);
/* The task whose call this thread is performing, else NULL. For signalfd's readiness only. */
extern __thread struct task *syscall_task;
const char *syscall_name(int64_t nr);		/* NULL when there is no such call */
/* What stubs may copy for each call: platform_conf's table (marshal.c). Static; *n is its length. */
const uint32_t *syscall_marshal(unsigned *n);
void syscalls_print(int fd, bool json);		/* `village syscalls` */

/*
 * What was asked for and is not provided: shows in strace and in `do --report`, once per distinct text.
 * what: "ioctl 0x5401 on socket", "openat flag 0x..", "/proc/self/foo".
 */
void report_missing(struct task *t, const char *fmt, ...) PRINTF(2, 3);
void report_print(void);			/* at the end of the run */
void counters_print(struct strbuf *sb);		/* how guests come to the kernel (counters.c) */

/* Which calls are printed: names and families, separated by commas (strace_filter.c). At boot; -EINVAL. */
int strace_filter_set(const char *text) MUST_CHECK;
bool strace_wants(int64_t nr);
/* strace.c */
void strace_enter(struct task *t);
void strace_exit(struct task *t);
void strace_signal(struct task *t, int signo, int code);
void strace_note(struct task *t, const char *fmt, ...) PRINTF(2, 3);

#endif
