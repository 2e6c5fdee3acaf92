/*
 * Signals around call instructions that are used many times: a handler sees the program's own text in
 * the interrupted rip, at an instruction that a program can be interrupted at; what it changes there
 * holds; restarts begin at the instruction; single steps see each instruction once.
 */
#include "guest.h"
#include <setjmp.h>

extern char __executable_start[], etext[];
extern char loop_start[], loop_call[], loop_after[], loop_end[];
extern char wait_start[], wait_call[], wait_after[], wait_end[];
extern char step_start[], step_flags[], step_call[], step_after[], step_end[];
long loop_calls(volatile int *stop);
long wait_call3(long nr, long a, long b, long c);
long step_calls(long nr, long flags);

__asm__(
	".text\n"
	".globl loop_calls, loop_start, loop_call, loop_after, loop_end\n"
	/* Until *stop: getpid, and getppid through another kind of site. */
"loop_calls:\n"
"loop_start:\n"
	"xor %r8d, %r8d\n"
"1:	mov $39, %eax\n"
"loop_call:\n"
	"syscall\n"
"loop_after:\n"
	"inc %r8\n"
	"mov $110, %eax\n"
	"syscall\n"
	"cmp $-4096, %rax\n"
	"cmpl $0, (%rdi)\n"
	"je 1b\n"
	"mov %r8, %rax\n"
	"ret\n"
"loop_end:\n"
	".globl wait_call3, wait_start, wait_call, wait_after, wait_end\n"
"wait_call3:\n"
"wait_start:\n"
	"mov %rdi, %rax\n"
	"mov %rsi, %rdi\n"
	"mov %rdx, %rsi\n"
	"mov %rcx, %rdx\n"
	"xor %r10d, %r10d\n"
"wait_call:\n"
	"syscall\n"
"wait_after:\n"
	"cmp $-4096, %rax\n"
	"ret\n"
"wait_end:\n"
	".globl step_calls, step_start, step_flags, step_call, step_after, step_end\n"
	/* From popf on, with the trap flag in rsi, to the popf that takes it back. */
"step_calls:\n"
"step_start:\n"
	"pushf\n"
	"push %rsi\n"
	"popf\n"
"step_flags:\n"
	"mov %rdi, %rax\n"
	"nop\n"
"step_call:\n"
	"syscall\n"
"step_after:\n"
	"cmp $-4096, %rax\n"
	"mov $39, %eax\n"
	"syscall\n"
	"nop\n"
	"popf\n"
	"nop\n"
	"ret\n"
"step_end:\n"
);

/* Where instructions of [start, end) begin: found by decoding them by hand. */
static const uint8_t loop_at[] = { 0, 3, 8, 10, 13, 18, 20, 26, 29, 31, 34 };
static const uint8_t wait_at[] = { 0, 3, 6, 9, 12, 15, 17, 23 };

static volatile sig_atomic_t stop, seen, outside, between, at_call, at_after;
static volatile pid_t tid;

static bool
starts(const uint8_t *at, size_t n, uint64_t off)
{
	for (size_t i = 0; i < n; i++) {
		if (at[i] == off)
			return true;
	}
	return false;
}

static uint64_t *
rip_of(void *uc)
{
	return (uint64_t *)&((ucontext_t *)uc)->uc_mcontext.gregs[REG_RIP];
}

static void
look_at(int sig, siginfo_t *si, void *uc)
{
	uint64_t rip = *rip_of(uc), off;

	(void)sig, (void)si;
	if (gettid() != tid)
		return;
	seen++;
	if ((off = rip - (uintptr_t)loop_start) < (uint64_t)(loop_end - loop_start))
		between += !starts(loop_at, N_OF(loop_at), off);
	else if ((off = rip - (uintptr_t)wait_start) < (uint64_t)(wait_end - wait_start))
		between += !starts(wait_at, N_OF(wait_at), off);
	else
		outside += rip < (uintptr_t)__executable_start || rip >= (uintptr_t)etext;
	if (seen > 1)
		return;
	at_call += rip == (uintptr_t)wait_call;
	at_after += rip == (uintptr_t)wait_after;
}

static void
handle(int sig, void (*fn)(int, siginfo_t *, void *), int flags)
{
	struct sigaction sa = { .sa_sigaction = fn, .sa_flags = SA_SIGINFO | flags };

	if (sigaction(sig, &sa, NULL) < 0)
		die("sigaction");
}

static void
forget(void)
{
	seen = outside = between = at_call = at_after = 0;
	stop = 0;
	tid = gettid();
}

static void
timer_start(long us)
{
	struct itimerval it = { { 0, us }, { 0, us } };

	setitimer(ITIMER_REAL, &it, NULL);
}

static void *
kill_main(void *arg)
{
	int n = (int)(intptr_t)arg;
	sigset_t set;

	sigfillset(&set);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	for (int i = 0; i < n; i++) {
		if (seen > 20 * n)
			break;
		Q(tgkill, getpid(), tid, SIGUSR1);
		for (volatile int k = 0; k < 3000; k++)
			;
	}
	return NULL;
}

static void *
stop_later(void *arg)
{
	sigset_t set;

	sigfillset(&set);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	nap((long)(intptr_t)arg);
	stop = 1;
	return NULL;
}

/* Signals while calls go on that do not wait. */
static void
in_passing(void)
{
	pthread_t t, u;
	long n;

	handle(SIGALRM, look_at, SA_RESTART);
	handle(SIGUSR1, look_at, SA_RESTART);
	forget();
	/* the sites are used before, so that what is interrupted is used for good */
	pthread_create(&t, NULL, stop_later, (void *)20);
	loop_calls((volatile int *)&stop);
	pthread_join(t, NULL);
	forget();
	pthread_create(&t, NULL, stop_later, (void *)300);
	timer_start(500);
	n = loop_calls((volatile int *)&stop);
	timer_start(0);
	pthread_join(t, NULL);
	P("timer: calls %s, handler %s, outside %d, between %d", n > 0 ? "made" : "none", seen > 0 ? "ran" : "never ran", outside, between);
	forget();
	pthread_create(&t, NULL, stop_later, (void *)300);
	pthread_create(&u, NULL, kill_main, (void *)3000);
	n = loop_calls((volatile int *)&stop);
	pthread_join(t, NULL);
	/* they may still come, to wherever we are then */
	seen = outside = 0;
	pthread_join(u, NULL);
	P("kill: calls %s, between %d", n > 0 ? "made" : "none", between);
}

/* ---- calls that wait ----------------------------------------------------------------- */

static int pipe_[2];

/* Signals until one has come as *arg counts, on a machine as busy as it likes. */
static void *
write_later(void *arg)
{
	const volatile int *until = arg;
	sigset_t set;

	sigfillset(&set);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	for (int i = 0; i < 1000 && *until == 0; i++) {
		nap(4);
		Q(tgkill, getpid(), tid, SIGUSR1);
	}
	nap(4);
	Q(write, pipe_[1], "x", 1);
	return NULL;
}

static void
in_waiting(void)
{
	char c = 0;
	pthread_t t;
	long r = 0;

	if (pipe(pipe_) < 0)
		die("pipe");
	for (int i = 0; i < 200; i++) {
		Q(write, pipe_[1], "w", 1);
		wait_call3(SYS_read, pipe_[0], (long)&c, 1);
	}
	forget();
	handle(SIGUSR1, look_at, SA_RESTART);
	pthread_create(&t, NULL, write_later, (void *)&at_call);
	r = wait_call3(SYS_read, pipe_[0], (long)&c, 1);
	pthread_join(t, NULL);
	P("restarting read: %s %c, handler %s, outside %d, between %d, at the call %s, after it %d", res(r), c,
	    seen ? "ran" : "never ran", outside, between, at_call ? "yes" : "no", at_after);
	forget();
	handle(SIGUSR1, look_at, 0);
	pthread_create(&t, NULL, write_later, (void *)&at_after);
	r = wait_call3(SYS_read, pipe_[0], (long)&c, 1);
	pthread_join(t, NULL);
	P("read: %s, outside %d, between %d, at the call %d, after it %s", res(r), outside, between, at_call, at_after ? "yes" : "no");
	Q(read, pipe_[0], &c, 1);
	forget();
	handle(SIGUSR1, look_at, SA_RESTART);
	pthread_create(&t, NULL, write_later, (void *)&at_after);
	struct timespec ts = { 8, 0 }, left = { 9, 9 };
	r = wait_call3(SYS_nanosleep, (long)&ts, (long)&left, 0);
	P("nanosleep: %s, left %s, outside %d, between %d, at the call %d, after it %s", res(r), left.tv_sec < 8 ? "told" : "not told",
	    outside, between, at_call, at_after ? "yes" : "no");
	pthread_join(t, NULL);
	Q(read, pipe_[0], &c, 1);
}

/* ---- handlers that change things -------------------------------------------------------- */

static volatile int what;
static sigjmp_buf env;

static void
change(int sig, siginfo_t *si, void *uc_)
{
	ucontext_t *uc = uc_;

	(void)sig, (void)si;
	switch (what) {
	case 0:					/* another result */
		uc->uc_mcontext.gregs[REG_RAX] = 4711;
		break;
	case 1:					/* past the comparison */
		uc->uc_mcontext.gregs[REG_RIP] = (long)(wait_after + 6);
		uc->uc_mcontext.gregs[REG_RAX] = 4712;
		break;
	case 2:					/* the call once more, another one */
		uc->uc_mcontext.gregs[REG_RIP] = (long)wait_call;
		uc->uc_mcontext.gregs[REG_RAX] = SYS_getppid;
		break;
	case 3:					/* all over again */
		uc->uc_mcontext.gregs[REG_RIP] = (long)wait_start;
		uc->uc_mcontext.gregs[REG_RDI] = SYS_dup;
		uc->uc_mcontext.gregs[REG_RSI] = -1;
		break;
	case 4:
		siglongjmp(env, 5);
	case 5:					/* the middle of another site, with another number */
		uc->uc_mcontext.gregs[REG_RIP] = (long)(loop_after);
		uc->uc_mcontext.gregs[REG_R8] = 41;
		uc->uc_mcontext.gregs[REG_RDI] = (long)&stop;
		stop = 1;
		break;
	case 6:
		uc->uc_mcontext.gregs[REG_RIP] = (long)(loop_call);
		uc->uc_mcontext.gregs[REG_RAX] = SYS_getpgid;
		uc->uc_mcontext.gregs[REG_R8] = 50;
		uc->uc_mcontext.gregs[REG_RDI] = (long)&stop;
		stop = 1;
		break;
	}
}

static void
changes(void)
{
	char c;

	handle(SIGUSR1, change, SA_RESTART);
	for (int round = 0; round < 30; round++) {
		for (what = 0; what < 7; what++) {
			int j;
			long r;

			if ((j = sigsetjmp(env, 1)) != 0) {
				if (round % 10 == 0)
					P("change %d: jumped %d", what, j);
				continue;
			}
			/* to itself, and so delivered on the way back from the call */
			r = wait_call3(SYS_kill, getpid(), SIGUSR1, 0);
			if (round % 10 == 0)
				P("change %d: %s", what, r == getppid() ? "parent" : res(r));
		}
	}
	handle(SIGUSR1, look_at, SA_RESTART);
	Q(write, pipe_[1], "z", 1);
	P("read: %s", res(wait_call3(SYS_read, pipe_[0], (long)&c, 1)));
}

/* ---- single steps ------------------------------------------------------------------------ */

static volatile int steps, strange;
static volatile uint64_t trail[32];

static void
on_step(int sig, siginfo_t *si, void *uc)
{
	uint64_t off = *rip_of(uc) - (uintptr_t)step_start;

	(void)sig;
	strange += off >= (uint64_t)(step_end - step_start) || si->si_code != TRAP_TRACE;
	if (steps < (int)N_OF(trail))
		trail[steps] = off;
	steps++;
}

static void
single_steps(void)
{
	struct sigaction sa = { .sa_sigaction = on_step, .sa_flags = SA_SIGINFO };
	uint64_t first[32];
	int first_n = 0, differ = 0;
	char line[256];
	int n = 0;

	sigaction(SIGTRAP, &sa, NULL);
	/* without the flag: used for good */
	for (int i = 0; i < 100; i++)
		step_calls(SYS_getppid, 0x202);
	P("steps without the flag: %d", steps);
	for (int i = 0; i < 50; i++) {
		steps = 0;
		step_calls(i % 2 ? SYS_getppid : SYS_sched_yield, 0x302);
		if (i == 0) {
			first_n = steps;
			memcpy(first, (void *)trail, sizeof first);
		}
		differ += steps != first_n || memcmp(first, (void *)trail, sizeof(uint64_t) * (size_t)first_n) != 0;
	}
	for (int i = 0; i < first_n; i++)
		n += snprintf(line + n, sizeof line - (size_t)n, " %d", (int)first[i]);
	P("steps at%s; %d strange, %d differ", line, strange, differ);
}

int
main(void)
{
	in_passing();
	in_waiting();
	changes();
	single_steps();
	return 0;
}
