/* SPDX-License-Identifier: MIT */
/*
 * An intrusive, doubly linked, circular list: the node sits inside the object, so that queueing
 * never allocates. Not synchronised: whoever owns the list says which lock guards it.
 */
#ifndef ASYNCRING__LIST_H
#define ASYNCRING__LIST_H

#include <stdbool.h>
#include <stddef.h>

struct list {
	struct list *next, *prev;
};

#define container_of(pointer, type, member) ((type *)((char *)(pointer)-offsetof(type, member)))

static inline void list_init(struct list *list)
{
	list->next = list->prev = list;
}

static inline bool list_empty(const struct list *list)
{
	return list->next == list;
}

/* Append @node behind the last element of @list. */
static inline void list_append(struct list *list, struct list *node)
{
	node->prev = list->prev;
	node->next = list;
	list->prev->next = node;
	list->prev = node;
}

/* Unlink @node; it is left pointing at itself, so that unlinking twice is harmless. */
static inline void list_remove(struct list *node)
{
	node->prev->next = node->next;
	node->next->prev = node->prev;
	list_init(node);
}

/* The first node, unlinked, or NULL. */
static inline struct list *list_take_first(struct list *list)
{
	struct list *node = list->next;

	if (node == list)
		return NULL;
	list_remove(node);
	return node;
}

/* Move everything in @from to the end of @to; @from is left empty. */
static inline void list_move_all(struct list *to, struct list *from)
{
	if (list_empty(from))
		return;
	from->next->prev = to->prev;
	to->prev->next = from->next;
	from->prev->next = to;
	to->prev = from->prev;
	list_init(from);
}

#define list_for_each(node, list)                                                                  \
	for ((node) = (list)->next; (node) != (list); (node) = (node)->next)

/* As list_for_each, but the body may unlink @node. */
#define list_for_each_safe(node, following, list)                                                  \
	for ((node) = (list)->next, (following) = (node)->next; (node) != (list);                  \
	     (node) = (following), (following) = (node)->next)

#endif
