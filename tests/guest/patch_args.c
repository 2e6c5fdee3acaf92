/*
 * Arguments and results at their edges, each from call instructions that are used many times before: paths and
 * buffers that end where the memory does, bad addresses in every place, lengths around what travels at once,
 * buffers that overlap, that others unmap or look at.
 */
#include "guest.h"
#include <sys/epoll.h>
#include <sys/uio.h>

#define PAGE	4096L
#define BIG	65536L

static char *area;			/* pages with nothing behind them */

/* n pages, then one that is not there. */
static char *
pages(int n)
{
	char *p = mmap(NULL, (size_t)(n + 1) * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED || munmap(p + n * PAGE, PAGE) < 0)
		die("pages");
	return p;
}

/* All calls go through these few places. */
static long __attribute__((noinline))
call(long nr, long a, long b, long c, long d, long e, long f)
{
	return raw6(nr, a, b, c, d, e, f);
}
#define C(name, ...) call(SYS_##name, G_ARGS(__VA_ARGS__))
/* The call comes first, then what is printed of it. */
#define TRY(what, c, fmt, ...) do { \
	long r_ = (c); \
	P("%s: %s" fmt, what, res(r_), ##__VA_ARGS__); \
} while (0)

static void
warm_up(void)
{
	struct stat st;

	for (int i = 0; i < 50; i++)
		C(stat, "/", &st);
}

/* ---- paths -------------------------------------------------------------------------------- */

static void
paths(void)
{
	char *end = area + 2 * PAGE, *long_ = malloc(8192);
	struct stat st;

	/* the last byte of the memory is the name's end, or its last but one */
	for (int len = 1; len <= 5; len++) {
		memcpy(end - 2 - (len - 1), "/////", (size_t)len);
		end[-1] = 0;
		P("path of %d at the end: %s", len, res(C(stat, end - 1 - len, &st)));
		end[-1] = '/';
		P("without an end: %s", res(C(stat, end - len, &st)));
	}
	P("empty: %s", (end[-1] = 0, res(C(stat, end - 1, &st))));
	/* across the two pages */
	strcpy(area + PAGE - 3, "/dev/null");
	P("across: %s", res(C(stat, area + PAGE - 3, &st)));
	static const int lens[] = { 127, 128, 129, 255, 256, 4094, 4095, 4096, 4097, 8000 };
	for (unsigned i = 0; i < N_OF(lens); i++) {
		memset(long_, '/', 8192);
		long_[lens[i]] = 0;
		P("%d slashes: %s", lens[i], res(C(stat, long_, &st)));
		memset(long_, 'x', (size_t)lens[i]);
		P("%d letters: %s", lens[i], res(C(stat, long_, &st)));
		/* both names of a call */
		P("rename: %s", res(C(rename, long_, long_)));
		P("symlink: %s", res(C(symlink, long_, "/nowhere/at/all")));
	}
	P("null: %s", res(C(stat, 0, &st)));
	P("bad: %s", res(C(stat, BAD, &st)));
	P("kernel: %s", res(C(stat, 0xffff888000000000, &st)));
	P("top: %s", res(C(stat, 0x7ffffffff000, &st)));
	P("non-canonical: %s", res(C(stat, 0x8000000000000000, &st)));
	P("last byte of the address space: %s", res(C(stat, -1L, &st)));
	P("bad result: %s", res(C(stat, "/", BAD)));
	P("bad both: %s", res(C(stat, BAD, BAD)));
	P("missing and bad result: %s", res(C(stat, "/missing", BAD)));
	free(long_);
}

/* ---- a bad address in every place ------------------------------------------------------------ */

/* Which arguments are addresses, and what the others are. */
static const struct { int nr; const char *name; unsigned at; long a[6]; } everywhere[] = {
#define N_(n, at, ...)	{ SYS_##n, #n, at, { __VA_ARGS__ } }
	N_(stat, 3, 0), N_(lstat, 3, 0), N_(fstat, 2, 0), N_(open, 1, 0), N_(access, 1, 0), N_(mkdir, 1, 0),
	N_(readlink, 3, 0, 0, 100), N_(getcwd, 1, 0, 512), N_(pipe, 1, 0), N_(pipe2, 1, 0), N_(uname, 1, 0), N_(getrlimit, 2, 0),
	N_(gettimeofday, 3, 0), N_(sysinfo, 1, 0), N_(times, 1, 0), N_(rt_sigaction, 6, SIGUSR2, 0, 0, 8),
	N_(rt_sigprocmask, 6, SIG_BLOCK, 0, 0, 8), N_(rt_sigpending, 1, 0, 8), N_(getresuid, 7, 0), N_(getresgid, 7, 0),
	N_(clock_gettime, 2, 1), N_(clock_getres, 2, 1), N_(nanosleep, 3, 0), N_(getitimer, 2, 0), N_(statfs, 3, 0),
	N_(getrusage, 2, 0), N_(statx, 0x12, AT_FDCWD, 0, 0, 0x7ff), N_(newfstatat, 6, AT_FDCWD), N_(utimensat, 6, AT_FDCWD),
	N_(poll, 1, 0, 1, 0), N_(ppoll, 0xd, 0, 1, 0, 0, 8), N_(socketpair, 8, 1, 1),
	N_(memfd_create, 1, 0), N_(prlimit64, 8, 0, RLIMIT_NOFILE), N_(getrandom, 1, 0, 16), N_(sigaltstack, 1, 0),
	N_(chdir, 1, 0), N_(unlink, 1, 0), N_(read, 2, -1, 0, 10), N_(write, 2, -1, 0, 10),
	N_(write, 2, 1, 0, 0), N_(timerfd_settime, 0xc, -1), N_(futex, 1, 0, 1, 1),
};

static void
everywhere_bad(void)
{
	static char good[6][512];

	for (unsigned i = 0; i < N_OF(everywhere); i++) {
		char line[400];
		int n = 0;

		for (int at = 0; at < 6; at++) {
			for (int way = 0; way < 3 && (everywhere[i].at >> at & 1); way++) {
				long a[6], r;

				memcpy(a, everywhere[i].a, sizeof a);
				memset(good, 0, sizeof good);
				area[2 * PAGE - 1] = 0;		/* what fails may have been begun */
				for (int k = 0; k < 6; k++)
					a[k] = everywhere[i].at >> k & 1 ? (long)good[k] : a[k];
				a[at] = way == 0 ? (long)BAD : way == 1 ? -1L : (long)(area + 2 * PAGE - 1);
				/* good names are empty, so no call of these does harm */
				r = call(everywhere[i].nr, a[0], a[1], a[2], a[3], a[4], a[5]);
				n += snprintf(line + n, sizeof line - (size_t)n, " %s", r >= 0 ? "ok" : res(r));
			}
		}
		line[n] = 0;
		P("%s:%s", everywhere[i].name, line);
	}
}

/* ---- buffers ------------------------------------------------------------------------------------ */

static uint32_t
sum(const char *p, long n)
{
	uint32_t s = 0;

	for (long i = 0; i < n; i++)
		s = s * 31 + (uint8_t)p[i];
	return s;
}

static void
lengths(void)
{
	static const long n[] = { 0, 1, 7, 4095, 4096, 4097, 65535, 65536, 65537, 131072, 200000 };
	char *out = malloc(200000), *in = malloc(200000 + 8);
	int fd = open("file", O_RDWR | O_CREAT | O_TRUNC, 0644);

	for (unsigned i = 0; i < N_OF(n); i++) {
		for (long k = 0; k < n[i]; k++)
			out[k] = (char)(k * 7 + k / 256 + n[i]);
		memset(in, 0x5a, 200008);
		C(ftruncate, fd, 0);
		TRY("write", C(pwrite64, fd, out, n[i], 0), "");
		TRY("read", C(pread64, fd, in, n[i], 0), ", %s, behind it %s", sum(in, n[i]) == sum(out, n[i]) ? "same" : "other",
		    in[n[i]] == 0x5a && in[n[i] + 7] == 0x5a ? "untouched" : "changed");
		memset(in, 0x5a, 200008);
		TRY("more than there is", C(pread64, fd, in, n[i] + 5, 0), ", %s", in[n[i]] == 0x5a ? "untouched" : "changed");
	}
	close(fd);
	free(in);
	free(out);
}

/* The second page is as prot says: how much is read and written. */
static void
halves(int prot, const char *what)
{
	char *p = pages(2);
	int fd = open("halves", O_RDWR | O_CREAT | O_TRUNC, 0644);
	char text[8192];

	memset(text, 'q', sizeof text);
	if (write(fd, text, sizeof text) != sizeof text || mprotect(p + PAGE, PAGE, prot) < 0)
		die("halves");
	memset(p, 1, PAGE);
	P("%s", what);
	TRY("file read", C(pread64, fd, p + PAGE - 100, 200, 0), ", last byte %d", p[PAGE - 1]);
	P("%s: file read at it %s", what, res(C(pread64, fd, p + PAGE, 200, 0)));
	P("%s: file write %s", what, res(C(pwrite64, fd, p + PAGE - 100, 200, 0)));
	P("%s: file write at it %s", what, res(C(pwrite64, fd, p + PAGE, 200, 0)));
	P("%s: stat across %s", what, res(C(stat, "/", p + PAGE - 20)));
	P("%s: getrandom across %s", what, C(getrandom, p + PAGE - 20, 40, 0) > 0 ? "ok" : "no");
	P("%s: uname across %s", what, res(C(uname, p + PAGE - 20)));
	close(fd);
	munmap(p, 2 * PAGE);
}

static void
overlaps(void)
{
	static union { char b[256]; struct timespec ts[4]; struct rlimit rl[4]; uint64_t set[8]; struct pollfd pf[8]; int fds[8]; } u;
	int fd = open("over", O_RDWR | O_CREAT | O_TRUNC, 0644);
	char *b = u.b;

	/* path and result in the same place */
	strcpy(b, "over");
	TRY("stat over its name", C(stat, b, b), ", %s", strcmp(b, "over") ? "overwritten" : "there");
	strcpy(b, "over");
	C(symlink, "target-of-the-link", "lnk");
	strcpy(b, "lnk");
	TRY("readlink over its name", C(readlink, b, b + 1, 100), " %s", txt(b, 8));
	memset(&u, 0, sizeof u);
	u.set[0] = 1 << 9;
	TRY("sigprocmask, one set for both", C(rt_sigprocmask, SIG_BLOCK, &u.set, &u.set, 8), ", then %#lx", (unsigned long)u.set[0]);
	TRY("now", C(rt_sigprocmask, SIG_SETMASK, 0, &u.set[1], 8), " %#lx", (unsigned long)u.set[1]);
	u.set[0] = 0;
	C(rt_sigprocmask, SIG_SETMASK, &u.set, 0, 8);
	u.rl[0] = (struct rlimit){ 100, 200 };
	P("prlimit, one for both: %s", res(C(prlimit64, 0, RLIMIT_NOFILE, &u.rl[0], &u.rl[0])));
	TRY("set", C(prlimit64, 0, RLIMIT_NOFILE, 0, &u.rl[1]), " %ld %ld", (long)u.rl[1].rlim_cur, (long)u.rl[1].rlim_max);
	u.ts[0] = (struct timespec){ 0, 1000000 };
	TRY("nanosleep, one for both", C(nanosleep, &u.ts[0], &u.ts[0]), " %ld", u.ts[0].tv_nsec);
	u.pf[0] = (struct pollfd){ fd, POLLIN | POLLOUT, 77 };
	u.pf[1] = (struct pollfd){ -1, POLLIN, 77 };
	u.pf[2] = (struct pollfd){ 999, POLLIN, 77 };
	TRY("poll", C(poll, u.pf, 3, 0), " %s %s %s", poll_bits((unsigned)u.pf[0].revents), poll_bits((unsigned)u.pf[1].revents), poll_bits((unsigned)u.pf[2].revents));
	/* buffers of one readv that overlap: later ones win */
	C(pwrite64, fd, "0123456789abcdef", 16, 0);
	struct iovec v[3] = { { b, 6 }, { b + 3, 6 }, { b + 1, 4 } };
	memset(b, '.', 32);
	TRY("preadv", C(preadv, fd, v, 3, 0, 0), " %s", txt(b, 12));
	/* the vector itself is where the data go */
	memcpy(b + 64, v, sizeof v);
	((struct iovec *)(void *)(b + 64))[0].iov_base = b + 64;
	TRY("preadv into its vector", C(preadv, fd, b + 64, 3, 0, 0), " %s", txt(b + 64, 6));
	/* a descriptor pair over a path */
	P("pipe2: %s", ok(C(pipe2, u.fds, 0)));
	int p0 = u.fds[0], p1 = u.fds[1];
	strcpy(b + 100, "data");
	P("write %s", res(C(write, p1, b + 100, 4)));
	TRY("read into the same", C(read, p0, b + 102, 4), " %s", txt(b + 100, 6));
	close(p0);
	close(p1);
	close(fd);
}

static const char *
got_text(int fd)
{
	char got[400];
	long n = C(read, fd, got, sizeof got);

	return n < 0 ? res(n) : txt(got, n);
}

static void
vectors(void)
{
	int fd = open("vectors", O_RDWR | O_CREAT | O_TRUNC, 0644), p[2];
	char buf[40][8], got[100];
	struct iovec v[40];

	if (pipe2(p, O_NONBLOCK) < 0)
		die("pipe");
	for (int i = 0; i < 40; i++) {
		snprintf(buf[i], 8, "<%d>", i);
		v[i] = (struct iovec){ buf[i], strlen(buf[i]) };
	}
	static const int ns[] = { 0, 1, 3, 4, 5, 8, 40 };
	for (unsigned i = 0; i < N_OF(ns); i++) {
		long n = C(writev, p[1], v, ns[i]);

		P("writev %d: %s %s", ns[i], res(n), n > 0 ? got_text(p[0]) : "");
	}
	v[4].iov_base = BAD;
	P("the fifth is bad: %s", res(C(pwritev, fd, v, 8, 0, 0)));
	P("got %s", res(C(pread64, fd, got, 100, 0)));
	C(pwrite64, fd, "abcdefghijklmnopqrstuvwxyz", 26, 0);
	TRY("preadv, the fifth is bad", C(preadv, fd, v, 8, 0, 0), " %s", txt(buf[3], 3));
	P("vector at the end of the memory: %s", (memcpy(area + 2 * PAGE - 16, v, 16), res(C(writev, p[1], area + 2 * PAGE - 16, 1))));
	P("two there: %s", res(C(writev, p[1], area + 2 * PAGE - 16, 2)));
	P("bad vector: %s", res(C(writev, p[1], BAD, 1)));
	close(p[0]);
	close(p[1]);
}

/* ---- others ---------------------------------------------------------------------------------------- */

static volatile int over;
static char *volatile victim;

static void *
unmapper(void *arg)
{
	(void)arg;
	while (!over) {
		mprotect(victim, PAGE, PROT_NONE);
		mprotect(victim, PAGE, PROT_READ | PROT_WRITE);
		mmap(victim, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
		munmap(victim, PAGE);
		mmap(victim, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	}
	return NULL;
}

/* Whether a call fails is chance; that nothing else happens is not. */
static void
under_attack(void)
{
	int fd = open("file", O_RDONLY), odd = 0;
	pthread_t t;

	victim = pages(1);
	over = 0;
	pthread_create(&t, NULL, unmapper, NULL);
	for (int i = 0; i < 2000; i++) {
		long r[5] = { C(fstat, fd, victim), C(stat, "/", victim + 8), C(pread64, fd, victim, 100, 0), C(clock_gettime, 1, victim),
		    C(stat, victim, victim) };

		for (int k = 0; k < 5; k++)
			odd += r[k] != 0 && r[k] != -EFAULT && r[k] != 100 && r[k] != -ENOENT;
	}
	over = 1;
	pthread_join(t, NULL);
	P("under attack: %d odd", odd);
	close(fd);
}

static int rp[2];
static char shared_buf[100];

static void *
looker(void *arg)
{
	nap(20);
	/* while the other waits, its buffer is an ordinary one */
	*(int *)arg = memcmp(shared_buf, "before", 6) == 0;
	memcpy(shared_buf, "during", 6);
	nap(5);
	Q(write, rp[1], "after", 5);
	return NULL;
}

static void
while_waiting(void)
{
	pthread_t t;
	int saw = 0;
	long r;

	if (pipe(rp) < 0)
		die("pipe");
	memcpy(shared_buf, "before", 6);
	pthread_create(&t, NULL, looker, &saw);
	r = C(read, rp[0], shared_buf, 10);
	P("read %s, the other saw it as it was: %d, now %s", res(r), saw, txt(shared_buf, 7));
	pthread_join(t, NULL);
}

/* Results in shared memory are there for others once the call has returned. */
static void
in_shared_memory(void)
{
	volatile uint64_t *sh = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int fd = open("shm", O_RDWR | O_CREAT | O_TRUNC, 0644), wrong = 0, a[2], b[2];
	pid_t child;

	if (pipe(a) < 0 || pipe(b) < 0)
		die("pipe");
	child = START(
		uint64_t i;

		close(a[1]);
		while (read(a[0], &i, 8) == 8) {
			wrong += sh[0] != i;
			write(b[1], &wrong, 4);
		}
		_exit(wrong != 0);
	);
	close(a[0]);
	for (uint64_t i = 0; i < 300; i++) {
		int w;

		C(pwrite64, fd, &i, 8, 0);
		sh[0] = 0;
		C(pread64, fd, sh, 8, 0);
		write(a[1], &i, 8);
		if (read(b[0], &w, 4) != 4 || w)
			wrong++;
	}
	close(a[1]);
	P("shared: %d wrong, child %s", wrong, reap(child));
	/* and argument memory that another process has just filled */
	strcpy((char *)sh, "/dev/null");
	struct stat st;
	P("shared name: %s", res(C(stat, sh, &st)));
	P("of a child: %s", wst(CHILD(strcpy((char *)sh, "/dev/zero"))));
	C(stat, sh, &st);
	P("minor %d", (int)(st.st_rdev & 255));
}

static void
in_vfork(void)
{
	static struct stat st;
	static char name[16] = "/dev/null";
	static long r1, r2;
	pid_t p;
	int status;

	memset(&st, 0, sizeof st);
	p = vfork();
	if (p == 0) {
		r1 = C(stat, name, &st);
		r2 = C(getpid);
		_exit(r2 == p ? 1 : 0);
	}
	waitpid(p, &status, 0);
	P("vfork: %s %s, device %d, its own pid: %d", wst(status), res(r1), (int)(st.st_rdev & 255), r2 == p);
}

static void
epoll(void)
{
	struct epoll_event ev = { EPOLLIN, { .u64 = 0x1122334455667788 } }, got[4];
	int ep = epoll_create1(0), fd = eventfd(1, 0);
	char *end = area + 2 * PAGE;

	P("add: %s", res(C(epoll_ctl, ep, EPOLL_CTL_ADD, fd, &ev)));
	P("wait: %s", res(C(epoll_wait, ep, got, 4, 0)));
	P("data %#lx", (unsigned long)got[0].data.u64);
	memcpy(end - 12, &ev, 12);
	P("modify at the end: %s", res(C(epoll_ctl, ep, EPOLL_CTL_MOD, fd, end - 12)));
	P("behind it: %s", res(C(epoll_ctl, ep, EPOLL_CTL_MOD, fd, end - 11)));
	P("wait at the end: %s", res(C(epoll_wait, ep, end - 12, 4, 0)));
	P("behind it: %s", res(C(epoll_wait, ep, end - 11, 4, 0)));
	close(fd);
	close(ep);
}

int
main(void)
{
	scratch();
	area = pages(2);
	warm_up();
	paths();
	everywhere_bad();
	lengths();
	halves(PROT_NONE, "none");
	halves(PROT_READ, "read only");
	overlaps();
	vectors();
	under_attack();
	while_waiting();
	in_shared_memory();
	in_vfork();
	epoll();
	return 0;
}
