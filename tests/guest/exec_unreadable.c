/*
 * What may be executed and not be read must not be read out of the process: neither the program nor its interpreter.
 * The programs here say whether they are dumpable, and nothing else.
 */
#include "guest.h"
#include <elf.h>
#include <sys/prctl.h>

#define BASE	0x10000000UL

static const unsigned char code[] = {
	0xbf, PR_GET_DUMPABLE, 0, 0, 0,		/* mov edi, PR_GET_DUMPABLE */
	0xb8, SYS_prctl, 0, 0, 0,		/* mov eax, prctl */
	0x0f, 0x05,				/* syscall */
	0x89, 0xc7,				/* mov edi, eax */
	0xb8, SYS_exit_group, 0, 0, 0,		/* mov eax, exit_group */
	0x0f, 0x05,				/* syscall */
};

static void
make_program(const char *path, const char *interp, mode_t mode)
{
	struct {
		Elf64_Ehdr	e;
		Elf64_Phdr	p[2];
		unsigned char	text[sizeof code];
		char		interp[64];
	} f = {
		.e = {
			.e_ident = { ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64, ELFDATA2LSB, EV_CURRENT },
			.e_type = interp ? ET_EXEC : ET_DYN, .e_machine = EM_X86_64, .e_version = EV_CURRENT,
			.e_phoff = sizeof(Elf64_Ehdr), .e_ehsize = sizeof(Elf64_Ehdr),
			.e_phentsize = sizeof(Elf64_Phdr), .e_phnum = interp ? 2 : 1,
		},
	};
	unsigned long base = interp ? BASE : 0;
	int fd = open(path, O_CREAT | O_WRONLY | O_TRUNC, 0700);

	memcpy(f.text, code, sizeof code);
	f.e.e_entry = base + offsetof(__typeof__(f), text);
	f.p[f.e.e_phnum - 1] = (Elf64_Phdr){ PT_LOAD, PF_R | PF_X, 0, base, base, sizeof f, sizeof f, 4096 };
	if (interp) {
		strcpy(f.interp, interp);
		f.p[0] = (Elf64_Phdr){ PT_INTERP, PF_R, offsetof(__typeof__(f), interp), base + offsetof(__typeof__(f), interp), 0,
		    strlen(interp) + 1, strlen(interp) + 1, 1 };
	}
	if (fd < 0 || write(fd, &f, sizeof f) != sizeof f || fchmod(fd, mode) < 0)
		die("%s", path);
	close(fd);
}

static void
run(const char *path, uid_t uid)
{
	int st = CHILD(if (uid != 0 && (setgroups(0, NULL) < 0 || setgid(uid) < 0 || setuid(uid) < 0)) die("setuid");
	    execl(path, path, NULL); P("%s", err_name(errno)); _exit(99));

	P("%s by %d: %s", path, uid, wst(st));
}

int
main(void)
{
	static const char *names[] = { "open", "closed", "with_open", "with_closed", "closed_with_open", "script_open", "script_closed", "script_hidden" };

	scratch();
	make_program("open", NULL, 0755);
	make_program("closed", NULL, 0711);
	make_program("with_open", "./open", 0755);
	make_program("with_closed", "./closed", 0755);
	make_program("closed_with_open", "./open", 0711);
	put("script_open", "#!./open\n");
	put("script_closed", "#!./closed\n");
	put("script_hidden", "#!./open\n");
	chmod("script_open", 0755);
	chmod("script_closed", 0755);
	chmod("script_hidden", 0711);
	for (size_t i = 0; i < N_OF(names); i++) {
		run(names[i], 0);
		run(names[i], 600);
	}
	return 0;
}
