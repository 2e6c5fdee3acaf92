/* tasktree: what the task_*.c files share among themselves; others use task.h. */
#ifndef SENTRY_KERNEL_TASKTREE_H
#define SENTRY_KERNEL_TASKTREE_H

#include "sentry/kernel/task.h"

/* ---- task.c ---------------------------------------------------------------- */
/* A task of p (a reference is taken), in no table; all resources NULL. NULL when out of memory. */
struct task *task_new(struct process *p);
struct process *process_new(void);
/* A free id, not used by a task, group or session; -EAGAIN. tasks held. */
int pid_alloc_locked(void) MUST_CHECK;
/* Tables; tasks held. hash takes a reference, unhash gives it back to the caller to put. */
void task_hash_locked(struct task *t);
void task_unhash_locked(struct task *t);
struct task *task_find_locked(int32_t tid);		/* borrowed */
struct pidgroup *pidgroup_find_locked(int32_t id);	/* borrowed */
struct session *session_find_locked(int32_t id);	/* borrowed */
/* New, empty objects; session's reference is taken. NULL when out of memory. */
struct pidgroup *pidgroup_new(int32_t id, struct session *s);
struct session *session_new(int32_t id);
/* tasks held. join takes a reference to g; leave returns the reference for the caller to put. */
void pgrp_join_locked(struct process *p, struct pidgroup *g);
struct pidgroup *pgrp_leave_locked(struct process *p);
/* From one group to another; the old one's reference is the caller's to put. Orphaned groups are told. */
struct pidgroup *pgrp_move_locked(struct process *p, struct pidgroup *g);
/* Groups left behind without a way to their session by p's going or moving: SIGHUP, SIGCONT. tasks held. */
void orphaned_check_locked(struct process *p, struct process *parent);
bool pgrp_is_orphaned_locked(struct pidgroup *g, struct process *ignored);
/* Adds what a thread used to a total. */
void acct_add_task(struct rusage_acct *a, struct task *t);
void acct_add(struct rusage_acct *a, const struct rusage_acct *b);

/* ---- answers.c --------------------------------------------------------------- */
/* p has another parent or group: its threads' stubs are told. tasks held. */
void answers_family_locked(struct process *p);
/* All that t's stub may know, at the start of a ctx. */
void answers_begin(struct task *t);
/* No signal is pending for t, which has a ctx: its stub may change its mask. sighand held. */
void answers_signals_locked(struct task *t);

/* ---- the others ------------------------------------------------------------ */
/* The sentry thread's main for a task whose first program exec brings: run before the loop. */
void task_loop(struct task *t);
void task_do_exit(struct task *t);			/* task_exit.c: everything after task_exit() */
/* Takes a dead process out of the tables. tasks held; reaped_put after unlocking. */
struct reaped { struct task *leader; struct pidgroup *pgrp; };
void process_reap_locked(struct process *p, struct reaped *out);
void reaped_put(struct reaped *r);
/* A stop may be complete now that a thread has gone or stopped: true when the parent must be told. sighand held. */
bool stop_is_complete_locked(struct process *p) MUST_CHECK;
/* The siginfo a parent gets about p. tasks held. */
void sigchld_info(struct process *p, int why, int status, struct abi_siginfo *info);
void task_clear_tid(struct task *t);
void task_vfork_release(struct task *t);		/* the parent of a vfork may go on */
int task_dup_fs(struct fsinfo *from, struct fsinfo **out) MUST_CHECK;
int utsns_new(struct utsns *from, struct utsns **out) MUST_CHECK;
/* guestinit.c: a process that the runtime has started has ended; has a terminal, whose size may change later. */
void guest_process_ended(struct process *p, int32_t wstatus);
void guest_process_terminal(struct process *p, struct file *tty);

#endif
