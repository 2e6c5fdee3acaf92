/*
 * cgroup: a read-only cgroup2 with the one group that the sandbox is.  cgroups(7).
 *
 * Runtimes (Java, Go, Node) size themselves by memory.max and cpu.max; those are the sandbox's
 * own limits.  Nothing can be created or moved.
 */
#include "fs/cgroup.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/stat.h>

#include "fs/proc.h"
#include "sentry/kernel/task.h"
#include "sentry/mm/pages.h"

static void
show_controllers(struct task *t, struct proc_inode *p, struct strbuf *sb)
{
	(void)t, (void)p;
	sb_puts(sb, "cpu memory pids\n");
}

static void
show_nothing(struct task *t, struct proc_inode *p, struct strbuf *sb)
{
	(void)t, (void)p, (void)sb;
}

static void
show_limit(struct strbuf *sb, uint64_t limit)
{
	if (limit == 0 || limit == UINT64_MAX)
		sb_puts(sb, "max\n");
	else
		sb_printf(sb, "%llu\n", (unsigned long long)limit);
}

static void
show_memory_max(struct task *t, struct proc_inode *p, struct strbuf *sb)
{
	(void)t, (void)p;
	show_limit(sb, kernel.memory_limit);
}

static void
show_memory_current(struct task *t, struct proc_inode *p, struct strbuf *sb)
{
	(void)t, (void)p;
	sb_printf(sb, "%llu\n", (unsigned long long)pages_used());
}

static void
show_pids_max(struct task *t, struct proc_inode *p, struct strbuf *sb)
{
	(void)t, (void)p;
	show_limit(sb, kernel.pids_limit);
}

static void
show_pids_current(struct task *t, struct proc_inode *p, struct strbuf *sb)
{
	(void)t, (void)p;
	mutex_lock(&kernel.tasks_mu);
	sb_printf(sb, "%u\n", kernel.ntasks);
	mutex_unlock(&kernel.tasks_mu);
}

static void
show_cpu_max(struct task *t, struct proc_inode *p, struct strbuf *sb)
{
	(void)t, (void)p;
	sb_puts(sb, "max 100000\n");
}

static bool
put_pid(struct process *p, void *arg)
{
	sb_printf(arg, "%d\n", p->pid);
	return true;
}

static void
show_procs(struct task *t, struct proc_inode *p, struct strbuf *sb)
{
	(void)t, (void)p;
	process_each(put_pid, sb);
}

#define TEXT(n, fn)	{ .name = n, .mode = S_IFREG | 0444, .show = fn }

static const struct proc_entry rows[] = {
	TEXT("cgroup.controllers", show_controllers),
	TEXT("cgroup.subtree_control", show_nothing),
	TEXT("cgroup.procs", show_procs),
	TEXT("cpu.max", show_cpu_max),
	TEXT("memory.current", show_memory_current),
	TEXT("memory.max", show_memory_max),
	TEXT("pids.current", show_pids_current),
	TEXT("pids.max", show_pids_max),
	{ .name = NULL },
};

static const struct proc_entry root = { .name = "", .mode = S_IFDIR | 0555, .children = rows };

int
cgroup_mount(struct task *t, const char *source, const char *data, uint64_t flags, struct super **out)
{
	(void)t, (void)source, (void)data, (void)flags;
	return proc_super_new("cgroup2", CGROUP2_SUPER_MAGIC, &root, out);
}
