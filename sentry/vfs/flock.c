/*
 * flock: whole-file locks and record locks.  flock(2), fcntl(2) "Advisory record locking".
 *
 * Two families that do not see each other: whole-file locks, and records, which belong to a
 * descriptor table (POSIX) or to an open file (OFD).  One mutex covers all of them: they are rare and
 * short, and the search for deadlocks needs a view across inodes.
 */
#include "sentry/vfs/flock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "abi/errno.h"
#include "abi/stat.h"
#include "base/kmem.h"
#include "base/strbuf.h"
#include "sentry/kernel/task.h"
#include "sentry/vfs/dentry.h"

#define CHAIN_LIMIT	64	/* of the deadlock search */

enum kind { WHOLE, POSIX, OFD };

struct reclock {
	struct list	link;		/* flock_list.locks */
	enum kind	kind;
	bool		write;
	const void	*owner;		/* file, or fdtable of a POSIX lock: only compared */
	int32_t		pid;		/* for F_GETLK and /proc/locks */
	int64_t		start, end;	/* inclusive */
};

struct flock_list {
	struct list	locks;		/* [locks_mu] */
	struct waitq	wq;		/* woken when a lock goes */
	struct list	link;		/* [locks_mu] in all_lists */
	struct inode	*inode;		/* [I] borrowed: it owns the list */
};

/* A task asleep for a POSIX record. */
struct blocked {
	struct list	link;		/* [locks_mu] in all_blocked */
	const void	*owner, *by;
};

KMEM_CACHE(reclock);
KMEM_CACHE(flock_list);

static struct mutex locks_mu = MUTEX_INIT(RANK_object);
static struct list all_lists = LIST_INIT(all_lists);
static struct list all_blocked = LIST_INIT(all_blocked);

/* A layered filesystem's open files may not share an inode; their place does. */
static struct inode *
node_of(const struct file *f)
{
	return f->path.dentry && f->path.dentry->inode ? f->path.dentry->inode : f->inode;
}

static struct flock_list *
list_get(struct inode *i)
{
	struct flock_list *l = atomic_load(&i->flocks), *none = NULL;

	if (l)
		return l;
	l = obj_new(flock_list);
	if (l == NULL)
		return NULL;
	list_init(&l->locks);
	waitq_init(&l->wq);
	l->inode = i;
	if (!atomic_compare_exchange_strong(&i->flocks, &none, l)) {
		obj_free(flock_list, l);
		return none;
	}
	mutex_lock(&locks_mu);
	list_push_back(&all_lists, &l->link);
	mutex_unlock(&locks_mu);
	return l;
}

void
flocks_free(struct inode *i)
{
	struct flock_list *l = atomic_exchange(&i->flocks, NULL);
	struct reclock *r, *next;

	if (l == NULL)
		return;
	mutex_lock(&locks_mu);
	list_remove(&l->link);
	mutex_unlock(&locks_mu);
	list_for_each_safe(r, next, &l->locks, link) {
		list_remove(&r->link);
		obj_free(reclock, r);
	}
	obj_free(flock_list, l);
}

static bool
same_owner(const struct reclock *a, const struct reclock *b)
{
	return a->kind == b->kind && a->owner == b->owner;
}

/* A lock of someone else's that keeps `want` out, or NULL. */
static struct reclock *
conflict_locked(struct flock_list *l, const struct reclock *want)
{
	struct reclock *r;

	list_for_each(r, &l->locks, link) {
		if ((r->kind == WHOLE) != (want->kind == WHOLE) || same_owner(r, want))
			continue;
		if ((r->write || want->write) && r->start <= want->end && want->start <= r->end)
			return r;
	}
	return NULL;
}

/* Frees [start, end] of what `who` holds; *spare is used if a lock must be cut in two. True if anything went. */
static bool
carve_locked(struct flock_list *l, const struct reclock *who, struct reclock **spare)
{
	struct reclock *r, *next, *tail;
	bool any = false;

	list_for_each_safe(r, next, &l->locks, link) {
		if (!same_owner(r, who) || r->end < who->start || who->end < r->start)
			continue;
		any = true;
		if (r->start < who->start && r->end > who->end) {
			tail = *spare;
			*spare = NULL;
			*tail = *r;
			tail->start = who->end + 1;
			r->end = who->start - 1;
			list_insert_after(&r->link, &tail->link);
		} else if (r->start < who->start) {
			r->end = who->start - 1;
		} else if (r->end > who->end) {
			r->start = who->end + 1;
		} else {
			list_remove(&r->link);
			obj_free(reclock, r);
		}
	}
	return any;
}

/*
 * Adds r, joined with neighbours of the same owner and type.  Locks of one owner stand together and in
 * order, so F_GETLK names the lowest one in the way, as on Linux.
 */
static void
insert_locked(struct flock_list *l, struct reclock *r)
{
	struct reclock *o, *next;
	struct list *at;

	list_for_each_safe(o, next, &l->locks, link) {
		bool touches = (o->end == INT64_MAX || o->end + 1 >= r->start) &&
		    (r->end == INT64_MAX || r->end + 1 >= o->start);

		if (!same_owner(o, r) || o->write != r->write || !touches)
			continue;
		r->start = min(r->start, o->start);
		r->end = max(r->end, o->end);
		list_remove(&o->link);
		obj_free(reclock, o);
	}
	at = l->locks.prev;
	list_for_each(o, &l->locks, link) {
		if (!same_owner(o, r))
			continue;
		at = o->start < r->start ? &o->link : o->link.prev;
		if (o->start > r->start)
			break;
	}
	list_insert_after(at, &r->link);
}

/* Does waiting for `by` close a circle that ends at `owner`? */
static bool
deadlock_locked(const void *owner, const void *by)
{
	for (int n = 0; n < CHAIN_LIMIT && by; n++) {
		const struct blocked *b;
		const void *next = NULL;

		if (by == owner)
			return true;
		list_for_each(b, &all_blocked, link) {
			if (b->owner == by) {
				next = b->by;
				break;
			}
		}
		by = next;
	}
	return false;
}

/* One try to take `want`: 0, -EAGAIN (b filled and queued, if given), -EDEADLK, -ENOMEM. */
static int
try_lock(struct flock_list *l, const struct reclock *want, struct blocked *b)
{
	struct reclock *r = obj_new(reclock), *spare = obj_new(reclock), *other;
	bool freed = false;
	int err = r && spare ? 0 : -ENOMEM;

	if (!err) {
		mutex_lock(&locks_mu);
		if (b)
			list_remove(&b->link);
		/* Changing a whole-file lock lets go of it first: flock(2) says it is not atomic. */
		if (want->kind == WHOLE)
			freed = carve_locked(l, want, &spare);
		other = conflict_locked(l, want);
		if (other) {
			err = -EAGAIN;
			if (b && want->kind == POSIX && other->kind == POSIX) {
				b->owner = want->owner;
				b->by = other->owner;
				if (deadlock_locked(b->owner, b->by))
					err = -EDEADLK;
				else
					list_push_back(&all_blocked, &b->link);
			}
		} else {
			freed |= carve_locked(l, want, &spare);
			*r = *want;
			list_init(&r->link);
			insert_locked(l, r);
			r = NULL;
		}
		mutex_unlock(&locks_mu);
	}
	obj_free(reclock, r);
	obj_free(reclock, spare);
	if (freed)
		waitq_wake(&l->wq, 0);
	return err;
}

static int
do_lock(struct task *t, struct flock_list *l, const struct reclock *want, bool wait)
{
	struct blocked b;
	struct waiter w;
	int err;

	list_init(&b.link);
	if (!wait)
		return try_lock(l, want, NULL);
	waiter_arm(&w, t, &l->wq, 0);
	while ((err = try_lock(l, want, &b)) == -EAGAIN) {
		err = task_sleep(t, NO_DEADLINE);
		if (err)
			break;
	}
	waiter_disarm(&w);
	mutex_lock(&locks_mu);
	list_remove(&b.link);
	mutex_unlock(&locks_mu);
	return err;
}

static int
do_unlock(struct flock_list *l, const struct reclock *who)
{
	struct reclock *spare = obj_new(reclock);
	bool any;

	if (spare == NULL)
		return -ENOMEM;
	mutex_lock(&locks_mu);
	any = carve_locked(l, who, &spare);
	mutex_unlock(&locks_mu);
	obj_free(reclock, spare);
	if (any)
		waitq_wake(&l->wq, 0);
	return 0;
}

/* Everything of one owner goes; nothing can be cut, so nothing can fail. */
static void
drop_all(struct inode *i, enum kind kind, const void *owner)
{
	struct reclock who = { .kind = kind, .owner = owner, .start = 0, .end = INT64_MAX }, *spare = NULL;
	struct flock_list *l = atomic_load(&i->flocks);
	bool any;

	if (l == NULL)
		return;
	mutex_lock(&locks_mu);
	any = carve_locked(l, &who, &spare);
	mutex_unlock(&locks_mu);
	if (any)
		waitq_wake(&l->wq, 0);
}

void
flock_file_gone(struct file *f)
{
	struct inode *i = node_of(f);

	if (i == NULL || atomic_load(&i->flocks) == NULL)
		return;
	drop_all(i, WHOLE, f);
	drop_all(i, OFD, f);
}

void
flock_posix_close(struct fdtable *owner, struct file *f)
{
	struct inode *i = node_of(f);

	if (i && atomic_load(&i->flocks))
		drop_all(i, POSIX, owner);
}

int
flock_whole(struct task *t, struct file *f, int32_t op)
{
	struct reclock want = { .kind = WHOLE, .owner = f, .pid = t->process->pid, .end = INT64_MAX };
	struct flock_list *l;

	switch (op & ~LOCK_NB) {
	case LOCK_SH:
		break;
	case LOCK_EX:
		want.write = true;
		break;
	case LOCK_UN:
		drop_all(node_of(f), WHOLE, f);
		return 0;
	default:
		return -EINVAL;
	}
	if (!(f->mode & (FMODE_READ | FMODE_WRITE)))
		return -EBADF;
	l = list_get(node_of(f));
	return l ? do_lock(t, l, &want, !(op & LOCK_NB)) : -ENOMEM;
}

/* l's range as [start, end]. */
static int
range_of(struct task *t, struct file *f, const struct abi_flock *l, struct reclock *out)
{
	struct iattr a;
	int64_t base = 0, start, end;
	int err;

	switch (l->l_whence) {
	case SEEK_SET:
		break;
	case SEEK_CUR:
		mutex_lock(&f->pos_mu);
		base = f->pos;
		mutex_unlock(&f->pos_mu);
		break;
	case SEEK_END:
		err = f->inode->ops->getattr(t, f->inode, &a);
		if (err)
			return err;
		base = (int64_t)a.size;
		break;
	default:
		return -EINVAL;
	}
	if (ckd_add(&start, base, l->l_start))
		return -EOVERFLOW;
	if (start < 0)
		return -EINVAL;
	end = INT64_MAX;
	if (l->l_len > 0 && ckd_add(&end, start, l->l_len - 1))
		return -EOVERFLOW;
	if (l->l_len < 0) {
		/* The bytes before start. */
		end = start - 1;
		if (ckd_add(&start, start, l->l_len) || start < 0)
			return -EINVAL;
	}
	out->start = start;
	out->end = end;
	return 0;
}

static void
owner_of(struct task *t, struct file *f, bool ofd, struct reclock *out)
{
	out->kind = ofd ? OFD : POSIX;
	out->owner = ofd ? (const void *)f : (const void *)t->files;
	out->pid = ofd ? -1 : t->process->pid;
}

int
flock_record_get(struct task *t, struct file *f, struct abi_flock *l, bool ofd)
{
	struct reclock want = { .write = l->l_type == F_WRLCK };
	struct flock_list *list = atomic_load(&node_of(f)->flocks);
	struct reclock *other;
	int err;

	if (l->l_type != F_RDLCK && l->l_type != F_WRLCK)
		return -EINVAL;
	owner_of(t, f, ofd, &want);
	err = range_of(t, f, l, &want);
	if (err)
		return err;
	mutex_lock(&locks_mu);
	other = list ? conflict_locked(list, &want) : NULL;
	if (other) {
		l->l_type = other->write ? F_WRLCK : F_RDLCK;
		l->l_whence = SEEK_SET;
		l->l_start = other->start;
		l->l_len = other->end == INT64_MAX ? 0 : other->end - other->start + 1;
		l->l_pid = other->pid;
	} else {
		l->l_type = F_UNLCK;
	}
	mutex_unlock(&locks_mu);
	return 0;
}

int
flock_record_set(struct task *t, struct file *f, const struct abi_flock *l, bool ofd, bool wait)
{
	struct reclock want = { .write = l->l_type == F_WRLCK };
	struct flock_list *list;
	int err;

	owner_of(t, f, ofd, &want);
	err = range_of(t, f, l, &want);
	if (err)
		return err;
	switch (l->l_type) {
	case F_RDLCK:
		if (!(f->mode & FMODE_READ))
			return -EBADF;
		break;
	case F_WRLCK:
		if (!(f->mode & FMODE_WRITE))
			return -EBADF;
		break;
	case F_UNLCK:
		list = atomic_load(&node_of(f)->flocks);
		return list ? do_unlock(list, &want) : 0;
	default:
		return -EINVAL;
	}
	list = list_get(node_of(f));
	return list ? do_lock(t, list, &want, wait) : -ENOMEM;
}

void
flocks_print(struct strbuf *sb)
{
	static const char *const names[] = { "FLOCK ", "POSIX ", "OFDLCK" };
	struct flock_list *l;
	unsigned n = 1;

	mutex_lock(&locks_mu);
	list_for_each(l, &all_lists, link) {
		uint64_t dev = l->inode->super->dev;
		struct reclock *r;

		list_for_each(r, &l->locks, link) {
			sb_printf(sb, "%u: %s ADVISORY  %s %d %02x:%02x:%llu %lld ", n++, names[r->kind],
			    r->write ? "WRITE" : "READ ", r->pid, abi_dev_major(dev), abi_dev_minor(dev),
			    (unsigned long long)l->inode->attr.ino, (long long)r->start);
			if (r->end == INT64_MAX)
				sb_puts(sb, "EOF\n");
			else
				sb_printf(sb, "%lld\n", (long long)r->end);
		}
	}
	mutex_unlock(&locks_mu);
}
