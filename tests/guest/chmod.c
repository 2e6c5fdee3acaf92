/* chmod, chown, umask: who may, and which bits are lost. */
#include "guest.h"

int
main(void)
{
	int fd, op;

	scratch();
	put("f", "");
	mkdir("d", 0755);
	symlink("f", "l");
	symlink("none", "dangling");
	fd = open("f", O_RDONLY);
	op = open("f", O_PATH);
	S(chmod, "f", 07777);
	P("%s", look("f"));
	S(chmod, "f", 0170640);
	P("%s", look("f"));
	S(chmod, "l", 0600);
	P("%s", look("f"));
	S(chmod, "none", 0);
	S(chmod, "dangling", 0);
	S(chmod, "f/x", 0);
	S(chmod, BAD, 0);
	S(chmod, "", 0);
	S(fchmod, fd, 0444);
	S(fchmod, -1, 0444);
	S(fchmod, op, 0444);
	S(fchmodat, AT_FDCWD, "f", 0400);
	S(fchmodat, -1, "f", 0400);
	S(fchmodat, fd, "f", 0400);
	S(chown, "f", 10, 20);
	P("%s", look("f"));
	S(chown, "f", -1, 30);
	P("%s", look("f"));
	S(chown, "f", -1, -1);
	S(lchown, "l", 5, 6);
	P("%s / %s", look("l"), look("f"));
	S(fchown, fd, 11, -1);
	S(fchown, -1, 1, 1);
	S(fchownat, AT_FDCWD, "l", 7, 8, AT_SYMLINK_NOFOLLOW);
	S(fchownat, AT_FDCWD, "l", 7, 8, 0x40);
	S(fchownat, fd, "", 12, 13, AT_EMPTY_PATH);
	S(fchownat, fd, "", 12, 13, 0);
	S(fchownat, op, "", 14, 15, AT_EMPTY_PATH);
	P("%s / %s", look("l"), look("f"));
	/* chown takes the set-id bits away, but not set-group-id without group execute */
	chmod("f", 06755);
	S(chown, "f", 0, 0);
	P("%s", look("f"));
	chmod("f", 06745);
	S(chown, "f", 0, 0);
	P("%s", look("f"));
	chmod("d", 06755);
	S(chown, "d", 600, 600);
	P("%s", look("d"));
	put("d/in", "");
	mkdir("d/sub", 0755);
	P("group comes from the directory: %s / %s", look("d/in"), look("d/sub"));
	chown("f", 600, 600);
	chmod("f", 0644);
	put("root", "");
	chmod("root", 0666);
	P("owner: %s", wst(CHILD(
		gid_t more = 700;
		setgroups(1, &more);
		setgid(600);
		setuid(600);
		S(chmod, "f", 04755);
		P("%s", look("f"));
		S(chown, "f", 601, -1);
		S(chown, "f", 600, 600);
		P("%s", look("f"));
		S(chown, "f", -1, 700);
		S(chown, "f", -1, 701);
		S(chmod, "f", 02755);
		P("%s", look("f"));
		S(chown, "f", -1, 600);
		S(chmod, "root", 0600);
		S(chown, "root", 600, 600);
		S(chown, "root", -1, -1);
		/* a write by who is not root drops set-user-id */
		chmod("f", 04755);
		int w = open("f", O_WRONLY);
		write(w, "x", 1);
		P("%s", look("f"));
	)));
	S(umask, 0);
	S(umask, 07777);
	S(umask, 022);
	return 0;
}
