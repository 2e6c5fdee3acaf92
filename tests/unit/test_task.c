/*
 * tasks: fork, threads, wait, stops, exits and the adoption of orphans, run for real by sentry
 * threads over a platform whose guests are lists of operations: rip is an index into `prog`.
 */
#include <check.h>
#include <linux/sched.h>
#include <linux/wait.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <syscall.h>
#include <time.h>
#include <unistd.h>

#include "abi/time.h"
#include "base/hostcall.h"
#include "base/sanitize.h"
#include "sentry/kernel/timer.h"
#include "sentry/kernel/tasktree.h"
#include "sentry/mm/pages.h"
#include "sentry/syscall/syscall.h"
#include "sentry/vfs/fdtable.h"

enum kind {
	SYS,		/* a[0] number, a[1..5] arguments */
	IF,		/* rax == a[0]: goto a[1] */
	CHECK,		/* rax == a[0], or the test fails */
	POSITIVE,	/* rax > 0 */
	SAVE,		/* r14 = rax */
	COUNT,		/* r15 = a[0] */
	AGAIN,		/* --r15 != 0: goto a[0] */
	SPIN,		/* for ever */
};
struct op { enum kind kind; int64_t a[6]; };
#define R14	INT64_MIN	/* as an argument: the value saved */

static const struct op *prog;
/* The table refers to handlers weakly: these bring their objects in from the library. */
static int64_t (*const used_task)(struct task *) __attribute__((used)) = sys_fork;
static int64_t (*const used_kill)(struct task *, int32_t, int32_t) __attribute__((used)) = sys_kill;
static _Atomic int failures;

/* ---- the platform ---------------------------------------------------------- */

struct space { int unused; };
struct ctx { _Atomic bool kicked; _Atomic uint64_t sigmask; };

#include "tests/unit/fakestub.h"

uint32_t platform_fp_size = 512;
const char *platform_name = "test";

int platform_boot(const struct platform_conf *c, const char **why) { (void)c; (void)why; return 0; }
int platform_ready(const char **why) { (void)why; return 0; }
void platform_shutdown(void) { }
uint64_t platform_vdso(const char *name) { (void)name; return 0; }
bool platform_in_vdso(uint64_t rip) { (void)rip; return false; }
bool platform_vdso_return(const struct abi_regs *r, uint64_t *slot) { (void)r; (void)slot; return false; }
void platform_get_stats(struct platform_stats *s) { memset(s, 0, sizeof *s); }
int space_new(struct space **out) { *out = calloc(1, sizeof **out); return 0; }
int space_fork(struct space *p, struct space **out) { (void)p; return space_new(out); }
void space_end_wait(struct space *s) { (void)s; }
void space_free(struct space *s) { free(s); }
void space_stock(void) { }
void space_reuse(void) { }
int space_exec(struct space *s, struct mapcmd *c, unsigned n) { (void)s; (void)c; (void)n; return 0; }
int space_host_pid(const struct space *s) { (void)s; return 1; }
int64_t space_read(struct space *s, uint64_t va, void *b, size_t n) { (void)s; (void)va; (void)b; (void)n; return 0; }
int64_t space_write(struct space *s, uint64_t va, const void *b, size_t n) { (void)s; (void)va; (void)b; (void)n; return 0; }
int ctx_new(struct space *s, struct ctx **out) { (void)s; *out = calloc(1, sizeof **out); return 0; }
void ctx_free(struct ctx *c) { free(c); }
void ctx_retire(struct ctx *c) { free(c); }
void ctx_kick(struct ctx *c) { atomic_store(&c->kicked, true); }
uint64_t ctx_sigmask(const struct ctx *c) { return atomic_load(&c->sigmask); }
void ctx_set_sigmask(struct ctx *c, uint64_t mask) { atomic_store(&c->sigmask, mask); }
int ctx_get_fp(struct ctx *c, void *b) { (void)c; memset(b, 0, platform_fp_size); return 0; }
int ctx_set_fp(struct ctx *c, const void *b) { (void)c; (void)b; return 0; }
void ctx_reset_fp(struct ctx *c) { (void)c; }
int ctx_cas32(struct ctx *c, uint64_t va, uint32_t o, uint32_t n, uint32_t *seen) { (void)c; (void)va; (void)o; (void)n; (void)seen; return -EFAULT; }

static void
check_value(const char *what, uint64_t at, int64_t got, bool ok)
{
	if (ok)
		return;
	fprintf(stderr, "operation %llu: %s, got %lld\n", (unsigned long long)at, what, (long long)got);
	atomic_fetch_add(&failures, 1);
}

/* One operation; true at a call. */
static bool
step(struct abi_regs *r)
{
	const struct op *o = &prog[r->rip];
	int64_t v = (int64_t)r->rax, a[6];

	for (int i = 0; i < 6; i++)
		a[i] = o->a[i] == R14 ? (int64_t)r->r14 : o->a[i];
	if (o->kind == SPIN) {
		usleep(200);
		return false;
	}
	r->rip++;
	switch (o->kind) {
	case SYS:
		r->rip++;	/* two bytes long, so that a restart finds it */
		r->orig_rax = (uint64_t)a[0];
		r->rdi = (uint64_t)a[1];
		r->rsi = (uint64_t)a[2];
		r->rdx = (uint64_t)a[3];
		r->r10 = (uint64_t)a[4];
		r->r8 = (uint64_t)a[5];
		r->rax = (uint64_t)-ENOSYS;
		return true;
	case IF:
		if (v == a[0])
			r->rip = (uint64_t)a[1];
		break;
	case CHECK:
		check_value("not the expected value", r->rip - 1, v, v == a[0]);
		break;
	case POSITIVE:
		check_value("not positive", r->rip - 1, v, v > 0);
		break;
	case SAVE:
		r->r14 = r->rax;
		break;
	case COUNT:
		r->r15 = (uint64_t)a[0];
		break;
	case AGAIN:
		if (--r->r15)
			r->rip = (uint64_t)a[0];
		break;
	default:
		break;
	}
	return false;
}

void
ctx_run(struct ctx *c, struct abi_regs *regs, struct stop *stop)
{
	memset(stop, 0, sizeof *stop);
	for (;;) {
		if (atomic_exchange(&c->kicked, false)) {
			stop->kind = STOP_KICK;
			return;
		}
		if (step(regs)) {
			stop->kind = STOP_SYSCALL;
			return;
		}
	}
}

/* ---- a kernel with one process --------------------------------------------- */

static struct task *
make_init(void)
{
	AUTO_PUT(process) p = process_new();
	AUTO_PUT(session) s = session_new(1);
	AUTO_PUT(pidgroup) g = pidgroup_new(1, s);
	struct task *t = task_new(p);

	ck_assert_int_eq(sighand_new(NULL, &p->sighand), 0);
	ck_assert_int_eq(cred_new(CAP_FULL, &t->cred), 0);
	ck_assert_int_eq(fdtable_new(&t->files), 0);
	ck_assert_int_eq(task_dup_fs(NULL, &t->fs), 0);
	ck_assert_int_eq(utsns_new(NULL, &t->uts), 0);
	ck_assert_int_eq(mm_new(&t->mm), 0);
	atomic_store(&t->mm->users, 1);
	rlimit_defaults(p->rlim);
	p->exit_signal = SIGCHLD;
	kernel.last_pid = 1;
	p->pid = t->tid = 1;
	p->leader = task_get(t);
	s->leader = p;
	mutex_lock(&kernel.tasks_mu);
	pgrp_join_locked(p, g);
	list_push_back(&p->threads, &t->thread_link);
	p->nthreads = p->nlive = 1;
	task_hash_locked(t);
	mutex_unlock(&kernel.tasks_mu);
	kernel.init = process_get(p);
	t->regs.orig_rax = (uint64_t)-1;
	return t;
}

/* Runs ops as pid 1 until it ends; its wait status. */
static int
run(const struct op *ops)
{
	struct process *init;
	bool done = false;
	int status = -1;

	prog = ops;
	atomic_store(&failures, 0);
	ck_assert_int_eq(kthread_start("init", task_run, make_init()), 0);
	init = kernel.init;
	for (int i = 0; i < 20000 && !done; i++) {
		usleep(1000);
		mutex_lock(&kernel.tasks_mu);
		done = init->zombie;
		status = init->wstatus;
		mutex_unlock(&kernel.tasks_mu);
	}
	ck_assert_msg(done, "pid 1 did not end");
	kernel.init = NULL;
	process_put(init);
	/* A thread's last reference goes a moment after it was reaped. */
	for (int i = 0; i < 1000 && ref_census(OBJ_task); i++)
		usleep(1000);
	ck_assert_uint_eq(ref_census(OBJ_task), 0);
	ck_assert_uint_eq(ref_census(OBJ_process), 0);
	ck_assert_uint_eq(ref_census(OBJ_pidgroup), 0);
	ck_assert_uint_eq(ref_census(OBJ_session), 0);
	ck_assert_uint_eq(ref_census(OBJ_sighand), 0);
	ck_assert_uint_eq(ref_census(OBJ_mm), 0);
	ck_assert_uint_eq(ref_census(OBJ_cred), 0);
	ck_assert_uint_eq(ref_census(OBJ_fdtable), 0);
	ck_assert_uint_eq(kernel.ntasks, 0);
	ck_assert_int_eq(atomic_load(&failures), 0);
	return status;
}

/* A call takes two places. */
#define CALL(...)	{ SYS, { __VA_ARGS__ } }, { SYS, { __VA_ARGS__ } }
#define EXIT(n)		CALL(SYS_exit_group, (n))

START_TEST(exits_with_its_status)
{
	static const struct op ops[] = { EXIT(7) };

	ck_assert_int_eq(run(ops), 7 << 8);
}
END_TEST

START_TEST(forks_and_waits)
{
	static const struct op ops[] = {
		/* 0 */ { COUNT, { 100 } },
		/* 1 */ CALL(SYS_fork),
		/* 3 */ { IF, { 0, 12 } },
		/* 4 */ { SAVE, { 0 } },
		/* 5 */ CALL(SYS_wait4, -1, 0, 0, 0),
		/* 7 */ { CHECK, { R14 } },
		/* 8 */ { AGAIN, { 1 } },
		/* 9 */ CALL(SYS_wait4, -1, 0, 0, 0),
		/* 11 */ { IF, { -ECHILD, 14 } },
		/* 12 */ EXIT(3),
		/* 14 */ EXIT(0),
	};

	ck_assert_int_eq(run(ops), 0);
}
END_TEST

#define THREAD	(CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM)

START_TEST(group_exit_ends_all_threads)
{
	static const struct op ops[] = {
		/* 0 */ { COUNT, { 20 } },
		/* 1 */ CALL(SYS_clone, THREAD, 0x10000),
		/* 3 */ { IF, { 0, 9 } },
		/* 4 */ { POSITIVE, { 0 } },
		/* 5 */ { AGAIN, { 1 } },
		/* 6 */ EXIT(5),
		/* 8 */ { SPIN, { 0 } },
		/* 9 */ CALL(SYS_gettid),
		/* 11 */ { SPIN, { 0 } },
	};

	ck_assert_int_eq(run(ops), 5 << 8);
}
END_TEST

START_TEST(threads_end_alone)
{
	static const struct op ops[] = {
		/* 0 */ { COUNT, { 50 } },
		/* 1 */ CALL(SYS_clone, THREAD, 0x10000),
		/* 3 */ { IF, { 0, 8 } },
		/* 4 */ { POSITIVE, { 0 } },
		/* 5 */ { AGAIN, { 1 } },
		/* 6 */ CALL(SYS_exit, 9),
		/* 8 */ CALL(SYS_exit, 1),
	};

	/* The leader's status, whoever is last. */
	ck_assert_int_eq(run(ops), 9 << 8);
}
END_TEST

START_TEST(stops_and_continues)
{
	static const struct op ops[] = {
		/* 0 */ CALL(SYS_fork),
		/* 2 */ { IF, { 0, 25 } },
		/* 3 */ { SAVE, { 0 } },
		/* 4 */ CALL(SYS_kill, R14, SIGSTOP),
		/* 6 */ CALL(SYS_wait4, -1, 0, WUNTRACED, 0),
		/* 8 */ { CHECK, { R14 } },
		/* 9 */ CALL(SYS_wait4, -1, 0, WUNTRACED | WNOHANG, 0),
		/* 11 */ { CHECK, { 0 } },
		/* 12 */ CALL(SYS_kill, R14, SIGCONT),
		/* 14 */ CALL(SYS_wait4, -1, 0, WCONTINUED, 0),
		/* 16 */ { CHECK, { R14 } },
		/* 17 */ CALL(SYS_kill, R14, SIGKILL),
		/* 19 */ CALL(SYS_wait4, R14, 0, 0, 0),
		/* 21 */ { CHECK, { R14 } },
		/* 22 */ EXIT(0),
		/* 24 */ { SPIN, { 0 } },
		/* 25 */ { SPIN, { 0 } },
	};

	ck_assert_int_eq(run(ops), 0);
}
END_TEST

START_TEST(vfork_waits_for_the_child)
{
	static const struct op ops[] = {
		/* 0 */ { COUNT, { 20 } },
		/* 1 */ CALL(SYS_vfork),
		/* 3 */ { IF, { 0, 11 } },
		/* 4 */ { SAVE, { 0 } },
		/* The child is a zombie by now, so this need not wait. */
		/* 5 */ CALL(SYS_wait4, R14, 0, 0, 0),
		/* 7 */ { CHECK, { R14 } },
		/* 8 */ { AGAIN, { 1 } },
		/* 9 */ EXIT(0),
		/* 11 */ CALL(SYS_exit, 0),
	};

	ck_assert_int_eq(run(ops), 0);
}
END_TEST

START_TEST(orphans_come_to_init)
{
	static const struct op ops[] = {
		/* 0 */ CALL(SYS_fork),
		/* 2 */ { IF, { 0, 13 } },
		/* 3 */ CALL(SYS_wait4, -1, 0, 0, 0),
		/* 5 */ { POSITIVE, { 0 } },
		/* 6 */ CALL(SYS_wait4, -1, 0, 0, 0),
		/* 8 */ { POSITIVE, { 0 } },
		/* 9 */ CALL(SYS_wait4, -1, 0, 0, 0),
		/* 11 */ { CHECK, { -ECHILD } },
		/* 12 */ { IF, { -ECHILD, 19 } },
		/* 13 */ CALL(SYS_fork),
		/* 15 */ { IF, { 0, 17 } },
		/* 16 */ { IF, { 0, 17 } },
		/* 17 */ EXIT(0),
		/* 19 */ EXIT(4),
	};

	ck_assert_int_eq(run(ops), 4 << 8);
}
END_TEST

START_TEST(init_takes_everyone_with_it)
{
	static const struct op ops[] = {
		/* 0 */ { COUNT, { 10 } },
		/* 1 */ CALL(SYS_fork),
		/* 3 */ { IF, { 0, 9 } },
		/* 4 */ { AGAIN, { 1 } },
		/* 5 */ CALL(SYS_fork),	/* a zombie nobody waits for */
		/* 7 */ EXIT(6),
		/* 9 */ CALL(SYS_fork),
		/* 11 */ CALL(SYS_setsid),
		/* 13 */ { SPIN, { 0 } },
	};
	uint64_t before = host_clock_ns(CLOCK_MONOTONIC);

	ck_assert_int_eq(run(ops), 6 << 8);
	ck_assert_uint_lt(host_clock_ns(CLOCK_MONOTONIC) - before, NSEC_PER_SEC);
}
END_TEST

START_TEST(sessions_and_groups)
{
	static const struct op ops[] = {
		/* 0 */ CALL(SYS_setsid),
		/* 2 */ { CHECK, { -EPERM } },
		/* 3 */ CALL(SYS_fork),
		/* 5 */ { IF, { 0, 22 } },
		/* 6 */ { SAVE, { 0 } },
		/* 7 */ CALL(SYS_wait4, R14, 0, 0, 0),
		/* 9 */ { CHECK, { R14 } },
		/* 10 */ CALL(SYS_getpgid, R14),
		/* 12 */ { CHECK, { -ESRCH } },
		/* 13 */ CALL(SYS_setpgid, 0, 0),
		/* 15 */ { CHECK, { -EPERM } },
		/* 16 */ CALL(SYS_getpgrp),
		/* 18 */ { CHECK, { 1 } },
		/* 19 */ EXIT(0),
		/* 21 */ { SPIN, { 0 } },
		/* 22 */ CALL(SYS_setpgid, 0, 0),
		/* 24 */ { CHECK, { 0 } },
		/* 25 */ CALL(SYS_setpgid, 0, 1),
		/* 27 */ { CHECK, { 0 } },
		/* 28 */ CALL(SYS_setpgid, 0, 77),
		/* 30 */ { CHECK, { -EPERM } },
		/* 31 */ CALL(SYS_setsid),
		/* 33 */ { POSITIVE, { 0 } },
		/* 34 */ CALL(SYS_setpgid, 0, 1),
		/* 36 */ { CHECK, { -EPERM } },
		/* 37 */ EXIT(0),
	};

	ck_assert_int_eq(run(ops), 0);
}
END_TEST

/*
 * A process shares its dispositions with another, executes a program, shares again: who is about to lock them may have
 * looked at those of before.
 */
static struct process *sharing;
static _Atomic bool enough;

static void
lock_and_look(void *ended)
{
	while (!atomic_load(&enough)) {
		struct sighand *sh = process_lock(sharing);

		check_value("another's dispositions", 0, 0, sh == sharing->sighand);
		process_unlock(sh);
	}
	atomic_fetch_add((_Atomic int *)ended, 1);
}

START_TEST(dispositions_change_hands)
{
	uint64_t end = host_clock_ns(CLOCK_MONOTONIC) + NSEC_PER_SEC / 3;
	_Atomic int ended = 0;

	sharing = process_new();
	ck_assert_int_eq(sighand_new(NULL, &sharing->sighand), 0);
	for (int i = 0; i < 3; i++)
		ck_assert_int_eq(kthread_start("look", lock_and_look, &ended), 0);
	while (host_clock_ns(CLOCK_MONOTONIC) < end) {
		/* Another process's, which ends later. */
		struct sighand *other = sighand_get(sharing->sighand);

		ck_assert_int_eq(sighand_unshare(sharing), 0);
		sighand_put(other);
	}
	atomic_store(&enough, true);
	while (atomic_load(&ended) < 3)
		usleep(1000);
	process_put(sharing);
	ck_assert_uint_eq(ref_census(OBJ_sighand), 0);
	ck_assert_int_eq(atomic_load(&failures), 0);
}
END_TEST

/* ---- timers ------------------------------------------------------------------ */

static uint64_t
cpu_used(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
	return (uint64_t)ts.tv_sec * NSEC_PER_SEC + (uint64_t)ts.tv_nsec;
}

/* Periodic timers whose signals nobody takes, or whose time does not pass, keep the thread that serves all from nothing. */
START_TEST(timers_nobody_takes)
{
	static const struct { int32_t clock, notify; } how[] = {
		{ CLOCK_MONOTONIC, SIGEV_SIGNAL }, { CLOCK_MONOTONIC, SIGEV_NONE }, { CLOCK_PROCESS_CPUTIME_ID, SIGEV_SIGNAL },
	};
	struct abi_sigevent ev = { .notify = how[_i].notify, .signo = SIGUSR1 };
	struct task *t = make_init();
	uint64_t before, took, was, was_interval;

	atomic_store(&t->sigmask, sigbit(SIGUSR1));
	for (int i = 0; i < 500; i++) {
		int32_t id;

		ck_assert_int_eq(ptimer_create(t, how[_i].clock, &ev, &id), 0);
		ck_assert_int_eq(ptimer_set(t, id, false, 1000, 50000, &was, &was_interval), 0);
	}
	usleep(50000);
	before = cpu_used();
	usleep(300000);
	took = cpu_used() - before;
	ck_assert_uint_lt(took, SANITIZE ? NSEC_PER_SEC / 5 : NSEC_PER_SEC / 20);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("task");
	TCase *c = tcase_create("all");
	SRunner *r;
	int failed, fd = memfd_create("memory", 0);

	if (fd < 0 || ftruncate(fd, 64 << 20) < 0 || pages_boot(fd, 64 << 20) != 0 ||
	    hostfd_boot() != 0 || (kernel.random_fd = memfd_create("random", 0)) < 0 ||
	    ftruncate(kernel.random_fd, 64 << 20) < 0)
		return EXIT_FAILURE;
	tasks_boot();
	kernel.ncpus = 2;
	tcase_set_timeout(c, 60);
	tcase_add_test(c, exits_with_its_status);
	tcase_add_test(c, forks_and_waits);
	tcase_add_test(c, group_exit_ends_all_threads);
	tcase_add_test(c, threads_end_alone);
	tcase_add_test(c, stops_and_continues);
	tcase_add_test(c, vfork_waits_for_the_child);
	tcase_add_test(c, orphans_come_to_init);
	tcase_add_test(c, init_takes_everyone_with_it);
	tcase_add_test(c, sessions_and_groups);
	tcase_add_test(c, dispositions_change_hands);
	tcase_add_loop_test(c, timers_nobody_takes, 0, 3);
	suite_add_tcase(s, c);
	r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
