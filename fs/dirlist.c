/* dirlist: see dirlist.h. */
#include "fs/dirlist.h"

#include <string.h>

#include "base/kmem.h"
#include "fs/fs.h"
#include "sentry/vfs/file.h"

#define TEXT_MAX	(64u << 20)	/* bytes of names in one directory */
#define DOTS		2		/* positions before the first entry */

KMEM_CACHE(dirlist);

struct dirlist *
dirlist_new(void)
{
	struct dirlist *l = obj_new(dirlist);

	if (l != NULL)
		atomic_init(&l->refs, 1);
	return l;
}

struct dirlist *
dirlist_get(struct dirlist *l)
{
	if (l != NULL)
		atomic_fetch_add_explicit(&l->refs, 1, memory_order_relaxed);
	return l;
}

void
dirlist_put(struct dirlist *l)
{
	if (l == NULL || atomic_fetch_sub_explicit(&l->refs, 1, memory_order_acq_rel) != 1)
		return;
	mem_free(l->entries);
	mem_free(l->text);
	obj_free(dirlist, l);
}

int
dirlist_add(struct dirlist *l, const char *name, size_t len, uint64_t ino, uint8_t dtype)
{
	if (len > UINT16_MAX)
		return -ENAMETOOLONG;
	if (l->count == l->cap) {
		uint32_t cap = l->cap ? l->cap * 2 : 64;
		void *p = mem_realloc(l->entries, (size_t)cap * sizeof *l->entries);

		if (p == NULL)
			return -ENOMEM;
		l->entries = p;
		l->cap = cap;
	}
	while (l->text_cap - l->text_len < len) {
		uint32_t cap = l->text_cap ? l->text_cap * 2 : 1024;
		void *p = cap > TEXT_MAX ? NULL : mem_realloc(l->text, cap);

		if (p == NULL)
			return -ENOMEM;
		l->text = p;
		l->text_cap = cap;
	}
	memcpy(l->text + l->text_len, name, len);
	l->entries[l->count++] = (struct dirlist_entry){ .ino = ino, .name = l->text_len,
	    .len = (uint16_t)len, .dtype = dtype };
	l->text_len += (uint32_t)len;
	return 0;
}

void
dirlist_emit(const struct dirlist *l, struct file *f, struct dirsink *d)
{
	if (!dir_emit_dots(f, d))
		return;
	while (f->pos >= DOTS && (uint64_t)(f->pos - DOTS) < l->count) {
		const struct dirlist_entry *e = &l->entries[f->pos - DOTS];

		if (!d->emit(d, l->text + e->name, e->len, e->ino, e->dtype, f->pos + 1))
			return;
		f->pos++;
	}
}
