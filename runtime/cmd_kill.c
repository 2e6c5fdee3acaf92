/* cmd_kill: a signal to a container's first process, or to all of them. */
#include <ctype.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "runtime/client.h"
#include "runtime/state.h"

/* "TERM", "SIGTERM", "15", "RTMIN+3"; -1 for none of these. */
static int
signal_number(const char *s)
{
	char *end;
	long n;

	if (isdigit((unsigned char)*s)) {
		n = strtol(s, &end, 10);
		return *end == '\0' && n >= 0 && n <= 64 ? (int)n : -1;
	}
	if (strncasecmp(s, "SIG", 3) == 0)
		s += 3;
	if (strncasecmp(s, "RTMIN", 5) == 0 || strncasecmp(s, "RTMAX", 5) == 0) {
		n = strncasecmp(s, "RTMIN", 5) == 0 ? 34 : 64;
		n += s[5] ? strtol(s + 5, &end, 10) : 0;
		return (s[5] == '\0' || *end == '\0') && n >= 34 && n <= 64 ? (int)n : -1;
	}
	for (int i = 1; i < 32; i++) {
		const char *name = sigabbrev_np(i);

		if (name && strcasecmp(name, s) == 0)
			return i;
	}
	return -1;
}

static int
send_signal(struct state *s, int signo, bool all, struct err *err)
{
	AUTO_CLOSE int conn = client_open_at(s->dir, err);

	if (conn < 0)
		return conn;
	return client_call(conn, json_pack("{s:s,s:i,s:i,s:b}", "op", "kill", "pid", 1, "signal", signo, "all",
	    (int)all), NULL, 0, CLIENT_PATIENCE, NULL, err);
}

/* Signals that end a program which has not been started, where nobody can handle them. */
static bool
is_deadly(int signo)
{
	return signo != 0 && signo != SIGCHLD && signo != SIGCONT && signo != SIGURG && signo != SIGWINCH &&
	    signo != SIGSTOP && signo != SIGTSTP && signo != SIGTTIN && signo != SIGTTOU;
}

static int
kill_container(struct state *s, int signo, bool all, struct err *err)
{
	const char *status = state_status(s);
	int e;

	if (strcmp(status, "stopped") == 0)
		return all ? 0 : err_set(err, 0, "container not running");
	if (strcmp(status, "running") != 0) {
		if (signo == 0)
			return 0;
		return is_deadly(signo) ? state_kill(s, err) : err_set(err, 0, "container not running");
	}
	e = send_signal(s, signo, all, err);
	/* It ended over our request: as good as killed. */
	if (e == -ECONNRESET)
		e = 0;
	/* A sandbox that no longer answers has no say in this one. */
	if (e == -ETIMEDOUT && signo == SIGKILL)
		e = state_kill(s, err);
	return e;
}

int
cmd_kill(int argc, char **argv)
{
	bool all = false;
	const struct opt opts[] = {
		{ 'a', "all", NULL, "to all processes of the container", OPT_FLAG, &all },
		OPT_END
	};
	struct state s = STATE_INIT;
	struct err err = { 0 };
	const char *name = "TERM";
	char *copy[64];
	int first, signo, e, n = 0;

	/* "kill ID -9" is no option. */
	for (int i = 0; i < argc && n < 63; i++) {
		if (argv[i][0] == '-' && (isdigit((unsigned char)argv[i][1]) || isupper((unsigned char)argv[i][1])))
			name = argv[i] + 1;
		else
			copy[n++] = argv[i];
	}
	copy[n] = NULL;
	first = opt_parse(opts, n, copy, false);
	if (first < 0)
		return 1;
	if (n - first < 1 || n - first > 2)
		return fail("kill: needs a container id, and perhaps a signal");
	if (n - first == 2)
		name = copy[first + 1];
	signo = signal_number(name);
	if (signo < 0)
		return fail("kill: %s is not a signal", name);
	e = state_open(copy[first], false, &s, &err);
	if (!e)
		e = kill_container(&s, signo, all, &err);
	state_close(&s);
	return e ? err_report(&err) : 0;
}
