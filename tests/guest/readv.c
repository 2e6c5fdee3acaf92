/* The vector calls: limits, empty vectors, offsets, RWF flags. */
#include "guest.h"

int
main(void)
{
	char a[4] = "", b[4] = "", c[16] = "";
	struct iovec v[3] = { { a, 3 }, { b, 0 }, { c, 10 } };
	struct iovec w[3] = { { "abc", 3 }, { "", 0 }, { "defgh", 5 } };
	struct iovec neg[2] = { { a, 1 }, { b, (size_t)-1 } };
	struct iovec big[2] = { { a, SSIZE_MAX }, { b, SSIZE_MAX } };
	struct iovec bad[2] = { { a, 2 }, { BAD, 2 } };
	struct iovec many[1025];
	int fd, p[2];

	scratch();
	fd = open("f", O_RDWR | O_CREAT, 0644);
	S(writev, fd, w, 3);
	S(lseek, fd, 0, SEEK_SET);
	S(readv, fd, v, 3);
	P("%s %s", txt(a, 3), txt(c, 5));
	S(readv, fd, v, 3);
	S(readv, fd, v, 0);
	S(readv, fd, NULL, 0);
	S(readv, fd, NULL, 1);
	S(readv, fd, v, -1L);
	S(readv, fd, v, 1025);
	S(readv, fd, BAD, 1025);
	S(readv, fd, BAD, 1);
	S(readv, -1, BAD, 1);
	S(readv, fd, neg, 2);
	S(lseek, fd, 0, SEEK_SET);
	S(readv, fd, bad, 2);
	S(lseek, fd, 0, SEEK_CUR);
	/* lengths that sum above SSIZE_MAX are cut, not refused; the copy then meets bad memory */
	S(writev, fd, neg, 2);
	for (int i = 0; i < 1025; i++)
		many[i] = (struct iovec){ "x", 1 };
	S(writev, fd, many, 1024);
	S(writev, fd, many, 1025);
	S(preadv, fd, v, 3, 1, 0);
	P("%s", txt(a, 3));
	S(preadv, fd, v, 3, -1L, 0);
	S(preadv, -1, v, 3, -1L, 0);
	S(pwritev, fd, w, 1, 2, 0);
	S(preadv2, fd, v, 1, 1, 0, 0);
	P("%s", txt(a, 3));
	S(lseek, fd, 0, SEEK_SET);
	S(preadv2, fd, v, 1, -1L, 0, 0);
	S(lseek, fd, 0, SEEK_CUR);
	S(preadv2, fd, v, 1, -2L, 0, 0);
	S(preadv2, fd, v, 1, 0, 0, 0x8000);
	S(pwritev2, fd, w, 1, 0, 0, RWF_APPEND);
	S(pwritev2, fd, w, 1, 0, 0, RWF_DSYNC | RWF_SYNC);
	S(pwritev2, fd, w, 1, 0, 0, 0x8000);
	P("%s", look("f"));
	pipe(p);
	S(writev, p[1], w, 3);
	S(readv, p[0], v, 3);
	P("%s %s", txt(a, 3), txt(c, 5));
	S(preadv, p[0], v, 3, 0, 0);
	S(preadv2, p[0], v, 3, 0, 0, 0);
	S(pwritev2, p[0], v, 3, 0, 0, 0);
	fcntl(p[0], F_SETFL, O_NONBLOCK);
	S(readv, p[0], v, 1);
	(void)big;
	return 0;
}
