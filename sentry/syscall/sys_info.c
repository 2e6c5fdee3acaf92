/* Calls that ask about or name the system: uname and its setters, sysinfo, getrandom, syslog, getcpu. */
#include <linux/capability.h>
#include <linux/sysinfo.h>
#include <string.h>
#include <time.h>

#include "abi/uts.h"
#include "base/hostcall.h"
#include "base/kmem.h"
#include "sentry/kernel/task.h"
#include "sentry/mm/pages.h"
#include "sentry/mm/usercopy.h"
#include "sentry/syscall/syscall.h"

#define UTS_LEN		65
#define PERS_UNAME26	0x0020000

#define UTS_RELEASE_26	"2.6.61"	/* to those who cannot bear more */

#define GRND_NONBLOCK	1
#define GRND_RANDOM	2
#define GRND_INSECURE	4
#define RANDOM_CHUNK	4096
#define RANDOM_MAX	0x1ffffffULL	/* of one call, as Linux */

#define SYSLOG_READ_ALL		3
#define SYSLOG_SIZE_UNREAD	9
#define SYSLOG_SIZE_BUFFER	10

int64_t
sys_uname(struct task *t, gaddr_t buf)
{
	char u[6][UTS_LEN] = {
		[0] = "Linux", [2] = UTS_RELEASE, [3] = UTS_VERSION, [4] = "x86_64",
	};

	if (t->personality & PERS_UNAME26)
		memcpy(u[2], UTS_RELEASE_26, sizeof UTS_RELEASE_26);
	mutex_lock(&t->uts->mu);
	memcpy(u[1], t->uts->nodename, UTS_LEN);
	memcpy(u[5], t->uts->domainname, UTS_LEN);
	mutex_unlock(&t->uts->mu);
	if (u[5][0] == '\0')
		memcpy(u[5], "(none)", sizeof "(none)");
	return copy_out(t, buf, u, sizeof u);
}

static int64_t
set_name(struct task *t, char *field, gaddr_t name, uint64_t len)
{
	char text[UTS_LEN] = { 0 };
	int err;

	if (!task_capable(t, CAP_SYS_ADMIN))
		return -EPERM;
	if (len > UTS_LEN - 1)
		return -EINVAL;
	err = copy_in(t, text, name, len);
	if (err)
		return err;
	mutex_lock(&t->uts->mu);
	memcpy(field, text, UTS_LEN);
	mutex_unlock(&t->uts->mu);
	return 0;
}

int64_t
sys_sethostname(struct task *t, gaddr_t name, uint64_t len)
{
	return set_name(t, t->uts->nodename, name, len);
}

int64_t
sys_setdomainname(struct task *t, gaddr_t name, uint64_t len)
{
	return set_name(t, t->uts->domainname, name, len);
}

int64_t
sys_sysinfo(struct task *t, gaddr_t info)
{
	struct sysinfo s;
	/* As /proc/meminfo has it. */
	uint64_t total = kernel.memory_limit ? min(kernel.memory_limit, kernel.ram) : kernel.ram;
	uint64_t used = pages_used();

	memset(&s, 0, sizeof s);
	s.uptime = (int64_t)(host_clock_ns(CLOCK_BOOTTIME) / NSEC_PER_SEC);
	s.totalram = total;
	s.freeram = used < total ? total - used : 0;
	mutex_lock(&kernel.tasks_mu);
	s.procs = (uint16_t)min(kernel.ntasks, (uint32_t)UINT16_MAX);
	mutex_unlock(&kernel.tasks_mu);
	s.mem_unit = 1;
	return copy_out(t, info, &s, sizeof s);
}

int64_t
sys_getrandom(struct task *t, gaddr_t buf, uint64_t len, uint32_t flags)
{
	AUTO_FREE char *chunk = NULL;
	uint64_t done = 0;
	size_t size;

	if (flags & ~(uint32_t)(GRND_NONBLOCK | GRND_RANDOM | GRND_INSECURE))
		return -EINVAL;
	if ((flags & (GRND_RANDOM | GRND_INSECURE)) == (GRND_RANDOM | GRND_INSECURE))
		return -EINVAL;
	if (len == 0)
		return 0;
	len = min(len, RANDOM_MAX);
	size = min(len, (uint64_t)RANDOM_CHUNK);
	chunk = mem_alloc(size);
	if (chunk == NULL)
		return -ENOMEM;
	while (done < len) {
		size_t n = min(len - done, (uint64_t)size);
		int64_t put;

		kernel_random(chunk, n);
		put = copy_out_some(t->mm, gaddr_add(buf, done), chunk, n);
		if (put < 0)
			return done ? (int64_t)done : put;
		done += (uint64_t)put;
		if ((size_t)put < n)
			break;
		if (signal_pending(t) && done < len)
			break;
	}
	return (int64_t)done;
}

/* There is a log, and nothing in it: what dmesg(1) sees in a quiet container. */
int64_t
sys_syslog(struct task *t, int32_t type, gaddr_t buf, int32_t len)
{
	/* As with kernel.dmesg_restrict. */
	if (!task_capable(t, CAP_SYSLOG))
		return -EPERM;
	switch (type) {
	case SYSLOG_READ_ALL:
		if (gaddr_is_null(buf) || len < 0)
			return -EINVAL;
		return 0;
	case SYSLOG_SIZE_UNREAD:
		return 0;
	case SYSLOG_SIZE_BUFFER:
		return 1 << 17;
	default:
		report_missing(t, "syslog action %d", type);
		return type < 0 || type > SYSLOG_SIZE_BUFFER ? -EINVAL : -EPERM;
	}
}

int64_t
sys_getcpu(struct task *t, gaddr_t cpu, gaddr_t node, gaddr_t tcache)
{
	int err = 0;

	(void)tcache;	/* unused since 2.6.24 */
	if (!gaddr_is_null(cpu))
		err = put_u32(t, cpu, host_cpu() % max(kernel.ncpus, 1U));
	if (!err && !gaddr_is_null(node))
		err = put_u32(t, node, 0);
	return err;
}
