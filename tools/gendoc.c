/* gendoc: prints docs/syscalls.md from sentry/syscall/syscalls.def. */
#include <stdio.h>

struct row { int nr; const char *name, *support, *note; };

static const struct row rows[] = {
#define SYSCALL(nr, name, n, support, note, ...)	{ nr, #name, #support, note },
#define NOSYS(nr, name, reason, note)			{ nr, #name, #reason, note },
#include "sentry/syscall/syscalls.def"
#undef SYSCALL
#undef NOSYS
};

static int
is(const struct row *r, const char *support)
{
	const char *a = r->support;

	while (*a && *a == *support)
		a++, support++;
	return *a == *support;
}

static void
section(const char *title, const char *text, const char *const *kinds)
{
	printf("\n## %s\n\n%s\n\n| number | name | support | note |\n| ---: | --- | --- | --- |\n", title, text);
	for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		for (const char *const *k = kinds; *k; k++) {
			if (is(&rows[i], *k))
				printf("| %d | `%s` | %s | %s |\n", rows[i].nr, rows[i].name, rows[i].support,
				    rows[i].note);
		}
	}
}

int
main(void)
{
	static const char *const provided[] = { "FULL", "PARTIAL", "STUB", NULL };
	static const char *const missing[] = { "LATER", "UNSAFE", "PRIVILEGED", "OBSOLETE", NULL };
	unsigned n[2] = { 0, 0 };

	for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++)
		n[is(&rows[i], "FULL") || is(&rows[i], "PARTIAL") || is(&rows[i], "STUB")]++;
	printf("# System calls\n\nMade by `tools/gendoc.c` from `sentry/syscall/syscalls.def`; do not edit.\n\n");
	printf("Of %u calls of x86-64, %u are provided and %u are not.\n", n[0] + n[1], n[1], n[0]);
	section("Provided",
	    "FULL: as Linux, as far as our tests go. PARTIAL: the note says what is missing. "
	    "STUB: succeeds without effect, and the note says why that is safe.", provided);
	section("Not provided",
	    "LATER, UNSAFE and OBSOLETE calls answer ENOSYS, PRIVILEGED ones EPERM, as they do in a container without "
	    "the capability. `village do --report` lists those that a program asked for.", missing);
	return 0;
}
