/*
 * mobj: memory objects: what lies behind shared and file mappings.
 *
 * An object knows every region that maps it.  Its owner shrinks it in this order: the size first (so that
 * backing() answers with the new end), then mobj_invalidate, then the pages go.  A region is on the list before
 * its object is asked for backing, and stays locked by its mm until the host has mapped it; so whatever
 * was mapped from the old size is found here.
 */
#include "sentry/mm/region.h"

#include <string.h>
#include <sys/mman.h>

#include "base/hostcall.h"
#include "base/kmem.h"
#include "base/log.h"
#include "sentry/mm/pages.h"

void
mobj_init(struct mobj *o, const struct mobj_ops *ops)
{
	static _Atomic uint64_t last_id;

	ref_init(&o->ref, OBJ_mobj);
	o->id = 1 + atomic_fetch_add_explicit(&last_id, 1, memory_order_relaxed);
	o->ops = ops;
	mutex_init(&o->mu, RANK_mobj);
	list_init(&o->regions);
}

void
mobj_release(struct mobj *o)
{
	BUG_ON(!list_empty(&o->regions));
	o->ops->free(o);
}

/* ---- invalidation -------------------------------------------------------------- */

/* Cuts [off, off+len) of o out of mm; true when something was mapped there. */
static bool
invalidate_mm(struct mm *mm, struct mobj *o, uint64_t off, uint64_t end)
{
	bool any = false;
	struct region *r, *n;

	mutex_lock(&mm->mu);
	for (r = region_first(mm); r != NULL; r = n) {
		uint64_t from, to;

		n = region_next(r);
		if (r->mobj != o || (r->flags & REGION_ABSENT) || r->off >= end || r->off + (r->end - r->start) <= off)
			continue;
		any = true;
		from = r->off < off ? r->start + (off - r->off) : r->start;
		to = r->start + min(r->end - r->start, end - r->off);
		/*
		 * When there is no memory for the split, a shared region is dropped whole and comes back by
		 * faults; a private one can't, so its tail answers with faults that find it mapped: SIGBUS.
		 */
		if (region_split_at(mm, from) == 0 && region_split_at(mm, to) == 0) {
			r = mm_find_locked(mm, from);
			r->flags |= REGION_ABSENT;
		} else if (r->flags & REGION_SHARED) {
			from = r->start;
			to = r->end;
			r->flags |= REGION_ABSENT;
		}
		/* What comes back is other text: nothing of this one's may be put there. */
		(void)!patches_evict(mm, from, to);
		/* -ESRCH: the stub is gone, and with it the mapping.  Else the host could not cut its own: all of it. */
		if (host_unmap(mm, from, to) == -ENOMEM) {
			r = mm_find_locked(mm, from);
			host_undo(mm, r->start, r->end);
		}
		mm_changed(mm);
		n = region_at_or_after(mm, to);
	}
	if (any)
		regions_merge(mm, 0, GUEST_TOP);
	mutex_unlock(&mm->mu);
	return any;
}

/*
 * The mm after *last in address order that maps o, counted; NULL at the end.  No allocation, and each is met
 * once.  A dying one is passed over: it has no threads, and its space goes first.
 */
static struct mm *
next_mm(struct mobj *o, struct mm **last)
{
	struct mm *best, *got;

	mutex_lock(&o->mu);
	do {
		struct region *r;

		best = NULL;
		list_for_each(r, &o->regions, mobj_link) {
			if ((uintptr_t)r->mm > (uintptr_t)*last &&
			    (best == NULL || (uintptr_t)r->mm < (uintptr_t)best))
				best = r->mm;
		}
		if (best != NULL)
			*last = best;
		got = mm_tryget(best);
	} while (best != NULL && got == NULL);
	mutex_unlock(&o->mu);
	return got;
}

void
mobj_invalidate(struct mobj *o, uint64_t off, uint64_t len)
{
	uint64_t end;
	bool any;

	off = page_down(off);
	if (ckd_add(&end, off, len) || page_up(end) == 0)
		end = PAGE_MASK;
	end = page_up(end);
	/* A fork may have copied a mapping behind us: until nothing is found. */
	do {
		struct mm *mm, *last = NULL;

		any = false;
		while ((mm = next_mm(o, &last)) != NULL) {
			any |= invalidate_mm(mm, o, off, end);
			/* The caller may hold locks that releasing an mm would take. */
			if (ref_put(&mm->ref))
				mm_bury(mm);
		}
	} while (any);
}

/* ---- anonymous shared memory ------------------------------------------------------ */

#define CHUNK_MIN	(2ULL << 20)
#define WHOLE_MAX	(64ULL << 20)		/* taken as one piece up to this */
#define CHUNKS_MAX	65536u

struct anon_mobj {
	struct mobj	 mobj;		/* first */
	uint64_t	 len;		/* [I] page-aligned */
	uint64_t	 chunk;		/* [I] bytes per chunk */
	uint32_t	 nchunks;	/* [I] */
	uint64_t	*offs;		/* [m] 1 + offset in the memory file; 0: not yet */
	uint64_t	 ino;		/* [I] once set */
	char		 name[32];
	void		*owner;		/* [I] a SysV segment */
	void		(*gone)(void *owner);
};
KMEM_CACHE(anon_mobj);

static int
anon_backing(struct mobj *o, uint64_t off, uint64_t len, bool write, struct backing *out)
{
	struct anon_mobj *a = container_of(o, struct anon_mobj, mobj);
	uint64_t i, in;
	int err = 0;

	(void)write;
	out->fd = MAPFD_MEMFILE;
	out->len = 0;
	if (off >= a->len)
		return 0;
	i = off / a->chunk;
	in = off % a->chunk;
	mutex_lock(&o->mu);
	if (a->offs[i] == 0) {
		uint64_t at;

		err = pages_alloc(min(a->chunk, a->len - i * a->chunk), &at);
		if (!err)
			a->offs[i] = 1 + at;
	}
	if (!err) {
		uint64_t left = min(a->chunk - in, a->len - off);

		out->off = a->offs[i] - 1 + in;
		out->len = min(len, left);
	}
	mutex_unlock(&o->mu);
	return err;
}

static void
anon_free(struct mobj *o)
{
	struct anon_mobj *a = container_of(o, struct anon_mobj, mobj);

	for (uint64_t i = 0; i < a->nchunks; i++) {
		if (a->offs[i] != 0)
			pages_free(a->offs[i] - 1, min(a->chunk, a->len - i * a->chunk));
	}
	if (a->gone != NULL)
		a->gone(a->owner);
	mem_free(a->offs);
	mutex_fini(&o->mu);
	obj_free(anon_mobj, a);
}

static const struct mobj_ops anon_ops = {
	.name = "anonymous",
	.backing = anon_backing,
	.free = anon_free,
};

int
mobj_new_anon(uint64_t len, struct mobj **out)
{
	struct anon_mobj *a;

	len = page_up(len);
	if (len == 0)
		return -EINVAL;
	a = obj_new(anon_mobj);
	if (a == NULL)
		return -ENOMEM;
	a->len = len;
	a->chunk = len;
	if (len > WHOLE_MAX)
		a->chunk = max(CHUNK_MIN, page_up(len / CHUNKS_MAX + 1));
	a->nchunks = (uint32_t)((len + a->chunk - 1) / a->chunk);
	a->offs = mem_alloc(a->nchunks * sizeof *a->offs);
	if (a->offs == NULL) {
		obj_free(anon_mobj, a);
		return -ENOMEM;
	}
	memcpy(a->name, "dev/zero", sizeof "dev/zero");
	mobj_init(&a->mobj, &anon_ops);
	a->ino = a->mobj.id;
	*out = &a->mobj;
	return 0;
}

int
mobj_anon_punch(struct mobj *o, uint64_t off, uint64_t len)
{
	struct anon_mobj *a = container_of(o, struct anon_mobj, mobj);
	int err = 0;

	if (o->ops != &anon_ops)
		return -EINVAL;
	mutex_lock(&o->mu);
	while (!err && len != 0 && off < a->len) {
		uint64_t i = off / a->chunk, in = off % a->chunk, n = min(a->chunk - in, a->len - off);

		n = min(n, len);
		/* The hole stays mapped in the guests: it reads as zero at once, like on Linux. */
		if (a->offs[i] != 0)
			err = host_madvise(page_ptr(a->offs[i] - 1 + in), n, MADV_REMOVE);
		off += n;
		len -= n;
	}
	mutex_unlock(&o->mu);
	return err;
}

void
mobj_anon_set_owner(struct mobj *o, void *owner, void (*gone)(void *owner))
{
	struct anon_mobj *a = container_of(o, struct anon_mobj, mobj);

	BUG_ON(o->ops != &anon_ops);
	a->owner = owner;
	a->gone = gone;
}

void *
mobj_anon_owner(const struct mobj *o)
{
	return o != NULL && o->ops == &anon_ops ? container_of(o, const struct anon_mobj, mobj)->owner : NULL;
}

void
mobj_anon_set_name(struct mobj *o, const char *name, uint64_t ino)
{
	struct anon_mobj *a = container_of(o, struct anon_mobj, mobj);
	size_t n = strlen(name);

	BUG_ON(o->ops != &anon_ops);
	n = min(n, sizeof a->name - 1);
	memcpy(a->name, name, n);
	a->name[n] = '\0';
	a->ino = ino;
}

const char *
mobj_anon_name(const struct mobj *o, uint64_t *ino)
{
	const struct anon_mobj *a;

	if (o->ops != &anon_ops)
		return NULL;
	a = container_of(o, const struct anon_mobj, mobj);
	*ino = a->ino;
	return a->name;
}
