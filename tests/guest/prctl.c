/* prctl(2), personality(2), the comm name. */
#include "guest.h"
#include <linux/seccomp.h>
#include <sys/personality.h>
#include <sys/prctl.h>

int
main(void)
{
	char name[17] = "";
	int v = -1;

	S(prctl, 9999, 0, 0, 0, 0);
	S(prctl, PR_GET_NAME, name);
	P("name %s", name);
	S(prctl, PR_SET_NAME, "a name that is far too long");
	S(prctl, PR_GET_NAME, name);
	P("name %s, comm %s", name, cat("/proc/self/comm"));
	S(prctl, PR_SET_NAME, BAD);
	S(prctl, PR_GET_NAME, BAD);
	P("child: %s", wst(CHILD(prctl(PR_GET_NAME, name); P("%s", name))));
	int fd = open("/proc/self/comm", O_WRONLY);
	S(write, fd, "written", 7);
	S(prctl, PR_GET_NAME, name);
	P("name %s", name);
	S(prctl, PR_GET_DUMPABLE);
	S(prctl, PR_SET_DUMPABLE, 2);
	S(prctl, PR_SET_DUMPABLE, 0);
	S(prctl, PR_GET_DUMPABLE);
	S(prctl, PR_SET_DUMPABLE, 1);
	S(prctl, PR_GET_PDEATHSIG, &v);
	P("%d", v);
	S(prctl, PR_SET_PDEATHSIG, -1);
	S(prctl, PR_GET_TIMERSLACK);
	S(prctl, PR_SET_TIMERSLACK, 1000);
	S(prctl, PR_GET_TIMERSLACK);
	S(prctl, PR_SET_TIMERSLACK, 0);
	S(prctl, PR_GET_TIMERSLACK);
	S(prctl, PR_GET_TIMING);
	S(prctl, PR_SET_TIMING, PR_TIMING_TIMESTAMP);
	S(prctl, PR_GET_TSC, &v);
	P("%d", v);
	S(prctl, PR_GET_THP_DISABLE, 0, 0, 0, 0);
	S(prctl, PR_GET_THP_DISABLE, 1, 0, 0, 0);
	S(prctl, PR_GET_NO_NEW_PRIVS, 1, 0, 0, 0);
	S(prctl, PR_GET_CHILD_SUBREAPER, BAD);
	S(prctl, PR_MCE_KILL_GET, 1, 0, 0, 0);
	S(personality, 0xffffffff);
	S(personality, ADDR_NO_RANDOMIZE);
	S(personality, 0xffffffff);
	P("child: %s", wst(CHILD(S(personality, 0xffffffff))));
	S(prctl, PR_SET_TIMERSLACK, 7000);
	P("a child's slack is its default: %s", wst(CHILD(
		S(prctl, PR_GET_TIMERSLACK);
		S(prctl, PR_SET_TIMERSLACK, 9);
		S(prctl, PR_SET_TIMERSLACK, 0);
		S(prctl, PR_GET_TIMERSLACK);
	)));
	S(prctl, PR_GET_SPECULATION_CTRL, 0, 1, 0, 0);
	S(personality, 0);
	S(personality, PER_LINUX32);
	S(personality, 0);
	return 0;
}
