/*
 * mix SECONDS [SEED]: a random mix of system calls by several processes with several threads each, on one tree
 * of files, while signals fly, processes fork, exec and are killed.  Nothing is checked but that the kernel
 * below survives and that the end comes; the last line counts what was done.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/msg.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/sem.h>
#include <sys/sendfile.h>
#include <sys/shm.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <linux/futex.h>
#include <time.h>
#include <unistd.h>

#define WORKERS		4
#define THREADS		3
#define TREE		"/tmp/mix"

static struct shared {
	_Atomic int pids[WORKERS];
	_Atomic uint64_t ops, forks, execs, signals, threads, raw, restarts;
	_Atomic uint32_t word[16];
	pthread_mutex_t robust;
} *sh;

static __thread uint64_t rng;
static volatile sig_atomic_t over;

static uint64_t
rnd(void)
{
	rng ^= rng << 13;
	rng ^= rng >> 7;
	rng ^= rng << 17;
	return rng;
}
#define pick(n) ((int)(rnd() % (uint64_t)(n)))
#define IGNORE(e) do { if (e) { } } while (0)
#define count(f) atomic_fetch_add(&sh->f, 1)

static char *
name(char *buf)
{
	static const char *const forms[] = { TREE "/f%d", TREE "/d%d", TREE "/d%d/f", TREE "/d%d/../f1", TREE "/l%d", "f%d", "../mix/d%d/f" };

	snprintf(buf, 64, forms[pick(7)], pick(6));
	return buf;
}

static void
do_names(void)
{
	char a[64], b[64], buf[512];
	struct stat st;
	DIR *d;

	switch (pick(14)) {
	case 0: IGNORE(mkdir(name(a), 0755)); break;
	case 1: IGNORE(rmdir(name(a))); break;
	case 2: IGNORE(rename(name(a), name(b))); break;
	case 3: IGNORE(link(name(a), name(b))); break;
	case 4: IGNORE(symlink(name(a), name(b))); break;
	case 5: IGNORE(unlink(name(a))); break;
	case 6: IGNORE(stat(name(a), &st)); break;
	case 7: IGNORE(chmod(name(a), 0700)); break;
	case 8: IGNORE(readlink(name(a), buf, sizeof buf) < 0); break;
	case 9: IGNORE(truncate(name(a), pick(100000))); break;
	case 10: IGNORE(mkfifo(name(a), 0600)); break;
	case 11: IGNORE(syscall(SYS_renameat2, AT_FDCWD, name(a), AT_FDCWD, name(b), 2)); break;
	case 12: IGNORE(chdir(TREE)); break;
	default:
		d = opendir(pick(2) ? TREE : name(a));
		while (d && readdir(d))
			continue;
		if (d)
			closedir(d);
	}
}

static void
do_file(void)
{
	char a[64], buf[4096];
	int fd = open(name(a), O_RDWR | O_NONBLOCK | (pick(2) ? O_CREAT : 0) | (pick(8) ? 0 : O_TRUNC) | (pick(4) ? 0 : O_APPEND), 0644), out;
	char *p;

	if (fd < 0)
		return;
	for (int i = pick(4); i >= 0; i--) {
		switch (pick(11)) {
		case 0: IGNORE(write(fd, buf, (size_t)pick(4096))); break;
		case 1: IGNORE(pread(fd, buf, (size_t)pick(4096), pick(100000))); break;
		case 2: IGNORE(ftruncate(fd, pick(200000))); break;
		case 3: IGNORE(flock(fd, (pick(2) ? LOCK_EX : LOCK_SH) | LOCK_NB)); break;
		case 4: IGNORE(fcntl(fd, F_SETLK, &(struct flock){ .l_type = (short)pick(3), .l_start = pick(100), .l_len = pick(100) })); break;
		case 5: IGNORE(fsync(fd)); break;
		case 6: IGNORE(fallocate(fd, pick(4), pick(10000), 1 + pick(10000))); break;
		case 7:
			p = mmap(NULL, 65536, PROT_READ | PROT_WRITE, pick(2) ? MAP_SHARED : MAP_PRIVATE, fd, 0);
			if (p != MAP_FAILED) {
				/* a signal beyond the end of the file is part of the game */
				*(volatile char *)(p + pick(65536)) = 1;
				IGNORE(msync(p, 65536, MS_SYNC));
				munmap(p, 65536);
			}
			break;
		case 8:
			out = open(name(a), O_WRONLY | O_NONBLOCK);
			IGNORE(sendfile(out, fd, NULL, 8192) < 0);
			close(out);
			break;
		case 9: IGNORE(lseek(fd, pick(1000), pick(5))); break;
		default: IGNORE(dup2(fd, 20 + pick(20))); break;
		}
	}
	close(fd);
	if (pick(4) == 0)
		close(20 + pick(20));
}

static void
do_memory(void)
{
	static _Atomic(char *) maps[8];
	size_t len = 4096u * (size_t)(1 + pick(64));
	int i = pick(8);
	char *p = atomic_exchange(&maps[i], NULL), *q;

	if (p == NULL) {
		p = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_ANONYMOUS | (pick(3) ? MAP_PRIVATE : MAP_SHARED), -1, 0);
		if (p == MAP_FAILED)
			return;
	}
	for (int n = pick(3); n >= 0; n--) {
		switch (pick(7)) {
		case 0: IGNORE(mprotect(p, 4096, PROT_READ)); IGNORE(mprotect(p, 4096, PROT_READ | PROT_WRITE)); break;
		case 1: IGNORE(madvise(p, len, MADV_DONTNEED)); break;
		case 2:
			q = mremap(p, 4096, 8192, MREMAP_MAYMOVE);
			if (q != MAP_FAILED)
				munmap(q, 8192);
			break;
		case 3: munmap(p + 4096, 4096); break;
		case 4: IGNORE(mlock(p, 4096)); break;
		case 5: *(volatile char *)p = 1; break;
		default: IGNORE(mincore(p, 4096, (unsigned char[1]){ 0 })); break;
		}
	}
	q = NULL;
	if (pick(2) || !atomic_compare_exchange_strong(&maps[i], &q, p))
		munmap(p, len);
}

static void
do_pipe(void)
{
	char buf[8192];
	int p[2], q[2];

	if (pipe2(p, O_NONBLOCK) != 0)
		return;
	IGNORE(write(p[1], buf, (size_t)pick(8192)));
	if (pipe2(q, O_NONBLOCK) == 0) {
		IGNORE(tee(p[0], q[1], 4096, 0));
		IGNORE(splice(p[0], NULL, q[1], NULL, 4096, 0));
		IGNORE(fcntl(q[1], F_SETPIPE_SZ, 4096 << pick(5)));
		close(q[0]);
		close(q[1]);
	}
	IGNORE(read(p[0], buf, sizeof buf));
	close(p[pick(2)]);
	IGNORE(poll(&(struct pollfd){ .fd = p[0], .events = POLLIN }, 1, 0));
	close(p[0]);
	close(p[1]);
}

static void
do_socket(void)
{
	char buf[4096] = "", control[CMSG_SPACE(2 * sizeof(int))];
	struct iovec iov = { buf, (size_t)pick(4096) };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control };
	struct cmsghdr *c = CMSG_FIRSTHDR(&m);
	int sv[2];

	if (socketpair(AF_UNIX, (pick(2) ? SOCK_STREAM : pick(2) ? SOCK_DGRAM : SOCK_SEQPACKET) | SOCK_NONBLOCK, 0, sv) != 0)
		return;
	memset(control, 0, sizeof control);
	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(2 * sizeof(int));
	memcpy(CMSG_DATA(c), sv, 2 * sizeof(int));
	for (int i = pick(4); i >= 0; i--)
		IGNORE(sendmsg(sv[pick(2)], &m, MSG_NOSIGNAL));
	if (pick(2)) {
		m.msg_controllen = sizeof control;
		if (recvmsg(sv[0], &m, 0) >= 0 && (c = CMSG_FIRSTHDR(&m)) != NULL && c->cmsg_type == SCM_RIGHTS) {
			int fds[2];

			memcpy(fds, CMSG_DATA(c), sizeof fds);
			close(fds[0]);
			close(fds[1]);
		}
	}
	IGNORE(shutdown(sv[0], pick(3)));
	close(sv[0]);
	close(sv[1]);
}

static void
do_events(void)
{
	int ep = epoll_create1(0), ev = eventfd(0, EFD_NONBLOCK), tf = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
	int in = inotify_init1(IN_NONBLOCK), sf;
	struct itimerspec it = { .it_value.tv_nsec = 1 + pick(1000000) };
	struct epoll_event e = { .events = EPOLLIN | (pick(2) ? EPOLLET : 0) };
	char buf[1024];
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR2);
	sf = signalfd(-1, &set, SFD_NONBLOCK);
	IGNORE(epoll_ctl(ep, EPOLL_CTL_ADD, ev, &e));
	IGNORE(epoll_ctl(ep, EPOLL_CTL_ADD, tf, &e));
	IGNORE(epoll_ctl(ep, EPOLL_CTL_ADD, in, &e));
	IGNORE(epoll_ctl(ep, EPOLL_CTL_ADD, sf, &e));
	IGNORE(inotify_add_watch(in, TREE, IN_ALL_EVENTS));
	IGNORE(timerfd_settime(tf, 0, &it, NULL));
	IGNORE(eventfd_write(ev, 1));
	IGNORE(epoll_wait(ep, &e, 1, pick(3)));
	IGNORE(read(in, buf, sizeof buf));
	if (pick(2))
		IGNORE(epoll_ctl(ep, EPOLL_CTL_DEL, tf, NULL));
	close(tf);
	close(ep);
	close(ev);
	close(in);
	close(sf);
}

static void
do_signal(void)
{
	const int sigs[] = { SIGUSR1, SIGUSR2, SIGALRM, SIGWINCH, SIGURG, SIGCONT, SIGRTMIN, SIGRTMIN + 1 };
	struct itimerval iv = { .it_value.tv_usec = 1 + pick(3000) };
	sigset_t set, old;
	int pid = sh->pids[pick(WORKERS)];

	count(signals);
	switch (pick(7)) {
	case 0:
	case 1:
		if (pid > 1)
			kill(pid, sigs[pick(8)]);
		break;
	case 2: setitimer(ITIMER_REAL, &iv, NULL); break;
	case 3:
		sigfillset(&set);
		pthread_sigmask(SIG_BLOCK, &set, &old);
		raise(SIGUSR1);
		sched_yield();
		pthread_sigmask(SIG_SETMASK, &old, NULL);
		break;
	case 4:
		if (pid > 1)
			sigqueue(pid, SIGRTMIN, (union sigval){ .sival_int = 1 });
		break;
	case 5:
		sigemptyset(&set);
		sigaddset(&set, SIGUSR2);
		IGNORE(sigtimedwait(&set, NULL, &(struct timespec){ 0, 100000 }));
		break;
	default:
		if (pid > 1 && pick(200) == 0)
			kill(pid, SIGKILL);
		if (pid > 1 && pick(20) == 0) {
			kill(pid, SIGSTOP);
			kill(pid, SIGCONT);
		}
	}
}

static void
do_futex(void)
{
	_Atomic uint32_t *w = &sh->word[pick(16)];
	struct timespec ts = { 0, pick(300000) };

	switch (pick(4)) {
	case 0: syscall(SYS_futex, w, FUTEX_WAIT, atomic_load(w), &ts, NULL, 0); break;
	case 1: syscall(SYS_futex, w, FUTEX_WAKE, pick(4), NULL, NULL, 0); break;
	case 2: syscall(SYS_futex, w, FUTEX_REQUEUE, 1, 1, &sh->word[pick(16)], 0); break;
	default:
		if (pthread_mutex_trylock(&sh->robust) == EOWNERDEAD)
			pthread_mutex_consistent(&sh->robust);
		pthread_mutex_unlock(&sh->robust);
	}
}

static void
do_proc(void)
{
	static const char *const files[] = { "maps", "status", "stat", "fd", "cmdline", "mountinfo", "task", "limits", "io", "smaps", "environ", "exe" };
	char path[64], buf[4096];
	int fd;

	snprintf(path, sizeof path, "/proc/%d/%s", pick(3) ? getpid() : (int)sh->pids[pick(WORKERS)], files[pick(12)]);
	fd = open(path, O_RDONLY | O_NONBLOCK);
	if (fd < 0)
		return;
	IGNORE(syscall(SYS_getdents64, fd, buf, sizeof buf));
	IGNORE(read(fd, buf, sizeof buf));
	close(fd);
}

static void *
short_thread(void *arg)
{
	(void)arg;
	sched_yield();
	return NULL;
}

static void
do_thread(void)
{
	pthread_t th;

	count(threads);
	if (pthread_create(&th, NULL, short_thread, NULL) != 0)
		return;
	if (pick(2))
		pthread_detach(th);
	else
		pthread_join(th, NULL);
}

static void
do_ipc(void)
{
	struct { long type; char text[64]; } m = { 1 + pick(3), "x" };
	key_t key = 100 + pick(3);
	int id;
	void *p;

	switch (pick(3)) {
	case 0:
		id = shmget(key, 16384, IPC_CREAT | 0600);
		p = shmat(id, NULL, 0);
		if (p != (void *)-1) {
			*(volatile char *)p = 1;
			shmdt(p);
		}
		if (pick(3) == 0)
			shmctl(id, IPC_RMID, NULL);
		break;
	case 1:
		id = msgget(key, IPC_CREAT | 0600);
		IGNORE(msgsnd(id, &m, sizeof m.text, IPC_NOWAIT));
		IGNORE(msgrcv(id, &m, sizeof m.text, pick(4), IPC_NOWAIT) < 0);
		if (pick(5) == 0)
			msgctl(id, IPC_RMID, NULL);
		break;
	default:
		id = semget(key, 2, IPC_CREAT | 0600);
		IGNORE(semop(id, &(struct sembuf){ (unsigned short)pick(2), (short)(pick(3) - 1), IPC_NOWAIT | (pick(2) ? SEM_UNDO : 0) }, 1));
		if (pick(5) == 0)
			semctl(id, 0, IPC_RMID);
	}
}

/* Random numbers for arguments, most of them of a likely kind. */
static uint64_t
any_arg(char *buf)
{
	switch (pick(9)) {
	case 0: return (uint64_t)pick(8);
	case 1: return (uint64_t)pick(64);
	case 2: return (uint64_t)(uintptr_t)buf;
	case 3: return (uint64_t)(uintptr_t)(buf + pick(4096));
	case 4: return 0;
	case 5: return ~0ULL >> pick(64);
	case 6: return 1ULL << pick(64);
	case 7: return (uint64_t)-100;
	default: return 4096u * (uint64_t)pick(100);
	}
}

/* Anything at all, in a child of its own that may come to any end but must come to one. */
static void
do_raw(void)
{
	static _Atomic uint64_t salt;
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		static char buf[65536];

		rng ^= (atomic_fetch_add(&salt, 1) + 1) * 0x9e3779b97f4a7c15ULL ^ (uint64_t)getpid() << 20;
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		IGNORE(setpgid(0, 0));
		/* nothing of it in the output */
		IGNORE(dup2(open("/dev/null", O_RDWR), 1));
		IGNORE(dup2(1, 2));
		alarm(1);
		for (int i = 0; i < 40; i++) {
			long nr = pick(462);

			strcpy(buf, TREE "/d1/f");
			/* not the end of everybody else */
			if (nr == SYS_kill || nr == SYS_tkill || nr == SYS_tgkill || nr == SYS_rt_sigqueueinfo ||
			    nr == SYS_rt_tgsigqueueinfo || nr == SYS_pidfd_send_signal || nr == SYS_reboot ||
			    nr == SYS_exit || nr == SYS_exit_group || nr == SYS_clone || nr == SYS_clone3 ||
			    nr == SYS_vfork || nr == SYS_fork || nr == SYS_ptrace ||
			    nr == SYS_prlimit64)
				continue;
			IGNORE(syscall(nr, any_arg(buf), any_arg(buf), any_arg(buf), any_arg(buf), any_arg(buf), any_arg(buf)));
			count(raw);
		}
		_exit(0);
	}
	if (pid < 0)
		return;
	/* Its alarm may be blocked or gone by now. */
	for (int i = 0; i < 200; i++) {
		if (waitpid(pid, &status, WNOHANG) != 0)
			return;
		poll(NULL, 0, 5);
	}
	kill(pid, SIGKILL);
	waitpid(pid, &status, 0);
}

static void
do_fork(void)
{
	char *argv[] = { "/bin/mix", "exec", NULL }, *env[] = { NULL };
	pid_t pid;
	int how = pick(6);

	count(forks);
	pid = how == 0 ? vfork() : fork();
	if (pid == 0) {
		if (how < 3) {
			execve(how == 1 ? "/nonexistent" : argv[0], argv, env);
			_exit(1);
		}
		if (how == 3)
			abort();
		if (how == 4)
			poll(NULL, 0, pick(3));
		_exit(pick(4));
	}
	if (pid < 0)
		return;
	if (how < 3)
		count(execs);
	if (pick(3) == 0)
		kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

static void
do_misc(void)
{
	struct rusage ru;
	char buf[64];

	switch (pick(8)) {
	case 0: getrusage(RUSAGE_CHILDREN, &ru); break;
	case 1: prctl(PR_SET_NAME, "mixed"); break;
	case 2: IGNORE(sched_setaffinity(0, 0, NULL)); break;
	case 3: nanosleep(&(struct timespec){ 0, pick(200000) }, NULL); break;
	case 4: IGNORE(setpgid(0, pick(2) ? 0 : getppid())); break;
	case 5: IGNORE(getcwd(buf, sizeof buf) == NULL); break;
	case 6: IGNORE(syscall(SYS_close_range, 60 + pick(20), 100, 0)); break;
	default: IGNORE(sbrk(pick(2) ? 4096 : 0) == NULL);
	}
}

static void *
thread_main(void *arg)
{
	static void (*const ops[])(void) = {
		do_names, do_names, do_file, do_file, do_memory, do_memory, do_pipe, do_socket, do_events, do_signal, do_futex,
		do_proc, do_thread, do_ipc, do_misc, do_fork, do_raw,
	};

	rng = (uint64_t)(uintptr_t)arg * 0x9e3779b97f4a7c15ULL | 1;
	for (int i = 0; i < 8; i++)
		(void)rnd();
	while (!over) {
		ops[pick(sizeof ops / sizeof ops[0])]();
		count(ops);
	}
	return NULL;
}

static void
on_signal(int signo)
{
	(void)signo;
}

/* A fault on purpose (SIGBUS, SIGSEGV of torn mappings) ends the worker; the parent starts another. */
static void
worker(uint64_t seed)
{
	struct sigaction sa = { .sa_handler = on_signal };
	pthread_t th[THREADS];

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	sigaction(SIGUSR1, &sa, NULL);
	sa.sa_flags = SA_RESTART;
	sigaction(SIGUSR2, &sa, NULL);
	sigaction(SIGALRM, &sa, NULL);
	sigaction(SIGRTMIN, &sa, NULL);
	sigaction(SIGRTMIN + 1, &sa, NULL);
	signal(SIGPIPE, SIG_IGN);
	for (uintptr_t i = 0; i < THREADS; i++) {
		if (pthread_create(&th[i], NULL, thread_main, (void *)(seed * 16 + i + 1)) != 0)
			_exit(1);
	}
	for (int i = 0; i < THREADS; i++)
		pthread_join(th[i], NULL);
	_exit(0);
}

static uint64_t
now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

int
main(int argc, char **argv)
{
	uint64_t end, seed;
	pthread_mutexattr_t ma;
	int status;

	if (argc > 1 && strcmp(argv[1], "exec") == 0)
		return 0;
	end = now_ms() + (argc > 1 ? strtoul(argv[1], NULL, 10) : 10) * 1000;
	seed = argc > 2 ? strtoul(argv[2], NULL, 10) : 1;
	sh = mmap(NULL, sizeof *sh, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (sh == MAP_FAILED || (mkdir(TREE, 0755) != 0 && errno != EEXIST) || chdir(TREE) != 0) {
		perror("mix");
		return 1;
	}
	pthread_mutexattr_init(&ma);
	pthread_mutexattr_setpshared(&ma, PTHREAD_PROCESS_SHARED);
	pthread_mutexattr_setrobust(&ma, PTHREAD_MUTEX_ROBUST);
	pthread_mutex_init(&sh->robust, &ma);
	/* An orphaned group of ours with a stopped member is told. */
	signal(SIGHUP, SIG_IGN);
	signal(SIGCHLD, SIG_DFL);
	for (int s = SIGRTMIN; s <= SIGRTMIN + 1; s++)
		signal(s, SIG_IGN);
	signal(SIGUSR1, SIG_IGN);
	signal(SIGUSR2, SIG_IGN);
	signal(SIGALRM, SIG_IGN);
	while (now_ms() < end) {
		for (int i = 0; i < WORKERS; i++) {
			pid_t pid = sh->pids[i];

			if (pid > 0 && waitpid(pid, &status, WNOHANG) == 0)
				continue;
			if (pid > 0)
				count(restarts);
			pid = fork();
			if (pid == 0)
				worker(seed++ * 64 + (uint64_t)i + atomic_load(&sh->restarts) * 1024);
			sh->pids[i] = pid > 0 ? pid : 0;
		}
		poll(NULL, 0, 20);
	}
	for (int i = 0; i < WORKERS; i++) {
		if (sh->pids[i] > 0)
			kill(sh->pids[i], SIGKILL);
	}
	/* What they left behind has gone to pid 1, or is ours when that is us. */
	while (waitpid(-1, &status, WNOHANG) > 0 || (errno != ECHILD && now_ms() < end + 3000))
		poll(NULL, 0, 5);
	printf("%llu operations: %llu forks, %llu execs, %llu signals, %llu threads, %llu random calls, %llu restarts\n",
	    (unsigned long long)sh->ops, (unsigned long long)sh->forks, (unsigned long long)sh->execs,
	    (unsigned long long)sh->signals, (unsigned long long)sh->threads, (unsigned long long)sh->raw,
	    (unsigned long long)sh->restarts);
	return 0;
}
