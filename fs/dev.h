/* dev: character devices and the filesystem at /dev. */
#ifndef FS_DEV_H
#define FS_DEV_H

#include "base/base.h"

struct super;
struct task;

/* Makes the nodes every container expects in the root of s (a tmpfs). Existing names are left alone. */
int dev_populate(struct task *t, struct super *s) MUST_CHECK;
/* fstype "dev"/"devtmpfs": a tmpfs with those nodes. */
int dev_mount(struct task *t, const char *source, const char *data, uint64_t flags, struct super **out) MUST_CHECK;

#endif
