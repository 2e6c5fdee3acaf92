/*
 * confine: what happens in the new processes between clone and exec.
 *
 * Both end with an empty read-only root, no descriptor but their own, and no way to gain
 * privileges.  The gofer keeps detached copies of its mounts as descriptors; nothing else of the host's
 * tree exists in its namespace.  The sentry is made in the namespaces of the caller's user
 * namespace and only then enters one of its own: it has no power over those namespaces, not even as
 * their root, and a host that hides /proc does not matter.  (Without privileges there is no choice: the user
 * namespace comes first.)
 */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/securebits.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/boot.h"
#include "base/hostcall.h"
#include "base/sanitize.h"
#include "base/strbuf.h"
#include "runtime/launch.h"
#if SANITIZE
#include "gofer/main.h"
#include "sentry/main.h"
#endif

#define FD_PARK		600	/* above every final number */
#define FD_LIMIT	(1u << 20)

const int confine_gofer_flags = CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS;
const int confine_sentry_flags = CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS |
	CLONE_NEWCGROUP;

static void NORETURN PRINTF(3, 4)
child_fail(const struct confine *c, int e, const char *fmt, ...)
{
	char packet[1024] = { SYNC_ERROR };
	struct strbuf sb = STRBUF(packet + 1, sizeof packet - 1);
	va_list ap;

	va_start(ap, fmt);
	sb_vprintf(&sb, fmt, ap);
	va_end(ap);
	if (e)
		sb_printf(&sb, ": %s", strerror(e));
	(void)send(c->sync, packet, 1 + sb.len, MSG_NOSIGNAL);
	_exit(1);
}

/* Asks the parent for something and waits; a parent that is gone ends us. */
static void
ask(const struct confine *c, char what)
{
	char reply;

	if (send(c->sync, &what, 1, MSG_NOSIGNAL) != 1 || recv(c->sync, &reply, 1, 0) != 1 ||
	    reply != SYNC_GO)
		_exit(1);
}

static void
clean_signals(void)
{
	sigset_t none;

	for (int s = 1; s < _NSIG; s++)
		(void)signal(s, SIG_DFL);
	sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
}

/* A detached mount of a new filesystem. option and value may be NULL. */
static int
new_mount(const struct confine *c, const char *type, const char *option, const char *value, unsigned attrs)
{
	int fs = fsopen(type, FSOPEN_CLOEXEC), fd;

	if (fs < 0)
		child_fail(c, errno, "cannot make a %s", type);
	/* An option that this host's kernel lacks is left out. */
	if (option)
		(void)fsconfig(fs, FSCONFIG_SET_STRING, option, value, 0);
	if (fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) != 0)
		child_fail(c, errno, "cannot make a %s", type);
	fd = fsmount(fs, FSMOUNT_CLOEXEC, attrs);
	if (fd < 0)
		child_fail(c, errno, "cannot mount a %s", type);
	(void)close(fs);
	return fd;
}

/* Makes a directory of an empty tmpfs the root, and drops everything that was mounted. proc: mounted at /proc, or -1. */
static void
empty_root(const struct confine *c, int proc)
{
	struct mount_attr ro = { .attr_set = MOUNT_ATTR_RDONLY };
	int root = new_mount(c, "tmpfs", "size", "64k", MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV |
	    MOUNT_ATTR_NOEXEC);

	if (proc >= 0 && mkdirat(root, "proc", 0555) != 0)
		child_fail(c, errno, "cannot make /proc");
	if (move_mount(root, "", AT_FDCWD, "/", MOVE_MOUNT_F_EMPTY_PATH) != 0 || fchdir(root) != 0)
		child_fail(c, errno, "cannot mount the empty root");
	if (proc >= 0 && move_mount(proc, "", root, "proc", MOVE_MOUNT_F_EMPTY_PATH) != 0)
		child_fail(c, errno, "cannot mount /proc");
	if (syscall(SYS_pivot_root, ".", ".") != 0)
		child_fail(c, errno, "cannot enter the empty root");
	if (umount2(".", MNT_DETACH) != 0 || chdir("/") != 0)
		child_fail(c, errno, "cannot leave the old root");
	if (mount_setattr(root, "", AT_EMPTY_PATH, &ro, sizeof ro) != 0)
		child_fail(c, errno, "cannot make the empty root read-only");
	(void)close(root);
}

/*
 * Puts fds[i] at i, this program and the sync socket right above (close-on-exec), and closes the
 * rest.  *at is c with the new numbers of those two.
 */
static void
place_fds(const struct confine *c, int *fds, int n, struct confine *at)
{
	int *parked = xcalloc((size_t)n + 2, sizeof *parked);

	*at = *c;
	for (int i = 0; i < n + 2; i++) {
		int fd = i < n ? fds[i] : i == n ? c->exe : c->sync;

		parked[i] = fcntl(fd, F_DUPFD_CLOEXEC, FD_PARK);
		if (parked[i] < 0)
			child_fail(c, errno, "cannot pass descriptor %d", i);
	}
	at->sync = parked[n + 1];
	for (int i = 0; i < n + 2; i++) {
		if (dup3(parked[i], i, i < n ? 0 : O_CLOEXEC) < 0)
			child_fail(at, errno, "cannot pass descriptor %d", i);
	}
	at->exe = n;
	at->sync = n + 1;
	if (SANITIZE)
		(void)close_range((unsigned)n + 2, SANITIZE_FD - 1, 0);
	(void)close_range(SANITIZE ? SANITIZE_FD + 2 : (unsigned)n + 2, ~0U, 0);
	free(parked);
}

static void
raise_limits(bool no_core)
{
	struct rlimit none = { 0, 0 }, files = { FD_LIMIT, FD_LIMIT };

	if (setrlimit(RLIMIT_NOFILE, &files) != 0 && getrlimit(RLIMIT_NOFILE, &files) == 0) {
		files.rlim_cur = files.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &files);
	}
	/* A core would hold the guests' memory. */
	if (no_core)
		(void)setrlimit(RLIMIT_CORE, &none);
}

/* argv is NULL-terminated. Sanitizers need their libraries: those builds go on without exec. */
static void NORETURN
become(const struct confine *c, char **argv)
{
	static const char *const passed[] = { "VILLAGE_FAULT", "VILLAGE_FORBIDDEN", "VILLAGE_NO_VDSO",
		"VILLAGE_SLOW_ZYGOTE" };	/* read by debug builds */
	char *env[ARRAY_LEN(passed) + 1] = { NULL };

	for (size_t i = 0, n = 0; i < ARRAY_LEN(passed); i++) {
		const char *value = getenv(passed[i]);

		if (value)
			env[n++] = xasprintf("%s=%s", passed[i], value);
	}
#if SANITIZE
	int argc = 0;

	(void)env;
	while (argv[argc])
		argc++;
	(void)prctl(PR_SET_NAME, argv[0], 0, 0, 0);
	(void)close(c->exe);
	(void)close(c->sync);
	host_exit(strcmp(argv[0], "village-gofer") == 0 ? gofer_main(argc, argv) : sentry_main(argc, argv));
#else
	(void)syscall(SYS_execveat, c->exe, "", argv, env, AT_EMPTY_PATH);
	child_fail(c, errno, "cannot execute %s", argv[0]);
#endif
}

/* ---- gofer ------------------------------------------------------------------------ */

/*
 * Filesystems that show the host's kernel, not files.  Where one of them is mounted below a directory
 * that was asked for, it is taken out: a guest that unmounts its own /proc must not find the host's.
 */
static bool
is_pseudo(const char *type)
{
	static const char *const types[] = {
		"proc", "sysfs", "cgroup", "cgroup2", "devtmpfs", "devpts", "mqueue", "debugfs", "tracefs",
		"securityfs", "pstore", "bpf", "configfs", "efivarfs", "fusectl", "hugetlbfs", "selinuxfs",
		"binfmt_misc", "autofs", "rpc_pipefs", "nsfs", "resctrl",
	};

	for (size_t i = 0; i < ARRAY_LEN(types); i++) {
		if (strcmp(types[i], type) == 0)
			return true;
	}
	return false;
}

/* mountinfo writes space, tab, newline and backslash as \ooo. */
static void
unescape(char *s)
{
	char *to = s;

	for (; *s; s++, to++) {
		if (s[0] == '\\' && s[1] >= '0' && s[1] <= '3' && s[2] && s[3]) {
			*to = (char)((s[1] - '0') << 6 | (s[2] - '0') << 3 | (s[3] - '0'));
			s += 3;
		} else {
			*to = *s;
		}
	}
	*to = '\0';
}

static bool
is_below(const char *path, const char *dir)
{
	size_t n = strlen(dir);

	while (n && dir[n - 1] == '/')
		n--;
	return strncmp(path, dir, n) == 0 && path[n] == '/' && path[n + 1] != '\0';
}

static void
hide(const struct confine *c, const char *at)
{
	int empty;

	if (umount2(at, MNT_DETACH) == 0 || errno == ENOENT)
		return;
	/* Locked to its parent (we are not privileged): an empty directory goes on top. */
	empty = new_mount(c, "tmpfs", "size", "4k", MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOEXEC);
	if (move_mount(empty, "", AT_FDCWD, at, MOVE_MOUNT_F_EMPTY_PATH) != 0 && errno != ENOENT &&
	    errno != ENOTDIR)
		child_fail(c, errno, "cannot hide %s", at);
	(void)close(empty);
}

static void
prune_pseudo(const struct confine *c)
{
	FILE *f = fopen("/proc/self/mountinfo", "re");
	char *line = NULL;
	size_t cap = 0;

	if (f == NULL)
		child_fail(c, errno, "open /proc/self/mountinfo");
	while (getline(&line, &cap, f) > 0) {
		char *at = line, *type = strstr(line, " - "), *end;
		bool wanted = false;

		/* ID PARENT MAJ:MIN ROOT MOUNTPOINT OPTIONS ... - TYPE SOURCE ... */
		for (int i = 0; i < 4 && at; i++) {
			at = strchr(at, ' ');
			at = at ? at + 1 : NULL;
		}
		if (at == NULL || type == NULL)
			continue;
		type += 3;
		end = strchr(type, ' ');
		if (end)
			*end = '\0';
		if (!is_pseudo(type))
			continue;
		end = strchr(at, ' ');
		if (end)
			*end = '\0';
		unescape(at);
		for (unsigned i = 0; i < c->l->nmounts && !wanted; i++)
			wanted = is_below(at, c->l->mounts[i].source);
		if (wanted)
			hide(c, at);
	}
	free(line);
	(void)fclose(f);
}

/* A detached copy of what is mounted at source, with everything below it. */
static int
clone_tree(const struct confine *c, const struct launch_mount *m)
{
	struct mount_attr attr = { .attr_set = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV };
	int fd = open_tree(AT_FDCWD, m->source, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE);

	if (fd < 0)
		child_fail(c, errno, "%s", m->source);
	if (m->readonly)
		attr.attr_set |= MOUNT_ATTR_RDONLY;
	if (mount_setattr(fd, "", AT_EMPTY_PATH | AT_RECURSIVE, &attr, sizeof attr) != 0)
		child_fail(c, errno, "cannot set the mount flags of %s", m->source);
	return fd;
}

static bool
lies_in_pseudo(const char *path)
{
	static const unsigned long magics[] = {
		0x9fa0, 0x62656572, 0x27e0eb, 0x63677270, 0x1cd1, 0x64626720, 0x74726163, 0x6e736673,
	};
	struct statfs st;

	if (statfs(path, &st) != 0)
		return false;
	for (size_t i = 0; i < ARRAY_LEN(magics); i++) {
		if ((unsigned long)st.f_type == magics[i])
			return true;
	}
	return false;
}

static void
collect_mounts(const struct confine *c, int *fds)
{
	unsigned n = c->l->nmounts;

	/* What was asked for by name stays, pseudo filesystem or not: taken before the pruning. */
	for (unsigned i = 0; i < n; i++)
		fds[i] = lies_in_pseudo(c->l->mounts[i].source) ? clone_tree(c, &c->l->mounts[i]) : -1;
	prune_pseudo(c);
	for (unsigned i = 0; i < n; i++) {
		if (fds[i] < 0)
			fds[i] = clone_tree(c, &c->l->mounts[i]);
	}
}

static void
own_mounts(const struct confine *c)
{
	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0)
		child_fail(c, errno, "cannot make the mounts private");
}

void
confine_gofer(const struct confine *c)
{
	unsigned n = c->l->nmounts;
	int *fds = xcalloc(n + 5, sizeof *fds), proc;
	struct confine at;
	char **argv = xcalloc(n + 6, sizeof *argv);
	unsigned a = 0;

	clean_signals();
	(void)setsid();
	raise_limits(false);
	if (c->rootless)
		ask(c, SYNC_MAP);
	own_mounts(c);
	fds[0] = fds[1] = fds[2] = c->null;
	fds[3] = c->peer;
	fds[4] = c->l->log >= 0 ? c->l->log : c->null;
	collect_mounts(c, fds + 5);
	/* Only what it takes to open a descriptor again: /proc/self/fd. */
	proc = new_mount(c, "proc", "subset", "pid", MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID |
	    MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC);
	empty_root(c, proc);
	place_fds(c, fds, (int)n + 5, &at);
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
		child_fail(&at, errno, "cannot give up new privileges");
	argv[a++] = xstrdup("village-gofer");
	if (rt.debug)
		argv[a++] = xstrdup("--debug");
	argv[a++] = xstrdup("--mounts");
	argv[a++] = xasprintf("%u", n);
	for (unsigned i = 0; i < n; i++)
		argv[a++] = xstrdup(c->l->mounts[i].readonly ? "ro" : "rw");
	become(&at, argv);
}

/* ---- sentry ----------------------------------------------------------------------- */

/* From here on nothing, not even an exec by uid 0 of this namespace, gives a capability. */
static void
drop_caps(const struct confine *c)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct none[2];

	memset(none, 0, sizeof none);
	if (prctl(PR_SET_SECUREBITS, SECBIT_NOROOT | SECBIT_NOROOT_LOCKED | SECBIT_NO_CAP_AMBIENT_RAISE |
	    SECBIT_NO_CAP_AMBIENT_RAISE_LOCKED, 0, 0, 0) != 0)
		child_fail(c, errno, "cannot set the securebits");
	for (int cap = 0; prctl(PR_CAPBSET_READ, cap, 0, 0, 0) >= 0; cap++) {
		if (prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) != 0)
			child_fail(c, errno, "cannot drop capability %d", cap);
	}
	if (syscall(SYS_capset, &head, none) != 0)
		child_fail(c, errno, "cannot drop the capabilities");
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
		child_fail(c, errno, "cannot give up new privileges");
}

static void
enter_user(const struct confine *c)
{
	if (!c->rootless) {
		if (unshare(CLONE_NEWUSER) != 0)
			child_fail(c, errno, "cannot make a user namespace");
		ask(c, SYNC_MAP);
		if (setgroups(0, NULL) != 0)
			child_fail(c, errno, "cannot drop the groups");
	}
	if (setresgid(0, 0, 0) != 0 || setresuid(0, 0, 0) != 0)
		child_fail(c, errno, "cannot take the user of the sandbox");
}

void
confine_sentry(const struct confine *c)
{
	int fds[BOOT_FD_COUNT], proc;
	struct confine at;
	const struct launch *l = c->l;
	char name[] = "village-sentry", debug[] = "--debug", verbose[] = "--verbose";
	char *argv[3] = { name, NULL, NULL };

	clean_signals();
	(void)setsid();
	raise_limits(true);
	if (c->rootless)
		ask(c, SYNC_MAP);
	own_mounts(c);
	/* Never attached: only who holds the descriptor can name anything in it. */
	proc = new_mount(c, "proc", "subset", "pid", MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV |
	    MOUNT_ATTR_NOEXEC);
	empty_root(c, -1);
	for (int i = 0; i < 3; i++)
		fds[i] = l->stdio[i];
	fds[BOOT_FD_SPEC] = c->spec;
	fds[BOOT_FD_CONTROL] = l->control;
	fds[BOOT_FD_GOFER] = c->peer;
	fds[BOOT_FD_LOG] = l->log >= 0 ? l->log : c->null;
	fds[BOOT_FD_REPORT] = l->report >= 0 ? l->report : c->null;
	fds[BOOT_FD_MEMFILE] = c->memfile;
	fds[BOOT_FD_PROC] = proc;
	fds[BOOT_FD_RANDOM] = c->random;
	fds[BOOT_FD_READY] = c->ready;
	place_fds(c, fds, BOOT_FD_COUNT, &at);
	enter_user(&at);
	drop_caps(&at);
	if (l->foreground && prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) != 0)
		child_fail(&at, errno, "cannot bind the sandbox to its caller");
	/* After the line above: a parent that died before it does not answer, one that dies later kills. */
	ask(&at, SYNC_HELD);
	if (rt.debug)
		argv[1] = debug;
	else if (rt.debug_log)
		argv[1] = verbose;
	become(&at, argv);
}
