/*
 * Call instructions with neighbours of every kind, many times each: what the registers, the flags and
 * the red zone are afterwards, when control comes from the front or jumps into the middle; and what the
 * program's text looks like to those who read it.
 */
#include "guest.h"

struct regs {
	uint64_t rax, rbx, rcx, rdx, rsi, rdi, rbp, rsp, r8, r9, r10, r11, r12, r13, r14, r15, flags;
};

struct regs in, out;
uint64_t saved_rsp, entry, word = 0x1122334455667788;
extern char probe_done[];
void probe(void);
static pid_t pid;

/* Loads every register from `in`, goes to `entry`; whatever is there comes to probe_done. */
__asm__(
	".text\n"
	".globl probe, probe_done\n"
"probe:\n"
	"push %rbx\n push %rbp\n push %r12\n push %r13\n push %r14\n push %r15\n"
	"mov %rsp, saved_rsp(%rip)\n"
	"push in+128(%rip)\n popf\n"
	"mov in+0(%rip), %rax\n mov in+8(%rip), %rbx\n mov in+16(%rip), %rcx\n mov in+24(%rip), %rdx\n"
	"mov in+32(%rip), %rsi\n mov in+40(%rip), %rdi\n mov in+48(%rip), %rbp\n mov in+56(%rip), %rsp\n"
	"mov in+64(%rip), %r8\n mov in+72(%rip), %r9\n mov in+80(%rip), %r10\n mov in+88(%rip), %r11\n"
	"mov in+96(%rip), %r12\n mov in+104(%rip), %r13\n mov in+112(%rip), %r14\n mov in+120(%rip), %r15\n"
	"jmp *entry(%rip)\n"
"probe_done:\n"
	"mov %rax, out+0(%rip)\n mov %rbx, out+8(%rip)\n mov %rcx, out+16(%rip)\n mov %rdx, out+24(%rip)\n"
	"mov %rsi, out+32(%rip)\n mov %rdi, out+40(%rip)\n mov %rbp, out+48(%rip)\n mov %rsp, out+56(%rip)\n"
	"mov %r8, out+64(%rip)\n mov %r9, out+72(%rip)\n mov %r10, out+80(%rip)\n mov %r11, out+88(%rip)\n"
	"mov %r12, out+96(%rip)\n mov %r13, out+104(%rip)\n mov %r14, out+112(%rip)\n mov %r15, out+120(%rip)\n"
	"mov saved_rsp(%rip), %rsp\n"
	"pushf\n pop out+128(%rip)\n cld\n"
	"pop %r15\n pop %r14\n pop %r13\n pop %r12\n pop %rbp\n pop %rbx\n ret\n"
);

/*
 * SITE(name, code): code has the labels 1 (its start), 2 (the call), 3 (after the call), 4 (an
 * instruction behind that, or once more after the call).
 */
#define SITE(name, code) \
	extern char name##_start[], name##_call[], name##_after[], name##_later[], name##_end[]; \
	__asm__(".text\n .balign 64\n .fill 16, 1, 0x90\n" \
		".globl " #name "_start, " #name "_call, " #name "_after, " #name "_later, " #name "_end\n" \
		code "\n" #name "_end: jmp probe_done\n" \
		".set " #name "_start, 1b\n .set " #name "_call, 2b\n .set " #name "_after, 3b\n .set " #name "_later, 4b\n" \
		".fill 16, 1, 0x90\n")

/* 39 getpid, 3 close, 0 read, 1 write; descriptor -1 is in rdi. */
SITE(mov5, "1: mov $3, %eax\n 2: syscall\n 3: 4:");
SITE(mov5_pid, "1: mov $39, %eax\n 2: syscall\n 3: 4:");
SITE(mov7, "1: mov $3, %rax\n 2: syscall\n 3: 4: nop");
SITE(mov7_pid, "1: mov $39, %rax\n 2: syscall\n 3: 4: nop");
SITE(xor_cmp, "1: xor %eax, %eax\n 2: syscall\n 3: cmp $-4096, %rax\n 4: nop");
SITE(load_r9, "1: mov 8(%rsp), %r9\n 2: syscall\n 3: 4: nop");
SITE(cmp_ja, "1: xor %eax, %eax\n 2: syscall\n 3: cmp $-4096, %rax\n 4: ja 5f\n nop\n nop\n 5:");
SITE(test_jne, "1: nop\n 2: syscall\n 3: test %eax, %eax\n 4: jne 5f\n nop\n nop\n 5:");
SITE(jc_short, "1: nop\n 2: syscall\n 3: jc 5f\n 4: mov $77, %edx\n 5:");
SITE(jc_near, "1: nop\n 2: syscall\n 3: .byte 0x0f, 0x82\n .long 5f - 4f\n 4: mov $77, %edx\n 5:");
SITE(jmp_short, "1: nop\n 2: syscall\n 3: jmp 5f\n 4: mov $77, %edx\n 5:");
SITE(mov_mem, "1: nop\n 2: syscall\n 3: mov word(%rip), %rdx\n 4: nop");
SITE(lea_rip, "1: nop\n 2: syscall\n 3: lea 4f(%rip), %rdx\n 4: nop");
SITE(push_pop, "1: nop\n 2: syscall\n 3: push %rax\n 4: pop %rdx\n nop\n nop");
SITE(small, "1: nop\n 2: syscall\n 3: inc %edx\n 4: dec %esi\n cmc\n nop");
SITE(flags_op, "1: nop\n 2: syscall\n 3: adc $0, %rdx\n 4: pushf\n pop %rsi\n nop");
SITE(returns, "1: call 5f\n 4: jmp 6f\n 5: nop\n 2: syscall\n 3: ret\n nop\n nop\n nop\n nop\n 6:");
SITE(calls, "1: nop\n 2: syscall\n 3: call 5f\n 4: jmp 6f\n 5: mov (%rsp), %rdx\n ret\n 6:");
SITE(again, "1: mov $5, %ebx\n 5: mov $3, %eax\n 2: syscall\n 3: dec %ebx\n 4: jnz 5b\n nop");
SITE(again_call, "1: mov $5, %ebx\n 2: syscall\n 3: dec %ebx\n 4: mov $3, %eax\n jnz 2b\n nop");
SITE(twice, "1: mov $3, %eax\n 2: syscall\n 3: syscall\n 4: mov $3, %eax\n syscall\n nop");
SITE(lea_nr_pid, "1: mov $186, %eax\n lea 186(%rax), %edi\n 2: syscall\n 3: 4: nop");
SITE(nop_nr_pid, "1: mov $186, %eax\n .byte 0x0f, 0x1f, 0xb8\n .long 186\n 2: syscall\n 3: 4: nop");
SITE(jrcxz, "1: nop\n 2: syscall\n 3: jrcxz 5f\n 4: mov $77, %edx\n 5:");
SITE(loops, "1: nop\n 2: syscall\n 3: mov $3, %ecx\n 5: loop 5b\n 4: nop");

struct site {
	const char	*name;
	char		*start, *call, *after, *later, *end;
	uint8_t		text[96];
};
#define S_(n)	{ #n, n##_start, n##_call, n##_after, n##_later, n##_end, { 0 } }
static struct site sites[] = {
	S_(mov5), S_(mov5_pid), S_(mov7), S_(mov7_pid), S_(xor_cmp), S_(load_r9), S_(cmp_ja), S_(test_jne),
	S_(jc_short), S_(jc_near), S_(jmp_short), S_(mov_mem), S_(lea_rip), S_(push_pop), S_(small), S_(flags_op),
	S_(returns), S_(calls), S_(again), S_(again_call), S_(twice), S_(lea_nr_pid),
	S_(nop_nr_pid), S_(jrcxz), S_(loops),
};

#define PATTERN	0x5a5a000000000000UL
static uint64_t stack[512];

/* A number that the transcript can hold. */
static const char *
value(const struct site *s, uint64_t v)
{
	char *b = g_buf();

	if (v == (uint64_t)pid)
		return "pid";
	if (v - (uintptr_t)s->start < 128)
		snprintf(b, 64, "start+%d", (int)(v - (uintptr_t)s->start));
	else if (v == (uintptr_t)&stack[256])
		return "stack";
	else if ((int64_t)v < 0 && (int64_t)v > -4096)
		return err_name(-(int64_t)v);
	else
		snprintf(b, 64, "%#lx", (unsigned long)v);
	return b;
}

static const char *const reg_names[] = {
	"rax", "rbx", "rcx", "rdx", "rsi", "rdi", "rbp", "rsp", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15",
	"flags",
};

static void
set_up(const struct site *s, uint64_t flags, uint64_t rax)
{
	uint64_t *r = &in.rax;

	for (unsigned i = 0; i < N_OF(reg_names); i++)
		r[i] = 0xa0a0a0a000000000 + i * 0x01010101;
	for (unsigned i = 0; i < N_OF(stack); i++)
		stack[i] = PATTERN + i;
	stack[256] = (uintptr_t)s->later;	/* for the site that returns */
	in.rax = rax;
	in.rbx = 3;				/* for those that loop */
	in.rdi = (uint64_t)-1;
	in.rsp = (uintptr_t)&stack[256];
	in.flags = flags;
}

static bool
zone_kept(void)
{
	for (unsigned i = 0; i < N_OF(stack); i++) {
		/* what the pushes of a site itself leave */
		if (stack[i] != PATTERN + i && i != 255 && i != 256)
			return false;
	}
	return true;
}

/* The first result by name, and how many of n differ from it. */
static void
try(const struct site *s, const char *where, void *at, uint64_t flags, uint64_t rax, int n)
{
	struct regs first;
	int differ = 0, zone = 0;
	char line[512];
	int len = 0;

	for (int i = 0; i < n; i++) {
		set_up(s, flags, rax);
		entry = (uintptr_t)at;
		probe();
		if (i == 0)
			first = out;
		differ += memcmp(&first, &out, sizeof out) != 0;
		zone += !zone_kept();
	}
	for (unsigned i = 0; i < N_OF(reg_names); i++) {
		uint64_t a = (&in.rax)[i], b = (&first.rax)[i];

		if (a != b)
			len += snprintf(line + len, sizeof line - len, " %s=%s", reg_names[i], value(s, b));
	}
	line[len] = 0;
	P("%s %s %#lx:%s; %d differ, red zone changed %d times", s->name, where, (unsigned long)flags, line, differ, zone);
}

static const uint64_t flag_sets[] = { 0x202, 0x203, 0x246, 0xad7 & ~0x100UL, 0x602, 0xed7, 0x200202 };

static void
run_site(struct site *s)
{
	uint64_t nr = strstr(s->name, "pid") ? SYS_getpid : SYS_close;

	for (unsigned f = 0; f < N_OF(flag_sets); f++)
		try(s, "start", s->start, flag_sets[f], nr, f == 0 ? 200 : 20);
	if (s->call != s->start)
		try(s, "call", s->call, 0x203, nr, 100);
	try(s, "after", s->after, 0x203, 99, 100);
	if (s->later != s->after && strcmp(s->name, "push_pop") != 0)
		try(s, "later", s->later, 0x246, 99, 100);
	/* another number at the same place */
	if (s->call != s->start) {
		try(s, "call", s->call, 0x202, SYS_getpgid, 20);
		try(s, "call", s->call, 0x202, SYS_write, 20);
		try(s, "call", s->call, 0x202, 100000, 20);
	}
}

/* ---- the text ---------------------------------------------------------------- */

static void
same(const char *what, const uint8_t *got, const struct site *s, long n, int *bad)
{
	if (n != sizeof s->text || memcmp(got, s->text, sizeof s->text) != 0) {
		P("%s of %s: %s", what, s->name, n == sizeof s->text ? "other bytes" : res(n));
		++*bad;
	}
}

/* Through the same few call instructions each time, so that they are patched as well. */
static void
read_back(const struct site *s, int mem, int p[2], int *bad)
{
	uint8_t buf[sizeof s->text];
	char *from = s->start - 16;
	struct iovec l = { buf, sizeof buf }, r = { from, sizeof buf }, half[2] = { { from, 40 }, { from + 40, sizeof buf - 40 } };

	same("/proc/self/mem", buf, s, Q(pread64, mem, buf, sizeof buf, from), bad);
	same("process_vm_readv", buf, s, Q(process_vm_readv, pid, &l, 1, &r, 1, 0), bad);
	Q(write, p[1], from, sizeof buf);
	same("write", buf, s, Q(read, p[0], buf, sizeof buf), bad);
	Q(writev, p[1], half, 2);
	same("writev", buf, s, Q(read, p[0], buf, sizeof buf), bad);
}

static int
count_maps(void)
{
	FILE *f = fopen("/proc/self/maps", "r");
	int c, n = 0;

	while ((c = getc(f)) != EOF)
		n += c == '\n';
	fclose(f);
	return n;
}

/* Calls whose path or small struct is the text itself. */
static void
text_as_argument(void)
{
	char *path = mov5_start, copy[96], *end;
	struct stat st;
	long a = 0, b = 0;

	memcpy(copy, sites[0].text + 16, sizeof copy - 16);
	end = memchr(copy, 0, sizeof copy);
	P("the text as a path is short: %s", end ? "yes" : "no");
	for (int i = 0; i < 100; i++) {
		a = Q(stat, path, &st);
		b = Q(stat, copy, &st);
	}
	P("as a path: %s %s", res(a), res(b));
}

static void
change_text(struct site *s)
{
	char *page = (char *)((uintptr_t)s->start & ~4095UL);

	P("mprotect to write: %s", res(Q(mprotect, page, 8192, PROT_READ | PROT_WRITE | PROT_EXEC)));
	P("bytes are %s", memcmp(s->start - 16, s->text, sizeof s->text) ? "others" : "mine");
	try(s, "start", s->start, 0x202, SYS_close, 50);
	/* the number is the instruction's own: getpid from now on */
	*(volatile char *)(s->start + 1) = 39;
	try(s, "changed", s->start, 0x202, SYS_close, 50);
	*(volatile char *)(s->start + 1) = 3;
	P("mprotect back: %s", res(Q(mprotect, page, 8192, PROT_READ | PROT_EXEC)));
	try(s, "start", s->start, 0x202, SYS_close, 50);
}

static void
poke_text(struct site *s, int mem)
{
	char nr = 39;

	P("poke: %s", res(Q(pwrite64, mem, &nr, 1, s->start + 1)));
	try(s, "poked", s->start, 0x202, SYS_close, 50);
	nr = 3;
	P("poke back: %s", res(Q(pwrite64, mem, &nr, 1, s->start + 1)));
	try(s, "start", s->start, 0x202, SYS_close, 50);
}

int
main(void)
{
	int mem = open("/proc/self/mem", O_RDWR), p[2], bad = 0, maps;

	if (mem < 0 || pipe(p) < 0)
		die("scenery");
	pid = getpid();
	for (unsigned i = 0; i < N_OF(sites); i++)
		memcpy(sites[i].text, sites[i].start - 16, sizeof sites[i].text);
	count_maps();
	maps = count_maps();
	for (unsigned i = 0; i < N_OF(sites); i++)
		run_site(&sites[i]);
	for (int n = 0; n < 20; n++) {
		for (unsigned i = 0; i < N_OF(sites); i++)
			read_back(&sites[i], mem, p, &bad);
	}
	P("texts that were not as written: %d", bad);
	P("mappings: %s", count_maps() == maps ? "as before" : "others");
	text_as_argument();
	P("child: %s", wst(CHILD(pid = getpid(); run_site(&sites[0]); run_site(&sites[1]); read_back(&sites[2], mem, p, &bad))));
	pid = getpid();
	change_text(&sites[0]);
	poke_text(&sites[0], mem);
	return 0;
}
