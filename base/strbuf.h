/*
 * strbuf: a bounded text builder over memory the caller owns.
 *
 * Never overflows: what does not fit is cut, and `cut` says so.  Always
 * NUL-terminated when cap > 0.
 */
#ifndef BASE_STRBUF_H
#define BASE_STRBUF_H

#include "base/base.h"

struct strbuf {
	char	*buf;
	size_t	 len, cap;
	bool	 cut;
};

#define STRBUF(b, size)	{ .buf = (b), .len = 0, .cap = (size), .cut = false }

void sb_init(struct strbuf *sb, char *buf, size_t cap);
void sb_putc(struct strbuf *sb, char c);
void sb_puts(struct strbuf *sb, const char *s);
void sb_put(struct strbuf *sb, const char *s, size_t n);
void sb_printf(struct strbuf *sb, const char *fmt, ...) PRINTF(2, 3);
void sb_vprintf(struct strbuf *sb, const char *fmt, va_list ap);
/* C-escaped and quoted, at most max bytes of s, "..." after a cut. */
void sb_quote(struct strbuf *sb, const char *s, size_t n, size_t max);

#endif
