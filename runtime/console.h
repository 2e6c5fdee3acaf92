/* console: terminals on the host's side. */
#ifndef RUNTIME_CONSOLE_H
#define RUNTIME_CONSOLE_H

#include "runtime/runtime.h"

/* Puts the terminal fd in raw mode, to be restored at exit or at a fatal signal. Once per program. */
int console_raw(int fd, struct err *err) MUST_CHECK;
void console_restore(void);
bool console_size(int fd, unsigned *rows, unsigned *cols);
/*
 * A new pseudo-terminal: its master goes to the listener at the socket path (by SCM_RIGHTS, the
 * slave's name as the bytes), its slave, in raw mode, to *slave.
 */
int console_send(const char *path, int *slave, struct err *err) MUST_CHECK;

#endif
