/*
 * task_exit: the end of threads and processes, and what becomes of their families.  _exit(2), wait(2).
 *
 * task_exit() only marks: the stack unwinds to task_run, which calls task_do_exit() with nothing
 * held.  A thread first gives back what it holds (memory, files, its guest thread), then leaves its process; the
 * last one to leave turns the process into a zombie, or reaps it where nobody would wait for it.  Order: a parent that
 * has waited may rely on everything having been closed.
 */
#include "sentry/kernel/tasktree.h"

#include <string.h>
#include <time.h>

#include "base/hostcall.h"
#include "base/log.h"
#include "sentry/kernel/futex.h"
#include "sentry/kernel/ipc.h"
#include "sentry/kernel/timer.h"
#include "sentry/mm/usercopy.h"
#include "sentry/vfs/fdtable.h"

#define ZAP_LIMIT_NS	(2 * NSEC_PER_SEC)
#define ZAP_STEP_NS	(20 * 1000000ULL)
#define TICKS_PER_SEC	100

void
task_exit(struct task *t, int32_t wstatus)
{
	if (t->exit_now)
		return;
	t->exit_code = wstatus;
	t->exit_now = true;
}

void
process_exit_locked(struct process *p, int32_t wstatus)
{
	struct task *t;

	if (p->group_exit)
		return;
	p->group_exit = true;
	p->group_code = wstatus;
	p->stop_signo = 0;
	p->stop_complete = false;
	list_for_each(t, &p->threads, thread_link) {
		atomic_store(&t->attention, 1);
		task_kick(t);
	}
}

void
process_exit(struct process *p, int32_t wstatus)
{
	struct sighand *sh = process_lock(p);

	process_exit_locked(p, wstatus);
	process_unlock(sh);
}

/* ---- one thread ------------------------------------------------------------ */

/* From here on t is no target for signals; others take over what was meant for the process. */
static void
mark_exiting(struct task *t)
{
	struct process *p = t->process;
	struct sighand *sh = process_lock(p);
	bool stopped;
	int signo = 0;
	struct task *o;

	t->exiting = true;
	if (t->stopped) {
		t->stopped = false;
		p->nstopped--;
	}
	if (p->group_exit)
		t->exit_code = p->group_code;
	else if (t->tid == p->pid)
		p->group_code = t->exit_code;
	if (p->pending.set != 0 && !p->group_exit) {
		list_for_each(o, &p->threads, thread_link) {
			if (o->exiting)
				continue;
			signal_recalc_locked(o);
			if (atomic_load(&o->attention))
				task_kick(o);
		}
	}
	stopped = p->nlive > 1 && stop_is_complete_locked(p);
	if (stopped)
		signo = (int)p->stop_signo;
	process_unlock(sh);
	if (stopped)
		process_notify_parent(p, CLD_STOPPED, signo);
}

/* set_tid_address(2): a joiner waits for this word. Only while somebody else can see it. */
void
task_clear_tid(struct task *t)
{
	int err;

	if (gaddr_is_null(t->clear_child_tid) || t->mm == NULL || atomic_load(&t->mm->users) <= 1)
		return;
	err = put_u32(t, t->clear_child_tid, 0);
	if (!err)
		(void)futex_wake(t, t->clear_child_tid, 1);
}

static void
note_size(struct process *p, struct mm *mm)
{
	uint64_t anon, file, shmem;

	mm_rss(mm, &anon, &file, &shmem);
	mutex_lock(&p->mu);
	p->acct.maxrss = max(p->acct.maxrss, anon + file + shmem);
	mutex_unlock(&p->mu);
}

static void
release_memory(struct task *t)
{
	struct ctx *c = t->ctx;
	struct mm *mm;

	futex_exit(t);
	task_clear_tid(t);
	signal_set_ctx(t, NULL);
	if (c)
		ctx_retire(c);
	mutex_lock(&t->alloc_mu);
	mm = t->mm;
	t->mm = NULL;
	mutex_unlock(&t->alloc_mu);
	if (mm) {
		/* The size at the end stands for the largest. */
		if (atomic_load(&mm->users) == 1)
			note_size(t->process, mm);
		atomic_fetch_sub(&mm->users, 1);
		mm_put(mm);
	}
	task_vfork_release(t);
}

static void
release_files(struct task *t)
{
	struct fdtable *files;
	struct fsinfo *fs;

	mutex_lock(&t->alloc_mu);
	files = t->files;
	fs = t->fs;
	t->files = NULL;
	t->fs = NULL;
	mutex_unlock(&t->alloc_mu);
	fdtable_put(files);
	fsinfo_put(fs);
}

/* PDEATHSIG of the children this very thread made. tasks held. */
static void
parent_death(struct task *t)
{
	struct process *c;

	list_for_each(c, &t->process->children, sibling) {
		struct task *o, *asked[1] = { NULL };
		struct abi_siginfo info;
		struct sighand *sh;

		if (c->forker_tid != t->tid)
			continue;
		sh = process_lock(c);
		list_for_each(o, &c->threads, thread_link) {
			if (o->pdeath_signal && !o->exiting) {
				asked[0] = o;
				break;
			}
		}
		process_unlock(sh);
		/* Its thread cannot leave the table without the tasks lock. */
		if (asked[0]) {
			siginfo_user(&info, t, asked[0]->pdeath_signal, 0);
			signal_send_task(asked[0], &info);
		}
	}
}

/* Leaves the process: true for the last one. *gone: t's table reference, to put when not NULL. */
static bool
leave_process(struct task *t, struct task **gone)
{
	struct process *p = t->process;
	struct sighand *sh;
	bool last;

	*gone = NULL;
	mutex_lock(&p->mu);
	acct_add_task(&p->acct, t);
	mutex_unlock(&p->mu);
	mutex_lock(&kernel.tasks_mu);
	parent_death(t);
	sh = process_lock(p);
	atomic_store(&t->state, TASK_ZOMBIE);
	last = --p->nlive == 0;
	if (p->leader != t) {
		list_remove(&t->thread_link);
		p->nthreads--;
		task_unhash_locked(t);
		*gone = t;
	}
	if (p->exec_task)
		task_wake(p->exec_task);
	process_unlock(sh);
	mutex_unlock(&kernel.tasks_mu);
	return last;
}

/* ---- the family ------------------------------------------------------------ */

static uint32_t
task_uid(struct task *t)
{
	uint32_t uid;

	mutex_lock(&t->alloc_mu);
	uid = t->cred ? t->cred->uid : 0;
	mutex_unlock(&t->alloc_mu);
	return uid;
}

void
sigchld_info(struct process *p, int why, int status, struct abi_siginfo *info)
{
	uint64_t u, s;

	process_times(p, &u, &s);
	siginfo_kernel(info, SIGCHLD);
	info->si_code = why;
	info->si_pid = p->pid;
	info->si_uid = p->leader ? task_uid(p->leader) : 0;
	info->si_status = status;
	info->si_utime = (int64_t)(u / (NSEC_PER_SEC / TICKS_PER_SEC));
	info->si_stime = (int64_t)(s / (NSEC_PER_SEC / TICKS_PER_SEC));
}

void
process_reap_locked(struct process *p, struct reaped *out)
{
	struct sighand *sh = process_lock(p);

	list_remove(&p->leader->thread_link);
	p->nthreads--;
	process_unlock(sh);
	task_unhash_locked(p->leader);
	list_remove(&p->sibling);
	p->parent = NULL;
	out->leader = p->leader;
	p->leader = NULL;
	out->pgrp = pgrp_leave_locked(p);
}

void
reaped_put(struct reaped *r)
{
	if (r->leader) {
		task_put(r->leader);	/* the table's */
		task_put(r->leader);	/* process.leader's */
	}
	pidgroup_put(r->pgrp);
	*r = (struct reaped){ 0 };
}

/*
 * A zombie's parent is told: the exit signal, and a wake-up.  True when the parent does not want to
 * wait for it: the caller reaps.
 */
static bool
tell_parent(struct process *p)
{
	struct process *parent = p->parent;
	bool ignored = false, nowait = false;
	struct abi_siginfo info;
	struct sighand *sh;

	if (parent == NULL)
		return true;
	sh = process_lock(parent);
	if (p->exit_signal == SIGCHLD) {
		const struct abi_sigaction *a = &sh->action[SIGCHLD - 1];

		ignored = a->handler == ABI_SIG_IGN;
		nowait = ignored || (a->flags & SA_NOCLDWAIT);
	}
	/* pid 1 on its way out waits for nobody by name. */
	if (parent == kernel.init && parent->nlive == 0)
		ignored = nowait = true;
	process_unlock(sh);
	if (p->exit_signal && !ignored) {
		int low = p->wstatus & 0x7f;

		sigchld_info(p, low == 0 ? CLD_EXITED : p->wstatus & 0x80 ? CLD_DUMPED : CLD_KILLED,
		    low == 0 ? (p->wstatus >> 8) & 0xff : low, &info);
		info.si_signo = p->exit_signal;
		signal_send_process(parent, &info);
	}
	waitq_wake(&parent->wait_children, 0);
	return nowait;
}

static struct process *
find_reaper(struct process *p)
{
	struct process *a;

	for (a = p->parent; a && a != kernel.init; a = a->parent) {
		if (a->is_subreaper && !a->zombie)
			return a;
	}
	return kernel.init == p ? NULL : kernel.init;
}

/* p's children get a new parent; zombies that it will not wait for go to `dead`, chained by sibling. */
static void
reparent_children(struct process *p, struct list *dead)
{
	struct process *reaper = find_reaper(p), *c, *next;

	list_for_each_safe(c, next, &p->children, sibling) {
		list_remove(&c->sibling);
		c->parent = reaper;
		answers_family_locked(c);
		c->forker_tid = 0;
		c->exit_signal = SIGCHLD;
		if (c->zombie && tell_parent(c)) {
			c->parent = NULL;
			list_push_back(dead, &c->sibling);
			continue;
		}
		if (reaper)
			list_push_back(&reaper->children, &c->sibling);
		orphaned_check_locked(c, p);
	}
}

/* Reaps up to n of a chain made by reparent_children; returns how many. tasks held. */
static unsigned
reap_some(struct list *dead, struct reaped *out, unsigned n)
{
	unsigned i;

	for (i = 0; i < n && !list_empty(dead); i++)
		process_reap_locked(list_first(dead, struct process, sibling), &out[i]);
	return i;
}

/* pid 1 takes everyone with it. Bounded, since the whole sandbox ends next anyway. */
static bool
zap_one(struct process *p, void *init)
{
	if (p != init)
		signal_kernel(p, SIGKILL);
	return true;
}

/* Zombies that pid 1 never waited for. */
static void
zap_zombies(struct process *init)
{
	struct process *c, *next;
	struct reaped r[16];
	unsigned n;

	do {
		n = 0;
		mutex_lock(&kernel.tasks_mu);
		list_for_each_safe(c, next, &init->children, sibling) {
			if (c->zombie && n < ARRAY_LEN(r))
				process_reap_locked(c, &r[n++]);
		}
		mutex_unlock(&kernel.tasks_mu);
		for (unsigned i = 0; i < n; i++)
			reaped_put(&r[i]);
	} while (n > 0);
}

static void
zap_all(struct task *t)
{
	uint64_t end = host_clock_ns(CLOCK_MONOTONIC) + ZAP_LIMIT_NS;
	struct process *p = t->process;

	for (;;) {
		uint64_t now = host_clock_ns(CLOCK_MONOTONIC);
		struct waiter w;
		uint32_t left;
		int err;

		process_each(zap_one, p);
		zap_zombies(p);
		waiter_arm(&w, t, &p->wait_children, 0);
		mutex_lock(&kernel.tasks_mu);
		left = kernel.ntasks;
		mutex_unlock(&kernel.tasks_mu);
		if (left > 1 && now < end) {
			err = task_block(t, now + ZAP_STEP_NS);
			(void)err;
		}
		waiter_disarm(&w);
		if (left <= 1 || now >= end)
			break;
	}
}

/* The session's leader is going: its terminal hangs up. */
static void
leave_session(struct process *p)
{
	struct session *s = process_session_get(p);
	bool leader;

	if (s == NULL)
		return;
	mutex_lock(&kernel.tasks_mu);
	leader = s->leader == p;
	mutex_unlock(&kernel.tasks_mu);
	if (leader) {
		tty_session_gone(s);
		mutex_lock(&kernel.tasks_mu);
		s->leader = NULL;
		mutex_unlock(&kernel.tasks_mu);
	}
	session_put(s);
}

/* The last thread has left: a zombie, or nothing at all. */
static void
process_end(struct task *t)
{
	struct process *p = t->process;
	struct reaped reaped[16] = { { 0 } }, own = { 0 };
	struct list dead = LIST_INIT(dead);
	int32_t wstatus;
	unsigned n;

	if (p == kernel.init)
		zap_all(t);
	timers_process_exit(p);
	rlimit_cpu_end(p);
	sem_exit(p);
	leave_session(p);

	mutex_lock(&kernel.tasks_mu);
	reparent_children(p, &dead);
	orphaned_check_locked(p, NULL);
	p->wstatus = wstatus = p->group_code;
	p->zombie = true;
	if (tell_parent(p))
		process_reap_locked(p, &own);
	n = reap_some(&dead, reaped, ARRAY_LEN(reaped));
	mutex_unlock(&kernel.tasks_mu);
	pidfd_process_ended();
	while (n > 0) {
		for (unsigned i = 0; i < n; i++)
			reaped_put(&reaped[i]);
		mutex_lock(&kernel.tasks_mu);
		n = reap_some(&dead, reaped, ARRAY_LEN(reaped));
		mutex_unlock(&kernel.tasks_mu);
	}
	/* Started by the runtime: it may be waiting for exactly this. */
	if (p->record)
		guest_process_ended(p, wstatus);
	reaped_put(&own);
}

void
task_do_exit(struct task *t)
{
	struct task *gone;

	mark_exiting(t);
	release_memory(t);
	release_files(t);
	signal_release_task(t);
	if (leave_process(t, &gone))
		process_end(t);
	task_put(gone);
}
