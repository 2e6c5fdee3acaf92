/*
 * Masks that are set at the same few places again and again: values, errors, who sees them and who inherits them; what is
 * pending comes before the call that lets it through returns, and nothing comes while it is blocked, whoever sends it and
 * whatever else interrupts the call.
 */
#include "guest.h"
#include <sys/epoll.h>

typedef uint64_t set64;
#define B(sig)	(1ULL << ((sig) - 1))
#define MINE	(B(SIGUSR1) | B(SIGUSR2) | B(SIGHUP) | B(SIGRTMIN) | B(SIGKILL) | B(SIGSTOP))

/* One place for all calls, so that it is patched soon. */
static long __attribute__((noinline))
procmask(long how, const void *set, void *old, long size)
{
	return Q(rt_sigprocmask, how, set, old, size);
}

static set64
mask(void)
{
	set64 m = 0;

	procmask(99, NULL, &m, 8);
	return m;
}

static void
set_mask(set64 m)
{
	if (procmask(SIG_SETMASK, &m, NULL, 8) != 0)
		die("sigprocmask");
}

static void
use(void)
{
	for (int i = 0; i < 20; i++)
		mask();
}

/* -- values ------------------------------------------------------------------------------------- */

static void
try(const char *what, long how, const void *set, void *old, long size)
{
	set64 before = B(SIGHUP) | B(SIGUSR2);
	long r;

	set_mask(before);
	r = procmask(how, set, old, size);
	P("%s: %s, then %#llx", what, res(r), (unsigned long long)mask());
	set_mask(0);
}

static void
values(void)
{
	char *page = mmap(NULL, 3 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), *edge, *ro;
	set64 set = B(SIGUSR1) | B(SIGHUP), old = 7, all = ~0ULL, both[2];

	edge = page + 4096;
	ro = page + 2 * 4096;
	memcpy(ro, &set, sizeof set);
	mprotect(ro, 4096, PROT_READ);
	munmap(edge, 4096);
	use();
	try("block", SIG_BLOCK, &set, &old, 8);
	P("old %#llx", (unsigned long long)old);
	try("unblock", SIG_UNBLOCK, &set, &old, 8);
	P("old %#llx", (unsigned long long)old);
	try("set", SIG_SETMASK, &set, &old, 8);
	P("old %#llx", (unsigned long long)old);
	try("everything", SIG_SETMASK, &all, NULL, 8);
	try("block everything", SIG_BLOCK, &all, NULL, 8);
	try("unblock everything", SIG_UNBLOCK, &all, NULL, 8);
	try("no way to do it", 3, &set, &old, 8);
	try("less than none", -1, &set, &old, 8);
	try("none needed", 3, NULL, &old, 8);
	try("nothing at all", SIG_SETMASK, NULL, NULL, 8);
	try("high half", 0x100000000L | SIG_SETMASK, &set, NULL, 8);
	try("four bytes", SIG_SETMASK, &set, &old, 4);
	try("many bytes", SIG_SETMASK, &set, &old, 0x100000008L);
	try("bad set", SIG_SETMASK, BAD, &old, 8);
	try("bad set, no way", 3, BAD, &old, 8);
	try("bad old", SIG_SETMASK, &set, BAD, 8);
	try("bad old, no way", 3, &set, BAD, 8);
	try("bad old alone", SIG_SETMASK, NULL, BAD, 8);
	try("set too high", SIG_SETMASK, (void *)0x7ffffffff000, NULL, 8);
	try("old too high", SIG_SETMASK, &set, (void *)0x7ffffffff000, 8);
	try("set nowhere", SIG_SETMASK, (void *)0x8000000000000000, NULL, 8);
	try("old nowhere", SIG_SETMASK, &set, (void *)-8L, 8);
	try("set over an edge", SIG_SETMASK, edge - 4, NULL, 8);
	try("old over an edge", SIG_SETMASK, &set, edge - 4, 8);
	try("set from read-only memory", SIG_SETMASK, ro, NULL, 8);
	try("old to read-only memory", SIG_SETMASK, &set, ro, 8);
	for (long how = 0; how < 3; how++) {
		for (int at = 0; at <= 8; at += 4) {
			char *b = (char *)both;

			memset(both, 0, sizeof both);
			memcpy(b + 4, &set, sizeof set);
			try("over each other", how, b + 4, b + at, 8);
			P("%ld, %d: %#llx %#llx", how, at, (unsigned long long)both[0], (unsigned long long)both[1]);
		}
	}
	munmap(page, 3 * 4096);
}

/* -- who sees it ---------------------------------------------------------------------------------- */

static unsigned long long
status_of(pid_t pid, pid_t tid)
{
	unsigned long long m = 0;
	char name[64], line[256];
	FILE *f;

	snprintf(name, sizeof name, "/proc/%d/task/%d/status", pid, tid);
	f = fopen(name, "r");
	if (!f)
		die("%s", name);
	while (fgets(line, sizeof line, f)) {
		if (sscanf(line, "SigBlk: %llx", &m) == 1)
			break;
	}
	fclose(f);
	return m & MINE;
}

static volatile set64 in_handler, saved;
static volatile set64 leave_with;
static volatile int handled;

static void
handler(int sig, siginfo_t *si, void *uc)
{
	ucontext_t *u = uc;

	(void)sig, (void)si;
	in_handler = mask();
	memcpy((void *)&saved, &u->uc_sigmask, sizeof saved);
	if (leave_with)
		memcpy(&u->uc_sigmask, (void *)&leave_with, sizeof leave_with);
	handled++;
}

static void
handle(int sig, void (*fn)(int, siginfo_t *, void *), int flags)
{
	struct sigaction sa = { .sa_sigaction = fn, .sa_flags = SA_SIGINFO | flags };

	sigaddset(&sa.sa_mask, SIGHUP);
	if (sigaction(sig, &sa, NULL) != 0)
		die("sigaction");
}

static void *
in_thread(void *arg)
{
	set64 own = B(SIGRTMIN);

	*(set64 *)arg = mask();
	procmask(SIG_SETMASK, &own, NULL, 8);
	return NULL;
}

static void
seen_by(char *self)
{
	set64 m = B(SIGUSR2) | B(SIGRTMIN), child;
	struct timespec zero = { 0, 0 };
	struct epoll_event ev;
	sigset_t none;
	pthread_t t;
	long r;
	int st;

	use();
	set_mask(m);
	P("status %#llx", status_of(getpid(), gettid()));
	P("fork: %s", wst(CHILD(_exit(mask() != m))));
	P("fork, and changed there: %s", wst(CHILD(set_mask(B(SIGHUP)); _exit(mask() != B(SIGHUP)))));
	P("here still %#llx", (unsigned long long)mask());
	pthread_create(&t, NULL, in_thread, &child);
	pthread_join(t, NULL);
	P("a thread began with %#llx, here still %#llx", (unsigned long long)(child & MINE), (unsigned long long)(mask() & MINE));
	set_mask(m);
	st = CHILD(execl(self, self, "mask", NULL); _exit(99));
	P("exec: %s", wst(st));
	pid_t v = vfork();
	if (v == 0) {
		set64 vm = B(SIGHUP);

		procmask(SIG_SETMASK, &vm, NULL, 8);
		_exit(mask() != B(SIGHUP));
	}
	waitpid(v, &st, 0);
	P("vfork: %s, here %#llx", wst(st), (unsigned long long)mask());

	handle(SIGUSR1, handler, 0);
	set_mask(m);
	raise(SIGUSR1);
	P("handler %#llx, saved %#llx, after %#llx", (unsigned long long)in_handler, (unsigned long long)saved,
	    (unsigned long long)mask());
	leave_with = B(SIGHUP) | B(SIGKILL);
	raise(SIGUSR1);
	P("left with %#llx", (unsigned long long)mask());
	leave_with = 0;
	set_mask(B(SIGUSR1));
	raise(SIGUSR1);
	sigemptyset(&none);
	handled = 0;
	r = lib(sigsuspend(&none));
	P("sigsuspend %s, handled %d, saved %#llx, after %#llx", res(r), handled, (unsigned long long)saved,
	    (unsigned long long)mask());
	raise(SIGUSR1);
	handled = 0;
	r = lib(ppoll(NULL, 0, &zero, &none));
	P("ppoll %s, handled %d, after %#llx", res(r), handled, (unsigned long long)mask());
	raise(SIGUSR1);
	handled = 0;
	r = lib(pselect(0, NULL, NULL, NULL, &zero, &none));
	P("pselect %s, handled %d, after %#llx", res(r), handled, (unsigned long long)mask());
	raise(SIGUSR1);
	handled = 0;
	r = lib(epoll_pwait(epoll_create1(0), &ev, 1, 0, &none));
	P("epoll_pwait %s, handled %d, after %#llx", res(r), handled, (unsigned long long)mask());
	raise(SIGUSR1);
	set_mask(0);
	P("and once it was let through: %d", handled);
}

/* -- what is pending --------------------------------------------------------------------------------- */

static void
pending(void)
{
	set64 m = B(SIGUSR1), p;
	int late = 0, early = 0, own = 0;

	handle(SIGUSR1, handler, 0);
	use();
	for (int i = 0; i < 200; i++) {
		procmask(SIG_BLOCK, &m, NULL, 8);
		handled = 0;
		if (i % 2)
			kill(getpid(), SIGUSR1);
		else
			Q(tgkill, getpid(), gettid(), SIGUSR1);
		early += handled;
		Q(rt_sigpending, &p, 8);
		own += p == m;
		procmask(SIG_UNBLOCK, &m, NULL, 8);
		late += handled != 1;
	}
	P("pending: %d early, %d late, %d seen", early, late, own);
}

/* -- from another thread -------------------------------------------------------------------------------- */

static __thread volatile int closed;
static volatile int wrong, came, stop;
static volatile pid_t target;

static void
in_time(int sig, siginfo_t *si, void *uc)
{
	(void)sig, (void)si, (void)uc;
	if (closed)
		__atomic_fetch_add(&wrong, 1, __ATOMIC_SEQ_CST);
	__atomic_fetch_add(&came, 1, __ATOMIC_SEQ_CST);
}

/* One signal after the other, each when the last has arrived. */
static void *
sender(void *arg)
{
	int n = *(int *)arg;

	for (int i = 0; i < n; i++) {
		int64_t end = now_ms() + 8000;

		if (i % 2)
			Q(tgkill, getpid(), target, SIGUSR1);
		else
			kill(getpid(), SIGUSR1);
		while (came <= i) {
			if (now_ms() > end)
				die("signal %d was lost", i);
			sched_yield();
		}
	}
	stop = 1;
	return NULL;
}

static void
blocks_and_unblocks(void)
{
	set64 m = B(SIGUSR1), other = B(SIGUSR2), old = 0;

	for (long i = 0; !stop; i++) {
		closed = 0;
		procmask(SIG_UNBLOCK, &m, NULL, 8);
		procmask(SIG_BLOCK, &other, &old, 8);
		wrong += old != 0;
		procmask(SIG_UNBLOCK, &other, &old, 8);
		wrong += old != other;
		procmask(SIG_BLOCK, &m, &old, 8);
		closed = 1;
		wrong += old != 0;
		wrong += mask() != m;
	}
	closed = 0;
	set_mask(0);
}

static void *
blocker(void *arg)
{
	(void)arg;
	blocks_and_unblocks();
	return NULL;
}

static void
from_others(int friends)
{
	pthread_t s, f[2];
	int n = 3000;
	set64 m = B(SIGUSR1);

	handle(SIGUSR1, in_time, SA_RESTART);
	target = gettid();
	came = stop = 0;
	set_mask(m);			/* which the sender keeps */
	pthread_create(&s, NULL, sender, &n);
	set_mask(0);
	for (int i = 0; i < friends; i++)
		pthread_create(&f[i], NULL, blocker, NULL);
	blocks_and_unblocks();
	pthread_join(s, NULL);
	for (int i = 0; i < friends; i++)
		pthread_join(f[i], NULL);
	P("with %d more threads: %d sent, %d wrong", friends, n, wrong);
}

/* Each of these stops the thread, wherever it is. */
static void *
bombards(void *arg)
{
	(void)arg;
	while (!stop) {
		Q(tgkill, getpid(), target, SIGHUP);
		for (volatile int i = 0; i < 2000; i++)
			;
	}
	return NULL;
}

static void
nothing(int sig, siginfo_t *si, void *uc)
{
	(void)sig, (void)si, (void)uc;
}

/* All registers through a call, and what it does, while it is interrupted. */
static void
registers(void)
{
	static set64 m, old;
	struct timespec now;
	int bad = 0, calls = 0;
	pthread_t b;
	int64_t end = now_ms() + 600;

	handle(SIGHUP, nothing, SA_RESTART);
	target = gettid();
	stop = 0;
	pthread_create(&b, NULL, bombards, NULL);
	while (now_ms() < end) {
		register long r10 __asm__("r10") = 8;
		register long r8 __asm__("r8") = 0x1118;
		register long r9 __asm__("r9") = 0x1119;
		register long r12 __asm__("r12") = 0x111c;
		long how = SIG_SETMASK, set = (long)&m, oldp = (long)&old, ret;
		set64 was = m;
		unsigned char carry;

		m = (set64)calls << 40 & ~(B(SIGKILL) | B(SIGSTOP) | B(SIGHUP));
		__asm__ volatile("stc\n\tmov $14, %%eax\n\tsyscall\n\tsetc %b1"
		    : "=a"(ret), "=&q"(carry), "+D"(how), "+S"(set), "+d"(oldp), "+r"(r10), "+r"(r8), "+r"(r9), "+r"(r12)
		    : : "rcx", "r11", "memory", "cc");
		bad += ret != 0 || !carry || how != SIG_SETMASK || set != (long)&m || oldp != (long)&old || r10 != 8 ||
		    r8 != 0x1118 || r9 != 0x1119 || r12 != 0x111c || old != was;
		calls++;
		clock_gettime(CLOCK_MONOTONIC, &now);
	}
	stop = 1;
	pthread_join(b, NULL);
	set_mask(0);
	m = 0;
	P("registers: %d wrong of %s", bad, calls > 100 ? "many" : "few");
}

/* -- sched_yield ------------------------------------------------------------------------------------ */

static volatile int turn;

static void *
takes_turns(void *arg)
{
	int me = (int)(long)arg;

	for (int i = 0; i < 200; i++) {
		while (turn % 4 != me)
			sched_yield();
		turn++;
	}
	return NULL;
}

static void
yields(void)
{
	pthread_t t[4];

	for (int i = 0; i < 30; i++) {
		if (Q(sched_yield) != 0)
			P("sched_yield failed");
	}
	for (long i = 0; i < 4; i++)
		pthread_create(&t[i], NULL, takes_turns, (void *)i);
	for (int i = 0; i < 4; i++)
		pthread_join(t[i], NULL);
	P("turns: %d", turn);
}

int
main(int argc, char **argv)
{
	if (argc > 1)
		return mask() != (B(SIGUSR2) | B(SIGRTMIN));
	set_mask(0);
	values();
	seen_by(argv[0]);
	pending();
	from_others(0);
	from_others(2);
	registers();
	yields();
	return 0;
}
