/* foreground: a sandbox whose caller waits for it. */
#ifndef RUNTIME_FOREGROUND_H
#define RUNTIME_FOREGROUND_H

#include "runtime/launch.h"

struct foreground {
	bool	tty;		/* standard input is a terminal that the sandbox gets */
	bool	report;		/* text goes to stderr though there is a debug log */
	int	dir;		/* the container's, whose control socket l has; else one is made */
	int	control;	/* our end of the one made */
	/* Called between launch_start and launch_go, when the pids are known. May be NULL. */
	int	(*held)(struct launch *l, void *arg, struct err *err);
	/* Called once the program runs. May be NULL. */
	void	(*started)(void *arg);
	void	*arg;
};

/* Starts l, passes signals on, waits; returns the exit status, all errors reported. */
int foreground_run(struct foreground *f, struct launch *l);
/* Opens the logs that the global options ask for. to_stderr: where strace goes without a debug log. */
int foreground_logs(struct launch *l, bool to_stderr, bool report, struct err *err) MUST_CHECK;

#endif
