/* attend: see attend.h. */
#include "runtime/attend.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "runtime/client.h"
#include "runtime/console.h"

#define PATIENCE_S	5

static const int passed[] = {
	SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2, SIGCONT, SIGALRM, SIGWINCH,
};

static void
passed_set(sigset_t *set)
{
	sigemptyset(set);
	for (size_t i = 0; i < ARRAY_LEN(passed); i++)
		sigaddset(set, passed[i]);
}

void
attend_block(void)
{
	sigset_t set;

	passed_set(&set);
	(void)sigprocmask(SIG_BLOCK, &set, NULL);
	(void)signal(SIGPIPE, SIG_IGN);
}

int
attend_by_socket(struct attend *a, struct err *err)
{
	return client_open(a->control, err);
}

int
attend_by_dir(struct attend *a, struct err *err)
{
	return client_open_at(a->control, err);
}

static int
request(struct attend *a, json_t *req, struct err *err)
{
	AUTO_CLOSE int conn = a->connect(a, err);

	if (conn < 0) {
		json_decref(req);
		return conn;
	}
	return client_call(conn, req, NULL, 0, PATIENCE_S, NULL, err);
}

static void
pass_signal(struct attend *a, int signo, bool all)
{
	struct err err;
	unsigned rows, cols;
	int e;

	if (signo == SIGWINCH) {
		if (a->tty < 0 || !console_size(a->tty, &rows, &cols))
			return;
		e = request(a, json_pack("{s:s,s:i,s:i,s:i}", "op", "winsize", "pid", (int)a->pid, "rows",
		    (int)rows, "cols", (int)cols), &err);
	} else {
		e = request(a, json_pack("{s:s,s:i,s:i,s:b}", "op", "kill", "pid", (int)a->pid, "signal", signo,
		    "all", (int)all), &err);
	}
	/* Whoever asks a dead sandbox to end gets his will. */
	if (e == -ETIMEDOUT && a->sandbox >= 0 && signo != SIGWINCH)
		(void)syscall(SYS_pidfd_send_signal, a->sandbox, SIGKILL, NULL, 0);
}

/*
 * A key on the terminal signals a whole job: the shell inside and what it waits for.  That the terminal
 * stays outside (its input or output is redirected) must make no difference.  Only for a sandbox of our
 * own: an exec shares it with others.
 */
static bool
is_for_all(const struct attend *a, const struct signalfd_siginfo *info)
{
	return a->sandbox >= 0 && info->ssi_code == SI_KERNEL && info->ssi_signo != SIGWINCH;
}

void
attend_wait(struct attend *a)
{
	struct pollfd p[2] = { { .fd = -1, .events = POLLIN }, { .fd = a->end, .events = POLLIN } };
	struct signalfd_siginfo info;
	sigset_t set;

	passed_set(&set);
	p[0].fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	for (;;) {
		if (poll(p, 2, -1) < 0 && errno != EINTR)
			break;
		if (p[1].revents)
			break;
		if ((p[0].revents & POLLIN) && read(p[0].fd, &info, sizeof info) == sizeof info)
			pass_signal(a, (int)info.ssi_signo, is_for_all(a, &info));
	}
	if (p[0].fd >= 0)
		(void)close(p[0].fd);
}
