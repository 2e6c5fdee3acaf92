/* list: an intrusive, circular, doubly linked list; the head is a node without an object. */
#ifndef BASE_LIST_H
#define BASE_LIST_H

#include "base/base.h"

struct list {
	struct list	*next, *prev;
};

#define LIST_INIT(l)	{ &(l), &(l) }

static inline void
list_init(struct list *l)
{
	l->next = l->prev = l;
}

static inline bool
list_empty(const struct list *l)
{
	return l->next == l;
}

static inline void
list_insert_after(struct list *at, struct list *n)
{
	n->next = at->next;
	n->prev = at;
	at->next->prev = n;
	at->next = n;
}

static inline void
list_push_front(struct list *head, struct list *n)
{
	list_insert_after(head, n);
}

static inline void
list_push_back(struct list *head, struct list *n)
{
	list_insert_after(head->prev, n);
}

/* Leaves n linked to itself, so that removing twice is harmless and list_empty(n) asks "is it queued?". */
static inline void
list_remove(struct list *n)
{
	n->next->prev = n->prev;
	n->prev->next = n->next;
	list_init(n);
}

/* Moves all of src to the end of dst. */
static inline void
list_splice_back(struct list *dst, struct list *src)
{
	if (list_empty(src))
		return;
	src->next->prev = dst->prev;
	dst->prev->next = src->next;
	src->prev->next = dst;
	dst->prev = src->prev;
	list_init(src);
}

#define list_entry(n, type, member)	container_of(n, type, member)
#define list_first(head, type, member)					\
	(list_empty(head) ? NULL : list_entry((head)->next, type, member))
#define list_for_each(pos, head, member)				\
	for (pos = list_entry((head)->next, __typeof__(*pos), member);	\
	    &pos->member != (head);					\
	    pos = list_entry(pos->member.next, __typeof__(*pos), member))
/* The body may remove pos. */
#define list_for_each_safe(pos, nxt, head, member)			\
	for (pos = list_entry((head)->next, __typeof__(*pos), member),	\
	    nxt = list_entry(pos->member.next, __typeof__(*pos), member); \
	    &pos->member != (head);					\
	    pos = nxt, nxt = list_entry(nxt->member.next, __typeof__(*nxt), member))

#endif
