/*
 * The gofer's client under arbitrary replies: a gofer that was taken over must not take the sentry along.
 *
 * The input is a sequence of replies (two bytes of length, then the bytes; the top bit of the length: with a descriptor);
 * they wait in the socket while a fixed series of calls is made.  The tag is put right, or nothing would get past the first check.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/hostcall.h"
#include "fs/fs.h"
#include "fs/remote.h"
#include "sentry/vfs/file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define REPLIES_MAX	48

static void
nothing(void)
{
}

static bool
emit(struct dirsink *d, const char *name, size_t len, uint64_t ino, uint8_t dtype, int64_t next_pos)
{
	(void)d, (void)ino, (void)dtype, (void)next_pos;
	if (len == 0 || len > 255 || memchr(name, '/', len) != NULL)
		abort();
	return true;
}

static void
use_file(struct inode *i)
{
	struct dirsink sink = { emit };
	struct file *f;

	if (i->ops->open(NULL, i, O_RDONLY, &f) != 0)
		return;
	if (S_ISDIR(i->attr.mode))
		(void)f->ops->readdir(f, NULL, &sink);
	file_put(f);
}

static void
use_node(struct inode *i)
{
	char buf[512];
	struct iattr a;

	if (i->ops->getattr(NULL, i, &a) == 0 && (a.mode & S_IFMT) != (i->attr.mode & S_IFMT))
		abort();
	if (i->ops->readlink(NULL, i, buf, sizeof buf) > (int)sizeof buf)
		abort();
	if (i->ops->getxattr(NULL, i, "user.x", buf, sizeof buf) > (int)sizeof buf)
		abort();
	if (i->ops->listxattr(NULL, i, buf, sizeof buf) > (int64_t)sizeof buf)
		abort();
	use_file(i);
}

static void
session(void)
{
	struct inode *child, *made;
	struct super *s;
	struct fs_statfs st;

	if (remote_super(0, false, false, &s) != 0)
		return;
	use_node(s->root);
	(void)s->ops->statfs(s, &st);
	for (int n = 0; n < 3; n++) {
		int err;

		mutex_lock(&s->root->mu);
		err = s->root->ops->lookup(NULL, s->root, "name", &child);
		mutex_unlock(&s->root->mu);
		if (err)
			continue;
		use_node(child);
		inode_put(child);
	}
	mutex_lock(&s->root->mu);
	if (s->root->ops->create(NULL, s->root, "new", S_IFREG | 0644, 0, NULL, &made) == 0)
		inode_put(made);
	mutex_unlock(&s->root->mu);
	super_put(s);
	remote_clunk_flush();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char msg[65536];
	uint32_t tag = 0;
	int sv[2], big = 1 << 20;

	remote_lost = nothing;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sv) != 0)
		abort();
	(void)setsockopt(sv[1], SOL_SOCKET, SO_SNDBUF, &big, sizeof big);
	while (size >= 2 && tag < REPLIES_MAX) {
		size_t len = (size_t)data[0] | (size_t)(data[1] & 0x7f) << 8;
		bool with_fd = data[1] & 0x80;
		int fd = -1;

		data += 2;
		size -= 2;
		len = min(len, size);
		memcpy(msg, data, len);
		data += len;
		size -= len;
		tag++;
		if (len >= sizeof tag)
			memcpy(msg, &tag, sizeof tag);
		if (with_fd)
			fd = open("/dev/null", O_RDWR | O_CLOEXEC);
		if (len != 0 && wire_send(sv[1], msg, len, &fd, fd >= 0 ? 1 : 0) != 0)
			tag = REPLIES_MAX;
		if (fd >= 0)
			(void)host_close(fd);
	}
	/* What the client asks after the last reply finds the peer gone; what it sends is never read. */
	(void)shutdown(sv[1], SHUT_WR);
	if (remote_boot(sv[0], 1) != 0)
		abort();
	session();
	(void)host_close(sv[0]);
	(void)host_close(sv[1]);
	return 0;
}
