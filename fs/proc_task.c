/*
 * proc_task: the files of /proc/PID and /proc/PID/task/TID.  proc_pid_stat(5), proc_pid_status(5) and their kin.
 */
#include <fcntl.h>
#include <linux/magic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "fs/proc.h"
#include "fs/tty.h"
#include "sentry/kernel/inspect.h"
#include "sentry/kernel/task.h"
#include "sentry/mm/mm.h"
#include "sentry/mm/usercopy.h"
#include "sentry/vfs/dentry.h"
#include "sentry/vfs/fdtable.h"
#include "sentry/vfs/file.h"
#include "sentry/vfs/mount.h"

#define TICKS_PER_SEC	100

static char
state_letter(struct task *s)
{
	switch ((enum task_state)atomic_load(&s->state)) {
	case TASK_RUNNING: return 'R';
	case TASK_SLEEPING: return 'S';
	case TASK_DISK: return 'D';
	case TASK_STOPPED: return 'T';
	case TASK_TRACED: return 't';
	case TASK_ZOMBIE: return 'Z';
	case TASK_DEAD: return 'X';
	}
	return 'R';
}

static const char *
state_name(char letter)
{
	switch (letter) {
	case 'S': return "sleeping";
	case 'D': return "disk sleep";
	case 'T': return "stopped";
	case 't': return "tracing stop";
	case 'Z': return "zombie";
	case 'X': return "dead";
	default: return "running";
	}
}

/* What several files show, taken once. */
struct snapshot {
	char		comm[16];
	char		state;
	int32_t		ppid, pgrp, session, tty_pgrp;
	uint32_t	tty, nthreads, sched_policy, sched_prio;
	int32_t		nice;
	sigset64	pending, shared_pending, blocked, ignored, caught;
	struct rusage_acct acct, children;
	uint64_t	start_ticks;
};

static void
take_snapshot(struct task *s, bool whole_process, struct snapshot *out)
{
	struct process *p = s->process;
	struct sighand *sh;
	struct session *sess = NULL;

	memset(out, 0, sizeof *out);
	mutex_lock(&s->alloc_mu);
	memcpy(out->comm, s->comm, sizeof out->comm);
	mutex_unlock(&s->alloc_mu);
	out->state = state_letter(s);
	out->tty_pgrp = -1;
	mutex_lock(&kernel.tasks_mu);
	out->ppid = p->parent ? p->parent->pid : 0;
	out->nice = s->nice;
	out->sched_policy = s->sched_policy;
	out->sched_prio = s->sched_prio;
	if (p->pgrp != NULL) {
		out->pgrp = p->pgrp->id;
		sess = session_get(p->pgrp->session);
		out->session = sess->id;
	}
	if (p->zombie && s == p->leader)
		out->state = 'Z';
	mutex_unlock(&kernel.tasks_mu);
	if (sess != NULL)
		tty_of_session(sess, &out->tty, &out->tty_pgrp);
	session_put(sess);
	sh = process_lock(p);
	out->nthreads = p->nthreads;
	out->pending = s->pending.set;
	out->shared_pending = p->pending.set;
	out->blocked = signal_mask(s);
	for (int n = 0; n < 64; n++) {
		uint64_t h = (uint64_t)sh->action[n].handler;

		if (h == 1)
			out->ignored |= 1ULL << n;
		else if (h != 0)
			out->caught |= 1ULL << n;
	}
	process_unlock(sh);
	if (whole_process) {
		process_times(p, &out->acct.utime_ns, &out->acct.stime_ns);
	} else {
		out->acct.utime_ns = atomic_load(&s->utime_ns);
		out->acct.stime_ns = atomic_load(&s->stime_ns);
	}
	out->acct.minflt += atomic_load(&s->minflt);
	out->acct.nvcsw += atomic_load(&s->nvcsw);
	out->acct.nivcsw += atomic_load(&s->nivcsw);
	mutex_lock(&p->mu);
	out->children = p->children_acct;
	mutex_unlock(&p->mu);
	out->start_ticks = s->start_ns / (NSEC_PER_SEC / TICKS_PER_SEC);
}

static uint64_t
ticks(uint64_t ns)
{
	return ns / (NSEC_PER_SEC / TICKS_PER_SEC);
}

static void
stat_text(struct task *t, struct task *s, bool whole, struct strbuf *sb)
{
	AUTO_PUT(mm) mm = task_mm_get(s);
	struct snapshot n;
	uint64_t anon = 0, file = 0, shmem = 0;
	struct mm_sizes vm = { 0 };
	AUTO_PUT(mm) seen = NULL;	/* it may have addresses of */

	if (task_inspect(t, s, INSPECT_FS, &seen) != 0)
		seen = NULL;
	take_snapshot(s, whole, &n);
	if (mm != NULL) {
		mm_rss(mm, &anon, &file, &shmem);
		mm_sizes(mm, &vm);
	}
	sb_printf(sb, "%d (%s) %c %d %d %d %d %d 0 ", whole ? s->process->pid : s->tid, n.comm, n.state, n.ppid,
	    n.pgrp, n.session, (int)n.tty, n.tty_pgrp);
	sb_printf(sb, "%llu %llu %llu %llu %llu %llu %llu %llu ", (unsigned long long)n.acct.minflt,
	    (unsigned long long)n.children.minflt, (unsigned long long)n.acct.majflt,
	    (unsigned long long)n.children.majflt, (unsigned long long)ticks(n.acct.utime_ns),
	    (unsigned long long)ticks(n.acct.stime_ns), (unsigned long long)ticks(n.children.utime_ns),
	    (unsigned long long)ticks(n.children.stime_ns));
	sb_printf(sb, "%d %d %u 0 %llu %llu %llu %llu ", 20 + n.nice, n.nice, n.nthreads,
	    (unsigned long long)n.start_ticks, (unsigned long long)vm.total,
	    (unsigned long long)((anon + file + shmem) >> PAGE_SHIFT),
	    (unsigned long long)process_rlimit(s->process, 5, NULL));
	if (seen != NULL)
		sb_printf(sb, "%llu %llu %llu 0 0 ", (unsigned long long)seen->start_code,
		    (unsigned long long)seen->end_code, (unsigned long long)seen->start_stack);
	else
		sb_puts(sb, "1 1 0 0 0 ");
	sb_printf(sb, "%llu %llu %llu %llu 0 0 0 %d 0 %d %d 0 0 0 ", (unsigned long long)(n.pending & INT32_MAX),
	    (unsigned long long)(n.blocked & INT32_MAX), (unsigned long long)(n.ignored & INT32_MAX),
	    (unsigned long long)(n.caught & INT32_MAX), 17, (int)n.sched_prio, (int)n.sched_policy);
	if (seen != NULL)
		sb_printf(sb, "%llu %llu %llu %llu %llu %llu %llu ", (unsigned long long)seen->start_data,
		    (unsigned long long)seen->end_data, (unsigned long long)seen->brk_start,
		    (unsigned long long)seen->arg_start, (unsigned long long)seen->arg_end,
		    (unsigned long long)seen->env_start, (unsigned long long)seen->env_end);
	else
		sb_puts(sb, "0 0 0 0 0 0 0 ");
	sb_printf(sb, "%d\n", s->process->zombie ? s->process->wstatus : 0);
}

static void
show_stat(struct task *t, struct proc_inode *p, struct strbuf *sb)
{
	stat_text(t, p->task, true, sb);
}

static void
show_thread_stat(struct task *t, struct proc_inode *p, struct strbuf *sb)
{
	stat_text(t, p->task, false, sb);
}

static void
show_statm(struct task *t, struct proc_inode *p, struct strbuf *sb)
{
	AUTO_PUT(mm) mm = task_mm_get(p->task);
	uint64_t anon, file, shmem;
	struct mm_sizes vm;

	(void)t;
	if (mm == NULL) {
		sb_puts(sb, "0 0 0 0 0 0 0\n");
		return;
	}
	mm_rss(mm, &anon, &file, &shmem);
	mm_sizes(mm, &vm);
	sb_printf(sb, "%llu %llu %llu %llu 0 %llu 0\n", (unsigned long long)(vm.total >> PAGE_SHIFT),
	    (unsigned long long)((anon + file + shmem) >> PAGE_SHIFT),
	    (unsigned long long)((file + shmem) >> PAGE_SHIFT),
	    (unsigned long long)((vm.code + PAGE_SIZE - 1) >> PAGE_SHIFT),
	    (unsigned long long)((vm.data + vm.stack) >> PAGE_SHIFT));
}

static void
status_memory(struct mm *mm, struct strbuf *sb)
{
	uint64_t anon, file, shmem, rss;
	struct mm_sizes vm;

	mm_rss(mm, &anon, &file, &shmem);
	mm_sizes(mm, &vm);
	rss = anon + file + shmem;
	sb_printf(sb, "VmPeak:\t%8llu kB\nVmSize:\t%8llu kB\nVmLck:\t%8llu kB\nVmPin:\t%8u kB\nVmHWM:\t%8llu kB\n"
	    "VmRSS:\t%8llu kB\nRssAnon:\t%8llu kB\nRssFile:\t%8llu kB\nRssShmem:\t%8llu kB\n",
	    (unsigned long long)max(vm.peak, vm.total) >> 10, (unsigned long long)vm.total >> 10,
	    (unsigned long long)vm.locked >> 10, 0, (unsigned long long)rss >> 10,
	    (unsigned long long)rss >> 10, (unsigned long long)anon >> 10,
	    (unsigned long long)file >> 10, (unsigned long long)shmem >> 10);
	sb_printf(sb, "VmData:\t%8llu kB\nVmStk:\t%8llu kB\nVmExe:\t%8llu kB\nVmLib:\t%8u kB\nVmPTE:\t%8u kB\nVmSwap:\t%8u kB\n",
	    (unsigned long long)vm.data >> 10, (unsigned long long)vm.stack >> 10,
	    (unsigned long long)vm.code >> 10, 0, 0, 0);
}

static void
status_creds(struct task *s, struct strbuf *sb)
{
	struct cred *c = task_cred_get(s);
	struct fsinfo *fs = task_fs_get(s);
	struct fdtable *files = task_files_get(s);

	if (fs != NULL)
		sb_printf(sb, "Umask:\t%04o\n", atomic_load(&fs->umask));
	fsinfo_put(fs);
	sb_printf(sb, "State:\t%c (%s)\n", state_letter(s), state_name(state_letter(s)));
	sb_printf(sb, "Tgid:\t%d\nNgid:\t0\nPid:\t%d\nPPid:\t%d\nTracerPid:\t0\n", s->process->pid, s->tid,
	    process_ppid(s->process));
	if (c != NULL) {
		sb_printf(sb, "Uid:\t%u\t%u\t%u\t%u\nGid:\t%u\t%u\t%u\t%u\n", c->uid, c->euid, c->suid, c->fsuid,
		    c->gid, c->egid, c->sgid, c->fsgid);
		sb_printf(sb, "FDSize:\t%u\nGroups:\t", files ? files->size : 0);
		for (uint32_t i = 0; i < c->ngroups; i++)
			sb_printf(sb, "%u ", c->groups[i]);
		sb_puts(sb, "\n");
	}
	cred_put(c);
	fdtable_put(files);
}

static void
show_status(struct task *t, struct proc_inode *p, struct strbuf *sb)
{
	struct task *s = p->task;
	AUTO_PUT(mm) mm = task_mm_get(s);
	struct cred *c = task_cred_get(s);
	struct snapshot n;

	(void)t;
	take_snapshot(s, false, &n);
	sb_puts(sb, "Name:\t");
	comm_print(sb, n.comm);
	sb_putc(sb, '\n');
	status_creds(s, sb);
	sb_printf(sb, "NStgid:\t%d\nNSpid:\t%d\nNSpgid:\t%d\nNSsid:\t%d\n", s->process->pid, s->tid, n.pgrp, n.session);
	if (mm != NULL)
		status_memory(mm, sb);
	sb_printf(sb, "CoreDumping:\t0\nTHP_enabled:\t1\nThreads:\t%u\nSigQ:\t0/%llu\n", n.nthreads,
	    (unsigned long long)process_rlimit(s->process, 11, NULL));
	sb_printf(sb, "SigPnd:\t%016llx\nShdPnd:\t%016llx\nSigBlk:\t%016llx\nSigIgn:\t%016llx\nSigCgt:\t%016llx\n",
	    (unsigned long long)n.pending, (unsigned long long)n.shared_pending, (unsigned long long)n.blocked,
	    (unsigned long long)n.ignored, (unsigned long long)n.caught);
	if (c != NULL)
		sb_printf(sb, "CapInh:\t%016llx\nCapPrm:\t%016llx\nCapEff:\t%016llx\nCapBnd:\t%016llx\nCapAmb:\t%016llx\n"
		    "NoNewPrivs:\t%d\n", (unsigned long long)c->inheritable, (unsigned long long)c->permitted,
		    (unsigned long long)c->effective, (unsigned long long)c->bounding,
		    (unsigned long long)c->ambient, c->no_new_privs);
	cred_put(c);
	sb_puts(sb, "Seccomp:\t0\nSeccomp_filters:\t0\nSpeculation_Store_Bypass:\tthread vulnerable\n");
	sb_printf(sb, "Cpus_allowed:\t%llx\nCpus_allowed_list:\t0", (1ULL << min(kernel.ncpus, 63U)) - 1);
	if (kernel.ncpus > 1)
		sb_printf(sb, "-%u", kernel.ncpus - 1);
	sb_printf(sb, "\nMems_allowed:\t1\nMems_allowed_list:\t0\nvoluntary_ctxt_switches:\t%llu\n"
	    "nonvoluntary_ctxt_switches:\t%llu\n", (unsigned long long)n.acct.nvcsw, (unsigned long long)n.acct.nivcsw);
}

/* A stretch of the task's own memory, as cmdline and environ show it. */
static void
show_memory(struct mm *mm, uint64_t mm_start, uint64_t mm_end, struct strbuf *sb)
{
	char buf[1024];

	while (mm_start < mm_end && !sb->cut) {
		int64_t n = copy_force(mm, gaddr_from(mm_start), buf, min(mm_end - mm_start, (uint64_t)sizeof buf), false);

		if (n <= 0)
			break;
		sb_put(sb, buf, (size_t)n);
		mm_start += (uint64_t)n;
	}
}

static void
show_cmdline(struct task *t, struct proc_inode *p, struct strbuf *sb)
{
	AUTO_PUT(mm) mm = task_mm_get(p->task);

	(void)t;
	if (mm != NULL)
		show_memory(mm, mm->arg_start, mm->arg_end, sb);
}

static void
show_environ(struct mm *mm, struct strbuf *sb)
{
	show_memory(mm, mm->env_start, mm->env_end, sb);
}

static void
show_auxv(struct mm *mm, struct strbuf *sb)
{
	sb_put(sb, (const char *)mm->auxv, min((size_t)mm->nauxv, ARRAY_LEN(mm->auxv)) * sizeof mm->auxv[0]);
}

static void
show_comm(struct task *t, struct proc_inode *p, struct strbuf *sb)
{
	(void)t;
	mutex_lock(&p->task->alloc_mu);
	sb_printf(sb, "%.15s\n", p->task->comm);
	mutex_unlock(&p->task->alloc_mu);
}

static int64_t
write_comm(struct task *t, struct proc_inode *p, const char *text, size_t len)
{
	char name[16] = "";

	if (t->process != p->task->process)
		return -EINVAL;
	memcpy(name, text, min(len, sizeof name - 1));
	name[strcspn(name, "\n")] = '\0';
	task_set_comm(p->task, name);
	return (int64_t)len;
}

static void
show_maps(struct mm *mm, struct strbuf *sb)
{
	mm_print_maps(mm, sb, false);
}

static void
show_smaps(struct mm *mm, struct strbuf *sb)
{
	mm_print_maps(mm, sb, true);
}

static void
show_mounts(struct task *t, struct proc_inode *p, struct strbuf *sb)
{
	(void)t;
	mount_print(p->task, sb, false);
}

static void
show_mountinfo(struct task *t, struct proc_inode *p, struct strbuf *sb)
{
	(void)t;
	mount_print(p->task, sb, true);
}

static void
show_limits(struct task *t, struct proc_inode *p, struct strbuf *sb)
{
	static const struct { const char *name, *unit; } rows[RLIM_COUNT] = {
		{ "Max cpu time", "seconds" }, { "Max file size", "bytes" }, { "Max data size", "bytes" },
		{ "Max stack size", "bytes" }, { "Max core file size", "bytes" }, { "Max resident set", "bytes" },
		{ "Max processes", "processes" }, { "Max open files", "files" }, { "Max locked memory", "bytes" },
		{ "Max address space", "bytes" }, { "Max file locks", "locks" }, { "Max pending signals", "signals" },
		{ "Max msgqueue size", "bytes" }, { "Max nice priority", "" }, { "Max realtime priority", "" },
		{ "Max realtime timeout", "us" },
	};

	(void)t;
	sb_printf(sb, "%-25s %-20s %-20s %-10s\n", "Limit", "Soft Limit", "Hard Limit", "Units");
	for (int r = 0; r < RLIM_COUNT; r++) {
		uint64_t v[2];

		v[0] = process_rlimit(p->task->process, r, &v[1]);
		sb_printf(sb, "%-25s ", rows[r].name);
		for (int k = 0; k < 2; k++) {
			if (v[k] == UINT64_MAX)
				sb_printf(sb, "%-20s ", "unlimited");
			else
				sb_printf(sb, "%-20llu ", (unsigned long long)v[k]);
		}
		sb_printf(sb, "%-10s\n", rows[r].unit);
	}
}

static void
show_cgroup(struct task *t, struct proc_inode *p, struct strbuf *sb)
{
	(void)t, (void)p;
	sb_puts(sb, "0::/\n");
}

static void
show_id_map(struct task *t, struct proc_inode *p, struct strbuf *sb)
{
	(void)t, (void)p;
	sb_printf(sb, "%10u %10u %10u\n", 0, 0, UINT32_MAX);
}

static void
show_setgroups(struct task *t, struct proc_inode *p, struct strbuf *sb)
{
	(void)t, (void)p;
	sb_puts(sb, "allow\n");
}

static void
show_oom_score(struct task *t, struct proc_inode *p, struct strbuf *sb)
{
	int32_t adj = atomic_load(&p->task->process->oom_score_adj);

	(void)t;
	sb_printf(sb, "%d\n", adj > 0 ? adj : 0);
}

static void
show_oom_adj(struct task *t, struct proc_inode *p, struct strbuf *sb)
{
	(void)t;
	sb_printf(sb, "%d\n", atomic_load(&p->task->process->oom_score_adj));
}

static int64_t
write_oom_adj(struct task *t, struct proc_inode *p, const char *text, size_t len)
{
	char *end;
	long v = strtol(text, &end, 10);

	if (end == text || (*end != '\0' && *end != '\n') || v < -1000 || v > 1000)
		return -EINVAL;
	if (v < atomic_load(&p->task->process->oom_score_adj) && !task_capable(t, 24 /* CAP_SYS_RESOURCE */))
		return -EACCES;
	atomic_store(&p->task->process->oom_score_adj, (int32_t)v);
	return (int64_t)len;
}

static void
show_personality(struct task *t, struct proc_inode *p, struct strbuf *sb)
{
	(void)t;
	sb_printf(sb, "%08x\n", p->task->personality);
}

static void
show_wchan(struct task *t, struct proc_inode *p, struct strbuf *sb)
{
	const char *why = atomic_load(&p->task->wait_reason);

	(void)t;
	sb_puts(sb, why && atomic_load(&p->task->state) == TASK_SLEEPING ? why : "0");
}

static void
show_syscall(struct task *t, struct proc_inode *p, struct strbuf *sb)
{
	struct task *s = p->task;
	int64_t nr = __atomic_load_n(&s->syscall, __ATOMIC_RELAXED);

	(void)t;
	if (nr < 0 || s == t) {
		sb_puts(sb, "running\n");
		return;
	}
	sb_printf(sb, "%lld", (long long)nr);
	for (int i = 0; i < 6; i++)
		sb_printf(sb, " 0x%llx", (unsigned long long)__atomic_load_n(&s->args[i], __ATOMIC_RELAXED));
	sb_puts(sb, " 0x0 0x0\n");
}

static void
show_sessionid(struct task *t, struct proc_inode *p, struct strbuf *sb)
{
	(void)t, (void)p;
	sb_puts(sb, "4294967295");
}

static void
show_schedstat(struct task *t, struct proc_inode *p, struct strbuf *sb)
{
	(void)t;
	sb_printf(sb, "%llu 0 %llu\n", (unsigned long long)(atomic_load(&p->task->utime_ns) +
	    atomic_load(&p->task->stime_ns)), (unsigned long long)atomic_load(&p->task->nvcsw));
}

/* ---- links ------------------------------------------------------------------ */

static int
follow_exe(struct task *t, struct proc_inode *p, struct path *out)
{
	AUTO_PUT(mm) mm = task_mm_get(p->task);
	AUTO_PUT(file) exe = NULL;

	(void)t;
	if (mm == NULL)
		return -ENOENT;
	mutex_lock(&mm->mu);
	exe = file_get(mm->exe);
	mutex_unlock(&mm->mu);
	if (exe == NULL)
		return -ENOENT;
	*out = exe->path;
	path_get(out);
	return 0;
}

static int
follow_fs(struct proc_inode *p, bool root, struct path *out)
{
	AUTO_PUT(fsinfo) fs = task_fs_get(p->task);

	if (fs == NULL)
		return -ENOENT;
	mutex_lock(&fs->mu);
	*out = root ? fs->root : fs->cwd;
	path_get(out);
	mutex_unlock(&fs->mu);
	return 0;
}

static int
follow_cwd(struct task *t, struct proc_inode *p, struct path *out)
{
	(void)t;
	return follow_fs(p, false, out);
}

static int
follow_root(struct task *t, struct proc_inode *p, struct path *out)
{
	(void)t;
	return follow_fs(p, true, out);
}

/* The open file behind descriptor `fd` of the task; -ENOENT. */
static int
proc_fd_file(struct proc_inode *p, int32_t fd, struct file **out, bool *cloexec)
{
	AUTO_PUT(fdtable) files = task_files_get(p->task);
	int32_t at = fd;

	if (files == NULL || !fdtable_next(files, &at, out, cloexec))
		return -ENOENT;
	if (at != fd) {
		file_put(steal(out));
		return -ENOENT;
	}
	return 0;
}

static int
follow_fd(struct task *t, struct proc_inode *p, struct path *out)
{
	struct file *f;
	bool cloexec;
	int err = proc_fd_file(p, p->fd, &f, &cloexec);

	(void)t;
	if (err)
		return err;
	*out = f->path;
	path_get(out);
	file_put(f);
	return 0;
}

static void
show_fdinfo(struct task *t, struct proc_inode *p, struct strbuf *sb)
{
	struct file *f;
	bool cloexec;

	(void)t;
	if (proc_fd_file(p, p->fd, &f, &cloexec) != 0)
		return;
	sb_printf(sb, "pos:\t%lld\nflags:\t0%o\nmnt_id:\t%d\nino:\t%llu\n", (long long)f->pos,
	    atomic_load(&f->flags) | (cloexec ? O_CLOEXEC : 0), f->path.mnt ? f->path.mnt->id : 0,
	    (unsigned long long)f->inode->attr.ino);
	file_put(f);
}

static const struct proc_entry fd_row = { .name = "fd", .mode = S_IFLNK | 0700, .follow = follow_fd };
static const struct proc_entry fdinfo_row = { .name = "fdinfo", .mode = S_IFREG | 0444, .show = show_fdinfo, .owner_only = true };

/* A plain decimal number without sign or leading zeros, or -1. */
static int32_t
parse_number(const char *name)
{
	uint32_t v = 0;

	if (name[0] == '\0' || (name[0] == '0' && name[1] != '\0'))
		return -1;
	for (; *name != '\0'; name++) {
		if (*name < '0' || *name > '9' || v > 99999999)
			return -1;
		v = v * 10 + (uint32_t)(*name - '0');
	}
	return (int32_t)v;
}

static int
fd_lookup_row(struct task *t, struct proc_inode *dir, const char *name, const struct proc_entry *row, struct inode **out)
{
	int32_t fd = parse_number(name);
	AUTO_PUT(file) f = NULL;
	bool cloexec;
	int found = fd < 0 ? -ENOENT : proc_fd_file(dir, fd, &f, &cloexec);
	/* After that: another program may have opened it meanwhile. */
	int err = proc_may_inspect(t, dir->task);

	if (err || found)
		return err ? err : found;
	err = proc_inode_new(dir->inode.super, row, dir->task, fd, out);
	if (!err && row == &fd_row)
		(*out)->attr.mode = S_IFLNK | (f->mode & FMODE_READ ? 0500U : 0) | (f->mode & FMODE_WRITE ? 0300U : 0);
	return err;
}

static int
lookup_fd(struct task *t, struct proc_inode *dir, const char *name, struct inode **out)
{
	return fd_lookup_row(t, dir, name, &fd_row, out);
}

static int
lookup_fdinfo(struct task *t, struct proc_inode *dir, const char *name, struct inode **out)
{
	return fd_lookup_row(t, dir, name, &fdinfo_row, out);
}

static int
readdir_fd(struct file *f, struct task *t, struct proc_inode *dir, struct dirsink *d)
{
	AUTO_PUT(fdtable) files = NULL;
	int32_t fd = (int32_t)(f->pos - PROC_POS_DYNAMIC);
	struct file *open;
	bool cloexec;
	int err = proc_may_inspect(t, dir->task);

	if (err)
		return err;
	files = task_files_get(dir->task);
	while (files != NULL && fdtable_next(files, &fd, &open, &cloexec)) {
		char name[16];
		struct strbuf sb = STRBUF(name, sizeof name);
		bool taken;

		file_put(open);
		sb_printf(&sb, "%d", fd);
		taken = d->emit(d, name, sb.len, 0x20000000ULL + (uint64_t)fd, S_IFLNK >> 12, PROC_POS_DYNAMIC + fd + 1);
		if (!taken)
			return 0;
		fd++;
		f->pos = PROC_POS_DYNAMIC + fd;
	}
	return 0;
}

/* A process that has changed who it is does not own its directory, and looks at its descriptors all the same. */
static int
fd_permission(struct task *t, struct proc_inode *dir, int err)
{
	return dir->task->process == t->process ? 0 : err;
}

static int
fdinfo_permission(struct task *t, struct proc_inode *dir, int err)
{
	int may = proc_may_inspect(t, dir->task);

	return may ? may : err;
}

/* ---- threads ---------------------------------------------------------------- */

static int
lookup_thread(struct task *t, struct proc_inode *dir, const char *name, struct inode **out)
{
	int32_t tid = parse_number(name);
	AUTO_PUT(task) s = tid > 0 ? task_find_get(tid) : NULL;

	(void)t;
	if (s == NULL || s->process != dir->task->process)
		return -ENOENT;
	return proc_inode_new(dir->inode.super, &proc_thread_dir, s, -1, out);
}

static int
readdir_threads(struct file *f, struct task *t, struct proc_inode *dir, struct dirsink *d)
{
	int32_t tid = (int32_t)(f->pos - PROC_POS_DYNAMIC);

	(void)t;
	while ((tid = process_next_thread(dir->task->process, tid)) != 0) {
		char name[16];
		struct strbuf sb = STRBUF(name, sizeof name);

		sb_printf(&sb, "%d", tid);
		if (!d->emit(d, name, sb.len, 0x30000000ULL + (uint64_t)tid, S_IFDIR >> 12, PROC_POS_DYNAMIC + tid + 1))
			return 0;
		tid++;
		f->pos = PROC_POS_DYNAMIC + tid;
	}
	return 0;
}

/* ---- namespaces: one of each, with fixed numbers as on a machine without containers ---- */

static int
link_ns(struct task *t, struct proc_inode *p, char *buf, size_t size)
{
	char text[64];
	struct strbuf sb = STRBUF(text, sizeof text);
	static const struct { const char *name; uint32_t ino; } known[] = {
		{ "cgroup", 4026531835U }, { "ipc", 4026531839U }, { "mnt", 4026531841U }, { "net", 4026531840U },
		{ "pid", 4026531836U }, { "user", 4026531837U }, { "uts", 4026531838U }, { "time", 4026531834U },
	};

	(void)t;
	for (size_t i = 0; i < ARRAY_LEN(known); i++) {
		if (strcmp(known[i].name, p->e->name) == 0)
			sb_printf(&sb, "%s:[%u]", known[i].name, known[i].ino);
	}
	memcpy(buf, text, min(size, sb.len));
	return (int)min(size, sb.len);
}

#define DIR_ROW(n, m, kids)	{ .name = n, .mode = S_IFDIR | (m), .children = kids }
#define TEXT_ROW(n, m, fn)	{ .name = n, .mode = S_IFREG | (m), .show = fn }
#define MOUNTS_ROW(n, fn)	{ .name = n, .mode = S_IFREG | 0444, .show = fn, .of_mounts = true }
#define OWN_ROW(n, m, fn)	{ .name = n, .mode = S_IFREG | (m), .show = fn, .owner_only = true }
#define MM_ROW(n, m, fn)	{ .name = n, .mode = S_IFREG | (m), .show_mm = fn, .owner_only = true }
#define NS_ROW(n)		{ .name = n, .mode = S_IFLNK | 0777, .link = link_ns }

static const struct proc_entry ns_rows[] = {
	NS_ROW("cgroup"), NS_ROW("ipc"), NS_ROW("mnt"), NS_ROW("net"), NS_ROW("pid"), NS_ROW("time"),
	NS_ROW("user"), NS_ROW("uts"), { .name = NULL },
};

extern const struct proc_entry proc_net_rows[];

#define COMMON_ROWS							\
	{ .name = "auxv", .mode = S_IFREG | 0400, .show_mm = show_auxv, .owner_only = true, .at_open = true }, \
	TEXT_ROW("cgroup", 0444, show_cgroup),				\
	TEXT_ROW("cmdline", 0444, show_cmdline),			\
	{ .name = "comm", .mode = S_IFREG | 0644, .show = show_comm, .write = write_comm }, \
	{ .name = "cwd", .mode = S_IFLNK | 0777, .follow = follow_cwd }, \
	{ .name = "environ", .mode = S_IFREG | 0400, .show_mm = show_environ, .owner_only = true, .bytes = true }, \
	{ .name = "exe", .mode = S_IFLNK | 0777, .follow = follow_exe }, \
	{ .name = "fd", .mode = S_IFDIR | 0500, .lookup = lookup_fd, .readdir = readdir_fd, .permission = fd_permission }, \
	{ .name = "fdinfo", .mode = S_IFDIR | 0555, .lookup = lookup_fdinfo, .readdir = readdir_fd, .permission = fdinfo_permission }, \
	TEXT_ROW("gid_map", 0644, show_id_map),				\
	TEXT_ROW("limits", 0444, show_limits),				\
	TEXT_ROW("loginuid", 0644, show_sessionid),			\
	MM_ROW("maps", 0444, show_maps),				\
	{ .name = "mem", .mode = S_IFREG | 0600, .owner_only = true, .mem = true }, \
	MOUNTS_ROW("mountinfo", show_mountinfo),			\
	MOUNTS_ROW("mounts", show_mounts),				\
	DIR_ROW("net", 0555, proc_net_rows),				\
	DIR_ROW("ns", 0511, ns_rows),					\
	TEXT_ROW("oom_score", 0444, show_oom_score),			\
	{ .name = "oom_score_adj", .mode = S_IFREG | 0644, .show = show_oom_adj, .write = write_oom_adj }, \
	OWN_ROW("personality", 0400, show_personality),			\
	{ .name = "root", .mode = S_IFLNK | 0777, .follow = follow_root }, \
	TEXT_ROW("schedstat", 0444, show_schedstat),			\
	TEXT_ROW("sessionid", 0444, show_sessionid),			\
	TEXT_ROW("setgroups", 0644, show_setgroups),			\
	MM_ROW("smaps", 0444, show_smaps),				\
	TEXT_ROW("statm", 0444, show_statm),				\
	TEXT_ROW("status", 0444, show_status),				\
	OWN_ROW("syscall", 0400, show_syscall),				\
	TEXT_ROW("uid_map", 0644, show_id_map),				\
	TEXT_ROW("wchan", 0444, show_wchan)

static const struct proc_entry thread_rows[] = {
	COMMON_ROWS,
	TEXT_ROW("stat", 0444, show_thread_stat),
	{ .name = NULL },
};

static const struct proc_entry task_rows[] = {
	COMMON_ROWS,
	TEXT_ROW("stat", 0444, show_stat),
	{ .name = "task", .mode = S_IFDIR | 0555, .lookup = lookup_thread, .readdir = readdir_threads },
	{ .name = NULL },
};

const struct proc_entry proc_task_dir = { .name = "pid", .mode = S_IFDIR | 0555, .children = task_rows };
const struct proc_entry proc_thread_dir = { .name = "tid", .mode = S_IFDIR | 0555, .children = thread_rows };
