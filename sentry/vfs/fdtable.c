/*
 * fdtable: descriptors.
 *
 * mu covers the slots.  A slot is free, or reserved (bit in `open`, no file yet), or holds one
 * reference to a file.  References are dropped after unlocking, since the last one may sleep.
 */
#include "sentry/vfs/fdtable.h"

#include <fcntl.h>
#include <string.h>
#include <asm/resource.h>

#include "base/kmem.h"
#include "sentry/kernel/task.h"
#include "sentry/vfs/file.h"
#include "sentry/vfs/flock.h"

#define FIRST_SIZE	64U
#define MAX_SIZE	(1U << 20)	/* fs.nr_open */

KMEM_CACHE(fdtable);

static bool
bit_test(const uint64_t *map, uint32_t n)
{
	return map[n / 64] >> (n % 64) & 1;
}

static void
bit_set(uint64_t *map, uint32_t n, bool on)
{
	if (on)
		map[n / 64] |= 1ULL << (n % 64);
	else
		map[n / 64] &= ~(1ULL << (n % 64));
}

/* size is a multiple of 64. */
static int
table_alloc(struct fdtable *ft, uint32_t size)
{
	struct file **files = mem_alloc(size * sizeof *files);
	uint64_t *open = mem_alloc(size / 8), *cloexec = mem_alloc(size / 8);

	if (files == NULL || open == NULL || cloexec == NULL) {
		mem_free(files);
		mem_free(open);
		mem_free(cloexec);
		return -ENOMEM;
	}
	if (ft->size) {
		memcpy(files, ft->files, ft->size * sizeof *files);
		memcpy(open, ft->open, ft->size / 8);
		memcpy(cloexec, ft->cloexec, ft->size / 8);
		mem_free(ft->files);
		mem_free(ft->open);
		mem_free(ft->cloexec);
	}
	ft->files = files;
	ft->open = open;
	ft->cloexec = cloexec;
	ft->size = size;
	return 0;
}

/* Makes room for descriptor fd. */
static int
table_grow_locked(struct fdtable *ft, uint32_t fd)
{
	uint32_t size = ft->size;

	if (fd >= MAX_SIZE)
		return -EMFILE;
	while (size <= fd)
		size *= 2;
	return size == ft->size ? 0 : table_alloc(ft, size);
}

int
fdtable_new(struct fdtable **out)
{
	struct fdtable *ft = obj_new(fdtable);
	int err;

	if (ft == NULL)
		return -ENOMEM;
	err = table_alloc(ft, FIRST_SIZE);
	if (err) {
		obj_free(fdtable, ft);
		return err;
	}
	mutex_init(&ft->mu, RANK_files);
	ref_init(&ft->ref, OBJ_fdtable);
	*out = ft;
	return 0;
}

int
fdtable_copy(struct fdtable *from, struct fdtable **out)
{
	struct fdtable *ft;
	uint32_t size;
	int err = fdtable_new(&ft);

	if (err)
		return err;
	mutex_lock(&from->mu);
	/* As small as what is open allows: a fork after a burst of descriptors stays cheap. */
	size = from->size;
	while (size > FIRST_SIZE) {
		bool any = false;

		for (uint32_t w = size / 128; w < size / 64 && !any; w++)
			any = from->open[w] != 0;
		if (any)
			break;
		size /= 2;
	}
	if (size > ft->size)
		err = table_alloc(ft, size);
	for (uint32_t fd = 0; !err && fd < size; fd++) {
		if (from->open[fd / 64] == 0) {
			fd |= 63;
			continue;
		}
		if (from->files[fd] == NULL)
			continue;
		ft->files[fd] = file_get(from->files[fd]);
		bit_set(ft->open, fd, true);
		bit_set(ft->cloexec, fd, bit_test(from->cloexec, fd));
		ft->count++;
	}
	mutex_unlock(&from->mu);
	if (err) {
		fdtable_put(ft);
		return err;
	}
	*out = ft;
	return 0;
}

void
fdtable_release(struct fdtable *ft)
{
	for (uint32_t fd = 0; fd < ft->size; fd++) {
		struct file *f = ft->files[fd];

		if (f == NULL)
			continue;
		flock_posix_close(ft, f);
		file_put(f);
	}
	mutex_fini(&ft->mu);
	mem_free(ft->files);
	mem_free(ft->open);
	mem_free(ft->cloexec);
	obj_free(fdtable, ft);
}

int
fd_get_path(struct task *t, int32_t fd, struct file **out)
{
	struct fdtable *ft = t->files;
	struct file *f = NULL;
	/* Nobody but t could change a slot then, and it is here. */
	bool alone = ref_count(&ft->ref) == 1;

	if (!alone)
		mutex_lock(&ft->mu);
	if (fd >= 0 && (uint32_t)fd < ft->size)
		f = file_get(ft->files[fd]);
	if (!alone)
		mutex_unlock(&ft->mu);
	if (f == NULL)
		return -EBADF;
	*out = f;
	return 0;
}

int
fd_get(struct task *t, int32_t fd, struct file **out)
{
	struct file *f;
	int err = fd_get_path(t, fd, &f);

	if (err)
		return err;
	if (f->mode & FMODE_PATH) {
		file_put(f);
		return -EBADF;
	}
	*out = f;
	return 0;
}

/* The lowest free slot at or above `from` and below limit, marked as taken. */
static int
slot_take_locked(struct fdtable *ft, uint32_t from, uint64_t limit)
{
	uint32_t fd = max(from, ft->next);
	int err;

	while (fd < ft->size) {
		uint64_t taken = ft->open[fd / 64] | ((1ULL << (fd % 64)) - 1);

		if (taken != UINT64_MAX) {
			fd = fd / 64 * 64 + (uint32_t)__builtin_ctzll(~taken);
			break;
		}
		fd = fd / 64 * 64 + 64;
	}
	if (fd >= limit)
		return -EMFILE;
	err = table_grow_locked(ft, fd);
	if (err)
		return err;
	bit_set(ft->open, fd, true);
	bit_set(ft->cloexec, fd, false);
	ft->count++;
	if (from <= ft->next)
		ft->next = fd + 1;
	return (int)fd;
}

static void
slot_free_locked(struct fdtable *ft, uint32_t fd)
{
	bit_set(ft->open, fd, false);
	bit_set(ft->cloexec, fd, false);
	ft->files[fd] = NULL;
	ft->count--;
	if (fd < ft->next)
		ft->next = fd;
}

int
fd_install_from(struct task *t, struct file *f, int32_t from, int flags)
{
	uint64_t limit = task_rlimit(t, RLIMIT_NOFILE);
	struct fdtable *ft = t->files;
	int fd;

	if (from < 0 || (uint64_t)from >= limit)
		return -EINVAL;
	mutex_lock(&ft->mu);
	fd = slot_take_locked(ft, (uint32_t)from, limit);
	if (fd >= 0) {
		ft->files[fd] = file_get(f);
		bit_set(ft->cloexec, (uint32_t)fd, (flags & FD_CLOEXEC) != 0);
	}
	mutex_unlock(&ft->mu);
	return fd;
}

int
fd_install(struct task *t, struct file *f, int flags)
{
	int fd = fd_install_from(t, f, 0, flags);

	return fd == -EINVAL ? -EMFILE : fd;
}

int
fd_reserve(struct task *t, int flags)
{
	uint64_t limit = task_rlimit(t, RLIMIT_NOFILE);
	struct fdtable *ft = t->files;
	int fd;

	mutex_lock(&ft->mu);
	fd = slot_take_locked(ft, 0, limit);
	if (fd >= 0)
		bit_set(ft->cloexec, (uint32_t)fd, (flags & FD_CLOEXEC) != 0);
	mutex_unlock(&ft->mu);
	return fd;
}

void
fd_fill(struct task *t, int fd, struct file *f)
{
	mutex_lock(&t->files->mu);
	t->files->files[fd] = file_get(f);
	mutex_unlock(&t->files->mu);
}

void
fd_unreserve(struct task *t, int fd)
{
	mutex_lock(&t->files->mu);
	slot_free_locked(t->files, (uint32_t)fd);
	mutex_unlock(&t->files->mu);
}

int
fd_install_pair(struct task *t, struct file *a, struct file *b, int flags, int32_t out[2])
{
	uint64_t limit = task_rlimit(t, RLIMIT_NOFILE);
	struct fdtable *ft = t->files;
	int first, second = -EMFILE;

	mutex_lock(&ft->mu);
	first = slot_take_locked(ft, 0, limit);
	if (first >= 0)
		second = slot_take_locked(ft, 0, limit);
	if (second >= 0) {
		ft->files[first] = file_get(a);
		ft->files[second] = file_get(b);
		bit_set(ft->cloexec, (uint32_t)first, (flags & FD_CLOEXEC) != 0);
		bit_set(ft->cloexec, (uint32_t)second, (flags & FD_CLOEXEC) != 0);
	} else if (first >= 0) {
		slot_free_locked(ft, (uint32_t)first);
	}
	mutex_unlock(&ft->mu);
	if (first < 0)
		return first;
	if (second < 0)
		return second;
	out[0] = first;
	out[1] = second;
	return 0;
}

/* What close(2) does for a descriptor that has already left the table. */
static void
file_closed(struct task *t, struct fdtable *ft, struct file *f)
{
	if (!(f->mode & FMODE_PATH)) {
		f->ops->flush(f, t);
		flock_posix_close(ft, f);
	}
	file_put(f);
}

int
fd_replace(struct task *t, struct file *f, int32_t fd, int flags)
{
	uint64_t limit = task_rlimit(t, RLIMIT_NOFILE);
	struct fdtable *ft = t->files;
	struct file *old = NULL;
	int err;

	if (fd < 0 || (uint64_t)fd >= limit)
		return -EBADF;
	mutex_lock(&ft->mu);
	err = table_grow_locked(ft, (uint32_t)fd);
	if (!err) {
		old = ft->files[fd];
		/* Reserved by an open in flight in another thread: dup2(2) says EBUSY. */
		if (old == NULL && bit_test(ft->open, (uint32_t)fd))
			err = -EBUSY;
	}
	if (!err) {
		if (old == NULL) {
			bit_set(ft->open, (uint32_t)fd, true);
			ft->count++;
		}
		ft->files[fd] = file_get(f);
		bit_set(ft->cloexec, (uint32_t)fd, (flags & FD_CLOEXEC) != 0);
	}
	mutex_unlock(&ft->mu);
	if (err)
		return err == -EMFILE ? -EBADF : err;
	if (old)
		file_closed(t, ft, old);
	return fd;
}

int
fd_close(struct task *t, int32_t fd)
{
	struct fdtable *ft = t->files;
	struct file *f = NULL;

	mutex_lock(&ft->mu);
	if (fd >= 0 && (uint32_t)fd < ft->size && ft->files[fd]) {
		f = ft->files[fd];
		slot_free_locked(ft, (uint32_t)fd);
	}
	mutex_unlock(&ft->mu);
	if (f == NULL)
		return -EBADF;
	file_closed(t, ft, f);
	return 0;
}

/* Closes the descriptors of [first, last] that want says; sets close-on-exec instead when told so. */
static void
close_some(struct task *t, uint32_t first, uint32_t last, bool only_cloexec, bool set_cloexec)
{
	struct fdtable *ft = t->files;

	for (uint64_t fd = first; fd <= last; fd++) {
		struct file *f = NULL;

		mutex_lock(&ft->mu);
		while (fd <= last && fd < ft->size && ft->files[fd] == NULL)
			fd++;
		if (fd > last || fd >= ft->size) {
			mutex_unlock(&ft->mu);
			return;
		}
		if (set_cloexec) {
			bit_set(ft->cloexec, (uint32_t)fd, true);
		} else if (!only_cloexec || bit_test(ft->cloexec, (uint32_t)fd)) {
			f = ft->files[fd];
			slot_free_locked(ft, (uint32_t)fd);
		}
		mutex_unlock(&ft->mu);
		if (f)
			file_closed(t, ft, f);
	}
}

void
fdtable_close_exec(struct task *t)
{
	close_some(t, 0, UINT32_MAX - 1, true, false);
}

void
fd_close_range(struct task *t, uint32_t first, uint32_t last, bool set_cloexec)
{
	close_some(t, first, last, false, set_cloexec);
}

int
fd_cloexec(struct task *t, int32_t fd, int set)
{
	struct fdtable *ft = t->files;
	int ret = -EBADF;

	mutex_lock(&ft->mu);
	if (fd >= 0 && (uint32_t)fd < ft->size && ft->files[fd]) {
		ret = bit_test(ft->cloexec, (uint32_t)fd) ? FD_CLOEXEC : 0;
		if (set >= 0)
			bit_set(ft->cloexec, (uint32_t)fd, set & FD_CLOEXEC);
	}
	mutex_unlock(&ft->mu);
	return ret;
}

bool
fdtable_next(struct fdtable *ft, int32_t *fd, struct file **out, bool *cloexec)
{
	bool found = false;

	mutex_lock(&ft->mu);
	for (uint64_t n = *fd < 0 ? 0 : (uint64_t)*fd; n < ft->size; n++) {
		if (ft->files[n] == NULL)
			continue;
		*fd = (int32_t)n;
		*out = file_get(ft->files[n]);
		if (cloexec)
			*cloexec = bit_test(ft->cloexec, (uint32_t)n);
		found = true;
		break;
	}
	mutex_unlock(&ft->mu);
	return found;
}
