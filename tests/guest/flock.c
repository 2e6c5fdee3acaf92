/* flock(2), and POSIX and OFD locks of fcntl(2). */
#include "guest.h"

static const char *
lock(int fd, int cmd, int type, long start, long len)
{
	struct flock l = { .l_type = type, .l_whence = SEEK_SET, .l_start = start, .l_len = len };

	return res(Q(fcntl, fd, cmd, &l));
}

static void
get(int fd, int cmd, int type, long start, long len)
{
	struct flock l = { .l_type = type, .l_whence = SEEK_SET, .l_start = start, .l_len = len };
	long r = Q(fcntl, fd, cmd, &l);

	P("getlk %ld+%ld: %s, %s %ld+%ld pid %s", start, len, res(r), l.l_type == F_UNLCK ? "unlocked" :
	    l.l_type == F_RDLCK ? "read" : "write", (long)l.l_start, (long)l.l_len,
	    l.l_pid == getppid() ? "parent" : l.l_pid == -1 ? "-1" : l.l_pid == 0 ? "0" : "other");
}

int
main(void)
{
	int a, b, fd, ro;

	scratch();
	put("f", "0123456789");
	a = open("f", O_RDWR);
	b = open("f", O_RDWR);
	ro = open("f", O_RDONLY);
	S(flock, -1, LOCK_EX);
	S(flock, a, 0);
	S(flock, a, LOCK_SH | LOCK_EX);
	S(flock, a, LOCK_EX);
	S(flock, b, LOCK_SH | LOCK_NB);
	S(flock, a, LOCK_SH);
	S(flock, b, LOCK_SH | LOCK_NB);
	S(flock, a, LOCK_EX | LOCK_NB);
	S(flock, b, LOCK_UN);
	S(flock, a, LOCK_EX | LOCK_NB);
	fd = dup(a);
	close(a);
	S(flock, b, LOCK_EX | LOCK_NB);
	close(fd);
	S(flock, b, LOCK_EX | LOCK_NB);
	pid_t pid = START(
		int c = open("f", O_RDWR);
		P("child waits: %s", res(Q(flock, c, LOCK_EX)));
	);
	await_sleep(pid);
	P("parent unlocks");
	flock(b, LOCK_UN);
	P("%s", reap(pid));

	P("set %s", lock(b, F_SETLK, F_WRLCK, 0, 4));
	P("read lock, read-only: %s", lock(ro, F_SETLK, F_RDLCK, 6, 2));
	P("write lock, read-only: %s", lock(ro, F_SETLK, F_WRLCK, 8, 1));
	P("own process: %s", lock(ro, F_SETLK, F_RDLCK, 1, 1));
	P("bad type: %s", lock(b, F_SETLK, 7, 0, 1));
	P("negative: %s", lock(b, F_SETLK, F_RDLCK, -1, 1));
	P("negative length: %s", lock(b, F_SETLK, F_RDLCK, 10, -2));
	P("child: %s", wst(CHILD(
		int c = open("f", O_RDWR);
		get(c, F_GETLK, F_WRLCK, 0, 0);
		get(c, F_GETLK, F_RDLCK, 6, 1);
		get(c, F_GETLK, F_WRLCK, 6, 1);
		get(c, F_GETLK, F_WRLCK, 4, 2);
		P("try %s", lock(c, F_SETLK, F_WRLCK, 0, 1));
		P("inherited descriptor %s", lock(b, F_SETLK, F_WRLCK, 0, 1));
		P("free part %s", lock(c, F_SETLK, F_WRLCK, 4, 1));
	)));
	/* of several locks in the way the lowest is named, whatever came first */
	lock(b, F_SETLK, F_WRLCK, 300, 5);
	lock(b, F_SETLK, F_RDLCK, 100, 5);
	lock(b, F_SETLK, F_WRLCK, 200, 5);
	P("child: %s", wst(CHILD(get(b, F_GETLK, F_WRLCK, 100, 300); get(b, F_GETLK, F_RDLCK, 100, 300))));
	lock(b, F_SETLK, F_UNLCK, 100, 300);
	P("unlock the middle: %s", lock(b, F_SETLK, F_UNLCK, 1, 1));
	P("child: %s", wst(CHILD(get(b, F_GETLK, F_WRLCK, 0, 4); get(b, F_GETLK, F_WRLCK, 1, 3))));
	/* closing any descriptor of the file drops all of the process's locks */
	close(open("f", O_RDONLY));
	P("child: %s", wst(CHILD(get(b, F_GETLK, F_WRLCK, 0, 0))));
	/* a wait that a signal ends, a wait that the owner's end ends */
	lock(b, F_SETLK, F_WRLCK, 0, 1);
	P("interrupted: %s", wst(CHILD(
		catch_sig(SIGALRM, 0);
		ualarm(30000, 0);
		P("%s", lock(b, F_SETLKW, F_WRLCK, 0, 1));
	)));
	pid = START(
		P("child gets it: %s", lock(b, F_SETLKW, F_WRLCK, 0, 1));
	);
	await_sleep(pid);
	P("parent unlocks");
	lock(b, F_SETLK, F_UNLCK, 0, 0);
	P("%s", reap(pid));
	/* a deadlock is refused */
	lock(b, F_SETLK, F_WRLCK, 0, 1);
	int go[2];
	pipe(go);
	pid = START(
		lock(b, F_SETLK, F_WRLCK, 1, 1);
		write(go[1], "x", 1);
		P("child waits for 0: %s", lock(b, F_SETLKW, F_WRLCK, 0, 1));
	);
	char c;
	read(go[0], &c, 1);
	await_sleep(pid);
	P("parent waits for 1: %s", lock(b, F_SETLKW, F_WRLCK, 1, 1));
	lock(b, F_SETLK, F_UNLCK, 0, 0);
	P("%s", reap(pid));
	/* locks of open files */
	a = open("f", O_RDWR);
	P("ofd %s", lock(a, F_OFD_SETLK, F_WRLCK, 0, 2));
	P("ofd other %s", lock(b, F_OFD_SETLK, F_WRLCK, 1, 1));
	P("posix too %s", lock(b, F_SETLK, F_WRLCK, 1, 1));
	get(b, F_OFD_GETLK, F_WRLCK, 0, 5);
	close(a);
	P("gone with its file %s", lock(b, F_OFD_SETLK, F_WRLCK, 1, 1));
	struct flock l = { .l_type = F_WRLCK, .l_whence = SEEK_END, .l_start = -2, .l_len = 1, .l_pid = 1 };
	S(fcntl, b, F_OFD_SETLK, &l);
	l.l_pid = 0;
	S(fcntl, b, F_SETLK, &l);
	P("child: %s", wst(CHILD(get(b, F_GETLK, F_WRLCK, 0, 0))));
	return 0;
}
