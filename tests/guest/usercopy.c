/* How calls treat memory they may not touch: EFAULT, and what has already happened. */
#include "guest.h"

#define ANON	(MAP_PRIVATE | MAP_ANONYMOUS)

int
main(void)
{
	char *ro = mmap(NULL, 4096, PROT_READ, ANON, -1, 0);
	char *none = mmap(NULL, 4096, PROT_NONE, ANON, -1, 0);
	char *kernel = (char *)0xffff800000000000UL, *high = (char *)(1UL << 47);
	int p[2], fd;
	char buf[16];

	scratch();
	fd = open("f", O_RDWR | O_CREAT, 0644);
	write(fd, "0123456789", 10);
	pipe(p);
	write(p[1], "0123456789", 10);
	S(read, p[0], ro, 4);
	S(read, p[0], none, 4);
	S(read, p[0], kernel, 4);
	S(read, p[0], high, 4);
	S(read, p[0], high - 4096, 4);
	S(read, p[0], buf, 16);
	P("a failed read lost: %s", txt(buf, 10));
	S(write, p[1], none, 4);
	S(write, p[1], kernel, 4);
	S(write, p[1], ro, 4);
	S(pread64, fd, ro, 4, 0);
	S(pread64, fd, none, 4, 0);
	S(pwrite64, fd, none, 4, 0);
	S(pipe, ro);
	S(pipe, none);
	S(pipe, kernel);
	S(pipe, buf);
	S(getrandom, ro, 8, 0);
	S(uname, none);
	S(gettimeofday, none, NULL);
	S(clock_gettime, CLOCK_MONOTONIC, none);
	S(nanosleep, none, NULL);
	S(rt_sigaction, SIGUSR1, none, NULL, 8);
	S(rt_sigaction, SIGUSR1, NULL, ro, 8);
	S(rt_sigprocmask, SIG_BLOCK, none, NULL, 8);
	S(poll, none, 1, 0);
	S(select, 4, none, NULL, NULL, NULL);
	S(futex, none, 0, 0, NULL);
	S(futex, none, 128, 0, NULL);
	S(wait4, -1, none, 0, NULL);
	P("the child goes even so: %s", wst(CHILD(
		pid_t k = fork();
		if (k == 0)
			_exit(3);
		S(wait4, -1, none, 0, NULL);
		S(wait4, -1, NULL, 0, NULL);
	)));
	S(execve, none, NULL, NULL);
	S(execve, "/bin/true", none, NULL);
	char *argv[] = { none, NULL };
	S(execve, "/bin/true", argv, NULL);
	S(socketpair, AF_UNIX, SOCK_STREAM, 0, ro);
	S(getcwd, ro, 100);
	S(readlink, "/proc/self/exe", ro, 100);
	S(stat, none, buf);
	S(sysinfo, ro);
	S(getrlimit, RLIMIT_NOFILE, ro);
	S(times, ro);
	S(getitimer, ITIMER_REAL, ro);
	S(setitimer, ITIMER_REAL, none, NULL);
	S(sched_getaffinity, 0, 8, BAD);
	S(capget, none, NULL);
	S(getgroups, 0, none);
	S(getresuid, ro, ro, ro);
	S(prctl, 16, ro);
	return 0;
}
