/* /proc/PID/fd of a process that has changed who it is: its own threads still look, others do not. */
#include "guest.h"
#include <sys/prctl.h>

static const char *
try(const char *path, int flags)
{
	int fd = (int)Q(open, path, flags);
	const char *r = ok(fd);

	if (fd >= 0)
		close(fd);
	return r;
}

static void
show_fds(const char *who, pid_t pid)
{
	char path[5][64], b[64];
	struct stat st;

	snprintf(path[0], 64, "/proc/%d/fd", pid);
	snprintf(path[1], 64, "/proc/%d/fd/0", pid);
	snprintf(path[2], 64, "/proc/%d/fd/777", pid);
	snprintf(path[3], 64, "/proc/%d/fdinfo", pid);
	snprintf(path[4], 64, "/proc/%d/fdinfo/0", pid);
	P("%s: fd %s, list %s, 0 %s, 777 %s, fdinfo %s, fdinfo/0 %s", who, try(path[0], O_RDONLY | O_DIRECTORY),
	    ok(access(path[0], R_OK | X_OK) < 0 ? -errno : 0), try(path[1], O_RDONLY), try(path[2], O_RDONLY),
	    try(path[3], O_RDONLY | O_DIRECTORY), try(path[4], O_RDONLY));
	P("%s: readlink %s, write %s, owner is root %s", who, ok(lib(readlink(path[1], b, sizeof b))),
	    ok(access(path[0], W_OK) < 0 ? -errno : 0), stat(path[0], &st) < 0 ? err_name(errno) : st.st_uid == 0 ? "yes" : "no");
}

static void *
thread(void *arg)
{
	(void)arg;
	show_fds("thread", getpid());
	return NULL;
}

static void
all(const char *what, uid_t uid)
{
	pthread_t id;
	pid_t pid = getpid(), kid;

	P("%s", what);
	setgroups(0, NULL);
	if (setresgid(uid, uid, uid) < 0 || setresuid(uid, uid, uid) < 0)
		die("ids");
	show_fds("itself", pid);
	pthread_create(&id, NULL, thread, NULL);
	pthread_join(id, NULL);
	kid = START(show_fds("child", pid); prctl(PR_SET_DUMPABLE, 1); show_fds("dumpable child", pid));
	reap(kid);
	prctl(PR_SET_DUMPABLE, 1);
	kid = START(show_fds("child of a dumpable", pid));
	reap(kid);
}

int
main(void)
{
	int fd = (int)Q(open, "/dev/null", O_RDONLY);

	dup2(fd, 0);
	P("%s", wst(CHILD(all("root", 0))));
	P("%s", wst(CHILD(all("600", 600))));
	return 0;
}
