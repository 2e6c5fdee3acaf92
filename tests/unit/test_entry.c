/*
 * The stub's way in for patched calls, by guest code that goes there as a slot does: what is answered by the stub, what is
 * not, and what it saves of floating point.
 */
#include "platform/sites.h"
#include "tests/unit/guestcode.h"

#define NR_SIGMASK	14
#define NR_YIELD	24

/* Call rax as a slot does, with the way in in r12; the next piece is what it comes back to. */
#define ENTER	"lea 1f(%rip),%r11; mov %r11,-8(%r11); jmp *%r12; .quad 0; 1: "
PIECE(masks, "3: mov %r13,%rdi; mov %r14,%rsi; mov %r15,%rdx; mov $14,%eax;" ENTER "mov %rax,%rbx; mov $2000,%eax; syscall; jmp 3b");
PIECE(yields, "mov $24,%eax;" ENTER "mov %rax,%rbx; mov $2000,%eax; syscall; mov $24,%eax;" ENTER "mov $2001,%eax; syscall");
PIECE(waits, "vmovdqu (%rdi),%ymm7; mov $1000,%eax;" ENTER "mov $1001,%eax;" ENTER "mov $2000,%eax; syscall");

static bool
is_answering(void)
{
	return strcmp(use, "systrap") == 0;
}

#define ENTER_AT()	r.r12 = stub_text_word(STUB_T_ENTRY)

/* One call: has the stub answered it?  Its owner does otherwise. */
static bool
mask_call(struct ctx *c, struct abi_regs *r, uint64_t how, uint64_t set, uint64_t old)
{
	struct stop st;
	bool answered = true;

	r->r13 = how;
	r->r14 = set;
	r->r15 = old;
	run_guest(c, r, &st);
	ck_assert_int_eq(st.kind, STOP_SYSCALL);
	if (r->orig_rax == NR_SIGMASK) {
		answered = false;
		ck_assert_uint_eq(r->rdi, how);
		ck_assert_uint_eq(r->rsi, set);
		ck_assert_uint_eq(r->rdx, old);
		r->rax = 0;
		run_guest(c, r, &st);
		ck_assert_int_eq(st.kind, STOP_SYSCALL);
	}
	ck_assert_uint_eq(r->orig_rax, 2000);
	ck_assert_uint_eq(r->rbx, 0);
	return answered;
}

START_TEST(changes_masks_while_it_may)
{
	const uint64_t set = 0xff | 1u << (SIGKILL - 1);
	uint64_t old = 0;

	if (!is_answering())
		return;
	START(masks);
	ENTER_AT();
	r.r10 = 8;
	ck_assert_int_eq(space_write(s, DATA, &set, 8), 8);
	ctx_set_sigmask(c, 0x1000);
	ck_assert(!mask_call(c, &r, SIG_BLOCK, DATA, DATA + 8));
	ck_assert_uint_eq(ctx_sigmask(c), 0x1000);
	ctx_answer(c, ANSWER_SIGMASK, 0);
	ck_assert(mask_call(c, &r, SIG_BLOCK, DATA, DATA + 8));
	ck_assert_uint_eq(ctx_sigmask(c), 0x10ff);
	ck_assert_int_eq(space_read(s, DATA + 8, &old, 8), 8);
	ck_assert_uint_eq(old, 0x1000);
	ck_assert(mask_call(c, &r, SIG_UNBLOCK, DATA, 0));
	ck_assert_uint_eq(ctx_sigmask(c), 0x1000);
	ck_assert(mask_call(c, &r, SIG_SETMASK, DATA, 0));
	ck_assert_uint_eq(ctx_sigmask(c), 0xff);
	ctx_set_sigmask(c, 0x1000);
	/* What is the kernel's to refuse changes nothing. */
	ck_assert(mask_call(c, &r, 7, 0, DATA + 8));
	ck_assert(!mask_call(c, &r, 7, DATA, DATA + 8));
	ck_assert(!mask_call(c, &r, SIG_SETMASK, 0x10, 0));
	ck_assert(!mask_call(c, &r, SIG_SETMASK, DATA, 0x10));
	ck_assert(!mask_call(c, &r, SIG_SETMASK, DATA, DATA + 4));
	ck_assert(!mask_call(c, &r, SIG_SETMASK, DATA, c->va));
	ck_assert(!mask_call(c, &r, SIG_SETMASK, c->va, 0));
	ck_assert_uint_eq(ctx_sigmask(c), 0x1000);
	/* Nor may it do anything once it has been told to ask. */
	ctx_ask(c, ANSWER_SIGMASK);
	ck_assert(!mask_call(c, &r, SIG_SETMASK, DATA, DATA + 8));
	ck_assert_uint_eq(ctx_sigmask(c), 0x1000);
	END();
}
END_TEST

START_TEST(yields_while_there_is_room)
{
	if (!is_answering())
		return;
	START(yields);
	ENTER_AT();
	ctx_answer(c, ANSWER_YIELD, 0);
	atomic_store(&plat.world->awake, plat.world->cpus / 2);
	RUN_SYSCALL(2000);
	ck_assert_uint_eq(r.rbx, 0);
	atomic_store(&plat.world->awake, plat.world->cpus / 2 + 1);
	RUN_SYSCALL(NR_YIELD);
	r.rax = 0;
	RUN_SYSCALL(2001);
	atomic_store(&plat.world->awake, 1);
	END();
}
END_TEST

/* As on a host that lets nobody have what its processor has: nothing is stored behind what an image has. */
START_TEST(saves_no_more_than_an_image_has)
{
	enum { AVX = 576, AVX_LEN = 256 };
	char image[FP_MAX], frame[64] = { 0 }, mark[AVX_LEN], got[AVX_LEN];
	const uint64_t fp = DATA + 0x1000;

	if (!is_answering() || !__builtin_cpu_supports("avx"))
		return;
	START(waits);
	ENTER_AT();
	r.rdi = DATA;
	ck_assert_uint_eq(atomic_load(&c->sh->fp_mask), fp_features);
	atomic_store(&c->sh->fp_mask, 3);		/* x87, SSE */
	memset(mark, 0xa5, sizeof mark);
	ck_assert_int_eq(space_write(s, DATA, mark, sizeof mark), sizeof mark);
	ck_assert_int_eq(space_write(s, fp + AVX, mark, sizeof mark), sizeof mark);
	RUN_SYSCALL(1000);
	memcpy(c->base + AVX, mark, sizeof mark);
	ck_assert_int_eq(ctx_get_fp(c, image), 0);
	ck_assert_mem_eq(c->base + AVX, mark, sizeof mark);
	ck_assert_mem_eq(image + 160 + 112, mark, 16);	/* and xmm7 was saved */
	RUN_SYSCALL(1001);
	ck_assert(ctx_frame_out(c, DATA + 0x800, frame, sizeof frame, fp));
	RUN_SYSCALL(2000);
	ck_assert_int_eq(space_read(s, fp + AVX, got, sizeof got), sizeof got);
	ck_assert_mem_eq(got, mark, sizeof mark);
	ck_assert_int_eq(space_read(s, fp + 160 + 112, got, 16), 16);
	ck_assert_mem_eq(got, mark, 16);
	END();
}
END_TEST

static void
cases(TCase *tc)
{
	tcase_add_test(tc, changes_masks_while_it_may);
	tcase_add_test(tc, yields_while_there_is_room);
	tcase_add_test(tc, saves_no_more_than_an_image_has);
}

int
main(void)
{
	return run_suite("entry");
}
