/*
 * foreground: see foreground.h.
 *
 * Without a debug log the sentry writes its messages to a small sealed memfd, so that a crash
 * report reaches the user and a guest that provokes messages can fill nothing.
 */
#include "runtime/foreground.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/json.h"
#include "runtime/attend.h"
#include "runtime/console.h"

#define CRASH_ROOM	(64 * 1024)
#define CRASH_STEP	4096

int
foreground_logs(struct launch *l, bool to_stderr, bool report, struct err *err)
{
	bool text = rt.strace || report;

	if (rt.debug_log) {
		l->log = open(rt.debug_log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
		if (l->log < 0)
			return err_set(err, errno, "--debug-log %s", rt.debug_log);
	} else if (to_stderr) {
		l->log = memfd_create("village-log", MFD_CLOEXEC | MFD_ALLOW_SEALING);
		if (l->log < 0 || ftruncate(l->log, CRASH_ROOM) != 0 ||
		    fcntl(l->log, F_ADD_SEALS, F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL) != 0)
			return err_set(err, errno, "cannot make the log");
	}
	if (text && rt.debug_log && !report)
		l->report = l->log;
	else if (text && to_stderr)
		l->report = STDERR_FILENO;
	return 0;
}

/* What the sentry or gofer left in the memfd, when it did not end well. */
static void
print_crash(const struct launch *l)
{
	static char text[CRASH_ROOM + CRASH_STEP];
	ssize_t n;
	size_t at = 0;

	if (rt.debug_log || l->log < 0)
		return;
	/* As far as there is text, and most often there is none. */
	do {
		n = pread(l->log, text + at, CRASH_STEP, (off_t)at);
		at += n > 0 ? (size_t)n : 0;
	} while (n == CRASH_STEP && text[at - 1] != '\0' && at < CRASH_ROOM);
	if (rt.debug || strstr(text, "internal error"))
		fputs(text, stderr);
	else if (strstr(text, "the gofer is gone"))
		fputs("village: the gofer is gone: the sandbox has ended\n", stderr);
}

static int
give_terminal(struct launch *l, struct err *err)
{
	json_t *p = json_object_get(l->boot, "process");
	unsigned rows = 0, cols = 0;

	if (!isatty(0))
		return err_set(err, 0, "a terminal was asked for, but the standard input is none");
	json_object_set_new(p, "terminal", json_true());
	if (console_size(0, &rows, &cols)) {
		json_object_set_new(p, "rows", json_integer(rows));
		json_object_set_new(p, "cols", json_integer(cols));
	}
	l->stdio[1] = l->stdio[2] = 0;
	return 0;
}

static int
start(struct foreground *f, struct launch *l, struct err *err)
{
	int pair[2], e = 0;

	e = foreground_logs(l, true, f->report, err);
	if (!e && f->tty)
		e = give_terminal(l, err);
	if (!e && l->control < 0) {
		if (socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, pair) != 0)
			return err_set(err, errno, "cannot make a socket pair");
		f->control = pair[0];
		l->control = pair[1];
	}
	l->foreground = true;
	attend_block();
	if (!e)
		e = launch_start(l, err);
	if (!e && f->held) {
		e = f->held(l, f->arg, err);
		if (e)
			launch_abort(l);
	}
	if (!e)
		e = launch_go(l, err);
	if (!e && f->tty)
		e = console_raw(0, err);
	if (!e)
		e = launch_ready(l, err);
	return e;
}

int
foreground_run(struct foreground *f, struct launch *l)
{
	struct attend a = { .connect = l->control < 0 ? attend_by_socket : attend_by_dir, .pid = 1,
		.tty = f->tty ? 0 : -1 };
	struct err err = { 0 };
	bool killed;
	int status;

	if (start(f, l, &err) != 0) {
		console_restore();
		launch_abort(l);
		print_crash(l);
		return err_report(&err);
	}
	if (f->started)
		f->started(f->arg);
	a.control = a.connect == attend_by_dir ? f->dir : f->control;
	a.end = a.sandbox = l->sentry_pidfd;
	attend_wait(&a);
	status = launch_reap(l, &killed);
	console_restore();
	if (killed)
		fail("the sandbox was killed by signal %d", status - 128);
	print_crash(l);
	return status;
}
