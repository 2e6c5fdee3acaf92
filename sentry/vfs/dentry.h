/*
 * dentry: a cached name: (parent, name) -> inode, or the knowledge that there is none.
 *
 * A child holds a reference to its parent.  The children of a dentry and the cache's
 * LRU are covered by the lock `dcache`; the names of one directory change under the directory inode's mu.
 */
#ifndef SENTRY_VFS_DENTRY_H
#define SENTRY_VFS_DENTRY_H

#include "base/list.h"
#include "base/ref.h"
#include "base/tree.h"

struct inode;
struct super;
struct task;

struct dentry {
	struct ref	 ref;
	struct dentry	*parent;	/* counted; NULL for a root; changes under rename + dcache */
	struct inode	*inode;		/* counted; NULL: negative */
	struct super	*super;		/* [I] borrowed */
	struct tree_node node;		/* in parent->children */
	struct tree	 children;
	struct list	 lru;
	bool		 hashed;	/* still reachable by name; false after unlink */
	_Atomic uint32_t mounted;	/* mounts that sit on it */
	uint32_t	 name_len;
	char		*name;		/* owned; no NUL inside, NUL-terminated */
};

struct dentry *dentry_new_root(struct super *s, struct inode *root);	/* takes neither reference; NULL when out of memory */
/* A dentry for an object without a name in any directory: "pipe:[5]", "memfd:x", "anon_inode:[eventfd]". */
struct dentry *dentry_new_anon(const char *name, struct inode *inode);

#endif
