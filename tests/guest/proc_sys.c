/* The files of /proc that are not about one process: their form. */
#include "guest.h"

static char text[262144];

static bool
slurp(const char *path)
{
	int fd = open(path, O_RDONLY);
	long n = 0, r;

	text[0] = 0;
	if (fd < 0) {
		P("%s: %s", path, err_name(errno));
		return false;
	}
	while ((r = read(fd, text + n, sizeof text - 1 - n)) > 0)
		n += r;
	close(fd);
	text[n] = 0;
	return true;
}

static void
has(const char *path, const char *what)
{
	if (slurp(path))
		P("%s: %s %s", path, what, strstr(text, what) ? "there" : "missing");
}

int
main(void)
{
	struct timespec up;
	double a = -1, b = -1;

	has("/proc/meminfo", "MemTotal:");
	has("/proc/meminfo", "\nMemFree:");
	has("/proc/meminfo", "\nMemAvailable:");
	has("/proc/meminfo", "\nBuffers:");
	has("/proc/meminfo", "\nCached:");
	has("/proc/meminfo", "\nSwapTotal:");
	has("/proc/stat", "cpu  ");
	has("/proc/stat", "\ncpu0 ");
	has("/proc/stat", "\nbtime ");
	has("/proc/stat", "\nprocesses ");
	has("/proc/cpuinfo", "processor\t: 0");
	has("/proc/cpuinfo", "flags\t\t:");
	has("/proc/filesystems", "nodev\tproc\n");
	has("/proc/filesystems", "nodev\ttmpfs\n");
	has("/proc/mounts", " /proc proc ");
	has("/proc/version", "Linux version ");
	has("/proc/sys/kernel/ostype", "Linux\n");
	slurp("/proc/uptime");
	clock_gettime(CLOCK_BOOTTIME, &up);
	P("uptime %s", sscanf(text, "%lf %lf", &a, &b) == 2 && a > 0 && b >= 0 ? "two numbers" : "?");
	slurp("/proc/loadavg");
	int run = -1, all = -1, last = -1;
	P("loadavg %s", sscanf(text, "%*f %*f %*f %d/%d %d", &run, &all, &last) == 3 && all >= run ? "right" : "?");
	slurp("/proc/sys/kernel/pid_max");
	P("pid_max %s", atoi(text) >= 32768 ? "a number" : "?");
	slurp("/proc/sys/kernel/osrelease");
	P("osrelease %s", isdigit(text[0]) ? "a number" : "?");
	slurp("/proc/sys/kernel/hostname");
	char host[65] = "";
	gethostname(host, sizeof host);
	P("hostname %s", strncmp(text, host, strlen(host)) == 0 ? "agrees" : "differs");
	slurp("/proc/sys/vm/overcommit_memory");
	P("overcommit_memory %s", isdigit(text[0]) ? "a number" : "?");
	slurp("/proc/sys/fs/pipe-max-size");
	P("pipe-max-size %s", atoi(text) >= 65536 ? "a number" : "?");
	slurp("/proc/sys/fs/file-max");
	P("file-max %s", isdigit(text[0]) ? "a number" : "?");
	slurp("/proc/sys/kernel/random/boot_id");
	P("boot_id %s", strlen(text) == 37 && text[8] == '-' ? "right" : "?");
	slurp("/proc/sys/kernel/random/uuid");
	P("uuid %s", strlen(text) == 37 && text[14] == '4' ? "right" : "?");
	slurp("/proc/sys/kernel/cap_last_cap");
	P("cap_last_cap %s", atoi(text) >= 37 ? "a number" : "?");
	slurp("/proc/sys/kernel/ngroups_max");
	P("ngroups_max %s", text);
	S(open, "/proc/sys/kernel/ostype", O_WRONLY);
	S(open, "/proc/sys/none", O_RDONLY);
	/* the listing of processes has this one, and its child only while it lives */
	pid_t pid = START(pause());
	int me = 0, kid = 0, other = 0;
	DIR *d = opendir("/proc");
	struct dirent *e;
	while ((e = readdir(d)) != NULL) {
		me += atoi(e->d_name) == getpid();
		kid += atoi(e->d_name) == pid;
		other += strcmp(e->d_name, "meminfo") == 0 || strcmp(e->d_name, "self") == 0 || strcmp(e->d_name, "sys") == 0;
	}
	P("listed: self %d child %d others %d", me, kid, other);
	kill(pid, SIGKILL);
	reap(pid);
	kid = 0;
	rewinddir(d);
	while ((e = readdir(d)) != NULL)
		kid += atoi(e->d_name) == pid;
	P("after its end %d", kid);
	/* small reads give the same as one large one */
	slurp("/proc/meminfo");
	int fd = open("/proc/self/status", O_RDONLY);
	char one, first[64];
	for (int i = 0; i < 16; i++) {
		read(fd, &one, 1);
		first[i] = one;
	}
	P("byte by byte: %s", txt(first, 6));
	S(lseek, fd, 2, SEEK_SET);
	S(read, fd, first, 3);
	P("%s", txt(first, 3));
	S(pread64, fd, first, 5, 0);
	P("%s", txt(first, 5));
	struct stat st;
	fstat(fd, &st);
	P("size %ld", (long)st.st_size);
	return 0;
}
