/* Named pipes: opening waits for the other side. */
#include "guest.h"

int
main(void)
{
	char buf[16];
	int r, w;

	scratch();
	mkfifo("p", 0644);
	S(open, "p", O_WRONLY | O_NONBLOCK);
	r = open("p", O_RDONLY | O_NONBLOCK);
	S(read, r, buf, 16);
	w = open("p", O_WRONLY | O_NONBLOCK);
	S(read, r, buf, 16);
	S(write, w, "abc", 3);
	S(read, r, buf, 16);
	close(w);
	S(read, r, buf, 16);
	struct pollfd pf = { r, POLLIN | POLLOUT, 0 };
	S(poll, &pf, 1, 0);
	P("%s", poll_bits(pf.revents));
	close(r);
	/* a reader that waits for a writer */
	pid_t pid = START(
		int fd = open("p", O_RDONLY);
		char b[16];
		long n = read(fd, b, 16);
		P("reader got %s", txt(b, n));
		n = read(fd, b, 16);
		P("then %s", res(n));
	);
	await_sleep(pid);
	w = open("p", O_WRONLY);
	write(w, "hello", 5);
	nap(20);
	close(w);
	P("%s", reap(pid));
	/* an open that is interrupted */
	P("interrupted: %s", wst(CHILD(
		catch_sig(SIGALRM, 0);
		ualarm(30000, 0);
		S(open, "p", O_RDONLY);
		S(open, "none", O_RDONLY);
	)));
	r = open("p", O_RDWR);
	S(write, r, "both", 4);
	S(read, r, buf, 16);
	fcntl(r, F_SETFL, O_NONBLOCK);
	S(read, r, buf, 16);
	unlink("p");
	S(write, r, "x", 1);
	S(lseek, r, 0, SEEK_SET);
	/* contents do not outlive the last descriptor */
	mkfifo("q", 0644);
	r = open("q", O_RDWR | O_NONBLOCK);
	write(r, "lost", 4);
	close(r);
	r = open("q", O_RDWR | O_NONBLOCK);
	S(read, r, buf, 16);
	return 0;
}
