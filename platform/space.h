/*
 * space: what systrap.c and ptrace.c share with space.c; private to platform/.
 *
 * The control file is one memfd that the sentry maps whole: a slot of command and result
 * pages per space, then a set of context pages per guest thread.  A slot is used again
 * only when the process that could write it is known to be dead (its pidfd says so), and
 * its pages are given back to the host before, so that nobody reads another's registers.
 *
 * Life of a space (stock.c has a shorter round for some): spawned (forked; nobody waits for it yet), settled (its stub has handed over two
 * descriptors and, but for the zygote, made its first guest thread; waited for when somebody needs it), live, dead (the stub is
 * gone, noticed by anyone), freed by its owner (killed, then on the dying list until the
 * host has confirmed), struct and slots released.
 */
#ifndef PLATFORM_SPACE_H
#define PLATFORM_SPACE_H

#include <sched.h>

#include "base/kmem.h"
#include "base/list.h"
#include "base/lock.h"
#include "platform/hostvdso.h"
#include "platform/platform.h"
#include "platform/sites.h"
#include "platform/stub/stub.h"

_Static_assert(SIGFRAME_FP_HEAD == FP_HEAD, "head of an FP image");

#define MAX_SPACES	16384u
#define MAX_CTXS	32768u
#define CTL_CTX_OFF	((uint64_t)MAX_SPACES * STUB_SLOT_STRIDE)
#define CTL_SIZE	(STUB_WORLD_OFF + PAGE_SIZE)
_Static_assert(STUB_WORLD_OFF == CTL_CTX_OFF + (uint64_t)MAX_CTXS * STUB_CTX_SIZE, "world");
#define STOCK_AHEAD	2u		/* blank stubs made ahead, besides one under way */
#define STOCK_MAX	4u		/* and with those that are used again */
#define FP_MAX		12288u
#define FP_SW_OFF	464		/* sw_reserved of an FP image */
#define FP_MAGIC2	0x46505845u	/* what closes it */

struct space {
	struct mutex	mu;		/* RANK_space: one batch in flight */
	unsigned	slot;		/* [I] */
	uint64_t	id;		/* [I] what its first message carries */
	struct stub_cmd	*cmd;		/* [I] */
	struct stub_res	*res;		/* [I] */
	uint32_t	seq;		/* [m] */
	unsigned	most;		/* [m] entries in its largest batch */
	int		pid;		/* [I] once spawned; -1: it never had a process */
	_Atomic int	memfd, pidfd;	/* [zygote] until both are here, memfd last, then [I] */
	bool		settled;	/* [m] its birth is over, well or badly */
	bool		reused;		/* [m] it had a guest before */
	struct ctx	*born;		/* [m] the thread that its first batch makes, until settled */
	_Atomic bool	dead;
	_Atomic bool	watched;	/* the reaper polls its pidfd */
	unsigned	nidx;		/* [m] context sets ever mapped */
	unsigned	nparked;	/* [m] */
	struct list	parked;		/* [m] contexts without owner whose thread waits */
	struct list	leaving;	/* [m] contexts whose thread was told to exit */
	struct list	ctxs;		/* [zygote] all contexts with an owner */
	struct list	node;		/* [zygote] live or dying */
	struct sites	sites;
};

struct ctx_stats {
#define STAT(name, text)	_Atomic uint64_t name;
	PLATFORM_CTX_STATS(STAT)
#undef STAT
};

struct ctx_seg {
	uint64_t	va;
	uint32_t	off, len;
};

struct ctx {
	struct space	*s;		/* [I] */
	unsigned	slot, idx;	/* [I] in the control file; in the space */
	int		tid;		/* [I] */
	uint64_t	va;		/* [I] of the context set in the stub */
	char		*base;		/* [I] the same here */
	struct stub_ctx	*sh;		/* [I] its header, shared with a hostile guest */
	struct ctx_seg	in[2], out[CTX_NOUT]; /* [t] what the stub has copied, and is to copy; offsets in the set */
	unsigned	nout;		/* [t] */
	uint32_t	words;		/* [t] of all its patched calls: where the stub may have written data */
	unsigned	worked;		/* [t] commands in its largest batch */
	uint32_t	out_at, out_end; /* [t] room for results in the set; none when equal */
	bool		guest_gs;	/* [t] %gs is the guest's own */
	bool		names, had_names; /* [t] its table of names is in use, or was */
	bool		patched;	/* [t] stopped at a patched call: registers in the header, not in a frame */
	bool		partial;	/* [t] only the number, the arguments and rax of these were read, or changed */
	bool		live;		/* [t] and the stub still holds the others */
	bool		rebase;		/* [t] the header asks for a base to be set by a call: to be taken back */
	uint32_t	op;		/* [t] what the stub is to do */
	uint64_t	fp_to;		/* [t] with the results: floating point goes there, and starts afresh; 0: not */
	bool		fp_saved;	/* [t] the first of these is done */
	bool		head_clean;	/* [t] the clean image is at the head of the set */
	uint64_t	uc;		/* [t] otherwise: checked offset of the frame's ucontext */
	uint64_t	at;		/* [t] where its last fault was in truth */
	uint64_t	retried;	/* [t] where a fault was not believed, as the last thing that happened */
	uint64_t	next, back;	/* [t] what follows that call in the text, and in its slot */
	uint32_t	lost;		/* [t] of the space's sites, then */
	_Atomic uint32_t kick;		/* a kick not yet reported */
	_Atomic bool	running;	/* the guest may be running: a kick needs a signal */
	int		spin_here, spin_there; /* [t] did waiting awake pay off lately? */
	unsigned	tries;		/* [t] */
	bool		together;	/* [t] on one processor with its stub */
	unsigned	nslept;		/* [t] waits that ended asleep, up to JOIN_AFTER */
	uint64_t	move_at_ns, move_gap_ns; /* [t] when it may be moved again, and how long to leave it after */
	bool		told_to_spin;	/* [t] the stub, at its last start */
	bool		slept;		/* [t] the last wait, of either side, was not awake to its end */
	uint64_t	fs_base, gs_base; /* [t] what the thread was told last; without FSGSBASE only we can change them */
	struct list	node;		/* ctxs, parked or leaving */
	struct ctx_stats stats;		/* [t] others may read */
	/* ptrace only */
	bool		attached;	/* [t] */
};

struct ctx_ops {
	int	(*attach)(struct ctx *c);	/* after the thread has stopped for the first time */
	void	(*run)(struct ctx *c, struct abi_regs *regs, struct stop *stop);
	void	(*regs)(struct ctx *c, struct abi_regs *regs); /* NULL: run leaves none out */
	void	(*rest)(struct ctx *c);		/* the owner is about to sleep for long; NULL: it is all the same to the thread */
	void	(*leave)(struct ctx *c);	/* tells the thread to exit; it may be dead already */
	int	(*get_fp)(struct ctx *c, void *buf);
	int	(*set_fp)(struct ctx *c, const void *buf);
	int	(*set_fp_head)(struct ctx *c, uint64_t va, const void *head); /* NULL: -ENOENT */
	int	(*cas32)(struct ctx *c, uint64_t va, uint32_t old, uint32_t new, uint32_t *seen);
	/* Up to WORK_MAX host calls by the guest thread, who may lie; as space_batch. NULL: the mapper has to. */
	int	(*map)(struct ctx *c, const struct stub_ent *ents, unsigned n, unsigned *at);
	bool	may_park;			/* the thread can wait for another owner */
};
extern const struct ctx_ops systrap_ops, ptrace_ops;

/* The platform's state: one per sentry. */
struct platform {
	struct mutex	mu;		/* RANK_zygote */
	const struct ctx_ops *ops;	/* [I] */
	bool		ptrace;		/* [I] */
	const uint32_t	*marshal;	/* [I] of nmarshal calls */
	unsigned	nmarshal;	/* [I] */
	bool		fsgsbase;	/* [I] stubs may use the instructions */
	bool		dispatch;	/* [I] calls of guest threads trap by the host's user dispatch, not by a filter of their own */
	int		ctl, sock;	/* [I] control file; the end that stubs send to */
	int		poke[2];	/* [I] wakes the reaper */
	char		*ctl_base;	/* [I] */
	struct stub_world *world;	/* [I] what all stubs can read */
	unsigned	ncpu;		/* [I] */
	cpu_set_t	cpus;		/* [I] ncpu of them */
	unsigned	spins_per_us;	/* [I] */
	struct space	*zygote;	/* [I] */
	struct hostvdso	vdso;		/* [I] what the zygote was to take along; all zero: nothing */
	struct space	*pending;	/* [zygote->mu] a fork of the zygote under way, for the stock */
	struct space	*stock[STOCK_MAX]; /* [zygote->mu] blank stubs ready for space_new */
	_Atomic unsigned nstock;	/* [zygote->mu] */
	struct space	*by_slot[MAX_SPACES]; /* [mu] */
	uint16_t	free_spaces[MAX_SPACES], free_ctxs[MAX_CTXS]; /* [mu] stacks of used slots */
	unsigned	nfree_spaces, nfree_ctxs, next_space, next_ctx; /* [mu] */
	uint64_t	next_id;	/* [mu] */
	struct list	live, dying;	/* [mu] */
	bool		reaper_runs;	/* [mu] */
	bool		stale_donation;	/* [mu] a descriptor that nobody received is on the socket */
	struct {
#define STAT(name, text)	_Atomic uint64_t name;
		PLATFORM_STATS(STAT)
#undef STAT
	} stats;
	struct ctx_stats ended;		/* [mu] sums of contexts without owner */
};
extern struct platform plat;

/* Each of these comes with a call to the host, beside which a locked instruction is nothing. */
#define stat_inc(f)	atomic_fetch_add_explicit(&plat.stats.f, 1, memory_order_relaxed)
/* The owner's thread alone counts here. */
#define ctx_inc(c, f)	atomic_store_explicit(&(c)->stats.f, \
	atomic_load_explicit(&(c)->stats.f, memory_order_relaxed) + 1, memory_order_relaxed)

static inline void
cpu_relax(void)
{
	__builtin_ia32_pause();
}

/* zygote.c */
uint64_t stub_text_word(unsigned at);			/* from the table of STUB_T_* */
int zygote_start(const struct platform_conf *conf, unsigned slot, const char **why) MUST_CHECK;

/* space.c */
/* The zygote, without a process yet, and the first blank space: to fork that is the first batch, which lies ready. */
int space_conceive(void) MUST_CHECK;
/* Waits for the end of a new stub's birth: descriptors, first batch, first thread. s->mu held. Dead if it went badly. */
void space_settle(struct space *s);
/* Runs the n entries that the caller has filled in; -errno of the first that failed (its index in *at), -ESRCH. */
int space_batch(struct space *s, unsigned n, unsigned *at) MUST_CHECK;
void space_kill(struct space *s);
/* Takes in what new stubs have sent, if s has not been heard of; never waits. */
void space_collect(struct space *s);
/* Announces the n entries that the caller has filled in. */
void batch_start(struct space *s, unsigned n);
/* Asks from's mapper for a copy of its process; the answer is still to come: fork_finish waits for it. from->mu held. */
int fork_start(struct space *from, struct space **out) MUST_CHECK;
int fork_finish(struct space *from, struct space *s) MUST_CHECK;
void space_release_locked(struct space *s);

/* frame.c: reads where the handler has put the frame, once, and keeps that when a frame fits there: -ESRCH. */
int frame_find(struct ctx *c) MUST_CHECK;
void frame_fault(struct ctx *c, struct stop *stop);	/* trapno, error and cr2 of the frame */
uint64_t base_ok(uint64_t base);			/* a segment base that the host takes */
bool kick_take(struct ctx *c);				/* consumes a kick; true when there was one */
void ctx_give_up(struct ctx *c, struct stop *stop);	/* ends the space */

extern __thread struct ctx *ctx_here;			/* this thread's guest, stopped; NULL: it has not run yet */
extern __thread bool ctx_stub_awake;			/* the stub of this thread's guest waits awake for its answer */

/* ctx.c */
unsigned ctx_conceive(struct space *s);			/* the commands that make the first thread of a new stub; how many */
void ctx_look_out(struct ctx *c);			/* sleeps until it has stopped for the first time; not for long */
void ctx_born(struct space *s, int err);		/* they were carried out, or not */
void ctx_release_locked(struct ctx *c);			/* its slot and struct; plat.mu held */

extern __thread struct space *ctx_retired;		/* where this thread's guest was, whose task has ended */
void ctx_dismiss(struct space *s);			/* tells the one thread of s, which nobody owns, to exit; s->mu held */
bool ctx_await_end(struct space *s, uint64_t until_ns) MUST_CHECK; /* the host says that it has; false: not by then */
unsigned ctx_renew(struct space *s, unsigned at);	/* then: commands from entry `at` on that make another; the number of all */

/* stock.c: true when s, whose owner has no more use for it, may be used again: see space_reuse. s->mu held. */
bool stock_offer(struct space *s) MUST_CHECK;

/* names.c */
void names_boot(void);

/* reaper.c: learns of the end of stubs. */
bool space_is_gone(struct space *s);			/* asks the host */
void space_wait_gone(struct space *s);			/* at once when it never told its pidfd: no guest code ran then */
void space_watch(struct space *s);			/* from now on its end wakes whoever waits for it */
void space_set_dead_locked(struct space *s);		/* plat.mu held */
void reap_dying_locked(void);

/* fp.c */
extern uint64_t fp_features;	/* XSAVE components of an image; the processor may have more */
int fp_probe(void) MUST_CHECK;
void fp_clean(void *image);
int fp_check(const void *image) MUST_CHECK;
int fp_check_head(const void *head) MUST_CHECK;		/* of what the host would refuse, all but the closing word */
void fp_keep_mxcsr(void *image);
bool fp_is_closed(const void *image);			/* is that there? */
void fp_seal(void *image);		/* writes the words that only the host may choose */
void fp_seal_head(void *head);		/* the same for the first FP_HEAD bytes alone */

#endif
