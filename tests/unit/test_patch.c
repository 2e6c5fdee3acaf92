/*
 * patch: which neighbours of a call are displaced, that slots do what the site did, and that whoever jumps into a
 * site is found.  The slots run here, on this processor; "stub" below plays the stub.
 */
#include <check.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <ucontext.h>

#include "platform/insn.h"
#include "platform/patch.h"

#define CALL	0x7f0000401000ULL
#define ANY	0xffff		/* a number that no site before the call has */

/* What usually stands before a function: padding. */
static const uint8_t padding[PATCH_BEFORE] = { 0x66, 0x0f, 0x1f, 0x84, 0, 0, 0, 0, 0, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90 };

static const uint8_t trapping[] = { 0x06, 0x07, 0x0e, 0x16, 0x17, 0x1e, 0x1f, 0x27, 0x2f, 0x37, 0x3f, 0x60, 0x61, 0x6c,
	0x6d, 0x6e, 0x6f, 0x82, 0x9a, 0xcc, 0xce, 0xd4, 0xd6, 0xe4, 0xe5, 0xe6, 0xe7, 0xea, 0xec, 0xed, 0xee, 0xef,
	0xf4, 0xfa, 0xfb };

static struct patch p;

static size_t
bytes(uint8_t *out, const char *hex)
{
	size_t n = 0;

	for (; *hex; hex += *hex == ' ') {
		char pair[3] = { hex[0], hex[1], 0 };

		out[n++] = (uint8_t)strtoul(pair, NULL, 16);
		hex += 2;
	}
	return n;
}

/* Plans the call between these bytes, padding around; the window is memory of its own. */
static int
plan_at(const char *before, const char *after, uint64_t call, uint32_t nr)
{
	uint8_t b[64], *code = malloc(PATCH_BEFORE + PATCH_AFTER);
	size_t n = bytes(b, before), m;
	int err;

	ck_assert(code != NULL && n <= PATCH_BEFORE);
	memcpy(code, padding, PATCH_BEFORE);
	memcpy(code + PATCH_BEFORE - n, b, n);
	memset(code + PATCH_BEFORE, 0x90, PATCH_AFTER);
	m = bytes(b, after);
	memcpy(code + PATCH_BEFORE, "\x0f\x05", 2);
	memcpy(code + PATCH_BEFORE + 2, b, m);
	err = patch_plan(&p, code, PATCH_BEFORE, PATCH_AFTER, call, nr);
	free(code);
	return err;
}

static int
plan(const char *before, const char *after, uint32_t nr)
{
	return plan_at(before, after, CALL, nr);
}

/* ---- what is chosen ------------------------------------------------------ */

static const struct {
	const char	*before, *after;
	uint32_t	nr;
	uint8_t		len, call, traps, ninsns;
} usual[] = {
	/* glibc: getpid, read, rt_sigprocmask, __syscall_cancel_arch, clone, _exit, futex */
	{ "f3 0f 1e fa b8 27 00 00 00", "c3 0f 1f 84 00 00 00 00 00", 39, 7, 5, 0, 2 },
	{ "74 13 31 c0", "48 3d 00 f0 ff ff 77 51 c3", 0, 8, 0, 1 << 2, 2 },
	{ "31 c0", "48 89 c3 48 85 c0", 0, 5, 0, 1 << 2, 2 },
	{ "41 ba 08 00 00 00 b8 0e 00 00 00", "89 c2 f7 da 3d 00 f0 ff ff", 14, 7, 5, 0, 2 },
	{ "89 f8", "89 c2 f7 da 3d 00 f0 ff ff", 14, 6, 0, 1 << 2 | 1 << 4, 3 },
	{ "4c 89 5c 24 08", "c3 0f 1f 40 00", ANY, 7, 5, 0, 2 },
	{ "4c 8b 4c 24 08", "48 3d 01 f0 ff ff 73 01 c3", 202, 7, 5, 0, 2 },
	{ "b8 38 00 00 00", "48 85 c0 7c 14", 56, 7, 5, 0, 2 },
	{ "89 d0", "f4 eb f8 0f 1f 44 00 00", 60, 5, 0, 1 << 2 | 1 << 3, 3 },
	{ "48 c7 c0 e7 00 00 00", "f4", 231, 9, 7, 0, 2 },
	{ "48 8b 44 24 10", "0f 05", 0, 7, 5, 0, 2 },
	/* musl: a wrapper, __syscall_cp_asm, __unmapself, vfork, __syscall_ret in line */
	{ "4c 89 c0", "c3 66 2e 0f 1f 84 00 00 00 00 00", ANY, 13, 0, 1 << 2 | 1 << 3, 3 },
	{ "4c 89 5c 24 08", "c3 e9 7b ff ff ff", ANY, 7, 5, 0, 2 },
	{ "b0 3c", "f4 c3 8b 07 85 c0", 60, 6, 0, 1 << 2 | 1 << 3 | 1 << 4, 4 },
	{ "b8 3a 00 00 00", "52 48 89 c7 e8 12 34 56 00", 58, 7, 5, 0, 2 },
	{ "31 d2", "48 98 48 83 f8 fc", ANY, 8, 0, 1 << 2 | 1 << 4, 3 },
	{ "89 f8", "85 c0 78 10", ANY, 6, 0, 1 << 2 | 1 << 4, 3 },
	{ "48 89 d6", "5b 44 89 c0 5d 41 5c c3", ANY, 6, 0, 1 << 2 | 1 << 3, 3 },
	/* Go: runtime.futex, Syscall6, runtime.usleep */
	{ "b8 ca 00 00 00", "89 44 24 28 c3 cc cc", 202, 7, 5, 0, 2 },
	{ "48 89 df", "48 3d 01 f0 ff ff 76 1e", 0, 8, 0, 1 << 2, 2 },
	{ "bf 00 00 00 00", "c3 cc cc cc cc cc", 24, 5, 0, 1 << 2 | 1 << 3 | 1 << 4, 4 },
	/* Branches right behind, a vector move, a prefixed ret. */
	{ "90", "0f 83 10 00 00 00", ANY, 8, 0, 1 << 2, 2 },
	{ "90", "72 10 90", ANY, 5, 0, 1 << 2 | 1 << 4, 3 },
	{ "90", "e9 10 00 00 00", ANY, 7, 0, 1 << 2, 2 },
	{ "90", "66 0f 6f 05 10 00 00 00", ANY, 10, 0, 1 << 2, 2 },
	{ "90", "f3 c3 90", ANY, 5, 0, 1 << 2 | 1 << 4, 3 },
	{ "90", "ff 25 10 00 00 00", ANY, 8, 0, 1 << 2, 2 },
};

START_TEST(chooses_as_expected)
{
	ck_assert_int_eq(plan(usual[_i].before, usual[_i].after, usual[_i].nr), 0);
	ck_assert_uint_eq(p.call, usual[_i].call);
	ck_assert_uint_eq(p.start, CALL - p.call);
	ck_assert_uint_eq(p.len, usual[_i].len);
	ck_assert_uint_eq(p.traps, usual[_i].traps);
	ck_assert_uint_eq(p.ninsns, usual[_i].ninsns);
	ck_assert(p.slot_len <= PATCH_SLOT);
}
END_TEST

START_TEST(takes_before_only_what_is_certain)
{
	static const struct {
		const char	*before;
		uint32_t	nr;
	} doubtful[] = {
		{ "b8 27 00 00 00", 40 },			/* another number */
		{ "41 b8 27 00 00 00", 39 },			/* %r8d */
		{ "48 b8 01 02 03 b8 27 00 00 00", 39 },	/* within an immediate */
		{ "c7 40 b8 27 00 00 00", 39 },			/* a displacement */
		{ "c7 44 24 b8 27 00 00 00", 39 },
		{ "8b 84 b8 ca 00 00 00", 202 },		/* SIB */
		{ "41 8b b8 e8 00 00 00", 232 },		/* ModRM, the base not %rax */
		{ "64 8b b8 e8 00 00 00", 232 },
		{ "f7 b8 e8 00 00 00", 232 },			/* ModRM, %rax changed */
		{ "0f b1 b8 e8 00 00 00", 232 },
		{ "8d b8 e8 00 00 00", 232 },			/* no access */
		{ "48 8d b8 e8 00 00 00", 232 },
		{ "0f 1f b8 e8 00 00 00", 232 },
		{ "0f 18 b8 e8 00 00 00", 232 },
		{ "c5 fc 10 84 b8 ca 00 00 00", 202 },		/* SIB, of what is not decoded */
		{ "f0 01 8c b8 ca 00 00 00", 202 },
		{ "d9 84 b8 ca 00 00 00", 202 },
		{ "62 f2 7d 48 8b 44 24 08", ANY },		/* EVEX: vpcompressd */
		{ "66 b8 27 00 00 00", 39 },
		{ "67 b8 27 00 00 00", 39 },
		{ "66 4c 8b 4c 24 08", ANY },
		{ "2e 4c 89 5c 24 08", ANY },
		{ "4c 8d 4c 24 08", ANY },			/* not a move */
		{ "4c 8b 4c 25 08", ANY },			/* not the stack */
		{ "44 8b 4c 24 08", ANY },
	};

	for (size_t i = 0; i < ARRAY_LEN(doubtful); i++) {
		ck_assert_int_eq(plan(doubtful[i].before, "48 3d 01 f0 ff ff", doubtful[i].nr), 0);
		ck_assert_msg(p.call == 0, "%s", doubtful[i].before);
	}
	/* Nor what begins at the window's edge, since that may be its middle. */
	for (size_t n = 0; n <= PATCH_BEFORE; n++) {
		uint8_t code[PATCH_BEFORE + 8] = { 0 };

		memcpy(code + n, "\x0f\x05\x48\x3d\x01\xf0\xff\xff", 8);
		if (n >= 5)
			memcpy(code + n - 5, "\xb8\x27\0\0", 5);
		ck_assert_int_eq(patch_plan(&p, code, n, 8, CALL, 39), 0);
		ck_assert_uint_eq(p.call, n == PATCH_BEFORE ? 5 : 0);
	}
}
END_TEST

START_TEST(refuses_what_cannot_move)
{
	static const char *const after[] = {
		"e8 01 02 03 04",			/* call, direct and not */
		"ff d0 90", "ff 15 01 02 03 04", "41 ff 14 24",
		"e2 fe 90", "e3 10 90", "67 e3 10",	/* loop, jrcxz */
		"0f 05 90", "0f 34 90", "cd 80 90", "f1 90 90",	/* other calls and traps */
		"cf 90 90", "cb 90 90", "ca 01 00", "ff 2d 01 02 03 04",	/* far */
		"c7 f8 01 02 03 04", "c6 f8 01",	/* xbegin, xabort */
		"c5 f8 77", "c4 e1 f8 77", "62 f1 7c 48 10 00", "8f e9 78 e1 c0", "d5 00 90",	/* VEX and so on */
		"d9 45 00", "0f 01 d0", "0f 0f c0 9e",	/* x87, system, 3DNow! */
		"f0 0f b1 11", "f0 48 ff 03",		/* lock */
		"66 e9 01 02 03 04", "66 74 10", "f2 75 10", "48 eb 10",	/* branches with prefixes */
		"67 8b 05 01 02 03 04",			/* relative to %eip */
		"06 90 90", "82 c0 01", "ea 90 90",	/* none */
		"48 66 89 c0", "40 48 89 c0",		/* REX before a prefix */
		"66 66 66 66 66 66 66 66 66 66 66 66 66 66 66 90",	/* one too long */
		"90 e8 01 02 03 04", "89 c3 e8 00 00 00 00",
		"eb ff", "75 ff 90", "e9 fc ff ff ff", "0f 84 fd ff ff ff",	/* into the middle of an instruction here */
	};

	for (size_t i = 0; i < ARRAY_LEN(after); i++)
		ck_assert_msg(plan("90", after[i], ANY) == -EOPNOTSUPP, "%s", after[i]);
	/* A site before the call asks nothing of them. */
	for (size_t i = 0; i < ARRAY_LEN(after); i++)
		ck_assert_msg(plan("b8 01 00 00 00", after[i], 1) == 0, "%s", after[i]);
	/* The return from a signal stays. */
	ck_assert_int_eq(plan("48 c7 c0 0f 00 00 00", "0f 1f 80 00 00 00 00", SYS_rt_sigreturn), -EOPNOTSUPP);
}
END_TEST

START_TEST(reads_no_more_than_it_is_given)
{
	uint8_t code[32] = { 0x0f, 0x05, 0x48, 0x3d, 0x01, 0xf0, 0xff, 0xff }, *exact;

	for (size_t n = 0; n <= 8; n++) {
		exact = malloc(n ? n : 1);
		memcpy(exact, code, n);
		ck_assert_int_eq(patch_plan(&p, exact, 0, n, CALL, ANY), n < 2 ? -EINVAL : n < 8 ? -EOPNOTSUPP : 0);
		free(exact);
	}
	code[1] = 0x04;
	ck_assert_int_eq(patch_plan(&p, code, 0, sizeof code, CALL, ANY), -EINVAL);
	code[1] = 0x05;
	ck_assert_int_eq(patch_plan(&p, code, 1, sizeof code - 1, CALL, ANY), -EINVAL);
}
END_TEST

/* ---- where a slot may be ------------------------------------------------- */

START_TEST(stays_within_reach)
{
	uint64_t end;

	ck_assert_int_eq(plan("b8 01 00 00 00", "c3", 1), 0);
	ck_assert_uint_eq(p.traps, 0);
	end = p.start + PATCH_JUMP;
	ck_assert(patch_fits(&p, p.start + p.len));
	ck_assert(patch_fits(&p, p.start - p.slot_len));
	/* Not over the site. */
	ck_assert(!patch_fits(&p, p.start + p.len - 1));
	ck_assert(!patch_fits(&p, p.start - p.slot_len + 1));
	ck_assert(!patch_fits(&p, p.start));
	/* The jump reaches farther up than the slot's last jump does down, and the other way round. */
	ck_assert(patch_fits(&p, p.start + p.len + 0x80000000ULL - p.slot_len));
	ck_assert(!patch_fits(&p, p.start + p.len + 0x80000000ULL - p.slot_len + 1));
	ck_assert(patch_fits(&p, end - 0x80000000ULL));
	ck_assert(!patch_fits(&p, end - 0x80000001ULL));
	ck_assert(!patch_fits(&p, 0));
	ck_assert(!patch_fits(&p, UINT64_MAX));
	ck_assert(!patch_fits(&p, p.start + 0x8000000000000000ULL));
}
END_TEST

START_TEST(keeps_operands_within_reach)
{
	/* mov 0x7fffff00(%rip),%rax: refers to what a slot below does not reach. */
	ck_assert_int_eq(plan("90", "48 8b 05 00 ff ff 7f", ANY), 0);
	ck_assert(patch_fits(&p, p.start + PATCH_JUMP + 0x06000600));
	ck_assert(!patch_fits(&p, p.start + PATCH_JUMP - 0x1000000 + 0x1600));
	/* jmp as far up. */
	ck_assert_int_eq(plan("90", "e9 00 ff ff 7f", ANY), 0);
	ck_assert(patch_fits(&p, p.start + PATCH_JUMP + 0x1600));
	ck_assert(!patch_fits(&p, p.start + PATCH_JUMP - 0x1000000 + 0x1600));
	/* And down. */
	ck_assert_int_eq(plan("90", "0f 8f 00 01 00 80", ANY), 0);
	ck_assert(!patch_fits(&p, p.start + PATCH_JUMP + 0x1600));
	ck_assert(patch_fits(&p, p.start + PATCH_JUMP - 0x1000000 + 0x1600));
}
END_TEST

START_TEST(survives_the_ends_of_the_address_space)
{
	/* Sites that would begin below 0 or at it, end at 2^64, or refer to what is beyond. */
	for (uint64_t call = 0; call <= 5; call++)
		ck_assert_int_eq(plan_at("b8 01 00 00 00", "c3", call, 1), -EOPNOTSUPP);
	ck_assert_int_eq(plan_at("b8 01 00 00 00", "c3", 6, 1), 0);
	ck_assert(patch_fits(&p, p.start + p.len));
	ck_assert(!patch_fits(&p, p.start - p.slot_len));
	ck_assert_int_eq(plan_at("b8 01 00 00 00", "c3", UINT64_MAX - 1, 1), -EOPNOTSUPP);
	ck_assert_int_eq(plan_at("b8 01 00 00 00", "c3", UINT64_MAX - 2, 1), 0);
	ck_assert(patch_fits(&p, p.start - p.slot_len));
	ck_assert(!patch_fits(&p, p.start + p.len));
	ck_assert(!patch_fits(&p, 0x1000));
	ck_assert_int_eq(plan_at("90", "e9 00 01 00 00", UINT64_MAX - 0x106, ANY), -EOPNOTSUPP);
	ck_assert_int_eq(plan_at("90", "e9 00 01 00 00", UINT64_MAX - 0x107, ANY), 0);
	ck_assert_int_eq(plan_at("90", "48 8b 05 00 f0 ff ff", 0xff6, ANY), -EOPNOTSUPP);
	ck_assert_int_eq(plan_at("90", "48 8b 05 00 f0 ff ff", 0xff7, ANY), 0);
}
END_TEST

START_TEST(wants_bytes_that_trap)
{
	ck_assert_int_eq(plan("90", "c3 90 90", ANY), 0);
	ck_assert_uint_eq(p.traps, 1 << 2 | 1 << 3 | 1 << 4);
	for (unsigned k = 1; k < 4; k++) {
		for (unsigned b = 0; b < 256; b++) {
			uint32_t rel = 0x06060640;
			bool want = memchr(trapping, (int)b, sizeof trapping) != NULL;

			rel = (rel & ~(0xffU << 8 * k)) | b << 8 * k;
			ck_assert_int_eq(patch_fits(&p, p.start + PATCH_JUMP + (uint64_t)(int64_t)(int32_t)rel), want);
		}
	}
	ck_assert_int_eq(plan("90", "48 89 c7", ANY), 0);
	ck_assert(patch_fits(&p, p.start + PATCH_JUMP + 0x010600));
	ck_assert(!patch_fits(&p, p.start + PATCH_JUMP + 0x060100));
}
END_TEST

/* From a low address, as that of a static program, upwards; from a high one downwards. */
START_TEST(finds_the_highest_place)
{
	static const struct {
		uint64_t	call, low, high;
	} room[] = {
		{ CALL, CALL - 0x7ff00000, CALL - 0x1000 },
		{ 0x401000, 0x500000, 0x7fe00000 },
	};
	const uint64_t low = room[_i].low, high = room[_i].high;

	for (size_t i = 0; i < ARRAY_LEN(usual); i++) {
		uint64_t place, next;
		uint32_t tries = 0;

		ck_assert_int_eq(plan_at(usual[i].before, usual[i].after, room[_i].call, usual[i].nr), 0);
		place = patch_place(&p, low, high);
		ck_assert_uint_eq(place % PATCH_ALIGN, 0);
		ck_assert(place >= low && place <= high);
		ck_assert(patch_fits(&p, place));
		for (next = place + PATCH_ALIGN; next <= high && tries++ < 1 << 16; next += PATCH_ALIGN)
			ck_assert(!patch_fits(&p, next));
		ck_assert_uint_eq(patch_place(&p, place, place + PATCH_ALIGN - 1), place);
		ck_assert_uint_eq(patch_place(&p, place + 1, place + PATCH_ALIGN - 1), 0);
	}
	/* All of what is right below a program does not do for this one. */
	ck_assert_int_eq(plan_at("90", "c3 90 90", 0x401000, ANY), 0);
	ck_assert_uint_eq(patch_place(&p, 0x10000, 0x400000), 0);
	ck_assert_uint_eq(patch_place(&p, 0, PATCH_ALIGN), 0);
}
END_TEST

/* ---- slots that run ------------------------------------------------------ */

struct regs {
	uint64_t	gpr[16];	/* as the processor numbers them: rax rcx rdx rbx rsp rbp rsi rdi r8 ... */
	uint64_t	flags;
};

#define RSP	4
#define FLAGS	0x8d5ULL		/* the arithmetic ones */
#define TF	0x100ULL
#define AREA	(1ULL << 32)		/* what a jump from the middle reaches */
#define STACK	4096

extern struct regs test_regs;
extern const void *test_target, *test_entry;
extern const uint8_t test_stub[], test_land[];
void test_run(void);

/*
 * test_run: all registers as in test_regs, then to test_target; what returns leaves its registers there.
 * test_stub: makes the call, then what the stub does: %rcx the address after the call, %r11 the flags.
 */
__asm__(".pushsection .bss; .balign 8; .globl test_regs, test_target, test_entry\n"
    "test_regs: .skip 136; test_target: .skip 8; test_entry: .skip 8; test_sp: .skip 8; test_back: .skip 8\n"
    ".popsection; .pushsection .text; .globl test_run, test_land, test_stub\n"
    "test_run: push %rbx; push %rbp; push %r12; push %r13; push %r14; push %r15; mov %rsp,test_sp(%rip)\n"
    "push test_regs+128(%rip); popf\n"
    "mov test_regs(%rip),%rax; mov test_regs+8(%rip),%rcx; mov test_regs+16(%rip),%rdx\n"
    "mov test_regs+24(%rip),%rbx; mov test_regs+32(%rip),%rsp; mov test_regs+40(%rip),%rbp\n"
    "mov test_regs+48(%rip),%rsi; mov test_regs+56(%rip),%rdi; mov test_regs+64(%rip),%r8\n"
    "mov test_regs+72(%rip),%r9; mov test_regs+80(%rip),%r10; mov test_regs+88(%rip),%r11\n"
    "mov test_regs+96(%rip),%r12; mov test_regs+104(%rip),%r13; mov test_regs+112(%rip),%r14\n"
    "mov test_regs+120(%rip),%r15; jmp *test_target(%rip)\n"
    "test_land: mov %rax,test_regs(%rip); mov %rcx,test_regs+8(%rip); mov %rdx,test_regs+16(%rip)\n"
    "mov %rbx,test_regs+24(%rip); mov %rsp,test_regs+32(%rip); mov %rbp,test_regs+40(%rip)\n"
    "mov %rsi,test_regs+48(%rip); mov %rdi,test_regs+56(%rip); mov %r8,test_regs+64(%rip)\n"
    "mov %r9,test_regs+72(%rip); mov %r10,test_regs+80(%rip); mov %r11,test_regs+88(%rip)\n"
    "mov %r12,test_regs+96(%rip); mov %r13,test_regs+104(%rip); mov %r14,test_regs+112(%rip)\n"
    "mov %r15,test_regs+120(%rip); mov test_sp(%rip),%rsp; pushf; pop test_regs+128(%rip)\n"
    "pop %r15; pop %r14; pop %r13; pop %r12; pop %rbp; pop %rbx; ret\n"
    "test_stub: mov %r11,test_back(%rip); syscall; mov test_back(%rip),%rcx; mov -8(%rcx),%rcx\n"
    "jmp *test_back(%rip)\n"
    ".popsection");

/* Pieces of guest code; each returns, at its end at the latest.  The first call in it is the one that is replaced. */
#define PIECE(name, text)						\
	extern const uint8_t g_##name[], g_##name##_end[];		\
	__asm__(".pushsection .rodata\n.balign 16\ng_" #name ": .nops 16\n" text "; ret\ng_" #name "_end:\n.popsection\n")
#define DATA	"2b + 0x400"		/* from a piece's label 2 on: memory of the test */

PIECE(mov, "mov $39,%eax; syscall; lea 1(%rax,%rdi),%rdx");
PIECE(movq, "xor %edi,%edi; mov $39,%rax; syscall; sub %rbx,%rax");
PIECE(store, "mov %r11,8(%rsp); syscall; ret; jmp test_land");
PIECE(load, "mov 16(%rsp),%r9; syscall; setc %bl");
PIECE(cmp, "syscall; cmp $-4096,%rax; ja 1f; mov $1,%ebx; 1:");
PIECE(test, "syscall; test %eax,%eax; js 1f; mov $1,%ebx; ret; nop; 1: mov $2,%ecx");
PIECE(jcc32, "syscall; .byte 0x0f,0x82; .long 1f - . - 4; mov $1,%ebx; 1:");
PIECE(jns, "syscall; test %eax,%eax; jns 1f; mov $1,%ebx; ret; 1: mov $2,%ecx");
PIECE(jmp8, "syscall; jmp 1f; nop; mov $1,%ebx; ret; .nops 60; 1:");
PIECE(jmp32, "syscall; .byte 0xe9; .long 1f - . - 4; ud2; .nops 600; 1:");
PIECE(ret, "syscall; ret; nop; nop; nop");
PIECE(ret66, "syscall; ret; xchg %ax,%ax; nop");
PIECE(pops, "push %rbx; push %rdi; push %rsi; syscall; pop %r8; pop %rax; pop %r9");
PIECE(pops1, "push %rbx; push %rdi; push %rsi; syscall; pop %rbp; pop %rax; pop %rdx");
PIECE(rip, "2: syscall; mov " DATA "(%rip),%rbx");
PIECE(lea, "2: syscall; lea " DATA "(%rip),%rbx");
PIECE(rip_imm, "2: syscall; cmpl $0x12345678," DATA "(%rip)");
PIECE(write, "2: syscall; xor %rdi," DATA "(%rip); mov " DATA "(%rip),%r12");
PIECE(indirect, "syscall; jmp *(%rsp); mov $1,%ebx");
PIECE(again, "mov $39,%edx; 1: mov %edx,%eax; syscall; neg %ebx; js 1b");
PIECE(loop, "mov $0x1234,%eax; 1: syscall; neg %ebx; js 1b");
PIECE(twice, "syscall; sahf; mov $39,%eax; syscall");
PIECE(flags, "syscall; cmc; adc %rbx,%rdi");
PIECE(rcx, "syscall; mov %rcx,%rbx; xor %r11,%rdi");

static const struct piece {
	const uint8_t	*code, *end;
} pieces[] = {
#define ENTRY(name) { g_##name, g_##name##_end }
	ENTRY(mov), ENTRY(movq), ENTRY(store), ENTRY(load), ENTRY(cmp), ENTRY(test), ENTRY(jcc32), ENTRY(jns),
	ENTRY(jmp8), ENTRY(jmp32), ENTRY(ret), ENTRY(ret66), ENTRY(pops), ENTRY(pops1), ENTRY(rip), ENTRY(lea),
	ENTRY(rip_imm), ENTRY(write), ENTRY(indirect), ENTRY(again), ENTRY(loop), ENTRY(twice), ENTRY(flags), ENTRY(rcx),
};

static uint8_t *area, *home, stack[STACK], stack_then[STACK], alt_stack[65536];
static uint64_t slot, seed;
static unsigned traps, nsteps;
static uint64_t steps[64];

static uint64_t
rnd(void)
{
	seed = seed * 6364136223846793005ULL + 1442695040888963407ULL;
	return seed >> 16;
}

static void
go_to(ucontext_t *uc, const void *where)
{
	uc->uc_mcontext.gregs[REG_RIP] = (greg_t)(uintptr_t)where;
}

/* A step inside the slot: what the guest would be shown. */
static void
on_step(uint64_t rip)
{
	uint64_t old = patch_leave(&p, slot, rip);

	if (rip - slot >= p.slot_len)
		return;
	if (nsteps < ARRAY_LEN(steps) && (nsteps == 0 || steps[nsteps - 1] != old))
		steps[nsteps++] = old;
}

static void
on_signal(int sig, siginfo_t *info, void *ucv)
{
	ucontext_t *uc = ucv;
	uint64_t rip = (uint64_t)uc->uc_mcontext.gregs[REG_RIP], in;

	if (sig == SIGTRAP && info->si_code != SI_KERNEL) {
		on_step(rip);
		if (rip == (uintptr_t)test_land)
			uc->uc_mcontext.gregs[REG_EFL] &= ~(greg_t)TF;
		return;
	}
	rip -= sig == SIGTRAP;
	traps++;
	in = patch_enter(&p, slot, rip);
	/* Nowhere: the test sees by the count that something is wrong. */
	if (in == 0)
		traps += 1000;
	go_to(uc, in ? (const void *)(uintptr_t)in : test_land);
}

static void
set_up(void)
{
	static const int signals[] = { SIGILL, SIGSEGV, SIGBUS, SIGTRAP };
	stack_t ss = { .ss_sp = alt_stack, .ss_size = sizeof alt_stack };
	struct sigaction sa = { .sa_sigaction = on_signal, .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER };

	area = mmap(NULL, AREA, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	ck_assert(area != MAP_FAILED);
	home = area + AREA / 2;
	ck_assert_int_eq(mprotect(home, 2 * PAGE_SIZE, PROT_READ | PROT_WRITE | PROT_EXEC), 0);
	ck_assert_int_eq(sigaltstack(&ss, NULL), 0);
	for (size_t i = 0; i < ARRAY_LEN(signals); i++)
		ck_assert_int_eq(sigaction(signals[i], &sa, NULL), 0);
	seed = 1;
}

/* The registers and the stack of try n; %rax is a call's number where the code does not set it. */
static void
fill(struct regs *r, unsigned n)
{
	seed = n + 1;
	for (unsigned i = 0; i < 16; i++)
		r->gpr[i] = rnd() << 32 ^ rnd();
	r->flags = (rnd() & FLAGS) | 0x202;
	r->gpr[0] = n % 2 ? SYS_getpid : 0x1234;
	for (unsigned i = 0; i < STACK; i++)
		stack[i] = (uint8_t)rnd();
	r->gpr[RSP] = (uintptr_t)(stack + STACK / 2);
	for (unsigned i = 0; i < 8; i++) {
		const void *land = test_land;

		memcpy(stack + STACK / 2 + 8 * (size_t)i, &land, sizeof land);
	}
	for (unsigned i = 0; i < 64; i++)
		home[0x400 + i] = (uint8_t)rnd();
}

static void
run(const struct regs *r, const void *from)
{
	test_regs = *r;
	test_target = from;
	traps = nsteps = 0;
	test_run();
}

/* Runs piece code from offset off, the site as it was and replaced; false: they differ in what they leave. */
static void
compare(const struct piece *g, unsigned n, unsigned off, const uint8_t *jump)
{
	struct regs r, then;
	size_t size = (size_t)(g->end - g->code);
	uint8_t data[64];
	unsigned want = off > 0 && off < PATCH_JUMP;

	memcpy(home, g->code, size);
	fill(&r, n);
	run(&r, off ? (uint8_t *)(uintptr_t)p.start + off : home);
	then = test_regs;
	memcpy(stack_then, stack, STACK);
	memcpy(data, home + 0x400, sizeof data);
	memcpy((void *)(uintptr_t)p.start, jump, PATCH_JUMP);
	fill(&r, n);
	run(&r, off ? (uint8_t *)(uintptr_t)p.start + off : home);
	ck_assert_uint_eq(traps, want);
	for (unsigned i = 0; i < 16; i++)
		ck_assert_msg(test_regs.gpr[i] == then.gpr[i], "register %u: %#lx, was %#lx", i, test_regs.gpr[i], then.gpr[i]);
	ck_assert_uint_eq(test_regs.flags, then.flags);
	ck_assert(memcmp(stack, stack_then, STACK) == 0 && memcmp(home + 0x400, data, sizeof data) == 0);
}

static uint64_t
site_of(const struct piece *g)
{
	const uint8_t *at = memmem(g->code, (size_t)(g->end - g->code), "\x0f\x05", 2);

	ck_assert(at != NULL);
	return (uintptr_t)home + (size_t)(at - g->code);
}

/* Plans the piece's call, with a slot at this distance from the site. */
static void
place(const struct piece *g, uint32_t rel, uint8_t *jump)
{
	uint8_t out[PATCH_SLOT];
	uint64_t call = site_of(g);

	memset(home, 0x90, PAGE_SIZE / 2);
	memcpy(home, g->code, (size_t)(g->end - g->code));
	ck_assert_int_eq(patch_plan(&p, home + (call - (uintptr_t)home) - PATCH_BEFORE, PATCH_BEFORE, PATCH_AFTER, call,
	    SYS_getpid), 0);
	slot = p.start + PATCH_JUMP + (uint64_t)(int64_t)(int32_t)rel;
	ck_assert_msg(patch_fits(&p, slot), "%#x", rel);
	memcpy(home + PAGE_SIZE, &(const void *){ test_stub }, 8);
	patch_emit(&p, slot, (uintptr_t)home + PAGE_SIZE, out, jump);
	ck_assert_int_eq(mprotect((void *)(uintptr_t)page_down(slot), 2 * PAGE_SIZE, PROT_READ | PROT_WRITE | PROT_EXEC), 0);
	memcpy((void *)(uintptr_t)slot, out, p.slot_len);
}

START_TEST(slots_do_what_the_sites_did)
{
	static const uint32_t rels[] = { 0x06060640, 0x00ce1640 + 0x27000000, 0xce6c9a40, 0xfafbf4c0 };
	const struct piece *g = &pieces[_i];
	uint8_t jump[PATCH_JUMP];

	set_up();
	for (size_t i = 0; i < ARRAY_LEN(rels); i++) {
		place(g, rels[i], jump);
		for (unsigned n = 0; n < 8; n++) {
			compare(g, n, 0, jump);
			for (unsigned k = 1; k < p.ninsns; k++)
				compare(g, n, p.at[k], jump);
		}
	}
}
END_TEST

/* Each byte that patch_fits allows does trap here, at every place, whatever is behind. */
START_TEST(jumps_into_a_site_trap)
{
	const struct piece *g = NULL;
	uint8_t jump[PATCH_JUMP];

	set_up();
	for (size_t i = 0; i < ARRAY_LEN(pieces); i++) {
		if (pieces[i].code == g_ret)
			g = &pieces[i];
	}
	for (unsigned k = 1; k < 4; k++) {
		for (size_t i = 0; i < sizeof trapping; i++) {
			uint32_t rel = 0x06060640;

			rel = (rel & ~(0xffU << 8 * k)) | (uint32_t)trapping[i] << 8 * k;
			place(g, rel, jump);
			ck_assert_uint_eq(p.traps, 1 << 2 | 1 << 3 | 1 << 4);
			for (unsigned at = 1; at < p.ninsns; at++)
				compare(g, (unsigned)i, p.at[at], jump);
		}
	}
	for (size_t i = 0; i < sizeof trapping; i++) {
		for (unsigned n = 0; n < 20; n++) {
			struct regs r;

			fill(&r, n);
			home[0] = trapping[i];
			for (unsigned at = 1; at < 16; at++)
				home[at] = (uint8_t)rnd();
			p.ninsns = 0;		/* there is no way on */
			run(&r, home);
			ck_assert_uint_eq(traps, 1001);
		}
	}
}
END_TEST

/* A thread that is stopped after each instruction is always somewhere the guest knows. */
START_TEST(each_step_has_a_place)
{
	uint8_t jump[PATCH_JUMP];
	struct regs r;

	set_up();
	for (size_t i = 0; i < ARRAY_LEN(pieces); i++) {
		place(&pieces[i], 0x06060640, jump);
		memcpy((void *)(uintptr_t)p.start, jump, PATCH_JUMP);
		fill(&r, 1);
		r.flags |= TF;
		run(&r, home);
		ck_assert_uint_ge(nsteps, 2);
		for (unsigned n = 0; n < nsteps && n < p.ninsns; n++)
			ck_assert(steps[n] == p.start + p.at[n] || steps[n] == p.start + p.at[0]);
		for (unsigned n = 0; n < nsteps; n++)
			ck_assert(steps[n] != 0);
	}
}
END_TEST

START_TEST(knows_places_in_a_slot)
{
	unsigned n = 0;

	for (size_t i = 0; i < ARRAY_LEN(usual); i++) {
		ck_assert_int_eq(plan(usual[i].before, usual[i].after, usual[i].nr), 0);
		slot = p.start + 0x06060640;
		for (unsigned k = 0; k < p.ninsns; k++) {
			uint64_t old = p.start + p.at[k];

			ck_assert_uint_eq(patch_leave(&p, slot, slot + p.slot_at[k]), old);
			ck_assert_uint_eq(patch_enter(&p, slot, old), k ? slot + p.slot_at[k] : 0);
		}
		/* The call, on its way; the way back. */
		ck_assert_uint_eq(patch_leave(&p, slot, slot + p.back - 14), p.start + p.call);
		ck_assert_uint_eq(patch_leave(&p, slot, slot + p.back - 8), 0);
		ck_assert_uint_eq(patch_leave(&p, slot, slot + p.slot_len - 5), p.start + p.len);
		ck_assert_uint_eq(patch_leave(&p, slot, slot + p.back), p.start + p.call + 2);
		n = 0;
		for (unsigned off = 0; off < PATCH_SLOT; off++)
			n += patch_leave(&p, slot, slot + off) != 0;
		ck_assert_uint_eq(n, p.ninsns + 2);
		ck_assert_uint_eq(patch_leave(&p, slot, slot - 1), 0);
		ck_assert_uint_eq(patch_leave(&p, slot, p.start), 0);
		ck_assert_uint_eq(patch_enter(&p, slot, p.start + 1), 0);
		ck_assert_uint_eq(patch_enter(&p, slot, p.start + p.len), 0);
		ck_assert_uint_eq(patch_enter(&p, slot, p.start - 1), 0);
	}
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("patch");
	TCase *c = tcase_create("plan"), *d = tcase_create("slots");
	SRunner *r;
	int failed;

	tcase_add_loop_test(c, chooses_as_expected, 0, ARRAY_LEN(usual));
	tcase_add_test(c, takes_before_only_what_is_certain);
	tcase_add_test(c, refuses_what_cannot_move);
	tcase_add_test(c, reads_no_more_than_it_is_given);
	tcase_add_test(c, stays_within_reach);
	tcase_add_test(c, keeps_operands_within_reach);
	tcase_add_test(c, survives_the_ends_of_the_address_space);
	tcase_add_test(c, wants_bytes_that_trap);
	tcase_add_loop_test(c, finds_the_highest_place, 0, 2);
	tcase_add_test(c, knows_places_in_a_slot);
	tcase_add_loop_test(d, slots_do_what_the_sites_did, 0, ARRAY_LEN(pieces));
	tcase_add_test(d, jumps_into_a_site_trap);
	tcase_add_test(d, each_step_has_a_place);
	tcase_set_timeout(d, 60);
	suite_add_tcase(s, c);
	suite_add_tcase(s, d);
	r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
