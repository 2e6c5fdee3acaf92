/*
 * path: names to nodes.  path_resolution(7).
 *
 * A struct path is a place in the mount tree: (mount, dentry), both counted.
 */
#ifndef SENTRY_VFS_PATH_H
#define SENTRY_VFS_PATH_H

#include "abi/gaddr.h"
#include "base/ref.h"

struct task;
struct mount;
struct dentry;
struct strbuf;

#define NAME_LIMIT	255
#define PATH_LIMIT	4096	/* with NUL */

struct path {
	struct mount	*mnt;
	struct dentry	*dentry;
};

void path_get(const struct path *p);
void path_put(struct path *p);			/* and clears it */
bool path_equal(const struct path *a, const struct path *b);

enum {				/* path_walk flags */
	WALK_FOLLOW	= 1 << 0,	/* follow a symlink at the end */
	WALK_EMPTY	= 1 << 1,	/* "" means dirfd itself (AT_EMPTY_PATH) */
	WALK_DIRECTORY	= 1 << 2,	/* the end must be a directory */
	WALK_BENEATH	= 1 << 3, WALK_IN_ROOT = 1 << 4, WALK_NO_SYMLINKS = 1 << 5,
	WALK_NO_MAGICLINKS = 1 << 6, WALK_NO_XDEV = 1 << 7,
};

/* Resolves a kernel string from dirfd (AT_FDCWD or a descriptor). *out counted. Errors as path_resolution(7). */
int path_walk(struct task *t, int32_t dirfd, const char *name, uint32_t flags, struct path *out) MUST_CHECK;
/* The same from a guest string; the usual beginning of a handler. */
int path_walk_user(struct task *t, int32_t dirfd, gaddr_t name, uint32_t flags, struct path *out) MUST_CHECK;
/*
 * Resolves all but the last component: *out is its directory; last (NAME_LIMIT + 1 bytes) the component;
 * *trailing_slash says the name ended in one. "." ".." and "/" as last give -EINVAL-like kinds in *kind.
 */
enum last_kind { LAST_NORMAL, LAST_DOT, LAST_DOTDOT, LAST_ROOT };
int path_walk_parent(struct task *t, int32_t dirfd, const char *name, uint32_t flags, struct path *out, char *last, enum last_kind *kind, bool *trailing_slash) MUST_CHECK;
/* The same from a place. */
int path_walk_parent_from(struct task *t, const struct path *start, const char *name, uint32_t flags, struct path *out, char *last, enum last_kind *kind, bool *trailing_slash) MUST_CHECK;
/* Text of p as seen from root ("/..." ; "(unreachable)" prefix as getcwd; " (deleted)" when asked and unlinked). 0 or -ENAMETOOLONG. */
int path_text(const struct path *p, const struct path *root, bool deleted_mark, char *buf, size_t size) MUST_CHECK;
/* As path_text seen from t's root; for /proc and reports. */
int path_text_task(struct task *t, const struct path *p, char *buf, size_t size) MUST_CHECK;

#endif
