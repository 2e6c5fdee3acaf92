/* timers: order, re-arming, waiting for a callback; conversions of abi/time.h. */
#include <check.h>
#include <stdlib.h>
#include <time.h>

#include "abi/time.h"
#include "base/hostcall.h"
#include "sentry/kernel/clock.h"
#include "sentry/kernel/timer.h"
#include "sentry/kernel/wait.h"

#define MS	1000000ULL

static _Atomic int order[8], norder;
static struct kevent done;

struct numbered { struct timer tm; int number; };

static void
note(struct timer *tm)
{
	struct numbered *n = container_of(tm, struct numbered, tm);

	order[atomic_fetch_add(&norder, 1) & 7] = n->number;
	kevent_set(&done);
}

static void
wait_for(int n)
{
	uint64_t until = host_clock_ns(CLOCK_MONOTONIC) + 5000 * MS;

	while (atomic_load(&norder) < n && host_clock_ns(CLOCK_MONOTONIC) < until)
		kevent_wait(&done, host_clock_ns(CLOCK_MONOTONIC) + 10 * MS);
	ck_assert_int_eq(norder, n);
}

START_TEST(in_order)
{
	struct numbered t[4];
	uint64_t now = clock_mono_ns();

	norder = 0;
	for (int i = 0; i < 4; i++) {
		timer_init(&t[i].tm, note);
		t[i].number = i;
	}
	timer_arm(&t[0].tm, now + 40 * MS);
	timer_arm(&t[1].tm, now + 20 * MS);
	timer_arm(&t[2].tm, now + 20 * MS);
	timer_arm(&t[3].tm, now + 3600000 * MS);
	/* Re-armed to be the first; the last is taken out. */
	timer_arm(&t[3].tm, now + 10 * MS);
	wait_for(4);
	ck_assert_int_eq(order[0], 3);
	ck_assert_int_eq(order[1], 1);
	ck_assert_int_eq(order[2], 2);
	ck_assert_int_eq(order[3], 0);
	ck_assert(!timer_disarm(&t[3].tm));
	timer_arm(&t[0].tm, clock_mono_ns() + 3600000 * MS);
	ck_assert(timer_disarm(&t[0].tm));
	for (int i = 0; i < 4; i++)
		timer_disarm_wait(&t[i].tm);
}
END_TEST

static _Atomic bool entered, left;

static void
slow(struct timer *tm)
{
	struct timespec ts = { 0, 30 * (long)MS };

	atomic_store(&entered, true);
	(void)clock_nanosleep(CLOCK_MONOTONIC, 0, &ts, NULL);
	/* One that arms itself again must still go away for good. */
	timer_arm(tm, clock_mono_ns() + 5 * MS);
	atomic_store(&left, true);
}

START_TEST(disarm_waits)
{
	struct timer tm;
	struct timespec ts = { 0, 20 * (long)MS };

	timer_init(&tm, slow);
	timer_arm(&tm, clock_mono_ns());
	while (!atomic_load(&entered))
		;
	timer_disarm_wait(&tm);
	ck_assert(atomic_load(&left));
	ck_assert(!tm.armed);
	atomic_store(&entered, false);
	(void)clock_nanosleep(CLOCK_MONOTONIC, 0, &ts, NULL);
	ck_assert(!atomic_load(&entered));
}
END_TEST

START_TEST(forward)
{
	uint64_t missed;

	ck_assert_uint_eq(timer_forward(100, 10, 100, &missed), 110);
	ck_assert_uint_eq(missed, 0);
	ck_assert_uint_eq(timer_forward(100, 10, 99, &missed), 110);
	ck_assert_uint_eq(missed, 0);
	ck_assert_uint_eq(timer_forward(100, 10, 135, &missed), 140);
	ck_assert_uint_eq(missed, 3);
	ck_assert_uint_eq(timer_forward(UINT64_MAX - 5, 10, 0, &missed), UINT64_MAX);
	ck_assert_uint_eq(timer_forward(1, 1, UINT64_MAX - 1, &missed), UINT64_MAX);
}
END_TEST

START_TEST(conversions)
{
	struct abi_timespec ts = { 1, 999999999 };
	struct abi_timeval tv = { 2, 1 };

	ck_assert(abi_timespec_valid(&ts));
	ck_assert_uint_eq(abi_timespec_ns(&ts), 1999999999);
	ts.tv_nsec++;
	ck_assert(!abi_timespec_valid(&ts));
	ts = (struct abi_timespec){ INT64_MAX, 0 };
	ck_assert_uint_eq(abi_timespec_ns(&ts), INT64_MAX);
	ts = (struct abi_timespec){ -1, 0 };
	ck_assert(!abi_timespec_valid(&ts));
	ck_assert_uint_eq(abi_timeval_ns(&tv), 2000001000);
	ck_assert_uint_eq(abi_deadline(5, INT64_MAX), UINT64_MAX);
	ck_assert_uint_eq(abi_deadline(5, 7), 12);
	ck_assert_int_eq(abi_ns_timeval(1999999999).tv_usec, 999999);
}
END_TEST

START_TEST(deadlines)
{
	uint64_t d, now = clock_mono_ns();

	ck_assert_int_eq(clock_deadline(CLOCK_MONOTONIC, 42, &d), 0);
	ck_assert_uint_eq(d, 42);
	ck_assert_int_eq(clock_deadline(CLOCK_REALTIME, clock_real_ns() + 1000 * MS, &d), 0);
	ck_assert(d > now && d < now + 1100 * MS);
	ck_assert_int_eq(clock_deadline(CLOCK_REALTIME, 1, &d), 0);
	ck_assert_uint_eq(d, 1);
	ck_assert_int_eq(clock_deadline(CLOCK_REALTIME, INT64_MAX, &d), 0);
	ck_assert(d > now);
	ck_assert_int_eq(clock_deadline(CLOCK_THREAD_CPUTIME_ID, 1, &d), -EINVAL);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("timer");
	TCase *c = tcase_create("timer");
	SRunner *r;
	int failed;

	tcase_add_test(c, in_order);
	tcase_add_test(c, disarm_waits);
	tcase_add_test(c, forward);
	tcase_add_test(c, conversions);
	tcase_add_test(c, deadlines);
	suite_add_tcase(s, c);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
