/* flock: flock(2) and fcntl(2) record locks (POSIX and open-file-description). */
#ifndef SENTRY_VFS_FLOCK_H
#define SENTRY_VFS_FLOCK_H
#include "sentry/vfs/file.h"
struct fdtable;
void flock_file_gone(struct file *f);				/* last reference */
void flock_posix_close(struct fdtable *owner, struct file *f);	/* any close by this owner drops its POSIX locks */
void flocks_free(struct inode *i);
#endif
