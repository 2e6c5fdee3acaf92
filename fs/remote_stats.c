/*
 * remote_stats: attributes that came with a directory's list, for the lookups that usually follow.
 *
 * Only of mounts that nobody changes (the lower layer of the root): there a list is the truth for good,
 * about names that are missing too.  What is kept is bounded; the directory asked longest ago gives way.
 */
#include <string.h>

#include "base/kmem.h"
#include "fs/remote.h"

#define ENTRIES_MAX	32768u		/* over all directories */

struct dirstats {
	struct list	link;		/* in lru */
	struct remote_inode *owner;	/* borrowed: it drops this before it goes */
	struct dirlist	*list;		/* counted */
	struct gofer_stat *stats;	/* by entry; mode 0: it was gone when it was asked for */
	uint32_t	*slots;		/* entry + 1 by hash of its name; 0: free */
	uint32_t	mask;
};
KMEM_CACHE(dirstats);

/* Guards every inode's stats. */
static struct mutex stats_mu = MUTEX_INIT(RANK_hostfd);
static struct list lru = LIST_INIT(lru);
static uint32_t nentries;

static uint32_t
hash_name(const char *name, size_t len)
{
	uint32_t h = 2166136261u;

	for (size_t i = 0; i < len; i++)
		h = (h ^ (unsigned char)name[i]) * 16777619u;
	return h ^ h >> 15;
}

static void
stats_free(struct dirstats *d)
{
	if (d == NULL)
		return;
	dirlist_put(d->list);
	mem_free(d->stats);
	mem_free(d->slots);
	obj_free(dirstats, d);
}

static struct dirstats *
detach_locked(struct remote_inode *r)
{
	struct dirstats *d = steal(&r->stats);

	if (d != NULL) {
		list_remove(&d->link);
		nentries -= d->list->count;
	}
	return d;
}

void
remote_stats_drop(struct remote_inode *r)
{
	struct dirstats *d;

	mutex_lock(&stats_mu);
	d = detach_locked(r);
	mutex_unlock(&stats_mu);
	stats_free(d);
}

void
remote_stats_keep(struct remote_inode *r, struct dirlist *l, struct gofer_stat *stats)
{
	struct dirstats *d = l->count <= ENTRIES_MAX / 2 ? obj_new(dirstats) : NULL, *old, *next;
	struct list gone = LIST_INIT(gone);
	uint32_t size = 16;

	while (size < l->count * 2)
		size *= 2;
	if (d != NULL)
		d->slots = mem_alloc(size * sizeof *d->slots);
	if (d == NULL || d->slots == NULL) {
		obj_free(dirstats, d);
		mem_free(stats);
		return;
	}
	d->owner = r;
	d->list = dirlist_get(l);
	d->stats = stats;
	d->mask = size - 1;
	for (uint32_t i = 0; i < l->count; i++) {
		uint32_t at = hash_name(l->text + l->entries[i].name, l->entries[i].len);

		while (d->slots[at & d->mask] != 0)
			at++;
		d->slots[at & d->mask] = i + 1;
	}
	mutex_lock(&stats_mu);
	old = detach_locked(r);
	if (old != NULL)
		list_push_back(&gone, &old->link);
	r->stats = d;
	list_push_back(&lru, &d->link);
	nentries += l->count;
	while (nentries > ENTRIES_MAX) {
		old = detach_locked(list_first(&lru, struct dirstats, link)->owner);
		list_push_back(&gone, &old->link);
	}
	mutex_unlock(&stats_mu);
	list_for_each_safe(old, next, &gone, link) {
		list_remove(&old->link);
		stats_free(old);
	}
}

enum remote_known
remote_stats_find(struct remote_inode *r, const char *name, struct gofer_stat *out)
{
	enum remote_known known = REMOTE_UNKNOWN;
	size_t len = strlen(name);
	struct dirstats *d;

	mutex_lock(&stats_mu);
	d = r->stats;
	if (d != NULL) {
		uint32_t at = hash_name(name, len), slot;

		known = REMOTE_MISSING;
		for (; (slot = d->slots[at & d->mask]) != 0; at++) {
			const struct dirlist_entry *e = &d->list->entries[slot - 1];

			if (e->len != len || memcmp(d->list->text + e->name, name, len) != 0)
				continue;
			*out = d->stats[slot - 1];
			known = out->mode ? REMOTE_FOUND : REMOTE_UNKNOWN;
			break;
		}
		list_remove(&d->link);
		list_push_back(&lru, &d->link);
	}
	mutex_unlock(&stats_mu);
	return known;
}
