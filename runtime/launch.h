/*
 * launch: starts a gofer and a sentry, each in its confinement, and hands them their descriptors.
 *
 * launch_start() makes both processes and holds the sentry just before it becomes one: its pid can be
 * recorded and hooks run, and if we die now, so does it.  launch_go() lets it boot, launch_ready() waits for
 * its word.  confine.c is the half that runs in the new processes.
 */
#ifndef RUNTIME_LAUNCH_H
#define RUNTIME_LAUNCH_H

#include <jansson.h>
#include <sys/types.h>

#include "runtime/runtime.h"

/* One mount of the gofer: a directory or file of the host. */
struct launch_mount {
	char	*source;	/* absolute */
	bool	readonly;
};

struct launch {
	json_t	*boot;		/* the boot record; memfile_size and platform are filled in here */
	struct launch_mount *mounts;
	unsigned nmounts;
	int	stdio[3];	/* the container's streams; borrowed */
	int	control;	/* sentry's end of the control socket; taken */
	int	log;		/* debug log; borrowed, -1: none */
	int	report;		/* strace and report text; borrowed, -1: none */
	bool	foreground;	/* the sandbox dies with this process */

	/* filled by launch_start */
	pid_t	sentry, gofer;
	int	sentry_pidfd, gofer_pidfd;
	int	sync;		/* with the sentry-to-be */
	int	ready;		/* where its first words arrive */
};

#define LAUNCH_INIT { .stdio = { 0, 1, 2 }, .control = -1, .log = -1, .report = -1, .sentry_pidfd = -1, \
	.gofer_pidfd = -1, .sync = -1, .ready = -1 }

int launch_start(struct launch *l, struct err *err) MUST_CHECK;
int launch_go(struct launch *l, struct err *err) MUST_CHECK;
/* err->exit is 126 or 127 when the program could not be run. */
int launch_ready(struct launch *l, struct err *err) MUST_CHECK;
/* Kills and reaps whatever was started; idempotent. */
void launch_abort(struct launch *l);
/*
 * Waits for the end of the sentry, then of the gofer; returns the sentry's status as a shell's.  killed:
 * it was a signal that ended the sentry itself.
 */
int launch_reap(struct launch *l, bool *killed);
void launch_mount_add(struct launch *l, const char *source, bool readonly);

/* ---- between launch.c and confine.c --------------------------------------------- */

struct confine {
	const struct launch *l;
	int	exe;		/* this program */
	int	sync;		/* SOCK_SEQPACKET to the parent */
	int	peer;		/* socket between gofer and sentry, this one's end */
	int	null;		/* /dev/null */
	int	spec, memfile, random, ready;	/* sentry only */
	bool	rootless;
};

/* The packets on the sync socket: a child asks, or fails with a sentence; the parent says go. */
#define SYNC_MAP	'M'	/* write my id maps */
#define SYNC_HELD	'H'	/* everything done, waiting to exec */
#define SYNC_ERROR	'E'	/* followed by text */
#define SYNC_GO		'g'

void confine_gofer(const struct confine *c) NORETURN;
void confine_sentry(const struct confine *c) NORETURN;
extern const int confine_gofer_flags, confine_sentry_flags;	/* CLONE_NEW* */

#endif
