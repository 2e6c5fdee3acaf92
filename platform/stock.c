/*
 * stock: blank stubs for programs to come, made ahead or used again.
 *
 * A new one is a fork of the zygote.  One whose guest has ended is as good when nothing is left of that guest: it
 * had a single thread all its life, the host says that this thread is gone (the stub's own word may be a lie), and the mapper, which
 * guests cannot influence, has unmapped all guest memory since.  That takes a third of the time of a fork and an end.
 */
#include <string.h>
#include <sys/syscall.h>
#include <time.h>

#include "base/hostcall.h"
#include "platform/space.h"

#define END_NS		(NSEC_PER_SEC / 1000)	/* for a thread to end, before its stub is killed; for its memory to go, before another is taken */

static __thread struct space *spent;		/* this thread's last guest was in it */

/* ---- used again -------------------------------------------------------------- */

/* Its thread may as well begin to end now. */
static bool
is_fit_again(struct space *s)
{
	return plat.ops->may_park && s->nidx == 1 && atomic_load_explicit(&plat.nstock, memory_order_relaxed) < STOCK_MAX;
}

bool
stock_offer(struct space *s)
{
	mutex_assert_held(&s->mu);
	if (s != ctx_retired || atomic_load(&s->dead))
		return false;
	ctx_retired = NULL;
	if (is_fit_again(s))
		ctx_dismiss(s);
	spent = s;
	return true;
}

/* Blank it will be, with a thread, when its mapper has carried out what it is told here. */
static void
renew(struct space *s)
{
	sites_fini(&s->sites);
	sites_init(&s->sites);
	/* The next guest there may read the commands. */
	memset(s->cmd->ent, 0, s->most * sizeof s->cmd->ent[0]);
	s->cmd->ent[0] = (struct stub_ent){ .op = MOP_CALL, .nr = SYS_munmap, .args = { 0, GUEST_TOP } };
	s->reused = true;
	s->settled = false;
	batch_start(s, ctx_renew(s, 1));
	stat_inc(reused);
}

static bool
stock_put(struct space *s)
{
	bool room;

	mutex_lock(&plat.zygote->mu);
	room = plat.nstock < STOCK_MAX;
	if (room)
		plat.stock[plat.nstock++] = s;
	mutex_unlock(&plat.zygote->mu);
	return room;
}

void
space_reuse(void)
{
	struct space *s = steal(&spent);
	bool ended;

	/* Whoever frees it later is another's thread, or another task's. */
	ctx_retired = NULL;
	if (s == NULL)
		return;
	mutex_lock(&s->mu);
	ended = is_fit_again(s) && ctx_await_end(s, host_clock_ns(CLOCK_MONOTONIC) + END_NS);
	if (ended)
		renew(s);
	mutex_unlock(&s->mu);
	if (!ended || !stock_put(s))
		space_free(s);
	/* The last ones are gone by now, maybe. */
	mutex_lock(&plat.mu);
	reap_dying_locked();
	mutex_unlock(&plat.mu);
}

/* ---- made ahead ---------------------------------------------------------------- */

/* Is there nothing to wait for? */
static bool
is_ready(struct space *s)
{
	return !s->reused || atomic_load(&s->res->seq) == s->seq || space_is_gone(s);
}

/* A moment later?  The memory of a guest may have been large, and is nothing that others should wait for. */
static bool
is_ready_soon(struct space *s)
{
	uint64_t now = host_clock_ns(CLOCK_MONOTONIC), until = now + END_NS;

	atomic_store(&s->cmd->waiting, 1);
	while (!is_ready(s) && now < until) {
		(void)host_futex_wait(&s->res->seq, s->seq - 1, until, true);
		now = host_clock_ns(CLOCK_MONOTONIC);
	}
	atomic_store(&s->cmd->waiting, 0);
	return is_ready(s);
}

static struct space *
stock_pick(unsigned i)
{
	struct space *s = plat.stock[i];

	plat.stock[i] = plat.stock[--plat.nstock];
	stat_inc(ahead_used);
	return s;
}

/* A blank stub from the stock, or one under way, or one made now. Zygote's mu held. */
static int
stock_take(struct space *z, struct space **out)
{
	struct space *s = NULL;
	int err = 0;

	for (unsigned i = plat.nstock; i-- > 0;) {
		if (is_ready(plat.stock[i])) {
			*out = stock_pick(i);
			return 0;
		}
	}
	if (plat.nstock > 0 && is_ready_soon(plat.stock[plat.nstock - 1])) {
		*out = stock_pick(plat.nstock - 1);
		return 0;
	}
	s = steal(&plat.pending);
	if (s != NULL) {
		stat_inc(ahead_made);
		stat_inc(ahead_used);
	} else {
		err = fork_start(z, &s);
	}
	if (err == 0)
		err = fork_finish(z, s);
	*out = s;
	return err;
}

/* It may have been killed while it waited.  One used again is not touched before its memory is empty. */
static bool
is_fit(struct space *s)
{
	space_collect(s);
	if (space_is_gone(s))
		return false;
	if (s->reused) {
		mutex_lock(&s->mu);
		space_settle(s);
		mutex_unlock(&s->mu);
	}
	return !atomic_load(&s->dead);
}

int
space_new(struct space **out)
{
	for (;;) {
		struct space *s = NULL;
		int err;

		mutex_lock(&plat.zygote->mu);
		err = stock_take(plat.zygote, &s);
		mutex_unlock(&plat.zygote->mu);
		if (s == NULL)
			return err;
		if (err == 0 && is_fit(s)) {
			*out = s;
			return 0;
		}
		space_free(s);
		if (err)
			return err;
	}
}

void
space_stock(void)
{
	struct space *z = plat.zygote, *s = NULL;

	/* Whoever has the lock is about to take one, or does this very thing. */
	if (!mutex_trylock(&z->mu))
		return;
	if (plat.pending != NULL && plat.nstock < STOCK_AHEAD && atomic_load(&z->res->seq) == z->seq) {
		s = steal(&plat.pending);
		if (fork_finish(z, s) == 0) {
			plat.stock[plat.nstock++] = steal(&s);
			stat_inc(ahead_made);
		}
	}
	if (s == NULL && plat.pending == NULL && plat.nstock < STOCK_AHEAD && fork_start(z, &plat.pending) != 0)
		plat.pending = NULL;
	mutex_unlock(&z->mu);
	if (s != NULL)
		space_free(s);
}
