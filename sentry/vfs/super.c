/*
 * super: life of a filesystem instance, and the pseudo filesystem of nameless objects.
 *
 * A mount counts its super; inodes and dentries only borrow it.  So when the last
 * reference goes no path into it is left, and what the name cache still keeps is dropped first.
 */
#include "sentry/vfs/super.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "abi/stat.h"
#include "base/kmem.h"
#include "sentry/kernel/task.h"
#include "sentry/vfs/dentry.h"
#include "sentry/vfs/file.h"

KMEM_CACHE(inode);

static _Atomic uint32_t next_dev = 2;	/* 1: anon_super */
static _Atomic uint64_t next_ino = 1;

uint64_t
dev_alloc_anon(void)
{
	return abi_makedev(0, atomic_fetch_add(&next_dev, 1) & 0xfffff);
}

void
super_init(struct super *s, const struct super_ops *ops, const char *fstype, uint64_t magic, uint32_t flags)
{
	ref_init(&s->ref, OBJ_super);
	s->ops = ops;
	s->fstype = fstype;
	s->dev = dev_alloc_anon();
	s->magic = magic;
	s->flags = flags;
	s->root = NULL;
	mutex_init(&s->rename_mu, RANK_rename);
	list_init(&s->watches);
}

void
super_release(struct super *s)
{
	struct inode *root = s->root;

	fsnotify_unmount(s);
	dentry_drop_super(s);
	s->root = NULL;
	inode_put(root);
	mutex_fini(&s->rename_mu);
	s->ops->free(s);
}

int
super_sync_none(struct super *s)
{
	(void)s;
	return 0;
}

void
super_show_none(struct super *s, struct strbuf *sb)
{
	(void)s, (void)sb;
}

/* ---- nameless objects ------------------------------------------------------ */

static int
anon_statfs(struct super *s, struct fs_statfs *out)
{
	*out = (struct fs_statfs){ .type = s->magic, .bsize = PAGE_SIZE, .namelen = 255, .frsize = PAGE_SIZE };
	return 0;
}

static void
anon_super_free(struct super *s)
{
	(void)s;
}

static const struct super_ops anon_super_ops = {
	.statfs = anon_statfs,
	.show_options = super_show_none,
	.sync = super_sync_none,
	.free = anon_super_free,
};

struct super anon_super = {
	.ref = { .count = 1, .type = OBJ_super },
	.ops = &anon_super_ops,
	.fstype = "anon_inodefs",
	.dev = 1,
	.magic = 0x09041934,		/* ANON_INODE_FS_MAGIC */
	.rename_mu = MUTEX_INIT(RANK_rename),
	.watches = LIST_INIT(anon_super.watches),
};

static void
anon_inode_free(struct inode *i)
{
	inode_fini(i);
	obj_free(inode, i);
}

static const struct inode_ops anon_inode_ops = {
	.lookup = inode_no_lookup,
	.create = inode_no_create,
	.link = inode_no_link,
	.unlink = inode_no_unlink,
	.rmdir = inode_no_unlink,
	.rename = inode_no_rename,
	.tmpfile = inode_no_tmpfile,
	.open = inode_no_open,
	.readlink = inode_no_readlink,
	.followlink = inode_no_followlink,
	.getattr = inode_plain_getattr,
	.setattr = inode_plain_setattr,
	.permission = inode_any_permission,
	.getxattr = inode_no_getxattr,
	.setxattr = inode_no_setxattr,
	.listxattr = inode_no_listxattr,
	.revalidate = inode_always_valid,
	.free = anon_inode_free,
};

int
inode_new_anon(uint32_t mode, struct inode **out)
{
	struct inode *i = obj_new(inode);

	if (i == NULL)
		return -ENOMEM;
	inode_init(i, &anon_inode_ops, &anon_super, mode, RANK_inode);
	i->attr.ino = atomic_fetch_add(&next_ino, 1);
	*out = i;
	return 0;
}
