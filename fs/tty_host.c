/*
 * tty_host: a terminal whose far end is on the host.
 *
 * Two kernel threads relay: one from the host descriptor through the line discipline, one from the
 * terminal's output to the host.  The host's end is in raw mode, so every character means what the guest's
 * own settings say.  At the end of the sandbox what was written is let out first.
 */
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <time.h>

#include "base/hostcall.h"
#include "base/kmem.h"
#include "base/log.h"
#include "fs/tty_core.h"
#include "sentry/kernel/task.h"

struct tty_host {
	struct tty	*tty;		/* [I] counted */
	int		 fd;		/* [I] */
	struct kevent	 output;	/* bytes wait in tty->out */
	struct kevent	 room;		/* input was read */
	_Atomic bool	 idle;		/* everything was written */
};
KMEM_CACHE(tty_host);

static struct tty *_Atomic console;	/* the first such terminal, for /dev/console; counted */

void
tty_host_kick(struct tty *tty)
{
	if (tty->host == NULL)
		return;
	atomic_store(&tty->host->idle, false);
	kevent_set(&tty->host->output);
	kevent_set(&tty->host->room);
}

static void
relay_in(void *arg)
{
	struct tty_host *h = arg;
	uint8_t buf[512];

	for (;;) {
		struct pollfd p = { .fd = h->fd, .events = POLLIN };
		int64_t n, done = 0;

		if (host_ppoll(&p, 1, NULL) < 0)
			continue;
		n = host_pread(h->fd, buf, sizeof buf, -1);
		if (n == -EINTR || n == -EAGAIN)
			continue;
		if (n <= 0)
			break;
		while (done < n) {
			done += (int64_t)tty_input(h->tty, buf + done, (size_t)(n - done));
			if (done < n)
				kevent_wait(&h->room, host_clock_ns(CLOCK_MONOTONIC) + NSEC_PER_SEC / 10);
		}
	}
	log_debug("tty", "the host's end closed");
	tty_hangup(h->tty);
}

static void
relay_out(void *arg)
{
	struct tty_host *h = arg;
	uint8_t buf[4096];

	for (;;) {
		size_t n, done = 0;

		mutex_lock(&h->tty->mu);
		n = tty_take_output_locked(h->tty, buf, sizeof buf);
		if (n == 0)
			atomic_store(&h->idle, true);
		mutex_unlock(&h->tty->mu);
		if (n == 0) {
			kevent_wait(&h->output, NO_DEADLINE);
			continue;
		}
		waitq_wake(&h->tty->slave_wq, POLLOUT);
		while (done < n) {
			int64_t w = host_pwrite(h->fd, buf + done, n - done, -1);

			if (w == -EAGAIN) {
				struct pollfd p = { .fd = h->fd, .events = POLLOUT };
				int ready = host_ppoll(&p, 1, NULL);

				(void)ready;
			} else if (w < 0 && w != -EINTR) {
				break;
			} else if (w > 0) {
				done += (size_t)w;
			}
		}
	}
}

/* Gives the relay up to two seconds to write what is left: a dead reader must not hold the sandbox. */
void
tty_host_drain(void)
{
	struct tty *tty = atomic_load(&console);
	struct kevent pause = { 0 };

	if (tty == NULL)
		return;
	for (int i = 0; i < 400; i++) {
		bool left;

		mutex_lock(&tty->mu);
		left = tty->out_len != 0;
		mutex_unlock(&tty->mu);
		if (!left && atomic_load(&tty->host->idle))
			return;
		kevent_set(&tty->host->output);
		kevent_wait(&pause, host_clock_ns(CLOCK_MONOTONIC) + 5000000);
	}
}

int
tty_new_host(struct task *t, int host_fd, uint16_t rows, uint16_t cols, struct file **slave)
{
	AUTO_PUT(tty) tty = tty_new(-1);
	struct tty *none = NULL;
	struct tty_host *h;
	int err;

	if (tty == NULL)
		return -ENOMEM;
	h = obj_new(tty_host);
	if (h == NULL)
		return -ENOMEM;
	h->tty = tty_get(tty);
	h->fd = host_fd;
	tty->host = h;
	tty->winsize = (struct winsize_abi){ .rows = rows, .cols = cols };
	if (rows == 0 && cols == 0) {
		struct winsize_abi ws;

		if (host_ioctl(host_fd, TIOCGWINSZ, &ws) == 0)
			tty->winsize = ws;
	}
	err = pts_register(t, tty_get(tty));
	if (!err)
		err = tty_slave_open_named(t, tty, O_RDWR | O_NOCTTY, slave);
	if (!err)
		err = kthread_start("tty-in", relay_in, h);
	if (!err)
		err = kthread_start("tty-out", relay_out, h);
	if (err)
		return err;
	if (atomic_compare_exchange_strong(&console, &none, tty))
		tty_get(tty);
	return 0;
}

int
tty_open_console(struct task *t, struct inode *i, uint32_t flags, struct file **out)
{
	struct tty *tty = atomic_load(&console);

	return tty == NULL ? -ENXIO : tty_slave_open(t, tty, i, flags | O_NOCTTY, out);
}
