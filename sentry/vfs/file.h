/*
 * file: an open file description, whatever is behind it.
 *
 * An object embeds struct file first and fills file_ops; unused slots point at the named
 * defaults below.  Operations never sleep waiting for data: they return -EAGAIN, and file.c does the waiting
 * (unless O_NONBLOCK) on f->wq.  Whoever makes ready() true wakes f->wq.
 */
#ifndef SENTRY_VFS_FILE_H
#define SENTRY_VFS_FILE_H

#include "abi/gaddr.h"
#include "base/lock.h"
#include "base/ref.h"
#include "sentry/kernel/wait.h"
#include "sentry/mm/iobuf.h"
#include "sentry/vfs/inode.h"
#include "sentry/vfs/path.h"

struct mmap_args;
struct super;
struct epoll_item;
struct process;
struct pidgroup;
struct async;

struct fowner { struct mutex mu; int32_t type, id, signo; uint32_t uid, euid; };	/* F_SETOWN */

struct file {
	struct ref	 ref;
	const struct file_ops *ops;	/* [I] */
	_Atomic uint32_t flags;		/* O_ACCMODE and status flags; F_SETFL changes APPEND NONBLOCK ASYNC DIRECT NOATIME */
	uint32_t	 mode;		/* [I] FMODE_* */
	struct path	 path;		/* [I] counted; set by the VFS; dentry may be anonymous, mnt NULL then */
	struct inode	*inode;		/* [I] counted; never NULL once open */
	struct mutex	 pos_mu;	/* rank inode's outer: held over read/write of a seekable file */
	int64_t		 pos;		/* [pos_mu] */
	_Atomic uint64_t rd_timeout_ns, wr_timeout_ns;	/* SO_RCVTIMEO, SO_SNDTIMEO; 0: wait for ever */
	struct waitq	*wq;		/* [I] where ready() changes are told; usually &own_wq */
	struct waitq	 own_wq;
	struct fowner	 owner;
	struct list	 epoll_items;	/* epoll.c, under its own lock */
	_Atomic bool	 epolled;	/* it has been in an epoll set; never taken back, so that the release can trust it */
	struct mutex	 epoll_mu;	/* rank epoll */
	struct async	*async;		/* O_ASYNC: async.c, under its own lock */
};

enum {				/* file.mode */
	FMODE_READ = 1, FMODE_WRITE = 2, FMODE_SEEK = 4, FMODE_PREAD = 8, FMODE_PWRITE = 16,
	FMODE_EXEC = 32, FMODE_PATH = 64, FMODE_DIR = 128, FMODE_WROTE_COUNT = 256,
};

struct file_ops {
	const char *kind;			/* for debug: "eventfd" */
	/* Streams. Bytes, 0 at the end, -EAGAIN when it would wait. No lock held. */
	int64_t (*read)(struct file *f, struct task *t, struct iobuf *dst);
	int64_t (*write)(struct file *f, struct task *t, struct iobuf *src);
	/* Positional; a seekable file's read/write slots are file_read_pos / file_write_pos, which call these with f->pos. */
	int64_t (*pread)(struct file *f, struct task *t, struct iobuf *dst, int64_t off);
	int64_t (*pwrite)(struct file *f, struct task *t, struct iobuf *src, int64_t off);	/* O_APPEND: the callee takes the end itself, and stores the final position via file_appended */
	int64_t (*seek)(struct file *f, struct task *t, int64_t off, int whence);	/* pos_mu held */
	int (*readdir)(struct file *f, struct task *t, struct dirsink *d);	/* from f->pos, pos_mu held; advances f->pos to each taken entry's next_pos */
	uint32_t (*ready)(struct file *f, uint32_t events);	/* POLL bits now; must not sleep */
	int64_t (*ioctl)(struct file *f, struct task *t, uint32_t cmd, gaddr_t arg);	/* -ENOTTY */
	int (*mmap)(struct file *f, struct task *t, struct mmap_args *a);	/* sets a->mobj (counted), a->maxprot; -ENODEV */
	int (*fsync)(struct file *f, struct task *t, bool data_only);
	int (*truncate)(struct file *f, struct task *t, int64_t len);	/* ftruncate; default via inode setattr */
	int64_t (*fallocate)(struct file *f, struct task *t, uint32_t mode, int64_t off, int64_t len);
	int (*setflags)(struct file *f, struct task *t, uint32_t flags);	/* F_SETFL veto/notice */
	void (*flush)(struct file *f, struct task *t);	/* each close(2) of a descriptor */
	void (*free)(struct file *f);			/* last reference; call file_fini first */
};

/* flags: O_*; computes mode. inode may be NULL for anonymous objects: file_init_anon gives them one. */
void file_init(struct file *f, const struct file_ops *ops, struct inode *inode, uint32_t flags);
/* As anon_inode: path text is name ("anon_inode:[eventfd]", "pipe:[N]"), mode is the stat type (0600 | type). -ENOMEM. */
int file_init_anon(struct file *f, const struct file_ops *ops, const char *name, uint32_t mode, uint32_t flags) MUST_CHECK;
/* Gives f an anonymous place (and the inode, if file_init had none): for two files of one inode. */
int file_set_anon(struct file *f, const char *name, struct inode *inode) MUST_CHECK;
void file_fini(struct file *f);

/* Named defaults. */
int64_t file_no_read(struct file *f, struct task *t, struct iobuf *dst);			/* -EINVAL */
int64_t file_no_write(struct file *f, struct task *t, struct iobuf *src);
int64_t file_no_pread(struct file *f, struct task *t, struct iobuf *dst, int64_t off);		/* -ESPIPE */
int64_t file_no_pwrite(struct file *f, struct task *t, struct iobuf *src, int64_t off);
int64_t file_read_pos(struct file *f, struct task *t, struct iobuf *dst);
int64_t file_write_pos(struct file *f, struct task *t, struct iobuf *src);
int64_t file_is_dir_read(struct file *f, struct task *t, struct iobuf *dst);			/* -EISDIR */
int64_t file_no_seek(struct file *f, struct task *t, int64_t off, int whence);			/* -ESPIPE */
int64_t file_seek_noop(struct file *f, struct task *t, int64_t off, int whence);		/* 0: succeeds, moves nothing (eventfd ...) */
int64_t file_seek_size(struct file *f, struct task *t, int64_t off, int whence);		/* SEEK_SET/CUR/END/DATA/HOLE by getattr's size */
int64_t file_seek_dir(struct file *f, struct task *t, int64_t off, int whence);			/* SET/CUR */
int file_no_readdir(struct file *f, struct task *t, struct dirsink *d);				/* -ENOTDIR */
uint32_t file_always_ready(struct file *f, uint32_t events);					/* IN|OUT|RDNORM|WRNORM as regular files */
int64_t file_no_ioctl(struct file *f, struct task *t, uint32_t cmd, gaddr_t arg);		/* -ENOTTY */
int file_no_mmap(struct file *f, struct task *t, struct mmap_args *a);				/* -ENODEV */
int file_no_fsync(struct file *f, struct task *t, bool data_only);				/* -EINVAL */
int file_sync_ok(struct file *f, struct task *t, bool data_only);				/* 0: memory only */
int file_no_truncate(struct file *f, struct task *t, int64_t len);				/* -EINVAL */
int file_truncate_inode(struct file *f, struct task *t, int64_t len);
int64_t file_no_fallocate(struct file *f, struct task *t, uint32_t mode, int64_t off, int64_t len); /* -EOPNOTSUPP */
int file_any_flags(struct file *f, struct task *t, uint32_t flags);
void file_no_flush(struct file *f, struct task *t);
void file_appended(struct file *f, int64_t pos);

/* The waiting forms, as read(2)/write(2) mean them: O_NONBLOCK, signals, SIGPIPE, RLIMIT_FSIZE. */
int64_t file_read(struct task *t, struct file *f, struct iobuf *dst) MUST_CHECK;
int64_t file_write(struct task *t, struct file *f, struct iobuf *src) MUST_CHECK;
int64_t file_pread(struct task *t, struct file *f, struct iobuf *dst, int64_t off) MUST_CHECK;
int64_t file_pwrite(struct task *t, struct file *f, struct iobuf *src, int64_t off) MUST_CHECK;
/* How a wait with a deadline (NO_DEADLINE: none) ends: its end is EAGAIN, and it is not restarted. */
int file_wait_result(int err, uint64_t deadline);
/* All of the above, with RWF_* (NOWAIT, DSYNC, SYNC). */
int64_t file_read_flags(struct task *t, struct file *f, struct iobuf *dst, bool positional, int64_t off, uint32_t rwf) MUST_CHECK;
int64_t file_write_flags(struct task *t, struct file *f, struct iobuf *src, bool positional, int64_t off, uint32_t rwf) MUST_CHECK;
/* Kernel buffers: exec reading headers and the like. */
int64_t file_pread_kernel(struct task *t, struct file *f, void *buf, size_t len, int64_t off) MUST_CHECK;

/*
 * Opens a place. path: counted by the caller. Checks permission per flags, mounts, types; dispatches devices (fs/dev.c), FIFOs (fs/pipe.c).
 */
int vfs_open(struct task *t, const struct path *p, uint32_t flags, struct file **out) MUST_CHECK;
/* By name with O_CREAT and all; the body of openat. */
int vfs_open_name(struct task *t, int32_t dirfd, const char *name, uint32_t flags, uint32_t mode, uint32_t walk, struct file **out) MUST_CHECK;
/* For exec: regular file, MAY_EXEC, noexec mounts, deny-write. -EACCES, -ETXTBSY ... */
int vfs_open_exec(struct task *t, int32_t dirfd, const char *name, uint32_t walk, struct file **out) MUST_CHECK;
void vfs_exec_done(struct file *f);	/* undoes the deny-write of vfs_open_exec */

/* Devices and endpoints other layers provide to vfs_open. */
int dev_open(struct task *t, struct inode *i, uint32_t flags, struct file **out) MUST_CHECK;	/* fs/dev.c: S_IFCHR by rdev; -ENXIO */
int fifo_open(struct task *t, struct inode *i, uint32_t flags, struct file **out) MUST_CHECK;	/* fs/pipe.c; may wait */

/* O_ASYNC on, by descriptor fd, or off. */
int file_async_set(struct file *f, int32_t fd, bool on) MUST_CHECK;
void file_async_run(void);	/* sends what has fired by now; no lock held */
/* F_ADD_SEALS (add) and F_GET_SEALS; -EINVAL for what is not a memfd. fs/memfd.c. */
int64_t memfd_seals(struct task *t, struct file *f, bool add, uint32_t seals);

/* inotify/fanotify notices (fs/inotify.c): mask IN_*. name NULL for the node itself. cookie for moves. */
void fsnotify(struct inode *i, uint32_t mask, const char *name, uint32_t cookie);
void fsnotify_parent(struct file *f, uint32_t mask);
void fsnotify_dentry(struct dentry *d, uint32_t mask);	/* the node, and its directory with the name */
void fsnotify_unmount(struct super *s);			/* the last to hold s is gone */
void watches_free(struct inode *i);

#endif
