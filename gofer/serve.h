/* serve: answers requests on a socket until the peer is gone. */
#ifndef GOFER_SERVE_H
#define GOFER_SERVE_H

#include "gofer/node.h"

struct gofer_mount {
	int	fd;		/* O_PATH of its root */
	bool	writable;
};

struct server {
	int		sock;
	struct nodes	nodes;
	unsigned	nmounts;
	struct gofer_mount mounts[GOFER_MOUNT_MAX];
	char		*req, *rep;	/* GOFER_MSG_MAX bytes each */
};

/* The caller fills sock, nmounts, mounts. */
int server_init(struct server *s) MUST_CHECK;
void server_fini(struct server *s);
/* One request in s->req, len bytes of it: the reply is in s->rep. Its length; *fd to donate, or -1 (the caller closes it). */
size_t server_handle(struct server *s, size_t len, int *fd);
/* 0 when the peer closed, else -errno. */
int server_run(struct server *s) MUST_CHECK;

/* serve_*.c: one handler per row of proto.def. */
struct call {
	struct server	*s;
	const void	*req;		/* whole message, at least the fixed part */
	size_t		 req_len;
	void		*rep;		/* zeroed fixed part */
	size_t		 rep_len;	/* what will be sent: the fixed part unless changed */
	int		 fd;		/* to donate, or -1 */
};

#define GOFER_CALL(id, name, right, req, rep, what) int serve_##name(struct call *c);
#include "gofer/proto.def"
#undef GOFER_CALL

/* The node of a fid, checked for the right: -EBADF, -EROFS. */
int call_node(struct call *c, uint32_t fid, bool write, struct gnode **out) MUST_CHECK;
/* The text after the fixed request: exactly len bytes; -EBADMSG. */
int call_text(struct call *c, size_t fixed, uint32_t len, const char **out) MUST_CHECK;
/* Copies a component out of text, checked: -EINVAL, -ENAMETOOLONG. */
int call_name(const char *text, uint32_t len, char name[GOFER_NAME_MAX + 1]) MUST_CHECK;
/* A directory's fid and one name as the whole text: the usual start of a change. */
int call_dir_name(struct call *c, uint32_t fid, size_t fixed, uint32_t text_len, struct gnode **dir,
    char name[GOFER_NAME_MAX + 1]) MUST_CHECK;
/* Walks one step: an O_PATH descriptor and attributes of what name is. */
int call_step(int dirfd, const char *name, struct gofer_stat *st) MUST_CHECK;

#define CALL_TEXT(c, req, len, out)	call_text((c), sizeof *(req), (len), (out))

#endif
