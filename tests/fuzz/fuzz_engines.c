/* SPDX-License-Identifier: MIT */
/*
 * fuzz_engines.c - bytes are a machine and operations, done with both engines; see twins.h
 */
#include "../property/twins_ops.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	twins_run(data, size);
	return 0;
}
