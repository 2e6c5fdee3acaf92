/*
 * Calls that open, make, remove and move names, and those about directories and roots.
 * Attributes are in sys_stat.c, mounts in sys_mount.c.
 */
#include "sentry/syscall/syscall.h"

#include <fcntl.h>
#include <linux/capability.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/stat.h>

#include "abi/fs.h"
#include "base/kmem.h"
#include "sentry/kernel/task.h"
#include "sentry/mm/usercopy.h"
#include "sentry/vfs/dentry.h"
#include "sentry/vfs/fdtable.h"
#include "sentry/vfs/file.h"
#include "sentry/vfs/inode.h"
#include "sentry/vfs/mount.h"
#include "sentry/vfs/name.h"

/* ---- open ------------------------------------------------------------------ */

#define OPEN_FLAGS	((uint32_t)(O_ACCMODE | O_CREAT | O_EXCL | O_NOCTTY | O_TRUNC | O_APPEND | O_NONBLOCK | \
	O_SYNC | O_DSYNC | O_ASYNC | O_DIRECT | ABI_O_LARGEFILE | O_DIRECTORY | O_NOFOLLOW | O_NOATIME | \
	O_CLOEXEC | O_PATH | O_TMPFILE))

static int64_t
do_open(struct task *t, int32_t dirfd, gaddr_t path, uint32_t flags, uint32_t mode, uint32_t walk)
{
	AUTO_FREE char *name = NULL;
	AUTO_PUT(file) f = NULL;
	int err = copy_in_path(t, path, &name), fd;

	if (err)
		return err;
	if (!(flags & O_PATH))
		flags |= ABI_O_LARGEFILE;
	/* The descriptor first: without one, nothing may be made or truncated. */
	fd = fd_reserve(t, flags & O_CLOEXEC ? FD_CLOEXEC : 0);
	if (fd < 0)
		return fd;
	err = vfs_open_name(t, dirfd, name, flags, mode, walk, &f);
	if (err) {
		fd_unreserve(t, fd);
		return err;
	}
	fd_fill(t, fd, f);
	return fd;
}

int64_t
sys_open(struct task *t, gaddr_t path, int32_t flags, uint32_t mode)
{
	return do_open(t, AT_FDCWD, path, (uint32_t)flags & OPEN_FLAGS, mode, 0);
}

int64_t
sys_openat(struct task *t, int32_t dirfd, gaddr_t path, int32_t flags, uint32_t mode)
{
	return do_open(t, dirfd, path, (uint32_t)flags & OPEN_FLAGS, mode, 0);
}

int64_t
sys_creat(struct task *t, gaddr_t path, uint32_t mode)
{
	return do_open(t, AT_FDCWD, path, O_CREAT | O_WRONLY | O_TRUNC, mode, 0);
}

/* A struct of the caller's size: what we do not know must be zero. */
static int
copy_in_how(struct task *t, gaddr_t how, uint64_t size, struct abi_open_how *out)
{
	char rest[256];
	int err;

	if (size < sizeof *out)
		return -EINVAL;
	if (size > PAGE_SIZE)
		return -E2BIG;
	err = copy_in(t, out, how, sizeof *out);
	for (uint64_t at = sizeof *out; !err && at < size; ) {
		uint64_t n = min(size - at, (uint64_t)sizeof rest);

		err = copy_in(t, rest, gaddr_add(how, at), n);
		for (uint64_t i = 0; !err && i < n; i++) {
			if (rest[i])
				err = -E2BIG;
		}
		at += n;
	}
	return err;
}

static int
how_check(const struct abi_open_how *how)
{
	uint64_t flags = how->flags;

	if (flags & ~(uint64_t)OPEN_FLAGS)
		return -EINVAL;
	if (how->resolve & ~(uint64_t)(RESOLVE_NO_XDEV | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_SYMLINKS |
	    RESOLVE_BENEATH | RESOLVE_IN_ROOT | 0x20))
		return -EINVAL;
	if ((how->resolve & RESOLVE_BENEATH) && (how->resolve & RESOLVE_IN_ROOT))
		return -EINVAL;
	if (!(flags & O_CREAT) && !(flags & ABI_O_TMPFILE_BIT) && how->mode != 0)
		return -EINVAL;
	if (how->mode & ~(uint64_t)07777)
		return -EINVAL;
	if ((flags & O_PATH) && (flags & ~(uint64_t)(O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)))
		return -EINVAL;
	/* RESOLVE_CACHED may always say that it would have to wait. */
	if (how->resolve & 0x20)
		return -EAGAIN;
	return 0;
}

int64_t
sys_openat2(struct task *t, int32_t dirfd, gaddr_t path, gaddr_t how_at, uint64_t size)
{
	static const struct { uint64_t resolve; uint32_t walk; } map[] = {
		{ RESOLVE_NO_XDEV, WALK_NO_XDEV }, { RESOLVE_NO_MAGICLINKS, WALK_NO_MAGICLINKS },
		{ RESOLVE_NO_SYMLINKS, WALK_NO_SYMLINKS | WALK_NO_MAGICLINKS },
		{ RESOLVE_BENEATH, WALK_BENEATH }, { RESOLVE_IN_ROOT, WALK_IN_ROOT },
	};
	struct abi_open_how how;
	uint32_t walk = 0;
	int err = copy_in_how(t, how_at, size, &how);

	if (!err)
		err = how_check(&how);
	if (err)
		return err;
	for (size_t i = 0; i < ARRAY_LEN(map); i++) {
		if (how.resolve & map[i].resolve)
			walk |= map[i].walk;
	}
	return do_open(t, dirfd, path, (uint32_t)how.flags, (uint32_t)how.mode, walk);
}

/* ---- names ----------------------------------------------------------------- */

int64_t
sys_mkdirat(struct task *t, int32_t dirfd, gaddr_t path, uint32_t mode)
{
	AUTO_FREE char *name = NULL;
	int err = copy_in_path(t, path, &name);

	return err ? err : name_create(t, dirfd, name, S_IFDIR | (mode & 01777 & ~t->fs->umask), 0, NULL);
}

int64_t
sys_mkdir(struct task *t, gaddr_t path, uint32_t mode)
{
	return sys_mkdirat(t, AT_FDCWD, path, mode);
}

int64_t
sys_mknodat(struct task *t, int32_t dirfd, gaddr_t path, uint32_t mode, uint32_t dev)
{
	AUTO_FREE char *name = NULL;
	uint32_t type = mode & S_IFMT;
	int err;

	switch (type) {
	case 0:
		type = S_IFREG;
		break;
	case S_IFREG:
	case S_IFIFO:
	case S_IFSOCK:
	case S_IFCHR:
	case S_IFBLK:
		break;
	case S_IFDIR:
		return -EPERM;
	default:
		return -EINVAL;
	}
	err = copy_in_path(t, path, &name);
	if (err)
		return err;
	if (type == S_IFBLK || (type == S_IFCHR && !task_capable(t, CAP_MKNOD)))
		return -EPERM;
	return name_create(t, dirfd, name, type | (mode & 07777 & ~t->fs->umask), type == S_IFCHR ? dev : 0, NULL);
}

int64_t
sys_mknod(struct task *t, gaddr_t path, uint32_t mode, uint32_t dev)
{
	return sys_mknodat(t, AT_FDCWD, path, mode, dev);
}

int64_t
sys_symlinkat(struct task *t, gaddr_t target, int32_t newdirfd, gaddr_t linkpath)
{
	AUTO_FREE char *text = NULL, *name = NULL;
	int err = copy_in_path(t, target, &text);

	if (err)
		return err;
	if (text[0] == '\0')
		return -ENOENT;
	err = copy_in_path(t, linkpath, &name);
	return err ? err : name_create(t, newdirfd, name, S_IFLNK | 0777, 0, text);
}

int64_t
sys_symlink(struct task *t, gaddr_t target, gaddr_t linkpath)
{
	return sys_symlinkat(t, target, AT_FDCWD, linkpath);
}

int64_t
sys_unlinkat(struct task *t, int32_t dirfd, gaddr_t path, int32_t flags)
{
	AUTO_FREE char *name = NULL;
	int err;

	if (flags & ~AT_REMOVEDIR)
		return -EINVAL;
	err = copy_in_path(t, path, &name);
	return err ? err : name_remove(t, dirfd, name, flags & AT_REMOVEDIR);
}

int64_t
sys_unlink(struct task *t, gaddr_t path)
{
	return sys_unlinkat(t, AT_FDCWD, path, 0);
}

int64_t
sys_rmdir(struct task *t, gaddr_t path)
{
	return sys_unlinkat(t, AT_FDCWD, path, AT_REMOVEDIR);
}

int64_t
sys_linkat(struct task *t, int32_t olddirfd, gaddr_t oldpath, int32_t newdirfd, gaddr_t newpath, int32_t flags)
{
	AUTO_FREE char *old = NULL, *new = NULL;
	struct path from;
	uint32_t walk = 0;
	int err;

	if (flags & ~(AT_SYMLINK_FOLLOW | AT_EMPTY_PATH))
		return -EINVAL;
	if (flags & AT_SYMLINK_FOLLOW)
		walk |= WALK_FOLLOW;
	if (flags & AT_EMPTY_PATH) {
		if (!task_capable(t, CAP_DAC_READ_SEARCH))
			return -ENOENT;
		walk |= WALK_EMPTY;
	}
	err = copy_in_path(t, oldpath, &old);
	if (!err)
		err = path_walk(t, olddirfd, old, walk, &from);
	if (err)
		return err;
	err = copy_in_path(t, newpath, &new);
	if (!err)
		err = name_link(t, &from, newdirfd, new);
	path_put(&from);
	return err;
}

int64_t
sys_link(struct task *t, gaddr_t oldpath, gaddr_t newpath)
{
	return sys_linkat(t, AT_FDCWD, oldpath, AT_FDCWD, newpath, 0);
}

int64_t
sys_renameat2(struct task *t, int32_t olddirfd, gaddr_t oldpath, int32_t newdirfd, gaddr_t newpath, uint32_t flags)
{
	AUTO_FREE char *old = NULL, *new = NULL;
	int err = copy_in_path(t, oldpath, &old), first;

	if (!err)
		err = copy_in_path(t, newpath, &new);
	if (!err)
		return name_rename(t, olddirfd, old, newdirfd, new, flags);
	/* Linux tells of a name that cannot be read when it needs it. */
	first = name_rename_first(t, olddirfd, old, flags);
	return first ? first : err;
}

int64_t
sys_renameat(struct task *t, int32_t olddirfd, gaddr_t oldpath, int32_t newdirfd, gaddr_t newpath)
{
	return sys_renameat2(t, olddirfd, oldpath, newdirfd, newpath, 0);
}

int64_t
sys_rename(struct task *t, gaddr_t oldpath, gaddr_t newpath)
{
	return sys_renameat2(t, AT_FDCWD, oldpath, AT_FDCWD, newpath, 0);
}

int64_t
sys_readlinkat(struct task *t, int32_t dirfd, gaddr_t path, gaddr_t buf, int32_t size)
{
	AUTO_FREE char *name = NULL, *text = NULL;
	uint64_t names = platform_names();
	struct path p;
	struct inode *i;
	int err, n;

	if (size <= 0)
		return -EINVAL;
	err = copy_in_path(t, path, &name);
	if (err)
		return err;
	text = mem_alloc(PATH_LIMIT);
	if (text == NULL)
		return -ENOMEM;
	err = path_walk(t, dirfd, name, WALK_EMPTY, &p);
	/* "" is for descriptors of links only. */
	if (err == 0 && name[0] == '\0' && dirfd == AT_FDCWD) {
		path_put(&p);
		err = -ENOENT;
	}
	if (err)
		return err;
	i = p.dentry->inode;
	if (!S_ISLNK(i->type)) {
		n = name[0] == '\0' ? -ENOENT : -EINVAL;
		if (name[0] == '/' && t->walk_known)
			answers_no_link(t, names, name);
	} else {
		n = i->ops->readlink(t, i, text, PATH_LIMIT);
	}
	path_put(&p);
	if (n < 0)
		return n;
	n = min(n, size);
	err = copy_out(t, buf, text, (size_t)n);
	return err ? err : n;
}

int64_t
sys_readlink(struct task *t, gaddr_t path, gaddr_t buf, int32_t size)
{
	return sys_readlinkat(t, AT_FDCWD, path, buf, size);
}

/* ---- working directory and root -------------------------------------------- */

/* Puts p (whose references it takes) in a place of t's fsinfo. */
static void
fs_set(struct task *t, struct path *place, struct path *p)
{
	struct path old;

	mutex_lock(&t->fs->mu);
	old = *place;
	*place = *p;
	mutex_unlock(&t->fs->mu);
	path_put(&old);
}

int64_t
sys_chdir(struct task *t, gaddr_t path)
{
	struct path p;
	int err = path_walk_user(t, AT_FDCWD, path, WALK_FOLLOW | WALK_DIRECTORY, &p);

	if (err)
		return err;
	err = inode_permission(t, p.dentry->inode, MAY_EXEC);
	if (err)
		path_put(&p);
	else
		fs_set(t, &t->fs->cwd, &p);
	return err;
}

int64_t
sys_fchdir(struct task *t, int32_t fd)
{
	AUTO_PUT(file) f = NULL;
	struct path p;
	int err = fd_get_path(t, fd, &f);

	if (err)
		return err;
	if (!S_ISDIR(f->inode->type))
		return -ENOTDIR;
	err = inode_permission(t, f->inode, MAY_EXEC);
	if (err)
		return err;
	p = f->path;
	path_get(&p);
	fs_set(t, &t->fs->cwd, &p);
	return 0;
}

int64_t
sys_chroot(struct task *t, gaddr_t path)
{
	struct path p;
	int err = path_walk_user(t, AT_FDCWD, path, WALK_FOLLOW | WALK_DIRECTORY, &p);

	if (err)
		return err;
	err = inode_permission(t, p.dentry->inode, MAY_EXEC);
	if (!err && !task_capable(t, CAP_SYS_CHROOT))
		err = -EPERM;
	if (err)
		path_put(&p);
	else
		fs_set(t, &t->fs->root, &p);
	platform_names_changed();
	return err;
}

int64_t
sys_getcwd(struct task *t, gaddr_t buf, uint64_t size)
{
	AUTO_FREE char *text = mem_alloc(PATH_LIMIT);
	struct path root, cwd;
	size_t len;
	int err;

	if (text == NULL)
		return -ENOMEM;
	mutex_lock(&t->fs->mu);
	root = t->fs->root;
	cwd = t->fs->cwd;
	path_get(&root);
	path_get(&cwd);
	mutex_unlock(&t->fs->mu);
	err = dentry_unlinked(cwd.dentry) ? -ENOENT : path_text(&cwd, &root, false, text, PATH_LIMIT);
	path_put(&root);
	path_put(&cwd);
	if (err)
		return err;
	len = strlen(text) + 1;
	if (size < len)
		return -ERANGE;
	err = copy_out(t, buf, text, len);
	return err ? err : (int64_t)len;
}

int64_t
sys_umask(struct task *t, uint32_t mask)
{
	return atomic_exchange(&t->fs->umask, mask & 0777);
}

/* ---- directory entries ----------------------------------------------------- */

#define DENTS_MAX	32768

struct dents {
	struct dirsink	sink;		/* first */
	char		*buf;
	size_t		len, cap;
	bool		full, old;
};

/* Both layouts begin with inode number, next offset, record length. */
static bool
dents_emit(struct dirsink *s, const char *name, size_t len, uint64_t ino, uint8_t dtype, int64_t next_pos)
{
	struct dents *d = container_of(s, struct dents, sink);
	size_t head = d->old ? ABI_DIRENT_NAME : ABI_DIRENT64_NAME;
	/* The old one keeps its type in the last byte, behind the name's NUL. */
	size_t need = round_up(head + len + 1 + (d->old ? 1 : 0), 8);
	uint16_t reclen = (uint16_t)need;
	char *at = d->buf + d->len;

	if (len > NAME_LIMIT || need > d->cap - d->len) {
		d->full = true;
		return false;
	}
	memset(at, 0, need);
	memcpy(at, &ino, 8);
	memcpy(at + 8, &next_pos, 8);
	memcpy(at + 16, &reclen, 2);
	memcpy(at + head, name, len);
	if (d->old)
		at[need - 1] = (char)dtype;
	else
		at[18] = (char)dtype;
	d->len += need;
	return true;
}

static int64_t
do_getdents(struct task *t, int32_t fd, gaddr_t buf, uint32_t count, bool old)
{
	AUTO_PUT(file) f = NULL;
	AUTO_FREE char *mem = NULL;
	struct dents d = { .sink.emit = dents_emit, .cap = min(count, (uint32_t)DENTS_MAX), .old = old };
	int64_t pos;
	int err = fd_get(t, fd, &f);

	if (err)
		return err;
	if (!(f->mode & FMODE_DIR))
		return -ENOTDIR;
	if (atomic_load(&f->path.dentry->dead))
		return -ENOENT;
	mem = mem_alloc(d.cap ? d.cap : 1);
	if (mem == NULL)
		return -ENOMEM;
	d.buf = mem;
	mutex_lock(&f->pos_mu);
	pos = f->pos;
	err = f->ops->readdir(f, t, &d.sink);
	if (d.len > 0) {
		err = copy_out(t, buf, d.buf, d.len);
		if (err)
			f->pos = pos;
	}
	mutex_unlock(&f->pos_mu);
	if (err)
		return err;
	if (d.len == 0)
		return d.full ? -EINVAL : 0;
	inode_accessed(f->inode);
	return (int64_t)d.len;
}

int64_t
sys_getdents64(struct task *t, int32_t fd, gaddr_t buf, uint32_t count)
{
	return do_getdents(t, fd, buf, count, false);
}

int64_t
sys_getdents(struct task *t, int32_t fd, gaddr_t buf, uint32_t count)
{
	return do_getdents(t, fd, buf, count, true);
}
