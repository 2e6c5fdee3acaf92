/*
 * inode: a node of some filesystem; super: an instance of a filesystem.
 *
 * A filesystem embeds struct inode first and fills inode_ops.  Operations take an inode and
 * names, never paths; permission checks, name checks (".", "..", length), read-only mounts and existence
 * are the VFS's, before the call, with dir->mu held where the slot says so.  The dentry cache
 * above is only a cache: the filesystem holds the truth about its directories.
 */
#ifndef SENTRY_VFS_INODE_H
#define SENTRY_VFS_INODE_H

#include "abi/stat.h"
#include "base/list.h"
#include "base/lock.h"
#include "base/ref.h"

struct cred;
struct file;
struct iobuf;
struct mobj;
struct path;
struct task;
struct strbuf;
struct waitq;
struct watch_list;
struct flock_list;

struct timespec64 { int64_t sec; uint32_t nsec; };

/* What stat shows; also what setattr changes. */
struct iattr {
	uint32_t	mode;		/* type and permissions */
	uint32_t	uid, gid, nlink;
	uint64_t	ino, rdev, size, blocks;	/* blocks of 512 */
	uint32_t	blksize;
	struct timespec64 atime, mtime, ctime, btime;
};
enum {				/* setattr: which fields of the iattr count */
	ATTR_MODE = 1, ATTR_UID = 2, ATTR_GID = 4, ATTR_SIZE = 8, ATTR_ATIME = 16, ATTR_MTIME = 32, ATTR_CTIME = 64,
};

struct super {
	struct ref	 ref;
	const struct super_ops *ops;	/* [I] */
	const char	*fstype;	/* [I] "tmpfs" */
	uint64_t	 dev;		/* [I] st_dev, from super_init */
	uint64_t	 magic;		/* [I] statfs f_type */
	uint32_t	 flags;		/* [I] SUPER_* */
	struct mutex	 rename_mu;	/* rank rename */
	struct inode	*root;		/* [I] counted by the super */
	struct list	 watches;	/* inotify's */
};
enum {
	SUPER_RDONLY	= 1 << 0,
	SUPER_REVALIDATE = 1 << 1,	/* others change it: the VFS asks ops->revalidate before trusting a cached name */
	SUPER_NOCACHE	= 1 << 2,	/* names come and go (proc): do not keep dentries nobody holds */
	SUPER_NODEV	= 1 << 3,
};
struct fs_statfs { uint64_t type, bsize, blocks, bfree, bavail, files, ffree, namelen, frsize; };
struct super_ops {
	int (*statfs)(struct super *s, struct fs_statfs *out);
	void (*show_options)(struct super *s, struct strbuf *sb);	/* ",size=64m" for /proc/mounts */
	int (*sync)(struct super *s);
	void (*free)(struct super *s);
};
void super_init(struct super *s, const struct super_ops *ops, const char *fstype, uint64_t magic, uint32_t flags);
int super_sync_none(struct super *s);
void super_show_none(struct super *s, struct strbuf *sb);

struct inode {
	struct ref	 ref;
	const struct inode_ops *ops;	/* [I] */
	struct super	*super;		/* [I] borrowed: the mount keeps it; a pseudo-inode's is static */
	struct mutex	 mu;		/* rank inode (overlay's lower ones: rank upper) */
	struct mutex	*attr_mu;	/* [I] mu, or the filesystem's lock of sizes, times, counts; after mu */
	uint32_t	 type;		/* [I] S_IFMT of attr.mode, which chmod may be changing */
	struct iattr	 attr;		/* [m] what stat shows; filesystems keep it current (ops->getattr may refresh) */
	struct mobj	*mobj;		/* [m] for mmap, made on demand; counted */
	_Atomic(struct flock_list *) flocks;	/* flock.c */
	_Atomic(struct watch_list *) watches;	/* inotify */
	_Atomic int32_t	 writers;	/* open for write; negative: executing (ETXTBSY) */
	void		*endpoint;	/* [m] pipe of a FIFO, socket bound here (sock *): see fs/pipe.c, netstack/unix.c */
};
void inode_init(struct inode *i, const struct inode_ops *ops, struct super *s, uint32_t mode, enum lockrank rank);
void inode_fini(struct inode *i);	/* by ops->free before it frees the memory */

/* Receives directory entries; emit returns false when the buffer is full (the entry was not taken). */
struct dirsink {
	bool (*emit)(struct dirsink *d, const char *name, size_t len, uint64_t ino, uint8_t dtype, int64_t next_pos);
};

struct inode_ops {
	/* --- directories; dir->mu held for all of these; -ENOTDIR defaults are provided --- */
	/* The child's inode, counted; -ENOENT. */
	int (*lookup)(struct task *t, struct inode *dir, const char *name, struct inode **out);
	/* A new node: mode has the type (S_IFREG, S_IFDIR, S_IFLNK with target, S_IFIFO, S_IFSOCK, S_IFCHR/BLK with rdev), umask applied. uid/gid from t unless the directory is setgid. -EEXIST if a race. */
	int (*create)(struct task *t, struct inode *dir, const char *name, uint32_t mode, uint64_t rdev, const char *target, struct inode **out);
	int (*link)(struct task *t, struct inode *dir, const char *name, struct inode *node);
	int (*unlink)(struct task *t, struct inode *dir, const char *name, struct inode *node);
	int (*rmdir)(struct task *t, struct inode *dir, const char *name, struct inode *node);	/* -ENOTEMPTY */
	/* Both directories' mu held (one if the same), super->rename_mu too when they differ. flags: RENAME_NOREPLACE, RENAME_EXCHANGE, RENAME_WHITEOUT. target may be NULL. */
	int (*rename)(struct task *t, struct inode *olddir, const char *oldname, struct inode *node, struct inode *newdir, const char *newname, struct inode *target, uint32_t flags);
	/* An unnamed regular file for O_TMPFILE; -EOPNOTSUPP. No lock held. */
	int (*tmpfile)(struct task *t, struct inode *dir, uint32_t mode, struct inode **out);

	/* --- any node; no lock held --- */
	/* A new open file (counted) for flags (O_*). Directories and regular files of this filesystem; devices, FIFOs, sockets are dispatched by the VFS. */
	int (*open)(struct task *t, struct inode *i, uint32_t flags, struct file **out);
	int (*readlink)(struct task *t, struct inode *i, char *buf, size_t size);	/* length, no NUL */
	/* A magic link (/proc/PID/fd/N, exe, cwd): the place itself, counted; -EINVAL for an ordinary one. */
	int (*followlink)(struct task *t, struct inode *i, struct path *out);
	int (*getattr)(struct task *t, struct inode *i, struct iattr *out);	/* refresh if shared, then copy of attr */
	int (*setattr)(struct task *t, struct inode *i, const struct iattr *attr, uint32_t which);	/* permissions already checked */
	/* The last word, after the mode bits and capabilities have said err: 0 or -EACCES; default err. */
	int (*permission)(struct task *t, struct inode *i, uint32_t may, int err);
	int (*getxattr)(struct task *t, struct inode *i, const char *name, void *buf, size_t size);	/* size 0 asks; -ENODATA, -ERANGE, -EOPNOTSUPP */
	int (*setxattr)(struct task *t, struct inode *i, const char *name, const void *val, size_t size, uint32_t flags);	/* val NULL: remove */
	int64_t (*listxattr)(struct task *t, struct inode *i, char *buf, size_t size);
	/* SUPER_REVALIDATE: is this cached name still right? 1 yes, 0 drop it, -errno. */
	int (*revalidate)(struct task *t, struct inode *dir, const char *name, struct inode *node);
	void (*free)(struct inode *i);		/* last reference */
};

/* Defaults by name, so every slot is filled. */
int inode_no_lookup(struct task *t, struct inode *dir, const char *name, struct inode **out);		/* -ENOTDIR */
int inode_no_create(struct task *t, struct inode *dir, const char *name, uint32_t mode, uint64_t rdev, const char *target, struct inode **out); /* -EPERM */
int inode_no_link(struct task *t, struct inode *dir, const char *name, struct inode *node);		/* -EPERM */
int inode_no_unlink(struct task *t, struct inode *dir, const char *name, struct inode *node);		/* -EPERM */
int inode_no_rename(struct task *t, struct inode *olddir, const char *oldname, struct inode *node, struct inode *newdir, const char *newname, struct inode *target, uint32_t flags); /* -EPERM */
int inode_no_tmpfile(struct task *t, struct inode *dir, uint32_t mode, struct inode **out);		/* -EOPNOTSUPP */
int inode_no_open(struct task *t, struct inode *i, uint32_t flags, struct file **out);			/* -ENXIO */
int inode_no_readlink(struct task *t, struct inode *i, char *buf, size_t size);			/* -EINVAL */
int inode_no_followlink(struct task *t, struct inode *i, struct path *out);				/* -EINVAL */
int inode_plain_getattr(struct task *t, struct inode *i, struct iattr *out);				/* copies attr under mu */
int inode_plain_setattr(struct task *t, struct inode *i, const struct iattr *attr, uint32_t which);	/* into attr; no ATTR_SIZE (-EINVAL) */
int inode_no_setattr(struct task *t, struct inode *i, const struct iattr *attr, uint32_t which);	/* -EPERM */
int inode_any_permission(struct task *t, struct inode *i, uint32_t may, int err);			/* err */
int inode_no_getxattr(struct task *t, struct inode *i, const char *name, void *buf, size_t size);	/* -EOPNOTSUPP */
int inode_no_setxattr(struct task *t, struct inode *i, const char *name, const void *val, size_t size, uint32_t flags);
int64_t inode_no_listxattr(struct task *t, struct inode *i, char *buf, size_t size);
int inode_always_valid(struct task *t, struct inode *dir, const char *name, struct inode *node);	/* 1 */

enum { MAY_EXEC = 1, MAY_WRITE = 2, MAY_READ = 4 };
/* Mode bits, ownership and capabilities against t's fsuid/fsgid: 0 or -EACCES. */
int inode_permission(struct task *t, struct inode *i, uint32_t may) MUST_CHECK;
/* The same for another identity: access(2)'s real ids. */
int inode_permission_cred(struct task *t, const struct cred *c, struct inode *i, uint32_t may) MUST_CHECK;
bool inode_owner_or_capable(struct task *t, struct inode *i);
/* What inode_plain_setattr does, for filesystems that hold i->mu already (no ATTR_SIZE). */
void inode_setattr_locked(struct inode *i, const struct iattr *attr, uint32_t which);
void inode_accessed(struct inode *i);		/* relatime's update of the access time, in memory only */
/* Data is about to change: drops the setuid and setgid bits as write(2) does. */
int inode_kill_privs(struct task *t, struct inode *i) MUST_CHECK;
struct timespec64 inode_now(void);		/* as of the last tick, as on Linux: never ahead of time(2) */
uint64_t dev_alloc_anon(void);			/* an anonymous device number for a super */
/* Fill what the guest sees from an iattr. */
void abi_stat_fill(const struct inode *i, const struct iattr *a, struct abi_stat *st);
void abi_statx_fill(const struct inode *i, const struct iattr *a, int32_t mnt_id, bool is_mount_root, struct abi_statx *sx);

#endif
