/* stat: file attributes as the guest sees them: stat(2), statx(2), statfs(2) on x86-64. */
#ifndef ABI_STAT_H
#define ABI_STAT_H

#include <stdint.h>

#include "abi/gaddr.h"

struct abi_stat {
	uint64_t st_dev, st_ino, st_nlink;
	uint32_t st_mode, st_uid, st_gid, pad0;
	uint64_t st_rdev;
	int64_t	 st_size, st_blksize, st_blocks;
	uint64_t st_atime_sec, st_atime_nsec;
	uint64_t st_mtime_sec, st_mtime_nsec;
	uint64_t st_ctime_sec, st_ctime_nsec;
	int64_t	 unused[3];
};
_Static_assert(sizeof(struct abi_stat) == 144, "struct stat");

struct abi_statx_timestamp {
	int64_t	 tv_sec;
	uint32_t tv_nsec;
	int32_t	 pad;
};

struct abi_statx {
	uint32_t stx_mask, stx_blksize;
	uint64_t stx_attributes;
	uint32_t stx_nlink, stx_uid, stx_gid;
	uint16_t stx_mode, pad0;
	uint64_t stx_ino, stx_size, stx_blocks, stx_attributes_mask;
	struct abi_statx_timestamp stx_atime, stx_btime, stx_ctime, stx_mtime;
	uint32_t stx_rdev_major, stx_rdev_minor, stx_dev_major, stx_dev_minor;
	uint64_t stx_mnt_id;
	uint32_t stx_dio_mem_align, stx_dio_offset_align;
	uint64_t spare[12];
};
_Static_assert(sizeof(struct abi_statx) == 256, "struct statx");

struct abi_statfs {
	int64_t	 f_type, f_bsize;
	uint64_t f_blocks, f_bfree, f_bavail, f_files, f_ffree;
	int32_t	 f_fsid[2];
	int64_t	 f_namelen, f_frsize, f_flags, spare[4];
};
_Static_assert(sizeof(struct abi_statfs) == 120, "struct statfs");

GPTR(stat);
GPTR(statx);
GPTR(statfs);

/* Device numbers are kept as the guest's stat shows them (Linux's new_encode_dev). */
static inline uint64_t
abi_makedev(uint32_t major, uint32_t minor)
{
	return (minor & 0xff) | (uint64_t)(major & 0xfff) << 8 | (uint64_t)(minor & ~0xffU) << 12;
}
static inline uint32_t
abi_dev_major(uint64_t dev)
{
	return (uint32_t)(dev >> 8 & 0xfff);
}
static inline uint32_t
abi_dev_minor(uint64_t dev)
{
	return (uint32_t)((dev & 0xff) | (dev >> 12 & 0xfff00));
}

#endif
