/*
 * pagefault: what happens when a guest, or a copy on its behalf, touches memory the host has not mapped.
 *
 * Private memory never comes here: the host serves it.  What comes is a stack that grows, a piece of a
 * memory object that had no backing when it was mapped (or lost it), and true faults.
 */
#include "sentry/mm/region.h"

#include <signal.h>
#include <string.h>
#include <sys/mman.h>

#define ASK_LEN		(64ULL << 20)

static int
host_prot(uint32_t prot)
{
	return (int)(prot & (PROT_READ | PROT_WRITE | PROT_EXEC));
}

int
host_flags(const struct region *r)
{
	int flags = r->flags & REGION_SHARED ? MAP_SHARED : MAP_PRIVATE | (r->flags & REGION_NORESERVE ? MAP_NORESERVE : 0);

	return r->mobj == NULL ? flags | MAP_ANONYMOUS : flags;
}

/* Adds a command that maps [va, va+len) of r; its file is filled in by the caller. */
static struct mapcmd *
add_mmap(struct batch *b, const struct region *r, uint64_t va, uint64_t len)
{
	struct mapcmd *c = batch_add(b, MAPOP_MMAP, va, len);

	if (c == NULL)
		return NULL;
	c->prot = host_prot(r->prot);
	c->flags = host_flags(r);
	return c;
}

/* What o has at off, as the host may map it: 0 bytes at its end. Never believes more than was asked. */
static int
ask_backing(struct mobj *o, uint64_t off, uint64_t len, bool write, struct backing *out)
{
	int err;

	*out = (struct backing){ .fd = MAPFD_ANON };
	err = o->ops->backing(o, off, len, write, out);
	if (err)
		return err;
	out->len = min(page_up(out->len), len);
	if (out->len != 0 && out->fd != MAPFD_MEMFILE && out->fd < 0)
		return -EIO;
	return 0;
}

/* The pieces of r's object, up to *reached. */
static int
gather_pieces(struct batch *b, struct region *r, uint64_t limit, uint64_t *reached)
{
	uint64_t va = r->start, used = 0;
	bool write = (r->flags & REGION_SHARED) && (r->maxprot & PROT_WRITE);
	int err;

	while (va < r->end && used < limit) {
		uint64_t len = r->end - va;
		struct backing at;
		struct mapcmd *c;

		len = min(len, limit < ASK_LEN ? limit : ASK_LEN);
		err = ask_backing(r->mobj, r->off + (va - r->start), len, write, &at);
		if (err) {
			if (va == r->start)
				return err;
			break;
		}
		if (at.len == 0)
			break;
		c = add_mmap(b, r, va, at.len);
		if (c == NULL)
			return -ENOMEM;
		c->fd = at.fd;
		c->off = at.off;
		if (at.fd == MAPFD_MEMFILE) {
			r->flags &= ~(uint32_t)REGION_CLEAN;
			if (!at.lasting) {
				r->mm->has_shared = true;
				r->flags |= REGION_MEMFILE;
			}
			used += at.len;
		}
		va += at.len;
	}
	*reached = va;
	return 0;
}

/* What the host's fork is to make of [r->start, end): madvise may have come before the mapping. */
static int
gather_advice(struct batch *b, const struct region *r, uint64_t end)
{
	static const struct { uint32_t flag; int advice; } told[] = {
		{ REGION_DONTFORK, MADV_DONTFORK }, { REGION_WIPEONFORK, MADV_WIPEONFORK },
	};

	for (size_t i = 0; i < ARRAY_LEN(told); i++) {
		struct mapcmd *c;

		if (!(r->flags & told[i].flag) || end == r->start)
			continue;
		c = batch_add(b, MAPOP_MADVISE, r->start, end - r->start);
		if (c == NULL)
			return -ENOMEM;
		c->advice = told[i].advice;
	}
	return 0;
}

int
region_gather(struct batch *b, struct region *r, uint64_t limit, uint64_t *reached)
{
	int err;

	*reached = r->end;
	if (r->mobj == NULL)
		err = add_mmap(b, r, r->start, r->end - r->start) == NULL ? -ENOMEM : 0;
	else
		err = gather_pieces(b, r, limit, reached);
	return err ? err : gather_advice(b, r, *reached);
}

/* Populates r, which is absent and keeps its boundaries up to *reached. */
static int
populate_region(struct mm *mm, struct region *r, uint64_t limit, uint64_t *reached)
{
	struct batch b;
	int err;

	batch_init(&b);
	err = region_gather(&b, r, limit, reached);
	if (!err && *reached > r->start) {
		err = region_split_at(mm, *reached);
		if (!err)
			err = batch_run(&b, mm);
		if (!err) {
			r->flags &= ~(uint32_t)REGION_ABSENT;
			mm_changed(mm);
		} else {
			/* Some commands may have worked. */
			host_undo(mm, r->start, *reached);
		}
	}
	batch_fini(&b);
	return err;
}

int
populate_locked(struct mm *mm, uint64_t start, uint64_t end, uint64_t limit, uint64_t *done)
{
	struct region *r;
	uint64_t at = start;
	int err = 0;

	*done = start;
	while (!err && at < end && (r = region_at_or_after(mm, at)) != NULL && r->start < end) {
		uint64_t reached, stop = min(r->end, end);

		if (r->start > at)
			break;
		if (!(r->flags & REGION_ABSENT)) {
			at = r->end;
			continue;
		}
		err = region_split_at(mm, at);
		if (!err)
			err = region_split_at(mm, stop);
		if (err)
			break;
		r = mm_find_locked(mm, at);
		err = populate_region(mm, r, limit, &reached);
		if (err || reached < stop) {
			at = err ? at : reached;
			break;
		}
		at = stop;
	}
	*done = min(at, end);
	regions_merge(mm, start, end);
	return err;
}

/* ---- stacks ------------------------------------------------------------------ */

/* Grows r, which lies above, down to addr. */
static int
grow_down(struct mm *mm, struct region *r, uint64_t addr)
{
	struct region *prev = region_prev(r), *n;
	uint64_t start = page_down(addr), top = r->end, floor = GUEST_BOTTOM;
	struct list dead;
	int err;

	/* Slots of patched calls are nothing that the guest could run into. */
	while (prev != NULL && (prev->flags & REGION_PATCHES) && start < prev->end + STACK_GAP) {
		if (patches_evict(mm, prev->start, prev->end) != 0)
			return -ENOMEM;
		prev = region_prev(r);
	}
	/* Another stack below, or memory nobody can touch, needs no gap. */
	if (prev != NULL)
		floor = prev->end + (prev->prot != PROT_NONE && !(prev->flags & REGION_GROWSDOWN) ? STACK_GAP : 0);
	/* r may be the lowest piece of a stack that mprotect has cut: its size counts as a whole only for the piece, as on Linux. */
	if (start < floor || top - start > atomic_load(&mm->lim_stack))
		return -ENOMEM;
	if (r->flags & REGION_STACK) {
		/* Fewer faults: a guest that asked for this page may have had all of these. */
		uint64_t more = start & ~(STACK_STEP - 1);

		if (more >= floor && top - more <= atomic_load(&mm->lim_stack))
			start = more;
	}
	if (!may_expand(mm, r->start - start, 0, r->flags) || mm->regions.count >= MAP_LIMIT)
		return -ENOMEM;
	if ((r->flags & REGION_LOCKED) && mm->locked_vm + (r->start - start) > atomic_load(&mm->lim_memlock))
		return -ENOMEM;
	n = region_clone(mm, r);
	if (n == NULL)
		return -ENOMEM;
	n->start = start;
	n->end = r->start;
	n->off = r->off - (r->start - start);
	err = host_map_anon(mm, n);
	if (err) {
		list_init(&dead);
		region_drop(n, &dead);
		regions_free(&dead);	/* r has the same references */
		return err;
	}
	region_insert(mm, n);
	regions_merge(mm, start, r->end);
	return 0;
}

/* ---- faults ------------------------------------------------------------------ */

static int
fault_answer(int *signo, int *code, int s, int c)
{
	*signo = s;
	*code = c;
	return -EFAULT;
}

/* Whether prot lets the processor do all of access: x86 reads whatever is mapped at all. */
static bool
prot_allows(uint32_t prot, uint32_t access)
{
	if ((access & PROT_WRITE) && !(prot & PROT_WRITE))
		return false;
	if ((access & PROT_EXEC) && !(prot & PROT_EXEC))
		return false;
	return prot != PROT_NONE;
}

static int
fault_absent(struct mm *mm, const struct region *r, uint64_t addr, int *signo, int *code)
{
	uint64_t start = max(r->start, addr & ~((2ULL << 20) - 1)), end = r->end, done;

	if (end - page_down(addr) > POPULATE_AT_FAULT)
		end = page_down(addr) + POPULATE_AT_FAULT;
	if (populate_locked(mm, start, end, 2 * POPULATE_AT_FAULT, &done) == 0 && done > addr)
		return 0;
	r = mm_find_locked(mm, addr);
	if (r != NULL && !(r->flags & REGION_ABSENT))
		return 0;
	return fault_answer(signo, code, SIGBUS, BUS_ADRERR);
}

static int
fault_locked(struct mm *mm, uint64_t addr, uint32_t access, int *signo, int *code)
{
	struct region *r;

	if (addr < GUEST_BOTTOM || addr >= GUEST_TOP)
		return fault_answer(signo, code, SIGSEGV, SEGV_MAPERR);
	r = region_at_or_after(mm, addr);
	if (r == NULL)
		return fault_answer(signo, code, SIGSEGV, SEGV_MAPERR);
	if (addr < r->start) {
		if (!(r->flags & REGION_GROWSDOWN) || grow_down(mm, r, addr) != 0)
			return fault_answer(signo, code, SIGSEGV, SEGV_MAPERR);
		r = mm_find_locked(mm, addr);
	}
	if (r != NULL && (r->flags & REGION_PATCHES))
		return fault_answer(signo, code, SIGSEGV, SEGV_MAPERR);
	if (r == NULL || !prot_allows(r->prot, access))
		return fault_answer(signo, code, SIGSEGV, SEGV_ACCERR);
	if (r->flags & REGION_ABSENT)
		return fault_absent(mm, r, addr, signo, code);
	/* Nothing wrong: another thread was faster. The caller notices a fault that comes again and again. */
	return 0;
}

int
mm_fault(struct mm *mm, uint64_t addr, uint32_t access, int *signo, int *code)
{
	int err;

	mutex_lock(&mm->mu);
	err = fault_locked(mm, addr, access, signo, code);
	mutex_unlock(&mm->mu);
	return err;
}
