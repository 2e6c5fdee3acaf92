/*
 * Files of /proc that were opened before the task executed a set-user-id program: they show what they were opened for,
 * never the memory of that program.
 */
#include "guest.h"
#include <sys/prctl.h>

#define UP	40	/* the program says that it runs */
#define DOWN	41	/* and ends when this does */

static char secret[] = "secret of root";

static void
wait_there(void)
{
	char c;

	write(UP, "r", 1);
	read(DOWN, &c, 1);
	_exit(strcmp(secret, "secret of root") == 0 ? 0 : 1);
}

static int
open_of(pid_t pid, const char *name, int how)
{
	char path[64];

	snprintf(path, sizeof path, "/proc/%d/%s", pid, name);
	return open(path, how);
}

/* What a read gives: nothing, something, or an error. */
static void
show_read(const char *name, int fd, off_t at)
{
	char b[4096];
	ssize_t n = pread(fd, b, sizeof b, at);

	P("%s: %s", name, n < 0 ? err_name(errno) : n == 0 ? "nothing" : "something");
}

static void
look_at(const char *program)
{
	static const char *names[] = { "maps", "smaps", "environ", "auxv" };
	int up[2], down[2], fds[N_OF(names)], mem, pidfd, pid, status;
	char c;

	pipe(up);
	pipe(down);
	pid = fork();
	if (pid == 0) {
		dup2(up[1], UP);
		dup2(down[0], DOWN);
		close(down[1]);
		write(UP, "c", 1);
		read(DOWN, &c, 1);
		execl(program, program, "wait", NULL);
		_exit(99);
	}
	close(up[1]);
	close(down[0]);
	read(up[0], &c, 1);
	for (size_t i = 0; i < N_OF(names); i++)
		fds[i] = open_of(pid, names[i], O_RDONLY);
	mem = open_of(pid, "mem", O_RDWR);
	pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	P("%s, before", program);
	for (size_t i = 0; i < N_OF(names); i++)
		show_read(names[i], fds[i], 0);
	show_read("mem", mem, (off_t)(uintptr_t)secret);
	write(down[1], "g", 1);
	read(up[0], &c, 1);

	P("%s, executed", program);
	for (size_t i = 0; i < N_OF(names); i++)
		show_read(names[i], fds[i], 0);
	show_read("mem", mem, (off_t)(uintptr_t)secret);
	P("write: %s", res(lib(pwrite(mem, "S", 1, (off_t)(uintptr_t)secret))));
	for (size_t i = 0; i < N_OF(names); i++) {
		int fd = open_of(pid, names[i], O_RDONLY);

		P("%s anew: %s", names[i], ok(lib(fd)));
		close(fd);
	}
	P("mem anew: %s", ok(lib(open_of(pid, "mem", O_RDWR))));
	P("descriptor: %s", ok(lib(syscall(SYS_pidfd_getfd, pidfd, DOWN, 0))));
	close(down[1]);
	waitpid(pid, &status, 0);
	P("%s: status %d", program, WEXITSTATUS(status));
}

/* A process that keeps its secrets, of the same user. */
static void
undumpable(void)
{
	int up[2], pid, pidfd;
	char c;

	pipe(up);
	pid = fork();
	if (pid == 0) {
		prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
		write(up[1], "r", 1);
		pause();
	}
	read(up[0], &c, 1);
	pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	P("undumpable, descriptor: %s", ok(lib(syscall(SYS_pidfd_getfd, pidfd, up[1], 0))));
	P("undumpable, mem: %s", ok(lib(open_of(pid, "mem", O_RDONLY))));
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

int
main(int argc, char **argv)
{
	if (argc > 1 && strcmp(argv[1], "wait") == 0)
		wait_there();
	scratch();
	copy_self("plain", 0755, 0, 0);
	copy_self("root", 04755, 0, 0);
	copy_self("hidden", 0711, 0, 0);
	chmod(".", 0755);
	setgroups(0, NULL);
	if (setresgid(600, 600, 600) || setresuid(600, 600, 600))
		die("setresuid");
	prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
	look_at("plain");
	look_at("root");
	look_at("hidden");
	undumpable();
	return 0;
}
