/*
 * node: what the client may name by a fid: one O_PATH descriptor each.
 *
 * The table is bounded by the descriptor limit; the client clunks what it no longer needs, and a
 * client that does not gets -ENFILE.  One thread uses the table: no lock.
 */
#ifndef GOFER_NODE_H
#define GOFER_NODE_H

#include "gofer/proto.h"

struct gnode {
	int		fd;		/* O_PATH; -1: free */
	int		dirfd;		/* open for readdir, or -1 */
	uint64_t	cookie;		/* where dirfd stands */
	uint32_t	type;		/* S_IFMT bits */
	uint32_t	mount;
	uint32_t	next_free;
};

struct nodes {
	struct gnode	*table;		/* fid - 1 is the index */
	uint32_t	 cap, limit;	/* slots there are; that may be */
	uint32_t	 used, free;	/* slots ever used; chain of free ones, 0 ends it */
	uint32_t	 ndirfds;
};

int nodes_init(struct nodes *n) MUST_CHECK;
void nodes_fini(struct nodes *n);
/* Takes fd (also on failure). The fid, or -ENFILE, -ENOMEM. */
int64_t node_new(struct nodes *n, int fd, uint32_t type, uint32_t mount) MUST_CHECK;
struct gnode *node_find(struct nodes *n, uint32_t fid);	/* NULL: no such fid */
void node_free(struct nodes *n, uint32_t fid);		/* an unknown fid is ignored */
/* The directory's readable descriptor; -ENOTDIR, -errno. */
int node_dirfd(struct nodes *n, struct gnode *g) MUST_CHECK;
void node_dirfd_close(struct nodes *n, struct gnode *g);

#endif
