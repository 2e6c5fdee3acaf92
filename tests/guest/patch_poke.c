/*
 * A debugger's writes to text that other threads run, or another process, at call sites that are patched again at
 * once: each is there afterwards, and no thread runs anything else.
 */
#include "guest.h"

#define POKES	15000
#define AT	124	/* the first bytes of a site are in one line of the cache, the others in the next */

/* mov $getpid, %eax; syscall; ret */
static const unsigned char site[] = { 0xb8, 39, 0, 0, 0, 0x0f, 0x05, 0xc3 };
static unsigned char *text;
static _Atomic bool stop;
static _Atomic long strange;
static long pid, parent;

static void *
caller(void *arg)
{
	while (!stop) {
		long v = ((long (*)(void))(void *)(text + AT))();

		if (v != pid && v != parent)
			strange++;
	}
	return arg;
}

static void
by_itself(int mem)
{
	pthread_t t[3];
	int lost = 0;

	for (unsigned i = 0; i < N_OF(t); i++)
		pthread_create(&t[i], NULL, caller, NULL);
	for (int i = 0; i < POKES; i++) {
		unsigned char nr = i & 1 ? SYS_getpid : SYS_getppid, got = 0;

		if (Q(pwrite64, mem, &nr, 1, text + AT + 1) != 1)
			die("pwrite");
		Q(pread64, mem, &got, 1, text + AT + 1);
		lost += got != nr;
	}
	stop = true;
	for (unsigned i = 0; i < N_OF(t); i++)
		pthread_join(t[i], NULL);
	P("lost %d, strange %ld", lost, strange);
}

static void
by_child(int mem)
{
	int st;
	pid_t p = START(
		for (int i = 0; i < POKES; i++) {
			if (Q(pwrite64, mem, site + 1, 1, text + AT + 1) != 1)
				_exit(1);
		}
	);

	while (waitpid(p, &st, WNOHANG) == 0) {
		for (int i = 0; i < 1000; i++)
			strange += ((long (*)(void))(void *)(text + AT))() != pid;
	}
	P("child: %s, strange %ld", wst(st), strange);
}

int
main(void)
{
	int mem = open("/proc/self/mem", O_RDWR);

	pid = getpid();
	parent = getppid();
	text = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (mem < 0 || text == MAP_FAILED)
		die("scenery");
	memset(text, 0x90, AT);
	memcpy(text + AT, site, sizeof site);
	mprotect(text, 4096, PROT_READ | PROT_EXEC);
	by_child(mem);
	by_itself(mem);
	return 0;
}
