/* fakestub: a platform whose stubs neither answer nor copy, and whose calls are not patched. */
#ifndef TESTS_UNIT_FAKESTUB_H
#define TESTS_UNIT_FAKESTUB_H

#include "platform/platform.h"

bool platform_patches;
int space_site_plan(struct space *s, uint64_t call, uint32_t nr, uint64_t lo, uint64_t hi, struct patch *p)
{ (void)s; (void)call; (void)nr; (void)lo; (void)hi; (void)p; return -EOPNOTSUPP; }
int space_site_add(struct space *s, const struct patch *p) { (void)s; (void)p; return -EOPNOTSUPP; }
int space_area_add(struct space *s, uint64_t va) { (void)s; (void)va; return -EOPNOTSUPP; }
int space_sites_drop(struct space *s, uint64_t start, uint64_t end) { (void)s; (void)start; (void)end; return 0; }
const void *ctx_in(struct ctx *c, uint64_t va, size_t *len) { (void)c; (void)va; (void)len; return NULL; }
bool ctx_out(struct ctx *c, uint64_t va, const void *src, size_t len)
{ (void)c; (void)va; (void)src; (void)len; return false; }
bool ctx_out_mapped(struct ctx *c, uint64_t va, const void *src, size_t len)
{ (void)c; (void)va; (void)src; (void)len; return false; }
bool ctx_owes(const struct ctx *c, uint64_t va, size_t len) { (void)c; (void)va; (void)len; return false; }
void ctx_flush(struct ctx *c) { (void)c; }
void ctx_settle(struct ctx *c) { (void)c; }
bool ctx_frame_out(struct ctx *c, uint64_t va, const void *frame, size_t len, uint64_t fp)
{ (void)c; (void)va; (void)frame; (void)len; (void)fp; return false; }
bool ctx_frame_head(struct ctx *c, uint64_t fp, void *head) { (void)c; (void)fp; (void)head; return false; }
int ctx_frame_set(struct ctx *c, uint64_t fp, const void *head) { (void)c; (void)fp; (void)head; return -ENOENT; }
void ctx_kick_seen(struct ctx *c) { (void)c; }
void ctx_answer(struct ctx *c, enum ctx_answer which, uint32_t value) { (void)c; (void)which; (void)value; }
void ctx_ask(struct ctx *c, enum ctx_answer which) { (void)c; (void)which; }
void platform_names_changed(void) { }
uint64_t platform_names(void) { return 1; }
void ctx_forget_links(struct ctx *c) { (void)c; }
void ctx_no_link(struct ctx *c, uint64_t names, const char *path, size_t len) { (void)c; (void)names; (void)path; (void)len; }
void ctx_regs(struct ctx *c, struct abi_regs *regs) { (void)c; (void)regs; }
void ctx_asleep(struct ctx *c, bool asleep) { (void)c; (void)asleep; }
void ctx_guest_gs(struct ctx *c) { (void)c; }

#endif
