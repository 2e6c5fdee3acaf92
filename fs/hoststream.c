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
#include "sentry/vfs/file.h"

#define PIPE_CHUNK	4096	/* a pipe that polls writable takes this much without waiting */

struct hoststream {
	struct file	file;		/* first */
	int		fd;		/* [I] owned */
};
KMEM_CACHE(hoststream);

static struct hoststream *
hoststream_of(struct file *f)
{
	return container_of(f, struct hoststream, file);
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
	struct hoststream *h = hoststream_of(f);

	hostfd_forget(h->fd);
	(void)host_close(h->fd);
	file_fini(f);
	obj_free(hoststream, h);
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

int
hoststream_new(int host_fd, uint32_t flags, struct file **out)
{
	struct hoststream *h = obj_new(hoststream);
	int err;

	if (h == NULL)
		return -ENOMEM;
	h->fd = host_fd;
	err = file_init_anon(&h->file, &hoststream_ops, "pipe:[1]", S_IFIFO | 0600, flags);
	if (err) {
		obj_free(hoststream, h);
		return err;
	}
	*out = &h->file;
	return 0;
}
