/*
 * prog KIND: a short program of one kind for runs in which something of the sentry fails.  It checks nothing:
 * every call may fail, and what counts is that the sandbox ends in good order.
 *
 *	files warm sockets threads mmap fork ipc
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <dirent.h>

#define IGNORE(e) do { if (e) { } } while (0)

static void
run_files(void)
{
	char buf[8192] = "text";
	struct stat st;
	DIR *d;

	for (int i = 0; i < 4; i++) {
		char a[64], b[64];
		int fd, in;

		snprintf(a, sizeof a, "/tmp/dir%d", i);
		IGNORE(mkdir(a, 0755));
		snprintf(a, sizeof a, "/tmp/dir%d/file", i);
		snprintf(b, sizeof b, "/tmp/dir%d/other", i);
		fd = open(a, O_RDWR | O_CREAT, 0644);
		IGNORE(write(fd, buf, sizeof buf));
		IGNORE(pwrite(fd, buf, 100, 1 << 20));
		IGNORE(ftruncate(fd, 100000));
		IGNORE(pread(fd, buf, sizeof buf, 0));
		IGNORE(fsync(fd));
		close(fd);
		IGNORE(rename(a, b));
		IGNORE(link(b, a));
		IGNORE(symlink("other", "/tmp/link"));
		IGNORE(stat("/tmp/link", &st));
		in = inotify_init1(0);
		IGNORE(inotify_add_watch(in, "/tmp", IN_ALL_EVENTS));
		IGNORE(unlink("/tmp/link"));
		close(in);
		/* the overlay: copied up */
		fd = open("/etc/motd", O_RDWR | O_APPEND);
		IGNORE(write(fd, "more\n", 5));
		close(fd);
		IGNORE(chmod("/etc/passwd", 0600));
		IGNORE(rename("/etc/group", "/etc/group2"));
		d = opendir("/etc");
		while (d && readdir(d))
			continue;
		if (d)
			closedir(d);
		d = opendir("/proc/self");
		while (d && readdir(d))
			continue;
		if (d)
			closedir(d);
		fd = open("/proc/self/maps", O_RDONLY);
		IGNORE(read(fd, buf, sizeof buf));
		close(fd);
		IGNORE(unlink(a));
		IGNORE(unlink(b));
	}
}

/* Files read so often that the sentry maps them: its own program, part by part. */
static void
run_warm(void)
{
	char buf[2000];

	for (int i = 0; i < 40; i++) {
		int fd = open("/proc/self/exe", O_RDONLY);

		for (int k = 0; k < 50; k++)
			IGNORE(pread(fd, buf, sizeof buf, (i % 4) << 17));
		close(fd);
	}
}

static void
run_sockets(void)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX, .sun_path = "/tmp/socket" };
	char buf[4096] = "x", control[CMSG_SPACE(sizeof(int))];
	struct iovec iov = { buf, sizeof buf };

	for (int type = SOCK_STREAM; type <= SOCK_DGRAM; type++) {
		struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control };
		struct cmsghdr *c = CMSG_FIRSTHDR(&m);
		int sv[2] = { -1, -1 };

		IGNORE(socketpair(AF_UNIX, type, 0, sv));
		memset(control, 0, sizeof control);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(c), &sv[0], sizeof(int));
		IGNORE(sendmsg(sv[0], &m, MSG_DONTWAIT));
		m.msg_controllen = sizeof control;
		IGNORE(recvmsg(sv[1], &m, MSG_DONTWAIT));
		IGNORE(send(sv[1], buf, sizeof buf, MSG_DONTWAIT | MSG_NOSIGNAL));
		/* one in flight when all is closed */
		close(sv[0]);
		close(sv[1]);
	}
	{
		int l = socket(AF_UNIX, SOCK_STREAM, 0), c = socket(AF_UNIX, SOCK_STREAM, 0), a;

		IGNORE(unlink(un.sun_path));
		IGNORE(bind(l, (struct sockaddr *)&un, sizeof un));
		IGNORE(listen(l, 4));
		IGNORE(connect(c, (struct sockaddr *)&un, sizeof un));
		a = accept4(l, NULL, NULL, SOCK_NONBLOCK);
		IGNORE(send(c, buf, sizeof buf, MSG_DONTWAIT | MSG_NOSIGNAL));
		IGNORE(recv(a, buf, sizeof buf, MSG_DONTWAIT));
		close(l);
		close(c);
		close(a);
	}
	for (int type = SOCK_STREAM; type <= SOCK_DGRAM; type++) {
		int s = socket(AF_INET, type, 0);

		close(s);
	}
	{
		int ep = epoll_create1(0), ev = eventfd(1, EFD_NONBLOCK), tf = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
		struct epoll_event e = { .events = EPOLLIN };
		struct itimerspec it = { .it_value.tv_nsec = 1000000 };

		IGNORE(epoll_ctl(ep, EPOLL_CTL_ADD, ev, &e));
		IGNORE(epoll_ctl(ep, EPOLL_CTL_ADD, tf, &e));
		IGNORE(timerfd_settime(tf, 0, &it, NULL));
		IGNORE(epoll_wait(ep, &e, 1, 20));
		IGNORE(poll(&(struct pollfd){ .fd = tf, .events = POLLIN }, 1, 20));
		close(ep);
		close(ev);
		close(tf);
	}
}

static pthread_mutex_t mu = PTHREAD_MUTEX_INITIALIZER;

static void *
thread_main(void *arg)
{
	for (int i = 0; i < 50; i++) {
		pthread_mutex_lock(&mu);
		(*(int *)arg)++;
		pthread_mutex_unlock(&mu);
		sched_yield();
	}
	return NULL;
}

static void
run_threads(void)
{
	pthread_t th[6];
	int n = 0, made = 0;

	signal(SIGUSR1, SIG_IGN);
	for (int i = 0; i < 6; i++) {
		if (pthread_create(&th[made], NULL, thread_main, &n) == 0)
			made++;
		kill(getpid(), SIGUSR1);
	}
	for (int i = 0; i < made; i++)
		pthread_join(th[i], NULL);
}

static void
run_mmap(void)
{
	size_t len = 1 << 20;

	for (int i = 0; i < 8; i++) {
		char *p = mmap(NULL, len, PROT_READ | PROT_WRITE, (i & 1 ? MAP_SHARED : MAP_PRIVATE) | MAP_ANONYMOUS, -1, 0);
		int fd = memfd_create("m", 0);
		char *q;

		IGNORE(ftruncate(fd, (off_t)len));
		q = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
		if (q != MAP_FAILED) {
			q[100] = 1;
			q[len - 1] = 1;
		}
		if (p != MAP_FAILED) {
			char *r;

			p[0] = 1;
			IGNORE(mprotect(p + 4096, 8192, PROT_READ));
			IGNORE(madvise(p + 65536, 65536, MADV_DONTNEED));
			r = mremap(p, len, 2 * len, MREMAP_MAYMOVE);
			if (r != MAP_FAILED)
				p = r;
			IGNORE(munmap(p + 8192, 4096));
			IGNORE(munmap(p, 2 * len));
		}
		if (q != MAP_FAILED)
			IGNORE(munmap(q, len));
		close(fd);
		IGNORE(sbrk(65536) == NULL);
	}
}

static void
run_fork(void)
{
	char *argv[] = { "/bin/true", NULL }, *env[] = { NULL };

	for (int i = 0; i < 4; i++) {
		pid_t pid = i & 1 ? vfork() : fork();

		if (pid == 0) {
			execve(argv[0], argv, env);
			_exit(1);
		}
		if (pid > 0) {
			kill(pid, i == 2 ? SIGTERM : 0);
			waitpid(pid, NULL, 0);
		}
		pid = fork();
		if (pid == 0) {
			if (fork() == 0)
				_exit(0);
			_exit(0);
		}
		if (pid > 0)
			waitpid(pid, NULL, 0);
	}
}

static void
run_ipc(void)
{
	struct { long type; char text[100]; } m = { 1, "text" };
	struct sembuf op = { 0, 1, SEM_UNDO };
	struct sigevent se = { .sigev_notify = SIGEV_NONE };
	int shm = shmget(IPC_PRIVATE, 65536, 0600), q = msgget(IPC_PRIVATE, 0600), sem = semget(IPC_PRIVATE, 3, 0600);
	void *p = shmat(shm, NULL, 0);
	timer_t timer;

	if (p != (void *)-1) {
		memset(p, 1, 65536);
		shmdt(p);
	}
	IGNORE(msgsnd(q, &m, sizeof m.text, IPC_NOWAIT));
	IGNORE(msgrcv(q, &m, sizeof m.text, 0, IPC_NOWAIT) < 0);
	IGNORE(semop(sem, &op, 1));
	if (fork() == 0) {
		IGNORE(semop(sem, &op, 1));
		_exit(0);
	}
	wait(NULL);
	shmctl(shm, IPC_RMID, NULL);
	msgctl(q, IPC_RMID, NULL);
	semctl(sem, 0, IPC_RMID);
	if (timer_create(CLOCK_MONOTONIC, &se, &timer) == 0)
		timer_delete(timer);
}

/* Says when an event of a watch is neither there nor told to be lost. */
static void
run_events(void)
{
	int f = open("/tmp/watched", O_CREAT | O_RDWR, 0600), in = inotify_init1(IN_NONBLOCK), missing = 0;
	char b[4096];

	if (f < 0 || in < 0 || inotify_add_watch(in, "/tmp/watched", IN_ATTRIB) < 0)
		return;
	for (int i = 0; i < 1000; i++) {
		if (fchmod(f, i % 2 ? 0600 : 0644) == 0 && read(in, b, sizeof b) <= 0)
			missing++;
	}
	if (missing != 0)
		IGNORE(write(2, "events are missing\n", 19));
}

int
main(int argc, char **argv)
{
	static const struct { const char *name; void (*fn)(void); } kinds[] = {
		{ "files", run_files }, { "warm", run_warm }, { "sockets", run_sockets }, { "threads", run_threads },
		{ "mmap", run_mmap }, { "fork", run_fork }, { "ipc", run_ipc },
		{ "events", run_events },
	};

	for (size_t i = 0; argc > 1 && i < sizeof kinds / sizeof kinds[0]; i++) {
		if (strcmp(argv[1], kinds[i].name) == 0) {
			kinds[i].fn();
			return 0;
		}
	}
	fprintf(stderr, "usage: prog files|warm|sockets|threads|mmap|fork|ipc|events\n");
	return 2;
}
