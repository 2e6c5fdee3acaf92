/*
 * kmem: typed object caches.
 *
 * Memory of one type is never reused for another, so a stale pointer can only
 * ever meet an object of its own type.  Debug builds poison freed objects.
 * A cache is a static object that registers itself at its first allocation.
 * Objects come zeroed.  Locks: kmem (leaf).
 *
 *	KMEM_CACHE(eventfd);			at file scope
 *	struct eventfd *e = obj_new(eventfd);	NULL when memory is out
 *	obj_free(eventfd, e);
 */
#ifndef BASE_KMEM_H
#define BASE_KMEM_H

#include "base/list.h"
#include "base/lock.h"

struct kmem_cache {
	const char	*name;		/* [I] */
	size_t		 size;		/* [I] of one object */
	struct mutex	 mu;
	void		*free;		/* [m] chain of free objects */
	char		*bump, *bump_end; /* [m] the part of the last slab not yet used */
	uint64_t	 live, total;	/* [m] objects handed out; objects ever carved */
	bool		 registered;	/* [m] */
	struct kmem_cache *next;	/* chain of all caches */
};

#define KMEM_CACHE(type) static struct kmem_cache type##_cache = {	\
	.name = #type, .size = sizeof(struct type), .mu = MUTEX_INIT(RANK_kmem) }
#define obj_new(type)		((struct type *)kmem_alloc(&type##_cache))
#define obj_free(type, p)	kmem_free(&type##_cache, (p))

void *kmem_alloc(struct kmem_cache *c);
void kmem_free(struct kmem_cache *c, void *obj);	/* NULL is fine */
/* Calls fn for each cache that was ever used. */
void kmem_each(void (*fn)(const struct kmem_cache *c, void *arg), void *arg);

/* Variable-sized memory (names, tables): power-of-two caches, larger ones mapped. Zeroed. */
void *mem_alloc(size_t size) MUST_CHECK;
/* Not zeroed: for buffers whose reader never looks further than was written. */
void *mem_alloc_dirty(size_t size) MUST_CHECK;
void *mem_realloc(void *p, size_t size) MUST_CHECK;	/* NULL on failure, p kept */
void mem_free(void *p);
char *mem_strdup(const char *s) MUST_CHECK;

#endif
