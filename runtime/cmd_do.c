/*
 * cmd_do: one command in a fresh sandbox, over a directory of the host.
 *
 * The sandbox lives as long as this process, and its end is the sandbox's.  Nothing is recorded, unless
 * --id asks for a name by which debug, ps, exec and kill find it.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runtime/container.h"
#include "runtime/foreground.h"
#include "runtime/spec.h"
#include "runtime/specmount.h"
#include "runtime/users.h"

#define PATH_DEFAULT	"/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
#define CAP_ALL		((1LL << 41) - 1)

struct do_opts {
	char	*rootfs, *id, *cwd, *user, *hostname, *network, *platform, *strace_filter;
	bool	rw, strace, report, tty, no_tty, readonly;
	struct strlist volumes, env;
};

static const char *
resolve(const char *path, char *out, struct err *err)
{
	if (realpath(path, out) != NULL)
		return out;
	err_set(err, errno, "%s", path);
	return NULL;
}

static int
add_volume(struct launch *l, const char *text, struct err *err)
{
	char *spec = xstrdup(text), *dest, *mode, source[PATH_MAX];
	uint64_t flags = 0;
	struct stat st;
	int e = 0;

	dest = strchr(spec, ':');
	mode = dest ? strchr(dest + 1, ':') : NULL;
	if (dest)
		*dest++ = '\0';
	if (mode)
		*mode++ = '\0';
	if (dest == NULL || *spec == '\0' || *dest != '/')
		e = err_set(err, 0, "--volume %s: must be SOURCE:/DESTINATION[:ro]", text);
	else if (mode && strcmp(mode, "ro") != 0 && strcmp(mode, "rw") != 0)
		e = err_set(err, 0, "--volume %s: the mode is ro or rw, not %s", text, mode);
	else if (resolve(spec, source, err) == NULL || stat(source, &st) != 0)
		e = err_set(err, errno, "--volume %s", spec);
	if (!e) {
		if (mode && *mode == 'r' && mode[1] == 'o')
			flags = MS_RDONLY;
		spec_add_gofer(l, source, dest, flags, true, !S_ISDIR(st.st_mode));
	}
	free(spec);
	return e;
}

/* Later ones win. */
static void
set_env(json_t *env, const char *text)
{
	const char *eq = strchr(text, '=');
	size_t len = eq ? (size_t)(eq - text) + 1 : strlen(text) + 1, i;
	char *full = NULL;
	json_t *v;

	if (eq == NULL) {
		/* --env NAME hands on the caller's own value. */
		const char *value = getenv(text);

		if (value == NULL)
			return;
		full = xasprintf("%s=%s", text, value);
		text = full;
	}
	json_array_foreach(env, i, v) {
		if (strncmp(json_string_value(v), text, len) == 0) {
			json_array_set_new(env, i, json_bytes(text));
			free(full);
			return;
		}
	}
	json_array_append_new(env, json_bytes(text));
	free(full);
}

/* The caller's environment may hold secrets; an untrusted program gets only what describes its terminal and language. */
static json_t *
make_env(const struct do_opts *o, const struct user *u)
{
	static const char *const handed[] = {
		"TERM", "COLORTERM", "LANG", "LANGUAGE", "LC_ALL", "LC_CTYPE", "LC_COLLATE",
		"LC_MESSAGES", "LC_NUMERIC", "LC_TIME", "TZ",
	};
	json_t *env = json_array();
	char *home = xasprintf("HOME=%s", u->home && *u->home ? u->home : "/");

	set_env(env, "PATH=" PATH_DEFAULT);
	set_env(env, home);
	for (size_t i = 0; i < ARRAY_LEN(handed); i++)
		set_env(env, handed[i]);
	for (unsigned i = 0; i < o->env.n; i++)
		set_env(env, o->env.v[i]);
	free(home);
	return env;
}

static json_t *
own_rlimits(void)
{
	json_t *list = json_array();

	for (int r = 0; r < 16; r++) {
		struct rlimit l;

		if (getrlimit((__rlimit_resource_t)r, &l) == 0)
			json_array_append_new(list, json_pack("{s:i,s:I,s:I}", "resource", r, "soft",
			    (json_int_t)l.rlim_cur, "hard", (json_int_t)l.rlim_max));
	}
	return list;
}

static mode_t
own_umask(void)
{
	mode_t m = umask(022);

	(void)umask(m);
	return m;
}

static char *
default_cwd(const char *rootfs)
{
	char *cwd = strcmp(rootfs, "/") == 0 ? getcwd(NULL, 0) : NULL;

	return cwd && *cwd == '/' ? cwd : xstrdup("/");
}

static int
make_process(const struct do_opts *o, const char *rootfs, char **args, struct launch *l, struct err *err)
{
	struct user u = { 0 };
	json_t *p = json_object(), *argv = json_array(), *groups = json_array();
	char *cwd = o->cwd ? xstrdup(o->cwd) : default_cwd(rootfs);
	json_int_t caps;
	int e;

	json_object_set_new(l->boot, "process", p);
	if (*cwd != '/')
		return err_set(err, 0, "--cwd %s: must be an absolute path", cwd);
	e = user_find(rootfs, o->user ? o->user : "0:0", &u, err);
	if (e)
		return e;
	for (; *args; args++)
		json_array_append_new(argv, json_bytes(*args));
	for (unsigned i = 0; i < u.ngroups; i++)
		json_array_append_new(groups, json_integer(u.groups[i]));
	caps = u.uid == 0 ? CAP_ALL : 0;
	json_object_set_new(p, "args", argv);
	json_object_set_new(p, "env", make_env(o, &u));
	json_object_set_new(p, "cwd", json_bytes(cwd));
	json_object_set_new(p, "uid", json_integer(u.uid));
	json_object_set_new(p, "gid", json_integer(u.gid));
	json_object_set_new(p, "groups", groups);
	json_object_set_new(p, "umask", json_integer(own_umask()));
	json_object_set_new(p, "cap_bounding", json_integer(CAP_ALL));
	json_object_set_new(p, "cap_permitted", json_integer(caps));
	json_object_set_new(p, "cap_effective", json_integer(caps));
	json_object_set_new(p, "rlimits", own_rlimits());
	free(cwd);
	return 0;
}

static void
make_mounts(struct launch *l)
{
	spec_add_mount(l, "proc", "/proc", "proc", NULL, MS_NOSUID | MS_NODEV | MS_NOEXEC);
	spec_add_mount(l, "sysfs", "/sys", "sysfs", NULL, MS_NOSUID | MS_NODEV | MS_NOEXEC | MS_RDONLY);
	spec_add_mount(l, "dev", "/dev", "dev", "mode=0755", MS_NOSUID);
	spec_add_mount(l, "devpts", "/dev/pts", "devpts", "newinstance,mode=0620,gid=5,ptmxmode=0666",
	    MS_NOSUID | MS_NOEXEC);
	spec_add_mount(l, "tmpfs", "/dev/shm", "shm", "mode=1777", MS_NOSUID | MS_NODEV);
}

static int
make_boot(const struct do_opts *o, char **args, struct launch *l, struct err *err)
{
	char rootfs[PATH_MAX], name[256] = "village";
	struct stat st;
	int e;

	if (resolve(o->rootfs ? o->rootfs : "/", rootfs, err) == NULL)
		return -ENOENT;
	if (stat(rootfs, &st) == 0 && !S_ISDIR(st.st_mode))
		return err_set(err, ENOTDIR, "%s", rootfs);
	if (o->network && strcmp(o->network, "none") != 0)
		return err_set(err, 0, "--network %s: only none is supported", o->network);
	(void)gethostname(name, sizeof name - 1);
	spec_new_boot(l, "do");
	json_object_set_new(l->boot, "hostname", json_bytes(o->hostname ? o->hostname : name));
	json_object_set_new(l->boot, "overlay", json_boolean(!o->rw));
	json_object_set_new(l->boot, "init_mortal", json_true());
	json_object_set_new(l->boot, "report", json_boolean(o->report));
	/* With an overlay the gofer never writes; the mount itself is writable all the same. */
	spec_add_gofer(l, rootfs, "/", 0, o->rw && strcmp(rootfs, "/") == 0, false);
	l->mounts[0].readonly = !o->rw;
	make_mounts(l);
	for (unsigned i = 0; i < o->volumes.n; i++) {
		e = add_volume(l, o->volumes.v[i], err);
		if (e)
			return e;
	}
	return make_process(o, rootfs, args, l, err);
}

/* What exec takes over from the first process, as an OCI process: its user and directory, no secrets. */
static json_t *
describe(const struct launch *l)
{
	json_t *p = json_object_get(l->boot, "process");

	return json_pack("{s:{s:O,s:O},s:[s]}", "user", "uid", json_object_get(p, "uid"), "gid",
	    json_object_get(p, "gid"), "env", "PATH=" PATH_DEFAULT);
}

static int
run_named(const struct do_opts *o, struct launch *l, struct foreground *f)
{
	struct container c = CONTAINER_INIT;
	struct err err = { 0 };
	char rootfs[PATH_MAX];
	int status;

	c.l = *l;
	c.spec.rootfs = xstrdup(l->mounts[0].source);
	c.spec.config = json_pack("{s:o}", "process", describe(l));
	json_object_set_new(c.l.boot, "id", json_string(o->id));
	if (container_record(&c, o->id, resolve(".", rootfs, &err) ? rootfs : "/", &err) != 0) {
		container_abort(&c);
		return err_report(&err);
	}
	status = run_recorded(&c, f);
	container_fini(&c);
	return status;
}

int
cmd_do(int argc, char **argv)
{
	struct do_opts o = { 0 };
	const struct opt opts[] = {
		{ 0, "rootfs", "DIR", "directory that becomes / (default: the host's own /)", OPT_STR, &o.rootfs },
		{ 0, "id", "ID", "record the sandbox, for debug, ps, exec and kill", OPT_STR, &o.id },
		{ 0, "rw", NULL, "write through to DIR instead of to memory", OPT_FLAG, &o.rw },
		{ 'v', "volume", "SRC:DST[:ro]", "directory or file of the host to show at DST", OPT_LIST, &o.volumes },
		{ 'w', "cwd", "DIR", "directory to start in", OPT_STR, &o.cwd },
		{ 'e', "env", "K=V", "environment variable; K alone hands on the caller's", OPT_LIST, &o.env },
		{ 'u', "user", "U[:G]", "user and group, names or numbers (default 0:0)", OPT_STR, &o.user },
		{ 0, "hostname", "NAME", "host name inside", OPT_STR, &o.hostname },
		{ 0, "network", "none", "only a loopback interface", OPT_STR, &o.network },
		{ 't', "tty", NULL, "a terminal inside (default when all three streams are one)", OPT_FLAG, &o.tty },
		{ 'T', "no-tty", NULL, "no terminal inside", OPT_FLAG, &o.no_tty },
		{ 0, "strace", NULL, "print every system call on stderr", OPT_FLAG, &o.strace },
		{ 0, "strace-filter", "LIST", "only these calls or families (file, network, ...)", OPT_STR, &o.strace_filter },
		{ 0, "report", NULL, "list at the end what was asked for and not provided", OPT_FLAG, &o.report },
		{ 0, "platform", "NAME", "how guest code runs: systrap or ptrace", OPT_STR, &o.platform },
		OPT_END
	};
	struct launch l = LAUNCH_INIT;
	struct foreground f = { 0 };
	struct err err = { 0 };
	int first = opt_parse(opts, argc, argv, true), e;

	if (first < 0)
		return 1;
	if (first == argc)
		return fail("do: which command? See village do --help");
	if (o.platform)
		rt.platform = o.platform;
	rt.strace |= o.strace || o.strace_filter;
	if (o.strace_filter)
		rt.strace_filter = o.strace_filter;
	e = make_boot(&o, argv + first, &l, &err);
	if (e)
		return err_report(&err);
	f.tty = !o.no_tty && (o.tty || (isatty(0) && isatty(1) && isatty(2)));
	f.report = o.report;
	return o.id ? run_named(&o, &l, &f) : foreground_run(&f, &l);
}
