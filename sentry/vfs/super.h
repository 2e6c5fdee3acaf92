/* super: instances of filesystems, and the one behind nameless objects (pipes, eventfds, sockets). */
#ifndef SENTRY_VFS_SUPER_H
#define SENTRY_VFS_SUPER_H

#include "sentry/vfs/inode.h"

/* A node without a filesystem: mode is type and permissions. Counted; -ENOMEM. */
int inode_new_anon(uint32_t mode, struct inode **out) MUST_CHECK;
extern struct super anon_super;

#endif
