// For -ffreestanding -m32 on a computer without a 32-bit C library.
#pragma once

#include <stddef.h>

void *memcpy(void *to, const void *from, size_t bytes);
void *memset(void *at, int value, size_t bytes);
