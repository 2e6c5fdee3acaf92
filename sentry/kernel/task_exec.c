/*
 * task_exec: a process becomes another program.  execve(2), credentials(7).
 *
 * The new address space and guest thread are complete before the caller loses anything.  Then the
 * other threads die (de_thread), the survivor takes the leader's id, and what is left cannot fail
 * but for memory, which kills.
 */
#include "sentry/kernel/tasktree.h"

#include <string.h>

#include "abi/errno.h"
#include "abi/resource.h"
#include "base/kmem.h"
#include "base/log.h"
#include "sentry/mm/usercopy.h"
#include "sentry/vfs/fdtable.h"
#include "sentry/vfs/file.h"

#define STRING_MAX	131072		/* MAX_ARG_STRLEN: with its NUL */
#define CHUNK_SIZE	8000		/* a little below a power of two, with the header */
#define USER_CS		0x33
#define USER_SS		0x2b
#define EFLAGS_IF	0x202
#define STACK_SECURE	(8ULL << 20)	/* _STK_LIM */
#define PERS_CLEAR_SECURE 0x0740000	/* PER_CLEAR_ON_SETID, of what is kept at all */

/* ---- argument memory ------------------------------------------------------- */

struct exec_chunk {
	struct exec_chunk *next;
	size_t		size, used;
	char		data[];
};

int
exec_string(struct exec_request *r, const char *s, size_t n, char **out)
{
	struct exec_chunk *c = r->mem;

	if (n >= STRING_MAX)
		return -E2BIG;
	/* The string and its pointer. */
	r->bytes += n + 1 + sizeof(char *);
	if (r->limit && r->bytes > r->limit)
		return -E2BIG;
	if (c == NULL || c->size - c->used < n + 1) {
		size_t size = max(n + 1, (size_t)CHUNK_SIZE);

		c = mem_alloc(sizeof *c + size);
		if (c == NULL)
			return -ENOMEM;
		c->size = size;
		c->next = r->mem;
		r->mem = c;
	}
	*out = c->data + c->used;
	memcpy(*out, s, n);
	(*out)[n] = '\0';
	c->used += n + 1;
	return 0;
}

void
exec_request_fini(struct exec_request *r)
{
	while (r->mem) {
		struct exec_chunk *c = r->mem;

		r->mem = c->next;
		mem_free(c);
	}
	mem_free(r->argv);
	mem_free(r->envp);
	/* The deny-write of exec ends with the last reference: mm->exe has one while the program runs. */
	file_put(r->file);
	path_put(&r->path);
	cred_put(r->cred);
	*r = (struct exec_request){ 0 };
}

/* ---- only one thread remains ----------------------------------------------- */

static int
kill_others(struct task *t)
{
	struct process *p = t->process;
	struct sighand *sh = process_lock(p);
	struct task *o;

	if (p->group_exit || p->exec_task) {
		process_unlock(sh);
		return -EAGAIN;
	}
	p->exec_task = t;
	list_for_each(o, &p->threads, thread_link) {
		if (o == t)
			continue;
		atomic_store(&o->attention, 1);
		task_kick(o);
	}
	process_unlock(sh);
	return 0;
}

/* The old leader waits as a zombie: t takes its place and id. */
static void
take_leadership(struct task *t)
{
	struct process *p = t->process, *c;
	struct task *old;
	struct sighand *sh;

	mutex_lock(&kernel.tasks_mu);
	list_for_each(c, &p->children, sibling) {
		if (c->forker_tid == t->tid)
			c->forker_tid = p->pid;
	}
	old = p->leader;
	sh = process_lock(p);
	list_remove(&old->thread_link);
	p->nthreads--;
	process_unlock(sh);
	task_unhash_locked(old);
	task_unhash_locked(t);
	old->tid = t->tid;
	t->tid = p->pid;
	task_hash_locked(t);
	p->leader = task_get(t);
	mutex_unlock(&kernel.tasks_mu);
	task_put(t);		/* the table counted it again */
	task_put(old);		/* the table's */
	task_put(old);		/* process.leader's */
}

static int
de_thread(struct task *t)
{
	struct process *p = t->process;
	struct sighand *sh;
	int err = kill_others(t);

	if (err)
		return err;
	t->wait_reason = "exec: other threads";
	for (;;) {
		bool alone;

		sh = process_lock(p);
		alone = p->nlive == 1;
		if (p->group_exit)
			err = -EINTR;
		if (alone || err)
			p->exec_task = NULL;
		process_unlock(sh);
		if (alone || err)
			break;
		/* The end of the group wakes as well, and the next look finds it. */
		err = task_block(t, NO_DEADLINE);
	}
	t->wait_reason = NULL;
	if (!err && t->tid != p->pid)
		take_leadership(t);
	return err;
}

/* ---- what exec changes ----------------------------------------------------- */

/* Descriptors and dispositions are no longer shared. -ENOMEM. */
static int
unshare_all(struct task *t)
{
	int err;

	if (ref_count(&t->files->ref) > 1) {
		struct fdtable *copy, *old;

		err = fdtable_copy(t->files, &copy);
		if (err)
			return err;
		mutex_lock(&t->alloc_mu);
		old = t->files;
		t->files = copy;
		mutex_unlock(&t->alloc_mu);
		fdtable_put(old);
	}
	return sighand_unshare(t->process);
}

/* The new program's memory and who it runs as take the place of the old ones'. */
static void
swap_memory(struct task *t, struct exec_request *r, struct mm *mm, struct ctx *c)
{
	struct ctx *old_ctx = t->ctx;
	struct mm *old;

	/* While the old memory is still ours: locks held by this thread are passed on. */
	if (old_ctx)
		futex_exec(t);
	task_clear_tid(t);
	signal_set_ctx(t, c);
	usercopy_end();			/* that is gone with the old program */
	if (old_ctx)
		ctx_free(old_ctx);
	old = cred_commit_mm(t, steal(&r->cred), mm);
	if (old) {
		atomic_fetch_sub(&old->users, 1);
		mm_put(old);
	}
	task_vfork_release(t);
}

/* A program that was given something has no more stack than is usual: where its mappings are depends on that. */
static void
limit_stack(struct process *p)
{
	mutex_lock(&p->mu);
	p->rlim[ABI_RLIMIT_STACK].cur = min(p->rlim[ABI_RLIMIT_STACK].cur, STACK_SECURE);
	mutex_unlock(&p->mu);
}

/* What follows from the new credentials, before anybody sees them or the new memory. */
static void
set_identity(struct task *t, struct exec_request *r, struct mm *mm)
{
	const struct cred *old = t->cred, *c = r->cred;
	const char *base = strrchr(r->filename, '/');
	bool more = c->euid != old->euid || c->egid != old->egid || c->fsuid != old->fsuid || c->fsgid != old->fsgid ||
	    (c->permitted & ~old->permitted) != 0;

	atomic_store(&mm->dumpable, !(more || c->euid != c->uid || c->egid != c->gid || r->unreadable));
	if (r->gain.plain)
		t->personality &= ~PERS_CLEAR_SECURE;
	if (r->gain.secure)
		limit_stack(t->process);
	if (r->gain.secure || more) {
		mutex_lock(&kernel.tasks_mu);
		t->pdeath_signal = 0;
		mutex_unlock(&kernel.tasks_mu);
	}
	task_set_comm(t, base ? base + 1 : r->filename);
	mutex_lock(&kernel.tasks_mu);
	t->process->did_exec = true;
	t->process->exit_signal = SIGCHLD;
	mutex_unlock(&kernel.tasks_mu);
}

static void
reset_thread(struct task *t, const struct image *img)
{
	t->clear_child_tid = t->set_child_tid = t->robust_list = t->rseq = GADDR_NULL;
	t->robust_len = 0;
	t->rseq_len = t->rseq_sig = 0;
	memset(&t->restart, 0, sizeof t->restart);
	memset(&t->regs, 0, sizeof t->regs);
	t->regs.rip = img->entry;
	t->regs.rsp = img->sp;
	t->regs.cs = USER_CS;
	t->regs.ss = USER_SS;
	t->regs.eflags = EFLAGS_IF;
	t->regs.orig_rax = (uint64_t)-1;
}

int
task_exec(struct task *t, struct exec_request *r)
{
	struct image img = { 0 };
	struct ctx *c;
	int err;

	err = elf_load(t, r, &img);
	if (err)
		return err;
	err = ctx_new(img.mm->space, &c);
	if (err) {
		mm_put(img.mm);
		return err;
	}
	err = de_thread(t);
	/* Another thread may have shared it with a new process until now. */
	if (!err && r->gain.any && !r->shares_fs && task_shares_fs(t))
		err = -EAGAIN;
	if (err) {
		ctx_free(c);
		mm_put(img.mm);
		return err;
	}
	/* The point of no return. */
	set_identity(t, r, img.mm);
	swap_memory(t, r, img.mm, c);
	mm_set_limits(t->mm, t);
	reset_thread(t, &img);
	err = unshare_all(t);
	if (err) {
		log_warn("exec", "task %d: no memory after the point of no return", t->tid);
		process_exit(t->process, SIGKILL);
		task_exit(t, SIGKILL);
		return err;
	}
	answers_begin(t);
	fdtable_close_exec(t);
	signal_exec(t);
	space_stock();
	return 0;
}
