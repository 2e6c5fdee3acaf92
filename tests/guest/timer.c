/* setitimer, alarm, POSIX timers. */
#include "guest.h"

int
main(void)
{
	struct itimerval it = { { 0, 0 }, { 0, 20000 } }, old, bad = { { 0, 0 }, { 0, 1000000 } };
	struct itimerspec ts = { { 0, 0 }, { 0, 20000000 } }, now, tbad = { { 0, 0 }, { 0, 1000000000 } };
	struct sigevent ev = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1, .sigev_value.sival_int = 77 };
	struct timespec t0;
	int id = -1;
	int64_t t;

	catch_sig(SIGALRM, 0);
	catch_sig(SIGVTALRM, 0);
	catch_sig(SIGPROF, 0);
	catch_sig(SIGUSR1, 0);
	S(setitimer, 3, &it, NULL);
	S(setitimer, -1, &it, NULL);
	S(setitimer, ITIMER_REAL, &bad, NULL);
	S(setitimer, ITIMER_REAL, BAD, NULL);
	S(getitimer, 3, &old);
	S(getitimer, ITIMER_REAL, BAD);
	t = now_ns();
	S(setitimer, ITIMER_REAL, &it, NULL);
	S(getitimer, ITIMER_REAL, &old);
	P("running %s", old.it_value.tv_sec == 0 && old.it_value.tv_usec > 0 ? "yes" : "no");
	UNTIL(got[SIGALRM]);
	P("%s code %s", took(t, 20), si_code_name(SIGALRM, got_info.si_code));
	S(getitimer, ITIMER_REAL, &old);
	P("stopped %s", old.it_value.tv_usec == 0 ? "yes" : "no");
	it.it_interval.tv_usec = 5000;
	got[SIGALRM] = 0;
	S(setitimer, ITIMER_REAL, &it, NULL);
	UNTIL(got[SIGALRM] >= 4);
	P("repeats");
	S(setitimer, ITIMER_REAL, NULL, &old);
	P("interval %ld", (long)old.it_interval.tv_usec);
	S(getitimer, ITIMER_REAL, &old);
	P("interval %ld value %ld", (long)old.it_interval.tv_usec, (long)old.it_value.tv_usec);
	S(alarm, 100);
	it.it_interval.tv_usec = 0;
	S(alarm, 200);
	S(alarm, 0);
	S(alarm, 0);
	/* time spent running */
	it = (struct itimerval){ { 0, 0 }, { 0, 10000 } };
	S(setitimer, ITIMER_VIRTUAL, &it, NULL);
	for (t = now_ms(); !got[SIGVTALRM] && now_ms() < t + 8000; )
		;
	P("virtual %d", got[SIGVTALRM]);
	S(setitimer, ITIMER_PROF, &it, NULL);
	for (t = now_ms(); !got[SIGPROF] && now_ms() < t + 8000; )
		getppid();
	P("prof %d", got[SIGPROF]);
	/* timers of timer_create; libc's wrappers do more than the call */
	S(timer_create, 99, &ev, &id);
	S(timer_create, CLOCK_MONOTONIC, BAD, &id);
	S(timer_create, CLOCK_MONOTONIC, &ev, BAD);
	ev.sigev_signo = 65;
	S(timer_create, CLOCK_MONOTONIC, &ev, &id);
	ev.sigev_signo = SIGUSR1;
	ev.sigev_notify = 99;
	S(timer_create, CLOCK_MONOTONIC, &ev, &id);
	ev.sigev_notify = SIGEV_SIGNAL;
	S(timer_create, CLOCK_MONOTONIC, &ev, &id);
	S(timer_gettime, id, &now);
	P("disarmed %s", now.it_value.tv_nsec == 0 ? "yes" : "no");
	S(timer_settime, id, 0, &tbad, NULL);
	S(timer_settime, id, 0, NULL, NULL);
	S(timer_settime, id, 0, BAD, NULL);
	S(timer_settime, 9999, 0, &ts, NULL);
	t = now_ns();
	S(timer_settime, id, 0, &ts, &now);
	S(timer_gettime, id, &now);
	P("armed %s", now.it_value.tv_nsec > 0 && now.it_value.tv_nsec <= 20000000 ? "yes" : "no");
	UNTIL(got[SIGUSR1]);
	P("%s code %s value %d overrun %d", took(t, 20), si_code_name(SIGUSR1, got_info.si_code), got_info.si_value.sival_int,
	    got_info.si_overrun);
	S(timer_getoverrun, id);
	S(timer_getoverrun, 9999);
	/* an absolute time that has passed fires at once */
	got[SIGUSR1] = 0;
	ts.it_value = (struct timespec){ 0, 1 };
	S(timer_settime, id, TIMER_ABSTIME, &ts, NULL);
	UNTIL(got[SIGUSR1]);
	P("absolute fired");
	clock_gettime(CLOCK_MONOTONIC, &t0);
	ts.it_value = (struct timespec){ t0.tv_sec, t0.tv_nsec };
	ts.it_value.tv_nsec += 20000000;
	if (ts.it_value.tv_nsec >= 1000000000) {
		ts.it_value.tv_sec++;
		ts.it_value.tv_nsec -= 1000000000;
	}
	got[SIGUSR1] = 0;
	t = now_ns();
	S(timer_settime, id, TIMER_ABSTIME, &ts, NULL);
	UNTIL(got[SIGUSR1]);
	P("absolute %s", took(t, 15));
	/* overruns while the signal is blocked */
	sigset_t set;
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigprocmask(SIG_BLOCK, &set, NULL);
	ts = (struct itimerspec){ { 0, 2000000 }, { 0, 2000000 } };
	S(timer_settime, id, 0, &ts, NULL);
	nap(30);
	siginfo_t si;
	T(sigwaitinfo(&set, &si));
	P("overrun %s, same as the call says %s", si.si_overrun >= 5 ? "several" : "few", Q(timer_getoverrun, id) >= 0 ?
	    "yes" : "no");
	S(timer_delete, id);
	S(timer_delete, id);
	S(timer_gettime, id, &now);
	/* silent, and to one thread */
	ev.sigev_notify = SIGEV_NONE;
	S(timer_create, CLOCK_MONOTONIC, &ev, &id);
	S(timer_settime, id, 0, &ts, NULL);
	S(timer_gettime, id, &now);
	P("interval %ld", now.it_interval.tv_nsec);
	ev.sigev_notify = SIGEV_THREAD_ID;
	ev._sigev_un._tid = 0x7fffffff;
	S(timer_create, CLOCK_MONOTONIC, &ev, &id);
	/* timers do not reach children, nor do they survive exec */
	P("child: %s", wst(CHILD(P("%s", res(Q(timer_gettime, id, &now))))));
	return 0;
}
