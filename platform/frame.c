/* frame: what the sentry reads and writes of a signal frame. */
#include <string.h>

#include "platform/frame.h"

int
frame_find(struct ctx *c)
{
	uint64_t at = atomic_load_explicit(&c->sh->uc, memory_order_relaxed);

	if (at < c->va || (at & 15) != 0 || at - c->va > STUB_CTX_SIZE - CTX_HDR - sizeof(struct frame))
		return -ESRCH;
	c->uc = at - c->va;
	return 0;
}

void *
frame_fp(struct ctx *c)
{
	uint64_t at = *(volatile uint64_t *)&frame_of(c)->uc.fpstate;

	if (at < c->va || (at & 63) != 0 || at - c->va > STUB_CTX_SIZE - CTX_HDR - platform_fp_size)
		return NULL;
	return c->base + (at - c->va);
}

void
frame_fault(struct ctx *c, struct stop *stop)
{
	struct frame_uc uc;

	if (frame_find(c) != 0)
		return;
	memcpy(&uc, &frame_of(c)->uc, sizeof uc);
	stop->trapno = uc.trapno;
	stop->error = uc.err;
	stop->cr2 = uc.cr2;
}

void
frame_regs_get(struct abi_regs *r, const struct frame_uc *u)
{
	r->r15 = u->r15;
	r->r14 = u->r14;
	r->r13 = u->r13;
	r->r12 = u->r12;
	r->rbp = u->rbp;
	r->rbx = u->rbx;
	r->r11 = u->r11;
	r->r10 = u->r10;
	r->r9 = u->r9;
	r->r8 = u->r8;
	r->rax = u->rax;
	r->rcx = u->rcx;
	r->rdx = u->rdx;
	r->rsi = u->rsi;
	r->rdi = u->rdi;
	r->orig_rax = ~0ULL;
	r->rip = u->rip;
	r->cs = USER_CS;
	r->eflags = u->eflags;
	r->rsp = u->rsp;
	r->ss = USER_SS;
	r->ds = r->es = r->fs = r->gs = 0;
}

void
frame_regs_set(struct frame_uc *u, const struct abi_regs *r)
{
	u->r15 = r->r15;
	u->r14 = r->r14;
	u->r13 = r->r13;
	u->r12 = r->r12;
	u->rbp = r->rbp;
	u->rbx = r->rbx;
	u->r11 = r->r11;
	u->r10 = r->r10;
	u->r9 = r->r9;
	u->r8 = r->r8;
	u->rax = r->rax;
	u->rcx = r->rcx;
	u->rdx = r->rdx;
	u->rsi = r->rsi;
	u->rdi = r->rdi;
	u->rip = r->rip;
	u->eflags = (r->eflags & EFLAGS_USER) | EFLAGS_ON;
	u->rsp = r->rsp;
	u->cs = USER_CS;
	u->ss = USER_SS;
}
