/*
 * json: a strict reader over jansson, and quoting, for config.json, the boot record, state
 * and control requests.
 *
 * The first mistake is kept, as one sentence that names the key ("process.args[2]: must be a
 * string"); after it the getters go on returning harmless defaults, so a caller reads everything
 * it wants and looks at `failed` once.  Absent and null mean the same, as for Go programs.
 */
#ifndef BASE_JSON_H
#define BASE_JSON_H

#include <jansson.h>

#include "base/base.h"
#include "base/strbuf.h"

struct jread {
	bool	failed;
	char	why[512];
};

/* Fixes jansson's hash seed, so that it never looks for one in files. Once, before the first object. */
void json_boot(void);
/* NULL on bad text: r->why is then "NAME:LINE:COLUMN: reason". The caller's to json_decref. */
json_t *json_read(struct jread *r, const char *name, const char *text, size_t len);

void jread_fail(struct jread *r, const char *fmt, ...) PRINTF(2, 3);
/* Member key of obj, a borrowed reference, or NULL. path is where obj itself was found ("" at the top). */
json_t *jget(struct jread *r, const json_t *obj, const char *path, const char *key, json_type type);
const char *jget_str(struct jread *r, const json_t *obj, const char *path, const char *key);
bool jget_bool(struct jread *r, const json_t *obj, const char *path, const char *key, bool absent);
/* Numbers from lo to hi; whole reals are numbers too, and what exceeds UINT64_MAX is UINT64_MAX. */
uint64_t jget_u64(struct jread *r, const json_t *obj, const char *path, const char *key, uint64_t hi,
    uint64_t absent);
int64_t jget_i64(struct jread *r, const json_t *obj, const char *path, const char *key, int64_t absent);
/* An array of strings, checked; NULL when absent. */
json_t *jget_strs(struct jread *r, const json_t *obj, const char *path, const char *key);

/*
 * Names, arguments and environment are bytes, JSON's strings are not: on their way to the sentry each
 * byte is the character of that number (json_bytes in runtime/spec.h).  And back, in place.
 */
void json_bytes_decode(char *s);

/* s as a JSON string with its quotes. Bytes that are not UTF-8 become U+FFFD. */
void sb_json(struct strbuf *sb, const char *s);

#endif
