/*
 * ipc: what the three kinds of System V objects share: ids, keys, permissions.  svipc(7).
 *
 * Each kind has one table, and one lock (rank object) that covers the table and all its objects;
 * nothing is copied to or from a guest with it held.
 */
#ifndef SENTRY_KERNEL_IPC_H
#define SENTRY_KERNEL_IPC_H

#include <asm/ipcbuf.h>

#include "abi/gaddr.h"
#include "base/lock.h"

struct task;
struct process;

/* Commands and flags of <linux/ipc.h>, which can't be included beside libc's. */
enum {
	IPC_CREAT_ = 01000, IPC_EXCL_ = 02000, IPC_NOWAIT_ = 04000,
	IPC_RMID_ = 0, IPC_SET_ = 1, IPC_STAT_ = 2, IPC_INFO_ = 3,
};
#define IPC_MODE	0777u
#define IPC_MAX		32000u		/* objects of a kind */

struct ipc_perm {
	int32_t		 id;		/* [I] seq * 32768 + slot */
	uint32_t	 key;		/* 0: private, or removed */
	uint32_t	 uid, gid, cuid, cgid, mode;
	uint32_t	 users;		/* calls that keep it while they wait or copy */
	bool		 removed;	/* IPC_RMID was here; those calls may still use it */
};

struct ipc_ids {
	struct mutex	 mu;		/* rank object */
	struct ipc_perm	**slot;		/* [m] cap of them */
	uint32_t	 cap, used, seq;	/* [m] */
	uint32_t	 max;		/* [I] */
};

/* All with ids->mu held. */
struct ipc_perm *ipc_find(struct ipc_ids *ids, int32_t id);	/* NULL */
struct ipc_perm *ipc_find_index(struct ipc_ids *ids, uint32_t index);
struct ipc_perm *ipc_find_key(struct ipc_ids *ids, uint32_t key);
/* Gives p an id, and t as owner. -ENOSPC, -ENOMEM. */
int ipc_add(struct ipc_ids *ids, struct ipc_perm *p, uint32_t key, uint32_t flags, struct task *t) MUST_CHECK;
void ipc_remove(struct ipc_ids *ids, struct ipc_perm *p);	/* no id any more */
bool ipc_leave(struct ipc_perm *p) MUST_CHECK;	/* one call less: true when that was the last of a removed one, to be freed */
uint32_t ipc_highest(const struct ipc_ids *ids);		/* index in use, 0 if none */
/* The *get calls' rules for one that exists: -EEXIST, -EACCES. */
int ipc_reuse(struct task *t, const struct ipc_perm *p, uint32_t flags) MUST_CHECK;
int ipc_access(struct task *t, const struct ipc_perm *p, uint32_t mode) MUST_CHECK;	/* 0400, 0200: -EACCES */
int ipc_owner(struct task *t, const struct ipc_perm *p) MUST_CHECK;	/* -EPERM */
void ipc_fill(const struct ipc_perm *p, struct ipc64_perm *out);
void ipc_set(struct ipc_perm *p, const struct ipc64_perm *from);
int64_t ipc_now(void);		/* seconds */

/* Undoes SEM_UNDO operations of a process that ends. No lock held. */
void sem_exit(struct process *p);

#endif
