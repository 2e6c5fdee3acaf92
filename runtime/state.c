/* state: containers on disk; see state.h. */
#include "runtime/state.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/json.h"
#include "runtime/client.h"

#define STATE_FILE	"state.json"
#define STATE_MAX	(32u << 20)
#define ID_MAX		1024
#define KILL_WAIT_MS	10000

static bool
is_id(const char *id)
{
	size_t n = strlen(id);

	if (n == 0 || n > ID_MAX || strcmp(id, ".") == 0 || strcmp(id, "..") == 0)
		return false;
	for (; *id; id++) {
		if (!isalnum((unsigned char)*id) && strchr("_+-.", *id) == NULL)
			return false;
	}
	return true;
}

/* mkdir -p, for ourselves alone. */
static int
make_root(struct err *err)
{
	char *path = xstrdup(rt.root);

	for (char *p = path + 1; ; p++) {
		char cut = *p;

		if (cut != '/' && cut != '\0')
			continue;
		*p = '\0';
		if (mkdir(path, 0711) != 0 && errno != EEXIST) {
			int e = err_set(err, errno, "cannot make %s", path);

			free(path);
			return e;
		}
		*p = cut;
		if (cut == '\0')
			break;
	}
	free(path);
	return 0;
}

static int
open_dir(const char *id, int *out, struct err *err)
{
	AUTO_CLOSE int root = open(rt.root, O_PATH | O_DIRECTORY | O_CLOEXEC);
	int fd = root < 0 ? -1 : openat(root, id, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0) {
		int e = errno;

		if (e == ENOENT || e == ENOTDIR) {
			err_set(err, 0, "container %s does not exist", id);
			return -ENOENT;
		}
		return err_set(err, e, "%s/%s", rt.root, id);
	}
	*out = fd;
	return 0;
}

/* A deleter may have been faster: then the directory we hold has no name any more. */
static int
lock_dir(int dir, const char *id, struct err *err)
{
	struct stat st;

	while (flock(dir, LOCK_EX) != 0) {
		if (errno != EINTR)
			return err_set(err, errno, "cannot lock container %s", id);
	}
	if (fstat(dir, &st) != 0 || st.st_nlink == 0) {
		err_set(err, 0, "container %s does not exist", id);
		return -ENOENT;
	}
	return 0;
}

int
state_create(const char *id, struct state *out, struct err *err)
{
	char *path;
	int e;

	if (!is_id(id))
		return err_set(err, 0, "invalid container id %.80s: letters, digits and _+-. only", id);
	e = make_root(err);
	if (e)
		return e;
	path = xasprintf("%s/%s", rt.root, id);
	if (mkdir(path, 0700) != 0)
		e = errno == EEXIST ? err_set(err, 0, "container with id %s already exists", id) :
		    err_set(err, errno, "cannot make %s", path);
	free(path);
	if (e)
		return e;
	e = open_dir(id, &out->dir, err);
	if (!e)
		e = lock_dir(out->dir, id, err);
	if (e)
		return e;
	out->id = xstrdup(id);
	out->j = json_object();
	return 0;
}

int
state_open(const char *id, bool lock, struct state *out, struct err *err)
{
	struct jread r = { 0 };
	char *text;
	size_t len;
	int e;

	if (!is_id(id)) {
		err_set(err, 0, "container %.80s does not exist", id);
		return -ENOENT;
	}
	e = open_dir(id, &out->dir, err);
	if (!e && lock)
		e = lock_dir(out->dir, id, err);
	if (e) {
		state_close(out);
		return e;
	}
	out->id = xstrdup(id);
	if (text_read(out->dir, STATE_FILE, STATE_MAX, &text, &len) == 0) {
		out->j = json_read(&r, STATE_FILE, text, len);
		free(text);
	}
	if (!json_is_object(out->j)) {
		json_decref(out->j);
		out->j = json_object();
	}
	return 0;
}

void
state_close(struct state *s)
{
	if (s->dir >= 0)
		(void)close(s->dir);
	json_decref(s->j);
	free(s->id);
	*s = (struct state)STATE_INIT;
}

int
state_save(struct state *s, struct err *err)
{
	char *text = json_dumps(s->j, JSON_INDENT(1));
	int e = text ? text_write(s->dir, STATE_FILE, text, strlen(text), 0600) : -ENOMEM;

	free(text);
	return e ? err_set(err, -e, "cannot write the state of %s", s->id) : 0;
}

int
state_remove(struct state *s, struct err *err)
{
	int copy = dup(s->dir);
	DIR *d = copy < 0 ? NULL : fdopendir(copy);
	char *path = xasprintf("%s/%s", rt.root, s->id);
	struct dirent *e;
	int result = 0;

	if (d)
		rewinddir(d);
	while (d && (e = readdir(d)) != NULL) {
		if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
			(void)unlinkat(s->dir, e->d_name, 0);
	}
	if (d)
		(void)closedir(d);
	if (rmdir(path) != 0 && errno != ENOENT)
		result = err_set(err, errno, "cannot remove %s", path);
	free(path);
	return result;
}

/* ---- processes -------------------------------------------------------------------------- */

/* Field 22 of /proc/PID/stat: when the process started, in ticks; 0 when there is none (or a zombie). */
static uint64_t
start_time(pid_t pid)
{
	char *path = xasprintf("/proc/%d/stat", (int)pid), *text, *at;
	unsigned long long start = 0;
	char letter = 'X';
	int e = text_read(AT_FDCWD, path, 65536, &text, NULL);

	free(path);
	if (e)
		return 0;
	/* The name may hold anything; the last ')' ends it. */
	at = strrchr(text, ')');
	if (at == NULL || sscanf(at + 1, " %c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d "
	    "%*d %*d %*d %llu", &letter, &start) != 2)
		start = 0;
	free(text);
	return letter == 'Z' || letter == 'X' ? 0 : start;
}

pid_t
state_pid(const struct state *s, const char *key)
{
	json_t *p = json_object_get(s->j, key);
	pid_t pid = (pid_t)json_integer_value(json_object_get(p, "pid"));
	uint64_t start = (uint64_t)json_integer_value(json_object_get(p, "start"));

	return pid > 0 && start != 0 && start_time(pid) == start ? pid : 0;
}

void
state_set_pid(struct state *s, const char *key, pid_t pid)
{
	json_object_set_new(s->j, key, json_pack("{s:i,s:I}", "pid", (int)pid, "start",
	    (json_int_t)start_time(pid)));
}

/* Asks the sentry; a `start` that was killed may not have recorded its success. */
static bool
really_started(struct state *s)
{
	struct err err;
	json_t *reply = NULL;
	AUTO_CLOSE int conn = client_open_at(s->dir, &err);
	bool started = false;
	const char *status;

	if (conn < 0 || client_call(conn, json_pack("{s:s}", "op", "state"), NULL, 0, 2, &reply, &err) != 0)
		return false;
	status = json_string_value(json_object_get(reply, "status"));
	started = status && strcmp(status, "created") != 0;
	json_decref(reply);
	return started;
}

const char *
state_status(struct state *s)
{
	const char *phase = json_string_value(json_object_get(s->j, "status"));

	if (phase == NULL || state_pid(s, "sentry") == 0)
		return "stopped";
	if (strcmp(phase, "creating") == 0)
		return "creating";
	if (strcmp(phase, "created") == 0)
		return really_started(s) ? "running" : "created";
	return "running";
}

static int
kill_one(struct state *s, const char *key, struct err *err)
{
	pid_t pid = state_pid(s, key);
	struct pollfd p = { .events = POLLIN };

	if (pid == 0)
		return 0;
	p.fd = (int)syscall(SYS_pidfd_open, pid, 0);
	/* Between the look and the pidfd the number may have passed on. */
	if (p.fd >= 0 && state_pid(s, key) == pid) {
		(void)syscall(SYS_pidfd_send_signal, p.fd, SIGKILL, NULL, 0);
		if (poll(&p, 1, KILL_WAIT_MS) == 0) {
			(void)close(p.fd);
			return err_set(err, 0, "process %d of container %s does not die", (int)pid,
			    s->id);
		}
	}
	if (p.fd >= 0)
		(void)close(p.fd);
	return 0;
}

int
state_kill(struct state *s, struct err *err)
{
	int e = kill_one(s, "sentry", err);

	return e ? e : kill_one(s, "gofer", err);
}

/* ---- views ------------------------------------------------------------------------------ */

json_t *
state_oci(struct state *s)
{
	static const char *const copied[] = { "bundle", "rootfs", "created", "owner", "annotations" };
	const char *status = state_status(s);
	pid_t pid = strcmp(status, "stopped") == 0 ? 0 : state_pid(s, "sentry");
	json_t *j = json_pack("{s:s,s:s,s:i,s:s}", "ociVersion", OCI_VERSION, "id", s->id, "pid", (int)pid,
	    "status", status);

	for (size_t i = 0; i < ARRAY_LEN(copied); i++) {
		json_t *v = json_object_get(s->j, copied[i]);

		if (v)
			json_object_set(j, copied[i], v);
	}
	return j;
}

static int
by_name(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

int
state_list(struct strlist *out, struct err *err)
{
	DIR *d = opendir(rt.root);
	struct dirent *e;

	if (d == NULL)
		return errno == ENOENT ? 0 : err_set(err, errno, "%s", rt.root);
	while ((e = readdir(d)) != NULL) {
		if (is_id(e->d_name) && (e->d_type == DT_DIR || e->d_type == DT_UNKNOWN))
			strlist_add(out, xstrdup(e->d_name));
	}
	(void)closedir(d);
	if (out->n > 1)
		qsort(out->v, out->n, sizeof *out->v, by_name);
	return 0;
}
