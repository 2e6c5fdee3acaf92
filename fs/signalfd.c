/*
 * signalfd: pending signals read from a descriptor; see signalfd(2).
 *
 * What can be read depends on who reads: the caller's own queue and its process's.  All signalfds
 * share one wait queue, woken whenever a signal is queued; that over-wakes, and needs no list of who looks at whom.
 */
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/signalfd.h>

#include "abi/errno.h"
#include "abi/signal.h"
#include "base/kmem.h"
#include "sentry/kernel/signal.h"
#include "sentry/kernel/task.h"
#include "sentry/mm/usercopy.h"
#include "sentry/syscall/syscall.h"
#include "sentry/vfs/fdtable.h"
#include "sentry/vfs/file.h"

struct signalfd {
	struct file	file;		/* first */
	_Atomic uint64_t mask;		/* signals to read */
};
KMEM_CACHE(signalfd);

static void
fill_record(const struct abi_siginfo *in, struct abi_signalfd_siginfo *out)
{
	memset(out, 0, sizeof *out);
	out->signo = (uint32_t)in->si_signo;
	out->err = in->si_errno;
	out->code = in->si_code;
	if (in->si_code == SI_TIMER) {
		out->tid = (uint32_t)in->si_timerid;
		out->overrun = (uint32_t)in->si_overrun;
		out->ptr = in->si_value;
		out->integer = (int32_t)in->si_value;
		return;
	}
	if (in->si_code <= 0 || in->si_code == SI_KERNEL || in->si_signo == SIGCHLD) {
		out->pid = (uint32_t)in->si_pid;
		out->uid = in->si_uid;
		if (in->si_signo == SIGCHLD && in->si_code > 0) {
			out->status = in->si_status;
			out->utime = (uint64_t)in->si_utime;
			out->stime = (uint64_t)in->si_stime;
		} else if (in->si_code < 0 && in->si_code != SI_TKILL) {
			out->ptr = in->si_value;
			out->integer = (int32_t)in->si_value;
		}
		return;
	}
	if (in->si_signo == SIGIO) {
		out->band = (uint32_t)in->si_band;
		out->fd = in->si_fd;
	} else {
		out->addr = in->si_addr;
		out->addr_lsb = (uint16_t)in->si_addr_lsb;
	}
}

static bool
take_one(struct signalfd *s, struct task *t, struct abi_siginfo *info)
{
	struct sighand *sh = process_lock(t->process);
	int signo = signal_dequeue_locked(t, atomic_load(&s->mask), info);

	if (signo)
		signal_recalc_locked(t);
	process_unlock(sh);
	return signo != 0;
}

static int64_t
signalfd_read(struct file *f, struct task *t, struct iobuf *dst)
{
	struct signalfd *s = container_of(f, struct signalfd, file);
	struct abi_signalfd_siginfo rec;
	struct abi_siginfo info;
	int64_t done = 0, n;

	if (iob_left(dst) < sizeof rec)
		return -EINVAL;
	while (iob_left(dst) >= sizeof rec && take_one(s, t, &info)) {
		fill_record(&info, &rec);
		/* As on Linux, a signal that cannot be copied out is lost. */
		n = iob_put(dst, &rec, sizeof rec);
		if (n != (int64_t)sizeof rec)
			return done ? done : -EFAULT;
		done += n;
	}
	return done ? done : -EAGAIN;
}

static uint32_t
signalfd_ready(struct file *f, uint32_t events)
{
	struct signalfd *s = container_of(f, struct signalfd, file);
	struct task *t = syscall_task;
	struct sighand *sh;
	sigset64 pending;

	(void)events;
	/* Only a task has signals. */
	if (t == NULL)
		return 0;
	sh = process_lock(t->process);
	pending = t->process->pending.set | t->pending.set;
	process_unlock(sh);
	return pending & atomic_load(&s->mask) ? POLLIN | POLLRDNORM : 0;
}

static void
signalfd_free(struct file *f)
{
	struct signalfd *s = container_of(f, struct signalfd, file);

	file_fini(f);
	obj_free(signalfd, s);
}

static const struct file_ops signalfd_ops = {
	.kind = "signalfd",
	.read = signalfd_read,
	.write = file_no_write,
	.pread = file_no_pread,
	.pwrite = file_no_pwrite,
	.seek = file_seek_noop,
	.readdir = file_no_readdir,
	.ready = signalfd_ready,
	.ioctl = file_no_ioctl,
	.mmap = file_no_mmap,
	.fsync = file_no_fsync,
	.truncate = file_no_truncate,
	.fallocate = file_no_fallocate,
	.setflags = file_any_flags,
	.flush = file_no_flush,
	.free = signalfd_free,
};

static int64_t
change_mask(struct task *t, int32_t fd, sigset64 mask)
{
	AUTO_PUT(file) f = NULL;
	int err = fd_get(t, fd, &f);

	if (err)
		return err;
	if (f->ops != &signalfd_ops)
		return -EINVAL;
	atomic_store(&container_of(f, struct signalfd, file)->mask, mask);
	waitq_wake(&signalfd_wq, 0);
	return fd;
}

int64_t
sys_signalfd4(struct task *t, int32_t fd, gaddr_t mask, uint64_t size, int32_t flags)
{
	AUTO_PUT(file) f = NULL;
	struct signalfd *s;
	sigset64 set;
	int err;

	if (size != ABI_SIGSET_SIZE)
		return -EINVAL;
	err = copy_in(t, &set, mask, sizeof set);
	if (err)
		return err;
	if (flags & ~(SFD_CLOEXEC | SFD_NONBLOCK))
		return -EINVAL;
	set &= ~(sigbit(SIGKILL) | sigbit(SIGSTOP));
	if (fd != -1)
		return change_mask(t, fd, set);
	s = obj_new(signalfd);
	if (s == NULL)
		return -ENOMEM;
	err = file_init_anon(&s->file, &signalfd_ops, "anon_inode:[signalfd]", 0600,
	    O_RDWR | ((uint32_t)flags & O_NONBLOCK));
	if (err) {
		obj_free(signalfd, s);
		return err;
	}
	f = &s->file;
	f->wq = &signalfd_wq;
	atomic_store(&s->mask, set);
	return fd_install(t, f, flags & SFD_CLOEXEC ? FD_CLOEXEC : 0);
}

int64_t
sys_signalfd(struct task *t, int32_t fd, gaddr_t mask, uint64_t size)
{
	return sys_signalfd4(t, fd, mask, size, 0);
}
