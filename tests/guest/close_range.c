/* close(2) and close_range(2). */
#include "guest.h"

static void
which(const char *when)
{
	char b[64] = "";

	for (int i = 3; i < 20; i++) {
		int f = fcntl(i, F_GETFD);

		if (f >= 0)
			snprintf(b + strlen(b), 8, " %d%s", i, f ? "c" : "");
	}
	P("%s:%s", when, b);
}

int
main(void)
{
	S(close, -1);
	S(close, 500);
	for (int i = 3; i < 12; i++)
		dup2(1, i);
	which("open");
	S(close, 5);
	S(close, 5);
	which("closed 5");
	S(close_range, 6, 5, 0);
	S(close_range, 6, 7, 8);
	S(close_range, 6, 7, CLOSE_RANGE_CLOEXEC);
	which("cloexec 6 7");
	S(close_range, 9, ~0U, 0);
	which("closed 9 up");
	S(close_range, 1000, 2000, 0);
	P("unshare: %s", wst(CHILD(
		S(close_range, 3, ~0U, CLOSE_RANGE_UNSHARE);
		which("child");
	)));
	which("parent");
	S(close_range, 3, 4, CLOSE_RANGE_UNSHARE | CLOSE_RANGE_CLOEXEC);
	which("cloexec 3 4");
	return 0;
}
