/*
 * filter: the seccomp program of one role, from hostcalls.def.
 *
 * What a role has no row for kills the process.  In a stub it traps instead: for a guest
 * thread the trap is how its system calls reach the sentry, and a stacked filter that
 * killed would win over the trap.  The mapper has signals blocked, so that a trap of its
 * own is fatal all the same.
 *
 * The guest's program begins with instructions of our own: whatever was not called from
 * the stub's page of guest code traps, whatever its number or ABI.  The mapper's begins
 * with some as well: whatever was not called from the mapper's page is the guest's program's.
 */
#include <fcntl.h>
#include <asm/prctl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/futex.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <termios.h>
#include <unistd.h>

#include "base/hostcall.h"
#include "base/strbuf.h"
#include "base/stublayout.h"

#ifndef PR_SYS_DISPATCH_ON
#define PR_SET_SYSCALL_USER_DISPATCH	59
#define PR_SYS_DISPATCH_ON		1
#endif
#ifndef SYS_rseq
#define SYS_rseq	334
#endif

#define PREFIX_LEN	6		/* in front of either program of a stub */
/* What starts a thread of libc: VM FS FILES SIGHAND THREAD SYSVSEM SETTLS PARENT_SETTID CHILD_CLEARTID. */
#define CLONE_PTHREAD	0x3d0f00
/* All of a futex operation but the two options. */
#define FUTEX_OPTS	(0xffffffffUL & ~(FUTEX_PRIVATE_FLAG | FUTEX_CLOCK_REALTIME))

enum { S = 1 << ROLE_SENTRY, G = 1 << ROLE_GOFER, M = 1 << ROLE_MAPPER, U = 1 << ROLE_GUEST, T = 1 << ROLE_SENTRY_PTRACE,
	B = 1 << ROLE_BASES };

struct check {
	enum scmp_compare op;		/* 0: no check */
	unsigned	arg;
	uint64_t	a, b;
};

struct row {
	unsigned	roles;
	int		nr;
	uint32_t	action;
	const char	*name, *checks, *reason;
	struct check	args[6];
};

#define ANY		{ 0, 0, 0, 0 }
#define EQ(n, v)	{ SCMP_CMP_EQ, n, (uint64_t)(v), 0 }
#define LT(n, v)	{ SCMP_CMP_LT, n, (uint64_t)(v), 0 }
#define MASK(n, m, v)	{ SCMP_CMP_MASKED_EQ, n, (uint64_t)(m), (uint64_t)(v) }
#define HOSTCALL(who, call, why, ...)					\
	{ .roles = (who), .nr = SYS_##call, .action = SCMP_ACT_ALLOW, .name = #call, .reason = (why), \
	  .checks = #__VA_ARGS__, .args = { __VA_ARGS__ } },
#define HOSTANSWER(who, call, error, why)				\
	{ .roles = (who), .nr = SYS_##call, .action = SCMP_ACT_ERRNO(error), .name = #call, .reason = (why), \
	  .checks = "answered " #error },

static const struct row rows[] = {
#include "base/hostcalls.def"
};

static const char *const role_names[] = {
	[ROLE_SENTRY] = "sentry", [ROLE_GOFER] = "gofer", [ROLE_MAPPER] = "mapper", [ROLE_GUEST] = "guest",
	[ROLE_SENTRY_PTRACE] = "sentry-ptrace", [ROLE_BASES] = "guest, without FSGSBASE also",
};

static int
rule_add(scmp_filter_ctx ctx, const struct row *r)
{
	struct scmp_arg_cmp cmp[ARRAY_LEN(r->args)];
	unsigned n = 0;

	while (n < ARRAY_LEN(r->args) && r->args[n].op != 0) {
		cmp[n] = (struct scmp_arg_cmp){ r->args[n].arg, r->args[n].op, r->args[n].a, r->args[n].b };
		n++;
	}
	return seccomp_rule_add_array(ctx, r->action, r->nr, n, cmp);
}

static int
filter_build(enum role role, bool bases, scmp_filter_ctx *out)
{
	unsigned roles = 1U << role | (bases ? B : 0);
	bool stub = role == ROLE_MAPPER || role == ROLE_GUEST;
	uint32_t deny = stub ? SCMP_ACT_TRAP : SCMP_ACT_KILL_PROCESS;
	scmp_filter_ctx ctx = seccomp_init(deny);
	int err = 0;

	if (ctx == NULL)
		return -ENOMEM;
	err = seccomp_attr_set(ctx, SCMP_FLTATR_ACT_BADARCH, deny);
	for (size_t i = 0; i < ARRAY_LEN(rows) && err == 0; i++) {
		const struct row *r = &rows[i];

		if (r->roles & roles)
			err = rule_add(ctx, r);
		if (err == -EEXIST)		/* a wider row of the same call came first */
			err = 0;
	}
	if (err) {
		seccomp_release(ctx);
		return err;
	}
	*out = ctx;
	return 0;
}

int
filter_install(enum role role)
{
	scmp_filter_ctx ctx;
	int err = filter_build(role, false, &ctx);

	if (err)
		return err;
	/* Sanitizers have threads of their own by now. */
	err = seccomp_attr_set(ctx, SCMP_FLTATR_CTL_TSYNC, 1);
	if (err == 0)
		err = seccomp_load(ctx);
	seccomp_release(ctx);
	return err;
}

/* Traps unless the call came from the stub's guest page; falls through to the next instruction otherwise. */
static void
guest_prefix(struct sock_filter *p)
{
	const uint32_t ip = offsetof(struct seccomp_data, instruction_pointer);
	const uint64_t lo = STUB_GUEST_TEXT, hi = lo + STUB_GUEST_SIZE;
	const struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, ip + 4),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)(lo >> 32), 0, 3),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, ip),
		BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, (uint32_t)lo, 0, 1),
		BPF_JUMP(BPF_JMP | BPF_JGT | BPF_K, (uint32_t)hi, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRAP),
	};

	_Static_assert((STUB_GUEST_TEXT >> 32) == ((STUB_GUEST_TEXT + STUB_GUEST_SIZE) >> 32), "one high word");
	_Static_assert(sizeof code == PREFIX_LEN * sizeof *p, "as declared");
	memcpy(p, code, sizeof code);
}

/* Goes on with what lies len instructions further on unless the call came from the mapper's page. */
static void
mapper_prefix(struct sock_filter *p, unsigned len)
{
	const uint32_t ip = offsetof(struct seccomp_data, instruction_pointer);
	const uint64_t lo = STUB_TEXT, hi = STUB_GUEST_TEXT;
	const struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, ip + 4),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)(lo >> 32), 0, 3),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, ip),
		BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, (uint32_t)lo, 0, 1),
		BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, (uint32_t)hi, 0, 1),
		BPF_JUMP(BPF_JMP | BPF_JA, len, 0, 0),
	};

	_Static_assert((STUB_TEXT >> 32) == (STUB_GUEST_TEXT >> 32), "one high word");
	_Static_assert(sizeof code == PREFIX_LEN * sizeof *p, "as declared");
	memcpy(p, code, sizeof code);
}

/* A role's program without anything in front of it. */
static int
program_export(enum role role, bool bases, struct sock_filter *program, unsigned cap)
{
	scmp_filter_ctx ctx;
	int64_t n;
	int fd, err = filter_build(role, bases, &ctx);

	if (err)
		return err;
	fd = memfd_create("filter", MFD_CLOEXEC);
	err = fd < 0 ? -ENFILE : seccomp_export_bpf(ctx, fd);
	seccomp_release(ctx);
	if (fd < 0 || err) {
		if (fd >= 0)
			host_close(fd);
		return err;
	}
	n = host_pread(fd, program, cap * sizeof *program, 0);
	host_close(fd);
	if (n < 0)
		return (int)n;
	if ((size_t)n == cap * sizeof *program)
		return -ENOSPC;
	return (int)((size_t)n / sizeof *program);
}

int
filter_export(enum role role, bool bases, struct sock_filter *program, unsigned cap)
{
	int n, m;

	if (cap <= PREFIX_LEN)
		return -ENOSPC;
	n = program_export(role, bases, program + PREFIX_LEN, cap - PREFIX_LEN);
	if (n < 0)
		return n;
	if (role == ROLE_GUEST) {
		guest_prefix(program);
		return n + PREFIX_LEN;
	}
	mapper_prefix(program, (unsigned)n);
	n += PREFIX_LEN;
	m = filter_export(ROLE_GUEST, bases, program + n, cap - (unsigned)n);
	return m < 0 ? m : n + m;
}

void
filter_print(int fd)
{
	for (unsigned role = 0; role < ARRAY_LEN(role_names); role++) {
		char line[256];
		struct strbuf sb;
		unsigned calls = 0;

		for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
			bool again = false;

			if (!(rows[i].roles & (1U << role)) || rows[i].action != SCMP_ACT_ALLOW)
				continue;
			for (size_t j = 0; j < i; j++)
				again |= (rows[j].roles & (1U << role)) && rows[j].nr == rows[i].nr;
			calls += !again;
		}
		sb_init(&sb, line, sizeof line);
		sb_printf(&sb, "%s: %u system calls\n", role_names[role], calls);
		(void)!host_pwrite(fd, line, sb.len, -1);
		for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
			if (!(rows[i].roles & (1U << role)))
				continue;
			sb_init(&sb, line, sizeof line - 1);
			sb_printf(&sb, "  %-16s %-48s %s", rows[i].name, rows[i].checks, rows[i].reason);
			line[sb.len] = '\n';
			(void)!host_pwrite(fd, line, sb.len + 1, -1);
		}
	}
}
