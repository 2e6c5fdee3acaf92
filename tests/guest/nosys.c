/* Numbers that no kernel knows, and calls that are refused. */
#include "guest.h"

int
main(void)
{
	P("400 %s", res(raw6(400, 0, 0, 0, 0, 0, 0)));
	P("1000 %s", res(raw6(1000, 0, 0, 0, 0, 0, 0)));
	P("-1 %s", res(raw6(-1, 0, 0, 0, 0, 0, 0)));
	P("-9 %s", res(raw6(-9, 0, 0, 0, 0, 0, 0)));
	P("x32 %s", res(raw6(0x40000000 + SYS_getpid, 0, 0, 0, 0, 0, 0)));
	P("huge %s", res(raw6(0x7fffffff, 0, 0, 0, 0, 0, 0)));
	P("upper half is ignored or refused alike %s", res(raw6(0x100000000L + SYS_getpid, 0, 0, 0, 0, 0, 0) > 0));
	S(create_module, "x", 0);
	S(get_kernel_syms, NULL);
	S(query_module, NULL);
	S(nfsservctl, 0);
	S(getpmsg, 0);
	S(afs_syscall, 0);
	S(tuxcall, 0);
	S(security, 0);
	S(epoll_ctl_old, 0);
	S(epoll_wait_old, 0);
	S(vserver, 0);
	P("reboot %s", wst(CHILD(setuid(600); S(reboot, 0, 0, 0, 0); S(mount, "a", "/", "tmpfs", 0, 0); S(umount2, "/", 0);
	    S(pivot_root, "/", "/"); S(settimeofday, NULL, BAD); S(vhangup);
	    S(sethostname, "x", 1); S(setns, -1, 0); S(syslog, 3, BAD, 1); S(mknod, "/tmp/guest-node", S_IFCHR | 0600, 0x103))));
	return 0;
}
