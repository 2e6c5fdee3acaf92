/* Process groups and sessions, without a terminal. */
#include "guest.h"
#include <sys/prctl.h>

static volatile int *sh;

int
main(void)
{
	pid_t pid;

	sh = shared_ints();
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	S(setpgid, -1, 0);
	S(setpgid, 0, -1);
	S(setpgid, 0x7fffffff, 0);
	S(getpgid, 0x7fffffff);
	S(getpgid, -1);
	S(getsid, 0x7fffffff);
	P("getpgid(0) is getpgrp: %s", Q(getpgid, 0) == Q(getpgrp) ? "yes" : "no");
	P("child inherits group %s session %s", wst(CHILD(_exit(getpgrp() == getpgid(getppid())))), wst(CHILD(_exit(getsid(0) ==
	    getsid(getppid())))));
	P("leader: %s", wst(CHILD(
		pid_t old = getpgrp();
		S(setpgid, 0, 0);
		P("own group %s", getpgrp() == getpid() ? "yes" : "no");
		S(setpgid, 0, 0);
		P("back %s", res(Q(setpgid, 0, old)));
		P("a group nobody has %s", res(Q(setpgid, 0, 0x7ffffff)));
		Q(setpgid, 0, 0);
		S(setsid);
	)));
	P("session: %s", wst(CHILD(
		pid_t old = getpgrp();
		P("setsid %s", Q(setsid) == getpid() ? "pid" : "?");
		P("sid %s pgrp %s", getsid(0) == getpid() ? "pid" : "?", getpgrp() == getpid() ? "pid" : "?");
		S(setsid);
		S(setpgid, 0, 0);
		P("to the old group %s", res(Q(setpgid, 0, old)));
		P("tty: %s", ok(Q(open, "/dev/tty", O_RDWR)));
	)));
	/* the parent may move a child until it has called exec */
	pid = START(
		UNTIL(sh[0]);
		P("moved %s", getpgrp() == getpid() ? "yes" : "no");
		int p[2];
		pipe(p);
		execl("/bin/sleep", "sleep", "100", NULL);
	);
	P("move it: %s", res(Q(setpgid, pid, 0)));
	sh[0] = 1;
	char name[64];
	snprintf(name, sizeof name, "/proc/%d/comm", pid);
	UNTIL(strcmp(cat(name), "sleep\n") == 0);
	P("after exec %s", res(Q(setpgid, pid, getpgrp())));
	P("child into another session's group: %s", wst(CHILD(
		pid_t k = START(setsid(); sh[1] = 1; nap(1000));
		UNTIL(sh[1]);
		P("%s", res(Q(setpgid, k, k)));
		P("%s", res(Q(setpgid, 0, k)));
		kill(k, SIGKILL);
		reap(k);
	)));
	P("not one's child: %s", wst(CHILD(P("%s", res(Q(setpgid, getppid(), 0))))));
	kill(pid, SIGKILL);
	P("%s", reap(pid));
	/* a group outlives its leader */
	pid = START(
		setpgid(0, 0);
		sh[3] = START(sh[2] = getpgrp(); UNTIL(sh[4]); P("group left behind %s, leader exists: %s", getpgrp() == sh[2] ? "same" : "?",
		    res(Q(kill, sh[2], 0))));
		UNTIL(sh[2]);
		_exit(0);
	);
	P("%s", reap(pid));
	P("group still there: %s", res(Q(kill, -pid, 0)));
	sh[4] = 1;
	P("%s", reap(sh[3]));
	P("group: %s", res(Q(kill, -pid, 0)));
	P("gone");
	return 0;
}
