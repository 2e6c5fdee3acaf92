/* /proc/self: the form of the files that programs read. */
#include "guest.h"

static char text[65536];

static long
slurp(const char *path)
{
	int fd = open(path, O_RDONLY);
	long n = 0, r;

	if (fd < 0) {
		P("%s: %s", path, err_name(errno));
		return -1;
	}
	while ((r = read(fd, text + n, sizeof text - 1 - n)) > 0)
		n += r;
	close(fd);
	text[n] = 0;
	return n;
}

/* The value of a "Name:\tvalue" line. */
static const char *
field(const char *name)
{
	char *b = g_buf(), key[64];
	char *at;

	snprintf(key, sizeof key, "\n%s:", name);
	at = strstr(text, key);
	if (!at)
		return strncmp(text, key + 1, strlen(key + 1)) == 0 ? "first" : "missing";
	at += strlen(key);
	at += strspn(at, " \t");
	snprintf(b, 200, "%.*s", (int)strcspn(at, "\n"), at);
	return b;
}

int
main(int argc, char **argv)
{
	char buf[256];
	long n;
	struct stat st;
	int fd;

	(void)argc;
	/* libc keeps 32 and 33 to itself, so whoever starts this may have left them ignored */
	for (int s = 32; s <= 33; s++) {
		unsigned long dfl[4] = { 0 };

		syscall(SYS_rt_sigaction, s, dfl, NULL, 8);
	}
	/* links */
	n = readlink("/proc/self", buf, sizeof buf - 1);
	buf[n < 0 ? 0 : n] = 0;
	P("self %s", atoi(buf) == getpid() ? "is the pid" : buf);
	n = readlink("/proc/thread-self", buf, sizeof buf - 1);
	buf[n < 0 ? 0 : n] = 0;
	char want[64];
	snprintf(want, sizeof want, "%d/task/%d", getpid(), getpid());
	P("thread-self %s", strcmp(buf, want) == 0 ? "right" : buf);
	n = readlink("/proc/self/exe", buf, sizeof buf - 1);
	buf[n < 0 ? 0 : n] = 0;
	P("exe %s", strrchr(buf, '/'));
	scratch();
	n = readlink("/proc/self/cwd", buf, sizeof buf - 1);
	buf[n < 0 ? 0 : n] = 0;
	P("cwd %s", strcmp(buf, g_dir) == 0 ? "right" : buf);
	n = readlink("/proc/self/root", buf, sizeof buf - 1);
	buf[n < 0 ? 0 : n] = 0;
	P("root %s", buf);
	P("exe is a %s when followed, a %s when not", stat("/proc/self/exe", &st) == 0 ? type_of(st.st_mode) : "?",
	    lstat("/proc/self/exe", &st) == 0 ? type_of(st.st_mode) : "?");
	/* cmdline, comm, environ */
	n = slurp("/proc/self/cmdline");
	P("cmdline is argv[0] %s, length right %s", strcmp(text, argv[0]) == 0 ? "yes" : "no", n == (long)strlen(argv[0]) + 1 ? "yes" : "no");
	slurp("/proc/self/comm");
	P("comm %s", txt(text, strlen(text)));
	P("environ: %s", wst(CHILD(
		char *a[] = { "cat", "/proc/self/environ", NULL }, *e[] = { "A=1", "B=2", NULL };
		execve("/bin/cat", a, e);
	)));
	P("%s", "");
	/* status */
	slurp("/proc/self/status");
	P("Name %s Umask %s State %s", field("Name"), field("Umask"), field("State"));
	P("Tgid %s Pid %s PPid %s", atoi(field("Tgid")) == getpid() ? "right" : "?", atoi(field("Pid")) == getpid() ? "right" : "?",
	    atoi(field("PPid")) == getppid() ? "right" : "?");
	P("Uid %s Gid %s Threads %s TracerPid %s", field("Uid"), field("Gid"), field("Threads"), field("TracerPid"));
	P("SigBlk %s SigIgn %s SigCgt %s ShdPnd %s", field("SigBlk"), field("SigIgn"), field("SigCgt"), field("ShdPnd"));
	const char *have[] = { "FDSize", "Groups", "VmPeak", "VmSize", "VmRSS", "VmData", "VmStk", "VmExe", "SigQ", "SigPnd", "CapInh", "CapPrm",
		"CapEff", "CapBnd", "CapAmb", "NoNewPrivs", "Seccomp", "Cpus_allowed", "Cpus_allowed_list", "voluntary_ctxt_switches",
		"nonvoluntary_ctxt_switches" };
	for (size_t i = 0; i < N_OF(have); i++)
		P("%s %s", have[i], strcmp(field(have[i]), "missing") == 0 ? "missing" : "there");
	P("VmRSS in kB %s, not zero %s", strstr(field("VmRSS"), " kB") ? "yes" : "no", atoi(field("VmRSS")) > 0 ? "yes" : "no");
	set_sig(SIGUSR1, SIG_IGN);
	catch_sig(SIGUSR2, 0);
	sigset_t s;
	sigemptyset(&s);
	sigaddset(&s, SIGHUP);
	sigprocmask(SIG_BLOCK, &s, NULL);
	raise(SIGHUP);
	slurp("/proc/self/status");
	P("SigBlk %s SigIgn %s SigCgt %s SigPnd %s", field("SigBlk"), field("SigIgn"), field("SigCgt"), field("SigPnd"));
	/* stat, statm */
	slurp("/proc/self/stat");
	char *at = strrchr(text, ')');
	int fields = 2;
	for (char *p = at ? at + 1 : text; *p; p++)
		fields += *p == ' ';
	P("stat: pid %s, %d fields, newline %s", atoi(text) == getpid() ? "right" : "?", fields, text[strlen(text) - 1] == '\n' ? "yes" : "no");
	char state;
	int ppid, pgrp, sid, tty, tpgid;
	sscanf(at + 2, "%c %d %d %d %d %d", &state, &ppid, &pgrp, &sid, &tty, &tpgid);
	P("state %c ppid %s pgrp %s sid %s", state, ppid == getppid() ? "right" : "?", pgrp == getpgrp() ? "right" : "?", sid == getsid(0) ? "right" : "?");
	n = slurp("/proc/self/statm");
	P("statm has %d numbers", sscanf(text, "%*d %*d %*d %*d %*d %*d %n", &fields) >= 0 && fields > 0 ? 7 : 0);
	/* fd, fdinfo, task */
	fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	lseek(fd, 0, SEEK_SET);
	snprintf(buf, sizeof buf, "/proc/self/fd/%d", fd);
	char link[64] = "";
	readlink(buf, link, 63);
	P("fd link %s, lstat mode %04o", link, lstat(buf, &st) == 0 ? st.st_mode & 0777 : 0);
	snprintf(buf, sizeof buf, "/proc/self/fdinfo/%d", fd);
	slurp(buf);
	P("fdinfo pos %s flags %s", strncmp(text, "pos:\t0\n", 7) == 0 ? "0" : "?", field("flags"));
	int p[2];
	pipe(p);
	snprintf(buf, sizeof buf, "/proc/self/fd/%d", p[0]);
	readlink(buf, link, 63);
	P("pipe link %s", strncmp(link, "pipe:[", 6) == 0 ? "pipe:[n]" : link);
	P("open it again for writing %s", ok(Q(open, buf, O_WRONLY | O_NONBLOCK)));
	DIR *d = opendir("/proc/self/fd");
	struct dirent *e;
	int count = 0, bad = 0;
	while ((e = readdir(d)) != NULL) {
		if (e->d_name[0] == '.')
			continue;
		count++;
		bad += fcntl(atoi(e->d_name), F_GETFD) < 0;
	}
	closedir(d);
	P("descriptors listed %s, closed among them %d", count >= 6 ? "all" : res(count), bad);
	S(open, "/proc/self/fd/500", O_RDONLY);
	S(open, "/proc/self/none", O_RDONLY);
	S(open, "/proc/self/fd/x", O_RDONLY);
	OK(open, "/proc/self/status", O_WRONLY | O_CREAT, 0644);
	S(mkdir, "/proc/x", 0755);
	S(unlink, "/proc/self/status");
	S(open, "/proc/0/status", O_RDONLY);
	S(open, "/proc/99999999/status", O_RDONLY);
	/* maps */
	slurp("/proc/self/maps");
	int lines = 0, order = 0, stack = 0, heap = 0, text_seen = 0;
	unsigned long lo, hi, last = 0;
	for (char *l = strtok(text, "\n"); l; l = strtok(NULL, "\n")) {
		char prot[8] = "", dev[16];
		unsigned long off, ino;

		if (sscanf(l, "%lx-%lx %4s %lx %15s %lu", &lo, &hi, prot, &off, dev, &ino) != 6)
			P("odd line");
		lines++;
		order += lo < last || hi <= lo;
		last = hi;
		stack += strstr(l, "[stack]") && strcmp(prot, "rw-p") == 0;
		heap += strstr(l, "[heap]") != NULL;
		text_seen += strstr(l, "/proc_self") && strcmp(prot, "r-xp") == 0 && ino != 0;
	}
	P("maps: lines %s, out of order %d, stack %d, heap %d, text %d", lines > 5 ? "several" : "few", order, stack, heap, text_seen);
	slurp("/proc/self/limits");
	P("limits %s", strncmp(text, "Limit                     Soft Limit           Hard Limit           Units", 70) == 0 ? "right" : "?");
	n = slurp("/proc/self/auxv");
	P("auxv %s", n > 0 && n % 16 == 0 && ((long *)text)[n / 8 - 2] == 0 ? "right" : "?");
	slurp("/proc/self/mounts");
	P("mounts %s", strstr(text, " / ") && strstr(text, " /proc ") ? "has / and /proc" : "?");
	slurp("/proc/self/mountinfo");
	P("mountinfo %s", strstr(text, " - ") ? "right" : "?");
	slurp("/proc/self/cgroup");
	P("cgroup %s", strchr(text, ':') ? "right" : "?");
	slurp("/proc/self/oom_score_adj");
	P("oom_score_adj %s", text[0] ? "a number" : "?");
	fd = open("/proc/self/mem", O_RDWR);
	int word = 0x1234, copy = 0;
	P("mem %s", res(pread(fd, &copy, 4, (off_t)(uintptr_t)&word)));
	P("%#x", copy);
	copy = 0x777;
	P("mem write %s", res(pwrite(fd, &copy, 4, (off_t)(uintptr_t)&word)));
	P("%#x", *(volatile int *)&word);
	P("mem bad %s", res(lib(pread(fd, &copy, 4, 16))));
	/* another process */
	pid_t pid = START(pause());
	await_sleep(pid);
	snprintf(buf, sizeof buf, "/proc/%d/status", pid);
	slurp(buf);
	P("child's state %s", field("State"));
	kill(pid, SIGKILL);
	siginfo_t si;
	waitid(P_PID, pid, &si, WEXITED | WNOWAIT);
	slurp(buf);
	P("zombie's state %s", field("State"));
	snprintf(buf, sizeof buf, "/proc/%d/cmdline", pid);
	P("zombie's cmdline %s", res(slurp(buf)));
	snprintf(buf, sizeof buf, "/proc/%d/exe", pid);
	P("zombie's exe %s", res(lib(readlink(buf, link, 63))));
	reap(pid);
	snprintf(buf, sizeof buf, "/proc/%d/status", pid);
	fd = open(buf, O_RDONLY);
	P("reaped: %s", fd < 0 ? err_name(errno) : "ok");
	return 0;
}
