/*
 * counters: how guests come to the kernel, as text.
 */
#include "base/strbuf.h"
#include "platform/platform.h"
#include "sentry/syscall/syscall.h"
#include "sentry/mm/mm.h"

void
counters_print(struct strbuf *sb)
{
	struct platform_stats ps;

	platform_get_stats(&ps);
	sb_puts(sb, "counters\n");
#define STAT(name, text)	sb_printf(sb, "  %s: %llu\n", text, (unsigned long long)ps.name);
	PLATFORM_CTX_STATS(STAT)
	PLATFORM_STATS(STAT)
#undef STAT
	patches_print(sb);
}
