/* clone(2) by flags: what is shared, which combinations are refused. */
#include "guest.h"
#include <linux/sched.h>

static char stack[4][65536] __attribute__((aligned(16)));
static volatile int word;
static pid_t ctid, ptid;
static int the_fd;

static int
run(void *arg)
{
	(void)arg;
	word = 7;
	chdir("/");
	umask(077);
	close(the_fd);
	set_sig(SIGUSR2, SIG_IGN);
	return 3;
}

static void
try(const char *name, int flags)
{
	struct sigaction sa;
	char cwd[256];
	int st = -1;
	pid_t pid;

	word = 0;
	chdir(g_dir);
	umask(022);
	the_fd = open("/dev/null", O_RDONLY);
	set_sig(SIGUSR2, SIG_DFL);
	pid = clone(run, stack[0] + sizeof stack[0], flags | SIGCHLD, NULL);
	if (pid < 0) {
		P("%s: %s", name, err_name(errno));
		return;
	}
	waitpid(pid, &st, 0);
	getcwd(cwd, sizeof cwd);
	sigaction(SIGUSR2, NULL, &sa);
	P("%s: %s, memory %d, cwd %s, umask %03o, fd %s, handler %s", name, wst(st), word,
	    strcmp(cwd, "/") ? "own" : "shared", umask(022), fcntl(the_fd, F_GETFD) < 0 ? "closed" : "open",
	    sa.sa_handler == SIG_IGN ? "shared" : "own");
	close(the_fd);
}

static int
quit(void *arg)
{
	return (int)(long)arg;
}

int
main(void)
{
	struct clone_args ca = { .exit_signal = SIGCHLD };
	pid_t pid;
	int st;

	scratch();
	try("nothing", 0);
	try("VM", CLONE_VM);
	try("VM|FS", CLONE_VM | CLONE_FS);
	try("FILES", CLONE_FILES);
	try("FS", CLONE_FS);
	try("VM|SIGHAND", CLONE_VM | CLONE_SIGHAND);
	try("VM|VFORK", CLONE_VM | CLONE_VFORK);
	S(clone, CLONE_SIGHAND | SIGCHLD, stack[1] + 4096, NULL, NULL, 0);
	S(clone, CLONE_THREAD | CLONE_VM, stack[1] + 4096, NULL, NULL, 0);
	S(clone, CLONE_THREAD | CLONE_SIGHAND, stack[1] + 4096, NULL, NULL, 0);
	S(clone, CLONE_FS | CLONE_NEWNS, stack[1] + 4096, NULL, NULL, 0);
	S(clone, CLONE_PARENT_SETTID | CLONE_PIDFD | SIGCHLD, 0, NULL, NULL, 0);
	/* tids */
	pid = syscall(SYS_clone, CLONE_PARENT_SETTID | CLONE_CHILD_SETTID | SIGCHLD, 0, &ptid, &ctid, 0);
	if (pid == 0)
		_exit(ctid == getpid() ? 11 : 12);
	P("settid: %s, parent's word %s, ctid in the parent %d", reap(pid), ptid == pid ? "right" : "wrong", ctid);
	/* no signal at the end: an ordinary wait does not see it */
	pid = clone(quit, stack[0] + sizeof stack[0], 0, (void *)5);
	P("wait: %s", res(Q(wait4, pid, &st, 0, NULL)));
	P("wait clone: %s", res(Q(wait4, pid, &st, __WCLONE, NULL) == pid));
	P("%s", wst(st));
	catch_sig(SIGUSR1, 0);
	pid = clone(quit, stack[0] + sizeof stack[0], SIGUSR1, (void *)6);
	UNTIL(got[SIGUSR1]);
	P("exit signal: %s status %d", si_code_name(SIGCHLD, got_info.si_code), got_info.si_status);
	P("wait all: %s", res(Q(wait4, pid, &st, __WALL, NULL) == pid));
	P("%s", wst(st));
	/* CLONE_PARENT makes a sister */
	volatile int *sh = shared_ints();
	pid = START(
		pid_t k = syscall(SYS_clone, CLONE_PARENT | SIGCHLD, 0, NULL, NULL, 0);
		if (k == 0)
			_exit(8);
		sh[0] = k;
	);
	P("%s", reap(pid));
	P("sister: %s", reap(sh[0]));
	/* clone3 */
	S(clone3, &ca, 0);
	S(clone3, &ca, 63);
	S(clone3, BAD, 64);
	S(clone3, &ca, 5000);
	ca.flags = CLONE_DETACHED;
	S(clone3, &ca, sizeof ca);
	ca.flags = 0;
	ca.exit_signal = 65;
	S(clone3, &ca, sizeof ca);
	ca.exit_signal = SIGCHLD;
	ca.stack = 0x1000;
	S(clone3, &ca, sizeof ca);
	ca.stack = 0;
	ca.stack_size = 4096;
	S(clone3, &ca, sizeof ca);
	ca.stack_size = 0;
	ca.flags = CLONE_PARENT_SETTID;
	ca.parent_tid = (uintptr_t)&ptid;
	pid = syscall(SYS_clone3, &ca, 64);
	if (pid == 0)
		_exit(13);
	P("clone3: %s, tid %s", reap(pid), ptid == pid ? "right" : "wrong");
	/* caught signals start over with CLONE_CLEAR_SIGHAND */
	catch_sig(SIGUSR1, 0);
	set_sig(SIGUSR2, SIG_IGN);
	ca.flags = CLONE_CLEAR_SIGHAND;
	pid = syscall(SYS_clone3, &ca, 64);
	if (pid == 0) {
		struct sigaction sa;

		sigaction(SIGUSR1, NULL, &sa);
		P("caught: %s", sa.sa_handler == SIG_DFL ? "default" : "kept");
		sigaction(SIGUSR2, NULL, &sa);
		P("ignored: %s", sa.sa_handler == SIG_IGN ? "ignored" : "?");
		_exit(0);
	}
	P("%s", reap(pid));
	/* a pidfd */
	int fd = -1;
	ca.flags = CLONE_PIDFD;
	ca.pidfd = (uintptr_t)&fd;
	pid = syscall(SYS_clone3, &ca, 64);
	if (pid == 0) {
		nap(20);
		_exit(14);
	}
	struct pollfd pf = { fd, POLLIN, 0 };
	S(fcntl, fd, F_GETFD);
	S(poll, &pf, 1, 5000);
	siginfo_t si;
	P("waitid: %s", res(Q(waitid, 3, fd, &si, WEXITED, NULL)));
	P("status %d", si.si_status);
	S(pidfd_send_signal, fd, 0, NULL, 0);
	S(pidfd_send_signal, open("/proc/self", O_RDONLY), 0, NULL, 0);
	S(pidfd_send_signal, open("/proc", O_RDONLY), 0, NULL, 0);
	P("non-blocking pidfd: %s", wst(CHILD(
		siginfo_t si;
		pid_t kid = START(pause());
		int pf = syscall(SYS_pidfd_open, kid, O_NONBLOCK);

		S(waitid, P_PIDFD, pf, &si, WEXITED, NULL);
		S(waitid, P_PIDFD, pf, &si, WEXITED | WNOHANG, NULL);
		P("%d", si.si_pid);
		kill(kid, SIGKILL);
		fcntl(pf, F_SETFL, 0);
		S(waitid, P_PIDFD, pf, &si, WEXITED, NULL);
	)));
	S(pidfd_open, -1, 0);
	S(pidfd_open, 0x7fffffff, 0);
	P("pidfd_open: %s", ok(Q(pidfd_open, getpid(), 0)));
	P("flags: %s", ok(Q(pidfd_open, getpid(), 1)));
	return 0;
}
