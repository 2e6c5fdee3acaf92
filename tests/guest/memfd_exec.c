/* F_SEAL_EXEC: whether a memfd may be executed, for good. */
#include "guest.h"

#define MFD_NOEXEC_SEAL_	8U

int
main(void)
{
	int fd = memfd_create("new", MFD_NOEXEC_SEAL_);
	char *m;

	if (fd < 0)
		skip("a kernel without F_SEAL_EXEC");
	close(fd);
	fd = memfd_create("exec", MFD_ALLOW_SEALING);
	S(ftruncate, fd, 4096);
	m = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	S(fcntl, fd, F_ADD_SEALS, 0x20);
	munmap(m, 4096);
	S(fcntl, fd, F_ADD_SEALS, 0x20);
	P("%#lx", Q(fcntl, fd, F_GET_SEALS));
	S(fchmod, fd, 0666);
	S(fchmod, fd, 0711);
	S(write, fd, "x", 1);
	S(ftruncate, fd, 0);
	close(fd);
	fd = memfd_create("exec", MFD_ALLOW_SEALING);
	S(fchmod, fd, 0666);
	S(fcntl, fd, F_ADD_SEALS, 0x20);
	P("%#lx", Q(fcntl, fd, F_GET_SEALS));
	S(fchmod, fd, 0766);
	S(fchmod, fd, 0600);
	S(write, fd, "x", 1);
	close(fd);
	fd = open("/dev/null", O_RDONLY);
	S(fcntl, fd, F_ADD_SEALS, 1);
	S(fcntl, fd, F_GET_SEALS);
	close(fd);
	return 0;
}
