/*
 * main: the sentry takes its descriptors, reads the boot record and becomes a kernel.
 *
 * The runtime has already put this process where it lives: own namespaces, an empty root, no
 * capability, nothing open but what base/boot.h lists.
 */
#include "sentry/main.h"

#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/boot.h"
#include "base/hostcall.h"
#include "base/json.h"
#include "base/kmem.h"
#include "base/log.h"
#include "sentry/boot.h"
#include "sentry/bootspec.h"

static struct bootspec spec;

static int
fail(const char *what)
{
	char line[1024];
	struct strbuf sb = STRBUF(line, sizeof line);

	log_error("boot", "%s", what);
	sb_puts(&sb, "{\"error\":");
	sb_json(&sb, what);
	sb_puts(&sb, ",\"exit\":1}\n");
	if (host_pwrite(BOOT_FD_READY, line, sb.len, -1) < 0)
		log_error("boot", "cannot report to the command line");
	return 1;
}

static int
read_spec(struct bootspec *out, char *why, size_t why_size)
{
	struct stat st;
	void *text;
	int err;

	if (fstat(BOOT_FD_SPEC, &st) != 0 || st.st_size <= 0)
		return -EBADF;
	text = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, BOOT_FD_SPEC, 0);
	if (text == MAP_FAILED)
		return -EBADF;
	err = bootspec_parse(text, (size_t)st.st_size, out, why, why_size);
	(void)munmap(text, (size_t)st.st_size);
	(void)close(BOOT_FD_SPEC);
	return err;
}

int
sentry_main(int argc, char **argv)
{
	char why[512] = "cannot read the boot record";
	enum log_level level = LOG_WARN;

	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--debug") == 0)
			level = LOG_DEBUG;
		else if (strcmp(argv[i], "--verbose") == 0)
			level = LOG_INFO;
	}
	(void)prctl(PR_SET_NAME, "village-sentry", 0, 0, 0);
	/* Stubs open their own /proc/self/mem, which only a dumpable process may. */
	(void)prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
	log_init("sentry", BOOT_FD_LOG, level);
	json_set_alloc_funcs(mem_alloc, mem_free);
	json_boot();
	if (read_spec(&spec, why, sizeof why) != 0)
		return fail(why);
	boot(&spec);
}
