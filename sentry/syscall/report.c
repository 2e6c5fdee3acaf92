/*
 * report: what programs asked for and did not get, each text once, and the table of calls as text.
 *
 * A fixed number of texts is kept, so that a guest cannot make the list grow without end; what comes
 * after that is counted.
 */
#include <stdio.h>
#include <string.h>

#include "base/hostcall.h"
#include "base/kmem.h"
#include "base/log.h"
#include "base/strbuf.h"
#include "sentry/kernel/task.h"
#include "sentry/syscall/syscall.h"
#include "sentry/syscall/table.h"

#define TEXTS		512
#define TEXT_SIZE	120
#define COUNTERS_SIZE	16384

static struct {
	struct mutex	mu;
	unsigned	n;		/* [m] */
	uint64_t	dropped;	/* [m] */
	struct missing {
		char		text[TEXT_SIZE];
		char		comm[16];	/* who asked first */
		uint64_t	count;
	} list[TEXTS];			/* [m] */
} missing = { .mu = MUTEX_INIT(RANK_log) };

/* True when the text is new. */
static bool
remember(const char *text, const char *comm)
{
	struct missing *m;

	for (unsigned i = 0; i < missing.n; i++) {
		m = &missing.list[i];
		if (strcmp(m->text, text) == 0) {
			m->count++;
			return false;
		}
	}
	if (missing.n == TEXTS) {
		missing.dropped++;
		return false;
	}
	m = &missing.list[missing.n++];
	memcpy(m->text, text, TEXT_SIZE);
	memcpy(m->comm, comm, sizeof m->comm);
	m->count = 1;
	return true;
}

void
report_missing(struct task *t, const char *fmt, ...)
{
	char text[TEXT_SIZE] = "", comm[16] = "";
	struct strbuf sb = STRBUF(text, sizeof text);
	va_list ap;
	bool fresh;

	va_start(ap, fmt);
	sb_vprintf(&sb, fmt, ap);
	va_end(ap);
	if (t) {
		mutex_lock(&t->alloc_mu);
		memcpy(comm, t->comm, sizeof comm - 1);
		mutex_unlock(&t->alloc_mu);
	}
	mutex_lock(&missing.mu);
	fresh = remember(text, comm);
	mutex_unlock(&missing.mu);
	if (fresh)
		log_info("missing", "%s (%s)", text, comm);
	if (t && kernel.strace)
		strace_note(t, "not provided: %s", text);
}

static void
write_all(int fd, const char *s, size_t len)
{
	while (len > 0) {
		int64_t n = host_pwrite(fd, s, len, -1);

		if (n <= 0)
			return;
		s += n;
		len -= (size_t)n;
	}
}

/* All of it in one write: there are no lines of a guest's among them. */
static void
print_counters(int fd)
{
	char *text = mem_alloc(COUNTERS_SIZE);
	struct strbuf sb = STRBUF(text, COUNTERS_SIZE);

	if (text == NULL)
		return;
	counters_print(&sb);
	write_all(fd, text, sb.len);
	mem_free(text);
}

void
report_print(void)
{
	char line[256];
	int fd = kernel.report_fd;

	if (!kernel.report || fd < 0)
		return;
	mutex_lock(&missing.mu);
	for (unsigned i = 0; i < missing.n; i++) {
		const struct missing *m = &missing.list[i];
		struct strbuf sb = STRBUF(line, sizeof line);

		sb_printf(&sb, "not provided: %s (", m->text);
		comm_print(&sb, m->comm);
		sb_printf(&sb, ", %llu times)\n", (unsigned long long)m->count);
		write_all(fd, line, sb.len);
	}
	if (missing.dropped || missing.n == 0) {
		struct strbuf sb = STRBUF(line, sizeof line);

		if (missing.n == 0)
			sb_puts(&sb, "everything that was asked for is provided\n");
		else
			sb_printf(&sb, "and %llu others\n", (unsigned long long)missing.dropped);
		write_all(fd, line, sb.len);
	}
	mutex_unlock(&missing.mu);
	print_counters(fd);
}

/* Runs in the command line's process too: plain formatting, one write a line. */
static void
print_row(int fd, unsigned nr, const struct syscall_desc *d, bool json, bool first)
{
	char line[512];
	struct strbuf sb = STRBUF(line, sizeof line);

	if (json) {
		sb_printf(&sb, "%s  {\"number\": %u, \"name\": \"%s\", \"support\": \"%s\", \"note\": ",
		    first ? "" : ",\n", nr, d->name, support_name(d->support));
		sb_quote(&sb, d->note, strlen(d->note), 256);
		sb_puts(&sb, ", \"arguments\": [");
		for (unsigned i = 0; i < d->nargs; i++)
			sb_printf(&sb, "%s\"%s\"", i ? ", " : "", d->argname[i]);
		sb_puts(&sb, "]}");
	} else {
		sb_printf(&sb, "%4u  %-24s %-11s %s", nr, d->name, support_name(d->support), d->note);
		while (sb.len > 0 && line[sb.len - 1] == ' ')
			sb.len--;
		sb_putc(&sb, '\n');
	}
	write_all(fd, line, sb.len);
}

void
syscalls_print(int fd, bool json)
{
	bool first = true;

	if (json)
		write_all(fd, "[\n", 2);
	for (unsigned nr = 0; nr < SYSCALL_LIMIT; nr++) {
		const struct syscall_desc *d = &syscall_table[nr];

		if (d->name == NULL)
			continue;
		print_row(fd, nr, d, json, first);
		first = false;
	}
	if (json)
		write_all(fd, "\n]\n", 3);
}
