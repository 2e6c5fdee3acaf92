/*
 * pidfd: a process behind a descriptor; see pidfd_open(2).
 *
 * It keeps the process object alive, never its number, so a signal sent through it cannot hit a later process.
 * All pidfds share one wait queue, woken at the end of any process.
 */
#include <fcntl.h>
#include <poll.h>

#include "abi/errno.h"
#include "abi/signal.h"
#include "base/kmem.h"
#include "fs/proc.h"
#include "sentry/kernel/inspect.h"
#include "sentry/kernel/signal.h"
#include "sentry/kernel/task.h"
#include "sentry/mm/mm.h"
#include "sentry/syscall/syscall.h"
#include "sentry/vfs/fdtable.h"
#include "sentry/vfs/file.h"

struct pidfd {
	struct file	file;		/* first */
	struct process	*process;	/* [I] counted */
};
KMEM_CACHE(pidfd);

static struct waitq pidfd_wq = {
	.mu = MUTEX_INIT(RANK_waitq), .waiters = LIST_INIT(pidfd_wq.waiters),
};

void
pidfd_process_ended(void)
{
	waitq_wake(&pidfd_wq, POLLIN);
}

static bool
has_ended(struct process *p)
{
	/* Only ever goes from false to true, and the waker comes after. */
	return atomic_load_explicit(&p->zombie, memory_order_acquire);
}

static uint32_t
pidfd_ready(struct file *f, uint32_t events)
{
	(void)events;
	return has_ended(container_of(f, struct pidfd, file)->process) ? POLLIN | POLLRDNORM : 0;
}

static void
pidfd_free(struct file *f)
{
	struct pidfd *e = container_of(f, struct pidfd, file);

	file_fini(f);
	process_put(e->process);
	obj_free(pidfd, e);
}

static const struct file_ops pidfd_ops = {
	.kind = "pidfd",
	.read = file_no_read,
	.write = file_no_write,
	.pread = file_no_pread,
	.pwrite = file_no_pwrite,
	.seek = file_no_seek,
	.readdir = file_no_readdir,
	.ready = pidfd_ready,
	.ioctl = file_no_ioctl,
	.mmap = file_no_mmap,
	.fsync = file_no_fsync,
	.truncate = file_no_truncate,
	.fallocate = file_no_fallocate,
	.setflags = file_any_flags,
	.flush = file_no_flush,
	.free = pidfd_free,
};

int
pidfd_install(struct task *t, struct process *p, uint32_t flags)
{
	AUTO_PUT(file) f = NULL;
	struct pidfd *e = obj_new(pidfd);
	int err;

	if (e == NULL)
		return -ENOMEM;
	err = file_init_anon(&e->file, &pidfd_ops, "anon_inode:[pidfd]", 0600,
	    O_RDWR | (flags & O_NONBLOCK));
	if (err) {
		obj_free(pidfd, e);
		return err;
	}
	f = &e->file;
	f->wq = &pidfd_wq;
	e->process = process_get(p);
	return fd_install(t, f, FD_CLOEXEC);
}

int
pidfd_process_get(struct task *t, int32_t fd, struct process **out, bool *nonblock)
{
	AUTO_PUT(file) f = NULL;
	int err = fd_get(t, fd, &f);

	if (err)
		return err;
	if (f->ops != &pidfd_ops)
		return -EBADF;
	*out = process_get(container_of(f, struct pidfd, file)->process);
	if (nonblock)
		*nonblock = atomic_load(&f->flags) & O_NONBLOCK;
	return 0;
}

int64_t
sys_pidfd_open(struct task *t, int32_t pid, uint32_t flags)
{
	AUTO_PUT(process) p = NULL;
	AUTO_PUT(task) thread = NULL;

	if ((flags & ~(uint32_t)O_NONBLOCK) || pid <= 0)
		return -EINVAL;
	p = process_find_get(pid);
	if (p)
		return pidfd_install(t, p, flags);
	thread = task_find_get(pid);
	return thread ? -ENOENT : -ESRCH;
}

/* Reaped: its number is gone, and nobody is there to be signalled. */
static bool
is_reaped(struct process *p)
{
	bool reaped;

	mutex_lock(&kernel.tasks_mu);
	reaped = p->leader == NULL;
	mutex_unlock(&kernel.tasks_mu);
	return reaped;
}

int64_t
sys_pidfd_send_signal(struct task *t, int32_t fd, int32_t signo, gaddr_t uinfo, uint32_t flags)
{
	AUTO_PUT(process) p = NULL;
	AUTO_PUT(file) f = NULL;
	struct abi_siginfo info;
	int err;

	if (flags)
		return -EINVAL;
	err = pidfd_process_get(t, fd, &p, NULL);
	if (err == -EBADF && fd_get(t, fd, &f) == 0) {
		/* A directory of /proc will do here, and only here. */
		p = proc_dir_process(f);
		err = p ? 0 : err;
	}
	if (err)
		return err;
	siginfo_user(&info, t, signo, SI_USER);
	if (!gaddr_is_null(uinfo)) {
		err = siginfo_get(t, uinfo, p == t->process, &info);
		if (err)
			return err;
		/* Linux insists that the two agree. */
		if (info.si_signo != signo)
			return -EINVAL;
	}
	return is_reaped(p) ? -ESRCH : signal_send_checked(t, p, &info);
}

static bool
may_look_into(struct task *t, struct task *o)
{
	AUTO_PUT(mm) mm = NULL;

	return task_inspect(t, o, INSPECT_REAL, &mm) == 0;
}

int64_t
sys_pidfd_getfd(struct task *t, int32_t pidfd, int32_t targetfd, uint32_t flags)
{
	AUTO_PUT(process) p = NULL;
	AUTO_PUT(task) o = NULL;
	AUTO_PUT(fdtable) ft = NULL;
	AUTO_PUT(file) f = NULL;
	int32_t at = targetfd;
	bool cloexec;
	int err;

	if (flags)
		return -EINVAL;
	err = pidfd_process_get(t, pidfd, &p, NULL);
	if (err)
		return err;
	o = process_leader_get(p);
	if (o == NULL || has_ended(p))
		return -ESRCH;
	if (!may_look_into(t, o))
		return -EPERM;
	ft = task_files_get(o);
	if (ft == NULL)
		return -ESRCH;
	if (targetfd < 0 || !fdtable_next(ft, &at, &f, &cloexec) || at != targetfd)
		return -EBADF;
	/* Another program may have opened it since. */
	if (!may_look_into(t, o))
		return -EPERM;
	return fd_install(t, f, FD_CLOEXEC);
}
