/*
 * hostvdso: finds the host's vDSO in this process, and tells where its functions are in a stub.
 *
 * The zygote takes the pages along to STUB_VDSO (zygote.c, stub/mapper.S); all other stubs have
 * them by fork.  Nothing is kept current by us: the host writes its clocks into those pages.
 */
#include "platform/hostvdso.h"

#include <elf.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>

#include "base/hostcall.h"
#include "platform/space.h"

#define LINE_LEN	512	/* longer lines name files, which are none of ours */

/* ---- finding it ---------------------------------------------------------- */

static uint64_t
total(const struct hostvdso *v)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < HOSTVDSO_PARTS; i++)
		sum += v->len[i];
	return sum;
}

/* The field after n blanks. */
static const char *
field(const char *line, unsigned n)
{
	while (n-- > 0) {
		line += strcspn(line, " ");
		line += strspn(line, " ");
	}
	return line;
}

bool
hostvdso_line(struct hostvdso *v, const char *line)
{
	const char *perms = field(line, 1), *name = field(line, 5);
	bool data = strncmp(name, "[vvar", 5) == 0, code = strcmp(name, "[vdso]") == 0;
	uint64_t start, end, sum = total(v);
	unsigned n = 0;
	char *at;

	if (!data && !code)
		return true;
	start = strtoull(line, &at, 16);
	end = strtoull(at + 1, NULL, 16);
	while (n < HOSTVDSO_PARTS && v->len[n] != 0)
		n++;
	if (n == 0)
		v->start = start;
	if (n == HOSTVDSO_PARTS || v->code != 0 || start != v->start + sum || end <= start ||
	    end - start > STUB_VDSO_SIZE - sum || strncmp(perms, code ? "r-xp" : "r--p", 4) != 0)
		return false;
	v->len[n] = end - start;
	if (code)
		v->code = sum;
	return true;
}

bool
hostvdso_complete(const struct hostvdso *v, uint64_t ehdr)
{
	return v->code != 0 && v->start + v->code == ehdr;
}

int
hostvdso_find(int proc, struct hostvdso *v)
{
	char buf[LINE_LEN];
	size_t have = 0;
	bool ok = true, tail = false;		/* tail: of a line that was too long */
	int64_t n;
	int fd = openat(proc, "self/maps", O_RDONLY | O_CLOEXEC);

	memset(v, 0, sizeof *v);
	if (fd < 0)
		return -ENOENT;
	while (ok && (n = host_pread(fd, buf + have, sizeof buf - have, -1)) > 0) {
		char *line = buf, *end;

		have += (size_t)n;
		while ((end = memchr(line, '\n', have - (size_t)(line - buf))) != NULL) {
			*end = '\0';
			ok = ok && (tail || hostvdso_line(v, line));
			tail = false;
			line = end + 1;
		}
		have -= (size_t)(line - buf);
		memmove(buf, line, have);
		if (have == sizeof buf) {
			tail = true;
			have = 0;
		}
	}
	host_close(fd);
	return ok && hostvdso_complete(v, getauxval(AT_SYSINFO_EHDR)) ? 0 : -ENOENT;
}

/* ---- its functions ------------------------------------------------------- */

/* How many symbols a GNU hash table covers: the last chain's end. */
static uint32_t
gnu_count(const uint32_t *h)
{
	const uint32_t *buckets = h + 4 + (size_t)h[2] * 2, *chains = buckets + h[0];
	uint32_t last = 0;

	for (uint32_t i = 0; i < h[0]; i++)
		last = max(last, buckets[i]);
	if (last < h[1])
		return h[1];
	while ((chains[last - h[1]] & 1) == 0)
		last++;
	return last + 1;
}

/* Addresses in the image are relative to its first segment, wherever it was linked. */
uint64_t
hostvdso_symbol(const char *ehdr, const char *name)
{
	const Elf64_Ehdr *eh = (const void *)ehdr;
	const Elf64_Phdr *ph = (const void *)(ehdr + eh->e_phoff);
	const Elf64_Dyn *dyn = NULL;
	const Elf64_Sym *sym = NULL;
	const char *str = NULL, *base = ehdr;
	uint32_t count = 0;

	for (unsigned i = 0; i < eh->e_phnum; i++) {
		if (ph[i].p_type == PT_LOAD)
			base = ehdr + ph[i].p_offset - ph[i].p_vaddr;
		if (ph[i].p_type == PT_DYNAMIC)
			dyn = (const void *)(ehdr + ph[i].p_offset);
	}
	for (; dyn != NULL && dyn->d_tag != DT_NULL; dyn++) {
		const char *at = base + dyn->d_un.d_ptr;

		if (dyn->d_tag == DT_SYMTAB)
			sym = (const void *)at;
		if (dyn->d_tag == DT_STRTAB)
			str = at;
		if (dyn->d_tag == DT_HASH)
			count = ((const uint32_t *)(const void *)at)[1];
		if (dyn->d_tag == DT_GNU_HASH && count == 0)
			count = gnu_count((const void *)at);
	}
	for (uint32_t i = 0; sym != NULL && str != NULL && i < count; i++) {
		if (sym[i].st_shndx != SHN_UNDEF && ELF64_ST_TYPE(sym[i].st_info) == STT_FUNC &&
		    strcmp(str + sym[i].st_name, name) == 0)
			return (uint64_t)(base + sym[i].st_value - ehdr);
	}
	return 0;
}

/* ---- in the stubs -------------------------------------------------------- */

_Static_assert(PLATFORM_NOWHERE == STUB_NOWHERE && STUB_NOWHERE == STUB_VDSO + STUB_VDSO_SIZE, "stublayout.h");

bool
hostvdso_arrived(const struct hostvdso *v)
{
	const char *ours = (const char *)(uintptr_t)(v->start + v->code);
	uint64_t len = total(v) - v->code;
	char page[PAGE_SIZE];

	for (uint64_t off = 0; off < len; off += sizeof page) {
		if (host_pread(plat.zygote->memfd, page, sizeof page, (int64_t)(STUB_VDSO + v->code + off)) !=
		    (int64_t)sizeof page || memcmp(page, ours + off, sizeof page) != 0)
			return false;
	}
	return true;
}

uint64_t
platform_vdso(const char *name)
{
	const struct hostvdso *v = &plat.vdso;
	uint64_t at;

	if (v->code == 0)
		return 0;
	at = hostvdso_symbol((const char *)(uintptr_t)(v->start + v->code), name);
	return at != 0 ? STUB_VDSO + v->code + at : 0;
}

bool
platform_in_vdso(uint64_t rip)
{
	return rip - STUB_VDSO < STUB_VDSO_SIZE;
}

bool
platform_vdso_return(const struct abi_regs *regs, uint64_t *slot)
{
	const struct hostvdso *v = &plat.vdso;
	uint64_t at = regs->rip - STUB_VDSO - v->code;

	return v->code != 0 && at < total(v) - v->code &&
	    hostvdso_return((const char *)(uintptr_t)(v->start + v->code), at, regs, slot);
}
