/*
 * tree: an intrusive ordered tree (balanced; tree.c).
 *
 * The object embeds a struct tree_node; the user supplies the comparison.
 * No locking: the owner's lock covers the tree.
 */
#ifndef BASE_TREE_H
#define BASE_TREE_H

#include "base/base.h"

struct tree_node {
	struct tree_node	*child[2], *parent;
	int32_t			 height;
};

/* Orders two nodes: negative, zero, positive. */
typedef int tree_cmp_fn(const struct tree_node *a, const struct tree_node *b);
/* Orders a key against a node. */
typedef int tree_key_fn(const void *key, const struct tree_node *n);

struct tree {
	struct tree_node	*root;
	tree_cmp_fn		*cmp;
	uint64_t		 count;
};

void tree_init(struct tree *t, tree_cmp_fn *cmp);
/* Inserts n; an equal node makes it fail with -EEXIST and n is untouched. */
int tree_insert(struct tree *t, struct tree_node *n) MUST_CHECK;
void tree_remove(struct tree *t, struct tree_node *n);
/* The node equal to key, or NULL. */
struct tree_node *tree_find(const struct tree *t, const void *key, tree_key_fn *cmp);
/* The first node that is not below key (key <= node), or NULL. */
struct tree_node *tree_find_ge(const struct tree *t, const void *key, tree_key_fn *cmp);
/* The last node that is not above key (node <= key), or NULL. */
struct tree_node *tree_find_le(const struct tree *t, const void *key, tree_key_fn *cmp);
struct tree_node *tree_first(const struct tree *t);
struct tree_node *tree_last(const struct tree *t);
struct tree_node *tree_next(const struct tree_node *n);
struct tree_node *tree_prev(const struct tree_node *n);

#define tree_entry(n, type, member) ({					\
	struct tree_node *tn_ = (n);					\
	tn_ ? container_of(tn_, type, member) : NULL; })

#endif
