/*
 * poll: waiting for the first of many files.
 *
 * Each entry arms a waiter on its file's queue before it is looked at, so nothing that happens
 * between the look and the sleep is lost.  The first pass stops arming once something is ready.
 */
#include "sentry/vfs/poll.h"

#include <poll.h>

#include "abi/errno.h"
#include "base/kmem.h"
#include "sentry/kernel/task.h"
#include "sentry/vfs/fdtable.h"

#define ON_STACK	16U

struct entry {
	struct waiter	w;
	struct file	*f;		/* counted; NULL: skipped or bad */
	uint32_t	want;
};

/* Opens the files of all entries. */
static void
entries_init(struct task *t, struct abi_pollfd *fds, struct entry *e, uint32_t n, uint32_t implied)
{
	for (uint32_t i = 0; i < n; i++) {
		e[i].f = NULL;
		waiter_init(&e[i].w, t);
		fds[i].revents = 0;
		if (fds[i].fd < 0)
			continue;
		if (fd_get(t, fds[i].fd, &e[i].f) != 0) {
			e[i].f = NULL;
			fds[i].revents = POLLNVAL;
			continue;
		}
		e[i].want = (uint16_t)fds[i].events | implied;
	}
}

/* Looks at every entry; how many have something. arm: also queue waiters until the first that has. */
static int64_t
entries_look(struct abi_pollfd *fds, struct entry *e, uint32_t n, bool arm)
{
	int64_t count = 0;

	for (uint32_t i = 0; i < n; i++) {
		if (e[i].f) {
			if (arm && count == 0 && e[i].w.q == NULL)
				waiter_queue(&e[i].w, e[i].f->wq, e[i].want);
			fds[i].revents = (int16_t)(e[i].f->ops->ready(e[i].f, e[i].want) & e[i].want);
		}
		if (fds[i].revents)
			count++;
	}
	return count;
}

int64_t
poll_wait(struct task *t, struct abi_pollfd *fds, uint32_t n, uint32_t implied, uint64_t deadline_ns)
{
	struct entry some[ON_STACK], *e = some;
	int64_t count;

	if (n > ON_STACK) {
		e = mem_alloc(n * sizeof *e);
		if (e == NULL)
			return -ENOMEM;
	}
	entries_init(t, fds, e, n, implied);
	/* deadline 0: only a look. */
	count = entries_look(fds, e, n, deadline_ns != 0);
	while (count == 0 && deadline_ns != 0) {
		int err = task_sleep(t, deadline_ns);

		if (err && err != -ETIMEDOUT) {
			count = err;
			break;
		}
		count = entries_look(fds, e, n, true);
		if (err)
			break;
	}
	/* As on Linux also when time is up, or there was none: ppoll(2) may just have let it through. */
	if (count == 0 && signal_pending(t))
		count = -ERESTARTSYS;
	for (uint32_t i = 0; i < n; i++) {
		waiter_disarm(&e[i].w);
		file_put(e[i].f);
	}
	if (e != some)
		mem_free(e);
	return count;
}
