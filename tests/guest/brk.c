/* brk(2). */
#include "guest.h"

int
main(void)
{
	char *start = (char *)Q(brk, 0), *end;
	struct rlimit rl;

	P("page aligned or not, it stays: %s", (char *)Q(brk, 0) == start ? "yes" : "no");
	P("too low: %s", (char *)Q(brk, 1) == start ? "unchanged" : "?");
	P("too high: %s", (char *)Q(brk, 1L << 46) == start || (char *)Q(brk, -1L) == start ? "unchanged" : "?");
	end = (char *)Q(brk, start + 100000);
	P("grown: %s", end == start + 100000 ? "exactly" : "?");
	P("zero: %d %d", start[99999], start[50000]);
	memset(start, 'x', 100000);
	P("shrunk: %s", (char *)Q(brk, start + 50000) == start + 50000 ? "exactly" : "?");
	P("grown again: %s", (char *)Q(brk, start + 100000) == start + 100000 ? "exactly" : "?");
	P("old kept %c, new %d", start[49999], start[90000]);
	char *after = (char *)Q(brk, start + 100000);
	P("child: %s", wst(CHILD(
		P("same %s, content %c", (char *)Q(brk, 0) == after ? "yes" : "no", start[0]);
		Q(brk, start + 200000);
		start[0] = 'c';
		start[199999] = 1;
	)));
	P("parent: same %s, content %c", (char *)Q(brk, 0) == after ? "yes" : "no", start[0]);
	/* something in the way */
	char *wall = (char *)(((uintptr_t)after + 8 * 4096) & ~4095UL);
	mmap(wall, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	P("into the wall: %s", (char *)Q(brk, wall + 1) == after ? "unchanged" : "?");
	P("up to the wall: %s", (char *)Q(brk, wall) == wall ? "exactly" : "unchanged");
	munmap(wall, 4096);
	/* the data limit */
	getrlimit(RLIMIT_DATA, &rl);
	rl.rlim_cur = 1 << 20;
	setrlimit(RLIMIT_DATA, &rl);
	after = (char *)Q(brk, 0);
	P("over RLIMIT_DATA: %s", (char *)Q(brk, after + (8 << 20)) == after ? "unchanged" : "?");
	P("back to the start: %s", (char *)Q(brk, start) == start ? "exactly" : "?");
	P("below the start: %s", (char *)Q(brk, start - 4096 * 4096) == start ? "unchanged" : "?");
	return 0;
}
