/* fault: failures on demand; see fault.h. */
#include "base/fault.h"

#ifndef NDEBUG
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

static _Atomic int64_t left[FAULT_SITES];	/* to go; 0: not armed */
static _Atomic uint64_t passed[FAULT_SITES];
static int64_t period[FAULT_SITES];
static atomic_bool armed;

int
fault_arm(const char *text)
{
	static const char *const names[FAULT_SITES] = {
		[FAULT_ALLOC] = "alloc:", [FAULT_HOST] = "host:", [FAULT_BUG] = "bug:", [FAULT_SEGV] = "segv:",
	};
	char *end;

	for (unsigned i = 0; i < FAULT_SITES; i++) {
		atomic_store(&left[i], 0);
		atomic_store(&passed[i], 0);
		period[i] = 0;
	}
	atomic_store(&armed, false);
	if (text == NULL)
		return 0;
	for (unsigned i = 0; i < FAULT_SITES; i++) {
		size_t n = strlen(names[i]);
		long long v, p = 0;

		if (strncmp(text, names[i], n) != 0)
			continue;
		v = strtoll(text + n, &end, 10);
		if (end != text + n && *end == '/')
			p = strtoll(end + 1, &end, 10);
		if (end == text + n || *end != '\0' || v < 0 || p < 0)
			return -EINVAL;
		period[i] = p;
		atomic_store(&left[i], v);
		atomic_store(&armed, true);
		return 0;
	}
	return -EINVAL;
}

bool
fault_here(enum fault_site site)
{
	if (!atomic_load_explicit(&armed, memory_order_relaxed))
		return false;
	atomic_fetch_add_explicit(&passed[site], 1, memory_order_relaxed);
	if (atomic_fetch_sub(&left[site], 1) != 1)
		return false;
	if (period[site])
		atomic_store(&left[site], period[site]);
	return true;
}

void
fault_crash(void)
{
	BUG_ON(fault_here(FAULT_BUG));
	if (fault_here(FAULT_SEGV))
		*(volatile int *)(uintptr_t)8 = 0;
}

/* ---- what the filter must not let through ------------------------------------ */

/* As a taken-over sentry would: the bare instruction, whatever the number. */
static long
raw(long nr, uint64_t a, uint64_t b, uint64_t c, uint64_t d, uint64_t e, uint64_t f)
{
	register uint64_t r10 __asm__("r10") = d;
	register uint64_t r8 __asm__("r8") = e;
	register uint64_t r9 __asm__("r9") = f;
	long ret;

	__asm__ volatile("syscall" : "=a"(ret) : "0"(nr), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
	    : "rcx", "r11", "memory");
	return ret;
}

/* getpid by the 32-bit gate. */
static void
raw32(void)
{
	long ret;

	__asm__ volatile("int $0x80" : "=a"(ret) : "0"(20L) : "r8", "r9", "r10", "r11", "memory");
}

int
fault_forbidden(const char *name)
{
	static const char path[] = "/";
	const uint64_t p = (uint64_t)(uintptr_t)path;
	const struct { const char *name; long nr; uint64_t args[6]; } calls[] = {
		{ "open", SYS_open, { p } },
		{ "openat", SYS_openat, { (uint64_t)-100, p } },
		{ "socket", SYS_socket, { AF_INET, SOCK_STREAM } },
		{ "connect", SYS_connect, { 0, p, 16 } },
		{ "execve", SYS_execve, { p } },
		{ "execveat", SYS_execveat, { 0, p } },
		{ "fork", SYS_fork, { 0 } },
		{ "clone-process", SYS_clone, { SIGCHLD } },
		{ "clone-namespace", SYS_clone, { SIGCHLD | CLONE_NEWUSER } },
		{ "mmap-exec", SYS_mmap, { 0, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, ~0ULL, 0 } },
		{ "mprotect-exec", SYS_mprotect, { p & PAGE_MASK, 4096, PROT_READ | PROT_EXEC } },
		{ "ptrace", SYS_ptrace, { 16, 1 } },
		{ "kill", SYS_kill, { ~0ULL, 0 } },
		{ "tgkill-term", SYS_tgkill, { 1, 1, SIGTERM } },
		{ "mount", SYS_mount, { p, p, p } },
		{ "unshare", SYS_unshare, { CLONE_NEWUSER } },
		{ "setns", SYS_setns, { 0, 0 } },
		{ "bpf", SYS_bpf, { 0 } },
		{ "io_uring_setup", SYS_io_uring_setup, { 1 } },
		{ "process_vm_writev", SYS_process_vm_writev, { 1 } },
		{ "memfd_create", SYS_memfd_create, { p } },
		{ "ioctl-tiocsti", SYS_ioctl, { 0, 0x5412, p } },
		{ "prctl", SYS_prctl, { 0 } },
		{ "seccomp", SYS_seccomp, { 0 } },
		{ "unknown", 999, { 0 } },
		{ "x32", 0x40000000 | 39, { 0 } },
	};

	if (name == NULL)
		return 0;
	if (strcmp(name, "int80") == 0) {
		raw32();
		return -EPERM;
	}
	for (size_t i = 0; i < ARRAY_LEN(calls); i++) {
		const uint64_t *a = calls[i].args;

		if (strcmp(name, calls[i].name) != 0)
			continue;
		(void)raw(calls[i].nr, a[0], a[1], a[2], a[3], a[4], a[5]);
		return -EPERM;
	}
	return -EINVAL;
}
#endif
