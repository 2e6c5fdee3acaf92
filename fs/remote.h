/*
 * remote: the gofer's client; private to fs/remote*.c and its tests.
 *
 * A remote inode stands for a fid of the gofer, one per host node (device and inode number).  Attributes and names
 * of an exclusive mount are remembered until we change them ourselves; of a shared one, asked for
 * again.  File data never travels through the gofer: it donates descriptors.
 */
#ifndef FS_REMOTE_H
#define FS_REMOTE_H

#include "base/tree.h"
#include "fs/dirlist.h"
#include "gofer/proto.h"
#include "sentry/vfs/file.h"
#include "sentry/vfs/inode.h"

/* A donated descriptor; open files and memory objects share it. */
struct hostfile {
	_Atomic uint32_t refs;
	int		 fd;		/* [I] */
	uint32_t	 pages;		/* [I] GOFER_PAGES_* */
	bool		 sized;		/* [I] only we change the size, which was `size` when the inode's `sizes` was so: */
	uint32_t	 sizes;		/* [I] */
	uint64_t	 size;		/* [I] */
	/* remote_window.c */
	_Atomic bool	 unmapped;	/* is read without windows, from now on */
	_Atomic uint8_t	 hint[8];	/* where a part's window was last */
	_Atomic uint32_t nwindows, misses;
	_Atomic uint64_t reach;		/* where the file probably ends: windows are not tried behind it */
};

struct dirstats;

struct remote_super {
	struct super	super;
	uint32_t	mount;		/* [I] index at the gofer */
	uint32_t	root_fid;	/* [I] */
	uint64_t	root_dev;	/* [I] the host's */
	bool		readonly;	/* [I] */
	bool		shared;		/* [I] */
	struct mutex	tab_mu;		/* rank gofer; never held over a request */
	struct tree	inodes;		/* [tab_mu] by host dev, ino */
};

struct remote_inode {
	struct inode	inode;		/* first */
	_Atomic uint32_t fid;		/* 0 until somebody needs it: remote_fid(); then fixed */
	uint64_t	host_dev, host_ino; /* [I] */
	struct tree_node node;		/* [tab_mu] */
	bool		hashed;		/* [tab_mu] in the tree */
	_Atomic bool	stale;		/* attributes must be asked for */
	_Atomic bool	 removed;	/* a name of it was taken away: give it back at once */
	struct mutex	amu;		/* rank object: attr (with i->mu for mode, uid, gid), list, target */
	struct dirlist	*list;		/* [amu] of an exclusive directory, until it changes */
	char		*target;	/* [amu] of a symlink */
	struct inode	*parent;	/* [amu] counted: where name leads here, while there is no fid */
	char		*name;		/* [I] */
	struct dirstats	*stats;		/* remote_stats.c, under its lock */
	struct remote_ahead *ahead;	/* [amu] the name below that will be asked for next, or NULL */
	_Atomic uint32_t sizes;		/* steps when the size may begin to change or have changed, by our doing */
	/* under hostfiles_mu */
	struct hostfile	*ro, *rw;
	uint32_t	 nopen;
	struct list	 lru;		/* while nothing has it open and a descriptor is kept */
};

/* ---- remote_rpc.c ------------------------------------------------------------- */
struct remote_io {
	void		*req;		/* head first; tag and op are filled in */
	size_t		 req_len;
	const char	*text[2];	/* sent after it */
	size_t		 text_len[2];
	void		*rep;
	size_t		 rep_fixed, rep_cap; /* what must come; what may */
	size_t		 rep_len;	/* what came */
	bool		 want_fd;
	int		 fd;		/* out */
};
/* One request and its reply; the gofer's error, or -EIO when its answer makes no sense. */
int remote_call(enum gofer_op op, struct remote_io *io) MUST_CHECK;
#define REMOTE_IO(q, r, ...) { .req = (q), .req_len = sizeof *(q), .rep = (r),	\
	.rep_fixed = sizeof *(r), .rep_cap = sizeof *(r), .fd = -1, __VA_ARGS__ }
/* Queues a fid to be forgotten. */
void remote_clunk(uint32_t fid);
void remote_clunk_flush(void);
/* What happens when the gofer is gone; the default ends the sandbox. Tests replace it. */
extern void (*remote_lost)(void);

/* ---- remote.c ------------------------------------------------------------------- */
static inline struct remote_inode *
remote_of(struct inode *i)
{
	return container_of(i, struct remote_inode, inode);
}
static inline struct remote_super *
remote_super_of(const struct inode *i)
{
	return container_of(i->super, struct remote_super, super);
}
/* The inode of what the gofer described; takes fid (0: it is known by its place, name in dir). *out counted. */
int remote_inode_get(struct remote_super *s, uint32_t fid, const struct gofer_stat *st, struct inode *dir,
    const char *name, struct inode **out) MUST_CHECK;
/* Takes over what the gofer said about a node. No lock held. */
void remote_attr_update(struct remote_inode *r, const struct gofer_stat *st);
/* Makes i->attr current. No lock held. */
int remote_attr_refresh(struct remote_inode *r) MUST_CHECK;

/* The fid, asked for now if the node was only seen in a list. No lock held but the directory's mu. */
int remote_fid(struct remote_inode *r, uint32_t *fid) MUST_CHECK;

/* ---- remote_stats.c --------------------------------------------------------------------- */
enum remote_known { REMOTE_UNKNOWN, REMOTE_FOUND, REMOTE_MISSING };
/* Takes stats (mem_alloc'ed, one per entry of l); they are forgotten when memory is short. */
void remote_stats_keep(struct remote_inode *r, struct dirlist *l, struct gofer_stat *stats);
enum remote_known remote_stats_find(struct remote_inode *r, const char *name, struct gofer_stat *out);
void remote_stats_drop(struct remote_inode *r);

/* ---- remote_walk.c -------------------------------------------------------------------- */
/* What an earlier walk learnt of name, taken: REMOTE_FOUND gives *out counted. */
enum remote_known remote_ahead_take(struct remote_inode *dir, const char *name, struct inode **out);
/* Looks up name in dir, and of the path after it (rest: "/b/c" or "") what there is. Not for mounts that change. */
int remote_walk_ahead(struct inode *dir, const char *name, const char *rest, struct inode **out) MUST_CHECK;
void remote_ahead_drop(struct remote_inode *r);

/* ---- remote_file.c ----------------------------------------------------------------- */
int remote_open(struct task *t, struct inode *i, uint32_t flags, struct file **out);
/* A descriptor that came with create: becomes the inode's. Takes fd. */
void remote_adopt_fd(struct remote_inode *r, int fd, uint32_t pages);
/*
 * Before and after we change its size other than through a descriptor.  (The host may move the bytes to another file then,
 * which older descriptors do not map.)
 */
void remote_fds_written(struct remote_inode *r);
/* The inode goes away. */
void remote_fds_drop(struct remote_inode *r);
bool remote_has_writer(struct remote_inode *r);

/* ---- remote_window.c --------------------------------------------------------------- */
/*
 * Up to n bytes from off: how many came from windows; what is missing is to be read from the host, which also knows
 * why.  sure: all of it is in the file; else the page behind it must be, too.
 */
uint64_t remote_window_read(struct hostfile *h, struct iobuf *dst, uint64_t off, uint64_t n, bool sure);
/* Unmaps what nobody reads; last: nobody has h any more. */
void remote_windows_drop(struct hostfile *h, bool last);
unsigned remote_windows_mapped(void);

/* ---- remote_dir.c -------------------------------------------------------------------- */
int remote_dir_open(struct task *t, struct inode *i, uint32_t flags, struct file **out);
void remote_dir_changed(struct inode *dir);

#endif
