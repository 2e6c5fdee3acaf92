/*
 * task_clone: fork, vfork, clone, threads.  clone(2).
 *
 * Everything that can fail comes first, the sentry thread for the child included; then the child
 * enters the tables under the tasks lock and cannot fail any more.  The order of the checks is Linux's
 * copy_process().
 */
#include "sentry/kernel/tasktree.h"

#include <linux/capability.h>
#include <linux/sched.h>
#include <string.h>

#include "abi/errno.h"
#include "abi/resource.h"
#include "base/kmem.h"
#include "base/log.h"
#include "sentry/mm/usercopy.h"
#include "sentry/syscall/syscall.h"
#include "sentry/vfs/fdtable.h"
#include "sentry/vfs/mount.h"

#define NEW_NAMESPACES	(CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC |	\
	CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWTIME)
#define EXIT_SIGNAL_DEFAULT	SIGCHLD

static int
check_flags(struct task *t, uint64_t f)
{
	if ((f & (CLONE_NEWNS | CLONE_FS)) == (CLONE_NEWNS | CLONE_FS))
		return -EINVAL;
	if ((f & (CLONE_NEWUSER | CLONE_FS)) == (CLONE_NEWUSER | CLONE_FS))
		return -EINVAL;
	if ((f & CLONE_THREAD) && !(f & CLONE_SIGHAND))
		return -EINVAL;
	if ((f & CLONE_SIGHAND) && !(f & CLONE_VM))
		return -EINVAL;
	if ((f & CLONE_PARENT) && t->process == kernel.init)
		return -EINVAL;
	if ((f & CLONE_THREAD) && (f & (CLONE_NEWUSER | CLONE_NEWPID)))
		return -EINVAL;
	if ((f & CLONE_PIDFD) && (f & (CLONE_DETACHED | CLONE_THREAD)))
		return -EINVAL;
	return 0;
}

/* What Linux has and Village has not: refused by name, never ignored. */
static int
check_support(struct task *t, const struct clone_request *r)
{
	uint64_t ns = r->flags & NEW_NAMESPACES & ~(uint64_t)CLONE_NEWUTS;

	if (r->flags & (NEW_NAMESPACES & ~(uint64_t)CLONE_NEWUSER) &&
	    !task_capable(t, CAP_SYS_ADMIN) && !(r->flags & CLONE_NEWUSER))
		return -EPERM;
	if (ns) {
		report_missing(t, "clone with new namespaces %#llx", (unsigned long long)ns);
		return -EINVAL;
	}
	if (r->flags & CLONE_INTO_CGROUP) {
		report_missing(t, "clone3 with CLONE_INTO_CGROUP");
		return -EOPNOTSUPP;
	}
	if (r->nset_tid > 0) {
		if (!task_capable(t, CAP_SYS_ADMIN))
			return -EPERM;
		report_missing(t, "clone3 with set_tid");
		return -EINVAL;
	}
	return 0;
}

/* ABI_RLIMIT_NPROC counts the tasks of the real user id; root and the capable are exempt. */
static int
check_nproc(struct task *t)
{
	const struct cred *c = task_cred(t);
	uint64_t limit = task_rlimit(t, ABI_RLIMIT_NPROC), n = 0;
	struct tree_node *at;

	if (limit == UINT64_MAX || c->uid == 0 || cred_has_cap(c, CAP_SYS_RESOURCE) ||
	    cred_has_cap(c, CAP_SYS_ADMIN))
		return 0;
	mutex_lock(&kernel.tasks_mu);
	for (at = tree_first(&kernel.tasks); at; at = tree_next(at)) {
		struct task *o = container_of(at, struct task, node);

		mutex_lock(&o->alloc_mu);
		n += o->cred && o->cred->uid == c->uid;
		mutex_unlock(&o->alloc_mu);
	}
	mutex_unlock(&kernel.tasks_mu);
	return n >= limit ? -EAGAIN : 0;
}

static int
copy_memory(struct task *t, struct task *child, uint64_t flags)
{
	int err;

	if (flags & CLONE_VM) {
		atomic_fetch_add(&t->mm->users, 1);
		child->mm = mm_get(t->mm);
		return 0;
	}
	err = mm_fork(t, t->mm, &child->mm);
	if (err)
		return err;
	atomic_store(&child->mm->users, 1);
	return 0;
}

static int
copy_resources(struct task *t, struct task *child, uint64_t flags)
{
	int err;

	if (flags & CLONE_FILES)
		child->files = fdtable_get(t->files);
	else if ((err = fdtable_copy(t->files, &child->files)) != 0)
		return err;
	if (flags & CLONE_FS)
		child->fs = fsinfo_get(t->fs);
	else if ((err = task_dup_fs(t->fs, &child->fs)) != 0)
		return err;
	if (flags & CLONE_NEWUTS) {
		err = utsns_new(t->uts, &child->uts);
		if (err)
			return err;
	} else {
		child->uts = utsns_get(t->uts);
	}
	child->mntns = mntns_get(t->mntns);
	child->cred = cred_get(t->cred);
	return copy_memory(t, child, flags);
}

/* Registers, FP image and what else a child inherits without a decision. */
static int
copy_state(struct task *t, struct task *child, const struct clone_request *r)
{
	uint64_t f = r->flags;
	int err;

	child->start_fp = mem_alloc(platform_fp_size);
	if (child->start_fp == NULL)
		return -ENOMEM;
	err = ctx_get_fp(t->ctx, child->start_fp);
	if (err)
		return err;
	child->regs = *task_regs(t);
	child->regs.rax = 0;
	child->regs.orig_rax = (uint64_t)-1;
	if (r->stack)
		child->regs.rsp = r->stack;
	if (f & CLONE_SETTLS)
		child->regs.fs_base = r->tls;
	if (f & CLONE_CHILD_SETTID)
		child->set_child_tid = r->child_tid;
	if (f & CLONE_CHILD_CLEARTID)
		child->clear_child_tid = r->child_tid;
	atomic_init(&child->sigmask, signal_mask(t));
	if ((f & (CLONE_VM | CLONE_VFORK)) != CLONE_VM) {
		child->altstack_sp = t->altstack_sp;
		child->altstack_size = t->altstack_size;
		child->altstack_flags = t->altstack_flags;
	} else {
		child->altstack_flags = SS_DISABLE;
	}
	child->personality = t->personality;
	child->timer_slack_ns = child->default_slack_ns = t->timer_slack_ns;
	atomic_store(&child->ioprio, atomic_load(&t->ioprio));
	/* Others may set these for t. */
	mutex_lock(&kernel.tasks_mu);
	child->nice = t->nice;
	child->sched_policy = t->sched_reset ? SCHED_NORMAL : t->sched_policy;
	child->sched_prio = t->sched_reset ? 0 : t->sched_prio;
	memcpy(child->affinity, t->affinity, sizeof child->affinity);
	mutex_unlock(&kernel.tasks_mu);
	mutex_lock(&t->alloc_mu);
	memcpy(child->comm, t->comm, sizeof child->comm);
	mutex_unlock(&t->alloc_mu);
	return 0;
}

static int
copy_process(struct task *t, struct process *p, const struct clone_request *r)
{
	struct process *from = t->process;
	int err;

	if (r->flags & CLONE_SIGHAND) {
		p->sighand = sighand_get(from->sighand);
	} else {
		err = sighand_new(from->sighand, &p->sighand);
		if (err)
			return err;
		if (r->flags & CLONE_CLEAR_SIGHAND) {
			/* Handlers go, SIG_IGN stays: as on exec. */
			for (int i = 0; i < 64; i++) {
				struct abi_sigaction *a = &p->sighand->action[i];

				if (a->handler != ABI_SIG_IGN)
					memset(a, 0, sizeof *a);
			}
		}
	}
	p->exit_signal = r->exit_signal;
	p->no_tty = from->no_tty;
	mutex_lock(&from->mu);
	memcpy(p->rlim, from->rlim, sizeof p->rlim);
	mutex_unlock(&from->mu);
	atomic_init(&p->oom_score_adj, atomic_load(&from->oom_score_adj));
	return rlimit_cpu_watch(p);
}

/* Joins the child's process; sighand of it is taken. Caller holds tasks. */
static void
link_thread(struct task *child)
{
	struct process *p = child->process;
	struct sighand *sh = process_lock(p);

	list_push_back(&p->threads, &child->thread_link);
	p->nthreads++;
	p->nlive++;
	/* A stop or the end of the group may be under way: it must not miss this thread. */
	if (p->group_exit || p->exec_task || p->stop_signo)
		atomic_store(&child->attention, 1);
	process_unlock(sh);
}

static int
link_child(struct task *t, struct task *child, const struct clone_request *r)
{
	struct process *p = child->process, *from = t->process, *parent;
	int pid;

	mutex_lock(&kernel.tasks_mu);
	pid = pid_alloc_locked();
	if (pid < 0) {
		mutex_unlock(&kernel.tasks_mu);
		return pid;
	}
	child->tid = pid;
	if (p != from) {
		parent = r->flags & CLONE_PARENT ? from->parent : from;
		if (parent == NULL || parent->zombie)
			parent = kernel.init;
		p->pid = pid;
		p->leader = task_get(child);
		p->parent = parent;
		p->forker_tid = t->tid;
		if (r->flags & CLONE_PARENT) {
			p->exit_signal = from->exit_signal;
			p->forker_tid = from->forker_tid;
		}
		list_push_back(&parent->children, &p->sibling);
		pgrp_join_locked(p, from->pgrp);
	}
	link_thread(child);
	if (r->flags & CLONE_VFORK)
		child->vfork_child_of = task_get(t);
	task_hash_locked(child);
	mutex_unlock(&kernel.tasks_mu);
	atomic_fetch_add_explicit(&kernel.forks, 1, memory_order_relaxed);
	return pid;
}

/* Until the child execs or exits, or we are killed: then it goes on without us. */
static void
vfork_wait(struct task *t, struct task *child)
{
	struct task *abandoned = NULL;

	t->wait_reason = "vfork";
	for (;;) {
		bool done;
		int err;

		mutex_lock(&kernel.tasks_mu);
		done = child->vfork_child_of == NULL;
		mutex_unlock(&kernel.tasks_mu);
		if (done)
			break;
		err = task_sleep_killable(t, NO_DEADLINE);
		if (err) {
			mutex_lock(&kernel.tasks_mu);
			abandoned = child->vfork_child_of;
			child->vfork_child_of = NULL;
			mutex_unlock(&kernel.tasks_mu);
			break;
		}
	}
	t->wait_reason = NULL;
	task_put(abandoned);
}

void
task_vfork_release(struct task *t)
{
	struct task *parent;

	mutex_lock(&kernel.tasks_mu);
	parent = t->vfork_child_of;
	t->vfork_child_of = NULL;
	t->vfork_done = true;
	mutex_unlock(&kernel.tasks_mu);
	if (parent) {
		task_wake(parent);
		task_put(parent);
	}
}

/* p was to be the child's: what a timer still knows of it ends. */
static void
drop_process(struct task *t, struct process *p)
{
	if (p != t->process)
		rlimit_cpu_end(p);
}

/* A child in no table yet, complete but for its id. */
static int
make_child(struct task *t, const struct clone_request *r, struct task **out)
{
	AUTO_PUT(process) p = NULL;
	struct task *child;
	int err = 0;

	if (r->flags & CLONE_THREAD) {
		p = process_get(t->process);
	} else {
		p = process_new();
		if (p == NULL)
			return -ENOMEM;
		err = copy_process(t, p, r);
		if (err) {
			drop_process(t, p);
			return err;
		}
	}
	child = task_new(p);
	if (child == NULL) {
		drop_process(t, p);
		return -ENOMEM;
	}
	err = copy_state(t, child, r);
	if (!err)
		err = copy_resources(t, child, r->flags);
	if (err) {
		drop_process(t, p);
		task_put(child);
		return err;
	}
	*out = child;
	return 0;
}

/* Takes back what make_child counted, for a child that never ran. */
static void
drop_child(struct task *t, struct task *child)
{
	drop_process(t, child->process);
	if (child->mm)
		atomic_fetch_sub(&child->mm->users, 1);
	task_put(child);
}

int64_t
task_clone(struct task *t, const struct clone_request *r)
{
	struct kthread *thread;
	struct task *child = NULL;
	int pidfd = -1;
	int64_t pid;
	int err;

	err = check_flags(t, r->flags);
	if (!err)
		err = check_support(t, r);
	if (!err)
		err = check_nproc(t);
	if (err)
		return err;
	/* No child of a dying group: the killer has counted its threads. */
	if (atomic_load(&t->attention) && task_must_exit(t))
		return -ERESTARTNOINTR;
	err = kthread_get(&thread);
	if (err)
		return -EAGAIN;
	err = make_child(t, r, &child);
	if (err) {
		kthread_put(thread);
		return err;
	}
	if (r->flags & CLONE_PIDFD) {
		pidfd = pidfd_install(t, child->process, 0);
		err = pidfd < 0 ? pidfd : put_u32(t, r->pidfd, (uint32_t)pidfd);
	}
	pid = err ? err : link_child(t, child, r);
	if (pid < 0) {
		if (pidfd >= 0 && fd_close(t, pidfd) != 0)
			log_debug("task", "the pidfd of a failed clone was closed by another thread");
		kthread_put(thread);
		drop_child(t, child);
		return pid;
	}
	if (r->flags & CLONE_PARENT_SETTID) {
		/* As on Linux, a fault here is not an error. */
		err = put_u32(t, r->parent_tid, (uint32_t)pid);
		(void)err;
	}
	if (r->flags & CLONE_VFORK) {
		task_get(child);
		kthread_go(thread, task_run, child);
		vfork_wait(t, child);
		task_put(child);
	} else {
		kthread_go(thread, task_run, child);
	}
	return pid;
}
