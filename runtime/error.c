/*
 * error: sentences for people on stderr, and for engines in the log file.
 *
 * Engines start the runtime with --log FILE --log-format json and look there for the reason of a
 * failure; a line is {"level":"error","msg":"...","time":"..."} as runc writes it.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/json.h"
#include "runtime/runtime.h"

int
err_set(struct err *err, int e, const char *fmt, ...)
{
	struct strbuf sb = STRBUF(err->text, sizeof err->text);
	va_list ap;

	err->exit = 1;
	va_start(ap, fmt);
	sb_vprintf(&sb, fmt, ap);
	va_end(ap);
	if (e != 0) {
		const char *s = strerror(e);

		/* Engines look for these words in lower case. */
		sb_puts(&sb, ": ");
		if (s[0] >= 'A' && s[0] <= 'Z' && !(s[1] >= 'A' && s[1] <= 'Z')) {
			sb_putc(&sb, (char)(s[0] - 'A' + 'a'));
			s++;
		}
		sb_puts(&sb, s);
	}
	return e ? -e : -EINVAL;
}

static void
write_log(const char *level, const char *msg)
{
	char line[2048], when[64];
	struct strbuf sb = STRBUF(line, sizeof line);
	time_t now = time(NULL);
	struct tm tm;
	AUTO_CLOSE int fd = -1;

	if (rt.log == NULL || *rt.log == '\0')
		return;
	fd = open(rt.log, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644);
	if (fd < 0)
		return;
	gmtime_r(&now, &tm);
	strftime(when, sizeof when, "%Y-%m-%dT%H:%M:%SZ", &tm);
	if (rt.log_format && strcmp(rt.log_format, "json") == 0) {
		sb_printf(&sb, "{\"level\":\"%s\",\"msg\":", level);
		sb_json(&sb, msg);
		sb_printf(&sb, ",\"time\":\"%s\"}\n", when);
	} else {
		sb_printf(&sb, "time=\"%s\" level=%s msg=", when, level);
		sb_json(&sb, msg);
		sb_putc(&sb, '\n');
	}
	if (write(fd, line, sb.len) < 0)
		return;
}

void
text_clean(char *text)
{
	for (unsigned char *s = (unsigned char *)text; *s; s++) {
		if ((*s < 0x20 && *s != '\n' && *s != '\t') || *s == 0x7f)
			*s = '?';
		/* The second set of them, as UTF-8. */
		if (s[0] == 0xc2 && s[1] >= 0x80 && s[1] < 0xa0)
			s[0] = s[1] = '?';
	}
}

int
err_report(const struct err *err)
{
	char text[sizeof err->text];

	memcpy(text, err->text, sizeof text);
	text_clean(text);
	fflush(stdout);
	fprintf(stderr, "village: %s\n", text);
	write_log("error", err->text);
	return err->exit ? err->exit : 1;
}

void
warn_report(const char *fmt, ...)
{
	char text[1024];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	/* Engines mix stderr with the container's own: only people who asked see it there. */
	if (rt.debug)
		fprintf(stderr, "village: warning: %s\n", text);
	write_log("warning", text);
}

int
fail(const char *fmt, ...)
{
	struct err err = { .exit = 1 };
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(err.text, sizeof err.text, fmt, ap);
	va_end(ap);
	return err_report(&err);
}

/* ---- memory and files ----------------------------------------------------------- */

static void *
need(void *p)
{
	if (p == NULL) {
		fputs("village: out of memory\n", stderr);
		exit(1);
	}
	return p;
}

void *
xcalloc(size_t n, size_t size)
{
	return need(calloc(n ? n : 1, size));
}

char *
xstrdup(const char *s)
{
	return need(strdup(s));
}

char *
xasprintf(const char *fmt, ...)
{
	char *s = NULL;
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vasprintf(&s, fmt, ap);
	va_end(ap);
	return need(n < 0 ? NULL : s);
}

int
text_read(int dirfd, const char *path, size_t limit, char **out, size_t *len)
{
	AUTO_CLOSE int fd = openat(dirfd, path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	size_t cap = 4096, n = 0;
	char *buf;

	if (fd < 0)
		return -errno;
	buf = xcalloc(cap + 1, 1);
	for (;;) {
		ssize_t got = read(fd, buf + n, cap - n);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0 || n > limit) {
			int e = got < 0 ? errno : EFBIG;

			free(buf);
			return -e;
		}
		if (got == 0)
			break;
		n += (size_t)got;
		if (n == cap) {
			cap *= 2;
			buf = need(realloc(buf, cap + 1));
		}
	}
	buf[n] = '\0';
	*out = buf;
	if (len)
		*len = n;
	return 0;
}

int
text_write(int dirfd, const char *path, const char *text, size_t len, unsigned mode)
{
	char *tmp = xasprintf("%s.tmp%d", path, (int)getpid());
	int fd, err = 0;
	size_t done = 0;

	/* In a directory of many somebody may have guessed the name: what he has put there is not written to. */
	(void)unlinkat(dirfd, tmp, 0);
	fd = openat(dirfd, tmp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode);
	if (fd < 0) {
		err = -errno;
		free(tmp);
		return err;
	}
	while (!err && done < len) {
		ssize_t n = write(fd, text + done, len - done);

		if (n < 0 && errno != EINTR)
			err = -errno;
		else if (n > 0)
			done += (size_t)n;
	}
	if (close(fd) != 0 && !err)
		err = -errno;
	if (!err && renameat(dirfd, tmp, dirfd, path) != 0)
		err = -errno;
	if (err)
		(void)unlinkat(dirfd, tmp, 0);
	free(tmp);
	return err;
}
