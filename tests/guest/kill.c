/* kill, tkill, tgkill: targets and permission. */
#include "guest.h"

int
main(void)
{
	pid_t me = getpid(), pid, zombie;
	int gate[2];
	char c;

	S(kill, 0x7fffffff, 0);
	S(kill, 0x7fffffff, 65);
	P("self, no signal: %s", res(Q(kill, me, 0)));
	P("self, 65: %s", res(Q(kill, me, 65)));
	P("self, -1: %s", res(Q(kill, me, -1)));
	S(kill, 0, 65);
	S(kill, -0x7fffffff, 0);
	S(kill, INT_MIN, 0);
	S(tkill, 0, 0);
	S(tkill, -1, 0);
	S(tkill, 0x7fffffff, 0);
	S(tgkill, 0, 1, 0);
	S(tgkill, 1, 0, 0);
	S(tgkill, -1, 1, 0);
	P("tgkill wrong group: %s", res(Q(tgkill, 0x7ffffffe, me, 0)));
	P("tgkill self: %s", res(Q(tgkill, me, me, 0)));
	P("tkill self 65: %s", res(Q(tkill, me, 65)));
	/* zombies accept signals and ignore them */
	zombie = START(_exit(0));
	siginfo_t si;
	waitid(P_PID, zombie, &si, WEXITED | WNOWAIT);
	P("zombie: %s", res(Q(kill, zombie, SIGKILL)));
	P("%s", reap(zombie));
	P("reaped: %s", res(Q(kill, zombie, 0)));
	/* groups */
	pipe(gate);
	pid = START(
		setpgid(0, 0);
		pid_t a = START(pause());
		pid_t b = START(set_sig(SIGTERM, SIG_IGN); write(gate[1], "x", 1); pause());
		read(gate[0], &c, 1);
		set_sig(SIGTERM, SIG_IGN);
		Q(kill, 0, SIGTERM);
		P("a %s", reap(a));
		P("b lives: %s", res(Q(kill, b, 0)));
		Q(kill, b, SIGKILL);
		P("b %s", reap(b));
	);
	P("leader %s", reap(pid));
	pid = START(setpgid(0, 0); write(gate[1], "x", 1); pause());
	read(gate[0], &c, 1);
	P("kill -group: %s", res(Q(kill, -pid, SIGUSR1)));
	P("%s", reap(pid));
	P("group gone: %s", res(Q(kill, -pid, 0)));
	/* permission */
	pid = START(setuid(601); write(gate[1], "x", 1); pause());
	read(gate[0], &c, 1);
	P("another's: %s", wst(CHILD(
		setuid(600);
		P("term: %s", res(Q(kill, pid, SIGTERM)));
		P("nothing: %s", res(Q(kill, pid, 0)));
		P("65: %s", res(Q(kill, pid, 65)));
		P("self: %s", res(Q(kill, getpid(), 0)));
		P("init: %s", res(Q(kill, getppid(), 0)));
		P("gone: %s", res(Q(kill, 0x7fffffff, 0)));
	)));
	P("real id counts: %s", wst(CHILD(
		setresuid(601, 600, 600);
		P("term: %s", res(Q(kill, pid, 0)));
	)));
	P("saved id of the target counts: %s", wst(CHILD(
		pid_t t = START(setresuid(700, 700, 600); write(gate[1], "x", 1); pause());
		read(gate[0], &c, 1);
		setuid(600);
		P("nothing: %s", res(Q(kill, t, 0)));
		kill(t, SIGKILL);
		P("%s", reap(t));
	)));
	kill(pid, SIGTERM);
	P("%s", reap(pid));
	/* who sent it */
	catch_sig(SIGUSR1, 0);
	pid = START(setuid(600); kill(me, SIGUSR1); _exit(0));
	reap(pid);
	P("from a child as 600 not allowed: %d", got[SIGUSR1]);
	pid = START(kill(me, SIGUSR1); _exit(0));
	reap(pid);
	P("from a child: %d %s pid %s uid %d", got[SIGUSR1], si_code_name(SIGUSR1, got_info.si_code),
	    got_info.si_pid == pid ? "right" : "?", got_info.si_uid);
	/* kill(-1) as an unprivileged user reaches only its own, and not the caller */
	P("kill all: %s", wst(CHILD(
		setuid(60777);
		pid_t t = START(write(gate[1], "x", 1); pause());
		read(gate[0], &c, 1);
		P("%s", res(Q(kill, -1, SIGTERM)));
		P("%s", reap(t));
	)));
	return 0;
}
