/*
 * eater KIND: a program that takes all it can get of one thing, then says what stopped it and whether the rest of
 * the sandbox is still there.
 *
 *	forks threads memory shared touch fds pipes sockets files watches timers maps ipc keys stack deep
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/msg.h>
#include <sys/resource.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define MANY	20000u

static unsigned n;
static const char *stopped = "its own limit";

static int
stop_at(int failed)
{
	if (failed)
		stopped = strerrorname_np(errno);
	return failed || ++n >= MANY;
}

static void
eat_forks(void)
{
	for (;;) {
		pid_t pid = fork();

		if (pid == 0) {
			pause();
			_exit(0);
		}
		if (stop_at(pid < 0))
			break;
	}
	signal(SIGTERM, SIG_IGN);
	kill(0, SIGTERM);
	while (wait(NULL) > 0)
		continue;
}

/* Each one forks as fast as it can; the parent ends them all after a while. */
static void
eat_bomb(void)
{
	pid_t pid = fork();

	if (pid == 0) {
		setpgid(0, 0);
		for (;;) {
			if (fork() < 0)
				sched_yield();
		}
	}
	for (int i = 0; i < 30; i++)
		poll(NULL, 0, 50);
	/* New ones may come while the old ones go. */
	for (int i = 0; i < 200 && kill(-pid, SIGKILL) == 0; i++)
		poll(NULL, 0, 10);
	waitpid(pid, NULL, 0);
	stopped = kill(-pid, 0) == 0 ? "nothing" : "SIGKILL";
}

static void *
sleeper(void *arg)
{
	pause();
	return arg;
}

static void
eat_threads(void)
{
	pthread_attr_t a;
	pthread_t th;

	pthread_attr_init(&a);
	pthread_attr_setstacksize(&a, 65536);
	for (;;) {
		int e = pthread_create(&th, &a, sleeper, NULL);

		errno = e;
		if (stop_at(e != 0))
			break;
	}
}

static void
eat_memory(int flags, size_t len, int touch)
{
	/* In a child: whoever eats too much may be killed for it. */
	pid_t pid = fork();
	int status = 0;

	if (pid == 0) {
		for (unsigned i = 0; i < 64; i++) {
			char *p = mmap(NULL, len, PROT_READ | PROT_WRITE, flags | MAP_ANONYMOUS, -1, 0);

			if (p == MAP_FAILED)
				_exit(errno);
			for (size_t at = 0; touch && at < len; at += 4096)
				p[at] = 1;
		}
		_exit(0);
	}
	waitpid(pid, &status, 0);
	stopped = WIFSIGNALED(status) ? "a signal" : WEXITSTATUS(status) ? strerrorname_np(WEXITSTATUS(status)) : "nothing";
}

static void
eat_maps(void)
{
	for (;;) {
		/* Neighbours differ, so that none merge. */
		void *p = mmap(NULL, 4096, n & 1 ? PROT_READ : PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		if (stop_at(p == MAP_FAILED))
			break;
	}
}

static void
eat_fds(const char *kind)
{
	struct rlimit all = { 1 << 20, 1 << 20 };
	static char block[4096];
	const unsigned most = kind[0] == 'p' || kind[0] == 's' ? 2000 : MANY;
	int sv[2], ep = epoll_create1(0);
	char name[64];

	if (setrlimit(RLIMIT_NOFILE, &all) != 0) {
		getrlimit(RLIMIT_NOFILE, &all);
		all.rlim_cur = all.rlim_max;
		setrlimit(RLIMIT_NOFILE, &all);
	}
	for (;;) {
		struct epoll_event e = { .events = EPOLLIN };
		int fd;

		switch (kind[0]) {
		case 'p':
			fd = pipe(sv);
			if (fd == 0) {
				fcntl(sv[1], F_SETFL, O_NONBLOCK);
				while (write(sv[1], block, sizeof block) > 0)
					continue;
			}
			break;
		case 's':
			fd = socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, sv);
			while (fd == 0 && send(sv[0], block, sizeof block, MSG_NOSIGNAL) > 0)
				continue;
			break;
		case 'e':
			fd = eventfd(0, 0);
			if (fd >= 0)
				epoll_ctl(ep, EPOLL_CTL_ADD, fd, &e);
			break;
		case 'f':
			snprintf(name, sizeof name, "/tmp/file%u", n);
			fd = open(name, O_RDWR | O_CREAT, 0600);
			break;
		case 'm':
			fd = memfd_create("m", 0);
			if (fd >= 0 && ftruncate(fd, 65536) == 0 && write(fd, name, sizeof name) < 0)
				fd = -1;
			break;
		default:
			fd = open("/etc/data", O_RDONLY);
		}
		if (stop_at(fd < 0) || n >= most)
			break;
	}
}

/* Descriptors in flight inside descriptors in flight. */
static void
eat_flight(void)
{
	char control[CMSG_SPACE(sizeof(int))] = "", byte = 0;
	struct iovec iov = { &byte, 1 };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control };
	struct cmsghdr *c = CMSG_FIRSTHDR(&m);
	int last = -1;

	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(int));
	while (n < 20000) {
		int sv[2];

		if (socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0, sv) != 0) {
			stop_at(1);
			break;
		}
		if (last >= 0) {
			memcpy(CMSG_DATA(c), &last, sizeof last);
			if (stop_at(sendmsg(sv[0], &m, MSG_NOSIGNAL) < 0))
				break;
			close(last);
		}
		close(sv[0]);
		last = sv[1];
	}
	close(last);	/* and now all of them go at once */
}

static void
eat_deep(void)
{
	mkdir("/tmp/deep", 0700);
	for (int ok = chdir("/tmp/deep") == 0; ok && n < 5000;) {
		if (stop_at(mkdir("d", 0700) != 0 || chdir("d") != 0))
			break;
	}
}

static void
eat_disk(void)
{
	static char block[1 << 20];
	int fd = open("/tmp/big", O_RDWR | O_CREAT, 0600);

	memset(block, 1, sizeof block);
	while (n < 2000) {
		if (stop_at(write(fd, block, sizeof block) != sizeof block))
			break;
	}
	unlink("/tmp/big");
}

static void
eat_names(void)
{
	char name[64];

	while (n < 100000) {
		snprintf(name, sizeof name, "/tmp/name%u", n);
		if (stop_at(symlink("x", name) != 0))
			break;
	}
}

static void
eat_timers(void)
{
	struct sigevent se = { .sigev_notify = SIGEV_NONE };
	timer_t t;

	while (!stop_at(timer_create(CLOCK_MONOTONIC, &se, &t) != 0))
		continue;
}

static void
eat_signals(void)
{
	sigset_t all;

	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, NULL);
	while (!stop_at(sigqueue(getpid(), SIGRTMIN, (union sigval){ 0 }) != 0))
		continue;
}

static void
eat_ipc(void)
{
	struct { long type; char text[1000]; } m = { 1, "" };

	while (n < 20000) {
		int q = msgget(IPC_PRIVATE, 0600);

		while (q >= 0 && msgsnd(q, &m, sizeof m.text, IPC_NOWAIT) == 0)
			continue;
		if (stop_at(q < 0))
			break;
	}
	n = 0;
	while (!stop_at(shmget(IPC_PRIVATE, 65536, 0600) < 0))
		continue;
}

static void
eat_watches(void)
{
	char name[64];
	int in = inotify_init1(IN_NONBLOCK);

	while (n < 20000) {
		snprintf(name, sizeof name, "/tmp/watch%u", n);
		close(open(name, O_RDWR | O_CREAT, 0600));
		if (stop_at(inotify_add_watch(in, name, IN_ALL_EVENTS) < 0))
			break;
	}
}

static unsigned
eat_stack(unsigned depth)
{
	volatile char big[4096];

	big[0] = (char)depth;
	return depth == MANY * 10 ? 0 : eat_stack(depth + 1) + (unsigned)big[0];
}

int
main(int argc, char **argv)
{
	const char *kind = argc > 1 ? argv[1] : "";
	int status;

	if (strcmp(kind, "forks") == 0)
		eat_forks();
	else if (strcmp(kind, "bomb") == 0)
		eat_bomb();
	else if (strcmp(kind, "threads") == 0)
		eat_threads();
	else if (strcmp(kind, "memory") == 0)
		eat_memory(MAP_PRIVATE, 16 << 20, 1);
	else if (strcmp(kind, "shared") == 0)
		eat_memory(MAP_SHARED, 16 << 20, 1);
	else if (strcmp(kind, "reserve") == 0)
		eat_memory(MAP_PRIVATE | MAP_NORESERVE, (size_t)1 << 36, 0);
	else if (strcmp(kind, "maps") == 0)
		eat_maps();
	else if (strcmp(kind, "flight") == 0)
		eat_flight();
	else if (strcmp(kind, "deep") == 0)
		eat_deep();
	else if (strcmp(kind, "disk") == 0)
		eat_disk();
	else if (strcmp(kind, "names") == 0)
		eat_names();
	else if (strcmp(kind, "timers") == 0)
		eat_timers();
	else if (strcmp(kind, "signals") == 0)
		eat_signals();
	else if (strcmp(kind, "ipc") == 0)
		eat_ipc();
	else if (strcmp(kind, "watches") == 0)
		eat_watches();
	else if (strcmp(kind, "stack") == 0) {
		if (fork() == 0)
			_exit((int)eat_stack(0));
		wait(&status);
		stopped = WIFSIGNALED(status) ? "a signal" : "nothing";
	} else if (strncmp(kind, "fds-", 4) == 0)
		eat_fds(kind + 4);
	else
		return 2;
	printf("%s: %u, stopped by %s\n", kind, n, stopped);
	fflush(stdout);
	_exit(0);
}
