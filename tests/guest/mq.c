/* POSIX message queues. */
#include "guest.h"
#include <mqueue.h>

int
main(void)
{
	struct mq_attr at = { .mq_maxmsg = 2, .mq_msgsize = 16 }, got_at;
	struct timespec past = { 1, 0 };
	char name[64], buf[64];
	unsigned prio = 99;
	int q;
	pid_t pid;

	snprintf(name, sizeof name, "guest-mq-%d", getpid());
	P("missing %s", res(Q(mq_open, name, O_RDWR, 0, NULL)));
	q = Q(mq_open, name, O_CREAT | O_EXCL | O_RDWR | O_NONBLOCK, 0600, &at);
	if (q == -ENOSYS)
		skip("no POSIX message queues here");
	P("create %s", ok(q));
	P("again %s", res(Q(mq_open, name, O_CREAT | O_EXCL | O_RDWR, 0600, &at)));
	P("a slash %s", res(Q(mq_open, "a/b", O_CREAT | O_RDWR, 0600, &at)));
	P("empty name %s", res(Q(mq_open, "", O_CREAT | O_RDWR, 0600, &at)));
	P("receive %s", res(Q(mq_timedreceive, q, buf, 64, &prio, NULL)));
	P("small buffer %s", res(Q(mq_timedreceive, q, buf, 8, &prio, NULL)));
	P("low %s", res(Q(mq_timedsend, q, "low", 3, 1, NULL)));
	P("high %s", res(Q(mq_timedsend, q, "high", 4, 7, NULL)));
	P("full %s", res(Q(mq_timedsend, q, "more", 4, 7, NULL)));
	P("too long %s", res(Q(mq_timedsend, q, buf, 17, 0, NULL)));
	P("priority %s", res(Q(mq_timedsend, q, "x", 1, 32768, NULL)));
	P("attr %s", res(Q(mq_getsetattr, q, NULL, &got_at)));
	P("flags %s max %ld size %ld now %ld", got_at.mq_flags == O_NONBLOCK ? "O_NONBLOCK" : "?", got_at.mq_maxmsg, got_at.mq_msgsize, got_at.mq_curmsgs);
	P("first %s", res(Q(mq_timedreceive, q, buf, 64, &prio, NULL)));
	P("%s priority %u", txt(buf, 4), prio);
	P("second %s", res(Q(mq_timedreceive, q, buf, 64, &prio, NULL)));
	P("%s priority %u", txt(buf, 3), prio);
	got_at.mq_flags = 0;
	P("blocking %s", res(Q(mq_getsetattr, q, &got_at, NULL)));
	P("timed out %s", res(Q(mq_timedreceive, q, buf, 64, &prio, &past)));
	pid = START(P("child %s", res(Q(mq_timedreceive, q, buf, 64, NULL, NULL))));
	await_sleep(pid);
	Q(mq_timedsend, q, "wake", 4, 0, NULL);
	P("%s", reap(pid));
	struct pollfd pf = { q, POLLIN | POLLOUT, 0 };
	S(poll, &pf, 1, 0);
	P("%s", poll_bits(pf.revents));
	struct sigevent ev = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1, .sigev_value.sival_int = 3 };
	catch_sig(SIGUSR1, 0);
	P("notify %s", res(Q(mq_notify, q, &ev)));
	P("twice %s", res(Q(mq_notify, q, &ev)));
	Q(mq_timedsend, q, "note", 4, 0, NULL);
	UNTIL(got[SIGUSR1]);
	P("%s value %d", si_code_name(SIGUSR1, got_info.si_code), got_info.si_value.sival_int);
	P("unlink %s", res(Q(mq_unlink, name)));
	P("unlink %s", res(Q(mq_unlink, name)));
	P("still works %s", res(Q(mq_timedreceive, q, buf, 64, &prio, NULL)));
	return 0;
}
