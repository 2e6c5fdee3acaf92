/* Many threads at work: mutexes, conditions, barriers, rwlocks, semaphores, creation and joining. */
#include "guest.h"
#include <semaphore.h>

#define N	6
#define ROUNDS	2000

static pthread_mutex_t mu = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
static pthread_rwlock_t rw = PTHREAD_RWLOCK_INITIALIZER;
static pthread_barrier_t bar;
static sem_t sem, back;
static long counter, queue, consumed, torn, pair[2], atomic_count;
static pthread_key_t key;
static int destroyed;

static void *
count(void *arg)
{
	(void)arg;
	for (int i = 0; i < ROUNDS; i++) {
		pthread_mutex_lock(&mu);
		counter++;
		pthread_mutex_unlock(&mu);
		__atomic_add_fetch(&atomic_count, 1, __ATOMIC_SEQ_CST);
		if (i % 500 == 0)
			sched_yield();
	}
	return NULL;
}

static void *
consume(void *arg)
{
	(void)arg;
	for (;;) {
		pthread_mutex_lock(&mu);
		while (queue == 0)
			pthread_cond_wait(&cond, &mu);
		if (queue < 0) {
			pthread_mutex_unlock(&mu);
			return NULL;
		}
		queue--;
		consumed++;
		pthread_mutex_unlock(&mu);
	}
}

static void *
barrier(void *arg)
{
	long *phase = arg;

	for (int i = 0; i < 50; i++) {
		__atomic_add_fetch(phase, 1, __ATOMIC_SEQ_CST);
		pthread_barrier_wait(&bar);
		if (__atomic_load_n(phase, __ATOMIC_SEQ_CST) % N)
			__atomic_add_fetch(&torn, 1, __ATOMIC_SEQ_CST);
		pthread_barrier_wait(&bar);
	}
	return NULL;
}

static void *
rwlock(void *arg)
{
	for (int i = 0; i < 300; i++) {
		if ((long)arg == 0) {
			pthread_rwlock_wrlock(&rw);
			pair[0]++;
			pair[1]++;
		} else {
			pthread_rwlock_rdlock(&rw);
			if (pair[0] != pair[1])
				__atomic_add_fetch(&torn, 1, __ATOMIC_SEQ_CST);
		}
		pthread_rwlock_unlock(&rw);
	}
	return NULL;
}

static void *
ping(void *arg)
{
	(void)arg;
	for (int i = 0; i < 500; i++) {
		sem_wait(&sem);
		sem_post(&back);
	}
	return NULL;
}

static void
destroy(void *arg)
{
	(void)arg;
	__atomic_add_fetch(&destroyed, 1, __ATOMIC_SEQ_CST);
}

static void *
brief(void *arg)
{
	pthread_setspecific(key, &counter);
	return arg;
}

static void *
waits(void *arg)
{
	(void)arg;
	for (;;)
		pause();
	return NULL;
}

int
main(void)
{
	pthread_t t[N];
	long phase = 0;
	struct timespec ts;
	void *r;

	for (int i = 0; i < N; i++)
		pthread_create(&t[i], NULL, count, NULL);
	for (int i = 0; i < N; i++)
		pthread_join(t[i], NULL);
	P("counted %ld and %ld", counter, atomic_count);
	for (int i = 0; i < N; i++)
		pthread_create(&t[i], NULL, consume, NULL);
	for (int i = 0; i < 1000; i++) {
		pthread_mutex_lock(&mu);
		queue++;
		pthread_mutex_unlock(&mu);
		pthread_cond_signal(&cond);
	}
	for (;;) {
		pthread_mutex_lock(&mu);
		if (queue == 0)
			break;
		pthread_mutex_unlock(&mu);
		sched_yield();
	}
	queue = -1;
	pthread_cond_broadcast(&cond);
	pthread_mutex_unlock(&mu);
	for (int i = 0; i < N; i++)
		pthread_join(t[i], NULL);
	P("consumed %ld", consumed);
	pthread_barrier_init(&bar, NULL, N);
	for (int i = 0; i < N; i++)
		pthread_create(&t[i], NULL, barrier, &phase);
	for (int i = 0; i < N; i++)
		pthread_join(t[i], NULL);
	P("phases %ld torn %ld", phase, torn);
	for (long i = 0; i < N; i++)
		pthread_create(&t[i], NULL, rwlock, (void *)(i % 3));
	for (int i = 0; i < N; i++)
		pthread_join(t[i], NULL);
	P("writes %ld torn %ld", pair[0], torn);
	sem_init(&sem, 0, 0);
	sem_init(&back, 0, 0);
	pthread_create(&t[0], NULL, ping, NULL);
	for (int i = 0; i < 500; i++) {
		sem_post(&sem);
		sem_wait(&back);
	}
	pthread_join(t[0], NULL);
	P("pings done");
	clock_gettime(CLOCK_REALTIME, &ts);
	ts.tv_nsec += 10000000;
	if (ts.tv_nsec >= 1000000000) {
		ts.tv_sec++;
		ts.tv_nsec -= 1000000000;
	}
	int64_t start = now_ns();
	pthread_mutex_lock(&mu);
	P("timed wait: %s", err_name(pthread_cond_timedwait(&cond, &mu, &ts)));
	P("%s", took(start, 5));
	pthread_mutex_unlock(&mu);
	pthread_key_create(&key, destroy);
	long right = 0;
	for (long i = 0; i < 200; i++) {
		pthread_create(&t[0], NULL, brief, (void *)i);
		pthread_join(t[0], &r);
		right += (long)r == i;
	}
	P("created and joined %ld, destructors %d", right, destroyed);
	pthread_create(&t[0], NULL, waits, NULL);
	pthread_cancel(t[0]);
	pthread_join(t[0], &r);
	P("cancelled %s", r == PTHREAD_CANCELED ? "yes" : "no");
	pthread_attr_t at;
	pthread_attr_init(&at);
	pthread_attr_setdetachstate(&at, PTHREAD_CREATE_DETACHED);
	destroyed = 0;
	for (int i = 0; i < 50; i++) {
		while (pthread_create(&t[0], &at, brief, NULL) != 0)
			nap(1);
	}
	UNTIL(__atomic_load_n(&destroyed, __ATOMIC_SEQ_CST) == 50);
	P("detached all ran");
	return 0;
}
