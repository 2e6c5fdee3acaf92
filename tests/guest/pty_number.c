/*
 * Device nodes with the numbers of terminals, elsewhere than in a devpts: nothing is behind them.
 */
#include "guest.h"
#include <sys/mount.h>
#include <sys/sysmacros.h>

static char dir[] = "/tmp/numberXXXXXX", node[64];

static void
try(int major, int minor)
{
	T(mknod(node, S_IFCHR | 0666, makedev(major, minor)));
	T(open(node, O_RDWR | O_NOCTTY));
	T(open(node, O_RDONLY | O_NOCTTY | O_NONBLOCK));
	OK(open, node, O_PATH);
	unlink(node);
}

int
main(void)
{
	int m = open("/dev/ptmx", O_RDWR | O_NOCTTY), unlocked = 0, n;
	char name[32];

	if (m < 0 || ioctl(m, TIOCGPTN, &n) != 0 || ioctl(m, TIOCSPTLCK, &unlocked) != 0)
		die("ptmx");
	if (mkdtemp(dir) == NULL || mount("none", dir, "tmpfs", 0, NULL) != 0)
		die("mount");
	snprintf(node, sizeof node, "%s/node", dir);
	try(136, n);
	try(136, 255);
	try(136, 256);
	try(136, 1048575);
	try(137, n);
	snprintf(name, sizeof name, "/dev/pts/%d", n);
	TOK(open(name, O_RDWR | O_NOCTTY));
	umount(dir);
	rmdir(dir);
	return 0;
}
