/*
 * syscall: thunks, the table, and the way from a stopped guest thread to a handler.
 *
 * A thunk takes the six raw registers and passes each as the type of its kind.  Registers are read once,
 * into t->args, before anything looks at them.
 */
#include "sentry/syscall/syscall.h"

#include "abi/errno.h"
#include "base/fault.h"
#include "base/log.h"
#include "base/strbuf.h"
#include "sentry/kernel/task.h"
#include "sentry/mm/usercopy.h"
#include "sentry/syscall/table.h"

#define X32_BIT		0x40000000

__thread struct task *syscall_task;

/* ---- thunks ------------------------------------------------------------------ */

/* A handler that is still to be written is told apart by its address: the call answers ENOSYS and is reported. */
#define SYSCALL(nr, name, n, support, note, ...)			\
	int64_t sys_##name(struct task *t ARGS##n(__VA_ARGS__)) __attribute__((weak));
#define NOSYS(nr, name, reason, note)
#include "sentry/syscall/syscalls.def"
#undef SYSCALL
#undef NOSYS

#define RAW(k, i)	, syscall_arg(argtype_##k, raw[i])
#define RAWS0(...)
#define RAWS1(k, n)		RAW(k, 5)
#define RAWS2(k, n, ...)	RAW(k, 4) RAWS1(__VA_ARGS__)
#define RAWS3(k, n, ...)	RAW(k, 3) RAWS2(__VA_ARGS__)
#define RAWS4(k, n, ...)	RAW(k, 2) RAWS3(__VA_ARGS__)
#define RAWS5(k, n, ...)	RAW(k, 1) RAWS4(__VA_ARGS__)
#define RAWS6(k, n, ...)	RAW(k, 0) RAWS5(__VA_ARGS__)

/* RAWSn counts from the end, so that the last argument is always raw[5]. */
#define SYSCALL(nr, name, n, support, note, ...)			\
static int64_t								\
thunk_##name(struct task *t, const uint64_t args[6])			\
{									\
	const uint64_t *raw UNUSED = args - (6 - (n));			\
	if (sys_##name == NULL)						\
		return missing_handler(t, #name);			\
	return sys_##name(t RAWS##n(__VA_ARGS__));			\
}
#define NOSYS(nr, name, reason, note)

static int64_t
missing_handler(struct task *t, const char *name)
{
	report_missing(t, "system call %s", name);
	return -ENOSYS;
}

#include "sentry/syscall/syscalls.def"
#undef SYSCALL
#undef NOSYS

/* ---- table -------------------------------------------------------------------- */

#define KINDS0(...)
#define KINDS1(k, n)		KIND_##k
#define KINDS2(k, n, ...)	KIND_##k, KINDS1(__VA_ARGS__)
#define KINDS3(k, n, ...)	KIND_##k, KINDS2(__VA_ARGS__)
#define KINDS4(k, n, ...)	KIND_##k, KINDS3(__VA_ARGS__)
#define KINDS5(k, n, ...)	KIND_##k, KINDS4(__VA_ARGS__)
#define KINDS6(k, n, ...)	KIND_##k, KINDS5(__VA_ARGS__)
#define NAMES0(...)
#define NAMES1(k, n)		#n
#define NAMES2(k, n, ...)	#n, NAMES1(__VA_ARGS__)
#define NAMES3(k, n, ...)	#n, NAMES2(__VA_ARGS__)
#define NAMES4(k, n, ...)	#n, NAMES3(__VA_ARGS__)
#define NAMES5(k, n, ...)	#n, NAMES4(__VA_ARGS__)
#define NAMES6(k, n, ...)	#n, NAMES5(__VA_ARGS__)

#pragma GCC diagnostic error "-Woverride-init"
const struct syscall_desc syscall_table[SYSCALL_LIMIT] = {
#define SYSCALL(nr, call, n, level, text, ...)				\
	[nr] = { .name = #call, .fn = thunk_##call, .note = text, .nargs = (n), .support = level, \
	    .kind = { KINDS##n(__VA_ARGS__) }, .argname = { NAMES##n(__VA_ARGS__) } },
#define NOSYS(nr, call, reason, text)					\
	[nr] = { .name = #call, .note = text, .support = NOSYS_##reason },
#include "sentry/syscall/syscalls.def"
#undef SYSCALL
#undef NOSYS
};

const char *
syscall_name(int64_t nr)
{
	return nr >= 0 && nr < SYSCALL_LIMIT ? syscall_table[nr].name : NULL;
}

/* ---- dispatch ------------------------------------------------------------------- */

static int64_t
not_provided(struct task *t, int32_t nr, const struct syscall_desc *d)
{
	if (d == NULL || d->name == NULL) {
		if (nr >= X32_BIT)
			report_missing(t, "x32 system call %d", nr - X32_BIT);
		else
			report_missing(t, "system call number %d", nr);
		return -ENOSYS;
	}
	report_missing(t, "system call %s", d->name);
	return d->support == NOSYS_PRIVILEGED ? -EPERM : -ENOSYS;
}

/* Others may look at it meanwhile, in /proc/PID/syscall. */
static void
arg_set(struct task *t, unsigned i, uint64_t v)
{
	__atomic_store_n(&t->args[i], v, __ATOMIC_RELAXED);
}

void
syscall_dispatch(struct task *t)
{
	struct abi_regs *r = &t->regs;
	int32_t nr = (int32_t)r->orig_rax;	/* Linux looks at the lower half alone, too */
	const struct syscall_desc *d = NULL;
	int64_t ret;

	if (likely(nr >= 0 && nr < SYSCALL_LIMIT))
		d = &syscall_table[nr];
	arg_set(t, 0, r->rdi);
	arg_set(t, 1, r->rsi);
	arg_set(t, 2, r->rdx);
	arg_set(t, 3, r->r10);
	arg_set(t, 4, r->r8);
	arg_set(t, 5, r->r9);
	__atomic_store_n(&t->syscall, nr, __ATOMIC_RELAXED);
	syscall_task = t;
	fault_crash();
	if (unlikely(kernel.strace))
		strace_enter(t);
	usercopy_begin(t);
	if (likely(d && d->fn))
		ret = d->fn(t, t->args);
	else
		ret = not_provided(t, nr, d);
	r->rax = (uint64_t)ret;
	t->last[t->nlast++ % LAST_CALLS] = (struct last_call){ ret, nr };
	/* It looks at results that may still be on their way. */
	if (unlikely(kernel.strace))
		strace_exit(t);
	usercopy_end();
	__atomic_store_n(&t->syscall, -1, __ATOMIC_RELAXED);
	syscall_task = NULL;
}

/* ---- `village syscalls` ------------------------------------------------------------ */

const char *
support_name(enum support s)
{
	static const char *const text[] = {
		[FULL] = "full", [PARTIAL] = "partial", [STUB] = "stub",
		[NOSYS_OBSOLETE] = "obsolete", [NOSYS_PRIVILEGED] = "privileged",
		[NOSYS_UNSAFE] = "unsafe", [NOSYS_LATER] = "later",
	};

	return text[s];
}
