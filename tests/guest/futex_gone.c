/* A waiter whose memory is gone is nobody's: it takes no wake-up of memory made since. */
#include "guest.h"
#include <linux/futex.h>

#define ROUNDS	64

static void *
wait_on(void *word)
{
	Q(futex, word, FUTEX_WAIT, 0, NULL);
	return NULL;
}

static int *
fresh(bool file)
{
	int fd = file ? memfd_create("word", 0) : -1;
	int *p;

	if (fd >= 0 && ftruncate(fd, 4096) < 0)
		die("ftruncate");
	p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, file ? MAP_SHARED : MAP_SHARED | MAP_ANONYMOUS, fd, 0);
	if (p == MAP_FAILED)
		die("mmap");
	close(fd);
	return p;
}

/* New objects, one of which may lie where the old one was: nobody has ever waited for them. */
static long
strangers(bool file)
{
	int *m[ROUNDS];
	long woken = 0;

	for (int i = 0; i < ROUNDS; i++) {
		m[i] = fresh(file);
		woken += Q(futex, m[i], FUTEX_WAKE, 10);
	}
	for (int i = 0; i < ROUNDS; i++)
		munmap(m[i], 4096);
	return woken;
}

int
main(void)
{
	for (int file = 0; file < 2; file++) {
		int *word = fresh(file);
		pthread_t t;

		pthread_create(&t, NULL, wait_on, word);
		nap(30);
		P("%s: another word: %s", file ? "file" : "anonymous", res(Q(futex, word + 1, FUTEX_WAKE, 10)));
		/* the last mapping goes while its waiter sleeps */
		munmap(word, 4096);
		P("others': woken %ld", strangers(file));
		P("another process's: %s", wst(CHILD(P("woken %ld", strangers(file)))));
	}
	return 0;
}
