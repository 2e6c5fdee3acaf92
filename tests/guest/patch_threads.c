/*
 * Many threads run into the same call instructions while these are new, again and again in fresh pages,
 * with forks, execs, signals and changes of the mappings beside them.
 */
#include "guest.h"
#include <sys/auxv.h>

#define THREADS	8
#define SITES	24
#define PAGE	4096

/* A site of each kind, to be copied: mov $nr,%eax; syscall and friends, each ends in ret. Number in rsi for the last. */
extern const char kind0[], kind1[], kind2[], kind3[], kinds_end[];
__asm__(
	".text\n .globl kind0, kind1, kind2, kind3, kinds_end\n"
"kind0:	mov $39, %eax\n syscall\n ret\n .balign 32, 0x90\n"
"kind1:	push %rbx\n mov $39, %ebx\n mov %ebx, %eax\n syscall\n cmp $-4096, %rax\n pop %rbx\n ret\n .balign 32, 0x90\n"
"kind2:	mov $39, %rax\n syscall\n ret\n .balign 32, 0x90\n"
"kind3:	push %rdi\n mov $-1, %rdi\n mov $3, %eax\n syscall\n pop %rdi\n add $9, %rax\n add %rdi, %rax\n ret\n .balign 32, 0x90\n"
"kinds_end:\n"
);

typedef long site_fn(long pid);

static volatile int go, bad, running, over;
static char *volatile code;		/* SITES sites, each 32 bytes */
static pid_t pid;

static size_t
code_len(void)
{
	return SITES * 32;
}

static void
code_fill(char *to)
{
	const char *const kinds[] = { kind0, kind1, kind2, kind3 };

	for (int i = 0; i < SITES; i++)
		memcpy(to + i * 32, kinds[i % 4], 32);
}

static char *
code_new(void *at)
{
	char *p = mmap(at, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | (at ? MAP_FIXED : 0), -1, 0);

	if (p == MAP_FAILED)
		die("mmap");
	code_fill(p);
	if (mprotect(p, 2 * PAGE, PROT_READ | PROT_EXEC) < 0)
		die("mprotect");
	return p;
}

/* kind3 returns its argument. */
static int
call_all(char *at, pid_t me)
{
	int wrong = 0;

	for (int i = 0; i < SITES; i++)
		wrong += ((site_fn *)(at + i * 32))(me) != me;
	return wrong;
}

static void *
racer(void *arg)
{
	(void)arg;
	while (!over) {
		int round = go;

		if (round == 0) {
			nap(1);
			continue;
		}
		__atomic_add_fetch(&running, 1, __ATOMIC_SEQ_CST);
		for (int i = 0; i < 10 && go == round; i++)
			__atomic_add_fetch(&bad, call_all(code, pid), __ATOMIC_SEQ_CST);
		__atomic_sub_fetch(&running, 1, __ATOMIC_SEQ_CST);
		while (go == round && !over)
			nap(1);
	}
	return NULL;
}

static void
with_racers(const char *what, void (*beside)(int round), int rounds)
{
	pthread_t t[THREADS];

	go = bad = over = 0;
	for (int i = 0; i < THREADS; i++)
		pthread_create(&t[i], NULL, racer, NULL);
	for (int r = 1; r <= rounds; r++) {
		char *old = code;

		/* nobody is in the old one */
		go = 0;
		while (running)
			sched_yield();
		code = code_new(NULL);
		go = r;
		if (beside)
			beside(r);
		bad += call_all(code, pid);
		go = 0;
		while (running)
			sched_yield();
		if (old)
			munmap(old, 2 * PAGE);
	}
	over = 1;
	for (int i = 0; i < THREADS; i++)
		pthread_join(t[i], NULL);
	P("%s: %d wrong", what, bad);
}

/* ---- what goes on beside ------------------------------------------------------------------ */

static void
forks(int round)
{
	int st;

	(void)round;
	st = CHILD(_exit(call_all(code, getpid()) + call_all(code, getpid())));
	bad += st != 0;
}

static void
protects(int round)
{
	char *c = code;

	for (int i = 0; i < 4; i++) {
		if (mprotect(c, PAGE, PROT_READ | PROT_WRITE | PROT_EXEC) < 0)
			die("mprotect");
		/* as it should be, or a patch shows */
		bad += memcmp(c, kind0, 9) != 0;
		bad += call_all(c, pid);
		c[PAGE - 1] = (char)round;
		if (mprotect(c, PAGE, PROT_READ | PROT_EXEC) < 0)
			die("mprotect");
		bad += call_all(c, pid);
	}
}

static volatile int signals;

static void
count(int sig)
{
	(void)sig;
	signals++;
	bad += call_all(code, pid);
}

static void
raises(int round)
{
	(void)round;
	for (int i = 0; i < 10; i++)
		Q(kill, pid, SIGUSR1);
}

/* The same page, from nothing, again and again. */
static void
anew(void)
{
	char *at = code_new(NULL);
	int wrong = 0;

	for (int i = 0; i < 100; i++) {
		wrong += call_all(at, pid);
		wrong += call_all(at, pid);
		wrong += call_all(at, pid);
		wrong += call_all(at, pid);
		if (i % 3 == 0) {
			munmap(at, 2 * PAGE);
			code_new(at);
		} else if (i % 3 == 1) {
			code_new(at);
		} else {
			char *to = mmap(NULL, 2 * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

			at = mremap(at, 2 * PAGE, 2 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, to);
			if (at == MAP_FAILED)
				die("mremap");
		}
	}
	/* other code in the same place */
	for (int i = 0; i < 20; i++) {
		if (mprotect(at, PAGE, PROT_READ | PROT_WRITE) < 0)
			die("mprotect");
		memcpy(at, i % 2 ? kind0 : kind2, 32);
		memcpy(at + 64, i % 2 ? kind2 : kind0, 32);
		if (mprotect(at, PAGE, PROT_READ | PROT_EXEC) < 0)
			die("mprotect");
		for (int k = 0; k < 5; k++)
			wrong += call_all(at, pid);
	}
	munmap(at, 2 * PAGE);
	P("anew: %d wrong", wrong);
}

/* Everything near the text that is no mapping gets one, which must be empty and stay what it is made. */
static void
neighbours(void)
{
	char *at = code_new(NULL), *got = NULL;
	int wrong = 0, dirty = 0, made = 0;

	for (int i = 0; i < 5; i++)
		wrong += call_all(at, pid);
	for (int step = -64; step < 64; step++) {
		char *want = at + (long)step * 0x10000;

		got = mmap(want, 0x10000, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
		if (got == MAP_FAILED)
			continue;
		made++;
		for (int k = 0; k < 0x10000; k++)
			dirty += got[k] != 0;
		memset(got, 0x55, 0x10000);
		wrong += call_all(at, pid);
		for (int k = 0; k < 0x10000; k++)
			dirty += got[k] != 0x55;
	}
	for (int i = 0; i < 5; i++)
		wrong += call_all(at, pid);
	/* and all the room there is below 2 GiB of it, in one piece each */
	for (int i = 0; i < 3; i++) {
		got = mmap(NULL, 1UL << 30, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
		P("a gigabyte: %s", got == MAP_FAILED ? "none" : "ok");
		for (int k = 0; k < 5; k++)
			wrong += call_all(at, pid);
		munmap(got, 1UL << 30);
	}
	P("neighbours: %d wrong, %d dirty, %s", wrong, dirty, made > 10 ? "some made" : "few made");
}

/* A file's pages are patched in private: neither the file nor another mapping of it shows that. */
static void
of_a_file(void)
{
	int fd = open("code", O_RDWR | O_CREAT | O_TRUNC, 0755);
	char buf[SITES * 32], page[SITES * 32], *a, *b, *c;
	int wrong = 0;

	code_fill(page);
	if (write(fd, page, sizeof page) != (long)sizeof page)
		die("write");
	a = mmap(NULL, PAGE, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0);
	b = mmap(NULL, PAGE, PROT_READ | PROT_EXEC, MAP_SHARED, fd, 0);
	c = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	for (int i = 0; i < 10; i++)
		wrong += call_all(a, pid) + call_all(b, pid);
	P("file %s, shared mappings %s %s", pread(fd, buf, sizeof buf, 0) == (long)sizeof buf && memcmp(buf, page, sizeof buf) == 0 ? "as it was" : "changed",
	    memcmp(b, page, sizeof page) == 0 ? "same" : "changed", memcmp(c, page, sizeof page) == 0 ? "same" : "changed");
	/* getpid becomes getppid in the file: where it is shared, and in a mapping made now */
	c[1] = 110;
	P("through the shared one: %s", ((site_fn *)b)(pid) == getppid() ? "parent" : "?");
	munmap(a, PAGE);
	a = mmap(NULL, PAGE, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0);
	for (int i = 0; i < 10; i++)
		wrong += ((site_fn *)a)(pid) != getppid();
	P("file: %d wrong", wrong);
	munmap(a, PAGE);
	munmap(b, PAGE);
	munmap(c, PAGE);
	close(fd);
}

/* Threads leave by exec while others race. */
static void *
exec_main(void *arg)
{
	char *const argv[] = { "patch_threads", "again", NULL };

	(void)arg;
	nap(5);
	execve("/proc/self/exe", argv, environ);
	die("execve");
}

static void
execs(void)
{
	for (int i = 0; i < 5; i++) {
		int st = CHILD(
			pthread_t t;

			pid = getpid();
			pthread_create(&t, NULL, exec_main, NULL);
			over = 0;
			go = 1;
			for (int k = 0; k < 4; k++)
				pthread_create(&t, NULL, racer, NULL);
			for (;;)
				call_all(code, pid);
		);

		P("exec: %s", wst(st));
	}
}

static void
ends(void)
{
	for (int i = 0; i < 5; i++) {
		P("end: %s", wst(CHILD(
			pthread_t t;

			pid = getpid();
			over = 0;
			go = 1;
			for (int k = 0; k < 4; k++)
				pthread_create(&t, NULL, racer, NULL);
			for (int k = 0; k < 50 * i; k++)
				call_all(code, pid);
			if (i == 4)
				Q(kill, pid, SIGKILL);
			Q(exit_group, 7);
		)));
	}
}

int
main(int argc, char **argv)
{
	(void)argv;
	pid = getpid();
	if (argc > 1) {
		char *at = code_new(NULL);
		int wrong = 0;

		for (int i = 0; i < 10; i++)
			wrong += call_all(at, pid);
		return wrong;
	}
	scratch();
	with_racers("race", NULL, 40);
	with_racers("race and fork", forks, 20);
	with_racers("race and mprotect", protects, 20);
	signal(SIGUSR1, count);
	with_racers("race and signals", raises, 20);
	P("signals: %s", signals ? "some" : "none");
	anew();
	neighbours();
	of_a_file();
	code = code_new(NULL);
	execs();
	ends();
	return 0;
}
