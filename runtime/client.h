/* client: requests to a running sentry; the protocol is in sentry/control.h. */
#ifndef RUNTIME_CLIENT_H
#define RUNTIME_CLIENT_H

#include <jansson.h>

#include "runtime/runtime.h"

#define CLIENT_FOREVER	0	/* as a timeout in seconds */
#define CLIENT_PATIENCE	10

/* A connection by way of a datagram socket whose other end the sentry reads; a socket or -errno. */
int client_open(int control, struct err *err) MUST_CHECK;
/* The same by way of the socket bound at dir/control. */
int client_open_at(int dir, struct err *err) MUST_CHECK;
/*
 * Sends req (taken) and waits for the reply (the caller's, may be NULL).  An {"error"} becomes err, with
 * its exit status; no answer within `seconds` is -ETIMEDOUT, an end of the sandbox meanwhile -ECONNRESET.
 */
int client_call(int conn, json_t *req, const int *fds, unsigned nfds, int seconds, json_t **reply,
    struct err *err) MUST_CHECK;

#endif
