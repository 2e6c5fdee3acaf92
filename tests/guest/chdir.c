/* chdir, fchdir, getcwd, chroot. */
#include "guest.h"

static const char *
below(const char *cwd)
{
	size_t n = strlen(g_dir);

	return strncmp(cwd, g_dir, n) == 0 ? cwd + n : cwd;
}

static void
where(void)
{
	char cwd[4200];
	long r = Q(getcwd, cwd, sizeof cwd);

	P("cwd %s, length right %s", r < 0 ? res(r) : below(cwd), r == (long)strlen(cwd) + 1 ? "yes" : "no");
}

int
main(void)
{
	char cwd[256];
	int fd, d;

	scratch();
	mkdir("a", 0755);
	mkdir("a/b", 0755);
	put("f", "");
	symlink("a/b", "l");
	mkdir("closed", 0700);
	S(chdir, "none");
	S(chdir, "f");
	S(chdir, "");
	S(chdir, BAD);
	S(chdir, "a/b");
	where();
	S(chdir, "../..");
	S(chdir, "l");
	where();
	S(chdir, "..");
	where();
	S(chdir, g_dir);
	fd = open("f", O_RDONLY);
	d = open("a", O_RDONLY);
	S(fchdir, fd);
	S(fchdir, -1);
	S(fchdir, d);
	where();
	S(getcwd, cwd, 0);
	S(getcwd, cwd, 3);
	S(getcwd, NULL, 100);
	S(getcwd, BAD, 100);
	chdir(g_dir);
	mkdir("long", 0755);
	rename("a", "long/a");
	where();
	P("moved: %s", wst(CHILD(chdir("long/a/b"); rename("../../../long", "../../../short"); where())));
	chdir("short/a/b");
	rename("../../../short", "../../../longer");
	where();
	rmdir("../b");
	where();
	S(chdir, ".");
	chdir(g_dir);
	/* the cwd belongs to the process, threads share it; a forked child has its own */
	P("child: %s", wst(CHILD(chdir("/"); where())));
	where();
	P("unprivileged: %s", wst(CHILD(
		setgid(600);
		setuid(600);
		S(chdir, "closed");
		S(chroot, ".");
	)));
	P("chroot: %s", wst(CHILD(
		mkdir("jail", 0755);
		mkdir("jail/in", 0755);
		put("jail/in/f", "");
		put("jail/mark", "");
		symlink("/mark", "jail/abs");
		S(chroot, "none");
		S(chroot, "f");
		S(chroot, "jail");
		char c2[256];
		OK(getcwd, c2, sizeof c2);
		P("%s", strncmp(c2, "(unreachable)", 13) == 0 ? "unreachable" : "reachable");
		S(access, "/mark", F_OK);
		S(access, "/../../mark", F_OK);
		S(access, "/abs", F_OK);
		S(access, "f", F_OK);
		S(chdir, "/");
		where();
		S(access, "../../f", F_OK);
		S(chdir, "in");
		where();
		S(access, "../../../mark", F_OK);
	)));
	return 0;
}
