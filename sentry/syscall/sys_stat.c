/*
 * Calls about attributes: stat and statx, access, chmod, chown, times, extended attributes.
 */
#include "sentry/syscall/syscall.h"

#include <fcntl.h>
#include <linux/capability.h>
#include <linux/mount.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>

#include "abi/fs.h"
#include "abi/stat.h"
#include "abi/time.h"
#include "base/kmem.h"
#include "sentry/kernel/task.h"
#include "sentry/mm/usercopy.h"
#include "sentry/vfs/dentry.h"
#include "sentry/vfs/fdtable.h"
#include "sentry/vfs/file.h"
#include "sentry/vfs/inode.h"
#include "sentry/vfs/mount.h"

#define KEEP_ID		UINT32_MAX	/* chown's "leave it" */

/* The node behind a descriptor: of the place, which a layered filesystem's open file need not share. */
static struct inode *
file_node(const struct file *f)
{
	return f->path.dentry && f->path.dentry->inode ? f->path.dentry->inode : f->inode;
}

/* Resolves (dirfd, path, AT_ flags). */
static int
walk_at(struct task *t, int32_t dirfd, gaddr_t path, uint32_t flags, struct path *out)
{
	uint32_t walk = flags & AT_SYMLINK_NOFOLLOW ? 0 : WALK_FOLLOW;

	if (flags & AT_EMPTY_PATH) {
		char first;

		walk |= WALK_EMPTY;
		/* fstat(2) of libc: no need for a path buffer. */
		if (!gaddr_is_null(path) && copy_in(t, &first, path, 1) == 0 && first == '\0')
			return path_walk(t, dirfd, "", walk, out);
	}
	return path_walk_user(t, dirfd, path, walk, out);
}

/* ---- stat ------------------------------------------------------------------ */

static int64_t
put_stat(struct task *t, struct inode *i, gaddr_t st)
{
	struct abi_stat out;
	struct iattr a;
	int err = i->ops->getattr(t, i, &a);

	if (err)
		return err;
	abi_stat_fill(i, &a, &out);
	return copy_out(t, st, &out, sizeof out);
}

static int64_t
do_stat(struct task *t, int32_t dirfd, gaddr_t path, gaddr_t st, uint32_t flags)
{
	struct path p;
	int64_t ret;
	int err = walk_at(t, dirfd, path, flags, &p);

	if (err)
		return err;
	ret = put_stat(t, p.dentry->inode, st);
	path_put(&p);
	return ret;
}

int64_t
sys_stat(struct task *t, gaddr_t path, gaddr_t st)
{
	return do_stat(t, AT_FDCWD, path, st, 0);
}

int64_t
sys_lstat(struct task *t, gaddr_t path, gaddr_t st)
{
	return do_stat(t, AT_FDCWD, path, st, AT_SYMLINK_NOFOLLOW);
}

int64_t
sys_newfstatat(struct task *t, int32_t dirfd, gaddr_t path, gaddr_t st, int32_t flags)
{
	if (flags & ~(AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | AT_EMPTY_PATH))
		return -EINVAL;
	return do_stat(t, dirfd, path, st, (uint32_t)flags);
}

int64_t
sys_fstat(struct task *t, int32_t fd, gaddr_t st)
{
	AUTO_PUT(file) f = NULL;
	int err = fd_get_path(t, fd, &f);

	return err ? err : put_stat(t, file_node(f), st);
}

int64_t
sys_statx(struct task *t, int32_t dirfd, gaddr_t path, int32_t flags, uint32_t mask, gaddr_t buf)
{
	struct abi_statx out;
	struct iattr a;
	struct path p;
	int err;

	if (mask & 0x80000000U)		/* STATX__RESERVED */
		return -EINVAL;
	if ((flags & 0x6000) == 0x6000)	/* AT_STATX_FORCE_SYNC and DONT_SYNC */
		return -EINVAL;
	if (flags & ~(AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | AT_EMPTY_PATH | 0x6000))
		return -EINVAL;
	err = walk_at(t, dirfd, path, (uint32_t)flags, &p);
	if (err)
		return err;
	err = p.dentry->inode->ops->getattr(t, p.dentry->inode, &a);
	if (!err)
		abi_statx_fill(p.dentry->inode, &a, p.mnt ? p.mnt->id : 0,
		    p.mnt && p.dentry == p.mnt->root, &out);
	path_put(&p);
	return err ? err : copy_out(t, buf, &out, sizeof out);
}

/* ---- access ---------------------------------------------------------------- */

/* The real ids, with the capabilities that root would have had. */
static int
real_cred(struct task *t, struct cred **out)
{
	const struct cred *c = task_cred(t);
	int err = cred_copy(c, out);

	if (err)
		return err;
	(*out)->fsuid = c->uid;
	(*out)->fsgid = c->gid;
	(*out)->effective = c->uid == 0 ? c->permitted : 0;
	return 0;
}

static int64_t
do_access(struct task *t, int32_t dirfd, gaddr_t path, uint32_t mode, uint32_t flags)
{
	const struct cred *c = task_cred(t), *use = c;
	AUTO_PUT(cred) real = NULL;
	struct inode *i;
	struct path p;
	int err;

	if (mode & ~7U)
		return -EINVAL;
	if (!(flags & AT_EACCESS) &&
	    (c->fsuid != c->uid || c->fsgid != c->gid || c->effective != (c->uid == 0 ? c->permitted : 0))) {
		err = real_cred(t, &real);
		if (err)
			return err;
		use = real;
	}
	err = walk_at(t, dirfd, path, flags, &p);
	if (err)
		return err;
	i = p.dentry->inode;
	if ((mode & MAY_EXEC) && S_ISREG(i->type) && p.mnt && (p.mnt->flags & MS_NOEXEC))
		err = -EACCES;
	else if (mode)
		err = inode_permission_cred(t, use, i, mode);
	if (!err && (mode & MAY_WRITE) && (S_ISREG(i->type) || S_ISDIR(i->type) || S_ISLNK(i->type)))
		err = mnt_want_write(p.mnt);
	path_put(&p);
	return err;
}

int64_t
sys_access(struct task *t, gaddr_t path, int32_t mode)
{
	return do_access(t, AT_FDCWD, path, (uint32_t)mode, 0);
}

int64_t
sys_faccessat(struct task *t, int32_t dirfd, gaddr_t path, int32_t mode)
{
	return do_access(t, dirfd, path, (uint32_t)mode, 0);
}

int64_t
sys_faccessat2(struct task *t, int32_t dirfd, gaddr_t path, int32_t mode, int32_t flags)
{
	if (flags & ~(AT_EACCESS | AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH))
		return -EINVAL;
	return do_access(t, dirfd, path, (uint32_t)mode, (uint32_t)flags);
}

/* ---- mode and owner -------------------------------------------------------- */

static int
set_mode(struct task *t, const struct path *p, uint32_t mode)
{
	struct inode *i = p->dentry->inode;
	struct iattr a = { .mode = mode & 07777, .ctime = inode_now() };
	uint32_t gid;
	int err = mnt_want_write(p->mnt);

	if (err)
		return err;
	if (S_ISLNK(i->type))
		return -EOPNOTSUPP;
	if (!inode_owner_or_capable(t, i))
		return -EPERM;
	mutex_lock(&i->mu);
	gid = i->attr.gid;
	a.mode |= i->attr.mode & S_IFMT;
	mutex_unlock(&i->mu);
	if (!cred_in_group(task_cred(t), gid) && !task_capable(t, CAP_FSETID))
		a.mode &= ~(uint32_t)S_ISGID;
	err = i->ops->setattr(t, i, &a, ATTR_MODE | ATTR_CTIME);
	platform_names_changed();
	if (!err)
		fsnotify_dentry(p->dentry, IN_ATTRIB);
	return err;
}

static int64_t
do_chmod(struct task *t, int32_t dirfd, gaddr_t path, uint32_t mode, uint32_t flags)
{
	struct path p;
	int err = walk_at(t, dirfd, path, flags, &p);

	if (err)
		return err;
	err = set_mode(t, &p, mode);
	path_put(&p);
	return err;
}

int64_t
sys_chmod(struct task *t, gaddr_t path, uint32_t mode)
{
	return do_chmod(t, AT_FDCWD, path, mode, 0);
}

int64_t
sys_fchmodat(struct task *t, int32_t dirfd, gaddr_t path, uint32_t mode)
{
	return do_chmod(t, dirfd, path, mode, 0);
}

int64_t
sys_fchmodat2(struct task *t, int32_t dirfd, gaddr_t path, uint32_t mode, int32_t flags)
{
	if (flags & ~(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH))
		return -EINVAL;
	return do_chmod(t, dirfd, path, mode, (uint32_t)flags);
}

int64_t
sys_fchmod(struct task *t, int32_t fd, uint32_t mode)
{
	AUTO_PUT(file) f = NULL;
	int err = fd_get(t, fd, &f);

	return err ? err : set_mode(t, &f->path, mode);
}

static int
set_owner(struct task *t, const struct path *p, uint32_t uid, uint32_t gid)
{
	struct inode *i = p->dentry->inode;
	struct iattr a = { .uid = uid, .gid = gid, .ctime = inode_now() }, now;
	const struct cred *c = task_cred(t);
	uint32_t which = ATTR_CTIME;
	int err = mnt_want_write(p->mnt);

	if (err)
		return err;
	mutex_lock(&i->mu);
	now = i->attr;
	mutex_unlock(&i->mu);
	if (uid != KEEP_ID) {
		if (!(c->fsuid == now.uid && uid == now.uid) && !task_capable(t, CAP_CHOWN))
			return -EPERM;
		which |= ATTR_UID;
	}
	if (gid != KEEP_ID) {
		if (!(c->fsuid == now.uid && (cred_in_group(c, gid) || gid == now.gid)) && !task_capable(t, CAP_CHOWN))
			return -EPERM;
		which |= ATTR_GID;
	}
	/* Programs lose their privileges with their owner, even when root does it. */
	if (!S_ISDIR(now.mode) && (now.mode & (S_ISUID | S_ISGID))) {
		a.mode = now.mode & ~(uint32_t)S_ISUID;
		if ((a.mode & S_IXGRP) || (!cred_in_group(c, now.gid) && !task_capable(t, CAP_FSETID)))
			a.mode &= ~(uint32_t)S_ISGID;
		if (a.mode != now.mode)
			which |= ATTR_MODE;
	}
	err = i->ops->setattr(t, i, &a, which);
	platform_names_changed();
	if (!err)
		fsnotify_dentry(p->dentry, IN_ATTRIB);
	return err;
}

static int64_t
do_chown(struct task *t, int32_t dirfd, gaddr_t path, uint32_t uid, uint32_t gid, uint32_t flags)
{
	struct path p;
	int err = walk_at(t, dirfd, path, flags, &p);

	if (err)
		return err;
	err = set_owner(t, &p, uid, gid);
	path_put(&p);
	return err;
}

int64_t
sys_chown(struct task *t, gaddr_t path, uint32_t uid, uint32_t gid)
{
	return do_chown(t, AT_FDCWD, path, uid, gid, 0);
}

int64_t
sys_lchown(struct task *t, gaddr_t path, uint32_t uid, uint32_t gid)
{
	return do_chown(t, AT_FDCWD, path, uid, gid, AT_SYMLINK_NOFOLLOW);
}

int64_t
sys_fchownat(struct task *t, int32_t dirfd, gaddr_t path, uint32_t uid, uint32_t gid, int32_t flags)
{
	if (flags & ~(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH))
		return -EINVAL;
	return do_chown(t, dirfd, path, uid, gid, (uint32_t)flags);
}

int64_t
sys_fchown(struct task *t, int32_t fd, uint32_t uid, uint32_t gid)
{
	AUTO_PUT(file) f = NULL;
	int err = fd_get(t, fd, &f);

	return err ? err : set_owner(t, &f->path, uid, gid);
}

/* ---- times ----------------------------------------------------------------- */

#define T_NOW		0x3fffffff	/* UTIME_NOW */
#define T_OMIT		0x3ffffffe	/* UTIME_OMIT */

static int
set_times(struct task *t, const struct path *p, const struct abi_timespec ts[2])
{
	struct inode *i = p->dentry->inode;
	struct timespec64 now = inode_now();
	struct iattr a = { .ctime = now };
	struct timespec64 *to[2] = { &a.atime, &a.mtime };
	static const uint32_t bit[2] = { ATTR_ATIME, ATTR_MTIME };
	uint32_t which = ATTR_CTIME;
	bool both_now = ts[0].tv_nsec == T_NOW && ts[1].tv_nsec == T_NOW;
	int err;

	for (int n = 0; n < 2; n++) {
		if (ts[n].tv_nsec != T_NOW && ts[n].tv_nsec != T_OMIT && (ts[n].tv_nsec < 0 || ts[n].tv_nsec > 999999999))
			return -EINVAL;
	}
	err = mnt_want_write(p->mnt);
	if (err)
		return err;
	if (!inode_owner_or_capable(t, i)) {
		if (!both_now)
			return -EPERM;
		err = inode_permission(t, i, MAY_WRITE);
		if (err)
			return err;
	}
	for (int n = 0; n < 2; n++) {
		if (ts[n].tv_nsec == T_OMIT)
			continue;
		which |= bit[n];
		*to[n] = ts[n].tv_nsec == T_NOW ? now : (struct timespec64){ ts[n].tv_sec, (uint32_t)ts[n].tv_nsec };
	}
	err = i->ops->setattr(t, i, &a, which);
	if (!err)
		fsnotify_dentry(p->dentry, IN_ATTRIB);
	return err;
}

/* path null: the descriptor itself. */
static int64_t
do_utimes(struct task *t, int32_t dirfd, gaddr_t path, const struct abi_timespec ts[2], uint32_t flags)
{
	struct path p;
	int err;

	if (flags & ~(uint32_t)(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH))
		return -EINVAL;
	if (gaddr_is_null(path) && dirfd != AT_FDCWD) {
		AUTO_PUT(file) f = NULL;

		if (flags)
			return -EINVAL;
		err = fd_get(t, dirfd, &f);
		return err ? err : set_times(t, &f->path, ts);
	}
	err = walk_at(t, dirfd, path, flags, &p);
	if (err)
		return err;
	err = set_times(t, &p, ts);
	path_put(&p);
	return err;
}

static const struct abi_timespec times_now[2] = { { 0, T_NOW }, { 0, T_NOW } };

int64_t
sys_utimensat(struct task *t, int32_t dirfd, gaddr_t path, gaddr_t times, int32_t flags)
{
	struct abi_timespec ts[2] = { times_now[0], times_now[1] };
	int err;

	if (!gaddr_is_null(times)) {
		err = copy_in(t, ts, times, sizeof ts);
		if (err)
			return err;
		if (ts[0].tv_nsec == T_OMIT && ts[1].tv_nsec == T_OMIT)
			return 0;
	}
	return do_utimes(t, dirfd, path, ts, (uint32_t)flags);
}

int64_t
sys_futimesat(struct task *t, int32_t dirfd, gaddr_t path, gaddr_t times)
{
	struct abi_timespec ts[2] = { times_now[0], times_now[1] };
	struct abi_timeval tv[2];
	int err;

	if (!gaddr_is_null(times)) {
		err = copy_in(t, tv, times, sizeof tv);
		if (err)
			return err;
		for (int n = 0; n < 2; n++) {
			if (tv[n].tv_usec < 0 || tv[n].tv_usec > 999999)
				return -EINVAL;
			ts[n] = (struct abi_timespec){ tv[n].tv_sec, tv[n].tv_usec * 1000 };
		}
	}
	return do_utimes(t, dirfd, path, ts, 0);
}

int64_t
sys_utimes(struct task *t, gaddr_t path, gaddr_t times)
{
	return sys_futimesat(t, AT_FDCWD, path, times);
}

int64_t
sys_utime(struct task *t, gaddr_t path, gaddr_t times)
{
	struct abi_timespec ts[2] = { times_now[0], times_now[1] };
	struct abi_utimbuf ut;
	int err;

	if (!gaddr_is_null(times)) {
		err = copy_in(t, &ut, times, sizeof ut);
		if (err)
			return err;
		ts[0] = (struct abi_timespec){ ut.actime, 0 };
		ts[1] = (struct abi_timespec){ ut.modtime, 0 };
	}
	return do_utimes(t, AT_FDCWD, path, ts, 0);
}

/* ---- extended attributes --------------------------------------------------- */

#define XATTR_NAME_LIMIT	255
#define XATTR_SIZE_LIMIT	65536

/* Where a call finds its node: by path, by link, or by descriptor. */
struct xtarget {
	struct path	 p;		/* counted when by path */
	struct file	*f;		/* counted when by descriptor */
	struct dentry	*d;		/* borrowed from either */
	struct inode	*i;
	const struct mount *m;
};

static int
xtarget_path(struct task *t, gaddr_t path, uint32_t walk, struct xtarget *x)
{
	int err;

	*x = (struct xtarget){ .f = NULL };
	err = path_walk_user(t, AT_FDCWD, path, walk, &x->p);
	if (err)
		return err;
	x->d = x->p.dentry;
	x->i = x->d->inode;
	x->m = x->p.mnt;
	return 0;
}

static int
xtarget_fd(struct task *t, int32_t fd, struct xtarget *x)
{
	int err;

	*x = (struct xtarget){ .f = NULL };
	err = fd_get(t, fd, &x->f);
	if (err)
		return err;
	x->d = x->f->path.dentry;
	x->i = x->d->inode;
	x->m = x->f->path.mnt;
	return 0;
}

static void
xtarget_put(struct xtarget *x)
{
	file_put(x->f);
	path_put(&x->p);
}

static int
copy_in_xname(struct task *t, gaddr_t at, char name[XATTR_NAME_LIMIT + 1])
{
	int64_t n = copy_in_str(t, name, at, XATTR_NAME_LIMIT + 1);

	if (n == -ENAMETOOLONG || n == 0)
		return -ERANGE;
	return n < 0 ? (int)n : 0;
}

/* Who may use which namespace. */
static int
xattr_permission(struct task *t, struct inode *i, const char *name, bool write)
{
	uint32_t mode;
	const char *dot = strchr(name, '.');

	if (dot && dot[1] == '\0')
		return -EINVAL;
	if (strncmp(name, "security.", 9) == 0)
		return write && !task_capable(t, CAP_SYS_ADMIN) ? -EPERM : 0;
	if (strncmp(name, "system.", 7) == 0)
		return 0;
	if (strncmp(name, "trusted.", 8) == 0) {
		if (task_capable(t, CAP_SYS_ADMIN))
			return 0;
		return write ? -EPERM : -ENODATA;
	}
	if (strncmp(name, "user.", 5) == 0) {
		mutex_lock(&i->mu);
		mode = i->attr.mode;
		mutex_unlock(&i->mu);
		if (!S_ISREG(mode) && !S_ISDIR(mode))
			return write ? -EPERM : -ENODATA;
		if (S_ISDIR(mode) && (mode & S_ISVTX) && write && !inode_owner_or_capable(t, i))
			return -EPERM;
	}
	return inode_permission(t, i, write ? MAY_WRITE : MAY_READ);
}

static int64_t
do_getxattr(struct task *t, struct xtarget *x, gaddr_t name_at, gaddr_t value, uint64_t size)
{
	char name[XATTR_NAME_LIMIT + 1];
	AUTO_FREE char *buf = NULL;
	int64_t n;
	int err = copy_in_xname(t, name_at, name);

	if (!err)
		err = xattr_permission(t, x->i, name, false);
	if (err)
		return err;
	size = min(size, (uint64_t)XATTR_SIZE_LIMIT);
	if (size) {
		buf = mem_alloc(size);
		if (buf == NULL)
			return -ENOMEM;
	}
	n = x->i->ops->getxattr(t, x->i, name, buf, size);
	if (n > 0 && size) {
		err = copy_out(t, value, buf, (size_t)n);
		if (err)
			return err;
	}
	return n;
}

static int64_t
do_setxattr(struct task *t, struct xtarget *x, gaddr_t name_at, gaddr_t value, uint64_t size, uint32_t flags)
{
	char name[XATTR_NAME_LIMIT + 1];
	AUTO_FREE char *buf = NULL;
	int err;

	if (flags & ~3U)		/* XATTR_CREATE, XATTR_REPLACE */
		return -EINVAL;
	err = copy_in_xname(t, name_at, name);
	if (err)
		return err;
	if (size > XATTR_SIZE_LIMIT)
		return -E2BIG;
	buf = mem_alloc(size ? size : 1);
	if (buf == NULL)
		return -ENOMEM;
	err = copy_in(t, buf, value, size);
	if (!err)
		err = mnt_want_write(x->m);
	if (!err)
		err = xattr_permission(t, x->i, name, true);
	if (!err)
		err = x->i->ops->setxattr(t, x->i, name, buf, size, flags);
	if (!err)
		fsnotify_dentry(x->d, IN_ATTRIB);
	return err;
}

static int64_t
do_removexattr(struct task *t, struct xtarget *x, gaddr_t name_at)
{
	char name[XATTR_NAME_LIMIT + 1];
	int err = copy_in_xname(t, name_at, name);

	if (!err)
		err = mnt_want_write(x->m);
	if (!err)
		err = xattr_permission(t, x->i, name, true);
	if (!err)
		err = x->i->ops->setxattr(t, x->i, name, NULL, 0, 0);
	if (!err)
		fsnotify_dentry(x->d, IN_ATTRIB);
	return err;
}

static int64_t
do_listxattr(struct task *t, struct xtarget *x, gaddr_t list, uint64_t size)
{
	AUTO_FREE char *buf = NULL;
	int64_t n;
	int err;

	size = min(size, (uint64_t)XATTR_SIZE_LIMIT);
	if (size) {
		buf = mem_alloc(size);
		if (buf == NULL)
			return -ENOMEM;
	}
	n = x->i->ops->listxattr(t, x->i, buf, size);
	if (n > 0 && size) {
		err = copy_out(t, list, buf, (size_t)n);
		if (err)
			return err;
	}
	return n;
}

/* find, then work on x, then put. */
#define WITH_XTARGET(find, work) do {					\
	struct xtarget x;						\
	int64_t ret = (find);						\
	if (ret == 0) {							\
		ret = (work);						\
		xtarget_put(&x);					\
	}								\
	return ret;							\
} while (0)

int64_t
sys_getxattr(struct task *t, gaddr_t path, gaddr_t name, gaddr_t value, uint64_t size)
{
	WITH_XTARGET(xtarget_path(t, path, WALK_FOLLOW, &x), do_getxattr(t, &x, name, value, size));
}

int64_t
sys_lgetxattr(struct task *t, gaddr_t path, gaddr_t name, gaddr_t value, uint64_t size)
{
	WITH_XTARGET(xtarget_path(t, path, 0, &x), do_getxattr(t, &x, name, value, size));
}

int64_t
sys_fgetxattr(struct task *t, int32_t fd, gaddr_t name, gaddr_t value, uint64_t size)
{
	WITH_XTARGET(xtarget_fd(t, fd, &x), do_getxattr(t, &x, name, value, size));
}

int64_t
sys_setxattr(struct task *t, gaddr_t path, gaddr_t name, gaddr_t value, uint64_t size, uint32_t flags)
{
	WITH_XTARGET(xtarget_path(t, path, WALK_FOLLOW, &x), do_setxattr(t, &x, name, value, size, flags));
}

int64_t
sys_lsetxattr(struct task *t, gaddr_t path, gaddr_t name, gaddr_t value, uint64_t size, uint32_t flags)
{
	WITH_XTARGET(xtarget_path(t, path, 0, &x), do_setxattr(t, &x, name, value, size, flags));
}

int64_t
sys_fsetxattr(struct task *t, int32_t fd, gaddr_t name, gaddr_t value, uint64_t size, uint32_t flags)
{
	WITH_XTARGET(xtarget_fd(t, fd, &x), do_setxattr(t, &x, name, value, size, flags));
}

int64_t
sys_listxattr(struct task *t, gaddr_t path, gaddr_t list, uint64_t size)
{
	WITH_XTARGET(xtarget_path(t, path, WALK_FOLLOW, &x), do_listxattr(t, &x, list, size));
}

int64_t
sys_llistxattr(struct task *t, gaddr_t path, gaddr_t list, uint64_t size)
{
	WITH_XTARGET(xtarget_path(t, path, 0, &x), do_listxattr(t, &x, list, size));
}

int64_t
sys_flistxattr(struct task *t, int32_t fd, gaddr_t list, uint64_t size)
{
	WITH_XTARGET(xtarget_fd(t, fd, &x), do_listxattr(t, &x, list, size));
}

int64_t
sys_removexattr(struct task *t, gaddr_t path, gaddr_t name)
{
	WITH_XTARGET(xtarget_path(t, path, WALK_FOLLOW, &x), do_removexattr(t, &x, name));
}

int64_t
sys_lremovexattr(struct task *t, gaddr_t path, gaddr_t name)
{
	WITH_XTARGET(xtarget_path(t, path, 0, &x), do_removexattr(t, &x, name));
}

int64_t
sys_fremovexattr(struct task *t, int32_t fd, gaddr_t name)
{
	WITH_XTARGET(xtarget_fd(t, fd, &x), do_removexattr(t, &x, name));
}
