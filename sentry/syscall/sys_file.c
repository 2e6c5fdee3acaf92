/*
 * Calls on open files: data in and out, position, size, sync.  Descriptors themselves are in sys_fd.c.
 */
#include "sentry/syscall/syscall.h"

#include <asm/resource.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <sys/stat.h>
#include <unistd.h>

#include "abi/fs.h"
#include "sentry/kernel/task.h"
#include "sentry/mm/iobuf.h"
#include "sentry/mm/usercopy.h"
#include "sentry/vfs/dentry.h"
#include "sentry/vfs/fdtable.h"
#include "sentry/vfs/file.h"
#include "sentry/vfs/mount.h"

/* ---- read and write -------------------------------------------------------- */

struct transfer {
	int32_t		fd;
	gaddr_t		buf;		/* bytes, or an iovec */
	uint64_t	count;
	int64_t		off;
	uint32_t	rwf;
	bool		write, vec, positional;
};

/* Linux looks at the descriptor first, then at the buffers. */
static int64_t
transfer(struct task *t, const struct transfer *x)
{
	AUTO_PUT(file) f = NULL;
	struct iobuf b;
	int64_t n;
	int err = fd_get(t, x->fd, &f);

	if (err)
		return err;
	if (x->positional && !(f->mode & (FMODE_PREAD | FMODE_PWRITE | FMODE_DIR)))
		return -ESPIPE;
	if (!(f->mode & (x->write ? FMODE_WRITE : FMODE_READ)))
		return -EBADF;
	if (x->positional && !(f->mode & (x->write ? FMODE_PWRITE : FMODE_PREAD)) && !(f->mode & FMODE_DIR))
		return -ESPIPE;
	if (x->vec)
		err = iob_init_iov(&b, t, x->buf, x->count);
	else
		err = iob_init(&b, t, x->buf, x->count);
	if (err)
		return err;
	if (x->write)
		n = file_write_flags(t, f, &b, x->positional, x->off, x->rwf);
	else
		n = file_read_flags(t, f, &b, x->positional, x->off, x->rwf);
	iob_fini(&b);
	return n;
}

int64_t
sys_read(struct task *t, int32_t fd, gaddr_t buf, uint64_t count)
{
	return transfer(t, &(struct transfer){ .fd = fd, .buf = buf, .count = count });
}

int64_t
sys_write(struct task *t, int32_t fd, gaddr_t buf, uint64_t count)
{
	return transfer(t, &(struct transfer){ .fd = fd, .buf = buf, .count = count, .write = true });
}

int64_t
sys_readv(struct task *t, int32_t fd, gaddr_t iov, uint64_t iovcnt)
{
	return transfer(t, &(struct transfer){ .fd = fd, .buf = iov, .count = iovcnt, .vec = true });
}

int64_t
sys_writev(struct task *t, int32_t fd, gaddr_t iov, uint64_t iovcnt)
{
	return transfer(t, &(struct transfer){ .fd = fd, .buf = iov, .count = iovcnt, .vec = true, .write = true });
}

int64_t
sys_pread64(struct task *t, int32_t fd, gaddr_t buf, uint64_t count, int64_t offset)
{
	if (offset < 0)
		return -EINVAL;
	return transfer(t, &(struct transfer){ .fd = fd, .buf = buf, .count = count, .off = offset,
	    .positional = true });
}

int64_t
sys_pwrite64(struct task *t, int32_t fd, gaddr_t buf, uint64_t count, int64_t offset)
{
	if (offset < 0)
		return -EINVAL;
	return transfer(t, &(struct transfer){ .fd = fd, .buf = buf, .count = count, .off = offset,
	    .positional = true, .write = true });
}

int64_t
sys_preadv(struct task *t, int32_t fd, gaddr_t iov, uint64_t iovcnt, int64_t pos, uint64_t pos_h)
{
	(void)pos_h;		/* on 64 bits pos has it all */
	if (pos < 0)
		return -EINVAL;
	return transfer(t, &(struct transfer){ .fd = fd, .buf = iov, .count = iovcnt, .off = pos, .vec = true,
	    .positional = true });
}

int64_t
sys_pwritev(struct task *t, int32_t fd, gaddr_t iov, uint64_t iovcnt, int64_t pos, uint64_t pos_h)
{
	(void)pos_h;
	if (pos < 0)
		return -EINVAL;
	return transfer(t, &(struct transfer){ .fd = fd, .buf = iov, .count = iovcnt, .off = pos, .vec = true,
	    .positional = true, .write = true });
}

/* pos -1 means the file's own position. */
static int64_t
vec2(struct task *t, struct transfer *x, uint32_t flags)
{
	if (flags & ~(uint32_t)(ABI_RWF_HIPRI | ABI_RWF_DSYNC | ABI_RWF_SYNC | ABI_RWF_NOWAIT |
	    (x->write ? ABI_RWF_APPEND : 0))) {
		report_missing(t, "preadv2 or pwritev2 flags 0x%x", flags);
		return -EOPNOTSUPP;
	}
	x->rwf = flags;
	x->vec = true;
	x->positional = x->off != -1;
	if (x->positional && x->off < 0)
		return -EINVAL;
	return transfer(t, x);
}

int64_t
sys_preadv2(struct task *t, int32_t fd, gaddr_t iov, uint64_t iovcnt, int64_t pos, uint64_t pos_h, uint32_t flags)
{
	(void)pos_h;
	return vec2(t, &(struct transfer){ .fd = fd, .buf = iov, .count = iovcnt, .off = pos }, flags);
}

int64_t
sys_pwritev2(struct task *t, int32_t fd, gaddr_t iov, uint64_t iovcnt, int64_t pos, uint64_t pos_h, uint32_t flags)
{
	(void)pos_h;
	return vec2(t, &(struct transfer){ .fd = fd, .buf = iov, .count = iovcnt, .off = pos, .write = true }, flags);
}

int64_t
sys_lseek(struct task *t, int32_t fd, int64_t offset, uint32_t whence)
{
	AUTO_PUT(file) f = NULL;
	int64_t pos;
	int err = fd_get(t, fd, &f);

	if (err)
		return err;
	if (whence > SEEK_HOLE)
		return -EINVAL;
	if (!(f->mode & FMODE_SEEK))
		return -ESPIPE;
	mutex_lock(&f->pos_mu);
	pos = f->ops->seek(f, t, offset, (int)whence);
	mutex_unlock(&f->pos_mu);
	return pos;
}

/* ---- size ------------------------------------------------------------------ */

/* A file may not grow beyond RLIMIT_FSIZE. */
static int
size_limit(struct task *t, struct inode *i, uint64_t size)
{
	struct abi_siginfo info;
	uint64_t now;

	if (size <= task_rlimit(t, RLIMIT_FSIZE))
		return 0;
	mutex_lock(i->attr_mu);
	now = i->attr.size;
	mutex_unlock(i->attr_mu);
	if (size <= now)
		return 0;
	siginfo_user(&info, t, SIGXFSZ, 0);
	signal_send_task(t, &info);
	return -EFBIG;
}

int64_t
sys_ftruncate(struct task *t, int32_t fd, int64_t length)
{
	AUTO_PUT(file) f = NULL;
	int err;

	if (length < 0)
		return -EINVAL;
	err = fd_get(t, fd, &f);
	if (err)
		return err;
	if (!S_ISREG(f->inode->type) || !(f->mode & FMODE_WRITE))
		return -EINVAL;
	err = size_limit(t, f->inode, (uint64_t)length);
	if (!err)
		err = inode_kill_privs(t, f->inode);
	if (!err)
		err = f->ops->truncate(f, t, length);
	if (!err)
		fsnotify_parent(f, 0x2 /* IN_MODIFY */);
	return err;
}

int64_t
sys_truncate(struct task *t, gaddr_t path, int64_t length)
{
	struct timespec64 now = inode_now();
	struct iattr a = { .size = (uint64_t)length, .mtime = now, .ctime = now };
	struct inode *i;
	struct path p;
	int err;

	if (length < 0)
		return -EINVAL;
	err = path_walk_user(t, AT_FDCWD, path, WALK_FOLLOW, &p);
	if (err)
		return err;
	i = p.dentry->inode;
	if (S_ISDIR(i->type))
		err = -EISDIR;
	else if (!S_ISREG(i->type))
		err = -EINVAL;
	else
		err = mnt_want_write(p.mnt);
	if (!err)
		err = inode_permission(t, i, MAY_WRITE);
	if (!err && atomic_load(&i->writers) < 0)
		err = -ETXTBSY;
	if (!err)
		err = size_limit(t, i, (uint64_t)length);
	if (!err)
		err = inode_kill_privs(t, i);
	if (!err)
		err = i->ops->setattr(t, i, &a, ATTR_SIZE | ATTR_MTIME | ATTR_CTIME);
	if (!err)
		fsnotify_dentry(p.dentry, 0x2 /* IN_MODIFY */);
	path_put(&p);
	return err;
}

int64_t
sys_fallocate(struct task *t, int32_t fd, uint32_t mode, int64_t offset, int64_t len)
{
	AUTO_PUT(file) f = NULL;
	int64_t end;
	int err = fd_get(t, fd, &f);

	if (err)
		return err;
	if (offset < 0 || len <= 0)
		return -EINVAL;
	if (mode & ~(uint32_t)(FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE | FALLOC_FL_ZERO_RANGE)) {
		report_missing(t, "fallocate mode 0x%x", mode);
		return -EOPNOTSUPP;
	}
	if ((mode & FALLOC_FL_PUNCH_HOLE) && (mode & FALLOC_FL_ZERO_RANGE))
		return -EOPNOTSUPP;
	if ((mode & FALLOC_FL_PUNCH_HOLE) && !(mode & FALLOC_FL_KEEP_SIZE))
		return -EOPNOTSUPP;
	if (!(f->mode & FMODE_WRITE))
		return -EBADF;
	if (S_ISFIFO(f->inode->type))
		return -ESPIPE;
	if (S_ISDIR(f->inode->type))
		return -EISDIR;
	if (!S_ISREG(f->inode->type))
		return -ENODEV;
	if (ckd_add(&end, offset, len))
		return -EFBIG;
	if (!(mode & FALLOC_FL_KEEP_SIZE))
		err = size_limit(t, f->inode, (uint64_t)end);
	if (!err)
		err = inode_kill_privs(t, f->inode);
	return err ? err : f->ops->fallocate(f, t, mode, offset, len);
}

/* ---- sync and hints -------------------------------------------------------- */

static int64_t
do_fsync(struct task *t, int32_t fd, bool data_only)
{
	AUTO_PUT(file) f = NULL;
	int err = fd_get(t, fd, &f);

	return err ? err : f->ops->fsync(f, t, data_only);
}

int64_t
sys_fsync(struct task *t, int32_t fd)
{
	return do_fsync(t, fd, false);
}

int64_t
sys_fdatasync(struct task *t, int32_t fd)
{
	return do_fsync(t, fd, true);
}

int64_t
sys_sync(struct task *t)
{
	mounts_sync(t);
	return 0;
}

int64_t
sys_syncfs(struct task *t, int32_t fd)
{
	AUTO_PUT(file) f = NULL;
	int err = fd_get(t, fd, &f);

	return err ? err : f->inode->super->ops->sync(f->inode->super);
}

int64_t
sys_sync_file_range(struct task *t, int32_t fd, int64_t offset, int64_t nbytes, uint32_t flags)
{
	AUTO_PUT(file) f = NULL;
	int64_t end;
	int err = fd_get(t, fd, &f);

	if (err)
		return err;
	if (flags & ~7U)
		return -EINVAL;
	if (offset < 0 || nbytes < 0 || ckd_add(&end, offset, nbytes))
		return -EINVAL;
	if (!S_ISREG(f->inode->type) && !S_ISDIR(f->inode->type))
		return -ESPIPE;
	return 0;
}

int64_t
sys_fadvise64(struct task *t, int32_t fd, int64_t offset, int64_t len, int32_t advice)
{
	AUTO_PUT(file) f = NULL;
	int err = fd_get(t, fd, &f);

	(void)offset;
	if (err)
		return err;
	if (S_ISFIFO(f->inode->type))
		return -ESPIPE;
	return len < 0 || advice < 0 || advice > 5 ? -EINVAL : 0;
}

int64_t
sys_readahead(struct task *t, int32_t fd, int64_t offset, uint64_t count)
{
	AUTO_PUT(file) f = NULL;
	int err = fd_get(t, fd, &f);

	(void)offset, (void)count;
	if (err)
		return err;
	if (!(f->mode & FMODE_READ))
		return -EBADF;
	return S_ISREG(f->inode->type) ? 0 : -EINVAL;
}
