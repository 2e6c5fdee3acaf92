/* A set and a member of it are closed at the same time, by two threads: the member leaves the set once. */
#include "guest.h"

#include <sys/epoll.h>

#define ROUNDS	300

static pthread_barrier_t both;
static int set, member;

static void *
close_member(void *arg)
{
	(void)arg;
	for (int i = 0; i < ROUNDS; i++) {
		pthread_barrier_wait(&both);
		Q(close, member);
		pthread_barrier_wait(&both);
	}
	return NULL;
}

int
main(void)
{
	struct epoll_event ev = { .events = EPOLLIN | EPOLLET };
	pthread_t other;
	int bad = 0;

	pthread_barrier_init(&both, NULL, 2);
	if (pthread_create(&other, NULL, close_member, NULL) != 0)
		die("pthread_create");
	for (int i = 0; i < ROUNDS; i++) {
		set = epoll_create1(0);
		member = i % 2 ? eventfd(0, 0) : epoll_create1(0);
		bad += epoll_ctl(set, EPOLL_CTL_ADD, member, &ev) != 0;
		pthread_barrier_wait(&both);
		bad += close(set) != 0;
		pthread_barrier_wait(&both);
	}
	pthread_join(other, NULL);
	P("rounds that went wrong: %d", bad);
	return 0;
}
