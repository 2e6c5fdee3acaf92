/*
 * ptimer: POSIX timers.  timer_create(2), timer_settime(2), timer_getoverrun(2).
 *
 * A timer owns the one queue entry that its signal needs, so it never fails to signal.  A periodic one is left alone from
 * its expiry until the signal is taken: only then are the periods that have passed counted, as overrun, and the next one
 * set, so that a signal nobody takes costs one expiry.  One that is ignored waits until it is not.  What counts CPU
 * time is looked at all the while.  All state is under the process's sighand.
 * A timer is found, used and removed under that lock by calls of its own process, and freed by whoever
 * removed it, once its callback cannot run any more.
 */
#include <string.h>

#include "abi/errno.h"
#include "abi/signal.h"
#include "abi/time.h"
#include "base/kmem.h"
#include "sentry/kernel/clock.h"
#include "sentry/kernel/signal.h"
#include "sentry/kernel/task.h"
#include "sentry/kernel/timer.h"

#define CAP_WAKE_ALARM_NR	35

#define PERIOD_MIN_NS	50000ULL
#define RLIM_SIGPENDING	11

struct ptimer {
	struct timer	timer;		/* first */
	struct sigqueue	q;		/* [S] its signal, queued or not */
	struct list	link;		/* [S] process.posix_timers */
	struct process	*process;	/* [I] borrowed */
	struct task	*task;		/* [I] whose CPU time, and the one to signal with SIGEV_THREAD_ID; counted */
	int32_t		id;		/* [I] */
	int32_t		clock;		/* [I] */
	int32_t		notify;		/* [I] SIGEV_* */
	bool		to_thread;	/* [I] */
	uint64_t	expires_ns;	/* [S] CLOCK_MONOTONIC, or CPU time; 0 when unset */
	uint64_t	interval_ns;	/* [S] */
	struct cpu_look	look;		/* [S] */
	bool		waiting;	/* [S] it has expired, and the next period is not set */
	uint64_t	overrun;	/* [S] missed since the last signal that was taken */
	int32_t		overrun_last;	/* [S] of the last signal taken */
};
KMEM_CACHE(ptimer);

static uint64_t
ptimer_now(struct ptimer *pt)
{
	uint64_t now = 0;

	if (!clock_is_cpu(pt->clock))
		return clock_mono_ns();
	/* A thread that has gone uses no more. */
	if (clock_read(pt->task, pt->clock, &now) != 0)
		return 0;
	return now;
}

static void
rearm_locked(struct ptimer *pt, uint64_t now)
{
	uint64_t left;

	if (pt->expires_ns == 0 || pt->waiting || pt->notify == SIGEV_NONE) {
		(void)timer_disarm(&pt->timer);
		return;
	}
	if (!clock_is_cpu(pt->clock)) {
		timer_arm(&pt->timer, pt->expires_ns);
		return;
	}
	left = pt->expires_ns > now ? pt->expires_ns - now : 0;
	timer_arm(&pt->timer, timer_look(&pt->look, now, left, pt->process->nlive));
}

/* One expiry, with `missed` more behind it. */
static void
signal_locked(struct ptimer *pt, uint64_t missed)
{
	bool told = list_empty(&pt->q.link) &&
	    signal_queue_timer_locked(pt->process, pt->to_thread ? pt->task : NULL, &pt->q);

	pt->overrun += missed;
	/* A timer of CPU time has gone on. */
	if (!told && pt->interval_ns != 0 && !pt->waiting)
		pt->overrun++;
}

static void
ptimer_fire(struct timer *tm)
{
	struct ptimer *pt = container_of(tm, struct ptimer, timer);
	uint64_t now = ptimer_now(pt), missed = 0;
	struct sighand *sh = process_lock(pt->process);
	bool due = pt->expires_ns != 0 && !pt->waiting && pt->expires_ns <= now;

	if (due && pt->interval_ns == 0)
		pt->expires_ns = 0;
	else if (due && clock_is_cpu(pt->clock))
		pt->expires_ns = timer_forward(pt->expires_ns, pt->interval_ns, now, &missed);
	else if (due)
		pt->waiting = true;
	rearm_locked(pt, now);
	if (due)
		signal_locked(pt, missed);
	process_unlock(sh);
	if (due)
		waitq_wake(&signalfd_wq, 0);
}

/* The next period. Faster than the thread should run, it is a later one: *skipped are the next signal's overruns. */
static void
next_locked(struct ptimer *pt, uint64_t *skipped)
{
	uint64_t now = clock_mono_ns(), missed;

	*skipped = 0;
	pt->waiting = false;
	pt->expires_ns = timer_forward(pt->expires_ns, pt->interval_ns, now, &missed);
	pt->overrun += missed;
	if (pt->interval_ns < PERIOD_MIN_NS) {
		pt->expires_ns = timer_forward(pt->expires_ns, pt->interval_ns, now + PERIOD_MIN_NS, skipped);
		++*skipped;
	}
	rearm_locked(pt, now);
}

void
ptimer_dequeued_locked(struct sigqueue *q, struct abi_siginfo *info)
{
	struct ptimer *pt = container_of(q, struct ptimer, q);
	uint64_t skipped = 0;

	if (pt->waiting)
		next_locked(pt, &skipped);
	pt->overrun_last = (int32_t)min(pt->overrun, (uint64_t)INT32_MAX);
	pt->overrun = skipped;
	info->si_overrun = pt->overrun_last;
}

bool
ptimers_heard_locked(struct process *p, int signo)
{
	struct ptimer *pt;
	bool any = false;

	list_for_each(pt, &p->posix_timers, link) {
		if (pt->waiting && pt->q.info.si_signo == signo && list_empty(&pt->q.link))
			any |= signal_queue_timer_locked(p, pt->to_thread ? pt->task : NULL, &pt->q);
	}
	return any;
}

static struct ptimer *
find_locked(struct process *p, int32_t id)
{
	struct ptimer *pt;

	list_for_each(pt, &p->posix_timers, link) {
		if (pt->id == id)
			return pt;
	}
	return NULL;
}

static bool
clock_can_time(struct task *t, int32_t clock)
{
	uint64_t ns;

	switch (clock) {
	case CLOCK_REALTIME:
	case CLOCK_MONOTONIC:
	case CLOCK_BOOTTIME:
	case CLOCK_TAI:
	case CLOCK_PROCESS_CPUTIME_ID:
	case CLOCK_THREAD_CPUTIME_ID:
		return true;
	}
	return clock < 0 && clock_read(t, clock, &ns) == 0;
}

/* Checks ev and fills the timer's signal. */
static int
ptimer_event(struct task *t, struct ptimer *pt, const struct abi_sigevent *ev)
{
	struct task *o;

	pt->notify = ev ? ev->notify : SIGEV_SIGNAL;
	pt->q.info.si_signo = ev ? ev->signo : SIGALRM;
	pt->q.info.si_value = ev ? ev->value : (uint64_t)pt->id;
	pt->q.info.si_code = SI_TIMER;
	pt->q.info.si_timerid = pt->id;
	switch (pt->notify) {
	case SIGEV_NONE:
		return 0;
	case SIGEV_SIGNAL:
	case SIGEV_THREAD:
		break;
	case SIGEV_SIGNAL | ABI_SIGEV_THREAD_ID:
		o = task_find_get(ev->tid);
		if (o == NULL || o->process != t->process) {
			task_put(o);
			return -EINVAL;
		}
		task_put(pt->task);
		pt->task = o;
		pt->to_thread = true;
		break;
	default:
		return -EINVAL;
	}
	return pt->q.info.si_signo < 1 || pt->q.info.si_signo > ABI_NSIG ? -EINVAL : 0;
}

static void
ptimer_free(struct ptimer *pt)
{
	task_put(pt->task);
	obj_free(ptimer, pt);
}

static int
count_locked(struct process *p)
{
	struct list *l;
	int n = 0;

	for (l = p->posix_timers.next; l != &p->posix_timers; l = l->next)
		n++;
	return n;
}

int
ptimer_create(struct task *t, int32_t clock, const struct abi_sigevent *ev, int32_t *id)
{
	struct process *p = t->process;
	struct sighand *sh;
	struct ptimer *pt;
	uint64_t limit = __atomic_load_n(&p->rlim[RLIM_SIGPENDING].cur, __ATOMIC_RELAXED);
	int err;

	/* A sandbox never suspends, so these are their plain clocks to whoever may have them. */
	if ((clock == CLOCK_REALTIME_ALARM || clock == CLOCK_BOOTTIME_ALARM) &&
	    !task_capable(t, CAP_WAKE_ALARM_NR))
		return -EPERM;
	if (clock == CLOCK_REALTIME_ALARM)
		clock = CLOCK_REALTIME;
	else if (clock == CLOCK_BOOTTIME_ALARM)
		clock = CLOCK_BOOTTIME;
	if (!clock_can_time(t, clock))
		return -EINVAL;
	pt = obj_new(ptimer);
	if (pt == NULL)
		return -EAGAIN;
	timer_init(&pt->timer, ptimer_fire);
	list_init(&pt->q.link);
	list_init(&pt->link);
	pt->process = p;
	pt->task = task_get(t);
	pt->clock = clock;
	sh = process_lock(p);
	do {
		pt->id = p->next_timer_id++ & INT32_MAX;
	} while (find_locked(p, pt->id));
	err = (uint64_t)count_locked(p) >= limit ? -EAGAIN : 0;
	process_unlock(sh);
	if (!err)
		err = ptimer_event(t, pt, ev);
	if (err) {
		ptimer_free(pt);
		return err;
	}
	*id = pt->id;
	sh = process_lock(p);
	list_push_back(&p->posix_timers, &pt->link);
	process_unlock(sh);
	return 0;
}

static uint64_t
left_locked(const struct ptimer *pt, uint64_t now)
{
	uint64_t expires = pt->expires_ns, missed;

	if (expires == 0)
		return 0;
	if (expires <= now && pt->interval_ns != 0 && (pt->waiting || pt->notify == SIGEV_NONE))
		expires = timer_forward(expires, pt->interval_ns, now, &missed);
	if (expires > now)
		return expires - now;
	/* Due, and the callback is on its way; without a signal there is nothing on its way. */
	return pt->notify == SIGEV_NONE ? 0 : 1;
}

/* The time on the timer's own scale; its clock never changes, so it may be read before the lock. */
static int
read_now(struct task *t, int32_t id, uint64_t *now)
{
	struct process *p = t->process;
	struct sighand *sh = process_lock(p);
	struct ptimer *pt = find_locked(p, id);
	int32_t clock = pt ? pt->clock : 0;
	struct task *o = pt ? task_get(pt->task) : NULL;

	process_unlock(sh);
	if (pt == NULL)
		return -EINVAL;
	*now = 0;
	if (!clock_is_cpu(clock))
		*now = clock_mono_ns();
	else if (clock_read(o, clock, now) != 0)
		*now = 0;
	task_put(o);
	return 0;
}

int
ptimer_set(struct task *t, int32_t id, bool absolute, uint64_t value_ns, uint64_t interval_ns,
    uint64_t *old_value_ns, uint64_t *old_interval_ns)
{
	struct process *p = t->process;
	struct sighand *sh;
	struct ptimer *pt;
	uint64_t now, expires;
	int err = read_now(t, id, &now);

	if (err)
		return err;
	sh = process_lock(p);
	pt = find_locked(p, id);
	if (pt == NULL) {
		process_unlock(sh);
		return -EINVAL;
	}
	*old_value_ns = left_locked(pt, now);
	*old_interval_ns = pt->interval_ns;
	/* A setting starts afresh: what is queued belongs to the old one. */
	signal_unqueue_timer_locked(p, &pt->q);
	pt->waiting = false;
	pt->overrun = 0;
	pt->overrun_last = 0;
	if (value_ns == 0)
		expires = 0;
	else if (!absolute)
		expires = abi_deadline(now, value_ns);
	else if (clock_is_cpu(pt->clock))
		expires = value_ns;
	else if (clock_deadline(pt->clock, value_ns, &expires) != 0)
		expires = 0;
	pt->expires_ns = expires;
	pt->interval_ns = value_ns ? interval_ns : 0;
	rearm_locked(pt, now);
	process_unlock(sh);
	return 0;
}

int
ptimer_get(struct task *t, int32_t id, uint64_t *value_ns, uint64_t *interval_ns)
{
	struct sighand *sh;
	struct ptimer *pt;
	uint64_t now;
	int err = read_now(t, id, &now);

	if (err)
		return err;
	sh = process_lock(t->process);
	pt = find_locked(t->process, id);
	if (pt) {
		*value_ns = left_locked(pt, now);
		*interval_ns = pt->interval_ns;
	}
	process_unlock(sh);
	return pt ? 0 : -EINVAL;
}

int
ptimer_overrun(struct task *t, int32_t id)
{
	struct sighand *sh = process_lock(t->process);
	struct ptimer *pt = find_locked(t->process, id);
	int n = pt ? pt->overrun_last : -EINVAL;

	process_unlock(sh);
	return n;
}

static void
ptimer_destroy(struct process *p, struct ptimer *pt)
{
	struct sighand *sh;

	timer_disarm_wait(&pt->timer);
	/* A last callback may have queued it. */
	sh = process_lock(p);
	signal_unqueue_timer_locked(p, &pt->q);
	process_unlock(sh);
	ptimer_free(pt);
}

int
ptimer_delete(struct task *t, int32_t id)
{
	struct process *p = t->process;
	struct sighand *sh = process_lock(p);
	struct ptimer *pt = find_locked(p, id);

	if (pt) {
		list_remove(&pt->link);
		pt->expires_ns = 0;
		signal_unqueue_timer_locked(p, &pt->q);
	}
	process_unlock(sh);
	if (pt == NULL)
		return -EINVAL;
	ptimer_destroy(p, pt);
	return 0;
}

void
timers_exec(struct process *p)
{
	struct sighand *sh;
	struct ptimer *pt;

	for (;;) {
		sh = process_lock(p);
		pt = list_first(&p->posix_timers, struct ptimer, link);
		if (pt) {
			list_remove(&pt->link);
			pt->expires_ns = 0;
		}
		process_unlock(sh);
		if (pt == NULL)
			return;
		ptimer_destroy(p, pt);
	}
}
