/*
 * tmpfs_dir: names in memory.
 *
 * A directory has two trees over its entries: by name, and by the position that readdir shows, which
 * is handed out once and never again, so that a listing under way neither repeats nor skips what stays.
 */
#include <fcntl.h>
#include <linux/fs.h>
#include <string.h>
#include <sys/stat.h>

#include "base/kmem.h"
#include "fs/fs.h"
#include "fs/tmpfs.h"

#define FIRST_POS	2		/* after "." and ".." */
#define DIRENT_SIZE	20		/* what Linux's tmpfs counts per name in a directory's size */

KMEM_CACHE(tmpfs_entry);
KMEM_CACHE(file);

static int
cmp_names(const struct tree_node *a, const struct tree_node *b)
{
	return strcmp(container_of(a, struct tmpfs_entry, by_name)->name,
	    container_of(b, struct tmpfs_entry, by_name)->name);
}

static int
key_name(const void *key, const struct tree_node *n)
{
	return strcmp(key, container_of(n, struct tmpfs_entry, by_name)->name);
}

static int
cmp_pos(const struct tree_node *a, const struct tree_node *b)
{
	uint64_t x = container_of(a, struct tmpfs_entry, by_pos)->pos;
	uint64_t y = container_of(b, struct tmpfs_entry, by_pos)->pos;

	return x < y ? -1 : x > y;
}

static int
key_pos(const void *key, const struct tree_node *n)
{
	uint64_t pos, y = container_of(n, struct tmpfs_entry, by_pos)->pos;

	memcpy(&pos, key, sizeof pos);
	return pos < y ? -1 : pos > y;
}

/* ---- entries ------------------------------------------------------------------------------ */

void
tmpfs_dir_init(struct tmpfs_node *dir)
{
	tree_init(&dir->names, cmp_names);
	tree_init(&dir->positions, cmp_pos);
	dir->next_pos = FIRST_POS;
}

struct tmpfs_entry *
tmpfs_find(struct tmpfs_node *dir, const char *name)
{
	return tree_entry(tree_find(&dir->names, name, key_name), struct tmpfs_entry, by_name);
}

int
tmpfs_enter(struct tmpfs_node *dir, const char *name, struct inode *i)
{
	struct tmpfs_entry *e = obj_new(tmpfs_entry);
	int err;

	if (e == NULL)
		return -ENOMEM;
	e->name = mem_strdup(name);
	if (e->name == NULL) {
		obj_free(tmpfs_entry, e);
		return -ENOMEM;
	}
	e->len = (uint16_t)strlen(name);
	e->inode = i;
	mutex_lock(&dir->amu);
	err = dir->inode.attr.nlink == 0 ? -ENOENT : tree_insert(&dir->names, &e->by_name);
	if (!err) {
		e->pos = dir->next_pos++;
		BUG_ON(tree_insert(&dir->positions, &e->by_pos) != 0);
		inode_get(i);
	}
	mutex_unlock(&dir->amu);
	if (err) {
		mem_free(e->name);
		obj_free(tmpfs_entry, e);
	}
	return err;
}

void
tmpfs_erase(struct tmpfs_node *dir, struct tmpfs_entry *e)
{
	struct inode *i = e->inode;

	mutex_lock(&dir->amu);
	tree_remove(&dir->names, &e->by_name);
	tree_remove(&dir->positions, &e->by_pos);
	mutex_unlock(&dir->amu);
	mem_free(e->name);
	obj_free(tmpfs_entry, e);
	/* The VFS holds the node too: this is not the last reference while a lock is held. */
	inode_put(i);
}

struct inode *
tmpfs_repoint(struct tmpfs_node *dir, struct tmpfs_entry *e, struct inode *i)
{
	struct inode *old;

	mutex_lock(&dir->amu);
	old = e->inode;
	e->inode = inode_get(i);
	mutex_unlock(&dir->amu);
	return old;
}

int
tmpfs_dir_kill(struct tmpfs_node *dir)
{
	struct tree_node *n;

	mutex_lock(&dir->amu);
	for (n = tree_first(&dir->names); n != NULL; n = tree_next(n))
		if (container_of(n, struct tmpfs_entry, by_name)->inode != NULL)
			break;
	if (n == NULL) {
		dir->inode.attr.nlink = 0;
		dir->inode.attr.ctime = inode_now();
	}
	mutex_unlock(&dir->amu);
	return n ? -ENOTEMPTY : 0;
}

/* Moves the entries of dir to the list that the two trees of `to` are. */
static void
move_entries(struct tmpfs_node *dir, struct tree *to)
{
	struct tree_node *n;

	while ((n = tree_first(&dir->names)) != NULL) {
		struct tmpfs_entry *e = container_of(n, struct tmpfs_entry, by_name);

		tree_remove(&dir->names, &e->by_name);
		tree_remove(&dir->positions, &e->by_pos);
		e->pos = to->count;
		while (tree_insert(to, &e->by_pos) != 0)
			e->pos++;
	}
}

/* A whole tree of directories goes without recursion: how deep it is, is the guest's choice. */
void
tmpfs_dir_drop(struct tmpfs_node *dir)
{
	struct tree work;
	struct tree_node *n;

	tree_init(&work, cmp_pos);
	move_entries(dir, &work);
	while ((n = tree_last(&work)) != NULL) {
		struct tmpfs_entry *e = container_of(n, struct tmpfs_entry, by_pos);
		struct inode *i = e->inode;

		tree_remove(&work, n);
		if (i != NULL && S_ISDIR(i->type) && ref_count(&i->ref) == 1)
			move_entries(tmpfs_of(i), &work);
		mem_free(e->name);
		obj_free(tmpfs_entry, e);
		inode_put(i);
	}
}

/* ---- operations: the directory's mu held ---------------------------------------------------------- */

/* A name came (+1) or went (-1). */
static void
dir_changed(struct inode *dir, int names, int subdirs)
{
	struct tmpfs_node *n = tmpfs_of(dir);
	struct timespec64 now = inode_now();

	mutex_lock(&n->amu);
	dir->attr.mtime = dir->attr.ctime = now;
	dir->attr.size += (uint64_t)((int64_t)names * DIRENT_SIZE);
	dir->attr.nlink += (uint32_t)subdirs;
	mutex_unlock(&n->amu);
}

static bool
is_removed(struct inode *dir)
{
	return tmpfs_links(dir) == 0;
}

int
tmpfs_lookup(struct task *t, struct inode *dir, const char *name, struct inode **out)
{
	struct tmpfs_entry *e;

	(void)t;
	if (!S_ISDIR(dir->type))
		return -ENOTDIR;
	e = tmpfs_find(tmpfs_of(dir), name);
	if (e == NULL || e->inode == NULL)
		return -ENOENT;
	*out = inode_get(e->inode);
	return 0;
}

int
tmpfs_make(struct task *t, struct inode *dir, uint32_t mode, uint64_t rdev, const char *target,
    struct tmpfs_node **out)
{
	uint32_t uid, gid;
	int err;

	node_owner(t, dir, &mode, &uid, &gid);
	err = tmpfs_node_new(tmpfs_super_of(dir), mode, rdev, target, out);
	if (err)
		return err;
	(*out)->inode.attr.uid = uid;
	(*out)->inode.attr.gid = gid;
	return 0;
}

int
tmpfs_create(struct task *t, struct inode *dir, const char *name, uint32_t mode, uint64_t rdev,
    const char *target, struct inode **out)
{
	struct tmpfs_node *n;
	int err;

	if (is_removed(dir))
		return -ENOENT;
	if (tmpfs_find(tmpfs_of(dir), name) != NULL)
		return -EEXIST;
	err = tmpfs_make(t, dir, mode, rdev, target, &n);
	if (err)
		return err;
	err = tmpfs_enter(tmpfs_of(dir), name, &n->inode);
	if (err) {
		inode_put(&n->inode);
		return err;
	}
	dir_changed(dir, 1, S_ISDIR(mode) ? 1 : 0);
	*out = &n->inode;
	return 0;
}

int
tmpfs_tmpfile(struct task *t, struct inode *dir, uint32_t mode, struct inode **out)
{
	struct tmpfs_node *n;
	int err;

	mutex_lock(&dir->mu);
	err = tmpfs_make(t, dir, (mode & 07777) | S_IFREG, 0, NULL, &n);
	mutex_unlock(&dir->mu);
	if (err)
		return err;
	n->inode.attr.nlink = 0;
	n->linkable = true;
	*out = &n->inode;
	return 0;
}

static int
tmpfs_link(struct task *t, struct inode *dir, const char *name, struct inode *node)
{
	int err;

	(void)t;
	if (S_ISDIR(node->type))
		return -EPERM;
	if (is_removed(dir))
		return -ENOENT;
	err = tmpfs_link_more(node);
	if (err)
		return err;
	err = tmpfs_enter(tmpfs_of(dir), name, node);
	if (err) {
		tmpfs_add_links(node, -1);
		return err;
	}
	tmpfs_link_done(node);
	dir_changed(dir, 1, 0);
	return 0;
}

static int
tmpfs_unlink(struct task *t, struct inode *dir, const char *name, struct inode *node)
{
	struct tmpfs_entry *e = tmpfs_find(tmpfs_of(dir), name);

	(void)t;
	if (e == NULL || e->inode != node)
		return -ENOENT;
	tmpfs_add_links(node, -1);
	tmpfs_touch(node, false);
	tmpfs_erase(tmpfs_of(dir), e);
	dir_changed(dir, -1, 0);
	return 0;
}

static int
tmpfs_rmdir(struct task *t, struct inode *dir, const char *name, struct inode *node)
{
	struct tmpfs_entry *e = tmpfs_find(tmpfs_of(dir), name);
	int err;

	(void)t;
	if (e == NULL || e->inode != node)
		return -ENOENT;
	if (!S_ISDIR(node->type))
		return -ENOTDIR;
	err = tmpfs_dir_kill(tmpfs_of(node));
	if (err)
		return err;
	tmpfs_erase(tmpfs_of(dir), e);
	dir_changed(dir, -1, -1);
	return 0;
}

static void
exchange(struct inode *olddir, struct tmpfs_entry *from, struct inode *newdir, struct tmpfs_entry *to)
{
	struct inode *a = from->inode, *b = to->inode;
	int moved = (S_ISDIR(a->type) ? 1 : 0) - (S_ISDIR(b->type) ? 1 : 0);

	from->inode = b;
	to->inode = a;
	dir_changed(olddir, 0, olddir == newdir ? 0 : -moved);
	if (olddir != newdir)
		dir_changed(newdir, 0, moved);
	tmpfs_touch(a, false);
	tmpfs_touch(b, false);
}

static int
tmpfs_rename(struct task *t, struct inode *olddir, const char *oldname, struct inode *node,
    struct inode *newdir, const char *newname, struct inode *target, uint32_t flags)
{
	struct tmpfs_node *od = tmpfs_of(olddir), *nd = tmpfs_of(newdir), *white = NULL;
	struct tmpfs_entry *from = tmpfs_find(od, oldname), *to = tmpfs_find(nd, newname);
	int subdir = S_ISDIR(node->type) ? 1 : 0, err = 0;

	if (from == NULL || from->inode != node || is_removed(newdir))
		return -ENOENT;
	if (flags & RENAME_EXCHANGE) {
		if (to == NULL || to->inode == NULL)
			return -ENOENT;
		exchange(olddir, from, newdir, to);
		return 0;
	}
	if (to != NULL && flags & RENAME_NOREPLACE)
		return -EEXIST;
	if (to != NULL && to->inode != target)
		return -EBUSY;
	if (flags & RENAME_WHITEOUT)
		err = tmpfs_make(t, olddir, S_IFCHR, 0, NULL, &white);
	if (!err && to == NULL)
		err = tmpfs_enter(nd, newname, node);
	else if (!err && S_ISDIR(target->type))
		err = tmpfs_dir_kill(tmpfs_of(target));
	if (err) {
		if (white != NULL)
			inode_put(&white->inode);
		return err;
	}
	if (to != NULL) {
		inode_put(tmpfs_repoint(nd, to, node));
		if (!S_ISDIR(target->type))
			tmpfs_add_links(target, -1);
		tmpfs_touch(target, false);
	}
	if (white != NULL) {
		inode_put(tmpfs_repoint(od, from, &white->inode));
		inode_put(&white->inode);
	} else {
		tmpfs_erase(od, from);
	}
	dir_changed(olddir, white ? 0 : -1, -subdir);
	dir_changed(newdir, to ? 0 : 1, to ? 0 : subdir);
	tmpfs_touch(node, false);
	return 0;
}

/* ---- reading ------------------------------------------------------------------------------------- */

#define BATCH	32

struct dir_batch {
	unsigned n;
	struct { uint64_t ino, pos; uint16_t len; uint8_t dtype; char name[NAME_LIMIT + 1]; } e[BATCH];
};

/* Entries at or after pos: copied out, as the sink may touch guest memory, which no lock may be held for. */
static void
collect(struct tmpfs_node *dir, uint64_t pos, struct dir_batch *b)
{
	struct tree_node *n;

	b->n = 0;
	mutex_lock(&dir->inode.mu);
	for (n = tree_find_ge(&dir->positions, &pos, key_pos); n != NULL && b->n < BATCH; n = tree_next(n)) {
		struct tmpfs_entry *e = container_of(n, struct tmpfs_entry, by_pos);

		if (e->inode == NULL)
			continue;
		b->e[b->n].ino = e->inode->attr.ino;
		b->e[b->n].dtype = (uint8_t)(e->inode->type >> 12);
		b->e[b->n].pos = e->pos;
		b->e[b->n].len = e->len;
		memcpy(b->e[b->n].name, e->name, min((size_t)e->len, (size_t)NAME_LIMIT));
		b->n++;
	}
	mutex_unlock(&dir->inode.mu);
}

static int
tmpfs_readdir(struct file *f, struct task *t, struct dirsink *d)
{
	AUTO_FREE struct dir_batch *b = NULL;

	(void)t;
	if (!dir_emit_dots(f, d))
		return 0;
	b = mem_alloc(sizeof *b);
	if (b == NULL)
		return -ENOMEM;
	do {
		collect(tmpfs_of(f->inode), (uint64_t)f->pos, b);
		for (unsigned i = 0; i < b->n; i++) {
			if (!d->emit(d, b->e[i].name, b->e[i].len, b->e[i].ino, b->e[i].dtype,
			    (int64_t)b->e[i].pos + 1))
				return 0;
			f->pos = (int64_t)b->e[i].pos + 1;
		}
	} while (b->n == BATCH);
	return 0;
}

static void
tmpfs_dir_file_free(struct file *f)
{
	file_fini(f);
	obj_free(file, f);
}

static const struct file_ops tmpfs_dir_file_ops = {
	.kind = "tmpfs directory",
	.read = file_is_dir_read,
	.write = file_no_write,
	.pread = dir_no_pread,
	.pwrite = file_no_pwrite,
	.seek = file_seek_dir,
	.readdir = tmpfs_readdir,
	.ready = file_always_ready,
	.ioctl = file_no_ioctl,
	.mmap = file_no_mmap,
	.fsync = file_sync_ok,
	.truncate = file_no_truncate,
	.fallocate = file_no_fallocate,
	.setflags = file_any_flags,
	.flush = file_no_flush,
	.free = tmpfs_dir_file_free,
};

int
tmpfs_dir_open(struct task *t, struct inode *i, uint32_t flags, struct file **out)
{
	struct file *f = obj_new(file);

	(void)t;
	if (f == NULL)
		return -ENOMEM;
	file_init(f, &tmpfs_dir_file_ops, i, flags);
	*out = f;
	return 0;
}

static int
tmpfs_open(struct task *t, struct inode *i, uint32_t flags, struct file **out)
{
	return S_ISDIR(i->type) ? tmpfs_dir_open(t, i, flags, out) : tmpfs_file_open(t, i, flags, out);
}

const struct inode_ops tmpfs_inode_ops = {
	.lookup = tmpfs_lookup,
	.create = tmpfs_create,
	.link = tmpfs_link,
	.unlink = tmpfs_unlink,
	.rmdir = tmpfs_rmdir,
	.rename = tmpfs_rename,
	.tmpfile = tmpfs_tmpfile,
	.open = tmpfs_open,
	.readlink = tmpfs_readlink,
	.followlink = inode_no_followlink,
	.getattr = tmpfs_getattr,
	.setattr = tmpfs_setattr,
	.permission = inode_any_permission,
	.getxattr = tmpfs_getxattr,
	.setxattr = tmpfs_setxattr,
	.listxattr = tmpfs_listxattr,
	.revalidate = inode_always_valid,
	.free = tmpfs_free,
};
