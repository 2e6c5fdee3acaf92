/* Programs with set-user-id and set-group-id bits. */
#include "guest.h"
#include <sys/auxv.h>
#include <sys/prctl.h>

int
main(int argc, char **argv)
{
	uid_t r, e, s;
	gid_t gr, ge, gs;

	if (argc > 1) {
		getresuid(&r, &e, &s);
		getresgid(&gr, &ge, &gs);
		P("  %s: uid %d %d %d gid %d %d %d secure %lu dumpable %d pdeathsig %s", argv[1], r, e, s, gr, ge, gs,
		    getauxval(AT_SECURE), prctl(PR_GET_DUMPABLE) == 1, "-");
		return 0;
	}
	scratch();
	copy_self("plain", 0755, 0, 0);
	copy_self("suid", 04755, 700, 0);
	copy_self("sgid", 02755, 0, 701);
	copy_self("both", 06755, 700, 701);
	copy_self("lock", 02745, 0, 701);
	copy_self("root", 04755, 0, 0);
	const char *names[] = { "plain", "suid", "sgid", "both", "lock", "root" };
	for (size_t i = 0; i < N_OF(names); i++)
		P("%s by root: %s", names[i], wst(CHILD(execl(names[i], "x", names[i], NULL))));
	for (size_t i = 0; i < N_OF(names); i++)
		P("%s by 600: %s", names[i], wst(CHILD(setgroups(0, NULL); setgid(600); setuid(600); execl(names[i], "x", names[i], NULL);
		    P("%s", err_name(errno)))));
	P("no_new_privs: %s", wst(CHILD(setgid(600); setuid(600); prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); execl("both", "x", "both", NULL))));
	return 0;
}
