/* container: the steps that create and run share. */
#ifndef RUNTIME_CONTAINER_H
#define RUNTIME_CONTAINER_H

#include "runtime/launch.h"
#include "runtime/spec.h"
#include "runtime/state.h"

struct container_opts {
	char	*bundle, *config, *console_socket, *pid_file, *preserve_fds;
	bool	no_pivot, no_new_keyring, detach, keep, no_subreaper;
};

struct container {
	struct container_opts opts;
	struct state	st;
	struct spec	spec;
	struct launch	l;
	bool		recorded;	/* the state directory is ours to remove */
	bool		pid_written;	/* so is --pid-file */
};
#define CONTAINER_INIT { .st = STATE_INIT, .l = LAUNCH_INIT }

/* The options of create and run, for an option table. */
#define CONTAINER_OPTS(o) \
	{ 'b', "bundle", "DIR", "directory with config.json (default .)", OPT_STR, &(o)->bundle }, \
	{ 'f', "config", "FILE", "name of the configuration (default config.json)", OPT_STR, &(o)->config }, \
	{ 0, "console-socket", "PATH", "socket that receives the terminal's master", OPT_STR, &(o)->console_socket }, \
	{ 0, "pid-file", "FILE", "write the sandbox's pid to FILE", OPT_STR, &(o)->pid_file }, \
	{ 0, "no-pivot", NULL, "accepted, nothing to do", OPT_FLAG, &(o)->no_pivot }, \
	{ 0, "no-new-keyring", NULL, "accepted, nothing to do", OPT_FLAG, &(o)->no_new_keyring }, \
	{ 0, "no-subreaper", NULL, "accepted, nothing to do", OPT_FLAG, &(o)->no_subreaper }, \
	{ 0, "preserve-fds", "N", "pass N more descriptors (only 0)", OPT_STR, &(o)->preserve_fds }

/* Records the container under id and makes its control socket; c->spec says what there is to record. */
int container_record(struct container *c, const char *id, const char *bundle, struct err *err) MUST_CHECK;
/* Reads the bundle and records the container; nothing runs yet. */
int container_prepare(struct container *c, const char *id, struct err *err) MUST_CHECK;
/* Between launch_start and launch_go: records the processes, runs the hooks of creation, writes the pid file. */
int container_held(struct launch *l, void *arg, struct err *err);
/* Launches a detached container and waits until it is up. */
int container_launch(struct container *c, struct err *err) MUST_CHECK;
/* Starts its program and runs the poststart hooks. */
int container_start(struct state *s, struct err *err) MUST_CHECK;
/* poststop hooks; the record goes. */
int container_delete(struct state *s, struct err *err) MUST_CHECK;
/* cmd_run.c: launches a recorded container in the foreground; returns its status, the record is gone. */
struct foreground;
int run_recorded(struct container *c, struct foreground *f);
/* Undoes everything after a failure. */
void container_abort(struct container *c);
void container_fini(struct container *c);

#endif
