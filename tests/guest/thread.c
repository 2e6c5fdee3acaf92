/* Threads: ids, TLS, exit of one and of all, signals to one, exec from another than the first. */
#include "guest.h"
#include <asm/prctl.h>

static __thread int tls = 5;
static pid_t leader, tid_of;
static volatile int step;
static pthread_t other;

static void *
basics(void *arg)
{
	P("arg %s tls %d", (char *)arg, tls);
	tls = 6;
	P("pid %s tid %s", getpid() == leader ? "same" : "?", syscall(SYS_gettid) != leader ? "own" : "same");
	return "result";
}

static void *
sleeper(void *arg)
{
	(void)arg;
	tid_of = (pid_t)syscall(SYS_gettid);
	step = 1;
	for (;;)
		nap(1000);
	return NULL;
}

static void *
exits_group(void *arg)
{
	(void)arg;
	Q(exit_group, 42);
	return NULL;
}

static void *
exits_alone(void *arg)
{
	(void)arg;
	Q(exit, 43);
	return NULL;
}

static void *
segfaults(void *arg)
{
	(void)arg;
	*(volatile char *)NULL = 1;
	return NULL;
}

static void *
execs(void *arg)
{
	char *argv[] = { "thread", "after", arg, NULL }, *env[] = { NULL };

	execve("/proc/self/exe", argv, env);
	P("exec failed");
	return NULL;
}

static void *
outlives(void *arg)
{
	(void)arg;
	nap(50);
	P("still here after the leader");
	exit(7);
}

static void *
forks(void *arg)
{
	(void)arg;
	P("child of a thread: %s", wst(CHILD(P("alone: tls %d, is its group's leader %s", tls, syscall(SYS_gettid) == getpid() ?
	    "yes" : "no"); tls = 9; _exit(tls))));
	P("tls still %d", tls);
	return NULL;
}

static void *
masks(void *arg)
{
	sigset_t m;

	(void)arg;
	sigprocmask(SIG_BLOCK, NULL, &m);
	P("mask inherited %d", sigismember(&m, SIGUSR1));
	sigpending(&m);
	P("own pending %d", sigismember(&m, SIGUSR1));
	return NULL;
}

static int
threads_now(void)
{
	DIR *d = opendir("/proc/self/task");
	struct dirent *e;
	int n = 0;

	while (d && (e = readdir(d)) != NULL)
		n += e->d_name[0] != '.';
	if (d)
		closedir(d);
	return n;
}

int
main(int argc, char **argv)
{
	pthread_t t;
	void *r = NULL;
	sigset_t m;
	int st;

	if (argc > 1) {
		P("after exec: pid %s tid is pid %s threads %d", atoi(argv[2]) == getpid() ? "same" : "?",
		    syscall(SYS_gettid) == getpid() ? "yes" : "no", threads_now());
		return 12;
	}
	leader = getpid();
	P("leader's tid is its pid: %s", syscall(SYS_gettid) == leader ? "yes" : "no");
	pthread_create(&t, NULL, basics, "argument");
	pthread_join(t, &r);
	P("%s, tls here %d", (char *)r, tls);
	pthread_create(&other, NULL, sleeper, NULL);
	UNTIL(step == 1);
	P("threads %d", threads_now());
	/* signals to one thread */
	catch_sig(SIGUSR1, 0);
	P("tgkill: %s", res(Q(tgkill, leader, tid_of, SIGUSR1)));
	UNTIL(got[SIGUSR1]);
	P("handled");
	P("wrong group: %s", res(Q(tgkill, leader + 1, tid_of, 0)));
	P("kill by a thread's id: %s", res(Q(kill, tid_of, 0)));
	/* a signal to the process goes to the thread that does not block it */
	sigemptyset(&m);
	sigaddset(&m, SIGUSR1);
	pthread_sigmask(SIG_BLOCK, &m, NULL);
	kill(leader, SIGUSR1);
	UNTIL(got[SIGUSR1] == 2);
	P("handled by the other");
	raise(SIGUSR1);
	pthread_create(&t, NULL, masks, NULL);
	pthread_join(t, NULL);
	pthread_sigmask(SIG_UNBLOCK, &m, NULL);
	P("handled here %d", got[SIGUSR1]);
	tls = 8;
	pthread_create(&t, NULL, forks, NULL);
	pthread_join(t, NULL);
	P("child has one thread: %s", wst(CHILD(_exit(threads_now()))));
	P("exit_group from a thread: %s", wst(CHILD(pthread_create(&t, NULL, exits_group, NULL); for (;;) pause())));
	P("exit of one thread: %s", wst(CHILD(pthread_create(&t, NULL, exits_alone, NULL); nap(30); _exit(threads_now()))));
	P("segfault in a thread: %s", wst(CHILD(pthread_create(&t, NULL, segfaults, NULL); for (;;) pause())));
	P("leader leaves first: %s", wst(CHILD(pthread_create(&t, NULL, outlives, NULL); Q(exit, 9))));
	P("last one decides: %s", wst(CHILD(pthread_create(&t, NULL, exits_alone, NULL); nap(30); Q(exit, 10))));
	char pid[16];
	P("exec from a thread: %s", wst(CHILD(
		snprintf(pid, sizeof pid, "%d", getpid());
		pthread_create(&other, NULL, sleeper, NULL);
		pthread_create(&t, NULL, execs, pid);
		for (;;)
			pause();
	)));
	P("exec from the leader: %s", wst(CHILD(
		snprintf(pid, sizeof pid, "%d", getpid());
		pthread_create(&other, NULL, sleeper, NULL);
		execs(pid);
	)));
	/* waiting for a child forked by another thread; not with __WNOTHREAD */
	P("killed while many run: %s", wst(CHILD(
		for (int i = 0; i < 5; i++)
			pthread_create(&t, NULL, sleeper, NULL);
		kill(getpid(), SIGTERM);
		pause();
	)));
	pid_t pid2 = START(
		step = 0;
		pthread_create(&t, NULL, sleeper, NULL);
		UNTIL(step);
		for (;;)
			pause();
	);
	nap(20);
	kill(pid2, SIGSTOP);
	waitpid(pid2, &st, WUNTRACED);
	P("all stop: %s", wst(st));
	kill(pid2, SIGCONT);
	kill(pid2, SIGKILL);
	P("%s", reap(pid2));
	return 0;
}
