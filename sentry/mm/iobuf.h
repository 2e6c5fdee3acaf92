/*
 * iobuf: a cursor over the buffers of a read or write, guest's or kernel's.
 *
 * A file's operations see only this, never an address.  iob_put copies to the buffers (the
 * caller of read(2)), iob_get from them (write(2)); both advance.  A guest fault stops the cursor.
 */
#ifndef SENTRY_MM_IOBUF_H
#define SENTRY_MM_IOBUF_H

#include "abi/gaddr.h"
#include "base/base.h"

struct task;
struct mm;

#define IOV_INLINE	8
#define IOV_LIMIT	1024			/* UIO_MAXIOV */
#define RW_LIMIT	0x7ffff000ULL		/* MAX_RW_COUNT */

struct iobuf_seg { uint64_t base, len; };	/* guest address, or pointer when mm is NULL */

struct iobuf {
	struct mm		*mm;		/* NULL: kernel memory; borrowed */
	struct iobuf_seg	*seg;		/* inline_seg or mem_alloc'ed */
	uint32_t		 nseg, cur;
	uint64_t		 cur_off;	/* within seg[cur] */
	uint64_t		 left;		/* bytes to go */
	struct iobuf_seg	 inline_seg[IOV_INLINE];
};

/* One guest buffer (len is cut to RW_LIMIT). -EFAULT when it is outside the guest's range altogether. */
int iob_init(struct iobuf *b, struct task *t, gaddr_t buf, uint64_t len) MUST_CHECK;
/* A guest iovec: -EINVAL (count, sum, negative length), -EFAULT, -ENOMEM, as import_iovec. */
int iob_init_iov(struct iobuf *b, struct task *t, gaddr_t iov, uint64_t count) MUST_CHECK;
void iob_init_kernel(struct iobuf *b, void *buf, uint64_t len);
void iob_fini(struct iobuf *b);

static inline uint64_t
iob_left(const struct iobuf *b)
{
	return b->left;
}
/* Cuts what is left to at most n bytes; returns the former amount for iob_untrim. */
uint64_t iob_trim(struct iobuf *b, uint64_t n);

/*
 * Moves min(n, left) bytes; returns the number moved, fewer after a fault, -EFAULT when a fault
 * came before the first byte (0 only when n or left is 0).
 */
int64_t iob_put(struct iobuf *b, const void *src, uint64_t n) MUST_CHECK;
/* src is a mapped file (base/mapcopy.h): fewer also where it has ended; what is to come must be asked of the host. */
int64_t iob_put_mapped(struct iobuf *b, const void *src, uint64_t n) MUST_CHECK;
int64_t iob_get(struct iobuf *b, void *dst, uint64_t n) MUST_CHECK;
int64_t iob_zero(struct iobuf *b, uint64_t n) MUST_CHECK;
/* Moves the cursor back by n bytes that were just moved. */
void iob_revert(struct iobuf *b, uint64_t n);
/* Up to n bytes between the buffers and a host descriptor at off (-1: its own position): bytes, 0 at EOF, -errno. */
int64_t iob_from_host(struct iobuf *dst, int fd, int64_t off, uint64_t n) MUST_CHECK;
int64_t iob_to_host(struct iobuf *src, int fd, int64_t off, uint64_t n) MUST_CHECK;

#endif
