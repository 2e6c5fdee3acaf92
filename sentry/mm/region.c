/*
 * region: the tree of a guest's mappings: look-up, split, merge, accounting, and batches.
 *
 * Splitting and merging change nothing that a guest can see, so an operation first makes its
 * boundaries, then asks the host, and only then changes the regions, which cannot fail any more.
 * Everything here runs with mm->mu held.
 */
#include "sentry/mm/region.h"

#include <string.h>
#include <sys/mman.h>

#include "base/kmem.h"
#include "base/log.h"
#include "sentry/vfs/file.h"

KMEM_CACHE(region);

/* ---- batches --------------------------------------------------------------- */

void
batch_init(struct batch *b)
{
	b->cmds = b->inline_cmds;
	b->n = 0;
	b->cap = BATCH_INLINE;
}

void
batch_fini(struct batch *b)
{
	if (b->cmds != b->inline_cmds)
		mem_free(b->cmds);
}

struct mapcmd *
batch_add(struct batch *b, enum mapop op, uint64_t va, uint64_t len)
{
	struct mapcmd *c;

	if (b->n == b->cap) {
		struct mapcmd *more = mem_alloc(2 * (size_t)b->cap * sizeof *more);

		if (more == NULL)
			return NULL;
		memcpy(more, b->cmds, b->n * sizeof *more);
		batch_fini(b);
		b->cmds = more;
		b->cap *= 2;
	}
	c = &b->cmds[b->n++];
	memset(c, 0, sizeof *c);
	c->op = op;
	c->va = va;
	c->len = len;
	c->fd = MAPFD_ANON;
	return c;
}

static int
batch_append(struct batch *b, const struct batch *more)
{
	for (unsigned i = 0; i < more->n; i++) {
		struct mapcmd *c = batch_add(b, more->cmds[i].op, more->cmds[i].va, more->cmds[i].len);

		if (c == NULL)
			return -ENOMEM;
		*c = more->cmds[i];
	}
	return 0;
}

/* Pages that may be another's one day are the mapper's to unmap: nobody else's word is good enough. */
bool
is_plain(struct mm *mm, uint64_t start, uint64_t end)
{
	struct region *r = mm->has_shared ? region_at_or_after(mm, start) : NULL;

	while (r != NULL && r->start < end && !(r->flags & REGION_MEMFILE))
		r = region_next(r);
	return r == NULL || r->start >= end;
}

void
batch_plain(struct batch *b, struct mm *mm, uint64_t start, uint64_t end)
{
	bool plain = is_plain(mm, start, end);

	for (unsigned i = 0; i < b->n; i++)
		b->cmds[i].plain = plain;
}

int
batch_run(struct batch *b, struct mm *mm)
{
	if (mm->held != NULL)
		return batch_append(mm->held, b);
	return b->n == 0 ? 0 : space_exec(mm->space, b->cmds, b->n);
}

int
mm_hold(struct mm *mm)
{
	struct batch *b = mem_alloc(sizeof *b);

	if (b == NULL)
		return -ENOMEM;
	batch_init(b);
	mutex_lock(&mm->mu);
	BUG_ON(mm->held != NULL);
	mm->held = b;
	mutex_unlock(&mm->mu);
	return 0;
}

int
mm_send(struct mm *mm)
{
	struct batch *b;
	int err;

	mutex_lock(&mm->mu);
	b = steal(&mm->held);
	err = b == NULL ? 0 : batch_run(b, mm);
	mutex_unlock(&mm->mu);
	if (b != NULL)
		batch_fini(b);
	mem_free(b);
	return err;
}

static int
host_unmap_as(struct mm *mm, uint64_t start, uint64_t end, bool plain)
{
	struct batch b;
	int err;

	batch_init(&b);
	batch_add(&b, MAPOP_MUNMAP, start, end - start)->plain = plain;
	err = batch_run(&b, mm);
	batch_fini(&b);
	return err;
}

int
host_unmap(struct mm *mm, uint64_t start, uint64_t end)
{
	return host_unmap_as(mm, start, end, is_plain(mm, start, end));
}

void
host_undo(struct mm *mm, uint64_t start, uint64_t end)
{
	int err = host_unmap_as(mm, start, end, false);

	if (err == 0 || err == -ESRCH)
		return;
	log_warn("mm", "cannot take back a mapping (%s): the process ends", strerror(-err));
	space_end_wait(mm->space);
}

int
host_map_anon(struct mm *mm, struct region *r)
{
	struct batch b;
	uint64_t reached;
	int err;

	batch_init(&b);
	err = region_gather(&b, r, UINT64_MAX, &reached);
	if (!err) {
		batch_plain(&b, mm, r->start, r->end);
		err = batch_run(&b, mm);
	}
	batch_fini(&b);
	return err;
}

/* ---- look-up --------------------------------------------------------------- */

/* Orders an address against a region: below, inside, above. */
static int
cmp_addr(const void *key, const struct tree_node *n)
{
	const struct region *r = container_of(n, struct region, node);
	uint64_t addr;

	memcpy(&addr, key, sizeof addr);
	return addr < r->start ? -1 : addr >= r->end;
}

static int
cmp_regions(const struct tree_node *a, const struct tree_node *b)
{
	const struct region *x = container_of(a, struct region, node), *y = container_of(b, struct region, node);

	/* Overlapping ones are "equal": inserting such is a bug that tree_insert finds. */
	return x->end <= y->start ? -1 : x->start >= y->end;
}

void
regions_init(struct mm *mm)
{
	tree_init(&mm->regions, cmp_regions);
}

struct region *
region_first(struct mm *mm)
{
	return tree_entry(tree_first(&mm->regions), struct region, node);
}

struct region *
region_next(const struct region *r)
{
	return tree_entry(tree_next(&r->node), struct region, node);
}

struct region *
region_prev(const struct region *r)
{
	return tree_entry(tree_prev(&r->node), struct region, node);
}

struct region *
mm_find_locked(struct mm *mm, uint64_t addr)
{
	struct region *r = mm->last;

	if (r != NULL && addr >= r->start && addr < r->end)
		return r;
	r = tree_entry(tree_find(&mm->regions, &addr, cmp_addr), struct region, node);
	if (r != NULL)
		mm->last = r;
	return r;
}

struct region *
region_at_or_after(struct mm *mm, uint64_t addr)
{
	return tree_entry(tree_find_ge(&mm->regions, &addr, cmp_addr), struct region, node);
}

void
mm_changed(struct mm *mm)
{
	mm->last = NULL;
}

/* ---- accounting ------------------------------------------------------------ */

static bool
is_data(uint32_t prot, uint32_t flags)
{
	return (prot & PROT_WRITE) && !(flags & (REGION_SHARED | REGION_GROWSDOWN));
}

bool
may_expand(const struct mm *mm, uint64_t len, uint32_t prot, uint32_t flags)
{
	uint64_t sum;

	if (ckd_add(&sum, mm->total_vm, len) || sum > atomic_load(&mm->lim_as))
		return false;
	if (!is_data(prot, flags))
		return true;
	return !ckd_add(&sum, mm->data_vm, len) && sum <= atomic_load(&mm->lim_data);
}

void
region_account(struct mm *mm, const struct region *r, bool add)
{
	uint64_t len = add ? r->end - r->start : -(r->end - r->start);

	if (r->flags & REGION_PATCHES)
		return;
	mm->total_vm += len;
	if (is_data(r->prot, r->flags))
		mm->data_vm += len;
	if (r->flags & REGION_GROWSDOWN)
		mm->stack_vm += len;
	if (r->flags & REGION_LOCKED)
		mm->locked_vm += len;
	mm->peak_vm = max(mm->peak_vm, mm->total_vm);
}

/* ---- objects --------------------------------------------------------------- */

struct region *
region_new(struct mm *mm, uint64_t start, uint64_t end)
{
	struct region *r = obj_new(region);

	if (r == NULL)
		return NULL;
	r->mm = mm;
	r->start = start;
	r->end = end;
	list_init(&r->mobj_link);
	list_init(&r->link);
	return r;
}

struct region *
region_clone(struct mm *mm, const struct region *r)
{
	struct region *n = region_new(mm, r->start, r->end);

	if (n == NULL)
		return NULL;
	n->prot = r->prot;
	n->maxprot = r->maxprot;
	n->flags = r->flags;
	n->off = r->off;
	n->file = file_get(r->file);
	n->mobj = mobj_get(r->mobj);
	memcpy(n->name, r->name, sizeof n->name);
	return n;
}

static void
link_locked(struct region *r)
{
	mutex_assert_held(&r->mobj->mu);
	r->may_write = (r->flags & REGION_SHARED) && (r->maxprot & PROT_WRITE);
	list_push_back(&r->mobj->regions, &r->mobj_link);
}

void
region_link(struct region *r)
{
	if (r->mobj == NULL)
		return;
	/* A neighbour in the list may be another address space's, and change the link as well. */
	mutex_lock(&r->mobj->mu);
	if (list_empty(&r->mobj_link))
		link_locked(r);
	mutex_unlock(&r->mobj->mu);
}

int
region_link_new(struct region *r)
{
	int err = 0;

	/* Its file may have been sealed since that was asked for the right to write. */
	mutex_lock(&r->mobj->mu);
	if (r->mobj->sealed && (r->flags & REGION_SHARED)) {
		if (r->prot & PROT_WRITE)
			err = -EPERM;
		r->maxprot &= ~(uint32_t)PROT_WRITE;
	}
	if (!err)
		link_locked(r);
	mutex_unlock(&r->mobj->mu);
	return err;
}

static void
region_unlink(struct region *r)
{
	if (r->mobj == NULL)
		return;
	mutex_lock(&r->mobj->mu);
	list_remove(&r->mobj_link);
	mutex_unlock(&r->mobj->mu);
}

void
region_drop(struct region *r, struct list *dead)
{
	region_unlink(r);
	list_push_back(dead, &r->link);
}

void
region_insert(struct mm *mm, struct region *r)
{
	/* Whoever inserts has made room first. */
	BUG_ON(tree_insert(&mm->regions, &r->node) != 0);
	region_link(r);
	region_account(mm, r, true);
	mm_changed(mm);
}

/* Out of the tree and its object's list. */
static void
region_remove(struct mm *mm, struct region *r)
{
	tree_remove(&mm->regions, &r->node);
	region_unlink(r);
	region_account(mm, r, false);
	mm_changed(mm);
	if (r->end > mm->gap_from) {
		mm->gap_from = mm->mmap_top;
		mm->gap_skipped = 0;
	}
}

void
regions_free(struct list *dead)
{
	struct region *r, *nxt;

	list_for_each_safe(r, nxt, dead, link) {
		list_remove(&r->link);
		file_put(r->file);
		mobj_put(r->mobj);
		obj_free(region, r);
	}
}

/* ---- split, merge, cut ------------------------------------------------------ */

int
region_split_at(struct mm *mm, uint64_t addr)
{
	struct region *r = mm_find_locked(mm, addr), *hi;

	if (r == NULL || r->start == addr)
		return 0;
	if (mm->regions.count >= MAP_LIMIT)
		return -ENOMEM;
	hi = region_clone(mm, r);
	if (hi == NULL)
		return -ENOMEM;
	hi->start = addr;
	hi->off += addr - r->start;
	region_account(mm, r, false);
	r->end = addr;
	region_account(mm, r, true);
	region_insert(mm, hi);
	return 0;
}

bool
region_continues(const struct region *a, const struct region *b)
{
	return a->end == b->start && a->prot == b->prot && a->maxprot == b->maxprot &&
	    ((a->flags ^ b->flags) & ~(REGION_ABSENT | REGION_MEMFILE | REGION_FRESH | REGION_CLEAN)) == 0 && a->file == b->file && a->mobj == b->mobj &&
	    a->off + (a->end - a->start) == b->off && strcmp(a->name, b->name) == 0;
}

void
regions_merge(struct mm *mm, uint64_t start, uint64_t end)
{
	struct region *r = region_at_or_after(mm, start > 0 ? start - 1 : 0), *n;

	/* Borders outside are none of the caller's: who split there may still need it. */
	while (r != NULL && (n = region_next(r)) != NULL && n->start <= end) {
		struct list dead;

		if (!region_continues(r, n) || r->flags != n->flags) {
			r = n;
			continue;
		}
		region_remove(mm, n);
		region_account(mm, r, false);
		r->end = n->end;
		region_account(mm, r, true);
		/* r holds the same file and object, so neither put is the last. */
		list_init(&dead);
		list_push_back(&dead, &n->link);
		regions_free(&dead);
	}
}

void
regions_cut(struct mm *mm, uint64_t start, uint64_t end, struct list *dead)
{
	struct region *r = region_at_or_after(mm, start), *n;

	for (; r != NULL && r->start < end; r = n) {
		BUG_ON(r->start < start || r->end > end);
		n = region_next(r);
		region_remove(mm, r);
		list_push_back(dead, &r->link);
	}
}

int
unmap_locked(struct mm *mm, uint64_t start, uint64_t end, struct list *dead)
{
	struct region *r = region_at_or_after(mm, start);
	int err;

	if (r == NULL || r->start >= end)
		return 0;
	err = region_split_at(mm, start);
	if (!err)
		err = region_split_at(mm, end);
	if (!err)
		err = host_unmap(mm, start, end);
	if (err)
		regions_merge(mm, start, end);
	else
		regions_cut(mm, start, end, dead);
	return err;
}

/* ---- holes ------------------------------------------------------------------ */

/* Where r begins to claim space: a stack keeps a gap below it. */
static uint64_t
claim_start(const struct region *r)
{
	if (!(r->flags & REGION_GROWSDOWN))
		return r->start;
	return r->start > GUEST_BOTTOM + STACK_GAP ? r->start - STACK_GAP : GUEST_BOTTOM;
}

bool
range_free(struct mm *mm, uint64_t start, uint64_t end)
{
	struct region *r = region_at_or_after(mm, start);

	return r == NULL || end <= claim_start(r);
}

bool
range_yields(struct mm *mm, uint64_t start, uint64_t end)
{
	struct region *r = region_at_or_after(mm, start);

	while (r != NULL && r->start < end && (r->flags & REGION_PATCHES))
		r = region_next(r);
	return r == NULL || end <= claim_start(r);
}

/* The highest hole below top; *skipped is the largest hole that was too small. */
static int64_t
hole_below(struct mm *mm, uint64_t len, uint64_t bottom, uint64_t top, uint64_t *skipped)
{
	struct region *r = region_at_or_after(mm, top);
	struct region *p;

	/* r ends above top: it may still reach below. */
	if (r != NULL && claim_start(r) < top)
		top = max(claim_start(r), bottom);
	p = r != NULL ? region_prev(r) : tree_entry(tree_last(&mm->regions), struct region, node);
	for (;;) {
		uint64_t low = max(p != NULL ? p->end : bottom, bottom);

		if (top >= low && top - low >= len)
			return (int64_t)(top - len);
		if (top > low)
			*skipped = max(*skipped, top - low);
		if (p == NULL || p->start <= bottom)
			return -ENOMEM;
		top = max(claim_start(p), bottom);
		p = region_prev(p);
	}
}

int64_t
hole_between(struct mm *mm, uint64_t len, uint64_t bottom, uint64_t top)
{
	uint64_t none = 0;

	return hole_below(mm, len, bottom, top, &none);
}

int64_t
find_hole(struct mm *mm, uint64_t len, bool low32)
{
	uint64_t none = 0;
	int64_t at;

	if (len == 0 || len > GUEST_TOP - GUEST_BOTTOM)
		return -ENOMEM;
	if (low32)
		return hole_below(mm, len, 0x40000000, 0x80000000, &none);
	if (mm->gap_from == 0 || mm->gap_from > mm->mmap_top || len <= mm->gap_skipped) {
		mm->gap_from = mm->mmap_top;
		mm->gap_skipped = 0;
	}
	at = hole_below(mm, len, GUEST_BOTTOM, mm->gap_from, &mm->gap_skipped);
	if (at >= 0) {
		mm->gap_from = (uint64_t)at + len;
		return at;
	}
	mm->gap_from = mm->mmap_top;
	mm->gap_skipped = 0;
	return hole_below(mm, len, mm->mmap_top, GUEST_TOP, &none);
}
