/*
 * What a program gains by being executed when something stands against it: no_new_privs, or another process that has
 * the same root and working directory; and what it does not inherit: personality, limits, dumpability.
 */
#include "guest.h"
#include <linux/capability.h>
#include <linux/securebits.h>
#include <sys/auxv.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/xattr.h>

struct sets {
	struct __user_cap_data_struct d[2];
};

#define C	(1u << CAP_CHOWN)
#define K	(1u << CAP_KILL)
#define U	(1u << CAP_SETUID)
#define G	(1u << CAP_SETGID)

static void
file_caps(const char *path, unsigned p, unsigned i, bool effective)
{
	struct vfs_cap_data d = { VFS_CAP_REVISION_2 | (effective ? VFS_CAP_FLAGS_EFFECTIVE : 0), { { p, i }, { 0, 0 } } };

	if (setxattr(path, "security.capability", &d, sizeof d, 0) < 0)
		die("setxattr %s", path);
}

static const char *
four(unsigned v)
{
	char *b = g_buf();

	sprintf(b, "%c%c%c%c", v & C ? 'c' : '-', v & K ? 'k' : '-', v & U ? 's' : '-', v & G ? 'g' : '-');
	return b;
}

static long
set(unsigned e, unsigned p, unsigned i)
{
	struct __user_cap_header_struct h = { _LINUX_CAPABILITY_VERSION_3, 0 };
	struct sets s = { { { e, p, i }, { 0, 0, 0 } } };

	return Q(capset, &h, s.d);
}

static void
ambient(unsigned cap)
{
	if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, cap, 0, 0) < 0)
		die("ambient");
}

static void
report(const char *name)
{
	struct __user_cap_header_struct h = { _LINUX_CAPABILITY_VERSION_3, 0 };
	struct rlimit stack;
	int death = 0;
	struct sets s;
	uid_t r, e, v;
	gid_t gr, ge, gv;

	getresuid(&r, &e, &v);
	getresgid(&gr, &ge, &gv);
	Q(capget, &h, s.d);
	getrlimit(RLIMIT_STACK, &stack);
	prctl(PR_GET_PDEATHSIG, &death);
	P("  %s: uid %d %d %d gid %d %d %d e %s p %s i %s a %d%d secure %lu dumpable %d personality %x death %d stack %s", name, r, e, v, gr, ge, gv,
	    four(s.d[0].effective), four(s.d[0].permitted), four(s.d[0].inheritable),
	    prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, CAP_CHOWN, 0, 0), prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, CAP_KILL, 0, 0),
	    getauxval(AT_SECURE), prctl(PR_GET_DUMPABLE) == 1, personality(0xffffffff), death,
	    stack.rlim_cur == 8 << 20 ? "8M" : stack.rlim_cur == 16 << 20 ? "16M" : "?");
}

static const char *const names[] = { "plain", "suid", "sgid", "root", "own", "caps", "few", "keep", "more" };

static void
run(const char *name)
{
	execl(name, "x", name, NULL);
	P("  %s: %s", name, err_name(errno));
}

static void
ids(uid_t r, uid_t e, uid_t s)
{
	setgroups(0, NULL);
	if (setresgid(r, e, s) < 0 || setresuid(r, e, s) < 0)
		die("ids");
}

/* Another process with this one's root and working directory, which ends after this one. */
static pid_t
sharer(void)
{
	int fds[2];
	pid_t pid;
	char c;

	if (pipe(fds) < 0)
		die("pipe");
	pid = (pid_t)Q(clone, CLONE_FS | SIGCHLD, 0, 0, 0, 0);
	if (pid < 0)
		die("clone");
	if (pid == 0) {
		close(fds[1]);
		read(fds[0], &c, 1);
		_exit(0);
	}
	close(fds[0]);
	return pid;
}

static void *
thread(void *arg)
{
	(void)arg;
	for (;;)
		pause();
	return NULL;
}

/* Every program, by whom the statements make of a child. */
#define EACH(what, ...) do { \
	P("%s", what); \
	for (size_t i_ = 0; i_ < N_OF(names); i_++) { \
		int st_ = CHILD(__VA_ARGS__; run(names[i_])); \
		if (st_ != 0) \
			P("  %s", wst(st_)); \
	} \
} while (0)
#define NNP()	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)

/* Is the stack at the same place twice? */
static void
twice(const char *name)
{
	char text[2][64] = { "", "" };
	int fds[2];

	for (int i = 0; i < 2; i++) {
		pipe(fds);
		CHILD(dup2(fds[1], 1); personality(ADDR_NO_RANDOMIZE); ids(600, 600, 600); execl(name, "x", "where", NULL));
		read(fds[0], text[i], 63);
		close(fds[0]);
		close(fds[1]);
	}
	P("%s without randomization: %s", name, text[0][0] == 0 ? "?" : strcmp(text[0], text[1]) == 0 ? "fixed" : "random");
}

int
main(int argc, char **argv)
{
	struct rlimit big = { 16 << 20, 64 << 20 };
	pthread_t id;

	if (argc > 1 && strcmp(argv[1], "where") == 0) {
		P("%p", (void *)&big);
		return 0;
	}
	if (argc > 1) {
		report(argv[1]);
		return 0;
	}
	scratch();
	copy_self("plain", 0755, 0, 0);
	copy_self("suid", 04755, 700, 0);
	copy_self("sgid", 02755, 0, 701);
	copy_self("root", 04755, 0, 0);
	copy_self("own", 06755, 600, 600);
	copy_self("caps", 0755, 0, 0);
	copy_self("few", 0755, 0, 0);
	copy_self("keep", 0755, 0, 0);
	copy_self("more", 04755, 0, 0);
	file_caps("caps", C | K, 0, true);
	file_caps("few", C, K, false);
	file_caps("keep", 0, C | K, true);
	file_caps("more", K, 0, true);
	setrlimit(RLIMIT_STACK, &big);
	prctl(PR_SET_PDEATHSIG, SIGURG);
	personality(ADDR_NO_RANDOMIZE | ADDR_COMPAT_LAYOUT);
#define ME()	(void)(prctl(PR_SET_PDEATHSIG, SIGURG), setrlimit(RLIMIT_STACK, &big))
	EACH("root", ME());
	EACH("root without capabilities", ME(); set(0, 0, 0));
	EACH("root without capabilities, no_new_privs", ME(); set(0, 0, 0); NNP());
	EACH("root with some, no_new_privs", ME(); set(0, C | K, 0); NNP());
	EACH("root with inheritable ones, no_new_privs", ME(); set(0, K, C); NNP());
	EACH("root with all, no_new_privs", ME(); NNP());
	EACH("root without setuid, no_new_privs", ME(); set(C, C, 0); NNP());
	EACH("root with noroot, no_new_privs", ME(); prctl(PR_SET_SECUREBITS, SECBIT_NOROOT); NNP());
	EACH("600", ME(); ids(600, 600, 600); ME());
	EACH("600, no_new_privs", ids(600, 600, 600); ME(); NNP());
	EACH("600 with ambient ones", ME(); prctl(PR_SET_KEEPCAPS, 1); ids(600, 600, 600); set(C | K, C | K, C | K); ambient(CAP_CHOWN); ME());
	EACH("600 with ambient ones, no_new_privs", ME(); prctl(PR_SET_KEEPCAPS, 1); ids(600, 600, 600); set(C | K, C | K, C | K);
	    ambient(CAP_CHOWN); ambient(CAP_KILL); ME(); NNP());
	EACH("600 with inheritable ones, no_new_privs", ME(); prctl(PR_SET_KEEPCAPS, 1); ids(600, 600, 600); set(C | K, C | K, C | K); ME(); NNP());
	EACH("600 as 0", ids(600, 0, 0); ME());
	EACH("600 as 0, no_new_privs", ids(600, 0, 0); ME(); NNP());
	EACH("600 as 0 without capabilities, no_new_privs", ids(600, 0, 0); set(0, 0, 0); ME(); NNP());
	EACH("0 as 600", ids(0, 600, 600); ME());
	EACH("0 as 600, no_new_privs", ids(0, 600, 600); ME(); NNP());
	EACH("600, 0 saved", ids(600, 600, 0); ME());
	EACH("600 as 601", ids(600, 601, 602); ME());
	EACH("600 as 601, no_new_privs", ids(600, 601, 602); ME(); NNP());
	EACH("600, group 701, no_new_privs", setgroups(1, (gid_t[]){ 701 }); setresgid(600, 600, 600); setresuid(600, 600, 600); ME(); NNP());
	P("another process shares");
	EACH("shared, root", ME(); sharer());
	EACH("shared, root without setuid", ME(); set(C, C, 0); sharer());
	EACH("shared, 600", ids(600, 600, 600); ME(); sharer());
	EACH("shared, 600 as 0", ids(600, 0, 0); ME(); sharer());
	EACH("shared, 600, group 701", setgroups(1, (gid_t[]){ 701 }); setresgid(600, 600, 600); setresuid(600, 600, 600); ME(); sharer());
	EACH("shared with ambient ones", prctl(PR_SET_KEEPCAPS, 1); ids(600, 600, 600); set(C | K, C | K, C | K); ambient(CAP_CHOWN); ME(); sharer());
	EACH("a thread shares, 600", ids(600, 600, 600); ME(); pthread_create(&id, NULL, thread, NULL));
	EACH("no longer shared, 600", ids(600, 600, 600); ME(); pid_t pid = sharer(); kill(pid, SIGKILL); reap(pid));
	EACH("unshared, 600", ids(600, 600, 600); ME(); sharer(); unshare(CLONE_FS));
	twice("plain");
	twice("root");
	twice("own");
	twice("caps");
	return 0;
}
