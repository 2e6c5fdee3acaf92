/*
 * Threads that map, protect, drop and unmap memory of their own all at once, under signals and beside forks: each piece is
 * what it should be, at every step.
 */
#include "guest.h"

#define PAGE	4096UL
#define PAGES	16
#define THREADS	4
#define ROUNDS	150
#define RW	(PROT_READ | PROT_WRITE)

static pthread_barrier_t together;

static void
on_alarm(int s)
{
	(void)s;
}

/* Every page from `from` on begins with c. */
static bool
is_all(const char *p, unsigned from, unsigned to, char c)
{
	for (unsigned i = from; i < to; i++) {
		if (*(const volatile char *)(p + i * PAGE) != c)
			return false;
	}
	return true;
}

static void
fill(char *p, unsigned from, unsigned to, char c)
{
	for (unsigned i = from; i < to; i++)
		*(volatile char *)(p + i * PAGE) = c;
}

/* Number of the first step that went wrong, 0: none. */
static unsigned
one_round(char c)
{
	long r = Q(mmap, NULL, PAGES * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	char *p = (char *)r;

	if (r < 0 && r > -4096)
		return 1;
	if (Q(mprotect, p, 8 * PAGE, RW) != 0 || !is_all(p, 0, 8, 0))
		return 2;
	fill(p, 0, 8, c);
	/* The rest, and what has content already. */
	if (Q(mprotect, p, PAGES * PAGE, RW) != 0 || !is_all(p, 0, 8, c) || !is_all(p, 8, PAGES, 0))
		return 3;
	fill(p, 8, PAGES, c);
	if (Q(mprotect, p + 2 * PAGE, 4 * PAGE, PROT_READ) != 0 || !is_all(p, 0, PAGES, c))
		return 4;
	if (Q(madvise, p + 4 * PAGE, 4 * PAGE, MADV_DONTNEED) != 0 || !is_all(p, 4, 8, 0) || !is_all(p, 8, PAGES, c))
		return 5;
	if (Q(mprotect, p + 2 * PAGE, 4 * PAGE, PROT_NONE) != 0 || Q(mprotect, p + 2 * PAGE, 4 * PAGE, RW) != 0 ||
	    !is_all(p, 2, 4, c))
		return 6;
	if (Q(mmap, p + 8 * PAGE, 4 * PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) != r + 8 * (long)PAGE ||
	    !is_all(p, 8, 12, 0) || !is_all(p, 12, PAGES, c))
		return 7;
	return Q(munmap, p, 10 * PAGE) == 0 && Q(munmap, p + 10 * PAGE, 6 * PAGE) == 0 ? 0 : 8;
}

static void *
worker(void *arg)
{
	unsigned wrong = 0;

	pthread_barrier_wait(&together);
	for (unsigned i = 0; i < ROUNDS && wrong == 0; i++)
		wrong = one_round((char)(1 + ((unsigned)(uintptr_t)arg + i) % 100));
	return (void *)(uintptr_t)wrong;
}

/* Reserved memory that a debugger has written to is not empty when it becomes accessible. */
static void
written_by_force(void)
{
	long r = Q(mmap, NULL, 2 * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int fd = open("/proc/self/mem", O_RDWR);

	P("pwrite = %s", res(pwrite(fd, "x", 1, r)));
	close(fd);
	S(mprotect, r, 2 * PAGE, RW);
	P("%d %d", *(volatile char *)r, *(volatile char *)(r + PAGE));
}

/* The heap grows and shrinks; what comes back is empty. */
static void
heap(void)
{
	long end = Q(brk, 0);
	bool ok = true;

	for (unsigned i = 0; i < 200; i++) {
		long up = Q(brk, end + 4 * (long)PAGE);

		ok = ok && up == end + 4 * (long)PAGE && is_all((char *)((end + 4095) & ~4095L), 0, 3, 0);
		fill((char *)((end + 4095) & ~4095L), 0, 3, 1);
		ok = ok && Q(brk, end) == end;
	}
	P("heap %d", ok);
}

int
main(void)
{
	const struct itimerval often = { { 0, 1000 }, { 0, 1000 } }, off = { 0 };
	pthread_t t[THREADS];

	written_by_force();
	signal(SIGALRM, on_alarm);
	pthread_barrier_init(&together, NULL, THREADS + 1);
	setitimer(ITIMER_REAL, &often, NULL);
	heap();
	for (uintptr_t i = 0; i < THREADS; i++)
		pthread_create(&t[i], NULL, worker, (void *)i);
	pthread_barrier_wait(&together);
	for (unsigned i = 0; i < 10; i++) {
		pid_t pid = fork();
		int status = 0;

		if (pid == 0)
			_exit((int)one_round('f'));
		while (waitpid(pid, &status, 0) < 0)
			;
		if (status != 0)
			P("child %u: %d", i, status);
	}
	for (unsigned i = 0; i < THREADS; i++) {
		void *wrong;

		pthread_join(t[i], &wrong);
		P("thread %u: %u", i, (unsigned)(uintptr_t)wrong);
	}
	setitimer(ITIMER_REAL, &off, NULL);
	return 0;
}
