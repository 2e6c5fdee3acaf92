/* fork and vfork: what is copied, what is shared, what is not passed on. */
#include "guest.h"

static int counter = 1;

int
main(void)
{
	volatile int *sh = shared_ints();
	char buf[16];
	int fd, p[2];
	pid_t me = getpid(), pid;
	sigset_t set, old;

	scratch();
	P("child: %s", wst(CHILD(counter++; P("child counts %d, parent right %s", counter, getppid() == me ? "yes" : "no"))));
	P("parent counts %d", counter);
	/* the file position is shared, the descriptor table is not */
	put("f", "0123456789");
	fd = open("f", O_RDONLY);
	P("child: %s", wst(CHILD(read(fd, buf, 4); close(fd))));
	S(read, fd, buf, 2);
	P("%s", txt(buf, 2));
	/* pending signals and alarms are not inherited, the mask and dispositions are */
	catch_sig(SIGUSR1, 0);
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigprocmask(SIG_BLOCK, &set, &old);
	kill(me, SIGUSR1);
	alarm(100);
	P("child: %s", wst(CHILD(
		sigset_t pend, mask;
		sigpending(&pend);
		sigprocmask(SIG_BLOCK, NULL, &mask);
		P("pending %d blocked %d alarm %u", sigismember(&pend, SIGUSR1), sigismember(&mask, SIGUSR1), alarm(0));
		kill(getpid(), SIGUSR1);
		sigprocmask(SIG_SETMASK, &old, NULL);
		P("handled %d", got[SIGUSR1]);
	)));
	P("parent's alarm %s", alarm(0) > 90 ? "runs" : "gone");
	sigprocmask(SIG_SETMASK, &old, NULL);
	P("parent handled %d", got[SIGUSR1]);
	/* vfork: the parent waits until exec or exit, memory is one */
	pid = vfork();
	if (pid == 0) {
		counter = 100;
		sh[0] = 1;
		_exit(4);
	}
	P("vfork: %s, counter %d, child ran first %d", reap(pid), counter, sh[0]);
	pid = vfork();
	if (pid == 0) {
		execl("/bin/sh", "sh", "-c", "exit 6", (char *)NULL);
		_exit(127);
	}
	P("vfork and exec: %s", reap(pid));
	pid = vfork();
	if (pid == 0) {
		execl("/none", "none", (char *)NULL);
		_exit(errno == ENOENT ? 9 : 8);
	}
	P("vfork and failed exec: %s", reap(pid));
	/* many at once */
	pid_t kids[40];
	int sum = 0, st;
	for (int i = 0; i < 40; i++)
		kids[i] = START(_exit(i));
	for (int i = 0; i < 40; i++) {
		waitpid(kids[i], &st, 0);
		sum += WEXITSTATUS(st) == i;
	}
	P("forty children: %d right", sum);
	/* a chain of forks */
	P("deep: %s", wst(CHILD(
		for (int i = 0; i < 20; i++) {
			pid_t k = fork();
			if (k > 0) {
				int s2;
				waitpid(k, &s2, 0);
				_exit(WEXITSTATUS(s2) + 1);
			}
		}
		_exit(0);
	)));
	pipe(p);
	P("child writes, parent reads: %s", wst(CHILD(write(p[1], "through", 7))));
	S(read, p[0], buf, 16);
	P("%s", txt(buf, 7));
	/* many at once */
	pid_t many[500];
	int born = 0, ended = 0;

	for (int i = 0; i < 500; i++) {
		many[i] = fork();
		if (many[i] == 0) {
			pause();
			_exit(1);
		}
		born += many[i] > 0;
	}
	for (int i = 0; i < 500; i++)
		kill(many[i], SIGKILL);
	for (int i = 0; i < 500; i++)
		ended += waitpid(many[i], NULL, 0) == many[i];
	P("%d born, %d ended", born, ended);
	/* memory written by parent and child in turn */
	char *m = malloc(1 << 20);
	memset(m, 'p', 1 << 20);
	pid = START(
		while (sh[1] == 0)
			nap(1);
		int bad = 0;
		for (int i = 0; i < 1 << 20; i++)
			bad += m[i] != 'p';
		P("child sees %d changes", bad);
		memset(m, 'c', 1 << 20);
	);
	memset(m, 'q', 1 << 20);
	sh[1] = 1;
	P("%s", reap(pid));
	P("parent sees %c", m[4096]);
	return 0;
}
