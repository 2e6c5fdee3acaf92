/*
 * tty_ldisc: the line discipline N_TTY: input editing, echo, signals, output
 * processing.  termios(3).
 */
#include <signal.h>
#include <string.h>

#include "fs/tty_core.h"

#define I_FLAG(tty, f)	(((tty)->termios.c_iflag & (f)) != 0)
#define O_FLAG(tty, f)	(((tty)->termios.c_oflag & (f)) != 0)
#define L_FLAG(tty, f)	(((tty)->termios.c_lflag & (f)) != 0)
#define CC(tty, n)	((tty)->termios.c_cc[n])
#define DISABLED	0	/* _POSIX_VDISABLE */

static bool
is_cc(const struct tty *tty, uint8_t c, int n)
{
	return CC(tty, n) != DISABLED && CC(tty, n) == c;
}

/* ---- output ------------------------------------------------------------------- */

static bool
out_put(struct tty *tty, uint8_t c)
{
	if (tty->out_len == TTY_OUT_SIZE)
		return false;
	tty->out[(tty->out_head + tty->out_len++) % TTY_OUT_SIZE] = c;
	return true;
}

/* One byte through OPOST; false when there is no room for all that it becomes. */
static bool
out_process(struct tty *tty, uint8_t c)
{
	if (TTY_OUT_SIZE - tty->out_len < 8)
		return false;
	if (!O_FLAG(tty, OPOST))
		return out_put(tty, c);
	switch (c) {
	case '\n':
		if (O_FLAG(tty, ONLRET) || O_FLAG(tty, ONLCR))
			tty->column = 0;
		if (O_FLAG(tty, ONLCR))
			out_put(tty, '\r');
		break;
	case '\r':
		if (O_FLAG(tty, ONOCR) && tty->column == 0)
			return true;
		if (O_FLAG(tty, OCRNL)) {
			c = '\n';
			if (O_FLAG(tty, ONLRET))
				tty->column = 0;
			break;
		}
		tty->column = 0;
		break;
	case '\t': {
		uint32_t spaces = 8 - (tty->column & 7);

		tty->column += spaces;
		if ((tty->termios.c_oflag & TABDLY) == XTABS) {
			while (spaces-- > 0)
				out_put(tty, ' ');
			return true;
		}
		break;
	}
	case '\b':
		if (tty->column > 0)
			tty->column--;
		break;
	default:
		if (O_FLAG(tty, OLCUC) && c >= 'a' && c <= 'z')
			c = (uint8_t)(c - 'a' + 'A');
		/* A continuation byte of UTF-8 does not move the cursor. */
		if (c >= 0x20 && c != 0x7f && !(I_FLAG(tty, IUTF8) && (c & 0xc0) == 0x80))
			tty->column++;
	}
	return out_put(tty, c);
}

size_t
tty_output_locked(struct tty *tty, const uint8_t *buf, size_t len)
{
	size_t n;

	if (tty->stopped)
		return 0;
	for (n = 0; n < len && out_process(tty, buf[n]); n++)
		;
	return n;
}

size_t
tty_take_output_locked(struct tty *tty, uint8_t *buf, size_t cap)
{
	size_t n = min((size_t)tty->out_len, cap);

	for (size_t i = 0; i < n; i++)
		buf[i] = tty->out[(tty->out_head + i) % TTY_OUT_SIZE];
	tty->out_head = (uint32_t)((tty->out_head + n) % TTY_OUT_SIZE);
	tty->out_len -= (uint32_t)n;
	return n;
}

/* ---- echo ----------------------------------------------------------------------- */

static bool
shows_as_caret(const struct tty *tty, uint8_t c)
{
	return L_FLAG(tty, ECHOCTL) && (c < 0x20 || c == 0x7f) && c != '\t' && c != '\n';
}

static void
echo(struct tty *tty, uint8_t c)
{
	if (!L_FLAG(tty, ECHO) && !(c == '\n' && L_FLAG(tty, ECHONL) && L_FLAG(tty, ICANON)))
		return;
	if (shows_as_caret(tty, c)) {
		out_process(tty, '^');
		out_process(tty, c ^ 0x40);
	} else {
		out_process(tty, c);
	}
}

/* ---- the input ring --------------------------------------------------------------- */

static uint16_t *
in_cell(struct tty *tty, uint32_t n)
{
	return &tty->in[(tty->in_head + n) % TTY_IN_SIZE];
}

static bool
in_put(struct tty *tty, uint16_t cell)
{
	/* One cell stays free for the character that ends the line, so that a full line can still be finished. */
	if (tty->in_len >= TTY_IN_SIZE - ((cell & (IN_EOL | IN_EOF)) ? 0U : 1U))
		return false;
	*in_cell(tty, tty->in_len++) = cell;
	if (!L_FLAG(tty, ICANON) || (cell & (IN_EOL | IN_EOF)))
		tty->in_ready = tty->in_len;
	return true;
}

uint32_t
tty_readable_locked(const struct tty *tty)
{
	return L_FLAG(tty, ICANON) ? tty->in_ready : tty->in_len;
}

size_t
tty_take_input_locked(struct tty *tty, uint8_t *buf, size_t cap, bool *eof)
{
	uint32_t avail = tty_readable_locked(tty);
	size_t n = 0;

	*eof = false;
	while (n < cap && avail > 0) {
		uint16_t cell = *in_cell(tty, 0);

		tty->in_head = (tty->in_head + 1) % TTY_IN_SIZE;
		tty->in_len--;
		if (tty->in_ready > 0)
			tty->in_ready--;
		avail--;
		if (cell & IN_EOF) {
			*eof = n == 0;
			break;
		}
		buf[n++] = (uint8_t)cell;
		if (L_FLAG(tty, ICANON) && (cell & IN_EOL))
			break;
	}
	/* A read that took all before an end-of-file mark has consumed the mark as well. */
	if (n == cap && n > 0 && avail > 0 && L_FLAG(tty, ICANON) && (*in_cell(tty, 0) & IN_EOF)) {
		tty->in_head = (tty->in_head + 1) % TTY_IN_SIZE;
		tty->in_len--;
		tty->in_ready--;
	}
	return n;
}

void
tty_flush_input_locked(struct tty *tty)
{
	tty->in_head = tty->in_len = tty->in_ready = 0;
	tty->literal_next = false;
	if (tty->packet)
		tty->packet_status |= TIOCPKT_FLUSHREAD;
}

void
tty_flush_output_locked(struct tty *tty)
{
	tty->out_head = tty->out_len = 0;
	if (tty->packet)
		tty->packet_status |= TIOCPKT_FLUSHWRITE;
}

void
tty_set_termios_locked(struct tty *tty, const struct termios *tio)
{
	bool was_canonical = L_FLAG(tty, ICANON);

	tty->termios = *tio;
	if (was_canonical != L_FLAG(tty, ICANON)) {
		/* Into raw: the unfinished line can be read.  Into canonical: what is there counts as a line. */
		tty->in_ready = tty->in_len;
		if (L_FLAG(tty, ICANON) && tty->in_len > 0)
			*in_cell(tty, tty->in_len - 1) |= IN_EOL;
		tty->literal_next = false;
	}
	if (!I_FLAG(tty, IXON) && tty->stopped)
		tty->stopped = false;
}

/* ---- editing ------------------------------------------------------------------------ */

/* The unfinished line's length in cells. */
static uint32_t
line_len(const struct tty *tty)
{
	return tty->in_len - tty->in_ready;
}

static uint32_t
width_of(const struct tty *tty, uint8_t c)
{
	if (shows_as_caret(tty, c))
		return 2;
	if (c < 0x20 || c == 0x7f || (I_FLAG(tty, IUTF8) && (c & 0xc0) == 0x80))
		return 0;
	return 1;
}

static void
erase_columns(struct tty *tty, uint32_t n)
{
	while (n-- > 0) {
		out_process(tty, '\b');
		out_process(tty, ' ');
		out_process(tty, '\b');
	}
}

/* The column after the line as it now stands, counted from where the line began. */
static uint32_t
column_of_line(const struct tty *tty)
{
	uint32_t col = tty->line_column;

	for (uint32_t i = tty->in_ready; i < tty->in_len; i++) {
		uint8_t c = (uint8_t)tty->in[(tty->in_head + i) % TTY_IN_SIZE];

		if (c == '\t')
			col += 8 - (col & 7);
		else
			col += width_of(tty, c);
	}
	return col;
}

/* Drops the last character (all of its UTF-8 bytes) and returns its first byte. */
static uint8_t
drop_char(struct tty *tty)
{
	uint8_t c;

	do {
		c = (uint8_t)*in_cell(tty, --tty->in_len);
	} while (I_FLAG(tty, IUTF8) && (c & 0xc0) == 0x80 && line_len(tty) > 0);
	return c;
}

static void
erase_char(struct tty *tty)
{
	uint8_t c;

	if (line_len(tty) == 0)
		return;
	c = drop_char(tty);
	if (!L_FLAG(tty, ECHO))
		return;
	if (!L_FLAG(tty, ECHOE)) {
		echo(tty, CC(tty, VERASE));
	} else if (c == '\t') {
		/* By the tab's own width: without OPOST, or room for output, the cursor's column stays where it is. */
		for (uint32_t n = 8 - (column_of_line(tty) & 7); n > 0; n--)
			out_process(tty, '\b');
	} else {
		/* A character of several bytes still fills one column. */
		erase_columns(tty, (c & 0x80) ? 1 : width_of(tty, c));
	}
}

static bool
is_word(uint8_t c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c >= 0x80;
}

static void
erase_word(struct tty *tty)
{
	bool seen = false;

	while (line_len(tty) > 0) {
		uint8_t c = (uint8_t)*in_cell(tty, tty->in_len - 1);

		if (is_word(c))
			seen = true;
		else if (seen)
			break;
		erase_char(tty);
	}
}

static void
kill_line(struct tty *tty)
{
	if (L_FLAG(tty, ECHO) && !(L_FLAG(tty, ECHOK) && L_FLAG(tty, ECHOKE) && L_FLAG(tty, ECHOE))) {
		tty->in_len = tty->in_ready;
		echo(tty, CC(tty, VKILL));
		if (L_FLAG(tty, ECHOK))
			out_process(tty, '\n');
		return;
	}
	while (line_len(tty) > 0)
		erase_char(tty);
}

static void
reprint(struct tty *tty)
{
	echo(tty, CC(tty, VREPRINT));
	out_process(tty, '\n');
	tty->line_column = 0;
	for (uint32_t i = tty->in_ready; i < tty->in_len; i++)
		echo(tty, (uint8_t)*in_cell(tty, i));
}

/* ---- one byte in -------------------------------------------------------------------- */

/* Editing characters of canonical mode: true when c was one. */
static bool
edit(struct tty *tty, uint8_t c)
{
	bool ext = L_FLAG(tty, IEXTEN);

	if (is_cc(tty, c, VERASE)) {
		erase_char(tty);
	} else if (ext && is_cc(tty, c, VWERASE)) {
		erase_word(tty);
	} else if (is_cc(tty, c, VKILL)) {
		kill_line(tty);
	} else if (ext && L_FLAG(tty, ECHO) && is_cc(tty, c, VREPRINT)) {
		reprint(tty);
	} else if (is_cc(tty, c, VEOF)) {
		in_put(tty, IN_EOF);
	} else {
		return false;
	}
	return true;
}

/* The signal that c asks for, or 0. */
static int
signal_char(struct tty *tty, uint8_t c)
{
	if (!L_FLAG(tty, ISIG))
		return 0;
	if (is_cc(tty, c, VINTR))
		return SIGINT;
	if (is_cc(tty, c, VQUIT))
		return SIGQUIT;
	if (is_cc(tty, c, VSUSP))
		return SIGTSTP;
	return 0;
}

/* Takes one byte; *signo is what to raise. False when there is no room. */
static bool
receive(struct tty *tty, uint8_t c, int *signo)
{
	bool literal = tty->literal_next;
	uint16_t cell;

	*signo = 0;
	tty->literal_next = false;
	if (I_FLAG(tty, ISTRIP))
		c &= 0x7f;
	if (!literal) {
		if (I_FLAG(tty, IXON) && is_cc(tty, c, VSTOP)) {
			tty->stopped = true;
			return true;
		}
		if (I_FLAG(tty, IXON) && (is_cc(tty, c, VSTART) || (tty->stopped && I_FLAG(tty, IXANY)))) {
			tty->stopped = false;
			if (is_cc(tty, c, VSTART))
				return true;
		}
		*signo = signal_char(tty, c);
		if (*signo != 0) {
			if (!L_FLAG(tty, NOFLSH)) {
				tty_flush_input_locked(tty);
				tty->out_head = tty->out_len = 0;
			}
			tty->stopped = false;
			echo(tty, c);
			return true;
		}
		if (c == '\r') {
			if (I_FLAG(tty, IGNCR))
				return true;
			if (I_FLAG(tty, ICRNL))
				c = '\n';
		} else if (c == '\n' && I_FLAG(tty, INLCR)) {
			c = '\r';
		}
		if (L_FLAG(tty, ICANON) && L_FLAG(tty, IEXTEN) && is_cc(tty, c, VLNEXT)) {
			tty->literal_next = true;
			if (L_FLAG(tty, ECHO) && L_FLAG(tty, ECHOCTL)) {
				out_process(tty, '^');
				out_process(tty, '\b');
			}
			return true;
		}
		if (line_len(tty) == 0)
			tty->line_column = tty->column;
		if (L_FLAG(tty, ICANON) && edit(tty, c))
			return true;
	}
	cell = c;
	if (L_FLAG(tty, ICANON) && !literal && (c == '\n' || is_cc(tty, c, VEOL) ||
	    (L_FLAG(tty, IEXTEN) && is_cc(tty, c, VEOL2))))
		cell |= IN_EOL;
	if (!in_put(tty, cell)) {
		/* A full line takes no more; the user hears it. In raw mode the far end waits instead. */
		if (!L_FLAG(tty, ICANON))
			return false;
		if (I_FLAG(tty, IMAXBEL))
			out_put(tty, '\a');
		return true;
	}
	echo(tty, c);
	return true;
}

size_t
tty_input(struct tty *tty, const uint8_t *buf, size_t len)
{
	size_t n = 0;

	while (n < len) {
		int signo = 0;
		bool taken = true;

		mutex_lock(&tty->mu);
		while (n < len && signo == 0 && (taken = receive(tty, buf[n], &signo)))
			n++;
		mutex_unlock(&tty->mu);
		tty_wake(tty);
		if (signo != 0)
			tty_signal_foreground(tty, signo);
		if (!taken)
			break;
	}
	return n;
}
