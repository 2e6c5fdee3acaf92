/* sanitize: see sanitize.h.  Empty in other modes. */
#include "base/sanitize.h"

#if SANITIZE
#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <sanitizer/common_interface_defs.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define COMMON	"exitcode=99:abort_on_error=0:allow_user_segv_handler=1:use_sigaltstack=0:"

/* The sentry ends by exit_group with everything still allocated: nothing to learn from leaks. */
const char *__asan_default_options(void);
const char *__ubsan_default_options(void);
const char *__tsan_default_options(void);
const char *__tsan_default_suppressions(void);
void __asan_on_error(void);
void __tsan_on_report(void *report);

const char *
__asan_default_options(void)
{
	return COMMON "detect_leaks=0:quarantine_size_mb=16:detect_stack_use_after_return=0";
}

const char *
__ubsan_default_options(void)
{
	return "exitcode=99:print_stacktrace=1";
}

/* One report of many should not end the run: host_exit() gives the status. */
const char *
__tsan_default_options(void)
{
	return COMMON "halt_on_error=0:report_signal_unsafe=0:report_thread_leaks=0:"
	    "report_atomic_races=0:history_size=4:ignore_noninstrumented_modules=0";
}

/*
 * The bytes of files are the guests' to race for, as those of a shared mapping are: the pages are pinned while
 * they are copied, and no lock is held (sentry/mm/iobuf.c).
 */
const char *
__tsan_default_suppressions(void)
{
	return "race:^move_bytes$\n";
}

static atomic_bool reported;
/* NULL in MODE=tsan. */
static void (*ubsan_set_fd)(void *fd);
static void (*ubsan_symbolize)(void *pc, const char *format, char *out, size_t size);
static void (*ubsan_notify)(__sanitizer_sandbox_arguments *args);

void
__asan_on_error(void)
{
	atomic_store(&reported, true);
}

void
__tsan_on_report(void *report)
{
	(void)report;
	atomic_store(&reported, true);
}

int
sanitize_status(int status)
{
	return atomic_load(&reported) ? SANITIZE_STATUS : status;
}

/*
 * The run time remembers the pid too: in another process it would close the descriptor and write its report
 * to a new file, whose name is "." and the pid in the working directory.
 */
void
sanitize_new_process(void)
{
	__sanitizer_set_report_fd((void *)(uintptr_t)SANITIZE_FD);
	if (ubsan_set_fd)
		ubsan_set_fd((void *)(uintptr_t)(SANITIZE_FD + 1));
}

/* First of all: later the descriptor's number may be in use, or the file out of reach. */
static void __attribute__((constructor))
report_open(void)
{
	const char *path = getenv("VILLAGE_SANITIZER_LOG");
	int fd = path ? open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666) : -1;
	void *ubsan;

	if (fd < 0)
		fd = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, SANITIZE_FD);
	if (fd < 0)
		return;
	if (fd != SANITIZE_FD && dup3(fd, SANITIZE_FD, O_CLOEXEC) == SANITIZE_FD)
		(void)close(fd);
	/* UBSan's first report makes the other run time close its descriptor. */
	(void)dup3(SANITIZE_FD, SANITIZE_FD + 1, O_CLOEXEC);
	/* UndefinedBehaviorSanitizer is a library with a run time of its own, which the other one hides. */
	ubsan = dlopen("libubsan.so.1", RTLD_LAZY | RTLD_NOLOAD);
	if (ubsan != NULL) {
		ubsan_set_fd = (void (*)(void *))dlsym(ubsan, "__sanitizer_set_report_fd");
		ubsan_symbolize = (void (*)(void *, const char *, char *, size_t))
		    dlsym(ubsan, "__sanitizer_symbolize_pc");
		ubsan_notify = (void (*)(__sanitizer_sandbox_arguments *))
		    dlsym(ubsan, "__sanitizer_sandbox_on_notify");
	}
	sanitize_new_process();
	(void)pthread_atfork(NULL, NULL, sanitize_new_process);
}

void
sanitize_before_lockdown(void)
{
	__sanitizer_sandbox_arguments args;
	char text[256];

	/* The first look-up reads the debug information of the program; there is no file later. */
	__sanitizer_symbolize_pc(__builtin_return_address(0), "%f", text, sizeof text);
	if (ubsan_symbolize)
		ubsan_symbolize(__builtin_return_address(0), "%f", text, sizeof text);
	memset(&args, 0, sizeof args);
	__sanitizer_sandbox_on_notify(&args);
	if (ubsan_notify)
		ubsan_notify(&args);
}
#endif
