/*
 * remap: mremap(2).
 *
 * Private memory moves by the host's own mremap, so that its pages come along.  A shared mapping has no
 * content of its own: it is mapped again at the new place.  One logical mapping may be several regions here,
 * present and absent pieces of one object (a run); it moves piece by piece.
 */
#include "sentry/mm/region.h"

#include <string.h>
#include <sys/mman.h>

#ifndef MREMAP_DONTUNMAP
#define MREMAP_DONTUNMAP 4
#endif

struct remap {
	struct mm	*mm;
	uint64_t	 old, old_len, new, new_len;
	uint32_t	 flags;
	struct list	*dead;
};

/* The end of the run that begins with the region of addr; 0 if there is none. */
static uint64_t
run_end(struct mm *mm, uint64_t addr)
{
	struct region *r = mm_find_locked(mm, addr), *n;

	if (r == NULL)
		return 0;
	while ((n = region_next(r)) != NULL && region_continues(r, n))
		r = n;
	return r->end;
}

/* A piece of src from `from` on, [va, va+len) at its new place, in no tree yet. */
static struct region *
piece_at(struct mm *mm, const struct region *src, uint64_t from, uint64_t va, uint64_t len)
{
	struct region *n = region_clone(mm, src);

	if (n == NULL)
		return NULL;
	n->off = src->off + (from - src->start);
	n->start = va;
	n->end = va + len;
	return n;
}

/* Takes [start, end) back, where nothing is mapped; it may have been merged with what is before it. */
static void
undo_more(struct mm *mm, uint64_t start, uint64_t end, struct list *dead)
{
	/* Else it stays, absent as it is: faults there will fail as this did. */
	if (region_split_at(mm, start) == 0 && region_split_at(mm, end) == 0)
		regions_cut(mm, start, end, dead);
}

/* Maps [va, va+len) as the continuation of src at offset `from`; fails with nothing changed. */
static int
map_more(struct mm *mm, const struct region *src, uint64_t from, uint64_t va, uint64_t len, struct list *dead)
{
	struct region *n = piece_at(mm, src, from, va, len);
	uint64_t done;
	int err;

	if (n == NULL)
		return -ENOMEM;
	n->flags &= ~(uint32_t)REGION_ABSENT;
	if (n->mobj != NULL) {
		n->flags |= REGION_ABSENT;
		region_insert(mm, n);
		err = populate_locked(mm, va, va + len, POPULATE_AT_MAP, &done);
		if (err)
			undo_more(mm, va, va + len, dead);
		return err;
	}
	err = host_map_anon(mm, n);
	if (err)
		region_drop(n, dead);
	else
		region_insert(mm, n);
	return err;
}

/* Grows a private anonymous region in place: the host keeps it one mapping, so that it can move as one later. */
static int
grow_anon(struct mm *mm, const struct region *r, uint64_t more, struct list *dead)
{
	struct region *n = piece_at(mm, r, r->end, r->end, more);
	struct mapcmd c = { .op = MAPOP_MREMAP, .va = r->start, .len = r->end - r->start, .fd = MAPFD_ANON,
	    .off = r->start, .new_len = r->end - r->start + more };
	int err;

	if (n == NULL)
		return -ENOMEM;
	err = space_exec(mm->space, &c, 1);
	if (err)
		region_drop(n, dead);
	else
		region_insert(mm, n);
	return err;
}

/* Adds the host commands that move r (private, present) to va; grow: the last piece of an anonymous one takes more. */
static int
move_gather(struct batch *b, const struct region *r, uint64_t va, uint64_t new_len, bool keep_old)
{
	uint64_t at = r->start, dst = va;

	do {
		uint64_t len = r->end - at;
		struct mapcmd *c;

		/* The host has one mapping for each contiguous piece of the object. */
		if (r->mobj != NULL) {
			struct backing back = { .fd = MAPFD_ANON };
			int err = r->mobj->ops->backing(r->mobj, r->off + (at - r->start), len, false, &back);

			if (err)
				return err;
			if (back.len != 0)
				len = min(len, page_up(back.len));
		}
		c = batch_add(b, MAPOP_MREMAP, at, len);
		if (c == NULL)
			return -ENOMEM;
		c->off = dst;
		c->new_len = r->mobj == NULL ? new_len : len;
		c->keep_old = keep_old;
		at += len;
		dst += len;
	} while (at < r->end);
	return 0;
}

/*
 * Moves the private run [old, old+old_len), whose ends are boundaries, to new; the destination is free.
 * An anonymous run is a single region, and grows in the same step.
 */
static int
move_private(struct remap *m)
{
	struct mm *mm = m->mm;
	bool keep = m->flags & MREMAP_DONTUNMAP;
	struct list made;
	struct region *r, *n, *nxt;
	struct batch b;
	int err = 0;

	list_init(&made);
	batch_init(&b);
	for (r = region_at_or_after(mm, m->old); !err && r != NULL && r->start < m->old + m->old_len; r = region_next(r)) {
		uint64_t va = m->new + (r->start - m->old);
		uint64_t new_len = r->mobj == NULL ? m->new_len : r->end - r->start;

		n = piece_at(mm, r, r->start, va, new_len);
		if (n == NULL) {
			err = -ENOMEM;
			break;
		}
		list_push_back(&made, &n->link);
		region_link(n);
		if (!(r->flags & REGION_ABSENT))
			err = move_gather(&b, r, va, new_len, keep);
	}
	if (!err) {
		err = batch_run(&b, mm);
		/* Pieces may have moved before one could not: they are neither here nor there. */
		if (err && b.n != 0 && b.cmds[0].result == 0) {
			host_undo(mm, m->new, m->new + m->new_len);
			space_end_wait(mm->space);
		}
	}
	batch_fini(&b);
	if (!err && !keep)
		regions_cut(mm, m->old, m->old + m->old_len, m->dead);
	list_for_each_safe(n, nxt, &made, link) {
		list_remove(&n->link);
		if (err)
			region_drop(n, m->dead);
		else
			region_insert(mm, n);
	}
	return err;
}

/* A shared run is mapped afresh; then the old place goes, unless it was only to be seen twice. */
static int
move_shared(struct remap *m)
{
	struct region *r = mm_find_locked(m->mm, m->old);
	bool keep = m->old_len == 0 || (m->flags & MREMAP_DONTUNMAP);
	int err = map_more(m->mm, r, m->old, m->new, m->new_len, m->dead);

	if (err || keep)
		return err;
	err = unmap_locked(m->mm, m->old, m->old + m->old_len, m->dead);
	if (err) {
		int undo = unmap_locked(m->mm, m->new, m->new + m->new_len, m->dead);

		WARN_ONCE(undo != 0 && undo != -ESRCH);
	}
	return err;
}

/* To m->new, which is free (or was made so); new_len >= old_len. */
static int64_t
move(struct remap *m)
{
	struct mm *mm = m->mm;
	struct region *r;
	uint64_t old_len = m->old_len;
	int err = region_split_at(mm, m->old);

	if (!err)
		err = region_split_at(mm, m->old + old_len);
	r = mm_find_locked(mm, m->old);
	if (!err && (r == NULL || mm->regions.count >= MAP_LIMIT - 2))
		err = -ENOMEM;
	if (err)
		return err;
	if (r->flags & REGION_SHARED) {
		err = move_shared(m);
	} else if (r->mobj == NULL || m->new_len == old_len) {
		err = move_private(m);
	} else {
		/* The tail first: it is easy to take back. */
		struct remap body = *m;
		uint64_t tail = m->new_len - old_len;

		body.new_len = old_len;
		err = map_more(mm, r, m->old + old_len, m->new + old_len, tail, m->dead);
		if (!err) {
			err = move_private(&body);
			if (err) {
				int undo = unmap_locked(mm, m->new + old_len, m->new + m->new_len, m->dead);

				WARN_ONCE(undo != 0 && undo != -ESRCH);
			}
		}
	}
	regions_merge(mm, m->old, m->old + old_len);
	regions_merge(mm, m->new, m->new + m->new_len);
	return err ? err : (int64_t)m->new;
}

/* The checks Linux makes of the old mapping (vma_to_resize). */
static int
check_old(struct remap *m)
{
	struct region *r = mm_find_locked(m->mm, m->old);
	uint64_t end, more = m->new_len > m->old_len ? m->new_len - m->old_len : 0, sum;

	if (r == NULL)
		return -EFAULT;
	if (m->old_len == 0 && !(r->flags & REGION_SHARED))
		return -EINVAL;
	end = run_end(m->mm, m->old);
	if (m->old_len > end - m->old)
		return -EFAULT;
	if (r->flags & (REGION_VDSO | REGION_VVAR) && more != 0)
		return -EFAULT;
	if (more == 0)
		return 0;
	if (ckd_add(&sum, r->off + (m->old - r->start), m->new_len))
		return -EINVAL;
	if ((r->flags & REGION_LOCKED) && m->mm->locked_vm + more > atomic_load(&m->mm->lim_memlock))
		return -EAGAIN;
	return may_expand(m->mm, more, r->prot, r->flags) ? 0 : -ENOMEM;
}

static int64_t
remap_fixed(struct remap *m)
{
	int err;

	if ((m->new & ~PAGE_MASK) || m->new_len > GUEST_TOP || m->new > GUEST_TOP - m->new_len)
		return -EINVAL;
	if (m->new < GUEST_BOTTOM)
		return -EPERM;
	if (m->old + m->old_len > m->new && m->new + m->new_len > m->old)
		return -EINVAL;
	if (m->mm->regions.count + 2 >= MAP_LIMIT)
		return -ENOMEM;
	err = check_old(m);
	if (err)
		return err;
	err = unmap_locked(m->mm, m->new, m->new + m->new_len, m->dead);
	if (!err && m->old_len > m->new_len) {
		err = unmap_locked(m->mm, m->old + m->new_len, m->old + m->old_len, m->dead);
		m->old_len = m->new_len;
	}
	return err ? err : move(m);
}

/* Without a place of the guest's choice. */
static int64_t
remap_anywhere(struct remap *m)
{
	struct mm *mm = m->mm;
	uint64_t end = m->old + m->old_len, more;
	struct region *r;
	int64_t at;
	int err = check_old(m);

	if (err)
		return err;
	if (m->old_len >= m->new_len && !(m->flags & MREMAP_DONTUNMAP)) {
		if (m->old_len > m->new_len)
			err = unmap_locked(mm, m->old + m->new_len, end, m->dead);
		return err ? err : (int64_t)m->old;
	}
	more = m->new_len - m->old_len;
	if (m->old_len != 0 && more != 0 && run_end(mm, m->old) == end && more <= GUEST_TOP - end &&
	    range_free(mm, end, end + more)) {
		r = mm_find_locked(mm, end - 1);
		err = r->mobj == NULL ? grow_anon(mm, r, more, m->dead) : -EFAULT;
		/* Or the host has it in pieces, and one more does not matter. */
		if (err == -EFAULT)
			err = map_more(mm, r, end, end, more, m->dead);
		regions_merge(mm, m->old, m->old + m->new_len);
		return err ? err : (int64_t)m->old;
	}
	if (!(m->flags & MREMAP_MAYMOVE))
		return -ENOMEM;
	at = find_hole(mm, m->new_len, false);
	if (at < 0)
		return at;
	m->new = (uint64_t)at;
	return move(m);
}

int64_t
mm_remap(struct mm *mm, uint64_t old, uint64_t old_len, uint64_t new_len, uint32_t flags, uint64_t new_addr)
{
	struct remap m = { .mm = mm, .old = old, .old_len = page_up(old_len), .new = new_addr,
	    .new_len = page_up(new_len), .flags = flags };
	struct list dead;
	int64_t ret;

	if (flags & ~(uint32_t)(MREMAP_MAYMOVE | MREMAP_FIXED | MREMAP_DONTUNMAP))
		return -EINVAL;
	if ((flags & MREMAP_FIXED) && !(flags & MREMAP_MAYMOVE))
		return -EINVAL;
	if ((flags & MREMAP_DONTUNMAP) && (!(flags & MREMAP_MAYMOVE) || m.old_len != m.new_len))
		return -EINVAL;
	if ((old & ~PAGE_MASK) || m.new_len == 0 || m.new_len > GUEST_TOP)
		return -EINVAL;
	if (old >= GUEST_TOP || m.old_len > GUEST_TOP)
		return -EFAULT;
	list_init(&dead);
	m.dead = &dead;
	mutex_lock(&mm->mu);
	/* Lengths are those of addresses, so neither sum can wrap. */
	ret = patches_evict(mm, old, old + max(m.old_len, m.new_len));
	if (!ret && (flags & MREMAP_FIXED) && new_addr < GUEST_TOP)
		ret = patches_evict(mm, new_addr, new_addr + m.new_len);
	if (!ret)
		ret = flags & MREMAP_FIXED ? remap_fixed(&m) : remap_anywhere(&m);
	mutex_unlock(&mm->mu);
	regions_free(&dead);
	return ret;
}
