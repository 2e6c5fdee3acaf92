/*
 * pipe: pipes and FIFOs.  pipe(7), fifo(7).
 *
 * A pipe is a ring of pages, each made at its first use and kept until the pipe goes.  rpos and wpos count
 * bytes; both go back to 0 when a write finds the pipe empty, so that a pipe used for small messages stays in
 * one page.  Only the holder of rmu moves rpos forward and only the holder of wmu moves wpos or makes pages, so each
 * side copies from and to guest memory without mu; what lies between the two belongs to the reader,
 * the rest to the writer.  mu covers the numbers.
 *
 * rmu and wmu have the outermost rank, since a copy can fault and take nearly anything.  In packet mode
 * (O_DIRECT) a small table remembers where each packet begins and ends.
 */
#include "fs/pipe.h"

#include <asm/ioctls.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <poll.h>
#include <string.h>
#include <sys/stat.h>

#include "abi/errno.h"
#include "base/kmem.h"
#include "base/strbuf.h"
#include "sentry/kernel/task.h"
#include "sentry/kernel/user.h"
#include "sentry/mm/usercopy.h"
#include "sentry/syscall/syscall.h"
#include "sentry/vfs/fdtable.h"
#include "sentry/vfs/file.h"
#include "sentry/vfs/super.h"

#define DEFAULT_PAGES	16U
#define LEAST_PAGES	2U		/* of a new one, for a user who has too much already */
#define MAX_SIZE	(1U << 20)	/* /proc/sys/fs/pipe-max-size */
#define USER_PAGES	16384U		/* /proc/sys/fs/pipe-user-pages-soft */
#define ATOMIC_SIZE	4096U		/* PIPE_BUF: a write of this much is never split */

#define IN_EVENTS	(POLLIN | POLLRDNORM)
#define OUT_EVENTS	(POLLOUT | POLLWRNORM)

struct page { char bytes[PAGE_SIZE]; };
struct packet { uint64_t start, end; };

/* Held by each of its open files; an inode only borrows it, and forgets it with the last file. */
struct pipe {
	struct ref	 ref;
	struct mutex	 rmu, wmu;	/* rank pos: the reading and the writing side while they copy */
	struct mutex	 mu;		/* rank object */
	struct waitq	 wq;
	struct page	**pages;	/* changes under rmu, wmu and mu together; npages slots */
	uint32_t	 npages;	/* a power of two */
	uint64_t	 rpos, wpos;	/* [m] */
	struct packet	*packets;	/* [m] npages slots; NULL until packet mode is used */
	uint32_t	 first_packet, npackets; /* [m] */
	uint32_t	 readers, writers; /* [m] open ends */
	uint32_t	 r_opens, w_opens; /* [m] ever: an open that waits looks for a change */
	uint32_t	 files;		/* [inode] open files of its inode */
	struct user	*user;		/* [I] counted: has npages on its account */
	bool		 peeking;	/* [m] a splice has bytes in hand */
};

struct pipe_file {
	struct file	 file;		/* first */
	struct pipe	*pipe;		/* [I] counted */
	bool		 fresh;		/* [I] no POLLHUP until a writer came after w_seen */
	uint32_t	 w_seen;	/* [I] */
};

KMEM_CACHE(pipe);
KMEM_CACHE(pipe_file);
KMEM_CACHE(page);

static const struct file_ops pipe_ops;

static struct pipe *
pipe_of(const struct file *f)
{
	return container_of(f, struct pipe_file, file)->pipe;
}

bool
file_is_pipe(const struct file *f)
{
	return f->ops == &pipe_ops;
}

static uint64_t
capacity(const struct pipe *p)
{
	return p->npages * PAGE_SIZE;
}

/* Takes n pages more for u, or says that t may not. */
static bool
account(struct task *t, struct user *u, uint32_t n)
{
	uint32_t have = atomic_fetch_add(&u->pipe_pages, n) + n;

	if (have <= USER_PAGES || task_capable(t, CAP_SYS_RESOURCE) || task_capable(t, CAP_SYS_ADMIN))
		return true;
	atomic_fetch_sub(&u->pipe_pages, n);
	return false;
}

static struct pipe *
pipe_new(struct task *t)
{
	struct pipe *p = obj_new(pipe);

	if (p == NULL)
		return NULL;
	p->npages = DEFAULT_PAGES;
	p->pages = mem_alloc(p->npages * sizeof *p->pages);
	p->user = user_get_uid(task_cred(t)->uid);
	if (p->pages == NULL || p->user == NULL) {
		user_put(p->user);
		mem_free(p->pages);
		obj_free(pipe, p);
		return NULL;
	}
	if (!account(t, p->user, DEFAULT_PAGES)) {
		p->npages = LEAST_PAGES;
		atomic_fetch_add(&p->user->pipe_pages, LEAST_PAGES);
	}
	ref_init(&p->ref, OBJ_pipe);
	mutex_init(&p->rmu, RANK_pos);
	mutex_init(&p->wmu, RANK_pos);
	mutex_init(&p->mu, RANK_object);
	waitq_init(&p->wq);
	return p;
}

void
pipe_release(struct pipe *p)
{
	for (uint32_t i = 0; i < p->npages; i++)
		obj_free(page, p->pages[i]);
	atomic_fetch_sub(&p->user->pipe_pages, p->npages);
	user_put(p->user);
	mem_free(p->pages);
	mem_free(p->packets);
	mutex_fini(&p->rmu);
	mutex_fini(&p->wmu);
	mutex_fini(&p->mu);
	obj_free(pipe, p);
}

/* ---- reading --------------------------------------------------------------- */

/* What the next read may take; -EAGAIN, 0 at the end. *whole: bytes that go away with it (a packet's rest). */
static int64_t
readable_locked(const struct pipe *p, uint64_t want, uint64_t *whole)
{
	uint64_t n = p->wpos - p->rpos;
	const struct packet *k = p->npackets ? &p->packets[p->first_packet] : NULL;

	if (p->peeking)
		return -EAGAIN;
	if (n == 0)
		return p->writers ? -EAGAIN : 0;
	if (k && k->start == p->rpos) {
		*whole = k->end - k->start;
		return (int64_t)min(*whole, want);
	}
	if (k)
		n = k->start - p->rpos;
	return (int64_t)(*whole = min(n, want));
}

/* Copies [pos, pos + n) out; rmu held. Bytes moved, or -EFAULT.  A page's share goes whole or not at all, as on Linux. */
static int64_t
copy_from_ring(struct pipe *p, uint64_t pos, uint64_t n, struct iobuf *dst)
{
	uint64_t done = 0;

	while (done < n) {
		uint64_t at = (pos + done) % PAGE_SIZE, chunk = min(n - done, PAGE_SIZE - at);
		struct page *page = p->pages[(pos + done) / PAGE_SIZE & (p->npages - 1)];
		int64_t got = iob_put(dst, page->bytes + at, chunk);

		if (got >= 0 && (uint64_t)got < chunk) {
			iob_revert(dst, (uint64_t)got);
			got = -EFAULT;
		}
		if (got < 0)
			return done ? (int64_t)done : got;
		done += chunk;
	}
	return (int64_t)done;
}

/* Moves rpos over n bytes that were read; says whether writers may go on. */
static bool
consume_locked(struct pipe *p, uint64_t n)
{
	p->rpos += n;
	while (p->npackets && p->packets[p->first_packet].end <= p->rpos) {
		p->first_packet = (p->first_packet + 1) & (p->npages - 1);
		p->npackets--;
	}
	/* A splice may take the beginning of a packet: the rest is one still. */
	if (p->npackets && p->packets[p->first_packet].start < p->rpos)
		p->packets[p->first_packet].start = p->rpos;
	return capacity(p) - (p->wpos - p->rpos) >= ATOMIC_SIZE;
}

static int64_t
pipe_read(struct file *f, struct task *t, struct iobuf *dst)
{
	struct pipe *p = pipe_of(f);
	uint64_t whole = 0, pos, want;
	int64_t n, done = 0;
	bool room = false, packet;

	(void)t;
	if (iob_left(dst) == 0)
		return 0;
	mutex_lock(&p->rmu);
	do {
		mutex_lock(&p->mu);
		n = readable_locked(p, iob_left(dst), &whole);
		pos = p->rpos;
		packet = p->npackets && p->packets[p->first_packet].start == pos;
		mutex_unlock(&p->mu);
		if (n <= 0 || (done && packet))
			break;
		want = (uint64_t)n;
		n = copy_from_ring(p, pos, want, dst);
		if (n > 0 && packet && (uint64_t)n < want) {
			iob_revert(dst, (uint64_t)n);
			n = -EFAULT;
		}
		if (n <= 0)
			break;
		done += n;
		mutex_lock(&p->mu);
		room = consume_locked(p, packet ? whole : (uint64_t)n);
		mutex_unlock(&p->mu);
	} while (iob_left(dst) > 0 && !packet);
	mutex_unlock(&p->rmu);
	if (room)
		waitq_wake(&p->wq, OUT_EVENTS);
	return done ? done : n;
}

int64_t
pipe_peek(struct file *f, void *buf, uint64_t n)
{
	struct pipe *p = pipe_of(f);
	uint64_t whole = 0, pos;
	struct iobuf b;
	int64_t got;

	mutex_lock(&p->rmu);
	mutex_lock(&p->mu);
	got = readable_locked(p, n, &whole);
	pos = p->rpos;
	if (got > 0)
		p->peeking = true;
	mutex_unlock(&p->mu);
	if (got > 0) {
		iob_init_kernel(&b, buf, (uint64_t)got);
		got = copy_from_ring(p, pos, (uint64_t)got, &b);
		iob_fini(&b);
	}
	mutex_unlock(&p->rmu);
	return got;
}

void
pipe_peek_end(struct file *f, uint64_t used)
{
	struct pipe *p = pipe_of(f);
	bool room;

	mutex_lock(&p->mu);
	p->peeking = false;
	room = consume_locked(p, used);
	mutex_unlock(&p->mu);
	/* Readers that came meanwhile were turned away. */
	waitq_wake(&p->wq, room && used ? IN_EVENTS | OUT_EVENTS : IN_EVENTS);
}

/* ---- writing --------------------------------------------------------------- */

/* How much of `want` bytes fits now; -EAGAIN, -EPIPE. */
static int64_t
writable_locked(struct pipe *p, uint64_t want, bool packet)
{
	uint64_t room;

	if (p->readers == 0)
		return -EPIPE;
	if (p->rpos == p->wpos)
		p->rpos = p->wpos = 0;
	room = capacity(p) - (p->wpos - p->rpos);
	/* A larger write begins when a page is free, as on Linux, and as waiting writers are woken. */
	if (room < min(want, (uint64_t)ATOMIC_SIZE) || (packet && p->npackets == p->npages))
		return -EAGAIN;
	if (packet)
		want = min(want, (uint64_t)ATOMIC_SIZE);
	return (int64_t)min(want, room);
}

/*
 * How much of a write of total bytes at pos counts when only the first good of them could be read.  Linux writes page by
 * page, each whole or not at all; first, if it fits into the page in use, what makes the rest a number of pages.
 */
static uint64_t
good_pages(uint64_t pos, uint64_t total, uint64_t good)
{
	uint64_t first = total % PAGE_SIZE, used = pos % PAGE_SIZE;

	if (used == 0 || used + first > PAGE_SIZE)
		first = 0;
	return good < first ? 0 : first + page_down(good - first);
}

/* Copies n bytes in at pos, making pages; wmu held. Bytes moved, or -errno. */
static int64_t
copy_to_ring(struct pipe *p, uint64_t pos, uint64_t n, struct iobuf *src)
{
	uint64_t done = 0, total = iob_left(src);

	while (done < n) {
		uint64_t at = (pos + done) % PAGE_SIZE, chunk = min(n - done, PAGE_SIZE - at);
		struct page **slot = &p->pages[(pos + done) / PAGE_SIZE & (p->npages - 1)];
		int64_t got;

		if (*slot == NULL)
			*slot = obj_new(page);
		if (*slot == NULL)
			return done ? (int64_t)done : -ENOMEM;
		got = iob_get(src, (*slot)->bytes + at, chunk);
		done += got < 0 ? 0 : (uint64_t)got;
		if (got < 0 || (uint64_t)got < chunk) {
			uint64_t keep = good_pages(pos, total, done);

			iob_revert(src, done - keep);
			return keep ? (int64_t)keep : -EFAULT;
		}
	}
	return (int64_t)done;
}

/* The table of packets, before the first one. */
static int
packets_ready(struct pipe *p)
{
	struct packet *table;

	if (p->packets)
		return 0;
	table = mem_alloc(p->npages * sizeof *table);
	if (table == NULL)
		return -ENOMEM;
	mutex_lock(&p->mu);
	p->packets = table;
	mutex_unlock(&p->mu);
	return 0;
}

static int64_t
pipe_write(struct file *f, struct task *t, struct iobuf *src)
{
	struct pipe *p = pipe_of(f);
	bool packet = f->flags & O_DIRECT;
	int64_t n, want;
	uint64_t pos;

	(void)t;
	if (iob_left(src) == 0)
		return 0;
	mutex_lock(&p->wmu);
	n = packet ? packets_ready(p) : 0;
	if (n) {
		mutex_unlock(&p->wmu);
		return n;
	}
	mutex_lock(&p->mu);
	n = writable_locked(p, iob_left(src), packet);
	pos = p->wpos;
	mutex_unlock(&p->mu);
	if (n > 0) {
		want = n;
		n = copy_to_ring(p, pos, (uint64_t)want, src);
		if (n > 0 && packet && n < want) {
			iob_revert(src, (uint64_t)n);
			n = -EFAULT;
		}
	}
	if (n > 0) {
		mutex_lock(&p->mu);
		p->wpos = pos + (uint64_t)n;
		if (packet) {
			p->packets[(p->first_packet + p->npackets) & (p->npages - 1)] =
			    (struct packet){ pos, p->wpos };
			p->npackets++;
		}
		mutex_unlock(&p->mu);
	}
	mutex_unlock(&p->wmu);
	if (n > 0)
		waitq_wake(&p->wq, IN_EVENTS);
	return n;
}

uint64_t
pipe_room(struct file *f)
{
	struct pipe *p = pipe_of(f);
	uint64_t room;

	mutex_lock(&p->mu);
	room = capacity(p) - (p->wpos - p->rpos);
	mutex_unlock(&p->mu);
	return room;
}

/* ---- the rest of an open end ----------------------------------------------- */

static uint32_t
pipe_ready(struct file *f, uint32_t events)
{
	const struct pipe_file *pf = container_of(f, struct pipe_file, file);
	struct pipe *p = pf->pipe;
	uint32_t got = 0;

	(void)events;
	mutex_lock(&p->mu);
	if (f->mode & FMODE_READ) {
		if (p->wpos != p->rpos && !p->peeking)
			got |= IN_EVENTS;
		if (p->writers == 0 && !(pf->fresh && p->w_opens == pf->w_seen))
			got |= POLLHUP;
	}
	if (f->mode & FMODE_WRITE) {
		if (capacity(p) - (p->wpos - p->rpos) >= ATOMIC_SIZE && p->npackets < p->npages)
			got |= OUT_EVENTS;
		if (p->readers == 0)
			got |= POLLERR;
	}
	mutex_unlock(&p->mu);
	return got;
}

static int64_t
pipe_ioctl(struct file *f, struct task *t, uint32_t cmd, gaddr_t arg)
{
	struct pipe *p = pipe_of(f);
	uint64_t n;

	if (cmd != FIONREAD)
		return -ENOTTY;
	mutex_lock(&p->mu);
	n = p->wpos - p->rpos;
	mutex_unlock(&p->mu);
	return put_u32(t, arg, (uint32_t)n);
}

/* Leaves the inode: with its last file a FIFO's data is gone. */
static void
inode_forget(struct inode *i, struct pipe *p)
{
	mutex_lock(&i->mu);
	if (--p->files == 0)
		i->endpoint = NULL;
	mutex_unlock(&i->mu);
}

static void
ends_drop(struct pipe *p, uint32_t mode)
{
	mutex_lock(&p->mu);
	if (mode & FMODE_READ)
		p->readers--;
	if (mode & FMODE_WRITE)
		p->writers--;
	mutex_unlock(&p->mu);
	waitq_wake(&p->wq, 0);
}

static void
pipe_file_free(struct file *f)
{
	struct pipe_file *pf = container_of(f, struct pipe_file, file);
	struct pipe *p = pf->pipe;

	inode_forget(f->inode, p);
	ends_drop(p, f->mode);
	file_fini(f);
	pipe_put(p);
	obj_free(pipe_file, pf);
}

static const struct file_ops pipe_ops = {
	.kind = "pipe",
	.read = pipe_read,
	.write = pipe_write,
	.pread = file_no_pread,
	.pwrite = file_no_pwrite,
	.seek = file_no_seek,
	.readdir = file_no_readdir,
	.ready = pipe_ready,
	.ioctl = pipe_ioctl,
	.mmap = file_no_mmap,
	.fsync = file_no_fsync,
	.truncate = file_no_truncate,
	.fallocate = file_no_fallocate,
	.setflags = file_any_flags,
	.flush = file_no_flush,
	.free = pipe_file_free,
};

/* An open file over p (its reference is taken); the counts of ends are the caller's. */
static struct pipe_file *
pipe_file_new(struct pipe *p, struct inode *i, uint32_t flags)
{
	struct pipe_file *pf = obj_new(pipe_file);

	if (pf == NULL)
		return NULL;
	file_init(&pf->file, &pipe_ops, i, flags);
	pf->pipe = p;
	pf->file.wq = &p->wq;
	return pf;
}

/* ---- FIFOs ----------------------------------------------------------------- */

/* The pipe of a FIFO, counted, with its count of files raised. */
static int
inode_pipe(struct task *t, struct inode *i, struct pipe **out)
{
	struct pipe *p;

	mutex_lock(&i->mu);
	p = i->endpoint;
	if (p == NULL) {
		p = pipe_new(t);
		i->endpoint = p;
	} else {
		pipe_get(p);
	}
	if (p)
		p->files++;
	mutex_unlock(&i->mu);
	if (p == NULL)
		return -ENOMEM;
	*out = p;
	return 0;
}

/* Waits until the other side has been opened since `seen`. */
static int
wait_partner(struct task *t, struct pipe *p, const uint32_t *opens, uint32_t seen)
{
	struct waiter w;
	int err = 0;

	waiter_arm(&w, t, &p->wq, 0);
	for (;;) {
		bool came;

		mutex_lock(&p->mu);
		came = *opens != seen;
		mutex_unlock(&p->mu);
		if (came)
			break;
		err = task_sleep(t, NO_DEADLINE);
		if (err)
			break;
	}
	waiter_disarm(&w);
	return err;
}

/* Counts the ends of f and waits for a partner as fifo(7) says. */
static int
fifo_join(struct task *t, struct pipe_file *pf, uint32_t flags)
{
	struct pipe *p = pf->pipe;
	uint32_t mode = pf->file.mode & (FMODE_READ | FMODE_WRITE), seen = 0;
	const uint32_t *await = NULL;
	int err;

	mutex_lock(&p->mu);
	if (mode == FMODE_WRITE && (flags & O_NONBLOCK) && p->readers == 0) {
		mutex_unlock(&p->mu);
		return -ENXIO;
	}
	if (mode & FMODE_READ) {
		p->readers++;
		p->r_opens++;
	}
	if (mode & FMODE_WRITE) {
		p->writers++;
		p->w_opens++;
	}
	if (mode == FMODE_READ && p->writers == 0) {
		pf->fresh = (flags & O_NONBLOCK) && pf->file.inode->super != &anon_super;
		pf->w_seen = seen = p->w_opens;
		await = &p->w_opens;
	} else if (mode == FMODE_WRITE && p->readers == 0) {
		seen = p->r_opens;
		await = &p->r_opens;
	}
	mutex_unlock(&p->mu);
	waitq_wake(&p->wq, 0);
	/* A pipe(2) opened again through /proc waits for nobody. */
	if (await == NULL || (flags & O_NONBLOCK) || pf->file.inode->super == &anon_super)
		return 0;
	err = wait_partner(t, p, await, seen);
	if (err)
		ends_drop(p, mode);
	return err;
}

int
fifo_open(struct task *t, struct inode *i, uint32_t flags, struct file **out)
{
	struct pipe_file *pf;
	struct pipe *p;
	int err = inode_pipe(t, i, &p);

	if (err)
		return err;
	pf = pipe_file_new(p, i, flags);
	err = pf ? fifo_join(t, pf, flags) : -ENOMEM;
	if (err) {
		inode_forget(i, p);
		if (pf)
			file_fini(&pf->file);
		obj_free(pipe_file, pf);
		pipe_put(p);
		return err;
	}
	*out = &pf->file;
	return 0;
}

/* ---- pipe(2) --------------------------------------------------------------- */

int
pipe_new_pair(struct task *t, uint32_t flags, struct file **rd, struct file **wr)
{
	AUTO_PUT(inode) i = NULL;
	AUTO_PUT(file) a = NULL;
	AUTO_PUT(file) b = NULL;
	struct pipe_file *pf;
	struct pipe *p;
	char name[32];
	struct strbuf sb = STRBUF(name, sizeof name);
	int err = inode_new_anon(S_IFIFO | 0600, &i);

	if (err)
		return err;
	i->attr.uid = task_cred(t)->fsuid;
	i->attr.gid = task_cred(t)->fsgid;
	sb_printf(&sb, "pipe:[%llu]", (unsigned long long)i->attr.ino);
	for (int n = 0; n < 2; n++) {
		err = inode_pipe(t, i, &p);
		if (err)
			return err;
		pf = pipe_file_new(p, i, (n == 0 ? O_RDONLY : O_WRONLY) | flags);
		if (pf == NULL) {
			inode_forget(i, p);
			pipe_put(p);
			return -ENOMEM;
		}
		mutex_lock(&p->mu);
		if (n == 0)
			p->readers++;
		else
			p->writers++;
		mutex_unlock(&p->mu);
		if (n == 0)
			a = &pf->file;
		else
			b = &pf->file;
		err = file_set_anon(&pf->file, name, i);
		if (err)
			return err;
	}
	*rd = steal(&a);
	*wr = steal(&b);
	return 0;
}

int64_t
sys_pipe2(struct task *t, gaddr_t fds, int32_t flags)
{
	AUTO_PUT(file) rd = NULL;
	AUTO_PUT(file) wr = NULL;
	int32_t fd[2];
	int err;

	if (flags & ~(O_CLOEXEC | O_NONBLOCK | O_DIRECT))
		return -EINVAL;
	err = pipe_new_pair(t, (uint32_t)flags & (O_NONBLOCK | O_DIRECT), &rd, &wr);
	if (!err)
		err = fd_install_pair(t, rd, wr, flags & O_CLOEXEC ? FD_CLOEXEC : 0, fd);
	if (err)
		return err;
	err = copy_out(t, fds, fd, sizeof fd);
	if (err) {
		/* Another thread may have closed them already: then there is nothing to undo. */
		if (fd_close(t, fd[0]) || fd_close(t, fd[1]))
			return err;
	}
	return err;
}

int64_t
sys_pipe(struct task *t, gaddr_t fds)
{
	return sys_pipe2(t, fds, 0);
}

/* ---- size ------------------------------------------------------------------ */

int64_t
pipe_get_size(struct file *f)
{
	struct pipe *p;
	uint64_t size;

	if (!file_is_pipe(f))
		return -EBADF;
	p = pipe_of(f);
	mutex_lock(&p->mu);
	size = capacity(p);
	mutex_unlock(&p->mu);
	return (int64_t)size;
}

/* A ring of n pages with p's bytes at its beginning; both sides and mu held. */
static int
resize_locked(struct pipe *p, uint32_t n)
{
	struct page **pages = mem_alloc(n * sizeof *pages);
	struct packet *packets = p->packets ? mem_alloc(n * sizeof *packets) : NULL;
	uint64_t used = p->wpos - p->rpos;
	uint32_t made = 0;
	bool ok = pages && (packets || !p->packets);

	for (uint64_t done = 0; ok && done < used; ) {
		uint64_t from = p->rpos + done, at = done % PAGE_SIZE;
		uint64_t chunk = min(used - done, PAGE_SIZE - at);

		chunk = min(chunk, PAGE_SIZE - from % PAGE_SIZE);
		if (at == 0)
			pages[made++] = obj_new(page);
		ok = pages[made - 1] != NULL;
		if (ok)
			memcpy(pages[made - 1]->bytes + at,
			    p->pages[from / PAGE_SIZE & (p->npages - 1)]->bytes + from % PAGE_SIZE, chunk);
		done += chunk;
	}
	if (!ok) {
		while (made > 0)
			obj_free(page, pages[--made]);
		mem_free(pages);
		mem_free(packets);
		return -ENOMEM;
	}
	for (uint32_t i = 0; i < p->npackets; i++) {
		packets[i] = p->packets[(p->first_packet + i) & (p->npages - 1)];
		packets[i].start -= p->rpos;
		packets[i].end -= p->rpos;
	}
	for (uint32_t i = 0; i < p->npages; i++)
		obj_free(page, p->pages[i]);
	mem_free(p->pages);
	mem_free(p->packets);
	p->pages = pages;
	p->packets = packets;
	p->first_packet = 0;
	p->npages = n;
	p->rpos = 0;
	p->wpos = used;
	return 0;
}

/* The same, and gives back what is not used then: the more that was taken, or the less that is left. */
static int
account_resize_locked(struct pipe *p, uint32_t n)
{
	uint32_t was = p->npages;
	int err = resize_locked(p, n);

	if (err && n > was)
		atomic_fetch_sub(&p->user->pipe_pages, n - was);
	if (!err && n < was)
		atomic_fetch_sub(&p->user->pipe_pages, was - n);
	return err;
}

int64_t
pipe_set_size(struct task *t, struct file *f, uint64_t size)
{
	struct pipe *p;
	uint32_t n = 1;
	int err = 0;

	if (!file_is_pipe(f))
		return -EBADF;
	if (size > INT32_MAX)
		return -EINVAL;
	while (n * PAGE_SIZE < size)
		n *= 2;
	if (size > MAX_SIZE && !task_capable(t, CAP_SYS_RESOURCE))
		return -EPERM;
	p = pipe_of(f);
	mutex_lock_pair(&p->rmu, &p->wmu);
	mutex_lock(&p->mu);
	if (p->wpos - p->rpos > n * PAGE_SIZE || p->npackets > n || p->peeking)
		err = -EBUSY;
	else if (n > p->npages && !account(t, p->user, n - p->npages))
		err = -EPERM;
	else if (n != p->npages)
		err = account_resize_locked(p, n);
	mutex_unlock(&p->mu);
	mutex_unlock_pair(&p->rmu, &p->wmu);
	if (err)
		return err;
	waitq_wake(&p->wq, OUT_EVENTS);
	return (int64_t)(n * PAGE_SIZE);
}
