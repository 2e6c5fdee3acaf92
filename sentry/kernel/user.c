/*
 * user: a record for each user who holds something that is counted.
 *
 * Which users there are is the guest's choice, so a record goes with the last thing that it counts.
 */
#include "sentry/kernel/user.h"

#include "base/kmem.h"
#include "base/lock.h"

KMEM_CACHE(user);

static int
cmp_users(const struct tree_node *a, const struct tree_node *b)
{
	uint32_t x = container_of(a, struct user, node)->uid, y = container_of(b, struct user, node)->uid;

	return x < y ? -1 : x > y;
}

static int
cmp_uid(const void *key, const struct tree_node *n)
{
	uint32_t x = *(const uint32_t *)key, y = container_of(n, struct user, node)->uid;

	return x < y ? -1 : x > y;
}

static struct mutex users_mu = MUTEX_INIT(RANK_peer);
static struct tree users = { .cmp = cmp_users };	/* [users_mu] */

struct user *
user_get_uid(uint32_t uid)
{
	struct user *u, *old;

	mutex_lock(&users_mu);
	old = tree_entry(tree_find(&users, &uid, cmp_uid), struct user, node);
	u = user_tryget(old);
	if (u == NULL && (u = obj_new(user)) != NULL) {
		ref_init(&u->ref, OBJ_user);
		u->uid = uid;
		/* One whose last reference is gone, and that waits for our lock to go. */
		if (old != NULL) {
			tree_remove(&users, &old->node);
			old->removed = true;
		}
		BUG_ON(tree_insert(&users, &u->node) != 0);
	}
	mutex_unlock(&users_mu);
	return u;
}

void
user_release(struct user *u)
{
	mutex_lock(&users_mu);
	if (!u->removed)
		tree_remove(&users, &u->node);
	mutex_unlock(&users_mu);
	obj_free(user, u);
}
