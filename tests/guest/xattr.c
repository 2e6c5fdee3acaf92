/* Extended attributes of the user and trusted families. */
#include "guest.h"
#include <sys/xattr.h>

static int
by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* The list, without what a security module may add. */
static void
names(const char *path)
{
	char buf[1024], *v[32], line[512] = "";
	ssize_t n = listxattr(path, buf, sizeof buf);
	int c = 0;

	for (ssize_t at = 0; at < n; at += strlen(buf + at) + 1) {
		if (strncmp(buf + at, "user.", 5) == 0)
			v[c++] = buf + at;
	}
	qsort(v, c, sizeof *v, by_text);
	for (int i = 0; i < c; i++)
		sprintf(line + strlen(line), " %s", v[i]);
	P("names:%s", line);
}

int
main(void)
{
	char buf[64], longname[300];
	int fd, ro;

	scratch();
	put("f", "");
	mkdir("d", 0755);
	symlink("f", "l");
	mkfifo("p", 0644);
	if (setxattr("f", "user.try", "1", 1, 0) < 0 && errno == EOPNOTSUPP)
		skip("no user attributes on this filesystem");
	removexattr("f", "user.try");
	fd = open("f", O_RDWR);
	ro = open("f", O_RDONLY);
	S(getxattr, "f", "user.a", buf, sizeof buf);
	S(setxattr, "f", "user.a", "value", 5, 0);
	S(setxattr, "f", "user.b", "", 0, XATTR_CREATE);
	S(setxattr, "f", "user.b", "", 0, XATTR_CREATE);
	S(setxattr, "f", "user.c", "", 0, XATTR_REPLACE);
	S(setxattr, "f", "user.a", "other", 5, XATTR_REPLACE);
	S(setxattr, "f", "user.a", "x", 1, 3);
	S(setxattr, "f", "user.a", "x", 1, 4);
	S(setxattr, "f", "user.", "x", 1, 0);
	S(setxattr, "f", "", "x", 1, 0);
	S(setxattr, "f", "plain", "x", 1, 0);
	S(setxattr, "f", "nofamily.x", "x", 1, 0);
	S(setxattr, "f", "user.big", buf, 65537, 0);
	S(setxattr, "f", BAD, "x", 1, 0);
	S(setxattr, "f", "user.a", BAD, 1, 0);
	S(setxattr, "none", "user.a", "x", 1, 0);
	memset(longname, 'n', sizeof longname);
	memcpy(longname, "user.", 5);
	longname[256] = 0;
	S(setxattr, "f", longname, "x", 1, 0);
	names("f");
	S(getxattr, "f", "user.a", buf, sizeof buf);
	P("%s", txt(buf, 5));
	S(getxattr, "f", "user.a", NULL, 0);
	S(getxattr, "f", "user.a", buf, 4);
	S(getxattr, "f", "user.b", buf, 4);
	S(getxattr, "f", "user.none", buf, 4);
	S(getxattr, "f", "nofamily.x", buf, 4);
	S(fgetxattr, fd, "user.a", buf, sizeof buf);
	S(fgetxattr, -1, "user.a", buf, sizeof buf);
	S(fsetxattr, ro, "user.ro", "r", 1, 0);
	S(lgetxattr, "l", "user.a", buf, sizeof buf);
	S(getxattr, "l", "user.a", buf, sizeof buf);
	S(lsetxattr, "l", "user.a", "x", 1, 0);
	S(setxattr, "p", "user.a", "x", 1, 0);
	S(setxattr, "d", "user.a", "x", 1, 0);
	S(listxattr, "f", buf, 3);
	S(removexattr, "f", "user.b");
	S(removexattr, "f", "user.b");
	S(fremovexattr, fd, "user.ro");
	names("f");
	rename("f", "g");
	names("g");
	chmod("g", 0444);
	P("another: %s", wst(CHILD(
		setgid(600);
		setuid(600);
		S(getxattr, "g", "user.a", buf, sizeof buf);
		S(setxattr, "g", "user.a", "x", 1, 0);
		S(setxattr, "g", "trusted.a", "x", 1, 0);
		S(getxattr, "g", "trusted.a", buf, sizeof buf);
		S(removexattr, "g", "user.a");
	)));
	return 0;
}
