/*
 * splice: bytes from file to file through a buffer of the sentry.
 *
 * Nothing is lost when a call ends early: a file is read at an explicit offset that only moves by
 * what was written, and a pipe is peeked at, then told how much was taken.  Only a stream that is neither (a socket, a
 * terminal) is read for good, so then the write is completed.
 */
#include "sentry/vfs/splice.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>

#include "abi/errno.h"
#include "base/kmem.h"
#include "fs/pipe.h"
#include "sentry/kernel/task.h"
#include "sentry/mm/iobuf.h"
#include "sentry/vfs/file.h"

#define CHUNK	65536U

/* Where a seekable end reads or writes: the caller's offset, or the file's own. */
static int64_t
end_pos(struct file *f, const int64_t *off)
{
	int64_t pos;

	if (off)
		return *off;
	mutex_lock(&f->pos_mu);
	pos = f->pos;
	mutex_unlock(&f->pos_mu);
	return pos;
}

static void
end_pos_set(struct file *f, int64_t *off, int64_t pos)
{
	if (off) {
		*off = pos;
		return;
	}
	mutex_lock(&f->pos_mu);
	f->pos = pos;
	mutex_unlock(&f->pos_mu);
}

/* An eventfd and its kin: no type of file. Each read and write of theirs is one message, so nothing is spliced. */
static bool
is_object(const struct file *f)
{
	return f->inode->type == 0;
}

static int
wait_ready(struct task *t, struct file *f, uint32_t events)
{
	struct waiter w;
	int err = 0;

	waiter_arm(&w, t, f->wq, events | POLLERR | POLLHUP);
	while (!err && f->ops->ready(f, events | POLLERR | POLLHUP) == 0)
		err = task_sleep(t, NO_DEADLINE);
	waiter_disarm(&w);
	return err;
}

/* One write that does not wait: at *pos when the file has positions of its own to be given. */
static int64_t
write_now(struct task *t, struct file *out, void *buf, uint64_t n, const int64_t *pos)
{
	struct iobuf b;
	int64_t done;

	iob_init_kernel(&b, buf, n);
	if (pos)
		done = file_pwrite(t, out, &b, *pos);
	else
		done = file_write_flags(t, out, &b, false, 0, 8 /* RWF_NOWAIT */);
	iob_fini(&b);
	return done;
}

/* ---- sendfile and copy_file_range ------------------------------------------- */

/* From a file with positions to anything; out_pos: where to, or NULL for write(2). */
static int64_t
copy_loop(struct task *t, struct file *in, int64_t *pos, struct file *out, int64_t *out_pos, uint64_t count)
{
	AUTO_FREE char *buf = mem_alloc(count < CHUNK ? (count ? count : 1) : CHUNK);
	int64_t done = 0, n = 0;

	if (buf == NULL)
		return -ENOMEM;
	while ((uint64_t)done < count) {
		uint64_t chunk = min(count - (uint64_t)done, (uint64_t)CHUNK);
		struct iobuf b;
		int64_t got;

		iob_init_kernel(&b, buf, chunk);
		got = file_pread(t, in, &b, *pos);
		iob_fini(&b);
		if (got <= 0) {
			n = got;
			break;
		}
		if (is_object(out)) {
			n = -EINVAL;
			break;
		}
		iob_init_kernel(&b, buf, (uint64_t)got);
		n = out_pos ? file_pwrite(t, out, &b, *out_pos) : file_write(t, out, &b);
		iob_fini(&b);
		if (n <= 0)
			break;
		done += n;
		*pos += n;
		if (out_pos)
			*out_pos += n;
		if (n < got || signal_pending(t))
			break;
	}
	return done ? done : n;
}

int64_t
splice_sendfile(struct task *t, struct file *out, struct file *in, int64_t *off, uint64_t count)
{
	int64_t pos, n;

	if (!(in->mode & FMODE_READ) || !(out->mode & FMODE_WRITE))
		return -EBADF;
	if (!(in->mode & FMODE_PREAD))
		return off ? -ESPIPE : -EINVAL;
	if (in->mode & FMODE_DIR)
		return -EINVAL;
	if (out->flags & O_APPEND)
		return -EINVAL;
	pos = end_pos(in, off);
	if (pos < 0)
		return -EINVAL;
	n = copy_loop(t, in, &pos, out, NULL, min(count, RW_LIMIT));
	if (n > 0)
		end_pos_set(in, off, pos);
	return n;
}

int64_t
splice_copy_range(struct task *t, struct file *in, int64_t *off_in, struct file *out, int64_t *off_out, uint64_t len)
{
	int64_t pos, out_pos, n;

	if (!(in->mode & FMODE_READ) || !(out->mode & FMODE_WRITE) || (out->flags & O_APPEND))
		return -EBADF;
	if (S_ISDIR(in->inode->type) || S_ISDIR(out->inode->type))
		return -EISDIR;
	if (!S_ISREG(in->inode->type) || !S_ISREG(out->inode->type))
		return -EINVAL;
	len = min(len, RW_LIMIT);
	pos = end_pos(in, off_in);
	out_pos = end_pos(out, off_out);
	if (pos < 0 || out_pos < 0)
		return -EINVAL;
	/* Neither end goes beyond the largest offset. */
	len = min(len, (uint64_t)(INT64_MAX - pos));
	len = min(len, (uint64_t)(INT64_MAX - out_pos));
	if (in->inode == out->inode && pos < out_pos + (int64_t)len && out_pos < pos + (int64_t)len && len)
		return -EINVAL;
	n = copy_loop(t, in, &pos, out, &out_pos, len);
	if (n > 0) {
		end_pos_set(in, off_in, pos);
		end_pos_set(out, off_out, out_pos);
	}
	return n;
}

/* ---- splice ---------------------------------------------------------------- */

/* Out of a pipe into anything, as long as the pipe has something. */
static int64_t
from_pipe(struct task *t, struct file *in, struct file *out, int64_t *out_pos, uint64_t len, bool nowait, bool tee)
{
	AUTO_FREE char *buf = mem_alloc(min(len, (uint64_t)CHUNK));
	int64_t done = 0, n = 0;

	if (buf == NULL)
		return -ENOMEM;
	while ((uint64_t)done < len) {
		struct file *wait_for = NULL;

		n = pipe_peek(in, buf, min(len - (uint64_t)done, (uint64_t)CHUNK));
		if (n == -EAGAIN) {
			wait_for = in;
		} else if (n <= 0) {
			break;
		} else {
			n = write_now(t, out, buf, (uint64_t)n, out_pos);
			pipe_peek_end(in, n > 0 && !tee ? (uint64_t)n : 0);
			if (n == -EAGAIN)
				wait_for = out;
		}
		if (n > 0) {
			done += n;
			if (out_pos)
				*out_pos += n;
			if (tee)
				break;
			continue;
		}
		if (!wait_for || done || nowait || (wait_for->flags & O_NONBLOCK))
			break;
		/* What is ready and yet takes nothing must not keep a task that is to die. */
		n = signal_pending(t) ? -ERESTARTSYS : wait_ready(t, wait_for, wait_for == in ? POLLIN : POLLOUT);
		if (n)
			break;
	}
	return done ? done : n;
}

/* Reads what fits the pipe: at *pos, or from a stream. */
static int64_t
read_some(struct task *t, struct file *in, char *buf, uint64_t n, const int64_t *pos)
{
	struct iobuf b;
	int64_t got;

	iob_init_kernel(&b, buf, n);
	got = pos ? file_pread(t, in, &b, *pos) : file_read(t, in, &b);
	iob_fini(&b);
	return got;
}

/* Into a pipe, until it is full or the input has no more for now. */
static int64_t
to_pipe(struct task *t, struct file *in, int64_t *pos, struct file *out, uint64_t len, bool nowait)
{
	AUTO_FREE char *buf = mem_alloc(min(len, (uint64_t)CHUNK));
	int64_t done = 0, n = 0;

	if (buf == NULL)
		return -ENOMEM;
	while ((uint64_t)done < len) {
		uint64_t room = pipe_room(out), want = min(len - (uint64_t)done, (uint64_t)CHUNK);
		struct iobuf b;

		if (room == 0) {
			n = -EAGAIN;
			if (done || nowait || (out->flags & O_NONBLOCK))
				break;
			n = wait_ready(t, out, POLLOUT);
			if (n)
				break;
			if (pipe_room(out) > 0)
				continue;
			room = want;	/* no reader is left: the write finds out */
		}
		n = read_some(t, in, buf, min(want, room), pos);
		if (n <= 0)
			break;
		iob_init_kernel(&b, buf, (uint64_t)n);
		n = file_write(t, out, &b);
		iob_fini(&b);
		if (n <= 0)
			break;
		done += n;
		if (pos == NULL)
			break;
		*pos += n;
	}
	return done ? done : n;
}

int64_t
splice_files(struct task *t, struct file *in, int64_t *off_in, struct file *out, int64_t *off_out, uint64_t len, bool nowait)
{
	bool in_pipe = file_is_pipe(in), out_pipe = file_is_pipe(out), seeks;
	int64_t pos = 0, n;

	if (!(in->mode & FMODE_READ) || !(out->mode & FMODE_WRITE))
		return -EBADF;
	if ((in_pipe && off_in) || (out_pipe && off_out))
		return -ESPIPE;
	if ((!in_pipe && !out_pipe) || is_object(in) || is_object(out))
		return -EINVAL;
	if (in_pipe && out_pipe && in->wq == out->wq)
		return -EINVAL;		/* two ends of one pipe */
	len = min(len, RW_LIMIT);
	if (in_pipe) {
		seeks = !out_pipe && (out->mode & FMODE_PWRITE) && (out->mode & FMODE_SEEK);
		if (off_out && !seeks)
			return -EINVAL;
		if (!out_pipe && (out->flags & O_APPEND))
			return -EINVAL;
		if (seeks)
			pos = end_pos(out, off_out);
		if (pos < 0)
			return -EINVAL;
		n = from_pipe(t, in, out, seeks ? &pos : NULL, len, nowait, false);
		if (n > 0 && seeks)
			end_pos_set(out, off_out, pos);
		return n;
	}
	seeks = (in->mode & FMODE_PREAD) && (in->mode & FMODE_SEEK);
	if ((off_in && !seeks) || (in->mode & FMODE_DIR))
		return -EINVAL;
	if (seeks)
		pos = end_pos(in, off_in);
	if (pos < 0)
		return -EINVAL;
	n = to_pipe(t, in, seeks ? &pos : NULL, out, len, nowait);
	if (n > 0 && seeks)
		end_pos_set(in, off_in, pos);
	return n;
}

int64_t
splice_tee(struct task *t, struct file *in, struct file *out, uint64_t len, bool nowait)
{
	if (!(in->mode & FMODE_READ) || !(out->mode & FMODE_WRITE))
		return -EBADF;
	if (!file_is_pipe(in) || !file_is_pipe(out) || in->wq == out->wq)
		return -EINVAL;
	return from_pipe(t, in, out, NULL, min(len, RW_LIMIT), nowait, true);
}
