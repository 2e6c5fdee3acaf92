/*
 * futexes: what a waiter may rely on while others unmap, exit, or lie about the word.  Tasks are threads of the
 * test; what the stub does to a word, and what happens while somebody sleeps, is the test's to say.
 */
#include "tests/unit/fakespace.h"

#include "abi/errno.h"
#include "sentry/kernel/futex.h"
#include "sentry/kernel/wait.h"

#define RW	(PROT_READ | PROT_WRITE)
#define AT(page) (WIN + (uint64_t)(page) * PAGE_SIZE)

static struct task tasks[4];
static _Atomic bool killed[4];

/* ---- what futexes ask of tasks ---------------------------------------------------- */

void task_release(struct task *t) { (void)t; ck_abort_msg("a task has gone"); }
bool signal_fatal_pending(struct task *t) { return killed[t - tasks]; }
bool signal_pending(struct task *t) { return atomic_load(&t->attention) != 0; }
bool task_must_exit(struct task *t) { return killed[t - tasks]; }
uint64_t cpu_ticks(void) { return 0; }

struct task *
task_find_get(int32_t tid)
{
	for (unsigned i = 0; i < ARRAY_LEN(tasks); i++) {
		if (tasks[i].tid == tid && tid != 0)
			return task_get(&tasks[i]);
	}
	return NULL;
}

static struct task *
task_in(unsigned i, struct mm *mm)
{
	struct task *t = &tasks[i];

	ref_init(&t->ref, OBJ_task);
	t->tid = 100 + (int32_t)i;
	t->mm = mm;
	t->ctx = (struct ctx *)t;
	return t;
}

static struct mm *
mm_with(struct mobj *o)
{
	struct mm *mm = fake_mm();
	struct mmap_args a = { .addr = AT(1), .len = PAGE_SIZE, .prot = RW, .maxprot = 7,
	    .flags = MAP_SHARED | MAP_FIXED, .mobj = o };

	ck_assert_int_eq(mm_map(mm, &a), (int64_t)AT(1));
	a = (struct mmap_args){ .addr = AT(2), .len = PAGE_SIZE, .prot = RW, .maxprot = 7,
	    .flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED };
	ck_assert_int_eq(mm_map(mm, &a), (int64_t)AT(2));
	return mm;
}

static void
await_asleep(struct task *t)
{
	while (atomic_load(&t->state) != TASK_SLEEPING)
		usleep(100);
}

/* ---- threads ------------------------------------------------------------------------- */

struct job { struct task *t; int64_t ret; pthread_t thread; };

static void *
wait_shared(void *arg)
{
	struct job *j = arg;

	j->ret = futex_wait(j->t, gaddr_from(AT(1)), false, 0, ~0U, NO_DEADLINE);
	return NULL;
}

static void
start(struct job *j, struct task *t, void *(*fn)(void *))
{
	j->t = t;
	ck_assert_int_eq(pthread_create(&j->thread, NULL, fn, j), 0);
}

/* A waiter moved to a private word of another address space is not found by one that comes to lie there later. */
START_TEST(moved_to_the_dead)
{
	struct mm *a, *b, *c;
	struct mobj *o;
	struct job j;

	ck_assert_int_eq(mobj_new_anon(PAGE_SIZE, &o), 0);
	a = mm_with(o);
	b = mm_with(o);
	start(&j, task_in(0, a), wait_shared);
	await_asleep(&tasks[0]);
	ck_assert_int_eq(futex_requeue(task_in(1, b), gaddr_from(AT(1)), gaddr_from(AT(2)), false, 0, 1, NULL), 1);
	tasks[1].mm = NULL;
	mm_put(b);
	c = mm_with(o);
	ck_assert_int_eq(futex_wake_bits(task_in(2, c), gaddr_from(AT(2)), false, 1, ~0U), 0);
	/* signalled, it goes, and what it has kept goes with it */
	atomic_store(&tasks[0].attention, 1);
	task_wake(&tasks[0]);
	pthread_join(j.thread, NULL);
	ck_assert_int_eq(j.ret, -ERESTARTSYS);
	mm_put(a);
	mm_put(c);
	mobj_put(o);
	ck_assert_uint_eq(ref_census(OBJ_mm), 0);
	ck_assert_uint_eq(ref_census(OBJ_mobj), 0);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("futex");
	TCase *tc = tcase_create("all");
	SRunner *r;

	tcase_add_test(tc, moved_to_the_dead);
	suite_add_tcase(s, tc);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	return srunner_ntests_failed(r) == 0 ? 0 : 1;
}
