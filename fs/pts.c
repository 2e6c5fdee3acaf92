/*
 * pts: pseudo-terminals: the master's file, and the devpts filesystem.  pty(7), pts(4).
 *
 * One table of pairs serves every mount of devpts.  A slave's node exists while its master is open; its number is
 * given away again when nobody has either end.  Inodes and places may outlive both: they know which pair they were of.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/kmem.h"
#include "fs/fs.h"
#include "fs/tty_core.h"
#include "sentry/kernel/task.h"
#include "sentry/mm/usercopy.h"
#include "sentry/vfs/dentry.h"
#include "sentry/vfs/fdtable.h"

#define PTY_LIMIT	1024

struct pts_node {
	bool	 taken;			/* somebody has an end of it */
	uint64_t serial;		/* of the pair; never used again */
	uint32_t uid, gid, mode;
	struct list inodes;		/* pts_inode.link: those of the pair while its master is open, one for each mount */
};

static struct mutex pairs_mu = MUTEX_INIT(RANK_sighand);	/* inside any terminal's mu */
static struct tty *pairs[PTY_LIMIT];		/* counted by the open master, or for good when the far end is the host */
static struct pts_node nodes[PTY_LIMIT];
static uint64_t last_serial;			/* [pairs_mu] */
static uint32_t default_mode = 0600, default_gid;

/* The pair of a number, counted, and which one it is; NULL when there is none. */
static struct tty *
pair_get(int32_t n, uint64_t *serial)
{
	struct tty *tty = NULL;

	if (n < 0 || n >= PTY_LIMIT)
		return NULL;
	mutex_lock(&pairs_mu);
	tty = tty_get(pairs[n]);
	*serial = nodes[n].serial;
	mutex_unlock(&pairs_mu);
	return tty;
}

/* ---- master --------------------------------------------------------------------- */

struct ptm_file {
	struct file	file;		/* first */
	struct tty	*tty;		/* [I] counted */
};
KMEM_CACHE(ptm_file);

static struct tty *
master_tty(struct file *f)
{
	return container_of(f, struct ptm_file, file)->tty;
}

static int64_t
master_read(struct file *f, struct task *t, struct iobuf *dst)
{
	struct tty *tty = master_tty(f);
	uint8_t buf[2048];
	int64_t done = 0;

	(void)t;
	while (iob_left(dst) > 0) {
		size_t cap = min(sizeof buf, (size_t)iob_left(dst)), n = 0, skip = 0;
		int64_t moved;
		bool gone;

		mutex_lock(&tty->mu);
		gone = tty->slave_opened && tty->slaves == 0;
		if (tty->packet && done == 0) {
			/* Each read begins with a status byte, or is one. */
			buf[0] = tty->packet_status;
			tty->packet_status = 0;
			skip = 1;
		}
		if (!skip || buf[0] == 0)
			n = tty_take_output_locked(tty, buf + skip, cap - skip);
		mutex_unlock(&tty->mu);
		if (n == 0 && (!skip || buf[0] == 0)) {
			if (done > 0)
				break;
			return gone ? -EIO : -EAGAIN;
		}
		moved = iob_put(dst, buf, n + skip);
		if (moved < 0)
			return done ? done : moved;
		done += moved;
		if (skip || (size_t)moved < n)
			break;
	}
	waitq_wake(&tty->slave_wq, POLLOUT);
	return done;
}

static int64_t
master_write(struct file *f, struct task *t, struct iobuf *src)
{
	struct tty *tty = master_tty(f);
	uint8_t buf[1024];
	int64_t done = 0;

	(void)t;
	while (iob_left(src) > 0) {
		int64_t n = iob_get(src, buf, min(iob_left(src), (uint64_t)sizeof buf));
		size_t taken;

		if (n < 0)
			return done ? done : n;
		taken = tty_input(tty, buf, (size_t)n);
		done += (int64_t)taken;
		if (taken < (size_t)n) {
			iob_revert(src, (size_t)n - taken);
			return done ? done : -EAGAIN;
		}
	}
	return done;
}

static uint32_t
master_ready(struct file *f, uint32_t events)
{
	struct tty *tty = master_tty(f);
	uint32_t got = 0;

	mutex_lock(&tty->mu);
	if (tty->out_len > 0 || (tty->packet && tty->packet_status))
		got |= POLLIN | POLLRDNORM;
	if (tty->packet && tty->packet_status)
		got |= POLLPRI;
	if (tty->in_len < TTY_IN_SIZE - 1 || (tty->termios.c_lflag & ICANON))
		got |= POLLOUT | POLLWRNORM;
	if (tty->slave_opened && tty->slaves == 0)
		got |= POLLHUP;
	mutex_unlock(&tty->mu);
	return got & (events | POLLHUP | POLLERR);
}

/* TIOCGPTPEER: the slave, without a way to its name. */
static int64_t
open_peer(struct tty *tty, struct task *t, uint32_t flags)
{
	AUTO_PUT(file) f = NULL;
	int err = tty_slave_open_named(t, tty, flags & ~(uint32_t)O_CLOEXEC, &f);

	return err ? err : fd_install(t, f, flags & O_CLOEXEC ? FD_CLOEXEC : 0);
}

static int64_t
master_ioctl(struct file *f, struct task *t, uint32_t cmd, gaddr_t arg)
{
	struct tty *tty = master_tty(f);
	uint32_t v;

	switch (cmd) {
	case TIOCGPTN:
		return put_u32(t, arg, (uint32_t)tty->index);
	case TIOCSPTLCK:
	case TIOCPKT:
		if (copy_in(t, &v, arg, sizeof v) != 0)
			return -EFAULT;
		mutex_lock(&tty->mu);
		if (cmd == TIOCSPTLCK)
			tty->locked = v != 0;
		else
			tty->packet = v != 0;
		tty->packet_status = 0;
		mutex_unlock(&tty->mu);
		return 0;
	case TIOCGPTLCK:
	case TIOCGPKT:
		mutex_lock(&tty->mu);
		v = cmd == TIOCGPTLCK ? tty->locked : tty->packet;
		mutex_unlock(&tty->mu);
		return put_u32(t, arg, v);
	case TIOCGPTPEER:
		return open_peer(tty, t, (uint32_t)gaddr_raw(arg));
	case TIOCSIG: {
		uint64_t signo = gaddr_raw(arg);

		if (signo != SIGINT && signo != SIGQUIT && signo != SIGTSTP)
			return -EINVAL;
		tty_signal_foreground(tty, (int)signo);
		return 0;
	}
	default:
		return tty_ioctl(tty, f, t, cmd, arg, true);
	}
}

static void
master_free(struct file *f)
{
	struct tty *tty = master_tty(f);
	struct list *inodes = &nodes[tty->index].inodes;

	mutex_lock(&pairs_mu);
	pairs[tty->index] = NULL;
	/* Nobody finds them any more; how many there are left is anybody's choice. */
	while (!list_empty(inodes))
		list_remove(inodes->next);
	mutex_unlock(&pairs_mu);
	tty_hangup(tty);
	file_fini(f);
	obj_free(ptm_file, container_of(f, struct ptm_file, file));
	tty_put(tty);
}

static const struct file_ops master_ops = {
	.kind = "ptmx",
	.read = master_read,
	.write = master_write,
	.pread = file_no_pread,
	.pwrite = file_no_pwrite,
	.seek = file_no_seek,
	.readdir = file_no_readdir,
	.ready = master_ready,
	.ioctl = master_ioctl,
	.mmap = file_no_mmap,
	.fsync = file_no_fsync,
	.truncate = file_no_truncate,
	.fallocate = file_no_fallocate,
	.setflags = file_any_flags,
	.flush = file_no_flush,
	.free = master_free,
};

int
pts_register(struct task *t, struct tty *tty)
{
	int32_t n;

	mutex_lock(&pairs_mu);
	for (n = 0; n < PTY_LIMIT && nodes[n].taken; n++)
		;
	if (n < PTY_LIMIT) {
		tty->index = n;
		pairs[n] = tty;
		nodes[n] = (struct pts_node){ .taken = true, .serial = ++last_serial, .uid = task_cred(t)->fsuid,
		    .gid = default_gid ? default_gid : task_cred(t)->fsgid, .mode = default_mode };
		list_init(&nodes[n].inodes);
	}
	mutex_unlock(&pairs_mu);
	return n < PTY_LIMIT ? 0 : -ENOSPC;
}

void
pts_forget(int32_t n)
{
	mutex_lock(&pairs_mu);
	nodes[n].taken = false;
	mutex_unlock(&pairs_mu);
}

int
ptmx_open(struct task *t, struct inode *i, uint32_t flags, struct file **out)
{
	struct ptm_file *pf;
	struct tty *tty;
	int err;

	tty = tty_new(-1);
	if (tty == NULL)
		return -ENOMEM;
	pf = obj_new(ptm_file);
	if (pf == NULL) {
		tty_put(tty);
		return -ENOMEM;
	}
	tty->locked = true;
	err = pts_register(t, tty);
	if (err) {
		obj_free(ptm_file, pf);
		tty_put(tty);
		return err;
	}
	pf->tty = tty;
	file_init(&pf->file, &master_ops, i, flags);
	pf->file.wq = &tty->master_wq;
	*out = &pf->file;
	return 0;
}

/* ---- the filesystem ----------------------------------------------------------------- */

struct pts_inode {
	struct inode	inode;		/* first */
	int32_t		index;		/* [I] -1: root, -2: ptmx */
	uint64_t	serial;		/* [I] of the pair; the number may be another's by now */
	struct list	link;		/* [pairs_mu] among those of its pair */
};
KMEM_CACHE(pts_inode);
KMEM_CACHE(super);

static const struct inode_ops pts_ops;

static int
pts_inode_new(struct super *s, int32_t index, uint32_t mode, struct inode **out)
{
	struct pts_inode *p = obj_new(pts_inode);

	if (p == NULL)
		return -ENOMEM;
	inode_init(&p->inode, &pts_ops, s, mode, RANK_inode);
	list_init(&p->link);
	p->index = index;
	p->inode.attr.ino = index == -1 ? 1 : index == -2 ? 2 : (uint64_t)index + 3;
	p->inode.attr.nlink = index == -1 ? 2 : 1;
	p->inode.attr.blksize = 1024;
	p->inode.attr.rdev = index == -2 ? abi_makedev(5, 2) : index >= 0 ? abi_makedev(136, (uint32_t)index) : 0;
	p->inode.attr.atime = p->inode.attr.mtime = p->inode.attr.ctime = inode_now();
	*out = &p->inode;
	return 0;
}

static struct pts_inode *
pts_of(struct inode *i)
{
	return container_of(i, struct pts_inode, inode);
}

static void
pts_free(struct inode *i)
{
	mutex_lock(&pairs_mu);
	list_remove(&pts_of(i)->link);
	mutex_unlock(&pairs_mu);
	inode_fini(i);
	obj_free(pts_inode, pts_of(i));
}

static int32_t
index_of(struct inode *i)
{
	return pts_of(i)->index;
}

/* What is kept of the pair of i while it has its number; else NULL. pairs_mu held. */
static struct pts_node *
node_locked(struct inode *i)
{
	struct pts_inode *p = pts_of(i);

	return p->index >= 0 && nodes[p->index].taken && nodes[p->index].serial == p->serial ? &nodes[p->index] : NULL;
}

static int
pts_getattr(struct task *t, struct inode *i, struct iattr *out)
{
	int err = inode_plain_getattr(t, i, out);
	const struct pts_node *n;

	if (err)
		return err;
	mutex_lock(&pairs_mu);
	n = node_locked(i);
	if (n != NULL) {
		out->uid = n->uid;
		out->gid = n->gid;
		out->mode = S_IFCHR | n->mode;
	}
	mutex_unlock(&pairs_mu);
	return 0;
}

static int
pts_setattr(struct task *t, struct inode *i, const struct iattr *attr, uint32_t which)
{
	struct pts_node *n;

	mutex_lock(&pairs_mu);
	n = node_locked(i);
	if (n != NULL) {
		if (which & ATTR_MODE)
			n->mode = attr->mode & 07777;
		if (which & ATTR_UID)
			n->uid = attr->uid;
		if (which & ATTR_GID)
			n->gid = attr->gid;
	}
	mutex_unlock(&pairs_mu);
	return inode_plain_setattr(t, i, attr, which & ~(uint32_t)ATTR_SIZE);
}

/* The inode of a pair that a mount has already, counted: who may open it is asked of one only. pairs_mu held. */
static struct inode *
inode_locked(struct super *s, int32_t n)
{
	struct pts_inode *p;

	list_for_each(p, &nodes[n].inodes, link) {
		/* One that is going makes room for the next. */
		if (p->inode.super == s && inode_tryget(&p->inode) != NULL)
			return &p->inode;
	}
	return NULL;
}

static int
slave_inode(struct super *s, int32_t n, struct inode **out)
{
	struct inode *fresh, *old;
	int err = pts_inode_new(s, n, S_IFCHR | 0620, &fresh);

	if (err)
		return err;
	mutex_lock(&pairs_mu);
	err = pairs[n] != NULL ? 0 : -ENOENT;
	old = err ? NULL : inode_locked(s, n);
	if (!err && old == NULL) {
		pts_of(fresh)->serial = nodes[n].serial;
		fresh->attr.uid = nodes[n].uid;
		fresh->attr.gid = nodes[n].gid;
		fresh->attr.mode = S_IFCHR | nodes[n].mode;
		list_push_back(&nodes[n].inodes, &pts_of(fresh)->link);
		old = steal(&fresh);
	}
	mutex_unlock(&pairs_mu);
	inode_put(fresh);
	if (!err)
		*out = old;
	return err;
}

static int
pts_lookup(struct task *t, struct inode *dir, const char *name, struct inode **out)
{
	char *end;
	long n;

	(void)t;
	if (index_of(dir) != -1)
		return -ENOTDIR;
	if (strcmp(name, "ptmx") == 0)
		return pts_inode_new(dir->super, -2, S_IFCHR | 0666, out);
	n = strtol(name, &end, 10);
	if (name[0] < '0' || name[0] > '9' || *end != '\0' || (name[0] == '0' && name[1] != '\0') || n >= PTY_LIMIT)
		return -ENOENT;
	return slave_inode(dir->super, (int32_t)n, out);
}

/* The pair of a slave's inode, counted; NULL when it is gone, whoever has its number now. */
static struct tty *
pair_of_inode(struct inode *i)
{
	uint64_t serial;
	struct tty *tty = pair_get(index_of(i), &serial);

	if (tty != NULL && serial != pts_of(i)->serial) {
		tty_put(tty);
		tty = NULL;
	}
	return tty;
}

/* A slave's name goes with its master, whoever still holds the node. */
static int
pts_revalidate(struct task *t, struct inode *dir, const char *name, struct inode *node)
{
	AUTO_PUT(tty) tty = pair_of_inode(node);

	(void)t, (void)dir, (void)name;
	return index_of(node) < 0 || tty != NULL;
}

static int
pts_readdir(struct file *f, struct task *t, struct dirsink *d)
{
	(void)t;
	if (!dir_emit_dots(f, d))
		return 0;
	if (f->pos == 2) {
		if (!d->emit(d, "ptmx", 4, 2, S_IFCHR >> 12, 3))
			return 0;
		f->pos = 3;
	}
	for (int64_t n = f->pos - 3; n < PTY_LIMIT; n++) {
		char name[16];
		struct strbuf sb = STRBUF(name, sizeof name);
		bool there;

		mutex_lock(&pairs_mu);
		there = pairs[n] != NULL;
		mutex_unlock(&pairs_mu);
		if (!there)
			continue;
		sb_printf(&sb, "%d", (int)n);
		if (!d->emit(d, name, sb.len, (uint64_t)n + 3, S_IFCHR >> 12, n + 4))
			return 0;
		f->pos = n + 4;
	}
	return 0;
}

static void
pts_dir_free(struct file *f)
{
	file_fini(f);
	obj_free(ptm_file, container_of(f, struct ptm_file, file));
}

static const struct file_ops pts_dir_ops = {
	.kind = "devpts",
	.read = file_is_dir_read,
	.write = file_no_write,
	.pread = dir_no_pread,
	.pwrite = file_no_pwrite,
	.seek = file_seek_dir,
	.readdir = pts_readdir,
	.ready = file_always_ready,
	.ioctl = file_no_ioctl,
	.mmap = file_no_mmap,
	.fsync = file_sync_ok,
	.truncate = file_no_truncate,
	.fallocate = file_no_fallocate,
	.setflags = file_any_flags,
	.flush = file_no_flush,
	.free = pts_dir_free,
};

static int
pts_open(struct task *t, struct inode *i, uint32_t flags, struct file **out)
{
	struct ptm_file *pf;

	if (index_of(i) == -2)
		return ptmx_open(t, i, flags, out);
	if (index_of(i) >= 0) {
		AUTO_PUT(tty) tty = pair_of_inode(i);

		return tty == NULL ? -EIO : tty_slave_open(t, tty, i, flags, out);
	}
	pf = obj_new(ptm_file);
	if (pf == NULL)
		return -ENOMEM;
	file_init(&pf->file, &pts_dir_ops, i, flags);
	*out = &pf->file;
	return 0;
}

static const struct inode_ops pts_ops = {
	.lookup = pts_lookup,
	.create = inode_no_create,
	.link = inode_no_link,
	.unlink = inode_no_unlink,
	.rmdir = inode_no_unlink,
	.rename = inode_no_rename,
	.tmpfile = inode_no_tmpfile,
	.open = pts_open,
	.readlink = inode_no_readlink,
	.followlink = inode_no_followlink,
	.getattr = pts_getattr,
	.setattr = pts_setattr,
	.permission = inode_any_permission,
	.getxattr = inode_no_getxattr,
	.setxattr = inode_no_setxattr,
	.listxattr = inode_no_listxattr,
	.revalidate = pts_revalidate,
	.free = pts_free,
};

static int
pts_statfs(struct super *s, struct fs_statfs *out)
{
	*out = (struct fs_statfs){ .type = s->magic, .bsize = 4096, .frsize = 4096, .namelen = 255 };
	return 0;
}

static void
pts_show_options(struct super *s, struct strbuf *sb)
{
	(void)s;
	sb_printf(sb, ",gid=%u,mode=%o,ptmxmode=666", default_gid, default_mode);
}

static void
pts_super_free(struct super *s)
{
	obj_free(super, s);
}

static const struct super_ops pts_super_ops = {
	.statfs = pts_statfs,
	.show_options = pts_show_options,
	.sync = super_sync_none,
	.free = pts_super_free,
};

/* gid= and mode= apply to all: there is one table.  newinstance, max= and ptmxmode= are taken and need nothing. */
static void
pts_options(const char *data)
{
	for (const char *p = data; p != NULL && *p != '\0'; p = strchr(p, ',') ? strchr(p, ',') + 1 : NULL) {
		if (strncmp(p, "gid=", 4) == 0)
			default_gid = (uint32_t)strtoul(p + 4, NULL, 10);
		else if (strncmp(p, "mode=", 5) == 0)
			default_mode = (uint32_t)strtoul(p + 5, NULL, 8) & 0777;
	}
}

int
devpts_mount(struct task *t, const char *source, const char *data, uint64_t flags, struct super **out)
{
	struct super *s = obj_new(super);
	int err;

	(void)t, (void)source, (void)flags;
	if (s == NULL)
		return -ENOMEM;
	pts_options(data);
	super_init(s, &pts_super_ops, "devpts", DEVPTS_SUPER_MAGIC, SUPER_NOCACHE | SUPER_REVALIDATE);
	err = pts_inode_new(s, -1, S_IFDIR | 0755, &s->root);
	if (err) {
		super_put(s);
		return err;
	}
	*out = s;
	return 0;
}
