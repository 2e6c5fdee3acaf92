/*
 * tty: terminals: line discipline, pseudo-terminals, job control.  tty_ioctl(4), pty(7),
 * termios(3), credentials(7).
 */
#ifndef FS_TTY_H
#define FS_TTY_H

#include "base/ref.h"
#include "sentry/vfs/file.h"

struct session;
struct strbuf;

/* Opens of character devices, called by dev_open. */
int tty_open_current(struct task *t, struct inode *i, uint32_t flags, struct file **out) MUST_CHECK;	/* /dev/tty; -ENXIO */
int tty_open_console(struct task *t, struct inode *i, uint32_t flags, struct file **out) MUST_CHECK;	/* /dev/console */
int ptmx_open(struct task *t, struct inode *i, uint32_t flags, struct file **out) MUST_CHECK;

/* fstype devpts: nodes N and ptmx; options mode= gid= ptmxmode= newinstance max=. */
int devpts_mount(struct task *t, const char *source, const char *data, uint64_t flags, struct super **out) MUST_CHECK;

/*
 * A terminal whose far end is a host descriptor (a host tty in raw mode, or any stream): a
 * kernel thread relays bytes both ways.  *slave is the guest's end, counted; it becomes /dev/console too.
 * Rows and columns may be 0 (asks the host descriptor by TIOCGWINSZ).
 */
int tty_new_host(struct task *t, int host_fd, uint16_t rows, uint16_t cols, struct file **slave) MUST_CHECK;
/* Window size of a terminal opened above or of any slave; SIGWINCH to its foreground group. */
int tty_set_winsize(struct file *slave, uint16_t rows, uint16_t cols) MUST_CHECK;
/* Makes slave the controlling terminal of t's session (t is its leader), foreground its group. */
int tty_set_controlling(struct task *t, struct file *slave) MUST_CHECK;

/* Lets out what the guest wrote to a host terminal; at the end of the sandbox. */
void tty_host_drain(void);

/* The session's leader is going: SIGHUP, SIGCONT to the foreground, terminal detached. tasks lock not held. */
void tty_session_gone(struct session *s);
/* /proc/PID/stat tty_nr and tpgid: 0 and -1 when there is none. */
void tty_of_session(struct session *s, uint32_t *nr, int32_t *pgrp);

#endif
