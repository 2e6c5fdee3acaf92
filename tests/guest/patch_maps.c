/*
 * Text with patched calls, and what happens to its mapping: the break goes down and up again, madvise keeps it from a
 * child, its file is cut and written anew, and mappings and stacks come where slots may lie.
 */
#include "guest.h"

#define ROOM	(16 << 20)
#define PAGE	4096

/* nop ...; mov $getpid, %eax; syscall; ret */
static const unsigned char site[] = { 0xb8, 39, 0, 0, 0, 0x0f, 0x05, 0xc3 };
#define AT	64
static long pid;

static void
write_text(unsigned char *at)
{
	memset(at, 0x90, AT);
	memcpy(at + AT, site, sizeof site);
}

static int
call(const unsigned char *text)
{
	int good = 0;

	for (int i = 0; i < 200; i++)
		good += ((long (*)(void))(void *)(text + AT))() == pid;
	return good;
}

static int
differ(const unsigned char *a, const unsigned char *b, size_t n)
{
	int found = 0;

	for (size_t i = 0; i < n; i++)
		found += a[i] != b[i];
	return found;
}

/* A page of text at the end of room that is unmapped otherwise. */
static unsigned char *
make_text(void)
{
	unsigned char *room = mmap(NULL, ROOM, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), *text;

	if (room == MAP_FAILED)
		die("mmap");
	text = room + ROOM - PAGE;
	write_text(text);
	if (munmap(room, ROOM - PAGE) != 0 || mprotect(text, PAGE, PROT_READ | PROT_EXEC) != 0)
		die("text");
	return text;
}

static void
in_the_heap(void)
{
	unsigned char *base = (void *)Q(brk, 0), *at = (void *)(((uintptr_t)base + PAGE - 1) & -PAGE);

	for (int i = 0; i < 3; i++) {
		if (Q(brk, at + 2 * PAGE) != (long)at + 2 * PAGE) {
			P("break: not up");
			return;
		}
		write_text(at);
		S(mprotect, at, PAGE, PROT_READ | PROT_EXEC);
		P("break: good %d", call(at));
		P("break: %s", Q(brk, base) == (long)base ? "down" : "not down");
	}
}

static void
look_wiped(unsigned char *text, int mem)
{
	static const unsigned char zeroes[AT + sizeof site];
	unsigned char buf[sizeof zeroes] = { 1 };

	S(pread64, mem, buf, sizeof buf, text);
	P("  not zero: %d by read", differ(buf, zeroes, sizeof zeroes));
	S(mprotect, text, PAGE, PROT_READ | PROT_WRITE);
	P("  not zero: %d by load", differ(text, zeroes, sizeof zeroes));
}

static void
look_absent(unsigned char *text, int mem)
{
	unsigned char c;

	S(pread64, mem, &c, 1, text);
	P("  %s", Q(mmap, text, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == (long)text ?
	    "mapped" : "not mapped");
	P("  first byte %d", text[AT]);
}

static void
kept_from_child(int advice)
{
	unsigned char *text = make_text();

	S(madvise, text, PAGE, advice);
	P("good %d", call(text));
	P("%s", wst(CHILD(
	    int mem = open("/proc/self/mem", O_RDONLY);

	    if (advice == MADV_WIPEONFORK)
		    look_wiped(text, mem);
	    else
		    look_absent(text, mem);
	)));
	P("good %d", call(text));
	munmap(text, PAGE);
}

static void
cut_file(void)
{
	/* xor %eax, %eax; mov $7, %al; ret; two bytes; mov $9, %al; ret */
	static const unsigned char other[] = { 0x31, 0xc0, 0xb0, 7, 0xc3, 0x66, 0x90, 0xb0, 9, 0xc3 };
	char name[] = "/tmp/patch_mapsXXXXXX";
	int fd = mkstemp(name), mem = open("/proc/self/mem", O_RDONLY);
	unsigned char buf[PAGE] = { 0 }, *text;

	if (fd < 0 || mem < 0)
		die("files");
	unlink(name);
	write_text(buf);
	if (write(fd, buf, PAGE) != PAGE)
		die("write");
	text = mmap(NULL, PAGE, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0);
	P("file: good %d", call(text));
	S(ftruncate, fd, 0);
	S(ftruncate, fd, PAGE);
	S(pwrite64, fd, other, sizeof other, AT);
	P("file: %ld", ((long (*)(void))(void *)(text + AT))());
	S(pread64, mem, buf, sizeof other, text + AT);
	P("file: %d differ by read", differ(buf, other, sizeof other));
	S(mprotect, text, PAGE, PROT_READ | PROT_EXEC);
	P("file: %d differ by load", differ(text + AT, other, sizeof other));
	P("file: %ld", ((long (*)(void))(void *)(text + AT))());
	close(mem);
	close(fd);
}

static void
slots_below(void)
{
	unsigned char *text = make_text(), *m, vec[16];
	int mem = open("/proc/self/mem", O_RDONLY);

	if (mem < 0)
		die("mem");
	for (int i = 0; i < 2; i++) {
		P("good %d", call(text));
		S(pread64, mem, vec, sizeof vec, text - 2 * PAGE);
		S(mlock, text - 2 * PAGE, PAGE);
		S(mincore, text - 2 * PAGE, PAGE, vec);
		S(madvise, text - 2 * PAGE, PAGE, MADV_POPULATE_READ);
		m = mmap(text - 2 * PAGE, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		P("by hint: %s", m == text - 2 * PAGE ? "there" : "elsewhere");
		munmap(m, 2 * PAGE);
	}
	m = mmap(text - 2 * PAGE, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_GROWSDOWN, -1, 0);
	P("good %d", call(text));
	for (long at = 0; at < 4 << 20; at += 64 << 10)
		m[-at] = 1;
	P("grown, good %d", call(text));
}

int
main(void)
{
	pid = Q(getpid);
	in_the_heap();
	kept_from_child(MADV_DONTFORK);
	kept_from_child(MADV_WIPEONFORK);
	cut_file();
	slots_below();
	return 0;
}
