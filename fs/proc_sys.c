/*
 * proc_sys: /proc/sys, and /sys.  proc_sys(5), sysfs(5).
 *
 * A value that stands here is one this kernel keeps to; what it has no such limit for is
 * not listed.
 */
#include <linux/magic.h>
#include <string.h>
#include <sys/stat.h>

#include "abi/uts.h"
#include "fs/proc.h"
#include "sentry/kernel/task.h"
#include "sentry/vfs/file.h"

/* The text of generic rows stands in a table by full name. */
#define VALUE_ROW(fn, text)						\
static void								\
show_##fn(struct task *t, struct proc_inode *p, struct strbuf *sb)	\
{									\
	(void)t, (void)p;						\
	sb_puts(sb, text "\n");						\
}

VALUE_ROW(ostype, "Linux")
VALUE_ROW(osrelease, UTS_RELEASE)
VALUE_ROW(osversion, UTS_VERSION)
VALUE_ROW(pid_max, "4194304")
VALUE_ROW(cpu_limit, "1023")
VALUE_ROW(ngroups_max, "65536")
VALUE_ROW(cap_last_cap, "40")
VALUE_ROW(zero, "0")
VALUE_ROW(core_pattern, "core")
VALUE_ROW(overflowid, "65534")
VALUE_ROW(entropy, "256")
VALUE_ROW(file_max, "9223372036854775807")
VALUE_ROW(nr_open, "1048576")
VALUE_ROW(pipe_max, "1048576")
VALUE_ROW(pipe_user_pages, "16384")
VALUE_ROW(max_map_count, "65530")
VALUE_ROW(mmap_min_addr, "65536")
VALUE_ROW(somaxconn, "4096")
VALUE_ROW(max_dgram_qlen, "10")
VALUE_ROW(randomize, "2")
VALUE_ROW(max_user_watches, "65536")
VALUE_ROW(max_user_instances, "128")
VALUE_ROW(max_queued_events, "16384")
VALUE_ROW(rtsig_max, "32")

static void
show_hostname(struct task *t, struct proc_inode *p, struct strbuf *sb)
{
	const char *domain;

	mutex_lock(&t->uts->mu);
	domain = t->uts->domainname[0] ? t->uts->domainname : "(none)";
	sb_printf(sb, "%s\n", strcmp(p->e->name, "hostname") == 0 ? t->uts->nodename : domain);
	mutex_unlock(&t->uts->mu);
}

static int64_t
write_hostname(struct task *t, struct proc_inode *p, const char *text, size_t len)
{
	size_t n = strcspn(text, "\n");
	char *dst;

	if (n > 64)
		return -EINVAL;
	mutex_lock(&t->uts->mu);
	dst = strcmp(p->e->name, "hostname") == 0 ? t->uts->nodename : t->uts->domainname;
	memcpy(dst, text, n);
	dst[n] = '\0';
	mutex_unlock(&t->uts->mu);
	return (int64_t)len;
}

static void
print_uuid(const uint8_t b[16], struct strbuf *sb)
{
	for (int i = 0; i < 16; i++)
		sb_printf(sb, "%s%02x", i == 4 || i == 6 || i == 8 || i == 10 ? "-" : "", b[i]);
	sb_puts(sb, "\n");
}

static void
make_uuid(uint8_t b[16])
{
	kernel_random(b, 16);
	b[6] = (b[6] & 0x0f) | 0x40;	/* version 4 */
	b[8] = (b[8] & 0x3f) | 0x80;
}

static void
show_uuid(struct task *t, struct proc_inode *p, struct strbuf *sb)
{
	uint8_t b[16];

	(void)t, (void)p;
	make_uuid(b);
	print_uuid(b, sb);
}

static void
show_boot_id(struct task *t, struct proc_inode *p, struct strbuf *sb)
{
	static uint8_t id[16];
	static struct mutex mu = MUTEX_INIT(RANK_object);
	static bool made;

	(void)t, (void)p;
	mutex_lock(&mu);
	if (!made)
		make_uuid(id);
	made = true;
	print_uuid(id, sb);
	mutex_unlock(&mu);
}

static void
show_threads_max(struct task *t, struct proc_inode *p, struct strbuf *sb)
{
	(void)t, (void)p;
	sb_printf(sb, "%llu\n", (unsigned long long)(kernel.pids_limit ? kernel.pids_limit : 4096));
}

#define ROW(n, m, fn)		{ .name = n, .mode = S_IFREG | (m), .show = show_##fn, .strict = true }
#define DIR(n, kids)		{ .name = n, .mode = S_IFDIR | 0555, .children = kids }
#define END			{ .name = NULL }

static const struct proc_entry random_rows[] = {
	ROW("boot_id", 0444, boot_id), ROW("entropy_avail", 0444, entropy), ROW("poolsize", 0444, entropy),
	ROW("uuid", 0444, uuid), END,
};
static const struct proc_entry kernel_rows[] = {
	ROW("cap_last_cap", 0444, cap_last_cap), ROW("core_pattern", 0644, core_pattern),
	ROW("core_uses_pid", 0644, zero),
	{ .name = "domainname", .mode = S_IFREG | 0644, .show = show_hostname, .write = write_hostname },
	{ .name = "hostname", .mode = S_IFREG | 0644, .show = show_hostname, .write = write_hostname },
	ROW("ngroups_max", 0444, ngroups_max), ROW("osrelease", 0444, osrelease), ROW("ostype", 0444, ostype),
	ROW("overflowgid", 0644, overflowid), ROW("overflowuid", 0644, overflowid), ROW("pid_max", 0644, pid_max),
	DIR("random", random_rows), ROW("randomize_va_space", 0644, randomize), ROW("rtsig-max", 0644, rtsig_max),
	ROW("tainted", 0644, zero), ROW("threads-max", 0644, threads_max), ROW("version", 0444, osversion), END,
};
static const struct proc_entry inotify_rows[] = {
	ROW("max_queued_events", 0644, max_queued_events), ROW("max_user_instances", 0644, max_user_instances),
	ROW("max_user_watches", 0644, max_user_watches), END,
};
static const struct proc_entry fs_rows[] = {
	ROW("file-max", 0644, file_max), DIR("inotify", inotify_rows), ROW("nr_open", 0644, nr_open),
	ROW("overflowgid", 0644, overflowid), ROW("overflowuid", 0644, overflowid),
	ROW("pipe-max-size", 0644, pipe_max),
	ROW("pipe-user-pages-hard", 0644, zero), ROW("pipe-user-pages-soft", 0644, pipe_user_pages), ROW("protected_hardlinks", 0600, zero),
	ROW("protected_symlinks", 0600, zero), ROW("suid_dumpable", 0644, zero), END,
};
static const struct proc_entry vm_rows[] = {
	ROW("max_map_count", 0644, max_map_count), ROW("mmap_min_addr", 0644, mmap_min_addr),
	ROW("overcommit_memory", 0644, zero), END,
};
static const struct proc_entry net_core_rows[] = { ROW("somaxconn", 0644, somaxconn), END };
static const struct proc_entry net_unix_rows[] = { ROW("max_dgram_qlen", 0644, max_dgram_qlen), END };
static const struct proc_entry net_rows[] = { DIR("core", net_core_rows), DIR("unix", net_unix_rows), END };

const struct proc_entry proc_sys_rows[] = {
	DIR("fs", fs_rows), DIR("kernel", kernel_rows), DIR("net", net_rows), DIR("vm", vm_rows), END,
};

/* ---- /sys --------------------------------------------------------------------- */

static void
show_cpu_range(struct task *t, struct proc_inode *p, struct strbuf *sb)
{
	(void)t, (void)p;
	if (kernel.ncpus > 1)
		sb_printf(sb, "0-%u\n", kernel.ncpus - 1);
	else
		sb_puts(sb, "0\n");
}

VALUE_ROW(thp, "always [madvise] never")
VALUE_ROW(thp_size, "2097152")

static const struct proc_entry thp_rows[] = { ROW("enabled", 0644, thp), ROW("hpage_pmd_size", 0444, thp_size), END };
static const struct proc_entry sys_mm_rows[] = { DIR("transparent_hugepage", thp_rows), END };
static const struct proc_entry sys_kernel_rows[] = { DIR("mm", sys_mm_rows), END };
static const struct proc_entry sys_cpu_rows[] = {
	ROW("kernel_max", 0444, cpu_limit), ROW("online", 0444, cpu_range), ROW("possible", 0444, cpu_range),
	ROW("present", 0444, cpu_range), END,
};
static const struct proc_entry sys_node0_rows[] = { ROW("cpulist", 0444, cpu_range), END };
static const struct proc_entry sys_node_rows[] = {
	DIR("node0", sys_node0_rows), ROW("online", 0444, zero), ROW("possible", 0444, zero), END,
};
static const struct proc_entry sys_system_rows[] = { DIR("cpu", sys_cpu_rows), DIR("node", sys_node_rows), END };
static const struct proc_entry sys_devices_rows[] = { DIR("system", sys_system_rows), END };
static const struct proc_entry empty_rows[] = { END };
static const struct proc_entry sys_fs_rows[] = { DIR("cgroup", empty_rows), END };
static const struct proc_entry sys_rows[] = {
	DIR("block", empty_rows), DIR("bus", empty_rows), DIR("class", empty_rows), DIR("dev", empty_rows),
	DIR("devices", sys_devices_rows), DIR("firmware", empty_rows), DIR("fs", sys_fs_rows),
	DIR("kernel", sys_kernel_rows), DIR("module", empty_rows), END,
};
static const struct proc_entry sys_root = { .name = "sys", .mode = S_IFDIR | 0555, .children = sys_rows };

int
sysfs_mount(struct task *t, const char *source, const char *data, uint64_t flags, struct super **out)
{
	(void)t, (void)source, (void)data, (void)flags;
	return proc_super_new("sysfs", SYSFS_MAGIC, &sys_root, out);
}
