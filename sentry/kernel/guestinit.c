/*
 * guestinit: processes that the runtime starts: the first one from the boot record, later ones by
 * exec requests; and what the runtime does with them (sentry/control.h).  launch.c brings their programs in.
 *
 * Such a process has a record, found by its pid, that keeps the wait status until somebody asks.
 * Callers here are the boot thread and the control threads, never tasks.
 */
#include <string.h>

#include "abi/errno.h"
#include "base/hostcall.h"
#include "base/kmem.h"
#include "base/log.h"
#include "fs/tty.h"
#include "sentry/boot.h"
#include "sentry/control.h"
#include "sentry/kernel/launch.h"
#include "sentry/kernel/tasktree.h"
#include "sentry/vfs/fdtable.h"
#include "sentry/vfs/file.h"
#include "sentry/vfs/mount.h"

struct guest_record {
	struct list	link;
	int32_t		pid;
	int32_t		wstatus;	/* [records.mu] */
	_Atomic uint32_t done;		/* a futex for guest_wait */
	unsigned	users;		/* [records.mu] */
	bool		collected;	/* [records.mu] somebody has waited */
	struct file	*tty;		/* [records.mu] counted slave, or NULL */
};
KMEM_CACHE(guest_record);

static struct {
	struct mutex	mu;
	struct list	all;
} records = { .mu = MUTEX_INIT(RANK_hostfd), .all = LIST_INIT(records.all) };

static _Atomic uint32_t init_started;

/* ---- records --------------------------------------------------------------- */

/* The record of pid with a use counted, or NULL. */
static struct guest_record *
record_find(int32_t pid)
{
	struct guest_record *r, *found = NULL;

	mutex_lock(&records.mu);
	list_for_each(r, &records.all, link) {
		if (r->pid == pid) {
			found = r;
			r->users++;
			break;
		}
	}
	mutex_unlock(&records.mu);
	return found;
}

/* One that has ended and been asked for is of no more use; pid 1's stays. */
static void
record_put(struct guest_record *r)
{
	struct file *tty = NULL;
	bool gone;

	mutex_lock(&records.mu);
	gone = --r->users == 0 && r->collected && r->pid != 1;
	if (gone) {
		list_remove(&r->link);
		tty = r->tty;
	}
	mutex_unlock(&records.mu);
	if (gone) {
		file_put(tty);
		obj_free(guest_record, r);
	}
}

static struct guest_record *
record_new(struct process *p)
{
	struct guest_record *r = obj_new(guest_record);

	if (r == NULL)
		return NULL;
	r->pid = p->pid;
	r->users = 1;		/* the process's own */
	mutex_lock(&records.mu);
	list_push_back(&records.all, &r->link);
	mutex_unlock(&records.mu);
	p->record = r;
	return r;
}

void
guest_process_ended(struct process *p, int32_t wstatus)
{
	struct guest_record *r = p->record;
	struct file *tty;

	mutex_lock(&records.mu);
	r->wstatus = wstatus;
	tty = steal(&r->tty);
	mutex_unlock(&records.mu);
	file_put(tty);
	atomic_store(&r->done, 1);
	host_futex_wake(&r->done, INT32_MAX, false);
	record_put(r);
}

void
guest_process_terminal(struct process *p, struct file *tty)
{
	mutex_lock(&records.mu);
	p->record->tty = file_get(tty);
	mutex_unlock(&records.mu);
}

/* ---- making the process ---------------------------------------------------- */

static int
root_path(struct path *out)
{
	struct mount *m = kernel.mntns->root;

	out->mnt = m;
	out->dentry = m->root;
	path_get(out);
	return 0;
}

static int
fill_process(struct process *p, struct task *t)
{
	int err;

	err = sighand_new(NULL, &p->sighand);
	if (!err)
		err = cred_new(CAP_FULL, &t->cred);
	if (!err)
		err = fdtable_new(&t->files);
	if (!err)
		err = task_dup_fs(NULL, &t->fs);
	if (err)
		return err;
	/* Everything is allowed until the description of the process says otherwise. */
	t->cred->permitted = t->cred->effective = CAP_FULL;
	(void)root_path(&t->fs->root);
	(void)root_path(&t->fs->cwd);
	t->mntns = mntns_get(kernel.mntns);
	t->uts = utsns_get(kernel.uts);
	rlimit_defaults(p->rlim);
	p->exit_signal = SIGCHLD;
	return 0;
}

/* Session, group and tables; the process has no parent inside. */
static int
link_process(struct process *p, struct task *t)
{
	AUTO_PUT(session) s = session_new(0);
	AUTO_PUT(pidgroup) g = s ? pidgroup_new(0, s) : NULL;
	struct sighand *sh;
	int pid;

	if (g == NULL)
		return -ENOMEM;
	mutex_lock(&kernel.tasks_mu);
	pid = pid_alloc_locked();
	if (pid < 0) {
		mutex_unlock(&kernel.tasks_mu);
		return pid;
	}
	p->pid = t->tid = s->id = g->id = pid;
	p->leader = task_get(t);
	s->leader = p;
	pgrp_join_locked(p, g);
	sh = process_lock(p);
	list_push_back(&p->threads, &t->thread_link);
	p->nthreads = p->nlive = 1;
	process_unlock(sh);
	task_hash_locked(t);
	mutex_unlock(&kernel.tasks_mu);
	return 0;
}

/* A process of one thread that does not run yet; the thread's reference goes to the caller. */
static int
guest_process_new(struct task **out)
{
	AUTO_PUT(process) p = process_new();
	struct task *t;
	int err;

	if (p == NULL)
		return -ENOMEM;
	t = task_new(p);
	if (t == NULL)
		return -ENOMEM;
	err = fill_process(p, t);
	if (!err)
		err = link_process(p, t);
	if (err) {
		task_put(t);
		return err;
	}
	*out = t;
	return 0;
}

int
process_new_init(struct task **out)
{
	struct task *t;
	int err;

	err = utsns_new(NULL, &kernel.uts);
	if (err)
		return err;
	if (boot_spec && boot_spec->hostname)
		memcpy(kernel.uts->nodename, boot_spec->hostname, strnlen(boot_spec->hostname, 64));
	if (boot_spec && boot_spec->domainname)
		memcpy(kernel.uts->domainname, boot_spec->domainname,
		    strnlen(boot_spec->domainname, 64));
	err = guest_process_new(&t);
	if (err)
		return err;
	task_set_comm(t, "init");
	if (record_new(t->process) == NULL)
		return -ENOMEM;
	/* For ever: others look at kernel.init long after it has ended. */
	kernel.init = process_get(t->process);
	*out = t;
	return 0;
}

/* ---- starting ------------------------------------------------------------- */

int
guest_check_init(int *exit_code, char *why, size_t why_size)
{
	return launch_check(kernel.init->leader, &boot_spec->process, exit_code, why, why_size);
}

int
guest_start_init(int *exit_code, char *why, size_t why_size)
{
	const int fds[3] = { 0, 1, 2 };
	struct task *t;

	*exit_code = 1;
	if (atomic_exchange(&init_started, 1)) {
		launch_say(why, why_size, "cannot start an already running container");
		return -EBUSY;
	}
	t = kernel.init->leader;
	/* process_new_init gave its caller the thread's reference; it is ours now. */
	return launch(t, &boot_spec->process, fds, exit_code, why, why_size);
}

int
guest_exec(const struct spec_process *sp, const int fds[3], int32_t *pid, int *exit_code, char *why,
    size_t why_size)
{
	struct guest_record *r;
	struct task *t;
	int err;

	*exit_code = 1;
	if (strcmp(guest_status(), "running") != 0) {
		for (int i = 0; i < 3; i++)
			(void)host_close(fds[i]);
		launch_say(why, why_size, "container not running");
		return -ESRCH;
	}
	err = guest_process_new(&t);
	if (err) {
		launch_say(why, why_size, "cannot make a process");
		return err;
	}
	*pid = t->tid;
	r = record_new(t->process);
	if (r == NULL) {
		launch_say(why, why_size, "out of memory");
		process_exit(t->process, SIGKILL);
		task_do_exit(t);
		task_put(t);
		return -ENOMEM;
	}
	err = launch(t, sp, fds, exit_code, why, why_size);
	if (err) {
		int32_t status;

		/* Nobody else will ask for a process that never ran. */
		if (guest_wait(*pid, &status) != 0)
			log_warn("guest", "lost process %d", *pid);
	}
	return err;
}

/* ---- questions ------------------------------------------------------------- */

int
guest_wait(int32_t pid, int32_t *wstatus)
{
	struct guest_record *r = record_find(pid);

	/* pid 1 has its record before it starts. */
	if (r == NULL)
		return -ESRCH;
	while (atomic_load(&r->done) == 0)
		(void)host_futex_wait(&r->done, 0, NO_DEADLINE, false);
	mutex_lock(&records.mu);
	*wstatus = r->wstatus;
	r->collected = true;
	mutex_unlock(&records.mu);
	record_put(r);
	return 0;
}

const char *
guest_status(void)
{
	struct guest_record *r;
	const char *status = "running";

	r = atomic_load(&init_started) ? record_find(1) : NULL;
	if (r == NULL)
		return "created";
	if (atomic_load(&r->done))
		status = "stopped";
	record_put(r);
	return status;
}

static bool
kill_one(struct process *p, void *info)
{
	signal_send_process(p, info);
	return true;
}

int
guest_kill(int32_t pid, int signo, bool all)
{
	AUTO_PUT(process) p = NULL;
	struct abi_siginfo info;

	if (signo < 0 || signo > ABI_NSIG)
		return -EINVAL;
	if (strcmp(guest_status(), "running") != 0)
		return -ESRCH;
	/* As a signal from outside the pid namespace looks inside. */
	siginfo_kernel(&info, signo);
	info.si_code = SI_USER;
	/* pid 1 is deaf to its own sandbox, but not to the runtime. */
	if (pid == 1)
		info.si_code = SI_KERNEL;
	if (all && signo != 0) {
		process_each(kill_one, &info);
		return 0;
	}
	p = process_find_get(pid);
	if (p == NULL)
		return -ESRCH;
	if (signo != 0)
		signal_send_process(p, &info);
	return 0;
}

int
guest_winsize(int32_t pid, uint16_t rows, uint16_t cols)
{
	struct guest_record *r = record_find(pid);
	AUTO_PUT(file) tty = NULL;

	if (r == NULL)
		return -ESRCH;
	mutex_lock(&records.mu);
	tty = file_get(r->tty);
	mutex_unlock(&records.mu);
	record_put(r);
	return tty ? tty_set_winsize(tty, rows, cols) : -ENOTTY;
}
