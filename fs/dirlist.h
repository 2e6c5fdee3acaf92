/*
 * dirlist: the names of a directory at one moment; immutable once built, and shared.
 *
 * An open directory reads from one, so that its positions mean the same whatever is made or
 * removed meanwhile.
 */
#ifndef FS_DIRLIST_H
#define FS_DIRLIST_H

#include "base/base.h"

struct dirsink;
struct file;

struct dirlist_entry {
	uint64_t	ino;
	uint32_t	name;		/* offset in text */
	uint16_t	len;
	uint8_t		dtype;
};
struct dirlist {
	_Atomic uint32_t refs;
	uint32_t	 count, cap;
	uint32_t	 text_len, text_cap;
	struct dirlist_entry *entries;
	char		*text;
};

struct dirlist *dirlist_new(void);		/* NULL: no memory */
struct dirlist *dirlist_get(struct dirlist *l);	/* NULL is fine, here and below */
void dirlist_put(struct dirlist *l);
int dirlist_add(struct dirlist *l, const char *name, size_t len, uint64_t ino, uint8_t dtype) MUST_CHECK;
/* "." and ".." and then the list, from f->pos; advances it. */
void dirlist_emit(const struct dirlist *l, struct file *f, struct dirsink *d);

#endif
