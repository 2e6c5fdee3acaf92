/*
 * patches: which calls of a guest are patched (platform/sites.h), and the room for it.
 *
 * A call that has trapped a few times at one place is patched there, if its text is private memory
 * that the guest may not write: whoever makes text writable, or maps something else, gets the
 * original first (patches_evict), so that what is patched never changes underneath.
 *
 * Slots lie in areas: regions like any other to those who look for holes, but no mapping of the
 * guest's.  /proc does not show them, no limit counts them, and a mapping that the guest wants
 * just there takes the place.
 */
#include "sentry/mm/region.h"

#include <sys/mman.h>

#include <string.h>

#include "base/strbuf.h"
#include "platform/patch.h"

#define CALL_LEN	2
#define REFUSED		255
#define HEAT_WAYS	8
#define WARM_TRAPS	16U		/* for each trap that a place takes: before any is patched, as many programs end before it pays */
#define REACH		0x7ff00000ULL	/* of a jump, less what an area and a site may take */
#define PLACE_TRIES	16		/* holes looked at for one place */

unsigned mm_patch_after;

/* ---- what is refused, for those who wonder why a program traps ------------------- */

#define REFUSALS	48
#define CODE_BEFORE	16
#define CODE_LEN	32	/* of the text around a call: tells one site from others wherever it is mapped */

static struct {
	struct mutex	mu;
	uint64_t	count;		/* [m] places refused */
	unsigned	n;		/* [m] */
	struct refusal {
		uint8_t		code[CODE_LEN];
		uint32_t	nr;
		int		err;
		uint64_t	times;
	} list[REFUSALS];		/* [m] */
} refused = { .mu = MUTEX_INIT(RANK_log) };

static void
refusal_note(struct mm *mm, uint64_t call, uint32_t nr, int err)
{
	struct refusal new = { .nr = nr, .err = err, .times = 1 };
	unsigned i = 0;

	if (space_read(mm->space, call - CODE_BEFORE, new.code, CODE_LEN) != CODE_LEN)
		memset(new.code, 0, sizeof new.code);
	mutex_lock(&refused.mu);
	refused.count++;
	while (i < refused.n && (memcmp(refused.list[i].code, new.code, CODE_LEN) != 0 || refused.list[i].nr != nr))
		i++;
	if (i < refused.n)
		refused.list[i].times++;
	else if (i < REFUSALS)
		refused.list[refused.n++] = new;
	mutex_unlock(&refused.mu);
}

static const char *
refusal_text(int err)
{
	switch (err) {
	case -EOPNOTSUPP: return "its neighbours cannot be moved, or not private text";
	case -EBUSY: return "a neighbour is patched";
	case -ENOSPC: return "no place within reach fits";
	case -ENOMEM: case -ENFILE: return "no room";
	default: return "the stub failed";
	}
}

void
patches_print(struct strbuf *sb)
{
	mutex_lock(&refused.mu);
	sb_printf(sb, "  call sites refused: %llu\n", (unsigned long long)refused.count);
	for (unsigned i = 0; i < refused.n; i++) {
		const struct refusal *r = &refused.list[i];

		sb_printf(sb, "    %llu times call %u, %s:", (unsigned long long)r->times, r->nr, refusal_text(r->err));
		for (unsigned k = 0; k < CODE_LEN; k++)
			sb_printf(sb, "%s%02x", k == CODE_BEFORE ? " | " : " ", r->code[k]);
		sb_putc(sb, '\n');
	}
	mutex_unlock(&refused.mu);
}

/* ---- patching ---------------------------------------------------------------------- */

/*
 * The highest hole between low and top, a page's start, for an area that has a place for p's slot; -ENOMEM.
 * A site whose second or third instruction begins inside the jump fits only at some distances.
 */
static int64_t
area_place(struct mm *mm, const struct patch *p, uint64_t low, uint64_t top)
{
	for (unsigned i = 0; i < PLACE_TRIES; i++) {
		int64_t at = hole_between(mm, AREA_LEN, low, top);
		uint64_t slot;

		if (at < 0)
			return at;
		slot = patch_place(p, low, (uint64_t)at + AREA_LEN - p->slot_len);
		if (slot == 0)
			break;
		if (slot >= (uint64_t)at + AREA_HEAD)
			return at;
		top = page_up(slot + p->slot_len);
	}
	return -ENOMEM;
}

static int
area_make(struct mm *mm, const struct patch *p)
{
	uint64_t low = p->start > REACH + GUEST_BOTTOM ? p->start - REACH : GUEST_BOTTOM;
	int64_t at = area_place(mm, p, low, page_down(p->start));
	struct list dead;
	struct region *r;
	int err;

	if (at < 0)
		at = area_place(mm, p, page_up(p->start), page_down(min(p->start + REACH, GUEST_TOP)));
	if (at < 0)
		return (int)at;
	r = region_new(mm, (uint64_t)at, (uint64_t)at + AREA_LEN);
	if (r == NULL)
		return -ENOMEM;
	r->prot = r->maxprot = PROT_READ | PROT_EXEC;
	r->flags = REGION_PATCHES | REGION_DONTDUMP;
	r->off = r->start;
	err = host_map_anon(mm, r);
	list_init(&dead);
	if (err) {
		region_drop(r, &dead);
		regions_free(&dead);
		return err;
	}
	region_insert(mm, r);
	err = space_area_add(mm->space, r->start);
	if (err)
		(void)!patches_evict(mm, r->start, r->end);
	return err;
}

static int
call_patch_locked(struct mm *mm, uint64_t call, uint32_t nr)
{
	struct region *r = mm_find_locked(mm, call);
	struct patch p;
	int err;

	/* A fork's copy has the parent's sites: its text must be the parent's as well. */
	if (r == NULL || r->prot != (PROT_READ | PROT_EXEC) || r->end - call < CALL_LEN ||
	    (r->flags & (REGION_SHARED | REGION_ABSENT | REGION_PATCHES | REGION_DONTFORK | REGION_WIPEONFORK)))
		return -EOPNOTSUPP;
	r->flags &= ~(uint32_t)REGION_CLEAN;
	err = space_site_plan(mm->space, call, nr, r->start, r->end, &p);
	if (!err)
		err = space_site_add(mm->space, &p);
	if (err == -ENOSPC) {
		err = area_make(mm, &p);
		if (!err)
			err = space_site_add(mm->space, &p);
	}
	return err;
}

/*
 * The counter of a call: one of a few places, the coolest when it has none.  With a single place two calls of one
 * loop could take it from each other for ever.
 */
static _Atomic uint64_t *
heat_of(struct mm *mm, uint64_t call)
{
	unsigned sets = ARRAY_LEN(mm->heat) / HEAT_WAYS;
	_Atomic uint64_t *first = &mm->heat[(call * 0x9e3779b97f4a7c15ULL >> 32) % sets * HEAT_WAYS], *coolest = first;
	unsigned least = REFUSED + 1;

	for (unsigned i = 0; i < HEAT_WAYS; i++) {
		uint64_t v = atomic_load_explicit(&first[i], memory_order_relaxed);

		if (v >> 8 == call)
			return &first[i];
		if ((v & 0xff) < least) {
			least = v & 0xff;
			coolest = &first[i];
		}
	}
	return coolest;
}

void
mm_call_trapped(struct mm *mm, uint64_t next, uint32_t nr)
{
	uint64_t call = next - CALL_LEN, v;
	_Atomic uint64_t *heat = heat_of(mm, call);
	unsigned n;
	int err;

	if (!platform_patches || mm_patch_after == 0 || call >= GUEST_TOP)
		return;
	/* Address and count in one word; two threads that race lose a count. */
	v = atomic_load_explicit(heat, memory_order_relaxed);
	n = v >> 8 == call ? (unsigned)(v & 0xff) : 0;
	if (n == REFUSED)
		return;
	n++;
	if (atomic_load_explicit(&mm->ntraps, memory_order_relaxed) < WARM_TRAPS * (mm_patch_after - 1)) {
		atomic_fetch_add_explicit(&mm->ntraps, 1, memory_order_relaxed);
		n = min(n, mm_patch_after - 1);
	} else if (n >= mm_patch_after) {
		mutex_lock(&mm->mu);
		err = call_patch_locked(mm, call, nr);
		mutex_unlock(&mm->mu);
		/* Another thread was quicker, or somebody jumps to the very call: that one goes on trapping. */
		if (err && err != -EALREADY)
			refusal_note(mm, call, nr, err);
		n = err && err != -EALREADY ? REFUSED : 0;
	}
	atomic_store_explicit(heat, call << 8 | n, memory_order_relaxed);
}

int
patches_evict(struct mm *mm, uint64_t start, uint64_t end)
{
	struct region *r, *next;
	struct list dead;
	int err;

	if (!platform_patches || mm->space == NULL)
		return 0;
	err = space_sites_drop(mm->space, start, end);
	list_init(&dead);
	for (r = region_at_or_after(mm, start); r != NULL && r->start < end; r = next) {
		next = region_next(r);
		if (!(r->flags & REGION_PATCHES))
			continue;
		/* All of it goes, and it may be more than one area: neighbours merge. */
		err = space_sites_drop(mm->space, r->start, r->end);
		if (!err)
			err = host_unmap(mm, r->start, r->end);
		if (err)
			break;
		regions_cut(mm, r->start, r->end, &dead);
	}
	/* Anonymous: nothing is put that could sleep. */
	regions_free(&dead);
	return err;
}
