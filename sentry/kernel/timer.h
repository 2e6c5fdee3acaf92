/*
 * timer: things to do at a time: one thread over one ordered tree, asleep when nothing is due.
 *
 * Also the timers of processes: setitimer(2), alarm(2), timer_create(2).
 */
#ifndef SENTRY_KERNEL_TIMER_H
#define SENTRY_KERNEL_TIMER_H

#include "base/base.h"
#include "base/list.h"
#include "base/tree.h"

struct abi_itimerspec;
struct abi_sigevent;
struct abi_siginfo;
struct process;
struct sigqueue;
struct task;

struct timer;
/* Runs on the timer thread, no lock held; may take any lock, arm timers (itself too), and wake; may not sleep. */
typedef void timer_fn(struct timer *tm);

struct timer {
	struct tree_node node;		/* [timer] */
	timer_fn	*fn;		/* [I] */
	uint64_t	 deadline_ns;	/* [timer] CLOCK_MONOTONIC */
	uint64_t	 seq;		/* [timer] keeps equal deadlines apart */
	bool		 armed;		/* [timer] */
};

int timers_boot(void) MUST_CHECK;	/* starts the thread; timer_arm does if nobody did */
void timer_init(struct timer *tm, timer_fn *fn);
/* (Re-)arms; UINT64_MAX is never. Any lock above `timer` may be held. */
void timer_arm(struct timer *tm, uint64_t deadline_ns);
/* Takes it out; true when it was armed. The callback may still be running. */
bool timer_disarm(struct timer *tm);
/* The same, and waits for a running callback to end: hold no lock that it takes. */
void timer_disarm_wait(struct timer *tm);

/*
 * CPU time wakes nobody: what waits for it looks, at the earliest when `left` ns could have been used up by that many
 * threads.  Who used none since the last look is looked at less and less.  When to look again.
 */
struct cpu_look { uint64_t used_ns, gap_ns; };
uint64_t timer_look(struct cpu_look *l, uint64_t used_ns, uint64_t left_ns, uint32_t threads);

/* The first multiple of interval after now, counted from deadline; *missed gets the periods skipped over. */
uint64_t timer_forward(uint64_t deadline, uint64_t interval, uint64_t now, uint64_t *missed);

/* ---- itimer.c: setitimer(2) ------------------------------------------------- */
enum { ITIMERS_REAL, ITIMERS_VIRTUAL, ITIMERS_PROF, ITIMERS_COUNT };
void itimer_get(struct task *t, int which, uint64_t *value_ns, uint64_t *interval_ns);
int itimer_set(struct task *t, int which, uint64_t value_ns, uint64_t interval_ns,
    uint64_t *old_value_ns, uint64_t *old_interval_ns) MUST_CHECK;

/* A SIGALRM to the process is being taken: sets the next period of its real timer. sighand held. */
void itimer_dequeued_locked(struct process *p);

/* ---- ptimer.c: timer_create(2) ----------------------------------------------- */
int ptimer_create(struct task *t, int32_t clock, const struct abi_sigevent *ev, int32_t *id) MUST_CHECK;
int ptimer_set(struct task *t, int32_t id, bool absolute, uint64_t value_ns, uint64_t interval_ns,
    uint64_t *old_value_ns, uint64_t *old_interval_ns) MUST_CHECK;
int ptimer_get(struct task *t, int32_t id, uint64_t *value_ns, uint64_t *interval_ns) MUST_CHECK;
int ptimer_overrun(struct task *t, int32_t id) MUST_CHECK;
int ptimer_delete(struct task *t, int32_t id) MUST_CHECK;
/* A timer's queued signal is being taken: completes info, and sets the next period. sighand held. */
void ptimer_dequeued_locked(struct sigqueue *q, struct abi_siginfo *info);
/* signo is ignored no longer: timers that have expired meanwhile signal now. True when one does: wake signalfd_wq. sighand held. */
bool ptimers_heard_locked(struct process *p, int signo) MUST_CHECK;

/* Hooks: the process has ended; it executes another program (POSIX timers go). No lock held. */
void timers_process_exit(struct process *p);
void timers_exec(struct process *p);

#endif
