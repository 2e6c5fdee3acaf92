/*
 * Calls that make, change, end and await processes; and their ids, groups and sessions.
 */
#include <linux/fcntl.h>
#include <linux/sched.h>
#include <linux/wait.h>
#include <string.h>
#include <time.h>

#include "abi/resource.h"
#include "abi/signal.h"
#include "base/hostcall.h"
#include "base/kmem.h"
#include "sentry/kernel/tasktree.h"
#include "sentry/mm/usercopy.h"
#include "sentry/syscall/syscall.h"
#include "sentry/vfs/file.h"

/* ---- fork and its kin ------------------------------------------------------ */

int64_t
sys_fork(struct task *t)
{
	return task_clone(t, &(struct clone_request){ .exit_signal = SIGCHLD });
}

int64_t
sys_vfork(struct task *t)
{
	return task_clone(t, &(struct clone_request){
		.flags = CLONE_VFORK | CLONE_VM, .exit_signal = SIGCHLD });
}

int64_t
sys_clone(struct task *t, uint64_t flags, gaddr_t stack, gaddr_t parent_tid, gaddr_t child_tid,
    uint64_t tls)
{
	struct clone_request r = {
		.flags = flags & 0xffffffff & ~(uint64_t)CSIGNAL,
		.exit_signal = (int32_t)(flags & CSIGNAL),
		.parent_tid = parent_tid, .child_tid = child_tid, .pidfd = parent_tid,
		.stack = gaddr_raw(stack), .tls = tls,
	};

	/* One word cannot hold both. */
	if ((r.flags & CLONE_PIDFD) && (r.flags & CLONE_PARENT_SETTID))
		return -EINVAL;
	return task_clone(t, &r);
}

/* The struct may be longer than what is known here, if the rest is zero. */
static int
get_clone_args(struct task *t, gaddr_t at, uint64_t size, struct clone_args *a)
{
	uint8_t rest[128];
	uint64_t known = min(size, (uint64_t)sizeof *a);
	int err;

	if (size > PAGE_SIZE)
		return -E2BIG;
	if (size < CLONE_ARGS_SIZE_VER0)
		return -EINVAL;
	memset(a, 0, sizeof *a);
	err = copy_in(t, a, at, known);
	for (uint64_t done = known; !err && done < size;) {
		uint64_t n = min(size - done, (uint64_t)sizeof rest);

		err = copy_in(t, rest, gaddr_add(at, done), n);
		for (uint64_t i = 0; !err && i < n; i++) {
			if (rest[i])
				err = -E2BIG;
		}
		done += n;
	}
	return err;
}

int64_t
sys_clone3(struct task *t, gaddr_t args, uint64_t size)
{
	const uint64_t legacy = 0xffffffffULL & ~(uint64_t)(CSIGNAL | CLONE_DETACHED);
	const uint64_t both = CLONE_SIGHAND | CLONE_CLEAR_SIGHAND;
	struct clone_args a;
	int err = get_clone_args(t, args, size, &a);

	if (err)
		return err;
	if (a.set_tid_size > 32 || (a.set_tid == 0) != (a.set_tid_size == 0))
		return -EINVAL;
	if (a.exit_signal & ~(uint64_t)CSIGNAL || a.exit_signal > ABI_NSIG)
		return -EINVAL;
	if ((a.flags & CLONE_INTO_CGROUP) && (a.cgroup > INT32_MAX || size < CLONE_ARGS_SIZE_VER2))
		return -EINVAL;
	if (a.flags & ~(legacy | CLONE_CLEAR_SIGHAND | CLONE_INTO_CGROUP | CLONE_NEWTIME))
		return -EINVAL;
	if ((a.flags & both) == both)
		return -EINVAL;
	if ((a.flags & (CLONE_THREAD | CLONE_PARENT)) && a.exit_signal)
		return -EINVAL;
	if ((a.stack == 0) != (a.stack_size == 0))
		return -EINVAL;
	if (a.stack && (a.stack >= GUEST_TOP || a.stack_size > GUEST_TOP - a.stack))
		return -EINVAL;
	return task_clone(t, &(struct clone_request){
		.flags = a.flags, .exit_signal = (int32_t)a.exit_signal,
		.parent_tid = gaddr_from(a.parent_tid), .child_tid = gaddr_from(a.child_tid),
		.pidfd = gaddr_from(a.pidfd), .stack = a.stack + a.stack_size, .tls = a.tls,
		.nset_tid = (unsigned)a.set_tid_size, .cgroup = (int)a.cgroup });
}

/* ---- exec ------------------------------------------------------------------ */

#define ARGS_LEAST	((uint64_t)128 << 10)	/* ARG_MAX */
#define ARGS_MOST	((uint64_t)6 << 20)	/* three quarters of the usual stack limit */
#define STRING_LIMIT	131072			/* MAX_ARG_STRLEN */

/* Strings mostly lie side by side: a window of guest memory serves many of them with one copy. */
struct arg_window {
	uint64_t	from;
	size_t		len;
	char		buf[4096];
};

static int
get_long_string(struct task *t, struct exec_request *r, uint64_t at, char **out)
{
	AUTO_FREE char *big = mem_alloc(STRING_LIMIT);
	int64_t n;

	if (big == NULL)
		return -ENOMEM;
	n = copy_in_str(t, big, gaddr_from(at), STRING_LIMIT);
	if (n < 0)
		return n == -ENAMETOOLONG ? -E2BIG : (int)n;
	return exec_string(r, big, (size_t)n, out);
}

static int
get_string(struct task *t, struct exec_request *r, struct arg_window *w, uint64_t at, char **out)
{
	const char *s, *nul;
	int64_t n;

	if (at >= w->from && at - w->from < w->len) {
		s = w->buf + (at - w->from);
		nul = memchr(s, '\0', w->len - (at - w->from));
		if (nul)
			return exec_string(r, s, (size_t)(nul - s), out);
	}
	w->len = 0;
	n = copy_in_some(t->mm, w->buf, gaddr_from(at), sizeof w->buf);
	if (n < 0)
		return (int)n;
	w->from = at;
	w->len = (size_t)n;
	nul = memchr(w->buf, '\0', w->len);
	if (nul)
		return exec_string(r, w->buf, (size_t)(nul - w->buf), out);
	return n == sizeof w->buf ? get_long_string(t, r, at, out) : -EFAULT;
}

/* Appends one string pointer, growing the array by doubling. */
static int
push_pointer(char ***v, uint64_t *cap, uint64_t n, char *s)
{
	if (n + 1 >= *cap) {
		uint64_t want = *cap ? *cap * 2 : 32;
		char **bigger = mem_realloc(*v, want * sizeof **v);

		if (bigger == NULL)
			return -ENOMEM;
		*v = bigger;
		*cap = want;
	}
	(*v)[n] = s;
	(*v)[n + 1] = NULL;
	return 0;
}

static int
get_vector(struct task *t, struct exec_request *r, struct arg_window *w, gaddr_t at, char ***out,
    uint64_t *count)
{
	uint64_t ptrs[64], cap = 0, n = 0;
	int err = push_pointer(out, &cap, 0, NULL);

	*count = 0;
	if (err || gaddr_is_null(at))
		return err;
	for (;;) {
		int64_t got = copy_in_some(t->mm, ptrs, gaddr_add(at, n * 8), sizeof ptrs);

		if (got < 8)
			return -EFAULT;
		for (uint64_t i = 0; i < (uint64_t)got / 8; i++) {
			char *s;

			if (ptrs[i] == 0)
				return 0;
			err = get_string(t, r, w, ptrs[i], &s);
			if (!err)
				err = push_pointer(out, &cap, n, s);
			if (err)
				return err;
			*count = ++n;
		}
	}
}

static int
get_arguments(struct task *t, struct exec_request *r, gaddr_t argv, gaddr_t envp)
{
	AUTO_FREE struct arg_window *w = mem_alloc(sizeof *w);
	int err;

	if (w == NULL)
		return -ENOMEM;
	r->limit = min(ARGS_MOST, task_rlimit(t, ABI_RLIMIT_STACK) / 4);
	r->limit = max(ARGS_LEAST, r->limit);
	err = get_vector(t, r, w, argv, &r->argv, &r->argc);
	if (!err)
		err = get_vector(t, r, w, envp, &r->envp, &r->envc);
	/* Programs that trust argv[0] to exist: Linux gives them an empty one. */
	if (!err && r->argc == 0) {
		err = exec_string(r, "", 0, &r->argv[0]);
		if (!err) {
			r->argv[1] = NULL;
			r->argc = 1;
		}
	}
	return err;
}

/* The name the new program sees: of a descriptor, its place in /dev/fd. */
static int
exec_name(struct exec_request *r, int32_t dirfd, const char *path)
{
	char text[32];
	struct strbuf sb = STRBUF(text, sizeof text);
	AUTO_FREE char *full = NULL;
	size_t len;

	if (dirfd == AT_FDCWD || *path == '/')
		return exec_string(r, path, strlen(path), &r->filename);
	sb_printf(&sb, "/dev/fd/%d", dirfd);
	if (*path == '\0')
		return exec_string(r, text, sb.len, &r->filename);
	len = strlen(path);
	full = mem_alloc(sb.len + 1 + len + 1);
	if (full == NULL)
		return -ENOMEM;
	memcpy(full, text, sb.len);
	full[sb.len] = '/';
	memcpy(full + sb.len + 1, path, len + 1);
	return exec_string(r, full, sb.len + 1 + len, &r->filename);
}

int64_t
sys_execveat(struct task *t, int32_t dirfd, gaddr_t path, gaddr_t argv, gaddr_t envp, int32_t flags)
{
	AUTO_FREE char *name = NULL;
	struct exec_request r = { 0 };
	uint32_t walk = flags & AT_SYMLINK_NOFOLLOW ? 0 : WALK_FOLLOW;
	int err;

	if (flags & ~(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH))
		return -EINVAL;
	if (flags & AT_EMPTY_PATH)
		walk |= WALK_EMPTY;
	err = copy_in_path(t, path, &name);
	if (!err)
		err = vfs_open_exec(t, dirfd, name, walk, &r.file);
	if (!err)
		err = exec_name(&r, dirfd, name);
	if (!err)
		err = get_arguments(t, &r, argv, envp);
	if (!err)
		err = task_exec(t, &r);
	exec_request_fini(&r);
	return err;
}

int64_t
sys_execve(struct task *t, gaddr_t path, gaddr_t argv, gaddr_t envp)
{
	return sys_execveat(t, AT_FDCWD, path, argv, envp, 0);
}

/* ---- exit and wait --------------------------------------------------------- */

int64_t
sys_exit(struct task *t, int32_t status)
{
	task_exit(t, (status & 0xff) << 8);
	return 0;
}

int64_t
sys_exit_group(struct task *t, int32_t status)
{
	process_exit(t->process, (status & 0xff) << 8);
	task_exit(t, (status & 0xff) << 8);
	return 0;
}

static int32_t
own_pgrp(struct task *t)
{
	int32_t id;

	mutex_lock(&kernel.tasks_mu);
	id = t->process->pgrp ? t->process->pgrp->id : 0;
	mutex_unlock(&kernel.tasks_mu);
	return id;
}

static void
fill_rusage(struct abi_rusage *out, const struct rusage_acct *a)
{
	*out = (struct abi_rusage){
		.utime_sec = (int64_t)(a->utime_ns / NSEC_PER_SEC),
		.utime_usec = (int64_t)(a->utime_ns % NSEC_PER_SEC / 1000),
		.stime_sec = (int64_t)(a->stime_ns / NSEC_PER_SEC),
		.stime_usec = (int64_t)(a->stime_ns % NSEC_PER_SEC / 1000),
		.maxrss = (int64_t)(a->maxrss / 1024),
		.minflt = (int64_t)a->minflt, .majflt = (int64_t)a->majflt,
		.inblock = (int64_t)a->inblock, .oublock = (int64_t)a->oublock,
		.nvcsw = (int64_t)a->nvcsw, .nivcsw = (int64_t)a->nivcsw,
	};
}

static int
put_rusage(struct task *t, gaddr_t at, const struct rusage_acct *a)
{
	struct abi_rusage ru;

	if (gaddr_is_null(at))
		return 0;
	fill_rusage(&ru, a);
	return copy_out(t, at, &ru, sizeof ru);
}

int64_t
sys_wait4(struct task *t, int32_t pid, gaddr_t status, int32_t options, gaddr_t rusage)
{
	struct wait_request r = { .options = (uint32_t)options | WEXITED };
	struct wait_result w;
	int err;

	if (options & ~(int32_t)(WNOHANG | WUNTRACED | WCONTINUED | __WNOTHREAD | __WCLONE | __WALL))
		return -EINVAL;
	if (pid == INT32_MIN)
		return -ESRCH;
	r.which = pid > 0 ? WAIT_PID : pid == -1 ? WAIT_ANY : WAIT_PGRP;
	r.id = pid == 0 ? own_pgrp(t) : pid < 0 ? -pid : pid;
	err = process_wait(t, &r, &w);
	if (err || w.pid == 0)
		return err;
	if (!gaddr_is_null(status))
		err = put_u32(t, status, (uint32_t)w.wstatus);
	if (!err)
		err = put_rusage(t, rusage, &w.acct);
	return err ? err : w.pid;
}

static int
waitid_target(struct task *t, int32_t idtype, int32_t id, struct wait_request *r)
{
	bool nonblock;
	AUTO_PUT(process) p = NULL;
	int err;

	switch (idtype) {
	case P_ALL:
		r->which = WAIT_ANY;
		return 0;
	case P_PID:
		r->which = WAIT_PID;
		r->id = id;
		return id > 0 ? 0 : -EINVAL;
	case P_PGID:
		r->which = WAIT_PGRP;
		r->id = id ? id : own_pgrp(t);
		return id >= 0 ? 0 : -EINVAL;
	case P_PIDFD:
		if (id < 0)
			return -EINVAL;
		err = pidfd_process_get(t, id, &p, &nonblock);
		if (err)
			return err;
		if (nonblock)
			r->options |= WNOHANG;
		r->which = WAIT_PID;
		r->id = p->pid;
		return 0;
	default:
		return -EINVAL;
	}
}

int64_t
sys_waitid(struct task *t, int32_t idtype, int32_t id, gaddr_t info, int32_t options, gaddr_t rusage)
{
	struct wait_request r = { .options = (uint32_t)options };
	struct abi_siginfo si;
	struct wait_result w;
	int err;

	if (options & ~(int32_t)(WNOHANG | WNOWAIT | WEXITED | WSTOPPED | WCONTINUED | __WNOTHREAD |
	    __WCLONE | __WALL))
		return -EINVAL;
	if (!(options & (WEXITED | WSTOPPED | WCONTINUED)))
		return -EINVAL;
	err = waitid_target(t, idtype, id, &r);
	if (!err)
		err = process_wait(t, &r, &w);
	/* A non-blocking pidfd says so, where WNOHANG gives a zeroed answer. */
	if (!err && w.pid == 0 && !(options & WNOHANG) && (r.options & WNOHANG))
		return -EAGAIN;
	if (!err && w.pid)
		err = put_rusage(t, rusage, &w.acct);
	if (err || gaddr_is_null(info))
		return err;
	memset(&si, 0, sizeof si);
	if (w.pid) {
		si.si_signo = SIGCHLD;
		si.si_code = w.code;
		si.si_pid = w.pid;
		si.si_uid = w.uid;
		si.si_status = w.status;
	}
	/* Linux writes up to si_status, and leaves the rest alone. */
	return copy_out(t, info, &si, offsetof(struct abi_siginfo, si_status) + sizeof si.si_status);
}

int64_t
sys_getrusage(struct task *t, int32_t who, gaddr_t usage)
{
	struct process *p = t->process;
	struct rusage_acct a = { 0 };
	uint64_t anon = 0, file = 0, shmem = 0;
	struct sighand *sh;
	struct task *o;

	switch (who) {
	case ABI_RUSAGE_SELF:
		mutex_lock(&p->mu);
		a = p->acct;
		mutex_unlock(&p->mu);
		sh = process_lock(p);
		list_for_each(o, &p->threads, thread_link) {
			if (!o->exiting)
				acct_add_task(&a, o);
		}
		process_unlock(sh);
		break;
	case ABI_RUSAGE_CHILDREN:
		mutex_lock(&p->mu);
		a = p->children_acct;
		mutex_unlock(&p->mu);
		break;
	case ABI_RUSAGE_THREAD:
		acct_add_task(&a, t);
		break;
	default:
		return -EINVAL;
	}
	if (who != ABI_RUSAGE_CHILDREN) {
		mm_rss(t->mm, &anon, &file, &shmem);
		a.maxrss = max(a.maxrss, anon + file + shmem);
	}
	return put_rusage(t, usage, &a);
}

#define NS_PER_TICK	(NSEC_PER_SEC / 100)

int64_t
sys_times(struct task *t, gaddr_t buf)
{
	struct process *p = t->process;
	uint64_t u, s;
	int64_t v[4];
	int err;

	process_times(p, &u, &s);
	v[0] = (int64_t)(u / NS_PER_TICK);
	v[1] = (int64_t)(s / NS_PER_TICK);
	mutex_lock(&p->mu);
	v[2] = (int64_t)(p->children_acct.utime_ns / NS_PER_TICK);
	v[3] = (int64_t)(p->children_acct.stime_ns / NS_PER_TICK);
	mutex_unlock(&p->mu);
	if (!gaddr_is_null(buf)) {
		err = copy_out(t, buf, v, sizeof v);
		if (err)
			return err;
	}
	return (int64_t)(host_clock_ns(CLOCK_MONOTONIC) / NS_PER_TICK);
}

/* ---- ids ------------------------------------------------------------------- */

int64_t
sys_getpid(struct task *t)
{
	return t->process->pid;
}

int64_t
sys_gettid(struct task *t)
{
	return t->tid;
}

int64_t
sys_getppid(struct task *t)
{
	return process_ppid(t->process);
}

int64_t
sys_set_tid_address(struct task *t, gaddr_t tidptr)
{
	t->clear_child_tid = tidptr;
	return t->tid;
}

int64_t
sys_getpgrp(struct task *t)
{
	return own_pgrp(t);
}

int64_t
sys_getpgid(struct task *t, int32_t pid)
{
	struct task *o;
	int64_t id = -ESRCH;

	mutex_lock(&kernel.tasks_mu);
	o = pid == 0 ? t : task_find_locked(pid);
	if (o && o->process->pgrp)
		id = o->process->pgrp->id;
	mutex_unlock(&kernel.tasks_mu);
	return id;
}

int64_t
sys_getsid(struct task *t, int32_t pid)
{
	struct task *o;
	int64_t id = -ESRCH;

	mutex_lock(&kernel.tasks_mu);
	o = pid == 0 ? t : task_find_locked(pid);
	if (o && o->process->pgrp)
		id = o->process->pgrp->session->id;
	mutex_unlock(&kernel.tasks_mu);
	return id;
}

/* May t move p into group id? The checks of setpgid(2); tasks held. */
static int
setpgid_check(struct task *t, struct process *p, struct task *leader, int32_t id)
{
	struct session *s = t->process->pgrp->session;
	struct pidgroup *g;

	if (p->leader != leader)
		return -EINVAL;
	if (p->parent == t->process) {
		if (p->pgrp == NULL || p->pgrp->session != s)
			return -EPERM;
		if (p->did_exec)
			return -EACCES;
	} else if (p != t->process) {
		return -ESRCH;
	}
	if (p->pgrp->session->leader == p)
		return -EPERM;
	if (id == p->pid)
		return 0;
	g = pidgroup_find_locked(id);
	return g && g->session == s ? 0 : -EPERM;
}

int64_t
sys_setpgid(struct task *t, int32_t pid, int32_t pgid)
{
	struct pidgroup *fresh = NULL, *old = NULL, *g;
	struct task *target;
	int err;

	if (pid == 0)
		pid = t->process->pid;
	if (pgid == 0)
		pgid = pid;
	if (pgid < 0)
		return -EINVAL;
	mutex_lock(&kernel.tasks_mu);
	target = task_find_locked(pid);
	err = target ? setpgid_check(t, target->process, target, pgid) : -ESRCH;
	if (err || target->process->pgrp->id == pgid)
		goto out;
	g = pidgroup_get(pidgroup_find_locked(pgid));
	if (g == NULL)
		g = pidgroup_new(pgid, target->process->pgrp->session);
	if (g == NULL) {
		err = -ENOMEM;
		goto out;
	}
	fresh = g;
	old = pgrp_move_locked(target->process, g);
out:
	mutex_unlock(&kernel.tasks_mu);
	pidgroup_put(fresh);
	pidgroup_put(old);
	return err;
}

int64_t
sys_setsid(struct task *t)
{
	struct process *p = t->process;
	AUTO_PUT(session) s = session_new(p->pid);
	AUTO_PUT(pidgroup) g = s ? pidgroup_new(p->pid, s) : NULL;
	struct pidgroup *old = NULL;
	int64_t result = p->pid;

	if (g == NULL)
		return -ENOMEM;
	mutex_lock(&kernel.tasks_mu);
	if (p->pgrp->session->leader == p || pidgroup_find_locked(p->pid) != NULL) {
		result = -EPERM;
	} else {
		s->leader = p;
		p->no_tty = false;
		old = pgrp_move_locked(p, g);
	}
	mutex_unlock(&kernel.tasks_mu);
	pidgroup_put(old);
	return result;
}
