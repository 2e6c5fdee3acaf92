/* memfd_create(2) and seals. */
#include "guest.h"

static const struct g_bit tab[] = {
	BIT(F_SEAL_SEAL), BIT(F_SEAL_SHRINK), BIT(F_SEAL_GROW), BIT(F_SEAL_WRITE), BIT(F_SEAL_FUTURE_WRITE),
	{ 0x20, "F_SEAL_EXEC" },
};

int
main(void)
{
	char name[300], link[64] = "", buf[16];
	struct stat st;
	int fd, ro;
	char *m;

	memset(name, 'n', sizeof name);
	name[250] = 0;
	S(memfd_create, name, 0);
	name[249] = 0;
	OK(memfd_create, name, 0);
	S(memfd_create, BAD, 0);
	S(memfd_create, "x", 0x8000);
	S(memfd_create, BAD, 0x8000);
	fd = memfd_create("some", MFD_CLOEXEC);
	S(fcntl, fd, F_GETFD);
	P("%s", BITS(fcntl(fd, F_GET_SEALS), tab));
	S(fcntl, fd, F_ADD_SEALS, F_SEAL_GROW);
	fstat(fd, &st);
	P("%s %04o nlink %d size %ld", type_of(st.st_mode), st.st_mode & 07777, (int)st.st_nlink, (long)st.st_size);
	snprintf(name, sizeof name, "/proc/self/fd/%d", fd);
	ssize_t n = readlink(name, link, sizeof link - 1);
	P("%s", n > 0 ? link : "?");
	fd = memfd_create("seal", MFD_ALLOW_SEALING);
	P("%s", BITS(fcntl(fd, F_GET_SEALS), tab));
	ftruncate(fd, 8192);
	S(write, fd, "0123456789", 10);
	S(lseek, fd, 0, SEEK_END);
	S(fcntl, fd, F_ADD_SEALS, 0x100);
	S(fcntl, fd, F_ADD_SEALS, F_SEAL_GROW);
	S(ftruncate, fd, 16384);
	S(pwrite64, fd, "x", 1, 8192);
	S(pwrite64, fd, "xy", 2, 8191);
	S(ftruncate, fd, 4096);
	S(fcntl, fd, F_ADD_SEALS, F_SEAL_SHRINK);
	S(ftruncate, fd, 100);
	S(ftruncate, fd, 4096);
	S(fallocate, fd, 0, 0, 8192);
	snprintf(name, sizeof name, "/proc/self/fd/%d", fd);
	ro = open(name, O_RDONLY);
	S(fcntl, ro, F_ADD_SEALS, F_SEAL_WRITE);
	P("%s", BITS(fcntl(ro, F_GET_SEALS), tab));
	m = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	S(fcntl, fd, F_ADD_SEALS, F_SEAL_WRITE);
	S(fcntl, fd, F_ADD_SEALS, F_SEAL_FUTURE_WRITE);
	m[0] = 'm';
	S(pwrite64, fd, "x", 1, 0);
	S(mmap, NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	munmap(m, 4096);
	S(fcntl, fd, F_ADD_SEALS, F_SEAL_WRITE);
	S(pwrite64, fd, "x", 1, 0);
	S(fallocate, fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 4096);
	OK(mmap, NULL, 4096, PROT_READ, MAP_SHARED, fd, 0);
	OK(mmap, NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
	S(pread64, fd, buf, 4, 0);
	P("%s", txt(buf, 4));
	S(fcntl, fd, F_ADD_SEALS, F_SEAL_SEAL);
	S(fcntl, fd, F_ADD_SEALS, F_SEAL_SEAL);
	P("%s", BITS(fcntl(fd, F_GET_SEALS), tab));
	/* shared between processes by inheritance */
	fd = memfd_create("shared", 0);
	ftruncate(fd, 4096);
	m = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	P("child: %s", wst(CHILD(
		char *c = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
		strcpy(c, "from the child");
	)));
	P("%s", m);
	pread(fd, buf, 4, 0);
	P("%s", txt(buf, 4));
	ftruncate(fd, 0);
	ftruncate(fd, 4096);
	P("cut and grown: %d", m[0]);
	return 0;
}
