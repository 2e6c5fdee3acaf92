/*
 * remote_rpc: requests to the gofer, one at a time.
 *
 * The reply is as hostile as any input: its tag, length and descriptors are checked before
 * anybody looks at it.  Requests and replies are small and the gofer answers at once, so one lock
 * and one pair of buffers serve all threads for now.
 */
#include <string.h>

#include "base/hostcall.h"
#include "base/kmem.h"
#include "base/log.h"
#include "fs/fs.h"
#include "fs/remote.h"

static void
lost(void)
{
	log_error("gofer", "the gofer is gone: the sandbox ends");
	host_exit(1);
}

void (*remote_lost)(void) = lost;

static struct {
	struct mutex	mu;		/* rank gofer */
	int		sock;		/* [I] */
	uint32_t	tag;		/* [m] of the last request */
	char		*buf;		/* [m] GOFER_MSG_MAX bytes, request and reply */
	uint32_t	nclunks;	/* [m] */
	uint32_t	clunks[GOFER_CLUNK_MAX];
} conn = { .mu = MUTEX_INIT(RANK_gofer), .sock = -1 };

int
remote_boot(int sock, unsigned nmounts)
{
	(void)nmounts;
	conn.sock = sock;
	conn.tag = 0;
	conn.nclunks = 0;
	if (conn.buf == NULL)
		conn.buf = mem_alloc(GOFER_MSG_MAX);
	return conn.buf ? 0 : -ENOMEM;
}

static void
close_all(const int *fds, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		(void)host_close(fds[i]);
}

static int
exchange_locked(struct remote_io *io, size_t len)
{
	struct gofer_head head;
	int fds[WIRE_FDS];
	unsigned nfds = WIRE_FDS;
	int64_t n;
	int err = wire_send(conn.sock, conn.buf, len, NULL, 0);

	if (err) {
		remote_lost();
		return -EIO;
	}
	do
		n = wire_recv(conn.sock, conn.buf, GOFER_MSG_MAX, fds, &nfds);
	while (n == -EINTR);
	if (n == 0 || n == -EPIPE || n == -ECONNRESET) {
		remote_lost();
		return -EIO;
	}
	if (n < 0)
		return -EIO;
	if ((size_t)n < sizeof head)
		goto bad;
	memcpy(&head, conn.buf, sizeof head);
	if (head.tag != conn.tag || head.op > 4095)
		goto bad;
	if (head.op != 0) {
		close_all(fds, nfds);
		/* Nothing inside restarts because of what the gofer says. */
		return head.op >= 512 ? -EIO : -(int)head.op;
	}
	if ((size_t)n < io->rep_fixed || (size_t)n > io->rep_cap || nfds != (io->want_fd ? 1 : 0))
		goto bad;
	memcpy(io->rep, conn.buf, (size_t)n);
	io->rep_len = (size_t)n;
	if (io->want_fd)
		io->fd = fds[0];
	return 0;
bad:
	close_all(fds, nfds);
	log_warn("gofer", "malformed reply");
	return -EIO;
}

static int
call_locked(enum gofer_op op, struct remote_io *io)
{
	struct gofer_head head = { .tag = ++conn.tag, .op = op };
	size_t len = io->req_len;

	memcpy(io->req, &head, sizeof head);
	memcpy(conn.buf, io->req, io->req_len);
	for (unsigned i = 0; i < 2; i++) {
		if (io->text_len[i] > GOFER_MSG_MAX - len)
			return -E2BIG;
		if (io->text_len[i])
			memcpy(conn.buf + len, io->text[i], io->text_len[i]);
		len += io->text_len[i];
	}
	io->fd = -1;
	return exchange_locked(io, len);
}

static void
flush_locked(void)
{
	struct gofer_clunk_req q = { .count = conn.nclunks };
	struct gofer_clunk_rep r;
	struct remote_io io = REMOTE_IO(&q, &r);

	if (conn.nclunks == 0)
		return;
	memcpy(q.fids, conn.clunks, sizeof q.fids);
	conn.nclunks = 0;
	if (call_locked(GOFER_clunk, &io) != 0)
		log_warn("gofer", "clunk failed");
}

int
remote_call(enum gofer_op op, struct remote_io *io)
{
	int err;

	mutex_lock(&conn.mu);
	err = call_locked(op, io);
	if ((err == -ENFILE || err == -EMFILE) && conn.nclunks != 0) {
		flush_locked();
		err = call_locked(op, io);
	}
	mutex_unlock(&conn.mu);
	return err;
}

void
remote_clunk(uint32_t fid)
{
	mutex_lock(&conn.mu);
	if (conn.nclunks == GOFER_CLUNK_MAX)
		flush_locked();
	conn.clunks[conn.nclunks++] = fid;
	mutex_unlock(&conn.mu);
}

void
remote_clunk_flush(void)
{
	mutex_lock(&conn.mu);
	flush_locked();
	mutex_unlock(&conn.mu);
}
