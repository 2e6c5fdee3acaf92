/*
 * vdso: the shared object the kernel puts into every address space.  vdso(7).
 *
 * The image (vdso/vdso.S, linked alone) is copied into the memory file once, and its table filled
 * with the host's functions; every program maps those same pages privately.
 *
 * A clock may be passed on to the host's vDSO when that answers it without a call (Linux 5.3 and
 * later do for those below) and clock.c gives what the host gives: a program may ask both ways.
 *
 * A signal that finds the guest in the host's code waits until it is out of it, for a handler would
 * see an address that is nowhere in its memory, and an unwinder would end there.  It takes some
 * nanoseconds: the guest's return address is replaced by one where it faults, and put right then.
 */
#include <linux/mman.h>
#include <string.h>
#include <time.h>

#include "base/log.h"
#include "sentry/kernel/task.h"
#include "sentry/mm/mm.h"
#include "sentry/mm/pages.h"
#include "sentry/mm/usercopy.h"

extern const char vdso_image[], vdso_image_end[];

#define EFLAGS_RF	0x10000ULL

#define CLOCKS	(1U << CLOCK_REALTIME | 1U << CLOCK_MONOTONIC | 1U << CLOCK_MONOTONIC_RAW | \
	1U << CLOCK_REALTIME_COARSE | 1U << CLOCK_MONOTONIC_COARSE | 1U << CLOCK_BOOTTIME | 1U << CLOCK_TAI)

/* As vdso.S has it. */
struct host_table {
	char		mark[16];
	uint64_t	clocks, clock_gettime, clock_getres, gettimeofday, time, getcpu;
};

static struct {
	struct mobj	obj;
	uint64_t	off, len;	/* in the memory file */
} vdso;

static int
vdso_backing(struct mobj *o, uint64_t off, uint64_t len, bool write, struct backing *out)
{
	(void)o;
	if (write)
		return -EACCES;
	out->fd = MAPFD_MEMFILE;
	out->lasting = true;
	out->off = vdso.off + off;
	out->len = off < vdso.len ? min(len, vdso.len - off) : 0;
	return 0;
}

static void
vdso_free(struct mobj *o)
{
	(void)o;	/* the static object keeps a reference */
}

static const struct mobj_ops vdso_ops = {
	.name = "vdso",
	.backing = vdso_backing,
	.free = vdso_free,
};

static void
fill_table(char *image, size_t size)
{
	static const char mark[16] = "village's table";
	struct host_table *h = memmem(image, size, mark, sizeof mark);

	BUG_ON(h == NULL);
	h->clock_gettime = platform_vdso("__vdso_clock_gettime");
	h->clock_getres = platform_vdso("__vdso_clock_getres");
	if (h->clock_gettime != 0 && h->clock_getres != 0)
		h->clocks = CLOCKS;
	h->gettimeofday = platform_vdso("__vdso_gettimeofday");
	h->time = platform_vdso("__vdso_time");
	/* The host's number of a processor, which may be none of those that the guest is shown. */
	if (kernel.cpus_from_zero)
		h->getcpu = platform_vdso("__vdso_getcpu");
}

int
vdso_boot(void)
{
	size_t size = (size_t)(vdso_image_end - vdso_image);
	int err;

	vdso.len = page_up(size);
	err = pages_alloc(vdso.len, &vdso.off);
	if (err)
		return err;
	memcpy(page_ptr(vdso.off), vdso_image, size);
	fill_table(page_ptr(vdso.off), size);
	mobj_init(&vdso.obj, &vdso_ops);
	return 0;
}

int
vdso_map(struct mm *mm, uint64_t *base)
{
	struct mmap_args a = {
		.len = vdso.len, .prot = PROT_READ | PROT_EXEC, .flags = MAP_PRIVATE,
		.mobj = &vdso.obj, .region_flags = REGION_VDSO,
		.maxprot = PROT_READ | PROT_WRITE | PROT_EXEC,
	};
	int64_t at = mm_map(mm, &a);

	if (at < 0)
		return (int)at;
	*base = (uint64_t)at;
	return 0;
}

/* ---- out of the host's code before a signal ---------------------------------- */

bool
vdso_leave(struct task *t)
{
	uint64_t slot, ret;

	if (likely(!platform_in_vdso(t->regs.rip))) {
		t->vdso_slot = 0;
		return false;
	}
	if (t->vdso_slot != 0)
		return true;
	if (!platform_vdso_return(&t->regs, &slot) || copy_in(t, &ret, gaddr_from(slot), sizeof ret) != 0 ||
	    ret >> 47 != 0 || put_u64(t, gaddr_from(slot), PLATFORM_NOWHERE) != 0)
		return false;
	t->vdso_slot = slot;
	t->vdso_ret = ret;
	return true;
}

void
vdso_stay(struct task *t)
{
	if (t->vdso_slot != 0)
		(void)!put_u64(t, gaddr_from(t->vdso_slot), t->vdso_ret);
	t->vdso_slot = 0;
}

bool
vdso_left(struct task *t)
{
	if (t->regs.rip != PLATFORM_NOWHERE)
		return false;
	t->regs.rip = t->vdso_ret;
	t->regs.eflags &= ~EFLAGS_RF;	/* the fault's */
	t->vdso_slot = 0;
	return true;
}
