/*
 * What a look into a process shows after it has become another program: what was opened before is about the old
 * program, whoever the new one runs as.  And after its end.
 */
#include "guest.h"
#include <linux/capability.h>
#include <sys/auxv.h>
#include <sys/prctl.h>
#include <sys/xattr.h>

static char secret[32] = "as linked";
static const char *const names[] = { "mem", "maps", "smaps", "environ", "auxv", "syscall", "personality", "stat", "cmdline", "status", "statm" };

static void
become(uid_t id)
{
	if (setgroups(0, NULL) < 0 || setresgid(id, id, id) < 0 || setresuid(id, id, id) < 0)
		die("become %d", id);
	prctl(PR_SET_DUMPABLE, 1);
}

static int
enter(pid_t pid, const char *name, int flags)
{
	char path[64];

	snprintf(path, sizeof path, "/proc/%d/%s", pid, name);
	return (int)Q(open, path, flags);
}

/* How many bytes there are to read, as far as that is the same every time. */
static const char *
amount(long n)
{
	return n > 0 ? "some" : res(n);
}

static void
show_all(const int *fds, const char *when)
{
	char b[4096];

	for (size_t i = 0; i < N_OF(names); i++) {
		long at = i == 0 ? (long)secret : 0;

		if (fds[i] < 0)
			P("  %s, %s: not open: %s", when, names[i], res(fds[i]));
		else
			P("  %s, %s: %s", when, names[i], amount(Q(pread64, fds[i], b, i == 0 ? sizeof secret : sizeof b, at)));
	}
	if (fds[0] >= 0) {
		memset(b, 0, sizeof b);
		P("  %s, secret: %s %s", when, amount(Q(pread64, fds[0], b, sizeof secret, secret)), txt(b, strlen(b)));
		P("  %s, write: %s", when, amount(Q(pwrite64, fds[0], "overwritten", 12, secret)));
	}
}

static void
one(const char *program)
{
	int go[2], up[2], fds[N_OF(names)], again, same[2] = { -1, -1 };
	char before[4096], after[4096], c;
	size_t len;
	void *head;
	long n, m;
	pid_t pid;

	pipe(go);
	pipe(up);
	P("%s", program);
	strcpy(secret, "of the old");
	pid = START(read(go[0], &c, 1);
	    dup2(go[0], 100); dup2(up[1], 101);
	    execle(program, "x", "new", NULL, (char *[]){ "A=1", NULL }); _exit(9));
	await_sleep(pid);
	for (size_t i = 0; i < N_OF(names); i++)
		fds[i] = enter(pid, names[i], i == 0 ? O_RDWR : O_RDONLY);
	same[0] = enter(pid, "auxv", O_RDONLY);
	same[1] = enter(pid, "fd", O_RDONLY | O_DIRECTORY);
	again = (int)Q(pidfd_open, pid, 0);
	show_all(fds, "before");
	n = Q(pread64, same[0], before, sizeof before, 0);
	write(go[1], "x", 1);
	read(up[0], &c, 1);
	show_all(fds, "after");
	m = Q(pread64, same[0], after, sizeof after, 0);
	P("  auxv is %s", m == n && memcmp(before, after, n) == 0 ? "the old" : "another");
	P("  fd/100 of the old directory: %s", ok(Q(openat, same[1], "100", O_RDONLY)));
	for (size_t i = 0; i < N_OF(names); i++) {
		int f = enter(pid, names[i], O_RDONLY);

		P("  open again, %s: %s, %s", names[i], ok(f),
		    f < 0 ? "-" : amount(Q(pread64, f, after, sizeof secret, i == 0 ? secret : 0)));
		close(f);
	}
	P("  link exe: %s, cwd: %s, fd/100: %s, fd: %s, fdinfo/100: %s", ok(enter(pid, "exe", O_RDONLY)), ok(enter(pid, "cwd", O_RDONLY)),
	    ok(enter(pid, "fd/100", O_RDONLY)), ok(enter(pid, "fd", O_RDONLY)), ok(enter(pid, "fdinfo/100", O_RDONLY)));
	P("  getfd: %s, robust list: %s", ok(Q(pidfd_getfd, again, 100, 0)), ok(Q(get_robust_list, pid, &head, &len)));
	write(go[1], "x", 1);
	waitid(P_PID, pid, NULL, WEXITED | WNOWAIT);
	show_all(fds, "ended");
	P("%s", reap(pid));
	show_all(fds, "gone");
	for (size_t i = 0; i < N_OF(names); i++)
		close(fds[i]);
}

int
main(int argc, char **argv)
{
	struct vfs_cap_data kill = { VFS_CAP_REVISION_2 | VFS_CAP_FLAGS_EFFECTIVE, { { 1 << CAP_KILL, 0 } } };
	char c;

	if (argc > 1 && strcmp(argv[1], "new") == 0) {
		P("  new: euid %d secure %lu dumpable %d", geteuid(), getauxval(AT_SECURE), prctl(PR_GET_DUMPABLE) == 1);
		write(101, "x", 1);
		read(100, &c, 1);
		P("  new: %s", secret);
		return 0;
	}
	scratch();
	copy_self("plain", 0755, 0, 0);
	copy_self("root", 04755, 0, 0);
	copy_self("caps", 0755, 0, 0);
	if (setxattr("caps", "security.capability", &kill, sizeof kill, 0) < 0)
		die("setxattr");
	P("%s", wst(CHILD(become(600); one("./plain"); one("./root"); one("./caps"))));
	return 0;
}
