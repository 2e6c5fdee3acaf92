/*
 * futexes: what a waiter may rely on while others unmap, exit, or lie about the word.  Tasks are threads of the
 * test; what the stub does to a word, and what happens while somebody sleeps, is the test's to say.
 */
#include "tests/unit/fakespace.h"

#include <semaphore.h>
#include <time.h>

#include "abi/errno.h"
#include "sentry/kernel/clock.h"
#include "sentry/kernel/futex.h"
#include "sentry/kernel/wait.h"

#define TID_MASK	0x3fffffffU
#define OWNER_DIED	0x40000000U
#define WAITERS		0x80000000U
#define MANY		10000		/* tries of one word, after which nobody gives up any more */

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
uint64_t clock_mono_ns(void) { return 0; }

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

static uint32_t
word_at(struct mm *mm)
{
	uint32_t v;

	ck_assert_int_eq(space_read(mm->space, AT(1), &v, sizeof v), sizeof v);
	return v;
}

static void
set_word(struct mm *mm, uint32_t v)
{
	ck_assert_int_eq(space_write(mm->space, AT(1), &v, sizeof v), sizeof v);
}

/* ---- stubs --------------------------------------------------------------------------- */

/* A stub stops before its next swap: says so, and waits. */
static struct gate { _Atomic bool shut; sem_t there, go; } gates[4];

static int
cas_honest(struct ctx *c, uint64_t va, uint32_t old, uint32_t new, uint32_t *seen)
{
	struct task *t = (struct task *)c;
	struct gate *g = &gates[t - tasks];
	int err = 0;

	if (atomic_exchange(&g->shut, false)) {
		sem_post(&g->there);
		sem_wait(&g->go);
	}
	pthread_mutex_lock(&fake_bytes_mu);
	if (fake_move(t->mm->space, va, (char *)seen, 4, false) != 4 ||
	    (*seen == old && fake_move(t->mm->space, va, (char *)&new, 4, true) != 4))
		err = -EFAULT;
	pthread_mutex_unlock(&fake_bytes_mu);
	return err;
}

/* The word has always just changed, and its owner never has. */
static unsigned lies, lies_until_killed;

static int
cas_liar(struct ctx *c, uint64_t va, uint32_t old, uint32_t new, uint32_t *seen)
{
	struct task *t = (struct task *)c;

	(void)va;
	(void)new;
	*seen = old ^ WAITERS;
	if (++lies == lies_until_killed) {
		killed[t - tasks] = true;
		atomic_store(&t->attention, 1);
	}
	if (lies > MANY)
		ck_abort_msg("it never gives up");
	return 0;
}

static bool
is_there(struct gate *g, long ms)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	ts.tv_nsec += ms * 1000000;
	ts.tv_sec += ts.tv_nsec / 1000000000;
	ts.tv_nsec %= 1000000000;
	return sem_timedwait(&g->there, &ts) == 0;
}

/* ---- threads ------------------------------------------------------------------------- */

struct job { struct task *t; int64_t ret; pthread_t thread; };

static void
await_asleep(struct task *t)
{
	while (atomic_load(&t->state) != TASK_SLEEPING)
		usleep(100);
}

static void
join(struct job *j)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	ts.tv_sec += 3;
	if (pthread_timedjoin_np(j->thread, NULL, &ts) != 0)
		ck_abort_msg("thread %d waits for ever", j->t->tid);
}

static void
kill_task(struct task *t)
{
	killed[t - tasks] = true;
	atomic_store(&t->attention, 1);
	task_wake(t);
}

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
	join(&j);
	ck_assert_int_eq(j.ret, -ERESTARTSYS);
	mm_put(a);
	mm_put(c);
	mobj_put(o);
	ck_assert_uint_eq(ref_census(OBJ_mm), 0);
	ck_assert_uint_eq(ref_census(OBJ_mobj), 0);
}
END_TEST

/* ---- PI locks -------------------------------------------------------------------------- */

static struct mm *mm;
static struct mobj *word;
static struct task *owner, *first, *second;
static _Atomic bool scribbled;

static void
setup(void)
{
	ck_assert_int_eq(mobj_new_anon(PAGE_SIZE, &word), 0);
	mm = mm_with(word);
	owner = task_in(0, mm);
	first = task_in(1, mm);
	second = task_in(2, mm);
	for (unsigned i = 0; i < ARRAY_LEN(gates); i++) {
		sem_init(&gates[i].there, 0, 0);
		sem_init(&gates[i].go, 0, 0);
	}
	fake_cas = cas_honest;
}

static void
teardown(void)
{
	mm_put(mm);
	mobj_put(word);
	ck_assert_uint_eq(ref_census(OBJ_mm), 0);
	for (unsigned i = 0; i < 3; i++)
		ck_assert_uint_eq(ref_count(&tasks[i].ref), 1);
}

static void *
lock_word(void *arg)
{
	struct job *j = arg;

	j->ret = futex_lock_pi(j->t, gaddr_from(AT(1)), false, false, NO_DEADLINE);
	return NULL;
}

static void *
unlock_word(void *arg)
{
	struct job *j = arg;

	j->ret = futex_unlock_pi(j->t, gaddr_from(AT(1)), false);
	return NULL;
}

static void *
die(void *arg)
{
	struct job *j = arg;

	atomic_store(&j->t->exit_now, true);
	futex_exit(j->t);
	return NULL;
}

/* Where the waiter was there is something else now. */
static __attribute__((noinline)) void
use_stack(void)
{
	volatile unsigned char there[8192];

	for (unsigned i = 0; i < sizeof there; i++)
		there[i] = 0xaa;
	atomic_store(&scribbled, true);
	sem_wait(&gates[3].go);
	for (unsigned i = 0; i < sizeof there; i++) {
		if (there[i] != 0xaa)
			ck_abort_msg("somebody wrote to the stack of one who had waited");
	}
}

static _Atomic bool mapping;

/* Has the address space nearly all the time, as threads that map and unmap. */
static void *
map_on(void *arg)
{
	while (atomic_load(&mapping)) {
		if (!mutex_trylock(&mm->mu))
			continue;
		for (volatile unsigned n = 0; n < 2000; n++)
			;
		mutex_unlock(&mm->mu);
	}
	return arg;
}

START_TEST(wait_while_others_map)
{
	pthread_t th[2];

	atomic_store(&mapping, true);
	for (unsigned i = 0; i < ARRAY_LEN(th); i++)
		ck_assert_int_eq(pthread_create(&th[i], NULL, map_on, NULL), 0);
	for (unsigned i = 0; i < 500; i++)
		ck_assert_int_eq(futex_wait(&tasks[0], gaddr_from(AT(2)), true, 1, ~0U, NO_DEADLINE), -EAGAIN);
	atomic_store(&mapping, false);
	for (unsigned i = 0; i < ARRAY_LEN(th); i++)
		pthread_join(th[i], NULL);
}
END_TEST

static void *
lock_and_go_on(void *arg)
{
	lock_word(arg);
	use_stack();
	return NULL;
}

/* The owner's robust list: one PI lock, the word. */
static void
robust_list(struct task *t)
{
	uint64_t head[3] = { (AT(2) + 64) | 1, AT(1) - (AT(2) + 64), 0 }, node = AT(2);

	ck_assert_int_eq(copy_out(t, gaddr_from(AT(2)), head, sizeof head), 0);
	ck_assert_int_eq(copy_out(t, gaddr_from(AT(2) + 64), &node, sizeof node), 0);
	t->robust_list = gaddr_from(AT(2));
	t->robust_len = 24;
}

/* A waiter finds its owner dead while that one, on its way out, hands the lock over. */
START_TEST(heir_is_chosen)
{
	struct job a, b;
	bool at_word;

	set_word(mm, (uint32_t)owner->tid);
	robust_list(owner);
	start(&a, first, lock_and_go_on);
	await_asleep(first);
	atomic_store(&gates[1].shut, true);
	atomic_store(&owner->exit_now, true);
	task_wake(first);
	at_word = is_there(&gates[1], 50);
	atomic_store(&gates[0].shut, true);
	start(&b, owner, die);
	ck_assert(is_there(&gates[0], 3000));
	if (at_word) {
		sem_post(&gates[1].go);
		while (!atomic_load(&scribbled))
			usleep(100);
	}
	sem_post(&gates[0].go);
	join(&b);
	if (!at_word)
		sem_post(&gates[1].go);
	sem_post(&gates[3].go);
	join(&a);
	ck_assert_int_eq(a.ret, 0);
	ck_assert_uint_eq(word_at(mm) & ~WAITERS, (uint32_t)first->tid | OWNER_DIED);
}
END_TEST

/* Who is killed while an unlock is about to name it need not wait, and the lock is not lost to the others. */
START_TEST(chosen_is_killed)
{
	struct job a, b, u;

	set_word(mm, (uint32_t)owner->tid);
	start(&a, first, lock_word);
	await_asleep(first);
	start(&b, second, lock_word);
	await_asleep(second);
	atomic_store(&gates[0].shut, true);
	start(&u, owner, unlock_word);
	ck_assert(is_there(&gates[0], 3000));
	kill_task(first);
	join(&a);
	ck_assert_int_eq(a.ret, -EINTR);
	sem_post(&gates[0].go);
	join(&u);
	ck_assert_int_eq(u.ret, 0);
	join(&b);
	ck_assert_int_eq(b.ret, 0);
	ck_assert_uint_eq(word_at(mm), (uint32_t)second->tid | OWNER_DIED | WAITERS);
}
END_TEST

/* Who queues while the lock is being freed, after the last look at the queue, gets it. */
START_TEST(queued_while_freed)
{
	struct job a, u;

	set_word(mm, (uint32_t)owner->tid);
	atomic_store(&gates[0].shut, true);
	start(&u, owner, unlock_word);
	ck_assert(is_there(&gates[0], 3000));
	start(&a, first, lock_word);
	await_asleep(first);
	sem_post(&gates[0].go);
	join(&u);
	ck_assert_int_eq(u.ret, 0);
	join(&a);
	ck_assert_int_eq(a.ret, 0);
	ck_assert_uint_eq(word_at(mm) & TID_MASK, (uint32_t)first->tid);
}
END_TEST

/* The same while it is given to another: that one has to know that somebody sleeps. */
START_TEST(queued_while_handed)
{
	struct job a, b, u;

	set_word(mm, (uint32_t)owner->tid);
	start(&a, first, lock_word);
	await_asleep(first);
	atomic_store(&gates[0].shut, true);
	start(&u, owner, unlock_word);
	ck_assert(is_there(&gates[0], 3000));
	start(&b, second, lock_word);
	await_asleep(second);
	sem_post(&gates[0].go);
	join(&u);
	join(&a);
	ck_assert_uint_eq(word_at(mm), (uint32_t)first->tid | WAITERS);
	ck_assert_int_eq(futex_unlock_pi(first, gaddr_from(AT(1)), false), 0);
	join(&b);
	ck_assert_int_eq(b.ret, 0);
}
END_TEST

/* The second waiter came for the owner before last: it hears of the end of the last. */
START_TEST(owner_changes)
{
	struct job a, b;

	set_word(mm, (uint32_t)owner->tid);
	start(&a, first, lock_word);
	await_asleep(first);
	start(&b, second, lock_word);
	await_asleep(second);
	ck_assert_int_eq(futex_unlock_pi(owner, gaddr_from(AT(1)), false), 0);
	join(&a);
	atomic_store(&first->exit_now, true);
	futex_exit(first);
	join(&b);
	ck_assert_int_eq(b.ret, 0);
	ck_assert_uint_eq(word_at(mm), (uint32_t)second->tid | OWNER_DIED | WAITERS);
}
END_TEST

/* ---- liars ------------------------------------------------------------------------------ */

/* A stub that never lets a swap succeed keeps nobody who is to die. */
START_TEST(liar_and_lock)
{
	fake_cas = cas_liar;
	lies_until_killed = 100;
	set_word(mm, 0);
	ck_assert_int_eq(futex_lock_pi(first, gaddr_from(AT(1)), false, false, NO_DEADLINE), -EINTR);
}
END_TEST

START_TEST(liar_and_unlock)
{
	fake_cas = cas_liar;
	lies_until_killed = 100;
	set_word(mm, (uint32_t)first->tid);
	ck_assert_int_eq(futex_unlock_pi(first, gaddr_from(AT(1)), false), -EINTR);
}
END_TEST

START_TEST(liar_and_wake_op)
{
	fake_cas = cas_liar;
	lies_until_killed = 100;
	ck_assert_int_eq(futex_wake_op(first, gaddr_from(AT(1)), gaddr_from(AT(1)), false, 1, 1, 0), -EINTR);
}
END_TEST

START_TEST(liar_and_exit)
{
	fake_cas = cas_liar;
	set_word(mm, (uint32_t)owner->tid);
	robust_list(owner);
	atomic_store(&owner->exit_now, true);
	futex_exit(owner);
	ck_assert_uint_le(lies, 100);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("futex");
	TCase *tc = tcase_create("all"), *pi = tcase_create("pi");
	SRunner *r;

	tcase_add_test(tc, moved_to_the_dead);
	suite_add_tcase(s, tc);
	tcase_add_checked_fixture(pi, setup, teardown);
	tcase_add_test(pi, heir_is_chosen);
	tcase_add_test(pi, chosen_is_killed);
	tcase_add_test(pi, queued_while_freed);
	tcase_add_test(pi, queued_while_handed);
	tcase_add_test(pi, owner_changes);
	tcase_add_test(pi, liar_and_lock);
	tcase_add_test(pi, wait_while_others_map);
	tcase_add_test(pi, liar_and_unlock);
	tcase_add_test(pi, liar_and_wake_op);
	tcase_add_test(pi, liar_and_exit);
	suite_add_tcase(s, pi);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	return srunner_ntests_failed(r) == 0 ? 0 : 1;
}
