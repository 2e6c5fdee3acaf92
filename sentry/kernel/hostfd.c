/*
 * hostfd: host descriptors that guests wait for.
 *
 * One thread polls every watched descriptor and wakes a queue when one becomes ready.  A watch
 * is for one event only; the object asks again when it would wait again.  The list and the queues' lifetime
 * are covered by hostfd.mu: a queue is woken with it held, so hostfd_forget() leaves nothing behind.
 */
#include <fcntl.h>
#include <poll.h>
#include <time.h>
#include <unistd.h>

#include "base/hostcall.h"
#include "base/kmem.h"
#include "base/log.h"
#include "sentry/kernel/wait.h"

#define WATCH_MAX	256	/* descriptors of the host are few: streams and terminals */

struct watch {
	int		 fd;
	uint32_t	 events;
	struct waitq	*q;
};

static struct {
	struct mutex	 mu;
	struct watch	 watch[WATCH_MAX];	/* [m] */
	unsigned	 count;			/* [m] */
	bool		 running;		/* [m] the thread was started */
	int		 wake_rd, wake_wr;	/* [I] */
} hostfd = { .mu = MUTEX_INIT(RANK_hostfd), .wake_rd = -1, .wake_wr = -1 };

int
hostfd_boot(void)
{
	int fds[2];

	if (pipe2(fds, O_CLOEXEC | O_NONBLOCK) < 0)
		return -EMFILE;
	hostfd.wake_rd = fds[0];
	hostfd.wake_wr = fds[1];
	return 0;
}

/* Makes the poller look at the list again. A full pipe has the same effect. */
static void
poke(void)
{
	char c = 0;
	int64_t n = host_pwrite(hostfd.wake_wr, &c, 1, -1);

	(void)n;
}

/* Removes the watches that revents satisfies, and wakes their queues. */
static void
tell(int fd, uint32_t revents)
{
	for (unsigned i = 0; i < hostfd.count;) {
		struct watch w = hostfd.watch[i];

		if (w.fd != fd || (revents & (w.events | POLLERR | POLLHUP | POLLNVAL)) == 0) {
			i++;
			continue;
		}
		hostfd.watch[i] = hostfd.watch[--hostfd.count];
		waitq_wake(w.q, 0);
	}
}

static void
poller(void *arg)
{
	struct pollfd fds[WATCH_MAX + 1];
	char drain[64];

	(void)arg;
	for (;;) {
		unsigned n = 1;
		int ready;

		fds[0] = (struct pollfd){ .fd = hostfd.wake_rd, .events = POLLIN };
		mutex_lock(&hostfd.mu);
		for (unsigned i = 0; i < hostfd.count; i++)
			fds[n++] = (struct pollfd){
				.fd = hostfd.watch[i].fd, .events = (short)hostfd.watch[i].events };
		mutex_unlock(&hostfd.mu);
		ready = host_ppoll(fds, n, NULL);
		if (ready <= 0)
			continue;
		if (fds[0].revents) {
			int64_t got = host_pread(hostfd.wake_rd, drain, sizeof drain, -1);

			(void)got;
		}
		mutex_lock(&hostfd.mu);
		for (unsigned i = 1; i < n; i++) {
			if (fds[i].revents)
				tell(fds[i].fd, (uint32_t)fds[i].revents);
		}
		mutex_unlock(&hostfd.mu);
	}
}

void
hostfd_watch(int fd, uint32_t events, struct waitq *q)
{
	bool start = false, full = false;

	mutex_lock(&hostfd.mu);
	for (unsigned i = 0; i < hostfd.count; i++) {
		struct watch *w = &hostfd.watch[i];

		if (w->fd == fd && w->q == q) {
			bool known = (events & ~w->events) == 0;

			w->events |= events;
			mutex_unlock(&hostfd.mu);
			if (!known)
				poke();
			return;
		}
	}
	if (hostfd.count < WATCH_MAX)
		hostfd.watch[hostfd.count++] = (struct watch){ fd, events, q };
	else
		full = true;
	if (!hostfd.running)
		start = hostfd.running = true;
	mutex_unlock(&hostfd.mu);
	WARN_ONCE(full);
	/* Waking at once turns a watch that found no room into a poll: slow, but never stuck. */
	if (full) {
		waitq_wake(q, 0);
		return;
	}
	if (start && kthread_start("hostfd", poller, NULL) != 0) {
		mutex_lock(&hostfd.mu);
		hostfd.running = false;
		mutex_unlock(&hostfd.mu);
		waitq_wake(q, 0);
		return;
	}
	poke();
}

void
hostfd_forget(int fd)
{
	bool found = false;

	mutex_lock(&hostfd.mu);
	for (unsigned i = 0; i < hostfd.count;) {
		if (hostfd.watch[i].fd != fd) {
			i++;
			continue;
		}
		hostfd.watch[i] = hostfd.watch[--hostfd.count];
		found = true;
	}
	mutex_unlock(&hostfd.mu);
	if (found)
		poke();
}

uint32_t
hostfd_ready(int fd, uint32_t events)
{
	static const struct timespec zero;
	struct pollfd p = { .fd = fd, .events = (short)events };

	if (host_ppoll(&p, 1, &zero) <= 0)
		return 0;
	return (uint32_t)p.revents;
}
