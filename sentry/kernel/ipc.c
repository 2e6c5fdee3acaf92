/* ipc: ids, keys and permissions of System V objects; see ipc.h. */
#include "sentry/kernel/ipc.h"

#include <string.h>
#include <time.h>

#include "base/kmem.h"
#include "sentry/kernel/clock.h"
#include "sentry/kernel/task.h"

#define INDEX_BITS	15
#define INDEX(id)	((uint32_t)(id) & ((1u << INDEX_BITS) - 1))
#define CAP_IPC_OWNER_NR	15
#define CAP_SYS_ADMIN_NR	21

struct ipc_perm *
ipc_find_index(struct ipc_ids *ids, uint32_t index)
{
	return index < ids->cap ? ids->slot[index] : NULL;
}

struct ipc_perm *
ipc_find(struct ipc_ids *ids, int32_t id)
{
	struct ipc_perm *p = id < 0 ? NULL : ipc_find_index(ids, INDEX(id));

	return p != NULL && p->id == id ? p : NULL;
}

struct ipc_perm *
ipc_find_key(struct ipc_ids *ids, uint32_t key)
{
	for (uint32_t i = 0; i < ids->cap; i++) {
		struct ipc_perm *p = ids->slot[i];

		if (p != NULL && key != 0 && p->key == key)
			return p;
	}
	return NULL;
}

uint32_t
ipc_highest(const struct ipc_ids *ids)
{
	for (uint32_t i = ids->cap; i > 0; i--) {
		if (ids->slot[i - 1] != NULL)
			return i - 1;
	}
	return 0;
}

int
ipc_add(struct ipc_ids *ids, struct ipc_perm *p, uint32_t key, uint32_t flags, struct task *t)
{
	const struct cred *c = task_cred(t);
	uint32_t i = 0;

	if (ids->used >= ids->max)
		return -ENOSPC;
	while (i < ids->cap && ids->slot[i] != NULL)
		i++;
	if (i == ids->cap) {
		uint32_t cap = ids->cap != 0 ? 2 * ids->cap : 16;
		struct ipc_perm **more = mem_realloc(ids->slot, cap * sizeof *more);

		if (more == NULL)
			return -ENOMEM;
		memset(more + ids->cap, 0, (cap - ids->cap) * sizeof *more);
		ids->slot = more;
		ids->cap = cap;
	}
	ids->slot[i] = p;
	ids->used++;
	/* A number that comes back late: whoever still has the old one gets an error, not another's object. */
	p->id = (int32_t)((ids->seq++ & 0xffff) << INDEX_BITS | i) & INT32_MAX;
	p->key = key;
	p->uid = p->cuid = c->euid;
	p->gid = p->cgid = c->egid;
	p->mode = flags & IPC_MODE;
	return 0;
}

void
ipc_remove(struct ipc_ids *ids, struct ipc_perm *p)
{
	BUG_ON(ipc_find(ids, p->id) != p);
	ids->slot[INDEX(p->id)] = NULL;
	ids->used--;
	p->removed = true;
}

bool
ipc_leave(struct ipc_perm *p)
{
	return --p->users == 0 && p->removed;
}

int
ipc_access(struct task *t, const struct ipc_perm *p, uint32_t mode)
{
	const struct cred *c = task_cred(t);
	uint32_t want = (mode >> 6 | mode >> 3 | mode) & 7, granted = p->mode;

	if (c->euid == p->cuid || c->euid == p->uid)
		granted >>= 6;
	else if (cred_in_group(c, p->cgid) || cred_in_group(c, p->gid))
		granted >>= 3;
	return (want & ~granted) && !cred_has_cap(c, CAP_IPC_OWNER_NR) ? -EACCES : 0;
}

int
ipc_owner(struct task *t, const struct ipc_perm *p)
{
	const struct cred *c = task_cred(t);

	return c->euid == p->cuid || c->euid == p->uid || cred_has_cap(c, CAP_SYS_ADMIN_NR) ? 0 : -EPERM;
}

int
ipc_reuse(struct task *t, const struct ipc_perm *p, uint32_t flags)
{
	if ((flags & IPC_CREAT_) && (flags & IPC_EXCL_))
		return -EEXIST;
	return ipc_access(t, p, flags & IPC_MODE);
}

void
ipc_fill(const struct ipc_perm *p, struct ipc64_perm *out)
{
	memset(out, 0, sizeof *out);
	out->key = (int)p->key;
	out->uid = p->uid;
	out->gid = p->gid;
	out->cuid = p->cuid;
	out->cgid = p->cgid;
	out->mode = p->mode;
	out->seq = (unsigned short)((uint32_t)p->id >> INDEX_BITS);
}

void
ipc_set(struct ipc_perm *p, const struct ipc64_perm *from)
{
	p->uid = from->uid;
	p->gid = from->gid;
	p->mode = (p->mode & ~IPC_MODE) | (from->mode & IPC_MODE);
}

int64_t
ipc_now(void)
{
	return (int64_t)(clock_stamp_ns() / NSEC_PER_SEC);
}
