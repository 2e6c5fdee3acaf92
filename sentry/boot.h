/* boot: builds the kernel from the boot record, locks down, and waits for the end. */
#ifndef SENTRY_BOOT_H
#define SENTRY_BOOT_H

#include "base/base.h"
#include "sentry/bootspec.h"

/* Never returns: ends the process with init's exit status. */
void boot(struct bootspec *spec) NORETURN;
extern struct bootspec *boot_spec;	/* for guestinit.c; immutable after boot */

#endif
