/* cred: who a task is. Immutable once published: change a copy (cred_copy), then cred_commit. */
#ifndef SENTRY_KERNEL_CRED_H
#define SENTRY_KERNEL_CRED_H

#include "base/ref.h"

struct mm;
struct task;

/* Of the user, or of the group. */
struct cred_ids {
	uint32_t	 real, eff, saved, fs;
};

struct cred {
	struct ref	 ref;
	union {
		struct { uint32_t uid, euid, suid, fsuid; };
		struct cred_ids user;
	};
	union {
		struct { uint32_t gid, egid, sgid, fsgid; };
		struct cred_ids group;
	};
	uint32_t	 ngroups;
	uint32_t	*groups;	/* sorted; owned */
	uint64_t	 permitted, effective, inheritable, ambient, bounding;
	uint32_t	 securebits;
	bool		 no_new_privs;
};

int cred_copy(const struct cred *old, struct cred **out) MUST_CHECK;
/* Publishes c (takes the reference) as t's; wakes nothing. */
void cred_commit(struct task *t, struct cred *c);
/* With its next memory, which it takes as well: nobody sees one without the other (inspect.c). The memory it had. */
struct mm *cred_commit_mm(struct task *t, struct cred *c, struct mm *mm);
void answers_cred(struct task *t);		/* t's stub is told of its credentials (answers.c) */
bool cred_has_cap(const struct cred *c, int cap);
bool cred_in_group(const struct cred *c, uint32_t gid);	/* fsgid or supplementary */
/* The calling task's own: no reference needed while it runs its own call. */
#define task_cred(t)		((t)->cred)
#define task_capable(t, cap)	cred_has_cap((t)->cred, (cap))
/* All zero ids, no groups, no capability beyond the bounding set given. */
int cred_new(uint64_t bounding, struct cred **out) MUST_CHECK;
/* Takes a copy of n group ids, and sorts it. */
int cred_set_groups(struct cred *c, const uint32_t *groups, uint32_t n) MUST_CHECK;
/* What became of the capabilities when c (a copy of old) has new user ids: capabilities(7). */
void cred_fix_uids(struct cred *c, const struct cred *old);
void cred_fix_fsuid(struct cred *c, const struct cred *old);

/* What execve(2) looks at in a file. */
struct exec_attr {
	uint32_t	 mode, uid, gid;
	bool		 nosuid;		/* by mount flag */
	bool		 shared;		/* another process shares the caller's root and working directory (CLONE_FS) */
	bool		 has_caps;		/* file capabilities */
	bool		 caps_effective;
	uint64_t	 permitted, inheritable;
};
/* Fills the capability part from the xattr security.capability; -EINVAL when it is malformed. */
int exec_attr_caps(struct exec_attr *a, const void *xattr, size_t len) MUST_CHECK;
/* What execve(2) makes of it. */
struct exec_gain {
	bool		 any;			/* other ids or more capabilities, before somebody's sharing or no_new_privs took them back */
	bool		 plain;			/* flags of personality(2) that make attacks easier do not hold */
	bool		 secure;		/* AT_SECURE */
};
/* The credentials after exec of such a file. -EPERM as capabilities(7) says, -ENOMEM. */
int cred_exec(const struct cred *old, const struct exec_attr *a, struct cred **out, struct exec_gain *g) MUST_CHECK;

#define CAP_FULL	((1ULL << 41) - 1)	/* CAP_LAST_CAP is 40 */

/* Of another task: a counted reference. */
struct cred *task_cred_get(struct task *t);

#endif
