/*
 * Path walks and changes of names under arbitrary bytes: the input is a list of operations on a small
 * filesystem, two names each.  Nothing may crash, leak or leave a lock; what a walk finds must have
 * a text that leads back to it (until something is mounted: a mount may hide the place).
 */
#include "tests/unit/memfs.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool mounted;

/* The next NUL-terminated name of the input, cut to a path's size. */
static const char *
next_name(const uint8_t **data, size_t *size, char *buf)
{
	size_t n = 0;

	while (*size > 0 && **data != 0 && n < PATH_LIMIT - 1) {
		buf[n++] = (char)*(*data)++;
		(*size)--;
	}
	buf[n] = '\0';
	if (*size > 0) {
		(*data)++;
		(*size)--;
	}
	return buf;
}

static void
check_walk(struct task *t, const char *name, uint32_t flags)
{
	static char text[2 * PATH_LIMIT];
	struct path p, q;

	if (path_walk(t, AT_FDCWD, name, flags, &p) != 0)
		return;
	if (path_text(&p, &t->fs->root, false, text, sizeof text) == 0 && strlen(text) < PATH_LIMIT &&
	    !dentry_unlinked(p.dentry) && strncmp(text, "(unreachable)", 13) != 0) {
		int err = path_walk(t, AT_FDCWD, text, 0, &q);

		if (!mounted && (err || !path_equal(&p, &q)))
			abort();
		if (!err)
			path_put(&q);
	}
	path_put(&p);
}

static void
operate(struct task *t, uint8_t op, const char *a, const char *b)
{
	struct file *f;
	struct path p, q;
	int err = 0;

	switch (op % 10) {
	case 0:
		check_walk(t, a, op & 0x80 ? WALK_FOLLOW : 0);
		break;
	case 1:
		check_walk(t, a, (uint32_t)op * 37 % 256);
		break;
	case 2:
		err = name_create(t, AT_FDCWD, a, S_IFDIR | 0755, 0, NULL);
		break;
	case 3:
		err = name_create(t, AT_FDCWD, a, S_IFREG | 0644, 0, NULL);
		break;
	case 4:
		err = b[0] ? name_create(t, AT_FDCWD, a, S_IFLNK | 0777, 0, b) : 0;
		break;
	case 5:
		err = name_remove(t, AT_FDCWD, a, op & 0x80);
		break;
	case 6:
		err = name_rename(t, AT_FDCWD, a, AT_FDCWD, b, op >> 6);
		break;
	case 7:
		if (path_walk(t, AT_FDCWD, a, 0, &p) == 0) {
			err = name_link(t, &p, AT_FDCWD, b);
			path_put(&p);
		}
		break;
	case 8:
		if (vfs_open_name(t, AT_FDCWD, a, O_CREAT | (op & 0x80 ? O_EXCL : 0), 0644, 0, &f) == 0)
			file_put(f);
		break;
	default:
		if (path_walk(t, AT_FDCWD, a, WALK_FOLLOW, &p) != 0)
			break;
		if (path_walk(t, AT_FDCWD, b, WALK_FOLLOW, &q) == 0) {
			mounted = true;
			err = op & 0x80 ? mount_umount(t->mntns, &p, true) : mount_bind(t->mntns, &p, &q, op & 0x40);
			path_put(&q);
		}
		path_put(&p);
		break;
	}
	/* -EAGAIN is internal, and nothing but a negative errno may come out. */
	if (err > 0 || err < -4095 || err == -EAGAIN)
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static char a[PATH_LIMIT], b[PATH_LIMIT];
	uint64_t before[OBJ_COUNT];
	struct task *t;

	for (int i = 0; i < OBJ_COUNT; i++)
		before[i] = ref_census((enum objtype)i);
	t = mem_setup(UINT64_MAX);
	mounted = false;
	for (int n = 0; size > 0 && n < 200; n++) {
		uint8_t op = *data++;

		size--;
		(void)next_name(&data, &size, a);
		(void)next_name(&data, &size, b);
		operate(t, op, a, b);
	}
	mem_teardown(t);
	lock_assert_none();
	for (int i = 0; i < OBJ_COUNT; i++) {
		if (ref_census((enum objtype)i) != before[i])
			abort();
	}
	return 0;
}
