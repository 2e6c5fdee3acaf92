/* cmd_ps, cmd_pause, cmd_resume, cmd_debug: questions and wishes that the sentry answers. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/hostcall.h"
#include "runtime/client.h"
#include "runtime/state.h"

/* Opens the container and sends one request. */
static int
ask(const char *id, const char *op, json_t **reply, struct err *err)
{
	struct state s = STATE_INIT;
	int conn, e = state_open(id, false, &s, err);

	if (e)
		return e;
	if (strcmp(state_status(&s), "stopped") == 0) {
		state_close(&s);
		return err_set(err, 0, "container not running");
	}
	conn = client_open_at(s.dir, err);
	e = conn < 0 ? conn : client_call(conn, json_pack("{s:s}", "op", op), NULL, 0, CLIENT_PATIENCE, reply, err);
	if (conn >= 0)
		(void)close(conn);
	state_close(&s);
	return e;
}

/* The text of an answer, fit for a terminal; "" when it has none. */
static char *
reply_text(const json_t *reply)
{
	const char *text = json_string_value(json_object_get(reply, "text"));

	char *copy = xstrdup(text ? text : "");

	text_clean(copy);
	return copy;
}

/* Lines of "PID PPID STATE COMMAND". */
static void
print_pids(const char *text)
{
	json_t *list = json_array();

	while (*text) {
		const char *end = strchrnul(text, '\n');
		long pid = strtol(text, NULL, 10);

		if (pid > 0)
			json_array_append_new(list, json_integer(pid));
		text = *end ? end + 1 : end;
	}
	(void)json_dumpf(list, stdout, JSON_COMPACT);
	putchar('\n');
	json_decref(list);
}

static void
print_processes(const char *text)
{
	printf("%7s %7s S COMMAND\n", "PID", "PPID");
	while (*text) {
		const char *end = strchrnul(text, '\n');
		char *name;
		long pid = strtol(text, &name, 10), parent = strtol(name, &name, 10);

		printf("%7ld %7ld%.*s\n", pid, parent, (int)(end - name), name);
		text = *end ? end + 1 : end;
	}
}

int
cmd_ps(int argc, char **argv)
{
	char table[] = "table", *format = table;
	const struct opt opts[] = {
		{ 'f', "format", "FORMAT", "table or json (pids inside the container)", OPT_STR, &format },
		OPT_END
	};
	struct err err = { 0 };
	json_t *reply = NULL;
	char *text;
	int first = opt_parse(opts, argc, argv, false);

	if (first < 0)
		return 1;
	if (first == argc)
		return fail("ps: needs a container id");
	if (ask(argv[first], "ps", &reply, &err) != 0)
		return err_report(&err);
	text = reply_text(reply);
	if (strcmp(format, "json") == 0)
		print_pids(text);
	else
		print_processes(text);
	free(text);
	json_decref(reply);
	return 0;
}

static int
simple(int argc, char **argv)
{
	const struct opt opts[] = { OPT_END };
	struct err err = { 0 };
	int first = opt_parse(opts, argc, argv, false);

	if (first < 0)
		return 1;
	if (argc - first != 1)
		return fail("%s: needs one container id", argv[0]);
	return ask(argv[first], argv[0], NULL, &err) != 0 ? err_report(&err) : 0;
}

int
cmd_pause(int argc, char **argv)
{
	return simple(argc, argv);
}

int
cmd_resume(int argc, char **argv)
{
	return simple(argc, argv);
}

int
cmd_debug(int argc, char **argv)
{
	const struct opt opts[] = { OPT_END };
	struct err err = { 0 };
	json_t *reply = NULL;
	char *text;
	int first = opt_parse(opts, argc, argv, false);

	if (first < 0)
		return 1;
	if (argc - first != 1)
		return fail("debug: needs a container id, or host-syscalls");
	if (strcmp(argv[first], "host-syscalls") == 0) {
		fflush(stdout);
		filter_print(STDOUT_FILENO);
		return 0;
	}
	if (ask(argv[first], "debug", &reply, &err) != 0)
		return err_report(&err);
	text = reply_text(reply);
	fputs(text, stdout);
	free(text);
	if (json_is_true(json_object_get(reply, "cut")))
		puts("... (cut)");
	json_decref(reply);
	return 0;
}
