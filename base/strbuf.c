/* strbuf: bounded text; see strbuf.h. */
#include "base/strbuf.h"

#include <stdio.h>
#include <string.h>

void
sb_init(struct strbuf *sb, char *buf, size_t cap)
{
	*sb = (struct strbuf)STRBUF(buf, cap);
	if (cap != 0)
		buf[0] = '\0';
}

void
sb_put(struct strbuf *sb, const char *s, size_t n)
{
	size_t room;

	if (sb->cap == 0) {
		sb->cut |= n != 0;
		return;
	}
	room = sb->cap - 1 - sb->len;
	if (n > room) {
		n = room;
		sb->cut = true;
	}
	memcpy(sb->buf + sb->len, s, n);
	sb->len += n;
	sb->buf[sb->len] = '\0';
}

void
sb_putc(struct strbuf *sb, char c)
{
	sb_put(sb, &c, 1);
}

void
sb_puts(struct strbuf *sb, const char *s)
{
	sb_put(sb, s, strlen(s));
}

void
sb_vprintf(struct strbuf *sb, const char *fmt, va_list ap)
{
	size_t room = sb->cap - sb->len;
	int n = vsnprintf(sb->cap ? sb->buf + sb->len : NULL, room, fmt, ap);

	if (n < 0)
		return;
	if ((size_t)n >= room) {
		sb->cut = true;
		n = room ? (int)room - 1 : 0;
	}
	sb->len += (size_t)n;
}

void
sb_printf(struct strbuf *sb, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	sb_vprintf(sb, fmt, ap);
	va_end(ap);
}

void
sb_quote(struct strbuf *sb, const char *s, size_t n, size_t limit)
{
	static const char hex[] = "0123456789abcdef";
	size_t i;

	sb_putc(sb, '"');
	for (i = 0; i < n && i < limit; i++) {
		unsigned char c = (unsigned char)s[i];

		switch (c) {
		case '\n': sb_puts(sb, "\\n"); break;
		case '\t': sb_puts(sb, "\\t"); break;
		case '\r': sb_puts(sb, "\\r"); break;
		case '"': sb_puts(sb, "\\\""); break;
		case '\\': sb_puts(sb, "\\\\"); break;
		default:
			if (c >= 0x20 && c < 0x7f) {
				sb_putc(sb, (char)c);
			} else {
				char e[4] = { '\\', 'x', hex[c >> 4], hex[c & 15] };

				sb_put(sb, e, 4);
			}
		}
	}
	sb_puts(sb, i < n ? "\"..." : "\"");
}
