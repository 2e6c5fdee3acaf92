/* pipes: capacity, atomicity, ends, signals. */
#include "guest.h"

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
	return 0;
}
