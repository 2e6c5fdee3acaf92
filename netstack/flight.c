/*
 * flight: sockets that are on their way in messages, and the cycles that they can make.  unix(7), SCM_RIGHTS.
 *
 * A socket whose last descriptors lie in its own queue, or in that of one that lies in its queue, is out of
 * reach, and its references never go away by themselves.  So sockets in flight are counted, and from time to time those
 * that nobody can reach are looked for.
 *
 * A message's sockets are counted before it is queued and until after it has left the queue.  So what is on its way in
 * or out is counted, but found in no queue, and that makes it one that somebody can reach.  A socket that all
 * references to are in flight can be had only by taking a message off a queue; whoever could take the first one
 * has a descriptor of its own.  A peek takes nothing off, and is kept out while a look is taken: it could have one that
 * was seen before and close the one that led there, which is seen after; then nobody would seem to reach either.
 */
#include "netstack/unix.h"

#include <linux/capability.h>

#include "abi/resource.h"
#include "sentry/kernel/task.h"
#include "sentry/kernel/user.h"

static struct mutex flight_mu = MUTEX_INIT(RANK_flight);
static struct list flying = LIST_INIT(flying);	/* [flight_mu] unix_sock.flight_link */
static uint32_t nflying, nsteps;		/* [flight_mu] sockets in flight; steps since the last look */

static struct unix_sock *
unix_of_file(struct file *f)
{
	struct sock *sk = sock_of_file(f);

	return sk != NULL && sk->family == ABI_AF_UNIX ? unix_of(sk) : NULL;
}

/* What a user has in flight is limited as if it were open still: it need not be, and so would have no limit. */
static int
charge(struct scm *s, struct task *t)
{
	bool exempt = task_capable(t, CAP_SYS_RESOURCE) || task_capable(t, CAP_SYS_ADMIN);

	s->user = user_get_uid(task_cred(t)->uid);
	if (s->user == NULL)
		return -ENOMEM;
	/* As on Linux the message that goes beyond is let through, and the next is not. */
	if (!exempt && atomic_load(&s->user->in_flight) > task_rlimit(t, ABI_RLIMIT_NOFILE)) {
		user_put(steal(&s->user));
		return -ETOOMANYREFS;
	}
	atomic_fetch_add(&s->user->in_flight, s->nfiles);
	return 0;
}

static void
uncharge(struct scm *s)
{
	if (s->user == NULL)
		return;
	atomic_fetch_sub(&s->user->in_flight, s->nfiles);
	user_put(steal(&s->user));
}

int
flight_enter(struct scm *s, struct task *t)
{
	int err = s->nfiles != 0 ? charge(s, t) : 0;

	if (err)
		return err;
	for (uint32_t i = 0; i < s->nfiles; i++) {
		struct unix_sock *u = unix_of_file(s->files[i]);

		if (u == NULL)
			continue;
		mutex_lock(&flight_mu);
		if (u->nflights++ == 0) {
			u->file = s->files[i];
			list_push_back(&flying, &u->flight_link);
			nflying++;
		}
		mutex_unlock(&flight_mu);
	}
	return 0;
}

void
flight_leave(struct scm *s)
{
	uncharge(s);
	for (uint32_t i = 0; i < s->nfiles; i++) {
		struct unix_sock *u = unix_of_file(s->files[i]);

		if (u == NULL)
			continue;
		mutex_lock(&flight_mu);
		if (--u->nflights == 0) {
			list_remove(&u->flight_link);
			nflying--;
		}
		mutex_unlock(&flight_mu);
	}
}

void
flight_peek_begin(void)
{
	mutex_lock(&flight_mu);
}

void
flight_peek_end(void)
{
	mutex_unlock(&flight_mu);
}

/* ---- out of reach ------------------------------------------------------------------ */

/* Calls fn for the suspects that lie in a queue. */
static void
each_in_queue(struct list *queue, void (*fn)(struct unix_sock *child, struct list *todo), struct list *todo)
{
	struct unix_msg *m;

	list_for_each(m, queue, link) {
		for (uint32_t i = 0; i < m->scm.nfiles; i++) {
			struct unix_sock *child = unix_of_file(m->scm.files[i]);

			if (child != NULL && child->suspect)
				fn(child, todo);
		}
	}
}

/* What u leads to: its queue, and those of connections that wait to be accepted. */
static void
each_below(struct unix_sock *u, void (*fn)(struct unix_sock *child, struct list *todo), struct list *todo)
{
	struct unix_sock *c;

	mutex_lock(&u->sock.mu);
	each_in_queue(&u->queue, fn, todo);
	list_for_each(c, &u->backlog, backlog_link) {
		/* From a listener down: nothing waits at one that waits itself. */
		mutex_lock_nested(&c->sock.mu);
		each_in_queue(&c->queue, fn, todo);
		mutex_unlock(&c->sock.mu);
	}
	mutex_unlock(&u->sock.mu);
}

static void
take_away(struct unix_sock *child, struct list *todo)
{
	(void)todo;
	child->unexplained--;
}

static void
acquit(struct unix_sock *u, struct list *todo)
{
	u->suspect = false;
	list_push_back(todo, &u->todo_link);
}

/* Takes the messages with files off u's queue. */
static void
seize_queue(struct unix_sock *u, struct list *seized)
{
	struct unix_msg *m, *next;

	list_for_each_safe(m, next, &u->queue, link) {
		if (m->scm.nfiles == 0)
			continue;
		list_remove(&m->link);
		u->queued -= m->len - m->off;
		u->nqueued--;
		list_push_back(seized, &m->link);
	}
}

static void
seize(struct unix_sock *u, struct list *seized)
{
	struct unix_sock *c;

	mutex_lock(&u->sock.mu);
	seize_queue(u, seized);
	list_for_each(c, &u->backlog, backlog_link) {
		mutex_lock_nested(&c->sock.mu);
		seize_queue(c, seized);
		mutex_unlock(&c->sock.mu);
	}
	mutex_unlock(&u->sock.mu);
}

static void
look_locked(struct list *seized)
{
	struct list todo = LIST_INIT(todo);
	struct unix_sock *u;

	list_for_each(u, &flying, flight_link) {
		u->suspect = ref_count(&u->file->ref) == u->nflights;
		u->unexplained = u->nflights;
	}
	/* What does not lie with another suspect lies with somebody that can be reached, and so can all that it leads to. */
	list_for_each(u, &flying, flight_link) {
		if (u->suspect)
			each_below(u, take_away, NULL);
	}
	list_for_each(u, &flying, flight_link) {
		if (u->suspect && u->unexplained != 0)
			acquit(u, &todo);
	}
	while ((u = list_first(&todo, struct unix_sock, todo_link)) != NULL) {
		list_remove(&u->todo_link);
		each_below(u, acquit, &todo);
	}
	list_for_each(u, &flying, flight_link) {
		if (!u->suspect)
			continue;
		u->suspect = false;
		seize(u, seized);
	}
}

void
flight_step(void)
{
	struct list seized = LIST_INIT(seized);
	struct unix_msg *m, *next;

	mutex_lock(&flight_mu);
	/* A look is at all that fly: half as many steps pay for it, since each may have brought one more. */
	if (nflying != 0 && ++nsteps >= nflying / 2) {
		nsteps = 0;
		look_locked(&seized);
	}
	mutex_unlock(&flight_mu);
	list_for_each_safe(m, next, &seized, link) {
		list_remove(&m->link);
		unix_msg_free(m);
	}
}
