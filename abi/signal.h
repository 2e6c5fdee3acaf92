/*
 * signal: structs of signal(7) as the guest sees them on x86-64.
 *
 * Numbers (SIG*, SA_*, SI_*, CLD_* ...) are libc's, which are the kernel's; libc's field
 * macros (si_pid, sa_handler ...) are taken away so that our structs may use the names.
 */
#ifndef ABI_SIGNAL_H
#define ABI_SIGNAL_H

#include <signal.h>
#include <stdint.h>

#include "abi/gaddr.h"

#undef si_pid
#undef si_uid
#undef si_status
#undef si_utime
#undef si_stime
#undef si_value
#undef si_int
#undef si_ptr
#undef si_addr
#undef si_addr_lsb
#undef si_lower
#undef si_upper
#undef si_pkey
#undef si_band
#undef si_fd
#undef si_timerid
#undef si_overrun
#undef si_call_addr
#undef si_syscall
#undef si_arch
#undef sa_handler
#undef sa_sigaction

#define ABI_NSIG		64
#define ABI_SIGRTMIN		32	/* libc's own SIGRTMIN is higher: it keeps some */
#define ABI_SIG_DFL		0ULL
#define ABI_SIG_IGN		1ULL
#define ABI_SIGSET_SIZE		8

#ifndef SA_RESTORER
#define SA_RESTORER		0x04000000
#endif
#ifndef SA_UNSUPPORTED
#define SA_UNSUPPORTED		0x00000400
#endif
#ifndef SA_EXPOSE_TAGBITS
#define SA_EXPOSE_TAGBITS	0x00000800
#endif
#ifndef SS_AUTODISARM
#define SS_AUTODISARM		(1U << 31)
#endif
#ifndef SI_DETHREAD
#define SI_DETHREAD		(-7)
#endif
#ifndef SI_KERNEL
#define SI_KERNEL		0x80
#endif
#define ABI_MINSIGSTKSZ		2048
#define ABI_SIGEV_THREAD_ID	4

struct abi_siginfo {
	int32_t	si_signo, si_errno, si_code, pad0;
	union {
		struct {			/* kill, sigqueue, SIGCHLD */
			int32_t	 si_pid;
			uint32_t si_uid;
			union {
				int32_t	 si_status;
				uint64_t si_value;
			};
			int64_t	 si_utime, si_stime;	/* clock ticks */
		};
		struct {			/* SI_TIMER; its value is si_value */
			int32_t	 si_timerid, si_overrun;
		};
		struct {			/* faults */
			uint64_t si_addr;
			int16_t	 si_addr_lsb, pad1[3];
			uint64_t si_lower, si_upper;
		};
		struct {			/* SIGIO */
			int64_t	 si_band;
			int32_t	 si_fd;
		};
		struct {			/* SIGSYS */
			uint64_t si_call_addr;
			int32_t	 si_syscall;
			uint32_t si_arch;
		};
		uint8_t raw[112];
	};
};
_Static_assert(sizeof(struct abi_siginfo) == 128, "siginfo_t");

struct abi_sigaction {
	uint64_t handler;		/* ABI_SIG_DFL, ABI_SIG_IGN or an address */
	uint64_t flags;
	uint64_t restorer;
	uint64_t mask;
};
_Static_assert(sizeof(struct abi_sigaction) == 32, "struct kernel_sigaction");

struct abi_stack {
	uint64_t sp;
	int32_t	 flags, pad0;
	uint64_t size;
};
_Static_assert(sizeof(struct abi_stack) == 24, "stack_t");

struct abi_sigevent {
	uint64_t value;
	int32_t	 signo, notify;
	int32_t	 tid, pad[11];
};
_Static_assert(sizeof(struct abi_sigevent) == 64, "struct sigevent");

struct abi_signalfd_siginfo {
	uint32_t signo;
	int32_t	 err, code;
	uint32_t pid, uid;
	int32_t	 fd;
	uint32_t tid, band, overrun, trapno;
	int32_t	 status, integer;
	uint64_t ptr, utime, stime, addr;
	uint16_t addr_lsb, pad2;
	int32_t	 syscall;
	uint64_t call_addr;
	uint32_t arch;
	uint8_t	 pad[28];
};
_Static_assert(sizeof(struct abi_signalfd_siginfo) == 128, "struct signalfd_siginfo");

GPTR(siginfo);
GPTR(sigaction);
GPTR(stack);

#endif
