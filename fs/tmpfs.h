/*
 * tmpfs: files in memory; private to fs/tmpfs*.c, overlay*.c and memfd.c.
 *
 * An overlay is a tmpfs whose nodes may have something beneath them: it embeds these structs, fills the
 * two hooks and wraps the operations.
 *
 * Locks: the inode's mu (the VFS holds it for changes of names) together with amu covers the names of a directory, and
 * mode, uid, gid: either is enough to look.  amu alone covers the other attributes and the xattrs.  A file's data has a lock of its own, as mappings
 * reach it without the inode.
 */
#ifndef FS_TMPFS_H
#define FS_TMPFS_H

#include "base/list.h"
#include "base/strbuf.h"
#include "base/tree.h"
#include "sentry/mm/mm.h"
#include "sentry/vfs/file.h"
#include "sentry/vfs/inode.h"

/* What a mount may use and does; data outlives its super while mapped, so this is counted. */
struct tmpfs_acct {
	_Atomic uint32_t refs;
	_Atomic uint64_t pages, inodes;		/* in use */
	uint64_t	 max_pages, max_inodes;	/* [I] 0: no limit but the memory file's */
};

struct tmpfs_node;
struct tmpfs_super {
	struct super	super;		/* first */
	struct tmpfs_acct *acct;	/* [I] counted */
	_Atomic uint64_t next_ino;
	enum lockrank	rank;		/* [I] of its inodes */
	const struct inode_ops *ops;	/* [I] */
	/* Memory for a node; the overlay's are larger. */
	struct tmpfs_node *(*node_alloc)(void);
	void		(*node_dealloc)(struct tmpfs_node *n);
	uint32_t	opt_mode, opt_uid, opt_gid;	/* [I] shown in /proc/mounts */
	uint64_t	opt_size;			/* [I] bytes, 0 when not given */
};

/* A name. inode NULL: a whiteout (overlays only). */
struct tmpfs_entry {
	struct tree_node by_name, by_pos;
	uint64_t	 pos;		/* readdir position; never used again in this directory */
	struct inode	*inode;		/* counted */
	uint16_t	 len;
	bool		 covers;	/* overlay: the lower directory has this name too */
	char		*name;		/* owned */
};

/* What a regular file holds. Counted as a memory object: mappings may outlive the inode. */
struct tmpfs_data {
	struct mobj	 mobj;		/* first */
	struct mutex	 mu;		/* rank peer */
	struct tmpfs_acct *acct;	/* [I] counted */
	struct tree	 extents;	/* [m] by start */
	uint64_t	 size;		/* [m] bytes */
	uint64_t	 pages;		/* [m] of extents */
	uint32_t	 pins;		/* [m] copies going on without mu: pages may not be freed */
	struct list	 deferred;	/* [m] extents to free when the last pin goes */
	uint32_t	 seals;		/* [m] F_SEAL_* */
};

#define SEAL_EXEC	0x20U	/* F_SEAL_EXEC, newer than some headers: whether it may be executed stays as it is */

struct tmpfs_xattr {
	struct list	 link;
	uint32_t	 size;
	char		*name;		/* owned; the value follows its NUL */
};

struct tmpfs_node {
	struct inode	 inode;		/* first */
	struct mutex	 amu;		/* rank object */
	struct list	 xattrs;	/* [amu] */
	/* directory: changed under inode.mu and amu, so either is enough to look */
	struct tree	 names, positions;
	uint64_t	 next_pos;
	/* regular file */
	struct tmpfs_data *data;	/* [I] once set; is inode.mobj. An overlay's may come later (copy-up) */
	char		*target;	/* [I] symlink */
	bool		 linkable;	/* [amu] O_TMPFILE: may be linked though it has no name */
	bool		 counted;	/* in acct->inodes */
};

static inline struct tmpfs_node *
tmpfs_of(struct inode *i)
{
	return container_of(i, struct tmpfs_node, inode);
}
static inline struct tmpfs_super *
tmpfs_super_of(const struct inode *i)
{
	return container_of(i->super, struct tmpfs_super, super);
}

/* ---- tmpfs.c ---------------------------------------------------------------------- */
struct tmpfs_options { uint64_t size, inodes; uint32_t mode, uid, gid; bool has_size; };
int tmpfs_parse(const char *text, struct tmpfs_options *o) MUST_CHECK;
/* Everything but the root. */
int tmpfs_super_init(struct tmpfs_super *s, const struct super_ops *sops, const char *fstype, uint64_t magic,
    const struct tmpfs_options *o) MUST_CHECK;
void tmpfs_super_fini(struct tmpfs_super *s);
struct tmpfs_acct *tmpfs_acct_get(struct tmpfs_acct *a);
void tmpfs_acct_put(struct tmpfs_acct *a);
/* A node of a type, with data, target and all; nobody's yet. -ENOSPC, -ENOMEM. */
int tmpfs_node_new(struct tmpfs_super *s, uint32_t mode, uint64_t rdev, const char *target,
    struct tmpfs_node **out) MUST_CHECK;
/* Its parts; the memory is node_dealloc's. */
void tmpfs_node_fini(struct tmpfs_node *n);
void tmpfs_free(struct inode *i);
void tmpfs_touch(struct inode *i, bool modified);	/* ctime, and mtime when modified, are now */
uint32_t tmpfs_add_links(struct inode *i, int n);	/* how many there are now */
uint32_t tmpfs_links(struct inode *i);
/* One link more for a name that is to come: -ENOENT when the last has gone, unless it is an O_TMPFILE. */
int tmpfs_link_more(struct inode *i) MUST_CHECK;
void tmpfs_link_done(struct inode *i);	/* the name is there */
int tmpfs_statfs(struct super *s, struct fs_statfs *out);
void tmpfs_show(struct super *s, struct strbuf *sb);
int tmpfs_readlink(struct task *t, struct inode *i, char *buf, size_t size);
int tmpfs_getattr(struct task *t, struct inode *i, struct iattr *out);
int tmpfs_setattr(struct task *t, struct inode *i, const struct iattr *attr, uint32_t which);
int tmpfs_getxattr(struct task *t, struct inode *i, const char *name, void *buf, size_t size);
int tmpfs_setxattr(struct task *t, struct inode *i, const char *name, const void *val, size_t size, uint32_t flags);
/* 0 for a name that may be kept here; -EOPNOTSUPP, -EPERM, -EINVAL. */
int tmpfs_xattr_allowed(const struct inode *i, const char *name) MUST_CHECK;
int64_t tmpfs_listxattr(struct task *t, struct inode *i, char *buf, size_t size);

extern const struct inode_ops tmpfs_inode_ops;	/* tmpfs_dir.c */

/* ---- tmpfs_dir.c: dir's mu held ------------------------------------------------------ */
struct tmpfs_entry *tmpfs_find(struct tmpfs_node *dir, const char *name);
/* Enters name -> inode (its own reference; NULL: a whiteout). -ENOMEM; the name must be new. */
int tmpfs_enter(struct tmpfs_node *dir, const char *name, struct inode *i) MUST_CHECK;
void tmpfs_erase(struct tmpfs_node *dir, struct tmpfs_entry *e);
/* Points an entry elsewhere; takes a reference to i, drops that of the old one into *old (may be NULL inode). */
struct inode *tmpfs_repoint(struct tmpfs_node *dir, struct tmpfs_entry *e, struct inode *i);
/* Ends a directory without names: nothing can be made in it from now on. -ENOTEMPTY. Its mu is not needed. */
int tmpfs_dir_kill(struct tmpfs_node *dir) MUST_CHECK;
void tmpfs_dir_init(struct tmpfs_node *dir);
void tmpfs_dir_drop(struct tmpfs_node *dir);		/* forgets every name: the directory goes away */
int tmpfs_lookup(struct task *t, struct inode *dir, const char *name, struct inode **out);
int tmpfs_create(struct task *t, struct inode *dir, const char *name, uint32_t mode, uint64_t rdev,
    const char *target, struct inode **out);
/* A node owned as t's in dir; no name yet. */
int tmpfs_make(struct task *t, struct inode *dir, uint32_t mode, uint64_t rdev, const char *target,
    struct tmpfs_node **out) MUST_CHECK;
int tmpfs_tmpfile(struct task *t, struct inode *dir, uint32_t mode, struct inode **out);
int tmpfs_dir_open(struct task *t, struct inode *i, uint32_t flags, struct file **out);

/* ---- tmpfs_data.c -------------------------------------------------------------------- */
int tmpfs_data_new(struct tmpfs_acct *acct, struct tmpfs_data **out) MUST_CHECK;
int64_t tmpfs_data_read(struct tmpfs_data *d, struct iobuf *dst, int64_t off) MUST_CHECK;
int64_t tmpfs_data_write(struct tmpfs_data *d, struct iobuf *src, int64_t off) MUST_CHECK;
/* At the end, wherever that is then; *end is the new end. */
int64_t tmpfs_data_append(struct tmpfs_data *d, struct iobuf *src, int64_t *end) MUST_CHECK;
int tmpfs_data_resize(struct tmpfs_data *d, uint64_t size) MUST_CHECK;	/* -EPERM by a seal */
int tmpfs_data_punch(struct tmpfs_data *d, uint64_t off, uint64_t len) MUST_CHECK;
int tmpfs_data_reserve(struct tmpfs_data *d, uint64_t off, uint64_t len, bool keep_size) MUST_CHECK;
/* The first byte at or after off that is data (or a hole): -ENXIO beyond the end. */
int64_t tmpfs_data_seek(struct tmpfs_data *d, uint64_t off, bool hole) MUST_CHECK;
/* The first size bytes of a file, into data that nobody else sees yet. -EINTR: t must exit. */
int tmpfs_data_load(struct tmpfs_data *d, struct task *t, struct file *from, uint64_t size) MUST_CHECK;
bool tmpfs_data_sealed(struct tmpfs_data *d, uint32_t seals);	/* any of them */
uint64_t tmpfs_data_size(struct tmpfs_data *d, uint64_t *blocks);

/* ---- tmpfs_file.c: file_ops on a node's data ------------------------------------------------ */
int tmpfs_file_open(struct task *t, struct inode *i, uint32_t flags, struct file **out);
int64_t tmpfs_pread(struct file *f, struct task *t, struct iobuf *dst, int64_t off);
int64_t tmpfs_pwrite(struct file *f, struct task *t, struct iobuf *src, int64_t off);
int64_t tmpfs_seek(struct file *f, struct task *t, int64_t off, int whence);
int tmpfs_mmap(struct file *f, struct task *t, struct mmap_args *a);
int64_t tmpfs_fallocate(struct file *f, struct task *t, uint32_t mode, int64_t off, int64_t len);
/* The data behind f, or NULL when it is not such a file. */
struct tmpfs_data *tmpfs_file_data(struct file *f);

#endif
