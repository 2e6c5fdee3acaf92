/* cred: who a task is. Immutable once published: change a copy (cred_copy), then cred_commit. */
#ifndef SENTRY_KERNEL_CRED_H
#define SENTRY_KERNEL_CRED_H

#include "base/ref.h"

struct task;

struct cred {
	struct ref	 ref;
	uint32_t	 uid, euid, suid, fsuid;
	uint32_t	 gid, egid, sgid, fsgid;
	uint32_t	 ngroups;
	uint32_t	*groups;	/* sorted; owned */
	uint64_t	 permitted, effective, inheritable, ambient, bounding;
	uint32_t	 securebits;
	bool		 no_new_privs;
};

int cred_copy(const struct cred *old, struct cred **out) MUST_CHECK;
/* Publishes c (takes the reference) as t's; wakes nothing. */
void cred_commit(struct task *t, struct cred *c);
bool cred_has_cap(const struct cred *c, int cap);
bool cred_in_group(const struct cred *c, uint32_t gid);	/* fsgid or supplementary */
/* The calling task's own: no reference needed while it runs its own call. */
#define task_cred(t)		((t)->cred)
#define task_capable(t, cap)	cred_has_cap((t)->cred, (cap))
/* Of another task: a counted reference. */
struct cred *task_cred_get(struct task *t);

#endif
