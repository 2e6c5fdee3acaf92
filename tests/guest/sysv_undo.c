/* semop(2): what is to be undone when several operations of a call meet one semaphore, and who was the last. */
#include "guest.h"
#include <sys/ipc.h>
#include <sys/sem.h>

static int id;

static const char *
last(int num)
{
	long pid = Q(semctl, id, num, GETPID);

	return pid == 0 ? "nobody" : pid == getpid() ? "self" : "another";
}

static long
value(int num)
{
	return Q(semctl, id, num, GETVAL);
}

static void
set(int a, int b)
{
	unsigned short v[2] = { a, b };

	Q(semctl, id, 0, SETALL, v);
}

#define OPS(...) ({ \
	struct sembuf ops_[] = { __VA_ARGS__ }; \
	long r_ = Q(semop, id, ops_, N_OF(ops_)); \
	P("%s = %s: %ld %ld", #__VA_ARGS__, res(r_), value(0), value(1)); \
})
#define U SEM_UNDO
#define N IPC_NOWAIT

static void
undone(void)
{
	set(0, 0);
	P("%s", wst(CHILD(
		OPS({ 0, 32767, U }, { 0, -32767, 0 });
		OPS({ 0, 32767, U }, { 0, -32767, 0 });
		OPS({ 0, 1, U });
		OPS({ 0, 1, U });
	)));
	P("%ld", value(0));
	/* more than fits, within one call: nothing is done of it */
	P("%s", wst(CHILD(
		OPS({ 0, 32767, U }, { 0, -32767, 0 }, { 0, 32767, U }, { 0, -32767, 0 });
		OPS({ 1, 3, U }, { 0, 32767, U }, { 0, -32767, 0 }, { 0, 32767, U }, { 0, -32767, 0 });
		OPS({ 0, 32767, U }, { 0, -32767, 0 });
	)));
	P("%ld %ld", value(0), value(1));
	set(32767, 0);
	P("%s", wst(CHILD(
		OPS({ 0, -32767, U }, { 0, 32767, 0 }, { 0, -32767, U }, { 0, 32767, 0 });
		OPS({ 0, -32767, U }, { 0, 32767, 0 }, { 0, -1, U });
	)));
	P("%ld", value(0));
	/* as much as fits, there and back */
	set(0, 0);
	P("%s", wst(CHILD(
		OPS({ 0, 32767, U }, { 0, -32767, U }, { 0, 32767, U }, { 0, -32767, U }, { 1, 1, U });
		OPS({ 0, 32767, U });
	)));
	P("%ld %ld", value(0), value(1));
	/* what can't be done leaves nothing to undo */
	P("%s", wst(CHILD(
		OPS({ 0, 5, U }, { 1, -1, N });
		OPS({ 0, 32767, U }, { 0, -32767, 0 }, { 1, -1, N | U });
		OPS({ 0, 7, U }, { 0, 32767, U });
		OPS({ 0, 2, 0 });
	)));
	P("%ld %ld", value(0), value(1));
	/* which of two errors */
	P("%s", wst(CHILD(
		OPS({ 0, 32760, U }, { 0, -32760, 0 });
		OPS({ 0, 100, U }, { 1, -1, N });
		OPS({ 1, -1, N }, { 0, 100, U });
		OPS({ 0, 32767, U }, { 1, -1, N });
		OPS({ 0, -32768, U | N });
	)));
	P("%ld %ld", value(0), value(1));
}

static void
last_pid(void)
{
	pid_t pid;

	id = (int)Q(semget, IPC_PRIVATE, 2, 0600);
	P("%s %s", last(0), last(1));
	OPS({ 0, 0, 0 });
	P("zero: %s %s", last(0), last(1));
	P("%s", wst(CHILD(
		OPS({ 0, 0, N }, { 1, 1, 0 });
		OPS({ 1, 0, N });
	)));
	P("zero and more, in a child: %s %s", last(0), last(1));
	OPS({ 1, 0, N });
	P("not zero: %s %s", last(0), last(1));
	/* a wait for zero */
	pid = START(OPS({ 1, 0, 0 }));
	await_sleep(pid);
	Q(semctl, id, 1, SETVAL, 1);
	P("set: %s", last(1));
	Q(semctl, id, 1, SETVAL, 0);
	P("%s", reap(pid));
	P("waited for zero: %s", last(1));
	Q(semctl, id, 0, IPC_RMID);
}

int
main(void)
{
	id = (int)Q(semget, IPC_PRIVATE, 2, 0600);
	undone();
	Q(semctl, id, 0, IPC_RMID);
	last_pid();
	return 0;
}
