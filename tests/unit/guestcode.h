/*
 * guestcode: guest code in tiny pieces, run by both platforms, for the tests of platform/.  Each test boots the
 * platform in a child of its own.  Included by one test program each, which defines cases().
 */
#ifndef TESTS_UNIT_GUESTCODE_H
#define TESTS_UNIT_GUESTCODE_H

#include <check.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/hostcall.h"
#include "platform/hostvdso.h"
#include "platform/space.h"
#include "platform/stub/stub.h"

#define CODE	0x400000ULL
#define DATA	0x600000ULL
#define STACK	0x700000ULL
#define CODE_LEN 0x2000ULL

/* ---- guest code ---------------------------------------------------------- */

/* Position-independent pieces; the sentry's side is the C function of the same name. */
#define PIECE(name, text)						\
	extern const char g_##name[], g_##name##_end[];			\
	__asm__(".pushsection .rodata\n.balign 16\ng_" #name ":\n" text "\ng_" #name "_end:\n.popsection\n")

PIECE(calls, "mov $1234,%eax; mov $1,%edi; mov $2,%esi; mov $3,%edx; mov $4,%r10d; mov $5,%r8d; mov $6,%r9d;"
    "syscall; mov %rax,%rbx; mov $39,%eax; syscall; 1: mov $7,%eax; syscall; jmp 1b");
PIECE(loop, "1: mov $39,%eax; syscall; jmp 1b");
PIECE(spin, "1: inc %rbx; jmp 1b");
PIECE(ud2, "ud2");
PIECE(int3, "int3; nop");
PIECE(div, "xor %ecx,%ecx; xor %edx,%edx; mov $1,%eax; div %ecx");
PIECE(load, "mov (%rdi),%rax; mov $1,%eax; syscall");
PIECE(store, "mov %rax,(%rdi); mov $1,%eax; syscall");
PIECE(bases, "mov $0x111000,%eax; wrfsbase %rax; mov $0x222000,%eax; wrgsbase %rax; mov $1,%eax; syscall;"
    "rdfsbase %rbx; rdgsbase %r8; mov $2,%eax; syscall");
PIECE(through, "mov %fs:0,%rbx; mov %gs:0,%r8; mov $1,%eax; syscall; mov %fs:0,%rbx; mov %gs:0,%r8; mov $2,%eax; syscall");
PIECE(avx, "vmovdqu (%rdi),%ymm7; mov $1,%eax; syscall; vmovdqu %ymm7,32(%rdi); mov $2,%eax; syscall;"
    "vmovdqu %ymm7,32(%rdi); mov $3,%eax; syscall");
PIECE(int80, "mov $20,%eax; int $0x80; mov $0x40000027,%eax; syscall; mov $-9,%eax; syscall; mov $1,%eax; syscall");
PIECE(tf, "pushfq; orq $0x100,(%rsp); popfq; nop; nop");
PIECE(native, "mov $202,%eax; mov $0x600000,%edi; mov $1,%esi; mov $1,%edx; syscall; mov $15,%eax; syscall;"
    "mov $60,%eax; xor %edi,%edi; syscall; mov $231,%eax; syscall; mov $9,%eax; syscall");
/* Forges a frame: everything zero but what rdi gives, then sigreturn from the stub. */
PIECE(jump, "jmp *%rdi");
PIECE(scribble, "mov $0x7fff80000000,%rdi; mov $0x20000,%ecx; mov $0xff,%al; rep stosb; mov $1,%eax; syscall");
PIECE(counter, "1: lock incl (%rdi); mov $39,%eax; syscall; jmp 1b");

/* Random words all over a context set, and likely states into its state word. */
PIECE(scribbler, "1: mov %rbx,%rax; shl $13,%rax; xor %rax,%rbx; mov %rbx,%rax; shr $7,%rax; xor %rax,%rbx;"
    "mov %rbx,%rax; shl $17,%rax; xor %rax,%rbx; mov %rbx,%rcx; and $0x1ff8,%ecx; mov %rbx,0x6000(%rdi,%rcx); mov %rbx,0x1e000(%rdi,%rcx);"
    "mov %rbx,%rax; shr $20,%rax; and $7,%eax; mov %eax,0x1fe00(%rdi); mov %rbx,%rcx; and $0x3f8,%ecx;"
    "mov %rbx,0x1a000(%rdi,%rcx); mov %rdi,0x7dc0(%rdi); jmp 1b");
/* Calls gettimeofday where old programs expect it. */
PIECE(vsyscall, "mov $0x600000,%edi; xor %esi,%esi; mov $0xffffffffff600000,%rax; call *%rax; mov $1,%eax; syscall");

/* Calls a function again and again with two arguments. */
PIECE(call, "1: mov %r12,%rdi; mov %r13,%rsi; call *%rbx; mov $39,%eax; syscall; jmp 1b");

/* ---- harness ------------------------------------------------------------- */

static int memfile;
static const char *use;
static bool no_vdso;
static bool use_filters;	/* guest threads with filters of their own, as on hosts without user dispatch */

/* No ck_assert here nor in fill: the benchmark uses them outside the suite. */
static int
boot_as(const char *name, bool filter)
{
	struct platform_conf conf = { .name = name, .no_vdso = no_vdso };
	const char *why = "";
	int err;

	memfile = memfd_create("memory", MFD_CLOEXEC);
	conf.memfile = memfile;
	conf.proc_dirfd = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (memfile < 0 || ftruncate(memfile, 64 << 20) != 0 || conf.proc_dirfd < 0)
		return -ENFILE;
	err = platform_boot(&conf, &why);
	if (err == 0)
		err = platform_ready(&why);
	if (err) {
		fprintf(stderr, "boot: %s\n", why);
		return err;
	}
	if (use_filters)
		plat.dispatch = false;
	if (!filter)
		return 0;
	return filter_install(strcmp(name, "ptrace") == 0 ? ROLE_SENTRY_PTRACE : ROLE_SENTRY);
}

static int
fill(struct space *s, const char *code, const char *end)
{
	struct mapcmd c[3] = {
		{ .op = MAPOP_MMAP, .va = CODE, .len = CODE_LEN, .prot = PROT_READ | PROT_WRITE | PROT_EXEC,
		  .flags = MAP_PRIVATE, .fd = MAPFD_ANON },
		{ .op = MAPOP_MMAP, .va = DATA, .len = 0x10000, .prot = PROT_READ | PROT_WRITE,
		  .flags = MAP_PRIVATE, .fd = MAPFD_ANON },
		{ .op = MAPOP_MMAP, .va = STACK, .len = 0x10000, .prot = PROT_READ | PROT_WRITE,
		  .flags = MAP_PRIVATE, .fd = MAPFD_ANON },
	};

	int err = space_exec(s, c, 3);

	if (err == 0 && space_write(s, CODE, code, (size_t)(end - code)) != end - code)
		err = -EFAULT;
	return err;
}

static struct abi_regs
start_regs(void)
{
	struct abi_regs r;

	memset(&r, 0, sizeof r);
	r.rip = CODE;
	r.rsp = STACK + 0x10000;
	r.eflags = 0x202;
	r.orig_rax = ~0ULL;
	return r;
}

/* One stop with all registers. */
static void
run_guest(struct ctx *c, struct abi_regs *r, struct stop *st)
{
	ctx_run(c, r, st);
	ctx_regs(c, r);
}

#define START(name)							\
	struct space *s;						\
	struct ctx *c;							\
	UNUSED struct abi_regs r = start_regs();			\
	UNUSED struct stop st;						\
	ck_assert_int_eq(boot_as(use, false), 0);				\
	ck_assert_int_eq(space_new(&s), 0);				\
	ck_assert_int_eq(fill(s, g_##name, g_##name##_end), 0);		\
	ck_assert_int_eq(ctx_new(s, &c), 0)

#define END() do {							\
	ctx_free(c);							\
	ck_assert_int_eq(atomic_load(&plat.world->awake), 0);			\
	space_free(s);							\
	platform_shutdown();						\
} while (0)

#define RUN_SYSCALL(n) do {						\
	run_guest(c, &r, &st);						\
	ck_assert_int_eq(st.kind, STOP_SYSCALL);			\
	ck_assert_uint_eq(r.orig_rax, (n));				\
} while (0)

static uint64_t
now_ns(void)
{
	return host_clock_ns(CLOCK_MONOTONIC);
}

struct kicker {
	struct ctx *c;
	unsigned ms;
	int times;
	uint64_t when;		/* not before the guest has put something there, or a second has passed; 0: at once */
};

UNUSED static void *
kick_later(void *arg)
{
	struct kicker *k = arg;
	_Atomic uint32_t never = 0;

	for (int i = 0; i < 100 && k->when != 0; i++) {
		char c = 0;

		if (space_read(k->c->s, k->when, &c, 1) != 1 || c != 0)
			break;
		(void)host_futex_wait(&never, 0, now_ns() + 10 * 1000000ULL, false);
	}
	for (int i = 0; i < k->times; i++) {
		(void)host_futex_wait(&never, 0, now_ns() + k->ms * 1000000ULL, false);
		ctx_kick(k->c);
	}
	return NULL;
}

/* ---- the suite ------------------------------------------------------------ */

static void
set_systrap(void)
{
	use = "systrap";
}

static void
set_filters(void)
{
	use = "systrap";
	use_filters = true;
}

static void
set_ptrace(void)
{
	use = "ptrace";
}

/* Adds the program's tests to tc. */
static void cases(TCase *tc);

static int
run_suite(const char *name)
{
	static const struct {
		const char	*name;
		void		(*setup)(void);
	} ways[] = { { "systrap", set_systrap }, { "systrap, filters", set_filters }, { "ptrace", set_ptrace } };
	Suite *suite = suite_create(name);
	SRunner *sr;
	int failed;

	for (size_t i = 0; i < ARRAY_LEN(ways); i++) {
		TCase *tc = tcase_create(ways[i].name);

		tcase_add_checked_fixture(tc, ways[i].setup, NULL);
		tcase_set_timeout(tc, 60);
		cases(tc);
		suite_add_tcase(suite, tc);
	}
	sr = srunner_create(suite);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed != 0;
}

#endif
