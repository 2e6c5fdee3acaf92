/* rt_sigaction and rt_sigprocmask: arguments, flags kept, delivery, nesting. */
#include "guest.h"

struct ksa {
	void		*handler;
	unsigned long	flags;
	void		*restorer;
	uint64_t	mask;
};

static const struct g_bit flags_tab[] = {
	BIT(SA_NOCLDSTOP), BIT(SA_NOCLDWAIT), BIT(SA_SIGINFO), BIT(SA_ONSTACK), BIT(SA_RESTART), BIT(SA_NODEFER),
	{ (unsigned)SA_RESETHAND, "SA_RESETHAND" }, { 0x04000000, "SA_RESTORER" },
	{ 0x00000800, "SA_EXPOSE_TAGBITS" }, { 0x400, "SA_UNSUPPORTED" },
};

static int budget;

static void
nested(int sig)
{
	static int depth;

	static int budget;

	P("in %s depth %d", sig_name(sig), ++depth);
	if (budget-- > 0) {
		raise(SIGUSR2);
		raise(SIGUSR1);
	}
	P("out of %s depth %d", sig_name(sig), depth--);
}

static void
show_mask(int sig)
{
	sigset_t m;
	char line[256] = "";

	sigprocmask(SIG_BLOCK, NULL, &m);
	for (int i = 1; i < 32; i++) {
		if (sigismember(&m, i))
			sprintf(line + strlen(line), " %s", sig_name(i));
	}
	P("%s handler blocks:%s", sig ? sig_name(sig) : "no", line);
}

int
main(void)
{
	struct ksa k = { SIG_IGN, 0, NULL, 0 }, o;
	uint64_t set = ~0UL, old = 0;
	struct sigaction sa = { .sa_handler = nested };

	S(rt_sigaction, 0, NULL, NULL, 8);
	S(rt_sigaction, 65, NULL, NULL, 8);
	S(rt_sigaction, -1, NULL, NULL, 8);
	S(rt_sigaction, 64, NULL, &o, 8);
	S(rt_sigaction, SIGUSR1, NULL, NULL, 4);
	S(rt_sigaction, SIGUSR1, NULL, NULL, 16);
	S(rt_sigaction, SIGKILL, NULL, &o, 8);
	S(rt_sigaction, SIGKILL, &k, NULL, 8);
	k.handler = SIG_DFL;
	S(rt_sigaction, SIGSTOP, &k, NULL, 8);
	S(rt_sigaction, SIGKILL, BAD, NULL, 8);
	k = (struct ksa){ (void *)show_mask, SA_RESTART | SA_NODEFER | 0x04000000 | 0x10000000 | 0x400, BAD, ~0UL };
	S(rt_sigaction, SIGUSR1, &k, NULL, 8);
	S(rt_sigaction, SIGUSR1, NULL, &o, 8);
	P("flags %s restorer %s mask has KILL %d STOP %d HUP %d", BITS(o.flags, flags_tab), o.restorer == BAD ? "kept" : "?",
	    !!(o.mask & 1UL << 8), !!(o.mask & 1UL << 18), !!(o.mask & 1));
	S(rt_sigprocmask, 9, &set, &old, 8);
	S(rt_sigprocmask, 9, NULL, &old, 8);
	S(rt_sigprocmask, SIG_BLOCK, &set, &old, 4);
	S(rt_sigprocmask, SIG_SETMASK, &set, &old, 8);
	S(rt_sigprocmask, SIG_SETMASK, &old, &set, 8);
	P("a full mask lacks KILL %d and STOP %d, has 64 %d", !(set & 1UL << 8), !(set & 1UL << 18), !!(set >> 63));
	S(rt_sigpending, &set, 8);
	S(rt_sigpending, &set, 16);
	S(rt_sigpending, BAD, 8);
	S(rt_sigpending, &set, 0);
	/* masks while a handler runs */
	sa.sa_handler = show_mask;
	sigemptyset(&sa.sa_mask);
	sigaction(SIGUSR1, &sa, NULL);
	raise(SIGUSR1);
	sigaddset(&sa.sa_mask, SIGHUP);
	sigaddset(&sa.sa_mask, SIGKILL);
	sigaction(SIGUSR1, &sa, NULL);
	raise(SIGUSR1);
	sa.sa_flags = SA_NODEFER;
	sigaction(SIGUSR1, &sa, NULL);
	raise(SIGUSR1);
	show_mask(0);
	/* nesting */
	sigemptyset(&sa.sa_mask);
	sa.sa_handler = nested;
	sa.sa_flags = 0;
	sigaction(SIGUSR1, &sa, NULL);
	sigaction(SIGUSR2, &sa, NULL);
	budget = 2;
	raise(SIGUSR1);
	P("with SA_NODEFER");
	sa.sa_flags = SA_NODEFER;
	sigaction(SIGUSR1, &sa, NULL);
	budget = 2;
	raise(SIGUSR1);
	sa.sa_flags = SA_RESETHAND;
	sigaction(SIGUSR1, &sa, NULL);
	raise(SIGUSR1);
	sigaction(SIGUSR1, NULL, &sa);
	P("reset: %s, flags stay %d", sa.sa_handler == SIG_DFL ? "default" : "?", sa.sa_flags & SA_RESETHAND ? 1 : 0);
	/* default actions */
	int sigs[] = { SIGHUP, SIGQUIT, SIGCHLD, SIGURG, SIGWINCH, SIGCONT, SIGIO, SIGPWR, SIGSYS, SIGXCPU, SIGSTKFLT, 34, 64 };
	for (size_t i = 0; i < N_OF(sigs); i++)
		P("default of %s: %s", sig_name(sigs[i]), wst(CHILD(set_sig(sigs[i], SIG_DFL); raise(sigs[i]))));
	P("ignored SIGTERM: %s", wst(CHILD(set_sig(SIGTERM, SIG_IGN); raise(SIGTERM))));
	P("ignoring drops what is pending: %s", wst(CHILD(
		sigset_t s;
		sigfillset(&s);
		sigprocmask(SIG_BLOCK, &s, NULL);
		raise(SIGTERM);
		set_sig(SIGTERM, SIG_IGN);
		set_sig(SIGTERM, SIG_DFL);
		sigemptyset(&s);
		sigprocmask(SIG_SETMASK, &s, NULL);
	)));
	return 0;
}
