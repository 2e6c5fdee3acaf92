/* openat2(2): its struct, its unknown bits, and RESOLVE_*. */
#include "guest.h"
#include <linux/openat2.h>

static int root;

static void
try(const char *path, uint64_t flags, uint64_t mode, uint64_t resolve)
{
	struct open_how how = { .flags = flags, .mode = mode, .resolve = resolve };
	long fd = Q(openat2, root, path, &how, sizeof how);

	P("%s flags %#lo mode %#lo resolve %#lx: %s", path, flags, mode, resolve, ok(fd));
	if (fd >= 0)
		close(fd);
}

int
main(void)
{
	struct { struct open_how h; uint64_t more; } big = { .more = 0 };

	scratch();
	mkdir("r", 0755);
	put("out", "");
	put("r/f", "");
	mkdir("r/d", 0755);
	symlink("f", "r/link");
	symlink("/f", "r/abs");
	symlink("../out", "r/up");
	symlink("../../../r/f", "r/d/deep");
	root = open("r", O_RDONLY | O_DIRECTORY);
	S(openat2, root, "f", NULL, 24);
	S(openat2, root, "f", &big, 0);
	S(openat2, root, "f", &big, 23);
	OK(openat2, root, "f", &big, 32);
	big.more = 1;
	S(openat2, root, "f", &big, 32);
	S(openat2, root, "f", BAD, 24);
	S(openat2, root, "f", &big, 5000);
	try("f", O_RDONLY, 0, 0);
	try("f", O_RDONLY, 0644, 0);
	try("f", O_CREAT, 010000, 0);
	try("new", O_CREAT | O_WRONLY, 0644, 0);
	try("f", 1UL << 40, 0, 0);
	try("f", O_PATH | O_RDWR, 0, 0);
	try("f", O_PATH | O_CREAT, 0, 0);
	try("f", O_RDONLY, 0, 0x1000);
	try("f", O_RDONLY, 0, RESOLVE_BENEATH | RESOLVE_IN_ROOT);
	try("../out", O_RDONLY, 0, 0);
	try("../out", O_RDONLY, 0, RESOLVE_BENEATH);
	try("../out", O_RDONLY, 0, RESOLVE_IN_ROOT);
	try("../f", O_RDONLY, 0, RESOLVE_IN_ROOT);
	try("d/../f", O_RDONLY, 0, RESOLVE_BENEATH);
	try("/f", O_RDONLY, 0, RESOLVE_BENEATH);
	try("/f", O_RDONLY, 0, RESOLVE_IN_ROOT);
	try("abs", O_RDONLY, 0, RESOLVE_IN_ROOT);
	try("abs", O_RDONLY, 0, RESOLVE_BENEATH);
	try("up", O_RDONLY, 0, RESOLVE_BENEATH);
	try("up", O_RDONLY, 0, 0);
	try("d/deep", O_RDONLY, 0, RESOLVE_IN_ROOT);
	try("link", O_RDONLY, 0, RESOLVE_BENEATH);
	try("link", O_RDONLY, 0, RESOLVE_NO_SYMLINKS);
	try("link", O_PATH | O_NOFOLLOW, 0, RESOLVE_NO_SYMLINKS);
	try("f", O_RDONLY, 0, RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV | RESOLVE_NO_MAGICLINKS);
	try("/proc/self", O_RDONLY, 0, RESOLVE_NO_XDEV);
	try("/proc/self/fd/1", O_WRONLY, 0, RESOLVE_NO_MAGICLINKS);
	try("/proc/self/fd", O_RDONLY, 0, RESOLVE_NO_MAGICLINKS);
	return 0;
}
