/*
 * fakespace: a host side for tests of sentry/mm: pages in arrays instead of stubs, and the few names
 * of other layers that mm calls.  Included by one test program each.
 */
#ifndef TESTS_UNIT_FAKESPACE_H
#define TESTS_UNIT_FAKESPACE_H

#include <check.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

/* glibc has a struct of the same name. */
#define rlimit64 kernel_rlimit64
#include "sentry/kernel/task.h"
#include "sentry/mm/pages.h"
#include "sentry/mm/region.h"
#include "sentry/mm/usercopy.h"
#include "sentry/vfs/file.h"

#define NPAGES	512
#define WIN	GUEST_BOTTOM
#define WIN_END	(WIN + NPAGES * PAGE_SIZE)

struct fpage {
	bool	present, shared, copied;
	int	prot;
	int64_t	memoff;		/* -1: anonymous */
	char	data[PAGE_SIZE];
};
struct space { struct fpage page[NPAGES]; bool ended; };

static int fake_fail_in;	/* the n-th command from now fails; 0: none */
static bool fake_no_unmap;	/* as at the host's limit, when a mapping would have to be cut */
static unsigned fake_execs, fake_cmds UNUSED, fake_plain UNUSED;
static uint64_t fake_limit[RLIM_COUNT];
struct kernel kernel;

#include "tests/unit/fakestub.h"

/* Other layers. */
uint64_t task_rlimit(struct task *t, int r) { (void)t; return fake_limit[r]; }
bool cred_has_cap(const struct cred *c, int cap) { (void)c; (void)cap; return true; }
void kernel_random(void *buf, size_t n) { memset(buf, 0, n); }
void file_release(struct file *f) { (void)f; }
int path_text(const struct path *p, const struct path *root, bool d, char *buf, size_t size)
{ (void)p; (void)root; (void)d; (void)buf; (void)size; return -ENOENT; }
/* What the stub does to a word: nothing, unless a test says so. */
static int (*fake_cas)(struct ctx *c, uint64_t va, uint32_t old, uint32_t new, uint32_t *seen);
int ctx_cas32(struct ctx *c, uint64_t va, uint32_t old, uint32_t new, uint32_t *seen)
{ return fake_cas != NULL ? fake_cas(c, va, old, new, seen) : -EFAULT; }

int
space_new(struct space **out)
{
	*out = calloc(1, sizeof **out);
	return 0;
}

int
space_fork(struct space *parent, struct space **out)
{
	*out = malloc(sizeof **out);
	memcpy(*out, parent, sizeof **out);
	return 0;
}

void
space_free(struct space *s)
{
	free(s);
}

void
space_end_wait(struct space *s)
{
	s->ended = true;
}

static char *
fake_bytes(struct fpage *p, bool write)
{
	if (p->memoff < 0 || p->copied)
		return p->data;
	if (!p->shared && write) {
		memcpy(p->data, page_ptr((uint64_t)p->memoff), PAGE_SIZE);
		p->copied = true;
		return p->data;
	}
	return page_ptr((uint64_t)p->memoff);
}

static int64_t
fake_move(struct space *s, uint64_t va, char *buf, size_t len, bool write)
{
	size_t done = 0;

	while (done < len) {
		uint64_t at = va + done, n = PAGE_SIZE - at % PAGE_SIZE;
		struct fpage *p;

		if (at < WIN || at >= WIN_END)
			break;
		p = &s->page[(at - WIN) / PAGE_SIZE];
		/* Forced access ignores protections, but never writes what is shared and not writable. */
		if (!p->present || (write && p->shared && !(p->prot & PROT_WRITE)))
			break;
		n = min(n, len - done);
		if (write)
			memcpy(fake_bytes(p, true) + at % PAGE_SIZE, buf + done, n);
		else
			memcpy(buf + done, fake_bytes(p, false) + at % PAGE_SIZE, n);
		done += n;
	}
	return (int64_t)done;
}

/* Bytes of guests, which threads of the test share. */
static pthread_mutex_t fake_bytes_mu = PTHREAD_MUTEX_INITIALIZER;

static int64_t
fake_move_locked(struct space *s, uint64_t va, char *buf, size_t len, bool write)
{
	int64_t n;

	pthread_mutex_lock(&fake_bytes_mu);
	n = fake_move(s, va, buf, len, write);
	pthread_mutex_unlock(&fake_bytes_mu);
	return n;
}

int64_t
space_read(struct space *s, uint64_t va, void *buf, size_t len)
{
	return fake_move_locked(s, va, buf, len, false);
}

int64_t
space_write(struct space *s, uint64_t va, const void *buf, size_t len)
{
	return fake_move_locked(s, va, (char *)(uintptr_t)buf, len, true);
}

static int
fake_mremap(struct space *s, const struct mapcmd *c)
{
	unsigned n = (unsigned)(c->len / PAGE_SIZE), nn = (unsigned)(c->new_len / PAGE_SIZE);
	struct fpage *from = &s->page[(c->va - WIN) / PAGE_SIZE], *to = &s->page[(c->off - WIN) / PAGE_SIZE];

	if (c->off < WIN || c->off + c->new_len > WIN_END)
		return -ENOMEM;
	for (unsigned i = 0; i < n; i++) {
		if (!from[i].present || from[i].prot != from[0].prot ||
		    (from[0].memoff >= 0 ? from[i].memoff != from[0].memoff + (int64_t)(i * PAGE_SIZE) : from[i].memoff >= 0))
			return -EFAULT;
	}
	if (from == to) {
		for (unsigned i = n; i < nn; i++) {
			if (to[i].present)
				return -ENOMEM;
			memset(&to[i], 0, sizeof to[i]);
			to[i].present = true;
			to[i].prot = from[0].prot;
			to[i].memoff = -1;
		}
		return 0;
	}
	for (unsigned i = 0; i < nn; i++) {
		if (i < n) {
			to[i] = from[i];
			from[i].present = false;
			if (c->keep_old) {
				from[i].present = true;
				from[i].copied = false;
				memset(from[i].data, 0, PAGE_SIZE);
			}
		} else {
			memset(&to[i], 0, sizeof to[i]);
			to[i].present = true;
			to[i].prot = to[0].prot;
			to[i].memoff = -1;
		}
	}
	return 0;
}

static int
fake_one(struct space *s, const struct mapcmd *c)
{
	uint64_t end = c->va + c->len;

	ck_assert_uint_eq(c->va % PAGE_SIZE, 0);
	ck_assert_uint_eq(c->len % PAGE_SIZE, 0);
	ck_assert_uint_ne(c->len, 0);
	ck_assert_uint_ge(c->va, GUEST_BOTTOM);
	ck_assert_uint_le(c->va + c->len, GUEST_TOP);
	if (fake_fail_in != 0 && --fake_fail_in == 0)
		return -ENOMEM;
	if (c->op == MAPOP_MUNMAP && fake_no_unmap)
		return -ENOMEM;
	if (c->op == MAPOP_MUNMAP)
		end = min(end, WIN_END);
	if (end > WIN_END)
		return -ENOMEM;
	if (c->op == MAPOP_MREMAP)
		return fake_mremap(s, c);
	for (uint64_t i = 0; c->va + i * PAGE_SIZE < end; i++) {
		struct fpage *p = &s->page[(c->va - WIN) / PAGE_SIZE + i];

		/* The guest may only say it has done this, and keep what may be another's one day. */
		ck_assert(!c->plain || !p->present || p->memoff < 0);
		switch (c->op) {
		case MAPOP_MMAP:
			memset(p, 0, sizeof *p);
			p->present = true;
			p->prot = c->prot;
			p->shared = c->flags & MAP_SHARED;
			p->memoff = c->fd == MAPFD_MEMFILE ? (int64_t)(c->off + i * PAGE_SIZE) : -1;
			break;
		case MAPOP_MUNMAP:
			p->present = false;
			break;
		case MAPOP_MPROTECT:
			if (!p->present)
				return -ENOMEM;
			p->prot = c->prot;
			break;
		default:
			if (!p->present)
				return -ENOMEM;
			if (c->advice == MADV_DONTNEED && !p->shared) {
				p->copied = false;
				memset(p->data, 0, PAGE_SIZE);
			}
		}
	}
	return 0;
}

int
space_exec(struct space *s, struct mapcmd *cmds, unsigned n)
{
	fake_execs++;
	for (unsigned i = 0; i < n; i++) {
		fake_cmds++;
		fake_plain += cmds[i].plain;
		cmds[i].result = fake_one(s, &cmds[i]);
		if (cmds[i].result != 0)
			return (int)cmds[i].result;
	}
	return 0;
}

/* A task with an mm whose mappings lie in the window. */
static struct task fake_task;

static struct mm *
fake_mm(void)
{
	static bool booted;
	struct mm *mm;

	for (unsigned i = 0; i < RLIM_COUNT; i++)
		fake_limit[i] = UINT64_MAX;
	fake_limit[RLIMIT_STACK] = 64 * PAGE_SIZE;
	if (!booted) {
		int fd = memfd_create("memory", 0);

		ck_assert_int_eq(ftruncate(fd, 64 << 20), 0);
		ck_assert_int_eq(pages_boot(fd, 64 << 20), 0);
		booted = true;
	}
	ck_assert_int_eq(mm_new(&mm), 0);
	mm->mmap_top = WIN_END;
	fake_task.mm = mm;
	mm_set_limits(mm, &fake_task);
	return mm;
}

/* Check makes a system call for each of its assertions; of these there are millions. */
#define FAKE_ASSERT(c)	do { if (!(c)) ck_abort_msg("not so: %s", #c); } while (0)

/* Every page: the host has what the regions say, and nothing else. */
static UNUSED void
fake_check(struct mm *mm)
{
	uint64_t total = 0;
	struct region *prev = NULL;

	mutex_lock(&mm->mu);
	for (struct region *r = region_first(mm); r != NULL; prev = r, r = region_next(r)) {
		FAKE_ASSERT(r->start < r->end && (prev == NULL || prev->end <= r->start));
		FAKE_ASSERT(prev == NULL || prev->flags != r->flags || !region_continues(prev, r));
		total += r->end - r->start;
	}
	FAKE_ASSERT(total == mm->total_vm);
	for (uint64_t i = 0; i < NPAGES; i++) {
		uint64_t va = WIN + i * PAGE_SIZE;
		const struct region *r = mm_find_locked(mm, va);
		const struct fpage *p = &mm->space->page[i];

		FAKE_ASSERT(p->present == (r != NULL && !(r->flags & REGION_ABSENT)));
		if (!p->present)
			continue;
		FAKE_ASSERT(p->prot == (int)r->prot);
		FAKE_ASSERT(p->shared == ((r->flags & REGION_SHARED) != 0));
		FAKE_ASSERT((p->memoff >= 0) == (r->mobj != NULL));
	}
	mutex_unlock(&mm->mu);
}

#endif
