/*
 * reaper SECONDS COMMAND ARG...: runs a test and sees to it that nothing of it stays.
 *
 * It is the subreaper of the test, so every process that the test leaves behind becomes its child,
 * however often it forked.  After the command has ended those get two seconds to go; what is still
 * there then is named on stdout as "left PID NAME" and killed.  The exit status is the command's,
 * 124 after a timeout, or 125 when something was left.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static void
nap(long ms)
{
	struct timespec ts = { ms / 1000, ms % 1000 * 1000000 };

	nanosleep(&ts, NULL);
}

/* Names and kills every process below pid; false if there is none. */
static int
name_children(pid_t pid, int print)
{
	char path[64], line[256], name[64];
	int found = 0;
	pid_t kid;
	FILE *f;

	snprintf(path, sizeof path, "/proc/%d/task/%d/children", pid, pid);
	f = fopen(path, "r");
	while (f && fscanf(f, "%d", &kid) == 1) {
		FILE *c;

		name_children(kid, print);
		snprintf(path, sizeof path, "/proc/%d/stat", kid);
		c = fopen(path, "r");
		if (c && fgets(line, sizeof line, c) && sscanf(line, "%*d (%63[^)])", name) == 1 &&
		    !strstr(line, ") Z ")) {
			found = 1;
			if (print)
				printf("left %d %s\n", kid, name);
			kill(kid, SIGKILL);
		}
		if (c)
			fclose(c);
	}
	if (f)
		fclose(f);
	return found;
}

int
main(int argc, char **argv)
{
	int st = 0, status = 0, left = 0;
	long ms = argc > 2 ? atol(argv[1]) * 1000 : 0;
	pid_t pid, r;
	char self[16];

	if (argc < 3)
		return 2;
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	snprintf(self, sizeof self, "%d", getpid());
	setenv("REAPER", self, 1);
	pid = fork();
	if (pid == 0) {
		execvp(argv[2], argv + 2);
		perror(argv[2]);
		_exit(127);
	}
	for (; ms > 0; ms -= 10) {
		r = waitpid(-1, &st, WNOHANG);
		if (r == pid)
			break;
		if (r == 0)
			nap(10);
	}
	if (ms <= 0) {
		puts("timed out");
		name_children(getpid(), 1);
		status = 124;
	} else {
		status = WIFEXITED(st) ? WEXITSTATUS(st) : 128 + WTERMSIG(st);
	}
	for (int i = 0; i < 200; i++) {
		r = waitpid(-1, NULL, WNOHANG);
		if (r < 0 && errno == ECHILD)
			return status;
		if (r == 0)
			nap(10);
	}
	for (int i = 0; i < 20 && name_children(getpid(), i == 0); i++) {
		left = 1;
		while (waitpid(-1, NULL, WNOHANG) > 0)
			;
		nap(10);
	}
	fflush(stdout);
	return left && status == 0 ? 125 : status;
}
