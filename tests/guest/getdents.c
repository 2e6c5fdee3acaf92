/* getdents64: what is listed, small buffers, seeking, changes while reading. */
#include "guest.h"

struct ent {
	uint64_t	ino;
	int64_t		off;
	uint16_t	len;
	uint8_t		type;
	char		name[];
};

static int
by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Reads all with a buffer of that size and prints the names in order. */
static void
list(int fd, size_t size, bool all)
{
	char buf[4096], *names[300], line[1024] = "";
	int n = 0, calls = 0, badlen = 0;
	long r;

	while ((r = Q(getdents64, fd, buf, size)) > 0) {
		calls++;
		for (long at = 0; at < r; ) {
			struct ent *e = (void *)(buf + at);

			if (e->len % 8 || e->len < 19 + strlen(e->name) + 1)
				badlen++;
			if (n < 300) {
				names[n] = malloc(300);
				sprintf(names[n++], "%s:%s", e->name, e->type == DT_DIR ? "dir" : e->type == DT_REG ? "reg" :
				    e->type == DT_LNK ? "lnk" : e->type == DT_FIFO ? "fifo" : e->type == DT_SOCK ? "sock" :
				    e->type == DT_CHR ? "chr" : "?");
			}
			at += e->len;
		}
	}
	qsort(names, n, sizeof *names, by_text);
	for (int i = 0; i < n; i++) {
		if (all && strlen(line) < 900)
			sprintf(line + strlen(line), " %s", names[i]);
		if (i && strcmp(names[i], names[i - 1]) == 0)
			P("twice: %s", names[i]);
		if (i)
			free(names[i - 1]);
	}
	P("end %s, %d names, bad lengths %d, calls %s:%s", res(r), n, badlen, calls > 1 ? "several" : "one", line);
}

int
main(void)
{
	char buf[4096], name[32];
	int fd, f;
	long r;

	scratch();
	put("f", "");
	S(getdents64, -1, buf, 1024);
	f = open("f", O_RDONLY);
	S(getdents64, f, buf, 1024);
	mkdir("d", 0755);
	mkdir("d/sub", 0755);
	put("d/reg", "");
	symlink("none", "d/lnk");
	mkfifo("d/fifo", 0644);
	mknod("d/sock", S_IFSOCK | 0644, 0);
	mkdir("d/empty", 0755);
	fd = open("d", O_RDONLY);
	S(getdents64, fd, BAD, 1024);
	S(getdents64, fd, buf, 0);
	S(getdents64, fd, buf, 10);
	list(fd, 1024, true);
	S(getdents64, fd, buf, 1024);
	S(lseek, fd, 0, SEEK_SET);
	list(fd, 64, true);
	S(lseek, fd, 0, SEEK_SET);
	r = Q(getdents64, fd, buf, 32);
	P("first: %s, %s", r > 0 ? "some" : res(r), r > 0 && ((struct ent *)buf)->name[0] ? "named" : "?");
	/* a place remembered and gone back to */
	int64_t place = ((struct ent *)buf)->off;
	char after[64] = "";
	if (Q(getdents64, fd, buf, 64) > 0)
		strcpy(after, ((struct ent *)buf)->name);
	Q(getdents64, fd, buf, 1024);
	P("back: %s", ok(Q(lseek, fd, place, SEEK_SET)));
	r = Q(getdents64, fd, buf, 1024);
	P("the same follows: %s", r > 0 && strcmp(after, ((struct ent *)buf)->name) == 0 ? "yes" : "no");
	fd = open("d/empty", O_RDONLY);
	list(fd, 1024, true);
	put("d/empty/new", "");
	S(lseek, fd, 0, SEEK_SET);
	list(fd, 1024, true);
	rename("d/empty/new", "d/empty/other");
	S(lseek, fd, 0, SEEK_SET);
	list(fd, 1024, true);
	unlink("d/empty/other");
	rmdir("d/empty");
	S(lseek, fd, 0, SEEK_SET);
	S(getdents64, fd, buf, 1024);
	/* many names, with some removed in the middle of the reading */
	mkdir("many", 0755);
	for (int i = 0; i < 200; i++) {
		snprintf(name, sizeof name, "many/file%03d", i);
		put(name, "");
	}
	fd = open("many", O_RDONLY);
	list(fd, 512, false);
	S(lseek, fd, 0, SEEK_SET);
	Q(getdents64, fd, buf, 512);
	int seen = 0;
	for (int i = 0; i < 200; i++) {
		snprintf(name, sizeof name, "many/file%03d", i);
		unlink(name);
	}
	while ((r = Q(getdents64, fd, buf, 512)) > 0)
		seen++;
	P("after removal the reading ends: %s", res(r));
	fd = open("many", O_RDONLY);
	list(fd, 1024, true);
	int op = open("many", O_PATH);
	S(getdents64, op, buf, 1024);
	S(rmdir, "many");
	(void)seen;
	return 0;
}
