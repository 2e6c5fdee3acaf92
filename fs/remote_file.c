/*
 * remote_file: open files of the gofer's mounts: data by donated descriptors.
 *
 * An inode keeps the descriptors it was given so that opening again costs nothing; those nothing has
 * open stand in one queue, the oldest of which is closed when there are too many.  Open files and memory
 * objects hold references of their own, so they outlive that, and unlink.
 *
 * What is read often is read from windows (remote_window.c), and only where that cannot be told from asking the host:
 * within the size of a file that nobody but us changes, and we have not; of any other, in pages that have another behind them.
 */
#include <fcntl.h>
#include <linux/falloc.h>
#include <string.h>
#include <sys/stat.h>

#include "base/hostcall.h"
#include "base/kmem.h"
#include "fs/fs.h"
#include "fs/remote.h"
#include "sentry/mm/mm.h"

#define KEPT_MAX	512u		/* inodes with idle descriptors */
#define APPEND_MAX	(1u << 20)	/* bytes of one append that land together */

KMEM_CACHE(hostfile);

struct remote_file {
	struct file	file;		/* first */
	struct hostfile	*hf;		/* [I] counted */
};
KMEM_CACHE(remote_file);

struct remote_mobj {
	struct mobj	mobj;		/* first */
	struct hostfile	*_Atomic ro, *_Atomic rw;	/* set once, counted; rw is preferred */
};
KMEM_CACHE(remote_mobj);

/* Guards every inode's ro, rw, nopen, lru. A leaf but for kmem. */
static struct mutex hostfiles_mu = MUTEX_INIT(RANK_hostfd);
static struct list kept = LIST_INIT(kept);
static uint32_t nkept;

/* ---- descriptors ---------------------------------------------------------------- */

static struct hostfile *
hostfile_get(struct hostfile *h)
{
	atomic_fetch_add_explicit(&h->refs, 1, memory_order_relaxed);
	return h;
}

static void
hostfile_put(struct hostfile *h)
{
	if (h == NULL || atomic_fetch_sub_explicit(&h->refs, 1, memory_order_acq_rel) != 1)
		return;
	remote_windows_drop(h, true);
	(void)host_close(h->fd);
	obj_free(hostfile, h);
}

/* What came with a descriptor: the gofer's word on it, and, in sizes, the inode's when it was asked for. */
struct donated {
	int		fd;
	uint32_t	pages, sizes;
	uint64_t	size;
	bool		write;
};

/* Takes the descriptor, also on failure. */
static int
hostfile_new(const struct remote_inode *r, const struct donated *d, struct hostfile **out)
{
	struct hostfile *h = obj_new(hostfile);
	bool shared = remote_super_of(&r->inode)->shared;

	if (h == NULL) {
		(void)host_close(d->fd);
		return -ENOMEM;
	}
	h->pages = d->pages;
	/* Of a shared mount others may be the first to write. */
	if (h->pages >= GOFER_PAGES_LIMIT || (h->pages == GOFER_PAGES_UNTIL_WRITTEN && shared))
		h->pages = GOFER_PAGES_OWN;
	atomic_init(&h->refs, 1);
	atomic_init(&h->unmapped, h->pages == GOFER_PAGES_OWN);
	h->fd = d->fd;
	h->sized = !shared && !d->write;
	h->sizes = d->sizes;
	h->size = min(d->size, (uint64_t)INT64_MAX);
	atomic_init(&h->reach, h->size);
	*out = h;
	return 0;
}

static int
ask_open(struct remote_inode *r, bool write, struct hostfile **out)
{
	struct gofer_open_req q = { .flags = write ? GOFER_OPEN_WRITE : 0 };
	struct gofer_open_rep rep;
	struct remote_io io = REMOTE_IO(&q, &rep, .want_fd = true);
	struct donated d = { .sizes = atomic_load(&r->sizes), .write = write };
	int err = remote_fid(r, &q.fid);

	if (!err)
		err = remote_call(GOFER_open, &io);
	if (err)
		return err;
	/* Attributes come along: a shared file is fresh at open, as over NFS. */
	if (remote_super_of(&r->inode)->shared)
		remote_attr_update(r, &rep.st);
	d.fd = io.fd;
	d.pages = rep.pages;
	d.size = rep.st.size;
	return hostfile_new(r, &d, out);
}

static void
unqueue_locked(struct remote_inode *r)
{
	if (!list_empty(&r->lru)) {
		list_remove(&r->lru);
		nkept--;
	}
}

/* From now on, or until now, somebody may change what the file holds, and its size. */
static void
written_locked(struct remote_inode *r)
{
	atomic_fetch_add(&r->sizes, 1);
	if (r->ro != NULL && r->ro->pages == GOFER_PAGES_UNTIL_WRITTEN)
		atomic_store(&r->ro->unmapped, true);
}

/* A counted descriptor for reading, or reading and writing; the inode counts one more opener. */
static int
fds_open(struct remote_inode *r, bool write, struct hostfile **out)
{
	struct hostfile *fresh = NULL, **slot = write ? &r->rw : &r->ro, *got;

	for (;;) {
		int err;

		mutex_lock(&hostfiles_mu);
		got = !write && r->rw ? r->rw : *slot;
		if (got == NULL && fresh != NULL)
			got = *slot = steal(&fresh);
		if (got != NULL) {
			*out = hostfile_get(got);
			r->nopen++;
			if (write)
				written_locked(r);
			unqueue_locked(r);
		}
		mutex_unlock(&hostfiles_mu);
		if (got != NULL)
			break;
		err = ask_open(r, write, &fresh);
		if (err)
			return err;
	}
	hostfile_put(fresh);
	return 0;
}

static void
fds_close(struct remote_inode *r)
{
	struct hostfile *old[2] = { NULL, NULL }, *idle = NULL;

	mutex_lock(&hostfiles_mu);
	BUG_ON(r->nopen == 0);
	if (--r->nopen == 0) {
		/* The attributes can be trusted again once nobody can write: the last word is asked for. */
		if (r->rw != NULL) {
			atomic_store(&r->stale, true);
			written_locked(r);
		}
		old[0] = steal(&r->rw);
		/* The file that it maps is not the one that was written. */
		if (r->ro != NULL && r->ro->pages == GOFER_PAGES_UNTIL_WRITTEN && atomic_load(&r->ro->unmapped)) {
			idle = steal(&r->ro);
		} else if (r->ro != NULL) {
			if (atomic_load(&r->ro->nwindows) != 0)
				idle = hostfile_get(r->ro);
			list_push_back(&kept, &r->lru);
			nkept++;
		}
		if (nkept > KEPT_MAX) {
			struct remote_inode *oldest = list_first(&kept, struct remote_inode, lru);

			unqueue_locked(oldest);
			old[1] = steal(&oldest->ro);
		}
	}
	mutex_unlock(&hostfiles_mu);
	hostfile_put(old[0]);
	hostfile_put(old[1]);
	if (idle != NULL)
		remote_windows_drop(idle, false);
	hostfile_put(idle);
}

void
remote_fds_written(struct remote_inode *r)
{
	mutex_lock(&hostfiles_mu);
	written_locked(r);
	mutex_unlock(&hostfiles_mu);
}

bool
remote_has_writer(struct remote_inode *r)
{
	bool yes;

	mutex_lock(&hostfiles_mu);
	yes = r->rw != NULL;
	mutex_unlock(&hostfiles_mu);
	return yes;
}

void
remote_adopt_fd(struct remote_inode *r, int fd, uint32_t pages)
{
	const struct donated d = { .fd = fd, .pages = pages, .write = true };
	struct hostfile *h;

	if (hostfile_new(r, &d, &h) != 0)
		return;
	mutex_lock(&hostfiles_mu);
	written_locked(r);
	if (r->rw == NULL)
		r->rw = steal(&h);
	mutex_unlock(&hostfiles_mu);
	hostfile_put(h);
}

void
remote_fds_drop(struct remote_inode *r)
{
	struct hostfile *ro, *rw;

	mutex_lock(&hostfiles_mu);
	unqueue_locked(r);
	ro = steal(&r->ro);
	rw = steal(&r->rw);
	mutex_unlock(&hostfiles_mu);
	hostfile_put(ro);
	hostfile_put(rw);
}

/* ---- memory objects ------------------------------------------------------------- */

static int
remote_backing(struct mobj *o, uint64_t off, uint64_t len, bool write, struct backing *out)
{
	struct remote_mobj *m = container_of(o, struct remote_mobj, mobj);
	struct hostfile *h = atomic_load(&m->rw);

	if (h == NULL && write)
		return -EACCES;
	if (h == NULL)
		h = atomic_load(&m->ro);
	if (h == NULL)
		return -EIO;
	/* Beyond the end the host raises SIGBUS itself, and stops when the file grows. */
	*out = (struct backing){ .fd = h->fd, .off = off, .len = len };
	return 0;
}

static void
remote_mobj_free(struct mobj *o)
{
	struct remote_mobj *m = container_of(o, struct remote_mobj, mobj);

	hostfile_put(atomic_load(&m->ro));
	hostfile_put(atomic_load(&m->rw));
	mutex_fini(&o->mu);
	obj_free(remote_mobj, m);
}

static const struct mobj_ops remote_mobj_ops = {
	.name = "gofer file",
	.backing = remote_backing,
	.free = remote_mobj_free,
};

static int
remote_mmap(struct file *f, struct task *t, struct mmap_args *a)
{
	struct remote_file *rf = container_of(f, struct remote_file, file);
	struct inode *i = f->inode;
	struct hostfile *none = NULL, *mine = hostfile_get(rf->hf);
	struct remote_mobj *m;
	bool write = (atomic_load(&f->flags) & O_ACCMODE) != O_RDONLY;

	(void)t;
	mutex_lock(&i->mu);
	if (i->mobj == NULL) {
		m = obj_new(remote_mobj);
		if (m == NULL) {
			mutex_unlock(&i->mu);
			hostfile_put(mine);
			return -ENOMEM;
		}
		mobj_init(&m->mobj, &remote_mobj_ops);
		i->mobj = &m->mobj;
	}
	m = container_of(i->mobj, struct remote_mobj, mobj);
	if (atomic_compare_exchange_strong(write ? &m->rw : &m->ro, &none, mine))
		mine = NULL;
	a->mobj = mobj_get(i->mobj);
	mutex_unlock(&i->mu);
	hostfile_put(mine);
	return 0;
}

/* ---- reading and writing ------------------------------------------------------------ */

/* Is the size the one that came with the descriptor? */
static bool
is_sized(const struct file *f, const struct hostfile *h)
{
	return h->sized && atomic_load(&remote_of(f->inode)->sizes) == h->sizes;
}

static void
reached(struct hostfile *h, int64_t end)
{
	if ((uint64_t)end > atomic_load_explicit(&h->reach, memory_order_relaxed))
		atomic_store_explicit(&h->reach, (uint64_t)end, memory_order_relaxed);
}

/* As much as windows hold of what is left to read; *end: and there is no more. */
static int64_t
read_mapped(struct file *f, struct iobuf *dst, uint64_t off, bool *end)
{
	struct hostfile *h = container_of(f, struct remote_file, file)->hf;
	uint64_t n = iob_left(dst), size, done;

	*end = false;
	if (atomic_load_explicit(&h->unmapped, memory_order_relaxed))
		return 0;
	if (is_sized(f, h)) {
		/* At the end the host is asked: there may be more since, whoever should have kept from it. */
		if (off >= h->size)
			return 0;
		done = remote_window_read(h, dst, off, min(n, h->size - off), true);
		*end = off + done == h->size;
		return (int64_t)done;
	}
	size = atomic_load_explicit(&h->reach, memory_order_relaxed);
	/* Of a page with none behind it, the host alone knows where it ends. */
	if (off >= size || n >= size || page_up(off + n) >= size)
		return 0;
	return (int64_t)remote_window_read(h, dst, off, n, false);
}

static int64_t
remote_pread(struct file *f, struct task *t, struct iobuf *dst, int64_t off)
{
	struct remote_file *rf = container_of(f, struct remote_file, file);
	bool end;
	uint64_t size;
	int64_t done = read_mapped(f, dst, (uint64_t)off, &end);

	(void)t;
	if (end)
		return done;
	while (iob_left(dst) > 0) {
		int64_t n = iob_from_host(dst, rf->hf->fd, off + done, iob_left(dst));

		if (n < 0)
			return done ? done : n;
		if (n == 0)
			break;
		done += n;
		reached(rf->hf, off + done);
		/* Likely the end; a file that grows meanwhile is read on the next call. */
		mutex_lock(f->inode->attr_mu);
		size = f->inode->attr.size;
		mutex_unlock(f->inode->attr_mu);
		if ((uint64_t)(off + done) >= size)
			break;
	}
	return done;
}

/* Where an append goes. */
static int64_t
end_of_file(struct remote_inode *r)
{
	struct gofer_getattr_req q = { .fid = r->fid };
	struct gofer_getattr_rep rep;
	struct remote_io io = REMOTE_IO(&q, &rep);
	int err = remote_call(GOFER_getattr, &io);

	return err ? err : rep.st.size > INT64_MAX ? -EIO : (int64_t)rep.st.size;
}

/*
 * Asks where the end is and writes there, with the inode locked so that appends do not overlap.
 * The bytes are fetched first: nothing is copied from a guest under a lock.
 */
static int64_t
remote_append(struct file *f, struct iobuf *src)
{
	struct remote_file *rf = container_of(f, struct remote_file, file);
	struct inode *i = f->inode;
	uint64_t want = min(iob_left(src), (uint64_t)APPEND_MAX);
	AUTO_FREE char *buf = mem_alloc(want);
	int64_t got, n, end;

	if (buf == NULL)
		return -ENOMEM;
	got = iob_get(src, buf, want);
	if (got <= 0)
		return got;
	mutex_lock(&i->mu);
	end = end_of_file(remote_of(i));
	n = end < 0 ? end : host_pwrite(rf->hf->fd, buf, (size_t)got, end);
	mutex_unlock(&i->mu);
	if (n < got)
		iob_revert(src, (uint64_t)(got - max(n, (int64_t)0)));
	if (n > 0)
		file_appended(f, end + n);
	return n;
}

static int64_t
remote_pwrite(struct file *f, struct task *t, struct iobuf *src, int64_t off)
{
	struct remote_file *rf = container_of(f, struct remote_file, file);
	bool append = atomic_load(&f->flags) & O_APPEND;
	int64_t done = 0;

	(void)t;
	while (iob_left(src) > 0) {
		int64_t n = append ? remote_append(f, src) :
		    iob_to_host(src, rf->hf->fd, off + done, iob_left(src));

		if (n < 0)
			return done ? done : n;
		if (n == 0)
			break;
		done += n;
		if (!append)
			reached(rf->hf, off + done);
	}
	return done;
}

static int
remote_fsync(struct file *f, struct task *t, bool data_only)
{
	struct gofer_fsync_req q = { .fid = remote_of(f->inode)->fid, .data_only = data_only };
	struct gofer_fsync_rep r;
	struct remote_io io = REMOTE_IO(&q, &r);

	(void)t;
	/* What was never written needs no disk. */
	if (remote_super_of(f->inode)->readonly)
		return 0;
	return remote_call(GOFER_fsync, &io);
}

static int64_t
remote_fallocate(struct file *f, struct task *t, uint32_t mode, int64_t off, int64_t len)
{
	struct gofer_fallocate_req q = { .fid = remote_of(f->inode)->fid, .mode = mode,
	    .off = (uint64_t)off, .len = (uint64_t)len };
	struct gofer_fallocate_rep r;
	struct remote_io io = REMOTE_IO(&q, &r);
	int err;

	(void)t;
	err = remote_call(GOFER_fallocate, &io);
	if (!err)
		remote_attr_update(remote_of(f->inode), &r.st);
	return err;
}

static void
remote_file_free(struct file *f)
{
	struct remote_file *rf = container_of(f, struct remote_file, file);

	fds_close(remote_of(f->inode));
	hostfile_put(rf->hf);
	file_fini(f);
	obj_free(remote_file, rf);
}

static const struct file_ops remote_file_ops = {
	.kind = "gofer file",
	.read = file_read_pos,
	.write = file_write_pos,
	.pread = remote_pread,
	.pwrite = remote_pwrite,
	.seek = file_seek_size,
	.readdir = file_no_readdir,
	.ready = file_always_ready,
	.ioctl = file_no_ioctl,
	.mmap = remote_mmap,
	.fsync = remote_fsync,
	.truncate = file_truncate_inode,
	.fallocate = remote_fallocate,
	.setflags = file_any_flags,
	.flush = file_no_flush,
	.free = remote_file_free,
};

int
remote_open(struct task *t, struct inode *i, uint32_t flags, struct file **out)
{
	bool write = (flags & O_ACCMODE) != O_RDONLY;
	struct remote_file *rf;
	struct hostfile *h = NULL;
	int err;

	if (S_ISDIR(i->type))
		return remote_dir_open(t, i, flags, out);
	if (!S_ISREG(i->type))
		return -ENXIO;
	if (write && remote_super_of(i)->readonly)
		return -EROFS;
	err = fds_open(remote_of(i), write, &h);
	if (err)
		return err;
	rf = obj_new(remote_file);
	if (rf == NULL) {
		fds_close(remote_of(i));
		hostfile_put(h);
		return -ENOMEM;
	}
	file_init(&rf->file, &remote_file_ops, i, flags);
	rf->hf = h;
	*out = &rf->file;
	return 0;
}
