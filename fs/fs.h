/* fs: what boot and other subsystems ask of the filesystems here. */
#ifndef FS_FS_H
#define FS_FS_H

#include "base/base.h"

struct dirsink;
struct file;
struct inode;
struct iobuf;
struct super;
struct task;

/* ---- remote.c: files of the gofer ------------------------------------------- */

/* The gofer's socket, and how many mounts it serves at most. Once. */
int remote_boot(int sock, unsigned nmounts) MUST_CHECK;
/*
 * Mount `index` of the gofer.  readonly: never ask to write.  shared: others change it, so
 * names and attributes are asked for again.  The root may be a regular file (bind of one file).
 */
int remote_super(unsigned index, bool readonly, bool shared, struct super **out) MUST_CHECK;

/* ---- tmpfs.c ------------------------------------------------------------------ */

/* options: size= nr_inodes= nr_blocks= mode= uid= gid=, comma separated; NULL: none. -EINVAL. */
int tmpfs_super(const char *options, struct super **out) MUST_CHECK;
/* fstype "tmpfs". */
int tmpfs_mount(struct task *t, const char *source, const char *data, uint64_t flags, struct super **out) MUST_CHECK;

/* ---- overlay.c ------------------------------------------------------------------ */

/* An in-memory upper layer over lower (its own reference is taken). */
int overlay_super(struct super *lower, struct super **out) MUST_CHECK;

/* ---- for filesystems here ------------------------------------------------------- */

/* "." and ".." of an open directory at f->pos 0 and 1; false when the sink is full. */
bool dir_emit_dots(struct file *f, struct dirsink *d);
/* The pread slot of directories: -EISDIR. */
int64_t dir_no_pread(struct file *f, struct task *t, struct iobuf *dst, int64_t off);
/*
 * Owner of a node that t makes in dir, and what a set-group-id directory does to its group and mode.
 * dir's mu held; t is NULL for the kernel itself.
 */
void node_owner(struct task *t, const struct inode *dir, uint32_t *mode, uint32_t *uid, uint32_t *gid);

#endif
