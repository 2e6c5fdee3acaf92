/*
 * mkfilters: prints, as C, the seccomp programs of each role, compiled from base/hostcalls.def by libseccomp; base/filter.c
 * includes them.  Runs when Village is built.
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
#include <errno.h>
#include <seccomp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/hostcalls.h"

#define PREFIX_LEN	6		/* in front of either program of a stub */
#define PROGRAM_MAX	4096u		/* the host takes no longer one */

static int
rule_add(scmp_filter_ctx ctx, const struct hostcall_row *r)
{
	static const enum scmp_compare ops[] = {
		[CHECK_EQ] = SCMP_CMP_EQ, [CHECK_LT] = SCMP_CMP_LT, [CHECK_MASKED_EQ] = SCMP_CMP_MASKED_EQ,
	};
	struct scmp_arg_cmp cmp[ARRAY_LEN(r->args)];
	unsigned n = 0;

	while (n < ARRAY_LEN(r->args) && r->args[n].op != CHECK_NONE) {
		cmp[n] = (struct scmp_arg_cmp){ r->args[n].arg, ops[r->args[n].op], r->args[n].a, r->args[n].b };
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
	for (size_t i = 0; i < ARRAY_LEN(hostcalls) && err == 0; i++) {
		const struct hostcall_row *r = &hostcalls[i];

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
static unsigned
compile(enum role role, bool bases, struct sock_filter *program, unsigned cap)
{
	scmp_filter_ctx ctx;
	int err = filter_build(role, bases, &ctx);
	FILE *f = tmpfile();
	size_t n;

	if (err || f == NULL || seccomp_export_bpf(ctx, fileno(f)) != 0) {
		(void)fprintf(stderr, "mkfilters: role %d: %s\n", (int)role, strerror(err ? -err : errno));
		exit(1);
	}
	seccomp_release(ctx);
	rewind(f);
	n = fread(program, sizeof *program, cap, f);
	(void)fclose(f);
	if (n == 0 || n == cap) {
		(void)fprintf(stderr, "mkfilters: role %d: a program of %zu instructions\n", (int)role, n);
		exit(1);
	}
	return (unsigned)n;
}

static unsigned
make(enum role role, bool bases, struct sock_filter *program, unsigned cap)
{
	unsigned n;

	if (role != ROLE_MAPPER && role != ROLE_GUEST)
		return compile(role, false, program, cap);
	n = PREFIX_LEN + compile(role, bases, program + PREFIX_LEN, cap - PREFIX_LEN);
	if (role == ROLE_GUEST) {
		guest_prefix(program);
		return n;
	}
	mapper_prefix(program, n - PREFIX_LEN);
	return n + make(ROLE_GUEST, bases, program + n, cap - n);
}

int
main(void)
{
	static struct sock_filter program[PROGRAM_MAX];
	unsigned len[ROLE_BASES][2];

	for (unsigned role = 0; role < ROLE_BASES; role++) {
		for (unsigned bases = 0; bases < 2; bases++) {
			unsigned n = len[role][bases] = make((enum role)role, bases, program, PROGRAM_MAX);

			printf("static const struct sock_filter filter_%u_%u[] = {\n", role, bases);
			for (unsigned i = 0; i < n; i++)
				printf("\t{ 0x%x, %u, %u, 0x%x },\n", program[i].code, program[i].jt, program[i].jf, program[i].k);
			printf("};\n");
		}
	}
	printf("static const struct sock_filter *const filter_code[][2] = {\n");
	for (unsigned role = 0; role < ROLE_BASES; role++)
		printf("\t{ filter_%u_0, filter_%u_1 },\n", role, role);
	printf("};\nstatic const unsigned filter_len[][2] = {\n");
	for (unsigned role = 0; role < ROLE_BASES; role++)
		printf("\t{ %u, %u },\n", len[role][0], len[role][1]);
	printf("};\n");
	return fflush(stdout) != 0;
}
