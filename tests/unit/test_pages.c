/* The allocator of the memory file: zeroed, disjoint, joined again. */
#include "tests/unit/fakespace.h"

static void
setup(void)
{
	mm_put(fake_mm());
}

static bool
is_zero(uint64_t off, uint64_t len)
{
	const char *p = page_ptr(off);

	for (uint64_t i = 0; i < len; i++) {
		if (p[i] != 0)
			return false;
	}
	return true;
}

START_TEST(zeroed)
{
	uint64_t a, b;

	ck_assert_int_eq(pages_alloc(1, &a), 0);
	ck_assert_uint_eq(pages_used(), PAGE_SIZE);
	memset(page_ptr(a), 'x', PAGE_SIZE);
	pages_free(a, 1);
	ck_assert_int_eq(pages_alloc(PAGE_SIZE, &b), 0);
	ck_assert_uint_eq(a, b);		/* a small one comes from what is at hand */
	ck_assert(is_zero(b, PAGE_SIZE));
	pages_free(b, PAGE_SIZE);
	ck_assert_uint_eq(pages_used(), 0);
	ck_assert_int_eq(pages_alloc(0, &a), -EINVAL);
	ck_assert_int_eq(pages_alloc(UINT64_MAX, &a), -ENOMEM);
	ck_assert_int_eq(pages_alloc(pages_limit() + 1, &a), -ENOMEM);
}
END_TEST

START_TEST(exhausted)
{
	uint64_t a, b;

	ck_assert_int_eq(pages_alloc(pages_limit(), &a), 0);
	memset((char *)page_ptr(a) + (40 << 20), 'y', 1 << 20);
	ck_assert_int_eq(pages_alloc(1, &b), -ENOMEM);
	pages_free(a, pages_limit());
	ck_assert_int_eq(pages_alloc(pages_limit(), &b), 0);
	ck_assert(is_zero(b + (40 << 20), 1 << 20));
	pages_free(b, pages_limit());
}
END_TEST

START_TEST(random_sequence)
{
	static struct { uint64_t off, len; } live[64];
	uint64_t whole;

	srand(5);
	for (unsigned i = 0; i < 20000; i++) {
		unsigned k = (unsigned)(rand() % 64);

		if (live[k].len != 0) {
			const char *p = page_ptr(live[k].off);

			/* nobody else wrote here */
			ck_assert_int_eq(p[0], (char)(k + 1));
			ck_assert_int_eq(p[live[k].len - 1], (char)(k + 1));
			pages_free(live[k].off, live[k].len);
			live[k].len = 0;
			continue;
		}
		live[k].len = (1 + (uint64_t)(rand() % (rand() % 8 == 0 ? 60 : 4))) * PAGE_SIZE;
		ck_assert_int_eq(pages_alloc(live[k].len, &live[k].off), 0);
		ck_assert(is_zero(live[k].off, 64) && is_zero(live[k].off + live[k].len - 64, 64));
		memset(page_ptr(live[k].off), (int)(k + 1), live[k].len);
	}
	for (unsigned k = 0; k < 64; k++) {
		if (live[k].len != 0)
			pages_free(live[k].off, live[k].len);
	}
	ck_assert_uint_eq(pages_used(), 0);
	/* everything joined again */
	ck_assert_int_eq(pages_alloc(pages_limit(), &whole), 0);
	pages_free(whole, pages_limit());
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("pages");
	TCase *tc = tcase_create("pages");
	SRunner *sr;
	int failed;

	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, setup, NULL);
	tcase_add_test(tc, zeroed);
	tcase_add_test(tc, exhausted);
	tcase_add_test(tc, random_sequence);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed != 0;
}
