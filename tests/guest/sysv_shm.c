/* System V shared memory. */
#include "guest.h"
#include <sys/ipc.h>
#include <sys/shm.h>

/* A look for an attachment passes files that are mapped, and keeps none of them: who has locked one by flock lets go. */
static void
files_go(void)
{
	char path[] = "/tmp/shmXXXXXX";
	int fd = mkstemp(path), again;
	void *p = mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0);

	if (p == MAP_FAILED)
		die("mmap");
	T(flock(fd, LOCK_EX));
	P("no segment there: %s", res(lib(shmdt((void *)0x10000))));
	munmap(p, 4096);
	close(fd);
	again = open(path, O_RDWR);
	T(flock(again, LOCK_EX | LOCK_NB));
	unlink(path);
}

static void
attach(int mode, int flags)
{
	int id = Q(shmget, IPC_PRIVATE, 4096, mode);
	long r;

	if (id < 0)
		die("shmget");
	P("mode %04o, flags%s%s: %s", mode, flags & SHM_RDONLY ? " SHM_RDONLY" : "", flags & SHM_EXEC ? " SHM_EXEC" : "",
	    ok(r = lib((long)shmat(id, NULL, flags))));
	if (r >= 0) {
		P("mprotect: %s %s", res(lib(mprotect((void *)r, 4096, PROT_READ | PROT_EXEC))),
		    res(lib(mprotect((void *)r, 4096, PROT_READ | PROT_WRITE))));
		shmdt((void *)r);
	}
	Q(shmctl, id, IPC_RMID, NULL);
}

/* What is to be executed needs the permission. */
static void
executable(void)
{
	setgid(600);
	setuid(600);
	for (int exec = 0; exec < 2; exec++) {
		for (int ro = 0; ro < 2; ro++) {
			int flags = (exec ? SHM_EXEC : 0) | (ro ? SHM_RDONLY : 0);

			attach(0600, flags);
			attach(0700, flags);
			attach(0500, flags);
			attach(0300, flags);
			attach(0077, flags);
		}
	}
}

int
main(void)
{
	struct shmid_ds ds;
	key_t key = 0x5e0000 + (getpid() & 0xffff);
	int id;
	char *a, *b;

	S(shmget, IPC_PRIVATE, 0, 0600);
	P("missing %s", res(Q(shmget, key, 4096, 0)));
	id = Q(shmget, key, 5000, IPC_CREAT | 0640);
	P("create %s", ok(id));
	P("again %s", Q(shmget, key, 5000, IPC_CREAT | 0640) == id ? "same" : "?");
	P("exclusive %s", res(Q(shmget, key, 5000, IPC_CREAT | IPC_EXCL | 0640)));
	P("larger %s", res(Q(shmget, key, 9000, 0)));
	P("smaller %s", Q(shmget, key, 10, 0) == id ? "same" : "?");
	P("stat %s", res(Q(shmctl, id, IPC_STAT, &ds)));
	P("size %zu attached %lu mode %04o creator %s", ds.shm_segsz, (unsigned long)ds.shm_nattch, ds.shm_perm.mode & 0777,
	    ds.shm_cpid == getpid() ? "self" : "?");
	a = shmat(id, NULL, 0);
	P("attach %s, zero %d", a == (void *)-1 ? err_name(errno) : "ok", a[0]);
	strcpy(a, "shared");
	b = shmat(id, NULL, SHM_RDONLY);
	P("second view %s", b);
	P("read only: %s", wst(CHILD(b[0] = 'x')));
	P("child: %s", wst(CHILD(strcpy(a, "by the child"))));
	P("%s", b);
	shmctl(id, IPC_STAT, &ds);
	P("attached %lu last %s", (unsigned long)ds.shm_nattch, ds.shm_lpid ? "set" : "0");
	P("by key in a child: %s", wst(CHILD(char *c = shmat(shmget(key, 0, 0), NULL, 0); P("%s", c); c[0] = 'B'; shmdt(c))));
	P("%s", a);
	T(shmdt(a + 4096));
	T(shmdt(b));
	T(shmdt(b));
	P("bad id %s", res(lib((long)shmat(0x7fffff, NULL, 0))));
	P("odd address %s", res(lib((long)shmat(id, (void *)0x10001, 0))));
	P("remove %s", res(Q(shmctl, id, IPC_RMID, NULL)));
	P("still attached: %s", a);
	P("stat %s", res(Q(shmctl, id, IPC_STAT, &ds)));
	P("marked %s", ds.shm_perm.mode & 01000 ? "yes" : "no");
	P("key is free %s", res(Q(shmget, key, 4096, 0)));
	T(shmdt(a));
	P("gone %s", res(Q(shmctl, id, IPC_STAT, &ds)));
	P("bad command %s", res(Q(shmctl, id, 999, &ds)));
	/* permission */
	id = Q(shmget, IPC_PRIVATE, 4096, 0600);
	P("another: %s", wst(CHILD(
		setgid(600);
		setuid(600);
		P("attach %s", res(lib((long)shmat(id, NULL, 0))));
		P("stat %s", res(Q(shmctl, id, IPC_STAT, &ds)));
		P("remove %s", res(Q(shmctl, id, IPC_RMID, NULL)));
	)));
	Q(shmctl, id, IPC_RMID, NULL);
	P("%s", wst(CHILD(executable())));
	files_go();
	return 0;
}
