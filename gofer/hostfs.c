/*
 * hostfs: see hostfs.h.
 *
 * Raw system calls, so that the table in base/hostcalls.def names exactly what runs here.  An
 * O_PATH descriptor cannot be read, changed in mode or asked for attributes; those go through
 * /proc/self/fd/N, which follows the descriptor and no name.
 */
#include "gofer/hostfs.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <linux/mount.h>
#include <linux/stat.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/hostcall.h"
#include "base/strbuf.h"

static int proc_fds = -1;		/* /proc/self/fd, O_PATH */

static int64_t
result(long r)
{
	return r < 0 ? -errno : r;
}

#define call(nr, ...) result(syscall(nr, __VA_ARGS__))

int
hostfs_init(void)
{
	int fs, mnt, fd;

	fd = (int)call(SYS_openat, AT_FDCWD, "/proc/self/fd", O_PATH | O_DIRECTORY | O_CLOEXEC, 0);
	if (fd >= 0) {
		proc_fds = fd;
		return 0;
	}
	/* No procfs among the mounts: a detached one of our own, which no name reaches. */
	fs = (int)call(SYS_fsopen, "proc", FSOPEN_CLOEXEC);
	if (fs < 0)
		return fs;
	fd = (int)call(SYS_fsconfig, fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0);
	mnt = fd < 0 ? fd : (int)call(SYS_fsmount, fs, FSMOUNT_CLOEXEC, 0);
	(void)host_close(fs);
	if (mnt < 0)
		return mnt;
	fd = (int)call(SYS_openat, mnt, "self/fd", O_PATH | O_DIRECTORY | O_CLOEXEC, 0);
	(void)host_close(mnt);
	if (fd < 0)
		return fd;
	proc_fds = fd;
	return 0;
}

/* "N" below proc_fds, or the whole name for calls that take no directory. */
static const char *
fd_name(int fd, char *buf, size_t size)
{
	struct strbuf sb = STRBUF(buf, size);

	sb_printf(&sb, "%d", fd);
	return buf;
}

int
hostfs_openat(int dir, const char *name, int flags, uint32_t mode)
{
	return (int)call(SYS_openat, dir, name, flags | O_NOFOLLOW | O_CLOEXEC | O_NOCTTY, mode);
}

int
hostfs_reopen(int fd, int flags)
{
	char name[16];

	return (int)call(SYS_openat, proc_fds, fd_name(fd, name, sizeof name),
	    flags | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0);
}

static void
time_from(struct gofer_time *to, const struct statx_timestamp *from)
{
	to->sec = from->tv_sec;
	to->nsec = from->tv_nsec;
	to->pad = 0;
}

static int
stat_any(int dir, const char *name, int flags, struct gofer_stat *out)
{
	struct statx sx;
	int64_t r = call(SYS_statx, dir, name, flags | AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT,
	    STATX_BASIC_STATS | STATX_BTIME, &sx);

	if (r < 0)
		return (int)r;
	memset(out, 0, sizeof *out);
	out->dev = (uint64_t)sx.stx_dev_major << 32 | sx.stx_dev_minor;
	out->ino = sx.stx_ino;
	out->size = sx.stx_size;
	out->blocks = sx.stx_blocks;
	/* The guest's encoding of a device number, as makedev(3) has it. */
	out->rdev = (sx.stx_rdev_minor & 0xffu) | (sx.stx_rdev_major & 0xfffu) << 8 |
	    (uint64_t)(sx.stx_rdev_minor & ~0xffu) << 12;
	out->mode = sx.stx_mode;
	out->nlink = sx.stx_nlink;
	out->uid = sx.stx_uid;
	out->gid = sx.stx_gid;
	out->blksize = sx.stx_blksize;
	time_from(&out->atime, &sx.stx_atime);
	time_from(&out->mtime, &sx.stx_mtime);
	time_from(&out->ctime, &sx.stx_ctime);
	if (sx.stx_mask & STATX_BTIME)
		time_from(&out->btime, &sx.stx_btime);
	return 0;
}

int
hostfs_stat(int fd, struct gofer_stat *out)
{
	return stat_any(fd, "", AT_EMPTY_PATH, out);
}

int
hostfs_stat_at(int dir, const char *name, struct gofer_stat *out)
{
	return stat_any(dir, name, 0, out);
}

int64_t
hostfs_readlink(int fd, char *buf, size_t size)
{
	return call(SYS_readlinkat, fd, "", buf, size);
}

int
hostfs_mkdir(int dir, const char *name, uint32_t mode)
{
	return (int)call(SYS_mkdirat, dir, name, mode);
}

int
hostfs_symlink(const char *target, int dir, const char *name)
{
	return (int)call(SYS_symlinkat, target, dir, name);
}

int
hostfs_mknod(int dir, const char *name, uint32_t mode)
{
	return (int)call(SYS_mknodat, dir, name, mode, 0);
}

int
hostfs_link(int fd, int dir, const char *name)
{
	char from[16];

	return (int)call(SYS_linkat, proc_fds, fd_name(fd, from, sizeof from), dir, name,
	    AT_SYMLINK_FOLLOW);
}

int
hostfs_unlink(int dir, const char *name, bool is_dir)
{
	return (int)call(SYS_unlinkat, dir, name, is_dir ? AT_REMOVEDIR : 0);
}

int
hostfs_rename(int olddir, const char *old, int newdir, const char *new, uint32_t flags)
{
	return (int)call(SYS_renameat2, olddir, old, newdir, new, flags);
}

int
hostfs_chown(int fd, uint32_t uid, uint32_t gid)
{
	return (int)call(SYS_fchownat, fd, "", uid, gid, AT_EMPTY_PATH);
}

int
hostfs_chmod(int fd, uint32_t mode)
{
	char name[16];

	return (int)call(SYS_fchmodat, proc_fds, fd_name(fd, name, sizeof name), mode);
}

int
hostfs_utimes(int fd, const struct gofer_time *atime, const struct gofer_time *mtime)
{
	char name[16];
	struct timespec ts[2] = {
		{ .tv_sec = atime->sec, .tv_nsec = atime->nsec },
		{ .tv_sec = mtime->sec, .tv_nsec = mtime->nsec },
	};
	/* Through the descriptor's link: its own name is followed to the node, whatever it is. */
	int64_t r = call(SYS_utimensat, proc_fds, fd_name(fd, name, sizeof name), ts, 0);

	return (int)r;
}

int
hostfs_truncate(int fd, uint64_t size)
{
	return (int)call(SYS_ftruncate, fd, size);
}

int
hostfs_fallocate(int fd, uint32_t mode, uint64_t off, uint64_t len)
{
	return (int)call(SYS_fallocate, fd, mode, off, len);
}

int
hostfs_fsync(int fd, bool data_only)
{
	return (int)call(data_only ? SYS_fdatasync : SYS_fsync, fd);
}

int
hostfs_statfs(int fd, struct gofer_statfs_rep *out)
{
	struct statfs sf;
	int64_t r = call(SYS_fstatfs, fd, &sf);

	if (r < 0)
		return (int)r;
	out->type = (uint64_t)sf.f_type;
	out->bsize = (uint64_t)sf.f_bsize;
	out->blocks = sf.f_blocks;
	out->bfree = sf.f_bfree;
	out->bavail = sf.f_bavail;
	out->files = sf.f_files;
	out->ffree = sf.f_ffree;
	out->namelen = (uint64_t)sf.f_namelen;
	out->frsize = (uint64_t)sf.f_frsize;
	return 0;
}

/*
 * Filesystems whose reads come from the page cache, and that nobody changes but through it.  Not those of a network or of
 * a server in user space: a read may ask there what a page that is mapped does not know.
 */
uint32_t
hostfs_pages(int fd, bool write)
{
	struct statfs sf;

	if (call(SYS_fstatfs, fd, &sf) < 0)
		return GOFER_PAGES_OWN;
	switch ((uint32_t)sf.f_type) {
	case EXT4_SUPER_MAGIC: case XFS_SUPER_MAGIC: case BTRFS_SUPER_MAGIC: case F2FS_SUPER_MAGIC:
	case TMPFS_MAGIC: case RAMFS_MAGIC: case SQUASHFS_MAGIC: case EROFS_SUPER_MAGIC_V1: case ISOFS_SUPER_MAGIC:
		return GOFER_PAGES_SAME;
	case OVERLAYFS_SUPER_MAGIC:
		return write ? GOFER_PAGES_SAME : GOFER_PAGES_UNTIL_WRITTEN;
	default:
		return GOFER_PAGES_OWN;
	}
}

int64_t
hostfs_getxattr(int fd, const char *name, void *buf, size_t size)
{
	return call(SYS_fgetxattr, fd, name, buf, size);
}

int64_t
hostfs_listxattr(int fd, char *buf, size_t size)
{
	return call(SYS_flistxattr, fd, buf, size);
}

int
hostfs_setxattr(int fd, const char *name, const void *val, size_t size, uint32_t flags)
{
	return (int)call(SYS_fsetxattr, fd, name, val, size, flags);
}

int
hostfs_removexattr(int fd, const char *name)
{
	return (int)call(SYS_fremovexattr, fd, name);
}

int64_t
hostfs_getdents(int fd, void *buf, size_t size)
{
	return call(SYS_getdents64, fd, buf, size);
}

int64_t
hostfs_seek(int fd, int64_t off)
{
	return call(SYS_lseek, fd, off, SEEK_SET);
}
