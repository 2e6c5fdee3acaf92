/*
 * mm: an address space from birth to death: limits, brk, madvise, mlock, fork.
 */
#include "sentry/mm/region.h"

#include <asm/resource.h>
#include <string.h>
#include <sys/mman.h>

#include "base/kmem.h"
#include "sentry/kernel/task.h"
#include "sentry/mm/usercopy.h"
#include "sentry/vfs/file.h"

#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ 22
#define MADV_POPULATE_WRITE 23
#endif

#define NO_LIMIT	UINT64_MAX
#define STACK_DEFAULT	(8ULL << 20)
#define GAP_BELOW_STACK	(128ULL << 20)		/* for a stack to grow, at the least */

KMEM_CACHE(mm);

/* ---- birth and death ----------------------------------------------------------- */

/* Address spaces whose last reference went where it could not be released. */
static struct mm *_Atomic buried;

void
mm_bury(struct mm *mm)
{
	mm->next_dead = atomic_load(&buried);
	while (!atomic_compare_exchange_weak(&buried, &mm->next_dead, mm))
		;
}

static void
exhume(void)
{
	struct mm *mm = atomic_load(&buried) == NULL ? NULL : atomic_exchange(&buried, NULL), *next;

	for (; mm != NULL; mm = next) {
		next = mm->next_dead;
		mm_release(mm);
	}
}

static _Atomic uint64_t next_id = 1;

static struct mm *
mm_alloc(void)
{
	struct mm *mm = obj_new(mm);

	if (mm == NULL)
		return NULL;
	ref_init(&mm->ref, OBJ_mm);
	mutex_init(&mm->mu, RANK_mm);
	regions_init(mm);
	mm->id = atomic_fetch_add(&next_id, 1);
	atomic_store(&mm->lim_as, NO_LIMIT);
	atomic_store(&mm->lim_data, NO_LIMIT);
	atomic_store(&mm->lim_stack, STACK_DEFAULT);
	atomic_store(&mm->lim_memlock, NO_LIMIT);
	atomic_store(&mm->dumpable, 1);
	return mm;
}

int
mm_new(struct mm **out)
{
	struct mm *mm;
	uint64_t rnd[2];
	int err;

	exhume();
	mm = mm_alloc();
	if (mm == NULL)
		return -ENOMEM;
	err = space_new(&mm->space);
	if (err) {
		mm_put(mm);
		return err;
	}
	/* As on Linux: 16 GiB of play for the stack, 28 bits of pages for mmap. exec may say otherwise. */
	kernel_random(rnd, sizeof rnd);
	mm->stack_top = GUEST_TOP - PAGE_SIZE - (rnd[0] & 0x3fffff) * PAGE_SIZE;
	mm->mmap_top = GUEST_TOP - GAP_BELOW_STACK - (0x3fffffULL + 1) * PAGE_SIZE - STACK_GAP -
	    (rnd[1] & 0xfffffff) * PAGE_SIZE;
	*out = mm;
	return 0;
}

void
mm_release(struct mm *mm)
{
	struct region *r;
	struct list dead;

	if (mm->held != NULL) {
		batch_fini(mm->held);
		mem_free(mm->held);
	}
	/* The host's side first: when an object's pages are free again, nobody may still see them. */
	if (mm->space != NULL && mm->has_shared)
		space_end_wait(mm->space);
	if (mm->space != NULL)
		space_free(mm->space);
	list_init(&dead);
	mutex_lock(&mm->mu);
	r = region_first(mm);
	if (r != NULL)
		regions_cut(mm, 0, UINT64_MAX, &dead);
	mutex_unlock(&mm->mu);
	regions_free(&dead);
	file_put(mm->exe);
	mutex_fini(&mm->mu);
	obj_free(mm, mm);
}

void
mm_set_limits(struct mm *mm, struct task *t)
{
	atomic_store(&mm->lim_as, task_rlimit(t, RLIMIT_AS));
	atomic_store(&mm->lim_data, task_rlimit(t, RLIMIT_DATA));
	atomic_store(&mm->lim_stack, task_rlimit(t, RLIMIT_STACK));
	atomic_store(&mm->lim_memlock,
	    task_capable(t, 14) ? NO_LIMIT : task_rlimit(t, RLIMIT_MEMLOCK));	/* CAP_IPC_LOCK */
}

/* ---- fork ------------------------------------------------------------------------ */

/* Copies of the parent's regions, linked to their objects: an invalidation from now on finds them. */
static int
fork_regions(struct mm *parent, struct mm *child, struct list *made)
{
	struct region *r, *n;

	for (r = region_first(parent); r != NULL; r = region_next(r)) {
		if (r->flags & REGION_DONTFORK)
			continue;
		n = region_clone(child, r);
		if (n == NULL)
			return -ENOMEM;
		n->flags &= ~(uint32_t)REGION_LOCKED;
		region_link(n);
		list_push_back(made, &n->link);
	}
	return 0;
}

static void
fork_numbers(struct mm *child, const struct mm *parent)
{
	child->brk_start = parent->brk_start;
	child->brk = parent->brk;
	child->mmap_top = parent->mmap_top;
	child->stack_top = parent->stack_top;
	child->arg_start = parent->arg_start;
	child->arg_end = parent->arg_end;
	child->env_start = parent->env_start;
	child->env_end = parent->env_end;
	child->start_code = parent->start_code;
	child->end_code = parent->end_code;
	child->start_data = parent->start_data;
	child->end_data = parent->end_data;
	child->start_stack = parent->start_stack;
	memcpy(child->auxv, parent->auxv, sizeof child->auxv);
	child->nauxv = parent->nauxv;
	child->exe = file_get(parent->exe);
	child->vdso_base = parent->vdso_base;
	child->has_shared = parent->has_shared;
	atomic_store(&child->dumpable, atomic_load(&parent->dumpable));
	atomic_store(&child->lim_as, atomic_load(&parent->lim_as));
	atomic_store(&child->lim_data, atomic_load(&parent->lim_data));
	atomic_store(&child->lim_stack, atomic_load(&parent->lim_stack));
	atomic_store(&child->lim_memlock, atomic_load(&parent->lim_memlock));
}

int
mm_fork(struct task *t, struct mm *parent, struct mm **out)
{
	struct mm *child;
	struct region *n, *nxt;
	struct list made, dead;
	int err;

	exhume();
	usercopy_settle();
	mm_set_limits(parent, t);
	child = mm_alloc();
	if (child == NULL)
		return -ENOMEM;
	list_init(&made);
	list_init(&dead);
	/*
	 * DONTFORK and WIPEONFORK were told to the host when they were asked for, so its own fork honours them.
	 * parent->mu is held throughout: the host's copy and ours are of one moment.  The child's as well: an
	 * invalidation finds it by the objects as soon as they know of it.
	 */
	mutex_lock_pair(&parent->mu, &child->mu);
	fork_numbers(child, parent);
	err = fork_regions(parent, child, &made);
	if (!err)
		err = space_fork(parent->space, &child->space);
	list_for_each_safe(n, nxt, &made, link) {
		list_remove(&n->link);
		if (err)
			region_drop(n, &dead);
		else
			region_insert(child, n);
	}
	mutex_unlock_pair(&parent->mu, &child->mu);
	regions_free(&dead);
	if (err)
		mm_put(child);
	else
		*out = child;
	return err;
}

/* ---- brk ------------------------------------------------------------------------- */

static int
brk_grow(struct mm *mm, uint64_t from, uint64_t to)
{
	struct region *r;
	struct list dead;
	int err;

	/* Linux keeps a page free above. */
	if (to > GUEST_TOP - PAGE_SIZE || patches_evict(mm, from, to + PAGE_SIZE) != 0 ||
	    !range_free(mm, from, to + PAGE_SIZE) || !may_expand(mm, to - from, PROT_READ | PROT_WRITE, 0) ||
	    mm->regions.count >= MAP_LIMIT)
		return -ENOMEM;
	if (mm->lock_future && mm->locked_vm + (to - from) > atomic_load(&mm->lim_memlock))
		return -EAGAIN;
	r = region_new(mm, from, to);
	if (r == NULL)
		return -ENOMEM;
	r->prot = PROT_READ | PROT_WRITE;
	r->maxprot = PROT_READ | PROT_WRITE | PROT_EXEC;
	r->flags = REGION_HEAP | (mm->lock_future ? REGION_LOCKED : 0);
	r->off = from;
	err = host_map_anon(mm, r);
	if (err) {
		list_init(&dead);
		region_drop(r, &dead);
		regions_free(&dead);
		return err;
	}
	region_insert(mm, r);
	regions_merge(mm, from, to);
	return 0;
}

static int
brk_shrink(struct mm *mm, uint64_t from, uint64_t to, struct list *dead)
{
	int err = patches_evict(mm, to, from);

	return err ? err : unmap_locked(mm, to, from, dead);
}

int64_t
mm_brk(struct mm *mm, uint64_t brk)
{
	uint64_t from, to, data;
	struct list dead;
	int64_t ret;
	int err = 0;

	list_init(&dead);
	mutex_lock(&mm->mu);
	from = page_up(mm->brk);
	to = page_up(brk);
	data = mm->end_data - mm->start_data;
	if (brk < mm->brk_start || brk >= GUEST_TOP)
		err = -ENOMEM;
	else if (brk > mm->brk && brk - mm->brk_start + data > atomic_load(&mm->lim_data))
		err = -ENOMEM;
	else if (to < from)
		err = brk_shrink(mm, from, to, &dead);
	else if (to > from)
		err = brk_grow(mm, from, to);
	if (!err)
		mm->brk = brk;
	ret = (int64_t)mm->brk;
	mutex_unlock(&mm->mu);
	regions_free(&dead);
	return ret;
}

/* ---- madvise, mlock --------------------------------------------------------------- */

/* What one region makes of the advice: new flags, or a host advice, or an error. */
struct advice {
	int		host;		/* madvise for the host, -1 none */
	bool		must;		/* its failure counts */
	uint32_t	set, clear;	/* region flags */
};

static int
advice_for(const struct region *r, int advice, struct advice *out)
{
	bool anon = r->mobj == NULL;

	*out = (struct advice){ .host = -1 };
	switch (advice) {
	case MADV_NORMAL: case MADV_RANDOM: case MADV_SEQUENTIAL: case MADV_WILLNEED:
	case MADV_COLD: case MADV_PAGEOUT:
		return 0;
	case MADV_DONTNEED:
	case MADV_FREE:
		if (r->flags & REGION_LOCKED)
			return -EINVAL;
		if (advice == MADV_FREE && (!anon || (r->flags & REGION_SHARED)))
			return -EINVAL;
		/* Shared content is the object's: nothing to drop. */
		if (!(r->flags & REGION_SHARED))
			*out = (struct advice){ .host = advice, .must = true };
		return 0;
	case MADV_DONTFORK:
		*out = (struct advice){ .host = advice, .must = true, .set = REGION_DONTFORK };
		return 0;
	case MADV_DOFORK:
		*out = (struct advice){ .host = advice, .must = true, .clear = REGION_DONTFORK };
		return 0;
	case MADV_WIPEONFORK:
		if (!anon)
			return -EINVAL;
		*out = (struct advice){ .host = advice, .must = true, .set = REGION_WIPEONFORK };
		return 0;
	case MADV_KEEPONFORK:
		*out = (struct advice){ .host = advice, .must = anon, .clear = REGION_WIPEONFORK };
		return 0;
	case MADV_HUGEPAGE: case MADV_NOHUGEPAGE:
		*out = (struct advice){ .host = anon ? advice : -1 };
		return 0;
	case MADV_DONTDUMP:
		out->set = REGION_DONTDUMP;
		return 0;
	case MADV_DODUMP:
		out->clear = REGION_DONTDUMP;
		return 0;
	default:
		return -EINVAL;
	}
}

static bool
advice_known(int advice)
{
	struct region r = { .flags = 0 };
	struct advice a;

	return advice_for(&r, advice, &a) == 0;
}

/* How far the host gets the same advice as from r on, in regions that nothing changes in and that touch each other. */
static uint64_t
advice_reach(const struct region *r, uint64_t end, int advice, const struct advice *a)
{
	uint64_t at = r->end;

	if (!a->must || (a->set | a->clear) != 0)
		return at;
	while (at < end && (r = region_next(r)) != NULL && r->start == at && !(r->flags & REGION_ABSENT)) {
		struct advice b;

		if (advice_for(r, advice, &b) != 0 || b.host != a->host || !b.must)
			break;
		at = r->end;
	}
	return at;
}

/* Advises r; what lies before *told the host knows already. */
static int
advise_one(struct mm *mm, struct region *r, uint64_t end, int advice, uint64_t *told)
{
	struct mapcmd c = { .op = MAPOP_MADVISE, .va = r->start, .fd = MAPFD_ANON };
	struct advice a;
	int err = advice_for(r, advice, &a);

	if (err)
		return err;
	if (a.host >= 0 && !(r->flags & REGION_ABSENT) && r->start >= *told) {
		c.advice = a.host;
		*told = advice_reach(r, end, advice, &a);
		c.len = *told - r->start;
		c.plain = is_plain(mm, r->start, *told);
		err = space_exec(mm->space, &c, 1);
		if (err && a.must)
			return err;
	}
	/* The host has been told of what is there, if nothing else. */
	r->flags = (r->flags | a.set) & ~(a.clear | REGION_FRESH);
	return 0;
}

int
mm_advise(struct mm *mm, uint64_t addr, uint64_t len, int advice)
{
	uint64_t end, at, told = 0;
	struct region *r;
	int err = 0, holes = 0;

	if (advice == MADV_POPULATE_READ || advice == MADV_POPULATE_WRITE) {
		if (addr & ~PAGE_MASK)
			return -EINVAL;
		return mm_populate(mm, addr, len, advice == MADV_POPULATE_WRITE);
	}
	if (!advice_known(advice) || (addr & ~PAGE_MASK))
		return -EINVAL;
	end = addr + page_up(len);
	if ((len != 0 && page_up(len) == 0) || end < addr)
		return -EINVAL;
	if (end == addr)
		return 0;
	mutex_lock(&mm->mu);
	err = patches_evict(mm, addr, end);
	if (!err)
		err = region_split_at(mm, addr);
	if (!err)
		err = region_split_at(mm, end);
	at = addr;
	for (r = region_at_or_after(mm, addr); !err && r != NULL && r->start < end; r = region_next(r)) {
		if (r->start > at)
			holes = -ENOMEM;
		err = advise_one(mm, r, end, advice, &told);
		at = r->end;
	}
	if (at < end)
		holes = -ENOMEM;
	regions_merge(mm, addr, end);
	mutex_unlock(&mm->mu);
	return err ? err : holes;
}

int
mm_populate(struct mm *mm, uint64_t addr, uint64_t len, bool write)
{
	uint64_t end, at = addr, done;
	int err = 0;

	if (page_up(len) == 0 || ckd_add(&end, addr, page_up(len)))
		return len == 0 ? 0 : -EINVAL;
	mutex_lock(&mm->mu);
	while (!err && at < end) {
		struct region *r = region_at_or_after(mm, at);
		struct mapcmd c = { .op = MAPOP_MADVISE, .va = at, .fd = MAPFD_ANON,
		    .advice = write ? MADV_POPULATE_WRITE : MADV_POPULATE_READ };
		uint64_t stop;

		if (r == NULL || r->start > at || (r->flags & REGION_PATCHES)) {
			err = -ENOMEM;
			break;
		}
		if (r->prot == PROT_NONE || (write && !(r->prot & PROT_WRITE))) {
			err = -EINVAL;
			break;
		}
		/* The host reads only where reading is allowed. */
		if (!(r->prot & PROT_READ) && (r->prot & PROT_WRITE))
			c.advice = MADV_POPULATE_WRITE;
		stop = min(r->end, end);
		if (r->flags & REGION_ABSENT) {
			err = populate_locked(mm, at, stop, UINT64_MAX, &done);
			if (!err && done < stop)
				err = -EFAULT;
			stop = done;
		}
		c.len = stop - at;
		if (c.len != 0) {
			int host = space_exec(mm->space, &c, 1);

			err = err ? err : host;
		}
		at = stop;
	}
	mutex_unlock(&mm->mu);
	return err;
}

int
mm_lock(struct mm *mm, uint64_t addr, uint64_t len, bool lock, bool privileged)
{
	uint64_t end, at, more = 0, start = page_down(addr);
	struct region *r;
	int err;

	if (ckd_add(&end, addr, len) || (page_up(end) == 0 && end != 0))
		return -EINVAL;
	end = page_up(end);
	if (end == start)
		return 0;
	mutex_lock(&mm->mu);
	for (r = region_at_or_after(mm, start); r != NULL && r->start < end; r = region_next(r)) {
		if (!(r->flags & (REGION_LOCKED | REGION_PATCHES)))
			more += min(r->end, end) - max(r->start, start);
	}
	if (lock && !privileged && mm->locked_vm + more > atomic_load(&mm->lim_memlock)) {
		mutex_unlock(&mm->mu);
		return -ENOMEM;
	}
	err = region_split_at(mm, start);
	if (!err)
		err = region_split_at(mm, end);
	at = start;
	for (r = region_at_or_after(mm, start); !err && r != NULL && r->start < end; r = region_next(r)) {
		if (r->start > at || (r->flags & REGION_PATCHES))
			break;
		/* Pages are not held in the host's memory: that is its owner's business. */
		region_account(mm, r, false);
		r->flags = lock ? r->flags | REGION_LOCKED : r->flags & ~(uint32_t)REGION_LOCKED;
		region_account(mm, r, true);
		at = r->end;
	}
	if (!err && at < end)
		err = -ENOMEM;
	regions_merge(mm, start, end);
	mutex_unlock(&mm->mu);
	return err;
}

int
mm_lock_all(struct mm *mm, bool current, bool future, bool privileged)
{
	int err = 0;

	mutex_lock(&mm->mu);
	if (current && !privileged && mm->total_vm > atomic_load(&mm->lim_memlock))
		err = -ENOMEM;
	if (!err) {
		mm->lock_future = future;
		for (struct region *r = region_first(mm); r != NULL; r = region_next(r)) {
			region_account(mm, r, false);
			if (current)
				r->flags |= REGION_LOCKED;
			else if (!future)
				r->flags &= ~(uint32_t)REGION_LOCKED;
			region_account(mm, r, true);
		}
		regions_merge(mm, 0, GUEST_TOP);
	}
	mutex_unlock(&mm->mu);
	return err;
}

int
mm_set_name(struct mm *mm, uint64_t addr, uint64_t len, const char *name)
{
	uint64_t end, at = addr;
	struct region *r;
	int err;

	if ((addr & ~PAGE_MASK) || ckd_add(&end, addr, page_up(len)))
		return -EINVAL;
	if (end == addr)
		return 0;
	mutex_lock(&mm->mu);
	err = region_split_at(mm, addr);
	if (!err)
		err = region_split_at(mm, end);
	for (r = region_at_or_after(mm, addr); !err && r != NULL && r->start < end; r = region_next(r)) {
		if (r->start > at || (r->flags & REGION_PATCHES))
			break;
		if (r->file != NULL) {
			err = -EBADF;
			break;
		}
		memset(r->name, 0, sizeof r->name);
		if (name != NULL)
			memcpy(r->name, name, strnlen(name, sizeof r->name - 1));
		at = r->end;
	}
	if (!err && at < end)
		err = -ENOMEM;
	regions_merge(mm, addr, end);
	mutex_unlock(&mm->mu);
	return err;
}
