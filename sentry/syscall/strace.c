/*
 * strace: one line per call of the guest:
 *
 *	17 sh: openat(AT_FDCWD, "/etc/passwd", O_RDONLY|O_CLOEXEC) = 3
 *
 * Arguments that the call reads are formatted when it begins, those that it fills when it ends; the
 * line is written then.  Texts are bounded, and live in memory of the sentry thread.
 */
#include "sentry/syscall/strace.h"

#include <string.h>

#include "abi/errno.h"
#include "base/hostcall.h"
#include "base/kmem.h"
#include "sentry/kernel/signal.h"
#include "sentry/kernel/task.h"
#include "sentry/syscall/table.h"

#define TEXT_SIZE	2048
#define LINE_SIZE	4096

enum when { ENTRY, EXIT };

static const struct {
	fmt_fn		*fmt;
	enum when	 when;
} kinds[KIND_COUNT] = {
#define ARGKIND(kind, type, at, fn, travel)	[KIND_##kind] = { fn, at },
#include "sentry/syscall/argkinds.def"
#undef ARGKIND
};

/* What was formatted at the start of the call in progress on this thread. */
struct trace {
	char		text[TEXT_SIZE];
	struct strbuf	sb;
	size_t		end[6];		/* of each argument's text; an EXIT one is empty */
	char		line[LINE_SIZE];
};

static __thread struct trace *trace;

static struct trace *
trace_get(void)
{
	/* Kept with the thread, which is pooled. */
	if (trace == NULL)
		trace = mem_alloc(sizeof *trace);
	return trace;
}

static void
write_line(struct strbuf *sb)
{
	if (sb->cut || sb->len + 1 >= sb->cap)
		sb->len = sb->cap - 2;
	sb->buf[sb->len++] = '\n';
	/* One write a line: lines of different threads do not mix. */
	if (host_pwrite(kernel.report_fd, sb->buf, sb->len, -1) < 0)
		return;
}

static void
begin_line(struct strbuf *sb, struct task *t)
{
	char comm[17] = "";

	mutex_lock(&t->alloc_mu);
	memcpy(comm, t->comm, sizeof t->comm);
	mutex_unlock(&t->alloc_mu);
	sb_printf(sb, "%d ", t->tid);
	comm_print(sb, comm);
	sb_puts(sb, ": ");
}

void
strace_enter(struct task *t)
{
	int64_t nr = t->syscall;
	const struct syscall_desc *d = syscall_name(nr) ? &syscall_table[nr] : NULL;
	struct trace *tr = trace_get();

	if (tr == NULL || d == NULL || !strace_wants(nr))
		return;
	sb_init(&tr->sb, tr->text, sizeof tr->text);
	for (unsigned i = 0; i < d->nargs; i++) {
		if (kinds[d->kind[i]].when == ENTRY)
			kinds[d->kind[i]].fmt(&tr->sb, t, t->args, i, 0);
		tr->end[i] = tr->sb.len;
	}
}

static bool
returns_address(const char *name)
{
	return strcmp(name, "mmap") == 0 || strcmp(name, "mremap") == 0 || strcmp(name, "brk") == 0 ||
	    strcmp(name, "shmat") == 0;
}

static void
put_result(struct strbuf *sb, const char *name, int64_t ret)
{
	const char *err, *text;

	if (name && (strcmp(name, "exit") == 0 || strcmp(name, "exit_group") == 0)) {
		sb_puts(sb, " = ?");
		return;
	}
	if (ret >= 0 || ret < -4095) {
		if (name && returns_address(name))
			sb_printf(sb, " = %#llx", (unsigned long long)ret);
		else
			sb_printf(sb, " = %lld", (long long)ret);
		return;
	}
	switch (ret) {
	case -ERESTARTSYS:
		sb_puts(sb, " = ? ERESTARTSYS (to be restarted if the handler says so)");
		return;
	case -ERESTARTNOINTR:
		sb_puts(sb, " = ? ERESTARTNOINTR (to be restarted)");
		return;
	case -ERESTARTNOHAND:
		sb_puts(sb, " = ? ERESTARTNOHAND (to be restarted if no handler runs)");
		return;
	case -ERESTART_RESTARTBLOCK:
		sb_puts(sb, " = ? ERESTART_RESTARTBLOCK (interrupted by a signal)");
		return;
	}
	err = strerrorname_np((int)-ret);
	text = strerrordesc_np((int)-ret);
	if (err)
		sb_printf(sb, " = -1 %s (%s)", err, text ? text : "");
	else
		sb_printf(sb, " = %lld", (long long)ret);
}

void
strace_exit(struct task *t)
{
	int64_t nr = t->syscall, ret = (int64_t)t->regs.rax;
	const struct syscall_desc *d = syscall_name(nr) ? &syscall_table[nr] : NULL;
	struct trace *tr = trace_get();
	struct strbuf sb;
	size_t from = 0;

	if (tr == NULL || !strace_wants(nr))
		return;
	sb_init(&sb, tr->line, sizeof tr->line);
	begin_line(&sb, t);
	if (d == NULL) {
		sb_printf(&sb, "syscall_%lld(%#llx, %#llx, %#llx)", (long long)nr,
		    (unsigned long long)t->args[0], (unsigned long long)t->args[1],
		    (unsigned long long)t->args[2]);
		put_result(&sb, NULL, ret);
		write_line(&sb);
		return;
	}
	sb_printf(&sb, "%s(", d->name);
	for (unsigned i = 0; i < d->nargs; i++) {
		if (i)
			sb_puts(&sb, ", ");
		/* The address space may be gone after the last call. */
		if (kinds[d->kind[i]].when == EXIT && t->mm)
			kinds[d->kind[i]].fmt(&sb, t, t->args, i, ret);
		else
			sb_put(&sb, tr->text + from, tr->end[i] - from);
		from = tr->end[i];
	}
	sb_putc(&sb, ')');
	put_result(&sb, d->name, ret);
	write_line(&sb);
}

static void
note_line(struct task *t, const char *before, const char *text, const char *after)
{
	char line[512];
	struct strbuf sb = STRBUF(line, sizeof line);

	begin_line(&sb, t);
	sb_puts(&sb, before);
	sb_puts(&sb, text);
	sb_puts(&sb, after);
	write_line(&sb);
}

void
strace_signal(struct task *t, int signo, int code)
{
	char text[96];
	struct strbuf sb = STRBUF(text, sizeof text);

	strace_signo(&sb, signo);
	sb_printf(&sb, " {si_code=%d}", code);
	note_line(t, "--- ", text, " ---");
}

void
strace_note(struct task *t, const char *fmt, ...)
{
	char text[256];
	struct strbuf sb = STRBUF(text, sizeof text);
	va_list ap;

	va_start(ap, fmt);
	sb_vprintf(&sb, fmt, ap);
	va_end(ap);
	note_line(t, "... ", text, "");
}
