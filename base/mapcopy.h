/*
 * mapcopy: copying out of a mapped file that others may cut short meanwhile.
 *
 * The host raises SIGBUS where a mapping has no file behind it any more, or cannot read it from its disk.  Here
 * that is an answer: the handler of the crash report (log.c) sends a copy that met it to its end.
 */
#ifndef BASE_MAPCOPY_H
#define BASE_MAPCOPY_H

#include "base/base.h"

/* False: not all of it was there, and dst[0..len) holds anything.  Both must be mapped, and dst be ours. */
bool mapcopy(void *dst, const void *src, size_t len) MUST_CHECK;

/* For a handler of SIGBUS: true when the thread was in a copy; it goes on at its end once the handler returns. */
bool mapcopy_ends(void *ucontext) MUST_CHECK;

#endif
