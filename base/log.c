/*
 * log: messages, bug() and the crash report; see log.h.
 *
 * Each message is one write of one buffer on the stack, so lines of different threads
 * never mix, and a crash needs no lock.
 */
#include "base/log.h"

#include <execinfo.h>
#include <signal.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/hostcall.h"
#include "base/lock.h"
#include "base/mapcopy.h"
#include "base/sanitize.h"
#include "base/strbuf.h"

enum log_level log_level = LOG_WARN;
void (*crash_hook)(void);

static int out_fd = STDERR_FILENO;
static bool to_stderr = true;
static const char *process_name = "village";

static const char *const level_names[] = { "error", "warning", "info", "debug" };

void
log_init(const char *process, int fd, enum log_level level)
{
	process_name = process;
	to_stderr = fd < 0;
	out_fd = fd < 0 ? STDERR_FILENO : fd;
	log_level = fd < 0 ? LOG_ERROR : level;
}

/* The descriptor may be a pipe that nobody reads: a lost line is all that may happen. */
static void
write_out(const char *text, size_t len)
{
	int64_t n = host_pwrite(out_fd, text, len, -1);

	(void)n;
}

void
log_line(const char *text, size_t len)
{
	write_out(text, len);
}

void
log_printf(enum log_level level, const char *topic, const char *fmt, ...)
{
	char line[512];
	struct strbuf sb = STRBUF(line, sizeof line - 1);
	va_list ap;

	if (level > log_level)
		return;
	if (to_stderr) {
		sb_printf(&sb, "%s: ", process_name);
	} else {
		uint64_t now = host_clock_ns(CLOCK_REALTIME);

		sb_printf(&sb, "%llu.%06llu %s %s %s: ", (unsigned long long)(now / NSEC_PER_SEC),
		    (unsigned long long)(now % NSEC_PER_SEC / 1000), process_name, level_names[level], topic);
	}
	va_start(ap, fmt);
	sb_vprintf(&sb, fmt, ap);
	va_end(ap);
	line[sb.len] = '\n';
	write_out(line, sb.len + 1);
}

/*
 * Where it happened, as offsets that addr2line takes: the binary is position independent,
 * so addresses are printed relative to the start of its image.
 */
static void
print_backtrace(void)
{
	extern const char __ehdr_start[] __attribute__((visibility("hidden")));
	void *frames[48];
	char line[128];
	int n = backtrace(frames, 48);

	for (int i = 0; i < n; i++) {
		struct strbuf sb = STRBUF(line, sizeof line);

		sb_printf(&sb, "  #%d 0x%llx\n", i,
		    (unsigned long long)((uintptr_t)frames[i] - (uintptr_t)__ehdr_start));
		write_out(line, sb.len);
	}
}

static void
crash_report(const char *what)
{
	static atomic_flag once = ATOMIC_FLAG_INIT;
	char line[512], locks[128];
	struct strbuf sb = STRBUF(line, sizeof line);

	/* A second thread, or a crash inside the report, goes straight down. */
	if (atomic_flag_test_and_set(&once))
		return;
	sb_printf(&sb, "%s: internal error: %s\n", process_name, what);
	write_out(line, sb.len);
	lock_held_names(locks, sizeof locks);
	if (locks[0] != '\0') {
		sb_init(&sb, line, sizeof line);
		sb_printf(&sb, "  locks held: %s\n", locks);
		write_out(line, sb.len);
	}
	print_backtrace();
	if (crash_hook != NULL)
		crash_hook();
}

void
bug(const char *file, int line, const char *what)
{
	char text[256];
	struct strbuf sb = STRBUF(text, sizeof text);

	sb_printf(&sb, "%s:%d: %s", file, line, what);
	crash_report(text);
	host_exit(70);		/* EX_SOFTWARE */
}

void
warn(const char *file, int line, const char *what)
{
	log_warn("warn", "%s:%d: unexpected: %s", file, line, what);
}

/* On a signal stack AddressSanitizer would look for the thread's own before a call that does not return: in /proc. */
static void NO_SANITIZE
on_fault(int signo, siginfo_t *info, void *context)
{
	char text[128];
	struct strbuf sb = STRBUF(text, sizeof text);

	/* The kernel's own, not sent: a file that was being read through a mapping has become shorter, or its disk fails. */
	if (signo == SIGBUS && info->si_code > 0 && mapcopy_ends(context))
		return;
	sb_printf(&sb, "signal %d, code %d, address %p", signo, info->si_code, info->si_addr);
	crash_report(text);
	host_exit(70);
}

void
crash_init(void)
{
	static char stack[64 * 1024];
	stack_t ss = { .ss_sp = stack, .ss_size = sizeof stack };
	struct sigaction sa = { .sa_sigaction = on_fault };
	static const int signals[] = { SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT };
	void *frames[2];

	/* The first backtrace may allocate: do it before the filter forbids what it needs. */
	(void)backtrace(frames, 2);
	(void)sigaltstack(&ss, NULL);
	for (size_t i = 0; i < ARRAY_LEN(signals); i++) {
		/* SIGBUS has answers to give for as long as the process lives; it stays blocked during its own report. */
		sa.sa_flags = SA_SIGINFO | SA_ONSTACK | (signals[i] == SIGBUS ? 0 : (int)SA_RESETHAND);
		(void)sigaction(signals[i], &sa, NULL);
	}
}
