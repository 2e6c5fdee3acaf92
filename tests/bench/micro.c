/*
 * One Linux operation a line: how long it takes, seen from the program.
 *
 * The same binary runs natively and in the sandbox.  Each operation is repeated until a batch takes
 * some ten milliseconds; the figure is the median of several batches, in nanoseconds an operation.
 * Nothing is subtracted.  An operation that fails prints why, and no number.
 *
 * micro DIR FILE [TEXT]   DIR: where files may be made; FILE: one of the root, 64 KiB or more, that is read;
 *                         TEXT: only rows with it in their names
 * micro child             what spawn starts: exits at once
 */
#include "bench.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define BATCHES		9
#define BATCH_NS	8000000
#define ROW_NS		700000000LL	/* a slow operation gets fewer batches */
#define TOUCH_PAGES	16
#define FAULT_PAGES	256

extern char **environ;

static char path_file[512], path_dir[400];
static const char *path_host;		/* a file of the root: the gofer's, inside */
static char *self_argv[] = { "/proc/self/exe", "child", NULL };
static char *dash_argv[] = { "/bin/dash", "-c", ":", NULL };
static char buf[65536];
static int fd_file = -1, fd_host = -1;

/* An operation does n rounds and says how many nanoseconds they took, or -errno. */
typedef int64_t op_fn(int n);

#define TIMED(n, stmt) ({ \
	int64_t start_ = now_ns(); \
	for (int i_ = 0; i_ < (n); i_++) \
		stmt; \
	now_ns() - start_; })

static int64_t
op_null(int n)
{
	return TIMED(n, if (syscall(SYS_getppid) < 0) return -errno);
}

static int64_t
op_clock(int n)
{
	struct timespec ts;

	return TIMED(n, if (clock_gettime(CLOCK_MONOTONIC, &ts)) return -errno);
}

static int64_t
op_gettid(int n)
{
	return TIMED(n, if (syscall(SYS_gettid) < 0) return -errno);
}

static int64_t
op_getuid(int n)
{
	return TIMED(n, if (syscall(SYS_getuid) < 0) return -errno);
}

static int64_t
op_lseek(int n)
{
	return TIMED(n, if (lseek(fd_file, 0, SEEK_SET) < 0) return -errno);
}

static int64_t
op_fcntl(int n)
{
	return TIMED(n, if (fcntl(fd_file, F_GETFL) < 0) return -errno);
}

static int64_t
op_futex(int n)
{
	static int word;

	return TIMED(n, if (syscall(SYS_futex, &word, 129 /* FUTEX_WAKE_PRIVATE */, 1, NULL, NULL, 0) < 0) return -errno);
}

static int64_t
op_epoll(int n)
{
	struct epoll_event ev = { .events = EPOLLIN };
	int ep = epoll_create1(0), p[2];
	int64_t took;

	if (ep < 0 || pipe(p) || epoll_ctl(ep, EPOLL_CTL_ADD, p[0], &ev))
		return -errno;
	took = TIMED(n, if (epoll_wait(ep, &ev, 1, 0) != 0) return -EIO);
	close(ep), close(p[0]), close(p[1]);
	return took;
}

static void
on_signal(int sig)
{
	(void)sig;
}

static int64_t
op_sigaction(int n)
{
	struct sigaction sa = { .sa_handler = on_signal };

	return TIMED(n, if (sigaction(SIGUSR2, &sa, NULL)) return -errno);
}

static int64_t
op_sigmask(int n)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR2);
	return TIMED(n, if (sigprocmask(i_ & 1 ? SIG_UNBLOCK : SIG_BLOCK, &set, NULL)) return -errno);
}

static int64_t
op_signal(int n)
{
	struct sigaction sa = { .sa_handler = on_signal };

	if (sigaction(SIGUSR1, &sa, NULL))
		return -errno;
	return TIMED(n, if (raise(SIGUSR1)) return -errno);
}

static int64_t
pread_len(int fd, int n, size_t len)
{
	return TIMED(n, {
		ssize_t got = pread(fd, buf, len, 0);
		if (got != (ssize_t)len)
			return got < 0 ? -errno : -EIO;
	});
}

static int64_t
op_pread1(int n)
{
	return pread_len(fd_file, n, 1);
}

static int64_t
op_pread4k(int n)
{
	return pread_len(fd_file, n, 4096);
}

static int64_t
op_pread64k(int n)
{
	return pread_len(fd_file, n, 65536);
}

static int64_t
op_host1(int n)
{
	return pread_len(fd_host, n, 1);
}

static int64_t
op_host4k(int n)
{
	return pread_len(fd_host, n, 4096);
}

static int64_t
op_host64k(int n)
{
	return pread_len(fd_host, n, 65536);
}

static int64_t
op_pwrite(int n)
{
	return TIMED(n, if (pwrite(fd_file, buf, 4096, 0) != 4096) return -errno);
}

static int64_t
open_path(const char *path, int n)
{
	return TIMED(n, {
		int fd = open(path, O_RDONLY);
		if (fd < 0 || close(fd))
			return -errno;
	});
}

static int64_t
op_open(int n)
{
	return open_path(path_file, n);
}

static int64_t
op_open_host(int n)
{
	return open_path(path_host, n);
}

static int64_t
op_fstat(int n)
{
	struct stat st;

	return TIMED(n, if (fstat(fd_file, &st)) return -errno);
}

static int64_t
op_pipe(int n)
{
	int p[2];
	int64_t took;
	char c = 'x';

	if (pipe(p))
		return -errno;
	took = TIMED(n, if (write(p[1], &c, 1) != 1 || read(p[0], &c, 1) != 1) return -errno);
	close(p[0]), close(p[1]);
	return took;
}

static int64_t
op_eventfd(int n)
{
	int fd = eventfd(0, 0);
	uint64_t v = 1;
	int64_t took;

	if (fd < 0)
		return -errno;
	took = TIMED(n, if (write(fd, &v, 8) != 8 || read(fd, &v, 8) != 8) return -errno);
	close(fd);
	return took;
}

static int64_t
op_stat(int n)
{
	struct stat st;

	return TIMED(n, if (stat(path_file, &st)) return -errno);
}

/* Two processes, a byte there and a byte back. */
static int64_t
pingpong(int n, int there[2], int back[2])
{
	int status;
	char c = 'x';
	int64_t took;
	pid_t pid;

	pid = fork();
	if (pid < 0)
		return -errno;
	if (pid == 0) {
		close(there[1]);
		while (read(there[0], &c, 1) == 1 && write(back[1], &c, 1) == 1)
			;
		_exit(0);
	}
	/* The first round is the child's start. */
	if (write(there[1], &c, 1) != 1 || read(back[0], &c, 1) != 1)
		return -errno;
	took = TIMED(n, {
		if (write(there[1], &c, 1) != 1 || read(back[0], &c, 1) != 1)
			return -errno;
	});
	close(there[0]), close(there[1]), close(back[0]), close(back[1]);
	if (waitpid(pid, &status, 0) != pid || status)
		return -ECHILD;
	return took;
}

static int64_t
op_pingpong(int n)
{
	int there[2], back[2];

	return pipe(there) || pipe(back) ? -errno : pingpong(n, there, back);
}

static int64_t
op_unix_pingpong(int n)
{
	int there[2], back[2];

	return socketpair(AF_UNIX, SOCK_STREAM, 0, there) || socketpair(AF_UNIX, SOCK_STREAM, 0, back) ?
	    -errno : pingpong(n, there, back);
}

/* n writes of 64 KiB, taken in by another process. */
static int64_t
bulk(int n, int fds[2])
{
	int status;
	int64_t took;
	pid_t pid = fork();

	if (pid < 0)
		return -errno;
	if (pid == 0) {
		ssize_t got;
		int64_t left = (int64_t)n * 65536;

		close(fds[1]);
		while (left > 0 && (got = read(fds[0], buf, sizeof buf)) > 0)
			left -= got;
		_exit(left != 0);
	}
	close(fds[0]);
	took = now_ns();
	for (int i = 0; i < n; i++) {
		for (size_t done = 0; done < sizeof buf;) {
			ssize_t put = write(fds[1], buf, sizeof buf - done);

			if (put < 0)
				return -errno;
			done += (size_t)put;
		}
	}
	if (waitpid(pid, &status, 0) != pid || status)
		return -ECHILD;
	close(fds[1]);
	return now_ns() - took;
}

static int64_t
op_pipe_bulk(int n)
{
	int fds[2];

	return pipe(fds) ? -errno : bulk(n, fds);
}

static int64_t
op_unix_bulk(int n)
{
	int fds[2];

	return socketpair(AF_UNIX, SOCK_STREAM, 0, fds) ? -errno : bulk(n, fds);
}

static int64_t
op_mmap(int n)
{
	return TIMED(n, {
		char *p = mmap(NULL, TOUCH_PAGES * 4096, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		if (p == MAP_FAILED)
			return -errno;
		for (int j = 0; j < TOUCH_PAGES; j++)
			((volatile char *)p)[j * 4096] = 1;
		if (munmap(p, TOUCH_PAGES * 4096))
			return -errno;
	});
}

/* Counts pages, small ones: n of them, over as many mappings as it takes. */
static int64_t
op_fault(int n)
{
	int64_t took = 0;

	for (int done = 0; done < n; done += FAULT_PAGES) {
		int pages = n - done < FAULT_PAGES ? n - done : FAULT_PAGES;
		volatile char *p = mmap(NULL, FAULT_PAGES * 4096, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		if (p == MAP_FAILED)
			return -errno;
		(void)madvise((void *)p, FAULT_PAGES * 4096, MADV_NOHUGEPAGE);
		took += TIMED(pages, p[i_ * 4096] = 1);
		munmap((void *)p, FAULT_PAGES * 4096);
	}
	return took;
}

/* The child writes to pages that it shares with its parent, and reports what that took. */
static int64_t
op_cow(int n)
{
	int64_t took = 0, part;
	int fds[2];

	for (int done = 0; done < n; done += FAULT_PAGES) {
		int pages = n - done < FAULT_PAGES ? n - done : FAULT_PAGES;
		volatile char *p = mmap(NULL, FAULT_PAGES * 4096, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		pid_t pid;

		if (p == MAP_FAILED || pipe(fds))
			return -errno;
		(void)madvise((void *)p, FAULT_PAGES * 4096, MADV_NOHUGEPAGE);
		for (int i = 0; i < FAULT_PAGES; i++)
			p[i * 4096] = 1;
		pid = fork();
		if (pid < 0)
			return -errno;
		if (pid == 0) {
			part = TIMED(pages, p[i_ * 4096] = 2);
			_exit(write(fds[1], &part, sizeof part) != sizeof part);
		}
		if (read(fds[0], &part, sizeof part) != sizeof part || waitpid(pid, NULL, 0) != pid)
			return -EIO;
		took += part;
		close(fds[0]), close(fds[1]);
		munmap((void *)p, FAULT_PAGES * 4096);
	}
	return took;
}

static int64_t
op_fork(int n)
{
	return TIMED(n, {
		pid_t pid = fork();
		if (pid == 0)
			_exit(0);
		if (pid < 0 || waitpid(pid, NULL, 0) != pid)
			return -errno;
	});
}

static int64_t
op_spawn(int n)
{
	return TIMED(n, {
		int status;
		pid_t pid;
		int err = posix_spawn(&pid, self_argv[0], NULL, NULL, self_argv, environ);
		if (err)
			return -err;
		if (waitpid(pid, &status, 0) != pid)
			return -errno;
		if (status)
			return -ECHILD;
	});
}

/* A dynamic program: what it maps and relocates is part of it. */
static int64_t
op_dash(int n)
{
	return TIMED(n, {
		int status;
		pid_t pid = fork();
		if (pid == 0) {
			execv(dash_argv[0], dash_argv);
			_exit(127);
		}
		if (pid < 0 || waitpid(pid, &status, 0) != pid)
			return -errno;
		if (status)
			return -ECHILD;
	});
}

static void *
thread_main(void *arg)
{
	return arg;
}

static int64_t
op_thread(int n)
{
	return TIMED(n, {
		pthread_t th;
		int err = pthread_create(&th, NULL, thread_main, NULL);
		if (err == 0)
			err = pthread_join(th, NULL);
		if (err)
			return -err;
	});
}

static const struct op {
	const char	*name;
	op_fn		*fn;
	int		most;		/* rounds in a batch; no more than this */
} ops[] = {
	{ "getppid",				op_null,	1 << 20 },
	{ "gettid",				op_gettid,	1 << 20 },
	{ "getuid",				op_getuid,	1 << 20 },
	{ "clock_gettime",			op_clock,	1 << 20 },
	{ "lseek",				op_lseek,	1 << 20 },
	{ "fcntl F_GETFL",			op_fcntl,	1 << 20 },
	{ "epoll_wait, nothing ready",		op_epoll,	1 << 20 },
	{ "futex wake of nobody",		op_futex,	1 << 20 },
	{ "sigaction",				op_sigaction,	1 << 20 },
	{ "sigprocmask",			op_sigmask,	1 << 20 },
	{ "signal to self with handler",	op_signal,	1 << 20 },
	{ "pread 1 byte",			op_pread1,	1 << 20 },
	{ "pread 4 KiB",			op_pread4k,	1 << 20 },
	{ "pread 64 KiB",			op_pread64k,	1 << 20 },
	{ "pread 1 byte, gofer file",		op_host1,	1 << 20 },
	{ "pread 4 KiB, gofer file",		op_host4k,	1 << 20 },
	{ "pread 64 KiB, gofer file",		op_host64k,	1 << 20 },
	{ "pwrite 4 KiB",			op_pwrite,	1 << 20 },
	{ "pipe write+read",			op_pipe,	1 << 20 },
	{ "eventfd write+read",			op_eventfd,	1 << 20 },
	{ "open+close",				op_open,	1 << 20 },
	{ "open+close, gofer file",		op_open_host,	1 << 20 },
	{ "stat",				op_stat,	1 << 20 },
	{ "fstat",				op_fstat,	1 << 20 },
	{ "pipe ping-pong, 2 processes",	op_pingpong,	1 << 16 },
	{ "unix ping-pong, 2 processes",	op_unix_pingpong, 1 << 16 },
	{ "pipe bulk, 64 KiB writes",		op_pipe_bulk,	1 << 14 },
	{ "unix bulk, 64 KiB writes",		op_unix_bulk,	1 << 14 },
	{ "mmap+touch 64 KiB+munmap",		op_mmap,	1 << 16 },
	{ "page fault, anonymous",		op_fault,	1 << 14 },
	{ "page fault, COW after fork",		op_cow,		1 << 12 },
	{ "fork+exit+wait",			op_fork,	1 << 12 },
	{ "posix_spawn+exit+wait, static",	op_spawn,	1 << 12 },
	{ "fork+exec+wait of dash",		op_dash,	1 << 12 },
	{ "thread create+join",			op_thread,	1 << 14 },
};

static void
op_measure(const struct op *op)
{
	double per[BATCHES];
	int64_t took, until = now_ns() + ROW_NS;
	int n = 1, done = 0;

	/* Warm up, and find how many rounds make a batch. */
	while ((took = op->fn(n)) >= 0 && took < BATCH_NS / 2 && n < op->most)
		n *= 2;
	while (took >= 0 && done < BATCHES && (done < 3 || now_ns() < until)) {
		took = op->fn(n);
		per[done++] = (double)took / n;
	}
	if (took < 0)
		print_failure(op->name, "failed", (int)-took);
	else
		print_value(op->name, median(per, done), "ns");
}

static int
file_make(const char *dir)
{
	snprintf(path_dir, sizeof path_dir, "%s/bench.%d", dir, (int)getpid());
	snprintf(path_file, sizeof path_file, "%s/file", path_dir);
	if (mkdir(path_dir, 0700))
		return -errno;
	fd_file = open(path_file, O_RDWR | O_CREAT, 0600);
	if (fd_file < 0 || pwrite(fd_file, buf, sizeof buf, 0) != sizeof buf)
		return -errno;
	fd_host = open(path_host, O_RDONLY);
	return fd_host < 0 ? -errno : 0;
}

int
main(int argc, char **argv)
{
	int err;

	if (argc == 2 && strcmp(argv[1], "child") == 0)
		return 0;
	if (argc != 3 && argc != 4) {
		fprintf(stderr, "usage: micro DIR FILE [TEXT]\n");
		return 2;
	}
	path_host = argv[2];
	err = file_make(argv[1]);
	if (err) {
		fprintf(stderr, "micro: %s: %s\n", argv[1], strerror(-err));
		return 1;
	}
	for (size_t i = 0; i < sizeof ops / sizeof ops[0]; i++) {
		if (argc == 3 || strstr(ops[i].name, argv[3]) != NULL)
			op_measure(&ops[i]);
	}
	unlink(path_file);
	rmdir(path_dir);
	return 0;
}
