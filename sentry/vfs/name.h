/* name: making, removing and moving names: the bodies of mkdir, unlink, link, rename ... */
#ifndef SENTRY_VFS_NAME_H
#define SENTRY_VFS_NAME_H

#include "sentry/vfs/path.h"

struct inode;

/* A directory, device, FIFO, socket, empty file (mode has the type, umask applied) or symlink (target). */
int name_create(struct task *t, int32_t dirfd, const char *name, uint32_t mode, uint64_t rdev, const char *target) MUST_CHECK;
/*
 * As name_create in an already resolved directory, with permission checks; *out counted (may be NULL). For
 * open(O_CREAT) and for sockets bound to a name (then node->endpoint is the caller's to set).
 */
int name_create_in(struct task *t, const struct path *dir, const char *last, uint32_t mode, uint64_t rdev, const char *target, struct dentry **out) MUST_CHECK;
int name_remove(struct task *t, int32_t dirfd, const char *name, bool dir) MUST_CHECK;
/* from is what gets another name. */
int name_link(struct task *t, const struct path *from, int32_t dirfd, const char *name) MUST_CHECK;
/* What name_rename finds before it looks at the new name: the flags, then, unless old is NULL, the old one's directory. */
int name_rename_first(struct task *t, int32_t olddirfd, const char *old, uint32_t flags) MUST_CHECK;
int name_rename(struct task *t, int32_t olddirfd, const char *old, int32_t newdirfd, const char *new, uint32_t flags) MUST_CHECK;

#endif
