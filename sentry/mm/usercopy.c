/*
 * usercopy: copies between the sentry and guest memory; see usercopy.h.
 *
 * The host would let the sentry write anything the guest has mapped, so the regions are asked first, under
 * mm->mu; then the bytes move with no lock held, in one host call.  A range that changes in between can only hurt
 * the guest that changed it: the host itself refuses a forced write to a shared mapping that is not writable.
 */
#include "sentry/mm/usercopy.h"

#include <limits.h>
#include <string.h>
#include <sys/mman.h>

#include "base/kmem.h"
#include "sentry/kernel/task.h"
#include "sentry/mm/region.h"

#define TRIES	4	/* faults in a row that bring nothing */

static const char zeroes[PAGE_SIZE];

/* How many of len bytes at va may be accessed (at most len): stops at the first region that says no, or is `not`. */
static uint64_t
allowed_locked(struct mm *mm, uint64_t va, uint64_t len, bool write, bool force, uint32_t not)
{
	uint64_t at = va, end = va + len;
	struct region *r = mm_find_locked(mm, va);

	while (r != NULL && r->start <= at && !(r->flags & (not | REGION_PATCHES))) {
		if (!force && (r->prot == PROT_NONE || (write && !(r->prot & PROT_WRITE))))
			break;
		/* Not even a debugger writes where the object is not the guest's to change. */
		if (force && write && (r->flags & REGION_SHARED) && !(r->prot & PROT_WRITE))
			break;
		if (force && write)
			r->flags &= ~(uint32_t)(REGION_FRESH | REGION_CLEAN);	/* a debugger's word in memory that nobody else can reach */
		if (r->end >= end)
			return len;
		at = r->end;
		r = region_next(r);
	}
	return at - va;
}

static uint64_t
allowed(struct mm *mm, uint64_t va, uint64_t len, bool write, bool force)
{
	uint64_t n;

	mutex_lock(&mm->mu);
	n = allowed_locked(mm, va, len, write, force, 0);
	mutex_unlock(&mm->mu);
	return n;
}

/*
 * A debugger's word, which may be text: no patched call is there, nor comes to be before it is.  *n: how many of len
 * bytes may be written.
 */
static int64_t
poke(struct mm *mm, uint64_t va, const void *buf, uint64_t len, uint64_t *n)
{
	int64_t got = 0;

	mutex_lock(&mm->mu);
	*n = allowed_locked(mm, va, len, true, true, 0);
	if (*n != 0)
		got = patches_evict(mm, va, va + *n);
	if (*n != 0 && got == 0)
		got = space_write(mm->space, va, buf, *n);
	mutex_unlock(&mm->mu);
	return got;
}

/* Bytes moved: all of len unless the guest may not, or there is nothing. */
static uint64_t
move(struct mm *mm, uint64_t va, void *buf, uint64_t len, bool write, bool force)
{
	uint64_t done = 0;
	unsigned tries = 0;

	if (va >= GUEST_TOP || len == 0)
		return 0;
	len = min(len, GUEST_TOP - va);
	while (done < len && tries < TRIES) {
		char *at = (char *)buf + done;
		int signo, code;
		int64_t got = 0;
		uint64_t n;

		if (write && force) {
			got = poke(mm, va + done, at, len - done, &n);
		} else {
			n = allowed(mm, va + done, len - done, write, force);
			if (n != 0)
				got = write ? space_write(mm->space, va + done, at, n) :
				    space_read(mm->space, va + done, at, n);
		}
		if (got < 0)
			break;
		done += (uint64_t)got;
		if (done == len)
			break;
		/* Something to populate, or a stack to grow? Else the guest's own fault. */
		tries = got > 0 ? 0 : tries + 1;
		if ((n == 0 || (uint64_t)got < n) &&
		    mm_fault(mm, va + done, force ? 0 : write ? PROT_WRITE : PROT_READ, &signo, &code) != 0)
			break;
	}
	return done;
}

/* ---- through the stub -------------------------------------------------------------- */

/* The call in progress on this thread, while the stub may copy for it. */
static __thread struct ctx *call_ctx;
static __thread struct mm *call_mm;

void
usercopy_begin(struct task *t)
{
	call_ctx = t->ctx;
	call_mm = t->mm;
}

void
usercopy_end(void)
{
	call_ctx = NULL;
	call_mm = NULL;
}

void
usercopy_settle(void)
{
	if (call_ctx != NULL)
		ctx_settle(call_ctx);
}

/* The host has it mapped as the guest may write it: nothing but another thread of the guest makes the copy fail. */
static bool
is_writable(struct mm *mm, uint64_t va, size_t len)
{
	uint64_t end, n;

	if (ckd_add(&end, va, len))
		return false;
	mutex_lock(&mm->mu);
	n = allowed_locked(mm, va, len, true, false, REGION_ABSENT);
	mutex_unlock(&mm->mu);
	return n == len;
}

/* Up to len bytes at va from what the stub has copied in: how many. */
static size_t
stub_in_some(struct mm *mm, void *dst, uint64_t va, size_t len)
{
	const void *p;
	size_t n;

	if (mm != call_mm)
		return 0;
	if (ctx_owes(call_ctx, va, len))
		ctx_settle(call_ctx);
	p = ctx_in(call_ctx, va, &n);
	if (p == NULL)
		return 0;
	n = min(n, len);
	memcpy(dst, p, n);
	return n;
}

static bool
stub_in(struct mm *mm, void *dst, uint64_t va, size_t len)
{
	return len != 0 && stub_in_some(mm, dst, va, len) == len;
}

static bool
stub_out(struct mm *mm, uint64_t va, const void *src, size_t len)
{
	return mm == call_mm && len != 0 && is_writable(mm, va, len) && ctx_out(call_ctx, va, src, len);
}

static bool
stub_out_mapped(struct mm *mm, uint64_t va, const void *src, size_t len)
{
	return mm == call_mm && len != 0 && is_writable(mm, va, len) && ctx_out_mapped(call_ctx, va, src, len);
}

static int64_t
some(uint64_t done, uint64_t len)
{
	return done == 0 && len != 0 ? -EFAULT : (int64_t)done;
}

int64_t
copy_in_some(struct mm *mm, void *dst, gaddr_t src, size_t len)
{
	if (stub_in(mm, dst, src.va, len))
		return (int64_t)len;
	return some(move(mm, src.va, dst, len, false, false), len);
}

int64_t
copy_out_some(struct mm *mm, gaddr_t dst, const void *src, size_t len)
{
	if (stub_out(mm, dst.va, src, len))
		return (int64_t)len;
	return some(move(mm, dst.va, (void *)(uintptr_t)src, len, true, false), len);
}

int64_t
copy_out_mapped(struct mm *mm, gaddr_t dst, const void *src, size_t len)
{
	if (stub_out_mapped(mm, dst.va, src, len))
		return (int64_t)len;
	/* The host's own copy ends where there is nothing to read, and raises no signal. */
	return some(move(mm, dst.va, (void *)(uintptr_t)src, len, true, false), len);
}

int64_t
copy_force(struct mm *mm, gaddr_t at, void *buf, size_t len, bool write)
{
	return some(move(mm, at.va, buf, len, write, true), len);
}

int
copy_in(struct task *t, void *dst, gaddr_t src, size_t len)
{
	return stub_in(t->mm, dst, src.va, len) || move(t->mm, src.va, dst, len, false, false) == len ? 0 : -EFAULT;
}

int
copy_out(struct task *t, gaddr_t dst, const void *src, size_t len)
{
	return stub_out(t->mm, dst.va, src, len) ||
	    move(t->mm, dst.va, (void *)(uintptr_t)src, len, true, false) == len ? 0 : -EFAULT;
}

bool
copy_out_frame(struct task *t, gaddr_t at, const void *frame, size_t len, uint64_t fp)
{
	return is_writable(t->mm, at.va, fp + platform_fp_size - at.va) && ctx_frame_out(t->ctx, at.va, frame, len, fp);
}

int
mm_poke(struct mm *mm, uint64_t va, const void *src, size_t len)
{
	return move(mm, va, (void *)(uintptr_t)src, len, true, true) == len ? 0 : -EFAULT;
}

int
mm_clear(struct mm *mm, uint64_t va, size_t len)
{
	for (size_t done = 0; done < len; ) {
		size_t n = min(len - done, sizeof zeroes);
		int err = mm_poke(mm, va + done, zeroes, n);

		if (err)
			return err;
		done += n;
	}
	return 0;
}

/* ---- strings -------------------------------------------------------------------- */

#define STR_FIRST	128	/* most names are shorter: no second page is touched for nothing */

int64_t
copy_in_str(struct task *t, char *dst, gaddr_t src, size_t cap)
{
	size_t done = 0, here = stub_in_some(t->mm, dst, src.va, cap);
	char *end = memchr(dst, '\0', here);

	if (end != NULL)
		return end - dst;
	while (done < cap) {
		uint64_t va = src.va + done;
		size_t n = PAGE_SIZE - (va & ~PAGE_MASK);
		char *nul;
		int64_t got;

		/* Up to the page's end: what lies beyond it may not be there, and need not be. */
		n = min(n, cap - done);
		if (done == 0 && n > STR_FIRST)
			n = STR_FIRST;
		got = copy_in_some(t->mm, dst + done, gaddr_from(va), n);
		if (got < 0)
			return got;
		nul = memchr(dst + done, '\0', (size_t)got);
		if (nul != NULL)
			return nul - dst;
		if ((size_t)got < n)
			return -EFAULT;
		done += n;
	}
	return -ENAMETOOLONG;
}

int
copy_in_path(struct task *t, gaddr_t src, char **out)
{
	char *s = mem_alloc(PATH_MAX);
	int64_t n;

	if (s == NULL)
		return -ENOMEM;
	n = copy_in_str(t, s, src, PATH_MAX);
	if (n < 0) {
		mem_free(s);
		return (int)n;
	}
	*out = s;
	return 0;
}

/* ---- futex words ------------------------------------------------------------------ */

int
user_cas32(struct task *t, gaddr_t at, uint32_t old, uint32_t new, uint32_t *seen)
{
	for (unsigned tries = 0; tries < TRIES; tries++) {
		int signo, code;

		if (at.va >= GUEST_TOP - 4)
			return -EFAULT;
		if (allowed(t->mm, at.va, 4, true, false) == 4 && ctx_cas32(t->ctx, at.va, old, new, seen) == 0)
			return 0;
		if (mm_fault(t->mm, at.va, PROT_WRITE, &signo, &code) != 0)
			return -EFAULT;
	}
	return -EFAULT;
}

/*
 * A bucket is locked, so nothing here may wait for mm->mu (its rank is outside) or fault: -EAGAIN makes the
 * caller unlock, copy_in (which finds out why, or brings the page) and try again.
 */
int
user_read32(struct task *t, gaddr_t at, uint32_t *val, bool locked)
{
	struct mm *mm = t->mm;
	uint64_t n;

	if (at.va >= GUEST_TOP - 4)
		return -EFAULT;
	if (!locked && !mutex_trylock(&mm->mu))
		return -EBUSY;
	n = allowed_locked(mm, at.va, 4, false, false, 0);
	if (!locked)
		mutex_unlock(&mm->mu);
	return n == 4 && space_read(mm->space, at.va, val, 4) == 4 ? 0 : -EAGAIN;
}

int
futex_key_get(struct task *t, gaddr_t at, bool private, struct futex_key *out)
{
	struct mm *mm = t->mm;
	int signo, code, err = 0;

	if (at.va >= GUEST_TOP - 4)
		return -EFAULT;
	*out = (struct futex_key){ .mm = mm, .off = at.va };
	if (private)
		return 0;
	for (unsigned tries = 0; tries < TRIES; tries++) {
		struct region *r;

		mutex_lock(&mm->mu);
		r = mm_find_locked(mm, at.va);
		if (r != NULL && r->prot != PROT_NONE) {
			if ((r->flags & REGION_SHARED) && r->mobj != NULL)
				*out = (struct futex_key){ .obj = r->mobj->id, .off = r->off + (at.va - r->start) };
			mutex_unlock(&mm->mu);
			return 0;
		}
		mutex_unlock(&mm->mu);
		err = mm_fault(mm, at.va, PROT_READ, &signo, &code);
		if (err)
			return err;
	}
	return -EFAULT;
}
