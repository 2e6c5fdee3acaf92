/* sys_futex: futex(2), futex_waitv(2), robust lists. */
#include <linux/futex.h>

#include "abi/errno.h"
#include "abi/time.h"
#include "base/kmem.h"
#include "sentry/kernel/clock.h"
#include "sentry/kernel/futex.h"
#include "sentry/kernel/inspect.h"
#include "sentry/kernel/task.h"
#include "sentry/mm/mm.h"
#include "sentry/mm/usercopy.h"
#include "sentry/syscall/syscall.h"

#define ROBUST_HEAD_SIZE	24

/* The timeout argument as a CLOCK_MONOTONIC deadline. */
static int
get_deadline(struct task *t, gaddr_t at, bool absolute, int32_t clock, uint64_t *deadline)
{
	struct abi_timespec ts;
	int err;

	*deadline = NO_DEADLINE;
	if (gaddr_is_null(at))
		return 0;
	err = copy_in(t, &ts, at, sizeof ts);
	if (err)
		return err;
	if (!abi_timespec_valid(&ts))
		return -EINVAL;
	if (absolute)
		return clock_deadline(clock, abi_timespec_ns(&ts), deadline);
	*deadline = abi_deadline(clock_mono_ns(), abi_timespec_ns(&ts));
	return 0;
}

static int64_t
wait_result(struct task *t, int64_t ret, uint64_t deadline, int64_t (*again)(struct task *))
{
	/* A relative wait goes on with what is left of it. */
	if (ret == -ERESTARTSYS && deadline != NO_DEADLINE) {
		t->restart.fn = again;
		t->restart.deadline_ns = deadline;
		return -ERESTART_RESTARTBLOCK;
	}
	return ret;
}

static int64_t
wait_again(struct task *t)
{
	struct restart_block *r = &t->restart;
	uint64_t deadline = r->deadline_ns;
	int64_t ret = futex_wait(t, r->p1, r->v3, (uint32_t)r->v1, (uint32_t)r->v2, deadline);

	return wait_result(t, ret, deadline, wait_again);
}

static int64_t
do_wait(struct task *t, gaddr_t at, bool private, uint32_t val, uint32_t bitset, uint64_t deadline)
{
	int64_t ret = futex_wait(t, at, private, val, bitset, deadline);

	if (ret == -ERESTARTSYS && deadline != NO_DEADLINE) {
		t->restart.p1 = at;
		t->restart.v1 = val;
		t->restart.v2 = bitset;
		t->restart.v3 = private;
	}
	return wait_result(t, ret, deadline, wait_again);
}

int64_t
sys_futex(struct task *t, gaddr_t uaddr, int32_t op, uint32_t val, uint64_t timeout, gaddr_t uaddr2, uint32_t val3)
{
	int32_t cmd = op & FUTEX_CMD_MASK;
	bool private = op & FUTEX_PRIVATE_FLAG;
	int32_t clock = op & FUTEX_CLOCK_REALTIME ? CLOCK_REALTIME : CLOCK_MONOTONIC;
	uint64_t deadline = NO_DEADLINE;
	int n = (int32_t)val;
	int err = 0;

	if ((op & FUTEX_CLOCK_REALTIME) && cmd != FUTEX_WAIT_BITSET && cmd != FUTEX_WAIT_REQUEUE_PI &&
	    cmd != FUTEX_LOCK_PI2 && cmd != FUTEX_WAIT)
		return -ENOSYS;
	if (cmd == FUTEX_LOCK_PI)
		clock = CLOCK_REALTIME;
	if (cmd == FUTEX_WAIT || cmd == FUTEX_WAIT_BITSET || cmd == FUTEX_LOCK_PI || cmd == FUTEX_LOCK_PI2)
		err = get_deadline(t, gaddr_from(timeout), cmd != FUTEX_WAIT, clock, &deadline);
	if (err)
		return err;
	switch (cmd) {
	case FUTEX_WAIT:
		return do_wait(t, uaddr, private, val, FUTEX_BITSET_MATCH_ANY, deadline);
	case FUTEX_WAIT_BITSET:
		return do_wait(t, uaddr, private, val, val3, deadline);
	case FUTEX_WAKE:
		return futex_wake_bits(t, uaddr, private, n, FUTEX_BITSET_MATCH_ANY);
	case FUTEX_WAKE_BITSET:
		return futex_wake_bits(t, uaddr, private, n, val3);
	case FUTEX_REQUEUE:
		return futex_requeue(t, uaddr, uaddr2, private, n, (int32_t)timeout, NULL);
	case FUTEX_CMP_REQUEUE:
		return futex_requeue(t, uaddr, uaddr2, private, n, (int32_t)timeout, &val3);
	case FUTEX_WAKE_OP:
		return futex_wake_op(t, uaddr, uaddr2, private, n, (int32_t)timeout, val3);
	case FUTEX_LOCK_PI:
	case FUTEX_LOCK_PI2:
		return futex_lock_pi(t, uaddr, private, false, deadline);
	case FUTEX_TRYLOCK_PI:
		return futex_lock_pi(t, uaddr, private, true, NO_DEADLINE);
	case FUTEX_UNLOCK_PI:
		return futex_unlock_pi(t, uaddr, private);
	}
	report_missing(t, "futex operation %d", cmd);
	return -ENOSYS;
}

int64_t
sys_futex_waitv(struct task *t, gaddr_t waiters, uint32_t nr, uint32_t flags, gaddr_t timeout, int32_t clock)
{
	AUTO_FREE struct futex_waitv *in = NULL;
	AUTO_FREE struct futex_waitv_item *items = NULL;
	uint64_t deadline;
	int err;

	if (flags || nr == 0 || nr > FUTEX_WAITV_LIMIT || gaddr_is_null(waiters))
		return -EINVAL;
	if (!gaddr_is_null(timeout) && clock != CLOCK_MONOTONIC && clock != CLOCK_REALTIME)
		return -EINVAL;
	err = get_deadline(t, timeout, true, clock, &deadline);
	if (err)
		return err;
	in = mem_alloc(nr * sizeof *in);
	items = mem_alloc(nr * sizeof *items);
	if (in == NULL || items == NULL)
		return -ENOMEM;
	err = copy_in(t, in, waiters, nr * sizeof *in);
	if (err)
		return err;
	for (uint32_t i = 0; i < nr; i++) {
		/* Words of 32 bits are the only size there is. */
		if ((in[i].flags & ~(uint32_t)FUTEX_PRIVATE_FLAG) != 2 || in[i].__reserved ||
		    in[i].val > UINT32_MAX)
			return -EINVAL;
		items[i].at = gaddr_from(in[i].uaddr);
		items[i].val = (uint32_t)in[i].val;
		items[i].private = in[i].flags & FUTEX_PRIVATE_FLAG;
	}
	return futex_waitv(t, items, nr, deadline);
}

int64_t
sys_set_robust_list(struct task *t, gaddr_t head, uint64_t len)
{
	if (len != ROBUST_HEAD_SIZE)
		return -EINVAL;
	t->robust_list = head;
	t->robust_len = len;
	return 0;
}

int64_t
sys_get_robust_list(struct task *t, int32_t tid, gaddr_t head, gaddr_t len)
{
	AUTO_PUT(task) o = tid ? task_find_get(tid) : task_get(t);
	AUTO_PUT(mm) mm = NULL;
	int err;

	if (o == NULL)
		return -ESRCH;
	err = task_inspect(t, o, INSPECT_REAL, &mm);
	if (err)
		return err;
	err = put_u64(t, len, ROBUST_HEAD_SIZE);
	return err ? err : put_u64(t, head, gaddr_raw(o->robust_list));
}
