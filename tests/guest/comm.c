/* A task's name with what ends lines in it, as the texts of /proc have it. */
#include "guest.h"

#include <sys/prctl.h>

/* The first n lines, what ends them made visible. */
static void
show_lines(const char *path, int lines)
{
	char text[4096], seen[512];
	int fd = open(path, O_RDONLY);
	ssize_t n = read(fd, text, sizeof text - 1);
	size_t at = 0;

	close(fd);
	if (n <= 0)
		die("%s", path);
	text[n] = '\0';
	for (char *c = text; *c != '\0' && lines > 0 && at < sizeof seen - 8; c++) {
		if (*c == '\n') {
			lines--;
			at += (size_t)sprintf(seen + at, "<nl>");
		} else if ((unsigned char)*c < 32) {
			at += (size_t)sprintf(seen + at, "<%d>", *c);
		} else {
			seen[at++] = *c;
		}
	}
	seen[at] = '\0';
	P("%s: %s", path, seen);
}

int
main(void)
{
	static const char *const names[] = { "plain", "a\nUid:\t0", "back\\slash", "\001\033[1m\t)", "0123456789abcdefgh", "" };

	for (size_t i = 0; i < N_OF(names); i++) {
		char got[17] = "";

		T(prctl(PR_SET_NAME, names[i]));
		T(prctl(PR_GET_NAME, got));
		P("%zu bytes", strlen(got));
		show_lines("/proc/self/status", 1);
		show_lines("/proc/self/comm", 9);
	}
	return 0;
}
