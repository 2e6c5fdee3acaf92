/* specmount: the mounts of config.json. */
#ifndef RUNTIME_SPECMOUNT_H
#define RUNTIME_SPECMOUNT_H

#include "runtime/spec.h"

#define MOUNT_READONLY	1u	/* MS_RDONLY, without pulling in <sys/mount.h> */

void specmount_convert(struct jread *r, const json_t *config, const char *bundle, struct launch *l);
/* Options of one mount: known words into flags, the rest into data (new, comma separated). true: a bind mount. */
bool specmount_options(struct jread *r, const json_t *options, const char *at, uint64_t *flags, char **data);

#endif
