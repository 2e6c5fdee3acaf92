/* ref: reference counts and the census; see ref.h. */
#include "base/ref.h"

static _Atomic uint64_t census[OBJ_COUNT];

static const char *const type_names[OBJ_COUNT] = {
#define OBJTYPE(name)	[OBJ_##name] = #name,
#include "base/objtypes.def"
#undef OBJTYPE
};

void
ref_init(struct ref *r, enum objtype type)
{
	atomic_init(&r->count, 1);
	r->type = type;
	atomic_fetch_add_explicit(&census[type], 1, memory_order_relaxed);
}

void
ref_get(struct ref *r)
{
	uint32_t old = atomic_fetch_add_explicit(&r->count, 1, memory_order_relaxed);

	/* The upper half is never reached by honest counting: catch a wrap long before it frees a live object. */
	BUG_ON(old == 0 || old > UINT32_MAX / 2);
}

bool
ref_tryget(struct ref *r)
{
	uint32_t old = atomic_load_explicit(&r->count, memory_order_relaxed);

	while (old != 0) {
		BUG_ON(old > UINT32_MAX / 2);
		if (atomic_compare_exchange_weak_explicit(&r->count, &old, old + 1,
		    memory_order_acquire, memory_order_relaxed))
			return true;
	}
	return false;
}

bool
ref_put(struct ref *r)
{
	uint32_t old = atomic_fetch_sub_explicit(&r->count, 1, memory_order_acq_rel);

	BUG_ON(old == 0 || old > UINT32_MAX / 2);
	if (old != 1)
		return false;
	atomic_fetch_sub_explicit(&census[r->type], 1, memory_order_relaxed);
	return true;
}

uint64_t
ref_census(enum objtype type)
{
	return atomic_load_explicit(&census[type], memory_order_relaxed);
}

const char *
ref_typename(enum objtype type)
{
	return type_names[type];
}
