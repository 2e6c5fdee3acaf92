/*
 * usercopy: the only way to guest memory.
 *
 * Every function checks the guest's own regions for permission, populates what the
 * sentry has yet to map, and moves bytes through the space.  No lock may be held: a copy can
 * fault, and a fault takes mm and an object.  Read guest memory once.
 */
#ifndef SENTRY_MM_USERCOPY_H
#define SENTRY_MM_USERCOPY_H

#include "abi/gaddr.h"
#include "base/base.h"

struct task;
struct mm;

/*
 * From begin to end of a call of t's: what its stub has copied in is taken from there, and results may be left to it
 * (ctx_in, ctx_out).  usercopy_settle: results that are still to come are written now; before a task sleeps, and
 * whenever somebody else is to see them.
 */
void usercopy_begin(struct task *t);
void usercopy_end(void);
void usercopy_settle(void);

/* All or nothing as the caller sees it: 0 or -EFAULT (-EFAULT may leave part of dst written). */
int copy_in(struct task *t, void *dst, gaddr_t src, size_t len) MUST_CHECK;
int copy_out(struct task *t, gaddr_t dst, const void *src, size_t len) MUST_CHECK;
/* A signal frame of t's with the FP image above it (ctx_frame_out); false: copy_out has to do it. */
bool copy_out_frame(struct task *t, gaddr_t at, const void *frame, size_t len, uint64_t fp) MUST_CHECK;
/* As far as it goes: bytes moved, or -EFAULT when none. */
int64_t copy_in_some(struct mm *mm, void *dst, gaddr_t src, size_t len) MUST_CHECK;
int64_t copy_out_some(struct mm *mm, gaddr_t dst, const void *src, size_t len) MUST_CHECK;
/* src is a mapped file (base/mapcopy.h): where it has ended counts as a fault of dst, and the caller has to find out. */
int64_t copy_out_mapped(struct mm *mm, gaddr_t dst, const void *src, size_t len) MUST_CHECK;
/* A debugger's or /proc/PID/mem's access: ignores guest protections (not holes). */
int64_t copy_force(struct mm *mm, gaddr_t at, void *buf, size_t len, bool write) MUST_CHECK;
/*
 * A NUL-terminated string into dst[cap]: its length without NUL; -EFAULT; -ENAMETOOLONG when
 * cap bytes hold no NUL.
 */
int64_t copy_in_str(struct task *t, char *dst, gaddr_t src, size_t cap) MUST_CHECK;

/* A path argument: at most PATH_MAX with NUL. mem_free it (AUTO_FREE). -ENAMETOOLONG, -EFAULT, -ENOMEM. "" is allowed. */
int copy_in_path(struct task *t, gaddr_t src, char **out) MUST_CHECK;

/* Atomic on guest memory: *seen is the old value; swapped when it equals old. -EFAULT. */
int user_cas32(struct task *t, gaddr_t at, uint32_t old, uint32_t new, uint32_t *seen) MUST_CHECK;
/*
 * A futex word, read with its bucket locked.  -EAGAIN: it is not resident; unlock, copy_in once, try again.  -EBUSY: somebody has mm->mu, which cannot be
 * waited for below a bucket; locked: the caller has taken it before that.
 */
int user_read32(struct task *t, gaddr_t at, uint32_t *val, bool locked) MUST_CHECK;

/*
 * Identity of the memory behind a futex word: private (mm, address) or shared (number of the mobj, offset).  A key may
 * outlive the object, whose number is never another's, but not the mm: who keeps it counts one that is not its own.
 */
struct futex_key { struct mm *mm; uint64_t obj, off; };
static inline bool
futex_key_equal(const struct futex_key *a, const struct futex_key *b)
{
	return a->mm == b->mm && a->obj == b->obj && a->off == b->off;
}
int futex_key_get(struct task *t, gaddr_t at, bool private, struct futex_key *out) MUST_CHECK;

/* Typed: gp is a gp_T, obj a struct abi_T *. */
#define gp_check_(gp, obj)						\
	_Static_assert(__builtin_types_compatible_p(__typeof__(*(obj)),	\
	    __typeof__(**(gp).tag)), "object and guest pointer disagree")
#define put_obj(t, gp, obj) ({ gp_check_(gp, obj); copy_out((t), (gp).a, (obj), sizeof *(obj)); })
#define get_obj(t, gp, obj) ({ gp_check_(gp, obj); copy_in((t), (obj), (gp).a, sizeof *(obj)); })
#define put_u32(t, g, v) ({ uint32_t pv_ = (v); copy_out((t), (g), &pv_, 4); })
#define put_u64(t, g, v) ({ uint64_t pv_ = (v); copy_out((t), (g), &pv_, 8); })

#endif
