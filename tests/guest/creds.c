/* User and group ids: every setter, as root and as another. */
#include "guest.h"
#include <sys/fsuid.h>

static void
ids(const char *what)
{
	uid_t r, e, s;
	gid_t gr, ge, gs;

	getresuid(&r, &e, &s);
	getresgid(&gr, &ge, &gs);
	P("%s: uid %d %d %d gid %d %d %d", what, r, e, s, gr, ge, gs);
}

static void
groups(void)
{
	gid_t g[32];
	int n = getgroups(32, g);
	char line[256] = "";

	for (int i = 0; i < n; i++)
		sprintf(line + strlen(line), " %d", g[i]);
	P("groups%s", line);
}

int
main(void)
{
	gid_t g[3] = { 30, 10, 20 };
	static gid_t many[4096];

	ids("start");
	S(setgroups, 3, g);
	groups();
	S(getgroups, 2, g);
	S(getgroups, 0, NULL);
	S(getgroups, -1, g);
	S(setgroups, 65537, g);
	S(setgroups, 4096, many);
	S(getgroups, 0, NULL);
	S(setgroups, 1, BAD);
	S(setgroups, 0, NULL);
	groups();
	S(setuid, -1);
	S(setgid, -1);
	S(getresuid, BAD, BAD, BAD);
	P("setuid as root: %s", wst(CHILD(S(setuid, 600); ids("now"); S(setuid, 0); S(setuid, 600))));
	P("seteuid: %s", wst(CHILD(S(setreuid, -1, 600); ids("now"); S(setreuid, -1, 0); ids("back"))));
	P("setreuid: %s", wst(CHILD(S(setreuid, 600, 601); ids("now"); S(setreuid, 601, 600); ids("swapped"); S(setreuid, 700, -1))));
	P("saved follows: %s", wst(CHILD(S(setreuid, 600, -1); ids("now"); S(setreuid, -1, 601); ids("then"))));
	P("setresuid: %s", wst(CHILD(
		S(setresuid, 600, 601, 602);
		ids("now");
		S(setresuid, -1, 602, -1);
		S(setresuid, 602, -1, 600);
		ids("then");
		S(setresuid, 603, -1, -1);
		S(setuid, 600);
		ids("setuid picks real or saved");
		S(setuid, 601);
	)));
	P("gids: %s", wst(CHILD(
		S(setresgid, 600, 601, 602);
		ids("now");
		S(setregid, -1, 700);
		ids("root may");
		setuid(600);
		S(setregid, -1, 602);
		S(setregid, -1, 700);
		S(setgid, 600);
		S(setgid, 5);
		S(setgroups, 0, NULL);
		S(setresgid, 1, 1, 1);
		ids("then");
	)));
	P("fsuid: %s", wst(CHILD(
		scratch();
		put("f", "");
		chmod("f", 0600);
		S(setfsuid, 600);
		S(setfsuid, -1);
		OK(open, "f", O_RDONLY);
		S(setfsgid, 601);
		S(setfsgid, -1);
		S(setfsuid, 0);
		S(setfsuid, -1);
		setfsgid(0);
		OK(open, "f", O_RDONLY);
		S(setfsuid, 600);
		seteuid(0);
		S(setfsuid, -1);
		setfsuid(0);
		g_clean();
	)));
	P("dumpable after a change: %s", wst(CHILD(
		P("%s", Q(prctl, 3, 0, 0, 0, 0) == 1 ? "yes" : "no");
		setuid(600);
		P("%s", Q(prctl, 3, 0, 0, 0, 0) == 1 ? "yes" : "no");
	)));
	ids("end");
	return 0;
}
