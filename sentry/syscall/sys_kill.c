/* sys_kill: sending signals: kill(2), tgkill(2), rt_sigqueueinfo(2). */
#include <string.h>

#include "abi/errno.h"
#include "abi/signal.h"
#include "base/kmem.h"
#include "sentry/kernel/signal.h"
#include "sentry/kernel/task.h"
#include "sentry/mm/usercopy.h"
#include "sentry/syscall/syscall.h"

static bool
valid_signal(int32_t signo)
{
	return signo >= 0 && signo <= ABI_NSIG;
}

int
signal_send_checked(struct task *t, struct process *p, const struct abi_siginfo *info)
{
	int err;

	if (!valid_signal(info->si_signo))
		return -EINVAL;
	err = signal_may_send(t, p, info->si_signo);
	if (err || info->si_signo == 0)
		return err;
	return signal_queue_process(p, info);
}

/* A snapshot of a set of processes, so that nothing is locked while they are signalled. */
struct crowd {
	struct process	**p;		/* counted */
	uint64_t	 n, room;
};

static void
crowd_put(struct crowd *c)
{
	for (uint64_t i = 0; i < c->n; i++)
		process_put(c->p[i]);
	mem_free(c->p);
}

static bool
crowd_add(struct crowd *c, struct process *p)
{
	if (c->n == c->room) {
		uint64_t room = c->room ? c->room * 2 : 16;
		struct process **grown = mem_realloc(c->p, room * sizeof *grown);

		if (grown == NULL)
			return false;
		c->p = grown;
		c->room = room;
	}
	c->p[c->n++] = process_get(p);
	return true;
}

struct everyone {
	struct task	*t;
	struct crowd	 crowd;
};

/* kill(-1): everybody but pid 1 and the caller. */
static bool
add_everyone(struct process *p, void *arg)
{
	struct everyone *e = arg;

	return p == kernel.init || p == e->t->process || crowd_add(&e->crowd, p);
}

static int64_t
kill_all(struct task *t, const struct abi_siginfo *info)
{
	struct everyone e = { .t = t };
	int64_t ret = 0;

	process_each(add_everyone, &e);
	if (e.crowd.n == 0)
		return -ESRCH;
	for (uint64_t i = 0; i < e.crowd.n; i++) {
		int err = signal_send_checked(t, e.crowd.p[i], info);

		/* As Linux: those that may not be signalled are passed over in silence. */
		if (err && err != -EPERM)
			ret = err;
	}
	crowd_put(&e.crowd);
	return ret;
}

static int64_t
kill_group(struct task *t, struct pidgroup *g, const struct abi_siginfo *info)
{
	struct crowd c = { NULL, 0, 0 };
	int64_t ret = -ESRCH;
	bool sent = false;
	struct process *p;

	mutex_lock(&kernel.tasks_mu);
	list_for_each(p, &g->members, pgrp_link) {
		if (!crowd_add(&c, p))
			break;
	}
	mutex_unlock(&kernel.tasks_mu);
	for (uint64_t i = 0; i < c.n; i++) {
		int err = signal_send_checked(t, c.p[i], info);

		sent |= err == 0;
		ret = err;
	}
	crowd_put(&c);
	return sent ? 0 : ret;
}

int64_t
sys_kill(struct task *t, int32_t pid, int32_t signo)
{
	struct abi_siginfo info;

	siginfo_user(&info, t, signo, SI_USER);
	if (pid > 0) {
		/* Any thread's id names its process. */
		AUTO_PUT(task) o = task_find_get(pid);

		return o ? signal_send_checked(t, o->process, &info) : -ESRCH;
	}
	if (pid == INT32_MIN)
		return -ESRCH;
	if (pid == -1)
		return kill_all(t, &info);
	AUTO_PUT(pidgroup) g = pid == 0 ? process_pgrp_get(t->process) : pidgroup_find_get(-pid);

	return g ? kill_group(t, g, &info) : -ESRCH;
}

/* tgid 0: whatever process the thread is of. */
static int64_t
send_thread(struct task *t, int32_t tgid, int32_t tid, const struct abi_siginfo *info)
{
	AUTO_PUT(task) o = task_find_get(tid);
	int err;

	if (o == NULL || (tgid > 0 && o->process->pid != tgid))
		return -ESRCH;
	if (!valid_signal(info->si_signo))
		return -EINVAL;
	err = signal_may_send(t, o->process, info->si_signo);
	if (err || info->si_signo == 0)
		return err;
	return signal_queue_task(o, info);
}

int64_t
sys_tgkill(struct task *t, int32_t tgid, int32_t tid, int32_t signo)
{
	struct abi_siginfo info;

	if (tgid <= 0 || tid <= 0)
		return -EINVAL;
	siginfo_user(&info, t, signo, SI_TKILL);
	return send_thread(t, tgid, tid, &info);
}

int64_t
sys_tkill(struct task *t, int32_t tid, int32_t signo)
{
	struct abi_siginfo info;

	if (tid <= 0)
		return -EINVAL;
	siginfo_user(&info, t, signo, SI_TKILL);
	return send_thread(t, 0, tid, &info);
}

int
siginfo_get(struct task *t, gaddr_t at, bool to_self, struct abi_siginfo *info)
{
	int err = copy_in(t, info, at, sizeof *info);

	if (err)
		return err;
	if ((info->si_code >= 0 || info->si_code == SI_TKILL) && !to_self)
		return -EPERM;
	return 0;
}

int64_t
sys_rt_sigqueueinfo(struct task *t, int32_t pid, int32_t signo, gaddr_t uinfo)
{
	struct abi_siginfo info;
	int err = siginfo_get(t, uinfo, pid == t->process->pid, &info);

	if (err)
		return err;
	info.si_signo = signo;
	AUTO_PUT(task) o = pid > 0 ? task_find_get(pid) : NULL;

	return o ? signal_send_checked(t, o->process, &info) : -ESRCH;
}

int64_t
sys_rt_tgsigqueueinfo(struct task *t, int32_t tgid, int32_t tid, int32_t signo, gaddr_t uinfo)
{
	struct abi_siginfo info;
	int err = siginfo_get(t, uinfo, tid == t->tid, &info);

	if (err)
		return err;
	info.si_signo = signo;
	if (tgid <= 0 || tid <= 0)
		return -EINVAL;
	return send_thread(t, tgid, tid, &info);
}
