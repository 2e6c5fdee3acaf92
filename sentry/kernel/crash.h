/* crash: the sentry's part of a crash report (base/log.h). */
#ifndef SENTRY_KERNEL_CRASH_H
#define SENTRY_KERNEL_CRASH_H

/* Called once, single-threaded, before the filter. */
void crash_boot(void);

#endif
