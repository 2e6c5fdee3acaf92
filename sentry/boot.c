/*
 * boot: from descriptors to a running kernel.
 *
 * Order matters.  Before the filter: what needs the host's help once (the zygote, the
 * window on the memory file).  Then the filter; then everything that looks at bytes a stranger could have
 * chosen (the gofer's replies, names in the root), and the first thread.
 */
#include "sentry/boot.h"

#include <fcntl.h>
#include <linux/mount.h>
#include <sched.h>
#include <sys/stat.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysinfo.h>
#include <time.h>

#include "base/boot.h"
#include "base/fault.h"
#include "base/hostcall.h"
#include "base/json.h"
#include "base/kmem.h"
#include "base/log.h"
#include "fs/dev.h"
#include "fs/fs.h"
#include "fs/tty.h"
#include "sentry/control.h"
#include "sentry/kernel/crash.h"
#include "sentry/kernel/task.h"
#include "sentry/kernel/timer.h"
#include "sentry/mm/pages.h"
#include "sentry/syscall/syscall.h"
#include "sentry/vfs/dentry.h"
#include "sentry/vfs/inode.h"
#include "sentry/vfs/mount.h"

struct bootspec *boot_spec;
struct kernel kernel = {
	.tasks_mu = MUTEX_INIT(RANK_tasks),
	.report_fd = -1,
	.random_fd = -1,
};

/* One JSON line to whoever started us. */
static void
tell_ready(const char *error, int exit_code)
{
	char line[1024];
	struct strbuf sb = STRBUF(line, sizeof line);
	int64_t n;

	if (error == NULL) {
		sb_puts(&sb, "{\"ok\":true}\n");
	} else {
		sb_puts(&sb, "{\"error\":");
		sb_json(&sb, error);
		sb_printf(&sb, ",\"exit\":%d}\n", exit_code);
	}
	n = host_pwrite(BOOT_FD_READY, line, sb.len, -1);
	if (n < 0)
		log_warn("boot", "cannot report to the command line");
	(void)host_close(BOOT_FD_READY);
}

static void NORETURN
boot_fail(const char *what, int err)
{
	char text[512];
	struct strbuf sb = STRBUF(text, sizeof text);

	sb_puts(&sb, what);
	if (err)
		sb_printf(&sb, ": %s", strerror(-err));
	log_error("boot", "%s", text);
	tell_ready(text, 1);
	host_exit(1);
}

/* Makes a directory (or an empty file for a single-file bind) at an absolute path, parents included. */
static int
make_mountpoint(struct task *t, const char *dest, bool is_file)
{
	char name[PATH_LIMIT];
	size_t len = strlen(dest);

	if (len >= sizeof name)
		return -ENAMETOOLONG;
	memcpy(name, dest, len + 1);
	for (size_t i = 1; i <= len; i++) {
		AUTO_PUT(inode) made = NULL;
		struct path dir;
		char last[NAME_LIMIT + 1];
		enum last_kind kind;
		bool slash;
		uint32_t mode = i == len && is_file ? S_IFREG | 0644 : S_IFDIR | 0755;
		char cut = name[i];
		int err;

		if (cut != '/' && cut != '\0')
			continue;
		name[i] = '\0';
		err = path_walk_parent(t, AT_FDCWD, name, WALK_FOLLOW, &dir, last, &kind, &slash);
		if (err)
			return err;
		if (kind == LAST_NORMAL) {
			struct inode *d = dentry_inode(dir.dentry);

			mutex_lock(&d->mu);
			err = d->ops->lookup(t, d, last, &made);
			if (err == -ENOENT)
				err = d->ops->create(t, d, last, mode, 0, NULL, &made);
			mutex_unlock(&d->mu);
			dentry_forget(dir.dentry, last);
		}
		path_put(&dir);
		if (err)
			return err;
		name[i] = cut;
	}
	return 0;
}

static int
mount_super(struct task *t, const struct spec_mount *m, struct super **out)
{
	const struct fstype *type;
	uint64_t rdonly = m->flags & MS_RDONLY;

	if (strcmp(m->type, "gofer") == 0)
		return remote_super(m->index, rdonly != 0, m->shared, out);
	type = fstype_find(m->type);
	if (type == NULL)
		return -ENODEV;
	return type->mount(t, m->source, m->options, m->flags, out);
}

static int
mount_one(struct task *t, const struct spec_mount *m)
{
	AUTO_PUT(super) s = NULL;
	AUTO_PUT(dentry) root = NULL;
	struct path at;
	int err;

	err = path_walk(t, AT_FDCWD, m->dest, WALK_FOLLOW, &at);
	if (err == -ENOENT) {
		err = make_mountpoint(t, m->dest, m->is_file);
		if (!err)
			err = path_walk(t, AT_FDCWD, m->dest, WALK_FOLLOW, &at);
	}
	if (err)
		return err;
	err = mount_super(t, m, &s);
	/* An engine asks for a plain tmpfs at /dev and expects the runtime to fill it. */
	if (!err && strcmp(m->dest, "/dev") == 0 && strcmp(m->type, "tmpfs") == 0)
		err = dev_populate(t, s);
	if (!err) {
		root = dentry_new_root(s, s->root);
		err = root == NULL ? -ENOMEM :
		    mount_at(kernel.mntns, &at, s, root, m->flags, m->source ? m->source : m->type);
	}
	path_put(&at);
	return err;
}

static struct super *
make_root(const struct bootspec *spec)
{
	struct super *lower, *root;
	bool readonly = spec->mounts[0].flags & MS_RDONLY;
	int err;

	err = remote_super(spec->mounts[0].index, readonly || spec->overlay, spec->mounts[0].shared, &lower);
	if (err)
		boot_fail("cannot open the root filesystem", err);
	if (!spec->overlay)
		return lower;
	err = overlay_super(lower, &root);
	if (err)
		boot_fail("cannot make the overlay of the root", err);
	super_put(lower);
	return root;
}

static void
make_mounts(struct task *t, const struct bootspec *spec)
{
	char what[PATH_LIMIT + 64];
	struct strbuf sb;

	for (unsigned i = 1; i < spec->nmounts; i++) {
		int err = mount_one(t, &spec->mounts[i]);

		if (err) {
			sb_init(&sb, what, sizeof what);
			sb_printf(&sb, "cannot mount %s at %s", spec->mounts[i].type, spec->mounts[i].dest);
			boot_fail(what, err);
		}
	}
}

/* An empty read-only directory, or /dev/null, on top of what is there; nothing to do when nothing is. */
static int
mask_one(struct task *t, const char *name)
{
	static char type[] = "tmpfs", options[] = "size=4k,mode=0555";
	struct spec_mount m = { .type = type, .source = type, .options = options, .flags = MS_RDONLY };
	struct path at, null;
	int err = path_walk(t, AT_FDCWD, name, WALK_FOLLOW, &at);

	if (err)
		return err == -ENOENT || err == -ENOTDIR ? 0 : err;
	if (S_ISDIR(dentry_inode(at.dentry)->attr.mode)) {
		path_put(&at);
		m.dest = (char *)(uintptr_t)name;
		return mount_one(t, &m);
	}
	err = path_walk(t, AT_FDCWD, "/dev/null", WALK_FOLLOW, &null);
	if (!err) {
		err = mount_bind(kernel.mntns, &null, &at, false);
		path_put(&null);
	}
	path_put(&at);
	return err;
}

/* What is there once more, on top of itself and read-only. */
static int
protect_one(struct task *t, const char *name)
{
	struct path at, again;
	int err = path_walk(t, AT_FDCWD, name, WALK_FOLLOW, &at);

	if (err)
		return err == -ENOENT || err == -ENOTDIR ? 0 : err;
	err = mount_bind(kernel.mntns, &at, &at, true);
	if (!err)
		err = path_walk(t, AT_FDCWD, name, WALK_FOLLOW, &again);
	if (!err) {
		err = mount_remount(&again, atomic_load(&again.mnt->flags) | MS_RDONLY);
		path_put(&again);
	}
	path_put(&at);
	return err;
}

static void
each_path(struct task *t, char **names, int (*fn)(struct task *t, const char *name), const char *doing)
{
	char what[PATH_LIMIT + 64];
	struct strbuf sb;

	for (; names != NULL && *names != NULL; names++) {
		int err = fn(t, *names);

		if (err) {
			sb_init(&sb, what, sizeof what);
			sb_printf(&sb, "cannot %s %s", doing, *names);
			boot_fail(what, err);
		}
	}
}

/* maskedPaths and readonlyPaths; of sysctls only the wish is known. */
static void
hide_paths(struct task *t, const struct bootspec *spec)
{
	each_path(t, spec->readonly_paths, protect_one, "make read-only");
	each_path(t, spec->masked_paths, mask_one, "mask");
	for (unsigned i = 0; i < spec->nsysctls; i++)
		report_missing(t, "sysctl %s", spec->sysctls[i].key);
}

/* Remounts the root read-only once every mountpoint has been made. */
static void
seal_root(const struct bootspec *spec)
{
	if (spec->root_readonly)
		atomic_fetch_or(&kernel.mntns->root->flags, MS_RDONLY);
}

static bool
cpus_from_zero(uint32_t n)
{
	cpu_set_t set;

	if (sched_getaffinity(0, sizeof set, &set) != 0 || n > CPU_SETSIZE || (uint32_t)CPU_COUNT(&set) != n)
		return false;
	for (uint32_t i = 0; i < n; i++) {
		if (!CPU_ISSET(i, &set))
			return false;
	}
	return true;
}

static void
init_kernel(const struct bootspec *spec)
{
	kernel.pids_limit = spec->pids_limit;
	kernel.memory_limit = spec->memory_limit;
	kernel.ncpus = (uint32_t)get_nprocs();
	kernel.cpus_from_zero = cpus_from_zero(kernel.ncpus);
	kernel.ram = (uint64_t)get_phys_pages() * PAGE_SIZE;
	kernel.init_mortal = spec->init_mortal;
	mm_patch_after = spec->patch_after;
	kernel.strace = spec->strace;
	kernel.report = spec->report;
	kernel.report_fd = BOOT_FD_REPORT;
	kernel.random_fd = BOOT_FD_RANDOM;
}

static void
lock_down(const struct bootspec *spec)
{
	struct platform_conf conf = {
		.name = spec->platform,
		.memfile = BOOT_FD_MEMFILE,
		.proc_dirfd = BOOT_FD_PROC,
	};
	const char *why = NULL;
	int err;

	conf.marshal = syscall_marshal(&conf.nmarshal);
#ifndef NDEBUG
	conf.no_vdso = getenv("VILLAGE_NO_VDSO") != NULL;
	conf.slow_zygote = getenv("VILLAGE_SLOW_ZYGOTE") != NULL;
#endif
	err = platform_boot(&conf, &why);
	if (err)
		boot_fail(why ? why : "the platform cannot start", err);
#ifndef NDEBUG
	if (fault_arm(getenv("VILLAGE_FAULT")) != 0)
		boot_fail("VILLAGE_FAULT is not of the form alloc:N, host:N, bug:N or segv:N", 0);
#endif
	err = filter_install(strcmp(spec->platform, "ptrace") == 0 ? ROLE_SENTRY_PTRACE : ROLE_SENTRY);
	if (err)
		boot_fail("cannot install the sentry's filter", err);
#ifndef NDEBUG
	err = fault_forbidden(getenv("VILLAGE_FORBIDDEN"));
	if (err)
		boot_fail("VILLAGE_FORBIDDEN", err);
#endif
}

void
boot(struct bootspec *spec)
{
	struct task *init = NULL;
	const char *unready = NULL;
	char why[512] = "";
	int err, exit_code = 1, status = 0;

	boot_spec = spec;
	crash_boot();
	signal(SIGPIPE, SIG_IGN);
	init_kernel(spec);
	if (spec->strace_filter != NULL && strace_filter_set(spec->strace_filter) != 0)
		boot_fail("--strace-filter: neither a system call nor one of file desc memory network process signal time", 0);
	err = pages_boot(BOOT_FD_MEMFILE, spec->memfile_size);
	if (err)
		boot_fail("cannot map the memory file", err);
	err = hostfd_boot();
	if (err)
		boot_fail("cannot make the descriptor watcher", err);
	lock_down(spec);

	tasks_boot();
	err = timers_boot();
	if (!err)
		err = remote_boot(BOOT_FD_GOFER, spec->nmounts);
	if (err)
		boot_fail("cannot reach the gofer", err);
	{
		AUTO_PUT(super) root = make_root(spec);

		err = mntns_new(root, spec->overlay ? 0 : spec->mounts[0].flags & ~(uint64_t)MS_RDONLY,
		    spec->overlay ? "overlay" : "rootfs", &kernel.mntns);
		if (err)
			boot_fail("cannot mount the root filesystem", err);
	}
	err = process_new_init(&init);
	if (err)
		boot_fail("cannot make the first process", err);
	make_mounts(init, spec);
	hide_paths(init, spec);
	seal_root(spec);
	err = platform_ready(&unready);
	if (err)
		boot_fail(unready, err);
	err = vdso_boot();
	if (err)
		boot_fail("no memory for the vDSO", err);
	err = control_init(BOOT_FD_CONTROL);
	if (err)
		boot_fail("cannot serve the control socket", err);
	err = spec->wait_start ? guest_check_init(&exit_code, why, sizeof why) :
	    guest_start_init(&exit_code, why, sizeof why);
	if (err) {
		log_info("boot", "init cannot start: %s", why);
		tell_ready(why, exit_code);
		host_exit(exit_code);
	}
	tell_ready(NULL, 0);
	err = guest_wait(1, &status);
	if (err)
		boot_fail("lost the first process", err);
	tty_host_drain();
	if (kernel.report)
		report_print();
	/* As a shell would: the runtime's caller sees this process's own status. */
	host_exit((status & 0x7f) ? 128 + (status & 0x7f) : (status >> 8) & 0xff);
}
