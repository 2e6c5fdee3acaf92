/*
 * rlimit: resource limits of a process.  getrlimit(2).
 *
 * They live in struct process under its mu, a leaf to nearly everything, so that the memory manager may ask
 * with its own lock held.  RLIMIT_CPU is the only one that acts by itself: a timer looks again
 * whenever the process could have used up what it had left.
 */
#include <time.h>

#include "abi/resource.h"
#include "base/hostcall.h"
#include "base/kmem.h"
#include "sentry/kernel/task.h"
#include "sentry/kernel/timer.h"

#define CPU_LOOK_LEAST	(10 * 1000000ULL)	/* between two looks, in ns */

struct cpu_limit {
	struct timer	timer;
	struct process	*process;	/* [I] borrowed: rlimit_cpu_end comes before its end */
	uint64_t	next_sec;	/* [timer thread] SIGXCPU is sent again after this many seconds */
	_Atomic bool	over;		/* the process is ending */
};
KMEM_CACHE(cpu_limit);

void
rlimit_defaults(struct rlimit64 rlim[RLIM_COUNT])
{
	for (int i = 0; i < RLIM_COUNT; i++)
		rlim[i] = (struct rlimit64){ UINT64_MAX, UINT64_MAX };
	rlim[ABI_RLIMIT_STACK].cur = 8 << 20;
	rlim[ABI_RLIMIT_CORE].cur = 0;
	rlim[ABI_RLIMIT_NOFILE] = (struct rlimit64){ 1024, 1048576 };
	rlim[ABI_RLIMIT_MEMLOCK] = (struct rlimit64){ 8 << 20, 8 << 20 };
	rlim[ABI_RLIMIT_SIGPENDING] = (struct rlimit64){ 31334, 31334 };
	rlim[ABI_RLIMIT_NPROC] = (struct rlimit64){ 31334, 31334 };
	rlim[ABI_RLIMIT_MSGQUEUE] = (struct rlimit64){ 819200, 819200 };
	rlim[ABI_RLIMIT_NICE] = (struct rlimit64){ 0, 0 };
	rlim[ABI_RLIMIT_RTPRIO] = (struct rlimit64){ 0, 0 };
}

uint64_t
process_rlimit(struct process *p, int resource, uint64_t *hard)
{
	struct rlimit64 r;

	BUG_ON(resource < 0 || resource >= RLIM_COUNT);
	mutex_lock(&p->mu);
	r = p->rlim[resource];
	mutex_unlock(&p->mu);
	if (hard)
		*hard = r.max;
	return r.cur;
}

uint64_t
task_rlimit(struct task *t, int resource)
{
	return process_rlimit(t->process, resource, NULL);
}

/* ---- RLIMIT_CPU ------------------------------------------------------------ */

/* Nanoseconds of CPU until sec seconds are used; saturates. */
static uint64_t
cpu_left(uint64_t sec, uint64_t used)
{
	uint64_t ns;

	if (ckd_mul(&ns, sec, NSEC_PER_SEC))
		return UINT64_MAX;
	return ns > used ? ns - used : 0;
}

static void
cpu_look(struct timer *tm)
{
	struct cpu_limit *c = container_of(tm, struct cpu_limit, timer);
	struct process *p = c->process;
	uint64_t hard, soft = process_rlimit(p, ABI_RLIMIT_CPU, &hard), u, s, left;
	struct sighand *sh;
	uint32_t threads;

	if (atomic_load(&c->over) || (soft == UINT64_MAX && hard == UINT64_MAX))
		return;
	process_times(p, &u, &s);
	if (cpu_left(hard, u + s) == 0) {
		signal_kernel(p, SIGKILL);
		return;
	}
	if (cpu_left(max(soft, c->next_sec), u + s) == 0) {
		signal_kernel(p, SIGXCPU);
		c->next_sec = (u + s) / NSEC_PER_SEC + 1;
	}
	left = cpu_left(max(soft, c->next_sec), u + s);
	left = min(left, cpu_left(hard, u + s));
	if (left == UINT64_MAX)
		return;
	sh = process_lock(p);
	threads = max(p->nlive, 1U);
	process_unlock(sh);
	if (!atomic_load(&c->over))
		timer_arm(tm, host_clock_ns(CLOCK_MONOTONIC) + max(left / threads, CPU_LOOK_LEAST));
}

int
rlimit_cpu_watch(struct process *p)
{
	const struct rlimit64 *r = &p->rlim[ABI_RLIMIT_CPU];
	struct cpu_limit *c;
	int err = 0;

	mutex_lock(&p->mu);
	c = p->cpu_limit;
	if ((r->cur == UINT64_MAX && r->max == UINT64_MAX) || p->cpu_limit_over)
		goto out;
	if (c == NULL) {
		c = p->cpu_limit = obj_new(cpu_limit);
		if (c == NULL) {
			err = -ENOMEM;
			goto out;
		}
		timer_init(&c->timer, cpu_look);
		c->process = p;
	}
	timer_arm(&c->timer, host_clock_ns(CLOCK_MONOTONIC) + CPU_LOOK_LEAST);
out:
	mutex_unlock(&p->mu);
	return err;
}

void
rlimit_cpu_end(struct process *p)
{
	struct cpu_limit *c;

	mutex_lock(&p->mu);
	c = steal(&p->cpu_limit);
	p->cpu_limit_over = true;
	mutex_unlock(&p->mu);
	if (c == NULL)
		return;
	/* A callback that was past its look at `over` may arm once more: hence twice. */
	atomic_store(&c->over, true);
	timer_disarm_wait(&c->timer);
	timer_disarm_wait(&c->timer);
	obj_free(cpu_limit, c);
}
