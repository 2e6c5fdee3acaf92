/* wire: framed messages with descriptors; see wire.h. */
#include "base/wire.h"

#include <string.h>
#include <sys/socket.h>

#include "base/hostcall.h"

union control_room {
	struct cmsghdr	align;
	char		buf[CMSG_SPACE(WIRE_FDS * sizeof(int))];
};

int
wire_send(int sock, const void *msg, size_t len, const int *fds, unsigned nfds)
{
	struct iovec iov = { .iov_base = (void *)(uintptr_t)msg, .iov_len = len };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1 };
	union control_room room;
	int64_t n;

	if (len == 0 || len > WIRE_MAX || nfds > WIRE_FDS)
		return -EMSGSIZE;
	if (nfds) {
		struct cmsghdr *c;

		memset(&room, 0, sizeof room);
		m.msg_control = room.buf;
		m.msg_controllen = CMSG_SPACE(nfds * sizeof(int));
		c = CMSG_FIRSTHDR(&m);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(nfds * sizeof(int));
		memcpy(CMSG_DATA(c), fds, nfds * sizeof(int));
	}
	do {
		n = host_sendmsg(sock, &m, MSG_NOSIGNAL);
	} while (n == -EINTR);
	if (n == -ECONNRESET || n == -ENOTCONN)
		n = -EPIPE;
	return n < 0 ? (int)n : 0;
}

/* Keeps at most room descriptors of every SCM_RIGHTS part, closes the rest; false when some had to go. */
static bool
take_fds(struct msghdr *m, int *fds, unsigned room, unsigned *got)
{
	bool all = true;

	for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c != NULL; c = CMSG_NXTHDR(m, c)) {
		size_t n;

		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		for (size_t i = 0; i < n; i++) {
			int fd;

			memcpy(&fd, CMSG_DATA(c) + i * sizeof fd, sizeof fd);
			if (*got < room) {
				fds[(*got)++] = fd;
			} else {
				(void)host_close(fd);
				all = false;
			}
		}
	}
	return all;
}

int64_t
wire_recv(int sock, void *buf, size_t cap, int *fds, unsigned *nfds)
{
	struct iovec iov = { .iov_base = buf, .iov_len = cap };
	union control_room room;
	struct msghdr m = {
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = room.buf, .msg_controllen = sizeof room.buf,
	};
	unsigned want = nfds ? *nfds : 0, got = 0;
	bool whole;
	int64_t n;

	if (nfds)
		*nfds = 0;
	do {
		n = host_recvmsg(sock, &m, MSG_CMSG_CLOEXEC);
	} while (n == -EINTR);
	/* The host has written neither m nor the room then: there is nothing to take descriptors from. */
	if (n < 0)
		return n == -ECONNRESET ? 0 : n;
	whole = take_fds(&m, fds, want, &got);
	if (!whole || (m.msg_flags & (MSG_TRUNC | MSG_CTRUNC))) {
		for (unsigned i = 0; i < got; i++)
			(void)host_close(fds[i]);
		return -EBADMSG;
	}
	if (nfds)
		*nfds = got;
	return n;
}
