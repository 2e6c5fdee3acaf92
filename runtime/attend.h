/* attend: stays with a process in the sandbox: passes signals on and waits for its end. */
#ifndef RUNTIME_ATTEND_H
#define RUNTIME_ATTEND_H

#include "runtime/runtime.h"

struct attend {
	int	(*connect)(struct attend *a, struct err *err);	/* a new connection to the sentry */
	int	control;	/* for connect: datagram socket, or directory of the container */
	int32_t	pid;		/* in the guest */
	int	tty;		/* host terminal whose size is passed on, or -1 */
	int	end;		/* becomes readable when the process has ended */
	int	sandbox;	/* pidfd of the sentry, killed when it no longer answers; -1: never */
};

int attend_by_socket(struct attend *a, struct err *err);
int attend_by_dir(struct attend *a, struct err *err);
/* Blocks the signals to be passed on, from now; before any process is started. */
void attend_block(void);
/* Until a->end is readable. */
void attend_wait(struct attend *a);

#endif
