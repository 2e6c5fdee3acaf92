/* unix: what the files of AF_UNIX share. */
#ifndef NETSTACK_UNIX_H
#define NETSTACK_UNIX_H

#include "base/list.h"
#include "base/tree.h"
#include "netstack/sock.h"

/* One record, or one piece of a stream. */
struct unix_msg {
	struct list	 link;
	struct scm	 scm;
	struct sockaddr_buf from;	/* the sender's name, len 0 when it has none */
	uint8_t		*data;		/* owned */
	uint64_t	 len, off;
	struct unix_sock *sender;	/* counted: who is charged for it */
	uint32_t	 charge;
};

enum unix_state { UNIX_IDLE, UNIX_LISTENING, UNIX_CONNECTED };

struct unix_sock {
	struct sock	 sock;		/* first; its mu covers all below */
	enum unix_state	 state;
	struct unix_sock *peer;		/* counted; a datagram socket's default destination */
	struct list	 queue;		/* unix_msg */
	uint64_t	 queued;	/* bytes in it */
	uint32_t	 nqueued;	/* messages in it */
	_Atomic uint64_t unread;	/* [a] charged for what it sent, in whatever queue that is */
	struct list	 backlog;	/* struct unix_sock.backlog_link: connections to accept, each counted */
	struct list	 backlog_link;
	uint32_t	 backlog_len, backlog_max;
	bool		 rd_shut, wr_shut, peer_gone, closed, reading, reader_waits;
	struct sockaddr_buf gone_addr;	/* of a peer that has closed */
	struct sockaddr_buf addr;	/* what it is bound to; len 0: nothing */
	struct path	 path;		/* counted: node of a bound path */
	struct tree_node name_node;	/* in the table of abstract names */
	bool		 in_names;
	struct abi_ucred cred, peer_cred;
	struct list	 want_link;	/* under a lock of unix_msg.c */
	/* All below: under the lock of flight.c. */
	uint32_t	 nflights;	/* messages on their way that carry it */
	struct file	*file;		/* its own; borrowed from these */
	struct list	 flight_link, todo_link;
	bool		 suspect;	/* during a look: nobody is known to reach it */
	uint32_t	 unexplained;	/* during a look: of nflights, those not found with another suspect */
};

static inline struct unix_sock *
unix_of(struct sock *sk)
{
	return container_of(sk, struct unix_sock, sock);
}

extern struct waitq unix_space_wq;	/* connects that found a backlog full */

int64_t unix_send(struct sock *sk, struct task *t, struct sock_send *s);
int64_t unix_recv(struct sock *sk, struct task *t, struct sock_recv *r);
/* Who listens at an address, counted. -ECONNREFUSED, -ENOENT, -EACCES, -EPROTOTYPE ... */
int unix_find(struct task *t, const struct sockaddr_buf *addr, int32_t type, struct unix_sock **out) MUST_CHECK;
void unix_msg_free(struct unix_msg *m);	/* no lock held */
/* flight.c: files are about to be queued, or have left the queue and are still held. */
int flight_enter(struct scm *s, struct task *t) MUST_CHECK;	/* -ETOOMANYREFS, -ENOMEM */
void flight_leave(struct scm *s);
/* Around the taking of files that stay in a queue: not in the middle of a look for those in flight. */
void flight_peek_begin(void);
void flight_peek_end(void);
/* Sockets have been queued, or one is closed: sockets in flight that nobody can reach any more may go. No lock held. */
void flight_step(void);
/* Whether `from` must wait before it sends to `to`, a datagram socket; then it is woken when there is room. to's mu held. */
bool unix_queue_full(struct unix_sock *to, struct unix_sock *from);
/* There is room in a queue, or nobody who will make any: those who wait for room try again. */
void unix_room_made(void);
void unix_room_forget(struct unix_sock *u);	/* it closes, and waits no more */
void unix_ucred_of(struct task *t, struct abi_ucred *out);
bool unix_writable(struct unix_sock *u);	/* as poll(2) sees it: most of its SO_SNDBUF is free */

#endif
