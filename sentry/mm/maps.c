/*
 * maps: an address space as text: /proc/PID/maps and smaps, and what is resident.
 *
 * Names need locks that are taken outside mm->mu, so regions are copied out one by one.  What the host keeps
 * resident is not known here: everything that could be counts (an upper bound, without reservations).
 */
#include "sentry/mm/region.h"

#include <string.h>
#include <sys/mman.h>
#include <sys/sysmacros.h>

#include "sentry/kernel/task.h"
#include "sentry/vfs/dentry.h"
#include "sentry/vfs/file.h"
#include "sentry/vfs/mount.h"

#define NAME_COLUMN	73

static void
info_from(const struct region *r, struct region_info *out)
{
	*out = (struct region_info){ .start = r->start, .end = r->end, .off = r->off, .prot = r->prot,
	    .maxprot = r->maxprot, .flags = r->flags & ~(uint32_t)REGION_ABSENT };
	out->file = file_get(r->file);
	out->mobj = mobj_get(r->mobj);
}

static const struct region *
next_joined(struct mm *mm, uint64_t addr, struct region_info *out)
{
	const struct region *r = region_at_or_after(mm, addr), *first, *n;

	while (r != NULL && (r->flags & REGION_PATCHES))
		r = region_next(r);
	first = r;
	if (r == NULL)
		return NULL;
	/* All pieces of one mapping: a guest knows no absent ones. */
	info_from(first, out);
	while ((n = region_next(r)) != NULL && region_continues(r, n))
		r = n;
	out->end = r->end;
	return first;
}

bool
mm_next_region(struct mm *mm, uint64_t addr, struct region_info *out)
{
	bool found;

	mutex_lock(&mm->mu);
	found = next_joined(mm, addr, out) != NULL;
	mutex_unlock(&mm->mu);
	return found;
}

/* The pseudo-names; a copy of the region's own name when it has one. */
static void
special_name(const struct mm *mm, const struct region *r, char *buf, size_t size)
{
	struct strbuf sb = STRBUF(buf, size);

	if (r->flags & REGION_VDSO)
		sb_puts(&sb, "[vdso]");
	else if (r->flags & REGION_VVAR)
		sb_puts(&sb, "[vvar]");
	else if (r->flags & REGION_HEAP)
		sb_puts(&sb, "[heap]");
	else if ((r->flags & REGION_STACK) && mm->start_stack >= r->start && mm->start_stack < r->end)
		sb_puts(&sb, "[stack]");
	else if (r->name[0] != '\0')
		sb_printf(&sb, r->flags & REGION_SHARED ? "[anon_shmem:%s]" : "[anon:%s]", r->name);
	else
		sb_puts(&sb, "");
}

static void
put_name(struct strbuf *sb, const struct region_info *i, const char *special)
{
	char text[PATH_LIMIT];
	const char *anon;
	uint64_t ino;

	if (i->file != NULL) {
		struct path root = { .mnt = kernel.mntns->root, .dentry = kernel.mntns->root->root };
		const char *c = text;

		if (path_text(&i->file->path, &root, true, text, sizeof text) != 0)
			return;
		for (; *c != '\0'; c++) {
			if (*c == '\n')
				sb_puts(sb, "\\012");
			else
				sb_putc(sb, *c);
		}
	} else if (special[0] != '\0') {
		sb_puts(sb, special);
	} else if (i->mobj != NULL && (anon = mobj_anon_name(i->mobj, &ino)) != NULL) {
		sb_printf(sb, "/%s (deleted)", anon);
	}
}

static void
put_line(struct strbuf *sb, const struct region_info *i, const char *special)
{
	uint64_t dev = 0, ino = 0, off = i->mobj != NULL ? i->off : 0;
	size_t start = sb->len;

	if (i->file != NULL) {
		ino = i->file->inode->attr.ino;
		dev = i->file->inode->super->dev;
	} else if (i->flags & (REGION_VDSO | REGION_VVAR)) {
		off = 0;
	} else if (i->mobj != NULL) {
		dev = makedev(0, 1);
		if (mobj_anon_name(i->mobj, &ino) == NULL)
			ino = 0;
	}
	sb_printf(sb, "%08lx-%08lx %c%c%c%c %08lx %02x:%02x %lu ", (unsigned long)i->start, (unsigned long)i->end,
	    i->prot & PROT_READ ? 'r' : '-', i->prot & PROT_WRITE ? 'w' : '-', i->prot & PROT_EXEC ? 'x' : '-',
	    i->flags & REGION_SHARED ? 's' : 'p', (unsigned long)off, major(dev), minor(dev), (unsigned long)ino);
	if (i->file != NULL || special[0] != '\0' || i->mobj != NULL) {
		while (sb->len - start < NAME_COLUMN && !sb->cut)
			sb_putc(sb, ' ');
		put_name(sb, i, special);
	}
	sb_putc(sb, '\n');
}

static uint64_t
resident(uint32_t prot, uint32_t flags, uint64_t len)
{
	return prot == PROT_NONE || (flags & REGION_NORESERVE) ? 0 : len;
}

static void
put_smaps(struct strbuf *sb, const struct region_info *i)
{
	unsigned long size = (unsigned long)((i->end - i->start) >> 10);
	unsigned long rss = (unsigned long)(resident(i->prot, i->flags, i->end - i->start) >> 10);
	bool shared = i->flags & REGION_SHARED, dirty = i->prot & PROT_WRITE;

	sb_printf(sb, "Size:           %8lu kB\nKernelPageSize:        4 kB\nMMUPageSize:           4 kB\n", size);
	sb_printf(sb, "Rss:            %8lu kB\nPss:            %8lu kB\nPss_Dirty:      %8lu kB\n", rss, rss,
	    dirty ? rss : 0);
	sb_printf(sb, "Shared_Clean:   %8lu kB\nShared_Dirty:   %8lu kB\n", shared && !dirty ? rss : 0,
	    shared && dirty ? rss : 0);
	sb_printf(sb, "Private_Clean:  %8lu kB\nPrivate_Dirty:  %8lu kB\n", !shared && !dirty ? rss : 0,
	    !shared && dirty ? rss : 0);
	sb_printf(sb, "Referenced:     %8lu kB\nAnonymous:      %8lu kB\n", rss, i->mobj == NULL ? rss : 0);
	sb_puts(sb, "LazyFree:              0 kB\nAnonHugePages:         0 kB\nShmemPmdMapped:        0 kB\n"
	    "FilePmdMapped:         0 kB\nShared_Hugetlb:        0 kB\nPrivate_Hugetlb:       0 kB\n"
	    "Swap:                  0 kB\nSwapPss:               0 kB\n");
	sb_printf(sb, "Locked:         %8lu kB\nTHPeligible:           0\n", i->flags & REGION_LOCKED ? rss : 0);
	sb_puts(sb, "VmFlags:");
	sb_puts(sb, i->prot & PROT_READ ? " rd" : "");
	sb_puts(sb, i->prot & PROT_WRITE ? " wr" : "");
	sb_puts(sb, i->prot & PROT_EXEC ? " ex" : "");
	sb_puts(sb, shared ? " sh" : "");
	sb_puts(sb, i->maxprot & PROT_READ ? " mr" : "");
	sb_puts(sb, i->maxprot & PROT_WRITE ? " mw" : "");
	sb_puts(sb, i->maxprot & PROT_EXEC ? " me" : "");
	sb_puts(sb, i->flags & REGION_GROWSDOWN ? " gd" : "");
	sb_puts(sb, i->flags & REGION_LOCKED ? " lo" : "");
	sb_puts(sb, i->flags & REGION_DONTFORK ? " dc" : "");
	sb_puts(sb, i->flags & REGION_NORESERVE ? " nr" : "");
	sb_puts(sb, i->flags & REGION_DONTDUMP ? " dd" : "");
	sb_puts(sb, i->flags & REGION_WIPEONFORK ? " wf" : "");
	sb_puts(sb, " \n");
}

void
mm_print_maps(struct mm *mm, struct strbuf *sb, bool smaps)
{
	uint64_t at = 0;

	while (!sb->cut) {
		struct region_info i;
		const struct region *r;
		char special[96];

		mutex_lock(&mm->mu);
		r = next_joined(mm, at, &i);
		if (r != NULL)
			special_name(mm, r, special, sizeof special);
		mutex_unlock(&mm->mu);
		if (r == NULL)
			return;
		put_line(sb, &i, special);
		if (smaps)
			put_smaps(sb, &i);
		at = i.end;
		file_put(i.file);
		mobj_put(i.mobj);
	}
}

void
mm_sizes(struct mm *mm, struct mm_sizes *out)
{
	mutex_lock(&mm->mu);
	*out = (struct mm_sizes){ .total = mm->total_vm, .locked = mm->locked_vm, .data = mm->data_vm,
		.stack = mm->stack_vm, .peak = mm->peak_vm, .code = mm->end_code - mm->start_code };
	mutex_unlock(&mm->mu);
}

void
mm_rss(struct mm *mm, uint64_t *anon, uint64_t *file, uint64_t *shmem)
{
	*anon = *file = *shmem = 0;
	mutex_lock(&mm->mu);
	for (struct region *r = region_first(mm); r != NULL; r = region_next(r)) {
		uint64_t n = r->flags & (REGION_ABSENT | REGION_PATCHES) ? 0 : resident(r->prot, r->flags, r->end - r->start);

		if (r->mobj == NULL)
			*anon += n;
		else if ((r->flags & REGION_SHARED) && r->file == NULL)
			*shmem += n;
		else
			*file += n;
	}
	mutex_unlock(&mm->mu);
}
