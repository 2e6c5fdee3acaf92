/* Pending signals: order of delivery, queues of real-time signals, siginfo contents. */
#include "guest.h"

static void
on_rt(int sig, siginfo_t *si, void *uc)
{
	(void)uc;
	P("%s code %s value %d pid %s uid %d", sig_name(sig), si_code_name(sig, si->si_code), si->si_value.sival_int,
	    si->si_pid == getpid() ? "self" : si->si_pid == getppid() ? "parent" : "other", si->si_uid);
}

int
main(void)
{
	struct sigaction sa = { .sa_sigaction = on_rt, .sa_flags = SA_SIGINFO };
	struct timespec zero = { 0, 0 }, bad = { 0, 1000000000 }, some = { 0, 20000000 };
	siginfo_t si = { 0 };
	sigset_t all, none;
	pid_t me = getpid();

	/* handlers run one after the other, none inside another */
	sigfillset(&sa.sa_mask);
	sigfillset(&all);
	sigdelset(&all, SIGCHLD);
	sigemptyset(&none);
	int sigs[] = { SIGUSR1, SIGUSR2, SIGHUP, SIGTERM, 34, 35, 64 };
	for (size_t i = 0; i < N_OF(sigs); i++)
		sigaction(sigs[i], &sa, NULL);
	sigprocmask(SIG_SETMASK, &all, NULL);
	sigqueue(me, 35, (union sigval){ .sival_int = 1 });
	sigqueue(me, 34, (union sigval){ .sival_int = 2 });
	sigqueue(me, 64, (union sigval){ .sival_int = 3 });
	sigqueue(me, 34, (union sigval){ .sival_int = 4 });
	sigqueue(me, SIGUSR2, (union sigval){ .sival_int = 5 });
	sigqueue(me, SIGUSR2, (union sigval){ .sival_int = 6 });
	kill(me, SIGTERM);
	kill(me, SIGHUP);
	syscall(SYS_tgkill, me, syscall(SYS_gettid), SIGUSR1);
	syscall(SYS_tkill, syscall(SYS_gettid), 35);
	kill(me, 34);
	P("released");
	sigprocmask(SIG_SETMASK, &none, NULL);
	P("with nested handlers the last comes first:");
	sigemptyset(&sa.sa_mask);
	for (size_t i = 0; i < N_OF(sigs); i++)
		sigaction(sigs[i], &sa, NULL);
	sigprocmask(SIG_SETMASK, &all, NULL);
	kill(me, SIGHUP);
	kill(me, SIGUSR1);
	kill(me, 34);
	sigprocmask(SIG_SETMASK, &none, NULL);
	/* sigtimedwait */
	sigprocmask(SIG_SETMASK, &all, NULL);
	T(sigtimedwait(&all, &si, &zero));
	T(sigtimedwait(&all, &si, &bad));
	int64_t t = now_ns();
	T(sigtimedwait(&all, &si, &some));
	P("%s", took(t, 20));
	sigqueue(me, 40, (union sigval){ .sival_int = 7 });
	sigqueue(me, 40, (union sigval){ .sival_int = 8 });
	kill(me, SIGUSR1);
	T(sigtimedwait(&all, &si, NULL));
	T(sigtimedwait(&all, &si, NULL));
	P("value %d code %s", si.si_value.sival_int, si_code_name(40, si.si_code));
	T(sigtimedwait(&all, &si, &zero));
	P("value %d", si.si_value.sival_int);
	T(sigtimedwait(&all, &si, &zero));
	S(rt_sigtimedwait, &all, &si, &zero, 4);
	S(rt_sigtimedwait, BAD, &si, &zero, 8);
	S(rt_sigtimedwait, &all, &si, BAD, 8);
	kill(me, SIGUSR1);
	S(rt_sigtimedwait, &all, BAD, &zero, 8);
	T(sigtimedwait(&all, &si, &zero));
	/* a wait for one signal is interrupted by another's handler */
	P("interrupted: %s", wst(CHILD(
		sigset_t one;
		sigemptyset(&one);
		sigaddset(&one, SIGUSR2);
		catch_sig(SIGALRM, SA_RESTART);
		sigprocmask(SIG_SETMASK, &one, NULL);
		ualarm(20000, 0);
		T(sigwaitinfo(&one, NULL));
	)));
	/* an ignored but blocked signal is queued and can be waited for */
	set_sig(SIGUSR2, SIG_IGN);
	kill(me, SIGUSR2);
	T(sigtimedwait(&all, &si, &zero));
	/* rt_sigqueueinfo */
	memset(&si, 0, sizeof si);
	si.si_code = SI_QUEUE;
	si.si_value.sival_int = 99;
	S(rt_sigqueueinfo, me, 41, &si);
	siginfo_t out;
	T(sigtimedwait(&all, &out, &zero));
	P("value %d pid as given %d", out.si_value.sival_int, out.si_pid);
	si.si_code = SI_USER;
	P("forged to self %s", res(Q(rt_sigqueueinfo, me, 41, &si)));
	P("child: %s", wst(CHILD(
		P("forged to the parent %s", res(Q(rt_sigqueueinfo, getppid(), 0, &si)));
		si.si_code = SI_TKILL;
		P("tkill to the parent %s", res(Q(rt_sigqueueinfo, getppid(), 0, &si)));
	)));
	P("signal 65 %s", res(Q(rt_sigqueueinfo, me, 65, &si)));
	P("bad info %s", res(Q(rt_sigqueueinfo, me, 41, BAD)));
	P("tg %s", res(Q(rt_tgsigqueueinfo, me, me, 42, &si)));
	P("tg wrong %s", res(Q(rt_tgsigqueueinfo, 0x7ffffffe, me, 42, &si)));
	P("tg zero %s", res(Q(rt_tgsigqueueinfo, 0, me, 42, &si)));
	/* the number that may be pending is limited */
	P("limit: %s", wst(CHILD(
		struct rlimit rl = { 10, 10 };
		int n = 0;
		setrlimit(RLIMIT_SIGPENDING, &rl);
		setuid(60123);
		while (n < 100 && sigqueue(getpid(), 50, (union sigval){ .sival_int = n }) == 0)
			n++;
		P("%d queued, then %s", n, err_name(errno));
		P("kill still works: %s", res(Q(kill, getpid(), 51)));
	)));
	return 0;
}
