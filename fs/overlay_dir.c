/*
 * overlay_dir: names: the entries of a directory here, over those of its lower directory.
 *
 * An entry that covers a lower name turns into a whiteout when its name goes; any other just goes.
 * Whether the lower has a name is known without asking: the VFS has looked it up before it changes it.
 */
#include <fcntl.h>
#include <linux/fs.h>
#include <string.h>
#include <sys/stat.h>

#include "base/kmem.h"
#include "fs/dirlist.h"
#include "fs/fs.h"
#include "fs/overlay.h"

struct overlay_dir {
	struct file	file;		/* first */
	struct dirlist	*list;		/* [pos_mu] */
};
KMEM_CACHE(overlay_dir);

/* ---- entries ------------------------------------------------------------------------------ */

/* Points name at i. covers: what a new entry says about the lower. The old inode's reference is dropped. */
static int
name_set(struct inode *dir, const char *name, struct inode *i, bool covers)
{
	struct tmpfs_node *d = tmpfs_of(dir);
	struct tmpfs_entry *e = tmpfs_find(d, name);
	int err;

	if (e != NULL) {
		inode_put(tmpfs_repoint(d, e, i));
		return 0;
	}
	err = tmpfs_enter(d, name, i);
	if (err)
		return err;
	e = tmpfs_find(d, name);
	e->covers = covers;
	overlay_pin(dir);
	return 0;
}

/* Makes sure that name has an entry here, so that clearing it cannot fail. */
static int
name_own(struct inode *dir, const char *name, struct inode *i)
{
	return tmpfs_find(tmpfs_of(dir), name) ? 0 : name_set(dir, name, i, true);
}

/* After name_own. */
static void
name_clear(struct inode *dir, const char *name)
{
	struct tmpfs_entry *e = tmpfs_find(tmpfs_of(dir), name);

	if (e->covers)
		inode_put(tmpfs_repoint(tmpfs_of(dir), e, NULL));
	else
		tmpfs_erase(tmpfs_of(dir), e);
}

static void
dir_changed(struct inode *dir, int subdirs)
{
	/* A host filesystem that does not count subdirectories says 1, and that stays. */
	if (subdirs && tmpfs_links(dir) > 1)
		(void)tmpfs_add_links(dir, subdirs);
	tmpfs_touch(dir, true);
	overlay_pin(dir);
}

/* A name of node is gone. */
static void
link_dropped(struct inode *node)
{
	/* A directory's were taken when it ended. */
	uint32_t left = S_ISDIR(node->type) ? 0 : tmpfs_add_links(node, -1);

	tmpfs_touch(node, false);
	if (left == 0)
		overlay_unpin(node);
	else
		overlay_pin(node);
}

static int
lower_lookup(struct task *t, struct inode *dir, const char *name, struct inode **out)
{
	struct inode *lower = overlay_of(dir)->lower;
	int err;

	if (lower == NULL)
		return -ENOENT;
	mutex_lock(&lower->mu);
	err = lower->ops->lookup(t, lower, name, out);
	mutex_unlock(&lower->mu);
	return err;
}

int
overlay_lookup(struct task *t, struct inode *dir, const char *name, struct inode **out)
{
	struct tmpfs_entry *e;
	struct inode *lower;
	int err;

	if (!S_ISDIR(dir->type))
		return -ENOTDIR;
	e = tmpfs_find(tmpfs_of(dir), name);
	if (e != NULL) {
		if (e->inode == NULL)
			return -ENOENT;
		*out = inode_get(e->inode);
		return 0;
	}
	err = lower_lookup(t, dir, name, &lower);
	return err ? err : overlay_node_get(t, overlay_super_of(dir), lower, out);
}

int
overlay_create(struct task *t, struct inode *dir, const char *name, uint32_t mode, uint64_t rdev,
    const char *target, struct inode **out)
{
	struct tmpfs_entry *e = tmpfs_find(tmpfs_of(dir), name);
	struct tmpfs_node *n;
	int err;

	if (tmpfs_links(dir) == 0)
		return -ENOENT;
	if (e != NULL && e->inode != NULL)
		return -EEXIST;
	err = tmpfs_make(t, dir, mode, rdev, target, &n);
	if (err)
		return err;
	/* Beside directories of a disk: one block, as those show it. */
	if (S_ISDIR(mode)) {
		n->inode.attr.size = PAGE_SIZE;
		n->inode.attr.blocks = PAGE_SIZE >> 9;
	}
	err = name_set(dir, name, &n->inode, false);
	if (err) {
		inode_put(&n->inode);
		return err;
	}
	dir_changed(dir, S_ISDIR(mode) ? 1 : 0);
	*out = &n->inode;
	return 0;
}

int
overlay_link(struct task *t, struct inode *dir, const char *name, struct inode *node)
{
	struct tmpfs_entry *e = tmpfs_find(tmpfs_of(dir), name);
	int err;

	(void)t;
	if (S_ISDIR(node->type))
		return -EPERM;
	if (tmpfs_links(dir) == 0)
		return -ENOENT;
	if (e != NULL && e->inode != NULL)
		return -EEXIST;
	err = tmpfs_link_more(node);
	if (err)
		return err;
	err = name_set(dir, name, node, false);
	if (err) {
		tmpfs_add_links(node, -1);
		return err;
	}
	tmpfs_link_done(node);
	overlay_pin(node);
	dir_changed(dir, 0);
	return 0;
}

int
overlay_unlink(struct task *t, struct inode *dir, const char *name, struct inode *node)
{
	int err = name_own(dir, name, node);

	(void)t;
	if (err)
		return err;
	name_clear(dir, name);
	link_dropped(node);
	dir_changed(dir, 0);
	return 0;
}

/* ---- merged lists ----------------------------------------------------------------------------- */

struct merge {
	struct dirsink	sink;		/* first */
	struct dirlist	*list;
	struct tmpfs_node *dir;
	int		err;
};

/* A lower name: counts unless an entry here says otherwise. */
static bool
merge_emit(struct dirsink *d, const char *name, size_t len, uint64_t ino, uint8_t dtype, int64_t next_pos)
{
	struct merge *m = container_of(d, struct merge, sink);
	char copy[NAME_LIMIT + 1];
	bool ours;

	(void)next_pos;
	if (len > NAME_LIMIT || (name[0] == '.' && (len == 1 || (len == 2 && name[1] == '.'))))
		return true;
	memcpy(copy, name, len);
	copy[len] = '\0';
	mutex_lock(&m->dir->amu);
	ours = tmpfs_find(m->dir, copy) != NULL;
	mutex_unlock(&m->dir->amu);
	if (!ours)
		m->err = dirlist_add(m->list, name, len, ino, dtype);
	return m->err == 0;
}

static int
merge_lower(struct task *t, struct merge *m, struct inode *lower)
{
	struct file *f;
	int err = lower->ops->open(t, lower, O_RDONLY | O_DIRECTORY, &f);

	if (err)
		return err;
	err = f->ops->readdir(f, t, &m->sink);
	file_put(f);
	return err ? err : m->err;
}

/* Everything in the directory, but "." and "..": one moment's when dir's mu is held. */
static int
merged_list(struct task *t, struct inode *dir, struct dirlist **out)
{
	struct overlay_node *o = overlay_of(dir);
	struct merge m = { .sink.emit = merge_emit, .list = dirlist_new(), .dir = &o->node };
	struct tree_node *n;
	int err = 0;

	if (m.list == NULL)
		return -ENOMEM;
	mutex_lock(&o->node.amu);
	for (n = tree_first(&o->node.positions); n != NULL && !err; n = tree_next(n)) {
		struct tmpfs_entry *e = container_of(n, struct tmpfs_entry, by_pos);

		if (e->inode != NULL)
			err = dirlist_add(m.list, e->name, e->len, e->inode->attr.ino,
			    (uint8_t)(e->inode->type >> 12));
	}
	mutex_unlock(&o->node.amu);
	if (!err && o->lower != NULL)
		err = merge_lower(t, &m, o->lower);
	if (err) {
		dirlist_put(m.list);
		return err;
	}
	*out = m.list;
	return 0;
}

/*
 * Ends a directory that has no names.  Its mu is not held, only that of the one above; but the lower's
 * names never change, and what was covered stays so: the last word is tmpfs_dir_kill's.
 */
static int
end_dir(struct task *t, struct inode *dir)
{
	struct dirlist *l;
	int err = merged_list(t, dir, &l);

	if (err)
		return err;
	err = l->count ? -ENOTEMPTY : tmpfs_dir_kill(tmpfs_of(dir));
	dirlist_put(l);
	return err;
}

int
overlay_rmdir(struct task *t, struct inode *dir, const char *name, struct inode *node)
{
	int err;

	if (!S_ISDIR(node->type))
		return -ENOTDIR;
	err = name_own(dir, name, node);
	if (!err)
		err = end_dir(t, node);
	if (err)
		return err;
	name_clear(dir, name);
	link_dropped(node);
	dir_changed(dir, -1);
	return 0;
}

static int
rename_exchange(struct inode *olddir, const char *oldname, struct inode *node, struct inode *newdir,
    const char *newname, struct inode *target)
{
	int moved = (S_ISDIR(node->type) ? 1 : 0) - (S_ISDIR(target->type) ? 1 : 0), err;

	err = name_own(olddir, oldname, node);
	if (!err)
		err = name_set(newdir, newname, node, true);
	if (err)
		return err;
	if (name_set(olddir, oldname, target, true) != 0)
		return -EIO;	/* cannot be: the entry is there */
	dir_changed(olddir, olddir == newdir ? 0 : -moved);
	dir_changed(newdir, olddir == newdir ? 0 : moved);
	tmpfs_touch(node, false);
	tmpfs_touch(target, false);
	overlay_pin(node);
	overlay_pin(target);
	return 0;
}

int
overlay_rename(struct task *t, struct inode *olddir, const char *oldname, struct inode *node,
    struct inode *newdir, const char *newname, struct inode *target, uint32_t flags)
{
	int subdir = S_ISDIR(node->type) ? 1 : 0, err;

	if (flags & ~(uint32_t)(RENAME_NOREPLACE | RENAME_EXCHANGE))
		return -EINVAL;
	if (tmpfs_links(newdir) == 0)
		return -ENOENT;
	if (flags & RENAME_EXCHANGE)
		return target ? rename_exchange(olddir, oldname, node, newdir, newname, target) : -ENOENT;
	if (target != NULL && flags & RENAME_NOREPLACE)
		return -EEXIST;
	/* First what can fail; owning a name changes nothing that anybody sees. */
	err = name_own(olddir, oldname, node);
	if (!err && target != NULL)
		err = name_own(newdir, newname, target);
	if (!err && target != NULL && S_ISDIR(target->type))
		err = end_dir(t, target);
	if (!err)
		err = name_set(newdir, newname, node, false);
	if (err)
		return err;
	name_clear(olddir, oldname);
	if (target != NULL)
		link_dropped(target);
	dir_changed(olddir, -subdir);
	dir_changed(newdir, target ? 0 : subdir);
	tmpfs_touch(node, false);
	overlay_pin(node);
	return 0;
}

/* ---- reading ------------------------------------------------------------------------------------- */

static int
overlay_readdir(struct file *f, struct task *t, struct dirsink *d)
{
	struct overlay_dir *od = container_of(f, struct overlay_dir, file);

	if (f->pos == 0) {
		dirlist_put(od->list);
		od->list = NULL;
	}
	if (od->list == NULL) {
		int err;

		mutex_lock(&f->inode->mu);
		err = merged_list(t, f->inode, &od->list);
		mutex_unlock(&f->inode->mu);
		if (err)
			return err;
	}
	dirlist_emit(od->list, f, d);
	return 0;
}

static void
overlay_dir_free(struct file *f)
{
	struct overlay_dir *od = container_of(f, struct overlay_dir, file);

	dirlist_put(od->list);
	file_fini(f);
	obj_free(overlay_dir, od);
}

static const struct file_ops overlay_dir_ops = {
	.kind = "overlay directory",
	.read = file_is_dir_read,
	.write = file_no_write,
	.pread = dir_no_pread,
	.pwrite = file_no_pwrite,
	.seek = file_seek_dir,
	.readdir = overlay_readdir,
	.ready = file_always_ready,
	.ioctl = file_no_ioctl,
	.mmap = file_no_mmap,
	.fsync = file_sync_ok,
	.truncate = file_no_truncate,
	.fallocate = file_no_fallocate,
	.setflags = file_any_flags,
	.flush = file_no_flush,
	.free = overlay_dir_free,
};

int
overlay_dir_open(struct task *t, struct inode *i, uint32_t flags, struct file **out)
{
	struct overlay_dir *od = obj_new(overlay_dir);

	(void)t;
	if (od == NULL)
		return -ENOMEM;
	file_init(&od->file, &overlay_dir_ops, i, flags);
	*out = &od->file;
	return 0;
}
