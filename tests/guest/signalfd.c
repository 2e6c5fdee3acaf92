/* signalfd. */
#include "guest.h"
#include <sys/signalfd.h>

int
main(void)
{
	struct signalfd_siginfo si[3];
	uint64_t set = 1UL << (SIGUSR1 - 1) | 1UL << (SIGUSR2 - 1) | 1UL << (40 - 1);
	struct pollfd pf;
	int fd, p[2];
	pid_t me = getpid();

	pipe(p);
	Q(rt_sigprocmask, SIG_BLOCK, &set, NULL, 8);
	S(signalfd4, -1, &set, 4, 0);
	S(signalfd4, -1, BAD, 8, 0);
	S(signalfd4, -1, &set, 8, 1);
	S(signalfd4, p[0], &set, 8, 0);
	S(signalfd4, 77, &set, 8, 0);
	fd = syscall(SYS_signalfd4, -1, &set, 8, SFD_NONBLOCK | SFD_CLOEXEC);
	S(fcntl, fd, F_GETFD);
	S(read, fd, si, sizeof si[0]);
	S(read, fd, si, 10);
	S(write, fd, si, sizeof si[0]);
	pf = (struct pollfd){ fd, POLLIN | POLLOUT, 0 };
	S(poll, &pf, 1, 0);
	kill(me, SIGUSR2);
	kill(me, SIGUSR1);
	sigqueue(me, 40, (union sigval){ .sival_int = 5 });
	S(poll, &pf, 1, 0);
	P("%s", poll_bits(pf.revents));
	S(read, fd, si, sizeof si);
	for (int i = 0; i < 3; i++)
		P("%s code %s pid %s uid %d int %d", sig_name(si[i].ssi_signo), si_code_name(si[i].ssi_signo, si[i].ssi_code),
		    si[i].ssi_pid == (unsigned)me ? "self" : "?", si[i].ssi_uid, si[i].ssi_int);
	S(read, fd, si, sizeof si);
	/* changing the set */
	set = 1UL << (SIGHUP - 1);
	P("change: %s", res(Q(signalfd4, fd, &set, 8, 0) == fd));
	kill(me, SIGUSR1);
	S(read, fd, si, sizeof si);
	set = 1UL << (SIGUSR1 - 1) | 1UL << (SIGKILL - 1);
	P("change: %s", res(Q(signalfd4, fd, &set, 8, 0) == fd));
	S(read, fd, BAD, sizeof si);
	S(read, fd, si, sizeof si);
	/* waiting; a child reads its own signals through the inherited descriptor */
	fcntl(fd, F_SETFL, 0);
	pid_t pid = START(
		struct signalfd_siginfo s;
		P("child %s", res(read(fd, &s, sizeof s)));
		P("%s from %s", sig_name(s.ssi_signo), s.ssi_pid == (unsigned)getppid() ? "the parent" : "?");
	);
	await_sleep(pid);
	kill(pid, SIGUSR1);
	P("%s", reap(pid));
	return 0;
}
