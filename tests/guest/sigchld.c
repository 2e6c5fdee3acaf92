/* SIGCHLD: its contents, SA_NOCLDSTOP, SA_NOCLDWAIT, ignoring it. */
#include "guest.h"

int
main(void)
{
	sigset_t set, old;
	siginfo_t si;
	pid_t pid;
	int st;

	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigprocmask(SIG_BLOCK, &set, &old);
	pid = START(_exit(5));
	T(sigwaitinfo(&set, &si));
	P("%s pid %s uid %d status %d", si_code_name(SIGCHLD, si.si_code), si.si_pid == pid ? "right" : "?", si.si_uid,
	    si.si_status);
	P("%s", reap(pid));
	pid = START(raise(SIGKILL));
	T(sigwaitinfo(&set, &si));
	P("%s status %d", si_code_name(SIGCHLD, si.si_code), si.si_status);
	P("%s", reap(pid));
	pid = START(for (;;) pause());
	kill(pid, SIGSTOP);
	T(sigwaitinfo(&set, &si));
	P("%s status %d", si_code_name(SIGCHLD, si.si_code), si.si_status);
	kill(pid, SIGCONT);
	T(sigwaitinfo(&set, &si));
	P("%s status %d", si_code_name(SIGCHLD, si.si_code), si.si_status);
	kill(pid, SIGKILL);
	T(sigwaitinfo(&set, &si));
	P("%s status %d", si_code_name(SIGCHLD, si.si_code), si.si_status);
	P("%s", reap(pid));
	/* one is pending at most */
	pid_t kids[5];
	for (int i = 0; i < 5; i++)
		kids[i] = START(_exit(0));
	for (int i = 0; i < 5; i++)
		waitpid(kids[i], &st, 0);
	struct timespec zero = { 0, 0 };
	T(sigtimedwait(&set, NULL, &zero));
	T(sigtimedwait(&set, NULL, &zero));
	sigprocmask(SIG_SETMASK, &old, NULL);
	/* no stop signals */
	catch_sig(SIGCHLD, SA_NOCLDSTOP);
	pid = START(for (;;) pause());
	kill(pid, SIGSTOP);
	waitpid(pid, &st, WUNTRACED);
	P("stops told %d", got[SIGCHLD]);
	kill(pid, SIGKILL);
	UNTIL(got[SIGCHLD]);
	P("%s", reap(pid));
	/* no zombies */
	catch_sig(SIGCHLD, SA_NOCLDWAIT);
	got[SIGCHLD] = 0;
	pid = START(_exit(3));
	P("nocldwait: %s", res(Q(wait4, pid, &st, 0, NULL)));
	UNTIL(got[SIGCHLD]);
	set_sig(SIGCHLD, SIG_IGN);
	pid = START(_exit(3));
	P("ignored: %s", res(Q(wait4, pid, &st, 0, NULL)));
	pid = START(nap(20); _exit(3));
	P("ignored, any: %s", res(Q(wait4, -1, &st, 0, NULL)));
	/* ignoring after the fact leaves the zombie */
	set_sig(SIGCHLD, SIG_DFL);
	pid = START(_exit(9));
	nap(20);
	set_sig(SIGCHLD, SIG_IGN);
	P("%s", reap(pid));
	return 0;
}
