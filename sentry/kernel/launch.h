/* launch: brings the first program of a process that the runtime starts to life, as its description says. */
#ifndef SENTRY_KERNEL_LAUNCH_H
#define SENTRY_KERNEL_LAUNCH_H

#include "sentry/bootspec.h"

struct task;

/*
 * Runs sp in t, on a thread of its own, and waits until its program is loaded.  Takes the caller's reference to t, and fds
 * of the host, the streams.  On failure t has ended, *exit_code is 126, 127 or 1, and why, of why_size bytes, says what engines
 * show.  Not for tasks.
 */
int launch(struct task *t, const struct spec_process *sp, const int fds[3], int *exit_code, char *why,
    size_t why_size) MUST_CHECK;
/*
 * Whether the directory and the program will be found: engines want to hear that before the start.  Looks
 * with every right; what the process's own user may not do shows at the start.
 */
int launch_check(struct task *t, const struct spec_process *sp, int *exit_code, char *why, size_t why_size) MUST_CHECK;
/* text into why, cut to its size. */
void launch_say(char *why, size_t size, const char *text);

#endif
