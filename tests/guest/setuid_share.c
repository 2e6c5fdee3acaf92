/* What a program gains by being executed, and what keeps it from gaining it: CLONE_FS, no_new_privs; personality(2) with it. */
#include "guest.h"
#include <linux/capability.h>
#include <sys/auxv.h>
#include <sys/personality.h>
#include <sys/prctl.h>

#define STACK	65536

static void
caps_get(struct __user_cap_data_struct d[2])
{
	struct __user_cap_header_struct h = { .version = _LINUX_CAPABILITY_VERSION_3 };

	Q(capget, &h, d);
}

static void
caps_drop(void)
{
	struct __user_cap_header_struct h = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct none[2] = { { 0, 0, 0 }, { 0, 0, 0 } };

	S(capset, &h, none);
}

static void
tell(const char *what)
{
	struct __user_cap_data_struct d[2];
	uid_t r, e, s;
	gid_t gr, ge, gs;

	getresuid(&r, &e, &s);
	getresgid(&gr, &ge, &gs);
	caps_get(d);
	P("  %s: uid %d %d %d gid %d %d %d permitted %s effective %s secure %lu dumpable %d fixed %d", what, r, e, s, gr, ge, gs,
	    d[0].permitted ? "some" : "none", d[0].effective ? "some" : "none", getauxval(AT_SECURE),
	    prctl(PR_GET_DUMPABLE) == 1, (personality(0xffffffff) & ADDR_NO_RANDOMIZE) != 0);
}

static int
sleeper(void *fd)
{
	char c;

	read(*(int *)fd, &c, 1);
	return 0;
}

/* In a child of its own, as user `uid`, with a process beside it that shares what flags say. */
static void
beside(const char *what, uid_t uid, int flags, const char *program)
{
	static char stack[STACK] __attribute__((aligned(16)));
	int p[2], status;
	pid_t pid = fork(), other = 0;

	if (pid == 0) {
		pipe2(p, O_CLOEXEC);
		setgroups(0, NULL);
		if (uid != 0 && (setresgid(uid, uid, uid) || setresuid(uid, uid, uid)))
			die("setresuid");
		prctl(PR_SET_PDEATHSIG, 0);
		if (flags >= 0)
			other = clone(sleeper, stack + STACK, flags | SIGCHLD, &p[0]);
		(void)other;
		execl(program, program, what, NULL);
		_exit(99);
	}
	waitpid(pid, &status, 0);
	P("%s: status %d", what, WEXITSTATUS(status));
}

int
main(int argc, char **argv)
{
	if (argc > 1) {
		tell(argv[1]);
		return 0;
	}
	scratch();
	copy_self("plain", 0755, 0, 0);
	copy_self("suid", 04755, 700, 0);
	copy_self("sgid", 02755, 0, 701);
	copy_self("root", 04755, 0, 0);
	chmod(".", 0755);
	beside("alone", 600, -1, "root");
	beside("beside another", 600, 0, "root");
	beside("sharing fs", 600, CLONE_FS, "root");
	beside("sharing files", 600, CLONE_FILES, "root");
	beside("suid, sharing fs", 600, CLONE_FS, "suid");
	beside("sgid, sharing fs", 600, CLONE_FS, "sgid");
	beside("plain, sharing fs", 600, CLONE_FS, "plain");
	beside("root sharing fs, plain", 0, CLONE_FS, "plain");
	beside("root sharing fs, suid", 0, CLONE_FS, "suid");

	P("no capabilities: %s", wst(CHILD(caps_drop(); execl("plain", "x", "again", NULL))));
	P("no capabilities, no_new_privs: %s", wst(CHILD(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); caps_drop(); execl("plain", "x", "again", NULL))));
	P("no capabilities, no_new_privs, suid: %s", wst(CHILD(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); caps_drop(); execl("suid", "x", "again", NULL))));
	P("user, no_new_privs: %s", wst(CHILD(setgid(600); setuid(600); prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); execl("root", "x", "again", NULL))));

	P("fixed, plain: %s", wst(CHILD(setgid(600); setuid(600); personality(ADDR_NO_RANDOMIZE); execl("plain", "x", "fixed", NULL))));
	P("fixed, suid: %s", wst(CHILD(setgid(600); setuid(600); personality(ADDR_NO_RANDOMIZE); execl("suid", "x", "fixed", NULL))));
	P("fixed, root: %s", wst(CHILD(setgid(600); setuid(600); personality(ADDR_NO_RANDOMIZE); execl("root", "x", "fixed", NULL))));
	P("fixed, root to root: %s", wst(CHILD(personality(ADDR_NO_RANDOMIZE); execl("root", "x", "fixed", NULL))));
	P("fixed, root to plain: %s", wst(CHILD(personality(ADDR_NO_RANDOMIZE); execl("plain", "x", "fixed", NULL))));
	return 0;
}
