/*
 * proto: the messages of proto.def as C.
 *
 * One SOCK_SEQPACKET packet is one message: a head, fixed fields, then text or data.  All
 * integers are the machine's own: both ends are one binary.  Either end treats the other as
 * hostile: it checks every size, count and name, and uses nothing that was not received.
 */
#ifndef GOFER_PROTO_H
#define GOFER_PROTO_H

#include "base/base.h"
#include "base/wire.h"

#define GOFER_MSG_MAX	WIRE_MAX
#define GOFER_NAME_MAX	255
#define GOFER_LINK_MAX	4095
#define GOFER_WALK_MAX	32
#define GOFER_CLUNK_MAX	64
#define GOFER_MOUNT_MAX	256
#define GOFER_XATTR_MAX	32768		/* of a value or a list: what fits a message */

struct gofer_time {
	int64_t		sec;
	uint32_t	nsec, pad;
};

struct gofer_stat {
	uint64_t	dev, ino, size, blocks, rdev;
	uint32_t	mode, nlink, uid, gid, blksize, pad;
	struct gofer_time atime, mtime, ctime, btime;
};

struct gofer_head {
	uint32_t	tag;
	uint32_t	op;		/* reply: 0 or a positive errno */
};

/* One step of a walk: fid is 0 with GOFER_WALK_NOFID. */
struct gofer_step {
	uint32_t	fid;
	uint32_t	no_xattrs;	/* 1: it was looked for them (GOFER_WALK_XATTRS), and it has none */
	struct gofer_stat st;
};

/* Followed by the name; the next one begins at the next multiple of 8. */
struct gofer_dirent {
	uint64_t	cookie;		/* of the entry after it */
	uint64_t	ino;
	uint32_t	has_stat;
	uint8_t		dtype, pad;
	uint16_t	name_len;
	struct gofer_stat st;
};

enum {
	GOFER_WALK_NOFID = 1,		/* attributes only: to revalidate a name */
	GOFER_WALK_XATTRS = 2,		/* of one name: say whether it has any, since they are asked for next */
};
enum { GOFER_OPEN_WRITE = 1, GOFER_OPEN_TRUNC = 2 };
/*
 * Whether reading a donated descriptor and mapping it give the same bytes at any time: not known to, always,
 * or until somebody opens the file for writing or cuts it (an overlay of the host's that copies it then).
 */
enum { GOFER_PAGES_OWN, GOFER_PAGES_SAME, GOFER_PAGES_UNTIL_WRITTEN, GOFER_PAGES_LIMIT };
enum { GOFER_READDIR_STAT = 1 };
enum { GOFER_UNLINK_DIR = 1 };
enum { GOFER_XATTR_CREATE = 1, GOFER_XATTR_REPLACE = 2, GOFER_XATTR_REMOVE = 4 };
enum {
	GOFER_SET_MODE = 1, GOFER_SET_UID = 2, GOFER_SET_GID = 4, GOFER_SET_SIZE = 8,
	GOFER_SET_ATIME = 16, GOFER_SET_MTIME = 32, GOFER_SET_ALL = 63,
};

enum gofer_op {
#define GOFER_CALL(id, name, right, req, rep, what) GOFER_##name = (id),
#include "gofer/proto.def"
#undef GOFER_CALL
	GOFER_OP_LIMIT = 22
};

#define GOFER_CALL(id, name, right, req, rep, what)			\
struct gofer_##name##_req { struct gofer_head head; req; };		\
struct gofer_##name##_rep { struct gofer_head head; rep; };		\
_Static_assert((id) < GOFER_OP_LIMIT, #name);
#include "gofer/proto.def"
#undef GOFER_CALL

_Static_assert(sizeof(struct gofer_stat) == 128, "no padding");
_Static_assert(sizeof(struct gofer_dirent) == 24 + 128, "no padding");

#endif
