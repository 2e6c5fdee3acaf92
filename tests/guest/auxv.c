/* What exec puts on the stack and in the auxiliary vector; uname and its like. */
#include "guest.h"
#include <elf.h>
#include <sys/auxv.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>

int
main(int argc, char **argv, char **envp)
{
	Elf64_auxv_t *av;
	char **e = envp;
	struct utsname u;
	struct sysinfo si;
	unsigned char rnd[16];
	int types = 0;

	while (*e)
		e++;
	av = (Elf64_auxv_t *)(e + 1);
	for (Elf64_auxv_t *a = av; a->a_type != AT_NULL; a++)
		types++;
	P("entries %s", types >= 14 && types < 40 ? "some" : "?");
	P("stack aligned %s", ((uintptr_t)(argv - 1) & 15) == 0 ? "yes" : "no");
	P("argc in place %s", *((long *)argv - 1) == argc ? "yes" : "no");
	P("pagesz %lu", getauxval(AT_PAGESZ));
	P("clktck %lu", getauxval(AT_CLKTCK));
	P("phent %lu phnum %s", getauxval(AT_PHENT), getauxval(AT_PHNUM) > 3 ? "some" : "?");
	P("phdr %s", getauxval(AT_PHDR) ? "set" : "no");
	P("entry %s", getauxval(AT_ENTRY) ? "set" : "no");
	P("base %lu", getauxval(AT_BASE));
	P("flags %lu", getauxval(AT_FLAGS));
	P("ids %lu %lu %lu %lu secure %lu", getauxval(AT_UID), getauxval(AT_EUID), getauxval(AT_GID), getauxval(AT_EGID),
	    getauxval(AT_SECURE));
	P("platform %s", (char *)getauxval(AT_PLATFORM));
	P("execfn %s", strrchr((char *)getauxval(AT_EXECFN), '/'));
	memcpy(rnd, (void *)getauxval(AT_RANDOM), 16);
	int zeros = 0;
	for (int i = 0; i < 16; i++)
		zeros += rnd[i] == 0;
	P("random %s", zeros < 8 ? "looks so" : "zero");
	P("hwcap has sse2 %s", getauxval(AT_HWCAP) & (1 << 26) ? "yes" : "no");
	Elf64_Ehdr *v = (void *)getauxval(AT_SYSINFO_EHDR);
	P("vdso %s", v && memcmp(v->e_ident, ELFMAG, 4) == 0 ? "an ELF" : "none");
	P("strings end at the top: %s", (char *)getauxval(AT_EXECFN) > argv[0] ? "yes" : "no");
	/* uname */
	S(uname, &u);
	P("%s %s", u.sysname, u.machine);
	P("release %s", isdigit(u.release[0]) ? "a number" : u.release);
	S(sysinfo, &si);
	P("ram %s unit %s procs %s", si.totalram >= si.freeram && si.totalram ? "some" : "?", si.mem_unit ? "some" : "0",
	    si.procs ? "some" : "0");
	S(getrandom, rnd, 16, 0);
	S(getrandom, rnd, 0, 0);
	S(getrandom, rnd, 16, 8);
	S(getrandom, rnd, 16, 6);
	S(getrandom, rnd, 16, 1);
	unsigned cpu = 9999, node = 9999;
	S(getcpu, &cpu, &node, NULL);
	P("cpu %s node %s", cpu < 4096 ? "some" : "?", node < 64 ? "some" : "?");
	S(getcpu, NULL, NULL, NULL);
	S(getcpu, BAD, NULL, NULL);
	/* host and domain names: settable by root, in a namespace here or not */
	S(sethostname, "x", -1L);
	S(sethostname, "x", 65);
	S(setdomainname, "x", 65);
	return 0;
}
