/*
 * sock: sockets, whatever their family.  socket(2), socket(7).
 *
 * A struct sock is an endpoint; a socket file holds one.  It may outlive the file (a
 * connection not yet accepted, an address still bound).  Operations never sleep: they return
 * -EAGAIN, and sys_net.c or file.c waits on sk->wq.
 */
#ifndef NETSTACK_SOCK_H
#define NETSTACK_SOCK_H

#include "abi/socket.h"
#include "base/lock.h"
#include "base/ref.h"
#include "sentry/vfs/file.h"

/* A socket address as the caller gave or gets it. */
struct sockaddr_buf {
	uint8_t		bytes[ABI_SOCKADDR_MAX];
	uint32_t	len;
};

/* Ancillary data in flight. */
struct scm {
	struct file	**files;	/* counted; owned array */
	uint32_t	 nfiles;
	struct user	*user;		/* counted: who is charged for them while in flight; flight.c */
	struct abi_ucred cred;
	bool		 has_cred;	/* cred is meaningful */
};

struct sock_send {
	struct iobuf	*data;
	const struct sockaddr_buf *to;	/* NULL: the connected peer */
	struct scm	*scm;		/* taken when the call succeeds; may be NULL */
	uint32_t	 flags;
};

struct sock_recv {
	struct iobuf	*data;
	struct sockaddr_buf *from;	/* NULL: not asked for */
	struct scm	*scm;		/* out: owned by the caller; may be NULL */
	uint32_t	 flags;		/* in */
	uint32_t	 out_flags;	/* MSG_TRUNC, MSG_EOR ... */
};

struct sock;
struct sock_ops {
	int (*bind)(struct sock *sk, struct task *t, const struct sockaddr_buf *addr);
	int (*listen)(struct sock *sk, struct task *t, int32_t backlog);
	int (*connect)(struct sock *sk, struct task *t, const struct sockaddr_buf *addr);	/* -EAGAIN: wait (backlog) */
	int (*accept)(struct sock *sk, struct task *t, struct sock **out);	/* counted */
	int64_t (*send)(struct sock *sk, struct task *t, struct sock_send *s);
	int64_t (*recv)(struct sock *sk, struct task *t, struct sock_recv *r);
	int (*shutdown)(struct sock *sk, struct task *t, int how);
	int (*getname)(struct sock *sk, struct task *t, bool peer, struct sockaddr_buf *out);
	uint32_t (*ready)(struct sock *sk);
	uint64_t (*pending)(struct sock *sk, bool out);		/* FIONREAD, TIOCOUTQ */
	void (*close)(struct sock *sk);				/* its file is gone */
	void (*free)(struct sock *sk);				/* last reference */
};

struct sock {
	struct ref	 ref;
	const struct sock_ops *ops;	/* [I] */
	int32_t		 family, type, protocol;	/* [I] */
	struct mutex	 mu;		/* rank object */
	struct waitq	 wq;
	int32_t		 error;		/* [m] SO_ERROR: positive errno, read once */
	_Atomic uint32_t sndbuf;	/* [a] bytes */
	uint32_t	 rcvbuf;	/* [m] */
	bool		 passcred, reuseaddr, keepalive, broadcast;	/* [m] */
	int32_t		 priority, rcvlowat;	/* [m] */
	struct abi_linger linger;	/* [m] */
};

#define SOCK_BUF_DEFAULT	212992U

void sock_init(struct sock *sk, const struct sock_ops *ops, int32_t family, int32_t type, int32_t protocol);
/* An open file for sk (its own reference is taken). flags: O_NONBLOCK. */
int sock_file_new(struct sock *sk, uint32_t flags, struct file **out) MUST_CHECK;
/* The endpoint of a socket's file, borrowed; NULL when it is no socket. */
struct sock *sock_of_file(struct file *f);
/* By family: -EAFNOSUPPORT, -EPROTONOSUPPORT, -ESOCKTNOSUPPORT. */
int sock_new(struct task *t, int32_t family, int32_t type, int32_t protocol, struct sock **out) MUST_CHECK;
int sock_new_pair(struct task *t, int32_t family, int32_t type, int32_t protocol, struct sock *out[2]) MUST_CHECK;

/* unix.c */
int unix_new(struct task *t, int32_t type, int32_t protocol, struct sock **out) MUST_CHECK;
int unix_pair(struct task *t, int32_t type, int32_t protocol, struct sock *out[2]) MUST_CHECK;
/* The process at the other end when it connected; pid 0 and uid -1 when there is none. */
void unix_peercred(struct sock *sk, struct abi_ucred *out);
bool unix_listening(struct sock *sk);

/* scm.c */
int scm_from_guest(struct task *t, gaddr_t control, uint64_t len, struct scm *out) MUST_CHECK;
void scm_fini(struct scm *s);
/* Room for ABI_SCM_MAX_FD files: what scm.files must point to. */
struct file **scm_files_new(void);
/* Installs files and writes the messages to the guest's buffer; *len becomes what was used, MSG_CTRUNC goes to *flags. */
int scm_to_guest(struct task *t, struct sock *sk, struct scm *s, gaddr_t control, uint64_t *len, uint32_t recv_flags, uint32_t *flags) MUST_CHECK;

#endif
