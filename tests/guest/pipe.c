/* pipes: capacity, atomicity, ends, signals. */
#include "guest.h"

/* A pipe's data goes page by page: one that cannot be copied whole does not go at all. */
static void
bad_memory(void)
{
	static char all[70000];
	char *edge = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), *end = edge + 4096;
	struct iovec three[] = { { all, 50 }, { end - 50, 100 }, { all, 50 } };
	struct iovec page[] = { { all, 4096 }, { end - 50, 100 }, { all, 50 } };
	int p[2];

	munmap(end, 4096);
	pipe2(p, O_NONBLOCK);
	S(write, p[1], end - 100, 200);
	S(writev, p[1], three, 3);
	S(write, p[1], end - 100, 5000);
	S(read, p[0], all, sizeof all);
	S(write, p[1], edge, 5000);
	S(read, p[0], all, sizeof all);
	S(writev, p[1], page, 3);
	S(read, p[0], all, sizeof all);
	write(p[1], all, 200);
	S(read, p[0], end - 100, 200);
	S(readv, p[0], three, 3);
	S(read, p[0], end - 100, 100);
	S(read, p[0], all, sizeof all);
	write(p[1], all, 5000);
	S(read, p[0], end - 100, 5000);
	S(read, p[0], edge, 5000);
	S(read, p[0], all, sizeof all);
	/* what makes the rest a number of pages goes first, to the page in use */
	write(p[1], all, 100);
	S(write, p[1], edge, 5000);
	S(read, p[0], all, sizeof all);
	write(p[1], all, 100);
	S(writev, p[1], page, 3);
	S(read, p[0], all, sizeof all);
	write(p[1], all, 65536 - 4096);
	S(write, p[1], edge, 4097);
	S(read, p[0], all, sizeof all);
	close(p[0]);
	close(p[1]);
	/* packets are whole or not at all */
	pipe2(p, O_NONBLOCK | O_DIRECT);
	write(p[1], all, 100);
	write(p[1], all, 60);
	S(read, p[0], end - 50, 200);
	S(read, p[0], end - 100, 200);
	S(write, p[1], end - 50, 60);
	S(write, p[1], end - 200, 4196);
	S(read, p[0], all, sizeof all);
	S(read, p[0], all, sizeof all);
	close(p[0]);
	close(p[1]);
	/* and one that waits goes on with what is left */
	pipe(p);
	write(p[1], all, 65536 - 4096);
	pid_t pid = START(S(write, p[1], edge, 4097));
	UNTIL(Q(ioctl, p[0], FIONREAD, all) == 0 && *(int *)all == 65536);
	read(p[0], all, 65536);
	P("%s", reap(pid));
}

int
main(void)
{
	static char big[200000];
	char buf[16];
	int p[2], n, st;
	pid_t pid;

	S(pipe2, p, 0x8000000);
	S(pipe2, BAD, 0);
	S(pipe2, p, O_CLOEXEC | O_NONBLOCK);
	S(fcntl, p[0], F_GETFD);
	S(read, p[0], buf, 1);
	S(read, p[0], BAD, 1);
	S(read, p[0], buf, 0);
	S(ioctl, p[0], FIONREAD, &n);
	P("%d", n);
	S(write, p[1], "hello", 5);
	S(ioctl, p[0], FIONREAD, &n);
	P("%d", n);
	S(read, p[0], buf, 3);
	S(read, p[0], buf, 16);
	P("%s", txt(buf, 2));
	S(write, p[1], big, sizeof big);
	S(write, p[1], big, 1);
	S(ioctl, p[1], FIONREAD, &n);
	P("%d", n);
	/* one byte is not room for another byte: writes up to PIPE_BUF are all or nothing */
	S(read, p[0], big, 100);
	S(write, p[1], big, 200);
	S(write, p[1], big, 5000);
	S(read, p[0], big, 4000);
	S(write, p[1], big, 200);
	S(write, p[1], big, 4096);
	while (read(p[0], big, sizeof big) > 0)
		;
	/* small writes fill a page each only when they do not fit into the last */
	for (n = 0; write(p[1], "x", 1) == 1; n++)
		;
	P("single bytes until full: %d", n);
	while (read(p[0], big, sizeof big) > 0)
		;
	P("capacity %s", res(fcntl(p[1], F_SETPIPE_SZ, 4096)));
	S(write, p[1], big, 5000);
	S(fcntl, p[1], F_SETPIPE_SZ, 1);
	S(fcntl, p[1], F_SETPIPE_SZ, 65536);
	S(write, p[1], big, 5000);
	S(fcntl, p[1], F_SETPIPE_SZ, 4096);
	close(p[1]);
	S(read, p[0], big, sizeof big);
	S(read, p[0], big, 1);
	struct pollfd pf = { p[0], POLLIN | POLLOUT, 0 };
	S(poll, &pf, 1, 0);
	P("%s", poll_bits(pf.revents));
	close(p[0]);
	/* no reader */
	pipe(p);
	close(p[0]);
	P("SIGPIPE: %s", wst(CHILD(write(p[1], "x", 1))));
	set_sig(SIGPIPE, SIG_IGN);
	S(write, p[1], "x", 1);
	S(write, p[1], "x", 0);
	S(write, p[1], BAD, 1);
	catch_sig(SIGPIPE, 0);
	S(write, p[1], "x", 1);
	P("handled %d code %s", got[SIGPIPE], si_code_name(SIGPIPE, got_info.si_code));
	pf = (struct pollfd){ p[1], POLLOUT, 0 };
	S(poll, &pf, 1, 0);
	P("%s", poll_bits(pf.revents));
	close(p[1]);
	/* a reader leaves in the middle of a large write */
	pipe(p);
	set_sig(SIGPIPE, SIG_IGN);
	pid = START(close(p[1]); read(p[0], big, 1000); nap(20));
	close(p[0]);
	S(write, p[1], big, sizeof big);
	S(write, p[1], big, 1);
	P("%s", reap(pid));
	close(p[1]);
	/* a large write passes through in pieces, in order */
	pipe(p);
	for (size_t i = 0; i < sizeof big; i++)
		big[i] = i * 7;
	pid = START(
		close(p[1]);
		long at = 0, r, wrong = 0;
		while ((r = read(p[0], big, 3333)) > 0) {
			for (long i = 0; i < r; i++)
				wrong += big[i] != (char)((at + i) * 7);
			at += r;
		}
		P("child read %ld, wrong %ld", at, wrong);
	);
	S(write, p[1], big, sizeof big);
	close(p[1]);
	close(p[0]);
	waitpid(pid, &st, 0);
	P("%s", wst(st));
	/* an interrupted write of more than fits tells how much went */
	pipe(p);
	catch_sig(SIGALRM, 0);
	ualarm(20000, 0);
	S(write, p[1], big, sizeof big);
	ualarm(20000, 0);
	S(write, p[1], big, 1);
	close(p[1]);
	S(write, p[0], "x", 1);
	/* packets */
	P("O_DIRECT %s", res(Q(pipe2, p, O_DIRECT)));
	write(p[1], "one", 3);
	write(p[1], "three", 5);
	S(read, p[0], buf, 2);
	S(read, p[0], buf, 16);
	bad_memory();
	return 0;
}
