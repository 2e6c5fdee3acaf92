/* table: the system call table as data; shared by dispatch, strace and `village syscalls`. */
#ifndef SENTRY_SYSCALL_TABLE_H
#define SENTRY_SYSCALL_TABLE_H

#include "sentry/syscall/syscall.h"

#define SYSCALL_LIMIT	463	/* numbers are below this */

enum argkind {
	KIND_NONE,
#define ARGKIND(kind, type, when, fmt, travel)	KIND_##kind,
#include "sentry/syscall/argkinds.def"
#undef ARGKIND
	KIND_COUNT
};

struct syscall_desc {
	const char	*name;			/* NULL: no such call */
	int64_t		(*fn)(struct task *t, const uint64_t raw[6]);	/* NULL: not provided */
	const char	*note;
	const char	*argname[6];
	uint8_t		 kind[6];		/* enum argkind */
	uint8_t		 nargs;
	uint8_t		 support;		/* enum support */
};
extern const struct syscall_desc syscall_table[SYSCALL_LIMIT];
const char *support_name(enum support s);

#endif
