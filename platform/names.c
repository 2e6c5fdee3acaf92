/*
 * names: names that are no symbolic links, as a stub may tell its guest without a call.
 *
 * realpath(3) asks of each directory of a path whether it is a link, again and again; half of what gcc asks of the kernel
 * is that.  So a context set has a small table of names for which readlink(2) was answered EINVAL.  What is written there
 * holds for one state of all names, permissions and mounts of the sandbox; the number of that state lies on a page that
 * every stub can read, and whoever changes one of them makes it the next.
 */
#include <string.h>

#include "platform/space.h"

void
names_boot(void)
{
	/* No entry is of state 0. */
	atomic_store(&plat.world->names, 1);
}

uint64_t
platform_names(void)
{
	return atomic_load(&plat.world->names);
}

void
platform_names_changed(void)
{
	atomic_fetch_add(&plat.world->names, 1);
}

/* As guest.S computes it. */
static unsigned
slot_of(const char *path, size_t len)
{
	uint32_t h = 0;

	for (size_t i = 0; i < len; i++)
		h = (h + (unsigned char)path[i]) * NAME_FACTOR;
	return h >> (32 - NAME_SLOTS_LOG);
}

void
ctx_forget_links(struct ctx *c)
{
	if (!c->names)
		return;
	ctx_ask(c, ANSWER_NO_LINK);
	c->names = false;
}

void
ctx_no_link(struct ctx *c, uint64_t names, const char *path, size_t len)
{
	struct stub_name *table = (struct stub_name *)(void *)(c->base + STUB_CTX_NAMES), *n;
	const uint32_t bit = 1u << ANSWER_NO_LINK;

	/* Only a patched call looks there. */
	if (!c->patched || len > NAME_MAX_LEN)
		return;
	if (!c->names) {
		/* Another thread's, whose root and rights were others'. */
		memset(table, 0, sizeof *table << NAME_SLOTS_LOG);
		c->names = c->had_names = true;
		atomic_fetch_or(&c->sh->known, bit);
	}
	n = &table[slot_of(path, len)];
	n->names = 0;
	n->len = (uint32_t)len;
	memcpy(n->text, path, len);
	n->names = names;
}
