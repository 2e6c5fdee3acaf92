/*
 * kmem: typed caches over mapped slabs; see kmem.h.
 *
 * A slab is carved once and never given back, so an address that ever held a type holds
 * it for good.  Free objects are chained through their first word; debug builds fill the
 * rest with a pattern and check it on reuse.  Sanitizer builds have no slabs.
 */
#include "base/kmem.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/fault.h"
#include "base/hostcall.h"
#include "base/sanitize.h"

#define SLAB_SIZE	(64 * 1024ULL)
#define POISON		0x6b
#define OBJ_ALIGN	16

static _Atomic(struct kmem_cache *) all_caches;

static void
cache_register(struct kmem_cache *c)
{
	struct kmem_cache *head = atomic_load(&all_caches);

	__atomic_store_n(&c->registered, true, __ATOMIC_RELAXED);
	do {
		c->next = head;
	} while (!atomic_compare_exchange_weak(&all_caches, &head, c));
}

#if SANITIZE
/*
 * The sanitizers' own allocator knows who freed an object, and its threads do not meet at a mutex of ours,
 * which would hide what races.  size is what was asked for.
 */
static void *
cache_get(struct kmem_cache *c, size_t size, bool clear)
{
	void *obj;

	if (!__atomic_load_n(&c->registered, __ATOMIC_RELAXED)) {
		mutex_lock(&c->mu);
		if (!c->registered)
			cache_register(c);
		mutex_unlock(&c->mu);
	}
	__atomic_fetch_add(&c->live, 1, __ATOMIC_RELAXED);
	__atomic_fetch_add(&c->total, 1, __ATOMIC_RELAXED);
	if (posix_memalign(&obj, OBJ_ALIGN, size) != 0)
		return NULL;
	return clear ? memset(obj, 0, size) : obj;
}

static void
cache_put(struct kmem_cache *c, void *obj)
{
	__atomic_fetch_sub(&c->live, 1, __ATOMIC_RELAXED);
	free(obj);
}
#else
static size_t
stride(const struct kmem_cache *c)
{
	return round_up(max(c->size, sizeof(void *)), OBJ_ALIGN);
}

/* Makes room to carve one object; c->mu is held. */
static int
slab_grow(struct kmem_cache *c)
{
	size_t len = max(SLAB_SIZE, page_up(stride(c)));
	void *slab;
	int err = host_mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0, &slab);

	if (err)
		return err;
	c->bump = slab;
	c->bump_end = c->bump + len;
	return 0;
}

static void *
cache_get(struct kmem_cache *c, size_t unused, bool clear)
{
	size_t size = stride(c);
	void *obj = NULL;
	bool fresh = false;

	(void)unused;
	mutex_lock(&c->mu);
	if (!c->registered)
		cache_register(c);
	if (c->free != NULL) {
		obj = c->free;
		memcpy(&c->free, obj, sizeof(void *));
	} else if ((size_t)(c->bump_end - c->bump) >= size || slab_grow(c) == 0) {
		obj = c->bump;
		c->bump += size;
		c->total++;
		fresh = true;
	}
	if (obj != NULL)
		c->live++;
	mutex_unlock(&c->mu);
	if (obj == NULL || fresh)
		return obj;
#ifndef NDEBUG
	/* A write through a stale pointer shows here. */
	for (size_t i = sizeof(void *); i < size; i++)
		BUG_ON(((unsigned char *)obj)[i] != POISON);
#endif
	return clear ? memset(obj, 0, size) : obj;
}

static void
cache_put(struct kmem_cache *c, void *obj)
{
#ifndef NDEBUG
	memset(obj, POISON, stride(c));
#endif
	mutex_lock(&c->mu);
	BUG_ON(c->live == 0);
	memcpy(obj, &c->free, sizeof(void *));
	c->free = obj;
	c->live--;
	mutex_unlock(&c->mu);
}
#endif

void *
kmem_alloc(struct kmem_cache *c)
{
	return fault_here(FAULT_ALLOC) ? NULL : cache_get(c, c->size, true);
}

void
kmem_free(struct kmem_cache *c, void *obj)
{
	if (obj != NULL)
		cache_put(c, obj);
}

void
kmem_each(void (*fn)(const struct kmem_cache *c, void *arg), void *arg)
{
	for (struct kmem_cache *c = atomic_load(&all_caches); c != NULL; c = c->next)
		fn(c, arg);
}

/*
 * Variable sizes: a header says which cache, or how much was mapped.  Sizes above the
 * largest cache are mapped by themselves and given back to the host when freed, but for a
 * few of the sizes that calls use as buffers: mapping, faulting in and unmapping those costs
 * more than the call, and stops every other thread of ours for a moment.
 */
struct mem_head {
	uint64_t	size;		/* usable bytes */
	uint64_t	check;		/* address-dependent: a stray free is caught */
};

#define MEM_CHECK(h)	(0x76696c6c61676531ULL ^ (uint64_t)(uintptr_t)(h))
#define MEM_MIN_SHIFT	5
#define MEM_MAX_SHIFT	15

#define MEM_CACHE(n)	[(n) - MEM_MIN_SHIFT] = {			\
	.name = "mem-" #n, .size = 1ULL << (n), .mu = MUTEX_INIT(RANK_kmem) }
static struct kmem_cache mem_caches[] = {
	MEM_CACHE(5), MEM_CACHE(6), MEM_CACHE(7), MEM_CACHE(8), MEM_CACHE(9), MEM_CACHE(10),
	MEM_CACHE(11), MEM_CACHE(12), MEM_CACHE(13), MEM_CACHE(14), MEM_CACHE(15),
};

static struct kmem_cache *
cache_for(size_t total)
{
	unsigned shift = MEM_MIN_SHIFT;

	while ((1ULL << shift) < total)
		shift++;
	return &mem_caches[shift - MEM_MIN_SHIFT];
}

#define LARGE_KEPT	8
#define LARGE_MAX	(80 * 1024ULL)

static struct {
	struct mutex	mu;
	unsigned	n;			/* [m] */
	struct large {
		void	*p;
		size_t	len;
	} kept[LARGE_KEPT];			/* [m] */
} large = { .mu = MUTEX_INIT(RANK_kmem) };

/* len bytes, whole pages; the last one freed is the first one used, while it is in the processor's cache. */
static void *
large_get(size_t len, bool clear)
{
	void *p = NULL;

	mutex_lock(&large.mu);
	for (unsigned i = large.n; i-- > 0 && p == NULL; ) {
		if (large.kept[i].len == len) {
			p = large.kept[i].p;
			large.n--;
			memmove(&large.kept[i], &large.kept[i + 1], (large.n - i) * sizeof large.kept[0]);
		}
	}
	mutex_unlock(&large.mu);
	if (p != NULL)
		return clear ? memset(p, 0, len) : p;
	if (host_mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0, &p) != 0)
		return NULL;
	return p;
}

static void
large_put(void *p, size_t len)
{
	struct large old = { p, len };

	/* A sanitizer sees uses after the end only of what is gone. */
	if (!SANITIZE && len <= LARGE_MAX) {
		mutex_lock(&large.mu);
		if (large.n < LARGE_KEPT) {
			large.kept[large.n++] = old;
			old.p = NULL;
		} else {
			/* The oldest goes: sizes that nobody asks for again must not fill the places. */
			old = large.kept[0];
			memmove(&large.kept[0], &large.kept[1], (LARGE_KEPT - 1) * sizeof old);
			large.kept[LARGE_KEPT - 1] = (struct large){ p, len };
		}
		mutex_unlock(&large.mu);
	}
	if (old.p != NULL)
		BUG_ON(host_munmap(old.p, old.len) != 0);
}

static void *
mem_get(size_t size, bool clear)
{
	struct mem_head *h;
	size_t total;

	if (ckd_add(&total, size, sizeof *h))
		return NULL;
	if (total <= 1ULL << MEM_MAX_SHIFT) {
		h = fault_here(FAULT_ALLOC) ? NULL : cache_get(cache_for(total), total, clear);
	} else {
		if (total > SIZE_MAX / 2 || fault_here(FAULT_ALLOC))
			return NULL;
		h = large_get(page_up(total), clear);
	}
	if (h == NULL)
		return NULL;
	h->size = size;
	h->check = MEM_CHECK(h);
	return h + 1;
}

void *
mem_alloc(size_t size)
{
	return mem_get(size, true);
}

void *
mem_alloc_dirty(size_t size)
{
	return mem_get(size, false);
}

void
mem_free(void *p)
{
	struct mem_head *h;
	size_t total;

	if (p == NULL)
		return;
	h = (struct mem_head *)p - 1;
	BUG_ON(h->check != MEM_CHECK(h));
	h->check = 0;
	total = h->size + sizeof *h;
	if (total <= 1ULL << MEM_MAX_SHIFT)
		kmem_free(cache_for(total), h);
	else
		large_put(h, page_up(total));
}

void *
mem_realloc(void *p, size_t size)
{
	struct mem_head *h;
	void *fresh;

	if (p == NULL)
		return mem_alloc(size);
	h = (struct mem_head *)p - 1;
	BUG_ON(h->check != MEM_CHECK(h));
	fresh = mem_alloc(size);
	if (fresh == NULL)
		return NULL;
	memcpy(fresh, p, min(size, (size_t)h->size));
	mem_free(p);
	return fresh;
}

char *
mem_strdup(const char *s)
{
	size_t n = strlen(s) + 1;
	char *copy = mem_alloc(n);

	if (copy != NULL)
		memcpy(copy, s, n);
	return copy;
}

void
auto_free(void *pp)
{
	void *p;

	memcpy(&p, pp, sizeof p);
	mem_free(p);
}

void
auto_close(const int *fd)
{
	if (*fd >= 0)
		(void)host_close(*fd);
}
