/*
 * require: every handler that syscalls.def promises, referred to by name, so that a missing one
 * does not link.  The table itself refers to them weakly: unit tests link the few they exercise.
 */
#include "sentry/syscall/syscall.h"

typedef void any_fn(void);

#define SYSCALL(nr, name, n, support, note, ...)	(any_fn *)sys_##name,
#define NOSYS(nr, name, reason, note)
any_fn *const syscall_required[] __attribute__((used)) = {
#include "sentry/syscall/syscalls.def"
};
#undef SYSCALL
#undef NOSYS
