/* inspect: see inspect.h. */
#include "sentry/kernel/inspect.h"

#include <linux/capability.h>

#include "abi/errno.h"
#include "sentry/kernel/task.h"
#include "sentry/mm/mm.h"

static bool
same_ids(uint32_t mine, const struct cred_ids *its)
{
	return mine == its->real && mine == its->eff && mine == its->saved;
}

static bool
may_inspect(const struct cred *me, const struct cred *its, struct mm *mm, bool fs)
{
	return same_ids(fs ? me->fsuid : me->uid, &its->user) && same_ids(fs ? me->fsgid : me->gid, &its->group) &&
	    (mm == NULL || atomic_load(&mm->dumpable) == 1) &&
	    (its->permitted & ~(fs ? me->effective : me->permitted)) == 0;
}

/* The memory in any case, and 0 or -EPERM. */
static int
judge(struct task *t, struct task *subject, enum inspect_by by, struct mm **mm)
{
	const struct cred *me = task_cred(t);
	AUTO_PUT(cred) its = NULL;

	/* Both of one moment: an exec replaces them together, and neither may be judged by the other's past or future. */
	mutex_lock(&subject->alloc_mu);
	*mm = mm_get(subject->mm);
	its = cred_get(subject->cred);
	mutex_unlock(&subject->alloc_mu);
	return subject->process == t->process || cred_has_cap(me, CAP_SYS_PTRACE) ||
	    may_inspect(me, its, *mm, by == INSPECT_FS) ? 0 : -EPERM;
}

int
task_inspect(struct task *t, struct task *subject, enum inspect_by by, struct mm **out)
{
	AUTO_PUT(mm) mm = NULL;
	int err = judge(t, subject, by, &mm);

	if (!err)
		*out = steal(&mm);
	return err;
}

int
task_inspect_mm(struct task *t, struct task *subject, enum inspect_by by, struct mm **out)
{
	AUTO_PUT(mm) mm = NULL;
	int err = judge(t, subject, by, &mm);

	if (mm == NULL)
		return -ESRCH;
	if (!err)
		*out = steal(&mm);
	return err;
}
