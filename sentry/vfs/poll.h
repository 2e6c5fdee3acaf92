/* poll: readiness of many files; epoll sets. */
#ifndef SENTRY_VFS_POLL_H
#define SENTRY_VFS_POLL_H
#include "abi/poll.h"
#include "sentry/vfs/file.h"

void epoll_file_gone(struct file *f);	/* last reference: leaves every set */

/*
 * Fills revents of n entries; how many are non-zero, waiting until deadline_ns for the first: 0 after it,
 * -ERESTARTSYS on a signal.  Negative descriptors are skipped, bad ones are POLLNVAL.  implied: bits that count
 * for every entry, asked for or not (POLLERR | POLLHUP for poll(2), nothing for select(2)).
 */
int64_t poll_wait(struct task *t, struct abi_pollfd *fds, uint32_t n, uint32_t implied, uint64_t deadline_ns) MUST_CHECK;

/* An epoll set as an open file. */
int epoll_new(struct file **out) MUST_CHECK;
bool file_is_epoll(const struct file *f);
/* op: EPOLL_CTL_*; -EEXIST, -ENOENT, -EPERM, -ELOOP, -EINVAL. */
int epoll_change(struct task *t, struct file *ep, int op, int32_t fd, struct file *target, const struct abi_epoll_event *ev) MUST_CHECK;
/* Takes up to max ready events, waiting until deadline_ns; 0 after it, -EINTR on a signal. */
int64_t epoll_take(struct task *t, struct file *ep, struct abi_epoll_event *out, uint32_t max, uint64_t deadline_ns) MUST_CHECK;
#endif
