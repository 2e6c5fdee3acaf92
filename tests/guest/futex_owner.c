/* Whose a PI lock is when its owner executes a program, hands it over or dies: those who wait must hear of it. */
#include "guest.h"
#include <linux/futex.h>

enum { LOCK = 0, READY = 8, GO = 9, NEW = 10 };
#define SHARED	9		/* the words, as a file that survives exec */

static volatile int *w;
static char self[256];

static void
words(void)
{
	w = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, SHARED, 0);
	if (w == MAP_FAILED)
		die("mmap");
}

static void
await(int word, int value)
{
	UNTIL(w[word] == value);
}

static void
exec_after(void)
{
	char *argv[] = { "prog", "after", NULL }, *none[] = { NULL };

	Q(execve, self, argv, none);
	die("exec");
}

/* The new program: there it is, and there it stays until told. */
static int
after(void)
{
	words();
	w[NEW] = 1;
	await(GO, 2);
	return 0;
}

static const char *
word(pid_t owner)
{
	char *b = g_buf();
	int v = w[LOCK];

	snprintf(b, 64, "%s%s%s", (v & FUTEX_TID_MASK) == 0 ? "free" : (v & FUTEX_TID_MASK) == owner ? "its own" :
	    "another's", v & FUTEX_WAITERS ? ", waiters" : "", v & FUTEX_OWNER_DIED ? ", owner died" : "");
	return b;
}

static void
fresh(void)
{
	for (int i = 0; i < 64; i++)
		w[i] = 0;
}

static void *
lock_and_exec(void *arg)
{
	(void)arg;
	Q(futex, &w[LOCK], FUTEX_LOCK_PI, 0, NULL);
	w[READY] = 1;
	await(GO, 1);
	exec_after();
	return NULL;
}

/* Starts a process that locks, and executes another program when told. */
static pid_t
executor(bool thread)
{
	pid_t pid;

	fresh();
	pid = START(
		pthread_t t;
		if (!thread)
			lock_and_exec(NULL);
		pthread_create(&t, NULL, lock_and_exec, NULL);
		pause();
	);
	await(READY, 1);
	return pid;
}

/* A child that locks, says what it has got, and unlocks when told. */
static pid_t
locker(const char *name)
{
	pid_t pid = START(
		long r = Q(futex, &w[LOCK], FUTEX_LOCK_PI, 0, NULL);
		P("%s: %s, word %s", name, res(r), word(getpid()));
		w[READY] = 3;
		await(GO, 3);
		P("%s unlocks: %s", name, res(Q(futex, &w[LOCK], FUTEX_UNLOCK_PI, 0)));
	);

	await_sleep(pid);
	return pid;
}

static void
executes(void)
{
	pid_t o, a, b;

	o = executor(false);
	a = locker("waiter of one that executes");
	w[GO] = 1;
	await(READY, 3);
	w[GO] = 3;
	P("%s", reap(a));
	P("word %s", word(a));
	w[GO] = 2;
	P("%s", reap(o));

	o = executor(true);
	a = locker("waiter of a thread that executes");
	w[GO] = 1;
	await(READY, 3);
	w[GO] = 3;
	P("%s", reap(a));
	w[GO] = 2;
	P("%s", reap(o));

	/* nobody waits yet: the new program is the owner, and nobody else's business until it ends */
	o = executor(false);
	w[GO] = 1;
	await(NEW, 1);
	a = locker("waiter of one that has executed");
	P("waits: %c", task_state(a, a));
	w[GO] = 2;
	await(READY, 3);
	P("%s", reap(o));
	w[GO] = 3;
	P("%s", reap(a));

	/* more than one */
	o = executor(false);
	w[GO] = 1;
	await(NEW, 1);
	a = START(_exit((int)-Q(futex, &w[LOCK], FUTEX_LOCK_PI, 0, NULL) | (int)Q(futex, &w[LOCK], FUTEX_UNLOCK_PI, 0)));
	b = START(_exit((int)-Q(futex, &w[LOCK], FUTEX_LOCK_PI, 0, NULL) | (int)Q(futex, &w[LOCK], FUTEX_UNLOCK_PI, 0)));
	await_sleep(a);
	await_sleep(b);
	w[GO] = 2;
	P("%s %s", reap(o), reap(a));
	P("%s", reap(b));
	P("word %s", word(0));
}

static void
hands_over(void)
{
	pid_t a, b;
	long r;

	/* the word says that somebody may wait: who queues while it is handed over depends on that */
	fresh();
	Q(futex, &w[LOCK], FUTEX_LOCK_PI, 0, NULL);
	a = locker("only waiter");
	r = Q(futex, &w[LOCK], FUTEX_UNLOCK_PI, 0);
	await(READY, 3);
	P("unlock %s", res(r));
	w[GO] = 3;
	P("%s", reap(a));

	/* the first waiter gets it, and dies: the second has waited for another owner when it came */
	fresh();
	Q(futex, &w[LOCK], FUTEX_LOCK_PI, 0, NULL);
	a = locker("first waiter");
	b = locker("second waiter");
	r = Q(futex, &w[LOCK], FUTEX_UNLOCK_PI, 0);
	await(READY, 3);
	P("unlock %s", res(r));
	w[READY] = 0;
	kill(a, SIGKILL);
	await(READY, 3);
	P("%s", reap(a));
	w[GO] = 3;
	P("%s", reap(b));
}

static void
robust(void)
{
	pid_t o, a;

	/* the list of the old program is gone through at exec */
	fresh();
	o = START(
		struct robust_list_head h;
		struct robust_list n = { &h.list };
		h.list.next = (void *)((uintptr_t)&n | 1);
		h.futex_offset = (char *)&w[LOCK] - (char *)&n;
		h.list_op_pending = NULL;
		Q(set_robust_list, &h, sizeof h);
		lock_and_exec(NULL);
	);
	await(READY, 1);
	a = locker("waiter of a robust one");
	w[GO] = 1;
	await(READY, 3);
	w[GO] = 3;
	P("%s", reap(a));
	w[GO] = 2;
	P("%s", reap(o));
}

int
main(int argc, char **argv)
{
	ssize_t n;
	int fd;

	if (argc > 1 && strcmp(argv[1], "after") == 0)
		return after();
	n = readlink("/proc/self/exe", self, sizeof self - 1);
	self[n < 0 ? 0 : n] = 0;
	fd = memfd_create("words", 0);
	if (ftruncate(fd, 4096) < 0 || dup2(fd, SHARED) < 0)
		die("words");
	words();
	executes();
	hands_over();
	robust();
	return 0;
}
