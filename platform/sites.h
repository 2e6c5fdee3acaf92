/*
 * sites: the patched calls of one space; private to platform/.
 *
 * A patch stands in the private text of the guest (a forced write through the space's memory
 * descriptor copies the page, as a debugger's breakpoint would), its slot in an *area*: a hidden
 * mapping near the text that the sentry's mm has made room for.  The table says which bytes of the
 * guest's text are not what the guest believes, and translates both ways: a thread that is to go on
 * in the middle of a site goes on in the slot, and one that stopped in a slot is shown where it
 * would be without.
 *
 * Whoever changes the table or the text holds the mm lock of its owner too, so patches and
 * mappings never disagree; mu covers the table alone.  Slots are not used twice: a thread may be in one.
 */
#ifndef PLATFORM_SITES_H
#define PLATFORM_SITES_H

#include "base/lock.h"
#include "platform/patch.h"
#include "platform/platform.h"

#define SITES_MAX	4096u
#define AREAS_MAX	16u
#define SITE_PAGES	4096u	/* bits of `pages` */

struct space;

struct site {
	struct patch	p;
	uint64_t	slot;
	bool		live;		/* else the guest's own bytes are back; the slot stays */
	bool		gone;		/* the slot, too: its area was given up */
};

struct area {
	uint64_t	va;		/* AREA_LEN bytes: the stub's entry, then slots; 0: given up */
	uint64_t	used[AREA_LEN / PATCH_ALIGN / 64];
};

struct sites {
	struct mutex	mu;		/* rank sites */
	_Atomic uint32_t n;		/* [m] in v, ordered by p.start */
	uint32_t	cap;		/* [m] */
	struct site	*v;		/* [m] */
	_Atomic uint64_t pages[SITE_PAGES / 64]; /* by page number: has it ever had a site? Others' pages may share a bit */
	_Atomic uint32_t lost;		/* areas given up so far */
	uint32_t	nareas;		/* [m] */
	struct area	*areas;		/* [m] AREAS_MAX of them, or NULL */
};

void sites_init(struct sites *st);
void sites_fini(struct sites *st);
/* A fork's copy. -ENOMEM. */
int sites_copy(struct sites *to, struct sites *from) MUST_CHECK;

/* Where a thread whose registers say rip really goes on: rip itself unless it is inside a site. */
uint64_t sites_enter(struct sites *st, uint64_t rip);
/* Is rip, where a thread has trapped, the middle of a site? */
bool sites_inside(struct sites *st, uint64_t rip);
/* Was it once, and no site is there any more?  The trap may be of those days. */
bool sites_were(struct sites *st, uint64_t rip);
/* What the guest is to see of a thread stopped at rip: rip itself unless it is in a slot. */
uint64_t sites_leave(struct sites *st, uint64_t rip);
/* A single step has ended at rip (patch_step); *after: what follows the call of that site. Outside of slots: STEP_SHOW. */
enum patch_step sites_step(struct sites *st, uint64_t rip, uint64_t *after);
/* Puts the guest's own bytes over what was read from [va, va + len). */
void sites_hide(struct sites *st, uint64_t va, void *buf, size_t len);

/* May a part of [va, va + len), as the guest itself reads it, not be what it believes?  No lock. */
bool sites_touch(struct sites *st, uint64_t va, size_t len);

static inline bool
sites_any(struct sites *st)
{
	return atomic_load_explicit(&st->n, memory_order_relaxed) != 0;
}

#endif
