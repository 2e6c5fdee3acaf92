/*
 * memfs: a filesystem of nothing but names, and the little of a task that path walks ask for.
 * Included by one test program (or fuzz target) each.
 */
#ifndef TESTS_UNIT_MEMFS_H
#define TESTS_UNIT_MEMFS_H

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "sentry/kernel/task.h"
#include "sentry/mm/usercopy.h"
#include "sentry/syscall/syscall.h"
#include "sentry/vfs/dentry.h"
#include "sentry/vfs/fdtable.h"
#include "sentry/vfs/file.h"
#include "sentry/vfs/inode.h"
#include "sentry/vfs/mount.h"
#include "sentry/vfs/name.h"
#include "sentry/vfs/path.h"

struct mentry { struct mentry *next; char name[NAME_LIMIT + 1]; struct inode *node; };
struct mnode { struct inode inode; struct mentry *entries; char target[PATH_LIMIT]; };

static _Atomic unsigned memfs_lookups UNUSED;
static const struct inode_ops memfs_ops;
static const struct super_ops memfs_super_ops;

static struct mnode *
mnode(struct inode *i)
{
	return container_of(i, struct mnode, inode);
}

static struct mentry **
memfs_find(struct inode *dir, const char *name)
{
	struct mentry **e = &mnode(dir)->entries;

	while (*e && strcmp((*e)->name, name) != 0)
		e = &(*e)->next;
	return e;
}

static int
memfs_add(struct inode *dir, const char *name, struct inode *node)
{
	struct mentry *e = calloc(1, sizeof *e);

	strncpy(e->name, name, NAME_LIMIT);
	e->node = inode_get(node);
	e->next = mnode(dir)->entries;
	mnode(dir)->entries = e;
	return 0;
}

static void
memfs_del(struct inode *dir, const char *name)
{
	struct mentry **e = memfs_find(dir, name), *old = *e;

	if (old == NULL)
		return;
	*e = old->next;
	inode_put(old->node);
	free(old);
}

static struct inode *
memfs_node(struct super *s, uint32_t mode, const char *target)
{
	static _Atomic uint64_t ino = 1;
	struct mnode *n = calloc(1, sizeof *n);

	inode_init(&n->inode, &memfs_ops, s, mode, RANK_inode);
	n->inode.attr.ino = ino++;
	if (target)
		strncpy(n->target, target, sizeof n->target - 1);
	return &n->inode;
}

static int
memfs_lookup(struct task *t, struct inode *dir, const char *name, struct inode **out)
{
	struct mentry *e = *memfs_find(dir, name);

	(void)t;
	memfs_lookups++;
	if (e == NULL)
		return -ENOENT;
	*out = inode_get(e->node);
	return 0;
}

static int
memfs_create(struct task *t, struct inode *dir, const char *name, uint32_t mode, uint64_t rdev, const char *target, struct inode **out)
{
	(void)t, (void)rdev;
	if (*memfs_find(dir, name))
		return -EEXIST;
	*out = memfs_node(dir->super, mode, target);
	return memfs_add(dir, name, *out);
}

static int
memfs_link(struct task *t, struct inode *dir, const char *name, struct inode *node)
{
	(void)t;
	return memfs_add(dir, name, node);
}

static int
memfs_unlink(struct task *t, struct inode *dir, const char *name, struct inode *node)
{
	(void)t, (void)node;
	memfs_del(dir, name);
	return 0;
}

static int
memfs_rmdir(struct task *t, struct inode *dir, const char *name, struct inode *node)
{
	if (mnode(node)->entries)
		return -ENOTEMPTY;
	return memfs_unlink(t, dir, name, node);
}

static int
memfs_rename(struct task *t, struct inode *olddir, const char *oldname, struct inode *node, struct inode *newdir, const char *newname, struct inode *target, uint32_t flags)
{
	(void)t;
	if (flags & 2) {
		struct mentry *a = *memfs_find(olddir, oldname), *b = *memfs_find(newdir, newname);
		struct inode *swap = a->node;

		a->node = b->node;
		b->node = swap;
		return 0;
	}
	if (target && S_ISDIR(target->attr.mode) && mnode(target)->entries)
		return -ENOTEMPTY;
	if (target)
		memfs_del(newdir, newname);
	memfs_add(newdir, newname, node);
	memfs_del(olddir, oldname);
	return 0;
}

static int
memfs_readlink(struct task *t, struct inode *i, char *buf, size_t size)
{
	size_t n = min(strlen(mnode(i)->target), size);

	(void)t;
	if (!S_ISLNK(i->attr.mode))
		return -EINVAL;
	memcpy(buf, mnode(i)->target, n);
	return (int)n;
}

static void
memfs_free(struct inode *i)
{
	/* As a real one would: a node that outlives its super is a bug. */
	if (i->super->ops != &memfs_super_ops)
		abort();
	while (mnode(i)->entries)
		memfs_del(i, mnode(i)->entries->name);
	inode_fini(i);
	free(mnode(i));
}

/* ---- open files without data ------------------------------------------------- */

static int64_t
memfs_pread(struct file *f, struct task *t, struct iobuf *dst, int64_t off)
{
	(void)f, (void)t, (void)dst, (void)off;
	return 0;
}

static void
memfs_file_free(struct file *f)
{
	file_fini(f);
	free(f);
}

static const struct file_ops memfs_file_ops = {
	.kind = "memfs", .read = file_read_pos, .write = file_no_write, .pread = memfs_pread,
	.pwrite = file_no_pwrite, .seek = file_seek_size, .readdir = file_no_readdir, .ready = file_always_ready,
	.ioctl = file_no_ioctl, .mmap = file_no_mmap, .fsync = file_sync_ok, .truncate = file_truncate_inode,
	.fallocate = file_no_fallocate, .setflags = file_any_flags, .flush = file_no_flush, .free = memfs_file_free,
};

static int
memfs_open(struct task *t, struct inode *i, uint32_t flags, struct file **out)
{
	(void)t;
	*out = calloc(1, sizeof **out);
	file_init(*out, &memfs_file_ops, i, flags);
	return 0;
}

static const struct inode_ops memfs_ops = {
	.lookup = memfs_lookup, .create = memfs_create, .link = memfs_link, .unlink = memfs_unlink,
	.rmdir = memfs_rmdir, .rename = memfs_rename, .tmpfile = inode_no_tmpfile, .open = memfs_open,
	.readlink = memfs_readlink, .followlink = inode_no_followlink, .getattr = inode_plain_getattr,
	.setattr = inode_plain_setattr, .permission = inode_any_permission, .getxattr = inode_no_getxattr,
	.setxattr = inode_no_setxattr, .listxattr = inode_no_listxattr, .revalidate = inode_always_valid,
	.free = memfs_free,
};

static void memfs_super_free(struct super *s) { free(s); }
static int memfs_statfs(struct super *s, struct fs_statfs *out) { (void)s; memset(out, 0, sizeof *out); return 0; }
static const struct super_ops memfs_super_ops = {
	.statfs = memfs_statfs, .show_options = super_show_none, .sync = super_sync_none, .free = memfs_super_free,
};

static struct super *
memfs_super(uint32_t flags)
{
	struct super *s = calloc(1, sizeof *s);

	super_init(s, &memfs_super_ops, "memfs", 0x6d656d, flags);
	s->root = memfs_node(s, S_IFDIR | 0755, NULL);
	return s;
}

/* ---- a task ------------------------------------------------------------------ */

struct kernel kernel;
static uint64_t fake_nofile = 1024;
static uint32_t fake_signals UNUSED;

uint64_t task_rlimit(struct task *t, int r) { (void)t; return r == 7 ? fake_nofile : UINT64_MAX; }
void siginfo_user(struct abi_siginfo *i, struct task *t, int s, int c) { (void)i, (void)t, (void)c; fake_signals |= 1u << s; }
void signal_send_task(struct task *t, const struct abi_siginfo *i) { (void)t, (void)i; }
bool signal_pending(struct task *t) { (void)t; return false; }
bool cred_has_cap(const struct cred *c, int cap) { return c->effective >> cap & 1; }
bool cred_in_group(const struct cred *c, uint32_t gid) { return c->fsgid == gid; }
void report_missing(struct task *t, const char *fmt, ...) { (void)t, (void)fmt; }
void process_each(bool (*fn)(struct process *, void *), void *arg) { (void)fn, (void)arg; }
struct task *process_leader_get(struct process *p) { (void)p; return NULL; }
struct fsinfo *task_fs_get(struct task *t) { return fsinfo_get(t->fs); }
void fsinfo_release(struct fsinfo *f) { (void)f; }
void task_release(struct task *t) { (void)t; }
void cred_release(struct cred *c) { (void)c; }
void mobj_release(struct mobj *o) { (void)o; }
struct task *task_find_get(int32_t id) { (void)id; return NULL; }
struct process *process_find_get(int32_t id) { (void)id; return NULL; }
struct pidgroup *pidgroup_find_get(int32_t id) { (void)id; return NULL; }
struct cred *task_cred_get(struct task *t) { (void)t; return NULL; }
void process_release(struct process *p) { (void)p; }
void pidgroup_release(struct pidgroup *g) { (void)g; }
void siginfo_kernel(struct abi_siginfo *i, int s) { (void)i, (void)s; }
void signal_send_process(struct process *p, const struct abi_siginfo *i) { (void)p, (void)i; }
int signal_send_pgrp(struct pidgroup *g, const struct abi_siginfo *i) { (void)g, (void)i; return 0; }
void usercopy_settle(void) { }
int copy_in_path(struct task *t, gaddr_t a, char **out) { (void)t, (void)a, (void)out; return -EFAULT; }
int copy_in(struct task *t, void *d, gaddr_t s, size_t n) { (void)t, (void)d, (void)s, (void)n; return -EFAULT; }
int copy_out(struct task *t, gaddr_t d, const void *s, size_t n) { (void)t, (void)d, (void)s, (void)n; return 0; }
int64_t copy_in_some(struct mm *m, void *d, gaddr_t s, size_t n) { (void)m, (void)d, (void)s, (void)n; return -EFAULT; }
int64_t copy_out_some(struct mm *m, gaddr_t d, const void *s, size_t n) { (void)m, (void)d, (void)s, (void)n; return -EFAULT; }
int64_t copy_out_mapped(struct mm *m, gaddr_t d, const void *s, size_t n) { (void)m, (void)d, (void)s, (void)n; return -EFAULT; }
uint64_t cpu_ticks(void) { return 0; }
int dev_open(struct task *t, struct inode *i, uint32_t fl, struct file **o) { (void)t, (void)i, (void)fl, (void)o; return -ENXIO; }
void fsnotify(struct inode *i, uint32_t m, const char *n, uint32_t c) { (void)i, (void)m, (void)n, (void)c; }
void fsnotify_dentry(struct dentry *d, uint32_t m) { (void)d, (void)m; }
void fsnotify_parent(struct file *f, uint32_t m) { (void)f, (void)m; }
void fsnotify_unmount(struct super *s) { (void)s; }
void watches_free(struct inode *i) { (void)i; }
bool task_must_exit(struct task *t) { (void)t; return false; }

static struct fsinfo mem_fs;
static struct cred mem_cred;
static struct process mem_process;
static struct task mem_task;
static struct super *mem_root;

/* A task with an empty root filesystem, as root without capabilities but DAC ones when `caps`. */
static struct task *
mem_setup(uint64_t caps)
{
	struct task *t = &mem_task;

	memset(t, 0, sizeof *t);
	memset(&mem_cred, 0, sizeof mem_cred);
	memset(&mem_fs, 0, sizeof mem_fs);
	mem_cred.effective = mem_cred.permitted = caps;
	t->cred = &mem_cred;
	t->process = &mem_process;
	mem_process.pid = 1;
	ref_init(&mem_fs.ref, OBJ_fsinfo);
	t->fs = &mem_fs;
	mutex_init(&mem_fs.mu, RANK_fs);
	mem_fs.umask = 022;
	mem_root = memfs_super(0);
	if (mntns_new(mem_root, 0, "mem", &t->mntns) != 0 || fdtable_new(&t->files) != 0)
		abort();
	mem_fs.root = mem_fs.cwd = (struct path){ t->mntns->root, t->mntns->root->root };
	path_get(&mem_fs.root);
	path_get(&mem_fs.cwd);
	return t;
}

static void UNUSED
mem_teardown(struct task *t)
{
	fdtable_put(t->files);
	fsinfo_put(&mem_fs);
	path_put(&mem_fs.root);
	path_put(&mem_fs.cwd);
	mntns_put(t->mntns);
	super_put(mem_root);
}

#endif
