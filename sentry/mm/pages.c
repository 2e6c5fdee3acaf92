/*
 * pages: the allocator of the memory file; see pages.h.
 *
 * Free ranges are in two sets: clean ones read as zero, dirty ones were handed out before and still hold
 * host memory.  A small allocation takes a dirty range and clears it (cheaper than a fresh page fault); when
 * enough is dirty, or no clean range fits, everything dirty is punched out of the file and becomes clean.
 * In each set a range is found by place, to join neighbours, and by size, for the best fit.
 */
#include "sentry/mm/pages.h"

#include <string.h>
#include <sys/mman.h>

#include "base/hostcall.h"
#include "base/kmem.h"
#include "base/lock.h"
#include "base/tree.h"

#define DIRTY_MAX	(32ULL << 20)	/* punched out above this */
#define CLEAR_MAX	(64ULL << 10)	/* cleared by hand up to this */

struct range {
	struct tree_node by_place, by_size;
	uint64_t	 off, len;
};

struct range_set {
	struct tree	by_place, by_size;	/* [m] */
	uint64_t	bytes;			/* [m] */
};

KMEM_CACHE(range);

static struct {
	struct mutex	 mu;		/* rank pages */
	char		*base;		/* [I] */
	uint64_t	 size;		/* [I] */
	uint64_t	 used;		/* [m] */
	uint64_t	 lost;		/* [m] freed, but no memory to say so */
	struct range_set clean, dirty;	/* [m] */
} pages = { .mu = MUTEX_INIT(RANK_pages) };

static int
cmp_place(const struct tree_node *a, const struct tree_node *b)
{
	const struct range *x = container_of(a, struct range, by_place), *y = container_of(b, struct range, by_place);

	return x->off < y->off ? -1 : x->off > y->off;
}

static int
order_size(uint64_t len, uint64_t off, const struct range *y)
{
	if (len != y->len)
		return len < y->len ? -1 : 1;
	return off < y->off ? -1 : off > y->off;
}

static int
cmp_size(const struct tree_node *a, const struct tree_node *b)
{
	const struct range *x = container_of(a, struct range, by_size);

	return order_size(x->len, x->off, container_of(b, struct range, by_size));
}

static int
key_place(const void *key, const struct tree_node *n)
{
	const struct range *y = container_of(n, struct range, by_place);
	uint64_t off;

	memcpy(&off, key, sizeof off);
	return off < y->off ? -1 : off > y->off;
}

static int
key_size(const void *key, const struct tree_node *n)
{
	uint64_t len;

	memcpy(&len, key, sizeof len);
	return order_size(len, 0, container_of(n, struct range, by_size));
}

static void
set_add(struct range_set *s, struct range *r)
{
	BUG_ON(tree_insert(&s->by_place, &r->by_place) != 0);
	BUG_ON(tree_insert(&s->by_size, &r->by_size) != 0);
	s->bytes += r->len;
}

static void
set_remove(struct range_set *s, struct range *r)
{
	tree_remove(&s->by_place, &r->by_place);
	tree_remove(&s->by_size, &r->by_size);
	s->bytes -= r->len;
}

/* Adds r to s, joined with its neighbours there; a double free is a bug. */
static void
set_join(struct range_set *s, struct range *r)
{
	struct range *p = tree_entry(tree_find_le(&s->by_place, &r->off, key_place), struct range, by_place);
	struct range *n = tree_entry(tree_find_ge(&s->by_place, &r->off, key_place), struct range, by_place);

	BUG_ON(p != NULL && p->off + p->len > r->off);
	BUG_ON(n != NULL && n->off < r->off + r->len);
	if (p != NULL && p->off + p->len == r->off) {
		set_remove(s, p);
		r->off = p->off;
		r->len += p->len;
		obj_free(range, p);
	}
	if (n != NULL && n->off == r->off + r->len) {
		set_remove(s, n);
		r->len += n->len;
		obj_free(range, n);
	}
	set_add(s, r);
}

/* Takes len bytes out of the best-fitting range of s. */
static bool
set_take(struct range_set *s, uint64_t len, uint64_t *off)
{
	struct range *r = tree_entry(tree_find_ge(&s->by_size, &len, key_size), struct range, by_size);

	if (r == NULL)
		return false;
	set_remove(s, r);
	*off = r->off;
	r->off += len;
	r->len -= len;
	if (r->len != 0)
		set_add(s, r);
	else
		obj_free(range, r);
	return true;
}

/* Makes everything dirty clean. */
static void
purge_locked(void)
{
	struct range *r;

	while ((r = tree_entry(tree_first(&pages.dirty.by_place), struct range, by_place)) != NULL) {
		set_remove(&pages.dirty, r);
		if (host_madvise(pages.base + r->off, r->len, MADV_REMOVE) != 0)
			memset(pages.base + r->off, 0, r->len);
		set_join(&pages.clean, r);
	}
}

int
pages_boot(int fd, uint64_t size)
{
	struct range *r = obj_new(range);
	void *base;
	int err;

	if (r == NULL)
		return -ENOMEM;
	size = page_down(size);
	if (size == 0)
		return -EINVAL;
	err = host_mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, fd, 0, &base);
	if (err) {
		obj_free(range, r);
		return err;
	}
	mutex_lock(&pages.mu);
	tree_init(&pages.clean.by_place, cmp_place);
	tree_init(&pages.clean.by_size, cmp_size);
	tree_init(&pages.dirty.by_place, cmp_place);
	tree_init(&pages.dirty.by_size, cmp_size);
	pages.base = base;
	pages.size = size;
	pages.used = pages.lost = 0;
	pages.clean.bytes = pages.dirty.bytes = 0;
	r->off = 0;
	r->len = size;
	set_add(&pages.clean, r);
	mutex_unlock(&pages.mu);
	return 0;
}

int
pages_alloc(uint64_t len, uint64_t *off)
{
	bool found = false, clear = false;

	if (len == 0 || len > pages.size)
		return len == 0 ? -EINVAL : -ENOMEM;
	len = page_up(len);
	mutex_lock(&pages.mu);
	if (len <= CLEAR_MAX)
		found = clear = set_take(&pages.dirty, len, off);
	if (!found)
		found = set_take(&pages.clean, len, off);
	if (!found && pages.dirty.bytes != 0) {
		purge_locked();
		found = set_take(&pages.clean, len, off);
	}
	if (found)
		pages.used += len;
	mutex_unlock(&pages.mu);
	if (clear)
		memset(pages.base + *off, 0, len);
	return found ? 0 : -ENOMEM;
}

void
pages_free(uint64_t off, uint64_t len)
{
	struct range *r;

	len = page_up(len);
	if (len == 0)
		return;
	BUG_ON((off & ~PAGE_MASK) || off > pages.size || len > pages.size - off);
	r = obj_new(range);
	mutex_lock(&pages.mu);
	BUG_ON(pages.used < len);
	pages.used -= len;
	if (r == NULL) {
		/* Lost to the allocator, but not to the host. */
		pages.lost += len;
	} else {
		r->off = off;
		r->len = len;
		set_join(&pages.dirty, r);
		if (pages.dirty.bytes > DIRTY_MAX)
			purge_locked();
	}
	mutex_unlock(&pages.mu);
	if (r == NULL)
		WARN_ONCE(host_madvise(pages.base + off, len, MADV_REMOVE) != 0);
}

void *
page_ptr(uint64_t off)
{
	BUG_ON(off >= pages.size);
	return pages.base + off;
}

uint64_t
pages_used(void)
{
	uint64_t n;

	mutex_lock(&pages.mu);
	n = pages.used;
	mutex_unlock(&pages.mu);
	return n;
}

uint64_t
pages_limit(void)
{
	return pages.size;
}
