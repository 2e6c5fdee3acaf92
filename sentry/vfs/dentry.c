/*
 * dentry: the cache of names; see dentry.h for what always holds.
 *
 * One lock, `dcache`, covers all trees of children, names and the LRU.  Nothing is
 * called with it held: references are dropped and filesystems asked after unlocking.
 */
#include "sentry/vfs/dentry.h"

#include <string.h>

#include "base/kmem.h"
#include "platform/platform.h"
#include "sentry/vfs/inode.h"
#include "sentry/vfs/path.h"

#define CACHE_LIMIT	16384	/* names kept although nobody uses them */
#define EVICT_BATCH	32

KMEM_CACHE(dentry);

static struct mutex dcache_mu = MUTEX_INIT(RANK_dcache);
static struct list lru = LIST_INIT(lru);	/* [dcache] newest first */
static uint32_t lru_count;			/* [dcache] */

struct name_key { const char *name; size_t len; };

static int
name_cmp(const char *a, size_t alen, const char *b, size_t blen)
{
	/* Any total order will do; length first is the cheapest. */
	if (alen != blen)
		return alen < blen ? -1 : 1;
	return memcmp(a, b, alen);
}

static int
node_cmp(const struct tree_node *a, const struct tree_node *b)
{
	const struct dentry *x = container_of(a, struct dentry, node);
	const struct dentry *y = container_of(b, struct dentry, node);

	return name_cmp(x->name, x->name_len, y->name, y->name_len);
}

static int
key_cmp(const void *key, const struct tree_node *n)
{
	const struct name_key *k = key;
	const struct dentry *d = container_of(n, struct dentry, node);

	return name_cmp(k->name, k->len, d->name, d->name_len);
}

static int
set_name(struct dentry *d, const char *name, size_t len)
{
	char *to = d->short_name;

	if (len >= sizeof d->short_name) {
		to = mem_alloc(len + 1);
		if (to == NULL)
			return -ENOMEM;
	}
	memcpy(to, name, len);
	to[len] = '\0';
	d->name = to;
	d->name_len = (uint32_t)len;
	return 0;
}

static struct dentry *
dentry_new(struct super *s, struct inode *inode, struct dentry *parent, const char *name, size_t len)
{
	struct dentry *d = obj_new(dentry);

	if (d == NULL)
		return NULL;
	if (set_name(d, name, len)) {
		obj_free(dentry, d);
		return NULL;
	}
	d->super = s;
	d->inode = inode_get(inode);
	d->parent = dentry_get(parent);
	tree_init(&d->children, node_cmp);
	list_init(&d->lru);
	ref_init(&d->ref, OBJ_dentry);
	return d;
}

struct dentry *
dentry_new_root(struct super *s, struct inode *root)
{
	return dentry_new(s, root, NULL, "", 0);
}

struct dentry *
dentry_new_anon(const char *name, struct inode *inode)
{
	return dentry_new(inode->super, inode, NULL, name, strlen(name));
}

int
dentry_new_unhashed(struct dentry *parent, const char *name, struct inode *inode, struct dentry **out)
{
	*out = dentry_new(parent->super, inode, parent, name, strlen(name));
	return *out ? 0 : -ENOMEM;
}

/* Takes d out of its parent's tree; true when the caller owes the cache's reference. */
static bool
unhash_locked(struct dentry *d)
{
	if (d->hashed) {
		tree_remove(&d->parent->children, &d->node);
		d->hashed = false;
	}
	if (!d->in_lru)
		return false;
	list_remove(&d->lru);
	d->in_lru = false;
	lru_count--;
	return true;
}

void
dentry_release(struct dentry *d)
{
	/* A loop, not recursion: the last holder of a deep removed tree frees it all. */
	while (d) {
		struct dentry *parent = d->parent;

		mutex_lock(&dcache_mu);
		(void)unhash_locked(d);		/* a NOCACHE name: nobody holds it any more */
		mutex_unlock(&dcache_mu);
		BUG_ON(d->children.count != 0);
		inode_put(d->inode);
		if (d->name != d->short_name)
			mem_free(d->name);
		obj_free(dentry, d);
		d = parent && ref_put(&parent->ref) ? parent : NULL;
	}
}

/*
 * Collects names that only the cache holds, oldest first.  Each comes with a reference to its super: nobody
 * else's mount keeps that one while the name is put.
 */
static unsigned
evict_locked(struct dentry **out, struct super **supers)
{
	unsigned n = 0, looked = 0;

	while (lru_count > CACHE_LIMIT && n < EVICT_BATCH && looked++ < 4 * EVICT_BATCH) {
		struct dentry *d = list_entry(lru.prev, struct dentry, lru);

		/* In use, or about to go with its super. */
		supers[n] = ref_count(&d->ref) == 1 ? super_tryget(d->super) : NULL;
		if (supers[n] == NULL) {
			list_remove(&d->lru);
			list_push_front(&lru, &d->lru);
			continue;
		}
		(void)unhash_locked(d);
		out[n++] = d;
	}
	return n;
}

static struct dentry *
find_locked(struct dentry *parent, const char *name, size_t len)
{
	struct name_key k = { name, len };

	return tree_entry(tree_find(&parent->children, &k, key_cmp), struct dentry, node);
}

/* Hashes d under its parent and name, which must be free. */
static void
hash_locked(struct dentry *d)
{
	BUG_ON(tree_insert(&d->parent->children, &d->node) != 0);
	d->hashed = true;
	if (!(d->super->flags & SUPER_NOCACHE)) {
		dentry_get(d);
		d->in_lru = true;
		list_push_front(&lru, &d->lru);
		lru_count++;
	}
}

/* Puts d in the place of whatever has its name now. */
static void
dentry_hash(struct dentry *d)
{
	struct dentry *old;
	bool owed;

	mutex_lock(&dcache_mu);
	old = find_locked(d->parent, d->name, d->name_len);
	owed = old && unhash_locked(old);
	hash_locked(d);
	mutex_unlock(&dcache_mu);
	if (owed)
		dentry_put(old);
}

/* Drops some names when there are too many.  No lock held: an inode may go with its name. */
static void
cache_trim(void)
{
	struct dentry *gone[EVICT_BATCH];
	struct super *supers[EVICT_BATCH];
	unsigned n;

	mutex_lock(&dcache_mu);
	n = evict_locked(gone, supers);
	mutex_unlock(&dcache_mu);
	while (n > 0) {
		dentry_put(gone[--n]);
		super_put(supers[n]);
	}
}

void
dentry_unhash(struct dentry *d)
{
	bool owed;

	mutex_lock(&dcache_mu);
	owed = unhash_locked(d);
	mutex_unlock(&dcache_mu);
	platform_names_changed();
	if (owed)
		dentry_put(d);
}

/* The cached dentry, counted (maybe negative), or NULL. */
static struct dentry *
cache_lookup(struct dentry *parent, const char *name, size_t len)
{
	struct dentry *d;

	mutex_lock(&dcache_mu);
	d = find_locked(parent, name, len);
	if (d) {
		/* Fails for a NOCACHE name on its way out. */
		d = dentry_tryget(d);
		if (d && d->in_lru && lru.next != &d->lru) {
			list_remove(&d->lru);
			list_push_front(&lru, &d->lru);
		}
	}
	mutex_unlock(&dcache_mu);
	return d;
}

int
dentry_lookup_locked(struct task *t, struct dentry *parent, const char *name, size_t len, struct dentry **out)
{
	struct inode *dir = parent->inode;
	struct super *s = parent->super;
	char text[NAME_LIMIT + 1];
	struct inode *node = NULL;
	struct dentry *d;
	int err;

	if (len > NAME_LIMIT)
		return -ENAMETOOLONG;
	d = cache_lookup(parent, name, len);
	if (d && (d->inode || !(s->flags & SUPER_REVALIDATE))) {
		if (d->inode) {
			*out = d;
			return 0;
		}
		dentry_put(d);
		return -ENOENT;
	}
	dentry_put(d);
	memcpy(text, name, len);
	text[len] = '\0';
	err = dir->ops->lookup(t, dir, text, &node);
	if (err && (err != -ENOENT || (s->flags & (SUPER_NOCACHE | SUPER_REVALIDATE)) || parent->dead))
		return err;
	d = dentry_new(s, node, parent, name, len);
	inode_put(node);
	if (d == NULL)
		return -ENOMEM;
	dentry_hash(d);
	if (err) {
		dentry_put(d);
		return err;
	}
	*out = d;
	return 0;
}

int
dentry_lookup(struct task *t, struct dentry *parent, const char *name, size_t len, struct dentry **out)
{
	struct inode *dir = parent->inode;
	struct dentry *d = cache_lookup(parent, name, len);
	int err;

	if (d && (d->super->flags & SUPER_REVALIDATE)) {
		int valid = 0;

		if (d->inode)
			valid = dir->ops->revalidate(t, dir, d->name, d->inode);
		if (valid <= 0) {
			dentry_unhash(d);
			dentry_put(d);
			d = NULL;
			if (valid < 0 && valid != -ENOENT)
				return valid;
		}
	}
	if (d) {
		if (d->inode) {
			*out = d;
			return 0;
		}
		dentry_put(d);
		return -ENOENT;
	}
	mutex_lock(&dir->mu);
	err = dentry_lookup_locked(t, parent, name, len, out);
	mutex_unlock(&dir->mu);
	cache_trim();
	return err;
}

int
dentry_add(struct dentry *parent, const char *name, struct inode *inode, struct dentry **out)
{
	struct dentry *d = dentry_new(parent->super, inode, parent, name, strlen(name));

	if (d == NULL) {
		dentry_forget(parent, name);
		return -ENOMEM;
	}
	dentry_hash(d);
	if (out)
		*out = d;
	else
		dentry_put(d);
	return 0;
}

void
dentry_forget(struct dentry *parent, const char *name)
{
	struct dentry *d;
	bool owed = false;

	mutex_lock(&dcache_mu);
	d = find_locked(parent, name, strlen(name));
	if (d)
		owed = unhash_locked(d);
	mutex_unlock(&dcache_mu);
	platform_names_changed();
	if (owed)
		dentry_put(d);
}

int
dentry_move(struct dentry *d, struct dentry *parent, const char *name)
{
	struct dentry *old_parent = NULL, *victim;
	size_t len = strlen(name);
	char *long_name = NULL, *old_name = NULL;
	bool owed = false;

	if (len >= sizeof d->short_name) {
		long_name = mem_alloc(len + 1);
		if (long_name == NULL)
			return -ENOMEM;
		memcpy(long_name, name, len + 1);
	}
	mutex_lock(&dcache_mu);
	victim = find_locked(parent, name, len);
	if (victim && victim != d)
		owed = unhash_locked(victim);
	if (d->hashed)
		tree_remove(&d->parent->children, &d->node);
	if (d->name != d->short_name)
		old_name = d->name;
	if (long_name) {
		d->name = long_name;
	} else {
		memcpy(d->short_name, name, len + 1);
		d->name = d->short_name;
	}
	d->name_len = (uint32_t)len;
	if (d->parent != parent) {
		old_parent = d->parent;
		d->parent = dentry_get(parent);
	}
	if (d->hashed)
		BUG_ON(tree_insert(&parent->children, &d->node) != 0);
	mutex_unlock(&dcache_mu);
	platform_names_changed();
	if (owed)
		dentry_put(victim);
	dentry_put(old_parent);
	mem_free(old_name);
	return 0;
}

/* Swaps the texts of two names. */
static void
swap_names(struct dentry *a, struct dentry *b)
{
	char *an = a->name, *bn = b->name, text[sizeof a->short_name];
	uint32_t len = a->name_len;
	bool a_short = an == a->short_name, b_short = bn == b->short_name;

	memcpy(text, a->short_name, sizeof text);
	memcpy(a->short_name, b->short_name, sizeof text);
	memcpy(b->short_name, text, sizeof text);
	a->name = b_short ? a->short_name : bn;
	b->name = a_short ? b->short_name : an;
	a->name_len = b->name_len;
	b->name_len = len;
}

void
dentry_exchange(struct dentry *a, struct dentry *b)
{
	struct dentry *parent;

	mutex_lock(&dcache_mu);
	if (a->hashed && b->hashed) {
		tree_remove(&a->parent->children, &a->node);
		tree_remove(&b->parent->children, &b->node);
		parent = a->parent;
		a->parent = b->parent;
		b->parent = parent;
		swap_names(a, b);
		BUG_ON(tree_insert(&a->parent->children, &a->node) != 0);
		BUG_ON(tree_insert(&b->parent->children, &b->node) != 0);
	}
	mutex_unlock(&dcache_mu);
	platform_names_changed();
}

bool
dentry_is_child(const struct dentry *d, const struct dentry *parent)
{
	bool is;

	mutex_lock(&dcache_mu);
	is = d->hashed && d->parent == parent;
	mutex_unlock(&dcache_mu);
	return is;
}

bool
dentry_is_ancestor(const struct dentry *a, const struct dentry *d)
{
	mutex_lock(&dcache_mu);
	while (d && d != a)
		d = d->parent;
	mutex_unlock(&dcache_mu);
	return d != NULL;
}

struct dentry *
dentry_parent_get(const struct dentry *d)
{
	struct dentry *parent;

	mutex_lock(&dcache_mu);
	parent = dentry_get(d->parent);
	mutex_unlock(&dcache_mu);
	return parent;
}

void
dentry_name(const struct dentry *d, char *buf, size_t size)
{
	size_t n;

	mutex_lock(&dcache_mu);
	n = min((size_t)d->name_len, size - 1);
	memcpy(buf, d->name, n);
	mutex_unlock(&dcache_mu);
	buf[n] = '\0';
}

bool
dentry_unlinked(const struct dentry *d)
{
	bool gone;

	mutex_lock(&dcache_mu);
	gone = d->parent && !d->hashed;
	mutex_unlock(&dcache_mu);
	return gone;
}

int
dentry_prepend(const struct dentry *d, const struct dentry *stop, char *buf, size_t *pos)
{
	int err = 0;

	mutex_lock(&dcache_mu);
	while (d != stop && d->parent) {
		if (*pos < (size_t)d->name_len + 1) {
			err = -ENAMETOOLONG;
			break;
		}
		*pos -= d->name_len;
		memcpy(buf + *pos, d->name, d->name_len);
		buf[--*pos] = '/';
		d = d->parent;
	}
	mutex_unlock(&dcache_mu);
	return err;
}

void
dentry_drop_super(struct super *s)
{
	struct dentry *gone[EVICT_BATCH];
	unsigned n;

	do {
		struct dentry *d, *next;

		n = 0;
		mutex_lock(&dcache_mu);
		list_for_each_safe(d, next, &lru, lru) {
			if (d->super != s)
				continue;
			(void)unhash_locked(d);
			gone[n++] = d;
			if (n == EVICT_BATCH)
				break;
		}
		mutex_unlock(&dcache_mu);
		for (unsigned i = 0; i < n; i++)
			dentry_put(gone[i]);
	} while (n == EVICT_BATCH);
}
