/* hooks: programs of the host that config.json names for moments in a container's life. */
#ifndef RUNTIME_HOOKS_H
#define RUNTIME_HOOKS_H

#include "runtime/state.h"

/* Runs hooks.<when> in order, the OCI state on their standard input. The first failure ends it. status: as the hooks see it. */
int hooks_run(struct state *s, const char *when, const char *status, struct err *err) MUST_CHECK;

#endif
