/* Threads of one process change how another is scheduled and named, and what a file's mode is, while that forks and opens. */
#include "guest.h"

#define ROUNDS	100

static _Atomic int over;
static pid_t target;

static void *
change(void *arg)
{
	int fd = open("/proc/self/comm", O_WRONLY | O_CLOEXEC);
	(void)arg;
	for (int i = 0; !over; i++) {
		struct sched_param none = { 0 };

		Q(setpriority, PRIO_PROCESS, target, i % 2);
		Q(sched_setscheduler, target, i % 2 ? SCHED_BATCH : SCHED_OTHER, &none);
		Q(chmod, "f", i % 2 ? 0600 : 0640);
		Q(write, fd, i % 2 ? "one" : "two", 3);
	}
	close(fd);
	return NULL;
}

int
main(void)
{
	pthread_t other;
	int forks = 0, writes = 0;

	scratch();
	target = getpid();
	close(open("f", O_RDWR | O_CREAT, 0600));
	if (pthread_create(&other, NULL, change, NULL) != 0)
		die("pthread_create");
	for (int i = 0; i < ROUNDS; i++) {
		struct sched_param p;
		int fd = open("f", O_WRONLY | O_CLOEXEC), status;
		pid_t pid = fork();

		if (pid == 0)
			_exit(0);
		forks += waitpid(pid, &status, 0) == pid && status == 0;
		writes += write(fd, "x", 1) == 1;
		close(fd);
		Q(sched_getscheduler, 0);
		Q(sched_getparam, 0, &p);
		fd = open("/proc/self/stat", O_RDONLY | O_CLOEXEC);
		close(fd);
	}
	over = 1;
	pthread_join(other, NULL);
	P("forks %d, writes %d", forks, writes);
	return 0;
}
