/* pipe: pipes and FIFOs; what fcntl and splice need of them. */
#ifndef FS_PIPE_H
#define FS_PIPE_H

#include "base/ref.h"

struct file;
struct task;

bool file_is_pipe(const struct file *f);
int64_t pipe_get_size(struct file *f);				/* F_GETPIPE_SZ; -EBADF when it is no pipe */
int64_t pipe_set_size(struct task *t, struct file *f, uint64_t size);	/* F_SETPIPE_SZ: the new size */
/* Two new ends; flags: O_NONBLOCK, O_DIRECT. Both counted. */
int pipe_new_pair(struct task *t, uint32_t flags, struct file **rd, struct file **wr) MUST_CHECK;

/*
 * For splice.  pipe_peek copies up to n bytes into buf and keeps other readers away until
 * pipe_peek_end, which consumes `used` of them.  0 at the end of data, -EAGAIN (then no _end).
 */
int64_t pipe_peek(struct file *f, void *buf, uint64_t n) MUST_CHECK;
void pipe_peek_end(struct file *f, uint64_t used);
uint64_t pipe_room(struct file *f);		/* bytes a write may take right now */

#endif
