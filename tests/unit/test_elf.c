/* elfparse: what it takes, and that it refuses everything else with -ENOEXEC. */
#include <check.h>
#include <linux/mman.h>
#include <stdlib.h>
#include <string.h>

#include "sentry/kernel/elfparse.h"

#define LIMIT	0x7fff80000000ULL

struct image {
	Elf64_Ehdr h;
	Elf64_Phdr p[8];
};

static struct elf_plan plan;

static void
add(struct image *i, uint32_t type, uint32_t flags, uint64_t off, uint64_t va, uint64_t filesz,
    uint64_t memsz)
{
	i->p[i->h.e_phnum++] = (Elf64_Phdr){
		.p_type = type, .p_flags = flags, .p_offset = off, .p_vaddr = va, .p_filesz = filesz,
		.p_memsz = memsz, .p_align = 0x1000 };
}

/* A usual dynamic program. */
static struct image
usual(void)
{
	struct image i = { .h = {
		.e_type = ET_DYN, .e_machine = EM_X86_64, .e_entry = 0x1040,
		.e_phoff = sizeof(Elf64_Ehdr), .e_phentsize = sizeof(Elf64_Phdr) } };

	memcpy(i.h.e_ident, ELFMAG, SELFMAG);
	i.h.e_ident[EI_CLASS] = ELFCLASS64;
	i.h.e_ident[EI_DATA] = ELFDATA2LSB;
	add(&i, PT_INTERP, PF_R, 0x318, 0x318, 0x1c, 0x1c);
	add(&i, PT_LOAD, PF_R, 0, 0, 0x600, 0x600);
	add(&i, PT_LOAD, PF_R | PF_X, 0x1000, 0x1000, 0x200, 0x200);
	add(&i, PT_LOAD, PF_R | PF_W, 0x2db8, 0x3db8, 0x260, 0x5000);
	add(&i, PT_GNU_STACK, PF_R | PF_W, 0, 0, 0, 0);
	return i;
}

static int
parse(const struct image *i)
{
	return elf_parse(&i->h, sizeof i->h, i->p, i->h.e_phnum * sizeof i->p[0], LIMIT, &plan);
}

START_TEST(takes_a_usual_program)
{
	struct image i = usual();

	ck_assert_int_eq(parse(&i), 0);
	ck_assert(plan.is_dyn && plan.has_interp && plan.stack_known && !plan.exec_stack);
	ck_assert_uint_eq(plan.nsegs, 3);
	ck_assert_uint_eq(plan.lo, 0);
	ck_assert_uint_eq(plan.hi, 0x9000);
	ck_assert_uint_eq(plan.phdr_va, sizeof(Elf64_Ehdr));
	ck_assert_uint_eq(plan.interp_off, 0x318);
	ck_assert_uint_eq(plan.seg[1].prot, PROT_READ | PROT_EXEC);
	ck_assert_uint_eq(plan.seg[2].prot, PROT_READ | PROT_WRITE);
}
END_TEST

START_TEST(refuses_other_machines)
{
	struct image i = usual();

	i.h.e_ident[EI_CLASS] = ELFCLASS32;
	ck_assert_int_eq(parse(&i), -ENOEXEC);
	i = usual();
	i.h.e_machine = EM_AARCH64;
	ck_assert_int_eq(parse(&i), -ENOEXEC);
	i = usual();
	i.h.e_ident[EI_DATA] = ELFDATA2MSB;
	ck_assert_int_eq(parse(&i), -ENOEXEC);
	i = usual();
	i.h.e_type = ET_REL;
	ck_assert_int_eq(parse(&i), -ENOEXEC);
}
END_TEST

START_TEST(refuses_truncated_headers)
{
	struct image i = usual();
	uint64_t off;
	size_t size;

	for (size_t n = 0; n < sizeof i.h; n++)
		ck_assert_int_eq(elf_parse_header(&i.h, n, &off, &size), -ENOEXEC);
	for (size_t n = 0; n < i.h.e_phnum * sizeof i.p[0]; n++)
		ck_assert_int_eq(elf_parse(&i.h, sizeof i.h, i.p, n, LIMIT, &plan), -ENOEXEC);
}
END_TEST

START_TEST(refuses_odd_program_headers)
{
	struct image i = usual();

	i.h.e_phentsize--;
	ck_assert_int_eq(parse(&i), -ENOEXEC);
	i = usual();
	i.h.e_phnum = 0;
	ck_assert_int_eq(parse(&i), -ENOEXEC);
	i = usual();
	i.p[2].p_filesz = i.p[2].p_memsz + 1;
	ck_assert_int_eq(parse(&i), -ENOEXEC);
	i = usual();
	i.p[3].p_memsz = UINT64_MAX;
	ck_assert_int_eq(parse(&i), -ENOEXEC);
	i = usual();
	i.p[3].p_vaddr = LIMIT - 0x248;
	ck_assert_int_eq(parse(&i), -ENOEXEC);
	i = usual();
	i.p[3].p_offset = UINT64_MAX - 0x100;
	ck_assert_int_eq(parse(&i), -ENOEXEC);
	i = usual();
	i.p[3].p_offset++;		/* no longer congruent */
	ck_assert_int_eq(parse(&i), -ENOEXEC);
	i = usual();
	i.p[3].p_vaddr = 0x1db8;	/* on a page of the one before */
	ck_assert_int_eq(parse(&i), -ENOEXEC);
	i = usual();
	i.p[0].p_filesz = 1;		/* an interpreter without a name */
	ck_assert_int_eq(parse(&i), -ENOEXEC);
	i = usual();
	i.p[0].p_filesz = 5000;
	ck_assert_int_eq(parse(&i), -ENOEXEC);
	i = usual();
	i.h.e_entry = LIMIT;
	ck_assert_int_eq(parse(&i), -ENOEXEC);
}
END_TEST

START_TEST(refuses_a_file_without_segments)
{
	struct image i = usual();

	for (unsigned n = 0; n < i.h.e_phnum; n++) {
		if (i.p[n].p_type == PT_LOAD)
			i.p[n].p_type = PT_NULL;
	}
	ck_assert_int_eq(parse(&i), -ENOEXEC);
}
END_TEST

static const char *got_interp, *got_arg;

static int
script(const char *line)
{
	static char buf[256];

	memset(buf, 0, sizeof buf);
	memcpy(buf, line, min(strlen(line), sizeof buf));
	return script_parse(buf, sizeof buf, (char **)&got_interp, (char **)&got_arg);
}

START_TEST(reads_interpreter_lines)
{
	ck_assert_int_eq(script("#!/bin/sh\necho"), 0);
	ck_assert_str_eq(got_interp, "/bin/sh");
	ck_assert_ptr_eq(got_arg, NULL);
	ck_assert_int_eq(script("#! \t/usr/bin/env  python3 -u \t\nx"), 0);
	ck_assert_str_eq(got_interp, "/usr/bin/env");
	ck_assert_str_eq(got_arg, "python3 -u");
	ck_assert_int_eq(script("#!/bin/sh"), 0);
	ck_assert_str_eq(got_interp, "/bin/sh");
	ck_assert_int_eq(script("#!\n"), -ENOEXEC);
	ck_assert_int_eq(script("#!   \t\n"), -ENOEXEC);
	ck_assert_int_eq(script("/bin/sh"), -ENOEXEC);
}
END_TEST

START_TEST(refuses_a_name_that_was_cut)
{
	char line[400];

	memset(line, 'a', sizeof line);
	memcpy(line, "#!/", 3);
	line[sizeof line - 1] = '\0';
	ck_assert_int_eq(script(line), -ENOEXEC);
	/* The argument may be. */
	line[20] = ' ';
	ck_assert_int_eq(script(line), 0);
	ck_assert_uint_eq(strlen(got_interp), 18);
	ck_assert_ptr_ne(got_arg, NULL);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("elf");
	TCase *c = tcase_create("parse");
	SRunner *r;
	int failed;

	tcase_add_test(c, takes_a_usual_program);
	tcase_add_test(c, refuses_other_machines);
	tcase_add_test(c, refuses_truncated_headers);
	tcase_add_test(c, refuses_odd_program_headers);
	tcase_add_test(c, refuses_a_file_without_segments);
	tcase_add_test(c, reads_interpreter_lines);
	tcase_add_test(c, refuses_a_name_that_was_cut);
	suite_add_tcase(s, c);
	r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
