/* poll: readiness of many files; epoll sets. */
#ifndef SENTRY_VFS_POLL_H
#define SENTRY_VFS_POLL_H
#include "sentry/vfs/file.h"
void epoll_file_gone(struct file *f);	/* last reference: leaves every set */
#endif
