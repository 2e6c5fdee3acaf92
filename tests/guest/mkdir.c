/* mkdir, rmdir, mknod, unlink. */
#include "guest.h"

int
main(void)
{
	int fd;

	scratch();
	put("f", "");
	symlink("none", "dangling");
	S(mkdir, "d", 0777);
	P("%s", look("d"));
	S(mkdir, "d", 0777);
	S(mkdir, "d/", 0777);
	S(mkdir, "f", 0777);
	S(mkdir, "f/x", 0777);
	S(mkdir, "none/x", 0777);
	S(mkdir, "dangling", 0777);
	S(mkdir, "trail/", 0777);
	S(mkdir, ".", 0777);
	S(mkdir, "..", 0777);
	S(mkdir, "/", 0777);
	S(mkdir, "", 0777);
	S(mkdir, BAD, 0777);
	S(mkdir, "sticky", 07777);
	P("%s", look("sticky"));
	S(mkdirat, -1, "x", 0755);
	S(mkdirat, AT_FDCWD, "d/e", 0700);
	S(rmdir, "d");
	S(rmdir, "d/e/.");
	S(rmdir, "d/e/..");
	S(rmdir, "d/e/");
	S(rmdir, "d");
	S(rmdir, "d");
	S(rmdir, "f");
	S(rmdir, "/");
	S(rmdir, ".");
	S(rmdir, "");
	S(rmdir, "dangling");
	S(unlink, "trail");
	S(unlink, "trail/");
	S(unlink, "f/");
	S(unlink, "none");
	S(unlink, "dangling");
	S(unlink, "");
	S(unlink, "/");
	S(unlink, ".");
	S(unlink, BAD);
	S(unlinkat, AT_FDCWD, "trail", 0);
	S(unlinkat, AT_FDCWD, "f", AT_REMOVEDIR);
	S(unlinkat, AT_FDCWD, "trail", AT_REMOVEDIR);
	S(unlinkat, AT_FDCWD, "f", 0x1);
	S(unlinkat, -1, "f", 0);
	/* a file lives on while it is open */
	fd = open("f", O_RDWR);
	S(unlink, "f");
	struct stat st;
	fstat(fd, &st);
	P("nlink %d", (int)st.st_nlink);
	S(write, fd, "alive", 5);
	char b[8];
	S(pread64, fd, b, 8, 0);
	close(fd);
	S(mknod, "fifo", S_IFIFO | 0640, 0);
	S(mknod, "reg", S_IFREG | 0600, 0);
	S(mknod, "plain", 0600, 0);
	S(mknod, "sock", S_IFSOCK | 0600, 0);
	S(mknod, "dir", S_IFDIR | 0600, 0);
	S(mknod, "bad", 0170000, 0);
	S(mknod, "reg", S_IFREG, 0);
	S(mknod, "none/x", S_IFREG, 0);
	P("%s; %s; %s; %s", look("fifo"), look("reg"), look("plain"), look("sock"));
	S(open, "sock", O_RDONLY);
	/* sticky directories and those without write permission */
	mkdir("s", 01777);
	chmod("s", 01777);
	mkdir("ro", 0755);
	put("s/root", "");
	put("ro/x", "");
	P("as another: %s", wst(CHILD(
		setgid(600);
		setuid(600);
		put("s/mine", "");
		S(unlink, "s/root");
		S(unlink, "s/none");
		S(unlink, "ro/x");
		S(unlink, "ro/none");
		S(mkdir, "ro/d", 0755);
		S(mkdir, "ro/x", 0755);
		S(rmdir, "ro");
		S(rename, "s/root", "s/stolen");
		S(rename, "s/mine", "s/root");
		S(unlink, "s/mine");
	)));
	/* a removed working directory */
	mkdir("gone", 0755);
	chdir("gone");
	rmdir("../gone");
	S(open, "x", O_CREAT | O_WRONLY, 0644);
	S(mkdir, "x", 0755);
	S(stat, "x", &st);
	OK(open, ".", O_RDONLY);
	char cwd[256];
	S(getcwd, cwd, sizeof cwd);
	S(chdir, "..");
	return 0;
}
