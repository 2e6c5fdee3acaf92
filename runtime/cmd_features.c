/* cmd_features, cmd_syscalls: what this runtime and its kernel can do, for programs and for people. */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/json.h"
#include "runtime/runtime.h"
#include "sentry/syscall/syscall.h"

static const char features[] =
"{\n"
"  \"ociVersionMin\": \"1.0.0\",\n"
"  \"ociVersionMax\": \"" OCI_VERSION "\",\n"
"  \"hooks\": [\"prestart\", \"createRuntime\", \"poststart\", \"poststop\"],\n"
"  \"mountOptions\": [\"async\", \"atime\", \"bind\", \"defaults\", \"dev\", \"diratime\", \"dirsync\", \"exec\",\n"
"    \"noatime\", \"nodev\", \"nodiratime\", \"noexec\", \"norelatime\", \"nostrictatime\", \"nosuid\", \"private\",\n"
"    \"rbind\", \"relatime\", \"ro\", \"rprivate\", \"rshared\", \"rslave\", \"runbindable\", \"rw\", \"shared\", \"slave\",\n"
"    \"strictatime\", \"suid\", \"sync\", \"unbindable\"],\n"
"  \"linux\": {\n"
"    \"namespaces\": [\"cgroup\", \"ipc\", \"mount\", \"network\", \"pid\", \"user\", \"uts\"],\n"
"    \"cgroup\": { \"v1\": false, \"v2\": false, \"systemd\": false },\n"
"    \"seccomp\": { \"enabled\": false },\n"
"    \"apparmor\": { \"enabled\": false },\n"
"    \"selinux\": { \"enabled\": false }\n"
"  },\n"
"  \"annotations\": { \"village.version\": \"" VILLAGE_VERSION "\" }\n"
"}\n";

int
cmd_features(int argc, char **argv)
{
	const struct opt opts[] = { OPT_END };

	if (opt_parse(opts, argc, argv, false) < 0)
		return 1;
	fputs(features, stdout);
	return 0;
}

static const char *
text(const json_t *j, const char *key)
{
	const char *s = json_string_value(json_object_get(j, key));

	return s ? s : "";
}

/* docs/syscalls.md, from the same rows as the JSON. */
static int
print_markdown(void)
{
	int fd = memfd_create("village-syscalls", MFD_CLOEXEC);
	char *path, *json = NULL;
	struct jread r = { 0 };
	json_t *list, *j;
	size_t i, len = 0;

	if (fd < 0)
		return fail("syscalls: cannot make a file in memory");
	syscalls_print(fd, true);
	path = xasprintf("/proc/self/fd/%d", fd);
	if (text_read(-1, path, 16u << 20, &json, &len) != 0)
		return fail("syscalls: cannot read the table back");
	list = json_read(&r, "syscalls", json, len);
	if (list == NULL)
		return fail("%s", r.why);
	puts("# System calls\n\nMade by `village syscalls --markdown` from the declarations in "
	    "sentry/syscall/syscalls.def.\n\n| number | name | support | note |\n|---|---|---|---|");
	json_array_foreach(list, i, j)
		printf("| %d | %s | %s | %s |\n", (int)json_integer_value(json_object_get(j, "number")),
		    text(j, "name"), text(j, "support"), text(j, "note"));
	json_decref(list);
	free(json);
	free(path);
	(void)close(fd);
	return 0;
}

int
cmd_syscalls(int argc, char **argv)
{
	bool json = false, markdown = false;
	const struct opt opts[] = {
		{ 0, "json", NULL, "as JSON", OPT_FLAG, &json },
		{ 0, "markdown", NULL, "as a page of the documentation", OPT_FLAG, &markdown },
		OPT_END
	};

	if (opt_parse(opts, argc, argv, false) < 0)
		return 1;
	if (markdown)
		return print_markdown();
	fflush(stdout);
	syscalls_print(STDOUT_FILENO, json);
	return 0;
}
