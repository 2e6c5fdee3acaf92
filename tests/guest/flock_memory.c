/* Where the struct of a record lock may lie: fcntl(2) for good and bad addresses, again and again from one place. */
#include "guest.h"

#define PAGE	4096UL

static long
call(int fd, unsigned cmd, const void *arg)
{
	return raw6(SYS_fcntl, fd, cmd, (long)arg, 0, 0, 0);
}

static struct flock l = { .l_type = F_RDLCK, .l_whence = SEEK_SET, .l_start = 10, .l_len = 5 };

/* n: how much of the struct has room there; what F_GETLK has left of it is written anew. */
static void
each(const char *what, int fd, void *at, size_t n)
{
	static const unsigned cmds[] = { F_GETLK, F_SETLK, F_SETLKW, 36, 37, 38, F_GETFD, F_SETFD, F_GETFL, 8, 9, 15, 99, 70 };

	for (size_t i = 0; i < N_OF(cmds); i++) {
		long first = 0, r = 0;

		for (int k = 0; k < 40 && r == first; k++) {
			memcpy(at, &l, n);
			r = call(fd, cmds[i], at);
			first = k == 0 ? r : first;
		}
		P("%s, command %u: %s%s", what, cmds[i], cmds[i] == F_GETFL ? "flags" : res(first), r == first ? "" : ", then other");
	}
}

int
main(void)
{
	char *m;
	int fd;

	scratch();
	fd = open("f", O_RDWR | O_CREAT, 0644);
	m = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	munmap(m + PAGE, PAGE);
	each("good", fd, m, sizeof l);
	call(fd, F_GETLK, m);
	P("type %d", ((struct flock *)m)->l_type);
	each("at the end of a page", fd, m + PAGE - sizeof l, sizeof l);
	each("across the end", fd, m + PAGE - 16, 16);
	each("nowhere", fd, m + PAGE, 0);
	each("NULL", fd, NULL, 0);
	each("small", fd, (void *)1, 0);
	each("not canonical", fd, (void *)0x8000000000000000, 0);
	memcpy(m, &l, sizeof l);
	mprotect(m, PAGE, PROT_READ);
	each("read-only", fd, m, 0);
	mprotect(m, PAGE, PROT_NONE);
	each("without access", fd, m, 0);
	/* The command's upper half is nobody's business. */
	l.l_type = F_WRLCK;
	P("command with a high bit: %s", res(raw6(SYS_fcntl, fd, (long)F_SETLK | 1L << 32, (long)&l, 0, 0, 0)));
	return 0;
}
