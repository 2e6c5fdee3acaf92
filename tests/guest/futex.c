/* futex(2): wait, wake, requeue, bitsets, timeouts, wake_op. */
#include "guest.h"
#include <linux/futex.h>

static volatile int *w;

/* A child that waits on word i with the given operation; its exit status is the error, or 0. */
static pid_t
waiter(int i, int op, int bits)
{
	pid_t pid = START(
		long r = Q(futex, &w[i], op, w[i], NULL, NULL, bits);
		_exit((int)-r);
	);

	await_sleep(pid);
	return pid;
}

int
main(void)
{
	struct timespec ts = { 0, 20000000 }, bad = { 0, 1000000000 }, neg = { -1, 0 }, abs;
	pid_t a, b, c;
	int64_t t;

	w = shared_ints();
	S(futex, &w[0], 99, 0, NULL);
	S(futex, (char *)&w[0] + 1, FUTEX_WAIT, 0, NULL);
	S(futex, NULL, FUTEX_WAIT, 0, NULL);
	S(futex, BAD, FUTEX_WAKE, 1, NULL);
	S(futex, BAD, FUTEX_WAKE_PRIVATE, 1, NULL);
	S(futex, 0xffff800000000000UL, FUTEX_WAKE, 1, NULL);
	S(futex, &w[0], FUTEX_WAIT, 1, NULL);
	S(futex, &w[0], FUTEX_WAIT, 0, BAD);
	S(futex, &w[0], FUTEX_WAIT, 0, &bad);
	S(futex, &w[0], FUTEX_WAIT, 1, &neg);
	t = now_ns();
	S(futex, &w[0], FUTEX_WAIT, 0, &ts);
	P("%s", took(t, 20));
	S(futex, &w[0], FUTEX_WAIT_PRIVATE, 0, &ts);
	S(futex, &w[0], FUTEX_WAKE, 1);
	S(futex, &w[0], FUTEX_WAKE, 0);
	S(futex, &w[0], FUTEX_WAKE, -1);
	clock_gettime(CLOCK_MONOTONIC, &abs);
	abs.tv_nsec += 20000000;
	if (abs.tv_nsec >= 1000000000) {
		abs.tv_sec++;
		abs.tv_nsec -= 1000000000;
	}
	t = now_ns();
	S(futex, &w[0], FUTEX_WAIT_BITSET, 0, &abs, NULL, 1);
	P("%s", took(t, 15));
	clock_gettime(CLOCK_REALTIME, &abs);
	S(futex, &w[0], FUTEX_WAIT_BITSET | FUTEX_CLOCK_REALTIME, 0, &abs, NULL, -1);
	S(futex, &w[0], FUTEX_WAIT_BITSET, 0, NULL, NULL, 0);
	S(futex, &w[0], FUTEX_WAKE_BITSET, 1, NULL, NULL, 0);
	S(futex, &w[0], FUTEX_WAKE | FUTEX_CLOCK_REALTIME, 1);
	/* one and all */
	a = waiter(0, FUTEX_WAIT, 0);
	S(futex, &w[0], FUTEX_WAKE, 1);
	P("%s", reap(a));
	a = waiter(0, FUTEX_WAIT, 0);
	b = waiter(0, FUTEX_WAIT, 0);
	c = waiter(0, FUTEX_WAIT, 0);
	S(futex, &w[4], FUTEX_WAKE, 10);
	S(futex, &w[0], FUTEX_WAKE, 2);
	S(futex, &w[0], FUTEX_WAKE, 10);
	P("%s %s %s", reap(a), reap(b), reap(c));
	/* bitsets choose */
	a = waiter(0, FUTEX_WAIT_BITSET, 1);
	b = waiter(0, FUTEX_WAIT_BITSET, 2);
	S(futex, &w[0], FUTEX_WAKE_BITSET, 10, NULL, NULL, 4);
	S(futex, &w[0], FUTEX_WAKE_BITSET, 10, NULL, NULL, 2);
	P("%s", reap(b));
	S(futex, &w[0], FUTEX_WAKE, 10);
	P("%s", reap(a));
	/* requeue */
	a = waiter(0, FUTEX_WAIT, 0);
	b = waiter(0, FUTEX_WAIT, 0);
	c = waiter(0, FUTEX_WAIT, 0);
	S(futex, &w[0], FUTEX_CMP_REQUEUE, 1, 10, &w[1], 5);
	S(futex, &w[0], FUTEX_CMP_REQUEUE, 1, 10, &w[1], 0);
	S(futex, &w[0], FUTEX_WAKE, 10);
	S(futex, &w[1], FUTEX_WAKE, 1);
	S(futex, &w[1], FUTEX_REQUEUE, 0, 10, &w[2]);
	S(futex, &w[2], FUTEX_WAKE, 10);
	P("%s %s %s", reap(a), reap(b), reap(c));
	S(futex, &w[0], FUTEX_REQUEUE, -1, 10, &w[1]);
	/* wake_op: set w[1] to 7 and wake there too if it was 3 */
	w[1] = 3;
	a = waiter(0, FUTEX_WAIT, 0);
	b = waiter(1, FUTEX_WAIT, 0);
	S(futex, &w[0], FUTEX_WAKE_OP, 1, 1, &w[1], FUTEX_OP(FUTEX_OP_SET, 7, FUTEX_OP_CMP_EQ, 3));
	P("%s %s value %d", reap(a), reap(b), w[1]);
	S(futex, &w[0], FUTEX_WAKE_OP, 1, 1, &w[1], FUTEX_OP(FUTEX_OP_ADD, 5, FUTEX_OP_CMP_LT, 3));
	P("value %d", w[1]);
	S(futex, &w[0], FUTEX_WAKE_OP, 1, 1, &w[1], FUTEX_OP(FUTEX_OP_ANDN, 4, FUTEX_OP_CMP_GE, 3));
	P("value %d", w[1]);
	S(futex, &w[0], FUTEX_WAKE_OP, 1, 1, BAD, FUTEX_OP(FUTEX_OP_ANDN, 4, FUTEX_OP_CMP_GE, 3));
	/* a signal: without a timeout the wait restarts */
	catch_sig(SIGALRM, 0);
	ualarm(20000, 0);
	S(futex, &w[0], FUTEX_WAIT, 0, NULL);
	/* private memory: fork makes two words of one */
	int *priv = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	*priv = 0;
	a = START(struct timespec u = { 0, 50000000 }; _exit((int)-Q(futex, priv, FUTEX_WAIT, 0, &u)));
	await_sleep(a);
	S(futex, priv, FUTEX_WAKE, 1);
	P("%s", reap(a));
	/* the same page of a shared file at another address */
	int fd = memfd_create("m", 0);
	ftruncate(fd, 4096);
	int *m1 = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	int *m2 = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	a = START(_exit((int)-Q(futex, m1 + 3, FUTEX_WAIT, 0, NULL)));
	await_sleep(a);
	S(futex, m2 + 2, FUTEX_WAKE, 1);
	S(futex, m2 + 3, FUTEX_WAKE_PRIVATE, 1);
	S(futex, m2 + 3, FUTEX_WAKE, 1);
	P("%s", reap(a));
	/* read-only memory can be waited on privately, and woken */
	mprotect(priv, 4096, PROT_READ);
	S(futex, priv, FUTEX_WAIT_PRIVATE, 1, NULL);
	S(futex, priv, FUTEX_WAKE_PRIVATE, 1);
	return 0;
}
