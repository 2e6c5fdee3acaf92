/*
 * unix_msg: data through AF_UNIX sockets.  unix(7), send(2), recv(2).
 *
 * A sender copies from its guest with no lock held, then appends to the receiver's queue; a receiver unlinks or
 * reserves under its lock and copies after.
 *
 * What a socket has sent and nobody has read yet is charged to it, as Linux counts it: data and what goes with it,
 * in pieces of Linux' sizes.  Below SO_SNDBUF it may send more; one that waits is woken only when three quarters are
 * free again, so that the two sides take turns in large steps.
 */
#include <poll.h>
#include <string.h>

#include "base/kmem.h"
#include "netstack/unix.h"
#include "sentry/kernel/task.h"

/* How Linux lays out a socket buffer: a head from kmalloc, the rest in pages. */
#define SKB_STRUCT	256ULL		/* struct sk_buff */
#define SKB_INFO	320ULL		/* struct skb_shared_info, at the end of the head */
#define SKB_HEAD_MIN	512ULL
#define SKB_PAGE_HEAD	(PAGE_SIZE - SKB_INFO)		/* data in a head of one page: a piece of a stream */
#define SKB_MAX_HEAD	(4 * PAGE_SIZE - SKB_INFO)	/* the largest head: a record */
#define SKB_MAX_PAGES	(17 * PAGE_SIZE)
#define STREAM_CHUNK	(SKB_PAGE_HEAD + 32768)

KMEM_CACHE(unix_msg);
struct waitq unix_space_wq = { .mu = MUTEX_INIT(RANK_waitq), .waiters = LIST_INIT(unix_space_wq.waiters) };

void
unix_msg_free(struct unix_msg *m)
{
	if (m == NULL)
		return;
	if (m->sender != NULL) {
		atomic_fetch_sub(&m->sender->unread, m->charge);
		if (unix_writable(m->sender))
			waitq_wake(&m->sender->sock.wq, POLLOUT | POLLWRNORM | POLLWRBAND);
		sock_put(&m->sender->sock);
	}
	flight_leave(&m->scm);
	scm_fini(&m->scm);
	mem_free(m->data);
	obj_free(unix_msg, m);
}

static void
move_files(struct scm *to, struct scm *from)
{
	to->files = steal(&from->files);
	to->user = steal(&from->user);
	to->nfiles = from->nfiles;
	from->nfiles = 0;
}

static bool
is_stream(const struct sock *sk)
{
	return sk->type == ABI_SOCK_STREAM;
}

static bool
has_room(struct unix_sock *u)
{
	return atomic_load(&u->unread) < atomic_load_explicit(&u->sock.sndbuf, memory_order_relaxed);
}

bool
unix_writable(struct unix_sock *u)
{
	return atomic_load(&u->unread) * 4 <= atomic_load_explicit(&u->sock.sndbuf, memory_order_relaxed);
}

/* What Linux charges for a piece of len bytes. */
static uint64_t
charge_of(bool stream, uint64_t len)
{
	uint64_t most = stream ? SKB_PAGE_HEAD : SKB_MAX_HEAD, pages = 0, head, size = SKB_HEAD_MIN;

	if (len > most) {
		pages = page_up(min(len - most, SKB_MAX_PAGES));
		pages = min(pages, len);
	}
	head = round_up(len - pages, 64) + SKB_INFO;
	while (size < head)
		size *= 2;
	return SKB_STRUCT + size + page_up(pages);
}

/* How much of len bytes makes the next piece of a stream. */
static uint64_t
piece_of(const struct unix_sock *u, uint64_t len)
{
	uint64_t most = atomic_load_explicit(&u->sock.sndbuf, memory_order_relaxed) / 2 - 64;

	most = min(most, STREAM_CHUNK);
	return min(len, most);
}

/* Where a send goes: the peer, or the named one. Counted. */
static int
find_destination(struct unix_sock *u, struct task *t, struct sock_send *s, struct unix_sock **out)
{
	int err = 0;

	if (s->to != NULL && s->to->len > 0) {
		if (u->sock.type != ABI_SOCK_DGRAM)
			return u->state == UNIX_CONNECTED ? -EISCONN : -EOPNOTSUPP;
		return unix_find(t, s->to, ABI_SOCK_DGRAM, out);
	}
	mutex_lock(&u->sock.mu);
	if (u->sock.type == ABI_SOCK_DGRAM && u->peer_gone && !u->wr_shut) {
		u->peer_gone = false;	/* told once; then there is no destination */
		err = -ECONNREFUSED;
	} else if (u->wr_shut || u->peer_gone) {
		err = -EPIPE;
	} else if (u->sock.error) {
		err = -u->sock.error;
		u->sock.error = 0;
	} else if (u->peer == NULL) {
		err = -ENOTCONN;
	} else {
		*out = unix_of(sock_get(&u->peer->sock));
	}
	mutex_unlock(&u->sock.mu);
	return err;
}

static struct unix_msg *
make_msg(struct unix_sock *u, struct iobuf *data, uint64_t len, int *err)
{
	struct unix_msg *m = obj_new(unix_msg);
	int64_t n = 0;

	if (m == NULL || (m->data = mem_alloc_dirty(len ? len : 1)) == NULL) {
		obj_free(unix_msg, m);
		*err = -ENOMEM;
		return NULL;
	}
	list_init(&m->link);
	if (len > 0)
		n = iob_get(data, m->data, len);
	if (n < 0 || (uint64_t)n < len) {
		if (n > 0)
			iob_revert(data, (uint64_t)n);
		unix_msg_free(m);
		*err = -EFAULT;
		return NULL;
	}
	m->len = len;
	m->charge = (uint32_t)charge_of(is_stream(&u->sock), len);
	m->sender = unix_of(sock_get(&u->sock));
	atomic_fetch_add(&u->unread, m->charge);
	return m;
}

/* ---- room in the queues of datagram sockets ------------------------------------------------- */

/*
 * Who found a queue full, whichever it was: with room in any of them all are woken and taken off, and those for
 * whom there is none come again.  So each costs whoever makes room as much as it has cost itself, and no more.
 */
static struct list wanting = LIST_INIT(wanting);
static struct mutex room_mu = MUTEX_INIT(RANK_peer);

bool
unix_queue_full(struct unix_sock *to, struct unix_sock *from)
{
	if (to->closed || to == from || to->peer == from || to->nqueued <= to->backlog_max)
		return false;
	mutex_lock(&room_mu);
	if (list_empty(&from->want_link))
		list_push_back(&wanting, &from->want_link);
	mutex_unlock(&room_mu);
	return true;
}

void
unix_room_made(void)
{
	struct unix_sock *u;

	mutex_lock(&room_mu);
	while ((u = list_first(&wanting, struct unix_sock, want_link)) != NULL) {
		list_remove(&u->want_link);
		waitq_wake(&u->sock.wq, POLLOUT | POLLWRNORM | POLLWRBAND);
	}
	mutex_unlock(&room_mu);
}

void
unix_room_forget(struct unix_sock *u)
{
	mutex_lock(&room_mu);
	list_remove(&u->want_link);
	mutex_unlock(&room_mu);
}

/*
 * Appends m to `to`'s queue: 0 (m is taken), -EPIPE or -ECONNREFUSED when nobody will read, -EAGAIN when too many
 * datagrams wait there: a sender is charged for its own only, and may be many.  The caller wakes.
 */
static int
deliver(struct unix_sock *from, struct unix_sock *to, struct unix_msg *m)
{
	int err = 0;

	mutex_lock(&to->sock.mu);
	if (to->closed || to->rd_shut)
		err = to->sock.type == ABI_SOCK_DGRAM && to->closed ? -ECONNREFUSED : -EPIPE;
	else if (to->sock.type == ABI_SOCK_DGRAM && to->peer != NULL && to->peer != from)
		err = -EPERM;		/* it talks to someone else only */
	else if (to->sock.type == ABI_SOCK_DGRAM && unix_queue_full(to, from))
		err = -EAGAIN;
	if (!err) {
		list_push_back(&to->queue, &m->link);
		to->queued += m->len;
		to->nqueued++;
	}
	mutex_unlock(&to->sock.mu);
	return err;
}

int64_t
unix_send(struct sock *sk, struct task *t, struct sock_send *s)
{
	struct unix_sock *u = unix_of(sk), *to = NULL;
	uint64_t total = iob_left(s->data);
	int64_t done = 0;
	bool sent = false, files = false;
	int err;

	if (s->flags & ABI_MSG_OOB)
		return -EOPNOTSUPP;
	if (!is_stream(sk) && total > sk->sndbuf - 32)
		return -EMSGSIZE;
	err = find_destination(u, t, s, &to);
	if (err)
		return err;
	do {
		uint64_t len = is_stream(sk) ? piece_of(u, iob_left(s->data)) : total;
		struct unix_msg *m;

		if (is_stream(sk) && len == 0)
			break;
		if (!has_room(u)) {
			err = -EAGAIN;
			break;
		}
		m = make_msg(u, s->data, len, &err);
		if (m == NULL)
			break;
		if (s->scm != NULL && s->scm->has_cred)
			m->scm.cred = s->scm->cred;
		else
			m->scm.cred = (struct abi_ucred){ t->process->pid, task_cred(t)->uid, task_cred(t)->gid };
		m->scm.has_cred = true;
		if (s->scm != NULL && s->scm->nfiles != 0) {
			err = flight_enter(s->scm, t);
			if (err) {
				iob_revert(s->data, m->len);
				unix_msg_free(m);
				break;
			}
			move_files(&m->scm, s->scm);
			files = true;
		}
		if (sk->type == ABI_SOCK_DGRAM)
			m->from = u->addr;
		err = deliver(u, to, m);
		if (err) {
			if (m->scm.nfiles != 0) {
				flight_leave(&m->scm);
				move_files(s->scm, &m->scm);
			}
			iob_revert(s->data, m->len);
			unix_msg_free(m);
			break;
		}
		sent = true;
		done += (int64_t)len;
	} while (is_stream(sk) && iob_left(s->data) > 0);
	/* Once for all pieces: a reader that is woken for the first one sleeps again before the second is there. */
	if (sent)
		waitq_wake(&to->sock.wq, POLLIN | POLLRDNORM);
	sock_put(&to->sock);
	if (files)
		flight_step();
	return done > 0 || !err ? done : err;
}

/* The end of input, as an errno: 0 for end of file. */
static int64_t
empty_result(struct unix_sock *u)
{
	if (u->sock.error) {
		int err = -u->sock.error;

		u->sock.error = 0;
		return err;
	}
	if (u->rd_shut || (u->peer_gone && u->sock.type != ABI_SOCK_DGRAM))
		return 0;
	if (u->sock.type != ABI_SOCK_DGRAM && u->state != UNIX_CONNECTED)
		return u->sock.type == ABI_SOCK_STREAM ? -EINVAL : -ENOTCONN;
	return -EAGAIN;
}

/* Gives the reader the message's ancillary data: moved (it is still in flight), or for a peek counted again. */
static int
give_scm(struct unix_msg *m, struct scm *out, bool peek)
{
	out->cred = m->scm.cred;
	out->has_cred = m->scm.has_cred;
	if (m->scm.nfiles == 0)
		return 0;
	if (!peek) {
		move_files(out, &m->scm);
		return 0;
	}
	out->files = scm_files_new();
	if (out->files == NULL)
		return -ENOMEM;
	for (uint32_t i = 0; i < m->scm.nfiles; i++)
		out->files[i] = file_get(m->scm.files[i]);
	out->nfiles = m->scm.nfiles;
	return 0;
}

/* The socket's lock, to take a message or to look at one: what a look hands out must not upset flight.c. */
static void
recv_lock(struct unix_sock *u, bool peek)
{
	if (peek)
		flight_peek_begin();
	mutex_lock(&u->sock.mu);
}

static void
recv_unlock(struct unix_sock *u, bool peek)
{
	mutex_unlock(&u->sock.mu);
	if (peek)
		flight_peek_end();
}

/* One record: what does not fit is lost. */
static int64_t
recv_record(struct unix_sock *u, struct sock_recv *r)
{
	bool peek = r->flags & ABI_MSG_PEEK;
	AUTO_FREE uint8_t *copy = NULL;
	struct unix_msg *m;
	bool room = false;
	uint64_t len, want;
	int64_t n = 0;

	recv_lock(u, peek);
	m = list_first(&u->queue, struct unix_msg, link);
	if (m == NULL) {
		n = empty_result(u);
		recv_unlock(u, peek);
		return n;
	}
	len = m->len;
	if (peek) {
		copy = mem_alloc(len ? len : 1);
		if (copy != NULL)
			memcpy(copy, m->data, len);
		if (r->scm != NULL)
			n = give_scm(m, r->scm, true);
		if (r->from != NULL)
			*r->from = m->from;
	} else {
		list_remove(&m->link);
		u->queued -= len;
		room = u->nqueued-- == u->backlog_max + 1;
	}
	recv_unlock(u, peek);
	if (room)
		unix_room_made();
	if (peek && (copy == NULL || n < 0))
		return -ENOMEM;
	want = min(len, iob_left(r->data));
	if (want < len)
		r->out_flags |= ABI_MSG_TRUNC;
	n = want ? iob_put(r->data, peek ? copy : m->data, want) : 0;
	if (!peek) {
		if (r->scm != NULL) {
			if (give_scm(m, r->scm, false) != 0)
				n = -ENOMEM;
			flight_leave(r->scm);
		}
		if (r->from != NULL)
			*r->from = m->from;
		unix_msg_free(m);
	}
	if (n >= 0 && (r->flags & ABI_MSG_TRUNC))
		return (int64_t)len;
	return n;
}

static bool
same_sender(const struct unix_sock *u, const struct unix_msg *a, const struct scm *first)
{
	return !u->sock.passcred || !first->has_cred || (a->scm.cred.pid == first->cred.pid &&
	    a->scm.cred.uid == first->cred.uid && a->scm.cred.gid == first->cred.gid);
}

/* One reader of a stream at a time: the next one waits its turn as if there were nothing. */
static bool
reader_begin(struct unix_sock *u)
{
	bool mine;

	mutex_lock(&u->sock.mu);
	mine = !u->reading;
	u->reader_waits |= !mine;
	u->reading = true;
	mutex_unlock(&u->sock.mu);
	return mine;
}

static void
reader_end(struct unix_sock *u)
{
	bool other;

	mutex_lock(&u->sock.mu);
	u->reading = false;
	other = u->reader_waits;
	u->reader_waits = false;
	mutex_unlock(&u->sock.mu);
	if (other)
		waitq_wake(&u->sock.wq, POLLIN);
}

/* Bytes of a stream, up to and with the piece that carries descriptors. */
static int64_t
recv_stream(struct unix_sock *u, struct sock_recv *r)
{
	bool peek = r->flags & ABI_MSG_PEEK;
	struct scm first = { 0 };
	uint64_t skip = 0;		/* peeked so far */
	int64_t done = 0;

	if (!reader_begin(u))
		return -EAGAIN;
	for (;;) {
		struct unix_msg *m, *next;
		struct scm got = { 0 };
		uint64_t at = peek ? skip : 0, n;
		int64_t moved;
		bool had_files = false;

		recv_lock(u, peek);
		for (m = list_first(&u->queue, struct unix_msg, link); m != NULL && peek && at >= m->len - m->off; m = next) {
			at -= m->len - m->off;
			next = m->link.next == &u->queue ? NULL : list_entry(m->link.next, struct unix_msg, link);
		}
		if (m == NULL || (done > 0 && !same_sender(u, m, &first))) {
			int64_t end = m == NULL && done == 0 ? empty_result(u) : 0;

			recv_unlock(u, peek);
			if (done == 0 && m == NULL)
				done = end;
			break;
		}
		if (iob_left(r->data) == 0) {
			recv_unlock(u, peek);
			break;
		}
		if (done == 0) {
			first.cred = m->scm.cred;
			first.has_cred = m->scm.has_cred;
		}
		had_files = m->scm.nfiles > 0;
		if (give_scm(m, &got, peek) != 0) {
			recv_unlock(u, peek);
			done = done ? done : -ENOMEM;
			break;
		}
		n = min(m->len - m->off - at, iob_left(r->data));
		recv_unlock(u, peek);
		if (!peek)
			flight_leave(&got);
		/* Only the reader takes pieces off the queue, so m stays. */
		moved = iob_put(r->data, m->data + m->off + at, n);
		if (moved > 0 && !peek) {
			struct unix_msg *gone = NULL;

			mutex_lock(&u->sock.mu);
			m->off += (uint64_t)moved;
			u->queued -= (uint64_t)moved;
			if (m->off == m->len) {
				list_remove(&m->link);
				u->nqueued--;
				gone = m;
			}
			mutex_unlock(&u->sock.mu);
			unix_msg_free(gone);
		}
		if (r->scm != NULL && (had_files || done == 0)) {
			scm_fini(r->scm);
			*r->scm = got;
		} else {
			scm_fini(&got);
		}
		if (moved < 0) {
			done = done ? done : moved;
			break;
		}
		done += moved;
		skip += (uint64_t)moved;
		if ((uint64_t)moved < n || had_files)
			break;
	}
	reader_end(u);
	return done;
}

int64_t
unix_recv(struct sock *sk, struct task *t, struct sock_recv *r)
{
	(void)t;
	if (r->flags & ABI_MSG_OOB)
		return -EOPNOTSUPP;
	if (r->from != NULL)
		r->from->len = 0;
	return is_stream(sk) ? recv_stream(unix_of(sk), r) : recv_record(unix_of(sk), r);
}
