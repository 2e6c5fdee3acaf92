/*
 * bootspec: the boot record and process descriptions, from JSON into structs; see bootspec.h.
 *
 * The runtime made this text and checked its meaning; here its shape is checked all the same, so
 * that a mistake on either side is a sentence and not a crash.  64-bit masks and limits
 * travel as signed integers of the same bits.
 */
#include "sentry/bootspec.h"

#include <string.h>

#include "base/json.h"
#include "base/kmem.h"

#define ITEMS_MAX	(1u << 20)

static char *
copy_str(struct jread *r, const char *s)
{
	char *copy;

	if (s == NULL)
		return NULL;
	copy = mem_strdup(s);
	if (copy == NULL)
		jread_fail(r, "out of memory");
	else
		json_bytes_decode(copy);
	return copy;
}

static void *
new_array(struct jread *r, size_t n, size_t size)
{
	void *p;

	if (n > ITEMS_MAX) {
		jread_fail(r, "a list of the boot record is too long");
		return NULL;
	}
	p = mem_alloc((n + 1) * size);
	if (p == NULL)
		jread_fail(r, "out of memory");
	return p;
}

static char **
copy_strs(struct jread *r, const json_t *a)
{
	size_t n = json_array_size(a);
	char **v;

	if (a == NULL)
		return NULL;
	v = new_array(r, n, sizeof *v);
	for (size_t i = 0; v != NULL && i < n; i++)
		v[i] = copy_str(r, json_string_value(json_array_get(a, i)));
	return v;
}

static void
free_strs(char **v)
{
	for (char **s = v; s && *s; s++)
		mem_free(*s);
	mem_free(v);
}

/* ---- a process --------------------------------------------------------------- */

static void
read_groups(struct jread *r, const json_t *j, struct spec_process *out)
{
	json_t *a = jget(r, j, "process", "groups", JSON_ARRAY);
	size_t n = json_array_size(a);

	if (n == 0)
		return;
	out->groups = new_array(r, n, sizeof *out->groups);
	for (size_t i = 0; out->groups && i < n; i++) {
		json_int_t g = json_integer_value(json_array_get(a, i));

		if (g < 0 || g > UINT32_MAX)
			jread_fail(r, "process.groups[%zu]: not a group", i);
		out->groups[i] = (uint32_t)g;
	}
	out->ngroups = out->groups ? (unsigned)n : 0;
}

static void
read_rlimits(struct jread *r, const json_t *j, struct spec_process *out)
{
	json_t *a = jget(r, j, "process", "rlimits", JSON_ARRAY);
	size_t n = json_array_size(a);

	if (n == 0)
		return;
	out->rlimits = new_array(r, n, sizeof *out->rlimits);
	for (size_t i = 0; out->rlimits && i < n; i++) {
		json_t *o = json_array_get(a, i);
		struct spec_rlimit *l = &out->rlimits[i];

		l->resource = (uint32_t)jget_u64(r, o, "rlimit", "resource", 15, 0);
		l->soft = (uint64_t)jget_i64(r, o, "rlimit", "soft", -1);
		l->hard = (uint64_t)jget_i64(r, o, "rlimit", "hard", -1);
	}
	out->nrlimits = out->rlimits ? (unsigned)n : 0;
}

static void
read_process(struct jread *r, const json_t *j, struct spec_process *out)
{
	static const char at[] = "process";

	out->args = copy_strs(r, jget_strs(r, j, at, "args"));
	out->env = copy_strs(r, jget_strs(r, j, at, "env"));
	if (out->env == NULL)
		out->env = new_array(r, 0, sizeof *out->env);
	out->cwd = copy_str(r, jget_str(r, j, at, "cwd"));
	out->user = copy_str(r, jget_str(r, j, at, "user"));
	out->exec_fallback_path = copy_str(r, jget_str(r, j, at, "path"));
	out->uid = (uint32_t)jget_u64(r, j, at, "uid", UINT32_MAX, 0);
	out->gid = (uint32_t)jget_u64(r, j, at, "gid", UINT32_MAX, 0);
	out->has_umask = json_object_get(j, "umask") != NULL;
	out->umask = (uint32_t)jget_u64(r, j, at, "umask", 07777, 022);
	out->cap_bounding = (uint64_t)jget_i64(r, j, at, "cap_bounding", 0);
	out->cap_effective = (uint64_t)jget_i64(r, j, at, "cap_effective", 0);
	out->cap_inheritable = (uint64_t)jget_i64(r, j, at, "cap_inheritable", 0);
	out->cap_permitted = (uint64_t)jget_i64(r, j, at, "cap_permitted", 0);
	out->cap_ambient = (uint64_t)jget_i64(r, j, at, "cap_ambient", 0);
	out->no_new_privs = jget_bool(r, j, at, "no_new_privs", false);
	out->terminal = jget_bool(r, j, at, "terminal", false);
	out->rows = (uint16_t)jget_u64(r, j, at, "rows", UINT16_MAX, 0);
	out->cols = (uint16_t)jget_u64(r, j, at, "cols", UINT16_MAX, 0);
	out->oom_score_adj = (int32_t)jget_i64(r, j, at, "oom_score_adj", 0);
	read_groups(r, j, out);
	read_rlimits(r, j, out);
	if (!r->failed && (out->args == NULL || out->args[0] == NULL))
		jread_fail(r, "process.args: is missing or empty");
}

void
spec_process_fini(struct spec_process *p)
{
	free_strs(p->args);
	free_strs(p->env);
	mem_free(p->cwd);
	mem_free(p->user);
	mem_free(p->exec_fallback_path);
	mem_free(p->groups);
	mem_free(p->rlimits);
	memset(p, 0, sizeof *p);
}

/* ---- the record ---------------------------------------------------------------- */

static void
read_mounts(struct jread *r, const json_t *j, struct bootspec *out)
{
	json_t *a = jget(r, j, "", "mounts", JSON_ARRAY);
	size_t n = json_array_size(a);

	if (n == 0) {
		jread_fail(r, "mounts: the root is missing");
		return;
	}
	out->mounts = new_array(r, n, sizeof *out->mounts);
	for (size_t i = 0; out->mounts && i < n; i++) {
		json_t *o = json_array_get(a, i);
		struct spec_mount *m = &out->mounts[i];

		out->nmounts = (unsigned)i + 1;
		m->type = copy_str(r, jget_str(r, o, "mount", "type"));
		m->dest = copy_str(r, jget_str(r, o, "mount", "dest"));
		m->source = copy_str(r, jget_str(r, o, "mount", "source"));
		m->options = copy_str(r, jget_str(r, o, "mount", "options"));
		m->flags = (uint64_t)jget_i64(r, o, "mount", "flags", 0);
		m->index = (unsigned)jget_u64(r, o, "mount", "index", UINT16_MAX, 0);
		m->shared = jget_bool(r, o, "mount", "shared", false);
		m->is_file = jget_bool(r, o, "mount", "is_file", false);
		if (m->type == NULL || m->dest == NULL || m->dest[0] != '/')
			jread_fail(r, "mounts[%zu]: needs a type and an absolute dest", i);
	}
}

static void
read_sysctls(struct jread *r, const json_t *j, struct bootspec *out)
{
	json_t *o = jget(r, j, "", "sysctls", JSON_OBJECT), *v;
	size_t n = json_object_size(o);
	const char *key;

	if (n == 0)
		return;
	out->sysctls = new_array(r, n, sizeof *out->sysctls);
	if (out->sysctls == NULL)
		return;
	json_object_foreach(o, key, v) {
		out->sysctls[out->nsysctls].key = copy_str(r, key);
		out->sysctls[out->nsysctls].value = copy_str(r, json_string_value(v));
		out->nsysctls++;
	}
}

static void
read_record(struct jread *r, const json_t *j, struct bootspec *out)
{
	out->id = copy_str(r, jget_str(r, j, "", "id"));
	out->hostname = copy_str(r, jget_str(r, j, "", "hostname"));
	out->domainname = copy_str(r, jget_str(r, j, "", "domainname"));
	out->platform = copy_str(r, jget_str(r, j, "", "platform"));
	out->strace_filter = copy_str(r, jget_str(r, j, "", "strace_filter"));
	out->overlay = jget_bool(r, j, "", "overlay", false);
	out->root_readonly = jget_bool(r, j, "", "root_readonly", false);
	out->init_mortal = jget_bool(r, j, "", "init_mortal", false);
	out->strace = jget_bool(r, j, "", "strace", false);
	out->report = jget_bool(r, j, "", "report", false);
	out->wait_start = jget_bool(r, j, "", "wait_start", false);
	out->patch_after = (unsigned)jget_i64(r, j, "", "patch_after", 0);
	out->memfile_size = (uint64_t)jget_i64(r, j, "", "memfile_size", 0);
	out->memory_limit = (uint64_t)jget_i64(r, j, "", "memory_limit", 0);
	out->pids_limit = (uint64_t)jget_i64(r, j, "", "pids_limit", 0);
	read_mounts(r, j, out);
	read_sysctls(r, j, out);
	out->masked_paths = copy_strs(r, jget_strs(r, j, "", "masked_paths"));
	out->readonly_paths = copy_strs(r, jget_strs(r, j, "", "readonly_paths"));
	if (out->platform == NULL)
		jread_fail(r, "platform: is missing");
	read_process(r, jget(r, j, "", "process", JSON_OBJECT), &out->process);
}

void
bootspec_fini(struct bootspec *s)
{
	for (unsigned i = 0; i < s->nmounts; i++) {
		mem_free(s->mounts[i].type);
		mem_free(s->mounts[i].dest);
		mem_free(s->mounts[i].source);
		mem_free(s->mounts[i].options);
	}
	for (unsigned i = 0; i < s->nsysctls; i++) {
		mem_free(s->sysctls[i].key);
		mem_free(s->sysctls[i].value);
	}
	mem_free(s->mounts);
	mem_free(s->sysctls);
	free_strs(s->masked_paths);
	free_strs(s->readonly_paths);
	mem_free(s->id);
	mem_free(s->hostname);
	mem_free(s->domainname);
	mem_free(s->platform);
	mem_free(s->strace_filter);
	spec_process_fini(&s->process);
	memset(s, 0, sizeof *s);
}

/* ---- entries ------------------------------------------------------------------- */

static int
tell(const struct jread *r, char *why, size_t why_size)
{
	struct strbuf sb = STRBUF(why, why_size);

	if (!r->failed)
		return 0;
	sb_puts(&sb, r->why);
	return -EINVAL;
}

static json_t *
read_object(struct jread *r, const char *name, const char *text, size_t len)
{
	json_t *j = json_read(r, name, text, len);

	if (j != NULL && !json_is_object(j))
		jread_fail(r, "%s: must be an object", name);
	return j;
}

int
bootspec_parse(const char *json, size_t len, struct bootspec *out, char *why, size_t why_size)
{
	struct jread r = { 0 };
	json_t *j = read_object(&r, "boot record", json, len);

	memset(out, 0, sizeof *out);
	if (!r.failed)
		read_record(&r, j, out);
	json_decref(j);
	if (r.failed)
		bootspec_fini(out);
	return tell(&r, why, why_size);
}

int
spec_process_parse(const char *json, size_t len, struct spec_process *out, char *why, size_t why_size)
{
	struct jread r = { 0 };
	json_t *j = read_object(&r, "process", json, len);

	memset(out, 0, sizeof *out);
	if (!r.failed)
		read_process(&r, j, out);
	json_decref(j);
	if (r.failed)
		spec_process_fini(out);
	return tell(&r, why, why_size);
}
