/* System V message queues. */
#include "guest.h"
#include <sys/ipc.h>
#include <sys/msg.h>

static struct { long type; char text[64]; } m;
static int id;

static long
put_msg(long type, const char *text, int flags)
{
	m.type = type;
	strcpy(m.text, text);
	return Q(msgsnd, id, &m, strlen(text), flags);
}

static void
take(const char *what, size_t room, long type, int flags)
{
	long r = Q(msgrcv, id, &m, room, type, flags);

	P("%s: %s %s", what, res(r), r >= 0 ? txt(m.text, r) : "-");
}

int
main(void)
{
	struct msqid_ds ds;
	pid_t pid;

	S(msgget, 0x5e4321, 0);
	id = Q(msgget, IPC_PRIVATE, 0600);
	P("create %s", ok(id));
	take("empty", 64, 0, IPC_NOWAIT);
	P("type 0 %s", res(put_msg(0, "x", 0)));
	P("negative type %s", res(put_msg(-1, "x", 0)));
	P("bad memory %s", res(Q(msgsnd, id, BAD, 1, 0)));
	P("too large %s", res(Q(msgsnd, id, &m, 1 << 20, 0)));
	put_msg(3, "three", 0);
	put_msg(1, "one", 0);
	put_msg(2, "two", 0);
	put_msg(3, "another three", 0);
	P("stat %s", res(Q(msgctl, id, IPC_STAT, &ds)));
	P("%lu messages, %lu bytes", (unsigned long)ds.msg_qnum, (unsigned long)ds.msg_cbytes);
	take("of type 2", 64, 2, 0);
	take("lowest up to 2", 64, -2, 0);
	take("not of type 3", 64, 3, MSG_EXCEPT | IPC_NOWAIT);
	take("too long", 3, 0, 0);
	take("cut", 3, 0, MSG_NOERROR);
	take("any", 64, 0, 0);
	take("of type 9", 64, 9, IPC_NOWAIT);
	pid = START(take("child", 64, 5, 0));
	await_sleep(pid);
	put_msg(4, "not this", 0);
	put_msg(5, "this", 0);
	P("%s", reap(pid));
	take("left", 64, 0, IPC_NOWAIT);
	int n = 0;
	while (put_msg(1, "0123456789012345678901234567890123456789", IPC_NOWAIT) == 0)
		n++;
	P("full after %s: %s", n > 10 ? "some" : "few", res(put_msg(1, "0123456789012345678901234567890123456789", IPC_NOWAIT)));
	P("interrupted: %s", wst(CHILD(catch_sig(SIGALRM, SA_RESTART); ualarm(20000, 0);
	    P("%s", res(put_msg(1, "0123456789012345678901234567890123456789", 0))))));
	pid = START(_exit((int)-Q(msgrcv, id, &m, 64, 77, 0)));
	await_sleep(pid);
	P("remove %s", res(Q(msgctl, id, IPC_RMID, NULL)));
	P("%s", reap(pid));
	take("gone", 64, 0, 0);
	return 0;
}
