/* Every choice of ids for setreuid and its kin, of a user that has three different ones; the group's alike. */
#include "guest.h"

#define IDS	5
static const uint32_t ids[IDS] = { (uint32_t)-1, 11, 12, 13, 14 };

struct kind {
	const char *name;
	long set, set_re, set_res, set_fs, get_res;
};
static const struct kind kinds[] = {
	{ "user", SYS_setuid, SYS_setreuid, SYS_setresuid, SYS_setfsuid, SYS_getresuid },
	{ "group", SYS_setgid, SYS_setregid, SYS_setresgid, SYS_setfsgid, SYS_getresgid },
};

/* In a child: with ids 11, 12, 13 (real, effective, saved), privileged or not, makes the call and tells what became. */
static void
try(const struct kind *k, bool root, long nr, long a, long b, long c)
{
	uint32_t v[3];
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		long ret, fs;

		if (raw6(k->set_res, 11, 12, 13, 0, 0, 0) != 0)
			die("setres");
		/* Group ids need the user's privilege. */
		if (k == &kinds[1] && !root && raw6(SYS_setresuid, 5, 5, 5, 0, 0, 0) != 0)
			die("setresuid");
		ret = raw6(nr, a, b, c, 0, 0, 0);
		fs = raw6(k->set_fs, -1, 0, 0, 0, 0, 0);
		raw6(k->get_res, (long)&v[0], (long)&v[1], (long)&v[2], 0, 0, 0);
		P("%s%s %ld(%d, %d, %d) = %s: %u %u %u, fs %ld", k->name, root ? " root" : "",
		    (long)(nr == k->set ? 1 : nr == k->set_re ? 2 : nr == k->set_res ? 3 : 4), (int)a, (int)b, (int)c, res(ret),
		    v[0], v[1], v[2], fs);
		fflush(stdout);
		_exit(0);
	}
	waitpid(pid, &status, 0);
}

int
main(void)
{
	for (size_t i = 0; i < N_OF(kinds); i++) {
		const struct kind *k = &kinds[i];

		/* A user without id 0 has no privilege; a group's comes from the user. */
		for (int root = 0; root <= (int)i; root++) {
			for (int a = 0; a < IDS; a++) {
				try(k, root, k->set, ids[a], 0, 0);
				try(k, root, k->set_fs, ids[a], 0, 0);
				for (int b = 0; b < IDS; b++) {
					try(k, root, k->set_re, ids[a], ids[b], 0);
					try(k, root, k->set_res, ids[a], ids[b], ids[(a + b) % IDS]);
				}
			}
		}
	}
	return 0;
}
