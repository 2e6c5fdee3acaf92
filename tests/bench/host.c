/*
 * What is measured from outside of a sandbox.
 *
 * host sigsys             a system call that a filter turns into SIGSYS, there and back
 * host spin               a word handed to another thread and back, both sides spinning
 * host start N CMD...     N runs of CMD, from before its exec until its exit is collected
 * host idle SECONDS CMD...   CMD and what it starts, after it has settled: memory and CPU use
 */
#include "bench.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdatomic.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define BATCHES	15
#define MAXPROCS 64

extern char **environ;

/* ---- SIGSYS ------------------------------------------------------------ */

static void
sigsys_handler(int sig, siginfo_t *si, void *uc)
{
	(void)sig, (void)si, (void)uc;
}

static int
cmd_sigsys(void)
{
	static const char name[] = "SIGSYS round trip alone";
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_getppid, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRAP),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog prog = { sizeof code / sizeof code[0], code };
	struct sigaction sa = { .sa_sigaction = sigsys_handler, .sa_flags = SA_SIGINFO };
	double per[BATCHES];
	int n = 3000;

	sigaction(SIGSYS, &sa, NULL);
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog)) {
		print_failure(name, "no filter", errno);
		return 0;
	}
	for (int b = -1; b < BATCHES; b++) {
		int64_t start = now_ns();

		for (int i = 0; i < n; i++)
			syscall(SYS_getppid);
		if (b >= 0)
			per[b] = (double)(now_ns() - start) / n;
	}
	print_value(name, median(per, BATCHES), "ns");
	return 0;
}

/* ---- hand-over --------------------------------------------------------- */

static _Alignas(64) atomic_int word;

static void *
spin_answer(void *arg)
{
	int seen = 0, v;

	for (;;) {
		while ((v = atomic_load_explicit(&word, memory_order_acquire)) == seen || v % 2 == 0)
			__builtin_ia32_pause();
		seen = v;
		if (v < 0)
			return arg;
		seen = v + 1;
		atomic_store_explicit(&word, v + 1, memory_order_release);
	}
}

/* There and back: what a system call needs at the least. */
static int
cmd_spin(void)
{
	static const char name[] = "spin hand-over alone, there and back";
	double per[BATCHES];
	int n = 20000, v = 0;
	pthread_t th;

	if (sysconf(_SC_NPROCESSORS_ONLN) < 2 || pthread_create(&th, NULL, spin_answer, NULL)) {
		print_failure(name, "needs a second core", 0);
		return 0;
	}
	for (int b = -1; b < BATCHES; b++) {
		int64_t start = now_ns();

		for (int i = 0; i < n; i++) {
			atomic_store_explicit(&word, v + 1, memory_order_release);
			v += 2;
			while (atomic_load_explicit(&word, memory_order_acquire) != v)
				__builtin_ia32_pause();
		}
		if (b >= 0)
			per[b] = (double)(now_ns() - start) / n;
	}
	print_value(name, median(per, BATCHES), "ns");
	return 0;
}

/* ---- start to exit ----------------------------------------------------- */

static int
cmd_start(int n, char **argv)
{
	double *took = calloc((size_t)n, sizeof *took);

	if (took == NULL)
		return 1;
	for (int i = 0; i < n; i++) {
		int64_t start = now_ns();
		int status, err;
		pid_t pid;

		err = posix_spawnp(&pid, argv[0], NULL, NULL, argv, environ);
		if (err || waitpid(pid, &status, 0) != pid) {
			print_failure("start to exit", argv[0], err ? err : errno);
			return 0;
		}
		took[i] = (double)(now_ns() - start) / 1000;
		if (status) {
			print_failure("start to exit", "exit status is not 0", 0);
			return 0;
		}
	}
	print_value("start to exit", median(took, n), "us");
	print_value("start to exit, fastest", took[0], "us");
	print_value("start to exit, slowest", took[n - 1], "us");
	free(took);
	return 0;
}

/* ---- idle -------------------------------------------------------------- */

static long
proc_number(int pid, const char *file, const char *key)
{
	char path[64], line[256];
	long v = -1;
	FILE *f;

	snprintf(path, sizeof path, "/proc/%d/%s", pid, file);
	f = fopen(path, "re");
	if (f == NULL)
		return -1;
	while (fgets(line, sizeof line, f) != NULL) {
		if (strncmp(line, key, strlen(key)) == 0) {
			v = atol(line + strlen(key));
			break;
		}
	}
	fclose(f);
	return v;
}

static void
proc_comm(int pid, char *out, size_t size)
{
	char path[64];
	FILE *f;

	snprintf(path, sizeof path, "/proc/%d/comm", pid);
	out[0] = 0;
	f = fopen(path, "re");
	if (f == NULL)
		return;
	if (fgets(out, (int)size, f) == NULL)
		out[0] = 0;
	out[strcspn(out, "\n")] = 0;
	fclose(f);
}

/* root and all its descendants. */
static int
procs_find(int root, int *pids)
{
	int n = 0, before;

	pids[n++] = root;
	do {
		DIR *d = opendir("/proc");
		struct dirent *de;

		before = n;
		while (d != NULL && (de = readdir(d)) != NULL) {
			int pid = atoi(de->d_name), known = 0, parent;

			if (pid <= 0)
				continue;
			parent = (int)proc_number(pid, "status", "PPid:");
			for (int i = 0; i < n; i++)
				known |= pids[i] == pid;
			for (int i = 0; !known && i < before && n < MAXPROCS; i++) {
				if (pids[i] == parent) {
					pids[n++] = pid;
					break;
				}
			}
		}
		if (d != NULL)
			closedir(d);
	} while (n > before);
	return n;
}

/* Time on a processor (first field of schedstat, in ns) and number of times switched in, all threads. */
static void
procs_cpu(const int *pids, int n, long long *ns, long long *switches)
{
	*ns = *switches = 0;
	for (int i = 0; i < n; i++) {
		char path[320];
		struct dirent *de;
		DIR *d;

		snprintf(path, sizeof path, "/proc/%d/task", pids[i]);
		d = opendir(path);
		while (d != NULL && (de = readdir(d)) != NULL) {
			long long on, waited, times;
			FILE *f;

			snprintf(path, sizeof path, "/proc/%d/task/%s/schedstat", pids[i], de->d_name);
			f = de->d_name[0] == '.' ? NULL : fopen(path, "re");
			if (f != NULL && fscanf(f, "%lld %lld %lld", &on, &waited, &times) == 3) {
				*ns += on;
				*switches += times;
			}
			if (f != NULL)
				fclose(f);
		}
		if (d != NULL)
			closedir(d);
	}
}

static int
cmd_idle(int seconds, char **argv)
{
	long pss, sentry = 0, gofer = 0, stubs = 0, rest = 0;
	long long cpu0, cpu1, sw0, sw1;
	int pids[MAXPROCS], n, err, status, nstubs = 0;
	pid_t pid;

	err = posix_spawnp(&pid, argv[0], NULL, NULL, argv, environ);
	if (err) {
		print_failure("idle", argv[0], err);
		return 0;
	}
	usleep(700000);
	if (waitpid(pid, &status, WNOHANG) != 0) {
		print_failure("idle", "ended at once", 0);
		return 0;
	}
	n = procs_find(pid, pids);
	for (int i = 0; i < n; i++) {
		char comm[64];

		proc_comm(pids[i], comm, sizeof comm);
		pss = proc_number(pids[i], "smaps_rollup", "Pss:");
		if (pss < 0) {
			print_failure("idle memory", "smaps_rollup cannot be read", 0);
			pss = 0;
		}
		if (strstr(comm, "sentry"))
			sentry += pss;
		else if (strstr(comm, "gofer"))
			gofer += pss;
		else if (strstr(comm, "stub"))
			stubs += pss, nstubs++;
		else
			rest += pss;
	}
	print_value("sentry PSS", (double)sentry, "KiB");
	print_value("gofer PSS", (double)gofer, "KiB");
	print_value("sentry+gofer PSS", (double)(sentry + gofer), "KiB");
	print_value("stubs PSS", (double)stubs, "KiB");
	print_value("stub processes", nstubs, "");
	print_value("command line PSS", (double)rest, "KiB");
	print_value("PSS of everything", (double)(sentry + gofer + stubs + rest), "KiB");
	procs_cpu(pids, n, &cpu0, &sw0);
	sleep((unsigned int)seconds);
	procs_cpu(pids, n, &cpu1, &sw1);
	print_value("CPU time per second", (double)(cpu1 - cpu0) / seconds / 1000, "us");
	print_value("times scheduled per second", (double)(sw1 - sw0) / seconds, "");
	kill(pid, SIGTERM);
	waitpid(pid, &status, 0);
	return 0;
}

int
main(int argc, char **argv)
{
	if (argc == 2 && strcmp(argv[1], "sigsys") == 0)
		return cmd_sigsys();
	if (argc == 2 && strcmp(argv[1], "spin") == 0)
		return cmd_spin();
	if (argc > 3 && strcmp(argv[1], "start") == 0 && atoi(argv[2]) > 0)
		return cmd_start(atoi(argv[2]), argv + 3);
	if (argc > 3 && strcmp(argv[1], "idle") == 0 && atoi(argv[2]) > 0)
		return cmd_idle(atoi(argv[2]), argv + 3);
	fprintf(stderr, "usage: host sigsys | spin | start N CMD... | idle SECONDS CMD...\n");
	return 2;
}
