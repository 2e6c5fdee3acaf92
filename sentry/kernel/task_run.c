/*
 * task_run: a task's life on its sentry thread: run the guest, take what stopped it, do the call,
 * deliver signals, again.
 *
 * Nothing may be held on the way back to the guest (debug builds check it).  The common path is one
 * call, one look at `attention` and one at the result; everything else is off that path.
 */
#include "sentry/kernel/tasktree.h"

#include <linux/mman.h>

#include "abi/errno.h"
#include "base/hostcall.h"
#include "base/kmem.h"
#include "base/log.h"
#include "sentry/mm/mm.h"
#include "sentry/mm/usercopy.h"
#include "sentry/syscall/syscall.h"

/* Page-fault error code of x86. */
#define PF_WRITE	2
#define PF_INSTR	16
#define TRAP_PAGE_FAULT	14

/* So many faults of one instruction at one address, in so short a time and without a call, count as a bug of ours. */
#define FAULT_RETRIES	10000
#define FAULT_NS	NSEC_PER_SEC

struct abi_regs *
task_regs(struct task *t)
{
	if (t->ctx != NULL)
		ctx_regs(t->ctx, &t->regs);
	return &t->regs;
}

void
task_kick(struct task *t)
{
	task_wake(t);
	if (t->ctx)
		ctx_kick(t->ctx);
}

bool
task_must_exit(struct task *t)
{
	struct process *p = t->process;
	struct sighand *sh;
	bool must;

	if (t->exit_now)
		return true;
	sh = process_lock(p);
	must = p->group_exit || (p->exec_task && p->exec_task != t);
	process_unlock(sh);
	return must || signal_fatal_pending(t);
}

/* The guest is to end as if by signo. */
static void
task_die(struct task *t, int signo)
{
	process_exit(t->process, signo);
	task_exit(t, signo);
}

static void
force_fault(struct task *t, int signo, int code, uint64_t addr)
{
	struct abi_siginfo info;

	siginfo_kernel(&info, signo);
	info.si_code = code;
	info.si_addr = addr;
	signal_force(t, &info);
}

/*
 * True when the same fault came back so often that retrying is pointless.  One that others cause again and again is
 * none of these: a file that is cut, a protection that goes to and fro.
 */
static bool
fault_is_stuck(struct task *t, uint64_t addr)
{
	uint64_t now;
	bool stuck;

	if (t->stuck_rip != t->regs.rip || t->stuck_addr != addr || t->stuck_nlast != t->nlast) {
		t->stuck_rip = t->regs.rip;
		t->stuck_addr = addr;
		t->stuck_nlast = t->nlast;
		t->stuck_count = t->stuck_since_ns = 0;
		return false;
	}
	if (++t->stuck_count % FAULT_RETRIES != 0)
		return false;
	now = host_clock_ns(CLOCK_MONOTONIC);
	stuck = now - t->stuck_since_ns < FAULT_NS;
	t->stuck_since_ns = now;
	return stuck;
}

/* True when it became a signal. */
static bool
do_fault(struct task *t, const struct stop *stop)
{
	int signo = stop->signo, code = stop->code;
	uint64_t addr = stop->addr;

	t->fault_trapno = stop->trapno;
	t->fault_error = stop->error;
	t->fault_cr2 = stop->cr2;
	if (signo == SIGSEGV && stop->trapno == TRAP_PAGE_FAULT) {
		uint32_t access = stop->error & PF_INSTR ? PROT_EXEC :
		    stop->error & PF_WRITE ? PROT_WRITE : PROT_READ;

		atomic_fetch_add_explicit(&t->minflt, 1, memory_order_relaxed);
		if (mm_fault(t->mm, addr, access, &signo, &code) == 0) {
			if (!fault_is_stuck(t, addr))
				return false;
			log_warn("fault", "task %d: fault at %#llx from %#llx does not go away",
			    t->tid, (unsigned long long)addr, (unsigned long long)t->regs.rip);
			signo = SIGSEGV;
			code = 1;	/* SEGV_MAPERR */
		}
	}
	force_fault(t, signo, code, addr);
	return true;
}

/* Calls by int 0x80 or sysenter: there is no 32-bit kernel here. */
static void
do_foreign(struct task *t)
{
	report_missing(t, "32-bit system call %lld", (long long)t->regs.orig_rax);
	t->regs.rax = (uint64_t)-ENOSYS;
	t->regs.orig_rax = (uint64_t)-1;
}

static inline bool
is_restart_code(uint64_t rax)
{
	return rax >= (uint64_t)-ERESTART_RESTARTBLOCK && rax <= (uint64_t)-ERESTARTSYS;
}

static inline void
time_add(_Atomic uint64_t *sum, uint64_t ticks)
{
	uint64_t was = atomic_load_explicit(sum, memory_order_relaxed);

	/* Only this thread adds: no locked operation. */
	atomic_store_explicit(sum, was + ticks_to_ns(ticks), memory_order_relaxed);
}

/* Is the guest to leave the host's vDSO first?  here: what is to be delivered belongs to where it is now. */
static bool
leaves_vdso(struct task *t, bool in_syscall, bool here)
{
	if (likely(!platform_in_vdso(t->regs.rip) && t->vdso_slot == 0))
		return false;
	if (here || t->exit_now || (in_syscall && is_restart_code(t->regs.rax)) || task_must_exit(t)) {
		vdso_stay(t);
		return false;
	}
	return vdso_leave(t);
}

/* Off the fast path: signals, restarts, the end of the group. */
static void
before_guest(struct task *t, bool in_syscall, bool here)
{
	ctx_flush(t->ctx);
	ctx_kick_seen(t->ctx);
	(void)task_regs(t);
	if (leaves_vdso(t, in_syscall, here))
		return;
	if (!t->exit_now)
		signal_deliver(t, in_syscall);
	/* The status is the group's then: task_do_exit looks it up. */
	if (!t->exit_now && task_must_exit(t))
		task_exit(t, 0);
}

/* Enters the guest, and keeps the CPU-time accounts: no call to the host in them. */
static inline uint64_t
run_guest(struct task *t, struct stop *stop, uint64_t left)
{
	uint64_t entered = cpu_ticks(), busy = entered - left;

	time_add(&t->stime_ns, busy - min(t->slept_tsc, busy));
	t->slept_tsc = 0;
	atomic_store_explicit(&t->in_guest_since, entered, memory_order_relaxed);
	ctx_run(t->ctx, &t->regs, stop);
	left = cpu_ticks();
	atomic_store_explicit(&t->in_guest_since, 0, memory_order_relaxed);
	time_add(&t->utime_ns, left - entered);
	return left;
}

/* Until task_exit. */
void
task_loop(struct task *t)
{
	struct stop stop;
	uint64_t left = cpu_ticks();
	bool in_syscall = false, here = false;

	t->slept_tsc = 0;
	for (;;) {
		if (unlikely(atomic_load(&t->attention) != 0 ||
		    (in_syscall && is_restart_code(t->regs.rax))))
			before_guest(t, in_syscall, here);
		if (unlikely(t->exit_now))
			return;
		lock_assert_none();
		left = run_guest(t, &stop, left);

		in_syscall = here = false;
		switch (stop.kind) {
		case STOP_SYSCALL:
			if (unlikely(stop.foreign)) {
				do_foreign(t);
				break;
			}
			if (stop.trapped)
				mm_call_trapped(t->mm, t->regs.rip, (uint32_t)t->regs.orig_rax);
			syscall_dispatch(t);
			/* sigreturn and exec leave no call behind to restart. */
			in_syscall = t->regs.orig_rax != (uint64_t)-1;
			break;
		case STOP_FAULT:
			if (t->vdso_slot == 0 || !vdso_left(t))
				here = do_fault(t, &stop);
			break;
		case STOP_KICK:
			break;
		case STOP_DEAD:
			log_warn("task", "the stub of task %d (%s) is gone", t->tid, t->comm);
			task_die(t, SIGKILL);
			break;
		}
	}
}

/* A ctx on this thread with the registers and FP state that clone left for it. */
static int
task_begin(struct task *t)
{
	struct ctx *c;
	int err;

	err = ctx_new(t->mm->space, &c);
	if (err)
		return err;
	if (t->start_fp) {
		err = ctx_set_fp(c, t->start_fp);
		mem_free(t->start_fp);
		t->start_fp = NULL;
		if (err) {
			ctx_free(c);
			return err;
		}
	}
	signal_set_ctx(t, c);
	answers_begin(t);
	/* As Linux, a bad address here is nobody's error. */
	if (!gaddr_is_null(t->set_child_tid))
		err = put_u32(t, t->set_child_tid, (uint32_t)t->tid);
	return 0;
}

void
task_run(void *task)
{
	struct task *t = task;
	int err = task_begin(t);

	if (err) {
		log_warn("task", "task %d cannot run: error %d", t->tid, -err);
		task_die(t, SIGKILL);
	} else {
		task_loop(t);
	}
	task_do_exit(t);
	task_put(t);
	space_reuse();
}
