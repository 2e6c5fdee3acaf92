/*
 * platform: guest code in good order, and the sentry under its filter.
 *
 *	test_platform			the suite
 *	test_platform bench [platform]	the cost of a null system call, a fault, a fork
 */
#include "tests/unit/guestcode.h"

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
	run_guest(c, &r, &st);
	ck_assert_int_eq(st.kind, STOP_FAULT);
	ck_assert_int_eq(st.signo, SIGILL);
	ck_assert_uint_eq(r.rip, CODE);
	ck_assert_uint_eq(r.orig_rax, ~0ULL);

	ck_assert_int_eq(fill(s, g_int3, g_int3_end), 0);
	r = start_regs();
	run_guest(c, &r, &st);
	ck_assert_int_eq(st.kind, STOP_FAULT);
	ck_assert_int_eq(st.signo, SIGTRAP);
	ck_assert_uint_eq(r.rip, CODE + 1);

	ck_assert_int_eq(fill(s, g_div, g_div_end), 0);
	r = start_regs();
	run_guest(c, &r, &st);
	ck_assert_int_eq(st.kind, STOP_FAULT);
	ck_assert_int_eq(st.signo, SIGFPE);
	ck_assert_int_eq(st.code, FPE_INTDIV);

	ck_assert_int_eq(fill(s, g_tf, g_tf_end), 0);
	r = start_regs();
	run_guest(c, &r, &st);
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
	run_guest(c, &r, &st);
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
	run_guest(c, &r, &st);
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
	run_guest(c, &r, &st);
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
	run_guest(c, &r, &st);
	if (st.kind == STOP_SYSCALL) {		/* a host without 32-bit calls raises SIGSEGV */
		ck_assert(st.foreign);
		ck_assert_uint_eq(r.orig_rax, 20);
	} else {
		ck_assert_int_eq(st.signo, SIGSEGV);
		r.rip += 2;
	}
	/* A number of the x32 kind and a negative one are only numbers. */
	RUN_SYSCALL(0x40000027);
	ck_assert(!st.foreign);
	RUN_SYSCALL((uint32_t)-9);
	ck_assert(!st.foreign);
	RUN_SYSCALL(1);
	ck_assert(!st.foreign);
	END();
}
END_TEST

START_TEST(test_kick)
{
	struct kicker k = { .ms = 30, .times = 1 };
	pthread_t t;
	uint64_t before, t0;

	START(spin);
	k.c = c;
	ctx_kick(c);
	run_guest(c, &r, &st);
	ck_assert_int_eq(st.kind, STOP_KICK);
	ck_assert_uint_eq(r.rip, CODE);
	for (int i = 0; i < 3; i++) {
		ck_assert_int_eq(pthread_create(&t, NULL, kick_later, &k), 0);
		before = r.rbx;
		t0 = now_ns();
		run_guest(c, &r, &st);
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
		run_guest(c, &r, &st);
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

static uint64_t
own_batches(void)
{
	struct platform_stats st;

	platform_get_stats(&st);
	return st.map_own;
}

/* What the guest's thread does itself when it waits for an answer anyway; the mapper has the rest. */
START_TEST(test_own_mapping)
{
	struct mapcmd m[WORK_MAX + 1];
	struct { uint64_t va, len; int flags, prot; bool own; } cases[] = {
		{ 0x10000000, 0x1000, MAP_PRIVATE, PROT_READ | PROT_WRITE, true },
		{ 0x10000000, 0x1000, MAP_PRIVATE | MAP_NORESERVE, PROT_NONE, true },
		{ 0x10000000, 0x1000, MAP_PRIVATE, PROT_READ | PROT_EXEC, true },
		{ 0x10000000, 0x1000, MAP_SHARED, PROT_READ, false },
		{ STUB_OWN_TOP - 0x1000, STUB_OWN_SPAN - 0x1000, MAP_PRIVATE | MAP_NORESERVE, PROT_READ, true },
		{ STUB_OWN_TOP - 0x1000, STUB_OWN_SPAN, MAP_PRIVATE | MAP_NORESERVE, PROT_READ, false },
		{ STUB_OWN_TOP, 0x1000, MAP_PRIVATE, PROT_READ, false },
	};
	bool own = strcmp(use, "systrap") == 0;
	char buf[4];

	START(loop);
	memset(m, 0, sizeof m);
	m[0] = (struct mapcmd){ .op = MAPOP_MMAP, .va = 0x20000000, .len = 0x1000, .flags = MAP_PRIVATE, .fd = MAPFD_ANON, .plain = true };
	/* Not before it has run. */
	ck_assert_int_eq(space_exec(s, m, 1), 0);
	ck_assert_uint_eq(own_batches(), 0);
	RUN_SYSCALL(39);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		uint64_t before = own_batches();

		m[0] = (struct mapcmd){ .op = MAPOP_MMAP, .va = cases[i].va, .len = cases[i].len, .flags = cases[i].flags,
		    .prot = cases[i].prot, .fd = MAPFD_ANON, .plain = true };
		ck_assert_int_eq(space_exec(s, m, 1), 0);
		ck_assert_uint_eq(own_batches() - before, own && cases[i].own);
		ck_assert_int_eq(m[0].result, 0);
		m[0].op = MAPOP_MUNMAP;
		ck_assert_int_eq(space_exec(s, m, 1), 0);
		RUN_SYSCALL(39);
	}
	/* One after the other, up to the first that fails. */
	for (unsigned i = 0; i < 3; i++)
		m[i] = (struct mapcmd){ .op = MAPOP_MMAP, .va = 0x10000000 + i * 0x1000, .len = 0x1000, .flags = MAP_PRIVATE,
		    .prot = PROT_READ, .fd = MAPFD_ANON, .plain = true };
	m[1] = (struct mapcmd){ .op = MAPOP_MPROTECT, .va = 0x30000000, .len = 0x1000, .prot = PROT_READ, .fd = MAPFD_ANON, .plain = true };
	ck_assert_int_eq(space_exec(s, m, 3), -ENOMEM);
	ck_assert_int_eq(m[0].result, 0);
	ck_assert_int_eq(m[1].result, -ENOMEM);
	ck_assert_int_eq(m[2].result, -ECANCELED);
	ck_assert_int_eq(space_read(s, 0x10000000, buf, 1), 1);
	ck_assert_int_eq(space_read(s, 0x10002000, buf, 1), 0);
	/* Dropped pages are empty; as many commands as there is room for, and more. */
	ck_assert_int_eq(space_write(s, DATA, "x", 1), 1);
	for (unsigned i = 0; i <= WORK_MAX; i++)
		m[i] = (struct mapcmd){ .op = MAPOP_MADVISE, .va = DATA, .len = 0x1000, .advice = MADV_DONTNEED, .fd = MAPFD_ANON, .plain = true };
	ck_assert_int_eq(space_exec(s, m, WORK_MAX), 0);
	ck_assert_int_eq(space_read(s, DATA, buf, 1), 1);
	ck_assert_int_eq(buf[0], 0);
	ck_assert_int_eq(space_exec(s, m, WORK_MAX + 1), 0);
	/* The guest's registers never noticed. */
	r.rbx = 0x1234;
	RUN_SYSCALL(39);
	ck_assert_int_eq(space_exec(s, m, 1), 0);
	RUN_SYSCALL(39);
	ck_assert_uint_eq(r.rbx, 0x1234);
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
	run_guest(c2, &r2, &st);
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
	run_guest(c2, &r2, &st);
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
	for (int i = 0; i < 200 && plat.nstock < STOCK_AHEAD; i++) {
		space_stock();
		usleep(10000);
	}
	ck_assert_uint_eq(plat.nstock, STOCK_AHEAD);
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
	for (unsigned i = 0; i < STOCK_AHEAD; i++)
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

/* A guest whose owner sleeps does not wait awake: told so at any moment between its stop and its own sleep, it goes on as usual. */
START_TEST(test_rest)
{
	unsigned rested = 0;
	uint32_t count;

	START(counter);
	r.rdi = DATA;
	for (unsigned i = 0; i < 2000; i++) {
		RUN_SYSCALL(39);
		for (volatile unsigned n = 0; n < i % 200 * 20; n++)
			;
		ctx_asleep(c, true);
		rested += atomic_load(&c->sh->state) == ST_STOP_SLEEP;
		if (i % 100 == 0)
			usleep(1000);
		ctx_asleep(c, false);
		ck_assert_int_eq(space_read(s, DATA, &count, sizeof count), sizeof count);
		ck_assert_uint_eq(count, i + 1);
	}
	if (!plat.ptrace)
		ck_assert_uint_gt(rested, 1000);
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

			run_guest(c2, &r2, &st);
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

		run_guest(c, &r, &st);
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

	run_guest(c, r, &st);
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
		run_guest(c, &r, &st);
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
		run_guest(c, &r, &st);
		ck_assert_int_eq(st.kind, STOP_FAULT);
		ck_assert_int_eq(st.code, SEGV_MAPERR);
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
		run_guest(c, &r, &st);
	t0 = now_ns();
	for (int i = 0; i < n; i++)
		run_guest(c, &r, &st);
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
		run_guest(c, &r, &st);
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
	run_guest(c, &r, &st);
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
cases(TCase *tc)
{
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
	tcase_add_test(tc, test_own_mapping);
	tcase_add_test(tc, test_fork);
	tcase_add_test(tc, test_stock);
	tcase_add_test(tc, test_rest);
	tcase_add_test(tc, test_child_killed);
	tcase_add_test(tc, test_threads);
	tcase_add_test(tc, test_host_vdso);
	tcase_add_test(tc, test_host_vdso_return);
	tcase_add_test(tc, test_no_host_vdso);
	tcase_add_test(tc, test_filtered);
}

int
main(int argc, char **argv)
{
	if (argc > 1 && strcmp(argv[1], "bench") == 0)
		host_exit(bench(argc > 2 ? argv[2] : "systrap", 50000));
	return run_suite("platform");
}
