/*
 * mount: the tree of mounts, and the text of a place in it.
 *
 * One reader-writer lock covers all trees.  A mount in a tree is counted once by the list of
 * children it is in (or by its mntns, if it is the root); its parent is borrowed and outlives it, since
 * detaching goes bottom-up.  A detached mount lives on with those who hold it, alone.
 */
#include "sentry/vfs/mount.h"

#include <fcntl.h>
#include <linux/mount.h>
#include <poll.h>
#include <string.h>
#include <sys/stat.h>

#include "abi/stat.h"
#include "base/kmem.h"
#include "sentry/kernel/task.h"
#include "sentry/vfs/dentry.h"
#include "sentry/vfs/inode.h"

#define MOUNT_LIMIT	100000	/* fs.mount-max */
#define COPY_DEPTH	100	/* of a recursive bind: it recurses */

KMEM_CACHE(mount);
KMEM_CACHE(mntns);

static struct rwlock tree_lock = RWLOCK_INIT(RANK_mount);
static _Atomic int32_t next_id = 20;
static _Atomic int32_t mount_count;
static _Atomic uint64_t changes;

struct waitq mounts_wq = {
	.mu = MUTEX_INIT(RANK_waitq), .waiters = LIST_INIT(mounts_wq.waiters),
};

static int
mount_new(struct super *s, struct dentry *root, uint64_t flags, const char *source, struct mount **out)
{
	struct mount *m;

	if (atomic_load(&mount_count) >= MOUNT_LIMIT)
		return -ENOSPC;
	m = obj_new(mount);
	if (m == NULL)
		return -ENOMEM;
	m->source = mem_strdup(source ? source : "none");
	if (m->source == NULL) {
		obj_free(mount, m);
		return -ENOMEM;
	}
	atomic_fetch_add(&mount_count, 1);
	ref_init(&m->ref, OBJ_mount);
	m->id = atomic_fetch_add(&next_id, 1);
	m->super = super_get(s);
	m->root = dentry_get(root);
	list_init(&m->children);
	list_init(&m->sibling);
	m->flags = (uint32_t)(flags & MOUNT_FLAGS);
	*out = m;
	return 0;
}

void
mount_release(struct mount *m)
{
	BUG_ON(!list_empty(&m->children));
	atomic_fetch_sub(&mount_count, 1);
	BUG_ON(m->mountpoint || m->left.mnt);
	dentry_put(m->root);
	super_put(m->super);
	mem_free(m->source);
	obj_free(mount, m);
}

int
mntns_new(struct super *root, uint64_t flags, const char *source, struct mntns **out)
{
	AUTO_PUT(dentry) d = dentry_new_root(root, root->root);
	struct mntns *ns = obj_new(mntns);
	int err = d && ns ? 0 : -ENOMEM;

	if (!err)
		err = mount_new(root, d, flags, source, &ns->root);
	if (err) {
		obj_free(mntns, ns);
		return err;
	}
	ref_init(&ns->ref, OBJ_mntns);
	ns->id = 0xf0000000u;
	ns->root->ns = ns;
	*out = ns;
	return 0;
}

/* ---- the tree -------------------------------------------------------------- */

uint64_t
mounts_changes(void)
{
	return atomic_load(&changes);
}

static void
tell(void)
{
	atomic_fetch_add(&changes, 1);
	waitq_wake(&mounts_wq, POLLERR | POLLPRI);
}

static void
attach_locked(struct mount *m, struct mount *parent, struct dentry *at)
{
	m->parent = parent;
	m->mountpoint = dentry_get(at);
	m->ns = parent->ns;
	atomic_fetch_add(&at->mounted, 1);
	list_push_back(&parent->children, &m->sibling);
	platform_names_changed();
	tell();
}

/*
 * Takes m out of its parent; the reference of the parent's list becomes the caller's.  *left is where it was,
 * counted: the parent must stay until the mountpoint, which borrows its super, has been put.
 */
static void
detach_locked(struct mount *m, struct path *left)
{
	list_remove(&m->sibling);
	atomic_fetch_sub(&m->mountpoint->mounted, 1);
	left->mnt = mount_get(m->parent);
	left->dentry = m->mountpoint;
	m->mountpoint = NULL;
	m->parent = NULL;
	m->ns = NULL;
	platform_names_changed();
	tell();
}

static struct mount *
child_at_locked(struct mount *parent, const struct dentry *at)
{
	struct mount *m;

	list_for_each(m, &parent->children, sibling) {
		if (m->mountpoint == at)
			return m;
	}
	return NULL;
}

bool
mount_cross_down(struct path *p)
{
	bool moved = false;

	while (p->mnt && atomic_load_explicit(&p->dentry->mounted, memory_order_acquire) != 0) {
		struct mount *m;

		rwlock_rdlock(&tree_lock);
		m = mount_get(child_at_locked(p->mnt, p->dentry));
		rwlock_rdunlock(&tree_lock);
		if (m == NULL)
			break;
		path_put(p);
		p->mnt = m;
		p->dentry = dentry_get(m->root);
		moved = true;
	}
	return moved;
}

bool
mount_cross_up(struct path *p)
{
	struct path up = { NULL, NULL };

	rwlock_rdlock(&tree_lock);
	if (p->mnt->parent) {
		up.mnt = mount_get(p->mnt->parent);
		up.dentry = dentry_get(p->mnt->mountpoint);
	}
	rwlock_rdunlock(&tree_lock);
	if (up.mnt == NULL)
		return false;
	path_put(p);
	*p = up;
	return true;
}

static int
type_check(const struct dentry *root, const struct dentry *at)
{
	bool is_dir = S_ISDIR(root->inode->type);

	if (dentry_unlinked(at))
		return -ENOENT;
	return is_dir == S_ISDIR(at->inode->type) ? 0 : -ENOTDIR;
}

/* Puts m (whose reference is consumed) on top of what is at p. */
static int
mount_graft(struct mntns *ns, const struct path *p, struct mount *m)
{
	struct path at = *p;
	int err = type_check(m->root, p->dentry);

	if (err) {
		mount_put(m);
		return err;
	}
	path_get(&at);
	(void)mount_cross_down(&at);
	rwlock_wrlock(&tree_lock);
	if (at.mnt->ns != ns)
		err = -EINVAL;
	else
		attach_locked(m, at.mnt, at.dentry);
	rwlock_wrunlock(&tree_lock);
	if (err)
		mount_put(m);
	path_put(&at);
	return err;
}

int
mount_at(struct mntns *ns, const struct path *p, struct super *super, struct dentry *root, uint64_t flags,
    const char *source)
{
	struct mount *m;
	int err = mount_new(super, root, flags, source, &m);

	return err ? err : mount_graft(ns, p, m);
}

/* Detaches m and all below it; they are chained through sibling, and their references are the chain's. */
static void
drop_tree_locked(struct mount *top, struct list *gone)
{
	struct mount *m = top, *parent, *child;

	/* Leaves first, without recursion: a guest decides how deep it is. */
	do {
		while ((child = list_first(&m->children, struct mount, sibling)) != NULL)
			m = child;
		parent = m->parent;
		detach_locked(m, &m->left);
		list_push_back(gone, &m->sibling);
		child = m;
		m = parent;
	} while (child != top);
}

/* The next mount of top's tree, parents before children; NULL at the end. */
static struct mount *
tree_next_locked(struct mount *m, const struct mount *top)
{
	if (!list_empty(&m->children))
		return list_entry(m->children.next, struct mount, sibling);
	while (m != top) {
		if (m->sibling.next != &m->parent->children)
			return list_entry(m->sibling.next, struct mount, sibling);
		m = m->parent;
	}
	return NULL;
}

static void
drop_gone(struct list *gone)
{
	struct mount *m;

	while ((m = list_first(gone, struct mount, sibling)) != NULL) {
		list_remove(&m->sibling);
		path_put(&m->left);
		mount_put(m);
	}
}

void
mntns_release(struct mntns *ns)
{
	struct list gone = LIST_INIT(gone);
	struct mount *root = ns->root, *child;

	rwlock_wrlock(&tree_lock);
	while ((child = list_first(&root->children, struct mount, sibling)) != NULL)
		drop_tree_locked(child, &gone);
	root->ns = NULL;
	rwlock_wrunlock(&tree_lock);
	drop_gone(&gone);
	mount_put(root);
	obj_free(mntns, ns);
}

int
mount_umount(struct mntns *ns, const struct path *p, bool lazy)
{
	struct list gone = LIST_INIT(gone);
	struct mount *m = p->mnt;
	int err = 0;

	if (m == NULL || p->dentry != m->root)
		return -EINVAL;
	rwlock_wrlock(&tree_lock);
	if (m->ns != ns || m->parent == NULL)
		err = -EINVAL;
	/* The tree's reference and the caller's; any other is a file, a directory or a task's root in it. */
	else if (!lazy && (!list_empty(&m->children) || ref_count(&m->ref) > 2))
		err = -EBUSY;
	else
		drop_tree_locked(m, &gone);
	rwlock_wrunlock(&tree_lock);
	drop_gone(&gone);
	return err;
}

int
mount_remount(const struct path *p, uint64_t flags)
{
	if (p->mnt == NULL || p->dentry != p->mnt->root)
		return -EINVAL;
	atomic_store(&p->mnt->flags, (uint32_t)(flags & MOUNT_FLAGS));
	tell();
	return 0;
}

/* Copies the mounts below `from` (within its dentry) onto the copy `to`; tree_lock held for reading by nobody. */
static int
copy_children(struct mount *from, struct mount *to, const struct dentry *within, unsigned depth)
{
	int err = depth > COPY_DEPTH ? -ENOSPC : 0;

	for (unsigned skip = 0; !err; skip++) {
		struct mount *child = NULL, *m, *copy = NULL;
		AUTO_PUT(dentry) at = NULL;
		unsigned n = 0;

		rwlock_rdlock(&tree_lock);
		list_for_each(m, &from->children, sibling) {
			if (n++ == skip) {
				child = mount_get(m);
				at = dentry_get(m->mountpoint);
				break;
			}
		}
		rwlock_rdunlock(&tree_lock);
		if (child == NULL)
			break;
		if (child != to && dentry_is_ancestor(within, at)) {
			err = mount_new(child->super, child->root, child->flags, child->source, &copy);
			if (!err) {
				rwlock_wrlock(&tree_lock);
				attach_locked(copy, to, at);
				rwlock_wrunlock(&tree_lock);
				err = copy_children(child, copy, child->root, depth + 1);
			}
		}
		mount_put(child);
	}
	return err;
}

int
mount_bind(struct mntns *ns, const struct path *from, const struct path *to, bool recursive)
{
	struct list gone = LIST_INIT(gone);
	struct mount *m;
	int err;

	if (from->mnt == NULL)
		return -EINVAL;
	err = mount_new(from->mnt->super, from->dentry, from->mnt->flags, from->mnt->source, &m);
	if (err)
		return err;
	mount_get(m);
	/* The children first, so that a bind of a tree into itself does not see the new mount. */
	if (recursive) {
		m->ns = ns;
		err = copy_children(from->mnt, m, from->dentry, 0);
		m->ns = NULL;
	}
	if (!err)
		err = mount_graft(ns, to, m);
	else
		mount_put(m);
	if (err) {
		struct mount *child;

		rwlock_wrlock(&tree_lock);
		while ((child = list_first(&m->children, struct mount, sibling)) != NULL)
			drop_tree_locked(child, &gone);
		rwlock_wrunlock(&tree_lock);
		drop_gone(&gone);
	}
	mount_put(m);
	return err;
}

int
mount_move(struct mntns *ns, const struct path *from, const struct path *to)
{
	struct path old = { NULL, NULL };
	struct mount *m = from->mnt, *up;
	int err;

	if (m == NULL || from->dentry != m->root || to->mnt == NULL)
		return -EINVAL;
	err = type_check(m->root, to->dentry);
	if (err)
		return err;
	rwlock_wrlock(&tree_lock);
	for (up = to->mnt; up && up != m; up = up->parent)
		;
	if (up)
		err = -ELOOP;
	else if (m->ns != ns || m->parent == NULL || to->mnt->ns != ns)
		err = -EINVAL;
	if (!err) {
		detach_locked(m, &old);
		attach_locked(m, to->mnt, to->dentry);
	}
	rwlock_wrunlock(&tree_lock);
	path_put(&old);
	return err;
}

/* ---- pivot_root ------------------------------------------------------------ */

struct repoint { const struct path *old, *new; };

/* Moves one task's root and working directory from the old root to the new. */
static bool
repoint_one(struct process *p, void *arg)
{
	struct repoint *r = arg;
	struct task *leader = process_leader_get(p);
	struct fsinfo *fs = leader ? task_fs_get(leader) : NULL;

	if (fs) {
		struct path drop[2] = { { NULL, NULL }, { NULL, NULL } };

		mutex_lock(&fs->mu);
		if (path_equal(&fs->root, r->old)) {
			drop[0] = fs->root;
			fs->root = *r->new;
			path_get(&fs->root);
		}
		if (path_equal(&fs->cwd, r->old)) {
			drop[1] = fs->cwd;
			fs->cwd = *r->new;
			path_get(&fs->cwd);
		}
		mutex_unlock(&fs->mu);
		path_put(&drop[0]);
		path_put(&drop[1]);
	}
	fsinfo_put(fs);
	task_put(leader);
	return true;
}

/* The mount that holds p, seen as a point below top: true when p is at or under top's root. */
static bool
is_below_locked(const struct path *p, const struct mount *top)
{
	const struct mount *m = p->mnt;

	while (m && m != top)
		m = m->parent;
	return m != NULL;
}

int
mount_pivot(struct task *t, const struct path *new_root, const struct path *put_old)
{
	struct mntns *ns = t->mntns;
	struct path old, at = *put_old, new = *new_root;
	struct path where = { NULL, NULL }, old_place = { NULL, NULL };
	struct mount *nm = new_root->mnt, *om;
	int err = 0;

	mutex_lock(&t->fs->mu);
	old = t->fs->root;
	path_get(&old);
	mutex_unlock(&t->fs->mu);
	om = old.mnt;
	rwlock_wrlock(&tree_lock);
	if (nm == om || at.mnt == om)
		err = -EBUSY;
	else if (old.dentry != om->root || new.dentry != nm->root || nm->parent == NULL ||
	    nm->ns != ns || om->ns != ns || !is_below_locked(&at, nm) || !is_below_locked(&new, om))
		err = -EINVAL;
	if (!err) {
		struct mount *above = om->parent;

		/* nm's list reference moves to where om's was; om gets a place below nm. */
		detach_locked(nm, &where);
		if (above) {
			detach_locked(om, &old_place);
			attach_locked(nm, above, old_place.dentry);
		} else {
			ns->root = nm;
			nm->ns = ns;
		}
		/* put_old == new_root: the old root goes on top of the new one. */
		attach_locked(om, at.mnt, at.dentry);
	}
	rwlock_wrunlock(&tree_lock);
	path_put(&where);
	path_put(&old_place);
	if (!err) {
		struct repoint r = { &old, &new };

		process_each(repoint_one, &r);
		platform_names_changed();
	}
	path_put(&old);
	return err;
}

int
mnt_want_write(const struct mount *m)
{
	if (m == NULL)
		return 0;
	return (atomic_load_explicit(&((struct mount *)(uintptr_t)m)->flags, memory_order_relaxed) & MS_RDONLY) ||
	    (m->super->flags & SUPER_RDONLY) ? -EROFS : 0;
}

/* ---- text ------------------------------------------------------------------ */

/* As path_text, with tree_lock held. */
static int
text_locked(const struct path *p, const struct path *root, char *buf, size_t size, size_t *pos)
{
	const struct mount *m = p->mnt;
	const struct dentry *d = p->dentry;

	while (m) {
		bool last = m == root->mnt && dentry_is_ancestor(root->dentry, d);
		int err = dentry_prepend(d, last ? root->dentry : m->root, buf, pos);

		if (err)
			return err;
		if (last)
			break;
		d = m->mountpoint;
		m = m->parent;
	}
	if (*pos == size - 1 || buf[*pos] != '/') {
		if (*pos == 0)
			return -ENAMETOOLONG;
		buf[--*pos] = '/';
	}
	if (m == NULL) {
		static const char mark[] = "(unreachable)";

		if (*pos < sizeof mark - 1)
			return -ENAMETOOLONG;
		*pos -= sizeof mark - 1;
		memcpy(buf + *pos, mark, sizeof mark - 1);
	}
	return 0;
}

int
path_text(const struct path *p, const struct path *root, bool deleted_mark, char *buf, size_t size)
{
	static const char mark[] = " (deleted)";
	size_t end = size - 1, pos;
	int err;

	if (size < sizeof mark + 1)
		return -ENAMETOOLONG;
	if (p->mnt == NULL) {
		dentry_name(p->dentry, buf, size);
		return 0;
	}
	deleted_mark = deleted_mark && dentry_unlinked(p->dentry);
	if (deleted_mark)
		end -= sizeof mark - 1;
	pos = end;
	rwlock_rdlock(&tree_lock);
	err = text_locked(p, root, buf, end + 1, &pos);
	rwlock_rdunlock(&tree_lock);
	if (err)
		return err;
	memmove(buf, buf + pos, end - pos);
	buf[end - pos] = '\0';
	if (deleted_mark)
		memcpy(buf + (end - pos), mark, sizeof mark);
	return 0;
}

/* Spaces and the like as octal, as /proc/mounts does. */
static void
put_escaped(struct strbuf *sb, const char *s)
{
	for (; *s; s++) {
		if (strchr(" \t\n\\#", *s))
			sb_printf(sb, "\\%03o", (unsigned char)*s);
		else
			sb_putc(sb, *s);
	}
}

static void
put_flags(struct strbuf *sb, uint32_t flags)
{
	sb_puts(sb, flags & MS_RDONLY ? "ro" : "rw");
	if (flags & MS_NOSUID)
		sb_puts(sb, ",nosuid");
	if (flags & MS_NODEV)
		sb_puts(sb, ",nodev");
	if (flags & MS_NOEXEC)
		sb_puts(sb, ",noexec");
	if (flags & MS_NOATIME)
		sb_puts(sb, ",noatime");
	if (flags & MS_NODIRATIME)
		sb_puts(sb, ",nodiratime");
	if (!(flags & MS_NOATIME))
		sb_puts(sb, ",relatime");
}

/* buf: room for two paths. */
static void
print_one_locked(const struct mount *m, const struct path *root, struct strbuf *sb, bool mountinfo, char *buf)
{
	struct path p = { (struct mount *)(uintptr_t)m, m->root };
	uint32_t flags = atomic_load(&p.mnt->flags);
	size_t pos = PATH_LIMIT - 1;

	buf[pos] = '\0';
	if (text_locked(&p, root, buf, PATH_LIMIT, &pos) || buf[pos] != '/')
		return;		/* not below this task's root */
	if (mountinfo) {
		char *inner = buf + PATH_LIMIT;
		size_t ipos = PATH_LIMIT - 1;

		inner[ipos] = '\0';
		/* What is too long lacks its beginning; there may be no room for another byte then. */
		if (dentry_prepend(m->root, NULL, inner, &ipos) == 0 && ipos == PATH_LIMIT - 1)
			inner[--ipos] = '/';
		sb_printf(sb, "%d %d %u:%u ", m->id, m->parent ? m->parent->id : 1,
		    abi_dev_major(m->super->dev), abi_dev_minor(m->super->dev));
		put_escaped(sb, inner + ipos);
		sb_putc(sb, ' ');
		put_escaped(sb, buf + pos);
		sb_putc(sb, ' ');
		put_flags(sb, flags);
		sb_printf(sb, " - %s ", m->super->fstype);
		put_escaped(sb, m->source);
		sb_puts(sb, m->super->flags & SUPER_RDONLY ? " ro" : " rw");
		m->super->ops->show_options(m->super, sb);
		sb_putc(sb, '\n');
		return;
	}
	put_escaped(sb, m->source);
	sb_putc(sb, ' ');
	put_escaped(sb, buf + pos);
	sb_printf(sb, " %s ", m->super->fstype);
	put_flags(sb, m->super->flags & SUPER_RDONLY ? flags | MS_RDONLY : flags);
	m->super->ops->show_options(m->super, sb);
	sb_puts(sb, " 0 0\n");
}

void
mount_print(struct task *t, struct strbuf *sb, bool mountinfo)
{
	AUTO_FREE char *buf = mem_alloc(2 * PATH_LIMIT);
	AUTO_PUT(fsinfo) fs = task_fs_get(t);	/* t may have exited */
	struct mount *m;
	struct path root;

	if (buf == NULL || fs == NULL)
		return;
	mutex_lock(&fs->mu);
	root = fs->root;
	path_get(&root);
	mutex_unlock(&fs->mu);
	rwlock_rdlock(&tree_lock);
	for (m = t->mntns->root; m; m = tree_next_locked(m, t->mntns->root))
		print_one_locked(m, &root, sb, mountinfo, buf);
	rwlock_rdunlock(&tree_lock);
	path_put(&root);
}

/* ---- paths as values ------------------------------------------------------- */

void
path_get(const struct path *p)
{
	mount_get(p->mnt);
	dentry_get(p->dentry);
}

void
path_put(struct path *p)
{
	struct path old = *p;

	p->mnt = NULL;
	p->dentry = NULL;
	/* The dentry first: it borrows the super that the mount keeps. */
	dentry_put(old.dentry);
	mount_put(old.mnt);
}

bool
path_equal(const struct path *a, const struct path *b)
{
	return a->mnt == b->mnt && a->dentry == b->dentry;
}

/* Syncs the filesystems that are mounted in t's tree. */
void
mounts_sync(struct task *t)
{
	struct super *supers[64];
	struct mount *m;
	unsigned n = 0;

	rwlock_rdlock(&tree_lock);
	for (m = t->mntns->root; m && n < ARRAY_LEN(supers); m = tree_next_locked(m, t->mntns->root))
		supers[n++] = super_get(m->super);
	rwlock_rdunlock(&tree_lock);
	while (n-- > 0) {
		(void)supers[n]->ops->sync(supers[n]);
		super_put(supers[n]);
	}
}
