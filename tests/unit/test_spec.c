/* spec: config.json as the runtime reads it, the boot record as the sentry does, users and options. */
#include <check.h>
#undef fail		/* an old name of the library's, and one of ours */
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>

#include "runtime/spec.h"
#include "runtime/specmount.h"
#include "runtime/users.h"
#include "sentry/bootspec.h"

#define ROOT	"\"root\": {\"path\": \"/\"}"
#define PROCESS	"\"process\": {\"args\": [\"sh\"], \"cwd\": \"/\"}"
#define BASE	ROOT ", " PROCESS

static struct launch l;
static struct spec s;
static struct jread r;

static void
convert(const char *text)
{
	static const struct launch blank = LAUNCH_INIT;

	l = blank;
	memset(&s, 0, sizeof s);
	memset(&r, 0, sizeof r);
	spec_new_boot(&l, "unit");
	s.config = json_read(&r, "config.json", text, strlen(text));
	if (s.config)
		spec_convert(&r, s.config, "/bundle", &s, &l);
}

static void
done(void)
{
	for (unsigned i = 0; i < l.nmounts; i++)
		free(l.mounts[i].source);
	free(l.mounts);
	json_decref(l.boot);
	spec_fini(&s);
}

/* The whole way: what the sentry makes of it. */
static void
to_sentry(struct bootspec *b)
{
	char why[256] = "", *text;

	json_object_set_new(l.boot, "platform", json_string("systrap"));
	text = json_dumps(l.boot, JSON_COMPACT);
	ck_assert_ptr_nonnull(text);
	ck_assert_msg(bootspec_parse(text, strlen(text), b, why, sizeof why) == 0, "%s", why);
	free(text);
}

static const struct { const char *text, *why; } wrong[] = {
	{ "", "config.json:1:0: '[' or '{' expected near end of file" },
	{ "{", "config.json:1:1: string or '}' expected near end of file" },
	{ "{\n\"root\": }", "config.json:2:9: unexpected token near '}'" },
	{ "[]", "must be an object" },
	{ "{}", "root.path: is missing" },
	{ "{\"root\": 3}", "root: must be an object" },
	{ "{\"root\": {\"path\": 7}}", "root.path: must be a string" },
	{ "{\"root\": {\"path\": \"nosuch\"}}", "root.path: /bundle/nosuch: no such file or directory" },
	{ "{\"root\": {\"path\": \"/etc/passwd\"}, " PROCESS "}", "root.path: /etc/passwd: not a directory" },
	{ "{\"root\": {\"path\": \"/\", \"readonly\": 1}}", "root.readonly: must be true or false" },
	{ "{" ROOT "}", "process: is missing" },
	{ "{" ROOT ", \"process\": {}}", "process.args: is missing or empty" },
	{ "{" ROOT ", \"process\": {\"args\": []}}", "process.args: is missing or empty" },
	{ "{" ROOT ", \"process\": {\"args\": [\"a\", 2]}}", "process.args[1]: must be a string" },
	{ "{" ROOT ", \"process\": {\"args\": [\"a\"], \"cwd\": \"x\"}}", "process.cwd: x is not an absolute path" },
	{ "{" ROOT ", \"process\": {\"args\": [\"a\"], \"user\": {\"uid\": -1}}}",
	  "process.user.uid: must be a whole number from 0 to 4294967294" },
	{ "{" ROOT ", \"process\": {\"args\": [\"a\"], \"user\": {\"uid\": 1.5}}}",
	  "process.user.uid: must be a whole number from 0 to 4294967294" },
	{ "{" ROOT ", \"process\": {\"args\": [\"a\"], \"user\": {\"additionalGids\": [\"x\"]}}}",
	  "process.user.additionalGids[0]: must be a group number" },
	{ "{" ROOT ", \"process\": {\"args\": [\"a\"], \"rlimits\": [{\"type\": \"RLIMIT_X\"}]}}",
	  "process.rlimits[0].type: RLIMIT_X is not a resource limit" },
	{ "{" ROOT ", \"process\": {\"args\": [\"a\"], \"rlimits\": [{\"type\": \"RLIMIT_CPU\", \"soft\": 2, \"hard\": 1}]}}",
	  "process.rlimits[0].soft: must not exceed hard" },
	{ "{" BASE ", \"ociVersion\": \"2.0.0\"}", "ociVersion: 2.0.0 is not supported" },
	{ "{" BASE ", \"mounts\": {}}", "mounts: must be an array" },
	{ "{" BASE ", \"mounts\": [7]}", "mounts[0]: must be an object" },
	{ "{" BASE ", \"mounts\": [{\"type\": \"proc\"}]}", "mounts[0].destination: is missing" },
	{ "{" BASE ", \"mounts\": [{\"destination\": \"/x\"}]}", "mounts[0].type: is missing" },
	{ "{" BASE ", \"mounts\": [{\"destination\": \"/x\", \"type\": \"bind\"}]}", "mounts[0].source: is missing" },
	{ "{" BASE ", \"mounts\": [{\"destination\": \"/x\", \"type\": \"bind\", \"source\": \"/nosuch\"}]}",
	  "mounts[0].source: /nosuch: no such file or directory" },
	{ "{" BASE ", \"mounts\": [{\"destination\": \"/x\", \"type\": \"proc\", \"options\": [1]}]}",
	  "mounts[0].options[0]: must be a string" },
	{ "{" BASE ", \"linux\": {\"namespaces\": [{\"type\": \"moon\"}]}}",
	  "linux.namespaces[0].type: moon is not a kind of namespace" },
	{ "{" BASE ", \"linux\": {\"sysctl\": {\"a\": 1}}}", "linux.sysctl.a: must be a string" },
	{ "{" BASE ", \"hooks\": {\"poststop\": [{\"path\": \"rel\"}]}}",
	  "hooks.poststop[0].path: must be an absolute path" },
	{ "{" BASE ", \"hooks\": {\"startContainer\": [{\"path\": \"/x\"}]}}",
	  "hooks.startContainer: hooks inside the sandbox are not supported" },
};

START_TEST(mistakes_are_named)
{
	convert(wrong[_i].text);
	ck_assert_msg(r.failed, "accepted: %s", wrong[_i].text);
	ck_assert_str_eq(r.why, wrong[_i].why);
	done();
}
END_TEST

START_TEST(a_process_reaches_the_sentry)
{
	struct bootspec b;

	convert("{\"ociVersion\": \"1.0.2\", \"unknown\": [1], \"hostname\": \"h\\u00e9\", " ROOT ","
	    "\"process\": {\"args\": [\"a\", \"\\u00fc\\u20ac\", \"\"], \"env\": [\"K=V\"], \"cwd\": \"/tmp\", \"terminal\": true,"
	    "\"consoleSize\": {\"height\": 24, \"width\": 80}, \"noNewPrivileges\": true,"
	    "\"user\": {\"uid\": 7, \"gid\": 8, \"umask\": 63, \"additionalGids\": [9, 10]},"
	    "\"capabilities\": {\"bounding\": [\"CAP_CHOWN\", \"CAP_KILL\"], \"effective\": [\"CAP_CHECKPOINT_RESTORE\"]},"
	    "\"rlimits\": [{\"type\": \"RLIMIT_NOFILE\", \"soft\": 5, \"hard\": 18446744073709551615}]}}");
	ck_assert_msg(!r.failed, "%s", r.why);
	ck_assert(s.terminal);
	to_sentry(&b);
	ck_assert_str_eq(b.hostname, "h\xc3\xa9");
	ck_assert_str_eq(b.process.args[1], "\xc3\xbc\xe2\x82\xac");
	ck_assert_str_eq(b.process.args[2], "");
	ck_assert_ptr_null(b.process.args[3]);
	ck_assert_str_eq(b.process.env[0], "K=V");
	ck_assert_str_eq(b.process.cwd, "/tmp");
	ck_assert_uint_eq(b.process.uid, 7);
	ck_assert_uint_eq(b.process.gid, 8);
	ck_assert_uint_eq(b.process.umask, 077);
	ck_assert_uint_eq(b.process.ngroups, 2);
	ck_assert_uint_eq(b.process.groups[1], 10);
	ck_assert_uint_eq(b.process.cap_bounding, 1 | 1 << 5);
	ck_assert(b.process.cap_effective == 1ULL << 40);
	ck_assert(b.process.no_new_privs && b.process.terminal);
	ck_assert_uint_eq(b.process.rows, 24);
	ck_assert_uint_eq(b.process.cols, 80);
	ck_assert_uint_eq(b.process.nrlimits, 1);
	ck_assert_uint_eq(b.process.rlimits[0].resource, 7);
	ck_assert_uint_eq(b.process.rlimits[0].soft, 5);
	ck_assert(b.process.rlimits[0].hard == UINT64_MAX);
	bootspec_fini(&b);
	done();
}
END_TEST

START_TEST(mounts_reach_both)
{
	struct bootspec b;

	convert("{\"root\": {\"path\": \"/\", \"readonly\": true}, " PROCESS ", \"mounts\": ["
	    "{\"destination\": \"/proc\", \"type\": \"proc\", \"source\": \"proc\", \"options\": null},"
	    "{\"destination\": \"/t\", \"type\": \"tmpfs\", \"options\": [\"nosuid\", \"size=64k\", \"noexec\", \"mode=700\", \"exec\"]},"
	    "{\"destination\": \"/d\", \"source\": \"/etc\", \"options\": [\"rbind\", \"ro\", \"rprivate\"]},"
	    "{\"destination\": \"f\", \"type\": \"bind\", \"source\": \"/etc/passwd\", \"options\": [\"ro\", \"rw\"]}]}");
	ck_assert_msg(!r.failed, "%s", r.why);
	ck_assert_uint_eq(l.nmounts, 3);
	ck_assert(l.mounts[0].readonly && l.mounts[1].readonly && !l.mounts[2].readonly);
	to_sentry(&b);
	ck_assert(b.overlay && b.root_readonly);
	ck_assert_uint_eq(b.nmounts, 5);
	ck_assert_str_eq(b.mounts[0].type, "gofer");
	ck_assert_str_eq(b.mounts[0].dest, "/");
	ck_assert_str_eq(b.mounts[1].type, "proc");
	ck_assert_str_eq(b.mounts[2].options, "size=64k,mode=700");
	ck_assert_uint_eq(b.mounts[2].flags, MS_NOSUID);
	ck_assert_str_eq(b.mounts[2].source, "tmpfs");
	ck_assert_uint_eq(b.mounts[3].index, 1);
	ck_assert(b.mounts[3].shared && !b.mounts[3].is_file);
	ck_assert_uint_eq(b.mounts[3].flags, MS_RDONLY);
	ck_assert_str_eq(b.mounts[4].dest, "/f");
	ck_assert(b.mounts[4].is_file);
	ck_assert_uint_eq(b.mounts[4].flags, 0);
	bootspec_fini(&b);
	done();
}
END_TEST

START_TEST(limits_and_paths)
{
	struct bootspec b;

	convert("{" BASE ", \"linux\": {\"maskedPaths\": [\"/proc/kcore\"], \"readonlyPaths\": [\"/proc/sys\", \"/b\"],"
	    "\"sysctl\": {\"net.x\": \"1\"}, \"resources\": {\"memory\": {\"limit\": 1048576}, \"pids\": {\"limit\": -1}},"
	    "\"namespaces\": [{\"type\": \"pid\"}, {\"type\": \"network\", \"path\": \"/x\"}]}}");
	ck_assert_msg(!r.failed, "%s", r.why);
	to_sentry(&b);
	ck_assert_str_eq(b.masked_paths[0], "/proc/kcore");
	ck_assert_str_eq(b.readonly_paths[1], "/b");
	ck_assert_uint_eq(b.nsysctls, 1);
	ck_assert_str_eq(b.sysctls[0].key, "net.x");
	ck_assert_uint_eq(b.memory_limit, 1048576);
	ck_assert_uint_eq(b.pids_limit, 0);
	bootspec_fini(&b);
	done();
}
END_TEST

START_TEST(bytes_survive)
{
	char all[256], back[600];
	json_t *j;

	for (int i = 0; i < 255; i++)
		all[i] = (char)(i + 1);
	all[255] = '\0';
	j = json_bytes(all);
	ck_assert_ptr_nonnull(j);
	strcpy(back, json_string_value(j));
	json_bytes_decode(back);
	ck_assert_str_eq(back, all);
	json_decref(j);
}
END_TEST

START_TEST(quoting_is_json)
{
	char buf[256];
	struct strbuf sb = STRBUF(buf, sizeof buf);

	sb_json(&sb, "a\"\\\n\x01\xff\xc3\xa9\xed\xa0\x80z");
	ck_assert_str_eq(buf, "\"a\\\"\\\\\\n\\u0001\\ufffd\xc3\xa9\\ufffd\\ufffd\\ufffdz\"");
}
END_TEST

START_TEST(broken_records_are_refused)
{
	static const char *const bad[] = {
		"", "[]", "{}", "{\"platform\":\"x\"}", "{\"platform\":\"x\",\"mounts\":[]}",
		"{\"platform\":\"x\",\"mounts\":[{\"type\":\"t\",\"dest\":\"rel\"}],\"process\":{\"args\":[\"a\"]}}",
		"{\"platform\":\"x\",\"mounts\":[{\"type\":\"t\",\"dest\":\"/\"}],\"process\":{\"args\":[]}}",
		"{\"platform\":\"x\",\"mounts\":[{\"type\":\"t\",\"dest\":\"/\"}],\"process\":{\"args\":[\"a\"],\"rows\":70000}}",
	};
	struct bootspec b;
	char why[128];

	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		ck_assert_int_eq(bootspec_parse(bad[i], strlen(bad[i]), &b, why, sizeof why), -EINVAL);
}
END_TEST

static const char passwd[] = "root:x:0:0:root:/root:/bin/sh\nbroken\nbad:x:y:z:::\nann:x:1000:100:Ann:/home/ann:/bin/sh\n";
static const char group[] = "root:x:0:\nusers:x:100:\naudio:x:29:bob,ann\nvideo:x:44:annette\nlp:x:7:ann\n";

START_TEST(users_by_name_and_number)
{
	struct user u;
	struct err err;

	ck_assert_int_eq(user_parse(passwd, group, "ann", &u, &err), 0);
	ck_assert_uint_eq(u.uid, 1000);
	ck_assert_uint_eq(u.gid, 100);
	ck_assert_str_eq(u.home, "/home/ann");
	ck_assert_uint_eq(u.ngroups, 2);
	ck_assert_uint_eq(u.groups[0], 29);
	ck_assert_uint_eq(u.groups[1], 7);
	ck_assert_int_eq(user_parse(passwd, group, "1000:audio", &u, &err), 0);
	ck_assert_uint_eq(u.gid, 29);
	ck_assert_uint_eq(u.ngroups, 0);
	ck_assert_int_eq(user_parse(NULL, NULL, "5:6", &u, &err), 0);
	ck_assert_uint_eq(u.uid, 5);
	ck_assert_uint_eq(u.gid, 6);
	ck_assert_int_lt(user_parse(passwd, group, "bad", &u, &err), 0);
	ck_assert_int_lt(user_parse(passwd, group, "nobody", &u, &err), 0);
	ck_assert_str_eq(err.text, "unable to find user nobody: no matching entries in passwd file");
	ck_assert_int_lt(user_parse(passwd, group, "ann:nogroup", &u, &err), 0);
	ck_assert_int_lt(user_parse(passwd, group, "99999999999", &u, &err), 0);
}
END_TEST

START_TEST(options_are_parsed)
{
	char name[] = "run", a[] = "-b", b[] = "dir", c[] = "--flag", d[] = "id", e[] = "--list=1", f[] = "--list", g[] = "2";
	char *argv[] = { name, a, b, c, e, d, f, g, NULL };
	char *bundle = NULL;
	bool flag = false;
	struct strlist list = { 0 };
	const struct opt opts[] = {
		{ 'b', "bundle", "DIR", "", OPT_STR, &bundle }, { 0, "flag", NULL, "", OPT_FLAG, &flag },
		{ 0, "list", "X", "", OPT_LIST, &list }, OPT_END
	};

	ck_assert_int_eq(opt_parse(opts, 8, argv, true), 5);
	ck_assert_str_eq(bundle, "dir");
	ck_assert(flag);
	ck_assert_uint_eq(list.n, 1);
	ck_assert_int_eq(opt_parse(opts, 8, argv, false), 7);
	ck_assert_uint_eq(list.n, 3);
	ck_assert_str_eq(argv[7], "id");
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("spec");
	TCase *tc = tcase_create("spec");
	SRunner *sr = srunner_create(suite);
	int failed;

	tcase_add_loop_test(tc, mistakes_are_named, 0, (int)ARRAY_LEN(wrong));
	tcase_add_test(tc, a_process_reaches_the_sentry);
	tcase_add_test(tc, mounts_reach_both);
	tcase_add_test(tc, limits_and_paths);
	tcase_add_test(tc, bytes_survive);
	tcase_add_test(tc, quoting_is_json);
	tcase_add_test(tc, broken_records_are_refused);
	tcase_add_test(tc, users_by_name_and_number);
	tcase_add_test(tc, options_are_parsed);
	suite_add_tcase(suite, tc);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
