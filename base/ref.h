/*
 * ref: reference counts, and a census of what is alive.
 *
 * A counted object embeds a struct ref as its very first member.  A put below
 * zero or a get from zero is a BUG.  The last put calls x_release(obj), with no
 * lock of the caller's assumed: drop references after unlocking.
 * A lookup without the lock that keeps the object alive uses x_tryget.
 */
#ifndef BASE_REF_H
#define BASE_REF_H

#include "base/base.h"

enum objtype {
#define OBJTYPE(name)	OBJ_##name,
#include "base/objtypes.def"
#undef OBJTYPE
	OBJ_COUNT
};

struct ref {
	_Atomic uint32_t	count;
	uint32_t		type;
};

void ref_init(struct ref *r, enum objtype type);	/* count 1, census +1 */
void ref_get(struct ref *r);
bool ref_tryget(struct ref *r);
/* True when that was the last one: the caller releases (census -1). */
bool ref_put(struct ref *r);
static inline uint32_t
ref_count(const struct ref *r)
{
	return atomic_load_explicit(&((struct ref *)(uintptr_t)r)->count, memory_order_acquire);
}

/* Live objects of one type, and the type's name. */
uint64_t ref_census(enum objtype type);
const char *ref_typename(enum objtype type);

#define OBJTYPE(x)							\
struct x;								\
void x##_release(struct x *);						\
static inline struct x *						\
x##_get(struct x *o)							\
{									\
	if (o)								\
		ref_get((struct ref *)(void *)o);			\
	return o;							\
}									\
static inline struct x *						\
x##_tryget(struct x *o)							\
{									\
	return o && ref_tryget((struct ref *)(void *)o) ? o : NULL;	\
}									\
static inline void							\
x##_put(struct x *o)							\
{									\
	if (o && ref_put((struct ref *)(void *)o))			\
		x##_release(o);						\
}									\
static inline void							\
x##_autoput(struct x **o)						\
{									\
	x##_put(*o);							\
}
#include "base/objtypes.def"
#undef OBJTYPE

/* AUTO_PUT(file) f = NULL; declares struct file *f, put when the scope ends. */
#define AUTO_PUT(x)	__attribute__((cleanup(x##_autoput))) struct x *

#endif
