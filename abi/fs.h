/* fs: numbers and structs of the file calls that libc headers hide or spell differently. */
#ifndef ABI_FS_H
#define ABI_FS_H

#include <stdint.h>

#include "abi/gaddr.h"

/* libc defines O_LARGEFILE as 0 on x86-64; the kernel sets and shows the bit. */
#define ABI_O_LARGEFILE		0100000
#define ABI_O_TMPFILE_BIT	020000000	/* __O_TMPFILE without O_DIRECTORY */

#define ABI_MNT_FORCE		1
#define ABI_MNT_DETACH		2
#define ABI_MNT_EXPIRE		4
#define ABI_UMOUNT_NOFOLLOW	8

#define ABI_RWF_HIPRI		1
#define ABI_RWF_DSYNC		2
#define ABI_RWF_SYNC		4
#define ABI_RWF_NOWAIT		8
#define ABI_RWF_APPEND		16

struct abi_open_how { uint64_t flags, mode, resolve; };
struct abi_flock { int16_t l_type, l_whence; int32_t pad0; int64_t l_start, l_len; int32_t l_pid, pad1; };
struct abi_f_owner_ex { int32_t type, pid; };

/* d_name follows; records are 8-byte aligned. */
struct abi_dirent64 { uint64_t d_ino; int64_t d_off; uint16_t d_reclen; uint8_t d_type; };
#define ABI_DIRENT64_NAME	19	/* offset of d_name */
#define ABI_DIRENT_NAME		18	/* of the old struct linux_dirent; its type is the last byte */

struct abi_utimbuf { int64_t actime, modtime; };

GPTR(flock);
GPTR(f_owner_ex);

#endif
