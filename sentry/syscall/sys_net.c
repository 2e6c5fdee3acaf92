/*
 * sys_net: the socket calls: check, copy, wait; families do the work (netstack/).
 */
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <time.h>

#include "abi/time.h"
#include "base/hostcall.h"
#include "netstack/sock.h"
#include "sentry/kernel/task.h"
#include "sentry/mm/usercopy.h"
#include "sentry/syscall/syscall.h"
#include "sentry/vfs/fdtable.h"

/* The socket behind fd: *f counted, *sk borrowed from it. */
static int
sock_get_fd(struct task *t, int32_t fd, struct file **f, struct sock **sk)
{
	int err = fd_get(t, fd, f);

	if (err)
		return err;
	*sk = sock_of_file(*f);
	return *sk == NULL ? -ENOTSOCK : 0;
}

static int
copy_in_sockaddr(struct task *t, gaddr_t addr, int32_t len, struct sockaddr_buf *out)
{
	if (len < 0 || len > ABI_SOCKADDR_MAX)
		return -EINVAL;
	out->len = (uint32_t)len;
	return len ? copy_in(t, out->bytes, addr, (size_t)len) : 0;
}

/* As much of the name as fits; the full length goes to *lenp. */
static int
copy_out_sockaddr(struct task *t, const struct sockaddr_buf *a, gaddr_t addr, gaddr_t lenp)
{
	int32_t room;

	if (copy_in(t, &room, lenp, sizeof room) != 0)
		return -EFAULT;
	if (room < 0)
		return -EINVAL;
	if (a->len > 0 && room > 0 && copy_out(t, addr, a->bytes, min(a->len, (uint32_t)room)) != 0)
		return -EFAULT;
	return put_u32(t, lenp, a->len);
}

static int
split_type(int32_t type, int32_t *kind, uint32_t *flags, int *fdflags)
{
	if (type & ~(ABI_SOCK_TYPE_MASK | ABI_SOCK_NONBLOCK | ABI_SOCK_CLOEXEC))
		return -EINVAL;
	*kind = type & ABI_SOCK_TYPE_MASK;
	*flags = type & ABI_SOCK_NONBLOCK ? O_NONBLOCK : 0;
	*fdflags = type & ABI_SOCK_CLOEXEC ? FD_CLOEXEC : 0;
	return 0;
}

int64_t
sys_socket(struct task *t, int32_t family, int32_t type, int32_t protocol)
{
	AUTO_PUT(sock) sk = NULL;
	AUTO_PUT(file) f = NULL;
	uint32_t flags;
	int32_t kind;
	int fdflags, err = split_type(type, &kind, &flags, &fdflags);

	if (!err)
		err = sock_new(t, family, kind, protocol, &sk);
	if (!err)
		err = sock_file_new(sk, flags, &f);
	return err ? err : fd_install(t, f, fdflags);
}

int64_t
sys_socketpair(struct task *t, int32_t family, int32_t type, int32_t protocol, gaddr_t fds)
{
	struct sock *sk[2];
	struct file *f[2] = { NULL, NULL };
	int32_t pair[2];
	uint32_t flags;
	int32_t kind;
	int fdflags, err = split_type(type, &kind, &flags, &fdflags);

	if (!err)
		err = sock_new_pair(t, family, kind, protocol, sk);
	if (err)
		return err;
	for (int i = 0; i < 2 && !err; i++)
		err = sock_file_new(sk[i], flags, &f[i]);
	sock_put(sk[0]);
	sock_put(sk[1]);
	if (!err)
		err = fd_install_pair(t, f[0], f[1], fdflags, pair);
	file_put(f[0]);
	file_put(f[1]);
	if (err)
		return err;
	err = copy_out(t, fds, pair, sizeof pair);
	for (int i = 0; i < 2 && err; i++) {
		int closed = fd_close(t, pair[i]);

		(void)closed;
	}
	return err;
}

int64_t
sys_bind(struct task *t, int32_t fd, gaddr_t addr, int32_t addrlen)
{
	AUTO_PUT(file) f = NULL;
	struct sockaddr_buf a;
	struct sock *sk;
	int err = sock_get_fd(t, fd, &f, &sk);

	if (!err)
		err = copy_in_sockaddr(t, addr, addrlen, &a);
	return err ? err : sk->ops->bind(sk, t, &a);
}

int64_t
sys_listen(struct task *t, int32_t fd, int32_t backlog)
{
	AUTO_PUT(file) f = NULL;
	struct sock *sk;
	int err = sock_get_fd(t, fd, &f, &sk);

	return err ? err : sk->ops->listen(sk, t, backlog);
}

extern struct waitq unix_space_wq;

/* When a wait that began now would end by SO_RCVTIMEO or SO_SNDTIMEO. */
static uint64_t
deadline_of(struct file *f, bool receive)
{
	uint64_t ns = atomic_load(receive ? &f->rd_timeout_ns : &f->wr_timeout_ns);

	return ns ? host_clock_ns(CLOCK_MONOTONIC) + ns : NO_DEADLINE;
}

int64_t
sys_connect(struct task *t, int32_t fd, gaddr_t addr, int32_t addrlen)
{
	AUTO_PUT(file) f = NULL;
	struct sockaddr_buf a;
	struct waiter w;
	struct sock *sk;
	uint64_t deadline;
	int err = sock_get_fd(t, fd, &f, &sk);

	if (!err)
		err = copy_in_sockaddr(t, addr, addrlen, &a);
	if (err)
		return err;
	err = sk->ops->connect(sk, t, &a);
	if (err != -EAGAIN || (atomic_load(&f->flags) & O_NONBLOCK))
		return err;
	deadline = deadline_of(f, false);
	waiter_arm(&w, t, &unix_space_wq, 0);
	while ((err = sk->ops->connect(sk, t, &a)) == -EAGAIN) {
		err = file_wait_result(task_sleep(t, deadline), deadline);
		if (err)
			break;
	}
	waiter_disarm(&w);
	return err;
}

static int64_t
do_accept(struct task *t, int32_t fd, gaddr_t addr, gaddr_t addrlen, int32_t flags)
{
	AUTO_PUT(file) f = NULL;
	AUTO_PUT(file) nf = NULL;
	AUTO_PUT(sock) got = NULL;
	struct sockaddr_buf a;
	struct waiter w;
	struct sock *sk;
	uint64_t deadline;
	int err;

	if (flags & ~(ABI_SOCK_NONBLOCK | ABI_SOCK_CLOEXEC))
		return -EINVAL;
	err = sock_get_fd(t, fd, &f, &sk);
	if (err)
		return err;
	err = sk->ops->accept(sk, t, &got);
	if (err == -EAGAIN && !(atomic_load(&f->flags) & O_NONBLOCK)) {
		deadline = deadline_of(f, true);
		waiter_arm(&w, t, &sk->wq, POLLIN);
		while ((err = sk->ops->accept(sk, t, &got)) == -EAGAIN) {
			err = file_wait_result(task_sleep(t, deadline), deadline);
			if (err)
				break;
		}
		waiter_disarm(&w);
	}
	if (err)
		return err;
	err = sock_file_new(got, flags & ABI_SOCK_NONBLOCK ? O_NONBLOCK : 0, &nf);
	if (err)
		return err;
	if (!gaddr_is_null(addr)) {
		/* The other side may be gone already: then there is no name. */
		if (sk->ops->getname(got, t, true, &a) != 0)
			return -ECONNABORTED;
		err = copy_out_sockaddr(t, &a, addr, addrlen);
		if (err)
			return err;
	}
	return fd_install(t, nf, flags & ABI_SOCK_CLOEXEC ? FD_CLOEXEC : 0);
}

int64_t
sys_accept(struct task *t, int32_t fd, gaddr_t addr, gaddr_t addrlen)
{
	return do_accept(t, fd, addr, addrlen, 0);
}

int64_t
sys_accept4(struct task *t, int32_t fd, gaddr_t addr, gaddr_t addrlen, int32_t flags)
{
	return do_accept(t, fd, addr, addrlen, flags);
}

static int64_t
do_getname(struct task *t, int32_t fd, gaddr_t addr, gaddr_t addrlen, bool peer)
{
	AUTO_PUT(file) f = NULL;
	struct sockaddr_buf a;
	struct sock *sk;
	int err = sock_get_fd(t, fd, &f, &sk);

	if (!err)
		err = sk->ops->getname(sk, t, peer, &a);
	return err ? err : copy_out_sockaddr(t, &a, addr, addrlen);
}

int64_t
sys_getsockname(struct task *t, int32_t fd, gaddr_t addr, gaddr_t addrlen)
{
	return do_getname(t, fd, addr, addrlen, false);
}

int64_t
sys_getpeername(struct task *t, int32_t fd, gaddr_t addr, gaddr_t addrlen)
{
	return do_getname(t, fd, addr, addrlen, true);
}

int64_t
sys_shutdown(struct task *t, int32_t fd, int32_t how)
{
	AUTO_PUT(file) f = NULL;
	struct sock *sk;
	int err = sock_get_fd(t, fd, &f, &sk);

	if (err)
		return err;
	if (how < ABI_SHUT_RD || how > ABI_SHUT_RDWR)
		return -EINVAL;
	return sk->ops->shutdown(sk, t, how);
}

/* ---- data ------------------------------------------------------------------------- */

/* Sends all (a stream) or one record, waiting for room. */
static int64_t
send_wait(struct task *t, struct file *f, struct sock *sk, struct sock_send *s)
{
	bool nonblock = (s->flags & ABI_MSG_DONTWAIT) || (atomic_load(&f->flags) & O_NONBLOCK);
	uint64_t deadline;
	int64_t done = sk->ops->send(sk, t, s);
	struct waiter w;
	int64_t n;

	if ((done == -EAGAIN || (done > 0 && iob_left(s->data) > 0)) && !nonblock) {
		done = done < 0 ? 0 : done;
		deadline = deadline_of(f, false);
		waiter_arm(&w, t, &sk->wq, POLLOUT | POLLERR | POLLHUP);
		for (;;) {
			n = sk->ops->send(sk, t, s);
			if (n > 0)
				done += n;
			if (n == -EAGAIN || (n > 0 && iob_left(s->data) > 0)) {
				n = file_wait_result(task_sleep(t, deadline), deadline);
				if (n == 0)
					continue;
			}
			break;
		}
		waiter_disarm(&w);
		if (done == 0 && n < 0)
			done = n;
	}
	if (done == -EPIPE && !(s->flags & ABI_MSG_NOSIGNAL)) {
		struct abi_siginfo info;

		siginfo_user(&info, t, SIGPIPE, 0);
		signal_send_task(t, &info);
	}
	return done;
}

static int64_t
recv_wait(struct task *t, struct file *f, struct sock *sk, struct sock_recv *r)
{
	bool nonblock = (r->flags & ABI_MSG_DONTWAIT) || (atomic_load(&f->flags) & O_NONBLOCK);
	bool all = (r->flags & (ABI_MSG_WAITALL | ABI_MSG_PEEK)) == ABI_MSG_WAITALL && sk->type == ABI_SOCK_STREAM;
	int64_t done = sk->ops->recv(sk, t, r), n;
	uint64_t deadline;
	struct waiter w;

	if (nonblock || (done != -EAGAIN && !(all && done > 0 && iob_left(r->data) > 0)))
		return done;
	done = done < 0 ? 0 : done;
	deadline = deadline_of(f, true);
	waiter_arm(&w, t, &sk->wq, POLLIN | POLLERR | POLLHUP | POLLRDHUP);
	for (;;) {
		n = sk->ops->recv(sk, t, r);
		if (n > 0)
			done += n;
		if (n == -EAGAIN || (all && n > 0 && iob_left(r->data) > 0)) {
			n = file_wait_result(task_sleep(t, deadline), deadline);
			if (n == 0)
				continue;
		}
		break;
	}
	waiter_disarm(&w);
	return done > 0 || n >= 0 ? done : n;
}

int64_t
sys_sendto(struct task *t, int32_t fd, gaddr_t buf, uint64_t len, uint32_t flags, gaddr_t addr, int32_t addrlen)
{
	AUTO_PUT(file) f = NULL;
	struct sockaddr_buf a;
	struct iobuf data;
	struct sock_send s = { .data = &data, .flags = flags };
	struct sock *sk;
	int64_t n;
	int err = iob_init(&data, t, buf, len);

	if (err)
		return err;
	err = sock_get_fd(t, fd, &f, &sk);
	if (!err && !gaddr_is_null(addr)) {
		err = copy_in_sockaddr(t, addr, addrlen, &a);
		s.to = &a;
	}
	n = err ? err : send_wait(t, f, sk, &s);
	iob_fini(&data);
	return n;
}

int64_t
sys_recvfrom(struct task *t, int32_t fd, gaddr_t buf, uint64_t len, uint32_t flags, gaddr_t addr, gaddr_t addrlen)
{
	AUTO_PUT(file) f = NULL;
	struct sockaddr_buf a = { .len = 0 };
	struct iobuf data;
	struct sock_recv r = { .data = &data, .flags = flags, .from = &a };
	struct sock *sk;
	int64_t n;
	int err = iob_init(&data, t, buf, len);

	if (err)
		return err;
	err = sock_get_fd(t, fd, &f, &sk);
	n = err ? err : recv_wait(t, f, sk, &r);
	iob_fini(&data);
	if (n >= 0 && !gaddr_is_null(addr)) {
		err = copy_out_sockaddr(t, &a, addr, addrlen);
		if (err)
			return err;
	}
	return n;
}

static int64_t
send_one(struct task *t, struct file *f, struct sock *sk, const struct abi_msghdr *m, uint32_t flags)
{
	struct sockaddr_buf a;
	struct scm scm = { 0 };
	struct iobuf data;
	struct sock_send s = { .data = &data, .flags = flags, .scm = &scm };
	int64_t n;
	int err = 0;

	if (m->name != 0 && m->namelen != 0) {
		if (m->namelen < 0)
			return -EINVAL;
		err = copy_in_sockaddr(t, gaddr_from(m->name), min(m->namelen, ABI_SOCKADDR_MAX), &a);
		s.to = &a;
	}
	if (err)
		return err;
	if (m->iovlen > IOV_LIMIT)
		return -EMSGSIZE;
	err = iob_init_iov(&data, t, gaddr_from(m->iov), m->iovlen);
	if (err)
		return err;
	err = scm_from_guest(t, gaddr_from(m->control), m->controllen, &scm);
	n = err ? err : send_wait(t, f, sk, &s);
	scm_fini(&scm);
	iob_fini(&data);
	return n;
}

int64_t
sys_sendmsg(struct task *t, int32_t fd, gaddr_t msg, uint32_t flags)
{
	AUTO_PUT(file) f = NULL;
	struct abi_msghdr m;
	struct sock *sk;
	int err = sock_get_fd(t, fd, &f, &sk);

	if (!err)
		err = copy_in(t, &m, msg, sizeof m);
	return err ? err : send_one(t, f, sk, &m, flags);
}

/* Receives into m's buffers, and stores the results in the guest's header at msg. */
static int64_t
recv_one(struct task *t, struct file *f, struct sock *sk, gaddr_t msg, uint32_t flags)
{
	struct sockaddr_buf a = { .len = 0 };
	struct abi_msghdr m;
	struct scm scm = { 0 };
	struct iobuf data;
	struct sock_recv r = { .data = &data, .flags = flags, .from = &a, .scm = &scm };
	uint64_t control;
	int64_t n;
	int err;

	if (copy_in(t, &m, msg, sizeof m) != 0)
		return -EFAULT;
	if (m.iovlen > IOV_LIMIT)
		return -EMSGSIZE;
	if (m.name != 0 && m.namelen < 0)
		return -EINVAL;
	err = iob_init_iov(&data, t, gaddr_from(m.iov), m.iovlen);
	if (err)
		return err;
	n = recv_wait(t, f, sk, &r);
	iob_fini(&data);
	if (n < 0) {
		scm_fini(&scm);
		return n;
	}
	control = m.control ? m.controllen : 0;
	err = scm_to_guest(t, sk, &scm, gaddr_from(m.control), &control, flags, &r.out_flags);
	scm_fini(&scm);
	if (!err && m.name != 0) {
		if (a.len > 0)
			err = copy_out(t, gaddr_from(m.name), a.bytes, min(a.len, (uint32_t)m.namelen));
		if (!err)
			err = put_u32(t, gaddr_add(msg, offsetof(struct abi_msghdr, namelen)), a.len);
	}
	if (!err)
		err = put_u64(t, gaddr_add(msg, offsetof(struct abi_msghdr, controllen)), control);
	if (!err)
		err = put_u32(t, gaddr_add(msg, offsetof(struct abi_msghdr, flags)),
		    r.out_flags | (flags & ABI_MSG_CMSG_CLOEXEC));
	return err ? err : n;
}

int64_t
sys_recvmsg(struct task *t, int32_t fd, gaddr_t msg, uint32_t flags)
{
	AUTO_PUT(file) f = NULL;
	struct sock *sk;
	int err = sock_get_fd(t, fd, &f, &sk);

	return err ? err : recv_one(t, f, sk, msg, flags);
}

int64_t
sys_sendmmsg(struct task *t, int32_t fd, gaddr_t msgvec, uint32_t vlen, uint32_t flags)
{
	AUTO_PUT(file) f = NULL;
	struct sock *sk;
	uint32_t i;
	int err = sock_get_fd(t, fd, &f, &sk);

	if (err)
		return err;
	vlen = min(vlen, (uint32_t)IOV_LIMIT);
	for (i = 0; i < vlen; i++) {
		gaddr_t at = gaddr_add(msgvec, (uint64_t)i * sizeof(struct abi_mmsghdr));
		struct abi_msghdr m;
		int64_t n = copy_in(t, &m, at, sizeof m);

		if (n == 0)
			n = send_one(t, f, sk, &m, flags);
		if (n >= 0)
			n = put_u32(t, gaddr_add(at, offsetof(struct abi_mmsghdr, len)), (uint32_t)n);
		if (n < 0)
			return i ? (int64_t)i : n;
	}
	return i;
}

int64_t
sys_recvmmsg(struct task *t, int32_t fd, gaddr_t msgvec, uint32_t vlen, uint32_t flags, gaddr_t timeout)
{
	AUTO_PUT(file) f = NULL;
	uint64_t deadline = NO_DEADLINE;
	struct sock *sk;
	uint32_t i;
	int err;

	if (!gaddr_is_null(timeout)) {
		struct abi_timespec ts;

		if (copy_in(t, &ts, timeout, sizeof ts) != 0)
			return -EFAULT;
		if (ts.tv_sec < 0 || ts.tv_nsec < 0 || ts.tv_nsec >= (int64_t)NSEC_PER_SEC)
			return -EINVAL;
		deadline = host_clock_ns(CLOCK_MONOTONIC) +
		    (uint64_t)min(ts.tv_sec, (int64_t)1000000000) * NSEC_PER_SEC + (uint64_t)ts.tv_nsec;
	}
	err = sock_get_fd(t, fd, &f, &sk);
	if (err)
		return err;
	for (i = 0; i < min(vlen, (uint32_t)IOV_LIMIT); i++) {
		gaddr_t at = gaddr_add(msgvec, (uint64_t)i * sizeof(struct abi_mmsghdr));
		int64_t n = recv_one(t, f, sk, at, flags & ~(uint32_t)ABI_MSG_WAITFORONE);

		if (n >= 0)
			n = put_u32(t, gaddr_add(at, offsetof(struct abi_mmsghdr, len)), (uint32_t)n);
		if (n < 0)
			return i ? (int64_t)i : n;
		if (flags & ABI_MSG_WAITFORONE)
			flags |= ABI_MSG_DONTWAIT;
		/* As Linux: the clock is looked at between messages only. */
		if (host_clock_ns(CLOCK_MONOTONIC) >= deadline)
			return i + 1;
	}
	return i;
}

/* ---- options ------------------------------------------------------------------------ */

static int
get_timeo(struct task *t, gaddr_t val, int32_t len, uint64_t *ns)
{
	struct abi_timeval tv;

	if (len < (int32_t)sizeof tv)
		return -EINVAL;
	if (copy_in(t, &tv, val, sizeof tv) != 0)
		return -EFAULT;
	if (tv.tv_usec < 0 || tv.tv_usec >= 1000000)
		return -EDOM;
	*ns = tv.tv_sec < 0 ? 1 : (uint64_t)min(tv.tv_sec, (int64_t)1000000000) * NSEC_PER_SEC + (uint64_t)tv.tv_usec * 1000;
	return 0;
}

/* The kernel doubles what is asked for, to pay for its own structures. */
static uint32_t
buf_size(int32_t v, uint32_t least)
{
	uint32_t n = v < 0 || (uint32_t)v > SOCK_BUF_DEFAULT ? SOCK_BUF_DEFAULT : (uint32_t)v;

	return max(n * 2, least);
}

static int
set_int_option(struct task *t, struct sock *sk, int32_t optname, int32_t v)
{
	int err = 0;

	mutex_lock(&sk->mu);
	switch (optname) {
	case SO_REUSEADDR: sk->reuseaddr = v != 0; break;
	case SO_KEEPALIVE: sk->keepalive = v != 0; break;
	case SO_BROADCAST: sk->broadcast = v != 0; break;
	case SO_PASSCRED: sk->passcred = v != 0; break;
	case SO_PRIORITY: sk->priority = v; break;
	case SO_RCVLOWAT: sk->rcvlowat = v < 0 ? INT32_MAX : v ? v : 1; break;
	case SO_SNDBUF: case SO_SNDBUFFORCE: sk->sndbuf = buf_size(v, 4608); break;
	case SO_RCVBUF: case SO_RCVBUFFORCE: sk->rcvbuf = buf_size(v, 2304); break;
	default: err = -ENOPROTOOPT;
	}
	mutex_unlock(&sk->mu);
	/* A sender that waits may have room now. */
	if (optname == SO_SNDBUF || optname == SO_SNDBUFFORCE)
		waitq_wake(&sk->wq, POLLOUT | POLLWRNORM);
	if (err)
		report_missing(t, "setsockopt SOL_SOCKET %d", optname);
	return err;
}

int64_t
sys_setsockopt(struct task *t, int32_t fd, int32_t level, int32_t optname, gaddr_t optval, int32_t optlen)
{
	AUTO_PUT(file) f = NULL;
	struct abi_linger linger;
	struct sock *sk;
	uint64_t ns;
	int32_t v;
	int err;

	if (optlen < 0)
		return -EINVAL;
	err = sock_get_fd(t, fd, &f, &sk);
	if (err)
		return err;
	if (level != SOL_SOCKET) {
		report_missing(t, "setsockopt level %d", level);
		return -EOPNOTSUPP;
	}
	switch (optname) {
	case SO_LINGER:
		if (optlen < (int32_t)sizeof linger)
			return -EINVAL;
		if (copy_in(t, &linger, optval, sizeof linger) != 0)
			return -EFAULT;
		mutex_lock(&sk->mu);
		sk->linger = linger;
		mutex_unlock(&sk->mu);
		return 0;
	case SO_RCVTIMEO:
	case SO_SNDTIMEO:
		err = get_timeo(t, optval, optlen, &ns);
		if (err)
			return err;
		atomic_store(optname == SO_RCVTIMEO ? &f->rd_timeout_ns : &f->wr_timeout_ns, ns);
		return 0;
	default:
		if (optlen < (int32_t)sizeof v)
			return -EINVAL;
		if (copy_in(t, &v, optval, sizeof v) != 0)
			return -EFAULT;
		return set_int_option(t, sk, optname, v);
	}
}

static int
get_int_option(struct task *t, struct sock *sk, int32_t optname, int32_t *v)
{
	bool listening = unix_listening(sk);
	int err = 0;

	mutex_lock(&sk->mu);
	switch (optname) {
	case SO_TYPE: *v = sk->type; break;
	case SO_DOMAIN: *v = sk->family; break;
	case SO_PROTOCOL: *v = sk->protocol; break;
	case SO_ERROR: *v = sk->error; sk->error = 0; break;
	case SO_ACCEPTCONN: *v = listening; break;
	case SO_REUSEADDR: *v = sk->reuseaddr; break;
	case SO_KEEPALIVE: *v = sk->keepalive; break;
	case SO_BROADCAST: *v = sk->broadcast; break;
	case SO_PASSCRED: *v = sk->passcred; break;
	case SO_PRIORITY: *v = sk->priority; break;
	case SO_RCVLOWAT: *v = sk->rcvlowat; break;
	case SO_SNDLOWAT: *v = 1; break;
	case SO_SNDBUF: *v = (int32_t)sk->sndbuf; break;
	case SO_RCVBUF: *v = (int32_t)sk->rcvbuf; break;
	case SO_OOBINLINE: case SO_DONTROUTE: case SO_TIMESTAMP: case SO_MARK: *v = 0; break;
	default: err = -ENOPROTOOPT;
	}
	mutex_unlock(&sk->mu);
	if (err)
		report_missing(t, "getsockopt SOL_SOCKET %d", optname);
	return err;
}

int64_t
sys_getsockopt(struct task *t, int32_t fd, int32_t level, int32_t optname, gaddr_t optval, gaddr_t optlen)
{
	AUTO_PUT(file) f = NULL;
	union { int32_t v; struct abi_linger linger; struct abi_timeval tv; struct abi_ucred cred; } val;
	uint32_t size = sizeof val.v;
	struct sock *sk;
	uint64_t ns;
	int32_t room;
	int err = sock_get_fd(t, fd, &f, &sk);

	if (err)
		return err;
	if (level != SOL_SOCKET) {
		report_missing(t, "getsockopt level %d", level);
		return -EOPNOTSUPP;
	}
	if (copy_in(t, &room, optlen, sizeof room) != 0)
		return -EFAULT;
	if (room < 0)
		return -EINVAL;
	memset(&val, 0, sizeof val);
	switch (optname) {
	case SO_LINGER:
		mutex_lock(&sk->mu);
		val.linger = sk->linger;
		mutex_unlock(&sk->mu);
		size = sizeof val.linger;
		break;
	case SO_RCVTIMEO:
	case SO_SNDTIMEO:
		ns = atomic_load(optname == SO_RCVTIMEO ? &f->rd_timeout_ns : &f->wr_timeout_ns);
		val.tv.tv_sec = (int64_t)(ns / NSEC_PER_SEC);
		val.tv.tv_usec = (int64_t)(ns % NSEC_PER_SEC / 1000);
		size = sizeof val.tv;
		break;
	case SO_PEERCRED:
		unix_peercred(sk, &val.cred);
		size = sizeof val.cred;
		break;
	default:
		err = get_int_option(t, sk, optname, &val.v);
		if (err)
			return err;
	}
	size = min(size, (uint32_t)room);
	if (copy_out(t, optval, &val, size) != 0)
		return -EFAULT;
	return put_u32(t, optlen, size);
}
