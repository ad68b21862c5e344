/* SPDX-License-Identifier: MIT */
/*
 * api.c - public functions that belong to the instance as a whole
 */
#include "instance.h"

const char *qr_version(void)
{
	return QR_VERSION_STRING;
}

uint64_t qr_run_pending(struct quire *q)
{
	return qr__work_run_due(qr__base(q));
}
