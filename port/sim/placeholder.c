/* SPDX-License-Identifier: MIT */
/* placeholder.c - keeps the library from being empty until the port is here */
#include <quire/types.h>

typedef int qr__port_sim_placeholder;
