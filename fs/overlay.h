/*
 * overlay: private to fs/overlay*.c.
 *
 * A tmpfs whose nodes may have a node of a read-only lower filesystem beneath them.  A directory's own
 * entries say what differs from its lower directory: another node, or a whiteout.  Everything that changes
 * stays in the overlay's inode, so nothing has to be copied but a file's data, on its first write:
 * renaming a lower directory moves one entry, and its inode keeps pointing at the lower one.
 *
 * An inode is found again by its lower one (`tab`), whatever name leads there; one that differs from
 * its lower is pinned there for as long as it has a name.
 */
#ifndef FS_OVERLAY_H
#define FS_OVERLAY_H

#include "fs/tmpfs.h"

struct overlay_super {
	struct tmpfs_super ts;		/* first */
	struct super	*lower;		/* [I] counted */
	struct mutex	tab_mu;		/* rank object */
	struct tree	tab;		/* [tab_mu] overlay_node by lower */
};

struct overlay_node {
	struct tmpfs_node node;		/* first */
	struct inode	*lower;		/* [I] counted; NULL: made here */
	struct tree_node tab;		/* [tab_mu] */
	bool		hashed, pinned;	/* [tab_mu] */
	_Atomic bool	lower_data;	/* the bytes are still the lower's; changes under mu, once */
	_Atomic bool	lower_xattrs;	/* not asked for yet */
};

static inline struct overlay_node *
overlay_of(struct inode *i)
{
	return container_of(tmpfs_of(i), struct overlay_node, node);
}
static inline struct overlay_super *
overlay_super_of(const struct inode *i)
{
	return container_of(tmpfs_super_of(i), struct overlay_super, ts);
}

/* ---- overlay.c ------------------------------------------------------------------------ */
/* The overlay's inode of a lower one, counted. Takes the lower reference, also on failure. */
int overlay_node_get(struct task *t, struct overlay_super *s, struct inode *lower, struct inode **out) MUST_CHECK;
/* It differs from its lower now: must not be forgotten. */
void overlay_pin(struct inode *i);
/* Its last name is gone. */
void overlay_unpin(struct inode *i);

/* ---- overlay_dir.c: dir's mu held as inode_ops say ---------------------------------------- */
int overlay_lookup(struct task *t, struct inode *dir, const char *name, struct inode **out);
int overlay_create(struct task *t, struct inode *dir, const char *name, uint32_t mode, uint64_t rdev,
    const char *target, struct inode **out);
int overlay_link(struct task *t, struct inode *dir, const char *name, struct inode *node);
int overlay_unlink(struct task *t, struct inode *dir, const char *name, struct inode *node);
int overlay_rmdir(struct task *t, struct inode *dir, const char *name, struct inode *node);
int overlay_rename(struct task *t, struct inode *olddir, const char *oldname, struct inode *node,
    struct inode *newdir, const char *newname, struct inode *target, uint32_t flags);
int overlay_dir_open(struct task *t, struct inode *i, uint32_t flags, struct file **out);

/* ---- overlay_copyup.c ------------------------------------------------------------------------ */
/* Makes the data the overlay's own; of a file that will be cut to `keep` bytes, only those are copied. */
int overlay_copy_up(struct task *t, struct inode *i, uint64_t keep) MUST_CHECK;
/* Makes the xattrs the overlay's own. */
int overlay_import_xattrs(struct task *t, struct inode *i) MUST_CHECK;
int overlay_file_open(struct task *t, struct inode *i, uint32_t flags, struct file **out);

#endif
