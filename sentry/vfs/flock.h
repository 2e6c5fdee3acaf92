/* flock: flock(2) and fcntl(2) record locks (POSIX and open-file-description). */
#ifndef SENTRY_VFS_FLOCK_H
#define SENTRY_VFS_FLOCK_H
#include "abi/fs.h"
#include "sentry/vfs/file.h"
struct fdtable;
void flock_file_gone(struct file *f);				/* last reference */
void flock_posix_close(struct fdtable *owner, struct file *f);	/* any close by this owner drops its POSIX locks */
void flocks_free(struct inode *i);
/* flock(2). */
int flock_whole(struct task *t, struct file *f, int32_t op) MUST_CHECK;
/* F_GETLK, F_SETLK(W) and their OFD forms; l is updated by get. */
int flock_record_get(struct task *t, struct file *f, struct abi_flock *l, bool ofd) MUST_CHECK;
int flock_record_set(struct task *t, struct file *f, const struct abi_flock *l, bool ofd, bool wait) MUST_CHECK;
/* One line per lock for /proc/locks, from all inodes that have any. */
struct strbuf;
void flocks_print(struct strbuf *sb);
#endif
