/*
 * elfparse: ELF headers and #! lines, as hostile bytes.  elf(5), execve(2).
 *
 * Where Linux is lenient (segments out of order, overlapping) and no compiler makes such files, this is
 * strict: the loader below then maps without ever unmapping.
 */
#include "sentry/kernel/elfparse.h"

#include <linux/mman.h>
#include <string.h>

#define PHDRS_MAX	65536	/* bytes; as Linux */

int
elf_parse_header(const void *head, size_t len, uint64_t *phoff, size_t *phsize)
{
	Elf64_Ehdr h;

	if (len < sizeof h)
		return -ENOEXEC;
	memcpy(&h, head, sizeof h);
	if (memcmp(h.e_ident, ELFMAG, SELFMAG) != 0 || h.e_ident[EI_CLASS] != ELFCLASS64 ||
	    h.e_ident[EI_DATA] != ELFDATA2LSB || h.e_machine != EM_X86_64)
		return -ENOEXEC;
	if (h.e_type != ET_EXEC && h.e_type != ET_DYN)
		return -ENOEXEC;
	if (h.e_phentsize != sizeof(Elf64_Phdr) || h.e_phnum == 0 ||
	    h.e_phnum > PHDRS_MAX / sizeof(Elf64_Phdr))
		return -ENOEXEC;
	if (h.e_phoff > INT64_MAX - PHDRS_MAX)
		return -ENOEXEC;
	*phoff = h.e_phoff;
	*phsize = h.e_phnum * sizeof(Elf64_Phdr);
	return 0;
}

static int
add_segment(struct elf_plan *out, const Elf64_Phdr *p, uint64_t limit)
{
	struct elf_seg *s, *prev = out->nsegs ? &out->seg[out->nsegs - 1] : NULL;
	uint64_t end, off_end;

	if (p->p_memsz == 0)
		return 0;
	if (p->p_filesz > p->p_memsz || out->nsegs == ELF_SEGS_MAX)
		return -ENOEXEC;
	if (ckd_add(&end, p->p_vaddr, p->p_memsz) || end > limit)
		return -ENOEXEC;
	if (ckd_add(&off_end, p->p_offset, p->p_filesz) || off_end > INT64_MAX - PAGE_SIZE)
		return -ENOEXEC;
	if (p->p_filesz && ((p->p_vaddr ^ p->p_offset) & (PAGE_SIZE - 1)) != 0)
		return -ENOEXEC;
	/* Ascending, and no page belongs to two: what every linker makes. */
	if (prev && page_down(p->p_vaddr) < page_up(prev->addr + prev->memsz))
		return -ENOEXEC;
	s = &out->seg[out->nsegs++];
	s->addr = p->p_vaddr;
	s->filesz = p->p_filesz;
	s->memsz = p->p_memsz;
	s->off = p->p_offset;
	s->prot = (p->p_flags & PF_R ? PROT_READ : 0) | (p->p_flags & PF_W ? PROT_WRITE : 0) |
	    (p->p_flags & PF_X ? PROT_EXEC : 0);
	if (p->p_align > out->align && (p->p_align & (p->p_align - 1)) == 0)
		out->align = p->p_align;
	return 0;
}

static int
add_phdr(struct elf_plan *out, const Elf64_Phdr *p, uint64_t limit)
{
	switch (p->p_type) {
	case PT_LOAD:
		return add_segment(out, p, limit);
	case PT_INTERP:
		if (out->has_interp)
			return 0;	/* the first one counts */
		if (p->p_filesz < 2 || p->p_filesz > 4096 || p->p_offset > INT64_MAX - 4096)
			return -ENOEXEC;
		out->has_interp = true;
		out->interp_off = p->p_offset;
		out->interp_len = p->p_filesz;
		return 0;
	case PT_GNU_STACK:
		out->stack_known = true;
		out->exec_stack = p->p_flags & PF_X;
		return 0;
	default:
		return 0;
	}
}

int
elf_parse(const void *head, size_t len, const void *phdrs, size_t phsize, uint64_t limit,
    struct elf_plan *out)
{
	uint64_t phoff;
	size_t want;
	Elf64_Ehdr h;
	int err;

	memset(out, 0, sizeof *out);
	err = elf_parse_header(head, len, &phoff, &want);
	if (err)
		return err;
	if (phsize < want)
		return -ENOEXEC;
	memcpy(&h, head, sizeof h);
	out->is_dyn = h.e_type == ET_DYN;
	out->entry = h.e_entry;
	out->phnum = h.e_phnum;
	out->align = PAGE_SIZE;
	for (unsigned i = 0; i < h.e_phnum; i++) {
		Elf64_Phdr p;

		memcpy(&p, (const char *)phdrs + i * sizeof p, sizeof p);
		err = add_phdr(out, &p, limit);
		if (err)
			return err;
	}
	if (out->nsegs == 0 || out->entry >= limit)
		return -ENOEXEC;
	out->lo = page_down(out->seg[0].addr);
	out->hi = page_up(out->seg[out->nsegs - 1].addr + out->seg[out->nsegs - 1].memsz);
	if (out->hi > limit)
		return -ENOEXEC;
	/* AT_PHDR: the segment whose file bytes hold the headers. */
	for (unsigned i = 0; i < out->nsegs; i++) {
		const struct elf_seg *s = &out->seg[i];

		if (phoff >= s->off && phoff < s->off + s->filesz) {
			out->phdr_va = phoff - s->off + s->addr;
			break;
		}
	}
	return 0;
}

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t';
}

/* As Linux's load_script: a name cut off by the end of the buffer must not run as something else. */
int
script_parse(char *buf, size_t len, char **interp, char **arg)
{
	char *end, *at, *stop;

	if (len < 3 || buf[0] != '#' || buf[1] != '!')
		return -ENOEXEC;
	end = memchr(buf, '\n', len);
	if (end == NULL) {
		/* No newline: fine when the name ends within the buffer. */
		stop = memchr(buf, '\0', len);
		end = stop ? stop : buf + len - 1;
		if (stop == NULL) {
			for (at = buf + 2; at < end && is_blank(*at); at++)
				;
			if (at == end)
				return -ENOEXEC;
			while (at < end && !is_blank(*at))
				at++;
			if (at == end)
				return -ENOEXEC;
		}
	}
	while (end > buf + 2 && is_blank(end[-1]))
		end--;
	*end = '\0';
	for (at = buf + 2; is_blank(*at); at++)
		;
	if (*at == '\0')
		return -ENOEXEC;
	*interp = at;
	*arg = NULL;
	while (*at && !is_blank(*at))
		at++;
	if (*at == '\0')
		return 0;
	*at++ = '\0';
	while (is_blank(*at))
		at++;
	if (*at)
		*arg = at;
	return 0;
}
