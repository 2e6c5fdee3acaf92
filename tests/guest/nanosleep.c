/* nanosleep and clock_nanosleep. */
#include "guest.h"

int
main(void)
{
	struct timespec ts = { 0, 20000000 }, rem = { 7, 7 }, neg = { -1, 0 }, big = { 0, 1000000000 }, minus = { 0, -1 };
	struct timespec t0;
	int64_t t;

	S(nanosleep, &neg, NULL);
	S(nanosleep, &big, NULL);
	S(nanosleep, &minus, NULL);
	S(nanosleep, NULL, NULL);
	S(nanosleep, BAD, NULL);
	t = now_ns();
	S(nanosleep, &ts, &rem);
	P("%s, rest untouched %d", took(t, 20), rem.tv_sec == 7);
	ts = (struct timespec){ 0, 0 };
	S(nanosleep, &ts, NULL);
	ts = (struct timespec){ 0, 1 };
	S(nanosleep, &ts, NULL);
	S(clock_nanosleep, 99, 0, &ts, NULL);
	S(clock_nanosleep, CLOCK_MONOTONIC, 0, &big, NULL);
	S(clock_nanosleep, CLOCK_MONOTONIC, 2, &ts, NULL);
	S(clock_nanosleep, CLOCK_THREAD_CPUTIME_ID, 0, &ts, NULL);
	S(clock_nanosleep, CLOCK_MONOTONIC_COARSE, 0, &ts, NULL);
	S(clock_nanosleep, CLOCK_REALTIME, TIMER_ABSTIME, &ts, NULL);
	clock_gettime(CLOCK_MONOTONIC, &t0);
	t = now_ns();
	t0.tv_nsec += 20000000;
	if (t0.tv_nsec >= 1000000000) {
		t0.tv_sec++;
		t0.tv_nsec -= 1000000000;
	}
	S(clock_nanosleep, CLOCK_MONOTONIC, TIMER_ABSTIME, &t0, NULL);
	P("%s", took(t, 15));
	ts = (struct timespec){ 0, 20000000 };
	t = now_ns();
	S(clock_nanosleep, CLOCK_REALTIME, 0, &ts, NULL);
	P("%s", took(t, 20));
	S(clock_nanosleep, CLOCK_BOOTTIME, 0, &ts, NULL);
	S(clock_nanosleep, CLOCK_TAI, 0, &ts, NULL);
	/* interrupted: the rest is told only for a relative sleep */
	catch_sig(SIGALRM, SA_RESTART);
	ts = (struct timespec){ 3, 0 };
	ualarm(20000, 0);
	S(clock_nanosleep, CLOCK_MONOTONIC, 0, &ts, &rem);
	P("rest %s", rem.tv_sec == 2 ? "told" : "?");
	ualarm(20000, 0);
	S(nanosleep, &ts, BAD);
	rem.tv_sec = 7;
	clock_gettime(CLOCK_MONOTONIC, &t0);
	t0.tv_sec += 3;
	ualarm(20000, 0);
	S(clock_nanosleep, CLOCK_MONOTONIC, TIMER_ABSTIME, &t0, &rem);
	P("rest untouched %d", rem.tv_sec == 7);
	/* an ignored signal does not end a sleep, nor shorten it */
	set_sig(SIGUSR1, SIG_IGN);
	pid_t pid = START(for (int i = 0; i < 5; i++) { nap(5); kill(getppid(), SIGUSR1); });
	ts = (struct timespec){ 0, 60000000 };
	t = now_ns();
	S(nanosleep, &ts, NULL);
	P("%s", took(t, 60));
	P("%s", reap(pid));
	return 0;
}
