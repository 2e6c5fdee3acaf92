/*
 * Scheduling, priorities, limits, namespaces: attributes that are kept, checked and shown.  The host
 * decides which thread runs; nothing here changes that, so each answer is what was set.  sched(7).
 */
#include <linux/capability.h>
#include <linux/ioprio.h>
#include <linux/sched.h>
#include <string.h>

#include "abi/resource.h"
#include "abi/time.h"
#include "base/kmem.h"
#include "sentry/kernel/tasktree.h"
#include "sentry/mm/usercopy.h"
#include "sentry/syscall/syscall.h"
#include "sentry/vfs/fdtable.h"
#include "sentry/vfs/file.h"

#define NICE_MIN	(-20)
#define NICE_MAX	19
#define RT_PRIO_MAX	99
#define NR_OPEN		1048576
#define CPUS_MAX	1024

#define ATTR_SIZE_LEAST	48
#define KNOWN_SCHED_FLAGS	0x7full	/* SCHED_FLAG_ALL */

/* <linux/sched/types.h> clashes with the C library. */
struct abi_sched_attr {
	uint32_t	size, sched_policy;
	uint64_t	sched_flags;
	int32_t		sched_nice;
	uint32_t	sched_priority;
	uint64_t	sched_runtime, sched_deadline, sched_period;
	uint32_t	sched_util_min, sched_util_max;
};
_Static_assert(sizeof(struct abi_sched_attr) == 56, "struct sched_attr");

static int32_t
clamp_nice(int32_t nice)
{
	return nice < NICE_MIN ? NICE_MIN : nice > NICE_MAX ? NICE_MAX : nice;
}

/* Task pid (0: the caller), counted. */
static int
get_target(struct task *t, int32_t pid, struct task **out)
{
	if (pid < 0)
		return -EINVAL;
	*out = pid == 0 ? task_get(t) : task_find_get(pid);
	return *out ? 0 : -ESRCH;
}

/* May t change how o is scheduled? */
static bool
may_schedule(struct task *t, struct task *o)
{
	AUTO_PUT(cred) c = task_cred_get(o);
	const struct cred *own = task_cred(t);

	return own->euid == c->euid || own->euid == c->uid || cred_has_cap(own, CAP_SYS_NICE);
}

int64_t
sys_sched_yield(struct task *t)
{
	(void)t;
	return 0;
}

static bool
is_realtime(int32_t policy)
{
	return policy == SCHED_FIFO || policy == SCHED_RR;
}

/* The policy as sched_getscheduler(2) shows it. */
static int32_t
full_policy(struct task *o)
{
	int32_t policy;

	mutex_lock(&kernel.tasks_mu);
	policy = (int32_t)o->sched_policy | (o->sched_reset ? SCHED_RESET_ON_FORK : 0);
	mutex_unlock(&kernel.tasks_mu);
	return policy;
}

static int
set_policy(struct task *t, struct task *o, int32_t policy, int32_t prio)
{
	bool reset = policy & SCHED_RESET_ON_FORK;

	policy &= ~SCHED_RESET_ON_FORK;
	if (policy != SCHED_NORMAL && policy != SCHED_BATCH && policy != SCHED_IDLE &&
	    !is_realtime(policy))
		return -EINVAL;
	if (is_realtime(policy) ? prio < 1 || prio > RT_PRIO_MAX : prio != 0)
		return -EINVAL;
	if (!may_schedule(t, o))
		return -EPERM;
	if (is_realtime(policy) && !task_capable(t, CAP_SYS_NICE) &&
	    (uint64_t)prio > task_rlimit(o, ABI_RLIMIT_RTPRIO))
		return -EPERM;
	mutex_lock(&kernel.tasks_mu);
	o->sched_policy = (uint32_t)policy;
	o->sched_prio = (uint32_t)prio;
	o->sched_reset = reset;
	mutex_unlock(&kernel.tasks_mu);
	return 0;
}

int64_t
sys_sched_setscheduler(struct task *t, int32_t pid, int32_t policy, gaddr_t param)
{
	AUTO_PUT(task) o = NULL;
	int32_t prio;
	int err;

	if (policy < 0 || pid < 0 || gaddr_is_null(param))
		return -EINVAL;
	err = copy_in(t, &prio, param, sizeof prio);
	if (!err)
		err = get_target(t, pid, &o);
	return err ? err : set_policy(t, o, policy, prio);
}

int64_t
sys_sched_setparam(struct task *t, int32_t pid, gaddr_t param)
{
	AUTO_PUT(task) o = NULL;
	int32_t prio;
	int err;

	if (pid < 0 || gaddr_is_null(param))
		return -EINVAL;
	err = copy_in(t, &prio, param, sizeof prio);
	if (!err)
		err = get_target(t, pid, &o);
	return err ? err : set_policy(t, o, full_policy(o), prio);
}

int64_t
sys_sched_getscheduler(struct task *t, int32_t pid)
{
	AUTO_PUT(task) o = NULL;
	int err = get_target(t, pid, &o);

	return err ? err : full_policy(o);
}

int64_t
sys_sched_getparam(struct task *t, int32_t pid, gaddr_t param)
{
	AUTO_PUT(task) o = NULL;
	uint32_t prio;
	int err;

	if (gaddr_is_null(param))
		return -EINVAL;
	err = get_target(t, pid, &o);
	if (err)
		return err;
	mutex_lock(&kernel.tasks_mu);
	prio = o->sched_prio;
	mutex_unlock(&kernel.tasks_mu);
	return put_u32(t, param, prio);
}

int64_t
sys_sched_get_priority_max(struct task *t, int32_t policy)
{
	(void)t;
	switch (policy) {
	case SCHED_FIFO:
	case SCHED_RR:
		return RT_PRIO_MAX;
	case SCHED_NORMAL:
	case SCHED_BATCH:
	case SCHED_IDLE:
	case SCHED_DEADLINE:
		return 0;
	default:
		return -EINVAL;
	}
}

int64_t
sys_sched_get_priority_min(struct task *t, int32_t policy)
{
	int64_t highest = sys_sched_get_priority_max(t, policy);

	return highest > 0 ? 1 : highest;
}

int64_t
sys_sched_rr_get_interval(struct task *t, int32_t pid, gaddr_t interval)
{
	AUTO_PUT(task) o = NULL;
	struct abi_timespec ts = { 0 };
	int32_t policy;
	int err = get_target(t, pid, &o);

	if (err)
		return err;
	policy = full_policy(o) & ~SCHED_RESET_ON_FORK;
	if (policy == SCHED_RR)
		ts.tv_nsec = 100000000;
	else if (policy != SCHED_FIFO)
		ts.tv_nsec = 4000000;
	return copy_out(t, interval, &ts, sizeof ts);
}

int64_t
sys_sched_setattr(struct task *t, int32_t pid, gaddr_t attr, uint32_t flags)
{
	AUTO_PUT(task) o = NULL;
	struct abi_sched_attr a = { 0 };
	uint32_t size;
	int err;

	if (pid < 0 || flags || gaddr_is_null(attr))
		return -EINVAL;
	err = copy_in(t, &size, attr, sizeof size);
	if (err)
		return err;
	if (size == 0)
		size = ATTR_SIZE_LEAST;
	if (size < ATTR_SIZE_LEAST || size > PAGE_SIZE) {
		err = put_u32(t, attr, sizeof a);
		return err ? err : -E2BIG;
	}
	err = copy_in(t, &a, attr, min(size, (uint32_t)sizeof a));
	if (!err)
		err = get_target(t, pid, &o);
	if (err)
		return err;
	if (a.sched_policy == SCHED_DEADLINE) {
		report_missing(t, "sched_setattr with SCHED_DEADLINE");
		return -EPERM;
	}
	if (a.sched_policy & SCHED_RESET_ON_FORK || (a.sched_flags & ~KNOWN_SCHED_FLAGS))
		return -EINVAL;
	if (a.sched_flags & SCHED_FLAG_RESET_ON_FORK)
		a.sched_policy |= SCHED_RESET_ON_FORK;
	err = set_policy(t, o, (int32_t)a.sched_policy, (int32_t)a.sched_priority);
	a.sched_policy &= ~(uint32_t)SCHED_RESET_ON_FORK;
	if (!err && !is_realtime((int32_t)a.sched_policy)) {
		mutex_lock(&kernel.tasks_mu);
		o->nice = clamp_nice(a.sched_nice);
		mutex_unlock(&kernel.tasks_mu);
	}
	return err;
}

int64_t
sys_sched_getattr(struct task *t, int32_t pid, gaddr_t attr, uint32_t size, uint32_t flags)
{
	AUTO_PUT(task) o = NULL;
	struct abi_sched_attr a = { .size = sizeof a };
	int err;

	if (gaddr_is_null(attr) || pid < 0 || size > PAGE_SIZE || size < ATTR_SIZE_LEAST || flags)
		return -EINVAL;
	err = get_target(t, pid, &o);
	if (err)
		return err;
	mutex_lock(&kernel.tasks_mu);
	a.sched_policy = o->sched_policy;
	a.sched_flags = o->sched_reset ? SCHED_FLAG_RESET_ON_FORK : 0;
	a.sched_nice = o->nice;
	a.sched_priority = o->sched_prio;
	mutex_unlock(&kernel.tasks_mu);
	a.sched_util_max = 1024;
	a.size = min(size, a.size);
	return copy_out(t, attr, &a, a.size);
}

/* ---- affinity -------------------------------------------------------------- */

int64_t
sys_sched_setaffinity(struct task *t, int32_t pid, uint32_t len, gaddr_t mask)
{
	AUTO_PUT(task) o = NULL;
	uint64_t m[CPUS_MAX / 64] = { 0 };
	uint64_t ncpus = min(kernel.ncpus, (uint32_t)CPUS_MAX);
	bool any = false;
	int err;

	err = copy_in(t, m, mask, min(len, (uint32_t)sizeof m));
	if (!err)
		err = pid < 0 ? -ESRCH : get_target(t, pid, &o);
	if (err)
		return err;
	if (!may_schedule(t, o))
		return -EPERM;
	for (uint64_t i = 0; i < CPUS_MAX; i++) {
		if (i >= ncpus)
			m[i / 64] &= ~(1ULL << i % 64);
		any |= m[i / 64] >> i % 64 & 1;
	}
	if (!any)
		return -EINVAL;
	mutex_lock(&kernel.tasks_mu);
	memcpy(o->affinity, m, sizeof o->affinity);
	mutex_unlock(&kernel.tasks_mu);
	return 0;
}

int64_t
sys_sched_getaffinity(struct task *t, int32_t pid, uint32_t len, gaddr_t mask)
{
	AUTO_PUT(task) o = NULL;
	uint64_t m[CPUS_MAX / 64], all = 0;
	uint64_t ncpus = min(kernel.ncpus, (uint32_t)CPUS_MAX);
	uint32_t size = (uint32_t)((ncpus + 63) / 64 * 8);
	int err;

	if ((uint64_t)len * 8 < ncpus || len % 8)
		return -EINVAL;
	err = pid < 0 ? -ESRCH : get_target(t, pid, &o);
	if (err)
		return err;
	mutex_lock(&kernel.tasks_mu);
	memcpy(m, o->affinity, sizeof m);
	mutex_unlock(&kernel.tasks_mu);
	for (unsigned i = 0; i < CPUS_MAX / 64; i++)
		all |= m[i];
	for (uint64_t i = 0; all == 0 && i < ncpus; i++)
		m[i / 64] |= 1ULL << i % 64;
	size = min(size, len);
	err = copy_out(t, mask, m, size);
	return err ? err : (int64_t)size;
}

/* ---- priorities ------------------------------------------------------------ */

enum { WHICH_PROCESS, WHICH_PGRP, WHICH_USER };

/* Is o one that getpriority(which, who) means? tasks held. */
static bool
is_meant(struct task *t, struct task *o, int32_t which, int32_t who)
{
	bool same;

	switch (which) {
	case WHICH_PROCESS:
		return who == 0 ? o == t : o->tid == who;
	case WHICH_PGRP:
		return o->process->pgrp && (who == 0 ? o->process->pgrp == t->process->pgrp :
		    o->process->pgrp->id == who);
	default:
		mutex_lock(&o->alloc_mu);
		same = o->cred && o->cred->uid == (who ? (uint32_t)who : t->cred->uid);
		mutex_unlock(&o->alloc_mu);
		return same;
	}
}

int64_t
sys_getpriority(struct task *t, int32_t which, int32_t who)
{
	struct tree_node *n;
	int64_t best = -ESRCH;

	if (which < WHICH_PROCESS || which > WHICH_USER)
		return -EINVAL;
	mutex_lock(&kernel.tasks_mu);
	for (n = tree_first(&kernel.tasks); n; n = tree_next(n)) {
		struct task *o = container_of(n, struct task, node);

		if (is_meant(t, o, which, who))
			best = max(best, (int64_t)(20 - o->nice));
	}
	mutex_unlock(&kernel.tasks_mu);
	return best;
}

/* setpriority's word on one task: the first error counts, as in Linux's loop. tasks held. */
static int
set_nice(struct task *t, struct task *o, int32_t nice)
{
	const struct cred *own = task_cred(t);
	bool cap = cred_has_cap(own, CAP_SYS_NICE);
	uint32_t uid, euid;

	mutex_lock(&o->alloc_mu);
	uid = o->cred ? o->cred->uid : 0;
	euid = o->cred ? o->cred->euid : 0;
	mutex_unlock(&o->alloc_mu);
	if (!cap && own->euid != uid && own->euid != euid)
		return -EPERM;
	if (nice < o->nice && !cap &&
	    (uint64_t)(20 - nice) > process_rlimit(o->process, ABI_RLIMIT_NICE, NULL))
		return -EACCES;
	o->nice = nice;
	return 0;
}

int64_t
sys_setpriority(struct task *t, int32_t which, int32_t who, int32_t niceval)
{
	int32_t nice = clamp_nice(niceval);
	struct tree_node *n;
	int err = -ESRCH;

	if (which < WHICH_PROCESS || which > WHICH_USER)
		return -EINVAL;
	mutex_lock(&kernel.tasks_mu);
	for (n = tree_first(&kernel.tasks); n; n = tree_next(n)) {
		struct task *o = container_of(n, struct task, node);
		int one;

		if (!is_meant(t, o, which, who))
			continue;
		one = set_nice(t, o, nice);
		if (err == -ESRCH || one)
			err = one;
	}
	mutex_unlock(&kernel.tasks_mu);
	return err;
}

/* There is no I/O scheduler here to tell: a task's own value is kept, a group's or a user's is not. */
int64_t
sys_ioprio_set(struct task *t, int32_t which, int32_t who, int32_t ioprio)
{
	AUTO_PUT(task) o = NULL;
	int cls = ioprio >> IOPRIO_CLASS_SHIFT, level = ioprio & 7;
	int err;

	if (which < IOPRIO_WHO_PROCESS || which > IOPRIO_WHO_USER || ioprio < 0)
		return -EINVAL;
	if (cls == IOPRIO_CLASS_RT && !task_capable(t, CAP_SYS_ADMIN) &&
	    !task_capable(t, CAP_SYS_NICE))
		return -EPERM;
	if (cls > IOPRIO_CLASS_IDLE || (cls == IOPRIO_CLASS_NONE && level) ||
	    (ioprio & ((1 << IOPRIO_CLASS_SHIFT) - 1)) > 7)
		return -EINVAL;
	if (which != IOPRIO_WHO_PROCESS)
		return 0;
	err = who < 0 ? -ESRCH : get_target(t, who, &o);
	if (err)
		return err;
	if (!may_schedule(t, o))
		return -EPERM;
	atomic_store(&o->ioprio, (uint16_t)ioprio);
	return 0;
}

int64_t
sys_ioprio_get(struct task *t, int32_t which, int32_t who)
{
	AUTO_PUT(task) o = NULL;
	int err;

	if (which < IOPRIO_WHO_PROCESS || which > IOPRIO_WHO_USER)
		return -EINVAL;
	if (which != IOPRIO_WHO_PROCESS)
		return 0;
	err = who < 0 ? -ESRCH : get_target(t, who, &o);
	return err ? err : atomic_load(&o->ioprio);
}

/* ---- limits ---------------------------------------------------------------- */

static bool
may_limit(struct task *t, struct task *o)
{
	const struct cred *own = task_cred(t);
	AUTO_PUT(cred) c = task_cred_get(o);

	if (o->process == t->process || cred_has_cap(own, CAP_SYS_RESOURCE))
		return true;
	return own->uid == c->uid && own->uid == c->euid && own->uid == c->suid &&
	    own->gid == c->gid && own->gid == c->egid && own->gid == c->sgid;
}

static int
change_limit(struct task *t, struct task *o, uint32_t resource, const struct abi_rlimit *new,
    struct abi_rlimit *old)
{
	struct process *p = o->process;
	struct rlimit64 *r;
	int err = 0;

	if (new && new->cur > new->max)
		return -EINVAL;
	if (new && resource == ABI_RLIMIT_NOFILE && new->max > NR_OPEN)
		return -EPERM;
	mutex_lock(&p->mu);
	r = &p->rlim[resource];
	*old = (struct abi_rlimit){ r->cur, r->max };
	if (new && new->max > r->max && !task_capable(t, CAP_SYS_RESOURCE))
		err = -EPERM;
	if (new && !err) {
		/* Signals look at theirs with a lock held that stands outside this one. */
		__atomic_store_n(&r->cur, new->cur, __ATOMIC_RELAXED);
		r->max = new->max;
	}
	mutex_unlock(&p->mu);
	if (new && !err) {
		AUTO_PUT(mm) mm = task_mm_get(o);

		if (mm)
			mm_set_limits(mm, o);
		if (resource == ABI_RLIMIT_CPU)
			err = rlimit_cpu_watch(p);
	}
	return err;
}

int64_t
sys_prlimit64(struct task *t, int32_t pid, uint32_t resource, gaddr_t new_rlim, gaddr_t old_rlim)
{
	AUTO_PUT(task) o = NULL;
	struct abi_rlimit new, old;
	bool set = !gaddr_is_null(new_rlim);
	int err;

	if (set) {
		err = copy_in(t, &new, new_rlim, sizeof new);
		if (err)
			return err;
	}
	o = pid == 0 ? task_get(t) : task_find_get(pid);
	if (o == NULL)
		return -ESRCH;
	if (!may_limit(t, o))
		return -EPERM;
	if (resource >= RLIM_COUNT)
		return -EINVAL;
	err = change_limit(t, o, resource, set ? &new : NULL, &old);
	if (!err && !gaddr_is_null(old_rlim))
		err = copy_out(t, old_rlim, &old, sizeof old);
	return err;
}

int64_t
sys_getrlimit(struct task *t, uint32_t resource, gaddr_t rlim)
{
	struct abi_rlimit old;
	int err;

	if (resource >= RLIM_COUNT)
		return -EINVAL;
	err = change_limit(t, t, resource, NULL, &old);
	return err ? err : copy_out(t, rlim, &old, sizeof old);
}

int64_t
sys_setrlimit(struct task *t, uint32_t resource, gaddr_t rlim)
{
	struct abi_rlimit new, old;
	int err = copy_in(t, &new, rlim, sizeof new);

	if (err)
		return err;
	if (resource >= RLIM_COUNT)
		return -EINVAL;
	return change_limit(t, t, resource, &new, &old);
}

/* ---- namespaces ------------------------------------------------------------ */

#define UNSHARE_PRIVILEGED ((uint64_t)(CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | \
	CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWTIME))
#define UNSHARE_ALL	(UNSHARE_PRIVILEGED | CLONE_NEWUSER | CLONE_THREAD | CLONE_FS | CLONE_VM | \
	CLONE_SIGHAND | CLONE_FILES | CLONE_SYSVSEM)

static int
unshare_check(struct task *t, uint64_t flags)
{
	struct sighand *sh = process_lock(t->process);
	bool threads = t->process->nthreads > 1;

	process_unlock(sh);
	if (flags & ~UNSHARE_ALL)
		return -EINVAL;
	if ((flags & (CLONE_THREAD | CLONE_SIGHAND | CLONE_VM)) && threads)
		return -EINVAL;
	if ((flags & (CLONE_SIGHAND | CLONE_VM)) && ref_count(&t->process->sighand->ref) > 1)
		return -EINVAL;
	if ((flags & CLONE_VM) && atomic_load(&t->mm->users) > 1)
		return -EINVAL;
	if ((flags & UNSHARE_PRIVILEGED) && !task_capable(t, CAP_SYS_ADMIN) && !(flags & CLONE_NEWUSER))
		return -EPERM;
	if (flags & ((UNSHARE_PRIVILEGED & ~(uint64_t)CLONE_NEWUTS) | CLONE_NEWUSER)) {
		report_missing(t, "unshare of namespaces %#llx", (unsigned long long)flags);
		return -EINVAL;
	}
	return 0;
}

int64_t
sys_unshare(struct task *t, uint64_t flags)
{
	AUTO_PUT(fdtable) files = NULL;
	AUTO_PUT(fsinfo) fs = NULL;
	AUTO_PUT(utsns) uts = NULL;
	int err = unshare_check(t, flags);

	if (!err && (flags & CLONE_FILES) && ref_count(&t->files->ref) > 1)
		err = fdtable_copy(t->files, &files);
	if (!err && (flags & (CLONE_FS | CLONE_NEWNS)) && ref_count(&t->fs->ref) > 1)
		err = task_dup_fs(t->fs, &fs);
	if (!err && (flags & CLONE_NEWUTS))
		err = utsns_new(t->uts, &uts);
	if (err)
		return err;
	mutex_lock(&t->alloc_mu);
#define SWAP(a, b) do { __typeof__(a) s_ = (a); (a) = (b); (b) = s_; } while (0)
	if (files)
		SWAP(t->files, files);
	if (fs)
		SWAP(t->fs, fs);
	if (uts)
		SWAP(t->uts, uts);
#undef SWAP
	mutex_unlock(&t->alloc_mu);
	return 0;
}

int64_t
sys_setns(struct task *t, int32_t fd, uint64_t nstype)
{
	AUTO_PUT(file) f = NULL;
	int err = fd_get(t, fd, &f);

	if (err)
		return err;
	report_missing(t, "setns of type %#llx", (unsigned long long)nstype);
	return -EINVAL;
}
