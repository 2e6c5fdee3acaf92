/*
 * name: making, removing and moving names.
 *
 * The order of checks is Linux's (fs/namei.c), since programs and tests see which error
 * comes first.  Permission is judged before a directory's mu is taken; what the names say is looked
 * up again with it held, and that answer counts.
 */
#include "sentry/vfs/name.h"

#include <fcntl.h>
#include <linux/capability.h>
#include <linux/fs.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>

#include "sentry/kernel/task.h"
#include "sentry/vfs/dentry.h"
#include "sentry/vfs/file.h"
#include "sentry/vfs/inode.h"
#include "sentry/vfs/mount.h"

static _Atomic uint32_t next_cookie = 1;

static bool
is_dir(const struct inode *i)
{
	return S_ISDIR(i->type);
}

static int
may_create(struct task *t, const struct dentry *dir)
{
	if (atomic_load(&((struct dentry *)(uintptr_t)dir)->dead))
		return -ENOENT;
	return inode_permission(t, dir->inode, MAY_WRITE | MAY_EXEC);
}

/* The sticky bit: only the owner of the file or of the directory may. */
static bool
is_sticky_refused(struct task *t, struct inode *dir, struct inode *node)
{
	uint32_t mode, dir_uid, uid;

	mutex_lock(&dir->mu);
	mode = dir->attr.mode;
	dir_uid = dir->attr.uid;
	mutex_unlock(&dir->mu);
	if (!(mode & S_ISVTX))
		return false;
	mutex_lock(&node->mu);
	uid = node->attr.uid;
	mutex_unlock(&node->mu);
	return task_cred(t)->fsuid != uid && task_cred(t)->fsuid != dir_uid && !task_capable(t, CAP_FOWNER);
}

static int
may_delete(struct task *t, const struct dentry *dir, const struct dentry *victim, bool want_dir)
{
	int err = inode_permission(t, dir->inode, MAY_WRITE | MAY_EXEC);

	if (err)
		return err;
	if (is_sticky_refused(t, dir->inode, victim->inode))
		return -EPERM;
	if (want_dir && !is_dir(victim->inode))
		return -ENOTDIR;
	if (!want_dir && is_dir(victim->inode))
		return -EISDIR;
	if (atomic_load(&((struct dentry *)(uintptr_t)dir)->dead))
		return -ENOENT;
	return 0;
}

int
name_create_in(struct task *t, const struct path *dir, const char *last, uint32_t mode, uint64_t rdev,
    const char *target, struct dentry **out)
{
	struct inode *d = dir->dentry->inode, *node = NULL;
	struct dentry *found;
	int err = may_create(t, dir->dentry);

	if (err)
		return err;
	mutex_lock(&d->mu);
	/* A setgid directory hands its group on; a stranger to the group may not add the bit to a program. */
	if ((d->attr.mode & S_ISGID) && !S_ISDIR(mode) && (mode & (S_ISGID | S_IXGRP)) == (S_ISGID | S_IXGRP) &&
	    !cred_in_group(task_cred(t), d->attr.gid) && !task_capable(t, CAP_FSETID))
		mode &= ~(uint32_t)S_ISGID;
	err = dentry_lookup_locked(t, dir->dentry, last, strlen(last), &found);
	if (!err) {
		mutex_unlock(&d->mu);
		dentry_put(found);
		return -EEXIST;
	}
	if (err == -ENOENT)
		err = atomic_load(&dir->dentry->dead) ? -ENOENT :
		    d->ops->create(t, d, last, mode, rdev, target, &node);
	if (!err)
		err = dentry_add(dir->dentry, last, node, out);
	mutex_unlock(&d->mu);
	if (node)
		fsnotify(d, IN_CREATE | (S_ISDIR(mode) ? IN_ISDIR : 0), last, 0);
	inode_put(node);
	return err;
}

int
name_create(struct task *t, int32_t dirfd, const char *name, uint32_t mode, uint64_t rdev, const char *target)
{
	char last[NAME_LIMIT + 1];
	enum last_kind kind;
	struct dentry *found;
	struct path dir;
	bool slash;
	int err = path_walk_parent(t, dirfd, name, WALK_FOLLOW, &dir, last, &kind, &slash);

	if (err)
		return err;
	if (kind != LAST_NORMAL) {
		err = -EEXIST;
		goto out;
	}
	err = dentry_lookup(t, dir.dentry, last, strlen(last), &found);
	if (!err) {
		dentry_put(found);
		err = -EEXIST;
		goto out;
	}
	if (err != -ENOENT || (slash && !S_ISDIR(mode)))
		goto out;
	err = mnt_want_write(dir.mnt);
	if (!err)
		err = name_create_in(t, &dir, last, mode, rdev, target, NULL);
out:
	path_put(&dir);
	return err;
}

/* Performs the removal once everything but the state of the names has been checked. */
static int
remove_locked(struct task *t, const struct path *dir, struct dentry *victim, const char *last, bool want_dir)
{
	struct inode *d = dir->dentry->inode;
	int err;

	mutex_lock(&d->mu);
	if (!dentry_is_child(victim, dir->dentry))
		err = -ENOENT;		/* lost a race */
	else if (atomic_load(&victim->mounted))
		err = -EBUSY;
	else if (want_dir)
		err = d->ops->rmdir(t, d, last, victim->inode);
	else
		err = d->ops->unlink(t, d, last, victim->inode);
	if (!err) {
		if (want_dir)
			atomic_store(&victim->dead, true);
		dentry_unhash(victim);
	}
	mutex_unlock(&d->mu);
	return err;
}

static void
notify_removed(struct inode *dir, struct inode *node, const char *name)
{
	uint32_t nlink;

	mutex_lock(node->attr_mu);
	nlink = node->attr.nlink;
	mutex_unlock(node->attr_mu);
	if (!is_dir(node))
		fsnotify(node, IN_ATTRIB, NULL, 0);
	if (nlink == 0 || is_dir(node))
		fsnotify(node, IN_DELETE_SELF, NULL, 0);
	fsnotify(dir, IN_DELETE | (is_dir(node) ? IN_ISDIR : 0), name, 0);
}

int
name_remove(struct task *t, int32_t dirfd, const char *name, bool want_dir)
{
	AUTO_PUT(dentry) victim = NULL;
	char last[NAME_LIMIT + 1];
	enum last_kind kind;
	struct path dir;
	bool slash;
	int err = path_walk_parent(t, dirfd, name, WALK_FOLLOW, &dir, last, &kind, &slash);

	if (err)
		return err;
	if (kind != LAST_NORMAL) {
		err = !want_dir ? -EISDIR : kind == LAST_DOT ? -EINVAL : kind == LAST_DOTDOT ? -ENOTEMPTY : -EBUSY;
		goto out;
	}
	err = mnt_want_write(dir.mnt);
	if (err)
		goto out;
	err = dentry_lookup(t, dir.dentry, last, strlen(last), &victim);
	if (err)
		goto out;
	if (slash && !want_dir) {
		err = is_dir(victim->inode) ? -EISDIR : -ENOTDIR;
		goto out;
	}
	err = may_delete(t, dir.dentry, victim, want_dir);
	if (!err)
		err = remove_locked(t, &dir, victim, last, want_dir);
	if (!err)
		notify_removed(dir.dentry->inode, victim->inode, last);
out:
	/* The victim before the mount that keeps its super. */
	dentry_put(steal(&victim));
	path_put(&dir);
	return err;
}

int
name_link(struct task *t, const struct path *from, int32_t dirfd, const char *name)
{
	char last[NAME_LIMIT + 1];
	enum last_kind kind;
	struct dentry *found;
	struct inode *d, *node = from->dentry->inode;
	struct path dir;
	bool slash;
	int err = path_walk_parent(t, dirfd, name, WALK_FOLLOW, &dir, last, &kind, &slash);

	if (err)
		return err;
	d = dir.dentry->inode;
	err = -EEXIST;
	if (kind != LAST_NORMAL)
		goto out;
	err = dentry_lookup(t, dir.dentry, last, strlen(last), &found);
	if (!err) {
		dentry_put(found);
		err = -EEXIST;
		goto out;
	}
	if (err != -ENOENT || slash)
		goto out;
	err = mnt_want_write(dir.mnt);
	if (!err && from->mnt != dir.mnt)
		err = -EXDEV;
	if (!err)
		err = may_create(t, dir.dentry);
	if (!err && is_dir(node))
		err = -EPERM;
	if (!err && !from->dentry->linkable) {
		struct iattr a;

		/* What has lost its last name stays nameless. */
		err = node->ops->getattr(t, node, &a);
		if (!err && a.nlink == 0)
			err = -ENOENT;
	}
	if (err)
		goto out;
	mutex_lock(&d->mu);
	err = dentry_lookup_locked(t, dir.dentry, last, strlen(last), &found);
	if (!err) {
		dentry_put(found);
		err = -EEXIST;
	} else if (err == -ENOENT) {
		err = d->ops->link(t, d, last, node);
		if (!err)
			err = dentry_add(dir.dentry, last, node, NULL);
	}
	mutex_unlock(&d->mu);
	if (!err) {
		fsnotify(node, IN_ATTRIB, NULL, 0);
		fsnotify(d, IN_CREATE, last, 0);
	}
out:
	path_put(&dir);
	return err;
}

/* ---- rename ---------------------------------------------------------------- */

struct renaming {
	struct path	 olddir, newdir;
	char		 oldname[NAME_LIMIT + 1], newname[NAME_LIMIT + 1];
	struct dentry	*node, *target;	/* counted; target NULL when there is none */
	uint32_t	 flags;
	bool		 oldslash, newslash;
};

/* Permissions of both ends, as vfs_rename. */
static int
rename_may(struct task *t, struct renaming *r)
{
	bool dir = is_dir(r->node->inode), exchange = r->flags & RENAME_EXCHANGE;
	int err = may_delete(t, r->olddir.dentry, r->node, dir);

	if (err)
		return err;
	if (r->target == NULL)
		err = may_create(t, r->newdir.dentry);
	else
		err = may_delete(t, r->newdir.dentry, r->target, exchange ? is_dir(r->target->inode) : dir);
	/* Moving a directory rewrites its "..". */
	if (!err && r->olddir.dentry != r->newdir.dentry) {
		if (dir)
			err = inode_permission(t, r->node->inode, MAY_WRITE);
		if (!err && exchange && is_dir(r->target->inode))
			err = inode_permission(t, r->target->inode, MAY_WRITE);
	}
	return err;
}

/* Both directories' mu held. */
static int
rename_locked(struct task *t, struct renaming *r)
{
	struct inode *od = r->olddir.dentry->inode, *nd = r->newdir.dentry->inode;
	struct dentry *now = NULL;
	int err;

	if (!dentry_is_child(r->node, r->olddir.dentry))
		return -ENOENT;
	err = dentry_lookup_locked(t, r->newdir.dentry, r->newname, strlen(r->newname), &now);
	if (err && err != -ENOENT)
		return err;
	dentry_put(now);	/* not the last: r->target or the cache has it */
	if (now != r->target)
		return -EAGAIN;
	if (atomic_load(&r->newdir.dentry->dead))
		return -ENOENT;
	if (atomic_load(&r->node->mounted) || (r->target && atomic_load(&r->target->mounted)))
		return -EBUSY;
	err = od->ops->rename(t, od, r->oldname, r->node->inode, nd, r->newname,
	    r->target ? r->target->inode : NULL, r->flags);
	if (err)
		return err;
	if (r->flags & RENAME_EXCHANGE) {
		dentry_exchange(r->node, r->target);
		return 0;
	}
	if (r->target && is_dir(r->target->inode))
		atomic_store(&r->target->dead, true);
	err = dentry_move(r->node, r->newdir.dentry, r->newname);
	if (err) {
		/* Out of memory for the name: the cache forgets both and asks again. */
		dentry_unhash(r->node);
		dentry_forget(r->newdir.dentry, r->newname);
	}
	if (r->flags & RENAME_WHITEOUT)
		dentry_forget(r->olddir.dentry, r->oldname);
	return 0;
}

static int
rename_check(struct renaming *r)
{
	bool exchange = r->flags & RENAME_EXCHANGE;

	if (r->target && (r->flags & RENAME_NOREPLACE))
		return -EEXIST;
	if (exchange) {
		if (r->target == NULL)
			return -ENOENT;
		if (!is_dir(r->target->inode) && r->newslash)
			return -ENOTDIR;
	}
	if (!is_dir(r->node->inode)) {
		if (r->oldslash || (!exchange && r->newslash))
			return -ENOTDIR;
	}
	if (dentry_is_ancestor(r->node, r->newdir.dentry))
		return -EINVAL;
	if (r->target && dentry_is_ancestor(r->target, r->olddir.dentry))
		return exchange ? -EINVAL : -ENOTEMPTY;
	return 0;
}

static void
notify_renamed(struct renaming *r)
{
	uint32_t cookie = atomic_fetch_add(&next_cookie, 1);
	struct inode *node = r->node->inode;
	uint32_t dir = is_dir(node) ? IN_ISDIR : 0;

	fsnotify(r->olddir.dentry->inode, IN_MOVED_FROM | dir, r->oldname, cookie);
	fsnotify(r->newdir.dentry->inode, IN_MOVED_TO | dir, r->newname, cookie);
	fsnotify(node, IN_MOVE_SELF, NULL, 0);
	if (r->target && !(r->flags & RENAME_EXCHANGE))
		fsnotify(r->target->inode, IN_DELETE_SELF, NULL, 0);
}

static int
rename_once(struct task *t, struct renaming *r)
{
	struct super *s = r->olddir.mnt->super;
	struct inode *od = r->olddir.dentry->inode, *nd = r->newdir.dentry->inode;
	bool cross = od != nd;
	int err;

	r->node = r->target = NULL;
	if (cross)
		mutex_lock(&s->rename_mu);
	err = dentry_lookup(t, r->olddir.dentry, r->oldname, strlen(r->oldname), &r->node);
	if (!err) {
		err = dentry_lookup(t, r->newdir.dentry, r->newname, strlen(r->newname), &r->target);
		if (err == -ENOENT)
			err = 0;
	}
	if (!err)
		err = rename_check(r);
	if (!err && r->target && r->target->inode == r->node->inode)
		goto done;		/* two names of one file: nothing happens */
	if (!err)
		err = rename_may(t, r);
	if (!err) {
		mutex_lock_pair(&od->mu, &nd->mu);
		err = rename_locked(t, r);
		mutex_unlock_pair(&od->mu, &nd->mu);
	}
done:
	if (cross)
		mutex_unlock(&s->rename_mu);
	if (!err && !(r->target && r->target->inode == r->node->inode))
		notify_renamed(r);
	dentry_put(r->node);
	dentry_put(r->target);
	return err;
}

static int
rename_flags(uint32_t flags)
{
	if (flags & ~(uint32_t)(RENAME_NOREPLACE | RENAME_EXCHANGE | RENAME_WHITEOUT))
		return -EINVAL;
	return (flags & RENAME_EXCHANGE) && (flags & (RENAME_NOREPLACE | RENAME_WHITEOUT)) ? -EINVAL : 0;
}

int
name_rename_first(struct task *t, int32_t olddirfd, const char *old, uint32_t flags)
{
	struct renaming r;
	enum last_kind kind;
	int err = rename_flags(flags);

	if (err || old == NULL)
		return err;
	err = path_walk_parent(t, olddirfd, old, WALK_FOLLOW, &r.olddir, r.oldname, &kind, &r.oldslash);
	if (!err)
		path_put(&r.olddir);
	return err;
}

int
name_rename(struct task *t, int32_t olddirfd, const char *old, int32_t newdirfd, const char *new, uint32_t flags)
{
	struct renaming r = { .flags = flags };
	enum last_kind oldkind, newkind;
	int err = rename_flags(flags);

	if (err)
		return err;
	err = path_walk_parent(t, olddirfd, old, WALK_FOLLOW, &r.olddir, r.oldname, &oldkind, &r.oldslash);
	if (err)
		return err;
	err = path_walk_parent(t, newdirfd, new, WALK_FOLLOW, &r.newdir, r.newname, &newkind, &r.newslash);
	if (err) {
		path_put(&r.olddir);
		return err;
	}
	if (r.olddir.mnt != r.newdir.mnt)
		err = -EXDEV;
	else if (oldkind != LAST_NORMAL)
		err = -EBUSY;
	else if (newkind != LAST_NORMAL)
		err = flags & RENAME_NOREPLACE ? -EEXIST : -EBUSY;
	else
		err = mnt_want_write(r.olddir.mnt);
	if (!err) {
		/* Another thread may change the target between the look and the lock. */
		for (int tries = 0; tries < 100; tries++) {
			err = rename_once(t, &r);
			if (err != -EAGAIN)
				break;
		}
	}
	path_put(&r.olddir);
	path_put(&r.newdir);
	return err;
}
