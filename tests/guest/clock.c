/* clock_gettime and its kin, through the vDSO and through the call. */
#include "guest.h"
#include <sys/times.h>
#include <sys/timex.h>

int
main(void)
{
	clockid_t ids[] = { CLOCK_REALTIME, CLOCK_MONOTONIC, CLOCK_PROCESS_CPUTIME_ID, CLOCK_THREAD_CPUTIME_ID,
		CLOCK_MONOTONIC_RAW, CLOCK_REALTIME_COARSE, CLOCK_MONOTONIC_COARSE, CLOCK_BOOTTIME, CLOCK_TAI };
	struct timespec a, b, ts = { -1, 0 };
	struct timeval tv;
	struct timezone tz;
	struct tms tms;

	for (size_t i = 0; i < N_OF(ids); i++) {
		long r = Q(clock_gettime, ids[i], &a), l = lib(clock_gettime(ids[i], &b));
		long diff = (b.tv_sec - a.tv_sec) * 1000 + (b.tv_nsec - a.tv_nsec) / 1000000;

		P("clock %d: %s %s, %s", ids[i], res(r), res(l), diff >= -20 && diff < 2000 ? "close" : "apart");
	}
	int back = 0;
	clock_gettime(CLOCK_MONOTONIC, &a);
	for (int i = 0; i < 2000; i++) {
		if (i % 10)
			clock_gettime(CLOCK_MONOTONIC, &b);
		else
			Q(clock_gettime, CLOCK_MONOTONIC, &b);
		if (b.tv_sec < a.tv_sec || (b.tv_sec == a.tv_sec && b.tv_nsec < a.tv_nsec))
			back++;
		a = b;
	}
	P("went back %d times", back);
	S(clock_gettime, 99, &a);
	S(clock_gettime, -1, &a);
	S(clock_gettime, 10, &a);
	S(clock_gettime, CLOCK_REALTIME, BAD);
	S(clock_gettime, CLOCK_REALTIME, NULL);
	S(clock_getres, CLOCK_MONOTONIC, &a);
	P("res %ld.%ld", (long)a.tv_sec, a.tv_nsec);
	S(clock_getres, CLOCK_MONOTONIC, NULL);
	S(clock_getres, 99, NULL);
	S(clock_getres, 99, BAD);
	S(clock_settime, CLOCK_MONOTONIC, &a);
	S(clock_settime, CLOCK_REALTIME, BAD);
	S(clock_settime, CLOCK_REALTIME, &ts);
	S(clock_settime, 99, &a);
	S(gettimeofday, &tv, &tz);
	P("%d %s", tz.tz_minuteswest, tv.tv_usec < 1000000 ? "usec" : "?");
	S(gettimeofday, NULL, NULL);
	S(gettimeofday, BAD, NULL);
	S(settimeofday, BAD, NULL);
	long now = Q(time, NULL);
	time_t t2;
	P("time %s", labs(now - tv.tv_sec) <= 1 && labs(Q(time, &t2) - t2) <= 0 ? "agrees" : "?");
	S(time, BAD);
	P("times %s", Q(times, &tms) > 0 ? "ok" : "?");
	P("times null %s", Q(times, NULL) > 0 ? "ok" : "?");
	/* CPU time moves when one works, not when one sleeps */
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &a);
	/* however busy the machine is */
	int64_t start = now_ms();
	long ms = 0;
	while (ms < 20 && now_ms() - start < 10000) {
		clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &b);
		ms = (b.tv_sec - a.tv_sec) * 1000 + (b.tv_nsec - a.tv_nsec) / 1000000;
	}
	P("worked: %s", ms >= 20 && ms <= now_ms() - start + 10 ? "some" : res(ms));
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &a);
	nap(100);
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &b);
	ms = (b.tv_sec - a.tv_sec) * 1000 + (b.tv_nsec - a.tv_nsec) / 1000000;
	P("slept: %s", ms < 50 ? "little" : res(ms));
	/* the clock of another process */
	clockid_t id;
	P("own clock: %s", res(clock_getcpuclockid(0, &id)));
	P("%s", res(Q(clock_gettime, id, &a)));
	P("%s", res(Q(clock_gettime, ~0x7fffffeU << 3 | 2, &a)));
	struct timex tx = { 0 };
	P("adjtimex reads: %s", Q(adjtimex, &tx) >= 0 ? "ok" : "?");
	S(adjtimex, BAD);
	return 0;
}
