/* SPDX-License-Identifier: MIT */
/* placeholder.c - keeps the libraries from being empty until the first layer is here */
#include <quire/types.h>

const char *qr_strerror(int error)
{
	return error == QR_OK ? "success" : "error";
}
