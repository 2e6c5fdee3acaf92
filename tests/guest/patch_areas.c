/*
 * More call sites than one area of slots holds, then a mapping right below the text, where the first area lies:
 * every site still makes its call.
 */
#include "guest.h"
#include <sys/mman.h>

#define ROOM	(4 << 20)
#define SITES	3000
#define SITE	16
#define TEXT	(SITES * SITE)

static unsigned char *text;

static int
calls(int rounds)
{
	long pid = Q(getpid);
	int good = 0;

	for (int k = 0; k < rounds; k++) {
		for (int i = 0; i < SITES; i++)
			good += ((long (*)(void))(void *)(text + i * SITE))() == pid;
	}
	return good;
}

int
main(void)
{
	/* mov $getpid, %eax; syscall; ret */
	static const unsigned char site[] = { 0xb8, 39, 0, 0, 0, 0x0f, 0x05, 0xc3 };
	size_t len = (TEXT + 4095) & ~4095UL;
	unsigned char *room = mmap(NULL, ROOM, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), *below;

	if (room == MAP_FAILED)
		die("mmap");
	text = room + ROOM - len;
	for (int i = 0; i < SITES; i++)
		memcpy(text + i * SITE, site, sizeof site);
	if (munmap(room, ROOM - len) != 0 || mprotect(text, len, PROT_READ | PROT_EXEC) != 0)
		die("text");
	P("good %d", calls(5));
	for (unsigned n = 1; n <= 64; n *= 4) {
		below = mmap(text - n * 4096, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
		P("below by %u: %s, good %d", n, below == text - n * 4096 ? "mapped" : "elsewhere", calls(5));
	}
	return 0;
}
