/*
 * The functions of the vDSO against the system calls of the same name: asked in turns, no answer is
 * older than the one before, on every clock, in a thread, after fork and after exec.  What bad
 * pointers do, and what a signal handler sees of a program that is in there.
 */
#include "guest.h"
#include <elf.h>
#include <setjmp.h>
#include <sys/auxv.h>
#include <sys/timex.h>

static const clockid_t ids[] = { CLOCK_REALTIME, CLOCK_MONOTONIC, CLOCK_PROCESS_CPUTIME_ID, CLOCK_THREAD_CPUTIME_ID,
	CLOCK_MONOTONIC_RAW, CLOCK_REALTIME_COARSE, CLOCK_MONOTONIC_COARSE, CLOCK_BOOTTIME, CLOCK_TAI };

static long (*v_gettime)(clockid_t, struct timespec *), (*v_getres)(clockid_t, struct timespec *);
static long (*v_day)(struct timeval *, struct timezone *), (*v_cpu)(unsigned *, unsigned *, void *);
static time_t (*v_time)(time_t *);

/* -- the image -------------------------------------------------------------------------------- */

static uintptr_t image, image_end;

/* By the section headers, as gdb reads it. */
static void *
find(const char *name)
{
	Elf64_Ehdr *eh = (void *)image;
	Elf64_Shdr *sh = (void *)(image + eh->e_shoff);

	for (unsigned i = 0; i < eh->e_shnum; i++) {
		if (sh[i].sh_type != SHT_DYNSYM)
			continue;
		Elf64_Sym *sym = (void *)(image + sh[i].sh_offset);
		const char *str = (void *)(image + sh[sh[i].sh_link].sh_offset);

		for (size_t n = 0; n < sh[i].sh_size / sizeof *sym; n++) {
			if (strcmp(str + sym[n].st_name, name) == 0)
				return (void *)(image + sym[n].st_value);
		}
	}
	die("no %s in the vDSO", name);
}

static void
look_at_image(void)
{
	image = getauxval(AT_SYSINFO_EHDR);
	if (!image)
		skip("this host has no vDSO");
	Elf64_Ehdr *eh = (void *)image;
	Elf64_Phdr *ph = (void *)(image + eh->e_phoff);
	int loads = 0, dynamic = 0, unwind = 0;

	for (int i = 0; i < eh->e_phnum; i++) {
		loads += ph[i].p_type == PT_LOAD;
		dynamic += ph[i].p_type == PT_DYNAMIC;
		unwind += ph[i].p_type == PT_GNU_EH_FRAME;
		if (ph[i].p_type == PT_LOAD)
			image_end = image + ph[i].p_memsz;
	}
	P("segments %d dynamic %d unwind %d", loads, dynamic, unwind);
	v_gettime = find("__vdso_clock_gettime");
	v_getres = find("__vdso_clock_getres");
	v_day = find("__vdso_gettimeofday");
	v_time = find("__vdso_time");
	v_cpu = find("__vdso_getcpu");
}

/* -- in turns --------------------------------------------------------------------------------- */

static bool
before(const struct timespec *a, const struct timespec *b)
{
	return a->tv_sec < b->tv_sec || (a->tv_sec == b->tv_sec && a->tv_nsec < b->tv_nsec);
}

static int
backwards(clockid_t id, int turns)
{
	struct timespec last = { 0, 0 }, now = { 0, 0 };
	int bad = 0;

	for (int i = 0; i < turns; i++) {
		long r = i & 1 ? v_gettime(id, &now) : Q(clock_gettime, id, &now);

		bad += r != 0 || before(&now, &last) || now.tv_nsec < 0 || now.tv_nsec > 999999999;
		last = now;
	}
	return bad;
}

/* The coarse clock, which time(2) and files show, stays behind the fine one. */
static int
ahead(int turns)
{
	struct timespec fine, coarse;
	struct timeval tv;
	int bad = 0;

	for (int i = 0; i < turns; i++) {
		time_t t = i & 1 ? v_time(NULL) : Q(time, NULL);

		i & 2 ? v_gettime(CLOCK_REALTIME_COARSE, &coarse) : Q(clock_gettime, CLOCK_REALTIME_COARSE, &coarse);
		v_day(&tv, NULL);
		i & 4 ? v_gettime(CLOCK_REALTIME, &fine) : Q(clock_gettime, CLOCK_REALTIME, &fine);
		bad += t > coarse.tv_sec || before(&fine, &coarse) || tv.tv_sec > fine.tv_sec ||
		    (tv.tv_sec == fine.tv_sec && tv.tv_usec > fine.tv_nsec / 1000);
	}
	return bad;
}

static void
all_clocks(const char *where)
{
	struct timespec a, b;

	for (size_t i = 0; i < N_OF(ids); i++) {
		long r = v_getres(ids[i], &a), q = Q(clock_getres, ids[i], &b);

		P("%s: clock %d: %d wrong, resolution %s", where, ids[i], backwards(ids[i], 400),
		    r == q && a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec ? "agrees" : "differs");
	}
	P("%s: %d ahead", where, ahead(400));
}

static void *
in_thread(void *arg)
{
	all_clocks(arg);
	return NULL;
}

/*
 * A file made between two looks at the clock has a time between them.  The second look is at the fine clock: file
 * times of newer kernels may be finer than time(2), which lags behind them for a tick when a second begins.
 */
static void
file_times(void)
{
	struct stat st;
	time_t t0;
	struct timespec now;
	int bad = 0;

	scratch();
	for (int i = 0; i < 50; i++) {
		t0 = v_time(NULL);
		put("file", "x");
		stat("file", &st);
		v_gettime(CLOCK_REALTIME, &now);
		bad += st.st_mtim.tv_sec < t0 || before(&now, &st.st_mtim);
		unlink("file");
		nap(1);
	}
	P("file times: %d wrong", bad);
	for (int i = 0; i < 3; i++) {
		struct timex tx = { 0 };
		struct timespec tai, real;

		Q(adjtimex, &tx);
		v_gettime(CLOCK_REALTIME, &real);
		v_gettime(CLOCK_TAI, &tai);
		P("TAI %s", labs(tai.tv_sec - real.tv_sec - tx.tai) <= 1 ? "as adjtimex says" : "elsewhere");
	}
}

/* -- bad arguments ---------------------------------------------------------------------------- */

static sigjmp_buf back;
static siginfo_t fault;

static void
on_fault(int sig, siginfo_t *si, void *uc)
{
	(void)sig;
	(void)uc;
	fault = *si;
	siglongjmp(back, 1);
}

#define TRY(expr) do { \
	if (sigsetjmp(back, 1) == 0) \
		P("%s = %s", #expr, res(expr)); \
	else \
		P("%s: %s %s at %p", #expr, sig_name(fault.si_signo), si_code_name(fault.si_signo, fault.si_code), \
		    fault.si_addr); \
} while (0)

static void
bad_arguments(void)
{
	struct sigaction sa = { .sa_sigaction = on_fault, .sa_flags = SA_SIGINFO };
	static const clockid_t odd[] = { 10, 12, 15, 31, 32, 33, 63, 64, 99, 0x7fffffff, -1, -2, -3, -6, INT_MIN };
	struct timespec ts;
	struct timeval tv;
	struct timezone tz = { 7, 7 };
	unsigned cpu = 9999, node = 9999;
	time_t t = 0, u;

	sigaction(SIGSEGV, &sa, NULL);
	for (size_t i = 0; i < N_OF(odd); i++) {
		long r = v_gettime(odd[i], &ts), q = Q(clock_gettime, odd[i], &ts);

		P("clock %d: %s", odd[i], r == q ? res(r) : "differs");
		r = v_getres(odd[i], &ts);
		q = Q(clock_getres, odd[i], &ts);
		P("resolution of %d: %s", odd[i], r == q ? res(r) : "differs");
	}
	TRY(v_gettime(CLOCK_MONOTONIC, BAD));
	TRY(v_gettime(CLOCK_REALTIME, NULL));
	TRY(v_gettime(CLOCK_MONOTONIC_COARSE, BAD));
	TRY(v_gettime(CLOCK_PROCESS_CPUTIME_ID, BAD));
	TRY(v_gettime(CLOCK_THREAD_CPUTIME_ID, NULL));
	TRY(v_gettime(99, BAD));
	TRY(v_gettime(CLOCK_MONOTONIC, (void *)0xffff800000000000));
	TRY(v_getres(CLOCK_MONOTONIC, NULL));
	TRY(v_getres(CLOCK_MONOTONIC, BAD));
	TRY(v_getres(CLOCK_REALTIME_COARSE, BAD));
	TRY(v_getres(CLOCK_THREAD_CPUTIME_ID, BAD));
	TRY(v_getres(99, NULL));
	TRY(v_day(NULL, NULL));
	TRY(v_day(BAD, NULL));
	TRY(v_day(&tv, &tz));
	TRY(v_day(NULL, &tz));
	P("zone %d %d", tz.tz_minuteswest, tz.tz_dsttime);
	TRY(v_time(BAD));
	u = v_time(&t);
	P("time %s", t == u && labs(t - Q(time, NULL)) <= 1 ? "agrees" : "differs");
	TRY(v_cpu(NULL, NULL, NULL));
	TRY(v_cpu(BAD, NULL, NULL));
	TRY(v_cpu(NULL, BAD, NULL));
	TRY(v_cpu(&cpu, &node, NULL));
	TRY(v_cpu(&cpu, &node, BAD));
	P("cpu %s node %s", cpu < (unsigned)sysconf(_SC_NPROCESSORS_CONF) ? "exists" : "?", node < 64 ? "some" : "?");
	/* a read-only page */
	void *page = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (sigsetjmp(back, 1) == 0)
		P("%s", res(v_gettime(CLOCK_MONOTONIC, page)));
	else
		P("read-only: %s %s %s", sig_name(fault.si_signo), si_code_name(fault.si_signo, fault.si_code),
		    fault.si_addr >= page && (char *)fault.si_addr < (char *)page + 16 ? "there" : "elsewhere");
	/* a page not touched before */
	page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	TRY(v_gettime(CLOCK_MONOTONIC, page));
	signal(SIGSEGV, SIG_DFL);
}

/* -- signals ---------------------------------------------------------------------------------- */

extern char __executable_start, etext;
static volatile int alarms, strange;

/* An address in the program or in the vDSO, where an unwinder and a debugger can go on from. */
static void
on_alarm(int sig, siginfo_t *si, void *context)
{
	uintptr_t rip = (uintptr_t)((ucontext_t *)context)->uc_mcontext.gregs[REG_RIP];

	(void)sig;
	(void)si;
	alarms++;
	if ((rip < (uintptr_t)&__executable_start || rip >= (uintptr_t)&etext) && (rip < image || rip >= image_end))
		strange++;
	if (((ucontext_t *)context)->uc_mcontext.gregs[REG_EFL] & 0x100)
		strange++;
}

/* A page that has to be made first, one that cannot be written: 1 for anything unexpected. */
static int
pages_in_between(void)
{
	struct timespec *fresh = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int bad = v_gettime(CLOCK_MONOTONIC, fresh) != 0 || fresh->tv_sec == 0;

	mprotect(fresh, 4096, PROT_READ);
	if (sigsetjmp(back, 1) == 0)
		bad += v_gettime(CLOCK_MONOTONIC, fresh) != 5;		/* does not come back */
	else
		bad += fault.si_addr < (void *)fresh || fault.si_addr > (void *)(fresh + 1);
	munmap(fresh, 4096);
	return bad;
}

static void
signals(void)
{
	struct sigaction sa = { .sa_sigaction = on_alarm, .sa_flags = SA_SIGINFO | SA_RESTART };
	struct sigaction sf = { .sa_sigaction = on_fault, .sa_flags = SA_SIGINFO };
	struct itimerval it = { { 0, 1000 }, { 0, 1000 } };
	struct timespec last = { 0, 0 }, now;
	int64_t end = now_ms() + 5000;
	int bad = 0;

	sigaction(SIGSEGV, &sf, NULL);
	sigaction(SIGALRM, &sa, NULL);
	setitimer(ITIMER_REAL, &it, NULL);
	while (alarms < 150 && now_ms() < end) {
		for (int i = 0; i < 5000; i++) {
			bad += v_gettime(CLOCK_MONOTONIC, &now) != 0 || before(&now, &last);
			last = now;
		}
		bad += pages_in_between();
	}
	it = (struct itimerval){ { 0, 0 }, { 0, 0 } };
	setitimer(ITIMER_REAL, &it, NULL);
	signal(SIGSEGV, SIG_DFL);
	P("signals %s, %d at strange places, %d wrong", alarms >= 150 ? "many" : "few", strange, bad);
}

int
main(int argc, char **argv)
{
	char *again[] = { argv[0], "again", NULL };
	pthread_t th;

	look_at_image();
	if (argc > 1) {
		all_clocks("after exec");
		return 0;
	}
	all_clocks("first");
	pthread_create(&th, NULL, in_thread, "thread");
	pthread_join(th, NULL);
	P("%s", wst(CHILD(
	    all_clocks("after fork");
	    pthread_create(&th, NULL, in_thread, "thread after fork");
	    pthread_join(th, NULL);
	)));
	bad_arguments();
	signals();
	file_times();
	P("%s", wst(CHILD(execv("/proc/self/exe", again); _exit(9))));
	return 0;
}
