/* stock: stubs used again, and those that must not be. */
#include "tests/unit/guestcode.h"

#define HDR_STATE	"0x7fff8001fe00"	/* of the first set */
_Static_assert(STUB_CTX + STUB_CTX_SIZE - CTX_HDR + CTX_STATE == 0x7fff8001fe00, "state");

/* Says that it has stopped, and counts on. */
PIECE(liar, "mov $" HDR_STATE ",%rdx; movl $3,(%rdx); 1: lock incl (%rdi); jmp 1b");
/* The same, and as soon as it is let go, that it is gone. */
PIECE(ghost, "mov $" HDR_STATE ",%rdx; movl $3,(%rdx); 1: cmpl $3,(%rdx); je 1b; 2: movl $0,(%rdx); lock incl (%rdi); jmp 2b");

static uint64_t
reused(void)
{
	return atomic_load(&plat.stats.reused);
}

/* As a task ends. */
static void
end_guest(struct space *s, struct ctx *c)
{
	ctx_retire(c);
	space_free(s);
	space_reuse();
}

/* Until all that is there has been emptied. */
static void
await_stock(void)
{
	for (unsigned i = 0; i < plat.nstock; i++) {
		for (int k = 0; k < 1000 && atomic_load(&plat.stock[i]->res->seq) != plat.stock[i]->seq; k++)
			usleep(1000);
	}
}

static bool
is_gone_soon(int pid)
{
	for (int i = 0; i < 200; i++) {
		if (kill(pid, 0) != 0)
			return true;
		usleep(10000);
	}
	return false;
}

/* No memory of the last guest, none of its registers, none of its commands. */
START_TEST(test_blank)
{
	static const char secret[] = "of the last guest";
	int pid, mine;
	char b[64];

	START(calls);
	ck_assert_int_eq(space_write(s, DATA, secret, sizeof secret), sizeof secret);
	r.r12 = 0x5ec2e7;
	RUN_SYSCALL(1234);
	/* As the stub writes floating point, and the arguments of patched calls. */
	memcpy(c->base, &r.r12, sizeof r.r12);
	memcpy(c->base + STUB_CTX_DATA, &r.r12, sizeof r.r12);
	c->words = ~0u;
	pid = space_host_pid(s);
	end_guest(s, c);
	if (!plat.ops->may_park) {
		ck_assert_uint_eq(reused(), 0);
		ck_assert(is_gone_soon(pid));
		platform_shutdown();
		return;
	}
	ck_assert_uint_eq(reused(), 1);
	await_stock();
	ck_assert_int_eq(space_new(&s), 0);
	ck_assert_int_eq(space_host_pid(s), pid);
	ck_assert_int_eq(space_read(s, DATA, b, 1), 0);
	ck_assert_int_eq(space_read(s, CODE, b, 1), 0);
	ck_assert_int_eq(space_read(s, STACK, b, 1), 0);
	for (size_t i = 0; i + 8 <= STUB_CTX_SIZE - CTX_HDR; i += 8) {
		uint64_t word;

		memcpy(&word, list_first(&s->parked, struct ctx, node)->base + i, sizeof word);
		ck_assert_uint_ne(word, 0x5ec2e7);
	}
	for (unsigned i = 3; i < CMD_MAX; i++)
		ck_assert_uint_eq(s->cmd->ent[i].nr, 0);
	ck_assert_int_eq(fill(s, g_calls, g_calls_end), 0);
	ck_assert_int_eq(ctx_new(s, &c), 0);
	r = start_regs();
	RUN_SYSCALL(1234);
	ck_assert_uint_eq(r.r12, 0);
	mine = space_host_pid(s);
	/* Once more, and not when another thread was ever in it. */
	end_guest(s, c);
	ck_assert_uint_eq(reused(), 2);
	await_stock();
	ck_assert_int_eq(space_new(&s), 0);
	ck_assert_int_eq(space_host_pid(s), mine);
	ck_assert_int_eq(fill(s, g_loop, g_loop_end), 0);
	ck_assert_int_eq(ctx_new(s, &c), 0);
	{
		struct ctx *c2;

		ck_assert_int_eq(ctx_new(s, &c2), 0);
		ctx_free(c2);
	}
	end_guest(s, c);
	ck_assert_uint_eq(reused(), 2);
	ck_assert(is_gone_soon(mine));
	platform_shutdown();
}
END_TEST

/* Whoever frees a space otherwise ends it at once. */
START_TEST(test_ended)
{
	int pid;

	START(loop);
	RUN_SYSCALL(39);
	pid = space_host_pid(s);
	ctx_free(c);
	space_free(s);
	ck_assert(is_gone_soon(pid));
	space_reuse();
	ck_assert_uint_eq(reused(), 0);
	platform_shutdown();
}
END_TEST

static void
not_reused(const char *code, const char *end)
{
	struct abi_regs r = start_regs();
	struct stop st;
	struct space *s;
	struct ctx *c;
	uint64_t t0;
	int pid;

	ck_assert_int_eq(boot_as(use, false), 0);
	if (plat.ops->may_park) {
		ck_assert_int_eq(space_new(&s), 0);
		ck_assert_int_eq(fill(s, code, end), 0);
		ck_assert_int_eq(ctx_new(s, &c), 0);
		r.rdi = DATA;
		run_guest(c, &r, &st);
		pid = space_host_pid(s);
		t0 = now_ns();
		end_guest(s, c);
		ck_assert_uint_lt(now_ns() - t0, NSEC_PER_SEC);
		ck_assert_uint_eq(reused(), 0);
		ck_assert(is_gone_soon(pid));
	}
	platform_shutdown();
}

START_TEST(test_liar)
{
	not_reused(g_liar, g_liar_end);
}
END_TEST

START_TEST(test_ghost)
{
	not_reused(g_ghost, g_ghost_end);
}
END_TEST

/* Killed while it waits in the stock, or is made ready: another is found. */
START_TEST(test_killed)
{
	START(loop);
	for (int i = 0; i < 20 && plat.ops->may_park; i++) {
		int pid = space_host_pid(s);

		RUN_SYSCALL(39);
		end_guest(s, c);
		usleep((unsigned)i % 5 * 20);
		(void)host_tgkill(pid, pid, SIGKILL);
		usleep((unsigned)i % 3 * 5000);
		for (;;) {
			ck_assert_int_eq(space_new(&s), 0);
			if (fill(s, g_loop, g_loop_end) == 0 && ctx_new(s, &c) == 0)
				break;
			/* It died later than that. */
			space_free(s);
		}
		r = start_regs();
	}
	END();
}
END_TEST

/* One whose memory is still on its way out keeps nobody waiting. */
START_TEST(test_slow_to_empty)
{
	uint64_t t0;
	int pid;

	START(loop);
	RUN_SYSCALL(39);
	if (!plat.ops->may_park)
		return;
	pid = space_host_pid(s);
	/* Its thread ends, its mapper does not come to unmap anything. */
	ctx_retire(c);
	space_free(s);
	mutex_lock(&s->mu);
	ck_assert(ctx_await_end(s, now_ns() + NSEC_PER_SEC));
	mutex_unlock(&s->mu);
	ck_assert_int_eq(kill(pid, SIGSTOP), 0);
	space_reuse();
	ck_assert_uint_eq(reused(), 1);
	for (int i = 0; i < 3; i++) {
		t0 = now_ns();
		ck_assert_int_eq(space_new(&s), 0);
		ck_assert_int_ne(space_host_pid(s), pid);
		ck_assert_uint_lt(now_ns() - t0, NSEC_PER_SEC);
		ck_assert_int_eq(fill(s, g_loop, g_loop_end), 0);
		space_free(s);
	}
	/* It is found when it is ready. */
	ck_assert_int_eq(kill(pid, SIGCONT), 0);
	await_stock();
	ck_assert_int_eq(space_new(&s), 0);
	ck_assert_int_eq(space_host_pid(s), pid);
	space_free(s);
	platform_shutdown();
}
END_TEST

/* A task that has ended before its space is free has no more to do with it. */
START_TEST(test_freed_later)
{
	int pid;

	START(loop);
	RUN_SYSCALL(39);
	pid = space_host_pid(s);
	ctx_retire(c);
	space_reuse();
	space_free(s);
	ck_assert(is_gone_soon(pid));
	ck_assert_uint_eq(reused(), 0);
	platform_shutdown();
}
END_TEST

/* A copy of a guest, and a hundred one after the other, in few processes. */
START_TEST(test_many)
{
	struct space *s2;
	struct ctx *c2;

	START(loop);
	RUN_SYSCALL(39);
	for (int i = 0; i < 100; i++) {
		ck_assert_int_eq(i % 10 == 0 ? space_fork(s, &s2) : space_new(&s2), 0);
		if (i % 10 != 0)
			ck_assert_int_eq(fill(s2, g_loop, g_loop_end), 0);
		ck_assert_int_eq(ctx_new(s2, &c2), 0);
		r = start_regs();
		run_guest(c2, &r, &st);
		ck_assert_int_eq(st.kind, STOP_SYSCALL);
		end_guest(s2, c2);
	}
	ck_assert_uint_le(plat.nstock, STOCK_MAX);
	if (plat.ops->may_park)
		ck_assert_uint_ge(reused(), 50);
	END();
}
END_TEST

static void
cases(TCase *tc)
{
	tcase_add_test(tc, test_blank);
	tcase_add_test(tc, test_ended);
	tcase_add_test(tc, test_liar);
	tcase_add_test(tc, test_ghost);
	tcase_add_test(tc, test_killed);
	tcase_add_test(tc, test_slow_to_empty);
	tcase_add_test(tc, test_freed_later);
	tcase_add_test(tc, test_many);
}

int
main(void)
{
	return run_suite("stock");
}
