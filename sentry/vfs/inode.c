/*
 * inode: the defaults of inode_ops, permission, attributes.
 *
 * What a filesystem does not support it leaves to a named default here, so that callers
 * never test a slot for null.
 */
#include "sentry/vfs/inode.h"

#include <fcntl.h>
#include <linux/capability.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "abi/stat.h"
#include "base/hostcall.h"
#include "base/kmem.h"
#include "sentry/kernel/task.h"
#include "sentry/mm/mm.h"
#include "sentry/vfs/dentry.h"
#include "sentry/vfs/file.h"
#include "sentry/vfs/flock.h"
#include "sentry/vfs/super.h"

void
inode_init(struct inode *i, const struct inode_ops *ops, struct super *s, uint32_t mode, enum lockrank rank)
{
	struct timespec64 now = inode_now();

	ref_init(&i->ref, OBJ_inode);
	i->ops = ops;
	i->super = s;
	mutex_init(&i->mu, rank);
	i->attr_mu = &i->mu;
	i->type = mode & S_IFMT;
	i->attr.mode = mode;
	i->attr.nlink = 1;
	i->attr.blksize = PAGE_SIZE;
	i->attr.atime = i->attr.mtime = i->attr.ctime = i->attr.btime = now;
	i->mobj = NULL;
	i->endpoint = NULL;
	atomic_init(&i->flocks, NULL);
	atomic_init(&i->watches, NULL);
	atomic_init(&i->writers, 0);
}

void
inode_fini(struct inode *i)
{
	if (atomic_load(&i->watches))
		watches_free(i);
	if (atomic_load(&i->flocks))
		flocks_free(i);
	mobj_put(i->mobj);
	i->mobj = NULL;
	mutex_fini(&i->mu);
}

void
inode_release(struct inode *i)
{
	i->ops->free(i);
}

struct timespec64
inode_now(void)
{
	uint64_t ns = host_clock_ns(CLOCK_REALTIME_COARSE);

	return (struct timespec64){ (int64_t)(ns / NSEC_PER_SEC), (uint32_t)(ns % NSEC_PER_SEC) };
}

/* ---- permission ------------------------------------------------------------ */

/* The three bits that the mode gives the caller; acl and capabilities apart. */
static int
mode_check(const struct cred *c, uint32_t mode, uint32_t uid, uint32_t gid, uint32_t may)
{
	if (c->fsuid == uid)
		mode >>= 6;
	else if (((mode >> 3 ^ mode) & may) && cred_in_group(c, gid))
		mode >>= 3;
	return (may & ~mode & 7) ? -EACCES : 0;
}

int
inode_permission_cred(struct task *t, const struct cred *c, struct inode *i, uint32_t may)
{
	uint32_t mode, uid, gid;
	int err = 0;

	mutex_lock(&i->mu);
	mode = i->attr.mode;
	uid = i->attr.uid;
	gid = i->attr.gid;
	mutex_unlock(&i->mu);
	may &= MAY_READ | MAY_WRITE | MAY_EXEC;
	if (mode_check(c, mode, uid, gid, may) != 0) {
		bool allowed;

		if (S_ISDIR(mode)) {
			allowed = (!(may & MAY_WRITE) && cred_has_cap(c, CAP_DAC_READ_SEARCH)) ||
			    cred_has_cap(c, CAP_DAC_OVERRIDE);
		} else {
			allowed = (may == MAY_READ && cred_has_cap(c, CAP_DAC_READ_SEARCH)) ||
			    ((!(may & MAY_EXEC) || (mode & 0111)) && cred_has_cap(c, CAP_DAC_OVERRIDE));
		}
		if (!allowed)
			err = -EACCES;
	}
	return i->ops->permission(t, i, may, err);
}

int
inode_permission(struct task *t, struct inode *i, uint32_t may)
{
	return inode_permission_cred(t, task_cred(t), i, may);
}

bool
inode_owner_or_capable(struct task *t, struct inode *i)
{
	uint32_t uid;

	mutex_lock(&i->mu);
	uid = i->attr.uid;
	mutex_unlock(&i->mu);
	return task_cred(t)->fsuid == uid || task_capable(t, CAP_FOWNER);
}

/* ---- times ----------------------------------------------------------------- */

static bool
ts_before(const struct timespec64 *a, const struct timespec64 *b)
{
	return a->sec != b->sec ? a->sec < b->sec : a->nsec < b->nsec;
}

void
inode_accessed(struct inode *i)
{
	struct timespec64 now = inode_now();
	struct iattr *a = &i->attr;

	/* relatime: once after each change, and once a day. */
	mutex_lock(i->attr_mu);
	if (!ts_before(&a->mtime, &a->atime) || !ts_before(&a->ctime, &a->atime) ||
	    now.sec - a->atime.sec >= 24 * 3600)
		a->atime = now;
	mutex_unlock(i->attr_mu);
}

int
inode_kill_privs(struct task *t, struct inode *i)
{
	struct iattr attr;
	uint32_t mode;

	mutex_lock(&i->mu);
	mode = i->attr.mode;
	mutex_unlock(&i->mu);
	if (!S_ISREG(mode) || !(mode & (S_ISUID | S_ISGID)) || task_capable(t, CAP_FSETID))
		return 0;
	attr = (struct iattr){ .mode = mode & ~(uint32_t)S_ISUID };
	/* Without group execute the bit means mandatory locking, and stays. */
	if (mode & S_IXGRP)
		attr.mode &= ~(uint32_t)S_ISGID;
	if (attr.mode == mode)
		return 0;
	attr.ctime = inode_now();
	return i->ops->setattr(t, i, &attr, ATTR_MODE | ATTR_CTIME);
}

/* ---- what a guest sees ----------------------------------------------------- */

void
abi_stat_fill(const struct inode *i, const struct iattr *a, struct abi_stat *st)
{
	*st = (struct abi_stat){
		.st_dev = i->super->dev, .st_ino = a->ino, .st_nlink = a->nlink,
		.st_mode = a->mode, .st_uid = a->uid, .st_gid = a->gid, .st_rdev = a->rdev,
		.st_size = (int64_t)a->size, .st_blksize = a->blksize, .st_blocks = (int64_t)a->blocks,
		.st_atime_sec = (uint64_t)a->atime.sec, .st_atime_nsec = a->atime.nsec,
		.st_mtime_sec = (uint64_t)a->mtime.sec, .st_mtime_nsec = a->mtime.nsec,
		.st_ctime_sec = (uint64_t)a->ctime.sec, .st_ctime_nsec = a->ctime.nsec,
	};
}

static struct abi_statx_timestamp
statx_time(struct timespec64 ts)
{
	return (struct abi_statx_timestamp){ .tv_sec = ts.sec, .tv_nsec = ts.nsec };
}

void
abi_statx_fill(const struct inode *i, const struct iattr *a, int32_t mnt_id, bool is_mount_root, struct abi_statx *sx)
{
	*sx = (struct abi_statx){
		.stx_mask = 0x7ff | 0x800,	/* STATX_BASIC_STATS, STATX_BTIME */
		.stx_blksize = a->blksize, .stx_nlink = a->nlink,
		.stx_uid = a->uid, .stx_gid = a->gid, .stx_mode = (uint16_t)a->mode,
		.stx_ino = a->ino, .stx_size = a->size, .stx_blocks = a->blocks,
		.stx_attributes = is_mount_root ? 0x2000 : 0, .stx_attributes_mask = 0x2000,
		.stx_atime = statx_time(a->atime), .stx_btime = statx_time(a->btime),
		.stx_ctime = statx_time(a->ctime), .stx_mtime = statx_time(a->mtime),
		.stx_rdev_major = abi_dev_major(a->rdev), .stx_rdev_minor = abi_dev_minor(a->rdev),
		.stx_dev_major = abi_dev_major(i->super->dev), .stx_dev_minor = abi_dev_minor(i->super->dev),
		.stx_mnt_id = (uint64_t)mnt_id,
	};
	if (a->btime.sec == 0 && a->btime.nsec == 0)
		sx->stx_mask &= ~0x800U;
	if (mnt_id)
		sx->stx_mask |= 0x1000;		/* STATX_MNT_ID */
}

/* ---- defaults -------------------------------------------------------------- */

int
inode_no_lookup(struct task *t, struct inode *dir, const char *name, struct inode **out)
{
	(void)t, (void)dir, (void)name, (void)out;
	return -ENOTDIR;
}

int
inode_no_create(struct task *t, struct inode *dir, const char *name, uint32_t mode, uint64_t rdev,
    const char *target, struct inode **out)
{
	(void)t, (void)dir, (void)name, (void)mode, (void)rdev, (void)target, (void)out;
	return -EPERM;
}

int
inode_no_link(struct task *t, struct inode *dir, const char *name, struct inode *node)
{
	(void)t, (void)dir, (void)name, (void)node;
	return -EPERM;
}

int
inode_no_unlink(struct task *t, struct inode *dir, const char *name, struct inode *node)
{
	(void)t, (void)dir, (void)name, (void)node;
	return -EPERM;
}

int
inode_no_rename(struct task *t, struct inode *olddir, const char *oldname, struct inode *node,
    struct inode *newdir, const char *newname, struct inode *target, uint32_t flags)
{
	(void)t, (void)olddir, (void)oldname, (void)node, (void)newdir, (void)newname, (void)target;
	(void)flags;
	return -EPERM;
}

int
inode_no_tmpfile(struct task *t, struct inode *dir, uint32_t mode, struct inode **out)
{
	(void)t, (void)dir, (void)mode, (void)out;
	return -EOPNOTSUPP;
}

int
inode_no_open(struct task *t, struct inode *i, uint32_t flags, struct file **out)
{
	(void)t, (void)i, (void)flags, (void)out;
	return -ENXIO;
}

int
inode_no_readlink(struct task *t, struct inode *i, char *buf, size_t size)
{
	(void)t, (void)i, (void)buf, (void)size;
	return -EINVAL;
}

int
inode_no_followlink(struct task *t, struct inode *i, struct path *out)
{
	(void)t, (void)i, (void)out;
	return -EINVAL;
}

int
inode_plain_getattr(struct task *t, struct inode *i, struct iattr *out)
{
	(void)t;
	mutex_lock(&i->mu);
	*out = i->attr;
	mutex_unlock(&i->mu);
	return 0;
}

int
inode_plain_setattr(struct task *t, struct inode *i, const struct iattr *attr, uint32_t which)
{
	(void)t;
	if (which & ATTR_SIZE)
		return -EINVAL;
	mutex_lock(&i->mu);
	inode_setattr_locked(i, attr, which);
	mutex_unlock(&i->mu);
	return 0;
}

void
inode_setattr_locked(struct inode *i, const struct iattr *attr, uint32_t which)
{
	mutex_assert_held(&i->mu);
	if (which & ATTR_MODE)
		i->attr.mode = (i->attr.mode & S_IFMT) | (attr->mode & 07777);
	if (which & ATTR_UID)
		i->attr.uid = attr->uid;
	if (which & ATTR_GID)
		i->attr.gid = attr->gid;
	if (which & ATTR_ATIME)
		i->attr.atime = attr->atime;
	if (which & ATTR_MTIME)
		i->attr.mtime = attr->mtime;
	if (which & ATTR_CTIME)
		i->attr.ctime = attr->ctime;
}

int
inode_no_setattr(struct task *t, struct inode *i, const struct iattr *attr, uint32_t which)
{
	(void)t, (void)i, (void)attr, (void)which;
	return -EPERM;
}

int
inode_any_permission(struct task *t, struct inode *i, uint32_t may, int err)
{
	(void)t, (void)i, (void)may;
	return err;
}

int
inode_no_getxattr(struct task *t, struct inode *i, const char *name, void *buf, size_t size)
{
	(void)t, (void)i, (void)name, (void)buf, (void)size;
	return -EOPNOTSUPP;
}

int
inode_no_setxattr(struct task *t, struct inode *i, const char *name, const void *val, size_t size, uint32_t flags)
{
	(void)t, (void)i, (void)name, (void)val, (void)size, (void)flags;
	return -EOPNOTSUPP;
}

int64_t
inode_no_listxattr(struct task *t, struct inode *i, char *buf, size_t size)
{
	(void)t, (void)i, (void)buf, (void)size;
	return 0;
}

int
inode_always_valid(struct task *t, struct inode *dir, const char *name, struct inode *node)
{
	(void)t, (void)dir, (void)name, (void)node;
	return 1;
}
