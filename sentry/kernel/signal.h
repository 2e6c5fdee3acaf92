/*
 * signal: sending, queues, dispositions, delivery.  signal(7).
 *
 * Locks: sighand covers a process's actions, shared queue, thread list and every
 * thread's private queue.
 */
#ifndef SENTRY_KERNEL_SIGNAL_H
#define SENTRY_KERNEL_SIGNAL_H

#include "abi/signal.h"
#include "base/list.h"
#include "base/lock.h"
#include "base/ref.h"

struct task;
struct process;
struct pidgroup;
struct abi_regs;

typedef uint64_t sigset64;
#define sigbit(signo)	(1ULL << ((signo) - 1))

struct sigqueue {
	struct list	 link;
	struct abi_siginfo info;
	bool		 is_timer;	/* owned by a timer: not freed on dequeue */
};

struct sigpending {
	struct list	 queue;		/* struct sigqueue */
	sigset64	 set;
};

/* Shared by CLONE_SIGHAND. */
struct sighand {
	struct ref	 ref;
	struct mutex	 mu;		/* rank sighand */
	struct abi_sigaction action[64]; /* [m] by signo - 1 */
	struct waitq	*unused;
};

int sighand_new(struct sighand *copy_from, struct sighand **out) MUST_CHECK;
void sigpending_init(struct sigpending *p);
void sigpending_flush(struct sigpending *p);

/* Kernel-generated: never fails visibly (a queue overflow drops the siginfo, not the signal). */
void signal_send_task(struct task *t, const struct abi_siginfo *info);	/* to one thread */
void signal_send_process(struct process *p, const struct abi_siginfo *info);
int signal_send_pgrp(struct pidgroup *g, const struct abi_siginfo *info);
void siginfo_kernel(struct abi_siginfo *info, int signo);		/* SI_KERNEL */
void siginfo_user(struct abi_siginfo *info, struct task *from, int signo, int code);
void signal_kernel(struct process *p, int signo);			/* SI_KERNEL to a process */
/* A synchronous fault: as force_sig_fault: resets an ignored or blocked disposition and kills. */
void signal_force(struct task *t, const struct abi_siginfo *info);
/* kill(2)'s permission: 0 or -EPERM. */
int signal_may_send(struct task *from, struct process *to, int signo);

/* Anything deliverable to t right now (or a group exit, a stop)? Cheap: an atomic flag. */
bool signal_pending(struct task *t);
bool signal_fatal_pending(struct task *t);
/* Recomputes the flag; caller holds sighand. */
void signal_recalc_locked(struct task *t);
void signal_set_mask(struct task *t, sigset64 mask);	/* and recalc; SIGKILL/SIGSTOP are removed */

/*
 * On the way back to the guest: stops, dequeues, runs default actions, builds frames (sigframe.c). Handles syscall restart
 * given the call's return value in regs->rax and in_syscall.
 */
void signal_deliver(struct task *t, bool in_syscall);
/* Writes the frame for one handler into guest memory and points t->regs at it; -EFAULT => SIGSEGV. */
int sigframe_setup(struct task *t, const struct abi_sigaction *sa, const struct abi_siginfo *info, sigset64 oldmask) MUST_CHECK;
/* rt_sigreturn: restores regs, FP, mask, altstack; on a bad frame forces SIGSEGV. Returns regs->rax. */
int64_t sigframe_return(struct task *t);

/* Hooks of exec and exit. */
void signal_exec(struct task *t);	/* handlers to default, altstack off, timers flushed */
void signal_release_task(struct task *t);

#endif
