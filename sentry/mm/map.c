/*
 * map: mmap, munmap and mprotect on an address space.
 *
 * Each decides everything first, sends the host one batch, and then changes the regions.
 * A batch that fails half-way leaves what Linux leaves: a range with nothing mapped (mmap), or the part
 * before the failure done (mprotect).
 */
#include "sentry/mm/region.h"

#include <string.h>
#include <sys/mman.h>

#include "sentry/vfs/file.h"

#ifndef MAP_FIXED_NOREPLACE
#define MAP_FIXED_NOREPLACE 0x100000
#endif

#define PROT_ALL	(PROT_READ | PROT_WRITE | PROT_EXEC)

static bool
is_fixed(const struct mmap_args *a)
{
	return a->flags & (MAP_FIXED | MAP_FIXED_NOREPLACE);
}

int
mm_map_check(const struct mmap_args *a)
{
	uint64_t len = page_up(a->len), end;

	if (a->len == 0)
		return -EINVAL;
	if (len == 0)
		return -ENOMEM;
	if (len > GUEST_TOP)
		return -ENOMEM;
	if (is_fixed(a)) {
		if (a->addr > GUEST_TOP - len)
			return -ENOMEM;
		if (a->addr & ~PAGE_MASK)
			return -EINVAL;
		if (a->addr < GUEST_BOTTOM)
			return -EPERM;
	}
	/* The largest file offset there is; without a file nobody looks at it. */
	if ((a->file != NULL || a->mobj != NULL) && (ckd_add(&end, a->off, len) || end > INT64_MAX))
		return -EOVERFLOW;
	switch (a->flags & MAP_TYPE) {
	case MAP_PRIVATE:
		break;
	case MAP_SHARED:
		if (a->flags & MAP_GROWSDOWN)
			return -EINVAL;
		break;
	case MAP_SHARED_VALIDATE:
		if (a->file == NULL)
			return -EINVAL;
		break;
	default:
		return -EINVAL;
	}
	return 0;
}

/* Where the guest would have it, if it can; 0: anywhere. */
static uint64_t
hint_of(const struct mmap_args *a, uint64_t len)
{
	uint64_t hint = page_down(a->addr);

	if (hint != 0 && hint < GUEST_BOTTOM)
		hint = GUEST_BOTTOM;
	return hint <= GUEST_TOP - len ? hint : 0;
}

/* What lies where the guest names a place and is not the guest's gives way; mm->mu held. */
static int
clear_place(struct mm *mm, const struct mmap_args *a, uint64_t len)
{
	uint64_t at = is_fixed(a) ? a->addr : hint_of(a, len);

	if (!is_fixed(a) && (at == 0 || range_free(mm, at, at + len) || !range_yields(mm, at, at + len)))
		return 0;
	return patches_evict(mm, at, at + len);
}

/* Where the mapping goes; mm->mu held. */
static int64_t
place(struct mm *mm, const struct mmap_args *a, uint64_t len)
{
	uint64_t hint = hint_of(a, len);

	if (is_fixed(a)) {
		struct region *r = region_at_or_after(mm, a->addr);

		if ((a->flags & MAP_FIXED_NOREPLACE) && r != NULL && r->start < a->addr + len)
			return -EEXIST;
		return (int64_t)a->addr;
	}
	if (hint != 0 && range_free(mm, hint, hint + len))
		return (int64_t)hint;
	return find_hole(mm, len, a->flags & MAP_32BIT);
}

/* How much of [start, end) is mapped already; as data too. */
static uint64_t
overlap(struct mm *mm, uint64_t start, uint64_t end)
{
	uint64_t sum = 0;

	for (struct region *r = region_at_or_after(mm, start); r != NULL && r->start < end; r = region_next(r))
		sum += min(r->end, end) - max(r->start, start);
	return sum;
}

static struct region *
region_from_args(struct mm *mm, const struct mmap_args *a, struct mobj *mobj, uint64_t start, uint64_t len)
{
	struct region *r = region_new(mm, start, start + len);

	if (r == NULL)
		return NULL;
	r->prot = a->prot & PROT_ALL;
	r->maxprot = a->mobj != NULL ? a->maxprot & PROT_ALL : PROT_ALL;
	r->flags = a->region_flags;
	if ((a->flags & MAP_TYPE) != MAP_PRIVATE)
		r->flags |= REGION_SHARED;
	if (a->flags & MAP_GROWSDOWN)
		r->flags |= REGION_GROWSDOWN;
	if (a->flags & MAP_NORESERVE)
		r->flags |= REGION_NORESERVE;
	if (mobj == NULL && r->prot == PROT_NONE && !(r->flags & REGION_GROWSDOWN))
		r->flags |= REGION_FRESH;
	if (mobj != NULL && !(r->flags & REGION_SHARED) && !(r->prot & PROT_WRITE))
		r->flags |= REGION_CLEAN;
	if ((a->flags & MAP_LOCKED) || mm->lock_future)
		r->flags |= REGION_LOCKED;
	r->file = file_get(a->file);
	r->mobj = mobj_get(mobj);
	r->off = mobj != NULL ? a->off : start;
	return r;
}

/* Does the host have r's pages there already, but for the rights?  So it is where a dynamic linker maps segments over the whole file. */
static const struct region *
same_pages(struct mm *mm, const struct region *r)
{
	const struct region *o = region_at_or_after(mm, r->start);

	if (o == NULL || o->start != r->start || o->end != r->end || o->mobj != r->mobj || o->off != r->off)
		return NULL;
	return (o->flags & REGION_CLEAN) && o->flags == (r->flags | REGION_CLEAN) ? o : NULL;
}

/* What makes r of the region that is there. */
static int
regather(struct batch *b, const struct region *old, const struct region *r)
{
	struct mapcmd *c;

	if (old->prot == r->prot)
		return 0;
	c = batch_add(b, MAPOP_MPROTECT, r->start, r->end - r->start);
	if (c == NULL)
		return -ENOMEM;
	c->prot = (int)r->prot;
	return 0;
}

/* Sends the host what makes r; *reached is the end of what is there then. */
static int
map_host(struct mm *mm, struct region *r, bool replaces, uint64_t *reached)
{
	const struct region *old = replaces ? same_pages(mm, r) : NULL;
	struct batch b;
	struct mapcmd *c;
	int err;

	batch_init(&b);
	*reached = r->end;
	err = old != NULL ? regather(&b, old, r) : region_gather(&b, r, POPULATE_AT_MAP, reached);
	if (!err && replaces && *reached < r->end) {
		c = batch_add(&b, MAPOP_MUNMAP, *reached, r->end - *reached);
		err = c == NULL ? -ENOMEM : 0;
	}
	if (!err) {
		batch_plain(&b, mm, r->start, r->end);
		err = batch_run(&b, mm);
		if (err) {
			host_undo(mm, r->start, r->end);
			/* What was there is gone, as it is on Linux when a mapping fails late. */
			*reached = 0;
		}
	} else {
		*reached = r->end;
	}
	batch_fini(&b);
	return err;
}

/* The rest of mm_map once the place is known. */
static int
map_at(struct mm *mm, const struct mmap_args *a, struct mobj *mobj, uint64_t start, uint64_t len, struct list *dead)
{
	uint64_t end = start + len, reached, old = overlap(mm, start, end);
	struct region *r, *rest = NULL;
	int err;

	if (!may_expand(mm, len - old, a->prot, a->region_flags | ((a->flags & MAP_TYPE) != MAP_PRIVATE ? REGION_SHARED : 0)))
		return -ENOMEM;
	if (((a->flags & MAP_LOCKED) || mm->lock_future) && mm->locked_vm + len > atomic_load(&mm->lim_memlock))
		return -EAGAIN;
	if (mm->regions.count >= MAP_LIMIT)
		return -ENOMEM;
	err = region_split_at(mm, start);
	if (!err)
		err = region_split_at(mm, end);
	if (err)
		return err;
	r = region_from_args(mm, a, mobj, start, len);
	if (r == NULL)
		return -ENOMEM;
	if (mobj != NULL) {
		err = region_link_new(r);
		if (!err) {
			rest = region_clone(mm, r);
			err = rest == NULL ? -ENOMEM : 0;
		}
		if (err) {
			region_drop(r, dead);
			return err;
		}
	}
	err = map_host(mm, r, old != 0, &reached);
	if (err) {
		region_drop(r, dead);
		if (rest != NULL)
			region_drop(rest, dead);
		if (reached == 0)
			regions_cut(mm, start, end, dead);
		return err;
	}
	regions_cut(mm, start, end, dead);
	if (rest != NULL && reached > start && reached < end) {
		rest->start = r->end = reached;
		rest->off += reached - start;
		rest->flags |= REGION_ABSENT;
		region_insert(mm, rest);
		rest = NULL;
	} else if (reached == start) {
		r->flags |= REGION_ABSENT;
	}
	if (rest != NULL)
		region_drop(rest, dead);
	region_insert(mm, r);
	return 0;
}

int64_t
mm_map(struct mm *mm, struct mmap_args *a)
{
	AUTO_PUT(mobj) mobj = NULL;
	uint64_t len = page_up(a->len);
	struct list dead;
	int64_t at;
	int err = mm_map_check(a);

	if (err)
		return err;
	mobj = mobj_get(a->mobj);
	if (mobj == NULL && (a->flags & MAP_TYPE) != MAP_PRIVATE) {
		err = mobj_new_anon(len, &mobj);
		if (err)
			return err;
		a->off = 0;
	}
	list_init(&dead);
	mutex_lock(&mm->mu);
	err = clear_place(mm, a, len);
	at = err ? err : place(mm, a, len);
	if (at >= 0) {
		err = map_at(mm, a, mobj, (uint64_t)at, len, &dead);
		regions_merge(mm, (uint64_t)at, (uint64_t)at + len);
		if (err)
			at = err;
	}
	mutex_unlock(&mm->mu);
	regions_free(&dead);
	if (at >= 0 && ((a->flags & (MAP_POPULATE | MAP_NONBLOCK)) == MAP_POPULATE || (a->flags & MAP_LOCKED)) &&
	    (a->prot & PROT_ALL)) {
		/* As on Linux, what cannot be populated now will fault later. */
		err = mm_populate(mm, (uint64_t)at, len, (a->prot & PROT_WRITE) && (a->flags & MAP_TYPE) == MAP_PRIVATE);
	}
	return at;
}

int
mm_unmap(struct mm *mm, uint64_t addr, uint64_t len)
{
	struct list dead;
	int err;

	if ((addr & ~PAGE_MASK) || addr > GUEST_TOP || len > GUEST_TOP - addr)
		return -EINVAL;
	len = page_up(len);
	if (len == 0)
		return -EINVAL;
	if (addr + len <= GUEST_BOTTOM)
		return 0;
	list_init(&dead);
	mutex_lock(&mm->mu);
	err = patches_evict(mm, addr, addr + len);
	if (!err)
		err = unmap_locked(mm, max(addr, GUEST_BOTTOM), addr + len, &dead);
	mutex_unlock(&mm->mu);
	regions_free(&dead);
	return err;
}

/* ---- mprotect ----------------------------------------------------------------- */

/* Where a change of [start, end) to prot must stop, and why: a hole, a region that may not, a limit. */
static uint64_t
protect_reach(struct mm *mm, uint64_t start, uint64_t end, uint32_t prot, int *err)
{
	uint64_t at = start, data = 0;
	struct region *r;

	*err = 0;
	for (r = region_at_or_after(mm, start); at < end; r = region_next(r)) {
		if (r == NULL || r->start > at) {
			*err = -ENOMEM;
			return at;
		}
		if (prot & ~r->maxprot & PROT_ALL) {
			*err = -EACCES;
			return at;
		}
		if ((prot & PROT_WRITE) && !(r->prot & PROT_WRITE) && !(r->flags & (REGION_SHARED | REGION_GROWSDOWN))) {
			uint64_t more = min(r->end, end) - at;

			if (ckd_add(&data, data, more) || mm->data_vm + data > atomic_load(&mm->lim_data)) {
				*err = -ENOMEM;
				return at;
			}
		}
		at = min(r->end, end);
	}
	return end;
}

/*
 * One command for each run of present regions in [start, end).  Where nothing is yet, a new mapping does the same, and
 * guest threads may make one, but not add the right to write to what there is (mapcmd.plain).
 */
static int
protect_gather(struct batch *b, struct mm *mm, uint64_t start, uint64_t end, uint32_t prot)
{
	struct mapcmd *c = NULL;

	for (struct region *r = region_at_or_after(mm, start); r != NULL && r->start < end; r = region_next(r)) {
		enum mapop op = (r->flags & REGION_FRESH) && !(prot & PROT_EXEC) ? MAPOP_MMAP : MAPOP_MPROTECT;
		int flags = op == MAPOP_MPROTECT ? 0 : host_flags(r);

		if (r->flags & REGION_ABSENT) {
			c = NULL;
			continue;
		}
		if (c != NULL && c->op == op && c->flags == flags) {
			c->len += r->end - r->start;
			continue;
		}
		c = batch_add(b, op, r->start, r->end - r->start);
		if (c == NULL)
			return -ENOMEM;
		c->prot = (int)prot;
		c->flags = flags;
	}
	return 0;
}

/* After a change that the host refused half-way: everything back to what the regions say, as far as it lets us. */
static void
protect_restore(struct mm *mm, uint64_t start, uint64_t end)
{
	for (struct region *r = region_at_or_after(mm, start); r != NULL && r->start < end; r = region_next(r)) {
		struct mapcmd c = { .op = MAPOP_MPROTECT, .va = r->start, .len = r->end - r->start,
		    .prot = (int)r->prot, .fd = MAPFD_ANON };

		/* Another thread may have written there meanwhile. */
		r->flags &= ~(uint32_t)(REGION_FRESH | REGION_CLEAN);
		if (!(r->flags & REGION_ABSENT) && space_exec(mm->space, &c, 1) != 0)
			return;
	}
}

static int
protect_locked(struct mm *mm, uint64_t start, uint64_t end, uint32_t prot)
{
	struct batch b;
	int stop_err, err;

	end = protect_reach(mm, start, end, prot, &stop_err);
	if (end <= start)
		return stop_err;
	err = region_split_at(mm, start);
	if (!err)
		err = region_split_at(mm, end);
	batch_init(&b);
	if (!err)
		err = protect_gather(&b, mm, start, end, prot);
	if (!err) {
		batch_plain(&b, mm, start, end);
		err = batch_run(&b, mm);
		if (err)
			protect_restore(mm, start, end);
	}
	batch_fini(&b);
	if (!err) {
		for (struct region *r = region_at_or_after(mm, start); r != NULL && r->start < end; r = region_next(r)) {
			region_account(mm, r, false);
			r->prot = prot;
			if (prot != PROT_NONE)
				r->flags &= ~(uint32_t)REGION_FRESH;
			if (prot & PROT_WRITE)
				r->flags &= ~(uint32_t)REGION_CLEAN;
			region_account(mm, r, true);
		}
		mm_changed(mm);
	}
	regions_merge(mm, start, end);
	return err ? err : stop_err;
}

int
mm_protect(struct mm *mm, uint64_t addr, uint64_t len, uint32_t prot, bool growsdown)
{
	uint64_t end;
	int err = 0;

	if (addr & ~PAGE_MASK)
		return -EINVAL;
	if (len == 0)
		return 0;
	len = page_up(len);
	if (len == 0 || ckd_add(&end, addr, len))
		return -ENOMEM;
	if (prot & ~(uint32_t)(PROT_ALL | 0x8))		/* PROT_SEM */
		return -EINVAL;
	prot &= PROT_ALL;
	mutex_lock(&mm->mu);
	err = patches_evict(mm, addr, end);
	if (!err && growsdown) {
		struct region *r = region_at_or_after(mm, addr);

		if (r == NULL || r->start >= end)
			err = -ENOMEM;
		else if (!(r->flags & REGION_GROWSDOWN))
			err = -EINVAL;
		else
			addr = r->start;
	}
	if (!err)
		err = protect_locked(mm, addr, end, prot);
	mutex_unlock(&mm->mu);
	return err;
}
