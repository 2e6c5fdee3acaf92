/* epoll: level, edge, one shot, nested, errors. */
#include "guest.h"
#include <sys/epoll.h>

static const struct g_bit tab[] = { BIT(EPOLLIN), BIT(EPOLLOUT), BIT(EPOLLERR), BIT(EPOLLHUP), BIT(EPOLLRDHUP), BIT(EPOLLPRI) };

static void
wait_for(int ep, int ms)
{
	struct epoll_event ev[8];
	char line[256] = "";
	int n = epoll_wait(ep, ev, 8, ms);

	/* the order of several is that of becoming ready; sort by tag all the same */
	for (int tag = 0; tag < 10; tag++) {
		for (int i = 0; i < n; i++) {
			if (ev[i].data.u32 == (unsigned)tag)
				sprintf(line + strlen(line), " %d:%s", tag, BITS(ev[i].events, tab));
		}
	}
	P("wait %s:%s", n < 0 ? err_name(errno) : res(n), line);
}

static long
ctl(int ep, int op, int fd, unsigned events, unsigned tag)
{
	struct epoll_event ev = { .events = events, .data.u32 = tag };

	return Q(epoll_ctl, ep, op, fd, &ev);
}

int
main(void)
{
	struct epoll_event ev;
	int ep, ep2, p[2], q[2], file, sv[2];
	char c[8];
	pid_t pid;

	scratch();
	S(epoll_create, 0);
	S(epoll_create, -1);
	S(epoll_create1, 1);
	ep = epoll_create1(EPOLL_CLOEXEC);
	ep2 = epoll_create(1);
	pipe(p);
	pipe(q);
	file = open("f", O_CREAT | O_RDWR, 0644);
	P("add %s", res(ctl(ep, EPOLL_CTL_ADD, p[0], EPOLLIN, 1)));
	P("again %s", res(ctl(ep, EPOLL_CTL_ADD, p[0], EPOLLIN, 1)));
	P("mod missing %s", res(ctl(ep, EPOLL_CTL_MOD, p[1], EPOLLIN, 1)));
	P("del missing %s", res(ctl(ep, EPOLL_CTL_DEL, p[1], 0, 0)));
	P("file %s", res(ctl(ep, EPOLL_CTL_ADD, file, EPOLLIN, 1)));
	P("itself %s", res(ctl(ep, EPOLL_CTL_ADD, ep, EPOLLIN, 1)));
	P("closed %s", res(ctl(ep, EPOLL_CTL_ADD, 77, EPOLLIN, 1)));
	P("not epoll %s", res(ctl(p[0], EPOLL_CTL_ADD, p[1], EPOLLIN, 1)));
	P("bad ep %s", res(ctl(-1, EPOLL_CTL_ADD, p[1], EPOLLIN, 1)));
	P("bad op %s", res(ctl(ep, 9, p[1], EPOLLIN, 1)));
	P("bad event %s", res(Q(epoll_ctl, ep, EPOLL_CTL_ADD, p[1], BAD)));
	P("del takes null %s", res(Q(epoll_ctl, ep, EPOLL_CTL_DEL, q[1], NULL)));
	S(epoll_wait, ep, &ev, 0, 0);
	S(epoll_wait, ep, &ev, -1, 0);
	S(epoll_wait, p[0], &ev, 1, 0);
	S(epoll_wait, -1, &ev, 1, 0);
	S(epoll_wait, ep, BAD, 1, 0);
	S(epoll_pwait, ep, &ev, 1, 0, NULL, 4);
	S(epoll_pwait, ep, &ev, 1, 0, &ev, 4);
	/* level */
	wait_for(ep, 0);
	int64_t t = now_ns();
	wait_for(ep, 20);
	P("%s", took(t, 20));
	write(p[1], "abc", 3);
	wait_for(ep, -1);
	read(p[0], c, 1);
	wait_for(ep, -1);
	ctl(ep, EPOLL_CTL_ADD, q[1], EPOLLOUT, 2);
	wait_for(ep, -1);
	S(epoll_wait, ep, BAD, 1, 0);
	wait_for(ep, -1);
	ctl(ep, EPOLL_CTL_DEL, q[1], 0, 0);
	/* edge */
	ctl(ep, EPOLL_CTL_MOD, p[0], EPOLLIN | EPOLLET, 3);
	wait_for(ep, 0);
	wait_for(ep, 0);
	write(p[1], "d", 1);
	wait_for(ep, 0);
	read(p[0], c, 1);
	wait_for(ep, 0);
	read(p[0], c, 8);
	wait_for(ep, 0);
	write(p[1], "e", 1);
	wait_for(ep, 0);
	/* one shot */
	ctl(ep, EPOLL_CTL_MOD, p[0], EPOLLIN | EPOLLONESHOT, 4);
	wait_for(ep, 0);
	wait_for(ep, 0);
	write(p[1], "f", 1);
	wait_for(ep, 0);
	ctl(ep, EPOLL_CTL_MOD, p[0], EPOLLIN | EPOLLONESHOT, 5);
	wait_for(ep, 0);
	ctl(ep, EPOLL_CTL_MOD, p[0], EPOLLIN, 5);
	/* nested: the inner one is readable when something in it is ready */
	P("nest %s", res(ctl(ep2, EPOLL_CTL_ADD, ep, EPOLLIN, 6)));
	P("loop %s", res(ctl(ep, EPOLL_CTL_ADD, ep2, EPOLLIN, 7)));
	wait_for(ep2, 0);
	read(p[0], c, 8);
	wait_for(ep2, 0);
	write(p[1], "x", 1);
	wait_for(ep2, 0);
	struct pollfd pf = { ep, POLLIN, 0 };
	S(poll, &pf, 1, 0);
	P("%s", poll_bits(pf.revents));
	read(p[0], c, 8);
	/* woken, by another process */
	pid = START(nap(20); write(p[1], "w", 1));
	wait_for(ep, 5000);
	P("%s", reap(pid));
	read(p[0], c, 8);
	/* closing removes, but only the last descriptor of the open file */
	int d = dup(p[0]);
	write(p[1], "y", 1);
	close(p[0]);
	wait_for(ep, 0);
	read(d, c, 8);
	close(d);
	wait_for(ep, 0);
	/* hang up */
	ctl(ep, EPOLL_CTL_ADD, q[0], 0, 8);
	wait_for(ep, 0);
	close(q[1]);
	wait_for(ep, 0);
	ctl(ep, EPOLL_CTL_DEL, q[0], 0, 0);
	socketpair(AF_UNIX, SOCK_STREAM, 0, sv);
	ctl(ep, EPOLL_CTL_ADD, sv[0], EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, 9);
	wait_for(ep, 0);
	write(sv[1], "s", 1);
	wait_for(ep, 0);
	shutdown(sv[1], SHUT_WR);
	wait_for(ep, 0);
	close(sv[1]);
	wait_for(ep, 0);
	/* interrupted */
	ctl(ep, EPOLL_CTL_DEL, sv[0], 0, 0);
	catch_sig(SIGALRM, SA_RESTART);
	ualarm(20000, 0);
	wait_for(ep, -1);
	/* exclusive */
	pipe(p);
	P("exclusive %s", res(ctl(ep, EPOLL_CTL_ADD, p[0], EPOLLIN | EPOLLEXCLUSIVE, 1)));
	P("mod %s", res(ctl(ep, EPOLL_CTL_MOD, p[0], EPOLLIN, 1)));
	P("with one shot %s", res(ctl(ep, EPOLL_CTL_ADD, p[1], EPOLLOUT | EPOLLEXCLUSIVE | EPOLLONESHOT, 1)));
	struct timespec zero = { 0, 0 };
	S(epoll_pwait2, ep, &ev, 1, &zero, NULL, 0);
	return 0;
}
