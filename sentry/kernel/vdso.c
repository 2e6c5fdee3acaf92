/*
 * vdso: the shared object the kernel puts into every address space.  vdso(7).
 *
 * The image (vdso/vdso.S, linked alone) is copied into the memory file once; every program maps
 * those same pages privately.
 */
#include <linux/mman.h>
#include <string.h>

#include "base/log.h"
#include "sentry/kernel/task.h"
#include "sentry/mm/mm.h"
#include "sentry/mm/pages.h"

extern const char vdso_image[], vdso_image_end[];

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
