/*
 * launch: see launch.h.
 *
 * A program is loaded on the new task's own thread, since a guest thread belongs to one; the requester waits for
 * the outcome.
 */
#include "sentry/kernel/launch.h"

#include <fcntl.h>
#include <string.h>

#include "abi/errno.h"
#include "abi/resource.h"
#include "base/hostcall.h"
#include "base/kmem.h"
#include "fs/hoststream.h"
#include "fs/tty.h"
#include "sentry/kernel/tasktree.h"
#include "sentry/syscall/syscall.h"
#include "sentry/vfs/fdtable.h"
#include "sentry/vfs/file.h"

#define EXIT_NOT_FOUND	127
#define EXIT_NOT_RUNNABLE 126
#define DEFAULT_PATH	"/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

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
		guest_process_terminal(t->process, slave);
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

int
launch(struct task *t, const struct spec_process *sp, const int fds[3], int *exit_code, char *why,
    size_t why_size)
{
	struct launch l = { .t = t, .sp = sp, .fds = { fds[0], fds[1], fds[2] }, .exit_code = 1 };
	int err;

	sb_init(&l.why, l.why_text, sizeof l.why_text);
	err = kthread_start("task", launch_main, &l);
	if (err) {
		launch_say(why, why_size, "cannot make a thread");
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

int
launch_check(struct task *t, const struct spec_process *sp, int *exit_code, char *why, size_t why_size)
{
	struct launch l = { .t = t, .sp = sp, .exit_code = 1 };
	struct exec_request r = { 0 };
	int err;

	sb_init(&l.why, l.why_text, sizeof l.why_text);
	err = set_cwd(&l);
	if (!err)
		err = find_program(&l, &r);
	exec_request_fini(&r);
	if (err) {
		*exit_code = l.exit_code;
		launch_say(why, why_size, l.why_text);
	}
	return err;
}

void
launch_say(char *why, size_t size, const char *text)
{
	struct strbuf sb = STRBUF(why, size);

	sb_puts(&sb, text);
}
