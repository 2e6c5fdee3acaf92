/* sock: what all families share; see sock.h. */
#include "netstack/sock.h"

#include <asm/ioctls.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>

#include "base/kmem.h"
#include "sentry/kernel/task.h"
#include "sentry/mm/usercopy.h"
#include "sentry/syscall/syscall.h"

struct sock_file {
	struct file	file;		/* first */
	struct sock	*sk;		/* [I] counted */
};
KMEM_CACHE(sock_file);

static const struct file_ops sock_file_ops;

void
sock_init(struct sock *sk, const struct sock_ops *ops, int32_t family, int32_t type, int32_t protocol)
{
	ref_init(&sk->ref, OBJ_sock);
	sk->ops = ops;
	sk->family = family;
	sk->type = type;
	sk->protocol = protocol;
	sk->sndbuf = sk->rcvbuf = SOCK_BUF_DEFAULT;
	sk->rcvlowat = 1;
	mutex_init(&sk->mu, RANK_object);
	waitq_init(&sk->wq);
}

void
sock_release(struct sock *sk)
{
	sk->ops->free(sk);
}

struct sock *
sock_of_file(struct file *f)
{
	return f->ops == &sock_file_ops ? container_of(f, struct sock_file, file)->sk : NULL;
}

static int64_t
sock_file_read(struct file *f, struct task *t, struct iobuf *dst)
{
	struct sock *sk = sock_of_file(f);
	struct sock_recv r = { .data = dst };

	return sk->ops->recv(sk, t, &r);
}

static int64_t
sock_file_write(struct file *f, struct task *t, struct iobuf *src)
{
	struct sock *sk = sock_of_file(f);
	struct sock_send s = { .data = src };

	return sk->ops->send(sk, t, &s);
}

static uint32_t
sock_file_ready(struct file *f, uint32_t events)
{
	struct sock *sk = sock_of_file(f);

	return sk->ops->ready(sk) & (events | POLLERR | POLLHUP);
}

static int64_t
sock_file_ioctl(struct file *f, struct task *t, uint32_t cmd, gaddr_t arg)
{
	struct sock *sk = sock_of_file(f);

	switch (cmd) {
	case FIONREAD:
	case TIOCOUTQ:
		if (cmd == FIONREAD && unix_listening(sk))
			return -EINVAL;
		return put_u32(t, arg, (uint32_t)sk->ops->pending(sk, cmd == TIOCOUTQ));
	default:
		report_missing(t, "ioctl 0x%x on a socket", cmd);
		return -ENOTTY;
	}
}

static void
sock_file_free(struct file *f)
{
	struct sock_file *sf = container_of(f, struct sock_file, file);
	struct sock *sk = sf->sk;

	sk->ops->close(sk);
	file_fini(f);
	obj_free(sock_file, sf);
	sock_put(sk);
}

static const struct file_ops sock_file_ops = {
	.kind = "socket",
	.read = sock_file_read,
	.write = sock_file_write,
	.pread = file_no_pread,
	.pwrite = file_no_pwrite,
	.seek = file_no_seek,
	.readdir = file_no_readdir,
	.ready = sock_file_ready,
	.ioctl = sock_file_ioctl,
	.mmap = file_no_mmap,
	.fsync = file_no_fsync,
	.truncate = file_no_truncate,
	.fallocate = file_no_fallocate,
	.setflags = file_any_flags,
	.flush = file_no_flush,
	.free = sock_file_free,
};

int
sock_file_new(struct sock *sk, uint32_t flags, struct file **out)
{
	static _Atomic uint32_t next = 1;
	struct sock_file *sf = obj_new(sock_file);
	char name[32];
	struct strbuf sb = STRBUF(name, sizeof name);
	int err;

	if (sf == NULL)
		return -ENOMEM;
	sb_printf(&sb, "socket:[%u]", atomic_fetch_add(&next, 1));
	err = file_init_anon(&sf->file, &sock_file_ops, name, S_IFSOCK | 0777, O_RDWR | flags);
	if (err) {
		obj_free(sock_file, sf);
		return err;
	}
	sf->sk = sock_get(sk);
	sf->file.wq = &sk->wq;
	*out = &sf->file;
	return 0;
}

/* The checks of socket(2) before the family is asked. */
static int
check_family(struct task *t, int32_t family, int32_t type)
{
	if (family < 0 || family >= ABI_AF_MAX)
		return -EAFNOSUPPORT;
	if (type < 0 || type > 10)
		return -EINVAL;
	if (family != ABI_AF_UNIX) {
		report_missing(t, "socket family %d", family);
		return -EAFNOSUPPORT;
	}
	return 0;
}

int
sock_new(struct task *t, int32_t family, int32_t type, int32_t protocol, struct sock **out)
{
	int err = check_family(t, family, type);

	return err ? err : unix_new(t, type, protocol, out);
}

int
sock_new_pair(struct task *t, int32_t family, int32_t type, int32_t protocol, struct sock *out[2])
{
	int err = check_family(t, family, type);

	return err ? err : unix_pair(t, type, protocol, out);
}
