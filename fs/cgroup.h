/* cgroup: what a program in a container asks of its cgroup: its limits and who is in it. */
#ifndef FS_CGROUP_H
#define FS_CGROUP_H

#include "base/base.h"

struct super;
struct task;

/* fstypes cgroup2, and cgroup (shown as an empty hierarchy of version 2). */
int cgroup_mount(struct task *t, const char *source, const char *data, uint64_t flags, struct super **out) MUST_CHECK;

#endif
