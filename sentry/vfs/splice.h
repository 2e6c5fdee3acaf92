/* splice: moving bytes between two files without the guest: sendfile, splice, tee, copy_file_range. */
#ifndef SENTRY_VFS_SPLICE_H
#define SENTRY_VFS_SPLICE_H

#include "base/base.h"

struct file;
struct task;

/*
 * Offsets are in and out: NULL means the file's own position (or that it has none).  Bytes moved, 0 at the
 * end of the input, -errno.  Modes of the files are checked here.
 */
int64_t splice_sendfile(struct task *t, struct file *out, struct file *in, int64_t *off, uint64_t count) MUST_CHECK;
int64_t splice_files(struct task *t, struct file *in, int64_t *off_in, struct file *out, int64_t *off_out, uint64_t len, bool nowait) MUST_CHECK;
int64_t splice_tee(struct task *t, struct file *in, struct file *out, uint64_t len, bool nowait) MUST_CHECK;
int64_t splice_copy_range(struct task *t, struct file *in, int64_t *off_in, struct file *out, int64_t *off_out, uint64_t len) MUST_CHECK;

#endif
