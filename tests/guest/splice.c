/* splice, tee, vmsplice, sendfile, copy_file_range. */
#include "guest.h"
#include <malloc.h>

int
main(void)
{
	int in, out, p[2], q[2], ap, d, n;
	loff_t off = 2, off2 = 1, neg = -1;
	char buf[64];

	scratch();
	put("in", "0123456789abcdef");
	put("out", "");
	in = open("in", O_RDONLY);
	out = open("out", O_RDWR);
	ap = open("out", O_WRONLY | O_APPEND);
	d = open(".", O_RDONLY);
	pipe2(p, O_NONBLOCK);
	pipe2(q, O_NONBLOCK);
	/* sendfile */
	S(sendfile, out, in, NULL, 4);
	S(lseek, in, 0, SEEK_CUR);
	S(sendfile, out, in, &off, 3);
	P("off %ld out %s", (long)off, cat("out"));
	S(lseek, in, 0, SEEK_CUR);
	S(sendfile, out, in, &off, 100);
	S(sendfile, out, in, &off, 100);
	S(sendfile, out, in, &neg, 1);
	S(sendfile, out, in, BAD, 1);
	S(sendfile, in, out, NULL, 1);
	S(sendfile, out, -1, NULL, 1);
	S(sendfile, -1, in, NULL, 1);
	S(sendfile, out, p[0], NULL, 1);
	S(sendfile, ap, in, NULL, 1);
	S(sendfile, out, d, NULL, 1);
	S(sendfile, p[1], in, NULL, 3);
	S(read, p[0], buf, 64);
	P("%s", txt(buf, 3));
	S(sendfile, out, in, NULL, 0);
	P("%s", cat("out"));
	/* splice */
	lseek(in, 0, SEEK_SET);
	S(splice, in, NULL, p[1], NULL, 5, 0);
	off = 10;
	S(splice, in, &off, p[1], NULL, 3, 0);
	P("off %ld", (long)off);
	S(splice, in, NULL, out, NULL, 5, 0);
	S(splice, in, NULL, p[1], &off, 5, 0);
	S(splice, p[0], &off, out, NULL, 5, 0);
	S(splice, in, NULL, p[1], NULL, 5, 0x100);
	S(splice, -1, NULL, p[1], NULL, 5, 0);
	S(splice, in, NULL, p[1], NULL, 0, 0);
	S(splice, in, NULL, p[0], NULL, 5, 0);
	S(splice, p[0], NULL, p[1], NULL, 5, 0);
	S(splice, p[0], NULL, ap, NULL, 5, 0);
	ioctl(p[0], FIONREAD, &n);
	P("in the pipe %d", n);
	S(tee, p[0], q[1], 4, 0);
	S(tee, p[0], p[1], 4, 0);
	S(tee, p[0], in, 4, 0);
	S(tee, q[0], p[1], 0, 0);
	S(read, q[0], buf, 64);
	P("tee %s", txt(buf, 4));
	S(tee, q[0], p[1], 4, 0);
	S(tee, q[0], p[1], 4, SPLICE_F_NONBLOCK);
	off2 = 1;
	ftruncate(out, 0);
	S(splice, p[0], NULL, out, &off2, 5, SPLICE_F_MOVE);
	P("off %ld %s", (long)off2, look("out"));
	S(splice, p[0], NULL, q[1], NULL, 100, 0);
	S(splice, p[0], NULL, q[1], NULL, 100, SPLICE_F_NONBLOCK);
	S(read, q[0], buf, 64);
	P("%s", txt(buf, 3));
	close(p[1]);
	S(splice, p[0], NULL, q[1], NULL, 100, 0);
	/* vmsplice */
	struct iovec v[2] = { { "vec", 3 }, { "tor", 3 } };
	S(vmsplice, q[1], v, 2, 0);
	S(read, q[0], buf, 64);
	P("%s", txt(buf, 6));
	S(vmsplice, in, v, 2, 0);
	S(vmsplice, q[1], BAD, 1, 0);
	/* more than fits: what fits, without waiting for the rest */
	int full[2];

	pipe(full);
	v[0] = (struct iovec){ memalign(4096, 1 << 18), 1 << 18 };
	memset(v[0].iov_base, 'v', 1 << 18);
	S(vmsplice, full[1], v, 1, 0);
	S(vmsplice, full[1], v, 1, SPLICE_F_NONBLOCK);
	/* copy_file_range */
	ftruncate(out, 0);
	lseek(out, 0, SEEK_SET);
	lseek(in, 0, SEEK_SET);
	S(copy_file_range, in, NULL, out, NULL, 6, 0);
	off = 10;
	off2 = 8;
	S(copy_file_range, in, &off, out, &off2, 100, 0);
	P("off %ld %ld", (long)off, (long)off2);
	S(copy_file_range, in, &off, out, &off2, 100, 0);
	S(copy_file_range, in, NULL, out, NULL, 6, 1);
	S(copy_file_range, in, NULL, ap, NULL, 6, 0);
	S(copy_file_range, out, NULL, in, NULL, 6, 0);
	S(copy_file_range, in, NULL, q[1], NULL, 6, 0);
	S(copy_file_range, d, NULL, out, NULL, 6, 0);
	S(copy_file_range, -1, NULL, out, NULL, 6, 0);
	off = 0;
	off2 = 3;
	S(copy_file_range, out, &off, out, &off2, 6, 0);
	off2 = 20;
	S(copy_file_range, out, &off, out, &off2, 6, 0);
	pread(out, buf, 64, 0);
	P("%s", txt(buf, 26));
	return 0;
}
