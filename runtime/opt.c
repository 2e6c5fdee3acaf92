/* opt: option tables over getopt_long, and the help made from them. */
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/runtime.h"

#define OPTS_MAX	48
#define HELP_COLUMN	32

void
strlist_add(struct strlist *l, const char *s)
{
	const char **v = xcalloc(l->n + 2, sizeof *v);

	if (l->n)
		memcpy(v, l->v, l->n * sizeof *v);
	v[l->n++] = s;
	free(l->v);
	l->v = v;
}

void
opt_print(FILE *f, const struct opt *opts)
{
	for (const struct opt *o = opts; o->name != NULL; o++) {
		int n;

		if (o->help == NULL)
			continue;
		n = o->letter ? fprintf(f, "  -%c, ", o->letter) : fprintf(f, "      ");
		n += fprintf(f, "--%s%s%s", o->name, o->arg ? " " : "", o->arg ? o->arg : "");
		fprintf(f, "%*s%s\n", n + 2 > HELP_COLUMN ? 2 : HELP_COLUMN - n, "", o->help);
	}
	fprintf(f, "  -h, --help%*sshow this help\n", HELP_COLUMN - 12, "");
}

static void
command_help(const char *name, const struct opt *opts)
{
	if (strcmp(name, "village") == 0) {
		help_print(stdout);
		return;
	}
	for (unsigned i = 0; i < ncommands; i++) {
		const struct command *c = &commands[i];

		if (strcmp(c->name, name) != 0)
			continue;
		printf("Usage: village [GLOBAL OPTION...] %s %s\n\n%c%s.\n\nOptions:\n", c->name,
		    c->args, c->help[0] - 'a' + 'A', c->help + 1);
	}
	opt_print(stdout, opts);
}

static void
take(const struct opt *o, char *value)
{
	switch (o->kind) {
	case OPT_FLAG:
		*(bool *)o->to = true;
		break;
	case OPT_STR:
		*(char **)o->to = value;
		break;
	case OPT_LIST:
		strlist_add(o->to, value);
		break;
	case OPT_IGNORE:
	case OPT_IGNORE_ARG:
		break;
	}
}

static void
complain(char **argv, int c)
{
	bool global = strcmp(argv[0], "village") == 0;
	const char *what = argv[optind - 1], *at = global ? "" : argv[0];

	if (c == ':')
		fail("%s%soption %s needs a value", at, global ? "" : ": ", what);
	else if (optopt && optopt < 256)
		fail("%s%sunknown option -%c; see village %s%s--help", at, global ? "" : ": ", optopt,
		    at, global ? "" : " ");
	else if (optopt)
		fail("%s%soption %s takes no value", at, global ? "" : ": ", what);
	else
		fail("%s%sunknown option %s; see village %s%s--help", at, global ? "" : ": ", what, at,
		    global ? "" : " ");
}

int
opt_parse(const struct opt *opts, int argc, char **argv, bool in_order)
{
	struct option longs[OPTS_MAX + 2];
	char shorts[OPTS_MAX * 2 + 8];
	size_t s = 0;
	int n = 0, c;

	/* A '+' stops at the first argument; the ':' after it tells a missing value from an unknown name. */
	if (in_order)
		shorts[s++] = '+';
	shorts[s++] = ':';
	shorts[s++] = 'h';
	for (; opts[n].name != NULL; n++) {
		BUG_ON(n >= OPTS_MAX);
		longs[n] = (struct option){ opts[n].name, opts[n].arg ? required_argument : no_argument,
			NULL, 256 + n };
		if (opts[n].letter) {
			shorts[s++] = opts[n].letter;
			if (opts[n].arg)
				shorts[s++] = ':';
		}
	}
	longs[n] = (struct option){ "help", no_argument, NULL, 'h' };
	longs[n + 1] = (struct option){ NULL, 0, NULL, 0 };
	shorts[s] = '\0';
	optind = 0;
	opterr = 0;
	while ((c = getopt_long(argc, argv, shorts, longs, NULL)) != -1) {
		const struct opt *o = NULL;

		if (c == 'h') {
			command_help(argv[0], opts);
			exit(0);
		}
		if (c == '?' || c == ':') {
			complain(argv, c);
			return -1;
		}
		for (int i = 0; i < n; i++) {
			if (c == 256 + i || (c < 256 && c == opts[i].letter))
				o = &opts[i];
		}
		if (o != NULL)
			take(o, optarg);
	}
	return optind;
}
