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
 * By its ids and capabilities, and by what mm, the subject's or NULL, allows.  A program's credentials are published
 * before its memory: who took the mm before it asks here never judges memory by credentials that are older.  Owner's thread of t.
 */
bool task_may_inspect(struct task *t, struct task *subject, struct mm *mm, enum inspect_by by) MUST_CHECK;

#endif
