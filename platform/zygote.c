/*
 * zygote: the process that all stubs are copies of.
 *
 * Made once, by a fork of the still single-threaded sentry.  The child keeps five
 * descriptors, takes the stub's signal handlers, drops every right, and jumps into a copy
 * of the stub's text, which unmaps everything but itself and the host's vDSO, installs the
 * mapper's filter and becomes the mapper of a blank space (stub/mapper.S).
 *
 * The C code runs on a stack of its own, far from the stub region: the sentry's own stack
 * or text may lie where the region is to be.
 */
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/rseq.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/hostcall.h"
#include "base/log.h"
#include "base/sanitize.h"
#include "platform/space.h"

#define BOOT_STACK	0x7e9000000000ULL	/* where nothing else is ever placed, sanitizers included */
#define BOOT_STACK_SIZE	0x20000ULL
#define BOOT_TEXT	0x7e9010000000ULL
#define BOOT_VDSO	(BOOT_TEXT + STUB_TEXT_SIZE)	/* mapper.S knows that it is right behind */

struct progs {
	struct sock_fprog mapper, guest;
	struct sock_filter code[STUB_PROGS_SIZE / sizeof(struct sock_filter) - 4];
};
_Static_assert(sizeof(struct progs) <= STUB_PROGS_SIZE, "programs fit");
_Static_assert(sizeof(struct sock_fprog) == 16, "stublayout.h");

struct birth {
	const struct platform_conf *conf;
	int		text, sock;
	uint64_t	slot_off;
};

/* The kernel's own layout; libc's would bring its own restorer. */
struct ksigaction {
	uint64_t	handler, flags, restorer, mask;
};

uint64_t
stub_text_word(unsigned at)
{
	uint64_t v;

	memcpy(&v, stub_blob + at, sizeof v);
	return v;
}

/* The stub's text and both filters in one sealed file; -errno. */
static int
make_text(void)
{
	static struct progs progs;
	const struct sock_filter *mapper, *guest;
	unsigned n, m;
	int fd;

	if ((size_t)(stub_blob_end - stub_blob) != STUB_CODE_SIZE || plat.nmarshal > STUB_MARSHAL_CALLS || stub_text_word(0) != STUB_T_MAGIC)
		return -ENOEXEC;
	mapper = filter_program(ROLE_MAPPER, !plat.fsgsbase, &n);
	guest = filter_program(ROLE_GUEST, !plat.fsgsbase, &m);
	if (n + m > ARRAY_LEN(progs.code))
		return -ENOSPC;
	memcpy(progs.code, mapper, n * sizeof *mapper);
	memcpy(progs.code + n, guest, m * sizeof *guest);
	/* The programs name their code where the stub will have it. */
	progs.mapper.len = (unsigned short)n;
	progs.mapper.filter = (void *)(STUB_PROGS + offsetof(struct progs, code));
	progs.guest.len = (unsigned short)m;
	progs.guest.filter = (void *)(STUB_PROGS + offsetof(struct progs, code) + n * sizeof progs.code[0]);
	fd = memfd_create("stub", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (fd < 0)
		return -ENFILE;
	if (host_pwrite(fd, stub_blob, STUB_CODE_SIZE, 0) != STUB_CODE_SIZE ||
	    host_pwrite(fd, plat.marshal, plat.nmarshal * 4, STUB_CODE_SIZE) != (int64_t)plat.nmarshal * 4 ||
	    host_pwrite(fd, &progs, sizeof progs, STUB_TEXT_SIZE) != (int64_t)sizeof progs ||
	    ftruncate(fd, STUB_TEXT_SIZE + STUB_PROGS_SIZE) != 0 ||
	    fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL) != 0) {
		host_close(fd);
		return -EIO;
	}
	return fd;
}

static int
take_fds(const struct birth *b)
{
	const int want[5] = { plat.ctl, b->conf->memfile, b->conf->proc_dirfd, b->sock, b->text };
	int high[5];

	for (int i = 0; i < 5; i++) {
		high[i] = fcntl(want[i], F_DUPFD, 64);
		if (high[i] < 0)
			return -1;
	}
	for (int i = 0; i < 5; i++) {
		if (dup2(high[i], i) != i)
			return -1;
	}
	return (int)syscall(SYS_close_range, 5, ~0U, 0);
}

static int
take_signals(void)
{
	static const int ours[] = { SIGSYS, SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, STUB_SIGKICK };
	struct ksigaction dfl = { 0, 0, 0, 0 }, ign = { (uint64_t)(uintptr_t)SIG_IGN, 0, 0, 0 };
	/* Comparing for the sentry may fault inside the handler; nothing else may interrupt it. */
	struct ksigaction sa = {
		.handler = stub_text_word(STUB_T_HANDLER), .restorer = stub_text_word(STUB_T_RESTORER),
		.flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER | 0x04000000 /* SA_RESTORER */,
		.mask = ~(1ULL << (SIGSEGV - 1) | 1ULL << (SIGBUS - 1)),
	};
	uint64_t all = ~0ULL;

	if (syscall(SYS_rt_sigprocmask, SIG_SETMASK, &all, NULL, 8) != 0)
		return -1;
	for (int sig = 1; sig <= 64; sig++) {
		if (sig != SIGKILL && sig != SIGSTOP && syscall(SYS_rt_sigaction, sig, &dfl, NULL, 8) != 0)
			return -1;
	}
	for (size_t i = 0; i < ARRAY_LEN(ours); i++) {
		if (syscall(SYS_rt_sigaction, ours[i], &sa, NULL, 8) != 0)
			return -1;
	}
	return (int)syscall(SYS_rt_sigaction, SIGCHLD, &ign, NULL, 8);
}

static int
drop_rights(void)
{
	struct __user_cap_header_struct h = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct none[2] = { { 0, 0, 0 }, { 0, 0, 0 } };
	struct rlimit nocore = { 0, 0 };

	(void)setsid();			/* no terminal's signals; fails only for a leader already */
	(void)prctl(PR_SET_NAME, "village-stub", 0, 0, 0);
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
		return -1;
	(void)prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
	if (syscall(SYS_capset, &h, none) != 0)
		return -1;
	/* Its own /proc/self/mem, and the ptrace platform, need this. */
	if (prctl(PR_SET_DUMPABLE, 1, 0, 0, 0) != 0)
		return -1;
	return setrlimit(RLIMIT_CORE, &nocore);
}

/* libc has registered memory that is about to go, and the host would write there. */
static int
drop_rseq(void)
{
	void *area = (char *)__builtin_thread_pointer() + __rseq_offset;

	if (__rseq_size == 0)
		return 0;
	/* What libc calls its size was rounded differently over time. */
	for (unsigned len = 32; len <= 256; len += 4) {
		if (syscall(SYS_rseq, area, len, RSEQ_FLAG_UNREGISTER, RSEQ_SIG) == 0)
			return 0;
	}
	return -1;
}

/*
 * Moves the host's vDSO behind the copy of the text, from where boot takes it to its place: that
 * may be in use as long as C code runs.  No clock can be read in this process from here on.
 * Where the host will not move one, boot unmaps all of it.
 */
static void NO_SANITIZE
take_vdso(struct hostvdso *v)
{
	uint64_t from = v->start, to = BOOT_VDSO;

	for (unsigned i = 0; i < HOSTVDSO_PARTS && v->len[i] != 0; i++) {
		if ((uint64_t)syscall(SYS_mremap, from, v->len[i], v->len[i], MREMAP_MAYMOVE | MREMAP_FIXED, to) != to) {
			memset(v, 0, sizeof *v);
			return;
		}
		from += v->len[i];
		to += v->len[i];
	}
}

static int NO_SANITIZE
zygote_main(void *arg)
{
	const struct birth *b = arg;
	register uint64_t r12 __asm__("r12") = b->slot_off;
	register uint64_t r13 __asm__("r13") = BOOT_TEXT;
	register uint64_t r14 __asm__("r14");
	register uint64_t r15 __asm__("r15");
	register uint64_t rbx __asm__("rbx");
	struct hostvdso vdso = plat.vdso;
	uint64_t entry = BOOT_TEXT + stub_text_word(STUB_T_BOOT);
	void *text;

	if (b->conf->slow_zygote)
		(void)syscall(SYS_poll, NULL, 0, 1200);
	if (take_signals() != 0 || take_fds(b) != 0 || drop_rights() != 0 || drop_rseq() != 0)
		_exit(1);
	text = mmap((void *)BOOT_TEXT, STUB_TEXT_SIZE, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_FIXED_NOREPLACE,
	    STUB_FD_NEW, 0);
	if (text != (void *)BOOT_TEXT)
		_exit(2);
	take_vdso(&vdso);
	r12 = b->slot_off;
	r13 = BOOT_TEXT;
	r14 = vdso.len[0];
	r15 = vdso.len[1];
	rbx = vdso.len[2];
	__asm__ volatile("jmp *%0" : : "a"(entry), "r"(r12), "r"(r13), "r"(r14), "r"(r15), "r"(rbx));
	__builtin_unreachable();
}

int
zygote_start(const struct platform_conf *conf, unsigned slot, const char **why)
{
	struct birth b = { .conf = conf, .slot_off = (uint64_t)slot * STUB_SLOT_STRIDE };
	uint64_t all = ~0ULL, old;
	int pair[2], pid, err;
	void *stack;

	if (conf->no_vdso || hostvdso_find(conf->proc_dirfd, &plat.vdso) != 0)
		memset(&plat.vdso, 0, sizeof plat.vdso);
	b.text = make_text();
	if (b.text < 0) {
		*why = "the stub's text and filters cannot be made";
		return b.text;
	}
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0) {
		host_close(b.text);
		*why = "no socket pair for stubs";
		return -ENFILE;
	}
	plat.sock = pair[0];
	b.sock = pair[1];
	err = host_mmap((void *)BOOT_STACK, BOOT_STACK_SIZE, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0, &stack);
	if (err) {
		*why = "no stack for the zygote";
		goto out;
	}
	/* It may be asked for by STUB_SIGKICK before it runs at all (space.c): never unblocked, or that would end it. */
	(void)syscall(SYS_rt_sigprocmask, SIG_SETMASK, &all, &old, 8);
	pid = clone(zygote_main, (char *)stack + BOOT_STACK_SIZE - 64, SIGCHLD, &b);
	(void)syscall(SYS_rt_sigprocmask, SIG_SETMASK, &old, NULL, 8);
	if (pid < 0) {
		err = -EAGAIN;
		*why = "the zygote cannot be forked";
	} else {
		plat.zygote->pid = pid;
	}
	host_munmap(stack, BOOT_STACK_SIZE);
out:
	host_close(b.text);
	host_close(b.sock);
	return err;
}
