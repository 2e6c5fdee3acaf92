/*
 * tree: an AVL tree; see tree.h.
 *
 * Heights of the two children of any node differ by at most one; a leaf has height 1.
 */
#include "base/tree.h"

static int32_t
height(const struct tree_node *n)
{
	return n ? n->height : 0;
}

static void
update(struct tree_node *n)
{
	n->height = 1 + max(height(n->child[0]), height(n->child[1]));
}

/* Puts `new` where `old` hangs below its parent. */
static void
replace_child(struct tree *t, struct tree_node *old, struct tree_node *new)
{
	struct tree_node *p = old->parent;

	if (p == NULL)
		t->root = new;
	else
		p->child[p->child[1] == old] = new;
	if (new != NULL)
		new->parent = p;
}

/* Lifts n's child on side `dir` above n and returns it. */
static struct tree_node *
rotate(struct tree *t, struct tree_node *n, int dir)
{
	struct tree_node *up = n->child[dir], *inner = up->child[!dir];

	replace_child(t, n, up);
	n->child[dir] = inner;
	if (inner != NULL)
		inner->parent = n;
	up->child[!dir] = n;
	n->parent = up;
	update(n);
	update(up);
	return up;
}

/* Restores the balance from n up to the root. */
static void
rebalance(struct tree *t, struct tree_node *n)
{
	for (; n != NULL; n = n->parent) {
		int32_t lean = height(n->child[1]) - height(n->child[0]);
		int dir = lean > 0;
		struct tree_node *c;

		if (lean >= -1 && lean <= 1) {
			update(n);
			continue;
		}
		c = n->child[dir];
		if (height(c->child[!dir]) > height(c->child[dir]))
			rotate(t, c, !dir);
		n = rotate(t, n, dir);
	}
}

void
tree_init(struct tree *t, tree_cmp_fn *cmp)
{
	t->root = NULL;
	t->cmp = cmp;
	t->count = 0;
}

int
tree_insert(struct tree *t, struct tree_node *n)
{
	struct tree_node *p = NULL, **link = &t->root;

	while (*link != NULL) {
		int c = t->cmp(n, *link);

		if (c == 0)
			return -EEXIST;
		p = *link;
		link = &p->child[c > 0];
	}
	n->child[0] = n->child[1] = NULL;
	n->parent = p;
	n->height = 1;
	*link = n;
	t->count++;
	rebalance(t, p);
	return 0;
}

void
tree_remove(struct tree *t, struct tree_node *n)
{
	struct tree_node *from;

	if (n->child[0] != NULL && n->child[1] != NULL) {
		/* The successor takes n's place. */
		struct tree_node *s = n->child[1];

		while (s->child[0] != NULL)
			s = s->child[0];
		from = s->parent == n ? s : s->parent;
		replace_child(t, s, s->child[1]);
		replace_child(t, n, s);
		s->child[0] = n->child[0];
		s->child[0]->parent = s;
		s->child[1] = n->child[1];
		if (s->child[1] != NULL)
			s->child[1]->parent = s;
	} else {
		from = n->parent;
		replace_child(t, n, n->child[n->child[0] == NULL]);
	}
	t->count--;
	rebalance(t, from);
	n->child[0] = n->child[1] = n->parent = NULL;
	n->height = 0;
}

struct tree_node *
tree_find(const struct tree *t, const void *key, tree_key_fn *cmp)
{
	struct tree_node *n = t->root;

	while (n != NULL) {
		int c = cmp(key, n);

		if (c == 0)
			break;
		n = n->child[c > 0];
	}
	return n;
}

struct tree_node *
tree_find_ge(const struct tree *t, const void *key, tree_key_fn *cmp)
{
	struct tree_node *n = t->root, *best = NULL;

	while (n != NULL) {
		int c = cmp(key, n);

		if (c <= 0)
			best = n;
		n = n->child[c > 0];
	}
	return best;
}

struct tree_node *
tree_find_le(const struct tree *t, const void *key, tree_key_fn *cmp)
{
	struct tree_node *n = t->root, *best = NULL;

	while (n != NULL) {
		int c = cmp(key, n);

		if (c >= 0)
			best = n;
		n = n->child[c >= 0];
	}
	return best;
}

/* The outermost node of a subtree on one side. */
static struct tree_node *
extreme(struct tree_node *n, int dir)
{
	while (n != NULL && n->child[dir] != NULL)
		n = n->child[dir];
	return n;
}

static struct tree_node *
step(const struct tree_node *n, int dir)
{
	const struct tree_node *p;

	if (n->child[dir] != NULL)
		return extreme(n->child[dir], !dir);
	for (p = n->parent; p != NULL && p->child[dir] == n; p = p->parent)
		n = p;
	return (struct tree_node *)(uintptr_t)p;
}

struct tree_node *
tree_first(const struct tree *t)
{
	return extreme(t->root, 0);
}

struct tree_node *
tree_last(const struct tree *t)
{
	return extreme(t->root, 1);
}

struct tree_node *
tree_next(const struct tree_node *n)
{
	return step(n, 1);
}

struct tree_node *
tree_prev(const struct tree_node *n)
{
	return step(n, 0);
}
