/* overlay: instances, the table of nodes, attributes; see overlay.h. */
#include "fs/overlay.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "base/kmem.h"
#include "fs/fs.h"

#define OVERLAYFS_MAGIC		0x794c7630
#define FIRST_INO		(1ULL << 48)	/* of nodes made here: above what hosts use */

KMEM_CACHE(overlay_node);
KMEM_CACHE(overlay_super);

static const struct inode_ops overlay_inode_ops;

/* ---- the table ------------------------------------------------------------------------- */

static int
cmp_tab(const struct tree_node *a, const struct tree_node *b)
{
	uintptr_t x = (uintptr_t)container_of(a, struct overlay_node, tab)->lower;
	uintptr_t y = (uintptr_t)container_of(b, struct overlay_node, tab)->lower;

	return x < y ? -1 : x > y;
}

static int
key_tab(const void *key, const struct tree_node *n)
{
	uintptr_t x = (uintptr_t)key, y = (uintptr_t)container_of(n, struct overlay_node, tab)->lower;

	return x < y ? -1 : x > y;
}

static struct tmpfs_node *
overlay_alloc(void)
{
	struct overlay_node *o = obj_new(overlay_node);

	return o ? &o->node : NULL;
}

static void
overlay_dealloc(struct tmpfs_node *n)
{
	obj_free(overlay_node, container_of(n, struct overlay_node, node));
}

/* Takes lower. */
static int
node_over(struct task *t, struct overlay_super *s, struct inode *lower, struct overlay_node **out)
{
	struct overlay_node *o;
	struct iattr a;
	int err = lower->ops->getattr(t, lower, &a);

	o = err ? NULL : obj_new(overlay_node);
	if (o == NULL) {
		inode_put(lower);
		return err ? err : -ENOMEM;
	}
	inode_init(&o->node.inode, s->ts.ops, &s->ts.super, a.mode, s->ts.rank);
	mutex_init(&o->node.amu, RANK_object);
	o->node.inode.attr_mu = &o->node.amu;
	list_init(&o->node.xattrs);
	tmpfs_dir_init(&o->node);
	o->node.inode.attr = a;
	o->lower = lower;
	atomic_init(&o->lower_data, S_ISREG(a.mode));
	atomic_init(&o->lower_xattrs, true);
	*out = o;
	return 0;
}

int
overlay_node_get(struct task *t, struct overlay_super *s, struct inode *lower, struct inode **out)
{
	struct overlay_node *fresh = NULL, *have;
	struct inode *got = NULL;

	for (;;) {
		mutex_lock(&s->tab_mu);
		have = tree_entry(tree_find(&s->tab, lower, key_tab), struct overlay_node, tab);
		if (have != NULL) {
			got = inode_tryget(&have->node.inode);
			if (got == NULL) {
				/* Its last reference is going: it makes room. */
				tree_remove(&s->tab, &have->tab);
				have->hashed = false;
			}
		}
		if (got == NULL && fresh != NULL) {
			fresh->hashed = tree_insert(&s->tab, &fresh->tab) == 0;
			got = &fresh->node.inode;
			fresh = NULL;
		}
		mutex_unlock(&s->tab_mu);
		if (got != NULL)
			break;
		int err = node_over(t, s, inode_get(lower), &fresh);

		if (err) {
			inode_put(lower);
			return err;
		}
	}
	if (fresh != NULL)
		inode_put(&fresh->node.inode);
	inode_put(lower);
	*out = got;
	return 0;
}

void
overlay_pin(struct inode *i)
{
	struct overlay_node *o = overlay_of(i);
	struct overlay_super *s = overlay_super_of(i);

	if (o->lower == NULL)
		return;
	mutex_lock(&s->tab_mu);
	if (!o->pinned && o->hashed) {
		o->pinned = true;
		inode_get(i);
	}
	mutex_unlock(&s->tab_mu);
}

void
overlay_unpin(struct inode *i)
{
	struct overlay_node *o = overlay_of(i);
	struct overlay_super *s = overlay_super_of(i);
	bool was;

	if (o->lower == NULL)
		return;
	mutex_lock(&s->tab_mu);
	was = o->pinned;
	o->pinned = false;
	mutex_unlock(&s->tab_mu);
	/* The caller has a reference of its own. */
	if (was)
		inode_put(i);
}

static void
overlay_free(struct inode *i)
{
	struct overlay_node *o = overlay_of(i);
	struct overlay_super *s = overlay_super_of(i);
	struct inode *lower = o->lower;

	mutex_lock(&s->tab_mu);
	if (o->hashed)
		tree_remove(&s->tab, &o->tab);
	mutex_unlock(&s->tab_mu);
	tmpfs_node_fini(&o->node);
	obj_free(overlay_node, o);
	inode_put(lower);
}

/* ---- any node ----------------------------------------------------------------------------- */

static int
overlay_setattr(struct task *t, struct inode *i, const struct iattr *attr, uint32_t which)
{
	int err;

	if (which & ATTR_SIZE) {
		err = overlay_copy_up(t, i, attr->size);
		if (err)
			return err;
	}
	err = tmpfs_setattr(t, i, attr, which);
	if (!err)
		overlay_pin(i);
	return err;
}

static int
overlay_readlink(struct task *t, struct inode *i, char *buf, size_t size)
{
	struct overlay_node *o = overlay_of(i);

	if (o->lower != NULL)
		return o->lower->ops->readlink(t, o->lower, buf, size);
	return tmpfs_readlink(t, i, buf, size);
}

static int
overlay_getxattr(struct task *t, struct inode *i, const char *name, void *buf, size_t size)
{
	/* ls -l asks every file for an ACL: no reason to ask the gofer. */
	int err = tmpfs_xattr_allowed(i, name);

	if (err)
		return err == -EPERM ? -ENODATA : err;
	err = overlay_import_xattrs(t, i);
	return err ? err : tmpfs_getxattr(t, i, name, buf, size);
}

static int
overlay_setxattr(struct task *t, struct inode *i, const char *name, const void *val, size_t size, uint32_t flags)
{
	int err = overlay_import_xattrs(t, i);

	if (!err)
		err = tmpfs_setxattr(t, i, name, val, size, flags);
	if (!err)
		overlay_pin(i);
	return err;
}

static int64_t
overlay_listxattr(struct task *t, struct inode *i, char *buf, size_t size)
{
	int err = overlay_import_xattrs(t, i);

	return err ? err : tmpfs_listxattr(t, i, buf, size);
}

static int
overlay_open(struct task *t, struct inode *i, uint32_t flags, struct file **out)
{
	if (S_ISDIR(i->type))
		return overlay_dir_open(t, i, flags, out);
	return overlay_file_open(t, i, flags, out);
}

static const struct inode_ops overlay_inode_ops = {
	.lookup = overlay_lookup,
	.create = overlay_create,
	.link = overlay_link,
	.unlink = overlay_unlink,
	.rmdir = overlay_rmdir,
	.rename = overlay_rename,
	.tmpfile = tmpfs_tmpfile,
	.open = overlay_open,
	.readlink = overlay_readlink,
	.followlink = inode_no_followlink,
	.getattr = tmpfs_getattr,
	.setattr = overlay_setattr,
	.permission = inode_any_permission,
	.getxattr = overlay_getxattr,
	.setxattr = overlay_setxattr,
	.listxattr = overlay_listxattr,
	.revalidate = inode_always_valid,
	.free = overlay_free,
};

/* ---- the instance ---------------------------------------------------------------------------- */

static void
overlay_super_free(struct super *super)
{
	struct overlay_super *s = container_of(super, struct overlay_super, ts.super);
	struct tree_node *n, *next;

	/* What was pinned has no name that leads to it any more. */
	do {
		struct overlay_node *o = NULL;

		mutex_lock(&s->tab_mu);
		for (n = tree_first(&s->tab); n != NULL && o == NULL; n = next) {
			next = tree_next(n);
			o = container_of(n, struct overlay_node, tab);
			if (!o->pinned)
				o = NULL;
		}
		if (o != NULL)
			o->pinned = false;
		mutex_unlock(&s->tab_mu);
		n = o ? &o->tab : NULL;
		if (o != NULL)
			inode_put(&o->node.inode);
	} while (n != NULL);
	super_put(s->lower);
	tmpfs_super_fini(&s->ts);
	mutex_fini(&s->tab_mu);
	obj_free(overlay_super, s);
}

static const struct super_ops overlay_super_ops = {
	.statfs = tmpfs_statfs,
	.show_options = super_show_none,
	.sync = super_sync_none,
	.free = overlay_super_free,
};

int
overlay_super(struct super *lower, struct super **out)
{
	struct tmpfs_options o = { .mode = 0755 };
	struct overlay_super *s = obj_new(overlay_super);
	int err;

	if (s == NULL)
		return -ENOMEM;
	err = tmpfs_super_init(&s->ts, &overlay_super_ops, "overlay", OVERLAYFS_MAGIC, &o);
	if (err) {
		obj_free(overlay_super, s);
		return err;
	}
	s->ts.ops = &overlay_inode_ops;
	s->ts.node_alloc = overlay_alloc;
	s->ts.node_dealloc = overlay_dealloc;
	atomic_store(&s->ts.next_ino, FIRST_INO);
	s->lower = super_get(lower);
	mutex_init(&s->tab_mu, RANK_object);
	tree_init(&s->tab, cmp_tab);
	err = overlay_node_get(NULL, s, inode_get(lower->root), &s->ts.super.root);
	if (err) {
		super_put(&s->ts.super);
		return err;
	}
	*out = &s->ts.super;
	return 0;
}
