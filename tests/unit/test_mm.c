/* Regions against a fake host: random operations compared with a page model, failures at every command, and edges. */
#include "tests/unit/fakespace.h"

#define ANON	(MAP_PRIVATE | MAP_ANONYMOUS)
#define RW	(PROT_READ | PROT_WRITE)
#define AT(page) (WIN + (uint64_t)(page) * PAGE_SIZE)

static struct mm *mm;

/* An object of a size that changes, in scattered pages of the memory file. */
struct tobj { struct mobj mobj; uint64_t npages; uint64_t off[64]; bool lasting; };
static unsigned tobjs_freed;

static int
tobj_backing(struct mobj *o, uint64_t off, uint64_t len, bool write, struct backing *out)
{
	struct tobj *t = container_of(o, struct tobj, mobj);
	uint64_t i = off / PAGE_SIZE, n;

	(void)write;
	out->fd = MAPFD_MEMFILE;
	out->lasting = t->lasting;
	out->len = 0;
	if (i >= t->npages)
		return 0;
	out->off = t->off[i];
	for (n = 1; n < len / PAGE_SIZE && i + n < t->npages && t->off[i + n] == out->off + n * PAGE_SIZE; n++)
		;
	out->len = n * PAGE_SIZE;
	return 0;
}

static void
tobj_free(struct mobj *o)
{
	struct tobj *t = container_of(o, struct tobj, mobj);

	for (unsigned i = 0; i < 64; i++)
		pages_free(t->off[i], PAGE_SIZE);
	mutex_fini(&o->mu);
	free(t);
	tobjs_freed++;
}

static const struct mobj_ops tobj_ops = { .name = "test", .backing = tobj_backing, .free = tobj_free };

static struct tobj *
tobj_new(uint64_t npages)
{
	struct tobj *t = calloc(1, sizeof *t);

	mobj_init(&t->mobj, &tobj_ops);
	t->npages = npages;
	for (unsigned i = 0; i < 64; i++)
		ck_assert_int_eq(pages_alloc(PAGE_SIZE, &t->off[i]), 0);
	/* Some neighbours out of order. */
	for (unsigned i = 3; i + 1 < 64; i += 5) {
		uint64_t x = t->off[i];

		t->off[i] = t->off[i + 1];
		t->off[i + 1] = x;
	}
	return t;
}

static int64_t
map(uint64_t addr, uint64_t pages, uint32_t prot, uint32_t flags, struct tobj *o, uint64_t off)
{
	struct mmap_args a = { .addr = addr, .len = pages * PAGE_SIZE, .off = off * PAGE_SIZE, .prot = prot,
	    .flags = flags, .mobj = o ? &o->mobj : NULL, .maxprot = 7 };

	return mm_map(mm, &a);
}

static void
poke(uint64_t va, char c)
{
	ck_assert_int_eq(copy_out(&fake_task, gaddr_from(va), &c, 1), 0);
}

static int
peek(uint64_t va)
{
	char c;

	return copy_in(&fake_task, &c, gaddr_from(va), 1) ? -1 : c;
}

static void
setup(void)
{
	mm = fake_mm();
}

static void
teardown(void)
{
	fake_fail_in = 0;
	fake_check(mm);
	mm_put(mm);
	ck_assert_uint_eq(ref_census(OBJ_mm), 0);
	ck_assert_uint_eq(ref_census(OBJ_mobj), 0);
	ck_assert_uint_eq(pages_used(), 0);
}

START_TEST(places)
{
	int64_t a = map(0, 4, RW, ANON, NULL, 0), b;

	ck_assert_int_eq(a, (int64_t)(WIN_END - 4 * PAGE_SIZE));
	b = map(0, 2, RW, ANON, NULL, 0);
	ck_assert_int_eq(b, a - (int64_t)(2 * PAGE_SIZE));
	ck_assert_uint_eq(mm->regions.count, 1);	/* merged */
	ck_assert_int_eq(mm_unmap(mm, (uint64_t)a, PAGE_SIZE), 0);
	ck_assert_int_eq(map(0, 1, RW, ANON, NULL, 0), a);
	ck_assert_int_eq(map((uint64_t)a, 1, RW, ANON | MAP_FIXED_NOREPLACE, NULL, 0), -EEXIST);
	ck_assert_int_eq(map(AT(7), 1, RW, ANON, NULL, 0), (int64_t)AT(7));
	ck_assert_int_eq(map(AT(7) + 1, 1, RW, ANON | MAP_FIXED, NULL, 0), -EINVAL);
	ck_assert_int_eq(map(0, 1, RW, ANON | MAP_FIXED, NULL, 0), -EPERM);
	ck_assert_int_eq(map(GUEST_TOP - PAGE_SIZE, 2, RW, ANON | MAP_FIXED, NULL, 0), -ENOMEM);
	ck_assert_int_eq(map(0, 0, RW, ANON, NULL, 0), -EINVAL);
	ck_assert_int_eq(map(0, UINT64_MAX / PAGE_SIZE, RW, ANON, NULL, 0), -ENOMEM);
	ck_assert_int_eq(map(0, 1, RW, MAP_ANONYMOUS, NULL, 0), -EINVAL);
	ck_assert_int_eq(mm_unmap(mm, 1, PAGE_SIZE), -EINVAL);
	ck_assert_int_eq(mm_unmap(mm, AT(1), 0), -EINVAL);
	ck_assert_int_eq(mm_unmap(mm, GUEST_TOP, PAGE_SIZE), -EINVAL);
	ck_assert_int_eq(mm_unmap(mm, 0, GUEST_TOP), 0);
	ck_assert_uint_eq(mm->regions.count, 0);
}
END_TEST

/* As exec does: nothing until mm_send, then all of it, and its error. */
START_TEST(held_back)
{
	unsigned before = fake_execs;

	ck_assert_int_eq(mm_hold(mm), 0);
	for (unsigned i = 0; i < 12; i++)
		ck_assert_int_eq(map(AT(10 * i), 2, RW, ANON | MAP_FIXED, NULL, 0), (int64_t)AT(10 * i));
	ck_assert_int_eq(mm_unmap(mm, AT(20), 2 * PAGE_SIZE), 0);
	ck_assert_uint_eq(fake_execs, before);
	ck_assert_int_eq(mm_send(mm), 0);
	ck_assert_uint_eq(fake_execs, before + 1);
	poke(AT(10), 'x');
	ck_assert_int_eq(peek(AT(20)), -1);
	ck_assert_int_eq(mm_send(mm), 0);
	ck_assert_uint_eq(fake_execs, before + 1);
	/* One that is given up before it was sent. */
	mm_put(mm);
	mm = fake_mm();
	ck_assert_int_eq(mm_hold(mm), 0);
	ck_assert_int_eq(map(AT(10), 2, RW, ANON | MAP_FIXED, NULL, 0), (int64_t)AT(10));
	fake_fail_in = 1;
	ck_assert_int_lt(mm_send(mm), 0);
	fake_fail_in = 0;
	ck_assert_int_eq(mm_hold(mm), 0);
	ck_assert_int_eq(mm_unmap(mm, AT(10), 2 * PAGE_SIZE), 0);
}
END_TEST

START_TEST(protections)
{
	map(AT(10), 8, RW, ANON | MAP_FIXED, NULL, 0);
	poke(AT(12), 'x');
	ck_assert_int_eq(mm_protect(mm, AT(12), PAGE_SIZE, PROT_READ, false), 0);
	ck_assert_uint_eq(mm->regions.count, 3);
	ck_assert_int_eq(copy_out(&fake_task, gaddr_from(AT(12)), "y", 1), -EFAULT);
	ck_assert_int_eq(peek(AT(12)), 'x');
	ck_assert_int_eq(mm_protect(mm, AT(13), PAGE_SIZE, PROT_NONE, false), 0);
	ck_assert_int_eq(peek(AT(13)), -1);
	ck_assert_int_eq(mm_protect(mm, AT(17), 2 * PAGE_SIZE, PROT_READ, false), -ENOMEM);
	ck_assert_int_eq(mm_protect(mm, AT(10), 8 * PAGE_SIZE, RW, false), 0);
	ck_assert_uint_eq(mm->regions.count, 1);
	/* across the boundary a copy goes as far as it may */
	char buf[3 * PAGE_SIZE];
	ck_assert_int_eq(copy_in_some(mm, buf, gaddr_from(AT(17)), sizeof buf), (int64_t)PAGE_SIZE);
	ck_assert_int_eq(copy_in_some(mm, buf, gaddr_from(AT(18)), sizeof buf), -EFAULT);
	ck_assert_int_eq(copy_in_some(mm, buf, gaddr_from(UINT64_MAX - 5), sizeof buf), -EFAULT);
	ck_assert_int_eq(copy_in_some(mm, buf, gaddr_from(0xffff800000000000), 1), -EFAULT);
	/* a string that ends at the last byte, and one that does not */
	poke(AT(18) - 3, 'a');
	poke(AT(18) - 2, 'b');
	ck_assert_int_eq(copy_in_str(&fake_task, buf, gaddr_from(AT(18) - 3), sizeof buf), 2);
	poke(AT(18) - 1, 'c');
	ck_assert_int_eq(copy_in_str(&fake_task, buf, gaddr_from(AT(18) - 3), sizeof buf), -EFAULT);
	ck_assert_int_eq(copy_in_str(&fake_task, buf, gaddr_from(AT(18) - 3), 3), -ENAMETOOLONG);
}
END_TEST

/* Reserved memory that is made accessible is mapped again, unless something may be there. */
START_TEST(reserved)
{
	char c = 'd';

	map(AT(10), 8, PROT_NONE, ANON | MAP_FIXED, NULL, 0);
	ck_assert_int_eq(mm_protect(mm, AT(11), 2 * PAGE_SIZE, RW, false), 0);
	poke(AT(11), 'x');
	ck_assert_int_eq(mm_protect(mm, AT(11), PAGE_SIZE, PROT_NONE, false), 0);
	ck_assert_int_eq(mm_protect(mm, AT(10), 8 * PAGE_SIZE, RW, false), 0);
	ck_assert_int_eq(peek(AT(11)), 'x');
	ck_assert_uint_eq(mm->regions.count, 1);
	/* A debugger writes where nobody else may. */
	map(AT(30), 4, PROT_NONE, ANON | MAP_FIXED, NULL, 0);
	ck_assert_int_eq(copy_force(mm, gaddr_from(AT(31)), &c, 1, true), 1);
	ck_assert_int_eq(mm_protect(mm, AT(30), 4 * PAGE_SIZE, RW, false), 0);
	ck_assert_int_eq(peek(AT(31)), 'd');
	/* A failure in the middle, and another thread that was faster than it. */
	map(AT(40), 1, PROT_NONE, ANON | MAP_FIXED, NULL, 0);
	map(AT(41), 1, PROT_READ, ANON | MAP_FIXED, NULL, 0);
	fake_fail_in = 2;
	ck_assert_int_eq(mm_protect(mm, AT(40), 2 * PAGE_SIZE, RW, false), -ENOMEM);
	fake_fail_in = 0;
	ck_assert_int_eq(space_write(mm->space, AT(40), "t", 1), 1);
	ck_assert_int_eq(mm_protect(mm, AT(40), 2 * PAGE_SIZE, RW, false), 0);
	ck_assert_int_eq(peek(AT(40)), 't');
}
END_TEST

/* What a guest's own thread may be trusted with: everything but pages of the memory file (fakespace looks at each). */
START_TEST(plain)
{
	struct tobj *o = tobj_new(10);
	unsigned before = fake_plain;

	map(AT(10), 8, RW, ANON | MAP_FIXED, NULL, 0);
	map(AT(30), 8, PROT_READ, MAP_SHARED | MAP_FIXED, o, 0);
	before = fake_plain;
	ck_assert_int_eq(mm_protect(mm, AT(10), PAGE_SIZE, PROT_READ, false), 0);
	ck_assert_int_eq(mm_advise(mm, AT(12), PAGE_SIZE, MADV_DONTNEED), 0);
	ck_assert_int_eq(mm_unmap(mm, AT(10), 2 * PAGE_SIZE), 0);
	ck_assert_uint_eq(fake_plain, before + 3);
	ck_assert_int_eq(mm_protect(mm, AT(30), PAGE_SIZE, PROT_NONE, false), 0);
	map(AT(31), 1, RW, ANON | MAP_FIXED, NULL, 0);
	ck_assert_int_eq(mm_unmap(mm, AT(16), 20 * PAGE_SIZE), 0);
	ck_assert_uint_eq(fake_plain, before + 3);
	map(AT(30), 4, RW, ANON | MAP_FIXED, NULL, 0);
	ck_assert_uint_eq(fake_plain, before + 4);
	mobj_put(&o->mobj);
}
END_TEST

/* Pages that are never freed, like those of the vDSO, make no process wait at its end. */
START_TEST(lasting)
{
	struct tobj *o = tobj_new(10);

	o->lasting = true;
	map(AT(30), 4, PROT_READ, MAP_PRIVATE | MAP_FIXED, o, 0);
	ck_assert(!mm->has_shared);
	o->lasting = false;
	map(AT(40), 4, PROT_READ, MAP_PRIVATE | MAP_FIXED, o, 0);
	ck_assert(mm->has_shared);
	ck_assert(is_plain(mm, AT(30), AT(34)) && !is_plain(mm, AT(30), AT(41)));
	ck_assert_int_eq(mm_unmap(mm, AT(40), 4 * PAGE_SIZE), 0);
	mobj_put(&o->mobj);
}
END_TEST

START_TEST(limits)
{
	fake_limit[RLIMIT_AS] = 10 * PAGE_SIZE;
	mm_set_limits(mm, &fake_task);
	ck_assert_int_eq(map(0, 11, RW, ANON, NULL, 0), -ENOMEM);
	ck_assert_int_ge(map(AT(20), 10, PROT_READ, ANON | MAP_FIXED, NULL, 0), 0);
	/* replacing counts what it replaces */
	ck_assert_int_ge(map(AT(20), 10, RW, ANON | MAP_FIXED, NULL, 0), 0);
	fake_limit[RLIMIT_AS] = UINT64_MAX;
	fake_limit[RLIMIT_DATA] = 12 * PAGE_SIZE;
	mm_set_limits(mm, &fake_task);
	ck_assert_int_eq(map(0, 3, RW, ANON, NULL, 0), -ENOMEM);
	ck_assert_int_ge(map(AT(40), 3, PROT_READ, ANON | MAP_FIXED, NULL, 0), 0);
	ck_assert_int_eq(mm_protect(mm, AT(40), 3 * PAGE_SIZE, RW, false), -ENOMEM);
	ck_assert_int_eq(mm_protect(mm, AT(40), 2 * PAGE_SIZE, RW, false), 0);
}
END_TEST

START_TEST(heap)
{
	mm->brk_start = mm->brk = AT(30) + 100;
	ck_assert_int_eq(mm_brk(mm, 0), (int64_t)AT(30) + 100);
	ck_assert_int_eq(mm_brk(mm, AT(33) + 5), (int64_t)AT(33) + 5);
	poke(AT(33), 'h');
	ck_assert_int_eq(mm_brk(mm, AT(31)), (int64_t)AT(31));
	ck_assert_int_eq(peek(AT(33)), -1);
	ck_assert_int_eq(mm_brk(mm, AT(34)), (int64_t)AT(34));
	ck_assert_int_eq(peek(AT(33)), 0);
	ck_assert_uint_eq(mm->regions.count, 1);
	map(AT(36), 1, RW, ANON | MAP_FIXED, NULL, 0);
	ck_assert_int_eq(mm_brk(mm, AT(36)), (int64_t)AT(34));
	ck_assert_int_eq(mm_brk(mm, AT(35)), (int64_t)AT(35));
	ck_assert_int_eq(mm_brk(mm, AT(30)), (int64_t)AT(35));
}
END_TEST

START_TEST(stacks)
{
	struct mmap_args a = { .addr = AT(400), .len = 2 * PAGE_SIZE, .prot = RW, .flags = ANON | MAP_FIXED,
	    .region_flags = REGION_GROWSDOWN, .maxprot = 7 };
	int signo, code;

	ck_assert_int_ge(mm_map(mm, &a), 0);
	ck_assert_int_eq(mm_fault(mm, AT(390), PROT_WRITE, &signo, &code), 0);
	ck_assert_int_eq(peek(AT(390)), 0);
	ck_assert_uint_eq(mm->regions.count, 1);
	ck_assert_int_eq(mm_fault(mm, AT(402 - 64), PROT_WRITE, &signo, &code), 0);
	ck_assert_int_eq(mm_fault(mm, AT(402 - 65), PROT_WRITE, &signo, &code), -EFAULT);
	ck_assert(signo == SIGSEGV && code == SEGV_MAPERR);
	/* a copy grows it as well; and keeps away from what lies below */
	ck_assert_int_eq(mm_unmap(mm, AT(330), 70 * PAGE_SIZE), 0);
	map(AT(100), 1, RW, ANON | MAP_FIXED, NULL, 0);
	ck_assert_int_eq(peek(AT(399)), 0);
	map(AT(200), 1, RW, ANON | MAP_FIXED, NULL, 0);
	ck_assert_int_eq(peek(AT(398)), -1);
	/* no mapping without an address comes that near */
	ck_assert_int_eq(map(0, NPAGES - 401, RW, ANON, NULL, 0) / (int64_t)PAGE_SIZE < (int64_t)(AT(143) / PAGE_SIZE), 1);
}
END_TEST

START_TEST(objects)
{
	struct tobj *o = tobj_new(5);
	int signo, code;
	char buf[8];

	ck_assert_int_ge(map(AT(50), 8, RW, MAP_SHARED | MAP_FIXED, o, 0), 0);
	ck_assert_int_ge(map(AT(60), 8, RW, MAP_PRIVATE | MAP_FIXED, o, 0), 0);
	poke(AT(51), 's');
	ck_assert_int_eq(peek(AT(61)), 's');
	poke(AT(61), 'p');
	ck_assert_int_eq(peek(AT(51)), 's');
	ck_assert_int_eq(peek(AT(55)), -1);
	ck_assert_int_eq(mm_fault(mm, AT(55), PROT_READ, &signo, &code), -EFAULT);
	ck_assert(signo == SIGBUS && code == BUS_ADRERR);
	fake_check(mm);
	/* it grows: the pages come by themselves */
	o->npages = 7;
	poke(AT(56), 'g');
	ck_assert_int_eq(peek(AT(66)), 'g');
	fake_check(mm);
	/* it shrinks: gone everywhere, private copies too */
	o->npages = 1;
	mobj_invalidate(&o->mobj, PAGE_SIZE, UINT64_MAX);
	fake_check(mm);
	ck_assert_int_eq(peek(AT(61)), -1);
	ck_assert_int_eq(copy_in_some(mm, buf, gaddr_from(AT(51) - 4), 8), 4);
	ck_assert_int_eq(mm_protect(mm, AT(50), 8 * PAGE_SIZE, PROT_READ, false), 0);
	o->npages = 8;
	ck_assert_int_eq(peek(AT(57)), 0);
	fake_check(mm);
	ck_assert_int_eq(mm_unmap(mm, AT(52), 2 * PAGE_SIZE), 0);
	/* a futex word in it is known by the object */
	struct futex_key k;
	ck_assert_int_eq(futex_key_get(&fake_task, gaddr_from(AT(54) + 4), false, &k), 0);
	ck_assert(k.mm == NULL && k.obj == o->mobj.id && k.off == 4 * PAGE_SIZE + 4);
	ck_assert_int_eq(futex_key_get(&fake_task, gaddr_from(AT(64) + 4), false, &k), 0);
	ck_assert(k.mm == mm && k.obj == 0 && k.off == AT(64) + 4);
	mobj_put(&o->mobj);
}
END_TEST

START_TEST(moves)
{
	struct tobj *o = tobj_new(12);
	int64_t b;

	map(AT(100), 4, RW, ANON | MAP_FIXED, NULL, 0);
	poke(AT(103), 'e');
	b = mm_remap(mm, AT(100), 4 * PAGE_SIZE, 6 * PAGE_SIZE, 0, 0);
	ck_assert_int_eq(b, (int64_t)AT(100));
	ck_assert_uint_eq(mm->regions.count, 1);
	map(AT(106), 1, PROT_READ, ANON | MAP_FIXED, NULL, 0);
	ck_assert_int_eq(mm_remap(mm, AT(100), 6 * PAGE_SIZE, 8 * PAGE_SIZE, 0, 0), -ENOMEM);
	b = mm_remap(mm, AT(100), 6 * PAGE_SIZE, 8 * PAGE_SIZE, MREMAP_MAYMOVE, 0);
	ck_assert_int_gt(b, (int64_t)AT(110));
	ck_assert_int_eq(peek((uint64_t)b + 3 * PAGE_SIZE), 'e');
	ck_assert_int_eq(peek((uint64_t)b + 7 * PAGE_SIZE), 0);
	ck_assert_int_eq(peek(AT(100)), -1);
	ck_assert_int_eq(mm_remap(mm, AT(90), PAGE_SIZE, PAGE_SIZE, 0, 0), -EFAULT);
	ck_assert_int_eq(mm_remap(mm, (uint64_t)b, 0, PAGE_SIZE, MREMAP_MAYMOVE, 0), -EINVAL);
	/* a private file mapping with pieces in disorder */
	map(AT(120), 10, RW, MAP_PRIVATE | MAP_FIXED, o, 0);
	poke(AT(124), 'c');
	b = mm_remap(mm, AT(120), 10 * PAGE_SIZE, 12 * PAGE_SIZE, MREMAP_MAYMOVE | MREMAP_FIXED, AT(200));
	ck_assert_int_eq(b, (int64_t)AT(200));
	ck_assert_int_eq(peek(AT(204)), 'c');
	ck_assert_int_eq(peek(AT(211)), 0);
	fake_check(mm);
	/* shared: seen twice, then moved */
	map(AT(140), 4, RW, MAP_SHARED | MAP_FIXED, o, 2);
	poke(AT(141), 'q');
	ck_assert_int_eq(peek(AT(203)), 'q');
	b = mm_remap(mm, AT(140), 0, 4 * PAGE_SIZE, MREMAP_MAYMOVE, 0);
	ck_assert_int_eq(peek((uint64_t)b + PAGE_SIZE), 'q');
	b = mm_remap(mm, AT(140), 4 * PAGE_SIZE, 4 * PAGE_SIZE, MREMAP_MAYMOVE | MREMAP_FIXED, AT(300));
	ck_assert_int_eq(peek(AT(301)), 'q');
	ck_assert_int_eq(peek(AT(141)), -1);
	mobj_put(&o->mobj);
}
END_TEST

START_TEST(forks)
{
	struct tobj *o = tobj_new(4);
	struct mm *child;

	map(AT(10), 2, RW, ANON | MAP_FIXED, NULL, 0);
	map(AT(20), 4, RW, MAP_SHARED | MAP_FIXED, o, 0);
	map(AT(30), 2, RW, MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED, NULL, 0);
	poke(AT(10), 'a');
	ck_assert_int_eq(mm_fork(&fake_task, mm, &child), 0);
	fake_check(child);
	poke(AT(20), 'b');
	poke(AT(30), 'c');
	poke(AT(10), 'd');
	fake_task.mm = child;
	ck_assert_int_eq(peek(AT(10)), 'a');
	ck_assert_int_eq(peek(AT(20)), 'b');
	ck_assert_int_eq(peek(AT(30)), 'c');
	o->npages = 2;
	mobj_invalidate(&o->mobj, 2 * PAGE_SIZE, 2 * PAGE_SIZE);
	ck_assert_int_eq(peek(AT(22)), -1);
	fake_check(child);
	fake_task.mm = mm;
	ck_assert_int_eq(peek(AT(22)), -1);
	mm_put(child);
	mobj_put(&o->mobj);
}
END_TEST

START_TEST(text)
{
	char buf[4096];
	struct strbuf sb = STRBUF(buf, sizeof buf);
	struct tobj *o = tobj_new(2);

	map(AT(10), 2, RW, ANON | MAP_FIXED, NULL, 0);
	map(AT(14), 4, PROT_READ, MAP_SHARED | MAP_FIXED, o, 1);
	ck_assert_int_eq(mm_set_name(mm, AT(10), PAGE_SIZE, "arena"), 0);
	mm_print_maps(mm, &sb, false);
	ck_assert_str_eq(buf,
	    "0001a000-0001b000 rw-p 00000000 00:00 0                                  [anon:arena]\n"
	    "0001b000-0001c000 rw-p 00000000 00:00 0 \n"
	    "0001e000-00022000 r--s 00001000 00:01 0                                  \n");
	mobj_put(&o->mobj);
}
END_TEST

/* ---- random sequences ----------------------------------------------------------- */

/* What the guest must see: for each page, unmapped, or a private byte, or a byte of the object. */
static struct { bool mapped, shared, beyond; uint32_t prot; char val; int obj; } model[NPAGES];
static char objval[64];

static void
model_check(struct tobj *o)
{
	for (unsigned i = 0; i < NPAGES; i++) {
		int want = !model[i].mapped || model[i].prot == PROT_NONE ? -1 :
		    model[i].shared ? (unsigned)model[i].obj < o->npages ? objval[model[i].obj] : -1 : model[i].val;

		FAKE_ASSERT(peek(AT(i)) == want);
	}
}

static void
random_op(struct tobj *o, bool failing)
{
	unsigned at = 1 + (unsigned)(rand() % 120), n = 1 + (unsigned)(rand() % 12), to = 1 + (unsigned)(rand() % 120);
	uint32_t prot = (uint32_t)(rand() % 4);
	int obj = rand() % 40;
	int64_t r;

	switch (rand() % 6) {
	case 0:
		r = map(AT(at), n, prot, ANON | MAP_FIXED, NULL, 0);
		for (unsigned i = at; r >= 0 && i < at + n; i++) {
			memset(&model[i], 0, sizeof model[i]);
			model[i].mapped = true;
			model[i].prot = prot;
		}
		break;
	case 1:
		r = map(AT(at), n, prot, MAP_SHARED | MAP_FIXED, o, (uint64_t)obj);
		for (unsigned i = at; r >= 0 && i < at + n; i++) {
			memset(&model[i], 0, sizeof model[i]);
			model[i].mapped = model[i].shared = true;
			model[i].prot = prot;
			model[i].obj = obj + (int)(i - at);
		}
		break;
	case 2:
		r = mm_unmap(mm, AT(at), n * PAGE_SIZE);
		for (unsigned i = at; r >= 0 && i < at + n; i++)
			model[i].mapped = false;
		break;
	case 3:
		r = mm_protect(mm, AT(at), n * PAGE_SIZE, prot, false);
		for (unsigned i = at; i < at + n && model[i].mapped; i++)
			model[i].prot = prot;
		break;
	case 4:
		r = mm_remap(mm, AT(at), n * PAGE_SIZE, n * PAGE_SIZE, MREMAP_MAYMOVE | MREMAP_FIXED, AT(to));
		for (unsigned i = 0; r >= 0 && i < n; i++) {
			model[to + i] = model[at + i];
			model[at + i].mapped = false;
		}
		/* The destination goes even when the move fails: ask the regions. */
		for (unsigned i = 0; r < 0 && i < NPAGES; i++)
			model[i].mapped = model[i].mapped && mm_find_locked(mm, AT(i)) != NULL;
		break;
	default:
		if (rand() % 8 == 0) {
			uint64_t was = o->npages;

			o->npages = (uint64_t)(rand() % 64);
			if (o->npages < was)
				mobj_invalidate(&o->mobj, o->npages * PAGE_SIZE, UINT64_MAX);
		}
		for (unsigned i = at; i < at + n; i++) {
			char c = (char)(rand() % 127);

			if (failing || copy_out(&fake_task, gaddr_from(AT(i)), &c, 1) != 0) {
				ck_assert(failing || !model[i].mapped || !(model[i].prot & PROT_WRITE) ||
				    (model[i].shared && (unsigned)model[i].obj >= o->npages));
				continue;
			}
			ck_assert(model[i].mapped && (model[i].prot & PROT_WRITE));
			if (model[i].shared)
				objval[model[i].obj] = c;
			else
				model[i].val = c;
		}
	}
}

/* Growth of a mapping whose end is absent fails, and looks like that end meanwhile. */
START_TEST(growth_fails)
{
	struct tobj *o = tobj_new(6);

	ck_assert_int_ge(map(AT(50), 8, RW, MAP_SHARED | MAP_FIXED, o, 0), 0);
	o->npages = 12;
	fake_fail_in = 1;
	ck_assert_int_eq(mm_remap(mm, AT(50), 8 * PAGE_SIZE, 10 * PAGE_SIZE, 0, 0), -ENOMEM);
	fake_fail_in = 0;
	fake_check(mm);
	ck_assert_uint_eq(mm->total_vm, 8 * PAGE_SIZE);
	mobj_put(&o->mobj);
}
END_TEST

/* Some pieces of a private mapping have moved when the host refuses the next: no region is there. */
START_TEST(move_fails)
{
	struct tobj *o = tobj_new(12);

	ck_assert_int_ge(map(AT(120), 10, RW, MAP_PRIVATE | MAP_FIXED, o, 0), 0);
	fake_fail_in = 2;
	ck_assert_int_eq(mm_remap(mm, AT(120), 10 * PAGE_SIZE, 10 * PAGE_SIZE, MREMAP_MAYMOVE | MREMAP_FIXED, AT(200)),
	    -ENOMEM);
	fake_fail_in = 0;
	ck_assert(mm->space->ended && mm->has_shared);
	for (unsigned i = 0; i < 10; i++)
		ck_assert(!mm->space->page[(AT(200 + i) - WIN) / PAGE_SIZE].present);
	ck_assert_int_eq(mm_unmap(mm, AT(120), 10 * PAGE_SIZE), 0);
	mobj_put(&o->mobj);
}
END_TEST

/* A host that can neither map nor unmap: what was there would stay, with nobody who knows of it. */
START_TEST(undo_fails)
{
	struct tobj *o = tobj_new(12);

	ck_assert_int_ge(map(AT(50), 3, RW, MAP_SHARED | MAP_FIXED, o, 0), 0);
	fake_fail_in = 1;
	fake_no_unmap = true;
	ck_assert_int_eq(map(AT(51), 1, RW, ANON | MAP_FIXED, NULL, 0), -ENOMEM);
	ck_assert(mm->space->ended);
	mm->space->ended = false;
	mobj_invalidate(&o->mobj, 2 * PAGE_SIZE, PAGE_SIZE);
	ck_assert(mm->space->ended);
	fake_no_unmap = false;
	ck_assert_int_eq(mm_unmap(mm, AT(50), PAGE_SIZE), 0);
	ck_assert_int_eq(mm_unmap(mm, AT(52), PAGE_SIZE), 0);
	mm->space->page[(AT(51) - WIN) / PAGE_SIZE].present = false;
	mm->space->page[(AT(52) - WIN) / PAGE_SIZE].present = false;
	mobj_put(&o->mobj);
}
END_TEST

START_TEST(random_model)
{
	struct tobj *o = tobj_new(30);

	srand(7);
	memset(model, 0, sizeof model);
	memset(objval, 0, sizeof objval);
	for (unsigned i = 0; i < 6000; i++) {
		random_op(o, false);
		fake_check(mm);
		if (i % 16 == 0)
			model_check(o);
	}
	mobj_put(&o->mobj);
}
END_TEST

START_TEST(random_failures)
{
	struct tobj *o = tobj_new(30);

	srand(11);
	for (unsigned i = 0; i < 6000; i++) {
		uint64_t live;

		fake_fail_in = 1 + rand() % 3;
		random_op(o, true);
		fake_fail_in = 0;
		live = mm->regions.count;
		fake_check(mm);
		ck_assert_uint_le(live, NPAGES);
	}
	mobj_put(&o->mobj);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("mm");
	TCase *tc = tcase_create("regions");
	SRunner *sr;
	int failed;

	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, places);
	tcase_add_test(tc, held_back);
	tcase_add_test(tc, protections);
	tcase_add_test(tc, reserved);
	tcase_add_test(tc, plain);
	tcase_add_test(tc, lasting);
	tcase_add_test(tc, limits);
	tcase_add_test(tc, heap);
	tcase_add_test(tc, stacks);
	tcase_add_test(tc, objects);
	tcase_add_test(tc, moves);
	tcase_add_test(tc, forks);
	tcase_add_test(tc, text);
	tcase_add_test(tc, growth_fails);
	tcase_add_test(tc, move_fails);
	tcase_add_test(tc, undo_fails);
	tcase_add_test(tc, random_model);
	tcase_add_test(tc, random_failures);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed != 0;
}
