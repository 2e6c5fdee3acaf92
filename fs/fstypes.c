/* fstypes: the table of filesystem types, made from fstypes.def. */
#include <string.h>

#include "fs/cgroup.h"
#include "fs/dev.h"
#include "fs/fs.h"
#include "fs/proc.h"
#include "fs/tty.h"
#include "sentry/vfs/mount.h"

const struct fstype fstypes[] = {
#define FSTYPE(n, fn, no_device, users)	{ .name = n, .mount = fn, .nodev = no_device, .user_mountable = users },
#include "fs/fstypes.def"
#undef FSTYPE
	{ .name = NULL },
};

const struct fstype *
fstype_find(const char *name)
{
	for (const struct fstype *f = fstypes; f->name; f++) {
		if (strcmp(f->name, name) == 0)
			return f;
	}
	return NULL;
}
