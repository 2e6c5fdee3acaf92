#include "platform/space.h"
static int pt_attach(struct ctx *c) { (void)c; return -EOPNOTSUPP; }
const struct ctx_ops ptrace_ops = { .attach = pt_attach };
