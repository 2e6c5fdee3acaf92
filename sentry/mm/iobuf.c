/*
 * iobuf: a cursor over the buffers of a read or write; see iobuf.h.
 *
 * Invariant: left is at most what lies between the cursor and the end of the segments, and
 * cur_off <= seg[cur].len.
 */
#include "sentry/mm/iobuf.h"

#include <string.h>
#include <sys/uio.h>

#include "base/hostcall.h"
#include "base/kmem.h"
#include "base/mapcopy.h"
#include "base/sanitize.h"
#include "sentry/kernel/task.h"
#include "sentry/mm/usercopy.h"

int
iob_init(struct iobuf *b, struct task *t, gaddr_t buf, uint64_t len)
{
	uint64_t end;

	memset(b, 0, offsetof(struct iobuf, inline_seg));
	b->seg = b->inline_seg;
	/* access_ok of the whole, before the cut: so a negative length is no address either. */
	if (ckd_add(&end, buf.va, len) || end > GUEST_TOP)
		return -EFAULT;
	b->mm = t->mm;
	b->inline_seg[0] = (struct iobuf_seg){ .base = buf.va, .len = min(len, RW_LIMIT) };
	b->nseg = 1;
	b->left = b->inline_seg[0].len;
	return 0;
}

int
iob_init_iov(struct iobuf *b, struct task *t, gaddr_t iov, uint64_t count)
{
	uint64_t total = 0, end;
	int err;

	memset(b, 0, offsetof(struct iobuf, inline_seg));
	b->seg = b->inline_seg;
	b->mm = t->mm;
	if (count > IOV_LIMIT)
		return -EINVAL;
	if (count > IOV_INLINE) {
		b->seg = mem_alloc(count * sizeof *b->seg);
		if (b->seg == NULL) {
			b->seg = b->inline_seg;
			return -ENOMEM;
		}
	}
	_Static_assert(sizeof(struct iobuf_seg) == sizeof(struct iovec), "a guest's iovec is read in place");
	err = copy_in(t, b->seg, iov, count * sizeof *b->seg);
	for (uint64_t i = 0; !err && i < count; i++) {
		struct iobuf_seg *s = &b->seg[i];

		if ((int64_t)s->len < 0)
			err = -EINVAL;
		else if (ckd_add(&end, s->base, s->len) || end > GUEST_TOP)
			err = -EFAULT;
		else
			s->len = min(s->len, RW_LIMIT - total);
		total += err ? 0 : s->len;
	}
	if (err) {
		iob_fini(b);
		return err;
	}
	b->nseg = (uint32_t)count;
	b->left = total;
	return 0;
}

void
iob_init_kernel(struct iobuf *b, void *buf, uint64_t len)
{
	memset(b, 0, offsetof(struct iobuf, inline_seg));
	b->seg = b->inline_seg;
	b->inline_seg[0] = (struct iobuf_seg){ .base = (uint64_t)(uintptr_t)buf, .len = len };
	b->nseg = 1;
	b->left = len;
}

void
iob_fini(struct iobuf *b)
{
	if (b->seg != b->inline_seg)
		mem_free(b->seg);
	b->seg = b->inline_seg;
	b->nseg = 0;
	b->left = 0;
}

uint64_t
iob_trim(struct iobuf *b, uint64_t n)
{
	uint64_t was = b->left;

	b->left = min(was, n);
	return was;
}

static void
advance(struct iobuf *b, uint64_t n)
{
	BUG_ON(n > b->left);
	b->left -= n;
	while (n != 0) {
		uint64_t room = b->seg[b->cur].len - b->cur_off;

		if (n < room) {
			b->cur_off += n;
			return;
		}
		n -= room;
		b->cur++;
		b->cur_off = 0;
	}
}

void
iob_revert(struct iobuf *b, uint64_t n)
{
	b->left += n;
	while (n > b->cur_off) {
		n -= b->cur_off;
		BUG_ON(b->cur == 0);
		b->cur--;
		b->cur_off = b->seg[b->cur].len;
	}
	b->cur_off -= n;
}

/* How bytes move between a segment and kernel memory. */
enum way { WAY_PUT, WAY_PUT_MAPPED, WAY_GET };

/* Often the pages of a file: pinned and with nothing locked, so that other calls may be at the same bytes. */
static void NO_SANITIZE
move_bytes(void *dst, const void *src, uint64_t n)
{
	memcpy(dst, src, n);
}

static int64_t
move_seg(struct iobuf *b, uint64_t at, char *buf, uint64_t n, enum way way)
{
	void *mem = (void *)(uintptr_t)at;

	switch (way) {
	case WAY_PUT:
		if (b->mm != NULL)
			return copy_out_some(b->mm, gaddr_from(at), buf, n);
		move_bytes(mem, buf, n);
		return (int64_t)n;
	case WAY_PUT_MAPPED:
		if (b->mm != NULL)
			return copy_out_mapped(b->mm, gaddr_from(at), buf, n);
		return mapcopy(mem, buf, n) ? (int64_t)n : -EFAULT;
	default:
		if (b->mm != NULL)
			return copy_in_some(b->mm, buf, gaddr_from(at), n);
		move_bytes(buf, mem, n);
		return (int64_t)n;
	}
}

static int64_t
move(struct iobuf *b, char *buf, uint64_t n, enum way way)
{
	uint64_t done = 0;

	n = min(n, b->left);
	while (done < n) {
		const struct iobuf_seg *s = &b->seg[b->cur];
		uint64_t len = min(s->len - b->cur_off, n - done);
		int64_t got;

		if (len == 0) {
			b->cur++;
			b->cur_off = 0;
			continue;
		}
		got = move_seg(b, s->base + b->cur_off, buf + done, len, way);
		if (got < 0)
			return done != 0 ? (int64_t)done : got;
		advance(b, (uint64_t)got);
		done += (uint64_t)got;
		if ((uint64_t)got < len)
			break;
	}
	return (int64_t)done;
}

int64_t
iob_put(struct iobuf *b, const void *src, uint64_t n)
{
	return move(b, (char *)(uintptr_t)src, n, WAY_PUT);
}

int64_t
iob_put_mapped(struct iobuf *b, const void *src, uint64_t n)
{
	return move(b, (char *)(uintptr_t)src, n, WAY_PUT_MAPPED);
}

int64_t
iob_get(struct iobuf *b, void *dst, uint64_t n)
{
	return move(b, dst, n, WAY_GET);
}

/* ---- bulk: zeroes and host descriptors -------------------------------------------- */

#define BOUNCE_LEN	(64 * 1024ULL)
#define BOUNCE_KEPT	8

struct bounce { char b[BOUNCE_LEN]; };
KMEM_CACHE(bounce);

/* A few are kept aside: the cache would clear each for its next user. */
static struct bounce *_Atomic kept[BOUNCE_KEPT];

static struct bounce *
bounce_get(void)
{
	for (unsigned i = 0; i < BOUNCE_KEPT; i++) {
		struct bounce *p = atomic_load_explicit(&kept[i], memory_order_relaxed);

		if (p != NULL && (p = atomic_exchange(&kept[i], NULL)) != NULL)
			return p;
	}
	return obj_new(bounce);
}

static void
bounce_put(struct bounce *p)
{
	for (unsigned i = 0; i < BOUNCE_KEPT; i++) {
		struct bounce *none = NULL;

		if (atomic_compare_exchange_strong(&kept[i], &none, p))
			return;
	}
	obj_free(bounce, p);
}

int64_t
iob_zero(struct iobuf *b, uint64_t n)
{
	static const char zeroes[BOUNCE_LEN];
	uint64_t done = 0;

	n = min(n, b->left);
	while (done < n) {
		uint64_t len = min(n - done, sizeof zeroes);
		int64_t got = iob_put(b, zeroes, len);

		if (got < 0)
			return done != 0 ? (int64_t)done : got;
		done += (uint64_t)got;
		if ((uint64_t)got < len)
			break;
	}
	return (int64_t)done;
}

/* One step of a transfer through buf[cap]; *more is false when it was the last. */
static int64_t
host_step(struct iobuf *b, int fd, int64_t off, char *buf, uint64_t len, enum way way, bool *more)
{
	int64_t got, moved;

	*more = false;
	if (way == WAY_PUT) {
		got = host_pread(fd, buf, len, off);
		if (got <= 0)
			return got;
		moved = iob_put(b, buf, (uint64_t)got);
		/* A stream that gave all it was asked for may have to wait for more. */
		*more = off >= 0 && moved == got && (uint64_t)got == len;
		return moved;
	}
	got = iob_get(b, buf, len);
	if (got <= 0)
		return got;
	moved = host_pwrite(fd, buf, (uint64_t)got, off);
	/* The cursor must stand where the host stopped. */
	if (moved < got)
		iob_revert(b, (uint64_t)(got - max(moved, (int64_t)0)));
	*more = moved == got && (uint64_t)got == len;
	return moved;
}

static int64_t
host_move(struct iobuf *b, int fd, int64_t off, uint64_t n, enum way way)
{
	char small[2048];
	struct bounce *big = NULL;
	uint64_t done = 0, cap = sizeof small;
	char *buf = small;
	bool more = true;
	int64_t got = 0;

	n = min(n, b->left);
	if (n > sizeof small) {
		big = bounce_get();
		if (big != NULL) {
			buf = big->b;
			cap = sizeof big->b;
		}
	}
	while (more && done < n) {
		got = host_step(b, fd, off < 0 ? off : off + (int64_t)done, buf, min(n - done, cap), way, &more);
		if (got > 0)
			done += (uint64_t)got;
	}
	if (big != NULL)
		bounce_put(big);
	return done != 0 ? (int64_t)done : got;
}

int64_t
iob_from_host(struct iobuf *dst, int fd, int64_t off, uint64_t n)
{
	return host_move(dst, fd, off, n, WAY_PUT);
}

int64_t
iob_to_host(struct iobuf *src, int fd, int64_t off, uint64_t n)
{
	return host_move(src, fd, off, n, WAY_GET);
}
