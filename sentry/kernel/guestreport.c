/* guestreport: what the kernel tells the runtime of its tasks: village debug, village ps (sentry/control.h). */
#include <string.h>

#include "base/kmem.h"
#include "sentry/control.h"
#include "sentry/kernel/tasktree.h"
#include "sentry/syscall/syscall.h"

static char
state_letter(struct task *t)
{
	static const char letters[] = "RSDTtZX";
	uint32_t s = atomic_load_explicit(&t->state, memory_order_relaxed);

	return s < sizeof letters - 1 ? letters[s] : '?';
}

static void
print_task(struct strbuf *sb, struct task *t)
{
	int64_t nr = __atomic_load_n(&t->syscall, __ATOMIC_RELAXED);
	const char *why = t->wait_reason, *name = nr >= 0 ? syscall_name(nr) : NULL;
	uint64_t u, s;
	char comm[sizeof t->comm];

	task_times(t, &u, &s);
	mutex_lock(&t->alloc_mu);
	memcpy(comm, t->comm, sizeof comm);
	mutex_unlock(&t->alloc_mu);
	sb_printf(sb, "  task %d %c ", t->tid, state_letter(t));
	comm_print(sb, comm);
	if (nr >= 0)
		sb_printf(sb, " in %s", name ? name : "an unknown call");
	else if (atomic_load_explicit(&t->in_guest_since, memory_order_relaxed))
		sb_puts(sb, " in the guest");
	if (why)
		sb_printf(sb, " waiting: %s", why);
	sb_printf(sb, " user %llu us sys %llu us\n", (unsigned long long)u / 1000,
	    (unsigned long long)s / 1000);
}

static bool
debug_process(struct process *p, void *arg)
{
	struct strbuf *sb = arg;
	struct task *tasks[32];
	struct sighand *sh;
	struct task *t;
	unsigned n = 0, more = 0;

	sb_printf(sb, "process %d parent %d\n", p->pid, process_ppid(p));
	sh = process_lock(p);
	list_for_each(t, &p->threads, thread_link) {
		if (n < ARRAY_LEN(tasks))
			tasks[n++] = task_get(t);
		else
			more++;
	}
	process_unlock(sh);
	for (unsigned i = 0; i < n; i++) {
		print_task(sb, tasks[i]);
		task_put(tasks[i]);
	}
	if (more)
		sb_printf(sb, "  and %u more\n", more);
	return true;
}

static void
debug_cache(const struct kmem_cache *c, void *arg)
{
	if (c->live)
		sb_printf(arg, "  %s: %llu\n", c->name, (unsigned long long)c->live);
}

void
guest_debug(struct strbuf *sb)
{
	sb_printf(sb, "status %s, platform %s, %u tasks, %llu forks\n", guest_status(), platform_name,
	    kernel.ntasks, (unsigned long long)atomic_load(&kernel.forks));
	process_each(debug_process, sb);
	counters_print(sb);
	sb_puts(sb, "objects\n");
	kmem_each(debug_cache, sb);
}

static bool
ps_process(struct process *p, void *arg)
{
	struct task *t = process_leader_get(p);
	struct strbuf *sb = arg;

	if (t) {
		char comm[sizeof t->comm];

		mutex_lock(&t->alloc_mu);
		memcpy(comm, t->comm, sizeof comm);
		mutex_unlock(&t->alloc_mu);
		sb_printf(sb, "%d %d %c ", p->pid, process_ppid(p), state_letter(t));
		comm_print(sb, comm);
		sb_putc(sb, '\n');
	}
	task_put(t);
	return true;
}

void
guest_ps(struct strbuf *sb)
{
	process_each(ps_process, sb);
}
