/*
 * serve: takes a request apart, checks it, calls its handler, sends the reply.
 *
 * The sentry on the other side may be in a guest's hands.  It can name only fids that it was
 * given, reach only what lies below a mount's root by single names, and change only writable
 * mounts; whatever else it sends earns an errno.  One thread, one request at a time.
 */
#include "gofer/serve.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "base/hostcall.h"
#include "base/kmem.h"
#include "base/log.h"
#include "gofer/hostfs.h"

enum right { RIGHT_NONE, RIGHT_READ, RIGHT_WRITE };

static const struct {
	const char	*name;
	int		(*fn)(struct call *c);
	uint16_t	 req_size, rep_size;
	enum right	 right;		/* checked on the first field, which is a fid unless NONE */
} calls[GOFER_OP_LIMIT] = {
#define GOFER_CALL(id, name, right, req, rep, what)			\
	[id] = { #name, serve_##name, sizeof(struct gofer_##name##_req),	\
	    sizeof(struct gofer_##name##_rep), RIGHT_##right },
#include "gofer/proto.def"
#undef GOFER_CALL
};

int
call_node(struct call *c, uint32_t fid, bool write, struct gnode **out)
{
	struct gnode *g = node_find(&c->s->nodes, fid);

	if (g == NULL)
		return -EBADF;
	if (write && !c->s->mounts[g->mount].writable)
		return -EROFS;
	*out = g;
	return 0;
}

int
call_text(struct call *c, size_t fixed, uint32_t len, const char **out)
{
	if (c->req_len < fixed || len != c->req_len - fixed)
		return -EBADMSG;
	*out = (const char *)c->req + fixed;
	return 0;
}

int
call_name(const char *text, uint32_t len, char name[GOFER_NAME_MAX + 1])
{
	if (len == 0)
		return -EINVAL;
	if (len > GOFER_NAME_MAX)
		return -ENAMETOOLONG;
	if (memchr(text, '/', len) != NULL || memchr(text, '\0', len) != NULL)
		return -EINVAL;
	if (text[0] == '.' && (len == 1 || (len == 2 && text[1] == '.')))
		return -EINVAL;
	memcpy(name, text, len);
	name[len] = '\0';
	return 0;
}

int
call_dir_name(struct call *c, uint32_t fid, size_t fixed, uint32_t text_len, struct gnode **dir,
    char name[GOFER_NAME_MAX + 1])
{
	const char *text;
	int err = call_node(c, fid, true, dir);

	if (!err && (*dir)->type != S_IFDIR)
		err = -ENOTDIR;
	if (!err)
		err = call_text(c, fixed, text_len, &text);
	return err ? err : call_name(text, text_len, name);
}

int
call_step(int dirfd, const char *name, struct gofer_stat *st)
{
	int fd = hostfs_openat(dirfd, name, O_PATH, 0), err;

	if (fd < 0)
		return fd;
	err = hostfs_stat(fd, st);
	if (err) {
		(void)host_close(fd);
		return err;
	}
	return fd;
}

static int
dispatch(struct call *c, uint32_t op)
{
	struct gnode *g;
	uint32_t fid;

	if (op >= GOFER_OP_LIMIT || calls[op].fn == NULL)
		return -ENOSYS;
	if (c->req_len < calls[op].req_size)
		return -EBADMSG;
	memset(c->rep, 0, calls[op].rep_size);
	c->rep_len = calls[op].rep_size;
	if (calls[op].right != RIGHT_NONE) {
		int err;

		memcpy(&fid, (const char *)c->req + sizeof(struct gofer_head), sizeof fid);
		err = call_node(c, fid, calls[op].right == RIGHT_WRITE, &g);
		if (err)
			return err;
	}
	return calls[op].fn(c);
}

size_t
server_handle(struct server *s, size_t len, int *fd)
{
	struct gofer_head head = { 0, 0 }, *out = (struct gofer_head *)(void *)s->rep;
	struct call c = { .s = s, .req = s->req, .req_len = len, .rep = s->rep, .fd = -1 };
	int err = -EBADMSG;

	if (len >= sizeof head) {
		memcpy(&head, s->req, sizeof head);
		err = dispatch(&c, head.op);
	}
	if (err) {
		if (c.fd >= 0)
			(void)host_close(c.fd);
		c.fd = -1;
		c.rep_len = sizeof head;
		if (log_level >= LOG_DEBUG)
			log_debug("gofer", "%s: error %d", head.op < GOFER_OP_LIMIT &&
			    calls[head.op].name ? calls[head.op].name : "?", -err);
	}
	out->tag = head.tag;
	out->op = (uint32_t)-err;
	*fd = c.fd;
	return c.rep_len;
}

int
server_init(struct server *s)
{
	int err = nodes_init(&s->nodes);

	if (err)
		return err;
	s->req = mem_alloc(GOFER_MSG_MAX);
	s->rep = mem_alloc(GOFER_MSG_MAX);
	return s->req && s->rep ? 0 : -ENOMEM;
}

void
server_fini(struct server *s)
{
	nodes_fini(&s->nodes);
	mem_free(s->req);
	mem_free(s->rep);
}

int
server_run(struct server *s)
{
	for (;;) {
		int fd = -1, got[WIRE_FDS], err;
		unsigned ngot = WIRE_FDS;
		int64_t n = wire_recv(s->sock, s->req, GOFER_MSG_MAX, got, &ngot);
		size_t len;

		if (n == -EINTR)
			continue;
		if (n == -EBADMSG)
			n = 1;		/* too long: answered like any malformed request */
		else if (n <= 0)
			return (int)n;
		else
			for (unsigned i = 0; i < ngot; i++)
				(void)host_close(got[i]);
		len = server_handle(s, (size_t)n, &fd);
		err = wire_send(s->sock, s->rep, len, &fd, fd >= 0 ? 1 : 0);
		if (fd >= 0)
			(void)host_close(fd);
		if (err)
			return err == -EPIPE ? 0 : err;
	}
}
