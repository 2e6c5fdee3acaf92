/*
 * One instruction that faults at one address again and again, each time for a reason: its file was cut and has grown.
 */
#include "guest.h"

static __attribute__((noinline)) int
load(const volatile char *p)
{
	return *p;
}

int
main(void)
{
	int fd = memfd_create("again", 0), sum = 0, i;
	char *p;

	if (fd < 0 || ftruncate(fd, 4096) != 0)
		die("memfd");
	p = mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0);
	for (i = 0; i < 12000; i++) {
		if (ftruncate(fd, 0) != 0 || ftruncate(fd, 4096) != 0)
			die("ftruncate");
		sum += load(p);
	}
	P("%d loads: %d", i, sum);
	return 0;
}
