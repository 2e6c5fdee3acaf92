/*
 * log: leveled messages by topic, and the crash report.
 *
 * Messages go to one descriptor given at start (--debug-log), a line each, or
 * nowhere.  Safe from any thread; no allocation.
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include "base/base.h"

enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG };

extern enum log_level log_level;	/* set before threads exist */

void log_init(const char *process, int fd, enum log_level level);	/* fd -1: errors only, to stderr */
void log_printf(enum log_level level, const char *topic, const char *fmt, ...) PRINTF(3, 4);
/* A finished line, written whole and unlabelled (strace, reports). */
void log_line(const char *text, size_t len);

#define log_error(topic, ...)	log_printf(LOG_ERROR, topic, __VA_ARGS__)
#define log_warn(topic, ...)	log_printf(LOG_WARN, topic, __VA_ARGS__)
#define log_info(topic, ...)	do { if (log_level >= LOG_INFO) log_printf(LOG_INFO, topic, __VA_ARGS__); } while (0)
#define log_debug(topic, ...)	do { if (log_level >= LOG_DEBUG) log_printf(LOG_DEBUG, topic, __VA_ARGS__); } while (0)

/* Called by bug() for more context (tasks, last calls); set once at boot. May not allocate or lock. */
extern void (*crash_hook)(void);
/* Installs handlers for SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT that print a backtrace and die; but see mapcopy.h. */
void crash_init(void);

#endif
