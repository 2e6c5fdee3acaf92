/* client: see client.h. The sentry may have been taken over: its answers are checked like anybody's. */
#include "runtime/client.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/json.h"
#include "base/wire.h"

#define INLINE_MAX	32000	/* a longer process description travels in a memfd */
#define PATIENCE_S	5	/* for a place in the sandbox's queue */

static int
open_pair(int pair[2], struct err *err)
{
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0)
		return err_set(err, errno, "cannot make a socket pair");
	return 0;
}

/*
 * to: the datagram socket's address, or NULL when control is connected.  Only a few may queue (net.unix.
 * max_dgram_qlen), so many at once wait their turn.
 */
static int
hand_over(int control, const struct sockaddr_un *to, int end)
{
	union { struct cmsghdr align; char buf[CMSG_SPACE(sizeof(int))]; } room;
	struct iovec iov = { (char[]){ 'c' }, 1 };
	struct timeval limit = { .tv_sec = PATIENCE_S };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1 };
	struct cmsghdr *c;

	memset(&room, 0, sizeof room);
	m.msg_name = (void *)(uintptr_t)to;
	m.msg_namelen = to ? sizeof *to : 0;
	m.msg_control = room.buf;
	m.msg_controllen = sizeof room.buf;
	c = CMSG_FIRSTHDR(&m);
	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof end);
	memcpy(CMSG_DATA(c), &end, sizeof end);
	(void)setsockopt(control, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
	return sendmsg(control, &m, MSG_NOSIGNAL) < 0 ? -errno : 0;
}

static int
connect_by(int control, const struct sockaddr_un *to, struct err *err)
{
	int pair[2], e;

	e = open_pair(pair, err);
	if (e)
		return e;
	e = hand_over(control, to, pair[1]);
	(void)close(pair[1]);
	if (e == 0)
		return pair[0];
	(void)close(pair[0]);
	if (e == -ECONNREFUSED || e == -ENOENT || e == -ENOTCONN)
		return err_set(err, 0, "container not running");
	if (e == -EAGAIN)
		return err_set(err, ETIMEDOUT, "the sandbox does not answer");
	return err_set(err, -e, "cannot reach the sandbox");
}

int
client_open(int control, struct err *err)
{
	return connect_by(control, NULL, err);
}

int
client_open_at(int dir, struct err *err)
{
	AUTO_CLOSE int s = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct sockaddr_un to = { .sun_family = AF_UNIX };

	if (s < 0)
		return err_set(err, errno, "cannot make a socket");
	/* By way of the directory's descriptor: names of any length fit, and nobody can swap the directory. */
	(void)snprintf(to.sun_path, sizeof to.sun_path, "/proc/self/fd/%d/control", dir);
	return connect_by(s, &to, err);
}

static int
send_request(int conn, json_t *req, const int *fds, unsigned nfds)
{
	char *text = json_dumps(req, JSON_COMPACT);
	int e, all[WIRE_FDS];
	AUTO_CLOSE int big = -1;

	if (text == NULL)
		return -ENOMEM;
	if (strlen(text) > INLINE_MAX && nfds < WIRE_FDS) {
		char *process = json_dumps(json_object_get(req, "process"), JSON_COMPACT);
		size_t len = process ? strlen(process) : 0;

		big = memfd_create("village-process", MFD_CLOEXEC);
		if (process == NULL || big < 0 || write(big, process, len) != (ssize_t)len) {
			free(process);
			free(text);
			return -ENOMEM;
		}
		free(process);
		free(text);
		json_object_del(req, "process");
		json_object_set_new(req, "size", json_integer((json_int_t)len));
		text = json_dumps(req, JSON_COMPACT);
		if (text == NULL)
			return -ENOMEM;
		memcpy(all, fds, nfds * sizeof *all);
		all[nfds++] = big;
		fds = all;
	}
	e = wire_send(conn, text, strlen(text), fds, nfds);
	free(text);
	return e;
}

static int
read_reply(const char *text, size_t len, json_t **reply, struct err *err)
{
	struct jread r = { 0 };
	json_t *j = json_read(&r, "reply", text, len);
	const char *why = jget_str(&r, j, "", "error");
	int e = 0;

	if (why) {
		e = err_set(err, 0, "%s", why);
		err->exit = (int)jget_u64(&r, j, "", "exit", 255, 1);
	} else if (r.failed || !jget_bool(&r, j, "", "ok", false)) {
		e = err_set(err, 0, "the sandbox said something strange");
	}
	if (e || reply == NULL)
		json_decref(j);
	else
		*reply = j;
	return e;
}

int
client_call(int conn, json_t *req, const int *fds, unsigned nfds, int seconds, json_t **reply,
    struct err *err)
{
	struct timeval limit = { .tv_sec = seconds };
	char *buf;
	int64_t n;
	int e;

	(void)setsockopt(conn, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
	e = send_request(conn, req, fds, nfds);
	json_decref(req);
	/* The other end may have closed, and said why before. */
	if (e && e != -EPIPE)
		return err_set(err, -e, "cannot send to the sandbox");
	buf = xcalloc(WIRE_MAX, 1);
	n = wire_recv(conn, buf, WIRE_MAX, NULL, NULL);
	/* Closed with our request unread: that comes first, what was said behind it. */
	if (n == -ECONNRESET)
		n = wire_recv(conn, buf, WIRE_MAX, NULL, NULL);
	if (n > 0) {
		e = read_reply(buf, (size_t)n, reply, err);
	} else if (n == 0 || n == -ECONNRESET) {
		(void)err_set(err, 0, "container not running");
		e = -ECONNRESET;
	} else if (n == -EAGAIN) {
		e = err_set(err, ETIMEDOUT, "the sandbox does not answer");
	} else {
		e = err_set(err, (int)-n, "cannot receive from the sandbox");
	}
	free(buf);
	return e;
}
