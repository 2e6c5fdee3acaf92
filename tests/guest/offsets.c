/* Transfers at the largest offsets there are, by all calls that take one. */
#include "guest.h"

int
main(void)
{
	int z = open("/dev/zero", O_RDONLY), n = open("/dev/null", O_WRONLY), f, g, p[2];
	loff_t most = INT64_MAX, near = INT64_MAX - 10, zero = 0;
	char buf[64] = "0123456789";
	struct iovec iov[2] = { { buf, 4 }, { buf, 8 } };

	f = memfd_create("f", 0);
	g = memfd_create("g", 0);
	write(f, "hello", 5);
	pipe2(p, O_NONBLOCK);
	S(pread64, z, buf, 8, INT64_MAX);
	S(pread64, z, buf, 8, INT64_MAX - 8);
	S(pwrite64, n, buf, 8, INT64_MAX);
	S(pwrite64, n, buf, 8, INT64_MAX - 8);
	S(pread64, f, buf, 8, INT64_MAX);
	S(pread64, f, buf, 8, INT64_MAX - 8);
	S(pread64, f, buf, 0, INT64_MAX);
	S(pwrite64, f, buf, 8, INT64_MAX);
	S(pwrite64, f, buf, 8, INT64_MAX - 4);
	S(preadv, f, iov, 2, INT64_MAX - 11, 0);
	S(pwritev, f, iov, 2, INT64_MAX - 11, 0);
	S(lseek, f, INT64_MAX - 3, SEEK_SET);
	S(read, f, buf, 8);
	S(write, f, buf, 8);
	S(lseek, f, 0, SEEK_CUR);
	S(sendfile, n, z, &most, 100);
	S(sendfile, n, z, &near, 100);
	S(sendfile, g, f, &near, 100);
	S(splice, z, &near, p[1], NULL, 100, 0);
	S(splice, f, &near, p[1], NULL, 100, 0);
	write(p[1], buf, 30);
	S(splice, p[0], NULL, n, &near, 20, 0);
	S(splice, p[0], NULL, g, &near, 20, 0);
	S(copy_file_range, f, &near, g, &zero, 20, 0);
	S(copy_file_range, f, &zero, g, &near, 20, 0);
	P("%d %d %d", most == INT64_MAX, near == INT64_MAX - 10, zero == 0);
	return 0;
}
