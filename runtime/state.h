/*
 * state: what is known about a container, on disk below the root directory.
 *
 *	ROOT/ID/state.json	replaced as a whole, never edited
 *	ROOT/ID/control		the sentry's control socket
 *
 * Who changes the life of a container holds the directory's flock; readers need none.  Whether it
 * runs is never taken from the file alone: the recorded process must exist and be the same one (its
 * start time is recorded too).  A directory without a readable state.json is what a killed `create` leaves: a stopped
 * container that can be deleted.
 */
#ifndef RUNTIME_STATE_H
#define RUNTIME_STATE_H

#include <jansson.h>
#include <sys/types.h>

#include "runtime/runtime.h"

struct state {
	char	*id;
	int	dir;		/* ROOT/ID; -1: not open */
	json_t	*j;		/* state.json, an object */
};

#define STATE_INIT { .dir = -1 }

/* A new, locked container; err->text says when the name is taken or is no name. */
int state_create(const char *id, struct state *out, struct err *err) MUST_CHECK;
/* lock: wait for whoever changes it and keep others out. "container ... does not exist". */
int state_open(const char *id, bool lock, struct state *out, struct err *err) MUST_CHECK;
void state_close(struct state *s);
int state_save(struct state *s, struct err *err) MUST_CHECK;
/* Removes all of it from disk. */
int state_remove(struct state *s, struct err *err) MUST_CHECK;

/* "creating", "created", "running", "stopped": looked up, not remembered. */
const char *state_status(struct state *s);
/* The recorded process under key ("sentry", "gofer"), 0 when it is gone. */
pid_t state_pid(const struct state *s, const char *key);
void state_set_pid(struct state *s, const char *key, pid_t pid);
/* Kills both processes and waits until they are gone. */
int state_kill(struct state *s, struct err *err) MUST_CHECK;
/* The OCI state object (new). */
json_t *state_oci(struct state *s);
/* All container names, sorted; freed by the caller. */
int state_list(struct strlist *out, struct err *err) MUST_CHECK;

#endif
