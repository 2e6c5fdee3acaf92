/* mincore: which pages of a fresh anonymous mapping are resident. */
#include "guest.h"
#include <sys/mman.h>

int
main(void)
{
	unsigned char vec[4] = { 0 };
	char *m = mmap(NULL, 4 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	m[4096] = 1;
	S(mincore, m, 4 * 4096, vec);
	P("%d%d%d%d", vec[0] & 1, vec[1] & 1, vec[2] & 1, vec[3] & 1);
	return 0;
}
