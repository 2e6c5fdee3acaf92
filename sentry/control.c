/*
 * control: requests of the runtime; the protocol is in control.h.
 *
 * One thread takes connections from the control socket, each connection has a thread of its own,
 * and every request is answered before the next is read.  The runtime is trusted more than the
 * sentry is, so what is checked here keeps mistakes from becoming crashes: sizes, types, signal
 * numbers.  Connections are few; beyond CONN_MAX new ones get an error.
 *
 * A process description larger than a message comes in a memfd, as descriptor 3 of "exec" with its
 * length in "size".
 */
#include "sentry/control.h"

#include <poll.h>
#include <stdatomic.h>
#include <string.h>

#include "base/boot.h"
#include "base/hostcall.h"
#include "base/json.h"
#include "base/kmem.h"
#include "base/log.h"
#include "base/wire.h"
#include "sentry/kernel/wait.h"

#define CONN_MAX	512		/* an exec keeps its own */
#define TEXT_MAX	(48 * 1024)	/* of a report; quoted it must fit a message */
#define PROCESS_MAX	(8u << 20)
#define EXEC_FDS	4		/* three streams, and perhaps the description */

struct conn {
	int	sock;			/* owned */
	char	in[WIRE_MAX];
	char	out[WIRE_MAX];
	char	text[TEXT_MAX];
	int	fds[WIRE_FDS];		/* of the current request; -1 once taken */
	unsigned nfds;
};

struct op {
	const char	*name;
	void		(*run)(struct conn *c, const json_t *req, struct jread *r, struct strbuf *out);
};

static int control_fd = -1;
static _Atomic int connections;
static _Atomic int exit_after = -1;	/* exit status, once a start has failed */

/* ---- answers ------------------------------------------------------------------ */

static void
answer_ok(struct strbuf *out)
{
	sb_puts(out, "{\"ok\":true}");
}

static void
answer_error(struct strbuf *out, const char *what, int exit_code)
{
	sb_puts(out, "{\"error\":");
	sb_json(out, what);
	sb_printf(out, ",\"exit\":%d}", exit_code);
}

static void
answer_errno(struct strbuf *out, const char *doing, int err)
{
	char text[256];
	struct strbuf sb = STRBUF(text, sizeof text);

	if (err == -ESRCH) {
		answer_error(out, "container not running", 1);
		return;
	}
	sb_printf(&sb, "%s: %s", doing, strerror(-err));
	answer_error(out, text, 1);
}

/* ---- one function per request --------------------------------------------------- */

static void
op_start(struct conn *c, const json_t *req, struct jread *r, struct strbuf *out)
{
	char why[512] = "cannot start the container";
	int exit_code = 1;
	int err = guest_start_init(&exit_code, why, sizeof why);

	(void)c, (void)req, (void)r;
	if (err == 0) {
		answer_ok(out);
		return;
	}
	answer_error(out, why, exit_code);
	/* Nothing will ever run here: the answer goes out, then the container is stopped. */
	if (err != -EBUSY)
		atomic_store(&exit_after, exit_code);
}

static void
op_state(struct conn *c, const json_t *req, struct jread *r, struct strbuf *out)
{
	(void)c, (void)req, (void)r;
	sb_printf(out, "{\"ok\":true,\"status\":\"%s\",\"pid\":1}", guest_status());
}

static void
op_kill(struct conn *c, const json_t *req, struct jread *r, struct strbuf *out)
{
	int32_t pid = (int32_t)jget_u64(r, req, "", "pid", INT32_MAX, 1);
	int signo = (int)jget_u64(r, req, "", "signal", 64, 15);
	bool all = jget_bool(r, req, "", "all", false);
	int err;

	(void)c;
	if (r->failed)
		return;
	err = guest_kill(pid, signo, all);
	if (err)
		answer_errno(out, "cannot send the signal", err);
	else
		answer_ok(out);
}

/* The description from the request itself, or from the memfd that came along. */
static int
read_process(struct conn *c, const json_t *req, struct jread *r, struct spec_process *sp)
{
	char why[400] = "out of memory";
	json_t *j = jget(r, req, "", "process", JSON_OBJECT);
	size_t size = (size_t)jget_u64(r, req, "", "size", PROCESS_MAX, 0);
	char *text = NULL;
	int err = -ENOMEM;

	if (r->failed)
		return -EINVAL;
	if (j != NULL) {
		text = json_dumps(j, JSON_COMPACT);
		size = text ? strlen(text) : 0;
	} else if (size && c->nfds == EXEC_FDS) {
		text = mem_alloc(size);
		if (text && host_pread(c->fds[3], text, size, 0) != (int64_t)size) {
			mem_free(text);
			jread_fail(r, "size: the description is shorter");
			return -EINVAL;
		}
	} else {
		jread_fail(r, "process: is missing");
		return -EINVAL;
	}
	if (text)
		err = spec_process_parse(text, size, sp, why, sizeof why);
	mem_free(text);
	if (err)
		jread_fail(r, "%s", why);
	return err;
}

static void
op_exec(struct conn *c, const json_t *req, struct jread *r, struct strbuf *out)
{
	struct spec_process sp;
	char why[512] = "cannot start the process";
	int exit_code = 1, fds[3], err;
	int32_t pid = 0;

	if (c->nfds < 3) {
		jread_fail(r, "exec: needs three descriptors");
		return;
	}
	err = read_process(c, req, r, &sp);
	if (err)
		return;
	for (int i = 0; i < 3; i++)
		fds[i] = steal_fd(&c->fds[i]);
	err = guest_exec(&sp, fds, &pid, &exit_code, why, sizeof why);
	spec_process_fini(&sp);
	if (err)
		answer_error(out, why, exit_code);
	else
		sb_printf(out, "{\"ok\":true,\"pid\":%d}", pid);
}

static void
op_wait(struct conn *c, const json_t *req, struct jread *r, struct strbuf *out)
{
	int32_t pid = (int32_t)jget_u64(r, req, "", "pid", INT32_MAX, 1), status = 0;
	int err;

	(void)c;
	if (r->failed)
		return;
	err = guest_wait(pid, &status);
	if (err)
		answer_error(out, "no such process", 1);
	else
		sb_printf(out, "{\"ok\":true,\"status\":%d}", status);
}

static void
op_winsize(struct conn *c, const json_t *req, struct jread *r, struct strbuf *out)
{
	int32_t pid = (int32_t)jget_u64(r, req, "", "pid", INT32_MAX, 1);
	uint16_t rows = (uint16_t)jget_u64(r, req, "", "rows", UINT16_MAX, 0);
	uint16_t cols = (uint16_t)jget_u64(r, req, "", "cols", UINT16_MAX, 0);
	int err;

	(void)c;
	if (r->failed)
		return;
	err = guest_winsize(pid, rows, cols);
	if (err)
		answer_errno(out, "cannot set the window size", err);
	else
		answer_ok(out);
}

static void
answer_text(struct conn *c, void (*fill)(struct strbuf *), struct strbuf *out)
{
	struct strbuf text = STRBUF(c->text, sizeof c->text);

	fill(&text);
	/* Control characters in a guest's names can make the quoted form longer than a message. */
	sb_puts(out, "{\"ok\":true,\"text\":");
	for (;;) {
		size_t at = out->len;

		sb_json(out, c->text);
		if (!out->cut && out->len + 32 < out->cap)
			break;
		out->len = at;
		out->cut = false;
		text.len /= 2;
		c->text[text.len] = '\0';
		text.cut = true;
	}
	sb_printf(out, ",\"cut\":%s}", text.cut ? "true" : "false");
}

static void
op_debug(struct conn *c, const json_t *req, struct jread *r, struct strbuf *out)
{
	(void)req, (void)r;
	answer_text(c, guest_debug, out);
}

static void
op_ps(struct conn *c, const json_t *req, struct jread *r, struct strbuf *out)
{
	(void)req, (void)r;
	answer_text(c, guest_ps, out);
}

static void
op_unsupported(struct conn *c, const json_t *req, struct jread *r, struct strbuf *out)
{
	(void)c, (void)req, (void)r;
	answer_error(out, "pause and resume are not supported", 1);
}

static const struct op ops[] = {
	{ "start", op_start }, { "state", op_state }, { "kill", op_kill }, { "exec", op_exec },
	{ "wait", op_wait }, { "winsize", op_winsize }, { "debug", op_debug }, { "ps", op_ps },
	{ "pause", op_unsupported }, { "resume", op_unsupported },
};

/* ---- connections ------------------------------------------------------------------ */

static void
run_request(struct conn *c, size_t len, struct strbuf *out)
{
	struct jread r = { 0 };
	json_t *req = json_read(&r, "request", c->in, len);
	const char *name = r.failed ? NULL : jget_str(&r, req, "", "op");

	for (size_t i = 0; name && i < ARRAY_LEN(ops); i++) {
		if (strcmp(ops[i].name, name) == 0) {
			ops[i].run(c, req, &r, out);
			name = NULL;
		}
	}
	if (name)
		jread_fail(&r, "op: there is no request \"%s\"", name);
	else if (out->len == 0)
		jread_fail(&r, "op: is missing");
	if (r.failed) {
		out->len = 0;
		answer_error(out, r.why, 1);
	}
	json_decref(req);
}

static void
close_fds(struct conn *c)
{
	for (unsigned i = 0; i < c->nfds; i++) {
		if (c->fds[i] >= 0)
			(void)host_close(c->fds[i]);
	}
	c->nfds = 0;
}

static void
conn_main(void *arg)
{
	struct conn *c = arg;

	for (;;) {
		struct strbuf out = STRBUF(c->out, sizeof c->out);
		int64_t n;
		int err;

		c->nfds = EXEC_FDS;
		n = wire_recv(c->sock, c->in, sizeof c->in, c->fds, &c->nfds);
		if (n <= 0)
			break;
		run_request(c, (size_t)n, &out);
		close_fds(c);
		err = wire_send(c->sock, c->out, out.len, NULL, 0);
		if (atomic_load(&exit_after) >= 0)
			host_exit(atomic_load(&exit_after));
		if (err)
			break;
	}
	(void)host_close(c->sock);
	mem_free(c);
	atomic_fetch_sub(&connections, 1);
}

static void
conn_start(int sock)
{
	static const char busy[] = "{\"error\":\"the sandbox has too much to do for another request\",\"exit\":1}";
	struct conn *c = NULL;

	if (atomic_fetch_add(&connections, 1) < CONN_MAX)
		c = mem_alloc(sizeof *c);
	if (c != NULL) {
		c->sock = sock;
		if (kthread_start("control", conn_main, c) == 0)
			return;
		mem_free(c);
	}
	log_warn("control", "cannot serve a connection");
	(void)!wire_send(sock, busy, sizeof busy - 1, NULL, 0);
	(void)host_close(sock);
	atomic_fetch_sub(&connections, 1);
}

/*
 * Until there is a request.  The gofer's socket is watched on the way: guests that ask for no file would
 * run on without one.
 */
static void
wait_request(void)
{
	struct pollfd p[2] = { { .fd = control_fd, .events = POLLIN }, { .fd = BOOT_FD_GOFER } };

	for (;;) {
		int n = host_ppoll(p, 2, NULL);

		if (n > 0 && (p[1].revents & (POLLHUP | POLLERR))) {
			log_error("gofer", "the gofer is gone: the sandbox ends");
			host_exit(1);
		}
		if ((n > 0 && p[0].revents) || (n < 0 && n != -EINTR))
			return;
	}
}

static void
listener(void *arg)
{
	(void)arg;
	for (;;) {
		int fd = -1;
		unsigned nfds = 1;
		char byte;
		int64_t n;

		wait_request();
		n = wire_recv(control_fd, &byte, sizeof byte, &fd, &nfds);

		if (n >= 0 && nfds == 1) {
			conn_start(fd);
		} else if (n == -EBADMSG || n == -ENOBUFS || n == -EMFILE || n > 0) {
			continue;
		} else {
			/* The runtime's end is closed (a socket pair): nobody can ask any more. */
			log_debug("control", "the control socket ends: %d", (int)n);
			return;
		}
	}
}

int
control_init(int fd)
{
	control_fd = fd;
	return kthread_start("control", listener, NULL);
}
