/* sched_*: policy, priority, affinity, nice. */
#include "guest.h"

int
main(void)
{
	struct sched_param sp = { .sched_priority = 0 };
	struct timespec ts = { -1, -1 };
	unsigned long mask[128] = { 0 };
	long n;

	S(sched_yield);
	S(sched_getscheduler, 0);
	S(sched_getscheduler, -1);
	S(sched_getscheduler, 0x7fffffff);
	S(sched_getparam, 0, &sp);
	P("%d", sp.sched_priority);
	S(sched_getparam, 0, BAD);
	S(sched_getparam, 0, NULL);
	S(sched_setscheduler, 0, SCHED_OTHER, &sp);
	S(sched_setscheduler, 0, 99, &sp);
	S(sched_setscheduler, 0, -1, &sp);
	sp.sched_priority = 5;
	S(sched_setscheduler, 0, SCHED_OTHER, &sp);
	sp.sched_priority = 0;
	S(sched_setscheduler, 0, SCHED_FIFO, &sp);
	P("batch: %s", wst(CHILD(S(sched_setscheduler, 0, SCHED_BATCH, &sp); S(sched_getscheduler, 0); P("inherited: %s",
	    wst(CHILD(S(sched_getscheduler, 0)))))));
	P("idle: %s", wst(CHILD(S(sched_setscheduler, 0, SCHED_IDLE, &sp); S(sched_getscheduler, 0))));
	S(sched_get_priority_max, SCHED_FIFO);
	S(sched_get_priority_min, SCHED_FIFO);
	S(sched_get_priority_max, SCHED_OTHER);
	S(sched_get_priority_max, 77);
	S(sched_rr_get_interval, 0, &ts);
	P("interval %s", ts.tv_sec == 0 && ts.tv_nsec >= 0 ? "sensible" : "?");
	S(sched_rr_get_interval, 0, BAD);
	n = Q(sched_getaffinity, 0, sizeof mask, mask);
	P("affinity bytes %s, own CPUs %s", n >= 8 && n % 8 == 0 ? "sensible" : res(n), mask[0] || mask[1] ? "some" : "none");
	S(sched_getaffinity, 0, 0, mask);
	S(sched_getaffinity, 0, 7, mask);
	S(sched_getaffinity, 0x7fffffff, sizeof mask, mask);
	int cpu = 0;
	while (cpu < 1024 && !(mask[cpu / 64] >> cpu % 64 & 1))
		cpu++;
	unsigned long one[16] = { 0 }, none[16] = { 0 }, now[128] = { 0 };
	one[cpu / 64] |= 1UL << cpu % 64;
	P("pinned: %s", wst(CHILD(
		S(sched_setaffinity, 0, sizeof one, one);
		Q(sched_getaffinity, 0, sizeof now, now);
		P("same %s", memcmp(now, one, sizeof one) == 0 ? "yes" : "no");
		P("inherited: %s", wst(CHILD(memset(now, 0, sizeof now); Q(sched_getaffinity, 0, sizeof now, now);
		    P("same %s", memcmp(now, one, sizeof one) == 0 ? "yes" : "no"))));
	)));
	S(sched_setaffinity, 0, sizeof none, none);
	S(sched_setaffinity, 0, sizeof none, BAD);
	/* nice: the call returns 20 - nice */
	S(getpriority, PRIO_PROCESS, 0);
	S(getpriority, 9, 0);
	S(getpriority, PRIO_PROCESS, 0x7fffffff);
	S(getpriority, PRIO_USER, 60999);
	P("nicer: %s", wst(CHILD(
		S(setpriority, PRIO_PROCESS, 0, 5);
		S(getpriority, PRIO_PROCESS, 0);
		S(setpriority, PRIO_PROCESS, 0, 100);
		S(getpriority, PRIO_PROCESS, 0);
		P("inherited: %s", wst(CHILD(S(getpriority, PRIO_PROCESS, 0))));
		setuid(60998);
		S(setpriority, PRIO_PROCESS, 0, 10);
		S(setpriority, PRIO_PROCESS, 0, 19);
		P("another's %s", res(Q(setpriority, PRIO_PROCESS, getppid(), 19)));
	)));
	S(setpriority, 9, 0, 0);
	struct sched_param rt = { .sched_priority = 10 };
	P("reset on fork: %s", wst(CHILD(
		S(sched_setscheduler, 0, SCHED_FIFO | SCHED_RESET_ON_FORK, &rt);
		P("%lx", (long)sched_getscheduler(0));
		P("%s", wst(CHILD(S(sched_getscheduler, 0); sched_getparam(0, &rt); P("%d", rt.sched_priority))));
	)));
	P("ioprio: %s", wst(CHILD(
		P("%s", res(Q(ioprio_set, 1, 0, 2 << 13 | 5)));
		P("%s", res(Q(ioprio_get, 1, 0)));
		P("inherited: %s", wst(CHILD(P("%s", res(Q(ioprio_get, 1, 0))))));
		P("%s", res(Q(ioprio_set, 1, 0, 1)));
		P("%s", res(Q(ioprio_set, 4, 0, 0)));
	)));
	return 0;
}
