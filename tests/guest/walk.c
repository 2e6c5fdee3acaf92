/* The path walk: loops, long names, slashes, dots, and search permission. */
#include "guest.h"

static void
stat_of(const char *what, const char *path)
{
	struct stat st;
	long r = Q(stat, path, &st);

	P("%s: %s", what, r < 0 ? res(r) : type_of(st.st_mode));
}

int
main(void)
{
	static char big[8192];
	char name[64], to[64];
	struct stat st;

	scratch();
	mkdir("a", 0755);
	mkdir("a/b", 0755);
	put("a/b/f", "f");
	symlink("loop", "loop");
	symlink("two", "one");
	symlink("one", "two");
	symlink("a/b", "ab");
	symlink("a/b/", "abslash");
	symlink("../b/f", "a/b/round");
	symlink("", "empty");
	symlink(".", "dot");
	for (int i = 0; i < 45; i++) {
		snprintf(name, sizeof name, "chain%d", i);
		if (i == 0)
			strcpy(to, "a");
		else
			snprintf(to, sizeof to, "chain%d", i - 1);
		symlink(to, name);
	}
	stat_of("dots", "./a/./b/../b/f");
	stat_of("slashes", "a//b///f");
	stat_of("trailing slash dir", "a/b/");
	stat_of("trailing slashes", "a/b////");
	stat_of("trailing slash file", "a/b/f/");
	stat_of("trailing dot file", "a/b/f/.");
	stat_of("dotdot of file", "a/b/f/..");
	stat_of("dotdot of nothing", "none/..");
	stat_of("above the root", "/../../..");
	stat_of("double slash root", "//");
	stat_of("loop", "loop");
	stat_of("loop inside", "loop/x");
	stat_of("two loop", "one");
	stat_of("link dir", "ab/f");
	stat_of("link dir slash", "ab/");
	stat_of("link with slash", "abslash/f");
	stat_of("round", "a/b/round");
	stat_of("40 links", "chain39");
	stat_of("41 links", "chain40");
	stat_of("39 and one more component", "chain38/b/round");
	stat_of("dot link", "dot/dot/dot/a");
	/* forty links in one path, not nested */
	big[0] = 0;
	for (int i = 0; i < 40; i++)
		strcat(big, "dot/");
	stat_of("40 side by side", big);
	strcat(big, "dot/");
	stat_of("41 side by side", big);
	P("lstat of a loop: %s", look("loop"));
	/* lengths */
	memset(big, '/', 4095);
	big[4095] = 0;
	stat_of("4095 slashes", big);
	big[4095] = '/';
	big[4096] = 0;
	stat_of("4096 slashes", big);
	for (int i = 0; i < 4090; i += 2)
		memcpy(big + i, "./", 2);
	strcpy(big + 4090, "a/b");
	stat_of("long way", big);
	memset(big, 'n', 256);
	big[255] = 0;
	stat_of("255", big);
	big[255] = 'n';
	big[256] = 0;
	stat_of("256", big);
	strcpy(big + 256, "/x");
	stat_of("256 inside", big);
	snprintf(big, sizeof big, "none/%0300d", 1);
	stat_of("none first", big);
	snprintf(big, sizeof big, "a/b/f/%0300d", 1);
	stat_of("not a directory first", big);
	/* a path that ends at the end of memory */
	char *m = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	munmap(m + 4096, 4096);
	memcpy(m + 4096 - 4, "a/b", 4);
	stat_of("at the edge", m + 4096 - 4);
	m[4095] = 'b';
	stat_of("over the edge", m + 4096 - 4);
	/* a tree 60 deep and back */
	for (int i = 0; i < 60; i++) {
		mkdir("deep", 0755);
		chdir("deep");
	}
	big[0] = 0;
	for (int i = 0; i < 60; i++)
		strcat(big, "../");
	strcat(big, "a/b/f");
	stat_of("60 up", big);
	chdir(g_dir);
	/* search permission */
	mkdir("closed", 0700);
	mkdir("closed/in", 0755);
	put("closed/in/f", "");
	chown("closed", 0, 0);
	symlink("closed/in/f", "into");
	P("another: %s", wst(CHILD(
		setgid(600);
		setuid(600);
		S(stat, "closed/in/f", &st);
		S(stat, "closed/none", &st);
		S(stat, "closed", &st);
		S(stat, "closed/.", &st);
		S(stat, "closed/..", &st);
		S(stat, "into", &st);
		S(open, "a/b/f", O_RDWR);
		S(open, "a/b/new", O_CREAT | O_RDWR, 0644);
		S(open, "a/b/f", O_CREAT | O_EXCL, 0644);
	)));
	P("root, without its right to search: %s", wst(CHILD(
		chown("closed", 600, 600);
		setresuid(0, 600, 0);
		S(stat, "closed/in/f", &st);
		setresuid(0, 601, 0);
		S(stat, "closed/in/f", &st);
	)));
	return 0;
}
