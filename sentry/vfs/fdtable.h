/* fdtable: descriptors of a process (or of whoever shares them by CLONE_FILES). */
#ifndef SENTRY_VFS_FDTABLE_H
#define SENTRY_VFS_FDTABLE_H

#include "base/lock.h"
#include "base/ref.h"

struct file;
struct task;

struct fdtable {
	struct ref	 ref;
	struct mutex	 mu;		/* rank files */
	struct file	**files;	/* [m] size slots */
	uint64_t	*cloexec;	/* [m] bitmap */
	uint64_t	*open;		/* [m] bitmap: taken (maybe reserved, files[fd] NULL) */
	uint32_t	 size, next;	/* [m] next: no free slot below */
	uint32_t	 count;		/* [m] */
};

int fdtable_new(struct fdtable **out) MUST_CHECK;
int fdtable_copy(struct fdtable *from, struct fdtable **out) MUST_CHECK;
/* A counted file of t's table; -EBADF. O_PATH ones only from fd_get_path. */
int fd_get(struct task *t, int32_t fd, struct file **out) MUST_CHECK;
int fd_get_path(struct task *t, int32_t fd, struct file **out) MUST_CHECK;
/* Lowest free descriptor at or above `from`: takes its own reference to f. -EMFILE by RLIMIT_NOFILE. flags: FD_CLOEXEC. */
int fd_install(struct task *t, struct file *f, int flags) MUST_CHECK;
int fd_install_from(struct task *t, struct file *f, int32_t from, int flags) MUST_CHECK;
int fd_replace(struct task *t, struct file *f, int32_t fd, int flags) MUST_CHECK;	/* dup2: closes what was there */
/* In two steps: takes a descriptor before the file exists, then fills it (its own reference) or gives it back. */
int fd_reserve(struct task *t, int flags) MUST_CHECK;
void fd_fill(struct task *t, int fd, struct file *f);
void fd_unreserve(struct task *t, int fd);
/* Two at once or none (pipe, socketpair). */
int fd_install_pair(struct task *t, struct file *a, struct file *b, int flags, int32_t out[2]) MUST_CHECK;
int fd_close(struct task *t, int32_t fd) MUST_CHECK;		/* flush, posix locks, put; -EBADF */
void fdtable_close_exec(struct task *t);
/* close_range(2): closes [first, last], or marks them close-on-exec. */
void fd_close_range(struct task *t, uint32_t first, uint32_t last, bool set_cloexec);
/* FD_CLOEXEC or 0 as it was; set >= 0 changes it; -EBADF. */
int fd_cloexec(struct task *t, int32_t fd, int set) MUST_CHECK;
/* For /proc: the first open descriptor >= *fd, its file counted; false at the end. */
bool fdtable_next(struct fdtable *ft, int32_t *fd, struct file **out, bool *cloexec);

#endif
