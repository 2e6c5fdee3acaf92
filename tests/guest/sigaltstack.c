/* sigaltstack(2) and SA_ONSTACK. */
#include "guest.h"

static char area[65536], other[65536];

static bool
on(const void *p, const char *a)
{
	return (const char *)p >= a && (const char *)p < a + 65536;
}

static void
handler(int sig, siginfo_t *si, void *ucv)
{
	ucontext_t *uc = ucv;
	stack_t ss, set = { .ss_sp = other, .ss_size = sizeof other };
	char here;

	(void)si;
	sigaltstack(NULL, &ss);
	P("%s on the alternate stack %d, flags %s, uc flags %s", sig_name(sig), on(&here, area), ss.ss_flags == SS_ONSTACK ?
	    "SS_ONSTACK" : ss.ss_flags == SS_DISABLE ? "SS_DISABLE" : ss.ss_flags == 0 ? "0" : "?",
	    uc->uc_stack.ss_flags == 0 ? "0" : uc->uc_stack.ss_flags == SS_DISABLE ? "SS_DISABLE" : "?");
	P("frame aligned %d", ((uintptr_t)__builtin_frame_address(0) & 15) == 0);
	P("change it now: %s", res(lib(sigaltstack(&set, NULL))));
	if (sig == SIGUSR1)
		raise(SIGUSR2);
}

static void
disarm(int sig, siginfo_t *si, void *ucv)
{
	stack_t ss, set = { .ss_sp = other, .ss_size = sizeof other };

	(void)sig;
	(void)si;
	(void)ucv;
	sigaltstack(NULL, &ss);
	P("autodisarmed: flags %s size %ld", ss.ss_flags == SS_DISABLE ? "SS_DISABLE" : "?", (long)ss.ss_size);
	P("change it: %s", res(lib(sigaltstack(&set, NULL))));
}

/* Without a stack there are still flags, and to set what is there already always does. */
static void
after_exec(const char *what)
{
	stack_t none = { .ss_sp = NULL }, old;
	struct sigaction sa = { .sa_sigaction = handler, .sa_flags = SA_SIGINFO };

	S(sigaltstack, NULL, &old);
	P("%s: flags %#x", what, (unsigned)old.ss_flags);
	P("nothing again: %s", res(lib(sigaltstack(&none, NULL))));
	sigaction(SIGUSR2, &sa, NULL);
	raise(SIGUSR2);
	none.ss_flags = SS_DISABLE;
	S(sigaltstack, &none, NULL);
}

static void
exec_with(const char *self, int flags, char *what)
{
	stack_t ss = { .ss_sp = area, .ss_size = sizeof area, .ss_flags = flags };
	char *const argv[] = { "sigaltstack", what, NULL };

	P("%s: %s", what, wst(CHILD(sigaltstack(&ss, NULL); Q(execve, self, argv, NULL); die("exec"))));
}

int
main(int argc, char **argv)
{
	stack_t ss = { .ss_sp = area, .ss_size = 100 }, old;
	struct sigaction sa = { .sa_sigaction = handler, .sa_flags = SA_SIGINFO | SA_ONSTACK };

	if (argc > 1) {
		after_exec(argv[1]);
		return 0;
	}
	exec_with("/proc/self/exe", 0, "0");
	exec_with("/proc/self/exe", SS_DISABLE, "SS_DISABLE");
	exec_with("/proc/self/exe", (int)(1U << 31), "SS_AUTODISARM");
	S(sigaltstack, NULL, &old);
	P("flags %s", old.ss_flags == SS_DISABLE ? "SS_DISABLE" : "?");
	S(sigaltstack, &ss, NULL);
	ss.ss_size = 2048;
	P("2048 %s", Q(sigaltstack, &ss, NULL) ? "too small here" : "enough");
	ss.ss_flags = 7;
	ss.ss_size = sizeof area;
	S(sigaltstack, &ss, NULL);
	ss.ss_flags = SS_ONSTACK;
	S(sigaltstack, &ss, NULL);
	S(sigaltstack, NULL, &old);
	P("flags %d there %d size %ld", old.ss_flags, old.ss_sp == area, (long)old.ss_size);
	ss.ss_flags = 0;
	S(sigaltstack, &ss, &old);
	S(sigaltstack, BAD, NULL);
	S(sigaltstack, NULL, BAD);
	sigaction(SIGUSR1, &sa, NULL);
	sigaction(SIGUSR2, &sa, NULL);
	raise(SIGUSR1);
	sa.sa_flags = SA_SIGINFO;
	sigaction(SIGUSR2, &sa, NULL);
	P("without SA_ONSTACK");
	raise(SIGUSR2);
	S(sigaltstack, NULL, &old);
	P("after: there %d", old.ss_sp == area);
	P("child has it: %s", wst(CHILD(sigaltstack(NULL, &old); P("flags %d there %d", old.ss_flags, old.ss_sp == area))));
	ss.ss_flags = SS_DISABLE;
	S(sigaltstack, &ss, NULL);
	S(sigaltstack, NULL, &old);
	P("flags %s size %ld", old.ss_flags == SS_DISABLE ? "SS_DISABLE" : "?", (long)old.ss_size);
	P("disabled, SA_ONSTACK");
	sa.sa_flags = SA_SIGINFO | SA_ONSTACK;
	sigaction(SIGUSR2, &sa, NULL);
	raise(SIGUSR2);
	sigaltstack(&ss, NULL);
	ss.ss_flags = 1U << 31;	/* SS_AUTODISARM */
	ss.ss_sp = area;
	ss.ss_size = sizeof area;
	P("autodisarm %s", res(lib(sigaltstack(&ss, NULL))));
	sa.sa_sigaction = disarm;
	sigaction(SIGUSR2, &sa, NULL);
	raise(SIGUSR2);
	sigaltstack(NULL, &old);
	P("restored: flags %s there %d", old.ss_flags == (int)(1U << 31) ? "AUTODISARM" : "?", old.ss_sp == area);
	/* no room for the frame: the signal kills */
	P("no room: %s", wst(CHILD(
		stack_t bad = { .ss_sp = BAD, .ss_size = 1 << 20 };
		sigaltstack(&bad, NULL);
		sigaction(SIGUSR2, &sa, NULL);
		raise(SIGUSR2);
	)));
	return 0;
}
