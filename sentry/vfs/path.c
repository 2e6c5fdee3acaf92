/*
 * path: from names to places.  path_resolution(7), openat2(2).
 *
 * The walk is a loop over components; following a symlink stacks the rest of the current text
 * (at most LINK_LIMIT texts) and goes on with the target.  A text whose rest is empty is not stacked, so whatever is
 * stacked has at least one more component: "nothing stacked and nothing left" is the end.
 * No lock is held between steps; every step owns a reference to the place it stands on.
 */
#include "sentry/vfs/path.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "base/kmem.h"
#include "sentry/kernel/task.h"
#include "sentry/mm/usercopy.h"
#include "sentry/vfs/dentry.h"
#include "sentry/vfs/fdtable.h"
#include "sentry/vfs/file.h"
#include "sentry/vfs/inode.h"
#include "sentry/vfs/mount.h"

#define LINK_LIMIT	40
#define WALK_SCOPED	(WALK_BENEATH | WALK_IN_ROOT)

struct walk {
	struct task	*t;
	uint32_t	 flags;
	struct path	 root;		/* counted; fetched when first needed */
	struct path	 cur;		/* counted */
	const char	*rest;		/* of the current text */
	char		*buf;		/* that text when it is a link's target: owned */
	unsigned	 links, depth;
	bool		 must_dir;	/* the end had a trailing slash */
	bool		 known;		/* only in filesystems where nobody but us changes a name */
	struct { char *buf; const char *rest; } stack[LINK_LIMIT];
};

/* Where parent mode stopped: the component it did not look up. */
struct walk_end {
	char		*last;
	enum last_kind	 kind;
	bool		 slash;
};

static bool
is_dir(const struct path *p)
{
	return p->dentry->inode && S_ISDIR(p->dentry->inode->type);
}

static bool
is_known(const struct path *p)
{
	return !(p->dentry->super->flags & (SUPER_NOCACHE | SUPER_REVALIDATE));
}

static void
task_root(struct task *t, struct path *out)
{
	mutex_lock(&t->fs->mu);
	*out = t->fs->root;
	path_get(out);
	mutex_unlock(&t->fs->mu);
}

static const struct path *
walk_root(struct walk *w)
{
	if (w->root.dentry == NULL)
		task_root(w->t, &w->root);
	return &w->root;
}

static void
walk_set(struct walk *w, const struct path *p)
{
	struct path old = w->cur;

	w->cur = *p;
	path_get(&w->cur);
	path_put(&old);
}

/* Where a relative name starts. */
static int
start_at(struct task *t, int32_t dirfd, struct path *out)
{
	AUTO_PUT(file) f = NULL;
	int err;

	if (dirfd == AT_FDCWD) {
		mutex_lock(&t->fs->mu);
		*out = t->fs->cwd;
		path_get(out);
		mutex_unlock(&t->fs->mu);
		return 0;
	}
	err = fd_get_path(t, dirfd, &f);
	if (err)
		return err;
	if (f->path.dentry == NULL)
		return -EBADF;
	*out = f->path;
	path_get(out);
	return 0;
}

static int
walk_init(struct walk *w, struct task *t, int32_t dirfd, const struct path *start, const char *name,
    uint32_t flags)
{
	int err = 0;

	w->t = t;
	w->flags = flags;
	w->rest = name;
	w->buf = NULL;
	w->links = w->depth = 0;
	w->must_dir = false;
	w->known = true;
	w->root = w->cur = (struct path){ NULL, NULL };
	if (name[0] == '\0' && !(flags & WALK_EMPTY))
		return -ENOENT;
	if (name[0] == '/' && !(flags & WALK_IN_ROOT)) {
		if (flags & WALK_BENEATH)
			return -EXDEV;
		task_root(t, &w->cur);
		return 0;
	}
	if (start) {
		w->cur = *start;
		path_get(&w->cur);
	} else {
		err = start_at(t, dirfd, &w->cur);
	}
	if (err)
		return err;
	if (name[0] != '\0' && !is_dir(&w->cur))
		return -ENOTDIR;
	if (flags & WALK_SCOPED) {
		w->root = w->cur;
		path_get(&w->root);
	}
	return 0;
}

static void
walk_fini(struct walk *w)
{
	mem_free(w->buf);
	while (w->depth > 0)
		mem_free(w->stack[--w->depth].buf);
	path_put(&w->cur);
	path_put(&w->root);
}

static int
walk_up(struct walk *w)
{
	const struct path *root = walk_root(w);

	while (!path_equal(&w->cur, root)) {
		struct dentry *parent;

		if (w->cur.dentry == w->cur.mnt->root) {
			if (!mount_cross_up(&w->cur))
				return 0;	/* the top of a tree that root is not in */
			if (w->flags & WALK_NO_XDEV)
				return -EXDEV;
			continue;
		}
		parent = dentry_parent_get(w->cur.dentry);
		if (parent == NULL)
			return 0;
		/* A rename may have moved us out of what this (bind) mount shows: there is no way up then. */
		if (w->cur.mnt->root->parent && !dentry_is_ancestor(w->cur.mnt->root, parent)) {
			dentry_put(parent);
			return -ENOENT;
		}
		dentry_put(w->cur.dentry);
		w->cur.dentry = parent;
		if (mount_cross_down(&w->cur) && (w->flags & WALK_NO_XDEV))
			return -EXDEV;
		return 0;
	}
	return w->flags & WALK_BENEATH ? -EXDEV : 0;
}

/* Goes on at the place a magic link stands for. */
static int
walk_jump(struct walk *w, struct path *to)
{
	int err = 0;

	if (w->flags & WALK_NO_MAGICLINKS)
		err = -ELOOP;
	else if (w->flags & WALK_SCOPED)
		err = -EXDEV;
	else if ((w->flags & WALK_NO_XDEV) && to->mnt != w->cur.mnt)
		err = -EXDEV;
	else
		walk_set(w, to);
	path_put(to);
	return err;
}

/* w->rest is what follows the link's name. */
static int
walk_follow(struct walk *w, struct inode *link)
{
	struct path to;
	const char *rest = w->rest;
	char *buf;
	int n;

	if (w->flags & WALK_NO_SYMLINKS)
		return -ELOOP;
	if (++w->links > LINK_LIMIT)
		return -ELOOP;
	n = link->ops->followlink(w->t, link, &to);
	if (n == 0)
		return walk_jump(w, &to);
	if (n != -EINVAL)
		return n;
	buf = mem_alloc(PATH_LIMIT);
	if (buf == NULL)
		return -ENOMEM;
	n = link->ops->readlink(w->t, link, buf, PATH_LIMIT - 1);
	if (n <= 0 || n >= PATH_LIMIT) {
		mem_free(buf);
		return n < 0 ? n : -ENOENT;
	}
	buf[n] = '\0';
	while (*rest == '/')
		rest++;
	if (*rest) {
		w->stack[w->depth].buf = w->buf;
		w->stack[w->depth++].rest = rest;
	} else {
		mem_free(w->buf);
	}
	w->buf = buf;
	w->rest = buf;
	if (buf[0] == '/') {
		if (w->flags & WALK_BENEATH)
			return -EXDEV;
		if ((w->flags & WALK_NO_XDEV) && walk_root(w)->mnt != w->cur.mnt)
			return -EXDEV;
		walk_set(w, walk_root(w));
	}
	return 0;
}

/* One ordinary component; final: nothing comes after it. */
static int
walk_step(struct walk *w, const char *name, size_t len, bool final)
{
	struct dentry *child;
	bool follow = !final || (w->flags & WALK_FOLLOW) || w->must_dir;
	int err;

	/* A filesystem far away may ask for the rest of the path at once. */
	w->t->walk_rest = name + len;
	err = dentry_lookup(w->t, w->cur.dentry, name, len, &child);
	w->t->walk_rest = NULL;
	if (err)
		return err;
	if (S_ISLNK(child->inode->type) && follow) {
		/* Following may leave the mount for good; the link's own node goes first. */
		struct mount *mnt = mount_get(w->cur.mnt);

		err = walk_follow(w, child->inode);
		dentry_put(child);
		mount_put(mnt);
		return err;
	}
	dentry_put(w->cur.dentry);
	w->cur.dentry = child;
	if (mount_cross_down(&w->cur) && (w->flags & WALK_NO_XDEV))
		return -EXDEV;
	return 0;
}

/* The next component of the text; pops finished texts. Length 0 at the end of all. */
static size_t
walk_next(struct walk *w)
{
	for (;;) {
		while (*w->rest == '/')
			w->rest++;
		if (*w->rest || w->depth == 0)
			return strcspn(w->rest, "/");
		mem_free(w->buf);
		w->depth--;
		w->buf = w->stack[w->depth].buf;
		w->rest = w->stack[w->depth].rest;
	}
}

/* end NULL: the whole name; else all but the last component. */
static int
walk_run(struct walk *w, struct walk_end *end)
{
	const char *name;
	size_t len;
	int err;

	while ((len = walk_next(w)) > 0) {
		bool final, slash;

		name = w->rest;
		w->rest += len;
		slash = *w->rest == '/';
		final = w->depth == 0 && w->rest[strspn(w->rest, "/")] == '\0';
		w->known &= is_known(&w->cur);
		if (!is_dir(&w->cur))
			return -ENOTDIR;
		err = inode_permission(w->t, w->cur.dentry->inode, MAY_EXEC);
		if (err)
			return err;
		if (final && end) {
			end->slash = slash;
			end->kind = len == 1 && name[0] == '.' ? LAST_DOT :
			    len == 2 && name[0] == '.' && name[1] == '.' ? LAST_DOTDOT : LAST_NORMAL;
			if (len > NAME_LIMIT)
				return -ENAMETOOLONG;
			memcpy(end->last, name, len);
			end->last[len] = '\0';
			return 0;
		}
		if (final && slash)
			w->must_dir = true;
		if (len == 1 && name[0] == '.')
			continue;
		if (len == 2 && name[0] == '.' && name[1] == '.')
			err = walk_up(w);
		else if (len > NAME_LIMIT)
			err = -ENAMETOOLONG;
		else
			err = walk_step(w, name, len, final);
		if (err)
			return err;
	}
	w->known &= is_known(&w->cur);
	if (end) {
		end->kind = LAST_ROOT;
		end->slash = false;
		end->last[0] = '\0';
	} else if ((w->must_dir || (w->flags & WALK_DIRECTORY)) && !is_dir(&w->cur)) {
		return -ENOTDIR;
	}
	return 0;
}

static int
walk(struct task *t, int32_t dirfd, const struct path *start, const char *name, uint32_t flags,
    struct walk_end *end, struct path *out)
{
	struct walk w;
	int err = walk_init(&w, t, dirfd, start, name, flags);

	if (!err)
		err = walk_run(&w, end);
	t->walk_known = w.known;
	if (!err) {
		*out = w.cur;
		w.cur = (struct path){ NULL, NULL };
	}
	walk_fini(&w);
	return err;
}

int
path_walk(struct task *t, int32_t dirfd, const char *name, uint32_t flags, struct path *out)
{
	return walk(t, dirfd, NULL, name, flags, NULL, out);
}

int
path_walk_user(struct task *t, int32_t dirfd, gaddr_t name, uint32_t flags, struct path *out)
{
	AUTO_FREE char *text = NULL;
	int err = copy_in_path(t, name, &text);

	return err ? err : path_walk(t, dirfd, text, flags, out);
}

static int
walk_parent(struct task *t, int32_t dirfd, const struct path *start, const char *name, uint32_t flags,
    struct path *out, char *last, enum last_kind *kind, bool *trailing_slash)
{
	struct walk_end end = { .last = last };
	int err = walk(t, dirfd, start, name, flags & ~(uint32_t)WALK_EMPTY, &end, out);

	if (!err) {
		*kind = end.kind;
		*trailing_slash = end.slash;
	}
	return err;
}

int
path_walk_parent(struct task *t, int32_t dirfd, const char *name, uint32_t flags, struct path *out, char *last,
    enum last_kind *kind, bool *trailing_slash)
{
	return walk_parent(t, dirfd, NULL, name, flags, out, last, kind, trailing_slash);
}

int
path_walk_parent_from(struct task *t, const struct path *start, const char *name, uint32_t flags,
    struct path *out, char *last, enum last_kind *kind, bool *trailing_slash)
{
	return walk_parent(t, AT_FDCWD, start, name, flags, out, last, kind, trailing_slash);
}

int
path_text_task(struct task *t, const struct path *p, char *buf, size_t size)
{
	struct path root;
	int err;

	task_root(t, &root);
	err = path_text(p, &root, true, buf, size);
	path_put(&root);
	return err;
}
