/*
 * file: open files: their life, the named defaults of file_ops, and the loops that turn
 * "would wait" into waiting.
 *
 * An operation returns -EAGAIN when it would wait; rw_loop here sleeps on f->wq and tries
 * again, unless the file is O_NONBLOCK.  write(2) of a stream goes on until everything is taken; everything
 * else is one call of the operation.
 */
#include "sentry/vfs/file.h"

#include <time.h>
#include <asm/resource.h>
#include <fcntl.h>
#include <linux/mount.h>
#include <poll.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include "abi/errno.h"
#include "abi/fs.h"
#include "base/hostcall.h"
#include "base/kmem.h"
#include "sentry/kernel/task.h"
#include "sentry/vfs/dentry.h"
#include "sentry/vfs/flock.h"
#include "sentry/vfs/mount.h"
#include "sentry/vfs/poll.h"
#include "sentry/vfs/super.h"

/* ---- life ------------------------------------------------------------------ */

void
file_init(struct file *f, const struct file_ops *ops, struct inode *inode, uint32_t flags)
{
	uint32_t acc = flags & O_ACCMODE;

	ref_init(&f->ref, OBJ_file);
	f->ops = ops;
	f->flags = flags & ~(uint32_t)(O_CREAT | O_EXCL | O_NOCTTY | O_TRUNC | O_CLOEXEC);
	f->mode = 0;
	if (acc == O_RDONLY || acc == O_RDWR)
		f->mode |= FMODE_READ;
	if (acc == O_WRONLY || acc == O_RDWR)
		f->mode |= FMODE_WRITE;
	if (flags & O_PATH)
		f->mode = FMODE_PATH;
	if (ops->seek != file_no_seek)
		f->mode |= FMODE_SEEK;
	if (ops->pread != file_no_pread)
		f->mode |= FMODE_PREAD;
	if (ops->pwrite != file_no_pwrite)
		f->mode |= FMODE_PWRITE;
	if (inode && S_ISDIR(inode->type))
		f->mode |= FMODE_DIR;
	f->path = (struct path){ NULL, NULL };
	f->inode = inode_get(inode);
	f->pos = 0;
	mutex_init(&f->pos_mu, RANK_pos);
	waitq_init(&f->own_wq);
	f->wq = &f->own_wq;
	mutex_init(&f->owner.mu, RANK_object);
	list_init(&f->epoll_items);
	mutex_init(&f->epoll_mu, RANK_epoll);
}

int
file_set_anon(struct file *f, const char *name, struct inode *inode)
{
	f->path.dentry = dentry_new_anon(name, inode);
	if (f->path.dentry == NULL)
		return -ENOMEM;
	if (f->inode == NULL)
		f->inode = inode_get(inode);
	return 0;
}

int
file_init_anon(struct file *f, const struct file_ops *ops, const char *name, uint32_t mode, uint32_t flags)
{
	struct inode *i;
	int err = inode_new_anon(mode, &i);

	if (err)
		return err;
	file_init(f, ops, i, flags);
	err = file_set_anon(f, name, i);
	inode_put(i);
	if (err)
		file_fini(f);
	return err;
}

void
file_fini(struct file *f)
{
	/* A constructor that failed never was an open file; the census must not count it. */
	if (ref_count(&f->ref) != 0)
		(void)ref_put(&f->ref);
	/* The inode before the place: it borrows the super that the place's mount keeps. */
	inode_put(f->inode);
	f->inode = NULL;
	path_put(&f->path);
	mutex_fini(&f->pos_mu);
	mutex_fini(&f->epoll_mu);
	mutex_fini(&f->owner.mu);
}

void
file_release(struct file *f)
{
	/* Not the list itself: a set that ends at this moment may be half through taking us out of it. */
	if (atomic_load(&f->epolled))
		epoll_file_gone(f);
	if (f->async)
		WARN_ONCE(file_async_set(f, -1, false) != 0);
	if (!(f->mode & FMODE_PATH)) {
		flock_file_gone(f);
		if (f->mode & FMODE_WROTE_COUNT)
			atomic_fetch_sub(&f->inode->writers, 1);
		vfs_exec_done(f);
		if (f->path.mnt)
			fsnotify_parent(f, f->mode & FMODE_WRITE ? IN_CLOSE_WRITE : IN_CLOSE_NOWRITE);
	}
	f->ops->free(f);
}

/* ---- waiting --------------------------------------------------------------- */

#define READ_EVENTS	(POLLIN | POLLRDNORM | POLLRDBAND | POLLPRI | POLLHUP | POLLERR | POLLRDHUP)
#define WRITE_EVENTS	(POLLOUT | POLLWRNORM | POLLWRBAND | POLLHUP | POLLERR)

struct rw {
	struct iobuf	*buf;
	int64_t		 off;
	bool		 write, positional, nowait;
};

static int64_t
rw_once(struct file *f, struct task *t, const struct rw *rw)
{
	if (rw->positional)
		return rw->write ? f->ops->pwrite(f, t, rw->buf, rw->off) : f->ops->pread(f, t, rw->buf, rw->off);
	return rw->write ? f->ops->write(f, t, rw->buf) : f->ops->read(f, t, rw->buf);
}

int
file_wait_result(int err, uint64_t deadline)
{
	if (err == -ETIMEDOUT)
		return -EAGAIN;
	return err == -ERESTARTSYS && deadline != NO_DEADLINE ? -EINTR : err;
}

/* One transfer, waiting for it if need be. */
static int64_t
rw_wait(struct file *f, struct task *t, const struct rw *rw)
{
	struct waiter w;
	int64_t n = rw_once(f, t, rw);
	uint64_t limit, deadline = NO_DEADLINE;
	int err;

	if (n != -EAGAIN || rw->nowait || (f->flags & O_NONBLOCK))
		return n;
	limit = atomic_load_explicit(rw->write ? &f->wr_timeout_ns : &f->rd_timeout_ns, memory_order_relaxed);
	if (limit != 0)
		deadline = host_clock_ns(CLOCK_MONOTONIC) + limit;
	waiter_arm(&w, t, f->wq, rw->write ? WRITE_EVENTS : READ_EVENTS);
	while ((n = rw_once(f, t, rw)) == -EAGAIN) {
		err = task_sleep(t, deadline);
		if (err) {
			n = file_wait_result(err, deadline);
			break;
		}
	}
	waiter_disarm(&w);
	return n;
}

/* Streams take a write piece by piece; a message object (eventfd, timerfd) takes one message. */
static bool
is_stream(const struct file *f)
{
	uint32_t type = f->inode->type;

	return type == S_IFIFO || type == S_IFCHR || type == S_IFSOCK;
}

static int64_t
rw_loop(struct file *f, struct task *t, const struct rw *rw)
{
	bool on = rw->write && !rw->positional && is_stream(f);
	int64_t done = 0, n;

	do {
		n = rw_wait(f, t, rw);
		if (n > 0)
			done += n;
	} while (n > 0 && on && iob_left(rw->buf) > 0);
	if (n == -EPIPE && on) {
		struct abi_siginfo info;

		siginfo_user(&info, t, SIGPIPE, 0);
		signal_send_task(t, &info);
	}
	return done > 0 ? done : n;
}

static void
read_done(struct file *f, int64_t n)
{
	const struct mount *m = f->path.mnt;

	if (n < 0 || m == NULL)
		return;
	if (!(f->flags & O_NOATIME) && mnt_want_write(m) == 0 &&
	    !(atomic_load_explicit(&f->path.mnt->flags, memory_order_relaxed) & MS_NOATIME))
		inode_accessed(f->inode);
	if (n > 0)
		fsnotify_parent(f, IN_ACCESS);
}

/* Whether a transfer at off would go beyond the largest offset: refused as a whole, so that no sum of the two overflows. */
static bool
beyond(int64_t off, const struct iobuf *b)
{
	return iob_left(b) > (uint64_t)(INT64_MAX - off);
}

int64_t
file_read_flags(struct task *t, struct file *f, struct iobuf *dst, bool positional, int64_t off, uint32_t rwf)
{
	struct rw rw = { .buf = dst, .off = off, .positional = positional, .nowait = rwf & ABI_RWF_NOWAIT };
	int64_t n;

	if (!(f->mode & FMODE_READ))
		return -EBADF;
	if (positional && off < 0)
		return -EINVAL;
	if (positional && !(f->mode & FMODE_PREAD))
		return f->mode & FMODE_DIR ? -EISDIR : -ESPIPE;
	if (positional && beyond(off, dst))
		return -EINVAL;
	n = rw_loop(f, t, &rw);
	read_done(f, n);
	return n;
}

/* RLIMIT_FSIZE and the largest offset: trims what may not be written, or refuses. */
static int
write_limits(struct file *f, struct task *t, const struct rw *rw)
{
	uint64_t limit = task_rlimit(t, RLIMIT_FSIZE), pos;

	if (iob_left(rw->buf) == 0)
		return 0;
	if (f->flags & O_APPEND) {
		mutex_lock(f->inode->attr_mu);
		pos = f->inode->attr.size;
		mutex_unlock(f->inode->attr_mu);
	} else if (rw->positional) {
		pos = (uint64_t)rw->off;
	} else {
		mutex_lock(&f->pos_mu);
		pos = (uint64_t)f->pos;
		mutex_unlock(&f->pos_mu);
		if (beyond((int64_t)pos, rw->buf))
			return -EINVAL;
	}
	if (pos >= limit) {
		struct abi_siginfo info;

		siginfo_user(&info, t, SIGXFSZ, 0);
		signal_send_task(t, &info);
		return -EFBIG;
	}
	if (pos >= INT64_MAX)
		return -EFBIG;
	limit = min(limit, (uint64_t)INT64_MAX);
	if (iob_left(rw->buf) > limit - pos)
		(void)iob_trim(rw->buf, limit - pos);
	return 0;
}

int64_t
file_write_flags(struct task *t, struct file *f, struct iobuf *src, bool positional, int64_t off, uint32_t rwf)
{
	struct rw rw = { .buf = src, .off = off, .write = true, .positional = positional,
	    .nowait = rwf & ABI_RWF_NOWAIT };
	bool hold = false, append = (rwf & ABI_RWF_APPEND) && S_ISREG(f->inode->type);
	int64_t n, pos = 0;

	if (!(f->mode & FMODE_WRITE))
		return -EBADF;
	if (positional && off < 0)
		return -EINVAL;
	if (positional && !(f->mode & FMODE_PWRITE))
		return -ESPIPE;
	if (positional && beyond(off, src))
		return -EINVAL;
	if (append) {
		struct iattr a;

		/* At the end as it is now; another writer may make it grow meanwhile. */
		n = f->inode->ops->getattr(t, f->inode, &a);
		if (n)
			return n;
		rw.positional = true;
		rw.off = (int64_t)a.size;
	}
	if (S_ISREG(f->inode->type)) {
		n = write_limits(f, t, &rw);
		if (n)
			return n;
		n = inode_kill_privs(t, f->inode);
		if (n)
			return n;
		/* pwrite to an O_APPEND file appends (a Linux quirk), and still does not move the position. */
		hold = rw.positional && (f->flags & O_APPEND);
	}
	if (hold) {
		mutex_lock(&f->pos_mu);
		pos = f->pos;
	}
	n = rw_loop(f, t, &rw);
	if (hold) {
		f->pos = pos;
		mutex_unlock(&f->pos_mu);
	}
	if (n > 0)
		file_async_run();
	if (n > 0 && append && !positional) {
		mutex_lock(&f->pos_mu);
		f->pos = rw.off + n;
		mutex_unlock(&f->pos_mu);
	}
	if (n > 0 && f->path.mnt)
		fsnotify_parent(f, IN_MODIFY);
	if (n > 0 && ((f->flags & (O_DSYNC | O_SYNC)) || (rwf & (ABI_RWF_DSYNC | ABI_RWF_SYNC)))) {
		int err = f->ops->fsync(f, t, !(f->flags & O_SYNC & ~O_DSYNC));

		/* What cannot be synced (a pipe) does not fail the write. */
		if (err && err != -EINVAL)
			return err;
	}
	return n;
}

int64_t
file_read(struct task *t, struct file *f, struct iobuf *dst)
{
	return file_read_flags(t, f, dst, false, 0, 0);
}

int64_t
file_write(struct task *t, struct file *f, struct iobuf *src)
{
	return file_write_flags(t, f, src, false, 0, 0);
}

int64_t
file_pread(struct task *t, struct file *f, struct iobuf *dst, int64_t off)
{
	return file_read_flags(t, f, dst, true, off, 0);
}

int64_t
file_pwrite(struct task *t, struct file *f, struct iobuf *src, int64_t off)
{
	return file_write_flags(t, f, src, true, off, 0);
}

int64_t
file_pread_kernel(struct task *t, struct file *f, void *buf, size_t len, int64_t off)
{
	struct iobuf b;
	int64_t done = 0, n = 0;

	iob_init_kernel(&b, buf, len);
	while ((uint64_t)done < len) {
		n = f->ops->pread(f, t, &b, off + done);
		if (n <= 0)
			break;
		done += n;
	}
	iob_fini(&b);
	return done > 0 ? done : n;
}

/* ---- positions ------------------------------------------------------------- */

int64_t
file_read_pos(struct file *f, struct task *t, struct iobuf *dst)
{
	int64_t n;

	mutex_lock(&f->pos_mu);
	n = beyond(f->pos, dst) ? -EINVAL : f->ops->pread(f, t, dst, f->pos);
	if (n > 0)
		f->pos += n;
	mutex_unlock(&f->pos_mu);
	return n;
}

int64_t
file_write_pos(struct file *f, struct task *t, struct iobuf *src)
{
	int64_t n;

	mutex_lock(&f->pos_mu);
	n = f->ops->pwrite(f, t, src, f->pos);
	if (n > 0 && !(f->flags & O_APPEND))
		f->pos += n;
	mutex_unlock(&f->pos_mu);
	return n;
}

void
file_appended(struct file *f, int64_t pos)
{
	f->pos = pos;
}

int64_t
file_no_seek(struct file *f, struct task *t, int64_t off, int whence)
{
	(void)f, (void)t, (void)off, (void)whence;
	return -ESPIPE;
}

int64_t
file_seek_noop(struct file *f, struct task *t, int64_t off, int whence)
{
	(void)t, (void)off, (void)whence;
	return f->pos;
}

int64_t
file_seek_size(struct file *f, struct task *t, int64_t off, int whence)
{
	struct iattr a;
	int64_t pos, size = 0;
	int err;

	if (whence != SEEK_SET && whence != SEEK_CUR) {
		err = f->inode->ops->getattr(t, f->inode, &a);
		if (err)
			return err;
		size = (int64_t)a.size;
	}
	switch (whence) {
	case SEEK_SET:
		pos = off;
		break;
	case SEEK_CUR:
		if (ckd_add(&pos, f->pos, off))
			return -EINVAL;
		break;
	case SEEK_END:
		if (ckd_add(&pos, size, off))
			return -EINVAL;
		break;
	case SEEK_DATA:
	case SEEK_HOLE:
		if (off < 0 || off >= size)
			return -ENXIO;
		pos = whence == SEEK_DATA ? off : size;
		break;
	default:
		return -EINVAL;
	}
	if (pos < 0)
		return -EINVAL;
	f->pos = pos;
	return pos;
}

int64_t
file_seek_dir(struct file *f, struct task *t, int64_t off, int whence)
{
	(void)t;
	if (whence == SEEK_CUR) {
		if (ckd_add(&off, f->pos, off))
			return -EINVAL;
	} else if (whence != SEEK_SET) {
		return -EINVAL;
	}
	if (off < 0)
		return -EINVAL;
	f->pos = off;
	return off;
}

/* ---- defaults -------------------------------------------------------------- */

int64_t
file_no_read(struct file *f, struct task *t, struct iobuf *dst)
{
	(void)f, (void)t, (void)dst;
	return -EINVAL;
}

int64_t
file_no_write(struct file *f, struct task *t, struct iobuf *src)
{
	(void)f, (void)t, (void)src;
	return -EINVAL;
}

int64_t
file_no_pread(struct file *f, struct task *t, struct iobuf *dst, int64_t off)
{
	(void)f, (void)t, (void)dst, (void)off;
	return -ESPIPE;
}

int64_t
file_no_pwrite(struct file *f, struct task *t, struct iobuf *src, int64_t off)
{
	(void)f, (void)t, (void)src, (void)off;
	return -ESPIPE;
}

int64_t
file_is_dir_read(struct file *f, struct task *t, struct iobuf *dst)
{
	(void)f, (void)t, (void)dst;
	return -EISDIR;
}

int
file_no_readdir(struct file *f, struct task *t, struct dirsink *d)
{
	(void)f, (void)t, (void)d;
	return -ENOTDIR;
}

uint32_t
file_always_ready(struct file *f, uint32_t events)
{
	(void)f;
	return events & (POLLIN | POLLOUT | POLLRDNORM | POLLWRNORM);
}

int64_t
file_no_ioctl(struct file *f, struct task *t, uint32_t cmd, gaddr_t arg)
{
	(void)f, (void)t, (void)cmd, (void)arg;
	return -ENOTTY;
}

int
file_no_mmap(struct file *f, struct task *t, struct mmap_args *a)
{
	(void)f, (void)t, (void)a;
	return -ENODEV;
}

int
file_no_fsync(struct file *f, struct task *t, bool data_only)
{
	(void)f, (void)t, (void)data_only;
	return -EINVAL;
}

int
file_sync_ok(struct file *f, struct task *t, bool data_only)
{
	(void)f, (void)t, (void)data_only;
	return 0;
}

int
file_no_truncate(struct file *f, struct task *t, int64_t len)
{
	(void)f, (void)t, (void)len;
	return -EINVAL;
}

int
file_truncate_inode(struct file *f, struct task *t, int64_t len)
{
	struct timespec64 now = inode_now();
	struct iattr a = { .size = (uint64_t)len, .mtime = now, .ctime = now };

	return f->inode->ops->setattr(t, f->inode, &a, ATTR_SIZE | ATTR_MTIME | ATTR_CTIME);
}

int64_t
file_no_fallocate(struct file *f, struct task *t, uint32_t mode, int64_t off, int64_t len)
{
	(void)f, (void)t, (void)mode, (void)off, (void)len;
	return -EOPNOTSUPP;
}

int
file_any_flags(struct file *f, struct task *t, uint32_t flags)
{
	(void)f, (void)t, (void)flags;
	return 0;
}

void
file_no_flush(struct file *f, struct task *t)
{
	(void)f, (void)t;
}
