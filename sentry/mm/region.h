/* region: what the files of sentry/mm share about regions and host commands; nobody else includes it. */
#ifndef SENTRY_MM_REGION_H
#define SENTRY_MM_REGION_H

#include "sentry/mm/mm.h"

#define STACK_GAP	(256 * PAGE_SIZE)	/* kept free below a region that grows down */
#define MAP_LIMIT	65000u			/* regions; the host's own limit is 65530 mappings a process */
#define STACK_STEP	(128 * 1024ULL)		/* the main stack grows by at least so much */

/* Commands to the mapper, gathered for one space_exec. */
#define BATCH_INLINE	8
struct batch {
	struct mapcmd	*cmds;
	unsigned	 n, cap;
	struct mapcmd	 inline_cmds[BATCH_INLINE];
};
void batch_init(struct batch *b);
void batch_fini(struct batch *b);
struct mapcmd *batch_add(struct batch *b, enum mapop op, uint64_t va, uint64_t len);	/* NULL: out of memory */
int batch_run(struct batch *b, struct mm *mm) MUST_CHECK;
/* Is nothing of the memory file in [start, end)? batch_plain says so in all commands of b, see mapcmd.plain. */
bool is_plain(struct mm *mm, uint64_t start, uint64_t end);
void batch_plain(struct batch *b, struct mm *mm, uint64_t start, uint64_t end);
/* At once: what unmaps a range, or maps a private anonymous region. */
int host_unmap(struct mm *mm, uint64_t start, uint64_t end) MUST_CHECK;
int host_map_anon(struct mm *mm, struct region *r) MUST_CHECK;
/*
 * Unmaps what no region says is there.  A host that cannot (it has its limit of mappings) leaves the guest pages that may
 * soon be another's: the process ends then.
 */
void host_undo(struct mm *mm, uint64_t start, uint64_t end);

int host_flags(const struct region *r);		/* MAP_* of its mappings, for a mapcmd */

/* Regions that left the tree, to be let go once mm->mu is not held. */
void regions_free(struct list *dead);

void regions_init(struct mm *mm);

/* All below: mm->mu held. */
struct region *region_first(struct mm *mm);
struct region *region_next(const struct region *r);
struct region *region_prev(const struct region *r);
struct region *region_at_or_after(struct mm *mm, uint64_t addr);	/* the first that ends above addr */
struct region *region_new(struct mm *mm, uint64_t start, uint64_t end);	/* in no tree yet; NULL: out of memory */
struct region *region_clone(struct mm *mm, const struct region *r);	/* with references; in no tree or list */
/*
 * Shows r to its object, so that an invalidation from now on waits for mm->mu and sees it: before the object is asked
 * for backing.  region_drop takes back a region that was never inserted.
 */
void region_link(struct region *r);
/* The same for a mapping that is no copy of another: takes from maxprot what a seal forbids; -EPERM when prot has it. */
int region_link_new(struct region *r) MUST_CHECK;
void region_drop(struct region *r, struct list *dead);
void region_insert(struct mm *mm, struct region *r);	/* takes it over, links and counts it */
void region_account(struct mm *mm, const struct region *r, bool add);
/* Makes addr a boundary between regions if it lies within one. -ENOMEM. */
int region_split_at(struct mm *mm, uint64_t addr) MUST_CHECK;
/* Joins neighbours that are alike in and around [start, end). */
void regions_merge(struct mm *mm, uint64_t start, uint64_t end);
/* Whether b continues a, absence aside (like: absence too). */
bool region_continues(const struct region *a, const struct region *b);
/* Takes [start, end) out of the tree, both being boundaries. */
void regions_cut(struct mm *mm, uint64_t start, uint64_t end, struct list *dead);
/* Unmaps [start, end) from host and tree. */
int unmap_locked(struct mm *mm, uint64_t start, uint64_t end, struct list *dead) MUST_CHECK;
/*
 * Adds commands that map [r->start, *reached), as far as r's object has something, and tell the host what fork is to
 * make of it.  At most limit bytes of the memory file are taken.  An error only when nothing was.
 */
int region_gather(struct batch *b, struct region *r, uint64_t limit, uint64_t *reached) MUST_CHECK;
/*
 * Maps what can be mapped of absent regions in [start, end), at most limit bytes of the memory file; *done is where it
 * stopped for good (end of the object) or for now.
 */
int populate_locked(struct mm *mm, uint64_t start, uint64_t end, uint64_t limit, uint64_t *done) MUST_CHECK;
#define POPULATE_AT_MAP		(64ULL << 20)
#define POPULATE_AT_FAULT	(8ULL << 20)
/* A hole of len bytes, top-down below mm->mmap_top; -ENOMEM. */
int64_t find_hole(struct mm *mm, uint64_t len, bool low32);
int64_t hole_between(struct mm *mm, uint64_t len, uint64_t bottom, uint64_t top);	/* the highest there; -ENOMEM */
bool range_free(struct mm *mm, uint64_t start, uint64_t end);	/* no region, and no stack just above */
bool range_yields(struct mm *mm, uint64_t start, uint64_t end);	/* would be, without slots of patched calls */
bool may_expand(const struct mm *mm, uint64_t len, uint32_t prot, uint32_t flags);
/*
 * [start, end) is about to be mapped, unmapped or given another protection: no patched call is left there, and none
 * elsewhere leads there.
 */
int patches_evict(struct mm *mm, uint64_t start, uint64_t end) MUST_CHECK;
void mm_changed(struct mm *mm);		/* forgets what was cached about the tree */
/* /proc's text for an anonymous object, and its inode. */
const char *mobj_anon_name(const struct mobj *o, uint64_t *ino);	/* NULL: not one */
void mm_bury(struct mm *mm);		/* releases it later */

#endif
