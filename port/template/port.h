/* SPDX-License-Identifier: MIT */
/*
 * port/template/port.h - what the rest of your system sees of the port
 */
#ifndef QR_PORT_TEMPLATE_H
#define QR_PORT_TEMPLATE_H

#include <quire/quire.h>

struct template_port {
	unsigned char *direct_map; /* where frame 0 can be reached; NULL: metadata only */
	qr_pfn_t end_pfn; /* first frame beyond the direct map */
	uint64_t run_by_ns; /* when the core wants to be run; UINT64_MAX: not at all */
};

/* Fill in the hooks; the port must stay where it is for the life of the instance. */
void template_port_platform(struct template_port *port, struct qr_platform *platform);

/* Do the background work that is due. */
void template_port_poll(struct template_port *port, struct quire *q);

#endif /* QR_PORT_TEMPLATE_H */
