/*
 * remote: inodes over the gofer's fids; see remote.h.
 *
 * Locks: the VFS holds a directory's mu (rank upper, for an overlay may sit above us).  amu guards what
 * the gofer told us; mode, uid and gid change under both.  No request is sent with amu or tab_mu held.
 */
#include "fs/remote.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "base/hostcall.h"
#include "base/kmem.h"
#include "fs/fs.h"
#include "sentry/kernel/task.h"

KMEM_CACHE(remote_inode);
KMEM_CACHE(remote_super);

static const struct inode_ops remote_inode_ops;

/* ---- attributes ----------------------------------------------------------- */

static struct timespec64
time_of(const struct gofer_time *g)
{
	return (struct timespec64){ g->sec, g->nsec < NSEC_PER_SEC ? g->nsec : 0 };
}

static bool
stat_is_sane(const struct gofer_stat *st)
{
	switch (st->mode & S_IFMT) {
	case S_IFREG: case S_IFDIR: case S_IFLNK: case S_IFIFO: case S_IFSOCK: case S_IFCHR: case S_IFBLK:
		return st->size <= INT64_MAX && (st->mode & ~(uint32_t)(S_IFMT | 07777)) == 0;
	default:
		return false;
	}
}

static void
attr_fill(const struct remote_super *s, const struct gofer_stat *st, struct iattr *a)
{
	a->mode = st->mode;
	a->uid = st->uid;
	a->gid = st->gid;
	a->nlink = st->nlink;
	a->ino = st->ino;
	/* A host mount below our root: its numbers must not meet the root's. */
	if (st->dev != s->root_dev)
		a->ino ^= (st->dev * 0x9e3779b97f4a7c15ULL) << 32;
	a->rdev = st->rdev;
	a->size = st->size;
	a->blocks = st->blocks;
	a->blksize = st->blksize ? st->blksize : (uint32_t)PAGE_SIZE;
	a->atime = time_of(&st->atime);
	a->mtime = time_of(&st->mtime);
	a->ctime = time_of(&st->ctime);
	a->btime = time_of(&st->btime);
}

void
remote_attr_update(struct remote_inode *r, const struct gofer_stat *st)
{
	struct inode *i = &r->inode;

	/* The type never changes: a gofer that says so is lying. */
	if (!stat_is_sane(st) || (st->mode & S_IFMT) != i->type ||
	    st->ino != r->host_ino || st->dev != r->host_dev)
		return;
	mutex_lock(&i->mu);
	mutex_lock(&r->amu);
	attr_fill(remote_super_of(i), st, &i->attr);
	mutex_unlock(&r->amu);
	mutex_unlock(&i->mu);
}

int
remote_attr_refresh(struct remote_inode *r)
{
	struct gofer_getattr_req q = { .fid = r->fid };
	struct gofer_getattr_rep rep;
	struct remote_io io = REMOTE_IO(&q, &rep);
	int err;

	if (!remote_super_of(&r->inode)->shared && !atomic_load(&r->stale) && !remote_has_writer(r))
		return 0;
	/* Before the question: a change meanwhile makes it stale again. */
	atomic_store(&r->stale, false);
	err = remote_call(GOFER_getattr, &io);
	if (err) {
		atomic_store(&r->stale, true);
		return err;
	}
	remote_attr_update(r, &rep.st);
	return 0;
}

/* ---- the table of inodes -------------------------------------------------------- */

struct node_key { uint64_t dev, ino; };

static int
key_cmp(uint64_t adev, uint64_t aino, uint64_t bdev, uint64_t bino)
{
	if (aino != bino)
		return aino < bino ? -1 : 1;
	return adev == bdev ? 0 : adev < bdev ? -1 : 1;
}

static int
cmp_nodes(const struct tree_node *a, const struct tree_node *b)
{
	const struct remote_inode *x = container_of(a, struct remote_inode, node);
	const struct remote_inode *y = container_of(b, struct remote_inode, node);

	return key_cmp(x->host_dev, x->host_ino, y->host_dev, y->host_ino);
}

static int
cmp_key(const void *key, const struct tree_node *n)
{
	const struct node_key *k = key;
	const struct remote_inode *y = container_of(n, struct remote_inode, node);

	return key_cmp(k->dev, k->ino, y->host_dev, y->host_ino);
}

static struct remote_inode *
remote_inode_new(struct remote_super *s, uint32_t fid, const struct gofer_stat *st, struct inode *dir,
    const char *name)
{
	struct remote_inode *r = obj_new(remote_inode);

	if (r == NULL)
		return NULL;
	if (fid == 0) {
		r->name = mem_strdup(name);
		if (r->name == NULL) {
			obj_free(remote_inode, r);
			return NULL;
		}
		r->parent = inode_get(dir);
	}
	inode_init(&r->inode, &remote_inode_ops, &s->super, st->mode, RANK_upper);
	mutex_init(&r->amu, RANK_object);
	r->inode.attr_mu = &r->amu;
	atomic_init(&r->fid, fid);
	r->host_dev = st->dev;
	r->host_ino = st->ino;
	list_init(&r->lru);
	attr_fill(s, st, &r->inode.attr);
	return r;
}

static void
drop_fid(uint32_t fid)
{
	if (fid != 0)
		remote_clunk(fid);
}

/*
 * The inode of a node the gofer named; counted. Takes the fid, also on failure.  Without one (0) it is
 * known from the list of dir, by name.
 */
int
remote_inode_get(struct remote_super *s, uint32_t fid, const struct gofer_stat *st, struct inode *dir,
    const char *name, struct inode **out)
{
	struct node_key key = { st->dev, st->ino };
	struct remote_inode *fresh = NULL, *have;
	struct inode *got = NULL;

	if (fid == 0 && dir == NULL)
		return -EIO;
	if (!stat_is_sane(st)) {
		drop_fid(fid);
		return -EIO;
	}
	fresh = remote_inode_new(s, fid, st, dir, name);
	if (fresh == NULL) {
		drop_fid(fid);
		return -ENOMEM;
	}
	mutex_lock(&s->tab_mu);
	have = tree_entry(tree_find(&s->inodes, &key, cmp_key), struct remote_inode, node);
	if (have != NULL) {
		/* One whose last reference is going, or a number used again for another kind, makes room. */
		if (have->inode.type == (st->mode & S_IFMT))
			got = inode_tryget(&have->inode);
		if (got == NULL) {
			tree_remove(&s->inodes, &have->node);
			have->hashed = false;
		}
	}
	if (got == NULL) {
		fresh->hashed = tree_insert(&s->inodes, &fresh->node) == 0;
		got = &fresh->inode;
		fresh = NULL;
	}
	mutex_unlock(&s->tab_mu);
	if (fresh != NULL) {
		if (s->shared)
			atomic_store(&remote_of(got)->stale, true);
		inode_put(&fresh->inode);	/* clunks the second fid */
	}
	*out = got;
	return 0;
}

static void
remote_inode_free(struct inode *i)
{
	struct remote_inode *r = remote_of(i);
	struct remote_super *s = remote_super_of(i);

	mutex_lock(&s->tab_mu);
	if (r->hashed)
		tree_remove(&s->inodes, &r->node);
	mutex_unlock(&s->tab_mu);
	remote_fds_drop(r);
	remote_ahead_drop(r);
	remote_stats_drop(r);
	dirlist_put(r->list);
	mem_free(r->target);
	mem_free(r->name);
	drop_fid(atomic_load(&r->fid));
	/* The gofer's descriptor is all that keeps a removed file's space. */
	if (atomic_load(&r->removed))
		remote_clunk_flush();
	/* Never a long chain: a directory that was listed has a fid, and no parent any more. */
	inode_put(r->parent);
	inode_fini(i);
	mutex_fini(&r->amu);
	obj_free(remote_inode, r);
}

/* ---- names ------------------------------------------------------------------------- */

/* One name below dir. flags: GOFER_WALK_*. */
static int
walk_one(struct inode *dir, const char *name, uint16_t flags, struct gofer_step *step)
{
	struct gofer_walk_req q = { .count = 1, .flags = flags };
	struct { struct gofer_walk_rep rep; struct gofer_step step; } r;
	struct remote_io io = REMOTE_IO(&q, &r, .text = { name }, .text_len = { strlen(name) });
	int err = remote_fid(remote_of(dir), &q.fid);

	if (err)
		return err;
	q.text_len = (uint32_t)io.text_len[0];
	io.rep_fixed = sizeof r.rep;
	err = remote_call(GOFER_walk, &io);
	if (err)
		return err;
	if (r.rep.count == 0)
		return r.rep.stop < 0 && r.rep.stop > -512 ? r.rep.stop : -EIO;
	if (r.rep.count != 1 || io.rep_len != sizeof r)
		return -EIO;
	*step = r.step;
	return 0;
}

/* As remote_fid; *no_xattrs: the gofer has looked, since it had to be asked (with GOFER_WALK_XATTRS in flags). */
static int
fid_of(struct remote_inode *r, uint16_t flags, uint32_t *fid, bool *no_xattrs)
{
	AUTO_PUT(inode) parent = NULL;
	struct gofer_step step;
	uint32_t none = 0;
	int err;

	*no_xattrs = false;
	*fid = atomic_load(&r->fid);
	if (likely(*fid != 0))
		return 0;
	mutex_lock(&r->amu);
	parent = inode_get(r->parent);
	mutex_unlock(&r->amu);
	if (parent == NULL) {
		/* Somebody else has just asked. */
		*fid = atomic_load(&r->fid);
		return *fid ? 0 : -EIO;
	}
	err = walk_one(parent, r->name, flags, &step);
	if (err)
		return err;
	if (step.fid == 0)
		return -EIO;
	if (step.st.ino != r->host_ino || step.st.dev != r->host_dev ||
	    (step.st.mode & S_IFMT) != r->inode.type) {
		remote_clunk(step.fid);
		return -ESTALE;
	}
	if (atomic_compare_exchange_strong(&r->fid, &none, step.fid)) {
		struct inode *last;

		mutex_lock(&r->amu);
		last = steal(&r->parent);
		mutex_unlock(&r->amu);
		inode_put(last);
	} else {
		remote_clunk(step.fid);
	}
	*fid = atomic_load(&r->fid);
	*no_xattrs = step.no_xattrs == 1;
	return 0;
}

int
remote_fid(struct remote_inode *r, uint32_t *fid)
{
	bool no_xattrs;

	return fid_of(r, 0, fid, &no_xattrs);
}

static int
remote_lookup(struct task *t, struct inode *dir, const char *name, struct inode **out)
{
	struct remote_super *s = remote_super_of(dir);
	struct gofer_step step;
	int err;

	if (!S_ISDIR(dir->type))
		return -ENOTDIR;
	switch (remote_ahead_take(remote_of(dir), name, out)) {
	case REMOTE_FOUND:
		return 0;
	case REMOTE_MISSING:
		return -ENOENT;
	default:
		break;
	}
	switch (remote_stats_find(remote_of(dir), name, &step.st)) {
	case REMOTE_FOUND:
		return remote_inode_get(s, 0, &step.st, dir, name, out);
	case REMOTE_MISSING:
		return -ENOENT;
	default:
		if (t != NULL && t->walk_rest != NULL && t->walk_rest[0] == '/' && s->readonly && !s->shared)
			return remote_walk_ahead(dir, name, t->walk_rest, out);
		err = walk_one(dir, name, 0, &step);
		return err ? err : remote_inode_get(s, step.fid, &step.st, NULL, NULL, out);
	}
}

static int
remote_revalidate(struct task *t, struct inode *dir, const char *name, struct inode *node)
{
	struct remote_inode *r = remote_of(node);
	struct gofer_step step;
	int err;

	(void)t;
	if (!remote_super_of(dir)->shared)
		return 1;
	err = walk_one(dir, name, GOFER_WALK_NOFID, &step);
	if (err)
		return 0;
	if (step.st.dev != r->host_dev || step.st.ino != r->host_ino ||
	    (step.st.mode & S_IFMT) != node->type)
		return 0;
	remote_attr_update(r, &step.st);
	return 1;
}

static int
want_write(const struct inode *i)
{
	return remote_super_of(i)->readonly ? -EROFS : 0;
}

union make_req {
	struct gofer_create_req create;
	struct gofer_mkdir_req mkdir;
	struct gofer_symlink_req symlink;
	struct gofer_mknod_req mknod;
};

/* The request that makes a node of that mode, and its length; which one it is, or -EPERM. */
static int
make_request(union make_req *q, size_t *len, uint32_t fid, uint32_t mode, const uint32_t owner[2],
    uint32_t text_len, uint32_t target_len)
{
	memset(q, 0, sizeof *q);
	switch (mode & S_IFMT) {
	case S_IFREG:
		q->create = (struct gofer_create_req){ .fid = fid, .mode = mode & 07777, .uid = owner[0],
		    .gid = owner[1], .text_len = text_len };
		*len = sizeof q->create;
		return GOFER_create;
	case S_IFDIR:
		q->mkdir = (struct gofer_mkdir_req){ .fid = fid, .mode = mode & 07777, .uid = owner[0],
		    .gid = owner[1], .text_len = text_len };
		*len = sizeof q->mkdir;
		return GOFER_mkdir;
	case S_IFLNK:
		q->symlink = (struct gofer_symlink_req){ .fid = fid, .uid = owner[0], .gid = owner[1],
		    .target_len = target_len, .text_len = text_len };
		*len = sizeof q->symlink;
		return GOFER_symlink;
	case S_IFIFO: case S_IFSOCK:
		q->mknod = (struct gofer_mknod_req){ .fid = fid, .mode = mode, .uid = owner[0],
		    .gid = owner[1], .text_len = text_len };
		*len = sizeof q->mknod;
		return GOFER_mknod;
	default:
		/* A device of the host is nothing a guest may make. */
		return -EPERM;
	}
}

static int
remote_create(struct task *t, struct inode *dir, const char *name, uint32_t mode, uint64_t rdev,
    const char *target, struct inode **out)
{
	union make_req q;
	struct gofer_create_rep rep;	/* the four replies have one shape */
	struct remote_io io = { .req = &q, .rep = &rep, .rep_fixed = sizeof rep, .rep_cap = sizeof rep,
	    .text = { name, target }, .text_len = { strlen(name), target ? strlen(target) : 0 }, .fd = -1 };
	uint32_t owner[2], fid;
	int op, err = want_write(dir);

	(void)rdev;
	_Static_assert(sizeof(struct gofer_create_rep) == sizeof(struct gofer_mkdir_rep) &&
	    sizeof(struct gofer_create_rep) == sizeof(struct gofer_symlink_rep) &&
	    sizeof(struct gofer_create_rep) == sizeof(struct gofer_mknod_rep), "one shape");
	if (!err)
		err = remote_fid(remote_of(dir), &fid);
	if (err)
		return err;
	node_owner(t, dir, &mode, &owner[0], &owner[1]);
	op = make_request(&q, &io.req_len, fid, mode, owner, (uint32_t)(io.text_len[0] + io.text_len[1]),
	    (uint32_t)io.text_len[1]);
	if (op < 0)
		return op;
	io.want_fd = op == GOFER_create;
	err = remote_call((enum gofer_op)op, &io);
	if (err)
		return err;
	remote_dir_changed(dir);
	err = remote_inode_get(remote_super_of(dir), rep.fid, &rep.st, NULL, NULL, out);
	if (io.fd >= 0) {
		if (!err)
			remote_adopt_fd(remote_of(*out), io.fd, rep.pages);
		else
			(void)host_close(io.fd);
	}
	return err;
}

static int
remote_link(struct task *t, struct inode *dir, const char *name, struct inode *node)
{
	struct gofer_link_req q = { .fid = remote_of(dir)->fid, .node = remote_of(node)->fid,
	    .text_len = (uint32_t)strlen(name) };
	struct gofer_link_rep rep;
	struct remote_io io = REMOTE_IO(&q, &rep, .text = { name }, .text_len = { q.text_len });
	int err = want_write(dir);

	(void)t;
	if (!err)
		err = remote_call(GOFER_link, &io);
	if (err)
		return err;
	remote_dir_changed(dir);
	atomic_store(&remote_of(node)->stale, true);
	return 0;
}

static int
remove_name(struct inode *dir, const char *name, struct inode *node, uint32_t flags)
{
	struct gofer_unlink_req q = { .fid = remote_of(dir)->fid, .flags = flags,
	    .text_len = (uint32_t)strlen(name) };
	struct gofer_unlink_rep rep;
	struct remote_io io = REMOTE_IO(&q, &rep, .text = { name }, .text_len = { q.text_len });
	int err = want_write(dir);

	if (!err)
		err = remote_call(GOFER_unlink, &io);
	if (err)
		return err;
	remote_dir_changed(dir);
	mutex_lock(&remote_of(node)->amu);
	if (node->attr.nlink > 0)
		node->attr.nlink--;
	mutex_unlock(&remote_of(node)->amu);
	atomic_store(&remote_of(node)->stale, true);
	atomic_store(&remote_of(node)->removed, true);
	return 0;
}

static int
remote_unlink(struct task *t, struct inode *dir, const char *name, struct inode *node)
{
	(void)t;
	return remove_name(dir, name, node, 0);
}

static int
remote_rmdir(struct task *t, struct inode *dir, const char *name, struct inode *node)
{
	(void)t;
	return remove_name(dir, name, node, GOFER_UNLINK_DIR);
}

static int
remote_rename(struct task *t, struct inode *olddir, const char *oldname, struct inode *node,
    struct inode *newdir, const char *newname, struct inode *target, uint32_t flags)
{
	struct gofer_rename_req q = { .fid = remote_of(olddir)->fid, .new_fid = remote_of(newdir)->fid,
	    .flags = flags, .new_len = (uint32_t)strlen(newname) };
	struct gofer_rename_rep rep;
	struct remote_io io = REMOTE_IO(&q, &rep, .text = { oldname, newname },
	    .text_len = { strlen(oldname), strlen(newname) });
	int err = want_write(olddir);

	(void)t;
	if (!err && flags & ~3u)
		err = -EINVAL;
	q.text_len = (uint32_t)(io.text_len[0] + io.text_len[1]);
	if (!err)
		err = remote_call(GOFER_rename, &io);
	if (err)
		return err;
	remote_dir_changed(olddir);
	remote_dir_changed(newdir);
	atomic_store(&remote_of(node)->stale, true);
	if (target != NULL)
		atomic_store(&remote_of(target)->stale, true);
	return 0;
}

/* ---- any node ------------------------------------------------------------------------ */

static int
remote_readlink(struct task *t, struct inode *i, char *buf, size_t size)
{
	struct remote_inode *r = remote_of(i);
	struct gofer_readlink_req q = { .fid = 0 };
	struct { struct gofer_readlink_rep rep; char text[GOFER_LINK_MAX + 1]; } rep;
	struct remote_io io = REMOTE_IO(&q, &rep);
	char *copy;
	size_t n;
	int err;

	(void)t;
	if (!S_ISLNK(i->type))
		return -EINVAL;
	mutex_lock(&r->amu);
	if (r->target != NULL) {
		n = min(strlen(r->target), size);
		memcpy(buf, r->target, n);
		mutex_unlock(&r->amu);
		return (int)n;
	}
	mutex_unlock(&r->amu);
	io.rep_fixed = sizeof rep.rep;
	err = remote_fid(r, &q.fid);
	if (!err)
		err = remote_call(GOFER_readlink, &io);
	if (err)
		return err;
	n = rep.rep.text_len;
	if (n != io.rep_len - sizeof rep.rep || n > GOFER_LINK_MAX || memchr(rep.text, '\0', n) != NULL)
		return -EIO;
	rep.text[n] = '\0';
	/* A link's target never changes; another link by that name is another inode. */
	copy = mem_strdup(rep.text);
	mutex_lock(&r->amu);
	if (r->target == NULL)
		r->target = steal(&copy);
	mutex_unlock(&r->amu);
	mem_free(copy);
	n = min(n, size);
	memcpy(buf, rep.text, n);
	return (int)n;
}

static int
remote_getattr(struct task *t, struct inode *i, struct iattr *out)
{
	struct remote_inode *r = remote_of(i);
	int err = remote_attr_refresh(r);

	(void)t;
	if (err)
		return err;
	mutex_lock(&r->amu);
	*out = i->attr;
	mutex_unlock(&r->amu);
	return 0;
}

static int
remote_setattr(struct task *t, struct inode *i, const struct iattr *a, uint32_t which)
{
	struct remote_inode *r = remote_of(i);
	struct gofer_setattr_req q = {
		.fid = r->fid, .which = which & GOFER_SET_ALL, .mode = a->mode & 07777,
		.uid = a->uid, .gid = a->gid, .size = a->size,
		.atime = { a->atime.sec, a->atime.nsec, 0 }, .mtime = { a->mtime.sec, a->mtime.nsec, 0 },
	};
	struct gofer_setattr_rep rep;
	struct remote_io io = REMOTE_IO(&q, &rep);
	int err = want_write(i);

	(void)t;
	_Static_assert((int)ATTR_MODE == (int)GOFER_SET_MODE && (int)ATTR_MTIME == (int)GOFER_SET_MTIME &&
	    (int)ATTR_SIZE == (int)GOFER_SET_SIZE, "one numbering");
	if (!(which & ATTR_ATIME))
		q.atime.nsec = 0;
	if (!(which & ATTR_MTIME))
		q.mtime.nsec = 0;
	/* The host keeps ctime itself. */
	if (err || q.which == 0)
		return err;
	if (q.which & GOFER_SET_SIZE)
		remote_fds_written(r);
	err = remote_call(GOFER_setattr, &io);
	if (q.which & GOFER_SET_SIZE)
		remote_fds_written(r);
	if (!err)
		remote_attr_update(r, &rep.st);
	return err;
}

static int
remote_getxattr(struct task *t, struct inode *i, const char *name, void *buf, size_t size)
{
	struct gofer_getxattr_req q = {
	    .size = (uint32_t)min(size, (size_t)GOFER_XATTR_MAX), .text_len = (uint32_t)strlen(name) };
	struct gofer_getxattr_rep *rep;
	struct remote_io io = { .req = &q, .req_len = sizeof q, .text = { name },
	    .text_len = { q.text_len }, .rep_fixed = sizeof *rep, .rep_cap = sizeof *rep + q.size, .fd = -1 };
	AUTO_FREE void *mem = mem_alloc(io.rep_cap);
	int err;

	(void)t;
	io.rep = rep = mem;
	if (rep == NULL)
		return -ENOMEM;
	if (!S_ISREG(i->type) && !S_ISDIR(i->type))
		return -ENODATA;
	err = remote_fid(remote_of(i), &q.fid);
	if (!err)
		err = remote_call(GOFER_getxattr, &io);
	if (err)
		return err;
	if (rep->size > 65536 || (size != 0 && rep->size != io.rep_len - sizeof *rep))
		return -EIO;
	if (size != 0)
		memcpy(buf, rep + 1, rep->size);
	return (int)rep->size;
}

static int
remote_setxattr(struct task *t, struct inode *i, const char *name, const void *val, size_t size, uint32_t flags)
{
	struct gofer_setxattr_req q = { .fid = remote_of(i)->fid,
	    .flags = val ? flags & 3u : GOFER_XATTR_REMOVE, .size = (uint32_t)size };
	struct gofer_setxattr_rep rep;
	struct remote_io io = REMOTE_IO(&q, &rep, .text = { name, val },
	    .text_len = { strlen(name), val ? size : 0 });
	int err = want_write(i);

	(void)t;
	if (err)
		return err;
	if (size > GOFER_XATTR_MAX)
		return -E2BIG;
	if (!S_ISREG(i->type) && !S_ISDIR(i->type))
		return -EOPNOTSUPP;
	q.size = (uint32_t)io.text_len[1];
	q.text_len = (uint32_t)(io.text_len[0] + io.text_len[1]);
	err = remote_call(GOFER_setxattr, &io);
	if (!err)
		atomic_store(&remote_of(i)->stale, true);
	return err;
}

static int64_t
remote_listxattr(struct task *t, struct inode *i, char *buf, size_t size)
{
	struct gofer_listxattr_req q = {
	    .size = (uint32_t)min(size, (size_t)GOFER_XATTR_MAX) };
	struct gofer_listxattr_rep *rep;
	struct remote_io io = { .req = &q, .req_len = sizeof q, .rep_fixed = sizeof *rep,
	    .rep_cap = sizeof *rep + q.size, .fd = -1 };
	AUTO_FREE void *mem = mem_alloc(io.rep_cap);
	bool none;
	int err;

	(void)t;
	io.rep = rep = mem;
	if (rep == NULL)
		return -ENOMEM;
	if (!S_ISREG(i->type) && !S_ISDIR(i->type))
		return 0;
	/* Of a file known from its directory's list the first question tells that too: ls -l asks for each. */
	err = fid_of(remote_of(i), GOFER_WALK_XATTRS, &q.fid, &none);
	if (!err && none)
		return 0;
	if (!err)
		err = remote_call(GOFER_listxattr, &io);
	if (err)
		return err;
	if (rep->size > 65536 || (size != 0 && rep->size != io.rep_len - sizeof *rep))
		return -EIO;
	if (size != 0)
		memcpy(buf, rep + 1, rep->size);
	return rep->size;
}

static const struct inode_ops remote_inode_ops = {
	.lookup = remote_lookup,
	.create = remote_create,
	.link = remote_link,
	.unlink = remote_unlink,
	.rmdir = remote_rmdir,
	.rename = remote_rename,
	.tmpfile = inode_no_tmpfile,
	.open = remote_open,
	.readlink = remote_readlink,
	.followlink = inode_no_followlink,
	.getattr = remote_getattr,
	.setattr = remote_setattr,
	.permission = inode_any_permission,
	.getxattr = remote_getxattr,
	.setxattr = remote_setxattr,
	.listxattr = remote_listxattr,
	.revalidate = remote_revalidate,
	.free = remote_inode_free,
};

/* ---- the instance ---------------------------------------------------------------------- */

static int
remote_statfs(struct super *s, struct fs_statfs *out)
{
	struct gofer_statfs_req q = { .fid = container_of(s, struct remote_super, super)->root_fid };
	struct gofer_statfs_rep r;
	struct remote_io io = REMOTE_IO(&q, &r);
	int err = remote_call(GOFER_statfs, &io);

	if (err)
		return err;
	*out = (struct fs_statfs){ r.type, r.bsize, r.blocks, r.bfree, r.bavail, r.files, r.ffree,
	    r.namelen, r.frsize };
	return 0;
}

static void
remote_super_free(struct super *s)
{
	struct remote_super *rs = container_of(s, struct remote_super, super);

	mutex_fini(&rs->tab_mu);
	obj_free(remote_super, rs);
}

static const struct super_ops remote_super_ops = {
	.statfs = remote_statfs,
	.show_options = super_show_none,
	.sync = super_sync_none,
	.free = remote_super_free,
};

int
remote_super(unsigned index, bool readonly, bool shared, struct super **out)
{
	struct gofer_attach_req q = { .mount = index };
	struct gofer_attach_rep rep;
	struct remote_io io = REMOTE_IO(&q, &rep);
	struct remote_super *s;
	int err = remote_call(GOFER_attach, &io);

	if (err)
		return err;
	s = obj_new(remote_super);
	if (s == NULL) {
		remote_clunk(rep.fid);
		return -ENOMEM;
	}
	readonly |= rep.writable == 0;
	/* V9FS_MAGIC: what a guest of other sandboxes with a file server sees. */
	super_init(&s->super, &remote_super_ops, "gofer", 0x01021997,
	    (readonly ? SUPER_RDONLY : 0) | (shared ? SUPER_REVALIDATE : 0));
	s->mount = index;
	s->root_fid = rep.fid;
	s->root_dev = rep.st.dev;
	s->readonly = readonly;
	s->shared = shared;
	mutex_init(&s->tab_mu, RANK_gofer);
	tree_init(&s->inodes, cmp_nodes);
	err = remote_inode_get(s, rep.fid, &rep.st, NULL, NULL, &s->super.root);
	if (err) {
		super_put(&s->super);
		return err;
	}
	*out = &s->super;
	return 0;
}
