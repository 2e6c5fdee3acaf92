/* The character devices every program expects. */
#include "guest.h"
#include <sys/sysmacros.h>

static void
node(const char *path)
{
	struct stat st;

	if (lstat(path, &st) < 0)
		P("%s: %s", path, err_name(errno));
	else if (S_ISCHR(st.st_mode))
		P("%s: chr %d:%d mode %04o", path, major(st.st_rdev), minor(st.st_rdev), st.st_mode & 0666);
	else
		P("%s: %s", path, type_of(st.st_mode));
}

int
main(void)
{
	char buf[64], *m;
	int fd;
	struct pollfd pf;

	node("/dev/null");
	node("/dev/zero");
	node("/dev/full");
	node("/dev/random");
	node("/dev/urandom");
	node("/dev/tty");
	node("/dev/fd");
	node("/dev/stdin");
	node("/dev/stdout");
	node("/dev/stderr");
	node("/dev/pts");
	node("/dev/shm");
	fd = open("/dev/null", O_RDWR);
	S(read, fd, buf, 64);
	S(write, fd, buf, 64);
	S(write, fd, BAD, 64);
	S(lseek, fd, 100, SEEK_SET);
	S(lseek, fd, 0, SEEK_CUR);
	S(mmap, NULL, 4096, PROT_READ, MAP_PRIVATE, fd, 0);
	S(ftruncate, fd, 0);
	S(ioctl, fd, FIONREAD, buf);
	S(ioctl, fd, 0x5401, buf);
	pf = (struct pollfd){ fd, POLLIN | POLLOUT, 0 };
	S(poll, &pf, 1, 0);
	P("%s", poll_bits(pf.revents));
	OK(open, "/dev/null", O_WRONLY | O_TRUNC | O_CREAT, 0644);
	S(open, "/dev/null", O_CREAT | O_EXCL, 0644);
	S(open, "/dev/null", O_DIRECTORY);
	S(open, "/dev/null/x", O_RDONLY);
	fd = open("/dev/zero", O_RDWR);
	memset(buf, 'x', 64);
	S(read, fd, buf, 64);
	P("%d %d", buf[0], buf[63]);
	S(read, fd, BAD, 64);
	S(write, fd, buf, 64);
	S(pread64, fd, buf, 8, 1000);
	m = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
	P("map %s", m == MAP_FAILED ? err_name(errno) : "ok");
	m[5] = 7;
	P("%d %d", m[5], m[4100]);
	m = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	P("map %s", m == MAP_FAILED ? err_name(errno) : "ok");
	P("shared: %s", wst(CHILD(m[5] = 8)));
	P("%d", m[5]);
	fd = open("/dev/full", O_RDWR);
	S(read, fd, buf, 8);
	S(write, fd, buf, 8);
	S(write, fd, buf, 0);
	S(write, fd, BAD, 8);
	fd = open("/dev/urandom", O_RDWR);
	memset(buf, 0, 64);
	S(read, fd, buf, 64);
	int zeros = 0;
	for (int i = 0; i < 64; i++)
		zeros += buf[i] == 0;
	P("random %s", zeros < 10 ? "looks so" : "no");
	S(write, fd, buf, 8);
	S(read, fd, BAD, 8);
	fd = open("/dev/random", O_RDONLY | O_NONBLOCK);
	S(read, fd, buf, 8);
	fd = open("/dev/fd/1", O_WRONLY);
	P("/dev/fd/1 %s", fd >= 0 ? "ok" : err_name(errno));
	fd = open("/dev/shm/guest-test", O_CREAT | O_RDWR | O_EXCL, 0600);
	P("/dev/shm %s", fd >= 0 ? "ok" : err_name(errno));
	unlink("/dev/shm/guest-test");
	return 0;
}
