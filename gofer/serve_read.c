/* serve_read: the requests that change nothing. */
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "base/hostcall.h"
#include "gofer/hostfs.h"
#include "gofer/serve.h"

int
serve_attach(struct call *c)
{
	const struct gofer_attach_req *q = c->req;
	struct gofer_attach_rep *r = c->rep;
	int64_t fid;
	int fd, err;

	if (q->mount >= c->s->nmounts)
		return -EINVAL;
	/* A second descriptor of the root: clunking one attach must not end the mount. */
	fd = hostfs_reopen(c->s->mounts[q->mount].fd, O_PATH);
	if (fd < 0)
		return fd;
	err = hostfs_stat(fd, &r->st);
	if (err) {
		(void)host_close(fd);
		return err;
	}
	fid = node_new(&c->s->nodes, fd, r->st.mode & S_IFMT, q->mount);
	if (fid < 0)
		return (int)fid;
	r->fid = (uint32_t)fid;
	r->writable = c->s->mounts[q->mount].writable;
	return 0;
}

/* A descriptor that attributes can be asked of: only files and directories are ever opened. */
static int
open_for_xattr(int node, uint32_t type)
{
	int fd;

	if (type != S_IFREG && type != S_IFDIR)
		return -EOPNOTSUPP;
	fd = hostfs_reopen(node, O_RDONLY | O_NOATIME);
	return fd == -EPERM ? hostfs_reopen(node, O_RDONLY) : fd;
}

static bool
has_no_xattrs(int node, uint32_t type)
{
	int fd = open_for_xattr(node, type);
	int64_t n;

	if (fd < 0)
		return false;
	n = hostfs_listxattr(fd, NULL, 0);
	(void)host_close(fd);
	return n == 0;
}

/* One name of a walk; appends its step to the reply. The new fid, 0 for attributes alone, or -errno. */
static int64_t
walk_step(struct call *c, int dirfd, const char *name, uint32_t mount, struct gofer_step *step,
    int *fd)
{
	int64_t fid;
	int got = call_step(dirfd, name, &step->st);

	if (got < 0)
		return got;
	fid = node_new(&c->s->nodes, got, step->st.mode & S_IFMT, mount);
	if (fid < 0)
		return fid;
	step->fid = (uint32_t)fid;
	*fd = got;
	return fid;
}

static int
walk_nofid(struct call *c, const struct gnode *g, const char *name)
{
	struct gofer_walk_rep *r = c->rep;
	struct gofer_step step;
	int err;

	memset(&step, 0, sizeof step);
	err = hostfs_stat_at(g->fd, name, &step.st);
	if (err) {
		r->stop = err;
		return 0;
	}
	memcpy((char *)c->rep + c->rep_len, &step, sizeof step);
	c->rep_len += sizeof step;
	r->count = 1;
	return 0;
}

/*
 * The names come as text, each ended by a slash (the last one may go without).  What exists of
 * the path is returned step by step; a symlink or a file in the middle ends the walk there.
 */
int
serve_walk(struct call *c)
{
	const struct gofer_walk_req *q = c->req;
	struct gofer_walk_rep *r = c->rep;
	char name[GOFER_NAME_MAX + 1];
	const char *text;
	struct gnode *g;
	uint32_t mount, left;
	int dirfd, err = call_node(c, q->fid, false, &g);

	if (!err)
		err = CALL_TEXT(c, q, q->text_len, &text);
	if (err)
		return err;
	if (q->count == 0 || q->count > GOFER_WALK_MAX || q->flags & ~(GOFER_WALK_NOFID | GOFER_WALK_XATTRS) ||
	    (q->flags != 0 && q->count != 1) || q->flags == (GOFER_WALK_NOFID | GOFER_WALK_XATTRS))
		return -EINVAL;
	if (g->type != S_IFDIR)
		return -ENOTDIR;
	mount = g->mount;
	dirfd = g->fd;
	left = q->text_len;
	for (unsigned i = 0; i < q->count; i++) {
		const char *slash = memchr(text, '/', left);
		uint32_t n = slash ? (uint32_t)(slash - text) : left;
		struct gofer_step step;
		int64_t fid;

		memset(&step, 0, sizeof step);
		err = call_name(text, n, name);
		if (err && i == 0)
			return err;
		if (!err && q->flags & GOFER_WALK_NOFID)
			return walk_nofid(c, g, name);
		/* node_new may move the table: g is not looked at again. */
		fid = err ? err : walk_step(c, dirfd, name, mount, &step, &dirfd);
		if (fid < 0) {
			r->stop = (int32_t)fid;
			break;
		}
		if (q->flags & GOFER_WALK_XATTRS)
			step.no_xattrs = has_no_xattrs(dirfd, step.st.mode & S_IFMT);
		memcpy((char *)c->rep + c->rep_len, &step, sizeof step);
		c->rep_len += sizeof step;
		r->count++;
		if ((step.st.mode & S_IFMT) != S_IFDIR)
			break;
		text += n + (slash != NULL);
		left -= n + (slash != NULL);
	}
	return 0;
}

int
serve_getattr(struct call *c)
{
	const struct gofer_getattr_req *q = c->req;
	struct gofer_getattr_rep *r = c->rep;
	struct gnode *g;
	int err = call_node(c, q->fid, false, &g);

	return err ? err : hostfs_stat(g->fd, &r->st);
}

int
serve_open(struct call *c)
{
	const struct gofer_open_req *q = c->req;
	struct gofer_open_rep *r = c->rep;
	bool write = q->flags & GOFER_OPEN_WRITE;
	struct gnode *g;
	int flags, err = call_node(c, q->fid, write, &g);

	if (err)
		return err;
	if (q->flags & ~(GOFER_OPEN_WRITE | GOFER_OPEN_TRUNC) || (q->flags & GOFER_OPEN_TRUNC && !write))
		return -EINVAL;
	if (g->type != S_IFREG)
		return g->type == S_IFDIR ? -EISDIR : -EACCES;
	flags = (write ? O_RDWR : O_RDONLY) | (q->flags & GOFER_OPEN_TRUNC ? O_TRUNC : 0);
	/* A mount that is only read shall not change either, access times included. */
	c->fd = -EPERM;
	if (!c->s->mounts[g->mount].writable)
		c->fd = hostfs_reopen(g->fd, flags | O_NOATIME);
	if (c->fd == -EPERM)
		c->fd = hostfs_reopen(g->fd, flags);
	if (c->fd < 0)
		return c->fd;
	r->pages = hostfs_pages(c->fd, write);
	return hostfs_stat(c->fd, &r->st);
}

struct linux_dirent {
	uint64_t	ino;
	int64_t		off;
	uint16_t	reclen;
	uint8_t		type;
	char		name[];
};

#define DENTS_BUF	16384

/* Appends one entry to the reply, or false when it is full. */
static bool
put_dirent(struct call *c, const struct gnode *g, const struct linux_dirent *d, size_t n)
{
	const struct gofer_readdir_req *q = c->req;
	struct gofer_dirent e;
	size_t need = round_up(sizeof e + n, 8);
	char *to = (char *)c->rep + c->rep_len;

	if (GOFER_MSG_MAX - c->rep_len < need)
		return false;
	memset(&e, 0, sizeof e);
	e.cookie = (uint64_t)d->off;
	e.ino = d->ino;
	e.dtype = d->type;
	e.name_len = (uint16_t)n;
	/* It may be gone already: then without attributes. */
	e.has_stat = q->flags & GOFER_READDIR_STAT && hostfs_stat_at(g->fd, d->name, &e.st) == 0;
	memset(to, 0, need);
	memcpy(to, &e, sizeof e);
	memcpy(to + sizeof e, d->name, n);
	c->rep_len += need;
	return true;
}

int
serve_readdir(struct call *c)
{
	const struct gofer_readdir_req *q = c->req;
	struct gofer_readdir_rep *r = c->rep;
	_Alignas(8) char buf[DENTS_BUF];
	struct gnode *g;
	int fd, err = call_node(c, q->fid, false, &g);

	if (err)
		return err;
	fd = node_dirfd(&c->s->nodes, g);
	if (fd < 0)
		return fd;
	if (g->cookie != q->cookie || q->cookie == 0) {
		int64_t at = hostfs_seek(fd, (int64_t)q->cookie);

		if (at < 0)
			return (int)at;
	}
	g->cookie = q->cookie;
	for (;;) {
		int64_t got = hostfs_getdents(fd, buf, sizeof buf);

		if (got < 0)
			return r->count ? 0 : (int)got;
		if (got == 0)
			break;
		for (int64_t at = 0; at < got;) {
			const struct linux_dirent *d = (const void *)(buf + at);
			size_t n = strlen(d->name);

			at += d->reclen;
			if ((n == 1 && d->name[0] == '.') || (n == 2 && memcmp(d->name, "..", 2) == 0) ||
			    n > GOFER_NAME_MAX) {
				g->cookie = (uint64_t)d->off;
				continue;
			}
			if (!put_dirent(c, g, d, n)) {
				/* What getdents gave beyond this is asked for again. */
				if (hostfs_seek(fd, (int64_t)g->cookie) < 0)
					node_dirfd_close(&c->s->nodes, g);
				return 0;
			}
			r->count++;
			g->cookie = (uint64_t)d->off;
		}
	}
	r->end = 1;
	node_dirfd_close(&c->s->nodes, g);
	return 0;
}

int
serve_readlink(struct call *c)
{
	const struct gofer_readlink_req *q = c->req;
	struct gofer_readlink_rep *r = c->rep;
	struct gnode *g;
	int64_t n;
	int err = call_node(c, q->fid, false, &g);

	if (err)
		return err;
	if (g->type != S_IFLNK)
		return -EINVAL;
	n = hostfs_readlink(g->fd, (char *)c->rep + c->rep_len, GOFER_LINK_MAX + 1);
	if (n < 0)
		return (int)n;
	if (n > GOFER_LINK_MAX)
		return -ENAMETOOLONG;
	r->text_len = (uint32_t)n;
	c->rep_len += (size_t)n;
	return 0;
}

int
serve_statfs(struct call *c)
{
	const struct gofer_statfs_req *q = c->req;
	struct gnode *g;
	int err = call_node(c, q->fid, false, &g);

	return err ? err : hostfs_statfs(g->fd, c->rep);
}

/* n bytes lie behind the answer, or only their number was asked for; or -errno. */
static int
answer_bytes(struct call *c, int64_t n, uint32_t asked, uint32_t *size)
{
	if (n < 0)
		return (int)n;
	*size = (uint32_t)n;
	if (asked != 0)
		c->rep_len += (size_t)n;
	return 0;
}

int
serve_getxattr(struct call *c)
{
	const struct gofer_getxattr_req *q = c->req;
	struct gofer_getxattr_rep *r = c->rep;
	char name[GOFER_NAME_MAX + 1];
	const char *text;
	struct gnode *g;
	int64_t n;
	int fd, err = call_node(c, q->fid, false, &g);

	if (!err)
		err = CALL_TEXT(c, q, q->text_len, &text);
	if (!err)
		err = call_name(text, q->text_len, name);
	if (err)
		return err;
	fd = open_for_xattr(g->fd, g->type);
	if (fd < 0)
		return fd;
	n = hostfs_getxattr(fd, name, (char *)c->rep + c->rep_len,
	    min(q->size, (uint32_t)GOFER_XATTR_MAX));
	(void)host_close(fd);
	return answer_bytes(c, n, q->size, &r->size);
}

int
serve_listxattr(struct call *c)
{
	const struct gofer_listxattr_req *q = c->req;
	struct gofer_listxattr_rep *r = c->rep;
	struct gnode *g;
	int64_t n;
	int fd, err = call_node(c, q->fid, false, &g);

	if (err)
		return err;
	fd = open_for_xattr(g->fd, g->type);
	if (fd < 0)
		return fd;
	n = hostfs_listxattr(fd, (char *)c->rep + c->rep_len, min(q->size, (uint32_t)GOFER_XATTR_MAX));
	(void)host_close(fd);
	return answer_bytes(c, n, q->size, &r->size);
}

int
serve_fsync(struct call *c)
{
	const struct gofer_fsync_req *q = c->req;
	struct gnode *g;
	int fd, err = call_node(c, q->fid, false, &g);

	if (err)
		return err;
	if (g->type != S_IFREG && g->type != S_IFDIR)
		return -EINVAL;
	fd = hostfs_reopen(g->fd, O_RDONLY);
	if (fd < 0)
		return fd;
	err = hostfs_fsync(fd, q->data_only != 0);
	(void)host_close(fd);
	return err;
}

int
serve_clunk(struct call *c)
{
	const struct gofer_clunk_req *q = c->req;

	if (q->count > GOFER_CLUNK_MAX)
		return -EINVAL;
	for (uint32_t i = 0; i < q->count; i++)
		node_free(&c->s->nodes, q->fids[i]);
	return 0;
}
