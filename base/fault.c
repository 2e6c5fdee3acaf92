/* fault: failures on demand; see fault.h. */
#include "base/fault.h"

#ifndef NDEBUG
#include <stdlib.h>
#include <string.h>

static _Atomic int64_t left[FAULT_SITES];	/* to go; 0: not armed */
static _Atomic uint64_t passed[FAULT_SITES];
static atomic_bool armed;

int
fault_arm(const char *text)
{
	static const char *const names[FAULT_SITES] = { [FAULT_ALLOC] = "alloc:", [FAULT_HOST] = "host:" };
	char *end;

	for (unsigned i = 0; i < FAULT_SITES; i++) {
		atomic_store(&left[i], 0);
		atomic_store(&passed[i], 0);
	}
	atomic_store(&armed, false);
	if (text == NULL)
		return 0;
	for (unsigned i = 0; i < FAULT_SITES; i++) {
		size_t n = strlen(names[i]);
		long long v;

		if (strncmp(text, names[i], n) != 0)
			continue;
		v = strtoll(text + n, &end, 10);
		if (end == text + n || *end != '\0' || v < 0)
			return -EINVAL;
		atomic_store(&left[i], v);
		atomic_store(&armed, true);
		return 0;
	}
	return -EINVAL;
}

bool
fault_here(enum fault_site site)
{
	if (!atomic_load_explicit(&armed, memory_order_relaxed))
		return false;
	atomic_fetch_add_explicit(&passed[site], 1, memory_order_relaxed);
	return atomic_fetch_sub(&left[site], 1) == 1;
}

uint64_t
fault_count(enum fault_site site)
{
	return atomic_load(&passed[site]);
}
#endif
