/*
 * epoll: sets of files and what is ready in them.  epoll(7).
 *
 * Who may be touched when:
 *	graph_mu	which item is in which set and on which file's list (rank epolls)
 *	ep->mu		a set's tree, its ready list, its items' interest (rank epoll)
 *	fired		items whose file changed: a lock-free stack, since wake-ups come with a queue locked
 * An item is alive while it is in its set; others count it in `refs` under ep->mu.  It is in
 * its file's list exactly as long as it is in its set, so under graph_mu both ends exist.
 * ops->ready() is called with nothing held: sets can be nested.
 *
 * A wake-up of a file runs item_wake with that file's queue locked, and goes on to the queue of the
 * set, and of a set that holds it.  The sets form a graph without cycles (ELOOP), which orders those locks.
 */
#include "sentry/vfs/poll.h"

#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/stat.h>

#include "abi/errno.h"
#include "base/kmem.h"
#include "sentry/kernel/task.h"

#define NEST_LIMIT	5
#define PRIVATE_BITS	((uint32_t)(EPOLLWAKEUP | EPOLLONESHOT | EPOLLET | EPOLLEXCLUSIVE))
#define EXCLUSIVE_OK	((uint32_t)(EPOLLIN | EPOLLOUT | EPOLLERR | EPOLLHUP | EPOLLWAKEUP | EPOLLET | EPOLLEXCLUSIVE))

struct epitem;

struct epoll {
	struct file	 file;		/* first */
	struct mutex	 mu;		/* rank epoll */
	struct tree	 items;		/* [m], changes under graph_mu too */
	struct list	 ready;		/* [m] epitem.ready_link */
	uint32_t	 nready;	/* [m] */
	_Atomic(struct epitem *) fired;
	uint32_t	 gen, depth;	/* [epolls] of the last walk of the graph */
	uint32_t	 paths_gen, leaves_gen;	/* [epolls] */
	uint32_t	 paths[NEST_LIMIT];	/* [epolls] ways up to a set that is in none, by the sets between */
};

struct epitem {
	struct tree_node node;		/* by (fd, file) */
	struct waiter	 w;		/* on file->wq */
	struct list	 ready_link;	/* [m] */
	struct list	 file_link;	/* [epolls] file->epoll_items */
	struct epoll	*ep;		/* [I] borrowed */
	struct file	*f;		/* [I] borrowed: its release removes the item */
	int32_t		 fd;		/* [I] */
	_Atomic uint32_t events;	/* written under m */
	uint64_t	 data;		/* [m] */
	uint32_t	 refs;		/* [m] */
	bool		 dead, in_ready;	/* [m] */
	_Atomic bool	 queued;	/* in fired */
	struct epitem	*next_fired;
};

KMEM_CACHE(epoll);
KMEM_CACHE(epitem);

static struct mutex graph_mu = MUTEX_INIT(RANK_epolls);
static uint32_t graph_gen;		/* [epolls] */
static const struct file_ops epoll_ops;

static struct epoll *
epoll_of(const struct file *f)
{
	return container_of(f, struct epoll, file);
}

bool
file_is_epoll(const struct file *f)
{
	return f->ops == &epoll_ops;
}

struct item_key { int32_t fd; const struct file *f; };

static int
key_compare(int32_t afd, const struct file *a, int32_t bfd, const struct file *b)
{
	if (afd != bfd)
		return afd < bfd ? -1 : 1;
	return a == b ? 0 : (uintptr_t)a < (uintptr_t)b ? -1 : 1;
}

static int
item_cmp(const struct tree_node *a, const struct tree_node *b)
{
	const struct epitem *x = container_of(a, struct epitem, node);
	const struct epitem *y = container_of(b, struct epitem, node);

	return key_compare(x->fd, x->f, y->fd, y->f);
}

static int
item_key_cmp(const void *key, const struct tree_node *n)
{
	const struct item_key *k = key;
	const struct epitem *y = container_of(n, struct epitem, node);

	return key_compare(k->fd, k->f, y->fd, y->f);
}

static struct epitem *
item_find_locked(struct epoll *ep, int32_t fd, const struct file *f)
{
	struct item_key k = { fd, f };

	return tree_entry(tree_find(&ep->items, &k, item_key_cmp), struct epitem, node);
}

/* ---- becoming ready -------------------------------------------------------- */

/* As waitq_wake, from within another queue's wake-up. */
static void
wake_nested(struct waitq *q)
{
	struct waiter *w, *next;

	if (atomic_fetch_add(&q->armed, 0) == 0)
		return;
	mutex_lock_nested(&q->mu);
	list_for_each_safe(w, next, &q->waiters, link) {
		bool exclusive = w->exclusive;

		if (exclusive) {
			list_remove(&w->link);
			list_push_back(&q->waiters, &w->link);
		}
		if (w->fn)
			w->fn(w, POLLIN);
		else
			task_wake(w->task);
		if (exclusive)
			break;
	}
	mutex_unlock(&q->mu);
}

/* The file's queue is locked: only the stack and the set's queue may be touched. */
static void
item_wake(struct waiter *w, uint32_t events)
{
	struct epitem *it = container_of(w, struct epitem, w);
	struct epoll *ep = it->ep;
	uint32_t want = atomic_load_explicit(&it->events, memory_order_relaxed) & ~PRIVATE_BITS;

	if (want == 0 || (events != 0 && (events & want) == 0))
		return;
	if (!atomic_exchange(&it->queued, true)) {
		it->next_fired = atomic_load_explicit(&ep->fired, memory_order_relaxed);
		while (!atomic_compare_exchange_weak(&ep->fired, &it->next_fired, it))
			;
	}
	wake_nested(&ep->file.own_wq);
}

static void
ready_add_locked(struct epoll *ep, struct epitem *it)
{
	if (it->dead || it->in_ready)
		return;
	it->in_ready = true;
	list_push_back(&ep->ready, &it->ready_link);
	ep->nready++;
}

static void
ready_drop_locked(struct epoll *ep, struct epitem *it)
{
	if (!it->in_ready)
		return;
	it->in_ready = false;
	list_remove(&it->ready_link);
	ep->nready--;
}

/* Moves what fired to the ready list, oldest first. */
static void
drain_locked(struct epoll *ep)
{
	struct epitem *it = atomic_exchange(&ep->fired, NULL), *rev = NULL, *next;

	for (; it; it = next) {
		next = it->next_fired;
		it->next_fired = rev;
		rev = it;
	}
	for (it = rev; it; it = next) {
		next = it->next_fired;
		atomic_store(&it->queued, false);
		ready_add_locked(ep, it);
	}
}

/* Drops a count of it; ep->mu held on entry, not on return. */
static void
item_unref_unlock(struct epoll *ep, struct epitem *it)
{
	bool last = --it->refs == 0;

	mutex_unlock(&ep->mu);
	if (last)
		obj_free(epitem, it);
}

/* ---- membership ------------------------------------------------------------ */

/* graph_mu held. */
static void
item_remove(struct epitem *it)
{
	struct epoll *ep = it->ep;

	waiter_disarm(&it->w);
	list_remove(&it->file_link);
	mutex_lock(&ep->mu);
	drain_locked(ep);	/* it may have fired: now it is in the list or nowhere */
	ready_drop_locked(ep, it);
	tree_remove(&ep->items, &it->node);
	it->dead = true;
	item_unref_unlock(ep, it);
}

void
epoll_file_gone(struct file *f)
{
	struct epitem *it;

	mutex_lock(&graph_mu);
	while ((it = list_first(&f->epoll_items, struct epitem, file_link)) != NULL)
		item_remove(it);
	mutex_unlock(&graph_mu);
}

/* How deep sets are nested below e, itself included; -ELOOP when `find` is among them. */
static int
depth_below(struct epoll *e, const struct epoll *find)
{
	int deepest = 0;

	if (e == find)
		return -ELOOP;
	if (e->gen == graph_gen)
		return (int)e->depth;
	for (struct tree_node *n = tree_first(&e->items); n; n = tree_next(n)) {
		const struct epitem *it = container_of(n, struct epitem, node);
		int d;

		if (!file_is_epoll(it->f))
			continue;
		d = depth_below(epoll_of(it->f), find);
		if (d < 0)
			return d;
		deepest = max(deepest, d);
	}
	e->gen = graph_gen;
	e->depth = (uint32_t)deepest + 1;
	return deepest + 1;
}

/* How many sets are above e, itself included. */
static int
depth_above(struct epoll *e)
{
	struct epitem *it;
	int deepest = 0;

	if (e->gen == graph_gen)
		return (int)e->depth;
	list_for_each(it, &e->file.epoll_items, file_link) {
		int d = depth_above(it->ep);

		deepest = max(deepest, d);
	}
	e->gen = graph_gen;
	e->depth = (uint32_t)deepest + 1;
	return deepest + 1;
}

/* May `inner` become a member of ep? graph_mu held.  No path is ever longer than NEST_LIMIT, so neither is a recursion. */
static int
nest_check(struct epoll *ep, struct epoll *inner)
{
	int below, above;

	graph_gen++;
	below = depth_below(inner, ep);
	if (below < 0)
		return below;
	graph_gen++;
	above = depth_above(ep);
	return below + above > NEST_LIMIT ? -ELOOP : 0;
}

/* A wake-up takes every way up from a file: without a limit their number is a power of the number of sets. As Linux has it. */
static const uint32_t path_limits[NEST_LIMIT] = { UINT32_MAX, 500, 100, 50, 10 };

static void
paths_add(uint32_t *to, uint32_t n)
{
	if (ckd_add(to, *to, n))
		*to = UINT32_MAX;
}

/* graph_mu held. */
static void
paths_above(struct epoll *e)
{
	struct epitem *it;

	if (e->paths_gen == graph_gen)
		return;
	memset(e->paths, 0, sizeof e->paths);
	e->paths[0] = list_empty(&e->file.epoll_items);
	list_for_each(it, &e->file.epoll_items, file_link) {
		paths_above(it->ep);
		for (unsigned n = 0; n + 1 < NEST_LIMIT; n++)
			paths_add(&e->paths[n + 1], it->ep->paths[n]);
	}
	e->paths_gen = graph_gen;
}

static bool
few_paths(const struct file *f)
{
	uint32_t sum[NEST_LIMIT] = { 0 };
	struct epitem *it;

	list_for_each(it, &f->epoll_items, file_link) {
		paths_above(it->ep);
		for (unsigned n = 1; n < NEST_LIMIT; n++) {
			paths_add(&sum[n], it->ep->paths[n]);
			if (sum[n] > path_limits[n])
				return false;
		}
	}
	return true;
}

/* Of f, or of all files in it when it is a set. */
static bool
few_paths_below(struct file *f)
{
	struct epoll *e;

	if (!file_is_epoll(f))
		return few_paths(f);
	e = epoll_of(f);
	if (e->leaves_gen == graph_gen)
		return true;
	e->leaves_gen = graph_gen;
	for (struct tree_node *n = tree_first(&e->items); n; n = tree_next(n)) {
		if (!few_paths_below(container_of(n, struct epitem, node)->f))
			return false;
	}
	return true;
}

/* Puts it in its set and on its file's list. graph_mu held. */
static int
item_link(struct epitem *it)
{
	struct epoll *ep = it->ep;
	int err;

	mutex_lock(&ep->mu);
	err = tree_insert(&ep->items, &it->node);
	mutex_unlock(&ep->mu);
	if (err)
		return err;
	list_push_back(&it->f->epoll_items, &it->file_link);
	if (!file_is_epoll(it->f) && list_empty(&ep->file.epoll_items))
		return 0;
	graph_gen++;
	if (few_paths_below(it->f))
		return 0;
	list_remove(&it->file_link);
	mutex_lock(&ep->mu);
	tree_remove(&ep->items, &it->node);
	mutex_unlock(&ep->mu);
	return -EINVAL;
}

static int
item_add(struct epoll *ep, int32_t fd, struct file *f, uint32_t events, uint64_t data, struct epitem **out)
{
	struct epitem *it = obj_new(epitem);
	int err = 0;

	if (it == NULL)
		return -ENOMEM;
	it->ep = ep;
	it->f = f;
	it->fd = fd;
	it->data = data;
	it->events = events;
	it->refs = 2;		/* the set's and the caller's */
	list_init(&it->ready_link);
	waiter_init_fn(&it->w, item_wake);
	it->w.exclusive = events & EPOLLEXCLUSIVE;
	mutex_lock(&graph_mu);
	if (file_is_epoll(f))
		err = nest_check(ep, epoll_of(f));
	if (!err)
		err = item_link(it);
	if (!err) {
		atomic_store(&f->epolled, true);
		/* MOD may not touch an exclusive one, so the queue can filter for it. */
		waiter_queue(&it->w, f->wq, events & EPOLLEXCLUSIVE ? events & ~PRIVATE_BITS : 0);
	}
	mutex_unlock(&graph_mu);
	if (err) {
		obj_free(epitem, it);
		return err;
	}
	*out = it;
	return 0;
}

/* Something may be ready already: asks, and queues it if so.  Consumes the caller's count of it. */
static void
item_check(struct epoll *ep, struct epitem *it, struct file *f)
{
	uint32_t want = it->events & ~PRIVATE_BITS;
	bool is_ready = (f->ops->ready(f, want) & want) != 0;

	mutex_lock(&ep->mu);
	if (is_ready)
		ready_add_locked(ep, it);
	item_unref_unlock(ep, it);
	if (is_ready)
		waitq_wake(&ep->file.own_wq, POLLIN);
}

static int
item_delete(struct epoll *ep, int32_t fd, const struct file *f)
{
	struct epitem *it;

	mutex_lock(&graph_mu);
	mutex_lock(&ep->mu);
	it = item_find_locked(ep, fd, f);
	mutex_unlock(&ep->mu);
	if (it)
		item_remove(it);
	mutex_unlock(&graph_mu);
	return it ? 0 : -ENOENT;
}

int
epoll_change(struct task *t, struct file *epf, int op, int32_t fd, struct file *f, const struct abi_epoll_event *ev)
{
	struct epoll *ep;
	struct epitem *it;
	uint32_t events = ev->events | EPOLLERR | EPOLLHUP;
	int err;

	(void)t;
	if (f->ops->ready == file_always_ready)
		return -EPERM;
	if (epf == f || !file_is_epoll(epf))
		return -EINVAL;
	ep = epoll_of(epf);
	if (op != EPOLL_CTL_DEL && (events & EPOLLEXCLUSIVE)) {
		if (op == EPOLL_CTL_MOD)
			return -EINVAL;
		if (op == EPOLL_CTL_ADD && (file_is_epoll(f) || (events & ~EXCLUSIVE_OK)))
			return -EINVAL;
	}
	switch (op) {
	case EPOLL_CTL_ADD:
		err = item_add(ep, fd, f, events, ev->data, &it);
		if (!err)
			item_check(ep, it, f);
		return err;
	case EPOLL_CTL_DEL:
		return item_delete(ep, fd, f);
	case EPOLL_CTL_MOD:
		mutex_lock(&ep->mu);
		it = item_find_locked(ep, fd, f);
		if (it == NULL || (it->events & EPOLLEXCLUSIVE)) {
			mutex_unlock(&ep->mu);
			return it ? -EINVAL : -ENOENT;
		}
		it->events = events;
		it->data = ev->data;
		it->refs++;
		mutex_unlock(&ep->mu);
		item_check(ep, it, f);
		return 0;
	default:
		return -EINVAL;
	}
}

/* ---- taking ---------------------------------------------------------------- */

/*
 * Looks at the first item of the ready list. 1: it is ready (filled *out when out is given, else
 * it stays in front); 0: it was not, and left the list; -1: the list is empty.
 */
static int
take_one(struct epoll *ep, struct abi_epoll_event *out)
{
	struct epitem *it;
	struct file *f;
	uint32_t events, got = 0;

	mutex_lock(&ep->mu);
	it = list_first(&ep->ready, struct epitem, ready_link);
	if (it == NULL) {
		mutex_unlock(&ep->mu);
		return -1;
	}
	ready_drop_locked(ep, it);
	it->refs++;
	f = file_tryget(it->f);
	events = it->events;
	mutex_unlock(&ep->mu);
	if (f && (events & ~PRIVATE_BITS))
		got = f->ops->ready(f, events & ~PRIVATE_BITS) & events;
	mutex_lock(&ep->mu);
	if (it->dead)
		got = 0;
	if (got && out == NULL) {
		ready_add_locked(ep, it);
	} else if (got) {
		out->events = got;
		out->data = it->data;
		if (events & EPOLLONESHOT)
			it->events &= PRIVATE_BITS;
		else if (!(events & EPOLLET))
			ready_add_locked(ep, it);	/* level: it is looked at again next time */
	}
	item_unref_unlock(ep, it);
	file_put(f);
	return got != 0;
}

static uint32_t
ready_count(struct epoll *ep)
{
	uint32_t n;

	mutex_lock(&ep->mu);
	drain_locked(ep);
	n = ep->nready;
	mutex_unlock(&ep->mu);
	return n;
}

static uint32_t
collect(struct epoll *ep, struct abi_epoll_event *out, uint32_t max)
{
	/* Each item at most once: level-triggered ones go to the end of the list. */
	uint32_t looks = ready_count(ep), n = 0;

	while (looks-- > 0 && n < max) {
		int r = take_one(ep, &out[n]);

		if (r < 0)
			break;
		n += (uint32_t)r;
	}
	return n;
}

int64_t
epoll_take(struct task *t, struct file *epf, struct abi_epoll_event *out, uint32_t max, uint64_t deadline_ns)
{
	struct epoll *ep = epoll_of(epf);
	struct waiter w;
	uint32_t n = collect(ep, out, max);
	int err = 0;

	if (n == 0 && deadline_ns != 0) {
		waiter_init(&w, t);
		w.exclusive = true;
		waiter_queue(&w, &epf->own_wq, POLLIN);
		while ((n = collect(ep, out, max)) == 0 && !err)
			err = task_sleep(t, deadline_ns);
		waiter_disarm(&w);
	}
	/* What is left, or a wake-up that was not used, is for the next one who waits. */
	if (atomic_load(&epf->own_wq.armed) && ready_count(ep) > 0)
		waitq_wake(&epf->own_wq, POLLIN);
	if (n > 0)
		return n;
	return err && err != -ETIMEDOUT ? -EINTR : 0;
}

/* ---- the file -------------------------------------------------------------- */

static uint32_t
epoll_ready(struct file *f, uint32_t events)
{
	struct epoll *ep = epoll_of(f);
	uint32_t looks = ready_count(ep);
	int r = 0;

	(void)events;
	while (looks-- > 0 && r == 0)
		r = take_one(ep, NULL);
	return r == 1 ? POLLIN | POLLRDNORM : 0;
}

static void
epoll_free(struct file *f)
{
	struct epoll *ep = epoll_of(f);
	struct tree_node *n;

	mutex_lock(&graph_mu);
	while ((n = tree_first(&ep->items)) != NULL)
		item_remove(container_of(n, struct epitem, node));
	mutex_unlock(&graph_mu);
	mutex_fini(&ep->mu);
	file_fini(f);
	obj_free(epoll, ep);
}

static const struct file_ops epoll_ops = {
	.kind = "epoll",
	.read = file_no_read,
	.write = file_no_write,
	.pread = file_no_pread,
	.pwrite = file_no_pwrite,
	.seek = file_no_seek,
	.readdir = file_no_readdir,
	.ready = epoll_ready,
	.ioctl = file_no_ioctl,
	.mmap = file_no_mmap,
	.fsync = file_no_fsync,
	.truncate = file_no_truncate,
	.fallocate = file_no_fallocate,
	.setflags = file_any_flags,
	.flush = file_no_flush,
	.free = epoll_free,
};

int
epoll_new(struct file **out)
{
	struct epoll *ep = obj_new(epoll);
	int err;

	if (ep == NULL)
		return -ENOMEM;
	err = file_init_anon(&ep->file, &epoll_ops, "anon_inode:[eventpoll]", 0600, O_RDWR);
	if (err) {
		obj_free(epoll, ep);
		return err;
	}
	mutex_init(&ep->mu, RANK_epoll);
	tree_init(&ep->items, item_cmp);
	list_init(&ep->ready);
	*out = &ep->file;
	return 0;
}
