/* cmd_run: create, start and wait in one; or, detached, the first two. */
#include <string.h>

#include "runtime/container.h"
#include "runtime/foreground.h"
#include "runtime/hooks.h"

static int
run_detached(struct container *c)
{
	struct err err = { 0 };
	int e = container_launch(c, &err);

	if (!e)
		e = container_start(&c->st, &err);
	if (e) {
		container_abort(c);
		return err_report(&err);
	}
	return 0;
}

/* Also the moment to say that it runs: in the foreground nothing comes between. */
static int
held(struct launch *l, void *arg, struct err *err)
{
	struct container *c = arg;

	json_object_set_new(c->st.j, "status", json_string("running"));
	return container_held(l, c, err);
}

static void
started(void *arg)
{
	struct container *c = arg;
	struct err err;

	if (hooks_run(&c->st, "poststart", "running", &err) != 0)
		warn_report("%s", err.text);
}

int
run_recorded(struct container *c, struct foreground *f)
{
	struct err err = { 0 };
	int status;

	f->held = held;
	f->started = started;
	f->arg = c;
	f->dir = c->st.dir;
	status = foreground_run(f, &c->l);
	/* A failed start has reported itself; its record goes as well. */
	if (!c->opts.keep && container_delete(&c->st, &err) != 0)
		(void)err_report(&err);
	return status;
}

int
cmd_run(int argc, char **argv)
{
	struct container c = CONTAINER_INIT;
	const struct opt opts[] = {
		CONTAINER_OPTS(&c.opts),
		{ 'd', "detach", NULL, "do not wait for the container", OPT_FLAG, &c.opts.detach },
		{ 0, "keep", NULL, "keep the record of a container that has ended", OPT_FLAG, &c.opts.keep },
		OPT_END
	};
	struct err err = { 0 };
	int first = opt_parse(opts, argc, argv, false), status;

	if (first < 0)
		return 1;
	if (argc - first != 1)
		return fail("run: needs one container id");
	if (container_prepare(&c, argv[first], &err) != 0) {
		container_abort(&c);
		status = err_report(&err);
	} else {
		struct foreground f = { .tty = c.spec.terminal };

		status = c.opts.detach ? run_detached(&c) : run_recorded(&c, &f);
	}
	container_fini(&c);
	return status;
}
