/*
 * Calls about mounts: mount, umount2, pivot_root, statfs.
 *
 * A guest with CAP_SYS_ADMIN may rearrange its own tree; nothing of it reaches the host.
 */
#include "sentry/syscall/syscall.h"

#include <fcntl.h>
#include <linux/capability.h>
#include <linux/mount.h>
#include <sys/stat.h>

#include "abi/fs.h"
#include "abi/stat.h"
#include "base/kmem.h"
#include "sentry/kernel/task.h"
#include "sentry/mm/usercopy.h"
#include "sentry/vfs/dentry.h"
#include "sentry/vfs/fdtable.h"
#include "sentry/vfs/file.h"
#include "sentry/vfs/inode.h"
#include "sentry/vfs/mount.h"

#define PROPAGATION	(MS_SHARED | MS_PRIVATE | MS_SLAVE | MS_UNBINDABLE)

static int
copy_in_opt(struct task *t, gaddr_t at, char **out)
{
	return gaddr_is_null(at) ? 0 : copy_in_path(t, at, out);
}

static int
mount_new_fs(struct task *t, const struct path *at, const char *type, const char *source, const char *data, uint64_t flags)
{
	AUTO_PUT(super) s = NULL;
	AUTO_PUT(dentry) root = NULL;
	const struct fstype *fs;
	int err;

	if (type == NULL)
		return -EINVAL;
	fs = fstype_find(type);
	if (fs == NULL || !fs->user_mountable) {
		report_missing(t, "mount of type %s", type);
		return fs ? -EPERM : -ENODEV;
	}
	err = fs->mount(t, source, data, flags, &s);
	if (err)
		return err;
	root = dentry_new_root(s, s->root);
	if (root == NULL)
		return -ENOMEM;
	return mount_at(t->mntns, at, s, root, flags, source ? source : type);
}

static int
mount_from(struct task *t, const struct path *at, const char *source, uint64_t flags)
{
	struct path from;
	int err;

	if (source == NULL || source[0] == '\0')
		return -EINVAL;
	err = path_walk(t, AT_FDCWD, source, WALK_FOLLOW, &from);
	if (err)
		return err;
	if (flags & MS_BIND)
		err = mount_bind(t->mntns, &from, at, (flags & MS_REC) != 0);
	else
		err = mount_move(t->mntns, &from, at);
	path_put(&from);
	return err;
}

int64_t
sys_mount(struct task *t, gaddr_t source, gaddr_t target, gaddr_t fstype, uint64_t flags, gaddr_t data)
{
	AUTO_FREE char *type = NULL, *from = NULL, *options = NULL;
	struct path at;
	int err = copy_in_opt(t, fstype, &type);

	if (!err)
		err = copy_in_opt(t, source, &from);
	if (!err)
		err = copy_in_opt(t, data, &options);
	if (!err)
		err = path_walk_user(t, AT_FDCWD, target, WALK_FOLLOW, &at);
	if (err)
		return err;
	if ((flags & 0xffff0000) == 0xc0ed0000)		/* MS_MGC_VAL of old programs */
		flags &= 0xffff;
	if (!task_capable(t, CAP_SYS_ADMIN))
		err = -EPERM;
	else if (flags & MS_REMOUNT)
		err = mount_remount(&at, flags);
	else if (flags & (MS_BIND | MS_MOVE))
		err = mount_from(t, &at, from, flags);
	else if (flags & PROPAGATION)
		/* One namespace has no peers: every kind of propagation is the same. */
		err = at.dentry == at.mnt->root ? 0 : -EINVAL;
	else
		err = mount_new_fs(t, &at, type, from, options, flags);
	path_put(&at);
	return err;
}

int64_t
sys_umount2(struct task *t, gaddr_t target, uint32_t flags)
{
	struct path p;
	int err;

	if (flags & ~(uint32_t)(ABI_MNT_FORCE | ABI_MNT_DETACH | ABI_MNT_EXPIRE | ABI_UMOUNT_NOFOLLOW))
		return -EINVAL;
	err = path_walk_user(t, AT_FDCWD, target, flags & ABI_UMOUNT_NOFOLLOW ? 0 : WALK_FOLLOW, &p);
	if (err)
		return err;
	if (p.mnt == NULL || p.dentry != p.mnt->root)
		err = -EINVAL;
	else if (!task_capable(t, CAP_SYS_ADMIN))
		err = -EPERM;
	else if (flags & ABI_MNT_EXPIRE)
		err = -EINVAL;
	else
		err = mount_umount(t->mntns, &p, (flags & ABI_MNT_DETACH) != 0);
	path_put(&p);
	return err;
}

int64_t
sys_pivot_root(struct task *t, gaddr_t new_root, gaddr_t put_old)
{
	struct path new, old;
	int err;

	if (!task_capable(t, CAP_SYS_ADMIN))
		return -EPERM;
	err = path_walk_user(t, AT_FDCWD, new_root, WALK_FOLLOW | WALK_DIRECTORY, &new);
	if (err)
		return err;
	err = path_walk_user(t, AT_FDCWD, put_old, WALK_FOLLOW | WALK_DIRECTORY, &old);
	if (!err) {
		err = mount_pivot(t, &new, &old);
		path_put(&old);
	}
	path_put(&new);
	return err;
}

/* ---- statfs ---------------------------------------------------------------- */

static int64_t
put_statfs(struct task *t, struct super *s, const struct mount *m, gaddr_t buf)
{
	/* statvfs(3) has the same numbers for the first few. */
	static const struct { uint32_t ms; int64_t st; } map[] = {
		{ MS_RDONLY, 1 }, { MS_NOSUID, 2 }, { MS_NODEV, 4 }, { MS_NOEXEC, 8 }, { MS_NOATIME, 1024 },
		{ MS_NODIRATIME, 2048 }, { MS_RELATIME, 4096 },
	};
	struct fs_statfs fs = { .type = s->magic };
	struct abi_statfs out;
	int err = s->ops->statfs(s, &fs);

	if (err)
		return err;
	out = (struct abi_statfs){
		.f_type = (int64_t)fs.type, .f_bsize = (int64_t)fs.bsize, .f_blocks = fs.blocks,
		.f_bfree = fs.bfree, .f_bavail = fs.bavail, .f_files = fs.files, .f_ffree = fs.ffree,
		.f_fsid = { (int32_t)s->dev, 0 }, .f_namelen = (int64_t)fs.namelen,
		.f_frsize = (int64_t)(fs.frsize ? fs.frsize : fs.bsize), .f_flags = 0x20,
	};
	for (size_t i = 0; m && i < ARRAY_LEN(map); i++) {
		if (((struct mount *)(uintptr_t)m)->flags & map[i].ms)
			out.f_flags |= map[i].st;
	}
	if (m && !(out.f_flags & 1024))
		out.f_flags |= 4096;
	if (s->flags & SUPER_RDONLY)
		out.f_flags |= 1;
	return copy_out(t, buf, &out, sizeof out);
}

int64_t
sys_statfs(struct task *t, gaddr_t path, gaddr_t buf)
{
	struct path p;
	int64_t ret;
	int err = path_walk_user(t, AT_FDCWD, path, WALK_FOLLOW, &p);

	if (err)
		return err;
	ret = put_statfs(t, p.dentry->inode->super, p.mnt, buf);
	path_put(&p);
	return ret;
}

int64_t
sys_fstatfs(struct task *t, int32_t fd, gaddr_t buf)
{
	AUTO_PUT(file) f = NULL;
	int err = fd_get_path(t, fd, &f);

	return err ? err : put_statfs(t, f->inode->super, f->path.mnt, buf);
}
