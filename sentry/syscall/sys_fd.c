/*
 * Calls on descriptors: close, dup, fcntl, the generic part of ioctl, flock.
 */
#include "sentry/syscall/syscall.h"

#include <asm/ioctls.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "abi/fs.h"
#include "fs/pipe.h"
#include "sentry/kernel/task.h"
#include "sentry/mm/usercopy.h"
#include "sentry/vfs/fdtable.h"
#include "sentry/vfs/file.h"
#include "sentry/vfs/flock.h"

/* fcntl's commands that libc hides or renames. */
enum {
	CMD_GETLK = 5, CMD_SETLK = 6, CMD_SETLKW = 7, CMD_SETOWN = 8, CMD_GETOWN = 9, CMD_SETSIG = 10, CMD_GETSIG = 11,
	CMD_SETOWN_EX = 15, CMD_GETOWN_EX = 16,
	CMD_OFD_GETLK = 36, CMD_OFD_SETLK = 37, CMD_OFD_SETLKW = 38,
	CMD_SETLEASE = 1024, CMD_GETLEASE = 1025, CMD_NOTIFY = 1026, CMD_DUPFD_CLOEXEC = 1030,
	CMD_SETPIPE_SZ = 1031, CMD_GETPIPE_SZ = 1032, CMD_ADD_SEALS = 1033, CMD_GET_SEALS = 1034,
};
enum { OWNER_TID = 0, OWNER_PID = 1, OWNER_PGRP = 2 };

int64_t
sys_close(struct task *t, int32_t fd)
{
	return fd_close(t, fd);
}

int64_t
sys_close_range(struct task *t, uint32_t first, uint32_t last, uint32_t flags)
{
	if (flags & ~6U)
		return -EINVAL;
	if (first > last)
		return -EINVAL;
	if ((flags & 2) && ref_count(&t->files->ref) > 1) {	/* CLOSE_RANGE_UNSHARE */
		struct fdtable *own, *old;
		int err = fdtable_copy(t->files, &own);

		if (err)
			return err;
		mutex_lock(&t->alloc_mu);
		old = t->files;
		t->files = own;
		mutex_unlock(&t->alloc_mu);
		fdtable_put(old);
	}
	fd_close_range(t, first, last, (flags & 4) != 0);	/* CLOSE_RANGE_CLOEXEC */
	return 0;
}

int64_t
sys_dup(struct task *t, int32_t fd)
{
	AUTO_PUT(file) f = NULL;
	int err = fd_get_path(t, fd, &f);

	return err ? err : fd_install(t, f, 0);
}

int64_t
sys_dup2(struct task *t, int32_t oldfd, int32_t newfd)
{
	AUTO_PUT(file) f = NULL;
	int err = fd_get_path(t, oldfd, &f);

	if (err)
		return err;
	return oldfd == newfd ? newfd : fd_replace(t, f, newfd, 0);
}

int64_t
sys_dup3(struct task *t, int32_t oldfd, int32_t newfd, int32_t flags)
{
	AUTO_PUT(file) f = NULL;
	int err;

	if (flags & ~O_CLOEXEC)
		return -EINVAL;
	if (oldfd == newfd)
		return -EINVAL;
	err = fd_get_path(t, oldfd, &f);
	return err ? err : fd_replace(t, f, newfd, flags & O_CLOEXEC ? FD_CLOEXEC : 0);
}

/* ---- fcntl ----------------------------------------------------------------- */

#define SETFL_MASK	((uint32_t)(O_APPEND | O_NONBLOCK | O_ASYNC | O_DIRECT | O_NOATIME))

static int
set_status_flags(struct task *t, struct file *f, int32_t fd, uint32_t want)
{
	uint32_t old = f->flags, new = (old & ~SETFL_MASK) | (want & SETFL_MASK);
	int err;

	if ((new & ~old & O_NOATIME) && !inode_owner_or_capable(t, f->inode))
		return -EPERM;
	err = f->ops->setflags(f, t, new);
	if (!err && ((new ^ old) & O_ASYNC))
		err = file_async_set(f, fd, new & O_ASYNC);
	if (!err)
		f->flags = new;
	return err;
}

static int64_t
record_lock(struct task *t, struct file *f, int32_t fd, uint32_t cmd, gaddr_t arg)
{
	AUTO_PUT(file) now = NULL;
	struct abi_flock l;
	bool ofd = cmd >= CMD_OFD_GETLK;
	int err = copy_in(t, &l, arg, sizeof l);

	if (err)
		return err;
	if (ofd && l.l_pid != 0)
		return -EINVAL;
	if (cmd == CMD_GETLK || cmd == CMD_OFD_GETLK) {
		err = flock_record_get(t, f, &l, ofd);
		return err ? err : copy_out(t, arg, &l, sizeof l);
	}
	err = flock_record_set(t, f, &l, ofd, cmd == CMD_SETLKW || cmd == CMD_OFD_SETLKW);
	if (err || ofd || l.l_type == F_UNLCK)
		return err;
	/* Closed while we waited?  Then that close came too early to drop this lock, and no other will. */
	if (fd_get_path(t, fd, &now) == 0 && now == f)
		return 0;
	flock_posix_close(t->files, f);
	return -EBADF;
}

/* Whether somebody goes by that id; 0 means nobody on purpose. */
static bool
owner_exists(int32_t type, int32_t id)
{
	struct task *task = type == OWNER_TID ? task_find_get(id) : NULL;
	struct process *process = type == OWNER_PID ? process_find_get(id) : NULL;
	struct pidgroup *group = type == OWNER_PGRP ? pidgroup_find_get(id) : NULL;
	bool exists = id == 0 || task || process || group;

	task_put(task);
	process_put(process);
	pidgroup_put(group);
	return exists;
}

static int
set_owner(struct file *f, struct task *t, int32_t type, int32_t id)
{
	if (!owner_exists(type, id))
		return -ESRCH;
	mutex_lock(&f->owner.mu);
	f->owner.type = type;
	f->owner.id = id;
	f->owner.uid = task_cred(t)->uid;
	f->owner.euid = task_cred(t)->euid;
	mutex_unlock(&f->owner.mu);
	return 0;
}

static int64_t
owner_call(struct task *t, struct file *f, uint32_t cmd, uint64_t arg)
{
	struct abi_f_owner_ex ex;
	int err;

	switch (cmd) {
	case CMD_SETOWN:
		if ((int32_t)arg == INT32_MIN)
			return -EINVAL;
		return (int32_t)arg < 0 ? set_owner(f, t, OWNER_PGRP, -(int32_t)arg) :
		    set_owner(f, t, OWNER_PID, (int32_t)arg);
	case CMD_GETOWN:
		return f->owner.type == OWNER_PGRP ? -(int64_t)f->owner.id : f->owner.id;
	case CMD_SETOWN_EX:
		err = copy_in(t, &ex, gaddr_from(arg), sizeof ex);
		if (err)
			return err;
		if (ex.type < OWNER_TID || ex.type > OWNER_PGRP)
			return -EINVAL;
		return set_owner(f, t, ex.type, ex.pid);
	case CMD_GETOWN_EX:
		ex = (struct abi_f_owner_ex){ f->owner.type, f->owner.id };
		return copy_out(t, gaddr_from(arg), &ex, sizeof ex);
	case CMD_SETSIG:
		if (arg > 64)
			return -EINVAL;
		f->owner.signo = (int32_t)arg;
		return 0;
	default:
		return f->owner.signo;
	}
}

/* Commands that need more than a descriptor. */
static int64_t
fcntl_file(struct task *t, struct file *f, int32_t fd, uint32_t cmd, uint64_t arg)
{
	switch (cmd) {
	case F_SETFL:
		return set_status_flags(t, f, fd, (uint32_t)arg);
	case CMD_GETLK:
	case CMD_SETLK:
	case CMD_SETLKW:
	case CMD_OFD_GETLK:
	case CMD_OFD_SETLK:
	case CMD_OFD_SETLKW:
		return record_lock(t, f, fd, cmd, gaddr_from(arg));
	case CMD_SETOWN:
	case CMD_GETOWN:
	case CMD_SETOWN_EX:
	case CMD_GETOWN_EX:
	case CMD_SETSIG:
	case CMD_GETSIG:
		return owner_call(t, f, cmd, arg);
	case CMD_SETPIPE_SZ:
		return pipe_set_size(t, f, arg);
	case CMD_GETPIPE_SZ:
		return pipe_get_size(f);
	case CMD_ADD_SEALS:
	case CMD_GET_SEALS:
		return memfd_seals(t, f, cmd == CMD_ADD_SEALS, (uint32_t)arg);
	case CMD_GETLEASE:
		return F_UNLCK;
	default:
		report_missing(t, "fcntl %u on %s", cmd, f->ops->kind);
		return -EINVAL;
	}
}

int64_t
sys_fcntl(struct task *t, int32_t fd, uint32_t cmd, uint64_t arg)
{
	AUTO_PUT(file) f = NULL;
	int err = fd_get_path(t, fd, &f);

	if (err)
		return err;
	switch (cmd) {
	case F_DUPFD:
	case CMD_DUPFD_CLOEXEC:
		if (arg > INT32_MAX)
			return -EINVAL;
		return fd_install_from(t, f, (int32_t)arg, cmd == F_DUPFD ? 0 : FD_CLOEXEC);
	case F_GETFD:
		return fd_cloexec(t, fd, -1);
	case F_SETFD:
		err = fd_cloexec(t, fd, (int)(arg & FD_CLOEXEC));
		return err < 0 ? err : 0;
	case F_GETFL:
		return f->flags;
	default:
		return f->mode & FMODE_PATH ? -EBADF : fcntl_file(t, f, fd, cmd, arg);
	}
}

/* ---- ioctl ----------------------------------------------------------------- */

static int64_t
ioctl_regular(struct task *t, struct file *f, uint32_t cmd, gaddr_t arg)
{
	struct iattr a;
	int64_t left;
	int err;

	if (cmd != FIONREAD || !S_ISREG(f->inode->type))
		return -ENOTTY;
	err = f->inode->ops->getattr(t, f->inode, &a);
	if (err)
		return err;
	mutex_lock(&f->pos_mu);
	left = (int64_t)a.size - f->pos;
	mutex_unlock(&f->pos_mu);
	return put_u32(t, arg, (uint32_t)left);
}

int64_t
sys_ioctl(struct task *t, int32_t fd, uint32_t cmd, gaddr_t arg)
{
	AUTO_PUT(file) f = NULL;
	uint32_t on, flag;
	int64_t ret;
	int err = fd_get(t, fd, &f);

	if (err)
		return err;
	switch (cmd) {
	case FIOCLEX:
	case FIONCLEX:
		err = fd_cloexec(t, fd, cmd == FIOCLEX ? FD_CLOEXEC : 0);
		return err < 0 ? err : 0;
	case FIONBIO:
	case FIOASYNC:
		err = copy_in(t, &on, arg, sizeof on);
		if (err)
			return err;
		flag = cmd == FIONBIO ? O_NONBLOCK : O_ASYNC;
		if (cmd == FIOASYNC && (S_ISREG(f->inode->type) || S_ISDIR(f->inode->type)) &&
		    !(f->flags & O_ASYNC) == (on != 0))
			return -ENOTTY;
		return set_status_flags(t, f, fd, on ? f->flags | flag : f->flags & ~flag);
	default:
		break;
	}
	ret = f->ops->ioctl(f, t, cmd, arg);
	if (ret == -ENOTTY)
		ret = ioctl_regular(t, f, cmd, arg);
	/* Asking a file whether it is a terminal (0x54..) is how isatty works, and no loss. */
	if (ret == -ENOTTY && (cmd >> 8 & 0xff) != 'T')
		report_missing(t, "ioctl 0x%x on %s", cmd, f->ops->kind);
	return ret;
}

int64_t
sys_flock(struct task *t, int32_t fd, uint32_t operation)
{
	AUTO_PUT(file) f = NULL;
	int err = fd_get(t, fd, &f);

	return err ? err : flock_whole(t, f, (int32_t)operation);
}
