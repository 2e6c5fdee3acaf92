/*
 * elfparse under arbitrary bytes: the input is a file, parsed as the loader does.  Whatever is
 * accepted must be safe to add up and map.
 */
#include <stdlib.h>
#include <string.h>

#include "sentry/kernel/elfparse.h"

#define LIMIT	0x7fff80000000ULL

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check(int cond)
{
	if (!cond)
		abort();
}

static void
check_plan(const struct elf_plan *p)
{
	uint64_t end = 0;

	check(p->nsegs > 0 && p->nsegs <= ELF_SEGS_MAX);
	check(p->lo < p->hi && p->hi <= LIMIT);
	check(p->align >= PAGE_SIZE && (p->align & (p->align - 1)) == 0);
	for (unsigned i = 0; i < p->nsegs; i++) {
		const struct elf_seg *s = &p->seg[i];

		check(page_down(s->addr) >= end);
		end = page_up(s->addr + s->memsz);
		check(s->memsz > 0 && s->filesz <= s->memsz && end <= p->hi);
		check(s->off + s->filesz >= s->off);
		check(s->filesz == 0 || (s->addr - s->off) % PAGE_SIZE == 0);
	}
	check(!p->has_interp || (p->interp_len >= 2 && p->interp_len <= 4096));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct elf_plan plan;
	char head[256] = { 0 }, *interp, *arg;
	uint64_t phoff;
	size_t phsize, n = min(size, sizeof head);

	memcpy(head, data, n);
	if (elf_parse_header(head, n, &phoff, &phsize) == 0 && phoff <= size &&
	    elf_parse(head, n, data + phoff, min(phsize, size - phoff), LIMIT, &plan) == 0)
		check_plan(&plan);
	if (script_parse(head, sizeof head, &interp, &arg) == 0) {
		check(interp >= head && interp < head + sizeof head && *interp);
		check(arg == NULL || (arg > interp && arg < head + sizeof head));
		check(memchr(interp, '\0', (size_t)(head + sizeof head - interp)) != NULL);
	}
	return 0;
}
