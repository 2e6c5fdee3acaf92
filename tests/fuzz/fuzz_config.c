/*
 * fuzz_config: config.json from a stranger, and the boot record and process descriptions that the
 * sentry reads.  No input may crash or leak; what the runtime accepts the sentry must be able to read.
 */
#include <stdlib.h>
#include <string.h>

#include "runtime/spec.h"
#include "sentry/bootspec.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
read_record(const char *text, size_t len, bool must)
{
	struct bootspec b;
	char why[256];
	int err = bootspec_parse(text, len, &b, why, sizeof why);

	if (err == 0)
		bootspec_fini(&b);
	else if (must)
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct launch l = LAUNCH_INIT;
	struct spec s = { 0 };
	struct jread r = { 0 };
	struct spec_process p;
	char why[256], *record;

	spec_new_boot(&l, "fuzz");
	s.config = json_read(&r, "config.json", (const char *)data, size);
	if (s.config)
		spec_convert(&r, s.config, "/nonexistent", &s, &l);
	if (!r.failed && json_object_get(l.boot, "process")) {
		json_object_set_new(l.boot, "platform", json_string("systrap"));
		record = json_dumps(l.boot, JSON_COMPACT);
		if (record)
			read_record(record, strlen(record), true);
		free(record);
	}
	read_record((const char *)data, size, false);
	if (spec_process_parse((const char *)data, size, &p, why, sizeof why) == 0)
		spec_process_fini(&p);
	for (unsigned i = 0; i < l.nmounts; i++)
		free(l.mounts[i].source);
	free(l.mounts);
	json_decref(l.boot);
	spec_fini(&s);
	return 0;
}
