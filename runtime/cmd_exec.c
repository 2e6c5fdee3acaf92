/*
 * cmd_exec: another process in a running container.
 *
 * Detached, a small process stays behind whose pid goes to --pid-file: it passes signals on, and ends
 * with the status of the process inside, for engines that wait for that pid.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/wire.h"
#include "runtime/attend.h"
#include "runtime/client.h"
#include "runtime/console.h"
#include "runtime/spec.h"
#include "runtime/state.h"
#include "runtime/users.h"

struct exec_opts {
	char	*process, *console_socket, *pid_file, *cwd, *user, *preserve_fds, *ignored;
	bool	tty, detach, no_new_privs;
	struct strlist env, groups, caps;
};

static json_t *
member(json_t *obj, const char *key, json_t *absent)
{
	json_t *v = json_object_get(obj, key);

	if (v == NULL || json_is_null(v))
		json_object_set_new(obj, key, absent);
	else
		json_decref(absent);
	return json_object_get(obj, key);
}

static int
apply_user(const struct exec_opts *o, struct state *s, json_t *p, struct err *err)
{
	const char *rootfs = json_string_value(json_object_get(s->j, "rootfs"));
	json_t *u, *groups = json_array();
	struct user user;
	int e;

	if (o->user) {
		e = user_find(rootfs ? rootfs : "/nonexistent", o->user, &user, err);
		if (e)
			return e;
		for (unsigned i = 0; i < user.ngroups; i++)
			json_array_append_new(groups, json_integer(user.groups[i]));
		json_object_set_new(p, "user", json_pack("{s:I,s:I,s:O}", "uid", (json_int_t)user.uid, "gid",
		    (json_int_t)user.gid, "additionalGids", groups));
	}
	u = member(p, "user", json_object());
	for (unsigned i = 0; i < o->groups.n; i++) {
		char *end;
		unsigned long g = strtoul(o->groups.v[i], &end, 10);

		if (*end != '\0' || o->groups.v[i][0] == '\0' || g >= UINT32_MAX)
			return err_set(err, 0, "--additional-gids %s: not a number", o->groups.v[i]);
		json_array_append_new(member(u, "additionalGids", json_array()), json_integer((json_int_t)g));
	}
	return 0;
}

static int
apply_caps(const struct exec_opts *o, json_t *p, struct err *err)
{
	static const char *const sets[] = { "bounding", "effective", "inheritable", "permitted", "ambient" };
	json_t *caps;
	uint64_t mask = 0;

	if (o->caps.n == 0)
		return 0;
	caps = member(p, "capabilities", json_object());
	for (unsigned i = 0; i < o->caps.n; i++) {
		if (!spec_cap(o->caps.v[i], &mask))
			return err_set(err, 0, "--cap %s: unknown capability", o->caps.v[i]);
		for (size_t set = 0; set < ARRAY_LEN(sets); set++)
			json_array_append_new(member(caps, sets[set], json_array()),
			    json_string(o->caps.v[i]));
	}
	return 0;
}

/* The first process's description with what the options change; args is NULL-terminated. */
static int
describe(const struct exec_opts *o, struct state *s, char **args, json_t **out, struct err *err)
{
	json_t *p = json_deep_copy(json_object_get(s->j, "process")), *argv = json_array();
	int e;

	if (!json_is_object(p))
		p = json_object();
	for (; *args; args++)
		json_array_append_new(argv, json_string_nocheck(*args));
	json_object_set_new(p, "args", argv);
	json_object_set_new(p, "terminal", json_boolean(o->tty));
	json_object_del(p, "consoleSize");
	if (o->cwd)
		json_object_set_new(p, "cwd", json_string_nocheck(o->cwd));
	if (o->no_new_privs)
		json_object_set_new(p, "noNewPrivileges", json_true());
	for (unsigned i = 0; i < o->env.n; i++)
		json_array_append_new(member(p, "env", json_array()), json_string_nocheck(o->env.v[i]));
	e = apply_user(o, s, p, err);
	if (!e)
		e = apply_caps(o, p, err);
	*out = p;
	return e;
}

static int
read_process(const struct exec_opts *o, struct state *s, char **args, json_t **boot, struct err *err)
{
	struct jread r = { 0 };
	json_t *p = NULL;
	char *text;
	size_t len;
	int e = 0;

	if (o->process) {
		e = text_read(AT_FDCWD, o->process, SPEC_SIZE_MAX, &text, &len);
		if (e)
			return err_set(err, -e, "--process %s", o->process);
		p = json_read(&r, o->process, text, len);
		free(text);
		if (p && !json_is_object(p))
			jread_fail(&r, "%s: must be an object", o->process);
		if (p && !r.failed && o->tty)
			json_object_set_new(p, "terminal", json_true());
	} else {
		e = describe(o, s, args, &p, err);
	}
	*boot = e || r.failed ? NULL : spec_process(&r, p, "process");
	json_decref(p);
	if (!e && r.failed)
		e = err_set(err, 0, "%s", r.why);
	return e;
}

/* Descriptors for the process: ours, or a terminal sent to whoever listens at --console-socket. */
static int
choose_streams(const struct exec_opts *o, json_t *boot, int fds[3], bool *raw, struct err *err)
{
	unsigned rows = 0, cols = 0;
	int e;

	fds[0] = 0, fds[1] = 1, fds[2] = 2;
	if (!json_is_true(json_object_get(boot, "terminal")))
		return 0;
	if (o->console_socket) {
		e = console_send(o->console_socket, &fds[0], err);
	} else if (o->detach) {
		e = err_set(err, 0, "a detached process with a terminal needs --console-socket");
	} else if (!isatty(0)) {
		e = err_set(err, 0, "a terminal was asked for, but the standard input is none");
	} else {
		e = 0;
		*raw = true;
		if (console_size(0, &rows, &cols)) {
			json_object_set_new(boot, "rows", json_integer(rows));
			json_object_set_new(boot, "cols", json_integer(cols));
		}
	}
	fds[1] = fds[2] = fds[0];
	return e;
}

/* Waits for guest process pid on conn, passing signals on; returns its status as a shell's. */
static int
stay(int conn, struct state *s, int32_t pid, int tty)
{
	struct attend a = { .connect = attend_by_dir, .control = s->dir, .pid = pid, .tty = tty, .end = conn,
		.sandbox = -1 };
	static const char fmt[] = "{\"op\":\"wait\",\"pid\":%d}";
	char req[64], reply[512];
	struct jread r = { 0 };
	json_t *j;
	int64_t n;
	int status;

	(void)snprintf(req, sizeof req, fmt, (int)pid);
	if (wire_send(conn, req, strlen(req), NULL, 0) != 0)
		return 128 + SIGKILL;
	attend_wait(&a);
	n = wire_recv(conn, reply, sizeof reply, NULL, NULL);
	/* The whole container is gone, and the process with it. */
	if (n <= 0)
		return 128 + SIGKILL;
	j = json_read(&r, "reply", reply, (size_t)n);
	status = (int)jget_i64(&r, j, "", "status", SIGKILL);
	json_decref(j);
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

static int
write_pid(const struct exec_opts *o, pid_t pid, struct err *err)
{
	char text[32];
	int n = snprintf(text, sizeof text, "%d", (int)pid), e;

	if (o->pid_file == NULL)
		return 0;
	e = text_write(AT_FDCWD, o->pid_file, text, (size_t)n, 0644);
	return e ? err_set(err, -e, "--pid-file %s", o->pid_file) : 0;
}

/* In the process that stays behind. */
static void NORETURN
stay_behind(int conn, struct state *s, int32_t pid)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	(void)prctl(PR_SET_NAME, "village-exec", 0, 0, 0);
	for (int i = 0; i < 3 && null >= 0; i++)
		(void)dup2(null, i);
	/* Whatever the caller left open (a lock, a pipe) is none of our business; two are. */
	conn = dup2(conn, 3) < 0 ? conn : 3;
	s->dir = dup2(s->dir, 4) < 0 ? s->dir : 4;
	if (conn == 3 && s->dir == 4)
		(void)close_range(5, ~0U, 0);
	_exit(stay(conn, s, pid, -1));
}

static int
start(const struct exec_opts *o, int conn, json_t *boot, int32_t *pid, bool *raw, struct err *err)
{
	json_t *reply = NULL;
	int fds[3], e;

	e = choose_streams(o, boot, fds, raw, err);
	if (!e && *raw)
		e = console_raw(0, err);
	if (e) {
		json_decref(boot);
		return e;
	}
	e = client_call(conn, json_pack("{s:s,s:o}", "op", "exec", "process", boot), fds, 3, 60, &reply, err);
	if (fds[0] > 2)
		(void)close(fds[0]);
	if (e)
		return e;
	*pid = (int32_t)json_integer_value(json_object_get(reply, "pid"));
	json_decref(reply);
	return 0;
}

static int
exec_in(const struct exec_opts *o, struct state *s, char **args, struct err *err)
{
	AUTO_CLOSE int conn = -1;
	json_t *boot = NULL;
	bool raw = false;
	int32_t pid = 0;
	pid_t child;

	if (strcmp(state_status(s), "running") != 0)
		return err_set(err, 0, "container not running");
	if (read_process(o, s, args, &boot, err) != 0)
		return -EINVAL;
	conn = client_open_at(s->dir, err);
	if (conn < 0)
		return conn;
	attend_block();
	if (start(o, conn, boot, &pid, &raw, err) != 0)
		return -EINVAL;
	if (!o->detach) {
		int status, e = write_pid(o, getpid(), err);

		if (e)
			return e;
		status = stay(conn, s, pid, raw ? 0 : -1);
		console_restore();
		return status;
	}
	child = fork();
	if (child == 0)
		stay_behind(conn, s, pid);
	if (child < 0)
		return err_set(err, errno, "cannot leave a process behind");
	return write_pid(o, child, err);
}

int
cmd_exec(int argc, char **argv)
{
	struct exec_opts o = { 0 };
	const struct opt opts[] = {
		{ 'p', "process", "FILE", "process description in JSON", OPT_STR, &o.process },
		{ 't', "tty", NULL, "a terminal inside", OPT_FLAG, &o.tty },
		{ 0, "console-socket", "PATH", "socket that receives the terminal's master", OPT_STR, &o.console_socket },
		{ 0, "pid-file", "FILE", "write the pid that stands for the process to FILE", OPT_STR, &o.pid_file },
		{ 'd', "detach", NULL, "do not wait for the process", OPT_FLAG, &o.detach },
		{ 0, "cwd", "DIR", "directory to start in", OPT_STR, &o.cwd },
		{ 'e', "env", "K=V", "environment variable", OPT_LIST, &o.env },
		{ 'u', "user", "U[:G]", "user and group, names or numbers", OPT_STR, &o.user },
		{ 'g', "additional-gids", "N", "supplementary group", OPT_LIST, &o.groups },
		{ 'c', "cap", "CAP", "add a capability", OPT_LIST, &o.caps },
		{ 0, "no-new-privs", NULL, "nothing it executes gains privileges", OPT_FLAG, &o.no_new_privs },
		{ 0, "preserve-fds", "N", "pass N more descriptors (only 0)", OPT_STR, &o.preserve_fds },
		{ 0, "apparmor", "NAME", "accepted, nothing to do", OPT_STR, &o.ignored },
		{ 0, "process-label", "LABEL", "accepted, nothing to do", OPT_STR, &o.ignored },
		{ 0, "cgroup", "PATH", "accepted, nothing to do", OPT_STR, &o.ignored },
		OPT_END
	};
	struct state s = STATE_INIT;
	struct err err = { 0 };
	int first = opt_parse(opts, argc, argv, true), e;

	if (first < 0)
		return 1;
	if (first == argc)
		return fail("exec: needs a container id");
	if (first + 1 == argc && o.process == NULL)
		return fail("exec: which command? See village exec --help");
	if (o.preserve_fds && strcmp(o.preserve_fds, "0") != 0)
		return fail("--preserve-fds %s: more descriptors are not supported", o.preserve_fds);
	e = state_open(argv[first], false, &s, &err);
	if (!e)
		e = exec_in(&o, &s, argv + first + 1, &err);
	console_restore();
	state_close(&s);
	return e < 0 ? err_report(&err) : e;
}
