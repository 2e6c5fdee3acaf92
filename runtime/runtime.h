/*
 * runtime: what the commands share: global options, errors as sentences, option tables.
 */
#ifndef RUNTIME_RUNTIME_H
#define RUNTIME_RUNTIME_H

#include <stdio.h>

#include "base/base.h"

#define VILLAGE_VERSION	"0.1.0"
#define OCI_VERSION	"1.0.2"

struct globals {
	char	*root;		/* where containers are recorded */
	char	*log;		/* file for errors, for engines */
	char	*log_format;
	char	*platform, *patch;
	char	*debug_log;	/* file for the sentry's and gofer's messages */
	bool	debug;
	bool	strace;
	bool	systemd_cgroup;
	char	*cgroup_manager;
	char	*rootless_opt;
	char	*strace_filter;
};
extern struct globals rt;

/* ---- errors ------------------------------------------------------------------ */

/* One mistake, as a sentence for people. */
struct err {
	int	exit;		/* status of the command; 1 unless set */
	char	text[1024];
};

/* Writes the sentence, followed by ": strerror(e)" when e is not 0; returns -e, or -EINVAL when that is 0. */
int err_set(struct err *err, int e, const char *fmt, ...) PRINTF(3, 4);
/* To stderr and the log file; returns the exit status. */
int err_report(const struct err *err);
void warn_report(const char *fmt, ...) PRINTF(1, 2);
/* The same for a mistake known on the spot. */
int fail(const char *fmt, ...) PRINTF(1, 2);

/* ---- options ----------------------------------------------------------------- */

enum opt_kind { OPT_FLAG, OPT_STR, OPT_LIST, OPT_IGNORE, OPT_IGNORE_ARG };

/* Growing list of option values, borrowed from argv. */
struct strlist {
	const char	**v;
	unsigned	n;
};

struct opt {
	char		letter;		/* 0: none */
	const char	*name;
	const char	*arg;		/* what its value is called; NULL: takes none */
	const char	*help;
	enum opt_kind	kind;
	void		*to;		/* bool *, char **, struct strlist * */
};
#define OPT_END { 0, NULL, NULL, NULL, OPT_FLAG, NULL }

struct command {
	const char	*name;
	int		(*run)(int argc, char **argv);
	const char	*args, *help;
};
extern const struct command commands[];
extern const unsigned ncommands;

/*
 * Reads the options of a command (argv[0] is its name) into opts' targets.  Returns the index of the
 * first argument, or -1 after a message.  in_order: stop at the first argument (what follows belongs to
 * another program).  --help prints and ends the program.
 */
int opt_parse(const struct opt *opts, int argc, char **argv, bool in_order);
void opt_print(FILE *f, const struct opt *opts);
void strlist_add(struct strlist *l, const char *s);

void help_print(FILE *f);
int cli_main(int argc, char **argv);

/* ---- commands ---------------------------------------------------------------- */

#define COMMAND(name, fn, args, help) int fn(int argc, char **argv);
#include "runtime/commands.def"
#undef COMMAND

/* ---- small help --------------------------------------------------------------- */

/* sprintf into new memory; ends the program when there is none. */
char *xasprintf(const char *fmt, ...) PRINTF(1, 2);
void *xcalloc(size_t n, size_t size);
char *xstrdup(const char *s);
/* What a guest or a sentry wrote, for a terminal: control characters but newline and tab become "?". */
void text_clean(char *text);
/* The whole file as new NUL-terminated memory; -EFBIG above limit. */
int text_read(int dirfd, const char *path, size_t limit, char **out, size_t *len) MUST_CHECK;
/* Writes path whole, by way of a temporary name beside it. */
int text_write(int dirfd, const char *path, const char *text, size_t len, unsigned mode) MUST_CHECK;

#endif
