/*
 * scm: ancillary data: descriptors and credentials.  cmsg(3), unix(7).
 *
 * The control buffer is copied in once and judged as a copy.  A file in flight is counted by the message that
 * carries it.
 */
#include <fcntl.h>
#include <linux/capability.h>
#include <string.h>

#include "base/kmem.h"
#include "netstack/sock.h"
#include "sentry/kernel/task.h"
#include "sentry/mm/usercopy.h"
#include "sentry/vfs/fdtable.h"

#define CONTROL_MAX	20480		/* as net.core.optmem_max */
#define CMSG_STEP(n)	(((n) + 7) & ~7ULL)

/* Files in flight; behind the last one lie their number and a link, for scm_fini. */
struct flight {
	struct file	*files[ABI_SCM_MAX_FD];
	struct flight	*next;
	uint32_t	 n;
};

struct file **
scm_files_new(void)
{
	struct flight *f = mem_alloc(sizeof *f);

	return f ? f->files : NULL;
}

/*
 * The last reference to a socket in flight frees its queue and with it more files in flight, in chains as long as
 * a guest likes: what comes up meanwhile waits for the outermost call, so that the stack does not grow with them.
 */
void
scm_fini(struct scm *s)
{
	static __thread struct flight *waiting;
	static __thread bool draining;
	struct flight *f = (struct flight *)(void *)s->files;

	if (f) {
		f->n = s->nfiles;
		f->next = waiting;
		waiting = f;
	}
	memset(s, 0, sizeof *s);
	if (draining)
		return;
	draining = true;
	while ((f = waiting) != NULL) {
		waiting = f->next;
		for (uint32_t i = 0; i < f->n; i++)
			file_put(f->files[i]);
		mem_free(f);
	}
	draining = false;
}

static int
take_rights(struct task *t, const uint8_t *data, uint64_t len, struct scm *s)
{
	uint32_t n = (uint32_t)(len / 4);

	if (n == 0)
		return 0;
	if (n > ABI_SCM_MAX_FD || s->nfiles + n > ABI_SCM_MAX_FD)
		return -EINVAL;
	if (s->files == NULL) {
		s->files = scm_files_new();
		if (s->files == NULL)
			return -ENOMEM;
	}
	for (uint32_t i = 0; i < n; i++) {
		int32_t fd;
		int err;

		memcpy(&fd, data + 4 * i, 4);
		err = fd_get_path(t, fd, &s->files[s->nfiles]);
		if (err)
			return err;
		s->nfiles++;
	}
	return 0;
}

static int
take_cred(struct task *t, const uint8_t *data, uint64_t len, struct scm *s)
{
	struct cred *c = task_cred(t);
	struct abi_ucred u;

	if (len != sizeof u)
		return -EINVAL;
	memcpy(&u, data, sizeof u);
	if (u.pid != t->process->pid && !task_capable(t, CAP_SYS_ADMIN))
		return -EPERM;
	if (u.pid != t->process->pid) {
		AUTO_PUT(process) p = process_find_get(u.pid);

		if (p == NULL)
			return -ESRCH;
	}
	if (u.uid != c->uid && u.uid != c->euid && u.uid != c->suid && !task_capable(t, CAP_SETUID))
		return -EPERM;
	if (u.gid != c->gid && u.gid != c->egid && u.gid != c->sgid && !task_capable(t, CAP_SETGID))
		return -EPERM;
	s->cred = u;
	s->has_cred = true;
	return 0;
}

int
scm_from_guest(struct task *t, gaddr_t control, uint64_t len, struct scm *out)
{
	AUTO_FREE uint8_t *buf = NULL;
	uint64_t off = 0;
	int err = 0;

	memset(out, 0, sizeof *out);
	if (len == 0)
		return 0;
	if (len > CONTROL_MAX)
		return -ENOBUFS;
	buf = mem_alloc(len);
	if (buf == NULL)
		return -ENOMEM;
	if (copy_in(t, buf, control, len) != 0)
		return -EFAULT;
	while (!err && len - off >= sizeof(struct abi_cmsghdr)) {
		struct abi_cmsghdr h;

		memcpy(&h, buf + off, sizeof h);
		if (h.len < sizeof h || h.len > len - off) {
			err = -EINVAL;
			break;
		}
		if (h.level == SOL_SOCKET) {
			const uint8_t *data = buf + off + sizeof h;

			if (h.type == ABI_SCM_RIGHTS)
				err = take_rights(t, data, h.len - sizeof h, out);
			else if (h.type == ABI_SCM_CREDENTIALS)
				err = take_cred(t, data, h.len - sizeof h, out);
			else
				err = -EINVAL;
		}
		if (CMSG_STEP(h.len) > len - off)
			break;
		off += CMSG_STEP(h.len);
	}
	if (err)
		scm_fini(out);
	return err;
}

/* Writes one control message at *off of the guest's buffer; what does not fit sets MSG_CTRUNC. */
static int
put_cmsg(struct task *t, gaddr_t control, uint64_t cap, uint64_t *off, int32_t type, const void *data, uint64_t len, uint32_t *flags)
{
	struct abi_cmsghdr h = { .len = sizeof h + len, .level = SOL_SOCKET, .type = type };

	if (cap - *off < sizeof h) {
		*flags |= ABI_MSG_CTRUNC;
		return 0;
	}
	if (cap - *off < h.len) {
		*flags |= ABI_MSG_CTRUNC;
		h.len = cap - *off;
		len = h.len - sizeof h;
	}
	if (copy_out(t, gaddr_add(control, *off), &h, sizeof h) != 0 ||
	    copy_out(t, gaddr_add(control, *off + sizeof h), data, len) != 0)
		return -EFAULT;
	*off += min(CMSG_STEP(h.len), cap - *off);
	return 0;
}

static int
put_rights(struct task *t, struct scm *s, gaddr_t control, uint64_t cap, uint64_t *off, uint32_t recv_flags, uint32_t *flags)
{
	int32_t fds[ABI_SCM_MAX_FD];
	uint64_t room = cap - *off;
	uint32_t fit, n = 0;

	/* Only as many descriptors are made as their numbers find room for. */
	fit = room < sizeof(struct abi_cmsghdr) ? 0 : (uint32_t)min((room - sizeof(struct abi_cmsghdr)) / 4, (uint64_t)s->nfiles);
	while (n < fit) {
		int fd = fd_install(t, s->files[n], recv_flags & ABI_MSG_CMSG_CLOEXEC ? FD_CLOEXEC : 0);

		if (fd < 0)
			break;
		fds[n++] = fd;
	}
	if (n < s->nfiles)
		*flags |= ABI_MSG_CTRUNC;
	if (n == 0)
		return 0;
	return put_cmsg(t, control, cap, off, ABI_SCM_RIGHTS, fds, 4ULL * n, flags);
}

int
scm_to_guest(struct task *t, struct sock *sk, struct scm *s, gaddr_t control, uint64_t *len, uint32_t recv_flags, uint32_t *flags)
{
	uint64_t off = 0;
	bool want_cred;
	int err = 0;

	mutex_lock(&sk->mu);
	want_cred = sk->passcred;
	mutex_unlock(&sk->mu);
	if (want_cred) {
		struct abi_ucred u = s->has_cred ? s->cred : (struct abi_ucred){ .uid = 65534, .gid = 65534 };

		err = put_cmsg(t, control, *len, &off, ABI_SCM_CREDENTIALS, &u, sizeof u, flags);
	}
	if (!err && s->nfiles > 0)
		err = put_rights(t, s, control, *len, &off, recv_flags, flags);
	*len = off;
	return err;
}
