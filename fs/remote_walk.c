/*
 * remote_walk: a cold path in one round trip.
 *
 * The VFS asks for one name at a time, but says in task.walk_rest what it will ask next.  On a mount
 * that nobody changes, the first of these requests walks the whole path, and each directory on the way keeps what
 * was learnt of the one name below it until the VFS comes for it.
 */
#include <string.h>
#include <sys/stat.h>

#include "base/kmem.h"
#include "fs/remote.h"
#include "sentry/kernel/task.h"
#include "sentry/vfs/path.h"

#define TEXT_MAX	1024

/* A name below a directory, known before it is asked for. */
struct remote_ahead {
	struct inode	*node;		/* counted; NULL: there is none */
	char		 name[NAME_LIMIT + 1];
};
KMEM_CACHE(remote_ahead);

static void
ahead_free(struct remote_ahead *a)
{
	if (a == NULL)
		return;
	inode_put(a->node);
	obj_free(remote_ahead, a);
}

void
remote_ahead_drop(struct remote_inode *r)
{
	struct remote_ahead *a;

	mutex_lock(&r->amu);
	a = steal(&r->ahead);
	mutex_unlock(&r->amu);
	ahead_free(a);
}

/* Takes node (NULL: none such). */
static void
ahead_keep(struct remote_inode *dir, const char *name, size_t len, struct inode *node)
{
	struct remote_ahead *a, *old;

	/* One that is still known by its place in a list counts its directory: keeping it there would be a ring. */
	if (node != NULL && atomic_load(&remote_of(node)->fid) == 0) {
		inode_put(node);
		return;
	}
	a = obj_new(remote_ahead);
	if (a == NULL) {
		inode_put(node);
		return;
	}
	a->node = node;
	memcpy(a->name, name, len);
	mutex_lock(&dir->amu);
	old = dir->ahead;
	dir->ahead = a;
	mutex_unlock(&dir->amu);
	ahead_free(old);
}

enum remote_known
remote_ahead_take(struct remote_inode *dir, const char *name, struct inode **out)
{
	struct remote_ahead *a = NULL;
	enum remote_known known = REMOTE_UNKNOWN;

	mutex_lock(&dir->amu);
	if (dir->ahead != NULL && strcmp(dir->ahead->name, name) == 0)
		a = steal(&dir->ahead);
	mutex_unlock(&dir->amu);
	if (a != NULL) {
		known = a->node ? REMOTE_FOUND : REMOTE_MISSING;
		*out = steal(&a->node);
		ahead_free(a);
	}
	return known;
}

/* The names of a request, and where each is in the text. */
struct names {
	char		text[TEXT_MAX];
	size_t		len;
	uint16_t	at[GOFER_WALK_MAX], size[GOFER_WALK_MAX];
	uint16_t	count;
};

static bool
names_add(struct names *n, const char *name, size_t len)
{
	size_t sep = n->count > 0;

	if (n->count == GOFER_WALK_MAX || len == 0 || len > NAME_LIMIT || n->len + sep + len > TEXT_MAX ||
	    (name[0] == '.' && (len == 1 || (len == 2 && name[1] == '.'))))
		return false;
	if (sep)
		n->text[n->len++] = '/';
	n->at[n->count] = (uint16_t)n->len;
	n->size[n->count++] = (uint16_t)len;
	memcpy(n->text + n->len, name, len);
	n->len += len;
	return true;
}

/* Files what steps 1 and on say, each with the directory before it; inodes of the steps are made here. */
static void
file_steps(struct remote_super *s, const struct names *n, const struct gofer_step *step, uint32_t count,
    int32_t stop, struct inode *first)
{
	AUTO_PUT(inode) dir = inode_get(first);
	uint32_t i;

	for (i = 1; i < count; i++) {
		struct inode *node;

		/* Only a gofer gone wrong walks on below a file. */
		if (!S_ISDIR(dir->type)) {
			remote_clunk(step[i].fid);
			break;
		}
		if (remote_inode_get(s, step[i].fid, &step[i].st, NULL, NULL, &node) != 0)
			break;
		ahead_keep(remote_of(dir), n->text + n->at[i], n->size[i], inode_get(node));
		inode_put(dir);
		dir = node;
	}
	if (i == count && i < n->count && stop == -ENOENT && S_ISDIR(dir->type))
		ahead_keep(remote_of(dir), n->text + n->at[i], n->size[i], NULL);
	for (i++; i < count; i++)
		remote_clunk(step[i].fid);
}

int
remote_walk_ahead(struct inode *dir, const char *name, const char *rest, struct inode **out)
{
	struct gofer_walk_req q = { .flags = 0 };
	struct { struct gofer_walk_rep rep; struct gofer_step step[GOFER_WALK_MAX]; } r;
	struct remote_io io = REMOTE_IO(&q, &r);
	struct names n = { .len = 0 };
	int err = remote_fid(remote_of(dir), &q.fid);

	if (err)
		return err;
	if (!names_add(&n, name, strlen(name)))
		return -EIO;
	while (*rest == '/') {
		size_t len;

		rest += strspn(rest, "/");
		len = strcspn(rest, "/");
		if (!names_add(&n, rest, len))
			break;
		rest += len;
	}
	q.count = n.count;
	q.text_len = (uint32_t)n.len;
	io.text[0] = n.text;
	io.text_len[0] = n.len;
	io.rep_fixed = sizeof r.rep;
	err = remote_call(GOFER_walk, &io);
	if (err)
		return err;
	if (r.rep.count == 0)
		return r.rep.stop < 0 && r.rep.stop > -512 ? r.rep.stop : -EIO;
	if (r.rep.count > n.count || io.rep_len != sizeof r.rep + r.rep.count * sizeof r.step[0])
		return -EIO;
	err = remote_inode_get(remote_super_of(dir), r.step[0].fid, &r.step[0].st, NULL, NULL, out);
	if (err) {
		for (uint32_t i = 1; i < r.rep.count; i++)
			remote_clunk(r.step[i].fid);
		return err;
	}
	file_steps(remote_super_of(dir), &n, r.step, r.rep.count, r.rep.stop, *out);
	return 0;
}
