/* inspect: may one task look into another?  ptrace(2), "Ptrace access mode checking". */
#ifndef SENTRY_KERNEL_INSPECT_H
#define SENTRY_KERNEL_INSPECT_H

#include "base/base.h"

struct mm;
struct task;

enum inspect_by {
	INSPECT_FS,	/* PTRACE_MODE_FSCREDS: files of /proc */
	INSPECT_REAL,	/* PTRACE_MODE_REALCREDS: calls */
};

/*
 * By its ids and capabilities, and by what its memory allows.  0, and in *mm the memory that was judged, counted, NULL
 * when the subject has none; whoever is let in uses that and no later one.  -EPERM.  Thread of t; locks: fs.
 */
int task_inspect(struct task *t, struct task *subject, enum inspect_by by, struct mm **mm) MUST_CHECK;
/* The same where only memory is asked for: -ESRCH when the subject has none, whoever asks. */
int task_inspect_mm(struct task *t, struct task *subject, enum inspect_by by, struct mm **mm) MUST_CHECK;

#endif
