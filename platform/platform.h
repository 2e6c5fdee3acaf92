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
#define GUEST_TOP	0x7fffe0000000ULL

struct space;
struct ctx;

/* ---- boot ---------------------------------------------------------------- */

struct platform_conf {
	const char	*name;		/* "systrap" or "ptrace" */
	int		 memfile;	/* the memory file; every stub can map it */
	int		 proc_dirfd;	/* a procfs of this pid namespace, for the zygote's copy only; closed here in the sentry */
	bool		 no_vdso;	/* tests: as on a host without a vDSO */
};

/*
 * Makes the zygote and the shared control file.  Called once, before the filter
 * and before any thread.  -ENOTSUP with a sentence in *why when the host can't run
 * this platform.
 */
int platform_boot(const struct platform_conf *conf, const char **why) MUST_CHECK;
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
 * 0: there is none, the call has to be made.  After platform_boot.
 */
uint64_t platform_vdso(const char *name);
bool platform_in_vdso(uint64_t rip);
/* The address on the guest's stack at which the function of the host's vDSO that regs are in will find its way back. */
bool platform_vdso_return(const struct abi_regs *regs, uint64_t *slot) MUST_CHECK;
#define PLATFORM_NOWHERE 0x7ffff0080000ULL	/* an address that no space maps: going there is a page fault */

/* ---- spaces -------------------------------------------------------------- */

/* A blank space: nothing mapped below GUEST_TOP. Locks: zygote, space. -ENOMEM, -EAGAIN. */
int space_new(struct space **out) MUST_CHECK;
/*
 * A copy of parent as host fork(2) makes it: same mappings, private memory
 * copy-on-write, no ctx.  Guest threads of the parent may be running meanwhile.
 */
int space_fork(struct space *parent, struct space **out) MUST_CHECK;
/* Kills the stub and frees everything; every ctx must be freed before. Never waits for the teardown. */
void space_free(struct space *s);

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
	bool		foreign;	/* STOP_SYSCALL: by int 0x80 or another ABI; answer ENOSYS/SIGSEGV as Linux does */
};

/*
 * A guest thread, stopped, with clean registers and FP state.  Must be called on the
 * sentry thread that will run it (ptrace's tracer is a thread); the same holds for all
 * calls below except ctx_kick.
 */
int ctx_new(struct space *s, struct ctx **out) MUST_CHECK;
void ctx_free(struct ctx *c);

/* Runs the guest with *regs until it stops, then fills *regs and *stop. Returns at once with STOP_KICK when a kick is pending. */
void ctx_run(struct ctx *c, struct abi_regs *regs, struct stop *stop);
/* Makes a running ctx_run return soon, or the next one at once. Any thread; never sleeps. */
void ctx_kick(struct ctx *c);

/* The FP image of a stopped guest: exactly platform_fp_size bytes. set: -EINVAL when the image is malformed. */
int ctx_get_fp(struct ctx *c, void *buf) MUST_CHECK;
int ctx_set_fp(struct ctx *c, const void *buf) MUST_CHECK;
/* Clean FP state as after exec. */
void ctx_reset_fp(struct ctx *c);

/*
 * Atomic compare-and-swap of a guest word by the stopped guest thread itself:
 * 0 and *seen (swapped when *seen == old), or -EFAULT.
 */
int ctx_cas32(struct ctx *c, uint64_t va, uint32_t old, uint32_t new, uint32_t *seen) MUST_CHECK;

/* ---- counters (debug, bench) --------------------------------------------- */
struct platform_stats {
	uint64_t syscalls, faults, kicks, spins_paid, sleeps, map_batches, map_cmds, spaces_made, forks;
};
void platform_get_stats(struct platform_stats *out);

#endif
