/*
 * overlay_copyup: from the lower's data and xattrs to our own, and files that follow the change.
 *
 * A file opened for reading before the copy reads the copy afterwards; a mapping made before keeps the
 * lower's pages, which nobody can change.
 */
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "base/kmem.h"
#include "fs/fs.h"
#include "fs/overlay.h"

#define XATTR_LIST_ROOM	65536

struct overlay_file {
	struct file	file;		/* first */
	struct file	*lower;		/* [I] counted */
};
KMEM_CACHE(overlay_file);

/* ---- data ---------------------------------------------------------------------------------- */

static int
copy_data(struct task *t, struct inode *i, uint64_t size, struct tmpfs_data **out)
{
	struct inode *lower = overlay_of(i)->lower;
	struct tmpfs_data *d;
	AUTO_PUT(file) from = NULL;
	int err = tmpfs_data_new(tmpfs_super_of(i)->acct, &d);

	if (err)
		return err;
	if (size != 0)
		err = lower->ops->open(t, lower, O_RDONLY, &from);
	if (!err && size != 0)
		err = tmpfs_data_load(d, t, from, size);
	if (err) {
		mobj_put(&d->mobj);
		return err;
	}
	*out = d;
	return 0;
}

int
overlay_copy_up(struct task *t, struct inode *i, uint64_t keep)
{
	struct overlay_node *o = overlay_of(i);
	struct tmpfs_data *d = NULL;
	int err = 0;

	if (!atomic_load(&o->lower_data))
		return 0;
	/* mu keeps a second writer waiting for the same copy. */
	mutex_lock(&i->mu);
	if (atomic_load(&o->lower_data)) {
		err = copy_data(t, i, min(keep, i->attr.size), &d);
		if (!err) {
			o->node.data = d;
			i->mobj = &d->mobj;
			atomic_store(&o->lower_data, false);
		}
	}
	mutex_unlock(&i->mu);
	if (!err)
		overlay_pin(i);
	return err;
}

/* ---- xattrs ----------------------------------------------------------------------------------- */

static int
import_one(struct task *t, struct inode *i, struct inode *lower, const char *name, char *val, size_t room)
{
	int n = lower->ops->getxattr(t, lower, name, val, room), err;

	if (n < 0)
		return n == -ENODATA ? 0 : n;
	err = tmpfs_setxattr(t, i, name, val, (size_t)n, 0);
	/* Kinds that are not kept in memory (ACLs) stay behind, as on a copy to tmpfs. */
	return err == -EOPNOTSUPP || err == -EPERM ? 0 : err;
}

int
overlay_import_xattrs(struct task *t, struct inode *i)
{
	struct overlay_node *o = overlay_of(i);
	struct timespec64 ctime;
	AUTO_FREE char *names = NULL, *val = NULL;
	int64_t n;
	int err = 0;

	if (!atomic_load(&o->lower_xattrs) || o->lower == NULL)
		return 0;
	n = o->lower->ops->listxattr(t, o->lower, NULL, 0);
	if (n > 0) {
		names = mem_alloc((size_t)n + 1);
		val = mem_alloc(XATTR_LIST_ROOM);
		if (names == NULL || val == NULL)
			return -ENOMEM;
		n = o->lower->ops->listxattr(t, o->lower, names, (size_t)n);
	}
	if (n < 0 && n != -EOPNOTSUPP)
		return (int)n;
	mutex_lock(&i->mu);
	ctime = i->attr.ctime;
	if (atomic_load(&o->lower_xattrs)) {
		for (int64_t at = 0; at < n && !err; at += (int64_t)strlen(names + at) + 1)
			err = import_one(t, i, o->lower, names + at, val, XATTR_LIST_ROOM);
		if (n > 0) {
			mutex_lock(&o->node.amu);
			i->attr.ctime = ctime;
			mutex_unlock(&o->node.amu);
		}
		if (!err)
			atomic_store(&o->lower_xattrs, false);
	}
	mutex_unlock(&i->mu);
	return err;
}

/* ---- files opened while the data was the lower's ------------------------------------------------- */

static bool
is_lower(struct file *f)
{
	return atomic_load(&overlay_of(f->inode)->lower_data);
}

static int64_t
overlay_pread(struct file *f, struct task *t, struct iobuf *dst, int64_t off)
{
	struct file *lower = container_of(f, struct overlay_file, file)->lower;

	return is_lower(f) ? lower->ops->pread(lower, t, dst, off) : tmpfs_pread(f, t, dst, off);
}

static int64_t
overlay_seek(struct file *f, struct task *t, int64_t off, int whence)
{
	return is_lower(f) ? file_seek_size(f, t, off, whence) : tmpfs_seek(f, t, off, whence);
}

static int
overlay_mmap(struct file *f, struct task *t, struct mmap_args *a)
{
	struct file *lower = container_of(f, struct overlay_file, file)->lower;

	return is_lower(f) ? lower->ops->mmap(lower, t, a) : tmpfs_mmap(f, t, a);
}

/* Opened for reading: the VFS refuses before it comes here; it only has to count as positional. */
static int64_t
overlay_no_pwrite(struct file *f, struct task *t, struct iobuf *src, int64_t off)
{
	(void)f, (void)t, (void)src, (void)off;
	return -EBADF;
}

static void
overlay_file_free(struct file *f)
{
	struct overlay_file *of = container_of(f, struct overlay_file, file);

	file_put(of->lower);
	file_fini(f);
	obj_free(overlay_file, of);
}

static const struct file_ops overlay_file_ops = {
	.kind = "overlay file",
	.read = file_read_pos,
	.write = file_no_write,
	.pread = overlay_pread,
	.pwrite = overlay_no_pwrite,
	.seek = overlay_seek,
	.readdir = file_no_readdir,
	.ready = file_always_ready,
	.ioctl = file_no_ioctl,
	.mmap = overlay_mmap,
	.fsync = file_sync_ok,
	.truncate = file_truncate_inode,
	.fallocate = file_no_fallocate,
	.setflags = file_any_flags,
	.flush = file_no_flush,
	.free = overlay_file_free,
};

int
overlay_file_open(struct task *t, struct inode *i, uint32_t flags, struct file **out)
{
	struct overlay_node *o = overlay_of(i);
	struct overlay_file *of;
	struct file *lower;
	int err;

	if (!S_ISREG(i->type))
		return -ENXIO;
	if ((flags & O_ACCMODE) != O_RDONLY) {
		err = overlay_copy_up(t, i, UINT64_MAX);
		if (err)
			return err;
	}
	/* Never becomes true again. */
	if (!atomic_load(&o->lower_data))
		return tmpfs_file_open(t, i, flags, out);
	err = o->lower->ops->open(t, o->lower, O_RDONLY, &lower);
	if (err)
		return err;
	of = obj_new(overlay_file);
	if (of == NULL) {
		file_put(lower);
		return -ENOMEM;
	}
	file_init(&of->file, &overlay_file_ops, i, flags);
	of->lower = lower;
	*out = &of->file;
	return 0;
}
