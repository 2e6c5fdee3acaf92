/*
 * timer: one thread, one tree ordered by deadline.
 *
 * `current` is the timer whose callback runs; its owner may free it only after timer_disarm_wait.
 */
#include "sentry/kernel/timer.h"

#include "abi/time.h"
#include "base/hostcall.h"
#include "base/log.h"
#include "sentry/kernel/clock.h"
#include "sentry/kernel/wait.h"

#define LOOK_AGAIN_NS	2000000ULL
/* Between looks at CPU time. */
#define LOOK_MIN_NS	1000000ULL
#define LOOK_MAX_NS	16000000ULL

static int timer_cmp(const struct tree_node *a, const struct tree_node *b);

static struct {
	struct mutex	mu;
	struct tree	tree;		/* [m] */
	uint64_t	seq;		/* [m] */
	uint64_t	next;		/* [m] what the thread sleeps until */
	bool		started;	/* [m] */
	struct kevent	wake;
	_Atomic(struct timer *) current;
	_Atomic uint32_t ran;		/* callbacks so far: timer_disarm_wait sleeps on it */
} tq = { .mu = MUTEX_INIT(RANK_timer), .tree = { .cmp = timer_cmp }, .next = NO_DEADLINE };

static int
timer_cmp(const struct tree_node *a, const struct tree_node *b)
{
	const struct timer *x = container_of(a, struct timer, node);
	const struct timer *y = container_of(b, struct timer, node);

	if (x->deadline_ns != y->deadline_ns)
		return x->deadline_ns < y->deadline_ns ? -1 : 1;
	return x->seq < y->seq ? -1 : x->seq > y->seq;
}

/* The first timer that is due, taken out; else NULL and *next is when to look again. */
static struct timer *
take_due(uint64_t *next)
{
	struct timer *tm;

	mutex_lock(&tq.mu);
	tm = tree_entry(tree_first(&tq.tree), struct timer, node);
	if (tm && tm->deadline_ns <= clock_mono_ns()) {
		tree_remove(&tq.tree, &tm->node);
		tm->armed = false;
		atomic_store(&tq.current, tm);
	} else {
		*next = tq.next = tm ? tm->deadline_ns : NO_DEADLINE;
		tm = NULL;
	}
	mutex_unlock(&tq.mu);
	return tm;
}

static void
timer_main(void *arg)
{
	uint64_t next = NO_DEADLINE;
	struct timer *tm;

	(void)arg;
	for (;;) {
		while ((tm = take_due(&next)) != NULL) {
			tm->fn(tm);
			atomic_store(&tq.current, NULL);
			atomic_fetch_add(&tq.ran, 1);
			(void)host_futex_wake(&tq.ran, 64, false);
		}
		kevent_wait(&tq.wake, next);
	}
}

int
timers_boot(void)
{
	bool start;
	int err = 0;

	mutex_lock(&tq.mu);
	start = !tq.started;
	tq.started = true;
	mutex_unlock(&tq.mu);
	if (start)
		err = kthread_start("timer", timer_main, NULL);
	if (err) {
		mutex_lock(&tq.mu);
		tq.started = false;
		mutex_unlock(&tq.mu);
	}
	return err;
}

void
timer_init(struct timer *tm, timer_fn *fn)
{
	*tm = (struct timer){ .fn = fn };
}

void
timer_arm(struct timer *tm, uint64_t deadline_ns)
{
	bool sooner = false, started;
	int err = 0;

	mutex_lock(&tq.mu);
	if (tm->armed) {
		tree_remove(&tq.tree, &tm->node);
		tm->armed = false;
	}
	if (deadline_ns != NO_DEADLINE) {
		tm->deadline_ns = deadline_ns;
		tm->seq = ++tq.seq;
		err = tree_insert(&tq.tree, &tm->node);
		tm->armed = err == 0;
		sooner = deadline_ns < tq.next;
		if (sooner)
			tq.next = deadline_ns;
	}
	started = tq.started;
	mutex_unlock(&tq.mu);
	BUG_ON(err != 0);	/* seq makes every node different */
	if (unlikely(!started) && timers_boot() != 0)
		log_error("timer", "the timer thread does not start");
	if (sooner)
		kevent_set(&tq.wake);
}

bool
timer_disarm(struct timer *tm)
{
	bool was;

	mutex_lock(&tq.mu);
	was = tm->armed;
	if (was) {
		tree_remove(&tq.tree, &tm->node);
		tm->armed = false;
	}
	mutex_unlock(&tq.mu);
	return was;
}

void
timer_disarm_wait(struct timer *tm)
{
	uint32_t ran;

	for (;;) {
		(void)timer_disarm(tm);
		ran = atomic_load(&tq.ran);
		if (atomic_load(&tq.current) != tm)
			break;
		(void)host_futex_wait(&tq.ran, ran, clock_mono_ns() + LOOK_AGAIN_NS, false);
	}
	/* A callback that armed its timer again has been waited for: take it out once more. */
	(void)timer_disarm(tm);
}

uint64_t
timer_look(struct cpu_look *l, uint64_t used_ns, uint64_t left_ns, uint32_t threads)
{
	l->gap_ns = used_ns == l->used_ns ? min(2 * l->gap_ns, LOOK_MAX_NS) : LOOK_MIN_NS;
	l->gap_ns = max(l->gap_ns, LOOK_MIN_NS);
	l->used_ns = used_ns;
	left_ns /= max(threads, 1u);
	return abi_deadline(clock_mono_ns(), max(left_ns, l->gap_ns));
}

uint64_t
timer_forward(uint64_t deadline, uint64_t interval, uint64_t now, uint64_t *missed)
{
	uint64_t skip = 0;

	if (now >= deadline)
		skip = (now - deadline) / interval;
	*missed = skip;
	if (ckd_mul(&skip, skip + 1, interval) || ckd_add(&deadline, deadline, skip))
		return NO_DEADLINE;
	return deadline;
}
