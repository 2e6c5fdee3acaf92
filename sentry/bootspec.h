/*
 * bootspec: the boot record, and the description of a process to start, as C.
 *
 * bootspec.c reads both from JSON (the record itself at boot, a process in a
 * control request).  Strings and arrays live in mem_alloc memory owned by the struct.
 */
#ifndef SENTRY_BOOTSPEC_H
#define SENTRY_BOOTSPEC_H

#include "base/base.h"

struct spec_rlimit {
	uint32_t	resource;	/* Linux RLIMIT_* */
	uint64_t	soft, hard;
};

struct spec_process {
	char		**args, **env;		/* NULL-terminated */
	char		*cwd;
	char		*user;			/* not resolved names: always numeric in uid/gid below */
	uint32_t	uid, gid, umask;
	bool		has_umask;
	uint32_t	*groups;
	unsigned	ngroups;
	uint64_t	cap_bounding, cap_effective, cap_inheritable, cap_permitted, cap_ambient;
	bool		no_new_privs, terminal;
	int32_t		oom_score_adj;
	uint16_t	rows, cols;		/* first window size when terminal */
	struct spec_rlimit *rlimits;
	unsigned	nrlimits;
	char		*exec_fallback_path;	/* PATH to search when env has none */
};

struct spec_mount {
	char		*type;		/* "gofer" (bind or root; index says which gofer root), "tmpfs", "proc", "sysfs", "devpts", "dev", "mqueue", "cgroup" ... */
	char		*dest;		/* absolute path inside */
	char		*source;	/* shown in /proc/mounts */
	char		*options;	/* file system's own, comma separated: "size=64m,mode=1777" */
	uint64_t	 flags;		/* MS_RDONLY|MS_NOSUID|MS_NODEV|MS_NOEXEC|MS_NOATIME ... */
	unsigned	 index;		/* gofer mounts: which root of the gofer */
	bool		 shared;	/* gofer mounts: others change it; revalidate (bind mounts) */
	bool		 is_file;	/* bind mount of a single file */
};

struct bootspec {
	char		*id, *hostname, *domainname, *platform;
	bool		 overlay;	/* root writes go to an in-memory upper layer */
	bool		 root_readonly;
	bool		 init_mortal;	/* pid 1 is not protected from signals: `village do` behaves as outside */
	bool		 strace, report, wait_start;	/* wait_start: run the init process only when control says so */
	char		*strace_filter;	/* family or NULL */
	unsigned	patch_after;	/* a call is patched when it has trapped so often at one place; 0: never */
	uint64_t	 memfile_size;	/* bytes of BOOT_FD_MEMFILE */
	uint64_t	 memory_limit;	/* bytes, 0: none */
	uint64_t	 pids_limit;	/* 0: none */
	struct spec_mount *mounts;	/* in mount order; [0] is the root */
	unsigned	 nmounts;
	struct spec_process process;
	char		**masked_paths, **readonly_paths; /* NULL-terminated or NULL */
	struct { char *key, *value; } *sysctls;
	unsigned	 nsysctls;
};

/* Reads JSON text; on failure returns -EINVAL and a sentence in why. */
int bootspec_parse(const char *json, size_t len, struct bootspec *out, char *why, size_t why_size) MUST_CHECK;
int spec_process_parse(const char *json, size_t len, struct spec_process *out, char *why, size_t why_size) MUST_CHECK;
void bootspec_fini(struct bootspec *);
void spec_process_fini(struct spec_process *);

#endif
