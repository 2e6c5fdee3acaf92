/* Many things at once: forks, execs, threads, pipes and signals; only the totals are told. */
#include "guest.h"

static volatile int *sh;

static void *
churn(void *arg)
{
	unsigned seed = (unsigned)(long)arg;
	char buf[64];
	int p[2];

	for (int i = 0; i < 60; i++) {
		switch (rand_r(&seed) % 5) {
		case 0:
			if (pipe(p) == 0) {
				write(p[1], "0123456789", 10);
				if (read(p[0], buf, 64) != 10)
					__atomic_add_fetch(&sh[1], 1, __ATOMIC_SEQ_CST);
				close(p[0]);
				close(p[1]);
			}
			break;
		case 1: {
			char *m = mmap(NULL, 65536, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

			m[0] = m[65535] = 1;
			mprotect(m + 4096, 4096, PROT_READ);
			munmap(m, 65536);
			break;
		}
		case 2:
			kill(getpid(), SIGUSR1);
			break;
		case 3:
			sched_yield();
			break;
		case 4:
			close(open("/dev/null", O_RDONLY));
			break;
		}
		__atomic_add_fetch(&sh[0], 1, __ATOMIC_SEQ_CST);
	}
	return NULL;
}

int
main(void)
{
	pid_t kids[12];
	int st, good = 0;

	sh = shared_ints();
	catch_sig(SIGUSR1, SA_RESTART);
	for (int i = 0; i < 12; i++) {
		kids[i] = START(
			pthread_t t[3];
			for (long k = 0; k < 3; k++)
				pthread_create(&t[k], NULL, churn, (void *)(i * 3 + k + 1));
			for (int k = 0; k < 3; k++)
				pthread_join(t[k], NULL);
			if (i % 3 == 0)
				execl("/bin/true", "true", NULL);
			if (i % 3 == 1)
				kill(getpid(), SIGKILL);
			_exit(0);
		);
	}
	for (int i = 0; i < 12; i++) {
		waitpid(kids[i], &st, 0);
		good += i % 3 == 1 ? WIFSIGNALED(st) && WTERMSIG(st) == SIGKILL : WIFEXITED(st) && WEXITSTATUS(st) == 0;
	}
	P("rounds %d, wrong %d, children ended as meant %d", sh[0], sh[1], good);
	for (int i = 0; i < 30; i++) {
		pid_t pid = vfork();

		if (pid == 0) {
			execl("/bin/true", "true", NULL);
			_exit(1);
		}
		waitpid(pid, &st, 0);
		good += WIFEXITED(st) && WEXITSTATUS(st) == 0;
	}
	P("then %d", good);
	/* killed at any moment, and never left behind */
	for (int i = 0; i < 20; i++) {
		pid_t pid = START(for (;;) { pid_t k = vfork(); if (k == 0) _exit(0); waitpid(k, NULL, 0); });

		nap(i % 4);
		kill(pid, SIGKILL);
		good += strcmp(reap(pid), "killed SIGKILL") == 0;
	}
	P("then %d", good);
	return 0;
}
