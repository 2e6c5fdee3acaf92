/*
 * marshal: from the argument kinds of each call, what the stub copies in and out for it.
 *
 * A word for each call (platform.h), made once at boot.  Two arguments at most: the rest, and what is too long or
 * not there, the sentry reaches itself, with the same outcome.
 */
#include "platform/platform.h"
#include "sentry/syscall/table.h"

#define RESULT		0x8000
#define LOCK		0x4000
#define STAYS		0
#define STRING		MARSHAL_STRING
#define BYTES		MARSHAL_BYTES
#define FIXED(n)	(MARSHAL_FIXED | (n) << 2)

static const uint16_t travels[KIND_COUNT] = {
#define ARGKIND(kind, type, when, fmt, travel)	[KIND_##kind] = travel,
#include "sentry/syscall/argkinds.def"
#undef ARGKIND
};

static uint32_t
word_of(const struct syscall_desc *d)
{
	uint32_t word = 0;
	unsigned n = 0;

	for (unsigned i = 0; i < d->nargs; i++) {
		unsigned t = travels[d->kind[i]], kind = t & 3;

		if (t & RESULT)
			word |= MARSHAL_RESULTS;
		if (kind == MARSHAL_NONE || n == 2)
			continue;
		word |= (MARSHAL_IN(kind, i, kind == MARSHAL_BYTES ? i + 1 : (t & ~(RESULT | LOCK)) >> 2) |
		    (t & LOCK ? MARSHAL_LOCK : 0)) << n * MARSHAL_SECOND;
		n++;
	}
	return word;
}

const uint32_t *
syscall_marshal(unsigned *n)
{
	static uint32_t words[SYSCALL_LIMIT];

	for (unsigned nr = 0; nr < SYSCALL_LIMIT; nr++)
		words[nr] = syscall_table[nr].fn != NULL ? word_of(&syscall_table[nr]) : 0;
	*n = SYSCALL_LIMIT;
	return words;
}
