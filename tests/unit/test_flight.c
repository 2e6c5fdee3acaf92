/* flight: sockets in flight, had by a look at a queue while those that nobody can reach are looked for. */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <time.h>
#include <unistd.h>

#include "netstack/unix.h"
#include "tests/unit/memfs.h"

#define CROWD	500
#define ROUNDS	100000
#define SECONDS	10

static struct task *t;
static uint64_t before[OBJ_COUNT];

static void
setup(void)
{
	for (int i = 0; i < OBJ_COUNT; i++)
		before[i] = ref_census(i);
	t = mem_setup(0);
}

static void
teardown(void)
{
	/* What can be reached no more goes at one of the next steps. */
	for (int i = 0; i < CROWD; i++)
		flight_step();
	mem_teardown(t);
	for (int i = 0; i < OBJ_COUNT; i++)
		ck_assert_msg(ref_census(i) == before[i], "%s: %d left over", ref_typename(i), (int)(ref_census(i) - before[i]));
}

static void
pair(struct file *f[2])
{
	struct sock *sk[2];

	ck_assert_int_eq(sock_new_pair(t, ABI_AF_UNIX, ABI_SOCK_STREAM, 0, sk), 0);
	for (int i = 0; i < 2; i++) {
		ck_assert_int_eq(sock_file_new(sk[i], O_NONBLOCK, &f[i]), 0);
		sock_put(sk[i]);
	}
}

/* Sends f along with a byte. */
static int64_t
send_file(struct file *to, struct file *f)
{
	struct scm scm = { .files = scm_files_new(), .nfiles = 1 };
	char c = 'x';
	struct iobuf b;
	struct sock_send s = { .data = &b, .scm = &scm };
	int64_t n;

	scm.files[0] = file_get(f);
	iob_init_kernel(&b, &c, 1);
	n = sock_of_file(to)->ops->send(sock_of_file(to), t, &s);
	iob_fini(&b);
	scm_fini(&scm);
	return n;
}

/* What came with a byte, counted, or NULL. */
static struct file *
recv_file(struct file *from, uint32_t flags)
{
	struct scm scm = { 0 };
	char c;
	struct iobuf b;
	struct sock_recv r = { .data = &b, .scm = &scm, .flags = flags };
	struct file *f = NULL;

	iob_init_kernel(&b, &c, 1);
	if (sock_of_file(from)->ops->recv(sock_of_file(from), t, &r) == 1 && scm.nfiles == 1)
		f = file_get(scm.files[0]);
	iob_fini(&b);
	scm_fini(&scm);
	return f;
}

static _Atomic bool stop;

static void *
look_often(void *arg)
{
	while (!atomic_load(&stop))
		flight_step();
	return arg;
}

static bool
is_past(const struct timespec *end)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec > end->tv_sec || (now.tv_sec == end->tv_sec && now.tv_nsec >= end->tv_nsec);
}

/*
 * b lies with a, and a with b; of the two, what can be reached moves from one to the other by a peek.  A look that saw b
 * before and a after must not think that nobody has them: the reader of b would be left with a piece that is gone.
 */
START_TEST(peeked)
{
	struct file *a[2], *b[2], *crowd[2], *p[2], *had, *back;
	struct timespec end;
	pthread_t th;

	pair(a);
	pair(b);
	pair(crowd);
	ck_assert_int_eq(send_file(a[1], b[0]), 1);
	file_put(b[0]);
	/* Between the two in the list of those in flight, so that a look takes its time from one to the other. */
	for (int i = 0; i < CROWD; i++) {
		pair(p);
		if (i % 100 == 0 && i != 0) {
			struct file *next[2];

			/* A queue takes so many; the full one goes into the next. */
			pair(next);
			ck_assert_int_eq(send_file(next[1], crowd[0]), 1);
			file_put(crowd[0]);
			file_put(crowd[1]);
			crowd[0] = next[0];
			crowd[1] = next[1];
		}
		ck_assert_int_eq(send_file(crowd[1], p[0]), 1);
		file_put(p[0]);
		file_put(p[1]);
	}
	atomic_store(&stop, false);
	ck_assert_int_eq(pthread_create(&th, NULL, look_often, NULL), 0);
	/* Whoever looks without a pause may keep the lock from us for long: an end by the clock as well. */
	clock_gettime(CLOCK_MONOTONIC, &end);
	end.tv_sec += SECONDS;
	for (int i = 0; i < ROUNDS && !is_past(&end); i++) {
		ck_assert_int_eq(send_file(b[1], a[0]), 1);
		had = recv_file(a[0], ABI_MSG_PEEK);
		ck_assert_ptr_nonnull(had);
		file_put(a[0]);
		back = recv_file(had, 0);
		ck_assert_msg(back != NULL, "lost in round %d", i);
		file_put(had);
		a[0] = back;
	}
	atomic_store(&stop, true);
	pthread_join(th, NULL);
	file_put(a[0]);
	file_put(a[1]);
	file_put(b[1]);
	file_put(crowd[0]);
	file_put(crowd[1]);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("flight");
	TCase *c = tcase_create("flight");
	SRunner *r;
	int failed;

	tcase_add_checked_fixture(c, setup, teardown);
	tcase_set_timeout(c, 60);
	tcase_add_test(c, peeked);
	suite_add_tcase(s, c);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
