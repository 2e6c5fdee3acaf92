/* cred: capabilities(7) in numbers, as credentials change by ids and by exec. */
#include <check.h>
#include <linux/capability.h>
#include <linux/securebits.h>
#include <stdlib.h>
#include <string.h>

#include "sentry/kernel/cred.h"

#define BIT(cap)	(1ULL << (cap))

static struct cred *c, *n;
static struct exec_gain gain;

static void
start(uint32_t uid)
{
	ck_assert_int_eq(cred_new(CAP_FULL, &c), 0);
	c->uid = c->euid = c->suid = c->fsuid = uid;
	c->gid = c->egid = c->sgid = c->fsgid = uid;
	if (uid == 0)
		c->permitted = c->effective = CAP_FULL;
	n = NULL;
}

static void
end(void)
{
	cred_put(c);
	cred_put(n);
	ck_assert_uint_eq(ref_census(OBJ_cred), 0);
}

START_TEST(groups_are_found)
{
	uint32_t g[] = { 30, 10, 20 };

	start(5);
	ck_assert_int_eq(cred_set_groups(c, g, 3), 0);
	ck_assert(cred_in_group(c, 5) && cred_in_group(c, 10) && cred_in_group(c, 30));
	ck_assert(!cred_in_group(c, 15));
	ck_assert_int_eq(cred_copy(c, &n), 0);
	ck_assert(n->groups != c->groups && cred_in_group(n, 20));
	end();
}
END_TEST

/* As many as there may be: nothing in the way needs the host. */
START_TEST(many_groups_are_found)
{
	static uint32_t g[65536];

	for (uint32_t i = 0; i < ARRAY_LEN(g); i++)
		g[i] = (i * 40503u & 0xffff) * 2 + 100000;
	start(5);
	for (uint32_t count = 1; count <= ARRAY_LEN(g); count = count < 10 ? count + 1 : count * 2 - count % 3) {
		ck_assert_int_eq(cred_set_groups(c, g, count), 0);
		for (uint32_t i = 0; i < count; i++)
			ck_assert(cred_in_group(c, g[i]) && !cred_in_group(c, g[i] + 1));
	}
	end();
}
END_TEST

START_TEST(root_loses_capabilities_with_its_ids)
{
	start(0);
	ck_assert_int_eq(cred_copy(c, &n), 0);
	n->uid = n->euid = n->suid = n->fsuid = 1000;
	cred_fix_uids(n, c);
	ck_assert_uint_eq(n->permitted, 0);
	ck_assert_uint_eq(n->effective, 0);
	end();
}
END_TEST

START_TEST(keepcaps_keeps_the_permitted)
{
	start(0);
	ck_assert_int_eq(cred_copy(c, &n), 0);
	n->securebits = SECBIT_KEEP_CAPS;
	n->uid = n->euid = n->suid = 1000;
	cred_fix_uids(n, c);
	ck_assert_uint_eq(n->permitted, CAP_FULL);
	ck_assert_uint_eq(n->effective, 0);
	end();
}
END_TEST

START_TEST(seteuid_drops_and_regains)
{
	struct cred *back;

	start(0);
	ck_assert_int_eq(cred_copy(c, &n), 0);
	n->euid = 1000;
	cred_fix_uids(n, c);
	ck_assert_uint_eq(n->effective, 0);
	ck_assert_uint_eq(n->permitted, CAP_FULL);
	ck_assert_int_eq(cred_copy(n, &back), 0);
	back->euid = 0;
	cred_fix_uids(back, n);
	ck_assert_uint_eq(back->effective, CAP_FULL);
	cred_put(back);
	end();
}
END_TEST

START_TEST(exec_as_root_gives_all)
{
	struct exec_attr a = { .mode = 0755 };

	start(0);
	c->bounding = BIT(CAP_CHOWN) | BIT(CAP_KILL);
	ck_assert_int_eq(cred_exec(c, &a, &n, &gain), 0);
	ck_assert_uint_eq(n->permitted, c->bounding);
	ck_assert_uint_eq(n->effective, c->bounding);
	ck_assert(!gain.secure);
	end();
}
END_TEST

START_TEST(exec_as_user_gives_none)
{
	struct exec_attr a = { .mode = 0755 };

	start(1000);
	c->permitted = c->effective = BIT(CAP_KILL);
	ck_assert_int_eq(cred_exec(c, &a, &n, &gain), 0);
	ck_assert_uint_eq(n->permitted, 0);
	ck_assert_uint_eq(n->effective, 0);
	ck_assert(!gain.secure);
	end();
}
END_TEST

START_TEST(setuid_root_gives_all_and_is_secure)
{
	struct exec_attr a = { .mode = 04755 };

	start(1000);
	ck_assert_int_eq(cred_exec(c, &a, &n, &gain), 0);
	ck_assert_uint_eq(n->uid, 1000);
	ck_assert_uint_eq(n->euid, 0);
	ck_assert_uint_eq(n->suid, 0);
	ck_assert_uint_eq(n->fsuid, 0);
	ck_assert_uint_eq(n->effective, CAP_FULL);
	ck_assert(gain.secure);
	end();
}
END_TEST

START_TEST(nosuid_and_no_new_privs_ignore_the_bits)
{
	struct exec_attr a = { .mode = 06755, .nosuid = true };

	start(1000);
	ck_assert_int_eq(cred_exec(c, &a, &n, &gain), 0);
	ck_assert_uint_eq(n->euid, 1000);
	ck_assert(!gain.secure);
	cred_put(n);
	a.nosuid = false;
	c->no_new_privs = true;
	ck_assert_int_eq(cred_exec(c, &a, &n, &gain), 0);
	ck_assert_uint_eq(n->euid, 1000);
	ck_assert_uint_eq(n->permitted, 0);
	end();
}
END_TEST

START_TEST(nothing_is_gained_beside_others)
{
	struct exec_attr a = { .mode = 06755, .gid = 7, .shared = true };

	start(1000);
	ck_assert_int_eq(cred_exec(c, &a, &n, &gain), 0);
	ck_assert_uint_eq(n->euid, 1000);
	ck_assert_uint_eq(n->egid, 1000);
	ck_assert_uint_eq(n->permitted, 0);
	ck_assert(gain.any && gain.plain && gain.secure);
	end();
}
END_TEST

START_TEST(root_without_capabilities_stays_so_with_no_new_privs)
{
	struct exec_attr a = { .mode = 0755 };

	start(0);
	c->permitted = c->effective = 0;
	ck_assert_int_eq(cred_exec(c, &a, &n, &gain), 0);
	ck_assert_uint_eq(n->permitted, c->bounding);
	cred_put(n);
	c->no_new_privs = true;
	ck_assert_int_eq(cred_exec(c, &a, &n, &gain), 0);
	ck_assert_uint_eq(n->permitted, 0);
	ck_assert_uint_eq(n->effective, 0);
	end();
}
END_TEST

/* What a program does not change is nothing that could be taken back: ids that differ already, a group it is in. */
START_TEST(what_it_had_it_keeps)
{
	struct exec_attr plain = { .mode = 0755 }, sgid = { .mode = 02755, .gid = 7, .shared = true };
	uint32_t group = 7;

	start(1000);
	c->euid = c->suid = c->fsuid = 2000;
	c->no_new_privs = true;
	ck_assert_int_eq(cred_exec(c, &plain, &n, &gain), 0);
	ck_assert_uint_eq(n->euid, 2000);
	ck_assert(gain.secure && !gain.any);
	cred_put(n);
	c->no_new_privs = false;
	ck_assert_int_eq(cred_exec(c, &sgid, &n, &gain), 0);
	ck_assert_uint_eq(n->egid, 1000);
	cred_put(n);
	ck_assert_int_eq(cred_set_groups(c, &group, 1), 0);
	ck_assert_int_eq(cred_exec(c, &sgid, &n, &gain), 0);
	ck_assert_uint_eq(n->egid, 7);
	ck_assert(gain.secure);
	end();
}
END_TEST

START_TEST(setgid_needs_group_execution)
{
	struct exec_attr a = { .mode = 02745, .gid = 7 };

	start(1000);
	ck_assert_int_eq(cred_exec(c, &a, &n, &gain), 0);
	ck_assert_uint_eq(n->egid, 1000);
	cred_put(n);
	a.mode = 02755;
	ck_assert_int_eq(cred_exec(c, &a, &n, &gain), 0);
	ck_assert_uint_eq(n->egid, 7);
	ck_assert(gain.secure);
	end();
}
END_TEST

START_TEST(file_capabilities)
{
	struct exec_attr a = { .mode = 0755, .has_caps = true, .caps_effective = true,
		.permitted = BIT(CAP_NET_RAW) };

	start(1000);
	ck_assert_int_eq(cred_exec(c, &a, &n, &gain), 0);
	ck_assert_uint_eq(n->permitted, BIT(CAP_NET_RAW));
	ck_assert_uint_eq(n->effective, BIT(CAP_NET_RAW));
	ck_assert(gain.secure);
	cred_put(n);
	n = NULL;
	/* More than the bounding set allows: better not to run. */
	c->bounding = 0;
	ck_assert_int_eq(cred_exec(c, &a, &n, &gain), -EPERM);
	end();
}
END_TEST

START_TEST(ambient_survives_plain_exec_only)
{
	struct exec_attr a = { .mode = 0755 };

	start(1000);
	c->permitted = c->inheritable = c->ambient = BIT(CAP_KILL);
	ck_assert_int_eq(cred_exec(c, &a, &n, &gain), 0);
	ck_assert_uint_eq(n->ambient, BIT(CAP_KILL));
	ck_assert_uint_eq(n->effective, BIT(CAP_KILL));
	ck_assert(!gain.secure);
	cred_put(n);
	a.mode = 04755;
	a.uid = 2000;
	ck_assert_int_eq(cred_exec(c, &a, &n, &gain), 0);
	ck_assert_uint_eq(n->ambient, 0);
	end();
}
END_TEST

START_TEST(capability_xattr)
{
	struct vfs_cap_data d = { .magic_etc = VFS_CAP_REVISION_2 | VFS_CAP_FLAGS_EFFECTIVE };
	struct exec_attr a = { 0 };

	d.data[0].permitted = 1U << CAP_NET_RAW;
	d.data[1].permitted = 1U << (CAP_SYSLOG - 32);
	ck_assert_int_eq(exec_attr_caps(&a, &d, sizeof d), 0);
	ck_assert(a.has_caps && a.caps_effective);
	ck_assert_uint_eq(a.permitted, BIT(CAP_NET_RAW) | BIT(CAP_SYSLOG));
	for (size_t len = 0; len < sizeof d; len++)
		ck_assert_int_eq(exec_attr_caps(&a, &d, len), -EINVAL);
	d.magic_etc = 0x09000000;
	ck_assert_int_eq(exec_attr_caps(&a, &d, sizeof d), -EINVAL);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("cred");
	TCase *t = tcase_create("all");
	SRunner *r;
	int failed;

	tcase_add_test(t, groups_are_found);
	tcase_add_test(t, many_groups_are_found);
	tcase_add_test(t, root_loses_capabilities_with_its_ids);
	tcase_add_test(t, keepcaps_keeps_the_permitted);
	tcase_add_test(t, seteuid_drops_and_regains);
	tcase_add_test(t, exec_as_root_gives_all);
	tcase_add_test(t, exec_as_user_gives_none);
	tcase_add_test(t, setuid_root_gives_all_and_is_secure);
	tcase_add_test(t, nosuid_and_no_new_privs_ignore_the_bits);
	tcase_add_test(t, nothing_is_gained_beside_others);
	tcase_add_test(t, root_without_capabilities_stays_so_with_no_new_privs);
	tcase_add_test(t, what_it_had_it_keeps);
	tcase_add_test(t, setgid_needs_group_execution);
	tcase_add_test(t, file_capabilities);
	tcase_add_test(t, ambient_survives_plain_exec_only);
	tcase_add_test(t, capability_xattr);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
