/* sanitize: what a forked child reports arrives where its parent's reports do; see base/sanitize.h. */
#include <check.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/sanitize.h"

#if SANITIZE

/* A child makes a mistake; its report, as far as it fits, is in `text`. */
static char text[64 * 1024];

static void
report_of(void (*mistake)(void))
{
	size_t len = 0;
	ssize_t n;
	int p[2], status;
	pid_t pid;

	ck_assert_int_eq(pipe2(p, O_CLOEXEC), 0);
	pid = fork();
	ck_assert_int_ge(pid, 0);
	if (pid == 0) {
		if (dup2(p[1], SANITIZE_FD) < 0 || dup2(p[1], SANITIZE_FD + 1) < 0)
			_exit(1);
		mistake();
		_exit(sanitize_status(0));
	}
	(void)close(p[1]);
	while (len < sizeof text - 1 && (n = read(p[0], text + len, sizeof text - 1 - len)) > 0)
		len += (size_t)n;
	text[len] = '\0';
	(void)close(p[0]);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == SANITIZE_STATUS,
	    "status %#x\n%s", status, text);
}

#ifdef __SANITIZE_THREAD__
static volatile int shared;
static _Atomic bool written;

static void *
write_shared(void *arg)
{
	shared = 1;
	/* Tells the other thread in a way that orders nothing. */
	atomic_store_explicit(&written, true, memory_order_relaxed);
	return arg;
}

static void
race(void)
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, write_shared, NULL) != 0)
		return;
	while (!atomic_load_explicit(&written, memory_order_relaxed))
		continue;
	shared = 2;
	(void)pthread_join(thread, NULL);
}

START_TEST(data_race)
{
	report_of(race);
	ck_assert_msg(strstr(text, "ThreadSanitizer: data race") != NULL, "%s", text);
	ck_assert_msg(strstr(text, "write_shared") != NULL, "%s", text);
}
END_TEST
#endif

#ifdef __SANITIZE_ADDRESS__
static void
use_freed(void)
{
	volatile char *volatile p = malloc(16);
	volatile char *volatile q = p;

	free((char *)p);
	*q = 1;
}

START_TEST(use_after_free)
{
	report_of(use_freed);
	ck_assert_msg(strstr(text, "AddressSanitizer: heap-use-after-free") != NULL, "%s", text);
	ck_assert_msg(strstr(text, "use_freed") != NULL, "%s", text);
}
END_TEST

static void
overflow(void)
{
	volatile int i = INT_MAX;

	i++;
}

START_TEST(undefined)
{
	report_of(overflow);
	ck_assert_msg(strstr(text, "runtime error: signed integer overflow") != NULL, "%s", text);
}
END_TEST
#endif

#else

START_TEST(nothing)
{
	ck_assert_int_eq(sanitize_status(3), 3);
}
END_TEST

#endif

int
main(void)
{
	Suite *s = suite_create("sanitize");
	TCase *c = tcase_create("sanitize");
	SRunner *r;
	int failed;

#if defined(__SANITIZE_THREAD__)
	tcase_add_test(c, data_race);
#elif defined(__SANITIZE_ADDRESS__)
	tcase_add_test(c, use_after_free);
	tcase_add_test(c, undefined);
#else
	tcase_add_test(c, nothing);
#endif
	suite_add_tcase(s, c);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
