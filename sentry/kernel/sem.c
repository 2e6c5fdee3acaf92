/*
 * sem: System V semaphores.  semget(2), semop(2), semctl(2).
 *
 * An operation is tried as a whole under the table's lock; when it can't proceed the task waits on the set's queue
 * and tries again whenever a value changes.  A set with waiters outlives IPC_RMID until the last has seen it.
 */
#include <asm/sembuf.h>
#include <linux/time_types.h>
#include <string.h>
#include <time.h>

#include "base/hostcall.h"
#include "base/kmem.h"
#include "sentry/kernel/ipc.h"
#include "sentry/kernel/task.h"
#include "sentry/mm/usercopy.h"
#include "sentry/syscall/syscall.h"

enum { GETPID_ = 11, GETVAL_ = 12, GETALL_ = 13, GETNCNT_ = 14, GETZCNT_ = 15, SETVAL_ = 16, SETALL_ = 17,
	SEM_STAT_ = 18, SEM_INFO_ = 19, SEM_STAT_ANY_ = 20 };
#define SEM_UNDO_	0x1000
#define SEM_MAX_VALUE	32767
#define SEM_PER_SET	32000u
#define OPS_MAX		500u
#define WOULD_WAIT	(-1000)		/* -EAGAIN for the guest, told apart from having to sleep */

struct sem { int32_t val, pid; uint32_t ncnt, zcnt; };
struct semop { uint16_t num; int16_t op, flags; };	/* struct sembuf */

/* What a process's end adds to each value of a set. */
struct sem_undo {
	struct list	 link;		/* set->undos */
	struct process	*process;	/* borrowed: sem_exit comes before it goes */
	int16_t		 adj[];		/* nsems */
};

struct semset {
	struct ipc_perm	 perm;		/* first */
	uint32_t	 nsems;		/* [I] */
	struct sem	*sem;		/* [ids] */
	struct list	 undos;		/* [ids] */
	int64_t		 otime, ctime;	/* [ids] */
	struct waitq	 wq;
};
KMEM_CACHE(semset);

static struct ipc_ids ids = { .mu = MUTEX_INIT(RANK_object), .max = IPC_MAX };
static _Atomic uint64_t nundos;		/* makes the exit of everyone else cheap */

static struct semset *
set_of(struct ipc_perm *p)
{
	return p == NULL ? NULL : container_of(p, struct semset, perm);
}

static void
set_free(struct semset *s)
{
	if (s == NULL)
		return;
	while (!list_empty(&s->undos)) {
		struct sem_undo *u = list_first(&s->undos, struct sem_undo, link);

		list_remove(&u->link);
		mem_free(u);
		atomic_fetch_sub(&nundos, 1);
	}
	mem_free(s->sem);
	obj_free(semset, s);
}

/* Ends a call that has kept s by its user count: who leaves a removed set last frees it. */
static void
set_leave(struct semset *s)
{
	bool last;

	mutex_lock(&ids.mu);
	last = ipc_leave(&s->perm);
	mutex_unlock(&ids.mu);
	if (last)
		set_free(s);
}

static int
set_create(struct task *t, uint32_t key, uint32_t nsems, uint32_t flags)
{
	struct semset *s;
	int err;

	if (nsems == 0)
		return -EINVAL;
	s = obj_new(semset);
	if (s == NULL)
		return -ENOMEM;
	list_init(&s->undos);
	waitq_init(&s->wq);
	s->nsems = nsems;
	s->ctime = ipc_now();
	s->sem = mem_alloc(nsems * sizeof *s->sem);
	if (s->sem == NULL) {
		obj_free(semset, s);
		return -ENOMEM;
	}
	mutex_lock(&ids.mu);
	err = ipc_find_key(&ids, key) != NULL ? -EEXIST : ipc_add(&ids, &s->perm, key, flags, t);
	if (!err)
		err = s->perm.id;
	mutex_unlock(&ids.mu);
	if (err < 0)
		set_free(s);
	return err;
}

int64_t
sys_semget(struct task *t, uint32_t key, int32_t nsems, uint32_t flags)
{
	uint32_t k = key;
	struct semset *s;
	int err = -ENOENT;

	if (nsems < 0 || (uint32_t)nsems > SEM_PER_SET)
		return -EINVAL;
	if (k == 0)
		return set_create(t, 0, (uint32_t)nsems, flags);
	do {
		mutex_lock(&ids.mu);
		s = set_of(ipc_find_key(&ids, k));
		if (s != NULL) {
			err = ipc_reuse(t, &s->perm, flags);
			if (!err && (uint32_t)nsems > s->nsems)
				err = -EINVAL;
			if (!err)
				err = s->perm.id;
		}
		mutex_unlock(&ids.mu);
		if (s != NULL || !(flags & IPC_CREAT_))
			return err;
		err = set_create(t, k, (uint32_t)nsems, flags);
	} while (err == -EEXIST);
	return err;
}

/* ---- semop -------------------------------------------------------------------------- */

struct semcall {
	struct task	*t;
	struct semset	*set;
	struct semop	*ops;
	uint32_t	 n;
	struct sem_undo	*spare;		/* made in advance, if any operation may be undone */
	uint32_t	*counted;	/* ncnt or zcnt that says we wait */
};

static struct sem_undo *
undo_find(struct semset *s, const struct process *p)
{
	struct sem_undo *u;

	list_for_each(u, &s->undos, link) {
		if (u->process == p)
			return u;
	}
	return NULL;
}

/* One operation, on the value and on what the process's end adds to it. -EAGAIN, -ERANGE: nothing is changed. */
static int
op_do(struct semcall *c, const struct semop *o, struct sem_undo *u)
{
	struct sem *sem = &c->set->sem[o->num];
	bool undo = o->flags & SEM_UNDO_;
	int32_t val = sem->val + o->op, adj = undo ? u->adj[o->num] - o->op : 0;

	if ((o->op == 0 && val != 0) || val < 0)
		return -EAGAIN;
	if (val > SEM_MAX_VALUE || adj < -SEM_MAX_VALUE - 1 || adj > SEM_MAX_VALUE)
		return -ERANGE;
	sem->val = val;
	if (undo)
		u->adj[o->num] = (int16_t)adj;
	return 0;
}

/* Takes back the first n operations. */
static void
ops_revert(struct semcall *c, struct sem_undo *u, uint32_t n)
{
	while (n-- > 0) {
		const struct semop *o = &c->ops[n];

		c->set->sem[o->num].val -= o->op;
		if (o->flags & SEM_UNDO_)
			u->adj[o->num] = (int16_t)(u->adj[o->num] + o->op);
	}
}

/* -EAGAIN leaves in *at the operation that can't proceed; anything but 0 changes nothing. */
static int
ops_try(struct semcall *c, uint32_t *at)
{
	struct sem_undo *u = c->spare != NULL ? undo_find(c->set, c->t->process) : NULL;
	bool fresh = c->spare != NULL && u == NULL;

	if (fresh)
		u = c->spare;
	/* One after the other: several may be for the same semaphore. */
	for (uint32_t i = 0; i < c->n; i++) {
		int err = op_do(c, &c->ops[i], u);

		if (err) {
			ops_revert(c, u, i);
			*at = i;
			return err;
		}
	}
	for (uint32_t i = 0; i < c->n; i++)
		c->set->sem[c->ops[i].num].pid = c->t->process->pid;
	if (fresh) {
		c->spare = NULL;
		u->process = c->t->process;
		list_push_back(&c->set->undos, &u->link);
		atomic_fetch_add(&nundos, 1);
	}
	c->set->otime = ipc_now();
	return 0;
}

/* One try: 0, an error, or -EAGAIN with our wish counted. */
static int
semcall_step(struct semcall *c, bool *wake)
{
	uint32_t at = 0;
	int err;

	*wake = false;
	mutex_lock(&ids.mu);
	if (c->counted != NULL && !c->set->perm.removed)
		--*c->counted;
	c->counted = NULL;
	err = c->set->perm.removed ? -EIDRM : ops_try(c, &at);
	if (err == -EAGAIN && !(c->ops[at].flags & IPC_NOWAIT_)) {
		struct sem *s = &c->set->sem[c->ops[at].num];

		c->counted = c->ops[at].op == 0 ? &s->zcnt : &s->ncnt;
		++*c->counted;
	} else if (err == -EAGAIN) {
		err = WOULD_WAIT;
	}
	*wake = err == 0;
	mutex_unlock(&ids.mu);
	return err;
}

/* Waits until the operations went through; the set is held by its user count. */
static int
semcall_run(struct semcall *c, uint64_t deadline)
{
	struct waiter w;
	bool wake, last;
	int err;

	waiter_arm(&w, c->t, &c->set->wq, 0);
	while ((err = semcall_step(c, &wake)) == -EAGAIN) {
		int slept = task_sleep(c->t, deadline);

		if (slept != 0) {
			/* Never restarted, whatever the handler's flags. */
			err = slept == -ETIMEDOUT ? -EAGAIN : -EINTR;
			break;
		}
	}
	waiter_disarm(&w);
	if (wake)
		waitq_wake(&c->set->wq, 0);
	mutex_lock(&ids.mu);
	if (c->counted != NULL && !c->set->perm.removed)
		--*c->counted;
	last = ipc_leave(&c->set->perm);
	mutex_unlock(&ids.mu);
	if (last)
		set_free(c->set);
	return err == WOULD_WAIT ? -EAGAIN : err;
}

static int
semcall_check(struct semcall *c, int32_t semid, bool *undo)
{
	bool alter = false;
	uint32_t top = 0;
	int err;

	*undo = false;
	for (uint32_t i = 0; i < c->n; i++) {
		top = max(top, (uint32_t)c->ops[i].num);
		alter |= c->ops[i].op != 0;
		*undo |= (c->ops[i].flags & SEM_UNDO_) != 0;
	}
	mutex_lock(&ids.mu);
	c->set = set_of(ipc_find(&ids, semid));
	if (c->set == NULL)
		err = -EINVAL;
	else if (top >= c->set->nsems)
		err = -EFBIG;
	else
		err = ipc_access(c->t, &c->set->perm, alter ? 0222 : 0444);
	if (!err)
		c->set->perm.users++;
	mutex_unlock(&ids.mu);
	return err;
}

static int64_t
do_semop(struct task *t, int32_t semid, gaddr_t sops, uint64_t nsops, uint64_t deadline)
{
	struct semop few[16];
	struct semcall c = { .t = t, .n = (uint32_t)nsops, .ops = few };
	bool undo;
	int err;

	if (nsops < 1 || semid < 0)
		return -EINVAL;
	if (nsops > OPS_MAX)
		return -E2BIG;
	if (nsops > ARRAY_LEN(few)) {
		c.ops = mem_alloc(nsops * sizeof *c.ops);
		if (c.ops == NULL)
			return -ENOMEM;
	}
	err = copy_in(t, c.ops, sops, nsops * sizeof *c.ops);
	if (!err)
		err = semcall_check(&c, semid, &undo);
	if (!err && undo) {
		c.spare = mem_alloc(sizeof *c.spare + c.set->nsems * sizeof c.spare->adj[0]);
		if (c.spare != NULL)
			list_init(&c.spare->link);
	}
	if (!err && undo && c.spare == NULL) {
		set_leave(c.set);
		err = -ENOMEM;
	} else if (!err) {
		err = semcall_run(&c, deadline);
	}
	mem_free(c.spare);
	if (c.ops != few)
		mem_free(c.ops);
	return err;
}

int64_t
sys_semop(struct task *t, int32_t semid, gaddr_t sops, uint64_t nsops)
{
	return do_semop(t, semid, sops, (uint32_t)nsops, NO_DEADLINE);
}

int64_t
sys_semtimedop(struct task *t, int32_t semid, gaddr_t sops, uint32_t nsops, gaddr_t timeout)
{
	struct __kernel_timespec ts;
	uint64_t deadline = NO_DEADLINE, ns;

	if (!gaddr_is_null(timeout)) {
		if (copy_in(t, &ts, timeout, sizeof ts) != 0)
			return -EFAULT;
		if (ts.tv_sec < 0 || ts.tv_nsec < 0 || (uint64_t)ts.tv_nsec >= NSEC_PER_SEC)
			return -EINVAL;
		if (!ckd_mul(&ns, (uint64_t)ts.tv_sec, NSEC_PER_SEC) && !ckd_add(&ns, ns, (uint64_t)ts.tv_nsec) &&
		    !ckd_add(&ns, ns, host_clock_ns(CLOCK_MONOTONIC)))
			deadline = ns;
	}
	return do_semop(t, semid, sops, nsops, deadline);
}

void
sem_exit(struct process *p)
{
	if (atomic_load(&nundos) == 0)
		return;
	for (uint32_t i = 0; ; i++) {
		struct semset *s;
		struct sem_undo *u = NULL;

		mutex_lock(&ids.mu);
		if (i >= ids.cap) {
			mutex_unlock(&ids.mu);
			return;
		}
		s = set_of(ids.slot[i]);
		if (s != NULL)
			u = undo_find(s, p);
		if (u != NULL) {
			for (uint32_t k = 0; k < s->nsems; k++) {
				int32_t v = s->sem[k].val + u->adj[k];

				if (u->adj[k] == 0)
					continue;
				s->sem[k].val = v < 0 ? 0 : min(v, SEM_MAX_VALUE);
				s->sem[k].pid = p->pid;
			}
			list_remove(&u->link);
			atomic_fetch_sub(&nundos, 1);
			s->otime = ipc_now();
			/* The set can't go while its table is locked; a wake takes only the queue's lock. */
			waitq_wake(&s->wq, 0);
		}
		mutex_unlock(&ids.mu);
		mem_free(u);
	}
}

/* ---- semctl --------------------------------------------------------------------------- */

static int64_t
sem_stat(struct task *t, int32_t id, int32_t cmd, gaddr_t buf)
{
	struct semid64_ds ds;
	struct semset *s;
	int64_t ret = 0;

	memset(&ds, 0, sizeof ds);
	mutex_lock(&ids.mu);
	s = set_of(cmd == IPC_STAT_ ? ipc_find(&ids, id) : ipc_find_index(&ids, (uint32_t)id));
	if (s == NULL)
		ret = -EINVAL;
	else if (cmd != SEM_STAT_ANY_)
		ret = ipc_access(t, &s->perm, 0444);
	if (ret == 0) {
		ipc_fill(&s->perm, &ds.sem_perm);
		ds.sem_otime = s->otime;
		ds.sem_ctime = s->ctime;
		ds.sem_nsems = s->nsems;
		ret = cmd == IPC_STAT_ ? 0 : s->perm.id;
	}
	mutex_unlock(&ids.mu);
	if (ret >= 0 && copy_out(t, buf, &ds, sizeof ds) != 0)
		return -EFAULT;
	return ret;
}

static int64_t
sem_info(struct task *t, int32_t cmd, gaddr_t buf)
{
	/* struct seminfo: map mni mns mnu msl opm ume usz vmx aem */
	int32_t info[10] = { 1024000000, 32000, 1024000000, 1024000000, 32000, OPS_MAX, OPS_MAX, 20,
	    SEM_MAX_VALUE, SEM_MAX_VALUE };
	int64_t high;

	mutex_lock(&ids.mu);
	high = ipc_highest(&ids);
	if (cmd == SEM_INFO_) {
		info[7] = (int32_t)ids.used;
		info[9] = 0;
		for (uint32_t i = 0; i < ids.cap; i++) {
			if (ids.slot[i] != NULL)
				info[9] += (int32_t)set_of(ids.slot[i])->nsems;
		}
	}
	mutex_unlock(&ids.mu);
	return copy_out(t, buf, info, sizeof info) != 0 ? -EFAULT : high;
}

/* GETVAL, GETPID, GETNCNT, GETZCNT, SETVAL. */
static int64_t
sem_one(struct task *t, int32_t id, int32_t num, int32_t cmd, int32_t val)
{
	struct semset *s;
	struct sem *sem;
	struct sem_undo *u;
	int64_t ret;

	if (cmd == SETVAL_ && (val < 0 || val > SEM_MAX_VALUE))
		return -ERANGE;
	mutex_lock(&ids.mu);
	s = set_of(ipc_find(&ids, id));
	ret = s == NULL ? -EINVAL : ipc_access(t, &s->perm, cmd == SETVAL_ ? 0222 : 0444);
	if (ret == 0 && (num < 0 || (uint32_t)num >= s->nsems))
		ret = -EINVAL;
	if (ret == 0) {
		sem = &s->sem[num];
		switch (cmd) {
		case GETVAL_:
			ret = sem->val;
			break;
		case GETPID_:
			ret = sem->pid;
			break;
		case GETNCNT_:
			ret = sem->ncnt;
			break;
		case GETZCNT_:
			ret = sem->zcnt;
			break;
		default:
			sem->val = val;
			sem->pid = t->process->pid;
			s->ctime = ipc_now();
			list_for_each(u, &s->undos, link)
				u->adj[num] = 0;
			waitq_wake(&s->wq, 0);
		}
	}
	mutex_unlock(&ids.mu);
	return ret;
}

/* What SETALL is to set. */
static int
values_in(struct task *t, gaddr_t arg, uint16_t *v, uint32_t n)
{
	if (copy_in(t, v, arg, n * sizeof *v) != 0)
		return -EFAULT;
	for (uint32_t i = 0; i < n; i++) {
		if (v[i] > SEM_MAX_VALUE)
			return -ERANGE;
	}
	return 0;
}

/* All values of a set that the caller keeps, to v or from it. */
static int
values_move(struct task *t, struct semset *s, int32_t cmd, uint16_t *v)
{
	struct sem_undo *u;

	mutex_lock(&ids.mu);
	if (s->perm.removed) {
		mutex_unlock(&ids.mu);
		return -EIDRM;
	}
	for (uint32_t i = 0; i < s->nsems; i++) {
		if (cmd == GETALL_) {
			v[i] = (uint16_t)s->sem[i].val;
			continue;
		}
		s->sem[i].val = v[i];
		s->sem[i].pid = t->process->pid;
		list_for_each(u, &s->undos, link)
			u->adj[i] = 0;
	}
	if (cmd == SETALL_) {
		s->ctime = ipc_now();
		waitq_wake(&s->wq, 0);
	}
	mutex_unlock(&ids.mu);
	return 0;
}

/*
 * GETALL and SETALL: the copy is made without the lock.  The set is kept meanwhile: its number alone could be another's, of
 * another size, when we come back.
 */
static int64_t
sem_all(struct task *t, int32_t id, int32_t cmd, gaddr_t arg)
{
	AUTO_FREE uint16_t *v = NULL;
	struct semset *s;
	int err;

	mutex_lock(&ids.mu);
	s = set_of(ipc_find(&ids, id));
	err = s == NULL ? -EINVAL : ipc_access(t, &s->perm, cmd == SETALL_ ? 0222 : 0444);
	if (!err)
		s->perm.users++;
	mutex_unlock(&ids.mu);
	if (err)
		return err;
	v = mem_alloc(s->nsems * sizeof *v);
	err = v == NULL ? -ENOMEM : cmd == SETALL_ ? values_in(t, arg, v, s->nsems) : 0;
	if (!err)
		err = values_move(t, s, cmd, v);
	if (!err && cmd == GETALL_ && copy_out(t, arg, v, s->nsems * sizeof *v) != 0)
		err = -EFAULT;
	set_leave(s);
	return err;
}

static int64_t
sem_change(struct task *t, int32_t id, const struct semid64_ds *ds)
{
	struct semset *s, *drop = NULL;
	int err;

	mutex_lock(&ids.mu);
	s = set_of(ipc_find(&ids, id));
	err = s == NULL ? -EINVAL : ipc_owner(t, &s->perm);
	if (!err && ds != NULL) {
		ipc_set(&s->perm, &ds->sem_perm);
		s->ctime = ipc_now();
	} else if (!err) {
		ipc_remove(&ids, &s->perm);
		if (s->perm.users == 0)
			drop = s;
		else
			waitq_wake(&s->wq, 0);
	}
	mutex_unlock(&ids.mu);
	set_free(drop);
	return err;
}

int64_t
sys_semctl(struct task *t, int32_t semid, int32_t semnum, int32_t cmd, uint64_t arg)
{
	struct semid64_ds ds;
	gaddr_t buf = gaddr_from(arg);

	if (semid < 0)
		return -EINVAL;
	switch (cmd) {
	case IPC_INFO_: case SEM_INFO_:
		return sem_info(t, cmd, buf);
	case IPC_STAT_: case SEM_STAT_: case SEM_STAT_ANY_:
		return sem_stat(t, semid, cmd, buf);
	case GETALL_: case SETALL_:
		return sem_all(t, semid, cmd, buf);
	case GETVAL_: case GETPID_: case GETNCNT_: case GETZCNT_: case SETVAL_:
		return sem_one(t, semid, semnum, cmd, (int32_t)arg);
	case IPC_SET_:
		if (copy_in(t, &ds, buf, sizeof ds) != 0)
			return -EFAULT;
		return sem_change(t, semid, &ds);
	case IPC_RMID_:
		return sem_change(t, semid, NULL);
	default:
		return -EINVAL;
	}
}
