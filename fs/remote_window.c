/*
 * remote_window: parts of the gofer's files that the sentry has mapped to read them without a call; see remote.h.
 *
 * There is a fixed number of windows for all files, each an aligned part of one donated descriptor, mapped shared
 * and for reading only, with one page more behind it.  A part gets one after some 32 reads: mapping, the faults and
 * unmapping cost as much as a dozen, and what is read once is not worth that.  The window that nobody used for
 * longest gives way.
 *
 * The file is not ours.  Bytes change while they are copied, as in any file that is written meanwhile: nothing is looked
 * at in place.  It may end inside a window at any moment; mapcopy.h makes that an ordinary failure.  And its last page reads as
 * zeroes behind the end, so whoever cannot be sure of the size sees after the copy whether the next page is there.
 *
 * Readers take no lock.  They pin a window, then look whether it is theirs; one that is being changed is DEAD and turns
 * them away.  mu is for those who change windows.
 */
#include <sys/mman.h>

#include "base/hostcall.h"
#include "base/mapcopy.h"
#include "fs/remote.h"
#include "sentry/mm/usercopy.h"

#define WINDOWS		32u
#define WINDOW_SIZE	(2ULL << 20)
#define WINDOW_MAPPED	(WINDOW_SIZE + PAGE_SIZE)
#define HEATS		1024u
#define WARM		192u		/* heat of a part that gets a window */
#define HEAT_SMALL	6u		/* of one read; of a large one, 1: most of its time is the copy, and a file is read once */
#define LARGE		(32ULL << 10)
#define MISSES_MAX	16u		/* the file ended sooner: no windows of it any more */
#define DEAD		(1u << 31)

struct window {
	_Atomic uint32_t pins;			/* who reads; DEAD: nobody may begin to */
	_Atomic bool	 used;			/* since the hand passed */
	struct hostfile	*_Atomic owner;		/* borrowed: it drops its windows before it goes; NULL: not mapped */
	_Atomic uint64_t part;			/* in WINDOW_SIZE */
	char		*base;			/* stable while pinned */
};

static struct mutex windows_mu = MUTEX_INIT(RANK_window);
static struct window windows[WINDOWS] = { [0 ... WINDOWS - 1] = { .pins = DEAD } };
static unsigned hand;				/* [windows_mu] */
/*
 * How often a part was read lately: the upper 24 bits say which, the lower 8 how much.  Two that meet in a place wear
 * each other down; an update that is lost is a read not counted.
 */
static _Atomic uint32_t heats[HEATS];

/* A read of len bytes has happened: is the part worth a window? */
static bool
heat_up(const struct hostfile *h, uint64_t part, uint64_t len)
{
	uint64_t key = ((uint64_t)(uintptr_t)h >> 4 ^ part << 32 ^ part) * 0x9e3779b97f4a7c15ULL;
	_Atomic uint32_t *at = &heats[key >> 54];
	uint32_t tag = (uint32_t)(key >> 22) & ~0xffu, have = atomic_load_explicit(at, memory_order_relaxed);
	uint32_t more = len > LARGE ? 1 : HEAT_SMALL, heat = have & 0xff;

	_Static_assert(HEATS == 1u << 10 && WARM + HEAT_SMALL < 0x100, "the place is 10 bits, the heat 8");
	if ((have & ~0xffu) == tag)
		heat += more;
	else if (heat > more)
		tag = have & ~0xffu, heat -= more;
	else
		heat = more;
	/* A part that loses its window has to become warm again. */
	atomic_store_explicit(at, tag | (heat < WARM ? heat : 0), memory_order_relaxed);
	return heat >= WARM;
}

/* ---- readers ------------------------------------------------------------------ */

static void
unpin(struct window *w)
{
	atomic_fetch_sub_explicit(&w->pins, 1, memory_order_release);
}

static bool
pin(struct window *w, const struct hostfile *h, uint64_t part)
{
	uint32_t was = atomic_fetch_add_explicit(&w->pins, 1, memory_order_acquire);

	if (likely(!(was & DEAD) && atomic_load_explicit(&w->owner, memory_order_relaxed) == h &&
	    atomic_load_explicit(&w->part, memory_order_relaxed) == part)) {
		if (!atomic_load_explicit(&w->used, memory_order_relaxed))
			atomic_store_explicit(&w->used, true, memory_order_relaxed);
		return true;
	}
	unpin(w);
	return false;
}

/* ---- those who change windows: windows_mu held ----------------------------------- */

/* Unmaps a window that is DEAD. */
static void
clear_locked(struct window *w)
{
	struct hostfile *h = atomic_load(&w->owner);

	if (h == NULL)
		return;
	atomic_fetch_sub(&h->nwindows, 1);
	atomic_store(&w->owner, NULL);
	(void)host_munmap(steal(&w->base), WINDOW_MAPPED);
}

static bool
kill_idle(struct window *w)
{
	uint32_t none = 0;

	return atomic_load(&w->owner) != NULL && atomic_compare_exchange_strong(&w->pins, &none, DEAD);
}

/* A DEAD window without a mapping, or NULL when every one is in use. */
static struct window *
window_free_locked(void)
{
	for (unsigned i = 0; i < WINDOWS; i++) {
		if (atomic_load(&windows[i].owner) == NULL)
			return &windows[i];
	}
	for (unsigned i = 0; i < 2 * WINDOWS; i++) {
		struct window *w = &windows[hand++ % WINDOWS];

		if (!atomic_exchange(&w->used, false) && kill_idle(w)) {
			clear_locked(w);
			return w;
		}
	}
	return NULL;
}

static struct window *
window_map_locked(struct hostfile *h, uint64_t part)
{
	struct window *w = window_free_locked();
	void *base;

	if (w == NULL)
		return NULL;
	if (host_mmap(NULL, WINDOW_MAPPED, PROT_READ, MAP_SHARED, h->fd, (int64_t)(part * WINDOW_SIZE), &base) != 0) {
		/* No address space, or a file that cannot be mapped: reads do without. */
		atomic_store(&h->unmapped, true);
		return NULL;
	}
	w->base = base;
	atomic_store(&w->part, part);
	atomic_store(&w->owner, h);
	atomic_store(&w->used, true);
	atomic_fetch_add(&h->nwindows, 1);
	atomic_fetch_add(&w->pins, 1);
	/* What others added while it was dead they take off themselves. */
	atomic_fetch_and(&w->pins, ~DEAD);
	return w;
}

/* A pinned window, or NULL. */
static struct window *
window_get(struct hostfile *h, uint64_t part, uint64_t len)
{
	_Atomic uint8_t *hint = &h->hint[part % ARRAY_LEN(h->hint)];
	struct window *w = &windows[atomic_load_explicit(hint, memory_order_relaxed) % WINDOWS], *got = NULL;
	bool have;

	if (atomic_load_explicit(&h->nwindows, memory_order_relaxed) != 0 && pin(w, h, part))
		return w;
	have = atomic_load(&h->nwindows) != 0;
	if (!have && !heat_up(h, part, len))
		return NULL;
	mutex_lock(&windows_mu);
	for (unsigned i = 0; i < WINDOWS && got == NULL; i++) {
		if (atomic_load(&windows[i].owner) == h && pin(&windows[i], h, part))
			got = &windows[i];
	}
	if (got == NULL && (!have || heat_up(h, part, len)))
		got = window_map_locked(h, part);
	if (got != NULL)
		atomic_store_explicit(hint, (uint8_t)(got - windows), memory_order_relaxed);
	mutex_unlock(&windows_mu);
	return got;
}

/* ---- what files do --------------------------------------------------------------- */

uint64_t
remote_window_read(struct hostfile *h, struct iobuf *dst, uint64_t off, uint64_t n, bool sure)
{
	uint64_t done = 0;

	while (done < n) {
		uint64_t at = (off + done) % WINDOW_SIZE, len = min(n - done, WINDOW_SIZE - at);
		struct window *w = window_get(h, (off + done) / WINDOW_SIZE, len);
		int64_t got;
		bool good;
		char c;

		if (w == NULL)
			break;
		got = iob_put_mapped(dst, w->base + at, len);
		good = got == (int64_t)len;
		if (!sure && got > 0 && (!good || !mapcopy(&c, w->base + page_up(at + len), 1))) {
			/* What was promised would overwrite what is to come there. */
			usercopy_settle();
			iob_revert(dst, (uint64_t)got);
			good = false;
			got = 0;
		}
		unpin(w);
		done += (uint64_t)max(got, (int64_t)0);
		if (!good) {
			if (!sure)
				atomic_store(&h->reach, off + done);
			if (atomic_fetch_add(&h->misses, 1) >= MISSES_MAX)
				atomic_store(&h->unmapped, true);
			break;
		}
	}
	return done;
}

void
remote_windows_drop(struct hostfile *h, bool last)
{
	if (atomic_load(&h->nwindows) == 0)
		return;
	mutex_lock(&windows_mu);
	for (unsigned i = 0; i < WINDOWS; i++) {
		struct window *w = &windows[i];

		if (atomic_load(&w->owner) != h)
			continue;
		/* Nobody reads a file that nobody has; who looked here in vain takes his pin off again. */
		if (last)
			atomic_fetch_or(&w->pins, DEAD);
		if (last || kill_idle(w))
			clear_locked(w);
	}
	mutex_unlock(&windows_mu);
}

unsigned
remote_windows_mapped(void)
{
	unsigned n = 0;

	for (unsigned i = 0; i < WINDOWS; i++)
		n += atomic_load(&windows[i].owner) != NULL;
	return n;
}
