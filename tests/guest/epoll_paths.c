/* How many ways may lead from a file up through sets of sets: a wake-up takes them all. */
#include "guest.h"

#include <sys/epoll.h>

#define LAYERS	4
#define MOST	32

static struct epoll_event ev = { .events = EPOLLIN };

static long
add(int set, int fd)
{
	return Q(epoll_ctl, set, EPOLL_CTL_ADD, fd, &ev);
}

/* Every set of a layer is in every one of the next; files are put in at the bottom, or before the sets are joined. */
static void
fan(int layers, int k, bool file_first)
{
	int set[LAYERS][MOST], file = eventfd(0, 0), n = 0;
	uint64_t one = 1;
	long err = 0;

	for (int l = 0; l < layers; l++) {
		for (int i = 0; i < k; i++)
			set[l][i] = epoll_create1(0);
	}
	for (int i = 0; file_first && i < k; i++)
		add(set[0][i], file);
	for (int l = 1; l < layers; l++) {
		for (int i = 0; i < k * k && !err; i++, n++)
			err = add(set[l][i / k], set[l - 1][i % k]);
	}
	for (int i = 0; !file_first && i < k && !err; i++, n++)
		err = add(set[0][i], file);
	P("%d layers of %d, file %s: %d added, then %s", layers, k, file_first ? "first" : "last", n,
	    err ? strerror((int)-err) : "all");
	P("write %ld", Q(write, file, &one, sizeof one));
	for (int l = 0; l < layers; l++) {
		for (int i = 0; i < k; i++)
			close(set[l][i]);
	}
	close(file);
}

int
main(void)
{
	for (int first = 0; first < 2; first++) {
		fan(1, MOST, first);
		fan(2, 22, first);
		fan(2, 23, first);
		fan(3, 4, first);
		fan(3, 5, first);
		fan(4, 2, first);
		fan(4, 3, first);
	}
	return 0;
}
