/*
 * readlink of names that are no links, asked at the same place again and again: the answer is fresh after whatever changes
 * the name, a directory above it, who may look there, or where the root is; by this thread, another, or another process.
 */
#include "guest.h"

#include <sys/mount.h>

static char buf[64];

/* The one place that asks: with its registers as they should be afterwards. */
static long __attribute__((noinline))
ask(const char *path, void *to, long size)
{
	register long r8 __asm__("r8") = 0x8888;
	register long r9 __asm__("r9") = 0x9999;
	register long r10 __asm__("r10") = 0x1010;
	const char *di = path;
	void *si = to;
	long dx = size, ret = SYS_readlink;

	__asm__ volatile("syscall" : "+a"(ret), "+D"(di), "+S"(si), "+d"(dx), "+r"(r8), "+r"(r9), "+r"(r10) : : "rcx", "r11", "memory", "cc");
	if (di != path || si != to || dx != size || r8 != 0x8888 || r9 != 0x9999 || r10 != 0x1010)
		die("registers");
	return ret;
}

static long
often(const char *path)
{
	long r = 0;

	for (int i = 0; i < 20; i++)
		r = ask(path, buf, sizeof buf);
	return r;
}

static void
show_name(const char *when, const char *path)
{
	long r = often(path);

	P("%s: %s", when, r < 0 ? res(r) : "a link");
}

static void
in_child(const char *when, const char *path, void (*change)(void))
{
	int up[2], go[2], status;
	char c = 0;
	pid_t pid;

	if (pipe(up) != 0 || pipe(go) != 0)
		die("pipe");
	often(path);
	pid = fork();
	if (pid == 0) {
		if (read(go[0], &c, 1) != 1)
			_exit(1);
		change();
		_exit(0);
	}
	show_name(when, path);
	if (write(go[1], &c, 1) != 1 || waitpid(pid, &status, 0) != pid)
		die("child");
	show_name(when, path);
	close(up[0]); close(up[1]); close(go[0]); close(go[1]);
}

static char base[32], file[64], up[64], other[64];

static void make_file(void) { close(open(file, O_CREAT | O_WRONLY, 0644)); }
static void away(void) { unlink(file); }
static void to_link(void) { unlink(file); if (symlink("x", file)) _exit(1); }
static void dir_away(void) { rename(up, other); }
static void dir_back(void) { rename(other, up); }
static void over(void) { close(open(other, O_CREAT | O_WRONLY, 0644)); rename(other, file); }
static void link_over(void) { if (symlink("y", other)) _exit(1); rename(other, file); }

static void
by_rights(void)
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		chmod(base, 0755);
		chmod(up, 0700);
		show_name("root looks", file);
		if (Q(setresuid, 1000, 1000, 1000) != 0)
			die("setresuid");
		show_name("another user", file);
		_exit(0);
	}
	waitpid(pid, &status, 0);
	chmod(up, 0755);
	pid = fork();
	if (pid == 0) {
		int go[2];
		char c = 0;
		pid_t root;

		if (pipe(go) != 0)
			die("pipe");
		root = fork();
		if (root == 0) {
			if (read(go[0], &c, 1) == 1)
				chmod(up, 0700);
			_exit(0);
		}
		if (Q(setresuid, 1000, 1000, 1000) != 0)
			die("setresuid");
		show_name("while it may", file);
		if (write(go[1], &c, 1) != 1)
			die("write");
		waitpid(root, &status, 0);
		show_name("when it may not", file);
		_exit(0);
	}
	waitpid(pid, &status, 0);
	chmod(up, 0755);
}

static void
by_root(void)
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		show_name("outside", file);
		S(chroot, base);
		show_name("inside, the old name", file);
		show_name("inside, the new one", "/up/file");
		_exit(0);
	}
	waitpid(pid, &status, 0);
}

static void
by_mount(void)
{
	often(file);
	T(mount("none", up, "tmpfs", 0, NULL));
	show_name("under a mount", file);
	T(umount(up));
	show_name("after it", file);
	to_link();
	T(mount("none", up, "tmpfs", 0, NULL));
	make_file();
	show_name("a file there", file);
	T(umount(up));
	show_name("a link here", file);
	away();
	make_file();
}

static volatile int stop, signals;

static void
on_usr(int s)
{
	(void)s;
	signals++;
}

static void *
pest(void *victim)
{
	while (!stop) {
		pthread_kill(*(pthread_t *)victim, SIGUSR1);
		for (volatile int i = 0; i < 2000; i++)
			;
	}
	return NULL;
}

static void
under_signals(void)
{
	pthread_t me = pthread_self(), t;
	int wrong = 0, n;

	signal(SIGUSR1, on_usr);
	pthread_create(&t, NULL, pest, &me);
	for (n = 0; n < 20000 || signals < 200; n++)
		wrong += ask(file, buf, sizeof buf) != -EINVAL;
	stop = 1;
	pthread_join(t, NULL);
	P("under signals: %d wrong, %s", wrong, signals > 0 ? "some came" : "none came");
}

int
main(void)
{
	char longname[400];
	char *page;

	strcpy(base, "/tmp/namesXXXXXX");
	if (mkdtemp(base) == NULL)
		die("mkdtemp");
	snprintf(up, sizeof up, "%s/up", base);
	snprintf(file, sizeof file, "%s/up/file", base);
	snprintf(other, sizeof other, "%s/other", base);
	mkdir(up, 0755);
	show_name("nothing yet", file);
	make_file();
	show_name("a file", file);
	show_name("its directory", up);
	away();
	show_name("unlinked", file);
	make_file();
	often(file);
	to_link();
	show_name("a link instead", file);
	away();
	make_file();
	often(file);
	over();
	show_name("another file renamed over it", file);
	link_over();
	show_name("a link renamed over it", file);
	away();
	make_file();
	if (symlink("z", other) != 0)
		die("symlink");
	often(file);
	S(renameat2, AT_FDCWD, file, AT_FDCWD, other, 2 /* RENAME_EXCHANGE */);
	show_name("exchanged with a link", file);
	unlink(other);
	away();
	make_file();
	in_child("unlinked by a child", file, away);
	make_file();
	in_child("a link by a child", file, to_link);
	away();
	make_file();
	in_child("its directory moved away", file, dir_away);
	in_child("and back", file, dir_back);
	often(up);
	unlink(file);
	rmdir(up);
	show_name("directory removed", up);
	mkdir(up, 0755);
	make_file();
	/* What the kernel looks at before it looks at the name. */
	often(file);
	P("no room: %s %s", res(ask(file, buf, 0)), res(ask(file, buf, -1)));
	P("no buffer: %s", res(ask(file, BAD, 64)));
	P("no name: %s %s", res(ask(BAD, buf, 64)), res(ask("", buf, 64)));
	page = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	munmap(page + 4096, 4096);
	memcpy(page + 4096 - strlen(file), file, strlen(file));
	P("no end: %s", res(ask(page + 4096 - strlen(file), buf, 64)));
	memcpy(page + 4096 - strlen(file) - 1, file, strlen(file) + 1);
	P("at the end: %s", res(ask(page + 4096 - strlen(file) - 1, buf, 64)));
	/* Long ones. */
	for (int n = 200; n < 300; n++) {
		strcpy(longname, base);
		for (int at = (int)strlen(longname); at < n; at++)
			longname[at] = '/';
		strcpy(longname + n, "up/file");
		if (often(longname) != -EINVAL)
			P("%d: %s", n, res(often(longname)));
	}
	by_rights();
	by_root();
	by_mount();
	under_signals();
	/* Of a link into /proc, which nobody can know. */
	snprintf(longname, sizeof longname, "/proc/self/fd/%d", open(file, O_RDONLY));
	show_name("a link of /proc", longname);
	close(atoi(strrchr(longname, '/') + 1));
	show_name("closed", longname);
	unlink(file);
	rmdir(up);
	rmdir(base);
	return 0;
}
