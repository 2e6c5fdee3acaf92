/*
 * hostfs: the host's file calls as the gofer makes them, below a descriptor and never
 * through a symbolic link.  A value or -errno; the only place in the gofer that reads errno.
 */
#ifndef GOFER_HOSTFS_H
#define GOFER_HOSTFS_H

#include <sys/types.h>

#include "gofer/proto.h"

struct stat;

/* Makes hostfs_reopen possible: a descriptor of this process's own /proc/self/fd. Before lockdown. */
int hostfs_init(void) MUST_CHECK;

int hostfs_openat(int dir, const char *name, int flags, uint32_t mode) MUST_CHECK;
/* What an O_PATH descriptor refers to, opened for use. */
int hostfs_reopen(int fd, int flags) MUST_CHECK;
int hostfs_stat(int fd, struct gofer_stat *out) MUST_CHECK;
int hostfs_stat_at(int dir, const char *name, struct gofer_stat *out) MUST_CHECK;
int64_t hostfs_readlink(int fd, char *buf, size_t size) MUST_CHECK;
int hostfs_mkdir(int dir, const char *name, uint32_t mode) MUST_CHECK;
int hostfs_symlink(const char *target, int dir, const char *name) MUST_CHECK;
int hostfs_mknod(int dir, const char *name, uint32_t mode) MUST_CHECK;
int hostfs_link(int fd, int dir, const char *name) MUST_CHECK;
int hostfs_unlink(int dir, const char *name, bool is_dir) MUST_CHECK;
int hostfs_rename(int olddir, const char *old, int newdir, const char *new, uint32_t flags) MUST_CHECK;
int hostfs_chown(int fd, uint32_t uid, uint32_t gid) MUST_CHECK;
int hostfs_chmod(int fd, uint32_t mode) MUST_CHECK;
/* A time with nsec UTIME_OMIT stays. */
int hostfs_utimes(int fd, const struct gofer_time *atime, const struct gofer_time *mtime) MUST_CHECK;
int hostfs_truncate(int fd, uint64_t size) MUST_CHECK;		/* fd opened for writing */
int hostfs_fallocate(int fd, uint32_t mode, uint64_t off, uint64_t len) MUST_CHECK;
int hostfs_fsync(int fd, bool data_only) MUST_CHECK;
int hostfs_statfs(int fd, struct gofer_statfs_rep *out) MUST_CHECK;
uint32_t hostfs_pages(int fd, bool write);			/* GOFER_PAGES_* */
int64_t hostfs_getxattr(int fd, const char *name, void *buf, size_t size) MUST_CHECK;
int64_t hostfs_listxattr(int fd, char *buf, size_t size) MUST_CHECK;
int hostfs_setxattr(int fd, const char *name, const void *val, size_t size, uint32_t flags) MUST_CHECK;
int hostfs_removexattr(int fd, const char *name) MUST_CHECK;
int64_t hostfs_getdents(int fd, void *buf, size_t size) MUST_CHECK;
int64_t hostfs_seek(int fd, int64_t off) MUST_CHECK;

#endif
