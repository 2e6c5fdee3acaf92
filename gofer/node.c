/* node: the table of fids; see node.h. */
#include "gofer/node.h"

#include <fcntl.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "base/hostcall.h"
#include "base/kmem.h"
#include "gofer/hostfs.h"

#define FDS_KEPT	64u		/* for everything that is not a node */
#define DIRFDS_MAX	64u		/* directories read at once; more reopen */
#define NODES_MAX	(1u << 20)

int
nodes_init(struct nodes *n)
{
	struct rlimit rl;

	memset(n, 0, sizeof *n);
	if (getrlimit(RLIMIT_NOFILE, &rl) != 0)
		return -EINVAL;
	if (rl.rlim_cur < rl.rlim_max) {
		rl.rlim_cur = rl.rlim_max;
		if (setrlimit(RLIMIT_NOFILE, &rl) != 0 && getrlimit(RLIMIT_NOFILE, &rl) != 0)
			return -EINVAL;
	}
	if (rl.rlim_cur < FDS_KEPT + DIRFDS_MAX + 64u)
		return -EMFILE;
	n->limit = (uint32_t)min(rl.rlim_cur, (rlim_t)NODES_MAX) - FDS_KEPT - DIRFDS_MAX;
	return 0;
}

void
nodes_fini(struct nodes *n)
{
	for (uint32_t i = 0; i < n->used; i++)
		node_free(n, i + 1);
	mem_free(n->table);
	memset(n, 0, sizeof *n);
}

static int
nodes_grow(struct nodes *n)
{
	uint32_t cap = n->cap ? n->cap * 2 : 256;
	struct gnode *table;

	if (n->used < n->cap)
		return 0;
	if (n->used >= n->limit)
		return -ENFILE;
	cap = min(cap, n->limit);
	table = mem_realloc(n->table, cap * sizeof *table);
	if (table == NULL)
		return -ENOMEM;
	n->table = table;
	n->cap = cap;
	return 0;
}

int64_t
node_new(struct nodes *n, int fd, uint32_t type, uint32_t mount)
{
	struct gnode *g;
	uint32_t fid = n->free;

	if (fid != 0) {
		n->free = n->table[fid - 1].next_free;
	} else {
		int err = nodes_grow(n);

		if (err) {
			(void)host_close(fd);
			return err;
		}
		fid = ++n->used;
	}
	g = &n->table[fid - 1];
	memset(g, 0, sizeof *g);
	g->fd = fd;
	g->dirfd = -1;
	g->type = type;
	g->mount = mount;
	return fid;
}

struct gnode *
node_find(struct nodes *n, uint32_t fid)
{
	if (fid == 0 || fid > n->used || n->table[fid - 1].fd < 0)
		return NULL;
	return &n->table[fid - 1];
}

void
node_free(struct nodes *n, uint32_t fid)
{
	struct gnode *g = node_find(n, fid);

	if (g == NULL)
		return;
	node_dirfd_close(n, g);
	(void)host_close(g->fd);
	g->fd = -1;
	g->next_free = n->free;
	n->free = fid;
}

void
node_dirfd_close(struct nodes *n, struct gnode *g)
{
	if (g->dirfd < 0)
		return;
	(void)host_close(g->dirfd);
	g->dirfd = -1;
	n->ndirfds--;
}

/* Another directory gives its descriptor up when too many are being read; it reopens at its cookie. */
static void
dirfds_trim(struct nodes *n)
{
	for (uint32_t i = 0; i < n->used && n->ndirfds >= DIRFDS_MAX; i++) {
		if (n->table[i].fd >= 0)
			node_dirfd_close(n, &n->table[i]);
	}
}

int
node_dirfd(struct nodes *n, struct gnode *g)
{
	int fd;

	if (g->type != S_IFDIR)
		return -ENOTDIR;
	if (g->dirfd >= 0)
		return g->dirfd;
	dirfds_trim(n);
	fd = hostfs_openat(g->fd, ".", O_RDONLY | O_DIRECTORY | O_NOATIME, 0);
	if (fd == -EPERM)
		fd = hostfs_openat(g->fd, ".", O_RDONLY | O_DIRECTORY, 0);
	if (fd < 0)
		return fd;
	g->dirfd = fd;
	g->cookie = 0;
	n->ndirfds++;
	return fd;
}
