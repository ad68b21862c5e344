/* SPDX-License-Identifier: MIT */
/*
 * fuzz_alloc.c - bytes are a machine and operations on its allocator; see alloc_model.h
 */
#include "../property/alloc_model.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	model_run(data, size);
	return 0;
}
