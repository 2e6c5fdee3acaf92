/*
 * rlimit: resource limits of a process.  getrlimit(2).
 *
 * They live in struct process under its mu, a leaf to nearly everything, so that the memory manager may ask
 * with its own lock held.
 */
#include "abi/resource.h"
#include "sentry/kernel/task.h"

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
