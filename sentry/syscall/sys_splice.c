/* Calls that move bytes between descriptors: sendfile, splice, tee, vmsplice, copy_file_range. */
#include "sentry/syscall/syscall.h"

#include "abi/fs.h"
#include "fs/pipe.h"
#include "sentry/kernel/task.h"
#include "sentry/mm/iobuf.h"
#include "sentry/mm/usercopy.h"
#include "sentry/vfs/fdtable.h"
#include "sentry/vfs/file.h"
#include "sentry/vfs/splice.h"

#define SPLICE_NONBLOCK	2U
#define SPLICE_FLAGS	15U

/* An offset argument: null leaves *p NULL, else *p is `room` with the value. */
static int
copy_in_off(struct task *t, gaddr_t at, int64_t *room, int64_t **p)
{
	int err;

	*p = NULL;
	if (gaddr_is_null(at))
		return 0;
	err = copy_in(t, room, at, sizeof *room);
	if (err)
		return err;
	*p = room;
	return *room < 0 ? -EINVAL : 0;
}

static int64_t
copy_out_off(struct task *t, gaddr_t at, const int64_t *p, int64_t ret)
{
	int err;

	if (p == NULL || ret < 0)
		return ret;
	err = copy_out(t, at, p, sizeof *p);
	return err ? err : ret;
}

int64_t
sys_sendfile(struct task *t, int32_t out_fd, int32_t in_fd, gaddr_t offset, uint64_t count)
{
	AUTO_PUT(file) in = NULL;
	AUTO_PUT(file) out = NULL;
	int64_t room, *off;
	int err = copy_in_off(t, offset, &room, &off);

	if (err == -EFAULT)
		return err;
	if (fd_get(t, in_fd, &in) || fd_get(t, out_fd, &out))
		return -EBADF;
	return err ? err : copy_out_off(t, offset, off, splice_sendfile(t, out, in, off, count));
}

/* The two descriptors and two offsets of splice and copy_file_range. */
struct ends {
	struct file	*in, *out;
	int64_t		room[2], *off_in, *off_out;
};

static int
ends_get(struct task *t, int32_t fd_in, gaddr_t off_in, int32_t fd_out, gaddr_t off_out, struct ends *e)
{
	int err;

	e->in = e->out = NULL;
	err = fd_get(t, fd_in, &e->in);
	if (!err)
		err = fd_get(t, fd_out, &e->out);
	if (!err && ((!gaddr_is_null(off_in) && file_is_pipe(e->in)) ||
	    (!gaddr_is_null(off_out) && file_is_pipe(e->out))))
		err = -ESPIPE;
	if (!err)
		err = copy_in_off(t, off_in, &e->room[0], &e->off_in);
	if (!err)
		err = copy_in_off(t, off_out, &e->room[1], &e->off_out);
	return err;
}

int64_t
sys_splice(struct task *t, int32_t fd_in, gaddr_t off_in, int32_t fd_out, gaddr_t off_out, uint64_t len, uint32_t flags)
{
	struct ends e;
	int64_t n;

	if (len == 0)
		return 0;
	if (flags & ~SPLICE_FLAGS)
		return -EINVAL;
	n = ends_get(t, fd_in, off_in, fd_out, off_out, &e);
	if (!n) {
		n = splice_files(t, e.in, e.off_in, e.out, e.off_out, len, (flags & SPLICE_NONBLOCK) != 0);
		n = copy_out_off(t, off_in, e.off_in, n);
		n = copy_out_off(t, off_out, e.off_out, n);
	}
	file_put(e.in);
	file_put(e.out);
	return n;
}

int64_t
sys_tee(struct task *t, int32_t fd_in, int32_t fd_out, uint64_t len, uint32_t flags)
{
	AUTO_PUT(file) in = NULL;
	AUTO_PUT(file) out = NULL;

	if (flags & ~SPLICE_FLAGS)
		return -EINVAL;
	if (len == 0)
		return 0;
	if (fd_get(t, fd_in, &in) || fd_get(t, fd_out, &out))
		return -EBADF;
	return splice_tee(t, in, out, len, (flags & SPLICE_NONBLOCK) != 0);
}

int64_t
sys_vmsplice(struct task *t, int32_t fd, gaddr_t iov, uint64_t nr_segs, uint32_t flags)
{
	AUTO_PUT(file) f = NULL;
	struct iobuf b;
	uint32_t rwf = flags & SPLICE_NONBLOCK ? ABI_RWF_NOWAIT : 0;
	int64_t n;
	int err;

	if (flags & ~SPLICE_FLAGS)
		return -EINVAL;
	err = fd_get(t, fd, &f);
	if (err)
		return err;
	if (!file_is_pipe(f))
		return -EBADF;
	err = iob_init_iov(&b, t, iov, nr_segs);
	if (err)
		return err;
	if (f->mode & FMODE_WRITE) {
		/* Unlike a write it waits for some room only, and fills that. */
		uint64_t room = pipe_room(f);

		if (room == 0)
			room = PAGE_SIZE;
		if (iob_left(&b) > room)
			(void)iob_trim(&b, room);
		n = file_write_flags(t, f, &b, false, 0, rwf);
	} else {
		n = file_read_flags(t, f, &b, false, 0, rwf);
	}
	iob_fini(&b);
	return n;
}

int64_t
sys_copy_file_range(struct task *t, int32_t fd_in, gaddr_t off_in, int32_t fd_out, gaddr_t off_out, uint64_t len,
    uint32_t flags)
{
	struct ends e;
	int64_t n = ends_get(t, fd_in, off_in, fd_out, off_out, &e);

	if (!n && flags)
		n = -EINVAL;
	if (!n) {
		n = splice_copy_range(t, e.in, e.off_in, e.out, e.off_out, len);
		n = copy_out_off(t, off_in, e.off_in, n);
		n = copy_out_off(t, off_out, e.off_out, n);
	}
	file_put(e.in);
	file_put(e.out);
	return n;
}
