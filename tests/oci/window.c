/*
 * window: reads of files that change meanwhile; for window.sh.
 *
 *	window make FILE		makes the file that the others change
 *	window edges FILE		one thread, every step's result printed: the same everywhere
 *	window race FILE SECONDS	readers, and a thread that cuts the file and writes it again
 *	window read FILE SECONDS	only the readers: others change the file
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define SIZE	300000L

static const char *name;
static char bytes[SIZE];
static atomic_int stop;

static void
die(const char *what)
{
	perror(what);
	exit(2);
}

static long
sum(const char *p, long n)
{
	long s = 0;

	for (long i = 0; i < n; i++)
		s = s * 31 + p[i];
	return s;
}

/* The same read until it is served from wherever it will be in the long run: the first result, and whether others differ. */
static void
look(int fd, long off, long len)
{
	static char buf[1 << 20];
	long r = pread(fd, buf, len, off), s = r > 0 ? sum(buf, r) : 0;
	int differ = 0;

	for (int i = 0; i < 60; i++) {
		long n = pread(fd, buf, len, off);

		differ += n != r || (n > 0 && sum(buf, n) != s);
	}
	printf("  [%ld,+%ld): %ld, sum %lx, %d differ\n", off, len, r, s, differ);
}

static void
looks(const char *what, int fd)
{
	static const long at[][2] = {
		{ 0, 1 }, { 0, 4096 }, { 5000, 100 }, { 4090, 20 }, { 8000, 65536 }, { 0, 400000 }, { 99999, 3 }, { 199990, 20 },
		{ 299990, 100 }, { 300000, 1 }, { 298000, 2000 }, { 290000, 2000 }, { 2200000, 100 }, { 2097152 - 7, 14 },
	};

	printf("%s\n", what);
	for (size_t i = 0; i < sizeof at / sizeof *at; i++)
		look(fd, at[i][0], at[i][1]);
}

static int
make(void)
{
	int rw = open(name, O_RDWR | O_CREAT | O_TRUNC, 0644);

	if (rw < 0 || pwrite(rw, bytes, SIZE, 0) != SIZE)
		die(name);
	looks("made", rw);
	return close(rw);
}

static int
edges(void)
{
	int rw, ro = open(name, O_RDONLY);
	long n;

	if (ro < 0)
		die(name);
	looks("opened to read", ro);
	rw = open(name, O_RDWR);
	looks("opened to write", ro);
	if (pwrite(rw, "written", 7, 5000) != 7)
		die("pwrite");
	looks("written, seen by the older", ro);
	looks("written, seen by the writer", rw);
	if (ftruncate(rw, 199995) != 0)
		die("ftruncate");
	looks("shorter", ro);
	looks("shorter, the writer", rw);
	if (pwrite(rw, bytes, 1000, 199995) != 1000)
		die("pwrite");
	looks("a little longer", ro);
	if (ftruncate(rw, 0) != 0)
		die("ftruncate");
	looks("empty", ro);
	if (pwrite(rw, bytes, 5000, 2200000) != 5000)
		die("pwrite");
	looks("a hole and a tail", ro);
	if (truncate(name, 8192) != 0)
		die("truncate");
	looks("cut by its name", ro);
	close(rw);
	if ((rw = open(name, O_WRONLY | O_APPEND)) < 0)
		die("append");
	for (int i = 0; i < 20; i++) {
		if (write(rw, bytes, 10000) != 10000)
			die("append");
	}
	looks("appended", ro);
	close(rw);
	looks("closed by the writer", ro);
	close(ro);
	ro = open(name, O_RDONLY);
	looks("opened again", ro);
	rw = open(name, O_WRONLY | O_TRUNC);
	looks("emptied by an open", ro);
	n = write(rw, "new", 3);
	looks(n == 3 ? "new" : "?", ro);
	close(rw);
	close(ro);
	/* Small: what is known of its size is all that there is to know. */
	ro = open(name, O_RDONLY);
	looks("small", ro);
	if (truncate(name, 2) != 0)
		die("truncate");
	looks("small, cut", ro);
	close(ro);
	ro = open(name, O_RDONLY);
	looks("small, cut, opened again", ro);
	if ((rw = open(name, O_RDWR)) < 0)
		die("open");
	looks("small, a writer", ro);
	n = pwrite(rw, "longer", 6, 1);
	looks(n == 6 ? "small, longer" : "?", ro);
	close(rw);
	looks("small, longer, the writer is gone", ro);
	close(ro);
	ro = open(name, O_RDONLY);
	looks("small, longer, opened again", ro);
	return 0;
}

static void
snooze(long ns)
{
	nanosleep(&(struct timespec){ 0, ns }, NULL);
}

static void *
reader(void *arg)
{
	unsigned long x = 88172645463325252UL + (unsigned long)arg;
	char *buf = malloc(70000);
	long bad = 0;

	while (!stop) {
		int fd = open(name, O_RDONLY);

		if (fd < 0)
			die(name);
		for (int i = 0; i < 400 && !stop; i++) {
			x ^= x << 13, x ^= x >> 7, x ^= x << 17;
			long off = (long)(x % SIZE), len = (long)((x >> 40) % (i % 16 ? 300 : 70000));
			long n = pread(fd, buf, len, off);

			if (n < 0 || n > len)
				bad++;
			/* What has just been cut off may read as zeroes; nothing else may be there. */
			for (long k = 0; k < n; k++)
				bad += buf[k] != 0 && buf[k] != bytes[off + k];
		}
		close(fd);
	}
	free(buf);
	return (void *)bad;
}

static int
race(int write, long seconds)
{
	pthread_t t[3];
	time_t end = time(NULL) + seconds;
	unsigned long x = 1;
	long bad = 0;
	int rw = write ? open(name, O_RDWR | O_CREAT, 0644) : -1;

	if (write && (rw < 0 || pwrite(rw, bytes, SIZE, 0) != SIZE))
		die(name);
	for (long i = 0; i < 3; i++) {
		if (pthread_create(&t[i], NULL, reader, (void *)i) != 0)
			die("pthread_create");
	}
	while (time(NULL) < end) {
		if (write) {
			long keep = (long)((x = x * 6364136223846793005UL + 1) >> 33) % SIZE;

			if (ftruncate(rw, keep) != 0)
				die("ftruncate");
			snooze(x >> 40 & 0x3ffff);
			if (pwrite(rw, bytes + keep, SIZE - keep, keep) != SIZE - keep)
				die("pwrite");
		}
		snooze(1000000);
	}
	stop = 1;
	for (int i = 0; i < 3; i++) {
		void *n;

		pthread_join(t[i], &n);
		bad += (long)n;
	}
	printf("wrong: %ld\n", bad);
	return bad != 0;
}

int
main(int argc, char **argv)
{
	if (argc < 3)
		return 2;
	name = argv[2];
	for (long i = 0; i < SIZE; i++)
		bytes[i] = (char)(i * 7 % 251 + 1);
	if (strcmp(argv[1], "make") == 0)
		return make();
	if (strcmp(argv[1], "edges") == 0)
		return edges();
	return argc < 4 ? 2 : race(strcmp(argv[1], "race") == 0, atol(argv[3]));
}
