/*
 * tmpfs: a filesystem in memory: instances, nodes, attributes, extended attributes.  tmpfs(5).
 *
 * A name in a directory holds a reference to its inode; so a node lives while it has a name or
 * somebody uses it, and its memory goes back when both end.
 */
#include "fs/tmpfs.h"

#include <fcntl.h>
#include <linux/capability.h>
#include <linux/xattr.h>
#include <string.h>
#include <sys/stat.h>

#include "base/kmem.h"
#include "fs/fs.h"
#include "sentry/kernel/task.h"
#include "sentry/mm/pages.h"

#define TMPFS_MAGIC_NUMBER	0x01021994
#define XATTR_LIST_MAX_BYTES	65536u

KMEM_CACHE(tmpfs_acct);
KMEM_CACHE(tmpfs_node);
KMEM_CACHE(tmpfs_super);

/* ---- what a mount may use ----------------------------------------------------------- */

struct tmpfs_acct *
tmpfs_acct_get(struct tmpfs_acct *a)
{
	atomic_fetch_add_explicit(&a->refs, 1, memory_order_relaxed);
	return a;
}

void
tmpfs_acct_put(struct tmpfs_acct *a)
{
	if (a != NULL && atomic_fetch_sub_explicit(&a->refs, 1, memory_order_acq_rel) == 1)
		obj_free(tmpfs_acct, a);
}

static bool
is_option(const char *text, size_t len, const char *name, const char **value)
{
	size_t n = strlen(name);

	if (len < n || memcmp(text, name, n) != 0)
		return false;
	*value = text + n;
	return len > n || name[n - 1] != '=';
}

/* A number with k, m, g or %: of bytes, of which % is a share of the memory there is. */
static int
parse_size(const char *p, const char *end, unsigned base, bool suffix, uint64_t *out)
{
	uint64_t v = 0;
	unsigned shift = 0;

	if (p == end)
		return -EINVAL;
	for (; p < end && *p >= '0' && *p <= '7' + (base == 8 ? 0 : 2); p++)
		if (ckd_mul(&v, v, (uint64_t)base) || ckd_add(&v, v, (uint64_t)(*p - '0')))
			return -EINVAL;
	if (p < end && suffix) {
		switch (*p++) {
		case 'k': case 'K':
			shift = 10;
			break;
		case 'm': case 'M':
			shift = 20;
			break;
		case 'g': case 'G':
			shift = 30;
			break;
		case '%':
			if (v > 10000)
				return -EINVAL;
			v = pages_limit() / 100 * v;
			break;
		default:
			return -EINVAL;
		}
	}
	if (p != end || (shift != 0 && v > UINT64_MAX >> shift))
		return -EINVAL;
	*out = v << shift;
	return 0;
}

static int
parse_one(const char *p, size_t len, struct tmpfs_options *o)
{
	/* Accepted for what they mean elsewhere: pages are the host's business. */
	static const char *const ignored[] = { "huge=", "mpol=", "noswap", "inode64", "inode32", "context=",
		"fscontext=", "defcontext=", "rootcontext=", "nr_extents=", "quota", "noquota" };
	const char *v, *end = p + len;
	uint64_t n;
	int err = 0;

	if (is_option(p, len, "size=", &v)) {
		err = parse_size(v, end, 10, true, &o->size);
		o->has_size = true;
	} else if (is_option(p, len, "nr_blocks=", &v)) {
		err = parse_size(v, end, 10, true, &n);
		if (!err && ckd_mul(&o->size, n, PAGE_SIZE))
			err = -EINVAL;
		o->has_size = true;
	} else if (is_option(p, len, "nr_inodes=", &v)) {
		err = parse_size(v, end, 10, true, &o->inodes);
	} else if (is_option(p, len, "mode=", &v)) {
		err = parse_size(v, end, 8, false, &n);
		if (!err && n > 07777)
			err = -EINVAL;
		o->mode = (uint32_t)n;
	} else if (is_option(p, len, "uid=", &v)) {
		err = parse_size(v, end, 10, false, &n);
		o->uid = (uint32_t)n;
	} else if (is_option(p, len, "gid=", &v)) {
		err = parse_size(v, end, 10, false, &n);
		o->gid = (uint32_t)n;
	} else {
		for (size_t i = 0; i < ARRAY_LEN(ignored); i++)
			if (is_option(p, len, ignored[i], &v))
				return 0;
		err = -EINVAL;
	}
	return err;
}

int
tmpfs_parse(const char *text, struct tmpfs_options *o)
{
	*o = (struct tmpfs_options){ .mode = 01777 };
	while (text != NULL && *text != '\0') {
		size_t n = strcspn(text, ",");
		int err = n ? parse_one(text, n, o) : 0;

		if (err)
			return err;
		text += n + (text[n] == ',');
	}
	return 0;
}

/* ---- nodes ---------------------------------------------------------------------------- */

static struct tmpfs_node *
plain_alloc(void)
{
	return obj_new(tmpfs_node);
}

static void
plain_dealloc(struct tmpfs_node *n)
{
	obj_free(tmpfs_node, n);
}

static int
count_inode(struct tmpfs_acct *a)
{
	uint64_t was = atomic_fetch_add(&a->inodes, 1);

	if (a->max_inodes == 0 || was < a->max_inodes)
		return 0;
	atomic_fetch_sub(&a->inodes, 1);
	return -ENOSPC;
}

int
tmpfs_node_new(struct tmpfs_super *s, uint32_t mode, uint64_t rdev, const char *target, struct tmpfs_node **out)
{
	struct tmpfs_node *n;
	int err = count_inode(s->acct);

	if (err)
		return err;
	n = s->node_alloc();
	if (n == NULL) {
		atomic_fetch_sub(&s->acct->inodes, 1);
		return -ENOMEM;
	}
	inode_init(&n->inode, s->ops, &s->super, mode, s->rank);
	mutex_init(&n->amu, RANK_object);
	n->inode.attr_mu = &n->amu;
	list_init(&n->xattrs);
	n->counted = true;
	n->inode.attr.ino = atomic_fetch_add(&s->next_ino, 1);
	n->inode.attr.rdev = rdev;
	tmpfs_dir_init(n);
	if (S_ISREG(mode)) {
		err = tmpfs_data_new(s->acct, &n->data);
		if (!err)
			n->inode.mobj = &n->data->mobj;
	} else if (S_ISDIR(mode)) {
		n->inode.attr.nlink = 2;
	} else if (S_ISLNK(mode) && target != NULL) {
		n->target = mem_strdup(target);
		n->inode.attr.size = strlen(target);
		if (n->target == NULL)
			err = -ENOMEM;
	}
	if (err) {
		inode_put(&n->inode);
		return err;
	}
	*out = n;
	return 0;
}

static void
xattr_free(struct tmpfs_xattr *x)
{
	list_remove(&x->link);
	mem_free(x->name);
	mem_free(x);
}

void
tmpfs_node_fini(struct tmpfs_node *n)
{
	struct tmpfs_acct *acct = tmpfs_super_of(&n->inode)->acct;
	struct tmpfs_xattr *x, *next;

	tmpfs_dir_drop(n);
	list_for_each_safe(x, next, &n->xattrs, link)
		xattr_free(x);
	mem_free(n->target);
	if (n->counted)
		atomic_fetch_sub(&acct->inodes, 1);
	inode_fini(&n->inode);		/* and the reference to the data */
	mutex_fini(&n->amu);
}

void
tmpfs_free(struct inode *i)
{
	struct tmpfs_super *s = tmpfs_super_of(i);
	struct tmpfs_node *n = tmpfs_of(i);

	tmpfs_node_fini(n);
	s->node_dealloc(n);
}

/* ---- attributes ----------------------------------------------------------------------- */

void
tmpfs_touch(struct inode *i, bool modified)
{
	struct tmpfs_node *n = tmpfs_of(i);
	struct timespec64 now = inode_now();

	mutex_lock(&n->amu);
	i->attr.ctime = now;
	if (modified)
		i->attr.mtime = now;
	mutex_unlock(&n->amu);
}

uint32_t
tmpfs_add_links(struct inode *i, int delta)
{
	struct tmpfs_node *n = tmpfs_of(i);
	uint32_t now;

	mutex_lock(&n->amu);
	now = i->attr.nlink += (uint32_t)delta;
	mutex_unlock(&n->amu);
	return now;
}

uint32_t
tmpfs_links(struct inode *i)
{
	return tmpfs_add_links(i, 0);
}

int
tmpfs_link_more(struct inode *i)
{
	struct tmpfs_node *n = tmpfs_of(i);
	int err = 0;

	/* Names of one file may come and go in several directories at once: no directory's mu is enough. */
	mutex_lock(&n->amu);
	if (i->attr.nlink == 0 && !n->linkable)
		err = -ENOENT;
	else
		i->attr.nlink++;
	mutex_unlock(&n->amu);
	return err;
}

void
tmpfs_link_done(struct inode *i)
{
	struct tmpfs_node *n = tmpfs_of(i);

	mutex_lock(&n->amu);
	n->linkable = false;
	i->attr.ctime = inode_now();
	mutex_unlock(&n->amu);
}

int
tmpfs_getattr(struct task *t, struct inode *i, struct iattr *out)
{
	struct tmpfs_node *n = tmpfs_of(i);
	uint64_t size, blocks;

	(void)t;
	mutex_lock(&n->amu);
	*out = i->attr;
	mutex_unlock(&n->amu);
	if (n->data != NULL) {
		size = tmpfs_data_size(n->data, &blocks);
		out->size = size;
		out->blocks = blocks;
	}
	return 0;
}

int
tmpfs_setattr(struct task *t, struct inode *i, const struct iattr *attr, uint32_t which)
{
	struct tmpfs_node *n = tmpfs_of(i);

	(void)t;
	if (which & ATTR_SIZE) {
		int err = n->data ? tmpfs_data_resize(n->data, attr->size) : -EINVAL;

		if (err)
			return err;
	}
	mutex_lock(&i->mu);
	mutex_lock(&n->amu);
	if (which & ATTR_MODE && (attr->mode ^ i->attr.mode) & 0111 && n->data && tmpfs_data_sealed(n->data, SEAL_EXEC)) {
		mutex_unlock(&n->amu);
		mutex_unlock(&i->mu);
		return -EPERM;
	}
	inode_setattr_locked(i, attr, which);
	if (which & ATTR_SIZE)
		i->attr.size = attr->size;
	if (!(which & ATTR_CTIME))
		i->attr.ctime = inode_now();
	mutex_unlock(&n->amu);
	mutex_unlock(&i->mu);
	return 0;
}

int
tmpfs_readlink(struct task *t, struct inode *i, char *buf, size_t size)
{
	const char *target = tmpfs_of(i)->target;
	size_t n;

	(void)t;
	if (target == NULL)
		return -EINVAL;
	n = min(strlen(target), size);
	memcpy(buf, target, n);
	return (int)n;
}

/* ---- extended attributes ----------------------------------------------------------------- */

static struct tmpfs_xattr *
xattr_find(struct tmpfs_node *n, const char *name)
{
	struct tmpfs_xattr *x;

	list_for_each(x, &n->xattrs, link)
		if (strcmp(x->name, name) == 0)
			return x;
	return NULL;
}

/* The namespaces kept in memory: user. for files and directories only, as xattr(7) says. */
int
tmpfs_xattr_allowed(const struct inode *i, const char *name)
{
	static const char *const spaces[] = { "user.", "trusted.", "security." };

	for (size_t n = 0; n < ARRAY_LEN(spaces); n++) {
		size_t len = strlen(spaces[n]);

		if (strncmp(name, spaces[n], len) != 0)
			continue;
		if (name[len] == '\0')
			return -EINVAL;
		return n > 0 || S_ISREG(i->type) || S_ISDIR(i->type) ? 0 : -EPERM;
	}
	return -EOPNOTSUPP;
}

int
tmpfs_getxattr(struct task *t, struct inode *i, const char *name, void *buf, size_t size)
{
	struct tmpfs_node *n = tmpfs_of(i);
	struct tmpfs_xattr *x;
	int err = tmpfs_xattr_allowed(i, name);

	(void)t;
	if (err)
		return err == -EPERM ? -ENODATA : err;
	mutex_lock(&n->amu);
	x = xattr_find(n, name);
	if (x == NULL) {
		err = -ENODATA;
	} else if (size == 0) {
		err = (int)x->size;
	} else if (size < x->size) {
		err = -ERANGE;
	} else {
		memcpy(buf, x->name + strlen(x->name) + 1, x->size);
		err = (int)x->size;
	}
	mutex_unlock(&n->amu);
	return err;
}

static struct tmpfs_xattr *
xattr_new(const char *name, const void *val, size_t size)
{
	size_t len = strlen(name) + 1;
	struct tmpfs_xattr *x = mem_alloc(sizeof *x);

	if (x == NULL)
		return NULL;
	x->name = mem_alloc(len + size);
	if (x->name == NULL) {
		mem_free(x);
		return NULL;
	}
	memcpy(x->name, name, len);
	if (size)
		memcpy(x->name + len, val, size);
	x->size = (uint32_t)size;
	list_init(&x->link);
	return x;
}

int
tmpfs_setxattr(struct task *t, struct inode *i, const char *name, const void *val, size_t size, uint32_t flags)
{
	struct tmpfs_node *n = tmpfs_of(i);
	struct tmpfs_xattr *x, *fresh = NULL;
	int err = tmpfs_xattr_allowed(i, name);

	(void)t;
	if (err)
		return err;
	if (val != NULL) {
		fresh = xattr_new(name, val, size);
		if (fresh == NULL)
			return -ENOMEM;
	}
	mutex_lock(&n->amu);
	x = xattr_find(n, name);
	if (val == NULL && x == NULL)
		err = -ENODATA;
	else if (val != NULL && flags & XATTR_CREATE && x != NULL)
		err = -EEXIST;
	else if (val != NULL && flags & XATTR_REPLACE && x == NULL)
		err = -ENODATA;
	if (!err) {
		if (fresh != NULL)
			list_push_back(&n->xattrs, &fresh->link);
		if (x != NULL)
			list_remove(&x->link);
		i->attr.ctime = inode_now();
	} else {
		x = fresh;
	}
	mutex_unlock(&n->amu);
	if (x != NULL)
		xattr_free(x);
	return err;
}

int64_t
tmpfs_listxattr(struct task *t, struct inode *i, char *buf, size_t size)
{
	struct tmpfs_node *n = tmpfs_of(i);
	bool all = t == NULL || task_capable(t, CAP_SYS_ADMIN);
	struct tmpfs_xattr *x;
	size_t used = 0;
	int64_t err = 0;

	mutex_lock(&n->amu);
	list_for_each(x, &n->xattrs, link) {
		size_t len = strlen(x->name) + 1;

		if (!all && strncmp(x->name, "trusted.", 8) == 0)
			continue;
		if (used + len > XATTR_LIST_MAX_BYTES) {
			err = -E2BIG;
			break;
		}
		if (size != 0 && used + len > size) {
			err = -ERANGE;
			break;
		}
		if (size != 0)
			memcpy(buf + used, x->name, len);
		used += len;
	}
	mutex_unlock(&n->amu);
	return err ? err : (int64_t)used;
}

/* ---- the instance ----------------------------------------------------------------------- */

int
tmpfs_statfs(struct super *s, struct fs_statfs *out)
{
	struct tmpfs_acct *a = container_of(s, struct tmpfs_super, super)->acct;
	uint64_t used = atomic_load(&a->pages), inodes = atomic_load(&a->inodes);
	uint64_t total = a->max_pages ? a->max_pages : pages_limit() >> PAGE_SHIFT;
	uint64_t left = (pages_limit() - min(pages_used(), pages_limit())) >> PAGE_SHIFT;
	uint64_t files = a->max_inodes ? a->max_inodes : total;

	*out = (struct fs_statfs){ .type = s->magic, .bsize = PAGE_SIZE, .frsize = PAGE_SIZE,
	    .blocks = total, .namelen = 255, .files = files };
	out->bfree = used < total ? total - used : 0;
	out->bfree = min(out->bfree, left);
	out->bavail = out->bfree;
	out->ffree = files - min(inodes, files);
	return 0;
}

void
tmpfs_show(struct super *super, struct strbuf *sb)
{
	struct tmpfs_super *s = container_of(super, struct tmpfs_super, super);

	if (s->opt_size != 0)
		sb_printf(sb, ",size=%lluk", (unsigned long long)(s->opt_size >> 10));
	if (s->opt_mode != 01777)
		sb_printf(sb, ",mode=%o", s->opt_mode);
	if (s->opt_uid != 0)
		sb_printf(sb, ",uid=%u", s->opt_uid);
	if (s->opt_gid != 0)
		sb_printf(sb, ",gid=%u", s->opt_gid);
}

int
tmpfs_super_init(struct tmpfs_super *s, const struct super_ops *sops, const char *fstype, uint64_t magic,
    const struct tmpfs_options *o)
{
	struct tmpfs_acct *a = obj_new(tmpfs_acct);

	if (a == NULL)
		return -ENOMEM;
	atomic_init(&a->refs, 1);
	a->max_pages = o->has_size ? o->size / PAGE_SIZE + (o->size % PAGE_SIZE != 0) : 0;
	a->max_inodes = o->inodes;
	super_init(&s->super, sops, fstype, magic, 0);
	s->acct = a;
	atomic_init(&s->next_ino, 1);
	s->rank = RANK_inode;
	s->node_alloc = plain_alloc;
	s->node_dealloc = plain_dealloc;
	s->opt_mode = o->mode;
	s->opt_uid = o->uid;
	s->opt_gid = o->gid;
	s->opt_size = o->has_size ? o->size : 0;
	return 0;
}

void
tmpfs_super_fini(struct tmpfs_super *s)
{
	tmpfs_acct_put(s->acct);
}

static void
tmpfs_super_free(struct super *super)
{
	struct tmpfs_super *s = container_of(super, struct tmpfs_super, super);

	tmpfs_super_fini(s);
	obj_free(tmpfs_super, s);
}

static const struct super_ops tmpfs_super_ops = {
	.statfs = tmpfs_statfs,
	.show_options = tmpfs_show,
	.sync = super_sync_none,
	.free = tmpfs_super_free,
};

int
tmpfs_super(const char *options, struct super **out)
{
	struct tmpfs_options o;
	struct tmpfs_super *s;
	struct tmpfs_node *root;
	int err = tmpfs_parse(options, &o);

	if (err)
		return err;
	s = obj_new(tmpfs_super);
	if (s == NULL)
		return -ENOMEM;
	err = tmpfs_super_init(s, &tmpfs_super_ops, "tmpfs", TMPFS_MAGIC_NUMBER, &o);
	if (err) {
		obj_free(tmpfs_super, s);
		return err;
	}
	s->ops = &tmpfs_inode_ops;
	err = tmpfs_node_new(s, S_IFDIR | o.mode, 0, NULL, &root);
	if (err) {
		super_put(&s->super);
		return err;
	}
	root->inode.attr.uid = o.uid;
	root->inode.attr.gid = o.gid;
	s->super.root = &root->inode;
	*out = &s->super;
	return 0;
}

int
tmpfs_mount(struct task *t, const char *source, const char *data, uint64_t flags, struct super **out)
{
	(void)t, (void)source, (void)flags;
	return tmpfs_super(data, out);
}
