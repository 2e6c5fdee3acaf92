/*
 * fallocate on a small tmpfs: what does not fit leaves the file and the filesystem as they were.
 */
#include "guest.h"
#include <linux/falloc.h>
#include <sys/mount.h>
#include <sys/statvfs.h>

#define PAGE	4096

static int fd;
static char dir[] = "/tmp/fallocateXXXXXX";

static void
sizes(void)
{
	struct statvfs v;
	struct stat st;

	if (fstat(fd, &st) != 0 || statvfs(dir, &v) != 0)
		die("stat");
	P("  size %ld, blocks %ld, free %ld", (long)st.st_size, (long)st.st_blocks, (long)v.f_bfree);
}

static void
try(const char *what, int mode, long off, long len)
{
	P("%s: %s", what, res(Q(fallocate, fd, mode, off, len)));
	sizes();
}

static void
try_all(void)
{
	char page[PAGE], got[PAGE];

	fd = open("file", O_RDWR | O_CREAT, 0600);
	if (fd < 0)
		die("open");
	memset(page, 7, sizeof page);
	for (int i = 2; i < 8; i += 3)
		S(pwrite64, fd, page, sizeof page, i * PAGE);
	sizes();
	try("more than there is", 0, 0, 1 << 20);
	try("a byte more", 0, 0, 16 * PAGE + 1);
	try("a page more, by the size kept", FALLOC_FL_KEEP_SIZE, 0, 17 * PAGE);
	try("behind, too much", 0, 9 * PAGE, 15 * PAGE);
	try("around what is there", 0, 100, 3 * PAGE);
	try("far behind", FALLOC_FL_KEEP_SIZE, 20 * PAGE, 6 * PAGE);
	try("holes, too much", FALLOC_FL_KEEP_SIZE, 0, 14 * PAGE);
	try("holes, too much", 0, 7 * PAGE, 16 * PAGE);
	S(pread64, fd, got, sizeof got, 2 * PAGE);
	P("bytes are %s", memcmp(page, got, sizeof page) ? "others" : "mine");
	S(pread64, fd, got, sizeof got, 3 * PAGE);
	P("hole: %d", got[0]);
	S(ftruncate, fd, 6 * PAGE);
	sizes();
	close(fd);
}

int
main(void)
{
	if (mkdtemp(dir) == NULL)
		die("mkdtemp");
	if (mount("none", dir, "tmpfs", 0, "size=64k") != 0 || chdir(dir) != 0)
		die("mount");
	try_all();
	if (chdir("/") != 0 || umount(dir) != 0 || rmdir(dir) != 0)
		die("clean up");
	return 0;
}
