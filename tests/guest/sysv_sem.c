/* System V semaphores. */
#include "guest.h"
#include <sys/ipc.h>
#include <sys/sem.h>

static int id;

static long
op(int num, int by, int flags)
{
	struct sembuf b = { num, by, flags };

	return Q(semop, id, &b, 1);
}

int
main(void)
{
	unsigned short v[3] = { 1, 2, 3 };
	struct semid_ds ds;
	struct timespec ts = { 0, 20000000 };
	struct sembuf b[2] = { { 0, -1, 0 }, { 1, -5, IPC_NOWAIT } };
	pid_t pid;

	S(semget, IPC_PRIVATE, 0, 0600);
	S(semget, IPC_PRIVATE, -1, 0600);
	S(semget, 0x5e1234, 1, 0);
	id = Q(semget, IPC_PRIVATE, 3, 0600);
	P("create %s", ok(id));
	P("setall %s", res(Q(semctl, id, 0, SETALL, v)));
	P("getval %s %s %s", res(Q(semctl, id, 0, GETVAL)), res(Q(semctl, id, 1, GETVAL)), res(Q(semctl, id, 2, GETVAL)));
	P("stat %s nsems %s", res(Q(semctl, id, 0, IPC_STAT, &ds)), "3");
	P("bad number %s", res(Q(semctl, id, 3, GETVAL)));
	P("too high %s", res(Q(semctl, id, 0, SETVAL, 40000)));
	P("negative %s", res(Q(semctl, id, 0, SETVAL, -1)));
	P("down %s", res(op(0, -1, 0)));
	P("down, no wait %s", res(op(0, -1, IPC_NOWAIT)));
	P("zero %s", res(op(0, 0, 0)));
	P("not zero, no wait %s", res(op(1, 0, IPC_NOWAIT)));
	P("bad number %s", res(op(9, 1, 0)));
	P("overflow %s", res(op(0, 32767, 0)));
	P("overflow %s", res(op(0, 1, 0)));
	Q(semctl, id, 0, SETVAL, 1);
	P("all or none %s", res(Q(semop, id, b, 2)));
	P("value %s", res(Q(semctl, id, 0, GETVAL)));
	P("none %s", res(Q(semop, id, b, 0)));
	P("too many %s", res(Q(semop, id, b, 100000)));
	P("bad memory %s", res(Q(semop, id, BAD, 1)));
	Q(semctl, id, 0, SETVAL, 0);
	int64_t t = now_ns();
	P("timed %s", res(Q(semtimedop, id, b, 1, &ts)));
	P("%s", took(t, 20));
	pid = START(_exit((int)-op(0, -1, 0)));
	await_sleep(pid);
	P("waiters %s", res(Q(semctl, id, 0, GETNCNT)));
	P("up %s", res(op(0, 1, 0)));
	P("%s", reap(pid));
	P("last pid %s", Q(semctl, id, 0, GETPID) == pid ? "child" : "?");
	/* undone at exit */
	P("undo: %s", wst(CHILD(op(1, 5, SEM_UNDO); P("value %s", res(Q(semctl, id, 1, GETVAL))))));
	P("value %s", res(Q(semctl, id, 1, GETVAL)));
	/* interrupted, removed */
	P("interrupted: %s", wst(CHILD(catch_sig(SIGALRM, SA_RESTART); ualarm(20000, 0); P("%s", res(op(0, -1, 0))))));
	pid = START(_exit((int)-op(0, -1, 0)));
	await_sleep(pid);
	P("remove %s", res(Q(semctl, id, 0, IPC_RMID)));
	P("%s", reap(pid));
	P("gone %s", res(op(0, 1, 0)));
	return 0;
}
