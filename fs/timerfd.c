/*
 * timerfd: a timer behind a descriptor; see timerfd_create(2).
 *
 * An expiry makes the descriptor readable and leaves the timer alone until somebody reads: only
 * then are the periods that have passed counted and the next one set, so that a timer nobody looks at costs
 * one wake-up.  mu covers everything; the callback takes it on the timer thread.
 */
#include <fcntl.h>
#include <poll.h>
#include <sys/timerfd.h>

#include "abi/errno.h"
#include "abi/time.h"
#include "base/kmem.h"
#include "sentry/kernel/clock.h"
#include "sentry/kernel/task.h"
#include "sentry/kernel/timer.h"
#include "sentry/mm/usercopy.h"
#include "sentry/syscall/syscall.h"
#include "sentry/vfs/fdtable.h"
#include "sentry/vfs/file.h"

#define CAP_WAKE_ALARM_NR	35

struct timerfd {
	struct file	file;		/* first */
	struct mutex	mu;
	struct timer	timer;
	int32_t		clock;		/* [I] */
	uint64_t	deadline_ns;	/* [m] CLOCK_MONOTONIC; 0 when disarmed */
	uint64_t	interval_ns;	/* [m] */
	uint64_t	ticks;		/* [m] expiries not yet read */
	bool		expired;	/* [m] the callback ran and the next period is not set */
};
KMEM_CACHE(timerfd);

static void
timerfd_fire(struct timer *tm)
{
	struct timerfd *e = container_of(tm, struct timerfd, timer);

	mutex_lock(&e->mu);
	/* A callback that was overtaken by a new setting has nothing to say. */
	if (e->deadline_ns == 0 || e->expired || e->deadline_ns > clock_mono_ns()) {
		mutex_unlock(&e->mu);
		return;
	}
	e->ticks++;
	e->expired = true;
	mutex_unlock(&e->mu);
	waitq_wake(e->file.wq, POLLIN);
}

/* Counts the periods that passed since the expiry and sets the next. */
static void
catch_up_locked(struct timerfd *e)
{
	uint64_t missed;

	if (!e->expired || e->interval_ns == 0)
		return;
	e->deadline_ns = timer_forward(e->deadline_ns, e->interval_ns, clock_mono_ns(), &missed);
	e->ticks += missed;
	e->expired = false;
	timer_arm(&e->timer, e->deadline_ns);
}

static int64_t
timerfd_read(struct file *f, struct task *t, struct iobuf *dst)
{
	struct timerfd *e = container_of(f, struct timerfd, file);
	uint64_t got;

	(void)t;
	if (iob_left(dst) < sizeof got)
		return -EINVAL;
	mutex_lock(&e->mu);
	if (e->ticks)
		catch_up_locked(e);
	got = e->ticks;
	e->ticks = 0;
	mutex_unlock(&e->mu);
	return got ? iob_put(dst, &got, sizeof got) : -EAGAIN;
}

static uint32_t
timerfd_ready(struct file *f, uint32_t events)
{
	struct timerfd *e = container_of(f, struct timerfd, file);
	uint32_t got;

	(void)events;
	mutex_lock(&e->mu);
	got = e->ticks ? POLLIN | POLLRDNORM : 0;
	mutex_unlock(&e->mu);
	return got;
}

static void
timerfd_free(struct file *f)
{
	struct timerfd *e = container_of(f, struct timerfd, file);

	timer_disarm_wait(&e->timer);
	file_fini(f);
	mutex_fini(&e->mu);
	obj_free(timerfd, e);
}

static const struct file_ops timerfd_ops = {
	.kind = "timerfd",
	.read = timerfd_read,
	.write = file_no_write,
	.pread = file_no_pread,
	.pwrite = file_no_pwrite,
	.seek = file_seek_noop,
	.readdir = file_no_readdir,
	.ready = timerfd_ready,
	.ioctl = file_no_ioctl,
	.mmap = file_no_mmap,
	.fsync = file_no_fsync,
	.truncate = file_no_truncate,
	.fallocate = file_no_fallocate,
	.setflags = file_any_flags,
	.flush = file_no_flush,
	.free = timerfd_free,
};

int64_t
sys_timerfd_create(struct task *t, int32_t clock, uint32_t flags)
{
	AUTO_PUT(file) f = NULL;
	struct timerfd *e;
	int err;

	if (flags & ~(uint32_t)(TFD_NONBLOCK | TFD_CLOEXEC))
		return -EINVAL;
	if (clock != CLOCK_REALTIME && clock != CLOCK_MONOTONIC && clock != CLOCK_BOOTTIME &&
	    clock != CLOCK_REALTIME_ALARM && clock != CLOCK_BOOTTIME_ALARM)
		return -EINVAL;
	if ((clock == CLOCK_REALTIME_ALARM || clock == CLOCK_BOOTTIME_ALARM) &&
	    !task_capable(t, CAP_WAKE_ALARM_NR))
		return -EPERM;
	e = obj_new(timerfd);
	if (e == NULL)
		return -ENOMEM;
	err = file_init_anon(&e->file, &timerfd_ops, "anon_inode:[timerfd]", 0600,
	    O_RDWR | (flags & O_NONBLOCK));
	if (err) {
		obj_free(timerfd, e);
		return err;
	}
	f = &e->file;
	mutex_init(&e->mu, RANK_object);
	timer_init(&e->timer, timerfd_fire);
	e->clock = clock;
	return fd_install(t, f, flags & TFD_CLOEXEC ? FD_CLOEXEC : 0);
}

static int
timerfd_get(struct task *t, int32_t fd, struct file **out, struct timerfd **e)
{
	int err = fd_get(t, fd, out);

	if (err)
		return err;
	if ((*out)->ops != &timerfd_ops)
		return -EINVAL;
	*e = container_of(*out, struct timerfd, file);
	return 0;
}

static void
setting_locked(struct timerfd *e, struct abi_itimerspec *it)
{
	uint64_t now = clock_mono_ns(), left = 0;

	catch_up_locked(e);
	if (e->deadline_ns && !e->expired)
		left = e->deadline_ns > now ? e->deadline_ns - now : 1;
	it->it_value = abi_ns_timespec(left);
	it->it_interval = abi_ns_timespec(e->interval_ns);
}

int64_t
sys_timerfd_settime(struct task *t, int32_t fd, uint32_t flags, gaddr_t value, gaddr_t old)
{
	AUTO_PUT(file) f = NULL;
	struct abi_itimerspec new, was;
	uint64_t ns, deadline = 0;
	struct timerfd *e;
	int err = copy_in(t, &new, value, sizeof new);

	if (err)
		return err;
	if ((flags & ~(uint32_t)(TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET)) ||
	    !abi_timespec_valid(&new.it_value) || !abi_timespec_valid(&new.it_interval))
		return -EINVAL;
	err = timerfd_get(t, fd, &f, &e);
	if (err)
		return err;
	ns = abi_timespec_ns(&new.it_value);
	if (ns && (flags & TFD_TIMER_ABSTIME))
		err = clock_deadline(e->clock, ns, &deadline);
	else if (ns)
		deadline = abi_deadline(clock_mono_ns(), ns);
	if (err)
		return err;
	mutex_lock(&e->mu);
	setting_locked(e, &was);
	e->deadline_ns = deadline;
	e->interval_ns = abi_timespec_ns(&new.it_interval);
	e->ticks = 0;
	e->expired = false;
	timer_arm(&e->timer, deadline ? deadline : NO_DEADLINE);
	mutex_unlock(&e->mu);
	return gaddr_is_null(old) ? 0 : copy_out(t, old, &was, sizeof was);
}

int64_t
sys_timerfd_gettime(struct task *t, int32_t fd, gaddr_t value)
{
	AUTO_PUT(file) f = NULL;
	struct abi_itimerspec it;
	struct timerfd *e;
	int err = timerfd_get(t, fd, &f, &e);

	if (err)
		return err;
	mutex_lock(&e->mu);
	setting_locked(e, &it);
	mutex_unlock(&e->mu);
	return copy_out(t, value, &it, sizeof it);
}
