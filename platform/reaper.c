/*
 * reaper: learns of the end of stubs from their pidfds.
 *
 * A stub may end at any moment (the host's OOM killer, a guest that ruins its own signal
 * frames).  Whoever waits for one asks here after a while; from then on a thread sleeps in
 * ppoll on its pidfd, so that idle guests cost nothing.  Short-lived ones never get there.
 */
#include <poll.h>
#include <pthread.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <time.h>

#include "base/hostcall.h"
#include "base/log.h"
#include "platform/space.h"

#define REAPER_STACK	(64 * 1024)
#define DYING_AT_ONCE	64

static struct pollfd *polls;		/* the reaper's own: MAX_SPACES + 1 */
static struct space **polled;

bool
space_is_gone(struct space *s)
{
	struct pollfd p = { .fd = s->pidfd, .events = POLLIN };
	const struct timespec now = { 0, 0 };

	return s->pidfd >= 0 && host_ppoll(&p, 1, &now) == 1;
}

void
space_wait_gone(struct space *s)
{
	struct pollfd p = { .fd = s->pidfd, .events = POLLIN };

	while (s->pidfd >= 0 && host_ppoll(&p, 1, NULL) != 1)
		;
}

void
space_set_dead_locked(struct space *s)
{
	struct ctx *c;

	mutex_assert_held(&plat.mu);
	if (atomic_exchange(&s->dead, true))
		return;
	/* Nobody but us writes these words any more. */
	list_for_each(c, &s->ctxs, node) {
		atomic_store(&c->sh->state, ST_DEAD);
		host_futex_wake(&c->sh->state, INT32_MAX, true);
	}
}

void
reap_dying_locked(void)
{
	struct pollfd p[DYING_AT_ONCE];
	struct space *at[DYING_AT_ONCE], *s;
	const struct timespec now = { 0, 0 };
	unsigned n = 0;

	list_for_each(s, &plat.dying, node) {
		if (s->pidfd < 0)
			continue;
		at[n] = s;
		p[n++] = (struct pollfd){ .fd = s->pidfd, .events = POLLIN };
		if (n == DYING_AT_ONCE)
			break;
	}
	if (n == 0 || host_ppoll(p, n, &now) <= 0)
		return;
	for (unsigned i = 0; i < n; i++) {
		if (p[i].revents != 0)
			space_release_locked(at[i]);
	}
}

static void
poke_drain(void)
{
	char buf[64];
	struct iovec iov = { buf, sizeof buf };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1 };

	while (host_recvmsg(plat.poke[0], &m, MSG_DONTWAIT) > 0)
		;
}

static void *
reaper_main(void *arg)
{
	for (;;) {
		struct space *s;
		unsigned n = 0;

		mutex_lock(&plat.mu);
		list_for_each(s, &plat.live, node) {
			if (!atomic_load(&s->watched) || atomic_load(&s->dead) || s->pidfd < 0)
				continue;
			polled[n] = s;
			polls[n++] = (struct pollfd){ .fd = s->pidfd, .events = POLLIN };
		}
		mutex_unlock(&plat.mu);
		polls[n] = (struct pollfd){ .fd = plat.poke[0], .events = POLLIN };
		if (host_ppoll(polls, n + 1, NULL) <= 0)
			continue;
		if (polls[n].revents != 0)
			poke_drain();
		/* A space may have been freed meanwhile, and its number given to another: ask again under the lock. */
		mutex_lock(&plat.mu);
		list_for_each(s, &plat.live, node) {
			if (atomic_load(&s->watched) && !atomic_load(&s->dead) && space_is_gone(s))
				space_set_dead_locked(s);
		}
		mutex_unlock(&plat.mu);
	}
	return arg;
}

static bool
reaper_start_locked(void)
{
	pthread_attr_t attr;
	pthread_t t;
	void *mem;
	bool ok;

	if (plat.reaper_runs)
		return true;
	if (host_mmap(NULL, (MAX_SPACES + 1) * (sizeof *polls + sizeof(void *)), PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0, &mem) != 0)
		return false;
	polls = mem;
	polled = (struct space **)(void *)(polls + MAX_SPACES + 1);
	ok = pthread_attr_init(&attr) == 0;
	(void)pthread_attr_setstacksize(&attr, REAPER_STACK);
	(void)pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	plat.reaper_runs = ok && pthread_create(&t, &attr, reaper_main, NULL) == 0;
	(void)pthread_attr_destroy(&attr);
	return plat.reaper_runs;
}

void
space_watch(struct space *s)
{
	char byte = 0;
	struct iovec iov = { &byte, 1 };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1 };
	bool runs;

	if (atomic_exchange(&s->watched, true))
		return;
	mutex_lock(&plat.mu);
	runs = reaper_start_locked();
	mutex_unlock(&plat.mu);
	if (!runs)
		atomic_store(&s->watched, false);
	else
		(void)!host_sendmsg(plat.poke[1], &m, MSG_DONTWAIT | MSG_NOSIGNAL);
}
