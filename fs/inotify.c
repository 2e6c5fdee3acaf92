/*
 * inotify: what happens to files, told to whoever watches.  inotify(7).
 *
 * One lock covers every watch and queue: events are rare, and a node without watches costs one
 * load.  A watch holds the name it watches, so the node stays the one that the VFS reports on, but no
 * mount: with the last of these its filesystem ends, and the watch before it.
 */
#include <asm/ioctls.h>
#include <linux/inotify.h>
#include <poll.h>
#include <string.h>
#include <sys/stat.h>

#include "base/kmem.h"
#include "sentry/kernel/task.h"
#include "sentry/kernel/user.h"
#include "sentry/mm/usercopy.h"
#include "sentry/syscall/syscall.h"
#include "sentry/vfs/dentry.h"
#include "sentry/vfs/fdtable.h"
#include "sentry/vfs/file.h"
#include "sentry/vfs/mount.h"

#define QUEUE_LIMIT	16384	/* as /proc/sys/fs/inotify/max_queued_events says */
#define INSTANCE_LIMIT	128	/* max_user_instances */
#define WATCH_LIMIT	65536	/* max_user_watches */
#define NAME_STEP	sizeof(struct inotify_event)

struct event {
	struct list	link;
	int32_t		wd;
	uint32_t	mask, cookie, name_len;	/* without padding; 0: no name */
	char		name[NAME_LIMIT + 1];
};

struct inotify {
	struct file	file;		/* first */
	struct list	events, watches; /* [all] */
	struct event	overflow;	/* [all] among them, or not in use: something was lost there */
	uint32_t	nevents;	/* [all] */
	int32_t		last_wd;	/* [all] */
	struct user	*user;		/* [I] counted: who made it, and has its watches */
};

struct watch {
	struct list	on_inode, on_super, on_inotify;	/* [all] */
	struct inotify	*owner;		/* [all] borrowed: its watches go before it; NULL: it has, and the filesystem is going */
	struct dentry	*dentry;	/* [I] counted; its super is borrowed */
	int32_t		wd;		/* [I] */
	uint32_t	mask;		/* [all] */
};

struct watch_list {
	struct list	watches;	/* [all] watch.on_inode */
};

KMEM_CACHE(event);
KMEM_CACHE(inotify);
KMEM_CACHE(watch);
KMEM_CACHE(watch_list);

static struct mutex all_mu = MUTEX_INIT(RANK_object);
static _Atomic uint32_t watch_count;	/* none: a file operation costs one load */

static const struct file_ops inotify_ops;

static struct inotify *
inotify_of(struct file *f)
{
	return container_of(f, struct inotify, file);
}

/* Appends an event; one like the last is dropped, one too many or without memory becomes an overflow mark. all_mu held. */
static void
queue_event(struct inotify *in, int32_t wd, uint32_t mask, uint32_t cookie, const char *name)
{
	struct event *last = list_empty(&in->events) ? NULL : list_entry(in->events.prev, struct event, link);
	size_t len = name ? min(strlen(name), (size_t)NAME_LIMIT) : 0;
	struct event *e = NULL;

	if (last != NULL && last->wd == wd && last->mask == mask && last->cookie == cookie &&
	    last->name_len == len && memcmp(last->name, name ? name : "", len) == 0)
		return;
	if (in->nevents < QUEUE_LIMIT)
		e = obj_new(event);
	if (e == NULL) {
		/* One mark is enough until it has been read. */
		if (list_empty(&in->overflow.link)) {
			list_push_back(&in->events, &in->overflow.link);
			in->nevents++;
		}
		return;
	}
	e->wd = wd;
	e->mask = mask;
	e->cookie = cookie;
	e->name_len = (uint32_t)len;
	if (len > 0)
		memcpy(e->name, name, len);
	list_push_back(&in->events, &e->link);
	in->nevents++;
}

/* Unlinks w and tells its owner; the caller frees it by watch_free after unlocking. all_mu held. */
static void
watch_unlink(struct watch *w, bool tell)
{
	list_remove(&w->on_inode);
	list_remove(&w->on_super);
	list_remove(&w->on_inotify);
	user_uncharge(&w->owner->user->watches);
	if (tell)
		queue_event(w->owner, w->wd, IN_IGNORED, 0, NULL);
}

/*
 * The same, untold, by somebody who does not hold the place: counts its super, which must stay until watch_free is done.  NULL: the
 * super is going, and frees the watch.  all_mu held.
 */
static struct super *
watch_take(struct watch *w)
{
	struct super *s = super_tryget(w->dentry->super);

	if (s != NULL) {
		watch_unlink(w, false);
		return s;
	}
	list_remove(&w->on_inotify);
	user_uncharge(&w->owner->user->watches);
	w->owner = NULL;
	return NULL;
}

static void
watch_free(struct watch *w)
{
	dentry_put(w->dentry);
	atomic_fetch_sub(&watch_count, 1);
	obj_free(watch, w);
}

/* `orphan`: it comes from a child that has lost its name, of which IN_EXCL_UNLINK wants to hear nothing. */
static void
notify(struct inode *i, uint32_t mask, const char *name, uint32_t cookie, bool orphan)
{
	struct list gone = LIST_INIT(gone);
	struct watch_list *wl = atomic_load_explicit(&i->watches, memory_order_acquire);
	struct watch *w, *next;

	if (likely(wl == NULL))
		return;
	mutex_lock(&all_mu);
	list_for_each_safe(w, next, &wl->watches, on_inode) {
		bool wanted = (w->mask & mask & IN_ALL_EVENTS) && !(orphan && w->mask & IN_EXCL_UNLINK);

		if (w->owner == NULL)
			continue;
		if (wanted) {
			queue_event(w->owner, w->wd, mask, cookie, name);
			waitq_wake(w->owner->file.wq, POLLIN | POLLRDNORM);
		}
		if ((mask & IN_DELETE_SELF) || (wanted && (w->mask & IN_ONESHOT))) {
			watch_unlink(w, true);
			waitq_wake(w->owner->file.wq, POLLIN | POLLRDNORM);
			list_push_back(&gone, &w->on_inode);
		}
	}
	mutex_unlock(&all_mu);
	list_for_each_safe(w, next, &gone, on_inode) {
		list_remove(&w->on_inode);
		watch_free(w);
	}
}

void
fsnotify(struct inode *i, uint32_t mask, const char *name, uint32_t cookie)
{
	notify(i, mask, name, cookie, false);
}

void
fsnotify_dentry(struct dentry *d, uint32_t mask)
{
	struct inode *i = dentry_inode(d), *dir;
	struct dentry *parent;

	if (likely(atomic_load_explicit(&watch_count, memory_order_relaxed) == 0) || i == NULL)
		return;
	if (S_ISDIR(i->type))
		mask |= IN_ISDIR;
	/* The parent hears of it first, as on Linux. */
	parent = dentry_parent_get(d);
	dir = parent ? dentry_inode(parent) : NULL;
	if (dir != NULL && atomic_load(&dir->watches) != NULL) {
		char name[NAME_LIMIT + 1];

		dentry_name(d, name, sizeof name);
		notify(dir, mask, name, 0, dentry_unlinked(d));
	}
	dentry_put(parent);
	fsnotify(i, mask, NULL, 0);
}

void
fsnotify_parent(struct file *f, uint32_t mask)
{
	if (f->path.dentry && !(f->mode & FMODE_PATH))
		fsnotify_dentry(f->path.dentry, mask);
}

/* Its last mount is gone: every watch hears of it, whatever it asked for. */
void
fsnotify_unmount(struct super *s)
{
	struct watch *w;

	do {
		mutex_lock(&all_mu);
		w = list_first(&s->watches, struct watch, on_super);
		if (w != NULL && w->owner != NULL) {
			struct inotify *in = w->owner;

			queue_event(in, w->wd, IN_UNMOUNT | (S_ISDIR(dentry_inode(w->dentry)->type) ? IN_ISDIR : 0), 0, NULL);
			watch_unlink(w, true);
			waitq_wake(in->file.wq, POLLIN | POLLRDNORM);
		} else if (w != NULL) {
			list_remove(&w->on_inode);
			list_remove(&w->on_super);
		}
		mutex_unlock(&all_mu);
		if (w != NULL)
			watch_free(w);
	} while (w != NULL);
}

/* The node is going: a watch would have kept it, so the list is empty. */
void
watches_free(struct inode *i)
{
	struct watch_list *wl = atomic_load(&i->watches);

	BUG_ON(!list_empty(&wl->watches));
	atomic_store(&i->watches, NULL);
	obj_free(watch_list, wl);
}

/* ---- the descriptor ------------------------------------------------------------------ */

static uint32_t
padded_name(const struct event *e)
{
	return e->name_len ? (uint32_t)((e->name_len + 1 + NAME_STEP - 1) / NAME_STEP * NAME_STEP) : 0;
}

static int64_t
inotify_read(struct file *f, struct task *t, struct iobuf *dst)
{
	struct inotify *in = inotify_of(f);
	int64_t done = 0;

	(void)t;
	for (;;) {
		union { struct inotify_event head; char bytes[sizeof(struct inotify_event) + NAME_LIMIT + 1 + NAME_STEP]; } out;
		struct event *e;
		uint64_t size;
		int64_t n;

		mutex_lock(&all_mu);
		e = list_first(&in->events, struct event, link);
		size = e ? sizeof out.head + padded_name(e) : 0;
		if (e == NULL || size > iob_left(dst)) {
			mutex_unlock(&all_mu);
			if (done > 0)
				return done;
			return e == NULL ? -EAGAIN : -EINVAL;
		}
		list_remove(&e->link);
		in->nevents--;
		mutex_unlock(&all_mu);
		memset(&out, 0, sizeof out);
		out.head.wd = e->wd;
		out.head.mask = e->mask;
		out.head.cookie = e->cookie;
		out.head.len = padded_name(e);
		memcpy(out.bytes + sizeof out.head, e->name, e->name_len);
		if (e != &in->overflow)
			obj_free(event, e);
		n = iob_put(dst, out.bytes, size);
		if (n < 0)
			return done ? done : n;
		done += n;
	}
}

static uint32_t
inotify_ready(struct file *f, uint32_t events)
{
	struct inotify *in = inotify_of(f);
	bool some;

	mutex_lock(&all_mu);
	some = !list_empty(&in->events);
	mutex_unlock(&all_mu);
	return some ? events & (POLLIN | POLLRDNORM) : 0;
}

static int64_t
inotify_ioctl(struct file *f, struct task *t, uint32_t cmd, gaddr_t arg)
{
	struct inotify *in = inotify_of(f);
	struct event *e;
	uint32_t bytes = 0;

	if (cmd != FIONREAD)
		return -ENOTTY;
	mutex_lock(&all_mu);
	list_for_each(e, &in->events, link)
		bytes += (uint32_t)sizeof(struct inotify_event) + padded_name(e);
	mutex_unlock(&all_mu);
	return put_u32(t, arg, bytes);
}

static void
inotify_free(struct file *f)
{
	struct inotify *in = inotify_of(f);
	struct event *e, *next_event;
	struct watch *w;

	do {
		struct super *s = NULL;

		mutex_lock(&all_mu);
		w = list_first(&in->watches, struct watch, on_inotify);
		if (w != NULL)
			s = watch_take(w);
		mutex_unlock(&all_mu);
		if (s != NULL)
			watch_free(w);
		super_put(s);
	} while (w != NULL);
	list_remove(&in->overflow.link);
	list_for_each_safe(e, next_event, &in->events, link) {
		list_remove(&e->link);
		obj_free(event, e);
	}
	user_uncharge(&in->user->inotifies);
	user_put(in->user);
	file_fini(f);
	obj_free(inotify, in);
}

static const struct file_ops inotify_ops = {
	.kind = "inotify",
	.read = inotify_read,
	.write = file_no_write,
	.pread = file_no_pread,
	.pwrite = file_no_pwrite,
	.seek = file_no_seek,
	.readdir = file_no_readdir,
	.ready = inotify_ready,
	.ioctl = inotify_ioctl,
	.mmap = file_no_mmap,
	.fsync = file_no_fsync,
	.truncate = file_no_truncate,
	.fallocate = file_no_fallocate,
	.setflags = file_any_flags,
	.flush = file_no_flush,
	.free = inotify_free,
};

int64_t
sys_inotify_init1(struct task *t, int32_t flags)
{
	AUTO_PUT(file) f = NULL;
	AUTO_PUT(user) user = NULL;
	struct inotify *in;
	int err;

	if (flags & ~(O_NONBLOCK | O_CLOEXEC))
		return -EINVAL;
	user = user_get_uid(task_cred(t)->euid);
	if (user == NULL)
		return -ENOMEM;
	if (!user_charge(&user->inotifies, INSTANCE_LIMIT))
		return -EMFILE;
	in = obj_new(inotify);
	err = in == NULL ? -ENOMEM : file_init_anon(&in->file, &inotify_ops, "anon_inode:inotify", 0600,
	    O_RDONLY | (flags & O_NONBLOCK));
	if (err) {
		user_uncharge(&user->inotifies);
		obj_free(inotify, in);
		return err;
	}
	list_init(&in->events);
	list_init(&in->watches);
	list_init(&in->overflow.link);
	in->overflow.wd = -1;
	in->overflow.mask = IN_Q_OVERFLOW;
	in->user = steal(&user);
	f = &in->file;
	return fd_install(t, f, flags & O_CLOEXEC ? FD_CLOEXEC : 0);
}

int64_t
sys_inotify_init(struct task *t)
{
	return sys_inotify_init1(t, 0);
}

/* The list of a node's watches, made when there is none; NULL when out of memory. all_mu held. */
static struct watch_list *
watches_of(struct inode *i)
{
	struct watch_list *wl = atomic_load(&i->watches);

	if (wl == NULL) {
		wl = obj_new(watch_list);
		if (wl == NULL)
			return NULL;
		list_init(&wl->watches);
		atomic_store_explicit(&i->watches, wl, memory_order_release);
	}
	return wl;
}

/* Watches d, which the caller holds by a mount, or changes the watch that is there. Returns the descriptor. */
static int64_t
add_watch(struct inotify *in, struct dentry *d, uint32_t mask, struct watch *fresh, bool *kept)
{
	struct watch_list *wl;
	struct watch *w;
	int64_t wd;

	mutex_lock(&all_mu);
	wl = watches_of(dentry_inode(d));
	if (wl == NULL) {
		mutex_unlock(&all_mu);
		return -ENOMEM;
	}
	list_for_each(w, &wl->watches, on_inode) {
		if (w->owner == in) {
			wd = mask & IN_MASK_CREATE ? -EEXIST : w->wd;
			if (wd > 0)
				w->mask = mask & IN_MASK_ADD ? w->mask | mask : mask;
			mutex_unlock(&all_mu);
			return wd;
		}
	}
	/* Linux would begin again at the first free number, after 2^31 of them. */
	if (in->last_wd == INT32_MAX || !user_charge(&in->user->watches, WATCH_LIMIT)) {
		mutex_unlock(&all_mu);
		return -ENOSPC;
	}
	fresh->owner = in;
	fresh->dentry = dentry_get(d);
	fresh->mask = mask;
	fresh->wd = ++in->last_wd;
	list_push_back(&wl->watches, &fresh->on_inode);
	list_push_front(&d->super->watches, &fresh->on_super);
	list_push_back(&in->watches, &fresh->on_inotify);
	wd = fresh->wd;
	*kept = true;
	mutex_unlock(&all_mu);
	return wd;
}

int64_t
sys_inotify_add_watch(struct task *t, int32_t fd, gaddr_t pathname, uint32_t mask)
{
	AUTO_PUT(file) f = NULL;
	struct watch *fresh;
	struct path p;
	bool kept = false;
	int64_t wd;
	int err;

	if (!(mask & (IN_ALL_EVENTS | IN_UNMOUNT | IN_Q_OVERFLOW)))
		return -EINVAL;
	err = fd_get(t, fd, &f);
	if (err)
		return err;
	if ((mask & IN_MASK_ADD) && (mask & IN_MASK_CREATE))
		return -EINVAL;
	if (f->ops != &inotify_ops)
		return -EINVAL;
	err = path_walk_user(t, AT_FDCWD, pathname,
	    (mask & IN_DONT_FOLLOW ? 0 : WALK_FOLLOW) | (mask & IN_ONLYDIR ? WALK_DIRECTORY : 0), &p);
	if (err)
		return err;
	err = inode_permission(t, dentry_inode(p.dentry), MAY_READ);
	if (err) {
		path_put(&p);
		return err;
	}
	fresh = obj_new(watch);
	if (fresh == NULL) {
		path_put(&p);
		return -ENOMEM;
	}
	atomic_fetch_add(&watch_count, 1);
	wd = add_watch(inotify_of(f), p.dentry, mask, fresh, &kept);
	if (!kept) {
		atomic_fetch_sub(&watch_count, 1);
		obj_free(watch, fresh);
	}
	path_put(&p);
	return wd;
}

int64_t
sys_inotify_rm_watch(struct task *t, int32_t fd, int32_t wd)
{
	AUTO_PUT(file) f = NULL;
	struct watch *w, *found = NULL;
	struct super *s = NULL;
	int err = fd_get(t, fd, &f);

	if (err)
		return err;
	if (f->ops != &inotify_ops)
		return -EINVAL;
	mutex_lock(&all_mu);
	list_for_each(w, &inotify_of(f)->watches, on_inotify) {
		if (w->wd == wd) {
			found = w;
			break;
		}
	}
	/* One whose filesystem is going is told so, and no more there. */
	s = found != NULL ? super_tryget(found->dentry->super) : NULL;
	if (s != NULL)
		watch_unlink(found, true);
	mutex_unlock(&all_mu);
	if (s == NULL)
		return -EINVAL;
	waitq_wake(f->wq, POLLIN | POLLRDNORM);
	watch_free(found);
	super_put(s);
	return 0;
}
