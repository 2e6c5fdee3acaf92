/*
 * gaddr: an address in a guest.
 *
 * A type of its own, so that C will not follow, index or add to it.  Only
 * sentry/mm opens the struct (lint); everyone else passes it to usercopy.h.
 */
#ifndef ABI_GADDR_H
#define ABI_GADDR_H

#include <stdint.h>

typedef struct { uint64_t va; } gaddr_t;

/* Declares gp_T, a guest pointer to struct abi_T; the tag has no storage. */
#define GPTR(T) typedef struct { gaddr_t a; struct abi_##T *tag[0]; } gp_##T

#define gaddr_is_null(g)	((g).va == 0)
#define GADDR_NULL		((gaddr_t){ 0 })
static inline gaddr_t
gaddr_from(uint64_t raw)
{
	return (gaddr_t){ raw };
}
/* For reports and /proc only. */
static inline uint64_t
gaddr_raw(gaddr_t g)
{
	return g.va;
}
/* g plus a byte offset; wraps like the guest's own arithmetic, the copy then faults. */
static inline gaddr_t
gaddr_add(gaddr_t g, uint64_t n)
{
	return (gaddr_t){ g.va + n };
}

#endif
