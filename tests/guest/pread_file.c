/*
 * Reading a file that nobody changes, again and again: the program's own.  What a read gives the thirtieth time is what
 * it gave at first, at the edges as well.
 */
#include "guest.h"

static char buf[1 << 20], first[1 << 20];
static char *map;
static long size;

/* A read as often as it takes for any cache to become warm; how its results differ, if they do. */
static void
again(int fd, const char *what, long off, long len)
{
	long want = off >= size ? 0 : len < size - off ? len : size - off;
	int odd = 0, wrong = 0;

	for (int i = 0; i < 60; i++) {
		long r = Q(pread64, fd, buf, len, off);

		odd += r != want;
		wrong += r > 0 && memcmp(buf, map + off, r) != 0;
		memset(buf, 0x5a, len);
	}
	P("%s: %d of another length, %d wrong", what, odd, wrong);
}

static void *
reader(void *arg)
{
	long fd = (long)arg, bad = 0;
	unsigned long x = 88172645463325252UL + fd;
	char *mine = malloc(70000);

	for (int i = 0; i < 3000; i++) {
		x ^= x << 13, x ^= x >> 7, x ^= x << 17;
		long off = (long)(x % size), len = (x >> 40) % (i % 10 ? 500 : 70000);
		long want = len < size - off ? len : size - off;

		bad += Q(pread64, fd, mine, len, off) != want || memcmp(mine, map + off, want) != 0;
	}
	free(mine);
	return (void *)bad;
}

int
main(void)
{
	struct stat st;
	struct iovec v[3];
	pthread_t t[3];
	int fd = open("/proc/self/exe", O_RDONLY);
	long bad = 0;

	if (fd < 0 || fstat(fd, &st) != 0)
		die("cannot open myself");
	size = st.st_size;
	map = mmap(NULL, size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (map == MAP_FAILED)
		die("cannot map myself");
	again(fd, "one byte", 0, 1);
	again(fd, "no byte", 0, 0);
	again(fd, "the last byte", size - 1, 1);
	again(fd, "the last byte and more", size - 1, 100);
	again(fd, "up to the end", size - 1000, 1000);
	again(fd, "over the end", size - 1000, 5000);
	again(fd, "from the end", size, 10);
	again(fd, "beyond the end", size + 4096, 10);
	again(fd, "odd places", 4095, 8194);
	again(fd, "much", 100, sizeof buf - 100);
	/* Memory that ends in the middle, and that is not there. */
	char *edge = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	munmap(edge + 4096, 4096);
	S(pread64, fd, edge + 4000, 4096, 0);
	P("as far as it goes: %s", memcmp(edge + 4000, map, 96) ? "wrong" : "right");
	S(pread64, fd, BAD, 1, 0);
	S(pread64, fd, map, 1, 0);
	S(pread64, fd, buf, 1, -1L);
	S(pread64, fd, buf, LONG_MAX, 0);
	v[0] = (struct iovec){ buf, 10 };
	v[1] = (struct iovec){ NULL, 0 };
	v[2] = (struct iovec){ buf + 5000, 3000 };
	S(preadv, fd, v, 3, 77);
	P("in pieces: %s", memcmp(buf, map + 77, 10) || memcmp(buf + 5000, map + 87, 3000) ? "wrong" : "right");
	/* In a row. */
	for (int round = 0; round < 3; round++) {
		long sum = 0, r;

		lseek(fd, 0, SEEK_SET);
		while ((r = Q(read, fd, first, 1000)) > 0) {
			bad += memcmp(first, map + sum, r) != 0;
			sum += r;
		}
		P("the whole: %s, %ld", sum == size ? "its size" : "another size", r);
	}
	for (long i = 0; i < 3; i++)
		pthread_create(&t[i], NULL, reader, (void *)(long)open("/proc/self/exe", O_RDONLY));
	for (int i = 0; i < 3; i++) {
		void *n;

		pthread_join(t[i], &n);
		bad += (long)n;
	}
	P("wrong: %ld", bad);
	return 0;
}
