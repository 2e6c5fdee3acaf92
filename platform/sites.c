/*
 * sites: the patched calls of one space; see sites.h and patch.h.
 */
#include "platform/sites.h"

#include <string.h>
#include <sys/mman.h>

#include "platform/space.h"

#define CALL_LEN	2

void
sites_init(struct sites *st)
{
	memset(st, 0, sizeof *st);
	mutex_init(&st->mu, RANK_sites);
}

void
sites_fini(struct sites *st)
{
	mem_free(st->v);
	mem_free(st->areas);
	mutex_fini(&st->mu);
}

int
sites_copy(struct sites *to, struct sites *from)
{
	uint32_t n;
	int err = 0;

	mutex_lock(&from->mu);
	n = atomic_load(&from->n);
	/* An area may be there without a site, when the first could not be written. */
	if (from->areas != NULL) {
		to->areas = mem_alloc(AREAS_MAX * sizeof *to->areas);
		if (from->cap > 0)
			to->v = mem_alloc(from->cap * sizeof *to->v);
		err = to->areas == NULL || (from->cap > 0 && to->v == NULL) ? -ENOMEM : 0;
	}
	if (from->areas != NULL && err == 0) {
		if (n > 0)
			memcpy(to->v, from->v, n * sizeof *to->v);
		memcpy(to->areas, from->areas, AREAS_MAX * sizeof *to->areas);
		to->cap = from->cap;
		to->nareas = from->nareas;
		for (unsigned i = 0; i < ARRAY_LEN(to->pages); i++)
			atomic_store(&to->pages[i], atomic_load(&from->pages[i]));
		atomic_store(&to->n, n);
	}
	mutex_unlock(&from->mu);
	return err;
}

/* ---- look-up; mu held ---------------------------------------------------- */

/* Index of the first site that starts above va. */
static uint32_t
above(const struct sites *st, uint64_t va)
{
	uint32_t lo = 0, hi = atomic_load(&st->n);

	while (lo < hi) {
		uint32_t mid = (lo + hi) / 2;

		if (st->v[mid].p.start > va)
			hi = mid;
		else
			lo = mid + 1;
	}
	return lo;
}

/* The live site with va among its bytes, or NULL. */
static struct site *
find(const struct sites *st, uint64_t va)
{
	for (uint32_t i = above(st, va); i > 0; i--) {
		struct site *s = &st->v[i - 1];

		if (va - s->p.start >= PATCH_SITE)
			break;
		if (s->live && va - s->p.start < s->p.len)
			return s;
	}
	return NULL;
}

/* ---- translation --------------------------------------------------------- */

uint64_t
sites_enter(struct sites *st, uint64_t rip)
{
	uint64_t to = 0;
	struct site *s;

	if (!sites_any(st))
		return rip;
	mutex_lock(&st->mu);
	s = find(st, rip);
	if (s != NULL)
		to = patch_enter(&s->p, s->slot, rip);
	mutex_unlock(&st->mu);
	return to != 0 ? to : rip;
}

bool
sites_inside(struct sites *st, uint64_t rip)
{
	return sites_enter(st, rip) != rip;
}

bool
sites_were(struct sites *st, uint64_t rip)
{
	bool found = false;

	mutex_lock(&st->mu);
	for (uint32_t i = above(st, rip); i > 0 && !found && rip - st->v[i - 1].p.start < PATCH_SITE; i--)
		found = !st->v[i - 1].live && patch_enter(&st->v[i - 1].p, st->v[i - 1].slot, rip) != 0;
	mutex_unlock(&st->mu);
	return found;
}

/* The site whose slot rip is in, or NULL; a slot outlives its patch, so dead ones count. */
static const struct site *
find_slot(const struct sites *st, uint64_t rip)
{
	bool ours = false;

	for (uint32_t i = 0; i < st->nareas && !ours; i++)
		ours = st->areas[i].va != 0 && rip - st->areas[i].va < AREA_LEN;
	for (uint32_t i = 0; ours && i < atomic_load(&st->n); i++) {
		if (!st->v[i].gone && rip - st->v[i].slot < st->v[i].p.slot_len)
			return &st->v[i];
	}
	return NULL;
}

uint64_t
sites_leave(struct sites *st, uint64_t rip)
{
	const struct site *s;
	uint64_t to = 0;

	if (!sites_any(st))
		return rip;
	mutex_lock(&st->mu);
	s = find_slot(st, rip);
	if (s != NULL)
		to = patch_leave(&s->p, s->slot, rip);
	mutex_unlock(&st->mu);
	return to != 0 ? to : rip;
}

enum patch_step
sites_step(struct sites *st, uint64_t rip, uint64_t *after)
{
	enum patch_step step = STEP_SHOW;
	const struct site *s;

	if (!sites_any(st))
		return STEP_SHOW;
	mutex_lock(&st->mu);
	s = find_slot(st, rip);
	if (s != NULL) {
		step = patch_step(&s->p, s->slot, rip);
		*after = s->p.start + s->p.call + CALL_LEN;
	}
	mutex_unlock(&st->mu);
	return step;
}

void
sites_hide(struct sites *st, uint64_t va, void *buf, size_t len)
{
	mutex_lock(&st->mu);
	for (uint32_t i = above(st, va > PATCH_SITE ? va - PATCH_SITE : 0); i < atomic_load(&st->n); i++) {
		const struct site *s = &st->v[i];
		uint64_t from = max(s->p.start, va), to = min(s->p.start + PATCH_JUMP, va + len);

		if (s->p.start >= va + len)
			break;
		if (s->live && from < to)
			memcpy((char *)buf + (from - va), s->p.old + (from - s->p.start), to - from);
	}
	mutex_unlock(&st->mu);
}

static void
pages_mark(struct sites *st, const struct patch *p)
{
	for (uint64_t page = p->start / PAGE_SIZE; page <= (p->start + PATCH_JUMP - 1) / PAGE_SIZE; page++)
		atomic_fetch_or(&st->pages[page % SITE_PAGES / 64], 1ULL << page % 64);
}

bool
sites_touch(struct sites *st, uint64_t va, size_t len)
{
	if (!sites_any(st) || len == 0)
		return false;
	for (uint64_t page = va / PAGE_SIZE; page <= (va + len - 1) / PAGE_SIZE; page++) {
		if (atomic_load_explicit(&st->pages[page % SITE_PAGES / 64], memory_order_relaxed) >> page % 64 & 1)
			return true;
	}
	return false;
}

/* ---- areas and slots ----------------------------------------------------- */

int
space_area_add(struct space *s, uint64_t va)
{
	struct sites *st = &s->sites;
	uint64_t entry = stub_text_word(STUB_T_ENTRY);
	int err = 0;

	if (space_write(s, va, &entry, sizeof entry) != sizeof entry)
		return -EIO;
	mutex_lock(&st->mu);
	if (st->areas == NULL)
		st->areas = mem_alloc(AREAS_MAX * sizeof *st->areas);
	if (st->areas == NULL || st->nareas == AREAS_MAX) {
		err = -ENOSPC;
	} else {
		struct area *a = &st->areas[st->nareas++];

		memset(a, 0, sizeof *a);
		a->va = va;
		for (unsigned i = 0; i < AREA_HEAD / PATCH_ALIGN; i++)
			a->used[i / 64] |= 1ULL << i % 64;
	}
	mutex_unlock(&st->mu);
	return err;
}

static bool
units_free(const struct area *a, unsigned unit, unsigned n)
{
	for (unsigned i = unit; i < unit + n; i++) {
		if (i >= AREA_LEN / PATCH_ALIGN || (a->used[i / 64] & 1ULL << i % 64))
			return false;
	}
	return true;
}

/* A free place for p's slot, taken; *entry: that area's head. 0: none. */
static uint64_t
slot_take(struct sites *st, const struct patch *p, uint64_t *entry)
{
	unsigned n = (p->slot_len + PATCH_ALIGN - 1) / PATCH_ALIGN;

	for (uint32_t i = 0; i < st->nareas; i++) {
		struct area *a = &st->areas[i];

		for (unsigned u = 0; a->va != 0 && u < AREA_LEN / PATCH_ALIGN; u++) {
			uint64_t slot = a->va + (uint64_t)u * PATCH_ALIGN;

			if (!units_free(a, u, n) || !patch_fits(p, slot))
				continue;
			for (unsigned k = u; k < u + n; k++)
				a->used[k / 64] |= 1ULL << k % 64;
			*entry = a->va;
			return slot;
		}
	}
	return 0;
}

/* ---- patching ------------------------------------------------------------ */

int
space_site_plan(struct space *s, uint64_t call, uint32_t nr, uint64_t lo, uint64_t hi, struct patch *p)
{
	uint8_t code[PATCH_BEFORE + PATCH_AFTER];
	uint64_t before = min(call - lo, (uint64_t)PATCH_BEFORE), after = min(hi - call, (uint64_t)PATCH_AFTER);
	size_t n = before + after;
	bool taken = false, done = false;
	int err;

	if (space_read(s, call - before, code, n) != (int64_t)n)
		return -EIO;
	err = patch_plan(p, code, before, after, call, nr);
	if (err)
		return err;
	/* Its bytes must be nobody else's.  What a site has displaced looks as ever to whoever reads it. */
	mutex_lock(&s->sites.mu);
	for (unsigned i = 0; i < p->len; i++) {
		const struct site *other = find(&s->sites, p->start + i);

		taken |= other != NULL;
		done |= other != NULL && other->p.start + other->p.call == call;
	}
	mutex_unlock(&s->sites.mu);
	return done ? -EALREADY : taken ? -EBUSY : 0;
}

/* In order of starts, behind dead sites of the same start: find() sees the last one first. */
static int
site_insert(struct sites *st, const struct site *new)
{
	uint32_t n = atomic_load(&st->n), at = above(st, new->p.start);

	if (n == st->cap) {
		uint32_t cap = n == 0 ? 16 : 2 * n;
		struct site *v = mem_alloc(cap * sizeof *v);

		if (v == NULL)
			return -ENOMEM;
		if (n != 0)
			memcpy(v, st->v, n * sizeof *v);
		mem_free(st->v);
		st->v = v;
		st->cap = cap;
	}
	memmove(&st->v[at + 1], &st->v[at], (n - at) * sizeof *st->v);
	st->v[at] = *new;
	atomic_store(&st->n, n + 1);
	return 0;
}

static int
text_protect(struct space *s, uint64_t va, size_t len, int prot)
{
	uint64_t start = page_down(va);
	struct mapcmd c = { .op = MAPOP_MPROTECT, .va = start, .len = page_up(va + len) - start, .prot = prot,
	    .fd = MAPFD_ANON };

	return space_exec(s, &c, 1);
}

/* May a thread other than the one that waits for us, if it is one of these, be running? */
static bool
has_company(struct space *s)
{
	bool any = false;
	struct ctx *c;

	mutex_lock(&plat.mu);
	list_for_each(c, &s->ctxs, node) {
		any = c != ctx_here;
		if (any)
			break;
	}
	mutex_unlock(&plat.mu);
	return any;
}

/*
 * Changes the guest's text.  With other threads about, they are kept out of it meanwhile: a processor
 * must not fetch half of a change.  Whoever runs into that faults, and waits for mm's lock in the sentry.
 */
static int
text_write(struct space *s, uint64_t va, const void *bytes, size_t len)
{
	bool company = has_company(s);
	int err = company ? text_protect(s, va, len, PROT_READ) : 0, back;

	if (err)
		return err;
	if (space_write(s, va, bytes, len) != (int64_t)len)
		err = -EIO;
	back = company ? text_protect(s, va, len, PROT_READ | PROT_EXEC) : 0;
	return err ? err : back;
}

/* A slot for p, and its place in the table. */
static int
site_make(struct space *s, const struct patch *p, uint8_t jump[PATCH_JUMP])
{
	struct sites *st = &s->sites;
	struct site site = { .p = *p, .live = true };
	uint8_t slot[PATCH_SLOT];
	uint64_t entry = 0;
	int err = 0;

	mutex_lock(&st->mu);
	if (atomic_load(&st->n) >= SITES_MAX)
		err = -ENFILE;
	else if ((site.slot = slot_take(st, p, &entry)) == 0)
		err = st->nareas < AREAS_MAX ? -ENOSPC : -ENFILE;
	mutex_unlock(&st->mu);
	if (err)
		return err;
	patch_emit(p, site.slot, entry, slot, jump);
	if (space_write(s, site.slot, slot, p->slot_len) != p->slot_len)
		return -EIO;
	/* In the table first: a thread that traps in the middle must find it. */
	mutex_lock(&st->mu);
	pages_mark(st, p);
	err = site_insert(st, &site);
	mutex_unlock(&st->mu);
	return err;
}

/* Was the same site there before?  Its slot is as it was then. */
static bool
site_revive(struct sites *st, const struct patch *p, uint8_t jump[PATCH_JUMP])
{
	uint8_t slot[PATCH_SLOT];
	bool found = false;

	mutex_lock(&st->mu);
	for (uint32_t i = above(st, p->start); i > 0 && !found && st->v[i - 1].p.start == p->start; i--) {
		struct site *it = &st->v[i - 1];

		if (it->live || memcmp(&it->p, p, sizeof *p) != 0 || find_slot(st, it->slot) != it)
			continue;
		/* The entry's address does not matter to the jump. */
		patch_emit(p, it->slot, it->slot, slot, jump);
		it->live = found = true;
	}
	mutex_unlock(&st->mu);
	return found;
}

int
space_site_add(struct space *s, const struct patch *p)
{
	uint8_t jump[PATCH_JUMP];
	int err = site_revive(&s->sites, p, jump) ? 0 : site_make(s, p, jump);

	if (err)
		return err;
	err = text_write(s, p->start, jump, sizeof jump);
	if (err)
		(void)!space_sites_drop(s, p->start, p->start + 1);
	else
		stat_inc(sites);
	return err;
}

/* A live site that [start, end) has to do with, or NULL; mu held. */
static struct site *
find_touched(const struct sites *st, uint64_t start, uint64_t end)
{
	for (uint32_t i = 0; i < atomic_load(&st->n); i++) {
		struct site *it = &st->v[i];
		bool in_text = it->p.start < end && it->p.start + it->p.len > start;

		if (it->live && (in_text || (it->slot < end && it->slot + it->p.slot_len > start)))
			return it;
	}
	return NULL;
}

/* What lies in the area is no more, though another may come to lie there. */
static void
slots_give_up(struct sites *st, uint64_t area)
{
	for (uint32_t i = 0; i < atomic_load(&st->n); i++) {
		if (st->v[i].slot - area < AREA_LEN)
			st->v[i].gone = true;
	}
}

int
space_sites_drop(struct space *s, uint64_t start, uint64_t end)
{
	struct sites *st = &s->sites;
	int err = 0;

	if (!sites_any(st))
		return 0;
	for (;;) {
		struct site *found, site;

		mutex_lock(&st->mu);
		found = find_touched(st, start, end);
		if (found != NULL)
			site = *found;
		mutex_unlock(&st->mu);
		if (found == NULL)
			break;
		if (text_write(s, site.p.start, site.p.old, PATCH_JUMP) != 0)
			err = -EIO;
		/* No sooner: a thread that traps in the jump goes on in the slot, or finds its own bytes. */
		mutex_lock(&st->mu);
		found->live = false;		/* the caller's lock keeps the table as it is */
		mutex_unlock(&st->mu);
	}
	mutex_lock(&st->mu);
	for (uint32_t i = 0; i < st->nareas; i++) {
		if (st->areas[i].va < end && st->areas[i].va + AREA_LEN > start) {
			slots_give_up(st, st->areas[i].va);
			st->areas[i].va = 0;
			atomic_fetch_add(&st->lost, 1);
		}
	}
	mutex_unlock(&st->mu);
	return err;
}
