/* SPDX-License-Identifier: MIT */
/* placeholder.c - the program until its first verb is here */
#include <quire/types.h>

#include <stdio.h>

int main(void)
{
	fprintf(stderr, "quire: no verbs yet (%s)\n", qr_strerror(QR_ENOSYS));
	return 2;
}
