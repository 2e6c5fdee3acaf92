/* users: names of users and groups as a root filesystem's own files have them. */
#ifndef RUNTIME_USERS_H
#define RUNTIME_USERS_H

#include "runtime/runtime.h"

struct user {
	uint32_t	uid, gid;
	uint32_t	groups[64];	/* supplementary */
	unsigned	ngroups;
	char		*home;		/* NULL: unknown */
	char		*name;		/* NULL: unknown */
};

/*
 * Resolves "USER[:GROUP]" (names or numbers) in the directory rootfs.  No link in it leads out of
 * it.  A number needs no entry; a name does.
 */
int user_find(const char *rootfs, const char *text, struct user *out, struct err *err) MUST_CHECK;
/* The same on text of the two files, either of which may be NULL. */
int user_parse(const char *passwd, const char *group, const char *text, struct user *out, struct err *err) MUST_CHECK;

#endif
