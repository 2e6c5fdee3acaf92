/* Orphans: reparenting, the subreaper, the parent's death signal. */
#include "guest.h"
#include <sys/prctl.h>

int
main(int argc, char **argv)
{
	volatile int *sh = shared_ints();
	pid_t me = getpid(), pid;
	int st, on = -1;

	if (argc > 1) {
		prctl(PR_GET_CHILD_SUBREAPER, &on);
		P("%s: %d", argv[1], on);
		return 0;
	}

	T(prctl(PR_GET_CHILD_SUBREAPER, &on));
	P("subreaper %d", on);
	T(prctl(PR_SET_CHILD_SUBREAPER, 1));
	T(prctl(PR_GET_CHILD_SUBREAPER, &on));
	P("subreaper %d", on);
	pid = START(
		pid_t k = START(
			UNTIL(getppid() != sh[1] && sh[4]);
			P("new parent is %s", getppid() == me ? "the subreaper" : "another");
			_exit(21);
		);
		sh[1] = getpid();
		sh[0] = k;
	);
	sh[1] = pid;
	P("middle: %s", reap(pid));
	sh[4] = 1;
	P("orphan: %s", reap(sh[0]));
	/* a zombie is handed over as well */
	pid = START(
		sh[0] = START(_exit(22));
		nap(20);
	);
	P("middle: %s", reap(pid));
	P("zombie: %s", reap(sh[0]));
	/* it is an attribute of the process, children don't have it but count as below it */
	P("child: %s", wst(CHILD(int o = -1; prctl(PR_GET_CHILD_SUBREAPER, &o); P("inherited %d", o))));
	P("kept over exec: %s", wst(CHILD(prctl(PR_SET_CHILD_SUBREAPER, 1); execl("/proc/self/exe", "x", "sub", NULL))));
	/* a death signal */
	pid = START(
		sh[2] = 0;
		sh[0] = START(
			int sig = -1;
			catch_sig(SIGUSR1, 0);
			P("%s", res(Q(prctl, PR_SET_PDEATHSIG, SIGUSR1)));
			Q(prctl, PR_GET_PDEATHSIG, &sig);
			P("is %d", sig);
			sh[2] = 1;
			UNTIL(got[SIGUSR1] && sh[5]);
			P("told by %s", got_info.si_code == SI_USER ? "SI_USER" : "?");
			_exit(23);
		);
		UNTIL(sh[2]);
	);
	P("middle: %s", reap(pid));
	sh[5] = 1;
	P("told: %s", reap(sh[0]));
	T(prctl(PR_SET_PDEATHSIG, 65));
	T(prctl(PR_SET_PDEATHSIG, SIGUSR1));
	P("not inherited: %s", wst(CHILD(int sig = -1; prctl(PR_GET_PDEATHSIG, &sig); P("%d", sig))));
	T(prctl(PR_SET_PDEATHSIG, 0));
	/* a group that loses its last tie to its session, with a member stopped, gets SIGHUP and SIGCONT */
	pid = START(
		setsid();
		pid_t middle = START(
			setpgid(0, 0);
			sh[0] = START(
				catch_sig(SIGHUP, 0);
				catch_sig(SIGCONT, 0);
				raise(SIGSTOP);
				UNTIL(got[SIGHUP] && got[SIGCONT] && sh[6]);
				P("hup %d cont %d", got[SIGHUP], got[SIGCONT]);
				sh[3] = 1;
				_exit(24);
			);
			waitpid(sh[0], &st, WUNTRACED);
		);
		P("middle: %s", reap(middle));
		sh[6] = 1;
		UNTIL(sh[3]);
	);
	P("leader: %s", reap(pid));
	P("member: %s", reap(sh[0]));
	/* in an orphaned group the terminal stop signals do nothing */
	P("%s", wst(CHILD(
		setsid();
		pid_t k = START(raise(SIGTSTP); P("not stopped"); _exit(0));
		waitpid(k, &st, WUNTRACED);
		P("%s", wst(st));
	)));
	T(prctl(PR_SET_CHILD_SUBREAPER, 0));
	return 0;
}
