/* Windows of the gofer's files, and the copy that survives a file which ends meanwhile. */
#include <check.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/kmem.h"
#include "base/log.h"
#include "base/mapcopy.h"
#include "fs/remote.h"

#define MIB	(1ULL << 20)
#define WINDOWS	32u			/* remote_window.c's bound */
#define PART	(2 * MIB)

static char buf[256 * 1024];

static void
setup(void)
{
	crash_init();
}

/* What byte a test file has at off; never 0. */
static char
byte_at(uint64_t off)
{
	return (char)(off * 7 % 251 + 1);
}

static void
fill(int fd, uint64_t from, uint64_t to)
{
	while (from < to) {
		uint64_t n = min(to - from, (uint64_t)sizeof buf);

		for (uint64_t i = 0; i < n; i++)
			buf[i] = byte_at(from + i);
		ck_assert_int_eq(pwrite(fd, buf, n, (off_t)from), (ssize_t)n);
		from += n;
	}
}

static int
file_of(uint64_t size)
{
	int fd = memfd_create("window", MFD_CLOEXEC);

	ck_assert_int_ge(fd, 0);
	fill(fd, 0, size);
	return fd;
}

/* ---- the copy ---------------------------------------------------------------------- */

START_TEST(copies)
{
	static char from[4200], to[4200];

	for (size_t i = 0; i < sizeof from; i++)
		from[i] = byte_at(i);
	for (size_t len = 0; len < 4100; len += len < 900 ? 1 : 61) {
		for (size_t skew = 0; skew < 17; skew += 4) {
			memset(to, 0, sizeof to);
			ck_assert(mapcopy(to + 32, from + skew, len));
			ck_assert_int_eq(memcmp(to + 32, from + skew, len), 0);
			ck_assert(to[31] == 0 && to[32 + len] == 0);
		}
	}
}
END_TEST

/* A file of one page, two of which are mapped: copies that reach the second fail, those before it do not. */
static void
copy_over_the_end(void)
{
	static const size_t lens[] = { 1, 3, 4, 8, 15, 16, 31, 32, 100, 700, 1000, 4000 };
	int fd = memfd_create("short", MFD_CLOEXEC);
	char *to = malloc(8192), *map;

	if (fd < 0 || ftruncate(fd, 4096) != 0)
		abort();
	map = mmap(NULL, 8192, PROT_READ, MAP_SHARED, fd, 0);
	if (map == MAP_FAILED || to == NULL)
		abort();
	for (unsigned round = 0; round < 50; round++) {
		for (size_t i = 0; i < ARRAY_LEN(lens); i++) {
			if (!mapcopy(to, map + 4096 - lens[i], lens[i]) || mapcopy(to, map + 4096 - lens[i] + 1, lens[i]) ||
			    mapcopy(to, map + 4096, lens[i]))
				abort();
		}
	}
	munmap(map, 8192);
	close(fd);
	free(to);
}

static void *
copy_thread(void *arg)
{
	copy_over_the_end();
	return arg;
}

START_TEST(ends)
{
	pthread_t t[4];

	copy_over_the_end();
	/* The others have no stack of their own for signals. */
	for (unsigned i = 0; i < ARRAY_LEN(t); i++)
		ck_assert_int_eq(pthread_create(&t[i], NULL, copy_thread, NULL), 0);
	for (unsigned i = 0; i < ARRAY_LEN(t); i++)
		ck_assert_int_eq(pthread_join(t[i], NULL), 0);
}
END_TEST

/* SIGBUS that is not a copy's, and any that was sent, are what they were: a crash. */
static int
status_of(void (*fn)(void))
{
	pid_t pid = fork();
	int status;

	ck_assert_int_ge(pid, 0);
	if (pid == 0) {
		log_init("test", open("/dev/null", O_WRONLY), LOG_ERROR);
		fn();
		_exit(0);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

static void
touch_the_end(void)
{
	int fd = memfd_create("empty", MFD_CLOEXEC);
	volatile char *map = mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0);

	(void)map[0];
}

static void
send_bus(void)
{
	raise(SIGBUS);
}

static void
copy_from_nowhere(void)
{
	(void)!mapcopy(buf, (const void *)8, 8);
}

START_TEST(crashes)
{
	ck_assert_int_eq(status_of(copy_over_the_end), 0);
	ck_assert_int_eq(status_of(touch_the_end), 70);
	ck_assert_int_eq(status_of(send_bus), 70);
	ck_assert_int_eq(status_of(copy_from_nowhere), 70);
}
END_TEST

/* ---- windows ------------------------------------------------------------------------ */

/* Reads and compares; how many bytes came from a window. */
static uint64_t
read_some(struct hostfile *h, uint64_t off, uint64_t n, bool sure)
{
	AUTO_FREE char *to = mem_alloc(n);
	struct iobuf b;
	uint64_t done;

	ck_assert_ptr_nonnull(to);
	iob_init_kernel(&b, to, n);
	done = remote_window_read(h, &b, off, n, sure);
	ck_assert_uint_eq(iob_left(&b), n - done);
	iob_fini(&b);
	for (uint64_t i = 0; i < done; i++)
		ck_assert_int_eq(to[i], byte_at(off + i));
	return done;
}

/* Until a window answers: how many reads that took. */
static unsigned
warm(struct hostfile *h, uint64_t off, uint64_t n)
{
	for (unsigned i = 1; i < 2000; i++) {
		if (read_some(h, off, n, true) == n)
			return i;
	}
	return 0;
}

START_TEST(warms)
{
	struct hostfile h = { .fd = file_of(5 * MIB) };

	ck_assert_uint_eq(read_some(&h, 0, 100, true), 0);
	ck_assert_uint_eq(remote_windows_mapped(), 0);
	/* A pass over the file in one direction leaves it alone. */
	for (uint64_t off = 0; off < 5 * MIB; off += 64 * 1024)
		ck_assert_uint_eq(read_some(&h, off, 64 * 1024, true), 0);
	ck_assert_uint_eq(remote_windows_mapped(), 0);
	ck_assert_uint_ge(warm(&h, 5, 100), 16);
	ck_assert_uint_eq(remote_windows_mapped(), 1);
	/* The same part at once, another only when it is warm itself. */
	ck_assert_uint_eq(read_some(&h, PART - 10, 10, true), 10);
	ck_assert_uint_eq(read_some(&h, PART - 10, 20, true), 10);
	ck_assert_uint_ge(warm(&h, PART, 100), 16);
	ck_assert_uint_eq(read_some(&h, PART - 100000, 200000, true), 200000);
	ck_assert_uint_eq(remote_windows_mapped(), 2);
	remote_windows_drop(&h, false);
	ck_assert_uint_eq(remote_windows_mapped(), 0);
	ck_assert_uint_eq(read_some(&h, 5, 100, true), 0);
	close(h.fd);
}
END_TEST

START_TEST(bounded)
{
	static struct hostfile h[3 * WINDOWS];
	int fd = file_of(MIB);

	for (unsigned i = 0; i < ARRAY_LEN(h); i++) {
		h[i].fd = fd;
		ck_assert_uint_ne(warm(&h[i], i, 1000), 0);
		ck_assert_uint_eq(remote_windows_mapped(), min(i + 1, WINDOWS));
	}
	/* The last ones are there, none is taken for another's. */
	ck_assert_uint_eq(read_some(&h[ARRAY_LEN(h) - 1], 7, 5, true), 5);
	ck_assert_uint_eq(read_some(&h[0], 7, 5, true), 0);
	for (unsigned i = 0; i < ARRAY_LEN(h); i++)
		remote_windows_drop(&h[i], true);
	ck_assert_uint_eq(remote_windows_mapped(), 0);
	close(fd);
}
END_TEST

START_TEST(many_parts)
{
	struct hostfile h = { .fd = file_of(20 * PART) };

	for (uint64_t off = 0; off < 20 * PART; off += PART)
		ck_assert_uint_ne(warm(&h, off, 512), 0);
	for (uint64_t off = 0; off < 20 * PART; off += PART)
		ck_assert_uint_eq(read_some(&h, off + 12345, 512, true), 512);
	ck_assert_uint_eq(remote_windows_mapped(), 20);
	remote_windows_drop(&h, true);
	close(h.fd);
}
END_TEST

/* Shorter and longer again: without being sure of the size, nothing behind the end is ever taken for data. */
START_TEST(unsure)
{
	struct hostfile h = { .fd = file_of(MIB) };

	ck_assert_uint_ne(warm(&h, 0, 100), 0);
	ck_assert_uint_eq(read_some(&h, 8192, 4096, false), 4096);
	ck_assert_int_eq(ftruncate(h.fd, 12288 + 1), 0);
	ck_assert_uint_eq(read_some(&h, 8192, 4096, false), 4096);
	ck_assert_int_eq(ftruncate(h.fd, 12288), 0);
	ck_assert_uint_eq(read_some(&h, 8192, 4096, false), 0);
	ck_assert_uint_eq(read_some(&h, 8191, 1, false), 1);
	ck_assert_int_eq(ftruncate(h.fd, 8000), 0);
	ck_assert_uint_eq(read_some(&h, 0, 4096, false), 4096);
	ck_assert_uint_eq(read_some(&h, 0, 4097, false), 0);
	ck_assert_uint_eq(read_some(&h, 7900, 200, false), 0);
	ck_assert_uint_eq(read_some(&h, 100000, 4, false), 0);
	ck_assert_uint_eq(atomic_load(&h.reach), 100000);
	fill(h.fd, 8000, MIB);
	ck_assert_uint_eq(read_some(&h, 7900, 50000, false), 50000);
	/* Of a file that ends again and again there are no windows any more. */
	ck_assert_int_eq(ftruncate(h.fd, 0), 0);
	ck_assert(!atomic_load(&h.unmapped));
	for (unsigned i = 0; i < 100; i++)
		ck_assert_uint_eq(read_some(&h, 0, 10, false), 0);
	ck_assert(atomic_load(&h.unmapped));
	remote_windows_drop(&h, true);
	close(h.fd);
}
END_TEST

START_TEST(not_mapped)
{
	struct hostfile h = { .fd = -1 };

	for (unsigned i = 0; i < 100; i++)
		ck_assert_uint_eq(read_some(&h, 0, 10, true), 0);
	ck_assert(atomic_load(&h.unmapped));
	ck_assert_uint_eq(remote_windows_mapped(), 0);
}
END_TEST

/*
 * Readers of more files than there are windows, while the files lose their ends and get them back.  A copy that meets a
 * truncation may see the zeroes it leaves, as a read of the host's may; it sees no other file's bytes.
 */
#define RACERS	4
static struct hostfile raced[48];
static atomic_bool stop;

static void *
race_reader(void *arg)
{
	uint64_t x = (uint64_t)(uintptr_t)arg * 2654435761u + 1, total = 0;
	char *to = malloc(70000);

	while (!atomic_load(&stop)) {
		struct hostfile *h;
		struct iobuf b;
		uint64_t off, n, done;
		unsigned k;

		x ^= x << 13, x ^= x >> 7, x ^= x << 17;
		/* Mostly a few, so that they become warm. */
		k = x & 3 ? (unsigned)(x >> 8) % 4 : (unsigned)(x >> 8) % ARRAY_LEN(raced);
		h = &raced[k];
		off = (x >> 20) % 200000;
		n = (x >> 40) % 8 ? (x >> 44) % 300 + 1 : (x >> 44) % 70000 + 1;
		atomic_store(&h->misses, 0);
		atomic_store(&h->unmapped, false);
		iob_init_kernel(&b, to, n);
		done = remote_window_read(h, &b, off, n, x & 16);
		for (uint64_t i = 0; i < done; i++) {
			if (to[i] != 0 && to[i] != (char)(k + 1))
				abort();
		}
		total += done;
	}
	free(to);
	return (void *)(uintptr_t)(total != 0);
}

START_TEST(race)
{
	static char same[300000];
	pthread_t t[RACERS];

	for (unsigned k = 0; k < ARRAY_LEN(raced); k++) {
		raced[k].fd = memfd_create("race", MFD_CLOEXEC);
		memset(same, (int)k + 1, sizeof same);
		ck_assert_int_eq(pwrite(raced[k].fd, same, sizeof same, 0), sizeof same);
	}
	for (uintptr_t i = 0; i < RACERS; i++)
		ck_assert_int_eq(pthread_create(&t[i], NULL, race_reader, (void *)(i + 1)), 0);
	for (unsigned i = 0; i < 800; i++) {
		unsigned k = i % 8;

		memset(same, (int)k + 1, sizeof same);
		ck_assert_int_eq(ftruncate(raced[k].fd, i * 997 % 250000), 0);
		ck_assert_int_eq(pwrite(raced[k].fd, same, sizeof same, 0), sizeof same);
		if (i % 16 == 0)
			remote_windows_drop(&raced[k], false);
	}
	atomic_store(&stop, true);
	for (unsigned i = 0; i < RACERS; i++) {
		void *some;

		ck_assert_int_eq(pthread_join(t[i], &some), 0);
		ck_assert_ptr_nonnull(some);
	}
	for (unsigned k = 0; k < ARRAY_LEN(raced); k++)
		remote_windows_drop(&raced[k], true);
	ck_assert_uint_eq(remote_windows_mapped(), 0);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("window");
	TCase *tc = tcase_create("window");
	SRunner *sr;
	int failed;

	tcase_set_timeout(tc, 120);
	tcase_add_checked_fixture(tc, setup, NULL);
	tcase_add_test(tc, copies);
	tcase_add_test(tc, ends);
	tcase_add_test(tc, crashes);
	tcase_add_test(tc, warms);
	tcase_add_test(tc, bounded);
	tcase_add_test(tc, many_parts);
	tcase_add_test(tc, unsure);
	tcase_add_test(tc, not_mapped);
	tcase_add_test(tc, race);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed != 0;
}
