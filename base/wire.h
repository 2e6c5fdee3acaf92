/*
 * wire: framed messages with descriptors over a SOCK_SEQPACKET socket.
 *
 * One message is one packet of at most WIRE_MAX bytes with at most WIRE_FDS
 * descriptors.  The receiver checks sizes; descriptors it does not want are closed.
 */
#ifndef BASE_WIRE_H
#define BASE_WIRE_H

#include "base/base.h"

#define WIRE_MAX	65536
#define WIRE_FDS	8

/* 0 or -errno (-EPIPE when the peer is gone). Blocks. Descriptors stay the caller's. */
int wire_send(int sock, const void *msg, size_t len, const int *fds, unsigned nfds) MUST_CHECK;
/*
 * Receives one message into buf; returns its length, 0 when the peer closed, or
 * -errno.  *nfds is the room in fds on entry and the number received on return; they
 * are close-on-exec.  A message or descriptor list that had to be cut is -EBADMSG.
 */
int64_t wire_recv(int sock, void *buf, size_t cap, int *fds, unsigned *nfds) MUST_CHECK;

#endif
