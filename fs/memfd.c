/*
 * memfd: files in memory without a name, and their seals.  memfd_create(2), fcntl(2).
 *
 * They live in a tmpfs of their own, which no mount shows.
 */
#include <fcntl.h>
#include <linux/memfd.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "base/kmem.h"
#include "fs/fs.h"
#include "fs/tmpfs.h"
#include "sentry/kernel/task.h"
#include "sentry/mm/usercopy.h"
#include "sentry/syscall/syscall.h"
#include "sentry/vfs/fdtable.h"

#define NAME_MAX_LEN	(NAME_LIMIT - 6)	/* "memfd:" is part of the name */
#define FLAGS_KNOWN	(MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_HUGETLB | 8u | 16u)
#define NOEXEC_SEAL	8u			/* MFD_NOEXEC_SEAL, MFD_EXEC: newer than some headers */
#define WITH_EXEC	16u
#define SEALS_KNOWN	(F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_FUTURE_WRITE | SEAL_EXEC)

/* Made once, kept for good. */
static struct super *_Atomic memfd_super;

static int
get_super(struct super **out)
{
	struct super *s = atomic_load(&memfd_super), *none = NULL;
	int err;

	if (s == NULL) {
		err = tmpfs_super("mode=700", &s);
		if (err)
			return err;
		if (!atomic_compare_exchange_strong(&memfd_super, &none, s)) {
			super_put(s);
			s = none;
		}
	}
	*out = s;
	return 0;
}

static int
memfd_new(struct task *t, const char *name, uint32_t flags, struct file **out)
{
	AUTO_PUT(inode) i = NULL;
	struct super *s;
	struct file *f;
	struct tmpfs_data *d;
	uint32_t mode = S_IFREG | (flags & NOEXEC_SEAL ? 0666 : 0777);
	int err = get_super(&s);

	if (!err)
		err = tmpfs_tmpfile(t, s->root, mode, &i);
	if (err)
		return err;
	tmpfs_of(i)->linkable = false;
	d = tmpfs_of(i)->data;
	if (flags & (MFD_ALLOW_SEALING | NOEXEC_SEAL))
		d->seals = 0;
	if (flags & NOEXEC_SEAL)
		d->seals |= SEAL_EXEC;
	err = tmpfs_file_open(t, i, O_RDWR, &f);
	if (err)
		return err;
	err = file_set_anon(f, name, i);
	if (err) {
		file_put(f);
		return err;
	}
	*out = f;
	return 0;
}

int64_t
sys_memfd_create(struct task *t, gaddr_t uname, uint32_t flags)
{
	AUTO_PUT(file) f = NULL;
	char name[NAME_LIMIT + 16] = "/memfd:";
	int64_t n;
	int err;

	if (flags & MFD_HUGETLB)
		report_missing(t, "memfd_create flag 0x%x (huge pages)", flags);
	if (flags & ~FLAGS_KNOWN || flags & MFD_HUGETLB ||
	    (flags & (NOEXEC_SEAL | WITH_EXEC)) == (NOEXEC_SEAL | WITH_EXEC))
		return -EINVAL;
	n = copy_in_str(t, name + 7, uname, NAME_MAX_LEN + 1);
	if (n < 0)
		return n == -ENAMETOOLONG ? -EINVAL : n;
	/* As Linux shows it in /proc: a name at the root of a mount nobody sees, long gone. */
	memcpy(name + 7 + n, " (deleted)", sizeof " (deleted)");
	err = memfd_new(t, name, flags, &f);
	return err ? err : fd_install(t, f, flags & MFD_CLOEXEC ? FD_CLOEXEC : 0);
}

/* Whether somebody may still write through a mapping. mobj.mu held. */
static bool
has_writable_mapping(struct tmpfs_data *d)
{
	struct region *r;

	list_for_each(r, &d->mobj.regions, mobj_link) {
		if (r->may_write)
			return true;
	}
	return false;
}

static int
add_seals(struct file *f, struct tmpfs_data *d, uint32_t seals)
{
	struct tmpfs_node *n = tmpfs_of(f->inode);
	int err = 0;

	/* All three locks: who maps or changes the mode comes before us and is seen, or later and sees the seal. */
	mutex_lock(&d->mobj.mu);
	mutex_lock(&n->amu);
	mutex_lock(&d->mu);
	/* What may be executed for good must not change either, as on Linux. */
	if (seals & SEAL_EXEC && n->inode.attr.mode & 0111)
		seals |= F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_FUTURE_WRITE;
	if (d->seals & F_SEAL_SEAL)
		err = -EPERM;
	else if (seals & F_SEAL_WRITE && !(d->seals & F_SEAL_WRITE) && (d->pins != 0 || has_writable_mapping(d)))
		err = -EBUSY;
	if (!err) {
		d->seals |= seals;
		d->mobj.sealed |= (seals & F_SEAL_WRITE) != 0;
	}
	mutex_unlock(&d->mu);
	mutex_unlock(&n->amu);
	mutex_unlock(&d->mobj.mu);
	return err;
}

int64_t
memfd_seals(struct task *t, struct file *f, bool add, uint32_t seals)
{
	struct tmpfs_data *d = tmpfs_file_data(f);
	int64_t now;

	(void)t;
	if (add && !(f->mode & FMODE_WRITE))
		return -EPERM;
	if (add && seals & ~(uint32_t)SEALS_KNOWN)
		return -EINVAL;
	if (d == NULL || strcmp(f->inode->super->fstype, "tmpfs") != 0)
		return -EINVAL;
	if (add)
		return add_seals(f, d, seals);
	mutex_lock(&d->mu);
	now = d->seals;
	mutex_unlock(&d->mu);
	return now;
}
