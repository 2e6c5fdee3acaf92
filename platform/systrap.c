/*
 * systrap: guest threads stopped by seccomp traps, signals, and patched calls.
 *
 * The host writes a stopped thread's registers and FP image as a signal frame into its
 * context set; the stub's handler announces where, sets the state word to ST_STOP and
 * waits for ST_RUN.  Everything read from the set is read once and may be a lie: the
 * frame's place is checked against the set, registers are the guest's own business, and
 * what would hurt the host is fixed on the way back by the host itself.
 *
 * A patched call (sites.h) comes with no signal: the stub puts the general registers into the
 * header of the set and waits there; floating point stays in the processor.  It goes back the same
 * way, to wherever the sentry says, unless that takes a frame (single step, a guest's own %gs).
 *
 * Most patched calls change nothing but rax.  So number, arguments and result travel in one cache line with
 * the state word; the rest of the registers stays in the header until somebody asks (systrap_regs), and the
 * stub, told ST_BACK, goes on with those that it still holds.  A call that traps comes and goes in the same line; the
 * rest of its registers stays in the frame (WAY_TRAP).
 *
 * The state word's moves:
 *	ST_RUN, ST_BACK -> ST_RUN_SLEEP	we go to sleep on it
 *	ST_RUN... -> ST_STOP, ST_CALL	the stub stops (and wakes us)
 *	ST_STOP, ST_CALL -> ST_STOP_SLEEP the stub goes to sleep on it, or is told to
 *	ST_STOP... -> ST_RUN, ST_BACK	we let it go (and wake it)
 *	anything -> ST_DEAD		the host, when the thread exits; the reaper
 */
#include <linux/audit.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>

#include "base/hostcall.h"
#include "platform/frame.h"

#define SPIN_US		60		/* about what a sleep and a wake-up cost */
#define SPIN_MAX	8		/* of the scores that say whether waiting awake pays */
#define SPIN_TRY	4		/* with a bad score, still once in so many times */
#define JOIN_AFTER	8u		/* waits asleep: threads that end sooner are not moved to their guest */
#define MOVE_GAP_MAX_NS	(NSEC_PER_SEC / 20)
#define WATCH_NS	(NSEC_PER_SEC / 2)
#define IDLE_NS		(30 * NSEC_PER_SEC)
#define KICK_NS		(NSEC_PER_SEC / 5)
#define KICK_TRIES	10		/* and more of them when guests crowd the processors */

/* A base that wrfsbase and arch_prctl take; anything else would fault in the stub. */
uint64_t
base_ok(uint64_t base)
{
	return base < STUB_TOP ? base : 0;
}

/* ---- segment bases --------------------------------------------------------- */

/* While a guest has no use for %gs, it shows the stub the way to the header. */
static uint64_t
own_gs(const struct ctx *c)
{
	return c->va + STUB_CTX_SIZE - CTX_HDR;
}

/* Without the instructions a guest cannot change a base but by a call, which we see. */
static void
bases_out(struct ctx *c, struct abi_regs *regs)
{
	uint64_t gs = c->gs_base;

	regs->fs_base = plat.fsgsbase ? atomic_load_explicit(&c->sh->fs_base, memory_order_relaxed) : c->fs_base;
	if (plat.fsgsbase && !c->patched)
		gs = atomic_load_explicit(&c->sh->gs_base, memory_order_relaxed);
	regs->gs_base = gs == own_gs(c) ? 0 : gs;
}

static void
bases_in(struct ctx *c, const struct abi_regs *regs)
{
	uint64_t fs = base_ok(regs->fs_base), gs;
	bool guest_gs = c->guest_gs || regs->gs_base != 0;
	uint32_t how = BASES_INSN;

	gs = guest_gs ? base_ok(regs->gs_base) : own_gs(c);
	if (!plat.fsgsbase)
		how = (fs != c->fs_base ? BASES_FS : 0) | (gs != c->gs_base ? BASES_GS : 0);
	c->fs_base = fs;
	c->gs_base = gs;
	c->rebase = (how & (BASES_FS | BASES_GS)) != 0;
	atomic_store_explicit(&c->sh->bases, how, memory_order_relaxed);
	if (how == 0)
		return;
	atomic_store_explicit(&c->sh->fs_base, fs, memory_order_relaxed);
	atomic_store_explicit(&c->sh->gs_base, gs, memory_order_relaxed);
}

/* ---- the header ---------------------------------------------------------- */

static uint64_t
header_get(struct ctx *c, unsigned at)
{
	return atomic_load_explicit(&c->sh->regs[(at - CTX_REGS) / 8], memory_order_relaxed);
}

static void
header_set(struct ctx *c, unsigned at, uint64_t v)
{
	atomic_store_explicit(&c->sh->regs[(at - CTX_REGS) / 8], v, memory_order_relaxed);
}

static uint64_t
arg_get(struct ctx *c, unsigned i)
{
	return atomic_load_explicit(&c->sh->args[i], memory_order_relaxed);
}

static void
result_set(struct ctx *c, uint64_t v)
{
	atomic_store_explicit(&c->sh->call, v, memory_order_relaxed);
}

/* ---- stops ------------------------------------------------------------------ */

static void
stop_syscall(struct abi_regs *regs, struct stop *stop, bool foreign)
{
	stop->kind = STOP_SYSCALL;
	stop->foreign = foreign;
	regs->orig_rax = regs->rax;
	regs->rax = (uint64_t)-ENOSYS;
}

/*
 * A fault of the stub's entry because %gs is the guest's own: the call that it was about to make.
 * False when what the guest gave for a slot is none, or it has jumped there itself.
 */
static bool
stop_alien(struct ctx *c, struct abi_regs *regs, struct stop *stop)
{
	uint64_t next;

	if (space_read(c->s, regs->r11 - sizeof next, &next, sizeof next) != sizeof next)
		return false;
	regs->rip = regs->rcx = next;
	regs->r11 = regs->eflags;
	stop_syscall(regs, stop, false);
	return true;
}

static bool
is_alien(const struct frame *f)
{
	return (f->info.signo == SIGSEGV && f->uc.rip == stub_text_word(STUB_T_ENTRY)) ||
	    (f->info.signo == SIGILL && f->uc.rip == stub_text_word(STUB_T_ALIEN));
}

/* The guest sees neither slots nor the stub's code: from is where it was let go to. */
static void
stop_fault(struct ctx *c, struct abi_regs *regs, struct stop *stop, const struct frame *f, uint64_t from)
{
	stop->kind = STOP_FAULT;
	stop->signo = f->info.signo;
	stop->code = f->info.code;
	stop->addr = f->info.addr;
	stop->trapno = f->uc.trapno;
	stop->error = f->uc.err;
	stop->cr2 = f->uc.cr2;
	c->at = f->uc.rip;
	regs->rip = f->uc.rip - STUB_GUEST_TEXT < STUB_GUEST_SIZE ? from : sites_leave(&c->s->sites, f->uc.rip);
	if (stop->addr == f->uc.rip)
		stop->addr = regs->rip;
}

/* A guest's rt_sigreturn: what the stub has copied of the frame at its stack pointer. */
static void
sigreturn_read(struct ctx *c, uint64_t rsp)
{
	/* Something of it is there even when its end could not be read. */
	c->words |= MARSHAL_RESULTS;
	if (atomic_load_explicit(&c->sh->in_len[0], memory_order_relaxed) == SIGFRAME_HEAD)
		c->in[0] = (struct ctx_seg){ .va = rsp, .off = DATA_BIG, .len = SIGFRAME_HEAD };
}

/* Copies the stop out of a frame; false when it is none that a guest in good order makes. */
static bool
frame_read(struct ctx *c, struct abi_regs *regs, struct stop *stop)
{
	uint64_t from = c->partial ? header_get(c, CTX_RCX) : regs->rip;
	struct frame f;

	c->partial = false;

	if (frame_find(c) != 0)
		return false;
	memcpy(&f, frame_of(c), sizeof f - sizeof f.info.rest);
	frame_regs_get(regs, &f.uc);
	bases_out(c, regs);
	switch (f.info.signo) {
	case SIGSYS:
		stop_syscall(regs, stop, f.info.sys.arch != AUDIT_ARCH_X86_64);
		stop->trapped = !stop->foreign;
		if (regs->orig_rax == SYS_rt_sigreturn)
			sigreturn_read(c, regs->rsp);
		return true;
	case STUB_SIGKICK:
		regs->rip = sites_leave(&c->s->sites, regs->rip);
		stop->kind = STOP_KICK;
		return true;
	case SIGSEGV:
	case SIGBUS:
	case SIGFPE:
	case SIGILL:
	case SIGTRAP:
		if (!is_alien(&f) || !stop_alien(c, regs, stop))
			stop_fault(c, regs, stop, &f, from);
		return true;
	default:
		return false;
	}
}

/* What the stub has copied in for the call, by the word that told it to. */
static void
data_read(struct ctx *c, const struct abi_regs *r)
{
	const uint64_t arg[8] = { r->rdi, r->rsi, r->rdx, r->r10, r->r8, r->r9, 0, 0 };
	uint32_t nr = (uint32_t)r->rax, word = nr < plat.nmarshal ? plat.marshal[nr] : 0, w = word, in;
	bool big = false;

	c->nout = 0;
	c->fp_to = 0;
	c->in[0].len = c->in[1].len = 0;
	c->out_at = c->out_end = DATA_BIG;
	if (word == 0)
		return;
	c->words |= word;
	in = atomic_load_explicit(&c->sh->call_in, memory_order_relaxed);
	for (unsigned i = 0; i < ARRAY_LEN(c->in); i++, w >>= MARSHAL_SECOND) {
		uint32_t len, most = DATA_SMALL;

		if (MARSHAL_KIND(w) == MARSHAL_NONE)
			break;
		len = i == 0 ? in & ((1u << IN_LEN_SECOND) - 1) : in >> IN_LEN_SECOND;
		if (len == 0)
			continue;
		c->in[i].off = STUB_CTX_DATA + i * DATA_SMALL;
		if (MARSHAL_KIND(w) == MARSHAL_BYTES) {
			big = true;
			c->in[i].off = DATA_BIG;
			most = DATA_BIG_SIZE;
		}
		c->in[i].va = arg[MARSHAL_ARG(w)];
		c->in[i].len = min(len, most);
	}
	if ((word & MARSHAL_RESULTS) && !big)
		c->out_end = DATA_BIG + DATA_BIG_SIZE;
}

/* Tells the stub of the results that it is to copy. */
static void
data_write(struct ctx *c)
{
	struct ctx_seg *only = c->nout == 1 && c->out[0].len <= CTX_RESULT_SIZE ? &c->out[0] : NULL;

	/* One line less to fetch for the stub. */
	if (only != NULL) {
		memcpy(c->sh->result, c->base + only->off, only->len);
		only->off = STUB_CTX_SIZE - CTX_HDR + CTX_RESULT;
	}
	for (unsigned i = 0; i < c->nout; i++) {
		struct stub_out *out = i == 0 ? &c->sh->out : &c->sh->out_more[i - 1];

		*out = (struct stub_out){ .va = c->out[i].va, .off = c->out[i].off, .len = c->out[i].len };
	}
	atomic_store_explicit(&c->sh->nout, c->nout, memory_order_relaxed);
	atomic_store_explicit(&c->sh->fp_to, c->fp_to, memory_order_relaxed);
}

/* A call's number and arguments. */
static void
args_read(struct ctx *c, struct abi_regs *r)
{
	r->rax = atomic_load_explicit(&c->sh->call, memory_order_relaxed);
	r->rdi = arg_get(c, 0);
	r->rsi = arg_get(c, 1);
	r->rdx = arg_get(c, 2);
	r->r10 = arg_get(c, 3);
	r->r8 = arg_get(c, 4);
	r->r9 = arg_get(c, 5);
}

/* A patched call: these, and what has been copied for it. */
static void
call_read(struct ctx *c, struct abi_regs *r, struct stop *stop)
{
	c->partial = true;
	c->lost = atomic_load_explicit(&c->s->sites.lost, memory_order_relaxed);
	args_read(c, r);
	data_read(c, r);
	stop_syscall(r, stop, false);
}

/* A call that trapped: the same, and where. */
static bool
trap_read(struct ctx *c, struct abi_regs *r, struct stop *stop)
{
	if (frame_find(c) != 0)
		return false;
	c->partial = true;
	r->rip = atomic_load_explicit(&c->sh->go_to, memory_order_relaxed);
	args_read(c, r);
	stop_syscall(r, stop, false);
	stop->trapped = true;
	return true;
}

/* The rest of the registers, in the frame of a call that trapped. */
static void
trap_regs(struct ctx *c, struct abi_regs *r)
{
	struct abi_regs call = *r;
	struct frame_uc uc;

	memcpy(&uc, &frame_of(c)->uc, sizeof uc);
	frame_regs_get(r, &uc);
	r->rax = call.rax;
	r->orig_rax = call.orig_rax;
	bases_out(c, r);
}

/* What is left out of a call's registers. */
static void
systrap_regs(struct ctx *c, struct abi_regs *r)
{
	if (!c->partial)
		return;
	c->partial = false;
	if (!c->patched) {
		trap_regs(c, r);
		return;
	}
	c->next = header_get(c, CTX_RCX);
	c->back = atomic_load_explicit(&c->sh->go_to, memory_order_relaxed);
	r->rbx = header_get(c, CTX_RBX);
	r->rbp = header_get(c, CTX_RBP);
	r->rsp = header_get(c, CTX_RSP);
	r->r12 = header_get(c, CTX_R12);
	r->r13 = header_get(c, CTX_R13);
	r->r14 = header_get(c, CTX_R14);
	r->r15 = header_get(c, CTX_R15);
	r->eflags = header_get(c, CTX_FLAGS);
	/* As the instruction leaves them. */
	r->r11 = r->eflags;
	r->rip = r->rcx = c->next;
	bases_out(c, r);
}

/* Where the guest goes on in truth: in the slot it came from, or wherever a patch has moved rip. */
static uint64_t
resume_address(struct ctx *c, const struct abi_regs *r)
{
	if (r->rip == c->next && c->lost == atomic_load_explicit(&c->s->sites.lost, memory_order_relaxed))
		return c->back;
	return sites_enter(&c->s->sites, r->rip);
}

static void
header_write(struct ctx *c, const struct abi_regs *r)
{
	result_set(c, r->rax);
	header_set(c, CTX_RBX, r->rbx);
	header_set(c, CTX_RCX, r->rcx);
	header_set(c, CTX_RDX, r->rdx);
	header_set(c, CTX_RSI, r->rsi);
	header_set(c, CTX_RDI, r->rdi);
	header_set(c, CTX_RBP, r->rbp);
	header_set(c, CTX_RSP, r->rsp);
	header_set(c, CTX_R8, r->r8);
	header_set(c, CTX_R9, r->r9);
	header_set(c, CTX_R10, r->r10);
	header_set(c, CTX_R11, r->r11);
	header_set(c, CTX_R12, r->r12);
	header_set(c, CTX_R13, r->r13);
	header_set(c, CTX_R14, r->r14);
	header_set(c, CTX_R15, r->r15);
	header_set(c, CTX_FLAGS, (r->eflags & EFLAGS_USER) | EFLAGS_ON);
	atomic_store_explicit(&c->sh->go_to, resume_address(c, r), memory_order_relaxed);
}

static bool
stop_read(struct ctx *c, struct abi_regs *regs, struct stop *stop)
{
	uint32_t way = WAY_PATCH;

	if (!c->live)
		way = atomic_load_explicit(&c->sh->way, memory_order_relaxed);
	memset(stop, 0, sizeof *stop);
	c->patched = !is_framed(way);
	if (way == WAY_PATCH) {
		call_read(c, regs, stop);
		return true;
	}
	/* Done, unless the stub says otherwise; twice the same does no harm. */
	if (way == WAY_KICK || way == WAY_OUT) {
		c->fp_saved |= c->fp_to != 0 && atomic_load_explicit(&c->sh->fp_to, memory_order_relaxed) == 0;
		ctx_flush(c);
	}
	/* What was copied was for the last call. */
	c->in[0].len = c->in[1].len = 0;
	c->nout = 0;
	c->fp_to = 0;
	c->out_end = c->out_at;
	if (way == WAY_TRAP)
		return trap_read(c, regs, stop);
	if (way != WAY_KICK && way != WAY_OUT)
		return frame_read(c, regs, stop);
	stop->kind = STOP_KICK;			/* regs are what we let it go with */
	return true;
}

/* ---- waiting ------------------------------------------------------------- */

__thread bool ctx_stub_awake;

static bool
is_running(uint32_t state)
{
	return state == ST_RUN || state == ST_RUN_SLEEP || state == ST_BACK;
}

/* Each guest that is awake has two threads: too many for all of them to stay awake? */
static bool
is_crowded(void)
{
	return atomic_load_explicit(&plat.world->awake, memory_order_relaxed) * 2 > (int)plat.ncpu;
}

/* May one more thread wait awake on either side? */
static bool
may_spin(struct ctx *c, int score)
{
	return !is_crowded() && !c->together && (score > 0 || c->tries % SPIN_TRY == 0);
}

static __thread bool bound;		/* this thread may not go where the host likes */

static bool
stay_on(const cpu_set_t *cpus)
{
	if (host_setaffinity(cpus, sizeof *cpus) != 0)
		return false;
	bound = cpus != &plat.cpus;
	return true;
}

/*
 * Where c's two threads should be, and the host does not bring them.  On one processor they only keep each other from
 * running by waiting awake, so they are parted when there is room for both to wait so, and free to go where the host
 * likes from then on.  When there is none, a hand-over on one processor is a switch, and one between two
 * wakes an idle one each time: ours stays with the stub then.  Where that is we know from itself: it may
 * lie, and we move once in MOVE_GAP_MAX_NS.
 */
static void
look_around(struct ctx *c)
{
	unsigned here, there;
	cpu_set_t cpus;
	uint64_t now;

	if (!c->slept)
		return;
	c->slept = false;
	c->nslept = min(c->nslept + 1, JOIN_AFTER);
	here = host_cpu();
	there = atomic_load_explicit(&c->sh->cpu, memory_order_relaxed) & 0xfff;
	c->together = there == here;
	if (c->together == is_crowded()) {
		if (bound && !c->together)
			(void)stay_on(&plat.cpus);
		return;
	}
	now = host_clock_ns(CLOCK_MONOTONIC);
	if (now < c->move_at_ns)
		return;
	if (c->together) {
		cpus = plat.cpus;
		CPU_CLR(here, &cpus);
		c->together = !stay_on(&cpus) || !stay_on(&plat.cpus);
	} else if (c->nslept < JOIN_AFTER) {
		return;
	} else if (there < CPU_SETSIZE && CPU_ISSET(there, &plat.cpus)) {
		CPU_ZERO(&cpus);
		CPU_SET(there, &cpus);
		c->together = stay_on(&cpus);
	}
	c->move_gap_ns = min(2 * c->move_gap_ns, MOVE_GAP_MAX_NS);
	c->move_at_ns = now + c->move_gap_ns;
	stat_inc(moves);
}

static uint32_t
spin_turns(void)
{
	return SPIN_US * plat.spins_per_us;
}

static void
score(int *s, bool paid)
{
	*s = paid ? min(*s + 1, SPIN_MAX) : max(*s - 1, 0);
}

/* True when the guest stopped while we were awake. */
static bool
stop_spin(struct ctx *c)
{
	bool paid = false;

	if (!may_spin(c, c->spin_here))
		return false;
	for (unsigned n = spin_turns(); n > 0 && !paid; n--) {
		paid = !is_running(atomic_load_explicit(&c->sh->state, memory_order_acquire));
		if (!paid)
			cpu_relax();
	}
	score(&c->spin_here, paid);
	if (paid)
		ctx_inc(c, spins_paid);
	return paid;
}

static unsigned
kick_tries(void)
{
	int n = max(atomic_load_explicit(&plat.world->awake, memory_order_relaxed), 0);

	return KICK_TRIES * (1 + (unsigned)n / max(plat.ncpu, 1u));
}

/*
 * Sleeps until the guest has stopped; false when it is gone, or does not answer kicks, or
 * (hurry) the stub's own code is at work and takes as long.
 */
static bool
stop_sleep(struct ctx *c, bool hurry)
{
	unsigned unanswered = 0;
	uint64_t answer_by = 0;
	bool watched = false;

	ctx_inc(c, sleeps);
	for (;;) {
		uint32_t state = atomic_load_explicit(&c->sh->state, memory_order_acquire);
		uint64_t now;
		bool kicked;

		if (!is_running(state))
			return true;
		if (state != ST_RUN_SLEEP && !atomic_compare_exchange_strong(&c->sh->state, &state, ST_RUN_SLEEP))
			continue;
		if (atomic_load(&c->s->dead))
			return false;
		kicked = hurry || atomic_load(&c->kick) != 0;
		now = host_clock_ns(CLOCK_MONOTONIC);
		/*
		 * Starved or deaf?  A busy host gets its time; the signal is sent again for good measure.  The clock
		 * says how long: other threads of the guest may wake us as often as they like.
		 */
		if (kicked && answer_by != 0 && now >= answer_by) {
			if (++unanswered >= kick_tries())
				return false;
			if (!hurry)
				host_tgkill(c->s->pid, c->tid, STUB_SIGKICK);
			answer_by = 0;
		}
		if (kicked && answer_by == 0)
			answer_by = now + KICK_NS;
		if (host_futex_wait(&c->sh->state, ST_RUN_SLEEP,
		    kicked ? answer_by : now + (watched ? IDLE_NS : WATCH_NS), true) == -ETIMEDOUT && !watched) {
			space_watch(c->s);
			watched = true;
		}
	}
}

/*
 * Lets the thread go, with what c->op says to do, and waits until it is ours again.  back: ST_BACK will do, if the
 * stub waits for it.
 */
static bool
stub_go(struct ctx *c, bool back)
{
	uint32_t spins, was, state;

	c->tries++;
	look_around(c);
	spins = may_spin(c, c->spin_there) ? spin_turns() : 0;
	atomic_store_explicit(&c->sh->spin, spins, memory_order_relaxed);
	was = atomic_exchange(&c->sh->state, back && c->live ? ST_BACK : ST_RUN);
	if (was == ST_STOP_SLEEP) {
		c->slept = true;
		host_futex_wake(&c->sh->state, 1, true);
	}
	/* Whoever kicked before the exchange may have seen nobody run. */
	if (unlikely(atomic_load_explicit(&c->kick, memory_order_relaxed) != 0) && c->op == COP_RESUME)
		host_tgkill(c->s->pid, c->tid, STUB_SIGKICK);
	/* Did the stub's waiting pay off last time? */
	if (c->told_to_spin)
		score(&c->spin_there, was != ST_STOP_SLEEP);
	c->told_to_spin = ctx_stub_awake = spins != 0;
	if (!stop_spin(c)) {
		c->slept = true;
		if (!stop_sleep(c, c->op != COP_RESUME))
			return false;
	}
	state = atomic_load_explicit(&c->sh->state, memory_order_acquire);
	c->live = state == ST_CALL;
	return !is_running(state) && state != ST_DEAD && !atomic_load_explicit(&c->s->dead, memory_order_relaxed);
}

/* Has the stub do op for us. */
static bool
stub_work(struct ctx *c, uint32_t op)
{
	c->op = op;
	atomic_store_explicit(&c->sh->op, op, memory_order_relaxed);
	if (!stub_go(c, false)) {
		/* Nobody knows what it does instead, and whoever has more for it would wait as long again. */
		space_end(c->s);
		return false;
	}
	c->op = COP_RESUME;
	atomic_store_explicit(&c->sh->op, COP_RESUME, memory_order_relaxed);
	return true;
}

/* ---- operations ---------------------------------------------------------- */

/* A thread stopped at a patched call gets a frame to go back from. */
static bool
frame_make(struct ctx *c)
{
	ctx_flush(c);
	if (!stub_work(c, COP_FRAME) || !is_framed(atomic_load(&c->sh->way)) || frame_find(c) != 0)
		return false;
	c->patched = false;
	return true;
}

/* May the guest go on behind its call with nothing changed but rax? */
static bool
goes_back(struct ctx *c, const struct abi_regs *regs)
{
	if (!c->partial)
		return false;
	if (!c->patched)
		return sites_enter(&c->s->sites, regs->rip) == regs->rip;
	return !c->guest_gs && c->lost == atomic_load_explicit(&c->s->sites.lost, memory_order_relaxed);
}

/* *back: it does, and the stub has no more to do than that. */
static bool
regs_load(struct ctx *c, struct abi_regs *regs, bool *back)
{
	struct frame_uc *uc;

	*back = false;
	if (goes_back(c, regs)) {
		if (c->patched)
			data_write(c);
		result_set(c, regs->rax);
		if (c->rebase) {
			atomic_store_explicit(&c->sh->bases, 0, memory_order_relaxed);
			c->rebase = false;
		}
		*back = c->patched && c->nout == 0;
		return true;
	}
	systrap_regs(c, regs);
	if (c->patched && ((regs->eflags & EFLAGS_TF) || c->guest_gs || regs->gs_base != 0) && !frame_make(c))
		return false;
	bases_in(c, regs);
	if (c->patched) {
		data_write(c);
		header_write(c, regs);
		return true;
	}
	ctx_flush(c);
	uc = &frame_of(c)->uc;
	/* At a call that trapped the stub puts it there itself. */
	result_set(c, regs->rax);
	frame_regs_set(uc, regs);
	uc->rip = sites_enter(&c->s->sites, regs->rip);
	return true;
}

/* A single step has led into a slot: goes on there if the guest is not to see it, or makes the call. */
static bool
is_hidden_step(struct ctx *c, struct abi_regs *regs, struct stop *stop)
{
	uint64_t after = 0;

	switch (sites_step(&c->s->sites, c->at, &after)) {
	case STEP_SHOW:
		break;
	case STEP_ON:
		regs->rip = c->at;
		return true;
	case STEP_CALL:
		memset(stop, 0, sizeof *stop);
		regs->rip = regs->rcx = after;
		regs->r11 = regs->eflags;
		stop_syscall(regs, stop, false);
		break;
	}
	return false;
}

/* A jump into the middle of a patched call has trapped: it goes on in the slot. */
static bool
is_detour(struct ctx *c, struct abi_regs *regs, struct stop *stop)
{
	uint64_t rip = c->at;

	if (stop->kind != STOP_FAULT)
		c->retried = 0;
	if (stop->kind != STOP_FAULT || !sites_any(&c->s->sites))
		return false;
	if (stop->signo == SIGTRAP && stop->code == TRAP_TRACE)
		return is_hidden_step(c, regs, stop);
	if (stop->signo == SIGTRAP)
		rip--;				/* behind the int3 */
	else if (stop->signo != SIGILL && (stop->signo != SIGSEGV || stop->addr != 0))
		return false;
	if (!sites_inside(&c->s->sites, rip)) {
		/* Trapped in a patch that was gone before we looked?  The guest's own bytes have one try. */
		if (c->retried == rip || !sites_were(&c->s->sites, rip))
			return false;
		c->retried = rip;
	}
	regs->rip = rip;
	return true;
}

/* A kick while the guest, or who forges its stops, is on a detour: reported now, or it might never be. */
static bool
is_kicked_there(struct ctx *c, struct abi_regs *regs, struct stop *stop)
{
	if (!kick_take(c))
		return false;
	regs->rip = sites_leave(&c->s->sites, regs->rip);
	memset(stop, 0, sizeof *stop);
	stop->kind = STOP_KICK;
	return true;
}

static void
systrap_run(struct ctx *c, struct abi_regs *regs, struct stop *stop)
{
	bool ok, back;

	if (atomic_load_explicit(&c->s->dead, memory_order_relaxed)) {
		ctx_give_up(c, stop);
		return;
	}
	if (kick_take(c)) {
		ctx_flush(c);
		memset(stop, 0, sizeof *stop);
		stop->kind = STOP_KICK;
		return;
	}
	/* Seen by all before the thread is let go, see ctx_kick. */
	atomic_store_explicit(&c->running, true, memory_order_relaxed);
	do {
		ok = regs_load(c, regs, &back) && stub_go(c, back) && stop_read(c, regs, stop);
		/* A signal for a kick that was reported already: go on. */
	} while (ok && (is_detour(c, regs, stop) ? !is_kicked_there(c, regs, stop) :
	    stop->kind == STOP_KICK && !kick_take(c)));
	atomic_store_explicit(&c->running, false, memory_order_relaxed);
	if (!ok)
		ctx_give_up(c, stop);
}

static int
systrap_attach(struct ctx *c)
{
	c->nslept = 0;
	c->together = false;
	c->told_to_spin = c->partial = c->live = c->rebase = false;
	c->slept = true;
	c->op = COP_RESUME;
	atomic_store_explicit(&c->sh->op, COP_RESUME, memory_order_relaxed);
	return 0;
}

/* Its guest will not go on soon: the processor is of more use to others. */
static void
systrap_rest(struct ctx *c)
{
	uint32_t state = c->live ? ST_CALL : ST_STOP;

	if (c->told_to_spin && atomic_compare_exchange_strong(&c->sh->state, &state, ST_STOP_SLEEP))
		c->told_to_spin = false;
}

static void
systrap_leave(struct ctx *c)
{
	if (atomic_load(&c->s->dead))
		return;
	atomic_store(&c->sh->op, COP_EXIT);
	if (atomic_exchange(&c->sh->state, ST_RUN) == ST_STOP_SLEEP)
		host_futex_wake(&c->sh->state, 1, true);
}

/* The image of a thread at a patched call is at the head of the set, on request. */
static bool
fp_move(struct ctx *c, uint32_t op)
{
	return stub_work(c, op) && !is_framed(atomic_load(&c->sh->way));
}

static int
systrap_get_fp(struct ctx *c, void *buf)
{
	const void *image = c->patched ? c->base : frame_fp(c);

	if (c->patched)
		c->head_clean = false;
	if (image == NULL || (c->patched && !fp_move(c, COP_FP_GET)))
		return -ESRCH;
	memcpy(buf, image, platform_fp_size);
	return 0;
}

static int
systrap_set_fp(struct ctx *c, const void *buf)
{
	void *image = c->patched ? c->base : frame_fp(c);

	if (image == NULL)
		return -ESRCH;
	if (c->patched)
		c->head_clean = false;
	memcpy(image, buf, platform_fp_size);
	return !c->patched || fp_move(c, COP_FP_SET) ? 0 : -ESRCH;
}

/* The stub has put the rest where the host will load it from. */
static int
systrap_set_fp_head(struct ctx *c, uint64_t va, const void *head)
{
	char sealed[FP_HEAD];
	char *image;

	if (c->patched || c->in[0].len != SIGFRAME_HEAD || va != c->in[0].va + SIGFRAME_FP)
		return -ENOENT;
	image = frame_fp(c);
	if (image == NULL || !fp_is_closed(image))
		return -ENOENT;
	memcpy(sealed, head, sizeof sealed);
	fp_seal_head(sealed);
	if (fp_check_head(sealed) != 0)
		return -EINVAL;
	memcpy(image, sealed, sizeof sealed);
	return 0;
}

static int
systrap_cas32(struct ctx *c, uint64_t va, uint32_t old, uint32_t new, uint32_t *seen)
{
	if (atomic_load(&c->s->dead))
		return -EFAULT;
	atomic_store_explicit(&c->sh->cas_va, va, memory_order_relaxed);
	atomic_store_explicit(&c->sh->cas_old, old, memory_order_relaxed);
	atomic_store_explicit(&c->sh->cas_new, new, memory_order_relaxed);
	if (!stub_work(c, COP_CAS))
		return -EFAULT;
	*seen = atomic_load_explicit(&c->sh->cas_seen, memory_order_relaxed);
	return atomic_load_explicit(&c->sh->rc, memory_order_relaxed) == 0 ? 0 : -EFAULT;
}

static int
systrap_map(struct ctx *c, const struct stub_ent *ents, unsigned n, unsigned *at)
{
	uint32_t err, left;

	*at = 0;
	memcpy(c->base + STUB_CTX_WORK, ents, n * sizeof *ents);
	c->worked = max(c->worked, n);
	atomic_store_explicit(&c->sh->work_n, n, memory_order_relaxed);
	atomic_store_explicit(&c->sh->rc, UINT32_MAX, memory_order_relaxed);
	if (!stub_work(c, COP_MAP))
		return -ESRCH;
	err = atomic_load_explicit(&c->sh->rc, memory_order_relaxed);
	left = atomic_load_explicit(&c->sh->left, memory_order_relaxed);
	/* As no stub in good order has it: a call that trapped, or another thread's hand. */
	if (err > UINT8_MAX || left > n || (err == 0) != (left == 0))
		return -ESRCH;
	*at = n - left;
	return -(int)err;
}

const struct ctx_ops systrap_ops = {
	.attach = systrap_attach,
	.run = systrap_run,
	.regs = systrap_regs,
	.leave = systrap_leave,
	.rest = systrap_rest,
	.get_fp = systrap_get_fp,
	.set_fp = systrap_set_fp,
	.set_fp_head = systrap_set_fp_head,
	.cas32 = systrap_cas32,
	.map = systrap_map,
	.may_park = true,
};
