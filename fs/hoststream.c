/*
 * hoststream: the container's standard streams.
 *
 * Bytes go straight between guest buffers and the host descriptor.  The descriptor stays
 * blocking, since the host may share it with others, so each transfer first asks whether it would wait; what a
 * stranger on the same pipe takes in between can make one sentry thread wait, never the sandbox.
 */
#include "fs/hoststream.h"

#include <asm/ioctls.h>
#include <sys/stat.h>
#include <poll.h>

#include "base/hostcall.h"
#include "base/kmem.h"
#include "base/strbuf.h"
#include "sentry/vfs/file.h"
#include "sentry/vfs/super.h"

#define PIPE_CHUNK	4096	/* a pipe that polls writable takes this much without waiting */

/* The host's descriptor, owned by the inode: /dev/stdout opens another file over the same one. */
struct hoststream {
	struct inode	inode;		/* first */
	int		fd;		/* [I] owned */
	struct waitq	wq;
};
KMEM_CACHE(hoststream);
KMEM_CACHE(file);

static _Atomic uint32_t next_number = 1;

static struct hoststream *
hoststream_of(struct file *f)
{
	return container_of(f->inode, struct hoststream, inode);
}

static int64_t
hoststream_read(struct file *f, struct task *t, struct iobuf *dst)
{
	struct hoststream *h = hoststream_of(f);

	(void)t;
	if (hostfd_ready(h->fd, POLLIN) == 0) {
		hostfd_watch(h->fd, POLLIN, f->wq);
		return -EAGAIN;
	}
	return iob_from_host(dst, h->fd, -1, iob_left(dst));
}

static int64_t
hoststream_write(struct file *f, struct task *t, struct iobuf *src)
{
	struct hoststream *h = hoststream_of(f);

	(void)t;
	if (hostfd_ready(h->fd, POLLOUT) == 0) {
		hostfd_watch(h->fd, POLLOUT, f->wq);
		return -EAGAIN;
	}
	return iob_to_host(src, h->fd, -1, min(iob_left(src), (uint64_t)PIPE_CHUNK));
}

static uint32_t
hoststream_ready(struct file *f, uint32_t events)
{
	struct hoststream *h = hoststream_of(f);
	uint32_t got = hostfd_ready(h->fd, events & (POLLIN | POLLOUT));

	if (got & POLLIN)
		got |= POLLRDNORM;
	if (got & POLLOUT)
		got |= POLLWRNORM;
	if ((events & ~got & (POLLIN | POLLOUT)) != 0)
		hostfd_watch(h->fd, events & (POLLIN | POLLOUT), f->wq);
	return got;
}

static void
hoststream_free(struct file *f)
{
	file_fini(f);
	obj_free(file, f);
}

static const struct file_ops hoststream_ops = {
	.kind = "hoststream",
	.read = hoststream_read,
	.write = hoststream_write,
	.pread = file_no_pread,
	.pwrite = file_no_pwrite,
	.seek = file_no_seek,
	.readdir = file_no_readdir,
	.ready = hoststream_ready,
	.ioctl = file_no_ioctl,
	.mmap = file_no_mmap,
	.fsync = file_no_fsync,
	.truncate = file_no_truncate,
	.fallocate = file_no_fallocate,
	.setflags = file_any_flags,
	.flush = file_no_flush,
	.free = hoststream_free,
};

/* Another file over i: by hoststream_new, or through /proc/PID/fd. */
static int
hoststream_open(struct task *t, struct inode *i, uint32_t flags, struct file **out)
{
	struct file *f = obj_new(file);

	(void)t;
	if (f == NULL)
		return -ENOMEM;
	file_init(f, &hoststream_ops, i, flags);
	f->wq = &container_of(i, struct hoststream, inode)->wq;
	*out = f;
	return 0;
}

static void
hoststream_inode_free(struct inode *i)
{
	struct hoststream *h = container_of(i, struct hoststream, inode);

	hostfd_forget(h->fd);
	(void)host_close(h->fd);
	inode_fini(i);
	obj_free(hoststream, h);
}

static const struct inode_ops hoststream_inode_ops = {
	.lookup = inode_no_lookup,
	.create = inode_no_create,
	.link = inode_no_link,
	.unlink = inode_no_unlink,
	.rmdir = inode_no_unlink,
	.rename = inode_no_rename,
	.tmpfile = inode_no_tmpfile,
	.open = hoststream_open,
	.readlink = inode_no_readlink,
	.followlink = inode_no_followlink,
	.getattr = inode_plain_getattr,
	.setattr = inode_plain_setattr,
	.permission = inode_any_permission,
	.getxattr = inode_no_getxattr,
	.setxattr = inode_no_setxattr,
	.listxattr = inode_no_listxattr,
	.revalidate = inode_always_valid,
	.free = hoststream_inode_free,
};

int
hoststream_new(int host_fd, uint32_t flags, struct file **out)
{
	struct hoststream *h = obj_new(hoststream);
	char name[32];
	struct strbuf sb = STRBUF(name, sizeof name);
	struct file *f;
	int err;

	if (h == NULL) {
		(void)host_close(host_fd);
		return -ENOMEM;
	}
	/* Whoever the container runs as opens its own /dev/stdout; a runtime hands those streams to it. */
	inode_init(&h->inode, &hoststream_inode_ops, &anon_super, S_IFIFO | 0666, RANK_inode);
	h->inode.attr.ino = atomic_fetch_add(&next_number, 1);
	h->fd = host_fd;
	waitq_init(&h->wq);
	sb_printf(&sb, "pipe:[%u]", (unsigned)h->inode.attr.ino);
	err = hoststream_open(NULL, &h->inode, flags, &f);
	if (!err) {
		err = file_set_anon(f, name, &h->inode);
		if (err)
			file_put(f);
	}
	inode_put(&h->inode);
	if (err)
		return err;
	*out = f;
	return 0;
}
