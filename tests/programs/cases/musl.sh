# Programs linked with musl: static, and dynamic with its own loader.
. /cases/lib
set -e
cat >t.c <<'END'
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static __thread int tls = 3;
static pthread_mutex_t mu = PTHREAD_MUTEX_INITIALIZER;
static int total;

static void *
work(void *arg)
{
	for (int i = 0; i < 1000; i++) {
		pthread_mutex_lock(&mu);
		total += 1;
		pthread_mutex_unlock(&mu);
	}
	tls += (int)(long)arg;
	return (void *)(long)tls;
}

int
main(int argc, char **argv)
{
	pthread_t t[4];
	void *r;
	int st;

	printf("argc %d %s\n", argc, argc > 1 ? argv[1] : "-");
	for (long i = 0; i < 4; i++)
		pthread_create(&t[i], NULL, work, (void *)i);
	for (int i = 0; i < 4; i++) {
		pthread_join(t[i], &r);
		printf("thread %ld\n", (long)r);
	}
	printf("total %d tls %d\n", total, tls);
	fflush(stdout);
	if (fork() == 0) {
		char *p = malloc(10 << 20);
		memset(p, 1, 10 << 20);
		_exit(p[5 << 20] + 6);
	}
	wait(&st);
	printf("child %d\n", WEXITSTATUS(st));
	struct timespec ts;
	clock_gettime(CLOCK_MONOTONIC, &ts);
	printf("clock %s\n", ts.tv_nsec < 1000000000 ? "fine" : "?");
	FILE *f = popen("echo from popen", "r");
	char line[64];
	if (fgets(line, sizeof line, f))
		fputs(line, stdout);
	printf("pclose %d\n", pclose(f));
	printf("%s\n", strerror(ENOENT));
	return 5;
}
END
musl-gcc -static -O1 -o static t.c
musl-gcc -O1 -o dynamic t.c
musl-gcc -static -O1 -static-pie -fPIE -o pie t.c 2>/dev/null || cp static pie
set +e
for p in static dynamic pie; do
	./$p arg; echo "$p: $?"
done
