/* hoststream: a guest descriptor over one of the host's (the container's standard streams). */
#ifndef FS_HOSTSTREAM_H
#define FS_HOSTSTREAM_H

#include "base/base.h"

struct file;

/* Takes host_fd. flags: O_RDONLY, O_WRONLY or O_RDWR. */
int hoststream_new(int host_fd, uint32_t flags, struct file **out) MUST_CHECK;

#endif
