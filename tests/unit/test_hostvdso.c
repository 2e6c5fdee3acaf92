/* hostvdso: which layouts of the host's vDSO can be moved; its symbols, in this process. */
#include <check.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <time.h>
#include <unistd.h>

#include "base/stublayout.h"
#include "platform/hostvdso.h"

/* Feeds lines up to a NULL; true when all were taken and the code was found at ehdr. */
static bool
layout(struct hostvdso *v, uint64_t ehdr, const char *const *lines)
{
	memset(v, 0, sizeof *v);
	while (*lines != NULL) {
		if (!hostvdso_line(v, *lines++))
			return false;
	}
	return hostvdso_complete(v, ehdr);
}

#define LAYOUT(ehdr, ...) layout(&v, (ehdr), (const char *const[]){ __VA_ARGS__, NULL })

#define TEXT	"55d0c0a00000-55d0c0a05000 r-xp 00002000 fd:00 1234                       /usr/bin/[vdso]"
#define LIBC	"7f98b2c00000-7f98b2c28000 r--p 00000000 fd:00 77                         /lib/libc.so.6 (deleted)"
#define ANON	"7f98b2d00000-7f98b2d05000 rw-p 00000000 00:00 0 "
#define STACK	"7ffc1d8e4000-7ffc1d905000 rw-p 00000000 00:00 0                          [stack]"
#define VVAR	"7f98b2ea3000-7f98b2ea7000 r--p 00000000 00:00 0                          [vvar]"
#define VCLOCK	"7f98b2ea7000-7f98b2ea9000 r--p 00000000 00:00 0                          [vvar_vclock]"
#define VDSO	"7f98b2ea9000-7f98b2eab000 r-xp 00000000 00:00 0                          [vdso]"
#define VSYS	"ffffffffff600000-ffffffffff601000 --xp 00000000 00:00 0                  [vsyscall]"

START_TEST(layouts)
{
	struct hostvdso v;

	ck_assert(LAYOUT(0x7f98b2ea9000, TEXT, LIBC, ANON, VVAR, VCLOCK, VDSO, STACK, VSYS));
	ck_assert_uint_eq(v.start, 0x7f98b2ea3000);
	ck_assert_uint_eq(v.len[0], 0x4000);
	ck_assert_uint_eq(v.len[1], 0x2000);
	ck_assert_uint_eq(v.len[2], 0x2000);
	ck_assert_uint_eq(v.code, 0x6000);
	/* Hosts before 6.13: one mapping of data, above the stack. */
	ck_assert(LAYOUT(0x7ffc1d9d5000, STACK,
	    "7ffc1d9d1000-7ffc1d9d5000 r--p 00000000 00:00 0                          [vvar]",
	    "7ffc1d9d5000-7ffc1d9d7000 r-xp 00000000 00:00 0                          [vdso]", VSYS));
	ck_assert_uint_eq(v.code, 0x4000);
	ck_assert_uint_eq(v.len[2], 0);
}
END_TEST

START_TEST(other_layouts)
{
	struct hostvdso v;

	ck_assert(!LAYOUT(0, TEXT, LIBC, ANON, STACK, VSYS));
	ck_assert(!LAYOUT(0x7f98b2ea9000, TEXT, VVAR, VCLOCK));
	/* Code without data, elsewhere than the host said, behind a gap, before its data. */
	ck_assert(!LAYOUT(0x7f98b2ea9000, VDSO));
	ck_assert(!LAYOUT(0x7f98b2ea8000, VVAR, VCLOCK, VDSO));
	ck_assert(!LAYOUT(0x7f98b2ea9000, VVAR, VDSO));
	ck_assert(!LAYOUT(0x7f98b2ea9000, VVAR, VCLOCK, VDSO,
	    "7f98b2eab000-7f98b2eac000 r--p 00000000 00:00 0                          [vvar_new]"));
	/* More parts than the stub's start has registers for. */
	ck_assert(!LAYOUT(0x7f98b2ea9000,
	    "7f98b2ea3000-7f98b2ea5000 r--p 00000000 00:00 0                          [vvar]",
	    "7f98b2ea5000-7f98b2ea6000 r--p 00000000 00:00 0                          [vvar_a]",
	    "7f98b2ea6000-7f98b2ea9000 r--p 00000000 00:00 0                          [vvar_b]", VDSO));
	/* Writable, or larger than its place. */
	ck_assert(!LAYOUT(0x7f98b2ea9000, VVAR, VCLOCK,
	    "7f98b2ea9000-7f98b2eab000 rwxp 00000000 00:00 0                          [vdso]"));
	ck_assert(!LAYOUT(0x7f98b2ea9000,
	    "7f98b2a00000-7f98b2ea9000 r--p 00000000 00:00 0                          [vvar]", VDSO));
	ck_assert(!LAYOUT(0x7f98b2ea9000, "garbage", "", "x x x x x [vvar]", VDSO));
}
END_TEST

START_TEST(this_process)
{
	uint64_t ehdr = getauxval(AT_SYSINFO_EHDR), at;
	int (*gettime)(clockid_t, struct timespec *);
	struct timespec a, b, c;
	struct hostvdso v;
	int proc = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (ehdr == 0)
		return;
	ck_assert_int_ge(proc, 0);
	ck_assert_int_eq(hostvdso_find(proc, &v), 0);
	ck_assert_uint_eq(v.start + v.code, ehdr);
	ck_assert_uint_le(v.len[0] + v.len[1] + v.len[2], STUB_VDSO_SIZE);
	at = hostvdso_symbol((const char *)(uintptr_t)ehdr, "__vdso_clock_gettime");
	ck_assert_uint_ne(at, 0);
	gettime = (int (*)(clockid_t, struct timespec *))(uintptr_t)(ehdr + at);
	clock_gettime(CLOCK_MONOTONIC, &a);
	ck_assert_int_eq(gettime(CLOCK_MONOTONIC, &b), 0);
	clock_gettime(CLOCK_MONOTONIC, &c);
	ck_assert(a.tv_sec < b.tv_sec || (a.tv_sec == b.tv_sec && a.tv_nsec <= b.tv_nsec));
	ck_assert(b.tv_sec < c.tv_sec || (b.tv_sec == c.tv_sec && b.tv_nsec <= c.tv_nsec));
	ck_assert_uint_eq(hostvdso_symbol((const char *)(uintptr_t)ehdr, "__vdso_clock"), 0);
	ck_assert_int_eq(hostvdso_find(-1, &v), -ENOENT);
	close(proc);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("hostvdso");
	TCase *c = tcase_create("all");
	SRunner *r;
	int failed;

	tcase_add_test(c, layouts);
	tcase_add_test(c, other_layouts);
	tcase_add_test(c, this_process);
	suite_add_tcase(s, c);
	r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
