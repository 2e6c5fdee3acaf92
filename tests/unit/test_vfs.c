/*
 * vfs: walks, mounts, names, descriptors, pipes, epoll sets and locks over a filesystem of
 * names.  After each test every counted object must be gone.
 */
#include <check.h>
#include <errno.h>
#include <linux/mount.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/file.h>
#include <unistd.h>

#include "fs/pipe.h"
#include "sentry/vfs/flock.h"
#include "sentry/vfs/poll.h"
#include "tests/unit/memfs.h"

static struct task *t;
static uint64_t before[OBJ_COUNT];

static void
setup(void)
{
	for (int i = 0; i < OBJ_COUNT; i++)
		before[i] = ref_census(i);
	t = mem_setup(0);
}

static void
teardown(void)
{
	mem_teardown(t);
	for (int i = 0; i < OBJ_COUNT; i++)
		ck_assert_msg(ref_census(i) == before[i], "%s: %d left over", ref_typename(i), (int)(ref_census(i) - before[i]));
}

static int
make(const char *name, uint32_t mode, const char *target)
{
	return name_create(t, AT_FDCWD, name, mode, 0, target);
}
#define MKDIR(n)	ck_assert_int_eq(make(n, S_IFDIR | 0755, NULL), 0)
#define MKFILE(n)	ck_assert_int_eq(make(n, S_IFREG | 0644, NULL), 0)
#define SYMLINK(to, n)	ck_assert_int_eq(make(n, S_IFLNK | 0777, to), 0)

/* Walks and forgets; the text of the place goes to `where`. */
static char where[PATH_LIMIT];
static int
walk(const char *name, uint32_t flags)
{
	struct path p;
	int err = path_walk(t, AT_FDCWD, name, flags, &p);

	if (err)
		return err;
	ck_assert_int_eq(path_text(&p, &mem_fs.root, true, where, sizeof where), 0);
	path_put(&p);
	return 0;
}
#define WALKS(n, to) do { ck_assert_int_eq(walk(n, WALK_FOLLOW), 0); ck_assert_str_eq(where, to); } while (0)
#define FAILS(n, e)	ck_assert_int_eq(walk(n, WALK_FOLLOW), -(e))

START_TEST(walk_plain)
{
	char longname[300];

	MKDIR("/a");
	MKDIR("/a/b");
	MKFILE("/a/b/f");
	WALKS("/", "/");
	WALKS("//a/./b//f", "/a/b/f");
	WALKS("a/b/..", "/a");
	WALKS("/../../a/b/../../a", "/a");
	WALKS("/a/b/", "/a/b");
	FAILS("", ENOENT);
	FAILS("/a/x", ENOENT);
	FAILS("/a/x/y", ENOENT);
	FAILS("/a/b/f/", ENOTDIR);
	FAILS("/a/b/f/x", ENOTDIR);
	FAILS("/a/b/f/..", ENOTDIR);
	memset(longname, 'x', sizeof longname - 1);
	longname[299] = '\0';
	FAILS(longname, ENAMETOOLONG);
	ck_assert_int_eq(walk("/a/b/f", WALK_DIRECTORY), -ENOTDIR);
}
END_TEST

START_TEST(walk_links)
{
	char name[16];

	MKDIR("/d");
	MKFILE("/d/f");
	SYMLINK("d", "/rel");
	SYMLINK("/d/f", "/abs");
	SYMLINK("d/", "/slash");
	SYMLINK("d/f/", "/fslash");
	SYMLINK("loop", "/loop");
	SYMLINK("nowhere", "/dangling");
	SYMLINK("../d/./f", "/d/up");
	WALKS("/rel/f", "/d/f");
	WALKS("/abs", "/d/f");
	WALKS("/slash", "/d");
	WALKS("/rel/up", "/d/f");
	FAILS("/fslash", ENOTDIR);
	FAILS("/abs/", ENOTDIR);
	FAILS("/loop", ELOOP);
	FAILS("/loop/x", ELOOP);
	FAILS("/dangling", ENOENT);
	ck_assert_int_eq(walk("/dangling", 0), 0);
	ck_assert_str_eq(where, "/dangling");
	ck_assert_int_eq(walk("/rel/", 0), 0);
	ck_assert_str_eq(where, "/d");
	ck_assert_int_eq(walk("/rel/f", WALK_NO_SYMLINKS), -ELOOP);
	/* Forty links in a row are fine, one more is not. */
	SYMLINK("d", "/l0");
	for (int i = 1; i < 41; i++) {
		char to[16];

		snprintf(name, sizeof name, "/l%d", i);
		snprintf(to, sizeof to, "l%d", i - 1);
		SYMLINK(to, name);
	}
	WALKS("/l39", "/d");
	FAILS("/l40", ELOOP);
}
END_TEST

START_TEST(walk_restricted)
{
	struct file *f;
	struct path p;
	int fd;

	MKDIR("/d");
	MKDIR("/d/e");
	MKFILE("/f");
	SYMLINK("/f", "/d/abs");
	SYMLINK("../f", "/d/up");
	ck_assert_int_eq(vfs_open_name(t, AT_FDCWD, "/d", O_RDONLY | O_DIRECTORY, 0, 0, &f), 0);
	fd = fd_install(t, f, 0);
	ck_assert_int_eq(fd, 0);
	file_put(f);
	ck_assert_int_eq(path_walk(t, fd, "../f", WALK_BENEATH, &p), -EXDEV);
	ck_assert_int_eq(path_walk(t, fd, "e/../../f", WALK_BENEATH, &p), -EXDEV);
	ck_assert_int_eq(path_walk(t, fd, "/f", WALK_BENEATH, &p), -EXDEV);
	ck_assert_int_eq(path_walk(t, fd, "abs", WALK_BENEATH | WALK_FOLLOW, &p), -EXDEV);
	ck_assert_int_eq(path_walk(t, fd, "e/..", WALK_BENEATH, &p), 0);
	path_put(&p);
	/* As with chroot: ".." stops there, "/" is there. */
	ck_assert_int_eq(path_walk(t, fd, "../../e", WALK_IN_ROOT, &p), 0);
	path_put(&p);
	ck_assert_int_eq(path_walk(t, fd, "/e", WALK_IN_ROOT, &p), 0);
	path_put(&p);
	ck_assert_int_eq(path_walk(t, fd, "up", WALK_IN_ROOT | WALK_FOLLOW, &p), -ENOENT);
	ck_assert_int_eq(path_walk(t, 77, "e", 0, &p), -EBADF);
}
END_TEST

START_TEST(walk_cached)
{
	unsigned n;

	MKDIR("/a");
	MKFILE("/a/f");
	WALKS("/a/f", "/a/f");
	FAILS("/a/none", ENOENT);
	n = memfs_lookups;
	for (int i = 0; i < 10; i++) {
		WALKS("/a/f", "/a/f");
		FAILS("/a/none", ENOENT);
	}
	ck_assert_uint_eq(memfs_lookups, n);
	MKFILE("/a/none");
	WALKS("/a/none", "/a/none");
}
END_TEST

START_TEST(permission)
{
	MKDIR("/locked");
	MKFILE("/locked/f");
	mem_cred.fsuid = 5;
	mem_cred.fsgid = 5;
	ck_assert_int_eq(make("/nope", S_IFREG | 0644, NULL), -EACCES);
	ck_assert_int_eq(name_remove(t, AT_FDCWD, "/locked/f", false), -EACCES);
	mem_root->root->attr.mode = S_IFDIR | 01777;
	MKDIR("/mine");
	mem_cred.fsuid = 6;
	ck_assert_int_eq(name_remove(t, AT_FDCWD, "/locked", true), -EPERM);
	mem_root->root->attr.mode = S_IFDIR | 0700;
	FAILS("/mine", EACCES);
	mem_cred.effective = 1 << 1;	/* CAP_DAC_OVERRIDE */
	WALKS("/mine", "/mine");
}
END_TEST

START_TEST(mounts)
{
	struct super *s = memfs_super(0);
	struct dentry *root = dentry_new_root(s, s->root);
	struct path p, q;
	char text[1024];
	struct strbuf sb = STRBUF(text, sizeof text);

	MKDIR("/mnt");
	MKFILE("/mnt/hidden");
	MKDIR("/other");
	ck_assert_int_eq(path_walk(t, AT_FDCWD, "/mnt", 0, &p), 0);
	ck_assert_int_eq(mount_at(t->mntns, &p, s, root, MS_NODEV, "none"), 0);
	dentry_put(root);
	path_put(&p);
	FAILS("/mnt/hidden", ENOENT);
	MKDIR("/mnt/in");
	WALKS("/mnt/in/../..", "/");
	WALKS("/mnt/in", "/mnt/in");
	ck_assert_int_eq(walk("/mnt/in", WALK_NO_XDEV), -EXDEV);
	ck_assert_int_eq(name_rename(t, AT_FDCWD, "/mnt/in", AT_FDCWD, "/other/in", 0), -EXDEV);
	ck_assert_int_eq(name_remove(t, AT_FDCWD, "/mnt", true), -EBUSY);
	ck_assert_int_eq(path_walk(t, AT_FDCWD, "/mnt/in", 0, &p), 0);
	ck_assert_int_eq(path_walk(t, AT_FDCWD, "/other", 0, &q), 0);
	ck_assert_int_eq(mount_bind(t->mntns, &p, &q, false), 0);
	path_put(&q);
	MKFILE("/other/x");
	WALKS("/mnt/in/x", "/mnt/in/x");
	WALKS("/other/x", "/other/x");
	mount_print(t, &sb, false);
	ck_assert_str_eq(text, "mem / memfs rw,relatime 0 0\nnone /mnt memfs rw,nodev,relatime 0 0\n"
	    "none /other memfs rw,nodev,relatime 0 0\n");
	path_put(&p);
	ck_assert_int_eq(path_walk(t, AT_FDCWD, "/mnt", 0, &p), 0);
	ck_assert_int_eq(path_walk(t, AT_FDCWD, "/mnt/in", 0, &q), 0);
	ck_assert_int_eq(mount_umount(t->mntns, &p, false), -EBUSY);
	path_put(&q);
	ck_assert_int_eq(mount_umount(t->mntns, &p, false), 0);
	path_put(&p);
	WALKS("/mnt/hidden", "/mnt/hidden");
	WALKS("/other/x", "/other/x");
	super_put(s);
}
END_TEST

START_TEST(names)
{
	struct path p;

	MKDIR("/a");
	MKDIR("/a/b");
	MKFILE("/f");
	ck_assert_int_eq(make("/f", S_IFREG | 0644, NULL), -EEXIST);
	ck_assert_int_eq(make("/", S_IFDIR | 0755, NULL), -EEXIST);
	ck_assert_int_eq(make("/a/.", S_IFDIR | 0755, NULL), -EEXIST);
	ck_assert_int_eq(make("/new/", S_IFREG | 0644, NULL), -ENOENT);
	MKDIR("/newdir/");
	ck_assert_int_eq(name_remove(t, AT_FDCWD, "/a", true), -ENOTEMPTY);
	ck_assert_int_eq(name_remove(t, AT_FDCWD, "/a", false), -EISDIR);
	ck_assert_int_eq(name_remove(t, AT_FDCWD, "/f", true), -ENOTDIR);
	ck_assert_int_eq(name_remove(t, AT_FDCWD, "/f/", false), -ENOTDIR);
	ck_assert_int_eq(name_remove(t, AT_FDCWD, "/a/.", true), -EINVAL);
	ck_assert_int_eq(name_remove(t, AT_FDCWD, "/a/..", true), -ENOTEMPTY);
	ck_assert_int_eq(name_remove(t, AT_FDCWD, "/", true), -EBUSY);
	ck_assert_int_eq(name_rename(t, AT_FDCWD, "/a", AT_FDCWD, "/a/b/c", 0), -EINVAL);
	ck_assert_int_eq(name_rename(t, AT_FDCWD, "/a/b", AT_FDCWD, "/a", 0), -ENOTEMPTY);
	ck_assert_int_eq(name_rename(t, AT_FDCWD, "/f", AT_FDCWD, "/a", 0), -EISDIR);
	ck_assert_int_eq(name_rename(t, AT_FDCWD, "/a", AT_FDCWD, "/f", 0), -ENOTDIR);
	ck_assert_int_eq(name_rename(t, AT_FDCWD, "/f", AT_FDCWD, "/g", 1), 0);
	MKFILE("/f");
	ck_assert_int_eq(name_rename(t, AT_FDCWD, "/f", AT_FDCWD, "/g", 1), -EEXIST);
	ck_assert_int_eq(name_rename(t, AT_FDCWD, "/f", AT_FDCWD, "/a/b", 2), 0);
	WALKS("/f/.", "/f");
	FAILS("/a/b/.", ENOTDIR);
	ck_assert_int_eq(path_walk(t, AT_FDCWD, "/g", 0, &p), 0);
	ck_assert_int_eq(name_link(t, &p, AT_FDCWD, "/a/hard"), 0);
	ck_assert_int_eq(name_link(t, &p, AT_FDCWD, "/a/hard"), -EEXIST);
	ck_assert_int_eq(name_remove(t, AT_FDCWD, "/g", false), 0);
	ck_assert_int_eq(path_text(&p, &mem_fs.root, true, where, sizeof where), 0);
	ck_assert_str_eq(where, "/g (deleted)");
	path_put(&p);
	WALKS("/a/hard", "/a/hard");
	/* A directory that is gone takes nothing more. */
	ck_assert_int_eq(path_walk(t, AT_FDCWD, "/newdir", 0, &p), 0);
	ck_assert_int_eq(name_remove(t, AT_FDCWD, "/newdir", true), 0);
	ck_assert_int_eq(name_create_in(t, &p, "x", S_IFREG, 0, NULL, NULL), -ENOENT);
	path_put(&p);
}
END_TEST

START_TEST(opening)
{
	struct file *f, *g;

	MKDIR("/d");
	SYMLINK("d/made", "/link");
	ck_assert_int_eq(vfs_open_name(t, AT_FDCWD, "/link", O_CREAT | O_EXCL | O_RDWR, 0644, 0, &f), -EEXIST);
	ck_assert_int_eq(vfs_open_name(t, AT_FDCWD, "/link", O_CREAT | O_RDWR, 0400, 0, &f), 0);
	WALKS("/d/made", "/d/made");
	ck_assert_int_eq(vfs_open_name(t, AT_FDCWD, "/d", O_CREAT | O_RDONLY, 0, 0, &g), -EISDIR);
	ck_assert_int_eq(vfs_open_name(t, AT_FDCWD, "/d", O_WRONLY, 0, 0, &g), -EISDIR);
	ck_assert_int_eq(vfs_open_name(t, AT_FDCWD, "/link", O_NOFOLLOW, 0, 0, &g), -ELOOP);
	ck_assert_int_eq(vfs_open_name(t, AT_FDCWD, "/d/made", O_DIRECTORY, 0, 0, &g), -ENOTDIR);
	ck_assert_int_eq(vfs_open_name(t, AT_FDCWD, "/d/made", O_WRONLY, 0, 0, &g), -EACCES);
	mem_cred.effective = 1 << 1;
	ck_assert_int_eq(vfs_open_exec(t, AT_FDCWD, "/d/made", 0, &g), -EACCES);
	f->inode->attr.mode |= 0111;
	ck_assert_int_eq(vfs_open_exec(t, AT_FDCWD, "/d/made", 0, &g), -ETXTBSY);
	file_put(f);
	ck_assert_int_eq(vfs_open_exec(t, AT_FDCWD, "/d/made", 0, &f), 0);
	ck_assert_int_eq(vfs_open_name(t, AT_FDCWD, "/d/made", O_WRONLY, 0, 0, &g), -ETXTBSY);
	file_put(f);
	ck_assert_int_eq(vfs_open_name(t, AT_FDCWD, "/d/made", O_WRONLY, 0, 0, &g), 0);
	file_put(g);
}
END_TEST

START_TEST(descriptors)
{
	struct file *f, *g;
	struct fdtable *copy;
	int32_t pair[2];

	MKFILE("/f");
	ck_assert_int_eq(vfs_open_name(t, AT_FDCWD, "/f", O_RDONLY, 0, 0, &f), 0);
	for (int i = 0; i < 200; i++)
		ck_assert_int_eq(fd_install(t, f, 0), i);
	ck_assert_int_eq(fd_close(t, 100), 0);
	ck_assert_int_eq(fd_close(t, 100), -EBADF);
	ck_assert_int_eq(fd_close(t, -1), -EBADF);
	ck_assert_int_eq(fd_close(t, 7), 0);
	ck_assert_int_eq(fd_install(t, f, FD_CLOEXEC), 7);
	ck_assert_int_eq(fd_install_from(t, f, 50, 0), 100);
	ck_assert_int_eq(fd_install_from(t, f, 500, 0), 500);
	ck_assert_int_eq(fd_install_from(t, f, 1024, 0), -EINVAL);
	ck_assert_int_eq(fd_replace(t, f, 900, 0), 900);
	ck_assert_int_eq(fd_replace(t, f, 1024, 0), -EBADF);
	ck_assert_int_eq(fd_install_pair(t, f, f, 0, pair), 0);
	ck_assert_int_eq(pair[1], 201);
	ck_assert_int_eq(fdtable_copy(t->files, &copy), 0);
	ck_assert_uint_eq(copy->count, t->files->count);
	fdtable_put(copy);
	fdtable_close_exec(t);
	ck_assert_int_eq(fd_get(t, 7, &g), -EBADF);
	fd_close_range(t, 10, 2000, false);
	ck_assert_uint_eq(t->files->count, 9);
	fake_nofile = 10;
	ck_assert_int_eq(fd_install(t, f, 0), 7);
	ck_assert_int_eq(fd_install_pair(t, f, f, 0, pair), -EMFILE);
	ck_assert_uint_eq(t->files->count, 10);
	fake_nofile = 1024;
	file_put(f);
}
END_TEST

static int64_t
put(struct file *f, const void *data, uint64_t n)
{
	struct iobuf b;
	int64_t done;

	iob_init_kernel(&b, (void *)(uintptr_t)data, n);
	done = file_write(t, f, &b);
	iob_fini(&b);
	return done;
}

static int64_t
take(struct file *f, void *data, uint64_t n)
{
	struct iobuf b;
	int64_t done;

	iob_init_kernel(&b, data, n);
	done = file_read(t, f, &b);
	iob_fini(&b);
	return done;
}

START_TEST(pipes)
{
	static char big[200000], back[200000];
	struct file *r, *w;
	char c;

	for (size_t i = 0; i < sizeof big; i++)
		big[i] = (char)(i * 7 + i / 251);
	ck_assert_int_eq(pipe_new_pair(t, O_NONBLOCK, &r, &w), 0);
	ck_assert_int_eq(take(r, back, 10), -EAGAIN);
	ck_assert_int_eq(put(r, big, 1), -EBADF);
	ck_assert_int_eq(put(w, big, sizeof big), 65536);
	ck_assert_int_eq(put(w, big, 1), -EAGAIN);
	ck_assert_int_eq(take(r, back, 5000), 5000);
	ck_assert_mem_eq(back, big, 5000);
	/* PIPE_BUF or less is all or nothing; more goes as far as it can, if there is room for that much. */
	ck_assert_int_eq(put(w, big + 65536, 4096), 4096);
	ck_assert_int_eq(put(w, big, 1000), -EAGAIN);
	ck_assert_int_eq(put(w, big, 5000), -EAGAIN);
	ck_assert_int_eq(pipe_set_size(t, w, 4096), -EBUSY);
	ck_assert_int_eq(pipe_set_size(t, w, 100000), 131072);
	ck_assert_int_eq(put(w, big + 65536 + 4096, 60904), 60904);
	ck_assert_int_eq(take(r, back + 5000, sizeof back - 5000), 65536 + 60000);
	ck_assert_mem_eq(back, big, 5000 + 65536 + 60000);
	ck_assert_uint_eq(r->ops->ready(r, POLLIN), 0);
	ck_assert_int_eq(put(w, "x", 1), 1);
	ck_assert_uint_eq(r->ops->ready(r, POLLIN), POLLIN | POLLRDNORM);
	file_put(w);
	ck_assert_uint_eq(r->ops->ready(r, POLLIN), POLLIN | POLLRDNORM | POLLHUP);
	ck_assert_int_eq(take(r, &c, 1), 1);
	ck_assert_int_eq(take(r, &c, 1), 0);
	file_put(r);
	ck_assert_int_eq(pipe_new_pair(t, O_NONBLOCK, &r, &w), 0);
	file_put(r);
	fake_signals = 0;
	ck_assert_int_eq(put(w, "x", 1), -EPIPE);
	ck_assert_uint_eq(fake_signals, 1u << 13);
	file_put(w);
}
END_TEST

START_TEST(packets)
{
	struct file *r, *w;
	char b[64];

	ck_assert_int_eq(pipe_new_pair(t, O_NONBLOCK | O_DIRECT, &r, &w), 0);
	ck_assert_int_eq(put(w, "hello", 5), 5);
	ck_assert_int_eq(put(w, "worlds", 6), 6);
	ck_assert_int_eq(take(r, b, 3), 3);	/* the rest of the packet is gone */
	ck_assert_int_eq(take(r, b, sizeof b), 6);
	ck_assert_mem_eq(b, "worlds", 6);
	for (int i = 0; i < 16; i++)
		ck_assert_int_eq(put(w, "p", 1), 1);
	ck_assert_int_eq(put(w, "p", 1), -EAGAIN);
	ck_assert_int_eq(take(r, b, sizeof b), 1);
	ck_assert_int_eq(pipe_peek(r, b, sizeof b), 1);
	ck_assert_int_eq(take(r, b, 1), -EAGAIN);
	pipe_peek_end(r, 1);
	ck_assert_int_eq(take(r, b, 1), 1);
	file_put(r);
	file_put(w);
}
END_TEST

START_TEST(fifos)
{
	struct file *r, *w;

	ck_assert_int_eq(make("/fifo", S_IFIFO | 0644, NULL), 0);
	ck_assert_int_eq(vfs_open_name(t, AT_FDCWD, "/fifo", O_WRONLY | O_NONBLOCK, 0, 0, &w), -ENXIO);
	ck_assert_int_eq(vfs_open_name(t, AT_FDCWD, "/fifo", O_RDONLY | O_NONBLOCK, 0, 0, &r), 0);
	ck_assert_uint_eq(r->ops->ready(r, POLLIN), 0);
	ck_assert_int_eq(vfs_open_name(t, AT_FDCWD, "/fifo", O_WRONLY, 0, 0, &w), 0);
	ck_assert_int_eq(put(w, "x", 1), 1);
	file_put(w);
	ck_assert_uint_eq(r->ops->ready(r, POLLIN) & POLLHUP, POLLHUP);
	file_put(r);
	/* Data does not outlive the last opener. */
	ck_assert_int_eq(vfs_open_name(t, AT_FDCWD, "/fifo", O_RDWR | O_NONBLOCK, 0, 0, &r), 0);
	ck_assert_int_eq(take(r, where, 1), -EAGAIN);
	file_put(r);
}
END_TEST

START_TEST(epolls)
{
	struct file *r, *w, *ep, *outer;
	struct abi_epoll_event ev = { EPOLLIN, 7 }, got[4];

	ck_assert_int_eq(pipe_new_pair(t, O_NONBLOCK, &r, &w), 0);
	ck_assert_int_eq(epoll_new(&ep), 0);
	ck_assert_int_eq(epoll_new(&outer), 0);
	ck_assert_int_eq(epoll_change(t, ep, EPOLL_CTL_MOD, 3, r, &ev), -ENOENT);
	ck_assert_int_eq(epoll_change(t, ep, EPOLL_CTL_ADD, 3, r, &ev), 0);
	ck_assert_int_eq(epoll_change(t, ep, EPOLL_CTL_ADD, 3, r, &ev), -EEXIST);
	ck_assert_int_eq(epoll_change(t, ep, EPOLL_CTL_ADD, 9, ep, &ev), -EINVAL);
	ck_assert_int_eq(epoll_change(t, outer, EPOLL_CTL_ADD, 5, ep, &ev), 0);
	ck_assert_int_eq(epoll_change(t, ep, EPOLL_CTL_ADD, 6, outer, &ev), -ELOOP);
	ck_assert_int_eq(epoll_take(t, ep, got, 4, 0), 0);
	ck_assert_int_eq(put(w, "x", 1), 1);
	ck_assert_uint_eq(outer->ops->ready(outer, POLLIN), POLLIN | POLLRDNORM);
	ck_assert_int_eq(epoll_take(t, outer, got, 4, 0), 1);
	for (int i = 0; i < 3; i++) {	/* level-triggered */
		ck_assert_int_eq(epoll_take(t, ep, got, 4, 0), 1);
		ck_assert_uint_eq(got[0].data, 7);
		ck_assert_uint_eq(got[0].events, EPOLLIN);
	}
	ev.events = EPOLLIN | EPOLLET;
	ck_assert_int_eq(epoll_change(t, ep, EPOLL_CTL_MOD, 3, r, &ev), 0);
	ck_assert_int_eq(epoll_take(t, ep, got, 4, 0), 1);
	ck_assert_int_eq(epoll_take(t, ep, got, 4, 0), 0);
	ck_assert_int_eq(put(w, "x", 1), 1);
	ck_assert_int_eq(epoll_take(t, ep, got, 4, 0), 1);
	ev.events = EPOLLIN | EPOLLONESHOT;
	ck_assert_int_eq(epoll_change(t, ep, EPOLL_CTL_MOD, 3, r, &ev), 0);
	ck_assert_int_eq(epoll_take(t, ep, got, 4, 0), 1);
	ck_assert_int_eq(put(w, "x", 1), 1);
	ck_assert_int_eq(epoll_take(t, ep, got, 4, 0), 0);
	file_put(r);	/* leaves the set */
	ck_assert_int_eq(epoll_take(t, ep, got, 4, 0), 0);
	file_put(w);
	file_put(ep);
	file_put(outer);
}
END_TEST

START_TEST(locks)
{
	struct file *a, *b;
	struct abi_flock l = { .l_type = F_WRLCK, .l_start = 10, .l_len = 10 };

	MKFILE("/f");
	ck_assert_int_eq(vfs_open_name(t, AT_FDCWD, "/f", O_RDWR, 0, 0, &a), 0);
	ck_assert_int_eq(vfs_open_name(t, AT_FDCWD, "/f", O_RDWR, 0, 0, &b), 0);
	ck_assert_int_eq(flock_whole(t, a, LOCK_SH), 0);
	ck_assert_int_eq(flock_whole(t, b, LOCK_SH | LOCK_NB), 0);
	ck_assert_int_eq(flock_whole(t, b, LOCK_EX | LOCK_NB), -EAGAIN);
	ck_assert_int_eq(flock_whole(t, a, LOCK_UN), 0);
	ck_assert_int_eq(flock_whole(t, b, LOCK_EX | LOCK_NB), 0);
	ck_assert_int_eq(flock_record_set(t, a, &l, true, false), 0);
	l.l_type = F_RDLCK;
	l.l_start = 15;
	ck_assert_int_eq(flock_record_set(t, b, &l, true, false), -EAGAIN);
	l = (struct abi_flock){ .l_type = F_UNLCK, .l_start = 13, .l_len = 2 };
	ck_assert_int_eq(flock_record_set(t, a, &l, true, false), 0);
	l.l_type = F_WRLCK;
	ck_assert_int_eq(flock_record_set(t, b, &l, true, false), 0);
	l = (struct abi_flock){ .l_type = F_WRLCK };
	ck_assert_int_eq(flock_record_get(t, b, &l, true), 0);
	ck_assert_int_eq(l.l_start, 10);
	ck_assert_int_eq(l.l_len, 3);
	ck_assert_int_eq(l.l_pid, -1);
	file_put(a);
	l = (struct abi_flock){ .l_type = F_WRLCK };
	ck_assert_int_eq(flock_record_set(t, b, &l, true, false), 0);
	file_put(b);
}
END_TEST

/* ---- many at once ------------------------------------------------------------ */

static _Atomic bool stop;

static void
do_one(struct task *me, uint32_t r, const char *a, const char *b)
{
	struct file *f;
	struct path p, q;
	struct super *s;
	struct dentry *root;

	switch (r % 9) {
	case 0:
		(void)!name_create(me, AT_FDCWD, a, S_IFDIR | 0755, 0, NULL);
		break;
	case 1:
		(void)!name_create(me, AT_FDCWD, a, S_IFLNK | 0777, 0, b);
		break;
	case 2:
		(void)!name_remove(me, AT_FDCWD, a, r & 0x100);
		break;
	case 3:
		(void)!name_rename(me, AT_FDCWD, a, AT_FDCWD, b, r >> 8 & 2);
		break;
	case 4:
		if (vfs_open_name(me, AT_FDCWD, a, O_CREAT, 0644, 0, &f) == 0)
			file_put(f);
		break;
	default:
		if (path_walk(me, AT_FDCWD, a, WALK_FOLLOW, &p) != 0)
			break;
		if (r % 9 == 5) {
			(void)!mount_umount(me->mntns, &p, true);
		} else if (r % 9 == 6) {
			s = memfs_super(0);
			root = dentry_new_root(s, s->root);
			(void)!mount_at(me->mntns, &p, s, root, 0, "x");
			dentry_put(root);
			super_put(s);
		} else if (path_walk(me, AT_FDCWD, b, WALK_FOLLOW, &q) == 0) {
			if (r % 9 == 7)
				(void)!name_link(me, &p, AT_FDCWD, "/d/x");
			else
				(void)!mount_bind(me->mntns, &p, &q, r & 0x100);
			path_put(&q);
		}
		path_put(&p);
		break;
	}
}

static void *
one_thread(void *arg)
{
	static const char *const parts[] = { "a", "b", "c", "d", ".", ".." };
	uint64_t x = 88172645463325252ULL + (uintptr_t)arg * 7919;
	struct task me = *t;	/* a task is its own thread's; root, descriptors and mounts are of all */

	while (!atomic_load(&stop)) {
		char a[32], b[32];
		uint32_t r;

		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		r = (uint32_t)(x >> 16);
		snprintf(a, sizeof a, "/%s/%s", parts[r % 6], parts[r / 6 % 6]);
		snprintf(b, sizeof b, "/%s/%s/%s", parts[r / 36 % 6], parts[r / 216 % 6], parts[r / 1296 % 6]);
		do_one(&me, r >> 12, a, b);
	}
	return NULL;
}

/* Nothing may be used after its mount, deadlock, or be left over. */
START_TEST(concurrent)
{
	pthread_t thread[4];

	mem_cred.effective = UINT64_MAX;
	atomic_store(&stop, false);
	for (uintptr_t i = 0; i < 4; i++)
		ck_assert_int_eq(pthread_create(&thread[i], NULL, one_thread, (void *)(i + 1)), 0);
	usleep(700000);
	atomic_store(&stop, true);
	for (int i = 0; i < 4; i++)
		pthread_join(thread[i], NULL);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("vfs");
	TCase *c = tcase_create("vfs");
	SRunner *r;
	int failed;

	tcase_add_checked_fixture(c, setup, teardown);
	tcase_add_test(c, walk_plain);
	tcase_add_test(c, walk_links);
	tcase_add_test(c, walk_restricted);
	tcase_add_test(c, walk_cached);
	tcase_add_test(c, permission);
	tcase_add_test(c, mounts);
	tcase_add_test(c, names);
	tcase_add_test(c, opening);
	tcase_add_test(c, descriptors);
	tcase_add_test(c, pipes);
	tcase_add_test(c, packets);
	tcase_add_test(c, fifos);
	tcase_add_test(c, epolls);
	tcase_add_test(c, locks);
	tcase_add_test(c, concurrent);
	suite_add_tcase(s, c);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
