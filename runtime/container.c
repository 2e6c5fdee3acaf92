/*
 * container: from a bundle to a created container; see container.h.
 *
 * Order is what makes a crash harmless.  The record exists before any process does, the processes' ids are
 * in it before the sandbox is let go, and a sandbox that was never let go ends with us.
 */
#include "runtime/container.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "runtime/client.h"
#include "runtime/console.h"
#include "runtime/foreground.h"
#include "runtime/hooks.h"

static int
bind_control(struct container *c, struct err *err)
{
	AUTO_CLOSE int s = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct sockaddr_un at = { .sun_family = AF_UNIX };

	(void)snprintf(at.sun_path, sizeof at.sun_path, "/proc/self/fd/%d/control", c->st.dir);
	if (s < 0 || bind(s, (struct sockaddr *)&at, sizeof at) != 0)
		return err_set(err, errno, "cannot make the control socket of %s", c->st.id);
	c->l.control = steal_fd(&s);
	return 0;
}

static json_t *
now(void)
{
	char text[64], full[96];
	struct timespec ts;
	struct tm tm;

	(void)clock_gettime(CLOCK_REALTIME, &ts);
	gmtime_r(&ts.tv_sec, &tm);
	strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &tm);
	(void)snprintf(full, sizeof full, "%s.%09ldZ", text, ts.tv_nsec);
	return json_string(full);
}

static void
fill_state(struct container *c, const char *bundle)
{
	json_t *j = c->st.j, *process = json_object_get(c->spec.config, "process");

	json_object_set_new(j, "id", json_string(c->st.id));
	json_object_set_new(j, "status", json_string("creating"));
	json_object_set_new(j, "bundle", json_string(bundle));
	json_object_set_new(j, "rootfs", json_string(c->spec.rootfs));
	json_object_set_new(j, "created", now());
	json_object_set_new(j, "owner", json_string(geteuid() == 0 ? "root" : ""));
	if (c->spec.annotations)
		json_object_set(j, "annotations", c->spec.annotations);
	if (c->spec.hooks)
		json_object_set(j, "hooks", c->spec.hooks);
	/* What exec takes over from the first process. */
	if (process)
		json_object_set(j, "process", process);
}

int
container_record(struct container *c, const char *id, const char *bundle, struct err *err)
{
	int e = state_create(id, &c->st, err);

	/* From here on there is something to remove. */
	c->recorded = c->st.dir >= 0;
	if (e)
		return e;
	fill_state(c, bundle);
	e = state_save(&c->st, err);
	return e ? e : bind_control(c, err);
}

int
container_prepare(struct container *c, const char *id, struct err *err)
{
	char bundle[PATH_MAX];
	int e;

	if (c->opts.preserve_fds && strcmp(c->opts.preserve_fds, "0") != 0)
		return err_set(err, 0, "--preserve-fds %s: more descriptors are not supported",
		    c->opts.preserve_fds);
	if (realpath(c->opts.bundle ? c->opts.bundle : ".", bundle) == NULL)
		return err_set(err, errno, "bundle %s", c->opts.bundle ? c->opts.bundle : ".");
	spec_new_boot(&c->l, id);
	e = spec_load(bundle, c->opts.config ? c->opts.config : SPEC_FILE, &c->spec, &c->l, err);
	if (e)
		return e;
	return container_record(c, id, bundle, err);
}

static int
write_pid_file(const char *path, pid_t pid, struct err *err)
{
	char text[32];
	int n = snprintf(text, sizeof text, "%d", (int)pid);
	int e = text_write(AT_FDCWD, path, text, (size_t)n, 0644);

	return e ? err_set(err, -e, "--pid-file %s", path) : 0;
}

int
container_held(struct launch *l, void *arg, struct err *err)
{
	struct container *c = arg;
	int e;

	state_set_pid(&c->st, "sentry", l->sentry);
	state_set_pid(&c->st, "gofer", l->gofer);
	e = state_save(&c->st, err);
	if (!e)
		e = hooks_run(&c->st, "prestart", "creating", err);
	if (!e)
		e = hooks_run(&c->st, "createRuntime", "creating", err);
	if (!e && c->opts.pid_file) {
		e = write_pid_file(c->opts.pid_file, l->sentry, err);
		c->pid_written = !e;
	}
	return e;
}

static int
detached_console(struct container *c, struct err *err)
{
	int slave, e;

	if (!c->spec.terminal)
		return 0;
	if (c->opts.console_socket == NULL)
		return err_set(err, 0, "process.terminal: a detached container needs --console-socket");
	e = console_send(c->opts.console_socket, &slave, err);
	if (!e)
		c->l.stdio[0] = c->l.stdio[1] = c->l.stdio[2] = slave;
	return e;
}

int
container_launch(struct container *c, struct err *err)
{
	int e;

	json_object_set_new(c->l.boot, "wait_start", json_true());
	e = foreground_logs(&c->l, false, false, err);
	if (!e)
		e = detached_console(c, err);
	if (!e)
		e = launch_start(&c->l, err);
	if (!e)
		e = container_held(&c->l, c, err);
	if (!e)
		e = launch_go(&c->l, err);
	if (!e)
		e = launch_ready(&c->l, err);
	if (!e) {
		json_object_set_new(c->st.j, "status", json_string("created"));
		e = state_save(&c->st, err);
	}
	return e;
}

int
container_start(struct state *s, struct err *err)
{
	AUTO_CLOSE int conn = client_open_at(s->dir, err);
	struct err hook;
	int e;

	if (conn < 0)
		return conn;
	e = client_call(conn, json_pack("{s:s}", "op", "start"), NULL, 0, 60, NULL, err);
	if (e)
		return e;
	json_object_set_new(s->j, "status", json_string("running"));
	e = state_save(s, err);
	/* The program runs: a failing hook is only worth a word. */
	if (!e && hooks_run(s, "poststart", "running", &hook) != 0)
		warn_report("%s", hook.text);
	return e;
}

int
container_delete(struct state *s, struct err *err)
{
	struct err hook;

	if (hooks_run(s, "poststop", "stopped", &hook) != 0)
		warn_report("%s", hook.text);
	return state_remove(s, err);
}

void
container_abort(struct container *c)
{
	struct err ignored;

	launch_abort(&c->l);
	if (c->recorded && container_delete(&c->st, &ignored) != 0)
		warn_report("%s", ignored.text);
	c->recorded = false;
	/* One that we did not write is another container's. */
	if (c->pid_written)
		(void)unlink(c->opts.pid_file);
}

void
container_fini(struct container *c)
{
	state_close(&c->st);
	spec_fini(&c->spec);
}
