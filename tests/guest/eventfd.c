/* eventfd(2). */
#include "guest.h"

int
main(void)
{
	uint64_t v = 0;
	int fd, sem;
	pid_t pid;
	struct pollfd pf;
	char small[4];

	S(eventfd2, 0, 0x100);
	S(eventfd2, 0, 0x80000000);
	OK(eventfd, 5);
	fd = eventfd(3, EFD_NONBLOCK | EFD_CLOEXEC);
	S(fcntl, fd, F_GETFD);
	S(read, fd, small, 4);
	S(read, fd, BAD, 8);
	S(read, fd, &v, 8);
	P("value %lu", v);
	S(read, fd, &v, 8);
	S(write, fd, small, 4);
	S(write, fd, BAD, 8);
	v = ~0UL;
	S(write, fd, &v, 8);
	v = 0;
	S(write, fd, &v, 8);
	pf = (struct pollfd){ fd, POLLIN | POLLOUT, 0 };
	S(poll, &pf, 1, 0);
	P("%s", poll_bits(pf.revents));
	v = ~1UL;
	S(write, fd, &v, 8);
	pf = (struct pollfd){ fd, POLLIN | POLLOUT, 0 };
	S(poll, &pf, 1, 0);
	P("%s", poll_bits(pf.revents));
	v = 1;
	S(write, fd, &v, 8);
	S(read, fd, &v, 8);
	P("value %#lx", v);
	char sixteen[16];
	v = 9;
	write(fd, &v, 8);
	S(read, fd, sixteen, 16);
	S(lseek, fd, 0, SEEK_SET);
	S(pread64, fd, &v, 8, 0);
	S(ftruncate, fd, 0);
	S(mmap, NULL, 4096, PROT_READ, MAP_SHARED, fd, 0);
	S(fsync, fd);
	sem = eventfd(2, EFD_SEMAPHORE | EFD_NONBLOCK);
	S(read, sem, &v, 8);
	P("value %lu", v);
	S(read, sem, &v, 8);
	S(read, sem, &v, 8);
	/* blocking, both ways, across processes */
	fd = eventfd(0, 0);
	pid = START(uint64_t x; P("child read %s", res(read(fd, &x, 8))); P("child value %lu", x));
	await_sleep(pid);
	v = 4;
	write(fd, &v, 8);
	P("%s", reap(pid));
	v = ~1UL;
	write(fd, &v, 8);
	pid = START(uint64_t x = 2; P("child wrote %s", res(write(fd, &x, 8))));
	await_sleep(pid);
	P("parent reads");
	read(fd, &v, 8);
	P("%s", reap(pid));
	read(fd, &v, 8);
	P("value %lu", v);
	return 0;
}
