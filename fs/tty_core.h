/*
 * tty_core: the terminal object that the tty files share; others use tty.h.
 *
 * A terminal has two ends.  The slave is what programs open; the far end is a master descriptor (a
 * pseudo-terminal) or a host descriptor (tty_host.c).  Bytes from the far end go through the line discipline into
 * `in`; bytes programs write, and echoes, go through output processing into `out`.
 */
#ifndef FS_TTY_CORE_H
#define FS_TTY_CORE_H

#include <asm/ioctls.h>
#include <asm/termbits.h>
#include <linux/tty.h>

#include "base/lock.h"
#include "base/ref.h"
#include "fs/tty.h"
#include "sentry/kernel/wait.h"

struct winsize_abi { uint16_t rows, cols, xpixel, ypixel; };

#define TTY_IN_SIZE	4096	/* as Linux's N_TTY_BUF_SIZE */
#define TTY_OUT_SIZE	16384

enum { IN_EOL = 0x100, IN_EOF = 0x200 };	/* flags of an input cell: ends a line; ends one without being part of it */

struct tty_host;

struct tty {
	struct ref	 ref;
	struct mutex	 mu;		/* rank object; all below but [T] */
	int32_t		 index;		/* [I] /dev/pts/N; -1 for the console of a host descriptor */
	struct termios	 termios;	/* the kernel's, 36 bytes */
	struct winsize_abi winsize;
	uint16_t	 in[TTY_IN_SIZE];	/* ring of cells */
	uint32_t	 in_head, in_len;	/* first cell, cells */
	uint32_t	 in_ready;	/* cells up to the last IN_EOL/IN_EOF: readable in canonical mode */
	uint8_t		 out[TTY_OUT_SIZE];	/* ring */
	uint32_t	 out_head, out_len;
	uint32_t	 column;	/* of the cursor, for tabs and erasing */
	uint32_t	 line_column;	/* where the line being edited began */
	bool		 literal_next, stopped;	/* after VLNEXT; by VSTOP or TCOOFF */
	bool		 locked;	/* TIOCSPTLCK */
	bool		 packet;	/* TIOCPKT */
	uint8_t		 packet_status;	/* TIOCPKT_* not yet read */
	bool		 master_closed, slave_opened, exclusive;
	uint32_t	 slaves;	/* open slave files */
	struct waitq	 slave_wq, master_wq;
	struct tty_host	*host;		/* [I] far end on the host, or NULL */
	struct session	*session;	/* [T] borrowed: the session counts the tty */
};

struct tty *tty_new(int32_t index);			/* NULL when out of memory */
/* Bytes from the far end: how many were taken (the buffer may be full). Signals what they ask for. */
size_t tty_input(struct tty *tty, const uint8_t *buf, size_t len);
/* Bytes from a program through OPOST into out: how many were taken. mu held. */
size_t tty_output_locked(struct tty *tty, const uint8_t *buf, size_t len);
/* Takes up to cap bytes of out. mu held. */
size_t tty_take_output_locked(struct tty *tty, uint8_t *buf, size_t cap);
/* Bytes a slave read may take now. mu held. */
uint32_t tty_readable_locked(const struct tty *tty);
/* Up to cap bytes for a reader, a line at most in canonical mode; *eof: the read ends here with 0. mu held. */
size_t tty_take_input_locked(struct tty *tty, uint8_t *buf, size_t cap, bool *eof);
void tty_flush_input_locked(struct tty *tty);
void tty_flush_output_locked(struct tty *tty);
/* New settings: what was typed becomes readable when ICANON is switched off. mu held. */
void tty_set_termios_locked(struct tty *tty, const struct termios *tio);
/* Signal to the foreground process group; no lock held. */
void tty_signal_foreground(struct tty *tty, int signo);
/* Wakes both ends after a change. */
void tty_wake(struct tty *tty);
/* Room for output has appeared or data waits for the host end. */
void tty_host_kick(struct tty *tty);

/* A number under /dev/pts for tty (its index), owned by t. -ENOSPC. */
int pts_register(struct task *t, struct tty *tty) MUST_CHECK;
/* Nobody has an end of it any more: the number may be given away. */
void pts_forget(int32_t index);
/* A file for the slave side; O_NOCTTY honoured. */
int tty_slave_open(struct task *t, struct tty *tty, struct inode *i, uint32_t flags, struct file **out) MUST_CHECK;
/* The same by its name under /dev/pts, so that ttyname(3) finds it; without a devpts there, as a nameless device. */
int tty_slave_open_named(struct task *t, struct tty *tty, uint32_t flags, struct file **out) MUST_CHECK;
/* The tty behind a slave's file, borrowed; NULL for any other file. */
struct tty *tty_of_file(struct file *f);
/* The far end is gone: SIGHUP, SIGCONT, end of file. */
void tty_hangup(struct tty *tty);
int64_t tty_ioctl(struct tty *tty, struct file *f, struct task *t, uint32_t cmd, gaddr_t arg, bool master);

#endif
