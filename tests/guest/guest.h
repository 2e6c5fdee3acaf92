/*
 * guest.h: what the guest programs share.
 *
 * A guest program prints a transcript of what the kernel answered.  run.sh runs it on the host's
 * kernel first, then in the sandbox, and the two must match byte for byte.  So nothing is asserted
 * here: the host says what is right.  A transcript holds no address, pid, time, uid of the host,
 * directory size, or anything else that may differ between two machines or two runs.
 *
 *	S(read, fd, buf, 3)	calls read(2) directly and prints "read(fd, buf, 3) = EBADF"
 *	OK(open, ...)		the same, but prints "ok" for a result that may vary
 *	Q(mmap, ...)		quiet: just the value, -errno on failure
 *	T(expr)			prints a libc expression and its result, errno's name for -1
 *	P(format, ...)		prints one line
 *
 * Failures of the scenery (not of the thing looked at) end the program through die().
 */
#ifndef GUEST_H
#define GUEST_H
#define _GNU_SOURCE
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

/* No program uses all of it. */
#pragma GCC diagnostic ignored "-Wunused-function"

#define N_OF(a)	(sizeof(a) / sizeof *(a))
#define BAD	((void *)0x10)		/* an address that is never mapped */
#define SKIP	77			/* exit status: the host cannot run this one */

/* -- system calls, with nothing of libc in between ------------------------------------------ */

static inline __attribute__((always_inline)) long
raw6(long nr, long a, long b, long c, long d, long e, long f)
{
	register long r10 __asm__("r10") = d;
	register long r8 __asm__("r8") = e;
	register long r9 __asm__("r9") = f;
	long ret;

	__asm__ volatile("syscall"
			 : "=a"(ret)
			 : "a"(nr), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
			 : "rcx", "r11", "memory", "cc");
	return ret;
}

#define G_L(x)			((long)(x))
#define G_0()			0, 0, 0, 0, 0, 0
#define G_1(a)			G_L(a), 0, 0, 0, 0, 0
#define G_2(a, b)		G_L(a), G_L(b), 0, 0, 0, 0
#define G_3(a, b, c)		G_L(a), G_L(b), G_L(c), 0, 0, 0
#define G_4(a, b, c, d)		G_L(a), G_L(b), G_L(c), G_L(d), 0, 0
#define G_5(a, b, c, d, e)	G_L(a), G_L(b), G_L(c), G_L(d), G_L(e), 0
#define G_6(a, b, c, d, e, f)	G_L(a), G_L(b), G_L(c), G_L(d), G_L(e), G_L(f)
#define G_PICK(z, a, b, c, d, e, f, name, ...) name
#define G_ARGS(...) \
	G_PICK(0, ##__VA_ARGS__, G_6, G_5, G_4, G_3, G_2, G_1, G_0)(__VA_ARGS__)

#define Q(call, ...)	raw6(SYS_##call, G_ARGS(__VA_ARGS__))
#define S(call, ...)	show(#call "(" #__VA_ARGS__ ")", Q(call, ##__VA_ARGS__))
#define OK(call, ...)	show_ok(#call "(" #__VA_ARGS__ ")", Q(call, ##__VA_ARGS__))
#define T(expr)		show(#expr, lib((long)(expr)))
#define TOK(expr)	show_ok(#expr, lib((long)(expr)))

/* -- printing -------------------------------------------------------------------------------- */

/* One write per line, so that lines of several processes never mix. */
static void __attribute__((format(printf, 1, 2)))
P(const char *fmt, ...)
{
	char line[8192];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(line, sizeof line - 1, fmt, ap);
	va_end(ap);
	if (n > (int)sizeof line - 2)
		n = sizeof line - 2;
	line[n++] = '\n';
	for (int at = 0; at < n; ) {
		long w = Q(write, 1, line + at, n - at);

		if (w == -EINTR)
			continue;
		if (w <= 0)
			_exit(98);
		at += w;
	}
}

static void __attribute__((format(printf, 1, 2), noreturn))
die(const char *fmt, ...)
{
	int e = errno;
	va_list ap;

	va_start(ap, fmt);
	vdprintf(2, fmt, ap);
	va_end(ap);
	dprintf(2, " (errno %s)\n", strerrorname_np(e) ? strerrorname_np(e) : "?");
	_exit(99);
}

static void __attribute__((noreturn))
skip(const char *why)
{
	P("skip: %s", why);
	exit(SKIP);
}

/* A few static buffers in turn, so that one P() may use several. */
static char *
g_buf(void)
{
	static __thread char bufs[8][2048];
	static __thread unsigned next;

	return bufs[next++ % N_OF(bufs)];
}

static const char *
err_name(long e)
{
	const char *name = strerrorname_np((int)e);

	return name ? name : "E?";
}

/* A raw result: the number, or the name of the error. */
static const char *
res(long r)
{
	char *b = g_buf();

	if (r < 0 && r > -4096)
		snprintf(b, 64, "%s", err_name(-r));
	else
		snprintf(b, 64, "%ld", r);
	return b;
}

static const char *
ok(long r)
{
	return r < 0 && r > -4096 ? err_name(-r) : "ok";
}

static long
lib(long r)
{
	return r == -1 ? -errno : r;
}

static long
show(const char *text, long r)
{
	P("%s = %s", text, res(r));
	return r;
}

static long
show_ok(const char *text, long r)
{
	P("%s = %s", text, ok(r));
	return r;
}

static const char *
sig_name(int sig)
{
	const char *name = sig > 0 && sig < 32 ? sigabbrev_np(sig) : NULL;
	char *b = g_buf();

	if (name)
		snprintf(b, 64, "SIG%s", name);
	else
		snprintf(b, 64, "signal %d", sig);
	return b;
}

/* A wait status.  The core flag depends on the host's limits and is left out. */
static const char *
wst(int st)
{
	char *b = g_buf();

	if (WIFEXITED(st))
		snprintf(b, 64, "exit %d", WEXITSTATUS(st));
	else if (WIFSTOPPED(st))
		snprintf(b, 64, "stop %s event %d", sig_name(WSTOPSIG(st)), st >> 16);
	else if (WIFCONTINUED(st))
		snprintf(b, 64, "continued");
	else if (WIFSIGNALED(st))
		snprintf(b, 64, "killed %s", sig_name(WTERMSIG(st)));
	else
		snprintf(b, 64, "status %#x", st);
	return b;
}

static const char *
txt(const void *p, long n)
{
	const unsigned char *s = p;
	char *b = g_buf();
	int at = 0;

	for (long i = 0; i < n && at < 2000; i++) {
		if (isprint(s[i]) && s[i] != '\\')
			b[at++] = s[i];
		else
			at += snprintf(b + at, 8, "\\%03o", s[i]);
	}
	b[at] = 0;
	return b;
}

struct g_bit {
	unsigned long	bit;
	const char	*name;
};

/* A set of flags by name; what has no name is printed as a number. */
static const char *
bits(unsigned long v, const struct g_bit *tab, size_t n)
{
	char *b = g_buf();
	int at = 0;

	b[0] = 0;
	for (size_t i = 0; i < n; i++) {
		if (tab[i].bit && (v & tab[i].bit) == tab[i].bit) {
			at += snprintf(b + at, 64, "%s%s", at ? "|" : "", tab[i].name);
			v &= ~tab[i].bit;
		}
	}
	if (v || !at)
		snprintf(b + at, 64, "%s%#lx", at ? "|" : "", v);
	return b;
}

#define BIT(x)		{ x, #x }
#define BITS(v, tab)	bits(v, tab, N_OF(tab))

static const char *
poll_bits(unsigned v)
{
	static const struct g_bit tab[] = {
		BIT(POLLIN), BIT(POLLPRI), BIT(POLLOUT), BIT(POLLERR), BIT(POLLHUP), BIT(POLLNVAL),
		BIT(POLLRDNORM), BIT(POLLRDBAND), BIT(POLLWRNORM), BIT(POLLWRBAND), BIT(POLLRDHUP),
	};

	return BITS(v, tab);
}

/* -- time ------------------------------------------------------------------------------------ */

static int64_t
now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000LL + ts.tv_nsec;
}

static int64_t
now_ms(void)
{
	return now_ns() / 1000000;
}

static void
nap(long ms)
{
	struct timespec ts = { ms / 1000, ms % 1000 * 1000000 };

	while (nanosleep(&ts, &ts) < 0 && errno == EINTR)
		;
}

/* "in time" when ms have passed since start, give or take; the upper bound is wide on purpose. */
static const char *
took(int64_t start_ns, long ms)
{
	int64_t us = (now_ns() - start_ns) / 1000;

	if (us < ms * 1000 - 1)
		return "too early";
	return us > (ms + 4000) * 1000 ? "too late" : "in time";
}

/* Waits for something that must come true by itself. */
#define UNTIL(cond) do { \
	int64_t end_ = now_ms() + 8000; \
	while (!(cond)) { \
		if (now_ms() > end_) \
			die("never: %s", #cond); \
		nap(1); \
	} \
} while (0)

/* -- processes ------------------------------------------------------------------------------- */

/* Runs the statements in a child and yields its wait status. */
#define CHILD(...) ({ \
	int st_ = -1; \
	pid_t p_ = fork(); \
	if (p_ < 0) \
		die("fork"); \
	if (p_ == 0) { \
		__VA_ARGS__; \
		_exit(0); \
	} \
	while (waitpid(p_, &st_, 0) < 0 && errno == EINTR) \
		; \
	st_; \
})

/* Starts the statements in a child and yields its pid. */
#define START(...) ({ \
	pid_t p_ = fork(); \
	if (p_ < 0) \
		die("fork"); \
	if (p_ == 0) { \
		__VA_ARGS__; \
		_exit(0); \
	} \
	p_; \
})

static const char *
reap(pid_t pid)
{
	int st;

	while (waitpid(pid, &st, 0) < 0) {
		if (errno != EINTR)
			return err_name(errno);
	}
	return wst(st);
}

/* The state letter of a process or of one of its threads; '?' when it can't be told. */
static char
task_state(pid_t pid, pid_t tid)
{
	char path[64], line[512], *at;
	ssize_t n;
	int fd;

	snprintf(path, sizeof path, "/proc/%d/task/%d/stat", pid, tid);
	fd = open(path, O_RDONLY);
	if (fd < 0)
		return '?';
	n = read(fd, line, sizeof line - 1);
	close(fd);
	if (n <= 0)
		return '?';
	line[n] = 0;
	at = strrchr(line, ')');
	return at && at[1] ? at[2] : '?';
}

/* Waits until a child sleeps in its call: the surest sign there is from outside. */
static void
await_sleep(pid_t pid)
{
	int64_t end = now_ms() + 3000;

	nap(10);
	while (now_ms() < end) {
		char c = task_state(pid, pid);

		if (c == 'S' || c == 'T')
			break;
		if (c == '?') {
			nap(100);
			break;
		}
		nap(2);
	}
	nap(5);
}

/* Small counters that parent and children share. */
static volatile int *
shared_ints(void)
{
	void *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		die("shared page");
	return p;
}

/* -- signals --------------------------------------------------------------------------------- */

static volatile sig_atomic_t got[65], got_order[256], got_n;
static siginfo_t got_info;

static void
on_signal(int sig, siginfo_t *si, void *uc)
{
	(void)uc;
	got[sig]++;
	got_info = *si;
	if (got_n < (int)N_OF(got_order))
		got_order[got_n++] = sig;
}

static void
catch_sig(int sig, int flags)
{
	struct sigaction sa = { .sa_sigaction = on_signal, .sa_flags = flags | SA_SIGINFO };

	if (sigaction(sig, &sa, NULL) < 0)
		die("sigaction %d", sig);
}

static void
set_sig(int sig, void (*to)(int))
{
	struct sigaction sa = { .sa_handler = to };

	if (sigaction(sig, &sa, NULL) < 0)
		die("sigaction %d", sig);
}

static const char *
si_code_name(int sig, int code)
{
	switch (code) {
	case SI_USER: return "SI_USER";
	case SI_QUEUE: return "SI_QUEUE";
	case SI_TKILL: return "SI_TKILL";
	case SI_TIMER: return "SI_TIMER";
	case SI_MESGQ: return "SI_MESGQ";
	case SI_KERNEL: return "SI_KERNEL";
	}
	switch (sig) {
	case SIGSEGV:
		return code == SEGV_MAPERR ? "SEGV_MAPERR" : code == SEGV_ACCERR ? "SEGV_ACCERR" : "?";
	case SIGBUS:
		return code == BUS_ADRALN ? "BUS_ADRALN" : code == BUS_ADRERR ? "BUS_ADRERR" : "?";
	case SIGFPE:
		return code == FPE_INTDIV ? "FPE_INTDIV" : code == FPE_FLTDIV ? "FPE_FLTDIV" :
		    code == FPE_FLTINV ? "FPE_FLTINV" : "?";
	case SIGILL:
		return code == ILL_ILLOPN ? "ILL_ILLOPN" : code == ILL_ILLOPC ? "ILL_ILLOPC" : "?";
	case SIGTRAP:
		return code == TRAP_BRKPT ? "TRAP_BRKPT" : code == TRAP_TRACE ? "TRAP_TRACE" : "?";
	case SIGCHLD:
		return code == CLD_EXITED ? "CLD_EXITED" : code == CLD_KILLED ? "CLD_KILLED" :
		    code == CLD_DUMPED ? "CLD_DUMPED" : code == CLD_STOPPED ? "CLD_STOPPED" :
		    code == CLD_CONTINUED ? "CLD_CONTINUED" : "?";
	}
	return "?";
}

/* -- files ----------------------------------------------------------------------------------- */

static char g_dir[64];
static pid_t g_owner;

static void
rm_tree(int at, const char *name)
{
	int fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	struct dirent *de;
	DIR *d;

	if (fd < 0 && errno == EACCES && fchmodat(at, name, 0700, 0) == 0)
		fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0) {
		unlinkat(at, name, 0);
		return;
	}
	d = fdopendir(fd);
	while (d && (de = readdir(d)) != NULL) {
		if (strcmp(de->d_name, ".") && strcmp(de->d_name, ".."))
			rm_tree(fd, de->d_name);
	}
	if (d)
		closedir(d);
	unlinkat(at, name, AT_REMOVEDIR);
}

static void
g_clean(void)
{
	if (getpid() != g_owner || !g_dir[0])
		return;
	/* the program may have used up its descriptors */
	for (int i = 3; i < 64; i++)
		close(i);
	rm_tree(AT_FDCWD, g_dir);
}

/* A fresh directory of mode 755, which becomes the working directory and goes away at exit. */
static const char *
scratch(void)
{
	strcpy(g_dir, "/tmp/guest.XXXXXX");
	if (!mkdtemp(g_dir) || chmod(g_dir, 0755) < 0 || chdir(g_dir) < 0)
		die("scratch directory");
	g_owner = getpid();
	atexit(g_clean);
	umask(022);
	return g_dir;
}

static void
put(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);

	if (fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text))
		die("put %s", path);
	close(fd);
}

/* The text of a small file. */
static const char *
cat(const char *path)
{
	char *b = g_buf();
	int fd = open(path, O_RDONLY);
	ssize_t n;

	if (fd < 0)
		return err_name(errno);
	n = read(fd, b, 2000);
	close(fd);
	b[n < 0 ? 0 : n] = 0;
	return b;
}

static const char *
type_of(mode_t m)
{
	switch (m & S_IFMT) {
	case S_IFREG: return "reg";
	case S_IFDIR: return "dir";
	case S_IFLNK: return "lnk";
	case S_IFIFO: return "fifo";
	case S_IFSOCK: return "sock";
	case S_IFCHR: return "chr";
	case S_IFBLK: return "blk";
	case 0: return "anon";
	}
	return "?";
}

/* Type, mode, links, owner and size of a name; not the size of a directory. */
static const char *
look(const char *path)
{
	struct stat st;
	char *b = g_buf();

	if (lstat(path, &st) < 0)
		return err_name(errno);
	if (S_ISDIR(st.st_mode))
		snprintf(b, 128, "dir %04o %d:%d", st.st_mode & 07777, st.st_uid, st.st_gid);
	else
		snprintf(b, 128, "%s %04o nlink %d %d:%d size %ld", type_of(st.st_mode),
		    st.st_mode & 07777, (int)st.st_nlink, st.st_uid, st.st_gid, (long)st.st_size);
	return b;
}

/* A copy of this program, with a mode and an owner. */
static void
copy_self(const char *to, mode_t mode, uid_t u, gid_t g)
{
	int in = open("/proc/self/exe", O_RDONLY), out = open(to, O_CREAT | O_WRONLY, 0700);
	char b[65536];
	ssize_t n;

	while ((n = read(in, b, sizeof b)) > 0)
		write(out, b, n);
	close(in);
	close(out);
	if (chown(to, u, g) < 0 || chmod(to, mode) < 0)
		die("copy");
}

#endif
