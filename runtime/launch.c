/*
 * launch: see launch.h.  The parent's half: descriptors, processes, id maps, the handshake.
 *
 * Every descriptor made here is close-on-exec and dropped once the children have it, so a process that
 * dies is seen by its peer as the end of a socket.
 */
#include "runtime/launch.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysinfo.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/json.h"
#include "base/sanitize.h"

#define UNPRIVILEGED	65534	/* nobody, on the host; uid 0 in the sentry's own namespace */
#define MEMFILE_MAX	(64ULL << 30)
#define MEMFILE_MIN	(1ULL << 30)

#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL	0x0008U
#endif
#ifndef MFD_EXEC
#define MFD_EXEC	0x0010U
#endif

void
launch_mount_add(struct launch *l, const char *source, bool readonly)
{
	struct launch_mount *m = xcalloc(l->nmounts + 1, sizeof *m);

	if (l->nmounts)
		memcpy(m, l->mounts, l->nmounts * sizeof *m);
	m[l->nmounts].source = xstrdup(source);
	m[l->nmounts].readonly = readonly;
	l->nmounts++;
	free(l->mounts);
	l->mounts = m;
}

/* ---- what the children get ----------------------------------------------------------- */

static int
new_memfd(const char *name, unsigned mode)
{
	int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING | mode);

	/* Kernels before 6.3 do not know the mode. */
	if (fd < 0 && errno == EINVAL)
		fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
	return fd;
}

static uint64_t
memfile_size(void)
{
	struct sysinfo si;
	uint64_t size = MEMFILE_MIN;

	if (sysinfo(&si) == 0)
		size = max(size, 2 * (uint64_t)si.totalram * si.mem_unit);
	return min(round_up(size, 1ULL << 30), MEMFILE_MAX);
}

static int
make_memfile(struct launch *l, int *out, struct err *err)
{
	uint64_t size = memfile_size();
	AUTO_CLOSE int fd = new_memfd("village-memory", MFD_EXEC);

	if (fd < 0 || ftruncate(fd, (off_t)size) != 0 ||
	    fcntl(fd, F_ADD_SEALS, F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL) != 0)
		return err_set(err, errno, "cannot make the memory file");
	json_object_set_new(l->boot, "memfile_size", json_integer((json_int_t)size));
	*out = steal_fd(&fd);
	return 0;
}

static int
make_spec(struct launch *l, int *out, struct err *err)
{
	AUTO_CLOSE int fd = new_memfd("village-boot", MFD_NOEXEC_SEAL);
	char *text = json_dumps(l->boot, JSON_COMPACT);
	size_t len = text ? strlen(text) : 0;
	bool ok = text && fd >= 0 && write(fd, text, len) == (ssize_t)len &&
	    fcntl(fd, F_ADD_SEALS, F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_WRITE | F_SEAL_SEAL) == 0;

	free(text);
	if (!ok)
		return err_set(err, errno, "cannot write the boot record");
	*out = steal_fd(&fd);
	return 0;
}

/*
 * This program.  A file that user nobody may not execute is copied to memory first: the new process is
 * nobody when it executes it.
 */
static int
open_self(bool rootless, int *out, struct err *err)
{
	AUTO_CLOSE int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	AUTO_CLOSE int copy = -1;
	struct stat st;
	off_t at = 0;

	if (fd < 0 || fstat(fd, &st) != 0)
		return err_set(err, errno, "open /proc/self/exe");
	if (rootless || (st.st_mode & 0005) == 0005) {
		*out = steal_fd(&fd);
		return 0;
	}
	copy = new_memfd("village", MFD_EXEC);
	if (copy < 0 || fchmod(copy, 0555) != 0)
		return err_set(err, errno, "cannot copy the program");
	while (at < st.st_size) {
		/* In-kernel copy; moves the offset along. */
		ssize_t n = (ssize_t)syscall(SYS_sendfile, copy, fd, &at, (size_t)(st.st_size - at));

		if (n <= 0)
			return err_set(err, errno, "cannot copy the program");
	}
	(void)fcntl(copy, F_ADD_SEALS, F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_WRITE | F_SEAL_SEAL);
	*out = steal_fd(&copy);
	return 0;
}

/* ---- processes -------------------------------------------------------------------------- */

static int
write_map(pid_t pid, const char *file, const char *text, struct err *err)
{
	char *path = xasprintf("/proc/%d/%s", (int)pid, file);
	AUTO_CLOSE int fd = open(path, O_WRONLY | O_CLOEXEC);
	bool ok = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);
	int e = errno;

	if (!ok)
		err_set(err, e, "write %s", path);
	free(path);
	return ok ? 0 : -e;
}

static int
write_maps(pid_t pid, bool rootless, struct err *err)
{
	char *uid = xasprintf("0 %u 1\n", rootless ? geteuid() : UNPRIVILEGED);
	char *gid = xasprintf("0 %u 1\n", rootless ? getegid() : UNPRIVILEGED);
	int e = 0;

	if (rootless)
		e = write_map(pid, "setgroups", "deny", err);
	if (!e)
		e = write_map(pid, "uid_map", uid, err);
	if (!e)
		e = write_map(pid, "gid_map", gid, err);
	free(uid);
	free(gid);
	return e;
}

/* A child in namespaces of its own, and its pidfd. Returns the pid, 0 in the child, -errno. */
static pid_t
clone_child(int flags, int *pidfd)
{
	long pid = syscall(SYS_clone, (unsigned long)flags | CLONE_PIDFD | SIGCHLD, NULL, pidfd, NULL, 0);

	if (pid == 0)
		sanitize_new_process();
	return pid < 0 ? -errno : (pid_t)pid;
}

/* Serves one child's requests until it is held or (until_exec) has become its program. */
static int
serve_child(int sync, pid_t pid, bool rootless, bool until_exec, const char *who, struct err *err)
{
	char packet[1024], go = SYNC_GO;

	for (;;) {
		ssize_t n = recv(sync, packet, sizeof packet - 1, 0);

		if (n < 0 && errno == EINTR)
			continue;
		if (n == 0 && until_exec)
			return 0;
		if (n <= 0)
			return err_set(err, 0, "the %s ended before it began", who);
		packet[n] = '\0';
		switch (packet[0]) {
		case SYNC_MAP:
			if (write_maps(pid, rootless, err) != 0)
				return -EPERM;
			if (send(sync, &go, 1, MSG_NOSIGNAL) != 1)
				return err_set(err, errno, "the %s is gone", who);
			break;
		case SYNC_HELD:
			return 0;
		case SYNC_ERROR:
			return err_set(err, 0, "%s", packet + 1);
		default:
			return err_set(err, 0, "the %s said something strange", who);
		}
	}
}

static int
socket_pair(int type, int out[2], struct err *err)
{
	if (socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, out) != 0)
		return err_set(err, errno, "cannot make a socket pair");
	return 0;
}

static int
start_gofer(struct launch *l, struct confine *c, int sync[2], struct err *err)
{
	pid_t pid;

	if (socket_pair(SOCK_SEQPACKET, sync, err) != 0)
		return -EMFILE;
	c->sync = sync[1];
	pid = clone_child(confine_gofer_flags | (c->rootless ? CLONE_NEWUSER : 0), &l->gofer_pidfd);
	if (pid == 0)
		confine_gofer(c);
	(void)close(sync[1]);
	sync[1] = -1;
	if (pid < 0)
		return err_set(err, -pid, "cannot start the gofer");
	l->gofer = pid;
	return 0;
}

static int
start_sentry(struct launch *l, struct confine *c, struct err *err)
{
	int sync[2];
	pid_t pid;

	if (socket_pair(SOCK_SEQPACKET, sync, err) != 0)
		return -EMFILE;
	c->sync = sync[1];
	l->sync = sync[0];
	pid = clone_child(confine_sentry_flags | (c->rootless ? CLONE_NEWUSER : 0), &l->sentry_pidfd);
	if (pid == 0)
		confine_sentry(c);
	(void)close(sync[1]);
	if (pid < 0)
		return err_set(err, -pid, "cannot start the sentry");
	l->sentry = pid;
	return 0;
}

static void
close_all(int *fds, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (fds[i] >= 0)
			(void)close(fds[i]);
		fds[i] = -1;
	}
}

static int
start_both(struct launch *l, struct confine *c, int files[2], struct err *err)
{
	int gofer_sync[2] = { -1, -1 };
	int e;

	/* The sentry has the longer way to go: it is first each time. */
	c->peer = files[1];
	e = start_sentry(l, c, err);
	if (!e) {
		c->peer = files[0];
		e = start_gofer(l, c, gofer_sync, err);
	}
	/* Only the children hold these from now on. */
	close_all(files, 2);
	if (!e)
		e = serve_child(l->sync, l->sentry, c->rootless, false, "sentry", err);
	if (!e)
		e = serve_child(gofer_sync[0], l->gofer, c->rootless, true, "gofer", err);
	close_all(gofer_sync, 2);
	return e;
}

#define PATCH_AFTER_TRAPS	3	/* a trap costs a third of what patching does */

int
launch_start(struct launch *l, struct err *err)
{
	enum { EXE, NUL, SPEC, MEM, RANDOM, READY_RD, READY_WR, COUNT };
	int fd[COUNT] = { -1, -1, -1, -1, -1, -1, -1 }, files[2] = { -1, -1 };
	struct confine c = { .l = l, .rootless = geteuid() != 0 };
	int e;

	if (strcmp(rt.platform, "systrap") != 0 && strcmp(rt.platform, "ptrace") != 0)
		return err_set(err, 0, "--platform %s: must be systrap or ptrace", rt.platform);
	if (strcmp(rt.patch, "auto") != 0 && strcmp(rt.patch, "always") != 0 && strcmp(rt.patch, "off") != 0)
		return err_set(err, 0, "--patch %s: must be auto, always or off", rt.patch);
	json_object_set_new(l->boot, "platform", json_string(rt.platform));
	json_object_set_new(l->boot, "patch_after", json_integer(strcmp(rt.patch, "auto") == 0 ? PATCH_AFTER_TRAPS :
	    strcmp(rt.patch, "always") == 0));
	sanitize_before_lockdown();
	e = open_self(c.rootless, &fd[EXE], err);
	if (!e)
		e = make_memfile(l, &fd[MEM], err);
	if (!e)
		e = make_spec(l, &fd[SPEC], err);
	if (!e)
		e = socket_pair(SOCK_SEQPACKET, files, err);
	if (!e && pipe2(&fd[READY_RD], O_CLOEXEC) != 0)
		e = err_set(err, errno, "cannot make a pipe");
	fd[NUL] = open("/dev/null", O_RDWR | O_CLOEXEC);
	fd[RANDOM] = open("/dev/urandom", O_RDONLY | O_CLOEXEC);
	if (!e && (fd[NUL] < 0 || fd[RANDOM] < 0))
		e = err_set(err, errno, "open /dev/null and /dev/urandom");
	if (!e) {
		c.exe = fd[EXE];
		c.null = fd[NUL];
		c.spec = fd[SPEC];
		c.memfile = fd[MEM];
		c.random = fd[RANDOM];
		c.ready = fd[READY_WR];
		e = start_both(l, &c, files, err);
	}
	l->ready = steal_fd(&fd[READY_RD]);
	close_all(files, 2);
	close_all(fd, COUNT);
	close_all(&l->control, 1);
	if (e)
		launch_abort(l);
	return e;
}

int
launch_go(struct launch *l, struct err *err)
{
	char go = SYNC_GO;
	int e;

	if (send(l->sync, &go, 1, MSG_NOSIGNAL) != 1)
		e = err_set(err, 0, "the sentry is gone");
	else
		e = serve_child(l->sync, l->sentry, false, true, "sentry", err);
	close_all(&l->sync, 1);
	if (e)
		launch_abort(l);
	return e;
}

/* ---- the end of it ------------------------------------------------------------------------ */

/* Waits for the sentry's words; false when the user has had enough (attend_block keeps the signal pending). */
static bool
wait_ready(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	sigset_t pending;

	while (poll(&p, 1, 200) == 0) {
		sigemptyset(&pending);
		(void)sigpending(&pending);
		if (sigismember(&pending, SIGINT) || sigismember(&pending, SIGTERM))
			return false;
	}
	return true;
}

/* The sentry has gone without a word: by what? */
static int
ended_early(struct launch *l, struct err *err)
{
	struct pollfd p = { .fd = l->sentry_pidfd, .events = POLLIN };
	int status = 0, e;

	if (poll(&p, 1, 1000) == 1 && waitpid(l->sentry, &status, WNOHANG) == l->sentry) {
		l->sentry = 0;
		close_all(&l->sentry_pidfd, 1);
	}
	if (WIFSIGNALED(status)) {
		e = err_set(err, 0, "the sandbox was killed by signal %d before it was ready", WTERMSIG(status));
		err->exit = 128 + WTERMSIG(status);
	} else {
		e = err_set(err, 0, "the sandbox ended before it was ready");
	}
	launch_abort(l);
	return e;
}

/* Reads the one line that the sentry writes when it is up, or why it is not. */
int
launch_ready(struct launch *l, struct err *err)
{
	char line[4096];
	size_t n = 0;
	struct jread r = { 0 };
	json_t *j;
	const char *why;
	int e = 0;

	while (n < sizeof line && (n == 0 || line[n - 1] != '\n')) {
		ssize_t got;

		if (!wait_ready(l->ready)) {
			e = err_set(err, 0, "interrupted before the sandbox was ready");
			err->exit = 130;
			launch_abort(l);
			return e;
		}
		got = read(l->ready, line + n, sizeof line - n);
		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			break;
		n += (size_t)got;
	}
	close_all(&l->ready, 1);
	if (n == 0)
		return ended_early(l, err);
	j = json_read(&r, "ready", line, n);
	why = jget_str(&r, j, "", "error");
	if (why || r.failed || !jget_bool(&r, j, "", "ok", false)) {
		e = err_set(err, 0, "%s", why ? why : "the sandbox said something strange");
		err->exit = (int)jget_u64(&r, j, "", "exit", 255, 1);
	}
	json_decref(j);
	if (e)
		launch_abort(l);
	return e;
}

static void
kill_and_reap(pid_t *pid, int *pidfd)
{
	if (*pid > 0) {
		(void)kill(*pid, SIGKILL);
		while (waitpid(*pid, NULL, 0) < 0 && errno == EINTR)
			continue;
	}
	*pid = 0;
	close_all(pidfd, 1);
}

void
launch_abort(struct launch *l)
{
	close_all(&l->sync, 1);
	kill_and_reap(&l->sentry, &l->sentry_pidfd);
	kill_and_reap(&l->gofer, &l->gofer_pidfd);
	close_all(&l->ready, 1);
	close_all(&l->control, 1);
}

int
launch_reap(struct launch *l, bool *killed)
{
	int status = 0;
	struct pollfd p = { .fd = l->gofer_pidfd, .events = POLLIN };

	while (waitpid(l->sentry, &status, 0) < 0 && errno == EINTR)
		continue;
	l->sentry = 0;
	/* It goes by itself once its socket has ended; a stuck one is helped along. */
	if (poll(&p, 1, 2000) == 0)
		(void)kill(l->gofer, SIGKILL);
	kill_and_reap(&l->gofer, &l->gofer_pidfd);
	close_all(&l->sentry_pidfd, 1);
	*killed = WIFSIGNALED(status);
	return *killed ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}
