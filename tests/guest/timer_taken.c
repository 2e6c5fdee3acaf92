/* Periodic timers whose signals nobody takes: the next period begins when somebody does. */
#include "guest.h"

static int id;

static sigset_t
only(int sig)
{
	sigset_t s;

	sigemptyset(&s);
	sigaddset(&s, sig);
	return s;
}

static const char *
left(void)
{
	struct itimerval it;

	getitimer(ITIMER_REAL, &it);
	return it.it_value.tv_usec == 0 ? "nothing" : it.it_value.tv_usec <= it.it_interval.tv_usec ? "some" : "?";
}

static void
interval_timer(void)
{
	struct itimerval it = { { 0, 50000 }, { 0, 5000 } }, off = { { 0, 0 }, { 0, 0 } }, old;
	sigset_t alrm = only(SIGALRM);

	/* blocked: there is one signal, and no period runs until it is taken */
	catch_sig(SIGALRM, 0);
	sigprocmask(SIG_BLOCK, &alrm, NULL);
	setitimer(ITIMER_REAL, &it, NULL);
	P("left %s", left());
	nap(20);
	P("pending, left %s", left());
	nap(120);
	P("left %s", left());
	sigprocmask(SIG_UNBLOCK, &alrm, NULL);
	P("taken %d, left %s", got[SIGALRM], left());
	UNTIL(got[SIGALRM] == 3);
	P("repeats");
	/* taken by a wait for it */
	sigprocmask(SIG_BLOCK, &alrm, NULL);
	nap(70);
	P("left %s", left());
	P("sigwaitinfo %s, left %s", res(lib(sigwaitinfo(&alrm, NULL))), left());
	sigprocmask(SIG_UNBLOCK, &alrm, NULL);
	setitimer(ITIMER_REAL, &off, &old);
	P("old value %s, interval %ld", old.it_value.tv_usec ? "some" : "nothing", (long)old.it_interval.tv_usec);

	/* ignored: it stands still until a SIGALRM to the process is taken, whoever has sent that */
	got[SIGALRM] = 0;
	set_sig(SIGALRM, SIG_IGN);
	setitimer(ITIMER_REAL, &it, NULL);
	nap(20);
	P("ignored, left %s", left());
	catch_sig(SIGALRM, 0);
	/* Midway between two expiries: what comes now is not the timer's. */
	nap(55);
	P("heard of %d, left %s", got[SIGALRM], left());
	Q(tgkill, getpid(), Q(gettid), SIGALRM);
	P("one to the thread: %d, left %s", got[SIGALRM], left());
	kill(getpid(), SIGALRM);
	P("one to the process: %d, left %s", got[SIGALRM], left());
	UNTIL(got[SIGALRM] == 4);
	P("repeats");
	setitimer(ITIMER_REAL, &off, NULL);
}

static const char *
ptimer_left(void)
{
	struct itimerspec it;

	Q(timer_gettime, id, &it);
	return it.it_value.tv_nsec == 0 ? "nothing" : it.it_value.tv_nsec <= it.it_interval.tv_nsec ? "some" : "?";
}

static void
posix_timer(int clock, const char *name)
{
	struct sigevent ev = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1 };
	struct itimerspec it = { { 0, 20000000 }, { 0, 5000000 } };
	sigset_t usr = only(SIGUSR1), now;
	siginfo_t si;

	/* blocked: the periods go on, and are counted when the signal is taken */
	sigprocmask(SIG_BLOCK, &usr, NULL);
	catch_sig(SIGUSR1, 0);
	got[SIGUSR1] = 0;
	Q(timer_create, clock, &ev, &id);
	Q(timer_settime, id, 0, &it, NULL);
	nap(90);
	P("%s: pending, left %s", name, ptimer_left());
	sigwaitinfo(&usr, &si);
	P("missed %s, left %s", si.si_overrun >= 3 && si.si_overrun < 50 ? "some" : "?", ptimer_left());
	nap(30);
	sigwaitinfo(&usr, &si);
	P("next missed %s", si.si_overrun < 3 ? "few" : "many");
	/* ignored while pending: heard again once it is not */
	nap(20);
	set_sig(SIGUSR1, SIG_IGN);
	sigpending(&now);
	P("dropped %d", !sigismember(&now, SIGUSR1));
	sigprocmask(SIG_UNBLOCK, &usr, NULL);
	nap(50);
	P("ignored, left %s", ptimer_left());
	catch_sig(SIGUSR1, 0);
	UNTIL(got[SIGUSR1] >= 3);
	P("heard");
	Q(timer_delete, id);
	/* nobody is told */
	ev.sigev_notify = SIGEV_NONE;
	Q(timer_create, clock, &ev, &id);
	Q(timer_settime, id, 0, &it, NULL);
	nap(50);
	P("silent, left %s, overrun %ld", ptimer_left(), Q(timer_getoverrun, id));
	it.it_interval.tv_nsec = 0;
	Q(timer_settime, id, 0, &it, NULL);
	nap(20);
	P("once, left %s", ptimer_left());
	Q(timer_delete, id);
}

/* Periods as short as they get. */
static void
fast(void)
{
	struct sigevent ev = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1 };
	struct itimerspec it = { { 0, 1000 }, { 0, 1000 } };
	sigset_t usr = only(SIGUSR1);
	siginfo_t si;
	int64_t t, n = 0;

	sigprocmask(SIG_BLOCK, &usr, NULL);
	Q(timer_create, CLOCK_MONOTONIC, &ev, &id);
	t = now_ns();
	Q(timer_settime, id, 0, &it, NULL);
	for (int i = 0; i < 100; i++) {
		sigwaitinfo(&usr, &si);
		n += 1 + si.si_overrun;
	}
	t = (now_ns() - t) / 1000;
	P("every period is counted: %s", n > t / 2 && n <= t ? "yes" : "no");
	Q(timer_delete, id);
}

int
main(void)
{
	interval_timer();
	posix_timer(CLOCK_MONOTONIC, "monotonic");
	posix_timer(CLOCK_REALTIME, "realtime");
	fast();
	return 0;
}
