/*
 * remote_dir: reading the gofer's directories.
 *
 * A directory is read as a whole; an open one works on the list it began with, so positions stay
 * what they were whatever is made or removed meanwhile.  An exclusive directory keeps its
 * last list until a name in it changes.
 */
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "base/kmem.h"
#include "fs/fs.h"
#include "fs/remote.h"

struct remote_dir {
	struct file	file;		/* first */
	struct dirlist	*list;		/* [pos_mu] */
};
KMEM_CACHE(remote_dir);

static bool
name_is_sane(const char *name, size_t n)
{
	if (n == 0 || n > GOFER_NAME_MAX || memchr(name, '/', n) != NULL || memchr(name, '\0', n) != NULL)
		return false;
	return !(name[0] == '.' && (n == 1 || (n == 2 && name[1] == '.')));
}

/* A list under way; stats grow with it when they are wanted. */
struct reading {
	struct dirlist	*list;
	struct gofer_stat *stats;
	uint32_t	cap;
	bool		want_stats;
};

/* Without memory for them the attributes are left out. */
static void
keep_stat(struct reading *d, const struct gofer_dirent *e)
{
	uint32_t n = d->list->count - 1;

	if (!d->want_stats)
		return;
	if (n >= d->cap) {
		uint32_t cap = d->cap ? d->cap * 2 : 64;
		void *p = mem_realloc(d->stats, (size_t)cap * sizeof *d->stats);

		if (p == NULL) {
			d->want_stats = false;
			return;
		}
		d->stats = p;
		d->cap = cap;
	}
	d->stats[n] = e->st;
	if (!e->has_stat)
		d->stats[n].mode = 0;
}

/* Takes one reply apart; *cookie is where to go on. */
static int
parse_batch(struct reading *d, const char *buf, size_t len, uint32_t count, uint64_t *cookie)
{
	size_t at = 0;

	while (count-- > 0) {
		struct gofer_dirent e;
		size_t need;
		int err;

		if (len - at < sizeof e)
			return -EIO;
		memcpy(&e, buf + at, sizeof e);
		need = round_up(sizeof e + e.name_len, 8);
		if (len - at < need || !name_is_sane(buf + at + sizeof e, e.name_len))
			return -EIO;
		err = dirlist_add(d->list, buf + at + sizeof e, e.name_len, e.ino, e.dtype);
		if (err)
			return err;
		keep_stat(d, &e);
		*cookie = e.cookie;
		at += need;
	}
	return at == len ? 0 : -EIO;
}

static int
read_all(struct remote_inode *r, struct reading *d)
{
	AUTO_FREE char *buf = mem_alloc(GOFER_MSG_MAX);
	uint64_t cookie = 0;
	uint32_t fid;
	int err = remote_fid(r, &fid);

	if (err)
		return err;
	if (buf == NULL)
		return -ENOMEM;
	for (;;) {
		struct gofer_readdir_req q = { .fid = fid, .cookie = cookie,
		    .flags = d->want_stats ? GOFER_READDIR_STAT : 0 };
		struct gofer_readdir_rep rep;
		struct remote_io io = { .req = &q, .req_len = sizeof q, .rep = buf,
		    .rep_fixed = sizeof rep, .rep_cap = GOFER_MSG_MAX, .fd = -1 };
		uint32_t before = d->list->count;

		err = remote_call(GOFER_readdir, &io);
		if (err)
			return err;
		memcpy(&rep, buf, sizeof rep);
		err = parse_batch(d, buf + sizeof rep, io.rep_len - sizeof rep, rep.count, &cookie);
		if (err)
			return err;
		if (rep.end)
			return 0;
		/* Neither an entry nor the end: it would never finish. */
		if (d->list->count == before || cookie == 0)
			return -EIO;
	}
}

/* The directory's list, counted. No lock held. */
static int
remote_list(struct remote_inode *r, struct dirlist **out)
{
	const struct remote_super *s = remote_super_of(&r->inode);
	struct reading d = { .want_stats = s->readonly && !s->shared };
	struct dirlist *l, *old;
	int err;

	mutex_lock(&r->amu);
	l = dirlist_get(r->list);
	mutex_unlock(&r->amu);
	if (l != NULL) {
		*out = l;
		return 0;
	}
	l = d.list = dirlist_new();
	if (l == NULL)
		return -ENOMEM;
	/* Names change under mu: the list that is kept is the truth. */
	mutex_lock(&r->inode.mu);
	err = read_all(r, &d);
	if (!err && d.want_stats && d.stats != NULL)
		remote_stats_keep(r, l, steal(&d.stats));
	mem_free(d.stats);
	if (!err && !s->shared) {
		mutex_lock(&r->amu);
		old = r->list;
		r->list = dirlist_get(l);
		mutex_unlock(&r->amu);
		dirlist_put(old);
	}
	mutex_unlock(&r->inode.mu);
	if (err) {
		dirlist_put(l);
		return err;
	}
	*out = l;
	return 0;
}

void
remote_dir_changed(struct inode *dir)
{
	struct remote_inode *r = remote_of(dir);
	struct dirlist *old;

	mutex_lock(&r->amu);
	old = steal(&r->list);
	mutex_unlock(&r->amu);
	dirlist_put(old);
	atomic_store(&r->stale, true);
}

static int
remote_readdir(struct file *f, struct task *t, struct dirsink *d)
{
	struct remote_dir *rd = container_of(f, struct remote_dir, file);

	(void)t;
	if (f->pos == 0) {
		dirlist_put(rd->list);
		rd->list = NULL;
	}
	if (rd->list == NULL) {
		int err = remote_list(remote_of(f->inode), &rd->list);

		if (err)
			return err;
	}
	dirlist_emit(rd->list, f, d);
	return 0;
}

static int
remote_dir_fsync(struct file *f, struct task *t, bool data_only)
{
	struct gofer_fsync_req q = { .fid = remote_of(f->inode)->fid, .data_only = data_only };
	struct gofer_fsync_rep r;
	struct remote_io io = REMOTE_IO(&q, &r);

	(void)t;
	if (remote_super_of(f->inode)->readonly)
		return 0;
	return remote_call(GOFER_fsync, &io);
}

static void
remote_dir_free(struct file *f)
{
	struct remote_dir *rd = container_of(f, struct remote_dir, file);

	dirlist_put(rd->list);
	file_fini(f);
	obj_free(remote_dir, rd);
}

static const struct file_ops remote_dir_ops = {
	.kind = "gofer directory",
	.read = file_is_dir_read,
	.write = file_no_write,
	.pread = dir_no_pread,
	.pwrite = file_no_pwrite,
	.seek = file_seek_dir,
	.readdir = remote_readdir,
	.ready = file_always_ready,
	.ioctl = file_no_ioctl,
	.mmap = file_no_mmap,
	.fsync = remote_dir_fsync,
	.truncate = file_no_truncate,
	.fallocate = file_no_fallocate,
	.setflags = file_any_flags,
	.flush = file_no_flush,
	.free = remote_dir_free,
};

int
remote_dir_open(struct task *t, struct inode *i, uint32_t flags, struct file **out)
{
	struct remote_dir *rd = obj_new(remote_dir);

	(void)t;
	if (rd == NULL)
		return -ENOMEM;
	file_init(&rd->file, &remote_dir_ops, i, flags);
	*out = &rd->file;
	return 0;
}
