/*
 * task: a guest thread; process: a thread group; pidgroup, session.
 *
 * One sentry thread per task runs task_run(): guest, stop, call, signals, again.
 * task.c owns the tables and the tree of processes under the lock `tasks`.
 *
 * Field letters: [I] immutable, [a] atomic, [t] only its own task, [T] tasks lock, [S] sighand lock,
 * [m] the object's own mu.
 */
#ifndef SENTRY_KERNEL_TASK_H
#define SENTRY_KERNEL_TASK_H

#include "abi/gaddr.h"
#include "abi/regs.h"
#include "base/list.h"
#include "base/lock.h"
#include "base/ref.h"
#include "base/tree.h"
#include "platform/platform.h"
#include "sentry/kernel/cred.h"
#include "sentry/kernel/signal.h"
#include "sentry/kernel/wait.h"
#include "sentry/mm/mm.h"
#include "sentry/vfs/path.h"

struct fdtable;
struct tty;
struct ctx;
struct timer;
struct ptimer;
struct mntns;
struct file;
struct waitq;
struct guest_record;

#define RLIM_COUNT	16
struct rlimit64 { uint64_t cur, max; };

/* Working directory, root, umask: shared by CLONE_FS. */
struct fsinfo {
	struct ref	 ref;
	struct mutex	 mu;		/* rank fs */
	struct path	 root, cwd;	/* [m] counted */
	_Atomic uint32_t umask;
};

struct utsns {
	struct ref	 ref;
	struct mutex	 mu;		/* rank object */
	char		 nodename[65], domainname[65];	/* [m] */
};

struct pidgroup {
	struct ref	 ref;
	int32_t		 id;		/* [I] pid of its first leader */
	struct session	*session;	/* [I] counted */
	struct list	 members;	/* [T] process.pgrp_link */
	struct tree_node node;		/* [T] */
};

struct session {
	struct ref	 ref;
	int32_t		 id;		/* [I] */
	struct tty	*tty;		/* [T] controlling terminal, counted */
	uint32_t	 ngroups;	/* [T] in the table while it has any */
	struct process	*leader;	/* [T] borrowed; NULL once it is gone */
	struct pidgroup	*foreground;	/* [T] counted; of tty */
	struct tree_node node;		/* [T] */
};

/* CPU time and faults of the living are summed over tasks; these hold what ended. */
struct rusage_acct {
	uint64_t	utime_ns, stime_ns;
	uint64_t	minflt, majflt, nvcsw, nivcsw, inblock, oublock;
	uint64_t	maxrss;		/* bytes */
};

struct process {
	struct ref	 ref;
	int32_t		 pid;		/* [I] tgid */
	struct list	 threads;	/* [S] task.thread_link */
	uint32_t	 nthreads;	/* [S] in that list: the living, and a leader that waits for them */
	uint32_t	 nlive;		/* [S] threads that have not yet begun to exit */
	struct task	*leader;	/* [T] counted until reaped */

	/* family [T] */
	struct process	*parent;	/* borrowed; reparented before it goes */
	struct list	 children, sibling;
	struct pidgroup	*pgrp;		/* counted */
	struct list	 pgrp_link;
	int32_t		 exit_signal;	/* to the parent */
	bool		 is_subreaper, did_exec;
	_Atomic bool	 zombie;	/* written under T; pidfds look without */
	bool		 no_tty;	/* gave up the session's terminal for itself (TIOCNOTTY); inherited */
	int32_t		 wstatus;	/* wait status once zombie */
	int32_t		 forker_tid;	/* the parent's thread that made us: __WNOTHREAD, PDEATHSIG */
	struct guest_record *record;	/* for a process started by the runtime (guestinit.c) */
	struct waitq	 wait_children;	/* woken when a child changes state */

	/* signals [S] */
	struct sighand	*sighand;	/* [a] counted; exec may replace a shared one: process_lock() */
	struct sigpending pending;
	bool		 group_exit;	/* everyone must die with group_code */
	int32_t		 group_code;	/* wait status */
	uint32_t	 stop_signo;	/* non-zero: stopped or stopping */
	uint32_t	 nstopped;
	bool		 stop_complete;	/* every thread has stopped */
	bool		 stop_reported, cont_pending;	/* wait: WUNTRACED / WCONTINUED unreported */
	bool		 cont_notify;	/* the next thread to run tells the parent CLD_CONTINUED */
	struct task	*exec_task;	/* the one killing the others */
	int32_t		 group_kick;

	/* limits and accounting */
	struct mutex	 mu;		/* rank object: rlim, times */
	struct rlimit64	 rlim[RLIM_COUNT];	/* [m] */
	struct cpu_limit *cpu_limit;	/* [m] owned; the watch over RLIMIT_CPU, once there was one */
	bool		 cpu_limit_over;	/* [m] no new one: the process is ending */
	struct rusage_acct acct, children_acct;	/* [m] */
	uint64_t	 start_ns;	/* [I] monotonic */
	struct list	 posix_timers;	/* [S] */
	int32_t		 next_timer_id;	/* [S] */
	struct timer	*itimer_real;	/* owned by timer.c */
	struct itimer_cpu { uint64_t value_ns, interval_ns; } itimer_virt, itimer_prof; /* [S] */
	_Atomic int32_t	 oom_score_adj;
};

/* A call that has returned, for the crash report. */
#define LAST_CALLS	16
struct last_call { int64_t ret; int32_t nr; };

enum task_state { TASK_RUNNING, TASK_SLEEPING, TASK_DISK, TASK_STOPPED, TASK_TRACED, TASK_ZOMBIE, TASK_DEAD };

struct task {
	struct ref	 ref;
	int32_t		 tid;		/* [I]; exec may give the leader's to the caller [T] */
	struct process	*process;	/* [I] counted */
	struct list	 thread_link;	/* [S] */
	struct tree_node node;		/* [T] by tid */

	/* guest state [t] */
	struct ctx	*ctx;		/* [t] reads; changes under S (signal_set_ctx), for task_kick; NULL before the first run and after exit */
	struct abi_regs	 regs;		/* [t] at a call rax, orig_rax and the arguments only: task_regs */
	struct mm	*mm;		/* counted; read by others with task_mm_get (alloc_mu) */
	uint64_t	 fault_trapno, fault_error, fault_cr2;	/* of the last fault, for sigcontext */
	uint64_t	 stuck_rip, stuck_addr, stuck_count, stuck_since_ns;	/* a fault that comes back */
	uint32_t	 stuck_nlast;	/* nlast then */
	uint64_t	 vdso_slot, vdso_ret;	/* on the way out of the host's vDSO: where it returns, see vdso.c; slot 0: it is not */
	void		*start_fp;	/* owned; FP image to begin with, or NULL */
	int64_t		 syscall;	/* [a] number in flight, -1 none */
	uint64_t	 args[6];	/* of that call, for strace, debug and /proc/PID/syscall */
	struct last_call last[LAST_CALLS]; /* [t] a ring */
	uint32_t	 nlast;
	const char *_Atomic wait_reason; /* [a] for debug; a literal */
	gaddr_t		 clear_child_tid, set_child_tid, robust_list;
	uint64_t	 robust_len;
	_Atomic bool	 futex_gone;	/* it has died, and wakes nobody any more who waits for a PI lock of its */
	gaddr_t		 rseq; uint32_t rseq_len, rseq_sig;
	_Atomic uint32_t personality;
	char		 comm[16];	/* [m] alloc_mu */
	const char	*walk_rest;	/* [t] the path after the name being looked up; NULL outside a walk */
	bool		walk_known;	/* [t] all that its last walk has seen changes by calls alone (path.c) */
	struct restart_block {
		int64_t (*fn)(struct task *t);
		uint64_t deadline_ns; gaddr_t p1; uint64_t v1, v2, v3;
	} restart;			/* for -ERESTART_RESTARTBLOCK */

	/* resources: replaced under alloc_mu so that /proc may look */
	struct mutex	 alloc_mu;	/* rank fs */
	struct fdtable	*files;		/* counted */
	struct fsinfo	*fs;		/* counted */
	struct cred	*cred;		/* counted; real == effective (no objective/subjective split) */
	struct mntns	*mntns;		/* counted */
	struct utsns	*uts;		/* counted */

	/* signals [S] */
	struct sigpending pending;
	_Atomic uint64_t sigmask;	/* of a task without ctx; written by its own task under S: signal_mask() */
	sigset64	 sigwait;	/* [S] rt_sigtimedwait's set: blocked, and yet wanted */
	sigset64	 saved_mask;	/* [t] sigsuspend, ppoll ... */
	bool		 restore_mask;	/* [t] put saved_mask back when no handler ran */
	uint64_t	 altstack_sp, altstack_size; uint32_t altstack_flags;	/* [t] */
	_Atomic uint32_t attention;	/* something to look at before going back to the guest */
	int32_t		 pdeath_signal;	/* [T] */

	/* sleeping */
	_Atomic uint32_t wake_word;	/* wait.c */
	_Atomic uint32_t state;		/* enum task_state */

	/* vfork */
	struct task	*vfork_child_of;	/* [T] counted parent waiting for us, or NULL */
	bool		 vfork_done;	/* [T] */

	/* accounting [a] */
	_Atomic uint64_t utime_ns, stime_ns, nvcsw, nivcsw, minflt;
	uint64_t	 start_ns;
	uint64_t	 timer_slack_ns, default_slack_ns;
	uint64_t	 affinity[16];	/* [T] CPUs asked for; all zero: any */
	bool		 no_thp, tsc_off;	/* [t] prctl: kept and shown */
	int32_t		 exit_code;	/* wait status */
	int32_t		 nice;		/* [T] */
	uint32_t	 sched_policy, sched_prio;	/* [T] */
	_Atomic uint16_t ioprio;		/* as ioprio_set(2) left it */
	bool		 sched_reset;		/* [T] SCHED_RESET_ON_FORK: children start as ordinary ones */
	bool		 exiting;	/* [S] past the point of no return */
	_Atomic bool	 exit_now;	/* [a] task_exit was called: task_run unwinds */
	bool		 stopped;	/* [S] counted in process.nstopped */
	_Atomic uint64_t in_guest_since;	/* TSC when the guest was entered, 0 while in the kernel */
	uint64_t	 slept_tsc;	/* [t] ticks asleep within this call */
	void		*seccomp;	/* guest filters, later */
};

/* ---- the one global ------------------------------------------------------- */
#define PID_LIMIT	4194304		/* as /proc/sys/kernel/pid_max */

struct kernel {
	struct mutex	 tasks_mu;	/* rank tasks */
	struct tree	 tasks;		/* by tid */
	struct tree	 pidgroups, sessions;
	int32_t		 last_pid;
	uint32_t	 ntasks;
	struct process	*init;		/* pid 1; borrowed from its own reference */
	struct mntns	*mntns;		/* of init */
	struct utsns	*uts;
	uint64_t	 pids_limit, memory_limit;	/* 0: none */
	uint64_t	 ram;		/* the host's, in bytes */
	uint32_t	 ncpus;
	bool		 cpus_from_zero; /* the host's numbers of those we may run on are 0 to ncpus - 1 */
	bool		 strace, report;
	bool		 init_mortal;	/* pid 1 dies of its own signals, as outside a pid namespace */
	int		 report_fd, random_fd;
	_Atomic uint64_t forks, ctxt;
};
extern struct kernel kernel;

/* Whatever must exist before the first task: called once, single-threaded, after the filter. */
void tasks_boot(void);

/*
 * Locks p's sighand, which exec may replace when it was shared with another process: always by these
 * two.  p need only be referenced.
 */
static inline struct sighand *
process_lock(struct process *p)
{
	for (;;) {
		struct sighand *sh = __atomic_load_n(&p->sighand, __ATOMIC_ACQUIRE);

		mutex_lock(&sh->mu);
		if (likely(sh == __atomic_load_n(&p->sighand, __ATOMIC_RELAXED)))
			return sh;
		mutex_unlock(&sh->mu);
	}
}
static inline void
process_unlock(struct sighand *sh)
{
	mutex_unlock(&sh->mu);
}

/* ---- task.c --------------------------------------------------------------- */
struct task *task_find_get(int32_t tid);		/* counted, or NULL */
bool task_is_listed(struct task *t);			/* does its number still find it?  Not once it was reaped.  Locks: tasks */
struct process *process_find_get(int32_t pid);		/* counted, or NULL: only by tgid */
struct pidgroup *pidgroup_find_get(int32_t id);
struct task *process_leader_get(struct process *p);	/* some living thread, else the leader; counted */
struct mm *task_mm_get(struct task *t);			/* counted, NULL once it exited */
struct fdtable *task_files_get(struct task *t);
bool task_shares_fs(struct task *t);			/* does another process have the caller's fs as well? Locks: tasks */
struct fsinfo *task_fs_get(struct task *t);
int32_t process_ppid(struct process *p);
bool process_orphaned_pgrp(struct pidgroup *g);		/* tasks held */
/* Calls fn for each process (leader tasks, counted during the call, tasks lock not held). */
void process_each(bool (*fn)(struct process *p, void *arg), void *arg);
int32_t process_next_thread(struct process *p, int32_t from); /* the lowest tid of p that is not below from; 0: none. Locks: tasks */
uint64_t task_rlimit(struct task *t, int resource);	/* soft limit */
void task_set_comm(struct task *t, const char *name);
/* A task's name in a text of lines: newlines and backslashes written out, as in /proc/PID/status. */
void comm_print(struct strbuf *sb, const char *comm);
/* Fresh random bytes, from the host's generator. */
void kernel_random(void *buf, size_t len);
#define rlimit_of(t, r) task_rlimit((t), (r))
uint64_t process_rlimit(struct process *p, int resource, uint64_t *max);	/* soft; *max (may be NULL) hard */
void rlimit_defaults(struct rlimit64 rlim[RLIM_COUNT]);
/* RLIMIT_CPU may be finite now: watches p's CPU time. -ENOMEM. And the end of that. No lock held. */
int rlimit_cpu_watch(struct process *p) MUST_CHECK;
void rlimit_cpu_end(struct process *p);
/* CPU time so far, in ns; a process's includes threads that ended. Takes sighand and the process's mu. */
void task_times(struct task *t, uint64_t *utime, uint64_t *stime);
void process_times(struct process *p, uint64_t *utime, uint64_t *stime);
uint64_t cpu_ticks(void);		/* the unit of in_guest_since */
uint64_t ticks_to_ns(uint64_t ticks);
/*
 * For whoever has just made attention non-zero, or ended a stop: breaks t's sleep and its run.
 * sighand held (it keeps t->ctx from going away).
 */
void task_kick(struct task *t);
/* All registers of the guest, to look at or to change: t->regs, whole. Own thread, between two runs. */
struct abi_regs *task_regs(struct task *t);
/* The session of t's process and its group, counted. */
struct session *process_session_get(struct process *p);
struct pidgroup *process_pgrp_get(struct process *p);

/* ---- the big transitions --------------------------------------------------- */
void task_run(void *task);				/* the sentry thread's main; takes the reference */
struct clone_request {
	uint64_t flags; gaddr_t parent_tid, child_tid; uint64_t stack, stack_size, tls;
	int32_t exit_signal; gaddr_t pidfd; int32_t *set_tid; unsigned nset_tid; int cgroup;
};
int64_t task_clone(struct task *t, const struct clone_request *r) MUST_CHECK;
/* exec(2): argv and envp are kernel copies. On success the caller's regs are those of the new program. */
struct exec_request {
	struct path	 path;		/* counted; of the file to run */
	struct file	*file;		/* counted; open for exec */
	char		*filename;	/* as given, for AT_EXECFN */
	char		**argv, **envp;	/* NULL-terminated arrays, mem_alloc'ed; the strings belong to mem */
	uint64_t	 argc, envc;
	struct exec_chunk *mem;	/* where the strings live */
	uint64_t	 bytes, limit;	/* of strings and pointers; E2BIG beyond */
	struct cred	*cred;		/* elf_load: the new credentials, counted */
	struct exec_gain gain;		/* elf_load: by them */
	bool		 shares_fs;	/* elf_load: they are less for that */
	bool		 unreadable;	/* elf_load: the caller may not read the file or its interpreter: not dumpable */
};
/* Copies a string (n bytes and a NUL) into r's memory. -ENOMEM, -E2BIG. */
int exec_string(struct exec_request *r, const char *s, size_t n, char **out) MUST_CHECK;
void exec_request_fini(struct exec_request *r);
int task_exec(struct task *t, struct exec_request *r) MUST_CHECK;
/* Leaves the guest for good; wstatus as wait(2). Called by the task itself; its thread unwinds to task_run. */
void task_exit(struct task *t, int32_t wstatus);
/* Starts the death of the whole thread group; every thread then runs task_exit. */
void process_exit(struct process *p, int32_t wstatus);
void process_exit_locked(struct process *p, int32_t wstatus);	/* sighand held */
bool task_must_exit(struct task *t);			/* group exit, or killed */
/* Job control. */
void process_stop(struct process *p, int signo);	/* sighand held */
void process_continue(struct process *p);		/* sighand held */
void task_stop_wait(struct task *t);			/* while stopped */
/* SIGCHLD with CLD_STOPPED or CLD_CONTINUED to the parent, and wakes its waits. No lock held. */
void process_notify_parent(struct process *p, int why, int status);

/* ---- waiting for children: task_wait.c -------------------------------------- */
struct wait_request {
	enum { WAIT_ANY, WAIT_PID, WAIT_PGRP } which;
	int32_t		 id;
	uint32_t	 options;	/* WNOHANG WUNTRACED WEXITED WCONTINUED WNOWAIT __WNOTHREAD __WALL __WCLONE */
};
struct wait_result {
	int32_t		 pid;		/* 0: WNOHANG and nothing */
	uint32_t	 uid;
	int32_t		 wstatus;	/* as wait4 */
	int32_t		 code, status;	/* as siginfo: CLD_ and its status */
	struct rusage_acct acct;	/* of the child and its waited-for descendants */
};
int process_wait(struct task *t, const struct wait_request *r, struct wait_result *out) MUST_CHECK;

/* By others, at exit: robust and PI futexes of t (futex_pi.c), at exec too; the controlling terminal (fs/tty.c). */
void futex_exit(struct task *t);
void futex_exec(struct task *t);
void tty_session_gone(struct session *s);

/* pidfds (fs/pidfd.c). A descriptor for p, close-on-exec; the process behind one, counted: -EBADF. */
int pidfd_install(struct task *t, struct process *p, uint32_t flags) MUST_CHECK;
int pidfd_process_get(struct task *t, int32_t fd, struct process **out, bool *nonblock) MUST_CHECK;
void pidfd_process_ended(void);			/* some process has become a zombie */

/* ELF: loads r's program into a fresh mm and fills regs: sentry/kernel/elf.c. */
struct image { struct mm *mm; uint64_t entry, sp; };
int elf_load(struct task *t, struct exec_request *r, struct image *out) MUST_CHECK;	/* handles #! by rewriting r; -ENOEXEC ... */
/* The vDSO page(s): maps it and returns its base. sentry/kernel/vdso.c */
int vdso_map(struct mm *mm, uint64_t *base) MUST_CHECK;
/* path, absolute, is no symbolic link, as was found after platform_names had said `names`: t's stub is told (answers.c). */
void answers_no_link(struct task *t, uint64_t names, const char *path);
int vdso_boot(void) MUST_CHECK;				/* once, after pages_boot and platform_ready */
/* Before a signal: true when the guest is in the host's vDSO and has to run on until it is out. */
bool vdso_leave(struct task *t) MUST_CHECK;
/* It is not to leave after all: a fault is to be delivered where it happened. */
void vdso_stay(struct task *t);
/* At a fault while vdso_slot is set: true when the guest is out, its registers as if nothing had been. */
bool vdso_left(struct task *t) MUST_CHECK;

/* First process. */
int process_new_init(struct task **out) MUST_CHECK;	/* pid 1, not yet running */

#endif
