/*
 * Calls about identity: user and group ids, supplementary groups, capabilities.  credentials(7),
 * capabilities(7).  Each changes a copy and publishes it; the rules of what ids do to capabilities are cred.c's.
 */
#include <linux/capability.h>
#include <string.h>

#include "base/kmem.h"
#include "sentry/kernel/tasktree.h"
#include "sentry/mm/usercopy.h"
#include "sentry/syscall/syscall.h"

#define KEEP		UINT32_MAX	/* (uid_t)-1: leave as it is */
#define NGROUPS_LIMIT	65536

/* A process that changed who it is may not be inspected by its former self. */
static int64_t
publish(struct task *t, struct cred *c)
{
	const struct cred *old = task_cred(t);

	if (c->euid != old->euid || c->egid != old->egid || c->fsuid != old->fsuid ||
	    c->fsgid != old->fsgid || (c->permitted & ~old->permitted) != 0) {
		atomic_store(&t->mm->dumpable, 0);
		mutex_lock(&kernel.tasks_mu);
		t->pdeath_signal = 0;
		mutex_unlock(&kernel.tasks_mu);
	}
	cred_commit(t, c);
	return 0;
}

int64_t
sys_getuid(struct task *t)
{
	return task_cred(t)->uid;
}

int64_t
sys_geteuid(struct task *t)
{
	return task_cred(t)->euid;
}

int64_t
sys_getgid(struct task *t)
{
	return task_cred(t)->gid;
}

int64_t
sys_getegid(struct task *t)
{
	return task_cred(t)->egid;
}

/*
 * The ids of the user and of the group follow the same rules: where they are, and the capability to choose them freely.
 * That cred_fix_uids sees a change of group ids as well does no harm: user ids that stay change no capability.
 */
struct id_kind {
	size_t	at;
	int	cap;
};
static const struct id_kind user_ids = { offsetof(struct cred, user), CAP_SETUID };
static const struct id_kind group_ids = { offsetof(struct cred, group), CAP_SETGID };

static struct cred_ids
ids_of(const struct cred *c, const struct id_kind *k)
{
	struct cred_ids ids;

	memcpy(&ids, (const char *)c + k->at, sizeof ids);
	return ids;
}

static int64_t
publish_ids(struct task *t, const struct id_kind *k, const struct cred_ids *ids)
{
	const struct cred *old = task_cred(t);
	struct cred *c;
	int err = cred_copy(old, &c);

	if (err)
		return err;
	memcpy((char *)c + k->at, ids, sizeof *ids);
	cred_fix_uids(c, old);
	return publish(t, c);
}

static bool
is_one_of(uint32_t id, uint32_t a, uint32_t b, uint32_t c)
{
	return id == KEEP || id == a || id == b || id == c;
}

static int64_t
set_id(struct task *t, const struct id_kind *k, uint32_t id)
{
	struct cred_ids ids = ids_of(task_cred(t), k);

	if (id == KEEP)
		return -EINVAL;
	if (task_capable(t, k->cap))
		ids.real = ids.saved = id;
	else if (id != ids.real && id != ids.saved)
		return -EPERM;
	ids.eff = ids.fs = id;
	return publish_ids(t, k, &ids);
}

static int64_t
set_re_ids(struct task *t, const struct id_kind *k, uint32_t real, uint32_t eff)
{
	const struct cred_ids old = ids_of(task_cred(t), k);
	struct cred_ids ids = old;

	if (!task_capable(t, k->cap) && !(is_one_of(real, old.real, old.eff, old.eff) &&
	    is_one_of(eff, old.real, old.eff, old.saved)))
		return -EPERM;
	if (real != KEEP)
		ids.real = real;
	if (eff != KEEP)
		ids.eff = eff;
	if (real != KEEP || (eff != KEEP && eff != old.real))
		ids.saved = ids.eff;
	ids.fs = ids.eff;
	return publish_ids(t, k, &ids);
}

static int64_t
set_res_ids(struct task *t, const struct id_kind *k, uint32_t real, uint32_t eff, uint32_t saved)
{
	struct cred_ids ids = ids_of(task_cred(t), k);

	if (!task_capable(t, k->cap) && !(is_one_of(real, ids.real, ids.eff, ids.saved) &&
	    is_one_of(eff, ids.real, ids.eff, ids.saved) && is_one_of(saved, ids.real, ids.eff, ids.saved)))
		return -EPERM;
	if (real != KEEP)
		ids.real = real;
	if (eff != KEEP)
		ids.eff = eff;
	if (saved != KEEP)
		ids.saved = saved;
	ids.fs = ids.eff;
	return publish_ids(t, k, &ids);
}

/* Whether the calls that set the id of the filesystem, and return the former one, may set it to id. */
static bool
may_set_fs_id(struct task *t, const struct id_kind *k, uint32_t id)
{
	const struct cred_ids ids = ids_of(task_cred(t), k);

	return id != KEEP && id != ids.fs &&
	    (id == ids.real || id == ids.eff || id == ids.saved || task_capable(t, k->cap));
}

int64_t
sys_setuid(struct task *t, uint32_t uid)
{
	return set_id(t, &user_ids, uid);
}

int64_t
sys_setgid(struct task *t, uint32_t gid)
{
	return set_id(t, &group_ids, gid);
}

int64_t
sys_setreuid(struct task *t, uint32_t ruid, uint32_t euid)
{
	return set_re_ids(t, &user_ids, ruid, euid);
}

int64_t
sys_setregid(struct task *t, uint32_t rgid, uint32_t egid)
{
	return set_re_ids(t, &group_ids, rgid, egid);
}

int64_t
sys_setresuid(struct task *t, uint32_t ruid, uint32_t euid, uint32_t suid)
{
	return set_res_ids(t, &user_ids, ruid, euid, suid);
}

int64_t
sys_setresgid(struct task *t, uint32_t rgid, uint32_t egid, uint32_t sgid)
{
	return set_res_ids(t, &group_ids, rgid, egid, sgid);
}

int64_t
sys_setfsuid(struct task *t, uint32_t uid)
{
	const struct cred *old = task_cred(t);
	uint32_t was = old->fsuid;
	struct cred *c;

	if (!may_set_fs_id(t, &user_ids, uid) || cred_copy(old, &c) != 0)
		return was;
	c->fsuid = uid;
	cred_fix_fsuid(c, old);
	(void)publish(t, c);
	return was;
}

int64_t
sys_setfsgid(struct task *t, uint32_t gid)
{
	uint32_t was = task_cred(t)->fsgid;
	struct cred *c;

	if (!may_set_fs_id(t, &group_ids, gid) || cred_copy(task_cred(t), &c) != 0)
		return was;
	c->fsgid = gid;
	(void)publish(t, c);
	return was;
}

static int64_t
put_three(struct task *t, gaddr_t a, gaddr_t b, gaddr_t c, const struct cred_ids *ids)
{
	int err = put_u32(t, a, ids->real);

	if (!err)
		err = put_u32(t, b, ids->eff);
	if (!err)
		err = put_u32(t, c, ids->saved);
	return err;
}

int64_t
sys_getresuid(struct task *t, gaddr_t ruid, gaddr_t euid, gaddr_t suid)
{
	return put_three(t, ruid, euid, suid, &task_cred(t)->user);
}

int64_t
sys_getresgid(struct task *t, gaddr_t rgid, gaddr_t egid, gaddr_t sgid)
{
	return put_three(t, rgid, egid, sgid, &task_cred(t)->group);
}

int64_t
sys_getgroups(struct task *t, int32_t size, gaddr_t list)
{
	const struct cred *c = task_cred(t);
	int err;

	if (size < 0)
		return -EINVAL;
	if (size == 0 || c->ngroups == 0)
		return c->ngroups;
	if ((uint32_t)size < c->ngroups)
		return -EINVAL;
	err = copy_out(t, list, c->groups, c->ngroups * sizeof *c->groups);
	return err ? err : (int64_t)c->ngroups;
}

int64_t
sys_setgroups(struct task *t, int32_t size, gaddr_t list)
{
	AUTO_FREE uint32_t *ids = NULL;
	struct cred *c;
	int err = 0;

	if (!task_capable(t, CAP_SETGID))
		return -EPERM;
	if (size < 0 || size > NGROUPS_LIMIT)
		return -EINVAL;
	if (size > 0) {
		ids = mem_alloc((size_t)size * sizeof *ids);
		if (ids == NULL)
			return -ENOMEM;
		err = copy_in(t, ids, list, (size_t)size * sizeof *ids);
		for (int32_t i = 0; !err && i < size; i++) {
			if (ids[i] == KEEP)
				err = -EINVAL;
		}
		if (err)
			return err;
	}
	err = cred_copy(task_cred(t), &c);
	if (err)
		return err;
	err = cred_set_groups(c, ids, (uint32_t)size);
	if (err) {
		cred_put(c);
		return err;
	}
	return publish(t, c);
}

/* ---- capabilities ---------------------------------------------------------- */

/* Reads and checks the header: words is 1 or 2 of 32 bits. A version nobody knows is answered with ours. */
static int
get_cap_header(struct task *t, gaddr_t header, struct __user_cap_header_struct *h, unsigned *words)
{
	int err = copy_in(t, h, header, sizeof *h);

	if (err)
		return err;
	switch (h->version) {
	case _LINUX_CAPABILITY_VERSION_1:
		*words = 1;
		return 0;
	case _LINUX_CAPABILITY_VERSION_2:
	case _LINUX_CAPABILITY_VERSION_3:
		*words = 2;
		return 0;
	default:
		err = put_u32(t, header, _LINUX_CAPABILITY_VERSION_3);
		return err ? err : -EINVAL;
	}
}

int64_t
sys_capget(struct task *t, gaddr_t header, gaddr_t data)
{
	struct __user_cap_header_struct h;
	struct __user_cap_data_struct d[2];
	AUTO_PUT(task) o = NULL;
	AUTO_PUT(cred) c = NULL;
	unsigned words = 0;
	int err = get_cap_header(t, header, &h, &words);

	/* Asking for the version alone is no error. */
	if (gaddr_is_null(data))
		return err == -EINVAL && words == 0 ? 0 : err;
	if (err)
		return err;
	if (h.pid < 0)
		return -EINVAL;
	o = h.pid == 0 ? task_get(t) : task_find_get(h.pid);
	if (o == NULL)
		return -ESRCH;
	c = task_cred_get(o);
	for (unsigned i = 0; i < words; i++) {
		d[i].effective = (uint32_t)(c->effective >> (32 * i));
		d[i].permitted = (uint32_t)(c->permitted >> (32 * i));
		d[i].inheritable = (uint32_t)(c->inheritable >> (32 * i));
	}
	return copy_out(t, data, d, words * sizeof d[0]);
}

int64_t
sys_capset(struct task *t, gaddr_t header, gaddr_t data)
{
	const struct cred *old = task_cred(t);
	struct __user_cap_header_struct h;
	struct __user_cap_data_struct d[2] = { { 0 } };
	uint64_t e, p, i;
	unsigned words = 0;
	struct cred *c;
	int err = get_cap_header(t, header, &h, &words);

	if (err)
		return err;
	if (h.pid != 0 && h.pid != t->tid)
		return -EPERM;
	err = copy_in(t, d, data, words * sizeof d[0]);
	if (err)
		return err;
	e = (d[0].effective | (uint64_t)d[1].effective << 32) & CAP_FULL;
	p = (d[0].permitted | (uint64_t)d[1].permitted << 32) & CAP_FULL;
	i = (d[0].inheritable | (uint64_t)d[1].inheritable << 32) & CAP_FULL;
	if (!cred_has_cap(old, CAP_SETPCAP) && (i & ~(old->inheritable | old->permitted)) != 0)
		return -EPERM;
	if ((i & ~(old->inheritable | old->bounding)) != 0)
		return -EPERM;
	if ((p & ~old->permitted) != 0 || (e & ~p) != 0)
		return -EPERM;
	err = cred_copy(old, &c);
	if (err)
		return err;
	c->effective = e;
	c->permitted = p;
	c->inheritable = i;
	c->ambient &= p & i;
	return publish(t, c);
}
