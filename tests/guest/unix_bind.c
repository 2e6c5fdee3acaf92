/* One socket is bound to two names at once: one bind wins, and when the socket is gone neither name leads anywhere. */
#include "guest.h"
#include <sys/un.h>

#define ROUNDS	1000

static const char *const names[2] = { "a.sock", "b.sock" };
static pthread_barrier_t both;
static int sock;
static long won[2];

static struct sockaddr_un
address(int n)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };

	strcpy(a.sun_path, names[n]);
	return a;
}

static void
bind_one(int n)
{
	struct sockaddr_un a = address(n);

	pthread_barrier_wait(&both);
	won[n] = Q(bind, sock, &a, sizeof a);
	pthread_barrier_wait(&both);
}

static void *
bind_second(void *arg)
{
	(void)arg;
	for (int i = 0; i < ROUNDS; i++)
		bind_one(1);
	return NULL;
}

static int
answers(int n)
{
	struct sockaddr_un a = address(n);
	int s = socket(AF_UNIX, SOCK_DGRAM, 0);
	int yes = Q(connect, s, &a, sizeof a) == 0;

	close(s);
	return yes;
}

int
main(void)
{
	int twice = 0, never = 0, ghosts = 0;
	pthread_t other;

	pthread_barrier_init(&both, NULL, 2);
	if (pthread_create(&other, NULL, bind_second, NULL) != 0)
		die("pthread_create");
	for (int i = 0; i < ROUNDS; i++) {
		unlink(names[0]);
		unlink(names[1]);
		sock = socket(AF_UNIX, SOCK_DGRAM, 0);
		bind_one(0);
		twice += won[0] == 0 && won[1] == 0;
		never += won[0] != 0 && won[1] != 0;
		close(sock);
		ghosts += answers(0) + answers(1);
	}
	pthread_join(other, NULL);
	P("bound twice %d, never %d; names of a dead socket that answered %d", twice, never, ghosts);
	return 0;
}
