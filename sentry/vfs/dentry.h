/*
 * dentry: a cached name: (parent, name) -> inode, or the knowledge that there is none.
 *
 * A child holds a reference to its parent.  The children of a dentry and the cache's
 * LRU are covered by the lock `dcache`; the names of one directory change under the directory inode's mu.
 *
 * A dentry that is hashed can be found by name.  The cache itself holds one reference to each
 * hashed dentry (in the LRU), except in a SUPER_NOCACHE super, where a name lives only while
 * somebody holds it.  inode never changes: a name that comes into being replaces a negative dentry.
 */
#ifndef SENTRY_VFS_DENTRY_H
#define SENTRY_VFS_DENTRY_H

#include "base/list.h"
#include "base/ref.h"
#include "base/tree.h"

struct inode;
struct path;
struct super;
struct task;

struct dentry {
	struct ref	 ref;
	struct dentry	*parent;	/* counted; NULL for a root; changes under rename + dcache */
	struct inode	*inode;		/* [I] counted; NULL: negative */
	struct super	*super;		/* [I] borrowed */
	struct tree_node node;		/* [dcache] in parent->children */
	struct tree	 children;	/* [dcache] */
	struct list	 lru;		/* [dcache] */
	bool		 hashed;	/* [dcache] still reachable by name; false after unlink */
	bool		 in_lru;	/* [dcache] the cache holds a reference */
	bool		 linkable;	/* [I] an O_TMPFILE that may be given a name */
	_Atomic bool	 dead;		/* a directory that was removed: nothing can be made in it */
	_Atomic uint32_t mounted;	/* mounts that sit on it */
	uint32_t	 name_len;	/* [dcache] */
	char		*name;		/* [dcache] owned; no NUL inside, NUL-terminated */
	char		 short_name[40]; /* where name points when it fits */
};

struct dentry *dentry_new_root(struct super *s, struct inode *root);	/* takes neither reference; NULL when out of memory */
/* A dentry for an object without a name in any directory: "pipe:[5]", "memfd:x", "anon_inode:[eventfd]". */
struct dentry *dentry_new_anon(const char *name, struct inode *inode);

/* A child without a findable name (O_TMPFILE); counted. */
int dentry_new_unhashed(struct dentry *parent, const char *name, struct inode *inode, struct dentry **out) MUST_CHECK;
/* Borrowed; NULL when negative. */
static inline struct inode *
dentry_inode(const struct dentry *d)
{
	return d->inode;
}
/*
 * The child's dentry, counted, by the cache or the filesystem; -ENOENT when there is none (remembered).
 * No lock held; parent is a directory; name is neither "." nor "..".  No permission check.
 */
int dentry_lookup(struct task *t, struct dentry *parent, const char *name, size_t len, struct dentry **out) MUST_CHECK;
/* The same with the directory's mu held: what the names say right now. */
int dentry_lookup_locked(struct task *t, struct dentry *parent, const char *name, size_t len, struct dentry **out) MUST_CHECK;
/* Enters a name that was just made, in place of what was cached; dir->mu held. *out counted (out may be NULL). */
int dentry_add(struct dentry *parent, const char *name, struct inode *inode, struct dentry **out) MUST_CHECK;
/* Drops what is cached about a name (something changed it behind the VFS's back). */
void dentry_forget(struct dentry *parent, const char *name);
/* The name is gone (unlink); d lives on with its holders. */
void dentry_unhash(struct dentry *d);
/* Moves d to (parent, name), dropping what was there; both directories' mu held. */
int dentry_move(struct dentry *d, struct dentry *parent, const char *name) MUST_CHECK;
/* Swaps the places of two. */
void dentry_exchange(struct dentry *a, struct dentry *b);
/* Whether d still is the name of that directory; dir->mu held. */
bool dentry_is_child(const struct dentry *d, const struct dentry *parent);
/* a is d or an ancestor of d. */
bool dentry_is_ancestor(const struct dentry *a, const struct dentry *d);
struct dentry *dentry_parent_get(const struct dentry *d);	/* counted; NULL for a root */
/* The name as it is now, cut to size. */
void dentry_name(const struct dentry *d, char *buf, size_t size);
/* Drops every cached name of s: it is going away. */
void dentry_drop_super(struct super *s);
/* For path_text: prepends "/name" of d and its ancestors up to `stop` to buf (filled from *pos down). */
int dentry_prepend(const struct dentry *d, const struct dentry *stop, char *buf, size_t *pos) MUST_CHECK;
bool dentry_unlinked(const struct dentry *d);

#endif
