/* hooks: see hooks.h. They are the administrator's programs, as trusted as this one. */
#include "runtime/hooks.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static char **
vector(const json_t *a, const char *first)
{
	size_t n = json_array_size(a);
	char **v = xcalloc(n + 2, sizeof *v);

	for (size_t i = 0; i < n; i++)
		v[i] = xstrdup(json_string_value(json_array_get(a, i)));
	if (n == 0 && first)
		v[0] = xstrdup(first);
	return v;
}

/* The state as a file: unlike a pipe it needs nobody to write while the hook reads or does not. */
static int
state_file(struct state *s, const char *status)
{
	json_t *j = state_oci(s);
	char *text;
	int fd = memfd_create("village-state", MFD_CLOEXEC);

	json_object_set_new(j, "status", json_string(status));
	text = json_dumps(j, JSON_COMPACT);
	if (fd >= 0 && (text == NULL || write(fd, text, strlen(text)) < 0 || lseek(fd, 0, SEEK_SET) != 0)) {
		(void)close(fd);
		fd = -1;
	}
	free(text);
	json_decref(j);
	return fd;
}

static void NORETURN
become_hook(const json_t *hook, const char *path, int input)
{
	char **argv = vector(json_object_get(hook, "args"), path);
	char **env = vector(json_object_get(hook, "env"), NULL);
	sigset_t none;

	sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	(void)signal(SIGPIPE, SIG_DFL);
	(void)dup2(input, 0);
	execve(path, argv, env);
	_exit(127);
}

static int
run_one(struct state *s, const json_t *hook, const char *when, const char *status, struct err *err)
{
	const char *path = json_string_value(json_object_get(hook, "path"));
	int timeout = (int)json_number_value(json_object_get(hook, "timeout"));
	AUTO_CLOSE int input = state_file(s, status);
	struct pollfd p = { .events = POLLIN };
	int code, n;
	pid_t pid;

	if (path == NULL || input < 0)
		return err_set(err, 0, "hooks.%s: cannot prepare", when);
	pid = fork();
	if (pid == 0)
		become_hook(hook, path, input);
	if (pid < 0)
		return err_set(err, errno, "hooks.%s: %s", when, path);
	p.fd = (int)syscall(SYS_pidfd_open, pid, 0);
	n = timeout > 0 ? poll(&p, 1, min(timeout, INT32_MAX / 1000) * 1000) : 1;
	if (n == 0)
		(void)kill(pid, SIGKILL);
	(void)close(p.fd);
	while (waitpid(pid, &code, 0) < 0 && errno == EINTR)
		continue;
	if (n == 0)
		return err_set(err, 0, "hooks.%s: %s did not end within %d s", when, path, timeout);
	if (WIFSIGNALED(code))
		return err_set(err, 0, "hooks.%s: %s was killed by signal %d", when, path, WTERMSIG(code));
	if (WEXITSTATUS(code) != 0)
		return err_set(err, 0, "hooks.%s: %s failed with status %d", when, path, WEXITSTATUS(code));
	return 0;
}

int
hooks_run(struct state *s, const char *when, const char *status, struct err *err)
{
	json_t *list = json_object_get(json_object_get(s->j, "hooks"), when), *hook;
	size_t i;

	json_array_foreach(list, i, hook) {
		int e = run_one(s, hook, when, status, err);

		if (e)
			return e;
	}
	return 0;
}
