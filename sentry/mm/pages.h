/*
 * pages: the memory file: one sparse memfd behind everything shared (tmpfs, memfd, anonymous
 * shared mappings, SysV shm).
 *
 * The sentry maps the whole file once; page_ptr() gives its own view.  A freed range is punched
 * out (MADV_REMOVE), in batches, before it is handed out again, so fresh pages are zero.
 */
#ifndef SENTRY_MM_PAGES_H
#define SENTRY_MM_PAGES_H

#include "base/base.h"

/* Maps fd of the given size; called once at boot. */
int pages_boot(int fd, uint64_t size) MUST_CHECK;
/* len bytes (rounded to pages), contiguous, zeroed; -ENOMEM when the file is exhausted. */
int pages_alloc(uint64_t len, uint64_t *off) MUST_CHECK;
void pages_free(uint64_t off, uint64_t len);
/* The sentry's view of an allocated range. Guests may write it at any moment when it is mapped shared: copy before use. */
void *page_ptr(uint64_t off);
uint64_t pages_used(void);	/* bytes handed out */
uint64_t pages_limit(void);	/* bytes that may be */

#endif
