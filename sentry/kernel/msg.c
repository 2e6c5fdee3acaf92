/*
 * msg: System V message queues.  msgget(2), msgop(2), msgctl(2).
 *
 * Senders and receivers wait on one queue and try again whenever a message comes or goes.  A queue with
 * waiters outlives IPC_RMID until the last has seen it.
 */
#include <asm/msgbuf.h>
#include <string.h>

#include "base/kmem.h"
#include "sentry/kernel/ipc.h"
#include "sentry/kernel/task.h"
#include "sentry/mm/usercopy.h"
#include "sentry/syscall/syscall.h"

enum { MSG_STAT_ = 11, MSG_INFO_ = 12, MSG_STAT_ANY_ = 13 };
enum { MSG_NOERROR_ = 010000, MSG_EXCEPT_ = 020000, MSG_COPY_ = 040000 };
#define MSG_MAX		8192u
#define QUEUE_BYTES	16384u
#define CAP_SYS_RESOURCE_NR	24

struct msg {
	struct list	link;
	int64_t		type;
	uint64_t	len;
	char		text[];
};

struct msgqueue {
	struct ipc_perm	 perm;		/* first */
	struct list	 messages;	/* [ids] in order of arrival */
	uint64_t	 cbytes, qnum, qbytes;	/* [ids] */
	int64_t		 stime, rtime, ctime;	/* [ids] */
	int32_t		 lspid, lrpid;	/* [ids] */
	struct waitq	 wq;
};
KMEM_CACHE(msgqueue);

static struct ipc_ids ids = { .mu = MUTEX_INIT(RANK_object), .max = IPC_MAX };

static struct msgqueue *
queue_of(struct ipc_perm *p)
{
	return p == NULL ? NULL : container_of(p, struct msgqueue, perm);
}

static void
queue_free(struct msgqueue *q)
{
	if (q == NULL)
		return;
	while (!list_empty(&q->messages)) {
		struct msg *m = list_first(&q->messages, struct msg, link);

		list_remove(&m->link);
		mem_free(m);
	}
	obj_free(msgqueue, q);
}

static int
queue_create(struct task *t, uint32_t key, uint32_t flags)
{
	struct msgqueue *q = obj_new(msgqueue);
	int err;

	if (q == NULL)
		return -ENOMEM;
	list_init(&q->messages);
	waitq_init(&q->wq);
	q->qbytes = QUEUE_BYTES;
	q->ctime = ipc_now();
	mutex_lock(&ids.mu);
	err = ipc_find_key(&ids, key) != NULL ? -EEXIST : ipc_add(&ids, &q->perm, key, flags, t);
	if (!err)
		err = q->perm.id;
	mutex_unlock(&ids.mu);
	if (err < 0)
		queue_free(q);
	return err;
}

int64_t
sys_msgget(struct task *t, uint32_t key, uint32_t flags)
{
	uint32_t k = key;
	struct msgqueue *q;
	int err = -ENOENT;

	if (k == 0)
		return queue_create(t, 0, flags);
	do {
		mutex_lock(&ids.mu);
		q = queue_of(ipc_find_key(&ids, k));
		if (q != NULL) {
			err = ipc_reuse(t, &q->perm, flags);
			if (!err)
				err = q->perm.id;
		}
		mutex_unlock(&ids.mu);
		if (q != NULL || !(flags & IPC_CREAT_))
			return err;
		err = queue_create(t, k, flags);
	} while (err == -EEXIST);
	return err;
}

/* ---- sending and receiving -------------------------------------------------------------- */

/* The queue, kept by its user count. */
static int
queue_enter(struct task *t, int32_t id, uint32_t mode, struct msgqueue **out)
{
	struct msgqueue *q;
	int err;

	mutex_lock(&ids.mu);
	q = queue_of(ipc_find(&ids, id));
	err = q == NULL ? -EINVAL : ipc_access(t, &q->perm, mode);
	if (!err) {
		q->perm.users++;
		*out = q;
	}
	mutex_unlock(&ids.mu);
	return err;
}

static void
queue_leave(struct msgqueue *q)
{
	bool last;

	mutex_lock(&ids.mu);
	last = ipc_leave(&q->perm);
	mutex_unlock(&ids.mu);
	if (last)
		queue_free(q);
}

static int
send_step(struct task *t, struct msgqueue *q, struct msg *m)
{
	int err = 0;

	mutex_lock(&ids.mu);
	if (q->perm.removed) {
		err = -EIDRM;
	} else if (q->cbytes + m->len > q->qbytes || q->qnum + 1 > q->qbytes) {
		err = -EAGAIN;
	} else {
		list_push_back(&q->messages, &m->link);
		q->cbytes += m->len;
		q->qnum++;
		q->stime = ipc_now();
		q->lspid = t->process->pid;
	}
	mutex_unlock(&ids.mu);
	return err;
}

int64_t
sys_msgsnd(struct task *t, int32_t msqid, gaddr_t msg, uint64_t size, uint32_t flags)
{
	struct msgqueue *q;
	struct waiter w;
	struct msg *m;
	int64_t type;
	int err;

	if (copy_in(t, &type, msg, sizeof type) != 0)
		return -EFAULT;
	if (size > MSG_MAX || msqid < 0 || type < 1)
		return -EINVAL;
	m = mem_alloc(sizeof *m + size);
	if (m == NULL)
		return -ENOMEM;
	list_init(&m->link);
	m->type = type;
	m->len = size;
	err = copy_in(t, m->text, gaddr_add(msg, sizeof type), size);
	if (!err)
		err = queue_enter(t, msqid, 0222, &q);
	if (err) {
		mem_free(m);
		return err;
	}
	waiter_arm(&w, t, &q->wq, 0);
	while ((err = send_step(t, q, m)) == -EAGAIN && !(flags & IPC_NOWAIT_)) {
		if (task_sleep(t, NO_DEADLINE) != 0) {
			err = -ERESTARTNOHAND;
			break;
		}
	}
	waiter_disarm(&w);
	if (!err)
		waitq_wake(&q->wq, 0);
	else
		mem_free(m);
	queue_leave(q);
	return err;
}

/* The message that a receiver of this type gets, or NULL. */
static struct msg *
pick(struct msgqueue *q, int64_t type, uint32_t flags)
{
	struct msg *m, *best = NULL;
	/* -INT64_MIN has no positive twin: any type will do then. */
	int64_t limit = type == INT64_MIN ? INT64_MAX : -type;

	list_for_each(m, &q->messages, link) {
		if (type == 0 || (type > 0 && (m->type == type) == !(flags & MSG_EXCEPT_)))
			return m;
		if (type < 0 && m->type <= limit && (best == NULL || m->type < best->type))
			best = m;
	}
	return best;
}

static int
receive_step(struct task *t, struct msgqueue *q, uint64_t size, int64_t type, uint32_t flags, struct msg **out)
{
	struct msg *m;
	int err = 0;

	mutex_lock(&ids.mu);
	m = q->perm.removed ? NULL : pick(q, type, flags);
	if (q->perm.removed) {
		err = -EIDRM;
	} else if (m == NULL) {
		err = -EAGAIN;
	} else if (m->len > size && !(flags & MSG_NOERROR_)) {
		err = -E2BIG;
	} else {
		list_remove(&m->link);
		q->cbytes -= m->len;
		q->qnum--;
		q->rtime = ipc_now();
		q->lrpid = t->process->pid;
		*out = m;
	}
	mutex_unlock(&ids.mu);
	return err;
}

int64_t
sys_msgrcv(struct task *t, int32_t msqid, gaddr_t msg, uint64_t size, int64_t type, uint32_t flags)
{
	struct msg *m = NULL;
	struct msgqueue *q;
	struct waiter w;
	int64_t ret;
	int err;

	if (flags & MSG_COPY_) {
		report_missing(t, "msgrcv MSG_COPY");
		return -ENOSYS;
	}
	if ((int64_t)size < 0 || msqid < 0)
		return -EINVAL;
	err = queue_enter(t, msqid, 0444, &q);
	if (err)
		return err;
	waiter_arm(&w, t, &q->wq, 0);
	while ((err = receive_step(t, q, size, type, flags, &m)) == -EAGAIN) {
		if (flags & IPC_NOWAIT_) {
			err = -ENOMSG;
			break;
		}
		if (task_sleep(t, NO_DEADLINE) != 0) {
			err = -ERESTARTNOHAND;
			break;
		}
	}
	waiter_disarm(&w);
	if (!err)
		waitq_wake(&q->wq, 0);
	queue_leave(q);
	if (err)
		return err;
	/* Taken is taken, even if the copy faults: as on Linux. */
	ret = (int64_t)min(m->len, size);
	if (copy_out(t, msg, &m->type, sizeof m->type) != 0 ||
	    copy_out(t, gaddr_add(msg, sizeof m->type), m->text, (size_t)ret) != 0)
		ret = -EFAULT;
	mem_free(m);
	return ret;
}

/* ---- msgctl -------------------------------------------------------------------------------- */

static int64_t
msg_stat(struct task *t, int32_t id, int32_t cmd, gaddr_t buf)
{
	struct msqid64_ds ds;
	struct msgqueue *q;
	int64_t ret = 0;

	memset(&ds, 0, sizeof ds);
	mutex_lock(&ids.mu);
	q = queue_of(cmd == IPC_STAT_ ? ipc_find(&ids, id) : ipc_find_index(&ids, (uint32_t)id));
	if (q == NULL)
		ret = -EINVAL;
	else if (cmd != MSG_STAT_ANY_)
		ret = ipc_access(t, &q->perm, 0444);
	if (ret == 0) {
		ipc_fill(&q->perm, &ds.msg_perm);
		ds.msg_stime = q->stime;
		ds.msg_rtime = q->rtime;
		ds.msg_ctime = q->ctime;
		ds.msg_cbytes = q->cbytes;
		ds.msg_qnum = q->qnum;
		ds.msg_qbytes = q->qbytes;
		ds.msg_lspid = q->lspid;
		ds.msg_lrpid = q->lrpid;
		ret = cmd == IPC_STAT_ ? 0 : q->perm.id;
	}
	mutex_unlock(&ids.mu);
	if (ret >= 0 && copy_out(t, buf, &ds, sizeof ds) != 0)
		return -EFAULT;
	return ret;
}

static int64_t
msg_info(struct task *t, int32_t cmd, gaddr_t buf)
{
	/* struct msginfo */
	struct { int32_t pool, map, max, mnb, mni, ssz, tql; uint16_t seg, pad; } info = {
		.pool = IPC_MAX * QUEUE_BYTES / 1024, .map = QUEUE_BYTES, .max = MSG_MAX, .mnb = QUEUE_BYTES,
		.mni = IPC_MAX, .ssz = 16, .tql = QUEUE_BYTES, .seg = 0xffff,
	};
	int64_t high;

	mutex_lock(&ids.mu);
	high = ipc_highest(&ids);
	if (cmd == MSG_INFO_) {
		info.pool = (int32_t)ids.used;
		info.map = info.tql = 0;
		for (uint32_t i = 0; i < ids.cap; i++) {
			if (ids.slot[i] == NULL)
				continue;
			info.map += (int32_t)queue_of(ids.slot[i])->qnum;
			info.tql += (int32_t)queue_of(ids.slot[i])->cbytes;
		}
	}
	mutex_unlock(&ids.mu);
	return copy_out(t, buf, &info, sizeof info) != 0 ? -EFAULT : high;
}

static int64_t
msg_change(struct task *t, int32_t id, const struct msqid64_ds *ds)
{
	struct msgqueue *q, *drop = NULL;
	int err;

	mutex_lock(&ids.mu);
	q = queue_of(ipc_find(&ids, id));
	err = q == NULL ? -EINVAL : ipc_owner(t, &q->perm);
	if (!err && ds != NULL && ds->msg_qbytes > QUEUE_BYTES && !task_capable(t, CAP_SYS_RESOURCE_NR))
		err = -EPERM;
	if (!err && ds != NULL) {
		ipc_set(&q->perm, &ds->msg_perm);
		q->qbytes = ds->msg_qbytes;
		q->ctime = ipc_now();
		waitq_wake(&q->wq, 0);
	} else if (!err) {
		ipc_remove(&ids, &q->perm);
		if (q->perm.users == 0)
			drop = q;
		else
			waitq_wake(&q->wq, 0);
	}
	mutex_unlock(&ids.mu);
	queue_free(drop);
	return err;
}

int64_t
sys_msgctl(struct task *t, int32_t msqid, int32_t cmd, gaddr_t buf)
{
	struct msqid64_ds ds;

	if (msqid < 0 || cmd < 0)
		return -EINVAL;
	switch (cmd) {
	case IPC_INFO_: case MSG_INFO_:
		return msg_info(t, cmd, buf);
	case IPC_STAT_: case MSG_STAT_: case MSG_STAT_ANY_:
		return msg_stat(t, msqid, cmd, buf);
	case IPC_SET_:
		if (copy_in(t, &ds, buf, sizeof ds) != 0)
			return -EFAULT;
		return msg_change(t, msqid, &ds);
	case IPC_RMID_:
		return msg_change(t, msqid, NULL);
	default:
		return -EINVAL;
	}
}
