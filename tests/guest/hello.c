/* The least there is: arguments, a line on stdout, an exit status. */
#include "guest.h"

int
main(int argc, char **argv, char **envp)
{
	P("hello, argc %d, argv ends %s, envp %s", argc, argv[argc] ? "no" : "yes", envp ? "yes" : "no");
	P("exit 7: %s", wst(CHILD(_exit(7))));
	P("exit 256+3: %s", wst(CHILD(Q(exit_group, 256 + 3))));
	P("exit -1: %s", wst(CHILD(Q(exit, -1))));
	P("abort: %s", wst(CHILD(abort())));
	P("kill 9: %s", wst(CHILD(kill(getpid(), SIGKILL))));
	S(write, 1, "raw\n", 4);
	return 0;
}
