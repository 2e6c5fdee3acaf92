/*
 * elfparse: what a 64-bit ELF file asks of a loader; pure functions over bytes, for elf.c, the
 * unit test and the fuzzer.
 */
#ifndef SENTRY_KERNEL_ELFPARSE_H
#define SENTRY_KERNEL_ELFPARSE_H

#include <elf.h>

#include "base/base.h"

#define ELF_SEGS_MAX	128	/* loadable segments; real programs have about four */

struct elf_seg {
	uint64_t	addr, filesz, memsz, off;	/* as in the file; not rounded */
	uint32_t	prot;			/* PROT_READ | PROT_WRITE | PROT_EXEC */
};

struct elf_plan {
	bool		is_dyn;			/* ET_DYN: may be placed anywhere */
	uint64_t	entry, phdr_va;		/* as in the file; phdr_va 0 when not loaded */
	uint32_t	phnum;
	uint64_t	lo, hi;			/* page-rounded span of all segments */
	uint64_t	align;			/* largest p_align, a power of two, at least a page */
	bool		has_interp;
	uint64_t	interp_off, interp_len;	/* with its NUL */
	bool		stack_known, exec_stack;	/* PT_GNU_STACK */
	unsigned	nsegs;
	struct elf_seg	seg[ELF_SEGS_MAX];	/* ascending, pages not shared but by rounding */
};

/* The file header: where and how large the program headers are. -ENOEXEC. */
int elf_parse_header(const void *head, size_t len, uint64_t *phoff, size_t *phsize) MUST_CHECK;
/*
 * The whole: head as above, phdrs the phsize bytes at phoff. Everything in *out is checked: sums do not
 * overflow, offsets and addresses agree modulo the page, addresses lie below limit. -ENOEXEC.
 */
int elf_parse(const void *head, size_t len, const void *phdrs, size_t phsize, uint64_t limit,
    struct elf_plan *out) MUST_CHECK;

/*
 * A "#!" line in the first len bytes of a file (zero-padded to 256 there): *interp and *arg (NULL if none)
 * point into buf, which is changed. -ENOEXEC.
 */
int script_parse(char *buf, size_t len, char **interp, char **arg) MUST_CHECK;

#endif
