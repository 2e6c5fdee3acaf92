/* A record lock that is granted when its descriptor has been closed, or is another file's, is none. */
#include "guest.h"

static int fd, up[2], go[2];
static char path[64];

static struct flock
whole(short type)
{
	return (struct flock){ .l_type = type, .l_whence = SEEK_SET };
}

/* Holds the lock until it is told, then says whether it can have it back. */
static void
holder(void)
{
	struct flock l = whole(F_WRLCK);
	int own = open(path, O_RDWR);
	char c = 0;

	if (fcntl(own, F_SETLK, &l) != 0 || write(up[1], &c, 1) != 1 || read(go[0], &c, 1) != 1)
		_exit(1);
	l = whole(F_UNLCK);
	fcntl(own, F_SETLK, &l);
	if (write(up[1], &c, 1) != 1 || read(go[0], &c, 1) != 1)
		_exit(1);
	l = whole(F_WRLCK);
	P("the other has it back: %s", res(Q(fcntl, own, F_SETLK, &l)));
	_exit(0);
}

static void *
waiter(void *arg)
{
	struct flock l = whole(F_WRLCK);

	(void)arg;
	P("granted: %s", res(Q(fcntl, fd, F_SETLKW, &l)));
	return NULL;
}

static void
once(const char *what, int replace)
{
	char c = 0;
	pthread_t t;
	int status;
	pid_t pid;

	P("%s", what);
	if (pipe(up) != 0 || pipe(go) != 0)
		die("pipe");
	fd = open(path, O_RDWR | O_CREAT, 0600);
	pid = fork();
	if (pid == 0)
		holder();
	if (read(up[0], &c, 1) != 1)
		die("holder");
	pthread_create(&t, NULL, waiter, NULL);
	usleep(200000);
	if (replace == 1)
		close(fd);
	else if (replace == 2)
		dup2(up[0], fd);
	if (write(go[1], &c, 1) != 1 || read(up[0], &c, 1) != 1)
		die("holder");
	pthread_join(t, NULL);
	if (write(go[1], &c, 1) != 1)
		die("holder");
	waitpid(pid, &status, 0);
	close(fd);
	close(up[0]); close(up[1]); close(go[0]); close(go[1]);
}

int
main(void)
{
	strcpy(path, "/tmp/flockXXXXXX");
	close(mkstemp(path));
	once("left alone", 0);
	once("closed", 1);
	once("replaced", 2);
	unlink(path);
	return 0;
}
