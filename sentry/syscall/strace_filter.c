/*
 * strace_filter: which calls are printed: `village do --strace-filter file,futex,...`.
 *
 * A word is a call's name or a family.  What a family is about is read off the kinds of the calls' arguments where
 * these say it, and listed by name where they do not.
 */
#include "sentry/syscall/strace.h"

#include <string.h>

#include "sentry/syscall/table.h"

static bool filtered;				/* [I] after boot */
static bool wanted[SYSCALL_LIMIT];		/* [I] after boot */

static const struct family {
	const char	*name;
	uint8_t		 kinds[8];		/* a call with an argument of one of these belongs; KIND_NONE ends */
	const char	*calls;			/* and so do these */
} families[] = {
	{ "file", { KIND_PATH, KIND_DIRFD }, " getcwd fchdir " },
	{ "desc", { KIND_FD, KIND_DIRFD, KIND_OUT_FDPAIR, KIND_IN_POLLFDS }, " select pselect6 " },
	{ "memory", { KIND_PROT, KIND_MAPFLAGS }, " munmap mremap brk madvise msync mincore mlock mlock2 munlock mlockall "
	    "munlockall shmat shmdt process_madvise membarrier " },
	{ "network", { KIND_FAMILY, KIND_MSGFLAGS, KIND_IN_SOCKADDR, KIND_OUT_SOCKADDR },
	    " listen shutdown getsockopt setsockopt sendmmsg recvmmsg " },
	{ "process", { KIND_CLONEFLAGS, KIND_WAITOPTS, KIND_ARGV }, " fork vfork clone3 exit exit_group wait4 waitid " },
	{ "signal", { KIND_SIG, KIND_IN_SIGSET, KIND_OUT_SIGSET, KIND_IN_SIGACTION },
	    " rt_sigreturn pause sigaltstack signalfd signalfd4 " },
	{ "time", { KIND_CLOCK, KIND_ITIMER, KIND_IN_ITIMERSPEC }, " time gettimeofday settimeofday nanosleep alarm times " },
};

static bool
in_list(const char *list, const char *name)
{
	size_t n = strlen(name);

	for (const char *p = list; (p = strstr(p, name)) != NULL; p += n) {
		if (p[-1] == ' ' && p[n] == ' ')
			return true;
	}
	return false;
}

static bool
belongs(const struct family *f, const struct syscall_desc *d)
{
	for (unsigned a = 0; a < d->nargs; a++) {
		for (unsigned k = 0; k < ARRAY_LEN(f->kinds) && f->kinds[k] != KIND_NONE; k++) {
			if (d->kind[a] == f->kinds[k])
				return true;
		}
	}
	return in_list(f->calls, d->name);
}

/* One word; false when it means nothing. */
static bool
want_word(const char *word, size_t len)
{
	bool any = false;

	for (unsigned nr = 0; nr < SYSCALL_LIMIT; nr++) {
		const struct syscall_desc *d = &syscall_table[nr];

		if (d->name != NULL && strlen(d->name) == len && memcmp(d->name, word, len) == 0)
			any = wanted[nr] = true;
	}
	for (size_t i = 0; i < ARRAY_LEN(families); i++) {
		if (strlen(families[i].name) != len || memcmp(families[i].name, word, len) != 0)
			continue;
		any = true;
		for (unsigned nr = 0; nr < SYSCALL_LIMIT; nr++) {
			if (syscall_table[nr].name != NULL && belongs(&families[i], &syscall_table[nr]))
				wanted[nr] = true;
		}
	}
	return any;
}

int
strace_filter_set(const char *text)
{
	filtered = true;
	for (;;) {
		size_t n = strcspn(text, ",");

		if (!want_word(text, n))
			return -EINVAL;
		if (text[n] == '\0')
			return 0;
		text += n + 1;
	}
}

bool
strace_wants(int64_t nr)
{
	return !filtered || nr < 0 || nr >= SYSCALL_LIMIT || wanted[nr];
}
