/*
 * mm: a guest address space: regions, limits, accounting; and memory objects behind shared
 * or file mappings.
 *
 * The sentry owns the truth (struct region); the host space follows it through batches of
 * mapper commands.  Private memory is the host's private memory (zero pages, copy-on-write, huge
 * pages at native cost); shared memory lives in the memory file (pages.h); gofer files are mapped by donated
 * descriptor.
 */
#ifndef SENTRY_MM_MM_H
#define SENTRY_MM_MM_H

#include "abi/gaddr.h"
#include "base/list.h"
#include "base/lock.h"
#include "base/ref.h"
#include "base/strbuf.h"
#include "base/tree.h"
#include "platform/platform.h"

struct file;
struct task;
struct path;

/* ---- memory objects ------------------------------------------------------- */

/* A piece of an object as the host can map it. */
struct backing {
	int		fd;		/* MAPFD_MEMFILE, or a host descriptor that stays valid while the mobj lives */
	uint64_t	off;		/* in that descriptor */
	uint64_t	len;		/* contiguous bytes from the asked offset, page-aligned; 0: beyond the end (SIGBUS) */
	bool		lasting;	/* these pages of the memory file are never freed: nobody waits for who maps them */
};

struct mobj_ops {
	const char *name;
	/*
	 * What lies at [off, off+len) of the object; fills *out for the first contiguous piece (at most
	 * len). write: through a shared writable mapping.  Allocates holes of memory-file objects.  A gofer file may say more than its size
	 * (the host raises SIGBUS itself).  May sleep. -ENOMEM, -EIO, -EACCES.  Called with mm->mu held: only
	 * locks ranked below mm.
	 */
	int (*backing)(struct mobj *o, uint64_t off, uint64_t len, bool write, struct backing *out);
	void (*free)(struct mobj *o);	/* last reference; mutex_fini(&o->mu) is the callee's too */
};

/* Embedded first in, or pointed to by, an inode or an anonymous shared mapping. */
struct mobj {
	struct ref		 ref;
	uint64_t		 id;		/* [I] never another's, not even when this one is gone */
	const struct mobj_ops	*ops;
	struct mutex		 mu;		/* rank mobj */
	struct list		 regions;	/* [m] every region that maps it (region.mobj_link) */
	bool			 sealed;	/* [m] no shared mapping may write, now or later */
};

void mobj_init(struct mobj *o, const struct mobj_ops *ops);
/* [off, off+len) is about to lose its backing (truncate, hole punch): unmaps it from every space. Call without mm or inode-mobj locks. */
void mobj_invalidate(struct mobj *o, uint64_t off, uint64_t len);
/* Zero-filled shared anonymous memory of a fixed size (MAP_SHARED|MAP_ANONYMOUS, SysV shm). */
int mobj_new_anon(uint64_t len, struct mobj **out) MUST_CHECK;

/* ---- regions -------------------------------------------------------------- */

enum {				/* region.flags */
	REGION_SHARED	= 1 << 0,
	REGION_GROWSDOWN = 1 << 1,
	REGION_STACK	= 1 << 2,	/* the main stack, [stack] */
	REGION_HEAP	= 1 << 3,	/* brk, [heap] */
	REGION_VDSO	= 1 << 4,
	REGION_LOCKED	= 1 << 5,
	REGION_DONTFORK	= 1 << 6,
	REGION_WIPEONFORK = 1 << 7,
	REGION_NORESERVE = 1 << 8,
	REGION_VVAR	= 1 << 9,
	REGION_DONTDUMP	= 1 << 10,
	/*
	 * The host has nothing mapped here: past the end of an object, cut off by mobj_invalidate, or not
	 * asked for yet.  A region is all there or all absent; pieces split and merge accordingly.
	 */
	REGION_ABSENT	= 1 << 11,
	REGION_PATCHES	= 1 << 12,	/* not the guest's: slots of patched calls (patches.c) */
	REGION_MEMFILE	= 1 << 13,	/* pages of the memory file that may be another's one day are, or were, mapped here */
	REGION_FRESH	= 1 << 14,	/* private, anonymous, and PROT_NONE ever since it was mapped: nothing is there */
	REGION_CLEAN	= 1 << 15,	/* private, of a host file, and never writable since: what the host has there is the file's */
};

struct region {
	struct tree_node node;		/* mm->regions by start */
	struct mm	*mm;		/* [I] borrowed */
	uint64_t	 start, end;	/* page-aligned */
	uint32_t	 prot;		/* PROT_READ|WRITE|EXEC */
	uint32_t	 maxprot;	/* what mprotect may add */
	uint32_t	 flags;
	struct file	*file;		/* counted; NULL when anonymous (for /proc/PID/maps) */
	struct mobj	*mobj;		/* counted; NULL for private anonymous */
	/* Offset in mobj of start.  Private anonymous: where it was made, so that only what the host can merge merges. */
	uint64_t	 off;
	struct list	 mobj_link;	/* [mobj] mobj->regions */
	bool		 may_write;	/* [mobj] shared, and writable or to become so: what flags and maxprot say, when linked */
	struct list	 link;		/* within one operation: what to let go, what was made */
	char		 name[80];	/* PR_SET_VMA_ANON_NAME */
};

struct mm {
	struct ref	 ref;
	uint64_t	 id;		/* [I] no other ever has it; not 0 */
	struct mutex	 mu;		/* rank mm; covers regions and numbers below */
	struct tree	 regions;	/* [m] */
	struct batch	*held;		/* [m] commands that wait for mm_send */
	struct space	*space;		/* [I] */
	uint64_t	 total_vm, locked_vm, data_vm, stack_vm;	/* [m] bytes */
	uint64_t	 brk_start, brk;		/* [m] */
	uint64_t	 mmap_top;			/* [I] top-down search starts here */
	uint64_t	 stack_top;			/* [I] */
	uint64_t	 arg_start, arg_end, env_start, env_end;	/* [m] for /proc */
	uint64_t	 start_code, end_code, start_data, end_data, start_stack;	/* [m] */
	uint64_t	 auxv[64];			/* [I] after exec; /proc/PID/auxv */
	uint32_t	 nauxv;
	struct file	*exe;				/* [m] counted; /proc/PID/exe */
	uint64_t	 vdso_base;			/* [I] */
	uint64_t	 peak_vm;
	_Atomic uint32_t dumpable;
	_Atomic uint32_t users;			/* tasks running in it: mm_users */
	/* Soft limits as the process last set them (mm_set_limits). */
	_Atomic uint64_t lim_as, lim_data, lim_stack, lim_memlock;
	struct region	*last;			/* [m] the last one looked up, or NULL */
	uint64_t	 gap_from, gap_skipped;	/* [m] every hole above gap_from is smaller than or equal to gap_skipped */
	bool		 lock_future;		/* [m] mlockall(MCL_FUTURE) */
	bool		 has_shared;		/* [m] a region is or was REGION_MEMFILE */
	_Atomic uint64_t heat[128];		/* calls that trap, and how often they did lately (patches.c) */
	_Atomic uint32_t ntraps;		/* of them, until there are enough to patch any */
	struct mm	*next_dead;		/* mobj_invalidate: waits for a caller who may release it */
};

/*
 * The limits that mappings are held to: RLIMIT_AS, DATA, STACK, MEMLOCK of t's process.  Handlers that map refresh
 * them; setrlimit must call it, since a stack grows without a call, and exec for the new mm.
 */
void mm_set_limits(struct mm *mm, struct task *t);

int mm_new(struct mm **out) MUST_CHECK;				/* blank space */
int mm_fork(struct task *t, struct mm *parent, struct mm **out) MUST_CHECK;	/* as fork(2): honours DONTFORK, WIPEONFORK */

/* All as the system calls of the same name, on raw guest numbers already taken from the call; return 0/address or -errno. */
struct mmap_args {
	uint64_t addr, len, off;
	uint32_t prot, flags;		/* guest's PROT_, MAP_ */
	struct file *file;		/* NULL for anonymous; borrowed */
	struct mobj *mobj;		/* what file_ops->mmap chose, or given directly; counted by the callee when kept */
	uint32_t region_flags;		/* REGION_* to add */
	uint32_t maxprot;		/* out of file_ops->mmap; starts as RWX */
};
int64_t mm_map(struct mm *mm, struct mmap_args *a) MUST_CHECK;	/* does the limits (RLIMIT_AS, DATA, map count) too */
/* The checks of mmap(2) that come before it looks at the file; mm_map makes them too. */
int mm_map_check(const struct mmap_args *a) MUST_CHECK;
int mm_unmap(struct mm *mm, uint64_t addr, uint64_t len) MUST_CHECK;
int mm_protect(struct mm *mm, uint64_t addr, uint64_t len, uint32_t prot, bool growsdown) MUST_CHECK;
int64_t mm_remap(struct mm *mm, uint64_t old, uint64_t old_len, uint64_t new_len, uint32_t flags, uint64_t new_addr) MUST_CHECK;
int64_t mm_brk(struct mm *mm, uint64_t brk);
int mm_advise(struct mm *mm, uint64_t addr, uint64_t len, int advice) MUST_CHECK;

/*
 * A fault at addr (access: PROT_READ/WRITE/EXEC bits): 0 when the guest may retry (region populated, stack grown),
 * else -EFAULT with *signo and *code as Linux would raise (SIGSEGV MAPERR/ACCERR, SIGBUS ADRERR).
 */
int mm_fault(struct mm *mm, uint64_t addr, uint32_t access, int *signo, int *code) MUST_CHECK;

/* The region that contains addr, or NULL. Caller holds mm->mu. */
struct region *mm_find_locked(struct mm *mm, uint64_t addr);
/*
 * A call instruction that ends at next, made with number nr, has trapped: it is patched when that happens often.
 * Any lock ranked below mm may not be held.
 */
void mm_call_trapped(struct mm *mm, uint64_t next, uint32_t nr);
void patches_print(struct strbuf *sb);	/* the calls that could not be patched, and why */
extern unsigned mm_patch_after;		/* [I] after boot: so many traps at one place; 0: never */
/* /proc/PID/maps and smaps text. */
void mm_print_maps(struct mm *mm, struct strbuf *sb, bool smaps);
/* Resident bytes as the host counts them, best effort (statm, status): anonymous, file, shmem. */
struct mm_sizes { uint64_t total, locked, data, stack, peak, code; };	/* bytes */
void mm_sizes(struct mm *mm, struct mm_sizes *out);
void mm_rss(struct mm *mm, uint64_t *anon, uint64_t *file, uint64_t *shmem);

/* madvise(MADV_REMOVE), msync(MS_SYNC), mincore, mlock: what lies at or after addr, as a copy. */
struct region_info {
	uint64_t	 start, end, off;
	uint32_t	 prot, maxprot, flags;
	struct file	*file;		/* counted: file_put */
	struct mobj	*mobj;		/* counted: mobj_put */
};
/* The first region that ends above addr (one logical region: pieces are joined); false when there is none. */
bool mm_next_region(struct mm *mm, uint64_t addr, struct region_info *out) MUST_CHECK;
/* mlock and munlock: -ENOMEM for holes (what precedes them is done) or the limit. */
int mm_lock(struct mm *mm, uint64_t addr, uint64_t len, bool lock, bool privileged) MUST_CHECK;
int mm_lock_all(struct mm *mm, bool current, bool future, bool privileged) MUST_CHECK;
/* Makes [addr, addr+len) resident; errors as madvise(MADV_POPULATE_*). */
int mm_populate(struct mm *mm, uint64_t addr, uint64_t len, bool write) MUST_CHECK;
/* PR_SET_VMA_ANON_NAME: name NULL clears it. -ENOMEM, -EBADF (a file's). */
int mm_set_name(struct mm *mm, uint64_t addr, uint64_t len, const char *name) MUST_CHECK;
/* Punches [off, off+len) out of an object made by mobj_new_anon; -EINVAL for any other. */
int mobj_anon_punch(struct mobj *o, uint64_t off, uint64_t len) MUST_CHECK;
/* Name in /proc/PID/maps for such an object ("SYSV00000000"); "dev/zero" unless set. */
void mobj_anon_set_name(struct mobj *o, const char *name, uint64_t ino);
/* A SysV segment: gone(owner) is called when the last reference went, with no lock held. NULL for every other object. */
void mobj_anon_set_owner(struct mobj *o, void *owner, void (*gone)(void *owner));
void *mobj_anon_owner(const struct mobj *o);

/* Copies into a fresh mm during exec, ignoring protections: for ELF bss tails and the first stack. */
/*
 * From mm_hold to mm_send the host is told nothing: what was mapped in between goes in one piece, and its errors come
 * then.  For an address space that nothing runs in yet, and whose memory nobody touches.  Files stay open meanwhile.
 */
int mm_hold(struct mm *mm) MUST_CHECK;
int mm_send(struct mm *mm) MUST_CHECK;
int mm_poke(struct mm *mm, uint64_t va, const void *src, size_t len) MUST_CHECK;
int mm_clear(struct mm *mm, uint64_t va, size_t len) MUST_CHECK;

#endif
