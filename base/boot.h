/*
 * boot: what the command line hands to the sentry and the gofer it starts.
 *
 * Both are this same binary, executed again under the names village-sentry and
 * village-gofer with descriptors at fixed numbers.  The boot record is JSON in a
 * sealed memfd (sentry/bootspec.c reads it into struct bootspec), made by the CLI from
 * config.json or from options; it is checked there, so a mistake here is a bug.
 */
#ifndef BASE_BOOT_H
#define BASE_BOOT_H

/* Descriptors of the sentry at start; 0-2 are the container's streams. */
enum {
	BOOT_FD_SPEC = 3,	/* boot record, memfd */
	BOOT_FD_CONTROL,	/* bound SOCK_DGRAM socket: clients send a connected SOCK_SEQPACKET end in by SCM_RIGHTS */
	BOOT_FD_GOFER,		/* SOCK_SEQPACKET to the gofer */
	BOOT_FD_LOG,		/* debug log, or /dev/null */
	BOOT_FD_REPORT,		/* --report and --strace text, or /dev/null */
	BOOT_FD_MEMFILE,	/* the memory file: sealed sparse memfd, sized by the CLI */
	BOOT_FD_PROC,		/* O_PATH directory of a procfs of the sentry's pid namespace */
	BOOT_FD_RANDOM,		/* /dev/urandom */
	BOOT_FD_READY,		/* pipe or socket: the sentry writes one JSON line {"ok":true} or {"error":"...","exit":127} */
	BOOT_FD_COUNT
};

/* Descriptors of the gofer at start. */
enum {
	GOFER_FD_SOCK = 3,	/* SOCK_SEQPACKET to the sentry */
	GOFER_FD_LOG,
	GOFER_FD_ROOT0,		/* O_PATH of mount 0 (the root); mount i is GOFER_FD_ROOT0 + i; argv: --mounts N with "ro"/"rw" flags each */
};

#endif
