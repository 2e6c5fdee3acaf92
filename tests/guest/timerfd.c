/* timerfd. */
#include "guest.h"
#include <sys/timerfd.h>

int
main(void)
{
	struct itimerspec it = { { 0, 0 }, { 0, 20000000 } }, old, bad = { { 0, 0 }, { 0, 1000000000 } };
	struct timespec t0;
	struct pollfd pf;
	uint64_t v = 0;
	int fd, p[2];
	int64_t t;

	S(timerfd_create, 99, 0);
	S(timerfd_create, CLOCK_MONOTONIC, 1);
	S(timerfd_create, CLOCK_PROCESS_CPUTIME_ID, 0);
	OK(timerfd_create, CLOCK_BOOTTIME, 0);
	fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
	pipe(p);
	S(fcntl, fd, F_GETFD);
	S(read, fd, &v, 8);
	S(read, fd, &v, 4);
	S(write, fd, &v, 8);
	S(timerfd_settime, fd, 0, &bad, NULL);
	S(timerfd_settime, fd, 8, &it, NULL);
	S(timerfd_settime, fd, 0, NULL, NULL);
	S(timerfd_settime, -1, 0, &it, NULL);
	S(timerfd_settime, p[0], 0, &it, NULL);
	S(timerfd_gettime, p[0], &old);
	S(timerfd_gettime, fd, BAD);
	t = now_ns();
	S(timerfd_settime, fd, 0, &it, &old);
	P("was %s", old.it_value.tv_nsec ? "armed" : "disarmed");
	S(timerfd_gettime, fd, &old);
	P("is %s", old.it_value.tv_nsec > 0 && old.it_value.tv_nsec <= 20000000 ? "armed" : "?");
	pf = (struct pollfd){ fd, POLLIN, 0 };
	S(poll, &pf, 1, 5000);
	P("%s %s", poll_bits(pf.revents), took(t, 20));
	S(read, fd, &v, 8);
	P("count %lu", v);
	S(read, fd, &v, 8);
	it = (struct itimerspec){ { 0, 3000000 }, { 0, 1 } };
	S(timerfd_settime, fd, 0, &it, NULL);
	nap(40);
	S(read, fd, &v, 8);
	P("count %s", v >= 10 && v < 2000 ? "many" : res(v));
	fcntl(fd, F_SETFL, 0);
	S(read, fd, &v, 8);
	P("count %s", v >= 1 && v < 1000 ? "some" : res(v));
	/* stopping forgets what was not read */
	nap(10);
	it = (struct itimerspec){ { 0, 0 }, { 0, 0 } };
	S(timerfd_settime, fd, 0, &it, &old);
	P("interval %ld", old.it_interval.tv_nsec);
	fcntl(fd, F_SETFL, O_NONBLOCK);
	S(read, fd, &v, 8);
	clock_gettime(CLOCK_MONOTONIC, &t0);
	it.it_value = t0;
	S(timerfd_settime, fd, TFD_TIMER_ABSTIME, &it, NULL);
	pf = (struct pollfd){ fd, POLLIN, 0 };
	S(poll, &pf, 1, 5000);
	S(read, fd, &v, 8);
	P("count %lu", v);
	fd = timerfd_create(CLOCK_REALTIME, 0);
	it = (struct itimerspec){ { 0, 0 }, { 1, 0 } };
	S(timerfd_settime, fd, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, &it, NULL);
	S(read, fd, &v, 8);
	P("count %lu", v);
	/* a blocked reader, in a child */
	fd = timerfd_create(CLOCK_MONOTONIC, 0);
	pid_t pid = START(uint64_t x; P("child %s", res(read(fd, &x, 8))));
	await_sleep(pid);
	it = (struct itimerspec){ { 0, 0 }, { 0, 1000000 } };
	timerfd_settime(fd, 0, &it, NULL);
	P("%s", reap(pid));
	return 0;
}
