/*
 * open: from a place or a name to an open file.  open(2).
 *
 * vfs_open judges a place that exists; vfs_open_name adds O_CREAT.  A filesystem opens its own
 * regular files and directories; devices and FIFOs go to whoever serves them.
 */
#include <fcntl.h>
#include <linux/magic.h>
#include <linux/mount.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>

#include "abi/fs.h"
#include "abi/stat.h"
#include "base/kmem.h"
#include "sentry/kernel/task.h"
#include "sentry/syscall/syscall.h"
#include "sentry/vfs/dentry.h"
#include "sentry/vfs/file.h"
#include "sentry/vfs/inode.h"
#include "sentry/vfs/mount.h"
#include "sentry/vfs/name.h"
#include "sentry/vfs/super.h"

#define OPEN_LINKS	40

/* ---- O_PATH ---------------------------------------------------------------- */

KMEM_CACHE(file);

static void
path_file_free(struct file *f)
{
	file_fini(f);
	obj_free(file, f);
}

/* Never called: fd_get does not hand such a file out. */
static const struct file_ops path_file_ops = {
	.kind = "path",
	.read = file_no_read,
	.write = file_no_write,
	.pread = file_no_pread,
	.pwrite = file_no_pwrite,
	.seek = file_no_seek,
	.readdir = file_no_readdir,
	.ready = file_always_ready,
	.ioctl = file_no_ioctl,
	.mmap = file_no_mmap,
	.fsync = file_no_fsync,
	.truncate = file_no_truncate,
	.fallocate = file_no_fallocate,
	.setflags = file_any_flags,
	.flush = file_no_flush,
	.free = path_file_free,
};

static int
open_path_file(const struct path *p, uint32_t flags, struct file **out)
{
	struct file *f = obj_new(file);

	if (f == NULL)
		return -ENOMEM;
	file_init(f, &path_file_ops, p->dentry->inode, flags & (O_PATH | O_DIRECTORY | O_NOFOLLOW));
	f->path = *p;
	path_get(&f->path);
	*out = f;
	return 0;
}

/* ---- existing places ------------------------------------------------------- */

static uint32_t
may_of_flags(uint32_t flags)
{
	uint32_t may;

	switch (flags & O_ACCMODE) {
	case O_RDONLY:
		may = MAY_READ;
		break;
	case O_WRONLY:
		may = MAY_WRITE;
		break;
	default:
		may = MAY_READ | MAY_WRITE;
		break;
	}
	return flags & O_TRUNC ? may | MAY_WRITE : may;
}

static bool
is_plain(uint32_t mode)
{
	return S_ISREG(mode) || S_ISDIR(mode) || S_ISLNK(mode);
}

/* Everything open(2) may refuse for before anything happens. */
static int
may_open(struct task *t, const struct path *p, uint32_t flags)
{
	struct inode *i = p->dentry->inode;
	uint32_t mode = i->type, may = may_of_flags(flags);
	int err;

	if ((flags & O_DIRECTORY) && !S_ISDIR(mode))
		return -ENOTDIR;
	if (S_ISLNK(mode))
		return -ELOOP;
	if (S_ISDIR(mode) && ((may & MAY_WRITE) || (flags & O_CREAT)))
		return -EISDIR;
	if ((S_ISCHR(mode) || S_ISBLK(mode)) && p->mnt && (p->mnt->flags & MS_NODEV))
		return -EACCES;
	if ((may & MAY_WRITE) && is_plain(mode) && (i->super->flags & SUPER_RDONLY))
		return -EROFS;
	err = inode_permission(t, i, may);
	if (err)
		return err;
	if ((flags & O_NOATIME) && !inode_owner_or_capable(t, i))
		return -EPERM;
	return (may & MAY_WRITE) && is_plain(mode) ? mnt_want_write(p->mnt) : 0;
}

/* Counts a writer, unless the file is being executed. */
static int
writers_get(struct inode *i)
{
	int32_t n = atomic_load(&i->writers);

	do {
		if (n < 0)
			return -ETXTBSY;
	} while (!atomic_compare_exchange_weak(&i->writers, &n, n + 1));
	return 0;
}

static int
truncate_on_open(struct task *t, struct inode *i, struct dentry *d)
{
	struct timespec64 now = inode_now();
	struct iattr a = { .size = 0, .mtime = now, .ctime = now };
	int err = inode_kill_privs(t, i);

	if (!err)
		err = i->ops->setattr(t, i, &a, ATTR_SIZE | ATTR_MTIME | ATTR_CTIME);
	if (!err)
		fsnotify_dentry(d, IN_MODIFY);
	return err;
}

/* By kind of node. */
static int
dispatch(struct task *t, struct inode *i, uint32_t flags, struct file **out)
{
	switch (i->type) {
	case S_IFCHR:
		/* Terminals are opened by their names in a devpts; anywhere else their numbers lead nowhere. */
		if (i->super->magic == DEVPTS_SUPER_MAGIC)
			return i->ops->open(t, i, flags, out);
		return dev_open(t, i, flags, out);
	case S_IFBLK:
	case S_IFSOCK:
		return -ENXIO;
	case S_IFIFO:
		/* A stream of the host looks like a pipe, and opens itself. */
		if (i->super == &anon_super && i->ops->open != inode_no_open)
			return i->ops->open(t, i, flags, out);
		return fifo_open(t, i, flags, out);
	default:
		return i->ops->open(t, i, flags, out);
	}
}

/* Permission has been given; counts, truncates, opens. */
static int
open_checked(struct task *t, const struct path *p, uint32_t flags, struct file **out)
{
	struct inode *i = p->dentry->inode;
	bool counted = S_ISREG(i->type) && (may_of_flags(flags) & MAY_WRITE);
	struct file *f = NULL;
	int err = 0;

	if (counted)
		err = writers_get(i);
	if (err)
		return err;
	if ((flags & O_TRUNC) && S_ISREG(i->type))
		err = truncate_on_open(t, i, p->dentry);
	if (!err)
		err = dispatch(t, i, flags & ~(uint32_t)(O_CREAT | O_EXCL | O_TRUNC | O_CLOEXEC), &f);
	if (err) {
		if (counted)
			atomic_fetch_sub(&i->writers, 1);
		return err;
	}
	if (f->path.dentry == NULL) {
		f->path = *p;
		path_get(&f->path);
	}
	if (f->inode == NULL)
		f->inode = inode_get(i);
	f->flags &= ~(uint32_t)(O_CREAT | O_EXCL | O_NOCTTY | O_TRUNC | O_CLOEXEC);
	/* The count is undone on f->inode, so it must be the one that was counted. */
	if (counted && f->inode == i)
		f->mode |= FMODE_WROTE_COUNT;
	else if (counted)
		atomic_fetch_sub(&i->writers, 1);
	fsnotify_parent(f, IN_OPEN);
	*out = f;
	return 0;
}

int
vfs_open(struct task *t, const struct path *p, uint32_t flags, struct file **out)
{
	int err;

	if (flags & O_PATH) {
		if ((flags & O_DIRECTORY) && !S_ISDIR(p->dentry->inode->type))
			return -ENOTDIR;
		return open_path_file(p, flags, out);
	}
	err = may_open(t, p, flags);
	return err ? err : open_checked(t, p, flags, out);
}

/* ---- by name --------------------------------------------------------------- */

static int
open_tmpfile(struct task *t, const struct path *dir, uint32_t flags, uint32_t mode, struct file **out)
{
	AUTO_PUT(inode) node = NULL;
	struct inode *d = dir->dentry->inode;
	struct path p = { dir->mnt, NULL };
	char name[32];
	struct strbuf sb = STRBUF(name, sizeof name);
	int err;

	if (!S_ISDIR(d->type))
		return -ENOTDIR;
	err = mnt_want_write(dir->mnt);
	if (!err)
		err = inode_permission(t, d, MAY_WRITE | MAY_EXEC);
	if (!err)
		err = d->ops->tmpfile(t, d, S_IFREG | (mode & 07777 & ~t->fs->umask), &node);
	if (err)
		return err;
	/* A name for /proc only: a child that cannot be found. */
	sb_printf(&sb, "#%llu", (unsigned long long)node->attr.ino);
	err = dentry_new_unhashed(dir->dentry, name, node, &p.dentry);
	if (err)
		return err;
	p.dentry->linkable = !(flags & O_EXCL);
	err = open_checked(t, &p, flags & ~(uint32_t)O_TMPFILE, out);
	dentry_put(p.dentry);
	return err;
}

/* The directory and last component of a name that may have to be made. */
struct creation {
	struct path	 dir;
	char		 last[NAME_LIMIT + 1];
	enum last_kind	 kind;
	bool		 slash;
};

/* Replaces c by where the dangling or live symlink `link` in it points. */
static int
follow_last(struct task *t, struct creation *c, struct inode *link, uint32_t walk)
{
	AUTO_FREE char *target = NULL;
	struct path dir;
	int err, n;

	if (walk & WALK_NO_SYMLINKS)
		return -ELOOP;
	target = mem_alloc(PATH_LIMIT);
	if (target == NULL)
		return -ENOMEM;
	n = link->ops->readlink(t, link, target, PATH_LIMIT - 1);
	if (n <= 0)
		return n < 0 ? n : -ENOENT;
	target[n] = '\0';
	err = path_walk_parent_from(t, &c->dir, target, walk | WALK_FOLLOW, &dir, c->last, &c->kind, &c->slash);
	if (err)
		return err;
	path_put(&c->dir);
	c->dir = dir;
	return 0;
}

/* Opens c's last component, making it if need be. -EAGAIN: it was a link, c has been moved on. */
static int
open_last(struct task *t, struct creation *c, uint32_t flags, uint32_t mode, uint32_t walk, struct file **out)
{
	struct path p = { NULL, NULL };
	int err;

	if (c->kind != LAST_NORMAL || c->slash)
		return -EISDIR;
	err = dentry_lookup(t, c->dir.dentry, c->last, strlen(c->last), &p.dentry);
	if (err == -ENOENT) {
		err = mnt_want_write(c->dir.mnt);
		if (!err)
			err = name_create_in(t, &c->dir, c->last, S_IFREG | (mode & 07777 & ~t->fs->umask), 0,
			    NULL, &p.dentry);
		if (err)
			return err == -EEXIST && !(flags & O_EXCL) ? -EAGAIN : err;
		p.mnt = mount_get(c->dir.mnt);
		err = open_checked(t, &p, flags & ~(uint32_t)O_TRUNC, out);
		path_put(&p);
		return err;
	}
	if (err)
		return err;
	p.mnt = mount_get(c->dir.mnt);
	if (flags & O_EXCL) {
		err = -EEXIST;
	} else if (S_ISLNK(p.dentry->inode->type) && !(flags & O_NOFOLLOW)) {
		struct path to;

		/* A magic link is the thing itself. */
		err = p.dentry->inode->ops->followlink(t, p.dentry->inode, &to);
		if (err == 0) {
			err = walk & (WALK_NO_SYMLINKS | WALK_NO_MAGICLINKS) ? -ELOOP : vfs_open(t, &to, flags, out);
			path_put(&to);
		} else if (err == -EINVAL) {
			err = follow_last(t, c, p.dentry->inode, walk);
			if (!err)
				err = -EAGAIN;
		}
	} else {
		if (mount_cross_down(&p) && (walk & WALK_NO_XDEV))
			err = -EXDEV;
		if (!err)
			err = vfs_open(t, &p, flags, out);
	}
	path_put(&p);
	return err;
}

static int
open_create(struct task *t, int32_t dirfd, const char *name, uint32_t flags, uint32_t mode, uint32_t walk, struct file **out)
{
	struct creation c;
	int err = path_walk_parent(t, dirfd, name, walk | WALK_FOLLOW, &c.dir, c.last, &c.kind, &c.slash);

	if (err)
		return err;
	err = -EAGAIN;
	for (int links = 0; err == -EAGAIN && links <= OPEN_LINKS; links++)
		err = open_last(t, &c, flags, mode, walk, out);
	path_put(&c.dir);
	return err == -EAGAIN ? -ELOOP : err;
}

int
vfs_open_name(struct task *t, int32_t dirfd, const char *name, uint32_t flags, uint32_t mode, uint32_t walk, struct file **out)
{
	struct path p;
	int err;

	if (flags & O_PATH)
		flags &= O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
	if ((flags & ABI_O_TMPFILE_BIT) &&
	    ((flags & O_TMPFILE) != O_TMPFILE || (flags & O_CREAT) || !(flags & O_ACCMODE)))
		return -EINVAL;
	if ((flags & (O_CREAT | O_DIRECTORY)) == (O_CREAT | O_DIRECTORY))
		return -EINVAL;
	if (flags & O_CREAT)
		return open_create(t, dirfd, name, flags, mode, walk, out);
	if (!(flags & O_NOFOLLOW))
		walk |= WALK_FOLLOW;
	if (flags & O_DIRECTORY)
		walk |= WALK_DIRECTORY;
	err = path_walk(t, dirfd, name, walk, &p);
	if (err)
		return err;
	if (flags & ABI_O_TMPFILE_BIT)
		err = open_tmpfile(t, &p, flags, mode, out);
	else
		err = vfs_open(t, &p, flags, out);
	path_put(&p);
	return err;
}

/* ---- exec ------------------------------------------------------------------ */

int
vfs_open_exec(struct task *t, int32_t dirfd, const char *name, uint32_t walk, struct file **out)
{
	struct path p;
	struct inode *i;
	int32_t n;
	int err = path_walk(t, dirfd, name, walk, &p);

	if (err)
		return err;
	i = p.dentry->inode;
	if (S_ISLNK(i->type))
		err = -ELOOP;
	else if (!S_ISREG(i->type) || (p.mnt && (p.mnt->flags & MS_NOEXEC)))
		err = -EACCES;
	else
		err = inode_permission(t, i, MAY_EXEC);
	if (err)
		goto out;
	n = atomic_load(&i->writers);
	do {
		if (n > 0) {
			err = -ETXTBSY;
			goto out;
		}
	} while (!atomic_compare_exchange_weak(&i->writers, &n, n - 1));
	err = i->ops->open(t, i, O_RDONLY, out);
	if (err) {
		atomic_fetch_add(&i->writers, 1);
		goto out;
	}
	(*out)->mode |= FMODE_EXEC;
	if ((*out)->path.dentry == NULL) {
		(*out)->path = p;
		path_get(&(*out)->path);
	}
	fsnotify_parent(*out, IN_OPEN);
out:
	path_put(&p);
	return err;
}

void
vfs_exec_done(struct file *f)
{
	if (!(f->mode & FMODE_EXEC))
		return;
	f->mode &= ~(uint32_t)FMODE_EXEC;
	/* The place's inode was counted, which a layered filesystem's file need not share. */
	atomic_fetch_add(&f->path.dentry->inode->writers, 1);
}
