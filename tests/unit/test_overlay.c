/* The overlay over files of a real gofer in a child process; and the gofer's client by itself. */
#include <check.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/hostcall.h"
#include "fs/fs.h"
#include "fs/remote.h"
#include "gofer/hostfs.h"
#include "gofer/serve.h"
#include "sentry/kernel/task.h"
#include "sentry/mm/mm.h"
#include "sentry/mm/pages.h"
#include "sentry/vfs/file.h"

#include <sys/wait.h>	/* its WAIT_ANY is a macro */

#define MEMFILE_SIZE	(256ULL << 20)

static char dir[64];
static pid_t server_pid;
static int sock;
static struct super *fs, *lower;
static struct task nobody;	/* nothing is to become of it */
static uint64_t inodes_before, files_before, mobjs_before, supers_before;

static void
shell(const char *cmd)
{
	char line[512];

	snprintf(line, sizeof line, "cd %s && %s", dir, cmd);
	ck_assert_int_eq(system(line), 0);
}

static void NORETURN
serve_child(int s)
{
	static struct server server;
	int err;

	signal(SIGPIPE, SIG_IGN);
	server.sock = s;
	server.nmounts = 3;
	for (int i = 0; i < 2; i++)
		server.mounts[i].fd = open(dir, O_PATH | O_DIRECTORY);
	server.mounts[1].writable = true;
	chdir(dir);
	server.mounts[2].fd = open("f", O_PATH);
	umask(0);
	err = hostfs_init();
	if (!err)
		err = server_init(&server);
	if (!err)
		err = server_run(&server);
	server_fini(&server);
	_exit(err ? 1 : 0);
}

static void
setup(void)
{
	static bool booted;
	int sv[2];

	if (!booted) {
		int fd = memfd_create("pages", 0);

		ck_assert_int_eq(ftruncate(fd, (off_t)MEMFILE_SIZE), 0);
		ck_assert_int_eq(pages_boot(fd, MEMFILE_SIZE), 0);
		booted = true;
	}
	strcpy(dir, "/tmp/village-overlay-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	shell("mkdir -p d/sub e && echo hello > f && ln f hard && echo deep > d/sub/x && echo y > d/y && ln -s f link"
	    " && head -c 300000 /dev/zero | tr '\\0' z > big");
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sv), 0);
	server_pid = fork();
	if (server_pid == 0) {
		close(sv[0]);
		serve_child(sv[1]);
	}
	close(sv[1]);
	sock = sv[0];
	inodes_before = ref_census(OBJ_inode);
	files_before = ref_census(OBJ_file);
	mobjs_before = ref_census(OBJ_mobj);
	supers_before = ref_census(OBJ_super);
	ck_assert_int_eq(remote_boot(sock, 3), 0);
	ck_assert_int_eq(remote_super(0, true, false, &lower), 0);
	ck_assert_int_eq(overlay_super(lower, &fs), 0);
}

static void
teardown(void)
{
	char line[128];
	int status;

	super_put(fs);
	super_put(lower);
	ck_assert_uint_eq(ref_census(OBJ_inode), inodes_before);
	ck_assert_uint_eq(ref_census(OBJ_file), files_before);
	ck_assert_uint_eq(ref_census(OBJ_mobj), mobjs_before);
	ck_assert_uint_eq(ref_census(OBJ_super), supers_before);
	close(sock);
	ck_assert_int_eq(waitpid(server_pid, &status, 0), server_pid);
	ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	snprintf(line, sizeof line, "rm -rf %s", dir);
	ck_assert_int_eq(system(line), 0);
}

static int
look(struct inode *d, const char *name, struct inode **out)
{
	int err;

	mutex_lock(&d->mu);
	err = d->ops->lookup(NULL, d, name, out);
	mutex_unlock(&d->mu);
	return err;
}

/* The node at a path. */
static struct inode *
at(struct inode *root, const char *path)
{
	struct inode *i = inode_get(root), *next;
	char copy[128], *save, *p;

	snprintf(copy, sizeof copy, "%s", path);
	for (p = strtok_r(copy, "/", &save); p != NULL; p = strtok_r(NULL, "/", &save)) {
		int err = look(i, p, &next);

		inode_put(i);
		if (err)
			return NULL;
		i = next;
	}
	return i;
}

static bool
exists(const char *path)
{
	struct inode *i = at(fs->root, path);

	inode_put(i);
	return i != NULL;
}

static struct iattr
attr(struct inode *i)
{
	struct iattr a;

	ck_assert_int_eq(i->ops->getattr(NULL, i, &a), 0);
	return a;
}

static struct file *
opened(struct inode *i, uint32_t flags)
{
	struct file *f;

	ck_assert_int_eq(i->ops->open(&nobody, i, flags, &f), 0);
	return f;
}

static int64_t
put(struct file *f, const void *buf, uint64_t len, int64_t off)
{
	struct iobuf b;
	int64_t n;

	iob_init_kernel(&b, (void *)(uintptr_t)buf, len);
	n = f->ops->pwrite(f, NULL, &b, off);
	iob_fini(&b);
	return n;
}

static void
expect_file(struct file *f, const char *want)
{
	char buf[64];
	struct iobuf b;
	int64_t n;

	iob_init_kernel(&b, buf, sizeof buf);
	n = f->ops->pread(f, NULL, &b, 0);
	iob_fini(&b);
	ck_assert_int_eq(n, (int64_t)strlen(want));
	ck_assert_int_eq(memcmp(buf, want, (size_t)n), 0);
}

static void
expect_file_at(struct file *f, const char *want, size_t len, uint64_t off)
{
	char buf[16];
	struct iobuf b;

	iob_init_kernel(&b, buf, len);
	ck_assert_int_eq(f->ops->pread(f, NULL, &b, (int64_t)off), (int64_t)len);
	iob_fini(&b);
	ck_assert_mem_eq(buf, want, len);
}

static void
expect(struct inode *root, const char *path, const char *want)
{
	struct inode *i = at(root, path);
	struct file *f;

	ck_assert_ptr_nonnull(i);
	f = opened(i, O_RDONLY);
	expect_file(f, want);
	file_put(f);
	inode_put(i);
}

static struct inode *
made(struct inode *d, const char *name, uint32_t mode)
{
	struct inode *i;
	int err;

	mutex_lock(&d->mu);
	err = d->ops->create(NULL, d, name, mode, 0, S_ISLNK(mode) ? "t" : NULL, &i);
	mutex_unlock(&d->mu);
	ck_assert_int_eq(err, 0);
	return i;
}

static int
drop(const char *parent, const char *name)
{
	struct inode *d = at(fs->root, parent), *i;
	int err = look(d, name, &i);

	if (!err) {
		mutex_lock(&d->mu);
		err = S_ISDIR(i->attr.mode) ? d->ops->rmdir(NULL, d, name, i) : d->ops->unlink(NULL, d, name, i);
		mutex_unlock(&d->mu);
		inode_put(i);
	}
	inode_put(d);
	return err;
}

static int
move(const char *from_dir, const char *from, const char *to_dir, const char *to, uint32_t flags)
{
	struct inode *a = at(fs->root, from_dir), *b = at(fs->root, to_dir), *node, *target = NULL;
	int err = look(a, from, &node);

	if (!err) {
		if (look(b, to, &target) != 0)
			target = NULL;
		mutex_lock_pair(&a->mu, &b->mu);
		err = a->ops->rename(NULL, a, from, node, b, to, target, flags);
		mutex_unlock_pair(&a->mu, &b->mu);
		inode_put(node);
		inode_put(target);
	}
	inode_put(a);
	inode_put(b);
	return err;
}

struct collect {
	struct dirsink sink;
	char text[512];
};

static bool
collect_emit(struct dirsink *d, const char *name, size_t len, uint64_t ino, uint8_t dtype, int64_t next)
{
	struct collect *c = container_of(d, struct collect, sink);
	size_t n = strlen(c->text);

	(void)dtype, (void)next;
	ck_assert_uint_ne(ino, 0);
	if (name[0] != '.')
		snprintf(c->text + n, sizeof c->text - n, " %.*s", (int)len, name);
	return true;
}

static void
expect_names(struct inode *root, const char *path, const char *const *want)
{
	struct collect c = { .sink.emit = collect_emit };
	struct inode *i = at(root, path);
	struct file *f = opened(i, O_RDONLY | O_DIRECTORY);
	size_t len = 0;
	char word[64];

	ck_assert_int_eq(f->ops->readdir(f, NULL, &c.sink), 0);
	strcat(c.text, " ");
	for (; *want != NULL; want++) {
		snprintf(word, sizeof word, " %s ", *want);
		ck_assert_msg(strstr(c.text, word) != NULL, "%s not in%s", *want, c.text);
		len += strlen(*want) + 1;
	}
	ck_assert_msg(strlen(c.text) == len + 1, "more than expected:%s", c.text);
	file_put(f);
	inode_put(i);
}

#define NAMES(...) ((const char *const[]){ __VA_ARGS__, NULL })

START_TEST(reads_lower)
{
	char buf[8];
	struct inode *i;

	expect(fs->root, "f", "hello\n");
	expect(fs->root, "d/sub/x", "deep\n");
	expect_names(fs->root, "", NAMES("d", "e", "f", "hard", "link", "big"));
	i = at(fs->root, "link");
	ck_assert_int_eq(i->ops->readlink(NULL, i, buf, sizeof buf), 1);
	inode_put(i);
	ck_assert(!exists("nothing") && !exists("d/nothing"));
}
END_TEST

START_TEST(copies_up)
{
	struct inode *i = at(fs->root, "f"), *h = at(fs->root, "hard");
	struct file *before = opened(i, O_RDONLY), *w;
	uint64_t ino = attr(i).ino;

	ck_assert_ptr_eq(i, h);
	expect_file(before, "hello\n");
	w = opened(i, O_RDWR);
	ck_assert_int_eq(put(w, "HE", 2, 0), 2);
	expect_file(before, "HEllo\n");
	file_put(before);
	file_put(w);
	ck_assert_uint_eq(attr(i).ino, ino);
	inode_put(i);
	inode_put(h);
	/* Nobody holds it now; it is still there, by both names. */
	expect(fs->root, "hard", "HEllo\n");
	expect(fs->root, "f", "HEllo\n");
	expect(lower->root, "f", "hello\n");
	shell("test \"$(cat f)\" = hello");
}
END_TEST

/* A sparse file is copied as one, at the price of what is in it. */
START_TEST(copies_up_holes)
{
	const uint64_t tail = (8ULL << 20) + 4096;
	struct inode *i;
	struct iattr a;
	struct file *w;

	shell("printf begin > holes && truncate -s 8M holes && head -c 4096 /dev/zero | tr '\\0' t >> holes && truncate -s 40M holes");
	i = at(fs->root, "holes");
	w = opened(i, O_RDWR);
	ck_assert_int_eq(put(w, "BE", 2, 0), 2);
	a = attr(i);
	ck_assert_uint_eq(a.size, 40ULL << 20);
	ck_assert_uint_le(a.blocks, 2 * (64 << 10) / 512);
	expect_file_at(w, "BEgin", 5, 0);
	expect_file_at(w, "\0\0\0\0", 4, tail - 4096 - 4);
	expect_file_at(w, "tttt", 4, tail - 4096);
	expect_file_at(w, "tttt", 4, tail - 4);
	file_put(w);
	inode_put(i);
}
END_TEST

START_TEST(attributes)
{
	struct inode *i = at(fs->root, "big");
	struct iattr a = { .mode = 0640, .uid = 5, .size = 10 };

	ck_assert_int_eq(i->ops->setattr(NULL, i, &a, ATTR_MODE | ATTR_UID), 0);
	inode_put(i);
	i = at(fs->root, "big");
	ck_assert_uint_eq(attr(i).mode, S_IFREG | 0640);
	ck_assert_uint_eq(attr(i).uid, 5);
	ck_assert_uint_eq(attr(i).size, 300000);
	ck_assert_int_eq(i->ops->setattr(&nobody, i, &a, ATTR_SIZE), 0);
	ck_assert_uint_eq(attr(i).size, 10);
	inode_put(i);
	expect(fs->root, "big", "zzzzzzzzzz");
	shell("test $(stat -c %s big) = 300000");
}
END_TEST

START_TEST(whiteouts)
{
	struct inode *i;

	ck_assert_int_eq(drop("", "f"), 0);
	ck_assert(!exists("f") && exists("hard"));
	ck_assert_int_eq(drop("", "f"), -ENOENT);
	ck_assert_int_eq(drop("", "d"), -ENOTEMPTY);
	ck_assert_int_eq(drop("", "e"), 0);
	expect_names(fs->root, "", NAMES("d", "hard", "link", "big"));
	/* A new directory over a whiteout shows nothing of the old one. */
	ck_assert_int_eq(drop("d/sub", "x"), 0);
	ck_assert_int_eq(drop("d", "sub"), 0);
	i = at(fs->root, "d");
	inode_put(made(i, "sub", S_IFDIR | 0755));
	inode_put(i);
	ck_assert(!exists("d/sub/x"));
	expect_names(fs->root, "d", NAMES("y", "sub"));
	i = made(fs->root, "f", S_IFREG | 0600);
	ck_assert_uint_eq(attr(i).size, 0);
	inode_put(i);
	ck_assert_int_eq(drop("", "f"), 0);
	ck_assert(!exists("f"));
	shell("test -f f -a -d e -a -f d/sub/x");
}
END_TEST

START_TEST(renames)
{
	ck_assert_int_eq(move("", "d", "e", "moved", 0), 0);
	ck_assert(!exists("d"));
	expect(fs->root, "e/moved/sub/x", "deep\n");
	expect_names(fs->root, "", NAMES("e", "f", "hard", "link", "big"));
	ck_assert_int_eq(move("", "f", "e/moved", "y", RENAME_NOREPLACE), -EEXIST);
	ck_assert_int_eq(move("", "f", "e/moved", "y", RENAME_EXCHANGE), 0);
	expect(fs->root, "e/moved/y", "hello\n");
	expect(fs->root, "f", "y\n");
	ck_assert_int_eq(move("e/moved", "y", "", "f", 0), 0);
	expect(fs->root, "f", "hello\n");
	ck_assert(!exists("e/moved/y"));
	ck_assert_int_eq(drop("e/moved/sub", "x"), 0);
	ck_assert_int_eq(drop("e/moved", "sub"), 0);
	ck_assert_int_eq(drop("e", "moved"), 0);
	expect_names(fs->root, "e", ((const char *const[]){ NULL }));
	shell("test -f d/sub/x");
}
END_TEST

START_TEST(links)
{
	struct inode *i = at(fs->root, "d/y"), *d = at(fs->root, "e");

	mutex_lock(&d->mu);
	ck_assert_int_eq(d->ops->link(NULL, d, "y2", i), 0);
	mutex_unlock(&d->mu);
	ck_assert_uint_eq(attr(i).nlink, 2);
	inode_put(i);
	inode_put(d);
	ck_assert_int_eq(drop("d", "y"), 0);
	expect(fs->root, "e/y2", "y\n");
	i = at(fs->root, "e/y2");
	struct file *f = opened(i, O_WRONLY | O_APPEND);
	ck_assert_int_eq(put(f, "z\n", 2, 0), 2);
	/* Works on after its last name went. */
	ck_assert_int_eq(drop("e", "y2"), 0);
	ck_assert_int_eq(put(f, "z\n", 2, 0), 2);
	ck_assert_uint_eq(attr(i).size, 6);
	file_put(f);
	inode_put(i);
}
END_TEST

START_TEST(lower_memory)
{
	struct mmap_args a = { .flags = MAP_PRIVATE, .prot = PROT_READ, .maxprot = 7 };
	struct inode *i = at(fs->root, "f");
	struct file *f = opened(i, O_RDONLY);
	struct backing b;
	char buf[6];

	ck_assert_int_eq(f->ops->mmap(f, NULL, &a), 0);
	ck_assert_int_eq(a.mobj->ops->backing(a.mobj, 0, 4096, false, &b), 0);
	ck_assert_int_ge(b.fd, 0);
	ck_assert_int_eq(a.mobj->ops->backing(a.mobj, 0, 4096, true, &b), -EACCES);
	file_put(f);
	inode_put(i);
	ck_assert_int_eq(a.mobj->ops->backing(a.mobj, 0, 4096, false, &b), 0);
	ck_assert_int_eq(pread(b.fd, buf, 6, 0), 6);
	mobj_put(a.mobj);
}
END_TEST

/* ---- the client without an overlay ---------------------------------------------------- */

START_TEST(remote_writes)
{
	struct super *s;
	struct inode *i, *d;
	struct file *f;
	struct iattr a = { .mode = 0604, .size = 3, .mtime = { 77, 5 } };

	ck_assert_int_eq(remote_super(1, false, false, &s), 0);
	i = made(s->root, "new", S_IFREG | 0640);
	f = opened(i, O_RDWR);
	ck_assert_int_eq(put(f, "12345", 5, 0), 5);
	ck_assert_uint_eq(attr(i).size, 5);
	expect_file(f, "12345");
	ck_assert_int_eq(f->ops->fsync(f, NULL, false), 0);
	file_put(f);
	f = opened(i, O_WRONLY | O_APPEND);
	ck_assert_int_eq(put(f, "67", 2, 0), 2);
	file_put(f);
	shell("test \"$(cat new)\" = 1234567 -a $(stat -c %a new) = 640");
	ck_assert_int_eq(i->ops->setattr(&nobody, i, &a, ATTR_MODE | ATTR_SIZE | ATTR_MTIME), 0);
	ck_assert_uint_eq(attr(i).size, 3);
	ck_assert_int_eq(attr(i).mtime.sec, 77);
	shell("test \"$(cat new)\" = 123 -a $(stat -c %a new) = 604");
	/* Open, then unlinked. */
	f = opened(i, O_RDWR);
	mutex_lock(&s->root->mu);
	ck_assert_int_eq(s->root->ops->unlink(NULL, s->root, "new", i), 0);
	mutex_unlock(&s->root->mu);
	ck_assert_int_eq(put(f, "9", 1, 0), 1);
	expect_file(f, "923");
	ck_assert_uint_eq(attr(i).nlink, 0);
	file_put(f);
	inode_put(i);
	inode_put(made(s->root, "l", S_IFLNK | 0777));
	inode_put(made(s->root, "p", S_IFIFO | 0600));
	d = made(s->root, "nd", S_IFDIR | 0755);
	inode_put(made(d, "in", S_IFREG | 0600));
	expect_names(s->root, "nd", NAMES("in"));
	inode_put(made(d, "in2", S_IFREG | 0600));
	expect_names(s->root, "nd", NAMES("in", "in2"));
	inode_put(d);
	shell("test -L l -a -p p -a -f nd/in");
	super_put(s);
}
END_TEST

START_TEST(remote_shared)
{
	struct super *s;
	struct inode *i;

	ck_assert_int_eq(remote_super(1, true, true, &s), 0);
	i = at(s->root, "f");
	ck_assert_int_eq(i->ops->revalidate(NULL, s->root, "f", i), 1);
	shell("echo more >> f");
	ck_assert_uint_eq(attr(i).size, 11);
	shell("rm f && echo other > f");
	ck_assert_int_eq(i->ops->revalidate(NULL, s->root, "f", i), 0);
	inode_put(i);
	ck_assert_int_eq(look(s->root, "..", &i), -EINVAL);
	super_put(s);
	/* A single file as a mount. */
	ck_assert_int_eq(remote_super(2, true, false, &s), 0);
	ck_assert(S_ISREG(s->root->attr.mode));
	ck_assert_int_eq(look(s->root, "x", &i), -ENOTDIR);
	super_put(s);
}
END_TEST

START_TEST(many_names)
{
	static const char *const none[] = { NULL };
	struct collect c = { .sink.emit = collect_emit };
	struct inode *i;

	(void)c;
	shell("mkdir m; cd m; for i in $(seq 1 3000); do : > $i; done");
	for (int n = 1; n <= 3000; n++) {
		char name[16];

		snprintf(name, sizeof name, "%d", n);
		ck_assert_int_eq(drop("m", name), 0);
	}
	expect_names(fs->root, "m", none);
	i = at(fs->root, "m");
	ck_assert_ptr_nonnull(i);
	inode_put(i);
	ck_assert_int_eq(drop("", "m"), 0);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("overlay");
	TCase *c = tcase_create("all");
	SRunner *r;
	int failed;

	tcase_add_checked_fixture(c, setup, teardown);
	tcase_set_timeout(c, 60);
	tcase_add_test(c, reads_lower);
	tcase_add_test(c, copies_up);
	tcase_add_test(c, copies_up_holes);
	tcase_add_test(c, attributes);
	tcase_add_test(c, whiteouts);
	tcase_add_test(c, renames);
	tcase_add_test(c, links);
	tcase_add_test(c, lower_memory);
	tcase_add_test(c, remote_writes);
	tcase_add_test(c, remote_shared);
	tcase_add_test(c, many_names);
	suite_add_tcase(s, c);
	r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
