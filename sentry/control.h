/*
 * control: requests of the runtime to a running sentry.
 *
 * A client sends one connected SOCK_SEQPACKET end to the control socket (a datagram
 * of one byte with SCM_RIGHTS); over that connection it sends JSON requests and gets one JSON
 * reply to each.  control.c owns the framing, parsing and connection threads; it calls the
 * kernel through the functions below (sentry/kernel/guestinit.c).
 *
 *	{"op":"start"}					-> {"ok":true} | {"error":"...","exit":127}
 *	{"op":"state"}					-> {"ok":true,"status":"created|running|stopped","pid":1}
 *	{"op":"kill","signal":N,"all":bool,"pid":P}	-> {"ok":true} | {"error":"container not running"}
 *	{"op":"exec","process":{...}} + fds 0,1,2	-> {"ok":true,"pid":P} | {"error":"...","exit":126|127}
 *	{"op":"wait","pid":P}				-> {"ok":true,"status":WAITSTATUS}   (blocks)
 *	{"op":"winsize","pid":P,"rows":R,"cols":C}	-> {"ok":true}
 *	{"op":"debug"}					-> {"ok":true,"text":"..."}
 *	{"op":"ps"}					-> {"ok":true,"text":"..."}
 *	{"op":"pause"} {"op":"resume"}
 */
#ifndef SENTRY_CONTROL_H
#define SENTRY_CONTROL_H

#include "base/base.h"
#include "base/strbuf.h"
#include "sentry/bootspec.h"

/* Starts the control thread on fd. Called by boot after the kernel exists. */
int control_init(int fd) MUST_CHECK;

/* ---- the kernel's side: sentry/kernel/guestinit.c and guestreport.c ---- */
/* Before a start that comes later: would the program be found? As the next one, without effect. */
int guest_check_init(int *exit_code, char *why, size_t why_size) MUST_CHECK;
/* Creates and starts the init process as the boot record says. On failure *exit_code is 126/127/1 and why has a sentence. */
int guest_start_init(int *exit_code, char *why, size_t why_size) MUST_CHECK;
/* Starts another process; fds are taken. *pid is its guest pid. */
int guest_exec(const struct spec_process *sp, const int fds[3], int32_t *pid, int *exit_code, char *why, size_t why_size) MUST_CHECK;
/* Blocks until a process started by the two above has ended; -ESRCH if there was no such one. */
int guest_wait(int32_t pid, int32_t *wstatus) MUST_CHECK;
int guest_kill(int32_t pid, int signo, bool all) MUST_CHECK;	/* pid 1 is init; -ESRCH when not running */
int guest_winsize(int32_t pid, uint16_t rows, uint16_t cols) MUST_CHECK;
/* "created", "running", "stopped" */
const char *guest_status(void);
void guest_debug(struct strbuf *sb);	/* village debug ID */
void guest_ps(struct strbuf *sb);	/* one line each: pid, ppid, state, command */

#endif
