/* Resource limits and what they do. */
#include "guest.h"
#include <sys/prctl.h>

static long
lim(int what, rlim_t cur, rlim_t max)
{
	struct rlimit rl = { cur, max };

	return Q(setrlimit, what, &rl);
}

int
main(void)
{
	struct rlimit rl = { 10, 5 }, old;
	struct rusage ru;

	S(getrlimit, 99, &rl);
	S(getrlimit, -1, &rl);
	S(setrlimit, 99, &rl);
	S(setrlimit, RLIMIT_NOFILE, BAD);
	rl = (struct rlimit){ 10, 5 };
	S(setrlimit, RLIMIT_NOFILE, &rl);
	S(prlimit64, 0, 99, NULL, NULL);
	S(prlimit64, 0, RLIMIT_NOFILE, NULL, &old);
	S(prlimit64, 0, RLIMIT_NOFILE, NULL, BAD);
	S(prlimit64, 0x7fffffff, RLIMIT_NOFILE, NULL, &old);
	P("lower and raise, unprivileged: %s", wst(CHILD(
		lim(RLIMIT_NOFILE, 50, 100);
		setuid(600);
		P("soft up %s", res(lim(RLIMIT_NOFILE, 100, 100)));
		P("hard up %s", res(lim(RLIMIT_NOFILE, 100, 101)));
		P("hard down %s", res(lim(RLIMIT_NOFILE, 20, 20)));
		P("and up %s", res(lim(RLIMIT_NOFILE, 20, 21)));
		P("another's %s", res(Q(prlimit64, getppid(), RLIMIT_NOFILE, NULL, &old)));
		P("inherited %s", wst(CHILD(getrlimit(RLIMIT_NOFILE, &old); P("%ld %ld", (long)old.rlim_cur, (long)old.rlim_max))));
	)));
	P("of a child: %s", wst(CHILD(
		pid_t k = START(pause());
		rl = (struct rlimit){ 33, 44 };
		P("%s", res(Q(prlimit64, k, RLIMIT_NOFILE, &rl, NULL)));
		P("%s", res(Q(prlimit64, k, RLIMIT_NOFILE, NULL, &old)));
		P("%ld %ld", (long)old.rlim_cur, (long)old.rlim_max);
		kill(k, SIGKILL);
		reap(k);
	)));
	P("NOFILE: %s", wst(CHILD(
		lim(RLIMIT_NOFILE, 6, 100);
		int n = 0;
		while (dup(1) >= 0)
			n++;
		P("dups %s, then %s", n > 0 && n < 6 ? "some" : "?", err_name(errno));
		S(open, "/dev/null", O_RDONLY);
		S(dup2, 1, 6);
		S(fcntl, 1, F_DUPFD, 6);
		int sv[2];
		S(socketpair, AF_UNIX, SOCK_STREAM, 0, sv);
		S(socket, AF_UNIX, SOCK_STREAM, 0);
	)));
	/* large enough for the transcript itself */
	P("FSIZE: %s", wst(CHILD(
		long top = 1 << 20;
		scratch();
		catch_sig(SIGXFSZ, 0);
		lim(RLIMIT_FSIZE, top, RLIM_INFINITY);
		int fd = open("f", O_CREAT | O_RDWR, 0644);
		lseek(fd, top - 10, SEEK_SET);
		S(write, fd, "0123456789abc", 13);
		S(write, fd, "x", 1);
		P("signals %d", got[SIGXFSZ]);
		S(ftruncate, fd, top + 1);
		P("signals %d", got[SIGXFSZ]);
		S(ftruncate, fd, top);
		S(pwrite64, fd, "y", 1, top - 1);
		S(pwrite64, fd, "yz", 2, top - 1);
		S(pwrite64, fd, "z", 1, top + 100);
		P("signals %d", got[SIGXFSZ]);
		S(fallocate, fd, 0, top, 100);
		P("%s", look("f"));
		P("default: %s", wst(CHILD(set_sig(SIGXFSZ, SIG_DFL); write(open("f", O_WRONLY | O_APPEND), "x", 1))));
		g_clean();
	)));
	P("AS: %s", wst(CHILD(
		lim(RLIMIT_AS, 64 << 20, RLIM_INFINITY);
		void *p = mmap(NULL, 128 << 20, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		P("128 MiB %s", p == MAP_FAILED ? err_name(errno) : "ok");
		p = mmap(NULL, 1 << 20, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		P("1 MiB %s", p == MAP_FAILED ? err_name(errno) : "ok");
		P("no access counts too %s", mmap(NULL, 128 << 20, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED ?
		    err_name(errno) : "ok");
	)));
	P("CPU: %s", wst(CHILD(
		lim(RLIMIT_CPU, 1, 5);
		int64_t end = now_ms() + 15000;
		while (now_ms() < end)
			;
	)));
	P("NPROC: %s", wst(CHILD(
		lim(RLIMIT_NPROC, 1, 1);
		P("root forks: %s", wst(CHILD()));
		setuid(60321);
		pid_t k = fork();
		if (k == 0)
			_exit(0);
		P("fork %s", k < 0 ? err_name(errno) : "ok");
	)));
	P("CORE and others are kept: %s", wst(CHILD(
		int what[] = { RLIMIT_CORE, RLIMIT_DATA, RLIMIT_RSS, RLIMIT_MEMLOCK, RLIMIT_LOCKS, RLIMIT_SIGPENDING, RLIMIT_MSGQUEUE };
		for (size_t i = 0; i < N_OF(what); i++) {
			rl = (struct rlimit){ 1000 + i, 1000 + i };
			getrlimit(what[i], &old);
			if (rl.rlim_max > old.rlim_max)
				rl.rlim_max = rl.rlim_cur = old.rlim_max;
			long r = Q(setrlimit, what[i], &rl);
			getrlimit(what[i], &old);
			P("%d: %s %s", what[i], res(r), old.rlim_cur == rl.rlim_cur ? "kept" : "lost");
		}
	)));
	S(getrusage, RUSAGE_SELF, &ru);
	S(getrusage, RUSAGE_CHILDREN, &ru);
	P("children used %s", (ru.ru_utime.tv_sec + ru.ru_stime.tv_sec) * 1000000 + ru.ru_utime.tv_usec + ru.ru_stime.tv_usec > 100000 ? "some" : "little");
	S(getrusage, RUSAGE_THREAD, &ru);
	S(getrusage, 5, &ru);
	S(getrusage, RUSAGE_SELF, BAD);
	return 0;
}
