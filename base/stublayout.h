/*
 * stublayout: the address range above all guest memory, in every stub.
 *
 * Constants alone, read by C, by the stub's assembly and by filter.c (a stub's filters
 * name these addresses).  The layout is the same in every address space:
 *
 *	STUB_CTX	one context set per guest thread, shared with the sentry, MADV_DONTFORK
 *	STUB_TEXT	the stub's code and constants, from a sealed memfd
 *	STUB_PROGS	the two filter programs, read-only, from the same memfd
 *	STUB_CMD	commands to the mapper: read-only here, writable in the sentry
 *	STUB_RES	the mapper's results: read-only here, written through the descriptor
 *	STUB_SCRATCH	a private page for what the host insists to write; nobody reads it
 *	STUB_WORLD	what the sentry tells all stubs, read-only, from the control file
 *	STUB_VDSO	the host's own vDSO behind its data pages, read-only; nothing where there is none
 */
#ifndef BASE_STUBLAYOUT_H
#define BASE_STUBLAYOUT_H

#define STUB_CTX		0x7fff80000000
#define STUB_CTX_SIZE		0x20000
/* Parts of a set, from its start: floating point of a patched call, signal frames, data in transit; its header ends it. */
#define STUB_CTX_FRAMES		0x3000
#define STUB_CTX_DATA		0x8000
#define STUB_CTX_DATA_END	0x1a000
#define STUB_CTX_WORK		0x1a000		/* commands to the guest's own thread */
#define STUB_CTX_NAMES		0x1b000		/* names that are no links */
#define STUB_CTX_MAX		8192
/* What a guest thread may map and unmap itself: shorter pieces than this, and at least so far below the sets. */
#define STUB_OWN_SPAN		0x40000000
#define STUB_OWN_TOP		(STUB_CTX - STUB_OWN_SPAN)
#define STUB_TEXT		0x7ffff0000000
#define STUB_CODE_SIZE		0x2000
#define STUB_TEXT_SIZE		0x3000		/* code, then: */
#define STUB_MARSHAL		(STUB_TEXT + STUB_CODE_SIZE) /* what arguments to copy, a word a call */
#define STUB_MARSHAL_CALLS	1024
#define STUB_PROGS		0x7ffff0010000
#define STUB_PROGS_SIZE		0x4000
#define STUB_CMD		0x7ffff0020000
#define STUB_CMD_SIZE		0x4000
#define STUB_RES		0x7ffff0024000	/* right after the commands: one mapping */
#define STUB_SLOT_SIZE		0x5000		/* commands and results */
#define STUB_SLOT_STRIDE	0x8000		/* of slots in the control file */
#define STUB_SCRATCH		0x7ffff0030000
#define STUB_WORLD		0x7ffff0031000
#define STUB_WORLD_OFF		0x120000000	/* in the control file, behind slots and sets */
#define STUB_VDSO		0x7ffff0040000
#define STUB_VDSO_SIZE		0x40000
#define STUB_NOWHERE		0x7ffff0080000	/* right behind: never mapped */
#define STUB_TOP		0x7ffffffff000

/* Descriptors in every stub; STUB_FD_NEW is the lowest free one between commands. */
#define STUB_FD_CTL	0
#define STUB_FD_MEMFILE	1
#define STUB_FD_PROC	2
#define STUB_FD_SOCK	3
#define STUB_FD_NEW	4
#define STUB_FD_NEW2	5

/* Fixed places in the stub's text (stub.ld keeps them). */
#define STUB_CONST	STUB_TEXT		/* constants named by the mapper's filter: */
#define STUB_C_SELFMEM	(STUB_CONST + 0x100)	/* "self/mem" */
#define STUB_C_SIGSET	(STUB_CONST + 0x110)	/* the empty signal set */
#define STUB_C_SENDMSG	(STUB_CONST + 0x120)	/* msghdr: two descriptors, eight bytes */
#define STUB_C_RECVMSG	(STUB_CONST + 0x160)	/* msghdr: one descriptor */
#define STUB_GUEST_TEXT	(STUB_TEXT + 0x1000)	/* the page of code that guest threads run */
#define STUB_GUEST_SIZE	0x1000

/* struct sock_fprog of either filter, at the head of STUB_PROGS. */
#define STUB_FPROG_MAPPER	STUB_PROGS
#define STUB_FPROG_GUEST	(STUB_PROGS + 16)

/* The host signal that stops a running guest thread. */
#define STUB_SIGKICK	40

/* clone(2) flags: a guest thread; another stub. */
#define STUB_CLONE_THREAD	0x250f00	/* VM FS FILES SIGHAND THREAD SYSVSEM CHILD_CLEARTID */
#define STUB_CLONE_FORK		0x8011		/* PARENT, SIGCHLD */

#endif
