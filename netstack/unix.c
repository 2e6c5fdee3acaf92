/*
 * unix: AF_UNIX sockets: names, connections, ends.  unix(7).
 *
 * A connection is two endpoints that count each other until either is closed.  A path's node points
 * at the endpoint bound to it without counting it; the endpoint holds the path and takes the pointer back when
 * it goes.  Two endpoints are locked together only by mutex_lock_pair.
 */
#include "netstack/unix.h"

#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/kmem.h"
#include "sentry/kernel/task.h"
#include "sentry/vfs/dentry.h"
#include "sentry/vfs/mount.h"
#include "sentry/vfs/name.h"

KMEM_CACHE(unix_sock);

static const struct sock_ops unix_ops;

/* ---- abstract names -------------------------------------------------------------- */

static int
addr_cmp(const struct sockaddr_buf *a, const struct sockaddr_buf *b)
{
	if (a->len != b->len)
		return a->len < b->len ? -1 : 1;
	return memcmp(a->bytes, b->bytes, a->len);
}

static int
name_cmp(const struct tree_node *a, const struct tree_node *b)
{
	return addr_cmp(&container_of(a, struct unix_sock, name_node)->addr,
	    &container_of(b, struct unix_sock, name_node)->addr);
}

static int
name_key(const void *key, const struct tree_node *n)
{
	return addr_cmp(key, &container_of(n, struct unix_sock, name_node)->addr);
}

static struct mutex names_mu = MUTEX_INIT(RANK_peer);
static struct tree names = { .cmp = name_cmp };

/* ---- life --------------------------------------------------------------------------- */

void
unix_ucred_of(struct task *t, struct abi_ucred *out)
{
	struct cred *c = task_cred(t);

	*out = (struct abi_ucred){ .pid = t->process->pid, .uid = c->euid, .gid = c->egid };
}

static struct unix_sock *
unix_alloc(struct task *t, int32_t type)
{
	struct unix_sock *u = obj_new(unix_sock);

	if (u == NULL)
		return NULL;
	sock_init(&u->sock, &unix_ops, ABI_AF_UNIX, type, 0);
	list_init(&u->queue);
	list_init(&u->backlog);
	list_init(&u->backlog_link);
	list_init(&u->want_link);
	list_init(&u->flight_link);
	list_init(&u->todo_link);
	u->backlog_max = 10;		/* datagrams that may wait: net.unix.max_dgram_qlen */
	u->peer_cred = (struct abi_ucred){ .pid = 0, .uid = UINT32_MAX, .gid = UINT32_MAX };
	if (t != NULL)
		unix_ucred_of(t, &u->cred);
	return u;
}

int
unix_new(struct task *t, int32_t type, int32_t protocol, struct sock **out)
{
	struct unix_sock *u;

	if (protocol != 0 && protocol != ABI_AF_UNIX)
		return -EPROTONOSUPPORT;
	if (type == ABI_SOCK_RAW)
		type = ABI_SOCK_DGRAM;	/* as Linux has it since BSD days */
	if (type != ABI_SOCK_STREAM && type != ABI_SOCK_DGRAM && type != ABI_SOCK_SEQPACKET)
		return -ESOCKTNOSUPPORT;
	u = unix_alloc(t, type);
	if (u == NULL)
		return -ENOMEM;
	*out = &u->sock;
	return 0;
}

int
unix_pair(struct task *t, int32_t type, int32_t protocol, struct sock *out[2])
{
	struct sock *a, *b;
	int err = unix_new(t, type, protocol, &a);

	if (err)
		return err;
	err = unix_new(t, type, protocol, &b);
	if (err) {
		sock_put(a);
		return err;
	}
	unix_of(a)->peer = unix_of(sock_get(b));
	unix_of(b)->peer = unix_of(sock_get(a));
	unix_of(a)->state = unix_of(b)->state = UNIX_CONNECTED;
	unix_of(a)->peer_cred = unix_of(b)->cred;
	unix_of(b)->peer_cred = unix_of(a)->cred;
	out[0] = a;
	out[1] = b;
	return 0;
}

static void
unix_free(struct sock *sk)
{
	struct unix_sock *u = unix_of(sk);
	struct unix_msg *m, *next;

	list_for_each_safe(m, next, &u->queue, link) {
		list_remove(&m->link);
		unix_msg_free(m);
	}
	mutex_fini(&sk->mu);
	obj_free(unix_sock, u);
}

static void
drop_name(struct unix_sock *u)
{
	struct path path;
	bool named;

	mutex_lock(&u->sock.mu);
	path = u->path;
	u->path = (struct path){ NULL, NULL };
	named = u->in_names;
	u->in_names = false;
	mutex_unlock(&u->sock.mu);
	if (named) {
		mutex_lock(&names_mu);
		tree_remove(&names, &u->name_node);
		mutex_unlock(&names_mu);
	}
	if (path.dentry != NULL) {
		struct inode *i = dentry_inode(path.dentry);

		mutex_lock(&i->mu);
		if (i->endpoint == u)
			i->endpoint = NULL;
		mutex_unlock(&i->mu);
		path_put(&path);
	}
}

/* The other end learns that u is gone: end of file, or a reset when u left data unread. */
static void
part(struct unix_sock *u, struct unix_sock *peer, bool unread)
{
	struct unix_sock *back = NULL;

	mutex_lock(&peer->sock.mu);
	if (peer->peer == u) {
		back = peer->peer;
		peer->peer = NULL;
		peer->peer_gone = true;
		peer->gone_addr = u->addr;
		if (unread && peer->sock.type != ABI_SOCK_DGRAM)
			peer->sock.error = ECONNRESET;
	}
	mutex_unlock(&peer->sock.mu);
	waitq_wake(&peer->sock.wq, 0);
	if (back != NULL)
		sock_put(&back->sock);
}

static void
unix_close(struct sock *sk)
{
	struct unix_sock *u = unix_of(sk), *peer, *c;
	struct list pending = LIST_INIT(pending), queue = LIST_INIT(queue);
	struct unix_msg *m, *next;
	bool unread, listened;

	drop_name(u);
	mutex_lock(&sk->mu);
	u->closed = true;
	peer = steal(&u->peer);
	listened = u->state == UNIX_LISTENING;
	unread = !list_empty(&u->queue);
	list_splice_back(&pending, &u->backlog);
	list_splice_back(&queue, &u->queue);
	u->queued = u->nqueued = 0;
	mutex_unlock(&sk->mu);
	waitq_wake(&sk->wq, 0);
	if (listened)
		waitq_wake(&unix_space_wq, 0);
	unix_room_forget(u);
	if (u->sock.type == ABI_SOCK_DGRAM)
		unix_room_made();
	if (peer != NULL) {
		part(u, peer, unread);
		sock_put(&peer->sock);
	}
	/* Connections that nobody will accept. */
	while ((c = list_first(&pending, struct unix_sock, backlog_link)) != NULL) {
		list_remove(&c->backlog_link);
		unix_close(&c->sock);
		sock_put(&c->sock);
	}
	/* Messages may hold the last reference to other sockets: they go with no lock held. */
	list_for_each_safe(m, next, &queue, link) {
		list_remove(&m->link);
		unix_msg_free(m);
	}
	flight_step();
}

/* ---- addresses ------------------------------------------------------------------------ */

/* Checks the form: 0, and *path for a file name (NUL-terminated, cap UNIX_PATH_MAX + 1), or *abstract. */
static int
parse_addr(const struct sockaddr_buf *a, char *path, bool *abstract)
{
	uint16_t family;

	if (a->len < sizeof family || a->len > sizeof(struct sockaddr_un))
		return -EINVAL;
	memcpy(&family, a->bytes, sizeof family);
	if (family != ABI_AF_UNIX)
		return -EINVAL;
	*abstract = a->len > sizeof family && a->bytes[2] == '\0';
	memcpy(path, a->bytes + 2, a->len - 2);
	path[a->len - 2] = '\0';
	return 0;
}

static int
find_by_path(struct task *t, const char *name, int32_t type, struct unix_sock **out)
{
	struct sock *sk = NULL;
	struct inode *i;
	struct path p;
	int err = path_walk(t, AT_FDCWD, name, WALK_FOLLOW, &p);

	if (err)
		return err;
	i = dentry_inode(p.dentry);
	err = inode_permission(t, i, MAY_WRITE);
	if (!err && i->type != S_IFSOCK)
		err = -ECONNREFUSED;
	if (!err) {
		mutex_lock(&i->mu);
		sk = sock_tryget(i->endpoint ? &((struct unix_sock *)i->endpoint)->sock : NULL);
		mutex_unlock(&i->mu);
		if (sk == NULL)
			err = -ECONNREFUSED;
	}
	path_put(&p);
	if (!err && sk->type != type) {
		sock_put(sk);
		err = -EPROTOTYPE;
	}
	if (!err)
		*out = unix_of(sk);
	return err;
}

int
unix_find(struct task *t, const struct sockaddr_buf *addr, int32_t type, struct unix_sock **out)
{
	char path[sizeof(struct sockaddr_un) + 1];
	struct tree_node *n;
	struct sock *sk = NULL;
	bool abstract;
	int err = parse_addr(addr, path, &abstract);

	if (err)
		return err;
	if (!abstract)
		return find_by_path(t, path, type, out);
	mutex_lock(&names_mu);
	n = tree_find(&names, addr, name_key);
	if (n != NULL)
		sk = sock_tryget(&container_of(n, struct unix_sock, name_node)->sock);
	mutex_unlock(&names_mu);
	if (sk == NULL)
		return -ECONNREFUSED;
	if (sk->type != type) {
		sock_put(sk);
		return -EPROTOTYPE;
	}
	*out = unix_of(sk);
	return 0;
}

/* Enters u in the table of abstract names as addr. */
static int
bind_abstract(struct unix_sock *u, const struct sockaddr_buf *addr)
{
	int err;

	mutex_lock(&u->sock.mu);
	if (u->addr.len != 0) {
		mutex_unlock(&u->sock.mu);
		return -EINVAL;
	}
	u->addr = *addr;
	mutex_lock(&names_mu);
	err = tree_insert(&names, &u->name_node);
	mutex_unlock(&names_mu);
	u->in_names = !err;
	if (err)
		u->addr.len = 0;
	mutex_unlock(&u->sock.mu);
	return err ? -EADDRINUSE : 0;
}

/* A name of five hex digits that nobody has. */
static int
autobind(struct unix_sock *u)
{
	static _Atomic uint32_t next;
	uint16_t family = ABI_AF_UNIX;

	for (int tries = 0; tries < 0x100000; tries++) {
		struct sockaddr_buf a = { .len = 8 };
		int err;

		memcpy(a.bytes, &family, 2);
		snprintf((char *)a.bytes + 3, 6, "%05x", atomic_fetch_add(&next, 1) & 0xfffff);
		err = bind_abstract(u, &a);
		if (err != -EADDRINUSE)
			return err;
	}
	return -ENOSPC;
}

/* Gives u its address, the only one it will have: of two binds at once one comes too late. */
static int
take_addr(struct unix_sock *u, const struct sockaddr_buf *addr, const char *name)
{
	int err = 0;

	mutex_lock(&u->sock.mu);
	if (u->addr.len != 0) {
		err = -EINVAL;
	} else {
		u->addr = *addr;
		/* getsockname shows the name with its NUL. */
		u->addr.len = 2 + (uint32_t)strlen(name) + 1;
		u->addr.bytes[u->addr.len - 1] = '\0';
	}
	mutex_unlock(&u->sock.mu);
	return err;
}

static int
bind_path(struct unix_sock *u, struct task *t, const struct sockaddr_buf *addr, const char *name)
{
	AUTO_PUT(dentry) made = NULL;
	AUTO_PUT(fsinfo) fs = task_fs_get(t);
	char last[NAME_LIMIT + 1];
	enum last_kind kind;
	struct path dir;
	struct inode *i;
	bool slash;
	uint32_t mode = S_IFSOCK | (0777 & ~(fs ? atomic_load(&fs->umask) : 0));
	int err = path_walk_parent(t, AT_FDCWD, name, 0, &dir, last, &kind, &slash);

	if (err)
		return err;
	err = kind != LAST_NORMAL ? -EEXIST : slash ? -ENOENT : take_addr(u, addr, name);
	if (!err) {
		err = name_create_in(t, &dir, last, mode, 0, NULL, &made);
		if (err) {
			mutex_lock(&u->sock.mu);
			u->addr.len = 0;
			mutex_unlock(&u->sock.mu);
		}
	}
	if (err) {
		path_put(&dir);
		return err == -EEXIST ? -EADDRINUSE : err;
	}
	i = dentry_inode(made);
	mutex_lock(&i->mu);
	i->endpoint = u;
	mutex_unlock(&i->mu);
	mutex_lock(&u->sock.mu);
	u->path = (struct path){ .mnt = mount_get(dir.mnt), .dentry = steal(&made) };
	mutex_unlock(&u->sock.mu);
	path_put(&dir);
	return 0;
}

static int
unix_bind(struct sock *sk, struct task *t, const struct sockaddr_buf *addr)
{
	struct unix_sock *u = unix_of(sk);
	char name[sizeof(struct sockaddr_un) + 1];
	bool abstract, bound;
	int err = parse_addr(addr, name, &abstract);

	if (err)
		return err;
	mutex_lock(&sk->mu);
	bound = u->addr.len != 0;
	mutex_unlock(&sk->mu);
	if (addr->len == 2)
		return bound ? 0 : autobind(u);
	if (abstract)
		return bound ? -EINVAL : bind_abstract(u, addr);
	if (bound) {
		struct path p;

		/* Linux makes the node first. */
		err = path_walk(t, AT_FDCWD, name, 0, &p);
		if (err)
			return err == -ENOENT ? -EINVAL : err;
		path_put(&p);
		return -EADDRINUSE;
	}
	return bind_path(u, t, addr, name);
}

static int
unix_getname(struct sock *sk, struct task *t, bool peer, struct sockaddr_buf *out)
{
	struct unix_sock *u = unix_of(sk), *who = u;
	uint16_t family = ABI_AF_UNIX;
	bool gone = false;

	(void)t;
	if (peer) {
		mutex_lock(&sk->mu);
		who = u->peer ? unix_of(sock_get(&u->peer->sock)) : NULL;
		gone = who == NULL && u->peer_gone && sk->type != ABI_SOCK_DGRAM;
		*out = u->gone_addr;
		mutex_unlock(&sk->mu);
		if (who == NULL && !gone)
			return -ENOTCONN;
	}
	if (!gone) {
		mutex_lock(&who->sock.mu);
		*out = who->addr;
		mutex_unlock(&who->sock.mu);
	}
	if (peer && !gone)
		sock_put(&who->sock);
	if (out->len == 0) {
		memcpy(out->bytes, &family, sizeof family);
		out->len = sizeof family;
	}
	return 0;
}

/* ---- connections ------------------------------------------------------------------------ */

bool
unix_listening(struct sock *sk)
{
	bool yes;

	mutex_lock(&sk->mu);
	yes = unix_of(sk)->state == UNIX_LISTENING;
	mutex_unlock(&sk->mu);
	return yes;
}

void
unix_peercred(struct sock *sk, struct abi_ucred *out)
{
	mutex_lock(&sk->mu);
	*out = unix_of(sk)->peer_cred;
	mutex_unlock(&sk->mu);
}

static int
unix_listen(struct sock *sk, struct task *t, int32_t backlog)
{
	struct unix_sock *u = unix_of(sk);
	int err = 0;

	if (sk->type == ABI_SOCK_DGRAM)
		return -EOPNOTSUPP;
	mutex_lock(&sk->mu);
	if (u->addr.len == 0 || u->state == UNIX_CONNECTED) {
		err = -EINVAL;
	} else {
		u->state = UNIX_LISTENING;
		u->backlog_max = (uint32_t)backlog > 4096 ? 4096 : (uint32_t)backlog;
		unix_ucred_of(t, &u->cred);
	}
	mutex_unlock(&sk->mu);
	waitq_wake(&sk->wq, 0);
	return err;
}

/* A datagram socket only remembers where to send; AF_UNSPEC forgets. */
static int
connect_datagram(struct unix_sock *u, struct task *t, const struct sockaddr_buf *addr)
{
	struct unix_sock *to = NULL, *old;
	uint16_t family = 0;
	int err = 0;

	memcpy(&family, addr->bytes, min(addr->len, 2U));
	if (family != ABI_AF_UNSPEC) {
		err = unix_find(t, addr, ABI_SOCK_DGRAM, &to);
		if (!err) {
			mutex_lock(&to->sock.mu);
			if (to->peer != NULL && to->peer != u)
				err = -EPERM;
			mutex_unlock(&to->sock.mu);
		}
	}
	if (err) {
		if (to != NULL)
			sock_put(&to->sock);
		return err;
	}
	mutex_lock(&u->sock.mu);
	old = u->peer;
	u->peer = to;
	u->state = to ? UNIX_CONNECTED : UNIX_IDLE;
	mutex_unlock(&u->sock.mu);
	/* Whom it talks to has no limit here any more. */
	unix_room_made();
	if (old != NULL)
		sock_put(&old->sock);
	waitq_wake(&u->sock.wq, 0);
	return 0;
}

/* Queues `ours`, the far end of u's connection, with the listener. */
static int
offer(struct unix_sock *listener, struct unix_sock *u, struct unix_sock *ours)
{
	int err = 0;

	mutex_lock_pair(&listener->sock.mu, &u->sock.mu);
	if (listener == u || listener->state != UNIX_LISTENING || listener->closed || listener->rd_shut)
		err = -ECONNREFUSED;
	else if (u->state == UNIX_CONNECTED)
		err = -EISCONN;
	else if (u->state == UNIX_LISTENING)
		err = -EINVAL;
	else if (listener->backlog_len > listener->backlog_max)
		err = -EAGAIN;
	if (!err) {
		ours->peer = unix_of(sock_get(&u->sock));
		ours->state = u->state = UNIX_CONNECTED;
		ours->addr = listener->addr;
		ours->peer_cred = u->cred;
		u->peer = unix_of(sock_get(&ours->sock));
		u->peer_cred = listener->cred;
		list_push_back(&listener->backlog, &ours->backlog_link);
		sock_get(&ours->sock);
		listener->backlog_len++;
	}
	mutex_unlock_pair(&listener->sock.mu, &u->sock.mu);
	return err;
}

static int
unix_connect(struct sock *sk, struct task *t, const struct sockaddr_buf *addr)
{
	struct unix_sock *u = unix_of(sk), *listener = NULL, *ours;
	int err;

	if (sk->type == ABI_SOCK_DGRAM)
		return connect_datagram(u, t, addr);
	err = unix_find(t, addr, sk->type, &listener);
	if (err)
		return err;
	ours = unix_alloc(NULL, sk->type);
	if (ours == NULL) {
		sock_put(&listener->sock);
		return -ENOMEM;
	}
	mutex_lock(&sk->mu);
	unix_ucred_of(t, &u->cred);
	mutex_unlock(&sk->mu);
	err = offer(listener, u, ours);
	if (!err) {
		waitq_wake(&listener->sock.wq, POLLIN | POLLRDNORM);
		waitq_wake(&sk->wq, 0);
	}
	sock_put(&ours->sock);
	sock_put(&listener->sock);
	return err;
}

static int
unix_accept(struct sock *sk, struct task *t, struct sock **out)
{
	struct unix_sock *u = unix_of(sk), *c;
	int err = 0;

	(void)t;
	if (sk->type == ABI_SOCK_DGRAM)
		return -EOPNOTSUPP;
	mutex_lock(&sk->mu);
	c = list_first(&u->backlog, struct unix_sock, backlog_link);
	if (u->state != UNIX_LISTENING) {
		err = -EINVAL;
	} else if (c == NULL) {
		err = u->rd_shut ? -EINVAL : -EAGAIN;
	} else {
		list_remove(&c->backlog_link);
		u->backlog_len--;
		*out = &c->sock;
	}
	mutex_unlock(&sk->mu);
	/* Room for a waiting connect. */
	if (!err)
		waitq_wake(&unix_space_wq, 0);
	return err;
}

static int
unix_shutdown(struct sock *sk, struct task *t, int how)
{
	struct unix_sock *u = unix_of(sk), *peer;
	bool rd = how != ABI_SHUT_WR, wr = how != ABI_SHUT_RD;

	(void)t;
	mutex_lock(&sk->mu);
	if (u->state == UNIX_IDLE && sk->type != ABI_SOCK_DGRAM) {
		mutex_unlock(&sk->mu);
		return -ENOTCONN;
	}
	u->rd_shut |= rd;
	u->wr_shut |= wr;
	peer = u->peer && sk->type != ABI_SOCK_DGRAM ? unix_of(sock_get(&u->peer->sock)) : NULL;
	mutex_unlock(&sk->mu);
	if (peer != NULL) {
		mutex_lock(&peer->sock.mu);
		peer->rd_shut |= wr;
		peer->wr_shut |= rd;
		mutex_unlock(&peer->sock.mu);
		waitq_wake(&peer->sock.wq, 0);
		sock_put(&peer->sock);
	}
	waitq_wake(&sk->wq, 0);
	return 0;
}

static uint32_t
unix_ready(struct sock *sk)
{
	struct unix_sock *u = unix_of(sk), *peer;
	bool wr_open, full = false;
	uint32_t got = 0;

	mutex_lock(&sk->mu);
	if (u->state == UNIX_LISTENING) {
		got = list_empty(&u->backlog) ? 0 : POLLIN | POLLRDNORM;
		mutex_unlock(&sk->mu);
		return got;
	}
	if (sk->error)
		got |= POLLERR;
	if (!list_empty(&u->queue) || u->rd_shut || u->peer_gone)
		got |= POLLIN | POLLRDNORM;
	if (u->rd_shut || u->peer_gone)
		got |= POLLRDHUP;
	if ((u->rd_shut && u->wr_shut) || u->peer_gone)
		got |= POLLHUP;
	if (u->state != UNIX_CONNECTED && sk->type != ABI_SOCK_DGRAM)
		got |= POLLHUP;
	wr_open = !u->wr_shut && !u->peer_gone;
	peer = sk->type == ABI_SOCK_DGRAM && u->peer != NULL ? unix_of(sock_get(&u->peer->sock)) : NULL;
	mutex_unlock(&sk->mu);
	if (peer != NULL) {
		mutex_lock(&peer->sock.mu);
		full = unix_queue_full(peer, u);
		mutex_unlock(&peer->sock.mu);
		sock_put(&peer->sock);
	}
	if (!wr_open || (unix_writable(u) && !full))
		got |= POLLOUT | POLLWRNORM;
	return got;
}

static uint64_t
unix_pending(struct sock *sk, bool out)
{
	struct unix_sock *u = unix_of(sk);
	uint64_t n;

	if (out)
		return atomic_load(&u->unread);
	mutex_lock(&sk->mu);
	if (sk->type == ABI_SOCK_STREAM) {
		n = u->queued;
	} else {
		struct unix_msg *m = list_first(&u->queue, struct unix_msg, link);

		n = m ? m->len : 0;
	}
	mutex_unlock(&sk->mu);
	return n;
}

static const struct sock_ops unix_ops = {
	.bind = unix_bind,
	.listen = unix_listen,
	.connect = unix_connect,
	.accept = unix_accept,
	.send = unix_send,
	.recv = unix_recv,
	.shutdown = unix_shutdown,
	.getname = unix_getname,
	.ready = unix_ready,
	.pending = unix_pending,
	.close = unix_close,
	.free = unix_free,
};
