/*
 * cred: identity and capabilities.  credentials(7), capabilities(7).
 *
 * A cred is immutable once a task points at it.  The transitions below are pure functions of
 * their arguments, so that a unit test covers them.  User namespaces do not exist: ids are the guest's own.
 */
#include "sentry/kernel/cred.h"

#include <linux/capability.h>
#include <linux/securebits.h>
#include <stdlib.h>
#include <string.h>

#include "base/kmem.h"
#include "sentry/kernel/task.h"

#define MODE_SETUID	04000
#define MODE_SETGID	02000
#define MODE_GROUP_EXEC	00010

KMEM_CACHE(cred);

int
cred_new(uint64_t bounding, struct cred **out)
{
	struct cred *c = obj_new(cred);

	if (c == NULL)
		return -ENOMEM;
	ref_init(&c->ref, OBJ_cred);
	c->bounding = bounding & CAP_FULL;
	*out = c;
	return 0;
}

static int
compare_ids(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

/* Sifts v[i] down a heap of n. */
static void
sift_id(uint32_t *v, uint32_t i, uint32_t n)
{
	uint32_t x = v[i], kid;

	while ((kid = 2 * i + 1) < n) {
		if (kid + 1 < n && v[kid + 1] > v[kid])
			kid++;
		if (v[kid] <= x)
			break;
		v[i] = v[kid];
		i = kid;
	}
	v[i] = x;
}

/* libc's qsort asks the host how much memory it has when there is much to sort; the filter kills for that. */
static void
sort_ids(uint32_t *v, uint32_t n)
{
	for (uint32_t i = n / 2; i-- > 0;)
		sift_id(v, i, n);
	for (uint32_t end = n; end-- > 1;) {
		uint32_t top = v[0];

		v[0] = v[end];
		v[end] = top;
		sift_id(v, 0, end);
	}
}

int
cred_set_groups(struct cred *c, const uint32_t *groups, uint32_t n)
{
	uint32_t *copy = NULL;

	if (n > 0) {
		copy = mem_alloc(n * sizeof *copy);
		if (copy == NULL)
			return -ENOMEM;
		memcpy(copy, groups, n * sizeof *copy);
		sort_ids(copy, n);
	}
	mem_free(c->groups);
	c->groups = copy;
	c->ngroups = n;
	return 0;
}

int
cred_copy(const struct cred *old, struct cred **out)
{
	struct cred *c = obj_new(cred);
	int err;

	if (c == NULL)
		return -ENOMEM;
	/* All but the count, which others change meanwhile. */
	memcpy((char *)c + sizeof c->ref, (const char *)old + sizeof old->ref,
	    sizeof *c - sizeof c->ref);
	c->groups = NULL;
	c->ngroups = 0;
	ref_init(&c->ref, OBJ_cred);
	err = cred_set_groups(c, old->groups, old->ngroups);
	if (err) {
		cred_put(c);
		return err;
	}
	*out = c;
	return 0;
}

void
cred_release(struct cred *c)
{
	mem_free(c->groups);
	obj_free(cred, c);
}

struct mm *
cred_commit_mm(struct task *t, struct cred *c, struct mm *mm)
{
	struct cred *old;
	struct mm *old_mm;

	mutex_lock(&t->alloc_mu);
	old = t->cred;
	old_mm = t->mm;
	t->cred = c;
	t->mm = mm;
	mutex_unlock(&t->alloc_mu);
	answers_cred(t);
	cred_put(old);
	return old_mm;
}

void
cred_commit(struct task *t, struct cred *c)
{
	cred_commit_mm(t, c, t->mm);
}

struct cred *
task_cred_get(struct task *t)
{
	struct cred *c;

	mutex_lock(&t->alloc_mu);
	c = cred_get(t->cred);
	mutex_unlock(&t->alloc_mu);
	return c;
}

bool
cred_has_cap(const struct cred *c, int cap)
{
	return cap >= 0 && cap < 64 && (c->effective >> cap & 1);
}

bool
cred_in_group(const struct cred *c, uint32_t gid)
{
	if (c->fsgid == gid)
		return true;
	return c->ngroups > 0 &&
	    bsearch(&gid, c->groups, c->ngroups, sizeof gid, compare_ids) != NULL;
}

/* ---- changes of user ids --------------------------------------------------- */

#define CAP_FS_MASK	(1ULL << CAP_CHOWN | 1ULL << CAP_MKNOD | 1ULL << CAP_DAC_OVERRIDE |	\
	1ULL << CAP_DAC_READ_SEARCH | 1ULL << CAP_FOWNER | 1ULL << CAP_FSETID |		\
	1ULL << CAP_LINUX_IMMUTABLE | 1ULL << CAP_MAC_OVERRIDE)

void
cred_fix_uids(struct cred *c, const struct cred *old)
{
	bool had_root = old->uid == 0 || old->euid == 0 || old->suid == 0;
	bool has_root = c->uid == 0 || c->euid == 0 || c->suid == 0;

	if (c->securebits & SECBIT_NO_SETUID_FIXUP)
		return;
	if (had_root && !has_root) {
		if (!(c->securebits & SECBIT_KEEP_CAPS)) {
			c->permitted = 0;
			c->effective = 0;
		}
		c->ambient = 0;
	}
	if (old->euid == 0 && c->euid != 0)
		c->effective = 0;
	if (old->euid != 0 && c->euid == 0)
		c->effective = c->permitted;
}

void
cred_fix_fsuid(struct cred *c, const struct cred *old)
{
	if (c->securebits & SECBIT_NO_SETUID_FIXUP)
		return;
	if (old->fsuid == 0 && c->fsuid != 0)
		c->effective &= ~CAP_FS_MASK;
	if (old->fsuid != 0 && c->fsuid == 0)
		c->effective |= c->permitted & CAP_FS_MASK;
}

/* ---- execve ---------------------------------------------------------------- */

int
exec_attr_caps(struct exec_attr *a, const void *xattr, size_t len)
{
	struct vfs_ns_cap_data d = { 0 };
	unsigned words;

	if (len < sizeof d.magic_etc || len > sizeof d)
		return -EINVAL;
	memcpy(&d, xattr, len);
	switch (d.magic_etc & VFS_CAP_REVISION_MASK) {
	case VFS_CAP_REVISION_1:
		if (len != XATTR_CAPS_SZ_1)
			return -EINVAL;
		words = VFS_CAP_U32_1;
		break;
	case VFS_CAP_REVISION_2:
		if (len != XATTR_CAPS_SZ_2)
			return -EINVAL;
		words = VFS_CAP_U32_2;
		break;
	case VFS_CAP_REVISION_3:
		if (len != XATTR_CAPS_SZ_3)
			return -EINVAL;
		/* Made for another user namespace's root: it means nothing here. */
		if (d.rootid != 0)
			return 0;
		words = VFS_CAP_U32_3;
		break;
	default:
		return -EINVAL;
	}
	a->permitted = a->inheritable = 0;
	for (unsigned i = 0; i < words; i++) {
		a->permitted |= (uint64_t)d.data[i].permitted << (32 * i);
		a->inheritable |= (uint64_t)d.data[i].inheritable << (32 * i);
	}
	a->permitted &= CAP_FULL;
	a->inheritable &= CAP_FULL;
	a->caps_effective = d.magic_etc & VFS_CAP_FLAGS_EFFECTIVE;
	a->has_caps = true;
	return 0;
}

/* The setuid and setgid bits; no_new_privs and nosuid mounts switch them off.  Did one apply? */
static bool
exec_ids(struct cred *c, const struct cred *old, const struct exec_attr *a)
{
	/* Without group execution the bit once meant mandatory locking. */
	bool group = (a->mode & (MODE_SETGID | MODE_GROUP_EXEC)) == (MODE_SETGID | MODE_GROUP_EXEC);

	if (a->nosuid || old->no_new_privs)
		return false;
	if (a->mode & MODE_SETUID)
		c->euid = a->uid;
	if (group)
		c->egid = a->gid;
	return group || (a->mode & MODE_SETUID);
}

/* What the file's capabilities and root's give.  -EPERM: a program that counts on its capabilities would run with fewer. */
static int
exec_caps(struct cred *c, const struct cred *old, const struct exec_attr *a, bool file_caps, bool *eff)
{
	bool root_file = c->euid == 0 && old->uid != 0;

	c->permitted = 0;
	if (file_caps) {
		c->permitted = (a->permitted & old->bounding) | (a->inheritable & old->inheritable);
		*eff = a->caps_effective;
		if (*eff && (a->permitted & ~c->permitted) != 0)
			return -EPERM;
	}
	/* A setuid-root program with file capabilities, run by another, gets just those. */
	if ((old->securebits & SECBIT_NOROOT) || (file_caps && root_file))
		return 0;
	if (c->euid == 0 || c->uid == 0)
		c->permitted = old->bounding | old->inheritable;
	*eff |= c->euid == 0;
	return 0;
}

int
cred_exec(const struct cred *old, const struct exec_attr *a, struct cred **out, struct exec_gain *g)
{
	bool file_caps = a->has_caps && !a->nosuid, eff = false, bits, changed, gained;
	struct cred *c;
	int err;

	err = cred_copy(old, &c);
	if (err)
		return err;
	bits = exec_ids(c, old, a);
	err = exec_caps(c, old, a, file_caps, &eff);
	if (err) {
		cred_put(c);
		return err;
	}
	/* A group that it is in anyway is no other one. */
	changed = c->euid != old->euid || !cred_in_group(old, c->egid);
	gained = (c->permitted & ~old->permitted) != 0;
	if ((changed || gained) && (old->no_new_privs || a->shared)) {
		/* No more than it had. */
		if (old->no_new_privs || !cred_has_cap(old, CAP_SETUID)) {
			c->euid = c->uid;
			c->egid = c->gid;
		}
		c->permitted &= old->permitted;
	}
	/* Ambient capabilities end where the file itself confers something. */
	if (file_caps || changed)
		c->ambient = 0;
	c->permitted |= c->ambient;
	c->effective = eff ? c->permitted : c->ambient;
	c->suid = c->fsuid = c->euid;
	c->sgid = c->fsgid = c->egid;
	c->securebits &= ~(uint32_t)SECBIT_KEEP_CAPS;
	g->any = changed || gained;
	g->plain = bits || gained;
	g->secure = changed || c->euid != old->uid || c->egid != old->gid ||
	    (c->uid != 0 && (eff || (c->permitted & ~c->ambient) != 0));
	*out = c;
	return 0;
}
