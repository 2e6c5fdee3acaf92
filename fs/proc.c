/*
 * proc: the top of /proc: what is not about one task.  proc(5).
 */
#include "fs/proc.h"

#include <cpuid.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "abi/uts.h"
#include "base/hostcall.h"
#include "sentry/kernel/task.h"
#include "sentry/mm/pages.h"
#include "sentry/vfs/file.h"
#include "sentry/vfs/flock.h"
#include "sentry/vfs/mount.h"

static void
show_cmdline(struct task *t, struct proc_inode *p, struct strbuf *sb)
{
	(void)t, (void)p;
	sb_puts(sb, "village\n");
}

static void
show_filesystems(struct task *t, struct proc_inode *p, struct strbuf *sb)
{
	(void)t, (void)p;
	for (const struct fstype *f = fstypes; f->name != NULL; f++)
		sb_printf(sb, "%s\t%s\n", f->nodev ? "nodev" : "", f->name);
}

static void
show_locks(struct task *t, struct proc_inode *p, struct strbuf *sb)
{
	(void)t, (void)p;
	flocks_print(sb);
}

static void
show_devices(struct task *t, struct proc_inode *p, struct strbuf *sb)
{
	(void)t, (void)p;
	sb_puts(sb, "Character devices:\n  1 mem\n  5 /dev/tty\n  5 /dev/console\n  5 /dev/ptmx\n136 pts\n\nBlock devices:\n");
}

/* The machine's memory as the container may use it. */
static uint64_t
memory_total(void)
{
	return kernel.memory_limit ? min(kernel.memory_limit, kernel.ram) : kernel.ram;
}

static void
show_meminfo(struct task *t, struct proc_inode *p, struct strbuf *sb)
{
	uint64_t total = memory_total() >> 10, used = pages_used() >> 10;
	uint64_t avail = total > used ? total - used : 0;

	(void)t, (void)p;
	sb_printf(sb, "MemTotal:       %8llu kB\nMemFree:        %8llu kB\nMemAvailable:   %8llu kB\n",
	    (unsigned long long)total, (unsigned long long)avail, (unsigned long long)avail);
	sb_printf(sb, "Buffers:        %8u kB\nCached:         %8llu kB\nSwapCached:     %8u kB\n", 0,
	    (unsigned long long)used, 0);
	sb_printf(sb, "Active:         %8llu kB\nInactive:       %8u kB\nSwapTotal:      %8u kB\nSwapFree:       %8u kB\n",
	    (unsigned long long)used, 0, 0, 0);
	sb_printf(sb, "Dirty:          %8u kB\nWriteback:      %8u kB\nAnonPages:      %8u kB\nMapped:         %8u kB\n"
	    "Shmem:          %8llu kB\nSlab:           %8u kB\nSReclaimable:   %8u kB\n", 0, 0, 0, 0,
	    (unsigned long long)used, 0, 0);
	sb_printf(sb, "CommitLimit:    %8llu kB\nCommitted_AS:   %8llu kB\nHugePages_Total:%8u\nHugepagesize:   %8u kB\n",
	    (unsigned long long)total, (unsigned long long)used, 0, 2048);
}

struct cpu_total { uint64_t user_ns, sys_ns; uint32_t running, processes, threads; int32_t last; };

static bool
count_process(struct process *p, void *arg)
{
	struct cpu_total *c = arg;
	uint64_t user, sys;
	struct sighand *sh;
	struct task *s;

	process_times(p, &user, &sys);
	c->user_ns += user;
	c->sys_ns += sys;
	c->processes++;
	sh = process_lock(p);
	list_for_each(s, &p->threads, thread_link) {
		c->threads++;
		if (atomic_load(&s->state) == TASK_RUNNING)
			c->running++;
	}
	process_unlock(sh);
	return true;
}

static void
count_all(struct cpu_total *c)
{
	memset(c, 0, sizeof *c);
	process_each(count_process, c);
	mutex_lock(&kernel.tasks_mu);
	c->last = kernel.last_pid;
	mutex_unlock(&kernel.tasks_mu);
}

static void
show_stat(struct task *t, struct proc_inode *p, struct strbuf *sb)
{
	struct cpu_total c;
	uint64_t up = host_clock_ns(CLOCK_BOOTTIME), idle, tick = NSEC_PER_SEC / 100;

	(void)t, (void)p;
	count_all(&c);
	idle = up * kernel.ncpus;
	idle = idle > c.user_ns + c.sys_ns ? idle - c.user_ns - c.sys_ns : 0;
	sb_printf(sb, "cpu  %llu 0 %llu %llu 0 0 0 0 0 0\n", (unsigned long long)(c.user_ns / tick),
	    (unsigned long long)(c.sys_ns / tick), (unsigned long long)(idle / tick));
	/* Time is kept per task, not per CPU: each shows an equal share. */
	for (uint32_t n = 0; n < kernel.ncpus; n++)
		sb_printf(sb, "cpu%u %llu 0 %llu %llu 0 0 0 0 0 0\n", n,
		    (unsigned long long)(c.user_ns / tick / kernel.ncpus),
		    (unsigned long long)(c.sys_ns / tick / kernel.ncpus),
		    (unsigned long long)(idle / tick / kernel.ncpus));
	sb_printf(sb, "intr 0\nctxt %llu\nbtime %llu\nprocesses %llu\nprocs_running %u\nprocs_blocked 0\n",
	    (unsigned long long)atomic_load(&kernel.ctxt),
	    (unsigned long long)((host_clock_ns(CLOCK_REALTIME) - up) / NSEC_PER_SEC),
	    (unsigned long long)atomic_load(&kernel.forks), c.running);
}

/* What this kernel does: it has no swap and no disks of its own. */
static void
show_vmstat(struct task *t, struct proc_inode *p, struct strbuf *sb)
{
	uint64_t used = pages_used(), total = memory_total();

	(void)t, (void)p;
	sb_printf(sb, "nr_free_pages %llu\nnr_shmem %llu\npgpgin 0\npgpgout 0\npswpin 0\npswpout 0\n",
	    (unsigned long long)((total > used ? total - used : 0) >> PAGE_SHIFT),
	    (unsigned long long)(used >> PAGE_SHIFT));
}

static void
show_loadavg(struct task *t, struct proc_inode *p, struct strbuf *sb)
{
	struct cpu_total c;

	(void)t, (void)p;
	count_all(&c);
	sb_printf(sb, "0.00 0.00 0.00 %u/%u %d\n", c.running, c.threads, c.last);
}

static void
show_uptime(struct task *t, struct proc_inode *p, struct strbuf *sb)
{
	struct cpu_total c;
	uint64_t up = host_clock_ns(CLOCK_BOOTTIME), idle = up * kernel.ncpus;

	(void)t, (void)p;
	count_all(&c);
	idle = idle > c.user_ns + c.sys_ns ? idle - c.user_ns - c.sys_ns : 0;
	sb_printf(sb, "%llu.%02llu %llu.%02llu\n", (unsigned long long)(up / NSEC_PER_SEC),
	    (unsigned long long)(up % NSEC_PER_SEC / 10000000), (unsigned long long)(idle / NSEC_PER_SEC),
	    (unsigned long long)(idle % NSEC_PER_SEC / 10000000));
}

static void
show_version(struct task *t, struct proc_inode *p, struct strbuf *sb)
{
	(void)t, (void)p;
	sb_printf(sb, "Linux version %s (village) %s\n", UTS_RELEASE, UTS_VERSION);
}

static void
show_swaps(struct task *t, struct proc_inode *p, struct strbuf *sb)
{
	(void)t, (void)p;
	sb_puts(sb, "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n");
}

static void
show_partitions(struct task *t, struct proc_inode *p, struct strbuf *sb)
{
	(void)t, (void)p;
	sb_puts(sb, "major minor  #blocks  name\n\n");
}

static void
show_empty(struct task *t, struct proc_inode *p, struct strbuf *sb)
{
	(void)t, (void)p, (void)sb;
}

/* ---- cpuinfo ---------------------------------------------------------------- */

enum cpuid_reg { EAX, EBX, ECX, EDX };
static const struct { uint32_t leaf, reg, bit; const char *name; } cpu_flags[] = {
	{ 1, EDX, 0, "fpu" }, { 1, EDX, 4, "tsc" }, { 1, EDX, 8, "cx8" }, { 1, EDX, 15, "cmov" },
	{ 1, EDX, 19, "clflush" }, { 1, EDX, 23, "mmx" }, { 1, EDX, 24, "fxsr" }, { 1, EDX, 25, "sse" },
	{ 1, EDX, 26, "sse2" }, { 1, EDX, 28, "ht" }, { 0x80000001, EDX, 11, "syscall" },
	{ 0x80000001, EDX, 20, "nx" }, { 0x80000001, EDX, 27, "rdtscp" }, { 0x80000001, EDX, 29, "lm" },
	{ 1, ECX, 0, "pni" }, { 1, ECX, 1, "pclmulqdq" }, { 1, ECX, 9, "ssse3" }, { 1, ECX, 12, "fma" },
	{ 1, ECX, 13, "cx16" }, { 1, ECX, 19, "sse4_1" }, { 1, ECX, 20, "sse4_2" }, { 1, ECX, 22, "movbe" },
	{ 1, ECX, 23, "popcnt" }, { 1, ECX, 25, "aes" }, { 1, ECX, 26, "xsave" }, { 1, ECX, 28, "avx" },
	{ 1, ECX, 29, "f16c" }, { 1, ECX, 30, "rdrand" }, { 0x80000001, ECX, 0, "lahf_lm" },
	{ 0x80000001, ECX, 5, "abm" }, { 7, EBX, 0, "fsgsbase" }, { 7, EBX, 3, "bmi1" }, { 7, EBX, 5, "avx2" },
	{ 7, EBX, 8, "bmi2" }, { 7, EBX, 9, "erms" }, { 7, EBX, 16, "avx512f" }, { 7, EBX, 17, "avx512dq" },
	{ 7, EBX, 18, "rdseed" }, { 7, EBX, 19, "adx" }, { 7, EBX, 23, "clflushopt" }, { 7, EBX, 24, "clwb" },
	{ 7, EBX, 28, "avx512cd" }, { 7, EBX, 29, "sha_ni" }, { 7, EBX, 30, "avx512bw" },
	{ 7, EBX, 31, "avx512vl" }, { 7, ECX, 1, "avx512vbmi" }, { 7, ECX, 8, "gfni" }, { 7, ECX, 9, "vaes" },
	{ 7, ECX, 10, "vpclmulqdq" }, { 7, ECX, 22, "rdpid" }, { 7, EDX, 4, "fsrm" },
};

/* Asked once: in a virtual machine each cpuid is an exit. */
static struct {
	char		vendor[13], brand[49];
	uint32_t	version, misc;		/* eax and ebx of leaf 1 */
	char		flags[1024];		/* each with a blank before it */
} cpu;

static void
cpu_ask_flags(void)
{
	struct strbuf sb = STRBUF(cpu.flags, sizeof cpu.flags);
	uint32_t leaf = 0, r[4] = { 0 };

	for (size_t i = 0; i < ARRAY_LEN(cpu_flags); i++) {
		if (cpu_flags[i].leaf != leaf) {
			leaf = cpu_flags[i].leaf;
			memset(r, 0, sizeof r);
			__get_cpuid_count(leaf, 0, &r[EAX], &r[EBX], &r[ECX], &r[EDX]);
		}
		if (r[cpu_flags[i].reg] >> cpu_flags[i].bit & 1)
			sb_printf(&sb, " %s", cpu_flags[i].name);
	}
}

static void
cpu_ask(void)
{
	uint32_t r[4] = { 0 };

	__get_cpuid(0, &r[EAX], &r[EBX], &r[ECX], &r[EDX]);
	memcpy(cpu.vendor, &r[EBX], 4);
	memcpy(cpu.vendor + 4, &r[EDX], 4);
	memcpy(cpu.vendor + 8, &r[ECX], 4);
	for (uint32_t leaf = 0; leaf < 3; leaf++) {
		if (__get_cpuid(0x80000002 + leaf, &r[EAX], &r[EBX], &r[ECX], &r[EDX]))
			memcpy(cpu.brand + 16 * leaf, r, 16);
	}
	__get_cpuid(1, &cpu.version, &cpu.misc, &r[ECX], &r[EDX]);
	cpu_ask_flags();
}

static void
show_cpuinfo(struct task *t, struct proc_inode *p, struct strbuf *sb)
{
	static struct mutex mu = MUTEX_INIT(RANK_object);
	uint32_t family, model;

	(void)t, (void)p;
	mutex_lock(&mu);
	if (cpu.flags[0] == '\0')
		cpu_ask();
	mutex_unlock(&mu);
	family = (cpu.version >> 8 & 15) + (cpu.version >> 20 & 255);
	model = (cpu.version >> 4 & 15) | (cpu.version >> 12 & 0xf0);
	for (uint32_t n = 0; n < kernel.ncpus; n++) {
		sb_printf(sb, "processor\t: %u\nvendor_id\t: %s\ncpu family\t: %u\nmodel\t\t: %u\nmodel name\t: %s\n"
		    "stepping\t: %u\nphysical id\t: 0\nsiblings\t: %u\ncore id\t\t: %u\ncpu cores\t: %u\n"
		    "fpu\t\t: yes\nwp\t\t: yes\nflags\t\t:%s\n"
		    "clflush size\t: %u\naddress sizes\t: 48 bits physical, 48 bits virtual\n\n",
		    n, cpu.vendor, family, model, cpu.brand, cpu.version & 15, kernel.ncpus, n, kernel.ncpus,
		    cpu.flags, (cpu.misc >> 8 & 255) * 8);
	}
}

/* ---- self and the tasks ------------------------------------------------------ */

static int
link_number(char *buf, size_t size, int32_t a, int32_t b)
{
	char text[48];
	struct strbuf sb = STRBUF(text, sizeof text);

	if (b == 0)
		sb_printf(&sb, "%d", a);
	else
		sb_printf(&sb, "%d/task/%d", a, b);
	size = min(size, sb.len);
	memcpy(buf, text, size);
	return (int)size;
}

static int
link_self(struct task *t, struct proc_inode *p, char *buf, size_t size)
{
	(void)p;
	return link_number(buf, size, t->process->pid, 0);
}

static int
link_thread_self(struct task *t, struct proc_inode *p, char *buf, size_t size)
{
	(void)p;
	return link_number(buf, size, t->process->pid, t->tid);
}

static int
link_into_self(struct task *t, struct proc_inode *p, char *buf, size_t size)
{
	const char *text = strcmp(p->e->name, "mounts") == 0 ? "self/mounts" : "self/net";

	(void)t;
	size = min(size, strlen(text));
	memcpy(buf, text, size);
	return (int)size;
}

static int
lookup_task(struct task *t, struct proc_inode *dir, const char *name, struct inode **out)
{
	AUTO_PUT(task) s = NULL;
	uint32_t v = 0;

	(void)t;
	if (name[0] == '0')
		return -ENOENT;
	for (const char *c = name; *c != '\0'; c++) {
		if (*c < '0' || *c > '9' || v > 99999999)
			return -ENOENT;
		v = v * 10 + (uint32_t)(*c - '0');
	}
	/* Any thread's number works, though only processes are listed. */
	s = task_find_get((int32_t)v);
	if (s == NULL)
		return -ENOENT;
	return proc_inode_new(dir->inode.super, &proc_task_dir, s, -1, out);
}

struct listing {
	struct file	*f;
	struct dirsink	*d;
};

static bool
list_process(struct process *p, void *arg)
{
	const struct listing *l = arg;
	char name[16];
	struct strbuf sb = STRBUF(name, sizeof name);
	int64_t next = PROC_POS_DYNAMIC + p->pid + 1;

	if (next <= l->f->pos)
		return true;
	sb_printf(&sb, "%d", p->pid);
	if (!l->d->emit(l->d, name, sb.len, 0x40000000ULL + (uint64_t)p->pid, S_IFDIR >> 12, next))
		return false;
	l->f->pos = next;
	return true;
}

static int
readdir_tasks(struct file *f, struct task *t, struct proc_inode *dir, struct dirsink *d)
{
	struct listing l = { f, d };

	(void)t, (void)dir;
	process_each(list_process, &l);
	return 0;
}

/* ---- net: only what exists -------------------------------------------------- */

static void
show_net_dev(struct task *t, struct proc_inode *p, struct strbuf *sb)
{
	(void)t, (void)p;
	sb_puts(sb, "Inter-|   Receive                                                |  Transmit\n"
	    " face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed\n");
}

#define TEXT_ROW(n, m, fn)	{ .name = n, .mode = S_IFREG | (m), .show = fn }
#define LINK_ROW(n, fn)		{ .name = n, .mode = S_IFLNK | 0777, .link = fn }

extern const struct proc_entry proc_net_rows[];
const struct proc_entry proc_net_rows[] = {
	TEXT_ROW("dev", 0444, show_net_dev),
	{ .name = NULL },
};

static const struct proc_entry root_rows[] = {
	TEXT_ROW("cmdline", 0444, show_cmdline),
	TEXT_ROW("cpuinfo", 0444, show_cpuinfo),
	TEXT_ROW("devices", 0444, show_devices),
	TEXT_ROW("filesystems", 0444, show_filesystems),
	TEXT_ROW("loadavg", 0444, show_loadavg),
	TEXT_ROW("locks", 0444, show_locks),
	TEXT_ROW("meminfo", 0444, show_meminfo),
	TEXT_ROW("modules", 0444, show_empty),
	LINK_ROW("mounts", link_into_self),
	LINK_ROW("net", link_into_self),
	TEXT_ROW("partitions", 0444, show_partitions),
	LINK_ROW("self", link_self),
	TEXT_ROW("stat", 0444, show_stat),
	TEXT_ROW("swaps", 0444, show_swaps),
	{ .name = "sys", .mode = S_IFDIR | 0555, .children = proc_sys_rows },
	LINK_ROW("thread-self", link_thread_self),
	TEXT_ROW("uptime", 0444, show_uptime),
	TEXT_ROW("version", 0444, show_version),
	TEXT_ROW("vmstat", 0444, show_vmstat),
	{ .name = NULL },
};

static const struct proc_entry root_dir = {
	.name = "proc", .mode = S_IFDIR | 0555, .children = root_rows, .lookup = lookup_task, .readdir = readdir_tasks,
};

int
proc_mount(struct task *t, const char *source, const char *data, uint64_t flags, struct super **out)
{
	(void)t, (void)source, (void)data, (void)flags;
	return proc_super_new("proc", PROC_SUPER_MAGIC, &root_dir, out);
}
