/* json: strict getters over jansson; see json.h. */
#include "base/json.h"

#include <stdio.h>
#include <string.h>
#include <sys/auxv.h>

void
json_boot(void)
{
	const void *random = (const void *)getauxval(AT_RANDOM);
	size_t seed = 1;

	if (random != NULL)
		memcpy(&seed, random, sizeof seed);
	json_object_seed(seed | 1);
}

void
jread_fail(struct jread *r, const char *fmt, ...)
{
	va_list ap;

	if (r->failed)
		return;
	r->failed = true;
	va_start(ap, fmt);
	(void)vsnprintf(r->why, sizeof r->why, fmt, ap);
	va_end(ap);
}

json_t *
json_read(struct jread *r, const char *name, const char *text, size_t len)
{
	json_error_t e;
	json_t *j = json_loadb(text, len, 0, &e);

	/* RLIM_INFINITY written out does not fit jansson's integers: take all numbers as reals then. */
	if (j == NULL && json_error_code(&e) == json_error_numeric_overflow)
		j = json_loadb(text, len, JSON_DECODE_INT_AS_REAL, &e);
	if (j == NULL)
		jread_fail(r, "%s:%d:%d: %s", name, e.line, e.column, e.text);
	return j;
}

static const char *
type_name(json_type type)
{
	switch (type) {
	case JSON_OBJECT: return "an object";
	case JSON_ARRAY: return "an array";
	case JSON_STRING: return "a string";
	case JSON_INTEGER:
	case JSON_REAL: return "a number";
	case JSON_TRUE:
	case JSON_FALSE: return "true or false";
	default: return "null";
	}
}

static const char *
dot(const char *path)
{
	return *path ? "." : "";
}

static json_t *
member(const json_t *obj, const char *key)
{
	json_t *v = obj ? json_object_get(obj, key) : NULL;

	return v == NULL || json_is_null(v) ? NULL : v;
}

json_t *
jget(struct jread *r, const json_t *obj, const char *path, const char *key, json_type type)
{
	json_t *v = member(obj, key);

	if (v == NULL)
		return NULL;
	if (json_typeof(v) != type) {
		jread_fail(r, "%s%s%s: must be %s", path, dot(path), key, type_name(type));
		return NULL;
	}
	return v;
}

const char *
jget_str(struct jread *r, const json_t *obj, const char *path, const char *key)
{
	return json_string_value(jget(r, obj, path, key, JSON_STRING));
}

bool
jget_bool(struct jread *r, const json_t *obj, const char *path, const char *key, bool absent)
{
	json_t *v = member(obj, key);

	if (v == NULL)
		return absent;
	if (!json_is_boolean(v)) {
		jread_fail(r, "%s%s%s: must be true or false", path, dot(path), key);
		return absent;
	}
	return json_is_true(v);
}

/* Without libm: from 2^53 on every double is whole. */
static bool
is_whole(double d)
{
	if (d != d)
		return false;
	return d >= 9007199254740992.0 || d <= -9007199254740992.0 || (double)(int64_t)d == d;
}

uint64_t
jget_u64(struct jread *r, const json_t *obj, const char *path, const char *key, uint64_t hi,
    uint64_t absent)
{
	json_t *v = member(obj, key);
	uint64_t got = 0;
	bool ok = true;

	if (v == NULL)
		return absent;
	if (json_is_integer(v)) {
		ok = json_integer_value(v) >= 0;
		got = (uint64_t)json_integer_value(v);
	} else if (json_is_real(v)) {
		double d = json_real_value(v);

		ok = d >= 0 && is_whole(d);
		got = !ok ? 0 : d >= 18446744073709551615.0 ? UINT64_MAX : (uint64_t)d;
	} else {
		jread_fail(r, "%s%s%s: must be a number", path, dot(path), key);
		return absent;
	}
	if (!ok || got > hi) {
		jread_fail(r, "%s%s%s: must be a whole number from 0 to %llu", path, dot(path), key,
		    (unsigned long long)hi);
		return absent;
	}
	return got;
}

int64_t
jget_i64(struct jread *r, const json_t *obj, const char *path, const char *key, int64_t absent)
{
	json_t *v = member(obj, key);
	double d;

	if (v == NULL)
		return absent;
	if (json_is_integer(v))
		return json_integer_value(v);
	d = json_is_real(v) ? json_real_value(v) : 0.5;
	if (!is_whole(d) || d > 9007199254740992.0 || d < -9007199254740992.0) {
		jread_fail(r, "%s%s%s: must be a whole number", path, dot(path), key);
		return absent;
	}
	return (int64_t)d;
}

json_t *
jget_strs(struct jread *r, const json_t *obj, const char *path, const char *key)
{
	json_t *a = jget(r, obj, path, key, JSON_ARRAY), *v;
	size_t i;

	json_array_foreach(a, i, v) {
		if (!json_is_string(v)) {
			jread_fail(r, "%s%s%s[%zu]: must be a string", path, dot(path), key, i);
			return NULL;
		}
	}
	return a;
}

void
json_bytes_decode(char *s)
{
	unsigned char *to = (unsigned char *)s;
	const unsigned char *from = to;

	while (*from) {
		if ((from[0] & 0xfc) == 0xc0 && (from[1] & 0xc0) == 0x80) {
			*to++ = (unsigned char)(from[0] << 6 | (from[1] & 0x3f));
			from += 2;
		} else {
			*to++ = *from++;
		}
	}
	*to = '\0';
}

/* Length of the well-formed UTF-8 sequence at s, or 0. */
static size_t
utf8_len(const unsigned char *s)
{
	size_t n = s[0] < 0x80 ? 1 : (s[0] & 0xe0) == 0xc0 && s[0] >= 0xc2 ? 2 :
	    (s[0] & 0xf0) == 0xe0 ? 3 : (s[0] & 0xf8) == 0xf0 && s[0] <= 0xf4 ? 4 : 0;

	for (size_t i = 1; i < n; i++) {
		if ((s[i] & 0xc0) != 0x80)
			return 0;
	}
	if (n == 3 && ((s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] > 0x9f)))
		return 0;
	if (n == 4 && ((s[0] == 0xf0 && s[1] < 0x90) || (s[0] == 0xf4 && s[1] > 0x8f)))
		return 0;
	return n;
}

void
sb_json(struct strbuf *sb, const char *text)
{
	const unsigned char *s = (const unsigned char *)text;

	sb_putc(sb, '"');
	while (*s) {
		size_t n = utf8_len(s);

		if (n == 0) {
			sb_puts(sb, "\\ufffd");
			s++;
			continue;
		}
		if (*s == '"' || *s == '\\')
			sb_putc(sb, '\\');
		if (*s == '\n')
			sb_puts(sb, "\\n");
		else if (*s == '\t')
			sb_puts(sb, "\\t");
		else if (*s < 0x20 || *s == 0x7f)
			sb_printf(sb, "\\u%04x", *s);
		else
			sb_put(sb, (const char *)s, n);
		s += n;
	}
	sb_putc(sb, '"');
}
