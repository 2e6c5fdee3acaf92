/* cmd_list: all containers below the root directory. */
#include <stdlib.h>
#include <string.h>

#include "runtime/state.h"

static const char *
text(const json_t *j, const char *key)
{
	const char *s = json_string_value(json_object_get(j, key));

	return s ? s : "";
}

static void
print_table(const json_t *list)
{
	json_t *j;
	size_t i;
	int id = 2, bundle = 6;

	json_array_foreach(list, i, j) {
		id = max(id, (int)strlen(text(j, "id")));
		bundle = max(bundle, (int)strlen(text(j, "bundle")));
	}
	printf("%-*s   %-9s   %-8s   %-*s   %-30s   %s\n", id, "ID", "PID", "STATUS", bundle, "BUNDLE", "CREATED",
	    "OWNER");
	json_array_foreach(list, i, j)
		printf("%-*s   %-9d   %-8s   %-*s   %-30s   %s\n", id, text(j, "id"),
		    (int)json_integer_value(json_object_get(j, "pid")), text(j, "status"), bundle,
		    text(j, "bundle"), text(j, "created"), text(j, "owner"));
}

int
cmd_list(int argc, char **argv)
{
	bool quiet = false;
	char table[] = "table", *format = table;
	const struct opt opts[] = {
		{ 'f', "format", "FORMAT", "table or json", OPT_STR, &format },
		{ 'q', "quiet", NULL, "only the ids", OPT_FLAG, &quiet },
		OPT_END
	};
	struct strlist ids = { 0 };
	struct err err = { 0 };
	json_t *list = json_array();

	if (opt_parse(opts, argc, argv, false) < 0)
		return 1;
	if (strcmp(format, "table") != 0 && strcmp(format, "json") != 0)
		return fail("list: --format %s: must be table or json", format);
	if (state_list(&ids, &err) != 0)
		return err_report(&err);
	for (unsigned i = 0; i < ids.n; i++) {
		struct state s = STATE_INIT;

		if (quiet) {
			puts(ids.v[i]);
		} else if (state_open(ids.v[i], false, &s, &err) == 0) {
			json_array_append_new(list, state_oci(&s));
			state_close(&s);
		}
	}
	if (quiet)
		return 0;
	if (strcmp(format, "json") == 0) {
		(void)json_dumpf(list, stdout, JSON_COMPACT);
		putchar('\n');
	} else {
		print_table(list);
	}
	json_decref(list);
	return 0;
}
