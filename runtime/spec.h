/*
 * spec: from config.json, or from options, to the boot record.
 *
 * Unknown keys are ignored as runc does; a known key of the wrong shape is an error that names file
 * and key.  The structure of the record is that of sentry/bootspec.h.
 */
#ifndef RUNTIME_SPEC_H
#define RUNTIME_SPEC_H

#include "base/json.h"
#include "runtime/launch.h"

#define SPEC_FILE	"config.json"
#define SPEC_SIZE_MAX	(16u << 20)

struct spec {
	json_t	*config;	/* the whole file; owned */
	json_t	*hooks;		/* borrowed from config, or NULL */
	json_t	*annotations;	/* the same */
	char	*rootfs;	/* absolute */
	bool	terminal;
};

/* Reads bundle/file and fills *out, l->boot and l->mounts. bundle is absolute. */
int spec_load(const char *bundle, const char *file, struct spec *out, struct launch *l, struct err *err) MUST_CHECK;
void spec_fini(struct spec *s);

/* The pure part: no file is looked at but bind sources and the root. For the loader, tests and the fuzzer. */
void spec_convert(struct jread *r, const json_t *config, const char *bundle, struct spec *out, struct launch *l);
/* An OCI process object as the boot record has it (new), or NULL after a mistake. path: where it was found. */
json_t *spec_process(struct jread *r, const json_t *p, const char *path);
/* Mounts of the root and the bind kind: one more root of the gofer. */
void spec_add_gofer(struct launch *l, const char *source, const char *dest, uint64_t flags, bool shared, bool is_file);
/* Any other: type is the file system's. options may be NULL. */
void spec_add_mount(struct launch *l, const char *type, const char *dest, const char *source, const char *options,
    uint64_t flags);
/* An empty boot record with the fields that all kinds of start share. */
void spec_new_boot(struct launch *l, const char *id);
int spec_write_default(const char *bundle, const char *file, bool rootless, struct err *err) MUST_CHECK;
/* Bytes as a JSON string, and an array of them; see base/json.h. */
json_t *json_bytes(const char *s);
json_t *json_bytes_array(const json_t *strs);
/* Bit of "CAP_CHOWN"; false for an unknown name. */
bool spec_cap(const char *name, uint64_t *mask);

#endif
