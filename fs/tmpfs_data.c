/*
 * tmpfs_data: the bytes of a file in memory: extents of the memory file.
 *
 * An extent's tail may have room that is not yet part of the file, so that a file which grows
 * stays contiguous and is mapped in few pieces.  Bytes are copied without the lock: a pin keeps pages that
 * a truncation took away from being given to another file until the copy is done.
 */
#include <fcntl.h>
#include <string.h>

#include "base/kmem.h"
#include "fs/tmpfs.h"
#include "sentry/kernel/task.h"
#include "sentry/mm/iobuf.h"
#include "sentry/mm/pages.h"

#define CHUNK_MAX	(4ULL << 20)	/* room taken in advance */
#define PIECE_MAX	(64ULL << 20)	/* of one allocation */
#define HOLE_MIN	(64ULL << 10)	/* zeros of a copy that are left out */
#define HOLE_FILL	(2ULL << 20)	/* what a mapping fills at a time */
#define APPEND_MAX	(1ULL << 20)	/* bytes of one append that land together */

struct extent {
	struct tree_node node;
	struct list	 link;		/* among those to be freed */
	uint64_t	 start, len;	/* in the file, in pages' bytes */
	uint64_t	 off, cap;	/* in the memory file; cap >= len */
};
KMEM_CACHE(extent);
KMEM_CACHE(tmpfs_data);

static int
cmp_extents(const struct tree_node *a, const struct tree_node *b)
{
	uint64_t x = container_of(a, struct extent, node)->start;
	uint64_t y = container_of(b, struct extent, node)->start;

	return x < y ? -1 : x > y;
}

static int
cmp_offset(const void *key, const struct tree_node *n)
{
	uint64_t off, start = container_of(n, struct extent, node)->start;

	memcpy(&off, key, sizeof off);
	return off < start ? -1 : off > start;
}

/* The last extent that begins at or before off, or NULL. */
static struct extent *
extent_le(const struct tmpfs_data *d, uint64_t off)
{
	return tree_entry(tree_find_le(&d->extents, &off, cmp_offset), struct extent, node);
}

static struct extent *
extent_ge(const struct tmpfs_data *d, uint64_t off)
{
	return tree_entry(tree_find_ge(&d->extents, &off, cmp_offset), struct extent, node);
}

/* The one that holds off, or NULL. */
static struct extent *
extent_at(const struct tmpfs_data *d, uint64_t off)
{
	struct extent *e = extent_le(d, off);

	return e != NULL && off - e->start < e->len ? e : NULL;
}

/* ---- accounting ---------------------------------------------------------------------- */

/* Takes up to bytes from the mount's allowance; what there was left of it. */
static uint64_t
charge(struct tmpfs_acct *a, uint64_t bytes)
{
	uint64_t want = bytes >> PAGE_SHIFT, used = atomic_load(&a->pages), n;

	do {
		n = want;
		if (a->max_pages != 0)
			n = used >= a->max_pages ? 0 : min(n, a->max_pages - used);
	} while (n != 0 && !atomic_compare_exchange_weak(&a->pages, &used, used + n));
	return n << PAGE_SHIFT;
}

static void
uncharge(struct tmpfs_acct *a, uint64_t bytes)
{
	atomic_fetch_sub(&a->pages, bytes >> PAGE_SHIFT);
}

/* ---- allocation: mu held ------------------------------------------------------------------- */

/* A new extent for the hole at `at`, of need bytes; it may take more room. */
static int
extent_new(struct tmpfs_data *d, uint64_t at, uint64_t need, bool last, struct extent *prev)
{
	uint64_t ahead = min(d->pages << PAGE_SHIFT, CHUNK_MAX);
	uint64_t cap = last ? max(need, ahead) : need, off;
	struct extent *e;
	int err = pages_alloc(cap, &off);

	if (err && cap > need) {
		cap = need;
		err = pages_alloc(cap, &off);
	}
	if (err)
		return -ENOSPC;
	if (prev != NULL && prev->start + prev->len == at && prev->len == prev->cap &&
	    prev->off + prev->cap == off) {
		prev->cap += cap;
		prev->len += need;
		return 0;
	}
	e = obj_new(extent);
	if (e == NULL) {
		pages_free(off, cap);
		return -ENOMEM;
	}
	list_init(&e->link);
	e->start = at;
	e->len = need;
	e->off = off;
	e->cap = cap;
	BUG_ON(tree_insert(&d->extents, &e->node) != 0);
	return 0;
}

/* Makes at least a first piece of [off, off+len) real. */
static int
fill_hole(struct tmpfs_data *d, uint64_t off, uint64_t len)
{
	uint64_t at = page_down(off), need, room;
	struct extent *prev = extent_le(d, off), *next = extent_ge(d, at);
	int err;

	need = min(page_up(off + len) - at, PIECE_MAX);
	if (next != NULL)
		need = min(need, next->start - at);
	need = charge(d->acct, need);
	if (need == 0)
		return -ENOSPC;
	room = prev != NULL && prev->start + prev->len == at ? min(prev->cap - prev->len, need) : 0;
	if (room != 0) {
		/* The rest of what was charged comes with the next piece. */
		uncharge(d->acct, need - room);
		prev->len += room;
		d->pages += room >> PAGE_SHIFT;
		return 0;
	}
	/* The memory file may be nearly full, or in pieces: less is better than nothing. */
	while ((err = extent_new(d, at, need, next == NULL, prev)) == -ENOSPC && need > PAGE_SIZE) {
		uint64_t half = page_up(need / 2);

		uncharge(d->acct, need - half);
		need = half;
	}
	if (err)
		uncharge(d->acct, need);
	else
		d->pages += need >> PAGE_SHIFT;
	return err;
}

/* Where the bytes from off are, and how many lie together (at most len); fills a hole first when asked. */
static int
locate(struct tmpfs_data *d, uint64_t off, uint64_t len, bool fill, char **at, uint64_t *got)
{
	struct extent *e = extent_at(d, off), *next;

	if (e == NULL && fill) {
		int err = fill_hole(d, off, len);

		if (err)
			return err;
		e = extent_at(d, off);
	}
	if (e != NULL) {
		*at = (char *)page_ptr(e->off + (off - e->start));
		*got = min(len, e->start + e->len - off);
		return 0;
	}
	next = extent_ge(d, off);
	*at = NULL;
	*got = next ? min(len, next->start - off) : len;
	return 0;
}

/* ---- release --------------------------------------------------------------------------------- */

static void
free_extents(struct list *l)
{
	struct extent *e, *next;

	list_for_each_safe(e, next, l, link) {
		list_remove(&e->link);
		pages_free(e->off, e->cap);
		obj_free(extent, e);
	}
}

/* Pages of `gone` are unmapped everywhere by now; frees them when no copy is on its way. No lock held. */
static void
release_extents(struct tmpfs_data *d, struct list *gone)
{
	mutex_lock(&d->mu);
	if (d->pins != 0)
		list_splice_back(&d->deferred, gone);
	mutex_unlock(&d->mu);
	free_extents(gone);
}

/* mu held; drops it. */
static void
unpin_unlock(struct tmpfs_data *d)
{
	struct list gone = LIST_INIT(gone);

	if (--d->pins == 0)
		list_splice_back(&gone, &d->deferred);
	mutex_unlock(&d->mu);
	free_extents(&gone);
}

/* Takes the part of e beyond `keep` bytes off it, into gone; memory for that may be missing: then it is only cleared. */
static void
cut_tail(struct tmpfs_data *d, struct extent *e, uint64_t keep, struct list *gone)
{
	struct extent *x = obj_new(extent);

	if (x == NULL) {
		memset((char *)page_ptr(e->off + keep), 0, e->len - keep);
		return;
	}
	list_init(&x->link);
	x->off = e->off + keep;
	x->cap = x->len = e->cap - keep;
	uncharge(d->acct, e->len - keep);
	d->pages -= (e->len - keep) >> PAGE_SHIFT;
	e->len = e->cap = keep;
	list_push_back(gone, &x->link);
}

/* Removes whole pages [start, end) from the file. mu held. */
static void
remove_range(struct tmpfs_data *d, uint64_t start, uint64_t end, struct list *gone)
{
	struct extent *e = extent_at(d, start), *next;

	if (e != NULL && e->start < start) {
		uint64_t e_end = e->start + e->len;

		if (e_end > end) {
			/* A hole inside: what lies behind becomes an extent of its own. */
			struct extent *x = obj_new(extent);

			if (x == NULL) {
				memset((char *)page_ptr(e->off + (start - e->start)), 0, end - start);
				return;
			}
			list_init(&x->link);
			x->start = end;
			x->len = e_end - end;
			x->off = e->off + (end - e->start);
			x->cap = e->cap - (end - e->start);
			e->cap = end - e->start;
			e->len = e->cap;
			BUG_ON(tree_insert(&d->extents, &x->node) != 0);
		}
		cut_tail(d, e, start - e->start, gone);
	}
	for (e = extent_ge(d, start); e != NULL && e->start < end; e = next) {
		uint64_t off = end - e->start;

		next = tree_entry(tree_next(&e->node), struct extent, node);
		if (e->len > off) {
			struct extent *x = obj_new(extent);

			if (x == NULL) {
				memset(page_ptr(e->off), 0, off);
				return;
			}
			/* The head goes, the rest begins at end: order in the tree is kept. */
			list_init(&x->link);
			x->off = e->off;
			x->cap = x->len = off;
			list_push_back(gone, &x->link);
			e->start += off;
			e->off += off;
			e->len -= off;
			e->cap -= off;
			uncharge(d->acct, off);
			d->pages -= off >> PAGE_SHIFT;
			return;
		}
		tree_remove(&d->extents, &e->node);
		uncharge(d->acct, e->len);
		d->pages -= e->len >> PAGE_SHIFT;
		list_push_back(gone, &e->link);
	}
}

/* Zeroes [off, off+len) within one page, if it is there. mu held. */
static void
zero_part(struct tmpfs_data *d, uint64_t off, uint64_t len)
{
	struct extent *e = extent_at(d, off);

	if (e != NULL && len != 0)
		memset((char *)page_ptr(e->off + (off - e->start)), 0, len);
}

/* ---- what files do ----------------------------------------------------------------------------- */

int64_t
tmpfs_data_read(struct tmpfs_data *d, struct iobuf *dst, int64_t off)
{
	uint64_t at = (uint64_t)off;
	int64_t done = 0, n;

	while (iob_left(dst) > 0) {
		uint64_t len;
		char *p;

		mutex_lock(&d->mu);
		if (at >= d->size) {
			mutex_unlock(&d->mu);
			break;
		}
		len = min(iob_left(dst), d->size - at);
		/* Without filling it cannot fail. */
		if (locate(d, at, len, false, &p, &len) != 0)
			len = 0;
		d->pins++;
		mutex_unlock(&d->mu);
		n = p ? iob_put(dst, p, len) : iob_zero(dst, len);
		mutex_lock(&d->mu);
		unpin_unlock(d);
		if (n < 0)
			return done ? done : n;
		done += n;
		at += (uint64_t)n;
		if ((uint64_t)n < len)
			break;
	}
	return done;
}

#define SEAL_ANY_WRITE	(F_SEAL_WRITE | 0x10)	/* F_SEAL_FUTURE_WRITE */

/* A seal's refusal of a change to [.., end). mu held. */
static int
sealed(const struct tmpfs_data *d, uint64_t end)
{
	if (d->seals & SEAL_ANY_WRITE)
		return -EPERM;
	return end > d->size && d->seals & F_SEAL_GROW ? -EPERM : 0;
}

int64_t
tmpfs_data_write(struct tmpfs_data *d, struct iobuf *src, int64_t off)
{
	uint64_t at = (uint64_t)off, end;
	int64_t done = 0, n;

	if (ckd_add(&end, at, iob_left(src)) || end > INT64_MAX)
		return -EFBIG;
	while (iob_left(src) > 0) {
		uint64_t len = iob_left(src);
		char *p;
		int err;

		mutex_lock(&d->mu);
		/* Linux looks at this seal page by page: what still fits is written. */
		if (d->seals & F_SEAL_GROW && at + len > d->size && at < d->size)
			len = min(len, PAGE_SIZE - at % PAGE_SIZE);
		err = sealed(d, at + len);
		if (!err)
			err = locate(d, at, len, true, &p, &len);
		if (err) {
			mutex_unlock(&d->mu);
			return done ? done : err;
		}
		d->pins++;
		mutex_unlock(&d->mu);
		n = iob_get(src, p, len);
		mutex_lock(&d->mu);
		if (n > 0 && at + (uint64_t)n > d->size)
			d->size = at + (uint64_t)n;
		unpin_unlock(d);
		if (n < 0)
			return done ? done : n;
		done += n;
		at += (uint64_t)n;
		if ((uint64_t)n < len)
			break;
	}
	return done;
}

/* One piece at the end, from a kernel buffer. */
static int64_t
append_piece(struct tmpfs_data *d, const char *buf, uint64_t len, int64_t *end)
{
	uint64_t done = 0;
	int err = 0;

	mutex_lock(&d->mu);
	if (d->size > INT64_MAX - len)
		err = -EFBIG;
	if (!err)
		err = sealed(d, d->size + len);
	while (!err && done < len) {
		uint64_t n = len - done;
		char *p;

		err = locate(d, d->size, n, true, &p, &n);
		if (err)
			break;
		memcpy(p, buf + done, n);
		d->size += n;
		done += n;
	}
	*end = (int64_t)d->size;
	mutex_unlock(&d->mu);
	return done ? (int64_t)done : err;
}

int64_t
tmpfs_data_append(struct tmpfs_data *d, struct iobuf *src, int64_t *end)
{
	uint64_t cap = min(iob_left(src), APPEND_MAX);
	AUTO_FREE char *buf = mem_alloc(cap);
	int64_t done = 0, got, n;

	if (buf == NULL)
		return -ENOMEM;
	while (iob_left(src) > 0) {
		/* Fetched first: nothing is copied from a guest under a lock. */
		got = iob_get(src, buf, min(iob_left(src), cap));
		if (got <= 0)
			return done ? done : got;
		n = append_piece(d, buf, (uint64_t)got, end);
		if (n < got)
			iob_revert(src, (uint64_t)(got - max(n, (int64_t)0)));
		if (n < 0)
			return done ? done : n;
		done += n;
		if (n < got)
			break;
	}
	return done;
}

int
tmpfs_data_resize(struct tmpfs_data *d, uint64_t size)
{
	struct list gone = LIST_INIT(gone);
	uint64_t old;
	int err = 0;

	if (size > INT64_MAX)
		return -EFBIG;
	mutex_lock(&d->mu);
	old = d->size;
	if ((size < old && d->seals & F_SEAL_SHRINK) || (size > old && d->seals & F_SEAL_GROW))
		err = -EPERM;
	if (!err) {
		d->size = size;
		if (size <= old) {
			zero_part(d, size, page_up(size) - size);
			/* Beyond the old end too: room reserved there goes with it, as on Linux even when nothing else does. */
			remove_range(d, page_up(size), UINT64_MAX & PAGE_MASK, &gone);
		}
	}
	mutex_unlock(&d->mu);
	if (!err && size <= old) {
		mobj_invalidate(&d->mobj, page_up(size), (UINT64_MAX & PAGE_MASK) - page_up(size));
		release_extents(d, &gone);
	}
	return err;
}

int
tmpfs_data_punch(struct tmpfs_data *d, uint64_t off, uint64_t len)
{
	struct list gone = LIST_INIT(gone);
	uint64_t end, first, last;

	if (ckd_add(&end, off, len) || end > INT64_MAX)
		return -EFBIG;
	first = page_up(off);
	last = page_down(end);
	mutex_lock(&d->mu);
	if (d->seals & SEAL_ANY_WRITE) {
		mutex_unlock(&d->mu);
		return -EPERM;
	}
	if (first > last) {
		/* Within one page. */
		zero_part(d, off, len);
	} else {
		zero_part(d, off, first - off);
		zero_part(d, last, end - last);
		if (first < last)
			remove_range(d, first, last, &gone);
	}
	mutex_unlock(&d->mu);
	if (first < last)
		mobj_invalidate(&d->mobj, first, last - first);
	release_extents(d, &gone);
	return 0;
}

/* A hole that a reservation has filled so far. */
struct filled {
	struct list	link;
	uint64_t	start, end;
};

/* Fills a first piece of the hole [at, end) and notes it. mu held. */
static int
reserve_piece(struct tmpfs_data *d, uint64_t at, uint64_t end, struct list *filled)
{
	struct filled *f = list_empty(filled) ? NULL : list_first(filled, struct filled, link);
	const struct extent *e;
	int err;

	if (f == NULL || f->end != page_down(at)) {
		f = mem_alloc(sizeof *f);
		if (f == NULL)
			return -ENOMEM;
		f->start = f->end = page_down(at);
		list_push_front(filled, &f->link);
	}
	err = fill_hole(d, at, end - at);
	e = extent_at(d, at);
	if (!err)
		f->end = e->start + e->len;
	return err;
}

/* Forgets what was noted, and when it was in vain takes the pages back: nobody has seen them. mu held. */
static void
reserve_end(struct tmpfs_data *d, struct list *filled, bool undo, struct list *gone)
{
	struct filled *f, *next;

	list_for_each_safe(f, next, filled, link) {
		list_remove(&f->link);
		if (undo && f->start < f->end)
			remove_range(d, f->start, f->end, gone);
		mem_free(f);
	}
}

int
tmpfs_data_reserve(struct tmpfs_data *d, uint64_t off, uint64_t len, bool keep_size)
{
	struct list filled = LIST_INIT(filled), gone = LIST_INIT(gone);
	uint64_t end, at;
	int err = 0;

	if (ckd_add(&end, off, len) || end > INT64_MAX)
		return -EFBIG;
	mutex_lock(&d->mu);
	if (end > d->size && d->seals & F_SEAL_GROW)
		err = -EPERM;
	/* More than there can ever be is refused before anything is taken. */
	if (!err && d->acct->max_pages != 0 && (page_up(end) - page_down(off)) >> PAGE_SHIFT > d->acct->max_pages)
		err = -ENOSPC;
	for (at = off; !err && at < end;) {
		const struct extent *e = extent_at(d, at);

		if (e != NULL)
			at = e->start + e->len;
		else
			err = reserve_piece(d, at, end, &filled);
	}
	reserve_end(d, &filled, err != 0, &gone);
	if (!err && !keep_size && end > d->size)
		d->size = end;
	mutex_unlock(&d->mu);
	release_extents(d, &gone);
	return err;
}

int64_t
tmpfs_data_seek(struct tmpfs_data *d, uint64_t off, bool hole)
{
	int64_t found = -ENXIO;

	mutex_lock(&d->mu);
	while (off < d->size) {
		struct extent *e = extent_at(d, off);

		if (hole && e == NULL) {
			found = (int64_t)off;
			break;
		}
		if (!hole && e != NULL) {
			found = (int64_t)off;
			break;
		}
		if (hole) {
			off = e->start + e->len;
			if (off >= d->size)
				found = (int64_t)d->size;	/* the hole behind every file */
			continue;
		}
		e = extent_ge(d, off);
		if (e == NULL || e->start >= d->size)
			break;
		off = e->start;
	}
	mutex_unlock(&d->mu);
	return found;
}

static bool
is_zero(const char *p)
{
	return p[0] == 0 && memcmp(p, p + 1, HOLE_MIN - 1) == 0;
}

/* What came as zeros is a hole again, as it was in a sparse file: [at, at + len) at p, of a file that nobody else has. */
static int
leave_holes(struct tmpfs_data *d, uint64_t at, const char *p, uint64_t len)
{
	uint64_t skip = (HOLE_MIN - at % HOLE_MIN) % HOLE_MIN;
	int err = 0;

	for (; !err && skip + HOLE_MIN <= len; skip += HOLE_MIN) {
		if (is_zero(p + skip))
			err = tmpfs_data_punch(d, at + skip, HOLE_MIN);
	}
	return err;
}

int
tmpfs_data_load(struct tmpfs_data *d, struct task *t, struct file *from, uint64_t size)
{
	uint64_t at = 0;

	while (at < size) {
		uint64_t len = min(size - at, CHUNK_MAX);
		struct iobuf b;
		int64_t n;
		char *p;
		int err;

		/* It may be gigabytes. */
		if (atomic_load(&t->attention) != 0 && task_must_exit(t))
			return -EINTR;
		mutex_lock(&d->mu);
		err = locate(d, at, len, true, &p, &len);
		mutex_unlock(&d->mu);
		if (err)
			return err;
		iob_init_kernel(&b, p, len);
		n = from->ops->pread(from, t, &b, (int64_t)at);
		iob_fini(&b);
		if (n < 0)
			return (int)n;
		if (n == 0)
			break;		/* shorter than it was: the rest is a hole */
		err = leave_holes(d, at, p, (uint64_t)n);
		if (err)
			return err;
		at += (uint64_t)n;
	}
	mutex_lock(&d->mu);
	d->size = size;
	mutex_unlock(&d->mu);
	return 0;
}

bool
tmpfs_data_sealed(struct tmpfs_data *d, uint32_t seals)
{
	bool yes;

	mutex_lock(&d->mu);
	yes = d->seals & seals;
	mutex_unlock(&d->mu);
	return yes;
}

uint64_t
tmpfs_data_size(struct tmpfs_data *d, uint64_t *blocks)
{
	uint64_t size;

	mutex_lock(&d->mu);
	size = d->size;
	*blocks = d->pages << (PAGE_SHIFT - 9);
	mutex_unlock(&d->mu);
	return size;
}

/* ---- as a memory object ---------------------------------------------------------------------------- */

static int
data_backing(struct mobj *o, uint64_t off, uint64_t len, bool write, struct backing *out)
{
	struct tmpfs_data *d = container_of(o, struct tmpfs_data, mobj);
	struct extent *e;
	int err = 0;

	(void)write;
	mutex_lock(&d->mu);
	*out = (struct backing){ .fd = MAPFD_MEMFILE };
	if (off < page_up(d->size)) {
		len = min(len, page_up(d->size) - off);
		e = extent_at(d, off);
		if (e == NULL) {
			err = fill_hole(d, off, min(len, HOLE_FILL));
			e = extent_at(d, off);
		}
		if (!err) {
			out->off = e->off + (off - e->start);
			out->len = min(len, e->start + e->len - off);
		}
	}
	mutex_unlock(&d->mu);
	return err == -ENOSPC ? -ENOMEM : err;
}

static void
data_free(struct mobj *o)
{
	struct tmpfs_data *d = container_of(o, struct tmpfs_data, mobj);
	struct tree_node *n;

	while ((n = tree_first(&d->extents)) != NULL) {
		struct extent *e = container_of(n, struct extent, node);

		tree_remove(&d->extents, n);
		uncharge(d->acct, e->len);
		pages_free(e->off, e->cap);
		obj_free(extent, e);
	}
	tmpfs_acct_put(d->acct);
	mutex_fini(&d->mu);
	mutex_fini(&d->mobj.mu);
	obj_free(tmpfs_data, d);
}

static const struct mobj_ops data_mobj_ops = {
	.name = "memory file",
	.backing = data_backing,
	.free = data_free,
};

int
tmpfs_data_new(struct tmpfs_acct *acct, struct tmpfs_data **out)
{
	struct tmpfs_data *d = obj_new(tmpfs_data);

	if (d == NULL)
		return -ENOMEM;
	mobj_init(&d->mobj, &data_mobj_ops);
	mutex_init(&d->mu, RANK_peer);
	d->seals = F_SEAL_SEAL;	/* only memfd_create lets seals be set */
	d->acct = tmpfs_acct_get(acct);
	tree_init(&d->extents, cmp_extents);
	list_init(&d->deferred);
	*out = d;
	return 0;
}
