/*
 * serve_write: the requests that change a mount.  The dispatcher has seen that the first fid's
 * mount is writable; handlers check every other fid themselves.
 */
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "base/hostcall.h"
#include "gofer/hostfs.h"
#include "gofer/serve.h"

#define PERMS	07777u

/* Gives a node just made its owner and mode, and a fid. Takes fd; on failure the name is taken back. */
static int
adopt(struct call *c, int fd, const struct gnode *dir, const char *name, const uint32_t owner[2],
    uint32_t mode, struct gofer_stat *st, uint32_t *fid)
{
	uint32_t mount = dir->mount;
	int dirfd = dir->fd, err;
	int64_t got;
	bool is_dir = (mode & S_IFMT) == S_IFDIR;

	err = hostfs_chown(fd, owner[0], owner[1]);
	/* After chown, which clears set-id bits. */
	if (!err && (mode & S_IFMT) != S_IFLNK)
		err = hostfs_chmod(fd, mode & PERMS);
	if (!err)
		err = hostfs_stat(fd, st);
	if (!err && (st->mode & S_IFMT) != (mode & S_IFMT))
		err = -ESTALE;
	if (err) {
		(void)host_close(fd);
		goto undo;
	}
	got = node_new(&c->s->nodes, fd, st->mode & S_IFMT, mount);
	if (got < 0) {
		err = (int)got;
		goto undo;
	}
	*fid = (uint32_t)got;
	return 0;
undo:
	if (hostfs_unlink(dirfd, name, is_dir) != 0)
		return err;
	return err;
}

int
serve_create(struct call *c)
{
	const struct gofer_create_req *q = c->req;
	struct gofer_create_rep *r = c->rep;
	const uint32_t owner[2] = { q->uid, q->gid };
	char name[GOFER_NAME_MAX + 1];
	struct gnode *dir;
	int fd, path, err = call_dir_name(c, q->fid, sizeof *q, q->text_len, &dir, name);

	if (err)
		return err;
	if (q->flags != 0 || q->mode & ~PERMS)
		return -EINVAL;
	fd = hostfs_openat(dir->fd, name, O_RDWR | O_CREAT | O_EXCL, 0600);
	if (fd < 0)
		return fd;
	path = hostfs_reopen(fd, O_PATH);
	if (path < 0) {
		err = hostfs_unlink(dir->fd, name, false);
		(void)host_close(fd);
		return err ? err : path;
	}
	err = adopt(c, path, dir, name, owner, q->mode | S_IFREG, &r->st, &r->fid);
	if (err) {
		(void)host_close(fd);
		return err;
	}
	c->fd = fd;
	r->pages = hostfs_pages(fd, true);
	return 0;
}

/* The node that mkdir, symlink or mknod has just made. */
static int
adopt_name(struct call *c, const struct gnode *dir, const char *name, const uint32_t owner[2],
    uint32_t mode, struct gofer_stat *st, uint32_t *fid)
{
	int fd = hostfs_openat(dir->fd, name, O_PATH, 0);

	return fd < 0 ? fd : adopt(c, fd, dir, name, owner, mode, st, fid);
}

int
serve_mkdir(struct call *c)
{
	const struct gofer_mkdir_req *q = c->req;
	struct gofer_mkdir_rep *r = c->rep;
	const uint32_t owner[2] = { q->uid, q->gid };
	char name[GOFER_NAME_MAX + 1];
	struct gnode *dir;
	int err = call_dir_name(c, q->fid, sizeof *q, q->text_len, &dir, name);

	if (!err && q->mode & ~PERMS)
		err = -EINVAL;
	if (!err)
		err = hostfs_mkdir(dir->fd, name, 0700);
	if (err)
		return err;
	return adopt_name(c, dir, name, owner, q->mode | S_IFDIR, &r->st, &r->fid);
}

int
serve_symlink(struct call *c)
{
	const struct gofer_symlink_req *q = c->req;
	struct gofer_symlink_rep *r = c->rep;
	const uint32_t owner[2] = { q->uid, q->gid };
	char name[GOFER_NAME_MAX + 1], target[GOFER_LINK_MAX + 1];
	const char *text;
	struct gnode *dir;
	int err = call_node(c, q->fid, true, &dir);

	if (!err && dir->type != S_IFDIR)
		err = -ENOTDIR;
	if (!err)
		err = CALL_TEXT(c, q, q->text_len, &text);
	if (err)
		return err;
	if (q->target_len == 0 || q->target_len > GOFER_LINK_MAX || q->target_len >= q->text_len)
		return -EINVAL;
	err = call_name(text, q->text_len - q->target_len, name);
	if (err)
		return err;
	memcpy(target, text + (q->text_len - q->target_len), q->target_len);
	target[q->target_len] = '\0';
	if (strlen(target) != q->target_len)
		return -EINVAL;
	err = hostfs_symlink(target, dir->fd, name);
	if (err)
		return err;
	return adopt_name(c, dir, name, owner, S_IFLNK | 0777, &r->st, &r->fid);
}

int
serve_mknod(struct call *c)
{
	const struct gofer_mknod_req *q = c->req;
	struct gofer_mknod_rep *r = c->rep;
	const uint32_t owner[2] = { q->uid, q->gid };
	char name[GOFER_NAME_MAX + 1];
	struct gnode *dir;
	uint32_t type = q->mode & S_IFMT;
	int err = call_dir_name(c, q->fid, sizeof *q, q->text_len, &dir, name);

	if (err)
		return err;
	if (type != S_IFIFO && type != S_IFSOCK)
		return -EPERM;
	if (q->mode & ~(S_IFMT | PERMS))
		return -EINVAL;
	err = hostfs_mknod(dir->fd, name, type | 0600);
	if (err)
		return err;
	return adopt_name(c, dir, name, owner, q->mode, &r->st, &r->fid);
}

int
serve_link(struct call *c)
{
	const struct gofer_link_req *q = c->req;
	struct gofer_link_rep *r = c->rep;
	char name[GOFER_NAME_MAX + 1];
	struct gnode *dir, *node;
	int err = call_dir_name(c, q->fid, sizeof *q, q->text_len, &dir, name);

	if (!err)
		err = call_node(c, q->node, true, &node);
	if (err)
		return err;
	if (node->mount != dir->mount)
		return -EXDEV;
	if (node->type == S_IFDIR)
		return -EPERM;
	err = hostfs_link(node->fd, dir->fd, name);
	return err ? err : hostfs_stat(node->fd, &r->st);
}

int
serve_unlink(struct call *c)
{
	const struct gofer_unlink_req *q = c->req;
	char name[GOFER_NAME_MAX + 1];
	struct gnode *dir;
	int err = call_dir_name(c, q->fid, sizeof *q, q->text_len, &dir, name);

	if (!err && q->flags & ~GOFER_UNLINK_DIR)
		err = -EINVAL;
	return err ? err : hostfs_unlink(dir->fd, name, q->flags & GOFER_UNLINK_DIR);
}

int
serve_rename(struct call *c)
{
	const struct gofer_rename_req *q = c->req;
	char old[GOFER_NAME_MAX + 1], new[GOFER_NAME_MAX + 1];
	struct gnode *from, *to;
	const char *text;
	int err = call_node(c, q->fid, true, &from);

	if (!err)
		err = call_node(c, q->new_fid, true, &to);
	if (!err)
		err = CALL_TEXT(c, q, q->text_len, &text);
	if (err)
		return err;
	if (from->type != S_IFDIR || to->type != S_IFDIR)
		return -ENOTDIR;
	if (from->mount != to->mount)
		return -EXDEV;
	/* RENAME_NOREPLACE, RENAME_EXCHANGE; a whiteout would be a device node. */
	if (q->flags & ~3u || q->new_len >= q->text_len)
		return -EINVAL;
	err = call_name(text, q->text_len - q->new_len, old);
	if (!err)
		err = call_name(text + (q->text_len - q->new_len), q->new_len, new);
	return err ? err : hostfs_rename(from->fd, old, to->fd, new, q->flags);
}

static int
set_size(const struct gnode *g, uint64_t size)
{
	int fd, err;

	if (g->type != S_IFREG)
		return g->type == S_IFDIR ? -EISDIR : -EINVAL;
	if (size > INT64_MAX)
		return -EFBIG;
	fd = hostfs_reopen(g->fd, O_WRONLY);
	if (fd < 0)
		return fd;
	err = hostfs_truncate(fd, size);
	(void)host_close(fd);
	return err;
}

int
serve_setattr(struct call *c)
{
	const struct gofer_setattr_req *q = c->req;
	struct gofer_setattr_rep *r = c->rep;
	const struct gofer_time omit = { .nsec = 0x3ffffffe };	/* UTIME_OMIT */
	struct gnode *g;
	int err = call_node(c, q->fid, true, &g);

	if (err)
		return err;
	if (q->which & ~GOFER_SET_ALL || q->atime.nsec >= 1000000000 || q->mtime.nsec >= 1000000000)
		return -EINVAL;
	if (q->which & GOFER_SET_SIZE)
		err = set_size(g, q->size);
	if (!err && q->which & (GOFER_SET_UID | GOFER_SET_GID))
		err = hostfs_chown(g->fd, q->which & GOFER_SET_UID ? q->uid : UINT32_MAX,
		    q->which & GOFER_SET_GID ? q->gid : UINT32_MAX);
	if (!err && q->which & GOFER_SET_MODE)
		err = hostfs_chmod(g->fd, q->mode & PERMS);
	if (!err && q->which & (GOFER_SET_ATIME | GOFER_SET_MTIME))
		err = hostfs_utimes(g->fd, q->which & GOFER_SET_ATIME ? &q->atime : &omit,
		    q->which & GOFER_SET_MTIME ? &q->mtime : &omit);
	return err ? err : hostfs_stat(g->fd, &r->st);
}

int
serve_setxattr(struct call *c)
{
	const struct gofer_setxattr_req *q = c->req;
	char name[GOFER_NAME_MAX + 1];
	const char *text;
	struct gnode *g;
	int fd, err = call_node(c, q->fid, true, &g);

	if (!err)
		err = CALL_TEXT(c, q, q->text_len, &text);
	if (err)
		return err;
	if (q->flags & ~7u || q->size > q->text_len || q->size > GOFER_XATTR_MAX)
		return -EINVAL;
	err = call_name(text, q->text_len - q->size, name);
	if (err)
		return err;
	if (g->type != S_IFREG && g->type != S_IFDIR)
		return -EOPNOTSUPP;
	fd = hostfs_reopen(g->fd, O_RDONLY);
	if (fd < 0)
		return fd;
	if (q->flags & GOFER_XATTR_REMOVE)
		err = hostfs_removexattr(fd, name);
	else
		err = hostfs_setxattr(fd, name, text + (q->text_len - q->size), q->size, q->flags & 3u);
	(void)host_close(fd);
	return err;
}

int
serve_fallocate(struct call *c)
{
	const struct gofer_fallocate_req *q = c->req;
	struct gofer_fallocate_rep *r = c->rep;
	struct gnode *g;
	int fd, err = call_node(c, q->fid, true, &g);

	if (err)
		return err;
	if (g->type != S_IFREG)
		return -ENODEV;
	fd = hostfs_reopen(g->fd, O_RDWR);
	if (fd < 0)
		return fd;
	err = hostfs_fallocate(fd, q->mode, q->off, q->len);
	(void)host_close(fd);
	return err ? err : hostfs_stat(g->fd, &r->st);
}
