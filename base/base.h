/*
 * base: names every process of Village relies on.
 *
 * Nothing here has state.  A function that can fail returns 0 or a count on
 * success and -errno on failure, and is MUST_CHECK.
 */
#ifndef BASE_BASE_H
#define BASE_BASE_H

#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <asm/errno.h>

#define MUST_CHECK	__attribute__((warn_unused_result))
#define NORETURN	__attribute__((noreturn))
#define PRINTF(f, a)	__attribute__((format(printf, f, a)))
#define UNUSED		__attribute__((unused))
#define ALIGNED(n)	__attribute__((aligned(n)))
#define likely(x)	__builtin_expect(!!(x), 1)
#define unlikely(x)	__builtin_expect(!!(x), 0)

#define ARRAY_LEN(a)	(sizeof(a) / sizeof((a)[0]))

#define container_of(ptr, type, member) ({				\
	const __typeof__(((type *)0)->member) *mptr_ = (ptr);		\
	(type *)((char *)(uintptr_t)mptr_ - offsetof(type, member)); })

#define min(a, b) ({ __typeof__(a) a_ = (a); __typeof__(b) b_ = (b); a_ < b_ ? a_ : b_; })
#define max(a, b) ({ __typeof__(a) a_ = (a); __typeof__(b) b_ = (b); a_ > b_ ? a_ : b_; })

/* Checked arithmetic for every number a stranger supplied: true means it overflowed. */
#define ckd_add(r, a, b)	__builtin_add_overflow((a), (b), (r))
#define ckd_sub(r, a, b)	__builtin_sub_overflow((a), (b), (r))
#define ckd_mul(r, a, b)	__builtin_mul_overflow((a), (b), (r))

#define PAGE_SHIFT	12
#define PAGE_SIZE	4096ULL
#define PAGE_MASK	(~(PAGE_SIZE - 1))
#define page_down(x)	((uint64_t)(x) & PAGE_MASK)
/* Wraps to 0 within a page of 2^64: check the input first. */
#define page_up(x)	(((uint64_t)(x) + PAGE_SIZE - 1) & PAGE_MASK)
#define round_up(x, n)	(((x) + (n) - 1) / (n) * (n))	/* not for guest numbers */

#define NSEC_PER_SEC	1000000000ULL

/*
 * BUG_ON is in every build.  It reports and ends the process (base/log.c), and
 * must be unreachable from guest input.  WARN_ONCE is for the merely odd.
 */
void bug(const char *file, int line, const char *what) NORETURN;
void warn(const char *file, int line, const char *what);
#define BUG_ON(cond) do {						\
	if (unlikely(cond))						\
		bug(__FILE__, __LINE__, #cond);				\
} while (0)
#define WARN_ONCE(cond) do {						\
	static atomic_bool warned_;					\
	if (unlikely(cond) && !atomic_exchange(&warned_, true))		\
		warn(__FILE__, __LINE__, #cond);			\
} while (0)

/* Scoped clean-up; steal() hands the resource on. */
void auto_free(void *pp);		/* void **, as the attribute gives it */
void auto_close(const int *fd);
#define AUTO_FREE	__attribute__((cleanup(auto_free)))
#define AUTO_CLOSE	__attribute__((cleanup(auto_close)))
#define steal(pp) ({ __typeof__(*(pp)) v_ = *(pp); *(pp) = NULL; v_; })
#define steal_fd(pp) ({ int v_ = *(pp); *(pp) = -1; v_; })

/* Checked by clang -Wthread-safety (make tidy); nothing to gcc. */
#if defined(__clang__)
#define CAPABILITY	__attribute__((capability("mutex")))
#define ACQUIRE(...)	__attribute__((acquire_capability(__VA_ARGS__)))
#define RELEASE(...)	__attribute__((release_capability(__VA_ARGS__)))
#define REQUIRES(...)	__attribute__((requires_capability(__VA_ARGS__)))
#define NO_LOCK_CHECK	__attribute__((no_thread_safety_analysis))
#else
#define CAPABILITY
#define ACQUIRE(...)
#define RELEASE(...)
#define REQUIRES(...)
#define NO_LOCK_CHECK
#endif

#endif
