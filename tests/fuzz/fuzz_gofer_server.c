/*
 * The gofer's server under arbitrary requests.  The input is a sequence of messages: two bytes of length,
 * then the message.  The served tree is a scratch directory that only this process uses, read-only as mount 1.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/hostcall.h"
#include "gofer/hostfs.h"
#include "gofer/serve.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define SEQUENCE_MAX	64

static int root = -1;

static void
make_root(void)
{
	const struct rlimit small = { 1 << 20, 1 << 20 };
	char dir[] = "/tmp/village-fuzz-XXXXXX";

	if (mkdtemp(dir) == NULL || hostfs_init() != 0)
		abort();
	root = open(dir, O_PATH | O_DIRECTORY);
	if (root < 0 || mkdirat(root, "d", 0755) != 0 || symlinkat("d", root, "l") != 0 ||
	    mknodat(root, "f", S_IFREG | 0644, 0) != 0)
		abort();
	/* No request shall fill the disk. */
	if (setrlimit(RLIMIT_FSIZE, &small) != 0)
		abort();
	signal(SIGXFSZ, SIG_IGN);
	umask(0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct server s;
	unsigned n = 0;

	if (root < 0)
		make_root();
	memset(&s, 0, sizeof s);
	s.nmounts = 2;
	s.mounts[0].fd = s.mounts[1].fd = root;
	s.mounts[0].writable = true;
	if (server_init(&s) != 0)
		abort();
	/* One fid of each kind to begin with: 1 and 2 are the two roots. */
	for (uint32_t m = 0; m < 2; m++) {
		struct gofer_attach_req q = { .head = { .op = GOFER_attach }, .mount = m };
		int fd = -1;

		memcpy(s.req, &q, sizeof q);
		if (server_handle(&s, sizeof q, &fd) != sizeof(struct gofer_attach_rep))
			abort();
	}
	while (size >= 2 && n++ < SEQUENCE_MAX) {
		size_t len = (size_t)data[0] | (size_t)data[1] << 8, out;
		int fd = -1;

		data += 2;
		size -= 2;
		len = min(len, size);
		memcpy(s.req, data, len);
		/* Whatever lies behind the message must not be looked at as part of it. */
		memset(s.req + len, 0xa5, min((size_t)256, GOFER_MSG_MAX - len));
		data += len;
		size -= len;
		out = server_handle(&s, len, &fd);
		if (out < sizeof(struct gofer_head) || out > GOFER_MSG_MAX)
			abort();
		if (fd >= 0)
			(void)host_close(fd);
	}
	server_fini(&s);
	return 0;
}
