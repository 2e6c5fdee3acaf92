/*
 * procfs: the frame under /proc and /sys; see proc.h.
 *
 * A text is made whole when it is read from the start, kept with the open file, and cut
 * to what each read asks for, so that a reader sees one moment.
 */
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/stat.h>
#include <poll.h>
#include <string.h>

#include "base/kmem.h"
#include "fs/fs.h"
#include "fs/proc.h"
#include "sentry/kernel/inspect.h"
#include "sentry/kernel/task.h"
#include "sentry/mm/usercopy.h"
#include "sentry/syscall/syscall.h"
#include "sentry/vfs/file.h"
#include "sentry/vfs/mount.h"

#define TEXT_MIN	4096ULL
#define TEXT_MAX	(64ULL << 20)
#define WRITE_MAX	4096

KMEM_CACHE(proc_inode);
KMEM_CACHE(super);

struct proc_file {
	struct file	 file;		/* first */
	_Atomic uint64_t mounts;	/* changes of mounts that poll has told of, or that were before it was opened */
	uint64_t	 mm;		/* [I] the number of the memory that whoever opened it may see; 0: none */
	struct mutex	 mu;		/* rank object */
	char		*text;		/* [m] owned; [I] of a row that is made at_open */
	size_t		 len;		/* [m] */
};
KMEM_CACHE(proc_file);

static const struct inode_ops proc_inode_ops;

static struct proc_inode *
proc_of(struct inode *i)
{
	return container_of(i, struct proc_inode, inode);
}

int
proc_may_inspect(struct task *t, struct task *subject)
{
	AUTO_PUT(mm) mm = NULL;

	return task_inspect(t, subject, INSPECT_FS, &mm) ? -EACCES : 0;
}

/* Numbers that differ for different names and stay the same for one: row, task and descriptor mixed. */
static uint64_t
make_ino(const struct proc_entry *e, struct task *task, int32_t fd)
{
	uint64_t h = 0xcbf29ce484222325ULL;

	for (const char *p = e->name; *p; p++)
		h = (h ^ (unsigned char)*p) * 0x100000001b3ULL;
	h = (h ^ (task ? (uint64_t)task->tid : 0)) * 0x100000001b3ULL;
	h = (h ^ (uint64_t)(fd + 1)) * 0x100000001b3ULL;
	return (h & 0x7fffffff) | 0x10000000;
}

int
proc_inode_new(struct super *s, const struct proc_entry *e, struct task *task, int32_t fd, struct inode **out)
{
	struct proc_inode *p = obj_new(proc_inode);

	if (p == NULL)
		return -ENOMEM;
	inode_init(&p->inode, &proc_inode_ops, s, e->mode, RANK_inode);
	p->e = e;
	p->task = task_get(task);
	p->fd = fd;
	p->inode.attr.ino = make_ino(e, task, fd);
	p->inode.attr.nlink = (e->mode & S_IFMT) == S_IFDIR ? 2 : 1;
	p->inode.attr.blksize = 1024;
	p->inode.attr.atime = p->inode.attr.mtime = p->inode.attr.ctime = inode_now();
	*out = &p->inode;
	return 0;
}

static void
proc_inode_free(struct inode *i)
{
	struct proc_inode *p = proc_of(i);

	task_put(p->task);
	inode_fini(i);
	obj_free(proc_inode, p);
}

/* Owned by whom the task runs as; by root when it keeps secrets (PR_SET_DUMPABLE). */
static void
refresh_owner(struct proc_inode *p)
{
	uint32_t uid = 0, gid = 0;
	struct cred *c;
	struct mm *mm;

	if (p->task == NULL || (c = task_cred_get(p->task)) == NULL)
		return;
	mm = task_mm_get(p->task);
	if (mm == NULL || atomic_load(&mm->dumpable) == 1 || p->e->mode == (S_IFDIR | 0555)) {
		uid = c->euid;
		gid = c->egid;
	}
	/* A look-up holds the directory's. */
	mutex_lock_nested(&p->inode.mu);
	p->inode.attr.uid = uid;
	p->inode.attr.gid = gid;
	mutex_unlock(&p->inode.mu);
	mm_put(mm);
	cred_put(c);
}

static int
proc_getattr(struct task *t, struct inode *i, struct iattr *out)
{
	(void)t;
	refresh_owner(proc_of(i));
	return inode_plain_getattr(t, i, out);
}

static const struct proc_entry *
find_row(const struct proc_entry *rows, const char *name)
{
	for (; rows != NULL && rows->name != NULL; rows++) {
		if (strcmp(rows->name, name) == 0)
			return rows;
	}
	return NULL;
}

static int
proc_lookup(struct task *t, struct inode *dir, const char *name, struct inode **out)
{
	struct proc_inode *p = proc_of(dir);
	const struct proc_entry *row;
	int err = -ENOENT;

	if ((p->e->mode & S_IFMT) != S_IFDIR)
		return -ENOTDIR;
	row = find_row(p->e->children, name);
	if (row != NULL)
		err = proc_inode_new(dir->super, row, p->task, p->fd, out);
	else if (p->e->lookup != NULL)
		err = p->e->lookup(t, p, name, out);
	if (!err)
		refresh_owner(proc_of(*out));
	if (err == -ENOENT && p->e->lookup == NULL)
		report_missing(t, "%s file %s/%s", dir->super->fstype, p->e->name, name);
	return err;
}

/*
 * A name that somebody holds: its owner may be another by now, as after an exec, and its number another task's.  What a
 * task's own directory shows needs no look: it goes with that.
 */
static int
proc_revalidate(struct task *t, struct inode *dir, const char *name, struct inode *node)
{
	struct proc_inode *p = proc_of(node);

	(void)t, (void)name;
	if (p->task != NULL && proc_of(dir)->task != p->task && !task_is_listed(p->task))
		return 0;
	refresh_owner(p);
	return 1;
}

static int
proc_permission(struct task *t, struct inode *i, uint32_t may, int err)
{
	struct proc_inode *p = proc_of(i);
	uint32_t mode;

	mutex_lock(&i->mu);
	mode = i->attr.mode;
	mutex_unlock(&i->mu);
	if (p->e->strict && (may & MAY_WRITE) && !(mode & 0222))
		return -EACCES;
	return p->e->permission != NULL ? p->e->permission(t, p, err) : err;
}

/* Nobody makes names here: not even the place to put them is looked at. */
static int
proc_create(struct task *t, struct inode *dir, const char *name, uint32_t mode, uint64_t rdev, const char *target, struct inode **out)
{
	(void)t, (void)dir, (void)name, (void)mode, (void)rdev, (void)target, (void)out;
	return -ENOENT;
}

/* Where a magic link leads, if t may know. */
static int
follow(struct task *t, struct proc_inode *p, struct path *out)
{
	int err = proc_may_inspect(t, p->task);

	if (!err)
		err = p->e->follow(t, p, out);
	if (err)
		return err;
	/* The task may have executed another program meanwhile, which opened what was found. */
	err = proc_may_inspect(t, p->task);
	if (err)
		path_put(out);
	return err;
}

static int
proc_readlink(struct task *t, struct inode *i, char *buf, size_t size)
{
	struct proc_inode *p = proc_of(i);
	char text[PATH_LIMIT + 16];
	struct path at;
	int err;

	if (p->e->link != NULL)
		return p->e->link(t, p, buf, size);
	if (p->e->follow == NULL)
		return -EINVAL;
	err = follow(t, p, &at);
	if (err)
		return err;
	err = path_text_task(t, &at, text, sizeof text);
	path_put(&at);
	if (err < 0)
		return err;
	size = min(size, strlen(text));
	memcpy(buf, text, size);
	return (int)size;
}

static int
proc_followlink(struct task *t, struct inode *i, struct path *out)
{
	struct proc_inode *p = proc_of(i);

	return p->e->follow == NULL ? -EINVAL : follow(t, p, out);
}

/* ---- open files ------------------------------------------------------------- */

static struct proc_file *
proc_file_of(struct file *f)
{
	return container_of(f, struct proc_file, file);
}

/*
 * The memory that pf was opened to see, counted; NULL when it is the task's no more: as on Linux, what a task executes
 * later is not seen through a file that was opened, and judged, before.
 */
static struct mm *
file_mm(struct proc_file *pf)
{
	struct mm *mm = task_mm_get(proc_of(pf->file.inode)->task);

	if (mm != NULL && mm->id != pf->mm)
		mm_put(steal(&mm));
	return mm;
}

static void
show(struct task *t, struct proc_file *pf, struct strbuf *sb)
{
	struct proc_inode *p = proc_of(pf->file.inode);
	AUTO_PUT(mm) mm = NULL;

	if (p->e->show != NULL) {
		p->e->show(t, p, sb);
		return;
	}
	mm = file_mm(pf);
	if (mm != NULL)
		p->e->show_mm(mm, sb);
}

/* The whole text, in memory grown until it fits. */
static int
make_text(struct task *t, struct proc_file *pf, char **text, size_t *len)
{
	const struct proc_entry *e = proc_of(pf->file.inode)->e;
	struct task *subject = proc_of(pf->file.inode)->task;

	if (subject != NULL && !e->bytes && !task_is_listed(subject))
		return -ESRCH;
	/* What is not about memory is of the program that the task runs now. */
	if (e->owner_only && e->show != NULL && proc_may_inspect(t, subject) != 0)
		return -EPERM;
	for (size_t cap = TEXT_MIN; cap <= TEXT_MAX; cap *= 4) {
		char *buf = mem_alloc(cap);
		struct strbuf sb;

		if (buf == NULL)
			return -ENOMEM;
		sb_init(&sb, buf, cap);
		show(t, pf, &sb);
		if (!sb.cut) {
			*text = buf;
			*len = sb.len;
			return 0;
		}
		mem_free(buf);
	}
	return -EOVERFLOW;
}

static int64_t
put_text(struct iobuf *dst, const char *text, size_t len, int64_t off)
{
	if (off < 0 || (uint64_t)off >= len)
		return 0;
	return iob_put(dst, text + off, min(len - (uint64_t)off, (size_t)iob_left(dst)));
}

static int64_t
proc_pread(struct file *f, struct task *t, struct iobuf *dst, int64_t off)
{
	struct proc_file *pf = proc_file_of(f);
	struct proc_inode *p = proc_of(f->inode);
	char *text = NULL;
	size_t len = 0;
	int64_t n = 0;
	bool fresh;

	if (p->e->show == NULL && p->e->show_mm == NULL)
		return -EINVAL;
	if (p->e->at_open)
		return put_text(dst, pf->text, pf->len, off);
	mutex_lock(&pf->mu);
	fresh = off == 0 || pf->text == NULL;
	mutex_unlock(&pf->mu);
	if (fresh) {
		int err = make_text(t, pf, &text, &len);

		if (err)
			return err;
	}
	/* The copy may fault, so the text is taken out of the file while it is used. */
	mutex_lock(&pf->mu);
	if (!fresh) {
		text = steal(&pf->text);
		len = pf->len;
	}
	mutex_unlock(&pf->mu);
	if (text != NULL)
		n = put_text(dst, text, len, off);
	mutex_lock(&pf->mu);
	if (pf->text == NULL) {
		pf->text = steal(&text);
		pf->len = len;
	}
	mutex_unlock(&pf->mu);
	mem_free(text);
	return n;
}

static int64_t
proc_pwrite(struct file *f, struct task *t, struct iobuf *src, int64_t off)
{
	struct proc_inode *p = proc_of(f->inode);
	uint64_t want = min(iob_left(src), (uint64_t)WRITE_MAX);
	AUTO_FREE char *text = NULL;
	int64_t n;

	(void)off;
	if (p->e->write == NULL)
		return -EIO;
	text = mem_alloc(want + 1);
	if (text == NULL)
		return -ENOMEM;
	n = iob_get(src, text, want);
	if (n < 0)
		return n;
	text[n] = '\0';
	return p->e->write(t, p, text, (size_t)n);
}

/* /proc/PID/mem: the address is the position. */
static int64_t
mem_transfer(struct file *f, struct task *t, struct iobuf *io, int64_t off, bool write)
{
	AUTO_PUT(mm) mm = file_mm(proc_file_of(f));
	char buf[4096];
	int64_t done = 0;

	(void)t;
	if (mm == NULL)
		return 0;
	while (iob_left(io) > 0) {
		uint64_t want = min(iob_left(io), (uint64_t)sizeof buf);
		gaddr_t at = gaddr_from((uint64_t)off + (uint64_t)done);
		int64_t n = (int64_t)want;

		if (write) {
			n = iob_get(io, buf, want);
			if (n > 0)
				n = copy_force(mm, at, buf, (size_t)n, true);
		} else {
			n = copy_force(mm, at, buf, want, false);
			if (n > 0)
				n = iob_put(io, buf, (uint64_t)n);
		}
		if (n == -EFAULT && done == 0)
			return -EIO;
		if (n <= 0)
			return done ? done : n;
		done += n;
		if ((uint64_t)n < want)
			break;
	}
	return done;
}

static int64_t
mem_pread(struct file *f, struct task *t, struct iobuf *dst, int64_t off)
{
	return mem_transfer(f, t, dst, off, false);
}

static int64_t
mem_pwrite(struct file *f, struct task *t, struct iobuf *src, int64_t off)
{
	return mem_transfer(f, t, src, off, true);
}

static int64_t
proc_seek(struct file *f, struct task *t, int64_t off, int whence)
{
	int64_t base = whence == SEEK_CUR ? f->pos : 0;

	(void)t;
	if (whence != SEEK_SET && whence != SEEK_CUR)
		return -EINVAL;
	if (ckd_add(&off, off, base) || (off < 0 && !proc_of(f->inode)->e->mem))
		return -EINVAL;
	f->pos = off;
	return off;
}

static int
proc_readdir(struct file *f, struct task *t, struct dirsink *d)
{
	struct proc_inode *p = proc_of(f->inode);
	const struct proc_entry *rows = p->e->children;
	int64_t nrows = 0;

	if (!dir_emit_dots(f, d))
		return 0;
	while (rows != NULL && rows[nrows].name != NULL)
		nrows++;
	while (f->pos >= 2 && f->pos - 2 < nrows) {
		const struct proc_entry *e = &rows[f->pos - 2];

		if (!d->emit(d, e->name, strlen(e->name), make_ino(e, p->task, p->fd),
		    (uint8_t)((e->mode & S_IFMT) >> 12), f->pos + 1))
			return 0;
		f->pos++;
	}
	if (p->e->readdir == NULL)
		return 0;
	if (f->pos < PROC_POS_DYNAMIC)
		f->pos = PROC_POS_DYNAMIC;
	return p->e->readdir(f, t, p, d);
}

static void
proc_file_free(struct file *f)
{
	struct proc_file *pf = proc_file_of(f);

	mem_free(pf->text);
	mutex_fini(&pf->mu);
	file_fini(f);
	obj_free(proc_file, pf);
}

/* As on Linux a change is told once, to whoever asks first. */
static uint32_t
mounts_ready(struct file *f, uint32_t events)
{
	uint64_t now = mounts_changes();

	(void)events;
	return POLLIN | POLLRDNORM | (atomic_exchange(&proc_file_of(f)->mounts, now) != now ? POLLERR | POLLPRI : 0);
}

#define PROC_FILE_OPS(name, rd, prd, wr, pwr, sk, rdir, rdy)		\
static const struct file_ops name = {					\
	.kind = "proc", .read = rd, .write = wr, .pread = prd, .pwrite = pwr, \
	.seek = sk, .readdir = rdir, .ready = rdy,			\
	.ioctl = file_no_ioctl, .mmap = file_no_mmap, .fsync = file_no_fsync, \
	.truncate = file_no_truncate, .fallocate = file_no_fallocate,	\
	.setflags = file_any_flags, .flush = file_no_flush, .free = proc_file_free }

PROC_FILE_OPS(proc_text_ops, file_read_pos, proc_pread, file_write_pos, proc_pwrite, proc_seek, file_no_readdir, file_always_ready);
PROC_FILE_OPS(proc_mounts_ops, file_read_pos, proc_pread, file_write_pos, proc_pwrite, proc_seek, file_no_readdir, mounts_ready);
PROC_FILE_OPS(proc_mem_ops, file_read_pos, mem_pread, file_write_pos, mem_pwrite, proc_seek, file_no_readdir, file_always_ready);
PROC_FILE_OPS(proc_dir_ops, file_is_dir_read, dir_no_pread, file_no_write, file_no_pwrite, file_seek_dir, proc_readdir, file_always_ready);

struct process *
proc_dir_process(struct file *f)
{
	struct proc_inode *p;

	if (f->ops != &proc_dir_ops)
		return NULL;
	p = proc_of(f->inode);
	return p->e == &proc_task_dir ? process_get(p->task->process) : NULL;
}

static int
proc_open(struct task *t, struct inode *i, uint32_t flags, struct file **out)
{
	struct proc_inode *p = proc_of(i);
	const struct file_ops *ops = p->e->mem ? &proc_mem_ops :
	    (p->e->mode & S_IFMT) == S_IFDIR ? &proc_dir_ops : p->e->of_mounts ? &proc_mounts_ops : &proc_text_ops;
	struct proc_file *pf;
	AUTO_PUT(mm) mm = NULL;
	int err = 0;

	/* What has ended has no memory to keep from anybody: then the file is empty. */
	if (p->e->mem || p->e->show_mm != NULL)
		err = task_inspect_mm(t, p->task, INSPECT_FS, &mm);
	else if (p->e->owner_only)
		err = task_inspect(t, p->task, INSPECT_FS, &mm);
	if (err == -EPERM)
		return -EACCES;
	pf = obj_new(proc_file);
	if (pf == NULL)
		return -ENOMEM;
	mutex_init(&pf->mu, RANK_object);
	file_init(&pf->file, ops, i, flags);
	pf->mm = mm ? mm->id : 0;
	if (p->e->of_mounts) {
		atomic_init(&pf->mounts, mounts_changes());
		pf->file.wq = &mounts_wq;
	}
	if (p->e->at_open) {
		err = make_text(t, pf, &pf->text, &pf->len);
		if (err) {
			file_put(&pf->file);
			return err;
		}
	}
	*out = &pf->file;
	return 0;
}

/* A write to /proc/sys/... opens with O_TRUNC: that much is fine. */
static int
proc_setattr(struct task *t, struct inode *i, const struct iattr *attr, uint32_t which)
{
	(void)t, (void)i, (void)attr;
	return which & (ATTR_MODE | ATTR_UID | ATTR_GID) ? -EPERM : 0;
}

static const struct inode_ops proc_inode_ops = {
	.lookup = proc_lookup,
	.create = proc_create,
	.link = inode_no_link,
	.unlink = inode_no_unlink,
	.rmdir = inode_no_unlink,
	.rename = inode_no_rename,
	.tmpfile = inode_no_tmpfile,
	.open = proc_open,
	.readlink = proc_readlink,
	.followlink = proc_followlink,
	.getattr = proc_getattr,
	.setattr = proc_setattr,
	.permission = proc_permission,
	.getxattr = inode_no_getxattr,
	.setxattr = inode_no_setxattr,
	.listxattr = inode_no_listxattr,
	.revalidate = proc_revalidate,
	.free = proc_inode_free,
};

static int
proc_statfs(struct super *s, struct fs_statfs *out)
{
	*out = (struct fs_statfs){ .type = s->magic, .bsize = 4096, .frsize = 4096, .namelen = 255 };
	return 0;
}

static void
proc_super_free(struct super *s)
{
	obj_free(super, s);
}

static const struct super_ops proc_super_ops = {
	.statfs = proc_statfs,
	.show_options = super_show_none,
	.sync = super_sync_none,
	.free = proc_super_free,
};

int
proc_super_new(const char *fstype, uint64_t magic, const struct proc_entry *root, struct super **out)
{
	struct super *s = obj_new(super);
	int err;

	if (s == NULL)
		return -ENOMEM;
	super_init(s, &proc_super_ops, fstype, magic, SUPER_NOCACHE | SUPER_REVALIDATE);
	err = proc_inode_new(s, root, NULL, -1, &s->root);
	if (err) {
		super_put(s);
		return err;
	}
	s->root->attr.ino = 1;
	*out = s;
	return 0;
}
