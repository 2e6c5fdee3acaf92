/*
 * sys_mm: memory calls.  Checks of arguments and files; the work is sentry/mm's.
 */
#include <linux/mount.h>
#include <linux/mman.h>
#include <sys/mman.h>

#include "sentry/kernel/inspect.h"
#include "sentry/kernel/task.h"
#include "sentry/mm/iobuf.h"
#include "sentry/mm/mm.h"
#include "sentry/mm/usercopy.h"
#include "sentry/syscall/syscall.h"
#include "sentry/vfs/fdtable.h"
#include "sentry/vfs/file.h"
#include "sentry/vfs/mount.h"

#define CAP_SYS_ADMIN_NR	21
#define CAP_IPC_LOCK_NR		14

/* What MAP_SHARED_VALIDATE accepts: LEGACY_MAP_MASK of Linux. */
#define MAP_LEGACY	(MAP_SHARED | MAP_PRIVATE | MAP_FIXED | MAP_ANONYMOUS | MAP_DENYWRITE | \
	MAP_EXECUTABLE | MAP_UNINITIALIZED | MAP_GROWSDOWN | MAP_LOCKED | MAP_NORESERVE | \
	MAP_POPULATE | MAP_NONBLOCK | MAP_STACK | MAP_HUGETLB | MAP_32BIT | (63U << 26) | MAP_FIXED_NOREPLACE)
#ifndef MAP_UNINITIALIZED
#define MAP_UNINITIALIZED 0x4000000
#endif

static bool
may_lock(struct task *t)
{
	return task_capable(t, CAP_IPC_LOCK_NR) || task_rlimit(t, 8) != 0;	/* RLIMIT_MEMLOCK */
}

/* mmap's view of the file: modes, mount flags; then the file says what lies behind it. */
static int
mmap_file(struct task *t, struct file *f, struct mmap_args *a)
{
	uint32_t mnt = f->path.mnt != NULL ? atomic_load(&f->path.mnt->flags) : 0;
	bool shared = (a->flags & MAP_TYPE) != MAP_PRIVATE;

	if ((a->flags & MAP_TYPE) == MAP_SHARED_VALIDATE && (a->flags & ~(uint32_t)(MAP_LEGACY | MAP_SHARED_VALIDATE)))
		return -EOPNOTSUPP;
	if (shared && !(f->mode & FMODE_WRITE)) {
		if (a->prot & PROT_WRITE)
			return -EACCES;
		a->maxprot &= ~(uint32_t)PROT_WRITE;
	}
	if (!(f->mode & FMODE_READ))
		return -EACCES;
	if (mnt & MS_NOEXEC) {
		if (a->prot & PROT_EXEC)
			return -EPERM;
		a->maxprot &= ~(uint32_t)PROT_EXEC;
	}
	if (a->flags & MAP_GROWSDOWN)
		return -EINVAL;
	a->file = f;
	return f->ops->mmap(f, t, a);
}

int64_t
sys_mmap(struct task *t, gaddr_t addr, uint64_t len, uint64_t prot, uint64_t flags, int32_t fd, uint64_t offset)
{
	AUTO_PUT(file) f = NULL;
	struct mmap_args a = { .addr = gaddr_raw(addr), .len = len, .off = offset, .prot = (uint32_t)prot,
	    .flags = (uint32_t)flags, .maxprot = PROT_READ | PROT_WRITE | PROT_EXEC };
	int64_t ret;
	int err;

	if (offset & ~PAGE_MASK)
		return -EINVAL;
	if (!(flags & MAP_ANONYMOUS)) {
		err = fd_get(t, fd, &f);
		if (err)
			return err;
		if (flags & MAP_HUGETLB)
			return -EINVAL;
	} else if (flags & MAP_HUGETLB) {
		/* As on a host whose pool of huge pages is empty. */
		report_missing(t, "mmap MAP_HUGETLB");
		return -ENOMEM;
	}
	a.file = f;
	err = mm_map_check(&a);
	if (err)
		return err;
	if ((flags & MAP_LOCKED) && !may_lock(t))
		return -EPERM;
	mm_set_limits(t->mm, t);
	if (f != NULL) {
		err = mmap_file(t, f, &a);
		if (err)
			return err;
	}
	ret = mm_map(t->mm, &a);
	mobj_put(a.mobj);
	return ret;
}

int64_t
sys_munmap(struct task *t, gaddr_t addr, uint64_t len)
{
	return mm_unmap(t->mm, gaddr_raw(addr), len);
}

int64_t
sys_mprotect(struct task *t, gaddr_t addr, uint64_t len, uint64_t prot)
{
	bool down = prot & PROT_GROWSDOWN;

	if (down && (prot & PROT_GROWSUP))
		return -EINVAL;
	prot &= ~(uint64_t)(PROT_GROWSDOWN | PROT_GROWSUP);
	if (prot > UINT32_MAX)
		prot = UINT32_MAX;	/* as wrong as it was */
	if (prot & PROT_WRITE)
		mm_set_limits(t->mm, t);
	return mm_protect(t->mm, gaddr_raw(addr), len, (uint32_t)prot, down);
}

int64_t
sys_mremap(struct task *t, gaddr_t old, uint64_t old_len, uint64_t new_len, uint64_t flags, gaddr_t new_addr)
{
	if (flags > UINT32_MAX)
		return -EINVAL;
	mm_set_limits(t->mm, t);
	return mm_remap(t->mm, gaddr_raw(old), old_len, new_len, (uint32_t)flags, gaddr_raw(new_addr));
}

int64_t
sys_brk(struct task *t, gaddr_t brk)
{
	mm_set_limits(t->mm, t);
	return mm_brk(t->mm, gaddr_raw(brk));
}

/* ---- madvise ----------------------------------------------------------------- */

/* MADV_REMOVE of what i maps in [start, end). */
static int
remove_range(struct task *t, const struct region_info *i, uint64_t start, uint64_t end)
{
	uint64_t off = i->off + (start - i->start);

	if (i->flags & REGION_LOCKED)
		return -EINVAL;
	if (i->mobj == NULL)
		return -EINVAL;
	if (!(i->flags & REGION_SHARED) || !(i->prot & PROT_WRITE))
		return -EACCES;
	if (i->file == NULL)
		return mobj_anon_punch(i->mobj, off, end - start);
	return (int)i->file->ops->fallocate(i->file, t, 3, (int64_t)off, (int64_t)(end - start)); /* KEEP_SIZE, PUNCH_HOLE */
}

static int64_t
madvise_remove(struct task *t, uint64_t addr, uint64_t len)
{
	uint64_t end = addr + page_up(len), at = addr;
	struct region_info i;
	int err = 0, holes = 0;

	if ((addr & ~PAGE_MASK) || (len != 0 && page_up(len) == 0) || end < addr)
		return -EINVAL;
	while (!err && at < end && mm_next_region(t->mm, at, &i)) {
		if (i.start < end) {
			if (i.start > at)
				holes = -ENOMEM;
			err = remove_range(t, &i, max(at, i.start), min(end, i.end));
		}
		at = i.start < end ? i.end : end + 1;
		file_put(i.file);
		mobj_put(i.mobj);
	}
	if (at != end && (at < end || at == end + 1))
		holes = -ENOMEM;
	return err ? err : holes;
}

int64_t
sys_madvise(struct task *t, gaddr_t addr, uint64_t len, int32_t advice)
{
	switch (advice) {
	case MADV_REMOVE:
		return madvise_remove(t, gaddr_raw(addr), len);
	case MADV_HWPOISON:
	case MADV_SOFT_OFFLINE:
		report_missing(t, "madvise %d", advice);
		return task_capable(t, CAP_SYS_ADMIN_NR) ? -EINVAL : -EPERM;
	default:
		return mm_advise(t->mm, gaddr_raw(addr), len, advice);
	}
}

int64_t
sys_msync(struct task *t, gaddr_t addr, uint64_t len, uint32_t flags)
{
	uint64_t at = gaddr_raw(addr), end;
	struct region_info i;
	int holes = 0, err = 0;

	if ((flags & ~(uint32_t)(MS_ASYNC | MS_INVALIDATE | MS_SYNC)) || (at & ~PAGE_MASK) ||
	    ((flags & MS_ASYNC) && (flags & MS_SYNC)))
		return -EINVAL;
	/* A length that wraps when it is rounded is none at all, on Linux too. */
	if (ckd_add(&end, at, page_up(len)))
		return -ENOMEM;
	while (!err && at < end) {
		if (!mm_next_region(t->mm, at, &i))
			return -ENOMEM;
		if (i.start > at)
			holes = -ENOMEM;
		if (i.start < end) {
			if ((flags & MS_INVALIDATE) && (i.flags & REGION_LOCKED))
				err = -EBUSY;
			else if ((flags & MS_SYNC) && i.file != NULL && (i.flags & REGION_SHARED))
				err = i.file->ops->fsync(i.file, t, true);
		}
		at = i.end;
		file_put(i.file);
		mobj_put(i.mobj);
	}
	return err ? err : holes;
}

int64_t
sys_mincore(struct task *t, gaddr_t addr, uint64_t len, gaddr_t vec)
{
	uint64_t at = gaddr_raw(addr), end;
	unsigned char ones[256];
	struct region_info i;

	if (at & ~PAGE_MASK)
		return -EINVAL;
	if (ckd_add(&end, at, len) || end > GUEST_TOP)
		return -ENOMEM;
	end = page_up(end);
	for (unsigned n = 0; n < sizeof ones; n++)
		ones[n] = 1;
	for (uint64_t out = 0; at < end; ) {
		uint64_t n;
		int err;

		if (!mm_next_region(t->mm, at, &i))
			return -ENOMEM;
		file_put(i.file);
		mobj_put(i.mobj);
		if (i.start > at)
			return -ENOMEM;
		n = (min(i.end, end) - at) / PAGE_SIZE;
		n = min(n, sizeof ones);
		err = copy_out(t, gaddr_add(vec, out), ones, n);
		if (err)
			return err;
		out += n;
		at += n * PAGE_SIZE;
	}
	return 0;
}

/* ---- mlock -------------------------------------------------------------------- */

static int64_t
do_lock(struct task *t, gaddr_t addr, uint64_t len)
{
	uint64_t start = page_down(gaddr_raw(addr)), size = page_up(len + (gaddr_raw(addr) - start));
	int err;

	if (!may_lock(t))
		return -EPERM;
	mm_set_limits(t->mm, t);
	err = mm_lock(t->mm, gaddr_raw(addr), len, true, task_capable(t, CAP_IPC_LOCK_NR));
	if (err)
		return err;
	/* Pages that cannot be there (past the end of a file, no access) are an error here, as on Linux. */
	err = mm_populate(t->mm, start, size, false);
	return err ? -ENOMEM : 0;
}

int64_t
sys_mlock(struct task *t, gaddr_t addr, uint64_t len)
{
	return do_lock(t, addr, len);
}

int64_t
sys_mlock2(struct task *t, gaddr_t addr, uint64_t len, uint32_t flags)
{
	if (flags & ~1u)		/* MLOCK_ONFAULT */
		return -EINVAL;
	if (!(flags & 1))
		return do_lock(t, addr, len);
	if (!may_lock(t))
		return -EPERM;
	mm_set_limits(t->mm, t);
	return mm_lock(t->mm, gaddr_raw(addr), len, true, task_capable(t, CAP_IPC_LOCK_NR));
}

int64_t
sys_munlock(struct task *t, gaddr_t addr, uint64_t len)
{
	return mm_lock(t->mm, gaddr_raw(addr), len, false, true);
}

int64_t
sys_mlockall(struct task *t, uint32_t flags)
{
	if (flags == 0 || (flags & ~(uint32_t)(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT)) || flags == MCL_ONFAULT)
		return -EINVAL;
	if (!may_lock(t))
		return -EPERM;
	mm_set_limits(t->mm, t);
	return mm_lock_all(t->mm, flags & MCL_CURRENT, flags & MCL_FUTURE, task_capable(t, CAP_IPC_LOCK_NR));
}

int64_t
sys_munlockall(struct task *t)
{
	return mm_lock_all(t->mm, false, false, true);
}

/* ---- another process's memory ---------------------------------------------------- */

/* Bytes between two cursors; a fault on either side ends it. */
static int64_t
copy_between(struct iobuf *dst, struct iobuf *src)
{
	char buf[4096];
	uint64_t done = 0;
	int64_t got = 0, put;

	while (iob_left(dst) != 0 && iob_left(src) != 0) {
		uint64_t n = min(iob_left(dst), iob_left(src));

		n = min(n, sizeof buf);
		got = iob_get(src, buf, n);
		if (got <= 0)
			break;
		put = iob_put(dst, buf, (uint64_t)got);
		done += put > 0 ? (uint64_t)put : 0;
		if (put < (int64_t)n) {
			got = put;
			break;
		}
	}
	return done != 0 || got >= 0 ? (int64_t)done : got;
}

static int64_t
process_vm(struct task *t, int32_t pid, gaddr_t lvec, uint64_t nl, gaddr_t rvec, uint64_t nr, uint64_t flags, bool write)
{
	AUTO_PUT(task) other = NULL;
	AUTO_PUT(mm) mm = NULL;
	struct iobuf local, remote;
	int64_t ret;
	int err;

	if (flags != 0)
		return -EINVAL;
	err = iob_init_iov(&local, t, lvec, nl);
	if (err)
		return err;
	err = iob_init_iov(&remote, t, rvec, nr);
	if (err || iob_left(&local) == 0) {
		iob_fini(&local);
		if (!err)
			iob_fini(&remote);
		return err;
	}
	other = task_find_get(pid);
	ret = other != NULL ? task_inspect_mm(t, other, INSPECT_REAL, &mm) : -ESRCH;
	if (!ret) {
		remote.mm = mm;
		ret = write ? copy_between(&remote, &local) : copy_between(&local, &remote);
	}
	iob_fini(&local);
	iob_fini(&remote);
	return ret;
}

int64_t
sys_process_vm_readv(struct task *t, int32_t pid, gaddr_t local, uint64_t nlocal, gaddr_t remote, uint64_t nremote,
    uint64_t flags)
{
	return process_vm(t, pid, local, nlocal, remote, nremote, flags, false);
}

int64_t
sys_process_vm_writev(struct task *t, int32_t pid, gaddr_t local, uint64_t nlocal, gaddr_t remote, uint64_t nremote,
    uint64_t flags)
{
	return process_vm(t, pid, local, nlocal, remote, nremote, flags, true);
}
