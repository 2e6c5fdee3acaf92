/* MAP_FIXED, MAP_FIXED_NOREPLACE, hints, MAP_32BIT, MAP_GROWSDOWN, MAP_POPULATE, MAP_NORESERVE. */
#include "guest.h"

#define ANON	(MAP_PRIVATE | MAP_ANONYMOUS)

int
main(void)
{
	char *base = mmap(NULL, 16 * 4096, PROT_READ | PROT_WRITE, ANON, -1, 0), *a;

	memset(base, 'o', 16 * 4096);
	a = mmap(base + 4096, 4096, PROT_READ | PROT_WRITE, ANON | MAP_FIXED, -1, 0);
	P("fixed at its place %s, fresh %d, before %c, after %c", a == base + 4096 ? "yes" : "no", a[0], base[0],
	    base[8192]);
	a = mmap(base + 4096, 4096, PROT_READ, ANON | MAP_FIXED_NOREPLACE, -1, 0);
	P("noreplace over something: %s", a == MAP_FAILED ? err_name(errno) : "ok");
	munmap(base + 4096, 4096);
	a = mmap(base + 4096, 8192, PROT_READ, ANON | MAP_FIXED_NOREPLACE, -1, 0);
	P("noreplace over half: %s", a == MAP_FAILED ? err_name(errno) : "ok");
	a = mmap(base + 4096, 4096, PROT_READ, ANON | MAP_FIXED_NOREPLACE, -1, 0);
	P("noreplace in the hole: %s", a == base + 4096 ? "there" : a == MAP_FAILED ? err_name(errno) : "elsewhere");
	S(mmap, 1, 4096, PROT_READ, ANON | MAP_FIXED_NOREPLACE, -1, 0);
	a = mmap(base + 4096 + 5, 100, PROT_READ, ANON, -1, 0);
	P("a hint in use: %s", a != base + 4096 && a != MAP_FAILED ? "elsewhere" : "?");
	munmap(base + 8192, 4096);
	a = mmap(base + 8192, 4096, PROT_READ, ANON, -1, 0);
	P("a free hint: %s", a == base + 8192 ? "there" : "elsewhere");
	munmap(base + 8192, 4096);
	a = mmap(base + 8192 + 7, 4096, PROT_READ, ANON, -1, 0);
	P("a free hint, unaligned: %s", a == base + 8192 ? "there, rounded down" :
	    a == base + 3 * 4096 ? "rounded up" : "elsewhere");
	a = mmap(NULL, 4096, PROT_READ | PROT_WRITE, ANON | MAP_32BIT, -1, 0);
	P("32 bit: %s", (uintptr_t)a < 1UL << 31 ? "low" : "high");
	a = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, ANON | MAP_POPULATE, -1, 0);
	unsigned char vec[256] = "";
	mincore(a, 1 << 20, vec);
	P("populated %s", vec[0] & vec[255] & 1 ? "yes" : "no");
	/* reservations cost nothing */
	a = mmap(NULL, 1UL << 42, PROT_NONE, ANON | MAP_NORESERVE, -1, 0);
	P("four terabytes: %s", a == MAP_FAILED ? err_name(errno) : "ok");
	P("commit some: %s", ok(mprotect(a + (1UL << 41), 8192, PROT_READ | PROT_WRITE)));
	a[1UL << 41] = 1;
	P("use it: %d", a[1UL << 41]);
	P("free it: %s", ok(munmap(a, 1UL << 42)));
	/* replacing many mappings by one */
	for (int i = 0; i < 16; i += 2)
		mprotect(base + i * 4096, 4096, PROT_NONE);
	a = mmap(base, 16 * 4096, PROT_READ | PROT_WRITE, ANON | MAP_FIXED, -1, 0);
	int sum = 0;
	for (int i = 0; i < 16 * 4096; i++)
		sum += a[i];
	P("replaced, all zero: %d", sum);
	/* near the bottom */
	S(mmap, NULL, 4096, PROT_READ, ANON | MAP_FIXED, -1, 4095);
	a = mmap((void *)0x200000, 4096, PROT_READ | PROT_WRITE, ANON | MAP_FIXED_NOREPLACE, -1, 0);
	P("a low address: %s", a == (void *)0x200000 ? "there" : "?");
	/* the whole range of user addresses ends one page below 2^47 */
	S(mmap, (1UL << 47) - 4096, 4096, PROT_READ, ANON | MAP_FIXED, -1, 0);
	S(munmap, (1UL << 47) - 4096, 4096);
	S(munmap, (1UL << 47) - 4096, 8192);
	return 0;
}
