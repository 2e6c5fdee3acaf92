/*
 * ctx: guest threads, as far as systrap and ptrace agree; boot; counters.
 *
 * A thread is cloned by the space's mapper on its context set and stops at once in the
 * stub's handler, so that its registers have a place.  A thread that its owner gives up
 * is parked for the next ctx_new of the space, or told to exit.
 */
#include <signal.h>
#include <string.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/hostcall.h"
#include "base/log.h"
#include "base/mapcopy.h"
#include "platform/space.h"

#define FIRST_STOP_NS	(5 * NSEC_PER_SEC)
#define FIRST_LOOK_NS	(NSEC_PER_SEC / 2)
#define LOOK_OUT_NS	(NSEC_PER_SEC / 50)
#define LAST_STEPS_NS	(NSEC_PER_SEC / 50000)
#define PARKED_MAX	4
#define WARM_CTXS	16		/* sets kept with their pages */
#define SPIN_FIRST	4
#define MOVE_GAP_NS	(NSEC_PER_SEC / 1000)
#define HWCAP2_FSGSBASE	2

#ifndef PR_SET_SYSCALL_USER_DISPATCH
#define PR_SET_SYSCALL_USER_DISPATCH	59
#define PR_SYS_DISPATCH_OFF		0
#endif

KMEM_CACHE(ctx);

const char *platform_name = "none";
bool platform_patches;
__thread struct ctx *ctx_here;
__thread struct space *ctx_retired;

/* ---- counters -------------------------------------------------------------- */

static void
stats_add(struct ctx_stats *to, const struct ctx_stats *from)
{
#define STAT(name, text)	to->name += atomic_load_explicit(&from->name, memory_order_relaxed);
	PLATFORM_CTX_STATS(STAT)
#undef STAT
}

/* What c has counted goes to the sandbox's sums. */
static void
stats_end_locked(struct ctx *c)
{
	mutex_assert_held(&plat.mu);
	stats_add(&plat.ended, &c->stats);
	memset(&c->stats, 0, sizeof c->stats);
	atomic_fetch_add_explicit(&plat.stats.answered, atomic_exchange(&c->sh->answered, 0), memory_order_relaxed);
}

void
platform_get_stats(struct platform_stats *out)
{
	struct ctx_stats sum = { 0 };
	uint64_t answered = 0;
	struct space *s;
	struct ctx *c;

	mutex_lock(&plat.mu);
	stats_add(&sum, &plat.ended);
	list_for_each(s, &plat.live, node) {
		list_for_each(c, &s->ctxs, node) {
			stats_add(&sum, &c->stats);
			answered += atomic_load_explicit(&c->sh->answered, memory_order_relaxed);
		}
	}
#define STAT(name, text)	out->name = sum.name;
	PLATFORM_CTX_STATS(STAT)
#undef STAT
#define STAT(name, text)	out->name = atomic_load_explicit(&plat.stats.name, memory_order_relaxed);
	PLATFORM_STATS(STAT)
#undef STAT
	mutex_unlock(&plat.mu);
	out->answered += answered;
}

/* ---- threads ------------------------------------------------------------- */

/*
 * A set that goes to the next guest with its pages, which saves their removal and new ones.  What the host and the
 * stub may have written there is gone; what a guest wrote elsewhere by itself is none of its registers.
 */
static void
set_wipe(struct ctx *c)
{
	memset(c->base, 0, STUB_CTX_DATA);
	if (c->words != 0)
		memset(c->base + STUB_CTX_DATA, 0, 2 * DATA_SMALL);
	if ((c->words & MARSHAL_RESULTS) || MARSHAL_KIND(c->words) == MARSHAL_BYTES ||
	    MARSHAL_KIND(c->words >> MARSHAL_SECOND) == MARSHAL_BYTES)
		memset(c->base + DATA_BIG, 0, DATA_BIG_SIZE);
	memset(c->base + STUB_CTX_WORK, 0, c->worked * sizeof(struct stub_ent));
	if (c->had_names)
		memset(c->base + STUB_CTX_NAMES, 0, sizeof(struct stub_name) << NAME_SLOTS_LOG);
	memset(c->sh, 0, CTX_HDR);
}

void
ctx_release_locked(struct ctx *c)
{
	mutex_assert_held(&plat.mu);
	/* Registers of a guest must not be left for the next one that gets this slot. */
	if (plat.nfree_ctxs < WARM_CTXS)
		set_wipe(c);
	else
		host_madvise(c->base, STUB_CTX_SIZE, MADV_REMOVE);
	plat.free_ctxs[plat.nfree_ctxs++] = (uint16_t)c->slot;
	obj_free(ctx, c);
}

/* A context whose set is not mapped in the stub yet. */
static struct ctx *
ctx_alloc(struct space *s)
{
	struct ctx *c = NULL;
	bool ok = true;

	if (s->nidx == STUB_CTX_MAX || (c = obj_new(ctx)) == NULL)
		return NULL;
	mutex_lock(&plat.mu);
	if (plat.nfree_ctxs > 0)
		c->slot = plat.free_ctxs[--plat.nfree_ctxs];
	else if (plat.next_ctx < MAX_CTXS)
		c->slot = plat.next_ctx++;
	else
		ok = false;
	mutex_unlock(&plat.mu);
	if (!ok) {
		obj_free(ctx, c);
		return NULL;
	}
	c->s = s;
	c->idx = s->nidx++;
	c->va = STUB_CTX + (uint64_t)c->idx * STUB_CTX_SIZE;
	c->base = plat.ctl_base + CTL_CTX_OFF + (uint64_t)c->slot * STUB_CTX_SIZE;
	c->sh = (struct stub_ctx *)(void *)(c->base + STUB_CTX_SIZE - CTX_HDR);
	list_init(&c->node);
	return c;
}

/*
 * Has its thread exited?  The word is the guest's to write as well: were it believed, threads without an owner could be
 * made without end.
 */
static bool
has_ended(struct ctx *c)
{
	return atomic_load(&c->sh->state) == ST_DEAD && host_tgkill(c->s->pid, c->tid, STUB_SIGKICK) == -ESRCH;
}

/* A context of s whose thread has exited, its set still mapped there. */
static struct ctx *
ctx_of_ended(struct space *s)
{
	struct ctx *c;

	list_for_each(c, &s->leaving, node) {
		if (has_ended(c)) {
			list_remove(&c->node);
			return c;
		}
	}
	return NULL;
}

/* Fills in the commands, from entry n on, that map c's set, unless it is mapped, and make its thread; the number of all. */
static unsigned
thread_prepare(struct ctx *c, bool mapped, unsigned n)
{
	const uint64_t hdr = c->va + STUB_CTX_SIZE - CTX_HDR;
	struct stub_ent *e = c->s->cmd->ent;

	if (!mapped) {
		e[n++] = (struct stub_ent){ .op = MOP_CALL, .nr = SYS_mmap, .args = { c->va, STUB_CTX_SIZE,
		    PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, STUB_FD_CTL,
		    CTL_CTX_OFF + (uint64_t)c->slot * STUB_CTX_SIZE } };
		e[n++] = (struct stub_ent){ .op = MOP_CALL, .nr = SYS_madvise,
		    .args = { c->va, STUB_CTX_SIZE, MADV_DONTFORK } };
	}
	/* Stack, exit word, then the stack_t that the thread gives to sigaltstack, then how its calls trap. */
	e[n++] = (struct stub_ent){ .op = MOP_THREAD,
	    .args = { hdr, hdr, c->va + STUB_CTX_FRAMES, 0, STUB_CTX_DATA - STUB_CTX_FRAMES, plat.dispatch } };
	atomic_store(&c->sh->spin, 0);
	c->fs_base = c->gs_base = ~0ULL;
	c->sh->self = hdr;
	c->sh->magic = CTX_MAGIC_VALUE;
	atomic_store(&c->sh->fp_rest, platform_fp_size - FP_HEAD);
	atomic_store(&c->sh->fp_mask, fp_features);
	c->patched = false;
	atomic_store(&c->sh->bases, plat.ptrace || !plat.fsgsbase ? 0 : BASES_INSN);
	atomic_store(&c->sh->state, ST_RUN_SLEEP);
	return n;
}

/* Waits for the first stop of a thread that the mapper has made. */
static int
thread_arrive(struct ctx *c)
{
	uint64_t deadline = host_clock_ns(CLOCK_MONOTONIC) + FIRST_STOP_NS;

	c->tid = (int)atomic_load(&c->s->res->val);
	while (atomic_load(&c->sh->state) == ST_RUN_SLEEP) {
		uint64_t now = host_clock_ns(CLOCK_MONOTONIC);

		/* Other threads of the guest may wake us as often as they like. */
		if (now > deadline || (host_futex_wait(&c->sh->state, ST_RUN_SLEEP, now + FIRST_LOOK_NS, true) == -ETIMEDOUT &&
		    space_is_gone(c->s)))
			return -EAGAIN;
	}
	return c->tid > 1 ? frame_find(c) : -EAGAIN;
}

void
ctx_look_out(struct ctx *c)
{
	(void)host_futex_wait(&c->sh->state, ST_RUN_SLEEP, host_clock_ns(CLOCK_MONOTONIC) + LOOK_OUT_NS, true);
}

unsigned
ctx_conceive(struct space *s)
{
	s->born = ctx_alloc(s);
	return s->born == NULL ? 0 : thread_prepare(s->born, false, 0);
}

void
ctx_born(struct space *s, int err)
{
	struct ctx *c = steal(&s->born);

	if (c == NULL)
		return;
	if (err == 0 && (err = thread_arrive(c)) == 0) {
		list_push_back(&s->parked, &c->node);
		s->nparked++;
	} else {
		/* Whatever state that thread is in, its set is not used again before the space ends. */
		list_push_back(&s->leaving, &c->node);
	}
}

/* A context that waits for another owner, or NULL. */
static struct ctx *
parked_take(struct space *s)
{
	struct ctx *c = list_first(&s->parked, struct ctx, node);

	if (c != NULL) {
		list_remove(&c->node);
		s->nparked--;
	}
	return c;
}

static int
ctx_start(struct space *s, struct ctx **out)
{
	struct ctx *c = NULL;
	bool mapped = true;
	unsigned at;
	int err;

	space_settle(s);
	if (atomic_load(&s->dead))
		return -ESRCH;
	c = parked_take(s);
	if (c != NULL) {
		*out = c;
		return 0;
	}
	c = ctx_of_ended(s);
	if (c == NULL) {
		mapped = false;
		c = ctx_alloc(s);
	}
	if (c == NULL)
		return -EAGAIN;
	err = space_batch(s, thread_prepare(c, mapped, 0), &at);
	if (err == 0)
		err = thread_arrive(c);
	if (err) {
		list_push_back(&s->leaving, &c->node);
		return err;
	}
	*out = c;
	return 0;
}

int
ctx_new(struct space *s, struct ctx **out)
{
	struct ctx *c = NULL;
	int err;

	mutex_lock(&s->mu);
	err = ctx_start(s, &c);
	mutex_unlock(&s->mu);
	if (err)
		return err;
	atomic_store(&c->kick, 0);
	atomic_store(&c->sh->known, 0);
	c->guest_gs = c->head_clean = c->names = false;
	c->fp_to = 0;
	/* A program that has just begun makes many calls, and few pauses. */
	c->spin_here = c->spin_there = SPIN_FIRST;
	c->move_at_ns = 0;
	c->move_gap_ns = MOVE_GAP_NS;
	err = plat.ops->attach(c);
	mutex_lock(&plat.mu);
	list_push_back(&s->ctxs, &c->node);
	mutex_unlock(&plat.mu);
	ctx_asleep(c, false);
	if (err) {
		ctx_free(c);
		return err;
	}
	ctx_reset_fp(c);
	*out = c;
	return 0;
}

void
ctx_free(struct ctx *c)
{
	struct space *s = c->s;

	if (ctx_here == c)
		ctx_here = NULL;
	ctx_asleep(c, true);
	mutex_lock(&s->mu);
	mutex_lock(&plat.mu);
	list_remove(&c->node);
	stats_end_locked(c);
	mutex_unlock(&plat.mu);
	if (!atomic_load(&s->dead) && plat.ops->may_park && s->nparked < PARKED_MAX) {
		s->nparked++;
		list_push_back(&s->parked, &c->node);
	} else {
		list_push_back(&s->leaving, &c->node);
		plat.ops->leave(c);
	}
	mutex_unlock(&s->mu);
}

void
ctx_dismiss(struct space *s)
{
	struct ctx *c = parked_take(s);

	if (c == NULL)
		return;
	list_push_back(&s->leaving, &c->node);
	plat.ops->leave(c);
}

bool
ctx_await_end(struct space *s, uint64_t until_ns)
{
	struct ctx *c;

	ctx_dismiss(s);
	c = list_first(&s->leaving, struct ctx, node);
	while (!has_ended(c)) {
		uint32_t state = atomic_load(&c->sh->state);
		uint64_t now = host_clock_ns(CLOCK_MONOTONIC);

		if (now >= until_ns)
			return false;
		/* The host writes the word first, and then has a little to do. */
		(void)host_futex_wait(&c->sh->state, state, state == ST_DEAD ? now + LAST_STEPS_NS : until_ns, true);
	}
	return true;
}

unsigned
ctx_renew(struct space *s, unsigned at)
{
	struct ctx *c = list_first(&s->leaving, struct ctx, node);

	list_remove(&c->node);
	set_wipe(c);
	*c = (struct ctx){ .s = s, .slot = c->slot, .idx = c->idx, .va = c->va, .base = c->base, .sh = c->sh };
	list_init(&c->node);
	s->born = c;
	return thread_prepare(c, true, at);
}

void
ctx_retire(struct ctx *c)
{
	ctx_retired = c->s;
	ctx_free(c);
}

bool
kick_take(struct ctx *c)
{
	return atomic_load_explicit(&c->kick, memory_order_relaxed) != 0 && atomic_exchange(&c->kick, 0) != 0;
}

void
ctx_give_up(struct ctx *c, struct stop *stop)
{
	memset(stop, 0, sizeof *stop);
	stop->kind = STOP_DEAD;
	/* The stub may have copied in for a call that we have not seen: see set_wipe. */
	c->words = ~0u;
	space_end(c->s);
}

void
ctx_run(struct ctx *c, struct abi_regs *regs, struct stop *stop)
{
	ctx_here = c;
	plat.ops->run(c, regs, stop);
	switch (stop->kind) {
	case STOP_SYSCALL:
		ctx_inc(c, syscalls);
		if (stop->trapped)
			ctx_inc(c, trapped);
		break;
	case STOP_FAULT:
		ctx_inc(c, faults);
		break;
	case STOP_KICK:
		ctx_inc(c, kicks);
		break;
	case STOP_DEAD:
		break;
	}
}

void
ctx_regs(struct ctx *c, struct abi_regs *regs)
{
	if (plat.ops->regs != NULL)
		plat.ops->regs(c, regs);
}

void
ctx_asleep(struct ctx *c, bool asleep)
{
	atomic_fetch_add_explicit(&plat.world->awake, asleep ? -1 : 1, memory_order_relaxed);
	if (asleep && plat.ops->rest != NULL)
		plat.ops->rest(c);
}

/*
 * The flag is up before we look whether the guest runs, and ctx_run looks at the flag after
 * it said that it does: one of the two sees the other.  A signal that finds the guest
 * already stopped is delivered when it goes on, and ignored then.
 */
void
ctx_kick(struct ctx *c)
{
	atomic_store(&c->kick, 1);
	if (!atomic_load(&c->running))
		return;
	host_tgkill(c->s->pid, c->tid, STUB_SIGKICK);
	/* Whoever sleeps for it now counts the time that the answer takes. */
	if (!plat.ptrace)
		host_futex_wake(&c->sh->state, INT32_MAX, true);
}

void
ctx_kick_seen(struct ctx *c)
{
	(void)kick_take(c);
}

void
ctx_answer(struct ctx *c, enum ctx_answer which, uint32_t value)
{
	atomic_store_explicit(&c->sh->answers[which], value, memory_order_relaxed);
	if ((atomic_load_explicit(&c->sh->known, memory_order_relaxed) & 1u << which) == 0)
		atomic_fetch_or_explicit(&c->sh->known, 1u << which, memory_order_release);
}

/* The stub changes the mask first and looks then whether it still may; we the other way round. */
void
ctx_ask(struct ctx *c, enum ctx_answer which)
{
	atomic_fetch_and(&c->sh->known, ~(1u << which));
}

uint64_t
ctx_sigmask(const struct ctx *c)
{
	return atomic_load(&c->sh->sigmask);
}

void
ctx_set_sigmask(struct ctx *c, uint64_t mask)
{
	atomic_store_explicit(&c->sh->sigmask, mask, memory_order_relaxed);
}

/* ---- data in transit ------------------------------------------------------- */

const void *
ctx_in(struct ctx *c, uint64_t va, size_t *len)
{
	for (unsigned i = 0; i < ARRAY_LEN(c->in); i++) {
		const struct ctx_seg *s = &c->in[i];

		if (va - s->va < s->len) {
			*len = s->len - (va - s->va);
			/* The stub has seen patches, which the guest is not to. */
			if (sites_touch(&c->s->sites, va, *len))
				return NULL;
			ctx_inc(c, ins);
			return c->base + s->off + (va - s->va);
		}
	}
	return NULL;
}

/* Does what goes to va follow on what was promised last? */
static bool
out_joins(const struct ctx *c, uint64_t va)
{
	const struct ctx_seg *last = c->nout > 0 ? &c->out[c->nout - 1] : NULL;

	return last != NULL && last->va + last->len == va && last->off + last->len == c->out_at;
}

static bool
out_fits(const struct ctx *c, uint64_t va, size_t len)
{
	return len <= c->out_end - c->out_at && (c->nout < CTX_NOUT || out_joins(c, va));
}

/* Promises at va the len bytes that are at c->out_at. */
static void
out_add(struct ctx *c, uint64_t va, size_t len)
{
	if (out_joins(c, va))
		c->out[c->nout - 1].len += (uint32_t)len;
	else
		c->out[c->nout++] = (struct ctx_seg){ .va = va, .off = c->out_at, .len = (uint32_t)len };
	c->out_at += (uint32_t)len;
	ctx_inc(c, outs);
}

bool
ctx_out(struct ctx *c, uint64_t va, const void *src, size_t len)
{
	if (!out_fits(c, va, len))
		return false;
	memcpy(c->base + c->out_at, src, len);
	out_add(c, va, len);
	return true;
}

bool
ctx_out_mapped(struct ctx *c, uint64_t va, const void *src, size_t len)
{
	if (!out_fits(c, va, len) || !mapcopy(c->base + c->out_at, src, len))
		return false;
	out_add(c, va, len);
	return true;
}

bool
ctx_owes(const struct ctx *c, uint64_t va, size_t len)
{
	for (unsigned i = 0; i < c->nout; i++) {
		if (c->out[i].va < va + len && va < c->out[i].va + c->out[i].len)
			return true;
	}
	return false;
}

bool
ctx_frame_out(struct ctx *c, uint64_t va, const void *frame, size_t len, uint64_t fp)
{
	char head[FP_HEAD] = { 0 };
	static const uint32_t magic2 = FP_MAGIC2;

	if (!c->patched || c->fp_to != 0 || c->nout != 0 || (fp & 63) != 0)
		return false;
	if (!c->head_clean)
		fp_clean(c->base);
	c->head_clean = true;
	c->words |= MARSHAL_RESULTS;
	c->in[0].len = c->in[1].len = 0;
	c->out_at = DATA_BIG;
	c->out_end = DATA_BIG + DATA_BIG_SIZE;
	/* What XSAVE leaves out: the host's words, the rest of the header, the closing word. */
	fp_seal_head(head);
	BUG_ON(!ctx_out(c, va, frame, len) ||
	    !ctx_out(c, fp + FP_SW_OFF, head + FP_SW_OFF, sizeof head - FP_SW_OFF) ||
	    !ctx_out(c, fp + platform_fp_size - sizeof magic2, &magic2, sizeof magic2));
	c->out_end = c->out_at;
	c->fp_to = fp;
	c->fp_saved = false;
	return true;
}

/* What the stub was to do with floating point is done now; the results have been written. */
static void
frame_flush(struct ctx *c)
{
	uint64_t at = c->fp_to;
	char image[FP_MAX];

	c->fp_to = 0;
	if (!c->fp_saved && plat.ops->get_fp(c, image) == 0) {
		fp_seal(image);
		(void)!space_write(c->s, at, image, platform_fp_size);
	}
	ctx_reset_fp(c);
}

/* An address that went bad since is the guest's own doing. */
static void
outs_write(struct ctx *c)
{
	for (unsigned i = 0; i < c->nout; i++)
		(void)!space_write(c->s, c->out[i].va, c->base + c->out[i].off, c->out[i].len);
	c->nout = 0;
}

void
ctx_settle(struct ctx *c)
{
	if (c->nout == 0)
		return;
	if (c->fp_to != 0) {
		ctx_flush(c);
		return;
	}
	outs_write(c);
	c->out_at = DATA_BIG;
}

void
ctx_flush(struct ctx *c)
{
	outs_write(c);
	c->out_end = c->out_at;
	if (unlikely(c->fp_to != 0))
		frame_flush(c);
}

void
ctx_guest_gs(struct ctx *c)
{
	c->guest_gs = true;
}

int
ctx_get_fp(struct ctx *c, void *buf)
{
	int err;

	ctx_flush(c);
	err = plat.ops->get_fp(c, buf);
	if (err == 0)
		fp_seal(buf);
	return err;
}

int
ctx_set_fp(struct ctx *c, const void *buf)
{
	char image[FP_MAX];
	int err = fp_check(buf);

	if (err)
		return err;
	memcpy(image, buf, platform_fp_size);
	fp_seal(image);
	ctx_flush(c);
	return plat.ops->set_fp(c, image);
}

bool
ctx_frame_head(struct ctx *c, uint64_t fp, void *head)
{
	const void *p;
	size_t len;

	if (plat.ops->set_fp_head == NULL || (p = ctx_in(c, fp, &len)) == NULL || len != FP_HEAD)
		return false;
	memcpy(head, p, FP_HEAD);
	return true;
}

int
ctx_frame_set(struct ctx *c, uint64_t fp, const void *head)
{
	return plat.ops->set_fp_head != NULL ? plat.ops->set_fp_head(c, fp, head) : -ENOENT;
}

void
ctx_reset_fp(struct ctx *c)
{
	char image[FP_MAX];

	ctx_flush(c);
	fp_clean(image);
	/* Fails only for a guest that is dead or ruined its frame: the next run tells. */
	(void)!plat.ops->set_fp(c, image);
}

int
ctx_cas32(struct ctx *c, uint64_t va, uint32_t old, uint32_t new, uint32_t *seen)
{
	if (va > GUEST_TOP - 4 || (va & 3) != 0)
		return -EFAULT;
	return plat.ops->cas32(c, va, old, new, seen);
}

/* ---- boot ---------------------------------------------------------------- */

/* How many turns of a waiting loop make a microsecond: the best of a few, as we may be preempted. */
static void
calibrate(void)
{
	uint64_t t0, t1, best = UINT64_MAX;
	_Atomic uint32_t word = 0;

	plat.ncpu = sched_getaffinity(0, sizeof plat.cpus, &plat.cpus) == 0 ? (unsigned)CPU_COUNT(&plat.cpus) : 1;
	for (unsigned n = 0; n < 4; n++) {
		t0 = host_clock_ns(CLOCK_MONOTONIC);
		for (unsigned i = 0; i < 500 && atomic_load_explicit(&word, memory_order_acquire) == 0; i++)
			cpu_relax();
		t1 = host_clock_ns(CLOCK_MONOTONIC);
		best = min(best, t1 - t0);
	}
	best = max(best, (uint64_t)1);
	plat.spins_per_us = (unsigned)min(500 * 1000 / best, (uint64_t)2000) + 1;
}

static int
make_control_file(const char **why)
{
	void *base;
	int err;

	*why = "the control file cannot be made";
	plat.ctl = memfd_create("control", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (plat.ctl < 0)
		return -ENFILE;
	if (ftruncate(plat.ctl, (off_t)CTL_SIZE) != 0 ||
	    fcntl(plat.ctl, F_ADD_SEALS, F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL) != 0)
		return -ENOMEM;
	err = host_mmap(NULL, CTL_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, plat.ctl, 0, &base);
	if (err)
		return err;
	plat.ctl_base = base;
	plat.world = (struct stub_world *)(void *)(plat.ctl_base + STUB_WORLD_OFF);
	plat.world->cpus = (int32_t)plat.ncpu;
	names_boot();
	if (socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, plat.poke) != 0)
		return -ENFILE;
	return 0;
}

static int
choose(const char *name, const char **why)
{
	if (strcmp(name, "ptrace") == 0) {
		plat.ops = &ptrace_ops;
		plat.ptrace = true;
		platform_name = "ptrace";
		return 0;
	}
	*why = "no such platform: systrap and ptrace are known";
	if (strcmp(name, "systrap") != 0)
		return -EINVAL;
	plat.fsgsbase = (getauxval(AT_HWCAP2) & HWCAP2_FSGSBASE) != 0;
	/* Cheap for each thread, where a filter is compiled anew.  ptrace would not see calls that trap so. */
	plat.dispatch = prctl(PR_SET_SYSCALL_USER_DISPATCH, PR_SYS_DISPATCH_OFF, 0, 0, 0) == 0;
	plat.ops = &systrap_ops;
	platform_name = "systrap";
	platform_patches = true;
	return 0;
}

int
platform_boot(const struct platform_conf *conf, const char **why)
{
	struct sigaction ign;
	int err = choose(conf->name, why);

	if (err)
		return err;
	plat.marshal = conf->marshal;
	plat.nmarshal = conf->nmarshal;
	calibrate();
	list_init(&plat.live);
	list_init(&plat.dying);
	*why = "this host's signal frames have no XSAVE image";
	err = fp_probe();
	if (!err)
		err = make_control_file(why);
	if (err)
		return err;
	/* All stubs are children of this process; nobody waits for them. */
	memset(&ign, 0, sizeof ign);
	ign.sa_handler = SIG_IGN;
	(void)sigaction(SIGCHLD, &ign, NULL);
	err = space_conceive();
	if (err) {
		*why = "out of memory";
		return err;
	}
	err = zygote_start(conf, plat.zygote->slot, why);
	host_close(conf->proc_dirfd);
	return err;
}

int
platform_ready(const char **why)
{
	bool dead;

	mutex_lock(&plat.zygote->mu);
	space_settle(plat.zygote);
	dead = atomic_load(&plat.zygote->dead);
	mutex_unlock(&plat.zygote->mu);
	if (!dead && plat.vdso.code != 0 && !hostvdso_arrived(&plat.vdso))
		memset(&plat.vdso, 0, sizeof plat.vdso);
	if (dead)
		*why = "the zygote did not come up: seccomp, memfd or /proc missing on this host?";
	return dead ? -EAGAIN : 0;
}

void
platform_shutdown(void)
{
	struct space *s;

	mutex_lock(&plat.mu);
	list_for_each(s, &plat.live, node)
		space_kill(s);
	mutex_unlock(&plat.mu);
}
