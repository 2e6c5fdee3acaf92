/*
 * users: see users.h.
 *
 * The files belong to the guest: they are opened below the root only, read up to a limit, and
 * malformed lines are passed over as the C library does.
 */
#include "runtime/users.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define FILE_LIMIT	(4u << 20)

static bool
number(const char *s, uint32_t *out)
{
	char *end;
	unsigned long long n;

	if (*s < '0' || *s > '9')
		return false;
	errno = 0;
	n = strtoull(s, &end, 10);
	if (*end != '\0' || errno != 0 || n > UINT32_MAX)
		return false;
	*out = (uint32_t)n;
	return true;
}

/* Cuts one line into at most n fields at colons, in place; returns how many there are. */
static unsigned
split(char *line, char **field, unsigned n)
{
	unsigned got = 0;

	while (got < n) {
		field[got++] = line;
		line = strchr(line, ':');
		if (line == NULL)
			break;
		*line++ = '\0';
	}
	return got;
}

/* Calls fn for each line's fields until it returns true. */
static bool
each_line(const char *text, unsigned want, bool (*fn)(char **field, void *arg), void *arg)
{
	char *copy, *line, *next;
	bool found = false;

	if (text == NULL)
		return false;
	copy = xstrdup(text);
	for (line = copy; line && *line && !found; line = next) {
		char *field[7];

		next = strchr(line, '\n');
		if (next)
			*next++ = '\0';
		if (split(line, field, want) == want)
			found = fn(field, arg);
	}
	free(copy);
	return found;
}

struct search {
	const char	*name;		/* NULL: by id */
	uint32_t	id;
	struct user	*out;
};

static bool
match_user(char **f, void *arg)
{
	struct search *s = arg;
	uint32_t uid, gid;

	if (!number(f[2], &uid) || !number(f[3], &gid))
		return false;
	if (s->name ? strcmp(f[0], s->name) != 0 : uid != s->id)
		return false;
	s->out->uid = uid;
	s->out->gid = gid;
	s->out->home = xstrdup(f[5]);
	s->out->name = xstrdup(f[0]);
	return true;
}

static bool
match_group(char **f, void *arg)
{
	struct search *s = arg;

	return strcmp(f[0], s->name) == 0 && number(f[2], &s->out->gid);
}

static bool
collect_group(char **f, void *arg)
{
	struct user *u = ((struct search *)arg)->out;
	const char *name = ((struct search *)arg)->name;
	size_t len = strlen(name);
	uint32_t gid;

	if (!number(f[2], &gid) || u->ngroups == ARRAY_LEN(u->groups))
		return false;
	for (const char *m = f[3]; m; m = strchr(m, ',')) {
		m += *m == ',';
		if (strncmp(m, name, len) == 0 && (m[len] == ',' || m[len] == '\0')) {
			u->groups[u->ngroups++] = gid;
			break;
		}
	}
	return false;
}

int
user_parse(const char *passwd, const char *group, const char *text, struct user *out, struct err *err)
{
	char *user = xstrdup(text), *grp = strchr(user, ':');
	struct search s = { .out = out };
	bool known;
	int e = 0;

	memset(out, 0, sizeof *out);
	if (grp)
		*grp++ = '\0';
	if (number(user, &s.id))
		out->uid = s.id;
	else
		s.name = user;
	known = each_line(passwd, 7, match_user, &s);
	if (!known && s.name) {
		e = err_set(err, 0, "unable to find user %s: no matching entries in passwd file", user);
	} else if (grp == NULL) {
		s.name = out->name;
		if (s.name)
			(void)each_line(group, 4, collect_group, &s);
	} else if (!number(grp, &out->gid)) {
		s.name = grp;
		if (!each_line(group, 4, match_group, &s))
			e = err_set(err, 0, "unable to find group %s: no matching entries in group file",
			    grp);
	}
	free(user);
	return e;
}

/* NULL when it is not there. */
static char *
read_inside(int root, const char *path)
{
	struct open_how how = { .flags = O_PATH | O_CLOEXEC,
		.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS };
	AUTO_CLOSE int fd = (int)syscall(SYS_openat2, root, path, &how, sizeof how);
	struct stat st;
	char *text = NULL, *self;

	/* A FIFO or device put there must not hang or fool us, nor be opened: some devices act on that alone. */
	if (fd < 0 || fstat(fd, &st) != 0 || !S_ISREG(st.st_mode))
		return NULL;
	self = xasprintf("/proc/self/fd/%d", fd);
	if (text_read(AT_FDCWD, self, FILE_LIMIT, &text, NULL) != 0)
		text = NULL;
	free(self);
	return text;
}

int
user_find(const char *rootfs, const char *text, struct user *out, struct err *err)
{
	AUTO_CLOSE int root = open(rootfs, O_PATH | O_DIRECTORY | O_CLOEXEC);
	char *passwd, *group;
	int e;

	if (root < 0)
		return err_set(err, errno, "%s", rootfs);
	passwd = read_inside(root, "etc/passwd");
	group = read_inside(root, "etc/group");
	e = user_parse(passwd, group, text, out, err);
	free(passwd);
	free(group);
	return e;
}
