/*
 * tty: the terminal object, job control, and tty_ioctl(4).
 *
 * Who may use a terminal is decided against the session's foreground group, under the lock tasks;
 * bytes and settings under the terminal's own mu, which is taken inside.
 */
#include "fs/tty_core.h"

#include <fcntl.h>
#include <linux/capability.h>
#include <poll.h>
#include <signal.h>
#include <sys/stat.h>
#include <time.h>
#include <string.h>

#include "base/hostcall.h"
#include "base/kmem.h"
#include "sentry/kernel/task.h"
#include "sentry/mm/usercopy.h"
#include "sentry/syscall/syscall.h"

KMEM_CACHE(tty);

/* The settings of a fresh Linux terminal. */
static const struct termios tty_defaults = {
	.c_iflag = ICRNL | IXON,
	.c_oflag = OPOST | ONLCR,
	.c_cflag = B38400 | CS8 | CREAD,
	.c_lflag = ISIG | ICANON | ECHO | ECHOE | ECHOK | ECHOCTL | ECHOKE | IEXTEN,
	.c_cc = { [VINTR] = 3, [VQUIT] = 28, [VERASE] = 127, [VKILL] = 21, [VEOF] = 4, [VMIN] = 1,
	    [VSTART] = 17, [VSTOP] = 19, [VSUSP] = 26, [VREPRINT] = 18, [VDISCARD] = 15, [VWERASE] = 23,
	    [VLNEXT] = 22 },
};

struct tty *
tty_new(int32_t index)
{
	struct tty *tty = obj_new(tty);

	if (tty == NULL)
		return NULL;
	ref_init(&tty->ref, OBJ_tty);
	mutex_init(&tty->mu, RANK_object);
	waitq_init(&tty->slave_wq);
	waitq_init(&tty->master_wq);
	tty->index = index;
	tty->termios = tty_defaults;
	return tty;
}

void
tty_release(struct tty *tty)
{
	if (tty->index >= 0)
		pts_forget(tty->index);
	mutex_fini(&tty->mu);
	obj_free(tty, tty);
}

void
tty_wake(struct tty *tty)
{
	waitq_wake(&tty->slave_wq, 0);
	waitq_wake(&tty->master_wq, 0);
	tty_host_kick(tty);
}

/* ---- job control ---------------------------------------------------------------- */

static struct pidgroup *
foreground_get(struct tty *tty)
{
	struct pidgroup *g = NULL;

	mutex_lock(&kernel.tasks_mu);
	if (tty->session != NULL)
		g = pidgroup_get(tty->session->foreground);
	mutex_unlock(&kernel.tasks_mu);
	return g;
}

void
tty_signal_foreground(struct tty *tty, int signo)
{
	AUTO_PUT(pidgroup) g = foreground_get(tty);
	struct abi_siginfo info;
	int err;

	if (g == NULL)
		return;
	siginfo_kernel(&info, signo);
	err = signal_send_pgrp(g, &info);
	(void)err;		/* an empty group hears nothing */
}

/*
 * A background process at its controlling terminal: SIGTTIN or SIGTTOU to its group and
 * -ERESTARTSYS, or -EIO when that could never help; 0 when t may go on.
 */
static int
job_control(struct tty *tty, struct task *t, int signo)
{
	struct process *p = t->process;
	AUTO_PUT(pidgroup) mine = NULL;
	struct abi_siginfo info;
	struct sighand *sh;
	bool orphaned, background, ignored;
	int err;

	mutex_lock(&kernel.tasks_mu);
	background = p->pgrp != NULL && tty->session != NULL && p->pgrp->session == tty->session &&
	    tty->session->foreground != NULL && tty->session->foreground != p->pgrp;
	mine = pidgroup_get(p->pgrp);
	orphaned = background && process_orphaned_pgrp(p->pgrp);
	mutex_unlock(&kernel.tasks_mu);
	if (!background)
		return 0;
	sh = process_lock(p);
	ignored = (uint64_t)sh->action[signo - 1].handler == 1;
	process_unlock(sh);
	ignored |= (signal_mask(t) & sigbit(signo)) != 0;
	if (ignored)
		return signo == SIGTTIN ? -EIO : 0;
	if (orphaned)
		return -EIO;
	siginfo_kernel(&info, signo);
	err = signal_send_pgrp(mine, &info);
	(void)err;
	return -ERESTARTSYS;
}

/*
 * tty becomes the controlling terminal of t's session. steal: TIOCSCTTY(1) of root.  By /dev/tty the session may
 * read it then, so who may not read it cannot have it so.
 */
static int
set_controlling(struct tty *tty, struct task *t, bool readable, bool steal)
{
	struct process *p = t->process;
	struct tty *old = NULL;
	struct pidgroup *old_fg = NULL;
	struct session *s;
	int err = 0;

	mutex_lock(&kernel.tasks_mu);
	s = p->pgrp->session;
	if (s->leader == p && tty->session == s) {
		mutex_unlock(&kernel.tasks_mu);
		return 0;
	}
	if (s->leader != p || s->tty != NULL) {
		err = -EPERM;
	} else if ((tty->session != NULL && !steal) || !readable) {
		err = -EPERM;
	} else {
		if (tty->session != NULL) {
			old = tty->session->tty;
			old_fg = tty->session->foreground;
			tty->session->tty = NULL;
			tty->session->foreground = NULL;
		}
		s->tty = tty_get(tty);
		s->foreground = pidgroup_get(p->pgrp);
		tty->session = s;
	}
	mutex_unlock(&kernel.tasks_mu);
	tty_put(old);
	pidgroup_put(old_fg);
	return err;
}

/* Cuts a session from its terminal; returns what the caller must put. tasks held. */
static struct tty *
detach_locked(struct session *s, struct pidgroup **fg)
{
	struct tty *tty = s->tty;

	*fg = s->foreground;
	s->foreground = NULL;
	s->tty = NULL;
	if (tty != NULL)
		tty->session = NULL;
	return tty;
}

static void
hangup_group(struct pidgroup *g)
{
	static const int signals[] = { SIGHUP, SIGCONT };

	for (size_t i = 0; g != NULL && i < ARRAY_LEN(signals); i++) {
		struct abi_siginfo info;
		int err;

		siginfo_kernel(&info, signals[i]);
		err = signal_send_pgrp(g, &info);
		(void)err;
	}
}

void
tty_session_gone(struct session *s)
{
	struct pidgroup *fg;
	struct tty *tty;

	mutex_lock(&kernel.tasks_mu);
	tty = detach_locked(s, &fg);
	mutex_unlock(&kernel.tasks_mu);
	if (tty != NULL)
		hangup_group(fg);
	pidgroup_put(fg);
	tty_put(tty);
}

void
tty_hangup(struct tty *tty)
{
	struct pidgroup *fg = NULL;
	struct process *leader = NULL;
	struct tty *held = NULL;

	mutex_lock(&tty->mu);
	tty->master_closed = true;
	mutex_unlock(&tty->mu);
	mutex_lock(&kernel.tasks_mu);
	if (tty->session != NULL) {
		leader = process_get(tty->session->leader);
		held = detach_locked(tty->session, &fg);
	}
	mutex_unlock(&kernel.tasks_mu);
	/* The rest of the session hears of it when the leader ends. */
	if (leader != NULL) {
		signal_kernel(leader, SIGHUP);
		signal_kernel(leader, SIGCONT);
	}
	process_put(leader);
	pidgroup_put(fg);
	tty_put(held);
	tty_wake(tty);
}

void
tty_of_session(struct session *s, uint32_t *nr, int32_t *pgrp)
{
	*nr = 0;
	*pgrp = -1;
	mutex_lock(&kernel.tasks_mu);
	if (s->tty != NULL) {
		*nr = s->tty->index >= 0 ? 136U << 8 | (uint32_t)s->tty->index : 5U << 8 | 1;
		*pgrp = s->foreground ? s->foreground->id : 0;
	}
	mutex_unlock(&kernel.tasks_mu);
}

int
tty_set_controlling(struct task *t, struct file *slave)
{
	struct tty *tty = tty_of_file(slave);

	return tty == NULL ? -ENOTTY : set_controlling(tty, t, true, false);
}

int
tty_open_current(struct task *t, struct inode *i, uint32_t flags, struct file **out)
{
	AUTO_PUT(tty) tty = NULL;

	mutex_lock(&kernel.tasks_mu);
	if (!t->process->no_tty)
		tty = tty_get(t->process->pgrp->session->tty);
	mutex_unlock(&kernel.tasks_mu);
	if (tty == NULL)
		return -ENXIO;
	return tty_slave_open(t, tty, i, flags | O_NOCTTY, out);
}

/* ---- ioctl ------------------------------------------------------------------------ */

static int
set_winsize(struct tty *tty, const struct winsize_abi *ws)
{
	bool changed;

	mutex_lock(&tty->mu);
	changed = memcmp(&tty->winsize, ws, sizeof *ws) != 0;
	tty->winsize = *ws;
	mutex_unlock(&tty->mu);
	if (changed)
		tty_signal_foreground(tty, SIGWINCH);
	return 0;
}

int
tty_set_winsize(struct file *slave, uint16_t rows, uint16_t cols)
{
	struct tty *tty = tty_of_file(slave);
	struct winsize_abi ws = { .rows = rows, .cols = cols };

	return tty == NULL ? -ENOTTY : set_winsize(tty, &ws);
}

static int64_t
ioctl_set_termios(struct tty *tty, struct task *t, uint32_t cmd, gaddr_t arg)
{
	struct termios tio;
	int err = job_control(tty, t, SIGTTOU);

	if (err)
		return err;
	err = copy_in(t, &tio, arg, sizeof tio);
	if (err)
		return err;
	mutex_lock(&tty->mu);
	if (cmd == TCSETSF)
		tty_flush_input_locked(tty);
	tty_set_termios_locked(tty, &tio);
	mutex_unlock(&tty->mu);
	tty_wake(tty);
	return 0;
}

static int64_t
ioctl_get_pgrp(struct tty *tty, struct task *t, uint32_t cmd, gaddr_t arg, bool master)
{
	int32_t id = 0;
	bool ours;

	mutex_lock(&kernel.tasks_mu);
	ours = tty->session != NULL && (master || t->process->pgrp->session == tty->session);
	if (ours && cmd == TIOCGSID)
		id = tty->session->id;
	else if (ours && tty->session->foreground != NULL)
		id = tty->session->foreground->id;
	mutex_unlock(&kernel.tasks_mu);
	if (!ours && (!master || cmd == TIOCGSID))
		return -ENOTTY;
	return put_u32(t, arg, (uint32_t)id);
}

static int64_t
ioctl_set_pgrp(struct tty *tty, struct task *t, gaddr_t arg)
{
	AUTO_PUT(pidgroup) g = NULL;
	struct pidgroup *old = NULL;
	int32_t id;
	int err = job_control(tty, t, SIGTTOU);

	if (err == -EIO)
		return -ENOTTY;
	if (err)
		return err;
	if (copy_in(t, &id, arg, sizeof id) != 0)
		return -EFAULT;
	if (id < 0)
		return -EINVAL;
	g = pidgroup_find_get(id);
	mutex_lock(&kernel.tasks_mu);
	if (tty->session == NULL || tty->session != t->process->pgrp->session) {
		err = -ENOTTY;
	} else if (g == NULL) {
		err = -ESRCH;
	} else if (g->session != tty->session) {
		err = -EPERM;
	} else {
		old = tty->session->foreground;
		tty->session->foreground = pidgroup_get(g);
	}
	mutex_unlock(&kernel.tasks_mu);
	pidgroup_put(old);
	return err;
}

static int64_t
ioctl_notty(struct tty *tty, struct task *t)
{
	struct session *s;
	struct tty *held = NULL;
	struct pidgroup *fg = NULL;
	bool leader;

	mutex_lock(&kernel.tasks_mu);
	s = t->process->pgrp->session;
	if (tty->session != s) {
		mutex_unlock(&kernel.tasks_mu);
		return -ENOTTY;
	}
	leader = s->leader == t->process;
	t->process->no_tty = !leader;
	if (leader)
		held = detach_locked(s, &fg);
	mutex_unlock(&kernel.tasks_mu);
	if (leader)
		hangup_group(fg);
	pidgroup_put(fg);
	tty_put(held);
	return 0;
}

static int64_t
ioctl_flush(struct tty *tty, uint64_t which)
{
	if (which > TCIOFLUSH)
		return -EINVAL;
	mutex_lock(&tty->mu);
	if (which == TCIFLUSH || which == TCIOFLUSH)
		tty_flush_input_locked(tty);
	if (which == TCOFLUSH || which == TCIOFLUSH)
		tty_flush_output_locked(tty);
	mutex_unlock(&tty->mu);
	tty_wake(tty);
	return 0;
}

static int64_t
ioctl_flow(struct tty *tty, uint64_t which)
{
	if (which > TCION)
		return -EINVAL;
	if (which == TCOOFF || which == TCOON) {
		mutex_lock(&tty->mu);
		tty->stopped = which == TCOOFF;
		mutex_unlock(&tty->mu);
		tty_wake(tty);
	}
	return 0;
}

int64_t
tty_ioctl(struct tty *tty, struct file *f, struct task *t, uint32_t cmd, gaddr_t arg, bool master)
{
	struct termios tio;
	struct winsize_abi ws;
	uint32_t n;

	switch (cmd) {
	case TCGETS:
		mutex_lock(&tty->mu);
		tio = tty->termios;
		mutex_unlock(&tty->mu);
		return copy_out(t, arg, &tio, sizeof tio);
	case TCSETS:
	case TCSETSW:
	case TCSETSF:
		return ioctl_set_termios(tty, t, cmd, arg);
	case TIOCGWINSZ:
		mutex_lock(&tty->mu);
		ws = tty->winsize;
		mutex_unlock(&tty->mu);
		return copy_out(t, arg, &ws, sizeof ws);
	case TIOCSWINSZ:
		if (copy_in(t, &ws, arg, sizeof ws) != 0)
			return -EFAULT;
		return set_winsize(tty, &ws);
	case TIOCGPGRP:
	case TIOCGSID:
		return ioctl_get_pgrp(tty, t, cmd, arg, master);
	case TIOCSPGRP:
		return ioctl_set_pgrp(tty, t, arg);
	case TIOCSCTTY: {
		bool admin = task_capable(t, CAP_SYS_ADMIN);

		return set_controlling(tty, t, admin || (f->mode & FMODE_READ), admin && gaddr_raw(arg) == 1);
	}
	case TIOCNOTTY:
		return ioctl_notty(tty, t);
	case FIONREAD:
		mutex_lock(&tty->mu);
		n = master ? tty->out_len : tty_readable_locked(tty);
		mutex_unlock(&tty->mu);
		return put_u32(t, arg, n);
	case TIOCOUTQ:
		mutex_lock(&tty->mu);
		n = master ? 0 : tty->out_len;
		mutex_unlock(&tty->mu);
		return put_u32(t, arg, n);
	case TCFLSH:
		return ioctl_flush(tty, gaddr_raw(arg));
	case TCXONC:
		return ioctl_flow(tty, gaddr_raw(arg));
	case TCSBRK:
	case TCSBRKP:
		return 0;	/* no line to break, and output is never held back */
	case TIOCGETD:
		return put_u32(t, arg, 0);
	case TIOCEXCL:
	case TIOCNXCL:
		mutex_lock(&tty->mu);
		tty->exclusive = cmd == TIOCEXCL;
		mutex_unlock(&tty->mu);
		return 0;
	default:
		report_missing(t, "ioctl 0x%x on a terminal", cmd);
		return -ENOTTY;
	}
}

/* ---- the slave's file ----------------------------------------------------------------- */

struct tty_file {
	struct file	file;		/* first */
	struct tty	*tty;		/* [I] counted */
	_Atomic bool	 waiting;	/* a read found nothing and waits */
};
KMEM_CACHE(tty_file);

static const struct file_ops tty_slave_ops;

struct tty *
tty_of_file(struct file *f)
{
	return f->ops == &tty_slave_ops ? container_of(f, struct tty_file, file)->tty : NULL;
}

/*
 * MIN and TIME of non-canonical mode, where a read may end by time: the one operation that waits itself, since
 * only it knows for how long.  0: try to take now; else as task_sleep.
 */
static int
wait_timed(struct tty *tty, struct task *t, uint8_t vmin, uint8_t vtime, size_t want)
{
	uint64_t tick = NSEC_PER_SEC / 10, deadline = 0;
	uint32_t need = vmin > 0 ? vmin : 1, have = 0, last = 0;
	struct waiter w;
	int err = 0;

	need = (uint32_t)min((size_t)need, want);
	waiter_arm(&w, t, &tty->slave_wq, 0);
	for (;;) {
		bool gone;

		mutex_lock(&tty->mu);
		have = tty_readable_locked(tty);
		gone = tty->master_closed;
		mutex_unlock(&tty->mu);
		if (have >= need || gone)
			break;
		/* MIN 0: the clock runs from the start.  MIN > 0: from each byte. */
		if (deadline == 0 || (vmin > 0 && have > last))
			deadline = vmin == 0 || have > 0 ? host_clock_ns(CLOCK_MONOTONIC) + vtime * tick : NO_DEADLINE;
		if (vmin > 0 && have == 0)
			deadline = NO_DEADLINE;
		last = have;
		err = task_sleep(t, deadline);
		if (err) {
			err = err == -ETIMEDOUT || have > 0 ? 0 : err;
			break;
		}
	}
	waiter_disarm(&w);
	return err;
}

static int64_t
slave_read(struct file *f, struct task *t, struct iobuf *dst)
{
	struct tty *tty = tty_of_file(f);
	uint8_t buf[1024];
	int64_t done = 0;
	bool canonical, eof = false;
	uint8_t vmin, vtime;
	int err = job_control(tty, t, SIGTTIN);

	if (err)
		return err;
	mutex_lock(&tty->mu);
	canonical = tty->termios.c_lflag & ICANON;
	vmin = tty->termios.c_cc[VMIN];
	vtime = tty->termios.c_cc[VTIME];
	mutex_unlock(&tty->mu);
	if (!canonical && vtime > 0 && !(atomic_load(&f->flags) & O_NONBLOCK)) {
		err = wait_timed(tty, t, vmin, vtime, iob_left(dst));
		if (err)
			return err;
		vmin = 0;
	}
	while (iob_left(dst) > 0 && !eof) {
		size_t n;
		int64_t moved;
		bool gone, line_end;

		mutex_lock(&tty->mu);
		gone = tty->master_closed;
		if (!canonical && done == 0 && tty->in_len < min((uint64_t)vmin, iob_left(dst)) && !gone) {
			mutex_unlock(&tty->mu);
			atomic_store(&container_of(f, struct tty_file, file)->waiting,
			    !(atomic_load(&f->flags) & O_NONBLOCK));
			return -EAGAIN;
		}
		n = tty_take_input_locked(tty, buf, min(sizeof buf, (size_t)iob_left(dst)), &eof);
		mutex_unlock(&tty->mu);
		if (n == 0) {
			struct tty_file *tf = container_of(f, struct tty_file, file);

			/* A hang-up ends a read that waits with EIO, a later one with the end of file. */
			if (gone && done == 0 && !eof && atomic_exchange(&tf->waiting, false))
				return -EIO;
			if (done > 0 || eof || gone || (!canonical && vmin == 0))
				break;
			atomic_store(&tf->waiting, !(atomic_load(&f->flags) & O_NONBLOCK));
			return -EAGAIN;
		}
		line_end = canonical && (n < sizeof buf || buf[n - 1] == '\n');
		moved = iob_put(dst, buf, n);
		if (moved < 0)
			return done ? done : moved;
		done += moved;
		if (line_end || (size_t)moved < n)
			break;
	}
	atomic_store(&container_of(f, struct tty_file, file)->waiting, false);
	waitq_wake(&tty->master_wq, POLLOUT);
	return done;
}

static int64_t
slave_write(struct file *f, struct task *t, struct iobuf *src)
{
	struct tty *tty = tty_of_file(f);
	uint8_t buf[2048];
	int64_t done = 0;
	bool stop;

	mutex_lock(&tty->mu);
	stop = tty->termios.c_lflag & TOSTOP;
	mutex_unlock(&tty->mu);
	if (stop) {
		int err = job_control(tty, t, SIGTTOU);

		if (err)
			return err;
	}
	while (iob_left(src) > 0) {
		uint64_t want = min(iob_left(src), (uint64_t)sizeof buf);
		int64_t n = iob_get(src, buf, want);
		size_t taken;
		bool gone;

		if (n < 0)
			return done ? done : n;
		mutex_lock(&tty->mu);
		gone = tty->master_closed;
		taken = gone ? 0 : tty_output_locked(tty, buf, (size_t)n);
		mutex_unlock(&tty->mu);
		done += (int64_t)taken;
		if (taken < (size_t)n) {
			iob_revert(src, (size_t)n - taken);
			if (gone && done == 0)
				return -EIO;
			break;
		}
	}
	waitq_wake(&tty->master_wq, POLLIN);
	tty_host_kick(tty);
	return done > 0 || iob_left(src) == 0 ? done : -EAGAIN;
}

static uint32_t
slave_ready(struct file *f, uint32_t events)
{
	struct tty *tty = tty_of_file(f);
	uint32_t got = 0;

	mutex_lock(&tty->mu);
	if (tty_readable_locked(tty) > 0)
		got |= POLLIN | POLLRDNORM;
	if (!tty->stopped && tty->out_len < TTY_OUT_SIZE / 2)
		got |= POLLOUT | POLLWRNORM;
	if (tty->master_closed)
		got |= POLLHUP | POLLERR | POLLIN | POLLOUT | POLLRDNORM | POLLWRNORM;
	mutex_unlock(&tty->mu);
	return got & (events | POLLHUP | POLLERR);
}

static int64_t
slave_ioctl(struct file *f, struct task *t, uint32_t cmd, gaddr_t arg)
{
	struct tty *tty = tty_of_file(f);
	bool gone;

	mutex_lock(&tty->mu);
	gone = tty->master_closed;
	mutex_unlock(&tty->mu);
	if (gone)
		return -EIO;
	return tty_ioctl(tty, f, t, cmd, arg, false);
}

static void
slave_free(struct file *f)
{
	struct tty *tty = tty_of_file(f);

	mutex_lock(&tty->mu);
	tty->slaves--;
	mutex_unlock(&tty->mu);
	waitq_wake(&tty->master_wq, 0);
	file_fini(f);
	obj_free(tty_file, container_of(f, struct tty_file, file));
	tty_put(tty);
}

static const struct file_ops tty_slave_ops = {
	.kind = "tty",
	.read = slave_read,
	.write = slave_write,
	.pread = file_no_pread,
	.pwrite = file_no_pwrite,
	.seek = file_no_seek,
	.readdir = file_no_readdir,
	.ready = slave_ready,
	.ioctl = slave_ioctl,
	.mmap = file_no_mmap,
	.fsync = file_no_fsync,
	.truncate = file_no_truncate,
	.fallocate = file_no_fallocate,
	.setflags = file_any_flags,
	.flush = file_no_flush,
	.free = slave_free,
};

int
tty_slave_open(struct task *t, struct tty *tty, struct inode *i, uint32_t flags, struct file **out)
{
	struct tty_file *tf;
	int err = 0;

	mutex_lock(&tty->mu);
	if (tty->locked || tty->master_closed)
		err = -EIO;
	else if (tty->exclusive && t != NULL && !task_capable(t, CAP_SYS_ADMIN))
		err = -EBUSY;
	if (!err) {
		tty->slaves++;
		tty->slave_opened = true;
	}
	mutex_unlock(&tty->mu);
	if (err)
		return err;
	tf = obj_new(tty_file);
	if (tf == NULL) {
		mutex_lock(&tty->mu);
		tty->slaves--;
		mutex_unlock(&tty->mu);
		return -ENOMEM;
	}
	tf->tty = tty_get(tty);
	if (i != NULL) {
		file_init(&tf->file, &tty_slave_ops, i, flags);
	} else {
		char name[32];
		struct strbuf sb = STRBUF(name, sizeof name);

		sb_printf(&sb, "/dev/pts/%d", tty->index);
		err = file_init_anon(&tf->file, &tty_slave_ops, name, S_IFCHR | 0620, flags);
		if (err) {
			obj_free(tty_file, tf);
			tty_put(tty);
			return err;
		}
	}
	tf->file.wq = &tty->slave_wq;
	/* A session leader without a terminal acquires the first one it opens. */
	if (t != NULL && !(flags & O_NOCTTY) && (flags & O_ACCMODE) != O_WRONLY) {
		err = set_controlling(tty, t, true, false);
		(void)err;	/* someone else's, or not a leader: then it is just a file */
	}
	*out = &tf->file;
	return 0;
}

int
tty_slave_open_named(struct task *t, struct tty *tty, uint32_t flags, struct file **out)
{
	char name[32];
	struct strbuf sb = STRBUF(name, sizeof name);

	sb_printf(&sb, "/dev/pts/%d", tty->index);
	if (vfs_open_name(t, AT_FDCWD, name, flags, 0, WALK_FOLLOW, out) == 0) {
		if (tty_of_file(*out) == tty)
			return 0;
		file_put(*out);
	}
	return tty_slave_open(t, tty, NULL, flags, out);
}
