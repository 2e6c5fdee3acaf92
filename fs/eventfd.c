/*
 * eventfd: a 64-bit counter behind a descriptor; see eventfd(2).
 *
 * A read takes the whole count (one, in semaphore mode); a write adds to it.
 * Either returns -EAGAIN when it would have to wait, and file.c does the waiting.
 * mu covers count alone; nothing is copied or woken while it is held.
 */
#include <fcntl.h>
#include <poll.h>

#include "abi/errno.h"
#include "base/kmem.h"
#include "sentry/kernel/task.h"
#include "sentry/syscall/syscall.h"
#include "sentry/vfs/fdtable.h"
#include "sentry/vfs/file.h"

/* <sys/eventfd.h> has functions of our names. */
#define EFD_SEMAPHORE	1
#define EFD_NONBLOCK	O_NONBLOCK
#define EFD_CLOEXEC	O_CLOEXEC

struct eventfd {
	struct file	file;		/* first; see eventfd_free */
	struct mutex	mu;
	uint64_t	count;		/* [m] at most UINT64_MAX - 1 */
	bool		semaphore;	/* [I] reads take one, not all */
};
KMEM_CACHE(eventfd);

static int64_t
eventfd_read(struct file *f, struct task *t, struct iobuf *dst)
{
	struct eventfd *e = container_of(f, struct eventfd, file);
	uint64_t got;

	(void)t;
	if (iob_left(dst) < sizeof got)
		return -EINVAL;
	mutex_lock(&e->mu);
	got = e->semaphore && e->count ? 1 : e->count;
	e->count -= got;
	mutex_unlock(&e->mu);
	if (got == 0)
		return -EAGAIN;
	waitq_wake(f->wq, POLLOUT);
	/* As on Linux, the count is spent even if this copy faults. */
	return iob_put(dst, &got, sizeof got);
}

static int64_t
eventfd_write(struct file *f, struct task *t, struct iobuf *src)
{
	struct eventfd *e = container_of(f, struct eventfd, file);
	uint64_t add;
	int64_t n;
	bool fits;

	(void)t;
	if (iob_left(src) < sizeof add)
		return -EINVAL;
	n = iob_get(src, &add, sizeof add);
	if (n != (int64_t)sizeof add)
		return -EFAULT;
	if (add == UINT64_MAX)
		return -EINVAL;
	mutex_lock(&e->mu);
	fits = add <= UINT64_MAX - 1 - e->count;
	if (fits)
		e->count += add;
	mutex_unlock(&e->mu);
	if (!fits) {
		/* It will be read again after the wait. */
		iob_revert(src, sizeof add);
		return -EAGAIN;
	}
	waitq_wake(f->wq, POLLIN);
	return sizeof add;
}

static uint32_t
eventfd_ready(struct file *f, uint32_t events)
{
	struct eventfd *e = container_of(f, struct eventfd, file);
	uint32_t got = 0;

	(void)events;
	mutex_lock(&e->mu);
	if (e->count > 0)
		got |= POLLIN | POLLRDNORM;
	if (e->count < UINT64_MAX - 1)
		got |= POLLOUT | POLLWRNORM;
	mutex_unlock(&e->mu);
	return got;
}

static void
eventfd_free(struct file *f)
{
	struct eventfd *e = container_of(f, struct eventfd, file);

	file_fini(f);
	mutex_fini(&e->mu);
	obj_free(eventfd, e);
}

static const struct file_ops eventfd_ops = {
	.kind = "eventfd",
	.read = eventfd_read,
	.write = eventfd_write,
	.pread = file_no_pread,
	.pwrite = file_no_pwrite,
	.seek = file_seek_noop,
	.readdir = file_no_readdir,
	.ready = eventfd_ready,
	.ioctl = file_no_ioctl,
	.mmap = file_no_mmap,
	.fsync = file_no_fsync,
	.truncate = file_no_truncate,
	.fallocate = file_no_fallocate,
	.setflags = file_any_flags,
	.flush = file_no_flush,
	.free = eventfd_free,
};

int64_t
sys_eventfd2(struct task *t, uint32_t initval, int32_t flags)
{
	AUTO_PUT(file) f = NULL;
	struct eventfd *e;
	int err;

	if (flags & ~(EFD_SEMAPHORE | EFD_NONBLOCK | EFD_CLOEXEC))
		return -EINVAL;
	e = obj_new(eventfd);
	if (e == NULL)
		return -ENOMEM;
	err = file_init_anon(&e->file, &eventfd_ops, "anon_inode:[eventfd]", 0600,
	    O_RDWR | ((uint32_t)flags & O_NONBLOCK));
	if (err) {
		obj_free(eventfd, e);
		return err;
	}
	f = &e->file;
	mutex_init(&e->mu, RANK_object);
	e->count = initval;
	e->semaphore = flags & EFD_SEMAPHORE;
	return fd_install(t, f, flags & EFD_CLOEXEC ? FD_CLOEXEC : 0);
}

int64_t
sys_eventfd(struct task *t, uint32_t initval)
{
	return sys_eventfd2(t, initval, 0);
}
