/* tmpfs: names, data, limits, through the operations the VFS uses. */
#include <check.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fs/fs.h"
#include "fs/tmpfs.h"
#include "sentry/mm/pages.h"
#include "sentry/vfs/file.h"

#define MEMFILE_SIZE	(256ULL << 20)

static struct super *fs;
static uint64_t pages_before, inodes_before, files_before, mobjs_before;

static void
setup(void)
{
	static bool booted;

	if (!booted) {
		int fd = memfd_create("pages", 0);

		ck_assert_int_eq(ftruncate(fd, (off_t)MEMFILE_SIZE), 0);
		ck_assert_int_eq(pages_boot(fd, MEMFILE_SIZE), 0);
		booted = true;
	}
	pages_before = pages_used();
	inodes_before = ref_census(OBJ_inode);
	files_before = ref_census(OBJ_file);
	mobjs_before = ref_census(OBJ_mobj);
	ck_assert_int_eq(tmpfs_super("size=64m", &fs), 0);
}

static void
teardown(void)
{
	super_put(fs);
	ck_assert_uint_eq(pages_used(), pages_before);
	ck_assert_uint_eq(ref_census(OBJ_inode), inodes_before);
	ck_assert_uint_eq(ref_census(OBJ_file), files_before);
	ck_assert_uint_eq(ref_census(OBJ_mobj), mobjs_before);
}

static int
make(struct inode *dir, const char *name, uint32_t mode, struct inode **out)
{
	int err;

	mutex_lock(&dir->mu);
	err = dir->ops->create(NULL, dir, name, mode, 0, S_ISLNK(mode) ? "target" : NULL, out);
	mutex_unlock(&dir->mu);
	return err;
}

static struct inode *
made(struct inode *dir, const char *name, uint32_t mode)
{
	struct inode *i;

	ck_assert_int_eq(make(dir, name, mode, &i), 0);
	return i;
}

static int
look(struct inode *dir, const char *name, struct inode **out)
{
	int err;

	mutex_lock(&dir->mu);
	err = dir->ops->lookup(NULL, dir, name, out);
	mutex_unlock(&dir->mu);
	return err;
}

static bool
exists(struct inode *dir, const char *name)
{
	struct inode *i;

	if (look(dir, name, &i) != 0)
		return false;
	inode_put(i);
	return true;
}

static int
drop(struct inode *dir, const char *name, bool is_dir)
{
	struct inode *i;
	int err = look(dir, name, &i);

	if (err)
		return err;
	mutex_lock(&dir->mu);
	err = is_dir ? dir->ops->rmdir(NULL, dir, name, i) : dir->ops->unlink(NULL, dir, name, i);
	mutex_unlock(&dir->mu);
	inode_put(i);
	return err;
}

static int
move(struct inode *a, const char *from, struct inode *b, const char *to, uint32_t flags)
{
	struct inode *node, *target = NULL;
	int err = look(a, from, &node);

	if (err)
		return err;
	if (look(b, to, &target) != 0)
		target = NULL;
	mutex_lock_pair(&a->mu, &b->mu);
	err = a->ops->rename(NULL, a, from, node, b, to, target, flags);
	mutex_unlock_pair(&a->mu, &b->mu);
	inode_put(node);
	inode_put(target);
	return err;
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

	ck_assert_int_eq(i->ops->open(NULL, i, flags, &f), 0);
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

static int64_t
get(struct file *f, void *buf, uint64_t len, int64_t off)
{
	struct iobuf b;
	int64_t n;

	iob_init_kernel(&b, buf, len);
	n = f->ops->pread(f, NULL, &b, off);
	iob_fini(&b);
	return n;
}

static int
resize(struct inode *i, uint64_t size)
{
	struct iattr a = { .size = size };

	return i->ops->setattr(NULL, i, &a, ATTR_SIZE);
}

START_TEST(options)
{
	static const char *const good[] = { "", "size=10%", "size=4k,mode=700,uid=5,gid=6,nr_inodes=10", "nr_blocks=3", "mode=0755,huge=never" };
	static const char *const bad[] = { "size=", "size=x", "size=1q", "mode=8", "mode=10000", "nonsense", "size=99999999999999999999" };
	struct super *s;

	for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
		ck_assert_int_eq(tmpfs_super(good[i], &s), 0);
		super_put(s);
	}
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		ck_assert_int_eq(tmpfs_super(bad[i], &s), -EINVAL);
	ck_assert_int_eq(tmpfs_super("mode=751,uid=5,gid=6", &s), 0);
	ck_assert_uint_eq(s->root->attr.mode, S_IFDIR | 0751);
	ck_assert_uint_eq(s->root->attr.uid, 5);
	super_put(s);
}
END_TEST

START_TEST(data)
{
	struct inode *i = made(fs->root, "f", S_IFREG | 0644);
	struct file *f = opened(i, O_RDWR);
	char *big = malloc(5 << 20), *back = malloc(5 << 20);

	for (int n = 0; n < 5 << 20; n++)
		big[n] = (char)(n * 31 + (n >> 12));
	ck_assert_int_eq(put(f, "abc", 3, 0), 3);
	ck_assert_int_eq(get(f, back, 10, 0), 3);
	ck_assert_int_eq(get(f, back, 10, 3), 0);
	ck_assert_int_eq(put(f, big, 5 << 20, 12345), 5 << 20);
	ck_assert_int_eq(get(f, back, 5 << 20, 12345), 5 << 20);
	ck_assert_int_eq(memcmp(big, back, 5 << 20), 0);
	ck_assert_int_eq(get(f, back, 12345, 0), 12345);
	ck_assert(memcmp(back, "abc", 3) == 0 && back[3] == 0 && back[12344] == 0);
	ck_assert_uint_eq(attr(i).size, (5 << 20) + 12345);
	/* Cut within a page and grown again: zeroes, not what was there. */
	ck_assert_int_eq(resize(i, 20000), 0);
	ck_assert_int_eq(resize(i, 40000), 0);
	ck_assert_int_eq(get(f, back, 40000, 0), 40000);
	ck_assert_int_eq(memcmp(back + 12345, big, 20000 - 12345), 0);
	for (int n = 20000; n < 40000; n++)
		ck_assert_int_eq(back[n], 0);
	ck_assert_uint_le(attr(i).blocks, 5 * 8);
	free(big);
	free(back);
	file_put(f);
	inode_put(i);
}
END_TEST

START_TEST(holes)
{
	struct inode *i = made(fs->root, "f", S_IFREG | 0644);
	struct file *f = opened(i, O_RDWR);
	char buf[64 << 10];

	ck_assert_int_eq(resize(i, 1ULL << 40), 0);
	ck_assert_uint_eq(attr(i).blocks, 0);
	ck_assert_int_eq(put(f, "x", 1, 1 << 30), 1);
	ck_assert_uint_eq(attr(i).blocks, 8);
	ck_assert_int_eq(f->ops->seek(f, NULL, 0, SEEK_DATA), 1 << 30);
	ck_assert_int_eq(f->ops->seek(f, NULL, 0, SEEK_HOLE), 0);
	ck_assert_int_eq(f->ops->seek(f, NULL, 1 << 30, SEEK_HOLE), (1 << 30) + 4096);
	ck_assert_int_eq(f->ops->seek(f, NULL, (1 << 30) + 4096, SEEK_DATA), -ENXIO);
	ck_assert_int_eq(resize(i, 0), 0);
	memset(buf, 'y', sizeof buf);
	ck_assert_int_eq(put(f, buf, sizeof buf, 0), sizeof buf);
	ck_assert_int_eq(f->ops->fallocate(f, NULL, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 5000, 20000), 0);
	ck_assert_int_eq(get(f, buf, sizeof buf, 0), sizeof buf);
	for (int n = 0; n < (int)sizeof buf; n++)
		ck_assert_int_eq(buf[n], n >= 5000 && n < 25000 ? 0 : 'y');
	ck_assert_uint_eq(attr(i).blocks, (16 - 4) * 8);
	ck_assert_int_eq(f->ops->fallocate(f, NULL, FALLOC_FL_KEEP_SIZE, 0, 1 << 20), 0);
	ck_assert_uint_eq(attr(i).size, sizeof buf);
	ck_assert_int_eq(f->ops->fallocate(f, NULL, 0, 0, 1 << 20), 0);
	ck_assert_uint_eq(attr(i).size, 1 << 20);
	ck_assert_int_eq(f->ops->fallocate(f, NULL, FALLOC_FL_COLLAPSE_RANGE, 0, 4096), -EOPNOTSUPP);
	file_put(f);
	inode_put(i);
}
END_TEST

/* Against a plain array: random writes, cuts and punches. */
START_TEST(model)
{
	enum { SIZE = 1 << 19 };
	struct inode *i = made(fs->root, "f", S_IFREG | 0644);
	struct file *f = opened(i, O_RDWR);
	char *want = calloc(1, SIZE), *buf = malloc(SIZE);
	uint64_t size = 0;

	srand(7);
	for (int n = 0; n < 3000; n++) {
		uint64_t off = (uint64_t)(rand() % SIZE), len = (uint64_t)(rand() % 20000);

		len = min(len, SIZE - off);
		switch (rand() % 4) {
		case 0: case 1:
			for (uint64_t k = 0; k < len; k++)
				buf[k] = want[off + k] = (char)(n + (int)k);
			ck_assert_int_eq(put(f, buf, len, (int64_t)off), (int64_t)len);
			if (len)
				size = max(size, off + len);
			break;
		case 2:
			if (off < size)
				memset(want + off, 0, SIZE - off);
			size = off;
			ck_assert_int_eq(resize(i, off), 0);
			break;
		default:
			if (len == 0)
				break;
			memset(want + off, 0, len);
			ck_assert_int_eq(f->ops->fallocate(f, NULL, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
			    (int64_t)off, (int64_t)len), 0);
			break;
		}
		if (n % 50 == 0) {
			ck_assert_uint_eq(attr(i).size, size);
			ck_assert_int_eq(get(f, buf, SIZE, 0), (int64_t)size);
			ck_assert_int_eq(memcmp(buf, want, size), 0);
		}
	}
	free(want);
	free(buf);
	file_put(f);
	inode_put(i);
}
END_TEST

START_TEST(appends)
{
	struct inode *i = made(fs->root, "f", S_IFREG | 0644);
	struct file *f = opened(i, O_WRONLY | O_APPEND), *r = opened(i, O_RDONLY);
	char buf[16];

	ck_assert_int_eq(put(f, "one", 3, 0), 3);
	ck_assert_int_eq(put(f, "two", 3, 0), 3);
	ck_assert_int_eq(f->pos, 6);
	ck_assert_int_eq(get(r, buf, sizeof buf, 0), 6);
	ck_assert_int_eq(memcmp(buf, "onetwo", 6), 0);
	file_put(f);
	file_put(r);
	inode_put(i);
}
END_TEST

START_TEST(full)
{
	struct super *s;
	struct inode *i, *j;
	struct file *f;
	struct fs_statfs st;
	char *buf = calloc(1, 1 << 20);

	ck_assert_int_eq(tmpfs_super("size=256k,nr_inodes=3", &s), 0);
	i = made(s->root, "f", S_IFREG | 0644);
	f = opened(i, O_RDWR);
	ck_assert_int_eq(put(f, buf, 1 << 20, 0), 256 << 10);
	ck_assert_int_eq(put(f, buf, 1, 256 << 10), -ENOSPC);
	ck_assert_int_eq(s->ops->statfs(s, &st), 0);
	ck_assert_uint_eq(st.bfree, 0);
	ck_assert_uint_eq(st.blocks, 64);
	ck_assert_int_eq(f->ops->fallocate(f, NULL, 0, 0, 1 << 20), -ENOSPC);
	ck_assert_int_eq(resize(i, 4096), 0);
	ck_assert_int_eq(put(f, buf, 8192, 4096), 8192);
	j = made(s->root, "g", S_IFREG | 0644);
	inode_put(j);
	ck_assert_int_eq(make(s->root, "h", S_IFREG | 0644, &j), -ENOSPC);
	ck_assert_int_eq(drop(s->root, "g", false), 0);
	ck_assert_int_eq(make(s->root, "h", S_IFREG | 0644, &j), 0);
	inode_put(j);
	file_put(f);
	inode_put(i);
	super_put(s);
	free(buf);
}
END_TEST

START_TEST(names)
{
	struct inode *d = made(fs->root, "d", S_IFDIR | 0755), *f = made(d, "f", S_IFREG | 0600), *l;
	char buf[32];

	ck_assert_uint_eq(attr(fs->root).nlink, 3);
	ck_assert_int_eq(make(d, "f", S_IFREG, &l), -EEXIST);
	ck_assert_int_eq(drop(fs->root, "d", true), -ENOTEMPTY);
	l = made(d, "l", S_IFLNK | 0777);
	ck_assert_int_eq(l->ops->readlink(NULL, l, buf, 3), 3);
	ck_assert_int_eq(l->ops->readlink(NULL, l, buf, sizeof buf), 6);
	inode_put(l);
	mutex_lock(&fs->root->mu);
	ck_assert_int_eq(fs->root->ops->link(NULL, fs->root, "hard", f), 0);
	ck_assert_int_eq(fs->root->ops->link(NULL, fs->root, "hard", f), -EEXIST);
	ck_assert_int_eq(fs->root->ops->link(NULL, fs->root, "dirlink", d), -EPERM);
	mutex_unlock(&fs->root->mu);
	ck_assert_uint_eq(attr(f).nlink, 2);
	ck_assert_int_eq(drop(d, "f", false), 0);
	ck_assert_uint_eq(attr(f).nlink, 1);
	ck_assert_int_eq(drop(fs->root, "hard", false), 0);
	ck_assert_uint_eq(attr(f).nlink, 0);
	mutex_lock(&d->mu);
	ck_assert_int_eq(d->ops->link(NULL, d, "again", f), -ENOENT);
	mutex_unlock(&d->mu);
	ck_assert_int_eq(drop(d, "l", false), 0);
	ck_assert_int_eq(drop(fs->root, "d", true), 0);
	ck_assert_uint_eq(attr(fs->root).nlink, 2);
	/* A directory that is gone takes no names. */
	ck_assert_int_eq(make(d, "late", S_IFREG, &l), -ENOENT);
	inode_put(f);
	inode_put(d);
}
END_TEST

START_TEST(renames)
{
	struct inode *a = made(fs->root, "a", S_IFDIR | 0755), *b = made(fs->root, "b", S_IFDIR | 0755);

	inode_put(made(a, "f", S_IFREG | 0644));
	inode_put(made(a, "sub", S_IFDIR | 0755));
	inode_put(made(b, "g", S_IFREG | 0644));
	ck_assert_int_eq(move(a, "f", b, "g", RENAME_NOREPLACE), -EEXIST);
	ck_assert_int_eq(move(a, "f", b, "g", RENAME_EXCHANGE), 0);
	ck_assert_int_eq(move(a, "f", b, "missing", RENAME_EXCHANGE), -ENOENT);
	ck_assert_int_eq(move(a, "f", b, "g", 0), 0);
	ck_assert(!exists(a, "f") && exists(b, "g"));
	ck_assert_int_eq(move(a, "sub", b, "sub", 0), 0);
	ck_assert_uint_eq(attr(a).nlink, 2);
	ck_assert_uint_eq(attr(b).nlink, 3);
	inode_put(made(a, "empty", S_IFDIR | 0755));
	ck_assert_int_eq(move(b, "sub", a, "empty", 0), 0);
	ck_assert_uint_eq(attr(a).nlink, 3);
	ck_assert_int_eq(move(a, "empty", a, "renamed", 0), 0);
	ck_assert(exists(a, "renamed") && !exists(a, "empty"));
	ck_assert_int_eq(move(b, "g", b, "w", RENAME_WHITEOUT), 0);
	ck_assert(exists(b, "g"));
	inode_put(a);
	inode_put(b);
}
END_TEST

struct collect {
	struct dirsink sink;
	unsigned n, room;
	char names[4096][16];
};

static bool
collect_emit(struct dirsink *d, const char *name, size_t len, uint64_t ino, uint8_t dtype, int64_t next)
{
	struct collect *c = container_of(d, struct collect, sink);

	(void)ino, (void)dtype, (void)next;
	if (c->room-- == 0)
		return false;
	snprintf(c->names[c->n++], 16, "%.*s", (int)len, name);
	return true;
}

START_TEST(lists)
{
	static struct collect c = { .sink.emit = collect_emit };
	struct inode *d = made(fs->root, "d", S_IFDIR | 0755);
	struct file *f = opened(d, O_RDONLY);
	char name[16];
	unsigned gone = 0;

	for (int n = 0; n < 1000; n++) {
		snprintf(name, sizeof name, "n%d", n);
		inode_put(made(d, name, S_IFREG));
	}
	/* As rm -r does it: read some, remove them, read on. Nothing is skipped. */
	for (;;) {
		c.n = 0;
		c.room = 100;
		ck_assert_int_eq(f->ops->readdir(f, NULL, &c.sink), 0);
		if (c.n == 0)
			break;
		for (unsigned k = 0; k < c.n; k++) {
			if (c.names[k][0] == '.')
				continue;
			ck_assert_int_eq(drop(d, c.names[k], false), 0);
			gone++;
		}
	}
	ck_assert_uint_eq(gone, 1000);
	file_put(f);
	inode_put(d);
}
END_TEST

START_TEST(deep)
{
	/* Dropping the instance must not recurse. */
	struct inode *d = inode_get(fs->root);

	for (int n = 0; n < 50000; n++) {
		struct inode *next = made(d, "d", S_IFDIR | 0755);

		inode_put(d);
		d = next;
	}
	inode_put(d);
}
END_TEST

START_TEST(unnamed)
{
	struct inode *i;
	struct file *f;

	ck_assert_int_eq(fs->root->ops->tmpfile(NULL, fs->root, S_IFREG | 0600, &i), 0);
	ck_assert_uint_eq(attr(i).nlink, 0);
	f = opened(i, O_RDWR);
	ck_assert_int_eq(put(f, "data", 4, 0), 4);
	mutex_lock(&fs->root->mu);
	ck_assert_int_eq(fs->root->ops->link(NULL, fs->root, "named", i), 0);
	mutex_unlock(&fs->root->mu);
	ck_assert(exists(fs->root, "named"));
	ck_assert_uint_eq(attr(i).nlink, 1);
	file_put(f);
	inode_put(i);
}
END_TEST

START_TEST(xattrs)
{
	struct inode *i = made(fs->root, "f", S_IFREG | 0644), *l = made(fs->root, "l", S_IFLNK | 0777);
	char buf[64];

	ck_assert_int_eq(i->ops->setxattr(NULL, i, "user.a", "12345", 5, 0), 0);
	ck_assert_int_eq(i->ops->setxattr(NULL, i, "user.a", "x", 1, 1), -EEXIST);
	ck_assert_int_eq(i->ops->setxattr(NULL, i, "user.b", "x", 1, 2), -ENODATA);
	ck_assert_int_eq(i->ops->setxattr(NULL, i, "system.x", "x", 1, 0), -EOPNOTSUPP);
	ck_assert_int_eq(l->ops->setxattr(NULL, l, "user.a", "x", 1, 0), -EPERM);
	ck_assert_int_eq(i->ops->getxattr(NULL, i, "user.a", buf, 0), 5);
	ck_assert_int_eq(i->ops->getxattr(NULL, i, "user.a", buf, 3), -ERANGE);
	ck_assert_int_eq(i->ops->getxattr(NULL, i, "user.a", buf, 64), 5);
	ck_assert_int_eq(i->ops->getxattr(NULL, i, "user.z", buf, 64), -ENODATA);
	ck_assert_int_eq(i->ops->listxattr(NULL, i, buf, 64), 7);
	ck_assert_int_eq(i->ops->setxattr(NULL, i, "user.a", NULL, 0, 0), 0);
	ck_assert_int_eq(i->ops->setxattr(NULL, i, "user.a", NULL, 0, 0), -ENODATA);
	inode_put(i);
	inode_put(l);
}
END_TEST

START_TEST(as_memory)
{
	struct inode *i = made(fs->root, "f", S_IFREG | 0644);
	struct file *f = opened(i, O_RDWR);
	struct mmap_args a = { .flags = MAP_SHARED, .prot = PROT_READ | PROT_WRITE, .maxprot = 7 };
	struct backing at;
	char buf[8];

	ck_assert_int_eq(put(f, "hello", 5, 0), 5);
	ck_assert_int_eq(f->ops->mmap(f, NULL, &a), 0);
	ck_assert_int_eq(a.mobj->ops->backing(a.mobj, 0, 1 << 20, true, &at), 0);
	ck_assert_int_eq(at.fd, MAPFD_MEMFILE);
	ck_assert_uint_eq(at.len, 4096);
	ck_assert_int_eq(memcmp(page_ptr(at.off), "hello", 5), 0);
	memcpy(page_ptr(at.off), "HELLO", 5);
	ck_assert_int_eq(get(f, buf, 5, 0), 5);
	ck_assert_int_eq(memcmp(buf, "HELLO", 5), 0);
	ck_assert_int_eq(a.mobj->ops->backing(a.mobj, 4096, 4096, true, &at), 0);
	ck_assert_uint_eq(at.len, 0);
	/* The object outlives the file. */
	file_put(f);
	ck_assert_int_eq(drop(fs->root, "f", false), 0);
	inode_put(i);
	ck_assert_int_eq(a.mobj->ops->backing(a.mobj, 0, 4096, true, &at), 0);
	ck_assert_int_eq(memcmp(page_ptr(at.off), "HELLO", 5), 0);
	mobj_put(a.mobj);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("tmpfs");
	TCase *c = tcase_create("all");
	SRunner *r;
	int failed;

	tcase_add_checked_fixture(c, setup, teardown);
	tcase_set_timeout(c, 60);
	tcase_add_test(c, options);
	tcase_add_test(c, data);
	tcase_add_test(c, holes);
	tcase_add_test(c, model);
	tcase_add_test(c, appends);
	tcase_add_test(c, full);
	tcase_add_test(c, names);
	tcase_add_test(c, renames);
	tcase_add_test(c, lists);
	tcase_add_test(c, deep);
	tcase_add_test(c, unnamed);
	tcase_add_test(c, xattrs);
	tcase_add_test(c, as_memory);
	suite_add_tcase(s, c);
	r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
