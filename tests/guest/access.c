/* access, faccessat, faccessat2: permissions of root and of others. */
#include "guest.h"

static void
probe(void)
{
	S(access, "f", F_OK);
	S(access, "f", R_OK);
	S(access, "f", W_OK);
	S(access, "f", X_OK);
	S(access, "x", X_OK);
	S(access, "x", R_OK | X_OK);
	S(access, "private/f", F_OK);
	S(access, "listonly/f", F_OK);
	S(access, "searchonly/f", F_OK);
	S(access, "searchonly", R_OK);
	S(access, "group", R_OK);
	S(access, "group", W_OK);
}

int
main(void)
{
	scratch();
	put("f", "");
	chmod("f", 0600);
	put("x", "");
	chmod("x", 0711);
	put("group", "");
	chown("group", 0, 500);
	chmod("group", 0640);
	mkdir("private", 0700);
	put("private/f", "");
	mkdir("listonly", 0755);
	put("listonly/f", "");
	chmod("listonly", 0744);
	mkdir("searchonly", 0755);
	put("searchonly/f", "");
	chmod("searchonly", 0711);
	symlink("none", "dangling");
	probe();
	S(access, "none", F_OK);
	S(access, "f", 8);
	S(access, "none", 8);
	S(access, BAD, F_OK);
	S(access, "", F_OK);
	S(access, "f/x", F_OK);
	S(access, "dangling", F_OK);
	S(faccessat2, AT_FDCWD, "dangling", F_OK, AT_SYMLINK_NOFOLLOW);
	S(faccessat2, AT_FDCWD, "f", F_OK, 0x8000);
	S(faccessat2, AT_FDCWD, "", F_OK, AT_EMPTY_PATH);
	S(faccessat2, -1, "f", F_OK, 0);
	S(faccessat2, -1, "f", 9, 0);
	P("as another: %s", wst(CHILD(
		setgid(600);
		setuid(600);
		probe();
	)));
	P("with the group: %s", wst(CHILD(
		setgid(500);
		setuid(600);
		probe();
	)));
	P("as a group it also has: %s", wst(CHILD(
		gid_t g = 500;
		setgroups(1, &g);
		setgid(600);
		setuid(600);
		S(access, "group", R_OK);
	)));
	/* real against effective id */
	P("real is another: %s", wst(CHILD(
		setgroups(0, NULL);
		setresgid(600, 0, 0);
		setresuid(600, 0, 0);
		S(access, "f", R_OK);
		S(faccessat2, AT_FDCWD, "f", R_OK, AT_EACCESS);
		OK(open, "f", O_RDWR);
	)));
	return 0;
}
