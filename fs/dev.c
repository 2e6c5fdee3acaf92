/*
 * dev: the memory devices (null zero full random urandom), the table of character
 * devices, and the filesystem of type "dev" that a container finds at /dev.
 *
 * null(4), full(4), random(4), mem(4).  The filesystem is a tmpfs filled with the nodes
 * every container expects; the nodes are ordinary, so a guest may remove or add some.
 */
#include "fs/dev.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <linux/stat.h>
#include <string.h>
#include <sys/mman.h>

#include "abi/stat.h"
#include "base/kmem.h"
#include "fs/fs.h"
#include "fs/tty.h"
#include "sentry/kernel/task.h"
#include "sentry/mm/mm.h"
#include "sentry/mm/usercopy.h"
#include "sentry/syscall/syscall.h"
#include "sentry/vfs/file.h"

KMEM_CACHE(file);

static void
memdev_free(struct file *f)
{
	file_fini(f);
	obj_free(file, f);
}

static int64_t
null_read(struct file *f, struct task *t, struct iobuf *dst)
{
	(void)f, (void)t, (void)dst;
	return 0;
}

static int64_t
null_pread(struct file *f, struct task *t, struct iobuf *dst, int64_t off)
{
	(void)off;
	return null_read(f, t, dst);
}

static int64_t
null_write(struct file *f, struct task *t, struct iobuf *src)
{
	(void)f, (void)t;
	/* As Linux, nothing is read: a bad address does not matter. */
	return (int64_t)iob_trim(src, 0);
}

static int64_t
null_pwrite(struct file *f, struct task *t, struct iobuf *src, int64_t off)
{
	(void)off;
	return null_write(f, t, src);
}

static int64_t
zero_read(struct file *f, struct task *t, struct iobuf *dst)
{
	(void)f, (void)t;
	return iob_zero(dst, iob_left(dst));
}

static int64_t
zero_pread(struct file *f, struct task *t, struct iobuf *dst, int64_t off)
{
	(void)off;
	return zero_read(f, t, dst);
}

static int64_t
full_write(struct file *f, struct task *t, struct iobuf *src)
{
	(void)f, (void)t;
	(void)src;
	return -ENOSPC;
}

static int64_t
full_pwrite(struct file *f, struct task *t, struct iobuf *src, int64_t off)
{
	(void)off;
	return full_write(f, t, src);
}

static int64_t
random_read(struct file *f, struct task *t, struct iobuf *dst)
{
	uint8_t buf[256];
	int64_t done = 0, n;

	(void)f;
	while (iob_left(dst) > 0) {
		uint64_t chunk = min(iob_left(dst), (uint64_t)sizeof buf);

		kernel_random(buf, chunk);
		n = iob_put(dst, buf, chunk);
		if (n < 0)
			return done ? done : n;
		done += n;
		if ((uint64_t)n < chunk || (done % 65536 == 0 && signal_pending(t)))
			break;
	}
	return done;
}

static int64_t
random_pread(struct file *f, struct task *t, struct iobuf *dst, int64_t off)
{
	(void)off;
	return random_read(f, t, dst);
}

/* Any position is fine and none matters. */
static int64_t
memdev_seek(struct file *f, struct task *t, int64_t off, int whence)
{
	(void)t, (void)off, (void)whence;
	f->pos = 0;
	return 0;
}

/* Private: plain anonymous memory.  Shared: an object of its own, as on Linux. */
static int
zero_mmap(struct file *f, struct task *t, struct mmap_args *a)
{
	(void)f, (void)t;
	a->off = 0;
	if ((a->flags & MAP_TYPE) == MAP_PRIVATE)
		return 0;
	return mobj_new_anon(page_up(a->len), &a->mobj);
}

static int64_t
random_ioctl(struct file *f, struct task *t, uint32_t cmd, gaddr_t arg)
{
	(void)f;
	if (cmd == 0x80045200)		/* RNDGETENTCNT */
		return put_u32(t, arg, 256);
	return -EINVAL;
}

#define MEMDEV_OPS(name, rd, prd, wr, pwr, io, mm)			\
static const struct file_ops name##_ops = {				\
	.kind = #name, .read = rd, .pread = prd, .write = wr, .pwrite = pwr, \
	.seek = memdev_seek, .readdir = file_no_readdir, .ready = file_always_ready, \
	.ioctl = io, .mmap = mm, .fsync = file_no_fsync,		\
	.truncate = file_no_truncate, .fallocate = file_no_fallocate,	\
	.setflags = file_any_flags, .flush = file_no_flush, .free = memdev_free }

MEMDEV_OPS(null, null_read, null_pread, null_write, null_pwrite, file_no_ioctl, file_no_mmap);
MEMDEV_OPS(zero, zero_read, zero_pread, null_write, null_pwrite, file_no_ioctl, zero_mmap);
MEMDEV_OPS(full, zero_read, zero_pread, full_write, full_pwrite, file_no_ioctl, file_no_mmap);
MEMDEV_OPS(random, random_read, random_pread, null_write, null_pwrite, random_ioctl, file_no_mmap);

static int
memdev_open(const struct file_ops *ops, struct inode *i, uint32_t flags, struct file **out)
{
	struct file *f = obj_new(file);

	if (f == NULL)
		return -ENOMEM;
	file_init(f, ops, i, flags);
	*out = f;
	return 0;
}

/* Device numbers as Documentation/admin-guide/devices.txt gives them. */
#define DEV(major, minor)	((uint64_t)(major) << 8 | (minor))

int
dev_open(struct task *t, struct inode *i, uint32_t flags, struct file **out)
{
	if (i->type != S_IFCHR)
		return -ENXIO;
	switch (i->attr.rdev) {
	case DEV(1, 3):
		return memdev_open(&null_ops, i, flags, out);
	case DEV(1, 5):
		return memdev_open(&zero_ops, i, flags, out);
	case DEV(1, 7):
		return memdev_open(&full_ops, i, flags, out);
	case DEV(1, 8):
	case DEV(1, 9):
		return memdev_open(&random_ops, i, flags, out);
	case DEV(5, 0):
		return tty_open_current(t, i, flags, out);
	case DEV(5, 1):
		return tty_open_console(t, i, flags, out);
	case DEV(5, 2):
		return ptmx_open(t, i, flags, out);
	default:
		/* Not of a devpts: no terminal is behind it. */
		if (abi_dev_major(i->attr.rdev) == 136)
			return -EIO;
		report_missing(t, "character device %u:%u", (unsigned)(i->attr.rdev >> 8),
		    (unsigned)(i->attr.rdev & 255));
		return -ENXIO;
	}
}

static const struct {
	const char *name;
	uint32_t mode;
	uint64_t rdev;
	const char *target;
} nodes[] = {
	{ "null", S_IFCHR | 0666, DEV(1, 3), NULL },
	{ "zero", S_IFCHR | 0666, DEV(1, 5), NULL },
	{ "full", S_IFCHR | 0666, DEV(1, 7), NULL },
	{ "random", S_IFCHR | 0666, DEV(1, 8), NULL },
	{ "urandom", S_IFCHR | 0666, DEV(1, 9), NULL },
	{ "tty", S_IFCHR | 0666, DEV(5, 0), NULL },
	{ "console", S_IFCHR | 0620, DEV(5, 1), NULL },
	{ "ptmx", S_IFLNK | 0777, 0, "pts/ptmx" },
	{ "fd", S_IFLNK | 0777, 0, "/proc/self/fd" },
	{ "stdin", S_IFLNK | 0777, 0, "/proc/self/fd/0" },
	{ "stdout", S_IFLNK | 0777, 0, "/proc/self/fd/1" },
	{ "stderr", S_IFLNK | 0777, 0, "/proc/self/fd/2" },
	{ "core", S_IFLNK | 0777, 0, "/proc/kcore" },
	{ "pts", S_IFDIR | 0755, 0, NULL },
	{ "shm", S_IFDIR | 01777, 0, NULL },
	{ "mqueue", S_IFDIR | 01777, 0, NULL },
};

int
dev_populate(struct task *t, struct super *s)
{
	for (size_t n = 0; n < ARRAY_LEN(nodes); n++) {
		AUTO_PUT(inode) i = NULL;
		int err;

		mutex_lock(&s->root->mu);
		err = s->root->ops->create(t, s->root, nodes[n].name, nodes[n].mode, nodes[n].rdev,
		    nodes[n].target, &i);
		mutex_unlock(&s->root->mu);
		if (err && err != -EEXIST)
			return err;
	}
	return 0;
}

int
dev_mount(struct task *t, const char *source, const char *data, uint64_t flags, struct super **out)
{
	struct super *s;
	int err;

	(void)source, (void)flags;
	err = tmpfs_super(data && data[0] ? data : "mode=755,size=64k", &s);
	if (err)
		return err;
	err = dev_populate(t, s);
	if (err) {
		super_put(s);
		return err;
	}
	*out = s;
	return 0;
}
