/*
 * platform: how guest code runs.
 *
 * A *space* is the host process (stub) behind one guest address space: it holds
 * the guest's mappings and the stub region above GUEST_TOP, and its mapper thread
 * carries out mmap and friends.  A *ctx* is one guest thread in a space.  systrap
 * and ptrace differ in the ctx operations only; spaces, their mapper and the way
 * to guest memory are the same for both (space.c).
 *
 * Nothing a stub says is trusted: every shared word is read once, checked, used.
 * The sentry is single-threaded until platform_boot() has returned.
 */
#ifndef PLATFORM_PLATFORM_H
#define PLATFORM_PLATFORM_H

#include "abi/regs.h"
#include "base/base.h"

/* Guest addresses are [GUEST_BOTTOM, GUEST_TOP); the stub region lies above. */
#define GUEST_BOTTOM	0x10000ULL
#define GUEST_TOP	0x7fff80000000ULL

struct space;
struct ctx;

/* ---- boot ---------------------------------------------------------------- */

struct platform_conf {
	const char	*name;		/* "systrap" or "ptrace" */
	int		 memfile;	/* the memory file; every stub can map it */
	/*
	 * By number, of nmarshal calls: what the stub may copy for the sentry (MARSHAL_*); the rest have nothing.
	 * Must outlive the sandbox.
	 */
	const uint32_t	*marshal;
	unsigned	 nmarshal;
	int		 proc_dirfd;	/* a procfs of this pid namespace, for the zygote's copy only; closed here in the sentry */
	bool		 no_vdso;	/* tests: as on a host without a vDSO */
	bool		 slow_zygote;	/* tests: as on a host that has no time for a new process at first */
};

/*
 * Makes the zygote and the shared control file.  Called once, before the filter
 * and before any thread.  -EOPNOTSUPP with a sentence in *why when the host can't run
 * this platform.  The zygote comes up by itself meanwhile: platform_ready waits for it, once, before the first space is asked
 * for.  -EAGAIN with a sentence when it does not.
 */
int platform_boot(const struct platform_conf *conf, const char **why) MUST_CHECK;
int platform_ready(const char **why) MUST_CHECK;
/* Called on the way out; all stubs die with the sentry anyway (it is init of their pid namespace). */
void platform_shutdown(void);
/*
 * Size in bytes of the FP image that ctx_get_fp and ctx_set_fp speak of: XSAVE in standard form with the
 * sw_reserved words and FP_XSTATE_MAGIC2 behind it, so that it can go into a guest's signal frame as it is.
 */
extern uint32_t platform_fp_size;
extern const char *platform_name;
/*
 * Address in every space, above GUEST_TOP, of a function of the host's vDSO, which guest code may call;
 * 0: there is none, the call has to be made.  After platform_ready.
 */
uint64_t platform_vdso(const char *name);
bool platform_in_vdso(uint64_t rip);
/* The address on the guest's stack at which the function of the host's vDSO that regs are in will find its way back. */
bool platform_vdso_return(const struct abi_regs *regs, uint64_t *slot) MUST_CHECK;
#define PLATFORM_NOWHERE 0x7ffff0080000ULL	/* an address that no space maps: going there is a page fault */

/*
 * A call's word: two arguments to be copied in, fifteen bits each, and whether results may be copied out on the way
 * back to the guest.
 */
enum { MARSHAL_NONE, MARSHAL_STRING, MARSHAL_FIXED, MARSHAL_BYTES };
#define MARSHAL_IN(kind, arg, n)	((uint32_t)(kind) | (uint32_t)(arg) << 2 | (uint32_t)(n) << 5)
#define MARSHAL_KIND(w)			((w) & 3)
#define MARSHAL_ARG(w)			((w) >> 2 & 7)
#define MARSHAL_N(w)			((w) >> 5 & 0x1ff)	/* FIXED: bytes; BYTES: the argument that says how many */
#define MARSHAL_LOCK			(1u << 14)		/* only if the argument before it is one of LOCK_COMMANDS */
#define MARSHAL_SECOND			15			/* shift of the other one */
#define MARSHAL_RESULTS			(1u << 31)

/* ---- spaces -------------------------------------------------------------- */

/* A blank space: nothing mapped below GUEST_TOP. Locks: zygote, space. -ENOMEM, -EAGAIN. */
int space_new(struct space **out) MUST_CHECK;
/* Has blank spaces made ahead, for space_new to find; for a moment when there is time. Never waits. */
void space_stock(void);
/*
 * A copy of parent as host fork(2) makes it: same mappings, private memory
 * copy-on-write, no ctx.  Guest threads of the parent may be running meanwhile.
 */
int space_fork(struct space *parent, struct space **out) MUST_CHECK;
/*
 * Frees everything; every ctx must be freed before.  Kills the stub, unless the last one was freed by ctx_retire. Never
 * waits for the teardown.
 */
void space_free(struct space *s);
/* Kills the stub: whoever runs a ctx of s gets STOP_DEAD. */
void space_end(struct space *s);
/*
 * The same, and waits until none of its threads can run: before memory is somebody else's.  That they wait, as the stub
 * says, may be a lie.  Takes as long as the host does.
 */
void space_end_wait(struct space *s);

enum mapop { MAPOP_MMAP, MAPOP_MUNMAP, MAPOP_MPROTECT, MAPOP_MREMAP, MAPOP_MADVISE };

#define MAPFD_ANON	(-1)
#define MAPFD_MEMFILE	(-2)	/* offset is one in the memory file */

/*
 * One command to the mapper.  All addresses and lengths are page-aligned and lie in
 * [GUEST_BOTTOM, GUEST_TOP): checked here again, a violation is a BUG of the caller.
 */
struct mapcmd {
	enum mapop	op;
	uint64_t	va, len;
	int		prot;		/* host PROT_* (MMAP, MPROTECT) */
	int		flags;		/* MMAP: MAP_PRIVATE|MAP_SHARED, MAP_NORESERVE, MAP_GROWSDOWN never; MAP_FIXED is implied */
	int		fd;		/* MMAP: MAPFD_* or a descriptor of the sentry's, donated for this command */
	int		advice;		/* MADVISE */
	uint64_t	off;		/* MMAP: file offset.  MREMAP: the new address; va itself: grow in place, mremap(va, len, new_len, 0) */
	uint64_t	new_len;	/* MREMAP: moves to off with this length (MREMAP_MAYMOVE|MREMAP_FIXED; DONTUNMAP if keep_old) */
	bool		keep_old;
	bool		plain;		/* nothing of the memory file lies there: a guest that lies about it has itself to blame */
	int64_t		result;		/* out: 0 or -errno of the host */
};

/*
 * Carries out n commands in order, and stops at the first that fails (the rest get -ECANCELED).
 * Returns 0 or that command's error; -ESRCH when the stub is dead. May sleep. Locks: space.
 */
int space_exec(struct space *s, struct mapcmd *cmds, unsigned n) MUST_CHECK;

/*
 * Guest memory through the space's own memory descriptor.  Returns the bytes moved, which
 * fall short at the first inaccessible page (0 when the first is), or -ESRCH.  Ignores guest
 * protections: the caller (usercopy.c) has checked its regions first.
 */
int64_t space_read(struct space *s, uint64_t va, void *buf, size_t len) MUST_CHECK;
int64_t space_write(struct space *s, uint64_t va, const void *buf, size_t len) MUST_CHECK;

int space_host_pid(const struct space *s);	/* for reports */

/* ---- patched calls (patch.h, sites.h); the owner's mm lock held in all of them -------- */

#define AREA_LEN	0x10000ULL	/* a piece of guest memory that holds slots */
#define AREA_HEAD	64u		/* its first bytes: the stub's entry */

extern bool platform_patches;		/* does this platform use them? */

struct patch;
/*
 * Plans a patch of the call instruction at `call`, last made with number nr; [lo, hi) is its private, readable and
 * executable region.  -EOPNOTSUPP: it cannot be patched; -EBUSY: a neighbour is; -EALREADY: it is; -EIO, -ESRCH.
 */
int space_site_plan(struct space *s, uint64_t call, uint32_t nr, uint64_t lo, uint64_t hi, struct patch *p) MUST_CHECK;
/* Patches it. -ENOSPC: there is no area with a place for it (space_area_add, then again); -ENFILE: the tables are full. */
int space_site_add(struct space *s, const struct patch *p) MUST_CHECK;
/* AREA_LEN bytes of private executable memory at va, mapped by the caller, will hold slots. -ENOSPC, -EIO. */
int space_area_add(struct space *s, uint64_t va) MUST_CHECK;
/*
 * The mappings of [start, end) are about to change: the guest's own bytes come back there, no patch elsewhere leads
 * there, and areas there are given up. -EIO: not all could be restored.
 */
int space_sites_drop(struct space *s, uint64_t start, uint64_t end) MUST_CHECK;

/* ---- guest threads ------------------------------------------------------- */

enum stop_kind {
	STOP_SYSCALL,	/* regs->orig_rax is the number, regs->rax -ENOSYS as ptrace shows it; arguments in rdi rsi rdx r10 r8 r9 */
	STOP_FAULT,	/* a synchronous signal: signo, code, addr, trapno, error */
	STOP_KICK,	/* ctx_kick, nothing else */
	STOP_DEAD,	/* the stub or thread is gone (host OOM, tampering): end the guest process with SIGKILL */
};

struct stop {
	enum stop_kind	kind;
	int32_t		signo, code;	/* Linux numbers, code as in siginfo */
	uint64_t	addr;
	uint64_t	trapno, error, cr2;	/* as in sigcontext */
	bool		trapped;	/* STOP_SYSCALL: at a call instruction that was not patched */
	bool		foreign;	/* STOP_SYSCALL: by int 0x80, a 32-bit kernel's; answer ENOSYS/SIGSEGV as Linux does */
};

/*
 * A guest thread, stopped, with clean registers and FP state.  Must be called on the
 * sentry thread that will run it (ptrace's tracer is a thread); the same holds for all
 * calls below except ctx_kick.
 */
int ctx_new(struct space *s, struct ctx **out) MUST_CHECK;
void ctx_free(struct ctx *c);
/*
 * The same at the end of a task, whose thread calls space_reuse when all else is done.  If nobody was in that space but c,
 * and it has been freed meanwhile, space_new may find the same stub again, blank: it waits a millisecond at most for the guest's thread
 * to end, or kills the stub.
 */
void ctx_retire(struct ctx *c);
void space_reuse(void);

/*
 * Runs the guest with *regs until it stops, then fills *regs and *stop. Returns at once with STOP_KICK when a kick is pending.
 * After a call, *regs is sure to hold rax, orig_rax and the arguments only; whoever looks at another register, or changes
 * one other than rax, asks ctx_regs for the rest before, and who has not gets it unchanged into the next run.
 */
void ctx_run(struct ctx *c, struct abi_regs *regs, struct stop *stop);
void ctx_regs(struct ctx *c, struct abi_regs *regs);
/* The owner is about to sleep for long, or has slept: how many do not says whether waiting awake for guests pays. */
void ctx_asleep(struct ctx *c, bool asleep);
/* Makes a running ctx_run return soon, or the next one at once. Any thread; never sleeps. */
void ctx_kick(struct ctx *c);
/* The owner is about to look for whatever it may have been kicked for so far. */
void ctx_kick_seen(struct ctx *c);

/* The FP image of a stopped guest: exactly platform_fp_size bytes. set: -EINVAL when the image is malformed. */
int ctx_get_fp(struct ctx *c, void *buf) MUST_CHECK;
int ctx_set_fp(struct ctx *c, const void *buf) MUST_CHECK;
/* Clean FP state as after exec. */
void ctx_reset_fp(struct ctx *c);

/*
 * A signal frame without a call to the host: the stub moves the FP image between guest memory and the processor, and
 * the sentry sees no more of it than its head, the legacy area and the XSAVE header.
 * ctx_frame_out: frame will be at va and the FP image at fp, as if promised by ctx_out, when the guest goes on, and
 * it does so with clean FP state.  false: not from where it has stopped.
 * ctx_frame_head: after rt_sigreturn, the head of the image at fp.  false: the stub has not seen it.
 * ctx_frame_set: loads that image, with this head. -ENOENT: only ctx_set_fp could; -EINVAL: it is malformed.
 */
#define FP_HEAD		576
bool ctx_frame_out(struct ctx *c, uint64_t va, const void *frame, size_t len, uint64_t fp) MUST_CHECK;
bool ctx_frame_head(struct ctx *c, uint64_t fp, void *head) MUST_CHECK;
int ctx_frame_set(struct ctx *c, uint64_t fp, const void *head) MUST_CHECK;

/*
 * What the stub may answer by itself, without a stop, for calls from patched sites: this thread's own identity as
 * its pid namespace and credentials show it.  Nothing is known of a new ctx.  Owner's thread, or its guest stopped
 * in a call that changes the answer before anybody can see it.
 */
enum ctx_answer {
	ANSWER_PID = 1, ANSWER_UID, ANSWER_GID, ANSWER_EUID, ANSWER_EGID, ANSWER_PPID, ANSWER_PGRP, ANSWER_TID,
	ANSWER_NO_LINK, ANSWER_SIGMASK, ANSWER_YIELD,
};
void ctx_answer(struct ctx *c, enum ctx_answer which, uint32_t value);
/*
 * Not any more: an answer of ANSWER_SIGMASK that the guest gets was complete before this, and its effect is seen after it.
 * Any thread, as long as c is not freed.
 */
void ctx_ask(struct ctx *c, enum ctx_answer which);
/*
 * The guest's signal mask, as rt_sigprocmask(2) has it, which the stub changes by itself while it may answer ANSWER_SIGMASK
 * (its value says nothing).  It lies where the guest can write: any 64 bits at any moment.  set: owner's thread.
 * Any thread may look, as long as c is not freed.
 */
uint64_t ctx_sigmask(const struct ctx *c);
void ctx_set_sigmask(struct ctx *c, uint64_t mask);
/*
 * And that readlink(path), of len bytes with its NUL, is EINVAL: what is there is no symbolic link.  names is what
 * platform_names said before that was looked up; the stub says so until platform_names_changed, which everybody calls
 * who has changed something about names, permissions, roots or mounts, before its own call ends.
 */
void ctx_no_link(struct ctx *c, uint64_t names, const char *path, size_t len);
uint64_t platform_names(void);
void platform_names_changed(void);
/* Everything that c was told so: its own root or rights are others now. Owner's thread. */
void ctx_forget_links(struct ctx *c);

/*
 * Guest memory that the stub itself copies, for a ctx stopped at a patched call; no call to the host.
 * ctx_in: the bytes at va as the stub found them on its way in, *len of them; NULL: none.  Shared with the guest: copy once.
 * ctx_out: will be at va when the guest goes on; false when there is no room or the call has no results.  Only for
 * memory that the guest may write and the host has mapped.
 * ctx_settle: what ctx_out has promised is written now, and more may be.  Before others may look at that memory, or it goes away.
 * ctx_flush: the same, and nothing more may be promised.
 */
const void *ctx_in(struct ctx *c, uint64_t va, size_t *len);
bool ctx_out(struct ctx *c, uint64_t va, const void *src, size_t len) MUST_CHECK;
/* src is a mapped file: false as well when it has ended meanwhile (base/mapcopy.h). */
bool ctx_out_mapped(struct ctx *c, uint64_t va, const void *src, size_t len) MUST_CHECK;
void ctx_settle(struct ctx *c);
void ctx_flush(struct ctx *c);
bool ctx_owes(const struct ctx *c, uint64_t va, size_t len);	/* is some of it promised? */

/*
 * The guest has set its %gs: from now on the register holds what it says, 0 too, and calls from patched sites
 * trap as others do.  Before that the stub uses it.
 */
void ctx_guest_gs(struct ctx *c);

/*
 * Atomic compare-and-swap of a guest word by the stopped guest thread itself:
 * 0 and *seen (swapped when *seen == old), or -EFAULT.
 */
int ctx_cas32(struct ctx *c, uint64_t va, uint32_t old, uint32_t new, uint32_t *seen) MUST_CHECK;

/* ---- counters (debug, bench) --------------------------------------------- */
/*
 * STAT(name, what it counts).  The first lot is counted for each thread by whoever runs it, and summed when asked
 * for; "answered" is the stubs' own count, which a guest can make say anything.
 */
#define PLATFORM_CTX_STATS(STAT) \
	STAT(syscalls, "calls that came to the kernel") \
	STAT(trapped, "of these, calls that trapped") \
	STAT(ins, "arguments copied in by stubs") \
	STAT(outs, "results copied out by stubs") \
	STAT(faults, "faults") \
	STAT(kicks, "kicks") \
	STAT(spins_paid, "stops awaited awake") \
	STAT(sleeps, "stops awaited asleep")
#define PLATFORM_STATS(STAT) \
	STAT(answered, "calls answered by stubs, as the guest has it") \
	STAT(sites, "call sites patched") \
	STAT(moves, "times that a thread was moved from its guest's processor, or to it") \
	STAT(reads, "reads of guest memory through the host") \
	STAT(writes, "writes of guest memory through the host") \
	STAT(map_batches, "batches of mapping commands") \
	STAT(map_own, "of these, by the guest's own thread") \
	STAT(map_cmds, "mapping commands") \
	STAT(spaces_made, "stubs made") \
	STAT(forks, "of these, by fork of a guest's") \
	STAT(ahead_made, "of these, ahead") \
	STAT(ahead_used, "stubs made ahead and used") \
	STAT(reused, "stubs used again")

struct platform_stats {
#define STAT(name, text)	uint64_t name;
	PLATFORM_CTX_STATS(STAT)
	PLATFORM_STATS(STAT)
#undef STAT
};
void platform_get_stats(struct platform_stats *out);

#endif
