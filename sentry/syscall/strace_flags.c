/* strace_flags: formatters of numbers: flags, commands and other names. */
#include <fcntl.h>
#include <linux/futex.h>
#include <linux/prctl.h>
#include <linux/sched.h>
#include <linux/wait.h>
#include <sys/mman.h>

#include "abi/signal.h"
#include "sentry/kernel/signal.h"
#include "sentry/syscall/strace.h"

#define FLAG(x)		{ (uint64_t)(x), #x }
#define FMT(name)							\
void									\
name(struct strbuf *sb, struct task *t UNUSED, const uint64_t raw[6], unsigned i, int64_t ret UNUSED)

void
strace_flags(struct strbuf *sb, uint64_t v, const struct flagname *f, unsigned n, const char *none)
{
	bool first = true;

	if (v == 0) {
		sb_puts(sb, none);
		return;
	}
	for (unsigned k = 0; k < n; k++) {
		if (f[k].bits == 0 || (v & f[k].bits) != f[k].bits)
			continue;
		if (!first)
			sb_putc(sb, '|');
		sb_puts(sb, f[k].name);
		v &= ~f[k].bits;
		first = false;
	}
	if (v)
		sb_printf(sb, "%s%#llx", first ? "" : "|", (unsigned long long)v);
}

void
strace_value(struct strbuf *sb, uint64_t v, const struct flagname *f, unsigned n)
{
	for (unsigned k = 0; k < n; k++) {
		if (f[k].bits == v) {
			sb_puts(sb, f[k].name);
			return;
		}
	}
	sb_printf(sb, "%#llx", (unsigned long long)v);
}

#define FLAGS(v, none, ...) do {					\
	static const struct flagname f_[] = { __VA_ARGS__ };		\
	strace_flags(sb, (v), f_, ARRAY_LEN(f_), none);			\
} while (0)
#define VALUE(v, ...) do {						\
	static const struct flagname f_[] = { __VA_ARGS__ };		\
	strace_value(sb, (v), f_, ARRAY_LEN(f_));			\
} while (0)

FMT(fmt_int)   { sb_printf(sb, "%d", (int)raw[i]); }
FMT(fmt_uint)  { sb_printf(sb, "%u", (unsigned)raw[i]); }
FMT(fmt_long)  { sb_printf(sb, "%lld", (long long)raw[i]); }
FMT(fmt_ulong) { sb_printf(sb, "%llu", (unsigned long long)raw[i]); }
FMT(fmt_hex)   { sb_printf(sb, "%#llx", (unsigned long long)raw[i]); }
FMT(fmt_hex32) { sb_printf(sb, "%#x", (unsigned)raw[i]); }
FMT(fmt_mode)  { sb_printf(sb, "0%o", (unsigned)raw[i]); }

FMT(fmt_id)
{
	if ((uint32_t)raw[i] == UINT32_MAX)
		sb_puts(sb, "-1");
	else
		sb_printf(sb, "%u", (unsigned)raw[i]);
}

FMT(fmt_addr)
{
	if (raw[i] == 0)
		sb_puts(sb, "NULL");
	else
		sb_printf(sb, "%#llx", (unsigned long long)raw[i]);
}

FMT(fmt_oflags)
{
	static const char *const modes[] = { "O_RDONLY", "O_WRONLY", "O_RDWR", "O_ACCMODE" };
	uint64_t v = (uint32_t)raw[i];

	/* dup3, pipe2 and their kind have no access mode; O_RDONLY there says nothing wrong. */
	sb_puts(sb, modes[v & O_ACCMODE]);
	v &= ~(uint64_t)O_ACCMODE;
	if (v == 0)
		return;
	sb_putc(sb, '|');
	FLAGS(v, "", FLAG(O_CREAT), FLAG(O_EXCL), FLAG(O_NOCTTY), FLAG(O_TRUNC), FLAG(O_APPEND),
	    FLAG(O_NONBLOCK), FLAG(O_SYNC), FLAG(O_DSYNC), FLAG(O_ASYNC), FLAG(O_DIRECT),
	    { 0100000, "O_LARGEFILE" }, FLAG(O_TMPFILE), FLAG(O_DIRECTORY), FLAG(O_NOFOLLOW),
	    FLAG(O_NOATIME), FLAG(O_CLOEXEC), FLAG(O_PATH));
}

FMT(fmt_atflags)
{
	FLAGS((uint32_t)raw[i], "0", FLAG(AT_SYMLINK_NOFOLLOW), FLAG(AT_SYMLINK_FOLLOW),
	    FLAG(AT_EMPTY_PATH), FLAG(AT_NO_AUTOMOUNT), { 0x200, "AT_EACCESS" },
	    { 0x2000, "AT_STATX_FORCE_SYNC" }, { 0x4000, "AT_STATX_DONT_SYNC" });
}

FMT(fmt_atremovedir)
{
	FLAGS((uint32_t)raw[i], "0", FLAG(AT_REMOVEDIR));
}

FMT(fmt_prot)
{
	FLAGS(raw[i], "PROT_NONE", FLAG(PROT_READ), FLAG(PROT_WRITE), FLAG(PROT_EXEC),
	    FLAG(PROT_GROWSDOWN), FLAG(PROT_GROWSUP));
}

FMT(fmt_mapflags)
{
	FLAGS(raw[i], "0", { MAP_SHARED_VALIDATE, "MAP_SHARED_VALIDATE" }, FLAG(MAP_SHARED),
	    FLAG(MAP_PRIVATE), FLAG(MAP_FIXED), FLAG(MAP_ANONYMOUS), FLAG(MAP_GROWSDOWN),
	    FLAG(MAP_DENYWRITE), FLAG(MAP_EXECUTABLE), FLAG(MAP_LOCKED), FLAG(MAP_NORESERVE),
	    FLAG(MAP_POPULATE), FLAG(MAP_NONBLOCK), FLAG(MAP_STACK), FLAG(MAP_HUGETLB), FLAG(MAP_SYNC),
	    FLAG(MAP_FIXED_NOREPLACE));
}

FMT(fmt_cloneflags)
{
	uint64_t v = raw[i];

	FLAGS(v & ~0xffULL, "0", FLAG(CLONE_VM), FLAG(CLONE_FS), FLAG(CLONE_FILES), FLAG(CLONE_SIGHAND),
	    FLAG(CLONE_PIDFD), FLAG(CLONE_PTRACE), FLAG(CLONE_VFORK), FLAG(CLONE_PARENT),
	    FLAG(CLONE_THREAD), FLAG(CLONE_NEWNS), FLAG(CLONE_SYSVSEM), FLAG(CLONE_SETTLS),
	    FLAG(CLONE_PARENT_SETTID), FLAG(CLONE_CHILD_CLEARTID), FLAG(CLONE_DETACHED),
	    FLAG(CLONE_UNTRACED), FLAG(CLONE_CHILD_SETTID), FLAG(CLONE_NEWCGROUP), FLAG(CLONE_NEWUTS),
	    FLAG(CLONE_NEWIPC), FLAG(CLONE_NEWUSER), FLAG(CLONE_NEWPID), FLAG(CLONE_NEWNET), FLAG(CLONE_IO));
	if (v & 0xff) {
		sb_putc(sb, '|');
		strace_signo(sb, (int)(v & 0xff));
	}
}

void
strace_signo(struct strbuf *sb, int signo)
{
	const char *name = signal_name(signo);

	if (name)
		sb_puts(sb, name);
	else if (signo >= ABI_SIGRTMIN && signo <= ABI_NSIG)
		sb_printf(sb, "SIGRT_%d", signo - ABI_SIGRTMIN);
	else
		sb_printf(sb, "%d", signo);
}

void
strace_sigset(struct strbuf *sb, uint64_t set)
{
	bool all_but = __builtin_popcountll(set) > 32, first = true;

	if (all_but)
		set = ~set;
	sb_puts(sb, all_but ? "~[" : "[");
	for (int signo = 1; signo <= ABI_NSIG; signo++) {
		if (!(set & sigbit(signo)))
			continue;
		if (!first)
			sb_putc(sb, ' ');
		if (signal_name(signo))
			sb_puts(sb, signal_name(signo) + 3);
		else
			sb_printf(sb, "RT_%d", signo - ABI_SIGRTMIN);
		first = false;
	}
	sb_putc(sb, ']');
}

FMT(fmt_signal)
{
	strace_signo(sb, (int)raw[i]);
}

FMT(fmt_clock)
{
	VALUE((uint32_t)raw[i], { 0, "CLOCK_REALTIME" }, { 1, "CLOCK_MONOTONIC" },
	    { 2, "CLOCK_PROCESS_CPUTIME_ID" }, { 3, "CLOCK_THREAD_CPUTIME_ID" },
	    { 4, "CLOCK_MONOTONIC_RAW" }, { 5, "CLOCK_REALTIME_COARSE" }, { 6, "CLOCK_MONOTONIC_COARSE" },
	    { 7, "CLOCK_BOOTTIME" }, { 8, "CLOCK_REALTIME_ALARM" }, { 9, "CLOCK_BOOTTIME_ALARM" },
	    { 11, "CLOCK_TAI" });
}

FMT(fmt_ioctl)
{
	VALUE((uint32_t)raw[i], { 0x5401, "TCGETS" }, { 0x5402, "TCSETS" }, { 0x5403, "TCSETSW" },
	    { 0x5404, "TCSETSF" }, { 0x5409, "TCSBRK" }, { 0x540a, "TCXONC" }, { 0x540b, "TCFLSH" },
	    { 0x540e, "TIOCSCTTY" }, { 0x540f, "TIOCGPGRP" }, { 0x5410, "TIOCSPGRP" },
	    { 0x5411, "TIOCOUTQ" }, { 0x5412, "TIOCSTI" }, { 0x5413, "TIOCGWINSZ" },
	    { 0x5414, "TIOCSWINSZ" }, { 0x541b, "FIONREAD" }, { 0x5420, "TIOCPKT" }, { 0x5421, "FIONBIO" },
	    { 0x5422, "TIOCNOTTY" }, { 0x5429, "TIOCGSID" }, { 0x5450, "FIONCLEX" }, { 0x5451, "FIOCLEX" },
	    { 0x5452, "FIOASYNC" }, { 0x80045430, "TIOCGPTN" }, { 0x40045431, "TIOCSPTLCK" },
	    { 0x5441, "TIOCGPTPEER" }, { 0x80086601, "FS_IOC_GETFLAGS" }, { 0x40086602, "FS_IOC_SETFLAGS" },
	    { 0x40049409, "FICLONE" }, { 0x8912, "SIOCGIFCONF" }, { 0x8913, "SIOCGIFFLAGS" },
	    { 0x8933, "SIOCGIFINDEX" });
}

FMT(fmt_fcntl)
{
	VALUE((uint32_t)raw[i], FLAG(F_DUPFD), FLAG(F_GETFD), FLAG(F_SETFD), FLAG(F_GETFL), FLAG(F_SETFL),
	    FLAG(F_GETLK), FLAG(F_SETLK), FLAG(F_SETLKW), FLAG(F_SETOWN), FLAG(F_GETOWN), FLAG(F_SETSIG),
	    FLAG(F_GETSIG), FLAG(F_SETOWN_EX), FLAG(F_GETOWN_EX), FLAG(F_OFD_GETLK), FLAG(F_OFD_SETLK),
	    FLAG(F_OFD_SETLKW), FLAG(F_SETLEASE), FLAG(F_GETLEASE), FLAG(F_NOTIFY),
	    FLAG(F_DUPFD_CLOEXEC), FLAG(F_SETPIPE_SZ), FLAG(F_GETPIPE_SZ), FLAG(F_ADD_SEALS),
	    FLAG(F_GET_SEALS));
}

FMT(fmt_futexop)
{
	uint32_t op = (uint32_t)raw[i];

	VALUE(op & (uint32_t)FUTEX_CMD_MASK, FLAG(FUTEX_WAIT), FLAG(FUTEX_WAKE), FLAG(FUTEX_FD),
	    FLAG(FUTEX_REQUEUE), FLAG(FUTEX_CMP_REQUEUE), FLAG(FUTEX_WAKE_OP), FLAG(FUTEX_LOCK_PI),
	    FLAG(FUTEX_UNLOCK_PI), FLAG(FUTEX_TRYLOCK_PI), FLAG(FUTEX_WAIT_BITSET),
	    FLAG(FUTEX_WAKE_BITSET), FLAG(FUTEX_WAIT_REQUEUE_PI), FLAG(FUTEX_CMP_REQUEUE_PI),
	    { 13, "FUTEX_LOCK_PI2" });
	if (op & FUTEX_PRIVATE_FLAG)
		sb_puts(sb, "|FUTEX_PRIVATE_FLAG");
	if (op & FUTEX_CLOCK_REALTIME)
		sb_puts(sb, "|FUTEX_CLOCK_REALTIME");
}

FMT(fmt_waitopts)
{
	FLAGS((uint32_t)raw[i], "0", FLAG(WNOHANG), FLAG(WUNTRACED), FLAG(WEXITED), FLAG(WCONTINUED),
	    FLAG(WNOWAIT), { 0x20000000, "__WNOTHREAD" }, { 0x40000000, "__WALL" }, { 0x80000000U, "__WCLONE" });
}

FMT(fmt_resource)
{
	static const char *const names[] = { "CPU", "FSIZE", "DATA", "STACK", "CORE", "RSS", "NPROC",
		"NOFILE", "MEMLOCK", "AS", "LOCKS", "SIGPENDING", "MSGQUEUE", "NICE", "RTPRIO", "RTTIME" };
	uint32_t r = (uint32_t)raw[i];

	if (r < ARRAY_LEN(names))
		sb_printf(sb, "RLIMIT_%s", names[r]);
	else
		sb_printf(sb, "%u", r);
}

FMT(fmt_family)
{
	VALUE((uint32_t)raw[i], { 0, "AF_UNSPEC" }, { 1, "AF_UNIX" }, { 2, "AF_INET" }, { 10, "AF_INET6" },
	    { 16, "AF_NETLINK" }, { 17, "AF_PACKET" }, { 38, "AF_ALG" }, { 40, "AF_VSOCK" });
}

FMT(fmt_socktype)
{
	uint32_t v = (uint32_t)raw[i];

	if (v & 0xf)
		VALUE(v & 0xf, { 1, "SOCK_STREAM" }, { 2, "SOCK_DGRAM" }, { 3, "SOCK_RAW" },
		    { 5, "SOCK_SEQPACKET" });
	else if ((v & ~0xfU) == 0)
		sb_puts(sb, "0");
	if (v & ~0xfU) {
		if (v & 0xf)
			sb_putc(sb, '|');
		FLAGS(v & ~0xfU, "", { O_CLOEXEC, "SOCK_CLOEXEC" }, { O_NONBLOCK, "SOCK_NONBLOCK" });
	}
}

FMT(fmt_msgflags)
{
	FLAGS((uint32_t)raw[i], "0", { 1, "MSG_OOB" }, { 2, "MSG_PEEK" }, { 4, "MSG_DONTROUTE" },
	    { 8, "MSG_CTRUNC" }, { 0x20, "MSG_TRUNC" }, { 0x40, "MSG_DONTWAIT" }, { 0x80, "MSG_EOR" },
	    { 0x100, "MSG_WAITALL" }, { 0x4000, "MSG_NOSIGNAL" }, { 0x8000, "MSG_MORE" },
	    { 0x10000, "MSG_WAITFORONE" }, { 0x20000000, "MSG_FASTOPEN" }, { 0x40000000, "MSG_CMSG_CLOEXEC" });
}

FMT(fmt_whence)
{
	VALUE((uint32_t)raw[i], { 0, "SEEK_SET" }, { 1, "SEEK_CUR" }, { 2, "SEEK_END" }, { 3, "SEEK_DATA" },
	    { 4, "SEEK_HOLE" });
}

FMT(fmt_sighow)
{
	VALUE((uint32_t)raw[i], { 0, "SIG_BLOCK" }, { 1, "SIG_UNBLOCK" }, { 2, "SIG_SETMASK" });
}

FMT(fmt_accmode)
{
	FLAGS((uint32_t)raw[i], "F_OK", { 4, "R_OK" }, { 2, "W_OK" }, { 1, "X_OK" });
}

FMT(fmt_itimer_which)
{
	VALUE((uint32_t)raw[i], { 0, "ITIMER_REAL" }, { 1, "ITIMER_VIRTUAL" }, { 2, "ITIMER_PROF" });
}

FMT(fmt_flockop)
{
	FLAGS((uint32_t)raw[i], "0", { 1, "LOCK_SH" }, { 2, "LOCK_EX" }, { 8, "LOCK_UN" }, { 4, "LOCK_NB" });
}

FMT(fmt_prctl)
{
	VALUE((uint32_t)raw[i], FLAG(PR_SET_PDEATHSIG), FLAG(PR_GET_PDEATHSIG), FLAG(PR_GET_DUMPABLE),
	    FLAG(PR_SET_DUMPABLE), FLAG(PR_GET_KEEPCAPS), FLAG(PR_SET_KEEPCAPS), FLAG(PR_SET_NAME),
	    FLAG(PR_GET_NAME), FLAG(PR_GET_SECCOMP), FLAG(PR_SET_SECCOMP), FLAG(PR_CAPBSET_READ),
	    FLAG(PR_CAPBSET_DROP), FLAG(PR_GET_SECUREBITS), FLAG(PR_SET_SECUREBITS),
	    FLAG(PR_SET_TIMERSLACK), FLAG(PR_GET_TIMERSLACK), FLAG(PR_SET_MM),
	    FLAG(PR_SET_CHILD_SUBREAPER), FLAG(PR_GET_CHILD_SUBREAPER), FLAG(PR_SET_NO_NEW_PRIVS),
	    FLAG(PR_GET_NO_NEW_PRIVS), FLAG(PR_GET_TID_ADDRESS), FLAG(PR_SET_THP_DISABLE),
	    FLAG(PR_GET_THP_DISABLE), FLAG(PR_CAP_AMBIENT), { 0x53564d41, "PR_SET_VMA" });
}

FMT(fmt_archprctl)
{
	VALUE((uint32_t)raw[i], { 0x1001, "ARCH_SET_GS" }, { 0x1002, "ARCH_SET_FS" },
	    { 0x1003, "ARCH_GET_FS" }, { 0x1004, "ARCH_GET_GS" }, { 0x1011, "ARCH_GET_CPUID" },
	    { 0x1012, "ARCH_SET_CPUID" }, { 0x3001, "ARCH_CET_STATUS" }, { 0x5005, "ARCH_SHSTK_STATUS" });
}

FMT(fmt_epollop)
{
	VALUE((uint32_t)raw[i], { 1, "EPOLL_CTL_ADD" }, { 2, "EPOLL_CTL_DEL" }, { 3, "EPOLL_CTL_MOD" });
}

FMT(fmt_idtype)
{
	VALUE((uint32_t)raw[i], { 0, "P_ALL" }, { 1, "P_PID" }, { 2, "P_PGID" }, { 3, "P_PIDFD" });
}
