/*
 * platform: guest code in tiny pieces, run by both platforms, the guest in good order and
 * hostile.  Each test boots the platform in a child of its own.
 *
 *	test_platform			the suite
 *	test_platform bench [platform]	the cost of a null system call, a fault, a fork
 */
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
PIECE(int80, "mov $20,%eax; int $0x80; mov $0x40000027,%eax; syscall; mov $1,%eax; syscall");
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
    "mov %rdi,0x7dc0(%rdi); jmp 1b");
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
	space_free(s);							\
	platform_shutdown();						\
} while (0)

#define RUN_SYSCALL(n) do {						\
	ctx_run(c, &r, &st);						\
	ck_assert_int_eq(st.kind, STOP_SYSCALL);			\
	ck_assert_uint_eq(r.orig_rax, (n));				\
} while (0)

static uint64_t
now_ns(void)
{
	return host_clock_ns(CLOCK_MONOTONIC);
}

/* ---- in good order ------------------------------------------------------- */

START_TEST(test_syscall)
{
	START(calls);
	RUN_SYSCALL(1234);
	ck_assert(!st.foreign);
	ck_assert_uint_eq(r.rax, (uint64_t)-ENOSYS);
	ck_assert_uint_eq(r.rdi, 1);
	ck_assert_uint_eq(r.rsi, 2);
	ck_assert_uint_eq(r.rdx, 3);
	ck_assert_uint_eq(r.r10, 4);
	ck_assert_uint_eq(r.r8, 5);
	ck_assert_uint_eq(r.r9, 6);
	ck_assert_uint_eq(r.rsp, STACK + 0x10000);
	r.rax = 0x123456789abcULL;
	r.r15 = 15;
	RUN_SYSCALL(39);
	ck_assert_uint_eq(r.rbx, 0x123456789abcULL);
	ck_assert_uint_eq(r.r15, 15);
	for (int i = 0; i < 1000; i++)
		RUN_SYSCALL(7);
	END();
}
END_TEST

START_TEST(test_faults)
{
	START(ud2);
	ctx_run(c, &r, &st);
	ck_assert_int_eq(st.kind, STOP_FAULT);
	ck_assert_int_eq(st.signo, SIGILL);
	ck_assert_uint_eq(r.rip, CODE);
	ck_assert_uint_eq(r.orig_rax, ~0ULL);

	ck_assert_int_eq(fill(s, g_int3, g_int3_end), 0);
	r = start_regs();
	ctx_run(c, &r, &st);
	ck_assert_int_eq(st.kind, STOP_FAULT);
	ck_assert_int_eq(st.signo, SIGTRAP);
	ck_assert_uint_eq(r.rip, CODE + 1);

	ck_assert_int_eq(fill(s, g_div, g_div_end), 0);
	r = start_regs();
	ctx_run(c, &r, &st);
	ck_assert_int_eq(st.kind, STOP_FAULT);
	ck_assert_int_eq(st.signo, SIGFPE);
	ck_assert_int_eq(st.code, FPE_INTDIV);

	ck_assert_int_eq(fill(s, g_tf, g_tf_end), 0);
	r = start_regs();
	ctx_run(c, &r, &st);
	ck_assert_int_eq(st.kind, STOP_FAULT);
	ck_assert_int_eq(st.signo, SIGTRAP);
	ck_assert_int_eq(st.code, TRAP_TRACE);
	END();
}
END_TEST

START_TEST(test_page_faults)
{
	struct mapcmd m;

	START(load);
	r.rdi = 0x12345000;
	ctx_run(c, &r, &st);
	ck_assert_int_eq(st.kind, STOP_FAULT);
	ck_assert_int_eq(st.signo, SIGSEGV);
	ck_assert_int_eq(st.code, SEGV_MAPERR);
	ck_assert_uint_eq(st.addr, 0x12345000);
	ck_assert_uint_eq(st.trapno, 14);
	/* Mapped now: the same instruction goes on. */
	m = (struct mapcmd){ .op = MAPOP_MMAP, .va = 0x12345000, .len = 4096, .prot = PROT_READ,
	    .flags = MAP_SHARED, .fd = MAPFD_MEMFILE, .off = 8192 };
	ck_assert_int_eq(space_exec(s, &m, 1), 0);
	RUN_SYSCALL(1);
	ck_assert_int_eq(fill(s, g_store, g_store_end), 0);
	r.rip = CODE;
	ctx_run(c, &r, &st);
	ck_assert_int_eq(st.kind, STOP_FAULT);
	ck_assert_int_eq(st.signo, SIGSEGV);
	ck_assert_int_eq(st.code, SEGV_ACCERR);
	m.op = MAPOP_MPROTECT;
	m.prot = PROT_READ | PROT_WRITE;
	ck_assert_int_eq(space_exec(s, &m, 1), 0);
	r.rax = 0x55aa;
	RUN_SYSCALL(1);
	{
		uint64_t v = 0;

		ck_assert_int_eq(host_pread(memfile, &v, 8, 8192), 8);
		ck_assert_uint_eq(v, 0x55aa);
	}
	m.op = MAPOP_MUNMAP;
	ck_assert_int_eq(space_exec(s, &m, 1), 0);
	r.rip = CODE;
	ctx_run(c, &r, &st);
	ck_assert_int_eq(st.signo, SIGSEGV);
	END();
}
END_TEST

START_TEST(test_bases)
{
	/* Without FSGSBASE a guest has no way to choose them itself. */
	if (!(getauxval(AT_HWCAP2) & 2))
		return;
	START(bases);
	RUN_SYSCALL(1);
	ck_assert_uint_eq(r.fs_base, 0x111000);
	ck_assert_uint_eq(r.gs_base, 0x222000);
	r.fs_base = 0x333000;
	r.gs_base = 0x444000;
	RUN_SYSCALL(2);
	ck_assert_uint_eq(r.rbx, 0x333000);
	ck_assert_uint_eq(r.r8, 0x444000);
	END();
}
END_TEST

START_TEST(test_through_bases)
{
	const uint64_t words[2] = { 0x1234, 0x5678 };

	START(through);
	ck_assert_int_eq(space_write(s, DATA, words, sizeof words), sizeof words);
	r.fs_base = DATA;
	r.gs_base = DATA + 8;
	RUN_SYSCALL(1);
	ck_assert_uint_eq(r.rbx, 0x1234);
	ck_assert_uint_eq(r.r8, 0x5678);
	ck_assert_uint_eq(r.fs_base, DATA);
	ck_assert_uint_eq(r.gs_base, DATA + 8);
	r.fs_base = DATA + 8;
	r.gs_base = DATA;
	RUN_SYSCALL(2);
	ck_assert_uint_eq(r.rbx, 0x5678);
	ck_assert_uint_eq(r.r8, 0x1234);
	END();
}
END_TEST

START_TEST(test_fp)
{
	static char a[16384], b[16384];
	char in[32], out[32];

	START(avx);
	ck_assert_uint_le(platform_fp_size, sizeof a);
	for (int i = 0; i < 32; i++)
		in[i] = (char)(i * 7 + 1);
	ck_assert_int_eq(space_write(s, DATA, in, 32), 32);
	r.rdi = DATA;
	RUN_SYSCALL(1);
	ck_assert_int_eq(ctx_get_fp(c, a), 0);
	RUN_SYSCALL(2);
	ck_assert_int_eq(space_read(s, DATA + 32, out, 32), 32);
	ck_assert_mem_eq(in, out, 32);
	/* xmm7 in the image, at 160 + 7 * 16; change it and see the guest see it. */
	ck_assert_mem_eq(a + 160 + 112, in, 16);
	memset(a + 160 + 112, 0x5a, 16);
	ck_assert_int_eq(ctx_set_fp(c, a), 0);
	ck_assert_int_eq(ctx_get_fp(c, b), 0);
	ck_assert_mem_eq(a + 160 + 112, b + 160 + 112, 16);
	RUN_SYSCALL(3);
	ck_assert_int_eq(space_read(s, DATA + 32, out, 32), 32);
	ck_assert_int_eq(out[0], 0x5a);
	ck_assert_mem_eq(in + 16, out + 16, 16);
	/* Malformed images are refused. */
	memcpy(b, a, platform_fp_size);
	b[512 + 8] = 1;
	ck_assert_int_eq(ctx_set_fp(c, b), -EINVAL);
	memcpy(b, a, platform_fp_size);
	memset(b + 24, 0xff, 4);
	ck_assert_int_eq(ctx_set_fp(c, b), -EINVAL);
	END();
}
END_TEST

START_TEST(test_foreign)
{
	START(int80);
	ctx_run(c, &r, &st);
	if (st.kind == STOP_SYSCALL) {		/* a host without 32-bit calls raises SIGSEGV */
		ck_assert(st.foreign);
		ck_assert_uint_eq(r.orig_rax, 20);
	} else {
		ck_assert_int_eq(st.signo, SIGSEGV);
		r.rip += 2;
	}
	ctx_run(c, &r, &st);
	ck_assert_int_eq(st.kind, STOP_SYSCALL);
	ck_assert(st.foreign);
	RUN_SYSCALL(1);
	ck_assert(!st.foreign);
	END();
}
END_TEST

struct kicker {
	struct ctx *c;
	unsigned ms;
	int times;
};

static void *
kick_later(void *arg)
{
	struct kicker *k = arg;
	_Atomic uint32_t never = 0;

	for (int i = 0; i < k->times; i++) {
		(void)host_futex_wait(&never, 0, now_ns() + k->ms * 1000000ULL, false);
		ctx_kick(k->c);
	}
	return NULL;
}

START_TEST(test_kick)
{
	struct kicker k = { .ms = 30, .times = 1 };
	pthread_t t;
	uint64_t before, t0;

	START(spin);
	k.c = c;
	ctx_kick(c);
	ctx_run(c, &r, &st);
	ck_assert_int_eq(st.kind, STOP_KICK);
	ck_assert_uint_eq(r.rip, CODE);
	for (int i = 0; i < 3; i++) {
		ck_assert_int_eq(pthread_create(&t, NULL, kick_later, &k), 0);
		before = r.rbx;
		t0 = now_ns();
		ctx_run(c, &r, &st);
		ck_assert_int_eq(st.kind, STOP_KICK);
		ck_assert_uint_gt(r.rbx, before);
		ck_assert_uint_lt(now_ns() - t0, 5 * NSEC_PER_SEC);
		pthread_join(t, NULL);
	}
	/* Kicks against a guest that makes calls: none is lost, none comes twice. */
	ck_assert_int_eq(fill(s, g_loop, g_loop_end), 0);
	r = start_regs();
	k.ms = 2;
	k.times = 50;
	ck_assert_int_eq(pthread_create(&t, NULL, kick_later, &k), 0);
	t0 = now_ns();
	for (int kicks = 0, calls = 0; now_ns() - t0 < 300 * 1000000ULL; ) {
		ctx_run(c, &r, &st);
		ck_assert(st.kind == STOP_KICK || st.kind == STOP_SYSCALL);
		kicks += st.kind == STOP_KICK;
		calls += st.kind == STOP_SYSCALL;
		ck_assert_int_le(kicks, 50);
	}
	pthread_join(t, NULL);
	END();
}
END_TEST

START_TEST(test_cas)
{
	uint32_t v = 41, seen = 0;

	START(loop);
	RUN_SYSCALL(39);
	ck_assert_int_eq(space_write(s, DATA, &v, 4), 4);
	ck_assert_int_eq(ctx_cas32(c, DATA, 41, 42, &seen), 0);
	ck_assert_uint_eq(seen, 41);
	ck_assert_int_eq(ctx_cas32(c, DATA, 41, 43, &seen), 0);
	ck_assert_uint_eq(seen, 42);
	ck_assert_int_eq(space_read(s, DATA, &v, 4), 4);
	ck_assert_uint_eq(v, 42);
	ck_assert_int_eq(ctx_cas32(c, 0x12345000, 0, 1, &seen), -EFAULT);
	ck_assert_int_eq(ctx_cas32(c, DATA + 2, 0, 1, &seen), -EFAULT);
	ck_assert_int_eq(ctx_cas32(c, GUEST_TOP, 0, 1, &seen), -EFAULT);
	ck_assert_int_eq(ctx_cas32(c, DATA, 42, 44, &seen), 0);
	ck_assert_uint_eq(seen, 42);
	RUN_SYSCALL(39);
	END();
}
END_TEST

START_TEST(test_memory)
{
	static char big[0x30000];
	char buf[16];
	int fd;
	struct mapcmd m[4];

	START(loop);
	/* A read that runs off the end of a mapping falls short; one outside gives nothing. */
	ck_assert_int_eq(space_read(s, DATA + 0xf000, big, sizeof big), 0x1000);
	ck_assert_int_eq(space_read(s, 0x12345000, buf, 16), 0);
	ck_assert_int_eq(space_write(s, 0x12345000, buf, 16), 0);
	ck_assert_int_eq(space_read(s, STUB_TEXT, buf, 16), 0);
	/* Donated descriptors, twice the same and another; then an error in the middle. */
	fd = memfile;
	ck_assert_int_eq(host_pwrite(fd, "hello", 5, 4096), 5);
	for (int i = 0; i < 4; i++)
		m[i] = (struct mapcmd){ .op = MAPOP_MMAP, .va = 0x10000000 + (uint64_t)i * 4096, .len = 4096,
		    .prot = PROT_READ, .flags = MAP_PRIVATE, .fd = fd, .off = 4096 };
	m[2].fd = MAPFD_MEMFILE;
	ck_assert_int_eq(space_exec(s, m, 4), 0);
	for (int i = 0; i < 4; i++) {
		ck_assert_int_eq(space_read(s, m[i].va, buf, 5), 5);
		ck_assert_mem_eq(buf, "hello", 5);
	}
	m[1].off = 1;	/* not a page */
	ck_assert_int_eq(space_exec(s, m, 4), -EINVAL);
	ck_assert_int_eq(m[0].result, 0);
	ck_assert_int_eq(m[1].result, -EINVAL);
	ck_assert_int_eq(m[2].result, -ECANCELED);
	m[1].off = 4096;
	ck_assert_int_eq(space_exec(s, m, 4), 0);
	/* Moving, in place and away. */
	m[0] = (struct mapcmd){ .op = MAPOP_MREMAP, .va = DATA, .len = 0x10000, .off = DATA, .new_len = 0x20000 };
	ck_assert_int_eq(space_exec(s, m, 1), 0);
	m[0] = (struct mapcmd){ .op = MAPOP_MREMAP, .va = DATA, .len = 0x20000, .off = 0x20000000, .new_len = 0x20000 };
	ck_assert_int_eq(space_exec(s, m, 1), 0);
	ck_assert_int_eq(space_read(s, DATA, buf, 1), 0);
	ck_assert_int_eq(space_read(s, 0x20000000, buf, 1), 1);
	END();
}
END_TEST

START_TEST(test_fork)
{
	struct space *s2, *s3;
	struct ctx *c2;
	struct abi_regs r2;
	uint32_t v = 7, w = 0;

	START(counter);
	r.rdi = DATA;
	RUN_SYSCALL(39);
	RUN_SYSCALL(39);
	ck_assert_int_eq(space_fork(s, &s2), 0);
	ck_assert_int_eq(ctx_new(s2, &c2), 0);
	r2 = r;
	/* The copy counts on from 2, on its own. */
	ctx_run(c2, &r2, &st);
	ck_assert_int_eq(st.kind, STOP_SYSCALL);
	ck_assert_int_eq(space_read(s2, DATA, &v, 4), 4);
	ck_assert_uint_eq(v, 3);
	ck_assert_int_eq(space_read(s, DATA, &w, 4), 4);
	ck_assert_uint_eq(w, 2);
	ck_assert_int_eq(space_fork(s2, &s3), 0);
	ctx_free(c2);
	space_free(s2);
	/* A grandchild outlives its parent. */
	ck_assert_int_eq(ctx_new(s3, &c2), 0);
	ctx_run(c2, &r2, &st);
	ck_assert_int_eq(st.kind, STOP_SYSCALL);
	ck_assert_int_eq(space_read(s3, DATA, &v, 4), 4);
	ck_assert_uint_eq(v, 4);
	ctx_free(c2);
	space_free(s3);
	for (int i = 0; i < 40; i++) {
		ck_assert_int_eq(i % 2 ? space_fork(s, &s2) : space_new(&s2), 0);
		space_free(s2);
	}
	END();
}
END_TEST

/* Does a space made from nothing run? */
static void
runs(struct space *s)
{
	struct abi_regs r = start_regs();
	struct stop st;
	struct ctx *c;

	ck_assert_int_eq(fill(s, g_loop, g_loop_end), 0);
	ck_assert_int_eq(ctx_new(s, &c), 0);
	RUN_SYSCALL(39);
	ctx_free(c);
}

static void
stock_up(void)
{
	for (int i = 0; i < 200 && plat.nstock < STOCK_MAX; i++) {
		space_stock();
		usleep(10000);
	}
	ck_assert_uint_eq(plat.nstock, STOCK_MAX);
}

START_TEST(test_stock)
{
	struct space *many[8];

	START(loop);
	for (int round = 0; round < 2; round++) {
		stock_up();
		for (int i = 0; i < 8; i++)
			ck_assert_int_eq(space_new(&many[i]), 0);
		for (int i = 0; i < 8; i++) {
			runs(many[i]);
			space_free(many[i]);
		}
		ck_assert_uint_eq(plat.nstock, 0);
	}
	/* Killed while they wait, one that is under way too: others are made. */
	stock_up();
	for (unsigned i = 0; i < STOCK_MAX; i++)
		ck_assert_int_eq(host_tgkill(plat.stock[i]->pid, plat.stock[i]->pid, SIGKILL), 0);
	usleep(50000);
	for (int i = 0; i < 4; i++) {
		ck_assert_int_eq(space_new(&many[i]), 0);
		runs(many[i]);
		space_free(many[i]);
	}
	END();
}
END_TEST

START_TEST(test_child_killed)
{
	struct space *s2;
	struct ctx *c2;
	char b;

	START(loop);
	/* At whatever point of its birth: its owner learns of it, and soon. */
	for (int i = 0; i < 20; i++) {
		uint64_t t0 = now_ns();

		ck_assert_int_eq(space_fork(s, &s2), 0);
		usleep((unsigned)i * 20);
		ck_assert_int_eq(host_tgkill(space_host_pid(s2), space_host_pid(s2), SIGKILL), 0);
		if (i % 2)
			(void)!space_read(s2, DATA, &b, 1);
		if (ctx_new(s2, &c2) == 0) {
			struct abi_regs r2 = start_regs();

			ctx_run(c2, &r2, &st);
			ck_assert_int_eq(st.kind, STOP_DEAD);
			ctx_free(c2);
		}
		space_free(s2);
		ck_assert_uint_lt(now_ns() - t0, 3 * NSEC_PER_SEC);
	}
	RUN_SYSCALL(39);
	END();
}
END_TEST

struct worker {
	struct space *s;
	unsigned n;
	int ok;
};

static void *
work(void *arg)
{
	struct worker *w = arg;
	struct abi_regs r = start_regs();
	struct stop st;
	struct ctx *c;

	if (ctx_new(w->s, &c) != 0)
		return NULL;
	r.rdi = DATA;
	for (unsigned i = 0; i < w->n; i++) {
		struct mapcmd m = { .op = MAPOP_MMAP, .va = 0x30000000 + (uint64_t)(uintptr_t)w % 0x1000000 / 16 * 4096,
		    .len = 4096, .prot = PROT_READ, .flags = MAP_PRIVATE, .fd = i % 20 == 0 ? memfile : MAPFD_ANON };

		ctx_run(c, &r, &st);
		if (st.kind != STOP_SYSCALL || r.orig_rax != 39)
			return NULL;
		if (i % 10 == 0 && space_exec(w->s, &m, 1) != 0)
			return NULL;
	}
	ctx_free(c);
	w->ok = 1;
	return NULL;
}

START_TEST(test_threads)
{
	struct worker w[12];
	pthread_t t[12];
	uint32_t v = 0;

	START(counter);
	for (int round = 0; round < 2; round++) {
		for (int i = 0; i < 12; i++) {
			w[i] = (struct worker){ .s = s, .n = 200 };
			ck_assert_int_eq(pthread_create(&t[i], NULL, work, &w[i]), 0);
		}
		for (int i = 0; i < 12; i++) {
			pthread_join(t[i], NULL);
			ck_assert_int_eq(w[i].ok, 1);
		}
	}
	ck_assert_int_eq(space_read(s, DATA, &v, 4), 4);
	ck_assert_uint_eq(v, 2 * 12 * 200);
	END();
}
END_TEST

/* The host's clock, read by the guest itself, is between two looks of ours. */
static void
check_clock(struct space *s, struct ctx *c, struct abi_regs *r)
{
	uint64_t before = now_ns();
	struct timespec ts;
	struct stop st;

	ctx_run(c, r, &st);
	ck_assert_int_eq(st.kind, STOP_SYSCALL);
	ck_assert_uint_eq(r->orig_rax, 39);
	ck_assert_int_eq(space_read(s, DATA, &ts, sizeof ts), sizeof ts);
	ck_assert_uint_le(before, (uint64_t)ts.tv_sec * NSEC_PER_SEC + (uint64_t)ts.tv_nsec);
	ck_assert_uint_ge(now_ns(), (uint64_t)ts.tv_sec * NSEC_PER_SEC + (uint64_t)ts.tv_nsec);
}

START_TEST(test_host_vdso)
{
	struct space *s2;
	struct ctx *c2;

	START(call);
	if (getauxval(AT_SYSINFO_EHDR) == 0)
		return;
	r.rbx = platform_vdso("__vdso_clock_gettime");
	ck_assert(platform_in_vdso(r.rbx));
	ck_assert(!platform_in_vdso(STUB_NOWHERE) && !platform_in_vdso(STUB_VDSO - 1) && !platform_in_vdso(CODE));
	ck_assert_uint_eq(platform_vdso("no such function"), 0);
	r.r12 = CLOCK_MONOTONIC;
	r.r13 = DATA;
	for (int i = 0; i < 100; i++)
		check_clock(s, c, &r);
	ck_assert_int_eq(space_fork(s, &s2), 0);
	ck_assert_int_eq(ctx_new(s2, &c2), 0);
	for (int i = 0; i < 100; i++)
		check_clock(s2, c2, &r);
	ctx_free(c2);
	space_free(s2);
	END();
}
END_TEST

/* Step by step: the way back is known at each instruction. */
START_TEST(test_host_vdso_return)
{
	unsigned inside = 0, at_caller = 0;
	uint64_t slot, ret;

	START(call);
	if (getauxval(AT_SYSINFO_EHDR) == 0)
		return;
	r.rbx = platform_vdso("__vdso_clock_gettime");
	r.r12 = CLOCK_MONOTONIC;
	r.r13 = DATA;
	for (int i = 0; i < 300; i++) {
		r.eflags |= 0x100;
		ctx_run(c, &r, &st);
		if (st.kind == STOP_SYSCALL)
			break;
		ck_assert_int_eq(st.kind, STOP_FAULT);
		ck_assert_int_eq(st.signo, SIGTRAP);
		if (!platform_in_vdso(r.rip)) {
			ck_assert(!platform_vdso_return(&r, &slot));
			continue;
		}
		inside++;
		ck_assert(platform_vdso_return(&r, &slot));
		ck_assert_int_eq(space_read(s, slot, &ret, 8), 8);
		/* Of a function that was called in there: back into it. */
		if (platform_in_vdso(ret))
			continue;
		at_caller++;
		ck_assert_uint_eq(slot, STACK + 0x10000 - 8);
		ck_assert_uint_eq(ret, CODE + 8);
	}
	ck_assert_uint_gt(inside, 10);
	ck_assert_uint_gt(at_caller, 10);
	END();
}
END_TEST

START_TEST(test_no_host_vdso)
{
	no_vdso = true;
	START(load);
	no_vdso = false;
	ck_assert_uint_eq(platform_vdso("__vdso_clock_gettime"), 0);
	for (uint64_t at = STUB_VDSO; at <= STUB_NOWHERE; at += 0x1000) {
		r.rip = CODE;
		r.rdi = at;
		ctx_run(c, &r, &st);
		ck_assert_int_eq(st.kind, STOP_FAULT);
		ck_assert_int_eq(st.code, SEGV_MAPERR);
	}
	END();
}
END_TEST

/* ---- hostile ------------------------------------------------------------- */

START_TEST(test_no_call_escapes)
{
	START(native);
	/* futex, rt_sigreturn, exit, exit_group, mmap: made from guest code, each is only a stop. */
	RUN_SYSCALL(202);
	RUN_SYSCALL(15);
	RUN_SYSCALL(60);
	RUN_SYSCALL(231);
	RUN_SYSCALL(9);
	END();
}
END_TEST

/* The host's vDSO: nothing of it can be written, and its system calls are the guest's own. */
START_TEST(test_host_vdso_hostile)
{
	const char *code = (const char *)getauxval(AT_SYSINFO_EHDR), *at;
	uint64_t there;

	START(store);
	if (code == NULL)
		return;
	there = platform_vdso("__vdso_clock_gettime") - hostvdso_symbol(code, "__vdso_clock_gettime");
	for (uint64_t va = STUB_VDSO; va <= STUB_NOWHERE; va += 0x1000) {
		r.rip = CODE;
		r.rdi = va;
		ctx_run(c, &r, &st);
		ck_assert_int_eq(st.kind, STOP_FAULT);
		ck_assert_int_eq(st.signo, SIGSEGV);
		ck_assert(va >= there + 0x1000 || st.code == SEGV_ACCERR);
	}
	ck_assert_int_eq(fill(s, g_jump, g_jump_end), 0);
	for (at = code; (at = memmem(at, 0x1000 - (size_t)(at - code), "\x0f\x05", 2)) != NULL; at += 2) {
		static const uint64_t calls[] = { SYS_exit_group, SYS_munmap, SYS_futex, SYS_getpid };

		for (unsigned i = 0; i < ARRAY_LEN(calls); i++) {
			r = start_regs();
			r.rdi = there + (uint64_t)(at - code);
			r.rax = calls[i];
			RUN_SYSCALL(calls[i]);
			ck_assert_uint_eq(r.rip, there + (uint64_t)(at - code) + 2);
		}
	}
	END();
}
END_TEST

static uint64_t
stub_word(unsigned at)
{
	uint64_t v;

	memcpy(&v, stub_blob + at, sizeof v);
	return v;
}

/* Runs until the guest does something else than make calls; a test's own time limit ends what never does. */
static void
run_on(struct ctx *c, struct abi_regs *r, struct stop *st)
{
	for (int i = 0; i < 20; i++) {
		ctx_run(c, r, st);
		if (st->kind == STOP_DEAD)
			return;
	}
}

START_TEST(test_forged_frame)
{
	char frame[1024];

	/* A frame of the guest's own with everything zero: it ends or faults, and we go on. */
	START(jump);
	memset(frame, 0, sizeof frame);
	ck_assert_int_eq(space_write(s, DATA, frame, sizeof frame), sizeof frame);
	r.rdi = stub_word(STUB_T_RESTORER);
	r.rsp = DATA;
	run_on(c, &r, &st);
	END();
}
END_TEST

START_TEST(test_deaf_guest)
{
	/* A forged frame that blocks all signals, then spins: the kick is not answered, the guest dies of it. */
	struct {
		uint64_t head[5], regs[18];
		uint16_t seg[4];
		uint64_t err[5], rest[8], mask;
	} f;
	struct kicker k = { .ms = 50, .times = 1 };
	pthread_t t;

	START(jump);
	memset(&f, 0, sizeof f);
	f.head[3] = 2;			/* SS_DISABLE */
	f.regs[16] = CODE + 64;		/* rip */
	f.regs[15] = STACK + 0x8000;
	f.regs[17] = 0x202;
	f.seg[0] = 0x33;
	f.seg[3] = 0x2b;
	f.mask = ~0ULL;
	ck_assert_int_eq(space_write(s, DATA, &f, sizeof f), sizeof f);
	ck_assert_int_eq(space_write(s, CODE + 64, "\xeb\xfe", 2), 2);
	r.rdi = stub_word(STUB_T_RESTORER);
	r.rsp = DATA;
	k.c = c;
	ck_assert_int_eq(pthread_create(&t, NULL, kick_later, &k), 0);
	ctx_run(c, &r, &st);
	ck_assert(st.kind == STOP_DEAD || st.kind == STOP_KICK || st.kind == STOP_FAULT || st.kind == STOP_SYSCALL);
	if (strcmp(use, "systrap") == 0)
		ck_assert_int_eq(st.kind, STOP_DEAD);
	pthread_join(t, NULL);
	END();
}
END_TEST

START_TEST(test_scribble)
{
	START(scribble);
	r.rcx = 0;
	run_on(c, &r, &st);
	END();
}
END_TEST

/* Entry points all over the stub's page of guest code, with registers that point at guest memory. */
START_TEST(test_jump_into_stub)
{
	struct space *s2;
	struct ctx *c2;

	START(jump);
	for (uint64_t at = _i * 64; at < (uint64_t)_i * 64 + 64; at += 3) {
		struct abi_regs r2 = start_regs();
		struct kicker k = { .ms = 20, .times = 1 };
		pthread_t t;

		ck_assert_int_eq(space_fork(s, &s2), 0);
		ck_assert_int_eq(ctx_new(s2, &c2), 0);
		r2.rdi = STUB_GUEST_TEXT + at;
		r2.rbx = r2.rdx = r2.rcx = DATA + 0x1000;
		r2.rsp = STACK + 0x8000;
		k.c = c2;
		ck_assert_int_eq(pthread_create(&t, NULL, kick_later, &k), 0);
		ctx_run(c2, &r2, &st);
		pthread_join(t, NULL);
		ctx_free(c2);
		space_free(s2);
	}
	/* The others never noticed. */
	r.rdi = CODE + 0x100;
	ck_assert_int_eq(space_write(s, CODE + 0x100, g_loop, (size_t)(g_loop_end - g_loop)), g_loop_end - g_loop);
	RUN_SYSCALL(39);
	END();
}
END_TEST

/* Each call instruction of the mapper, with a call that only the mapper may make, and that would succeed. */
START_TEST(test_jump_into_mapper)
{
	unsigned found = 0;

	START(jump);
	for (uint64_t at = 0; at < STUB_GUEST_TEXT - STUB_TEXT; at++) {
		if (memcmp(stub_blob + at, "\x0f\x05", 2) != 0)
			continue;
		r = start_regs();
		r.rip = STUB_TEXT + at;
		r.rax = 11;		/* munmap */
		r.rdi = DATA;
		r.rsi = 0x1000;
		RUN_SYSCALL(11);
		found++;
	}
	ck_assert_uint_gt(found, 20);
	ck_assert_int_eq(space_read(s, DATA, &found, sizeof found), sizeof found);
	END();
}
END_TEST

/* The same from the guest threads' page. */
START_TEST(test_call_from_guest_page)
{
	unsigned found = 0;

	START(jump);
	for (uint64_t at = STUB_GUEST_TEXT - STUB_TEXT; at < STUB_GUEST_TEXT + STUB_GUEST_SIZE - STUB_TEXT; at++) {
		if (memcmp(stub_blob + at, "\x0f\x05", 2) != 0)
			continue;
		for (int i = 0; i < 2; i++) {
			r = start_regs();
			r.rip = STUB_TEXT + at;
			r.rax = i == 0 ? 11 : 157;	/* munmap; PR_SET_SYSCALL_USER_DISPATCH, off */
			r.rdi = i == 0 ? DATA : 59;
			r.rsi = i == 0 ? 0x1000 : 0;
			RUN_SYSCALL(i == 0 ? 11 : 157);
		}
		found++;
	}
	ck_assert_uint_gt(found, 2);
	ck_assert_int_eq(space_read(s, DATA, &found, sizeof found), sizeof found);
	END();
}
END_TEST

static void *
run_until_dead(void *arg)
{
	struct ctx *c = arg;
	struct abi_regs r = start_regs();
	struct stop st;

	do {
		r.rdi = DATA;
		if (r.rip < CODE || r.rip >= CODE + 64)
			r.rip = CODE;
		ctx_run(c, &r, &st);
	} while (st.kind != STOP_DEAD && st.kind != STOP_KICK);
	return NULL;
}

START_TEST(test_scribbling_thread)
{
	struct ctx *c2;
	struct kicker k = { .ms = 40, .times = 1 };
	pthread_t victim, t;

	/* One thread makes calls while another writes to its context set at random. */
	START(counter);
	ctx_free(c);
	space_free(s);
	for (unsigned i = 0; i < 4; i++) {
		ck_assert_int_eq(space_new(&s), 0);
		ck_assert_int_eq(fill(s, g_counter, g_counter_end), 0);
		ck_assert_int_eq(space_write(s, CODE + 0x1000, g_scribbler,
		    (size_t)(g_scribbler_end - g_scribbler)), g_scribbler_end - g_scribbler);
		ck_assert_int_eq(ctx_new(s, &c2), 0);
		/* ptrace's tracer is a thread: the scribbler is run, and was made, by this one. */
		ck_assert_int_eq(ctx_new(s, &c), 0);
		k.c = c;
		r = start_regs();
		r.rip = CODE + 0x1000;
		r.rdi = STUB_CTX;
		r.rbx = 88172645463325252ULL + i;
		if (strcmp(use, "systrap") == 0)
			ck_assert_int_eq(pthread_create(&victim, NULL, run_until_dead, c2), 0);
		ck_assert_int_eq(pthread_create(&t, NULL, kick_later, &k), 0);
		ctx_run(c, &r, &st);
		pthread_join(t, NULL);
		if (strcmp(use, "systrap") == 0) {
			ctx_kick(c2);
			pthread_join(victim, NULL);
		}
		ctx_free(c);
		ctx_free(c2);
		space_free(s);
	}
	platform_shutdown();
}
END_TEST

START_TEST(test_vsyscall)
{
	START(vsyscall);
	ctx_run(c, &r, &st);
	if (st.kind == STOP_SYSCALL)		/* a host without the page raises SIGSEGV */
		ck_assert_uint_eq(r.orig_rax, 96);
	else
		ck_assert_int_eq(st.signo, SIGSEGV);
	END();
}
END_TEST

static void *
kill_later(void *arg)
{
	struct space *s = arg;
	_Atomic uint32_t never = 0;

	(void)host_futex_wait(&never, 0, now_ns() + 900 * 1000000ULL, false);
	(void)host_tgkill(space_host_pid(s), space_host_pid(s), SIGKILL);
	return NULL;
}

START_TEST(test_stub_killed_asleep)
{
	pthread_t t;
	uint64_t t0;

	START(spin);
	ck_assert_int_eq(pthread_create(&t, NULL, kill_later, s), 0);
	t0 = now_ns();
	ctx_run(c, &r, &st);
	ck_assert_int_eq(st.kind, STOP_DEAD);
	ck_assert_uint_gt(now_ns() - t0, NSEC_PER_SEC / 2);
	ck_assert_uint_lt(now_ns() - t0, 3 * NSEC_PER_SEC);
	pthread_join(t, NULL);
	END();
}
END_TEST

START_TEST(test_stub_killed)
{
	uint64_t t0;

	START(spin);
	/* As the host's OOM killer would: from outside, while the guest runs. */
	ck_assert_int_gt(space_host_pid(s), 1);
	ck_assert_int_eq(host_tgkill(space_host_pid(s), space_host_pid(s), SIGKILL), 0);
	t0 = now_ns();
	ctx_run(c, &r, &st);
	ck_assert_int_eq(st.kind, STOP_DEAD);
	ck_assert_uint_lt(now_ns() - t0, 3 * NSEC_PER_SEC);
	ctx_run(c, &r, &st);
	ck_assert_int_eq(st.kind, STOP_DEAD);
	{
		struct mapcmd m = { .op = MAPOP_MUNMAP, .va = DATA, .len = 4096 };
		char b;

		ck_assert_int_eq(space_exec(s, &m, 1), -ESRCH);
		ck_assert_int_eq(space_read(s, DATA, &b, 1), -ESRCH);
	}
	END();
}
END_TEST

/* ---- under the filter ---------------------------------------------------- */

/* stdio makes calls that the filter does not know. */
static void PRINTF(1, 2)
say(const char *fmt, ...)
{
	char line[200];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(line, sizeof line, fmt, ap);
	va_end(ap);
	(void)!host_pwrite(STDOUT_FILENO, line, (size_t)n, -1);
}

static uint64_t
per(uint64_t t0, int n)
{
	return (now_ns() - t0) / (uint64_t)n;
}

/* The cost of the platform's operations, under the sentry's filter; 0 when all of them worked. */
static int
bench(const char *name, int n)
{
	struct mapcmd m = { .op = MAPOP_MMAP, .va = 0x30000000, .len = 4096, .prot = PROT_READ,
	    .flags = MAP_PRIVATE, .fd = MAPFD_ANON };
	struct platform_stats ps;
	struct abi_regs r = start_regs();
	struct stop st = { .kind = STOP_DEAD };
	struct space *s, *s2;
	struct ctx *c;
	uint64_t t0, t[6] = { 0 };
	char byte;

	if (boot_as(name, true) != 0 || space_new(&s) != 0 || fill(s, g_loop, g_loop_end) != 0 || ctx_new(s, &c) != 0)
		return 1;
	for (int i = 0; i < 100; i++)
		ctx_run(c, &r, &st);
	t0 = now_ns();
	for (int i = 0; i < n; i++)
		ctx_run(c, &r, &st);
	t[0] = per(t0, n);
	if (st.kind != STOP_SYSCALL)
		return 1;
	t0 = now_ns();
	for (int i = 0; i < n / 10; i++) {
		if (space_exec(s, &m, 1) != 0)
			return 1;
	}
	t[1] = per(t0, n / 10);
	t0 = now_ns();
	for (int i = 0; i < n / 100; i++) {
		if (space_fork(s, &s2) != 0)
			return 1;
		space_free(s2);
	}
	t[2] = per(t0, n / 100);
	t0 = now_ns();
	for (int i = 0; i < n / 100; i++) {
		if (space_new(&s2) != 0)
			return 1;
		space_free(s2);
	}
	t[3] = per(t0, n / 100);
	t0 = now_ns();
	for (int i = 0; i < n; i++) {
		if (space_read(s, DATA, &byte, 1) != 1)
			return 1;
	}
	t[4] = per(t0, n);
	if (fill(s, g_ud2, g_ud2_end) != 0)
		return 1;
	t0 = now_ns();
	for (int i = 0; i < n / 10; i++) {
		r = start_regs();
		ctx_run(c, &r, &st);
	}
	t[5] = per(t0, n / 10);
	if (st.kind != STOP_FAULT)
		return 1;
	platform_get_stats(&ps);
	say("%-8s null call %llu ns, mmap %llu, fork and free %llu, new and free %llu, read %llu, fault %llu; "
	    "%llu waits paid, %llu slept\n", name, (unsigned long long)t[0], (unsigned long long)t[1],
	    (unsigned long long)t[2], (unsigned long long)t[3], (unsigned long long)t[4], (unsigned long long)t[5],
	    (unsigned long long)ps.spins_paid, (unsigned long long)ps.sleeps);
	return 0;
}

/* Everything under the filter, threads and a forced look for dead stubs included. */
static int
filtered(void)
{
	struct worker w[3];
	pthread_t t[3];
	struct abi_regs r = start_regs();
	struct stop st;
	struct space *s;
	struct ctx *c;
	struct kicker k = { .ms = 700, .times = 1 };

	if (bench(use, 1000) != 0 || space_new(&s) != 0 || fill(s, g_counter, g_counter_end) != 0)
		return 1;
	for (int i = 0; i < 3; i++) {
		w[i] = (struct worker){ .s = s, .n = 50 };
		if (pthread_create(&t[i], NULL, work, &w[i]) != 0)
			return 2;
	}
	for (int i = 0; i < 3; i++) {
		pthread_join(t[i], NULL);
		if (!w[i].ok)
			return 3;
	}
	if (fill(s, g_spin, g_spin_end) != 0 || ctx_new(s, &c) != 0)
		return 4;
	k.c = c;
	if (pthread_create(&t[0], NULL, kick_later, &k) != 0)
		return 5;
	ctx_run(c, &r, &st);
	pthread_join(t[0], NULL);
	return st.kind == STOP_KICK ? 0 : 6;
}

START_TEST(test_filtered)
{
	int status = 0, pid = fork();

	ck_assert_int_ge(pid, 0);
	if (pid == 0)
		host_exit(filtered());
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
}
END_TEST

/* ---- main ---------------------------------------------------------------- */

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

static TCase *
cases(const char *name, void (*setup)(void))
{
	TCase *tc = tcase_create(name);

	tcase_add_checked_fixture(tc, setup, NULL);
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, test_syscall);
	tcase_add_test(tc, test_faults);
	tcase_add_test(tc, test_page_faults);
	tcase_add_test(tc, test_bases);
	tcase_add_test(tc, test_through_bases);
	tcase_add_test(tc, test_fp);
	tcase_add_test(tc, test_foreign);
	tcase_add_test(tc, test_kick);
	tcase_add_test(tc, test_cas);
	tcase_add_test(tc, test_memory);
	tcase_add_test(tc, test_fork);
	tcase_add_test(tc, test_stock);
	tcase_add_test(tc, test_child_killed);
	tcase_add_test(tc, test_threads);
	tcase_add_test(tc, test_host_vdso);
	tcase_add_test(tc, test_host_vdso_return);
	tcase_add_test(tc, test_no_host_vdso);
	tcase_add_test(tc, test_no_call_escapes);
	tcase_add_test(tc, test_host_vdso_hostile);
	tcase_add_test(tc, test_forged_frame);
	tcase_add_test(tc, test_deaf_guest);
	tcase_add_test(tc, test_scribble);
	tcase_add_loop_test(tc, test_jump_into_stub, 0, 6);
	tcase_add_test(tc, test_jump_into_mapper);
	tcase_add_test(tc, test_call_from_guest_page);
	tcase_add_test(tc, test_scribbling_thread);
	tcase_add_test(tc, test_vsyscall);
	tcase_add_test(tc, test_stub_killed);
	tcase_add_test(tc, test_stub_killed_asleep);
	tcase_add_test(tc, test_filtered);
	return tc;
}

int
main(int argc, char **argv)
{
	Suite *suite;
	SRunner *sr;
	int failed;

	if (argc > 1 && strcmp(argv[1], "bench") == 0)
		host_exit(bench(argc > 2 ? argv[2] : "systrap", 50000));
	suite = suite_create("platform");
	suite_add_tcase(suite, cases("systrap", set_systrap));
	suite_add_tcase(suite, cases("systrap, filters", set_filters));
	suite_add_tcase(suite, cases("ptrace", set_ptrace));
	sr = srunner_create(suite);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed != 0;
}
