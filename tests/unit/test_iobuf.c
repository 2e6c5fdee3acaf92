/* The cursor: segments of any shape, faults in the middle, revert, host descriptors. */
#include "tests/unit/fakespace.h"

#include <fcntl.h>
#include <sys/uio.h>

#include "sentry/mm/iobuf.h"

#define ANON	(MAP_PRIVATE | MAP_ANONYMOUS)
#define AT(page) (WIN + (uint64_t)(page) * PAGE_SIZE)

static struct mm *mm;

static void
setup(void)
{
	struct mmap_args a = { .addr = AT(10), .len = 40 * PAGE_SIZE, .prot = PROT_READ | PROT_WRITE,
	    .flags = ANON | MAP_FIXED, .maxprot = 7 };

	mm = fake_mm();
	ck_assert_int_ge(mm_map(mm, &a), 0);
}

static void
teardown(void)
{
	mm_put(mm);
}

/* Writes an iovec array at page 49. */
static int
init_iov(struct iobuf *b, const struct iovec *iov, uint64_t n)
{
	ck_assert_int_eq(copy_out(&fake_task, gaddr_from(AT(49)), iov, n * sizeof *iov), 0);
	return iob_init_iov(b, &fake_task, gaddr_from(AT(49)), n);
}

START_TEST(one_buffer)
{
	struct iobuf b;
	char got[16] = "";

	ck_assert_int_eq(iob_init(&b, &fake_task, gaddr_from(AT(10) + 5), 10), 0);
	ck_assert_int_eq(iob_put(&b, "hello", 5), 5);
	ck_assert_int_eq(iob_put(&b, " world!", 7), 5);
	ck_assert_uint_eq(iob_left(&b), 0);
	ck_assert_int_eq(iob_put(&b, "x", 1), 0);
	iob_revert(&b, 10);
	ck_assert_int_eq(iob_get(&b, got, sizeof got), 10);
	ck_assert_str_eq(got, "hello worl");
	iob_fini(&b);
	ck_assert_int_eq(iob_init(&b, &fake_task, gaddr_from(GUEST_TOP - 4), 5), -EFAULT);
	ck_assert_int_eq(iob_init(&b, &fake_task, gaddr_from(UINT64_MAX), 5), -EFAULT);
	ck_assert_int_eq(iob_init(&b, &fake_task, gaddr_from(0), UINT64_MAX), -EFAULT);
	ck_assert_int_eq(iob_init(&b, &fake_task, gaddr_from(0), 1ULL << 40), 0);
	ck_assert_uint_eq(iob_left(&b), RW_LIMIT);
	ck_assert_int_eq(iob_put(&b, "x", 1), -EFAULT);
}
END_TEST

START_TEST(vectors)
{
	struct iovec iov[12];
	struct iobuf b;
	char out[100], in[100];

	for (unsigned i = 0; i < 12; i++)
		iov[i] = (struct iovec){ (void *)(AT(11 + i) - 3), i % 3 == 2 ? 0 : i + 1 };
	ck_assert_int_eq(init_iov(&b, iov, 12), 0);
	ck_assert_uint_eq(iob_left(&b), 1 + 2 + 4 + 5 + 7 + 8 + 10 + 11);
	for (unsigned i = 0; i < sizeof in; i++)
		in[i] = (char)i;
	ck_assert_int_eq(iob_put(&b, in, 20), 20);
	iob_revert(&b, 7);
	ck_assert_int_eq(iob_put(&b, in + 13, 87), 35);
	iob_revert(&b, 48);
	ck_assert_uint_eq(iob_trim(&b, 30), 48);
	ck_assert_int_eq(iob_get(&b, out, 100), 30);
	ck_assert_mem_eq(in, out, 30);
	iob_fini(&b);
	ck_assert_int_eq(iob_init_iov(&b, &fake_task, gaddr_from(AT(49)), 1025), -EINVAL);
	ck_assert_int_eq(iob_init_iov(&b, &fake_task, gaddr_from(8), 1), -EFAULT);
	ck_assert_int_eq(iob_init_iov(&b, &fake_task, gaddr_from(8), 0), 0);
	iov[1].iov_len = (size_t)-1;
	ck_assert_int_eq(init_iov(&b, iov, 2), -EINVAL);
	/* the sum is cut, not refused */
	iov[0].iov_len = iov[1].iov_len = 0x60000000;
	ck_assert_int_eq(init_iov(&b, iov, 2), 0);
	ck_assert_uint_eq(iob_left(&b), RW_LIMIT);
	iob_fini(&b);
}
END_TEST

START_TEST(faults)
{
	struct iovec iov[3] = { { (void *)AT(11), 4 }, { (void *)(AT(50) - 2), 8 }, { (void *)AT(12), 4 } };
	struct iobuf b;
	char big[3 * 4096] = "";

	ck_assert_int_eq(init_iov(&b, iov, 3), 0);
	ck_assert_int_eq(iob_put(&b, "0123456789abcdef", 16), 6);
	ck_assert_int_eq(iob_put(&b, "x", 1), -EFAULT);
	iob_fini(&b);
	ck_assert_int_eq(iob_init(&b, &fake_task, gaddr_from(AT(50) - 4096), sizeof big), 0);
	ck_assert_int_eq(iob_zero(&b, sizeof big), 4096);
	ck_assert_int_eq(iob_zero(&b, 5), -EFAULT);
	iob_fini(&b);
}
END_TEST

START_TEST(kernel_memory)
{
	char mem[8], got[8];
	struct iobuf b;

	iob_init_kernel(&b, mem, sizeof mem);
	ck_assert_int_eq(iob_put(&b, "abcdefghij", 10), 8);
	iob_revert(&b, 8);
	ck_assert_int_eq(iob_get(&b, got, 3), 3);
	ck_assert_mem_eq(got, "abc", 3);
	iob_fini(&b);
}
END_TEST

START_TEST(host_files)
{
	int fd = memfd_create("f", 0);
	char *text = malloc(100000), *back = malloc(100000);
	struct iobuf b;

	for (unsigned i = 0; i < 100000; i++)
		text[i] = (char)(i * 7 % 251);
	ck_assert_int_eq(copy_out(&fake_task, gaddr_from(AT(10)), text, 100000), 0);
	ck_assert_int_eq(iob_init(&b, &fake_task, gaddr_from(AT(10)), 100000), 0);
	ck_assert_int_eq(iob_to_host(&b, fd, 50, 100000), 100000);
	iob_fini(&b);
	ck_assert_int_eq(pread(fd, back, 100000, 50), 100000);
	ck_assert_mem_eq(text, back, 100000);
	ck_assert_int_eq(iob_init(&b, &fake_task, gaddr_from(AT(20)), 100000), 0);
	ck_assert_int_eq(iob_from_host(&b, fd, 100, 100000), 99950);
	ck_assert_uint_eq(iob_left(&b), 50);
	ck_assert_int_eq(iob_from_host(&b, fd, 100050, 50), 0);
	iob_fini(&b);
	ck_assert_int_eq(copy_in(&fake_task, back, gaddr_from(AT(20)), 99950), 0);
	ck_assert_mem_eq(text + 50, back, 99950);
	/* a fault stops it; a descriptor that refuses leaves the cursor where it was */
	ck_assert_int_eq(iob_init(&b, &fake_task, gaddr_from(AT(48)), 100000), 0);
	ck_assert_int_eq(iob_from_host(&b, fd, 0, 100000), 8192);
	iob_fini(&b);
	ck_assert_int_eq(iob_init(&b, &fake_task, gaddr_from(AT(10)), 5000), 0);
	close(fd);
	ck_assert_int_eq(iob_to_host(&b, fd, 0, 5000), -EBADF);
	ck_assert_uint_eq(iob_left(&b), 5000);
	iob_fini(&b);
	free(text);
	free(back);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("iobuf");
	TCase *tc = tcase_create("iobuf");
	SRunner *sr;
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, one_buffer);
	tcase_add_test(tc, vectors);
	tcase_add_test(tc, faults);
	tcase_add_test(tc, kernel_memory);
	tcase_add_test(tc, host_files);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed != 0;
}
