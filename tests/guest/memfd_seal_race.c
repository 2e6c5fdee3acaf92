/* F_SEAL_WRITE while others map for writing: one of the two is refused, always. */
#include "guest.h"
#include <stdatomic.h>

#define ROUNDS	3000

static _Atomic int turn, sealed_fd;
static _Atomic long result;

static void *
mapper(void *arg)
{
	for (int i = 1; i <= ROUNDS; i++) {
		char *m;

		while (atomic_load(&turn) != i)
			sched_yield();
		for (int k = 0; k < i % 40; k++)
			atomic_load(&result);
		m = (void *)Q(mmap, NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, atomic_load(&sealed_fd), 0);
		atomic_store(&result, (long)m);
		atomic_store(&turn, -i);
	}
	return arg;
}

int
main(void)
{
	pthread_t th;
	int both = 0, odd = 0;

	pthread_create(&th, NULL, mapper, NULL);
	for (int i = 1; i <= ROUNDS; i++) {
		int fd = memfd_create("seal", MFD_ALLOW_SEALING);
		long r, m;

		if (fd < 0 || ftruncate(fd, 4096))
			die("memfd");
		atomic_store(&sealed_fd, fd);
		atomic_store(&turn, i);
		for (int k = 0; k < i % 37; k++)
			atomic_load(&result);
		r = Q(fcntl, fd, F_ADD_SEALS, F_SEAL_WRITE);
		while (atomic_load(&turn) != -i)
			sched_yield();
		m = atomic_load(&result);
		both += r == 0 && m > 0;
		odd += (r != 0 && r != -EBUSY) || (m < 0 && m != -EPERM);
		if (m > 0)
			munmap((void *)m, 4096);
		close(fd);
	}
	pthread_join(th, NULL);
	P("both %d, odd %d", both, odd);
	return 0;
}
