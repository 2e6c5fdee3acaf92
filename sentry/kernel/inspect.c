/* inspect: see inspect.h. */
#include "sentry/kernel/inspect.h"

#include <linux/capability.h>

#include "sentry/kernel/task.h"
#include "sentry/mm/mm.h"

static bool
same_ids(uint32_t mine, const struct cred_ids *its)
{
	return mine == its->real && mine == its->eff && mine == its->saved;
}

bool
task_may_inspect(struct task *t, struct task *subject, struct mm *mm, enum inspect_by by)
{
	const struct cred *me = task_cred(t);
	AUTO_PUT(cred) c = NULL;
	bool fs = by == INSPECT_FS;

	if (subject->process == t->process || cred_has_cap(me, CAP_SYS_PTRACE))
		return true;
	c = task_cred_get(subject);
	if (c == NULL)
		return true;	/* it has ended: there is nothing left to see */
	return same_ids(fs ? me->fsuid : me->uid, &c->user) && same_ids(fs ? me->fsgid : me->gid, &c->group) &&
	    (mm == NULL || atomic_load(&mm->dumpable) == 1) &&
	    (c->permitted & ~(fs ? me->effective : me->permitted)) == 0;
}
