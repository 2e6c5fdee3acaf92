/* A terminal's number is given away again: what others still have of the old one does not lead to the new. */
#include "guest.h"
#include <sys/prctl.h>

#define FIRST	54321
#define SECOND	54322

static void
become(unsigned id)
{
	if (setgroups(0, NULL) != 0 || setresgid(id, id, id) != 0 || setresuid(id, id, id) != 0)
		skip("cannot become somebody else");
	/* For /proc/self/fd. */
	prctl(PR_SET_DUMPABLE, 1);
}

static int
master(char *name)
{
	int m = open("/dev/ptmx", O_RDWR | O_NOCTTY);

	if (m < 0 || unlockpt(m) != 0 || ptsname_r(m, name, 32) != 0)
		skip("no terminals");
	return m;
}

static const char *
again(int fd, int flags)
{
	char name[32];
	int got;

	snprintf(name, sizeof name, "/proc/self/fd/%d", fd);
	got = open(name, flags | O_NOCTTY);
	return got < 0 ? err_name(errno) : "opened";
}

int
main(void)
{
	char old[32], new[32];
	int there[2], back[2], m, path, path2, s;
	struct stat st;
	pid_t pid;
	char c;

	if (geteuid() != 0)
		skip("needs to become somebody else");
	pipe(there);
	pipe(back);
	pid = START(
		become(FIRST);
		m = master(old);
		path = open(old, O_PATH);
		P("%s", again(path, O_RDWR));
		close(m);
		P("gone: %s", again(path, O_RDWR));
		m = master(old);
		path2 = open(old, O_PATH);
		s = open(old, O_RDWR | O_NOCTTY);
		close(m);
		write(there[1], "x", 1);
		read(back[0], new, sizeof new);
		P("by the old place: %s", again(path, O_RDWR));
		P("by the other: %s", again(path2, O_RDWR));
		P("by the old file: %s", again(s, O_RDWR));
		S(fchmod, s, 0666);
		P("by name: %s", open(new, O_RDWR | O_NOCTTY) < 0 ? err_name(errno) : "opened");
		write(there[1], "x", 1);
		read(back[0], &c, 1);
		P("given away: %s", again(open(new, O_PATH), O_RDWR));
		P("by name: %s", open(new, O_RDWR | O_NOCTTY) < 0 ? err_name(errno) : "opened");
	);
	read(there[0], &c, 1);
	if (setresgid(SECOND, SECOND, 0) != 0 || setresuid(SECOND, SECOND, 0) != 0)
		die("setresuid");
	m = master(new);
	write(back[1], new, sizeof new);
	read(there[0], &c, 1);
	stat(new, &st);
	P("owner's: %d, mode %03o", st.st_uid == SECOND, st.st_mode & 0707);
	write(back[1], "x", 1);
	P("%s", reap(pid));
	setresuid(0, 0, 0);
	/* what was opened as a place before it was given away: the new owner decides */
	pid = START(
		become(FIRST);
		s = open(new, O_PATH);
		P("place %s: %s", ok(s), again(s, O_RDWR));
		write(there[1], "x", 1);
		read(back[0], &c, 1);
		P("now its own: %s", again(s, O_RDWR));
		write(there[1], "x", 1);
		read(back[0], &c, 1);
		P("no more: %s", again(s, O_RDWR));
	);
	read(there[0], &c, 1);
	chown(new, FIRST, FIRST);
	write(back[1], "x", 1);
	read(there[0], &c, 1);
	chown(new, SECOND, SECOND);
	write(back[1], "x", 1);
	P("%s", reap(pid));
	return 0;
}
