/* spec: config.json into the boot record; see spec.h. Mounts are in specmount.c. */
#include "runtime/spec.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runtime/specmount.h"

static const char *const rlimit_names[] = {
	"RLIMIT_CPU", "RLIMIT_FSIZE", "RLIMIT_DATA", "RLIMIT_STACK", "RLIMIT_CORE", "RLIMIT_RSS",
	"RLIMIT_NPROC", "RLIMIT_NOFILE", "RLIMIT_MEMLOCK", "RLIMIT_AS", "RLIMIT_LOCKS",
	"RLIMIT_SIGPENDING", "RLIMIT_MSGQUEUE", "RLIMIT_NICE", "RLIMIT_RTPRIO", "RLIMIT_RTTIME",
};

static const char *const cap_names[] = {
	"CHOWN", "DAC_OVERRIDE", "DAC_READ_SEARCH", "FOWNER", "FSETID", "KILL", "SETGID", "SETUID",
	"SETPCAP", "LINUX_IMMUTABLE", "NET_BIND_SERVICE", "NET_BROADCAST", "NET_ADMIN", "NET_RAW",
	"IPC_LOCK", "IPC_OWNER", "SYS_MODULE", "SYS_RAWIO", "SYS_CHROOT", "SYS_PTRACE", "SYS_PACCT",
	"SYS_ADMIN", "SYS_BOOT", "SYS_NICE", "SYS_RESOURCE", "SYS_TIME", "SYS_TTY_CONFIG", "MKNOD",
	"LEASE", "AUDIT_WRITE", "AUDIT_CONTROL", "SETFCAP", "MAC_OVERRIDE", "MAC_ADMIN", "SYSLOG",
	"WAKE_ALARM", "BLOCK_SUSPEND", "AUDIT_READ", "PERFMON", "BPF", "CHECKPOINT_RESTORE",
};

bool
spec_cap(const char *name, uint64_t *mask)
{
	if (strncasecmp(name, "CAP_", 4) == 0)
		name += 4;
	for (size_t i = 0; i < ARRAY_LEN(cap_names); i++) {
		if (strcasecmp(name, cap_names[i]) == 0) {
			*mask |= 1ULL << i;
			return true;
		}
	}
	return false;
}

/* ---- bytes ---------------------------------------------------------------------------- */

json_t *
json_bytes(const char *s)
{
	size_t len = strlen(s);
	char *wide = xcalloc(2 * len + 1, 1), *to = wide;
	json_t *j;

	for (; *s; s++) {
		unsigned char c = (unsigned char)*s;

		if (c < 0x80) {
			*to++ = (char)c;
		} else {
			*to++ = (char)(0xc0 | c >> 6);
			*to++ = (char)(0x80 | (c & 0x3f));
		}
	}
	j = json_stringn_nocheck(wide, (size_t)(to - wide));
	free(wide);
	return j;
}

json_t *
json_bytes_array(const json_t *strs)
{
	json_t *out = json_array(), *v;
	size_t i;

	json_array_foreach(strs, i, v)
		json_array_append_new(out, json_bytes(json_string_value(v)));
	return out;
}

/* ---- process ------------------------------------------------------------------------ */

static uint64_t
read_caps(struct jread *r, const json_t *caps, const char *key)
{
	json_t *a = jget_strs(r, caps, "process.capabilities", key), *v;
	uint64_t mask = 0;
	size_t i;

	json_array_foreach(a, i, v) {
		if (!spec_cap(json_string_value(v), &mask))
			warn_report("process.capabilities.%s: unknown capability %s is ignored", key,
			    json_string_value(v));
	}
	return mask;
}

static void
convert_caps(struct jread *r, const json_t *p, json_t *out)
{
	static const char *const sets[] = { "bounding", "effective", "inheritable", "permitted", "ambient" };
	json_t *caps = jget(r, p, "process", "capabilities", JSON_OBJECT);

	for (size_t i = 0; i < ARRAY_LEN(sets); i++) {
		char key[32];

		(void)snprintf(key, sizeof key, "cap_%s", sets[i]);
		json_object_set_new(out, key, json_integer((json_int_t)read_caps(r, caps, sets[i])));
	}
}

static void
convert_rlimits(struct jread *r, const json_t *p, json_t *out)
{
	json_t *a = jget(r, p, "process", "rlimits", JSON_ARRAY), *v, *list = json_array();
	uint32_t seen = 0;
	size_t i;

	json_array_foreach(a, i, v) {
		char at[64];
		const char *type;
		unsigned n = 0;
		uint64_t soft, hard;

		(void)snprintf(at, sizeof at, "process.rlimits[%zu]", i);
		if (!json_is_object(v)) {
			jread_fail(r, "%s: must be an object", at);
			break;
		}
		type = jget_str(r, v, at, "type");
		hard = jget_u64(r, v, at, "hard", UINT64_MAX, 0);
		soft = jget_u64(r, v, at, "soft", UINT64_MAX, 0);
		while (type && n < ARRAY_LEN(rlimit_names) && strcmp(type, rlimit_names[n]) != 0)
			n++;
		if (type == NULL || n == ARRAY_LEN(rlimit_names)) {
			jread_fail(r, "%s.type: %s is not a resource limit", at, type ? type : "null");
			break;
		}
		if (seen & 1u << n)
			jread_fail(r, "%s.type: %s is there twice", at, type);
		seen |= 1u << n;
		if (soft > hard)
			jread_fail(r, "%s.soft: must not exceed hard", at);
		json_array_append_new(list, json_pack("{s:i,s:I,s:I}", "resource", (int)n, "soft",
		    (json_int_t)soft, "hard", (json_int_t)hard));
	}
	json_object_set_new(out, "rlimits", list);
}

static void
convert_user(struct jread *r, const json_t *p, json_t *out)
{
	json_t *u = jget(r, p, "process", "user", JSON_OBJECT), *v;
	static const char at[] = "process.user";
	json_t *groups = json_array();
	json_t *a = jget(r, u, at, "additionalGids", JSON_ARRAY);
	size_t i;

	json_object_set_new(out, "uid", json_integer((json_int_t)jget_u64(r, u, at, "uid", UINT32_MAX - 1, 0)));
	json_object_set_new(out, "gid", json_integer((json_int_t)jget_u64(r, u, at, "gid", UINT32_MAX - 1, 0)));
	if (u && json_object_get(u, "umask") && !json_is_null(json_object_get(u, "umask")))
		json_object_set_new(out, "umask",
		    json_integer((json_int_t)jget_u64(r, u, at, "umask", 07777, 022)));
	json_array_foreach(a, i, v) {
		double g = json_number_value(v);

		if (!json_is_number(v) || g < 0 || g >= UINT32_MAX || (double)(uint32_t)g != g) {
			jread_fail(r, "%s.additionalGids[%zu]: must be a group number", at, i);
			break;
		}
		json_array_append_new(groups, json_integer((json_int_t)g));
	}
	json_object_set_new(out, "groups", groups);
}

static void
convert_console(struct jread *r, const json_t *p, json_t *out)
{
	json_t *size = jget(r, p, "process", "consoleSize", JSON_OBJECT);

	json_object_set_new(out, "rows",
	    json_integer((json_int_t)jget_u64(r, size, "process.consoleSize", "height", UINT16_MAX, 0)));
	json_object_set_new(out, "cols",
	    json_integer((json_int_t)jget_u64(r, size, "process.consoleSize", "width", UINT16_MAX, 0)));
}

json_t *
spec_process(struct jread *r, const json_t *p, const char *path)
{
	json_t *args = jget_strs(r, p, path, "args"), *env = jget_strs(r, p, path, "env"), *v;
	const char *cwd = jget_str(r, p, path, "cwd");
	json_t *out = json_object();
	int64_t oom;
	size_t i;

	if (json_array_size(args) == 0)
		jread_fail(r, "%s.args: is missing or empty", path);
	json_array_foreach(env, i, v) {
		if (strchr(json_string_value(v), '=') == NULL)
			warn_report("%s.env[%zu]: %s has no value", path, i, json_string_value(v));
	}
	if (cwd == NULL || *cwd == '\0')
		cwd = "/";
	if (*cwd != '/')
		jread_fail(r, "%s.cwd: %s is not an absolute path", path, cwd);
	json_object_set_new(out, "args", json_bytes_array(args));
	json_object_set_new(out, "env", json_bytes_array(env));
	json_object_set_new(out, "cwd", json_bytes(cwd));
	json_object_set_new(out, "terminal", json_boolean(jget_bool(r, p, path, "terminal", false)));
	json_object_set_new(out, "no_new_privs",
	    json_boolean(jget_bool(r, p, path, "noNewPrivileges", false)));
	oom = jget_i64(r, p, path, "oomScoreAdj", 0);
	if (oom < -1000 || oom > 1000)
		jread_fail(r, "%s.oomScoreAdj: must be from -1000 to 1000", path);
	json_object_set_new(out, "oom_score_adj", json_integer(oom));
	convert_user(r, p, out);
	convert_caps(r, p, out);
	convert_rlimits(r, p, out);
	convert_console(r, p, out);
	if (r->failed) {
		json_decref(out);
		return NULL;
	}
	return out;
}

/* ---- the rest of the file ------------------------------------------------------------- */

static void
convert_root(struct jread *r, const json_t *config, const char *bundle, struct spec *out, struct launch *l)
{
	json_t *root = jget(r, config, "", "root", JSON_OBJECT);
	const char *path = jget_str(r, root, "root", "path");
	bool readonly = jget_bool(r, root, "root", "readonly", false);
	struct stat st;

	if (root == NULL || path == NULL || *path == '\0') {
		jread_fail(r, "root.path: is missing");
		return;
	}
	out->rootfs = *path == '/' ? xstrdup(path) : xasprintf("%s/%s", bundle, path);
	if (stat(out->rootfs, &st) != 0) {
		jread_fail(r, "root.path: %s: %s", out->rootfs,
		    errno == ENOENT ? "no such file or directory" : strerror(errno));
		return;
	}
	if (!S_ISDIR(st.st_mode))
		jread_fail(r, "root.path: %s: not a directory", out->rootfs);
	/* Mountpoints are made in a memory layer, so the directory itself is never written. */
	json_object_set_new(l->boot, "overlay", json_boolean(readonly));
	json_object_set_new(l->boot, "root_readonly", json_boolean(readonly));
	spec_add_gofer(l, out->rootfs, "/", readonly ? MOUNT_READONLY : 0, false, false);
}

static void
convert_sysctls(struct jread *r, const json_t *lnx, json_t *boot)
{
	json_t *o = jget(r, lnx, "linux", "sysctl", JSON_OBJECT), *v;
	const char *key;

	json_object_foreach(o, key, v) {
		if (!json_is_string(v))
			jread_fail(r, "linux.sysctl.%s: must be a string", key);
	}
	if (o)
		json_object_set(boot, "sysctls", o);
}

static void
check_namespaces(struct jread *r, const json_t *lnx)
{
	static const char *const types[] = { "pid", "network", "mount", "ipc", "uts", "user", "cgroup", "time" };
	json_t *a = jget(r, lnx, "linux", "namespaces", JSON_ARRAY), *v;
	size_t i;

	json_array_foreach(a, i, v) {
		char at[64];
		const char *type;
		bool known = false;

		(void)snprintf(at, sizeof at, "linux.namespaces[%zu]", i);
		type = jget_str(r, json_is_object(v) ? v : NULL, at, "type");
		for (size_t t = 0; type && t < ARRAY_LEN(types); t++)
			known |= strcmp(type, types[t]) == 0;
		if (!known) {
			jread_fail(r, "%s.type: %s is not a kind of namespace", at, type ? type : "null");
			return;
		}
		if (jget_str(r, v, at, "path") != NULL)
			warn_report("%s.path: ignored, the sandbox always has its own %s namespace", at,
			    type);
	}
}

static void
convert_linux(struct jread *r, const json_t *config, json_t *boot)
{
	json_t *lnx = jget(r, config, "", "linux", JSON_OBJECT);
	json_t *res = jget(r, lnx, "linux", "resources", JSON_OBJECT);
	json_t *mem = jget(r, res, "linux.resources", "memory", JSON_OBJECT);
	json_t *pids = jget(r, res, "linux.resources", "pids", JSON_OBJECT);
	json_t *masked = jget_strs(r, lnx, "linux", "maskedPaths");
	json_t *readonly = jget_strs(r, lnx, "linux", "readonlyPaths");
	int64_t limit;

	if (masked)
		json_object_set_new(boot, "masked_paths", json_bytes_array(masked));
	if (readonly)
		json_object_set_new(boot, "readonly_paths", json_bytes_array(readonly));
	convert_sysctls(r, lnx, boot);
	check_namespaces(r, lnx);
	/* -1 and 0 both mean no limit. */
	limit = jget_i64(r, mem, "linux.resources.memory", "limit", 0);
	json_object_set_new(boot, "memory_limit", json_integer(max(limit, (int64_t)0)));
	limit = jget_i64(r, pids, "linux.resources.pids", "limit", 0);
	json_object_set_new(boot, "pids_limit", json_integer(max(limit, (int64_t)0)));
}

static void
check_hooks(struct jread *r, const json_t *hooks)
{
	json_t *list, *v;
	const char *when;
	size_t i;

	json_object_foreach((json_t *)(uintptr_t)hooks, when, list) {
		if (json_is_null(list))
			continue;
		if (!json_is_array(list)) {
			jread_fail(r, "hooks.%s: must be an array", when);
			return;
		}
		json_array_foreach(list, i, v) {
			char at[96];
			const char *path;

			(void)snprintf(at, sizeof at, "hooks.%.40s[%zu]", when, i);
			path = jget_str(r, json_is_object(v) ? v : NULL, at, "path");
			if (path == NULL || *path != '/')
				jread_fail(r, "%s.path: must be an absolute path", at);
			(void)jget_strs(r, v, at, "args");
			(void)jget_strs(r, v, at, "env");
			(void)jget_u64(r, v, at, "timeout", INT32_MAX, 0);
		}
		if (json_array_size(list) && (strcmp(when, "startContainer") == 0 ||
		    strcmp(when, "createContainer") == 0))
			jread_fail(r, "hooks.%s: hooks inside the sandbox are not supported", when);
	}
}

void
spec_new_boot(struct launch *l, const char *id)
{
	json_decref(l->boot);
	l->boot = json_pack("{s:s,s:[],s:b,s:b}", "id", id, "mounts", "strace", (int)rt.strace, "wait_start", 0);
	if (rt.strace_filter)
		json_object_set_new(l->boot, "strace_filter", json_string(rt.strace_filter));
}

void
spec_convert(struct jread *r, const json_t *config, const char *bundle, struct spec *out, struct launch *l)
{
	const char *hostname, *domain, *version;
	json_t *process;

	if (!json_is_object(config)) {
		jread_fail(r, "must be an object");
		return;
	}
	version = jget_str(r, config, "", "ociVersion");
	if (version && strncmp(version, "1.", 2) != 0)
		jread_fail(r, "ociVersion: %.20s is not supported", version);
	hostname = jget_str(r, config, "", "hostname");
	domain = jget_str(r, config, "", "domainname");
	if (hostname)
		json_object_set_new(l->boot, "hostname", json_bytes(hostname));
	if (domain)
		json_object_set_new(l->boot, "domainname", json_bytes(domain));
	convert_root(r, config, bundle, out, l);
	specmount_convert(r, config, bundle, l);
	convert_linux(r, config, l->boot);
	out->hooks = jget(r, config, "", "hooks", JSON_OBJECT);
	check_hooks(r, out->hooks);
	out->annotations = jget(r, config, "", "annotations", JSON_OBJECT);
	process = jget(r, config, "", "process", JSON_OBJECT);
	if (process == NULL)
		jread_fail(r, "process: is missing");
	process = r->failed ? NULL : spec_process(r, process, "process");
	if (process) {
		out->terminal = json_is_true(json_object_get(process, "terminal"));
		json_object_set_new(l->boot, "process", process);
	}
}

int
spec_load(const char *bundle, const char *file, struct spec *out, struct launch *l, struct err *err)
{
	char *path = *file == '/' ? xstrdup(file) : xasprintf("%s/%s", bundle, file);
	char *text = NULL;
	struct jread r = { 0 };
	size_t len;
	int e;

	e = text_read(AT_FDCWD, path, SPEC_SIZE_MAX, &text, &len);
	if (e) {
		err_set(err, -e, "%s", path);
		free(path);
		return e;
	}
	/* The reader's own message already says where. */
	out->config = json_read(&r, path, text, len);
	if (out->config == NULL) {
		e = err_set(err, 0, "%s", r.why);
	} else {
		spec_convert(&r, out->config, bundle, out, l);
		if (r.failed)
			e = err_set(err, 0, "%s: %s", path, r.why);
	}
	free(text);
	free(path);
	return e;
}

void
spec_fini(struct spec *s)
{
	json_decref(s->config);
	free(s->rootfs);
	memset(s, 0, sizeof *s);
}
