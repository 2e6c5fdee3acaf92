/*
 * itimer: the three interval timers of a process.  setitimer(2).
 *
 * The real one is a timer like any other; when it repeats, the next period is set when a SIGALRM is taken.  The two that count CPU time are looked at when, at
 * the earliest, the rest could have been used up; what the process has used decides.
 * All state of one process's three is under its sighand; callbacks run on the timer thread.
 */
#include "abi/errno.h"
#include "abi/signal.h"
#include "abi/time.h"
#include "base/kmem.h"
#include "sentry/kernel/clock.h"
#include "sentry/kernel/signal.h"
#include "sentry/kernel/task.h"
#include "sentry/kernel/timer.h"

#define PERIOD_MIN_NS	50000ULL	/* of a repeating timer: the thread serves others too */

struct itimer {
	struct timer	timer;		/* first */
	struct process	*process;	/* [I] borrowed: timers_process_exit comes before it goes */
	int		which;		/* [I] */
	uint64_t	expires_ns;	/* [S] CLOCK_MONOTONIC, or CPU time; 0 when unset */
	uint64_t	interval_ns;	/* [S] */
	struct cpu_look	look;		/* [S] the others */
	bool		waiting;	/* [S] the real one: it has expired, and the next period is not set */
};

/* process.itimer_real points at the first of these. */
struct itimers {
	struct itimer	it[ITIMERS_COUNT];
};
KMEM_CACHE(itimers);

static const int itimer_signal[ITIMERS_COUNT] = { SIGALRM, SIGVTALRM, SIGPROF };

static uint64_t
itimer_now(struct process *p, int which)
{
	uint64_t user, sys;

	if (which == ITIMERS_REAL)
		return clock_mono_ns();
	process_times(p, &user, &sys);
	return which == ITIMERS_VIRTUAL ? user : user + sys;
}

/* sighand held. */
static void
rearm_locked(struct itimer *it, uint64_t now)
{
	uint64_t left;

	if (it->expires_ns == 0 || it->waiting) {
		(void)timer_disarm(&it->timer);
		return;
	}
	if (it->which == ITIMERS_REAL) {
		timer_arm(&it->timer, it->expires_ns);
		return;
	}
	left = it->expires_ns > now ? it->expires_ns - now : 0;
	timer_arm(&it->timer, timer_look(&it->look, now, left, it->process->nlive));
}

static void
itimer_fire(struct timer *tm)
{
	struct itimer *it = container_of(tm, struct itimer, timer);
	struct process *p = it->process;
	uint64_t now = itimer_now(p, it->which), missed;
	struct sighand *sh = process_lock(p);
	bool due = it->expires_ns != 0 && !it->waiting && it->expires_ns <= now;

	if (due && it->interval_ns == 0)
		it->expires_ns = 0;
	else if (due && it->which == ITIMERS_REAL)
		it->waiting = true;
	else if (due)
		it->expires_ns = timer_forward(it->expires_ns, max(it->interval_ns, PERIOD_MIN_NS), now, &missed);
	rearm_locked(it, now);
	process_unlock(sh);
	if (due)
		signal_kernel(p, itimer_signal[it->which]);
}

void
itimer_dequeued_locked(struct process *p)
{
	struct itimer *it = p->itimer_real ? container_of(p->itimer_real, struct itimer, timer) : NULL;
	uint64_t now, missed;

	if (it == NULL || !it->waiting)
		return;
	now = clock_mono_ns();
	it->waiting = false;
	it->expires_ns = timer_forward(it->expires_ns, max(it->interval_ns, PERIOD_MIN_NS), now, &missed);
	rearm_locked(it, now);
}

/* The process's timers, made at first use. */
static int
itimers_of(struct process *p, struct itimers **out)
{
	struct itimers *its, *made = NULL;
	struct sighand *sh;

	if (__atomic_load_n(&p->itimer_real, __ATOMIC_ACQUIRE) == NULL) {
		made = obj_new(itimers);
		if (made == NULL)
			return -ENOMEM;
		for (int i = 0; i < ITIMERS_COUNT; i++) {
			timer_init(&made->it[i].timer, itimer_fire);
			made->it[i].process = p;
			made->it[i].which = i;
		}
	}
	sh = process_lock(p);
	if (p->itimer_real == NULL) {
		__atomic_store_n(&p->itimer_real, &made->it[0].timer, __ATOMIC_RELEASE);
		made = NULL;
	}
	its = container_of(p->itimer_real, struct itimers, it[0].timer);
	process_unlock(sh);
	obj_free(itimers, made);
	*out = its;
	return 0;
}

/* What is left; a timer that is due and not yet delivered has a moment, one whose signal is not taken nothing. sighand held. */
static uint64_t
left_locked(const struct itimer *it, uint64_t now)
{
	if (it->expires_ns == 0 || it->waiting)
		return 0;
	return it->expires_ns > now ? it->expires_ns - now : 1000;
}

void
itimer_get(struct task *t, int which, uint64_t *value_ns, uint64_t *interval_ns)
{
	struct process *p = t->process;
	uint64_t now = itimer_now(p, which);
	struct sighand *sh = process_lock(p);

	*value_ns = *interval_ns = 0;
	if (p->itimer_real) {
		struct itimer *it = &container_of(p->itimer_real, struct itimers, it[0].timer)->it[which];

		*value_ns = left_locked(it, now);
		*interval_ns = it->interval_ns;
	}
	process_unlock(sh);
}

int
itimer_set(struct task *t, int which, uint64_t value_ns, uint64_t interval_ns,
    uint64_t *old_value_ns, uint64_t *old_interval_ns)
{
	struct process *p = t->process;
	uint64_t now = itimer_now(p, which);
	struct itimers *its;
	struct sighand *sh;
	struct itimer *it;
	int err = itimers_of(p, &its);

	if (err)
		return err;
	it = &its->it[which];
	sh = process_lock(p);
	*old_value_ns = left_locked(it, now);
	*old_interval_ns = it->interval_ns;
	it->expires_ns = value_ns ? abi_deadline(now, value_ns) : 0;
	it->interval_ns = interval_ns;
	it->waiting = false;
	rearm_locked(it, now);
	process_unlock(sh);
	return 0;
}

static void
itimers_free(struct process *p)
{
	struct sighand *sh = process_lock(p);
	struct itimers *its = p->itimer_real ?
	    container_of(p->itimer_real, struct itimers, it[0].timer) : NULL;

	p->itimer_real = NULL;
	for (int i = 0; its && i < ITIMERS_COUNT; i++)
		its->it[i].expires_ns = its->it[i].interval_ns = 0;
	process_unlock(sh);
	if (its == NULL)
		return;
	for (int i = 0; i < ITIMERS_COUNT; i++)
		timer_disarm_wait(&its->it[i].timer);
	obj_free(itimers, its);
}

void
timers_process_exit(struct process *p)
{
	timers_exec(p);
	itimers_free(p);
}
