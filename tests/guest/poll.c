/* poll, ppoll, select, pselect. */
#include "guest.h"

struct sigarg {
	const void	*set;
	size_t		size;
};

int
main(void)
{
	struct pollfd f[4];
	struct timespec ts = { 0, 20000000 }, zero = { 0, 0 }, bad = { 0, -1 };
	struct timeval tv = { 0, 20000 }, neg = { -1, 0 };
	uint64_t all = ~0UL, none = 0;
	struct sigarg sa = { &none, 8 };
	int p[2], q[2], file;
	int64_t t;
	fd_set r, w, e;
	pid_t pid;

	scratch();
	put("f", "x");
	file = open("f", O_RDWR);
	pipe(p);
	pipe(q);
	f[0] = (struct pollfd){ p[0], POLLIN, 99 };
	f[1] = (struct pollfd){ p[1], POLLOUT, 99 };
	f[2] = (struct pollfd){ -1, POLLIN, 99 };
	f[3] = (struct pollfd){ 77, POLLIN, 99 };
	S(poll, f, 4, 0);
	for (int i = 0; i < 4; i++)
		P("%d: %s", i, poll_bits(f[i].revents));
	t = now_ns();
	S(poll, f, 1, 20);
	P("%s", took(t, 20));
	S(poll, NULL, 0, 0);
	S(poll, NULL, 1, 0);
	S(poll, f, 1UL << 31, 0);
	write(p[1], "x", 1);
	S(poll, f, 1, -1);
	P("%s", poll_bits(f[0].revents));
	f[0].events = 0;
	S(poll, f, 1, 0);
	f[0] = (struct pollfd){ file, POLLIN | POLLOUT | POLLPRI | POLLRDNORM | POLLWRBAND, 0 };
	S(poll, f, 1, 0);
	P("file %s", poll_bits(f[0].revents));
	close(q[1]);
	f[0] = (struct pollfd){ q[0], 0, 0 };
	S(poll, f, 1, -1);
	P("hung up %s", poll_bits(f[0].revents));
	/* woken from sleep */
	pipe(q);
	pid = START(nap(20); write(q[1], "w", 1));
	f[0] = (struct pollfd){ q[0], POLLIN, 0 };
	S(poll, f, 1, 5000);
	P("%s %s", poll_bits(f[0].revents), reap(pid));
	read(q[0], &f[1], 1);
	/* ppoll */
	S(ppoll, f, 1, &zero, NULL, 8);
	S(ppoll, f, 1, &bad, NULL, 8);
	S(ppoll, f, 1, BAD, NULL, 8);
	S(ppoll, f, 1, &zero, &none, 4);
	S(ppoll, f, 1, &ts, NULL, 8);
	P("time left %ld", ts.tv_nsec);
	catch_sig(SIGUSR1, 0);
	Q(rt_sigprocmask, SIG_SETMASK, &all, NULL, 8);
	kill(getpid(), SIGUSR1);
	S(ppoll, f, 1, NULL, &none, 8);
	P("handled %d", got[SIGUSR1]);
	kill(getpid(), SIGUSR1);
	write(q[1], "x", 1);
	S(ppoll, f, 1, NULL, &none, 8);
	P("ready and pending: handled %d", got[SIGUSR1]);
	read(q[0], &f[1], 1);
	Q(rt_sigprocmask, SIG_SETMASK, &none, NULL, 8);
	/* select */
	FD_ZERO(&r);
	FD_ZERO(&w);
	FD_ZERO(&e);
	FD_SET(p[0], &r);
	FD_SET(q[0], &r);
	FD_SET(q[1], &w);
	FD_SET(p[0], &e);
	S(select, 64, &r, &w, &e, NULL);
	P("r %d %d w %d e %d", FD_ISSET(p[0], &r), FD_ISSET(q[0], &r), FD_ISSET(q[1], &w), FD_ISSET(p[0], &e));
	FD_ZERO(&r);
	FD_SET(q[0], &r);
	t = now_ns();
	S(select, q[0] + 1, &r, NULL, NULL, &tv);
	P("%s, left %ld, set %d", took(t, 20), (long)tv.tv_usec, FD_ISSET(q[0], &r));
	S(select, -1, NULL, NULL, NULL, &tv);
	S(select, 0, NULL, NULL, NULL, &neg);
	S(select, 0, NULL, NULL, NULL, BAD);
	FD_SET(60, &r);
	S(select, 61, &r, NULL, NULL, &tv);
	P("set kept on error %d", FD_ISSET(60, &r));
	S(select, 10, BAD, NULL, NULL, &tv);
	FD_ZERO(&r);
	FD_SET(60, &r);
	S(select, 60, &r, NULL, NULL, &tv);
	/* sets are whole words, both ways */
	char *edge = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	unsigned long words[2] = { ~0UL, ~0UL };
	munmap(edge + 4096, 4096);
	S(select, 1, edge + 4096 - 4, NULL, NULL, &tv);
	S(select, 1, edge + 4096 - 8, NULL, NULL, &tv);
	S(select, 64, edge + 4096 - 8, NULL, NULL, &tv);
	words[0] &= ~0xffUL;
	S(select, 8, words, NULL, NULL, &tv);
	P("%lx %lx", words[0], words[1]);
	/* ends of file are readable; a broken pipe writable */
	pipe(p);
	close(p[0]);
	FD_ZERO(&w);
	FD_ZERO(&e);
	FD_SET(p[1], &w);
	FD_SET(p[1], &e);
	S(select, p[1] + 1, NULL, &w, &e, NULL);
	P("w %d e %d", FD_ISSET(p[1], &w), FD_ISSET(p[1], &e));
	/* pselect6 */
	Q(rt_sigprocmask, SIG_SETMASK, &all, NULL, 8);
	kill(getpid(), SIGUSR1);
	FD_ZERO(&r);
	FD_SET(q[0], &r);
	S(pselect6, q[0] + 1, &r, NULL, NULL, NULL, &sa);
	P("handled %d", got[SIGUSR1]);
	sa.size = 4;
	S(pselect6, q[0] + 1, &r, NULL, NULL, &zero, &sa);
	S(pselect6, q[0] + 1, &r, NULL, NULL, &bad, NULL);
	S(pselect6, q[0] + 1, &r, NULL, NULL, &zero, NULL);
	S(pselect6, q[0] + 1, &r, NULL, NULL, &zero, BAD);
	return 0;
}
