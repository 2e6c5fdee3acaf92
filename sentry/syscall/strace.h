/* strace: what the formatters of arguments share.  One formatter per row of argkinds.def. */
#ifndef SENTRY_SYSCALL_STRACE_H
#define SENTRY_SYSCALL_STRACE_H

#include "base/strbuf.h"
#include "sentry/syscall/syscall.h"

/* Prints argument i of raw. ret is the call's result for kinds printed at EXIT, else 0. */
typedef void fmt_fn(struct strbuf *sb, struct task *t, const uint64_t raw[6], unsigned i, int64_t ret);

#define ARGKIND(kind, type, when, fmt, travel)	fmt_fn fmt;
#include "sentry/syscall/argkinds.def"
#undef ARGKIND

#define STRACE_STR	64	/* bytes of a buffer or string that are shown */
#define STRACE_PATH	256

struct flagname { uint64_t bits; const char *name; };
/* "A|B|0x100": names in order, what is left in hex; zero prints as `none`. */
void strace_flags(struct strbuf *sb, uint64_t v, const struct flagname *f, unsigned n, const char *none);
/* The one name that equals v, else the number. */
void strace_value(struct strbuf *sb, uint64_t v, const struct flagname *f, unsigned n);
void strace_signo(struct strbuf *sb, int signo);
void strace_sigset(struct strbuf *sb, uint64_t set);

#endif
