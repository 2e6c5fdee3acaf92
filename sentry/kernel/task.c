/*
 * task: the tables of tasks, groups and sessions, and the tree of processes.
 *
 * A task is referenced by the table of tids (from clone until it is reaped, or for any but
 * a leader until it exits) and by its own thread; its process's `leader` pointer is one more, dropped when
 * the process is reaped, which ends the cycle with task.process.  A group is in its table while it
 * has members, a session while it has groups; other references may outlive that.
 */
#include "sentry/kernel/tasktree.h"

#include <malloc.h>
#include <string.h>
#include <time.h>
#include <x86intrin.h>

#include "base/hostcall.h"
#include "base/kmem.h"
#include "base/log.h"
#include "sentry/vfs/dentry.h"
#include "sentry/vfs/fdtable.h"
#include "sentry/vfs/file.h"
#include "sentry/vfs/mount.h"

#define RESERVED_PIDS	300	/* where ids start again after a wrap */

KMEM_CACHE(task);
KMEM_CACHE(process);
KMEM_CACHE(pidgroup);
KMEM_CACHE(session);
KMEM_CACHE(fsinfo);
KMEM_CACHE(utsns);

static uint64_t tick_mult;	/* ns per tick, times 2^32 */

/* ---- boot and time --------------------------------------------------------- */

static int
task_cmp(const struct tree_node *a, const struct tree_node *b)
{
	int32_t x = container_of(a, struct task, node)->tid;
	int32_t y = container_of(b, struct task, node)->tid;

	return x < y ? -1 : x > y;
}

static int
pidgroup_cmp(const struct tree_node *a, const struct tree_node *b)
{
	int32_t x = container_of(a, struct pidgroup, node)->id;
	int32_t y = container_of(b, struct pidgroup, node)->id;

	return x < y ? -1 : x > y;
}

static int
session_cmp(const struct tree_node *a, const struct tree_node *b)
{
	int32_t x = container_of(a, struct session, node)->id;
	int32_t y = container_of(b, struct session, node)->id;

	return x < y ? -1 : x > y;
}

static int
task_key(const void *key, const struct tree_node *n)
{
	int32_t x = *(const int32_t *)key, y = container_of(n, struct task, node)->tid;

	return x < y ? -1 : x > y;
}

static int
pidgroup_key(const void *key, const struct tree_node *n)
{
	int32_t x = *(const int32_t *)key, y = container_of(n, struct pidgroup, node)->id;

	return x < y ? -1 : x > y;
}

static int
session_key(const void *key, const struct tree_node *n)
{
	int32_t x = *(const int32_t *)key, y = container_of(n, struct session, node)->id;

	return x < y ? -1 : x > y;
}

uint64_t
cpu_ticks(void)
{
	return __rdtsc();
}

uint64_t
ticks_to_ns(uint64_t ticks)
{
	return (uint64_t)(((unsigned __int128)ticks * tick_mult) >> 32);
}

/* A short look at both clocks: good to a percent, and CPU times are estimates anyway. */
static void
ticks_calibrate(void)
{
	uint64_t ns0 = host_clock_ns(CLOCK_MONOTONIC), t0 = cpu_ticks(), ns, t;

	do {
		ns = host_clock_ns(CLOCK_MONOTONIC);
		t = cpu_ticks();
	} while (ns - ns0 < 100000);
	tick_mult = t > t0 ? ((ns - ns0) << 32) / (t - t0) : 1ULL << 32;
}

void
tasks_boot(void)
{
	tree_init(&kernel.tasks, task_cmp);
	tree_init(&kernel.pidgroups, pidgroup_cmp);
	tree_init(&kernel.sessions, session_cmp);
	ticks_calibrate();
	/* libc would count CPUs by opening a file when threads ask for arenas of their own. */
	(void)mallopt(M_ARENA_MAX, 1);
}

void
kernel_random(void *buf, size_t len)
{
	char *at = buf;
	unsigned failures = 0;

	while (len > 0) {
		int64_t n = host_pread(kernel.random_fd, at, len, -1);

		/* Without randomness nothing here can be trusted; a host that is short of something gets its time. */
		if (n <= 0) {
			BUG_ON(++failures > 100);
			continue;
		}
		at += n;
		len -= (size_t)n;
	}
}

/* ---- objects --------------------------------------------------------------- */

struct process *
process_new(void)
{
	struct process *p = obj_new(process);

	if (p == NULL)
		return NULL;
	ref_init(&p->ref, OBJ_process);
	list_init(&p->threads);
	list_init(&p->children);
	list_init(&p->sibling);
	list_init(&p->pgrp_link);
	list_init(&p->posix_timers);
	waitq_init(&p->wait_children);
	sigpending_init(&p->pending);
	mutex_init(&p->mu, RANK_object);
	p->start_ns = host_clock_ns(CLOCK_MONOTONIC);
	return p;
}

void
process_release(struct process *p)
{
	sigpending_flush(&p->pending);
	sighand_put(p->sighand);
	pidgroup_put(p->pgrp);
	mutex_fini(&p->mu);
	obj_free(process, p);
}

struct task *
task_new(struct process *p)
{
	struct task *t = obj_new(task);

	if (t == NULL)
		return NULL;
	ref_init(&t->ref, OBJ_task);
	t->process = process_get(p);
	list_init(&t->thread_link);
	sigpending_init(&t->pending);
	mutex_init(&t->alloc_mu, RANK_fs);
	t->syscall = -1;
	t->timer_slack_ns = t->default_slack_ns = 50000;
	t->start_ns = host_clock_ns(CLOCK_MONOTONIC);
	atomic_init(&t->state, TASK_RUNNING);
	return t;
}

void
task_release(struct task *t)
{
	BUG_ON(t->ctx != NULL);
	sigpending_flush(&t->pending);
	mem_free(t->start_fp);
	mm_put(t->mm);
	fdtable_put(t->files);
	fsinfo_put(t->fs);
	cred_put(t->cred);
	mntns_put(t->mntns);
	utsns_put(t->uts);
	process_put(t->process);
	mutex_fini(&t->alloc_mu);
	obj_free(task, t);
}

struct session *
session_new(int32_t id)
{
	struct session *s = obj_new(session);

	if (s == NULL)
		return NULL;
	ref_init(&s->ref, OBJ_session);
	s->id = id;
	return s;
}

void
session_release(struct session *s)
{
	pidgroup_put(s->foreground);
	tty_put(s->tty);
	obj_free(session, s);
}

struct pidgroup *
pidgroup_new(int32_t id, struct session *s)
{
	struct pidgroup *g = obj_new(pidgroup);

	if (g == NULL)
		return NULL;
	ref_init(&g->ref, OBJ_pidgroup);
	g->id = id;
	g->session = session_get(s);
	list_init(&g->members);
	return g;
}

void
pidgroup_release(struct pidgroup *g)
{
	session_put(g->session);
	obj_free(pidgroup, g);
}

int
task_dup_fs(struct fsinfo *from, struct fsinfo **out)
{
	struct fsinfo *fs = obj_new(fsinfo);

	if (fs == NULL)
		return -ENOMEM;
	ref_init(&fs->ref, OBJ_fsinfo);
	mutex_init(&fs->mu, RANK_fs);
	atomic_init(&fs->umask, 022);
	if (from) {
		mutex_lock(&from->mu);
		fs->root = from->root;
		fs->cwd = from->cwd;
		path_get(&fs->root);
		path_get(&fs->cwd);
		mutex_unlock(&from->mu);
		atomic_store(&fs->umask, atomic_load(&from->umask));
	}
	*out = fs;
	return 0;
}

void
fsinfo_release(struct fsinfo *fs)
{
	path_put(&fs->root);
	path_put(&fs->cwd);
	mutex_fini(&fs->mu);
	obj_free(fsinfo, fs);
}

int
utsns_new(struct utsns *from, struct utsns **out)
{
	struct utsns *u = obj_new(utsns);

	if (u == NULL)
		return -ENOMEM;
	ref_init(&u->ref, OBJ_utsns);
	mutex_init(&u->mu, RANK_object);
	if (from) {
		mutex_lock(&from->mu);
		memcpy(u->nodename, from->nodename, sizeof u->nodename);
		memcpy(u->domainname, from->domainname, sizeof u->domainname);
		mutex_unlock(&from->mu);
	}
	*out = u;
	return 0;
}

void
utsns_release(struct utsns *u)
{
	mutex_fini(&u->mu);
	obj_free(utsns, u);
}

/* ---- tables ---------------------------------------------------------------- */

struct task *
task_find_locked(int32_t tid)
{
	return tree_entry(tree_find(&kernel.tasks, &tid, task_key), struct task, node);
}

struct pidgroup *
pidgroup_find_locked(int32_t id)
{
	return tree_entry(tree_find(&kernel.pidgroups, &id, pidgroup_key), struct pidgroup, node);
}

struct session *
session_find_locked(int32_t id)
{
	return tree_entry(tree_find(&kernel.sessions, &id, session_key), struct session, node);
}

int
pid_alloc_locked(void)
{
	mutex_assert_held(&kernel.tasks_mu);
	if (kernel.pids_limit && kernel.ntasks >= kernel.pids_limit)
		return -EAGAIN;
	for (uint32_t tries = 0; tries < PID_LIMIT; tries++) {
		int32_t id = kernel.last_pid + 1;

		if (id >= PID_LIMIT)
			id = RESERVED_PIDS;
		kernel.last_pid = id;
		if (task_find_locked(id) == NULL && pidgroup_find_locked(id) == NULL &&
		    session_find_locked(id) == NULL)
			return id;
	}
	return -EAGAIN;
}

void
task_hash_locked(struct task *t)
{
	mutex_assert_held(&kernel.tasks_mu);
	BUG_ON(tree_insert(&kernel.tasks, &t->node) != 0);
	kernel.ntasks++;
	task_get(t);
}

void
task_unhash_locked(struct task *t)
{
	mutex_assert_held(&kernel.tasks_mu);
	tree_remove(&kernel.tasks, &t->node);
	kernel.ntasks--;
	/* pid 1 waits for the last of the others. */
	if (kernel.init && kernel.ntasks == 1)
		waitq_wake(&kernel.init->wait_children, 0);
}

void
pgrp_join_locked(struct process *p, struct pidgroup *g)
{
	mutex_assert_held(&kernel.tasks_mu);
	if (list_empty(&g->members)) {
		BUG_ON(tree_insert(&kernel.pidgroups, &g->node) != 0);
		if (g->session->ngroups++ == 0)
			BUG_ON(tree_insert(&kernel.sessions, &g->session->node) != 0);
	}
	list_push_back(&g->members, &p->pgrp_link);
	p->pgrp = pidgroup_get(g);
	answers_family_locked(p);
}

struct pidgroup *
pgrp_leave_locked(struct process *p)
{
	struct pidgroup *g = p->pgrp;

	mutex_assert_held(&kernel.tasks_mu);
	if (g == NULL)
		return NULL;
	list_remove(&p->pgrp_link);
	p->pgrp = NULL;
	if (list_empty(&g->members)) {
		tree_remove(&kernel.pidgroups, &g->node);
		if (--g->session->ngroups == 0)
			tree_remove(&kernel.sessions, &g->session->node);
	}
	return g;
}

struct pidgroup *
pgrp_move_locked(struct process *p, struct pidgroup *g)
{
	struct session *s = p->pgrp->session;
	struct pidgroup *old;

	/* The session must not leave its table on the way from its only group to another. */
	s->ngroups++;
	old = pgrp_leave_locked(p);
	pgrp_join_locked(p, g);
	if (--s->ngroups == 0)
		tree_remove(&kernel.sessions, &s->node);
	return old;
}

struct task *
task_find_get(int32_t tid)
{
	struct task *t;

	mutex_lock(&kernel.tasks_mu);
	t = task_get(task_find_locked(tid));
	mutex_unlock(&kernel.tasks_mu);
	return t;
}

bool
task_is_listed(struct task *t)
{
	bool listed;

	mutex_lock(&kernel.tasks_mu);
	listed = task_find_locked(t->tid) == t;
	mutex_unlock(&kernel.tasks_mu);
	return listed;
}

struct process *
process_find_get(int32_t pid)
{
	struct process *p = NULL;
	struct task *t;

	mutex_lock(&kernel.tasks_mu);
	t = task_find_locked(pid);
	if (t && t->process->leader == t)
		p = process_get(t->process);
	mutex_unlock(&kernel.tasks_mu);
	return p;
}

struct pidgroup *
pidgroup_find_get(int32_t id)
{
	struct pidgroup *g;

	mutex_lock(&kernel.tasks_mu);
	g = pidgroup_get(pidgroup_find_locked(id));
	mutex_unlock(&kernel.tasks_mu);
	return g;
}

struct session *
process_session_get(struct process *p)
{
	struct session *s;

	mutex_lock(&kernel.tasks_mu);
	s = p->pgrp ? session_get(p->pgrp->session) : NULL;
	mutex_unlock(&kernel.tasks_mu);
	return s;
}

struct pidgroup *
process_pgrp_get(struct process *p)
{
	struct pidgroup *g;

	mutex_lock(&kernel.tasks_mu);
	g = pidgroup_get(p->pgrp);
	mutex_unlock(&kernel.tasks_mu);
	return g;
}

struct task *
process_leader_get(struct process *p)
{
	struct task *t, *found = NULL;
	struct sighand *sh;

	mutex_lock(&kernel.tasks_mu);
	sh = process_lock(p);
	list_for_each(t, &p->threads, thread_link) {
		if (!t->exiting) {
			found = task_get(t);
			break;
		}
	}
	process_unlock(sh);
	if (found == NULL)
		found = task_get(p->leader);
	mutex_unlock(&kernel.tasks_mu);
	return found;
}

int32_t
process_ppid(struct process *p)
{
	int32_t ppid;

	mutex_lock(&kernel.tasks_mu);
	ppid = p->parent ? p->parent->pid : 0;
	mutex_unlock(&kernel.tasks_mu);
	return ppid;
}

void
process_each(bool (*fn)(struct process *p, void *arg), void *arg)
{
	int32_t next = 1;
	bool more = true;

	while (more) {
		struct process *p = NULL;
		struct tree_node *n;

		mutex_lock(&kernel.tasks_mu);
		for (n = tree_find_ge(&kernel.tasks, &next, task_key); n; n = tree_next(n)) {
			struct task *t = container_of(n, struct task, node);

			next = t->tid + 1;
			if (t->process->leader == t) {
				p = process_get(t->process);
				break;
			}
		}
		mutex_unlock(&kernel.tasks_mu);
		if (p == NULL)
			return;
		more = fn(p, arg);
		process_put(p);
	}
}

int32_t
process_next_thread(struct process *p, int32_t from)
{
	int32_t tid = 0;
	struct tree_node *n;

	mutex_lock(&kernel.tasks_mu);
	for (n = tree_find_ge(&kernel.tasks, &from, task_key); n && tid == 0; n = tree_next(n)) {
		const struct task *t = container_of(n, struct task, node);

		if (t->process == p)
			tid = t->tid;
	}
	mutex_unlock(&kernel.tasks_mu);
	return tid;
}

/* ---- what others may look at ----------------------------------------------- */

struct mm *
task_mm_get(struct task *t)
{
	struct mm *mm;

	mutex_lock(&t->alloc_mu);
	mm = mm_get(t->mm);
	mutex_unlock(&t->alloc_mu);
	return mm;
}

struct fdtable *
task_files_get(struct task *t)
{
	struct fdtable *f;

	mutex_lock(&t->alloc_mu);
	f = fdtable_get(t->files);
	mutex_unlock(&t->alloc_mu);
	return f;
}

struct fsinfo *
task_fs_get(struct task *t)
{
	struct fsinfo *fs;

	mutex_lock(&t->alloc_mu);
	fs = fsinfo_get(t->fs);
	mutex_unlock(&t->alloc_mu);
	return fs;
}

bool
task_shares_fs(struct task *t)
{
	struct tree_node *at;
	bool shared = false;

	mutex_lock(&kernel.tasks_mu);
	for (at = tree_first(&kernel.tasks); at && !shared; at = tree_next(at)) {
		struct task *o = container_of(at, struct task, node);

		if (o->process == t->process)
			continue;
		mutex_lock(&o->alloc_mu);
		shared = o->fs == t->fs;
		mutex_unlock(&o->alloc_mu);
	}
	mutex_unlock(&kernel.tasks_mu);
	return shared;
}

void
task_set_comm(struct task *t, const char *name)
{
	mutex_lock(&t->alloc_mu);
	memset(t->comm, 0, sizeof t->comm);
	memcpy(t->comm, name, strnlen(name, sizeof t->comm - 1));
	mutex_unlock(&t->alloc_mu);
}

void
comm_print(struct strbuf *sb, const char *comm)
{
	for (; *comm; comm++) {
		if (*comm == '\n')
			sb_puts(sb, "\\n");
		else if (*comm == '\\')
			sb_puts(sb, "\\\\");
		else
			sb_putc(sb, *comm);
	}
}

/* ---- orphaned process groups ----------------------------------------------- */

/* No member has a parent in another group of the same session: nobody could continue it. */
bool
pgrp_is_orphaned_locked(struct pidgroup *g, struct process *ignored)
{
	struct process *p;

	mutex_assert_held(&kernel.tasks_mu);
	list_for_each(p, &g->members, pgrp_link) {
		if (p == ignored || p->zombie || p->parent == NULL)
			continue;
		if (p->parent->pgrp && p->parent->pgrp != g && p->parent->pgrp->session == g->session)
			return false;
	}
	return true;
}

bool
process_orphaned_pgrp(struct pidgroup *g)
{
	return pgrp_is_orphaned_locked(g, NULL);
}

static bool
has_stopped_member(struct pidgroup *g)
{
	struct process *p;

	list_for_each(p, &g->members, pgrp_link) {
		struct sighand *sh = process_lock(p);
		bool stopped = p->stop_signo != 0;

		process_unlock(sh);
		if (stopped)
			return true;
	}
	return false;
}

/* p's group when it loses `parent` (p itself exits if parent is its own). */
void
orphaned_check_locked(struct process *p, struct process *parent)
{
	struct pidgroup *g = p->pgrp;
	struct process *ignored = parent ? NULL : p, *m;
	struct process *was = parent ? parent : p->parent;

	if (g == NULL || was == NULL || was->pgrp == NULL || was->pgrp == g ||
	    was->pgrp->session != g->session)
		return;
	if (!pgrp_is_orphaned_locked(g, ignored) || !has_stopped_member(g))
		return;
	list_for_each(m, &g->members, pgrp_link) {
		signal_kernel(m, SIGHUP);
		signal_kernel(m, SIGCONT);
	}
}

/* ---- accounting ------------------------------------------------------------ */

void
task_times(struct task *t, uint64_t *utime, uint64_t *stime)
{
	uint64_t since = atomic_load_explicit(&t->in_guest_since, memory_order_relaxed);
	uint64_t now = cpu_ticks();

	*utime = atomic_load_explicit(&t->utime_ns, memory_order_relaxed);
	*stime = atomic_load_explicit(&t->stime_ns, memory_order_relaxed);
	if (since && now > since)
		*utime += ticks_to_ns(now - since);
}

void
process_times(struct process *p, uint64_t *utime, uint64_t *stime)
{
	struct sighand *sh;
	struct task *t;

	mutex_lock(&p->mu);
	*utime = p->acct.utime_ns;
	*stime = p->acct.stime_ns;
	mutex_unlock(&p->mu);
	sh = process_lock(p);
	list_for_each(t, &p->threads, thread_link) {
		uint64_t u, s;

		if (t->exiting)
			continue;
		task_times(t, &u, &s);
		*utime += u;
		*stime += s;
	}
	process_unlock(sh);
}

void
acct_add_task(struct rusage_acct *a, struct task *t)
{
	uint64_t u, s;

	task_times(t, &u, &s);
	a->utime_ns += u;
	a->stime_ns += s;
	a->minflt += atomic_load_explicit(&t->minflt, memory_order_relaxed);
	a->nvcsw += atomic_load_explicit(&t->nvcsw, memory_order_relaxed);
	a->nivcsw += atomic_load_explicit(&t->nivcsw, memory_order_relaxed);
}

void
acct_add(struct rusage_acct *a, const struct rusage_acct *b)
{
	a->utime_ns += b->utime_ns;
	a->stime_ns += b->stime_ns;
	a->minflt += b->minflt;
	a->majflt += b->majflt;
	a->nvcsw += b->nvcsw;
	a->nivcsw += b->nivcsw;
	a->inblock += b->inblock;
	a->oublock += b->oublock;
	a->maxrss = max(a->maxrss, b->maxrss);
}
