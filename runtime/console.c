/*
 * console: see console.h.
 *
 * The line discipline that matters is the sandbox's own; the host's terminal only carries bytes, so it is
 * raw for as long as the sandbox has it.
 */
#include "runtime/console.h"

#include <errno.h>
#include <fcntl.h>
#include <pty.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <termios.h>
#include <unistd.h>

static struct termios saved;
static int saved_fd = -1;

void
console_restore(void)
{
	if (saved_fd >= 0)
		(void)tcsetattr(saved_fd, TCSADRAIN, &saved);
	saved_fd = -1;
}

static void
on_fatal(int signo)
{
	console_restore();
	(void)signal(signo, SIG_DFL);
	(void)raise(signo);
}

int
console_raw(int fd, struct err *err)
{
	static const int fatal[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGSYS };
	struct termios raw;

	if (tcgetattr(fd, &saved) != 0)
		return err_set(err, errno, "the standard input is not a terminal");
	saved_fd = fd;
	(void)atexit(console_restore);
	for (size_t i = 0; i < ARRAY_LEN(fatal); i++)
		(void)signal(fatal[i], on_fatal);
	raw = saved;
	cfmakeraw(&raw);
	if (tcsetattr(fd, TCSADRAIN, &raw) != 0)
		return err_set(err, errno, "cannot set up the terminal");
	return 0;
}

bool
console_size(int fd, unsigned *rows, unsigned *cols)
{
	struct winsize ws;

	if (ioctl(fd, TIOCGWINSZ, &ws) != 0)
		return false;
	*rows = ws.ws_row;
	*cols = ws.ws_col;
	return true;
}

static int
send_master(const char *path, int master, const char *name, struct err *err)
{
	AUTO_CLOSE int s = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	AUTO_CLOSE int at = open(path, O_PATH | O_CLOEXEC);
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	union { struct cmsghdr align; char buf[CMSG_SPACE(sizeof(int))]; } room;
	struct iovec iov = { (void *)(uintptr_t)name, strlen(name) };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = room.buf,
		.msg_controllen = sizeof room.buf };
	struct cmsghdr *c;

	if (s < 0 || at < 0)
		return err_set(err, errno, "--console-socket %s", path);
	/* Socket addresses are short, paths of engines are not. */
	(void)snprintf(to.sun_path, sizeof to.sun_path, "/proc/self/fd/%d", at);
	if (connect(s, (struct sockaddr *)&to, sizeof to) != 0)
		return err_set(err, errno, "--console-socket %s", path);
	memset(&room, 0, sizeof room);
	c = CMSG_FIRSTHDR(&m);
	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof master);
	memcpy(CMSG_DATA(c), &master, sizeof master);
	if (sendmsg(s, &m, MSG_NOSIGNAL) < 0)
		return err_set(err, errno, "--console-socket %s", path);
	return 0;
}

int
console_send(const char *path, int *slave, struct err *err)
{
	AUTO_CLOSE int master = -1;
	AUTO_CLOSE int end = -1;
	struct termios raw;
	char name[128];
	int e;

	master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (master < 0 || grantpt(master) != 0 || unlockpt(master) != 0 ||
	    ptsname_r(master, name, sizeof name) != 0)
		return err_set(err, errno, "cannot make a pseudo-terminal");
	end = open(name, O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (end < 0 || tcgetattr(end, &raw) != 0)
		return err_set(err, errno, "open %s", name);
	cfmakeraw(&raw);
	if (tcsetattr(end, TCSANOW, &raw) != 0)
		return err_set(err, errno, "cannot set up %s", name);
	e = send_master(path, master, name, err);
	if (!e)
		*slave = steal_fd(&end);
	return e;
}
