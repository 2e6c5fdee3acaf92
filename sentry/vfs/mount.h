/*
 * mount: where filesystems hang together; mntns: one tree of mounts.
 */
#ifndef SENTRY_VFS_MOUNT_H
#define SENTRY_VFS_MOUNT_H

#include "base/list.h"
#include "base/lock.h"
#include "base/ref.h"
#include "base/strbuf.h"
#include "sentry/vfs/path.h"

struct super;
struct task;

struct mount {
	struct ref	 ref;
	int32_t		 id;		/* [I] */
	struct super	*super;		/* [I] counted */
	struct dentry	*root;		/* [I] counted: what of the super is seen here (bind) */
	struct mount	*parent;	/* [mount] borrowed: a parent outlives its children */
	struct dentry	*mountpoint;	/* [mount] counted; in parent; NULL once detached */
	struct path	 left;		/* counted: where it was, on its way out (mount.c) */
	struct list	 children, sibling;	/* [mount] */
	struct mntns	*ns;		/* [mount] borrowed; NULL once detached */
	_Atomic uint32_t flags;		/* MS_RDONLY, NOSUID, NODEV, NOEXEC, NOATIME, NODIRATIME, RELATIME */
	char		*source;	/* [I] /proc/mounts; owned */
};

struct mntns {
	struct ref	 ref;
	struct mount	*root;		/* [mount] counted */
	uint64_t	 id;
};

/* A filesystem type: rows of fs/fstypes.def. */
struct fstype {
	const char	*name;
	/* A new instance. source and data (options) may be NULL. -EINVAL for an option it does not know. */
	int (*mount)(struct task *t, const char *source, const char *data, uint64_t flags, struct super **out);
	bool		 nodev;		/* "nodev" in /proc/filesystems */
	bool		 user_mountable;/* mount(2) inside may use it */
};
extern const struct fstype fstypes[];	/* ends with a NULL name; fs/fstypes.c */
const struct fstype *fstype_find(const char *name);

int mntns_new(struct super *root, uint64_t flags, const char *source, struct mntns **out) MUST_CHECK;
/* Mounts super at p (a directory on a directory, or a file on a file). */
int mount_at(struct mntns *ns, const struct path *p, struct super *super, struct dentry *root, uint64_t flags, const char *source) MUST_CHECK;
/* mount(2)'s other forms. All take borrowed paths; checks of capability are the handler's. */
int mount_bind(struct mntns *ns, const struct path *from, const struct path *to, bool recursive) MUST_CHECK;
int mount_move(struct mntns *ns, const struct path *from, const struct path *to) MUST_CHECK;
int mount_remount(const struct path *p, uint64_t flags) MUST_CHECK;	/* p must be the root of a mount: -EINVAL */
/* Detaches the mount whose root p is. -EINVAL, -EBUSY (unless lazy). */
int mount_umount(struct mntns *ns, const struct path *p, bool lazy) MUST_CHECK;
int mount_pivot(struct task *t, const struct path *new_root, const struct path *put_old) MUST_CHECK;
/* Crosses to what is mounted on *p, as often as needed; true when it moved. Consumes and replaces the references. */
bool mount_cross_down(struct path *p);
/* From the root of a mount to the place it sits on (the topmost one); false at the top of the tree. */
bool mount_cross_up(struct path *p);
/* The flags mount_at keeps. */
#define MOUNT_FLAGS	(MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC | MS_NOATIME | MS_NODIRATIME | MS_RELATIME)
/* "/proc/self/mounts", "mountinfo" as seen from root. */
void mount_print(struct task *t, struct strbuf *sb, bool mountinfo);
void mounts_sync(struct task *t);	/* sync(2) */
/* Woken when a mount has come, gone or changed; how often that was. */
extern struct waitq mounts_wq;
uint64_t mounts_changes(void);
int mnt_want_write(const struct mount *m) MUST_CHECK;	/* -EROFS */

#endif
