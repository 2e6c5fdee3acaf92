/*
 * guestinit: processes that the runtime starts: the first one from the boot record, later ones by
 * exec requests; and what the runtime asks about them (sentry/control.h).
 *
 * Such a process has a record, found by its pid, that keeps the wait status until somebody asks.
 * Its first program is loaded on its own thread, since a guest thread belongs to one; the requester waits for the
 * outcome.  Callers here are the boot thread and the control threads, never tasks.
 */
#include <fcntl.h>
#include <linux/stat.h>
#include <string.h>
#include <time.h>

#include "abi/errno.h"
#include "abi/resource.h"
#include "base/hostcall.h"
#include "base/kmem.h"
#include "base/log.h"
#include "fs/hoststream.h"
#include "fs/tty.h"
#include "sentry/boot.h"
#include "sentry/control.h"
#include "sentry/kernel/tasktree.h"
#include "sentry/syscall/syscall.h"
#include "sentry/vfs/fdtable.h"
#include "sentry/vfs/file.h"
#include "sentry/vfs/mount.h"

#define EXIT_NOT_FOUND	127
#define EXIT_NOT_RUNNABLE 126
#define DEFAULT_PATH	"/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

struct guest_record {
	struct list	link;
	int32_t		pid;
	int32_t		wstatus;	/* [records.mu] */
	_Atomic uint32_t done;		/* a futex for guest_wait */
	unsigned	users;		/* [records.mu] */
	bool		collected;	/* [records.mu] somebody has waited */
	struct file	*tty;		/* [records.mu] counted slave, or NULL */
};
KMEM_CACHE(guest_record);

static struct {
	struct mutex	mu;
	struct list	all;
} records = { .mu = MUTEX_INIT(RANK_hostfd), .all = LIST_INIT(records.all) };

static _Atomic uint32_t init_started;

/* A process on its way to its first program. */
struct launch {
	struct task	*t;
	const struct spec_process *sp;
	int		fds[3];		/* the host's; taken */
	int		err, exit_code;
	struct strbuf	why;
	char		why_text[512];
	struct kevent	done;
};

/* ---- records --------------------------------------------------------------- */

/* The record of pid with a use counted, or NULL. */
static struct guest_record *
record_find(int32_t pid)
{
	struct guest_record *r, *found = NULL;

	mutex_lock(&records.mu);
	list_for_each(r, &records.all, link) {
		if (r->pid == pid) {
			found = r;
			r->users++;
			break;
		}
	}
	mutex_unlock(&records.mu);
	return found;
}

/* One that has ended and been asked for is of no more use; pid 1's stays. */
static void
record_put(struct guest_record *r)
{
	struct file *tty = NULL;
	bool gone;

	mutex_lock(&records.mu);
	gone = --r->users == 0 && r->collected && r->pid != 1;
	if (gone) {
		list_remove(&r->link);
		tty = r->tty;
	}
	mutex_unlock(&records.mu);
	if (gone) {
		file_put(tty);
		obj_free(guest_record, r);
	}
}

static struct guest_record *
record_new(struct process *p)
{
	struct guest_record *r = obj_new(guest_record);

	if (r == NULL)
		return NULL;
	r->pid = p->pid;
	r->users = 1;		/* the process's own */
	mutex_lock(&records.mu);
	list_push_back(&records.all, &r->link);
	mutex_unlock(&records.mu);
	p->record = r;
	return r;
}

void
guest_process_ended(struct process *p, int32_t wstatus)
{
	struct guest_record *r = p->record;
	struct file *tty;

	mutex_lock(&records.mu);
	r->wstatus = wstatus;
	tty = steal(&r->tty);
	mutex_unlock(&records.mu);
	file_put(tty);
	atomic_store(&r->done, 1);
	host_futex_wake(&r->done, INT32_MAX, false);
	record_put(r);
}

/* ---- making the process ---------------------------------------------------- */

static int
root_path(struct path *out)
{
	struct mount *m = kernel.mntns->root;

	out->mnt = m;
	out->dentry = m->root;
	path_get(out);
	return 0;
}

static int
fill_process(struct process *p, struct task *t)
{
	int err;

	err = sighand_new(NULL, &p->sighand);
	if (!err)
		err = cred_new(CAP_FULL, &t->cred);
	if (!err)
		err = fdtable_new(&t->files);
	if (!err)
		err = task_dup_fs(NULL, &t->fs);
	if (err)
		return err;
	/* Everything is allowed until the description of the process says otherwise. */
	t->cred->permitted = t->cred->effective = CAP_FULL;
	(void)root_path(&t->fs->root);
	(void)root_path(&t->fs->cwd);
	t->mntns = mntns_get(kernel.mntns);
	t->uts = utsns_get(kernel.uts);
	rlimit_defaults(p->rlim);
	p->exit_signal = SIGCHLD;
	return 0;
}

/* Session, group and tables; the process has no parent inside. */
static int
link_process(struct process *p, struct task *t)
{
	AUTO_PUT(session) s = session_new(0);
	AUTO_PUT(pidgroup) g = s ? pidgroup_new(0, s) : NULL;
	struct sighand *sh;
	int pid;

	if (g == NULL)
		return -ENOMEM;
	mutex_lock(&kernel.tasks_mu);
	pid = pid_alloc_locked();
	if (pid < 0) {
		mutex_unlock(&kernel.tasks_mu);
		return pid;
	}
	p->pid = t->tid = s->id = g->id = pid;
	p->leader = task_get(t);
	s->leader = p;
	pgrp_join_locked(p, g);
	sh = process_lock(p);
	list_push_back(&p->threads, &t->thread_link);
	p->nthreads = p->nlive = 1;
	process_unlock(sh);
	task_hash_locked(t);
	mutex_unlock(&kernel.tasks_mu);
	return 0;
}

/* A process of one thread that does not run yet; the thread's reference goes to the caller. */
static int
guest_process_new(struct task **out)
{
	AUTO_PUT(process) p = process_new();
	struct task *t;
	int err;

	if (p == NULL)
		return -ENOMEM;
	t = task_new(p);
	if (t == NULL)
		return -ENOMEM;
	err = fill_process(p, t);
	if (!err)
		err = link_process(p, t);
	if (err) {
		task_put(t);
		return err;
	}
	*out = t;
	return 0;
}

int
process_new_init(struct task **out)
{
	struct task *t;
	int err;

	err = utsns_new(NULL, &kernel.uts);
	if (err)
		return err;
	if (boot_spec && boot_spec->hostname)
		memcpy(kernel.uts->nodename, boot_spec->hostname, strnlen(boot_spec->hostname, 64));
	if (boot_spec && boot_spec->domainname)
		memcpy(kernel.uts->domainname, boot_spec->domainname,
		    strnlen(boot_spec->domainname, 64));
	err = guest_process_new(&t);
	if (err)
		return err;
	task_set_comm(t, "init");
	if (record_new(t->process) == NULL)
		return -ENOMEM;
	/* For ever: others look at kernel.init long after it has ended. */
	kernel.init = process_get(t->process);
	*out = t;
	return 0;
}

/* ---- what the description asks for ----------------------------------------- */

static void
launch_fail(struct launch *l, int err, int exit_code, const char *fmt, ...)
{
	va_list ap;

	l->err = err;
	l->exit_code = exit_code;
	va_start(ap, fmt);
	sb_vprintf(&l->why, fmt, ap);
	va_end(ap);
}

/* The kernel's words, in lower case, as engines expect them. */
static const char *
words(int err)
{
	switch (-err) {
	case ENOENT: return "no such file or directory";
	case EACCES: return "permission denied";
	case EPERM: return "operation not permitted";
	case ENOEXEC: return "exec format error";
	case ENOTDIR: return "not a directory";
	case EISDIR: return "is a directory";
	case ELOOP: return "too many levels of symbolic links";
	case ENOMEM: return "cannot allocate memory";
	case E2BIG: return "argument list too long";
	case ETXTBSY: return "text file busy";
	case ENAMETOOLONG: return "file name too long";
	case ELIBBAD: return "accessing a corrupted shared library";
	case EIO: return "input/output error";
	case EFAULT: return "bad address";
	case EINVAL: return "invalid argument";
	case EAGAIN: return "resource temporarily unavailable";
	default: return "failed";
	}
}

static int
set_cred(struct task *t, const struct spec_process *sp)
{
	struct cred *c;
	int err;

	err = cred_new(sp->cap_bounding, &c);
	if (err)
		return err;
	err = cred_set_groups(c, sp->groups, sp->ngroups);
	if (err) {
		cred_put(c);
		return err;
	}
	c->uid = c->euid = c->suid = c->fsuid = sp->uid;
	c->gid = c->egid = c->sgid = c->fsgid = sp->gid;
	c->permitted = sp->cap_permitted & CAP_FULL;
	c->effective = sp->cap_effective & c->permitted;
	c->inheritable = sp->cap_inheritable & CAP_FULL;
	c->ambient = sp->cap_ambient & c->permitted & c->inheritable;
	c->no_new_privs = sp->no_new_privs;
	cred_commit(t, c);
	return 0;
}

static void
set_limits(struct task *t, const struct spec_process *sp)
{
	struct process *p = t->process;

	mutex_lock(&p->mu);
	for (unsigned i = 0; i < sp->nrlimits; i++) {
		const struct spec_rlimit *r = &sp->rlimits[i];

		if (r->resource < RLIM_COUNT)
			p->rlim[r->resource] = (struct rlimit64){ r->soft, r->hard };
	}
	mutex_unlock(&p->mu);
	atomic_store(&p->oom_score_adj, sp->oom_score_adj);
	atomic_store(&t->fs->umask, sp->has_umask ? sp->umask & 0777 : 022);
}

/* Descriptors 0 to 2: a terminal of our own over the first, or three streams. */
static int
set_streams(struct launch *l)
{
	struct task *t = l->t;
	int err = 0;

	if (l->sp->terminal) {
		AUTO_PUT(file) slave = NULL;

		err = tty_new_host(t, l->fds[0], l->sp->rows, l->sp->cols, &slave);
		if (err)
			return err;
		for (int i = 1; i < 3; i++) {
			if (l->fds[i] > 2)
				(void)host_close(l->fds[i]);
		}
		for (int i = 0; i < 3 && err >= 0; i++)
			err = fd_install(t, slave, 0);
		if (err >= 0)
			err = tty_set_controlling(t, slave);
		mutex_lock(&records.mu);
		t->process->record->tty = file_get(slave);
		mutex_unlock(&records.mu);
		return err < 0 ? err : 0;
	}
	for (int i = 0; i < 3; i++) {
		AUTO_PUT(file) f = NULL;

		err = hoststream_new(l->fds[i], i == 0 ? O_RDONLY : O_WRONLY, &f);
		if (!err)
			err = fd_install(t, f, 0);
		if (err < 0)
			return err;
	}
	return 0;
}

static int
set_cwd(struct launch *l)
{
	const char *cwd = l->sp->cwd && *l->sp->cwd ? l->sp->cwd : "/";
	struct fsinfo *fs = l->t->fs;
	struct path p, old;
	int err;

	err = path_walk(l->t, AT_FDCWD, cwd, WALK_FOLLOW | WALK_DIRECTORY, &p);
	if (err) {
		launch_fail(l, err, EXIT_NOT_FOUND, "chdir to cwd (\"%s\") failed: %s", cwd, words(err));
		return err;
	}
	mutex_lock(&fs->mu);
	old = fs->cwd;
	fs->cwd = p;
	mutex_unlock(&fs->mu);
	path_put(&old);
	return 0;
}

/* ---- finding and running the program --------------------------------------- */

static const char *
env_path(const struct spec_process *sp)
{
	for (char **e = sp->env; e && *e; e++) {
		if (strncmp(*e, "PATH=", 5) == 0)
			return *e + 5;
	}
	return sp->exec_fallback_path ? sp->exec_fallback_path : DEFAULT_PATH;
}

static int
open_at(struct launch *l, const char *name, struct exec_request *r)
{
	int err = vfs_open_exec(l->t, AT_FDCWD, name, WALK_FOLLOW, &r->file);

	return err ? err : exec_string(r, name, strlen(name), &r->filename);
}

/* execvp's search. -ENOENT when there is no such name, -EACCES when there is but it may not run. */
static int
search_path(struct launch *l, const char *name, struct exec_request *r)
{
	const char *at = env_path(l->sp);
	AUTO_FREE char *full = mem_alloc(PATH_LIMIT);
	int result = -ENOENT;

	if (full == NULL)
		return -ENOMEM;
	for (;;) {
		const char *end = strchrnul(at, ':');
		struct strbuf sb = STRBUF(full, PATH_LIMIT);
		int err;

		sb_put(&sb, at, (size_t)(end - at));
		sb_puts(&sb, end == at ? "./" : "/");
		sb_puts(&sb, name);
		err = sb.cut ? -ENAMETOOLONG : open_at(l, full, r);
		if (err == 0)
			return 0;
		if (err == -EACCES)
			result = err;
		else if (err != -ENOENT && err != -ENOTDIR && err != -ENAMETOOLONG)
			return err;
		if (*end == '\0')
			return result;
		at = end + 1;
	}
}

static int
copy_vector(struct exec_request *r, char **from, char ***out, uint64_t *count)
{
	uint64_t n = 0;
	char **v;

	while (from && from[n])
		n++;
	v = mem_alloc((n + 1) * sizeof *v);
	if (v == NULL)
		return -ENOMEM;
	*out = v;
	*count = n;
	for (uint64_t i = 0; i < n; i++) {
		int err = exec_string(r, from[i], strlen(from[i]), &v[i]);

		if (err)
			return err;
	}
	return 0;
}

static int
find_program(struct launch *l, struct exec_request *r)
{
	const char *name = l->sp->args && l->sp->args[0] ? l->sp->args[0] : "";
	bool search = strchr(name, '/') == NULL;
	int err = *name == '\0' ? -ENOENT : search ? search_path(l, name, r) : open_at(l, name, r);

	if (err == -ENOENT && search)
		launch_fail(l, err, EXIT_NOT_FOUND, "exec: \"%s\": executable file not found in $PATH",
		    name);
	else if (err == -ENOENT || err == -ENOTDIR)
		launch_fail(l, err, EXIT_NOT_FOUND, "exec: \"%s\": stat %s: %s", name, name,
		    words(err));
	else if (err)
		launch_fail(l, err, EXIT_NOT_RUNNABLE, "exec: \"%s\": %s", name, words(err));
	return err;
}

static int
run_program(struct launch *l)
{
	struct exec_request r = { 0 };
	int err;

	err = copy_vector(&r, l->sp->args, &r.argv, &r.argc);
	if (!err)
		err = copy_vector(&r, l->sp->env, &r.envp, &r.envc);
	if (err)
		launch_fail(l, err, EXIT_NOT_RUNNABLE, "exec: %s", words(err));
	else
		err = find_program(l, &r);
	if (!err) {
		err = task_exec(l->t, &r);
		if (err)
			launch_fail(l, err, err == -ENOENT ? EXIT_NOT_FOUND : EXIT_NOT_RUNNABLE,
			    "exec %s: %s", r.filename, words(err));
		else if (kernel.strace)
			strace_note(l->t, "execve(\"%s\", ...) = 0", r.filename);
	}
	exec_request_fini(&r);
	return err;
}

/* On the new task's own thread, up to and including its program. */
static int
launch_prepare(struct launch *l)
{
	int err;

	set_limits(l->t, l->sp);
	err = set_streams(l);
	if (err) {
		launch_fail(l, err, 1, "cannot set up the standard streams: %s", words(err));
		return err;
	}
	err = set_cred(l->t, l->sp);
	if (err) {
		launch_fail(l, err, 1, "cannot set credentials: %s", words(err));
		return err;
	}
	err = set_cwd(l);
	return err ? err : run_program(l);
}

static void
launch_main(void *arg)
{
	struct launch *l = arg;
	struct task *t = l->t;
	int err = launch_prepare(l);

	if (err) {
		process_exit(t->process, l->exit_code << 8);
		task_exit(t, l->exit_code << 8);
	}
	/* l lives on the requester's stack: gone after this. */
	kevent_set(&l->done);
	if (!err)
		task_loop(t);
	task_do_exit(t);
	task_put(t);
}

static void
say(char *why, size_t size, const char *text)
{
	struct strbuf sb = STRBUF(why, size);

	sb_puts(&sb, text);
}

/* Runs sp in t; the task's reference is consumed. */
static int
launch(struct task *t, const struct spec_process *sp, const int fds[3], int *exit_code, char *why,
    size_t why_size)
{
	struct launch l = { .t = t, .sp = sp, .fds = { fds[0], fds[1], fds[2] }, .exit_code = 1 };
	int err;

	sb_init(&l.why, l.why_text, sizeof l.why_text);
	err = kthread_start("task", launch_main, &l);
	if (err) {
		say(why, why_size, "cannot make a thread");
		task_exit(t, *exit_code << 8);
		task_do_exit(t);
		task_put(t);
		return err;
	}
	kevent_wait(&l.done, NO_DEADLINE);
	if (l.err) {
		*exit_code = l.exit_code;
		memcpy(why, l.why_text, min(l.why.len, why_size - 1));
		why[min(l.why.len, why_size - 1)] = '\0';
	}
	return l.err;
}

/*
 * Whether start will find the directory and the program: engines want to hear that from create.  Looks
 * with every right; what the process's own user may not do shows at the start.
 */
int
guest_check_init(int *exit_code, char *why, size_t why_size)
{
	struct launch l = { .t = kernel.init->leader, .sp = &boot_spec->process, .exit_code = 1 };
	struct exec_request r = { 0 };
	int err;

	sb_init(&l.why, l.why_text, sizeof l.why_text);
	err = set_cwd(&l);
	if (!err)
		err = find_program(&l, &r);
	exec_request_fini(&r);
	if (err) {
		*exit_code = l.exit_code;
		say(why, why_size, l.why_text);
	}
	return err;
}

int
guest_start_init(int *exit_code, char *why, size_t why_size)
{
	const int fds[3] = { 0, 1, 2 };
	struct task *t;

	*exit_code = 1;
	if (atomic_exchange(&init_started, 1)) {
		say(why, why_size, "cannot start an already running container");
		return -EBUSY;
	}
	t = kernel.init->leader;
	/* process_new_init gave its caller the thread's reference; it is ours now. */
	return launch(t, &boot_spec->process, fds, exit_code, why, why_size);
}

int
guest_exec(const struct spec_process *sp, const int fds[3], int32_t *pid, int *exit_code, char *why,
    size_t why_size)
{
	struct guest_record *r;
	struct task *t;
	int err;

	*exit_code = 1;
	if (strcmp(guest_status(), "running") != 0) {
		for (int i = 0; i < 3; i++)
			(void)host_close(fds[i]);
		say(why, why_size, "container not running");
		return -ESRCH;
	}
	err = guest_process_new(&t);
	if (err) {
		say(why, why_size, "cannot make a process");
		return err;
	}
	*pid = t->tid;
	r = record_new(t->process);
	if (r == NULL) {
		say(why, why_size, "out of memory");
		process_exit(t->process, SIGKILL);
		task_do_exit(t);
		task_put(t);
		return -ENOMEM;
	}
	err = launch(t, sp, fds, exit_code, why, why_size);
	if (err) {
		int32_t status;

		/* Nobody else will ask for a process that never ran. */
		if (guest_wait(*pid, &status) != 0)
			log_warn("guest", "lost process %d", *pid);
	}
	return err;
}

/* ---- questions ------------------------------------------------------------- */

int
guest_wait(int32_t pid, int32_t *wstatus)
{
	struct guest_record *r = record_find(pid);

	/* pid 1 has its record before it starts. */
	if (r == NULL)
		return -ESRCH;
	while (atomic_load(&r->done) == 0)
		(void)host_futex_wait(&r->done, 0, NO_DEADLINE, false);
	mutex_lock(&records.mu);
	*wstatus = r->wstatus;
	r->collected = true;
	mutex_unlock(&records.mu);
	record_put(r);
	return 0;
}

const char *
guest_status(void)
{
	struct guest_record *r;
	const char *status = "running";

	r = atomic_load(&init_started) ? record_find(1) : NULL;
	if (r == NULL)
		return "created";
	if (atomic_load(&r->done))
		status = "stopped";
	record_put(r);
	return status;
}

static bool
kill_one(struct process *p, void *info)
{
	signal_send_process(p, info);
	return true;
}

int
guest_kill(int32_t pid, int signo, bool all)
{
	AUTO_PUT(process) p = NULL;
	struct abi_siginfo info;

	if (signo < 0 || signo > ABI_NSIG)
		return -EINVAL;
	if (strcmp(guest_status(), "running") != 0)
		return -ESRCH;
	/* As a signal from outside the pid namespace looks inside. */
	siginfo_kernel(&info, signo);
	info.si_code = SI_USER;
	/* pid 1 is deaf to its own sandbox, but not to the runtime. */
	if (pid == 1)
		info.si_code = SI_KERNEL;
	if (all && signo != 0) {
		process_each(kill_one, &info);
		return 0;
	}
	p = process_find_get(pid);
	if (p == NULL)
		return -ESRCH;
	if (signo != 0)
		signal_send_process(p, &info);
	return 0;
}

int
guest_winsize(int32_t pid, uint16_t rows, uint16_t cols)
{
	struct guest_record *r = record_find(pid);
	AUTO_PUT(file) tty = NULL;

	if (r == NULL)
		return -ESRCH;
	mutex_lock(&records.mu);
	tty = file_get(r->tty);
	mutex_unlock(&records.mu);
	record_put(r);
	return tty ? tty_set_winsize(tty, rows, cols) : -ENOTTY;
}

/* ---- text ------------------------------------------------------------------ */

static char
state_letter(struct task *t)
{
	static const char letters[] = "RSDTtZX";
	uint32_t s = atomic_load_explicit(&t->state, memory_order_relaxed);

	return s < sizeof letters - 1 ? letters[s] : '?';
}

static void
print_task(struct strbuf *sb, struct task *t)
{
	int64_t nr = __atomic_load_n(&t->syscall, __ATOMIC_RELAXED);
	const char *why = t->wait_reason, *name = nr >= 0 ? syscall_name(nr) : NULL;
	uint64_t u, s;
	char comm[sizeof t->comm];

	task_times(t, &u, &s);
	mutex_lock(&t->alloc_mu);
	memcpy(comm, t->comm, sizeof comm);
	mutex_unlock(&t->alloc_mu);
	sb_printf(sb, "  task %d %c %s", t->tid, state_letter(t), comm);
	if (nr >= 0)
		sb_printf(sb, " in %s", name ? name : "an unknown call");
	else if (atomic_load_explicit(&t->in_guest_since, memory_order_relaxed))
		sb_puts(sb, " in the guest");
	if (why)
		sb_printf(sb, " waiting: %s", why);
	sb_printf(sb, " user %llu us sys %llu us\n", (unsigned long long)u / 1000,
	    (unsigned long long)s / 1000);
}

static bool
debug_process(struct process *p, void *arg)
{
	struct strbuf *sb = arg;
	struct task *tasks[32];
	struct sighand *sh;
	struct task *t;
	unsigned n = 0, more = 0;

	sb_printf(sb, "process %d parent %d\n", p->pid, process_ppid(p));
	sh = process_lock(p);
	list_for_each(t, &p->threads, thread_link) {
		if (n < ARRAY_LEN(tasks))
			tasks[n++] = task_get(t);
		else
			more++;
	}
	process_unlock(sh);
	for (unsigned i = 0; i < n; i++) {
		print_task(sb, tasks[i]);
		task_put(tasks[i]);
	}
	if (more)
		sb_printf(sb, "  and %u more\n", more);
	return true;
}

static void
debug_cache(const struct kmem_cache *c, void *arg)
{
	if (c->live)
		sb_printf(arg, "  %s: %llu\n", c->name, (unsigned long long)c->live);
}

void
guest_debug(struct strbuf *sb)
{
	sb_printf(sb, "status %s, platform %s, %u tasks, %llu forks\n", guest_status(), platform_name,
	    kernel.ntasks, (unsigned long long)atomic_load(&kernel.forks));
	process_each(debug_process, sb);
	counters_print(sb);
	sb_puts(sb, "objects\n");
	kmem_each(debug_cache, sb);
}

static bool
ps_process(struct process *p, void *arg)
{
	struct task *t = process_leader_get(p);
	struct strbuf *sb = arg;

	if (t) {
		char comm[sizeof t->comm];

		mutex_lock(&t->alloc_mu);
		memcpy(comm, t->comm, sizeof comm);
		mutex_unlock(&t->alloc_mu);
		sb_printf(sb, "%d %d %c %s\n", p->pid, process_ppid(p), state_letter(t), comm);
	}
	task_put(t);
	return true;
}

void
guest_ps(struct strbuf *sb)
{
	process_each(ps_process, sb);
}
