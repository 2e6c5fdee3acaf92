/* wait4 and waitid: whom, which events, what is reported. */
#include "guest.h"
#include <sys/resource.h>

static pid_t kid;

/* What wait4 gives: a status, or why not, or 0. */
static const char *
w4(pid_t who, int options)
{
	int st = 0;
	long r = Q(wait4, who, &st, options, NULL);

	return r == kid ? wst(st) : res(r);
}

static void
id(const char *what, int type, pid_t who, int options)
{
	siginfo_t si;
	long r;

	memset(&si, 0x55, sizeof si);
	r = Q(waitid, type, who, &si, options, NULL);
	if (r < 0)
		P("%s: %s", what, res(r));
	else
		P("%s: %ld signo %d code %s pid %s uid %d status %d", what, r, si.si_signo, si.si_signo ?
		    si_code_name(SIGCHLD, si.si_code) : "-", si.si_pid == kid ? "right" : si.si_pid ? "other" : "0", si.si_uid,
		    si.si_status);
}

int
main(void)
{
	struct rusage ru;
	int st, gate[2];
	char c;

	pipe(gate);
	S(wait4, -1, &st, 0, NULL);
	S(wait4, -1, &st, WNOHANG, NULL);
	S(wait4, 1, &st, WNOHANG, NULL);
	S(wait4, 0x7fffffff, &st, WNOHANG, NULL);
	S(wait4, INT_MIN, &st, WNOHANG, NULL);
	S(wait4, -1, &st, 0x100, NULL);
	id("no children", P_ALL, 0, WEXITED);
	id("no event asked", P_ALL, 0, 0);
	id("unknown option", P_ALL, 0, WEXITED | 0x100);
	id("unknown kind", 9, 0, WEXITED);
	id("negative pid", P_PID, -1, WEXITED);
	id("zero pid", P_PID, 0, WEXITED);
	id("bad pidfd", P_PIDFD, -1, WEXITED);
	id("pidfd of a pipe", P_PIDFD, gate[0], WEXITED);
	/* exit, seen twice thanks to WNOWAIT */
	kid = START(_exit(17));
	id("leave it", P_PID, kid, WEXITED | WNOWAIT);
	id("still there", P_ALL, 0, WEXITED | WNOWAIT | WNOHANG);
	id("not stopped", P_PID, kid, WSTOPPED | WNOHANG);
	id("take it", P_PID, kid, WEXITED);
	id("gone", P_PID, kid, WEXITED);
	/* killed; by pid, group, any */
	kid = START(pause());
	id("running", P_PID, kid, WEXITED | WNOHANG);
	P("wnohang %s", res(Q(wait4, kid, &st, WNOHANG, NULL)));
	kill(kid, SIGTERM);
	id("killed", P_PGID, getpgrp(), WEXITED);
	kid = START(_exit(1));
	P("group 0: %s", res(Q(wait4, 0, &st, 0, &ru) == kid));
	P("rusage %s", ru.ru_utime.tv_sec == 0 && ru.ru_stime.tv_sec == 0 ? "filled" : "?");
	kid = START(setpgid(0, 0); read(gate[0], &c, 1); _exit(2));
	setpgid(kid, kid);
	P("own group: %s", res(Q(wait4, 0, &st, WNOHANG, NULL)));
	P("by -group: %s", res(Q(wait4, -kid, &st, WNOHANG, NULL)));
	write(gate[1], "x", 1);
	P("by -group: %s", w4(-kid, 0));
	/* stop and continue */
	kid = START(for (;;) pause());
	/* Inside, the group of pid 1 is an orphaned one, where SIGTSTP does nothing. */
	setpgid(kid, kid);
	kill(kid, SIGSTOP);
	P("stop: %s", w4(kid, WUNTRACED));
	P("once: %s", res(Q(wait4, kid, &st, WUNTRACED | WNOHANG, NULL)));
	kill(kid, SIGCONT);
	P("continue: %s", w4(kid, WCONTINUED));
	P("once: %s", res(Q(wait4, kid, &st, WCONTINUED | WNOHANG, NULL)));
	kill(kid, SIGTSTP);
	id("stopped", P_PID, kid, WSTOPPED | WNOWAIT);
	id("stopped", P_PID, kid, WSTOPPED);
	kill(kid, SIGCONT);
	id("continued", P_PID, kid, WCONTINUED);
	kill(kid, SIGSTOP);
	id("stopped", P_PID, kid, WSTOPPED);
	kill(kid, SIGKILL);
	id("killed while stopped", P_PID, kid, WEXITED | WSTOPPED | WCONTINUED);
	/* a null status, and waiting for whoever comes first */
	kid = START(_exit(0));
	P("null status: %s", res(Q(wait4, -1, NULL, 0, NULL) == kid));
	return 0;
}
