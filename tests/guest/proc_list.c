/* /proc and /proc/self/task, a few entries at a time: each process, in order, and each thread once, also when some end meanwhile. */
#include "guest.h"
#include <dirent.h>

#define MANY	300

struct entry {
	uint64_t	ino;
	int64_t		off;
	uint16_t	len;
	uint8_t		type;
	char		name[];
};

static pid_t pids[MANY];
static _Atomic int started;
static pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;

static int
compare(const void *a, const void *b)
{
	return *(const pid_t *)a - *(const pid_t *)b;
}

/* What of the first n of pids is listed in dir, and how; after half of them, `then` happens. */
static void
list(const char *dir, const char *what, int many, void (*then)(void))
{
	int fd = open(dir, O_RDONLY | O_DIRECTORY), seen = 0, twice = 0, disorder = 0, last = 0;
	bool found[MANY] = { 0 };
	char buf[200];
	long n;

	if (fd < 0)
		die("%s", dir);
	while ((n = Q(getdents64, fd, buf, sizeof buf)) > 0) {
		for (long at = 0; at < n; at += ((struct entry *)(buf + at))->len) {
			struct entry *e = (struct entry *)(buf + at);
			pid_t pid = atoi(e->name), *p;

			if (pid == 0)
				continue;
			/* Threads are listed in the order in which they were made, and their numbers may begin anew. */
			disorder += pid <= last && strcmp(dir, "/proc") == 0;
			last = pid;
			p = bsearch(&pid, pids, (size_t)many, sizeof *pids, compare);
			if (p == NULL)
				continue;
			twice += found[p - pids];
			found[p - pids] = true;
			if (++seen == many / 2 && then != NULL)
				then();
		}
	}
	close(fd);
	P("%s: %d of %d, %d twice, %d out of order, end %ld", what, seen, many, twice, disorder, n);
}

/* The last ten are gone before they are listed; their numbers may be others' soon. */
static void
end_some(void)
{
	for (int i = MANY - 10; i < MANY; i++) {
		kill(pids[i], SIGKILL);
		waitpid(pids[i], NULL, 0);
	}
}

static void *
waits(void *arg)
{
	pids[(long)arg] = gettid();
	started++;
	pthread_mutex_lock(&gate);
	pthread_mutex_unlock(&gate);
	return NULL;
}

int
main(void)
{
	pthread_t t[MANY];
	pthread_attr_t attr;
	char thread[64];

	for (int i = 0; i < MANY; i++) {
		pids[i] = fork();
		if (pids[i] < 0)
			die("fork");
		if (pids[i] == 0) {
			pause();
			_exit(0);
		}
	}
	qsort(pids, MANY, sizeof *pids, compare);
	list("/proc", "processes", MANY, NULL);
	list("/proc", "some end", MANY - 10, end_some);
	for (int i = 0; i < MANY - 10; i++) {
		kill(pids[i], SIGKILL);
		waitpid(pids[i], NULL, 0);
	}

	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, 65536);
	pthread_mutex_lock(&gate);
	for (long i = 0; i < MANY; i++) {
		if (pthread_create(&t[i], &attr, waits, (void *)i) != 0)
			die("pthread_create");
	}
	UNTIL(started == MANY);
	qsort(pids, MANY, sizeof *pids, compare);
	list("/proc/self/task", "threads", MANY, NULL);
	/* A thread's number is not listed, and yet found. */
	snprintf(thread, sizeof thread, "/proc/%d/stat", pids[MANY / 2]);
	T(access(thread, R_OK));
	list("/proc", "threads among processes", MANY, NULL);
	pthread_mutex_unlock(&gate);
	for (int i = 0; i < MANY; i++)
		pthread_join(t[i], NULL);
	return 0;
}
