/*
 * strace_fmt: formatters of what lies behind addresses.
 *
 * They read guest memory for the log alone: a call reads it again for itself, so nothing is judged
 * here, and what cannot be read shows as its address.
 */
#include <string.h>

#include "abi/poll.h"
#include "abi/signal.h"
#include "abi/stat.h"
#include "abi/time.h"
#include "sentry/kernel/signal.h"
#include "sentry/kernel/task.h"
#include "sentry/mm/usercopy.h"
#include "sentry/syscall/strace.h"
#include "sentry/vfs/fdtable.h"
#include "sentry/vfs/file.h"

#define ITEMS_MAX	6	/* of an array that are shown */

#define FMT(name)							\
void									\
name(struct strbuf *sb, struct task *t UNUSED, const uint64_t raw[6], unsigned i UNUSED, int64_t ret UNUSED)

static bool
fetch(struct task *t, uint64_t va, void *dst, size_t len)
{
	return t->mm && va && copy_in(t, dst, gaddr_from(va), len) == 0;
}

/* Fetches one struct into obj, or prints the address and leaves. A failed call has filled nothing. */
#define FETCH(obj) do {							\
	if (ret < 0 || !fetch(t, raw[i], &(obj), sizeof(obj))) {	\
		fmt_addr(sb, t, raw, i, ret);				\
		return;							\
	}								\
} while (0)

/* ---- descriptors and names ----------------------------------------------------- */

static void
put_fd(struct strbuf *sb, struct task *t, int32_t fd)
{
	AUTO_PUT(file) f = NULL;
	char text[STRACE_PATH];

	sb_printf(sb, "%d", fd);
	if (fd < 0 || t->files == NULL || fd_get_path(t, fd, &f) != 0)
		return;
	if (f->path.mnt == NULL)
		sb_printf(sb, "<%s>", f->ops->kind);
	else if (path_text_task(t, &f->path, text, sizeof text) >= 0)
		sb_printf(sb, "<%s>", text);
}

FMT(fmt_fd)
{
	put_fd(sb, t, (int32_t)raw[i]);
}

FMT(fmt_dirfd)
{
	if ((int32_t)raw[i] == -100)
		sb_puts(sb, "AT_FDCWD");
	else
		put_fd(sb, t, (int32_t)raw[i]);
}

static void
put_str(struct strbuf *sb, struct task *t, uint64_t va, size_t limit)
{
	char text[STRACE_PATH + 1] = "";
	int64_t n;

	if (va == 0) {
		sb_puts(sb, "NULL");
		return;
	}
	if (t->mm == NULL || copy_in_some(t->mm, text, gaddr_from(va), sizeof text) <= 0) {
		sb_printf(sb, "%#llx", (unsigned long long)va);
		return;
	}
	n = (int64_t)strnlen(text, sizeof text);
	sb_quote(sb, text, (size_t)n, limit);
}

FMT(fmt_path)
{
	put_str(sb, t, raw[i], STRACE_PATH);
}

FMT(fmt_outstr)
{
	if (ret < 0)
		fmt_addr(sb, t, raw, i, ret);
	else
		put_str(sb, t, raw[i], STRACE_PATH);
}

FMT(fmt_argv)
{
	uint64_t va = raw[i], p;

	if (va == 0) {
		sb_puts(sb, "NULL");
		return;
	}
	sb_putc(sb, '[');
	for (unsigned k = 0; fetch(t, va, &p, sizeof p) && p; k++, va += sizeof p) {
		if (k)
			sb_puts(sb, ", ");
		if (k == ITEMS_MAX) {
			sb_puts(sb, "...");
			break;
		}
		put_str(sb, t, p, STRACE_STR);
	}
	sb_putc(sb, ']');
}

/* ---- buffers -------------------------------------------------------------------- */

static void
put_buf(struct strbuf *sb, struct task *t, uint64_t va, uint64_t len)
{
	char text[STRACE_STR] = "";
	uint64_t show = min(len, (uint64_t)sizeof text);
	int64_t n = 0;

	if (show && t->mm)
		n = copy_in_some(t->mm, text, gaddr_from(va), show);
	if (va == 0 || n < 0 || (show && n == 0)) {
		sb_printf(sb, "%#llx", (unsigned long long)va);
		return;
	}
	sb_quote(sb, text, (size_t)n, sizeof text);
	if (len > (uint64_t)n)
		sb_puts(sb, "...");
}

FMT(fmt_inbuf)
{
	put_buf(sb, t, raw[i], i < 5 ? raw[i + 1] : 0);
}

FMT(fmt_outbuf)
{
	if (ret < 0)
		fmt_addr(sb, t, raw, i, ret);
	else
		put_buf(sb, t, raw[i], (uint64_t)ret);
}

/* At most `total` bytes over the vector at raw[i], whose count is the next argument. */
static void
put_iov(struct strbuf *sb, struct task *t, const uint64_t raw[6], unsigned i, uint64_t total)
{
	struct { uint64_t base, len; } v;
	uint64_t n = raw[i + 1];

	sb_putc(sb, '[');
	for (uint64_t k = 0; k < n; k++) {
		if (k)
			sb_puts(sb, ", ");
		if (k == ITEMS_MAX || !fetch(t, raw[i] + k * sizeof v, &v, sizeof v)) {
			sb_puts(sb, "...");
			break;
		}
		put_buf(sb, t, v.base, min(v.len, total));
		sb_printf(sb, ":%llu", (unsigned long long)v.len);
		total -= min(v.len, total);
	}
	sb_putc(sb, ']');
}

FMT(fmt_iniov)
{
	put_iov(sb, t, raw, i, UINT64_MAX);
}

FMT(fmt_outiov)
{
	if (ret < 0)
		fmt_addr(sb, t, raw, i, ret);
	else
		put_iov(sb, t, raw, i, (uint64_t)ret);
}

FMT(fmt_u32)
{
	uint32_t v;

	FETCH(v);
	sb_printf(sb, "[%u]", v);
}

FMT(fmt_u64)
{
	uint64_t v;

	FETCH(v);
	sb_printf(sb, "[%llu]", (unsigned long long)v);
}

FMT(fmt_fdpair)
{
	int32_t v[2];

	FETCH(v);
	sb_printf(sb, "[%d, %d]", v[0], v[1]);
}

/* ---- time ------------------------------------------------------------------------ */

static void
put_timespec(struct strbuf *sb, const struct abi_timespec *ts)
{
	sb_printf(sb, "%lld.%09lld", (long long)ts->tv_sec, (long long)ts->tv_nsec);
}

FMT(fmt_timespec)
{
	struct abi_timespec ts;

	FETCH(ts);
	put_timespec(sb, &ts);
}

FMT(fmt_timeval)
{
	struct abi_timeval tv;

	FETCH(tv);
	sb_printf(sb, "%lld.%06lld", (long long)tv.tv_sec, (long long)tv.tv_usec);
}

FMT(fmt_itimer)
{
	struct abi_itimerval it;

	FETCH(it);
	sb_printf(sb, "{value=%lld.%06lld, interval=%lld.%06lld}", (long long)it.it_value.tv_sec,
	    (long long)it.it_value.tv_usec, (long long)it.it_interval.tv_sec,
	    (long long)it.it_interval.tv_usec);
}

FMT(fmt_itimerspec)
{
	struct abi_itimerspec it;

	FETCH(it);
	sb_puts(sb, "{value=");
	put_timespec(sb, &it.it_value);
	sb_puts(sb, ", interval=");
	put_timespec(sb, &it.it_interval);
	sb_putc(sb, '}');
}

static void
put_limit(struct strbuf *sb, uint64_t v)
{
	if (v == UINT64_MAX)
		sb_puts(sb, "RLIM_INFINITY");
	else
		sb_printf(sb, "%llu", (unsigned long long)v);
}

FMT(fmt_rlimit)
{
	struct rlimit64 r;

	FETCH(r);
	sb_putc(sb, '{');
	put_limit(sb, r.cur);
	sb_puts(sb, ", ");
	put_limit(sb, r.max);
	sb_putc(sb, '}');
}

/* ---- files ------------------------------------------------------------------------- */

FMT(fmt_stat)
{
	struct abi_stat st;

	FETCH(st);
	sb_printf(sb, "{ino=%llu, mode=0%o, uid=%u, gid=%u, size=%lld}", (unsigned long long)st.st_ino,
	    st.st_mode, st.st_uid, st.st_gid, (long long)st.st_size);
}

static void
put_pollbits(struct strbuf *sb, uint32_t v)
{
	static const struct flagname bits[] = {
		{ 1, "IN" }, { 2, "PRI" }, { 4, "OUT" }, { 8, "ERR" }, { 0x10, "HUP" }, { 0x20, "NVAL" },
		{ 0x40, "RDNORM" }, { 0x100, "WRNORM" }, { 0x2000, "RDHUP" },
		{ 0x10000000, "EXCLUSIVE" }, { 0x40000000, "ONESHOT" }, { 0x80000000U, "ET" },
	};

	strace_flags(sb, v, bits, ARRAY_LEN(bits), "0");
}

FMT(fmt_pollfds)
{
	uint64_t n = (uint32_t)raw[i + 1];
	struct abi_pollfd p;

	sb_putc(sb, '[');
	for (uint64_t k = 0; k < n; k++) {
		if (k)
			sb_puts(sb, ", ");
		if (k == ITEMS_MAX || !fetch(t, raw[i] + k * sizeof p, &p, sizeof p)) {
			sb_puts(sb, "...");
			break;
		}
		sb_printf(sb, "{%d, ", p.fd);
		put_pollbits(sb, (uint16_t)p.events);
		sb_putc(sb, '}');
	}
	sb_putc(sb, ']');
}

static void
put_epoll(struct strbuf *sb, const struct abi_epoll_event *e)
{
	sb_putc(sb, '{');
	put_pollbits(sb, e->events);
	sb_printf(sb, ", %#llx}", (unsigned long long)e->data);
}

FMT(fmt_epoll_event)
{
	struct abi_epoll_event e;

	FETCH(e);
	put_epoll(sb, &e);
}

FMT(fmt_epoll_events)
{
	struct abi_epoll_event e;

	sb_putc(sb, '[');
	for (int64_t k = 0; k < ret; k++) {
		if (k)
			sb_puts(sb, ", ");
		if (k == ITEMS_MAX || !fetch(t, raw[i] + (uint64_t)k * sizeof e, &e, sizeof e)) {
			sb_puts(sb, "...");
			break;
		}
		put_epoll(sb, &e);
	}
	sb_putc(sb, ']');
}

/* ---- signals and processes ------------------------------------------------------------ */

FMT(fmt_sigset)
{
	uint64_t set;

	FETCH(set);
	strace_sigset(sb, set);
}

FMT(fmt_sigaction)
{
	static const struct flagname flags[] = {
		{ SA_NOCLDSTOP, "SA_NOCLDSTOP" }, { SA_NOCLDWAIT, "SA_NOCLDWAIT" }, { SA_SIGINFO, "SA_SIGINFO" },
		{ SA_ONSTACK, "SA_ONSTACK" }, { SA_RESTART, "SA_RESTART" }, { SA_NODEFER, "SA_NODEFER" },
		{ 0x80000000U, "SA_RESETHAND" }, { SA_RESTORER, "SA_RESTORER" },
	};
	struct abi_sigaction a;

	FETCH(a);
	if (a.handler == ABI_SIG_DFL)
		sb_puts(sb, "{SIG_DFL, ");
	else if (a.handler == ABI_SIG_IGN)
		sb_puts(sb, "{SIG_IGN, ");
	else
		sb_printf(sb, "{%#llx, ", (unsigned long long)a.handler);
	strace_sigset(sb, a.mask);
	sb_puts(sb, ", ");
	strace_flags(sb, a.flags, flags, ARRAY_LEN(flags), "0");
	sb_putc(sb, '}');
}

FMT(fmt_siginfo)
{
	struct abi_siginfo info;

	FETCH(info);
	sb_putc(sb, '{');
	strace_signo(sb, info.si_signo);
	sb_printf(sb, ", code=%d", info.si_code);
	if (info.si_signo == SIGCHLD)
		sb_printf(sb, ", pid=%d, status=%d", info.si_pid, info.si_status);
	else if (info.si_code <= 0)
		sb_printf(sb, ", pid=%d, uid=%u", info.si_pid, info.si_uid);
	sb_putc(sb, '}');
}

FMT(fmt_wstatus)
{
	int32_t st;

	/* Nothing was waited for: nothing was filled. */
	if (ret == 0) {
		fmt_addr(sb, t, raw, i, ret);
		return;
	}
	FETCH(st);
	if ((st & 0x7f) == 0) {
		sb_printf(sb, "[exited %d]", st >> 8 & 0xff);
	} else if (st == 0xffff) {
		sb_puts(sb, "[continued]");
	} else if ((st & 0xff) == 0x7f) {
		sb_puts(sb, "[stopped by ");
		strace_signo(sb, st >> 8 & 0xff);
		sb_putc(sb, ']');
	} else {
		sb_puts(sb, "[killed by ");
		strace_signo(sb, st & 0x7f);
		sb_puts(sb, st & 0x80 ? ", core]" : "]");
	}
}
