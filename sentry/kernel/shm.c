/*
 * shm: System V shared memory.  shmget(2), shmop(2), shmctl(2).
 *
 * A segment is a name for an anonymous memory object.  It holds a reference until IPC_RMID; after that the
 * mappings alone keep the object, whose last put takes the segment out of the table.  Attachments are counted by the
 * regions that map the object, so fork, exit, munmap and mremap need not know about segments.
 */
#include <asm/shmbuf.h>
#include <string.h>
#include <sys/mman.h>

#include "base/kmem.h"
#include "base/strbuf.h"
#include "sentry/kernel/ipc.h"
#include "sentry/kernel/task.h"
#include "sentry/mm/mm.h"
#include "sentry/mm/usercopy.h"
#include "sentry/syscall/syscall.h"
#include "sentry/vfs/file.h"

enum { SHM_RDONLY_ = 010000, SHM_RND_ = 020000, SHM_REMAP_ = 040000, SHM_EXEC_ = 0100000 };
enum { SHM_LOCK_ = 11, SHM_UNLOCK_ = 12, SHM_STAT_ = 13, SHM_INFO_ = 14, SHM_STAT_ANY_ = 15 };
enum { SHM_DEST_ = 01000, SHM_LOCKED_ = 02000, SHM_HUGETLB_ = 04000 };
#define SHM_LIMIT	(UINT64_MAX - (1ULL << 24))

struct shm {
	struct ipc_perm	 perm;		/* first */
	struct mobj	*mobj;		/* [ids] counted until RMID, then borrowed */
	uint64_t	 size;		/* [I] as asked */
	int64_t		 atime, dtime, ctime;	/* [ids] */
	int32_t		 cpid, lpid;	/* [ids] */
};
KMEM_CACHE(shm);

static struct ipc_ids ids = { .mu = MUTEX_INIT(RANK_object), .max = 4096 };

static struct shm *
shm_of(struct ipc_perm *p)
{
	return p == NULL ? NULL : container_of(p, struct shm, perm);
}

/* The object's last reference went. */
static void
shm_gone(void *arg)
{
	struct shm *s = arg;

	mutex_lock(&ids.mu);
	ipc_remove(&ids, &s->perm);
	mutex_unlock(&ids.mu);
	obj_free(shm, s);
}

static int
shm_create(struct task *t, uint32_t key, uint64_t size, uint32_t flags)
{
	struct shm *s;
	struct mobj *o;
	char name[16];
	struct strbuf sb = STRBUF(name, sizeof name);
	int err;

	if (size == 0 || size > SHM_LIMIT)
		return -EINVAL;
	if (flags & SHM_HUGETLB_)
		return -ENOMEM;
	if (size > GUEST_TOP)
		return -ENOMEM;
	s = obj_new(shm);
	if (s == NULL)
		return -ENOMEM;
	err = mobj_new_anon(size, &o);
	if (err) {
		obj_free(shm, s);
		return err;
	}
	s->mobj = o;
	s->size = size;
	s->ctime = ipc_now();
	s->cpid = t->process->pid;
	mutex_lock(&ids.mu);
	err = ipc_find_key(&ids, key) != NULL ? -EEXIST : ipc_add(&ids, &s->perm, key, flags, t);
	if (!err) {
		sb_printf(&sb, "SYSV%08x", key);
		mobj_anon_set_name(o, name, (uint64_t)s->perm.id);
		mobj_anon_set_owner(o, s, shm_gone);
		err = s->perm.id;
		mutex_unlock(&ids.mu);
		return err;
	}
	mutex_unlock(&ids.mu);
	mobj_put(o);
	obj_free(shm, s);
	return err;
}

int64_t
sys_shmget(struct task *t, uint32_t key, uint64_t size, uint32_t flags)
{
	uint32_t k = key;
	struct shm *s;
	int err = -ENOENT;

	if (k == 0)
		return shm_create(t, 0, size, flags);
	do {
		mutex_lock(&ids.mu);
		s = shm_of(ipc_find_key(&ids, k));
		if (s != NULL) {
			err = ipc_reuse(t, &s->perm, flags);
			if (!err && size > s->size)
				err = -EINVAL;
			if (!err)
				err = s->perm.id;
		}
		mutex_unlock(&ids.mu);
		if (s != NULL || !(flags & IPC_CREAT_))
			return err;
		/* Somebody else may make it first. */
		err = shm_create(t, k, size, flags);
	} while (err == -EEXIST);
	return err;
}

/* ---- attach, detach ---------------------------------------------------------------- */

static int
attach_args(uint64_t addr, uint32_t flags, struct mmap_args *a)
{
	if (addr & ~PAGE_MASK) {
		if (!(flags & SHM_RND_))
			return -EINVAL;
		addr = page_down(addr);
		if (addr == 0 && (flags & SHM_REMAP_))
			return -EINVAL;
	} else if (addr == 0 && (flags & SHM_REMAP_)) {
		return -EINVAL;
	}
	a->addr = addr;
	a->flags = MAP_SHARED;
	if (addr != 0)
		a->flags |= flags & SHM_REMAP_ ? MAP_FIXED : MAP_FIXED_NOREPLACE;
	a->prot = PROT_READ;
	a->maxprot = PROT_READ | PROT_EXEC;
	if (!(flags & SHM_RDONLY_)) {
		a->prot |= PROT_WRITE;
		a->maxprot |= PROT_WRITE;
	}
	if (flags & SHM_EXEC_)
		a->prot |= PROT_EXEC;
	return 0;
}

int64_t
sys_shmat(struct task *t, int32_t shmid, gaddr_t addr, uint32_t flags)
{
	uint32_t mode = (flags & SHM_RDONLY_ ? 0444u : 0666u) | (flags & SHM_EXEC_ ? 0111u : 0u);
	struct mmap_args a = { .file = NULL };
	struct shm *s;
	int64_t at;
	int err;

	if (shmid < 0)
		return -EINVAL;
	err = attach_args(gaddr_raw(addr), flags, &a);
	if (err)
		return err;
	mutex_lock(&ids.mu);
	s = shm_of(ipc_find(&ids, shmid));
	err = s == NULL ? -EINVAL : ipc_access(t, &s->perm, mode);
	if (!err) {
		a.mobj = mobj_tryget(s->mobj);
		a.len = s->size;
		if (a.mobj == NULL)
			err = -EIDRM;
	}
	mutex_unlock(&ids.mu);
	if (err)
		return err;
	mm_set_limits(t->mm, t);
	at = mm_map(t->mm, &a);
	if (at >= 0) {
		mutex_lock(&ids.mu);
		/* a.mobj is ours, so the segment is there. */
		s->atime = ipc_now();
		s->lpid = t->process->pid;
		mutex_unlock(&ids.mu);
	}
	mobj_put(a.mobj);
	return at == -EEXIST ? -EINVAL : at;
}

int64_t
sys_shmdt(struct task *t, gaddr_t addr)
{
	uint64_t va = gaddr_raw(addr), at = va, end = UINT64_MAX;
	struct mobj *seg = NULL;
	struct region_info i;
	struct shm *s;
	int err = 0;

	if (va & ~PAGE_MASK)
		return -EINVAL;
	while (!err && at < end && mm_next_region(t->mm, at, &i)) {
		s = mobj_anon_owner(i.mobj);
		at = i.end;
		/* The pieces of one attachment, wherever mprotect or munmap have cut it. */
		if (s != NULL && i.start - i.off == va && (seg == NULL || seg == i.mobj)) {
			if (seg == NULL) {
				seg = mobj_get(i.mobj);
				end = va + page_up(s->size);
			}
			err = mm_unmap(t->mm, i.start, i.end - i.start);
		}
		file_put(i.file);
		mobj_put(i.mobj);
	}
	if (seg == NULL)
		return -EINVAL;
	s = mobj_anon_owner(seg);
	mutex_lock(&ids.mu);
	s->dtime = ipc_now();
	s->lpid = t->process->pid;
	mutex_unlock(&ids.mu);
	mobj_put(seg);
	return err;
}

/* ---- shmctl ------------------------------------------------------------------------- */

static void
shm_fill(const struct shm *s, struct shmid64_ds *out)
{
	memset(out, 0, sizeof *out);
	ipc_fill(&s->perm, &out->shm_perm);
	out->shm_segsz = s->size;
	out->shm_atime = s->atime;
	out->shm_dtime = s->dtime;
	out->shm_ctime = s->ctime;
	out->shm_cpid = s->cpid;
	out->shm_lpid = s->lpid;
}

/* Every mapping of the object is an attachment. */
static uint64_t
attached(struct mobj *o)
{
	uint64_t n = 0;

	mutex_lock(&o->mu);
	for (struct list *l = o->regions.next; l != &o->regions; l = l->next)
		n++;
	mutex_unlock(&o->mu);
	return n;
}

static int64_t
shm_stat(struct task *t, int32_t id, int32_t cmd, gaddr_t buf)
{
	AUTO_PUT(mobj) o = NULL;
	struct shmid64_ds ds;
	struct shm *s;
	int64_t ret = 0;

	mutex_lock(&ids.mu);
	s = shm_of(cmd == IPC_STAT_ ? ipc_find(&ids, id) : ipc_find_index(&ids, (uint32_t)id));
	if (s == NULL)
		ret = -EINVAL;
	else if (cmd != SHM_STAT_ANY_)
		ret = ipc_access(t, &s->perm, 0444);
	if (ret == 0) {
		shm_fill(s, &ds);
		ret = cmd == IPC_STAT_ ? 0 : s->perm.id;
		o = mobj_tryget(s->mobj);
		if (o == NULL)
			ret = -EINVAL;
	}
	mutex_unlock(&ids.mu);
	/* The put may be the last, and takes the segment out of the table: no lock here. */
	if (ret >= 0)
		ds.shm_nattch = attached(o);
	if (ret >= 0 && copy_out(t, buf, &ds, sizeof ds) != 0)
		return -EFAULT;
	return ret;
}

static int64_t
shm_info(struct task *t, int32_t cmd, gaddr_t buf)
{
	struct shminfo64 in = { .shmmax = SHM_LIMIT, .shmmin = 1, .shmmni = 4096, .shmseg = 4096,
	    .shmall = SHM_LIMIT };
	struct { int32_t used_ids, pad; uint64_t tot, rss, swp, attempts, successes; } out = { .pad = 0 };
	int64_t high;

	mutex_lock(&ids.mu);
	high = ipc_highest(&ids);
	out.used_ids = (int32_t)ids.used;
	for (uint32_t i = 0; i < ids.cap; i++) {
		if (ids.slot[i] != NULL)
			out.tot += page_up(shm_of(ids.slot[i])->size) >> PAGE_SHIFT;
	}
	out.rss = out.tot;
	mutex_unlock(&ids.mu);
	if (cmd == IPC_INFO_)
		return copy_out(t, buf, &in, sizeof in) != 0 ? -EFAULT : high;
	return copy_out(t, buf, &out, sizeof out) != 0 ? -EFAULT : high;
}

static int64_t
shm_change(struct task *t, int32_t id, int32_t cmd, const struct shmid64_ds *ds)
{
	struct mobj *drop = NULL;
	struct shm *s;
	int err;

	mutex_lock(&ids.mu);
	s = shm_of(ipc_find(&ids, id));
	err = s == NULL ? -EINVAL : ipc_owner(t, &s->perm);
	if (!err) {
		switch (cmd) {
		case IPC_SET_:
			ipc_set(&s->perm, &ds->shm_perm);
			s->ctime = ipc_now();
			break;
		case SHM_LOCK_:
			s->perm.mode |= SHM_LOCKED_;
			break;
		case SHM_UNLOCK_:
			s->perm.mode &= ~(uint32_t)SHM_LOCKED_;
			break;
		default:	/* IPC_RMID */
			if (!(s->perm.mode & SHM_DEST_))
				drop = s->mobj;
			s->perm.mode |= SHM_DEST_;
			s->perm.key = 0;
		}
	}
	mutex_unlock(&ids.mu);
	mobj_put(drop);
	return err;
}

int64_t
sys_shmctl(struct task *t, int32_t shmid, int32_t cmd, gaddr_t buf)
{
	struct shmid64_ds ds;

	if (shmid < 0 || cmd < 0)
		return -EINVAL;
	switch (cmd) {
	case IPC_STAT_: case SHM_STAT_: case SHM_STAT_ANY_:
		return shm_stat(t, shmid, cmd, buf);
	case IPC_INFO_: case SHM_INFO_:
		return shm_info(t, cmd, buf);
	case IPC_SET_:
		if (copy_in(t, &ds, buf, sizeof ds) != 0)
			return -EFAULT;
		return shm_change(t, shmid, cmd, &ds);
	case IPC_RMID_: case SHM_LOCK_: case SHM_UNLOCK_:
		return shm_change(t, shmid, cmd, NULL);
	default:
		return -EINVAL;
	}
}
