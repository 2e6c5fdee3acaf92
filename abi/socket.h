/* socket: layouts and numbers of the socket calls.  socket(7), unix(7). */
#ifndef ABI_SOCKET_H
#define ABI_SOCKET_H

#include <stdint.h>

#include <asm/socket.h>
#include <linux/un.h>

#define ABI_AF_UNSPEC	0
#define ABI_AF_UNIX	1
#define ABI_AF_INET	2
#define ABI_AF_INET6	10
#define ABI_AF_NETLINK	16
#define ABI_AF_MAX	46

enum { ABI_SOCK_STREAM = 1, ABI_SOCK_DGRAM = 2, ABI_SOCK_RAW = 3, ABI_SOCK_SEQPACKET = 5 };
#define ABI_SOCK_TYPE_MASK	0xf
#define ABI_SOCK_NONBLOCK	04000
#define ABI_SOCK_CLOEXEC	02000000

enum {
	ABI_MSG_OOB = 1, ABI_MSG_PEEK = 2, ABI_MSG_CTRUNC = 8, ABI_MSG_TRUNC = 0x20, ABI_MSG_DONTWAIT = 0x40,
	ABI_MSG_EOR = 0x80, ABI_MSG_WAITALL = 0x100, ABI_MSG_NOSIGNAL = 0x4000, ABI_MSG_WAITFORONE = 0x10000,
	ABI_MSG_CMSG_CLOEXEC = 0x40000000,
};
enum { ABI_SCM_RIGHTS = 1, ABI_SCM_CREDENTIALS = 2, ABI_SCM_MAX_FD = 253 };
enum { ABI_SHUT_RD, ABI_SHUT_WR, ABI_SHUT_RDWR };

#define ABI_SOCKADDR_MAX	128	/* sockaddr_storage */

struct abi_msghdr {
	uint64_t name;
	int32_t	 namelen, pad0;
	uint64_t iov, iovlen, control, controllen;
	int32_t	 flags, pad1;
};
_Static_assert(sizeof(struct abi_msghdr) == 56, "msghdr");

struct abi_mmsghdr { struct abi_msghdr hdr; uint32_t len, pad; };
struct abi_cmsghdr { uint64_t len; int32_t level, type; };
struct abi_ucred { int32_t pid; uint32_t uid, gid; };
struct abi_linger { int32_t onoff, linger; };

#endif
