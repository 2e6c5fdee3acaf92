/*
 * Calls that wait for readiness: poll, ppoll, select, pselect6, epoll.
 */
#include "sentry/syscall/syscall.h"

#include <asm/resource.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>

#include "abi/poll.h"
#include "abi/time.h"
#include "base/hostcall.h"
#include "base/kmem.h"
#include "sentry/kernel/task.h"
#include "sentry/mm/usercopy.h"
#include "sentry/vfs/fdtable.h"
#include "sentry/vfs/file.h"
#include "sentry/vfs/poll.h"

#define PERS_STICKY_TIMEOUTS	0x4000000	/* select(2) and its kin leave the timeout alone */

static uint64_t
now_ns(void)
{
	return host_clock_ns(CLOCK_MONOTONIC);
}

/* ---- a signal mask for the time of a call ---------------------------------- */

static int
mask_set(struct task *t, gaddr_t set, uint64_t size)
{
	sigset64 mask;
	int err;

	if (gaddr_is_null(set))
		return 0;
	if (size != sizeof mask)
		return -EINVAL;
	err = copy_in(t, &mask, set, sizeof mask);
	if (err)
		return err;
	t->saved_mask = signal_mask(t);
	t->restore_mask = true;
	signal_set_mask(t, mask);
	return 0;
}

/* After an interruption the mask stays until the handler has been set up: signal_deliver puts it back. */
static void
mask_done(struct task *t, bool interrupted)
{
	if (!t->restore_mask || interrupted)
		return;
	t->restore_mask = false;
	signal_set_mask(t, t->saved_mask);
}

/* ---- deadlines ------------------------------------------------------------- */

/* deadline: 0 for "only look", NO_DEADLINE for ever. */
static uint64_t
deadline_of(uint64_t ns)
{
	return ns == 0 ? 0 : abi_deadline(now_ns(), ns);
}

static uint64_t
deadline_ms(int32_t ms)
{
	return ms < 0 ? NO_DEADLINE : deadline_of((uint64_t)ms * 1000000);
}

/* A timespec argument; null waits for ever. */
static int
deadline_timespec(struct task *t, gaddr_t at, uint64_t *out)
{
	struct abi_timespec ts;
	int err;

	*out = NO_DEADLINE;
	if (gaddr_is_null(at))
		return 0;
	err = copy_in(t, &ts, at, sizeof ts);
	if (err)
		return err;
	if (!abi_timespec_valid(&ts))
		return -EINVAL;
	*out = deadline_of(abi_timespec_ns(&ts));
	return 0;
}

static uint64_t
time_left(uint64_t deadline)
{
	uint64_t now = deadline == 0 ? 0 : now_ns();

	return deadline > now ? deadline - now : 0;
}

/* Linux writes what is left, and does not mind if it cannot. */
static void
put_left_timespec(struct task *t, gaddr_t at, uint64_t deadline)
{
	struct abi_timespec ts;

	if (gaddr_is_null(at) || deadline == NO_DEADLINE || (t->personality & PERS_STICKY_TIMEOUTS))
		return;
	ts = abi_ns_timespec(time_left(deadline));
	if (copy_out(t, at, &ts, sizeof ts) != 0)
		return;
}

/* ---- poll ------------------------------------------------------------------ */

#define POLL_ON_STACK	32U

static int64_t
do_poll(struct task *t, gaddr_t fds, uint32_t nfds, uint64_t deadline)
{
	struct abi_pollfd some[POLL_ON_STACK], *p = some;
	AUTO_FREE void *mem = NULL;
	int64_t n;
	int err;

	if (nfds > task_rlimit(t, RLIMIT_NOFILE))
		return -EINVAL;
	if (nfds > POLL_ON_STACK) {
		p = mem = mem_alloc(nfds * sizeof *p);
		if (p == NULL)
			return -ENOMEM;
	}
	err = nfds ? copy_in(t, p, fds, nfds * sizeof *p) : 0;
	if (err)
		return err;
	n = poll_wait(t, p, nfds, POLLERR | POLLHUP, deadline);
	if (n < 0)
		return n;
	err = nfds ? copy_out(t, fds, p, nfds * sizeof *p) : 0;
	return err ? err : n;
}

static int64_t
poll_restart(struct task *t)
{
	int64_t n = do_poll(t, t->restart.p1, (uint32_t)t->restart.v1, t->restart.deadline_ns);

	return n == -ERESTARTSYS ? -ERESTART_RESTARTBLOCK : n;
}

int64_t
sys_poll(struct task *t, gaddr_t fds, uint32_t nfds, int32_t timeout)
{
	uint64_t deadline = deadline_ms(timeout);
	int64_t n = do_poll(t, fds, nfds, deadline);

	if (n != -ERESTARTSYS)
		return n;
	/* Continued with the same deadline, unless a handler runs: then EINTR. */
	t->restart.fn = poll_restart;
	t->restart.p1 = fds;
	t->restart.v1 = nfds;
	t->restart.deadline_ns = deadline;
	return -ERESTART_RESTARTBLOCK;
}

int64_t
sys_ppoll(struct task *t, gaddr_t fds, uint32_t nfds, gaddr_t timeout, gaddr_t sigmask, uint64_t size)
{
	uint64_t deadline;
	int64_t n;
	int err = deadline_timespec(t, timeout, &deadline);

	if (!err)
		err = mask_set(t, sigmask, size);
	if (err)
		return err;
	n = do_poll(t, fds, nfds, deadline);
	mask_done(t, n == -ERESTARTSYS);
	put_left_timespec(t, timeout, deadline);
	return n == -ERESTARTSYS ? -ERESTARTNOHAND : n;
}

/* ---- select ---------------------------------------------------------------- */

#define SEL_IN		(POLLIN | POLLRDNORM | POLLRDBAND | POLLHUP | POLLERR)
#define SEL_OUT		(POLLOUT | POLLWRNORM | POLLWRBAND | POLLERR)
#define SEL_EX		POLLPRI

struct selection {
	gaddr_t		at[3];		/* read, write, except; may be null */
	uint64_t	*set[3];
	uint32_t	n, words;
};
static const uint32_t sel_bits[3] = { SEL_IN, SEL_OUT, SEL_EX };

static uint32_t
sel_events(const struct selection *s, uint32_t fd)
{
	uint32_t events = 0;

	for (int k = 0; k < 3; k++) {
		if (s->set[k][fd / 64] >> (fd % 64) & 1)
			events |= sel_bits[k];
	}
	return events;
}

/* Makes poll entries of the bits that are set; their number. */
static uint32_t
sel_entries(const struct selection *s, struct abi_pollfd *out)
{
	uint32_t count = 0;

	for (uint32_t fd = 0; fd < s->n; fd++) {
		uint32_t events = sel_events(s, fd);

		if (events == 0)
			continue;
		if (out)
			out[count] = (struct abi_pollfd){ .fd = (int32_t)fd, .events = (int16_t)events };
		count++;
	}
	return count;
}

/* Replaces the sets by what is ready; the number of bits. -EBADF. */
static int64_t
sel_result(struct selection *s, const struct abi_pollfd *p, uint32_t count)
{
	int64_t bits = 0;

	for (uint32_t i = 0; i < count; i++) {
		uint32_t fd = (uint32_t)p[i].fd;

		if (p[i].revents & POLLNVAL)
			return -EBADF;
		for (int k = 0; k < 3; k++) {
			uint64_t bit = 1ULL << (fd % 64);

			if (!(s->set[k][fd / 64] & bit))
				continue;
			if ((uint16_t)p[i].revents & sel_bits[k])
				bits++;
			else
				s->set[k][fd / 64] &= ~bit;
		}
	}
	return bits;
}

static int64_t
sel_run(struct task *t, struct selection *s, uint64_t deadline)
{
	AUTO_FREE struct abi_pollfd *p = NULL;
	uint32_t count = sel_entries(s, NULL);
	int64_t n;

	p = mem_alloc((count ? count : 1) * sizeof *p);
	if (p == NULL)
		return -ENOMEM;
	(void)sel_entries(s, p);
	n = poll_wait(t, p, count, 0, deadline);
	return n < 0 ? n : sel_result(s, p, count);
}

static int64_t
do_select(struct task *t, int32_t nfds, gaddr_t in, gaddr_t out, gaddr_t ex, uint64_t deadline)
{
	struct selection s = { .at = { in, out, ex } };
	AUTO_FREE uint64_t *mem = NULL;
	size_t bytes;
	int64_t n;
	int err = 0;

	if (nfds < 0)
		return -EINVAL;
	s.n = min((uint32_t)nfds, t->files->size);
	s.words = (s.n + 63) / 64;
	bytes = s.words * sizeof *mem;		/* whole words, both ways */
	mem = mem_alloc(3 * (s.words ? s.words : 1) * sizeof *mem);
	if (mem == NULL)
		return -ENOMEM;
	for (int k = 0; k < 3; k++) {
		s.set[k] = mem + (size_t)k * s.words;
		if (!err && bytes && !gaddr_is_null(s.at[k]))
			err = copy_in(t, s.set[k], s.at[k], bytes);
		/* Bits past nfds in the last word do not count, and are not given back. */
		if (s.n % 64)
			s.set[k][s.n / 64] &= (1ULL << (s.n % 64)) - 1;
	}
	if (err)
		return err;
	n = sel_run(t, &s, deadline);
	for (int k = 0; k < 3 && n >= 0; k++) {
		if (!bytes || gaddr_is_null(s.at[k]))
			continue;
		err = copy_out(t, s.at[k], s.set[k], bytes);
		if (err)
			return err;
	}
	return n;
}

int64_t
sys_select(struct task *t, int32_t nfds, gaddr_t readfds, gaddr_t writefds, gaddr_t exceptfds, gaddr_t timeout)
{
	uint64_t deadline = NO_DEADLINE;
	struct abi_timeval tv;
	int64_t n;
	int err;

	if (!gaddr_is_null(timeout)) {
		err = copy_in(t, &tv, timeout, sizeof tv);
		if (err)
			return err;
		if (tv.tv_sec < 0 || tv.tv_usec < 0)
			return -EINVAL;
		/* Linux lets whole seconds hide in the microseconds. */
		if (ckd_add(&tv.tv_sec, tv.tv_sec, tv.tv_usec / 1000000))
			return -EINVAL;
		tv.tv_usec %= 1000000;
		deadline = deadline_of(abi_timeval_ns(&tv));
	}
	n = do_select(t, nfds, readfds, writefds, exceptfds, deadline);
	if (!gaddr_is_null(timeout) && deadline != NO_DEADLINE && !(t->personality & PERS_STICKY_TIMEOUTS)) {
		tv = abi_ns_timeval(time_left(deadline));
		if (copy_out(t, timeout, &tv, sizeof tv) != 0 && n >= 0)
			return n;
	}
	return n == -ERESTARTSYS ? -ERESTARTNOHAND : n;
}

int64_t
sys_pselect6(struct task *t, int32_t nfds, gaddr_t readfds, gaddr_t writefds, gaddr_t exceptfds, gaddr_t timeout,
    gaddr_t sigarg)
{
	struct abi_sigset_arg arg = { 0, 0 };
	uint64_t deadline;
	int64_t n;
	int err = 0;

	if (!gaddr_is_null(sigarg))
		err = copy_in(t, &arg, sigarg, sizeof arg);
	if (!err)
		err = deadline_timespec(t, timeout, &deadline);
	if (!err)
		err = mask_set(t, gaddr_from(arg.set), arg.size);
	if (err)
		return err;
	n = do_select(t, nfds, readfds, writefds, exceptfds, deadline);
	mask_done(t, n == -ERESTARTSYS);
	put_left_timespec(t, timeout, deadline);
	return n == -ERESTARTSYS ? -ERESTARTNOHAND : n;
}

/* ---- epoll ----------------------------------------------------------------- */

#define EPOLL_ON_STACK	64U
#define EPOLL_BATCH	1024U	/* fewer than asked for is always right */

int64_t
sys_epoll_create1(struct task *t, int32_t flags)
{
	AUTO_PUT(file) f = NULL;
	int err;

	if (flags & ~EPOLL_CLOEXEC)
		return -EINVAL;
	err = epoll_new(&f);
	return err ? err : fd_install(t, f, flags & EPOLL_CLOEXEC ? FD_CLOEXEC : 0);
}

int64_t
sys_epoll_create(struct task *t, int32_t size)
{
	return size <= 0 ? -EINVAL : sys_epoll_create1(t, 0);
}

int64_t
sys_epoll_ctl(struct task *t, int32_t epfd, int32_t op, int32_t fd, gaddr_t event)
{
	AUTO_PUT(file) ep = NULL;
	AUTO_PUT(file) f = NULL;
	struct abi_epoll_event ev = { 0, 0 };
	int err = op == EPOLL_CTL_DEL ? 0 : copy_in(t, &ev, event, sizeof ev);

	if (!err)
		err = fd_get(t, epfd, &ep);
	if (!err)
		err = fd_get(t, fd, &f);
	return err ? err : epoll_change(t, ep, op, fd, f, &ev);
}

static int64_t
do_epoll_wait(struct task *t, int32_t epfd, gaddr_t events, int32_t maxevents, uint64_t deadline)
{
	struct abi_epoll_event some[EPOLL_ON_STACK], *batch = some;
	AUTO_FREE void *mem = NULL;
	AUTO_PUT(file) ep = NULL;
	uint32_t want;
	int64_t n;
	int err;

	if (maxevents <= 0 || maxevents > (int32_t)(INT32_MAX / sizeof some[0]))
		return -EINVAL;
	err = fd_get(t, epfd, &ep);
	if (err)
		return err;
	if (!file_is_epoll(ep))
		return -EINVAL;
	want = min((uint32_t)maxevents, EPOLL_BATCH);
	if (want > EPOLL_ON_STACK) {
		batch = mem = mem_alloc(want * sizeof *batch);
		if (batch == NULL)
			return -ENOMEM;
	}
	n = epoll_take(t, ep, batch, want, deadline);
	err = n > 0 ? copy_out(t, events, batch, (size_t)n * sizeof *batch) : 0;
	return err ? err : n;
}

int64_t
sys_epoll_wait(struct task *t, int32_t epfd, gaddr_t events, int32_t maxevents, int32_t timeout)
{
	return do_epoll_wait(t, epfd, events, maxevents, deadline_ms(timeout));
}

int64_t
sys_epoll_pwait(struct task *t, int32_t epfd, gaddr_t events, int32_t maxevents, int32_t timeout, gaddr_t sigmask,
    uint64_t size)
{
	int64_t n;
	int err = mask_set(t, sigmask, size);

	if (err)
		return err;
	n = do_epoll_wait(t, epfd, events, maxevents, deadline_ms(timeout));
	mask_done(t, n == -EINTR);
	return n;
}

int64_t
sys_epoll_pwait2(struct task *t, int32_t epfd, gaddr_t events, int32_t maxevents, gaddr_t timeout, gaddr_t sigmask,
    uint64_t size)
{
	uint64_t deadline;
	int64_t n;
	int err = deadline_timespec(t, timeout, &deadline);

	if (!err)
		err = mask_set(t, sigmask, size);
	if (err)
		return err;
	n = do_epoll_wait(t, epfd, events, maxevents, deadline);
	mask_done(t, n == -EINTR);
	return n;
}
