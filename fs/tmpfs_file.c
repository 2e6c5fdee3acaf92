/* tmpfs_file: open regular files in memory; the bytes are tmpfs_data's. */
#include <fcntl.h>
#include <linux/falloc.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/kmem.h"
#include "fs/tmpfs.h"

struct tmpfs_file { struct file file; };
KMEM_CACHE(tmpfs_file);

int64_t
tmpfs_pread(struct file *f, struct task *t, struct iobuf *dst, int64_t off)
{
	(void)t;
	return tmpfs_data_read(tmpfs_of(f->inode)->data, dst, off);
}

int64_t
tmpfs_pwrite(struct file *f, struct task *t, struct iobuf *src, int64_t off)
{
	struct tmpfs_node *n = tmpfs_of(f->inode);
	struct timespec64 now = inode_now();
	int64_t end, done;

	(void)t;
	if (iob_left(src) == 0)
		return 0;
	if (atomic_load(&f->flags) & O_APPEND) {
		done = tmpfs_data_append(n->data, src, &end);
		if (done > 0)
			file_appended(f, end);
	} else {
		done = tmpfs_data_write(n->data, src, off);
		end = off + done;
	}
	if (done > 0) {
		mutex_lock(&n->amu);
		n->inode.attr.mtime = n->inode.attr.ctime = now;
		n->inode.attr.size = max(n->inode.attr.size, (uint64_t)end);
		mutex_unlock(&n->amu);
	}
	return done;
}

int64_t
tmpfs_seek(struct file *f, struct task *t, int64_t off, int whence)
{
	int64_t at;

	if (whence != SEEK_DATA && whence != SEEK_HOLE)
		return file_seek_size(f, t, off, whence);
	if (off < 0)
		return -ENXIO;
	at = tmpfs_data_seek(tmpfs_of(f->inode)->data, (uint64_t)off, whence == SEEK_HOLE);
	if (at >= 0)
		f->pos = at;
	return at;
}

int
tmpfs_mmap(struct file *f, struct task *t, struct mmap_args *a)
{
	struct tmpfs_data *d = tmpfs_of(f->inode)->data;
	uint32_t seals;

	(void)t;
	mutex_lock(&d->mu);
	seals = d->seals;
	mutex_unlock(&d->mu);
	if (seals & (F_SEAL_WRITE | F_SEAL_FUTURE_WRITE) && (a->flags & MAP_TYPE) != MAP_PRIVATE) {
		if (a->prot & PROT_WRITE)
			return -EPERM;
		a->maxprot &= ~(uint32_t)PROT_WRITE;
	}
	a->mobj = mobj_get(&d->mobj);
	return 0;
}

int64_t
tmpfs_fallocate(struct file *f, struct task *t, uint32_t mode, int64_t off, int64_t len)
{
	struct tmpfs_data *d = tmpfs_of(f->inode)->data;
	int err;

	(void)t;
	if (mode & ~(uint32_t)(FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE))
		return -EOPNOTSUPP;
	if (mode & FALLOC_FL_PUNCH_HOLE) {
		if (!(mode & FALLOC_FL_KEEP_SIZE))
			return -EOPNOTSUPP;
		err = tmpfs_data_punch(d, (uint64_t)off, (uint64_t)len);
	} else {
		err = tmpfs_data_reserve(d, (uint64_t)off, (uint64_t)len, mode & FALLOC_FL_KEEP_SIZE);
	}
	if (!err)
		tmpfs_touch(f->inode, true);
	return err;
}

static void
tmpfs_file_free(struct file *f)
{
	file_fini(f);
	obj_free(tmpfs_file, container_of(f, struct tmpfs_file, file));
}

static const struct file_ops tmpfs_file_ops = {
	.kind = "tmpfs file",
	.read = file_read_pos,
	.write = file_write_pos,
	.pread = tmpfs_pread,
	.pwrite = tmpfs_pwrite,
	.seek = tmpfs_seek,
	.readdir = file_no_readdir,
	.ready = file_always_ready,
	.ioctl = file_no_ioctl,
	.mmap = tmpfs_mmap,
	.fsync = file_sync_ok,
	.truncate = file_truncate_inode,
	.fallocate = tmpfs_fallocate,
	.setflags = file_any_flags,
	.flush = file_no_flush,
	.free = tmpfs_file_free,
};

struct tmpfs_data *
tmpfs_file_data(struct file *f)
{
	return f->ops == &tmpfs_file_ops ? tmpfs_of(f->inode)->data : NULL;
}

int
tmpfs_file_open(struct task *t, struct inode *i, uint32_t flags, struct file **out)
{
	struct tmpfs_file *tf;

	(void)t;
	if (!S_ISREG(i->type))
		return -ENXIO;
	tf = obj_new(tmpfs_file);
	if (tf == NULL)
		return -ENOMEM;
	file_init(&tf->file, &tmpfs_file_ops, i, flags);
	*out = &tf->file;
	return 0;
}
