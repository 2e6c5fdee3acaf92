/* Priority-inheriting futexes and robust lists. */
#include "guest.h"
#include <linux/futex.h>

static void *
hold_and_die(void *m)
{
	pthread_mutex_lock(m);
	return NULL;
}

int
main(void)
{
	volatile int *w = shared_ints();
	struct robust_list_head head = { { &head.list }, 0, NULL }, *get;
	struct timespec abs;
	int tid = (int)syscall(SYS_gettid);
	size_t len;
	pid_t pid;

	S(futex, &w[0], FUTEX_UNLOCK_PI, 0);
	S(futex, &w[0], FUTEX_TRYLOCK_PI, 0);
	P("owner %s", w[0] == tid ? "is self" : "?");
	S(futex, &w[0], FUTEX_LOCK_PI, 0, NULL);
	S(futex, &w[0], FUTEX_TRYLOCK_PI, 0);
	S(futex, &w[0], FUTEX_UNLOCK_PI, 0);
	P("free %d", w[0]);
	S(futex, &w[0], FUTEX_LOCK_PI, 0, NULL);
	P("child: %s", wst(CHILD(
		P("trylock %s", res(Q(futex, &w[0], FUTEX_TRYLOCK_PI, 0)));
		P("unlock %s", res(Q(futex, &w[0], FUTEX_UNLOCK_PI, 0)));
		clock_gettime(CLOCK_REALTIME, &abs);
		abs.tv_nsec = abs.tv_nsec + 20000000;
		if (abs.tv_nsec >= 1000000000) {
			abs.tv_sec++;
			abs.tv_nsec -= 1000000000;
		}
		P("lock %s", res(Q(futex, &w[0], FUTEX_LOCK_PI, 0, &abs)));
	)));
	P("waiters bit %s", w[0] & FUTEX_WAITERS ? "set" : "clear");
	pid = START(
		P("child locks %s", res(Q(futex, &w[0], FUTEX_LOCK_PI, 0, NULL)));
		P("owner %s", (w[0] & FUTEX_TID_MASK) == getpid() ? "child" : "?");
		P("child unlocks %s", res(Q(futex, &w[0], FUTEX_UNLOCK_PI, 0)));
	);
	await_sleep(pid);
	P("handed over");
	Q(futex, &w[0], FUTEX_UNLOCK_PI, 0);
	P("%s", reap(pid));
	P("free %d", w[0] & FUTEX_TID_MASK);
	/* an owner that does not exist */
	w[0] = 0x3ffffff;
	S(futex, &w[0], FUTEX_LOCK_PI, 0, NULL);
	w[0] = 0;
	S(futex, BAD, FUTEX_LOCK_PI, 0, NULL);
	/* the owner dies while holding: a waiter gets it, marked */
	pid = START(
		Q(futex, &w[1], FUTEX_LOCK_PI, 0, NULL);
		w[2] = 1;
		while (w[2] != 2)
			nap(1);
		nap(30);
	);
	UNTIL(w[2] == 1);
	w[2] = 2;
	P("lock of the dead %s", res(Q(futex, &w[1], FUTEX_LOCK_PI, 0, NULL)));
	P("owner died %s, self %s", w[1] & FUTEX_OWNER_DIED ? "yes" : "no", (w[1] & FUTEX_TID_MASK) == tid ? "yes" : "no");
	P("%s", reap(pid));
	/* robust lists */
	S(set_robust_list, &head, 10);
	S(set_robust_list, &head, sizeof head);
	S(get_robust_list, 0, &get, &len);
	P("head %s len %zu", get == &head ? "same" : "?", len);
	S(get_robust_list, 0x7fffffff, &get, &len);
	S(get_robust_list, 0, BAD, &len);
	P("child: %s", wst(CHILD(
		S(get_robust_list, 0, &get, &len);
		P("inherited %s", get == NULL ? "no" : get == &head ? "yes" : "its own");
	)));
	struct node {
		struct robust_list	list;
		volatile int		lock;
	} *n = (void *)&w[16];
	pid = START(
		struct robust_list_head h = { { &n->list }, offsetof(struct node, lock), NULL };
		n->list.next = &h.list;
		n->lock = (int)syscall(SYS_gettid) | FUTEX_WAITERS;
		Q(set_robust_list, &h, sizeof h);
		w[3] = 1;
		nap(30);
		Q(exit, 0);
	);
	UNTIL(w[3]);
	int v = n->lock;
	P("waiter %s", res(Q(futex, &n->lock, FUTEX_WAIT, v, NULL)));
	P("%s", reap(pid));
	P("word: died %s, owner %d, waiters %s", n->lock & FUTEX_OWNER_DIED ? "yes" : "no", n->lock & FUTEX_TID_MASK,
	    n->lock & FUTEX_WAITERS ? "kept" : "gone");
	/* a list that goes in circles or nowhere must not hang the exit */
	P("circular: %s", wst(CHILD(
		struct node a;
		struct robust_list_head h = { { &a.list }, offsetof(struct node, lock), NULL };
		a.list.next = &a.list;
		a.lock = 0;
		Q(set_robust_list, &h, sizeof h);
		Q(exit, 3);
	)));
	P("bad pointer: %s", wst(CHILD(
		struct robust_list_head h = { { BAD }, 0, BAD };
		Q(set_robust_list, &h, sizeof h);
		Q(exit, 4);
	)));
	/* as pthread uses them */
	pthread_mutexattr_t at;
	pthread_mutex_t m;
	pthread_t t;
	pthread_mutexattr_init(&at);
	pthread_mutexattr_setrobust(&at, PTHREAD_MUTEX_ROBUST);
	pthread_mutex_init(&m, &at);
	pthread_create(&t, NULL, hold_and_die, &m);
	pthread_join(t, NULL);
	P("robust mutex: %s", err_name(pthread_mutex_lock(&m)));
	P("made consistent: %d", pthread_mutex_consistent(&m));
	pthread_mutex_unlock(&m);
	pthread_mutexattr_setprotocol(&at, PTHREAD_PRIO_INHERIT);
	pthread_mutex_init(&m, &at);
	pthread_create(&t, NULL, hold_and_die, &m);
	pthread_join(t, NULL);
	P("robust pi mutex: %s", err_name(pthread_mutex_lock(&m)));
	return 0;
}
