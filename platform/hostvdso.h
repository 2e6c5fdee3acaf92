/*
 * hostvdso: the host's vDSO and its data pages, which every stub keeps at STUB_VDSO.
 *
 * They are a few mappings side by side, [vvar], [vvar_vclock] on newer hosts, and [vdso]; the
 * code finds its data by distance, so they move together.
 */
#ifndef PLATFORM_HOSTVDSO_H
#define PLATFORM_HOSTVDSO_H

#include "abi/regs.h"
#include "base/base.h"

#define HOSTVDSO_PARTS	3	/* mapper.S has a register for the length of each */

struct hostvdso {
	uint64_t	start;			/* of the first mapping, here */
	uint64_t	len[HOSTVDSO_PARTS];	/* of each; 0: no more */
	uint64_t	code;			/* offset of [vdso] */
};

/* Takes in one line of /proc/PID/maps, '\0' in place of the newline; false when the layout is none that can be moved. */
bool hostvdso_line(struct hostvdso *v, const char *line) MUST_CHECK;
/* All mappings were seen, and the code is where the host says. */
bool hostvdso_complete(const struct hostvdso *v, uint64_t ehdr) MUST_CHECK;

/* Looks for it in this process, whose self/maps lies below the descriptor proc. -ENOENT. */
int hostvdso_find(int proc, struct hostvdso *v) MUST_CHECK;
/*
 * Does the zygote, which has come up, have the code where it should be?  It could not tell by itself whether it got
 * along.  Compared whole: the offsets come from our own copy.
 */
bool hostvdso_arrived(const struct hostvdso *v) MUST_CHECK;
/* Offset of a function from the head of the ELF image at ehdr; 0: none. */
uint64_t hostvdso_symbol(const char *ehdr, const char *name);
/* *slot: where in memory the function that regs are in, at offset at, finds its return address.  False: not known.  vdsoframe.c */
bool hostvdso_return(const char *ehdr, uint64_t at, const struct abi_regs *regs, uint64_t *slot) MUST_CHECK;

#endif
