/*
 * filter: the seccomp programs of each role, which tools/mkfilters.c makes from hostcalls.def when Village is built:
 * at a start there is nothing to compile.
 */
#include <errno.h>
#include <unistd.h>

#include "base/hostcalls.h"
#include "base/strbuf.h"

/* filter_code[role][bases], filter_len[role][bases] */
#include FILTERS_INC

static const char *const role_names[] = {
	[ROLE_SENTRY] = "sentry", [ROLE_GOFER] = "gofer", [ROLE_MAPPER] = "mapper", [ROLE_GUEST] = "guest",
	[ROLE_SENTRY_PTRACE] = "sentry-ptrace", [ROLE_BASES] = "guest, without FSGSBASE also",
};

const struct sock_filter *
filter_program(enum role role, bool bases, unsigned *len)
{
	*len = filter_len[role][bases];
	return filter_code[role][bases];
}

int
filter_install(enum role role)
{
	struct sock_fprog prog;
	unsigned len;
	long tid;

	prog.filter = (struct sock_filter *)(uintptr_t)filter_program(role, false, &len);
	prog.len = (unsigned short)len;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
		return -errno;
	/* Sanitizers have threads of their own by now; a number says which one could not be taken along. */
	tid = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &prog);
	return tid < 0 ? -errno : tid == 0 ? 0 : -ESRCH;
}

void
filter_print(int fd)
{
	for (unsigned role = 0; role < ARRAY_LEN(role_names); role++) {
		char line[256];
		struct strbuf sb;
		unsigned calls = 0;

		for (size_t i = 0; i < ARRAY_LEN(hostcalls); i++) {
			bool again = false;

			if (!(hostcalls[i].roles & (1U << role)) || hostcalls[i].action != SECCOMP_RET_ALLOW)
				continue;
			for (size_t j = 0; j < i; j++)
				again |= (hostcalls[j].roles & (1U << role)) && hostcalls[j].nr == hostcalls[i].nr;
			calls += !again;
		}
		sb_init(&sb, line, sizeof line);
		sb_printf(&sb, "%s: %u system calls\n", role_names[role], calls);
		(void)!host_pwrite(fd, line, sb.len, -1);
		for (size_t i = 0; i < ARRAY_LEN(hostcalls); i++) {
			if (!(hostcalls[i].roles & (1U << role)))
				continue;
			sb_init(&sb, line, sizeof line - 1);
			sb_printf(&sb, "  %-16s %-48s %s", hostcalls[i].name, hostcalls[i].checks, hostcalls[i].reason);
			line[sb.len] = '\n';
			(void)!host_pwrite(fd, line, sb.len + 1, -1);
		}
	}
}
