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
struct waitq;
struct abi_regs;
struct ctx;

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
	uint32_t	 count;		/* in queue, against RLIMIT_SIGPENDING */
};

/* Shared by CLONE_SIGHAND. */
struct sighand {
	struct ref	 ref;
	struct mutex	 mu;		/* rank sighand */
	struct abi_sigaction action[64]; /* [m] by signo - 1 */
	struct sighand	*next_free;	/* once it has gone: its lock can still be taken (signal.c) */
};

int sighand_new(struct sighand *copy_from, struct sighand **out) MUST_CHECK;
int sighand_unshare(struct process *p) MUST_CHECK;	/* at exec: a copy of its own, if it shares one. -ENOMEM */
void sigpending_init(struct sigpending *p);
void sigpending_flush(struct sigpending *p);

/* Kernel-generated: never fails visibly (a queue overflow drops the siginfo, not the signal). */
void signal_send_task(struct task *t, const struct abi_siginfo *info);	/* to one thread */
void signal_send_process(struct process *p, const struct abi_siginfo *info);
/* The same for sigqueue(3): -EAGAIN when the queue is full. */
int signal_queue_task(struct task *t, const struct abi_siginfo *info) MUST_CHECK;
int signal_queue_process(struct process *p, const struct abi_siginfo *info) MUST_CHECK;
int signal_send_pgrp(struct pidgroup *g, const struct abi_siginfo *info);
void siginfo_kernel(struct abi_siginfo *info, int signo);		/* SI_KERNEL */
void siginfo_user(struct abi_siginfo *info, struct task *from, int signo, int code);
void signal_kernel(struct process *p, int signo);			/* SI_KERNEL to a process */
/* A synchronous fault: as force_sig_fault: resets an ignored or blocked disposition and kills. */
void signal_force(struct task *t, const struct abi_siginfo *info);
/* kill(2)'s permission: 0 or -EPERM. */
int signal_may_send(struct task *from, struct process *to, int signo);

/* To p with every check that kill(2) makes once it has found it. No lock held. */
int signal_send_checked(struct task *t, struct process *p, const struct abi_siginfo *info) MUST_CHECK;
/*
 * A guest's siginfo for sigqueue(3): it may not pretend (-EPERM) that the kernel, or kill(2), sent its signal
 * to somebody else.
 */
int siginfo_get(struct task *t, gaddr_t at, bool to_self, struct abi_siginfo *info) MUST_CHECK;

/* Anything deliverable to t right now (or a group exit, a stop)? Cheap: an atomic flag. */
bool signal_pending(struct task *t);
bool signal_fatal_pending(struct task *t);
/* Recomputes the flag; caller holds sighand. */
void signal_recalc_locked(struct task *t);
/*
 * The signals that t has blocked; where its guest changes that by itself (answers.c), any, but never SIGKILL or SIGSTOP.
 * t's own thread, or sighand held.
 */
sigset64 signal_mask(const struct task *t);
/* c becomes t's ctx, or t loses its own (NULL), with the mask that it has. Locks: sighand. */
void signal_set_ctx(struct task *t, struct ctx *c);
void signal_set_mask(struct task *t, sigset64 mask);	/* and recalc; SIGKILL/SIGSTOP are removed */

/* Takes the next signal out of `want`, the thread's own first: its number, or 0. Caller holds sighand. */
int signal_dequeue_locked(struct task *t, sigset64 want, struct abi_siginfo *info);
/* An action that ignores signo forgets pending ones. Caller holds sighand. */
void signal_forget_locked(struct process *p, sigset64 set);
/* A timer's own entry q (info filled): queued at t, or at p when t is NULL; false when it is ignored. sighand held. */
bool signal_queue_timer_locked(struct process *p, struct task *t, struct sigqueue *q);
void signal_unqueue_timer_locked(struct process *p, struct sigqueue *q);
bool signal_on_altstack(const struct task *t, uint64_t sp);
/* As sigaltstack(2) with the stack pointer sp. -EPERM, -EINVAL, -ENOMEM. */
int signal_set_altstack(struct task *t, const struct abi_stack *ss, uint64_t sp) MUST_CHECK;
bool signal_is_default_ignored(int signo);
const char *signal_name(int signo);		/* "SIGINT", "SIGRT_3"; NULL for none */

/* Every signalfd waits here: woken when a signal is queued anywhere. */
extern struct waitq signalfd_wq;

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
