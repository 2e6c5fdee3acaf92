/* prctl(2), arch_prctl(2), personality(2): what a process may say about itself. */
#include <asm/prctl.h>
#include <linux/capability.h>
#include <linux/prctl.h>
#include <linux/securebits.h>
#include <string.h>

#include "base/kmem.h"
#include "sentry/kernel/tasktree.h"
#include "sentry/mm/usercopy.h"
#include "sentry/syscall/syscall.h"

#define NAME_SIZE	16
#define VMA_NAME_SIZE	80

/* ---- names ----------------------------------------------------------------- */

static int64_t
set_comm(struct task *t, uint64_t at)
{
	char name[NAME_SIZE] = { 0 };
	int64_t n = copy_in_str(t, name, gaddr_from(at), sizeof name);

	/* A longer one is cut. */
	if (n == -ENAMETOOLONG)
		name[NAME_SIZE - 1] = '\0';
	else if (n < 0)
		return n;
	task_set_comm(t, name);
	return 0;
}

static int64_t
get_comm(struct task *t, uint64_t at)
{
	char name[NAME_SIZE];

	mutex_lock(&t->alloc_mu);
	memcpy(name, t->comm, sizeof name);
	mutex_unlock(&t->alloc_mu);
	return copy_out(t, gaddr_from(at), name, sizeof name);
}

static int64_t
set_vma_name(struct task *t, uint64_t what, uint64_t addr, uint64_t len, uint64_t name)
{
	char text[VMA_NAME_SIZE];
	int64_t n;

	if (what != PR_SET_VMA_ANON_NAME)
		return -EINVAL;
	if (name == 0)
		return mm_set_name(t->mm, addr, len, NULL);
	n = copy_in_str(t, text, gaddr_from(name), sizeof text);
	if (n < 0)
		return n == -ENAMETOOLONG ? -EINVAL : n;
	for (int64_t i = 0; i < n; i++) {
		if (text[i] < 0x20 || text[i] > 0x7e || strchr("\\`$[]", text[i]))
			return -EINVAL;
	}
	return mm_set_name(t->mm, addr, len, text);
}

/* ---- credentials ----------------------------------------------------------- */

static int64_t
change_cred(struct task *t, void (*change)(struct cred *c, uint64_t arg), uint64_t arg)
{
	struct cred *c;
	int err = cred_copy(task_cred(t), &c);

	if (err)
		return err;
	change(c, arg);
	cred_commit(t, c);
	return 0;
}

static void
change_keepcaps(struct cred *c, uint64_t on)
{
	if (on)
		c->securebits |= SECBIT_KEEP_CAPS;
	else
		c->securebits &= ~(uint32_t)SECBIT_KEEP_CAPS;
}

static void
change_securebits(struct cred *c, uint64_t bits)
{
	c->securebits = (uint32_t)bits;
}

static void
change_no_new_privs(struct cred *c, uint64_t unused)
{
	(void)unused;
	c->no_new_privs = true;
}

static void
change_drop_bound(struct cred *c, uint64_t cap)
{
	c->bounding &= ~(1ULL << cap);
}

static void
change_ambient_raise(struct cred *c, uint64_t cap)
{
	c->ambient |= 1ULL << cap;
}

static void
change_ambient_lower(struct cred *c, uint64_t cap)
{
	c->ambient &= ~(1ULL << cap);
}

static void
change_ambient_clear(struct cred *c, uint64_t unused)
{
	(void)unused;
	c->ambient = 0;
}

static int64_t
set_keepcaps(struct task *t, uint64_t on)
{
	if (on > 1)
		return -EINVAL;
	if (task_cred(t)->securebits & SECBIT_KEEP_CAPS_LOCKED)
		return -EPERM;
	return change_cred(t, change_keepcaps, on);
}

static int64_t
set_securebits(struct task *t, uint64_t bits)
{
	uint32_t old = task_cred(t)->securebits;
	uint64_t locked = (old & SECURE_ALL_LOCKS) >> 1;

	if ((locked & (old ^ bits)) || (old & SECURE_ALL_LOCKS & ~bits) ||
	    (bits & ~(uint64_t)(SECURE_ALL_LOCKS | SECURE_ALL_BITS)) ||
	    !task_capable(t, CAP_SETPCAP))
		return -EPERM;
	return change_cred(t, change_securebits, bits);
}

static int64_t
ambient(struct task *t, uint64_t op, uint64_t cap, uint64_t arg4, uint64_t arg5)
{
	const struct cred *c = task_cred(t);

	if (op == PR_CAP_AMBIENT_CLEAR_ALL)
		return cap | arg4 | arg5 ? -EINVAL : change_cred(t, change_ambient_clear, 0);
	if (cap > CAP_LAST_CAP || arg4 | arg5)
		return -EINVAL;
	switch (op) {
	case PR_CAP_AMBIENT_IS_SET:
		return c->ambient >> cap & 1;
	case PR_CAP_AMBIENT_LOWER:
		return change_cred(t, change_ambient_lower, cap);
	case PR_CAP_AMBIENT_RAISE:
		if (!(c->permitted >> cap & 1) || !(c->inheritable >> cap & 1) ||
		    (c->securebits & SECBIT_NO_CAP_AMBIENT_RAISE))
			return -EPERM;
		return change_cred(t, change_ambient_raise, cap);
	default:
		return -EINVAL;
	}
}

static int64_t
prctl_cred(struct task *t, int32_t option, uint64_t a2, uint64_t a3, uint64_t a4, uint64_t a5)
{
	const struct cred *c = task_cred(t);

	switch (option) {
	case PR_GET_KEEPCAPS:
		return (c->securebits & SECBIT_KEEP_CAPS) != 0;
	case PR_SET_KEEPCAPS:
		return set_keepcaps(t, a2);
	case PR_GET_SECUREBITS:
		return c->securebits;
	case PR_SET_SECUREBITS:
		return set_securebits(t, a2);
	case PR_CAPBSET_READ:
		return a2 > CAP_LAST_CAP ? -EINVAL : (int64_t)(c->bounding >> a2 & 1);
	case PR_CAPBSET_DROP:
		if (!task_capable(t, CAP_SETPCAP))
			return -EPERM;
		return a2 > CAP_LAST_CAP ? -EINVAL : change_cred(t, change_drop_bound, a2);
	case PR_GET_NO_NEW_PRIVS:
		return a2 | a3 | a4 | a5 ? -EINVAL : c->no_new_privs;
	case PR_SET_NO_NEW_PRIVS:
		return a2 != 1 || a3 | a4 | a5 ? -EINVAL : change_cred(t, change_no_new_privs, 1);
	default:
		return ambient(t, a2, a3, a4, a5);
	}
}

/* ---- the rest -------------------------------------------------------------- */

static int64_t
set_pdeath(struct task *t, uint64_t signo)
{
	if (signo > ABI_NSIG)
		return -EINVAL;
	mutex_lock(&kernel.tasks_mu);
	t->pdeath_signal = (int32_t)signo;
	mutex_unlock(&kernel.tasks_mu);
	return 0;
}

static int64_t
subreaper(struct task *t, bool set, uint64_t arg)
{
	bool is;

	mutex_lock(&kernel.tasks_mu);
	if (set)
		t->process->is_subreaper = arg != 0;
	is = t->process->is_subreaper;
	mutex_unlock(&kernel.tasks_mu);
	return set ? 0 : put_u32(t, gaddr_from(arg), is);
}

static int64_t
prctl_missing(struct task *t, int32_t option, int64_t err)
{
	report_missing(t, "prctl option %d", option);
	return err;
}

int64_t
sys_prctl(struct task *t, int32_t option, uint64_t a2, uint64_t a3, uint64_t a4, uint64_t a5)
{
	switch (option) {
	case PR_SET_PDEATHSIG:
		return set_pdeath(t, a2);
	case PR_GET_PDEATHSIG:
		return put_u32(t, gaddr_from(a2), (uint32_t)t->pdeath_signal);
	case PR_GET_DUMPABLE:
		return atomic_load(&t->mm->dumpable);
	case PR_SET_DUMPABLE:
		if (a2 > 1)
			return -EINVAL;
		atomic_store(&t->mm->dumpable, (uint32_t)a2);
		return 0;
	case PR_SET_NAME:
		return set_comm(t, a2);
	case PR_GET_NAME:
		return get_comm(t, a2);
	case PR_GET_KEEPCAPS:
	case PR_SET_KEEPCAPS:
	case PR_GET_SECUREBITS:
	case PR_SET_SECUREBITS:
	case PR_CAPBSET_READ:
	case PR_CAPBSET_DROP:
	case PR_GET_NO_NEW_PRIVS:
	case PR_SET_NO_NEW_PRIVS:
	case PR_CAP_AMBIENT:
		return prctl_cred(t, option, a2, a3, a4, a5);
	case PR_GET_SECCOMP:
		return 0;
	case PR_GET_TIMING:
		return PR_TIMING_STATISTICAL;
	case PR_SET_TIMING:
		return a2 == PR_TIMING_STATISTICAL ? 0 : -EINVAL;
	case PR_SET_TIMERSLACK:
		t->timer_slack_ns = a2 ? a2 : t->default_slack_ns;
		return 0;
	case PR_GET_TIMERSLACK:
		return (int64_t)min(t->timer_slack_ns, (uint64_t)INT32_MAX);
	case PR_SET_CHILD_SUBREAPER:
		return subreaper(t, true, a2);
	case PR_GET_CHILD_SUBREAPER:
		return subreaper(t, false, a2);
	case PR_GET_TID_ADDRESS:
		return put_u64(t, gaddr_from(a2), gaddr_raw(t->clear_child_tid));
	case PR_GET_TSC:
		return put_u32(t, gaddr_from(a2), PR_TSC_ENABLE);
	case PR_SET_THP_DISABLE:
		if (a3 | a4 | a5)
			return -EINVAL;
		t->no_thp = a2 != 0;
		return 0;
	case PR_GET_THP_DISABLE:
		return a2 | a3 | a4 | a5 ? -EINVAL : t->no_thp;
	case PR_SET_VMA:
		return set_vma_name(t, a2, a3, a4, a5);
	case PR_SET_MM:
		return prctl_missing(t, option, task_capable(t, CAP_SYS_RESOURCE) ? -EINVAL : -EPERM);
	case PR_GET_SPECULATION_CTRL:
		if (a3 | a4 | a5)
			return -EINVAL;
		return prctl_missing(t, option, -ENODEV);
	case PR_SET_SPECULATION_CTRL:
		if (a4 | a5)
			return -EINVAL;
		return prctl_missing(t, option, -ENODEV);
	default:
		return prctl_missing(t, option, -EINVAL);
	}
}

int64_t
sys_arch_prctl(struct task *t, int32_t code, gaddr_t addr)
{
	switch (code) {
	case ARCH_SET_FS:
	case ARCH_SET_GS:
		if (gaddr_raw(addr) >= GUEST_TOP)
			return -EPERM;
		if (code == ARCH_SET_FS) {
			task_regs(t)->fs_base = gaddr_raw(addr);
		} else {
			task_regs(t)->gs_base = gaddr_raw(addr);
			ctx_guest_gs(t->ctx);
		}
		return 0;
	case ARCH_GET_FS:
		return put_u64(t, addr, task_regs(t)->fs_base);
	case ARCH_GET_GS:
		return put_u64(t, addr, task_regs(t)->gs_base);
	case ARCH_GET_CPUID:
		return 1;
	case ARCH_SET_CPUID:
		return -ENODEV;
	default:
		/* Control-flow enforcement and AMX: libraries ask, and live with this. */
		return -EINVAL;
	}
}

int64_t
sys_personality(struct task *t, uint32_t persona)
{
	uint32_t old = t->personality;

	if (persona != 0xffffffff)
		t->personality = persona;
	return old;
}
