/*
 * crash: what the kernel knows when it dies: every task, what it was doing and its last calls.
 *
 * Runs in a process that is broken: it takes no lock but by trying, allocates nothing, bounds every walk and
 * prints as it goes, so that what was printed survives a second crash.
 */
#include "sentry/kernel/crash.h"

#include "base/log.h"
#include "base/strbuf.h"
#include "sentry/kernel/task.h"
#include "sentry/syscall/syscall.h"

#define TASKS_MAX	256
#define OTHERS		4	/* calls shown of tasks that did not crash */

static void
put_call(struct strbuf *sb, int64_t nr)
{
	const char *name = syscall_name(nr);

	if (name)
		sb_puts(sb, name);
	else
		sb_printf(sb, "call %lld", (long long)nr);
}

/* Oldest first. */
static void
put_last_calls(struct strbuf *sb, const struct task *t, uint32_t n)
{
	uint32_t end = t->nlast;

	n = min(n, (uint32_t)LAST_CALLS);
	n = min(n, end);
	if (n == 0)
		return;
	sb_puts(sb, "\n     last calls:");
	for (uint32_t i = end - n; i != end; i++) {
		const struct last_call *c = &t->last[i % LAST_CALLS];

		sb_puts(sb, " ");
		put_call(sb, c->nr);
		if (c->ret >= -4095 && c->ret < 0x10000)
			sb_printf(sb, "=%d", (int)c->ret);
		else
			sb_printf(sb, "=%#llx", (unsigned long long)c->ret);
	}
}

static void
print_task(struct task *t, bool mine)
{
	static const char letters[] = "RSDTtZX";
	char line[1536];
	struct strbuf sb = STRBUF(line, sizeof line);
	uint32_t state = atomic_load_explicit(&t->state, memory_order_relaxed);
	int64_t nr = __atomic_load_n(&t->syscall, __ATOMIC_RELAXED);
	const char *why = t->wait_reason;

	sb_printf(&sb, "  %s task %d of %d %c %.15s", mine ? ">>" : "  ", t->tid, t->process->pid,
	    state < sizeof letters - 1 ? letters[state] : '?', t->comm);
	if (nr >= 0) {
		sb_puts(&sb, " in ");
		put_call(&sb, nr);
		sb_puts(&sb, "(");
		for (unsigned i = 0; i < 6; i++)
			sb_printf(&sb, "%s%#llx", i ? ", " : "", (unsigned long long)t->args[i]);
		sb_puts(&sb, ")");
	} else if (atomic_load_explicit(&t->in_guest_since, memory_order_relaxed)) {
		sb_puts(&sb, " in the guest");
	}
	if (why)
		sb_printf(&sb, " waiting: %s", why);
	if (mine)
		sb_printf(&sb, " rip %#llx", (unsigned long long)task_regs(t)->rip);
	put_last_calls(&sb, t, mine ? LAST_CALLS : OTHERS);
	sb_puts(&sb, "\n");
	log_line(line, sb.len);
}

static void
print_kernel(void)
{
	bool locked = mutex_trylock(&kernel.tasks_mu);
	struct tree_node *n;
	unsigned count = 0;
	char line[160];
	struct strbuf sb = STRBUF(line, sizeof line);

	sb_printf(&sb, "  tasks: %u%s\n", kernel.ntasks, locked ? "" : " (the table is in use: may be torn)");
	log_line(line, sb.len);
	/* The one that brought us here, before anything else can go wrong. */
	if (syscall_task)
		print_task(syscall_task, true);
	for (n = tree_first(&kernel.tasks); n && count < TASKS_MAX; n = tree_next(n), count++) {
		struct task *t = container_of(n, struct task, node);

		if (t != syscall_task)
			print_task(t, false);
	}
	if (locked)
		mutex_unlock(&kernel.tasks_mu);
}

void
crash_boot(void)
{
	crash_hook = print_kernel;
	crash_init();
}
