/* splice and sendfile out of a pipe or file into things that have no bytes of their own. */
#include "guest.h"
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>

static void
alarmed(int sig)
{
	P("still here: signal %d", sig);
	_exit(1);
}

int
main(void)
{
	uint64_t much = UINT64_MAX - 1, some = 5;
	int p[2], e, file, sv[2];
	sigset_t none;

	signal(SIGALRM, alarmed);
	alarm(5);
	scratch();
	pipe(p);
	/* a full counter: a write would wait */
	e = eventfd(0, 0);
	S(write, e, &some, 8);
	S(write, p[1], &much, 8);
	S(splice, p[0], NULL, e, NULL, 8, 0);
	S(splice, p[0], NULL, e, NULL, 8, SPLICE_F_NONBLOCK);
	S(splice, e, NULL, p[1], NULL, 8, 0);
	S(splice, p[0], NULL, timerfd_create(CLOCK_MONOTONIC, 0), NULL, 8, 0);
	sigemptyset(&none);
	S(splice, p[0], NULL, signalfd(-1, &none, 0), NULL, 8, 0);
	S(splice, p[0], NULL, inotify_init(), NULL, 8, 0);
	S(splice, p[0], NULL, epoll_create1(0), NULL, 8, 0);
	S(splice, p[0], NULL, open("/dev/null", O_WRONLY), NULL, 8, 0);
	/* a counter takes what a file sends */
	file = open("file", O_CREAT | O_RDWR, 0600);
	S(write, file, &some, 8);
	S(lseek, file, 0, SEEK_SET);
	S(sendfile, e, file, NULL, 8);
	S(write, p[1], "bytes", 5);
	socketpair(AF_UNIX, SOCK_STREAM, 0, sv);
	S(splice, p[0], NULL, sv[0], NULL, 5, 0);
	return 0;
}
