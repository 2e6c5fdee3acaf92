/*
 * space: the stubs, their mappers, and the way to guest memory; see space.h.
 *
 * A batch is written to the space's command pages and announced by its number; the mapper
 * answers with that number on the result page.  Descriptors for file mappings travel over
 * one socket that all mappers share, so a batch with a donation holds plat.mu from the
 * send until the mapper is done with it, and carries at most two.
 */
#include "platform/space.h"

#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>

#include "base/hostcall.h"
#include "base/log.h"

#define SPIN_US		20		/* for a mapper, before sleeping */
#define BIRTH_NS	(10 * NSEC_PER_SEC)
#define WARM_SPACES	32		/* slots kept with their pages */
#define PROT_ALL	(PROT_READ | PROT_WRITE | PROT_EXEC)

static struct stub_world before_boot;
struct platform plat = { .mu = MUTEX_INIT(RANK_zygote), .ctl = -1, .sock = -1, .world = &before_boot };

KMEM_CACHE(space);

/* ---- slots --------------------------------------------------------------- */

static void *
slot_mem(unsigned slot)
{
	return plat.ctl_base + (uint64_t)slot * STUB_SLOT_STRIDE;
}

/* A slot and a struct; no process. */
static int
space_alloc(struct space **out)
{
	struct space *s = obj_new(space);
	int err = 0;

	if (s == NULL)
		return -ENOMEM;
	mutex_init(&s->mu, RANK_space);
	sites_init(&s->sites);
	list_init(&s->parked);
	list_init(&s->leaving);
	list_init(&s->ctxs);
	list_init(&s->node);
	s->memfd = s->pidfd = -1;
	mutex_lock(&plat.mu);
	if (plat.nfree_spaces == 0)
		reap_dying_locked();
	if (plat.nfree_spaces > 0)
		s->slot = plat.free_spaces[--plat.nfree_spaces];
	else if (plat.next_space < MAX_SPACES)
		s->slot = plat.next_space++;
	else
		err = -EAGAIN;
	if (!err) {
		s->id = ++plat.next_id << 16 | s->slot;
		plat.by_slot[s->slot] = s;
		list_push_back(&plat.live, &s->node);
	}
	mutex_unlock(&plat.mu);
	if (err) {
		sites_fini(&s->sites);
		mutex_fini(&s->mu);
		obj_free(space, s);
		return err;
	}
	s->cmd = slot_mem(s->slot);
	s->res = (struct stub_res *)((char *)s->cmd + STUB_CMD_SIZE);
	s->seq = 1;
	s->cmd->id = s->id;
	s->cmd->count = 0;
	s->cmd->spin = 0;
	atomic_store(&s->cmd->waiting, 0);
	atomic_store(&s->res->err, 0);
	atomic_store(&s->res->idx, 0);
	atomic_store(&s->res->val, 0);
	atomic_store(&s->res->seq, 0);
	atomic_store(&s->cmd->seq, 1);
	stat_inc(spaces_made);
	*out = s;
	return 0;
}

/* ---- batches ------------------------------------------------------------- */

/* Is there a processor for the mapper besides ours and, if it waits awake, the caller's guest's? */
static bool
may_spin(void)
{
	return atomic_load_explicit(&plat.world->awake, memory_order_relaxed) * 2 + ctx_stub_awake <= (int)plat.ncpu;
}

/* Died before it could hand its pidfd over?  The signal is one that mappers block. */
static bool
is_unborn(struct space *s)
{
	return s->pid > 1 && host_tgkill(s->pid, s->pid, STUB_SIGKICK) == -ESRCH;
}

/* 0 when the stub has carried batch seq out; -ESRCH when it is gone or, before deadline_ns, never came to life. */
static int
batch_wait(struct space *s, uint32_t seq, uint64_t deadline_ns)
{
	unsigned spins = may_spin() ? SPIN_US * plat.spins_per_us : 0;
	int err = 0;

	while (atomic_load_explicit(&s->res->seq, memory_order_acquire) != seq && spins-- > 0)
		cpu_relax();
	if (atomic_load_explicit(&s->res->seq, memory_order_acquire) == seq)
		return 0;
	atomic_store(&s->cmd->waiting, 1);
	for (;;) {
		uint32_t v = atomic_load(&s->res->seq);
		uint64_t now;

		if (v == seq)
			break;
		now = host_clock_ns(CLOCK_MONOTONIC);
		if (host_futex_wait(&s->res->seq, v, now + NSEC_PER_SEC / 2, true) != -ETIMEDOUT)
			continue;
		space_collect(s);
		if (s->pidfd >= 0 ? space_is_gone(s) : now > deadline_ns || is_unborn(s)) {
			err = -ESRCH;
			break;
		}
	}
	atomic_store(&s->cmd->waiting, 0);
	return err;
}

static void
batch_fill(struct space *s, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		s->cmd->ent[i].idx = i;
	s->cmd->count = n;
	s->most = max(s->most, n);
}

void
batch_start(struct space *s, unsigned n)
{
	batch_fill(s, n);
	atomic_store(&s->res->err, 0);
	atomic_store(&s->res->val, 0);
	s->seq++;
	atomic_store(&s->cmd->seq, s->seq);
	host_futex_wake(&s->cmd->seq, 1, true);
}

static int
batch_finish(struct space *s, unsigned n, unsigned *at)
{
	uint32_t e;
	int err = batch_wait(s, s->seq, UINT64_MAX);

	*at = 0;
	if (err) {
		mutex_lock(&plat.mu);
		space_set_dead_locked(s);
		mutex_unlock(&plat.mu);
		return err;
	}
	e = atomic_load(&s->res->err) & 0xff;
	*at = e != 0 ? min(atomic_load(&s->res->idx), n - 1) : n;
	return -(int)e;
}

int
space_batch(struct space *s, unsigned n, unsigned *at)
{
	*at = 0;
	space_settle(s);
	if (atomic_load(&s->dead))
		return -ESRCH;
	batch_start(s, n);
	return batch_finish(s, n, at);
}

/* ---- birth and death ----------------------------------------------------- */

static void
take_message_locked(uint64_t id, int memfd, int pidfd)
{
	struct space *s = plat.by_slot[id & (MAX_SPACES - 1)];

	if (s != NULL && s->id == id && s->memfd < 0) {
		atomic_store(&s->pidfd, pidfd);
		atomic_store(&s->memfd, memfd);
		return;
	}
	host_close(memfd);
	host_close(pidfd);
}

/* Takes in what new stubs have sent; never waits. */
static void
collect_locked(void)
{
	for (;;) {
		union {
			struct cmsghdr h;
			char buf[CMSG_SPACE(2 * sizeof(int))];
		} ctl;
		uint64_t id = 0;
		struct iovec iov = { &id, sizeof id };
		struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &ctl, .msg_controllen = sizeof ctl };
		int64_t n = host_recvmsg(plat.sock, &m, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
		int fds[2];

		if (n == -EINTR)
			continue;
		if (n != sizeof id)
			return;
		if (m.msg_controllen < CMSG_LEN(sizeof fds) || ctl.h.cmsg_type != SCM_RIGHTS ||
		    ctl.h.cmsg_len != CMSG_LEN(sizeof fds)) {
			log_warn("platform", "a stub's message came without descriptors");
			continue;
		}
		memcpy(fds, CMSG_DATA(&ctl.h), sizeof fds);
		take_message_locked(id, fds[0], fds[1]);
	}
}

void
space_collect(struct space *s)
{
	if (atomic_load(&s->memfd) >= 0)
		return;
	mutex_lock(&plat.mu);
	collect_locked();
	mutex_unlock(&plat.mu);
}

void
space_settle(struct space *s)
{
	int err;

	mutex_assert_held(&s->mu);
	if (likely(s->settled))
		return;
	s->settled = true;
	/* The thread is the last to come: one sleep then, mostly, and not two. */
	if (s->born != NULL && s->pid > 1)
		ctx_look_out(s->born);
	err = s->pid == -1 ? -ESRCH : batch_wait(s, s->seq, host_clock_ns(CLOCK_MONOTONIC) + BIRTH_NS);
	if (err == 0)
		space_collect(s);
	if (err || atomic_load(&s->memfd) < 0) {
		err = -ESRCH;
		atomic_store(&s->dead, true);
	}
	if (err == 0)
		err = -(int)(atomic_load(&s->res->err) & 0xff);
	/* What a guest has left in it may still be there. */
	if (err && s->reused)
		atomic_store(&s->dead, true);
	ctx_born(s, err);
}

/* A space to be, with a guest thread, and the command that asks from's mapper for it. */
static int
fork_prepare(struct space *from, struct space **out)
{
	struct space *s;
	int err = space_alloc(&s);

	if (err)
		return err;
	batch_fill(s, ctx_conceive(s));
	from->cmd->ent[0] = (struct stub_ent){ .op = MOP_FORK, .args = { (uint64_t)s->slot * STUB_SLOT_STRIDE } };
	*out = s;
	return 0;
}

int
space_conceive(void)
{
	int err = space_alloc(&plat.zygote);

	if (!err)
		err = fork_prepare(plat.zygote, &plat.pending);
	if (!err)
		batch_fill(plat.zygote, 1);
	return err;
}

int
fork_start(struct space *from, struct space **out)
{
	int err;

	space_settle(from);
	if (atomic_load(&from->dead))
		return -ESRCH;
	err = fork_prepare(from, out);
	if (err)
		return err;
	batch_start(from, 1);
	return 0;
}

/* Reads the mapper's answer: s->pid becomes its process, or -1. */
static void
fork_note(struct space *from, struct space *s)
{
	uint32_t pid = atomic_load(&from->res->val);

	if (s->pid == 0)
		s->pid = atomic_load(&from->res->err) == 0 && pid > 1 && pid < INT32_MAX ? (int)pid : -1;
}

int
fork_finish(struct space *from, struct space *s)
{
	unsigned at;
	int err = batch_finish(from, 1, &at);

	if (err != -ESRCH)
		fork_note(from, s);
	if (s->pid > 1)
		return 0;
	if (s->pid == 0) {
		/* Nobody can say whether there is a process: its slot is not used again. */
		s->settled = true;
		atomic_store(&s->dead, true);
		ctx_born(s, -ESRCH);
	}
	return err != 0 && err != -ESRCH ? err : -EAGAIN;
}

int
space_fork(struct space *parent, struct space **out)
{
	struct space *s = NULL;
	int err;

	mutex_lock(&parent->mu);
	err = fork_start(parent, &s);
	if (err == 0)
		err = fork_finish(parent, s);
	mutex_unlock(&parent->mu);
	if (s == NULL)
		return err;
	if (err == 0)
		err = sites_copy(&s->sites, &parent->sites);
	stat_inc(forks);
	if (err)
		space_free(s);
	else
		*out = s;
	return err;
}

void
space_kill(struct space *s)
{
	/* The number is the stub's own until its pidfd says that it is gone. */
	if (s->pid > 1 && !space_is_gone(s))
		host_tgkill(s->pid, s->pid, SIGKILL);
}

void
space_end(struct space *s)
{
	space_kill(s);
	mutex_lock(&plat.mu);
	space_set_dead_locked(s);
	mutex_unlock(&plat.mu);
}

void
space_end_wait(struct space *s)
{
	mutex_lock(&s->mu);
	space_settle(s);
	mutex_unlock(&s->mu);
	space_end(s);
	space_wait_gone(s);
}

static void
contexts_release_locked(struct list *l)
{
	struct ctx *c, *n;

	list_for_each_safe(c, n, l, node) {
		list_remove(&c->node);
		ctx_release_locked(c);
	}
}

/* Slots, descriptors and the struct of a space whose stub is certainly dead. */
void
space_release_locked(struct space *s)
{
	contexts_release_locked(&s->parked);
	contexts_release_locked(&s->leaving);
	list_remove(&s->node);
	if (s->memfd >= 0)
		host_close(s->memfd);
	if (s->pidfd >= 0)
		host_close(s->pidfd);
	plat.by_slot[s->slot] = NULL;
	plat.free_spaces[plat.nfree_spaces++] = (uint16_t)s->slot;
	/* The next guest there may read the commands. */
	if (plat.nfree_spaces <= WARM_SPACES)
		memset(s->cmd->ent, 0, s->most * sizeof s->cmd->ent[0]);
	else
		host_madvise(s->cmd, STUB_SLOT_STRIDE, MADV_REMOVE);
	sites_fini(&s->sites);
	mutex_fini(&s->mu);
	obj_free(space, s);
}

void
space_free(struct space *s)
{
	bool kept;

	mutex_lock(&s->mu);
	space_settle(s);
	kept = stock_offer(s);
	mutex_unlock(&s->mu);
	if (kept)
		return;
	space_kill(s);
	mutex_lock(&plat.mu);
	BUG_ON(!list_empty(&s->ctxs));
	atomic_store(&s->dead, true);
	list_remove(&s->node);
	list_push_back(&plat.dying, &s->node);
	if (s->pid == -1)
		space_release_locked(s);
	reap_dying_locked();
	mutex_unlock(&plat.mu);
}

int
space_host_pid(const struct space *s)
{
	return s->pid;
}

/* ---- mapping ------------------------------------------------------------- */

static struct stub_ent
ent_call(long nr, uint64_t a, uint64_t b, uint64_t c, uint64_t d, uint64_t e, uint64_t f)
{
	return (struct stub_ent){ .op = MOP_CALL, .nr = (uint32_t)nr, .args = { a, b, c, d, e, f } };
}

static bool
range_ok(uint64_t va, uint64_t len)
{
	uint64_t end;

	return va >= GUEST_BOTTOM && len != 0 && !ckd_add(&end, va, len) && end <= GUEST_TOP &&
	    (va & ~PAGE_MASK) == 0 && (len & ~PAGE_MASK) == 0;
}

/* The files of one batch: their descriptors here; in the stub they are STUB_FD_NEW and the next. */
struct gifts {
	int		fd[2];
	unsigned	n;
};

static struct stub_ent
ent_mmap(const struct mapcmd *c, const struct gifts *g)
{
	uint64_t fd = (uint64_t)-1;
	int flags = MAP_FIXED | (c->flags & (MAP_SHARED | MAP_PRIVATE | MAP_NORESERVE));

	BUG_ON((c->prot & ~PROT_ALL) != 0 || (c->flags & MAP_GROWSDOWN) != 0);
	if (c->fd == MAPFD_ANON)
		flags |= MAP_ANONYMOUS;
	else if (c->fd == MAPFD_MEMFILE)
		fd = STUB_FD_MEMFILE;
	else
		fd = c->fd == g->fd[0] ? STUB_FD_NEW : STUB_FD_NEW2;
	return ent_call(SYS_mmap, c->va, c->len, (uint64_t)c->prot, (uint64_t)flags, fd, c->off);
}

static struct stub_ent
ent_mremap(const struct mapcmd *c)
{
	uint64_t flags = MREMAP_MAYMOVE | MREMAP_FIXED | (c->keep_old ? MREMAP_DONTUNMAP : 0);

	if (c->off == c->va)
		return ent_call(SYS_mremap, c->va, c->len, c->new_len, 0, 0, 0);
	BUG_ON(!range_ok(c->off, c->new_len));
	return ent_call(SYS_mremap, c->va, c->len, c->new_len, flags, c->off, 0);
}

static struct stub_ent
ent_of(const struct mapcmd *c, const struct gifts *g)
{
	BUG_ON(!range_ok(c->va, c->len));
	switch (c->op) {
	case MAPOP_MMAP:
		return ent_mmap(c, g);
	case MAPOP_MUNMAP:
		return ent_call(SYS_munmap, c->va, c->len, 0, 0, 0, 0);
	case MAPOP_MPROTECT:
		BUG_ON((c->prot & ~PROT_ALL) != 0);
		return ent_call(SYS_mprotect, c->va, c->len, (uint64_t)c->prot, 0, 0, 0);
	case MAPOP_MREMAP:
		return ent_mremap(c);
	case MAPOP_MADVISE:
		return ent_call(SYS_madvise, c->va, c->len, (uint64_t)c->advice, 0, 0, 0);
	}
	BUG_ON(true);
}

static bool
wants_donation(const struct mapcmd *c)
{
	return c->op == MAPOP_MMAP && c->fd >= 0;
}

static int
donate(const struct gifts *g)
{
	union {
		struct cmsghdr h;
		char buf[CMSG_SPACE(sizeof g->fd)];
	} ctl;
	char byte[8] = { 0 };
	size_t len = g->n * sizeof g->fd[0];
	struct iovec iov = { byte, sizeof byte };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &ctl, .msg_controllen = CMSG_SPACE(len) };
	int64_t n;

	memset(&ctl, 0, sizeof ctl);
	ctl.h.cmsg_level = SOL_SOCKET;
	ctl.h.cmsg_type = SCM_RIGHTS;
	ctl.h.cmsg_len = CMSG_LEN(len);
	memcpy(CMSG_DATA(&ctl.h), g->fd, len);
	do {
		n = host_sendmsg(plat.sock, &m, MSG_NOSIGNAL);
	} while (n == -EINTR);
	return n < 0 ? (int)n : 0;
}

static struct stub_ent
ent_receive(void)
{
	/* The answer goes to a read-only header: -EFAULT, when the descriptors have arrived. */
	struct stub_ent e = ent_call(SYS_recvmsg, STUB_FD_SOCK, STUB_C_RECVMSG,
	    MSG_CMSG_CLOEXEC | MSG_DONTWAIT, 0, 0, 0);

	e.ignore = EFAULT;
	return e;
}

/* Adds what closes up to n descriptors; some may not be there. */
static unsigned
close_gifts(struct space *s, unsigned at, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		s->cmd->ent[at] = ent_call(SYS_close, STUB_FD_NEW + i, 0, 0, 0, 0, 0);
		s->cmd->ent[at++].ignore = EBADF;
	}
	return at;
}

/*
 * A stub died between a donation to it and the receipt: the zygote takes what is left off
 * the socket, or the next receiver would map the wrong file.
 */
static void
donations_drop_locked(void)
{
	struct space *z = plat.zygote;

	mutex_assert_held(&z->mu);
	if (batch_wait(z, z->seq, UINT64_MAX) == 0 && plat.pending != NULL)
		fork_note(z, plat.pending);
	for (;;) {
		z->cmd->ent[0] = ent_receive();
		batch_start(z, close_gifts(z, 1, 2));
		if (batch_wait(z, z->seq, UINT64_MAX) != 0 || atomic_load(&z->res->err) != 0)
			break;
	}
	plat.stale_donation = false;
}

/* Takes the socket for one donation. */
static void
donations_lock(void)
{
	mutex_lock(&plat.mu);
	if (!plat.stale_donation)
		return;
	mutex_unlock(&plat.mu);
	/* A second space's lock: nobody who has the zygote's takes another's. */
	mutex_lock_nested(&plat.zygote->mu);
	mutex_lock(&plat.mu);
	if (plat.stale_donation)
		donations_drop_locked();
	mutex_unlock(&plat.zygote->mu);
}

/* Runs cmds[0..n), with g's descriptors.  Returns the first error, with *at its index in cmds. */
static int
exec_part(struct space *s, const struct mapcmd *cmds, unsigned n, const struct gifts *g, unsigned *at)
{
	unsigned m = 0, first = 0, idx;
	int err;

	*at = 0;
	if (g->n > 0) {
		s->cmd->ent[m++] = ent_receive();
		first = 1;
	}
	for (unsigned i = 0; i < n; i++)
		s->cmd->ent[m++] = ent_of(&cmds[i], g);
	if (g->n == 0)
		return space_batch(s, m, at);
	err = donate(g);
	if (err)
		return err;
	batch_start(s, close_gifts(s, m, g->n));
	err = batch_wait(s, s->seq, UINT64_MAX);
	if (err) {
		plat.stale_donation = true;
		space_set_dead_locked(s);
		return err;
	}
	err = -(int)(atomic_load(&s->res->err) & 0xff);
	if (err) {
		idx = atomic_load(&s->res->idx);
		*at = idx > first ? min(idx - first, n - 1) : 0;
		/* The mapper stopped before it closed them. */
		if (idx >= first) {
			batch_start(s, close_gifts(s, 0, g->n));
			(void)batch_wait(s, s->seq, UINT64_MAX);
		}
	}
	return err;
}

/* How many of cmds fit in one batch: the room there is, and two donated descriptors. */
static unsigned
part_len(const struct mapcmd *cmds, unsigned n, struct gifts *g)
{
	unsigned i;

	*g = (struct gifts){ .n = 0 };
	for (i = 0; i < n && i < CMD_MAX - 3; i++) {
		if (!wants_donation(&cmds[i]) || (g->n > 0 && cmds[i].fd == g->fd[0]) ||
		    (g->n > 1 && cmds[i].fd == g->fd[1]))
			continue;
		if (g->n == ARRAY_LEN(g->fd))
			break;
		g->fd[g->n++] = cmds[i].fd;
	}
	return i;
}

/* What guest threads may do themselves, as their filter has it (hostcalls.def). */
static bool
is_own(const struct mapcmd *c)
{
	if (!c->plain || c->va >= STUB_OWN_TOP || c->len >= STUB_OWN_SPAN)
		return false;
	switch (c->op) {
	case MAPOP_MMAP:
		return c->fd == MAPFD_ANON && (c->flags & MAP_PRIVATE);
	case MAPOP_MUNMAP:
		return true;
	case MAPOP_MPROTECT:
		return (c->prot & PROT_WRITE) == 0;
	case MAPOP_MADVISE:
		return c->advice == MADV_DONTNEED;
	case MAPOP_MREMAP:
		break;
	}
	return false;
}

/* By the caller's own guest, which waits for it anyway: false when that is not possible. */
static bool
exec_own(struct space *s, struct mapcmd *cmds, unsigned n, int *err)
{
	const struct gifts none = { .n = 0 };
	struct stub_ent ents[WORK_MAX];
	unsigned at;

	if (plat.ops->map == NULL || ctx_here == NULL || ctx_here->s != s || n > WORK_MAX || atomic_load(&s->dead))
		return false;
	for (unsigned i = 0; i < n; i++) {
		if (!is_own(&cmds[i]))
			return false;
		ents[i] = ent_of(&cmds[i], &none);
	}
	stat_inc(map_own);
	*err = plat.ops->map(ctx_here, ents, n, &at);
	if (*err == -ESRCH)
		space_end(s);
	for (unsigned i = 0; i < at; i++)
		cmds[i].result = 0;
	if (*err)
		cmds[at].result = *err;
	return true;
}

int
space_exec(struct space *s, struct mapcmd *cmds, unsigned n)
{
	unsigned done = 0, at;
	int err = 0;

	for (unsigned i = 0; i < n; i++)
		cmds[i].result = -ECANCELED;
	stat_inc(map_batches);
	atomic_fetch_add_explicit(&plat.stats.map_cmds, n, memory_order_relaxed);
	if (exec_own(s, cmds, n, &err))
		return err;
	while (done < n && err == 0) {
		struct gifts g;
		unsigned part = part_len(cmds + done, n - done, &g);

		mutex_lock(&s->mu);
		space_settle(s);
		if (g.n > 0)
			donations_lock();
		at = part;
		err = atomic_load(&s->dead) ? -ESRCH : exec_part(s, cmds + done, part, &g, &at);
		if (g.n > 0)
			mutex_unlock(&plat.mu);
		mutex_unlock(&s->mu);
		if (err == 0)
			at = part;
		for (unsigned i = 0; i < at; i++)
			cmds[done + i].result = 0;
		if (err)
			cmds[done + at].result = err;
		done += part;
	}
	return err;
}

/* ---- guest memory -------------------------------------------------------- */

static int64_t
moved(struct space *s, int64_t n, size_t len)
{
	if (n > 0 || len == 0)
		return n;
	/* Nothing: the process has no memory any more.  EIO: this page is not there. */
	if (n == 0 || n == -ESRCH) {
		if (atomic_load(&s->dead) || space_is_gone(s))
			return -ESRCH;
		return n == 0 ? -ESRCH : n;
	}
	return n == -EIO || n == -EFAULT ? 0 : n;
}

/* Is there a way to its memory?  A stub just forked may not have handed it over yet. */
static bool
is_reachable(struct space *s)
{
	if (unlikely(atomic_load_explicit(&s->memfd, memory_order_acquire) < 0)) {
		mutex_lock(&s->mu);
		space_settle(s);
		mutex_unlock(&s->mu);
	}
	return !atomic_load_explicit(&s->dead, memory_order_relaxed);
}

int64_t
space_read(struct space *s, uint64_t va, void *buf, size_t len)
{
	uint64_t end;
	int64_t n;

	if (!is_reachable(s))
		return -ESRCH;
	if (ckd_add(&end, va, len) || end > GUEST_TOP)
		return 0;
	if (len == 0)
		return 0;
	stat_inc(reads);
	n = moved(s, host_pread(s->memfd, buf, len, (int64_t)va), len);
	if (n > 0 && sites_any(&s->sites))
		sites_hide(&s->sites, va, buf, (size_t)n);
	return n;
}

int64_t
space_write(struct space *s, uint64_t va, const void *buf, size_t len)
{
	uint64_t end;

	if (!is_reachable(s))
		return -ESRCH;
	if (ckd_add(&end, va, len) || end > GUEST_TOP)
		return 0;
	if (len == 0)
		return 0;
	stat_inc(writes);
	return moved(s, host_pwrite(s->memfd, buf, len, (int64_t)va), len);
}
