/* link, symlink, readlink. */
#include "guest.h"

int
main(void)
{
	char buf[64], big[4200];
	int fd;

	scratch();
	put("f", "f");
	mkdir("d", 0755);
	symlink("f", "l");
	symlink("none", "dangling");
	S(link, "f", "h");
	P("%s", look("h"));
	S(link, "f", "h");
	S(link, "none", "x");
	S(link, "d", "x");
	S(link, "f", "none/x");
	S(link, "f", "f/x");
	S(link, "f", "d");
	S(link, "f", "x/");
	S(link, "", "x");
	S(link, "f", "");
	S(link, "f", BAD);
	S(link, "", BAD);
	S(link, "none", BAD);
	S(linkat, -1, "f", AT_FDCWD, BAD, 0);
	S(link, "l", "ll");
	P("a link to the link: %s, nlink of l: %s", look("ll"), look("l"));
	S(link, "dangling", "dd");
	S(linkat, AT_FDCWD, "l", AT_FDCWD, "lf", AT_SYMLINK_FOLLOW);
	P("%s", look("lf"));
	S(linkat, AT_FDCWD, "dangling", AT_FDCWD, "y", AT_SYMLINK_FOLLOW);
	S(linkat, AT_FDCWD, "f", AT_FDCWD, "y", 1);
	S(linkat, -1, "f", AT_FDCWD, "y", 0);
	fd = open("f", O_RDONLY);
	S(linkat, fd, "", AT_FDCWD, "y", 0);
	S(symlink, "f", "l");
	S(symlink, "f", "f/x");
	S(symlink, "", "e");
	S(symlink, "x", "");
	S(symlink, "x", "d/");
	S(symlink, "x", "new/");
	S(symlink, BAD, "e");
	S(symlink, "x", BAD);
	S(symlinkat, "f", -1, "z");
	S(symlink, "f", "d/up");
	P("%s", look("d/up"));
	memset(big, 'a', sizeof big);
	big[4096] = 0;
	S(symlink, big, "big");
	big[4095] = 0;
	for (int i = 200; i < 4095; i += 200)
		big[i] = '/';
	Q(symlink, big, "big");
	S(readlink, "l", buf, sizeof buf);
	P("%s", txt(buf, 1));
	S(readlink, "dangling", buf, 2);
	P("%s", txt(buf, 2));
	S(readlink, "l", buf, 0);
	S(readlink, "l", buf, -1L);
	S(readlink, "f", buf, sizeof buf);
	S(readlink, "d", buf, sizeof buf);
	S(readlink, "none", buf, sizeof buf);
	S(readlink, "f/x", buf, sizeof buf);
	S(readlink, "l/", buf, sizeof buf);
	S(readlink, "", buf, sizeof buf);
	S(readlink, "l", BAD, 4);
	S(readlink, BAD, buf, 4);
	S(readlinkat, -1, "l", buf, sizeof buf);
	S(readlinkat, fd, "", buf, sizeof buf);
	S(chmod, "l", 0600);
	P("%s", look("l"));
	S(unlink, "l");
	P("%s", look("f"));
	return 0;
}
