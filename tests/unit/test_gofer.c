/* The gofer's server behind a real socket: what it serves, and what it refuses. */
#include <check.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/hostcall.h"
#include "base/sanitize.h"
#include "base/wire.h"
#include "gofer/hostfs.h"
#include "gofer/proto.h"
#include "gofer/serve.h"

static char dir[64];
static int sock = -1;
static pid_t server_pid;
static uint32_t tag;
static _Alignas(8) char req[GOFER_MSG_MAX], rep[GOFER_MSG_MAX];
static int got_fd = -1;

static void
shell(const char *cmd)
{
	char line[512];

	snprintf(line, sizeof line, "cd %s && %s", dir, cmd);
	ck_assert_int_eq(system(line), 0);
}

/* Mount 0 may be written, mount 1 is the same tree read-only. */
static void NORETURN
serve_child(int s)
{
	static struct server server;
	int err;

	signal(SIGPIPE, SIG_IGN);
	server.sock = s;
	server.nmounts = 2;
	server.mounts[0].fd = open(dir, O_PATH | O_DIRECTORY);
	server.mounts[1].fd = open(dir, O_PATH | O_DIRECTORY);
	server.mounts[0].writable = true;
	umask(0);
	err = hostfs_init();
	if (!err)
		err = server_init(&server);
	if (!err)
		err = server_run(&server);
	server_fini(&server);
	_exit(err ? 1 : 0);
}

static void
setup(void)
{
	int sv[2];

	strcpy(dir, "/tmp/village-gofer-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	shell("mkdir -p a/b/c && echo hello > a/f && ln -s ../f a/link && mkfifo a/fifo && mkdir many");
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sv), 0);
	server_pid = fork();
	ck_assert_int_ge(server_pid, 0);
	if (server_pid == 0) {
		close(sv[0]);
		serve_child(sv[1]);
	}
	close(sv[1]);
	sock = sv[0];
}

static void
teardown(void)
{
	char line[128];
	int status;

	close(sock);
	ck_assert_int_eq(waitpid(server_pid, &status, 0), server_pid);
	/* However it was treated, it ends in good order once the peer is gone. */
	ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	snprintf(line, sizeof line, "rm -rf %s", dir);
	ck_assert_int_eq(system(line), 0);
}

/* Sends req[0..len) and text, receives into rep. 0 or the gofer's -errno. */
static int
ask(enum gofer_op op, size_t len, const char *text, size_t text_len)
{
	struct gofer_head head = { .tag = ++tag, .op = op };
	int fds[WIRE_FDS];
	unsigned nfds = WIRE_FDS;
	int64_t n;

	memcpy(req, &head, sizeof head);
	if (text_len)
		memcpy(req + len, text, text_len);
	ck_assert_int_eq(wire_send(sock, req, len + text_len, NULL, 0), 0);
	n = wire_recv(sock, rep, sizeof rep, fds, &nfds);
	ck_assert_int_ge(n, (int64_t)sizeof head);
	memcpy(&head, rep, sizeof head);
	ck_assert_uint_eq(head.tag, tag);
	ck_assert_uint_le(nfds, 1);
	if (got_fd >= 0)
		close(got_fd);
	got_fd = nfds ? fds[0] : -1;
	if (head.op)
		ck_assert_int_eq(got_fd, -1);
	return -(int)head.op;
}

#define REQ(name) struct gofer_##name##_req *q = memset(req, 0, sizeof *q)
#define REP(name) const struct gofer_##name##_rep *r = (const void *)rep

static uint32_t
attach(uint32_t mount)
{
	REQ(attach);
	REP(attach);

	q->mount = mount;
	ck_assert_int_eq(ask(GOFER_attach, sizeof *q, NULL, 0), 0);
	return r->fid;
}

static int
walk_len(uint32_t fid, const char *names, size_t len, unsigned count, uint16_t flags)
{
	REQ(walk);

	q->fid = fid;
	q->count = (uint16_t)count;
	q->flags = flags;
	q->text_len = (uint32_t)len;
	return ask(GOFER_walk, sizeof *q, names, len);
}

static int
walk(uint32_t fid, const char *names, unsigned count)
{
	return walk_len(fid, names, strlen(names), count, 0);
}

static struct gofer_step
step(unsigned i)
{
	struct gofer_step s;

	memcpy(&s, rep + sizeof(struct gofer_walk_rep) + i * sizeof s, sizeof s);
	return s;
}

static uint32_t
fid_of(uint32_t root, const char *names, unsigned count)
{
	REP(walk);

	ck_assert_int_eq(walk(root, names, count), 0);
	ck_assert_uint_eq(r->count, count);
	return step(count - 1).fid;
}

START_TEST(walks)
{
	REP(walk);
	uint32_t root = attach(0);

	ck_assert_int_eq(walk(root, "a/b/c", 3), 0);
	ck_assert_uint_eq(r->count, 3);
	for (unsigned i = 0; i < 3; i++)
		ck_assert(S_ISDIR(step(i).st.mode));
	ck_assert_int_eq(walk(root, "a/nothing/c", 3), 0);
	ck_assert_uint_eq(r->count, 1);
	ck_assert_int_eq(r->stop, -ENOENT);
	/* A link is where the walk ends: the gofer follows nothing. */
	ck_assert_int_eq(walk(root, "a/link/x", 3), 0);
	ck_assert_uint_eq(r->count, 2);
	ck_assert(S_ISLNK(step(1).st.mode));
	ck_assert_int_eq(r->stop, 0);
	ck_assert_int_eq(walk_len(root, "a", 1, 1, GOFER_WALK_NOFID), 0);
	ck_assert_uint_eq(step(0).fid, 0);
}
END_TEST

START_TEST(tells_of_xattrs)
{
	REP(walk);
	char path[128];
	uint32_t a = fid_of(attach(0), "a", 1);

	ck_assert_int_eq(walk_len(a, "f", 1, 1, GOFER_WALK_XATTRS), 0);
	ck_assert_uint_eq(r->count, 1);
	ck_assert_uint_ne(step(0).fid, 0);
	ck_assert_uint_eq(step(0).no_xattrs, 1);
	ck_assert_int_eq(walk_len(a, "b", 1, 1, GOFER_WALK_XATTRS), 0);
	ck_assert_uint_eq(step(0).no_xattrs, 1);
	/* Who does not ask, or of what is not opened, is told nothing. */
	ck_assert_int_eq(walk(a, "f", 1), 0);
	ck_assert_uint_eq(step(0).no_xattrs, 0);
	ck_assert_int_eq(walk_len(a, "fifo", 4, 1, GOFER_WALK_XATTRS), 0);
	ck_assert_uint_eq(step(0).no_xattrs, 0);
	snprintf(path, sizeof path, "%s/a/f", dir);
	if (setxattr(path, "user.some", "x", 1, 0) == 0) {
		ck_assert_int_eq(walk_len(a, "f", 1, 1, GOFER_WALK_XATTRS), 0);
		ck_assert_uint_eq(step(0).no_xattrs, 0);
	}
	ck_assert_int_eq(walk_len(a, "b/c", 3, 2, GOFER_WALK_XATTRS), -EINVAL);
	ck_assert_int_eq(walk_len(a, "f", 1, 1, GOFER_WALK_XATTRS | GOFER_WALK_NOFID), -EINVAL);
	ck_assert_int_eq(walk_len(a, "f", 1, 1, 4), -EINVAL);
}
END_TEST

START_TEST(refuses_names)
{
	static const char *const bad[] = { "..", ".", "", "/", "../..", "./a" };
	char longer[400];
	uint32_t root = attach(0);

	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		ck_assert_int_eq(walk(root, bad[i], 1), -EINVAL);
	ck_assert_int_eq(walk_len(root, "a\0b", 3, 1, 0), -EINVAL);
	memset(longer, 'x', sizeof longer);
	ck_assert_int_eq(walk_len(root, longer, 256, 1, 0), -ENAMETOOLONG);
	/* In the middle: the walk stops there, before the host has seen it. */
	ck_assert_int_eq(walk(root, "a/../a", 3), 0);
	ck_assert_int_eq(((const struct gofer_walk_rep *)(const void *)rep)->stop, -EINVAL);
	ck_assert_int_eq(walk(root, "a", 0), -EINVAL);
	ck_assert_int_eq(walk(root, "a", GOFER_WALK_MAX + 1), -EINVAL);
	for (int op = GOFER_mkdir; op <= GOFER_rename; op++) {
		if (op != GOFER_mkdir && op != GOFER_unlink)
			continue;
		struct gofer_mkdir_req *q = memset(req, 0, sizeof *q);
		size_t fixed = op == GOFER_mkdir ? sizeof *q : sizeof(struct gofer_unlink_req);
		uint32_t len = 2;

		memcpy(req + 8, &root, 4);
		memcpy(req + fixed - 4, &len, 4);
		ck_assert_int_eq(ask((enum gofer_op)op, fixed, "..", 2), -EINVAL);
	}
}
END_TEST

START_TEST(opens)
{
	REQ(open);
	char buf[16];
	uint32_t root = attach(0), file = fid_of(root, "a/f", 2), fifo = fid_of(root, "a/fifo", 2);
	uint32_t link = fid_of(root, "a/link", 2), a = fid_of(root, "a", 1);

	memset(req, 0, sizeof *q);
	q->fid = file;
	ck_assert_int_eq(ask(GOFER_open, sizeof *q, NULL, 0), 0);
	ck_assert_uint_lt(((const struct gofer_open_rep *)(const void *)rep)->pages, GOFER_PAGES_LIMIT);
	ck_assert_int_ge(got_fd, 0);
	ck_assert_int_eq(read(got_fd, buf, sizeof buf), 6);
	ck_assert_int_eq(write(got_fd, "x", 1), -1);
	q->flags = GOFER_OPEN_WRITE;
	ck_assert_int_eq(ask(GOFER_open, sizeof *q, NULL, 0), 0);
	ck_assert_int_eq(write(got_fd, "HE", 2), 2);
	q->flags = 0x80;
	ck_assert_int_eq(ask(GOFER_open, sizeof *q, NULL, 0), -EINVAL);
	memset(req, 0, sizeof *q);
	q->fid = fifo;		/* would block for ever if it were opened */
	ck_assert_int_eq(ask(GOFER_open, sizeof *q, NULL, 0), -EACCES);
	q->fid = link;
	ck_assert_int_eq(ask(GOFER_open, sizeof *q, NULL, 0), -EACCES);
	q->fid = a;
	ck_assert_int_eq(ask(GOFER_open, sizeof *q, NULL, 0), -EISDIR);
	q->fid = 12345;
	ck_assert_int_eq(ask(GOFER_open, sizeof *q, NULL, 0), -EBADF);
	q->fid = 0;
	ck_assert_int_eq(ask(GOFER_open, sizeof *q, NULL, 0), -EBADF);
}
END_TEST

START_TEST(readonly)
{
	uint32_t root = attach(1), file = fid_of(root, "a/f", 2);
	struct gofer_open_req *o = memset(req, 0, sizeof *o);

	o->fid = file;
	o->flags = GOFER_OPEN_WRITE;
	ck_assert_int_eq(ask(GOFER_open, sizeof *o, NULL, 0), -EROFS);
	for (int op = 1; op < GOFER_OP_LIMIT; op++) {
		switch (op) {
		case GOFER_create: case GOFER_mkdir: case GOFER_symlink: case GOFER_link: case GOFER_mknod:
		case GOFER_unlink: case GOFER_rename: case GOFER_setattr: case GOFER_setxattr:
		case GOFER_fallocate:
			memset(req, 0, 512);
			memcpy(req + 8, &root, 4);
			ck_assert_int_eq(ask((enum gofer_op)op, 256, NULL, 0), -EROFS);
			break;
		default:
			break;
		}
	}
	/* From a writable directory to a fid of the other mount. */
	{
		uint32_t w = attach(0);
		struct gofer_link_req *q = memset(req, 0, sizeof *q);

		q->fid = w;
		q->node = file;
		q->text_len = 1;
		ck_assert_int_eq(ask(GOFER_link, sizeof *q, "n", 1), -EROFS);
	}
}
END_TEST

START_TEST(makes)
{
	struct gofer_stat st;
	uint32_t root = attach(0), a = fid_of(root, "a", 1), fid;

	{
		REQ(create);
		REP(create);

		*q = (struct gofer_create_req){ .fid = a, .mode = 04751, .uid = 0, .gid = 0, .text_len = 3 };
		ck_assert_int_eq(ask(GOFER_create, sizeof *q, "new", 3), 0);
		ck_assert_int_ge(got_fd, 0);
		ck_assert_uint_eq(r->st.mode, S_IFREG | 04751);
		fid = r->fid;
		ck_assert_int_eq(ask(GOFER_create, sizeof *q, "new", 3), -EEXIST);
	}
	{
		REQ(mkdir);
		REP(mkdir);

		*q = (struct gofer_mkdir_req){ .fid = a, .mode = 0711, .text_len = 1 };
		ck_assert_int_eq(ask(GOFER_mkdir, sizeof *q, "d", 1), 0);
		ck_assert_uint_eq(r->st.mode, S_IFDIR | 0711);
	}
	{
		REQ(symlink);
		REP(symlink);

		*q = (struct gofer_symlink_req){ .fid = a, .target_len = 4, .text_len = 5 };
		ck_assert_int_eq(ask(GOFER_symlink, sizeof *q, "s../x", 5), 0);
		ck_assert(S_ISLNK(r->st.mode));
	}
	{
		REQ(mknod);

		*q = (struct gofer_mknod_req){ .fid = a, .mode = S_IFCHR | 0666, .text_len = 1 };
		ck_assert_int_eq(ask(GOFER_mknod, sizeof *q, "c", 1), -EPERM);
		*q = (struct gofer_mknod_req){ .fid = a, .mode = S_IFIFO | 0620, .text_len = 1 };
		ck_assert_int_eq(ask(GOFER_mknod, sizeof *q, "p", 1), 0);
	}
	{
		REQ(setattr);
		REP(setattr);

		*q = (struct gofer_setattr_req){ .fid = fid, .which = GOFER_SET_SIZE | GOFER_SET_MODE | GOFER_SET_MTIME,
		    .mode = 0600, .size = 1000, .mtime = { 5, 6, 0 } };
		ck_assert_int_eq(ask(GOFER_setattr, sizeof *q, NULL, 0), 0);
		ck_assert_uint_eq(r->st.size, 1000);
		ck_assert_uint_eq(r->st.mode, S_IFREG | 0600);
		ck_assert_int_eq(r->st.mtime.sec, 5);
		q->size = UINT64_MAX;
		ck_assert_int_eq(ask(GOFER_setattr, sizeof *q, NULL, 0), -EFBIG);
		q->which = 0xffff;
		ck_assert_int_eq(ask(GOFER_setattr, sizeof *q, NULL, 0), -EINVAL);
	}
	{
		REQ(rename);

		*q = (struct gofer_rename_req){ .fid = a, .new_fid = root, .new_len = 2, .text_len = 5 };
		ck_assert_int_eq(ask(GOFER_rename, sizeof *q, "newr2", 5), 0);
		q->new_len = 5;
		ck_assert_int_eq(ask(GOFER_rename, sizeof *q, "newr2", 5), -EINVAL);
		q->new_len = 2;
		q->text_len = 4;
		ck_assert_int_eq(ask(GOFER_rename, sizeof *q, "newr2", 5), -EBADMSG);
	}
	{
		REQ(link);
		REP(link);

		*q = (struct gofer_link_req){ .fid = a, .node = fid, .text_len = 4 };
		ck_assert_int_eq(ask(GOFER_link, sizeof *q, "hard", 4), 0);
		st = r->st;
		ck_assert_uint_eq(st.nlink, 2);
	}
	{
		REQ(unlink);

		*q = (struct gofer_unlink_req){ .fid = a, .text_len = 4 };
		ck_assert_int_eq(ask(GOFER_unlink, sizeof *q, "hard", 4), 0);
		*q = (struct gofer_unlink_req){ .fid = a, .text_len = 1 };
		ck_assert_int_eq(ask(GOFER_unlink, sizeof *q, "d", 1), -EISDIR);
		q->flags = GOFER_UNLINK_DIR;
		ck_assert_int_eq(ask(GOFER_unlink, sizeof *q, "d", 1), 0);
	}
}
END_TEST

START_TEST(lists)
{
	uint64_t cookie = 0;
	uint32_t root = attach(0), many;
	unsigned seen = 0, calls = 0;
	bool end = false;

	shell("for i in $(seq 1 2000); do : > many/file-with-a-rather-long-name-$i; done");
	many = fid_of(root, "many", 1);
	while (!end) {
		REQ(readdir);
		REP(readdir);

		q->fid = many;
		q->cookie = cookie;
		q->flags = calls == 0 ? GOFER_READDIR_STAT : 0;
		ck_assert_int_eq(ask(GOFER_readdir, sizeof *q, NULL, 0), 0);
		size_t at = sizeof *r;

		for (uint32_t i = 0; i < r->count; i++) {
			struct gofer_dirent e;

			memcpy(&e, rep + at, sizeof e);
			ck_assert_int_eq(memcmp(rep + at + sizeof e, "file-with", 9), 0);
			if (calls == 0)
				ck_assert(e.has_stat && S_ISREG(e.st.mode));
			at += round_up(sizeof e + e.name_len, 8);
			cookie = e.cookie;
			seen++;
		}
		end = r->end;
		calls++;
	}
	ck_assert_uint_eq(seen, 2000);
	ck_assert_uint_gt(calls, 1);
}
END_TEST

START_TEST(hostile)
{
	uint32_t root = attach(0);

	/* Every length of every kind of message, filled with various rubbish: an answer each time. */
	for (uint32_t op = 0; op < GOFER_OP_LIMIT + 3; op++) {
		for (size_t len = 8; len < 200; len += 3) {
			memset(req, (int)(op * 7 + len), 256);
			memcpy(req + 8, &root, 4);
			if (op == GOFER_clunk)
				memset(req + 8, 0xff, 8);
			ck_assert_int_ne(ask((enum gofer_op)op, len, NULL, 0), 1);
		}
	}
	ck_assert_int_eq(ask((enum gofer_op)9999, 64, NULL, 0), -ENOSYS);
	ck_assert_int_eq(ask(GOFER_getattr, 8, NULL, 0), -EBADMSG);
	/* Shorter than a head. */
	ck_assert_int_eq(wire_send(sock, "abc", 3, NULL, 0), 0);
	ck_assert_int_eq(wire_recv(sock, rep, sizeof rep, NULL, NULL), sizeof(struct gofer_head));
	/* Still there. */
	ck_assert_uint_ne(attach(0), 0);
}
END_TEST

START_TEST(clunks)
{
	uint32_t root = attach(0), fid = fid_of(root, "a", 1);
	{
		REQ(clunk);

		q->count = 2;
		q->fids[0] = fid;
		q->fids[1] = 4711;
		ck_assert_int_eq(ask(GOFER_clunk, sizeof *q, NULL, 0), 0);
		q->count = GOFER_CLUNK_MAX + 1;
		ck_assert_int_eq(ask(GOFER_clunk, sizeof *q, NULL, 0), -EINVAL);
	}
	ck_assert_int_eq(walk(fid, "b", 1), -EBADF);
	/* Descriptors do not leak: thousands of walks and clunks. */
	for (int i = 0; i < 3000; i++) {
		fid = fid_of(root, "a", 1);
		REQ(clunk);

		q->count = 1;
		q->fids[0] = fid;
		ck_assert_int_eq(ask(GOFER_clunk, sizeof *q, NULL, 0), 0);
	}
	ck_assert_uint_lt(fid, 100);
}
END_TEST

/* Leaves what would pass for control messages, one after the other, where the next callee has its own. */
static NO_SANITIZE void
dirty_stack(int fd, size_t phase)
{
	volatile char stack[8192];
	struct {
		struct cmsghdr h;
		int fd, pad;
	} c = { { CMSG_LEN(sizeof fd), SOL_SOCKET, SCM_RIGHTS }, fd, 0 };

	for (size_t at = phase; at + sizeof c <= sizeof stack; at += sizeof c) {
		for (size_t i = 0; i < sizeof c; i++)
			stack[at + i] = ((const char *)&c)[i];
	}
}

/* A peer that went without reading all it was sent: the end, and no descriptor that it never passed. */
START_TEST(reset)
{
	int sv[2], pipefd[2], fds[WIRE_FDS];
	unsigned nfds;
	char text[8];

	ck_assert_int_eq(pipe(pipefd), 0);
	for (size_t phase = 0; phase < 24; phase += 8) {
		ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, sv), 0);
		ck_assert_int_eq(wire_send(sv[0], "x", 1, NULL, 0), 0);
		close(sv[1]);
		nfds = WIRE_FDS;
		dirty_stack(pipefd[0], phase);
		ck_assert_int_eq(wire_recv(sv[0], text, sizeof text, fds, &nfds), 0);
		ck_assert_uint_eq(nfds, 0);
		ck_assert_int_ge(fcntl(pipefd[0], F_GETFD), 0);
		close(sv[0]);
	}
	close(pipefd[0]);
	close(pipefd[1]);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("gofer");
	TCase *c = tcase_create("server");
	SRunner *r;
	int failed;

	tcase_add_checked_fixture(c, setup, teardown);
	tcase_set_timeout(c, 30);
	tcase_add_test(c, walks);
	tcase_add_test(c, tells_of_xattrs);
	tcase_add_test(c, refuses_names);
	tcase_add_test(c, opens);
	tcase_add_test(c, readonly);
	tcase_add_test(c, makes);
	tcase_add_test(c, lists);
	tcase_add_test(c, hostile);
	tcase_add_test(c, clunks);
	tcase_add_test(c, reset);
	suite_add_tcase(s, c);
	r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
