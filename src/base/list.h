/* SPDX-License-Identifier: MIT */
/*
 * base/list.h - doubly linked lists by index
 *
 * Elements lie in an array and are named by their index, so a link is 4 bytes instead of 8.  A
 * list has a first and a last element; both are QR_LIST_NONE when it is empty.  Where the links lie
 * is told by a struct qr_links, made on the spot: the compiler folds it away.
 */
#ifndef QR_BASE_LIST_H
#define QR_BASE_LIST_H

#include "compiler.h"
#include <quire/types.h>

#define QR_LIST_NONE UINT32_MAX

struct qr_link {
	uint32_t next, prev;
};

struct qr_list {
	uint32_t first, last;
};

/* The links of an array: address of element 0's link, and distance to the next. */
struct qr_links {
	void *base;
	size_t stride;
};

QR_INLINE struct qr_link *qr__link(struct qr_links links, uint32_t i)
{
	return (struct qr_link *)(void *)((char *)links.base + (size_t)i * links.stride);
}

/*
 * Links are written under their list's lock, but .next may be read by a passer-by who takes it for
 * something else (the head of a compound page) and then finds out that it is not; so it is written
 * in one piece.
 */
QR_INLINE void qr__link_next_set(struct qr_link *link, uint32_t i)
{
	__atomic_store_n(&link->next, i, __ATOMIC_RELAXED);
}

QR_INLINE uint32_t qr__link_next_racy(const struct qr_link *link)
{
	return __atomic_load_n(&link->next, __ATOMIC_RELAXED);
}

QR_INLINE void qr__list_init(struct qr_list *list)
{
	list->first = list->last = QR_LIST_NONE;
}

QR_INLINE bool qr__list_empty(const struct qr_list *list)
{
	return list->first == QR_LIST_NONE;
}

QR_INLINE void qr__list_push_front(struct qr_list *list, struct qr_links links, uint32_t i)
{
	struct qr_link *link = qr__link(links, i);

	qr__link_next_set(link, list->first);
	link->prev = QR_LIST_NONE;
	if (list->first == QR_LIST_NONE)
		list->last = i;
	else
		qr__link(links, list->first)->prev = i;
	list->first = i;
}

QR_INLINE void qr__list_push_back(struct qr_list *list, struct qr_links links, uint32_t i)
{
	struct qr_link *link = qr__link(links, i);

	qr__link_next_set(link, QR_LIST_NONE);
	link->prev = list->last;
	if (list->last == QR_LIST_NONE)
		list->first = i;
	else
		qr__link_next_set(qr__link(links, list->last), i);
	list->last = i;
}

QR_INLINE void qr__list_remove(struct qr_list *list, struct qr_links links, uint32_t i)
{
	struct qr_link *link = qr__link(links, i);

	if (link->prev == QR_LIST_NONE)
		list->first = link->next;
	else
		qr__link_next_set(qr__link(links, link->prev), link->next);
	if (link->next == QR_LIST_NONE)
		list->last = link->prev;
	else
		qr__link(links, link->next)->prev = link->prev;
}

/* The list is not empty. */
QR_INLINE uint32_t qr__list_pop_front(struct qr_list *list, struct qr_links links)
{
	uint32_t i = list->first;

	list->first = qr__link(links, i)->next;
	if (list->first == QR_LIST_NONE)
		list->last = QR_LIST_NONE;
	else
		qr__link(links, list->first)->prev = QR_LIST_NONE;
	return i;
}

/* Turn the list so that i, which is on it, comes first; what stood before it goes to the end. */
QR_INLINE void qr__list_rotate_to(struct qr_list *list, struct qr_links links, uint32_t i)
{
	struct qr_link *link = qr__link(links, i);
	uint32_t before = link->prev;

	if (before == QR_LIST_NONE)
		return;
	qr__link_next_set(qr__link(links, list->last), list->first);
	qr__link(links, list->first)->prev = list->last;
	qr__link_next_set(qr__link(links, before), QR_LIST_NONE);
	link->prev = QR_LIST_NONE;
	list->first = i;
	list->last = before;
}

#endif /* QR_BASE_LIST_H */
