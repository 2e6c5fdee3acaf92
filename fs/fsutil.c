/* fsutil: what every filesystem with directories does the same way. */
#include <fcntl.h>
#include <linux/capability.h>
#include <sys/stat.h>

#include "fs/fs.h"
#include "sentry/kernel/task.h"
#include "sentry/vfs/dentry.h"
#include "sentry/vfs/file.h"

bool
dir_emit_dots(struct file *f, struct dirsink *d)
{
	if (f->pos == 0) {
		if (!d->emit(d, ".", 1, f->inode->attr.ino, S_IFDIR >> 12, 1))
			return false;
		f->pos = 1;
	}
	if (f->pos == 1) {
		AUTO_PUT(dentry) parent = f->path.dentry ? dentry_parent_get(f->path.dentry) : NULL;
		uint64_t ino = f->inode->attr.ino;

		/* The root of a filesystem is its own parent, as the directory itself knows it. */
		if (parent != NULL && dentry_inode(parent) != NULL)
			ino = dentry_inode(parent)->attr.ino;
		if (!d->emit(d, "..", 2, ino, S_IFDIR >> 12, 2))
			return false;
		f->pos = 2;
	}
	return true;
}

int64_t
dir_no_pread(struct file *f, struct task *t, struct iobuf *dst, int64_t off)
{
	(void)off;
	return file_is_dir_read(f, t, dst);
}

void
node_owner(struct task *t, const struct inode *dir, uint32_t *mode, uint32_t *uid, uint32_t *gid)
{
	*uid = t ? task_cred(t)->fsuid : 0;
	*gid = t ? task_cred(t)->fsgid : 0;
	if (!(dir->attr.mode & S_ISGID))
		return;
	*gid = dir->attr.gid;
	if (S_ISDIR(*mode))
		*mode |= S_ISGID;
	else if ((*mode & (S_ISGID | S_IXGRP)) == (S_ISGID | S_IXGRP) && t != NULL &&
	    !cred_in_group(task_cred(t), *gid) && !task_capable(t, CAP_FSETID))
		*mode &= ~(uint32_t)S_ISGID;
}
