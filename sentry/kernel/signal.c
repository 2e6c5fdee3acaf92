/*
 * signal: sending, queues and masks.  signal(7); delivery is in sigdeliver.c.
 *
 * A thread's `attention` is true when it has something to see to before it goes on in the
 * guest: a signal it would take, a stop, the end of its group.  It is recomputed under
 * sighand whenever one of these changes, and raised before the thread is kicked.
 *
 * pid 1 is out of reach of its own sandbox: a signal sent by a guest (si_code <= 0) that
 * it has no handler for is dropped.  The terminal, faults and the runtime (si_code > 0) reach it.
 */
#include "sentry/kernel/signal.h"

#include <string.h>

#include "abi/errno.h"
#include "base/kmem.h"
#include "sentry/kernel/tasktree.h"
#include "sentry/kernel/timer.h"

#define RLIM_SIGPENDING	11

#define STOP_SET	(sigbit(SIGSTOP) | sigbit(SIGTSTP) | sigbit(SIGTTIN) | sigbit(SIGTTOU))
#define SYNC_SET	(sigbit(SIGSEGV) | sigbit(SIGBUS) | sigbit(SIGILL) | sigbit(SIGTRAP) | \
			    sigbit(SIGFPE) | sigbit(SIGSYS))
#define CORE_SET	(SYNC_SET | sigbit(SIGQUIT) | sigbit(SIGABRT) | sigbit(SIGXCPU) | sigbit(SIGXFSZ))
#define UNBLOCKABLE	(sigbit(SIGKILL) | sigbit(SIGSTOP))
#define IGNORED_SET	(sigbit(SIGCONT) | sigbit(SIGCHLD) | sigbit(SIGWINCH) | sigbit(SIGURG))

KMEM_CACHE(sigqueue);
KMEM_CACHE(sighand);

struct waitq signalfd_wq = {
	.mu = MUTEX_INIT(RANK_waitq), .waiters = LIST_INIT(signalfd_wq.waiters),
};

/* ---- dispositions ----------------------------------------------------------- */

/*
 * One that has gone keeps its memory and its lock: process_lock may still be about to take that, and lets it go again when
 * it finds that it is not the process's any more.
 */
static struct {
	struct mutex	 mu;
	struct sighand	*free;		/* [m] */
} spare = { .mu = MUTEX_INIT(RANK_kmem) };

static struct sighand *
spare_take(void)
{
	struct sighand *sh;

	mutex_lock(&spare.mu);
	sh = spare.free;
	if (sh != NULL)
		spare.free = sh->next_free;
	mutex_unlock(&spare.mu);
	return sh;
}

int
sighand_new(struct sighand *copy_from, struct sighand **out)
{
	struct sighand *sh = spare_take();

	if (sh == NULL) {
		sh = obj_new(sighand);
		if (sh == NULL)
			return -ENOMEM;
		mutex_init(&sh->mu, RANK_sighand);
	}
	ref_init(&sh->ref, OBJ_sighand);
	memset(sh->action, 0, sizeof sh->action);
	if (copy_from) {
		mutex_lock(&copy_from->mu);
		memcpy(sh->action, copy_from->action, sizeof sh->action);
		mutex_unlock(&copy_from->mu);
	}
	*out = sh;
	return 0;
}

void
sighand_release(struct sighand *sh)
{
	mutex_lock(&spare.mu);
	sh->next_free = spare.free;
	spare.free = sh;
	mutex_unlock(&spare.mu);
}

int
sighand_unshare(struct process *p)
{
	struct sighand *copy, *old;
	int err;

	if (ref_count(&p->sighand->ref) == 1)
		return 0;
	err = sighand_new(p->sighand, &copy);
	if (err)
		return err;
	old = process_lock(p);
	__atomic_store_n(&p->sighand, copy, __ATOMIC_RELEASE);
	process_unlock(old);
	sighand_put(old);
	return 0;
}

bool
signal_is_default_ignored(int signo)
{
	return (sigbit(signo) & IGNORED_SET) != 0;
}

static const char *const names[ABI_SIGRTMIN] = {
	[SIGHUP] = "SIGHUP", [SIGINT] = "SIGINT", [SIGQUIT] = "SIGQUIT", [SIGILL] = "SIGILL",
	[SIGTRAP] = "SIGTRAP", [SIGABRT] = "SIGABRT", [SIGBUS] = "SIGBUS", [SIGFPE] = "SIGFPE",
	[SIGKILL] = "SIGKILL", [SIGUSR1] = "SIGUSR1", [SIGSEGV] = "SIGSEGV", [SIGUSR2] = "SIGUSR2",
	[SIGPIPE] = "SIGPIPE", [SIGALRM] = "SIGALRM", [SIGTERM] = "SIGTERM", [16] = "SIGSTKFLT",
	[SIGCHLD] = "SIGCHLD", [SIGCONT] = "SIGCONT", [SIGSTOP] = "SIGSTOP", [SIGTSTP] = "SIGTSTP",
	[SIGTTIN] = "SIGTTIN", [SIGTTOU] = "SIGTTOU", [SIGURG] = "SIGURG", [SIGXCPU] = "SIGXCPU",
	[SIGXFSZ] = "SIGXFSZ", [SIGVTALRM] = "SIGVTALRM", [SIGPROF] = "SIGPROF",
	[SIGWINCH] = "SIGWINCH", [SIGIO] = "SIGIO", [SIGPWR] = "SIGPWR", [SIGSYS] = "SIGSYS",
};

const char *
signal_name(int signo)
{
	return signo > 0 && signo < ABI_SIGRTMIN ? names[signo] : NULL;
}

/* ---- queues ------------------------------------------------------------------ */

void
sigpending_init(struct sigpending *p)
{
	list_init(&p->queue);
	p->set = 0;
	p->count = 0;
}

static void
unqueue(struct sigpending *p, struct sigqueue *q)
{
	list_remove(&q->link);
	p->count--;
	if (!q->is_timer)
		obj_free(sigqueue, q);
}

/* Drops every pending signal of set. */
static void
sigpending_drop(struct sigpending *p, sigset64 set)
{
	struct sigqueue *q, *next;

	if ((p->set & set) == 0)
		return;
	p->set &= ~set;
	list_for_each_safe(q, next, &p->queue, link) {
		if (sigbit(q->info.si_signo) & set)
			unqueue(p, q);
	}
}

void
sigpending_flush(struct sigpending *p)
{
	sigpending_drop(p, ~0ULL);
}

void
signal_forget_locked(struct process *p, sigset64 set)
{
	struct task *t;

	sigpending_drop(&p->pending, set);
	list_for_each(t, &p->threads, thread_link)
		sigpending_drop(&t->pending, set);
}

static int
lowest(sigset64 set)
{
	/* Faults first: their context is the one at hand. */
	if (set & SYNC_SET)
		set &= SYNC_SET;
	return set ? __builtin_ctzll(set) + 1 : 0;
}

static int
sigpending_take(struct sigpending *p, sigset64 want, struct abi_siginfo *info)
{
	int signo = lowest(p->set & want);
	struct sigqueue *q, *found = NULL;
	bool more = false;

	if (signo == 0)
		return 0;
	list_for_each(q, &p->queue, link) {
		if (q->info.si_signo != signo)
			continue;
		if (found) {
			more = true;
			break;
		}
		found = q;
	}
	if (!more)
		p->set &= ~sigbit(signo);
	if (found) {
		*info = found->info;
		if (found->is_timer)
			ptimer_dequeued_locked(found, info);
		unqueue(p, found);
	} else {
		/* The siginfo was lost to the limit. */
		memset(info, 0, sizeof *info);
		info->si_signo = signo;
		info->si_code = SI_USER;
	}
	return signo;
}

int
signal_dequeue_locked(struct task *t, sigset64 want, struct abi_siginfo *info)
{
	int signo = sigpending_take(&t->pending, want, info);

	if (signo != 0)
		return signo;
	signo = sigpending_take(&t->process->pending, want, info);
	if (signo == SIGALRM)
		itimer_dequeued_locked(t->process);
	return signo;
}

/* ---- masks --------------------------------------------------------------------- */

sigset64
signal_mask(const struct task *t)
{
	return t->ctx != NULL ? ctx_sigmask(t->ctx) & ~UNBLOCKABLE : atomic_load(&t->sigmask);
}

static void
mask_store(struct task *t, sigset64 mask)
{
	if (t->ctx != NULL)
		ctx_set_sigmask(t->ctx, mask);
	else
		atomic_store(&t->sigmask, mask);
}

/* t's stub may change its mask, if no signal is pending. */
static void
mask_lend(struct task *t)
{
	if (t->ctx != NULL && (t->pending.set | t->process->pending.set) == 0)
		answers_signals_locked(t);
}

void
signal_set_ctx(struct task *t, struct ctx *c)
{
	struct sighand *sh = process_lock(t->process);
	sigset64 mask = signal_mask(t);

	t->ctx = c;
	mask_store(t, mask);
	mask_lend(t);
	process_unlock(sh);
}

/* ---- attention ---------------------------------------------------------------- */

void
signal_recalc_locked(struct task *t)
{
	struct process *p = t->process;
	sigset64 pending = t->pending.set | p->pending.set;
	sigset64 open = ~signal_mask(t) | t->sigwait;
	bool any = (pending & open) != 0 || p->group_exit || p->stop_signo != 0 || t->stopped ||
	    p->cont_notify || (p->exec_task && p->exec_task != t) || t->exit_now;

	atomic_store(&t->attention, any);
	mask_lend(t);
}

bool
signal_pending(struct task *t)
{
	return atomic_load(&t->attention) != 0;
}

bool
signal_fatal_pending(struct task *t)
{
	struct process *p = t->process;
	struct sighand *sh;
	bool fatal;

	if (atomic_load(&t->attention) == 0)
		return false;
	sh = process_lock(p);
	fatal = p->group_exit || ((t->pending.set | p->pending.set) & sigbit(SIGKILL));
	process_unlock(sh);
	return fatal;
}

static void
attend(struct task *t)
{
	atomic_store(&t->attention, 1);
	task_kick(t);
}

void
signal_set_mask(struct task *t, sigset64 mask)
{
	struct process *p = t->process;
	struct sighand *sh;
	sigset64 closed;
	struct task *o;

	mask &= ~UNBLOCKABLE;
	if (mask == signal_mask(t))
		return;
	sh = process_lock(p);
	closed = mask & ~signal_mask(t) & p->pending.set;
	mask_store(t, mask);
	signal_recalc_locked(t);
	/* What t was woken for and no longer takes is for another thread. */
	if (closed) {
		list_for_each(o, &p->threads, thread_link) {
			if (o != t && !o->exiting && (closed & ~signal_mask(o)))
				attend(o);
		}
	}
	process_unlock(sh);
}

/* ---- sending ------------------------------------------------------------------ */

void
siginfo_kernel(struct abi_siginfo *info, int signo)
{
	memset(info, 0, sizeof *info);
	info->si_signo = signo;
	info->si_code = SI_KERNEL;
}

void
siginfo_user(struct abi_siginfo *info, struct task *from, int signo, int code)
{
	memset(info, 0, sizeof *info);
	info->si_signo = signo;
	info->si_code = code;
	info->si_pid = from->process->pid;
	info->si_uid = from->cred->uid;
}

static bool
init_is_safe(const struct process *p, const struct abi_siginfo *info)
{
	return p == kernel.init && info->si_code <= 0 && !kernel.init_mortal;
}

/* Whether signo would do nothing to t, so that it need not be queued. */
static bool
is_ignored(struct process *p, struct task *t, const struct abi_siginfo *info)
{
	int signo = info->si_signo;
	uint64_t handler = p->sighand->action[signo - 1].handler;

	if (handler == ABI_SIG_DFL && init_is_safe(p, info) && (sigbit(signo) & UNBLOCKABLE))
		return true;
	if (t && ((signal_mask(t) | t->sigwait) & sigbit(signo)))
		return false;
	if (handler == ABI_SIG_DFL)
		return signal_is_default_ignored(signo) || init_is_safe(p, info);
	return handler == ABI_SIG_IGN;
}

/* SIGCONT and stops cancel each other, and SIGCONT continues even where it is ignored or blocked. */
static void
stop_interplay(struct process *p, int signo)
{
	if (signo == SIGCONT) {
		signal_forget_locked(p, STOP_SET);
		process_continue(p);
	} else if (sigbit(signo) & STOP_SET) {
		signal_forget_locked(p, sigbit(SIGCONT));
	}
}

static bool
wants(struct task *t, int signo)
{
	if (t->exiting)
		return false;
	if (signo == SIGKILL)
		return true;
	if ((signal_mask(t) & ~t->sigwait) & sigbit(signo))
		return false;
	return !t->stopped;
}

/* A thread that will take signo: an idle one rather than one that has its hands full. */
static struct task *
pick(struct process *p, int signo)
{
	struct task *t, *busy = NULL;

	list_for_each(t, &p->threads, thread_link) {
		if (!wants(t, signo))
			continue;
		if (atomic_load(&t->attention) == 0)
			return t;
		if (busy == NULL)
			busy = t;
	}
	return busy;
}

/* The action is to end the process, at once and without a core. */
static bool
is_fatal(struct process *p, struct task *t, const struct abi_siginfo *info)
{
	sigset64 bit = sigbit(info->si_signo);

	if (info->si_signo == SIGKILL)
		return true;
	return p->sighand->action[info->si_signo - 1].handler == ABI_SIG_DFL &&
	    (bit & (CORE_SET | STOP_SET | IGNORED_SET)) == 0 && (t->sigwait & bit) == 0 &&
	    !init_is_safe(p, info);
}

static void
complete(struct process *p, struct task *target, const struct abi_siginfo *info)
{
	struct task *t = target;

	if (t == NULL)
		t = pick(p, info->si_signo);
	else if (!wants(t, info->si_signo))
		t = NULL;
	if (t == NULL)
		return;
	if (is_fatal(p, t, info) && !p->group_exit)
		process_exit_locked(p, info->si_signo);
	else
		attend(t);
}

/* signo is pending for t, or for p when that is NULL: from now on a mask is what we see it to be. */
static void
make_pending(struct process *p, struct task *t, int signo)
{
	if (t != NULL) {
		t->pending.set |= sigbit(signo);
		if (t->ctx != NULL)
			ctx_ask(t->ctx, ANSWER_SIGMASK);
		return;
	}
	p->pending.set |= sigbit(signo);
	list_for_each(t, &p->threads, thread_link) {
		if (t->ctx != NULL)
			ctx_ask(t->ctx, ANSWER_SIGMASK);
	}
}

static uint64_t
pending_limit(struct process *p)
{
	/* Read without its lock, whose rank is outside ours; a limit being changed may count either way. */
	return __atomic_load_n(&p->rlim[RLIM_SIGPENDING].cur, __ATOMIC_RELAXED);
}

/* target NULL: to the process.  sighand held.  *queued: something changed that a signalfd may read. */
static int
send_locked(struct process *p, struct task *target, const struct abi_siginfo *info, bool *queued)
{
	struct sigpending *sp = target ? &target->pending : &p->pending;
	int signo = info->si_signo;
	struct sigqueue *q = NULL;
	struct task *asked = target;

	if (signo < 1 || signo > ABI_NSIG || p->group_exit || (target && target->exiting))
		return 0;
	stop_interplay(p, signo);
	if (asked == NULL)
		asked = list_first(&p->threads, struct task, thread_link);
	if (is_ignored(p, asked, info))
		return 0;
	if (signo < ABI_SIGRTMIN && (sp->set & sigbit(signo)))
		return 0;
	if ((signo < ABI_SIGRTMIN && info->si_code >= 0) || sp->count < pending_limit(p))
		q = obj_new(sigqueue);
	if (q) {
		q->info = *info;
		list_push_back(&sp->queue, &q->link);
		sp->count++;
	} else if (signo >= ABI_SIGRTMIN && info->si_code != SI_USER) {
		return -EAGAIN;
	}
	make_pending(p, target, signo);
	*queued = true;
	complete(p, target, info);
	return 0;
}

static int
send(struct process *p, struct task *target, const struct abi_siginfo *info)
{
	struct sighand *sh = process_lock(p);
	bool queued = false;
	int err = send_locked(p, target, info, &queued);

	process_unlock(sh);
	if (queued)
		waitq_wake(&signalfd_wq, 0);
	return err;
}

int
signal_queue_task(struct task *t, const struct abi_siginfo *info)
{
	return send(t->process, t, info);
}

int
signal_queue_process(struct process *p, const struct abi_siginfo *info)
{
	return send(p, NULL, info);
}

void
signal_send_task(struct task *t, const struct abi_siginfo *info)
{
	(void)send(t->process, t, info);
}

void
signal_send_process(struct process *p, const struct abi_siginfo *info)
{
	(void)send(p, NULL, info);
}

void
signal_kernel(struct process *p, int signo)
{
	struct abi_siginfo info;

	siginfo_kernel(&info, signo);
	signal_send_process(p, &info);
}

int
signal_send_pgrp(struct pidgroup *g, const struct abi_siginfo *info)
{
	struct process *p;
	int n = 0;

	mutex_lock(&kernel.tasks_mu);
	list_for_each(p, &g->members, pgrp_link) {
		signal_send_process(p, info);
		n++;
	}
	mutex_unlock(&kernel.tasks_mu);
	return n ? 0 : -ESRCH;
}

bool
signal_queue_timer_locked(struct process *p, struct task *t, struct sigqueue *q)
{
	struct sigpending *sp = t ? &t->pending : &p->pending;
	struct task *asked = t ? t : list_first(&p->threads, struct task, thread_link);

	if (p->group_exit || (t && t->exiting) || is_ignored(p, asked, &q->info))
		return false;
	q->is_timer = true;
	list_push_back(&sp->queue, &q->link);
	sp->count++;
	make_pending(p, t, q->info.si_signo);
	complete(p, t, &q->info);
	return true;
}

static bool
unqueue_timer(struct sigpending *sp, struct sigqueue *q)
{
	int signo = q->info.si_signo;
	struct sigqueue *o, *next;
	bool found = false, others = false;

	list_for_each_safe(o, next, &sp->queue, link) {
		if (o == q) {
			found = true;
			unqueue(sp, q);
		} else if (o->info.si_signo == signo) {
			others = true;
		}
	}
	if (found && !others)
		sp->set &= ~sigbit(signo);
	return found;
}

void
signal_unqueue_timer_locked(struct process *p, struct sigqueue *q)
{
	struct task *t;

	if (list_empty(&q->link) || unqueue_timer(&p->pending, q))
		return;
	list_for_each(t, &p->threads, thread_link) {
		if (unqueue_timer(&t->pending, q))
			return;
	}
}

void
signal_force(struct task *t, const struct abi_siginfo *info)
{
	struct process *p = t->process;
	sigset64 bit = sigbit(info->si_signo);
	struct sighand *sh = process_lock(p);
	struct abi_sigaction *a = &sh->action[info->si_signo - 1];
	bool queued = false;

	/* It cannot be put off: the same instruction would only fault again. */
	if ((signal_mask(t) & bit) || a->handler == ABI_SIG_IGN) {
		a->handler = ABI_SIG_DFL;
		mask_store(t, signal_mask(t) & ~bit);
	}
	/* A fault leaves no signal behind from before to be taken for it. */
	sigpending_drop(&t->pending, bit);
	(void)send_locked(p, t, info, &queued);
	signal_recalc_locked(t);
	process_unlock(sh);
}

/* ---- permission ----------------------------------------------------------------- */

static bool
same_session(struct process *a, struct process *b)
{
	struct session *sa = process_session_get(a), *sb = process_session_get(b);
	bool same = sa != NULL && sa == sb;

	session_put(sa);
	session_put(sb);
	return same;
}

int
signal_may_send(struct task *from, struct process *to, int signo)
{
	const struct cred *c = from->cred;
	struct task *leader;
	struct cred *tc;
	bool may;

	if (from->process == to)
		return 0;
	leader = process_leader_get(to);
	if (leader == NULL)
		return 0;
	tc = task_cred_get(leader);
	task_put(leader);
	may = tc == NULL || c->euid == tc->suid || c->euid == tc->uid || c->uid == tc->suid ||
	    c->uid == tc->uid || cred_has_cap(c, 5 /* CAP_KILL */);
	cred_put(tc);
	if (!may && signo == SIGCONT)
		may = same_session(from->process, to);
	return may ? 0 : -EPERM;
}

/* ---- exec and exit ----------------------------------------------------------------- */

void
signal_exec(struct task *t)
{
	struct process *p = t->process;
	struct sighand *sh;

	timers_exec(p);
	sh = process_lock(p);
	for (int i = 0; i < ABI_NSIG; i++) {
		struct abi_sigaction *a = &sh->action[i];

		if (a->handler != ABI_SIG_IGN)
			a->handler = ABI_SIG_DFL;
		a->flags = 0;
		a->mask = 0;
		a->restorer = 0;
	}
	process_unlock(sh);
	t->altstack_sp = t->altstack_size = 0;	/* its flags stay, as on Linux */
	t->restart.fn = NULL;
}

void
signal_release_task(struct task *t)
{
	struct sighand *sh = process_lock(t->process);

	sigpending_flush(&t->pending);
	process_unlock(sh);
}
