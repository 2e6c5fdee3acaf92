/* specmount: mounts of the container; see specmount.h and mount(8) for the words. */
#include "runtime/specmount.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>

static const struct {
	const char	*word;
	uint64_t	set, clear;
	bool		bind;
} words[] = {
	{ "defaults", 0, 0, false },
	{ "bind", 0, 0, true }, { "rbind", 0, 0, true },
	{ "ro", MS_RDONLY, 0, false }, { "rro", MS_RDONLY, 0, false },
	{ "rw", 0, MS_RDONLY, false }, { "rrw", 0, MS_RDONLY, false },
	{ "nosuid", MS_NOSUID, 0, false }, { "suid", 0, MS_NOSUID, false },
	{ "rnosuid", MS_NOSUID, 0, false }, { "rsuid", 0, MS_NOSUID, false },
	{ "nodev", MS_NODEV, 0, false }, { "dev", 0, MS_NODEV, false },
	{ "rnodev", MS_NODEV, 0, false }, { "rdev", 0, MS_NODEV, false },
	{ "noexec", MS_NOEXEC, 0, false }, { "exec", 0, MS_NOEXEC, false },
	{ "rnoexec", MS_NOEXEC, 0, false }, { "rexec", 0, MS_NOEXEC, false },
	{ "sync", MS_SYNCHRONOUS, 0, false }, { "async", 0, MS_SYNCHRONOUS, false },
	{ "dirsync", MS_DIRSYNC, 0, false }, { "mand", 0, 0, false }, { "nomand", 0, 0, false },
	{ "noatime", MS_NOATIME, 0, false }, { "atime", 0, MS_NOATIME, false },
	{ "nodiratime", MS_NODIRATIME, 0, false }, { "diratime", 0, MS_NODIRATIME, false },
	{ "relatime", MS_RELATIME, 0, false }, { "norelatime", 0, MS_RELATIME, false },
	{ "strictatime", MS_STRICTATIME, 0, false }, { "nostrictatime", 0, MS_STRICTATIME, false },
	{ "iversion", 0, 0, false }, { "noiversion", 0, 0, false },
	{ "silent", 0, 0, false }, { "loud", 0, 0, false },
	/* Where mounts spread to: nothing spreads out of a sandbox. */
	{ "private", 0, 0, false }, { "rprivate", 0, 0, false }, { "shared", 0, 0, false },
	{ "rshared", 0, 0, false }, { "slave", 0, 0, false }, { "rslave", 0, 0, false },
	{ "unbindable", 0, 0, false }, { "runbindable", 0, 0, false },
	/* Wishes of engines that need nothing here. */
	{ "tmpcopyup", 0, 0, false }, { "copy-symlink", 0, 0, false }, { "nocopy", 0, 0, false },
	{ "z", 0, 0, false }, { "Z", 0, 0, false }, { "U", 0, 0, false },
};

bool
specmount_options(struct jread *r, const json_t *options, const char *at, uint64_t *flags, char **data)
{
	struct strbuf sb;
	json_t *v;
	bool bind = false;
	size_t i, room = 1;

	json_array_foreach(options, i, v)
		room += json_string_length(v) + 1;
	*data = xcalloc(room, 1);
	sb_init(&sb, *data, room);
	*flags = 0;
	json_array_foreach(options, i, v) {
		const char *word = json_string_value(v);
		size_t w = 0;

		if (strchr(word, ',') && strncmp(word, "context=", 8) != 0) {
			jread_fail(r, "%s.options[%zu]: one option a string", at, i);
			return bind;
		}
		while (w < ARRAY_LEN(words) && strcmp(words[w].word, word) != 0)
			w++;
		if (w < ARRAY_LEN(words)) {
			*flags = (*flags & ~words[w].clear) | words[w].set;
			bind |= words[w].bind;
			continue;
		}
		if (sb.len)
			sb_putc(&sb, ',');
		sb_puts(&sb, word);
	}
	return bind;
}

void
spec_add_mount(struct launch *l, const char *type, const char *dest, const char *source, const char *options,
    uint64_t flags)
{
	json_t *m = json_pack("{s:o,s:o,s:o,s:I}", "type", json_bytes(type), "dest", json_bytes(dest),
	    "source", json_bytes(source ? source : type),
	    "flags", (json_int_t)flags);

	if (options && *options)
		json_object_set_new(m, "options", json_bytes(options));
	json_array_append_new(json_object_get(l->boot, "mounts"), m);
}

void
spec_add_gofer(struct launch *l, const char *source, const char *dest, uint64_t flags, bool shared, bool is_file)
{
	json_t *m = json_pack("{s:s,s:o,s:o,s:I,s:i,s:b,s:b}", "type", "gofer", "dest", json_bytes(dest),
	    "source", json_bytes(source),
	    "flags", (json_int_t)flags, "index", (int)l->nmounts, "shared", (int)shared, "is_file",
	    (int)is_file);

	json_array_append_new(json_object_get(l->boot, "mounts"), m);
	launch_mount_add(l, source, flags & MS_RDONLY);
}

static void
convert_bind(struct jread *r, const char *at, const char *source, const char *dest, const char *bundle,
    uint64_t flags, struct launch *l)
{
	char *from;
	struct stat st;

	if (source == NULL || *source == '\0') {
		jread_fail(r, "%s.source: is missing", at);
		return;
	}
	from = *source == '/' ? xstrdup(source) : xasprintf("%s/%s", bundle, source);
	if (stat(from, &st) != 0)
		jread_fail(r, "%s.source: %s: %s", at, from,
		    errno == ENOENT ? "no such file or directory" : strerror(errno));
	else if (l->nmounts >= 256)
		jread_fail(r, "%s: too many bind mounts", at);
	else
		spec_add_gofer(l, from, dest, flags, true, !S_ISDIR(st.st_mode));
	free(from);
}

static void
convert_one(struct jread *r, const json_t *m, const char *at, const char *bundle, struct launch *l)
{
	const char *type = jget_str(r, m, at, "type"), *source = jget_str(r, m, at, "source");
	const char *dest = jget_str(r, m, at, "destination");
	json_t *options = jget_strs(r, m, at, "options");
	char *data = NULL, *full;
	uint64_t flags = 0;
	bool bind;

	if (dest == NULL || *dest == '\0') {
		jread_fail(r, "%s.destination: is missing", at);
		return;
	}
	full = *dest == '/' ? xstrdup(dest) : xasprintf("/%s", dest);
	bind = specmount_options(r, options, at, &flags, &data);
	if (r->failed)
		;
	else if (bind || (type && (strcmp(type, "bind") == 0 || strcmp(type, "rbind") == 0)))
		convert_bind(r, at, source, full, bundle, flags, l);
	else if (type == NULL || *type == '\0')
		jread_fail(r, "%s.type: is missing", at);
	else
		spec_add_mount(l, type, full, source, data, flags);
	free(full);
	free(data);
}

void
specmount_convert(struct jread *r, const json_t *config, const char *bundle, struct launch *l)
{
	json_t *a = jget(r, config, "", "mounts", JSON_ARRAY), *m;
	size_t i;

	json_array_foreach(a, i, m) {
		char at[32];

		(void)snprintf(at, sizeof at, "mounts[%zu]", i);
		if (!json_is_object(m))
			jread_fail(r, "%s: must be an object", at);
		if (r->failed)
			return;
		convert_one(r, m, at, bundle, l);
	}
}
